# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has changed of managed resources: where, and what of it is to be ignored."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import managed_drift


def report(*resources: dict[str, Any], **values: Any) -> dict[str, Any]:
    given = {
        "version": 1,
        "stack": "network",
        "state_key": "network/terraform.tfstate",
        "commit": "1f0b1e7a",
        "applied": True,
        "time": "2026-11-26T04:00:00Z",
        "terraform_version": "1.11.4",
        "drift": list(resources),
    }
    return managed_drift.parse(json.dumps({**given, **values}))


def resource(address: str = "aws_vpc.this", actions: str = "update", **attributes: tuple[Any, Any] | str) -> Any:
    """One of drift.json; attributes are before and after, or `hidden`."""
    return {
        "address": address,
        "type": address.split(".")[-2],
        "actions": [actions],
        "id": "vpc-1",
        "attributes": [
            {"name": name, "sensitive": True}
            if isinstance(value, str)
            else {"name": name, "sensitive": False, "before": value[0], "after": value[1]}
            for name, value in attributes.items()
        ],
    }


def paths(*patterns: str, **attributes: Any) -> dict[str, tuple[Any, Any]]:
    """What is reported of a resource: before and after by path."""
    found = managed_drift.changes(report(resource(**attributes)), list(patterns))
    return {one["path"]: (one["before"], one["after"]) for change in found for one in change["attributes"]}


def test_a_change_has_all_that_the_report_needs() -> None:
    (change,) = managed_drift.changes(report(resource(tags=({"a": "1"}, {"a": "2"}), secret="hidden")), [])

    assert change == {
        "stack": "network",
        "address": "aws_vpc.this",
        "type": "aws_vpc",
        "id": "vpc-1",
        "action": "changed",
        "attributes": [
            {"path": "tags.a", "before": "1", "after": "2", "sensitive": False},
            {"path": "secret", "before": None, "after": None, "sensitive": True},
        ],
        "ignored": [],
    }


def test_what_is_gone_is_a_ghost_whatever_is_ignored() -> None:
    (change,) = managed_drift.changes(report(resource("module.a.aws_subnet.x", "delete")), ["*:*"])

    assert (change["action"], change["address"], change["attributes"]) == ("ghost", "module.a.aws_subnet.x", [])
    assert not managed_drift.is_ignored(change)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, 2, {"x": (1, 2)}),
        (1, True, {"x": (1, True)}),
        (0, None, {"x": (0, None)}),
        (False, None, {"x": (False, None)}),
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"x.a": (1, None), "x.b": (2, 3), "x.c": (None, 4)}),
        (
            {"a.b": 1, 'c"': 1, "gitops:x": 1},
            {},
            {'x["a.b"]': (1, None), 'x["c\\""]': (1, None), "x.gitops:x": (1, None)},
        ),
        ([{"d": "a", "p": 1}], [{"d": "b", "p": 1}], {"x[0].d": ("a", "b")}),
        ([{"p": 1}, {"p": 2}], [{"p": 9}, {"p": 2}, {"p": 1}], {"x[0]": (None, {"p": 9})}),
        ([{"p": 1}, {"p": 2}, {"p": 3}], [{"p": 3}, {"p": 1}], {"x[1]": ({"p": 2}, None)}),
        (["a", "b"], ["b", "a"], {"x": (["a", "b"], ["b", "a"])}),
        ([1, [2]], [1, [3]], {"x[1][0]": (2, 3)}),
        ("[1]", "[2]", {"x[0]": (1, 2)}),
        ('{"a": [1], "b": 2}', '{"b":2,"a":[3]}', {"x.a[0]": (1, 3)}),
        ('{"a": 1}', '{ "a":1 }', {}),
        ('{"a": 1}', "{a", {"x": ('{"a": 1}', "{a")}),
        ("", None, {}),
        (None, [], {}),
        ({}, "", {}),
        ({"a": None}, {"a": ""}, {}),
        ([{"a": None}], [{"a": []}], {}),
    ],
)
def test_where_values_differ(before: Any, after: Any, expected: dict[str, Any]) -> None:
    assert paths(x=(before, after)) == expected


