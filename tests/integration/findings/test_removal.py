# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""unmanaged_resources: plan, quarantine, undoing it, removal, and everything that keeps a resource."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import (
    attribution,
    catalogue,
    removal,
    scan,
    unmanaged,
)
from ansible_collections.gitops.aws.plugins.module_utils._terraform_locks import taken
from local_aws.cli import put_user
from tests.integration.findings.states import Bucket
from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, mutates, unique

TYPES = [
    "aws_instance",
    "aws_ebs_volume",
    "aws_security_group",
    "aws_subnet",
    "aws_vpc",
    "aws_iam_role",
    "aws_s3_bucket",
]
EVERYTHING = catalogue.ALL
LEDGER, PLAN = "gitops-drift/ledger.json", "gitops-drift/plan.json"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Clock:
    """What the module takes for the time."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, **much: float) -> None:
        self.ahead += timedelta(**much)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(scan, "clock", made)
    return made


@pytest.fixture(autouse=True)
def few_types(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """What these tests plant and what stands on that: a scan of all types takes its time. One test has all."""
    if request.node.name != "test_golden_run":
        few = [*TYPES, "aws_network_interface", "aws_sqs_queue", "aws_iam_user"]
        monkeypatch.setattr(catalogue, "ALL", {name: catalogue.ALL[name] for name in few})


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "BACKOFF", (0.01, 0.01))
    monkeypatch.setattr(removal, "POLL", 0.01)
    monkeypatch.setattr(attribution, "REQUESTS_PER_SECOND", 10**6)


@dataclass
class Estate:
    """A state bucket with the state of a VPC, and a project whose resources are ours: each test has its own."""

    account: Account
    bucket: Bucket
    project: str
    vpc: str

    @property
    def ec2(self) -> Any:
        return self.account.client("ec2")

    def tags(self, kind: str, **more: str) -> list[dict[str, Any]]:
        tags = {"project": self.project, **more}
        return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]

    def instance(self, **more: Any) -> str:
        """A running instance; its id."""
        made = self.ec2.run_instances(
            ImageId="ami-12345678", MinCount=1, MaxCount=1, TagSpecifications=self.tags("instance"), **more
        )
        return str(made["Instances"][0]["InstanceId"])

    def volume(self) -> str:
        zone, tags = f"{REGION}a", self.tags("volume")
        return str(self.ec2.create_volume(AvailabilityZone=zone, Size=1, TagSpecifications=tags)["VolumeId"])

    def group(self, vpc: str | None = None) -> str:
        made = self.ec2.create_security_group(
            GroupName=unique("group"),
            Description="by hand",
            VpcId=vpc or self.vpc,
            TagSpecifications=self.tags("security-group"),
        )
        return str(made["GroupId"])

    def network(self) -> tuple[str, str]:
        """A VPC and a subnet, made by hand."""
        vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=self.tags("vpc"))["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", TagSpecifications=self.tags("subnet"))
        return vpc, subnet["Subnet"]["SubnetId"]

    def role(self) -> str:
        name = unique("rogue")
        self.account.client("iam").create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(TRUST),
            Tags=[{"Key": "project", "Value": self.project}],
        )
        return name

    def arguments(self, **more: Any) -> dict[str, Any]:
        given = {
            "scope": {"tags": {"project": self.project}},
            "types": TYPES,
            "breadth": False,
            "allow_unknown_creator": True,
            "max_removals": 20,
            "max_percent": 100,
            **more,
        }
        return self.bucket.arguments(**given)

    def plan(self, **more: Any) -> dict[str, Any]:
        """Makes a plan, which changes no resource."""
        found = self.account.run("unmanaged_resources", **self.arguments(**more))
        assert set(found["mutations"]) <= {"s3:PutObject"}
        assert not found["changed"]
        return found

    def apply(self, planned: dict[str, Any], locked: bool = False, **more: Any) -> dict[str, Any]:
        """Carries the saved plan out; no lock may be left, however it ends, but where others have locked something."""
        given = {"digest": planned["digest"], "confirm_account_id": ACCOUNT, "state": "applied", **more}
        try:
            return self.account.run("unmanaged_resources", **self.arguments(**given))
        finally:
            assert locked or self.locks() == []

    def both(self, **more: Any) -> dict[str, Any]:
        return self.apply(self.plan(**more), **more)

    def restore(self, **more: Any) -> dict[str, Any]:
        given = {"state": "restored", "confirm_account_id": ACCOUNT, **more}
        return self.account.run("unmanaged_resources", **self.arguments(**given))

    def refusal(self, act: Callable[[], Any]) -> str:
        """What a run that must fail says; it must have touched no resource."""
        before = len(self.account.log())
        with pytest.raises(ModuleFailed) as failure:
            act()
        assert self.touched(before) == []
        return str(failure.value)

    def touched(self, before: int) -> list[str]:
        """The module's calls that change resources, in their order: without ledger, plan, locks and dry runs."""
        calls = self.account.all_calls_since(before)
        return [
            call["action"]
            for call in calls
            if mutates(call["action"])
            and not call["action"].startswith(("s3:PutObject", "s3:DeleteObject", "dynamodb:"))
            and call["error_code"] != "DryRunOperation"
        ]

    def locks(self) -> list[str]:
        """The locks on the states."""
        s3 = self.account.client("s3")
        objects = s3.list_objects_v2(Bucket=self.bucket.name).get("Contents", [])
        items = self.account.client("dynamodb").scan(TableName=self.bucket.table)["Items"]
        return [each["Key"] for each in objects if each["Key"].endswith(".tflock")] + [
            each["LockID"]["S"] for each in items
        ]

    def ledger(self) -> dict[str, Any]:
        answer = self.account.client("s3").get_object(Bucket=self.bucket.name, Key=LEDGER)
        found: dict[str, Any] = json.loads(answer["Body"].read())
        return found

    def write_ledger(self, content: dict[str, Any]) -> None:
        self.account.client("s3").put_object(Bucket=self.bucket.name, Key=LEDGER, Body=json.dumps(content).encode())

    def state_of(self, instance: str) -> str:
        answer = self.ec2.describe_instances(InstanceIds=[instance])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def has(self, group: str) -> bool:
        return any(each["GroupId"] == group for each in self.ec2.describe_security_groups()["SecurityGroups"])


def also(monkeypatch: pytest.MonkeyPatch, kind: str) -> list[str]:
    """The types with one more, which is looked for, too."""
    monkeypatch.setattr(catalogue, "ALL", {**catalogue.ALL, kind: EVERYTHING[kind]})
    return [*TYPES, kind]


