# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role has a Molecule scenario with every step, and no scenario is its own witness."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MOLECULE = ROOT / "extensions" / "molecule"
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
STEPS = ["prepare", "check", "converge", "idempotence", "side_effect", "converge", "verify", "cleanup"]
PLAYBOOKS = sorted({*STEPS} - {"check", "idempotence"})  # which run that of converge


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(params=[*ROLES, "site"])
def scenario(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_there_are_no_others() -> None:
    found = {path.parent.name for path in MOLECULE.glob("*/molecule.yml")}

    assert found == {*ROLES, "site", "default"}


def test_every_scenario_has_every_step(scenario: str) -> None:
    assert load(MOLECULE / "config.yml")["scenario"]["test_sequence"] == STEPS
    assert "test_sequence" not in load(MOLECULE / scenario / "molecule.yml").get("scenario", {})
    assert sorted(path.stem for path in (MOLECULE / scenario).glob("*.yml")) == sorted([*PLAYBOOKS, "molecule"])


@pytest.mark.parametrize("role", ROLES)
def test_the_role_is_what_converges(role: str) -> None:
    (play,) = load(MOLECULE / role / "converge.yml")

    included = [
        task["ansible.builtin.include_role"] for task in play["tasks"] if "ansible.builtin.include_role" in task
    ]
    assert {"name": f"gitops.aws.{role}"} in included
    assert {one["name"] for one in included} == {f"gitops.aws.{role}"}


@pytest.mark.parametrize("step", ["side_effect", "verify"])
def test_who_changes_and_who_looks_is_somebody_else(scenario: str, step: str) -> None:
    (play,) = load(MOLECULE / scenario / f"{step}.yml")

    assert not re.search(r"gitops\.aws\.", yaml.safe_dump(play))


def test_verify_says_what_was_repaired(scenario: str) -> None:
    (play,) = load(MOLECULE / scenario / "verify.yml")

    (told,) = [task for task in play["tasks"] if task.get("ansible.builtin.import_tasks") == "../tasks/told.yml"]
    assert told["vars"]["repairs"]


def test_cleanup_sees_that_nothing_is_left(scenario: str) -> None:
    plays = load(MOLECULE / scenario / "cleanup.yml")

    imported = {task.get("ansible.builtin.import_tasks") for play in plays for task in play.get("tasks", [])}
    assert imported & {"../tasks/remove_shared.yml", "../tasks/nothing_left.yml"}
