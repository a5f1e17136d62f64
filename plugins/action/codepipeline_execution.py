# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows a pipeline's stages and log lines while the module of the same name waits.

A module cannot print while it runs. So the waiting is done here, by calling the module again and again for one look
each, wherever the module runs (delegate_to, become and connections work as for any module).
"""

from __future__ import annotations

import re
import time
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.gitops.aws.plugins.module_utils._executions import ended, failure

display = Display()

LAST_LINES = 10  # of the log, in the result

# CodeBuild's own lines (which command it runs, which phase it enters), and empty ones: in the log, not on the screen.
NOISE = re.compile(r"\[Container\] |\s*$")

MARKS = {"Succeeded": "ok", "Failed": "FAILED", "InProgress": "runs", "Abandoned": "abandoned"}


class Progress:
    """What was already shown of an execution."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], str] = {}

    def lines(self, result: dict[str, Any]) -> list[str]:
        """What is new since the last look, as lines for a person.

        A build's log stands between the line that it runs and the line that it has ended.
        """
        log: dict[str, list[str]] = {}
        for line in result.get("log_lines", []):
            if not NOISE.match(line["text"]):
                log.setdefault(line["build_id"], []).append(f"    | {line['text']}")
        lines = []
        for stage in result["execution"]["stages"]:
            for action in stage["actions"]:
                key, status, text = (stage["name"], action["name"]), action["status"], log.get(action["build_id"], [])
                shown, runs = self._shown.get(key), status == "InProgress"
                self._shown[key] = status
                now = f"  {stage['name']}: {self._words(action, result['execution'], stage['name'])}"
                if shown is None and text and not runs:
                    lines.append(f"  {stage['name']}: {MARKS['InProgress']}")
                if shown != status and runs:
                    lines.append(now)
                lines += text
                if shown != status and not runs:
                    lines.append(now)
        return lines

    def _words(self, action: dict[str, Any], execution: dict[str, Any], stage: str) -> str:
        waiting = execution["waiting_for_approval"]
        if action["status"] == "InProgress" and waiting and waiting["stage"] == stage:
            return f"waits for approval: {waiting['message']}"
        words = MARKS.get(action["status"], action["status"])
        return f"{words}: {action['summary']}" if action["status"] == "Failed" and action["summary"] else words


class ActionModule(ActionBase):
    """Runs gitops.aws.codepipeline_execution, and shows what happens while it waits."""

    _requires_connection = False
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the task; the result is the module's, with the last log lines."""
        super().run(tmp, task_vars)
        args = dict(self._task.args)
        if self._task.async_val or not boolean(args.get("wait", True), strict=False):
            return self._look(args, task_vars, wrap_async=bool(self._task.async_val))
        wait_for_approval = boolean(args.get("wait_for_approval", True), strict=False)
        started = time.monotonic()
        args["wait"] = False
        result = self._look(args, task_vars)
        changed, progress = result.get("changed", False), Progress()
        lines: list[dict[str, str]] = []
        while not result.get("failed") and "execution" in result:
            for line in progress.lines(result):
                display.display(line)
            lines = (lines + result["log_lines"])[-LAST_LINES:]
            execution = result["execution"]
            # All lines were shown already; a failing task prints its whole result once more.
            result = {**result, "changed": changed, "log_lines": lines}
            if ended(execution, wait_for_approval):
                if failure(execution):
                    result.update(failed=True, msg=failure(execution))
                break
            if time.monotonic() > started + int(args.get("wait_timeout", 3600)):  # checked by the module's first look
                result.update(
                    failed=True,
                    msg=f"pipeline {execution['pipeline']}: execution {execution['id']} is {execution['status']} after "
                    f"{args.get('wait_timeout', 3600)} s",
                )
                break
            time.sleep(int(args.get("poll_interval", 3)))
            args.update(execution_id=execution["id"], log_cursors=result["log_cursors"])
            result = self._look(args, task_vars)
        return result

    def _look(self, args: dict[str, Any], task_vars: dict[str, Any] | None, wrap_async: bool = False) -> dict[str, Any]:
        return self._execute_module(
            module_name="gitops.aws.codepipeline_execution",
            module_args=args,
            task_vars=task_vars,
            wrap_async=wrap_async,
        )
