# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles by the page, which local AWS never answers, and when two policies are the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies
from botocore.stub import Stubber

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws
from ansible_collections.gitops.aws.plugins.module_utils._kinds import iam_role
from ansible_collections.gitops.aws.plugins.module_utils._kinds.iam_role import OPTIONS, IamRole, policies_equal

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def role(name: str) -> dict[str, Any]:
    return {
        "RoleName": name,
        "Path": "/",
        "RoleId": "AROA000000000000",
        "Arn": f"arn:aws:iam::111122223333:role/{name}",
        "AssumeRolePolicyDocument": TRUST,
    }


def items(*names: str, **options: Any) -> list[dict[str, Any]]:
    return [{**dict.fromkeys(OPTIONS), "name": name, **options} for name in names]


def page(stub: Stubber, operation: str, member: str, names: list[str], marker: int, *, last: bool = False) -> None:
    """Prepares a page; that another follows is said unless it is the last."""
    listed = [{**role(name), **({"CreateDate": 0} if member == "Roles" else {})} for name in names]
    answer = {member: listed, "IsTruncated": not last, **({} if last else {"Marker": str(marker + 1)})}
    asked = {"MaxItems": 250, "Filter": ["Role"]} if member == "RoleDetailList" else {"MaxItems": 1000}
    stub.add_response(operation, answer, {**asked, **({"Marker": str(marker)} if marker else {})})


def test_no_page_is_asked_for_after_the_last_wanted_role(aws: Callable[..., Aws], stubs: dict[str, Stubber]) -> None:
    details, listing = ("get_account_authorization_details", "RoleDetailList"), ("list_roles", "Roles")
    page(stubs["iam"], *details, ["x", "a"], 0)
    page(stubs["iam"], *details, ["y", "b", "c"], 1)
    page(stubs["iam"], *listing, ["c", "b", "a", "x"], 0)

    found = IamRole(aws()).read(items("a", "b", "c", description=""))

    assert list(found) == ["a", "b", "c"]
    assert all(each.settings["max_session_duration"] == 3600 for each in found.values())


def test_a_role_that_is_missing_is_looked_for_on_every_page(aws: Callable[..., Aws], stubs: dict[str, Stubber]) -> None:
    kind = IamRole(aws())
    kind.params = {"state": "absent"}
    page(stubs["iam"], "list_roles", "Roles", ["x"], 0)
    page(stubs["iam"], "list_roles", "Roles", ["y"], 1, last=True)

    assert kind.read(items("a", "b", "c")) == {}


def policy(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **more}


READ = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
WRITE = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::a/*"}
TURNED = {"Resource": ["*"], "Action": ["s3:ListBucket", "s3:GetObject"], "Effect": "Allow"}


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (policy(READ, WRITE), policy(READ, WRITE), True),
        (policy(READ, WRITE), policy(WRITE, TURNED), True),
        (policy(READ), {"Statement": [READ], "Version": "2012-10-17"}, True),
        (policy(READ), {**policy(), "Statement": READ}, True),
        (
            policy({**READ, "Condition": {"Bool": {"a": True}}}),
            policy({**READ, "Condition": {"Bool": {"a": "true"}}}),
            True,
        ),
        (None, None, True),
        (None, {}, True),
        ({}, None, True),
        ({}, {}, True),
        (policy(READ), None, False),
        (None, policy(READ), False),
        (policy(READ), policy(WRITE), False),
        (policy(READ), policy(READ, WRITE), False),
        (policy(READ), policy({**READ, "Effect": "Deny"}), False),
        (policy(READ), policy(READ, Version="2008-10-17"), False),
    ],
)
def test_policies_that_say_the_same_are_equal(before: Any, after: Any, same: bool) -> None:
    assert policies_equal(before, after) is same
    assert policies_equal(json.loads(json.dumps(before)), after) is same
    # The shortcut decides nothing that comparing would decide otherwise.
    assert (not compare_policies(before or {}, after or {})) is same


def test_policies_that_are_the_same_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(iam_role, "compare_policies", lambda *both: compared.append(both))

    assert policies_equal(policy(READ, WRITE), policy(READ, WRITE))
    assert compared == []
    assert policies_equal(policy(READ, WRITE), policy(WRITE, READ))
    assert len(compared) == 1
