# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terraform, our modules' caller, and what the resources of all cases refer to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws.cli import put_user
from tests.integration.modules.conftest import service_models_are_parsed_once
from tests.integration.modules.harness import ACCOUNT, POLICY, REGION, TRUST, Account
from tests.integration.terraform.client import CASES, PLURALS, Case, Plan, Terraform, environment

__all__ = ["service_models_are_parsed_once"]

ELSEWHERE = "us-west-2"


@pytest.fixture(scope="session")
def account(local_aws: tuple[str, Path]) -> Account:
    """Local AWS with a user for our modules and one for Terraform (who also looks on)."""
    endpoint_url, data = local_aws
    caller, terraform = (put_user(endpoint_url, name, POLICY) for name in ("beside-terraform", "terraform"))
    return Account(endpoint_url, data, caller, onlooker=terraform)


@pytest.fixture(scope="session")
def values(account: Account) -> dict[str, str]:
    """What main.tf and items.yml refer to, made in local AWS; the names are those of variables.tf."""

    def client(service: str, region: str) -> Any:
        key, secret = account.onlooker["AccessKeyId"], account.onlooker["SecretAccessKey"]
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=account.endpoint_url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    roles = ("terraform-role", "terraform-another-role")
    for name in roles:
        client("iam", REGION).create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    buckets = {"terraform-artifacts": REGION, "terraform-artifacts-elsewhere": ELSEWHERE}
    for name, region in buckets.items():
        client("s3", region).create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    keys = [client("kms", region).create_key()["KeyMetadata"]["Arn"] for region in (REGION, ELSEWHERE)]
    connection = client("codeconnections", REGION).create_connection(ConnectionName="terraform", ProviderType="GitHub")
    return {
        "role": f"arn:aws:iam::{ACCOUNT}:role/{roles[0]}",
        "another_role": f"arn:aws:iam::{ACCOUNT}:role/{roles[1]}",
        "key": keys[0],
        "key_elsewhere": keys[1],
        "bucket": "terraform-artifacts",
        "bucket_elsewhere": "terraform-artifacts-elsewhere",
        "connection": connection["ConnectionArn"],
    }


@dataclass
class Modules:
    """Our modules, with the items of all cases."""

    account: Account
    values: dict[str, str]

    def run(self, module: str, items: list[dict[str, Any]], **arguments: Any) -> dict[str, Any]:
        """A run of one module."""
        return self.account.run(module, **{PLURALS[module]: items, **arguments})

    def items(self, module: str) -> list[dict[str, Any]]:
        """The items of all cases."""
        return [item for case in CASES for item in case.items(self.values).get(module, [])]


@pytest.fixture(scope="session")
def modules(account: Account, values: dict[str, str]) -> Modules:
    """Our modules."""
    return Modules(account, values)


@pytest.fixture(scope="session")
def terraform(account: Account, values: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Terraform, which has made all cases."""
    one = Terraform(tmp_path_factory.mktemp("terraform"), environment(account.endpoint_url, account.onlooker))
    one.set_up(REGION, values)
    one.apply()
    return one


@pytest.fixture(scope="session")
def import_plan(terraform: Terraform, modules: Modules) -> Plan:
    """What Terraform would do after our modules have deleted all that it had made, and made it again."""
    before = terraform.resources()
    for module in reversed(PLURALS):
        names = [{"name": item["name"]} for item in modules.items(module)]
        modules.run(module, names, state="absent")
    made = {module: modules.run(module, modules.items(module)) for module in PLURALS}
    # Ids are names, or ARNs with names in them. Only those of connections are new.
    arns = {name: connection["arn"] for name, connection in made["codeconnections"]["resources"].items()}
    terraform.forget(
        {address: arns.get(attributes.get("name", ""), attributes["id"]) for address, attributes in before.items()}
    )
    return terraform.plan()


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    """Each case."""
    one: Case = request.param
    return one
