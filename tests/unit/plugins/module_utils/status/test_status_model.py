# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS's answers say about runs, approvals and drift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._status import model

NOW = datetime(2026, 11, 26, 8, 30, tzinfo=UTC)


def summary(status: str, reason: str = "", revision: str = "", minutes: int = 5) -> dict[str, Any]:
    """As ListPipelineExecutions has it."""
    return {
        "pipelineExecutionId": "e-1",
        "status": status,
        "startTime": NOW - timedelta(minutes=minutes),
        "lastUpdateTime": NOW,
        "sourceRevisions": [{"revisionId": "1f0b1e7a", "revisionSummary": revision}] if revision else [],
        "trigger": {"triggerType": "Webhook"},
        **({"stopTrigger": {"reason": reason}} if reason else {}),
    }


@pytest.mark.parametrize(
    ("status", "reason", "result"),
    [
        ("Succeeded", "", model.SUCCEEDED),
        ("Failed", "", model.FAILED),
        ("Superseded", "", model.SUPERSEDED),
        ("InProgress", "", model.RUNNING),
        ("Stopping", "", model.RUNNING),
        ("Cancelled", "", model.STOPPED),
        ("Stopped", "alice did not want it", model.STOPPED),
        ("Stopped", "No changes: what is there is what commit 1f0b1e7a says.", model.UNCHANGED),
        ("Stopped", "Waits for network to apply commit 1f0b1e7a (it has not run)", model.POSTPONED),
        ("SomethingNew", "", model.RUNNING),
    ],
)
def test_how_a_run_ended(status: str, reason: str, result: str) -> None:
    run = model.run(summary(status, reason), "https://x")

    assert run["result"] == result
    assert (run["seconds"], bool(run["ended"])) == ((None, False) if result == model.RUNNING else (300, True))


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ('{"ProviderType":"GitHub","CommitMessage":"인증서를 \\"갱신\\"\\n\\nlong"}', '인증서를 "갱신"'),
        ("Amazon S3 version id: 1", "Amazon S3 version id: 1"),
        ('{"broken', '{"broken'),
        ("", ""),
        ("[1]", "[1]"),
        ("[" * 100_000, "[" * 119 + "…"),
        ("x" * 200, "x" * 119 + "…"),
    ],
)
def test_the_first_line_of_a_commit(revision: str, message: str) -> None:
    assert model.run(summary("Succeeded", revision=revision), "")["message"] == message


def test_an_approval_is_known_by_its_token_which_is_not_told() -> None:
    running = {"actionName": "Plan", "latestExecution": {"status": "InProgress"}}
    waits = {
        "actionName": "Approve",
        "latestExecution": {"status": "InProgress", "token": "secret", "lastStatusChange": NOW},
    }
    stage = {"stageName": "Deploy", "latestExecution": {"pipelineExecutionId": "e-1"}, "actionStates": [running]}

    assert model.approval([stage]) is None
    found = model.approval([{**stage, "actionStates": [running, waits]}])
    assert found == {
        "execution_id": "e-1", "stage": "Deploy", "action": "Approve", "since": "2026-11-26T08:30:00Z"
    }  # fmt: skip


def test_a_failure_is_that_of_the_run_and_of_no_later_one() -> None:
    action = {"actionName": "Plan", "latestExecution": {"status": "Failed", "errorDetails": {"message": "no\nmore"}}}
    stage = {"stageName": "Deploy", "latestExecution": {"pipelineExecutionId": "e-2"}, "actionStates": [action]}

    assert model.failure([stage], "e-2") == {"action": "Plan", "said": "no\nmore", "build_id": ""}
    assert model.failure([stage], "e-1") == {}
    assert model.why_failed("Plan", "no\nmore") == "Plan: no"


@pytest.mark.parametrize(
    ("external", "is_build"),
    [
        ("gitops-network-plan:6f1c3f1f-9a52-4f57-8f43-0123456789ab", True),
        ("arn:aws:cloudformation:eu-central-1:111122223333:stack/x", False),
        ("e-1", False),
    ],
)
def test_only_a_build_has_a_log(external: str, is_build: bool) -> None:
    latest = {"status": "Failed", "externalExecutionId": external}
    action = {"actionName": "Plan", "latestExecution": latest}
    stage = {"stageName": "Deploy", "latestExecution": {"pipelineExecutionId": "e-2"}, "actionStates": [action]}

    assert model.failure([stage], "e-2")["build_id"] == (external if is_build else "")


