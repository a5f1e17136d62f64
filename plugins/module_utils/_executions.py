# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Executions of pipelines: starting, stopping, retrying, rolling back, looking."""

from __future__ import annotations

import time
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, error_code, explain
from ansible_collections.gitops.aws.plugins.module_utils._builds import new_log_lines
from ansible_collections.gitops.aws.plugins.module_utils._engine import as_text
from ansible_collections.gitops.aws.plugins.module_utils._names import empty_problems
from ansible_collections.gitops.aws.plugins.module_utils._outcomes import ENDED, failures
from ansible_collections.gitops.aws.plugins.module_utils._waiters import GRACE, time_problems, wait

ARGUMENTS: dict[str, Any] = {
    "pipeline": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped", "retried", "rolled_back"], "default": "started"},
    "execution_id": {"type": "str"},
    "variables": {"type": "dict"},
    "source_revisions": {
        "type": "list",
        "elements": "dict",
        "options": {
            "action_name": {"type": "str", "required": True},
            "revision_type": {
                "type": "str",
                "choices": ["COMMIT_ID", "IMAGE_DIGEST", "S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"],
                "required": True,
            },
            "revision_value": {"type": "str", "required": True},
        },
    },
    "client_request_token": {"type": "str", "no_log": False},
    "stage": {"type": "str"},
    "retry_mode": {"type": "str", "choices": ["FAILED_ACTIONS", "ALL_ACTIONS"]},
    "target_execution_id": {"type": "str"},
    "reason": {"type": "str"},
    "abandon": {"type": "bool"},
    "wait": {"type": "bool", "default": True},
    "wait_for_approval": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 3600},
    "poll_interval": {"type": "int", "default": 3},
    "log_cursors": {"type": "dict", "default": {}, "no_log": False},
}

# Which options belong to which state only; an option that another state would not look at is a mistake.
OF_STATES = {
    "variables": ("started",),
    "source_revisions": ("started",),
    "client_request_token": ("started",),
    "stage": ("retried", "rolled_back"),
    "retry_mode": ("retried",),
    "target_execution_id": ("rolled_back",),
    "reason": ("stopped",),
    "abandon": ("stopped",),
}

LONGEST_REASON = 200

# What the module returns of an execution that there is none of.
NOTHING_SEEN: dict[str, Any] = {"log_lines": [], "log_cursors": {}}


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments of codepipeline_execution, found without a call."""
    state, given = params["state"], [name for name in OF_STATES if params[name] is not None]
    found = [
        *empty_problems(params, ("execution_id", "target_execution_id", "stage", "client_request_token")),
        *time_problems(params),
        *(
            f"{name}: it is for state={' and state='.join(OF_STATES[name])}, and state is {state}"
            for name in given
            if state not in OF_STATES[name]
        ),
        *(
            f"variables.{name}: {'null' if value is None else 'an empty text'} is not allowed, it must be a text"
            for name, value in (params["variables"] or {}).items()
            if value in (None, "")
        ),
    ]
    if state == "started" and params["execution_id"]:
        found += [
            f"{name}: it is for an execution that is started, and with execution_id one that is there already is "
            "followed"
            for name in given
            if state in OF_STATES[name]
        ]
    if state == "rolled_back" and params["execution_id"]:
        found.append(
            "execution_id: a rollback is an execution of its own. To choose the one to go back to, use "
            "target_execution_id"
        )
    if len(params["reason"] or "") > LONGEST_REASON:
        found.append(f"reason: it has {len(params['reason'])} characters, at most {LONGEST_REASON} are allowed")
    return found


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that codepipeline_execution does; returns its result. Raises Refused, and the errors of calls."""
    changed, execution_id, what = change(aws, params)
    if aws.check_mode and changed:
        seen = {"execution": look(aws, params["pipeline"], execution_id)} if execution_id else {}
        return {"changed": True, "msg": f"It would {what}", **seen, **NOTHING_SEEN}
    try:
        execution = until_it_shows(aws, execution_id, params) if changed and params["state"] != "stopped" else None
        result = follow(aws, execution_id, params, execution)
    except (ClientError, BotoCoreError, Refused) as error:
        if not changed:
            raise
        return {"failed": True, "changed": True, **unseen(error, execution_id, params), **NOTHING_SEEN}
    execution, result["changed"] = result["execution"], changed
    if params["wait"] and not ended(execution, params["wait_for_approval"]):
        result.update(failed=True, msg=late(execution, params["wait_timeout"]))
    elif params["wait"] and params["state"] != "stopped" and failure(execution):
        result.update(failed=True, msg=failure(execution))
    return result


