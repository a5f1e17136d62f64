# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What services have in EC2: NAT gateways, endpoints and load balancers their interfaces, groups their instances."""

from __future__ import annotations

import time
from collections.abc import Callable

from ministack.core.responses import get_account_id
from ministack.services import alb, autoscaling, ec2

from local_aws.ec2_parts import (
    GONE,
    Answer,
    Handler,
    Record,
    Request,
    add_interface,
    around,
    associate,
    elements,
    error,
    group_of_vpc,
    inserted,
    missing,
    new_of,
    of_aws,
    remove_interfaces,
    said,
    take_parts_along,
)


def apply() -> None:
    """Install it in MiniStack, after ec2_parts."""
    nat_gateways()
    endpoints()
    load_balancers()
    groups_have_instances()
    groups_are_suspended()


def nat_gateways() -> None:
    """A NAT gateway has an interface and an address, which it gives back when it is deleted."""

    def description(nat_id: str) -> str:
        return f"Interface for NAT Gateway {nat_id}"

    def with_addresses(answer: Answer) -> Answer:
        status, headers, body = answer
        text = body.decode()
        for nat_id in ec2._nat_gateways:
            before, found, after = text.partition(f"<natGatewayId>{nat_id}</natGatewayId>")
            own = [one for one in ec2._network_interfaces.values() if one["Description"] == description(nat_id)]
            says = "".join(
                f"<networkInterfaceId>{one['NetworkInterfaceId']}</networkInterfaceId>"
                f"<privateIp>{one['PrivateIpAddress']}</privateIp>"
                + "".join(
                    f"<allocationId>{a['AllocationId']}</allocationId><publicIp>{a['PublicIp']}</publicIp>"
                    f"<associationId>{a['AssociationId']}</associationId>"
                    for a in ec2._addresses.values()
                    if a["NetworkInterfaceId"] == one["NetworkInterfaceId"]
                )
                for one in own
            )
            if says:
                after = after.replace("<natGatewayAddressSet/>", elements("natGatewayAddressSet", [says]), 1)
            text = before + found + after
        return status, headers, text.encode()

    def create(original: Handler, request: Request) -> Answer:
        allocation_id = ec2._p(request, "AllocationId")
        if allocation_id and allocation_id not in ec2._addresses:
            return missing("InvalidAllocationID.NotFound", "allocation ID", allocation_id)
        if ec2._p(request, "SubnetId") not in ec2._subnets:
            return missing("InvalidSubnetID.NotFound", "subnet ID", ec2._p(request, "SubnetId"))
        answers: list[Answer] = []
        for one in new_of(ec2._nat_gateways, lambda: answers.append(original(request))):
            aws = of_aws("nat_gateway", get_account_id(), "amazon-aws")
            made = add_interface(one["SubnetId"], [], description(one["NatGatewayId"]), **aws)
            made["Groups"] = []
            if allocation_id:
                associate(allocation_id, made["NetworkInterfaceId"])
        return with_addresses(answers[0])

    def delete(original: Handler, request: Request) -> Answer:
        remove_interfaces(description(ec2._p(request, "NatGatewayId")))
        return original(request)

    around(ec2._ACTION_MAP, "CreateNatGateway", create)
    around(ec2._ACTION_MAP, "DescribeNatGateways", lambda original, request: with_addresses(original(request)))
    around(ec2._ACTION_MAP, "DeleteNatGateway", delete)


def endpoints() -> None:
    """An interface endpoint has an interface in each of its subnets; an endpoint says its groups and its time."""
    original_words: Callable[..., str] = ec2._vpce_fields_xml

    def description(endpoint_id: str) -> str:
        return f"VPC Endpoint Interface {endpoint_id}"

    def words(record: Record, tag: str = "item") -> str:
        own = [
            one["NetworkInterfaceId"]
            for one in ec2._network_interfaces.values()
            if one["Description"] == description(record["VpcEndpointId"])
        ]
        groups = [f"<groupId>{group}</groupId>" for group in record.get("Groups", [])]
        more = f"<creationTimestamp>{record['CreationTimestamp']}</creationTimestamp>" if "Groups" in record else ""
        more += "<requesterManaged>false</requesterManaged>"
        more += elements("networkInterfaceIdSet", own) + elements("groupSet", groups)
        return original_words(record, tag).removesuffix(f"</{tag}>") + f"{more}</{tag}>"

    def create(original: Handler, request: Request) -> Answer:
        answers: list[Answer] = []
        for one in new_of(ec2._vpc_endpoints, lambda: answers.append(original(request))):
            interface = one["VpcEndpointType"] == "Interface"
            groups = ec2._parse_member_list(request, "SecurityGroupId")
            one["Groups"] = groups or ([group_of_vpc(one["VpcId"])] if interface else [])
            one["CreationTimestamp"] = ec2._now_ts()
            for subnet_id in one["SubnetIds"] if interface else []:
                aws = of_aws("vpc_endpoint", "727180483921", "amazon-aws")
                add_interface(subnet_id, one["Groups"], description(one["VpcEndpointId"]), **aws)
            return said("CreateVpcEndpoint", ec2._vpce_fields_xml(one, tag="vpcEndpoint"))
        return answers[0]

    def delete(original: Handler, request: Request) -> Answer:
        for each in ec2._parse_member_list(request, "VpcEndpointId"):
            remove_interfaces(description(each))
        return original(request)

    ec2._vpce_fields_xml = words
    around(ec2._ACTION_MAP, "CreateVpcEndpoint", create)
    around(ec2._ACTION_MAP, "DeleteVpcEndpoints", delete)


