# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/dependencies.md has a reason for each dependency, and each pinned version has hashes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = re.split(r"^## ", (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
# Where this stands, each dependency is in a row of that section.
USERS, DRIFT, DEVELOPMENT = SECTIONS[1:4]


def rows(section: str) -> dict[str, list[str]]:
    """The rows of the section's table: the other cells by the name in the first."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"
    ]
    return {cells[0].strip("`"): cells[1:] for cells in found}


def named(path: Path) -> set[str]:
    """The packages that a file of requirements names."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {match[0] for line in lines if (match := re.match(r"[A-Za-z0-9][\w.-]*", line))}


def test_users_ranges_are_those_of_the_files() -> None:
    said = {name: cells[0].strip("`") for name, cells in rows(USERS).items()}
    python = dict(
        re.findall(r"^([\w-]+)(>=\S+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]
    core = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["requires_ansible"]
    assert said == {"ansible-core": core, **galaxy, **python}


def test_what_drift_builds_install_has_a_reason() -> None:
    assert set(rows(DRIFT)) == named(ROOT / "requirements" / "drift.in")


def test_what_development_installs_has_a_reason() -> None:
    files = [path for path in (ROOT / "requirements").glob("*.in") if path.name != "drift.in"]
    assert set(rows(DEVELOPMENT)) == set().union(*map(named, files))


def test_no_reason_is_empty() -> None:
    for section in (USERS, DRIFT, DEVELOPMENT):
        assert [name for name, cells in rows(section).items() if not all(cells)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_pinned_versions_have_hashes(path: Path) -> None:
    pins = re.findall(r"^(\S+==\S+)(.*\n(?: +--hash=sha256:[0-9a-f]{64}.*\n)*)", path.read_text(), re.MULTILINE)
    assert pins
    assert [pin for pin, rest in pins if "--hash=" not in rest] == []
