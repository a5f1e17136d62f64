# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Transitions into the stages of pipelines. They are there with their pipeline, and are opened and closed."""

from __future__ import annotations

import re
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._answers import understood
from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused, explain
from ansible_collections.gitops.aws.plugins.module_utils._engine import (
    CONCURRENCY,
    Kind,
    Resource,
    Settings,
    Step,
    check_items,
    connect,
    converge,
    finish,
)
from ansible_collections.gitops.aws.plugins.module_utils._executions import stage_states
from ansible_collections.gitops.aws.plugins.module_utils._module import aws_module, refuse

OPTIONS: dict[str, Any] = {
    "pipeline": {"type": "str", "required": True},
    "stage": {"type": "str", "required": True},
    # The API takes Outbound, too, but no answer says how it stands, so that nobody could compare.
    "transition_type": {"type": "str", "choices": ["Inbound"], "default": "Inbound"},
    "enabled": {"type": "bool", "required": True},
    "reason": {"type": "str"},
}

ARGUMENTS: dict[str, Any] = {
    "transitions": {"type": "list", "elements": "dict", "required": True, "options": OPTIONS},
    "concurrency": CONCURRENCY,
}

LONGEST_REASON = 300
REASON = re.compile(r"[a-zA-Z0-9!@ ().*?-]+")


class StageTransition(Kind):
    noun = "transition"
    service = "codepipeline"
    key = "id"  # pipeline/stage, made here: an item has no name of its own

    def problems(self, item: Settings) -> list[str]:
        reason = item["reason"] or ""
        found = []
        if len(reason) > LONGEST_REASON:
            found.append(f"reason: it has {len(reason)} characters, at most {LONGEST_REASON} are allowed")
        if reason and not REASON.fullmatch(reason):
            wrong = "".join(sorted({character for character in reason if not REASON.fullmatch(character)}))
            found.append(f"reason: {wrong!r} in it is not allowed, only a-z A-Z 0-9 ! @ ( ) . * ? - and space")
        return found

    def conflicts(self, step: Step) -> list[str]:
        after = step.after or {}
        return [] if after.get("enabled") or after.get("reason") else ["reason: it is needed to disable a transition"]

    def normalise(self, settings: Settings) -> Settings:
        # What is open has no reason to be closed.
        return {name: value for name, value in settings.items() if name != "reason" or (value and not _open(settings))}

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        pipelines = list(dict.fromkeys(item["pipeline"] for item in items))
        stages = dict(zip(pipelines, self.aws.map(self._read_pipeline, pipelines)))
        found = {}
        for item in items:
            answer, name = stages[item["pipeline"]], item[self.key]
            if isinstance(answer, str):
                self.unreadable[name] = f"{self.noun} {name}: {answer}"
            elif item["stage"] not in answer:
                self.unreadable[name] = (
                    f"{self.noun} {name}: the pipeline has no stage {item['stage']}. Fix: name one of "
                    f"{', '.join(answer)}"
                )
            else:
                found[name] = _resource(item, answer[item["stage"]])
        return found

    def _read_pipeline(self, name: str) -> dict[str, dict[str, Any]] | str:
        """The state of a pipeline's stages by name, or why it cannot be read."""
        try:
            return {state["stageName"]: state for state in stage_states(self.aws, name)}
        except (ClientError, BotoCoreError, Refused) as error:
            return explain(error, f"pipeline {name}")

    def update(self, before: Resource, after: Settings, changed: set[str]) -> dict[str, Any] | None:
        where = {
            "pipelineName": after["pipeline"],
            "stageName": after["stage"],
            "transitionType": after["transition_type"],
        }
        if after["enabled"]:
            self.client.enable_stage_transition(**where)
        else:
            # Also where it is disabled already, for another reason.
            self.client.disable_stage_transition(**where, reason=after["reason"])
        return None

    def public(self, settings: Settings) -> Settings:
        return {name: value for name, value in settings.items() if name != self.key}


def _open(settings: Settings) -> bool:
    return bool(settings.get("enabled"))


def _resource(item: Settings, state: dict[str, Any]) -> Resource:
    transition = state.get("inboundTransitionState", {})
    waiting = state.get("inboundExecutions") or [state[name] for name in ("inboundExecution",) if state.get(name)]
    return Resource(
        {
            StageTransition.key: item[StageTransition.key],
            "pipeline": item["pipeline"],
            "stage": item["stage"],
            "transition_type": item["transition_type"],
            "enabled": transition.get("enabled", True),
            "reason": transition.get("disabledReason", ""),
        },
        {"waiting": [each["pipelineExecutionId"] for each in waiting]},
    )


def run_transitions() -> None:
    """The whole of the module: the engine's own frame knows resources that are made and deleted."""
    module = aws_module(ARGUMENTS)
    given = module.params["transitions"]
    items = [{**item, StageTransition.key: f"{item['pipeline']}/{item['stage']}"} for item in given]
    aws = connect(module)
    kind = StageTransition(aws)
    refuse(module, check_items(kind, "transitions", items, "present"))
    with understood(module, lambda: "Reading transitions", aws.calls):
        steps = converge(kind, "transitions", OPTIONS, items, "present", purge_tags=True)
    finish(module, kind, "transitions", steps)
