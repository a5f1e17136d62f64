# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Who hears what: the filter policies of subscriptions, and the patterns of the rules that deliver.

A test is told to everybody. What a stack has opted out of is never published, so no filter says it.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._notices.model import DETAIL_TYPE, EVENTS, SOURCE, TEST
from ansible_collections.gitops.aws.plugins.module_utils._notices.recipients import (
    SUBSCRIBED,
    Recipient,
    endpoint,
    kind_of,
    of_kinds,
)

VALUES_LIMIT = 150  # combinations of values in a filter policy; AWS
POLICIES_LIMIT = 200  # filter policies of a topic; AWS
ALARMED = "break_glass"  # the event that the topic for alarms tells, too

Branch = dict[str, list[str]]


def in_order(events: Any) -> list[str]:
    """Events without doubles, as EVENTS has them."""
    return [event for event in EVENTS if event in events]


def either(branches: list[Branch]) -> dict[str, Any]:
    """What meets one of these, as SNS and EventBridge write it."""
    return dict(branches[0]) if len(branches) == 1 else {"$or": branches}


def filters(
    notifications: dict[str, Any], stacks: list[Stack], alarmed: list[str] | None = None
) -> dict[tuple[str, str], dict[str, Any]]:
    """The filter policy of each address that is subscribed, by kind and address; {} where it hears of everything.

    An address is subscribed once, whoever names it: SNS takes no two subscriptions of one address.

    Args:
        notifications: the settings.
        stacks: checked stacks.
        alarmed: e-mail addresses that the topic for alarms tells of break_glass.
    """
    heard: dict[tuple[str, str], dict[str, set[str]]] = {}
    for recipient, stack in of_kinds(notifications, stacks, *SUBSCRIBED):
        by_stack = heard.setdefault((kind_of(recipient), endpoint(recipient)), {})
        by_stack.setdefault(stack, set()).update(recipient["events"])
    policies = {}
    for (kind, where), by_stack in heard.items():
        everywhere = by_stack.pop("", None)
        if everywhere is not None and kind == "email" and where in (alarmed or []):
            everywhere.discard(ALARMED)
        policies[kind, where] = _policy(everywhere, by_stack)
    return policies


def _policy(everywhere: set[str] | None, by_stack: dict[str, set[str]]) -> dict[str, Any]:
    """The filter of an address that hears these events of all stacks (None: it is no recipient of the estate), and
    more of some."""
    if everywhere == set(EVENTS):
        return {}
    branches: list[Branch] = [{"event": [*in_order(everywhere or ()), TEST]}]
    groups: dict[tuple[str, ...], list[str]] = {}
    for stack, events in by_stack.items():
        more = in_order(events - (everywhere or set()))
        if more:
            groups.setdefault(tuple(more), []).append(stack)
    branches += [{"event": list(events), "stack": sorted(names)} for events, names in sorted(groups.items())]
    return either(branches)


def from_here(foundation: Foundation) -> dict[str, list[str]]:
    """The part of a pattern that says where events are from: a bus may gather those of other accounts and regions."""
    return {"account": [foundation["account_id"]], "region": [foundation["region"]]}


def pattern(foundation: Foundation, recipient: Recipient, stack: str) -> dict[str, Any]:
    """Which events on the default bus are told to a recipient; of one stack, or of all where that is ''."""
    events = in_order(recipient["events"])
    branches: list[Branch] = [{"event": [TEST]}, {"event": events, "stack": [stack]}]
    if not stack:
        branches = [{"event": [*events, TEST]}]
    elif not events:
        branches = branches[:1]
    return {
        **from_here(foundation),
        "source": [SOURCE],
        "detail-type": [DETAIL_TYPE],
        "detail": {"estate": [foundation["name"]], **either(branches)},
    }
