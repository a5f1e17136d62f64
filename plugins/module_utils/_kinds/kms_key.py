# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""KMS keys, found by their alias: the alias is the name, a key's id is AWS's choice."""

from __future__ import annotations

import json
import re
import time
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, NotYet, error_code, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._engine import SEEN_TIMEOUT, Kind, Resource, Settings
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

TAG_NAMES = ("TagKey", "TagValue")

# Errors of which the next try may know nothing: those where nothing was done, and those where that is not known.
REFUSED, UNKNOWN = re.compile("Throttl|TooMany|LimitExceeded$"), re.compile("Internal|Unavailable|Timeout")

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
        self._look_until = 0.0  # for a key that was perhaps made

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
        key = self._left_behind(after)
        if key:
            self.client.update_key_description(KeyId=key["KeyId"], Description=arguments["Description"])
            if "Policy" in arguments:
                self.client.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=arguments["Policy"])
        else:
            key = self._new(arguments)
        try:
            self.client.create_alias(AliasName=after["alias"], TargetKeyId=key["KeyId"])
        except (ClientError, BotoCoreError):
            # It may be there: the answer to a first try can be lost, and the second is then refused.
            there = read_or_none(self.client.describe_key, ("NotFoundException",), KeyId=after["alias"])
            if (there or {}).get("KeyMetadata", {}).get("KeyId") != key["KeyId"]:
                # Without an alias no later run would find the key, and every run would make one more.
                self.client.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
                raise
        if after.get("enable_key_rotation"):
            self.client.enable_key_rotation(KeyId=key["KeyId"])
        return {"arn": key["Arn"], "key_id": key["KeyId"], "key_state": key["KeyState"]}

    def _new(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """A new key. Raises NotYet where it is not known whether there is one now."""
        if not self.owner_tags:  # by which it would be found again
            return self.client.create_key(**arguments)["KeyMetadata"]
        try:
            # Each call that arrives makes a key, also one whose answer is lost: this is not left to botocore.
            return self.aws.client("kms", attempts=1).create_key(**arguments)["KeyMetadata"]
        except (ClientError, BotoCoreError) as error:
            if REFUSED.search(error_code(error)):
                raise NotYet(str(error)) from error
            if isinstance(error, ClientError) and not UNKNOWN.search(error_code(error)):
                raise
            self._look_until = time.monotonic() + SEEN_TIMEOUT
            raise NotYet(str(error)) from error

    def _left_behind(self, after: Settings) -> dict[str, Any] | None:
        """A key with these tags and without an alias: of a run that was killed, or whose answer was lost."""
        if not self.owner_tags:
            return None
        filters = [{"Key": name, "Values": [value]} for name, value in after["tags"].items()]
        candidates = self.aws.pages(
            "resourcegroupstaggingapi",
            "get_resources",
            "ResourceTagMappingList",
            TagFilters=filters[:TAG_FILTERS],
            ResourceTypeFilters=["kms:key"],
        )
        aliases = self.aws.pages("kms", "list_aliases", "Aliases") if candidates else []
        named = {alias.get("TargetKeyId") for alias in aliases}
        for candidate in candidates:
            key = self.client.describe_key(KeyId=candidate["ResourceARN"])["KeyMetadata"]
            if key["KeyState"] == "Enabled" and key["KeyId"] not in named:
                return key
        if time.monotonic() < self._look_until:
            raise NotYet("whether there is a new key is not known yet")  # the Tagging API learns of it with a delay
        return None

    def not_yet(self, error: BaseException) -> bool:
        return isinstance(error, NotYet)

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
