# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Customer managed policies: read in bulk, changed by versions of which there are five, deleted when nobody has one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.modules.cases import allow, document, trust
from tests.integration.modules.harness import ACCOUNT, Account, ModuleFailed, unique


def policy(**options: Any) -> dict[str, Any]:
    return {"name": unique("policy"), "policy": document(allow("s3:GetObject")), **options}


def arn(item: dict[str, Any]) -> str:
    return f"arn:aws:iam::{ACCOUNT}:policy{item.get('path', '/')}{item['name']}"


def versions(account: Account, item: dict[str, Any]) -> list[str]:
    """Those that a policy has; the one in force in brackets."""
    found = account.client("iam").list_policy_versions(PolicyArn=arn(item))["Versions"]
    ids = sorted((each["VersionId"], each["IsDefaultVersion"]) for each in found)
    return [f"[{version}]" if default else version for version, default in ids]


def test_many_policies_are_read_by_the_page(account: Account) -> None:
    items = [policy(path="/many/") for _ in range(5)]
    account.run("iam_policies", policies=items)

    again = account.run("iam_policies", policies=items)

    assert again["api_calls"] == {"iam:GetAccountAuthorizationDetails": 1}
    assert not again["changed"]


def test_description_and_tags_take_one_call_more(account: Account) -> None:
    one = policy(description="kept", tags={"a": "1"})
    plain = policy()
    account.run("iam_policies", policies=[one, plain])

    again = account.run("iam_policies", policies=[one, plain])

    assert again["api_calls"] == {"iam:GetAccountAuthorizationDetails": 1, "iam:GetPolicy": 1}
    assert not again["changed"]


def test_policy_is_found_whatever_its_path(account: Account) -> None:
    one = policy(path="/deep/down/")
    made = account.run("iam_policies", policies=[one])

    found = account.run("iam_policies", policies=[{"name": one["name"]}])

    assert found["resources"] == {one["name"]: {"action": "unchanged", "arn": arn(one), "default_version_id": "v1"}}
    assert found["policies"] == made["policies"]


def test_check_mode_gives_the_arn_that_the_policy_will_have(account: Account) -> None:
    items = [policy(path="/modules/"), policy()]

    checked = account.run("iam_policies", check=True, policies=items)
    made = account.run("iam_policies", policies=items)

    assert checked["resources"] == made["resources"]
    assert checked["resources"][items[0]["name"]]["arn"] == arn(items[0])
    assert checked["api_calls"] == {"iam:GetAccountAuthorizationDetails": 1, "sts:GetCallerIdentity": 1}


def test_documents_in_another_order_are_the_same(account: Account) -> None:
    one = policy(policy=document({**allow("x"), "Action": ["s3:GetObject", "s3:PutObject"]}, allow("sqs:*")))
    account.run("iam_policies", policies=[one])

    other = document({**allow("x"), "Action": ["s3:PutObject", "s3:GetObject"]}, allow("sqs:*"))

    assert not account.run("iam_policies", policies=[{**one, "policy": other}])["changed"]


def test_the_oldest_version_makes_room_for_the_sixth(account: Account) -> None:
    one = policy()
    actions = ["s3:PutObject", "s3:ListBucket", "sqs:*", "sns:*", "ec2:*"]
    runs = [account.run("iam_policies", policies=[one])]
    for action in actions:
        runs.append(account.run("iam_policies", policies=[{**one, "policy": document(allow(action))}]))

    assert versions(account, one) == ["v2", "v3", "v4", "v5", "[v6]"]
    assert [run["mutations"] for run in runs[-2:]] == [
        ["iam:CreatePolicyVersion"],
        ["iam:DeletePolicyVersion", "iam:CreatePolicyVersion"],
    ]
    ids = [run["resources"][one["name"]]["default_version_id"] for run in runs]
    assert ids == ["v1", "v2", "v3", "v4", "v5", "v6"]


