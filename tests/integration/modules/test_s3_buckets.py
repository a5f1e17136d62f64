# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 buckets: what is in them, and whose they are."""

from __future__ import annotations

import pytest

from tests.integration.modules.harness import REGION, Account, ModuleFailed, World, unique


@pytest.fixture
def full(account: Account) -> str:
    """A versioned bucket with two versions of an object and a delete marker."""
    name = unique("full")
    account.run("s3_buckets", buckets=[{"name": name, "versioning": True}])
    s3 = account.client("s3")
    for body in (b"one", b"two"):
        s3.put_object(Bucket=name, Key="object", Body=body)
    s3.delete_object(Bucket=name, Key="object")
    return name


@pytest.mark.parametrize("check", [True, False])
def test_bucket_that_holds_objects_is_not_deleted(account: Account, full: str, check: bool) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("s3_buckets", check=check, buckets=[{"name": full}], state="absent")

    assert failure.value.result["mutations"] == []
    assert full in failure.value.result["msg"]
    assert "force" in failure.value.result["msg"]
    assert len(account.client("s3").list_object_versions(Bucket=full)["Versions"]) == 2


def test_force_deletes_every_version(account: Account, full: str) -> None:
    result = account.run("s3_buckets", buckets=[{"name": full, "force": True}], state="absent")

    assert result["changed"]
    assert full not in [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]]


def test_bucket_that_cannot_be_seen_fails_alone(account: Account) -> None:
    hidden, good = unique("hidden"), unique("good")
    account.client("s3")
    account.run("s3_buckets", buckets=[{"name": good}])
    account.root("s3").create_bucket(Bucket=hidden, CreateBucketConfiguration={"LocationConstraint": REGION})

    with pytest.raises(ModuleFailed) as failure:
        account.run("s3_buckets", buckets=[{"name": hidden}, {"name": good, "versioning": True}])

    result = failure.value.result
    assert "another account" in result["resources"][hidden]["error"]
    assert result["resources"][good]["action"] == "updated"


def test_kms_encryption_without_a_key_is_stable(account: Account) -> None:
    item = {"name": unique("kms"), "encryption": {}}

    account.run("s3_buckets", buckets=[item])
    again = account.run("s3_buckets", buckets=[item])

    assert not again["changed"]
    assert again["buckets"][0]["encryption"] == {"algorithm": "aws:kms", "bucket_key": True}


def test_only_what_is_given_is_read(account: Account) -> None:
    item = {"name": unique("few"), "versioning": True}
    account.run("s3_buckets", buckets=[item])

    assert account.run("s3_buckets", buckets=[item])["api_calls"] == {"s3:GetBucketVersioning": 1}
    assert account.run("s3_buckets", buckets=[{"name": item["name"]}])["api_calls"] == {"s3:HeadBucket": 1}


def test_tags_of_several_are_read_with_one_call(account: Account) -> None:
    items = [
        {"name": unique("tagged"), "versioning": True, "object_ownership": "BucketOwnerEnforced"} for _ in range(3)
    ]
    account.run("s3_buckets", buckets=items, owner_tags={"team": "a"})

    again = account.run("s3_buckets", buckets=items, owner_tags={"team": "a"})
    alone = account.run("s3_buckets", buckets=items[:1], owner_tags={"team": "a"})

    assert not again["changed"]
    assert again["api_calls"] == {
        "resourcegroupstaggingapi:GetResources": 1,
        "s3:GetBucketOwnershipControls": 3,
        "s3:GetBucketVersioning": 3,
    }
    assert alone["api_calls"] == {
        "s3:GetBucketOwnershipControls": 1,
        "s3:GetBucketTagging": 1,
        "s3:GetBucketVersioning": 1,
    }


def test_removing_what_is_not_there_takes_a_call_each(account: Account) -> None:
    items = [{"name": unique("gone")} for _ in range(3)]
    account.run("s3_buckets", buckets=items[:1], owner_tags={"team": "a"})

    # What is there is removed by its own word, not by that of the Tagging API.
    first = account.run("s3_buckets", buckets=items, owner_tags={"team": "a"}, state="absent")
    again = account.run("s3_buckets", buckets=items, owner_tags={"team": "a"}, state="absent")

    assert first["api_calls"] == {"s3:DeleteBucket": 1, "s3:GetBucketTagging": 3, "s3:ListObjectVersions": 1}
    assert again["api_calls"] == {"s3:GetBucketTagging": 3}


def test_bucket_whose_settings_are_denied(account: Account) -> None:
    """It is told from one that is not there, and from one of another account."""
    closed, hidden, gone = unique("closed"), unique("closed-hidden"), unique("closed-gone")
    for name in (closed, hidden):
        account.root("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    with pytest.raises(ModuleFailed) as failure:
        account.run("s3_buckets", buckets=[{"name": name} for name in (closed, hidden, gone)], owner_tags={"team": "a"})

    found = failure.value.result
    assert "GetBucketTagging failed with AccessDenied" in found["resources"][closed]["error"]
    assert "another account" in found["resources"][hidden]["error"]
    assert found["resources"][gone]["action"] == "created"
    assert found["api_calls"]["s3:HeadBucket"] == 3


def test_policy_in_another_order_is_the_same(account: Account) -> None:
    name = unique("policy")

    def policy(actions: list[str]) -> dict[str, object]:
        statement = {"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": f"arn:aws:s3:::{name}/*"}
        return {"Version": "2012-10-17", "Statement": [statement]}

    account.run("s3_buckets", buckets=[{"name": name, "policy": policy(["s3:PutObject", "s3:GetObject"])}])
    again = account.run("s3_buckets", buckets=[{"name": name, "policy": policy(["s3:GetObject", "s3:PutObject"])}])

    assert not again["changed"]


def test_lifecycle_rules_in_another_order_are_the_same(account: Account) -> None:
    rules = [{"id": name, "filter": {"prefix": name}, "expiration": {"days": 3}} for name in ("a", "b")]
    name = unique("rules")
    account.run("s3_buckets", buckets=[{"name": name, "lifecycle_rules": rules}])

    assert not account.run("s3_buckets", buckets=[{"name": name, "lifecycle_rules": rules[::-1]}])["changed"]


def test_bad_name_is_refused_before_any_call(account: Account, world: World) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("s3_buckets", buckets=[{"name": world.bucket}, {"name": "Upper_Case"}])

    assert "buckets[1].name: 'Upper_Case'" in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result
