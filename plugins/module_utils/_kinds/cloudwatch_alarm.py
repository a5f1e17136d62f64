# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""CloudWatch alarms on one metric, found by their name."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._engine import (
    Kind,
    Resource,
    Settings,
    Step,
    as_text,
    chunks,
)
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._shapes import input_shape
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str"},
    "namespace": {"type": "str"},
    "metric_name": {"type": "str"},
    "dimensions": {"type": "dict"},
    "statistic": {"type": "str", "choices": ["Average", "Maximum", "Minimum", "SampleCount", "Sum"]},
    "period": {"type": "int"},
    "evaluation_periods": {"type": "int"},
    "datapoints_to_alarm": {"type": "int"},
    "threshold": {"type": "float"},
    "comparison_operator": {
        "type": "str",
        # The others are for alarms on expressions.
        "choices": [
            "GreaterThanOrEqualToThreshold",
            "GreaterThanThreshold",
            "LessThanOrEqualToThreshold",
            "LessThanThreshold",
        ],
    },
    "treat_missing_data": {"type": "str", "choices": ["breaching", "ignore", "missing", "notBreaching"]},
    "actions_enabled": {"type": "bool"},
    "alarm_actions": {"type": "list", "elements": "str"},
    "ok_actions": {"type": "list", "elements": "str"},
    "insufficient_data_actions": {"type": "list", "elements": "str"},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

MEMBERS = {
    "name": "AlarmName",
    "description": "AlarmDescription",
    "namespace": "Namespace",
    "metric_name": "MetricName",
    "dimensions": "Dimensions",
    "statistic": "Statistic",
    "period": "Period",
    "evaluation_periods": "EvaluationPeriods",
    "datapoints_to_alarm": "DatapointsToAlarm",
    "threshold": "Threshold",
    "comparison_operator": "ComparisonOperator",
    "treat_missing_data": "TreatMissingData",
    "actions_enabled": "ActionsEnabled",
    "alarm_actions": "AlarmActions",
    "ok_actions": "OKActions",
    "insufficient_data_actions": "InsufficientDataActions",
}

ACTIONS = ("alarm_actions", "ok_actions", "insufficient_data_actions")
ACTIONS_LIMIT = 5  # of each kind; AWS
NAMES_LIMIT = 100  # of DescribeAlarms
SHORT_PERIODS = (10, 20, 30)  # seconds; all others are whole minutes
HOUR, DAY, WEEK = 3600, 86400, 7 * 86400
PERCENTILE = ("ExtendedStatistic", "EvaluateLowSampleCountPercentile")  # in the place of a statistic
EXPRESSION = ("Metrics", "ThresholdMetricId", "EvaluationCriteria")  # in the place of a metric


