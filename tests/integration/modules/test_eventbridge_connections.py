# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge connections: their secrets are written when they must be, are never lost, and never shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.modules.cases import look_at_event_connection
from tests.integration.modules.harness import Account, ModuleFailed, unique

SECRET = "Bearer correct-horse-battery-staple"
SIGNATURE = "a-signature-that-nobody-sees"
HEADERS = {"header_parameters": [{"key": "X-Open", "value": "open", "is_value_secret": False}]}


def item(**options: Any) -> dict[str, Any]:
    return {"name": unique("c"), "api_key": {"name": "Authorization", "value": SECRET}, **options}


def secret(account: Account, connection: dict[str, Any]) -> Any:
    return look_at_event_connection(account, connection["name"])["Secret"]


def test_secrets_are_in_no_output(account: Account) -> None:
    signature = [{"key": "sig", "value": SIGNATURE}]
    one = item(invocation_http_parameters={"query_string_parameters": signature})

    results = [account.run("eventbridge_connections", check=check, connections=[one]) for check in (True, False)]
    results += [
        account.run("eventbridge_connections", check=check, connections=[one], update_secrets=True)
        for check in (True, False)
    ]
    other = {**one, "api_key": {"name": "Other", "value": SECRET}}
    results.append(account.run("eventbridge_connections", connections=[other]))

    text = json.dumps(results)
    assert SECRET not in text
    assert SIGNATURE not in text
    assert secret(account, one)["invocation_http_parameters"]["QueryStringParameters"][0]["Value"] == SIGNATURE


def test_secret_is_written_again_only_when_that_is_asked_for(account: Account) -> None:
    one, other = item(), item()
    account.run("eventbridge_connections", connections=[one, other])
    changed = {**one, "api_key": {"name": "Authorization", "value": "another"}}

    left = account.run("eventbridge_connections", connections=[changed])
    kept = secret(account, one)
    without = {"name": other["name"], "api_key": {"name": "Authorization"}}
    checked = account.run("eventbridge_connections", check=True, connections=[changed, without], update_secrets=True)
    written = account.run("eventbridge_connections", connections=[changed, without], update_secrets=True)

    assert not left["changed"]
    assert kept["api_key_value"] == SECRET
    assert checked["diff"] == written["diff"]
    assert [entry["after"] for entry in written["diff"]] == [{"api_key": "(hidden) after"}]
    assert written["resources"][other["name"]]["action"] == "unchanged"
    assert secret(account, one)["api_key_value"] == "another"
    assert secret(account, other)["api_key_value"] == SECRET


