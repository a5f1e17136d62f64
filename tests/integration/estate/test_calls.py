# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many calls to AWS site.yml makes of an estate, exactly, and that they are few.

calls.txt beside this file has the numbers of runs that find everything as it should be: a row for each operation, a
column for each case. They are those of local AWS's log, of the installer with exactly the policies that
policies.yml renders. Who changes what is called changes them, and sees in the difference what that costs a thousand
stacks:

    WRITE_CALLS=1 pytest tests/integration/estate
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_estate import ROOT, LocalAws

from tests.e2e.estate import REPOSITORY, Estate, Run, new_estate, root

# What a run that changes nothing may take: for what the stacks share, and for each of them. From ten pipelines on,
# those are not read again whose version is known; all else comes in bulk, a page now and then.
SHARED, PER_STACK = 25, 2.5
# What one changed stack may take beyond that: its own writes, and what has to be read for them.
PER_CHANGE = 8

MANY = 40  # more than one page of projects (100) and roles

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"sealed": False},
    "notices": {"sealed": False, "notifications": {"recipients": [{"email": "platform@example.com"}]}},
    "sealed": {"sealed": True},
    "whole": {"sealed": True, "notifications": {"recipients": [{"email": "platform@example.com"}]}},
}
# All sizes of what most people have and of the largest; of the others the one where what is shared counts most.
CASES = [
    ("plain", 1),
    *(("notices", stacks) for stacks in (1, 3, MANY)),
    ("sealed", 1),
    *(("whole", stacks) for stacks in (1, 3, MANY)),
]
LARGE = [case for case in CASES if case[1] == MANY]
# Where it is more than that: each kind of resource of the foundation and of what tells people is read by itself, and a
# bare program for the same makes 39 calls. The numbers in calls.txt hold all the same.
ABOVE = {case for case in CASES if case[1] < MANY}

# What a stack takes that gets another branch, which its build projects say, too; and one of which somebody has deleted
# the pipeline that destroys: when it was made, only the list tells.
ANOTHER_BRANCH = Counter(
    {
        "codebuild:UpdateProject": 3,
        "codepipeline:GetPipeline": 2,
        "codepipeline:UpdatePipeline": 2,
        "s3:PutObject": 1,
    }
)
PIPELINE_GONE = Counter({"codepipeline:CreatePipeline": 1, "codepipeline:ListPipelines": 1, "s3:PutObject": 1})
CHANGED, WHOSE = "stack-0020", re.compile(r"gitops-stack-0020(-(plan|apply|destroy))?")
KNOWN = re.compile(r"s3:PutObject .*gitops-known/gitops-[0-9a-z-]+-pipelines\.json")

TABLE = Path(__file__).with_name("calls.txt")


def read_table() -> dict[str, Counter[str]]:
    """The numbers in the file: by case, by operation."""
    if not TABLE.exists():
        return {}
    (_operation, *cases), *rows = (line.split() for line in TABLE.read_text().splitlines())
    return {
        case: Counter({row[0]: int(row[column]) for row in rows if row[column] != "-" and row[0] != "all"})
        for column, case in enumerate(cases, start=1)
    }


def write_table(table: dict[str, Counter[str]]) -> None:
    """Puts the numbers into the file."""
    cases = [name for case in CASES for name in (case_name(case), f"{case_name(case)}-check") if name in table]
    operations = sorted({operation for counts in table.values() for operation in counts})
    rows = [["operation", *cases]]
    rows += [[each, *(str(table[case][each] or "-") for case in cases)] for each in operations]
    rows += [["all", *(str(table[case].total()) for case in cases)]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    TABLE.write_text("\n".join(lines) + "\n")


def in_table(column: str, found: Counter[str]) -> Counter[str]:
    """The numbers of a case that the file has; those that were found, where they are to be written."""
    if os.environ.get("WRITE_CALLS"):
        write_table({**read_table(), column: found})
    return read_table()[column]


def case_name(case: tuple[str, int]) -> str:
    return f"{case[0]}-{case[1]}"


def stack(number: int) -> dict[str, Any]:
    name = f"stack-{number:04}"
    return {
        "name": name,
        "repository": REPOSITORY,
        "path": name,
        "plan_permissions": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}],
        "apply_permissions": [
            {"Effect": "Allow", "Action": ["ec2:CreateVpc", "ec2:DeleteVpc", "ec2:CreateTags"], "Resource": "*"}
        ],
    }


