# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""codepipeline_executions, with executions that really run, and how many calls it takes to look at them."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed
from tests.integration.modules.running import Workshop, approval_stage, build_stage, buildspec, eventually

MANY = 30
ADA = {"who": "Ada"}
QUICK: dict[str, Any] = {"poll_interval": 1, "wait_timeout": 90}
LOOK, STATUS, START = (
    f"codepipeline:{name}" for name in ("ListActionExecutions", "GetPipelineExecution", "StartPipelineExecution")
)


@pytest.fixture(scope="module")
def workshop(account: Account) -> Workshop:
    made = Workshop.open(account)
    made.commit("first")
    return made


@pytest.fixture(scope="module")
def asking(workshop: Workshop) -> list[str]:
    """Pipelines that wait for an approval as soon as they have their source."""
    return [workshop.pipeline(approval_stage()) for _number in range(MANY)]


@pytest.fixture(scope="module")
def building(workshop: Workshop) -> str:
    """A pipeline whose build exports what a plan exports, and fails for Eve."""
    commands = ('PLAN_SUMMARY="1 to add for $WHO"', 'test "$WHO" != Eve || { echo "Error: not Eve" && exit 1; }')
    project = workshop.project(buildspec(*commands, exported=("PLAN_SUMMARY",)), kind="CODEPIPELINE")
    return workshop.pipeline(build_stage("Build", project))


def run(account: Account, items: list[dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    return account.run("codepipeline_executions", executions=items, **{**QUICK, **arguments})


def waits(account: Account, pipeline: str, execution_id: str) -> bool:
    listed = account.client("codepipeline").list_action_executions(
        pipelineName=pipeline, filter={"pipelineExecutionId": execution_id}
    )["actionExecutionDetails"]
    return any((each["stageName"], each["status"]) == ("Approve", "InProgress") for each in listed)


def test_many_are_started_with_one_call_each_and_seen_with_one_call_each(account: Account, asking: list[str]) -> None:
    items = [{"pipeline": pipeline, "variables": ADA} for pipeline in asking]

    checked = run(account, items, check=True)
    started = run(account, items, wait=False)

    assert checked["changed"] is True
    assert checked["msg"] == f"It would start an execution of {', '.join(asking)}"
    assert checked["mutations"] == []
    assert checked["api_calls"] == {"codepipeline:GetPipeline": MANY}
    assert started["changed"] is True
    assert started["api_calls"] == {START: MANY}
    assert [each["pipeline"] for each in started["executions"]] == asking

    for each in started["executions"]:
        eventually(functools.partial(waits, account, each["pipeline"], each["execution_id"]))
    seen = run(account, started["executions"], wait_for_approval=False)

    assert seen["changed"] is False
    assert seen["mutations"] == []
    assert seen["api_calls"] == {LOOK: MANY}
    assert seen["executions"] == started["executions"]
    assert {each["waiting_for_approval"]["stage"] for each in seen["resources"].values()} == {"Approve"}
    with pytest.raises(ModuleFailed, match=f"{MANY} of {MANY} executions have not ended after 0 s and go on: "):
        run(account, started["executions"], wait_timeout=0)


def test_one_fails_and_the_others_come_to_their_ends(account: Account, workshop: Workshop, building: str) -> None:
    project = workshop.project(buildspec("true"), kind="CODEPIPELINE")
    good = workshop.pipeline(build_stage("Build", project))
    items: list[dict[str, Any]] = [
        {"pipeline": building, "variables": {"who": "Eve"}},
        {"pipeline": good, "variables": ADA},
        {"pipeline": "there-is-none"},
    ]

    with pytest.raises(ModuleFailed) as failure:
        run(account, items)

    result = failure.value.result
    assert result["resources"][good]["status"] == "Succeeded"
    assert result["resources"][building]["reason"] == "Error: not Eve"
    assert result["resources"]["there-is-none"]["action"] == "failed"
    assert result["msg"].startswith(
        f"2 of 3 executions failed. pipeline {building}: Build/Run: Error: not Eve | pipeline "
    )
    assert "PipelineNotFoundException" in result["msg"]
    assert result["changed"] is True
    assert result["api_calls"][START] == 3
    assert result["api_calls"]["codebuild:BatchGetBuilds"] == 1
    # Twice where nothing runs: at the beginning perhaps, and at the end of each.
    assert 2 <= result["api_calls"][STATUS] <= 6


def test_the_newest_is_followed_and_a_plan_can_be_told_of(account: Account, building: str) -> None:
    started = run(account, [{"pipeline": building, "variables": ADA}], wait=False)

    followed = run(account, [{"pipeline": building, "execution_id": "latest"}])

    assert followed["executions"] == started["executions"]
    assert followed["changed"] is False
    (stage,) = [stage for stage in followed["resources"][building]["stages"] if stage["name"] == "Build"]
    assert stage["actions"][0]["output_variables"]["PLAN_SUMMARY"] == "1 to add for Ada"


def test_nothing_is_started_where_the_input_is_wrong(account: Account, building: str) -> None:
    with pytest.raises(
        ModuleFailed, match=r"executions\[1\].pipeline: '.*' is also executions\[0\].pipeline"
    ) as failure:
        run(account, [{"pipeline": building}, {"pipeline": building}])

    assert failure.value.result["mutations"] == []


def test_one_that_never_ran_has_no_newest(account: Account, workshop: Workshop) -> None:
    pipeline = workshop.pipeline(approval_stage())

    with pytest.raises(ModuleFailed, match=f"pipeline {pipeline}: it never ran. Fix: leave execution_id out"):
        run(account, [{"pipeline": pipeline, "execution_id": "latest"}])
