# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB tables: what AWS cannot change, and what is protected."""

from __future__ import annotations

import pytest

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
