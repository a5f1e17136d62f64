# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody made beside the pipeline is found, stopped, started again, stopped and removed, and nothing else is.

The tests are one story, in their order.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_estate import ACCOUNT, REGION, ROOT, LocalAws

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import FINDINGS
from tests.e2e.drift.test_pipeline import CENTRAL, IMAGE, image, story
from tests.e2e.estate import Execution, Run
from tests.e2e.runs.conftest import Runs, set_up

TYPES = [
    "aws_ebs_volume",
    "aws_iam_role",
    "aws_instance",
    "aws_s3_bucket",
    "aws_security_group",
    "aws_subnet",
    "aws_vpc",
]
STACK = "network"
PERMISSIONS = ("plan_permissions", "apply_permissions")
NOBODY = json.dumps({"Version": "2012-10-17", "Statement": []})


@dataclass
class Story:
    """The estate, and what somebody made: ids by type."""

    runs: Runs
    directory: Path
    ids: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client of who makes things by hand."""
        return self.runs.estate.administrator.client(service)

    def report(self, name: str) -> dict[str, Any]:
        """What drift.yml reports on demand."""
        folder = self.directory / name
        run = self.playbook(directory=str(folder), start_drift=True)
        assert not run.failed, run.output
        report: dict[str, Any] = json.loads((folder / "findings.json").read_text())
        return report

    def playbook(self, **variables: Any) -> Run:
        """drift.yml, as its installer; who undoes is whom the seal spares."""
        estate = self.runs.estate
        person = estate.keeper if "drift_action" in variables else estate.installer
        return estate.playbook("drift.yml", person, **variables)

    def planned(self) -> Execution:
        """A run of the central pipeline that waits for approval."""
        estate = self.runs.estate
        found = estate.wait(CENTRAL, estate.start(CENTRAL), for_approval=True)
        assert found.waits, story(self.runs, found)
        return found

    def carried_out(self) -> Execution:
        """A run of it that was approved, at its end."""
        execution = self.planned().id
        self.runs.estate.approve(CENTRAL)
        ended = self.runs.estate.wait(CENTRAL, execution)
        assert ended.status == "Succeeded", story(self.runs, ended)
        return ended

    def plan_of_terraform(self) -> str:
        """What a plan of the stack says now, as its approval would."""
        estate = self.runs.estate
        found = estate.wait(f"gitops-{STACK}", estate.start(f"gitops-{STACK}"), for_approval=True)
        if found.waits:  # else it changes nothing, and nobody is asked
            estate.approve(f"gitops-{STACK}", "Rejected")
            estate.wait(f"gitops-{STACK}", found.id)
        return found.actions["Plan"].variables["PLAN_SUMMARY"]

    def instance_state(self) -> str:
        answer = self.client("ec2").describe_instances(InstanceIds=[self.ids["aws_instance"]])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def denied_everything(self) -> bool:
        """Whether the role that somebody made may do nothing."""
        attached = self.client("iam").list_attached_role_policies(RoleName=self.ids["aws_iam_role"])
        return "AWSDenyAll" in [one["PolicyName"] for one in attached["AttachedPolicies"]]

    def managed(self, kind: str) -> list[str]:
        """The ids of a type in the stack's state."""
        state = self.runs.estate.state(STACK)
        assert state
        return [
            instance["attributes"]["id"]
            for resource in state["resources"]
            if resource["mode"] == "managed" and resource["type"] == kind
            for instance in resource["instances"]
        ]


def findings(report: dict[str, Any]) -> list[dict[str, Any]]:
    """What the code does not explain, of a report."""
    return [one for one in report["resources"] if one["verdict"] in FINDINGS]


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """An estate whose pipeline has built tf/, and that looks for drift; what was there before is its baseline."""
    with LocalAws(tmp_path_factory.mktemp("local-aws-golden")).running() as aws:
        aws.command("map-image", IMAGE, str(image(tmp_path_factory.mktemp("image"))))
        directory = tmp_path_factory.mktemp("golden")
        entries = directory / "reviewed.yml"
        drift = {
            "schedule": "",
            "removal": True,
            "scope": {"account": True},
            "types": TYPES,
            "entries": str(entries),
            "min_age_hours": 0,
            "grace_period_days": 0,
            "max_removals": 10,
            "max_percent": 100,
        }
        entries.write_text("entries: []\n")
        example = yaml.safe_load((ROOT / "playbooks" / "example.yml").read_text())["gitops_stacks"]
        permissions = {name: next(one[name] for one in example if one["name"] == STACK) for name in PERMISSIONS}
        runs = set_up(aws, directory, [{"name": STACK, **permissions}], drift=drift)
        shutil.copytree(ROOT / "tf", runs.repository.clone / STACK, ignore=shutil.ignore_patterns(".terraform"))
        main = runs.repository.clone / STACK / "variables.tf"
        main.write_text(main.read_text().replace("default     = 1\n", "default     = 2\n"))
        runs.waiting(STACK, execution := runs.push(STACK))
        runs.estate.approve(f"gitops-{STACK}")
        runs.ended(STACK, execution, "Succeeded")
        may_scan = (directory / "policies" / "drift_scan.json").read_text()
        iam = runs.estate.administrator.client("iam")
        iam.put_user_policy(UserName="installer", PolicyName="drift", PolicyDocument=may_scan)
        accepted = runs.estate.playbook(
            "baseline.yml", runs.estate.installer, owner="ada", reason="day one", expires="2099-12-31"
        )
        assert not accepted.failed, accepted.output
        runs.estate.site()
        yield Story(runs, directory)


