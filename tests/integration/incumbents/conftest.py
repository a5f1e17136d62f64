# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The caller of all modules, theirs and ours, and what a project and a pipeline refer to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_aws.cli import put_user
from tests.integration.modules.conftest import service_models_are_parsed_once
from tests.integration.modules.harness import ACCOUNT, POLICY, REGION, TRUST, Account, World

__all__ = ["service_models_are_parsed_once"]


@pytest.fixture(scope="session")
def account(local_aws: tuple[str, Path]) -> Account:
    """Local AWS with a user that every module runs as."""
    endpoint_url, data = local_aws
    kept = {"Effect": "Deny", "Action": ["codebuild:DeleteProject"], "Resource": "*kept*"}
    policy = {**POLICY, "Statement": [*POLICY["Statement"], kept]}
    caller = put_user(endpoint_url, "incumbents", policy)
    return Account(endpoint_url, data, caller, put_user(endpoint_url, "incumbents-onlooker", policy))


@pytest.fixture(scope="session")
def world(account: Account) -> World:
    """A role, a bucket and a connection; nothing of these tests needs a key, a second role, a project or Slack."""
    account.client("iam").create_role(RoleName="incumbents", AssumeRolePolicyDocument=json.dumps(TRUST))
    account.client("s3").create_bucket(
        Bucket="incumbents-artifacts", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    codeconnections = account.client("codeconnections")
    connection = codeconnections.create_connection(ConnectionName="incumbents", ProviderType="GitHub")
    return World(
        key="",
        another_key="",
        role=f"arn:aws:iam::{ACCOUNT}:role/incumbents",
        another_role="",
        bucket="incumbents-artifacts",
        connection=connection["ConnectionArn"],
        project="",
        slack_team="",
    )
