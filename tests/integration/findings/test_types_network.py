# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of EC2, VPC, load balancing and Auto Scaling against what local AWS answers, and against Terraform."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws
from ansible_collections.gitops.aws.plugins.module_utils._findings import expressions
from ansible_collections.gitops.aws.plugins.module_utils._findings.inventory import (
    Inventory,
    answer_to,
    whoami,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import (
    COMPLETE,
    COPY_TAG,
    Call,
    Listing,
    Resource,
    Type,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings.types import balancing, compute, network
from tests.integration.modules.harness import REGION, Account, unique
from tests.integration.terraform.client import ROOT, SETTINGS, Terraform, environment

TYPES: dict[str, Type] = {kind.name: kind for file in (compute, network, balancing) for kind in file.TYPES}
HERE = Path(__file__).resolve().parent
AMI = "ami-0abcdef1234567890"


class Connection(Aws):
    """The module's connection as the scanner; clients are the account's, which are made once."""

    def __init__(self, account: Account) -> None:
        self.check_mode, self.concurrency, self.calls = False, 4, Counter()
        self.account = account

    def client(self, service: str) -> Any:
        return self.account.client(service)

    def in_region(self, region: str) -> Aws:
        assert region == REGION
        return self


def list_type(aws: Aws, kind: Type, region: str) -> tuple[list[Resource], Listing]:
    """All resources of one type in a region."""
    inventory = Inventory(aws, whoami(aws), [region])
    inventory.read([kind])
    return list(inventory.resources.values()), inventory.listings[0]


def read_one(aws: Aws, resource: Resource) -> Resource | None:
    """The resource as it is now, None where it is gone."""
    return Inventory(aws, whoami(aws), [resource.region or REGION]).again(resource)


@pytest.fixture(scope="module")
def aws(account: Account) -> Aws:
    return Connection(account)


class Planted:
    """One resource of each type, as somebody makes them by hand; ids by type."""

    def __init__(self, account: Account) -> None:
        self.ec2, self.elb = account.client("ec2"), account.client("elbv2")
        self.scaling = account.client("autoscaling")
        self.ids: dict[str, str] = {}
        self.more: dict[str, str] = {}  # ids of what AWS made beside them
        self._network()
        self._compute()
        self._balancing()

    def _network(self) -> None:
        ec2, ids = self.ec2, self.ids
        ids["aws_vpc_dhcp_options"] = ec2.create_dhcp_options(
            DhcpConfigurations=[{"Key": "domain-name", "Values": ["example.com"]}]
        )["DhcpOptions"]["DhcpOptionsId"]
        vpc = ids["aws_vpc"] = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        ec2.associate_dhcp_options(DhcpOptionsId=ids["aws_vpc_dhcp_options"], VpcId=vpc)
        subnet = ids["aws_subnet"] = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        ids["aws_internet_gateway"] = gateway
        ids["aws_eip"] = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=ids["aws_eip"])["NatGateway"]
        ids["aws_nat_gateway"] = nat["NatGatewayId"]
        table = ids["aws_route_table"] = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        acl = ids["aws_network_acl"] = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        of_default = [
            one["NetworkAclAssociationId"]
            for found in ec2.describe_network_acls()["NetworkAcls"]
            for one in found["Associations"]
            if one["SubnetId"] == subnet
        ]
        ec2.replace_network_acl_association(AssociationId=of_default[0], NetworkAclId=acl)
        group = ec2.create_security_group(GroupName=unique("group"), Description="by hand", VpcId=vpc)["GroupId"]
        other = ec2.create_security_group(GroupName=unique("group"), Description="by hand", VpcId=vpc)["GroupId"]
        self.ids["aws_security_group"], self.more["other_group"] = group, other
        for one, named in ((group, other), (other, group)):
            pair = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": named}]}]
            ec2.authorize_security_group_ingress(GroupId=one, IpPermissions=pair)
        ids["aws_network_interface"] = ec2.create_network_interface(SubnetId=subnet, Groups=[group])[
            "NetworkInterface"
        ]["NetworkInterfaceId"]
        ids["aws_vpc_endpoint"] = ec2.create_vpc_endpoint(
            VpcId=vpc,
            ServiceName=f"com.amazonaws.{REGION}.ssm",
            VpcEndpointType="Interface",
            SubnetIds=[subnet],
            SecurityGroupIds=[group],
        )["VpcEndpoint"]["VpcEndpointId"]
        peer = self.more["peer"] = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
        peering = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer)["VpcPeeringConnection"]
        ids["aws_vpc_peering_connection"] = peering["VpcPeeringConnectionId"]
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering["VpcPeeringConnectionId"])
        ids["aws_flow_log"] = ec2.create_flow_logs(
            ResourceIds=[vpc],
            ResourceType="VPC",
            TrafficType="ALL",
            LogDestinationType="s3",
            LogDestination="arn:aws:s3:::flow-logs",
        )["FlowLogIds"][0]

    def _compute(self) -> None:
        ec2, ids = self.ec2, self.ids
        ids["aws_key_pair"] = ec2.create_key_pair(KeyName=unique("key"))["KeyName"]
        instance = ec2.run_instances(
            ImageId=AMI,
            MinCount=1,
            MaxCount=1,
            SubnetId=ids["aws_subnet"],
            SecurityGroupIds=[ids["aws_security_group"]],
            KeyName=ids["aws_key_pair"],
        )["Instances"][0]
        ids["aws_instance"] = instance["InstanceId"]
        self.more["root_volume"] = instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        self.more["primary_interface"] = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
        volume = ids["aws_ebs_volume"] = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
        ec2.attach_volume(VolumeId=volume, InstanceId=ids["aws_instance"], Device="/dev/sdf")
        ids["aws_ebs_snapshot"] = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        ids["aws_ami"] = ec2.register_image(
            Name=unique("image"),
            RootDeviceName="/dev/xvda",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": ids["aws_ebs_snapshot"]}}],
        )["ImageId"]
        ids["aws_launch_template"] = ec2.create_launch_template(
            LaunchTemplateName=unique("template"),
            LaunchTemplateData={
                "ImageId": AMI,
                "KeyName": ids["aws_key_pair"],
                "IamInstanceProfile": {"Name": "a-profile"},
                "SecurityGroupIds": [ids["aws_security_group"]],
            },
        )["LaunchTemplate"]["LaunchTemplateId"]

    def _balancing(self) -> None:
        ids = self.ids
        group = self.elb.create_target_group(Name=unique("targets"), Protocol="HTTP", Port=80, VpcId=ids["aws_vpc"])
        ids["aws_lb_target_group"] = group["TargetGroups"][0]["TargetGroupArn"]
        balancer = self.elb.create_load_balancer(
            Name=unique("balancer"), Subnets=[ids["aws_subnet"]], SecurityGroups=[ids["aws_security_group"]]
        )
        ids["aws_lb"] = balancer["LoadBalancers"][0]["LoadBalancerArn"]
        self.elb.create_listener(
            LoadBalancerArn=ids["aws_lb"],
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": ids["aws_lb_target_group"]}],
        )
        ids["aws_autoscaling_group"] = unique("scaling")
        self.scaling.create_auto_scaling_group(
            AutoScalingGroupName=ids["aws_autoscaling_group"],
            LaunchTemplate={"LaunchTemplateId": ids["aws_launch_template"], "Version": "$Latest"},
            MinSize=1,
            MaxSize=3,
            DesiredCapacity=2,
            VPCZoneIdentifier=ids["aws_subnet"],
            TargetGroupARNs=[ids["aws_lb_target_group"]],
        )


