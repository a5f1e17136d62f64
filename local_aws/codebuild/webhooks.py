# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events of a Git provider start a project's builds, and what a build knows of its event. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

PUSH = "PUSH"
DEFAULT_ACTOR = "1"
"""The account id of whoever pushes: a bare repository does not know."""

# Without filter groups every change of the code counts.
_UNFILTERED = (PUSH, "PULL_REQUEST_CREATED", "PULL_REQUEST_UPDATED", "PULL_REQUEST_REOPENED")
# Whoever may write may approve, unless the webhook says otherwise.
_APPROVERS = {
    "GITHUB": ("GITHUB_ADMIN", "GITHUB_MAINTAIN", "GITHUB_WRITE"),
    "GITLAB": ("GITLAB_OWNER", "GITLAB_MAINTAINER", "GITLAB_DEVELOPER"),
    "BITBUCKET": ("BITBUCKET_ADMIN", "BITBUCKET_WRITE"),
}
_INITIATORS = {"GITHUB": "GitHub-Hookshot/10ca1aa", "GITLAB": "GitLab/17.0.0", "BITBUCKET": "Bitbucket-Webhooks/2.0"}


@dataclass(frozen=True)
class Event:
    """What a provider tells of a push or a pull request; type is AWS's, refs are full names.

    Of a push, previous is the commit before it. Of a pull request: fork is the repository its head is in, if that is
    another one; role what its author is in the repository, such as GITHUB_WRITE; approved whether somebody who may
    has commented that it is to be built.
    """

    type: str
    full_name: str
    head_ref: str
    commit: str
    message: str
    files: tuple[str, ...]
    actor: str = DEFAULT_ACTOR
    previous: str = ""
    pull_request: int | None = None
    base_ref: str = ""
    fork: str = ""
    role: str = ""
    approved: bool = False

    @property
    def trigger(self) -> str:
        """pr/<number>, branch/<name> or tag/<name>."""
        if self.pull_request is not None:
            return f"pr/{self.pull_request}"
        return self.head_ref.replace("refs/heads/", "branch/", 1).replace("refs/tags/", "tag/", 1)

    @property
    def source_version(self) -> str:
        """What the build checks out."""
        return self.commit if self.pull_request is None else self.trigger

    def variables(self) -> dict[str, str]:
        """The variables of a build that this event started."""
        found = {
            "CODEBUILD_WEBHOOK_ACTOR_ACCOUNT_ID": self.actor,
            "CODEBUILD_WEBHOOK_BASE_REF": self.base_ref,
            "CODEBUILD_WEBHOOK_EVENT": self.type,
            "CODEBUILD_WEBHOOK_HEAD_REF": self.head_ref,
            "CODEBUILD_WEBHOOK_PREV_COMMIT": self.previous,
            "CODEBUILD_WEBHOOK_TRIGGER": self.trigger,
        }
        return {name: value for name, value in found.items() if value}


def wanted(webhook: dict[str, Any], event: Event) -> bool:
    """Whether an event passes a webhook: all filters of one of its groups, or its branch filter.

    A pattern that is no regular expression matches nothing.
    """
    groups = webhook.get("filterGroups")
    if groups:
        return any(all(_passes(item, event) for item in group) for group in groups)
    branch = event.head_ref.removeprefix("refs/heads/")
    return event.type in _UNFILTERED and _found(webhook.get("branchFilter") or "", branch)


def needs_approval(webhook: dict[str, Any], event: Event, source_type: str) -> bool:
    """Whether a pull request is built only after a comment; AWS asks for one unless the webhook says otherwise."""
    if event.pull_request is None or event.approved:
        return False
    policy = webhook.get("pullRequestBuildPolicy") or {"requiresCommentApproval": "ALL_PULL_REQUESTS"}
    asked = policy["requiresCommentApproval"]
    if asked == "DISABLED" or (asked == "FORK_PULL_REQUESTS" and not event.fork):
        return False
    return event.role not in (policy.get("approverRoles") or _of_provider(_APPROVERS, source_type))


def initiator(source_type: str) -> str:
    """Who AWS says started the build: the sender of the event."""
    return str(_of_provider(_INITIATORS, source_type))


def _of_provider(values: dict[str, Any], source_type: str) -> Any:
    """A provider's value; GITHUB_ENTERPRISE is GitHub, GITLAB_SELF_MANAGED GitLab."""
    return values[source_type.partition("_")[0]]


def _passes(item: dict[str, Any], event: Event) -> bool:
    """One filter. It does not pass when it is about something that the event has not, or local AWS has not."""
    kind, pattern = item["type"], item["pattern"]
    if kind == "EVENT":
        found = event.type in [name.strip() for name in pattern.split(",")]
    else:
        values = {
            "ACTOR_ACCOUNT_ID": (event.actor,),
            "BASE_REF": (event.base_ref,) if event.base_ref else (),
            "COMMIT_MESSAGE": (event.message,),
            "FILE_PATH": event.files,
            "HEAD_REF": (event.head_ref,),
        }.get(kind, ())
        if not values:
            return False
        found = any(_found(pattern, value) for value in values)
    return found is not bool(item.get("excludeMatchedPattern"))


def _found(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False
