# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules of conditions check. Each runs in its own thread, as the pipeline's (or its own) role."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local_aws import process
from local_aws.codepipeline import cron, stage_conditions
from local_aws.codepipeline.actions import ActionFailedError
from local_aws.codepipeline.model import Pipeline, RuleRun
from local_aws.codepipeline.roles import RoleSession

WINDOW_TIMEOUT_MINUTES = 7 * 24 * 60
_ALARM_POLL_SECONDS = 1.0


class RuleFailedError(Exception):
    """What a rule checks is not so; the text says what it found."""


@dataclass
class RuleJob:
    """One rule execution: where it belongs, its configuration with variables resolved, and the role it acts as."""

    pipeline: Pipeline
    run: RuleRun
    role: RoleSession

    @property
    def configuration(self) -> dict[str, str]:
        return self.run.configuration

    def wait(self, seconds: float) -> bool:
        """Wait; False when the outcome is of no interest any more."""
        with self.pipeline.condition:
            return not self.pipeline.condition.wait_for(
                lambda: self.run.status != "InProgress", timeout=max(seconds, 0.05)
            )


class Rule(ABC):
    """One rule provider."""

    @abstractmethod
    def run(self, job: RuleJob) -> str:
        """Check, and say what was found. Raises RuleFailedError, and other errors where it cannot be checked."""


class VariableCheck(Rule):
    """VariableCheck: a variable against a value. A regular expression must match all of the variable."""

    def run(self, job: RuleJob) -> str:
        variable, value, operator = (job.configuration[key] for key in ("Variable", "Value", "Operator"))
        if operator == "MATCHES":
            try:
                passed = re.fullmatch(value, variable) is not None
            except re.error as error:
                raise ActionFailedError(
                    "ConfigurationError", f"'{value}' is not a valid regular expression: {error}"
                ) from error
        else:
            passed = {"EQ": variable == value, "NE": variable != value, "CONTAINS": value in variable}[operator]
        text = f"'{variable}' {operator} '{value}'"
        if not passed:
            raise RuleFailedError(f"{text} is false")
        return f"{text} is true"


class DeploymentWindow(Rule):
    """DeploymentWindow: wait until the window is open."""

    def run(self, job: RuleJob) -> str:
        window = cron.parse(job.configuration["Cron"])
        zone = cron.zone(job.configuration.get("TimeZone", "UTC"))
        minutes = int(job.run.rule.get("timeoutInMinutes", WINDOW_TIMEOUT_MINUTES))
        deadline = time.monotonic() + process.minute_seconds() * minutes
        while not window.is_open(moment := datetime.now(zone)):
            if time.monotonic() >= deadline:
                raise RuleFailedError(f"The deployment window did not open within {minutes} minutes")
            # Only another minute of the clock can be another answer.
            if not job.wait(min(60 - moment.second, deadline - time.monotonic())):
                break
        return "The deployment window is open"


class CloudWatchAlarm(Rule):
    """CloudWatchAlarm: for WaitTime minutes, an alarm must not be in one of AlarmStates."""

    def run(self, job: RuleJob) -> str:
        name, states = job.configuration["AlarmName"], stage_conditions.alarm_states(job.configuration)
        deadline = time.monotonic() + process.minute_seconds() * int(job.configuration.get("WaitTime", 0))
        while True:
            found = job.role.client("cloudwatch").describe_alarms(
                AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
            alarms = [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]
            if not alarms:
                raise ActionFailedError("ConfigurationError", f"The alarm {name} does not exist")
            text = f"The alarm {name} is in the state {alarms[0]['StateValue']}"
            if alarms[0]["StateValue"] in states:
                raise RuleFailedError(text)
            if time.monotonic() >= deadline or not job.wait(_ALARM_POLL_SECONDS):
                return text


class Unsupported(Rule):
    """A rule provider that AWS has and local AWS has not: it fails, and says so."""

    def run(self, job: RuleJob) -> str:
        raise ActionFailedError(
            "ConfigurationError",
            f"Rules of provider {job.run.rule['ruleTypeId']['provider']} are not part of local AWS",
        )


RULES: dict[str, Rule] = {
    "VariableCheck": VariableCheck(),
    "DeploymentWindow": DeploymentWindow(),
    "CloudWatchAlarm": CloudWatchAlarm(),
}


def of(rule: dict[str, Any]) -> Rule:
    """The implementation of a declared rule."""
    return RULES.get(rule["ruleTypeId"]["provider"], Unsupported())
