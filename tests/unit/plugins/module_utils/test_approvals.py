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


def detail(stage: str, status: str, category: str = "Approval", action: str = "Ask", **values: Any) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": "x", "version": "1"}
    return {"stageName": stage, "actionName": action, "status": status, "input": {"actionTypeId": kind}, **values}


def prepare_definition(stubs: Any, *approvals: str, mode: str = "QUEUED") -> None:
    """A pipeline with these approvals, each as `stage/action`; one where none is said."""
    stages: dict[str, list[dict[str, Any]]] = {"Plan": [declared("Plan", "Build")]}
    for place in approvals or ("Approve/Ask",):
        stage, _, action = place.partition("/")
        stages.setdefault(stage, []).append(declared(action, "Approval"))
    pipeline = {
        "name": PIPELINE,
        "roleArn": "arn:aws:iam::111122223333:role/x",
        "executionMode": mode,
        "stages": [{"name": name, "actions": actions} for name, actions in stages.items()],
    }
    stubs["codepipeline"].add_response("get_pipeline", {"pipeline": pipeline}, {"name": PIPELINE})


def declared(name: str, category: str) -> dict[str, Any]:
    return {"name": name, "actionTypeId": {"category": category, "owner": "AWS", "provider": "x", "version": "1"}}


def prepare_actions(stubs: Any, *details: dict[str, Any]) -> None:
    """What an execution did, the newest first."""
    stubs["codepipeline"].add_response(
        "list_action_executions",
        {"actionExecutionDetails": list(details)},
        {"pipelineName": PIPELINE, "filter": {"pipelineExecutionId": FIRST}},
    )


def prepare_state(stubs: Any, execution: str | None, status: str = "InProgress", *actions: str) -> None:
    waiting = [
        {"actionName": name, "latestExecution": {"status": status, "token": TOKEN}} for name in actions or ("Ask",)
    ]
    stage: dict[str, Any] = {"stageName": "Approve", "actionStates": waiting}
    if execution:
        stage["latestExecution"] = {"pipelineExecutionId": execution, "status": "InProgress"}
    states = [{"stageName": "Plan", "actionStates": [{"actionName": "Plan"}]}, stage]
    stubs["codepipeline"].add_response("get_pipeline_state", {"stageStates": states}, {"name": PIPELINE})


def prepare_answer(stubs: Any, word: str = "Approved", action: str = "Ask", token: str = TOKEN) -> None:
    stubs["codepipeline"].add_response(
        "put_approval_result",
        {},
        {
            "pipelineName": PIPELINE,
            "stageName": "Approve",
            "actionName": action,
            "result": {"summary": "because", "status": word},
            "token": token,
        },
    )


@pytest.mark.parametrize(("approve", "word"), [(True, "Approved"), (False, "Rejected")])
def test_an_approval_is_answered_with_its_token(aws: Any, stubs: Any, approve: bool, word: str) -> None:
    prepare_definition(stubs)
    prepare_actions(stubs, detail("Approve", "InProgress"), detail("Plan", "Succeeded", "Build"))
    prepare_state(stubs, FIRST)
    prepare_answer(stubs, word)

    answer = approvals.answer_approval(aws(), PIPELINE, FIRST, approve, "because")

    assert answer == {"changed": True, "stage": "Approve", "action": "Ask"}


def test_check_mode_answers_nothing(aws: Any, stubs: Any) -> None:
    prepare_definition(stubs)
    prepare_actions(stubs, detail("Approve", "InProgress"))
    prepare_state(stubs, FIRST)

    assert approvals.answer_approval(aws(check_mode=True), PIPELINE, FIRST, True, "") == {
        "changed": True,
        "stage": "Approve",
        "action": "Ask",
    }


def test_the_approval_of_another_execution_is_left_alone(aws: Any, stubs: Any) -> None:
    prepare_definition(stubs)
    prepare_actions(stubs)
    prepare_state(stubs, SECOND)

    words = f"execution {FIRST} waits for no approval in stage Approve; waiting is {SECOND}. Nothing was"
    with pytest.raises(Refused, match=words):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "")


def test_nothing_was_asked_yet(aws: Any, stubs: Any) -> None:
    prepare_definition(stubs)
    prepare_actions(stubs, detail("Approve", "Abandoned"), detail("Plan", "Succeeded", "Build"))
    prepare_state(stubs, FIRST, "Abandoned")

    words = f"execution {FIRST} waits for no approval in stage Approve. Nothing was answered. Fix: "
    with pytest.raises(Refused, match=words):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "")


def test_a_stage_that_does_not_say_for_whom(aws: Any, stubs: Any) -> None:
    prepare_definition(stubs)
    prepare_actions(stubs)
    prepare_state(stubs, None)

    with pytest.raises(Refused, match=r"waiting is \?"):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "")


