# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""terraform_state that fails in the middle: it says what was done, holds no lock, and the next run does the rest."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.modules.harness import Account, ModuleFailed, unique
from tests.integration.modules.states import Before, Place, interfere

BOTH = ["dynamodb", "lockfile"]
DENIED = {"Error": {"Code": "AccessDeniedException", "Message": "not today"}}


@pytest.fixture(scope="module")
def place(account: Account) -> Place:
    return Place.open(account)


def state(value: str, serial: int) -> dict[str, Any]:
    made = {"mode": "managed", "type": "aws_vpc", "name": "this", "instances": [{"attributes": {"id": value}}]}
    return {"version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": "l", "resources": [made]}


@pytest.fixture
def key(place: Place) -> str:
    """A state with two versions and the digest of the second."""
    name = f"{unique('stack')}/terraform.tfstate"
    place.put(name, state("first", 1))
    place.put(name, state("second", 2))
    return name


@pytest.fixture
def options(account: Account, place: Place, key: str) -> dict[str, Any]:
    """What restores the first version."""
    versions = account.client("s3").list_object_versions(Bucket=place.bucket, Prefix=key)["Versions"]
    return {
        "bucket": place.bucket,
        "key": key,
        "table": place.table,
        "kms_key_id": place.kms_key_id,
        "version_id": versions[-1]["VersionId"],
    }


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, Before], None]:
    """Has something done just before the module makes a call."""
    return functools.partial(interfere, monkeypatch)


def deny(_body: bytes) -> None:
    raise ClientError(DENIED, "TheCall")


def failure_of(account: Account, options: dict[str, Any]) -> dict[str, Any]:
    """The result of a run that must fail."""
    with pytest.raises(ModuleFailed) as failure:
        account.run("terraform_state", **options)
    return failure.value.result


