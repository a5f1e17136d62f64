# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""EventBridge schedules, found by their name in their group. A schedule has no tags: those of its group are its own."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import error_code, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._engine import (
    Kind,
    Resource,
    Settings,
    Step,
    as_text,
    without_empty,
)
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._shapes import from_response, input_shape, to_request
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

TARGET: dict[str, Any] = {
    "arn": {"type": "str", "required": True},
    "role_arn": {"type": "str", "required": True},
    "input": {"type": "raw"},
    "dead_letter_arn": {"type": "str"},
    "maximum_event_age_in_seconds": {"type": "int"},
    "maximum_retry_attempts": {"type": "int"},
}

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "group_name": {"type": "str", "default": "default"},
    "description": {"type": "str"},
    "schedule_expression": {"type": "str"},
    "schedule_expression_timezone": {"type": "str"},
    "maximum_window_in_minutes": {"type": "int"},
    "enabled": {"type": "bool"},
    "target": {"type": "dict", "options": TARGET},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

NAME = r"[0-9a-zA-Z_.-]+"
DEFAULT = "default"  # the group that AWS makes, and that nobody deletes
EXPRESSION = re.compile(
    r"rate\([1-9]\d* (minute|hour|day)s?\)|cron\(\S+( \S+){5}\)|at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)"
)
WINDOW = (0, 1440)  # minutes; 0 is AWS's OFF

# Option -> what AWS allows, and its default.
RETRIES = {"maximum_event_age_in_seconds": (60, 86400, 86400), "maximum_retry_attempts": (0, 185, 185)}
# What UpdateSchedule would drop, and is not an option here.
KEPT = ("ActionAfterCompletion", "EndDate", "KmsKeyArn", "StartDate")


