# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The counts that a bulk module writes, and the engine that counts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils import _progress
from ansible_collections.gitops.aws.plugins.module_utils._engine import converge
from ansible_collections.gitops.aws.plugins.module_utils._progress import Counts, Progress, counts_in
from tests.unit.plugins.module_utils.test_engine import OPTIONS, Crate, FakeAws

ITEM: dict[str, Any] = dict.fromkeys(OPTIONS)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a module is told of."""
    path = tmp_path / "counts"
    path.touch()
    monkeypatch.setenv(_progress.FILE, str(path))
    return path


@pytest.fixture
def noted(file: Path, monkeypatch: pytest.MonkeyPatch) -> list[Counts]:
    """All counts that were written there, in their order."""
    found: list[Counts] = []
    note = Progress._note

    def keep(progress: Progress, counts: Counts) -> None:
        note(progress, counts)
        written = counts_in(str(file))
        assert written
        found.append(written)

    monkeypatch.setattr(Progress, "_note", keep)
    return found


def run(names: list[str], store: dict[str, dict[str, Any]], check_mode: bool = False, state: str = "present") -> Crate:
    kind = Crate(FakeAws(check_mode=check_mode), store)
    items = [{**ITEM, "name": name, "size": 1} for name in names]
    converge(kind, "crates", OPTIONS, items, state, True)
    return kind


def test_every_read_and_every_write_is_counted(noted: list[Counts]) -> None:
    run(["same", "other", "new", "unreadable"], {"same": {"name": "same", "size": 1}, "other": {"name": "other"}})

    assert noted == [
        *(Counts(4, read, 0, 0) for read in range(5)),
        *(Counts(4, 4, 2, written) for written in range(3)),
    ]


def test_a_write_that_fails_is_over_too(noted: list[Counts]) -> None:
    kind = Crate(FakeAws())
    kind.fails["new"] = [ValueError("a bug")]
    converge(kind, "crates", OPTIONS, [{**ITEM, "name": "new", "size": 1}], "present", True)

    assert noted[-1] == Counts(1, 1, 1, 1)


def test_check_mode_counts_what_would_change(noted: list[Counts]) -> None:
    run(["new"], {}, check_mode=True)

    assert noted[-1].differ == 1


def test_a_kind_that_reads_many_at_a_time_counts_no_item_twice(file: Path) -> None:
    progress = Progress()
    progress.begin(150)
    for _batch in range(2):
        progress.read(100)

    assert counts_in(str(file)) == Counts(150, 150, 0, 0)


def test_nothing_is_written_unless_somebody_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(_progress.FILE, raising=False)
    monkeypatch.chdir(tmp_path)

    assert run(["new"], {}).store == {"new": {"name": "new", "size": 1}}
    assert os.listdir(tmp_path) == []


def test_a_file_that_cannot_be_written_does_not_matter(file: Path) -> None:
    file.unlink()

    assert run(["new"], {}).store == {"new": {"name": "new", "size": 1}}
    assert not file.exists()


@pytest.mark.parametrize("text", ["", "3 1", "3 1 x 0", "1 2 3 4 5", "\u00e4"])
def test_what_is_no_count_says_nothing(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")

    assert counts_in(str(file)) is None
    assert counts_in(f"{file}-gone") is None
