# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""estate_report: what differs is written, nothing in check mode; and its documentation is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gitops.aws.plugins.module_utils._status import gather
from ansible_collections.gitops.aws.plugins.modules import estate_report, estate_status_info
from tests import estates
from tests.integration.modules.harness import run_module
from tests.unit.plugins.modules.test_single_documentation import documented, specified

STATUS = estates.estate(estates.twelve())


pytestmark = pytest.mark.usefixtures("no_temporary_files_beside")


def report(dest: Path, **arguments: Any) -> dict[str, Any]:
    return run_module("estate_report", {"status": STATUS, "dest": str(dest), **arguments})


def test_documentation_is_true() -> None:
    assert documented(yaml.safe_load(estate_report.DOCUMENTATION)["options"]) == specified(estate_report.ARGUMENTS)


def test_a_report_is_written_once(tmp_path: Path) -> None:
    dest = tmp_path / "a" / "report"

    first, second = report(dest), report(dest)

    assert first["changed"] is True
    assert sorted(path.name for path in dest.iterdir()) == ["estate.html", "estate.json", "estate.md"]
    assert {path.stat().st_mode & 0o777 for path in dest.iterdir()} == {0o640}
    assert (second["changed"], second["diff"]) == (False, [])
    assert first["files"]["html"] == str(dest / "estate.html")
    assert json.loads((dest / "estate.json").read_text())["counts"] == first["counts"]
    assert first["counts"]["waiting"] == 2
    assert first["summary"].startswith("12 stacks: 1 failing, ")
    assert set(first) - {"warnings", "deprecations"} == {
        *yaml.safe_load(estate_report.RETURN),
        "changed",
        "diff",
        "invocation",
    }
    assert set(first["invocation"]["module_args"]) == {"dest", "name", "formats"}


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    checked = report(tmp_path / "report", _ansible_check_mode=True)

    assert checked["changed"] is True
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("arguments", [{"status": {}}, {"status": {**STATUS, "stacks": [1]}}, {"name": "../x"}])
def test_something_else_is_refused(tmp_path: Path, arguments: dict[str, Any]) -> None:
    refused = report(tmp_path, **arguments)

    assert refused["failed"]
    assert refused["msg"].startswith("Nothing was changed. ")
    assert list(tmp_path.iterdir()) == []


def test_the_sample_of_a_status_makes_a_report(tmp_path: Path) -> None:
    sample = yaml.safe_load(estate_status_info.RETURN)["status"]["sample"]

    assert report(tmp_path, status=sample)["counts"] == sample["counts"]
    assert set(sample) == set(STATUS)
    assert gather.ARGUMENTS["runs"]["default"] == 20
