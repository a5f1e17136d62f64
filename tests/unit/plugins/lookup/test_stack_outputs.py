# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lookup makes of its input, of states and of AWS's refusals. What calls AWS is tested against local AWS."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.lookup import stack_outputs
from ansible_collections.gitops.aws.plugins.lookup.stack_outputs import (
    State,
    Wrong,
    checked_settings,
    chosen,
    denied,
    refuse_unknown,
    wanted,
)

HERE = State("stack shop", "states", "shop/terraform.tfstate")
SECRET = "hunter2"
USER = "arn:aws:iam::111122223333:user/alice"
NOT = f"User: {USER} is not authorized to perform:"
OBJECT = '"arn:aws:s3:::states/shop/terraform.tfstate"'
KEY = "arn:aws:kms:eu-central-1:111122223333:key/1"


def content(outputs: Any) -> bytes:
    return json.dumps({"version": 4, "serial": 1, "lineage": "a", "outputs": outputs}).encode()


def error_of(found: bytes, output: str | None, sensitive: bool) -> str:
    """What is wrong with a state or an output, '' where nothing is; another error than Wrong is raised."""
    try:
        chosen(HERE, found, output, sensitive)
    except Wrong as error:
        return str(error)
    return ""


# Which states are meant


@pytest.mark.parametrize("stacks", [None, [], [{"name": "shop"}], [{"name": "shop", "state_key": None}]])
def test_the_key_that_a_stack_has_by_itself(stacks: Any) -> None:
    assert wanted(["shop"], stacks, None) == [("stack shop", "shop/terraform.tfstate")]


def test_the_key_that_a_stack_says_and_the_order_that_was_asked_for() -> None:
    stacks = [{"name": "shop", "state_key": "live/shop.tfstate"}, {"name": "network"}]

    assert wanted(["network", "shop", "network"], stacks, None) == [
        ("stack network", "network/terraform.tfstate"),
        ("stack shop", "live/shop.tfstate"),
        ("stack network", "network/terraform.tfstate"),
    ]


def test_a_key_instead_of_names() -> None:
    assert wanted([], [{"name": "shop"}], "live/dns.tfstate") == [("the stack", "live/dns.tfstate")]


@pytest.mark.parametrize(
    ("terms", "stacks", "key", "told"),
    [
        ([], None, None, "Fix: give either names of stacks, or state_key"),
        (["shop"], None, "a", "Fix: give either names of stacks, or state_key"),
        ([5], None, None, "5 is no name of a stack"),
        ([""], None, None, "'' is no name of a stack"),
        (
            ["shpo"],
            [{"name": "shop"}],
            None,
            r"^'shpo' \(did you mean shop\?\) is not among .* are: shop$",
        ),
        (["x"], [{"name": f"s{n}"} for n in range(40)], None, "Allowed are: s0, .*, s29 and 10 more$"),
        (["shop"], "shop", None, "stacks must be a list of dictionaries with a name each"),
        (["shop"], [{"path": "shop"}], None, "stacks must be a list of dictionaries with a name each"),
        (["shop"], [{"name": 2024}], None, "stacks must be a list of dictionaries with a name each"),
    ],
)
def test_what_is_not_clear(terms: list[Any], stacks: Any, key: str | None, told: str) -> None:
    with pytest.raises(Wrong, match=told):
        wanted(terms, stacks, key)


def test_options_that_there_are_not() -> None:
    options = {"output": {"type": "str"}, "region": {"aliases": ["aws_region"]}}

    refuse_unknown({"output": "a", "aws_region": "b", "wantlist": True}, options)
    with pytest.raises(Wrong, match=r"^'outputs' \(did you mean output\?\) is not among the options$"):
        refuse_unknown({"output": "a", "outputs": "b"}, options)


def test_settings() -> None:
    assert checked_settings({"region": "eu-central-1"}) == {"region": "eu-central-1", "name": "gitops"}
    for wrong, told in ((None, "define gitops_settings"), ({}, "with a region"), ("x", "must be a dictionary")):
        with pytest.raises(Wrong, match=told):
            checked_settings(wrong)


# What is returned of a state

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
OUTPUTS = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.fixed_dictionaries({"value": VALUES, "type": st.just("dynamic")}, optional={"sensitive": st.booleans()}),
    max_size=5,
)


