# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback api_calls, in real Ansible: what it counts is what local AWS has seen, whatever tasks are like."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.integration.modules.harness import Account, mutates, unique
from tests.integration.modules.test_progress import play

ENABLED = {"ANSIBLE_CALLBACKS_ENABLED": "gitops.aws.api_calls"}
HEAD = re.compile(r"^([\d,]+) calls?, (none|[\d,]+) of which changes? (?:any|some)thing$", re.MULTILINE)


def log_groups(*names: str, **more: Any) -> dict[str, Any]:
    """A task on log groups of these names."""
    return {"gitops.aws.log_groups": {"log_groups": [{"name": name} for name in names]}, **more}


def counted(output: str) -> tuple[int, int]:
    """How many calls the summary tells, and how many of them change something."""
    (found,) = HEAD.findall(output)
    return int(found[0].replace(",", "")), 0 if found[1] == "none" else int(found[1].replace(",", ""))


def by_operation(output: str) -> list[tuple[int, str]]:
    """The lines of the summary about single operations."""
    told = re.findall(r"^ +([\d,]+)  (\w+:\w+)$", output, re.MULTILINE)
    return [(int(number.replace(",", "")), operation) for number, operation in told]


def test_it_counts_what_local_aws_has_seen(account: Account, tmp_path: Path) -> None:
    prefix = unique("counted")
    looped = {"gitops.aws.log_groups": {"log_groups": [{"name": "{{ item }}"}]}}
    ask = {"ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"}, "register": "over"}
    # Ansible does not find a Python with a space in its path for these.
    in_background = [
        log_groups(f"{prefix}-5", **{"async": 60, "poll": 1}),
        log_groups(f"{prefix}-6", register="job", **{"async": 60, "poll": 0}),
        {**ask, "until": "over.finished", "retries": 60, "delay": 1},
        ask,
    ]
    tasks = [
        log_groups(f"{prefix}-1", f"{prefix}-2", register="made"),
        # Shown, kept, passed on: that is no call.
        {"ansible.builtin.debug": {"var": "made"}},
        {"ansible.builtin.debug": {"var": "made.api_calls"}},
        {"ansible.builtin.set_fact": {"api_calls": "{{ made.api_calls }}"}},
        {"ansible.builtin.debug": {"var": "api_calls"}},
        {**looped, "loop": [f"{prefix}-1", f"{prefix}-3", f"{prefix}-denied"], "ignore_errors": True},
        {**looped, "loop": [f"{prefix}-1", f"{prefix}-4"], "when": "item == 'nobody'"},
        log_groups(f"{prefix}-denied", ignore_errors=True, until="false", retries=2, delay=0),
        log_groups(f"{prefix}-1", run_once=True, delegate_to="localhost"),
        *(in_background if " " not in sys.executable else []),
    ]
    before = len(account.log())

    output, _errors = play(account, tmp_path, tasks, **ENABLED)

    calls = account.all_calls_since(before)
    total, changing = counted(output)
    operations = by_operation(output)
    assert total == len(calls), output
    assert changing == len([call for call in calls if mutates(call["action"])])
    assert sum(number for number, _operation in operations) == total
    assert [number for number, _operation in operations] == sorted((n for n, _o in operations), reverse=True)
    assert "play:" not in output
    assert "not counted" not in output


def test_check_mode_and_a_document_on_standard_output(account: Account, tmp_path: Path) -> None:
    before = len(account.log())

    output, errors = play(
        account, tmp_path, [log_groups(unique("counted"))], "--check", ANSIBLE_STDOUT_CALLBACK="json", **ENABLED
    )

    (result,) = json.loads(output)
    assert counted(errors) == (sum(result["api_calls"].values()), 0)
    assert counted(errors)[0] == len(account.all_calls_since(before)) > 0


def test_verbose_says_which_task_made_which(account: Account, tmp_path: Path) -> None:
    name = unique("counted")

    output, _errors = play(
        account,
        tmp_path,
        [log_groups(name, name="First"), {"ansible.builtin.debug": {}}, log_groups(name, name="Second")],
        "-v",
        **ENABLED,
    )

    told = output[HEAD.search(output).end() :]  # type: ignore[union-attr]
    lines = re.findall(r"^ +(\d+)  (First|Second): (.*)$", told, re.MULTILINE)
    assert "play: localhost" in told
    assert [task for _number, task, _operations in lines] == ["First", "Second"]
    assert "logs:CreateLogGroup 1" in lines[0][2]
    assert "Create" not in lines[1][2]
    assert sum(int(number) for number, _task, _operations in lines) == counted(output)[0]


def test_what_no_log_hides_is_said_to_be_missing(account: Account, tmp_path: Path) -> None:
    tasks = [log_groups(unique("counted"), no_log=True), log_groups(unique("counted"), no_log=True, when="false")]

    output, _errors = play(account, tmp_path, tasks, **ENABLED)

    assert counted(output) == (0, 0)
    assert "not counted: 1 result that no_log hides" in output


def test_nothing_is_shown_unless_it_is_enabled(account: Account, tmp_path: Path) -> None:
    output, errors = play(account, tmp_path, [log_groups(unique("counted"))])

    assert "CALLS TO AWS" not in output
    assert not HEAD.search(output + errors)