@pytest.fixture(scope="module")
def planted(account: Account) -> Planted:
    return Planted(account)


@pytest.fixture(scope="module")
def found(aws: Aws, planted: Planted) -> dict[str, dict[str, Resource]]:
    """All resources by type and id, after one of each was made."""
    assert set(planted.ids) == set(TYPES)
    result = {}
    for name, kind in TYPES.items():
        resources, listing = list_type(aws, kind, REGION)
        assert listing.status == COMPLETE, listing.message
        result[name] = {one.id: one for one in resources}
    return result


def one(found: dict[str, dict[str, Resource]], planted: Planted, name: str) -> Resource:
    return found[name][planted.ids[name]]


# AWS does not say when these were made; of an interface it says when it was attached.
TIMELESS = {
    *("aws_eip", "aws_network_interface", "aws_security_group", "aws_internet_gateway", "aws_route_table"),
    *("aws_network_acl", "aws_subnet", "aws_vpc", "aws_vpc_dhcp_options", "aws_vpc_peering_connection"),
    "aws_lb_target_group",
}


@pytest.mark.parametrize("name", TYPES)
def test_one_that_is_listed_is_read_as_the_same(
    name: str, aws: Aws, found: dict[str, dict[str, Resource]], planted: Planted
) -> None:
    listed = one(found, planted, name)
    read = read_one(aws, listed)
    assert read is not None
    assert (read.id, read.arn, read.title) == (listed.id, listed.arn, listed.title)
    assert read.refs == listed.refs
    assert listed.arn.startswith("arn:aws:")
    assert f":{REGION}:" in listed.arn
    # No reason, by what it is, to leave it alone.
    for reasons in (TYPES[name].aws_default, TYPES[name].service_managed):
        assert expressions.first_reason(reasons, listed.element) == ("", "")
    assert (listed.created is None) == (name in TIMELESS)


