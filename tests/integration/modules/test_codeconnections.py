# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections: pending until a person completes them."""

from __future__ import annotations

import pytest

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
