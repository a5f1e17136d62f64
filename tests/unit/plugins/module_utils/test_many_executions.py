# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executions of many pipelines: what is refused before a call, and what a look makes of AWS's answers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils import _many_executions as many

ITEM: dict[str, Any] = {"pipeline": "shop", "execution_id": None, "variables": None, "label": None}
PARAMS: dict[str, Any] = {
    "executions": [ITEM, {**ITEM, "pipeline": "net", "execution_id": "latest"}],
    "wait": True,
    "wait_for_approval": True,
    "wait_timeout": 60,
    "poll_interval": 5,
    "concurrency": 10,
}
ID = "11111111-0000-0000-0000-000000000000"


def test_what_is_right() -> None:
    assert many.problems(PARAMS) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"poll_interval": 0}, "poll_interval: 0 is not allowed, it must be from 1 to 300 seconds"),
        (
            {"executions": [ITEM, ITEM]},
            "executions[1].pipeline: 'shop' is also executions[0].pipeline; pipelines must differ",
        ),
        ({"executions": [{**ITEM, "execution_id": ""}]}, "executions[0].execution_id: "),
        (
            {"executions": [{**ITEM, "execution_id": ID, "variables": {"a": "b"}}]},
            "executions[0].variables: it is for an execution that is started",
        ),
        ({"executions": [{**ITEM, "variables": {"a": None}}]}, "executions[0].variables.a: null is not allowed"),
        ({"executions": [{**ITEM, "variables": {"a": ""}}]}, "executions[0].variables.a: an empty text is not allowed"),
    ],
)
def test_what_is_wrong(change: dict[str, Any], problem: str) -> None:
    (found,) = many.problems({**PARAMS, **change})

    assert found.startswith(problem)


def detail(stage: str, action: str, status: str, category: str = "Build", **output: Any) -> dict[str, Any]:
    provider = {"Approval": "Manual", "Build": "CodeBuild"}.get(category, "S3")
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    configuration = {"CustomData": "Apply?"} if category == "Approval" else {}
    return {
        "stageName": stage,
        "actionName": action,
        "status": status,
        "input": {"actionTypeId": kind, "resolvedConfiguration": configuration},
        "output": output,
    }


def prepare(stubs: Any, details: list[dict[str, Any]], status: str = "", summary: str = "") -> None:
    stub, names = stubs["codepipeline"], {"pipelineName": "shop", "pipelineExecutionId": ID}
    stub.add_response(
        "list_action_executions",
        {"actionExecutionDetails": details},
        {"pipelineName": "shop", "filter": {"pipelineExecutionId": ID}},
    )
    if status:
        answer = {**names, "status": status, **({"statusSummary": summary} if summary else {})}
        stub.add_response("get_pipeline_execution", {"pipelineExecution": answer}, names)


def test_one_call_tells_all_while_it_waits_for_approval(aws: Any, stubs: Any) -> None:
    planned = detail("Deploy", "Plan", "Succeeded", outputVariables={"PLAN_SUMMARY": "1 to add"})
    prepare(
        stubs,
        [
            detail("Deploy", "Approve", "InProgress", "Approval"),
            planned,
            detail("Source", "Source", "Succeeded", "Source"),
        ],
    )

    found = many.glance(aws(), "shop", ID)

    assert [stage["name"] for stage in found["stages"]] == ["Source", "Deploy"]
    assert [action["name"] for action in found["stages"][1]["actions"]] == ["Plan", "Approve"]
    assert found["stages"][1]["actions"][0]["output_variables"] == {"PLAN_SUMMARY": "1 to add"}
    assert found["waiting_for_approval"] == {"stage": "Deploy", "action": "Approve", "message": "Apply?"}
    assert found["status"] == "InProgress"
    assert "message" not in found["stages"][1]["actions"][1]


def test_a_second_call_where_nothing_runs(aws: Any, stubs: Any) -> None:
    again = detail("Deploy", "Plan", "Succeeded")
    failed = detail("Deploy", "Plan", "Failed", executionResult={"externalExecutionId": "b:1"})
    prepare(stubs, [again, failed], "Stopped", "Enough")

    found = many.glance(aws(), "shop", ID)

    assert (found["status"], found["status_summary"]) == ("Stopped", "Enough")
    assert [action["status"] for action in found["stages"][0]["actions"]] == ["Succeeded"]  # of two tries the last