def load_balancers() -> None:
    """A load balancer is of the VPC of its subnets, and has an interface in each; its listeners go with it."""

    def description(arn: str) -> str:
        return f"ELB {arn.partition(':loadbalancer/')[2]}"

    def refresh(lb: Record) -> None:
        remove_interfaces(description(lb["LoadBalancerArn"]))
        kind = "network_load_balancer" if lb["Type"] == "network" else "interface"
        for subnet_id in lb["Subnets"]:
            aws = of_aws(kind, "amazon-elb", "amazon-elb")
            add_interface(subnet_id, lb["SecurityGroups"], description(lb["LoadBalancerArn"]), **aws)

    def create(original: Handler, request: Request) -> Answer:
        number = 1
        request = dict(request)
        while alb._p(request, f"SubnetMappings.member.{number}.SubnetId"):
            mapped = alb._p(request, f"SubnetMappings.member.{number}.SubnetId")
            request[f"Subnets.member.{number}"] = [mapped]
            number += 1
        subnet = ec2._subnets.get(alb._p(request, "Subnets.member.1"), {})
        request["VpcId"] = [subnet.get("VpcId", ec2._DEFAULT_VPC_ID)]
        if alb._p(request, "Type", "application") == "application":
            request.setdefault("SecurityGroups.member.1", [group_of_vpc(request["VpcId"][0])])
        answers: list[Answer] = []
        for lb in new_of(alb._lbs, lambda: answers.append(original(request))):
            refresh(lb)
        return answers[0]

    def moved(original: Handler, request: Request) -> Answer:
        answer = original(request)
        if answer[0] == 200:
            refresh(alb._lbs[alb._p(request, "LoadBalancerArn")])
        return answer

    def delete(original: Handler, request: Request) -> Answer:
        arn = alb._p(request, "LoadBalancerArn")
        answer = original(request)
        if answer[0] == 200:
            remove_interfaces(description(arn))
            for key in [key for key, one in alb._listeners.items() if one["LoadBalancerArn"] == arn]:
                alb._delete_listener({"ListenerArn": [key]})
            free_target_groups()
        return answer

    def unheard(original: Handler, request: Request) -> Answer:
        answer = original(request)
        free_target_groups()
        return answer

    around(alb._ACTION_MAP, "CreateLoadBalancer", create)
    around(alb._ACTION_MAP, "DeleteLoadBalancer", delete)
    for action in ("SetSubnets", "SetSecurityGroups"):
        around(alb._ACTION_MAP, action, moved)
    for action in ("DeleteListener", "DeleteRule", "ModifyListener", "ModifyRule"):
        around(alb._ACTION_MAP, action, unheard)


def listeners_of(group_arn: str) -> list[str]:
    """The ARNs of the listeners that send to a target group, by themselves or by a rule."""
    listeners = [key for key, one in alb._listeners.items() if group_arn in str(one["DefaultActions"])]
    return listeners + [one["ListenerArn"] for one in alb._rules.values() if group_arn in str(one["Actions"])]


def free_target_groups() -> None:
    """Target groups know the load balancers that still send to them, and no other."""
    for arn, group in alb._tgs.items():
        found = [alb._listeners[key]["LoadBalancerArn"] for key in listeners_of(arn) if key in alb._listeners]
        group["LoadBalancerArns"] = list(dict.fromkeys(found))


