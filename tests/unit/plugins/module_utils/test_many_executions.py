# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executions of many pipelines: what is refused before a call, and what a look makes of AWS's answers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils import _many_executions as many
from ansible_collections.gitops.aws.plugins.module_utils._outcomes import ENDED

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
    done = ("list_action_executions", {"actionExecutionDetails": details})
    asked = {"pipelineName": "shop", "filter": {"pipelineExecutionId": ID}}
    stub.add_response(*done, asked)
    if status:
        answer = {**names, "status": status, **({"statusSummary": summary} if summary else {})}
        stub.add_response("get_pipeline_execution", {"pipelineExecution": answer}, names)
    if status in ENDED:
        stub.add_response(*done, asked)


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


def test_an_action_that_failed_between_two_calls_is_seen(aws: Any, stubs: Any) -> None:
    planned = detail("Deploy", "Plan", "Succeeded")
    names = {"pipelineName": "shop", "pipelineExecutionId": ID}
    stub = stubs["codepipeline"]
    stub.add_response("list_action_executions", {"actionExecutionDetails": [planned]})
    stub.add_response("get_pipeline_execution", {"pipelineExecution": {**names, "status": "Failed"}})
    stub.add_response(
        "list_action_executions", {"actionExecutionDetails": [detail("Deploy", "Apply", "Failed"), planned]}
    )

    found = many.glance(aws(), "shop", ID)

    assert found["status"] == "Failed"
    assert [action["name"] for action in found["stages"][0]["actions"]] == ["Plan", "Apply"]


def test_a_second_call_where_nothing_runs(aws: Any, stubs: Any) -> None:
    again = detail("Deploy", "Plan", "Succeeded")
    failed = detail("Deploy", "Plan", "Failed", executionResult={"externalExecutionId": "b:1"})
    prepare(stubs, [again, failed], "Stopped", "Enough")

    found = many.glance(aws(), "shop", ID)

    assert (found["status"], found["status_summary"]) == ("Stopped", "Enough")
    assert [action["status"] for action in found["stages"][0]["actions"]] == ["Succeeded"]  # of two tries the last


# Check mode


def test_what_would_be_started_and_what_is_missing_are_both_said(aws: Any, stubs: Any) -> None:
    stubs["codepipeline"].add_client_error("get_pipeline", "PipelineNotFoundException")
    stages: list[dict[str, Any]] = [{"name": name, "actions": []} for name in ("Source", "Deploy")]
    there = {"pipeline": {"name": "net", "roleArn": "arn:aws:iam::123456789012:role/x", "stages": stages}}
    stubs["codepipeline"].add_response("get_pipeline", there)
    connection = aws(check_mode=True)
    connection.concurrency = 1

    result = many.act(connection, {**PARAMS, "executions": [ITEM, {**ITEM, "pipeline": "net"}]})

    begun, _dot, missing = result["msg"].partition(". ")
    assert begun == "It would start an execution of net"
    assert missing.startswith("1 of 2 executions failed. pipeline shop: ")
    assert (result["changed"], result["failed"]) == (True, True)


# Following

MISSED = "ThrottlingException"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds slept; time passes only then."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    monkeypatch.setattr("time.monotonic", lambda: sum(slept))
    return slept


def follow(aws: Any, stubs: Any, looks: list[str], **change: Any) -> dict[str, Any]:
    """What becomes of an execution that is followed: each look shows that it runs or has Succeeded, or is MISSED."""
    for status in looks:
        if status == MISSED:
            stubs["codepipeline"].add_client_error("list_action_executions", MISSED)
        else:
            prepare(stubs, [detail("Deploy", "Plan", status)], "" if status == "InProgress" else status)
    return many.act(aws(), {**PARAMS, "executions": [{**ITEM, "execution_id": ID, "label": "Shop"}], **change})


def test_three_looks_in_a_row_may_fail(aws: Any, stubs: Any, clock: list[float]) -> None:
    result = follow(aws, stubs, [*[MISSED] * 3, "InProgress", *[MISSED] * 3, "Succeeded"])

    assert not result.get("failed")
    assert result["resources"]["shop"]["status"] == "Succeeded"
    assert clock == [5] * 7


@pytest.mark.parametrize("before", [[], ["InProgress"]])
def test_the_fourth_is_the_last(aws: Any, stubs: Any, clock: list[float], before: list[str]) -> None:
    result = follow(aws, stubs, [*before, *[MISSED] * 4])

    assert result["msg"].startswith("1 of 1 executions failed. pipeline shop: ")
    assert MISSED in result["msg"]


def test_what_a_failed_look_did_not_show_has_not_failed(aws: Any, stubs: Any, clock: list[float]) -> None:
    result = follow(aws, stubs, ["InProgress", MISSED], wait_timeout=4)

    assert result["msg"] == "1 of 1 executions have not ended after 4 s and go on: shop"
    assert "error" not in result["resources"]["shop"]


@pytest.mark.parametrize(("label", "called"), [("Shop", "Shop"), (None, "shop")])
def test_what_it_is_called_is_told(aws: Any, stubs: Any, label: str | None, called: str) -> None:
    prepare(stubs, [detail("Deploy", "Plan", "InProgress")])

    result = many.act(aws(), {**PARAMS, "executions": [{**ITEM, "execution_id": ID, "label": label}], "wait": False})

    assert result["resources"]["shop"]["label"] == called
    assert result["executions"] == [{"pipeline": "shop", "execution_id": ID, "label": called}]