def results(found: dict[str, Any]) -> dict[str, str]:
    """What became of each resource, by the last part of its ARN."""
    return {each["arn"].replace("/", ":").rpartition(":")[2]: each["result"] for each in found["results"]}


def reason(found: dict[str, Any], identity: str) -> str:
    return str(next(each["reason"] for each in found["results"] if each["arn"].endswith(identity)))


def actions(found: dict[str, Any]) -> dict[str, str]:
    return {item["id"]: item["action"] for item in found["plan"]["steps"]}


def item_of(found: dict[str, Any], identity: str) -> dict[str, Any]:
    item: dict[str, Any] = next(each for each in found["plan"]["steps"] if each["id"] == identity)
    return item


@pytest.fixture
def estate(account: Account) -> Estate:
    bucket, ec2 = Bucket.open(account), account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    bucket.put("network", ("aws_vpc", {"id": vpc, "arn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/{vpc}"}))
    bucket.put("other", ("aws_vpc", {"id": vpc}))
    return Estate(account, bucket, unique("project"), vpc)


# From the plan to the removal


def test_golden_run(estate: Estate, clock: Clock) -> None:
    vpc, subnet = estate.network()
    group = estate.group(vpc)
    instance = estate.instance(SubnetId=subnet, SecurityGroupIds=[group])
    volume, role = estate.volume(), estate.role()
    account = estate.account

    planned = estate.plan()
    assert actions(planned) == dict.fromkeys([instance, volume, group, subnet, vpc, role], "quarantine")
    found = estate.apply(planned)
    assert found["changed"]
    assert set(results(found).values()) == {"quarantined"}
    assert estate.state_of(instance) == "stopped"
    attached = account.client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AWSDenyAll"]
    assert {entry["words"] for entry in estate.ledger()["quarantined"].values()} == {"stopped", "denied everything", ""}

    undone = estate.restore()
    assert undone["changed"]
    assert set(results(undone).values()) == {"restored"}
    assert estate.state_of(instance) == "running"
    assert account.client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    assert estate.ledger()["quarantined"] == {}

    clock.forward(minutes=1)
    again = estate.plan()
    assert estate.apply(again)["changed"]
    assert estate.plan()["plan"]["steps"] == []
    clock.forward(days=7, minutes=1)
    last = estate.plan()
    assert set(actions(last).values()) == {"remove"}
    assert [item["id"] for item in last["plan"]["steps"]] == [instance, volume, group, subnet, vpc, role]
    before = len(account.log())

    removed = estate.apply(last)

    assert set(results(removed).values()) == {"removed"}
    assert estate.touched(before) == [
        "ec2:CreateImage",
        "ec2:TerminateInstances",
        "ec2:CreateSnapshot",
        "ec2:DeleteVolume",
        "ec2:DeleteSecurityGroup",
        "ec2:DeleteSubnet",
        "ec2:DeleteVpc",
        "iam:DetachRolePolicy",
        "iam:DeleteRole",
    ]
    copies = {each["arn"].rpartition("/")[2]: each["copies"] for each in removed["results"]}
    assert [one[:4] for one in copies[instance]] == ["ami-"]
    assert [one[:5] for one in copies[volume]] == ["snap-"]
    assert estate.ledger()["quarantined"] == {}
    assert estate.vpc in {each["VpcId"] for each in estate.ec2.describe_vpcs()["Vpcs"]}
    after = estate.plan()
    assert after["plan"]["steps"] == []


def test_plan_can_be_a_file_of_its_owner(estate: Estate, tmp_path: Path) -> None:
    group, file = estate.group(), tmp_path / "plan.json"

    planned = estate.plan(plan_file=str(file))

    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == planned["plan"]
    assert PLAN not in [
        e["Key"] for e in estate.account.client("s3").list_objects_v2(Bucket=estate.bucket.name)["Contents"]
    ]
    assert results(estate.apply(planned, plan_file=str(file))) == {group: "quarantined"}


def test_plan_can_be_given(estate: Estate) -> None:
    group, planned = estate.group(), estate.plan()

    assert results(estate.apply(planned, plan=planned["plan"])) == {group: "quarantined"}


def test_same_plan_again_is_refused_whatever_a_person_has_decided_since(estate: Estate) -> None:
    instance, planned = estate.instance(), estate.plan()
    estate.apply(planned)
    given = estate.arguments(state="applied", digest=planned["digest"], confirm_account_id=ACCOUNT)

    for act in (
        lambda: estate.apply(planned),
        lambda: estate.account.run("unmanaged_resources", check=True, **given),
    ):
        assert "carried out before" in estate.refusal(act)
    estate.restore()
    assert "carried out before" in estate.refusal(lambda: estate.apply(planned))
    assert estate.state_of(instance) == "running"


def test_a_plan_that_could_not_begin_can_be_carried_out_later(estate: Estate) -> None:
    group, planned = estate.group(), estate.plan()
    s3, lock = estate.account.client("s3"), {"Bucket": estate.bucket.name, "Key": "other/terraform.tfstate.tflock"}
    s3.put_object(**lock, Body=b'{"ID": "theirs"}')
    assert "theirs" in estate.refusal(lambda: estate.apply(planned, locked=True))
    s3.delete_object(**lock)

    assert results(estate.apply(planned)) == {group: "quarantined"}


def test_without_a_scope_it_only_reports(estate: Estate) -> None:
    group = estate.group()

    found = estate.plan(scope=None)

    assert found["plan"] is None
    assert group in {each["id"] for each in found["scan"]["resources"]}
    assert "no scope is declared" in estate.refusal(lambda: estate.apply(estate.plan(), scope=None))


def test_check_mode_says_what_would_be_done_and_does_nothing(estate: Estate, clock: Clock) -> None:
    group, instance = estate.group(), estate.instance()
    looked = estate.account.run("unmanaged_resources", check=True, **estate.arguments())
    assert looked["mutations"] == []
    assert set(actions(looked)) == {group, instance}

    def check(planned: dict[str, Any]) -> dict[str, Any]:
        given = estate.arguments(state="applied", digest=planned["digest"], confirm_account_id=ACCOUNT)
        found = estate.account.run("unmanaged_resources", check=True, **given)
        assert found["mutations"] == []
        assert found["changed"]
        return found

    planned = estate.plan()
    assert results(check(planned)) == {group: "quarantined", instance: "quarantined"}
    assert estate.state_of(instance) == "running"
    estate.apply(planned)
    given = estate.arguments(state="restored", confirm_account_id=ACCOUNT)
    undone = estate.account.run("unmanaged_resources", check=True, **given)
    assert undone["mutations"] == []
    assert results(undone) == {group: "restored", instance: "restored"}
    clock.forward(days=8)
    last = check(estate.plan())
    assert results(last) == {group: "removed", instance: "removed"}
    assert set(last["diff"][0]["after"].values()) == {"removed"}


