# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that users notice comes with a changelog fragment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "check_fragment.py"
GIT = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a module and a fragment, on the branch `change`, which left `main` there."""
    subprocess.run([*GIT, "init", "--quiet", "--initial-branch=main"], cwd=tmp_path, check=True)
    commit(tmp_path, "plugins/modules/old.py", "changelogs/fragments/old.yml")
    subprocess.run([*GIT, "switch", "--quiet", "--create", "change"], cwd=tmp_path, check=True)
    return tmp_path


def commit(repository: Path, *names: str, gone: str = "") -> None:
    for name in names:
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(name)
    if gone:
        (repository / gone).unlink()
    subprocess.run([*GIT, "add", "--all"], cwd=repository, check=True)
    subprocess.run([*GIT, "commit", "--quiet", "--message", "x"], cwd=repository, check=True)


def check(repository: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "main"]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["plugins/a.py", "roles/iam/tasks/main.yml", "playbooks/site.yml", "buildspecs/a.yml"])
def test_change_without_a_fragment_is_named(repository: Path, name: str) -> None:
    commit(repository, name, "docs/runs.md")
    result = check(repository)
    assert result.returncode == 1
    assert result.stdout.splitlines()[2:] == [f"  {name}"]


def test_change_with_a_fragment_passes(repository: Path) -> None:
    commit(repository, "plugins/a.py", "changelogs/fragments/a.yml")
    assert check(repository).returncode == 0


def test_what_users_do_not_notice_needs_none(repository: Path) -> None:
    commit(repository, "tests/a.py", "docs/runs.md")
    assert check(repository).returncode == 0


def test_taking_a_fragment_away_tells_nothing(repository: Path) -> None:
    commit(repository, gone="changelogs/fragments/old.yml")
    commit(repository, "plugins/a.py")
    assert check(repository).returncode == 1


def test_taking_a_module_away_needs_one(repository: Path) -> None:
    commit(repository, gone="plugins/modules/old.py")
    assert check(repository).returncode == 1
