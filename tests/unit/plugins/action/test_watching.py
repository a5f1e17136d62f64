# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every action plugin that watches does when looks fail, and what it never shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure

from tests.unit.plugins.action import test_codebuild_build as build
from tests.unit.plugins.action import test_codepipeline_execution as execution
from tests.unit.plugins.action.watched import Watched

BROKEN: dict[str, Any] = {"failed": True, "msg": "no network", "api_calls": {"x:Get": 1}}


@dataclass
class Case:
    """A plugin, and two looks: what it watches runs, and it is over."""

    run: type[Watched]
    runs: dict[str, Any]
    over: dict[str, Any]
    subject: str
    id_option: str
    id: str

    @property
    def begun(self) -> dict[str, Any]:
        """A first look that failed after something was begun."""
        return {
            **BROKEN,
            "changed": True,
            self.subject: {"id": self.id},
            "log_lines": [],
            "log_cursors": {},
            "msg": "it goes on, but a look at it failed",
        }

    def __str__(self) -> str:
        return self.subject


CASES = [
    Case(build.Run, build.RUNS, build.OVER, "build", "build_id", "p:1"),
    Case(execution.Run, execution.RUNS, execution.OVER, "execution", "execution_id", "e-1"),
]
every_plugin = pytest.mark.parametrize("case", CASES, ids=str)


@every_plugin
def test_some_looks_may_fail(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    away = {"raise": AnsibleConnectionFailure("no ssh")}
    looks = [{**case.runs, "changed": True}, BROKEN, away, BROKEN, case.runs, BROKEN, case.over]

    run = case.run(monkeypatch, looks, {})

    assert not run.result.get("failed")
    assert run.result["changed"] is True
    assert run.result[case.subject] == case.over[case.subject]
    assert run.result["api_calls"]["x:Get"] == 3
    assert "msg" not in run.result
    assert run.shown.count("  a look failed, and is tried again: no network") == 3
    assert {asked.get(case.id_option) for asked in run.asked[1:]} == {case.id}


@every_plugin
def test_looks_that_fail_leave_what_the_last_good_one_saw(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    run = case.run(monkeypatch, [{**case.runs, "changed": True}, {**BROKEN, "changed": False}], {})

    assert len(run.asked) == 5
    assert (run.result["failed"], run.result["changed"]) == (True, True)
    assert run.result[case.subject] == case.runs[case.subject]
    assert [line["text"] for line in run.result["log_lines"]] == ["one"]
    follows = f"{case.id_option}={case.id} follows it"
    assert run.result["msg"] == f"{case.subject} {case.id} goes on ({follows}), but looks at it fail: no network"


@every_plugin
def test_what_was_begun_is_followed_though_the_first_look_failed(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    run = case.run(monkeypatch, [case.begun, case.over], {})

    assert not run.result.get("failed")
    assert run.result["changed"] is True
    assert run.asked[1][case.id_option] == case.id


@pytest.mark.parametrize("arguments", [{}, {"wait_timeout": 0}, {"state": "stopped"}])
@every_plugin
def test_what_was_begun_and_never_seen(case: Case, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]) -> None:
    run = case.run(monkeypatch, [case.begun, BROKEN], arguments)

    assert {**run.result, "api_calls": {}} == {**case.begun, "api_calls": {}}


@every_plugin
def test_the_time_may_be_over_while_looks_fail(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0, 1, 100])
    monkeypatch.setattr("time.monotonic", lambda: next(moments))

    run = case.run(monkeypatch, [case.runs, BROKEN], {"wait_timeout": 50})

    assert run.result["failed"] is True
    assert run.result["msg"].endswith("no network")


# What is not shown


def test_a_log_does_not_command_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["\x1b[1m\x1b[31mred\x1b[0m", "\x1b]0;title\x07\x1b[2J", "a\tb\r", "gone\r\u202eed"]

    run = build.Run(monkeypatch, [build.look("IN_PROGRESS", *lines), build.OVER], {})

    assert run.shown[1:5] == [
        "    | red",
        "    | \\x1b]0;title\\x07\\x1b[2J",
        "    | a b",
        "    | gone\\r\\u202eed",
    ]


@every_plugin
def test_nothing_is_shown_of_a_task_that_is_not_to_be_logged(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    run = case.run(monkeypatch, [case.runs, BROKEN, case.over], {}, no_log=True)

    assert run.shown == []
    assert run.result[case.subject] == case.over[case.subject]


@every_plugin
def test_null_is_as_good_as_left_out(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    run = case.run(monkeypatch, [case.runs, case.over], {"wait_timeout": None, "poll_interval": None})

    assert not run.result.get("failed")