# Refusals


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"digest": "0" * 64}, "not the plan that was approved"),
        ({"confirm_account_id": "210987654321"}, "confirm_account_id is 210987654321"),
        ({"regions": ["eu-west-1"]}, "the plan is for eu-central-1"),
        ({"scope": {"account": True}}, "the scope is another one"),
        ({"max_removals": 0}, "max_removals is 0"),
        ({"plan_key": "gitops-drift/none.json"}, "there is no plan"),
        ({"plan_file": "/nonexistent"}, "cannot be read"),
        ({"expected_account_id": "210987654321"}, "expected_account_id is 210987654321"),
    ],
)
def test_what_was_not_approved_is_refused(estate: Estate, more: dict[str, Any], why: str) -> None:
    estate.group()
    planned = estate.plan()

    assert why in estate.refusal(lambda: estate.apply(planned, **more))


def test_an_expired_plan_is_refused(estate: Estate, clock: Clock) -> None:
    estate.group()
    planned = estate.plan()
    clock.forward(hours=24, minutes=1)

    assert "has expired" in estate.refusal(lambda: estate.apply(planned))


def test_a_plan_that_was_changed_is_refused(estate: Estate) -> None:
    estate.group()
    planned = estate.plan()
    changed = {**planned["plan"], "expires": "2099-01-01T00:00:00Z"}
    estate.account.client("s3").put_object(Bucket=estate.bucket.name, Key=PLAN, Body=json.dumps(changed).encode())

    assert "was changed after it was made" in estate.refusal(lambda: estate.apply(planned))


def test_too_many_or_too_large_a_share_is_no_plan(estate: Estate) -> None:
    for _number in range(3):
        estate.volume()

    assert "3 resources, and max_removals is 2" in estate.refusal(lambda: estate.plan(max_removals=2))
    assert "aws_ebs_volume, and max_percent is 1" in estate.refusal(lambda: estate.plan(max_percent=1))


def test_an_incomplete_scan_is_no_plan_and_carries_nothing_out(estate: Estate) -> None:
    estate.group()
    planned = estate.plan()
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "sqs:ListQueues", "Resource": "*"},
    ]
    user = put_user(estate.account.endpoint_url, unique("denied"), {"Version": "2012-10-17", "Statement": statements})
    blind = replace(estate, account=replace(estate.account, caller=user))

    assert "aws_sqs_queue" in blind.refusal(blind.plan)
    assert "aws_sqs_queue" in blind.refusal(lambda: blind.apply(planned))


@pytest.mark.parametrize("kind", ["dynamodb", "lockfile"])
@pytest.mark.parametrize("check", [False, True])
def test_a_held_lock_refuses_and_says_whose(estate: Estate, kind: str, check: bool) -> None:
    estate.group()
    planned = estate.plan()
    info = json.dumps(
        {"ID": "l-1", "Who": "alice@laptop", "Operation": "OperationTypeApply", "Created": "2026-01-01T00:00:00Z"}
    )
    key = f"{estate.bucket.name}/network/terraform.tfstate"
    if kind == "dynamodb":
        item = {"LockID": {"S": key}, "Info": {"S": info}}
        estate.account.client("dynamodb").put_item(TableName=estate.bucket.table, Item=item)
    else:
        estate.account.client("s3").put_object(
            Bucket=estate.bucket.name, Key="network/terraform.tfstate.tflock", Body=info.encode()
        )
    given = estate.arguments(state="applied", digest=planned["digest"], confirm_account_id=ACCOUNT)

    why = estate.refusal(lambda: estate.account.run("unmanaged_resources", check=check, **given))

    assert "alice@laptop" in why
    assert "2026-01-01T00:00:00Z" in why
    assert len(estate.locks()) == 1  # only theirs
    assert "alice@laptop" in estate.refusal(estate.plan)


