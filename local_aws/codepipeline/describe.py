# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelines and executions in the shapes that CodePipeline answers with."""

from __future__ import annotations

from typing import Any

from local_aws.codepipeline import stage_conditions
from local_aws.codepipeline.model import ActionRun, ConditionRun, Execution, Pipeline, RuleRun


def pipeline_summary(pipeline: Pipeline) -> dict[str, Any]:
    """PipelineSummary."""
    declaration = pipeline.declaration
    return {
        "name": pipeline.name,
        "version": declaration["version"],
        "created": pipeline.created,
        "updated": pipeline.updated,
        "pipelineType": declaration["pipelineType"],
        "executionMode": declaration["executionMode"],
    }


def execution(item: Execution) -> dict[str, Any]:
    """PipelineExecution."""
    return {
        "pipelineName": item.declaration["name"],
        "pipelineVersion": item.version,
        "pipelineExecutionId": item.id,
        "status": item.status,
        "statusSummary": item.status_summary,
        "artifactRevisions": list(item.revisions.values()),
        "variables": [{"name": name, "resolvedValue": value} for name, value in item.variables.items()],
        "trigger": _trigger(item),
        "executionMode": item.mode,
        "executionType": item.type,
        "rollbackMetadata": _rollback(item),
    }


def execution_summary(item: Execution) -> dict[str, Any]:
    """PipelineExecutionSummary."""
    return {
        "pipelineExecutionId": item.id,
        "status": item.status,
        "statusSummary": item.status_summary,
        "startTime": item.started,
        "lastUpdateTime": item.updated,
        "trigger": _trigger(item),
        "sourceRevisions": list(item.revisions.values()),
        "executionMode": item.mode,
        "executionType": item.type,
        "rollbackMetadata": _rollback(item),
        "stopTrigger": {"reason": item.stop_reason} if item.stop_reason else None,
    }


def _trigger(item: Execution) -> dict[str, str]:
    return {"triggerType": item.trigger.type, "triggerDetail": item.trigger.detail}


def _rollback(item: Execution) -> dict[str, str] | None:
    return {"rollbackTargetPipelineExecutionId": item.rollback_target} if item.rollback_target else None


def action_execution(run: ActionRun, region: str) -> dict[str, Any]:
    """ActionExecutionDetail."""
    action = run.action
    return {
        "pipelineExecutionId": run.execution_id,
        "actionExecutionId": run.id,
        "pipelineVersion": run.pipeline_version,
        "stageName": run.stage,
        "actionName": run.name,
        "startTime": run.started,
        "lastUpdateTime": run.updated,
        "updatedBy": run.updated_by,
        "status": run.status,
        "input": {
            "actionTypeId": action["actionTypeId"],
            "configuration": action["configuration"],
            "resolvedConfiguration": run.configuration,
            "roleArn": action.get("roleArn"),
            "region": action.get("region", region),
            "namespace": action.get("namespace"),
            "inputArtifacts": [item.described() for item in run.inputs],
        },
        "output": {
            "outputArtifacts": [item.described() for item in run.outputs],
            "executionResult": {
                "externalExecutionId": run.external_id,
                "externalExecutionSummary": _summary(run),
                "externalExecutionUrl": run.external_url or run.revision_url,
                "errorDetails": run.error,
            },
            "outputVariables": run.variables,
        },
    }


def rule_execution(run: RuleRun, region: str) -> dict[str, Any]:
    """RuleExecutionDetail."""
    return {
        "pipelineExecutionId": run.execution_id,
        "ruleExecutionId": run.id,
        "pipelineVersion": run.pipeline_version,
        "stageName": run.stage,
        "ruleName": run.name,
        "startTime": run.started,
        "lastUpdateTime": run.updated,
        "status": run.status,
        "input": {
            "ruleTypeId": run.rule["ruleTypeId"],
            "configuration": run.rule.get("configuration", {}),
            "resolvedConfiguration": run.configuration,
            "roleArn": run.rule.get("roleArn"),
            "region": run.rule.get("region", region),
            "inputArtifacts": [item.described() for item in run.inputs],
        },
        "output": {"executionResult": {"externalExecutionSummary": run.summary, "errorDetails": run.error}},
    }


def _summary(run: ActionRun) -> str | None:
    if run.revision is not None:
        return str(run.revision["revisionSummary"])
    return run.summary


