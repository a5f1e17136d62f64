# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge API destinations, where local AWS is kinder than AWS may be, or has no such state."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._engine import Settings, converge
from ansible_collections.gitops.aws.plugins.module_utils._kinds.eventbridge_api_destination import (
    OPTIONS,
    EventbridgeApiDestination,
)

START = "arn:aws:events:eu-central-1:123456789012"
ID = "11111111-2222-3333-4444-555555555555"
THERE = {
    "Name": "d",
    "ApiDestinationArn": f"{START}:api-destination/d/{ID}",
    "ApiDestinationState": "ACTIVE",
    "ConnectionArn": f"{START}:connection/c/{ID}",
    "InvocationEndpoint": "https://example.com",
    "HttpMethod": "POST",
    "InvocationRateLimitPerSecond": 300,
}


def item(**options: Any) -> Settings:
    return {**dict.fromkeys(OPTIONS), "name": "d", **options}


def test_description_is_written_with_what_changes(aws: Any, stubs: Any) -> None:
    written = {name: value for name, value in THERE.items() if not name.startswith("ApiDestination")}
    stubs["events"].add_response("list_api_destinations", {"ApiDestinations": [THERE]})
    stubs["events"].add_response("describe_api_destination", {**THERE, "Description": "first"}, {"Name": "d"})
    stubs["events"].add_response(
        "update_api_destination",
        {"ApiDestinationArn": THERE["ApiDestinationArn"], "ApiDestinationState": "ACTIVE"},
        {**written, "HttpMethod": "PUT", "Description": "first"},
    )

    (step,) = converge(
        EventbridgeApiDestination(aws()), "api_destinations", OPTIONS, [item(http_method="PUT")], "present", True
    )

    assert (step.error, step.changed) == (None, {"http_method"})


def test_connection_that_aws_deletes_is_none(aws: Any, stubs: Any) -> None:
    leaving = {"Name": "c", "ConnectionArn": THERE["ConnectionArn"], "ConnectionState": "DELETING"}
    stubs["events"].add_response("list_api_destinations", {"ApiDestinations": [THERE]})
    stubs["events"].add_response("list_connections", {"Connections": [leaving]})

    (step,) = converge(
        EventbridgeApiDestination(aws()), "api_destinations", OPTIONS, [item(connection="c")], "present", True
    )

    assert "there is no connection c here" in str(step.error)
