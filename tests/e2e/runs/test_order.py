# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks that come after others, one push for both; and pushes that concern neither."""

from __future__ import annotations

import json

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


def test_the_one_that_comes_after_is_applied_after(runs: Runs, both: tuple[str, str]) -> None:
    """The first has to be approved, so that the second cannot wait for it in its build."""
    estate = runs.estate
    runs.waiting("base", both[0])
    early = runs.ended("app", both[1], "Stopped")
    assert set(early.actions) == {"Source", "Plan"}
    assert early.actions["Plan"].variables["PLAN_EFFECTS"].startswith("Waits for gitops-base to apply commit ")
    estate.approve("gitops-base")
    first = runs.ended("base", both[0], "Succeeded")
    assert "Started gitops-app, which comes after this stack." in estate.log(first.actions["Apply"].build_id)

    (later, *earlier) = estate.executions("gitops-app")
    assert earlier[0] == both[1]
    runs.ended("app", later, "Succeeded")
    assert estate.state("app") is not None


def test_a_run_without_changes_lets_the_later_one_go_on(runs: Runs, both: tuple[str, str]) -> None:
    runs.ended("base", both[0], "Succeeded")
    (runs.repository.clone / "base" / "note.txt").write_text("Nothing for Terraform\n")
    runs.say("app", "with-base")
    commit = runs.repository.push("A note there, a change here")
    assert runs.estate.operator
    base, app = (execution_of_push(runs.estate.operator, f"gitops-{stack}", commit) for stack in ("base", "app"))

    runs.ended("base", base, "Stopped")
    runs.ended("app", app, "Succeeded")
    assert '"with-base"' in json.dumps(runs.estate.state("app"))


def test_a_push_to_the_later_one_alone_does_not_wait(runs: Runs, both: tuple[str, str]) -> None:
    runs.ended("base", both[0], "Succeeded")
    before = runs.estate.executions("gitops-base")
    runs.say("app", "second")
    runs.ended("app", runs.push("app"), "Succeeded")
    assert runs.estate.executions("gitops-base") == before
