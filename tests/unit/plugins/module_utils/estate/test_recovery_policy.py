# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy of who releases locks and restores states, read by an IAM linter, and what it must not allow."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate.people import recovery_policy
from ansible_collections.gitops.aws.plugins.module_utils._estate.states import stack_states
from tests.unit.plugins.module_utils.estate.test_policies import MANAGED_POLICY_LIMIT, by_sid, findings, may

Make = Callable[..., dict[str, Any]]

BUCKET = "arn:aws:s3:::gitops-111122223333-eu-central-1-state"


@pytest.mark.parametrize("locking", [["dynamodb"], ["lockfile"], ["dynamodb", "lockfile"]], ids="+".join)
@pytest.mark.parametrize("key", ["made", "named"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"name": "n" * 27},
        {"name": "n" * 27, "state_bucket": "s" * 63, "artifact_bucket": "a" * 63, "lock_table": "l" * 255},
    ],
    ids=["usual", "long", "longest"],
)
def test_the_linter_finds_nothing(foundation: Make, settings: dict[str, Any], key: str, locking: list[str]) -> None:
    shared = foundation(**settings, locking=locking)
    document = recovery_policy({**shared, "named_key_arn": ""} if key == "made" else shared)

    assert findings(document) == []
    assert len(json.dumps(document, separators=(",", ":"))) < MANAGED_POLICY_LIMIT
    assert not any("*" in action for statement in document["Statement"] for action in statement["Action"])
    assert not any("*" in statement["Resource"] for statement in document["Statement"])


def test_a_state_is_replaced_and_never_deleted(foundation: Make) -> None:
    document = recovery_policy(foundation())

    state = f"{BUCKET}/network/terraform.tfstate"
    assert may(document, "s3:PutObject", state)
    assert may(document, "s3:PutObject", f"{state}.tflock")
    assert may(document, "s3:DeleteObject", f"{state}.tflock")
    assert may(document, "s3:DeleteObject", f"{state}.errored")
    assert not may(document, "s3:DeleteObject", state)
    for action in ("s3:DeleteObjectVersion", "s3:PutBucketPolicy", "s3:PutBucketVersioning"):
        assert not may(document, action, state)
        assert not may(document, action, BUCKET)


def test_no_build_is_started_or_stopped_and_no_plan_is_read(foundation: Make) -> None:
    document = recovery_policy(foundation())

    project = "arn:aws:codebuild:eu-central-1:111122223333:project/gitops-network-apply"
    artifacts = "arn:aws:s3:::gitops-111122223333-eu-central-1-artifacts"
    assert may(document, "codebuild:ListBuildsForProject", project)
    assert not may(document, "codebuild:StartBuild", project)
    assert not may(document, "codebuild:StopBuild", project)
    assert not may(document, "s3:GetObject", f"{artifacts}/gitops-network/plan/x")
    assert not may(document, "s3:PutObject", f"{artifacts}/gitops-network/errored/network.tfstate")


@pytest.mark.parametrize("name", ["gitops", "n" * 27])
def test_every_place_of_rescued_states_is_in_it(foundation: Make, stack: Make, name: str) -> None:
    shared = foundation(name=name)
    document = recovery_policy(shared)

    for one in stack_states([stack(), stack(name="another-one")], shared):
        for place in one["rescued_at"]:
            for action in ("s3:GetObject", "s3:DeleteObject"):
                assert may(document, action, f"arn:aws:s3:::{place['bucket']}/{place['key']}"), place


def test_the_key_is_used_through_the_services_only(foundation: Make) -> None:
    named = recovery_policy(foundation())
    made = recovery_policy({**foundation(), "named_key_arn": ""})

    via = {"kms:ViaService": ["dynamodb.eu-central-1.amazonaws.com", "s3.eu-central-1.amazonaws.com"]}
    assert by_sid(named)["UseKey"]["Condition"] == {"StringEquals": via}
    assert by_sid(made)["UseKey"]["Condition"] == {"StringEquals": {"aws:ResourceTag/gitops:estate": "gitops", **via}}
    assert by_sid(named)["UseKey"]["Resource"] == [foundation()["kms_key_arn"]]
    assert "FindKey" not in by_sid(named)


@pytest.mark.parametrize("key", ["made", "named"])
def test_services_in_china_have_names_of_their_own(foundation: Make, key: str) -> None:
    shared = {**foundation(), "partition": "aws-cn", "region": "cn-north-1"}
    document = recovery_policy({**shared, "named_key_arn": ""} if key == "made" else shared)

    via = by_sid(document)["UseKey"]["Condition"]["StringEquals"]["kms:ViaService"]
    assert via == ["dynamodb.cn-north-1.amazonaws.com.cn", "s3.cn-north-1.amazonaws.com.cn"]


def test_items_of_other_states_stay_closed(foundation: Make) -> None:
    statement = by_sid(recovery_policy(foundation()))["LockTable"]

    assert statement["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["gitops-111122223333-eu-central-1-state/*"]}
    }
    assert "LockTable" not in by_sid(recovery_policy(foundation(locking=["lockfile"])))