def test_one_that_is_not_there_is_none(aws: Aws, found: dict[str, dict[str, Resource]], planted: Planted) -> None:
    for name in TYPES:
        listed = one(found, planted, name)
        gone = listed.id[:-4] + ("0000" if listed.id[-4:] != "0000" else "1111")
        other = Resource(listed.type, gone, listed.arn, listed.region, {})
        assert read_one(aws, other) is None, name


REFS = {
    "aws_instance": {
        *("aws_vpc", "aws_subnet", "aws_security_group", "aws_ebs_volume", "root_volume", "primary_interface"),
        "aws_key_pair",
    },
    "aws_ebs_volume": set(),
    "aws_ami": {"aws_ebs_snapshot"},
    "aws_autoscaling_group": {"aws_subnet", "aws_launch_template", "aws_lb_target_group"},
    "aws_network_interface": {"aws_vpc", "aws_subnet", "aws_security_group"},
    "aws_security_group": {"aws_vpc", "other_group"},
    "aws_nat_gateway": {"aws_vpc", "aws_subnet", "aws_eip"},
    "aws_vpc_endpoint": {"aws_vpc", "aws_subnet", "aws_security_group"},
    "aws_internet_gateway": {"aws_vpc"},
    "aws_route_table": {"aws_vpc", "aws_internet_gateway"},
    "aws_network_acl": {"aws_vpc"},
    "aws_subnet": {"aws_vpc"},
    "aws_vpc": {"aws_vpc_dhcp_options"},
    "aws_vpc_peering_connection": {"aws_vpc", "peer"},
    "aws_flow_log": {"aws_vpc"},
    "aws_lb": {"aws_vpc", "aws_subnet", "aws_security_group"},
    "aws_lb_target_group": {"aws_vpc"},
}
USED_BY = {
    "aws_ebs_volume": {"aws_instance"},
    "aws_lb_target_group": {"aws_lb"},
    "aws_route_table": {"aws_subnet"},
    "aws_network_acl": {"aws_subnet"},
}


@pytest.mark.parametrize("name", TYPES)
def test_what_it_stands_on_and_what_stands_on_it(
    name: str, found: dict[str, dict[str, Resource]], planted: Planted
) -> None:
    resource, ids = one(found, planted, name), planted.ids | planted.more
    refs = {part for text in resource.refs for part in text.split(",")}
    assert refs - {"local", "arn:aws:s3:::flow-logs", AMI} == {ids[each] for each in REFS.get(name, ())}
    users = {text for each in TYPES[name].used_by for text in expressions.texts(each, resource.element)}
    if name == "aws_eip":  # the interface of the NAT gateway
        assert len(users) == 1
        assert found["aws_network_interface"][users.pop()].element["RequesterManaged"]
    else:
        assert users == {ids[each] for each in USED_BY.get(name, ())}


def test_what_a_launch_template_names(aws: Aws, planted: Planted) -> None:
    kind, identity = TYPES["aws_launch_template"], planted.ids["aws_launch_template"]
    resource = Resource(kind, identity, identity, REGION, {})
    assert resource.needs_more
    Inventory(aws, whoami(aws), [REGION]).complete(resource)

    assert not resource.needs_more
    assert set(resource.refs) == {AMI, "a-profile", planted.ids["aws_key_pair"], planted.ids["aws_security_group"]}


def part_of(resource: Resource) -> dict[str, Any]:
    """What a resource is a part of."""
    wholes = {name: expressions.value(each, resource.element) for name, each in resource.type.part_of.items()}
    return {name: whole for name, whole in wholes.items() if isinstance(whole, str)}


