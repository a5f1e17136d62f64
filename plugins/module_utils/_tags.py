# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Tags, as all kinds treat them: amazon.aws's helpers, less the tags that belong to AWS."""

from __future__ import annotations

from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
    boto3_tag_list_to_ansible_dict,
    compare_aws_tags,
)


def to_dict(tags: list[dict[str, str]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Tags as AWS answers them, as a dictionary without those that begin with `aws:`, which only AWS sets."""
    found = boto3_tag_list_to_ansible_dict(tags, tag_name_key_name=key, tag_value_key_name=value)
    return {name: text for name, text in found.items() if not name.lower().startswith("aws:")}


def to_list(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags as AWS's APIs take them, sorted by key."""
    listed: list[dict[str, str]] = ansible_dict_to_boto3_tag_list(dict(sorted(tags.items())), key, value)
    return listed


def tag_changes(before: dict[str, str], after: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """The tags to set and the keys to remove, so that `before` becomes `after`."""
    put, remove = compare_aws_tags(before, after, purge_tags=True)
    return put, sorted(remove)
