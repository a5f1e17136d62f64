# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is packed for the pipeline that looks for drift, and that the same is packed alike."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.action.drift_source import folder_of
from ansible_collections.gitops.aws.plugins.module_utils import _drift_source as source

OURS, THEIRS = "collections/ansible_collections/gitops/aws", "collections/ansible_collections/amazon/aws"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """Two small collections, with what is not to be packed."""
    for place, content in {
        "ours/galaxy.yml": "name: aws",
        "ours/meta/runtime.yml": "a: 1",
        "ours/plugins/modules/a.py": "1",
        "ours/plugins/modules/__pycache__/a.cpython-311.pyc": "x",
        "ours/plugins/modules/b.pyc": "x",
        "ours/plugins/modules/.a.py.swp": "x",
        "ours/plugins/modules/.#a.py": "x",
        "ours/plugins/modules/keys.csv": "secret",
        "ours/roles/drift/tasks/main.yml": "[]",
        "ours/roles/drift/files/requirements.txt": "a==1",
        "ours/playbooks/drift.yml": "[]",
        "ours/playbooks/vars/roles.yml": "{}",
        "ours/playbooks/vars/mine.yml": "secret: 1",
        "ours/playbooks/your.yml": "secret: 1",
        "ours/playbooks/ansible.cfg": "",
        "ours/tests/unit/test_a.py": "1",
        "ours/.git/config": "secret",
        "theirs/MANIFEST.json": "{}",
        "theirs/plugins/module_utils/core.py": "1",
        "theirs/plugins/modules/ec2.py": "1",
    }.items():
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return str(tmp_path / "ours"), str(tmp_path / "theirs")


def test_what_is_packed(folders: tuple[str, str]) -> None:
    files = source.contents(*folders, {"b": 1, "a": [2]})

    assert sorted(files) == sorted(
        [
            "settings.json",
            f"{OURS}/galaxy.yml",
            f"{OURS}/meta/runtime.yml",
            f"{OURS}/playbooks/drift.yml",
            f"{OURS}/playbooks/vars/roles.yml",
            f"{OURS}/plugins/modules/a.py",
            f"{OURS}/roles/drift/files/requirements.txt",
            f"{THEIRS}/MANIFEST.json",
            f"{THEIRS}/plugins/module_utils/core.py",
        ]
    )
    assert json.loads(files["settings.json"]) == {"a": [2], "b": 1}


def test_the_same_is_packed_alike(folders: tuple[str, str]) -> None:
    files = source.contents(*folders, {"b": 1, "a": [2]})
    os.utime(Path(folders[0]) / "galaxy.yml", (1, 1))
    again = source.contents(*folders, {"a": [2], "b": 1})
    backwards = dict(reversed(again.items()))

    assert source.packed(files) == source.packed(backwards)


def test_what_is_packed_does_not_depend_on_how_a_machine_compresses(folders: tuple[str, str]) -> None:
    with zipfile.ZipFile(io.BytesIO(source.packed(source.contents(*folders, {})))) as archive:
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("changed", ["settings", "content", "name"])
def test_what_differs_is_packed_otherwise(folders: tuple[str, str], changed: str) -> None:
    before = source.packed(source.contents(*folders, {}))
    file = Path(folders[0]) / "plugins" / "modules" / "a.py"
    if changed == "content":
        file.write_text("2", encoding="utf-8")
    if changed == "name":
        file.rename(file.with_name("c.py"))

    after = source.packed(source.contents(*folders, {"a": 1} if changed == "settings" else {}))
    assert before != after


def test_the_zip_can_be_unpacked(folders: tuple[str, str]) -> None:
    files = source.contents(*folders, {})
    with zipfile.ZipFile(io.BytesIO(source.packed(files))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files


def test_it_is_run_as_a_task() -> None:
    assert source.problems({"src": "/x"}) == []
    (found,) = source.problems({"src": None})
    assert found.startswith("src: it is missing; the action plugin of the same name gives it")


def test_the_playbook_finds_all_files_that_it_names() -> None:
    files = source.contents(folder_of("gitops.aws"), folder_of("amazon.aws"), {})
    playbooks = {path: text.decode() for path, text in files.items() if path.startswith(f"{OURS}/playbooks/")}
    named = {name for text in playbooks.values() for name in re.findall(r": ((?:tasks|vars)/\w+\.yml)", text)}

    assert named - {"tasks/check_estate.yml"} >= {"tasks/scan_findings.yml", "vars/roles.yml"}
    # What is the user's input is checked on the controller only.
    assert sorted(f"{OURS}/playbooks/{name}" for name in named - {"tasks/check_estate.yml"}) == sorted(
        path for path in playbooks if not path.endswith("/drift.yml")
    )
    assert f"{OURS}/roles/drift/files/requirements.txt" in files


def test_what_is_packed_is_enough_to_run_the_playbook(tmp_path: Path) -> None:
    told: dict[str, Any] = {"drift_told": {"foundation": {"drift": {}}}}
    files = source.contents(folder_of("gitops.aws"), folder_of("amazon.aws"), told)
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    ansible = str(Path(sys.executable).with_name("ansible-playbook"))
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"), "ANSIBLE_NOCOLOR": "1"}

    run = subprocess.run(
        [
            ansible,
            "gitops.aws.drift",
            "-e",
            "drift_action=nonsense",
            "-e",
            f"drift_settings_file={tmp_path / 'settings.json'}",
        ],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "drift_action: 'nonsense' must be one of report, plan, apply, restore" in run.stdout, run.stdout + run.stderr
