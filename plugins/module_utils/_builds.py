# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Builds of CodeBuild: starting, stopping, retrying, looking, reading their logs as they come."""

from __future__ import annotations

import re
import time
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, explain, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._engine import chunks, prune
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codebuild_project import (
    ENVIRONMENT,
    OPTIONS,
    SOURCE,
)
from ansible_collections.gitops.aws.plugins.module_utils._names import empty_problems
from ansible_collections.gitops.aws.plugins.module_utils._secrets import secret_values
from ansible_collections.gitops.aws.plugins.module_utils._shapes import input_shape, to_request
from ansible_collections.gitops.aws.plugins.module_utils._waiters import GRACE, time_problems, wait

# What a build may have otherwise than its project: the members of StartBuild that end in Override, without that word.
OVERRIDES: dict[str, Any] = {
    **{
        name: OPTIONS[name]
        for name in (
            "artifacts",
            "auto_retry_limit",
            "cache",
            "encryption_key",
            "logs_config",
            "queued_timeout_in_minutes",
            "secondary_artifacts",
            "secondary_sources",
            "service_role",
            "timeout_in_minutes",
        )
    },
    **{
        name: ENVIRONMENT[name]
        for name in (
            "certificate",
            "compute_type",
            "environment_variables",
            "fleet",
            "host_kernel",
            "image",
            "image_pull_credentials_type",
            "privileged_mode",
            "registry_credential",
        )
    },
    **{
        name: SOURCE[name]
        for name in (
            "build_status_config",
            "buildspec",
            "git_clone_depth",
            "git_submodules_config",
            "insecure_ssl",
            "report_build_status",
        )
    },
    "environment_type": ENVIRONMENT["type"],
    "secondary_sources_version": OPTIONS["secondary_source_versions"],
    "source_auth": SOURCE["auth"],
    "source_location": SOURCE["location"],
    "source_type": {"type": "str", "choices": SOURCE["type"]["choices"]},
}

ARGUMENTS: dict[str, Any] = {
    "project": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped", "retried"], "default": "started"},
    "build_id": {"type": "str"},
    "source_version": {"type": "str"},
    "overrides": {"type": "dict", "options": OVERRIDES},
    "debug_session_enabled": {"type": "bool"},
    "idempotency_token": {"type": "str", "no_log": False},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 3600},
    "poll_interval": {"type": "int", "default": 3},
    "log_cursors": {"type": "dict", "default": {}, "no_log": False},
}

# Options that say how a build is to be started.
FOR_STARTING = ("source_version", "overrides", "debug_session_enabled", "idempotency_token")

RUNNING = "IN_PROGRESS"
SUCCEEDED = "SUCCEEDED"

LAST_LINES = 20  # of a failed build's log, in the result

# Of a build's log in one look, each up to 10,000 lines: a log may grow faster than it is read.
MOST_PAGES = 100

# CodeBuild's own lines (which command it runs, which phase it enters), and empty ones.
NOISE = re.compile(r"\[Container\] |\s*$")
# CodeBuild shows each command before it runs it. The functions that our buildspecs begin with are shown to nobody.
FUNCTIONS = re.compile(r"\[Container\] .*Running command # Functions: ")
FUNCTIONS_END = re.compile(r"# End of functions\.\s*$")

