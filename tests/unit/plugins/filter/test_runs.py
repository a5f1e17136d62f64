# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which stacks are meant, and what is told of their runs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate.runs import chosen_stacks, run_report
from tests.unit.plugins.action.test_codepipeline_executions import ASKED, COUNTS, PLANNED, action, run_of

STACKS = [{"name": name} for name in ("network", "shop", "data")]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("network", ["network"]),
        (" shop , network,shop", ["shop", "network"]),
        (["data", "shop"], ["data", "shop"]),
        ("all", ["network", "shop", "data"]),
    ],
)
def test_names(wanted: Any, names: list[str]) -> None:
    assert chosen_stacks(STACKS, wanted) == {"names": names, "problem": ""}


def test_a_stack_may_be_called_all() -> None:
    assert chosen_stacks([*STACKS, {"name": "all"}], "all")["names"] == ["all"]


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("", "stack: '' is not among the stacks. "),
        ("network,", "stack: '' is not among the stacks. "),
        ("netwrok", "stack: 'netwrok' (did you mean network?) is not among the stacks. "),
        ("netwrok,shop,x", "stack: 'netwrok' (did you mean network?), 'x' are not among the stacks. "),
        ("all,shop", "stack: 'all' is not among the stacks. "),
        (None, "stack: 'None' is not among the stacks. "),
        ([], "stack: '' is not among the stacks. "),
    ],
)
def test_every_wrong_name_is_said(wanted: Any, problem: str) -> None:
    found = chosen_stacks(STACKS, wanted)["problem"]

    assert found.startswith(problem)
    assert found.endswith("Allowed are: network, shop, data")


def test_a_thousand_stacks_are_not_all_listed() -> None:
    found = chosen_stacks([{"name": f"s{number}"} for number in range(1000)], "none")["problem"]

    assert found.endswith(" s29 and 970 more")


def test_the_report_has_a_line_for_each_and_what_failed_last() -> None:
    def stack_run(stack: str, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
        return run_of(f"gitops-{stack}", *actions, label=stack, **more)

    failed = stack_run("bad", action("Plan", "Failed", "terminated"), status="Failed", reason="Error: no quota")
    nothing = action("Plan", "Succeeded", PLAN_SUMMARY="no changes", PLAN_EFFECTS="Destroys nothing.")
    waits = action("Plan", "Succeeded", PLAN_SUMMARY="no plan", PLAN_EFFECTS="Waits for gitops-network to apply.")
    denied = {**stack_run("denied", status=""), "id": "", "action": "failed", "error": "pipeline x: denied"}

    assert run_report(
        {
            "gitops-bad": failed,
            "gitops-slow": stack_run("slow", PLANNED),
            "gitops-denied": denied,
            "gitops-shop": stack_run("shop", PLANNED, ASKED),
            "gitops-network": stack_run("network", PLANNED, status="Succeeded"),
            "gitops-plain": stack_run("plain", status="Succeeded"),
            "gitops-still": stack_run("still", nothing, status="Stopped"),
            "gitops-after": stack_run("after", waits, status="Stopped"),
            "gitops-old": stack_run("old", status="Superseded"),
            "gitops-checked": {**stack_run("checked", status=""), "id": ""},
        }
    ) == {
        "lines": [
            f"shop: waits for approval, {COUNTS}",
            f"network: succeeded, {COUNTS}",
            "plain: succeeded",
            "still: nothing was done, no changes. Destroys nothing.",
            "after: nothing was done, no plan. Waits for gitops-network to apply.",
            "old: superseded by a newer run",
            "checked: would be started",
            "bad: FAILED: Deploy/Plan: Error: no quota",
            f"slow: still runs, {COUNTS} (-e execution_id=id-gitops-slow follows it)",
            "denied: FAILED: pipeline x: denied",
        ],
        "approve": ["-e stack=shop -e execution_id=id-gitops-shop -e approve=true"],
        "failed": ["bad", "slow", "denied"],
    }


def test_the_report_does_not_command_the_terminal() -> None:
    failed = run_of("bad", action("Plan", "Failed"), status="Failed", reason="Error: \x1b]0;title\x07")

    assert run_report({"bad": failed})["lines"] == ["bad: FAILED: Deploy/Plan: Error: \\x1b]0;title\\x07"]
