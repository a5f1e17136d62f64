# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks as Terraform writes them; what local AWS does not do of itself."""

from __future__ import annotations

import getpass
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils import _terraform_locks as locks
from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused
from ansible_collections.gitops.aws.plugins.module_utils._terraform_locks import Held, Lock

INFO = {
    "ID": "b7f6ddaf",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "root@vm",
    "Version": "1.11.4",
    "Created": "2026-11-25T00:40:11.098824206Z",
    "Path": "bucket/key",
}


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


# Reading


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T00:40:11.098824206Z", datetime(2026, 11, 25, 0, 40, 11, 98824, UTC)),
        ("2026-11-25T00:40:11.5Z", datetime(2026, 11, 25, 0, 40, 11, 500000, UTC)),
        ("2026-11-25T00:40:11Z", datetime(2026, 11, 25, 0, 40, 11, 0, UTC)),
        ("2026-11-25T02:40:11+02:00", datetime(2026, 11, 25, 0, 40, 11, 0, UTC)),
        ("2026-13-25T00:40:11Z", None),
        ("2026-11-25 00:40:11 +0000 UTC", None),
        ("", None),
    ],
)
def test_times(text: str, expected: datetime | None) -> None:
    assert locks.time_of(text) == expected


@given(st.text() | st.from_regex(locks._TIME, fullmatch=True))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = locks.time_of(text)

    assert found is None or found.tzinfo is not None


def test_one_lock_in_two_places() -> None:
    content = json.dumps(INFO)
    halves = [Held("dynamodb", content), Held("lockfile", content, "etag")]

    (lock,) = locks.locks_of("key", halves)

    assert lock.halves == tuple(halves)
    assert lock.kinds == ["dynamodb", "lockfile"]
    assert (lock.id, lock.operation, lock.who, lock.terraform_version, lock.created, lock.path, lock.info) == (
        "b7f6ddaf",
        "OperationTypeApply",
        "root@vm",
        "1.11.4",
        "2026-11-25T00:40:11.098824206Z",
        "bucket/key",
        "",
    )
    assert lock.words() == (
        "lock b7f6ddaf of key (dynamodb and lockfile), held by root@vm for apply, Terraform 1.11.4 since "
        "2026-11-25T00:40:11.098824206Z"
    )


def test_two_locks() -> None:
    halves = [Held("dynamodb", json.dumps(INFO)), Held("lockfile", json.dumps({**INFO, "ID": "other"}), "etag")]

    assert [(lock.id, lock.kinds) for lock in locks.locks_of("key", halves)] == [
        ("b7f6ddaf", ["dynamodb"]),
        ("other", ["lockfile"]),
    ]


@given(st.none() | st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_whatever_is_written_there_can_be_named(content: str | None) -> None:
    (lock,) = locks.locks_of("key", [Held("dynamodb", content)])

    assert lock.id
    assert lock.words()


@given(st.dictionaries(st.sampled_from(sorted(INFO)), st.none() | st.text() | st.integers() | st.lists(st.text())))
def test_what_terraform_s_lock_lacks_is_empty(info: dict[str, Any]) -> None:
    (lock,) = locks.locks_of("key", [Held("dynamodb", json.dumps({**info, "ID": "x"}))])

    assert lock.id == "x"
    for name, value in (("Who", lock.who), ("Operation", lock.operation), ("Created", lock.created)):
        assert value == (info[name] if isinstance(info.get(name), str) else "")


def item(name: str, info: str = "{}") -> dict[str, Any]:
    return {"LockID": {"S": f"bucket/{name}"}, "Info": {"S": info}}


def asked(*names: str) -> dict[str, Any]:
    keys = [{"LockID": {"S": f"bucket/{name}"}} for name in names]
    return {"table": {"Keys": keys, "ConsistentRead": True}}


def test_items_that_dynamodb_leaves_are_asked_for_again(aws: Any, stubs: Any, pauses: list[float]) -> None:
    left = asked("b", "c")
    stubs["dynamodb"].add_response(
        "batch_get_item",
        {"Responses": {"table": [item("a")]}, "UnprocessedKeys": left},
        {"RequestItems": asked("a", "b", "c")},
    )
    stubs["dynamodb"].add_response(
        "batch_get_item",
        {"Responses": {"table": [item("c")]}, "UnprocessedKeys": {}},
        {"RequestItems": left},
    )

    found = locks._items(aws(), "table", ["bucket/a", "bucket/b", "bucket/c"])

    assert set(found) == {"bucket/a", "bucket/c"}
    assert len(pauses) == 1


def test_items_that_dynamodb_never_gives(aws: Any, stubs: Any, pauses: list[float]) -> None:
    for _try in range(locks.TRIES):
        stubs["dynamodb"].add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": asked("a")})

    with pytest.raises(Refused, match=r"lock table table: DynamoDB left items unread 8 times\. Fix: run it again"):
        locks._items(aws(), "table", ["bucket/a"])
    assert sum(pauses) < 30


# Releasing, with a botocore that knows no condition for DeleteObject


@pytest.fixture
def old_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shape:
        members: dict[str, Any] = {}

    monkeypatch.setattr(locks, "input_shape", lambda _client, _operation: Shape)


FILE = Held("lockfile", "{}", "etag")
LOCK = Lock("key", "x", (FILE,))
WHERE = {"Bucket": "bucket", "Key": "key.tflock"}


def prepare_file(stubs: Any, etag: str) -> None:
    stubs["s3"].add_response("get_object", {"Body": io.BytesIO(b"{}"), "ETag": etag}, WHERE)


def test_the_same_lock_file_is_deleted(aws: Any, stubs: Any, old_botocore: None) -> None:
    prepare_file(stubs, "etag")
    stubs["s3"].add_response("delete_object", {}, WHERE)

    locks.release(aws(), "bucket", None, LOCK)


def test_another_lock_file_stays(aws: Any, stubs: Any, old_botocore: None) -> None:
    prepare_file(stubs, "another")

    with pytest.raises(Refused, match=r"lock x of key .* was released by somebody else, and another one is held now"):
        locks.release(aws(), "bucket", None, LOCK)


def test_a_lock_file_that_is_gone(aws: Any, stubs: Any, old_botocore: None) -> None:
    stubs["s3"].add_client_error("get_object", "NoSuchKey", expected_params=WHERE)

    locks.release(aws(), "bucket", None, LOCK)


# Releasing one half where the other fails


def test_one_half_is_released_where_the_other_is_another(aws: Any, stubs: Any) -> None:
    stubs["s3"].add_client_error("delete_object", "PreconditionFailed", expected_params={**WHERE, "IfMatch": "etag"})
    stubs["dynamodb"].add_response("delete_item", {})

    with pytest.raises(Refused, match="another one is held now"):
        locks.release(aws(), "bucket", "table", Lock("key", "x", (Held("dynamodb", "{}"), FILE)))


# Our own


def test_our_lock_is_one_of_terraform_s() -> None:
    (lock,) = locks.locks_of("key", [Held("dynamodb", locks._content("bucket", "key"))])

    assert set(json.loads(locks._content("bucket", "key"))) == set(INFO)
    assert lock.operation == "restore"
    assert "@" in lock.who
    assert lock.path == "bucket/key"
    assert locks.time_of(lock.created)


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nobody)

    assert json.loads(locks._content("bucket", "key"))["Who"].startswith("unknown@")
