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
from tests.integration.modules.cases import EVENT_CONNECTIONS_THERE
from tests.integration.modules.harness import ACCOUNT, POLICY, REGION, TRUST, Account, World


@pytest.fixture(autouse=True, scope="session")
def service_models_are_parsed_once() -> Iterator[None]:
    """Every module run makes a new session; finding and parsing botocore's files would be most of the tests' time."""
    file_loader, loader = botocore.loaders.JSONFileLoader, botocore.loaders.Loader
    load_file, list_services = file_loader.load_file, loader.list_available_services
    loaded = functools.cache(lambda path: load_file(file_loader(), path))
    listed = functools.cache(lambda type_name: list_services(loader(), type_name))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_loader, "load_file", lambda _self, path: loaded(path))
        patch.setattr(loader, "list_available_services", lambda _self, type_name: listed(type_name))
        yield


@pytest.fixture(scope="session")
def account(local_aws: tuple[str, Path]) -> Account:
    """Local AWS with users who may do what the modules need, and no more."""
    endpoint_url, data = local_aws
    return Account(
        endpoint_url, data, put_user(endpoint_url, "modules", POLICY), put_user(endpoint_url, "onlooker", POLICY)
    )


@pytest.fixture(scope="session")
def world(account: Account) -> World:
    """What the resources under test refer to: keys, roles, a bucket, a connection, a project, a Slack workspace."""
    kms, iam, s3 = account.client("kms"), account.client("iam"), account.client("s3")
    keys = [kms.create_key(Description=text)["KeyMetadata"]["Arn"] for text in ("one", "another")]
    for name in ("service", "service-2"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    s3.create_bucket(Bucket="modules-artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    connection = account.client("codeconnections").create_connection(ConnectionName="world", ProviderType="GitHub")
    for name in EVENT_CONNECTIONS_THERE:
        account.client("events").create_connection(
            Name=name,
            AuthorizationType="API_KEY",
            AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "Authorization", "ApiKeyValue": "hush"}},
        )
    role = f"arn:aws:iam::{ACCOUNT}:role/service"
    project = account.client("codebuild").create_project(
        name="world",
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "none", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role,
    )
    account.authorize_slack("T0123ABCD")
    return World(
        key=keys[0],
        another_key=keys[1],
        role=role,
        another_role=f"arn:aws:iam::{ACCOUNT}:role/service-2",
        bucket="modules-artifacts",
        connection=connection["ConnectionArn"],
        project=project["project"]["arn"],
        slack_team="T0123ABCD",
    )
