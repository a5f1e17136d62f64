# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commit statuses that CodeBuild posts to a Git provider; here each is a line of DATA/commit_statuses.jsonl."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from typing import Any

from local_aws import process
from local_aws.codebuild.builds import FAILED, SUCCEEDED, console_url

NOT_APPROVED = "Pull request approval required for starting a build"
_STATES = {SUCCEEDED: ("success", "succeeded"), FAILED: ("failure", "failed")}
_lock = threading.Lock()


@dataclass(frozen=True)
class Status:
    """A commit status as providers know it; state is pending, success, failure or error."""

    repository: str
    commit: str
    state: str
    context: str
    target_url: str
    description: str


def started(build: dict[str, Any], repository: str, commit: str) -> Status:
    """The status of a build that begins."""
    return _of_build(build, repository, commit, "pending", "started")


def ended(build: dict[str, Any], repository: str, commit: str, build_status: str) -> Status:
    """The status of a build that ended; what neither succeeded nor failed is an error."""
    return _of_build(build, repository, commit, *_STATES.get(build_status, ("error", "ended with an error")))


def not_approved(project: dict[str, Any], repository: str, commit: str) -> Status:
    """The status of a pull request whose build waits for a comment."""
    region, account_id = project["arn"].split(":")[3:5]
    url = f"https://{region}.console.aws.amazon.com/codesuite/codebuild/{account_id}/projects/{project['name']}"
    return Status(repository, commit, "failure", *_shown(project["source"], project["name"], region, url), NOT_APPROVED)


def post(status: Status) -> None:
    """Write a status."""
    with _lock, (process.data_dir() / "commit_statuses.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(status)) + "\n")


def _of_build(build: dict[str, Any], repository: str, commit: str, state: str, verb: str) -> Status:
    region, name = build["arn"].split(":")[3], build["projectName"]
    shown = _shown(build["source"], name, region, console_url(build))
    return Status(repository, commit, state, *shown, f"Build {verb} for project {name}")


def _shown(source: dict[str, Any], project: str, region: str, url: str) -> tuple[str, str]:
    """The context and the target URL; the project may have its own."""
    config = source.get("buildStatusConfig", {})
    return config.get("context") or f"AWS CodeBuild {region} ({project})", config.get("targetUrl") or url
