# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Networks: VPCs and what is in them."""

from __future__ import annotations

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Type

# Subnets, and what is in them, that another account shares with us are that account's.
_OWN = {"Filters": [{"Name": "owner-id", "Values": ["{account}"]}]}

ADDRESS = Type(
    name="aws_eip",
    service="ec2",
    list=Call("describe_addresses", result="Addresses"),
    read=Call(
        "describe_addresses",
        {"AllocationIds": ["{id}"]},
        "Addresses[0]",
        missing=("InvalidAllocationID.NotFound",),
    ),
    id="AllocationId",
    arn="arn:{partition}:ec2:{region}:{account}:elastic-ip/{id}",
    title="PublicIp",
    tags="Tags",
    service_managed={"an AWS service runs it": "ServiceManaged"},
    used_by=("InstanceId", "NetworkInterfaceId"),
    rank=30,
    remove=(Call("release_address", {"AllocationId": "{id}"}),),
    recover="Ask for the same address again (allocate-address --address), as long as nobody else has got it.",
)

INTERFACE = Type(
    name="aws_network_interface",
    service="ec2",
    list=Call("describe_network_interfaces", _OWN, "NetworkInterfaces"),
    read=Call(
        "describe_network_interfaces",
        {"NetworkInterfaceIds": ["{id}"]},
        "NetworkInterfaces[0]",
        missing=("InvalidNetworkInterfaceID.NotFound",),
    ),
    id="NetworkInterfaceId",
    arn="arn:{partition}:ec2:{region}:{account}:network-interface/{id}",
    created="Attachment.AttachTime",  # of the attachment; AWS does not say it of the interface
    tags="TagSet",
    service_managed={
        "an AWS service made it": "RequesterManaged",
        "an AWS service runs it": "Operator.Managed",
        "it is of a kind that only AWS services make": "!contains(['interface', 'efa', 'efa-only'], "
        "not_null(InterfaceType, 'interface'))",
        "it is attached to what another account runs": "Attachment.InstanceOwnerId && "
        "Attachment.InstanceOwnerId != OwnerId",
    },
    part_of={"aws_instance": "Attachment.DeleteOnTermination && Attachment.InstanceId"},
    refs=("VpcId", "SubnetId", "Groups[].GroupId", "Association.AllocationId"),
    used_by=("Attachment.InstanceId",),
    rank=30,
    # One that is attached is not detached: AWS refuses, and that is right.
    remove=(Call("delete_network_interface", {"NetworkInterfaceId": "{id}"}),),
    recover="Create one with the same private address in the same subnet. It gets a new id and another MAC address.",
)

SECURITY_GROUP = Type(
    name="aws_security_group",
    service="ec2",
    list=Call("describe_security_groups", _OWN, "SecurityGroups"),
    read=Call(
        "describe_security_groups",
        {"GroupIds": ["{id}"]},
        "SecurityGroups[0]",
        missing=("InvalidGroup.NotFound",),
    ),
    id="GroupId",
    arn="arn:{partition}:ec2:{region}:{account}:security-group/{id}",
    title="GroupName",
    tags="Tags",
    aws_default={"it is the default security group of its VPC": "GroupName == 'default'"},
    part_of={"aws_vpc": "GroupName == 'default' && VpcId"},
    refs=(
        "VpcId",
        "IpPermissions[].UserIdGroupPairs[].GroupId",
        "IpPermissionsEgress[].UserIdGroupPairs[].GroupId",
    ),
    rank=40,
    # Two groups that name each other could never go: what this one says of others goes first.
    remove=(
        Call(
            "revoke_security_group_ingress",
            {"GroupId": "{id}", "IpPermissions": ["{each}"]},
            each="element.IpPermissions[?UserIdGroupPairs]",
        ),
        Call(
            "revoke_security_group_egress",
            {"GroupId": "{id}", "IpPermissions": ["{each}"]},
            each="element.IpPermissionsEgress[?UserIdGroupPairs]",
        ),
        Call("delete_security_group", {"GroupId": "{id}"}),
    ),
    recover="Write it again, with its rules. It gets a new id.",
)

NAT_GATEWAY = Type(
    name="aws_nat_gateway",
    service="ec2",
    list=Call("describe_nat_gateways", result="NatGateways"),
    read=Call(
        "describe_nat_gateways",
        {"NatGatewayIds": ["{id}"]},
        "NatGateways[0]",
        missing=("NatGatewayNotFound",),
    ),
    id="NatGatewayId",
    arn="arn:{partition}:ec2:{region}:{account}:natgateway/{id}",
    created="CreateTime",
    tags="Tags",
    gone="contains(['deleting', 'deleted'], State)",
    refs=(
        "VpcId",
        "SubnetId",
        "NatGatewayAddresses[].AllocationId",
    ),
    rank=20,
    remove=(Call("delete_nat_gateway", {"NatGatewayId": "{id}"}),),
    recover="Create one in the same subnet, with the same address if that is still there.",
)

