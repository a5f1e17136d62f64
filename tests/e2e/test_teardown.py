# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""destroy.yml and teardown.yml: what was built goes, then what built it. These tests come last, in this order."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.e2e.conftest import Account, Started
from tests.e2e.estate import Estate, Execution, Run, inventory

TINY = ("quick", "keys", "elsewhere")


@pytest.fixture(scope="session")
def built(estate: Estate, started: Started) -> Estate:
    """The estate with all its stacks built, or failed as other tests want it."""
    if estate.wait("gitops-network", started.executions["network"], for_approval=True).waits:
        estate.approve("gitops-network")
    for stack, execution_id in started.executions.items():
        estate.wait(f"gitops-{stack}", execution_id)
    return estate


@dataclass
class Destroyed:
    """The destruction of the stack `network`, and of the others."""

    unconfirmed: Run
    refused_teardown: Run
    misnamed: Execution
    run: Run
    vpc: str
    left: dict[str, list[str]]


@pytest.fixture(scope="session")
def destroyed(built: Estate) -> Destroyed:
    """All stacks empty: one by destroy.yml, the others by their pipelines at the same time."""
    state = built.state("network")
    assert state
    unconfirmed = built.playbook("destroy.yml", built.operator, stack="network", approve=True)
    refused = built.playbook("teardown.yml", built.installer, confirm="gitops")
    # Somebody's lock, which the tests of locks left, is in the way of a teardown as well.
    built.kept("s3").delete_object(Bucket=built.foundation["state_bucket"], Key="locked-file/terraform.tfstate.tflock")
    misnamed = built.run("gitops-quick-destroy", confirm="keys")
    others = [stack for stack in TINY if (built.state(stack) or {}).get("resources")]
    executions = {stack: built.start(f"gitops-{stack}-destroy", confirm=stack) for stack in others}
    run = built.playbook("destroy.yml", built.operator, stack="network", confirm="network", approve=True)
    for stack, execution_id in executions.items():
        built.wait(f"gitops-{stack}-destroy", execution_id, for_approval=True)
        built.approve(f"gitops-{stack}-destroy")
    for stack, execution_id in executions.items():
        ended = built.wait(f"gitops-{stack}-destroy", execution_id)
        assert ended.status == "Succeeded", built.story(ended)
    left = {stack: (built.state(stack) or {"resources": []})["resources"] for stack in ("network", *others)}
    return Destroyed(unconfirmed, refused, misnamed, run, state["outputs"]["vpc_id"]["value"], left)


@pytest.fixture(scope="session")
def torn_down(destroyed: Destroyed, estate: Estate) -> Run:
    """teardown.yml after everything is destroyed."""
    assert not destroyed.run.failed, destroyed.run.output
    return estate.playbook("teardown.yml", estate.installer, confirm="gitops")


def test_destroy_refuses_without_confirm(destroyed: Destroyed) -> None:
    assert destroyed.unconfirmed.failed
    assert destroyed.unconfirmed.calls == []
    assert "-e confirm=network" in destroyed.unconfirmed.text


def test_destroy_pipeline_refuses_another_name(destroyed: Destroyed, estate: Estate) -> None:
    """The same in the build: whoever starts the pipeline in the console must say what is meant, too."""
    assert destroyed.misnamed.status == "Failed"
    assert set(destroyed.misnamed.actions) == {"Source", "Plan"}
    assert "Nothing is destroyed" in estate.log(destroyed.misnamed.actions["Plan"].build_id)


def test_teardown_refuses_while_states_hold_resources_and_says_which(destroyed: Destroyed) -> None:
    refused = destroyed.refused_teardown
    assert refused.failed
    assert refused.mutations == []
    for part in (
        "network/terraform.tfstate still holds aws_subnet.private[0], aws_vpc.this",
        "keys/terraform.tfstate still holds aws_ssm_parameter.this",
        "elsewhere/terraform.tfstate still holds aws_ssm_parameter.this",
        "locked-file/terraform.tfstate is locked",
    ):
        assert part in refused.text, refused.output


def test_destroy_removes_vpc_and_subnet_through_the_pipeline(destroyed: Destroyed, estate: Estate) -> None:
    assert not destroyed.run.failed, destroyed.run.output
    mutations = [call.split()[0] for call in destroyed.run.mutations if "gitops-network-destroy" in call]
    assert mutations == [
        "codepipeline:StartPipelineExecution",
        "codepipeline:PutApprovalResult",
    ]
    assert "DESTROY everything in stack network: 0 to add, 0 to change, 2 to destroy" in destroyed.run.text
    found = inventory(estate.administrator)
    assert destroyed.vpc not in found["vpcs"]
    destroyers = {
        call["principal_arn"].rpartition("/")[0]
        for call in estate.aws.calls()
        if call["action"] in ("ec2:DeleteVpc", "ec2:DeleteSubnet")
    }
    assert destroyers == {"arn:aws:sts::123456789012:assumed-role/gitops-network-apply"}


def test_states_are_empty(destroyed: Destroyed) -> None:
    assert set(destroyed.left) >= {"network", *TINY}
    assert [resources for resources in destroyed.left.values() if resources] == []


def test_teardown_leaves_nothing_behind(torn_down: Run, account: Account) -> None:
    assert not torn_down.failed, torn_down.output
    assert inventory(account.administrator) == account.found
    kms = account.administrator.client("kms")
    states = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    ours = [state for state in states if "GitOps pipelines gitops" in state["Description"]]
    assert [state["KeyState"] for state in ours] == ["PendingDeletion"]


def test_second_teardown_changes_nothing(torn_down: Run, estate: Estate) -> None:
    assert not torn_down.failed
    again = estate.playbook("teardown.yml", estate.installer, confirm="gitops")
    assert not again.failed, again.output
    assert again.recap["changed"] == 0, again.output
    assert again.mutations == []


def test_nobody_was_root_to_the_end(torn_down: Run, account: Account) -> None:
    assert not torn_down.failed
    calls = account.aws.calls()[account.prepared_calls :]
    assert [call for call in calls if call["principal_arn"].endswith(":root") or call["access_key_id"] == "test"] == []
