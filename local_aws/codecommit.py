# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CodeCommit: local bare Git repositories that stand for an account's own, as far as they are sources of pipelines.

They are made and pushed to on this machine: the API only reads.
"""

from __future__ import annotations

import re
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from local_aws import git
from local_aws.aws_json import AwsError, Caller, JsonService

TARGET_PREFIXES = ["CodeCommit_20150413."]

_ARN = re.compile(r"arn:aws[\w-]*:codecommit:([a-z0-9-]+):(\d{12}):([\w.-]{1,100})", re.ASCII)
_repositories: dict[str, Path] = {}
_refs_when_mapped: dict[str, dict[str, str]] = {}
_lock = threading.RLock()


def map_repository(arn: str, path: Path) -> None:
    """Let a repository of an account and region be a local bare one. Raises AwsError BadRequest for what is none."""
    if not _ARN.fullmatch(arn):
        raise AwsError("BadRequest", f"{arn!r} is not the ARN of a repository in CodeCommit")
    try:
        refs = git.refs(path.resolve())
    except git.GitError as error:
        raise AwsError("BadRequest", f"{path} is not a Git repository") from error
    with _lock:
        if _repositories.get(arn) != path.resolve():
            _repositories[arn], _refs_when_mapped[arn] = path.resolve(), refs


def repositories() -> dict[str, Path]:
    """Every mapped repository, by ARN."""
    with _lock:
        return dict(_repositories)


def refs_when_mapped(arn: str) -> dict[str, str]:
    """What a repository held when it was mapped: pushes count from there."""
    with _lock:
        return dict(_refs_when_mapped.get(arn, {}))


def parts(arn: str) -> tuple[str, str, str]:
    """Region, account and name of a repository."""
    match = _ARN.fullmatch(arn)
    assert match is not None
    region, account_id, name = match.groups()
    return region, account_id, name


def url(arn: str) -> str:
    """The address from which people clone a repository."""
    region, _account_id, name = parts(arn)
    return f"https://git-codecommit.{region}.amazonaws.com/v1/repos/{name}"


def repository_id(arn: str) -> str:
    """AWS's id of a repository."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, arn))


def arn_of(name: str, account_id: str, region: str) -> str:
    """The ARN of a repository, whether it is there or not."""
    return f"arn:aws:codecommit:{region}:{account_id}:{name}"


class CodeCommitService(JsonService):
    """What reads repositories, branches and commits."""

    service_name: ClassVar[str] = "codecommit"

    def resource_arns(self, operation: str, request: dict[str, Any], caller: Caller) -> list[str]:
        name = request.get("repositoryName")
        return [arn_of(name, caller.account_id, caller.region)] if isinstance(name, str) else ["*"]

    def list_repositories(self, _request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        found = [arn for arn in repositories() if parts(arn)[:2] == (caller.region, caller.account_id)]
        return {
            "repositories": [
                {"repositoryName": parts(arn)[2], "repositoryId": repository_id(arn)} for arn in sorted(found)
            ]
        }

    def get_repository(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        arn, path = self._repository(request, caller)
        region, account_id, name = parts(arn)
        return {
            "repositoryMetadata": {
                "accountId": account_id,
                "repositoryId": repository_id(arn),
                "repositoryName": name,
                "defaultBranch": git.head(path).removeprefix("refs/heads/"),
                "creationDate": datetime.fromtimestamp(path.stat().st_ctime, UTC),
                "lastModifiedDate": datetime.fromtimestamp(path.stat().st_mtime, UTC),
                "cloneUrlHttp": url(arn),
                "cloneUrlSsh": f"ssh://git-codecommit.{region}.amazonaws.com/v1/repos/{name}",
                "Arn": arn,
            }
        }

    def get_branch(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        _arn, path = self._repository(request, caller)
        name = request.get("branchName")
        if not name:
            raise AwsError("BranchNameRequiredException", "A branch name is required")
        commit = git.commit_id(path, f"refs/heads/{name}")
        if commit is None:
            raise AwsError("BranchDoesNotExistException", f"{name} does not exist")
        return {"branch": {"branchName": name, "commitId": commit}}

    def get_commit(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        _arn, path = self._repository(request, caller)
        if not re.fullmatch(r"[0-9a-f]{40}", request["commitId"]):
            raise AwsError("InvalidCommitIdException", "The specified commit ID is not valid")
        found = git.commit_id(path, request["commitId"])
        if found is None:
            raise AwsError("CommitIdDoesNotExistException", f"Commit ID does not exist: {request['commitId']}")
        commit = git.commit(path, found)
        person = {"name": commit.author, "email": commit.email, "date": commit.date}
        return {
            "commit": {"commitId": commit.id, "message": commit.message, "author": person, "committer": person},
        }

    @staticmethod
    def _repository(request: dict[str, Any], caller: Caller) -> tuple[str, Path]:
        arn = arn_of(request["repositoryName"], caller.account_id, caller.region)
        path = repositories().get(arn)
        if path is None:
            raise AwsError("RepositoryDoesNotExistException", f"{request['repositoryName']} does not exist")
        return arn, path


SERVICE = CodeCommitService()