def test_the_digest_cannot_be_written(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put_item(f"{key}-md5", Digest="0" * 32)
    before("PutItem", "-md5", deny)

    result = failure_of(account, options)

    assert result["changed"]
    assert result["actions"] == ["state_written"]
    for part in (
        f"its digest in lock table {place.table} was not written: until it is, Terraform refuses to read the state",
        f"state s3://{place.bucket}/{key}: TheCall failed with AccessDeniedException: not today.",
        "Fix: run this again, which writes the digest alone",
    ):
        assert part in result["msg"]
    assert place.state(key) == state("first", 3)
    assert place.is_locked(key) == []

    monkeypatch.undo()
    again = account.run("terraform_state", **options)
    assert again["actions"] == ["digest_written"]
    assert place.state(key) == state("first", 3)


def test_the_rescued_state_cannot_be_deleted(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.put(f"{key}.errored", state("third", 3))
    del options["version_id"]
    options["rescued"] = {"bucket": place.bucket, "key": f"{key}.errored"}
    before("DeleteObject", ".errored", deny)

    result = failure_of(account, options)

    assert result["changed"]
    assert result["actions"] == ["state_written", "digest_written"]
    assert result["msg"].startswith("Done was state_written, digest_written; then it failed. ")
    assert result["msg"].endswith(" Fix: run this again, which does the rest")
    assert place.is_locked(key) == []

    monkeypatch.undo()
    assert account.run("terraform_state", **options)["actions"] == ["rescued_deleted"]
    assert place.state(key) == state("third", 4)


def test_another_state_is_saved_aside_meanwhile(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any
) -> None:
    place.put(f"{key}.errored", state("third", 3))
    del options["version_id"]
    options["rescued"] = {"bucket": place.bucket, "key": f"{key}.errored"}
    before("DeleteObject", ".errored", lambda _body: place.put(f"{key}.errored", state("fourth", 4)))

    result = failure_of(account, options)

    assert "another state was saved at" in result["msg"]
    assert place.state(f"{key}.errored") == state("fourth", 4)


def test_the_state_cannot_be_written(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any
) -> None:
    before("PutObject", '"first"', deny)

    result = failure_of(account, options)

    assert not result.get("changed")
    assert "actions" not in result
    assert place.state(key) == state("second", 2)
    assert place.is_locked(key) == []


@pytest.mark.parametrize(("operation", "kind"), [("PutItem", "dynamodb"), ("PutObject", "lockfile")])
def test_a_lock_cannot_be_taken(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any, operation: str, kind: str
) -> None:
    before(operation, '"Operation' if kind == "lockfile" else "Operation", deny)

    result = failure_of(account, options)

    assert "TheCall failed with AccessDeniedException" in result["msg"]
    assert place.state(key) == state("second", 2)
    assert place.is_locked(key) == []


@pytest.mark.parametrize("kind", BOTH)
def test_somebody_takes_the_lock_a_moment_before(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any, kind: str
) -> None:
    taken: list[str] = []
    operation, text = ("PutItem", "Operation") if kind == "dynamodb" else ("PutObject", "Operation")
    before(operation, text, lambda _body: taken.append(place.lock(key, [kind])))

    result = failure_of(account, options)

    assert f"the state is locked: lock {taken[0]} of {key} ({kind}), held by somebody@else" in result["msg"]
    assert "restore" not in result["msg"].partition("Fix:")[0]
    assert place.is_locked(key) == [kind]
    assert place.state(key) == state("second", 2)


def test_the_lock_file_is_encrypted_as_the_state_is(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any
) -> None:
    seen: list[dict[str, Any]] = []
    s3 = account.client("s3")
    before("PutItem", "Operation", lambda _body: seen.append(s3.head_object(Bucket=place.bucket, Key=f"{key}.tflock")))

    account.run("terraform_state", **options)

    (file,) = seen
    assert (file["ServerSideEncryption"], file["SSEKMSKeyId"]) == ("aws:kms", place.kms_key_id)
    assert file["ContentType"] == "application/json"


@pytest.mark.parametrize("kind", BOTH)
def test_the_answer_to_taking_a_lock_was_lost(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any, kind: str
) -> None:
    """botocore repeats the call, which then meets our own lock."""

    def take(body: bytes) -> None:
        if kind == "lockfile":
            place.put(f"{key}.tflock", body)
        else:
            place.put_item(key, Info=json.loads(body)["Item"]["Info"]["S"])

    before("PutItem" if kind == "dynamodb" else "PutObject", "Operation", take)

    result = account.run("terraform_state", **options)

    assert result["actions"] == ["state_written", "digest_written"]
    assert place.is_locked(key) == []


def test_the_answer_to_writing_the_state_was_lost(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any
) -> None:
    before("PutObject", '"first"', lambda body: place.put(key, body))

    result = account.run("terraform_state", **options)

    assert result["actions"] == ["state_written", "digest_written"]
    assert place.state(key) == state("first", 3)


def test_the_answer_to_deleting_the_rescued_state_was_lost(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any
) -> None:
    place.put(f"{key}.errored", state("third", 3))
    del options["version_id"]
    options["rescued"] = {"bucket": place.bucket, "key": f"{key}.errored"}
    s3 = account.client("s3")
    before("DeleteObject", ".errored", lambda _body: s3.delete_object(Bucket=place.bucket, Key=f"{key}.errored"))

    assert "rescued_deleted" in account.run("terraform_state", **options)["actions"]


def test_somebody_writes_the_state_in_spite_of_the_lock(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any
) -> None:
    before("PutObject", '"first"', lambda _body: place.put(key, state("by another", 3)))

    result = failure_of(account, options)

    assert "somebody wrote the state without its lock while this module held it" in result["msg"]
    assert place.state(key) == state("by another", 3)
    assert place.is_locked(key) == []


def test_the_state_changes_before_the_lock_is_taken(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any
) -> None:
    before("PutItem", "Operation", lambda _body: place.put(key, state("by another", 8)))

    result = account.run("terraform_state", **options)

    assert result["serial"] == 9
    assert result["diff"][0]["before"]["serial"] == 8


def test_the_rescued_state_goes_before_the_lock_is_taken(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any
) -> None:
    place.put(f"{key}.errored", state("third", 3))
    del options["version_id"]
    options["rescued"] = {"bucket": place.bucket, "key": f"{key}.errored"}
    s3 = account.client("s3")
    before("PutItem", "Operation", lambda _body: s3.delete_object(Bucket=place.bucket, Key=f"{key}.errored"))

    result = account.run("terraform_state", **options)

    assert not result["changed"]
    assert place.state(key) == state("second", 2)
    assert place.is_locked(key) == []


@pytest.mark.parametrize(("operation", "kind"), [("DeleteItem", "dynamodb"), ("DeleteObject", "lockfile")])
def test_the_lock_cannot_be_released(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any, operation: str, kind: str
) -> None:
    before(operation, "", deny)

    result = failure_of(account, options)

    assert result["changed"]
    assert result["actions"] == ["state_written", "digest_written"]
    assert result["msg"].startswith("All was done (state_written, digest_written), but ")
    assert "which this module took, could not be released" in result["msg"]
    assert "Fix: release it with gitops.aws.terraform_lock and this id" in result["msg"]
    assert place.is_locked(key) == [kind]


def test_neither_the_state_nor_the_lock(
    account: Account, place: Place, key: str, options: dict[str, Any], before: Any
) -> None:
    before("PutObject", '"first"', deny)
    before("DeleteItem", "", deny)

    message = failure_of(account, options)["msg"]

    assert message.count("TheCall failed with AccessDeniedException") == 2
    assert "could not be released" in message
