# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves executions from stage to stage of their pipelines: one thread per execution."""

from __future__ import annotations

import logging
import threading
from typing import Any

from local_aws.aws_json import AwsError
from local_aws.codepipeline import conditions, notices, rollback, stages
from local_aws.codepipeline.model import RUNNING, Execution, Pipeline, Revision, Trigger, now

logger = logging.getLogger("local_aws")

MAX_QUEUED = 50
"""Executions that may wait in a pipeline of mode QUEUED or PARALLEL beside the running one."""


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
        only = stages.unfinished(execution, stage) if mode == "FAILED_ACTIONS" else None
        execution.retries[stage_name] = execution.retries.get(stage_name, 0) + 1
        _reopen(execution)
    _resume(pipeline, execution, stage, only)


def override(pipeline: Pipeline, execution: Execution, stage_name: str, place: str) -> None:
    """Let a stage's condition count as met, and go on from there. Raises AwsError as AWS does."""
    with pipeline.condition:
        stage = next(item for item in execution.stages if item["name"] == stage_name)
        if stage not in pipeline.declaration["stages"]:
            raise AwsError(
                "ConditionNotOverridableException",
                f"The condition of stage {stage_name} cannot be overridden: "
                "the pipeline's structure changed since the execution",
            )
        waiting = conditions.override(pipeline, execution, stage_name, place)
        if waiting:
            pipeline.condition.notify_all()
            return
        _reopen(execution)
    _resume(pipeline, execution, stage, set() if place == "onSuccess" else None)


def roll_back(pipeline: Pipeline, stage_name: str, target: Execution, by: str) -> Execution:
    """Start a rollback of a stage to an execution that succeeded in it. Raises AwsError as AWS does."""
    with pipeline.condition:
        execution = rollback.manual(pipeline, stage_name, target, by)
        _take_over(pipeline, execution, stage_name)
    _start_rollback(pipeline, execution, stage_name)
    return execution


def _take_over(pipeline: Pipeline, execution: Execution, stage: str) -> None:
    """Put a rollback into its free stage, with the lock held: it waits for no transition, and behind no one."""
    pipeline.executions.append(execution)
    pipeline.inside.setdefault(stage, []).append(execution)
    pipeline.latest_in_stage[stage] = execution


def _start_rollback(pipeline: Pipeline, execution: Execution, stage: str) -> None:
    notices.pipeline_changed(pipeline, execution, "STARTED")
    number = [item["name"] for item in execution.stages].index(stage)
    _spawn(pipeline, execution, number, None, entered=True)


def _reopen(execution: Execution) -> None:
    """Let an execution that ended run again, with the lock held."""
    execution.status, execution.status_summary, execution.updated = "InProgress", None, now()
    execution.stop_requested, execution.stop_reason = False, None
    execution.abandoned = threading.Event()
    execution.attempt += 1


def _resume(pipeline: Pipeline, execution: Execution, stage: dict[str, Any], only: set[str] | None) -> None:
    notices.pipeline_changed(pipeline, execution, "RESUMED")
    _spawn(pipeline, execution, execution.stages.index(stage), only)


def _spawn(
    pipeline: Pipeline, execution: Execution, first_stage: int, only: set[str] | None, *, entered: bool = False
) -> None:
    threading.Thread(
        target=_run,
        args=(pipeline, execution, first_stage, only, entered),
        daemon=True,
        name=f"pipeline-{pipeline.name}",
    ).start()


def _run(pipeline: Pipeline, execution: Execution, first_stage: int, only: set[str] | None, entered: bool) -> None:
    """Run an execution from a stage on; entered says that it is in that stage already."""
    status = "Succeeded"
    try:
        for stage in execution.stages[first_stage : first_stage + 1 if execution.type == "ROLLBACK" else None]:
            if not entered:
                status = _enter(pipeline, execution, stage["name"])
                if status != "Entered":
                    break
            status, roll_back = stages.run(pipeline, execution, stage, only)
            _leave(pipeline, execution, stage["name"], status, roll_back=roll_back)
            only, entered = None, False
            if status not in ("Succeeded", "Skipped"):
                break
        if status == "Skipped":  # only stages can end so
            status = "Succeeded"
    except Exception:
        logger.exception("pipeline %s, execution %s", pipeline.name, execution.id)
        status, execution.status_summary = "Failed", "An internal error occurred in local AWS; see its log."
    with pipeline.condition:
        execution.status, execution.updated = status, now()
        for inside in pipeline.inside.values():
            if execution in inside:
                inside.remove(execution)
        pipeline.condition.notify_all()
    notices.pipeline_changed(pipeline, execution, stages.EVENT_STATES[status])


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


def _leave(pipeline: Pipeline, execution: Execution, stage: str, status: str, *, roll_back: bool) -> None:
    """Leave a stage in a final state. If it is to be rolled back, the rollback is in it before anybody else."""
    with pipeline.condition:
        execution.stage_status[stage], execution.updated = status, now()
        pipeline.inside[stage].remove(execution)
        successor = rollback.automatic(pipeline, execution, stage) if roll_back else None
        if successor is not None:
            _take_over(pipeline, successor, stage)
        pipeline.condition.notify_all()
    notices.stage_changed(pipeline, execution, stage, stages.EVENT_STATES[status])
    if successor is not None:
        _start_rollback(pipeline, successor, stage)
