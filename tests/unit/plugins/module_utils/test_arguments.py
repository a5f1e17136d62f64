# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments filled in without Ansible's check: what comes out is what Ansible makes of them, or nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import HealthCheck, given, settings

from ansible_collections.gitops.aws.plugins.module_utils._arguments import filled_in
from ansible_collections.gitops.aws.plugins.module_utils._engine import common_options
from ansible_collections.gitops.aws.plugins.module_utils._module import null_problems
from ansible_collections.gitops.aws.plugins.module_utils._steps import BULK
from tests.unit.plugins.module_utils.inputs import arguments

SPECS = {name: common_options(bulk.plural, bulk.options) for name, bulk in BULK.items()}


@pytest.mark.parametrize("name", sorted(SPECS))
def test_it_is_what_ansible_makes_of_them(name: str) -> None:
    spec = SPECS[name]
    came = []

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(arguments(spec))
    def compare(given_: dict[str, Any]) -> None:
        before = copy.deepcopy(given_)
        found = filled_in(spec, given_)
        assert given_ == before
        if found is None:
            return
        came.append(found)
        checked = ArgumentSpecValidator(spec).validate(given_)
        assert checked.error_messages == []
        assert null_problems(spec, checked.validated_parameters) == []
        assert repr(found) == repr(_in_order(found, checked.validated_parameters))

    compare()
    assert came  # not all of them were left to Ansible


def _in_order(like: Any, value: Any) -> Any:
    """The value with its keys in the order of another, at any depth: repr then tells 1 from True, too."""
    if isinstance(like, dict) and isinstance(value, dict):
        assert like.keys() == value.keys()
        return {name: _in_order(like[name], value[name]) for name in like}
    if isinstance(like, list) and isinstance(value, list):
        assert len(like) == len(value)
        return [_in_order(one, other) for one, other in zip(like, value, strict=True)]
    return value


ONE = {
    "name": {"type": "str", "required": True},
    "size": {"type": "int", "default": 3},
    "kind": {"type": "str", "choices": ["a", "b"]},
    "parts": {"type": "list", "elements": "dict", "options": {"id": {"type": "str", "required": True}}},
    "tags": {"type": "dict", "aliases": ["labels"]},
}


def test_what_is_missing_is_filled_in() -> None:
    assert filled_in(ONE, {"name": "x", "parts": [{"id": "p"}]}) == {
        "name": "x",
        "size": 3,
        "kind": None,
        "parts": [{"id": "p"}],
        "tags": None,
    }


@pytest.mark.parametrize(
    "more",
    [
        {"name": None},
        {"size": "4"},
        {"size": True},
        {"kind": "c"},
        {"kind": None},
        {"parts": "a,b"},
        {"parts": ["p"]},
        {"parts": [{"id": None}]},
        {"parts": [{}]},
        {"parts": [{"id": "p", "more": 1}]},
        {"labels": {}},
        {"other": 1},
    ],
    ids=str,
)
def test_what_is_wrong_or_to_be_converted_is_left_to_ansible(more: dict[str, Any]) -> None:
    assert filled_in(ONE, {"name": "x", **more}) is None


def test_an_option_with_rules_of_its_own_is_left_to_ansible() -> None:
    assert filled_in({"a": {"type": "dict", "options": {}, "required_if": []}}, {"a": {}}) is None
    assert filled_in({"a": {"type": "str", "fallback": (None, [])}}, {}) is None
