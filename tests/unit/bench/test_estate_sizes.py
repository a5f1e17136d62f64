# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No document of an estate outgrows what AWS takes with a thousand stacks, and hardly one grows at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import estate_sizes
from tests.bench.estate_sizes import LIMITS, documents, estate, given_stacks, growing, most, things

# With notifications, an estate that may remove all types gives the role that does more than IAM takes, however few
# stacks it has: the module refuses it before any call, and fewer types fit.
KNOWN = {("gitops-drift-act", "role's inline policies")}


@pytest.fixture(scope="module")
def sizes() -> dict[int, dict[tuple[str, str], int]]:
    """By number of stacks, the length of every document."""
    return {
        count: {(name, kind): size for name, kind, size in documents(*estate(given_stacks(count)))}
        for count in (1, 100, 1_000)
    }


def test_a_thousand_stacks_are_within_the_limits(sizes: dict[int, dict[tuple[str, str], int]]) -> None:
    assert {(name, kind) for (name, kind), size in sizes[1_000].items() if size > LIMITS[kind]} == KNOWN


def test_only_the_table_of_the_state_machine_grows(sizes: dict[int, dict[tuple[str, str], int]]) -> None:
    assert growing(sizes) == [("notices", "state machine"), ("notices' table of stacks", "state's output")]
    grown = sizes[1_000]["notices' table of stacks", "state's output"]
    assert grown <= LIMITS["state's output"] / 5


def test_every_kind_is_looked_at(sizes: dict[int, dict[tuple[str, str], int]]) -> None:
    assert {kind for _name, kind in sizes[1]} == set(LIMITS)


def test_what_aws_counts_grows_with_the_stacks_but_rules_and_policies() -> None:
    few, many = (things(*estate(given_stacks(count))) for count in (1, 101))
    assert {what: many[what] - few[what] for what in few} == {
        "roles": 300,
        "customer managed policies": 0,
        "build projects": 300,
        "pipelines": 300,
        "schedules": 100,
        "rules": 0,
    }


@pytest.mark.parametrize("source", ["codecommit", "s3"])
def test_a_stack_whose_code_is_in_aws_takes_a_rule_and_a_fourth_role(source: str) -> None:
    def given(count: int) -> list[dict[str, str]]:
        stacks = given_stacks(count)
        if source == "codecommit":
            return [{**each, "source": source, "repository": "infra"} for each in stacks]
        place = {"source": source, "source_bucket": "acme-code", "source_key": "source.zip"}
        return [{**place, "name": each["name"], "path": each["path"]} for each in stacks]

    few, many = (things(*estate(given(count))) for count in (1, 101))
    assert {what: many[what] - few[what] for what in ("roles", "rules")} == {"roles": 400, "rules": 100}


def test_dozens_of_stacks_may_come_after_one() -> None:
    assert estate_sizes.within(estate_sizes.with_dependents(40), estate_sizes.of_stack_roles)
    assert not estate_sizes.within(estate_sizes.with_dependents(100), estate_sizes.of_stack_roles)


@pytest.mark.parametrize(
    ("source", "part", "fitting"),
    [
        ("codecommit", estate_sizes.of_foundation, 10),
        ("codecommit", estate_sizes.of_people, 5),
        ("s3", estate_sizes.of_foundation, 10),
        ("s3", estate_sizes.of_people, 10),
    ],
)
def test_so_many_repositories_and_buckets_with_code_fit(source: str, part: Any, fitting: int) -> None:
    assert estate_sizes.within(estate_sizes.with_sources(fitting, source), part)
    assert not estate_sizes.within(estate_sizes.with_sources(fitting + 1, source), part)


@pytest.mark.parametrize(("limit", "greatest"), [(0, 0), (1, 1), (17, 17), (49, 49), (50, 50), (80, 50)])
def test_most_is_the_greatest_that_fits(limit: int, greatest: int) -> None:
    assert most(lambda number: number <= limit, 50) == greatest


ROWS = {
    "state machine of notices": ("notices", "state machine"),
    "its table of stacks": ("notices' table of stacks", "state's output"),
    "state bucket's policy": ("state bucket", "bucket policy"),
    "lock table's policy": ("lock table", "table policy"),
    "key's policy": ("key", "key policy"),
    "longest managed policy": ("drift_act", "managed policy"),
    "longest policy of the organisation": ("scp_pipeline", "organisation's policy"),
    "inline policies of the role `gitops-drift-act`": ("gitops-drift-act", "role's inline policies"),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_documentation_says_the_same(row: str, sizes: dict[int, dict[tuple[str, str], int]]) -> None:
    page = (estate_sizes.ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    [line] = [line for line in page.splitlines() if line.startswith(f"| {row}")]
    said = [int(cell.strip(" *").replace(",", "")) for cell in line.split("|")[2:6]]
    assert said == [LIMITS[ROWS[row][1]], *(sizes[count][ROWS[row]] for count in (1, 100, 1_000))]


def test_the_longest_stand_in_the_documentation(sizes: dict[int, dict[tuple[str, str], int]]) -> None:
    for kind in ("managed policy", "organisation's policy", "role's inline policies", "bucket policy"):
        longest = max((size, key) for key, size in sizes[1_000].items() if key[1] == kind)
        assert longest[1] in ROWS.values()
