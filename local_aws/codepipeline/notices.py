# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State changes of pipelines, stages and actions, as CodePipeline sends them to EventBridge."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from local_aws import events
from local_aws.codepipeline.model import ActionRun, Execution, Pipeline

_SOURCE = "aws.codepipeline"


def pipeline_changed(pipeline: Pipeline, execution: Execution, state: str) -> None:
    """state is STARTED, RESUMED, STOPPING, STOPPED, SUCCEEDED, FAILED, SUPERSEDED or CANCELED."""
    detail = _common(pipeline, execution) | {
        "start-time": _time(execution.started),
        "state": state,
        "execution-trigger": {"trigger-type": execution.trigger.type, "trigger-detail": execution.trigger.detail},
    }
    _publish(pipeline, "CodePipeline Pipeline Execution State Change", detail)


def stage_changed(pipeline: Pipeline, execution: Execution, stage: str, state: str) -> None:
    """state is STARTED, RESUMED, STOPPING, STOPPED, SUCCEEDED, FAILED, SKIPPED or CANCELED."""
    detail = _common(pipeline, execution) | {"start-time": _time(execution.started), "stage": stage, "state": state}
    _publish(pipeline, "CodePipeline Stage Execution State Change", detail)


def action_changed(pipeline: Pipeline, execution: Execution, run: ActionRun, state: str) -> None:
    """state is STARTED, SUCCEEDED, FAILED or ABANDONED."""
    kind = run.action["actionTypeId"]
    detail = _common(pipeline, execution) | {
        "start-time": _time(run.started),
        "stage": run.stage,
        "action": run.name,
        "action-execution-id": run.id,
        "region": pipeline.region,
        "state": state,
        "type": {key: kind[key] for key in ("owner", "provider", "category", "version")},
        "input-artifacts": [item.described() for item in run.inputs],
    }
    if state != "STARTED":
        detail["output-artifacts"] = [item.described() for item in run.outputs]
        result = {
            "external-execution-url": run.external_url,
            "external-execution-summary": run.summary,
            "external-execution-id": run.external_id,
            "error-code": run.error["code"] if run.error else None,
        }
        detail["execution-result"] = {key: value for key, value in result.items() if value is not None}
    _publish(pipeline, "CodePipeline Action Execution State Change", detail)


def _common(pipeline: Pipeline, execution: Execution) -> dict[str, Any]:
    return {
        "pipeline": pipeline.name,
        "execution-id": execution.id,
        "version": float(execution.version),
        "pipeline-execution-attempt": float(execution.attempt),
    }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _publish(pipeline: Pipeline, kind: str, detail: dict[str, Any]) -> None:
    events.publish(_SOURCE, kind, detail, [pipeline.arn], pipeline.account_id, pipeline.region)
