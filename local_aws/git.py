# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sources, builds and the watcher of changes need of a local Git repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
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


def _git(repository: Path, *arguments: str, configuration: Path | None = None) -> str:
    # The repository is named by its owner on this machine; configuration of the user's shell must not change results.
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    if configuration is not None:
        environment["GIT_CONFIG_GLOBAL"] = str(configuration)
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


def head(repository: Path) -> str:
    """The ref of the default branch, such as refs/heads/main."""
    return _git(repository, "symbolic-ref", "HEAD").strip()


def commit(repository: Path, revision: str) -> Commit:
    """The commit of a revision. Raises GitError when there is none."""
    text = _git(repository, "log", "-1", "--format=%H%x00%aI%x00%an%x00%ae%x00%B", "--end-of-options", revision)
    identifier, date, author, email, message = text.split("\0", 4)
    return Commit(identifier, message.strip(), date, author, email)


def commit_id(repository: Path, name: str) -> str | None:
    """The id of the commit that a full ref name or a commit id, maybe shortened, stands for; None without one."""
    if name.startswith("refs/"):
        plain = not re.search(r"[\x00-\x20~^:?*\[\\\x7f]|\.\.|@\{", name)
    else:
        plain = re.fullmatch(r"[0-9a-f]{7,40}", name) is not None
    if not plain:
        return None
    try:
        return _git(repository, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").strip()
    except GitError:
        return None


def archive(repository: Path, commit_id: str, target: Path) -> None:
    """Write the commit's files as a zip, without history."""
    _git(repository, "archive", "--format=zip", f"--output={target}", commit_id)


def clone(repository: Path, directory: Path, commit: str, url: str, *, ref: str = "", depth: int = 0) -> None:
    """Clone into an empty directory and check a commit out, with HEAD detached. Raises GitError.

    The clone has all branches, as origin's, and all tags; with a depth, only so many commits up to this one. ref is
    what the commit is called there beside that, if anything. The clone says that it came from url, and nothing in it
    leads back to the repository: no remote, no reflog, no object that both share.
    """
    default = head(repository)
    named = f"+{commit}:{ref}" if ref else commit
    if depth:
        fetched = [f"--depth={depth}", repository.as_uri(), named]
    else:
        fetched = [repository.as_uri(), "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
        if ref and not ref.startswith("refs/remotes/origin/"):
            fetched.append(named)
    with tempfile.TemporaryDirectory(prefix="local-aws-git-") as temporary:
        configuration = Path(temporary, "config")
        # A file, because the other side of the fetch reads it, too.
        configuration.write_text(
            f"[safe]\n\tdirectory = {json.dumps(str(repository), ensure_ascii=False)}\n"
            "[uploadpack]\n\tallowAnySHA1InWant = true\n[core]\n\tlogAllRefUpdates = false\n",
            encoding="utf-8",
        )
        for arguments in (
            ["init", "--quiet", f"--initial-branch={default.removeprefix('refs/heads/')}"],
            ["fetch", "--quiet", "--no-write-fetch-head", "--no-tags", *fetched],
            ["remote", "add", "origin", url],
            ["checkout", "--quiet", "--detach", commit],
        ):
            _git(directory, *arguments, configuration=configuration)
    remote = default.replace("refs/heads/", "refs/remotes/origin/", 1)
    if commit_id(directory, remote):
        _git(directory, "symbolic-ref", "refs/remotes/origin/HEAD", remote)


def changed_files(repository: Path, old: str | None, new: str) -> list[str]:
    """The files that differ between two commits; all files of the new one when there is no old one."""
    if old is None:
        return [name for name in _git(repository, "ls-tree", "-r", "-z", "--name-only", new).split("\0") if name]
    names = _git(repository, "diff", "-z", "--name-only", "--no-renames", old, new)
    return [name for name in names.split("\0") if name]


def head_of_pull_request(repository: Path, number: int, branch: str) -> str | None:
    """The head commit of a pull request: its own ref, where the repository has one as on GitHub, or else its branch."""
    found = commit_id(repository, f"refs/pull/{number}/head")
    return found or (commit_id(repository, f"refs/heads/{branch}") if branch else None)


def files_of_pull_request(repository: Path, base: str, head: str) -> list[str]:
    """The files that differ between a commit and where its history left another's. Raises GitError if it never did."""
    return changed_files(repository, _git(repository, "merge-base", base, head).strip(), head)
