# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""terraform_state, with states that Terraform has written and reads again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed, unique
from tests.integration.modules.running import eventually
from tests.integration.modules.states import KINDS, Place, Root, kill

CLEAN = "No changes. Your infrastructure matches the configuration."


@pytest.fixture(scope="module")
def place(account: Account) -> Place:
    return Place.open(account)


@pytest.fixture
def root(request: pytest.FixtureRequest, place: Place, tmp_path: Path) -> Root:
    """A root module whose state is locked in both ways, or as the test's parameter says."""
    return Root.make(place, tmp_path, getattr(request, "param", KINDS[2]))


@pytest.fixture
def applied_twice(root: Root) -> Root:
    """Two applies: of "first", and of "second"."""
    root.apply("first")
    root.apply("second")
    return root


def first_version(root: Root) -> str:
    """The last version of the state that knows nothing of "second"."""
    s3 = root.place.account.client("s3")

    def content(version: str) -> str:
        answer = s3.get_object(Bucket=root.place.bucket, Key=root.key, VersionId=version)
        return str(answer["Body"].read().decode())

    return [version for version in root.versions() if "second" not in content(version)][-1]


# Going back


@pytest.mark.parametrize("root", KINDS, indirect=True, ids="+".join)
def test_terraform_goes_on_from_the_restored_state(account: Account, applied_twice: Root) -> None:
    root, place = applied_twice, applied_twice.place
    before = place.state(root.key)
    version = first_version(root)

    result = account.run("terraform_state", **root.options(version_id=version))

    after = place.state(root.key)
    expected = json.loads(
        account.client("s3").get_object(Bucket=place.bucket, Key=root.key, VersionId=version)["Body"].read()
    )
    assert result["changed"]
    assert after == {**expected, "serial": before["serial"] + 1}
    assert result["serial"] == after["serial"]
    assert result["resources"] == ["terraform_data.slow", "terraform_data.value"]
    assert result["version_id"] == root.versions()[-1]
    assert place.is_locked(root.key) == []
    assert CLEAN in root.plan("first")
    assert "Plan: 1 to add, 1 to change, 1 to destroy" in root.plan("second")
    root.apply("third")


def test_it_is_written_as_terraform_writes_it(account: Account, applied_twice: Root) -> None:
    root, place = applied_twice, applied_twice.place
    s3 = account.client("s3")
    by_terraform = s3.head_object(Bucket=place.bucket, Key=root.key)

    account.run("terraform_state", **root.options(version_id=first_version(root)))

    ours = s3.head_object(Bucket=place.bucket, Key=root.key)
    for name in ("ContentType", "ServerSideEncryption", "SSEKMSKeyId"):
        assert ours[name] == by_terraform[name], name
    body = place.read(root.key)
    assert body is not None
    assert place.item(f"{root.key}-md5") == {
        "LockID": f"{place.bucket}/{root.key}-md5",
        "Digest": hashlib.md5(body).hexdigest(),
    }


def test_plans_that_were_saved_before_are_stale(account: Account, applied_twice: Root) -> None:
    root = applied_twice
    root.plan("third", "-out=saved")

    account.run("terraform_state", **root.options(version_id=first_version(root)))

    assert "Saved plan is stale" in root.run("apply", "saved", fails=True)


def test_second_run_changes_nothing(account: Account, applied_twice: Root) -> None:
    root, version = applied_twice, first_version(applied_twice)
    account.run("terraform_state", **root.options(version_id=version))
    serial = root.place.state(root.key)["serial"]

    again = account.run("terraform_state", **root.options(version_id=version))

    assert not again["changed"]
    assert again["actions"] == again["mutations"] == []
    assert again["serial"] == serial
    assert again["version_id"] == root.versions()[-1]
    assert "diff" not in again


def test_check_mode_tells_the_truth_and_shows_no_values(account: Account, applied_twice: Root) -> None:
    root = applied_twice
    options = root.options(version_id=first_version(root))
    before = root.place.state(root.key)

    check = account.run("terraform_state", check=True, **options)

    assert root.place.state(root.key) == before
    real = account.run("terraform_state", **options)
    assert check["mutations"] == []
    assert check["actions"] == real["actions"] == ["state_written", "digest_written"]
    assert check["diff"] == real["diff"]
    (difference,) = check["diff"]
    assert difference["before"]["serial"] == before["serial"]
    assert difference["after"]["serial"] == before["serial"] + 1
    assert "first" not in str(check) and "second" not in str(check)  # noqa: PT018


