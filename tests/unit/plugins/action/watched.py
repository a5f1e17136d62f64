# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs an action plugin that watches, with looks that a test prepares."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task

from ansible_collections.gitops.aws.plugins.plugin_utils import _showing as showing


class Watched:
    """A plugin with looks that were prepared; `asked` are the arguments of each look, `shown` what was displayed.

    Attributes:
        plugin: the action plugin's Python module.
        module: the name of the module that it runs.
        required: the arguments that every task has.
    """

    plugin: Any
    module: str
    required: dict[str, Any]

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        looks: list[dict[str, Any]],
        arguments: dict[str, Any],
        in_background: int = 0,
        no_log: bool = False,
        check_mode: bool = False,
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        self.shown: list[str] = []
        task = Task()
        task.args = {**self.required, **arguments}
        task.async_val, task.check_mode, task.no_log = in_background, check_mode, no_log
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="unused"))
        action = self.plugin.ActionModule(task, connection, PlayContext(), DataLoader(), None, None)

        def execute(**call: Any) -> dict[str, Any]:
            assert call["module_name"] == self.module
            assert call["wrap_async"] is bool(in_background)
            self.asked.append(dict(call["module_args"]))
            found = looks[min(len(self.asked), len(looks)) - 1]
            if "raise" in found:
                raise found["raise"]
            return found

        monkeypatch.setattr(action, "_execute_module", execute)
        monkeypatch.setattr(showing.display, "display", self.shown.append)
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        self.result = action.run(task_vars={})
