# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""find_python.sh picks the newest Python that works, out of whatever PATH offers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "find_python.sh"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH, with a space in its name."""
    directory = tmp_path / "some bin"
    directory.mkdir()
    return directory


def offer(path: Path, name: str, body: str) -> Path:
    """Put a command NAME on PATH that runs BODY."""
    command = path / name
    command.write_text(f"#!/bin/sh\n{body}\n")
    command.chmod(0o755)
    return command


def works(path: Path, name: str) -> Path:
    """Put a Python on PATH that is new enough: it prints where it is, as the script asks it to."""
    return offer(path, name, 'echo "$0"')


def find(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(SCRIPT)]
    return subprocess.run(command, env={"PATH": str(path), **environment}, capture_output=True, text=True, check=False)


def test_the_newest_is_taken(path: Path) -> None:
    works(path, "python3")
    works(path, "python3.11")
    newest = works(path, "python3.13")

    assert find(path).stdout.strip() == str(newest)


def test_a_shim_without_a_python_behind_it_is_skipped(path: Path) -> None:
    offer(path, "python3.13", 'echo "pyenv: python3.13: command not found" >&2; exit 127')
    found = works(path, "python3.12")

    result = find(path)

    assert (result.stdout.strip(), result.stderr) == (str(found), "")


def test_an_old_python_is_skipped(path: Path) -> None:
    offer(path, "python3", "exit 1")
    found = works(path, "python")

    assert find(path).stdout.strip() == str(found)


def test_nothing_found_says_what_to_do(path: Path) -> None:
    result = find(path)

    assert result.returncode == 1
    assert "make PYTHON=" in result.stderr


def test_a_python_that_was_asked_for_is_taken(path: Path, tmp_path: Path) -> None:
    works(path, "python3.13")
    other = works(tmp_path, "mine")

    assert find(path, PYTHON=str(other)).stdout.strip() == str(other)


def test_a_python_that_was_asked_for_must_work(path: Path, tmp_path: Path) -> None:
    works(path, "python3.13")
    other = offer(tmp_path, "mine", "exit 1")

    result = find(path, PYTHON=str(other))

    assert result.returncode == 1
    assert f"PYTHON={other}" in result.stderr
