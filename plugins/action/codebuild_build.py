# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows a build's log lines while the module of the same name waits; see plugin_utils/_watching.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._builds import FOR_STARTING, LAST_LINES, late
from ansible_collections.gitops.aws.plugins.plugin_utils._watching import Log, Watching

MARKS = {
    "SUCCEEDED": "ok",
    "FAILED": "FAILED",
    "FAULT": "FAILED, by a fault of CodeBuild",
    "IN_PROGRESS": "runs",
    "STOPPED": "stopped",
    "TIMED_OUT": "FAILED, it took too long",
}


class Progress:
    """What was already shown of a build."""

    def __init__(self) -> None:
        self._shown = ""
        self._log = Log()

    def lines(self, result: dict[str, Any]) -> list[str]:
        """What is new since the last look, as lines for a person: that it runs, its log, that it has ended."""
        build, lines = result["build"], []
        status, name = build["status"], f"  {build['id']}"
        if not self._shown:
            lines.append(f"{name}: {MARKS['IN_PROGRESS']}")
        lines += self._log.by_build(result).get(build["id"], [])
        if status not in ("IN_PROGRESS", self._shown):
            lines.append(f"{name}: {MARKS.get(status, status)}")
        self._shown = status
        return lines


class ActionModule(Watching):
    """Runs gitops.aws.codebuild_build, and shows what happens while it waits."""

    module = "gitops.aws.codebuild_build"
    subject = "build"
    id_option = "build_id"
    once = FOR_STARTING
    last_lines = LAST_LINES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._progress = Progress()

    def lines(self, result: dict[str, Any]) -> list[str]:
        return self._progress.lines(result)

    def ended(self, result: dict[str, Any], args: dict[str, Any]) -> bool:
        return result["build"]["end_time"] != ""

    def failure(self, result: dict[str, Any]) -> str | None:
        return result.get("failure")

    def late(self, result: dict[str, Any], seconds: Any) -> str:
        return late(result["build"], seconds)
