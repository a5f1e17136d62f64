# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build records as BatchGetBuilds answers them, and the details of the events about them. Pure functions."""

from __future__ import annotations

import copy
import time
from typing import Any
from urllib.parse import quote

from local_aws.codebuild import projects

IN_PROGRESS = "IN_PROGRESS"
SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
STOPPED = "STOPPED"
TIMED_OUT = "TIMED_OUT"

# StartBuild members that replace a member of the project, and those that replace one inside a member.
_OVERRIDES = {
    "sourceVersion": "sourceVersion",
    "secondarySourcesOverride": "secondarySources",
    "secondarySourcesVersionOverride": "secondarySourceVersions",
    "artifactsOverride": "artifacts",
    "secondaryArtifactsOverride": "secondaryArtifacts",
    "cacheOverride": "cache",
    "serviceRoleOverride": "serviceRole",
    "timeoutInMinutesOverride": "timeoutInMinutes",
    "queuedTimeoutInMinutesOverride": "queuedTimeoutInMinutes",
    "encryptionKeyOverride": "encryptionKey",
    "logsConfigOverride": "logsConfig",
    "autoRetryLimitOverride": "autoRetryLimit",
}
_SOURCE_OVERRIDES = {
    "sourceTypeOverride": "type",
    "sourceLocationOverride": "location",
    "sourceAuthOverride": "auth",
    "gitCloneDepthOverride": "gitCloneDepth",
    "gitSubmodulesConfigOverride": "gitSubmodulesConfig",
    "buildspecOverride": "buildspec",
    "insecureSslOverride": "insecureSsl",
    "reportBuildStatusOverride": "reportBuildStatus",
    "buildStatusConfigOverride": "buildStatusConfig",
}
_ENVIRONMENT_OVERRIDES = {
    "environmentTypeOverride": "type",
    "imageOverride": "image",
    "computeTypeOverride": "computeType",
    "certificateOverride": "certificate",
    "privilegedModeOverride": "privilegedMode",
    "registryCredentialOverride": "registryCredential",
    "imagePullCredentialsTypeOverride": "imagePullCredentialsType",
    "fleetOverride": "fleet",
    "hostKernelOverride": "hostKernel",
}


