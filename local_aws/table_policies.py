# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB: resource policies of tables decide, dynamodb:LeadingKeys has its value, PartiQL is its own actions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region, new_uuid
from ministack.services import dynamodb

from local_aws import kms_use
from local_aws.aws_json import AwsError, authorize, caller_of

Request = dict[str, Any]

_REQUEST = "local-aws:request"
"""What a request says, on its way from MiniStack's router to the check of one action on one table."""
_MEMBERS = {
    "dynamodb:PutItem": "Put",
    "dynamodb:UpdateItem": "Update",
    "dynamodb:DeleteItem": "Delete",
    "dynamodb:GetItem": "Get",
    "dynamodb:ConditionCheckItem": "ConditionCheck",
}


def apply() -> None:
    """Install all of it in MiniStack."""
    _policies_decide()
    _policies_are_checked()
    _policies_of_new_tables()
    _leading_keys()
    _partiql()


# --- resource policies ----------------------------------------------------------------------------------------------


def _policies_decide() -> None:
    """The policy of a table counts for the table and its indexes, that of a stream for the stream."""

    def table_policy_for_arn(arn: str) -> tuple[str, str] | None:
        name, account_id = _table_name(arn), iam_evaluator._account_from_arn(arn)
        if not name or account_id is None:
            return None
        of_arn = arn.partition("/index/")[0]
        found = dynamodb._resource_policies.get_scoped(account_id, arn.split(":")[3], of_arn) or {}
        return str(found.get("Policy", "")), account_id

    dynamodb.table_policy_for_arn = table_policy_for_arn
    iam_evaluator._RESOURCE_POLICY_LOOKUPS["dynamodb"] = ("dynamodb", "table_policy_for_arn")


def _policies_are_checked() -> None:
    """PutResourcePolicy refuses what is no policy, or is about another table."""
    original: Callable[[Request], Any] = dynamodb._put_resource_policy

    def put_resource_policy(request: Request) -> Any:
        if request.get("ResourceArn") and request.get("Policy"):
            problem = _problem(request["Policy"], request["ResourceArn"])
            if problem:
                return error_response_json("ValidationException", problem, 400)
        return original(request)

    dynamodb._put_resource_policy = put_resource_policy


def _problem(text: str, arn: str) -> str | None:
    """Why DynamoDB does not take a policy for a table."""
    wrong = "Invalid policy document: "
    try:
        document = json.loads(text)
    except ValueError:
        return f"{wrong}Policy document must be valid JSON"
    if found := iam_evaluator.validate_policy_document(document):
        return f"{wrong}{found}"
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        if "Principal" not in statement and "NotPrincipal" not in statement:
            return f"{wrong}Statement must contain a Principal"
        resources = statement.get("Resource", statement.get("NotResource"))
        for resource in [resources] if isinstance(resources, str) else resources:
            if resource != "*" and resource.partition("/index/")[0] != arn:
                return f"{wrong}Resource {resource} is not {arn} or one of its indexes"
    return None


def _policies_of_new_tables() -> None:
    """CreateTable keeps its ResourcePolicy, which needs dynamodb:PutResourcePolicy; with a table its policy goes."""
    create: Callable[[Request], Any] = dynamodb._create_table
    delete: Callable[[Request], Any] = dynamodb._delete_table

    def create_table(request: Request) -> Any:
        policy = request.get("ResourcePolicy")
        if not policy:
            return create(request)
        arn = _table_arn(str(request.get("TableName")))
        if problem := _problem(policy, arn):
            return error_response_json("ValidationException", problem, 400)
        if kms_use.request_key.get():
            try:
                authorize(caller_of(kms_use.request_key.get(), get_region()), "dynamodb:PutResourcePolicy", arn)
            except AwsError as error:
                return error_response_json(error.code, error.message, 400)
        answer = create(request)
        if answer[0] == 200:
            dynamodb._resource_policies[arn] = {"Policy": policy, "RevisionId": new_uuid()}
        return answer

    def delete_table(request: Request) -> Any:
        answer = delete(request)
        if answer[0] == 200:
            arn = _table_arn(_table_name(str(request.get("TableName"))))
            for kept in [kept for kept in dynamodb._resource_policies if kept == arn or kept.startswith(f"{arn}/")]:
                dynamodb._resource_policies.pop(kept, None)
        return answer

    dynamodb._create_table, dynamodb._delete_table = create_table, delete_table


def _table_arn(name: str) -> str:
    return f"arn:aws:dynamodb:{get_region()}:{get_account_id()}:table/{name}"


def _table_name(name_or_arn: str) -> str:
    """The table's name, of its name or of an ARN of it, its index or its stream; "" for another resource."""
    if not name_or_arn.startswith("arn:"):
        return name_or_arn
    kind, _, name = name_or_arn.split(":", 5)[-1].partition("/")
    return name.partition("/")[0] if kind == "table" else ""


# --- condition keys -------------------------------------------------------------------------------------------------


