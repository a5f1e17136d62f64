# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Step Functions refuses in a definition, beside JSONata that cannot be parsed, which MiniStack finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from local_aws import sdk_tasks

State = dict[str, Any]

_ENDS = ("Succeed", "Fail")
_TYPES = ("Choice", "Map", "Parallel", "Pass", "Task", "Wait", *_ENDS)
_LONGEST_NAME = 80

# Fields that a state has in one query language only.
_OF_JSONPATH = ("InputPath", "OutputPath", "Parameters", "ResultPath", "ResultSelector")
_OF_JSONATA = ("Arguments", "Output")


def problem(text: str) -> str | None:
    """What AWS says of a definition that it does not take; None of one that it may take."""
    try:
        definition = json.loads(text)
    except ValueError as error:
        return f"INVALID_JSON_DESCRIPTION: {error}"
    if not isinstance(definition, dict):
        return "INVALID_JSON_DESCRIPTION: a definition is an object"
    seen: set[str] = set()
    return next(_machine(definition, "", str(definition.get("QueryLanguage", "JSONPath")), seen), None)


def _machine(machine: State, path: str, language: str, seen: set[str]) -> Iterator[str]:
    """Of a machine, or of what a Map or a branch of a Parallel runs; `seen` are the names of states so far."""
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        yield f"SCHEMA_VALIDATION_FAILED: The field 'States' should have at least one state at {path}/States"
        return
    start = machine.get("StartAt")
    if start not in states:
        yield f"MISSING_TRANSITION_TARGET: Missing 'StartAt' target: {start} at {path}/StartAt"
        return
    reached = {start}
    for name, state in states.items():
        here = f"{path}/States/{name}"
        if len(name) > _LONGEST_NAME:
            yield f"SCHEMA_VALIDATION_FAILED: The name is longer than {_LONGEST_NAME} characters at {here}"
        if name in seen:
            yield f"DUPLICATE_STATE_NAME: The state name {name} is not unique at {here}"
        seen.add(name)
        if not isinstance(state, dict) or state.get("Type") not in _TYPES:
            yield f"SCHEMA_VALIDATION_FAILED: The field 'Type' is not one of {', '.join(sorted(_TYPES))} at {here}"
            continue
        yield from _state(state, here, state.get("QueryLanguage", language), seen)
        for field, target in _targets(state):
            reached.add(target)
            if target not in states:
                yield f"MISSING_TRANSITION_TARGET: Missing '{field}' target: {target} at {here}/{field}"
    for name in states.keys() - reached:
        yield f'MISSING_TRANSITION_TARGET: State "{name}" is not reachable. at {path}/States/{name}'


def _state(state: State, here: str, language: str, seen: set[str]) -> Iterator[str]:
    kind = state["Type"]
    for field in _OF_JSONPATH if language == "JSONata" else _OF_JSONATA:
        if field in state:
            yield f"SCHEMA_VALIDATION_FAILED: The field '{field}' is not supported with {language} at {here}/{field}"
    if kind == "Choice":
        if not state.get("Choices"):
            yield f"SCHEMA_VALIDATION_FAILED: The field 'Choices' should have at least one rule at {here}"
        for index, rule in enumerate(state.get("Choices", [])):
            if ("Condition" in rule) != (language == "JSONata"):
                yield f"SCHEMA_VALIDATION_FAILED: The rule is not one of {language} at {here}/Choices[{index}]"
    elif kind not in _ENDS and ("Next" in state) == (state.get("End") is True):
        yield f"SCHEMA_VALIDATION_FAILED: One of the fields 'Next' and 'End' is needed at {here}"
    if kind == "Task" and not str(state.get("Resource", "")).startswith("arn:"):
        yield f"SCHEMA_VALIDATION_FAILED: Value is not a valid resource ARN at {here}/Resource"
    if kind == "Task":
        yield from sdk_tasks.problems(str(state.get("Resource", "")), state.get("Arguments"), here)
    nested = [("ItemProcessor", state.get("ItemProcessor") or state.get("Iterator"))] if kind == "Map" else []
    branches = state.get("Branches") or [None] if kind == "Parallel" else []
    for field, machine in [*nested, *((f"Branches[{index}]", each) for index, each in enumerate(branches))]:
        if not isinstance(machine, dict):
            yield f"SCHEMA_VALIDATION_FAILED: The field '{field}' is needed at {here}"
            continue
        yield from _machine(machine, f"{here}/{field}", language, seen)


def _targets(state: State) -> Iterator[tuple[str, str]]:
    """The states that can come after one, each with the field that says so."""
    for field in ("Next", "Default"):
        if field in state:
            yield field, state[field]
    for field in ("Choices", "Catch"):
        for index, each in enumerate(state.get(field, [])):
            yield f"{field}[{index}]/Next", each.get("Next")
