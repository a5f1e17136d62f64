# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""IAM's customer managed policies: a document, kept in versions of which one is in force."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings
from ansible_collections.gitops.aws.plugins.module_utils._kinds._rules import form_problems
from ansible_collections.gitops.aws.plugins.module_utils._kinds.iam_role import policies_equal
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "path": {"type": "str"},
    "description": {"type": "str"},
    "policy": {"type": "dict"},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

NAME = (r"[A-Za-z0-9_+=,.@-]+", 128, "a-z A-Z 0-9 and + = , . @ _ -")
PATH = (r"/|/[!-~]+/", 512, "it must begin and end with a slash")

DOCUMENT_LIMIT = 6144  # characters, white space not counted
VERSIONS_LIMIT = 5  # of a policy, the one in force included

# What a policy can be attached to: the word for it, the member of ListEntitiesForPolicy, the name in that.
ENTITIES = (
    ("role", "PolicyRoles", "RoleName"),
    ("user", "PolicyUsers", "UserName"),
    ("group", "PolicyGroups", "GroupName"),
)


def size_of(document: Settings) -> int:
    """How long AWS takes a managed policy to be."""
    return len("".join(json.dumps(document).split()))


class IamPolicy(Kind):
    noun = "IAM policy"
    nouns = "IAM policies"
    service = "iam"
    required = ("policy",)
    fixed = ("path", "description")
    equal = {"policy": policies_equal}

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self._spare_versions: dict[str, list[str]] = {}  # name -> ids of those that are not in force, oldest first

    def problems(self, item: Settings) -> list[str]:
        found = [*form_problems("name", item["name"], NAME, required=True), *form_problems("path", item["path"], PATH)]
        document = item["policy"]
        if document is None:
            return found
        size = size_of(document)
        if not document:
            found.append("policy: is empty, and a managed policy always says something. Fix: leave it out, or give it")
        elif size > DOCUMENT_LIMIT:
            found.append(
                f"policy: has {size} characters without white space, AWS allows {DOCUMENT_LIMIT}; "
                "divide its statements among several policies"
            )
        return found

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        # All in one call by the page, and by the name: to ask for one takes its ARN, which has the path in it.
        policies = self.aws.pages(
            "iam",
            "get_account_authorization_details",
            "Policies",
            Filter=["LocalManagedPolicy"],
            PaginationConfig={"PageSize": 1000},
        )
        found = {policy["PolicyName"]: policy for policy in policies}

        def read_one(item: Settings) -> Resource | None:
            policy = found.get(item["name"])
            if policy is None:
                return None
            asked = {option for option in ("description", "tags") if item[option] is not None}
            # The details leave both out, and GetPolicy, unlike ListPolicyTags, has both.
            more = self.client.get_policy(PolicyArn=policy["Arn"])["Policy"] if asked else {}
            return self._resource(policy, more, asked)

        return self.read_each(read_one, items)

    def _resource(self, policy: dict[str, Any], more: dict[str, Any], asked: set[str]) -> Resource:
        """A policy of GetAccountAuthorizationDetails, with what was asked for of GetPolicy."""
        name, versions = policy["PolicyName"], policy["PolicyVersionList"]
        # botocore has decoded the documents already.
        document = next(version["Document"] for version in versions if version["IsDefaultVersion"])
        spare = [version["VersionId"] for version in versions if not version["IsDefaultVersion"]]
        self._spare_versions[name] = sorted(spare, key=lambda version_id: int(version_id[1:]))
        settings: Settings = {"name": name, "path": policy["Path"], "policy": document}
        if "description" in asked:
            settings["description"] = more.get("Description", "")
        if "tags" in asked:
            settings["tags"] = to_dict(more.get("Tags", []))
        return Resource(settings, {"arn": policy["Arn"], "default_version_id": policy["DefaultVersionId"]})

    def predict(self, after: Settings) -> dict[str, Any]:
        # Check mode can show roles that the policy would be attached to only with its ARN.
        partition, path = self.client.meta.partition, after.get("path") or "/"
        arn = f"arn:{partition}:iam::{self.aws.identity()['Account']}:policy{path}{after['name']}"
        return {"arn": arn, "default_version_id": "v1"}

    def create(self, after: Settings) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "PolicyName": after["name"],
            "Path": after.get("path") or "/",
            "PolicyDocument": json.dumps(after["policy"]),
        }
        if after.get("description"):
            arguments["Description"] = after["description"]
        if after.get("tags"):
            arguments["Tags"] = to_list(after["tags"])
        policy = self.client.create_policy(**arguments)["Policy"]
        return {"arn": policy["Arn"], "default_version_id": policy["DefaultVersionId"]}

    def update(self, before: Resource, after: Settings, changed: set[str]) -> dict[str, Any] | None:
        arn, facts = before.facts["arn"], None
        if "policy" in changed:
            spare = self._spare_versions.get(after["name"], [])
            if len(spare) + 1 >= VERSIONS_LIMIT:
                self.client.delete_policy_version(PolicyArn=arn, VersionId=spare[0])
            document = json.dumps(after["policy"])
            version = self.client.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
            facts = {"default_version_id": version["PolicyVersion"]["VersionId"]}
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_policy(PolicyArn=arn, TagKeys=remove)
            if put:
                self.client.tag_policy(PolicyArn=arn, Tags=to_list(put))
        return facts

    def check_delete(self, before: Resource, item: Settings) -> None:
        arn = before.facts["arn"]
        if not self._users(arn):
            return
        # Asked once more for each, because the answer does not say which it is.
        attached = self._users(arn, PolicyUsageFilter="PermissionsPolicy")
        bounded = self._users(arn, PolicyUsageFilter="PermissionsBoundary")
        uses = [
            *([f"attached to {', '.join(attached)}"] if attached else []),
            *([f"the permissions boundary of {', '.join(bounded)}"] if bounded else []),
        ]
        raise Refused(
            f"it is {' and '.join(uses)}, and was not deleted. Fix: take it away from these first, for example with "
            "managed_policies and permissions_boundary of gitops.aws.iam_roles"
        )

    def _users(self, arn: str, **usage: str) -> list[str]:
        """What uses the policy: `role NAME`, `user NAME`, `group NAME`."""
        pages = self.client.get_paginator("list_entities_for_policy").paginate(PolicyArn=arn, **usage)
        return [
            f"{word} {entity[name]}"
            for page in pages
            for word, member, name in ENTITIES
            for entity in page.get(member, [])
        ]

    def delete(self, before: Resource, item: Settings) -> None:
        arn = before.facts["arn"]
        # IAM deletes a policy only with the version in force, and when no other is left.
        for version_id in self._spare_versions.get(item["name"], []):
            self.client.delete_policy_version(PolicyArn=arn, VersionId=version_id)
        self.client.delete_policy(PolicyArn=arn)