def change(aws: Aws, params: dict[str, Any]) -> tuple[bool, str, str]:
    """Does what the arguments say; in check mode it only finds out what that is.

    Returns:
        whether there was something to do; the id of the execution to follow, '' where check mode can know none; and
        what was to do, in words that follow `would`.
    """
    pipeline, state, execution_id = params["pipeline"], params["state"], params["execution_id"]
    if execution_id == "latest":
        execution_id = latest(aws, pipeline)
        if execution_id is None:
            raise Refused("it never ran. Fix: leave execution_id out to start it")
    if state == "stopped":
        changed = stop(aws, pipeline, execution_id, params["reason"], bool(params["abandon"]))
        return changed, execution_id, f"stop the execution {execution_id}"
    if state == "retried":
        stage = retryable(aws, pipeline, execution_id, params["stage"])
        if not aws.check_mode:
            retry(aws, pipeline, execution_id, stage, params["retry_mode"] or "FAILED_ACTIONS")
        return True, execution_id, f"run the stage {stage} of the execution {execution_id} again"
    if state == "rolled_back":
        stage = params["stage"]
        target, already = rollback_target(aws, pipeline, stage, params["target_execution_id"])
        if not already and not aws.check_mode:
            execution_id = roll_back(aws, pipeline, stage, target)
        what = f"run the stage {stage} with what the execution {target} brought there"
        return not already, already or execution_id or "", what
    if execution_id:
        return False, execution_id, ""
    if aws.check_mode:
        aws.client("codepipeline").get_pipeline(name=pipeline)  # there must be one
    else:
        token, revisions = params["client_request_token"], params["source_revisions"]
        execution_id = start(aws, pipeline, params["variables"] or {}, token, revisions)
    return True, execution_id or "", "start an execution"


