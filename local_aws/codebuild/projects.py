# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build projects as CodeBuild stores them: defaults, checks, updates. Pure functions over API-shaped dicts."""

from __future__ import annotations

import copy
import re
from typing import Any

from local_aws.aws_json import AwsError
from local_aws.codebuild import buildspec, sources

ACCOUNT_BUILD_LIMIT = 60
"""Concurrent builds that an account may have, AWS's default quota for a small Linux environment."""

_CREATE_MEMBERS = (
    "description",
    "sourceVersion",
    "serviceRole",
    "timeoutInMinutes",
    "queuedTimeoutInMinutes",
    "encryptionKey",
    "tags",
    "vpcConfig",
    "logsConfig",
    "fileSystemLocations",
    "buildBatchConfig",
    "concurrentBuildLimit",
    "autoRetryLimit",
    "secondarySourceVersions",
    "cache",
)
_REMOVED_BY_EMPTY = ("sourceVersion", "vpcConfig", "logsConfig", "buildBatchConfig", "fileSystemLocations")


def invalid(message: str) -> AwsError:
    """CodeBuild's answer to a request it refuses."""
    return AwsError("InvalidInputException", message)


def project_arn(name: str, account_id: str, region: str) -> str:
    """The ARN of a build project."""
    return f"arn:aws:codebuild:{region}:{account_id}:project/{name}"


def name_of(name_or_arn: str, account_id: str, region: str) -> str:
    """The project's name in a name or an ARN; an ARN of another account or region is no name and finds nothing."""
    prefix = project_arn("", account_id, region)
    return name_or_arn.removeprefix(prefix)


def created(request: dict[str, Any], account_id: str, region: str, now: float) -> dict[str, Any]:
    """The project that a CreateProject request makes. Raises AwsError InvalidInputException."""
    project: dict[str, Any] = {
        "name": request["name"],
        "arn": project_arn(request["name"], account_id, region),
        "secondarySources": [],
        "secondarySourceVersions": [],
        "secondaryArtifacts": [],
        "cache": {"type": "NO_CACHE"},
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "encryptionKey": f"arn:aws:kms:{region}:{account_id}:alias/aws/s3",
        "tags": [],
        "badge": {"badgeEnabled": False},
        "projectVisibility": "PRIVATE",
        "created": now,
    }
    _apply(project, request, account_id, region)
    project["lastModified"] = now
    return project


def updated(
    project: dict[str, Any], request: dict[str, Any], account_id: str, region: str, now: float
) -> dict[str, Any]:
    """The project after an UpdateProject request: members that are given replace the whole member."""
    changed = copy.deepcopy(project)
    _apply(changed, request, account_id, region)
    changed["lastModified"] = now
    return changed


def _apply(project: dict[str, Any], request: dict[str, Any], account_id: str, region: str) -> None:
    name = project["name"]
    for member in _CREATE_MEMBERS:
        if member in request:
            project[member] = copy.deepcopy(request[member])
    if "source" in request:
        project["source"] = source(request["source"])
    if "secondarySources" in request:
        project["secondarySources"] = [source(item) for item in request["secondarySources"]]
    if "artifacts" in request:
        project["artifacts"] = artifacts(request["artifacts"], name)
    if "secondaryArtifacts" in request:
        project["secondaryArtifacts"] = [artifacts(item, name) for item in request["secondaryArtifacts"]]
    if "environment" in request:
        project["environment"] = environment(request["environment"])
    if "badgeEnabled" in request:
        project["badge"] = _badge(request["badgeEnabled"], name, account_id, region)
    for member in _REMOVED_BY_EMPTY:
        if member in project and not _has_content(project[member]):
            del project[member]
    if project.get("concurrentBuildLimit") == -1:
        del project["concurrentBuildLimit"]
    if re.fullmatch(r"alias/.+", project["encryptionKey"]):
        project["encryptionKey"] = f"arn:aws:kms:{region}:{account_id}:{project['encryptionKey']}"
    _check(project, account_id)


def _has_content(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_content(item) for item in value.values())
    return bool(value)


def _badge(enabled: bool, name: str, account_id: str, region: str) -> dict[str, Any]:
    badge: dict[str, Any] = {"badgeEnabled": enabled}
    if enabled:
        badge["badgeRequestUrl"] = f"https://codebuild.{region}.amazonaws.com/badges?uuid={account_id}-{name}&branch="
    return badge