def groups_have_instances() -> None:
    """The instances of an Auto Scaling group are instances of EC2, with its tag, and go when it does not want them."""
    original: Callable[[Record], None] = autoscaling._reconcile_instances

    def reconcile(group: Record) -> None:
        before = list(group["Instances"])
        wanted = group["DesiredCapacity"]
        if "Launch" in group.get("SuspendedProcesses", []):
            group["DesiredCapacity"] = min(wanted, len(before))
        original(group)
        group["DesiredCapacity"] = wanted
        for one in group["Instances"]:
            if one not in before:
                launch(group, one)
        for one in before:
            if one not in group["Instances"]:
                terminate(one["InstanceId"])

    def launch(group: Record, one: Record) -> None:
        data, template, _error = ec2._resolve_launch_template_data(group["LaunchTemplate"] or {})
        subnets = [each for each in group["VPCZoneIdentifier"].split(",") if each] or [ec2._DEFAULT_SUBNET_ID]
        subnet_id = subnets[group["Instances"].index(one) % len(subnets)]
        made = ec2._launch_instances_internal(
            image_id=(data or {}).get("ImageId", "ami-00000000"),
            instance_type=(data or {}).get("InstanceType", "t3.micro"),
            subnet_id=subnet_id,
            count=1,
            sg_ids=(data or {}).get("SecurityGroupIds")
            or [group_of_vpc(ec2._subnets.get(subnet_id, {}).get("VpcId", ""))],
        )[0]
        one["InstanceId"] = made["InstanceId"]
        if template:
            one["LaunchTemplate"] = {
                **group["LaunchTemplate"],
                "LaunchTemplateId": template["LaunchTemplateId"],
                "LaunchTemplateName": template["LaunchTemplateName"],
            }
        inherited = [tag for tag in group["Tags"] if tag["PropagateAtLaunch"]]
        tags = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in inherited]
        tags.append({"Key": "aws:autoscaling:groupName", "Value": group["AutoScalingGroupName"]})
        ec2._tags[made["InstanceId"]] = tags

    def terminate(instance_id: str) -> None:
        one = ec2._instances.get(instance_id)
        if one and one["State"]["Name"] not in GONE:
            one["State"] = {"Code": 48, "Name": "terminated"}
            one["_terminated_at"] = time.time()
            take_parts_along(instance_id)

    def create(own: Handler, request: Request) -> Answer:
        name = autoscaling._p(request, "AutoScalingGroupName")
        if name in autoscaling._asgs:
            return own(request)
        # The group is filled when it is whole: its template by id and name, its target groups.
        wanted = {key: request.get(key, "") for key in ("MinSize", "DesiredCapacity")}
        answer = own({**request, "MinSize": "0", "DesiredCapacity": "0"})
        if answer[0] != 200:
            return answer
        group = autoscaling._asgs[name]
        asked = group["LaunchTemplate"].get("LaunchTemplateId")
        for template in ec2._launch_templates.values():
            if asked in (template["LaunchTemplateId"], template["LaunchTemplateName"]):
                group["LaunchTemplate"]["LaunchTemplateId"] = template["LaunchTemplateId"]
                group["LaunchTemplate"]["LaunchTemplateName"] = template["LaunchTemplateName"]
        group["TargetGroupARNs"] = autoscaling._parse_member_list(request, "TargetGroupARNs")
        group["MinSize"] = int(wanted["MinSize"] or 0)
        group["DesiredCapacity"] = int(wanted["DesiredCapacity"] or group["MinSize"])
        autoscaling._reconcile_instances(group)
        return answer

    def delete(own: Handler, request: Request) -> Answer:
        name = autoscaling._p(request, "AutoScalingGroupName")
        group = autoscaling._asgs.get(name)
        if not group:
            message = f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
            return error("ValidationError", message, autoscaling)
        if group["Instances"] and autoscaling._p(request, "ForceDelete") != "true":
            message = (
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group."
            )
            return error("ResourceInUse", message, autoscaling)
        instances = [one["InstanceId"] for one in group["Instances"]]
        answer = own(request)
        for each in instances:
            terminate(each)
        return answer

    autoscaling._reconcile_instances = reconcile
    around(autoscaling._ACTION_MAP, "CreateAutoScalingGroup", create)
    around(autoscaling._ACTION_MAP, "DeleteAutoScalingGroup", delete)


PROCESSES = (
    *("Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh"),
    *("ReplaceUnhealthy", "ScheduledActions"),
)


def groups_are_suspended() -> None:
    """SuspendProcesses and ResumeProcesses: a group whose Launch is suspended launches nothing.

    DescribeAutoScalingGroups tells that, and the target groups.
    """

    def change(action: str, suspended: Callable[[list[str], list[str]], list[str]]) -> Handler:
        def handle(request: Request) -> Answer:
            name = autoscaling._p(request, "AutoScalingGroupName")
            group = autoscaling._asgs.get(name)
            if not group:
                message = f"AutoScalingGroup name not found - no such group: {name}"
                return error("ValidationError", message, autoscaling)
            named = autoscaling._parse_member_list(request, "ScalingProcesses") or list(PROCESSES)
            group["SuspendedProcesses"] = suspended(group.get("SuspendedProcesses", []), named)
            autoscaling._reconcile_instances(group)
            return said(action, "", autoscaling)

        return handle

    def describe(original: Handler, request: Request) -> Answer:
        texts = {}
        for group in autoscaling._asgs.values():
            processes = "".join(
                f"<member><ProcessName>{each}</ProcessName><SuspensionReason>User suspended</SuspensionReason></member>"
                for each in group.get("SuspendedProcesses", [])
            )
            targets = "".join(f"<member>{arn}</member>" for arn in group.get("TargetGroupARNs", []))
            texts[group["AutoScalingGroupARN"]] = (
                f"<SuspendedProcesses>{processes}</SuspendedProcesses><TargetGroupARNs>{targets}</TargetGroupARNs>"
            )
        return inserted(original(request), "AutoScalingGroupARN", texts)

    table = autoscaling._ACTION_MAP
    table["SuspendProcesses"] = change("SuspendProcesses", lambda now, named: list(dict.fromkeys([*now, *named])))
    table["ResumeProcesses"] = change("ResumeProcesses", lambda now, named: [each for each in now if each not in named])
    around(table, "DescribeAutoScalingGroups", describe)