# What Terraform draws around its messages, and colours.
_DECORATION = re.compile(r"^(?:\x1b\[[0-9;]*m|[\s\u2500-\u257f])+|\x1b\[[0-9;]*m")
_LIKE_AN_ERROR = re.compile(
    r"\b(error|errors|fatal|failed|failure|denied|exception|panic|not found|no such|cannot|can't|unable|refused)\b",
    re.IGNORECASE,
)


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments of codebuild_build, found without a call."""
    found = [
        *empty_problems(params, ("build_id", "idempotency_token")),
        *time_problems(params),
        *_incomplete(params["overrides"] or {}),
    ]
    if params["state"] == "started" and not params["build_id"]:
        return found
    given = [
        name
        for name in FOR_STARTING
        if params[name] is not None and (name, params["state"]) != ("idempotency_token", "retried")
    ]
    why = "a build that is there already is followed" if params["state"] == "started" else f"state is {params['state']}"
    return [*found, *(f"{name}: it is for a build that is started, and {why}" for name in given)]


def _incomplete(overrides: dict[str, Any]) -> list[str]:
    """Where a member is missing that StartBuild needs, though a project may do without it."""
    sources = enumerate(overrides.get("secondary_sources") or [])
    needed = [
        ("registry_credential", overrides.get("registry_credential"), "credential"),
        ("source_auth", overrides.get("source_auth"), "type"),
        *((f"secondary_sources[{index}].auth", source.get("auth"), "type") for index, source in sources),
    ]
    return [
        f"overrides.{path}.{member}: it is required and missing"
        for path, value, member in needed
        if value is not None and not value.get(member)
    ]


def secrets(params: dict[str, Any]) -> list[str]:
    """The values of environment variables that are secret by their names."""
    return secret_values(params["overrides"])


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that codebuild_build does; returns its result. Raises Refused, and the errors of calls."""
    state, build_id, changed = params["state"], params["build_id"], False
    if build_id == "latest":
        build_id = newest(aws, params["project"])
    if build_id or state != "started":
        build = _of_project(aws, build_id, params["project"])
    if state == "started" and not build_id:
        if aws.check_mode:
            _must_exist(aws, params["project"])
            return {"changed": True, "msg": f"It would start a build of {params['project']}", **NOTHING_SEEN}
        build_id, changed = start(aws, params), True
    elif state == "stopped" and build["buildStatus"] == RUNNING:
        if aws.check_mode:
            return {"changed": True, "msg": f"It would stop the build {build['id']}", **seen(aws, build, {})}
        aws.client("codebuild").stop_build(id=build["id"])
        changed = True
    elif state == "retried":
        if build["buildStatus"] == RUNNING:
            raise Refused(
                f"the build {build['id']} is still running, in phase {build.get('currentPhase', '?')}. Nothing was "
                "started. Fix: wait for its end, or stop it first"
            )
        if aws.check_mode:
            return {"changed": True, "msg": f"It would retry the build {build['id']}", **seen(aws, build, {})}
        build_id, changed = retry(aws, build["id"], params["idempotency_token"]), True
    try:
        result = follow(aws, build_id, params, is_new=changed and state != "stopped")
    except (ClientError, BotoCoreError, Refused) as error:
        if not changed:
            raise
        return {"failed": True, "changed": True, **_unseen(error, params["project"], build_id, state), **NOTHING_SEEN}
    result["changed"] = changed
    if params["wait"] and not result["build"]["end_time"]:
        result.update(failed=True, msg=late(result["build"], params["wait_timeout"]))
    elif params["wait"] and state != "stopped" and "failure" in result:
        result.update(failed=True, msg=result.pop("failure"))
    return result


# What the module returns of a build that there is none of.
NOTHING_SEEN: dict[str, Any] = {"log_lines": [], "log_cursors": {}}


def _unseen(error: Exception, project: str, build_id: str, state: str) -> dict[str, Any]:
    """What is known of a build after it was started or stopped, when it could not be looked at."""
    done = "is being stopped" if state == "stopped" else "was started and goes on"
    what = f"build project {project}: build {build_id} {done} (build_id={build_id} follows it), but a look at it failed"
    return {"msg": explain(error, what), "build": {"id": build_id, "project": project}}


def request(shape: Any, params: dict[str, Any]) -> dict[str, Any]:
    """The request of StartBuild, of that shape, out of the arguments of codebuild_build. Pure."""
    overrides = prune(params["overrides"] or {}, ARGUMENTS["overrides"])
    if "registry_credential" in overrides:
        overrides["registry_credential"].setdefault("credential_provider", "SECRETS_MANAGER")
    return to_request(
        shape,
        {
            "project_name": params["project"],
            **{name: params[name] for name in ("source_version", "debug_session_enabled", "idempotency_token")},
            **{f"{name}_override": value for name, value in overrides.items()},
        },
    )


def start(aws: Aws, params: dict[str, Any]) -> str:
    """Starts a build (StartBuild) and returns its id."""
    client = aws.client("codebuild")
    return client.start_build(**request(input_shape(client, "StartBuild"), params))["build"]["id"]


