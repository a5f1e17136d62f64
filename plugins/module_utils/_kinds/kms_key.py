# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""KMS keys, found by their alias: the alias is the name, a key's id is AWS's choice."""

from __future__ import annotations

import contextlib
import json
from functools import partial
from typing import Any

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = Exception

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ansible_collections.gitops.aws.plugins.module_utils._aws import (
    SEEN_TIMEOUT,
    error_code,
    make_once,
    read_or_none,
    until_propagated,
)
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

TAG_NAMES = ("TagKey", "TagValue")

WINDOW = (7, 30)  # days that a key may wait for its deletion
UNNAMED = "gitops:alias-to-come"  # a tag of a key, as long as it has not got its alias

OPTIONS: dict[str, Any] = {
    "alias": {"type": "str", "required": True},
    "description": {"type": "str"},
    "policy": {"type": "dict"},
    "enable_key_rotation": {"type": "bool"},
    "pending_window": {"type": "int", "default": WINDOW[1]},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}


class KmsKey(Kind):
    noun = "KMS key"
    service = "kms"
    key = "alias"
    equal = {"policy": lambda before, after: not compare_policies(before, after)}

    def problems(self, item: Settings) -> list[str]:
        found = []
        if not item["alias"].startswith("alias/") or item["alias"].startswith("alias/aws/"):
            found.append(f"alias: {item['alias']!r} must begin with alias/, and not with alias/aws/ (AWS's own keys)")
        least, most = WINDOW
        if not least <= item["pending_window"] <= most:
            found.append(f"pending_window: {item['pending_window']} is not between {least} and {most} days")
        return found

    def normalise(self, settings: Settings) -> Settings:
        # The waiting time is a matter of deletion, not a setting of the key.
        return {name: value for name, value in settings.items() if name != "pending_window"}

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        found = self.read_each(self._read, items)
        add_tags(self, found, items, self._tags)
        return found

    def _read(self, item: Settings) -> Resource | None:
        answer = read_or_none(self.client.describe_key, ("NotFoundException",), KeyId=item["alias"])
        if answer is None:
            return None
        key = answer["KeyMetadata"]
        settings: Settings = {"alias": item["alias"], "description": key.get("Description", "")}

        def read_policy() -> None:
            document = self.client.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]
            settings["policy"] = json.loads(document)

        def read_rotation() -> None:
            status = self.client.get_key_rotation_status(KeyId=key["KeyId"])
            settings["enable_key_rotation"] = status["KeyRotationEnabled"]

        readers = {"policy": read_policy, "enable_key_rotation": read_rotation}
        self.aws.together(*(reader for option, reader in readers.items() if item[option] is not None))
        return Resource(settings, {"arn": key["Arn"], "key_id": key["KeyId"], "key_state": key["KeyState"]})

    def _tags(self, key: Resource) -> dict[str, str]:
        return to_dict(self.aws.pages("kms", "list_resource_tags", "Tags", KeyId=key.facts["key_id"]), *TAG_NAMES)

    def unusable(self, before: Resource) -> str | None:
        if before.facts["key_state"] != "PendingDeletion":
            return None
        return (
            "somebody scheduled it for deletion, and what it encrypts goes with it. Fix: cancel that "
            f"(aws kms cancel-key-deletion and enable-key, key {before.facts['key_id']}), then run again"
        )

    def predict(self, after: Settings) -> dict[str, Any]:
        # AWS chooses the id; check mode needs something of the same form to show what would refer to it.
        return {"arn": f"arn:aws:kms:{self.client.meta.region_name}:000000000000:key/known-after-creation"}

    def create(self, after: Settings) -> dict[str, Any]:
        alias = after["alias"]
        # By the tag a run finds the key that an earlier one made that did not come to give it its alias.
        tags = to_list({**after.get("tags", {}), UNNAMED: alias}, *TAG_NAMES)
        arguments: dict[str, Any] = {"Description": after.get("description") or "", "Tags": tags}
        if after.get("policy"):
            arguments["Policy"] = json.dumps(after["policy"])
        key = self._unnamed(alias)
        if key is None:
            once = self.aws.client_trying_once(self.service)
            key = make_once(lambda: once.create_key(**arguments)["KeyMetadata"], lambda: self._unnamed(alias))
        else:
            self.client.update_key_description(KeyId=key["KeyId"], Description=arguments["Description"])
            self.client.tag_resource(KeyId=key["KeyId"], Tags=tags)
            if "Policy" in arguments:
                self.client.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=arguments["Policy"])
        self._give_alias(alias, key["KeyId"])
        self.client.untag_resource(KeyId=key["KeyId"], TagKeys=[UNNAMED])
        if after.get("enable_key_rotation"):
            self.client.enable_key_rotation(KeyId=key["KeyId"])
        return {"arn": key["Arn"], "key_id": key["KeyId"], "key_state": key["KeyState"]}

    def _give_alias(self, alias: str, key_id: str) -> None:
        """Gives a new key its alias. Where another run's key has got it meanwhile, nobody will ever use this one."""
        try:
            self.client.create_alias(AliasName=alias, TargetKeyId=key_id)
        except ClientError as error:
            if "AlreadyExists" not in error_code(error):
                raise
            read = partial(self.client.describe_key, KeyId=alias)
            named = until_propagated(read, lambda unseen: "NotFound" in error_code(unseen), SEEN_TIMEOUT)["KeyMetadata"]
            if named["KeyId"] == key_id:
                return  # by the same call before, whose answer was lost
            if named["KeyState"] == "Enabled":
                with contextlib.suppress(ClientError):
                    self.client.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=WINDOW[0])
            raise

    def _unnamed(self, alias: str) -> dict[str, Any] | None:
        """An enabled key that was made for this alias and has not been given it. None where nobody may ask for it."""
        try:
            tagged = self.aws.pages(
                "resourcegroupstaggingapi",
                "get_resources",
                "ResourceTagMappingList",
                TagFilters=[{"Key": UNNAMED, "Values": [alias]}],
                ResourceTypeFilters=["kms:key"],
            )
        except ClientError as error:
            if "AccessDenied" not in error_code(error):
                raise
            return None
        for arn in (each["ResourceARN"] for each in tagged):
            # The Tagging API may not have heard yet that a key is gone, or has its alias.
            answer = read_or_none(self.client.describe_key, ("NotFoundException",), KeyId=arn)
            if answer and answer["KeyMetadata"]["KeyState"] == "Enabled":
                tags = to_dict(self.aws.pages("kms", "list_resource_tags", "Tags", KeyId=arn), *TAG_NAMES)
                if tags.items() >= {UNNAMED: alias, **self.owner_tags}.items():
                    return answer["KeyMetadata"]
        return None

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        key_id = before.facts["key_id"]
        if "description" in changed:
            self.client.update_key_description(KeyId=key_id, Description=after["description"])
        if "policy" in changed:
            self.client.put_key_policy(KeyId=key_id, PolicyName="default", Policy=json.dumps(after["policy"]))
        if "enable_key_rotation" in changed:
            if after["enable_key_rotation"]:
                self.client.enable_key_rotation(KeyId=key_id)
            else:
                self.client.disable_key_rotation(KeyId=key_id)
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_resource(KeyId=key_id, TagKeys=remove)
            if put:
                self.client.tag_resource(KeyId=key_id, Tags=to_list(put, *TAG_NAMES))

    def delete(self, before: Resource, item: Settings) -> None:
        if before.facts["key_state"] != "PendingDeletion":
            self.client.schedule_key_deletion(KeyId=before.facts["key_id"], PendingWindowInDays=item["pending_window"])
        # Last, for the alias is how an interrupted deletion finds the key again.
        self.client.delete_alias(AliasName=item["alias"])
