# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS makes beside a resource of EC2 is there, and goes with it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import REGION, LocalAws, unique

AMI = "ami-0abcdef1234567890"


def code(call: Any, **arguments: Any) -> str:
    """The error code of a call that fails."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


class Network:
    """A VPC with a subnet and a security group, for one test."""

    def __init__(self, local_aws: LocalAws) -> None:
        self.ec2 = local_aws.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        self.group = self.new_group()

    def new_group(self) -> str:
        made = self.ec2.create_security_group(GroupName=unique("group"), Description="one", VpcId=self.vpc)
        return str(made["GroupId"])

    def run(self, **more: Any) -> dict[str, Any]:
        """A new instance in the subnet."""
        given = {"SubnetId": self.subnet, "SecurityGroupIds": [self.group], "ImageId": AMI, **more}
        made: dict[str, Any] = self.ec2.run_instances(MinCount=1, MaxCount=1, **given)["Instances"][0]
        return made

    def instance(self, instance_id: str) -> dict[str, Any]:
        found = self.ec2.describe_instances(InstanceIds=[instance_id])
        return dict(found["Reservations"][0]["Instances"][0])

    def interfaces(self, name: str, value: str) -> list[dict[str, Any]]:
        found = self.ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])
        return list(found["NetworkInterfaces"])


@pytest.fixture
def network(local_aws: LocalAws) -> Network:
    return Network(local_aws)


def test_a_new_account_has_its_defaults(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2", region="eu-west-3")
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    assert vpc["IsDefault"]
    (options,) = ec2.describe_dhcp_options(DhcpOptionsIds=[vpc["DhcpOptionsId"]])["DhcpOptions"]
    says = {each["Key"]: [one["Value"] for one in each["Values"]] for each in options["DhcpConfigurations"]}
    assert says == {"domain-name": ["eu-west-3.compute.internal"], "domain-name-servers": ["AmazonProvidedDNS"]}
    assert [each["DefaultForAz"] for each in ec2.describe_subnets()["Subnets"]] == [True] * 3
    (acl,) = ec2.describe_network_acls()["NetworkAcls"]
    assert acl["IsDefault"]
    assert len(acl["Associations"]) == 3
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    assert gateway["Attachments"][0]["VpcId"] == vpc["VpcId"]
    (table,) = ec2.describe_route_tables()["RouteTables"]
    assert table["Associations"][0]["Main"]
    assert [each["GroupName"] for each in ec2.describe_security_groups()["SecurityGroups"]] == ["default"]


def test_an_instance_has_an_interface_which_goes_with_it(network: Network) -> None:
    made = network.run()
    (own,) = made["NetworkInterfaces"]
    (interface,) = network.interfaces("attachment.instance-id", made["InstanceId"])
    assert interface["NetworkInterfaceId"] == own["NetworkInterfaceId"]
    assert (interface["Status"], interface["SubnetId"]) == ("in-use", network.subnet)
    assert interface["Attachment"]["DeleteOnTermination"]
    assert not interface["RequesterManaged"]
    assert [each["GroupId"] for each in interface["Groups"]] == [network.group]
    network.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    assert network.instance(made["InstanceId"])["State"]["Name"] == "terminated"
    assert network.interfaces("subnet-id", network.subnet) == []


def test_other_volumes_and_interfaces_stay(network: Network) -> None:
    made = network.run()
    root = made["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    volume = network.ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
    network.ec2.attach_volume(VolumeId=volume, InstanceId=made["InstanceId"], Device="/dev/sdf")
    interface = network.ec2.create_network_interface(SubnetId=network.subnet)["NetworkInterface"]["NetworkInterfaceId"]
    network.ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=made["InstanceId"], DeviceIndex=1)
    now = network.instance(made["InstanceId"])
    assert [each["Ebs"]["VolumeId"] for each in now["BlockDeviceMappings"]] == [root, volume]
    assert now["NetworkInterfaces"][1]["NetworkInterfaceId"] == interface
    network.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    assert code(network.ec2.describe_volumes, VolumeIds=[root]) == "InvalidVolume.NotFound"
    assert network.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available"
    (left,) = network.interfaces("subnet-id", network.subnet)
    assert (left["NetworkInterfaceId"], left["Status"]) == (interface, "available")


def test_a_detached_volume_is_the_instances_no_more(network: Network) -> None:
    made = network.run()
    root = made["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    network.ec2.detach_volume(VolumeId=root)
    assert network.instance(made["InstanceId"])["BlockDeviceMappings"] == []


def test_an_instance_is_launched_as_asked(network: Network) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    made = network.run(
        DisableApiTermination=True, TagSpecifications=[{"ResourceType": "volume", "Tags": tags}], SecurityGroupIds=[]
    )
    volume = made["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert network.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Tags"] == tags
    assert [each["GroupName"] for each in made["SecurityGroups"]] == ["default"]
    (interface,) = made["NetworkInterfaces"]
    assert interface["VpcId"] == network.vpc
    assert code(network.ec2.terminate_instances, InstanceIds=[made["InstanceId"]]) == "OperationNotPermitted"
    attribute = {"InstanceId": made["InstanceId"], "Attribute": "disableApiTermination"}
    assert network.ec2.describe_instance_attribute(**attribute)["DisableApiTermination"] == {"Value": True}
    network.ec2.modify_instance_attribute(InstanceId=made["InstanceId"], DisableApiTermination={"Value": False})
    assert network.ec2.describe_instance_attribute(**attribute)["DisableApiTermination"] == {"Value": False}
    network.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])


def test_an_instance_in_the_subnet_of_its_interface(network: Network) -> None:
    made = network.ec2.run_instances(
        ImageId=AMI,
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": network.subnet, "Groups": [network.group]}],
    )["Instances"][0]
    assert made["SubnetId"] == network.subnet
    assert [each["GroupId"] for each in made["SecurityGroups"]] == [network.group]


def test_groups_of_an_instance_are_those_of_its_interface(network: Network) -> None:
    made, other = network.run(), network.new_group()
    network.ec2.modify_instance_attribute(InstanceId=made["InstanceId"], Groups=[other])
    now = network.instance(made["InstanceId"])
    assert [each["GroupId"] for each in now["SecurityGroups"]] == [other]
    assert [each["GroupId"] for each in now["NetworkInterfaces"][0]["Groups"]] == [other]
    assert code(network.ec2.modify_instance_attribute, InstanceId="i-0000000000000dead", Groups=[other]) == (
        "InvalidInstanceID.NotFound"
    )


def test_interfaces_have_tags_and_are_missed(network: Network) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    made = network.ec2.create_network_interface(
        SubnetId=network.subnet, TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}]
    )["NetworkInterface"]
    (found,) = network.interfaces("network-interface-id", made["NetworkInterfaceId"])
    assert found["TagSet"] == tags
    assert [each["GroupName"] for each in found["Groups"]] == ["default"]
    assert network.interfaces("vpc-id", "vpc-00000001") == []
    missing = {"NetworkInterfaceIds": ["eni-00000000000000000"]}
    assert code(network.ec2.describe_network_interfaces, **missing) == "InvalidNetworkInterfaceID.NotFound"


def test_an_address_is_that_of_an_interface(network: Network) -> None:
    allocation = network.ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = network.run()
    interface = made["NetworkInterfaces"][0]["NetworkInterfaceId"]
    network.ec2.associate_address(AllocationId=allocation, InstanceId=made["InstanceId"])
    (address,) = network.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
    assert (address["InstanceId"], address["NetworkInterfaceId"]) == (made["InstanceId"], interface)
    (found,) = network.interfaces("network-interface-id", interface)
    assert found["Association"]["AllocationId"] == allocation
    network.ec2.disassociate_address(AssociationId=address["AssociationId"])
    (address,) = network.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
    assert "NetworkInterfaceId" not in address
    network.ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=interface)
    (address,) = network.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
    assert address["InstanceId"] == made["InstanceId"]
    network.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    (address,) = network.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"]
    assert "AssociationId" not in address
    network.ec2.release_address(AllocationId=allocation)
    assert code(network.ec2.describe_addresses, AllocationIds=[allocation]) == "InvalidAllocationID.NotFound"


def test_an_image_of_an_instance(network: Network) -> None:
    made, name = network.run(), unique("image")
    tags = [{"Key": "a", "Value": "b"}]
    image_id = network.ec2.create_image(
        InstanceId=made["InstanceId"],
        Name=name,
        TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("image", "snapshot")],
    )["ImageId"]
    (image,) = network.ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [name]}])["Images"]
    assert (image["ImageId"], image["State"], image["Tags"]) == (image_id, "available", tags)
    assert image["CreationDate"]
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    (found,) = network.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert found["VolumeId"] == made["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert found["Tags"] == tags
    assert code(network.ec2.create_image, InstanceId=made["InstanceId"], Name=name) == "InvalidAMIName.Duplicate"
    assert code(network.ec2.delete_snapshot, SnapshotId=snapshot) == "InvalidSnapshot.InUse"
    network.ec2.deregister_image(ImageId=image_id)
    network.ec2.delete_snapshot(SnapshotId=snapshot)


def test_key_pairs(local_aws: LocalAws) -> None:
    ec2, name = local_aws.client("ec2"), unique("key")
    tags = [{"Key": "a", "Value": "b"}]
    specification = [{"ResourceType": "key-pair", "Tags": tags}]
    ec2.import_key_pair(KeyName=name, PublicKeyMaterial=b"ssh-rsa AAAA", TagSpecifications=specification)
    (pair,) = ec2.describe_key_pairs(KeyNames=[name])["KeyPairs"]
    assert pair["Tags"] == tags
    assert pair["CreateTime"]
    assert code(ec2.import_key_pair, KeyName=name, PublicKeyMaterial=b"ssh-rsa AAAA") == "InvalidKeyPair.Duplicate"
    assert ec2.describe_key_pairs(KeyPairIds=[pair["KeyPairId"]])["KeyPairs"] == [pair]
    ec2.delete_key_pair(KeyPairId=pair["KeyPairId"])
    assert code(ec2.describe_key_pairs, KeyNames=[name]) == "InvalidKeyPair.NotFound"


def test_a_subnet_has_one_acl(network: Network) -> None:
    def acls() -> dict[str, str]:
        found = network.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [network.vpc]}])
        return {
            acl["NetworkAclId"]: one["NetworkAclAssociationId"]
            for acl in found["NetworkAcls"]
            for one in acl["Associations"]
            if one["SubnetId"] == network.subnet
        }

    ((default, association),) = acls().items()
    own = network.ec2.create_network_acl(VpcId=network.vpc)["NetworkAcl"]["NetworkAclId"]
    network.ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=own)
    assert list(acls()) == [own]
    assert default != own
    assert code(network.ec2.delete_network_acl, NetworkAclId=own) == "DependencyViolation"
    network.ec2.delete_subnet(SubnetId=network.subnet)
    assert acls() == {}
    network.ec2.delete_network_acl(NetworkAclId=own)


def test_a_rule_that_names_a_group_is_revoked_as_it_is_described(network: Network) -> None:
    pair = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": network.new_group()}]}]
    network.ec2.authorize_security_group_ingress(GroupId=network.group, IpPermissions=pair)

    def rules() -> Any:
        return network.ec2.describe_security_groups(GroupIds=[network.group])["SecurityGroups"][0]["IpPermissions"]

    assert len(rules()) == 1
    network.ec2.revoke_security_group_ingress(GroupId=network.group, IpPermissions=rules())
    assert rules() == []


def test_flow_logs_sum_up(network: Network) -> None:
    made = network.ec2.create_flow_logs(
        ResourceIds=[network.vpc],
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::one",
    )["FlowLogIds"]
    assert network.ec2.describe_flow_logs(FlowLogIds=made)["FlowLogs"][0]["MaxAggregationInterval"] == 600
