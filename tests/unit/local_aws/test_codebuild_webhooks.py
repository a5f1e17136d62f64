# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events of a Git provider CodeBuild's webhooks let through, and what a build is told of its event."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from local_aws.codebuild import webhooks
from local_aws.codebuild.webhooks import Event

PULL_REQUEST = Event(
    "PULL_REQUEST_UPDATED",
    "example/repo",
    "refs/heads/feature/x",
    "c" * 40,
    "Change the network\n\n[skip plan]",
    ("envs/prod/main.tf", "README.md"),
    actor="4711",
    pull_request=7,
    base_ref="refs/heads/main",
)
PUSH = Event("PUSH", "example/repo", "refs/heads/main", "d" * 40, "a", ("main.tf",), previous="c" * 40)


def item(kind: str, pattern: str, exclude: bool | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"type": kind, "pattern": pattern}
    return found if exclude is None else found | {"excludeMatchedPattern": exclude}


EVENTS = item("EVENT", "PULL_REQUEST_CREATED, PULL_REQUEST_UPDATED,PUSH")


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ([EVENTS], True),
        ([item("EVENT", "PULL_REQUEST_CREATED")], False),
        ([item("EVENT", "PULL_REQUEST")], False),
        ([EVENTS, item("BASE_REF", "^refs/heads/main$")], True),
        ([EVENTS, item("BASE_REF", "^refs/heads/release")], False),
        ([EVENTS, item("HEAD_REF", "^refs/heads/feature/")], True),
        ([EVENTS, item("HEAD_REF", "^refs/heads/feature/", True)], False),
        # Anywhere in the text, as no anchor says otherwise.
        ([EVENTS, item("HEAD_REF", "feature")], True),
        ([EVENTS, item("ACTOR_ACCOUNT_ID", "471")], True),
        ([EVENTS, item("ACTOR_ACCOUNT_ID", "^471$")], False),
        # One file of the event is enough; excluded, none may match.
        ([EVENTS, item("FILE_PATH", "^envs/prod/.+")], True),
        ([EVENTS, item("FILE_PATH", r"\.py$")], False),
        ([EVENTS, item("FILE_PATH", r"\.md$", True)], False),
        ([EVENTS, item("FILE_PATH", r"\.py$", True)], True),
        ([EVENTS, item("COMMIT_MESSAGE", r"\[skip plan\]")], True),
        ([EVENTS, item("COMMIT_MESSAGE", r"\[skip plan\]", True)], False),
        # All filters of the group.
        ([EVENTS, item("HEAD_REF", "feature"), item("FILE_PATH", "^modules/")], False),
        ([EVENTS, item("WORKFLOW_NAME", ".*")], False),
        ([EVENTS, item("HEAD_REF", "(")], False),
    ],
)
def test_a_filter_group(filters: list[dict[str, Any]], passes: bool) -> None:
    assert webhooks.wanted({"filterGroups": [filters]}, PULL_REQUEST) is passes


def test_one_group_is_enough() -> None:
    pushes = [item("EVENT", "PUSH"), item("HEAD_REF", "^refs/heads/main$")]
    requests = [item("EVENT", "PULL_REQUEST_UPDATED")]
    assert webhooks.wanted({"filterGroups": [pushes, requests]}, PULL_REQUEST)
    assert webhooks.wanted({"filterGroups": [pushes, requests]}, PUSH)
    assert not webhooks.wanted({"filterGroups": [pushes, requests]}, replace(PUSH, head_ref="refs/heads/other"))


@pytest.mark.parametrize("exclude", [None, True])
def test_a_push_has_no_base(exclude: bool | None) -> None:
    group = [EVENTS, item("BASE_REF", "release", exclude)]
    assert not webhooks.wanted({"filterGroups": [group]}, PUSH)


def test_without_groups_every_change_of_the_code_counts() -> None:
    assert webhooks.wanted({}, PUSH)
    assert webhooks.wanted({"filterGroups": []}, PULL_REQUEST)
    assert not webhooks.wanted({}, replace(PULL_REQUEST, type="PULL_REQUEST_MERGED"))
    assert webhooks.wanted({"branchFilter": "^main$"}, PUSH)
    assert not webhooks.wanted({"branchFilter": "^main$"}, PULL_REQUEST)


@pytest.mark.parametrize(
    ("policy", "event", "asked"),
    [
        (None, {}, True),
        ("ALL_PULL_REQUESTS", {}, True),
        ("ALL_PULL_REQUESTS", {"role": "GITHUB_WRITE"}, False),
        ("ALL_PULL_REQUESTS", {"role": "GITHUB_READ"}, True),
        ("ALL_PULL_REQUESTS", {"approved": True}, False),
        ("FORK_PULL_REQUESTS", {}, False),
        ("FORK_PULL_REQUESTS", {"fork": "somebody/repo"}, True),
        ("FORK_PULL_REQUESTS", {"fork": "somebody/repo", "role": "GITHUB_ADMIN"}, False),
        ("FORK_PULL_REQUESTS", {"fork": "somebody/repo", "approved": True}, False),
        ("DISABLED", {"fork": "somebody/repo"}, False),
    ],
)
def test_pull_requests_that_wait_for_a_comment(policy: str | None, event: dict[str, Any], asked: bool) -> None:
    webhook = {"pullRequestBuildPolicy": {"requiresCommentApproval": policy}} if policy else {}
    assert webhooks.needs_approval(webhook, replace(PULL_REQUEST, **event), "GITHUB") is asked
    assert not webhooks.needs_approval(webhook, PUSH, "GITHUB")


def test_who_approves_can_be_said() -> None:
    roles = ["GITHUB_ADMIN"]
    webhook = {"pullRequestBuildPolicy": {"requiresCommentApproval": "ALL_PULL_REQUESTS", "approverRoles": roles}}
    assert webhooks.needs_approval(webhook, replace(PULL_REQUEST, role="GITHUB_WRITE"), "GITHUB")
    assert not webhooks.needs_approval(webhook, replace(PULL_REQUEST, role="GITHUB_ADMIN"), "GITHUB")
    maintainer = replace(PULL_REQUEST, role="GITLAB_MAINTAINER")
    assert not webhooks.needs_approval({}, maintainer, "GITLAB_SELF_MANAGED")


def test_what_a_build_is_told() -> None:
    assert PULL_REQUEST.source_version == "pr/7"
    assert PULL_REQUEST.variables() == {
        "CODEBUILD_WEBHOOK_ACTOR_ACCOUNT_ID": "4711",
        "CODEBUILD_WEBHOOK_BASE_REF": "refs/heads/main",
        "CODEBUILD_WEBHOOK_EVENT": "PULL_REQUEST_UPDATED",
        "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/feature/x",
        "CODEBUILD_WEBHOOK_TRIGGER": "pr/7",
    }
    assert PUSH.source_version == "d" * 40
    assert PUSH.variables() == {
        "CODEBUILD_WEBHOOK_ACTOR_ACCOUNT_ID": "1",
        "CODEBUILD_WEBHOOK_EVENT": "PUSH",
        "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/main",
        "CODEBUILD_WEBHOOK_PREV_COMMIT": "c" * 40,
        "CODEBUILD_WEBHOOK_TRIGGER": "branch/main",
    }
    assert replace(PUSH, head_ref="refs/tags/v1").trigger == "tag/v1"


def test_who_starts_the_build() -> None:
    assert webhooks.initiator("GITHUB_ENTERPRISE").startswith("GitHub-Hookshot/")
    assert webhooks.initiator("GITLAB").startswith("GitLab/")
    assert webhooks.initiator("BITBUCKET").startswith("Bitbucket-Webhooks/")
