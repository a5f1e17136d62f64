# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real local AWS for the tests of this folder, and the few things most of them need in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.local_aws.support import (
    Demo,
    LocalAws,
    Repository,
    Running,
    allow,
    approval_action,
    git,
    server,
    source_action,
    unique,
)


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Local AWS on a free port, with an administrator who is not root."""
    with server(tmp_path_factory.mktemp("local-aws")) as running:
        yield running


@pytest.fixture
def demo(local_aws: LocalAws) -> Demo:
    return Demo(local_aws)


@pytest.fixture
def repository(local_aws: LocalAws, tmp_path: Path) -> Repository:
    """A mapped repository with one commit on main."""
    made = Repository(unique("example/repo"), tmp_path / "repository.git", tmp_path / "clone")
    git("init", "-q", "--bare", "-b", "main", str(made.bare), cwd=tmp_path)
    git("clone", "-q", str(made.bare), str(made.clone), cwd=tmp_path)
    git("checkout", "-q", "-B", "main", cwd=made.clone)
    made.push({"main.tf": "# nothing\n", "bin/run.sh": "echo hello\n"}, message="first")
    local_aws.post("/_local/repositories", full_name=made.full_name, path=str(made.bare))
    return made


@pytest.fixture(scope="session")
def connection(local_aws: LocalAws) -> str:
    """An available connection; its ARN."""
    return local_aws.connection("shared")


@pytest.fixture(scope="session")
def artifact_bucket(local_aws: LocalAws) -> str:
    """A bucket for artifacts."""
    return local_aws.bucket("artifacts")


@pytest.fixture
def create(
    local_aws: LocalAws, repository: Repository, connection: str, artifact_bucket: str
) -> Callable[..., Running]:
    """Make a pipeline Source -> Approve on the repository; keyword arguments replace parts of it."""

    def made(
        statements: list[dict[str, Any]] | None = None,
        source: dict[str, Any] | None = None,
        approval: dict[str, Any] | None = None,
        store: dict[str, Any] | None = None,
        **more: Any,
    ) -> Running:
        name = unique("pipe")
        role = unique("role")
        enough = [
            allow("codeconnections:UseConnection", connection),
            allow(["s3:PutObject*", "s3:GetObject"], f"arn:aws:s3:::{artifact_bucket}/*"),
        ]
        arn = local_aws.role(role, "codepipeline.amazonaws.com", *(enough if statements is None else statements))
        declaration = {
            "name": name,
            "roleArn": arn,
            "pipelineType": "V2",
            "executionMode": "QUEUED",
            "artifactStore": {"type": "S3", "location": artifact_bucket} | (store or {}),
            "stages": [
                {"name": "Source", "actions": [source or source_action(connection, repository.full_name)]},
                {"name": "Approve", "actions": [approval or approval_action()]},
            ],
        } | more
        local_aws.client("codepipeline").create_pipeline(pipeline=declaration)
        return Running(local_aws, name, role)

    return made
