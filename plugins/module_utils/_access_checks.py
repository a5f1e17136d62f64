# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The questions of gitops.aws.iam_access_info: each resource's policy is read once, then IAM is asked."""

from __future__ import annotations

import json
import re
from typing import Any, Callable

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._access import Answer, Check, Simulator, caller
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._kinds.dynamodb_table import DynamodbTable
from ansible_collections.gitops.aws.plugins.module_utils._kinds.kms_key import KmsKey
from ansible_collections.gitops.aws.plugins.module_utils._kinds.s3_bucket import S3Bucket

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
            "only_exists": {"type": "bool", "default": False},
            "always": {"type": "bool", "default": False},
        },
    },
    "unless_attached": {
        "type": "list",
        "elements": "dict",
        "options": {
            "kind": {"type": "str", "choices": ["bucket", "key", "table"], "required": True},
            "name": {"type": "str", "required": True},
            "policy": {"type": "dict", "required": True},
        },
    },
    "caller_arn": {"type": "str"},
    "fresh": {"type": "bool", "default": False},
}

# How the modules that write these policies compare them, by kind: they write nothing where this finds the same.
SAME: dict[str, Callable[[Any, Any], bool]] = {
    "bucket": S3Bucket.equal["policy"],
    "key": KmsKey.equal["policy"],
    "table": DynamodbTable.equal["policy"],
}

# Within an account their policies must allow, too; those of buckets and tables need not.
REQUIRED = ("key", "role")


CALLER = re.compile(r"arn:aws[\w-]*:(iam|sts)::\d{12}:(root|(user|assumed-role|federated-user)/\S+)", re.ASCII)
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
    if params.get("caller_arn") and not CALLER.fullmatch(params["caller_arn"]):
        found.append(f"caller_arn: {params['caller_arn']!r} is not allowed; allowed is the ARN that STS gives")
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


def all_attached(aws: Aws, wanted: list[Settings]) -> bool:
    """Whether resources have these policies already.

    Then the modules that attach them write nothing, and nobody can lose by that what he can do now. What cannot be
    told is not attached: policies that may not be read, and those of resources that are yet to be made.
    """
    if any(not one["name"] or not one["policy"] for one in wanted):
        return False

    def attached(one: Settings) -> bool:
        try:
            return bool(SAME[one["kind"]](read_policy(aws, one["kind"], one["name"]), one["policy"]))
        except (ClientError, Gone):
            return False

    return all(aws.map(attached, wanted))


def answer(aws: Aws, params: Settings) -> Settings:
    """The result of the module."""
    me = caller(aws, params["caller_arn"])
    attached = params["unless_attached"] is not None and all_attached(aws, params["unless_attached"])
    given = [one for one in params["checks"] if one["always"] or not attached]
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
    # Who asks is there; nobody needs to look.
    looking = [not (one["only_exists"] and check.principal == me) for one, check in zip(given, checks)]
    asked = iter(Simulator(aws, fresh=params["fresh"]).ask([one for one, look in zip(checks, looking) if look]))
    answers = [next(asked) if look else Answer({}) for look in looking]
    return {
        "attached": attached,
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
