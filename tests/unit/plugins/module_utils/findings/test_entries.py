# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reviewed file: what is wrong is said, what matches decides until it expires."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
import yaml

from ansible_collections.gitops.aws.plugins.module_utils._findings.entries import (
    Entries,
    Wrong,
    baseline,
    of_file,
    problems,
    words,
)

TODAY = date(2026, 11, 26)
ARN = "arn:aws:s3:::acme-logs"


def entry(match: Any = None, **changed: Any) -> dict[str, Any]:
    """An entry that is right, but for what a test changes."""
    whole = {
        "match": {"arn": ARN} if match is None else match,
        "kind": "ignore",
        "owner": "alice",
        "reason": "kept by hand",
        "expires": "2027-01-31",
    }
    return {name: value for name, value in {**whole, **changed}.items() if value is not ...}


@pytest.mark.parametrize(
    ("wrong", "path", "says"),
    [
        ({"match": {"tgas": {"a": "b"}}}, "match.tgas", "did you mean tags?"),
        ({"match": {"colour": "red"}}, "match.colour", "allowed are arn, type, name, tags, region"),
        ({"match": {}}, "match", "it must say one of"),
        ({"match": ARN}, "match", "it must say one of"),
        ({"match": {"arn": "*"}}, "match", "matches every resource"),
        ({"match": {"arn": "**?", "name": "*"}}, "match", "matches every resource"),
        ({"match": {"arn": ""}}, "match.arn", "a text that is not empty"),
        ({"match": {"name": 7}}, "match.name", "7 is not allowed"),
        ({"match": {"type": "instance"}}, "match.type", "such as aws_instance"),
        ({"match": {"region": "europe"}}, "match.region", "it must be a region, or global"),
        ({"match": {"tags": {}}}, "match.tags", "with a tag at least"),
        ({"match": {"tags": ["a"]}}, "match.tags", "a list is not allowed"),
        ({"match": {"tags": {"a": 1}}}, "match.tags.a", "it must be a text"),
        ({"kind": "protcet"}, "kind", "it must be one of protect, ignore, baseline"),
        ({"kind": ...}, "kind", "required and missing"),
        ({"owner": ...}, "owner", "required and missing"),
        ({"reason": None}, "reason", "required and missing"),
        ({"reason": "  "}, "reason", "a text that is not empty"),
        ({"expires": ...}, "expires", "required and missing"),
        ({"expires": ..., "kind": "baseline"}, "expires", "required and missing"),
        ({"expires": "2027-02-30"}, "expires", "it must be a day"),
        ({"expires": "soon"}, "expires", "it must be a day"),
        ({"expires": 2027}, "expires", "it must be a day"),
        ({"onwer": "bob"}, "onwer", "did you mean owner?"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(wrong: dict[str, Any], path: str, says: str) -> None:
    [found] = problems([entry(), entry(**wrong)])

    assert found.startswith(f"entries[1].{path}: ")
    assert says in found


def test_what_is_right_has_no_problems() -> None:
    match = {"arn": "arn:aws:*", "type": "aws_s3_bucket", "name": "*", "tags": {"team": "*"}, "region": "us-gov-west-1"}

    assert problems([]) == []
    assert problems([entry(match), entry({"region": "global"}), entry(expires=date(2027, 1, 31))]) == []


def test_types_that_there_are_not_are_wrong() -> None:
    types = ("aws_instance", "aws_s3_bucket")

    assert problems([entry({"type": "aws_s3_bucket"})], types) == []
    assert problems([entry({"type": "aws_s3_buckets"})], types) == [
        "entries[0].match.type: 'aws_s3_buckets' is no type of resource that is known. Did you mean aws_s3_bucket?"
    ]


def test_something_else_than_a_list_is_wrong() -> None:
    assert problems({"match": {}}) == ["entries: a dictionary is not allowed, it must be a list"]
    assert problems([["a"]]) == ["entries[0]: a list is not allowed, it must be a dictionary"]


def test_a_file_has_entries_and_nothing_else() -> None:
    assert of_file(None) == ([], [])
    assert of_file({"entries": None}) == ([], [])
    assert of_file({"entries": [entry()]}) == ([entry()], [])
    assert of_file({"entires": [entry()]}) == ([], ["entires: unknown, did you mean entries?"])
    assert of_file([entry()])[1] == ["the file must be a dictionary with the key `entries`"]
    # Nothing of a file that is wrong counts.
    assert of_file({"entries": [entry(), entry(kind="x")]})[0] == []


def test_wrong_entries_are_refused() -> None:
    with pytest.raises(Wrong, match=r"entries\[0\]\.kind") as error:
        Entries([entry(kind="x")], TODAY)

    assert len(error.value.problems) == 1


SEEN: dict[str, Any] = {
    "arn": ARN,
    "type": "aws_s3_bucket",
    "name": "acme-logs",
    "tags": {"team": "web", "cost": "[1]"},
    "region": "eu-central-1",
}


@pytest.mark.parametrize(
    ("match", "does"),
    [
        ({"arn": ARN}, True),
        ({"arn": ARN[:-1]}, False),
        ({"arn": ARN + "x"}, False),
        ({"arn": "arn:aws:s3:::acme-*"}, True),
        ({"arn": "arn:aws:s3:::acme-l?gs"}, True),
        ({"arn": "arn:aws:s3:::acme-l??gs"}, False),
        ({"arn": "arn:aws:s3:::[a]cme-*"}, False),
        ({"type": "aws_s3_bucket"}, True),
        ({"type": "aws_instance"}, False),
        ({"name": "*-logs"}, True),
        ({"name": "ACME-*"}, False),
        ({"tags": {"team": "web"}}, True),
        ({"tags": {"team": "w*"}}, True),
        ({"tags": {"team": "web", "owner": "*"}}, False),
        ({"tags": {"cost": "[1]"}}, True),
        ({"region": "eu-central-1"}, True),
        ({"region": "global"}, False),
        ({"type": "aws_s3_bucket", "region": "eu-west-1"}, False),
        ({"type": "aws_s3_bucket", "name": "acme*", "tags": {"team": "*"}, "region": "eu-central-1"}, True),
    ],
)
def test_all_of_a_match_must_hold(match: dict[str, Any], does: bool) -> None:
    assert bool(Entries([entry(match)], TODAY).match(**SEEN)) is does


def test_a_resource_without_a_region_is_global() -> None:
    entries = Entries([entry({"region": "global"})], TODAY)

    assert entries.match(arn="arn:aws:iam::111122223333:role/a")


def test_newlines_in_names_and_tags_are_characters() -> None:
    assert Entries([entry({"name": "a*"})], TODAY).match(name="a\nb")


def test_an_entry_counts_on_the_day_it_expires_and_not_after() -> None:
    last = entry(expires="2026-11-26")

    assert Entries([last], TODAY).match(**SEEN)
    assert Entries([last], TODAY).expired == []

    after = Entries([last], date(2026, 11, 27))
    assert after.match(**SEEN) is None
    assert [each["index"] for each in after.expired] == [0]
    assert after.unused == []


def test_a_day_may_be_one_of_yaml() -> None:
    written = yaml.safe_load(yaml.safe_dump([entry()]).replace("'2027-01-31'", "2027-01-31"))
    entries = Entries(written, TODAY)

    assert written[0]["expires"] == date(2027, 1, 31)
    assert entries.match(**SEEN) == {"index": 0, **entry()}


def test_protect_comes_first_wherever_it_stands() -> None:
    pattern = {"arn": "arn:aws:s3:::acme-*"}
    kinds = [
        entry(kind="baseline"),
        entry(pattern),
        entry(pattern, kind="protect"),
        entry(kind="protect"),
        entry(),
    ]
    entries = Entries(kinds, TODAY)

    found = entries.match(**SEEN)

    assert found
    assert (found["index"], found["kind"]) == (2, "protect")
    assert entries.unused == []


def test_what_matches_nothing_is_unused() -> None:
    entries = Entries([entry(), entry({"name": "other"}), entry(expires="2020-01-01")], TODAY)
    assert [each["index"] for each in entries.unused] == [0, 1]

    entries.match(**SEEN)

    assert [each["index"] for each in entries.unused] == [1]


def test_an_entry_is_said_in_a_line() -> None:
    assert words({"index": 3, **entry()}) == "kept by hand (ignore until 2027-01-31, alice)"


def resource(name: str, verdict: str, kind: str = "aws_s3_bucket", region: str = "eu-central-1") -> dict[str, Any]:
    return {"arn": f"arn:aws:s3:::{name}", "type": kind, "region": region, "verdict": verdict, "name": name}


def test_a_baseline_accepts_what_was_found_and_nothing_else() -> None:
    found = [
        resource("b", "unmanaged"),
        resource("a", "unmanaged"),
        resource("c", "leaked_by_pipeline", "aws_instance"),
        resource("d", "foreign_terraform"),
        *(resource(verdict, verdict) for verdict in ("protected", "ignored", "too_young", "incomplete", "managed")),
    ]

    made = baseline({"resources": found}, "alice", "day one", "2027-01-31")

    assert [(each["match"]["type"], each["match"]["arn"][-1]) for each in made] == [
        ("aws_instance", "c"),
        ("aws_s3_bucket", "a"),
        ("aws_s3_bucket", "b"),
        ("aws_s3_bucket", "d"),
    ]
    assert {(each["kind"], each["owner"], each["reason"], each["expires"]) for each in made} == {
        ("baseline", "alice", "day one", "2027-01-31")
    }
    assert baseline({"resources": found[::-1]}, "alice", "day one", "2027-01-31") == made
    entries = Entries(json.loads(json.dumps(made)), TODAY)
    seen = [{name: one[name] for name in ("arn", "type", "name", "region")} for one in found]
    assert [bool(entries.match(**each)) for each in seen] == [True] * 4 + [False] * 5


@pytest.mark.parametrize("wrong", [{"owner": ""}, {"reason": " "}, {"expires": "never"}])
def test_a_baseline_has_an_owner_a_reason_and_an_end(wrong: dict[str, str]) -> None:
    said = {"owner": "alice", "reason": "day one", "expires": "2027-01-31", **wrong}

    with pytest.raises(Wrong):
        baseline({"resources": [resource("a", "unmanaged")]}, **said)
