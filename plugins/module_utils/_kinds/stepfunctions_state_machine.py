# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""State machines of AWS Step Functions, found by their name: account, region and name are a machine's ARN."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import (
    NotYet,
    error_code,
    is_not_yet,
    read_or_none,
    until_propagated,
)
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings, Step
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

LOGGING: dict[str, Any] = {
    "level": {"type": "str", "choices": ["ALL", "ERROR", "FATAL", "OFF"]},
    "include_execution_data": {"type": "bool"},
    "log_group_arn": {"type": "str"},
}

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "definition": {"type": "dict"},
    "role_arn": {"type": "str"},
    "type": {"type": "str", "choices": ["STANDARD", "EXPRESS"]},
    "logging_configuration": {"type": "dict", "options": LOGGING},
    "tracing_enabled": {"type": "bool"},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

# AWS's rule, of which `-` and `_` are all that CloudWatch Logs takes beside letters and digits.
NAME = r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]+"
LONGEST = 1024 * 1024  # bytes of a definition, for AWS
OFF = {"level": "OFF", "include_execution_data": False, "log_group_arn": ""}

# Seconds that a deletion is waited for. AWS promises no bound: executions that wait for a day may last that long.
DELETION_TIMEOUT = 60

MISSING = ("StateMachineDoesNotExist",)


