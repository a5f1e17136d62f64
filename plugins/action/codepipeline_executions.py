# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows what becomes of many executions while the module of the same name waits: it is run again for each look."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.gitops.aws.plugins.module_utils._many_executions import Executions, follow, outcome
from ansible_collections.gitops.aws.plugins.module_utils._outcomes import ENDED, FAILED, SUPERSEDED, has_failed
from ansible_collections.gitops.aws.plugins.plugin_utils._in_process import InProcess
from ansible_collections.gitops.aws.plugins.plugin_utils._showing import show

SUMMARY_EVERY = 30.0  # seconds

DEFAULTS = {"wait_timeout": 3600, "poll_interval": 5}

BEGINNINGS = {"started": "started", "followed": "follows"}
WORDS = {"Succeeded": "succeeded", "Failed": "FAILED", "InProgress": "runs", "Abandoned": "was abandoned"}


class Progress:
    """What was already shown of executions."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, ...], str] = {}

    def lines(self, executions: Executions) -> list[str]:
        """What is new since the last look, as lines for a person: actions but those of sources, and ends."""
        return [
            f"  {execution['label']}: {words}"
            for name, execution in executions.items()
            for words in self._of(name, execution)
        ]

    def _of(self, name: str, execution: dict[str, Any]) -> list[str]:
        if execution.get("error"):
            return self._new((name,), execution["error"], execution["error"])
        beginning = f"{BEGINNINGS[execution['action']]} {execution['id']}"
        found = self._new((name,), "", beginning) if execution["id"] else []
        for stage in execution["stages"]:
            for action in stage["actions"]:
                key, status = (name, stage["name"], action["name"]), action["status"]
                if action["category"] != "Source" or status in FAILED:
                    found += self._new(key, status, self._words(action, execution["reason"]))
        status = execution["status"]
        if status in ENDED and status != "Failed":  # of a failure the action has told
            reason = execution["status_summary"] if status != "Succeeded" else ""
            words = SUPERSEDED if status == "Superseded" else status.lower()
            found += self._new((name, "", ""), status, f"{words}: {reason}" if reason else words)
        return found

    def _new(self, key: tuple[str, ...], value: str, words: str) -> list[str]:
        new = self._shown.get(key) != value
        self._shown[key] = value
        return [words] if new else []

    @staticmethod
    def _words(action: dict[str, Any], reason: str) -> str:
        status = action["status"]
        if status == "InProgress" and action["category"] == "Approval":
            return f"{action['name']} waits for approval"
        words = f"{action['name']} {WORDS.get(status, status)}"
        counts = action["output_variables"].get("PLAN_SUMMARY", "")
        more = reason or action["summary"] if status == "Failed" else counts
        return f"{words}: {more}" if more else words


def summary(executions: Executions) -> str:
    """How far all are, as a line for a person."""
    failed = [each for each in executions.values() if has_failed(each)]
    over = [each for each in executions.values() if each["status"] in ENDED or each.get("error")]
    waiting = [each for each in executions.values() if each not in over and each["waiting_for_approval"]]
    running = len(executions) - len(over) - len(waiting)
    counts = [
        (len(waiting), "waits for approval" if len(waiting) == 1 else "wait for approval"),
        (len(failed), "failed"),
        (running, "runs" if running == 1 else "run"),
    ]
    said = [f"{count} {word}" for count, word in counts if count]
    return ", ".join([f"  {len(over)} of {len(executions)} ended", *said])


class ActionModule(InProcess):
    """Runs gitops.aws.codepipeline_executions, and shows what happens while it waits."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the task; the result is the module's."""
        super().run(tmp, task_vars)
        args = dict(self._task.args)
        if self._task.async_val or not boolean(args.get("wait", True), strict=False):
            return self._look(args, task_vars, bool(self._task.async_val))
        started = time.monotonic()
        first = self._look({**args, "wait": False}, task_vars)
        if "resources" not in first or (self._task.check_mode and first["changed"]):  # refused, or not really begun
            return first
        # The first look has checked them. Null is as good as left out.
        params: dict[str, Any] = {
            name: int(default if args.get(name) is None else args[name]) for name, default in DEFAULTS.items()
        }
        params["wait_for_approval"] = boolean(args.get("wait_for_approval", True), strict=False)
        self._calls: Counter[str] = Counter(first.get("api_calls", {}))
        progress, told = Progress(), started

        def look(going: Executions) -> Executions:
            return self._look_again(going, args, task_vars)

        def tell(seen: Executions, going: bool) -> None:
            nonlocal told
            for line in progress.lines(seen):
                show(self._task, line)
            if going and time.monotonic() >= told + SUMMARY_EVERY:
                show(self._task, summary(seen))
                told = time.monotonic()

        executions = follow(first["resources"], params, started + params["wait_timeout"], look, tell)
        result = outcome(executions, {**params, "wait": True}, first["changed"])
        kept: dict[str, Any] = {name: first[name] for name in ("warnings", "deprecations") if name in first}
        return {**kept, **result, "api_calls": dict(sorted(self._calls.items()))}

    def _look_again(self, going: Executions, args: dict[str, Any], task_vars: dict[str, Any] | None) -> Executions:
        """One more look at some of the executions; where none can be seen, each has the `error`."""
        asked = [{"pipeline": name, "execution_id": each["id"], "label": each["label"]} for name, each in going.items()]
        try:
            look = self._look({**args, "executions": asked, "wait": False}, task_vars)
        except AnsibleConnectionFailure as error:  # to the host that the module runs on
            look = {"msg": str(error)}
        self._calls.update(look.get("api_calls", {}))
        found: Executions = look.get("resources") or {
            name: {**each, "error": f"pipeline {name}: {look.get('msg', '')}"} for name, each in going.items()
        }
        # The look has only followed what was started.
        return {name: {**each, "action": going[name]["action"]} for name, each in found.items()}

    def _look(self, args: dict[str, Any], task_vars: dict[str, Any] | None, wrap_async: bool = False) -> dict[str, Any]:
        return dict(
            self._execute_module(
                module_name="gitops.aws.codepipeline_executions",
                module_args=args,
                task_vars=task_vars,
                wrap_async=wrap_async,
            )
        )