def test_parts_of_instances(found: dict[str, dict[str, Resource]], planted: Planted) -> None:
    instance = {"aws_instance": planted.ids["aws_instance"]}
    volumes, interfaces = found["aws_ebs_volume"], found["aws_network_interface"]
    assert part_of(volumes[planted.more["root_volume"]]) == instance
    assert part_of(interfaces[planted.more["primary_interface"]]) == instance
    assert part_of(volumes[planted.ids["aws_ebs_volume"]]) == {}
    assert part_of(interfaces[planted.ids["aws_network_interface"]]) == {}


def test_instances_of_a_group(found: dict[str, dict[str, Resource]], planted: Planted) -> None:
    group = planted.ids["aws_autoscaling_group"]
    own = [each for each in found["aws_instance"].values() if part_of(each) == {"aws_autoscaling_group": group}]
    assert len(own) == 2
    assert all(each.tags["aws:autoscaling:groupName"] == group for each in own)


def test_interfaces_of_services(found: dict[str, dict[str, Resource]]) -> None:
    kinds = {
        each.element["InterfaceType"]
        for each in found["aws_network_interface"].values()
        if expressions.first_reason(each.type.service_managed, each.element)[0]
    }
    assert kinds == {"nat_gateway", "vpc_endpoint", "interface"}  # the last one is that of the load balancer


def test_what_aws_makes_in_every_account(found: dict[str, dict[str, Resource]], planted: Planted) -> None:
    vpcs = {key: each for key, each in found["aws_vpc"].items() if each.element["IsDefault"]}
    (default,) = vpcs
    made = {
        name: {
            key
            for key, each in found[name].items()
            if expressions.first_reason(each.type.aws_default, each.element)[0]
            or expressions.value(each.type.default_with, each.element) in vpcs
        }
        for name in TYPES
    }
    assert made["aws_vpc"] == {default}
    assert len(made["aws_subnet"]) == 3
    assert {found["aws_subnet"][each].element["VpcId"] for each in made["aws_subnet"]} == {default}
    assert len(made["aws_vpc_dhcp_options"]) == len(made["aws_internet_gateway"]) == 1
    of_vpcs = {default, planted.ids["aws_vpc"], planted.more["peer"]}
    for name in ("aws_security_group", "aws_route_table", "aws_network_acl"):
        assert {part_of(found[name][each])["aws_vpc"] for each in made[name]} == of_vpcs
        assert len(made[name]) == len(of_vpcs)
    assert sum(bool(each) for each in made.values()) == 7


def test_what_somebody_protects(aws: Aws, planted: Planted) -> None:
    ids = planted.ids
    planted.ec2.modify_instance_attribute(InstanceId=ids["aws_instance"], DisableApiTermination={"Value": True})
    planted.elb.modify_load_balancer_attributes(
        LoadBalancerArn=ids["aws_lb"], Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}]
    )
    planted.elb.add_tags(ResourceArns=[ids["aws_lb"]], Tags=[{"Key": "a", "Value": "b"}])
    inventory = Inventory(aws, whoami(aws), [REGION])
    found = {name: now(aws, name, ids[name]) for name in ("aws_instance", "aws_lb", "aws_lb_target_group")}
    for resource in found.values():
        inventory.complete(resource)
    try:
        for name in ("aws_instance", "aws_lb"):
            assert expressions.first_reason(TYPES[name].guarded, found[name].element)[0]
            with pytest.raises(ClientError) as caught:
                perform(aws, found[name], found[name].type.remove)
            assert caught.value.response["Error"]["Code"] == "OperationNotPermitted"
        assert found["aws_lb"].tags == {"a": "b"}
        assert found["aws_lb_target_group"].tags == {}
    finally:
        planted.ec2.modify_instance_attribute(InstanceId=ids["aws_instance"], DisableApiTermination={"Value": False})
        planted.elb.modify_load_balancer_attributes(
            LoadBalancerArn=ids["aws_lb"], Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}]
        )


def words_of(aws: Aws, resource: Resource, stamp: str = "20261126040000", **more: Any) -> dict[str, Any]:
    """What stands for {id} and so on while a plan with this stamp is carried out."""
    inventory = Inventory(aws, whoami(aws), [REGION])
    inventory.stamp = stamp
    return inventory.words(resource, **more)