def test_without_a_difference_there_is_no_change() -> None:
    assert managed_drift.changes(report(resource(tags=({}, None))), []) == []
    assert managed_drift.changes(report(), []) == []


@pytest.mark.parametrize(
    ("address", "path", "pattern", "ignored"),
    [
        ("aws_instance.a", "tags.LastScan", "aws_instance.*:tags.LastScan", True),
        ("aws_instance.a", "tags.LastScanner", "aws_instance.*:tags.LastScan", False),
        ("aws_instance.a", "tags.Last.Scan", "aws_instance.*:tags.Last", True),
        ("aws_instance.a", "tags_all.LastScan", "aws_instance.*:tags", False),
        ("aws_instance.a", "tags.LastScan", "aws_instance.*:tags", True),
        ("aws_instance.a", "tags.LastScan", "*:tags_all", False),
        ("aws_vpc.a", "tags_all.x", "*:tags_all", True),
        ("aws_vpc.a", "tags.x", "aws_instance.*:tags.x", False),
        ("module.a.aws_vpc.a", "tags.x", "aws_vpc.*:tags.x", False),
        ('module.a["x"].aws_sg.b', "ingress[3].description", "module.a*:ingress[*].description", True),
        ("module.a.aws_sg.b", "ingress[3].port", "module.a.*:ingress[*].description", False),
        ("module.a.aws_sg.b", "ingress", "module.a.*:ingress[*]", False),
        ("aws_vpc.a", "ingressX3]", "aws_vpc.a:ingress[3]", False),
        ('aws_vpc.a["x:y z"]', "tags.a:b", 'aws_vpc.a["x:y z"]:tags.a:b', True),
        ('aws_vpc.a["x:y z"]', "tags.a:b", "aws_vpc.a[*]:tags.a:?", True),
        ("aws_vpc.a", 'tags["a.b/c"]', 'aws_vpc.a:tags["a.b/c"]', True),
        ("aws_vpc.a", "x.y", "aws_vpc.a:x|z", False),
    ],
)
def test_patterns(address: str, path: str, pattern: str, ignored: bool) -> None:
    found = report({**resource("aws_x.x", x=(1, 2)), "address": address})
    found["drift"][0]["attributes"][0]["name"] = path
    assert managed_drift.pattern_problems([pattern]) == []

    (change,) = managed_drift.changes(found, ["aws_other.*:x", pattern])

    assert managed_drift.is_ignored(change) is ignored
    assert change["ignored"] == ([path] if ignored else [])


def test_what_is_ignored_leaves_the_rest() -> None:
    (change,) = managed_drift.changes(
        report(resource(tags=({"a": 1, "b": 1}, {"a": 2, "b": 2}), secret="hidden")), ["*:tags.a", "*:secret"]
    )

    assert [one["path"] for one in change["attributes"]] == ["tags.b"]
    assert change["ignored"] == ["tags.a", "secret"]
    assert not managed_drift.is_ignored(change)


@pytest.mark.parametrize("pattern", ["", "tags", "aws_vpc.a:", ":tags", "aws_vpc a:tags", "aws_vpc[:tags"])
def test_what_is_no_pattern(pattern: str) -> None:
    (problem,) = managed_drift.pattern_problems([pattern])

    assert problem.startswith(f"{pattern!r} is not allowed")
    with pytest.raises(ValueError, match="is not allowed"):
        managed_drift.changes(report(resource(x=(1, 2))), [pattern])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not JSON"),
        ("[]", "not of version 1"),
        ('{"version": 2}', "not of version 1"),
        ('{"version": 1}', "not complete"),
        ({"drift": None}, "not complete"),
        ({"drift": [1]}, "not complete"),
        ({"drift": [{**resource(), "address": None}]}, "not complete"),
        ({"drift": [{**resource(), "attributes": [{"name": "x"}]}]}, "not complete"),
        ({"stack": None}, "not complete"),
        ({"time": "yesterday"}, "the time in drift.json is 'yesterday'"),
    ],
)
def test_what_is_no_report(text: str | dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        managed_drift.parse(text) if isinstance(text, str) else report(**text)


def test_when_it_was_made() -> None:
    assert managed_drift.made_at(report()) == datetime(2026, 11, 26, 4, tzinfo=UTC)
