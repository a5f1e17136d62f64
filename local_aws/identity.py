# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service roles: a service of local AWS acts with the credentials of the role it assumed, over signed HTTP calls."""

from __future__ import annotations

import json
import secrets
import string
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.config import Config
from ministack.core import iam_evaluator
from ministack.services import iam as iam_store
from ministack.services import sts

from local_aws import faults
from local_aws.aws_json import AwsError, Caller, caller_of

_KEY_ALPHABET = string.ascii_uppercase + "234567"
_endpoint_url = ""
_session_lock = threading.Lock()
_session: botocore.session.Session | None = None


@dataclass(frozen=True)
class Credentials:
    """Temporary credentials of an assumed role; expiration is an aware UTC time."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: datetime

    def environment(self) -> dict[str, str]:
        """The variables that AWS SDKs and Terraform read credentials from."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


def set_endpoint_url(url: str) -> None:
    """Called once by server.py, when the port is known."""
    global _endpoint_url
    _endpoint_url = url


def endpoint_url() -> str:
    """The URL of this local AWS, such as http://127.0.0.1:4566."""
    return _endpoint_url


def assume_service_role(
    role_arn: str,
    service_principal: str,
    session_name: str,
    *,
    source_arn: str,
    source_account: str,
    duration: int = 3600,
) -> Credentials:
    """Assume a role as an AWS service does, for `duration` seconds.

    The role must exist and its trust policy must allow the service principal; aws:SourceArn and aws:SourceAccount are
    set as AWS sets them. Raises AwsError AccessDenied otherwise.
    """
    account_id, name = _role_account_and_name(role_arn)
    role = iam_store._roles.get_scoped(account_id, None, name)
    if (
        role is None
        or role.get("Arn") != role_arn
        or not _trusts(role.get("AssumeRolePolicyDocument"), role_arn, service_principal, source_arn, source_account)
        or faults.not_yet("sts:AssumeRole", role_arn, _seconds(role.get("CreateDate", "")))
    ):
        raise AwsError(
            "AccessDenied",
            f"User: {service_principal} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
            403,
        )
    credentials = Credentials(
        "ASIA" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16)),
        secrets.token_urlsafe(30),
        secrets.token_urlsafe(120),
        datetime.fromtimestamp(int(time.time()) + duration, UTC),
    )
    sts.register_session(
        credentials.access_key_id,
        {
            "Arn": f"arn:aws:sts::{account_id}:assumed-role/{name}/{session_name[:64]}",
            "UserId": f"{role.get('RoleId', '')}:{session_name[:64]}",
            "SecretAccessKey": credentials.secret_access_key,
            "SessionToken": credentials.session_token,
            "Expiration": credentials.expiration.timestamp(),
            "AccountId": account_id,
            "PrincipalType": "AssumedRole",
        },
    )
    return credentials


def caller(credentials: Credentials, region: str) -> Caller:
    """The caller that a service acts as, for aws_json.authorize."""
    return caller_of(credentials.access_key_id, region)


def client(service: str, credentials: Credentials, region: str) -> Any:
    """A boto3-style client of a service against this local AWS, signed with the given credentials."""
    global _session
    # Creating clients from one session is not thread safe; the clients themselves are.
    with _session_lock:
        if _session is None:
            _session = botocore.session.Session(profile=None)
        return _session.create_client(
            service,
            region_name=region,
            endpoint_url=_endpoint_url,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 2, "mode": "standard"},
                connect_timeout=5,
                read_timeout=60,
                proxies={},
                user_agent_extra="local-aws-service",
            ),
        )


def _role_account_and_name(role_arn: str) -> tuple[str, str]:
    parts = role_arn.split(":")
    if len(parts) < 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        raise AwsError("ValidationError", f"{role_arn} is invalid")
    return parts[4], parts[5].rpartition("/")[2]


def _trusts(
    document: str | dict[str, Any] | None, role_arn: str, service_principal: str, source_arn: str, source_account: str
) -> bool:
    """Whether a trust policy lets a service assume the role: an explicit Deny wins, conditions count."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return False
    statements = (document or {}).get("Statement", []) if isinstance(document, dict) else []
    context = iam_evaluator.EvalContext(
        principal_arn=service_principal,
        principal_type="Service",
        principal_account="",
        action="sts:AssumeRole",
        resource_arn=role_arn,
        region="",
        service_context={
            "aws:sourcearn": source_arn,
            "aws:sourceaccount": source_account,
            "aws:principalisawsservice": "true",
            "aws:principalservicename": service_principal,
        },
    )
    allowed = False
    for statement in [statements] if isinstance(statements, dict) else statements:
        principal = statement.get("Principal")
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if service_principal not in _as_list(services) or not iam_evaluator._action_matches(
            "sts:AssumeRole", _as_list(statement.get("Action")), _as_list(statement.get("NotAction"))
        ):
            continue
        if not iam_evaluator._conditions_met(statement.get("Condition", {}), context):
            continue
        if statement.get("Effect") == "Deny":
            return False
        allowed = allowed or statement.get("Effect") == "Allow"
    return allowed


def _seconds(time_of_iam: str) -> float:
    """Seconds since 1970."""
    return datetime.fromisoformat(time_of_iam).timestamp() if time_of_iam else 0.0


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
