# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugin of bulk modules shows, when, and how the module is told of its file."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.action.normal import ActionModule as NormalAction

from ansible_collections.gitops.aws.plugins.action.codebuild_projects import ActionModule
from ansible_collections.gitops.aws.plugins.module_utils._progress import FILE, Counts
from ansible_collections.gitops.aws.plugins.plugin_utils import _bulk, _showing
from tests.unit.plugins.modules.test_documentation import MODULES

ROOT = Path(__file__).parents[4]


# The line


@pytest.mark.parametrize(
    ("counts", "check_mode", "line"),
    [
        (Counts(3000, 1200, 0, 0), False, "  codebuild_projects: 1,200 of 3,000 read"),
        (Counts(3000, 3000, 450, 300), False, "  codebuild_projects: 3,000 of 3,000 read, 300 of 450 changed"),
        (Counts(3000, 3000, 450, 300), True, "  codebuild_projects: 3,000 of 3,000 read, 450 would change"),
        (Counts(2, 2, 0, 0), True, "  codebuild_projects: 2 of 2 read"),
    ],
)
def test_words(counts: Counts, check_mode: bool, line: str) -> None:
    assert _bulk.in_words("codebuild_projects", counts, check_mode) == line


# When it is shown


class Clock:
    """Time that passes while nothing is to tell; `said` are the lines with the second in which they were said."""

    def __init__(self, end: float, steps: dict[float, str]) -> None:
        self.now, self.end, self.steps = 0.0, end, steps
        self.said: list[tuple[float, str]] = []

    def look(self) -> str:
        return ([""] + [line for since, line in self.steps.items() if since <= self.now])[-1]

    def pause(self, seconds: float) -> bool:
        self.now += seconds
        return self.now >= self.end

    def tell(self) -> list[tuple[float, str]]:
        _bulk.tell(self.look, lambda line: self.said.append((self.now, line)), self.pause)
        return self.said


def test_a_short_task_says_nothing() -> None:
    assert Clock(4.9, {0: "a"}).tell() == []


def test_the_first_line_after_five_seconds_and_then_every_ten() -> None:
    assert Clock(30, {second: str(second) for second in range(40)}).tell() == [(5, "5"), (15, "15"), (25, "25")]


def test_what_has_not_moved_is_not_said_again_and_what_moves_then_at_once() -> None:
    assert Clock(60, {0: "a", 21: "b", 22: "c"}).tell() == [(5, "a"), (21, "b"), (31, "c")]


def test_a_module_that_has_not_begun_has_nothing_to_say() -> None:
    assert Clock(20, {7: "a"}).tell() == [(7, "a")]


# Around the module


class Run:
    """A task whose module writes counts and takes some time."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        transport: str = "local",
        no_log: bool = False,
        in_background: int = 0,
        callback: str = "default",
        file_goes: bool = False,
    ) -> None:
        self.shown: list[tuple[str, bool]] = []
        self.path = ""
        self.environment: Any = None
        task = Task()
        task.action, task.no_log, task.async_val = "gitops.aws.iam_roles", no_log, in_background
        task.environment = [{"A": "1"}]
        connection = SimpleNamespace(transport=transport, _shell=SimpleNamespace(tmpdir="unused"))
        action = ActionModule(task, connection, PlayContext(), DataLoader(), None, None)

        def execute(this: Any, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
            self.environment = this._task.environment
            self.path = next((each[FILE] for each in self.environment if FILE in each), "")
            if self.path:
                Path(self.path).write_text("40 30 0 0")
                deadline = time.monotonic() + 10
                while not self.shown and time.monotonic() < deadline:
                    time.sleep(0.01)
                if file_goes:
                    Path(self.path).unlink()
            return {"changed": True}

        monkeypatch.setattr(NormalAction, "run", execute)
        monkeypatch.setattr(_bulk, "FIRST", 0.05)
        monkeypatch.setattr(constants.config, "get_config_value", lambda _name: callback)
        monkeypatch.setattr(_showing.display, "display", lambda line, stderr=False: self.shown.append((line, stderr)))
        self.result = action.run(task_vars={})
        self.after = task.environment


def test_the_module_is_told_of_a_file_that_is_read_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)

    assert run.result == {"changed": True}
    assert run.shown == [("  iam_roles: 30 of 40 read", False)]
    assert run.environment == [{"A": "1"}, {FILE: run.path}]
    assert run.after == [{"A": "1"}]
    assert not Path(run.path).exists()


def test_the_file_may_be_gone_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Run(monkeypatch, file_goes=True).result == {"changed": True}


@pytest.mark.parametrize("callback", ["json", "ansible.posix.json", "ansible.posix.jsonl"])
def test_a_document_on_standard_output_stays_one(monkeypatch: pytest.MonkeyPatch, callback: str) -> None:
    assert Run(monkeypatch, callback=callback).shown == [("  iam_roles: 30 of 40 read", True)]


@pytest.mark.parametrize("how", [{"transport": "ssh"}, {"no_log": True}, {"in_background": 60}])
def test_nothing_is_shown_of_what_is_elsewhere_or_not_to_be_seen(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    run = Run(monkeypatch, **how)

    assert run.result == {"changed": True}
    assert run.environment == [{"A": "1"}]
    assert run.shown == []


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_bulk.WANTED, "false")

    assert Run(monkeypatch).environment == [{"A": "1"}]


def test_a_module_that_cannot_be_run_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_arguments: Any) -> Any:
        raise RuntimeError("gone")

    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    task = Task()
    task.action = "gitops.aws.iam_roles"
    action = ActionModule(task, SimpleNamespace(transport="local"), PlayContext(), DataLoader(), None, None)
    monkeypatch.setattr(NormalAction, "run", fail)

    with pytest.raises(RuntimeError):
        action.run(task_vars={})

    assert list(tmp_path.iterdir()) == []


def test_every_bulk_module_is_routed_here() -> None:
    routed = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["plugin_routing"]["modules"]
    here = [name for name, route in routed.items() if route["action_plugin"] == "gitops.aws.codebuild_projects"]

    assert sorted(here) == sorted([*MODULES, "codepipeline_stage_transition", "resources"])
