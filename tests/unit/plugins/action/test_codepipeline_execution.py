# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugin shows while a pipeline runs."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.action import codepipeline_execution as plugin
from tests.unit.plugins.action.watched import Watched


def action(status: str, build: str = "", summary: str = "", name: str = "") -> dict[str, str]:
    return {"name": name or "Run", "status": status, "build_id": build, "summary": summary}


def look(
    stages: dict[str, list[dict[str, str]]], *log: tuple[str, str], status: str = "InProgress", waiting: Any = None
) -> dict[str, Any]:
    """A result of the module: one look at an execution."""
    return {
        "changed": False,
        "log_lines": [{"build_id": build, "text": text} for build, text in log],
        "log_cursors": {build: "next" for build, _text in log},
        "execution": {
            "id": "e-1",
            "pipeline": "gitops-network",
            "status": status,
            "waiting_for_approval": waiting,
            "waiting_for_approvals": [waiting] if waiting else [],
            "stages": [{"name": name, "actions": actions} for name, actions in stages.items()],
        },
    }


# Progress


def test_each_change_is_shown_once() -> None:
    progress = plugin.Progress()
    runs = look({"Source": [action("InProgress")]})

    assert progress.lines(runs) == ["  Source/Run: runs"]
    assert progress.lines(runs) == []
    assert progress.lines(look({"Source": [action("Succeeded")]})) == ["  Source/Run: ok"]


def test_log_lines_come_as_they_are_written() -> None:
    progress = plugin.Progress()

    assert progress.lines(look({"Plan": [action("InProgress", "b-1")]}, ("b-1", "Initializing"))) == [
        "  Plan/Run: runs",
        "    | Initializing",
    ]
    assert progress.lines(look({"Plan": [action("InProgress", "b-1")]}, ("b-1", "1 to add"))) == ["    | 1 to add"]


def test_a_log_stands_between_the_start_and_the_end_of_its_build() -> None:
    progress = plugin.Progress()

    stages = {
        "Source": [action("Succeeded")],
        "Plan": [action("Succeeded", "b-1")],
        "Apply": [action("InProgress", "b-2")],
    }
    assert progress.lines(look(stages, ("b-1", "planned"), ("b-2", "applying"))) == [
        "  Source/Run: ok",
        "  Plan/Run: runs",
        "    | planned",
        "  Plan/Run: ok",
        "  Apply/Run: runs",
        "    | applying",
    ]


def test_who_must_approve_has_read_the_plan() -> None:
    progress = plugin.Progress()
    progress.lines(look({"Plan": [action("InProgress", "b-1")]}))

    waiting = {"stage": "Approve", "action": "Run", "message": "Apply network: 1 to add"}
    stages = {"Plan": [action("Succeeded", "b-1")], "Approve": [action("InProgress")]}
    assert progress.lines(look(stages, ("b-1", "Plan: 1 to add"), waiting=waiting)) == [
        "    | Plan: 1 to add",
        "  Plan/Run: ok",
        "  Approve/Run: waits for approval: Apply network: 1 to add",
    ]


def test_two_approvals_of_one_stage_have_their_messages() -> None:
    waiting = [{"stage": "Approve", "action": name, "message": f"say yes to {name}"} for name in ("Ask", "Legal")]
    seen = look({"Approve": [action("InProgress", name=name) for name in ("Ask", "Legal", "Build")]})
    seen["execution"].update(waiting_for_approvals=waiting, waiting_for_approval=waiting[0])

    assert plugin.Progress().lines(seen) == [
        "  Approve/Ask: waits for approval: say yes to Ask",
        "  Approve/Legal: waits for approval: say yes to Legal",
        "  Approve/Build: runs",
    ]


def test_codebuild_s_own_lines_and_empty_ones_are_not_shown() -> None:
    log = [("b-1", text) for text in ("[Container] 2026/01/01 Phase is BUILD", "", "   ", "  kept", "[Container]kept")]

    lines = plugin.Progress().lines(look({"Plan": [action("InProgress", "b-1")]}, *log))

    assert lines == ["  Plan/Run: runs", "    |   kept", "    | [Container]kept"]


def test_a_stage_and_its_action_of_the_same_name_are_named_once() -> None:
    assert plugin.Progress().lines(look({"Source": [action("Succeeded", name="Source")]})) == ["  Source: ok"]


def test_functions_at_the_beginning_of_a_build_are_not_shown() -> None:
    progress = plugin.Progress()
    begin, end = "[Container] 2026/01/01 Running command # Functions: what builds share.", "# End of functions."
    other = [("b-2", "of another build")]

    first = progress.lines(look({"Plan": [action("InProgress", "b-1")]}, ("b-1", begin), ("b-1", "sha256() {"), *other))
    later = progress.lines(look({"Plan": [action("InProgress", "b-1")]}, ("b-1", "}"), ("b-1", end), ("b-1", "shown")))

    assert first == ["  Plan/Run: runs"]
    assert later == ["    | shown"]


def test_why_something_failed() -> None:
    lines = plugin.Progress().lines(
        look(
            {
                "Plan": [action("Failed", summary="Access denied")],
                "Apply": [action("Failed"), action("Abandoned", name="b")],
            }
        )
    )

    assert lines == ["  Plan/Run: FAILED: Access denied", "  Apply/Run: FAILED", "  Apply/b: abandoned"]


def test_a_word_of_aws_that_we_do_not_know() -> None:
    assert plugin.Progress().lines(look({"Plan": [action("Dreaming")]})) == ["  Plan/Run: Dreaming"]


# The plugin