@given(OUTPUTS)
def test_values_as_they_are_and_sensitive_ones_only_on_request(outputs: dict[str, Any]) -> None:
    everything = {name: output["value"] for name, output in outputs.items()}
    shown = {name: value for name, value in everything.items() if not outputs[name].get("sensitive")}

    assert chosen(HERE, content(outputs), None, False) == shown
    assert chosen(HERE, content(outputs), None, True) == everything
    for name, value in everything.items():
        assert chosen(HERE, content(outputs), name, True) == value
        if name in shown:
            assert chosen(HERE, content(outputs), name, False) == value
        else:
            with pytest.raises(Wrong, match=r"is sensitive\. Fix: give sensitive=true, and no_log: true"):
                chosen(HERE, content(outputs), name, False)


@given(OUTPUTS, st.text(max_size=8), st.booleans())
def test_no_error_holds_a_value(outputs: dict[str, Any], output: str, sensitive: bool) -> None:
    given = {name: {**one, "value": SECRET} for name, one in outputs.items()}

    assert SECRET not in error_of(content(given), output, sensitive)


@given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()) | VALUES.map(content))
def test_whatever_lies_in_the_bucket(found: bytes) -> None:
    told = error_of(found, None, True)

    assert not told or told.startswith("State of stack shop, s3://states/shop/terraform.tfstate: it ")


def test_an_output_that_there_is_not() -> None:
    have = {"vpc_id": {"value": "vpc-1"}, "password": {"value": SECRET, "sensitive": True}}

    with pytest.raises(
        Wrong, match=r"^stack shop has no output 'vpc' \(did you mean vpc_id\?\)\. It has: vpc_id, pass.*$"
    ):
        chosen(HERE, content(have), "vpc", False)
    with pytest.raises(Wrong, match=r"It has none: the code has no output blocks, or nothing is applied$"):
        chosen(HERE, content({}), "vpc", False)


# Refusals, in the words of AWS's documentation


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            f"{NOT} s3:GetObject on resource: {OBJECT} with an explicit deny in a resource-based policy",
            f"^{USER} is denied s3:GetObject by a resource's policy. .* OnlyKnownRead .* Fix: add .* state_readers",
        ),
        (
            f"{NOT} kms:Decrypt on resource: {KEY} with an explicit deny in a resource-based policy",
            f"^{USER} is denied kms:Decrypt by a resource's policy. .* OnlyKnownUse of the key's policy",
        ),
        (
            f"{NOT} s3:GetObject on resource: {OBJECT} because no identity-based policy allows the s3:GetObject action",
            f"^no identity-based policy allows {USER} s3:GetObject on arn:aws:s3:::states/shop/.* Fix: allow it",
        ),
        (
            f"{NOT} kms:Decrypt on resource: {KEY} because no identity-based policy allows the kms:Decrypt action",
            f"^the state is encrypted with a key that may not be used: .* kms:Decrypt on {KEY}. Fix: allow it",
        ),
        (
            f'{NOT} s3:ListBucket on resource: "arn:aws:s3:::states" because no identity-based policy allows it',
            "^there is no state, it seems. ",
        ),
        (
            f"{NOT} s3:GetObject on resource: {OBJECT} with an explicit deny in a service control policy",
            f"^{USER} is denied s3:GetObject by a service control policy. Fix: see to that policy$",
        ),
        ("Access Denied", "^AWS refuses s3:GetObject and does not say why. .* s3:ListBucket is not allowed either"),
        ("", "^AWS refuses s3:GetObject and does not say why. "),
    ],
)
def test_a_refusal_says_what_to_do(said: str, told: str) -> None:
    assert re.search(told, denied(said, HERE))


# The page


def test_examples_use_options_that_there_are() -> None:
    options = yaml.safe_load(stack_outputs.DOCUMENTATION)["options"]
    calls = re.findall(r"\('gitops\.aws\.stack_outputs'(.*?)\)", stack_outputs.EXAMPLES)
    used = {name for call in calls for name in re.findall(r"(\w+)=", call)}

    assert len(calls) == len(yaml.safe_load(stack_outputs.EXAMPLES))
    assert used == {"output", "bucket", "on_missing", "sensitive"}
    assert used <= set(options)


def test_every_example_with_a_sensitive_output_is_kept_out_of_the_log() -> None:
    for task in yaml.safe_load(stack_outputs.EXAMPLES):
        assert ("sensitive=true" in str(task)) == task.get("no_log", False), task["name"]
