# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""How pipelines are doing: the state of their stages, and their last executions."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource
from ansible_collections.gitops.aws.plugins.module_utils._executions import stage_states


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the parameters of codepipelines_info."""
    number = params["executions"]
    return [] if 0 <= number <= 100 else [f"executions: {number} is not between 0 and 100"]


def look_closer(kind: Kind, found: dict[str, Resource], params: dict[str, Any]) -> None:
    """Adds to the details of pipelines what codepipelines_info is asked for (`stages`, `executions`)."""

    def look(name: str) -> None:
        with kind.failing_alone(name):
            if params["stages"]:
                found[name].details["stages"] = stages(kind.aws, name)
            if params["executions"]:
                found[name].details["executions"] = executions(kind.aws, name, params["executions"])

    kind.aws.map(look, found)


def stages(aws: Aws, pipeline: str) -> list[dict[str, Any]]:
    """The state of a pipeline's stages in their order (GetPipelineState); the shape is in codepipelines_info."""
    return [_stage(stage) for stage in stage_states(aws, pipeline)]


def _stage(stage: dict[str, Any]) -> dict[str, Any]:
    latest, transition = stage.get("latestExecution", {}), stage.get("inboundTransitionState", {})
    return {
        "name": stage["stageName"],
        "status": latest.get("status", ""),
        "execution_id": latest.get("pipelineExecutionId", ""),
        "transition": {"enabled": transition.get("enabled", True), "reason": transition.get("disabledReason", "")},
        "actions": [_action(action) for action in stage.get("actionStates", [])],
    }


def _action(action: dict[str, Any]) -> dict[str, Any]:
    latest = action.get("latestExecution", {})
    changed = latest.get("lastStatusChange")
    return {
        "name": action["actionName"],
        "status": latest.get("status", ""),
        "summary": latest.get("summary", ""),
        "error": latest.get("errorDetails", {}).get("message", ""),
        "url": latest.get("externalExecutionUrl", ""),
        "changed": changed.isoformat() if changed else "",
    }


def executions(aws: Aws, pipeline: str, number: int) -> list[dict[str, Any]]:
    """The last executions of a pipeline, the newest first (ListPipelineExecutions, one page of at most 100)."""
    answer = aws.client("codepipeline").list_pipeline_executions(pipelineName=pipeline, maxResults=number)
    return [_execution(each) for each in answer["pipelineExecutionSummaries"][:number]]


def _execution(summary: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": summary["pipelineExecutionId"],
        "status": summary["status"],
        "started": summary["startTime"].isoformat(),
        "updated": summary["lastUpdateTime"].isoformat(),
        "trigger_type": summary.get("trigger", {}).get("triggerType", ""),
        "trigger_detail": summary.get("trigger", {}).get("triggerDetail", ""),
        "mode": summary.get("executionMode", ""),
        "type": summary.get("executionType", ""),
        "source_revisions": [
            {
                "name": each.get("actionName", ""),
                "revision_id": each.get("revisionId", ""),
                "summary": each.get("revisionSummary", ""),
            }
            for each in summary.get("sourceRevisions", [])
        ],
    }
