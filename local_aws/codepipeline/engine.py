# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves executions through the stages of their pipelines: one thread per execution, one per running action."""

from __future__ import annotations

import logging
import threading
from typing import Any

from botocore.exceptions import ClientError

from local_aws.aws_json import AwsError
from local_aws.codepipeline import actions, notices, variables
from local_aws.codepipeline.actions import ActionFailedError, Job
from local_aws.codepipeline.model import RUNNING, ActionRun, Execution, Pipeline, Revision, Trigger, now
from local_aws.codepipeline.roles import RoleSession

logger = logging.getLogger("local_aws")

MAX_QUEUED = 50
"""Executions that may wait in a pipeline of mode QUEUED or PARALLEL beside the running one."""
_EVENT_STATES = {
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "Stopped": "STOPPED",
    "Superseded": "SUPERSEDED",
    "Cancelled": "CANCELED",
    "Abandoned": "ABANDONED",
}


def start(
    pipeline: Pipeline,
    trigger: Trigger,
    given: dict[str, str] | None = None,
    overrides: dict[str, Revision] | None = None,
) -> Execution:
    """Start an execution. Raises AwsError ValidationException for a variable without a value, and the limit's code."""
    with pipeline.condition:
        declaration = pipeline.versions[pipeline.declaration["version"]]
        running = [item for item in pipeline.executions if item.status in RUNNING]
        if declaration["executionMode"] != "SUPERSEDED" and len(running) > MAX_QUEUED:
            raise AwsError(
                "ConcurrentPipelineExecutionsLimitExceededException",
                f"The pipeline has reached the limit of {MAX_QUEUED} concurrent executions",
            )
        execution = Execution(declaration, trigger, _variables(declaration, given or {}), overrides or {})
        execution.namespaces = {
            "variables": dict(execution.variables),
            "codepipeline": {"PipelineExecutionId": execution.id},
        }
        pipeline.executions.append(execution)
    notices.pipeline_changed(pipeline, execution, "STARTED")
    _spawn(pipeline, execution, 0, None)
    return execution


def _variables(declaration: dict[str, Any], given: dict[str, str]) -> dict[str, str]:
    declared = {item["name"]: item.get("defaultValue") for item in declaration.get("variables", [])}
    if unknown := sorted(set(given) - set(declared)):
        raise AwsError("ValidationException", f"The pipeline does not declare the variables {', '.join(unknown)}")
    values = declared | given
    if missing := sorted(name for name, value in values.items() if value is None):
        raise AwsError(
            "ValidationException",
            f"These pipeline variables have no default value and were not given one: {', '.join(missing)}",
        )
    return {name: str(value) for name, value in values.items()}


def stop(pipeline: Pipeline, execution: Execution, reason: str | None, *, abandon: bool) -> None:
    """Stop an execution: after its running actions, or now, when they are abandoned. Raises AwsError as AWS does."""
    with pipeline.condition:
        if execution.status not in RUNNING:
            raise AwsError(
                "PipelineExecutionNotStoppableException",
                f"The pipeline execution {execution.id} is already in the state {execution.status}",
            )
        if execution.stop_requested and not abandon:
            raise AwsError(
                "DuplicatedStopRequestException",
                "The pipeline execution is already in a Stopping state. "
                "You cannot ask to stop and wait again, but you can stop and abandon now.",
            )
        first = not execution.stop_requested
        execution.stop_requested, execution.status, execution.updated = True, "Stopping", now()
        execution.stop_reason = reason
        stopping = [name for name, status in execution.stage_status.items() if status == "InProgress"]
        for name in stopping:
            execution.stage_status[name] = "Stopping"
        dropped = [run for run in execution.runs if run.status == "InProgress"] if abandon else []
        for run in dropped:
            run.status, run.updated, run.token = "Abandoned", now(), None
    if first:
        notices.pipeline_changed(pipeline, execution, "STOPPING")
        for name in stopping:
            notices.stage_changed(pipeline, execution, name, "STOPPING")
    for run in dropped:
        notices.action_changed(pipeline, execution, run, "ABANDONED")
    with pipeline.condition:
        if abandon:
            execution.abandoned.set()
        pipeline.condition.notify_all()