def retry(aws: Aws, build_id: str, token: str | None) -> str:
    """Starts a build like an earlier one (RetryBuild); returns the new build's id."""
    more = {"idempotencyToken": token} if token else {}
    return aws.client("codebuild").retry_build(id=build_id, **more)["build"]["id"]


def newest(aws: Aws, project: str) -> str:
    """The id of a project's newest build (ListBuildsForProject). Raises Refused where it has none."""
    ids = aws.client("codebuild").list_builds_for_project(projectName=project, sortOrder="DESCENDING")["ids"]
    if not ids:
        raise Refused("it has no build yet. Fix: leave build_id out to start one")
    return ids[0]


def read(aws: Aws, build_ids: list[str]) -> list[dict[str, Any]]:
    """Builds as BatchGetBuilds answers them, 100 a call; those unknown to CodeBuild are passed over."""
    client = aws.client("codebuild")
    return [build for some in chunks(build_ids, 100) for build in client.batch_get_builds(ids=some)["builds"]]


def _of_project(aws: Aws, build_id: str, project: str) -> dict[str, Any]:
    """A build that must be one of the project's."""
    for build in read(aws, [build_id]):
        if build["projectName"] != project:
            raise Refused(f"the build {build_id} is one of {build['projectName']}. Fix: name that project")
        return build
    raise Refused(f"there is no build {build_id}. Fix: give the id as it is returned, {project}:... with all of it")


def _must_exist(aws: Aws, project: str) -> None:
    """Raises Refused where there is no such project (BatchGetProjects)."""
    if not aws.client("codebuild").batch_get_projects(names=[project])["projects"]:
        raise Refused("there is no such build project")


def follow(aws: Aws, build_id: str, params: dict[str, Any], is_new: bool = False) -> dict[str, Any]:
    """The build as it is at its end, or now where there is no waiting, with the log lines since `log_cursors`.

    Where it was started a moment ago (`is_new`), CodeBuild may not know it at once.
    """
    builds: list[dict[str, Any]] = []
    for _second in range(GRACE if is_new else 0):
        builds = read(aws, [build_id])
        if builds:
            break
        time.sleep(1)
    if params["wait"]:
        client = aws.client("codebuild")
        wait(client, "build_ended", params["wait_timeout"], params["poll_interval"], ids=[build_id])
    if params["wait"] or not builds:
        builds = read(aws, [build_id])
    if not builds:
        raise Refused(f"there is no build {build_id} any more")
    return seen(aws, builds[0], params["log_cursors"])


def seen(aws: Aws, build: dict[str, Any], cursors: dict[str, str]) -> dict[str, Any]:
    """What the module returns of a build as it is: build, log_lines, log_cursors; where it failed the reason, too."""
    lines, cursors = log_lines(aws, [build], cursors)
    result: dict[str, Any] = {"build": describe(build), "log_lines": lines, "log_cursors": cursors}
    if build["buildStatus"] not in (RUNNING, SUCCEEDED):
        last = last_log_lines(aws, build)
        result.update(last_log_lines=last, failure=failure(result["build"], last))
    return result


def describe(build: dict[str, Any]) -> dict[str, Any]:
    """A build in the shape that the module returns; the shape is in its documentation. Without environment variables:
    their values may be secret."""
    logs = build.get("logs", {})
    return {
        "id": build["id"],
        "arn": build["arn"],
        "project": build["projectName"],
        "number": build.get("buildNumber"),
        "status": build["buildStatus"],
        "current_phase": build.get("currentPhase", ""),
        "phases": [
            {
                "name": phase["phaseType"],
                "status": phase.get("phaseStatus", ""),
                "seconds": phase.get("durationInSeconds"),
                "message": _message(phase),
            }
            for phase in build.get("phases", [])
        ],
        "exported_environment_variables": {
            variable["name"]: variable.get("value", "") for variable in build.get("exportedEnvironmentVariables", [])
        },
        "logs": {
            "group": logs.get("groupName", ""),
            "stream": logs.get("streamName", ""),
            "url": logs.get("deepLink", ""),
        },
        "source_version": build.get("sourceVersion", ""),
        "resolved_source_version": build.get("resolvedSourceVersion", ""),
        "initiator": build.get("initiator", ""),
        "start_time": build["startTime"].isoformat() if "startTime" in build else "",
        "end_time": build["endTime"].isoformat() if "endTime" in build else "",
        "artifacts_location": build.get("artifacts", {}).get("location", ""),
    }


