# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong arguments are named by their path, with what is allowed, and without secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils._kinds import codebuild_project, codepipeline
from ansible_collections.gitops.aws.plugins.module_utils._module import (
    ERRORS_SHOWN,
    aws_module,
    input_problems,
    nothing_changed,
    null_problems,
)
from tests.integration.modules.harness import patch_module_args, run_module

PIPELINES = {"pipelines": {"type": "list", "elements": "dict", "required": True, "options": codepipeline.OPTIONS}}
PROJECTS = {"projects": {"type": "list", "elements": "dict", "required": True, "options": codebuild_project.OPTIONS}}


def action(**wrong: Any) -> dict[str, Any]:
    kind = {"category": "Approval", "provider": "Manual"}
    return {"name": "Approve", "action_type_id": kind, **wrong}


def pipelines(**wrong: Any) -> dict[str, Any]:
    """Three pipelines, the last of which has an action with something wrong in its second stage."""
    stages = [{"name": "One", "actions": [action()]}, {"name": "Two", "actions": [action(**wrong)]}]
    return {"pipelines": [{"name": "a"}, {"name": "b"}, {"name": "c", "stages": stages}]}


PATH = "pipelines[2].stages[1].actions[0]"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"run_ordr": 1}, [f"{PATH}.run_ordr: there is no such option. Did you mean run_order?", "namespace"]),
        ({"run_order": "first"}, [f"{PATH}.run_order: 'first' is not allowed, it must be a whole number"]),
        ({"run_order": []}, [f"{PATH}.run_order: a list is not allowed, it must be a whole number"]),
        ({"configuration": 5}, [f"{PATH}.configuration: 5 is not allowed, it must be a dictionary"]),
        (
            {"action_type_id": {"category": "Buid", "provider": "CodeBuild"}},
            [f"{PATH}.action_type_id.category: 'Buid' is not allowed, it must be one of Source, Build, Deploy"],
        ),
        ({"action_type_id": {"category": "Build"}}, [f"{PATH}.action_type_id.provider: it is required and missing"]),
        ({"name": None}, [f"{PATH}.name: it is required and null"]),
        ({"input_artifacts": {"name": "a"}}, [f"{PATH}.input_artifacts: a dictionary is not allowed"]),
        ({"input_artifacts": [{"name": "a"}, {}]}, [f"{PATH}.input_artifacts[1].name: it is required and missing"]),
    ],
)
def test_path_reason_and_what_is_allowed(wrong: dict[str, Any], expected: list[str]) -> None:
    problems = input_problems(PIPELINES, pipelines(**wrong))

    assert len(problems) == 1
    assert all(part in problems[0] for part in expected), problems


def test_good_arguments_have_no_problem() -> None:
    assert input_problems(PIPELINES, pipelines(run_order="2", configuration={"A": 1})) == []


def test_choices_in_a_list_are_checked_one_by_one() -> None:
    cache = {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE", "LOCAL_CACHE"]}

    problems = input_problems(PROJECTS, {"projects": [{"name": "p", "cache": cache}]})

    assert problems[0].startswith("projects[0].cache.modes[1]: 'LOCAL_CACHE' is not allowed, it must be one of LOCAL_")


def test_alias_is_known_and_a_text_that_is_a_dictionary_is_looked_into() -> None:
    assert input_problems(PROJECTS, {"projects": [{"name": "p", "resource_tags": {"a": "1"}}]}) == []
    wrong = input_problems(PROJECTS, {"projects": [{"name": "p", "environment": {"fleet": "fleet_arm=x"}}]})
    path, _, reason = wrong[0].partition(": ")
    assert path == "projects[0].environment.fleet.fleet_arm"
    assert reason == "there is no such option. Did you mean fleet_arn? Allowed are fleet_arn"


def test_value_that_must_not_be_logged_is_not_shown() -> None:
    spec = {"secret": {"type": "int", "no_log": True}}

    assert input_problems(spec, {"secret": "hunter2"}) == [
        "secret: the value is not allowed, it must be a whole number"
    ]


def test_many_problems_are_counted_and_not_all_shown() -> None:
    text = nothing_changed([f"p{number}" for number in range(ERRORS_SHOWN + 3)])

    assert text.startswith("Nothing was changed. p0; p1")
    assert text.endswith("; and 3 more")
    assert nothing_changed([]) == ""


def test_module_fails_with_the_path() -> None:
    result = run_module("codepipelines", pipelines(run_ordr=1))

    assert result["failed"]
    assert result["msg"].startswith(f"Nothing was changed. {PATH}.run_ordr: there is no such option.")


@pytest.mark.parametrize("value", [5, True, [None], [7]])
def test_where_ansibles_own_check_breaks_there_is_a_message_all_the_same(value: Any) -> None:
    result = run_module("codepipelines", {"pipelines": [{"name": "a", "stages": value}], "secret_key": "hunter2"})

    assert result["msg"].startswith("Nothing was changed. pipelines[0].stages")
    assert "is not allowed, it must be a " in result["msg"]
    assert "hunter2" not in json.dumps(result)


def test_null_is_not_given() -> None:
    result = run_module("codepipelines", {"pipelines": [{"name": "a"}, {"name": None}]})

    assert result["msg"] == "Nothing was changed. pipelines[1].name: it is required and null"


def test_what_is_no_error_of_one_option_is_said_in_ansibles_words(capsys: pytest.CaptureFixture[str]) -> None:
    spec = {"one": {"type": "str"}, "two": {"type": "str"}}

    with patch_module_args({"one": "1", "two": "2"}), pytest.raises(SystemExit):
        aws_module(spec, mutually_exclusive=[("one", "two")])

    assert "mutually exclusive" in json.loads(capsys.readouterr().out)["msg"]


def test_failure_after_good_arguments_keeps_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    with patch_module_args({"one": "1"}):
        module = aws_module({"one": {"type": "str"}})
        with pytest.raises(SystemExit):
            module.fail_json(msg="broken")

    assert json.loads(capsys.readouterr().out)["msg"] == "broken"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["V1", "V2", "present"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*codepipeline.OPTIONS, "actions", "unknown", "includes"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(list(codepipeline.OPTIONS)), VALUES, max_size=5))
def test_it_finds_something_exactly_when_ansible_does(item: dict[str, Any]) -> None:
    arguments = {"pipelines": [item]}
    try:
        wrong = ArgumentSpecValidator(PIPELINES).validate(json.loads(json.dumps(arguments))).error_messages
    except TypeError as error:
        wrong = [str(error)]

    nulls = null_problems(PIPELINES, arguments) if not wrong else []
    assert bool(input_problems(PIPELINES, arguments)) == bool(wrong or nulls), wrong
