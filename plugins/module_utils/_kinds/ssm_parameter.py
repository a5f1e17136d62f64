# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""SSM parameters. The value of a SecureString is compared and written, and never shown."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings, chunks
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._secrets import HIDDEN
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "value": {"type": "str", "no_log": True},
    "type": {"type": "str", "choices": ["String", "StringList", "SecureString"]},
    "key_id": {"type": "str"},
    "description": {"type": "str"},
    "tier": {"type": "str", "choices": ["Standard", "Advanced", "Intelligent-Tiering"]},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}


class SsmParameter(Kind):
    noun = "SSM parameter"
    service = "ssm"
    required = ("value",)
    # AWS decides between the two other tiers by itself, and answers which it took.
    equal = {"tier": lambda before, after: after in (before, "Intelligent-Tiering")}

    def problems(self, item: Settings) -> list[str]:
        found = []
        problem = pattern_problem(item["name"], r"[a-zA-Z0-9_.\-/]+", 1011, "a-z A-Z 0-9 and _ . - /")
        if problem:
            found.append(f"name: {problem}")
        elif "/" in item["name"] and not item["name"].startswith("/"):
            found.append(f"name: {item['name']!r} is a path and must begin with /")
        if item["name"].lstrip("/").lower().startswith(("aws", "ssm")):
            found.append(f"name: {item['name']!r} must not begin with aws or ssm, which AWS keeps for itself")
        if item["value"] == "":
            found.append("value: an empty value is not allowed")
        return found

    def normalise(self, settings: Settings) -> Settings:
        # Of a parameter that exists the type is always known: this is what a new one gets.
        return {"type": "SecureString", **settings}

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        by_name = {item["name"]: item for item in items}
        # The name as a filter takes up to 50 at a time, the values ten; neither says that a missing one is an error.
        described = {
            parameter["Name"]: parameter
            for found in self.aws.map(self._describe, chunks(list(by_name), 50))
            for parameter in found
        }
        valued = [name for name in described if by_name[name]["value"] is not None]
        values = {
            parameter["Name"]: parameter["Value"]
            for found in self.aws.map(self._values, chunks(valued, 10))
            for parameter in found
        }
        result = {}
        for name, parameter in described.items():
            settings = {
                "name": name,
                "value": values.get(name),
                "type": parameter["Type"],
                "key_id": parameter.get("KeyId", ""),
                "description": parameter.get("Description", ""),
                "tier": parameter.get("Tier", "Standard"),
            }
            arn = {"arn": parameter["ARN"]} if parameter.get("ARN") else {}
            result[name] = Resource(settings, {**arn, "version": parameter.get("Version")})
        add_tags(self, result, items, self._tags)
        return result

    def _describe(self, names: list[str]) -> list[dict[str, Any]]:
        filters = [{"Key": "Name", "Option": "Equals", "Values": names}]
        pages = {"PageSize": 50}  # AWS's own is ten
        found = self.aws.pages(
            "ssm", "describe_parameters", "Parameters", ParameterFilters=filters, PaginationConfig=pages
        )
        self.progress.read(len(names))
        return found

    def _values(self, names: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get_parameters(Names=names, WithDecryption=True)["Parameters"]
        return found

    def _tags(self, parameter: Resource) -> dict[str, str]:
        name = parameter.settings["name"]
        return to_dict(self.client.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"])

    def create(self, after: Settings) -> dict[str, Any]:
        return {"version": self._put(after, {"Tags": to_list(after["tags"])} if after.get("tags") else {})}

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        if changed - {"tags"}:
            if after.get("value") is None:
                # PutParameter takes no change without the value.
                after = {**after, "value": self._values([after["name"]])[0]["Value"]}
            self._put(after, {"Overwrite": True})
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.remove_tags_from_resource(
                    ResourceType="Parameter", ResourceId=after["name"], TagKeys=remove
                )
            if put:
                self.client.add_tags_to_resource(ResourceType="Parameter", ResourceId=after["name"], Tags=to_list(put))

    def _put(self, after: Settings, arguments: dict[str, Any]) -> int:
        arguments = {"Name": after["name"], "Value": after["value"], "Type": after["type"], **arguments}
        if after.get("key_id") and after["type"] == "SecureString":
            arguments["KeyId"] = after["key_id"]
        if after.get("description") is not None:
            arguments["Description"] = after["description"]
        if after.get("tier"):
            arguments["Tier"] = after["tier"]
        version: int = self.client.put_parameter(**arguments)["Version"]
        return version

    def delete(self, before: Resource, item: Settings) -> None:
        self.client.delete_parameter(Name=item["name"])

    def public(self, settings: Settings) -> Settings:
        return {**settings, "value": HIDDEN} if settings.get("value") is not None else settings
