# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluates the conditions of stages: all rules of a condition at the same time, one thread each."""

from __future__ import annotations

import threading
from typing import Any

from local_aws.aws_json import AwsError
from local_aws.codepipeline import actions, rules, stage_conditions
from local_aws.codepipeline.model import RUNNING, ConditionRun, Execution, Pipeline, RuleRun, now

MET = "MET"
STOPPED = "STOPPED"


def evaluate(pipeline: Pipeline, execution: Execution, stage: dict[str, Any], place: str) -> str:
    """Evaluate a stage's condition in one place.

    Answers MET, also where there is no condition, STOPPED when the execution was stopped meanwhile, or else the
    result that the condition declares.
    """
    declared = stage_conditions.of(stage, place)
    key = (stage["name"], place)
    earlier = execution.conditions.get(key)
    if declared is None or (earlier is not None and _settled(earlier, place)):
        return MET
    condition = ConditionRun(
        declared["result"],
        [RuleRun(execution.id, execution.version, stage["name"], rule) for rule in declared["rules"]],
    )
    with pipeline.condition:
        execution.conditions[key] = pipeline.conditions[key] = condition
        pipeline.rule_runs.extend(condition.rules)
        pipeline.condition.notify_all()
    for run in condition.rules:
        threading.Thread(target=_rule, args=(pipeline, execution, run), daemon=True, name=f"rule-{run.name}").start()
    with pipeline.condition:
        pipeline.condition.wait_for(
            lambda: execution.stop_requested or condition.status != "InProgress" or _decided(condition)
        )
        outcome = _outcome(execution, condition)
        if outcome not in (MET, STOPPED, "SKIP"):
            execution.status_summary = f"The {place} condition of stage {stage['name']} failed: {condition.summary}"
        pipeline.condition.notify_all()
    return outcome


def override(pipeline: Pipeline, execution: Execution, stage_name: str, place: str) -> bool:
    """Let a condition count as met, with the lock held; True when the execution was waiting for it and goes on.

    Raises AwsError as OverrideStageCondition does.
    """
    if execution.mode != "PARALLEL" and pipeline.latest_in_stage.get(stage_name) is not execution:
        raise AwsError(
            "NotLatestPipelineExecutionException",
            f"The pipeline execution {execution.id} is not the latest in stage {stage_name}",
        )
    condition = execution.conditions.get((stage_name, place))
    if condition is None or condition.result == "SKIP" or condition.status not in ("InProgress", "Failed", "Errored"):
        raise AwsError(
            "ConditionNotOverridableException",
            f"The {place} condition of stage {stage_name} in the pipeline execution {execution.id} "
            "cannot be overridden: it has not failed, or its result is SKIP",
        )
    waiting = condition.status == "InProgress"
    if not waiting and execution.status in RUNNING:
        raise AwsError("ConflictException", f"The pipeline execution {execution.id} is still running")
    condition.close("Overridden")
    return waiting


def _settled(condition: ConditionRun, place: str) -> bool:
    """Whether an evaluation holds for a retry, too: a person's word does, and what let the execution in."""
    return condition.status == "Overridden" or (place == "beforeEntry" and condition.status == "Succeeded")


def _decided(condition: ConditionRun) -> bool:
    states = [run.status for run in condition.rules]
    return "Failed" in states or "InProgress" not in states


def _outcome(execution: Execution, condition: ConditionRun) -> str:
    """Close an evaluation, with the lock held."""
    if condition.status == "Overridden":
        return MET
    failed = [run for run in condition.rules if run.status == "Failed"]
    if not failed and not _decided(condition):
        condition.close("Abandoned" if execution.abandoned.is_set() else "Cancelled")
        return STOPPED
    if failed:
        condition.close(
            "Errored" if any(run.error for run in failed) else "Failed",
            "; ".join(f"{run.name}: {run.error['message'] if run.error else run.summary}" for run in failed)[:2048],
        )
        return condition.result
    condition.close("Succeeded")
    return MET


def _rule(pipeline: Pipeline, execution: Execution, run: RuleRun) -> None:
    """Run one rule to its end, and record the outcome unless it was abandoned meanwhile."""
    status, summary, error = "Failed", None, None
    try:
        run.inputs, run.configuration = actions.prepared(execution, run.rule)
        if wrong := stage_conditions.invalid(run.rule["ruleTypeId"]["provider"], run.configuration):
            raise actions.ActionFailedError("ConfigurationError", wrong)
        role = actions.role_of(pipeline, execution, run.rule)
        summary = rules.of(run.rule).run(rules.RuleJob(pipeline, run, role))
        status = "Succeeded"
    except rules.RuleFailedError as failure:
        summary = str(failure)
    except Exception as failure:
        error = actions.worded(failure)
    with pipeline.condition:
        if run.status == "InProgress":
            run.status, run.summary, run.updated = status, summary, now()
            run.error = {"code": error.code, "message": error.message[:5000]} if error else None
        pipeline.condition.notify_all()
