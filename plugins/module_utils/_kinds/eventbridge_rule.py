# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""EventBridge rules with their targets, found by their name on their bus."""

from __future__ import annotations

import json
import os.path
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, error_code
from ansible_collections.gitops.aws.plugins.module_utils._engine import (
    Kind,
    Resource,
    Settings,
    Step,
    as_text,
    without_empty,
)
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._shapes import from_response, input_shape, to_request
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

TARGET: dict[str, Any] = {
    "id": {"type": "str", "required": True},
    "arn": {"type": "str", "required": True},
    "role_arn": {"type": "str"},
    "input": {"type": "raw"},
    "input_path": {"type": "str"},
    "input_transformer": {
        "type": "dict",
        "options": {
            "input_paths_map": {"type": "dict"},
            "input_template": {"type": "str", "required": True},
        },
    },
    "http_parameters": {
        "type": "dict",
        "options": {
            "path_parameter_values": {"type": "list", "elements": "str"},
            "header_parameters": {"type": "dict"},
            "query_string_parameters": {"type": "dict"},
        },
    },
    "dead_letter_arn": {"type": "str"},
    "maximum_event_age_in_seconds": {"type": "int"},
    "maximum_retry_attempts": {"type": "int"},
}

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "event_bus_name": {"type": "str", "default": "default"},
    "description": {"type": "str"},
    "event_pattern": {"type": "dict"},
    "schedule_expression": {"type": "str"},
    "enabled": {"type": "bool"},
    "all_management_events": {"type": "bool"},
    "role_arn": {"type": "str"},
    "targets": {"type": "list", "elements": "dict", "options": TARGET},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

NAME = r"[A-Za-z0-9_.-]+"
TARGETS_LIMIT = 5  # of a rule; AWS
# What PutRule writes.
RULE = ("description", "event_pattern", "schedule_expression", "enabled", "all_management_events", "role_arn")
EVERYTHING = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
INPUTS = ("input", "input_path", "input_transformer")  # AWS takes one of them

# Option -> what AWS allows, and its default.
RETRIES = {"maximum_event_age_in_seconds": (60, 86400, 86400), "maximum_retry_attempts": (0, 185, 185)}