def test_a_lock_that_is_taken_just_before_ours_refuses_and_the_others_are_given_back(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.group()
    planned = estate.plan()
    client, original = estate.account.client("s3"), taken

    def meanwhile(*arguments: Any) -> Any:
        if arguments[3].startswith("other/"):
            client.put_object(Bucket=estate.bucket.name, Key="other/terraform.tfstate.tflock", Body=b'{"ID": "theirs"}')
        return original(*arguments)

    monkeypatch.setattr(removal, "taken", meanwhile)

    why = estate.refusal(lambda: estate.apply(planned, locked=True))

    assert "theirs" in why
    assert estate.locks() == ["other/terraform.tfstate.tflock"]


def test_locks_are_held_while_it_works(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.group()
    planned, held = estate.plan(), []
    original = removal.carry_out

    def look(acting: removal.Acting) -> None:
        held.extend(estate.locks())
        original(acting)

    monkeypatch.setattr(removal, "carry_out", look)
    estate.apply(planned)

    keys = ("network/terraform.tfstate", "other/terraform.tfstate")
    assert sorted(held) == sorted([f"{key}.tflock" for key in keys] + [f"{estate.bucket.name}/{key}" for key in keys])


def test_locks_are_released_after_a_failure(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.group()
    planned = estate.plan()

    def fail(_acting: removal.Acting) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(removal, "carry_out", fail)
    with pytest.raises(RuntimeError):
        estate.apply(planned)  # asserts that none is left


def test_a_state_that_went_back_is_refused(estate: Estate) -> None:
    estate.group()
    estate.bucket.put("network", ("aws_vpc", {"id": estate.vpc}))
    planned = estate.plan()
    estate.bucket.serials["network/terraform.tfstate"] = 0
    estate.bucket.put("network", ("aws_vpc", {"id": estate.vpc}))

    assert "serial" in estate.refusal(lambda: estate.apply(planned))


@pytest.mark.parametrize("forget", [[], ["*"]])
def test_a_state_that_vanished_is_refused(estate: Estate, forget: list[str]) -> None:
    """By the ledger; and where that is told to forget it, by the plan."""
    estate.group()
    planned = estate.plan()
    estate.account.client("s3").delete_object(Bucket=estate.bucket.name, Key="other/terraform.tfstate")

    assert "other/terraform.tfstate" in estate.refusal(lambda: estate.apply(planned, forget_states=forget))


def test_a_state_of_another_lineage_is_refused(estate: Estate) -> None:
    estate.group()
    planned = estate.plan()
    estate.bucket.put("other", ("aws_vpc", {"id": estate.vpc}), lineage="another")

    assert "other/terraform.tfstate" in estate.refusal(lambda: estate.apply(planned, forget_states=["*"]))


# What is kept


def test_what_a_state_got_meanwhile_is_kept(estate: Estate, clock: Clock) -> None:
    group, volume = estate.group(), estate.volume()
    estate.both()
    clock.forward(days=8)
    planned = estate.plan()
    estate.bucket.put("other", ("aws_vpc", {"id": estate.vpc}), ("aws_security_group", {"id": group}))

    found = estate.apply(planned)

    assert results(found) == {group: "kept", volume: "removed"}
    assert estate.has(group)


def test_what_was_adopted_gets_back_what_it_had(estate: Estate) -> None:
    instance = estate.instance()
    estate.both()
    estate.bucket.put("other", ("aws_vpc", {"id": estate.vpc}), ("aws_instance", {"id": instance}))

    planned = estate.plan()
    assert actions(planned) == {instance: "restore"}
    found = estate.apply(planned)

    assert results(found) == {instance: "restored"}
    assert estate.state_of(instance) == "running"
    assert estate.ledger()["quarantined"] == {}


def test_what_is_in_use_by_a_kept_resource_is_blocked_and_both_stay(estate: Estate, clock: Clock) -> None:
    group = estate.group()
    estate.both()
    clock.forward(days=8)
    user = estate.ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SecurityGroupIds=[group])
    instance = user["Instances"][0]["InstanceId"]  # of another project

    planned = estate.plan()
    assert item_of(planned, group)["blocked_by"] == [f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{instance}"]
    before = len(estate.account.log())
    found = estate.apply(planned)

    assert results(found) == {group: "blocked"}
    assert instance in reason(found, group)
    assert not found["changed"]
    assert estate.touched(before) == []
    assert estate.state_of(instance) == "running"


def test_what_is_used_since_the_plan_is_blocked(estate: Estate, clock: Clock) -> None:
    group = estate.group()
    estate.both()
    clock.forward(days=8)
    planned = estate.plan()
    estate.ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SecurityGroupIds=[group])

    before = len(estate.account.log())
    assert results(estate.apply(planned)) == {group: "blocked"}
    assert estate.touched(before) == []
    assert estate.has(group)


def test_what_was_blocked_when_it_was_approved_stays(estate: Estate, clock: Clock) -> None:
    group = estate.group()
    estate.both()
    clock.forward(days=8)
    user = estate.ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SecurityGroupIds=[group])
    planned = estate.plan()
    estate.ec2.terminate_instances(InstanceIds=[user["Instances"][0]["InstanceId"]])

    found = estate.apply(planned)

    assert results(found) == {group: "blocked"}
    assert "when the plan was made" in reason(found, group)
    assert results(estate.both()) == {group: "removed"}


def test_what_aws_says_is_in_use_is_tried_three_times_and_stays(
    estate: Estate, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scan has not seen the user: it begins to use the group after that."""
    group = estate.group()
    estate.both()
    clock.forward(days=8)
    planned, original = estate.plan(), removal.carry_out

    def used(acting: removal.Acting) -> None:
        estate.ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SecurityGroupIds=[group])
        original(acting)

    monkeypatch.setattr(removal, "carry_out", used)
    before = len(estate.account.log())
    found = estate.apply(planned)

    assert results(found) == {group: "blocked"}
    assert "DependencyViolation" in reason(found, group)
    assert estate.touched(before) == ["ec2:DeleteSecurityGroup"] * 3
    assert estate.has(group)


def test_termination_protection_keeps(estate: Estate, clock: Clock) -> None:
    instance = estate.instance()
    estate.both()
    clock.forward(days=8)
    planned = estate.plan()
    estate.ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})

    found = estate.apply(planned)

    assert results(found) == {instance: "kept"}
    assert "termination protection" in reason(found, instance)
    assert estate.state_of(instance) == "stopped"
    assert estate.plan()["kept"][0]["reason"].endswith("its termination protection is on")


def test_what_was_made_anew_under_the_same_name_is_kept(estate: Estate) -> None:
    role, iam = estate.role(), estate.account.client("iam")
    planned = estate.plan()
    time.sleep(1.1)  # or the new one would be made in the second of the plan
    iam.delete_role(RoleName=role)
    iam.create_role(
        RoleName=role,
        AssumeRolePolicyDocument=json.dumps(TRUST),
        Tags=[{"Key": "project", "Value": estate.project}],
    )

    found = estate.apply(planned)

    assert results(found) == {role: "kept"}
    assert "after the plan" in reason(found, role)


def test_what_was_made_anew_is_kept_also_where_only_cloudtrail_knows_when(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    types, sns, name = also(monkeypatch, "aws_sns_topic"), estate.account.client("sns"), unique("rogue")
    tags = [{"Key": "project", "Value": estate.project}]
    topic = sns.create_topic(Name=name, Tags=tags)["TopicArn"]
    planned = estate.plan(types=types)
    time.sleep(1.1)  # or the new one would be made in the second of the plan
    sns.delete_topic(TopicArn=topic)
    sns.create_topic(Name=name, Tags=tags)

    found = estate.apply(planned, types=types)

    assert results(found) == {name: "kept"}
    assert "after the plan" in reason(found, name)


def test_what_somebody_protects_after_the_scan_is_kept(
    estate: Estate, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each resource is read once more just before it is touched."""
    volume, original = estate.volume(), removal.carry_out
    estate.both()
    clock.forward(days=8)

    def protect(acting: removal.Acting) -> None:
        estate.ec2.create_tags(Resources=[volume], Tags=[{"Key": "gitops:protect", "Value": "mine"}])
        estate.ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
        original(acting)

    instance = estate.instance()
    monkeypatch.setattr(removal, "carry_out", protect)

    found = estate.both()

    assert results(found) == {volume: "kept", instance: "kept"}
    assert "somebody protects it" in reason(found, volume)
    assert "its termination protection is on" in reason(found, instance)
    assert estate.state_of(instance) == "running"


def test_what_somebody_has_started_again_is_kept(estate: Estate, clock: Clock) -> None:
    instance = estate.instance()
    estate.both()
    clock.forward(days=8)
    estate.ec2.start_instances(InstanceIds=[instance])

    found = estate.both()

    assert results(found) == {instance: "kept"}
    assert "has undone its quarantine" in reason(found, instance)
    assert estate.state_of(instance) == "running"


def test_a_bucket_that_is_not_empty_is_kept(estate: Estate, clock: Clock) -> None:
    name, s3 = unique("rogue"), estate.account.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "project", "Value": estate.project}]})
    estate.both()
    clock.forward(days=8)
    s3.put_object(Bucket=name, Key="precious", Body=b"x")

    found = estate.both()

    assert results(found) == {name: "kept"}
    assert "BucketNotEmpty" in reason(found, name)
    s3.delete_object(Bucket=name, Key="precious")
    assert results(estate.both()) == {name: "removed"}


