# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories as sources of builds: which one and which commit is meant, who may clone it, and the clone.

Errors are worded as CodeBuild words them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from local_aws import codecommit, codeconnections, git
from local_aws.aws_json import AwsError, Caller, authorize

GIT_TYPES = ("GITHUB", "GITHUB_ENTERPRISE", "GITLAB", "GITLAB_SELF_MANAGED", "BITBUCKET")


_REFERENCE_BYTES = 64 * 1024


class SourceError(Exception):
    """A source that cannot be had."""


@dataclass(frozen=True)
class Reference:
    """What a source action stores instead of the code for CODEBUILD_CLONE_REF.

    A repository in CodeCommit has no connection, and its ARN as name.
    """

    connection_arn: str
    full_name: str
    commit: str
    branch: str

    def text(self) -> str:
        """The artifact's content. AWS documents none; its members are those known of CodeCommit's."""
        connection = {"ConnectionArn": self.connection_arn} if self.connection_arn else {}
        return json.dumps(
            {
                **connection,
                "FullRepositoryName": self.full_name,
                "CommitId": self.commit,
                "BranchName": self.branch,
            }
        )

    @classmethod
    def read(cls, file: IO[bytes]) -> Reference | None:
        """The reference that an artifact is; None, and the file at its beginning, for anything else, such as a zip."""
        try:
            found = json.loads(file.read(_REFERENCE_BYTES))
            connection = str(found.get("ConnectionArn", ""))
            return cls(connection, *[str(found[name]) for name in ("FullRepositoryName", "CommitId", "BranchName")])
        except (AttributeError, ValueError, TypeError, KeyError):
            file.seek(0)
            return None


@dataclass(frozen=True)
class Repository:
    """A repository behind a connection."""

    full_name: str
    path: Path
    url: str


@dataclass(frozen=True)
class Version:
    """A commit of a repository, and the ref that it has in a clone, if any, beside those of branches and tags."""

    commit: str
    ref: str = ""


def full_name(source: dict[str, Any]) -> str:
    """The repository of a project's source, such as "owner/name"; "" when it has none."""
    if source["type"] not in GIT_TYPES:
        return ""
    match = re.fullmatch(r"(?:https?://)?[^/]+/(.+?)(?:\.git)?/?", source.get("location", ""))
    return match[1] if match else ""


def connection_of(source: dict[str, Any], account_id: str) -> codeconnections.Connection | None:
    """The connection that a project's source names and that is complete; it may be in another region."""
    auth = source.get("auth", {})
    if auth.get("type") != "CODECONNECTIONS":
        return None
    return _available(auth.get("resource", ""), account_id)


def of_project(source: dict[str, Any], caller: Caller) -> Repository:
    """The repository of a project's source, for a role that may have the connection's token. Raises SourceError."""
    auth = source.get("auth", {})
    if auth.get("type") != "CODECONNECTIONS":
        raise SourceError(
            f"source type {source['type']} without a connection (auth type CODECONNECTIONS) is not part of local AWS"
        )
    arn = auth.get("resource", "")
    for permission in ("GetConnectionToken", "GetConnection"):
        try:
            codeconnections.authorize_connection(caller, permission, arn, {})
        except AwsError as error:
            raise SourceError(f"Failed to get access token from {arn}: Access denied to connection {arn}") from error
    connection = connection_of(source, caller.account_id)
    if connection is None:
        raise SourceError(f"Failed to get access token from {arn}: Connection {arn} is not available")
    return _mapped(connection, full_name(source))


def of_reference(reference: Reference, caller: Caller) -> Repository:
    """The repository of a reference, for a role that may use the connection, or pull. Raises SourceError."""
    if not reference.connection_arn:
        return _of_codecommit(reference.full_name, caller)
    try:
        codeconnections.authorize_connection(
            caller, "UseConnection", reference.connection_arn, {"FullRepositoryId": reference.full_name}
        )
    except AwsError as error:
        raise SourceError("authorization failed") from error
    connection = _available(reference.connection_arn, caller.account_id)
    if connection is None:
        raise SourceError("authorization failed")
    return _mapped(connection, reference.full_name)


def _of_codecommit(arn: str, caller: Caller) -> Repository:
    try:
        authorize(caller, "codecommit:GitPull", arn)
    except AwsError as error:
        raise SourceError("authorization failed") from error
    path = codecommit.repositories().get(arn)
    if path is None:
        raise SourceError("repository not found")
    return Repository(arn, path, codecommit.url(arn))


def version(repository: Repository, name: str | None) -> Version:
    """What a source version means: a branch, a tag, a commit, pr/<number>; without one the default branch.

    Raises SourceError.
    """
    try:
        name = name or git.head(repository.path)
    except git.GitError as error:
        raise SourceError("reference not found") from error
    match = re.fullmatch(r"pr/(\d+)", name)
    found = _pull_request(repository, int(match[1])) if match else _named(repository, name)
    if found is None:
        raise SourceError("reference not found")
    return found


def commit(repository: Repository, name: str) -> Version:
    """A commit by its id. Raises SourceError."""
    found = git.commit_id(repository.path, name) if not name.startswith("refs/") else None
    if found is None:
        raise SourceError("reference not found")
    return Version(found)


def clone(repository: Repository, wanted: Version, directory: Path, depth: int = 0) -> None:
    """Clone, and check the version out. Raises SourceError."""
    try:
        git.clone(repository.path, directory, wanted.commit, repository.url, ref=wanted.ref, depth=depth)
    except git.GitError as error:
        raise SourceError("reference not found") from error


def _named(repository: Repository, name: str) -> Version | None:
    """A branch comes before a tag, and both before a commit."""
    for ref in (f"refs/heads/{name}", f"refs/tags/{name}", name):
        if found := git.commit_id(repository.path, ref):
            branch = ref.startswith("refs/heads/")
            return Version(found, ref.replace("refs/heads/", "refs/remotes/origin/", 1) if branch else "")
    return None


def _pull_request(repository: Repository, number: int) -> Version | None:
    """The head of a pull request; without its branch the last that was heard of it."""
    known = codeconnections.pull_request(repository.full_name, number)
    found = git.head_of_pull_request(repository.path, number, known.branch if known else "")
    if found is None and known is not None:
        found = known.commit
    return Version(found, f"refs/pull/{number}/head") if found else None


def _available(arn: str, account_id: str) -> codeconnections.Connection | None:
    parts = arn.split(":")
    connection = codeconnections.SERVICE.find(arn, account_id, parts[3]) if len(parts) > 3 else None
    return connection if connection and connection.status == "AVAILABLE" else None


def _mapped(connection: codeconnections.Connection, name: str) -> Repository:
    path = codeconnections.repositories().get(name)
    if path is None:
        raise SourceError("repository not found")
    return Repository(name, path, connection.repository_url(name))