# Which of several is meant


@pytest.mark.parametrize("waits", ["InProgress", "Succeeded", None])
@pytest.mark.parametrize(
    ("declared_approvals", "named"),
    [
        (("Approve/Ask", "Approve/Legal"), {}),
        (("Approve/Ask", "Approve/Legal"), {"stage": "Approve"}),
        (("Approve/Ask", "Confirm/Ask"), {}),
        (("Approve/Ask", "Confirm/Ask"), {"action": "Ask"}),
    ],
)
def test_of_several_one_must_be_named_whichever_waits(
    aws: Any, stubs: Any, declared_approvals: tuple[str, ...], named: dict[str, str], waits: str | None
) -> None:
    prepare_definition(stubs, *declared_approvals)
    prepare_actions(stubs, *([detail("Approve", waits)] if waits else []))

    mark = r" \(waits\)" if waits == "InProgress" else ""
    words = f"there are several: {declared_approvals[0]}{mark}, {declared_approvals[1]}. Nothing was answered. Fix: "
    with pytest.raises(Refused, match=words):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "", **named)


@pytest.mark.parametrize("action", ["Ask", "Legal"])
def test_of_two_in_one_stage_the_one_that_is_named(aws: Any, stubs: Any, action: str) -> None:
    prepare_definition(stubs, "Approve/Ask", "Approve/Legal")
    prepare_actions(stubs, detail("Approve", "InProgress", action="Legal"), detail("Approve", "InProgress"))
    prepare_state(stubs, FIRST, "InProgress", "Ask", "Legal")
    prepare_answer(stubs, action=action)

    answer = approvals.answer_approval(aws(), PIPELINE, FIRST, True, "because", "Approve", action)

    assert answer == {"changed": True, "stage": "Approve", "action": action}


def test_the_same_again_answers_no_other(aws: Any, stubs: Any) -> None:
    prepare_definition(stubs, "Approve/Ask", "Approve/Legal")
    prepare_actions(stubs, detail("Approve", "InProgress", action="Legal"), detail("Approve", "Succeeded"))

    answer = approvals.answer_approval(aws(), PIPELINE, FIRST, True, "because", "Approve", "Ask")

    assert answer == {"changed": False, "stage": "Approve", "action": "Ask"}


@pytest.mark.parametrize(
    ("declared_approvals", "named", "words"),
    [
        (
            ("Approve/Ask", "Confirm/Ask"),
            {"stage": "Aprove"},
            "no approval in stage Aprove. .+ name one of Approve/Ask",
        ),
        (("Approve/Ask",), {"stage": "Approve", "action": "Legal"}, "no approval Legal in stage Approve. "),
    ],
)
def test_an_approval_that_there_is_not(
    aws: Any, stubs: Any, declared_approvals: tuple[str, ...], named: dict[str, str], words: str
) -> None:
    prepare_definition(stubs, *declared_approvals)
    prepare_actions(stubs, detail("Approve", "InProgress"))

    with pytest.raises(Refused, match=words):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "", **named)


def test_a_pipeline_without_approvals(aws: Any, stubs: Any) -> None:
    stages = [{"name": "Plan", "actions": [declared("Plan", "Build")]}]
    pipeline = {"name": PIPELINE, "roleArn": "arn:aws:iam::111122223333:role/x", "stages": stages}
    stubs["codepipeline"].add_response("get_pipeline", {"pipeline": pipeline}, {"name": PIPELINE})
    prepare_actions(stubs)

    with pytest.raises(Refused, match="the pipeline has no approval"):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "")


def test_an_approval_that_the_pipeline_had_when_it_was_asked(aws: Any, stubs: Any) -> None:
    prepare_definition(stubs, "Confirm/Ask")
    prepare_actions(stubs, detail("Approve", "InProgress"))
    prepare_state(stubs, FIRST)
    prepare_answer(stubs)

    assert approvals.answer_approval(aws(), PIPELINE, FIRST, True, "because", "Approve")["changed"] is True


# Executions beside each other


def test_beside_each_other_the_execution_itself_tells_the_token(aws: Any, stubs: Any) -> None:
    # GetPipelineState has none then, and would tell of the newest execution only.
    prepare_definition(stubs, mode="PARALLEL")
    output = {"executionResult": {"externalExecutionId": TOKEN}}
    prepare_actions(stubs, detail("Approve", "InProgress", output=output))
    prepare_answer(stubs)

    assert approvals.answer_approval(aws(), PIPELINE, FIRST, True, "because")["changed"] is True


