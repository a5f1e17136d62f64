# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS deletes nothing that something else stands on, and with DryRun=true nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ministack.services import alb, ec2

from local_aws.ec2_parts import DEFAULT_OPTIONS, Answer, Handler, Record, Request, around, error
from local_aws.ec2_services import listeners_of


def apply() -> None:
    """Install it in MiniStack, after ec2_parts and ec2_services."""
    for action, (member, users, message) in _IN_USE.items():
        refused(action, member, users, message)
    instances_in_use()
    addresses_in_use()
    gateways_stay_while_addresses_are_mapped()
    load_balancers_are_protected()
    dry_runs()


def groups_of(record: Record) -> list[str]:
    """The groups that the rules of a security group name."""
    rules = [*record["IpPermissions"], *record["IpPermissionsEgress"]]
    return [str(pair.get("GroupId")) for rule in rules for pair in rule.get("UserIdGroupPairs", [])]


def users_of_group(group_id: str) -> Iterator[object]:
    """What uses a security group: interfaces, which instances and services have, too, and rules of other groups."""
    yield from (one for one in ec2._network_interfaces.values() if group_id in [g["GroupId"] for g in one["Groups"]])
    yield from (key for key, one in ec2._security_groups.items() if key != group_id and group_id in groups_of(one))


def users_of_subnet(subnet_id: str) -> Iterator[object]:
    """The interfaces in a subnet: all that is in it has one."""
    yield from (one for one in ec2._network_interfaces.values() if one["SubnetId"] == subnet_id)


def users_of_vpc(vpc_id: str) -> Iterator[object]:
    """What is in a VPC, beyond what MiniStack looks for itself and what goes with it."""
    yield from (one for one in ec2._network_interfaces.values() if one["VpcId"] == vpc_id)
    yield from (one for one in ec2._vpc_endpoints.values() if one["VpcId"] == vpc_id)
    yield from (acl for acl in ec2._network_acls.values() if acl["VpcId"] == vpc_id and not acl["IsDefault"])
    for table in ec2._route_tables.values():
        if table["VpcId"] == vpc_id and not any(each.get("Main") for each in table["Associations"]):
            yield table
    for peering in ec2._vpc_peering.values():
        sides = (peering["RequesterVpcInfo"]["VpcId"], peering["AccepterVpcInfo"]["VpcId"])
        if vpc_id in sides and peering["Status"]["Code"] == "active":
            yield peering


def users_of_options(options_id: str) -> Iterator[object]:
    """The VPCs that use a set of DHCP options; the default one is never free."""
    yield from ([options_id] if options_id == DEFAULT_OPTIONS else [])
    yield from (vpc for vpc in ec2._vpcs.values() if vpc["DhcpOptionsId"] == options_id)


def users_of_acl(acl_id: str) -> Iterator[object]:
    """The subnets of a network ACL."""
    yield from ec2._network_acls.get(acl_id, {"Associations": []})["Associations"]


def users_of_table(table_id: str) -> Iterator[object]:
    """The subnets of a route table; and its VPC, of the main one."""
    yield from ec2._route_tables.get(table_id, {"Associations": []})["Associations"]


def users_of_gateway(gateway_id: str) -> Iterator[object]:
    """The VPC of an internet gateway."""
    yield from ec2._internet_gateways.get(gateway_id, {"Attachments": []})["Attachments"]


Users = Callable[[str], Iterator[object]]
_IN_USE: dict[str, tuple[str, Users, str]] = {
    "DeleteSecurityGroup": ("GroupId", users_of_group, "resource {} has a dependent object"),
    "DeleteSubnet": ("SubnetId", users_of_subnet, "The subnet '{}' has dependencies and cannot be deleted."),
    "DeleteVpc": ("VpcId", users_of_vpc, "The vpc '{}' has dependencies and cannot be deleted."),
    "DeleteDhcpOptions": (
        "DhcpOptionsId",
        users_of_options,
        "The dhcpOptions '{}' has dependencies and cannot be deleted.",
    ),
    "DeleteNetworkAcl": (
        "NetworkAclId",
        users_of_acl,
        "The networkAcl '{}' has dependencies and cannot be deleted.",
    ),
    "DeleteRouteTable": (
        "RouteTableId",
        users_of_table,
        "The routeTable '{}' has dependencies and cannot be deleted.",
    ),
    "DeleteInternetGateway": (
        "InternetGatewayId",
        users_of_gateway,
        "The internetGateway '{}' has dependencies and cannot be deleted.",
    ),
}


