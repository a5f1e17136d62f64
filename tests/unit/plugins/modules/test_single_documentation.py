# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the modules that do one thing is true: options, examples and results."""

from __future__ import annotations

import importlib
import json
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec

from ansible_collections.gitops.aws.plugins.module_utils import (
    _access_checks,
    _approvals,
    _builds,
    _caller,
    _diagnosis_executions,
    _drift_source,
    _executions,
    _lock_holders,
    _many_executions,
    _private_files,
    _state_restore,
    _state_versions,
    _steps,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings import drift_runs, scan, unmanaged
from ansible_collections.gitops.aws.plugins.module_utils._kinds import stage_transition
from ansible_collections.gitops.aws.plugins.module_utils._status import gather

ARGUMENTS: dict[str, dict[str, Any]] = {
    "caller_info": _caller.ARGUMENTS,
    "codebuild_build": _builds.ARGUMENTS,
    "codepipeline_approval": _approvals.ARGUMENTS,
    "codepipeline_execution": _executions.ARGUMENTS,
    "codepipeline_executions": _many_executions.ARGUMENTS,
    "codepipeline_stage_transition": stage_transition.ARGUMENTS,
    "pipeline_diagnosis_info": _diagnosis_executions.ARGUMENTS,
    "iam_access_info": _access_checks.ARGUMENTS,
    "drift_source": _drift_source.ARGUMENTS,
    "estate_status_info": gather.ARGUMENTS,
    "private_files": _private_files.ARGUMENTS,
    "resources": _steps.ARGUMENTS,
    "terraform_drift_info": drift_runs.ARGUMENTS,
    "terraform_lock": _lock_holders.ARGUMENTS,
    "terraform_locks_info": _lock_holders.INFO_ARGUMENTS,
    "terraform_state": _state_restore.ARGUMENTS,
    "terraform_state_versions_info": _state_versions.ARGUMENTS,
    "unmanaged_resources": unmanaged.ARGUMENTS,
    "unmanaged_resources_info": scan.INFO_ARGUMENTS,
}


@pytest.fixture(params=ARGUMENTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def module(name: str) -> ModuleType:
    return importlib.import_module(f"ansible_collections.gitops.aws.plugins.modules.{name}")


def problems(name: str, arguments: dict[str, Any]) -> list[str]:
    """What the module would say of these arguments."""
    spec = {**aws_argument_spec(), **ARGUMENTS[name]}
    # As Ansible hands them over: what an anchor repeats is two things.
    messages: list[str] = ArgumentSpecValidator(spec).validate(json.loads(json.dumps(arguments))).error_messages
    return messages


def documented(options: dict[str, Any]) -> dict[str, Any]:
    """Documented options in the shape of an argument spec."""
    return {
        name: {
            "type": option["type"],
            **{key: option[key] for key in ("required", "elements", "default") if key in option},
            **({"choices": sorted(option["choices"])} if "choices" in option else {}),
            **({"options": documented(option["suboptions"])} if "suboptions" in option else {}),
        }
        for name, option in options.items()
    }


def specified(options: dict[str, Any]) -> dict[str, Any]:
    """An argument spec, without what the documentation does not say."""
    return {
        name: {
            **{key: option[key] for key in ("type", "required", "elements", "default") if key in option},
            **({"choices": sorted(option["choices"])} if "choices" in option else {}),
            **({"options": specified(option["options"])} if "options" in option else {}),
        }
        for name, option in options.items()
    }


def options_of(module: ModuleType) -> dict[str, Any]:
    """The documented options, with those of our fragments."""
    documentation = yaml.safe_load(module.DOCUMENTATION)
    found: dict[str, Any] = {}
    for fragment in documentation["extends_documentation_fragment"]:
        file, _dot, part = fragment.removeprefix("gitops.aws.").partition(".")
        if fragment.startswith("gitops.aws."):
            code = importlib.import_module(f"ansible_collections.gitops.aws.plugins.doc_fragments.{file}")
            text = getattr(code.ModuleDocFragment, part.upper() or "DOCUMENTATION")
            found |= yaml.safe_load(text).get("options") or {}
    found |= documentation["options"]
    return found


def test_options_are_those_of_the_module(name: str, module: ModuleType) -> None:
    assert documented(options_of(module)) == specified(ARGUMENTS[name])


def test_examples_are_accepted(name: str, module: ModuleType) -> None:
    tasks = [task for task in yaml.safe_load(module.EXAMPLES) if f"gitops.aws.{name}" in task]

    assert tasks
    for task in tasks:
        assert problems(name, task[f"gitops.aws.{name}"]) == [], task["name"]


def test_check_of_examples_finds_a_wrong_one(name: str) -> None:
    assert problems(name, {"unknown": 1})


def test_transitions_in_the_sample_can_be_fed_back() -> None:
    name = "codepipeline_stage_transition"
    module = importlib.import_module(f"ansible_collections.gitops.aws.plugins.modules.{name}")
    returned = yaml.safe_load(module.RETURN)

    assert set(returned) == {"transitions", "resources", "api_calls", "diff"}
    assert problems(name, {"transitions": returned["transitions"]["sample"]}) == []


def test_the_build_in_the_sample_has_all_that_is_returned() -> None:
    module = importlib.import_module("ansible_collections.gitops.aws.plugins.modules.codebuild_build")
    returned = yaml.safe_load(module.RETURN)["build"]
    build = _builds.describe({"id": "p:1", "arn": "a", "projectName": "p", "buildStatus": "FAILED"})

    assert set(returned["sample"]) == set(returned["contains"]) == set(build)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_module_says_what_it_promises(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.gitops.aws.plugins.modules.{name}")
    documentation = yaml.safe_load(module.DOCUMENTATION)
    fragments = documentation["extends_documentation_fragment"]

    assert "gitops.aws.attributes.group" in fragments
    if not {"gitops.aws.attributes", "gitops.aws.attributes.reading"} & set(fragments):
        assert set(documentation["attributes"]) == {"check_mode", "diff_mode", "idempotent"}