def perform(aws: Aws, resource: Resource, calls: tuple[Call, ...], kept: dict[str, Any] | None = None) -> None:
    """Makes calls in their order, as a removal does."""
    words = words_of(aws, resource, kept=kept or {})
    for call in calls:
        elements: Any = [None]
        if call.each:
            elements = expressions.value(call.each, {"element": resource.element, "kept": kept or {}}) or []
        for element in elements:
            answer_to(aws, resource.type.service, call, {**words, "each": element})


def again(aws: Aws, resource: Resource) -> Resource:
    """The resource as it is now; it must be there."""
    read = read_one(aws, resource)
    assert read is not None
    return read


def now(aws: Aws, name: str, identity: str) -> Resource:
    """The resource with this id as it is now."""
    return again(aws, Resource(TYPES[name], identity, identity, REGION, {}))


def quarantined(aws: Aws, resource: Resource) -> dict[str, Any]:
    """Puts a resource into quarantine; what was kept."""
    quarantine = resource.type.quarantine
    assert quarantine
    kept = {name: expressions.value(each, resource.element) for name, each in quarantine.keep.items()}
    assert not expressions.value(quarantine.done, resource.element)
    perform(aws, resource, quarantine.do, kept)
    assert expressions.value(quarantine.done, again(aws, resource).element)
    return kept


def test_an_instance_is_stopped_and_started(aws: Aws, found: dict[str, dict[str, Resource]], planted: Planted) -> None:
    instance = one(found, planted, "aws_instance")
    quarantine = instance.type.quarantine
    assert quarantine
    kept = quarantined(aws, instance)
    assert again(aws, instance).element["State"]["Name"] == "stopped"
    perform(aws, instance, quarantine.undo, {"state": "stopped"})
    assert again(aws, instance).element["State"]["Name"] == "stopped"
    perform(aws, instance, quarantine.undo, kept)
    assert again(aws, instance).element["State"]["Name"] == "running"


@pytest.mark.parametrize("suspended", [[], ["Launch", "AZRebalance"]], ids=["free", "suspended"])
def test_a_group_shrinks_and_grows(
    suspended: list[str], aws: Aws, found: dict[str, dict[str, Resource]], planted: Planted
) -> None:
    group, name = one(found, planted, "aws_autoscaling_group"), planted.ids["aws_autoscaling_group"]
    quarantine = group.type.quarantine
    assert quarantine
    if suspended:
        planted.scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=suspended)
    before = again(aws, group)
    instances = [each["InstanceId"] for each in before.element["Instances"]]
    kept = quarantined(aws, before)
    element = again(aws, group).element
    assert (element["MinSize"], element["MaxSize"], element["DesiredCapacity"], element["Instances"]) == (0, 0, 0, [])
    assert "Launch" in [each["ProcessName"] for each in element["SuspendedProcesses"]]
    left = [each.id for each in list_type(aws, TYPES["aws_instance"], REGION)[0]]
    assert instances
    assert not set(instances) & set(left)
    perform(aws, group, quarantine.undo, kept)
    element = again(aws, group).element
    assert (element["MinSize"], element["MaxSize"], element["DesiredCapacity"]) == (1, 3, 2)
    assert len(element["Instances"]) == (0 if suspended else 2)
    assert sorted(each["ProcessName"] for each in element["SuspendedProcesses"]) == sorted(suspended)
    perform(aws, group, (Call("resume_processes", {"AutoScalingGroupName": "{id}"}),))


def copied(aws: Aws, resource: Resource) -> None:
    """Makes the copies, twice as after an interruption, and sees that they are complete.

    Those of another plan do not count: what is on the disks may be another by then.
    """
    kind = resource.type
    assert kind.copied
    words = words_of(aws, resource)
    assert not answer_to(aws, kind.service, kind.copied, words)
    for _attempt in range(2):
        perform(aws, resource, kind.copies)
    assert answer_to(aws, kind.service, kind.copied, words) is True
    assert not answer_to(aws, kind.service, kind.copied, words_of(aws, resource, stamp="20270101000000"))