class SchedulerSchedule(Kind):
    noun = "schedule"
    service = "scheduler"
    required = ("schedule_expression", "target")
    equal = {"target": lambda before, after: _as_data(before) == _as_data(after)}

    def __init__(self, aws: Any) -> None:
        super().__init__(aws)
        self.groups: dict[str, dict[str, Any]] = {}  # those that exist: `arn`, and `tags` where they matter
        self._kept: dict[str, dict[str, Any]] = {}  # by schedule: what it has beside the options
        self._making = threading.Lock()

    def problems(self, item: Settings) -> list[str]:
        found = []
        for option in ("name", "group_name"):
            problem = pattern_problem(item[option], NAME, 64, "a-z A-Z 0-9 _ . and -")
            found += [f"{option}: {problem}"] if problem else []
        expression, window = item["schedule_expression"], item["maximum_window_in_minutes"]
        if expression and not EXPRESSION.fullmatch(expression):
            found.append(
                f"schedule_expression: {expression!r} is not allowed; allowed are rate(1 day), cron(0 4 * * ? *), "
                "which has six fields, and at(2026-11-26T04:00:00)"
            )
        if window is not None and not WINDOW[0] <= window <= WINDOW[1]:
            found.append(f"maximum_window_in_minutes: {window} is not between {WINDOW[0]} and {WINDOW[1]}")
        return found + [f"target.{problem}" for problem in _target_problems(item["target"] or {})]

    def conflicts(self, step: Step) -> list[str]:
        after = step.after or {}
        group = self.groups.get(after.get("group_name", ""))
        tags = (group or {}).get("tags") or {}
        missing = [f"{key}={value}" for key, value in sorted(self.owner_tags.items()) if tags.get(key) != value]
        if step.before is None and group and missing:
            why = f"exists already and was made by something else, for it lacks the tag {', '.join(missing)}"
            fix = "choose another name, or give it that tag to hand it over"
            return [f"group_name: the group {after['group_name']} {why}. Fix: {fix}"]
        return []

    def touches(self, item: Settings) -> str:
        return str(item["group_name"])  # it is made with its first schedule and goes with its last

    def normalise(self, settings: Settings) -> Settings:
        result = {
            "description": "",
            "enabled": True,
            "maximum_window_in_minutes": 0,
            **settings,
            "schedule_expression_timezone": settings.get("schedule_expression_timezone") or "UTC",
        }
        if result.get("target"):
            result["target"] = _normalised(result["target"])
        return result

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        asked: dict[str, bool] = {}
        for item in items:
            asked[item["group_name"]] = asked.get(item["group_name"], False) or item["tags"] is not None
        groups = self.aws.map(lambda name: self._group(name, asked[name]), asked)
        for name, group in zip(asked, groups):
            if group:
                self.groups[name] = group
        return self.read_each(self._read, [item for item in items if item["group_name"] in self.groups])

    def _group(self, name: str, with_tags: bool) -> dict[str, Any] | None:
        group = read_or_none(self.client.get_schedule_group, ("ResourceNotFoundException",), Name=name)
        if group is None:
            return None
        result = {"arn": group["Arn"]}
        if with_tags:
            result["tags"] = to_dict(self.client.list_tags_for_resource(ResourceArn=group["Arn"])["Tags"])
        return result

    def _read(self, item: Settings) -> Resource | None:
        arguments = {"GroupName": item["group_name"], "Name": item["name"]}
        schedule = read_or_none(self.client.get_schedule, ("ResourceNotFoundException",), **arguments)
        if schedule is None:
            return None
        self._kept[item["name"]] = {key: schedule[key] for key in KEPT if schedule.get(key)}
        shape = input_shape(self.client, "CreateSchedule").members["Target"]
        settings: Settings = {
            "name": item["name"],
            "group_name": item["group_name"],
            "description": schedule.get("Description", ""),
            "schedule_expression": schedule["ScheduleExpression"],
            "schedule_expression_timezone": schedule.get("ScheduleExpressionTimezone", ""),
            "maximum_window_in_minutes": schedule["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0),
            "enabled": schedule.get("State", "ENABLED") == "ENABLED",
            "target": _flat(from_response(shape, schedule["Target"])),
        }
        if item["tags"] is not None:
            settings["tags"] = self.groups[item["group_name"]]["tags"]
        return Resource(settings, {"arn": schedule["Arn"], "group_arn": self.groups[item["group_name"]]["arn"]})

    def predict(self, after: Settings) -> dict[str, Any]:
        # The account is not known without a call; check mode needs something of the same form to show.
        start = f"arn:aws:scheduler:{self.client.meta.region_name}:000000000000"
        group = self.groups.get(after["group_name"], {}).get("arn", f"{start}:schedule-group/{after['group_name']}")
        return {"arn": f"{start}:schedule/{after['group_name']}/{after['name']}", "group_arn": group}

    def create(self, after: Settings) -> dict[str, Any]:
        with self._making:  # once for all schedules of the run: AWS takes few of these calls
            group = self._make_group(after["group_name"], after.get("tags"))
        arn = self.client.create_schedule(**self._request(after, {}))["ScheduleArn"]
        return {"arn": arn, "group_arn": group}

    def _make_group(self, name: str, tags: dict[str, str] | None) -> str:
        """The ARN of the group, which is made where it is not there, and has these tags afterwards."""
        known = self.groups.get(name)
        if known is None:
            tags = tags or {}
            try:
                arn = self.client.create_schedule_group(Name=name, Tags=to_list(tags))["ScheduleGroupArn"]
            except self.client.exceptions.ConflictException:
                # Somebody else was quicker.
                arn = self.client.get_schedule_group(Name=name)["Arn"]
            known = self.groups[name] = {"arn": str(arn), "tags": tags}
        elif tags is not None:
            after = {**({} if self.purge_tags else known["tags"]), **tags}
            self._write_tags(known["arn"], known["tags"], after)
            known["tags"] = after
        return str(known["arn"])

    def _write_tags(self, arn: str, before: dict[str, str], after: dict[str, str]) -> None:
        put, remove = tag_changes(before, after)
        if remove:
            self.client.untag_resource(ResourceArn=arn, TagKeys=remove)
        if put:
            self.client.tag_resource(ResourceArn=arn, Tags=to_list(put))

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        if changed - {"tags"}:
            self.client.update_schedule(**self._request(after, self._kept.get(after["name"], {})))
        if "tags" in changed:
            self._write_tags(before.facts["group_arn"], before.settings["tags"], after["tags"])

    def _request(self, after: Settings, kept: dict[str, Any]) -> dict[str, Any]:
        """The whole schedule: AWS drops what is left out."""
        shape = input_shape(self.client, "CreateSchedule").members["Target"]
        window = after["maximum_window_in_minutes"]
        members = {
            "Name": after["name"],
            "GroupName": after["group_name"],
            "Description": after["description"],
            "ScheduleExpression": after["schedule_expression"],
            "ScheduleExpressionTimezone": after["schedule_expression_timezone"],
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": window} if window else {"Mode": "OFF"},
            "State": "ENABLED" if after["enabled"] else "DISABLED",
            "Target": to_request(shape, _nested(after["target"])),
        }
        return {**kept, **{name: value for name, value in members.items() if value}}

    def delete(self, before: Resource, item: Settings) -> None:
        self.client.delete_schedule(GroupName=item["group_name"], Name=item["name"])

    def settle(self, steps: list[Step], params: dict[str, Any]) -> list[str]:
        """A group goes with its last schedule, if it carries the tags of its owner."""
        emptied = {step.item["group_name"] for step in steps if step.action == "deleted"} - {DEFAULT}
        for name in sorted(emptied) if self.owner_tags else []:
            if not self.client.list_schedules(GroupName=name, MaxResults=1)["Schedules"]:
                self.client.delete_schedule_group(Name=name)
        return []

    def not_yet(self, error: BaseException) -> bool:
        # A role that was just made.
        return error_code(error) == "ValidationException" and "assume" in str(error)


def _target_problems(target: Settings) -> list[str]:
    found = [
        f"{option}: {target[option]!r} is no ARN"
        for option in ("arn", "role_arn")
        if target.get(option) and not target[option].startswith("arn:")
    ]
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
    return {**{option: default for option, (_least, _most, default) in RETRIES.items()}, **result}


def _as_data(target: Settings) -> Settings:
    """A normalised target with its input parsed: AWS keeps the text, and its spelling does not matter."""
    try:
        return {**target, "input": (json.loads(target["input"]),)}
    except (KeyError, ValueError):
        return target


def _flat(target: Settings) -> Settings:
    """A target as AWS answers it, in snake_case, with the options that are flat here."""
    result = dict(target)
    result["dead_letter_arn"] = result.pop("dead_letter_config", {}).get("arn")
    result.update(result.pop("retry_policy", {}))
    return {name: value for name, value in result.items() if name in TARGET}


def _nested(target: Settings) -> Settings:
    """A target as the API takes it, in snake_case."""
    result = dict(target)
    dead_letter = result.pop("dead_letter_arn", None)
    if dead_letter:
        result["dead_letter_config"] = {"arn": dead_letter}
    result["retry_policy"] = {option: result.pop(option) for option in RETRIES}
    return result
