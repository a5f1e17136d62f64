# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading states: addresses and outputs, and nothing secret."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils._terraform_state import (
    Unreadable,
    instance_ids,
    outputs,
    parse,
    same_but_serial,
    with_serial,
)

SECRET = "hunter2"


def resource(instances: list[dict[str, Any]] | None = None, **values: Any) -> dict[str, Any]:
    return {
        "mode": "managed",
        "type": "aws_subnet",
        "name": "private",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [{"attributes": {"password": SECRET}}] if instances is None else instances,
        **values,
    }


def state(**values: Any) -> dict[str, Any]:
    return {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": 3,
        "lineage": "8f5b6c1e",
        "outputs": {},
        "resources": [resource()],
        **values,
    }


def parsed(**values: Any) -> dict[str, Any]:
    return parse(json.dumps(state(**values)).encode())


def addresses(**values: Any) -> list[str]:
    found: list[str] = parsed(resources=[resource(**values)])["resources"]
    return found


def test_a_state() -> None:
    assert parsed() == {
        "serial": 3,
        "lineage": "8f5b6c1e",
        "terraform_version": "1.11.4",
        "resources": ["aws_subnet.private"],
        "outputs": {},
    }


@pytest.mark.parametrize("none", [None, []])
def test_an_empty_state(none: Any) -> None:
    assert parsed(resources=none, outputs=none)["resources"] == []


def test_a_byte_order_mark() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(state()).encode())["serial"] == 3


def test_data_sources_are_no_resources() -> None:
    assert addresses(mode="data") == []


def test_a_resource_without_instances() -> None:
    assert addresses(instances=[]) == []


def test_modules() -> None:
    assert addresses(module='module.network["a"].module.subnets') == [
        'module.network["a"].module.subnets.aws_subnet.private'
    ]


@pytest.mark.parametrize(
    ("key", "shown"),
    [(0, "[0]"), (12, "[12]"), ("a", '["a"]'), ('say "a"', '["say \\"a\\""]'), ("größe", '["größe"]'), ("", '[""]')],
)
def test_count_and_for_each(key: Any, shown: str) -> None:
    assert addresses(instances=[{"index_key": key}]) == [f"aws_subnet.private{shown}"]


def test_every_instance_and_those_that_wait_for_their_end() -> None:
    found = addresses(instances=[{"index_key": 0}, {"index_key": 1}, {"index_key": 1, "deposed": "a1b2c3d4"}])

    assert found == ["aws_subnet.private[0]", "aws_subnet.private[1]", "aws_subnet.private[1] (deposed)"]


def test_sensitive_outputs_and_attributes_stay_in_the_state() -> None:
    outputs = {
        "vpc_id": {"value": "vpc-1", "type": "string"},
        "zones": {"value": ["a"], "type": ["list", "string"], "sensitive": False},
        "password": {"value": SECRET, "type": "string", "sensitive": True},
    }

    found = parsed(outputs=outputs)

    assert found["outputs"] == {"vpc_id": "vpc-1", "zones": ["a"]}
    assert SECRET not in json.dumps(found)


def test_sensitive_outputs_apart() -> None:
    found = {
        "vpc_id": {"value": "vpc-1", "type": "string", "sensitive": False},
        "password": {"value": SECRET, "type": "string", "sensitive": True},
    }

    assert outputs(json.dumps(state(outputs=found)).encode()) == ({"vpc_id": "vpc-1"}, {"password": SECRET})
    assert outputs(json.dumps(state(outputs=None)).encode()) == ({}, {})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        SECRET.encode(),
        b"\xff\xfe" + SECRET.encode(),
        b"[" * 100_000,
        b'{"version": 4, "serial": ' + b"9" * 5000 + b"}",
        json.dumps(state())[:-1].encode(),
    ],
)
def test_what_is_no_json(content: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^it is not JSON$"):
        parse(content)


@pytest.mark.parametrize(
    "content", [SECRET, [SECRET], 4, None, {"version": 3, "modules": [SECRET]}, {"version": "4"}, {"secret": SECRET}]
)
def test_what_is_no_state_of_this_version(content: Any) -> None:
    with pytest.raises(Unreadable, match=r"^it is not a Terraform state of format version 4$"):
        parse(json.dumps(content).encode())


@pytest.mark.parametrize(
    "broken",
    [
        {"resources": SECRET},
        {"resources": {"a": SECRET}},
        {"resources": 5},
        {"resources": [SECRET]},
        {"resources": [None]},
        {"resources": [{"type": SECRET}]},
        {"resources": [{**resource(), "instances": SECRET}]},
        {"resources": [{**resource(), "instances": [SECRET]}]},
        {"resources": [{**resource(), "instances": None}]},
        {"resources": [{"mode": "managed", "instances": [{}]}]},
        {"outputs": [SECRET]},
        {"outputs": SECRET},
        {"outputs": {"a": SECRET}},
        {"outputs": {"a": {}}},
    ],
)
def test_what_lacks_something(broken: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match=r"^it lacks what a Terraform state of format version 4 has$"):
        parsed(**broken)


@pytest.mark.parametrize("key", ["serial", "lineage"])
def test_what_every_state_has(key: str) -> None:
    content = {name: value for name, value in state().items() if name != key}

    with pytest.raises(Unreadable, match="it lacks"):
        parse(json.dumps(content).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
RESOURCE = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.just("managed") | JSON,
        "type": JSON,
        "name": JSON,
        "module": JSON,
        "instances": st.lists(st.dictionaries(st.sampled_from(["index_key", "deposed"]), JSON) | JSON) | JSON,
    },
)
STATE = st.fixed_dictionaries(
    {"version": st.just(4)},
    optional={
        "serial": JSON,
        "lineage": JSON,
        "outputs": st.dictionaries(st.text(max_size=5), JSON) | JSON,
        "resources": st.lists(RESOURCE | JSON) | JSON,
    },
)


