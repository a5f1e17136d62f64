# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB's resource policies and leading keys decide as on AWS."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, allow, unique
from tests.unit.local_aws.test_ministack_fixes import assumed, denied

SCHEMA = {
    "KeySchema": [{"AttributeName": "LockID", "KeyType": "HASH"}],
    "AttributeDefinitions": [
        {"AttributeName": "LockID", "AttributeType": "S"},
        {"AttributeName": "Owner", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-owner",
            "KeySchema": [{"AttributeName": "Owner", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
}


def arn_of(name: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def table(local_aws: LocalAws) -> str:
    name = unique("table")
    local_aws.client("dynamodb").create_table(TableName=name, **SCHEMA)
    return name


def test_a_tables_policy_decides(local_aws: LocalAws, table: str) -> None:
    admin, role = local_aws.client("dynamodb"), unique("role")
    inside = local_aws.client("dynamodb", assumed(local_aws, role, allow("dynamodb:*"), path="/gitops/"))
    outside = local_aws.client("dynamodb", local_aws.user(unique("user"), allow("dynamodb:*")))
    named = local_aws.user(unique("named"), allow("s3:*"))
    me = local_aws.client("sts", named).get_caller_identity()["Arn"]
    sealed = policy(
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["dynamodb:PutItem", "dynamodb:DeleteTable", "dynamodb:Query", "dynamodb:PartiQLInsert"],
            "Resource": [arn_of(table), f"{arn_of(table)}/index/*"],
            "Condition": {
                "ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/gitops/{role}"},
                "Bool": {"aws:PrincipalIsAWSService": "false"},
            },
        },
        {"Effect": "Allow", "Principal": {"AWS": me}, "Action": "dynamodb:GetItem", "Resource": arn_of(table)},
    )
    item = {"TableName": table, "Item": {"LockID": {"S": "a"}}}
    outside.put_item(**item)
    assert "no identity-based policy" in denied(
        local_aws.client("dynamodb", named).get_item, TableName=table, Key=item["Item"]
    )
    admin.put_resource_policy(ResourceArn=arn_of(table), Policy=sealed)
    inside.put_item(**item)
    for call, arguments in (
        (outside.put_item, item),
        (outside.transact_write_items, {"TransactItems": [{"Put": item}]}),
        (outside.execute_statement, {"Statement": f"INSERT INTO \"{table}\" VALUE {{'LockID': 'b'}}"}),
        (outside.delete_table, {"TableName": table}),
        (
            outside.query,
            {
                "TableName": table,
                "IndexName": "by-owner",
                "KeyConditionExpression": "#o = :o",
                "ExpressionAttributeNames": {"#o": "Owner"},
                "ExpressionAttributeValues": {":o": {"S": "x"}},
            },
        ),
    ):
        assert "explicit deny in a resource-based policy" in denied(call, **arguments)
    outside.get_item(TableName=table, Key=item["Item"])
    local_aws.client("dynamodb", named).get_item(TableName=table, Key=item["Item"])


def test_policies_and_their_revisions(local_aws: LocalAws, table: str) -> None:
    admin, arn = local_aws.client("dynamodb"), arn_of(table)
    with pytest.raises(ClientError, match="PolicyNotFoundException"):
        admin.get_resource_policy(ResourceArn=arn)
    text = policy({"Effect": "Deny", "Principal": "*", "Action": "dynamodb:DeleteTable", "Resource": arn})
    revision = admin.put_resource_policy(ResourceArn=arn, Policy=text)["RevisionId"]
    found = admin.get_resource_policy(ResourceArn=arn)
    assert (json.loads(found["Policy"]), found["RevisionId"]) == (json.loads(text), revision)
    with pytest.raises(ClientError, match="PolicyNotFoundException"):
        admin.put_resource_policy(ResourceArn=arn, Policy=text, ExpectedRevisionId="other")
    for wrong in ("{", policy(allow("dynamodb:GetItem", arn)), text.replace(table, f"{table}-2")):
        with pytest.raises(ClientError, match="ValidationException"):
            admin.put_resource_policy(ResourceArn=arn, Policy=wrong)
    assert admin.delete_resource_policy(ResourceArn=arn)["RevisionId"] == revision
    admin.delete_table(TableName=table)


def test_a_table_is_made_with_its_policy_and_takes_it_along(local_aws: LocalAws) -> None:
    name = unique("table")
    arn = arn_of(name)
    text = policy({"Effect": "Deny", "Principal": "*", "Action": "dynamodb:PutItem", "Resource": arn})
    maker = local_aws.client("dynamodb", local_aws.user(unique("maker"), allow("dynamodb:CreateTable")))
    assert "dynamodb:PutResourcePolicy" in denied(maker.create_table, TableName=name, ResourcePolicy=text, **SCHEMA)
    admin = local_aws.client("dynamodb")
    admin.create_table(TableName=name, ResourcePolicy=text, **SCHEMA)
    assert json.loads(admin.get_resource_policy(ResourceArn=arn)["Policy"]) == json.loads(text)
    assert "explicit deny" in denied(admin.put_item, TableName=name, Item={"LockID": {"S": "a"}})
    admin.delete_table(TableName=name)
    admin.create_table(TableName=name, **SCHEMA)
    admin.put_item(TableName=name, Item={"LockID": {"S": "a"}})


def calls(client: Any, table: str, *keys: str) -> dict[str, Callable[[], Any]]:
    """Every call that names items, naming these."""
    items = [{"LockID": {"S": key}} for key in keys]
    value = {":v": {"S": keys[0]}}
    return {
        "put": lambda: client.put_item(TableName=table, Item=items[0]),
        "get": lambda: client.get_item(TableName=table, Key=items[0]),
        "update": lambda: client.update_item(TableName=table, Key=items[0]),
        "delete": lambda: client.delete_item(TableName=table, Key=items[0]),
        "query": lambda: client.query(
            TableName=table, KeyConditionExpression="LockID = :v", ExpressionAttributeValues=value
        ),
        "query by other names": lambda: client.query(
            TableName=arn_of(table),
            KeyConditionExpression=":v=#k",
            ExpressionAttributeNames={"#k": "LockID"},
            ExpressionAttributeValues=value,
        ),
        "batch get": lambda: client.batch_get_item(RequestItems={table: {"Keys": items}}),
        "batch write": lambda: client.batch_write_item(
            RequestItems={table: [{"PutRequest": {"Item": item}} for item in items]}
        ),
        "batch delete": lambda: client.batch_write_item(
            RequestItems={table: [{"DeleteRequest": {"Key": item}} for item in items]}
        ),
        "transaction": lambda: client.transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": item}} for item in items]
        ),
        "check": lambda: client.transact_write_items(
            TransactItems=[
                {"ConditionCheck": {"TableName": table, "Key": item, "ConditionExpression": "attribute_exists(LockID)"}}
                for item in items
            ]
        ),
        "transacted get": lambda: client.transact_get_items(
            TransactItems=[{"Get": {"TableName": table, "Key": item}} for item in items]
        ),
    }


def test_leading_keys_limit_what_a_caller_reaches(local_aws: LocalAws, table: str) -> None:
    mine = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["mine/*"]}}
    keys = local_aws.user(unique("user"), allow("dynamodb:*", arn_of(table), Condition=mine))
    client = local_aws.client("dynamodb", keys)
    for call in calls(client, table, "mine/a").values():
        call()
    for call in calls(client, table, "other/a").values():
        denied(call)
    # One of several is enough to be refused.
    both = calls(client, table, "mine/a", "other/a")
    for name in ("batch get", "batch write", "batch delete", "transaction", "check", "transacted get"):
        denied(both[name])


