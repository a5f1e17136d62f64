# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections: pending until a person completes them."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._kinds import codeconnection
from tests.integration.modules.harness import Account, ModuleFailed, unique


def test_pending_connection_says_where_to_complete_it(account: Account) -> None:
    item = {"name": unique("c"), "provider_type": "GitHub"}
    created = account.run("codeconnections", connections=[item])["resources"][item["name"]]
    again = account.run("codeconnections", connections=[item])["resources"][item["name"]]

    assert created["status"] == "PENDING"
    assert created["complete_at"].endswith(created["arn"].rpartition("/")[2])
    assert {**again, "action": "created"} == created

    account.complete_connection(item["name"])
    completed = account.run("codeconnections", connections=[item])

    assert not completed["changed"]
    assert completed["resources"][item["name"]]["status"] == "AVAILABLE"
    assert "complete_at" not in completed["resources"][item["name"]]


def test_provider_cannot_be_changed(account: Account) -> None:
    name = unique("c")
    account.run("codeconnections", connections=[{"name": name, "provider_type": "GitHub"}])

    with pytest.raises(ModuleFailed, match="AWS cannot change it to 'GitLab'"):
        account.run("codeconnections", connections=[{"name": name, "provider_type": "GitLab"}])


def test_it_waits_until_somebody_has_completed_the_connection(account: Account) -> None:
    item = {"name": unique("c"), "provider_type": "GitHub"}
    # In a process of its own: what it prints would be taken for the module's result.
    command = [sys.executable, "-m", "local_aws", "complete-connection", item["name"], "--data", str(account.data)]
    person = threading.Timer(1.2, lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
    person.start()
    try:
        result = account.run("codeconnections", connections=[item], wait=True, wait_timeout=20, poll_interval=1)
    finally:
        person.join()

    facts = result["resources"][item["name"]]
    assert facts["status"] == "AVAILABLE"
    assert "complete_at" not in facts
    assert result["api_calls"]["codeconnections:GetConnection"] >= 2


def test_nobody_completes_the_connection_in_time(account: Account) -> None:
    item = {"name": unique("c"), "provider_type": "GitHub"}

    with pytest.raises(ModuleFailed, match=r"still PENDING\. Fix: complete it at https://") as failure:
        account.run("codeconnections", connections=[item], wait=True, wait_timeout=1)

    result = failure.value.result
    assert result["changed"]
    assert result["resources"][item["name"]]["action"] == "created"


def test_wrong_times_are_refused_before_any_call(account: Account) -> None:
    with pytest.raises(ModuleFailed, match=r"wait_timeout: -1 is not allowed.*poll_interval: 0 is not") as failure:
        account.run("codeconnections", connections=[{"name": "c"}], wait_timeout=-1, poll_interval=0)

    assert "api_calls" not in failure.value.result


def test_check_mode_does_not_wait(account: Account) -> None:
    item = {"name": unique("c"), "provider_type": "GitHub"}

    assert account.run("codeconnections", connections=[item], wait=True, check=True)["changed"]


def test_two_connections_of_one_name_are_not_guessed_between(account: Account) -> None:
    name = unique("c")
    client = account.client("codeconnections")
    created = [client.create_connection(ConnectionName=name, ProviderType="GitHub") for _ in range(2)]

    with pytest.raises(ModuleFailed, match=r"two have this name, arn:aws:codeconnections:.* and arn:aws:") as failure:
        account.run("codeconnections", connections=[{"name": name}], state="absent")
    client.delete_connection(ConnectionArn=created[0]["ConnectionArn"])

    assert failure.value.result["mutations"] == []


def test_of_two_made_at_the_same_moment_one_stays(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one whose ARN is the first in order, so that both runs decide alike without a word to each other."""
    client = account.client("codeconnections")
    name, theirs, stayed = "", "", set[str]()

    def somebody_else_makes_one(_seconds: float) -> None:
        nonlocal theirs
        theirs = client.create_connection(ConnectionName=name, ProviderType="GitHub")["ConnectionArn"]

    monkeypatch.setattr(codeconnection, "time", SimpleNamespace(sleep=somebody_else_makes_one))
    for _each in range(40):  # which one it is, chance decides
        name = unique("two")
        try:
            result = account.run("codeconnections", connections=[{"name": name, "provider_type": "GitHub"}])
        except ModuleFailed as failure:
            result = failure.result
        if result.get("failed"):
            assert result["mutations"][-1] == "codeconnections:DeleteConnection"
            told = f"somebody else made one at the same moment, {theirs}. That one stays. Fix: run again"
            assert told in result["msg"]
            stayed.add("theirs")
        else:
            arn = result["resources"][name]["arn"]
            assert arn < theirs
            client.delete_connection(ConnectionArn=arn)  # not by a name that two have
            stayed.add("ours")
        client.delete_connection(ConnectionArn=theirs)
        if len(stayed) == 2:
            break
    assert stayed == {"ours", "theirs"}


def test_one_that_came_after_it_was_looked_for_is_no_second_one(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, client = unique("late"), account.client("codeconnections")
    convergence = codeconnection.CodeConnection.create

    def create(self: Any, after: dict[str, Any]) -> dict[str, Any]:
        client.create_connection(ConnectionName=name, ProviderType="GitHub")
        return convergence(self, after)

    monkeypatch.setattr(codeconnection.CodeConnection, "create", create)
    with pytest.raises(ModuleFailed, match="there is one now that was not there a moment ago") as failure:
        account.run("codeconnections", connections=[{"name": name, "provider_type": "GitHub"}])

    assert failure.value.result["mutations"] == []
