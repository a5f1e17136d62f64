# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger forgets what is gone and nothing else, and is written only in the place of what was read."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from io import BytesIO
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused
from ansible_collections.gitops.aws.plugins.module_utils._findings import ledger
from tests.unit.plugins.module_utils.findings.scans import ACCOUNT, arn, entry

ONE, OTHER = arn("aws_instance", "i-1"), arn("aws_instance", "i-2")
GLOBAL = "arn:aws:iam::123456789012:role/x"
BEFORE, NOW = "2026-11-25T04:00:00Z", "2026-11-26T04:00:00Z"
KEY = {"Bucket": "states", "Key": ledger.KEY}


def with_entries(**entries: Any) -> dict[str, Any]:
    return {**ledger.empty(), "quarantined": entries}


# Pure


def test_what_was_seen_keeps_its_time() -> None:
    content = {**ledger.empty(), "first_seen": {ONE: BEFORE}}

    assert ledger.with_seen(content, [ONE, OTHER], NOW)["first_seen"] == {ONE: BEFORE, OTHER: NOW}


@pytest.mark.parametrize(
    ("listed", "left"),
    [
        ([], {ONE, GLOBAL}),
        (["eu-west-1"], {ONE, GLOBAL}),
        (["eu-central-1"], {GLOBAL}),
        ([""], {ONE}),
        (["eu-central-1", ""], set()),
    ],
)
def test_what_is_gone_is_forgotten_where_all_was_listed(listed: list[str], left: set[str]) -> None:
    content = {**ledger.empty(), "first_seen": {ONE: BEFORE, GLOBAL: BEFORE}}

    assert set(ledger.with_seen(content, [], NOW, listed)["first_seen"]) == left


@pytest.mark.parametrize(
    ("present", "listed", "unseen"),
    [
        ([], [("aws_instance", "eu-central-1")], [ONE]),
        ([], [("aws_instance", "")], [ONE]),  # a type whose list is of the account
        ([ONE], [("aws_instance", "eu-central-1")], []),
        ([], [("aws_instance", "eu-west-1")], []),
        ([], [("aws_ebs_volume", "eu-central-1")], []),
        ([], [], []),
    ],
)
def test_only_what_a_complete_list_should_have_is_missed(
    present: list[str], listed: list[tuple[str, str]], unseen: list[str]
) -> None:
    content = with_entries(**{ONE: entry("i-1")})

    assert ledger.unseen(content, present, listed, ACCOUNT, ["eu-central-1"]) == unseen


@pytest.mark.parametrize(
    ("name", "more", "account", "regions", "missed"),
    [
        (ONE, {}, "210987654321", ["eu-central-1"], False),
        (ONE, {}, ACCOUNT, ["eu-west-1"], False),  # a bucket: its list is of the account, its region was not asked for
        (GLOBAL, {"region": ""}, ACCOUNT, ["eu-west-1"], True),
        (GLOBAL, {"region": ""}, "210987654321", ["eu-west-1"], False),
        ("arn:aws:s3:::x", {}, ACCOUNT, ["eu-central-1"], True),
        ("arn:aws:s3:::x", {"account": ACCOUNT}, ACCOUNT, ["eu-central-1"], True),
        ("arn:aws:s3:::x", {"account": ACCOUNT}, "210987654321", ["eu-central-1"], False),
    ],
)
def test_what_is_of_another_account_or_region_is_not_missed(
    name: str, more: dict[str, Any], account: str, regions: list[str], missed: bool
) -> None:
    content = with_entries(**{name: entry("i-1", **more)})

    assert ledger.unseen(content, [], [("aws_instance", "")], account, regions) == ([name] if missed else [])


def test_used_plans_are_remembered_as_long_as_they_could_be_used() -> None:
    content = ledger.with_used_plan(ledger.empty(), "a", "2026-11-26T03:00:00Z", BEFORE)
    again = ledger.with_used_plan(content, "b", "2026-11-27T04:00:00Z", NOW)

    assert content["used_plans"] == {"a": "2026-11-26T03:00:00Z"}
    assert again["used_plans"] == {"b": "2026-11-27T04:00:00Z"}


def test_a_ledger_of_an_earlier_version_is_read() -> None:
    before = {name: value for name, value in ledger.empty().items() if name != "used_plans"}

    assert ledger.parse(json.dumps(before).encode()) == ledger.empty()


def test_scan_is_noted_without_what_is_not_needed() -> None:
    states = [{"key": "a", "lineage": "l", "serial": 3, "managed": 2, "etag": "e", "locked": ""}]

    assert ledger.with_scan(ledger.empty(), NOW, states)["last_scan"] == {
        "time": NOW,
        "states": {"a": {"lineage": "l", "serial": 3, "managed": 2}},
    }


