# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a module is given, it ends with a result or says what is wrong; and what is wrong is not carried out."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reliability.figures import CASES, count
from tests.reliability.modules import (
    NAMES,
    Network,
    examples_of,
    given_to,
    misunderstands,
    run,
    spec_of,
    unclear,
    with_files_here,
)

# What another module or filter has returned is given to them, as dictionaries without sub-options.
GIVEN_RESULTS = ("drift_source", "pipeline_diagnosis_info", "estate_status_info", "unmanaged_resources")

EACH = max(settings().max_examples // 8, 6)  # for each module: there are many


def refused_by_ansible(module: str, arguments: dict[str, Any]) -> bool:
    """Whether a module's argument spec forbids the arguments, by Ansible's own check."""
    try:
        checked = ArgumentSpecValidator(spec_of(module)).validate(
            copy.deepcopy(with_files_here(arguments, spec_of(module)))
        )
    except TypeError:
        return True  # a number in the place of a dictionary
    return bool(checked.error_messages)


@pytest.mark.parametrize("module", NAMES)
def test_any_arguments_end_in_a_result_or_in_words(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")  # no Terraform: what a module runs there is not its input

    @settings(max_examples=EACH)
    @given(given_to(module), st.booleans())
    def check(arguments: dict[str, Any], check_mode: bool) -> None:
        count(CASES)
        wrong = refused_by_ansible(module, arguments)
        network = Network()  # which refuses all calls

        result = run(module, arguments, network, _ansible_check_mode=check_mode)

        assert unclear(result, arguments) == ""
        assert module in GIVEN_RESULTS or not misunderstands(result)  # AWS's answers are all in order
        if wrong:
            assert result.get("failed")
            assert not network.calls
        if result.get("failed") and str(result["msg"]).startswith("Nothing was changed."):
            assert network.mutations == []
        if check_mode:
            assert network.mutations == []

    check()


def test_each_module_is_here() -> None:
    assert len(NAMES) > 50
    assert [module for module in NAMES if not examples_of(module)] == []
    assert set(spec_of("sqs_queues")) == {"queues", "state", "concurrency", "purge_tags", "owner_tags"}


@pytest.mark.parametrize(
    ("module", "wrong", "said"),
    [
        (
            "sqs_queues",
            {"queues": [], "concurrency": None},
            "concurrency: null is not allowed, it must be a whole number",
        ),
        (
            "estate",
            {"settings": {}, "stacks": [], "variables": None},
            "variables: null is not allowed, it must be a list",
        ),
        (
            "estate_report",
            {"status": {}},
            "status: it is not what gitops.aws.estate_status_info returns (it lacks 'stacks')",
        ),
        ("findings_report", {"result": {}, "stacks": [{}]}, "gitops.aws.unmanaged_resources_info returns (it lacks "),
        (
            "drift_source",
            {"bucket": "a", "settings": {}, "src": "none"},
            "src cannot be read: No such file or directory",
        ),
        ("pipeline_diagnosis_info", {"foundation": {}, "stacks": []}, "it lacks '"),
    ],
)
def test_what_was_once_not_said(module: str, wrong: dict[str, Any], said: str) -> None:
    assert said in run(module, wrong, Network())["msg"]
