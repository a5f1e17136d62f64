# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""run.yml with several stacks at once."""

from __future__ import annotations

import pytest

from tests.e2e.runs.conftest import Runs

BOTH = ("many-one", "many-two")


@pytest.fixture(scope="module")
def pushed(runs: Runs) -> list[str]:
    """Two stacks after one push, and their executions, which wait for approval."""
    for stack in BOTH:
        runs.write(stack, "value")
    executions = [runs.push("many-one", "Both")]
    (newest, *_others) = runs.estate.executions("gitops-many-two")
    runs.waiting("many-one", executions[0])
    runs.waiting("many-two", newest)
    return [*executions, newest]


def test_both_are_followed_until_they_wait_and_approved_by_their_ids(runs: Runs, pushed: list[str]) -> None:
    estate = runs.estate

    run = estate.playbook("run.yml", estate.operator, stack=",".join(BOTH), execution_id="latest")

    assert not run.failed, run.output
    assert run.mutations == []
    for stack, execution in zip(BOTH, pushed, strict=True):
        assert f"  {stack}: follows {execution}\n" in run.output
        assert f"  {stack}: Plan succeeded: 1 to add, 0 to change, 0 to destroy\n" in run.output
        assert f"  {stack}: Approve waits for approval\n" in run.output
        assert f'"{stack}: waits for approval, 1 to add, 0 to change, 0 to destroy. Destroys nothing."' in run.output
        assert f"-e stack={stack} -e execution_id={execution} -e approve=true" in run.output

    for stack in BOTH:
        estate.approve(f"gitops-{stack}")
        runs.ended(stack, pushed[BOTH.index(stack)], "Succeeded")


def test_both_are_started_and_what_failed_is_told_last(runs: Runs, pushed: list[str]) -> None:
    estate = runs.estate
    for stack, execution in zip(BOTH, pushed, strict=True):
        runs.ended(stack, execution, "Succeeded")
    main = runs.repository.clone / "many-one" / "main.tf"
    main.write_text(f'{main.read_text()}\noutput "broken" {{\n  value = nothing.there\n}}\n')
    runs.ended("many-one", runs.push("many-one", "Break one"), "Failed")

    checked = estate.playbook("run.yml", estate.operator, "--check", stack=list(BOTH))
    run = estate.playbook("run.yml", estate.operator, stack=list(BOTH))

    assert not checked.failed, checked.output
    assert checked.mutations == []
    assert all(checked.text.count(f"{stack}: would be started") == 1 for stack in BOTH)
    assert "It would start" not in checked.text
    assert run.failed
    assert [call.partition(" ")[0] for call in run.mutations] == ["codepipeline:StartPipelineExecution"] * 2
    assert "  many-one: Plan FAILED: " in run.output
    well = run.output.index('"many-two: nothing was done, no changes')
    assert well < run.output.index('"many-one: FAILED: Deploy/Plan: ')
    assert "Of 2 runs 1 failed, or has not ended: many-one" in run.text
    assert run.text.count("Reference to undeclared resource") == 2  # when it failed, and at the end


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"stack": "many-on,many-two,zzz"},
            "stack: 'many-on' (did you mean many-one?), 'zzz' are not among the stacks.",
        ),
        ({"stack": "all", "approve": True}, "Nothing was started or approved: approve=true approves one plan"),
        ({"stack": "many-one,many-two", "execution_id": "x"}, "execution_id is that of one run"),
        ({"stack": "many-one,many-two", "imports": {"a.b": "c"}}, "imports are addresses in one stack"),
    ],
)
def test_what_is_of_one_stack_is_refused_before_a_call(runs: Runs, variables: dict[str, object], message: str) -> None:
    run = runs.estate.playbook("run.yml", runs.estate.operator, **variables)

    assert run.failed
    assert message in run.text
    assert run.calls == []