ENDPOINT = Type(
    name="aws_vpc_endpoint",
    service="ec2",
    list=Call("describe_vpc_endpoints", result="VpcEndpoints"),
    read=Call(
        "describe_vpc_endpoints",
        {"VpcEndpointIds": ["{id}"]},
        "VpcEndpoints[0]",
        missing=("InvalidVpcEndpointId.NotFound",),
    ),
    id="VpcEndpointId",
    arn="arn:{partition}:ec2:{region}:{account}:vpc-endpoint/{id}",
    created="CreationTimestamp",
    tags="Tags",
    gone="contains(['deleting', 'deleted', 'Deleting', 'Deleted'], State)",
    service_managed={"an AWS service made it": "RequesterManaged"},
    refs=("VpcId", "SubnetIds", "RouteTableIds", "Groups[].GroupId"),
    rank=20,
    remove=(Call("delete_vpc_endpoints", {"VpcEndpointIds": ["{id}"]}, "Unsuccessful[].Error.Message"),),
    recover="Create one for the same service, with its policy.",
)

INTERNET_GATEWAY = Type(
    name="aws_internet_gateway",
    service="ec2",
    list=Call("describe_internet_gateways", _OWN, "InternetGateways"),
    read=Call(
        "describe_internet_gateways",
        {"InternetGatewayIds": ["{id}"]},
        "InternetGateways[0]",
        missing=("InvalidInternetGatewayID.NotFound",),
    ),
    id="InternetGatewayId",
    arn="arn:{partition}:ec2:{region}:{account}:internet-gateway/{id}",
    tags="Tags",
    default_with="Attachments[0].VpcId",
    refs=("Attachments[].VpcId",),
    rank=70,
    remove=(
        Call(
            "detach_internet_gateway",
            {"InternetGatewayId": "{id}", "VpcId": "{each}"},
            each="element.Attachments[].VpcId",
        ),
        Call("delete_internet_gateway", {"InternetGatewayId": "{id}"}),
    ),
    recover="Create one, attach it, and name it in the routes.",
)

ROUTE_TABLE = Type(
    name="aws_route_table",
    service="ec2",
    list=Call("describe_route_tables", _OWN, "RouteTables"),
    read=Call(
        "describe_route_tables",
        {"RouteTableIds": ["{id}"]},
        "RouteTables[0]",
        missing=("InvalidRouteTableID.NotFound",),
    ),
    id="RouteTableId",
    arn="arn:{partition}:ec2:{region}:{account}:route-table/{id}",
    tags="Tags",
    aws_default={"it is the main route table of its VPC": "Associations[?Main]"},
    part_of={"aws_vpc": "Associations[?Main] && VpcId"},
    refs=(
        "VpcId",
        "Routes[].GatewayId",
        "Routes[].NatGatewayId",
        "Routes[].InstanceId",
        "Routes[].NetworkInterfaceId",
        "Routes[].VpcPeeringConnectionId",
    ),
    # Without its table a subnet would follow the main one, which routes elsewhere.
    used_by=("Associations[?!Main].SubnetId", "Associations[?!Main].GatewayId"),
    rank=60,
    remove=(Call("delete_route_table", {"RouteTableId": "{id}"}),),
    recover="Write it again, with its routes. It gets a new id.",
)

NETWORK_ACL = Type(
    name="aws_network_acl",
    service="ec2",
    list=Call("describe_network_acls", _OWN, "NetworkAcls"),
    read=Call(
        "describe_network_acls",
        {"NetworkAclIds": ["{id}"]},
        "NetworkAcls[0]",
        missing=("InvalidNetworkAclID.NotFound",),
    ),
    id="NetworkAclId",
    arn="arn:{partition}:ec2:{region}:{account}:network-acl/{id}",
    tags="Tags",
    aws_default={"it is the default ACL of its VPC": "IsDefault"},
    part_of={"aws_vpc": "IsDefault && VpcId"},
    refs=("VpcId",),
    used_by=("Associations[].SubnetId",),
    rank=60,
    remove=(Call("delete_network_acl", {"NetworkAclId": "{id}"}),),
    recover="Write it again, with its rules. It gets a new id.",
)

