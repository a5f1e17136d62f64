# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources that an AWS service makes for its own use, and that say so: no caller can make one.

/_local/service-owned turns what a caller has made into one: a secret, a rule, an instance, a volume, an interface.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import ec2, eventbridge, secretsmanager

from local_aws.aws_json import AwsError

_owners: dict[str, str] = {}


def apply() -> None:
    """What AWS says of such resources is in the answers."""
    for name in ("_list_secrets", "_describe_secret"):
        _secrets(name)
    _operator("_eni_fields_xml", "NetworkInterfaceId", "</networkInterfaceId>")
    _operator("_instance_xml", "InstanceId", "</instanceId>")
    _operator("_volume_inner_xml", "VolumeId", "</size>")


def give(arn: str, service: str) -> None:
    """Makes a resource a service's, such as rds.amazonaws.com's. Raises AwsError NotFound."""
    _arn, _partition, kind, region, account, name = (arn.split(":", 5) + [""] * 5)[:6]
    with request_scope(account, region):
        rules = [rule for rule in eventbridge._rules.values() if rule["Arn"] == arn]
        secrets = [secret for secret in secretsmanager._secrets.values() if secret["ARN"] == arn]
        stores: tuple[Any, ...] = (ec2._network_interfaces, ec2._instances, ec2._volumes) if kind == "ec2" else ()
        identity = name.rpartition("/")[2]
        if not (rules or secrets or any(identity in store for store in stores)):
            raise AwsError("NotFound", f"there is no {arn} that a service could own", 404)
        for rule in rules:
            rule["ManagedBy"] = service
    _owners[identity if kind == "ec2" else arn] = service


def _secrets(name: str) -> None:
    original: Callable[[Any], Any] = getattr(secretsmanager, name)

    def answer(request: Any) -> Any:
        status, headers, body = original(request)
        content = json.loads(body)
        for secret in content.get("SecretList", [content]):
            if service := _owners.get(secret.get("ARN", "")):
                secret["OwningService"] = service.partition(".")[0]
        return status, headers, json.dumps(content).encode()

    setattr(secretsmanager, name, answer)


def _operator(function: str, member: str, after: str) -> None:
    original: Callable[..., str] = getattr(ec2, function)

    def xml(record: dict[str, Any], *rest: Any, **options: Any) -> str:
        text, service = original(record, *rest, **options), _owners.get(record[member])
        if service is None:
            return text
        operator = f"<operator><managed>true</managed><principal>{service}</principal></operator>"
        return text.replace(after, after + operator, 1)

    setattr(ec2, function, xml)
