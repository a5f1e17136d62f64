# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an empty account to a VPC that the pipeline built."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from tests.e2e.conftest import Account, FirstCheck, Started
from tests.e2e.estate import Estate, Execution, Run

PIPELINE = "gitops-network"


@dataclass
class Network:
    """The first execution of the stack `network`, as run.yml has led it to its end."""

    waiting: Execution
    asked: Run  # run.yml without approve=true
    approved: Run  # run.yml with it
    ended: Execution


@pytest.fixture(scope="session")
def network(account: Account, started: Started) -> Network:
    """The stack `network`, built."""
    estate, execution = account.estate, started.executions["network"]
    waiting = estate.wait(PIPELINE, execution, for_approval=True)
    asked = estate.playbook("run.yml", estate.operator, stack="network", execution_id="latest")
    approved = estate.playbook("run.yml", estate.operator, stack="network", execution_id=execution, approve=True)
    return Network(waiting, asked, approved, estate.look(PIPELINE, execution))


def test_check_on_an_empty_account_changes_nothing_and_tells_what_would_change(
    account: Account, first_check: FirstCheck
) -> None:
    assert first_check.run.mutations == []
    assert first_check.found == account.found
    assert first_check.run.recap["failed"] == 0
    assert first_check.run.recap["changed"] == 6  # seal, key, buckets and table, parameters, connection, and the stacks
    for name in (
        "gitops-123456789012-eu-central-1-state",
        "gitops-lock",
        "gitops-network-plan",
        "gitops-network-apply",
        "gitops-keys-destroy",
        "/gitops/keys/AWS_ACCESS_KEY_ID",
    ):
        assert re.search(rf"^\+.*{name}", first_check.run.output, re.MULTILINE), name


def test_first_run_makes_what_the_check_has_announced(first_check: FirstCheck, started: Started) -> None:
    assert started.site.recap["changed"] == first_check.run.recap["changed"]
    assert any(call.startswith("codepipeline:CreatePipeline") for call in started.site.mutations)
    denied = {call["action"] for call in started.site.calls if call["error_code"] == "AccessDenied"}
    assert denied == set()


def test_first_run_says_that_the_connection_must_be_completed(started: Started) -> None:
    assert "The connection github is PENDING" in started.site.text


def test_plan_waits_for_approval_and_says_what_it_would_do(network: Network, started: Started) -> None:
    waiting = network.waiting
    assert waiting.waits
    assert waiting.actions["Plan"].status == "Succeeded"
    assert "Apply" not in waiting.actions
    message = waiting.actions["Approve"].message
    assert "2 to add, 0 to change, 0 to destroy" in message
    assert waiting.actions["Plan"].variables["PLAN_ID"] in message
    assert started.commit in message


def test_run_yml_ends_at_the_approval_unless_told_to_approve(network: Network) -> None:
    assert not network.asked.failed, network.asked.output
    assert network.asked.mutations == []
    assert "2 to add, 0 to change, 0 to destroy" in network.asked.text
    assert "-e approve=true" in network.asked.text


def test_approved_plan_is_applied(network: Network) -> None:
    assert not network.approved.failed, network.approved.output
    assert [call.split()[0] for call in network.approved.mutations] == ["codepipeline:PutApprovalResult"]
    assert network.ended.status == "Succeeded", network.ended
    assert {name: action.status for name, action in network.ended.actions.items()} == dict.fromkeys(
        ("Source", "Plan", "Approve", "Apply"), "Succeeded"
    )
    assert "Apply complete! Resources: 2 added, 0 changed, 0 destroyed." in network.approved.text


def test_vpc_and_subnet_exist(network: Network, estate: Estate) -> None:
    assert network.ended.status == "Succeeded"
    state = estate.state("network")
    assert state is not None
    outputs = {name: output["value"] for name, output in state["outputs"].items()}
    ec2 = estate.administrator.client("ec2")
    vpc = ec2.describe_vpcs(VpcIds=[outputs["vpc_id"]])["Vpcs"][0]
    assert vpc["CidrBlock"] == "10.20.0.0/16"
    subnets = ec2.describe_subnets(SubnetIds=outputs["subnet_ids"])["Subnets"]
    assert [(subnet["VpcId"], subnet["CidrBlock"]) for subnet in subnets] == [(vpc["VpcId"], "10.20.0.0/24")]


def test_nobody_was_root(network: Network, account: Account) -> None:
    calls = account.aws.calls()
    prepared = [call["action"] for call in calls[: account.prepared_calls] if is_root(call)]
    assert set(prepared) == {"iam:CreateUser", "iam:PutUserPolicy", "iam:CreateAccessKey"}
    assert [call for call in calls[account.prepared_calls :] if is_root(call)] == []


def is_root(call: dict[str, str]) -> bool:
    return call["principal_arn"].endswith(":root") or call["access_key_id"] == "test"


def test_every_build_acts_as_a_role_of_its_own_stack(network: Network, account: Account) -> None:
    terraform = [call for call in account.aws.calls() if "Terraform" in call["user_agent"]]
    principals = {call["principal_arn"].rpartition("/")[0] for call in terraform if "/gitops-" in call["principal_arn"]}
    assert "arn:aws:sts::123456789012:assumed-role/gitops-network-apply" in principals
    # And the roles and the user that are given to stacks for their resources, or as their role.
    allowed = r":assumed-role/((gitops|given)-.+-(plan|apply)|other-team|platform-plans)/|:user/terraform$"
    assert [call for call in terraform if not re.search(allowed, call["principal_arn"])] == []
    for call in terraform:
        named = re.search(r":gitops-\d+-eu-central-1-state/([a-z-]+)/terraform\.tfstate", call["resource"])
        if named:
            assert f":assumed-role/gitops-{named[1]}-" in call["principal_arn"], call
