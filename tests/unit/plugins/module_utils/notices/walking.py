# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walks through a state machine with MiniStack's JSONata, and answers its calls as it is told to.

For input that is hard to bring about. What AWS really answers is asked in tests/integration/notices.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from ministack.services import stepfunctions

Answers = dict[str, Any]  # by <service>:<action>: an answer, a list of them for one call each, or an Error

START = "2026-11-26T08:00:00.123Z"
MANY = 200  # states, after which something goes round in circles


@dataclass(frozen=True)
class Error:
    """What a call fails with."""

    name: str
    cause: str = "it was told to"


@dataclass
class Walk:
    """What a machine did: the calls with their arguments, the states, the variables, and how it ended."""

    calls: list[tuple[str, Any]] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    output: Any = None
    error: str = ""

    def arguments(self, task: str) -> list[Any]:
        """The arguments of all calls of a task."""
        return [arguments for name, arguments in self.calls if name == task]


def parsed(expression: str) -> None:
    """Raises where an expression is none."""
    stepfunctions.jsonata.Jsonata.jsonata(expression)


def walk(machine: dict[str, Any], given: Any, answers: Answers | None = None) -> Walk:
    """The way of an execution with this input."""
    done, answers = Walk(), copy.deepcopy(answers or {})
    name, value = machine["StartAt"], given
    while True:
        state = machine["States"][name]
        done.states.append(name)
        assert len(done.states) < MANY, done.states
        if state["Type"] == "Fail":
            done.error, done.output = state["Error"], _filled(state["Cause"], value, done)
            return done
        if state["Type"] == "Choice":
            name = next(
                (rule["Next"] for rule in state["Choices"] if _holds(rule, value, done)),
                state["Default"],
            )
            continue
        if state["Type"] == "Wait":
            name = state["Next"]
            continue
        result: Any = value
        taken = state
        if state["Type"] == "Task":
            task = state["Resource"].removeprefix("arn:aws:states:::aws-sdk:")
            arguments = _filled(state["Arguments"], value, done)
            done.calls.append((task, arguments))
            result = answers.get(task, {})
            if isinstance(result, list):
                result = result.pop(0)
            if isinstance(result, Error):
                caught = next((c for c in state.get("Catch", []) if _catches(c, result.name)), None)
                if caught is None:
                    done.error, done.output = result.name, result.cause
                    return done
                told = {"Error": result.name, "Cause": result.cause}
                value, name = _left(caught, value, done, told, error=told), caught["Next"]
                continue
        value = _left(taken, value, done, result)
        if state["Type"] == "Succeed":
            done.output = value
            return done
        name = state["Next"]


def _catches(catcher: dict[str, Any], error: str) -> bool:
    return error in catcher["ErrorEquals"] or (
        "States.ALL" in catcher["ErrorEquals"] and error != "States.DataLimitExceeded"
    )


def _holds(rule: dict[str, Any], value: Any, done: Walk) -> bool:
    found = _filled(rule["Condition"], value, done)
    assert isinstance(found, bool), (rule, found)
    return found


def _left(state: dict[str, Any], value: Any, done: Walk, result: Any, error: Any = None) -> Any:
    """The output, once variables are assigned: no expression of a state sees what another assigns."""
    output = _filled(state["Output"], value, done, result, error) if "Output" in state else result
    new = {name: _filled(each, value, done, result, error) for name, each in state.get("Assign", {}).items()}
    done.variables.update(new)
    return output


def _filled(template: Any, value: Any, done: Walk, result: Any = None, error: Any = None) -> Any:
    context = {"variables": done.variables, "Execution": {"StartTime": START}}
    return stepfunctions._apply_jsonata_template(template, value, context, result=result, error_output=error)