def test_beside_each_other_one_that_waits_for_nothing(aws: Any, stubs: Any) -> None:
    prepare_definition(stubs, mode="PARALLEL")
    prepare_actions(stubs)

    with pytest.raises(Refused, match=f"execution {FIRST} waits for no approval in stage Approve. Nothing"):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "because")


# What was answered already


@pytest.mark.parametrize(("status", "approve"), [("Succeeded", True), ("Failed", False)])
def test_the_same_answer_is_no_change(aws: Any, stubs: Any, status: str, approve: bool) -> None:
    prepare_definition(stubs)
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
    prepare_definition(stubs)
    result = {"executionResult": {"externalExecutionSummary": "fine"}}
    prepare_actions(stubs, detail("Approve", status, updatedBy="arn:ada", output=result))

    with pytest.raises(Refused, match=words):
        approvals.answer_approval(aws(), PIPELINE, FIRST, approve, "")


def test_what_is_asked_again_is_answered_again(aws: Any, stubs: Any) -> None:
    prepare_definition(stubs)
    prepare_actions(stubs, detail("Approve", "InProgress"), detail("Approve", "Failed"))
    prepare_state(stubs, FIRST)
    prepare_answer(stubs)

    assert approvals.answer_approval(aws(), PIPELINE, FIRST, True, "because")["changed"] is True


def test_a_stage_is_told_from_another(aws: Any, stubs: Any) -> None:
    prepare_definition(stubs, "Approve/Ask", "Confirm/Ask")  # Approve waits, Confirm is meant
    prepare_actions(stubs, detail("Approve", "InProgress"), detail("Confirm", "Succeeded"))

    answer = approvals.answer_approval(aws(), PIPELINE, FIRST, True, "", "Confirm")

    assert answer == {"changed": False, "stage": "Confirm", "action": "Ask"}


@pytest.mark.parametrize("code", ["ApprovalAlreadyCompletedException", "InvalidApprovalTokenException"])
@pytest.mark.parametrize(("approve", "changed"), [(True, False), (False, None)])
def test_somebody_else_was_faster(aws: Any, stubs: Any, code: str, approve: bool, changed: bool | None) -> None:
    prepare_definition(stubs)
    prepare_actions(stubs, detail("Approve", "InProgress"))
    prepare_state(stubs, FIRST)
    stubs["codepipeline"].add_client_error("put_approval_result", code)
    prepare_actions(stubs, detail("Approve", "InProgress"))
    prepare_state(stubs, FIRST)  # the same token, which is not tried again
    prepare_actions(stubs, detail("Approve", "Succeeded"))

    if changed is None:
        with pytest.raises(Refused, match="was answered already: it was approved"):
            approvals.answer_approval(aws(), PIPELINE, FIRST, approve, "")
    else:
        assert approvals.answer_approval(aws(), PIPELINE, FIRST, approve, "")["changed"] is changed


@pytest.mark.parametrize(
    ("tried", "words"), [(True, "was answered a moment ago by somebody else"), (False, "has no token yet")]
)
def test_aws_does_not_say_what_became_of_it(aws: Any, stubs: Any, tried: bool, words: str) -> None:
    prepare_definition(stubs)
    for look in range(approvals.LOOKS):
        prepare_actions(stubs, detail("Approve", "InProgress"))
        prepare_state(stubs, FIRST if tried else SECOND)
        if tried and not look:
            stubs["codepipeline"].add_client_error("put_approval_result", "ApprovalAlreadyCompletedException")

    with pytest.raises(Refused, match=f"the approval of execution {FIRST} in stage Approve {words}"):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "")


def test_who_may_not_approve_is_told(aws: Any, stubs: Any) -> None:
    prepare_definition(stubs)
    prepare_actions(stubs, detail("Approve", "InProgress"))
    prepare_state(stubs, FIRST)
    stubs["codepipeline"].add_client_error("put_approval_result", "AccessDeniedException")

    with pytest.raises(ClientError):
        approvals.answer_approval(aws(), PIPELINE, FIRST, True, "")


# Arguments


def arguments(**given: Any) -> dict[str, Any]:
    return {"execution_id": FIRST, "stage": None, "action": None, "summary": "", **given}


@pytest.mark.parametrize(("length", "number"), [(0, 0), (512, 0), (513, 1)])
def test_length_of_the_summary(length: int, number: int) -> None:
    assert len(approvals.problems(arguments(summary="x" * length))) == number


@pytest.mark.parametrize("name", ["execution_id", "stage", "action"])
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_name_is_refused(name: str, empty: str) -> None:
    (problem,) = approvals.problems(arguments(**{name: empty}))

    assert problem.startswith(f"{name}: it is empty. Fix: ")
