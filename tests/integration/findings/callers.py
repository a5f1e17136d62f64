# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes things: users, sessions of roles and Terraform, in any region."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from local_aws.cli import put_user
from tests.integration.modules.harness import ACCOUNT, REGION, Account, unique

TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-aws/5.100.0"


@dataclass
class Region:
    """A connection to a region, as somebody, with what their program says of itself."""

    account: Account
    keys: dict[str, str]
    name: str = REGION
    agent: str = ""

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=self.name,
            endpoint_url=self.account.endpoint_url,
            aws_access_key_id=self.keys["AccessKeyId"],
            aws_secret_access_key=self.keys["SecretAccessKey"],
            aws_session_token=self.keys.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, proxies={}, user_agent_extra=self.agent),
        )


def user(account: Account, *actions: str, name: str = "") -> dict[str, str]:
    """Credentials of a user who may do this."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    made: dict[str, str] = put_user(
        account.endpoint_url, name or unique("user"), {"Version": "2012-10-17", "Statement": [statement]}
    )
    return made


def session(account: Account, role: str) -> dict[str, str]:
    """Credentials of a new role under /gitops/ that may do everything, as a build has them."""
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    iam = account.client("iam")
    made = iam.create_role(RoleName=role, Path="/gitops/", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    iam.put_role_policy(RoleName=role, PolicyName="all", PolicyDocument=json.dumps({"Statement": [allow]}))
    sts = account.client("sts")
    keys: dict[str, str] = sts.assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="build-1")["Credentials"]
    return keys
