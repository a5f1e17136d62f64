# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge connections in the states that AWS leaves by itself, which local AWS does not know."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ansible_collections.gitops.aws.plugins.module_utils._engine import Resource, Settings, Step, converge
from ansible_collections.gitops.aws.plugins.module_utils._kinds.eventbridge_connection import (
    OPTIONS,
    PATIENCE,
    PAUSE,
    EventbridgeConnection,
)

NAME = "gitops-ops"
ARN = f"arn:aws:events:eu-central-1:123456789012:connection/{NAME}/11111111-2222-3333-4444-555555555555"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were slept."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


def item(**options: Any) -> Settings:
    return {**dict.fromkeys(OPTIONS), "name": NAME, **options}


def settle(aws: Any, stubs: Any, state: str, *answers: dict[str, Any]) -> tuple[Step, list[str]]:
    """A connection that is in this state after it was written, and then in those."""
    for answer in answers:
        stubs["events"].add_response("describe_connection", answer, {"Name": NAME})
    step = Step(NAME, "created", None, {}, item(), facts={"arn": ARN, "state": state})
    return step, EventbridgeConnection(aws()).settle([step], {})


@pytest.mark.parametrize("state", ["AUTHORIZING", "CREATING", "UPDATING"])
def test_it_is_waited_for(aws: Any, stubs: Any, pauses: list[float], state: str) -> None:
    step, late = settle(aws, stubs, state, {"ConnectionState": state}, {"ConnectionState": "AUTHORIZED"})

    assert late == []
    assert step.facts["state"] == "AUTHORIZED"
    assert len(pauses) == 1


@pytest.mark.parametrize("state", ["AUTHORIZED", "DEAUTHORIZED"])
def test_what_aws_does_not_change_is_not_waited_for(aws: Any, stubs: Any, state: str) -> None:
    assert settle(aws, stubs, state)[1] == []


def test_it_says_why_it_cannot_be_authorised(aws: Any, stubs: Any, pauses: list[float]) -> None:
    refused = {"ConnectionState": "DEAUTHORIZED", "StateReason": "The token endpoint answered 400"}

    step, late = settle(aws, stubs, "AUTHORIZING", refused, refused)

    assert late == [f"EventBridge connection {NAME}: it is DEAUTHORIZED: The token endpoint answered 400"]
    assert step.facts["state"] == "DEAUTHORIZED"


def test_waiting_has_an_end(aws: Any, stubs: Any, pauses: list[float]) -> None:
    _step, late = settle(aws, stubs, "CREATING", *([{"ConnectionState": "CREATING"}] * (PATIENCE // PAUSE + 1)))

    assert late == [f"EventBridge connection {NAME}: it is not authorised yet. Fix: look at its state in a while"]


def test_one_that_aws_still_deletes_is_made_anew_when_it_is_gone(aws: Any, stubs: Any, pauses: list[float]) -> None:
    there = {"Connections": [{"Name": NAME, "ConnectionArn": ARN, "ConnectionState": "DELETING"}]}
    stubs["events"].add_response("list_connections", there)
    stubs["events"].add_client_error("create_connection", "ResourceAlreadyExistsException")
    stubs["events"].add_response("create_connection", {"ConnectionArn": ARN, "ConnectionState": "AUTHORIZED"})
    key = {"name": "Authorization", "value": "hush"}

    (step,) = converge(EventbridgeConnection(aws()), "connections", OPTIONS, [item(api_key=key)], "present", True)

    assert (step.action, step.error) == ("created", None)
    assert len(pauses) == 1


def test_one_that_aws_still_deletes_is_not_deleted_again(aws: Any, stubs: Any) -> None:
    there = {"Connections": [{"Name": NAME, "ConnectionArn": ARN, "ConnectionState": "DELETING"}]}
    stubs["events"].add_response("list_connections", there)

    (step,) = converge(EventbridgeConnection(aws()), "connections", OPTIONS, [item()], "absent", True)

    assert step.action == "unchanged"


def test_name_that_somebody_else_was_quicker_to_take_is_an_error(aws: Any) -> None:
    taken = ClientError({"Error": {"Code": "ResourceAlreadyExistsException"}}, "CreateConnection")

    assert not EventbridgeConnection(aws()).not_yet(taken)


def test_deletion_waits_for_what_aws_does(aws: Any, stubs: Any, pauses: list[float]) -> None:
    stubs["events"].add_client_error("delete_connection", "ConcurrentModificationException")
    stubs["events"].add_response("delete_connection", {})

    EventbridgeConnection(aws()).delete(Resource({}), item())

    assert len(pauses) == 1
