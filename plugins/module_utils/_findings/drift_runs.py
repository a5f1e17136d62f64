# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What the newest runs of drift pipelines found, and of which stacks nothing is known."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta, timezone
from typing import Any

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, error_code, explain
from ansible_collections.gitops.aws.plugins.module_utils._findings import managed_drift
from ansible_collections.gitops.aws.plugins.module_utils._names import empty_problems

ARGUMENTS: dict[str, Any] = {
    "pipelines": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {"name": {"type": "str", "required": True}, "stack": {"type": "str", "required": True}},
    },
    "ignore_changes": {"type": "list", "elements": "str", "default": []},
    "max_age_hours": {"type": "int", "default": 26},
}

ARTIFACT, FILE = "drift", "drift.json"
LARGEST = 100_000_000  # bytes of drift.json

FRESH, OLD, FAILED, RUNNING, NEVER = "fresh", "old", "failed", "running", "never"
CHECKED = (FRESH, OLD)

# What of one stack's run cannot be read says nothing of the others'.
OF_THE_STACK = (
    "AccessDenied",
    "AccessDeniedException",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchVersion",
    "PipelineNotFoundException",
)


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments of terraform_drift_info, found without a call."""
    found = [
        f"pipelines[{index}].{problem}"
        for index, each in enumerate(params["pipelines"])
        for problem in empty_problems(each, ("name", "stack"))
    ]
    found += [f"ignore_changes: {problem}" for problem in managed_drift.pattern_problems(params["ignore_changes"])]
    if params["max_age_hours"] < 1:
        found.append(f"max_age_hours: {params['max_age_hours']} is not allowed, it must be 1 or more")
    return found


def info(aws: Aws, params: dict[str, Any], now: datetime | None = None) -> dict[str, Any]:
    """All that terraform_drift_info does; returns its result."""
    oldest = (now or datetime.now(timezone.utc)) - timedelta(hours=params["max_age_hours"])
    for service in ("codepipeline", "s3"):  # boto3 makes clients in one thread only
        aws.client(service)
    stacks, found = [], []
    for stack, report in aws.map(lambda pipeline: look(aws, pipeline, oldest), params["pipelines"]):
        changes = managed_drift.changes(report, params["ignore_changes"]) if report else []
        found += changes
        left = [each for each in changes if not managed_drift.is_ignored(each)]
        stacks.append({**stack, "differing": len(left), "ignored": len(changes) - len(left)})
    return {
        "changed": False,
        "stacks": stacks,
        "drift": [each for each in found if not managed_drift.is_ignored(each)],
        "ignored": [each for each in found if managed_drift.is_ignored(each)],
        "complete": all(stack["status"] == FRESH for stack in stacks),
    }


def look(aws: Aws, pipeline: dict[str, str], oldest: datetime) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The newest run of a drift pipeline that has ended.

    Returns:
        stack, pipeline, status (fresh, old, failed, running, never), message, execution_id, time, commit and applied;
        and what it found, as managed_drift.parse returns it, None where nothing is known.
    """
    name = pipeline["name"]
    stack: dict[str, Any] = {
        "stack": pipeline["stack"],
        "pipeline": name,
        "status": NEVER,
        "message": f"pipeline {name} has never run",
        "execution_id": "",
        "time": "",
        "commit": "",
        "applied": False,
    }
    try:
        report = _newest(aws, name, stack)
        if report is None:
            return stack, None
        if report["stack"] != pipeline["stack"]:
            raise ValueError(f"drift.json is of the stack {report['stack']!r}")
    except ValueError as error:
        return {**stack, "status": FAILED, "message": f"pipeline {name}: {error}"}, None
    except ClientError as error:
        if error_code(error) not in OF_THE_STACK:
            raise
        missing = error_code(error) == "PipelineNotFoundException"
        message = f"there is no pipeline {name}" if missing else explain(error, f"pipeline {name}")
        return {**stack, "status": NEVER if missing else FAILED, "message": message}, None
    old = managed_drift.made_at(report) < oldest
    message = f"what is known of {pipeline['stack']} is of {report['time']}" if old else ""
    known = {"time": report["time"], "commit": report["commit"], "applied": report.get("applied") is True}
    return {**stack, **known, "status": OLD if old else FRESH, "message": message}, report


def _newest(aws: Aws, name: str, stack: dict[str, Any]) -> dict[str, Any] | None:
    """What the newest ended run found; None where none has ended or it failed, which `stack` then says.

    Raises:
        ValueError: it cannot be read.
    """
    answer = aws.client("codepipeline").list_pipeline_executions(pipelineName=name, maxResults=50)
    for execution in answer["pipelineExecutionSummaries"]:  # newest first
        status, execution_id = execution["status"], execution["pipelineExecutionId"]
        if status in ("InProgress", "Stopping"):
            if stack["status"] == NEVER:
                running = f"pipeline {name}: execution {execution_id} is the first, and has not ended"
                stack.update(status=RUNNING, message=running, execution_id=execution_id)
        elif status != "Superseded":  # by a newer one, before it began
            stack["execution_id"] = execution_id
            actions = aws.pages(
                "codepipeline",
                "list_action_executions",
                "actionExecutionDetails",
                pipelineName=name,
                filter={"pipelineExecutionId": execution_id},
            )
            if status == "Succeeded":
                return _read(aws, actions)
            stack.update(status=FAILED, message=f"pipeline {name}: execution {execution_id} is {status}{_why(actions)}")
            return None
    return None


def _why(actions: list[dict[str, Any]]) -> str:
    """What the actions that failed say."""
    texts = []
    for action in actions:
        result = action.get("output", {}).get("executionResult", {})
        if action["status"] == "Failed":
            text = result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary") or "failed"
            texts.append(f"; {action['actionName']}: {text} {result.get('externalExecutionUrl', '')}".rstrip())
    return "".join(texts)


def _read(aws: Aws, actions: list[dict[str, Any]]) -> dict[str, Any]:
    """The report among the artifacts of an execution's actions. Raises ValueError where there is none."""
    artifacts = [one for action in actions for one in action.get("output", {}).get("outputArtifacts", [])]
    place = next((one["s3location"] for one in artifacts if one["name"] == ARTIFACT), None)
    if place is None:
        raise ValueError(f"its newest run has no artifact {ARTIFACT}")
    answer = aws.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])
    if answer["ContentLength"] > LARGEST:
        raise ValueError("its artifact is too large")
    try:
        with zipfile.ZipFile(io.BytesIO(answer["Body"].read())) as archive:
            if archive.getinfo(FILE).file_size > LARGEST:
                raise ValueError(f"{FILE} is too large")
            text = archive.read(FILE)
    except (KeyError, zipfile.BadZipFile):
        raise ValueError(f"its artifact holds no {FILE}") from None
    return managed_drift.parse(text)