def source(given: dict[str, Any]) -> dict[str, Any]:
    """A source with the members that AWS adds."""
    result = copy.deepcopy(given)
    result.setdefault("insecureSsl", False)
    if result["type"] in sources.GIT_TYPES:
        result.setdefault("reportBuildStatus", False)
        result.setdefault("gitCloneDepth", 0)
    return result


def artifacts(given: dict[str, Any], project_name: str) -> dict[str, Any]:
    """Output artifacts with the members that AWS adds."""
    result = copy.deepcopy(given)
    if result["type"] == "CODEPIPELINE":
        # CodePipeline names and places them: AWS keeps neither.
        for member in ("location", "path", "namespaceType"):
            result.pop(member, None)
        result["packaging"] = "NONE"
        result["name"] = project_name
        result.setdefault("encryptionDisabled", False)
    elif result["type"] == "S3":
        result.setdefault("path", "")
        result.setdefault("namespaceType", "NONE")
        result.setdefault("packaging", "NONE")
        result.setdefault("name", project_name)
        result.setdefault("overrideArtifactName", False)
        result.setdefault("encryptionDisabled", False)
    return result


def environment(given: dict[str, Any]) -> dict[str, Any]:
    """An environment with the members that AWS adds."""
    result = copy.deepcopy(given)
    result.setdefault("privilegedMode", False)
    result.setdefault("imagePullCredentialsType", "CODEBUILD")
    result["environmentVariables"] = [{"type": "PLAINTEXT", **item} for item in result.get("environmentVariables", [])]
    return result


def _check(project: dict[str, Any], account_id: str) -> None:
    check_source_and_artifacts(project)
    role = re.fullmatch(r"arn:aws[a-z-]*:iam::(\d{12}):role/.+", project["serviceRole"])
    if role is None:
        raise invalid("Invalid service role: Service role must be a valid ARN of an IAM role")
    if role.group(1) != account_id:
        raise invalid("Invalid service role: Service role account ID does not match caller's account")
    limit = project.get("concurrentBuildLimit")
    if limit is not None and limit < 1:
        raise invalid("Project-level concurrent build limit must be greater than 0.")
    if limit is not None and limit > ACCOUNT_BUILD_LIMIT:
        raise invalid(
            f"Project-level concurrent build limit cannot exceed the account-level concurrent build limit "
            f"of {ACCOUNT_BUILD_LIMIT}."
        )
    keys = [tag.get("key") for tag in project["tags"]]
    if len(keys) != len(set(keys)):
        raise invalid("Invalid tags: duplicate tag keys are not allowed")
    if any(str(key).lower().startswith("aws:") for key in keys):
        raise invalid("Invalid tags: tag keys must not start with aws:")


def check_source_and_artifacts(project: dict[str, Any]) -> None:
    """The rules between source and artifacts. Raises AwsError InvalidInputException."""
    source_type = project["source"]["type"]
    artifact_type = project["artifacts"]["type"]
    if (source_type == "CODEPIPELINE") != (artifact_type == "CODEPIPELINE"):
        raise invalid("Invalid artifacts: artifact type and source type must both be CODEPIPELINE if one of them is")
    if source_type == "NO_SOURCE" and not buildspec.is_inline(project["source"].get("buildspec", "")):
        raise invalid("Invalid project source: source type NO_SOURCE requires a non-empty inline buildspec")
    if source_type not in ("CODEPIPELINE", "NO_SOURCE") and not project["source"].get("location"):
        raise invalid(f"Invalid project source: location is required for source type {source_type}")
    if artifact_type == "S3" and not project["artifacts"].get("location"):
        raise invalid("Invalid artifacts: location is required for artifact type S3")
    if artifact_type != "S3" and project["artifacts"].get("encryptionDisabled"):
        raise invalid("Invalid artifacts: encryptionDisabled is only valid for artifact type S3")
    for item in project["secondarySources"]:
        if not item.get("sourceIdentifier"):
            raise invalid("Invalid secondary source: sourceIdentifier is required")
    for item in project["secondaryArtifacts"]:
        if not item.get("artifactIdentifier"):
            raise invalid("Invalid secondary artifact: artifactIdentifier is required")
