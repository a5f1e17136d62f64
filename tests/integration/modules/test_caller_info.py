# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""caller_info says who is calling, in one call."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.config import Config

from tests.integration.modules.cases import allow, document
from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, run_module, unique


@pytest.mark.parametrize("check", [False, True])
def test_a_user_is_told_in_one_call(account: Account, check: bool) -> None:
    told = account.run("caller_info", check=check)

    assert {name: told[name] for name in ("account", "arn", "partition", "api_calls", "changed")} == {
        "account": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/modules",
        "partition": "aws",
        "api_calls": {"sts:GetCallerIdentity": 1},
        "changed": False,
    }
    assert told["user_id"] == account.root("iam").get_user(UserName="modules")["User"]["UserId"]


def test_it_says_the_same_as_the_module_of_amazon(account: Account) -> None:
    theirs = account.run("amazon.aws.aws_caller_info")
    ours = account.run("caller_info")

    assert {name: ours[name] for name in ("account", "arn", "user_id")} == {
        name: theirs[name] for name in ("account", "arn", "user_id")
    }
    assert sum(theirs["api_calls"].values()) == 2


def test_a_session_is_told_as_such(account: Account) -> None:
    name = unique("taken")
    owner = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    role = account.root("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document(owner)))["Role"]
    user = account.root("iam").create_user(UserName=name)["User"]["UserName"]
    own = json.dumps(document(allow("sts:AssumeRole")))
    account.root("iam").put_user_policy(UserName=user, PolicyName="own", PolicyDocument=own)
    keys = account.root("iam").create_access_key(UserName=user)["AccessKey"]
    sts = boto3.client(
        "sts",
        endpoint_url=account.endpoint_url,
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        config=Config(proxies={}),
    )
    taken = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="alice")["Credentials"]

    told = run_module(
        "caller_info",
        {
            "region": REGION,
            "endpoint_url": account.endpoint_url,
            "access_key": taken["AccessKeyId"],
            "secret_key": taken["SecretAccessKey"],
            "session_token": taken["SessionToken"],
        },
    )

    assert told["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/alice"
    assert told["user_id"].endswith(":alice")


def test_wrong_credentials_are_said_to_be_wrong(account: Account) -> None:
    with pytest.raises(ModuleFailed, match="who is calling: GetCallerIdentity failed with"):
        account.run("caller_info", secret_key="wrong")
