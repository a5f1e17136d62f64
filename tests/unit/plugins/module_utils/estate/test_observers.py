# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is expected of stacks, and the policy of who only looks: it opens no state, no secret, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate.observers import doctor_policy, stack_expectations
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import stack_roles
from ansible_collections.gitops.aws.plugins.module_utils._operations import READ_ONLY_OPERATION
from tests.unit.plugins.module_utils.estate.test_policies import MANAGED_POLICY_LIMIT, by_sid, findings, may

Make = Callable[..., dict[str, Any]]

STATE = "arn:aws:s3:::gitops-111122223333-eu-central-1-state/network/terraform.tfstate"


@pytest.mark.parametrize("locking", [["dynamodb"], ["lockfile"], ["dynamodb", "lockfile"]], ids="+".join)
@pytest.mark.parametrize("key", ["made", "named"])
@pytest.mark.parametrize("name", ["gitops", "n" * 27])
def test_the_linter_finds_nothing(foundation: Make, name: str, key: str, locking: list[str]) -> None:
    shared = foundation(name=name, locking=locking)
    document = doctor_policy({**shared, "kms_key_arn": ""} if key == "made" else shared)

    assert findings(document) == []
    assert len(json.dumps(document, separators=(",", ":"))) < MANAGED_POLICY_LIMIT
    assert not any("*" in action for statement in document["Statement"] for action in statement["Action"])


def test_it_only_reads(foundation: Make) -> None:
    actions = {action for statement in doctor_policy(foundation())["Statement"] for action in statement["Action"]}

    assert {action for action in actions if not READ_ONLY_OPERATION.match(action.partition(":")[2])} == {"kms:Decrypt"}
    assert by_sid(doctor_policy(foundation()))["ReadLocks"]["Condition"]["StringEquals"]["kms:ViaService"]


def test_it_opens_no_state_and_no_secret(foundation: Make) -> None:
    document = doctor_policy(foundation())

    assert may(document, "s3:GetObject", f"{STATE}.tflock")
    assert not may(document, "s3:GetObject", STATE)
    assert not may(document, "s3:GetObject", "arn:aws:s3:::gitops-111122223333-eu-central-1-artifacts/x/plan/y")
    for action in ("ssm:GetParameter", "ssm:GetParameters", "secretsmanager:GetSecretValue"):
        assert not may(document, action, "arn:aws:ssm:eu-central-1:111122223333:parameter/gitops/network/x")


def test_the_roles_are_those_that_site_makes(foundation: Make, stack: Make) -> None:
    stacks = [stack(), {**stack(name="website", pull_requests=True), "after": ["network"]}]
    made = {role["name"]: role for role in stack_roles(stacks, foundation())}
    expected = [role for one in stack_expectations(stacks, foundation()) for role in one["roles"]]

    assert [role["arn"].rpartition("/")[2] for role in expected] == [
        "gitops-network-plan",
        "gitops-network-apply",
        "gitops-network-pipeline",
        "gitops-website-plan",
        "gitops-website-apply",
        "gitops-website-pipeline",
        "gitops-website-review",
    ]
    for role in expected:
        assert role["made"]
        assert role["inline_policies"] == made[role["arn"].rpartition("/")[2]]["inline_policies"]


def test_a_role_of_one_s_own_needs_what_ours_would_have(foundation: Make, stack: Make) -> None:
    own = "arn:aws:iam::111122223333:role/platform/my-own"
    (ours,), (named,) = (stack_expectations([one], foundation()) for one in (stack(), stack(apply_role_arn=own)))
    one, other = ({role["purpose"]: role for role in each["roles"]}["apply"] for each in (ours, named))

    assert (other["arn"], other["made"]) == (own, False)
    assert other["inline_policies"] == one["inline_policies"]


def test_parameters_are_of_those_who_read_them(foundation: Make, stack: Make) -> None:
    one, other = stack_expectations([stack(), stack(name="keys", credentials="parameter_store")], foundation())

    assert one["parameters"] == []
    assert other["parameters"] == ["/gitops/keys/AWS_ACCESS_KEY_ID", "/gitops/keys/AWS_SECRET_ACCESS_KEY"]