def test_without_the_module_terraform_refuses_what_was_put_back(account: Account, applied_twice: Root) -> None:
    root, place = applied_twice, applied_twice.place
    source = {"Bucket": place.bucket, "Key": root.key, "VersionId": first_version(root)}

    account.client("s3").copy_object(Bucket=place.bucket, Key=root.key, CopySource=source)

    assert "state data in S3 does not have the expected content" in root.run("plan", "-var=value=first", fails=True)


def test_a_deleted_state_comes_back(account: Account, applied_twice: Root) -> None:
    root, version = applied_twice, applied_twice.versions()[-1]
    account.client("s3").delete_object(Bucket=root.place.bucket, Key=root.key)

    result = account.run("terraform_state", **root.options(version_id=version))

    assert result["changed"]
    assert result["diff"][0]["before"] == {}
    assert CLEAN in root.plan("second")


def test_a_digest_that_was_left_behind_is_put_right(account: Account, applied_twice: Root) -> None:
    """As after a time without the lock table, or where a module run died between state and digest."""
    root, place = applied_twice, applied_twice.place
    place.put_item(f"{root.key}-md5", Digest="0" * 32)
    options = root.options(version_id=root.versions()[-1])

    check = account.run("terraform_state", check=True, **options)
    result = account.run("terraform_state", **options)
    again = account.run("terraform_state", **options)

    assert check["actions"] == result["actions"] == ["digest_written"]
    assert check["diff"] == result["diff"]
    assert result["diff"][0]["before"]["digest"] != result["diff"][0]["after"]["digest"]
    assert not again["changed"]
    assert len(root.versions()) == len(set(root.versions()))
    assert CLEAN in root.plan("second")


@pytest.mark.parametrize("root", KINDS[1:2], indirect=True, ids="+".join)
def test_from_the_lock_file_back_to_the_table(account: Account, root: Root) -> None:
    """The table's digest is older than what was applied meanwhile: docs/recovery.md tells what this test does."""
    root.init(["dynamodb", "lockfile"])
    root.apply("first")
    root.init(["lockfile"])
    root.apply("second")

    both = ["dynamodb", "lockfile"]
    result = account.run("terraform_state", **root.options(locking=both, version_id=root.versions()[-1]))
    root.init(both)

    assert result["actions"] == ["digest_written"]
    assert CLEAN in root.plan("second")


# What is refused


def refused(account: Account, **options: Any) -> str:
    """The message of a run that must fail without having changed anything, in check mode, too."""
    with pytest.raises(ModuleFailed) as in_check_mode:
        account.run("terraform_state", check=True, **options)
    with pytest.raises(ModuleFailed) as failure:
        account.run("terraform_state", **options)
    assert in_check_mode.value.result["mutations"] == []
    message = str(failure.value.result["msg"])
    assert message == in_check_mode.value.result["msg"]
    return message


def test_a_version_that_there_is_not(account: Account, applied_twice: Root) -> None:
    root, s3 = applied_twice, account.client("s3")
    s3.delete_object(Bucket=root.place.bucket, Key=root.key)
    marks = s3.list_object_versions(Bucket=root.place.bucket, Prefix=root.key)["DeleteMarkers"]
    mark = next(each["VersionId"] for each in marks if each["Key"] == root.key)

    for version in ("nonsense", mark):
        message = refused(account, **root.options(version_id=version))
        assert f"there is no version {version} at s3://{root.place.bucket}/{root.key}. Nothing was changed" in message


def test_a_version_that_is_no_state(account: Account, applied_twice: Root) -> None:
    root, place = applied_twice, applied_twice.place
    version = place.put(root.key, "hunter2")
    place.put(root.key, json.dumps({"version": 4, "serial": 1, "lineage": "x"}))

    message = refused(account, **root.options(version_id=version))

    assert "what is to be restored is none: it is not JSON" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("root", KINDS[1:2], indirect=True, ids="+".join)
