# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Who is told: the kinds of recipients, and which recipients there are."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Stack

Recipient = dict[str, Any]

SUBSCRIBED = ("email", "sqs", "https")  # by a subscription of the topic
WITH_SECRET = ("slack", "teams", "webhook")  # by a rule and an API destination, whose connection has the secret
CHAT = "chatbot"  # by a rule, and a topic that Amazon Q Developer in chat applications listens to
KINDS = (*SUBSCRIBED, *WITH_SECRET, CHAT)


def kind_of(recipient: Recipient) -> str:
    """How a recipient is told; one that is right has exactly one kind."""
    return next((kind for kind in KINDS if recipient.get(kind) is not None), "")


def endpoint(recipient: Recipient) -> str:
    """The address of a recipient that is subscribed."""
    return str(recipient[kind_of(recipient)])


def of_kinds(notifications: dict[str, Any] | None, stacks: list[Stack], *kinds: str) -> list[tuple[Recipient, str]]:
    """The recipients of some kinds, each with the stack that it is told of, '' for all; none where nobody is told."""
    if notifications is None:
        return []
    lists = [("", notifications), *((stack["name"], stack.get("notifications") or {}) for stack in stacks)]
    return [
        (recipient, stack)
        for stack, given in lists
        for recipient in given.get("recipients", [])
        if kind_of(recipient) in kinds
    ]
