# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge's connections and API destinations: what they are called, and what is said of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import eventbridge, secretsmanager

from local_aws import acted_on, service_owned
from local_aws.acted_on import Call

Handler = Callable[[dict[str, Any]], Any]

PAGE = 100
# What AWS never tells again, by the structure that it is in.
SECRETS = {
    "ApiKeyAuthParameters": "ApiKeyValue",
    "BasicAuthParameters": "Password",
    "ClientParameters": "ClientSecret",
}


def apply() -> None:
    """Install it in MiniStack."""
    arns_with_ids()
    secrets_are_told_to_nobody()
    secrets_are_kept_in_secrets_manager()
    destinations_have_a_connection()
    lists_in_pages()
    acted_on.correct(_resource)


def connection_of(destination: dict[str, Any]) -> dict[str, Any] | None:
    """The connection of an API destination, None where it is gone."""
    return _connection(str(destination.get("ConnectionArn", "")))


def _connection(arn: str) -> dict[str, Any] | None:
    name = arn.partition(":connection/")[2].partition("/")[0]
    found: dict[str, Any] | None = eventbridge._connections.get(name)
    return found if found and found["ConnectionArn"] == arn else None


def arns_with_ids() -> None:
    """An id ends the ARN of a connection, and of an API destination: one of the same name is another one later."""

    def with_id(create: Handler, stored: Any, member: str) -> Handler:
        def created(request: dict[str, Any]) -> Any:
            status, headers, body = create(request)
            if status != 200:
                return status, headers, body
            answer, record = json.loads(body), stored[request["Name"]]
            answer[member] = record[member] = f"{record[member]}/{uuid.uuid4()}"
            return status, headers, json.dumps(answer).encode()

        return created

    eventbridge._create_connection = with_id(eventbridge._create_connection, eventbridge._connections, "ConnectionArn")
    eventbridge._create_api_destination = with_id(
        eventbridge._create_api_destination, eventbridge._api_destinations, "ApiDestinationArn"
    )


def secrets_are_told_to_nobody() -> None:
    """DescribeConnection leaves out what is secret; of further parameters that is all that is not said to be none."""
    original: Handler = eventbridge._describe_connection

    def describe(request: dict[str, Any]) -> Any:
        status, headers, body = original(request)
        return status, headers, json.dumps(_told(json.loads(body))).encode()

    eventbridge._describe_connection = describe


def _told(value: Any) -> Any:
    if isinstance(value, list):
        return [_told(element) for element in value]
    if not isinstance(value, dict):
        return value
    if "Key" in value and value.setdefault("IsValueSecret", True):
        return {name: element for name, element in value.items() if name != "Value"}
    told = {name: _told(element) for name, element in value.items()}
    for structure, member in SECRETS.items():
        told.get(structure, {}).pop(member, None)
    return told


def secrets_are_kept_in_secrets_manager() -> None:
    """A connection's authorisation is in a secret of EventBridge's, which whoever may read that secret can read."""

    def kept(original: Handler) -> Handler:
        def call(request: dict[str, Any]) -> Any:
            before = eventbridge._connections.get(request.get("Name"), {})
            answer = original(request)
            if answer[0] == 200:
                after = eventbridge._connections.get(request["Name"])
                _keep(before if after is None else after, after.get("AuthParameters") if after else None)
            return answer

        return call

    for handler in ("_create_connection", "_update_connection", "_deauthorize_connection", "_delete_connection"):
        setattr(eventbridge, handler, kept(getattr(eventbridge, handler)))


def _keep(connection: dict[str, Any], parameters: dict[str, Any] | None) -> None:
    """Write the secret of a connection; without parameters there is none."""
    if not parameters:
        if "SecretArn" in connection:
            secretsmanager.delete_secret_in_process(connection.pop("SecretArn"))
        return
    content: dict[str, Any] = {}
    if "ApiKeyAuthParameters" in parameters:
        key = parameters["ApiKeyAuthParameters"]
        content = {"api_key_name": key.get("ApiKeyName"), "api_key_value": key.get("ApiKeyValue")}
    if "BasicAuthParameters" in parameters:
        basic = parameters["BasicAuthParameters"]
        content = {"username": basic.get("Username"), "password": basic.get("Password")}
    if "OAuthParameters" in parameters:
        client = parameters["OAuthParameters"].get("ClientParameters", {})
        content = {"client_id": client.get("ClientID"), "client_secret": client.get("ClientSecret")}
    if "InvocationHttpParameters" in parameters:
        content["invocation_http_parameters"] = parameters["InvocationHttpParameters"]
    text = json.dumps(content)
    if "SecretArn" in connection:
        secretsmanager.put_secret_value_in_process(connection["SecretArn"], text)
        return
    name = f"events!connection/{connection['Name']}/{uuid.uuid4()}"
    connection["SecretArn"] = secretsmanager.create_secret_in_process(name, text)
    service_owned.give(connection["SecretArn"], "events.amazonaws.com")


def destinations_have_a_connection() -> None:
    """An API destination is made, and changed, with a connection that is there."""

    def checked(original: Handler) -> Handler:
        def call(request: dict[str, Any]) -> Any:
            arn = request.get("ConnectionArn")
            if arn and _connection(arn) is None:
                return error_response_json("ResourceNotFoundException", f"Connection '{arn}' does not exist.", 400)
            return original(request)

        return call

    eventbridge._create_api_destination = checked(eventbridge._create_api_destination)
    eventbridge._update_api_destination = checked(eventbridge._update_api_destination)


def lists_in_pages() -> None:
    """ListConnections and ListApiDestinations answer a page at a time, and the rate limit of a destination."""

    def paged(original: Handler, member: str) -> Handler:
        def listed(request: dict[str, Any]) -> Any:
            status, headers, body = original(request)
            if status != 200:
                return status, headers, body
            # A connection that is authorised no more has no time of it.
            found = [{name: value for name, value in each.items() if value != ""} for each in json.loads(body)[member]]
            for each in found if member == "ApiDestinations" else []:
                record = eventbridge._api_destinations[each["Name"]]
                each["InvocationRateLimitPerSecond"] = record["InvocationRateLimitPerSecond"]
            start = int(request.get("NextToken") or 0)
            end = start + int(request.get("Limit") or PAGE)
            answer: dict[str, Any] = {member: found[start:end]}
            if end < len(found):
                answer["NextToken"] = str(end)
            return status, headers, json.dumps(answer).encode()

        return listed

    eventbridge._list_connections = paged(eventbridge._list_connections, "Connections")
    eventbridge._list_api_destinations = paged(eventbridge._list_api_destinations, "ApiDestinations")


def _resource(call: Call, so_far: Callable[[], str]) -> str | None:
    """Calls are authorised on the connection or the destination, by its name without its id."""
    if call.service != "events":
        return None
    for end, kind in (("Connection", "connection"), ("ApiDestination", "api-destination")):
        if call.operation.endswith(end):
            name = json.loads(call.body or b"{}").get("Name")
            return f"arn:aws:events:{call.region}:{call.account_id}:{kind}/{name}"
    return None