def retry(pipeline: Pipeline, execution: Execution, stage_name: str, mode: str) -> None:
    """Run a failed stage again, FAILED_ACTIONS or ALL_ACTIONS of it. Raises AwsError as AWS does."""
    with pipeline.condition:
        stage = next(item for item in execution.stages if item["name"] == stage_name)
        current = next((item for item in pipeline.declaration["stages"] if item["name"] == stage_name), None)
        if execution.mode != "PARALLEL" and pipeline.latest_in_stage.get(stage_name) is not execution:
            raise AwsError(
                "NotLatestPipelineExecutionException",
                f"The pipeline execution {execution.id} is not the latest in stage {stage_name}",
            )
        if execution.status in RUNNING or execution.stage_status.get(stage_name) not in ("Failed", "Stopped"):
            raise AwsError(
                "StageNotRetryableException",
                f"Stage {stage_name} of the pipeline execution {execution.id} "
                "cannot be retried: it has no failed actions",
            )
        if current != stage:
            raise AwsError(
                "StageNotRetryableException",
                f"Stage {stage_name} cannot be retried: the pipeline's structure changed since the execution",
            )
        only = _unfinished(execution, stage) if mode == "FAILED_ACTIONS" else None
        execution.status, execution.status_summary, execution.updated = "InProgress", None, now()
        execution.stop_requested, execution.stop_reason = False, None
        execution.abandoned = threading.Event()
        execution.attempt += 1
        execution.retries[stage_name] = execution.retries.get(stage_name, 0) + 1
        number = execution.stages.index(stage)
    notices.pipeline_changed(pipeline, execution, "RESUMED")
    _spawn(pipeline, execution, number, only)


def _unfinished(execution: Execution, stage: dict[str, Any]) -> set[str]:
    """The actions of a stage whose latest run did not succeed, or that never ran."""
    latest = {run.name: run.status for run in execution.runs if run.stage == stage["name"]}
    return {action["name"] for action in stage["actions"] if latest.get(action["name"]) != "Succeeded"}


def _spawn(pipeline: Pipeline, execution: Execution, first_stage: int, only: set[str] | None) -> None:
    threading.Thread(
        target=_run, args=(pipeline, execution, first_stage, only), daemon=True, name=f"pipeline-{pipeline.name}"
    ).start()


def _run(pipeline: Pipeline, execution: Execution, first_stage: int, only: set[str] | None) -> None:
    status = "Succeeded"
    try:
        for stage in execution.stages[first_stage:]:
            status = _enter(pipeline, execution, stage["name"])
            if status != "Entered":
                break
            status = _stage(pipeline, execution, stage, only)
            only = None
            if status != "Succeeded":
                break
    except Exception:
        logger.exception("pipeline %s, execution %s", pipeline.name, execution.id)
        status, execution.status_summary = "Failed", "An internal error occurred in local AWS; see its log."
    with pipeline.condition:
        execution.status, execution.updated = status, now()
        for stages in pipeline.inside.values():
            if execution in stages:
                stages.remove(execution)
        pipeline.condition.notify_all()
    notices.pipeline_changed(pipeline, execution, _EVENT_STATES[status])


def _enter(pipeline: Pipeline, execution: Execution, stage: str) -> str:
    """Wait at the transition into a stage; "Entered", or the state in which the execution ends here."""
    with pipeline.condition:
        waiting = pipeline.waiting.setdefault(stage, [])
        if execution.mode == "SUPERSEDED":
            for older in waiting:
                older.status = "Superseded"
        waiting.append(execution)
        pipeline.condition.notify_all()
        try:
            while True:
                if execution.status == "Superseded":
                    return "Superseded"
                if execution.stop_requested:
                    return "Stopped"
                turn = execution.mode == "PARALLEL" or (
                    not pipeline.inside.get(stage)
                    and next(item for item in waiting if item.status != "Superseded") is execution
                )
                if turn and pipeline.transition(stage).enabled:
                    break
                pipeline.condition.wait()
        finally:
            waiting.remove(execution)
            pipeline.condition.notify_all()
        pipeline.inside.setdefault(stage, []).append(execution)
        pipeline.latest_in_stage[stage] = execution
        return "Entered"


def _stage(pipeline: Pipeline, execution: Execution, stage: dict[str, Any], only: set[str] | None) -> str:
    """Run a stage the execution has entered, and leave it; the state it ended in."""
    name = stage["name"]
    resumed = name in execution.stage_status
    execution.stage_status[name] = "InProgress"
    notices.stage_changed(pipeline, execution, name, "RESUMED" if resumed else "STARTED")
    status = _actions(pipeline, execution, stage, only)
    failure = stage.get("onFailure", {})
    if status == "Failed" and failure.get("result") == "RETRY" and not execution.automatic_retries.get(name):
        execution.automatic_retries[name] = 1
        again = (
            _unfinished(execution, stage)
            if failure.get("retryConfiguration", {}).get("retryMode", "ALL_ACTIONS") == "FAILED_ACTIONS"
            else None
        )
        status = _actions(pipeline, execution, stage, again)
    elif status == "Failed" and failure.get("result") == "ROLLBACK":
        execution.status_summary = "Rollback on failure is not part of local AWS; the stage stays failed."
    with pipeline.condition:
        execution.stage_status[name], execution.updated = status, now()
        pipeline.inside[name].remove(execution)
        pipeline.condition.notify_all()
    notices.stage_changed(pipeline, execution, name, _EVENT_STATES[status])
    return status