def counts(run: Run) -> Counter[str]:
    """The calls of a run by operation, each once though the SDK may have had to repeat it."""
    once = {call["invocation"] or number: call["action"] for number, call in enumerate(run.calls)}
    return Counter(once.values())


def said(run: Run) -> tuple[int, str]:
    """What the callback has said: how many calls, and whether they change something."""
    found = re.search(r"^([\d,]+) calls?, (.*)$", run.output, re.MULTILINE)
    assert found, run.output
    return int(found[1].replace(",", "")), found[2]


@dataclass
class Made:
    """An estate, and how many stacks site.yml has made of it."""

    estate: Estate
    stacks: int = 0


Converge = Callable[[tuple[str, int]], Estate]


@pytest.fixture(scope="module")
def converged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Converge]:
    """Gives the estate of a case after site.yml has made it: each configuration in an account of its own."""
    made: dict[str, Made] = {}
    with ExitStack() as over:
        patch = over.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("ANSIBLE_CALLBACKS_ENABLED", "gitops.aws.api_calls")

        def converge(case: tuple[str, int]) -> Estate:
            configuration, stacks = case
            if configuration not in made:
                aws = over.enter_context(LocalAws(tmp_path_factory.mktemp("local-aws")).running())
                directory = tmp_path_factory.mktemp(configuration)
                estate, _repository = new_estate(aws, directory, [stack(1)], **SETTINGS[configuration])
                made[configuration] = Made(estate)
            here = made[configuration]
            assert here.stacks <= stacks  # what is taken out of the settings is not removed
            here.estate.stacks += [stack(number) for number in range(len(here.estate.stacks) + 1, stacks + 1)]
            if here.stacks < stacks:
                here.estate.site()
                here.stacks = stacks
            return here.estate

        yield converge


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_a_run_that_changes_nothing(case: tuple[str, int], converged: Converge) -> None:
    estate = converged(case)

    run = estate.site()

    assert run.recap["changed"] == 0, run.output
    assert run.mutations == []
    found = counts(run)
    assert found == in_table(case_name(case), found)
    assert said(run) == (found.total(), "none of which changes anything")


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_they_are_few(case: tuple[str, int]) -> None:
    found = read_table()[case_name(case)].total()

    assert (found > SHARED + PER_STACK * case[1]) == (case in ABOVE), found


def test_the_documentation_says_from_how_many_stacks_on() -> None:
    page = " ".join((ROOT / "docs" / "performance.md").read_text(encoding="utf-8").split())
    first = {
        configuration: math.ceil((read_table()[f"{configuration}-{MANY}"].total() - SHARED) / PER_STACK)
        for configuration in ("notices", "whole")
    }

    assert f"with notifications from {first['notices']}, and sealed from {first['whole']}." in page


@pytest.mark.parametrize("case", LARGE, ids=case_name)
def test_check_mode_calls_no_more(case: tuple[str, int], converged: Converge) -> None:
    run = converged(case).site("--check")

    assert run.mutations == []
    found = counts(run)
    assert found == in_table(f"{case_name(case)}-check", found)
    # Sealed, it does not ask what the break-glass role may do, which a first run makes.
    assert found <= read_table()[case_name(case)]


@pytest.mark.parametrize("case", LARGE, ids=case_name)
def test_a_changed_stack_takes_its_own_writes(case: tuple[str, int], converged: Converge) -> None:
    estate = converged(case)
    estate.stack(CHANGED)["branch"] = "release"

    run = estate.site()

    assert counts(run) == read_table()[case_name(case)] + ANOTHER_BRANCH
    assert ANOTHER_BRANCH.total() <= PER_CHANGE
    *written, known = run.mutations
    assert all(WHOSE.fullmatch(call.split()[1]) for call in written), written
    assert KNOWN.fullmatch(known)
    assert said(run)[1] == f"{len(run.mutations)} of which change something"


@pytest.mark.parametrize("case", LARGE, ids=case_name)
def test_a_pipeline_that_is_gone_takes_its_own_writes(case: tuple[str, int], converged: Converge) -> None:
    estate = converged(case)
    root(estate.aws.endpoint_url).client("codepipeline").delete_pipeline(name=f"gitops-{CHANGED}-destroy")

    run = estate.site()

    assert counts(run) == read_table()[case_name(case)] + PIPELINE_GONE
    made, known = run.mutations
    assert made == f"codepipeline:CreatePipeline gitops-{CHANGED}-destroy"
    assert KNOWN.fullmatch(known)
