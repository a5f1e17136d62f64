# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugin shows while many executions run, and when it looks at which."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task

from ansible_collections.gitops.aws.plugins.action import codepipeline_executions as plugin
from ansible_collections.gitops.aws.plugins.plugin_utils import _showing

COUNTS = "1 to add, 0 to change, 0 to destroy"
WAITING = {"stage": "Deploy", "action": "Approve", "message": "Apply?"}


def action(name: str, status: str, summary: str = "", category: str = "Build", **variables: str) -> dict[str, Any]:
    return {
        "name": name,
        "category": category,
        "status": status,
        "summary": summary,
        "build_id": "",
        "url": "",
        "output_variables": variables,
    }


def run_of(pipeline: str, *actions: dict[str, Any], status: str = "InProgress", **more: Any) -> dict[str, Any]:
    waits = any(each["category"] == "Approval" and each["status"] == "InProgress" for each in actions)
    return {
        "id": f"id-{pipeline}",
        "pipeline": pipeline,
        "label": pipeline,
        "action": "started",
        "status": status,
        "status_summary": "",
        "reason": "",
        "stages": [{"name": "Deploy", "actions": list(actions)}],
        "waiting_for_approvals": [WAITING] if waits else [],
        "waiting_for_approval": WAITING if waits else None,
        **more,
    }


SOURCE = action("Source", "Succeeded", category="Source")
PLANNED = action("Plan", "Succeeded", PLAN_SUMMARY=COUNTS)
ASKED = action("Approve", "InProgress", category="Approval")
BEGUN = {"shop": run_of("shop"), "net": run_of("net")}
ASKED_AGAIN = {name: {"pipeline": name, "execution_id": f"id-{name}", "label": name} for name in BEGUN}
OVER = {
    "shop": run_of("shop", SOURCE, PLANNED, action("Apply", "Succeeded"), status="Succeeded"),
    "net": run_of("net", status="Succeeded"),
}


# The lines


def test_each_change_of_a_stack_is_one_line() -> None:
    progress = plugin.Progress()

    def lines(*actions: dict[str, Any], **more: Any) -> list[str]:
        return progress.lines({"gitops-shop": run_of("gitops-shop", *actions, label="shop", **more)})

    assert lines() == ["  shop: started id-gitops-shop"]
    assert lines(SOURCE) == []
    assert lines(SOURCE, action("Plan", "InProgress")) == ["  shop: Plan runs"]
    assert lines(SOURCE, action("Plan", "InProgress")) == []
    assert lines(SOURCE, PLANNED, ASKED) == [f"  shop: Plan succeeded: {COUNTS}", "  shop: Approve waits for approval"]
    done = (SOURCE, PLANNED, action("Approve", "Succeeded", category="Approval"), action("Apply", "Succeeded"))
    assert lines(*done, status="Succeeded") == [
        "  shop: Approve succeeded",
        "  shop: Apply succeeded",
        "  shop: succeeded",
    ]


def test_one_that_was_there_is_followed() -> None:
    assert plugin.Progress().lines({"shop": run_of("shop", action="followed")}) == ["  shop: follows id-shop"]


@pytest.mark.parametrize(
    ("execution", "line"),
    [
        (
            run_of("shop", action("Plan", "Failed", "Build terminated"), status="Failed", reason="Error: no quota"),
            "Plan FAILED: Error: no quota",
        ),
        (
            run_of("shop", action("Plan", "Failed", "Build terminated"), status="Failed"),
            "Plan FAILED: Build terminated",
        ),
        (run_of("shop", action("Source", "Failed", "gone", "Source"), status="Failed"), "Source FAILED: gone"),
        (run_of("shop", status="Stopped", status_summary="No changes"), "stopped: No changes"),
        (run_of("shop", status="Superseded"), "superseded by a newer run"),
        ({**run_of("shop"), "error": "pipeline shop: denied"}, "pipeline shop: denied"),
    ],
)
def test_ends_that_are_no_success(execution: dict[str, Any], line: str) -> None:
    assert plugin.Progress().lines({"shop": execution})[-1] == f"  shop: {line}"


