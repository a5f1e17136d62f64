# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The caller of the modules, and the resources that others refer to."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import botocore.loaders
import pytest

from local_aws.cli import put_user
from tests.integration.modules.harness import ACCOUNT, POLICY, REGION, Account, World


@pytest.fixture(autouse=True, scope="session")
def service_models_are_parsed_once() -> Iterator[None]:
    """Every module run makes a new session; parsing botocore's files each time would be most of the tests' time."""
    with pytest.MonkeyPatch.context() as patch:
        load_file = botocore.loaders.JSONFileLoader.load_file
        cached = functools.cache(lambda path: load_file(botocore.loaders.JSONFileLoader(), path))
        patch.setattr(botocore.loaders.JSONFileLoader, "load_file", lambda _self, path: cached(path))
        yield


@pytest.fixture(scope="session")
def account(local_aws: tuple[str, Path]) -> Account:
    """Local AWS as an IAM user sees it who may do what the modules need."""
    endpoint_url, data = local_aws
    keys = put_user(endpoint_url, "modules", POLICY)
    return Account(endpoint_url, data, keys["AccessKeyId"], keys["SecretAccessKey"])


@pytest.fixture(scope="session")
def world(account: Account) -> World:
    """What the resources under test refer to: keys, roles, a bucket, a connection."""
    kms, iam, s3 = account.client("kms"), account.client("iam"), account.client("s3")
    keys = [kms.create_key(Description=text)["KeyMetadata"]["Arn"] for text in ("one", "another")]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["codebuild.amazonaws.com", "codepipeline.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    for name in ("service", "service-2"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    s3.create_bucket(Bucket="modules-artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    connection = account.client("codeconnections").create_connection(ConnectionName="world", ProviderType="GitHub")
    return World(
        key=keys[0],
        another_key=keys[1],
        role=f"arn:aws:iam::{ACCOUNT}:role/service",
        another_role=f"arn:aws:iam::{ACCOUNT}:role/service-2",
        bucket="modules-artifacts",
        connection=connection["ConnectionArn"],
    )
