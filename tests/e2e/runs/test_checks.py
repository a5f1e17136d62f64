# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks between plan and approval: one that fails, or cannot be made, fails the stage."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.e2e.estate import Execution
from tests.e2e.runs.conftest import Runs

CHECKOV = "checkov==3.2.500"


def failed(runs: Runs) -> str:
    """The log of the plan that the newest push makes, which must fail."""
    ended: Execution = runs.ended("checked", runs.push("checked"), "Failed")
    assert set(ended.actions) == {"Source", "Plan"}
    return runs.estate.log(ended.actions["Plan"].build_id)


def test_a_check_that_fails_or_is_missing_fails_the_plan(runs: Runs) -> None:
    main = runs.write("checked", "value")
    right = main.read_text()

    main.write_text(right.replace("  type    = string", "  type = string"))
    log = failed(runs)
    assert "The check fmt has failed: nothing is planned any further." in log
    assert "+  type    = string" in log

    main.write_text(right.replace("= var.content", "= var.contents"))
    log = failed(runs)
    assert "The check validate has failed" in log
    assert "Reference to undeclared input variable" in log

    main.write_text(right)
    log = failed(runs)
    assert "The check tflint is asked for, and this image has no tflint." in log


def test_a_change_of_what_the_stack_shares_starts_its_pipeline(runs: Runs) -> None:
    shared = runs.repository.clone / "shared" / "module"
    shared.mkdir(parents=True)
    (shared / "main.tf").write_text("# shared\n")

    runs.ended("checked", runs.push("checked"), "Failed")


def test_a_real_scanner_in_an_image_of_the_user_s(runs: Runs, tmp_path: Path) -> None:
    """checkov finds a parameter that is not encrypted, and shows no values; encrypted, it passes."""
    tool = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "image")}
    subprocess.run(["uv", "tool", "install", "--quiet", CHECKOV], check=True, env={**os.environ, **tool})
    runs.estate.aws.command("map-image", "acme/terraform-checkov", str(tmp_path / "image"))
    main = runs.write("scanned", "parameter")

    ended = runs.ended("scanned", runs.push("scanned"), "Failed")
    log = runs.estate.log(ended.actions["Plan"].build_id)
    assert set(ended.actions) == {"Source", "Plan"}
    assert 'Check: CKV2_AWS_34: "AWS SSM Parameter should be Encrypted"' in log
    assert "The check checkov has failed" in log
    assert "built by the pipeline" not in log.partition("Check: ")[2]

    main.write_text(main.read_text().replace('= "String"', '= "SecureString"\n  key_id = "alias/aws/ssm"'))
    runs.waiting("scanned", runs.push("scanned"))
    runs.estate.approve("gitops-scanned", "Rejected")