class StepfunctionsStateMachine(Kind):
    noun = "state machine"
    service = "stepfunctions"
    required = ("definition", "role_arn")
    fixed = ("type",)

    def problems(self, item: Settings) -> list[str]:
        problem = pattern_problem(
            item["name"], NAME, 80, 'no spaces, and none of < > { } [ ] ? * " # % \\ ^ | ~ ` $ & , ; : /'
        )
        found = [f"name: {problem}"] if problem else []
        definition = item["definition"]
        if definition == {}:
            found.append("definition: a state machine is never without one. Fix: leave it out, or give it")
        size = len(_text(definition or {}).encode())
        if size > LONGEST:
            found.append(f"definition: it has {size} bytes, and AWS allows {LONGEST}")
        logging = item["logging_configuration"] or {}
        for path, arn in (
            ("role_arn", item["role_arn"]),
            ("logging_configuration.log_group_arn", logging.get("log_group_arn")),
        ):
            if arn is not None and not arn.startswith("arn:") and (arn or path == "role_arn"):
                found.append(f"{path}: {arn!r} is no ARN")
        return found

    def conflicts(self, step: Step) -> list[str]:
        logging = (step.after or {}).get("logging_configuration", OFF)
        if logging["level"] == "OFF" or logging["log_group_arn"]:
            return []
        return [f"logging_configuration.log_group_arn: it is needed where the level is {logging['level']}"]

    def normalise(self, settings: Settings) -> Settings:
        result = {"type": "STANDARD", "tracing_enabled": False, **settings}
        logging = {**OFF, **(settings.get("logging_configuration") or {})}
        # AWS wants all streams of the group, and answers so.
        arn = logging["log_group_arn"]
        result["logging_configuration"] = {**logging, "log_group_arn": arn and f"{arn.removesuffix(':*')}:*"}
        return result

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        # The account is all that lacks to the ARNs. This is one call, whatever the number of machines, and AWS allows
        # it to everybody; ListStateMachines would be a permission on all of them.
        caller = self.aws.identity()
        partition = caller["Arn"].split(":")[1]
        region = self.client.meta.region_name
        self._arn = f"arn:{partition}:states:{region}:{caller['Account']}:stateMachine:{{}}".format
        found = self.read_each(self._read, items)
        add_tags(self, found, items, self._tags)
        return found

    def _read(self, item: Settings) -> Resource | None:
        arn = self._arn(item["name"])
        machine = read_or_none(self.client.describe_state_machine, MISSING, stateMachineArn=arn)
        if machine is None or machine.get("status") == "DELETING":
            # What is on its way out cannot be changed; a new one of the name can be made as soon as it is gone.
            return None
        logging = machine.get("loggingConfiguration", {})
        groups = [each.get("cloudWatchLogsLogGroup", {}) for each in logging.get("destinations", [])]
        settings: Settings = {
            "name": item["name"],
            "definition": json.loads(machine["definition"]),
            "role_arn": machine["roleArn"],
            "type": machine["type"],
            "logging_configuration": {
                "level": logging.get("level", "OFF"),
                "include_execution_data": logging.get("includeExecutionData", False),
                "log_group_arn": groups[0].get("logGroupArn", "") if groups else "",
            },
            "tracing_enabled": machine.get("tracingConfiguration", {}).get("enabled", False),
        }
        return Resource(settings, {"arn": arn})

    def _tags(self, machine: Resource) -> dict[str, str]:
        return to_dict(self.client.list_tags_for_resource(resourceArn=machine.facts["arn"])["tags"], "key", "value")

    def predict(self, after: Settings) -> dict[str, Any]:
        return {"arn": self._arn(after["name"])}

    def create(self, after: Settings) -> dict[str, Any]:
        made = self.client.create_state_machine(
            name=after["name"],
            type=after["type"],
            definition=_text(after["definition"]),
            roleArn=after["role_arn"],
            loggingConfiguration=_logging(after),
            tracingConfiguration={"enabled": after["tracing_enabled"]},
            tags=to_list(after.get("tags") or {}, "key", "value"),
        )
        return {"arn": made["stateMachineArn"]}

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        arn = before.facts["arn"]
        members = {
            # AWS wants it or the role in every call, and to name the role is to pass it.
            "definition": _text(after["definition"]),
            "roleArn": after["role_arn"] if "role_arn" in changed else None,
            "loggingConfiguration": _logging(after) if "logging_configuration" in changed else None,
            "tracingConfiguration": {"enabled": after["tracing_enabled"]} if "tracing_enabled" in changed else None,
        }
        if changed - {"tags"}:
            arguments = {name: value for name, value in members.items() if value is not None}
            self.client.update_state_machine(stateMachineArn=arn, **arguments)
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_resource(resourceArn=arn, tagKeys=remove)
            if put:
                self.client.tag_resource(resourceArn=arn, tags=to_list(put, "key", "value"))

    def delete(self, before: Resource, item: Settings) -> None:
        self.client.delete_state_machine(stateMachineArn=before.facts["arn"])

    def settle(self, steps: list[Step], params: dict[str, Any]) -> list[str]:
        """Waits until what was deleted is gone, when its name is free. What takes longer is only told: AWS ends it."""
        self.aws.map(self._wait, [step for step in steps if step.action == "deleted"])
        return []

    def _wait(self, step: Step) -> None:
        arn = self._arn(step.name)

        def look() -> None:
            if read_or_none(self.client.describe_state_machine, MISSING, stateMachineArn=arn):
                raise NotYet

        step.facts["deleting"] = True
        with suppress(NotYet):
            until_propagated(look, is_not_yet, DELETION_TIMEOUT)
            step.facts["deleting"] = False

    def not_yet(self, error: BaseException) -> bool:
        if error_code(error) == "StateMachineDeleting":
            return True
        # A role that was just made, or that was just allowed to log.
        text = str(error)
        return error_code(error) == "AccessDeniedException" and (
            "authorized to assume the provided role" in text or "authorized to access the Log Destination" in text
        )


def _text(definition: Settings) -> str:
    """A definition as the API takes it. Texts stay readable in the console, which shows it as it is."""
    return json.dumps(definition, ensure_ascii=False)


def _logging(after: Settings) -> dict[str, Any]:
    """The logging of normalised settings as the API takes it."""
    logging = after["logging_configuration"]
    arn = logging["log_group_arn"]
    return {
        "level": logging["level"],
        "includeExecutionData": logging["include_execution_data"],
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}] if arn else [],
    }
