# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Executions of pipelines: starting, looking at, reading the builds' logs as they come, approving."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, read_or_none

FINAL = ("Succeeded", "Failed", "Stopped", "Superseded", "Cancelled")


def start(aws: Aws, pipeline: str, variables: dict[str, str], token: str | None) -> str:
    """Starts an execution (StartPipelineExecution) and returns its id."""
    arguments: dict[str, Any] = {"name": pipeline}
    if variables:
        arguments["variables"] = [{"name": name, "value": str(value)} for name, value in sorted(variables.items())]
    if token:
        arguments["clientRequestToken"] = token
    return aws.client("codepipeline").start_pipeline_execution(**arguments)["pipelineExecutionId"]


def latest(aws: Aws, pipeline: str) -> str | None:
    """The id of the newest execution, None where there is none yet."""
    answer = aws.client("codepipeline").list_pipeline_executions(pipelineName=pipeline, maxResults=1)
    found = answer["pipelineExecutionSummaries"]
    return found[0]["pipelineExecutionId"] if found else None


def look(aws: Aws, pipeline: str, execution_id: str) -> dict[str, Any]:
    """An execution as it is now.

    Returns:
        id, pipeline, status, status_summary, source_revisions, and stages in the pipeline's order, each with its name
        and actions: name, status, summary, build_id (of a CodeBuild action), url, output_variables.
        waiting_for_approval: stage, action and message of the approval that it waits for, or None.
    """
    client = aws.client("codepipeline")
    execution = client.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution_id)
    execution = execution["pipelineExecution"]
    definition = client.get_pipeline(name=pipeline)["pipeline"]
    done = aws.pages(
        "codepipeline",
        "list_action_executions",
        "actionExecutionDetails",
        pipelineName=pipeline,
        filter={"pipelineExecutionId": execution_id},
    )
    # Newest first, so that of a retried action the last try stays.
    by_action: dict[tuple[str, str], dict[str, Any]] = {}
    for detail in done:
        by_action.setdefault((detail["stageName"], detail["actionName"]), detail)
    stages = []
    waiting = None
    for stage in definition["stages"]:
        actions = []
        for action in stage["actions"]:
            detail = by_action.get((stage["name"], action["name"]))
            if detail is None:
                continue
            entry = _action(action, detail)
            actions.append(entry)
            if action["actionTypeId"]["category"] == "Approval" and detail["status"] == "InProgress":
                message = detail.get("input", {}).get("resolvedConfiguration", {}).get("CustomData", "")
                waiting = {"stage": stage["name"], "action": action["name"], "message": message}
        stages.append({"name": stage["name"], "actions": actions})
    return {
        "id": execution_id,
        "pipeline": pipeline,
        "status": execution["status"],
        "status_summary": execution.get("statusSummary", ""),
        "source_revisions": [
            {
                "name": each.get("name", ""),
                "revision_id": each.get("revisionId", ""),
                "summary": each.get("revisionSummary", ""),
            }
            for each in execution.get("artifactRevisions", [])
        ],
        "stages": stages,
        "waiting_for_approval": waiting,
    }


def _action(action: dict[str, Any], detail: dict[str, Any]) -> dict[str, Any]:
    output = detail.get("output", {})
    result = output.get("executionResult", {})
    error = result.get("errorDetails") or {}
    build = action["actionTypeId"]["provider"] == "CodeBuild"
    return {
        "name": action["name"],
        "status": detail["status"],
        "summary": result.get("externalExecutionSummary") or error.get("message") or "",
        "build_id": result.get("externalExecutionId", "") if build else "",
        "url": result.get("externalExecutionUrl", ""),
        "output_variables": output.get("outputVariables", {}),
    }


def ended(execution: dict[str, Any], wait_for_approval: bool = True) -> bool:
    """Whether there is nothing more to wait for."""
    return execution["status"] in FINAL or (not wait_for_approval and execution["waiting_for_approval"] is not None)


def failure(execution: dict[str, Any]) -> str | None:
    """Why an execution did not succeed, in one line; None where it did, or runs."""
    if execution["status"] not in FINAL or execution["status"] == "Succeeded":
        return None
    text = f"pipeline {execution['pipeline']}: execution {execution['id']} is {execution['status']}"
    for stage in execution["stages"]:
        for action in stage["actions"]:
            if action["status"] in ("Failed", "Abandoned"):
                text += f"; {stage['name']}/{action['name']}: {action['summary'] or action['status']}"
    return text


def new_log_lines(
    aws: Aws, build_ids: list[str], cursors: dict[str, str]
) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The builds' log lines since the last look.

    Args:
        aws: the connection.
        build_ids: CodeBuild build ids; those unknown to CodeBuild are passed over.
        cursors: what this function returned the last time, {} at first.

    Returns:
        lines, each with build_id and text, in the order they were written; and the new cursors.
    """
    cursors = dict(cursors)
    lines: list[dict[str, str]] = []
    if not build_ids:
        return lines, cursors
    builds = aws.client("codebuild").batch_get_builds(ids=build_ids)["builds"]
    for build in builds:
        logs = build.get("logs", {})
        if not logs.get("groupName") or not logs.get("streamName"):
            continue
        while True:
            arguments = {
                "logGroupName": logs["groupName"],
                "logStreamName": logs["streamName"],
                "startFromHead": True,
            }
            if build["id"] in cursors:
                arguments["nextToken"] = cursors[build["id"]]
            answer = read_or_none(aws.client("logs").get_log_events, ("ResourceNotFoundException",), **arguments)
            if answer is None:
                break
            lines += [
                {"build_id": build["id"], "text": line}
                for event in answer["events"]
                for line in event["message"].rstrip("\n").split("\n")
            ]
            same = cursors.get(build["id"]) == answer["nextForwardToken"]
            cursors[build["id"]] = answer["nextForwardToken"]
            if same or not answer["events"]:
                break
    return lines, cursors


def answer_approval(aws: Aws, pipeline: str, execution_id: str, approve: bool, summary: str) -> dict[str, str]:
    """Approves or rejects the one approval that this execution waits for (PutApprovalResult).

    Raises:
        Refused: the execution waits for none, or another execution does.
    """
    client = aws.client("codepipeline")
    state = client.get_pipeline_state(name=pipeline)
    waiting = []
    for stage in state["stageStates"]:
        for action in stage.get("actionStates", []):
            latest_action = action.get("latestExecution", {})
            if latest_action.get("token") and latest_action.get("status") == "InProgress":
                waiting.append((stage, action["actionName"], latest_action["token"]))
    for stage, action_name, token in waiting:
        if stage.get("latestExecution", {}).get("pipelineExecutionId") != execution_id:
            continue
        if not aws.check_mode:
            client.put_approval_result(
                pipelineName=pipeline,
                stageName=stage["stageName"],
                actionName=action_name,
                result={"summary": summary, "status": "Approved" if approve else "Rejected"},
                token=token,
            )
        return {"stage": stage["stageName"], "action": action_name}
    others = [stage.get("latestExecution", {}).get("pipelineExecutionId", "?") for stage, _name, _token in waiting]
    raise Refused(
        f"pipeline {pipeline}: execution {execution_id} waits for no approval"
        + (f"; waiting is {', '.join(others)}" if others else "")
        + ". Nothing was approved. Fix: look at the execution that you mean, and name it"
    )