def test_a_scan_has_no_leading_keys(local_aws: LocalAws, table: str) -> None:
    present = {"Null": {"dynamodb:LeadingKeys": "false"}}
    keys = local_aws.user(unique("user"), allow("dynamodb:*", arn_of(table), Condition=present))
    client = local_aws.client("dynamodb", keys)
    client.get_item(TableName=table, Key={"LockID": {"S": "a"}})
    denied(client.scan, TableName=table)
    denied(client.describe_table, TableName=table)


def test_a_transaction_is_checked_action_by_action(local_aws: LocalAws, table: str) -> None:
    def only(action: str, key: str) -> dict[str, Any]:
        condition = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [key]}}
        return allow(action, arn_of(table), Condition=condition)

    keys = local_aws.user(unique("user"), only("dynamodb:PutItem", "a"), only("dynamodb:DeleteItem", "b"))
    client = local_aws.client("dynamodb", keys)

    def write(put: str, delete: str) -> list[dict[str, Any]]:
        return [
            {"Put": {"TableName": table, "Item": {"LockID": {"S": put}}}},
            {"Delete": {"TableName": table, "Key": {"LockID": {"S": delete}}}},
        ]

    client.transact_write_items(TransactItems=write("a", "b"))
    assert "dynamodb:PutItem" in denied(client.transact_write_items, TransactItems=write("b", "a"))
    assert "dynamodb:DeleteItem" in denied(client.transact_write_items, TransactItems=write("a", "c"))


def test_statements_of_partiql_are_their_own_actions(local_aws: LocalAws, table: str) -> None:
    keys = local_aws.user(unique("user"), allow("dynamodb:PartiQLSelect", arn_of(table)))
    client = local_aws.client("dynamodb", keys)
    client.execute_statement(Statement=f'SELECT * FROM "{table}"')
    assert "dynamodb:PartiQLDelete" in denied(
        client.execute_statement, Statement=f"DELETE FROM \"{table}\" WHERE LockID = 'a'"
    )