def state(pipeline: Pipeline) -> dict[str, Any]:
    """GetPipelineStateOutput."""
    return {
        "pipelineName": pipeline.name,
        "pipelineVersion": pipeline.declaration["version"],
        "created": pipeline.created,
        "updated": pipeline.updated,
        "stageStates": [_stage_state(pipeline, stage) for stage in pipeline.declaration["stages"]],
    }


def _stage_state(pipeline: Pipeline, stage: dict[str, Any]) -> dict[str, Any]:
    name = stage["name"]
    transition = pipeline.transition(name)
    waiting = [
        {"pipelineExecutionId": item.id, "status": "InProgress", "type": item.type}
        for item in pipeline.waiting.get(name, [])
        if item.status != "Superseded"
    ]
    latest = pipeline.latest_in_stage.get(name)
    retried = latest is not None and (name in latest.retries or name in latest.automatic_retries)
    return {
        "stageName": name,
        "inboundExecution": waiting[-1] if waiting else None,
        "inboundExecutions": waiting or None,
        "inboundTransitionState": {
            "enabled": transition.enabled,
            "lastChangedBy": transition.changed_by,
            "lastChangedAt": transition.changed_at,
            "disabledReason": transition.reason,
        },
        "actionStates": [_action_state(pipeline, name, action) for action in stage["actions"]],
        "latestExecution": {
            "pipelineExecutionId": latest.id,
            "status": latest.stage_status.get(name, "InProgress"),
            "type": latest.type,
        }
        if latest
        else None,
        **{
            f"{place}ConditionState": _condition_state(condition, pipeline.conditions.get((name, place)))
            for place in stage_conditions.PLACES
            if (condition := stage_conditions.of(stage, place)) is not None
        },
        "retryStageMetadata": {
            "autoStageRetryAttempt": latest.automatic_retries.get(name),
            "manualStageRetryAttempt": latest.retries.get(name),
            "latestRetryTrigger": "ManualStageRetry" if latest.retries.get(name) else "AutomatedStageRetry",
        }
        if latest is not None and retried
        else None,
    }


def _action_state(pipeline: Pipeline, stage: str, action: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"actionName": action["name"]}
    run = next((item for item in reversed(pipeline.runs) if (item.stage, item.name) == (stage, action["name"])), None)
    if run is None:
        return found
    execution = pipeline.execution(run.execution_id)
    parallel = execution is not None and execution.mode == "PARALLEL"
    # Of executions beside each other, ListActionExecutions alone gives an approval's token, as its external id.
    secret = parallel and action["actionTypeId"]["category"] == "Approval"
    found["latestExecution"] = {
        "actionExecutionId": run.id,
        "status": run.status,
        "summary": _summary(run),
        "lastStatusChange": run.updated,
        "token": None if secret else run.token,
        "lastUpdatedBy": run.updated_by,
        "externalExecutionId": None if secret else run.external_id,
        "externalExecutionUrl": run.external_url,
        "errorDetails": run.error,
    }
    found["entityUrl"], found["revisionUrl"] = run.entity_url, run.revision_url
    if run.revision is not None:
        found["currentRevision"] = {
            "revisionId": run.revision["revisionId"],
            "created": run.revision["created"],
            "revisionChangeId": run.revision["revisionId"][:100],
        }
    return found


def _condition_state(declared: dict[str, Any], run: ConditionRun | None) -> dict[str, Any]:
    """StageConditionState. A place has room for one condition, so its state is that of the condition."""
    runs = {item.name: item for item in run.rules} if run is not None else {}
    execution = {"status": run.status, "summary": run.summary} if run is not None else {}
    return {
        "latestExecution": execution or None,
        "conditionStates": [
            {
                "latestExecution": execution | {"lastStatusChange": run.updated} if run is not None else None,
                "ruleStates": [_rule_state(rule["name"], runs.get(rule["name"])) for rule in declared["rules"]],
            }
        ],
    }


def _rule_state(name: str, run: RuleRun | None) -> dict[str, Any]:
    if run is None:
        return {"ruleName": name}
    return {
        "ruleName": name,
        "latestExecution": {
            "ruleExecutionId": run.id,
            "status": run.status,
            "summary": run.summary,
            "lastStatusChange": run.updated,
            "errorDetails": run.error,
        },
    }
