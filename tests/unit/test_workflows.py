# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Git host runs what `make test` and `make release-checks` run; what workflows and hooks call is there."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def targets_in(variable: str) -> list[str]:
    match = re.search(rf"^{variable} := (.*)$", MAKEFILE, re.MULTILINE)
    assert match
    return match[1].split()


def test_the_workflow_has_a_job_for_each_part() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["part"]
    assert job["strategy"]["matrix"]["part"] == [
        each for each in (*targets_in("PARTS"), *targets_in("RELEASE")) if each != "compat"
    ]
    assert workflow["jobs"]["compat"]["steps"][-1]["run"] == "make compat"
    assert job["steps"][-1]["run"] == 'make "$PART"'


def test_each_part_runs_or_its_lanes() -> None:
    lanes = dict(re.findall(r"^([A-Z0-9]+) := ((?:[a-z0-9]+-[a-z]+ ?)+)$", MAKEFILE, re.MULTILINE))
    together = dict(re.findall(r"^([a-z0-9-]+): setup.*\n(?:\t.*\n)*?\t@\$\(TOGETHER\) (.*)$", MAKEFILE, re.MULTILINE))
    wholes = {"test": targets_in("PARTS"), "release-checks": targets_in("RELEASE")}
    for name, parts in wholes.items():
        assert sorted(together.get(part, part) for part in parts) == sorted(together[name].split())
    together = {name: lane for name, lane in together.items() if name not in wholes}
    assert set(together) == {"artifact", "e2e", "integration"}
    assert sorted(together.values()) == sorted(f"$({name})" for name in lanes)


def test_each_folder_of_tests_is_in_a_lane() -> None:
    paths = [*(ROOT / "tests").glob("*/"), *(ROOT / "tests" / "integration").glob("*/")]
    folders = {str(path.relative_to(ROOT)) for path in paths if path.is_dir() and path.name != "__pycache__"}
    run = set(re.findall(r"(?<!--ignore )tests/[\w/]+", "\n".join(re.findall(r"^\t.*$", MAKEFILE, re.MULTILINE))))
    # Its folders have lanes; bench is a target of its own.
    assert folders - run == {"tests/integration", "tests/bench"}


def test_targets_that_others_call_are_there() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
    others = [*WORKFLOWS, ROOT / ".pre-commit-config.yaml", ROOT / ".devcontainer" / "devcontainer.json"]
    called = {
        name
        for path in others
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith("#")
        for name in re.findall(r"\bmake ([a-z-]+)", line)
    }
    assert {"dist", "audit", "lint", "setup"} <= called
    assert called | set(targets_in("PARTS")) | set(targets_in("RELEASE")) <= targets


def test_no_workflow_may_write() -> None:
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert workflow["permissions"] == {}, path.name
        for name, job in workflow["jobs"].items():
            assert job["permissions"] == {"contents": "read"}, (path.name, name)
            assert job["timeout-minutes"] <= 60, (path.name, name)