def refused(action: str, member: str, users: Users, message: str) -> None:
    """The action is a DependencyViolation while the resource has users."""

    def handle(original: Handler, request: Request) -> Answer:
        identity = ec2._p(request, member)
        default = ec2._security_groups.get(identity, {}).get("GroupName") == "default"  # has another refusal
        if not default and next(iter(users(identity)), None) is not None:
            return error("DependencyViolation", message.format(identity))
        return original(request)

    around(ec2._ACTION_MAP, action, handle)


def instances_in_use() -> None:
    """Neither an interface in use goes, nor AWS's own from its place, nor a snapshot of an image."""

    def delete_interface(original: Handler, request: Request) -> Answer:
        identity = ec2._p(request, "NetworkInterfaceId")
        if ec2._network_interfaces.get(identity, {}).get("Status") == "in-use":
            return error("InvalidParameterValue", f"Network interface '{identity}' is currently in use.")
        return original(request)

    def detach(original: Handler, request: Request) -> Answer:
        identity = ec2._p(request, "AttachmentId")
        for one in ec2._network_interfaces.values():
            place = one["Attachment"] or {}
            if place.get("AttachmentId") != identity:
                continue
            if one.get("RequesterManaged"):
                return error("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments.")
            if place["DeviceIndex"] == 0:
                message = "The network interface at device index 0 and networkCard index 0 cannot be detached."
                return error("OperationNotPermitted", message)
        return original(request)

    def delete_snapshot(original: Handler, request: Request) -> Answer:
        identity = ec2._p(request, "SnapshotId")
        for image in ec2._images.values():
            if identity in [mapping.get("Ebs", {}).get("SnapshotId") for mapping in image["BlockDeviceMappings"]]:
                message = f"The snapshot {identity} is currently in use by {image['ImageId']}"
                return error("InvalidSnapshot.InUse", message)
        return original(request)

    around(ec2._ACTION_MAP, "DeleteNetworkInterface", delete_interface)
    around(ec2._ACTION_MAP, "DetachNetworkInterface", detach)
    around(ec2._ACTION_MAP, "DeleteSnapshot", delete_snapshot)


def addresses_in_use() -> None:
    """An elastic address that is associated is not released."""

    def release(original: Handler, request: Request) -> Answer:
        address = ec2._addresses.get(ec2._p(request, "AllocationId"))
        if address and address["AssociationId"]:
            return error("InvalidIPAddress.InUse", f"Address {address['PublicIp']} is in use.")
        return original(request)

    around(ec2._ACTION_MAP, "ReleaseAddress", release)


def gateways_stay_while_addresses_are_mapped() -> None:
    """An internet gateway is not detached from a VPC in which elastic addresses are in use."""

    def detach(original: Handler, request: Request) -> Answer:
        vpc_id = ec2._p(request, "VpcId")
        mapped = [one["NetworkInterfaceId"] for one in ec2._addresses.values() if one["NetworkInterfaceId"]]
        if any(ec2._network_interfaces.get(each, {}).get("VpcId") == vpc_id for each in mapped):
            message = (
                f"Network {vpc_id} has some mapped public address(es). "
                "Please unmap those public address(es) before detaching the gateway."
            )
            return error("DependencyViolation", message)
        return original(request)

    around(ec2._ACTION_MAP, "DetachInternetGateway", detach)


def load_balancers_are_protected() -> None:
    """A load balancer with deletion protection stays, and a target group that a listener sends to."""

    def delete(original: Handler, request: Request) -> Answer:
        arn = alb._p(request, "LoadBalancerArn")
        if {"Key": "deletion_protection.enabled", "Value": "true"} in alb._lb_attrs.get(arn, []):
            message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
            return error("OperationNotPermitted", message, alb)
        return original(request)

    def delete_group(original: Handler, request: Request) -> Answer:
        arn = alb._p(request, "TargetGroupArn")
        if listeners_of(arn):
            message = f"Target group '{arn}' is currently in use by a listener or a rule"
            return error("ResourceInUse", message, alb)
        return original(request)

    around(alb._ACTION_MAP, "DeleteLoadBalancer", delete)
    around(alb._ACTION_MAP, "DeleteTargetGroup", delete_group)


def dry_runs() -> None:
    """A call with DryRun=true changes nothing, and says whether its caller was allowed to make it."""

    def probed(original: Handler, request: Request) -> Answer:
        if ec2._p(request, "DryRun") == "true":
            return error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412)
        return original(request)

    for action in ec2._ACTION_MAP:
        around(ec2._ACTION_MAP, action, probed)
