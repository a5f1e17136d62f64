# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that meet: of two stacks, of one stack twice, a push into an apply, an approval while site.yml changes things.

Each ends right or says why not, and the state is right then. What several pushes and approvals do one after the other
is in tests/e2e/runs.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.e2e.estate import Execution, Run
from tests.reliability.accidents import Accidents, until
from tests.reliability.figures import count

MEETINGS = "meetings of runs"
FRESH = re.compile("Nothing is applied: .* has changed since the plan was made: .* Fix: start the pipeline again")
REASONS = (
    FRESH,
    re.compile("Error: Saved plan is stale"),
    # Where the lock is released while Terraform asks who holds it.
    re.compile("Error: Error acquiring the state lock.* unexpected end of JSON input", re.DOTALL),
)
SITE_MOMENTS = ("iam:GetRole", "codebuild:BatchGetProjects", "codebuild:UpdateProject", "codepipeline:UpdatePipeline")


@contextmanager
def held(accidents: Accidents, stack: str) -> Iterator[None]:
    """An apply of this stack stops in the middle, and goes on at the end of the block."""
    go_on = accidents.planted / f"{stack}.go-on"
    go_on.unlink(missing_ok=True)
    with accidents.planned(stack, between=f'while [ ! -e "{go_on}" ]; do sleep 0.1; done'):
        try:
            yield
        finally:
            go_on.touch()


def in_the_middle(accidents: Accidents, stack: str, execution: str) -> None:
    """Waits until the apply is where it is held."""

    def provisions() -> bool:
        found = accidents.estate.look(f"gitops-{stack}", execution).actions.get("Apply")
        return bool(found and found.build_id and "Provisioning with" in accidents.estate.log(found.build_id))

    until(provisions)


@pytest.fixture(scope="module")
def built(accidents: Accidents) -> Accidents:
    """The estate where both stacks are built."""
    for stack in ("plain", "other"):
        accidents.once_built(stack)
    return accidents


def test_a_push_into_an_apply_waits_for_its_end_and_another_stack_for_nothing(built: Accidents) -> None:
    estate = built.estate
    count(MEETINGS)
    first = built.start("other", "pushed-first")
    built.runs.waiting("other", first)
    with held(built, "other"):
        estate.approve("gitops-other")
        in_the_middle(built, "other", first)
        second = built.start("other", "pushed-second")
        elsewhere = built.start("plain", "elsewhere")
        built.applied("plain", elsewhere)
        assert "Plan" not in estate.look("gitops-other", second).actions
        assert estate.look("gitops-other", first).actions["Apply"].status == "InProgress"
    built.runs.ended("other", first, "Succeeded")
    assert built.content("other") == {"this": "pushed-first", "after": "pushed-first"}
    assert built.content("plain") == {"this": "elsewhere", "after": "elsewhere"}

    built.applied("other", second)
    assert built.content("other") == {"this": "pushed-second", "after": "pushed-second"}


@pytest.mark.soak
def test_the_same_run_twice_does_it_once(built: Accidents) -> None:
    estate = built.estate
    count(MEETINGS)
    pushed = built.start("plain", "twice")
    with ThreadPoolExecutor(2) as pool:
        others = list(pool.map(lambda _number: estate.start("gitops-plain"), range(2)))
    built.applied("plain", pushed)
    state = built.state_object("plain")

    for execution in others:
        built.runs.ended("plain", execution, "Stopped")
    assert built.state_object("plain") == state
    assert built.content("plain") == {"this": "twice", "after": "twice"}


