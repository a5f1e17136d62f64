# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shell as a build has it, with the parts that buildspecs include."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PARTS = ROOT / "buildspecs" / "parts"
SCRIPTS = ("functions.sh", "plan.sh", "drift.sh", "apply.sh")

Shell = Callable[..., subprocess.CompletedProcess[str]]


# The image's own shell and tools where this machine has them, and else what is closest.
SHELLS = [name for name in ("busybox", "dash", "sh") if shutil.which(name)][:2]


@pytest.fixture(params=SHELLS)
def shell(tmp_path: Path, request: pytest.FixtureRequest) -> Shell:
    """Runs commands after the parts, with these environment variables; WORK and SAVED are empty folders.

    Commands that are alone are a process group of their own, to which they may send signals.
    """
    for name in ("work", "saved", "source", "tools"):
        (tmp_path / name).mkdir()
    path, posix = os.environ["PATH"], [shutil.which(request.param)]
    if request.param == "busybox":
        subprocess.run(["busybox", "--install", "-s", str(tmp_path / "tools")], check=True)
        path, posix = f"{tmp_path / 'tools'}:{path}", [shutil.which("busybox"), "ash"]

    def run(commands: str, *, alone: bool = False, **variables: str) -> subprocess.CompletedProcess[str]:
        texts = [(PARTS / name).read_text(encoding="utf-8") for name in SCRIPTS]
        parts = "\n".join(texts)
        for name in ("plan_facts.tf", "drift_facts.tf"):
            parts = parts.replace(f"#include {name}", (PARTS / name).read_text(encoding="utf-8"))
        environment = {
            "PATH": path,
            "HOME": str(tmp_path),
            "CHECKPOINT_DISABLE": "1",
            "TERRAFORM": "terraform",
            "WORK": str(tmp_path / "work"),
            "SAVED": str(tmp_path / "saved"),
            "CODEBUILD_SRC_DIR": str(tmp_path / "source"),
            **variables,
        }
        return subprocess.run(
            [*map(str, posix), "-c", f"{parts}\n{commands}"],
            cwd=tmp_path / "source",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            start_new_session=alone,
        )

    return run
