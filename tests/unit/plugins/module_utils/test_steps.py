# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a step would find nothing, because what another deletes is not known when it is read. No calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws
from ansible_collections.gitops.aws.plugins.module_utils._steps import part, read_first, unknown_deletions

Problems = Callable[[list[dict[str, Any]]], list[str]]


@pytest.fixture
def problems(aws: Callable[..., Aws]) -> Problems:
    """What is wrong with the order of steps."""

    def find(given: list[dict[str, Any]]) -> list[str]:
        steps = [{"state": "absent", "with_deleted": None, **step} for step in given]
        made = [part(aws(), index, step, {}) for index, step in enumerate(steps) if step["items"]]
        assert [wrong for _part, wrong in made] == [[]] * len(made)
        parts = [one for one, _wrong in made if one]
        read_first(parts)
        return unknown_deletions(steps, parts)

    return find


def step(module: str, *names: str, **more: str) -> dict[str, Any]:
    return {"module": module, "items": [{"name": name} for name in names], **more}


RULE = step("eventbridge_rules", "a", with_deleted="iam_roles")


@pytest.mark.parametrize(
    "steps",
    [
        [RULE, step("iam_roles", "a")],
        [step("iam_roles", "b", state="present"), RULE, step("iam_roles", "a")],
        [RULE, step("iam_roles", "a"), step("iam_roles", "a", state="present")],
        [RULE, step("iam_roles")],  # all that there could be to delete is there already
    ],
)
def test_what_is_deleted_is_known(problems: Problems, steps: list[dict[str, Any]]) -> None:
    assert problems(steps) == []


@pytest.mark.parametrize(
    ("others", "allowed"),
    [
        ([], ["eventbridge_rules"]),
        ([step("iam_roles", "a", state="present")], ["eventbridge_rules"]),
        ([step("iam_policies", "a")], ["eventbridge_rules", "iam_policies"]),
    ],
)
def test_no_step_deletes_any(problems: Problems, others: list[dict[str, Any]], allowed: list[str]) -> None:
    (found,) = problems([RULE, *others])

    assert found == ("steps[0].with_deleted: no step deletes iam_roles; allowed are " + ", ".join(allowed))


@pytest.mark.parametrize(
    ("steps", "dependent", "late"),
    [
        ([RULE, step("iam_roles", "a", state="present"), step("iam_roles", "a")], 0, 2),
        ([step("eventbridge_rules", "a", state="present"), RULE, step("iam_roles", "a")], 1, 1),
    ],
)
def test_a_deletion_that_is_read_late_is_refused(
    problems: Problems, steps: list[dict[str, Any]], dependent: int, late: int
) -> None:
    (found,) = problems(steps)

    assert found.startswith(f"steps[{dependent}].with_deleted: steps[{late}] cannot be read ahead, because a step")
