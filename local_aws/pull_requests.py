# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells AWS of a pull request, as its provider does: webhooks of build projects, triggers of pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local_aws import codeconnections, git
from local_aws.aws_json import AwsError
from local_aws.codebuild.service import SERVICE as CODEBUILD
from local_aws.codebuild.webhooks import DEFAULT_ACTOR, Event
from local_aws.codepipeline import pull_requests as pipelines

EVENTS = ("created", "updated", "reopened", "merged", "closed")


def deliver(
    full_name: str,
    number: int,
    *,
    head: str,
    base: str,
    event: str = "created",
    fork: str = "",
    actor: str = DEFAULT_ACTOR,
    role: str = "",
    approved: bool = False,
) -> dict[str, Any]:
    """Deliver one event of a pull request; Event says what the members mean.

    Returns the builds and executions that it started, and what it did not start and why.
    """
    path = codeconnections.repositories().get(full_name)
    if path is None:
        raise AwsError("BadRequest", f"{full_name} is not a mapped repository")
    if event not in EVENTS:
        raise AwsError("BadRequest", f"{event} is none of the events {', '.join(EVENTS)}")
    known = _looked_up(full_name, number, path, head, base)
    codeconnections.remember_pull_request(full_name, number, known)
    told = Event(
        f"PULL_REQUEST_{event.upper()}",
        full_name,
        f"refs/heads/{head}",
        known.commit,
        git.commit(path, known.commit).message,
        known.files,
        actor=actor,
        pull_request=number,
        base_ref=f"refs/heads/{base}",
        fork=fork,
        role=role,
        approved=approved,
    )
    builds, executions = CODEBUILD.deliver(told), pipelines.deliver(told)
    return {
        "builds": [item for item in builds if "reason" not in item],
        "executions": [item for item in executions if "reason" not in item],
        "not_started": [item for item in (*builds, *executions) if "reason" in item],
    }


def _looked_up(full_name: str, number: int, path: Path, head: str, base: str) -> codeconnections.PullRequest:
    """A pull request as its branches are now; what they no longer show is what was last known of it."""
    before = codeconnections.pull_request(full_name, number)
    commit = git.head_of_pull_request(path, number, head)
    if commit is None and before is not None and before.branch == head:
        commit = before.commit
    target = git.commit_id(path, f"refs/heads/{base}")
    if commit is None or target is None:
        raise AwsError("BadRequest", f"{full_name} has no branch {base if commit else head}")
    try:
        files = git.files_of_pull_request(path, target, commit)
    except git.GitError:  # the branches have nothing in common
        files = git.changed_files(path, None, commit)
    # Once it is merged, its branch no longer differs.
    if not files and before and before.commit == commit:
        files = list(before.files)
    return codeconnections.PullRequest(head, commit, tuple(files))