def test_what_is_gone_is_gone(estate: Estate) -> None:
    group = estate.group()
    planned = estate.plan()
    estate.ec2.delete_security_group(GroupId=group)

    found = estate.apply(planned)

    assert results(found) == {group: "gone_already"}
    assert not found["changed"]


def test_what_is_not_in_the_plan_is_not_touched(estate: Estate) -> None:
    planned = estate.plan()
    group = estate.group()

    assert estate.apply(planned)["results"] == []
    assert estate.has(group)
    assert estate.ledger()["quarantined"] == {}


def test_two_groups_that_name_each_other_go(estate: Estate, clock: Clock) -> None:
    groups = [estate.group(), estate.group()]
    for one, other in (groups, groups[::-1]):
        rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": other}]}
        estate.ec2.authorize_security_group_ingress(GroupId=one, IpPermissions=[rule])
    estate.both()
    clock.forward(days=8)

    assert set(results(estate.both()).values()) == {"removed"}


# Failures in the middle


def deny(account: Account, action: str) -> Account:
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": action, "Resource": "*"},
    ]
    user = put_user(account.endpoint_url, unique("denied"), {"Version": "2012-10-17", "Statement": statements})
    return replace(account, caller=user)


def test_nothing_is_copied_or_removed_where_a_call_would_be_denied(estate: Estate, clock: Clock) -> None:
    volume = estate.volume()
    estate.both()
    clock.forward(days=8)
    planned = estate.plan()
    weak = replace(estate, account=deny(estate.account, "ec2:DeleteVolume"))
    snapshots = len(estate.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"])

    with pytest.raises(ModuleFailed, match="ec2:DeleteVolume") as failure:
        weak.apply(planned)

    assert results(failure.value.result) == {volume: "failed"}
    assert not failure.value.result["changed"]
    assert len(estate.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == snapshots


def test_one_that_fails_does_not_keep_the_others(estate: Estate) -> None:
    instance, group = estate.instance(), estate.group()
    planned = estate.plan()
    weak = replace(estate, account=deny(estate.account, "ec2:StopInstances"))

    with pytest.raises(ModuleFailed) as failure:
        weak.apply(planned)

    assert failure.value.result["changed"]
    assert results(failure.value.result) == {instance: "failed", group: "quarantined"}
    assert estate.state_of(instance) == "running"


def test_a_quarantine_that_broke_off_can_be_undone_and_done_again(estate: Estate) -> None:
    """IAM users lose two things: here the second of the calls is denied."""
    iam, name = estate.account.client("iam"), unique("rogue")
    iam.create_user(UserName=name, Tags=[{"Key": "project", "Value": estate.project}])
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    types: dict[str, Any] = {"types": ["aws_iam_user"]}
    planned = estate.plan(**types)
    weak = replace(estate, account=deny(estate.account, "iam:UpdateAccessKey"))

    with pytest.raises(ModuleFailed) as failure:
        weak.apply(planned, **types)

    assert results(failure.value.result) == {name: "failed"}
    assert failure.value.result["changed"]
    (entry,) = estate.ledger()["quarantined"].values()
    assert entry["steps_done"] == 1
    assert entry["kept"] == {"keys": [key]}
    assert iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]
    assert results(estate.restore(**types)) == {name: "restored"}
    assert iam.list_attached_user_policies(UserName=name)["AttachedPolicies"] == []
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["Status"] == "Active"

    with pytest.raises(ModuleFailed):
        weak.apply(weak.plan(**types), **types)
    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")  # as if it had broken off later
    assert results(estate.both(**types)) == {name: "quarantined"}
    (entry,) = estate.ledger()["quarantined"].values()
    assert (entry["steps_done"], entry["kept"]) == (2, {"keys": [key]})
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["Status"] == "Inactive"


def test_the_ledger_is_written_before_the_first_call(estate: Estate) -> None:
    instance = estate.instance()
    planned = estate.plan()
    before = len(estate.account.log())
    estate.apply(planned)

    calls = [c for c in estate.account.all_calls_since(before) if c["error_code"] != "DryRunOperation"]
    order = [c["action"] for c in calls if c["action"] == "ec2:StopInstances" or c["resource"].endswith(LEDGER)]

    changes = [each for each in order if mutates(each)]
    # That the plan is used; what the instance was; that it is done.
    assert changes == ["s3:PutObject", "s3:PutObject", "ec2:StopInstances", "s3:PutObject"]
    assert estate.state_of(instance) == "stopped"


def test_a_lost_race_for_the_ledger_stops_before_anything_is_done(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance, original = estate.instance(), removal.carry_out
    planned = estate.plan()

    def meanwhile(acting: removal.Acting) -> None:
        theirs = {**estate.ledger(), "first_seen": {"arn:of:another:run": "2026-01-01T00:00:00Z"}}
        estate.account.client("s3").put_object(Bucket=estate.bucket.name, Key=LEDGER, Body=json.dumps(theirs).encode())
        original(acting)

    monkeypatch.setattr(removal, "carry_out", meanwhile)

    why = estate.refusal(lambda: estate.apply(planned))

    assert "was written by another run in the meantime" in why
    assert estate.state_of(instance) == "running"
    assert list(estate.ledger()["first_seen"]) == ["arn:of:another:run"]


def test_a_signal_ends_it_between_two_steps_and_no_lock_is_left(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = sorted([estate.group(), estate.group()])
    planned, original = estate.plan(), removal._quarantine

    def signalled(acting: removal.Acting, *arguments: Any) -> None:
        original(acting, *arguments)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(removal, "_quarantine", signalled)

    with pytest.raises(ModuleFailed, match="ended by SIGTERM") as failure:
        estate.apply(planned)

    assert results(failure.value.result) == {groups[0]: "quarantined", groups[1]: "failed"}
    assert len(estate.ledger()["quarantined"]) == 1


def test_restoring_what_is_not_in_quarantine_is_refused(estate: Estate) -> None:
    assert "not in quarantine" in estate.refusal(lambda: estate.restore(arns=["arn:aws:ec2:x:y:instance/i-1"]))


def test_what_somebody_has_undone_by_hand_can_be_restored(estate: Estate) -> None:
    role, iam = estate.role(), estate.account.client("iam")
    estate.both()
    (policy,) = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])

    assert results(estate.restore()) == {role: "restored"}
    assert estate.ledger()["quarantined"] == {}


def test_restoring_one_leaves_the_others(estate: Estate) -> None:
    group, other = estate.group(), estate.group()
    estate.both()
    arn = next(each for each in estate.ledger()["quarantined"] if each.endswith(group))

    assert results(estate.restore(arns=[arn])) == {group: "restored"}
    assert [each.rpartition("/")[2] for each in estate.ledger()["quarantined"]] == [other]


def test_what_went_away_in_quarantine_is_forgotten(estate: Estate) -> None:
    group, other = estate.group(), estate.group()
    estate.both()
    estate.ec2.delete_security_group(GroupId=group)
    estate.ec2.delete_security_group(GroupId=other)
    arn = next(each for each in estate.ledger()["quarantined"] if each.endswith(group))

    assert results(estate.restore(arns=[arn])) == {group: "gone_already"}
    estate.plan()
    assert estate.ledger()["quarantined"] == {}


# The ledger


def test_a_damaged_ledger_stops_everything(estate: Estate) -> None:
    estate.group()
    planned = estate.plan()
    estate.account.client("s3").put_object(Bucket=estate.bucket.name, Key=LEDGER, Body=b"{}")

    for act in (estate.plan, lambda: estate.apply(planned), estate.restore):
        assert "the ledger" in estate.refusal(act)


def test_planning_remembers_what_it_saw(estate: Estate) -> None:
    group = estate.group()
    estate.plan()

    book = estate.ledger()
    assert [arn for arn in book["first_seen"] if arn.endswith(group)]
    assert set(book["last_scan"]["states"]) == {"network/terraform.tfstate", "other/terraform.tfstate"}
    estate.ec2.delete_security_group(GroupId=group)
    estate.plan()
    assert not [arn for arn in estate.ledger()["first_seen"] if arn.endswith(group)]


def test_planning_forgets_no_quarantine_that_it_cannot_see(estate: Estate) -> None:
    """Of another account, in a region that is not looked at, and what can be read though no list has it."""
    group, gone = estate.group(), estate.group()
    estate.both()
    estate.ec2.delete_security_group(GroupId=gone)
    book = estate.ledger()
    entry = next(each for each in book["quarantined"].values() if each["id"] == group)
    others = {
        "arn:aws:iam::210987654321:role/x": {**entry, "type": "aws_iam_role", "id": "x", "region": ""},
        "arn:aws:s3:::x": {**entry, "type": "aws_s3_bucket", "id": "x", "region": "eu-west-1"},
        f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/unlisted": entry,
    }
    estate.write_ledger({**book, "quarantined": {**book["quarantined"], **others}})

    estate.plan()

    left = {arn.rpartition("/")[2] for arn in set(estate.ledger()["quarantined"]) - set(others)}
    assert left == {group}
    assert set(others) <= set(estate.ledger()["quarantined"])


# Parts, copies and what is removed in part


@pytest.mark.parametrize("why", ["protected", "managed"])
def test_what_has_a_part_that_must_stay_is_neither_stopped_nor_removed(estate: Estate, clock: Clock, why: str) -> None:
    instance = estate.instance()
    answer = estate.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    volume = answer["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    free = estate.plan()

    def keep() -> None:
        if why == "protected":
            estate.ec2.create_tags(Resources=[volume], Tags=[{"Key": "gitops:protect", "Value": "mine"}])
        else:
            estate.bucket.put("other", ("aws_vpc", {"id": estate.vpc}), ("aws_ebs_volume", {"id": volume}))

    estate.apply(free)
    clock.forward(days=8)
    late = estate.plan()
    assert actions(late) == {instance: "remove"}
    keep()
    before = len(estate.account.log())
    assert results(estate.apply(late)) == {instance: "blocked"}
    assert volume in reason(estate.apply(estate.plan()), instance)
    assert estate.touched(before) == []
    estate.restore()
    assert item_of(estate.plan(), instance)["blocked_by"] == [f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/{volume}"]
    assert results(estate.both()) == {instance: "blocked"}
    assert estate.state_of(instance) == "running"


def test_a_copy_has_the_time_of_the_plan(estate: Estate, clock: Clock) -> None:
    instance = estate.instance()
    estate.both()
    clock.forward(days=8)

    planned = estate.plan()
    (found,) = estate.apply(planned)["results"]

    (image,) = estate.ec2.describe_images(ImageIds=found["copies"])["Images"]
    stamp = "".join(each for each in planned["plan"]["created"] if each.isdigit())
    assert image["Name"] == f"copy of {instance} {stamp}"


def test_nothing_is_removed_before_its_copy_is_complete(
    estate: Estate, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, kind, original = estate.volume(), catalogue.ALL["aws_ebs_volume"], removal.carry_out
    estate.both()
    clock.forward(days=8)
    assert kind.copied is not None
    never = replace(kind, copied=replace(kind.copied, result="`false`"))
    monkeypatch.setitem(catalogue.ALL, kind.name, never)

    def hurried(acting: removal.Acting) -> None:
        acting.deadline = time.monotonic() + 2
        original(acting)

    monkeypatch.setattr(removal, "carry_out", hurried)
    before = len(estate.account.log())
    found = estate.both()

    assert results(found) == {volume: "blocked"}
    assert "its copy is not complete yet" in reason(found, volume)
    assert estate.touched(before) == ["ec2:CreateSnapshot"]
    assert [one[:5] for one in found["results"][0]["copies"]] == ["snap-"]


def test_what_is_removed_in_part_has_failed_and_stays_in_the_ledger(
    estate: Estate, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy that somebody attaches after the scan: its old version is gone, and AWS deletes no more of it."""
    iam, original = estate.account.client("iam"), removal.carry_out
    types = also(monkeypatch, "aws_iam_policy")
    statement = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    tags = [{"Key": "project", "Value": estate.project}]
    name, user = unique("rogue"), unique("user")
    policy = iam.create_policy(PolicyName=name, PolicyDocument=document, Tags=tags)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=document, SetAsDefault=True)
    iam.create_user(UserName=user)
    estate.both(types=types)
    clock.forward(days=8)

    def used(acting: removal.Acting) -> None:
        iam.attach_user_policy(UserName=user, PolicyArn=policy)
        original(acting)

    monkeypatch.setattr(removal, "carry_out", used)
    with pytest.raises(ModuleFailed) as failure:
        estate.both(types=types)

    found = failure.value.result
    assert results(found) == {name: "failed"}
    assert "done, wholly or in part, is delete_policy_version; not done is delete_policy." in reason(found, name)
    assert "DeleteConflict" in reason(found, name)
    assert policy in estate.ledger()["quarantined"]
    iam.detach_user_policy(UserName=user, PolicyArn=policy)
    monkeypatch.setattr(removal, "carry_out", original)
    assert results(estate.both(types=types)) == {name: "removed"}


def test_a_secret_is_deleted_in_thirty_days(estate: Estate, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    types = also(monkeypatch, "aws_secretsmanager_secret")
    secrets = estate.account.client("secretsmanager")
    made = secrets.create_secret(
        Name=unique("rogue"), SecretString="x", Tags=[{"Key": "project", "Value": estate.project}]
    )
    estate.both(types=types)
    clock.forward(days=8)

    assert set(results(estate.both(types=types)).values()) == {"removed"}
    left = secrets.describe_secret(SecretId=made["ARN"])["DeletedDate"] - datetime.now(UTC)
    assert timedelta(days=29) < left < timedelta(days=31)


# Undoing, of the right thing and of what was done


@pytest.mark.parametrize("confirm", ["210987654321", None])
@pytest.mark.parametrize("check", [False, True])
def test_restoring_needs_the_account_that_is_meant(estate: Estate, confirm: str | None, check: bool) -> None:
    instance = estate.instance()
    estate.both()
    given = estate.arguments(state="restored", **({"confirm_account_id": confirm} if confirm else {}))

    why = estate.refusal(lambda: estate.account.run("unmanaged_resources", check=check, **given))

    assert confirm is None or f"{confirm} is meant" in why
    assert confirm is not None or "confirm_account_id" in why
    assert estate.state_of(instance) == "stopped"
    assert len(estate.ledger()["quarantined"]) == 1


@pytest.mark.parametrize("where", ["arn", "entry"])
def test_what_is_of_another_account_is_not_restored(estate: Estate, where: str) -> None:
    estate.instance()
    estate.both()
    book = estate.ledger()
    ((arn, entry),) = book["quarantined"].items()
    moved = arn.replace(ACCOUNT, "210987654321") if where == "arn" else "arn:aws:s3:::x"
    theirs = {moved: {**entry, "account": "210987654321"}}
    estate.write_ledger({**book, "quarantined": {**book["quarantined"], **theirs}})

    assert "is of account 210987654321" in estate.refusal(estate.restore)
    assert set(estate.ledger()["quarantined"]) == {arn, moved}
    assert set(results(estate.restore(arns=[arn])).values()) == {"restored"}
    assert set(estate.ledger()["quarantined"]) == {moved}


def test_what_is_read_by_its_id_must_have_the_arn(estate: Estate) -> None:
    instance = estate.instance()
    estate.both()
    book = estate.ledger()
    ((arn, entry),) = book["quarantined"].items()
    other = arn.replace(instance, "i-0123456789abcdef0")
    estate.write_ledger({**book, "quarantined": {other: entry}})
    given = estate.arguments(state="restored", confirm_account_id=ACCOUNT)

    why = estate.refusal(estate.restore)
    checked = estate.account.run("unmanaged_resources", check=True, **given)

    assert f"another resource, {arn}" in why
    assert f"another resource, {arn}" in checked["results"][0]["reason"]
    assert set(estate.ledger()["quarantined"]) == {other}
    assert estate.state_of(instance) == "stopped"


def user_with_keys(estate: Estate, number: int) -> tuple[Any, str, list[str]]:
    iam, name = estate.account.client("iam"), unique("rogue")
    iam.create_user(UserName=name, Tags=[{"Key": "project", "Value": estate.project}])
    return iam, name, [iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"] for _each in range(number)]


def keys_of(iam: Any, user: str) -> dict[str, str]:
    return {each["AccessKeyId"]: each["Status"] for each in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]}


def test_a_key_that_is_gone_does_not_keep_the_other_from_coming_back(estate: Estate) -> None:
    iam, name, _keys = user_with_keys(estate, 2)
    types: dict[str, Any] = {"types": ["aws_iam_user"]}
    estate.both(**types)
    (entry,) = estate.ledger()["quarantined"].values()
    first, second = entry["kept"]["keys"]
    iam.delete_access_key(UserName=name, AccessKeyId=first)

    assert results(estate.restore(**types)) == {name: "restored"}
    assert keys_of(iam, name) == {second: "Active"}


def test_where_the_first_call_is_denied_nothing_is_noted_or_undone(estate: Estate) -> None:
    iam, name, (key,) = user_with_keys(estate, 1)
    types: dict[str, Any] = {"types": ["aws_iam_user"]}
    weak = replace(estate, account=deny(estate.account, "iam:AttachUserPolicy"))

    with pytest.raises(ModuleFailed) as failure:
        weak.apply(weak.plan(**types), **types)

    assert results(failure.value.result) == {name: "failed"}
    assert not failure.value.result["changed"]
    assert estate.ledger()["quarantined"] == {}
    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")  # its owner: it has leaked
    assert results(estate.restore(**types)) == {}
    assert keys_of(iam, name) == {key: "Inactive"}


def test_only_what_was_begun_is_undone(estate: Estate) -> None:
    iam, name, (key,) = user_with_keys(estate, 1)
    types: dict[str, Any] = {"types": ["aws_iam_user"]}
    weak = replace(estate, account=deny(estate.account, "iam:UpdateAccessKey"))
    with pytest.raises(ModuleFailed):
        weak.apply(weak.plan(**types), **types)
    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")  # its owner: it has leaked

    assert results(estate.restore(**types)) == {name: "restored"}
    assert keys_of(iam, name) == {key: "Inactive"}
    assert iam.list_attached_user_policies(UserName=name)["AttachedPolicies"] == []


def function(estate: Estate) -> tuple[Any, str, str]:
    """A function with 7 reserved executions: client, name and ARN."""
    code = BytesIO()
    with ZipFile(code, "w") as archive:
        archive.writestr("a.py", "x = 1")
    aws, name, role = estate.account.client("lambda"), unique("rogue"), unique("lambda")
    made = estate.account.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
    arn = aws.create_function(
        FunctionName=name,
        Role=made["Role"]["Arn"],
        Runtime="python3.12",
        Handler="a.b",
        Code={"ZipFile": code.getvalue()},
        Tags={"project": estate.project},
    )["FunctionArn"]
    aws.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=7)
    return aws, name, arn


def reserved(aws: Any, name: str) -> Any:
    return aws.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")


def test_what_terraform_has_set_since_stays(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    types = also(monkeypatch, "aws_lambda_function")
    aws, name, arn = function(estate)
    estate.both(types=types)
    assert reserved(aws, name) == 0
    aws.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=10)  # adopted, and applied
    estate.bucket.put("other", ("aws_vpc", {"id": estate.vpc}), ("aws_lambda_function", {"id": name, "arn": arn}))
    before = len(estate.account.log())

    found = estate.both(types=types)

    assert results(found) == {name: "restored"}
    assert "somebody has undone its quarantine" in reason(found, name)
    assert estate.touched(before) == []
    assert reserved(aws, name) == 10
    assert estate.ledger()["quarantined"] == {}


def test_undoing_that_broke_off_goes_on(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its first call it looks as if somebody else had undone it."""
    types = also(monkeypatch, "aws_lambda_function")
    aws, name, _arn = function(estate)
    estate.both(types=types)
    weak = replace(estate, account=deny(estate.account, "lambda:PutFunctionConcurrency"))
    with pytest.raises(ModuleFailed):
        weak.restore(types=types)
    assert reserved(aws, name) is None

    assert results(estate.restore(types=types)) == {name: "restored"}
    assert reserved(aws, name) == 7


def test_a_namesake_is_not_restored(estate: Estate) -> None:
    role, iam = estate.role(), estate.account.client("iam")
    estate.both()
    book = estate.ledger()
    ((arn, entry),) = book["quarantined"].items()
    since = (datetime.now(UTC) - timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")  # or it would be the same second
    estate.write_ledger({**book, "quarantined": {arn: {**entry, "since": since}}})
    (policy,) = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=role)
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])  # by whoever made the new one
    before = len(estate.account.log())

    found = estate.restore()

    assert results(found) == {role: "kept"}
    assert "after the quarantine" in reason(found, role)
    assert estate.touched(before) == []
    assert estate.ledger()["quarantined"] == {}


# Others, at the same time


@pytest.mark.parametrize("kind", ["dynamodb", "lockfile"])
@pytest.mark.parametrize("key", ["network/terraform.tfstate", "new/terraform.tfstate"])
@pytest.mark.parametrize("moment", ["scan", "removal"])
def test_a_lock_that_appears_once_ours_are_held_stops_it(
    estate: Estate, clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: str, key: str, moment: str
) -> None:
    """Of a state that is not there yet, and the half of ours that we do not take."""
    group = estate.group()
    locking: dict[str, Any] = {"locking": ["lockfile" if kind == "dynamodb" else "dynamodb"]}
    estate.both(**locking)
    clock.forward(days=8)
    planned = estate.plan()
    where, name = (unmanaged, "_acting") if moment == "scan" else (removal, "_probe")
    original = getattr(where, name)

    def meanwhile(*arguments: Any, **more: Any) -> Any:
        info = json.dumps({"ID": "theirs", "Operation": "OperationTypeApply"})
        if kind == "dynamodb":
            item = {"LockID": {"S": f"{estate.bucket.name}/{key}"}, "Info": {"S": info}}
            estate.account.client("dynamodb").put_item(TableName=estate.bucket.table, Item=item)
        else:
            estate.account.client("s3").put_object(Bucket=estate.bucket.name, Key=f"{key}.tflock", Body=info.encode())
        return original(*arguments, **more)

    monkeypatch.setattr(where, name, meanwhile)

    assert "theirs" in estate.refusal(lambda: estate.apply(planned, locked=True, **locking))
    assert estate.has(group)
    assert len(estate.locks()) == 1  # only theirs


def test_what_is_restored_meanwhile_is_not_removed(
    estate: Estate, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [estate.group(), estate.group()]
    estate.both()
    clock.forward(days=8)
    planned, original = estate.plan(), removal._remove

    def meanwhile(*arguments: Any) -> None:
        estate.write_ledger({**estate.ledger(), "quarantined": {}})  # what restoring marks does
        original(*arguments)

    monkeypatch.setattr(removal, "_remove", meanwhile)

    with pytest.raises(ModuleFailed, match="was written by another run") as failure:
        estate.apply(planned)

    assert set(results(failure.value.result).values()) == {"failed"}
    assert [estate.has(each) for each in groups] == [True, True]


def test_a_state_that_is_written_meanwhile_refuses(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock is not ours."""
    estate.group()
    planned, original = estate.plan(), unmanaged._acting

    def meanwhile(*arguments: Any, **more: Any) -> Any:
        estate.bucket.put("new", ("aws_vpc", {"id": estate.vpc}))
        return original(*arguments, **more)

    monkeypatch.setattr(unmanaged, "_acting", meanwhile)

    why = estate.refusal(lambda: estate.apply(planned))
    assert "state new/terraform.tfstate was written just now, without being locked here" in why


def test_a_lock_that_cannot_be_released_fails_and_says_what_was_done(estate: Estate) -> None:
    group, planned = estate.group(), estate.plan()
    weak = replace(estate, account=deny(estate.account, "dynamodb:DeleteItem"))

    with pytest.raises(ModuleFailed, match="could not be released") as failure:
        weak.apply(planned, locked=True)

    assert results(failure.value.result) == {group: "quarantined"}
    assert failure.value.result["changed"]
    left = {f"{estate.bucket.name}/{key}" for key in ("network/terraform.tfstate", "other/terraform.tfstate")}
    assert set(estate.locks()) == left
    assert "gitops.aws.terraform_lock" in str(failure.value)


# Time and arguments


def test_what_there_was_no_time_for_stays(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    instance, planned, original = estate.instance(), estate.plan(), removal.carry_out

    def late(acting: removal.Acting) -> None:
        acting.deadline = time.monotonic() - 1
        original(acting)

    monkeypatch.setattr(removal, "carry_out", late)
    found = estate.apply(planned)

    assert results(found) == {instance: "blocked"}
    assert reason(found, instance) == "the time was over before it was its turn"
    assert estate.state_of(instance) == "running"
    assert estate.ledger()["quarantined"] == {}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"timeout": 0}, "timeout: 0 is not allowed"),
        ({"timeout": -1}, "timeout: -1 is not allowed"),
        ({"locking": []}, "locking: it is empty"),
    ],
)
@pytest.mark.parametrize("state", ["planned", "applied", "restored"])
def test_what_makes_no_sense_is_refused_without_a_call(
    estate: Estate, more: dict[str, Any], why: str, state: str
) -> None:
    given = estate.arguments(state=state, digest="0" * 64, confirm_account_id=ACCOUNT, **more)
    before = len(estate.account.log())

    assert why in estate.refusal(lambda: estate.account.run("unmanaged_resources", **given))
    assert estate.account.all_calls_since(before) == []