def test_the_summary_counts_each_execution_once() -> None:
    runs = {f"r{number}": run_of(f"r{number}") for number in range(24)}
    waits = {f"w{number}": run_of(f"w{number}", PLANNED, ASKED) for number in range(3)}
    over = {f"o{number}": run_of(f"o{number}", status="Succeeded") for number in range(11)}
    failed = {"f": run_of("f", action("Plan", "Failed"), status="Failed")}
    nothing = {
        "n": run_of("n", action("Plan", "Succeeded", PLAN_SUMMARY="no changes"), status="Stopped"),
    }

    assert plugin.summary({**runs, **waits, **over, **failed}) == (
        "  12 of 39 ended, 3 wait for approval, 1 failed, 24 run"
    )
    assert plugin.summary(nothing) == "  1 of 1 ended"
    assert plugin.summary({"s": run_of("s", status="Superseded")}) == "  1 of 1 ended"
    assert plugin.summary({"a": run_of("a"), "w": run_of("w", ASKED)}) == "  0 of 2 ended, 1 waits for approval, 1 runs"


# The plugin


class Run:
    """A task with looks that a test prepares; time passes only while it sleeps."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        looks: list[dict[str, Any]],
        check_mode: bool = False,
        in_background: int = 0,
        **arguments: Any,
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        self.shown: list[str] = []
        self.now = 0.0
        task = Task()
        task.args = {"executions": [{"pipeline": "shop", "variables": {"a": "b"}}, {"pipeline": "net"}], **arguments}
        task.async_val, task.check_mode = in_background, check_mode
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="unused"))
        self.action = plugin.ActionModule(task, connection, PlayContext(), DataLoader(), None, None)

        def execute(**call: Any) -> dict[str, Any]:
            self.asked.append(dict(call["module_args"]))
            found = looks[min(len(self.asked), len(looks)) - 1]
            if "raise" in found:
                raise found["raise"]
            return found

        def sleep(seconds: float) -> None:
            self.now += seconds

        monkeypatch.setattr(self.action, "_execute_module", execute)
        monkeypatch.setattr(_showing.display, "display", self.shown.append)
        monkeypatch.setattr("time.sleep", sleep)
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        self.result = self.action.run(task_vars={})


def look(resources: dict[str, Any], changed: bool = False, **more: Any) -> dict[str, Any]:
    """A result of the module."""
    return {"changed": changed, "resources": resources, "api_calls": {"x:List": len(resources)}, **more}


def test_it_starts_once_and_then_looks_at_those_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [look(BEGUN, True), look({"shop": BEGUN["shop"], "net": OVER["net"]}), look({"shop": OVER["shop"]})]

    run = Run(monkeypatch, looks, poll_interval=7)

    assert [each["executions"] for each in run.asked] == [
        [{"pipeline": "shop", "variables": {"a": "b"}}, {"pipeline": "net"}],
        [ASKED_AGAIN["shop"], ASKED_AGAIN["net"]],
        [ASKED_AGAIN["shop"]],
    ]
    assert {each["wait"] for each in run.asked} == {False}
    assert run.now == 14
    assert run.result["changed"] is True
    assert not run.result.get("failed")
    assert run.result["api_calls"] == {"x:List": 5}
    assert run.result["resources"] == OVER
    assert run.result["executions"] == list(ASKED_AGAIN.values())
    assert run.shown == [
        "  shop: started id-shop",
        "  net: started id-net",
        "  net: succeeded",
        f"  shop: Plan succeeded: {COUNTS}",
        "  shop: Apply succeeded",
        "  shop: succeeded",
    ]


def test_a_summary_every_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [*[look(BEGUN, True)] * 14, look(OVER)])

    assert run.now == 70
    assert run.shown.count("  0 of 2 ended, 2 run") == 2


def test_approvals_end_the_waiting_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = {name: run_of(name, PLANNED, ASKED) for name in BEGUN}

    assert len(Run(monkeypatch, [look(BEGUN), look(waits), look(OVER)], wait_for_approval="no").asked) == 2
    assert len(Run(monkeypatch, [look(BEGUN), look(waits), look(OVER)]).asked) == 3


def test_one_that_failed_fails_the_task_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = run_of("net", action("Plan", "Failed", "terminated"), status="Failed", reason="Error: no quota")
    looks = [look(BEGUN, True), look({"shop": BEGUN["shop"], "net": broken}), look({"shop": OVER["shop"]})]

    run = Run(monkeypatch, looks)

    assert run.result["failed"] is True
    assert run.result["msg"] == "1 of 2 executions failed. pipeline net: Deploy/Plan: Error: no quota"
    assert run.result["resources"]["shop"]["status"] == "Succeeded"


def test_one_that_was_superseded_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = {**OVER, "net": run_of("net", status="Superseded")}

    assert not Run(monkeypatch, [look(BEGUN, True), look(newer)]).result.get("failed")


def test_what_the_module_warns_of_first_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, Any] = {"warnings": ["old boto3"], "deprecations": [{"msg": "soon"}]}

    run = Run(monkeypatch, [look(BEGUN, True, **said), look(OVER, **said)])

    assert {name: run.result[name] for name in said} == said


def test_items_may_be_written_as_ansible_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [look(BEGUN, True), look(OVER)], executions=["pipeline=shop", '{"pipeline": "net"}'])

    assert run.result["resources"] == OVER


def test_it_waits_no_longer_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [look(BEGUN, True)], wait_timeout=12)

    assert run.result["failed"] is True
    assert run.result["msg"] == "2 of 2 executions have not ended after 12 s and go on: shop, net"


def test_looks_may_fail_three_times_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [{"raise": AnsibleConnectionFailure("no ssh")}, {"failed": True, "msg": "no network"}]
    one = look({**OVER, "shop": {**BEGUN["shop"], "error": "pipeline shop: throttled"}})

    run = Run(monkeypatch, [look(BEGUN, True), *away, one, look({"shop": OVER["shop"]})])

    assert not run.result.get("failed")
    assert run.result["resources"] == OVER
    assert [each["executions"] for each in run.asked[4:]] == [[ASKED_AGAIN["shop"]]]


def test_what_cannot_be_looked_at_any_more_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, [look(BEGUN, True), look({"net": OVER["net"]}), {"failed": True, "msg": "no network"}])

    assert len(run.asked) == 6
    assert run.result["failed"] is True
    assert run.result["msg"] == "1 of 2 executions failed. pipeline shop: no network"
    assert run.result["changed"] is True


def test_what_could_not_be_started_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = {**run_of("net", status=""), "id": "", "action": "failed", "error": "pipeline net: denied"}

    run = Run(monkeypatch, [look({**BEGUN, "net": denied}, True, failed=True), look({"shop": OVER["shop"]})])

    assert run.asked[1]["executions"] == [ASKED_AGAIN["shop"]]
    assert run.result["msg"] == "1 of 2 executions failed. pipeline net: denied"
    assert run.shown[1] == "  net: pipeline net: denied"


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        ({"failed": True, "msg": "Nothing was changed."}, {}),
        (look({}, True, msg="It would start"), {"check_mode": True}),
        ({"ansible_job_id": "j1"}, {"in_background": 60}),
        (look(BEGUN, True), {"wait": "no"}),
    ],
)
def test_where_there_is_nothing_to_watch(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], how: dict[str, Any]
) -> None:
    run = Run(monkeypatch, [answer], **how)

    assert run.result == answer
    assert len(run.asked) == 1
    assert run.shown == []