class EventbridgeRule(Kind):
    noun = "EventBridge rule"
    service = "events"
    equal = {"targets": lambda before, after: _as_data(before) == _as_data(after)}

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self._named: list[dict[str, Any]] = []

    def problems(self, item: Settings) -> list[str]:
        problem = pattern_problem(item["name"], NAME, 64, "a-z A-Z 0-9 _ . and -")
        found = [f"name: {problem}"] if problem else []
        if item["event_pattern"] and item["schedule_expression"]:
            found.append("schedule_expression: it is given together with event_pattern; a rule has one of them here")
        if item["all_management_events"] and item["enabled"] is False:
            found.append("all_management_events: it is given together with enabled: false; AWS has one state for both")
        targets = item["targets"] or []
        if len(targets) > TARGETS_LIMIT:
            found.append(f"targets: they are {len(targets)}, and AWS allows {TARGETS_LIMIT} for a rule")
        seen: dict[str, int] = {}
        for index, target in enumerate(targets):
            found += [f"targets[{index}].{problem}" for problem in _target_problems(target)]
            if target["id"] in seen:
                found.append(f"targets[{index}].id: {target['id']!r} is also targets[{seen[target['id']]}].id")
            seen.setdefault(target["id"], index)
        return found

    def implied(self, item: Settings) -> Settings:
        if item["all_management_events"]:
            item = {**item, "enabled": True}
        for given, other in (("event_pattern", "schedule_expression"), ("schedule_expression", "event_pattern")):
            if item[given]:
                return {**item, other: "" if other == "schedule_expression" else {}}
        return item

    def conflicts(self, step: Step) -> list[str]:
        after = step.after or {}
        if after.get("event_pattern") or after.get("schedule_expression"):
            return []
        return ["event_pattern: it, or schedule_expression, must be given: a rule without them does nothing"]

    def normalise(self, settings: Settings) -> Settings:
        result = {"enabled": True, "all_management_events": False, "description": "", "role_arn": "", **settings}
        if not result["enabled"]:
            result["all_management_events"] = False  # AWS has one state for both
        for option in ("event_pattern", "schedule_expression"):
            if not result.get(option):
                result.pop(option, None)
        if "targets" in result:
            targets = [_normalised(target) for target in result["targets"]]
            result["targets"] = sorted(targets, key=lambda target: str(target["id"]))
        return result

    def names(self) -> list[str]:
        self._named = self._list("default", self.name_prefix)
        return [rule["Name"] for rule in self._named]

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        if self.only_shown:  # an info module says names only; it shows targets, too
            items = [{**item, "event_bus_name": "default", "targets": []} for item in items]
        buses: dict[str, list[str]] = {}
        for item in items:
            buses.setdefault(item["event_bus_name"], []).append(item["name"])
        rules = {}
        for bus, names in buses.items():
            # Who has asked for the names has what ListRules tells.
            listed = self._named or self._list(bus, os.path.commonprefix(names))  # noqa: RUF071 (names are no paths)
            rules.update({rule["Name"]: rule for rule in listed if rule["Name"] in names})
        found = self.read_each(
            lambda item: self._resource(item, rules[item["name"]]), [item for item in items if item["name"] in rules]
        )
        add_tags(self, found, items, self._tags)
        return found

    def _list(self, bus: str, prefix: str) -> list[dict[str, Any]]:
        """The rules of a bus whose names begin so, a hundred by the call, with all that DescribeRule says."""
        arguments = {"NamePrefix": prefix} if prefix else {}
        try:
            return self.aws.pages("events", "list_rules", "Rules", EventBusName=bus, **arguments)
        except self.client.exceptions.ResourceNotFoundException:
            return []  # there is no such bus: what is to be created on it says so

    def _resource(self, item: Settings, rule: dict[str, Any]) -> Resource:
        settings: Settings = {
            "name": rule["Name"],
            "event_bus_name": item["event_bus_name"],
            "description": rule.get("Description", ""),
            "event_pattern": json.loads(rule.get("EventPattern") or "{}"),
            "schedule_expression": rule.get("ScheduleExpression", ""),
            "enabled": rule["State"] != "DISABLED",
            "all_management_events": rule["State"] == EVERYTHING,
            "role_arn": rule.get("RoleArn", ""),
        }
        if item["targets"] is not None:
            shape = input_shape(self.client, "PutTargets").members["Targets"].member
            settings["targets"] = [_flat(from_response(shape, target)) for target in self._targets(item)]
        facts = {"arn": rule["Arn"], "state": rule["State"]}
        return Resource(settings, {**facts, "managed_by": rule["ManagedBy"]} if rule.get("ManagedBy") else facts)

    def _tags(self, rule: Resource) -> dict[str, str]:
        return to_dict(self.client.list_tags_for_resource(ResourceARN=rule.facts["arn"])["Tags"])

    def _targets(self, item: Settings) -> list[dict[str, Any]]:
        return self.aws.pages(
            "events", "list_targets_by_rule", "Targets", Rule=item["name"], EventBusName=item["event_bus_name"]
        )

    def unusable(self, before: Resource) -> str | None:
        if "managed_by" not in before.facts:
            return None
        return (
            f"it belongs to {before.facts['managed_by']}, which made it for its own use and may make it anew. "
            "Fix: choose another name"
        )

    def predict(self, after: Settings) -> dict[str, Any]:
        # The account is not known without a call; check mode needs something of the same form to show.
        bus = "" if after["event_bus_name"] == "default" else f"{after['event_bus_name']}/"
        region = self.client.meta.region_name
        return {
            "arn": f"arn:aws:events:{region}:000000000000:rule/{bus}{after['name']}",
            "state": _state(after),
        }

    def create(self, after: Settings) -> dict[str, Any]:
        facts = self._put_rule(after, to_list(after.get("tags") or {}))
        self._put_targets(after, after.get("targets", []))
        return facts

    def update(self, before: Resource, after: Settings, changed: set[str]) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        if changed.intersection(RULE):
            facts = self._put_rule(after, [])
        if "targets" in changed:
            self._write_targets(before, after)
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_resource(ResourceARN=before.facts["arn"], TagKeys=remove)
            if put:
                self.client.tag_resource(ResourceARN=before.facts["arn"], Tags=to_list(put))
        return facts

    def _put_rule(self, after: Settings, tags: list[dict[str, str]]) -> dict[str, Any]:
        """Writes the whole rule: AWS drops what PutRule leaves out."""
        members = {
            "Name": after["name"],
            "EventBusName": after["event_bus_name"],
            "Description": after["description"],
            "EventPattern": json.dumps(after["event_pattern"]) if after.get("event_pattern") else None,
            "ScheduleExpression": after.get("schedule_expression"),
            "State": _state(after),
            "RoleArn": after["role_arn"],
            "Tags": tags,
        }
        arguments = {name: value for name, value in members.items() if value}
        return {"arn": self.client.put_rule(**arguments)["RuleArn"], "state": arguments["State"]}

    def _write_targets(self, before: Resource, after: Settings) -> None:
        """Only the targets that differ. What is missing comes first where AWS's limit allows it, so that none lacks."""
        old = {target["id"]: target for target in before.settings["targets"]}
        new = {target["id"]: target for target in after["targets"]}
        changed = [target for target in after["targets"] if _as_data([target]) != _as_data([old.get(target["id"], {})])]
        gone = sorted(set(old) - set(new))
        first = gone if len({**old, **new}) > TARGETS_LIMIT else []
        self._remove_targets(after, first)
        self._put_targets(after, changed)
        self._remove_targets(after, [] if first else gone)

    def _put_targets(self, rule: Settings, targets: list[Settings]) -> None:
        if not targets:
            return
        shape = input_shape(self.client, "PutTargets").members["Targets"].member
        requests = [to_request(shape, _nested(target)) for target in targets]
        _check(
            self.client.put_targets(Rule=rule["name"], EventBusName=rule["event_bus_name"], Targets=requests),
            "PutTargets",
        )

    def _remove_targets(self, rule: Settings, ids: list[str]) -> None:
        if not ids:
            return
        _check(
            self.client.remove_targets(Rule=rule["name"], EventBusName=rule["event_bus_name"], Ids=ids),
            "RemoveTargets",
        )

    def check_delete(self, before: Resource, item: Settings) -> None:
        why = self.unusable(before)
        if why:
            raise Refused(why)

    def delete(self, before: Resource, item: Settings) -> None:
        # AWS deletes no rule that has targets.
        self._remove_targets(item, [target["Id"] for target in self._targets(item)])
        self.client.delete_rule(Name=item["name"], EventBusName=item["event_bus_name"])

    def not_yet(self, error: BaseException) -> bool:
        return error_code(error) == "ValidationException" and "cannot be assumed by principal" in str(error)


