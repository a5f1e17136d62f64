# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""IAM roles with their inline policies, managed policies, permissions boundary and tags."""

from __future__ import annotations

import json
from typing import Any

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = Exception

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ansible_collections.gitops.aws.plugins.module_utils._aws import error_code, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "path": {"type": "str"},
    "description": {"type": "str"},
    "assume_role_policy": {"type": "dict"},
    "inline_policies": {"type": "dict"},
    "managed_policies": {"type": "list", "elements": "str"},
    "permissions_boundary": {"type": "str"},
    "max_session_duration": {"type": "int"},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

# Reading one role takes four calls or more; GetAccountAuthorizationDetails reads all roles of the account by the page.
BULK_FROM = 3

# Roles of a page; AWS gives up to 1,000. With their policies they are long: with 300 stacks, 250 take 40 MiB less.
PAGE, PAGE_WITH_POLICIES = 1000, 250

Role = dict[str, Any]  # as AWS answers it

INLINE_POLICIES_LIMIT = 10240  # characters of all inline policies of a role together, white space not counted


def policies_equal(before: Any, after: Any) -> bool:
    """Whether two policy documents say the same, whatever their order and spelling."""
    # Comparing takes a hundred times as long as seeing that there is nothing to compare.
    return bool(before == after) or not compare_policies(before or {}, after or {})