def test_secret_is_kept_when_something_else_changes(account: Account) -> None:
    one = item(invocation_http_parameters=HEADERS)
    account.run("eventbridge_connections", connections=[one])

    account.run("eventbridge_connections", connections=[{"name": one["name"], "description": "two"}])
    described = secret(account, one)
    # The key is the same to the comparison, and goes with what differs.
    more = {"body_parameters": [{"key": "who", "value": "ada", "is_value_secret": False}]}
    result = account.run("eventbridge_connections", connections=[{**one, "invocation_http_parameters": more}])

    assert described["api_key_value"] == SECRET
    assert set(result["diff"][0]["after"]) == {"invocation_http_parameters"}
    found = secret(account, one)
    assert found["api_key_value"] == SECRET
    assert set(found["invocation_http_parameters"]) == {"HeaderParameters", "BodyParameters"}


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"invocation_http_parameters": HEADERS}, "api_key.value"),
        ({"api_key": {"name": "Other"}}, "api_key.value"),
        ({"api_key": {"name": "Other", "value": "new"}}, r"query_string_parameters\[sig\].value"),
        ({"basic": {"username": "ada"}}, "basic.password"),
        ({"authorization_type": "BASIC"}, "basic: must be given"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_change_that_would_lose_a_secret_is_refused(
    account: Account, options: dict[str, Any], path: str, check: bool
) -> None:
    one = item(invocation_http_parameters={"query_string_parameters": [{"key": "sig", "value": SIGNATURE}]})
    account.run("eventbridge_connections", connections=[one])

    with pytest.raises(ModuleFailed, match=path) as failure:
        account.run("eventbridge_connections", check=check, connections=[{"name": one["name"], **options}])

    assert failure.value.result["mutations"] == []
    assert secret(account, one)["api_key_value"] == SECRET


def test_new_connection_without_a_secret_is_refused(account: Account) -> None:
    cases: dict[str, dict[str, Any]] = {
        "api_key.value: the secret is missing": {"api_key": {"name": "Authorization"}},
        "api_key: it, basic or oauth must be given": {"description": "x", "api_key": None},
        "stands for a secret": {"api_key": {"name": "Authorization", "value": "(hidden)"}},
    }
    for reason, options in cases.items():
        with pytest.raises(ModuleFailed, match=reason) as failure:
            account.run("eventbridge_connections", connections=[item(**options)])
        assert failure.value.result["mutations"] == []


def test_result_given_back_with_another_secret_parameter(account: Account) -> None:
    parameters = [{"key": "sig", "value": SIGNATURE}, {"key": "v", "value": "1", "is_value_secret": False}]
    one = item(invocation_http_parameters={"query_string_parameters": parameters})
    (made,) = account.run("eventbridge_connections", connections=[one])["connections"]

    again = account.run("eventbridge_connections", connections=[made])
    also = account.run("eventbridge_connections", connections=[made], update_secrets=True)

    assert made["invocation_http_parameters"]["query_string_parameters"] == [
        {"key": "sig", "value": "(hidden)", "is_value_secret": True},
        {"key": "v", "value": "1", "is_value_secret": False},
    ]
    assert not again["changed"]
    assert not also["changed"]


def test_type_of_authorisation_changes(account: Account) -> None:
    one = item()
    account.run("eventbridge_connections", connections=[one])
    basic = {"name": one["name"], "basic": {"username": "ada", "password": "hush"}}
    oauth = {
        "name": one["name"],
        "oauth": {
            "client_id": "ada",
            "client_secret": "hush",
            "authorization_endpoint": "https://example.com/token",
            "http_method": "POST",
            "http_parameters": {"body_parameters": [{"key": "scope", "value": "all", "is_value_secret": False}]},
        },
    }

    for wanted, type_ in ((basic, "BASIC"), (oauth, "OAUTH_CLIENT_CREDENTIALS"), (one, "API_KEY")):
        result = account.run("eventbridge_connections", connections=[wanted])
        assert result["changed"]
        assert result["connections"][0]["authorization_type"] == type_
        assert not account.run("eventbridge_connections", connections=[wanted])["changed"]
        found = look_at_event_connection(account, one["name"])
        assert found["AuthorizationType"] == type_
        if wanted is oauth:
            told = found["AuthParameters"]["OAuthParameters"]
            assert told["ClientParameters"] == {"ClientID": "ada"}
            assert told["OAuthHttpParameters"]["BodyParameters"][0]["Value"] == "all"
            assert found["Secret"]["client_secret"] == "hush"


def test_withdrawn_authorisation_is_given_again(account: Account) -> None:
    one = item()
    account.run("eventbridge_connections", connections=[one])
    account.client("events").deauthorize_connection(Name=one["name"])

    described = account.run("eventbridge_connections", connections=[{"name": one["name"], "description": "two"}])
    result = account.run("eventbridge_connections", connections=[one])

    assert described["changed"]
    assert result["changed"]
    assert result["resources"][one["name"]]["state"] == "AUTHORIZED"
    assert secret(account, one)["api_key_value"] == SECRET


def test_hundreds_of_connections_take_few_calls(account: Account) -> None:
    start = unique("many")
    items = [{**item(), "name": f"{start}-{number}"} for number in range(101)]
    account.run("eventbridge_connections", connections=items)

    again = account.run("eventbridge_connections", connections=items)
    named = account.run("eventbridge_connections", connections=[{"name": each["name"]} for each in items])
    gone = account.run(
        "eventbridge_connections", connections=[{"name": each["name"]} for each in items], state="absent"
    )

    assert not again["changed"]
    assert again["api_calls"] == {"events:ListConnections": 2, "events:DescribeConnection": 101}
    assert named["api_calls"] == {"events:ListConnections": 2}
    assert gone["api_calls"] == {"events:ListConnections": 2, "events:DeleteConnection": 101}


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": "a b"}, "name"),
        ({"description": "x" * 513}, "description"),
        ({"basic": {"username": "ada", "password": "hush"}}, "basic: it is given together with api_key"),
        ({"authorization_type": "BASIC"}, "authorization_type: BASIC is given together with api_key"),
        ({"api_key": {"name": "Authorization", "value": f"{SECRET}:x"}}, "api_key.value: a colon"),
        ({"api_key": {"name": "Authorization", "value": f"{SECRET}\nx"}}, "api_key.value: a colon, a line break"),
        ({"api_key": {"name": "Authorization", "value": SECRET * 20}}, "api_key.value: it has"),
        ({"api_key": {"name": " ", "value": SECRET}}, "api_key.name: it is empty"),
        (
            {"invocation_http_parameters": {"header_parameters": [{"key": "a b", "value": SECRET}]}},
            "invocation_http_parameters.header_parameters[0].key",
        ),
        (
            {"invocation_http_parameters": {"header_parameters": [{"key": "a", "value": f"{SECRET}\u00fc"}]}},
            "invocation_http_parameters.header_parameters[0].value: it is not plain ASCII",
        ),
        (
            {"invocation_http_parameters": {"body_parameters": [{"key": "a", "value": SECRET}] * 2}},
            "invocation_http_parameters.body_parameters[1].key: 'a' is also",
        ),
        (
            {
                "api_key": None,
                "oauth": {
                    "client_id": "a",
                    "client_secret": "b",
                    "authorization_endpoint": "http://example.com",
                    "http_method": "GET",
                },
            },
            "oauth.authorization_endpoint: 'http://example.com' is not allowed",
        ),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, options: dict[str, Any], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("eventbridge_connections", connections=[item(**options)])

    assert f"connections[0].{path}" in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result
    assert SECRET not in json.dumps(failure.value.result)
