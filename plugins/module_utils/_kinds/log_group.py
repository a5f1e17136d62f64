# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""CloudWatch Logs log groups."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict

# The days that PutRetentionPolicy accepts; 0 stands for "never expire".
RETENTION_DAYS = [
    0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
]  # fmt: skip

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "retention_in_days": {"type": "int", "choices": RETENTION_DAYS},
    "kms_key_id": {"type": "str"},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}


class LogGroup(Kind):
    noun = "log group"
    service = "logs"

    def problems(self, item: Settings) -> list[str]:
        problem = pattern_problem(item["name"], r"[.\-_/#A-Za-z0-9]+", 512, "a-z A-Z 0-9 and . - _ / #")
        return [f"name: {problem}"] if problem else []

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        found = self.read_each(self._read, items)
        add_tags(self, found, items, self._tags)
        return found

    def _read(self, item: Settings) -> Resource | None:
        name = item["name"]
        groups = self.aws.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
        group = next((group for group in groups if group["logGroupName"] == name), None)
        if group is None:
            return None
        arn = group["arn"].removesuffix(":*")
        settings: Settings = {
            "name": name,
            "retention_in_days": group.get("retentionInDays", 0),
            "kms_key_id": group.get("kmsKeyId", ""),
        }
        return Resource(settings, {"arn": arn})

    def _tags(self, group: Resource) -> dict[str, str]:
        tags = self.client.list_tags_for_resource(resourceArn=group.facts["arn"])["tags"]
        return to_dict([{"Key": key, "Value": value} for key, value in tags.items()])

    def create(self, after: Settings) -> dict[str, Any]:
        arguments: dict[str, Any] = {"logGroupName": after["name"]}
        if after.get("kms_key_id"):
            arguments["kmsKeyId"] = after["kms_key_id"]
        if after.get("tags"):
            arguments["tags"] = after["tags"]
        self.client.create_log_group(**arguments)
        if after.get("retention_in_days"):
            self._write_retention(after)
        # CreateLogGroup answers nothing; the ARN is read rather than guessed.
        groups = self.aws.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=after["name"])
        arns = [group["arn"] for group in groups if group["logGroupName"] == after["name"]]
        if not arns:
            raise Refused("it was created, and AWS does not list it yet. Fix: run again, nothing is lost")
        return {"arn": arns[0].removesuffix(":*")}

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        name, arn = after["name"], before.facts["arn"]
        if "retention_in_days" in changed:
            self._write_retention(after)
        if "kms_key_id" in changed:
            if after["kms_key_id"]:
                self.client.associate_kms_key(logGroupName=name, kmsKeyId=after["kms_key_id"])
            else:
                self.client.disassociate_kms_key(logGroupName=name)
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_resource(resourceArn=arn, tagKeys=remove)
            if put:
                self.client.tag_resource(resourceArn=arn, tags=put)

    def _write_retention(self, after: Settings) -> None:
        if after["retention_in_days"]:
            days = after["retention_in_days"]
            self.client.put_retention_policy(logGroupName=after["name"], retentionInDays=days)
        else:
            self.client.delete_retention_policy(logGroupName=after["name"])

    def delete(self, before: Resource, item: Settings) -> None:
        self.client.delete_log_group(logGroupName=item["name"])
