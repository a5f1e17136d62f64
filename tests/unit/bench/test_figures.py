# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bench says of what it has measured."""

from __future__ import annotations

import pytest

from tests.bench.estate import contender
from tests.bench.estate.account import expected, is_write
from tests.bench.estate.figures import (
    Figures,
    Key,
    Measured,
    between,
    table_of_calls,
    table_of_targets,
    table_of_times,
)


def measured(
    who: str, stacks: int, case: str, latency: int, *seconds: float, mebibytes: float = 80, calls: int = 40
) -> list[Measured]:
    return [Measured(Key(who, stacks, case, latency), one, mebibytes, calls) for one in seconds]


def test_the_median_counts() -> None:
    figures = Figures(measured("ours", 1, "converged", 0, 9.0, 2.0, 3.0))
    assert figures.seconds(Key("ours", 1, "converged", 0)) == 3.0
    assert figures.seconds(Key("ours", 1, "converged", 50)) is None


def test_loops_are_extrapolated_from_two_smaller_estates_and_nobody_else_is() -> None:
    runs = [
        *measured("loops", 1, "converged", 0, 30.0),
        *measured("loops", 20, "converged", 0, 220.0),
        *measured("floor", 1, "converged", 0, 1.0),
        *measured("floor", 20, "converged", 0, 2.0),
    ]
    figures = Figures(runs)
    assert figures.seconds(Key("loops", 100, "converged", 0)) == pytest.approx(1020)
    assert figures.seconds(Key("loops", 100, "converged", 50)) is None
    assert figures.seconds(Key("loops", 10, "converged", 0)) is None
    assert figures.seconds(Key("loops", 1000, "converged", 0)) is None
    assert figures.seconds(Key("floor", 100, "converged", 0)) is None


def test_targets() -> None:
    runs = [
        *measured("ours", 1, "converged", 0, 3.0),
        *measured("terraform", 1, "converged", 0, 3.0),
        *measured("ours", 100, "converged", 0, 4.1),
        *measured("terraform", 100, "converged", 0, 10.0),
        *measured("loops", 1, "converged", 0, 30.0),
        *measured("loops", 20, "converged", 0, 220.0),
        *measured("ours", 1000, "converged", 0, 41.1, mebibytes=401.0),
    ]
    figures = Figures(runs)
    assert figures.unmeasured()
    assert figures.missed() == [
        "converged run, 100 stacks, against terraform: 0.41, at most 0.4",
        "converged run, 1,000 stacks against 100: 10, at most 10",
        "memory of one process at 1000 stacks: 401 MiB, at most 400",
    ]
    lines = table_of_targets(figures).splitlines()
    assert "| converged run, 1 stack | 3.0 s | terraform | 3.0 s | 1.00 | 1 | met |" in lines
    assert "| converged run, 100 stacks | 4.1 s | terraform | 10.0 s | 0.41 | 0.4 | **not met** |" in lines
    assert "| converged run, 100 stacks | 4.1 s | loops | about 1,020 s | 0.004 | 0.03 | met |" in lines
    assert "| first run, 100 stacks |  | terraform |  |  | 0.5 | not measured |" in lines
    assert lines[-1] == "| peak memory of one process, 1,000 stacks | 401 MiB |  |  |  | 400 MiB | **not met** |"


def test_other_tables() -> None:
    runs = [
        *measured("ours", 1, "first", 0, 3.0, calls=70),
        *measured("ours", 1, "first", 50, 5.0, calls=75, mebibytes=100),
        *measured("floor", 1, "first", 50, 2.04, calls=60),
    ]
    figures = Figures(runs)
    assert table_of_times(figures).splitlines()[2:] == [
        "| 1 | 0 | first run | 3.0 s |  |  |  |",
        "| 1 | 50 | first run | 5.0 s |  |  | 2.0 s |",
    ]
    assert table_of_calls(figures).splitlines()[2:] == [
        "| 1 | ours | 75 |  |  |  | 100 MiB |",
        "| 1 | floor | 60 |  |  |  | 80 MiB |",
    ]


def test_a_document_gets_new_content_between_its_markers() -> None:
    text = "a\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nb\n"
    assert between(text, "bench", "new\n") == "a\n<!-- bench: begin -->\nnew\n<!-- bench: end -->\nb\n"
    with pytest.raises(ValueError, match="no markers"):
        between("a\n", "bench", "new")


@pytest.mark.parametrize(
    ("action", "writes"),
    [
        ("iam:GetAccountAuthorizationDetails", False),
        ("codebuild:BatchGetProjects", False),
        ("s3:ListBucket", False),
        ("codepipeline:UpdatePipeline", True),
        ("s3:PutBucketPolicy", True),
        ("sqs:SetQueueAttributes", True),
    ],
)
def test_what_a_writing_call_is(action: str, writes: bool) -> None:
    assert is_write(action) is writes


def test_the_estate_of_all_contenders() -> None:
    assert len(contender.stacks(3)) == 3
    assert contender.stacks(3, contender.branches(3, "release"))[1]["branch"] == "release"
    assert {kind: len(contender.buildspec(kind)) for kind in ("plan", "apply", "destroy")} == {
        "plan": 38290,
        "apply": 19105,
        "destroy": 19148,
    }
    assert {kind: len(names) for kind, names in expected(3).items() if kind in ("role", "project", "pipeline")} == {
        "role": 11,
        "project": 9,
        "pipeline": 6,
    }