def _message(phase: dict[str, Any]) -> str:
    """What CodeBuild says of a phase, '' where it says nothing, as of those that succeeded."""
    contexts = [(each.get("statusCode", ""), each.get("message", "")) for each in phase.get("contexts", [])]
    return "; ".join(": ".join(part for part in both if part) for both in contexts if any(both))


def failure(build: dict[str, Any], last_lines: list[str]) -> str:
    """Why a build did not succeed, in one line.

    Args:
        build: as describe() gives it.
        last_lines: of its log.
    """
    text = f"build project {build['project']}: build {build['id']} is {build['status']}"
    failed = next((phase for phase in build["phases"] if phase["status"] not in ("", SUCCEEDED, RUNNING)), None)
    if failed:
        text += f"; phase {failed['name']} is {failed['status']}"
        text += f": {failed['message']}" if failed["message"] else ""
    error = last_error(last_lines)
    return f"{text}; in its log: {error}" if error else text


def late(build: dict[str, Any], seconds: Any) -> str:
    """That a build had not ended when the time was over."""
    return (
        f"build project {build['project']}: build {build['id']} is {build['status']}, in phase "
        f"{build['current_phase']}, after {seconds} s. It goes on"
    )


def last_error(lines: list[str]) -> str:
    """The last line that looks like an error, without its decoration; '' where none does."""
    plain = [_DECORATION.sub("", line).strip() for line in lines if not NOISE.match(line)]
    return next((line for line in reversed(plain) if _LIKE_AN_ERROR.search(line)), "")


def last_log_lines(aws: Aws, build: dict[str, Any], most: int = LAST_LINES) -> list[str]:
    """The end of a build's log (GetLogEvents), without CodeBuild's own lines, so many of the others at most."""
    # CodeBuild's own lines are many at the end of a log.
    answer = _log_events(aws, build, startFromHead=False, limit=10 * most)
    lines = _lines(answer["events"]) if answer else []
    return [line for line in lines if not NOISE.match(line)][-most:]


def new_log_lines(
    aws: Aws, build_ids: list[str], cursors: dict[str, str]
) -> tuple[list[dict[str, str]], dict[str, str]]:
    """As log_lines, of builds by their ids (BatchGetBuilds); those unknown to CodeBuild are passed over."""
    return log_lines(aws, read(aws, build_ids), cursors)


def log_lines(
    aws: Aws, builds: list[dict[str, Any]], cursors: dict[str, str]
) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The builds' log lines since the last look (GetLogEvents).

    Args:
        aws: the connection.
        builds: as BatchGetBuilds answers them.
        cursors: what this function returned the last time, {} at first.

    Returns:
        lines, each with build_id and text, in the order they were written; and the new cursors.
    """
    cursors = dict(cursors)
    lines: list[dict[str, str]] = []
    for build in builds:
        for _page in range(MOST_PAGES):
            token = cursors.get(build["id"])
            answer = _log_events(aws, build, startFromHead=True, **({"nextToken": token} if token else {}))
            if answer is None:
                break
            lines += [{"build_id": build["id"], "text": line} for line in _lines(answer["events"])]
            cursors[build["id"]] = answer["nextForwardToken"]
            if token == answer["nextForwardToken"]:  # a page without lines may come before others
                break
    return lines, cursors


def _log_events(aws: Aws, build: dict[str, Any], **arguments: Any) -> dict[str, Any] | None:
    """One page of a build's log; None where there is none (yet), or none in CloudWatch."""
    logs = build.get("logs", {})
    if not logs.get("groupName") or not logs.get("streamName"):
        return None
    return read_or_none(
        aws.client("logs").get_log_events,
        ("ResourceNotFoundException",),
        logGroupName=logs["groupName"],
        logStreamName=logs["streamName"],
        **arguments,
    )


def _lines(events: list[dict[str, Any]]) -> list[str]:
    return [line for event in events for line in event["message"].rstrip("\n").split("\n")]