def looked(identity: str, count: str | None, hours: float, status: str = "Succeeded") -> dict[str, Any]:
    """An action of a drift pipeline that ended so long ago."""
    variables = {} if count is None else {"DRIFT_COUNT": count, "PLAN_EFFECTS": "changed: aws_vpc.main"}
    return {
        "pipelineExecutionId": identity,
        "stageName": "Drift",
        "actionName": "Drift",
        "status": status,
        "startTime": NOW - timedelta(hours=hours, minutes=3),
        "lastUpdateTime": NOW - timedelta(hours=hours),
        "output": {"outputVariables": variables, "executionResult": {"externalExecutionSummary": "exit status 1"}},
    }


def drift(*details: dict[str, Any], hours: int = 26) -> dict[str, Any]:
    return model.drift(details, NOW - timedelta(hours=hours), lambda one: f"https://x/{one}")


def test_drift_is_as_old_as_the_first_run_of_those_that_found_some() -> None:
    found = drift(looked("4", "2", 1), looked("3", "1", 25), looked("2", "0", 49), looked("1", "5", 73))

    assert (found["state"], found["count"], found["since"]) == (model.FOUND, 2, "2026-11-25T07:30:00Z")
    assert (found["at_least"], found["old"], found["url"]) == (False, False, "https://x/4")
    assert found["effects"] == "changed: aws_vpc.main"


def test_drift_that_was_always_there_is_at_least_as_old() -> None:
    assert drift(looked("2", "2", 1), looked("1", "1", 25))["at_least"]


def test_without_drift_nothing_is_old_but_the_look_itself() -> None:
    found = drift(looked("1", "0", 30))

    assert (found["state"], found["since"], found["at_least"], found["old"]) == (model.NONE, "", False, True)


def test_a_run_that_failed_does_not_hide_what_is_known() -> None:
    found = drift(looked("2", None, 1, "Failed"), looked("1", "1", 25))
    later = drift(looked("2", "1", 1), looked("1", None, 25, "Failed"))

    assert (found["state"], found["count"]) == (model.FOUND, 1)
    assert found["reason"] == "the newest run, 2, failed: Drift: exit status 1"
    assert later["reason"] == ""


@pytest.mark.parametrize(
    ("details", "state"),
    [
        ([], model.NEVER),
        ([looked("1", None, 1, "InProgress")], model.RUNNING),
        ([looked("1", None, 1, "Failed")], model.UNKNOWN),
        ([looked("1", "many", 1)], model.NEVER),
    ],
)
def test_what_is_known_of_nothing(details: list[dict[str, Any]], state: str) -> None:
    found = drift(*details)

    assert found["state"] == state
    assert found["reason"]


def test_what_is_ignored_counts_no_more_where_it_is_the_same_run() -> None:
    found = drift(looked("1", "2", 1))
    same = {"time": "2026-11-26T07:28:00Z", "differing": 0, "ignored": 2}

    left = model.with_ignored(found, same)
    assert (left["state"], left["count"], left["ignored"], left["since"]) == (model.NONE, 0, 2, "")
    assert model.with_ignored(found, {**same, "time": "2026-11-25T07:28:00Z"}) == found
    assert model.with_ignored(found, None) == found


@pytest.mark.parametrize("wrong", [None, "many", "1", 1.5, True, -1, [], {}])
@pytest.mark.parametrize("key", ["differing", "ignored"])
def test_what_is_no_number_is_ignored(key: str, wrong: Any) -> None:
    found = drift(looked("1", "2", 1))
    seen = {"time": "2026-11-26T07:28:00Z", "differing": 1, "ignored": 1, key: wrong}

    assert model.with_ignored(found, seen) == found


def test_nothing_is_known_of_a_flag_where_it_is_known_of_no_stack() -> None:
    known = {"reason": "", "lock": {"state": model.FREE}, "drift": {"state": model.OFF}}
    unknown = {"reason": "denied", "lock": {"state": model.UNKNOWN}, "drift": {"state": model.UNKNOWN}}

    assert model.unseen([]) == model.unseen([known, unknown]) == []
    assert model.unseen([{**known, "lock": unknown["lock"]}]) == [model.LOCKED]
    assert model.unseen([unknown]) == [flag for flag in model.FLAGS if flag != model.UNKNOWN]
