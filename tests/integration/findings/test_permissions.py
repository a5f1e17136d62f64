# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions that the roles are given are enough for a scan, and without any of them it says what it lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue, permissions
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Type
from local_aws.cli import put_user
from tests.integration.findings.states import Bucket
from tests.integration.modules.harness import Account, unique

ALL = list(catalogue.ALL.values())
# What no type is for: the states, their encryption and locks, the trails.
BESIDE = [
    *("cloudtrail:DescribeTrails", "dynamodb:Scan"),
    *("s3:GetEncryptionConfiguration", "s3:GetObject", "s3:ListBucket"),
]
# The first is the call's own; a list of databases without the second comes without their tags.
LISTING = sorted({permissions.actions_of(kind.service, kind.list.operation)[0] for kind in ALL})


@pytest.fixture(scope="module")
def bucket(account: Account) -> Bucket:
    bucket = Bucket.open(account)
    vpc = account.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    bucket.put("network", ("aws_vpc", {"id": vpc}))
    return bucket


def scan(account: Account, bucket: Bucket, actions: list[str], **more: Any) -> dict[str, Any]:
    """A scan by somebody who may do this and no more."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    user = put_user(account.endpoint_url, unique("least"), {"Version": "2012-10-17", "Statement": [statement]})
    arguments = bucket.arguments(breadth=False, attribution_calls=0, **more)
    return replace(account, caller=user).run("unmanaged_resources_info", **arguments)


def lists_with(action: str) -> list[Type]:
    """The types that this action lists."""
    return [kind for kind in ALL if action in permissions.actions_of(kind.service, kind.list.operation)]


def test_enough(account: Account, bucket: Bucket) -> None:
    found = scan(account, bucket, [*permissions.reading(ALL), *BESIDE])

    assert found["problems"] == []
    assert {each["status"] for each in found["coverage"]} == {"complete"}
    assert len(found["coverage"]) == len(ALL)


@pytest.mark.parametrize("action", LISTING)
def test_without_one_list(account: Account, bucket: Bucket, action: str) -> None:
    kinds = lists_with(action)
    actions = [one for one in [*permissions.reading(kinds), *BESIDE] if one != action]

    found = scan(account, bucket, actions, types=[kind.name for kind in kinds])

    assert {each["type"]: each["status"] for each in found["coverage"]} == {kind.name: "denied" for kind in kinds}
    assert not found["complete"]
    assert found["ghosts"] == []
