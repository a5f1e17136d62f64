# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of AWS have interfaces of their own, and an Auto Scaling group has instances."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.local_aws.support import REGION, LocalAws, unique
from tests.unit.local_aws.test_ec2_parts import AMI, Network, code


@pytest.fixture
def network(local_aws: LocalAws) -> Network:
    return Network(local_aws)


def test_a_nat_gateway_has_an_address_until_it_is_deleted(network: Network) -> None:
    ec2 = network.ec2
    allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
    assert code(ec2.create_nat_gateway, SubnetId=network.subnet, AllocationId="eipalloc-00000000000000000") == (
        "InvalidAllocationID.NotFound"
    )
    made = ec2.create_nat_gateway(SubnetId=network.subnet, AllocationId=allocation)["NatGateway"]["NatGatewayId"]
    (interface,) = network.interfaces("subnet-id", network.subnet)
    assert interface["RequesterManaged"]
    assert (interface["InterfaceType"], interface["Association"]["AllocationId"]) == ("nat_gateway", allocation)
    (address,) = ec2.describe_nat_gateways(NatGatewayIds=[made])["NatGateways"][0]["NatGatewayAddresses"]
    assert address["AllocationId"] == allocation
    assert address["NetworkInterfaceId"] == interface["NetworkInterfaceId"]
    assert code(ec2.release_address, AllocationId=allocation) == "InvalidIPAddress.InUse"
    ec2.delete_nat_gateway(NatGatewayId=made)
    assert network.interfaces("subnet-id", network.subnet) == []
    ec2.release_address(AllocationId=allocation)


def test_an_interface_endpoint_has_interfaces(network: Network) -> None:
    made = network.ec2.create_vpc_endpoint(
        VpcId=network.vpc,
        ServiceName=f"com.amazonaws.{REGION}.ssm",
        VpcEndpointType="Interface",
        SubnetIds=[network.subnet],
        SecurityGroupIds=[network.group],
    )["VpcEndpoint"]
    (interface,) = network.interfaces("subnet-id", network.subnet)
    assert interface["RequesterManaged"]
    assert made["NetworkInterfaceIds"] == [interface["NetworkInterfaceId"]]
    assert [each["GroupId"] for each in made["Groups"]] == [network.group]
    assert made["CreationTimestamp"]
    assert code(network.ec2.delete_security_group, GroupId=network.group) == "DependencyViolation"
    network.ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    assert network.interfaces("subnet-id", network.subnet) == []


def test_a_load_balancer(local_aws: LocalAws, network: Network) -> None:
    elb = local_aws.client("elbv2")
    targets = elb.create_target_group(Name=unique("t"), Protocol="HTTP", Port=80, VpcId=network.vpc)
    group = targets["TargetGroups"][0]["TargetGroupArn"]
    made = elb.create_load_balancer(Name=unique("lb"), Subnets=[network.subnet])["LoadBalancers"][0]
    arn = made["LoadBalancerArn"]
    assert made["VpcId"] == network.vpc
    (interface,) = network.interfaces("subnet-id", network.subnet)
    assert interface["RequesterManaged"]
    assert interface["Attachment"]["InstanceOwnerId"] == "amazon-elb"
    assert interface["Description"] == f"ELB {arn.partition(':loadbalancer/')[2]}"
    elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[network.group])
    (interface,) = network.interfaces("group-id", network.group)
    assert code(network.ec2.detach_network_interface, AttachmentId=interface["Attachment"]["AttachmentId"]) == (
        "OperationNotPermitted"
    )
    elb.create_listener(LoadBalancerArn=arn, Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    assert code(elb.delete_target_group, TargetGroupArn=group) == "ResourceInUse"
    protection = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=protection)
    assert code(elb.delete_load_balancer, LoadBalancerArn=arn) == "OperationNotPermitted"
    protection[0]["Value"] = "false"
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=protection)
    elb.delete_load_balancer(LoadBalancerArn=arn)
    assert network.interfaces("subnet-id", network.subnet) == []
    (left,) = elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"]
    assert left["LoadBalancerArns"] == []
    elb.delete_target_group(TargetGroupArn=group)


