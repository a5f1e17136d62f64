# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conditions a stage declares, and the checks CreatePipeline and UpdatePipeline make of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local_aws.codepipeline import cron, variables
from local_aws.codepipeline.refusals import structure, unique

PLACES = ("beforeEntry", "onSuccess", "onFailure")
OPERATORS = ("EQ", "NE", "CONTAINS", "MATCHES")
ALARM_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
_RESULTS = {"beforeEntry": ("FAIL", "SKIP"), "onSuccess": ("FAIL", "ROLLBACK"), "onFailure": ("ROLLBACK",)}
_MAY_SKIP = ("LambdaInvoke", "VariableCheck")
_AFTER_ACTIONS = 1000
"""A runOrder above all that actions may have."""


@dataclass(frozen=True)
class RuleProvider:
    """What AWS checks of a rule of one provider; keys is None where its configuration is not checked here."""

    required: tuple[str, ...] = ()
    keys: tuple[str, ...] | None = None


PROVIDERS = {
    "CloudWatchAlarm": RuleProvider(("AlarmName",), ("AlarmName", "AlarmStates", "WaitTime")),
    "CodeBuild": RuleProvider(("ProjectName",)),
    "Commands": RuleProvider(),
    "DeploymentWindow": RuleProvider(("Cron",), ("Cron", "TimeZone")),
    "LambdaInvoke": RuleProvider(("FunctionName",), ("FunctionName", "UserParameters")),
    "VariableCheck": RuleProvider(("Variable", "Value", "Operator"), ("Variable", "Value", "Operator")),
}


def of(stage: dict[str, Any], place: str) -> dict[str, Any] | None:
    """The condition of a stage in one of PLACES: each has room for one."""
    conditions = stage.get(place, {}).get("conditions", [])
    return conditions[0] if conditions else None


def rules(stage: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
    """Every rule of a stage, with the runOrder it has among the stage's actions: before or after all of them."""
    for place in PLACES:
        for rule in (of(stage, place) or {}).get("rules", []):
            yield rule, 0 if place == "beforeEntry" else _AFTER_ACTIONS


def check(pipeline: dict[str, Any]) -> None:
    """Check the conditions, and what stages do on failure. Raises AwsError with AWS's code."""
    for number, stage in enumerate(pipeline["stages"]):
        for place in PLACES:
            if stage.get(place):
                _check_place(pipeline, number, stage, place)
        unique([rule["name"] for rule, _ in rules(stage)], f"Rule names must be unique within stage {stage['name']}")


def _check_place(pipeline: dict[str, Any], number: int, stage: dict[str, Any], place: str) -> None:
    where = f"{place} of stage {stage['name']}"
    if pipeline["pipelineType"] != "V2":
        raise structure(f"Pipelines of type V1 do not support {where}; use pipelineType V2")
    condition, failure = of(stage, place), stage[place]
    results = [item.get("result") for item in (failure, condition) if item]
    if "ROLLBACK" in results and number == 0:
        raise structure(f"The result ROLLBACK in {where} is not valid: a source stage cannot be rolled back")
    if "ROLLBACK" in results and pipeline["executionMode"] == "PARALLEL":
        raise structure(f"The result ROLLBACK in {where} is not valid in execution mode PARALLEL")
    if "retryConfiguration" in failure and failure.get("result") != "RETRY":
        raise structure(f"The retryConfiguration in {where} needs the result RETRY")
    if condition is None:
        return
    if failure.get("result") == "RETRY":
        raise structure(f"The result RETRY in {where} is not valid together with conditions")
    if condition.get("result") not in _RESULTS[place]:
        raise structure(
            f"The result {condition.get('result')} of the condition in {where} is not valid; "
            f"valid here: {', '.join(_RESULTS[place])}"
        )
    if not condition.get("rules"):
        raise structure(f"The condition in {where} has no rules")
    for rule in condition["rules"]:
        _check_rule(rule, where)
        if condition["result"] == "SKIP" and rule["ruleTypeId"]["provider"] not in _MAY_SKIP:
            raise structure(
                f"Rule {rule['name']} in {where}: a condition with the result SKIP can only have "
                f"rules of the providers {', '.join(_MAY_SKIP)}"
            )


def _check_rule(rule: dict[str, Any], where: str) -> None:
    kind, name = rule["ruleTypeId"], rule["name"]
    provider = PROVIDERS.get(kind["provider"])
    if provider is None or kind.get("version", "1") != "1":
        raise structure(
            f"RuleType (Category: '{kind['category']}', Provider: '{kind['provider']}', "
            f"Owner: '{kind.get('owner', 'AWS')}', Version: '{kind.get('version', '1')}') of rule '{name}' in {where} "
            "is not available"
        )
    configuration = rule.get("configuration", {})
    for key in provider.required:
        if not configuration.get(key):
            raise structure(f"Configuration of rule '{name}' in {where} is missing required configuration '{key}'")
    for key in configuration:
        if provider.keys is not None and key not in provider.keys:
            raise structure(f"Configuration of rule '{name}' in {where} contains unknown configuration '{key}'")
    if (kind["provider"] == "Commands") != bool(rule.get("commands")):
        raise structure(f"Rule '{name}' in {where}: rules of provider Commands, and only those, have commands")
    # What a reference stands for is known only when the rule runs.
    fixed = {key: text for key, text in configuration.items() if not variables.references(text)}
    if wrong := invalid(kind["provider"], fixed):
        raise structure(f"Configuration of rule '{name}' in {where} is not valid: {wrong}")


def invalid(provider: str, configuration: dict[str, str]) -> str:
    """What is wrong with the values of a rule's configuration; "" when nothing is."""
    if provider == "VariableCheck" and configuration.get("Operator", "EQ") not in OPERATORS:
        return f"Operator '{configuration['Operator']}' is none of {', '.join(OPERATORS)}"
    if provider == "CloudWatchAlarm":
        if not configuration.get("WaitTime", "0").isdecimal():
            return f"WaitTime '{configuration['WaitTime']}' is not a number of minutes"
        for state in alarm_states(configuration):
            if state not in ALARM_STATES:
                return f"AlarmStates: '{state}' is none of {', '.join(ALARM_STATES)}"
    if provider == "DeploymentWindow":
        try:
            cron.parse(configuration.get("Cron", "* * * * * ?"))
            cron.zone(configuration.get("TimeZone", "UTC"))
        except cron.CronError as error:
            return str(error)
    return ""


def alarm_states(configuration: dict[str, str]) -> list[str]:
    """The alarm states a CloudWatchAlarm rule watches for."""
    return [state.strip() for state in configuration.get("AlarmStates", "ALARM").split(",")]