def test_nothing_is_changed_in_place() -> None:
    content = with_entries(**{ONE: entry("i-1")})
    before = json.dumps(content)

    ledger.with_seen(content, [ONE], NOW, ["eu-central-1"])
    ledger.with_scan(content, NOW, [])
    ledger.with_quarantine(content, OTHER, entry("i-2"))
    ledger.without_quarantine(content, [ONE])
    ledger.with_used_plan(content, "d", NOW, BEFORE)
    assert json.dumps(content) == before


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        json.dumps({**ledger.empty(), "version": 2}).encode(),
        json.dumps({**ledger.empty(), "more": 1}).encode(),
        json.dumps({**ledger.empty(), "first_seen": []}).encode(),
        json.dumps({**ledger.empty(), "quarantined": None}).encode(),
        json.dumps({**ledger.empty(), "used_plans": []}).encode(),
        json.dumps(with_entries(a={**entry("i-1"), "more": 1})).encode(),
        json.dumps(with_entries(a={})).encode(),
        json.dumps(with_entries(a={**entry("i-1"), "kept": None})).encode(),
    ],
)
def test_what_is_no_ledger_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"it is|must"):
        ledger.parse(text)


def test_ledger_is_read_as_it_was_written() -> None:
    content = with_entries(**{ONE: entry("i-1"), OTHER: entry("i-2", account=ACCOUNT, steps_begun=1, undo_begun=True)})

    assert ledger.parse(json.dumps(content).encode()) == content


# With calls


def answer(content: bytes, etag: str = '"1"') -> dict[str, Any]:
    return {"Body": StreamingBody(BytesIO(content), len(content)), "ETag": etag}


def test_without_one_it_is_empty_and_the_first_is_written_only_where_none_is(
    aws: Callable[..., Aws], stubs: dict[str, Stubber]
) -> None:
    stubs["s3"].add_client_error("get_object", "NoSuchKey")
    first = {**KEY, "Body": ANY, "ContentType": ANY, "IfNoneMatch": "*", "ServerSideEncryption": "aws:kms"}
    stubs["s3"].add_response("put_object", {"ETag": '"1"'}, first)
    second = {name: value for name, value in first.items() if name != "IfNoneMatch"}
    stubs["s3"].add_response("put_object", {"ETag": '"2"'}, {**second, "IfMatch": '"1"'})

    book = ledger.read(aws(), "states", encryption={"ServerSideEncryption": "aws:kms"})
    assert book.content == ledger.empty()
    book.write(ledger.with_quarantine(book.content, ONE, entry("i-1")))
    book.write(ledger.without_quarantine(book.content, [ONE]))
    assert (book.etag, book.quarantined) == ('"2"', {})


def test_what_is_the_same_is_not_written(aws: Callable[..., Aws], stubs: dict[str, Stubber]) -> None:
    stubs["s3"].add_client_error("get_object", "NoSuchKey")

    ledger.read(aws(), "states").write(ledger.empty())


@pytest.mark.parametrize("code", ["PreconditionFailed", "412", "ConditionalRequestConflict", "NoSuchKey"])
def test_a_lost_race_says_so_and_writes_nothing(aws: Callable[..., Aws], stubs: dict[str, Stubber], code: str) -> None:
    mine, theirs = with_entries(**{ONE: entry("i-1")}), with_entries(**{OTHER: entry("i-2")})
    stubs["s3"].add_response("get_object", answer(json.dumps(ledger.empty()).encode()), KEY)
    stubs["s3"].add_client_error("put_object", code)
    stubs["s3"].add_response("get_object", answer(json.dumps(theirs).encode(), '"2"'), KEY)
    book = ledger.read(aws(), "states")

    with pytest.raises(Refused, match="by another run in the meantime"):
        book.write(mine)
    assert (book.content, book.etag) == (ledger.empty(), '"1"')


def test_a_write_whose_answer_was_lost_is_found_again(aws: Callable[..., Aws], stubs: dict[str, Stubber]) -> None:
    mine = with_entries(**{ONE: entry("i-1")})
    body = json.dumps(mine, sort_keys=True, separators=(",", ":")).encode()
    stubs["s3"].add_response("get_object", answer(json.dumps(ledger.empty()).encode()), KEY)
    stubs["s3"].add_client_error("put_object", "PreconditionFailed")
    stubs["s3"].add_response("get_object", answer(body, '"2"'), KEY)
    book = ledger.read(aws(), "states")

    book.write(mine)
    assert (book.content, book.etag) == (mine, '"2"')


@pytest.mark.parametrize(("etag", "changed"), [('"1"', False), ('"2"', True), ("", True)])
def test_it_can_be_seen_whether_somebody_has_written_it(
    aws: Callable[..., Aws], stubs: dict[str, Stubber], etag: str, changed: bool
) -> None:
    stubs["s3"].add_response("get_object", answer(json.dumps(ledger.empty()).encode()), KEY)
    if etag:
        stubs["s3"].add_response("head_object", {"ETag": etag}, KEY)
    else:
        stubs["s3"].add_client_error("head_object", "404")
    book = ledger.read(aws(), "states")

    with pytest.raises(Refused, match="by another run") if changed else nullcontext():
        book.refuse_changed()


def test_a_damaged_one_stops_everything(aws: Callable[..., Aws], stubs: dict[str, Stubber]) -> None:
    stubs["s3"].add_response("get_object", answer(b"{}"), KEY)

    with pytest.raises(Refused, match="cannot be read: it is not a ledger"):
        ledger.read(aws(), "states")