def _leading_keys() -> None:
    """dynamodb:LeadingKeys: the partition keys that an action touches in a table; absent for Scan and control calls."""
    context_of: Callable[[bytes], dict[str, Any]] = iam_actions.dynamodb_service_context
    enforce: Callable[..., Any] = iam_evaluator.enforce

    def with_request(body: bytes) -> dict[str, Any]:
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            request = {}
        return context_of(body) | {_REQUEST: request if isinstance(request, dict) else {}}

    def enforced(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        context = dict(service_context or {})
        request = context.pop(_REQUEST, None)
        if request is not None and (keys := list(_keys(iam_action, request, resource_arn))):
            context["dynamodb:LeadingKeys"] = keys
        return enforce(
            access_key_id, iam_action, service, region, resource_arn=resource_arn, service_context=context or None
        )

    iam_actions.dynamodb_service_context, iam_evaluator.enforce = with_request, enforced


def _keys(action: str, request: Request, resource_arn: str) -> Iterator[str]:
    """The partition keys that an action names in a table; none where the request makes no sense."""
    table = dynamodb._tables.get(_table_name(resource_arn))
    if table is None:
        return
    hash_key = table["pk_name"]
    for item in _items(action, request, _table_name(resource_arn)):
        value = item.get(hash_key) if isinstance(item, dict) else None
        if isinstance(value, dict) and value:
            yield str(next(iter(value.values())))
    if action == "dynamodb:Query":
        yield from _queried(request, table)


def _items(action: str, request: Request, table: str) -> Iterator[Any]:
    """The items, or the keys of items, that an action names in a table."""
    if "TransactItems" in request:
        for member in request["TransactItems"]:
            found = member.get(_MEMBERS.get(action, ""))
            if isinstance(found, dict) and _table_name(str(found.get("TableName"))) == table:
                yield found.get("Item", found.get("Key"))
    elif action in ("dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"):
        for name, asked in request.get("RequestItems", {}).items():
            if _table_name(name) == table and isinstance(asked, dict):
                yield from asked.get("Keys", [])
            elif _table_name(name) == table:
                for write in asked:
                    yield write.get("PutRequest", {}).get("Item") or write.get("DeleteRequest", {}).get("Key")
    elif action == "dynamodb:PutItem":
        yield request.get("Item")
    elif action in _MEMBERS:
        yield request.get("Key")


def _queried(request: Request, table: dict[str, Any]) -> Iterator[str]:
    """The partition key that a query names, of the table or of the index it asks."""
    hash_key = table["pk_name"]
    for index in (table.get("GlobalSecondaryIndexes") or []) + (table.get("LocalSecondaryIndexes") or []):
        if index["IndexName"] == request.get("IndexName"):
            hash_key = next(key["AttributeName"] for key in index["KeySchema"] if key["KeyType"] == "HASH")
    names, values = request.get("ExpressionAttributeNames") or {}, request.get("ExpressionAttributeValues") or {}
    expression = str(request.get("KeyConditionExpression") or "")
    for left, right in re.findall(r"([#:\w.-]+)\s*=\s*([#:\w.-]+)", expression):
        name, value = (right, left) if left.startswith(":") else (left, right)
        if names.get(name, name) == hash_key and isinstance(values.get(value), dict):
            yield str(next(iter(values[value].values())))
    condition = (request.get("KeyConditions") or {}).get(hash_key) or {}
    if condition.get("ComparisonOperator") == "EQ":
        for value in condition.get("AttributeValueList", []):
            yield str(next(iter(value.values())))


def _partiql() -> None:
    """Statements of PartiQL are authorised one by one as dynamodb:PartiQLSelect, Insert, Update or Delete."""
    original: Callable[..., list[tuple[str, str]]] = iam_actions.dynamodb_transaction_checks

    def checks(iam_action: str, body: bytes, region: str, account_id: str) -> list[tuple[str, str]]:
        operation = iam_action.partition(":")[2]
        if operation not in ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"):
            return original(iam_action, body, region, account_id)
        request = json.loads(body or b"{}")
        statements = request.get("Statements") or request.get("TransactStatements") or [request]
        return [
            (f"dynamodb:PartiQL{verb}", f"arn:aws:dynamodb:{region}:{account_id}:{resource}")
            for statement in statements
            for verb, resource in [_statement(statement)]
        ]

    iam_actions.dynamodb_transaction_checks = checks


def _statement(statement: Request) -> tuple[str, str]:
    """The verb of a PartiQL statement, and the table or index it is about; every table where it is not understood."""
    try:
        parsed = dynamodb._parse_partiql(statement.get("Statement", ""), statement.get("Parameters", []))
    except ValueError:
        return "Select", "table/*"
    index = f"/index/{parsed['index']}" if parsed.get("index") else ""
    verb = {"INSERT": "Insert", "UPDATE": "Update", "DELETE": "Delete"}.get(parsed["op"], "Select")
    return verb, f"table/{parsed['table']}{index}"