def named_policies_equal(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """The same for dictionaries of policies by name."""
    return before.keys() == after.keys() and all(policies_equal(before[name], after[name]) for name in before)


class IamRole(Kind):
    noun = "IAM role"
    service = "iam"
    required = ("assume_role_policy",)
    fixed = ("path",)
    equal = {"assume_role_policy": policies_equal, "inline_policies": named_policies_equal}

    def problems(self, item: Settings) -> list[str]:
        found = []
        problem = pattern_problem(item["name"], r"[\w+=,.@-]+", 64, "a-z A-Z 0-9 and + = , . @ _ -")
        if problem:
            found.append(f"name: {problem}")
        policies = item["inline_policies"] or {}
        found += [
            f"inline_policies.{policy}: must be a policy document as a dictionary"
            for policy, document in policies.items()
            if not isinstance(document, dict)
        ]
        size = sum(len(json.dumps(document, separators=(",", ":"))) for document in policies.values())
        if size > INLINE_POLICIES_LIMIT:
            found.append(
                f"inline_policies: {size} characters in all, AWS allows {INLINE_POLICIES_LIMIT} per role; "
                "move statements to a managed policy"
            )
        duration = item["max_session_duration"]
        if duration is not None and not 3600 <= duration <= 43200:
            found.append(f"max_session_duration: {duration} is not between 3600 and 43200 seconds")
        return found

    def normalise(self, settings: Settings) -> Settings:
        if "managed_policies" not in settings:
            return settings
        return {**settings, "managed_policies": sorted(set(settings["managed_policies"]))}

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        if len(items) >= BULK_FROM and self.params.get("state") == "absent":
            items = self._there(items)
        if len(items) < BULK_FROM:
            return self.read_each(self._read_one, items)
        wanted = {item["name"] for item in items}
        found = self._by_the_page(
            "get_account_authorization_details", "RoleDetailList", wanted, PAGE_WITH_POLICIES, Filter=["Role"]
        )
        if any(item["description"] is not None or item["max_session_duration"] is not None for item in items):
            # Two settings that the details leave out are in ListRoles, again by the page.
            for name, role in self._by_the_page("list_roles", "Roles", set(found)).items():
                found[name].update(_listed(role))
        return {name: _from_details(role) for name, role in found.items()}

    def _there(self, items: list[Settings]) -> list[Settings]:
        """The items that exist: those that nobody wants mostly don't, and a list without policies tells.

        All of them where who asks may not list.
        """
        try:
            listed = self._by_the_page("list_roles", "Roles", {item["name"] for item in items})
        except ClientError as error:
            if error_code(error) != "AccessDenied":
                raise
            return items
        return [item for item in items if item["name"] in listed]

    def _by_the_page(
        self, operation: str, member: str, wanted: set[str], size: int = PAGE, **arguments: Any
    ) -> dict[str, Role]:
        """The roles of these names, from pages of so many roles. No page is asked for after the last of them."""
        found: dict[str, Role] = {}
        pages = self.client.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": size})
        for page in pages if wanted else ():
            found.update({role["RoleName"]: role for role in page[member] if role["RoleName"] in wanted})
            if len(found) == len(wanted):
                break
        return found

    def _read_one(self, item: Settings) -> Resource | None:
        name = item["name"]
        answer = read_or_none(self.client.get_role, ("NoSuchEntity",), RoleName=name)
        if answer is None:
            return None

        def inline() -> list[Any]:
            names = self.aws.pages("iam", "list_role_policies", "PolicyNames", RoleName=name)
            return self.aws.map(lambda policy: self.client.get_role_policy(RoleName=name, PolicyName=policy), names)

        def attached() -> list[Any]:
            return self.aws.pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name)

        policies, managed = self.aws.together(inline, attached)
        details = {"RolePolicyList": policies, "AttachedManagedPolicies": managed}
        return _from_details({**answer["Role"], **_listed(answer["Role"]), **details})

    def create(self, after: Settings) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "RoleName": after["name"],
            "Path": after.get("path") or "/",
            "AssumeRolePolicyDocument": json.dumps(after["assume_role_policy"]),
            "Description": after.get("description") or "",
            "MaxSessionDuration": after.get("max_session_duration") or 3600,
        }
        if after.get("permissions_boundary"):
            arguments["PermissionsBoundary"] = after["permissions_boundary"]
        if after.get("tags"):
            arguments["Tags"] = to_list(after["tags"])
        role = self.client.create_role(**arguments)["Role"]
        self._write_policies(Resource({"inline_policies": {}, "managed_policies": []}), after)
        return {"arn": role["Arn"], "role_id": role["RoleId"]}

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        name = after["name"]
        settings = {"Description": "description", "MaxSessionDuration": "max_session_duration"}
        if changed.intersection(settings.values()):
            # Always both: AWS takes an omitted duration for its default.
            arguments = {member: after[option] for member, option in settings.items() if option in after}
            self.client.update_role(RoleName=name, **arguments)
        if "assume_role_policy" in changed:
            document = json.dumps(after["assume_role_policy"])
            self.client.update_assume_role_policy(RoleName=name, PolicyDocument=document)
        if "permissions_boundary" in changed:
            if after["permissions_boundary"]:
                boundary = after["permissions_boundary"]
                self.client.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
            else:
                self.client.delete_role_permissions_boundary(RoleName=name)
        self._write_policies(before, after)
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_role(RoleName=name, TagKeys=remove)
            if put:
                self.client.tag_role(RoleName=name, Tags=to_list(put))

    def _write_policies(self, before: Resource, after: Settings) -> None:
        """What is missing first and what is too much last, so that a role in use never lacks what it keeps."""
        name = after["name"]
        old_inline, new_inline = before.settings["inline_policies"], after.get("inline_policies", {})
        old_managed, new_managed = before.settings["managed_policies"], after.get("managed_policies", [])
        for policy, document in new_inline.items():
            if policy not in old_inline or not policies_equal(old_inline[policy], document):
                self.client.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
        for arn in sorted(set(new_managed) - set(old_managed)):
            self.client.attach_role_policy(RoleName=name, PolicyArn=arn)
        for policy in sorted(set(old_inline) - set(new_inline)):
            self.client.delete_role_policy(RoleName=name, PolicyName=policy)
        for arn in sorted(set(old_managed) - set(new_managed)):
            self.client.detach_role_policy(RoleName=name, PolicyArn=arn)

    def delete(self, before: Resource, item: Settings) -> None:
        # IAM deletes a role only when nothing is attached to it any more.
        name = item["name"]
        for profile in self.aws.pages("iam", "list_instance_profiles_for_role", "InstanceProfiles", RoleName=name):
            self.client.remove_role_from_instance_profile(
                InstanceProfileName=profile["InstanceProfileName"], RoleName=name
            )
        self._write_policies(before, {"name": name})
        self.client.delete_role(RoleName=name)


def _listed(role: dict[str, Any]) -> dict[str, Any]:
    """What GetRole and ListRoles say of a role and GetAccountAuthorizationDetails does not. No description is ''."""
    return {"Description": role.get("Description", ""), "MaxSessionDuration": role.get("MaxSessionDuration", 3600)}


def _from_details(role: dict[str, Any]) -> Resource:
    """A role as GetAccountAuthorizationDetails gives it. botocore has decoded the documents already."""
    settings = {
        "name": role["RoleName"],
        "path": role["Path"],
        "assume_role_policy": role["AssumeRolePolicyDocument"],
        "inline_policies": {p["PolicyName"]: p["PolicyDocument"] for p in role.get("RolePolicyList", [])},
        "managed_policies": [policy["PolicyArn"] for policy in role.get("AttachedManagedPolicies", [])],
        "permissions_boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        "tags": to_dict(role.get("Tags", [])),
    }
    # Not in the details: see _listed. What was not read is no setting to feed back.
    for option, member in (("description", "Description"), ("max_session_duration", "MaxSessionDuration")):
        if member in role:
            settings[option] = role[member]
    return Resource(settings, {"arn": role["Arn"], "role_id": role["RoleId"]})
