# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The IAM actions of the calls that types are made of. Pure: a rule for names, and a table of what it does not fit."""

from __future__ import annotations

from typing import Any, Iterable

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Type

# IAM's prefix, where that is not boto3's name of the service.
PREFIXES = {
    "efs": "elasticfilesystem",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "opensearch": "es",
    "resourcegroupstaggingapi": "tag",
    "stepfunctions": "states",
}
# Parts of names that are not merely capitalised.
WORDS = {"db": "DB", "ip": "IP", "mfa": "MFA", "ssh": "SSH"}
# Actions that are not called like their operation.
OTHERWISE = {
    "s3.list_buckets": ("s3:ListAllMyBuckets",),
    "s3.get_bucket_encryption": ("s3:GetEncryptionConfiguration",),
    "s3.get_object_lock_configuration": ("s3:GetBucketObjectLockConfiguration",),
    "s3.list_objects_v2": ("s3:ListBucket",),
    "s3.list_object_versions": ("s3:ListBucketVersions",),
}
# What AWS asks for beside: a copy is tagged, and RDS answers tags with the instance.
BESIDE = {
    "ec2.create_image": ("ec2:CreateTags",),
    "ec2.create_snapshot": ("ec2:CreateTags",),
    "rds.create_db_snapshot": ("rds:AddTagsToResource",),
    "rds.describe_db_instances": ("rds:ListTagsForResource",),
}


def actions_of(service: str, operation: str) -> tuple[str, ...]:
    """The IAM actions of an operation of boto3's.

    Args:
        service: boto3's name, such as elbv2.
        operation: as a client has it, such as describe_vpcs; sts.get_caller_identity is that of another service.
    """
    other, _dot, name = operation.rpartition(".")
    service = other or service
    called = f"{service}.{name}"
    if called in OTHERWISE:
        return OTHERWISE[called]
    action = "".join(WORDS.get(part, part.capitalize()) for part in name.split("_"))
    return (f"{PREFIXES.get(service, service)}:{action}", *BESIDE.get(called, ()))


def _actions(kind: Type, calls: Iterable[Call]) -> set[str]:
    return {action for call in calls for action in actions_of(kind.service, call.operation)}


def reading(types: Iterable[Type]) -> list[str]:
    """The actions with which resources of these types are listed and looked at."""
    found: set[str] = set()
    for kind in types:
        found |= _actions(kind, (kind.list, kind.read, *kind.more.values()))
    return sorted(found)


def acting(types: Iterable[Type]) -> list[str]:
    """The actions with which resources of these types are made harmless, copied, removed and restored."""
    found: set[str] = set()
    for kind in types:
        quarantine: Any = kind.quarantine
        calls = (*quarantine.do, *quarantine.undo) if quarantine else ()
        copied = (kind.copied,) if kind.copied else ()
        found |= _actions(kind, (*calls, *kind.copies, *copied, *kind.remove))
    return sorted(found)
