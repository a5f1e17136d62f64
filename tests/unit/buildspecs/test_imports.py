# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports that somebody asks for when starting a pipeline: import blocks, and nothing else."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.buildspecs.conftest import Shell


def write(shell: Shell, value: Any) -> subprocess.CompletedProcess[str]:
    return shell("write_imports", IMPORTS=base64.b64encode(json.dumps(value).encode()).decode())


def test_import_blocks(shell: Shell, tmp_path: Path) -> None:
    asked = {
        "aws_vpc.this": "vpc-1",
        'module.a["b c"].aws_subnet.this[0]': "subnet-1",
        "aws_iam_role.röle": 'a "quoted" \\ ${file("/etc/passwd")} %{ if true } <id>',
    }

    done = write(shell, asked)

    assert (done.returncode, done.stdout) == (0, "")
    written = (tmp_path / "source" / "gitops_imports.tf").read_text()
    assert written.count("import {\n") == 3
    assert 'to = module.a["b c"].aws_subnet.this[0]\n' in written
    # Terraform itself reads the ids back as they were given.
    ids = [line.removeprefix("  id = ") for line in written.splitlines() if line.startswith("  id = ")]
    read = shell('cd "$WORK/.." && evaluate . "jsonencode($LIST)"', LIST=f"[{', '.join(ids)}]")
    assert json.loads(read.stdout) == [asked[address] for address in sorted(asked)]


@pytest.mark.parametrize(
    "value",
    [
        {'x\n}\ndata "external" "y" {\n  program = ["sh"]\n}\n#': "1"},
        {"aws_vpc.this }": "1"},
        {'aws_vpc.this["${file(1)}"]': "1"},
        {"": "1"},
        {"aws_vpc.this": {"a": 1}},
        {},
        [],
        ["aws_vpc.this"],
        "aws_vpc.this=vpc-1",
    ],
)
def test_anything_else_is_refused(shell: Shell, value: Any) -> None:
    done = write(shell, value)

    assert done.returncode != 0
    assert "The pipeline variable imports must be a JSON object of addresses and ids" in done.stdout


def test_what_is_no_base64_is_refused(shell: Shell) -> None:
    assert shell("write_imports", IMPORTS="{}").returncode != 0


def test_without_imports_nothing_is_written(shell: Shell, tmp_path: Path) -> None:
    assert shell("write_imports", IMPORTS="none").returncode == 0
    assert list((tmp_path / "source").iterdir()) == []
