# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections and API destinations of EventBridge: their ARNs, their secrets, their lists, who may do what."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, allow, unique

ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
KEY = {"ApiKeyAuthParameters": {"ApiKeyName": "Authorization", "ApiKeyValue": "hush"}}
PARAMETERS = [
    {"Key": "open", "Value": "shown", "IsValueSecret": False},
    {"Key": "secret", "Value": "hush", "IsValueSecret": True},
    {"Key": "unsaid", "Value": "hush"},
]


def connect(aws: LocalAws, name: str, type_: str = "API_KEY", **parameters: Any) -> str:
    made = aws.client("events").create_connection(Name=name, AuthorizationType=type_, AuthParameters=parameters or KEY)
    return str(made["ConnectionArn"])


def aim(aws: LocalAws, name: str, connection: str, **more: Any) -> Any:
    return aws.client("events").create_api_destination(
        Name=name, ConnectionArn=connection, InvocationEndpoint="https://example.com", HttpMethod="POST", **more
    )


def test_an_id_ends_their_arns(local_aws: LocalAws) -> None:
    events, name = local_aws.client("events"), unique("c")
    start = rf"arn:aws:events:{REGION}:{ACCOUNT}"
    first = connect(local_aws, name)
    assert re.fullmatch(rf"{start}:connection/{name}/{ID}", first)
    assert events.describe_connection(Name=name)["ConnectionArn"] == first
    assert [each["ConnectionArn"] for each in events.list_connections(NamePrefix=name)["Connections"]] == [first]
    assert events.update_connection(Name=name, Description="x")["ConnectionArn"] == first
    destination = aim(local_aws, name, first)["ApiDestinationArn"]
    assert re.fullmatch(rf"{start}:api-destination/{name}/{ID}", destination)
    assert events.describe_api_destination(Name=name)["ApiDestinationArn"] == destination
    events.delete_connection(Name=name)
    assert connect(local_aws, name) != first


@pytest.mark.parametrize(
    ("type_", "parameters"),
    [
        ("API_KEY", KEY),
        ("BASIC", {"BasicAuthParameters": {"Username": "ada", "Password": "hush"}}),
        (
            "OAUTH_CLIENT_CREDENTIALS",
            {
                "OAuthParameters": {
                    "ClientParameters": {"ClientID": "ada", "ClientSecret": "hush"},
                    "AuthorizationEndpoint": "https://example.com",
                    "HttpMethod": "POST",
                    "OAuthHttpParameters": {"BodyParameters": PARAMETERS},
                }
            },
        ),
    ],
)
def test_secrets_are_told_to_nobody(local_aws: LocalAws, type_: str, parameters: dict[str, Any]) -> None:
    name, more = unique("c"), {"HeaderParameters": PARAMETERS, "QueryStringParameters": PARAMETERS}
    connect(local_aws, name, type_, **parameters, InvocationHttpParameters=more)
    told = local_aws.client("events").describe_connection(Name=name)["AuthParameters"]
    assert "hush" not in str(told)
    assert told["InvocationHttpParameters"]["HeaderParameters"] == [
        {"Key": "open", "Value": "shown", "IsValueSecret": False},
        {"Key": "secret", "IsValueSecret": True},
        {"Key": "unsaid", "IsValueSecret": True},
    ]
    assert set(told) == {*parameters, "InvocationHttpParameters"}


def test_secrets_are_in_secrets_manager(local_aws: LocalAws) -> None:
    events, secrets, name = local_aws.client("events"), local_aws.client("secretsmanager"), unique("c")
    connect(local_aws, name)
    secret = events.describe_connection(Name=name)["SecretArn"]

    def content() -> Any:
        return json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])

    assert content() == {"api_key_name": "Authorization", "api_key_value": "hush"}
    assert secrets.describe_secret(SecretId=secret)["OwningService"] == "events"
    assert secrets.describe_secret(SecretId=secret)["Name"].startswith(f"events!connection/{name}/")
    basic = {"BasicAuthParameters": {"Username": "ada", "Password": "hush"}}
    events.update_connection(Name=name, AuthorizationType="BASIC", AuthParameters=basic)
    assert content() == {"username": "ada", "password": "hush"}
    assert events.describe_connection(Name=name)["SecretArn"] == secret
    events.deauthorize_connection(Name=name)
    assert "SecretArn" not in events.describe_connection(Name=name)
    events.update_connection(Name=name, AuthorizationType="API_KEY", AuthParameters=KEY)
    secret = events.describe_connection(Name=name)["SecretArn"]
    events.delete_connection(Name=name)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        content()


def test_a_destination_needs_a_connection(local_aws: LocalAws) -> None:
    events, name = local_aws.client("events"), unique("d")
    connection = connect(local_aws, name)
    gone = connection[:-1] + ("0" if connection[-1] != "0" else "1")
    with pytest.raises(ClientError, match=f"ResourceNotFoundException.*{gone}"):
        aim(local_aws, name, gone)
    aim(local_aws, name, connection)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        events.update_api_destination(Name=name, ConnectionArn=gone)


def test_lists_come_in_pages(local_aws: LocalAws) -> None:
    events, start = local_aws.client("events"), unique("p")
    for number in range(3):
        aim(local_aws, f"{start}-{number}", connect(local_aws, f"{start}-{number}"), InvocationRateLimitPerSecond=5)
    events.deauthorize_connection(Name=f"{start}-2")  # it has no time of its authorisation then
    for call, member in ((events.list_connections, "Connections"), (events.list_api_destinations, "ApiDestinations")):
        first = call(NamePrefix=start, Limit=2)
        second = call(NamePrefix=start, Limit=2, NextToken=first["NextToken"])
        names = [each["Name"] for each in first[member] + second[member]]
        assert names == [f"{start}-{number}" for number in range(3)]
        assert "NextToken" not in second
    assert {each["InvocationRateLimitPerSecond"] for each in first[member]} == {5}


def test_who_may_do_what(local_aws: LocalAws) -> None:
    start = f"arn:aws:events:{REGION}:{ACCOUNT}"
    name = unique("w")
    calls = allow("events:*", [f"{start}:connection/{name}", f"{start}:api-destination/{name}"])
    events = local_aws.client("events", local_aws.user(unique("user"), calls))
    made = events.create_connection(Name=name, AuthorizationType="API_KEY", AuthParameters=KEY)
    events.create_api_destination(
        Name=name, ConnectionArn=made["ConnectionArn"], InvocationEndpoint="https://example.com", HttpMethod="POST"
    )
    events.delete_api_destination(Name=name)
    events.delete_connection(Name=name)
    with pytest.raises(ClientError, match="no identity-based policy allows the events:DeleteConnection"):
        events.delete_connection(Name=f"{name}-2")
