# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source action and the push watcher need of a local Git repository."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


class GitError(Exception):
    """git refused; its message."""


@dataclass(frozen=True)
class Commit:
    """A commit as CodePipeline's source variables describe it; date is ISO 8601."""

    id: str
    message: str
    date: str
    author: str
    email: str


def _git(repository: Path, *arguments: str) -> str:
    # The repository is named by its owner on this machine; configuration of the user's shell must not change results.
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    done = subprocess.run(
        ["git", "-c", f"safe.directory={repository}", "-C", str(repository), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        errors="replace",
    )
    if done.returncode != 0:
        raise GitError(done.stderr.strip())
    return done.stdout


def refs(repository: Path) -> dict[str, str]:
    """Branches and tags (full ref names) with the commits they point to."""
    lines = _git(
        repository, "for-each-ref", "--format=%(refname) %(objectname) %(*objectname)", "refs/heads", "refs/tags"
    ).splitlines()
    found = {}
    for line in lines:
        name, objectname, peeled = line.split(" ")
        found[name] = peeled or objectname
    return found


def commit(repository: Path, revision: str) -> Commit:
    """The commit of a revision. Raises GitError when there is none."""
    text = _git(repository, "log", "-1", "--format=%H%x00%aI%x00%an%x00%ae%x00%B", "--end-of-options", revision)
    identifier, date, author, email, message = text.split("\0", 4)
    return Commit(identifier, message.strip(), date, author, email)


def archive(repository: Path, commit_id: str, target: Path) -> None:
    """Write the commit's files as a zip, without history."""
    _git(repository, "archive", "--format=zip", f"--output={target}", commit_id)


def changed_files(repository: Path, old: str | None, new: str) -> list[str]:
    """The files that differ between two commits; all files of the new one when there is no old one."""
    if old is None:
        return [name for name in _git(repository, "ls-tree", "-r", "-z", "--name-only", new).split("\0") if name]
    names = _git(repository, "diff", "-z", "--name-only", "--no-renames", old, new)
    return [name for name in names.split("\0") if name]
