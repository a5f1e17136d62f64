# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Connections to Git hosts (AWS CodeConnections), found by their name."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, make_once
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings, Step
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list
from ansible_collections.gitops.aws.plugins.module_utils._waiters import wait

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "provider_type": {
        "type": "str",
        "choices": [
            "Bitbucket",
            "GitHub",
            "GitHubEnterpriseServer",
            "GitLab",
            "GitLabSelfManaged",
            "AzureDevOps",
        ],
    },
    "host_arn": {"type": "str"},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

CONSOLE = (
    "https://{region}.console.aws.amazon.com/codesuite/settings/{account}/{region}/codeconnections/connections/{id}"
)


# Seconds within which two runs may make a connection of one name. Afterwards each sees that of the other.
RACE = 1


class CodeConnection(Kind):
    noun = "connection"
    service = "codeconnections"
    fixed = ("provider_type", "host_arn")

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self._listed: list[dict[str, Any]] | None = None  # by what an info module has read for the names

    def problems(self, item: Settings) -> list[str]:
        found = []
        if not 1 <= len(item["name"]) <= 32:
            found.append(f"name: {item['name']!r} has {len(item['name'])} characters, 1 to 32 are allowed")
        return found

    def conflicts(self, step: Step) -> list[str]:
        after = step.after or {}
        if after.get("provider_type") or after.get("host_arn"):
            return []
        return ["provider_type: it, or host_arn, must be given to create a connection"]

    def normalise(self, settings: Settings) -> Settings:
        return {name: value for name, value in settings.items() if value != ""}

    def names(self) -> list[str]:
        self._listed = self._all()
        return [connection["ConnectionName"] for connection in self._listed]

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        wanted = {item["name"]: item for item in items}
        connections: dict[str, dict[str, Any]] = {}
        for connection in self._all() if self._listed is None else self._listed:
            name = connection["ConnectionName"]
            if name in connections:
                # AWS allows it, and then a name says nothing.
                self.unreadable[name] = (
                    f"connection {name}: two have this name, {connections[name]['ConnectionArn']} and "
                    f"{connection['ConnectionArn']}. Fix: delete one of them, or go by ARN where you name it"
                )
            if name in wanted:
                connections[name] = connection
        result = {}
        for name, connection in connections.items():
            settings: Settings = {"name": name, "provider_type": connection.get("ProviderType", "")}
            if connection.get("HostArn"):
                settings["host_arn"] = connection["HostArn"]
            result[name] = Resource(settings, _facts(connection["ConnectionArn"], connection["ConnectionStatus"]))
        add_tags(self, result, items, self._tags)
        return result

    def _all(self) -> list[dict[str, Any]]:
        # botocore has no paginator for ListConnections.
        found: list[dict[str, Any]] = []
        arguments: dict[str, Any] = {"MaxResults": 100}
        while True:
            answer = self.client.list_connections(**arguments)
            found += answer.get("Connections", [])
            if not answer.get("NextToken"):
                return found
            arguments["NextToken"] = answer["NextToken"]

    def _tags(self, connection: Resource) -> dict[str, str]:
        return to_dict(self.client.list_tags_for_resource(ResourceArn=connection.facts["arn"]).get("Tags", []))

    def predict(self, after: Settings) -> dict[str, Any]:
        # AWS chooses the id; check mode needs something of the same form to show what would refer to it.
        region = self.client.meta.region_name
        return {"arn": f"arn:aws:codeconnections:{region}:000000000000:connection/known-after-creation"}

    def create(self, after: Settings) -> dict[str, Any]:
        arguments: dict[str, Any] = {"ConnectionName": after["name"]}
        if after.get("provider_type"):
            arguments["ProviderType"] = after["provider_type"]
        if after.get("host_arn"):
            arguments["HostArn"] = after["host_arn"]
        if after.get("tags"):
            arguments["Tags"] = to_list(after["tags"])
        client = self.aws.client_trying_once(self.service)
        answered: list[str] = []

        def make() -> str:
            # Names are not unique: each call that arrives makes a connection, of this run or another.
            if self._named(after["name"]):
                raise Refused("there is one now that was not there a moment ago. Fix: run again")
            answered.append(client.create_connection(**arguments)["ConnectionArn"])
            return answered[0]

        arn = make_once(make, lambda: next(iter(self._named(after["name"])), None))
        time.sleep(RACE)
        others = [other for other in self._named(after["name"]) if other != arn]
        if others and answered and min(others) < arn:  # nothing is deleted that another run may have made
            self.client.delete_connection(ConnectionArn=arn)
            raise Refused(f"somebody else made one at the same moment, {min(others)}. That one stays. Fix: run again")
        if others and not answered:
            raise Refused(f"there are two of this name now, {arn} and {others[0]}. Fix: delete one of them")
        return _facts(arn, "PENDING")

    def _named(self, name: str) -> list[str]:
        """The ARNs of the connections of a name."""
        return [each["ConnectionArn"] for each in self._all() if each["ConnectionName"] == name]

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        put, remove = tag_changes(before.settings["tags"], after["tags"])
        if remove:
            self.client.untag_resource(ResourceArn=before.facts["arn"], TagKeys=remove)
        if put:
            self.client.tag_resource(ResourceArn=before.facts["arn"], Tags=to_list(put))

    def settle(self, steps: list[Step], params: dict[str, Any]) -> list[str]:
        if not params["wait"]:
            return []
        deadline = time.monotonic() + params["wait_timeout"]
        pending = [step for step in steps if step.facts.get("status") == "PENDING"]
        late = [self._wait(step, deadline - time.monotonic(), params["poll_interval"]) for step in pending]
        return [text for text in late if text]

    def _wait(self, step: Step, seconds: float, pause: int) -> str | None:
        """Waits until somebody has completed a connection; None, or what is still to be done."""
        arn = step.facts["arn"]
        try:
            if not wait(self.client, "connection_available", max(0, int(seconds)), pause, ConnectionArn=arn):
                return f"connection {step.name}: it is still PENDING. Fix: complete it at {step.facts['complete_at']}"
        except Refused as error:
            return f"connection {step.name}: {error}"
        del step.facts["complete_at"]
        step.facts["status"] = "AVAILABLE"
        return None

    def delete(self, before: Resource, item: Settings) -> None:
        self.client.delete_connection(ConnectionArn=before.facts["arn"])


def _facts(arn: str, status: str) -> dict[str, Any]:
    """ARN and status; for a connection that nobody has completed yet also the page where that is done."""
    facts = {"arn": arn, "status": status}
    if status == "PENDING":
        _arn, _partition, _service, region, account, resource = arn.split(":", 5)
        facts["complete_at"] = CONSOLE.format(region=region, account=account, id=resource.split("/")[-1])
    return facts