SUBNET = Type(
    name="aws_subnet",
    service="ec2",
    list=Call("describe_subnets", _OWN, "Subnets"),
    read=Call("describe_subnets", {"SubnetIds": ["{id}"]}, "Subnets[0]", missing=("InvalidSubnetID.NotFound",)),
    id="SubnetId",
    arn="arn:{partition}:ec2:{region}:{account}:subnet/{id}",
    tags="Tags",
    aws_default={"it is the default subnet of its zone": "DefaultForAz"},
    refs=("VpcId",),
    rank=50,
    remove=(Call("delete_subnet", {"SubnetId": "{id}"}),),
    recover="Write it again with the same range. It gets a new id.",
)

VPC = Type(
    name="aws_vpc",
    service="ec2",
    list=Call("describe_vpcs", _OWN, "Vpcs"),
    read=Call("describe_vpcs", {"VpcIds": ["{id}"]}, "Vpcs[0]", missing=("InvalidVpcID.NotFound",)),
    id="VpcId",
    arn="arn:{partition}:ec2:{region}:{account}:vpc/{id}",
    tags="Tags",
    aws_default={"it is the default VPC": "IsDefault"},
    refs=("DhcpOptionsId",),
    rank=80,
    remove=(Call("delete_vpc", {"VpcId": "{id}"}),),
    recover="Write it again with the same range. It gets a new id.",
)

# What AWS's own set consists of: its name servers, and the region's domain.
_AMAZON_DNS = "DhcpConfigurations[?Key=='domain-name-servers'].Values[].Value | [0] == 'AmazonProvidedDNS'"
_AMAZON_DOMAIN = (
    "DhcpConfigurations[?Key=='domain-name'].Values[].Value | "
    "[?@ == 'ec2.internal' || ends_with(@, '.compute.internal') || ends_with(@, '.compute.amazonaws.com.cn')]"
)

DHCP_OPTIONS = Type(
    name="aws_vpc_dhcp_options",
    service="ec2",
    list=Call("describe_dhcp_options", _OWN, "DhcpOptions"),
    read=Call(
        "describe_dhcp_options",
        {"DhcpOptionsIds": ["{id}"]},
        "DhcpOptions[0]",
        missing=("InvalidDhcpOptionID.NotFound", "InvalidDhcpOptionsID.NotFound"),
    ),
    id="DhcpOptionsId",
    arn="arn:{partition}:ec2:{region}:{account}:dhcp-options/{id}",
    tags="Tags",
    aws_default={
        "it says what AWS's own set says": f"length(DhcpConfigurations) == `2` && ({_AMAZON_DNS}) && ({_AMAZON_DOMAIN})"
    },
    rank=85,
    remove=(Call("delete_dhcp_options", {"DhcpOptionsId": "{id}"}),),
    recover="Write it again, and associate it with its VPCs.",
)

PEERING = Type(
    name="aws_vpc_peering_connection",
    service="ec2",
    list=Call("describe_vpc_peering_connections", result="VpcPeeringConnections"),
    read=Call(
        "describe_vpc_peering_connections",
        {"VpcPeeringConnectionIds": ["{id}"]},
        "VpcPeeringConnections[0]",
        missing=("InvalidVpcPeeringConnectionID.NotFound",),
    ),
    id="VpcPeeringConnectionId",
    arn="arn:{partition}:ec2:{region}:{account}:vpc-peering-connection/{id}",
    tags="Tags",
    gone="contains(['deleting', 'deleted', 'rejected', 'expired', 'failed'], Status.Code)",
    refs=("RequesterVpcInfo.VpcId", "AccepterVpcInfo.VpcId"),
    rank=20,
    remove=(Call("delete_vpc_peering_connection", {"VpcPeeringConnectionId": "{id}"}),),
    recover="Ask for a new one, which the other side has to accept, and name it in the routes.",
)

FLOW_LOG = Type(
    name="aws_flow_log",
    service="ec2",
    list=Call("describe_flow_logs", result="FlowLogs"),
    read=Call("describe_flow_logs", {"FlowLogIds": ["{id}"]}, "FlowLogs[0]", missing=("InvalidFlowLogId.NotFound",)),
    id="FlowLogId",
    arn="arn:{partition}:ec2:{region}:{account}:vpc-flow-log/{id}",
    created="CreationTime",
    tags="Tags",
    refs=("ResourceId", "LogDestination", "DeliverLogsPermissionArn"),
    rank=20,
    remove=(Call("delete_flow_logs", {"FlowLogIds": ["{id}"]}, "Unsuccessful[].Error.Message"),),
    recover="Write it again. What it has written stays.",
)

TYPES = (
    ADDRESS,
    INTERFACE,
    SECURITY_GROUP,
    NAT_GATEWAY,
    ENDPOINT,
    INTERNET_GATEWAY,
    ROUTE_TABLE,
    NETWORK_ACL,
    SUBNET,
    VPC,
    DHCP_OPTIONS,
    PEERING,
    FLOW_LOG,
)
