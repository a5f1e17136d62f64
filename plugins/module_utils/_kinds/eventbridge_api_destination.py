# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""EventBridge API destinations, found by their name. AWS knows their connection by its ARN, and people by its name."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, error_code, read_or_none, until_propagated
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings, Step
from ansible_collections.gitops.aws.plugins.module_utils._kinds.eventbridge_connection import (
    LONGEST_DESCRIPTION,
    NAME,
    listed,
)
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._shapes import from_response, input_shape, to_request

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str"},
    "connection": {"type": "str"},
    "invocation_endpoint": {"type": "str"},
    "http_method": {"type": "str", "choices": ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]},
    "invocation_rate_limit_per_second": {"type": "int"},
}

ENDPOINT = re.compile(r"https://(%[0-9A-Fa-f]{2}|[-()_.!~*';/?:@&=+$,A-Za-z0-9])+")
LONGEST_ENDPOINT = 2048
RATE = 300  # calls in a second, where nobody says how many; AWS


class EventbridgeApiDestination(Kind):
    noun = "API destination"
    service = "events"
    required = ("connection", "invocation_endpoint")

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self._named: set[str] = set()  # connections that items name
        self._connections: dict[str, str] | None = None  # their ARNs by name, once somebody has asked

    def problems(self, item: Settings) -> list[str]:
        connection, endpoint = item["connection"], item["invocation_endpoint"]
        rate = item["invocation_rate_limit_per_second"]
        problem = pattern_problem(item["name"], NAME, 64, "a-z A-Z 0-9 _ . and -")
        found = [f"name: {problem}"] if problem else []
        if len(item["description"] or "") > LONGEST_DESCRIPTION:
            found.append(f"description: it has more than the {LONGEST_DESCRIPTION} characters that are allowed")
        if connection is not None and not (_is_arn(connection) and ":connection/" in connection):
            problem = pattern_problem(connection, NAME, 64, "it is neither the name of a connection nor its ARN")
            found += [f"connection: {problem}"] if problem else []
        if endpoint is not None and (len(endpoint) > LONGEST_ENDPOINT or not ENDPOINT.fullmatch(endpoint)):
            found.append(
                f"invocation_endpoint: {endpoint!r} is not allowed, it must be an https:// URL of at most "
                f"{LONGEST_ENDPOINT} characters"
            )
        if rate is not None and rate < 1:
            found.append(f"invocation_rate_limit_per_second: {rate} is not 1 or more")
        return found

    def implied(self, item: Settings) -> Settings:
        """The item with the ARN of its connection, which stays a name where there is none."""
        name = item["connection"]
        if not name or _is_arn(name):
            return item
        if self._connections is None:
            found = listed(self.client.list_connections, "Connections", {name, *self._named})
            usable = [one for one in found.values() if one["ConnectionState"] != "DELETING"]
            self._connections = {one["Name"]: one["ConnectionArn"] for one in usable}
        return {**item, "connection": self._connections.get(name, name)}

    def conflicts(self, step: Step) -> list[str]:
        connection = (step.after or {}).get("connection")
        # In check mode an earlier task may only have said that it would make it.
        if not connection or _is_arn(connection) or self.aws.check_mode:
            return []
        return [f"connection: there is no connection {connection} here. Fix: make it first, or correct the name"]

    def normalise(self, settings: Settings) -> Settings:
        return {"http_method": "POST", "invocation_rate_limit_per_second": RATE, **settings}

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        self._named = {item["connection"] for item in items if item["connection"] and not _is_arn(item["connection"])}
        found = listed(self.client.list_api_destinations, "ApiDestinations", (item["name"] for item in items))
        return self.read_each(
            lambda item: self._resource(item, found[item["name"]]), [item for item in items if item["name"] in found]
        )

    def _resource(self, item: Settings, found: dict[str, Any]) -> Resource | None:
        # The list says all but the description.
        if item["description"] is not None:
            described = self._describe(item["name"])
            if described is None:
                return None
            found = {"Description": "", **described}
        settings = from_response(input_shape(self.client, "CreateApiDestination"), found)
        settings["connection"] = settings.pop("connection_arn")
        return Resource(settings, {"arn": found["ApiDestinationArn"], "state": found["ApiDestinationState"]})

    def _describe(self, name: str) -> dict[str, Any] | None:
        return read_or_none(self.client.describe_api_destination, ("ResourceNotFoundException",), Name=name)

    def predict(self, after: Settings) -> dict[str, Any]:
        # The account and the id are not known; check mode needs something of the same form to show.
        start = f"arn:aws:events:{self.client.meta.region_name}:000000000000"
        return {"arn": f"{start}:api-destination/{after['name']}/known-after-creation", "state": "ACTIVE"}

    def create(self, after: Settings) -> dict[str, Any]:
        return _facts(self.client.create_api_destination(**self._request(after)))

    def update(self, before: Resource, after: Settings, changed: set[str]) -> dict[str, Any]:
        if "description" not in after:
            # It was not asked for, and is written with the others: AWS does not say that it keeps what is left out.
            after = {**after, "description": (self._describe(after["name"]) or {}).get("Description", "")}
        return _facts(self.client.update_api_destination(**self._request(after)))

    def _request(self, after: Settings) -> dict[str, Any]:
        members = {"connection_arn" if name == "connection" else name: value for name, value in after.items()}
        request: dict[str, Any] = to_request(input_shape(self.client, "CreateApiDestination"), members)
        return request

    def delete(self, before: Resource, item: Settings) -> None:
        until_propagated(partial(self.client.delete_api_destination, Name=item["name"]), self.not_yet)

    def not_yet(self, error: BaseException) -> bool:
        return error_code(error) == "ConcurrentModificationException"


def _is_arn(connection: str) -> bool:
    return connection.startswith("arn:")


def _facts(answer: dict[str, Any]) -> dict[str, Any]:
    return {"arn": answer["ApiDestinationArn"], "state": answer["ApiDestinationState"]}