class Group:
    """An Auto Scaling group with a launch template."""

    def __init__(self, local_aws: LocalAws, network: Network, **more: Any) -> None:
        self.api, self.ec2, self.name = local_aws.client("autoscaling"), network.ec2, unique("scaling")
        template = network.ec2.create_launch_template(
            LaunchTemplateName=unique("template"),
            LaunchTemplateData={"ImageId": AMI, "InstanceType": "t3.nano", "SecurityGroupIds": [network.group]},
        )["LaunchTemplate"]
        self.template = template["LaunchTemplateId"]
        self.api.create_auto_scaling_group(
            AutoScalingGroupName=self.name,
            LaunchTemplate={"LaunchTemplateName": template["LaunchTemplateName"], "Version": "$Latest"},
            MinSize=0,
            MaxSize=3,
            DesiredCapacity=2,
            VPCZoneIdentifier=network.subnet,
            Tags=[{"Key": "team", "Value": "one", "PropagateAtLaunch": True}],
            **more,
        )

    def describe(self) -> dict[str, Any]:
        (found,) = self.api.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        return dict(found)

    def instances(self) -> list[dict[str, Any]]:
        ids = [each["InstanceId"] for each in self.describe()["Instances"]]
        found = self.ec2.describe_instances(InstanceIds=ids)["Reservations"] if ids else []
        return [each for reservation in found for each in reservation["Instances"]]


def test_a_groups_instances_are_there(local_aws: LocalAws, network: Network) -> None:
    group = Group(local_aws, network)
    first, second = group.instances()
    assert group.describe()["LaunchTemplate"]["LaunchTemplateId"] == group.template
    for each in (first, second):
        tags = {tag["Key"]: tag["Value"] for tag in each["Tags"]}
        assert tags == {"team": "one", "aws:autoscaling:groupName": group.name}
        assert (each["SubnetId"], each["InstanceType"]) == (network.subnet, "t3.nano")
        assert [one["GroupId"] for one in each["SecurityGroups"]] == [network.group]
    group.ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    now = [each["InstanceId"] for each in group.instances()]
    assert len(now) == 2
    assert first["InstanceId"] not in now
    group.api.set_desired_capacity(AutoScalingGroupName=group.name, DesiredCapacity=0)
    assert group.instances() == []
    assert network.instance(second["InstanceId"])["State"]["Name"] == "terminated"
    assert network.interfaces("subnet-id", network.subnet) == []


def test_a_group_with_instances_is_deleted_by_force_only(local_aws: LocalAws, network: Network) -> None:
    group = Group(local_aws, network)
    assert code(group.api.delete_auto_scaling_group, AutoScalingGroupName=group.name) == "ResourceInUse"
    group.api.delete_auto_scaling_group(AutoScalingGroupName=group.name, ForceDelete=True)
    assert network.interfaces("subnet-id", network.subnet) == []
    assert code(group.api.delete_auto_scaling_group, AutoScalingGroupName=group.name) == "ValidationError"


def test_a_suspended_group_launches_nothing(local_aws: LocalAws, network: Network) -> None:
    group = Group(local_aws, network, TargetGroupARNs=["arn:aws:elasticloadbalancing:::targetgroup/one/1"])
    group.api.suspend_processes(AutoScalingGroupName=group.name, ScalingProcesses=["Launch"])
    group.api.set_desired_capacity(AutoScalingGroupName=group.name, DesiredCapacity=3)
    now = group.describe()
    assert (len(now["Instances"]), now["DesiredCapacity"]) == (2, 3)
    assert [each["ProcessName"] for each in now["SuspendedProcesses"]] == ["Launch"]
    assert now["TargetGroupARNs"] == ["arn:aws:elasticloadbalancing:::targetgroup/one/1"]
    group.api.resume_processes(AutoScalingGroupName=group.name, ScalingProcesses=["Launch"])
    now = group.describe()
    assert (len(now["Instances"]), now["SuspendedProcesses"]) == (3, [])
    group.api.suspend_processes(AutoScalingGroupName=group.name)
    assert len(group.describe()["SuspendedProcesses"]) == 9
    group.api.resume_processes(AutoScalingGroupName=group.name)
    assert group.describe()["SuspendedProcesses"] == []
    assert code(group.api.suspend_processes, AutoScalingGroupName="none") == "ValidationError"