def until_it_shows(aws: Aws, execution_id: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """The first look that tells of what was just done; None where none did for GRACE seconds.

    AWS may not know an execution yet that it has started, and of a stage that runs again it may still tell how it ended
    the last time. (An execution that has failed again so soon is found to have failed after that time.)
    """
    old = ("Failed", "Stopped", "Cancelled") if params["state"] == "retried" else ()
    for _second in range(GRACE):
        try:
            execution = look(aws, params["pipeline"], execution_id)
        except ClientError as error:
            if error_code(error) != "PipelineExecutionNotFoundException":
                raise
        else:
            if execution["status"] not in old:
                return execution
        time.sleep(1)
    return None


DONE = {
    "started": "was started and goes on",
    "stopped": "is being stopped",
    "retried": "was started again and goes on",
    "rolled_back": "was started for the rollback and goes on",
}


def unseen(error: Exception, execution_id: str, params: dict[str, Any]) -> dict[str, Any]:
    """What is known of an execution after something was done to it, when it could not be looked at."""
    pipeline, follows = params["pipeline"], f"execution_id={execution_id} follows it"
    what = f"pipeline {pipeline}: execution {execution_id} {DONE[params['state']]} ({follows}), but a look at it failed"
    return {"msg": explain(error, what), "execution": {"id": execution_id, "pipeline": pipeline}}


def follow(
    aws: Aws, execution_id: str, params: dict[str, Any], execution: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The execution as it is at its end (or where it waits for approval, or now, as the arguments say), with the log
    lines of its builds since `log_cursors`. `execution` is a look at it from just now."""
    pipeline = params["pipeline"]
    if params["wait"] and params["wait_for_approval"]:
        timeout, names = params["wait_timeout"], {"pipelineName": pipeline, "pipelineExecutionId": execution_id}
        wait(aws.client("codepipeline"), "execution_ended", timeout, params["poll_interval"], **names)
    if params["wait"] or execution is None:
        execution = look(aws, pipeline, execution_id)
    if params["wait"] and not params["wait_for_approval"]:
        # No single operation tells of both an approval and the end.
        deadline = time.monotonic() + params["wait_timeout"]
        while not ended(execution, False) and time.monotonic() <= deadline:
            time.sleep(params["poll_interval"])
            execution = look(aws, pipeline, execution_id)
    builds = [action["build_id"] for stage in execution["stages"] for action in stage["actions"]]
    lines, cursors = new_log_lines(aws, [build for build in builds if build], params["log_cursors"])
    return {"execution": execution, "log_lines": lines, "log_cursors": cursors}


# What is done to executions


def start(
    aws: Aws,
    pipeline: str,
    variables: dict[str, Any],
    token: str | None,
    source_revisions: list[dict[str, str]] | None = None,
) -> str:
    """Starts an execution (StartPipelineExecution) and returns its id."""
    arguments: dict[str, Any] = {"name": pipeline}
    if variables:
        arguments["variables"] = [{"name": name, "value": as_text(value)} for name, value in sorted(variables.items())]
    if source_revisions:
        arguments["sourceRevisions"] = [
            {
                "actionName": each["action_name"],
                "revisionType": each["revision_type"],
                "revisionValue": each["revision_value"],
            }
            for each in source_revisions
        ]
    if token:
        arguments["clientRequestToken"] = token
    return aws.client("codepipeline").start_pipeline_execution(**arguments)["pipelineExecutionId"]


def stop(aws: Aws, pipeline: str, execution_id: str, reason: str | None, abandon: bool) -> bool:
    """Stops an execution (StopPipelineExecution); whether there was something to stop. In check mode whether there is.

    Without `abandon` the actions that run come to their end first.
    """
    status = read(aws, pipeline, execution_id)["status"]
    if status in ENDED or (status == "Stopping" and not abandon):
        return False
    if aws.check_mode:
        return True
    more = {"reason": reason} if reason else {}
    try:
        aws.client("codepipeline").stop_pipeline_execution(
            pipelineName=pipeline, pipelineExecutionId=execution_id, abandon=abandon, **more
        )
    except ClientError as error:
        # It ended, or somebody else stopped it, since it was read.
        if error_code(error) in ("PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"):
            return False
        raise
    return True


def retry(aws: Aws, pipeline: str, execution_id: str, stage: str, mode: str) -> None:
    """Runs a stage of an execution again (RetryStageExecution), FAILED_ACTIONS or ALL_ACTIONS of it."""
    aws.client("codepipeline").retry_stage_execution(
        pipelineName=pipeline, pipelineExecutionId=execution_id, stageName=stage, retryMode=mode
    )


def retryable(aws: Aws, pipeline: str, execution_id: str, stage: str | None) -> str:
    """The stage of an execution that can be retried: the one that is named, or else the one that failed.

    Raises:
        Refused: there is no such stage, or it did not fail.
    """
    statuses, elsewhere = stage_statuses(aws, pipeline, execution_id)
    failed = [name for name, status in statuses.items() if status in ("Failed", "Stopped", "Cancelled")]
    if stage is None and failed:
        return failed[-1]
    if stage in failed:
        return stage
    nothing = "Nothing was retried. Fix: "
    if stage is None:
        now = ", ".join(f"{name} is {status}" for name, status in statuses.items()) or "it is in none now"
        raise Refused(
            f"execution {execution_id} has no stage that failed ({now}). {nothing}start the pipeline anew, or name "
            "another execution"
        )
    if stage in statuses:
        raise Refused(
            f"stage {stage} of execution {execution_id} is {statuses[stage]}; only a stage that failed or was stopped "
            f"can be retried. {nothing}"
            + (f"name one of {', '.join(failed)}" if failed else "wait for its end, or start the pipeline anew")
        )
    if stage in elsewhere:
        now = f"the last one there is {elsewhere[stage]}" if elsewhere[stage] else "no execution was there yet"
        raise Refused(
            f"stage {stage} is not where execution {execution_id} was last: {now}. "
            f"{nothing}name the execution that failed there"
        )
    raise Refused(f"there is no stage {stage}. {nothing}name one of {', '.join([*statuses, *elsewhere])}")


def stage_statuses(aws: Aws, pipeline: str, execution_id: str) -> tuple[dict[str, str], dict[str, str]]:
    """How an execution fared in its stages.

    Returns:
        status by stage, of the stages where the execution is the last one that was there, in the pipeline's order; and
        of the other stages the execution that was there last, '' for none.
    """
    execution = look(aws, pipeline, execution_id)
    if execution["mode"] == "PARALLEL":
        # A stage has many executions then, and its state tells of one only.
        statuses = {stage["name"]: _of_actions(stage["actions"]) for stage in execution["stages"] if stage["actions"]}
        return statuses, {stage["name"]: "" for stage in execution["stages"] if not stage["actions"]}
    mine, elsewhere = {}, {}
    for stage in stage_states(aws, pipeline):
        last = stage.get("latestExecution", {})
        if last.get("pipelineExecutionId") == execution_id:
            mine[stage["stageName"]] = last["status"]
        else:
            elsewhere[stage["stageName"]] = last.get("pipelineExecutionId", "")
    return mine, elsewhere


def _of_actions(actions: list[dict[str, Any]]) -> str:
    """The status of a stage, by that of its actions."""
    statuses = {action["status"] for action in actions}
    for word, stage in (("Failed", "Failed"), ("Abandoned", "Stopped"), ("InProgress", "InProgress")):
        if word in statuses:
            return stage
    return "Succeeded"


def roll_back(aws: Aws, pipeline: str, stage: str, target: str) -> str:
    """Runs a stage again with what an earlier execution brought there (RollbackStage); the new execution's id."""
    answer = aws.client("codepipeline").rollback_stage(
        pipelineName=pipeline, stageName=stage, targetPipelineExecutionId=target
    )
    return answer["pipelineExecutionId"]


def rollback_target(aws: Aws, pipeline: str, stage: str, wanted: str | None) -> tuple[str, str | None]:
    """The execution to which a stage can go back.

    Args:
        aws: the connection.
        pipeline: its name.
        stage: its name.
        wanted: the execution to go back to; None for the newest one that succeeded in the stage before the one whose
            work is there now.

    Returns:
        the execution's id; and the id of the execution by which the stage has got there already, or gets there now.

    Raises:
        Refused: there is no such stage, or no such execution.
    """
    states = {state["stageName"]: state for state in stage_states(aws, pipeline)}
    if stage not in states:
        raise Refused(f"there is no stage {stage}. Fix: name one of {', '.join(states)}")
    now = states[stage].get("latestExecution")
    if not now:
        raise Refused(f"stage {stage} never ran: there is nothing to roll back")
    there = rolled_back_to(read(aws, pipeline, now["pipelineExecutionId"])) or now["pipelineExecutionId"]
    if wanted:
        same = there == wanted and now["status"] in ("Succeeded", "InProgress")
        return wanted, now["pipelineExecutionId"] if same else None
    succeeded = [
        each["pipelineExecutionId"]
        for each in aws.pages(
            "codepipeline",
            "list_pipeline_executions",
            "pipelineExecutionSummaries",
            pipelineName=pipeline,
            filter={"succeededInStage": {"stageName": stage}},
        )
        if each.get("executionType") != "ROLLBACK"  # AWS refuses these
    ]
    # Newest first. Where the execution that is there now did not succeed, all that did were before it.
    earlier = succeeded[succeeded.index(there) + 1 :] if there in succeeded else succeeded
    if not earlier:
        raise Refused(f"no execution before {there} succeeded in stage {stage}: there is nothing to go back to")
    return earlier[0], None


def rolled_back_to(execution: dict[str, Any]) -> str:
    """The execution whose work a rollback brings back, '' where an execution is none."""
    return execution.get("rollbackMetadata", {}).get("rollbackTargetPipelineExecutionId", "")


# Looking


def read(aws: Aws, pipeline: str, execution_id: str) -> dict[str, Any]:
    """An execution as GetPipelineExecution answers it."""
    client = aws.client("codepipeline")
    answer = client.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution_id)
    return answer["pipelineExecution"]


def stage_states(aws: Aws, pipeline: str) -> list[dict[str, Any]]:
    """The state of a pipeline's stages in their order, as GetPipelineState answers it."""
    return aws.client("codepipeline").get_pipeline_state(name=pipeline)["stageStates"]


def latest(aws: Aws, pipeline: str) -> str | None:
    """The id of the newest execution, None where there is none yet."""
    answer = aws.client("codepipeline").list_pipeline_executions(pipelineName=pipeline, maxResults=1)
    found = answer["pipelineExecutionSummaries"]
    return found[0]["pipelineExecutionId"] if found else None


def look(aws: Aws, pipeline: str, execution_id: str) -> dict[str, Any]:
    """An execution as it is now.

    Returns:
        id, pipeline, status, status_summary, mode, rolled_back_to, source_revisions.
        stages in the pipeline's order, each with its name and actions: name, status, summary, build_id (of a
        CodeBuild action), url, output_variables.
        waiting_for_approvals: stage, action and message of each approval that it waits for.
        waiting_for_approval: the first of them, or None.
    """
    client = aws.client("codepipeline")
    execution = read(aws, pipeline, execution_id)
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
    waiting = []
    for stage in definition["stages"]:
        actions = []
        for action in stage["actions"]:
            detail = by_action.get((stage["name"], action["name"]))
            if detail is None:
                continue
            actions.append(action_of(detail, action["actionTypeId"]["provider"]))
            if action["actionTypeId"]["category"] == "Approval" and detail["status"] == "InProgress":
                message = detail.get("input", {}).get("resolvedConfiguration", {}).get("CustomData", "")
                waiting.append({"stage": stage["name"], "action": action["name"], "message": message})
        stages.append({"name": stage["name"], "actions": actions})
    return {
        "id": execution_id,
        "pipeline": pipeline,
        "status": execution["status"],
        "status_summary": execution.get("statusSummary", ""),
        "mode": execution.get("executionMode", ""),
        "rolled_back_to": rolled_back_to(execution),
        "source_revisions": [
            {
                "name": each.get("name", ""),
                "revision_id": each.get("revisionId", ""),
                "summary": each.get("revisionSummary", ""),
            }
            for each in execution.get("artifactRevisions", [])
        ],
        "stages": stages,
        "waiting_for_approvals": waiting,
        "waiting_for_approval": waiting[0] if waiting else None,
    }


def action_of(detail: dict[str, Any], provider: str) -> dict[str, Any]:
    """An action of a look, from what ListActionExecutions says of it."""
    output = detail.get("output", {})
    result = output.get("executionResult", {})
    error = result.get("errorDetails") or {}
    return {
        "name": detail["actionName"],
        "status": detail["status"],
        "summary": result.get("externalExecutionSummary") or error.get("message") or "",
        "build_id": result.get("externalExecutionId", "") if provider == "CodeBuild" else "",
        "url": result.get("externalExecutionUrl", ""),
        "output_variables": output.get("outputVariables", {}),
    }


def ended(execution: dict[str, Any], wait_for_approval: bool = True) -> bool:
    """Whether there is nothing more to wait for."""
    return execution["status"] in ENDED or (not wait_for_approval and execution["waiting_for_approval"] is not None)


def failure(execution: dict[str, Any]) -> str | None:
    """Why an execution did not succeed, in one line; None where it did, or runs."""
    if execution["status"] not in ENDED or execution["status"] == "Succeeded":
        return None
    what = f"pipeline {execution['pipeline']}: execution {execution['id']} is {execution['status']}"
    return "; ".join([what, *failures(execution)])


def late(execution: dict[str, Any], seconds: Any) -> str:
    """That an execution had not ended when the time was over."""
    return (
        f"pipeline {execution['pipeline']}: execution {execution['id']} is {execution['status']} after {seconds} s. "
        "It goes on"
    )