def _actions(pipeline: Pipeline, execution: Execution, stage: dict[str, Any], only: set[str] | None) -> str:
    """Run the actions of a stage by runOrder, those of one order at the same time."""
    if any("conditions" in stage.get(key, {}) for key in ("beforeEntry", "onSuccess", "onFailure")):
        execution.status_summary = f"Stage {stage['name']}: conditions are not part of local AWS"
        return "Failed"
    chosen = [action for action in stage["actions"] if only is None or action["name"] in only]
    for order in sorted({action["runOrder"] for action in chosen}):
        if execution.stop_requested:
            return "Stopped"
        group = [
            ActionRun(execution.id, execution.version, stage["name"], action)
            for action in chosen
            if action["runOrder"] == order
        ]
        with pipeline.condition:
            execution.runs.extend(group)
            pipeline.runs.extend(group)
        for run in group:
            threading.Thread(
                target=_action, args=(pipeline, execution, run), daemon=True, name=f"action-{run.name}"
            ).start()
        states = _ended(pipeline, group)
        if "Failed" in states:
            return "Failed"
        if "Abandoned" in states:
            return "Stopped"
    return "Stopped" if execution.stop_requested else "Succeeded"


def _ended(pipeline: Pipeline, runs: list[ActionRun]) -> set[str]:
    """Wait until no run is in progress; the states they ended in."""
    with pipeline.condition:
        pipeline.condition.wait_for(lambda: all(run.status != "InProgress" for run in runs))
        return {run.status for run in runs}


def _action(pipeline: Pipeline, execution: Execution, run: ActionRun) -> None:
    """Run one action to its end, and record the outcome unless it was abandoned meanwhile."""
    error: ActionFailedError | None = None
    try:
        run.inputs = [execution.artifacts[item["name"]] for item in run.action["inputArtifacts"]]
        run.configuration = {
            key: variables.resolve(text, execution.namespaces) for key, text in run.action["configuration"].items()
        }
        notices.action_changed(pipeline, execution, run, "STARTED")
        if run.action.get("region", pipeline.region) != pipeline.region:
            raise ActionFailedError("ConfigurationError", "Actions in another region are not part of local AWS")
        role = RoleSession(
            execution.declaration["roleArn"],
            pipeline.arn,
            pipeline.account_id,
            pipeline.region,
            execution.id,
            run.action.get("roleArn"),
        )
        actions.of(run.action).run(Job(pipeline, execution, run, role, lambda: _touch(pipeline, run)))
    except ActionFailedError as failure:
        error = failure
    except variables.UnresolvedError as reference:
        error = ActionFailedError(
            "InvalidVariableReference",
            "The action failed because either the variable reference is not valid or the "
            f"referenced variable has not yet been resolved. VariableReferenceText=[{reference}]",
        )
    except KeyError as missing:
        error = ActionFailedError("ConfigurationError", f"The input artifact {missing} was not produced")
    except AwsError as failure:
        error = ActionFailedError(
            "PermissionError" if failure.code.startswith(("Access", "InvalidStructure")) else failure.code,
            failure.message,
        )
    except ClientError as failure:
        answer = failure.response["Error"]
        error = ActionFailedError(
            "PermissionError" if answer["Code"].startswith("Access") else answer["Code"],
            answer.get("Message", str(failure)),
        )
    except Exception:
        logger.exception("pipeline %s, action %s", pipeline.name, run.name)
        error = ActionFailedError("InternalError", "An internal error occurred in local AWS; see its log.")
    with pipeline.condition:
        if run.status != "InProgress":
            return
        run.updated = now()
        if error is not None:
            run.error = {"code": error.code, "message": error.message[:5000]}
            run.outputs = []
        else:
            execution.artifacts.update({item.name: item for item in run.outputs})
            if namespace := run.action.get("namespace"):
                execution.namespaces[namespace] = dict(run.variables)
            if run.revision is not None:
                for item in run.outputs:
                    execution.revisions[item.name] = run.revision | {
                        "name": item.name,
                        "revisionUrl": run.revision_url,
                        "actionName": run.name,
                    }
    # The event goes out before the engine can move on, so that events keep AWS's order.
    status = "Failed" if error is not None else "Succeeded"
    notices.action_changed(pipeline, execution, run, _EVENT_STATES[status])
    with pipeline.condition:
        if run.status == "InProgress":
            run.status = status
        pipeline.condition.notify_all()


def _touch(pipeline: Pipeline, run: ActionRun) -> None:
    with pipeline.condition:
        run.updated = now()
        pipeline.condition.notify_all()