@given(st.binary() | (JSON | STATE).map(lambda content: json.dumps(content).encode()))
def test_whatever_lies_in_the_bucket(content: bytes) -> None:
    with contextlib.suppress(Unreadable):  # and nothing else
        assert set(parse(content)) == {"serial", "lineage", "terraform_version", "resources", "outputs"}


# Ids


def test_ids_of_what_is_managed_by_address() -> None:
    instances: list[dict[str, Any]] = [
        {"index_key": 0, "attributes": {"id": "one"}},
        {"index_key": 0, "attributes": {"id": "old"}, "deposed": "a1b2c3d4"},
        {"index_key": 1, "attributes": {"arn": "no id"}},
        {"index_key": 2, "attributes": {"id": 5}},
        {"index_key": 3},
    ]

    content = json.dumps(state(resources=[resource(instances), resource(mode="data")])).encode()

    name = "aws_subnet.private"
    assert instance_ids(content) == {f"{name}[0]": {"one", "old"}, **{f"{name}[{n}]": {""} for n in (1, 2, 3)}}


@given(st.binary() | (JSON | STATE).map(lambda content: json.dumps(content).encode()))
def test_ids_whatever_lies_in_the_bucket(content: bytes) -> None:
    with contextlib.suppress(Unreadable):  # and nothing else
        assert {address.removesuffix(" (deposed)") for address in parse(content)["resources"]} == set(
            instance_ids(content)
        )


@given(st.binary() | (JSON | STATE).map(lambda content: json.dumps(content).encode()))
def test_outputs_whatever_lies_in_the_bucket(content: bytes) -> None:
    with contextlib.suppress(Unreadable):  # and nothing else
        shown, hidden = outputs(content)
        assert shown.keys() == parse(content)["outputs"].keys()
        assert shown.keys() | hidden.keys() == (json.loads(content).get("outputs") or {}).keys()
        assert not shown.keys() & hidden.keys()


# Another serial

WRITTEN = STATE.filter(lambda content: "serial" in content)
STYLES: list[dict[str, Any]] = [{}, {"indent": 2}, {"separators": (" , ", "\t:\r\n")}, {"ensure_ascii": False}]


@given(WRITTEN, st.sampled_from(STYLES), st.integers(0, 10**12))
def test_nothing_but_the_serial_is_another(content: dict[str, Any], style: dict[str, Any], serial: int) -> None:
    before = json.dumps(content, **style)

    after = with_serial(before.encode("utf-8", "surrogatepass"), serial).decode("utf-8", "surrogatepass")

    expected = json.dumps({**content, "serial": "HERE"}, **style).replace('"HERE"', str(serial), 1)
    assert after == expected
    assert same_but_serial(before.encode("utf-8", "surrogatepass"), after.encode("utf-8", "surrogatepass"))


def test_the_serial_of_the_state_and_no_other() -> None:
    text = '{"a": {"serial": 1}, "serials": 5, "serial": 2, "b": "\\"serial\\": 3", "c": [{"serial": 4}]}'

    assert with_serial(text.encode(), 77) == text.replace('"serial": 2', '"serial": 77').encode()


def test_numbers_stay_as_they_are_written() -> None:
    text = '{"serial": 1, "price": 1.10, "big": 123456789012345678901234567890.5, "e": 1E+2}'

    assert with_serial(text.encode(), 2).decode() == text.replace('"serial": 1', '"serial": 2')


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1}', '{"a": 2}'),
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1.5}', '{"a": "1.5"}'),
        ('{"a": 0.1}', '{"a": 0.1000000000000000055511151231257827}'),
        ('{"a": null}', "{}"),
        ('{"a": [1, 2]}', '{"a": [2, 1]}'),
        ('{"a": {"serial": 1}}', '{"a": {"serial": 2}}'),
    ],
)
def test_states_that_differ(one: str, other: str) -> None:
    assert not same_but_serial(one.encode(), other.encode())


def test_states_that_are_written_differently_and_say_the_same() -> None:
    assert same_but_serial(b'{"a": 1, "b": [true], "serial": 1}', b'{"serial":2,"b":[true],\n"a":1}')
