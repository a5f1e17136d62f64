# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The questions of gitops.aws.iam_access_info: each resource's policy is read once, then IAM is asked."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._access import Check, Simulator, caller
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, read_or_none

Settings = dict[str, Any]

ARGUMENTS: dict[str, Any] = {
    "checks": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "principal": {"type": "str", "required": True},
            "hypothetical": {"type": "bool", "default": False},
            "actions": {"type": "list", "elements": "str", "required": True},
            "resource": {"type": "str", "required": True},
            "context": {"type": "dict", "default": {}},
            "policies": {"type": "list", "elements": "dict", "default": []},
            "permissions_boundary": {"type": "dict"},
            "resource_policy": {"type": "dict"},
            "policy_of": {
                "type": "dict",
                "options": {
                    "kind": {"type": "str", "choices": ["bucket", "key", "role", "table"], "required": True},
                    "name": {"type": "str", "required": True},
                },
            },
        },
    },
    "fresh": {"type": "bool", "default": False},
}

# Within an account their policies must allow, too; those of buckets and tables need not.
REQUIRED = ("key", "role")


PRINCIPAL = re.compile(r"arn:aws[\w-]*:iam::\d{12}:(root|(user|role)/[\w+=,.@/-]+)", re.ASCII)


def problems(params: Settings) -> list[str]:
    """What is wrong with the arguments, found without a call."""
    found = []
    for index, check in enumerate(params["checks"]):
        principal = check["principal"]
        if principal != "caller" and not PRINCIPAL.fullmatch(principal):
            found.append(
                f"checks[{index}].principal: {principal!r} is not allowed; allowed are the ARN of a user or role, and "
                "caller"
            )
        if not check["actions"]:
            found.append(f"checks[{index}].actions: it is empty")
    return found


class Gone(Exception):
    """There is no such resource."""


def read_policy(aws: Aws, kind: str, name: str) -> dict[str, Any]:
    """The policy of a resource, {} where it has none. Raises Gone."""
    reads: dict[str, Any] = {
        "bucket": lambda: aws.client("s3").get_bucket_policy(Bucket=name)["Policy"],
        "key": lambda: aws.client("kms").get_key_policy(KeyId=name, PolicyName="default")["Policy"],
        "role": lambda: aws.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"],
        "table": lambda: aws.client("dynamodb").get_resource_policy(ResourceArn=name)["Policy"],
    }
    gone = {
        "bucket": ("NoSuchBucket",),
        "key": ("NotFoundException",),
        "role": ("NoSuchEntity",),
        "table": ("ResourceNotFoundException",),
    }
    without = ("NoSuchBucketPolicy", "PolicyNotFoundException")

    def read() -> Any:
        found = read_or_none(reads[kind], gone[kind])
        if found is None:
            raise Gone
        return found

    policy = read_or_none(read, without)
    return json.loads(policy) if isinstance(policy, str) else policy or {}


def answer(aws: Aws, params: Settings) -> Settings:
    """The result of the module."""
    given = params["checks"]
    me = caller(aws)
    reading = [one["policy_of"] for one in given if one["policy_of"] and one["resource_policy"] is None]
    wanted = sorted({(of["kind"], of["name"]) for of in reading})

    def read(which: tuple[str, str]) -> dict[str, Any] | None:
        try:
            return read_policy(aws, *which)
        except Gone:
            return None

    policies = dict(zip(wanted, aws.map(read, wanted)))
    checks, gone = [], []
    for one in given:
        of, policy = one["policy_of"], one["resource_policy"]
        if policy is None and of:
            policy = policies[of["kind"], of["name"]]
        gone.append(bool(of) and policy is None)
        checks.append(
            Check(
                name=one["name"],
                principal=me if one["principal"] == "caller" else one["principal"],
                actions=one["actions"],
                resource=one["resource"],
                context=one["context"],
                policies=one["policies"],
                hypothetical=one["hypothetical"],
                permissions_boundary=one["permissions_boundary"],
                resource_policy=policy,
                required=bool(of) and of["kind"] in REQUIRED,
                policy_name=f"policy of {of['kind']} {of['name'].rpartition('/')[2]}"
                if of
                else "the resource's policy",
            )
        )
    answers = Simulator(aws, fresh=params["fresh"]).ask(checks)
    return {
        "caller": me,
        "checks": [
            {
                "name": check.name,
                "principal": check.principal,
                "decisions": found.decisions,
                "allowed": found.allowed,
                "decided_by": found.decided_by,
                "unknown_keys": found.unknown_keys,
                "missing": found.missing or no_resource,
            }
            for check, found, no_resource in zip(checks, answers, gone)
        ],
    }
