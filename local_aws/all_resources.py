# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources of an account and region with their tags, of the main types: what AWS's own indexes are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import (
    alb,
    autoscaling,
    cloudwatch_logs,
    dynamodb,
    ec2,
    eventbridge,
    iam,
    rds,
    s3,
    secretsmanager,
    ssm,
    tagging,
)

Tags = list[dict[str, str]]
Collector = Callable[[], Iterator[tuple[str, Tags]]]

_EC2 = {
    "instance": "_instances",
    "volume": "_volumes",
    "snapshot": "_snapshots",
    "image": "_images",
    "security-group": "_security_groups",
    "network-interface": "_network_interfaces",
    "elastic-ip": "_addresses",
    "launch-template": "_launch_templates",
    "vpc": "_vpcs",
    "subnet": "_subnets",
    "route-table": "_route_tables",
    "network-acl": "_network_acls",
    "internet-gateway": "_internet_gateways",
    "natgateway": "_nat_gateways",
    "vpc-endpoint": "_vpc_endpoints",
    "vpc-peering-connection": "_vpc_peering",
    "vpc-flow-log": "_flow_logs",
    "dhcp-options": "_dhcp_options",
    "egress-only-internet-gateway": "_egress_igws",
    "prefix-list": "_prefix_lists",
    "vpn-gateway": "_vpn_gateways",
    "customer-gateway": "_customer_gateways",
    "vpn-connection": "_vpn_connections",
}


def apply() -> None:
    """GetResources and aws:ResourceTag know what EC2, RDS, load balancing, logs, SSM and Secrets Manager have.

    As on AWS, GetResources knows no users, roles and Auto Scaling groups.
    """
    for service, collect in _TAGGED.items():
        tagging._COLLECTORS.setdefault(service, collect)


def untagged_too() -> Iterator[tuple[str, Tags]]:
    """ARN and tags of every resource of the account and region at hand; those of no region are in each."""
    collectors = {**tagging._COLLECTORS, **_TAGGED, **_OTHERS}
    seen: set[str] = set()
    for collect in dict.fromkeys(collectors.values()):
        for arn, tags in collect():
            if arn and arn not in seen:
                seen.add(arn)
                yield arn, list(tags or [])


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"


def _of_dict(tags: dict[str, str] | None) -> Tags:
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def _ec2() -> Iterator[tuple[str, Tags]]:
    for kind, store in _EC2.items():
        for identity, record in getattr(ec2, store).items():
            state = record.get("State")
            if isinstance(state, dict) and state.get("Name") in ("terminated", "shutting-down"):
                continue
            yield _arn("ec2", f"{kind}/{identity}"), ec2._tags.get(identity) or []
    for key in ec2._key_pairs.values():
        yield _arn("ec2", f"key-pair/{key['KeyPairId']}"), ec2._tags.get(key["KeyPairId"]) or []


def _load_balancing() -> Iterator[tuple[str, Tags]]:
    for store in (alb._lbs, alb._tgs, alb._listeners, alb._rules):
        for arn in store:
            yield arn, alb._tags.get(arn) or []


def _rds() -> Iterator[tuple[str, Tags]]:
    for store, member in (
        (rds._instances, "DBInstanceArn"),
        (rds._clusters, "DBClusterArn"),
        (rds._subnet_groups, "DBSubnetGroupArn"),
        (rds._snapshots, "DBSnapshotArn"),
    ):
        for record in store.values():
            yield record.get(member, ""), rds._tags.get(record.get(member, "")) or []


def _logs() -> Iterator[tuple[str, Tags]]:
    for name, group in cloudwatch_logs._log_groups.items():
        yield _arn("logs", f"log-group:{name}"), _of_dict(group.get("tags"))


def _ssm() -> Iterator[tuple[str, Tags]]:
    for name in ssm._parameters:
        arn = _arn("ssm", f"parameter/{name.lstrip('/')}")
        yield arn, _of_dict(ssm._tags.get(arn))


def _secrets() -> Iterator[tuple[str, Tags]]:
    for secret in secretsmanager._secrets.values():
        yield secret.get("ARN", ""), secret.get("Tags") or []


def _s3() -> Iterator[tuple[str, Tags]]:
    for name in s3._buckets:
        if s3.bucket_region(name) == get_region():
            yield f"arn:aws:s3:::{name}", _of_dict(s3._bucket_tags.get(name))


def _dynamodb() -> Iterator[tuple[str, Tags]]:
    for table in dynamodb._tables.values():
        yield table["TableArn"], dynamodb._tags.get(table["TableArn"]) or _of_dict(table.get("tags"))


def _events() -> Iterator[tuple[str, Tags]]:
    for rule in eventbridge._rules.values():
        yield rule["Arn"], _of_dict(eventbridge._tags.get(rule["Arn"]))


def _autoscaling() -> Iterator[tuple[str, Tags]]:
    for name, group in autoscaling._asgs.items():
        yield group["AutoScalingGroupARN"], autoscaling._tags.get(name) or group.get("Tags") or []


def _iam() -> Iterator[tuple[str, Tags]]:
    stores: tuple[Any, ...] = (iam._users, iam._roles, iam._policies, iam._instance_profiles, iam._groups)
    for store in stores:
        for record in store.values():
            if f"::{get_account_id()}:" in record.get("Arn", ""):
                yield record["Arn"], record.get("Tags") or []


_TAGGED: dict[str, Collector] = {
    "ec2": _ec2,
    "elasticloadbalancing": _load_balancing,
    "rds": _rds,
    "logs": _logs,
    "ssm": _ssm,
    "secretsmanager": _secrets,
}
# In place of those of the tagging API, which know the tagged alone, and what it does not know.
_OTHERS: dict[str, Collector] = {
    "s3": _s3,
    "dynamodb": _dynamodb,
    "events": _events,
    "autoscaling": _autoscaling,
    "iam": _iam,
}
