# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM actions of the catalogue's calls: each is one that IAM knows."""

from __future__ import annotations

import functools
import warnings

import botocore.session
import pytest
from botocore import xform_name

from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue, permissions

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses what setuptools will give up
    from parliament import iam_definition  # type: ignore[import-untyped]

KNOWN = {f"{one['prefix']}:{privilege['privilege']}" for one in iam_definition for privilege in one["privileges"]}
# What IAM has learnt since the linter's list was made.
NEWER: set[str] = set()


@functools.cache
def operations(service: str) -> dict[str, str]:
    """The operations of a service, by boto3's names."""
    return {xform_name(one): one for one in botocore.session.get_session().get_service_model(service).operation_names}


@pytest.mark.parametrize("name", sorted(catalogue.ALL))
def test_iam_knows_every_action_of_a_type(name: str) -> None:
    kind = catalogue.ALL[name]
    found = {*permissions.reading([kind]), *permissions.acting([kind])}

    assert found - KNOWN - NEWER == set()


@pytest.mark.parametrize("name", sorted(catalogue.ALL))
def test_every_call_has_an_action_of_its_name_or_stands_in_the_table(name: str) -> None:
    kind = catalogue.ALL[name]
    quarantine = [*kind.quarantine.do, *kind.quarantine.undo] if kind.quarantine else []
    for call in [kind.list, kind.read, *kind.more.values(), *quarantine, *kind.copies, *kind.remove]:
        other, _dot, operation = call.operation.rpartition(".")
        service = other or kind.service
        first = permissions.actions_of(kind.service, call.operation)[0]
        assert (
            first.partition(":")[2] == operations(service)[operation]
            or f"{service}.{operation}" in permissions.OTHERWISE
        )


def test_prefixes_words_and_what_is_called_otherwise() -> None:
    assert permissions.actions_of("ec2", "describe_vpcs") == ("ec2:DescribeVpcs",)
    assert permissions.actions_of("elbv2", "delete_load_balancer") == ("elasticloadbalancing:DeleteLoadBalancer",)
    assert permissions.actions_of("rds", "stop_db_instance") == ("rds:StopDBInstance",)
    assert permissions.actions_of("s3", "list_buckets") == ("s3:ListAllMyBuckets",)
    assert permissions.actions_of("ec2", "sts.get_caller_identity") == ("sts:GetCallerIdentity",)
    assert permissions.actions_of("ec2", "create_image") == ("ec2:CreateImage", "ec2:CreateTags")


def test_looking_changes_nothing() -> None:
    verbs = ("Describe", "Get", "List")

    assert [one for one in permissions.reading(catalogue.ALL.values()) if not one.split(":")[1].startswith(verbs)] == []


def test_acting_is_only_what_the_types_need() -> None:
    assert permissions.acting([]) == []
    assert permissions.acting([catalogue.ALL["aws_instance"]]) == [
        "ec2:CreateImage",
        "ec2:CreateTags",
        "ec2:DescribeImages",
        "ec2:StartInstances",
        "ec2:StopInstances",
        "ec2:TerminateInstances",
    ]