def test_the_version_in_force_is_not_the_one_that_makes_room(account: Account) -> None:
    one = policy()
    account.run("iam_policies", policies=[one])
    iam = account.root("iam")
    for action in ("s3:PutObject", "sqs:*", "sns:*", "ec2:*"):
        iam.create_policy_version(PolicyArn=arn(one), PolicyDocument=json.dumps(document(allow(action))))

    account.run("iam_policies", policies=[{**one, "policy": document(allow("s3:ListBucket"))}])

    assert versions(account, one) == ["v1", "v3", "v4", "v5", "[v6]"]


def test_policy_with_versions_is_deleted_whole(account: Account) -> None:
    one = policy()
    for action in ("s3:PutObject", "sqs:*", "sns:*"):
        account.run("iam_policies", policies=[{**one, "policy": document(allow(action))}])

    deleted = account.run("iam_policies", policies=[{"name": one["name"]}], state="absent")

    assert deleted["mutations"] == ["iam:DeletePolicyVersion", "iam:DeletePolicyVersion", "iam:DeletePolicy"]


@pytest.fixture
def used(account: Account) -> Iterator[dict[str, Any]]:
    """A policy with users: a role and a group that have it, a role that it bounds."""
    one = policy()
    account.run("iam_policies", policies=[one])
    iam = account.root("iam")
    trusted = json.dumps(trust("codebuild.amazonaws.com"))
    name = one["name"]
    iam.create_role(RoleName=f"{name}-has", AssumeRolePolicyDocument=trusted)
    iam.attach_role_policy(RoleName=f"{name}-has", PolicyArn=arn(one))
    iam.create_group(GroupName=f"{name}-group")
    iam.attach_group_policy(GroupName=f"{name}-group", PolicyArn=arn(one))
    iam.create_role(RoleName=f"{name}-bound", AssumeRolePolicyDocument=trusted, PermissionsBoundary=arn(one))
    yield one
    iam.detach_group_policy(GroupName=f"{name}-group", PolicyArn=arn(one))
    iam.delete_group(GroupName=f"{name}-group")


@pytest.mark.parametrize("check", [True, False])
def test_policy_in_use_is_not_deleted(account: Account, used: dict[str, Any], check: bool) -> None:
    name = used["name"]
    account.run("iam_policies", policies=[{**used, "policy": document(allow("sqs:*"))}])

    with pytest.raises(ModuleFailed) as failure:
        account.run("iam_policies", check=check, policies=[{"name": name}], state="absent")

    assert failure.value.result["mutations"] == []
    assert (
        f"attached to role {name}-has, group {name}-group and the permissions boundary of role {name}-bound"
        in failure.value.result["msg"]
    )
    assert versions(account, used) == ["v1", "[v2]"]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("other", [{"path": "/other/"}, {"description": "other"}, {"description": ""}])
def test_path_and_description_cannot_be_changed(account: Account, other: dict[str, Any], check: bool) -> None:
    one = policy(path="/modules/", description="one")
    account.run("iam_policies", policies=[one])

    with pytest.raises(ModuleFailed, match="AWS cannot change it") as failure:
        account.run("iam_policies", check=check, policies=[{**one, **other}])

    assert failure.value.result["mutations"] == []


def test_creation_needs_a_document_also_in_check_mode(account: Account) -> None:
    with pytest.raises(ModuleFailed, match="policy must be given"):
        account.run("iam_policies", check=True, policies=[{"name": unique("policy")}])


def test_what_others_made_is_left_alone(account: Account) -> None:
    one, owner = policy(), {"gitops:estate": "ours"}
    account.run("iam_policies", policies=[one])

    for state in ("present", "absent"):
        with pytest.raises(ModuleFailed, match="lacks the tag gitops:estate=ours") as failure:
            account.run("iam_policies", policies=[one], owner_tags=owner, state=state)
        assert failure.value.result["mutations"] == []


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"name": "a b"}, "policies[0].name: "),
        ({"name": "a", "path": "x"}, "policies[0].path: "),
        ({"name": "a", "policy": {}}, "policies[0].policy: is empty"),
        ({"name": "a", "policy": {"Sid": "y" * 7000}}, "policies[0].policy: has 7010 characters"),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, item: dict[str, Any], message: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("iam_policies", policies=[item])

    assert message in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result
