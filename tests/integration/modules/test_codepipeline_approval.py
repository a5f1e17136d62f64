# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""codepipeline_approval, with executions that really wait."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed
from tests.integration.modules.running import Workshop, approval_stage, eventually


@pytest.fixture(scope="module")
def workshop(account: Account) -> Workshop:
    made = Workshop.open(account)
    made.commit("code")
    return made


@pytest.fixture
def waiting(account: Account, workshop: Workshop) -> tuple[str, str]:
    """A pipeline with two approvals, and its execution, which waits for the first."""
    pipeline = workshop.pipeline(approval_stage(), approval_stage("Confirm"))
    return pipeline, start(account, pipeline)


def start(account: Account, pipeline: str) -> str:
    result = account.run(
        "codepipeline_execution", pipeline=pipeline, variables={"who": "x"}, wait_for_approval=False, poll_interval=1
    )
    return str(result["execution"]["id"])


def waits_in(account: Account, pipeline: str) -> str:
    """The stage that waits for an approval now, '' for none."""
    state = account.client("codepipeline").get_pipeline_state(name=pipeline)
    for stage in state["stageStates"]:
        if stage["actionStates"][0].get("latestExecution", {}).get("token"):
            return str(stage["stageName"])
    return ""


def wait_for(account: Account, pipeline: str, stage: str) -> None:
    eventually(lambda: waits_in(account, pipeline) == stage)


def answer(account: Account, pipeline: str, execution_id: str, decision: str = "approved", **more: Any) -> Any:
    more = {"stage": "Approve", **more}
    return account.run("codepipeline_approval", pipeline=pipeline, execution_id=execution_id, decision=decision, **more)


def test_second_approval_of_the_same_is_no_change(account: Account, waiting: tuple[str, str]) -> None:
    first = answer(account, *waiting, summary="looked at it")
    second = answer(account, *waiting, summary="looked at it")
    eventually(lambda: waits_in(account, waiting[0]) == "Confirm")
    third = answer(account, *waiting)

    assert first["changed"]
    assert first["mutations"] == ["codepipeline:PutApprovalResult"]
    assert (first["stage"], first["action"]) == ("Approve", "Ok")
    assert not second["changed"]
    assert not third["changed"]
    assert third["mutations"] == []
    assert (third["stage"], third["action"]) == ("Approve", "Ok")
    assert waits_in(account, waiting[0]) == "Confirm"


def test_answer_cannot_be_taken_back(account: Account, waiting: tuple[str, str]) -> None:
    answer(account, *waiting, summary="looks good")
    eventually(lambda: waits_in(account, waiting[0]) == "Confirm")

    with pytest.raises(ModuleFailed) as failure:
        answer(account, *waiting, decision="rejected")

    assert f"the approval of execution {waiting[1]} in stage Approve was answered already by " in str(failure.value)
    assert "it was approved (looks good). That cannot be taken back" in str(failure.value)
    assert failure.value.result["mutations"] == []


def test_rejection(account: Account, waiting: tuple[str, str]) -> None:
    first = answer(account, *waiting, decision="rejected", summary="too much")
    eventually(lambda: waits_in(account, waiting[0]) == "")
    second = answer(account, *waiting, decision="rejected")
    with pytest.raises(ModuleFailed, match=r"it was rejected, or waited too long \(.*too much"):
        answer(account, *waiting)

    assert first["changed"]
    assert not second["changed"]
    assert second["mutations"] == []


def test_of_several_approvals_one_must_be_named(account: Account, waiting: tuple[str, str]) -> None:
    pipeline, execution_id = waiting

    for now, words in (("Approve", "Approve/Ok (waits), Confirm/Ok"), ("Confirm", "Approve/Ok, Confirm/Ok (waits)")):
        wait_for(account, pipeline, now)
        with pytest.raises(ModuleFailed) as failure:
            answer(account, pipeline, execution_id, stage=None)
        assert f"it is not said which approval is meant, there are several: {words}. Nothing" in str(failure.value)
        assert failure.value.result["mutations"] == []
        assert waits_in(account, pipeline) == now
        answer(account, pipeline, execution_id, stage=now)


def test_one_approval_needs_no_name(account: Account, workshop: Workshop) -> None:
    pipeline = workshop.pipeline(approval_stage())
    execution_id = start(account, pipeline)

    one = answer(account, pipeline, execution_id, stage=None)
    eventually(lambda: waits_in(account, pipeline) == "")
    two = answer(account, pipeline, execution_id, stage=None)

    assert [each["changed"] for each in (one, two)] == [True, False]