def test_the_state_of_something_else(account: Account, applied_twice: Root) -> None:
    root, place = applied_twice, applied_twice.place
    other = place.put(root.key, {**place.state(root.key), "lineage": "of-another", "serial": 99})
    place.put(root.key, {**place.state(root.key), "lineage": "ours", "serial": 7})

    message = refused(account, **root.options(version_id=other))
    forced = account.run("terraform_state", **root.options(version_id=other, force=True))

    assert "its lineage is of-another, that of the present state ours" in message
    assert forced["serial"] == place.state(root.key)["serial"] == 100
    assert place.state(root.key)["lineage"] == "of-another"


@pytest.mark.parametrize("root", KINDS[1:2], indirect=True, ids="+".join)
def test_what_is_there_is_no_state(account: Account, applied_twice: Root) -> None:
    root = applied_twice
    version = root.versions()[-1]
    root.place.put(root.key, "{}")

    message = refused(account, **root.options(version_id=version))
    account.run("terraform_state", **root.options(version_id=version, force=True))

    assert "the present state is none: it is not a Terraform state" in message
    assert CLEAN in root.plan("second")


@pytest.mark.parametrize("root", KINDS, indirect=True, ids="+".join)
def test_a_running_apply_keeps_it_out(account: Account, applied_twice: Root) -> None:
    root, place = applied_twice, applied_twice.place
    options = root.options(version_id=first_version(root))
    before = place.state(root.key)
    process = root.command("apply", "-auto-approve", "-var=value=third", "-var=seconds=60")
    try:
        eventually(lambda: sorted(place.is_locked(root.key)) == sorted(root.kinds))

        message = refused(account, **options)

        assert "the state is locked: lock " in message
        assert f"({' and '.join(root.kinds)}), held by " in message
        assert "for apply, Terraform 1.11.4 since 20" in message
        assert sorted(place.is_locked(root.key)) == sorted(root.kinds)
        assert place.state(root.key)["serial"] == before["serial"]
    finally:
        kill(process)


@pytest.mark.parametrize("held", ["dynamodb", "lockfile"])
def test_one_of_two_locks_keeps_it_out_and_nothing_of_ours_stays(
    account: Account, applied_twice: Root, held: str
) -> None:
    root, place = applied_twice, applied_twice.place
    lock_id = place.lock(root.key, [held])

    message = refused(account, **root.options(version_id=first_version(root)))

    assert f"lock {lock_id} of {root.key} ({held}), held by somebody@else" in message
    assert place.is_locked(root.key) == [held]


