# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service owns says so, and nothing else does."""

from __future__ import annotations

import urllib.error
from typing import Any

import pytest

from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, unique

SERVICE = "example.amazonaws.com"
OPERATOR = {"Managed": True, "Principal": SERVICE}


def own(local_aws: LocalAws, arn: str) -> None:
    assert local_aws.post("/_local/service-owned", arn=arn, service=SERVICE) == {"arn": arn, "service": SERVICE}


def of_ec2(kind: str, identity: str) -> str:
    return f"arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/{identity}"


def test_secrets_and_rules(local_aws: LocalAws) -> None:
    secrets, events = local_aws.client("secretsmanager"), local_aws.client("events")
    names = [unique("secret") for _ in range(2)]
    arns = [secrets.create_secret(Name=name, SecretString="s")["ARN"] for name in names]
    own(local_aws, arns[0])
    listed = {
        secret["Name"]: secret.get("OwningService")
        for page in secrets.get_paginator("list_secrets").paginate()
        for secret in page["SecretList"]
    }
    assert [listed[name] for name in names] == ["example", None]
    assert [secrets.describe_secret(SecretId=arn).get("OwningService") for arn in arns] == ["example", None]
    rules = [events.put_rule(Name=unique("rule"), ScheduleExpression="rate(1 day)")["RuleArn"] for _ in range(2)]
    own(local_aws, rules[0])
    found = [events.describe_rule(Name=arn.rpartition("/")[2]).get("ManagedBy") for arn in rules]
    assert found == [SERVICE, None]


def test_what_ec2_has(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.6.1.0/24")["Subnet"]["SubnetId"]
    interfaces = [
        ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"] for _ in range(2)
    ]
    own(local_aws, of_ec2("network-interface", interfaces[0]))
    found = ec2.describe_network_interfaces(NetworkInterfaceIds=interfaces)["NetworkInterfaces"]
    by_id = {each["NetworkInterfaceId"]: each for each in found}
    assert [by_id[each].get("Operator") for each in interfaces] == [OPERATOR, None]
    image: dict[str, Any] = {"ImageId": "ami-0123456789abcdef0", "MinCount": 2, "MaxCount": 2}
    instances = [each["InstanceId"] for each in ec2.run_instances(**image)["Instances"]]
    own(local_aws, of_ec2("instance", instances[0]))
    described = ec2.describe_instances(InstanceIds=instances)["Reservations"]
    operators = {i["InstanceId"]: i.get("Operator") for each in described for i in each["Instances"]}
    assert [operators[each] for each in instances] == [OPERATOR, None]
    volumes = [ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"] for _ in range(2)]
    own(local_aws, of_ec2("volume", volumes[0]))
    owned = {v["VolumeId"]: v.get("Operator") for v in ec2.describe_volumes(VolumeIds=volumes)["Volumes"]}
    assert [owned[each] for each in volumes] == [OPERATOR, None]


@pytest.mark.parametrize(
    "arn", ["nothing", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:none", "arn:aws:s3:::bucket"]
)
def test_what_is_not_there_is_nobodys(local_aws: LocalAws, arn: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        local_aws.post("/_local/service-owned", arn=arn, service=SERVICE)