def test_after_the_baseline_nothing_is_found(tale: Story) -> None:
    report = tale.report("before")

    assert report["complete"]
    assert findings(report) == []
    assert (report["changed"], report["ghosts"]) == ([], [])
    assert tale.plan_of_terraform() == "no changes"


def test_exactly_what_was_made_by_hand_is_found(tale: Story) -> None:
    ec2, ids = tale.client("ec2"), tale.ids
    image_id = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    ids["aws_security_group"] = ec2.create_security_group(GroupName="by-hand", Description="by hand")["GroupId"]
    ids["aws_instance"] = ec2.run_instances(
        ImageId=image_id,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        SecurityGroupIds=[ids["aws_security_group"]],
    )["Instances"][0]["InstanceId"]
    ids["aws_ebs_volume"] = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
    ids["aws_vpc"] = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    ids["aws_subnet"] = ec2.create_subnet(VpcId=ids["aws_vpc"], CidrBlock="10.99.0.0/24")["Subnet"]["SubnetId"]
    ids["aws_s3_bucket"] = "made-by-hand"
    tale.client("s3").create_bucket(Bucket="made-by-hand", CreateBucketConfiguration={"LocationConstraint": REGION})
    ids["aws_iam_role"] = "made-by-hand"
    tale.client("iam").create_role(RoleName="made-by-hand", AssumeRolePolicyDocument=NOBODY)
    (vpc,), subnets = tale.managed("aws_vpc"), tale.managed("aws_subnet")
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    ec2.delete_subnet(SubnetId=subnets[1])

    report = tale.report("found")

    assert report["complete"]
    found = findings(report)
    assert {one["type"]: one["id"] for one in found} == ids
    assert {one["verdict"] for one in found} == {"unmanaged"}
    assert {one["creator"]["principal"] for one in found} == {f"arn:aws:iam::{ACCOUNT}:user/administrator"}
    (changed,) = report["changed"]
    assert (changed["address"], changed["paths"]) == ("aws_vpc.this", ["enable_dns_hostnames"])
    assert {one["address"] for one in report["ghosts"]} == {"aws_subnet.private[1]"}


def test_quarantine_takes_an_approval_and_makes_harmless(tale: Story) -> None:
    plan = tale.plan_of_terraform()
    assert plan == "1 to add, 1 to change, 0 to destroy"
    waits = tale.planned()
    assert waits.actions["Scan"].variables["PLAN_COUNT"] == str(len(TYPES))
    assert tale.instance_state() == "running"
    tale.runs.estate.approve(CENTRAL)
    ended = tale.runs.estate.wait(CENTRAL, waits.id)

    assert ended.status == "Succeeded", story(tale.runs, ended)
    assert tale.instance_state() == "stopped"
    assert tale.denied_everything()


def test_undo_brings_back_what_was(tale: Story) -> None:
    wrong = tale.playbook(drift_action="restore", confirm="999999999999")
    assert wrong.failed
    assert wrong.mutations == []

    undone = tale.playbook(drift_action="restore", confirm=ACCOUNT)

    assert not undone.failed, undone.output
    assert tale.instance_state() == "running"
    assert not tale.denied_everything()


def test_quarantine_again_and_removal_in_order(tale: Story) -> None:
    tale.carried_out()
    assert tale.instance_state() == "stopped"
    before = len(tale.runs.estate.aws.calls())
    tale.carried_out()

    made = [
        call["action"].partition(":")[2]
        for call in tale.runs.estate.aws.calls()[before:]
        if call["action"].partition(":")[2].startswith(("Delete", "Terminate")) and "drift-act" in call["principal_arn"]
        if call["error_code"] is None and "Lock" not in call["action"]
    ]
    order = {name: made.index(name) for name in made}
    assert {
        "TerminateInstances",
        "DeleteVolume",
        "DeleteSecurityGroup",
        "DeleteSubnet",
        "DeleteVpc",
        "DeleteBucket",
        "DeleteRole",
    } <= set(order)
    assert order["TerminateInstances"] < order["DeleteSecurityGroup"]
    assert order["DeleteSubnet"] < order["DeleteVpc"]
    assert tale.instance_state() == "terminated"
    assert {one["CidrBlock"] for one in tale.client("ec2").describe_vpcs()["Vpcs"]} == {"10.20.0.0/16", "172.31.0.0/16"}
    # What an instance had on its disks can be had back.
    images = tale.client("ec2").describe_images(Owners=["self"])["Images"]
    assert [one["Name"].rpartition(" ")[0] for one in images] == [f"copy of {tale.ids['aws_instance']}"]


def test_what_is_managed_was_not_touched(tale: Story) -> None:
    (vpc,), subnets = tale.managed("aws_vpc"), tale.managed("aws_subnet")
    ec2 = tale.client("ec2")

    assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    assert ec2.describe_subnets(SubnetIds=subnets[:1])["Subnets"]
    # As it was before anything was removed.
    assert tale.plan_of_terraform() == "1 to add, 1 to change, 0 to destroy"
    report = tale.report("after")
    assert findings(report) == []
    assert [one["address"] for one in report["changed"]] == ["aws_vpc.this"]
    bucket = tale.runs.estate.foundation["state_bucket"]
    keys = [one["Key"] for one in tale.runs.estate.kept("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert not [key for key in keys if key.endswith(".tflock")]
