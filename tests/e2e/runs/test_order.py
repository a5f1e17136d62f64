# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks that come after others, one push for both; and pushes that concern neither."""

from __future__ import annotations

from datetime import datetime

import pytest
from local_estate import execution_of_push

from tests.e2e.runs.conftest import Runs


@pytest.fixture(scope="module")
def both(runs: Runs) -> tuple[str, str]:
    """One push to both stacks: the execution that it starts of each."""
    for stack in ("base", "app"):
        runs.write(stack, "value")
    commit = runs.repository.push("Both")
    assert runs.estate.operator
    base, app = (execution_of_push(runs.estate.operator, f"gitops-{stack}", commit) for stack in ("base", "app"))
    return base, app


def test_the_one_that_comes_after_waits_and_is_started_again(runs: Runs, both: tuple[str, str]) -> None:
    estate = runs.estate
    first = runs.ended("base", both[0], "Succeeded")
    early = runs.ended("app", both[1], "Stopped")
    assert "Apply" not in early.actions
    assert early.actions["Plan"].variables["PLAN_EFFECTS"].startswith("Waits for gitops-base to apply commit ")
    assert "Started gitops-app, which comes after this stack." in estate.log(first.actions["Apply"].build_id)

    (later,) = (each for each in estate.executions("gitops-app")[:1] if each != both[1])
    ended = runs.ended("app", later, "Succeeded")

    assert estate.state("app") is not None
    pipelines = estate.administrator.client("codepipeline")

    def time_of(stack: str, execution: str, which: str) -> datetime:
        details = pipelines.list_action_executions(
            pipelineName=f"gitops-{stack}", filter={"pipelineExecutionId": execution}
        )["actionExecutionDetails"]
        found: datetime = next(detail[which] for detail in details if detail["actionName"] == "Apply")
        return found

    assert time_of("base", both[0], "lastUpdateTime") <= time_of("app", ended.id, "startTime")


def test_a_push_to_the_later_one_alone_does_not_wait(runs: Runs, both: tuple[str, str]) -> None:
    runs.ended("base", both[0], "Succeeded")
    before = runs.estate.executions("gitops-base")
    runs.say("app", "second")
    runs.ended("app", runs.push("app"), "Succeeded")
    assert runs.estate.executions("gitops-base") == before
