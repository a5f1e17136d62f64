# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Tags of several resources with one call, as far as that can be relied upon.

A service reads the tags of one resource by the call, the Tagging API those of a hundred. But it learns of changes with
a delay, and does not tell a resource without tags from one that it does not know. So its word counts where it says what
is wanted anyway, and everything else is asked of the service itself: what it does not know, what differs and would be
written, and what would be deleted.
"""

from __future__ import annotations

from typing import Callable

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings, chunks, wanted_tags
from ansible_collections.gitops.aws.plugins.module_utils._tags import to_dict

BULK_FROM = 2
BULK_LIMIT = 100  # ARNs of a call; AWS

Tags = dict[str, str]


def worth_it(kind: Kind, resources: list[Resource]) -> bool:
    """Whether to ask the Tagging API of these first. Not of what is to be deleted: its word would not count."""
    return len(resources) >= BULK_FROM and kind.params.get("state") != "absent"


def in_bulk(kind: Kind, arns: list[str]) -> dict[str, Tags]:
    """Tags by ARN as far as the Tagging API knows them, nothing where it may not be asked."""
    client = kind.aws.client("resourcegroupstaggingapi")
    try:
        answers = kind.aws.map(
            lambda batch: client.get_resources(ResourceARNList=batch)["ResourceTagMappingList"],
            chunks(arns, BULK_LIMIT),
        )
    except (ClientError, BotoCoreError):
        return {}
    return {entry["ResourceARN"]: to_dict(entry["Tags"]) for batch in answers for entry in batch}


def add_tags(
    kind: Kind,
    found: dict[str, Resource],
    items: list[Settings],
    ask: Callable[[Resource], Tags],
    known: dict[str, Tags] | None = None,
) -> None:
    """Adds to the settings of resources their tags, {} for those that have none. An item without tags needs none.

    Args:
        kind: the resources'; what it cannot read is noted there.
        found: the resources by key. One without its `arn` among the facts is asked by itself.
        items: what is asked for.
        ask: asks the service for the tags of one resource.
        known: what `in_bulk` has said already.
    """
    wanted = {item[kind.key]: wanted_tags({}, item["tags"], True) for item in items if item["tags"] is not None}
    resources = {name: found[name] for name in wanted if name in found}
    if known is None and worth_it(kind, list(resources.values())):
        known = in_bulk(kind, [resource.facts["arn"] for resource in resources.values() if "arn" in resource.facts])
    unsure = []
    for name, resource in resources.items():
        tags = (known or {}).get(resource.facts.get("arn", ""))
        if tags is not None and (kind.only_shown or tags == wanted[name]):
            resource.settings["tags"] = tags
        else:
            unsure.append(name)

    def ask_noting(name: str) -> None:
        with kind.failing_alone(name):
            resources[name].settings["tags"] = ask(resources[name])

    kind.aws.map(ask_noting, unsure)
