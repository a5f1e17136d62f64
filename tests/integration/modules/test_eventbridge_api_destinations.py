# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge API destinations: their connection by its name, few calls, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules.cases import EVENT_CONNECTIONS_THERE
from tests.integration.modules.harness import Account, ModuleFailed, World, unique

ONE, TWO = EVENT_CONNECTIONS_THERE
KEY = {"name": "Authorization", "value": "hush"}


def item(connection: str = ONE, **options: Any) -> dict[str, Any]:
    return {
        "name": unique("d"),
        "connection": connection,
        "invocation_endpoint": "https://example.com",
        **options,
    }


def test_connection_by_its_name_or_its_arn(account: Account, world: World) -> None:
    arn = account.client("events").describe_connection(Name=ONE)["ConnectionArn"]
    one = item(ONE)

    made = account.run("eventbridge_api_destinations", api_destinations=[one])
    by_arn = account.run("eventbridge_api_destinations", api_destinations=[{**one, "connection": arn}])
    other = account.run("eventbridge_api_destinations", api_destinations=[{**one, "connection": TWO}])

    assert made["api_destinations"][0]["connection"] == arn
    assert not by_arn["changed"]
    assert other["diff"][0]["after"]["connection"].split("/")[1] == TWO


def test_connection_that_was_made_anew_is_taken(account: Account) -> None:
    name = unique("c")
    connection, one = {"name": name, "api_key": KEY}, item(name)
    account.run("eventbridge_connections", connections=[connection])
    account.run("eventbridge_api_destinations", api_destinations=[one])
    account.run("eventbridge_connections", connections=[connection], state="absent")
    anew = account.run("eventbridge_connections", connections=[connection])

    result = account.run("eventbridge_api_destinations", api_destinations=[one])

    assert result["changed"]
    assert result["api_destinations"][0]["connection"] == anew["resources"][name]["arn"]


def test_connection_that_is_missing(account: Account, world: World) -> None:
    good, bad = item(ONE), item(unique("none"))

    with pytest.raises(ModuleFailed, match=f"there is no connection {bad['connection']} here") as failure:
        account.run("eventbridge_api_destinations", api_destinations=[good, bad])
    # An earlier task may only have said that it would make it.
    checked = account.run("eventbridge_api_destinations", check=True, api_destinations=[bad])

    assert failure.value.result["resources"][good["name"]]["action"] == "created"
    assert checked["resources"][bad["name"]]["action"] == "created"


def test_description_is_kept_by_who_does_not_name_it(account: Account, world: World) -> None:
    one = item(ONE, description="first")
    account.run("eventbridge_api_destinations", api_destinations=[one])

    account.run("eventbridge_api_destinations", api_destinations=[{"name": one["name"], "http_method": "PUT"}])

    found = account.client("events").describe_api_destination(Name=one["name"])
    assert (found["Description"], found["HttpMethod"]) == ("first", "PUT")


def test_hundreds_of_destinations_take_few_calls(account: Account, world: World) -> None:
    start = unique("many")
    items = [{**item(ONE), "name": f"{start}-{number}"} for number in range(101)]
    account.run("eventbridge_api_destinations", api_destinations=items)

    again = account.run("eventbridge_api_destinations", api_destinations=items)
    described = account.run("eventbridge_api_destinations", api_destinations=[{**items[0], "description": ""}])
    gone = account.run("eventbridge_api_destinations", api_destinations=items, state="absent")

    assert not again["changed"]
    assert again["api_calls"] == {"events:ListApiDestinations": 2, "events:ListConnections": 1}
    assert described["api_calls"]["events:DescribeApiDestination"] == 1
    assert not described["changed"]
    assert gone["api_calls"] == {"events:ListApiDestinations": 2, "events:DeleteApiDestination": 101}


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": "a b"}, "name"),
        ({"description": "x" * 513}, "description"),
        ({"connection": "a/b"}, "connection"),
        ({"connection": "arn:aws:iam::123456789012:role/x"}, "connection"),
        ({"invocation_endpoint": "http://example.com"}, "invocation_endpoint"),
        ({"invocation_endpoint": "https://example.com/ x"}, "invocation_endpoint"),
        ({"invocation_endpoint": "https://example.com/" + "x" * 2048}, "invocation_endpoint"),
        ({"invocation_rate_limit_per_second": 0}, "invocation_rate_limit_per_second"),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, options: dict[str, Any], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("eventbridge_api_destinations", api_destinations=[item(**options)])

    assert f"api_destinations[0].{path}: " in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result
