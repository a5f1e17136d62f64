# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approving the right execution, once."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ansible_collections.gitops.aws.plugins.module_utils import _approvals as approvals
from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused

PIPELINE = "gitops-network"
FIRST, SECOND = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
TOKEN = "44444444-4444-4444-4444-444444444444"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


def detail(stage: str, status: str, category: str = "Approval", **values: Any) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": "x", "version": "1"}
    return {"stageName": stage, "actionName": "Ask", "status": status, "input": {"actionTypeId": kind}, **values}


def prepare_actions(stubs: Any, *details: dict[str, Any]) -> None:
    """What an execution did, the newest first."""
    stubs["codepipeline"].add_response(
        "list_action_executions",
        {"actionExecutionDetails": list(details)},
        {"pipelineName": PIPELINE, "filter": {"pipelineExecutionId": FIRST}},
    )


def prepare_state(stubs: Any, execution: str | None, status: str = "InProgress") -> None:
    stage: dict[str, Any] = {
        "stageName": "Approve",
        "actionStates": [{"actionName": "Ask", "latestExecution": {"status": status, "token": TOKEN}}],
    }
    if execution:
        stage["latestExecution"] = {"pipelineExecutionId": execution, "status": "InProgress"}
    states = [{"stageName": "Plan", "actionStates": [{"actionName": "Plan"}]}, stage]
    stubs["codepipeline"].add_response("get_pipeline_state", {"stageStates": states}, {"name": PIPELINE})


@pytest.mark.parametrize(("approve", "word"), [(True, "Approved"), (False, "Rejected")])
def test_an_approval_is_answered_with_its_token(aws: Any, stubs: Any, approve: bool, word: str) -> None:
    prepare_state(stubs, FIRST)
    stubs["codepipeline"].add_response(
        "put_approval_result",
        {},
        {
            "pipelineName": PIPELINE,
            "stageName": "Approve",
            "actionName": "Ask",
            "result": {"summary": "because", "status": word},
            "token": TOKEN,
        },
    )

    answer = approvals.answer_approval(aws(), PIPELINE, FIRST, approve, "because")

    assert answer == {"changed": True, "stage": "Approve", "action": "Ask"}


def test_check_mode_answers_nothing(aws: Any, stubs: Any) -> None:
    prepare_state(stubs, FIRST)

    assert approvals.answer_approval(aws(check_mode=True), PIPELINE, FIRST, True, "") == {
        "changed": True,
        "stage": "Approve",
        "action": "Ask",
    }


def test_the_approval_of_another_execution_is_left_alone(aws: Any, stubs: Any) -> None:
    prepare_state(stubs, SECOND)
    prepare_actions(stubs)

    with pytest.raises(Refused, match=f"execution {FIRST} waits for no approval; waiting is {SECOND}. Nothing was"):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "")


def test_nothing_was_asked_yet(aws: Any, stubs: Any) -> None:
    prepare_state(stubs, FIRST, "Abandoned")
    prepare_actions(stubs, detail("Approve", "Abandoned"), detail("Plan", "Succeeded", "Build"))

    with pytest.raises(Refused, match=f"execution {FIRST} waits for no approval. Nothing was approved. Fix: "):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "")


def test_a_stage_that_does_not_say_for_whom(aws: Any, stubs: Any) -> None:
    prepare_state(stubs, None)
    prepare_actions(stubs)

    with pytest.raises(Refused, match=r"waiting is \?"):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "")


# What was answered already


@pytest.mark.parametrize(("status", "approve"), [("Succeeded", True), ("Failed", False)])
def test_the_same_answer_is_no_change(aws: Any, stubs: Any, status: str, approve: bool) -> None:
    prepare_state(stubs, SECOND)
    prepare_actions(stubs, detail("Apply", "Succeeded", "Build"), detail("Approve", status))

    answer = approvals.answer_approval(aws(), PIPELINE, FIRST, approve, "")

    assert answer == {"changed": False, "stage": "Approve", "action": "Ask"}


@pytest.mark.parametrize(
    ("status", "approve", "words"),
    [
        ("Succeeded", False, "in stage Approve was answered already by arn:ada: it was approved .fine.. That cannot"),
        ("Failed", True, "in stage Approve was answered already by arn:ada: it was rejected, or waited too long .fine"),
    ],
)
def test_the_other_answer_is_refused(aws: Any, stubs: Any, status: str, approve: bool, words: str) -> None:
    prepare_state(stubs, SECOND)
    result = {"executionResult": {"externalExecutionSummary": "fine"}}
    prepare_actions(stubs, detail("Approve", status, updatedBy="arn:ada", output=result))

    with pytest.raises(Refused, match=words):
        approvals.answer_approval(aws(), PIPELINE, FIRST, approve, "")


def test_a_stage_is_told_from_another(aws: Any, stubs: Any) -> None:
    prepare_state(stubs, FIRST)  # Approve waits, Confirm is meant
    prepare_actions(stubs, detail("Approve", "InProgress"), detail("Confirm", "Succeeded"))

    answer = approvals.answer_approval(aws(), PIPELINE, FIRST, True, "", "Confirm")

    assert answer == {"changed": False, "stage": "Confirm", "action": "Ask"}


@pytest.mark.parametrize("code", ["ApprovalAlreadyCompletedException", "InvalidApprovalTokenException"])
@pytest.mark.parametrize(("approve", "changed"), [(True, False), (False, None)])
def test_somebody_else_was_faster(aws: Any, stubs: Any, code: str, approve: bool, changed: bool | None) -> None:
    prepare_state(stubs, FIRST)
    stubs["codepipeline"].add_client_error("put_approval_result", code)
    prepare_actions(stubs, detail("Approve", "InProgress"))
    prepare_actions(stubs, detail("Approve", "Succeeded"))

    if changed is None:
        with pytest.raises(Refused, match="was answered already: it was approved"):
            approvals.answer_approval(aws(), PIPELINE, FIRST, approve, "")
    else:
        assert approvals.answer_approval(aws(), PIPELINE, FIRST, approve, "")["changed"] is changed


def test_aws_does_not_say_how_somebody_answered(aws: Any, stubs: Any) -> None:
    prepare_state(stubs, FIRST)
    stubs["codepipeline"].add_client_error("put_approval_result", "ApprovalAlreadyCompletedException")
    for _ in range(approvals.LOOKS):
        prepare_actions(stubs, detail("Approve", "InProgress"))

    with pytest.raises(Refused, match=f"the approval of execution {FIRST} was answered a moment ago by somebody else"):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "")


def test_who_may_not_approve_is_told(aws: Any, stubs: Any) -> None:
    prepare_state(stubs, FIRST)
    stubs["codepipeline"].add_client_error("put_approval_result", "AccessDeniedException")

    with pytest.raises(ClientError):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "")


@pytest.mark.parametrize(("length", "number"), [(0, 0), (512, 0), (513, 1)])
def test_length_of_the_summary(length: int, number: int) -> None:
    assert len(approvals.problems({"summary": "x" * length})) == number