def test_everything_goes_in_its_order(aws: Aws, planted: Planted) -> None:
    """Each is refused while something stands on it, and goes when that is gone."""
    ids, more = planted.ids, planted.more
    resources = {name: now(aws, name, identity) for name, identity in ids.items()}
    order = sorted(TYPES, key=lambda name: TYPES[name].rank)

    def remove(name: str) -> None:
        perform(aws, again(aws, resources[name]), TYPES[name].remove)

    in_use = {
        "aws_vpc": "DependencyViolation",
        "aws_subnet": "DependencyViolation",
        "aws_vpc_dhcp_options": "DependencyViolation",
        "aws_route_table": "DependencyViolation",
        "aws_network_acl": "DependencyViolation",
        "aws_internet_gateway": "DependencyViolation",
        "aws_ebs_volume": "VolumeInUse",
        "aws_ebs_snapshot": "InvalidSnapshot.InUse",
        "aws_eip": "InvalidIPAddress.InUse",
        "aws_lb_target_group": "ResourceInUse",
        "aws_autoscaling_group": "ResourceInUse",
    }
    for name, code in in_use.items():
        with pytest.raises(ClientError) as caught:
            remove(name)
        assert caught.value.response["Error"]["Code"] == code, name
    for each in ("aws_instance", "aws_ebs_volume"):
        copied(aws, resources[each])

    group = resources["aws_autoscaling_group"]
    quarantined(aws, again(aws, group))
    remove("aws_autoscaling_group")
    for name in order:
        if name == "aws_security_group":
            # Two groups name each other: the first try has taken this one's rules, so that the other one can go.
            with pytest.raises(ClientError, match="DependencyViolation"):
                remove(name)
            perform(aws, now(aws, name, more["other_group"]), TYPES[name].remove)
        if name != "aws_autoscaling_group":
            remove(name)
    for name, resource in resources.items():
        assert read_one(aws, resource) is None, name
    left, _listing = list_type(aws, TYPES["aws_network_interface"], REGION)
    assert [each for each in left if ids["aws_vpc"] in each.refs] == []
    volumes, _listing = list_type(aws, TYPES["aws_ebs_volume"], REGION)
    assert more["root_volume"] not in [each.id for each in volumes]
    images, _listing = list_type(aws, TYPES["aws_ami"], REGION)
    assert [each.tags[COPY_TAG] for each in images] == [ids["aws_instance"]]


@pytest.fixture(scope="module")
def terraform(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Terraform, which has made one of each type."""
    terraform = Terraform(tmp_path_factory.mktemp("types"), environment(account.endpoint_url, account.onlooker))
    (terraform.directory / "settings.tf").write_text(SETTINGS % REGION, encoding="utf-8")
    shutil.copy(HERE / "network" / "main.tf", terraform.directory)
    shutil.copy(ROOT / "tf" / ".terraform.lock.hcl", terraform.directory)
    terraform.run("init", "-lockfile=readonly")
    terraform.apply()
    return terraform


def state_of(terraform: Terraform) -> dict[str, dict[str, Any]]:
    """What Terraform's state says of the resource `one` of each type."""
    state = json.loads((terraform.directory / "terraform.tfstate").read_text(encoding="utf-8"))
    return {each["type"]: each["instances"][0]["attributes"] for each in state["resources"] if each["name"] == "one"}


def test_terraform_sees_no_change_in_what_it_made(terraform: Terraform) -> None:
    plan = terraform.run("plan", "-no-color")
    assert "No changes." in plan, plan


@pytest.fixture(scope="module")
def states(account: Account, terraform: Terraform) -> dict[str, dict[str, Any]]:
    """What Terraform's state says of one resource of each type. The load balancer is imported by what we call it."""
    made = state_of(terraform)
    balancer = account.client("elbv2").create_load_balancer(
        Name="types", Scheme="internal", Subnets=[made["aws_subnet"]["id"]]
    )
    shutil.copy(HERE / "network" / "balancer.tf", terraform.directory)
    terraform.run("import", "aws_lb.one", balancer["LoadBalancers"][0]["LoadBalancerArn"])
    return state_of(terraform)


@pytest.mark.parametrize("name", TYPES)
def test_ids_and_arns_are_those_of_terraforms_state(name: str, aws: Aws, states: dict[str, dict[str, Any]]) -> None:
    resources, _listing = list_type(aws, TYPES[name], REGION)
    own = {each.id: each for each in resources}
    attributes = states[name]
    assert attributes["id"] in own
    resource = own[attributes["id"]]
    # The provider gives no ARN to some types; ours is then that of AWS's authorisation reference.
    assert resource.arn == attributes.get("arn", resource.arn)
    imported = expressions.value(resource.type.import_id, resource.element) or resource.id
    assert imported == attributes["id"]