def test_of_an_apply_and_a_destruction_that_are_approved_at_once_one_is_done(built: Accidents) -> None:
    """They are two pipelines, so that only the state says that they meet."""
    estate, pipelines = built.estate, ("gitops-plain", "gitops-plain-destroy")
    count(MEETINGS)
    go_on = built.planted / "plain.plan-on"
    plan_waits = f'[ "$1" != plan ] || while [ ! -e "{go_on}" ]; do sleep 0.1; done'
    with built.planned("plain", plan_waits):
        applied = built.start("plain", "both")
        until(lambda: estate.look(pipelines[0], applied).actions.get("Plan"))
        early = estate.wait(pipelines[1], estate.start(pipelines[1], confirm="plain"))
        go_on.touch()
        assert "Cannot have more than 1 builds in queue for the project gitops-plain-plan" in str(early)
        built.runs.waiting("plain", applied)
    executions = applied, estate.start(pipelines[1], confirm="plain")
    waiting = estate.wait(pipelines[1], executions[1], for_approval=True)
    assert waiting.waits, estate.story(waiting)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(estate.approve, pipelines))
    ended = [estate.wait(*each) for each in zip(pipelines, executions, strict=True)]

    lost = [each for each in ended if each.status != "Succeeded"]
    assert [each.status for each in ended].count("Succeeded") == 1, [estate.story(each) for each in ended]
    told = "".join(estate.logs(lost[0]).values())
    assert any(reason.search(told) for reason in REASONS), told
    assert built.locks("plain") == []
    if lost[0] is ended[1]:
        assert built.content("plain") == {"this": "both", "after": "both"}
        again = estate.start(pipelines[1], confirm="plain")
        assert estate.wait(pipelines[1], again, for_approval=True).waits
        estate.approve(pipelines[1])
        assert estate.wait(pipelines[1], again).status == "Succeeded"
    assert built.content("plain") == {}
    built.applied("plain", estate.start("gitops-plain"))
    assert built.content("plain") == {"this": "both", "after": "both"}


def test_what_is_approved_while_site_yml_changes_the_pipeline_is_what_was_planned(
    built: Accidents, chance: random.Random, soak: bool
) -> None:
    """The settings change a variable of the code, the projects and the pipeline; the approval comes in between."""
    estate = built.estate
    count(MEETINGS, len(SITE_MOMENTS) if soak else 1)
    approved = f"approved-{chance.randrange(10**9)}"
    execution = built.start("other", approved)
    for moment in SITE_MOMENTS if soak else [chance.choice(SITE_MOMENTS)]:
        number = chance.randrange(10**9)
        built.runs.waiting("other", execution)
        state = built.state_object("other")
        settings = estate.stack("other")
        settings |= {
            "variables": {"content": f"set-{number}"},
            "timeout_in_minutes": 30 + number % 100,
            "approval_timeout_in_minutes": 60 + number % 100,
        }
        run = approved_meanwhile(built, moment)
        ended = estate.wait("gitops-other", execution)

        assert moment in {call["action"] for call in run.calls}
        right_or_told(built, ended, state, approved)
        again = estate.playbook("site.yml", estate.installer)
        assert again.recap["changed"] == 0, again.output
        # The next run plans what is set now.
        execution, approved = estate.start("gitops-other"), f"set-{number}"
    built.applied("other", execution)
    assert built.content("other") == {"this": approved, "after": approved}


def approved_meanwhile(accidents: Accidents, moment: str) -> Run:
    """site.yml, and the approval of what waits as soon as such a call was made."""
    estate = accidents.estate
    begin = len(estate.aws.calls())
    with ThreadPoolExecutor(1) as pool:
        site = pool.submit(estate.site)
        until(lambda: any(call["action"] == moment for call in estate.aws.calls()[begin:]) or site.done())
        estate.approve("gitops-other")
        return site.result()


def right_or_told(accidents: Accidents, ended: Execution, before: bytes, approved: str) -> None:
    """What was approved is there, or nothing was done and it is said why."""
    if ended.status == "Succeeded":
        assert accidents.content("other") == {"this": approved, "after": approved}
    else:
        assert accidents.state_object("other") == before
        assert FRESH.search(accidents.estate.story(ended)), accidents.estate.story(ended)
