# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""KMS keys, found by their alias: the alias is the name, a key's id is AWS's choice."""

from __future__ import annotations

import json
import threading
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, make_once, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

TAG_NAMES = ("TagKey", "TagValue")

TAG_FILTERS = 50  # of GetResources; AWS

OPTIONS: dict[str, Any] = {
    "alias": {"type": "str", "required": True},
    "description": {"type": "str"},
    "policy": {"type": "dict"},
    "enable_key_rotation": {"type": "bool"},
    "pending_window": {"type": "int", "default": 30},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}


class KmsKey(Kind):
    noun = "KMS key"
    service = "kms"
    key = "alias"
    equal = {"policy": lambda before, after: not compare_policies(before, after)}

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self._making = threading.Lock()

    def problems(self, item: Settings) -> list[str]:
        found = []
        if not item["alias"].startswith("alias/") or item["alias"].startswith("alias/aws/"):
            found.append(f"alias: {item['alias']!r} must begin with alias/, and not with alias/aws/ (AWS's own keys)")
        if not 7 <= item["pending_window"] <= 30:
            found.append(f"pending_window: {item['pending_window']} is not between 7 and 30 days")
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
        arguments: dict[str, Any] = {"Description": after.get("description") or ""}
        if after.get("policy"):
            arguments["Policy"] = json.dumps(after["policy"])
        if after.get("tags"):
            arguments["Tags"] = to_list(after["tags"], *TAG_NAMES)
        with self._making:  # one by one: a key that has no alias yet looks as one that was left behind
            key = self._made(after, arguments)
            self._name(key, after["alias"])
        if after.get("enable_key_rotation"):
            self.client.enable_key_rotation(KeyId=key["KeyId"])
        return {"arn": key["Arn"], "key_id": key["KeyId"], "key_state": key["KeyState"]}

    def _made(self, after: Settings, arguments: dict[str, Any]) -> dict[str, Any]:
        """A key without an alias: a new one, or one that a run made that was killed before it gave the alias."""

        def left_behind() -> dict[str, Any] | None:
            return self._left_behind(after["tags"], arguments["Description"]) if self.owner_tags else None

        key = left_behind()
        if key is None:
            once = self.aws.client_trying_once(self.service)
            return make_once(lambda: once.create_key(**arguments)["KeyMetadata"], left_behind)
        if "Policy" in arguments:
            self.client.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=arguments["Policy"])
        return key

    def _left_behind(self, tags: dict[str, str], description: str) -> dict[str, Any] | None:
        """A key in use with these tags, which name its owner, and this description, that has no alias."""
        filters = [{"Key": name, "Values": [value]} for name, value in tags.items()]
        tagged = self.aws.pages(
            "resourcegroupstaggingapi",
            "get_resources",
            "ResourceTagMappingList",
            TagFilters=filters[:TAG_FILTERS],
            ResourceTypeFilters=["kms:key"],
        )
        aliases = self.aws.pages("kms", "list_aliases", "Aliases") if tagged else []
        named = {alias.get("TargetKeyId") for alias in aliases}
        for each in tagged:
            key = self.client.describe_key(KeyId=each["ResourceARN"])["KeyMetadata"]
            if key["KeyState"] == "Enabled" and key["Description"] == description and key["KeyId"] not in named:
                return key
        return None

    def _name(self, key: dict[str, Any], alias: str) -> None:
        """Gives a new key its alias."""
        try:
            self.client.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
        except (ClientError, BotoCoreError):
            # It may have it: where the answer to a first try is lost, the second one is refused.
            there = read_or_none(self.client.describe_key, ("NotFoundException",), KeyId=alias)
            if there and there["KeyMetadata"]["KeyId"] == key["KeyId"]:
                return
            # Without its alias no later run would find the key, and every run would make one more.
            self.client.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
            raise

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