def effective_project(project: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """The project with the overrides of a StartBuild request. Raises AwsError InvalidInputException."""
    result = copy.deepcopy(project)
    for members, target in (
        (_OVERRIDES, result),
        (_SOURCE_OVERRIDES, result["source"]),
        (_ENVIRONMENT_OVERRIDES, result["environment"]),
    ):
        for override, member in members.items():
            if override in request:
                target[member] = copy.deepcopy(request[override])
    if result["source"]["type"] == "NO_SOURCE" and request.get("sourceTypeOverride"):
        result["source"].pop("location", None)
    result["artifacts"] = projects.artifacts(result["artifacts"], result["name"])
    # A variable of the request replaces the project's of the same name; the others stay.
    variables = {item["name"]: item for item in result["environment"].get("environmentVariables", [])}
    variables.update({item["name"]: item for item in request.get("environmentVariablesOverride", [])})
    result["environment"]["environmentVariables"] = list(variables.values())
    result["environment"] = projects.environment(result["environment"])
    projects.check_source_and_artifacts(result)
    return result


def new_build(
    project: dict[str, Any], build_uuid: str, number: int, initiator: str, account_id: str, region: str, now: float
) -> dict[str, Any]:
    """The record of a build that was just submitted, from its effective project."""
    name = project["name"]
    build_id = f"{name}:{build_uuid}"
    build: dict[str, Any] = {
        "id": build_id,
        "arn": f"arn:aws:codebuild:{region}:{account_id}:build/{build_id}",
        "buildNumber": number,
        "startTime": now,
        "currentPhase": "QUEUED",
        "buildStatus": IN_PROGRESS,
        "sourceVersion": project.get("sourceVersion"),
        "projectName": name,
        "phases": [],
        "source": project["source"],
        "secondarySources": project["secondarySources"],
        "secondarySourceVersions": project["secondarySourceVersions"],
        "artifacts": build_artifacts(project["artifacts"], build_uuid),
        "secondaryArtifacts": [build_artifacts(item, build_uuid) for item in project["secondaryArtifacts"]],
        "cache": project["cache"],
        "environment": project["environment"],
        "serviceRole": project["serviceRole"],
        "logs": logs_location(project, build_uuid, account_id, region),
        "timeoutInMinutes": project["timeoutInMinutes"],
        "queuedTimeoutInMinutes": project["queuedTimeoutInMinutes"],
        "buildComplete": False,
        "initiator": initiator,
        "encryptionKey": project["encryptionKey"],
        "exportedEnvironmentVariables": [],
    }
    for member in ("vpcConfig", "fileSystemLocations"):
        if member in project:
            build[member] = project[member]
    return build


def build_artifacts(artifacts: dict[str, Any], build_uuid: str) -> dict[str, Any]:
    """The output artifacts of a build: where they will be."""
    kept = ("overrideArtifactName", "encryptionDisabled", "artifactIdentifier", "bucketOwnerAccess")
    result: dict[str, Any] = {member: artifacts[member] for member in kept if member in artifacts}
    if artifacts["type"] == "S3":
        result["location"] = f"arn:aws:s3:::{bucket_name(artifacts['location'])}/{s3_key(artifacts, build_uuid)}"
    else:
        result["location"] = ""
    return result


def bucket_name(location: str) -> str:
    """The bucket in a bucket's name or ARN."""
    return location.removeprefix("arn:aws:s3:::").split("/", 1)[0]


def s3_key(artifacts: dict[str, Any], build_uuid: str, name: str | None = None) -> str:
    """The key (packaging ZIP) or the key prefix (NONE) of an S3 output artifact: path, namespace, name."""
    namespace = build_uuid if artifacts.get("namespaceType") == "BUILD_ID" else ""
    name = artifacts.get("name", "") if name is None else name
    return "/".join(part.strip("/") for part in (artifacts.get("path", ""), namespace, name) if part.strip("/"))


def logs_location(project: dict[str, Any], build_uuid: str, account_id: str, region: str) -> dict[str, Any]:
    """The member `logs` of a build; without groupName when the project has switched CloudWatch Logs off."""
    config = project.get("logsConfig", {})
    cloudwatch = config.get("cloudWatchLogs", {"status": "ENABLED"})
    location: dict[str, Any] = {
        "cloudWatchLogs": cloudwatch,
        "s3Logs": config.get("s3Logs", {"status": "DISABLED", "encryptionDisabled": False}),
    }
    if cloudwatch["status"] != "ENABLED":
        return location
    group = cloudwatch.get("groupName") or f"/aws/codebuild/{project['name']}"
    prefix = cloudwatch.get("streamName", "")
    stream = f"{prefix}/{build_uuid}" if prefix else build_uuid
    encoded = [quote(quote(part, safe=""), safe="").replace("%", "$") for part in (group, stream)]
    return {
        "groupName": group,
        "streamName": stream,
        "deepLink": f"https://console.aws.amazon.com/cloudwatch/home?region={region}"
        f"#logsV2:log-groups/log-group/{encoded[0]}/log-events/{encoded[1]}",
        "cloudWatchLogsArn": f"arn:aws:logs:{region}:{account_id}:log-group:{group}:log-stream:{stream}",
        **location,
    }


def console_url(build: dict[str, Any]) -> str:
    """Where the console shows a build and its log."""
    region, account_id = build["arn"].split(":")[3:5]
    return (
        f"https://{region}.console.aws.amazon.com/codesuite/codebuild/{account_id}/projects/"
        f"{build['projectName']}/build/{build['id']}/?region={region}"
    )


# --- events -----------------------------------------------------------------------------------------------------------


def state_change(build: dict[str, Any]) -> dict[str, Any]:
    """The detail of the event "CodeBuild Build State Change"."""
    return {
        "build-status": build["buildStatus"],
        "project-name": build["projectName"],
        "build-id": build["arn"],
        "additional-information": _additional_information(build),
        "current-phase": build["currentPhase"],
        "current-phase-context": "[]",
        "version": "1",
    }


def phase_change(build: dict[str, Any], phase: dict[str, Any]) -> dict[str, Any]:
    """The detail of the event "CodeBuild Build Phase Change" for a phase that is complete."""
    return {
        "completed-phase": phase["phaseType"],
        "project-name": build["projectName"],
        "build-id": build["arn"],
        "completed-phase-context": f"[{', '.join(_contexts(phase))}]",
        "additional-information": _additional_information(build),
        "completed-phase-status": phase.get("phaseStatus", SUCCEEDED),
        "completed-phase-duration-seconds": str(phase.get("durationInSeconds", 0)),
        "completed-phase-start": _event_time(phase["startTime"]),
        "completed-phase-end": _event_time(phase.get("endTime", phase["startTime"])),
        "version": "1",
    }


def _additional_information(build: dict[str, Any]) -> dict[str, Any]:
    environment = build["environment"]
    source = build["source"]
    information: dict[str, Any] = {
        "cache": build["cache"],
        "build-number": build["buildNumber"],
        "timeout-in-minutes": build["timeoutInMinutes"],
        "queued-timeout-in-minutes": build["queuedTimeoutInMinutes"],
        "build-complete": build["buildComplete"],
        "initiator": build["initiator"],
        "build-start-time": _event_time(build["startTime"]),
        "source": {key: source[key] for key in ("buildspec", "location", "type") if key in source},
        "source-version": build.get("sourceVersion") or "",
        "artifact": {
            key: value
            for key, value in (
                ("location", build["artifacts"].get("location", "")),
                ("md5sum", build["artifacts"].get("md5sum")),
                ("sha256sum", build["artifacts"].get("sha256sum")),
            )
            if value is not None
        },
        "environment": {
            "image": environment["image"],
            "privileged-mode": environment.get("privilegedMode", False),
            "image-pull-credentials-type": environment.get("imagePullCredentialsType", "CODEBUILD"),
            "compute-type": environment["computeType"],
            "type": environment["type"],
            "environment-variables": environment.get("environmentVariables", []),
        },
        "logs": {
            key: build["logs"][member]
            for key, member in (("group-name", "groupName"), ("stream-name", "streamName"), ("deep-link", "deepLink"))
            if member in build["logs"]
        },
        "phases": [_event_phase(phase) for phase in build["phases"]],
        "exported-environment-variables": build["exportedEnvironmentVariables"],
    }
    if "endTime" in build:
        information["build-end-time"] = _event_time(build["endTime"])
    return information


def _event_phase(phase: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "phase-context": _contexts(phase),
        "start-time": _event_time(phase["startTime"]),
        "phase-type": phase["phaseType"],
    }
    if "endTime" in phase:
        result |= {
            "end-time": _event_time(phase["endTime"]),
            "duration-in-seconds": phase.get("durationInSeconds", 0),
            "phase-status": phase["phaseStatus"],
        }
    return result


def _contexts(phase: dict[str, Any]) -> list[str]:
    return [f"{item['statusCode']}: {item['message']}" for item in phase.get("contexts", [])]


def _event_time(seconds: float) -> str:
    """A time as CodeBuild writes it in events: Sep 1, 2017 4:12:29 PM, UTC."""
    parts = time.gmtime(seconds)
    hour = parts.tm_hour % 12 or 12
    return time.strftime(f"%b {parts.tm_mday}, %Y {hour}:%M:%S %p", parts)