def _state(after: Settings) -> str:
    """AWS has one state for whether a rule is at work and whether it gets all management events."""
    if not after["enabled"]:
        return "DISABLED"
    return EVERYTHING if after["all_management_events"] else "ENABLED"


def _check(answer: dict[str, Any], operation: str) -> None:
    """Raises Refused where AWS answered that single targets failed: the call itself has succeeded then."""
    failed = [
        f"target {entry.get('TargetId')}: {entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
        for entry in answer.get("FailedEntries", [])
    ]
    if failed:
        raise Refused(f"{operation} failed for {'; '.join(failed)}")


def _target_problems(target: Settings) -> list[str]:
    problem = pattern_problem(target["id"], NAME, 64, "a-z A-Z 0-9 _ . and -")
    found = [f"id: {problem}"] if problem else []
    if not target["arn"].startswith("arn:"):
        found.append(f"arn: {target['arn']!r} is no ARN")
    given = [option for option in INPUTS if target.get(option) not in (None, "", {})]
    if len(given) > 1:
        found.append(f"{given[1]}: it is given together with {given[0]}; AWS takes one of them")
    if isinstance(target.get("input"), str) and target["input"] and _parsed(target["input"]) is None:
        found.append(
            "input: it is no JSON. Fix: give a dictionary, or JSON (a mere text stands in double quotes there)"
        )
    for option, (least, most, _default) in RETRIES.items():
        value = target.get(option)
        if value is not None and not least <= value <= most:
            found.append(f"{option}: {value} is not between {least} and {most}")
    return found


def _normalised(target: Settings) -> Settings:
    """A target with AWS's defaults, its input as text; without what means nothing."""
    result = without_empty({**target, "input": None})
    if target.get("input") not in (None, ""):
        result["input"] = as_text(target["input"])
    transformer = result.get("input_transformer", {})
    if transformer.get("input_paths_map"):
        transformer["input_paths_map"] = {name: as_text(path) for name, path in transformer["input_paths_map"].items()}
    for option in ("header_parameters", "query_string_parameters"):
        if option in result.get("http_parameters", {}):
            texts = result["http_parameters"][option]
            result["http_parameters"][option] = {name: as_text(value) for name, value in texts.items()}
    return {**{option: default for option, (_least, _most, default) in RETRIES.items()}, **result}


def _as_data(targets: list[Settings]) -> list[Settings]:
    """Normalised targets with their inputs parsed: AWS keeps the text, and its spelling does not matter."""
    return [{**target, "input": _parsed(target["input"])} if "input" in target else target for target in targets]


def _parsed(text: str) -> Any:
    """JSON in a tuple, so that `null` is something, too; None where it is none."""
    try:
        return (json.loads(text),)
    except ValueError:
        return None


def _flat(target: Settings) -> Settings:
    """A target as AWS answers it, in snake_case, with the options that are flat here."""
    result = dict(target)
    result["dead_letter_arn"] = result.pop("dead_letter_config", {}).get("arn")
    result.update(result.pop("retry_policy", {}))
    return result


def _nested(target: Settings) -> Settings:
    """A target as the API takes it, in snake_case."""
    result = dict(target)
    dead_letter = result.pop("dead_letter_arn", None)
    if dead_letter:
        result["dead_letter_config"] = {"arn": dead_letter}
    # What is AWS's default is not sent, for targets that take no retries.
    retries = {option: result.pop(option) for option in RETRIES}
    if any(retries[option] != default for option, (_least, _most, default) in RETRIES.items()):
        result["retry_policy"] = retries
    return result
