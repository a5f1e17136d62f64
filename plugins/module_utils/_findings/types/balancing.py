# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Load balancers. Their listeners and rules are parts of them: Terraform's plan says what becomes of those."""

from __future__ import annotations

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Type

_TAGS = Call("describe_tags", {"ResourceArns": ["{id}"]}, "TagDescriptions[0].Tags")

LOAD_BALANCER = Type(
    name="aws_lb",
    service="elbv2",
    list=Call("describe_load_balancers", result="LoadBalancers"),
    read=Call(
        "describe_load_balancers",
        {"LoadBalancerArns": ["{id}"]},
        "LoadBalancers[0]",
        missing=("LoadBalancerNotFound", "LoadBalancerNotFoundException"),
    ),
    id="LoadBalancerArn",
    arn="LoadBalancerArn",
    title="LoadBalancerName",
    created="CreatedTime",
    more={
        "tags": _TAGS,
        "attributes": Call("describe_load_balancer_attributes", {"LoadBalancerArn": "{id}"}, "Attributes"),
    },
    guarded={
        "its deletion protection is on": "attributes[?Key=='deletion_protection.enabled'].Value | [0] == 'true'",
    },
    refs=(
        "VpcId",
        "SecurityGroups",
        "AvailabilityZones[].SubnetId",
        "AvailabilityZones[].LoadBalancerAddresses[].AllocationId",
    ),
    rank=20,
    remove=(Call("delete_load_balancer", {"LoadBalancerArn": "{id}"}),),
    recover="Write it again, with its listeners and rules. It gets another DNS name.",
)

TARGET_GROUP = Type(
    name="aws_lb_target_group",
    service="elbv2",
    list=Call("describe_target_groups", result="TargetGroups"),
    read=Call(
        "describe_target_groups",
        {"TargetGroupArns": ["{id}"]},
        "TargetGroups[0]",
        missing=("TargetGroupNotFound", "TargetGroupNotFoundException"),
    ),
    id="TargetGroupArn",
    arn="TargetGroupArn",
    title="TargetGroupName",
    more={"tags": _TAGS},
    refs=("VpcId",),
    used_by=("LoadBalancerArns",),
    rank=30,
    remove=(Call("delete_target_group", {"TargetGroupArn": "{id}"}),),
    recover="Write it again, and register its targets.",
)

TYPES = (LOAD_BALANCER, TARGET_GROUP)
