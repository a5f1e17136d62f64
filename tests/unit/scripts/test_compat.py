# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make compat tests the ends of what is promised, on the Pythons that are there."""

from __future__ import annotations

import re
from pathlib import Path

import compat
import pytest
import yaml
from compat import CORES, CompatError, Environment, choose
from find_pythons import find_pythons

ROOT = Path(__file__).resolve().parents[3]
ALL = dict.fromkeys(("3.9", "3.10", "3.11", "3.12", "3.13"), "/python")


def test_the_oldest_and_the_newest_are_tested() -> None:
    assert choose(ALL, "", "") == [Environment("2.17", "3.10"), Environment("2.21", "3.13")]


def test_with_one_python_the_ends_of_what_it_runs() -> None:
    assert choose({"3.11": "/python"}, "", "") == [Environment("2.17", "3.11"), Environment("2.19", "3.11")]


@pytest.mark.parametrize(
    ("core", "python", "chosen"),
    [("2.17", "", "3.10"), ("2.18", "", "3.13"), ("2.18", "3.11", "3.11"), ("2.18", "/usr/bin/python3.12", "3.12")],
)
def test_another_is_tested(core: str, python: str, chosen: str) -> None:
    assert choose(ALL, core, python) == [Environment(core, chosen)]


@pytest.mark.parametrize(
    ("pythons", "core", "python", "problem"),
    [
        (ALL, "2.16", "", "CORE=2.16: there are 2.17, 2.18, 2.19, 2.20, 2.21"),
        (ALL, "2.18", "3.9", "CORE_PYTHON=3.9: ansible-core 2.18 runs on 3.11, 3.12, 3.13"),
        ({"3.11": "/python"}, "2.21", "", "ansible-core 2.21 needs one of Python 3.12, 3.13, 3.14"),
        ({"3.9": "/python"}, "", "", "no Python that an ansible-core needs was found on PATH"),
    ],
)
def test_what_cannot_be_tested(pythons: dict[str, str], core: str, python: str, problem: str) -> None:
    with pytest.raises(CompatError, match=f"^{re.escape(problem)}$"):
        choose(pythons, core, python)


def test_the_oldest_is_what_is_promised() -> None:
    """Of everything the oldest that users may have: as the files that they read say."""
    pinned = (ROOT / "requirements" / "compat-2.17.in").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", pinned, re.MULTILINE))
    floors = re.findall(r"^(\w+)>=(\S+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))

    assert pins == {**dict(floors), "ansible-core": runtime["requires_ansible"].removeprefix(">=")}


@pytest.mark.parametrize("core", CORES)
def test_versions_are_of_that_core(core: str) -> None:
    pinned = (ROOT / "requirements" / f"compat-{core}.txt").read_text(encoding="utf-8")

    assert re.search(rf"^ansible-core=={re.escape(core)}\.", pinned, re.MULTILINE)


def offer(folder: Path, version: str, says: str) -> None:
    command = folder / f"python{version}"
    folder.mkdir(parents=True, exist_ok=True)
    command.write_text(f"#!/bin/sh\n{says}\n")
    command.chmod(0o755)


def test_pythons_are_found_where_shims_of_pyenv_do_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path / "py env" / "shims", "3.10", "exit 127")
    offer(tmp_path / "py env" / "versions" / "3.10.13" / "bin", "3.10", "echo 3.10 /real/python3.10")
    offer(tmp_path / "venv" / "bin", "3.12", "echo 3.12 /of/the/environment")
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    offer(tmp_path / "bin", "3.12", "echo 3.12 /real/python3.12")
    offer(tmp_path / "bin", "3.13", "echo 3.12 /wrong")
    monkeypatch.setenv("PATH", ":".join(str(tmp_path / name) for name in ("venv/bin", "py env/shims", "bin")))

    assert find_pythons() == {"3.10": "/real/python3.10", "3.12": "/real/python3.12"}


def test_a_promise_that_does_not_hold_is_said() -> None:
    compat.expect(True, "it holds")
    with pytest.raises(CompatError, match=r"^a second run changes something$"):
        compat.expect(False, "a second run changes something")