def test_a_bucket_without_versions(account: Account, tmp_path: Path) -> None:
    place = Place.open(account)
    account.client("s3").put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Suspended"})
    unversioned = unique("unversioned")
    account.client("s3").create_bucket(
        Bucket=unversioned, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    place.bucket = unversioned
    root = Root.make(place, tmp_path, ["lockfile"])
    root.apply("first")
    state = place.state(root.key)
    account.client("s3").put_object(
        Bucket=unversioned, Key="aside", Body=json.dumps({**state, "serial": 50, "resources": []})
    )
    options = root.options(rescued={"bucket": unversioned, "key": "aside"})

    message = refused(account, **options)
    account.run("terraform_state", **options, force=True)

    assert "the bucket keeps no versions: the present state would be lost" in message
    assert place.state(root.key)["serial"] == 51


# What a build could not write


@pytest.fixture
def rescued(account: Account, applied_twice: Root) -> dict[str, str]:
    """Where the state was saved of an apply that may not write it any more when it comes to that."""
    root, place, s3 = applied_twice, applied_twice.place, account.root("s3")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{place.bucket}/{root.key}",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    with root.command("apply", "-auto-approve", "-var=value=third", "-var=seconds=3") as process:
        eventually(lambda: place.is_locked(root.key))
        s3.put_bucket_policy(Bucket=place.bucket, Policy=policy)
        output, _none = process.communicate(timeout=60)
    s3.delete_bucket_policy(Bucket=place.bucket)
    assert "Failed to save state" in output
    place.put(f"{root.key}.errored", (root.directory / "errored.tfstate").read_bytes())
    return {"bucket": place.bucket, "key": f"{root.key}.errored"}


def test_a_rescued_state_is_put_back_and_not_kept(
    account: Account, applied_twice: Root, rescued: dict[str, str]
) -> None:
    root, place = applied_twice, applied_twice.place
    saved, serial = place.state(rescued["key"]), place.state(root.key)["serial"]
    options = root.options(rescued=rescued)

    check = account.run("terraform_state", check=True, **options)
    result = account.run("terraform_state", **options)
    again = account.run("terraform_state", **options)

    assert saved["serial"] > serial
    assert check["diff"] == result["diff"]
    assert result["actions"] == ["state_written", "digest_written", "rescued_deleted"]
    assert place.state(root.key) == {**saved, "serial": saved["serial"] + 1}
    assert place.read(rescued["key"]) is None
    assert not again["changed"]
    assert again["mutations"] == []
    assert CLEAN in root.plan("third")


def test_a_rescued_state_that_is_older_than_the_present_one(
    account: Account, applied_twice: Root, rescued: dict[str, str]
) -> None:
    root, place = applied_twice, applied_twice.place
    root.apply("fourth")
    assert place.state(root.key)["serial"] >= place.state(rescued["key"])["serial"]

    message = refused(account, **root.options(rescued=rescued))
    forced = account.run("terraform_state", **root.options(rescued=rescued, force=True))

    assert "something was applied since it was saved. Nothing was changed" in message
    assert "rescued_deleted" in forced["actions"]


def test_a_rescued_state_that_was_put_back_already_is_only_deleted(account: Account, applied_twice: Root) -> None:
    root, place = applied_twice, applied_twice.place
    place.put("aside", place.state(root.key))
    rescued = {"bucket": place.bucket, "key": "aside"}

    result = account.run("terraform_state", **root.options(rescued=rescued))

    assert result["actions"] == ["rescued_deleted"]
    assert result["diff"][0]["after"]["rescued"] == "deleted"
    assert place.read("aside") is None


def test_no_rescued_state(account: Account, applied_twice: Root) -> None:
    rescued = {"bucket": applied_twice.place.bucket, "key": "none"}

    message = refused(account, **applied_twice.options(rescued=rescued))

    assert f"there is no rescued state at s3://{applied_twice.place.bucket}/none" in message


def test_a_rescued_state_that_may_have_expired(account: Account, place: Place, root: Root) -> None:
    """As by the lifecycle of the artifact bucket, which leaves a delete marker, too."""
    root.apply("first")
    place.put("folder/errored/network.tfstate", place.state(root.key))
    account.client("s3").delete_object(Bucket=place.bucket, Key="folder/errored/network.tfstate")
    rescued = {"bucket": place.bucket, "key": "folder/errored/network.tfstate"}

    message = refused(account, **root.options(rescued=rescued))

    assert f"s3://{place.bucket}/folder/errored/network.tfstate any more" in message
    assert "it was put back before, or it has expired. Nothing was changed" in message


def test_the_first_state_of_all_is_rescued(account: Account, place: Place, root: Root) -> None:
    root.apply("first")
    place.put("first", place.state(root.key))
    other = Root.make(place, root.directory, root.kinds)

    account.run("terraform_state", **other.options(rescued={"bucket": place.bucket, "key": "first"}))

    assert CLEAN in other.plan("first")


# Wrong arguments


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "version_id, rescued: neither is given"),
        ({"version_id": "v", "rescued": {"bucket": "b", "key": "other"}}, "version_id, rescued: both are given"),
        ({"version_id": ""}, "version_id: it is empty"),
        ({"rescued": {"bucket": "b", "key": " "}}, "rescued.key: it is empty"),
        ({"rescued": {"bucket": "bucket", "key": "key"}}, "rescued.key: it is the state itself"),
        ({"rescued": {"bucket": "b"}}, "rescued.key: it is required and missing"),
        ({"version_id": "v", "locking": []}, "locking: it is empty"),
        ({"version_id": "v", "table": None}, "table: it is missing, and locking has dynamodb"),
        ({"version_id": "v", "locking": ["s3"]}, r"locking\[0\]: 's3' is not allowed"),
    ],
)
def test_wrong_arguments(account: Account, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModuleFailed, match=rf"Nothing was changed\. {problem}") as failure:
        account.run("terraform_state", **{"bucket": "bucket", "key": "key", "table": "table", **arguments})

    assert failure.value.result.get("api_calls", {}) == {}


def test_errors_name_the_state(account: Account) -> None:
    with pytest.raises(ModuleFailed, match="state s3://no-such-bucket-x/key: GetObject failed with NoSuchBucket"):
        account.run("terraform_state", bucket="no-such-bucket-x", key="key", locking=["lockfile"], version_id="v")
