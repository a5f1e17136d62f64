# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugin shows while a build runs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.action import codebuild_build as plugin
from tests.unit.plugins.action.watched import Watched


def look(status: str, *log: str, **more: Any) -> dict[str, Any]:
    """A result of the module: one look at a build."""
    return {
        "changed": False,
        "log_lines": [{"build_id": "p:1", "text": text} for text in log],
        "log_cursors": {"p:1": "next"},
        "api_calls": {"codebuild:BatchGetBuilds": 1},
        "build": {
            "id": "p:1",
            "project": "p",
            "status": status,
            "current_phase": "BUILD",
            "end_time": "" if status == "IN_PROGRESS" else "2026-11-20T16:05:40+00:00",
        },
        **more,
    }


# Progress


def test_each_change_is_shown_once_and_lines_as_they_come() -> None:
    progress = plugin.Progress()

    assert progress.lines(look("IN_PROGRESS")) == ["  p:1: runs"]
    assert progress.lines(look("IN_PROGRESS", "one", "[Container] 2026/01/01 two", "")) == ["    | one"]
    assert progress.lines(look("IN_PROGRESS")) == []
    assert progress.lines(look("SUCCEEDED", "three")) == ["    | three", "  p:1: ok"]
    assert progress.lines(look("SUCCEEDED")) == []


def test_a_build_that_is_over_at_the_first_look() -> None:
    assert plugin.Progress().lines(look("FAILED", "one")) == ["  p:1: runs", "    | one", "  p:1: FAILED"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("STOPPED", "stopped"),
        ("TIMED_OUT", "FAILED, it took too long"),
        ("FAULT", "FAILED, by a fault of CodeBuild"),
        ("DREAMING", "DREAMING"),
    ],
)
def test_other_ends(status: str, words: str) -> None:
    assert plugin.Progress().lines(look(status))[-1] == f"  p:1: {words}"


# The plugin


class Run(Watched):
    plugin = plugin
    module = "gitops.aws.codebuild_build"
    required = {"project": "p"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"source_version": "main", "overrides": {}, "debug_session_enabled": True, "idempotency_token": "t"},
        {"state": "retried", "build_id": "latest", "idempotency_token": "t"},
    ],
)
def test_it_does_something_once_and_then_follows(monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]) -> None:
    first = {**look("IN_PROGRESS", "one"), "changed": True}

    run = Run(monkeypatch, [first, look("SUCCEEDED", "two")], arguments)

    assert run.shown == ["  p:1: runs", "    | one", "    | two", "  p:1: ok"]
    assert run.asked == [
        {"project": "p", "wait": False, **arguments},
        {"project": "p", "wait": False, "build_id": "p:1", "log_cursors": {"p:1": "next"}},
    ]
    assert run.result["changed"] is True
    assert not run.result.get("failed")
    assert [line["text"] for line in run.result["log_lines"]] == ["one", "two"]
    assert run.result["api_calls"] == {"codebuild:BatchGetBuilds": 2}


def test_a_failed_build_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    why = {"failure": "build p:1 is FAILED; in its log: Error", "last_log_lines": ["Error"]}

    run = Run(monkeypatch, [look("FAILED", *(str(number) for number in range(30)), **why)], {})

    assert run.result["failed"] is True
    assert run.result["msg"] == why["failure"]
    assert "failure" not in run.result
    assert run.result["last_log_lines"] == ["Error"]
    assert len(run.result["log_lines"]) == 20


def test_what_was_to_be_stopped_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [look("IN_PROGRESS", "one"), look("STOPPED", failure="it is STOPPED")]

    run = Run(monkeypatch, looks, {"state": "stopped", "build_id": "p:1"})

    assert not run.result.get("failed")
    assert run.shown == ["  p:1: runs", "    | one", "  p:1: stopped"]


def test_there_is_nothing_to_watch_in_what_was_over_before_it_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    over = look("FAILED", "one", failure="it is FAILED")

    run = Run(monkeypatch, [over], {"state": "stopped", "build_id": "p:1"})

    assert run.result == over
    assert run.shown == []


def test_it_waits_no_longer_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [look("IN_PROGRESS")], {"wait_timeout": 0})

    assert run.result["failed"] is True
    assert run.result["msg"] == "build project p: build p:1 is IN_PROGRESS, in phase BUILD, after 0 s. It goes on"


def test_in_the_background_the_module_waits_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [{"ansible_job_id": "j1"}], {}, in_background=60)

    assert run.result == {"ansible_job_id": "j1"}
    assert run.asked == [{"project": "p"}]


@pytest.mark.parametrize(
    "answer", [{"failed": True, "msg": "denied"}, {"changed": True, "log_lines": [], "log_cursors": {}, "msg": "It"}]
)
def test_a_module_that_fails_or_only_checks(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> None:
    run = Run(monkeypatch, [answer], {})

    assert run.result == answer
    assert len(run.asked) == 1


# What test_watching.py tries with every plugin

RUNS, OVER = look("IN_PROGRESS", "one"), look("SUCCEEDED", "two")
