# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists that come in pages, and sessions that others make meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import sts

from local_aws import large_accounts
from tests.unit.local_aws.support import LocalAws, allow, command, server, unique


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """An account of its own, whose roles can be counted."""
    with server(tmp_path_factory.mktemp("large")) as running:
        yield running


def details(account: LocalAws, size: int | None = None, **more: Any) -> list[dict[str, Any]]:
    pages = account.client("iam").get_paginator("get_account_authorization_details")
    return list(pages.paginate(PaginationConfig={"PageSize": size} if size else {}, **more))


def test_details_of_an_account_come_in_pages(account: LocalAws) -> None:
    names = [f"role-{number:03}" for number in range(103)]
    for name in names:
        account.role(name, "codebuild.amazonaws.com", allow("s3:ListBucket"))
    iam = account.client("iam")
    iam.create_group(GroupName="people")
    iam.add_user_to_group(GroupName="people", UserName="admin")

    pages = details(account, Filter=["Role"])
    assert [len(page["RoleDetailList"]) for page in pages] == [100, 3]
    assert [role["RoleName"] for page in pages for role in page["RoleDetailList"]] == names
    assert not any(page["UserDetailList"] for page in pages)
    assert all(role["RolePolicyList"] for page in pages for role in page["RoleDetailList"])

    pages = details(account, 50)
    sizes = [[len(page[kind]) for kind in ("UserDetailList", "GroupDetailList", "RoleDetailList")] for page in pages]
    assert sizes == [[1, 1, 48], [0, 0, 50], [0, 0, 5]]
    assert pages[0]["UserDetailList"][0]["GroupList"] == ["people"]

    assert len(details(account, 1000)) == 1
    # A user's groups are told though they come on another page.
    assert details(account, 1)[0]["UserDetailList"][0]["GroupList"] == ["people"]


def test_a_page_of_details_has_a_thousand_at_most(account: LocalAws) -> None:
    iam = account.client("iam")
    with pytest.raises(iam.exceptions.ClientError, match="MaxItems must be from 1 to 1000"):
        details(account, 1001)


def test_a_list_of_tagged_resources_is_that_of_its_first_page(account: LocalAws) -> None:
    sns, tagging = account.client("sns"), account.client("resourcegroupstaggingapi")
    prefix = unique("topic")
    for number in range(3):
        sns.create_topic(Name=f"{prefix}-{number}", Tags=[{"Key": "mine", "Value": prefix}])

    def page(**more: Any) -> tuple[list[str], str]:
        filters = [{"Key": "mine", "Values": [prefix]}]
        answer = tagging.get_resources(TagFilters=filters, ResourcesPerPage=2, **more)
        found = [one["ResourceARN"].rpartition("-")[2] for one in answer["ResourceTagMappingList"]]
        return found, answer["PaginationToken"]

    first, token = page()
    sns.create_topic(Name=f"{prefix}-3", Tags=[{"Key": "mine", "Value": prefix}])
    assert (first, page(PaginationToken=token)) == (["0", "1"], (["2"], ""))
    _first, token = page()
    assert page(PaginationToken=token) == (["2", "3"], "")


def test_sessions_expire_while_others_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sts, "_sessions", {f"old-{number}": {"Expiration": 1.0} for number in range(50)})
    monkeypatch.setattr(sts, "_evict_expired_sessions", sts._evict_expired_sessions)
    monkeypatch.setattr(large_accounts, "LOOK_FOR_EXPIRED", 0)
    large_accounts.sessions_expire()
    begins = threading.Thread(
        target=lambda: [sts._sessions.update({f"new-{n}": {"Expiration": time.time() + 60}}) for n in range(20_000)]
    )
    begins.start()
    while begins.is_alive():
        sts._evict_expired_sessions()
    assert len(sts._sessions) == 20_000


def test_the_quota_of_pipelines_can_be_raised(tmp_path: Any) -> None:
    done = command("up", "--detach", "--port", "0", "--data", str(tmp_path), LOCAL_AWS_MAX_PIPELINES="none")
    assert done.returncode == 1
