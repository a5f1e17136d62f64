# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""codepipeline_stage_transition: what is closed holds executions, and only what differs is written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed
from tests.integration.modules.running import Workshop, approval_stage, eventually

STAGES = ("First", "Second")


@pytest.fixture(scope="module")
def workshop(account: Account) -> Workshop:
    made = Workshop.open(account)
    made.commit("code")
    return made


@pytest.fixture
def pipeline(workshop: Workshop) -> str:
    return workshop.pipeline(*(approval_stage(name) for name in STAGES))


def closed(pipeline: str, stage: str = "First", reason: str | None = "frozen") -> dict[str, Any]:
    return {"pipeline": pipeline, "stage": stage, "enabled": False, "reason": reason}


def opened(pipeline: str, stage: str = "First") -> dict[str, Any]:
    return {"pipeline": pipeline, "stage": stage, "enabled": True}


def run(account: Account, *transitions: dict[str, Any], check: bool = False) -> dict[str, Any]:
    return account.run("codepipeline_stage_transition", check=check, transitions=list(transitions))


def state(account: Account, pipeline: str, stage: str = "First") -> dict[str, Any]:
    states = account.client("codepipeline").get_pipeline_state(name=pipeline)["stageStates"]
    return dict(next(each for each in states if each["stageName"] == stage))


def transition(account: Account, pipeline: str, stage: str = "First") -> dict[str, Any]:
    found = state(account, pipeline, stage)["inboundTransitionState"]
    return {name: found[name] for name in ("enabled", "disabledReason") if name in found}


def test_closed_transition_holds_an_execution_until_it_is_opened(account: Account, pipeline: str) -> None:
    run(account, closed(pipeline))
    execution = account.client("codepipeline").start_pipeline_execution(
        name=pipeline, variables=[{"name": "who", "value": "x"}]
    )["pipelineExecutionId"]
    eventually(lambda: state(account, pipeline).get("inboundExecution"))

    held = run(account, closed(pipeline))
    run(account, opened(pipeline))

    assert held["resources"] == {f"{pipeline}/First": {"action": "unchanged", "waiting": [execution]}}
    eventually(lambda: state(account, pipeline).get("latestExecution", {}).get("pipelineExecutionId") == execution)


def test_only_what_differs_is_written(account: Account, pipeline: str) -> None:
    both = [closed(pipeline), closed(pipeline, "Second")]
    run(account, both[0])

    result = run(account, *both)
    again = run(account, *both)
    fed_back = run(account, *result["transitions"])

    assert result["changed"]
    assert result["api_calls"] == {"codepipeline:DisableStageTransition": 1, "codepipeline:GetPipelineState": 1}
    assert {name: each["action"] for name, each in result["resources"].items()} == {
        f"{pipeline}/First": "unchanged",
        f"{pipeline}/Second": "updated",
    }
    assert result["transitions"] == [{**each, "transition_type": "Inbound"} for each in both]
    assert [transition(account, pipeline, stage) for stage in STAGES] == [
        {"enabled": False, "disabledReason": "frozen"}
    ] * 2
    assert not again["changed"]
    assert again["api_calls"] == {"codepipeline:GetPipelineState": 1}
    assert not fed_back["changed"]


def test_another_reason_is_a_change(account: Account, pipeline: str) -> None:
    run(account, closed(pipeline))

    kept = run(account, closed(pipeline, reason=None))
    changed = run(account, closed(pipeline, reason="still (frozen)!"))

    assert not kept["changed"]
    assert changed["diff"] == [
        {
            "before_header": f"transition {pipeline}/First",
            "after_header": f"transition {pipeline}/First",
            "before": {"reason": "frozen"},
            "after": {"reason": "still (frozen)!"},
        }
    ]
    assert transition(account, pipeline)["disabledReason"] == "still (frozen)!"


def test_opening_forgets_the_reason(account: Account, pipeline: str) -> None:
    run(account, closed(pipeline))

    result = run(account, opened(pipeline))
    again = run(account, {**opened(pipeline), "reason": "not looked at"})

    assert result["mutations"] == ["codepipeline:EnableStageTransition"]
    assert result["diff"][0]["before"] == {"enabled": False, "reason": "frozen"}
    assert result["diff"][0]["after"] == {"enabled": True, "reason": None}
    assert result["transitions"] == [{**opened(pipeline), "transition_type": "Inbound"}]
    assert transition(account, pipeline)["enabled"] is True
    assert not again["changed"]


def test_check_mode(account: Account, pipeline: str) -> None:
    checked = run(account, closed(pipeline), check=True)

    assert checked["changed"]
    assert checked["mutations"] == []
    assert checked["diff"][0]["after"] == {"enabled": False, "reason": "frozen"}
    assert checked["transitions"] == [{**closed(pipeline), "transition_type": "Inbound"}]
    assert transition(account, pipeline)["enabled"] is True


def test_what_fails_keeps_nothing_else_from_being_done(account: Account, workshop: Workshop, pipeline: str) -> None:
    other = workshop.pipeline(approval_stage("First"))

    with pytest.raises(ModuleFailed) as failure:
        run(account, closed("nobody"), closed(pipeline, "Third"), closed(other, reason=None), closed(pipeline))

    result = failure.value.result
    assert result["msg"].startswith("3 of 4 transitions failed. ")
    assert {name: each["action"] for name, each in result["resources"].items()} == {
        "nobody/First": "failed",
        f"{pipeline}/Third": "failed",
        f"{other}/First": "failed",
        f"{pipeline}/First": "updated",
    }
    assert "PipelineNotFoundException" in result["resources"]["nobody/First"]["error"]
    assert result["resources"][f"{pipeline}/Third"]["error"] == (
        f"transition {pipeline}/Third: the pipeline has no stage Third. Fix: name one of Source, First, Second"
    )
    assert result["resources"][f"{other}/First"]["error"] == (
        f"transition {other}/First: transitions[2].reason: it is needed to disable a transition"
    )
    assert result["api_calls"]["codepipeline:GetPipelineState"] == 3  # of each pipeline once
    assert transition(account, pipeline)["enabled"] is False
    assert transition(account, other)["enabled"] is True


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (closed("p", reason="a: b_c"), r"transitions\[0\]\.reason: ':_' in it is not allowed, only "),
        (closed("p", reason="x" * 301), r"transitions\[0\]\.reason: it has 301 characters, at most 300"),
        (
            {**opened("p"), "transition_type": "Outbound"},
            r"transitions\[0\]\.transition_type: 'Outbound' is not allowed",
        ),
        ({"pipeline": "p", "stage": "s"}, r"transitions\[0\]\.enabled: it is required and missing"),
    ],
)
def test_wrong_input_costs_no_call(account: Account, item: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModuleFailed, match=problem) as failure:
        run(account, item)

    assert "api_calls" not in failure.value.result


def test_one_transition_named_twice(account: Account) -> None:
    with pytest.raises(ModuleFailed, match=r"transitions\[1\].*'p/s' is also transitions\[0\]"):
        run(account, opened("p", "s"), closed("p", "s"))