class CloudwatchAlarm(Kind):
    noun = "CloudWatch alarm"
    service = "cloudwatch"
    required = (
        *("namespace", "metric_name", "statistic", "period", "evaluation_periods"),
        *("threshold", "comparison_operator"),
    )

    def __init__(self, aws: Any) -> None:
        super().__init__(aws)
        self._kept: dict[str, dict[str, Any]] = {}  # by alarm: what PutMetricAlarm would drop, and is not an option
        self._arn = ""  # of a new alarm, without its name

    def problems(self, item: Settings) -> list[str]:
        problem = pattern_problem(item["name"], r"(?s).+", 255, "it is empty")
        found = [f"name: {problem}"] if problem else []
        if len(item["description"] or "") > 1024:
            found.append(f"description: it has {len(item['description'])} characters, at most 1024 are allowed")
        for name, value in (item["dimensions"] or {}).items():
            if value is None:
                found.append(f"dimensions.{name}: null is not allowed, it must be a text")
        period = item["period"]
        if period is not None and period not in SHORT_PERIODS and (period < 60 or period % 60):
            found.append(f"period: {period} is not allowed; allowed are 10, 20, 30 and multiples of 60")
        for option, least in (("evaluation_periods", 1), ("datapoints_to_alarm", 0)):
            if item[option] is not None and item[option] < least:
                found.append(f"{option}: {item[option]} is less than {least}")
        for option in ACTIONS:
            actions = item[option] or []
            found += [
                f"{option}[{index}]: {each!r} is no ARN"
                for index, each in enumerate(actions)
                if not each.startswith("arn:")
            ]
            if len(set(actions)) > ACTIONS_LIMIT:
                found.append(f"{option}: they are {len(set(actions))}, and AWS allows {ACTIONS_LIMIT}")
        return found

    def conflicts(self, step: Step) -> list[str]:
        after = step.after or {}
        period, periods = after.get("period") or 0, after.get("evaluation_periods") or 0
        found = []
        points = after.get("datapoints_to_alarm", 0)
        if points > periods > 0:
            found.append(f"datapoints_to_alarm: {points} is more than evaluation_periods, which is {periods}")
        most, words = (WEEK, "a week") if period >= HOUR else (DAY, "a day")
        if period * periods > most:
            found.append(f"evaluation_periods: {periods} of {period} seconds are more than {words}; AWS allows no more")
        return found

    def normalise(self, settings: Settings) -> Settings:
        result = {
            "description": "",
            "dimensions": {},
            "treat_missing_data": "missing",
            "actions_enabled": True,
            **settings,
            **{option: sorted(set(settings.get(option) or [])) for option in ACTIONS},
        }
        result["dimensions"] = {name: as_text(value) for name, value in result["dimensions"].items()}
        if not result.get("datapoints_to_alarm"):
            result.pop("datapoints_to_alarm", None)  # all of evaluation_periods
        return result

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        names = chunks([item["name"] for item in items], NAMES_LIMIT)
        listed = self.aws.map(
            lambda some: self.aws.pages(
                "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=some, MaxRecords=NAMES_LIMIT
            ),
            names,
        )
        alarms = {alarm["AlarmName"]: alarm for some in listed for alarm in some}
        if len(alarms) < len(items):
            # PutMetricAlarm answers nothing. The account is all that lacks to the ARN, and AWS tells it to everybody.
            caller = self.aws.identity()
            partition, region = caller["Arn"].split(":")[1], self.client.meta.region_name
            self._arn = f"arn:{partition}:cloudwatch:{region}:{caller['Account']}:alarm:"
        found = self.read_each(
            lambda item: self._resource(item, alarms[item["name"]]),
            [item for item in items if item["name"] in alarms],
        )
        add_tags(self, found, items, self._tags)
        return found

    def _resource(self, item: Settings, alarm: dict[str, Any]) -> Resource:
        members = set(input_shape(self.client, "PutMetricAlarm").members) - set(MEMBERS.values())
        self._kept[item["name"]] = {member: alarm[member] for member in members if alarm.get(member)}
        settings = {option: alarm[member] for option, member in MEMBERS.items() if member in alarm}
        settings["dimensions"] = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}
        return Resource(settings, {"arn": alarm["AlarmArn"], "state": alarm["StateValue"]})

    def _tags(self, alarm: Resource) -> dict[str, str]:
        return to_dict(self.client.list_tags_for_resource(ResourceARN=alarm.facts["arn"])["Tags"])

    def unusable(self, before: Resource) -> str | None:
        if not any(member in self._kept.get(before.settings["name"], {}) for member in EXPRESSION):
            return None
        return "it is on an expression, and this module makes alarms on one metric. Fix: choose another name"

    def predict(self, after: Settings) -> dict[str, Any]:
        return {"arn": self._arn + after["name"], "state": "INSUFFICIENT_DATA"}

    def create(self, after: Settings) -> dict[str, Any]:
        tags = to_list(after.get("tags") or {})
        self.client.put_metric_alarm(**_request(after, {}), **({"Tags": tags} if tags else {}))
        return self.predict(after)

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        if changed - {"tags"}:
            self.client.put_metric_alarm(**_request(after, self._kept.get(after["name"], {})))
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_resource(ResourceARN=before.facts["arn"], TagKeys=remove)
            if put:
                self.client.tag_resource(ResourceARN=before.facts["arn"], Tags=to_list(put))

    def delete(self, before: Resource, item: Settings) -> None:
        self.client.delete_alarms(AlarmNames=[item["name"]])


def _request(after: Settings, kept: dict[str, Any]) -> dict[str, Any]:
    """The whole alarm: AWS drops what is left out."""
    members = {member: after.get(option) for option, member in MEMBERS.items()}
    members["Dimensions"] = [{"Name": name, "Value": value} for name, value in sorted(after["dimensions"].items())]
    if after.get("statistic"):
        kept = {member: value for member, value in kept.items() if member not in PERCENTILE}
    return {**kept, **{member: value for member, value in members.items() if value not in (None, "", [])}}
