# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM roles: read in bulk, compared by what policies say, changed without a gap."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from local_aws.cli import put_user
from tests.integration.modules.cases import POWER, READ_ONLY, allow, document, trust
from tests.integration.modules.harness import Account, ModuleFailed, mutates, unique


def role(**options: Any) -> dict[str, Any]:
    return {"name": unique("role"), "assume_role_policy": trust("codebuild.amazonaws.com"), **options}


def test_many_roles_are_read_by_the_page(account: Account) -> None:
    roles = [role(managed_policies=[READ_ONLY]) for _ in range(5)]
    account.run("iam_roles", roles=roles)

    again = account.run("iam_roles", roles=roles)

    assert again["api_calls"] == {"iam:GetAccountAuthorizationDetails": 1}
    assert not again["changed"]


def test_what_is_not_there_is_listed_once(account: Account) -> None:
    there = [role(inline_policies={"a": document(allow("s3:*"))}) for _ in range(4)]
    account.run("iam_roles", roles=there, owner_tags={"team": "a"})
    gone = [{"name": unique("gone")} for _ in range(100)]

    def remove(roles: list[dict[str, Any]]) -> dict[str, int]:
        items = [{"name": each["name"]} for each in roles]
        result = account.run("iam_roles", roles=items, owner_tags={"team": "a"}, state="absent")
        return {call: number for call, number in result["api_calls"].items() if not mutates(call)}

    assert remove([*gone, there[0]]) == {
        "iam:GetRole": 1,
        "iam:GetRolePolicy": 1,
        "iam:ListAttachedRolePolicies": 1,
        "iam:ListInstanceProfilesForRole": 1,
        "iam:ListRolePolicies": 1,
        "iam:ListRoles": 1,
    }
    assert remove([*gone, *there]) == {
        "iam:GetAccountAuthorizationDetails": 1,
        "iam:ListInstanceProfilesForRole": 3,
        "iam:ListRoles": 1,
    }
    assert remove([*gone, *there]) == {"iam:ListRoles": 1}
    assert remove(gone[:2]) == {"iam:GetRole": 2}


def test_who_may_not_list_reads_the_details(account: Account) -> None:
    actions = ("iam:GetAccountAuthorizationDetails", "iam:GetRole")
    caller = put_user(account.endpoint_url, unique("narrow"), document(*map(allow, actions)))
    gone = [{"name": unique("gone")} for _ in range(3)]

    result = dataclasses.replace(account, caller=caller).run("iam_roles", roles=gone, state="absent")

    assert result["api_calls"] == {"iam:GetAccountAuthorizationDetails": 1, "iam:ListRoles": 1}


def test_what_was_not_read_is_not_returned(account: Account) -> None:
    roles = [role(description="kept", max_session_duration=7200) for _ in range(3)]
    account.run("iam_roles", roles=roles)

    in_bulk = account.run("iam_roles", roles=[{"name": each["name"]} for each in roles])
    account.run("iam_roles", roles=in_bulk["roles"])

    alone = account.run("iam_roles", roles=[{"name": roles[0]["name"]}])["roles"][0]
    assert (alone["description"], alone["max_session_duration"]) == ("kept", 7200)


def test_policies_in_another_order_are_the_same(account: Account) -> None:
    one = role(
        inline_policies={"a": document({**allow("x"), "Action": ["s3:GetObject", "s3:PutObject"]}, allow("sqs:*"))},
        managed_policies=[READ_ONLY, POWER],
    )
    account.run("iam_roles", roles=[one])

    other = {
        **one,
        "inline_policies": {"a": document({**allow("x"), "Action": ["s3:PutObject", "s3:GetObject"]}, allow("sqs:*"))},
        "managed_policies": [POWER, READ_ONLY],
    }
    assert not account.run("iam_roles", roles=[other])["changed"]


def test_only_the_inline_policy_that_differs_is_written(account: Account) -> None:
    one = role(inline_policies={name: document(allow("s3:GetObject")) for name in ("a", "b", "c")})
    account.run("iam_roles", roles=[one])

    policies = {
        "a": document(allow("s3:GetObject")),
        "b": document(allow("s3:PutObject")),
        "d": document(allow("s3:*")),
    }
    changed = account.run("iam_roles", roles=[{**one, "inline_policies": policies}])

    # What is needed comes before what is too much goes.
    assert changed["mutations"] == ["iam:PutRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy"]


def test_role_in_use_is_deleted_whole(account: Account) -> None:
    one = role(inline_policies={"a": document(allow("s3:*"))}, managed_policies=[READ_ONLY])
    account.run("iam_roles", roles=[one])
    iam = account.root("iam")
    profile = unique("profile")
    iam.create_instance_profile(InstanceProfileName=profile)
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=one["name"])

    account.run("iam_roles", roles=[{"name": one["name"]}], state="absent")

    assert iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"] == []


def test_path_cannot_be_changed(account: Account) -> None:
    one = role(path="/modules/")
    account.run("iam_roles", roles=[one])

    with pytest.raises(ModuleFailed, match="AWS cannot change it"):
        account.run("iam_roles", roles=[{**one, "path": "/other/"}])


def test_description_can_be_removed(account: Account) -> None:
    one = role(description="one")
    account.run("iam_roles", roles=[one])

    account.run("iam_roles", roles=[{**one, "description": ""}])

    assert not account.run("iam_roles", roles=[{**one, "description": ""}])["changed"]


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"name": "a b"}, "roles[0].name"),
        ({"name": "a" * 65}, "roles[0].name"),
        ({"name": "a", "max_session_duration": 60}, "roles[0].max_session_duration"),
        ({"name": "a", "inline_policies": {"x": "{}"}}, "roles[0].inline_policies.x"),
        ({"name": "a", "inline_policies": {"x": {"Sid": "y" * 10300}}}, "roles[0].inline_policies"),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, item: dict[str, Any], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("iam_roles", roles=[item])

    assert path in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result
