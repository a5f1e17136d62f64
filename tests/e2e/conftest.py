# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One account and one estate for all tests: what most of them need is there after the first of them has asked.

The fixtures build on each other in the order in which a person would do it: account -> first_check -> estate (site.yml,
and a push that starts every pipeline) -> what single tests look at.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_estate import ACCOUNT, REGION, ROOT, LocalAws, Person, Repository, execution_of_push, people_policies

from tests.e2e.estate import (
    EVERYTHING,
    REPOSITORY,
    Estate,
    Run,
    allow,
    emergency_role,
    in_role,
    inventory,
    new_person,
)

HERE = Path(__file__).parent
EXTERNAL_ID = "agreed-with-the-other-account"
# Terraform's resource of the root module `parameter`, for one parameter.
PARAMETER_ACTIONS = [
    "ssm:AddTagsToResource",
    "ssm:DeleteParameter",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:ListTagsForResource",
    "ssm:PutParameter",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes the estate down comes last, whatever is selected."""
    items.sort(key=lambda item: item.path.name == "test_teardown.py")


def parameter_policy(name: str) -> dict[str, Any]:
    """What Terraform needs for that parameter, and nothing else: not the state, not the lock."""
    policy = allow(PARAMETER_ACTIONS, [f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}"])
    policy["Statement"] += allow(["ssm:DescribeParameters"], ["*"])["Statement"]
    return policy


@dataclass
class Account:
    """The account before the first playbook run, prepared as its owner would."""

    aws: LocalAws
    administrator: Person
    terraform_user: Person
    platform_key: str
    found: dict[str, set[str]]
    prepared_calls: int
    estate: Estate
    repository: Repository


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Local AWS, empty."""
    with LocalAws(tmp_path_factory.mktemp("local-aws")).running() as aws:
        yield aws


@pytest.fixture(scope="session")
def account(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The account with its people, a repository, and what the stacks find there. From here on, nobody is root."""
    directory = tmp_path_factory.mktemp("estate")
    administrator = aws.person("administrator", EVERYTHING)

    # For the stack `keys`: a user as the guide makes it, with the file that the IAM console downloads.
    terraform_user = new_person(administrator, "terraform", parameter_policy("/app/keys"))
    csv = directory / "accessKeys.csv"
    csv.write_text(
        "\ufeffAccess key ID,Secret access key\r\n"
        f"{terraform_user.access_key_id},{terraform_user.secret_access_key}\r\n",
        encoding="utf-8",
    )
    # For the stack `elsewhere`: the role of another team.
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
            }
        ],
    }
    iam = administrator.client("iam")
    iam.create_role(RoleName="other-team", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(
        RoleName="other-team", PolicyName="own", PolicyDocument=json.dumps(parameter_policy("/app/elsewhere"))
    )

    platform_key = platform(administrator)

    example = yaml.safe_load((ROOT / "playbooks" / "example.yml").read_text())
    estate = Estate(aws, administrator, directory, example["gitops_settings"], example["gitops_stacks"])
    estate.settings["break_glass_role"] = emergency_role(administrator)
    estate.keeper = in_role(administrator, f"arn:aws:iam::{ACCOUNT}:role/emergency")
    common = {"repository": REPOSITORY}
    estate.stacks += [
        {**common, "name": "quick", "path": "quick", "approval": False, "timeout_in_minutes": 45},
        {**common, "name": "locked-item", "path": "locked-item", "approval": False},
        {**common, "name": "locked-file", "path": "locked-file", "approval": False},
        {
            **common,
            "name": "keys",
            "path": "keys",
            "approval": False,
            "credentials": "parameter_store",
            "access_keys_csv": str(csv),
            "variables": {"parameter": "/app/keys"},
        },
        {
            **common,
            "name": "elsewhere",
            "path": "elsewhere",
            "approval": False,
            "credentials": "assume_role",
            "assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/other-team",
            "assume_role_external_id": EXTERNAL_ID,
            "variables": {"parameter": "/app/elsewhere"},
        },
    ]

    # The two people, with the policies that the collection renders, and nothing more.
    rendered = estate.playbook("policies.yml", None, account_id=ACCOUNT, directory=str(directory / "policies"))
    assert not rendered.failed, rendered.output
    for name, policy in people_policies(directory / "policies", "installer", "operator").items():
        setattr(estate, name, new_person(administrator, name, policy))

    repository = Repository(directory / "git")
    aws.command("map-repository", REPOSITORY, str(repository.bare))
    return Account(
        aws, administrator, terraform_user, platform_key, inventory(administrator), len(aws.calls()), estate, repository
    )


def platform(administrator: Person) -> str:
    """What another team has made and an estate may be told to use: buckets, a table, a role, a key; the key's ARN."""
    s3, iam, kms = (administrator.client(service) for service in ("s3", "iam", "kms"))
    builds = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "codebuild.amazonaws.com"}}
    trust = {"Version": "2012-10-17", "Statement": [builds]}
    iam.create_role(RoleName="platform-plans", AssumeRolePolicyDocument=json.dumps(trust))
    for bucket in ("platform-states", "platform-artifacts"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    administrator.client("dynamodb").create_table(
        TableName="platform-locks",
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return str(kms.create_key(Description="The platform's")["KeyMetadata"]["Arn"])


@dataclass
class FirstCheck:
    """site.yml --check --diff on the empty account, and what the account held afterwards."""

    run: Run
    found: dict[str, set[str]]


@pytest.fixture(scope="session")
def first_check(account: Account) -> FirstCheck:
    """The first run of all."""
    return FirstCheck(account.estate.site("--check", "--diff"), inventory(account.administrator))


@dataclass
class Started:
    """The first run of site.yml, and the executions that the first push started, by stack."""

    site: Run
    commit: str
    executions: dict[str, str]


@pytest.fixture(scope="session")
def started(account: Account, first_check: FirstCheck) -> Started:
    """site.yml for the first time, in the loudest way; then a push with the code of every stack."""
    estate, repository = account.estate, account.repository
    site = estate.site("--diff", "-vvv")
    (estate.directory / "accessKeys.csv").unlink()
    account.aws.command("complete-connection", "github")
    hold_locks(estate)
    ignore = shutil.ignore_patterns(".terraform")
    shutil.copytree(ROOT / "tf", repository.clone / "network", ignore=ignore)
    for stack in ("quick", "locked-item", "locked-file"):
        shutil.copytree(HERE / "roots" / "value", repository.clone / stack, ignore=ignore)
    for stack in ("keys", "elsewhere"):
        shutil.copytree(HERE / "roots" / "parameter", repository.clone / stack, ignore=ignore)
        shutil.copy(ROOT / "tf" / ".terraform.lock.hcl", repository.clone / stack)
    commit = repository.push("Add the stacks")
    assert estate.operator
    executions = {
        stack["name"]: execution_of_push(estate.operator, f"gitops-{stack['name']}", commit) for stack in estate.stacks
    }
    return Started(site, commit, executions)


def hold_locks(estate: Estate) -> None:
    """Somebody else's Terraform holds the locks of two stacks, in the two ways that Terraform does."""
    bucket, lock = estate.foundation["state_bucket"], estate.foundation["lock_table"]

    def info(stack: str) -> str:
        return json.dumps(
            {
                "ID": "7d7b1ad0-0000-4000-8000-000000000000",
                "Operation": "OperationTypeApply",
                "Info": "",
                "Who": "somebody@else",
                "Version": "1.11.4",
                "Created": "2025-01-01T00:00:00Z",
                "Path": f"{bucket}/{stack}/terraform.tfstate",
            }
        )

    estate.kept("dynamodb").put_item(
        TableName=lock,
        Item={"LockID": {"S": f"{bucket}/locked-item/terraform.tfstate"}, "Info": {"S": info("locked-item")}},
    )
    estate.kept("s3").put_object(
        Bucket=bucket,
        Key="locked-file/terraform.tfstate.tflock",
        Body=info("locked-file").encode(),
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=estate.key_arn,
    )


@pytest.fixture(scope="session")
def estate(account: Account, started: Started) -> Estate:
    """The estate after site.yml; its pipelines may still run."""
    return account.estate
