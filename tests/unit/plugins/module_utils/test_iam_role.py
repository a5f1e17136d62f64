# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles by the page, which local AWS never answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.stub import Stubber

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws
from ansible_collections.gitops.aws.plugins.module_utils._kinds.iam_role import OPTIONS, IamRole

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
    asked = {"MaxItems": 1000, **({"Filter": ["Role"]} if member == "RoleDetailList" else {})}
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