class Run(Watched):
    plugin = plugin
    module = "gitops.aws.codepipeline_execution"
    required = {"pipeline": "gitops-network"}


def test_it_looks_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {**look({"Plan": [action("InProgress", "b-1")]}, ("b-1", "one")), "changed": True}
    last = look({"Plan": [action("Succeeded", "b-1")]}, ("b-1", "two"), status="Succeeded")

    run = Run(monkeypatch, [first, last], {})

    assert run.shown == ["  Plan/Run: runs", "    | one", "    | two", "  Plan/Run: ok"]
    assert run.asked[0] == {"pipeline": "gitops-network", "wait": False}
    assert run.asked[1] == {
        "pipeline": "gitops-network",
        "wait": False,
        "execution_id": "e-1",  # follows, and starts no second one
        "log_cursors": {"b-1": "next"},
    }
    assert len(run.asked) == 2
    assert run.result["changed"] is True
    assert not run.result.get("failed")
    assert [line["text"] for line in run.result["log_lines"]] == ["one", "two"]


def test_only_the_last_log_lines_are_in_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    log = [("b-1", str(number)) for number in range(30)]

    run = Run(monkeypatch, [look({"Plan": [action("Succeeded", "b-1")]}, *log, status="Succeeded")], {})

    assert [line["text"] for line in run.result["log_lines"]] == [str(number) for number in range(20, 30)]
    assert len(run.shown) == 32


def test_a_failed_execution_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [look({"Plan": [action("Failed", summary="denied")]}, status="Failed")], {})

    assert run.result["failed"] is True
    assert run.result["msg"] == "pipeline gitops-network: execution e-1 is Failed; Plan/Run: denied"


def test_it_ends_where_somebody_must_approve(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = {"stage": "Approve", "action": "Run", "message": "m"}
    looks = [look({"Approve": [action("InProgress")]}, waiting=waiting), look({}, status="Succeeded")]

    assert len(Run(monkeypatch, looks, {"wait_for_approval": "no"}).asked) == 1
    assert len(Run(monkeypatch, looks, {}).asked) == 2


def test_it_waits_no_longer_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [look({"Plan": [action("InProgress")]})], {"wait_timeout": 0})

    assert run.result["failed"] is True
    assert run.result["msg"] == "pipeline gitops-network: execution e-1 is InProgress after 0 s. It goes on"


@pytest.mark.parametrize(
    "arguments",
    [
        {"state": "retried", "execution_id": "latest", "stage": "Plan", "retry_mode": "ALL_ACTIONS"},
        {"state": "rolled_back", "stage": "Plan", "target_execution_id": "e-0"},
        {"state": "started", "variables": {"a": "b"}, "source_revisions": [], "client_request_token": "t"},
        {"state": "stopped", "execution_id": "e-1", "reason": "r", "abandon": True},
    ],
)
def test_it_does_something_once_and_then_follows(monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]) -> None:
    first = {**look({"Plan": [action("InProgress")]}), "changed": True}

    run = Run(monkeypatch, [first, first, look({}, status="Succeeded")], arguments)

    assert run.asked[0] == {"pipeline": "gitops-network", "wait": False, **arguments}
    for later in run.asked[1:]:
        assert set(later) == {"pipeline", "wait", "execution_id", "log_cursors"}
        assert later["execution_id"] == "e-1"
    assert len(run.asked) == 3
    assert run.result["changed"] is True


def test_what_was_to_be_stopped_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [look({}, status="Stopping"), look({}, status="Stopped")]

    run = Run(monkeypatch, looks, {"state": "stopped", "execution_id": "e-1"})

    assert len(run.asked) == 2
    assert not run.result.get("failed")


def test_check_mode_has_nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    would = {**look({"Plan": [action("InProgress")]}), "changed": True, "msg": "It would stop the execution e-1"}

    run = Run(monkeypatch, [would], {"state": "stopped", "execution_id": "e-1"}, check_mode=True)

    assert run.result == would
    assert len(run.asked) == 1


def test_check_mode_follows_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [look({"Plan": [action("InProgress")]}), look({}, status="Succeeded")]

    assert len(Run(monkeypatch, looks, {"execution_id": "e-1"}, check_mode=True).asked) == 2


def test_without_waiting_it_is_the_module_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    result = look({"Plan": [action("InProgress")]})

    run = Run(monkeypatch, [result], {"wait": False})

    assert run.result == result
    assert run.shown == []


def test_in_the_background_the_module_waits_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"ansible_job_id": "j1"}

    run = Run(monkeypatch, [job], {}, in_background=60)

    assert run.result == job
    assert run.asked == [{"pipeline": "gitops-network"}]


@pytest.mark.parametrize(
    "answer", [{"failed": True, "msg": "denied"}, {"changed": True, "log_lines": [], "log_cursors": {}}]
)
def test_a_module_that_fails_or_only_checks(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> None:
    run = Run(monkeypatch, [answer], {})

    assert run.result == answer
    assert len(run.asked) == 1


def test_a_timeout_that_is_no_number_is_the_module_s_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = {"failed": True, "msg": "argument 'wait_timeout' is of type str ..."}

    run = Run(monkeypatch, [refusal], {"wait_timeout": "long"})

    assert run.result == refusal
    assert run.asked[0]["wait_timeout"] == "long"


# What test_watching.py tries with every plugin

RUNS, OVER = (
    look({"Plan": [action("InProgress", "p:1")]}, ("p:1", "one")),
    look({"Plan": [action("Succeeded", "p:1")]}, ("p:1", "two"), status="Succeeded"),
)
