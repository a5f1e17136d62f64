# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Notification rules of AWS's developer tools (CodeStar Notifications), found by their name, which is unique."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, error_code, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings, Step
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict

TARGET: dict[str, Any] = {
    "target_type": {
        "type": "str",
        "choices": ["SNS", "AWSChatbotSlack", "AWSChatbotMicrosoftTeams"],
        "default": "SNS",
    },
    "target_address": {"type": "str", "required": True},
}

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "resource": {"type": "str"},
    "detail_type": {"type": "str", "choices": ["BASIC", "FULL"]},
    "event_type_ids": {"type": "list", "elements": "str"},
    "enabled": {"type": "bool"},
    "targets": {"type": "list", "elements": "dict", "options": TARGET},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

MOST_TARGETS = 10


class CodestarNotificationRule(Kind):
    noun = "notification rule"
    service = "codestar-notifications"
    required = ("resource", "event_type_ids")
    fixed = ("resource",)

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self._known: list[dict[str, Any]] | None = None  # by what an info module has read for the names

    def problems(self, item: Settings) -> list[str]:
        problem = pattern_problem(item["name"], r"[A-Za-z0-9_ -]+", 64, "a-z A-Z 0-9 _ - and blanks")
        found = [f"name: {problem}"] if problem else []
        resource = item["resource"] or ""
        if resource and not resource.startswith("arn:"):
            found.append(f"resource: {resource!r} is no ARN")
        if item["event_type_ids"] == []:
            found.append("event_type_ids: a rule has at least one. Fix: enabled=false silences it")
        service = resource.split(":")[2] if resource.count(":") > 2 else ""
        for index, event_type in enumerate(item["event_type_ids"] or []):
            if service and not event_type.startswith(f"{service}-"):
                found.append(f"event_type_ids[{index}]: {event_type!r} is none of {service}, which the resource is of")
        targets = item["targets"] or []
        if len(targets) > MOST_TARGETS:
            found.append(f"targets: there are {len(targets)}, at most {MOST_TARGETS} are allowed")
        seen: dict[str, int] = {}
        for index, target in enumerate(targets):
            address = target["target_address"]
            if not address.startswith("arn:"):
                found.append(f"targets[{index}].target_address: {address!r} is no ARN")
            if address in seen:
                found.append(f"targets[{index}].target_address: it is also that of targets[{seen[address]}]")
            seen.setdefault(address, index)
        return found

    def normalise(self, settings: Settings) -> Settings:
        targets = [{"target_type": "SNS", **target} for target in settings.get("targets") or []]
        result = {
            "detail_type": "FULL",
            "enabled": True,
            **settings,
            "targets": sorted(targets, key=lambda target: target["target_address"]),
        }
        if settings.get("event_type_ids"):
            result["event_type_ids"] = sorted(set(settings["event_type_ids"]))
        return result

    def names(self) -> list[str]:
        self._known = self._all()
        return sorted(rule["Name"] for rule in self._known if rule["Name"].startswith(self.name_prefix))

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        wanted = {item["name"]: item for item in items}
        rules = self._all() if self._known is None else self._known
        return {
            rule["Name"]: Resource(_settings(rule, wanted[rule["Name"]]["tags"] is not None), {"arn": rule["Arn"]})
            for rule in rules
            if rule["Name"] in wanted
        }

    def _all(self) -> list[dict[str, Any]]:
        """All rules of the region. Only a rule itself tells its name, and names are what rules are found by."""
        listed = self.aws.pages(self.service, "list_notification_rules", "NotificationRules")
        described = self.aws.map(self._describe, [each["Arn"] for each in listed])
        return [rule for rule in described if rule]

    def _describe(self, arn: str) -> dict[str, Any] | None:
        return read_or_none(self.client.describe_notification_rule, ("ResourceNotFoundException",), Arn=arn)

    def predict(self, after: Settings) -> dict[str, Any]:
        # AWS chooses the id; check mode needs something of the same form to show.
        region = self.client.meta.region_name
        return {"arn": f"arn:aws:{self.service}:{region}:000000000000:notificationrule/known-after-creation"}

    def create(self, after: Settings) -> dict[str, Any]:
        more = {"Tags": after["tags"]} if after.get("tags") else {}
        answer = self.client.create_notification_rule(Resource=after["resource"], **_request(after), **more)
        return {"arn": answer["Arn"]}

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        arn = before.facts["arn"]
        if changed - {"tags"}:
            self.client.update_notification_rule(Arn=arn, **_request(after))
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_resource(Arn=arn, TagKeys=remove)
            if put:
                self.client.tag_resource(Arn=arn, Tags=put)

    def delete(self, before: Resource, item: Settings) -> None:
        self.client.delete_notification_rule(Arn=before.facts["arn"])

    def settle(self, steps: list[Step], params: dict[str, Any]) -> list[str]:
        """AWS remembers targets that rules had: those that no rule has any more are forgotten."""
        done = [step for step in steps if not step.error]
        had = {address for step in done if step.before for address in _addresses(step.before.settings)}
        left = {address for step in done if step.after for address in _addresses(step.after)}
        for address in sorted(had - left):
            # As long as another rule has it, AWS refuses.
            read_or_none(self.client.delete_target, ("ValidationException",), TargetAddress=address)
        return []

    def not_yet(self, error: BaseException) -> bool:
        # Rules of a region share a rule of EventBridge's. The first ones wait for the role that AWS makes for itself.
        code = error_code(error)
        return code == "ConcurrentModificationException" or (
            code == "ConfigurationException" and "service-linked role" in str(error)
        )


def _settings(rule: dict[str, Any], with_tags: bool) -> Settings:
    """A rule as AWS describes it, in the options' words."""
    targets = [
        {"target_type": each["TargetType"], "target_address": each["TargetAddress"]} for each in rule.get("Targets", [])
    ]
    settings: Settings = {
        "name": rule["Name"],
        "resource": rule["Resource"],
        "detail_type": rule["DetailType"],
        "event_type_ids": [each["EventTypeId"] for each in rule.get("EventTypes", [])],
        "enabled": rule.get("Status", "ENABLED") == "ENABLED",
        "targets": targets,
    }
    if with_tags:
        settings["tags"] = to_dict([{"Key": key, "Value": value} for key, value in rule.get("Tags", {}).items()])
    return settings


def _request(after: Settings) -> dict[str, Any]:
    """The whole rule as the API takes it, without its resource and its tags."""
    return {
        "Name": after["name"],
        "DetailType": after["detail_type"],
        "EventTypeIds": after["event_type_ids"],
        "Status": "ENABLED" if after["enabled"] else "DISABLED",
        "Targets": [
            {"TargetType": each["target_type"], "TargetAddress": each["target_address"]} for each in after["targets"]
        ],
    }


def _addresses(settings: Settings) -> set[str]:
    return {target["target_address"] for target in settings.get("targets") or []}
