# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows a pipeline's stages and log lines while the module of the same name waits; see plugin_utils/_watching.py."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.gitops.aws.plugins.module_utils._executions import OF_STATES, ended, failure, late
from ansible_collections.gitops.aws.plugins.plugin_utils._watching import Log, Watching

MARKS = {"Succeeded": "ok", "Failed": "FAILED", "InProgress": "runs", "Abandoned": "abandoned"}


class Progress:
    """What was already shown of an execution."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], str] = {}
        self._log = Log()

    def lines(self, result: dict[str, Any]) -> list[str]:
        """What is new since the last look, as lines for a person.

        A build's log stands between the line that it runs and the line that it has ended.
        """
        log = self._log.by_build(result)
        lines = []
        for stage in result["execution"]["stages"]:
            for action in stage["actions"]:
                key, status, text = (stage["name"], action["name"]), action["status"], log.get(action["build_id"], [])
                shown, runs = self._shown.get(key), status == "InProgress"
                self._shown[key] = status
                name = stage["name"] if action["name"] == stage["name"] else f"{stage['name']}/{action['name']}"
                now = f"  {name}: {self._words(action, result['execution'], stage['name'])}"
                if shown is None and text and not runs:
                    lines.append(f"  {name}: {MARKS['InProgress']}")
                if shown != status and runs:
                    lines.append(now)
                lines += text
                if shown != status and not runs:
                    lines.append(now)
        return lines

    def _words(self, action: dict[str, Any], execution: dict[str, Any], stage: str) -> str:
        if action["status"] == "InProgress":
            for waiting in execution["waiting_for_approvals"]:
                if (waiting["stage"], waiting["action"]) == (stage, action["name"]):
                    return f"waits for approval: {waiting['message']}"
        words = MARKS.get(action["status"], action["status"])
        return f"{words}: {action['summary']}" if action["status"] == "Failed" and action["summary"] else words


class ActionModule(Watching):
    """Runs gitops.aws.codepipeline_execution, and shows what happens while it waits."""

    module = "gitops.aws.codepipeline_execution"
    subject = "execution"
    id_option = "execution_id"
    once = tuple(OF_STATES)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._progress = Progress()

    def lines(self, result: dict[str, Any]) -> list[str]:
        return self._progress.lines(result)

    def ended(self, result: dict[str, Any], args: dict[str, Any]) -> bool:
        return ended(result["execution"], boolean(args.get("wait_for_approval", True), strict=False))

    def failure(self, result: dict[str, Any]) -> str | None:
        return failure(result["execution"])

    def late(self, result: dict[str, Any], seconds: Any) -> str:
        return late(result["execution"], seconds)
