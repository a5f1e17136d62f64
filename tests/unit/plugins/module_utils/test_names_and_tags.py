# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and tags."""

from __future__ import annotations

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._names import bucket_name_problem, pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list


@pytest.mark.parametrize("name", ["abc", "a-b.c", "1ab", "a" * 63])
def test_bucket_names_that_aws_takes(name: str) -> None:
    assert bucket_name_problem(name) is None


@pytest.mark.parametrize("name", ["ab", "a" * 64, "Abc", "a_b", "-ab", "ab-", "a..b", "192.168.1.1", "abc\n", ""])
def test_bucket_names_that_aws_refuses(name: str) -> None:
    assert repr(name) in str(bucket_name_problem(name))


def test_pattern_problem_says_what_is_allowed() -> None:
    assert pattern_problem("abc", r"[a-c]+", 3, "a to c") is None
    assert pattern_problem("abcd", r"[a-d]+", 3, "a to d") == "'abcd' has 4 characters, at most 3 are allowed"
    assert pattern_problem("x\n", r"[a-z]+", 9, "a to z") == "'x\\n' is not allowed: a to z"


def test_tags_of_aws_are_none_of_ours() -> None:
    found = [{"Key": "a", "Value": "1"}, {"Key": "aws:cloudformation:stack-name", "Value": "x"}]

    assert to_dict(found) == {"a": "1"}
    assert to_dict([{"key": "a", "value": "1"}], "key", "value") == {"a": "1"}


def test_tags_are_sorted() -> None:
    assert to_list({"b": "2", "a": "1"}, "TagKey", "TagValue") == [
        {"TagKey": "a", "TagValue": "1"},
        {"TagKey": "b", "TagValue": "2"},
    ]


def test_tag_changes() -> None:
    assert tag_changes({"a": "1", "b": "2", "d": "4"}, {"a": "1", "b": "3", "c": "5"}) == ({"b": "3", "c": "5"}, ["d"])
