# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""DynamoDB tables with what a lock table needs: encryption, point-in-time recovery, deletion protection, a policy."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ansible_collections.gitops.aws.plugins.module_utils._aws import (
    Refused,
    only,
    read_or_none,
    until_propagated,
)
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "hash_key": {
        "type": "dict",
        "no_log": False,
        "options": {
            "name": {"type": "str", "required": True},
            "type": {"type": "str", "choices": ["S", "N", "B"], "default": "S"},
        },
    },
    "billing_mode": {"type": "str", "choices": ["PAY_PER_REQUEST"]},
    "kms_key_id": {"type": "str"},
    "point_in_time_recovery": {"type": "bool"},
    "deletion_protection": {"type": "bool"},
    "policy": {"type": "dict"},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}


class DynamodbTable(Kind):
    noun = "DynamoDB table"
    service = "dynamodb"
    required = ("hash_key",)
    fixed = ("hash_key",)
    equal = {"policy": lambda before, after: not compare_policies(before or {}, after or {})}

    def problems(self, item: Settings) -> list[str]:
        problem = pattern_problem(item["name"], r"[A-Za-z0-9_.-]{3,}", 255, "3 or more of a-z A-Z 0-9 _ . and -")
        return [f"name: {problem}"] if problem else []

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        found = self.read_each(self._read, items)
        add_tags(self, found, items, self._tags)
        return found

    def _read(self, item: Settings) -> Resource | None:
        name = item["name"]
        answer = read_or_none(self.client.describe_table, ("ResourceNotFoundException",), TableName=name)
        if answer is None:
            return None
        table = answer["Table"]
        types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table["AttributeDefinitions"]}
        hash_key = next(key["AttributeName"] for key in table["KeySchema"] if key["KeyType"] == "HASH")
        encryption = table.get("SSEDescription", {})
        settings: Settings = {
            "name": name,
            "hash_key": {"name": hash_key, "type": types[hash_key]},
            "kms_key_id": encryption.get("KMSMasterKeyArn", "") if encryption.get("Status") == "ENABLED" else "",
            "deletion_protection": table.get("DeletionProtectionEnabled", False),
        }
        if item["billing_mode"] is not None:
            settings["billing_mode"] = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")

        def read_recovery() -> None:
            backups = self.client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
            recovery = backups.get("PointInTimeRecoveryDescription", {})
            settings["point_in_time_recovery"] = recovery.get("PointInTimeRecoveryStatus") == "ENABLED"

        def read_policy() -> None:
            found = read_or_none(
                self.client.get_resource_policy, ("PolicyNotFoundException",), ResourceArn=table["TableArn"]
            )
            settings["policy"] = json.loads(found["Policy"]) if found else {}

        readers = {"point_in_time_recovery": read_recovery, "policy": read_policy}
        self.aws.together(*(reader for option, reader in readers.items() if item[option] is not None))
        return Resource(settings, {"arn": table["TableArn"]})

    def _tags(self, table: Resource) -> dict[str, str]:
        return to_dict(self.aws.pages("dynamodb", "list_tags_of_resource", "Tags", ResourceArn=table.facts["arn"]))

    def create(self, after: Settings) -> dict[str, Any]:
        key = after["hash_key"]
        arguments: dict[str, Any] = {
            "TableName": after["name"],
            "AttributeDefinitions": [{"AttributeName": key["name"], "AttributeType": key["type"]}],
            "KeySchema": [{"AttributeName": key["name"], "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            "DeletionProtectionEnabled": bool(after.get("deletion_protection")),
        }
        if after.get("kms_key_id"):
            arguments["SSESpecification"] = _encryption(after["kms_key_id"])
        if after.get("policy"):
            # Not afterwards: from its first moment the table is only for whom it is.
            arguments["ResourcePolicy"] = _document(after["policy"])
        if after.get("tags"):
            arguments["Tags"] = to_list(after["tags"])
        arn = self.client.create_table(**arguments)["TableDescription"]["TableArn"]
        self._wait(after["name"])
        if after.get("point_in_time_recovery"):
            self._write_recovery(after)
        return {"arn": arn}

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        name = after["name"]
        # UpdateTable takes one kind of change at a time.
        for option, arguments in (
            ("billing_mode", {"BillingMode": after.get("billing_mode")}),
            ("deletion_protection", {"DeletionProtectionEnabled": after.get("deletion_protection")}),
            ("kms_key_id", {"SSESpecification": _encryption(after.get("kms_key_id"))}),
        ):
            if option in changed:
                self.client.update_table(TableName=name, **arguments)
                self._wait(name)
        if "point_in_time_recovery" in changed:
            self._write_recovery(after)
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_resource(ResourceArn=before.facts["arn"], TagKeys=remove)
            if put:
                self.client.tag_resource(ResourceArn=before.facts["arn"], Tags=to_list(put))
        if "policy" in changed:
            # Last, for it may deny the caller what was to be done before.
            if after["policy"]:
                self.client.put_resource_policy(ResourceArn=before.facts["arn"], Policy=_document(after["policy"]))
            else:
                self.client.delete_resource_policy(ResourceArn=before.facts["arn"])

    def _write_recovery(self, after: Settings) -> None:
        write = partial(
            self.client.update_continuous_backups,
            TableName=after["name"],
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": after["point_in_time_recovery"]},
        )
        # A table is ACTIVE some seconds before its backups can be configured.
        until_propagated(write, only("ContinuousBackupsUnavailableException"))

    def _wait(self, name: str) -> None:
        self.client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 2, "MaxAttempts": 150})

    def check_delete(self, before: Resource, item: Settings) -> None:
        if before.settings["deletion_protection"] and item["deletion_protection"] is not False:
            raise Refused("deletion protection is on. Fix: say deletion_protection: false together with absent")

    def delete(self, before: Resource, item: Settings) -> None:
        if before.settings["deletion_protection"]:
            self.client.update_table(TableName=item["name"], DeletionProtectionEnabled=False)
            self._wait(item["name"])
        self.client.delete_table(TableName=item["name"])
        self.client.get_waiter("table_not_exists").wait(
            TableName=item["name"], WaiterConfig={"Delay": 2, "MaxAttempts": 150}
        )


def _document(policy: dict[str, Any]) -> str:
    """A resource-based policy as DynamoDB takes it, which counts white space to the 20 KB that are allowed."""
    return json.dumps(policy, separators=(",", ":"))


def _encryption(kms_key_id: str | None) -> dict[str, Any]:
    """SSESpecification for a key of the user's, or back to the key that DynamoDB owns."""
    if not kms_key_id:
        return {"Enabled": False}
    return {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": kms_key_id}
