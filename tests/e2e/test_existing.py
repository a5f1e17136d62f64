# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An existing key, bucket, table, connection and role that are named instead of made: used, and left as they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from local_estate import ACCOUNT, REGION, Person

from ansible_collections.gitops.aws.plugins.module_utils._estate.installer import installer_policies
from ansible_collections.gitops.aws.plugins.module_utils._estate.people import operator_policy
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import build_role
from ansible_collections.gitops.aws.plugins.module_utils._estate.spec import check
from tests.e2e.conftest import Account
from tests.e2e.estate import REPOSITORY, Estate, Execution, Run, inventory, mutations, new_person

ROLE_NAME = "platform-plans"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"


@dataclass
class Given:
    """The estate `given` from its first run to its end; `before` and `after` are what the account held."""

    before: dict[str, set[str]]
    site: Run
    again: Run
    execution: Execution
    story: str
    calls: list[dict[str, Any]]
    teardown: Run
    after: dict[str, set[str]]


def of_given(administrator: Person) -> dict[str, set[str]]:
    """What there is of the estate `given` and of the platform; other stacks are being built meanwhile."""
    return {
        kind: {name for name in names if "given" in name or "platform" in name or kind == "keys"}
        for kind, names in inventory(administrator).items()
    }


@pytest.fixture(scope="session")
def given(account: Account, estate: Estate, tmp_path_factory: pytest.TempPathFactory) -> Given:
    """An estate that makes of the foundation nothing but its log group."""
    administrator = estate.administrator
    iam, s3 = administrator.client("iam"), administrator.client("s3")
    connections = administrator.client("codeconnections").list_connections()["Connections"]
    settings = {
        "name": "given",
        "installers": ["user/given-installer"],
        "region": REGION,
        "connection_arn": connections[0]["ConnectionArn"],
        "kms_key_arn": account.platform_key,
        "state_bucket": "platform-states",
        "create_state_bucket": False,
        "artifact_bucket": "platform-artifacts",
        "create_artifact_bucket": False,
        "lock_table": "platform-locks",
        "create_lock_table": False,
    }
    stack = {
        "name": "quick",
        "repository": REPOSITORY,
        "path": "quick",
        "approval": False,
        "trigger": False,
        "plan_role_arn": ROLE,
    }
    other = Estate(estate.aws, administrator, tmp_path_factory.mktemp("given"), settings, [stack])
    # The role that exists may do what ours may: it is only not ours.
    _settings, (checked,), problems = check(settings, [stack], [REGION])
    assert problems == []
    shared = other.foundation | {"connection_arn": settings["connection_arn"], "kms_key_arn": account.platform_key}
    role = build_role(shared, checked, "plan", [checked])
    for name, policy in role["inline_policies"].items():
        iam.put_role_policy(RoleName=ROLE_NAME, PolicyName=name, PolicyDocument=json.dumps(policy))
    documents = installer_policies(other.foundation, [checked]).values()
    statements = [statement for document in documents for statement in document["Statement"]]
    policy = {"Version": "2012-10-17", "Statement": statements}
    other.installer = new_person(administrator, "given-installer", policy)
    other.operator = new_person(administrator, "given-operator", operator_policy(other.foundation))

    before, start = of_given(administrator), len(estate.aws.calls())
    site = other.site("--diff")
    # The connection is complete, so that the run which CodePipeline starts with a new pipeline goes through. A second
    # one beside it would be planned before the first is applied.
    (first,) = other.executions("given-quick")
    execution = other.wait("given-quick", first)
    story = other.story(execution)
    again = other.site()
    s3.delete_object(Bucket="platform-states", Key="quick/terraform.tfstate")  # what it built is nothing in AWS
    calls = [call for call in estate.aws.calls()[start:] if call["access_key_id"] != administrator.access_key_id]
    teardown = other.playbook("teardown.yml", other.installer, confirm="given")
    return Given(before, site, again, execution, story, calls, teardown, of_given(administrator))


def test_pipeline_works_with_what_was_given(given: Given) -> None:
    assert given.execution.status == "Succeeded", given.story
    used = {(call["action"], call["resource"].rpartition(":")[2].split("/")[0]) for call in given.calls}
    assert ("s3:PutObject", "platform-states") in used
    assert ("s3:PutObject", "platform-artifacts") in used
    assert [call for call in given.calls if call["resource"].endswith("table/platform-locks")]
    assert [call for call in given.calls if ":assumed-role/platform-plans/" in call["principal_arn"]]


def test_nothing_that_was_given_is_changed(given: Given) -> None:
    changes = given.site.mutations + given.again.mutations
    assert changes
    assert [change for change in changes if "platform" in change or "connection/" in change or "kms:" in change] == []
    assert given.again.mutations == []
    # Nor did a build or a pipeline change more than objects and items in it.
    others = [call for call in given.calls if "platform" in call["resource"]]
    assert {change.split()[0] for change in mutations(others)} <= {
        "s3:PutObject",
        "s3:DeleteObject",
        "dynamodb:PutItem",
        "dynamodb:DeleteItem",
        "sts:AssumeRole",
        "iam:PassRole",
    }


def test_teardown_leaves_what_was_given(given: Given) -> None:
    assert not given.teardown.failed, given.teardown.output
    assert given.after == given.before
