# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Standard SQS queues, found by their name."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import error_code, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings, Step
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._kinds.sns_topic import same_policy
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "visibility_timeout": {"type": "int"},
    "message_retention_period": {"type": "int"},
    "delay_seconds": {"type": "int"},
    "maximum_message_size": {"type": "int"},
    "sqs_managed_sse_enabled": {"type": "bool"},
    "kms_master_key_id": {"type": "str"},
    "policy": {"type": "dict"},
    "dead_letter_target_arn": {"type": "str"},
    "max_receive_count": {"type": "int"},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

# Option -> AWS's attribute, and what it allows.
NUMBERS = {
    "visibility_timeout": ("VisibilityTimeout", 0, 43200),
    "message_retention_period": ("MessageRetentionPeriod", 60, 1209600),
    "delay_seconds": ("DelaySeconds", 0, 900),
    "maximum_message_size": ("MaximumMessageSize", 1024, 1048576),
}
RECEIVES = (1, 1000)  # of max_receive_count
ENCRYPTION = {"sqs_managed_sse_enabled", "kms_master_key_id"}
REDRIVE = {"dead_letter_target_arn", "max_receive_count"}

# The codes of the two protocols that SQS has had.
MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


class SqsQueue(Kind):
    noun = "SQS queue"
    service = "sqs"
    equal = {"policy": lambda before, after: before == after or bool(before and after and same_policy(before, after))}

    def problems(self, item: Settings) -> list[str]:
        found = []
        name, target, count = item["name"], item["dead_letter_target_arn"], item["max_receive_count"]
        if name.endswith(".fifo"):
            found.append(f"name: {name!r} is that of a FIFO queue, which this module does not make")
        else:
            problem = pattern_problem(name, r"[A-Za-z0-9_-]+", 80, "a-z A-Z 0-9 _ and -")
            found += [f"name: {problem}"] if problem else []
        for option, (_attribute, least, most) in NUMBERS.items():
            if item[option] is not None and not least <= item[option] <= most:
                found.append(f"{option}: {item[option]} is not between {least} and {most}")
        if item["kms_master_key_id"] and item["sqs_managed_sse_enabled"]:
            found.append("kms_master_key_id: it is given together with sqs_managed_sse_enabled; AWS has one of them")
        if target and not target.startswith("arn:"):
            found.append(f"dead_letter_target_arn: {target!r} is no ARN")
        if count is not None and not RECEIVES[0] <= count <= RECEIVES[1]:
            found.append(f"max_receive_count: {count} is not between {RECEIVES[0]} and {RECEIVES[1]}")
        if target == "" and count is not None:
            found.append("max_receive_count: it is given without a dead_letter_target_arn")
        return found

    def implied(self, item: Settings) -> Settings:
        if item["kms_master_key_id"]:
            item = {**item, "sqs_managed_sse_enabled": False}
        elif item["sqs_managed_sse_enabled"]:
            item = {**item, "kms_master_key_id": ""}
        return {**item, "max_receive_count": 0} if item["dead_letter_target_arn"] == "" else item

    def conflicts(self, step: Step) -> list[str]:
        after = step.after or {}
        lacking = [option for option in sorted(REDRIVE) if not after.get(option)]
        if len(lacking) != 1:
            return []
        return [f"{lacking[0]}: it must be given with {(REDRIVE - set(lacking)).pop()}"]

    def normalise(self, settings: Settings) -> Settings:
        # No such count; what is empty is kept, for it can be fed back to say that there is none.
        return {name: value for name, value in settings.items() if name != "max_receive_count" or value}

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        # ListQueues would find a thousand by the call, and is a permission on all queues of the region.
        found = self.read_each(lambda item: read_or_none(self._read, MISSING, item=item), items)
        add_tags(self, found, items, self._tags)
        return found

    def _read(self, item: Settings) -> Resource:
        url = self.client.get_queue_url(QueueName=item["name"])["QueueUrl"]
        attributes = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
        settings: Settings = {
            "name": item["name"],
            **{option: int(attributes[attribute]) for option, (attribute, _least, _most) in NUMBERS.items()},
            "sqs_managed_sse_enabled": attributes.get("SqsManagedSseEnabled") == "true",
            "kms_master_key_id": attributes.get("KmsMasterKeyId", ""),
            "policy": json.loads(attributes.get("Policy") or "{}"),
            "dead_letter_target_arn": redrive.get("deadLetterTargetArn", ""),
            "max_receive_count": int(redrive.get("maxReceiveCount", 0)),
        }
        return Resource(settings, {"arn": attributes["QueueArn"], "url": url})

    def _tags(self, queue: Resource) -> dict[str, str]:
        tags = self.client.list_queue_tags(QueueUrl=queue.facts["url"]).get("Tags", {})
        return to_dict([{"Key": key, "Value": value} for key, value in tags.items()])

    def predict(self, after: Settings) -> dict[str, Any]:
        # The account is not known without a call; check mode needs something of the same form to show.
        return self._facts(after["name"], f"{self.client.meta.endpoint_url}/000000000000/{after['name']}")

    def _facts(self, name: str, url: str) -> dict[str, Any]:
        account = url.rpartition("/")[0].rpartition("/")[2]
        meta = self.client.meta
        return {"arn": f"arn:{meta.partition}:sqs:{meta.region_name}:{account}:{name}", "url": url}

    def create(self, after: Settings) -> dict[str, Any]:
        # What is empty needs no saying of a new queue.
        arguments = {
            "Attributes": {name: text for name, text in _attributes(after, set(OPTIONS)).items() if text},
            "tags": after.get("tags"),
        }
        given = {name: value for name, value in arguments.items() if value}
        return self._facts(after["name"], self.client.create_queue(QueueName=after["name"], **given)["QueueUrl"])

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        url = before.facts["url"]
        if changed - {"tags"}:
            self.client.set_queue_attributes(QueueUrl=url, Attributes=_attributes(after, changed))
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_queue(QueueUrl=url, TagKeys=remove)
            if put:
                self.client.tag_queue(QueueUrl=url, Tags=put)

    def delete(self, before: Resource, item: Settings) -> None:
        self.client.delete_queue(QueueUrl=before.facts["url"])

    def not_yet(self, error: BaseException) -> bool:
        # AWS gives the name of a deleted queue free after 60 seconds.
        return error_code(error).endswith("QueueDeletedRecently")


def _attributes(after: Settings, changed: set[str]) -> dict[str, str]:
    """The attributes that say these settings of a queue, '' for what is to be removed."""
    found = {
        attribute: str(after[option])
        for option, (attribute, _least, _most) in NUMBERS.items()
        if option in changed and option in after
    }
    if changed & ENCRYPTION and ENCRYPTION & set(after):
        # Both, for one takes the other's place.
        found["SqsManagedSseEnabled"] = "true" if after.get("sqs_managed_sse_enabled") else "false"
        found["KmsMasterKeyId"] = after.get("kms_master_key_id", "")
    if "policy" in changed and "policy" in after:
        found["Policy"] = json.dumps(after["policy"]) if after["policy"] else ""
    if changed & REDRIVE and REDRIVE & set(after):
        policy = {
            "deadLetterTargetArn": after["dead_letter_target_arn"],
            "maxReceiveCount": after.get("max_receive_count"),
        }
        found["RedrivePolicy"] = json.dumps(policy) if after["dead_letter_target_arn"] else ""
    return found
