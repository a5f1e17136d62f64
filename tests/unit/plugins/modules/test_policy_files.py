# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""policy_files: what differs is written, nothing in check mode; and its documentation is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gitops.aws.plugins.modules import policy_files
from tests.integration.modules.harness import run_module
from tests.unit.plugins.modules.test_single_documentation import documented, specified

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}
POLICIES = {"reader": READ, "scp": json.dumps(READ, separators=(",", ":"))}


pytestmark = pytest.mark.usefixtures("no_temporary_files_beside")


def write(dest: Path, policies: Any = POLICIES, **arguments: Any) -> dict[str, Any]:
    return run_module("policy_files", {"dest": str(dest), "policies": policies, **arguments})


def test_documentation_is_true() -> None:
    assert documented(yaml.safe_load(policy_files.DOCUMENTATION)["options"]) == specified(policy_files.ARGUMENTS)


def test_policies_are_written_once(tmp_path: Path) -> None:
    dest = tmp_path / "a" / "policies"

    first, second = write(dest), write(dest)

    assert first["changed"] is True
    assert first["files"] == {"reader": f"{dest}/reader.json", "scp": f"{dest}/scp.json"}
    assert {path.name for path in dest.iterdir()} == {"reader.json", "scp.json"}
    assert {path.stat().st_mode & 0o777 for path in dest.iterdir()} == {0o644}
    assert json.loads((dest / "reader.json").read_text()) == READ
    assert (dest / "reader.json").read_text().count("\n") > 5  # for people
    assert (dest / "scp.json").read_text() == POLICIES["scp"]  # not a character more
    assert (second["changed"], second["diff"]) == (False, [])


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "reader.json").write_text("{}")
    (tmp_path / "theirs.json").write_text("{}")

    again = write(tmp_path)

    assert [each["before_header"] for each in again["diff"]] == [str(tmp_path / "reader.json")]
    assert (tmp_path / "theirs.json").read_text() == "{}"


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    checked = write(tmp_path / "policies", _ansible_check_mode=True)

    assert (checked["changed"], len(checked["diff"])) == (True, 2)
    assert not (tmp_path / "policies").exists()


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ({"../reader": READ}, "policies: '../reader' is not allowed, it must be a file's name without .json"),
        ({"": READ}, "policies: '' is not allowed"),
        ({"reader": [READ]}, "policies.reader must be a policy: a dictionary or a text"),
    ],
)
def test_what_is_no_policy_is_refused(tmp_path: Path, policies: dict[str, Any], message: str) -> None:
    refused = write(tmp_path / "policies", {**POLICIES, **policies})

    assert refused["failed"]
    assert refused["msg"].startswith(f"Nothing was changed. {message}")
    assert not (tmp_path / "policies").exists()


def test_a_policy_too_long_for_iam_is_written_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["x" * 100] * 60}

    written = write(tmp_path, {**POLICIES, "long": {**READ, "Statement": [statement]}})

    # Where Ansible itself has been loaded into this process, it shows them.
    warnings = str(written.get("warnings")) + " ".join(capsys.readouterr().err.split())
    assert "long.json has 6,2" in warnings
    assert "reader.json" not in warnings
    assert "IAM takes 6,144 for a managed policy" in warnings
    assert (tmp_path / "long.json").exists()