def test_two_approvals_in_one_stage(account: Account, workshop: Workshop) -> None:
    pipeline = workshop.pipeline(approval_stage("Approve", "Ok", "Legal"))
    execution_id = start(account, pipeline)

    def asked() -> list[dict[str, str]]:
        seen = account.run("codepipeline_execution", pipeline=pipeline, execution_id=execution_id, wait=False)
        found: list[dict[str, str]] = seen["execution"]["waiting_for_approvals"]
        assert seen["execution"]["waiting_for_approval"] == (found[0] if found else None)
        return found

    eventually(lambda: len(asked()) == 2)
    with pytest.raises(ModuleFailed, match=r"several: Approve/Ok \(waits\), Approve/Legal \(waits\)\. Nothing"):
        answer(account, pipeline, execution_id)
    legal = answer(account, pipeline, execution_id, action="Legal")
    eventually(lambda: len(asked()) == 1)
    again = answer(account, pipeline, execution_id, action="Legal")
    still = asked()
    ok = answer(account, pipeline, execution_id, action="Ok")

    assert [each["changed"] for each in (legal, again, ok)] == [True, False, True]
    assert [each["action"] for each in (legal, again, ok)] == ["Legal", "Legal", "Ok"]
    assert [each["action"] for each in still] == ["Ok"]


def test_of_two_that_wait_beside_each_other_the_older(account: Account, workshop: Workshop) -> None:
    pipeline = workshop.pipeline(approval_stage(), mode="PARALLEL")
    older, newer = start(account, pipeline), start(account, pipeline)

    first = answer(account, pipeline, older)
    ended = account.run("codepipeline_execution", pipeline=pipeline, execution_id=older, poll_interval=1)
    second = answer(account, pipeline, older)
    other = account.run("codepipeline_execution", pipeline=pipeline, execution_id=newer, wait=False)

    assert [each["changed"] for each in (first, second)] == [True, False]
    assert ended["execution"]["status"] == "Succeeded"
    assert other["execution"]["waiting_for_approval"]["stage"] == "Approve"
    assert answer(account, pipeline, newer, "rejected")["changed"]


def test_another_execution_than_the_one_that_is_meant(account: Account, waiting: tuple[str, str]) -> None:
    pipeline, first = waiting
    account.client("codepipeline").stop_pipeline_execution(
        pipelineName=pipeline, pipelineExecutionId=first, abandon=True
    )
    second = start(account, pipeline)

    with pytest.raises(ModuleFailed) as failure:
        answer(account, pipeline, first)

    assert str(failure.value) == (
        f"pipeline {pipeline}: execution {first} waits for no approval in stage Approve; waiting is {second}. "
        "Nothing was answered. Fix: look at the execution that you mean, and name it"
    )
    assert failure.value.result["mutations"] == []
    assert waits_in(account, pipeline) == "Approve"


def test_execution_that_does_not_exist(account: Account, waiting: tuple[str, str]) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"

    with pytest.raises(ModuleFailed, match=f"pipeline {waiting[0]}: ") as failure:
        answer(account, waiting[0], nobody)

    assert failure.value.result["mutations"] == []


def test_check_mode_answers_nothing(account: Account, waiting: tuple[str, str]) -> None:
    pipeline, execution_id = waiting

    checked = account.run(
        "codepipeline_approval",
        check=True,
        pipeline=pipeline,
        execution_id=execution_id,
        stage="Approve",
        decision="approved",
    )

    assert checked["changed"]
    assert checked["mutations"] == []
    assert (checked["stage"], checked["action"]) == ("Approve", "Ok")
    assert waits_in(account, pipeline) == "Approve"


def test_summary_that_is_too_long(account: Account) -> None:
    with pytest.raises(ModuleFailed, match="summary: it has 513 characters, at most 512 are allowed") as failure:
        answer(account, "p", "e", summary="x" * 513)

    assert "api_calls" not in failure.value.result


@pytest.mark.parametrize("name", ["execution_id", "stage", "action"])
def test_empty_name_costs_no_call(account: Account, name: str) -> None:
    given: dict[str, Any] = {"pipeline": "p", "execution_id": "e", "decision": "approved", name: ""}

    with pytest.raises(ModuleFailed, match=f"{name}: it is empty") as failure:
        account.run("codepipeline_approval", **given)

    assert "api_calls" not in failure.value.result
