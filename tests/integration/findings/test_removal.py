# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""unmanaged_resources: plan, quarantine, undoing it, removal, and everything that keeps a resource."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue, removal, scan
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
            "attribution_calls": 0,
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
        return self.account.run("unmanaged_resources", **self.arguments(state="restored", **more))

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

    def state_of(self, instance: str) -> str:
        answer = self.ec2.describe_instances(InstanceIds=[instance])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def has(self, group: str) -> bool:
        return any(each["GroupId"] == group for each in self.ec2.describe_security_groups()["SecurityGroups"])


def results(found: dict[str, Any]) -> dict[str, str]:
    """What became of each resource, by the last part of its ARN."""
    return {each["arn"].replace("/", ":").rpartition(":")[2]: each["result"] for each in found["results"]}


def reason(found: dict[str, Any], identity: str) -> str:
    return str(next(each["reason"] for each in found["results"] if each["arn"].endswith(identity)))


def actions(found: dict[str, Any]) -> dict[str, str]:
    return {item["id"]: item["action"] for item in found["plan"]["items"]}


def item_of(found: dict[str, Any], identity: str) -> dict[str, Any]:
    item: dict[str, Any] = next(each for each in found["plan"]["items"] if each["id"] == identity)
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
    assert estate.plan()["plan"]["items"] == []
    clock.forward(days=7, minutes=1)
    last = estate.plan()
    assert set(actions(last).values()) == {"remove"}
    assert [item["id"] for item in last["plan"]["items"]] == [instance, volume, group, subnet, vpc, role]
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
    assert after["plan"]["items"] == []


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


def test_same_plan_again_changes_nothing(estate: Estate) -> None:
    group = estate.group()
    planned = estate.plan()
    estate.apply(planned)

    found = estate.apply(planned)

    assert not found["changed"]
    assert results(found) == {group: "kept"}
    assert "in quarantine until" in reason(found, group)


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
    undone = estate.account.run("unmanaged_resources", check=True, **estate.arguments(state="restored"))
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


def test_what_was_made_anew_under_the_same_name_is_kept(estate: Estate, clock: Clock) -> None:
    role, iam = estate.role(), estate.account.client("iam")
    clock.forward(seconds=-5)  # or the new one would be made in the second of the plan
    planned = estate.plan()
    iam.delete_role(RoleName=role)
    iam.create_role(
        RoleName=role,
        AssumeRolePolicyDocument=json.dumps(TRUST),
        Tags=[{"Key": "project", "Value": estate.project}],
    )

    found = estate.apply(planned)

    assert results(found) == {role: "kept"}
    assert "after the plan" in reason(found, role)


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

    assert [each for each in order if mutates(each)] == ["s3:PutObject", "ec2:StopInstances", "s3:PutObject"]
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
