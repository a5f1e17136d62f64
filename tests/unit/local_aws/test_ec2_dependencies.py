# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS deletes nothing that something else stands on."""

from __future__ import annotations

import pytest

from tests.unit.local_aws.support import REGION, LocalAws, allow, unique
from tests.unit.local_aws.test_ec2_parts import Network, code

VIOLATION = "DependencyViolation"


@pytest.fixture
def network(local_aws: LocalAws) -> Network:
    return Network(local_aws)


def test_a_network_with_an_instance(network: Network) -> None:
    ec2 = network.ec2
    made = network.run()["InstanceId"]
    assert code(ec2.delete_subnet, SubnetId=network.subnet) == VIOLATION
    assert code(ec2.delete_security_group, GroupId=network.group) == VIOLATION
    ec2.terminate_instances(InstanceIds=[made])
    ec2.delete_subnet(SubnetId=network.subnet)
    assert code(ec2.delete_vpc, VpcId=network.vpc) == VIOLATION  # of the group
    ec2.delete_security_group(GroupId=network.group)
    ec2.delete_vpc(VpcId=network.vpc)


def test_a_subnet_and_a_group_with_an_interface(network: Network) -> None:
    ec2 = network.ec2
    made = ec2.create_network_interface(SubnetId=network.subnet, Groups=[network.group])["NetworkInterface"]
    assert code(ec2.delete_subnet, SubnetId=network.subnet) == VIOLATION
    assert code(ec2.delete_security_group, GroupId=network.group) == VIOLATION
    ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterfaceId"])
    ec2.delete_security_group(GroupId=network.group)
    ec2.delete_subnet(SubnetId=network.subnet)


def test_groups_that_name_each_other(network: Network) -> None:
    ec2, other = network.ec2, network.new_group()
    rule = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": network.group}]}]
    for group in (other, network.group):  # a rule that names its own group keeps nothing
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    assert code(ec2.delete_security_group, GroupId=network.group) == VIOLATION
    ec2.delete_security_group(GroupId=other)
    ec2.delete_security_group(GroupId=network.group)
    default = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [network.vpc]}])["SecurityGroups"]
    assert code(ec2.delete_security_group, GroupId=default[0]["GroupId"]) == "CannotDelete"


def test_a_vpc_with_a_table_an_acl_or_an_endpoint(network: Network) -> None:
    ec2, vpc = network.ec2, network.vpc
    ec2.delete_security_group(GroupId=network.group)
    ec2.delete_subnet(SubnetId=network.subnet)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    assert code(ec2.delete_vpc, VpcId=vpc) == VIOLATION
    ec2.delete_route_table(RouteTableId=table)
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    assert code(ec2.delete_vpc, VpcId=vpc) == VIOLATION
    ec2.delete_network_acl(NetworkAclId=acl)
    endpoint = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3")["VpcEndpoint"]
    assert code(ec2.delete_vpc, VpcId=vpc) == VIOLATION
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    peer = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    peering = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer)["VpcPeeringConnection"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering["VpcPeeringConnectionId"])
    assert code(ec2.delete_vpc, VpcId=vpc) == VIOLATION
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering["VpcPeeringConnectionId"])
    ec2.delete_vpc(VpcId=vpc)


def test_route_tables_in_use(network: Network) -> None:
    ec2 = network.ec2
    (main,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network.vpc]}])["RouteTables"]
    assert code(ec2.delete_route_table, RouteTableId=main["RouteTableId"]) == VIOLATION
    own = ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=own, SubnetId=network.subnet)
    assert code(ec2.delete_route_table, RouteTableId=own) == VIOLATION
    ec2.delete_subnet(SubnetId=network.subnet)
    ec2.delete_route_table(RouteTableId=own)


def test_internet_gateways_in_use(network: Network) -> None:
    ec2 = network.ec2
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc)
    assert code(ec2.delete_internet_gateway, InternetGatewayId=gateway) == VIOLATION
    allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = network.run()["InstanceId"]
    ec2.associate_address(AllocationId=allocation, InstanceId=made)
    assert code(ec2.detach_internet_gateway, InternetGatewayId=gateway, VpcId=network.vpc) == VIOLATION
    assert code(ec2.release_address, AllocationId=allocation) == "InvalidIPAddress.InUse"
    ec2.terminate_instances(InstanceIds=[made])
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)


def test_dhcp_options_in_use(network: Network) -> None:
    ec2 = network.ec2
    (vpc,) = ec2.describe_vpcs(VpcIds=[network.vpc])["Vpcs"]
    assert code(ec2.delete_dhcp_options, DhcpOptionsId=vpc["DhcpOptionsId"]) == VIOLATION
    own = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["a"]}])["DhcpOptions"]
    ec2.associate_dhcp_options(DhcpOptionsId=own["DhcpOptionsId"], VpcId=network.vpc)
    assert code(ec2.delete_dhcp_options, DhcpOptionsId=own["DhcpOptionsId"]) == VIOLATION
    ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=network.vpc)
    ec2.delete_dhcp_options(DhcpOptionsId=own["DhcpOptionsId"])


def test_interfaces_in_use(network: Network) -> None:
    (primary,) = network.run()["NetworkInterfaces"]
    named = {"NetworkInterfaceId": primary["NetworkInterfaceId"]}
    assert code(network.ec2.delete_network_interface, **named) == "InvalidParameterValue"
    attachment = primary["Attachment"]["AttachmentId"]
    assert code(network.ec2.detach_network_interface, AttachmentId=attachment) == "OperationNotPermitted"


def test_volumes_in_use(network: Network) -> None:
    root = network.run()["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert code(network.ec2.delete_volume, VolumeId=root) == "VolumeInUse"


def test_a_dry_run_changes_nothing_and_asks_for_permission(local_aws: LocalAws, network: Network) -> None:
    made = network.run()["InstanceId"]
    assert code(network.ec2.terminate_instances, InstanceIds=[made], DryRun=True) == "DryRunOperation"
    assert network.instance(made)["State"]["Name"] == "running"
    assert code(network.ec2.delete_vpc, VpcId=network.vpc, DryRun=True) == "DryRunOperation"
    nobody = local_aws.client("ec2", local_aws.user(unique("user"), allow("ec2:DescribeVpcs")))
    assert code(nobody.terminate_instances, InstanceIds=[made], DryRun=True) == "UnauthorizedOperation"
