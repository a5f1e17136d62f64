# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB tables: what AWS cannot change, and what is protected."""

from __future__ import annotations

import pytest

from tests.integration.modules.cases import Item, keep_from_strangers, look_at_table
from tests.integration.modules.harness import Account, ModuleFailed, unique


@pytest.mark.parametrize("check", [True, False])
def test_protected_table_is_not_deleted(account: Account, check: bool) -> None:
    item = {"name": unique("table"), "hash_key": {"name": "LockID"}, "deletion_protection": True}
    account.run("dynamodb_tables", tables=[item])

    with pytest.raises(ModuleFailed) as failure:
        account.run("dynamodb_tables", check=check, tables=[{"name": item["name"]}], state="absent")

    assert failure.value.result["mutations"] == []
    assert "deletion_protection: false" in failure.value.result["msg"]


@pytest.mark.parametrize("check", [True, False])
def test_hash_key_cannot_be_changed(account: Account, check: bool) -> None:
    name = unique("table")
    account.run("dynamodb_tables", tables=[{"name": name, "hash_key": {"name": "LockID"}}])

    with pytest.raises(ModuleFailed) as failure:
        account.run("dynamodb_tables", check=check, tables=[{"name": name, "hash_key": {"name": "Other"}}])

    assert failure.value.result["mutations"] == []
    assert "AWS cannot change it" in failure.value.result["msg"]
    assert failure.value.result["tables"][0]["hash_key"] == {"name": "LockID", "type": "S"}


def test_creation_needs_a_hash_key_also_in_check_mode(account: Account) -> None:
    with pytest.raises(ModuleFailed, match="hash_key must be given"):
        account.run("dynamodb_tables", check=True, tables=[{"name": unique("table")}])


def test_provisioned_table_is_left_alone_until_told(account: Account) -> None:
    name = unique("table")
    account.client("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )

    assert not account.run("dynamodb_tables", tables=[{"name": name}])["changed"]
    told = account.run("dynamodb_tables", tables=[{"name": name, "billing_mode": "PAY_PER_REQUEST"}])
    assert told["diff"][0]["before"] == {"billing_mode": "PROVISIONED"}
    assert not account.run("dynamodb_tables", tables=told["tables"])["changed"]


def table_with_policy(name: str, sid: str = "One") -> Item:
    return {"name": name, "hash_key": {"name": "LockID"}, "policy": keep_from_strangers(name, sid)}


def test_new_table_has_its_policy_from_its_first_moment(account: Account) -> None:
    item = table_with_policy(unique("table"))

    created = account.run("dynamodb_tables", tables=[item])
    assert created["mutations"] == ["dynamodb:CreateTable"]
    assert look_at_table(account, item["name"]).get("Policy") == item["policy"]

    again = account.run("dynamodb_tables", tables=[item])
    assert not again["changed"]
    assert again["api_calls"] == {"dynamodb:DescribeTable": 1, "dynamodb:GetResourcePolicy": 1}


def test_policy_that_is_not_given_is_neither_read_nor_changed(account: Account) -> None:
    item = table_with_policy(unique("table"))
    account.run("dynamodb_tables", tables=[{**item, "policy": {}}])
    account.run("dynamodb_tables", tables=[item])

    alone = account.run("dynamodb_tables", tables=[{"name": item["name"], "deletion_protection": True}])

    assert "dynamodb:GetResourcePolicy" not in alone["api_calls"]
    assert "policy" not in alone["tables"][0]
    assert look_at_table(account, item["name"])["Policy"] == item["policy"]


def test_policies_in_another_order_are_the_same(account: Account) -> None:
    item = table_with_policy(unique("table"))
    item["policy"]["Statement"][0]["Action"] = ["dynamodb:PutItem", "dynamodb:DeleteItem"]
    account.run("dynamodb_tables", tables=[{**item, "policy": {}}])
    account.run("dynamodb_tables", tables=[item])

    item["policy"]["Statement"][0]["Action"] = ["dynamodb:DeleteItem", "dynamodb:PutItem"]

    assert not account.run("dynamodb_tables", tables=[item])["changed"]
