# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our roles, playbooks and modules in a repository of somebody else's.

Its own roles `before` and `after` prove that no variable leaks or collides; what a run must say otherwise is here. A
playbook run takes seconds, so each shows many things: see `repository/` for how it uses us.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import boto3
import pytest
from local_estate import ACCOUNT, REGION

from tests.estate.conftest import DATABASE_PASSWORD, Ran, Repository


@pytest.fixture(scope="module")
def alone(repository: Repository) -> Ran:
    """Roles one by one, for the first time."""
    return repository.run("roles_one_by_one.yml")


@pytest.fixture(scope="module")
def together(repository: Repository) -> Ran:
    """gitops.aws.site between two plays of theirs, for the first time, with hosts that do not wait for each other."""
    return repository.run("site_inside.yml", ANSIBLE_STRATEGY="free")


def pipelines(repository: Repository, region: str, name: str) -> dict[str, Any]:
    """The pipelines of an estate by name."""
    client = boto3.client("codepipeline", region_name=region, **repository.login)
    names = [each["name"] for each in client.list_pipelines()["pipelines"] if each["name"].startswith(f"{name}-")]
    return {each: client.get_pipeline(name=each)["pipeline"] for each in names}


def group(region: str, name: str) -> str:
    """The ARN of a log group of modules.yml."""
    return f"arn:aws:logs:{region}:{ACCOUNT}:log-group:/modules/{name}"


def test_roles_work_one_by_one(repository: Repository, alone: Ran) -> None:
    assert alone.recap("web1")["changed"] > 0
    assert set(pipelines(repository, "eu-central-1", "alone")) == {"alone-books", "alone-books-destroy"}
    (parameter,) = repository.administrator.client("ssm").get_parameters(
        Names=["/alone/password"], WithDecryption=True
    )["Parameters"]
    assert parameter["Value"] == DATABASE_PASSWORD
    assert repository.administrator.client("iam").get_role(RoleName="alone-books-apply")
    assert "alone-notices" in str(repository.administrator.client("sns").list_topics())


@pytest.mark.usefixtures("alone")
def test_become_is_heeded(repository: Repository) -> None:
    assert set((repository.directory / "bin" / "became").read_text().split()) == {"root"}


@pytest.mark.usefixtures("alone")
def test_a_check_run_of_converged_roles_finds_nothing(repository: Repository) -> None:
    run = repository.run("roles_one_by_one.yml", "--check", "--diff")

    assert (run.recap("web1")["changed"], run.recap("ledger")["changed"]) == (0, 0)
    assert run.calls
    assert run.mutations == []


@pytest.mark.usefixtures("alone")
def test_tags_and_limit_choose_a_role_with_all_that_it_includes(repository: Repository) -> None:
    bucket = next(
        each["Name"]
        for each in repository.administrator.client("s3").list_buckets()["Buckets"]
        if each["Name"].startswith("alone-") and "state" in each["Name"]
    )
    repository.administrator.client("s3").delete_bucket_policy(Bucket=bucket)

    run = repository.run("roles_one_by_one.yml", "--tags", "state", "--limit", "web1")

    assert run.mutations == [f"s3:PutBucketPolicy arn:aws:s3:::{bucket}"]
    assert run.services <= {"sts", "kms", "s3", "dynamodb", "logs", "tag"}
    assert run.recap("web2") == {}


def test_site_takes_its_stacks_from_groups_of_an_inventory(repository: Repository, together: Ran) -> None:
    assert (together.recap("shop")["failed"], together.recap("ledger")["failed"]) == (0, 0)
    shop, ledger = pipelines(repository, "eu-central-1", "shop"), pipelines(repository, "eu-west-1", "ledger")
    assert set(shop) == {f"shop-shop-{name}" for name in ("network", "network-destroy", "web", "web-destroy")}
    assert set(ledger) == {"ledger-books", "ledger-books-destroy"}
    assert "shop/web/**" in str(shop["shop-shop-web"]["triggers"])


@pytest.mark.usefixtures("together")
def test_a_check_run_of_one_host_finds_nothing(repository: Repository) -> None:
    run = repository.run("site_inside.yml", "--check", "--limit", "shop")

    assert run.recap("shop")["changed"] == 0
    assert run.recap("ledger") == {}
    assert run.calls
    assert run.mutations == []


def test_modules_have_defaults_in_one_place_and_run_in_the_background(repository: Repository) -> None:
    run = repository.run("modules.yml")

    assert run.recap("web1")["failed"] == 0
    assert run.recap("ledger")["failed"] == 0
    assert Counter(run.mutations) == {
        **{f"logs:CreateLogGroup {group(REGION, name)}": 1 for name in ("one", "two")},
        f"logs:PutRetentionPolicy {group(REGION, 'one')}": 1,
        f"logs:CreateLogGroup {group('eu-west-1', 'three')}": 1,
        f"ssm:PutParameter arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/modules/password": 1,
    }
