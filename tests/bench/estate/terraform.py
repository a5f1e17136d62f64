# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terraform with the real AWS provider: terraform_files/ beside this, with the stacks as a JSON file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.bench.estate import contender
from tests.bench.estate.contender import Command, Contender

ROOT = Path(__file__).resolve().parents[3]
FILES = Path(__file__).resolve().parent / "terraform_files"


class Terraform(Contender):
    """A root module with a module for each stack, and a local state. TF_CLI_CONFIG_FILE says where the provider is."""

    name = "terraform"

    def prepare(self, n: int, environment: dict[str, str]) -> None:
        self.n, self.branches = n, dict[int, str]()
        shutil.copytree(FILES, self.directory, dirs_exist_ok=True)
        shutil.copy(ROOT / "tf" / ".terraform.lock.hcl", self.directory)
        (self.directory / "buildspecs").mkdir()
        for job in ("plan", "apply", "destroy"):
            self._write(f"buildspecs/{job}.yml", contender.buildspec(job))
        self._write("notices.json", json.dumps(contender.machine(n)))
        self._write_stacks("stacks.json", self.branches)
        subprocess.run(
            ["terraform", "init", "-input=false", "-lockfile=readonly"],
            cwd=self.directory,
            env={**os.environ, **environment},
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def first(self) -> Command:
        return self._command("apply", "-auto-approve")

    def converged(self) -> Command:
        """Plans, and works only where there is nothing to do: code 0."""
        return self._command("plan", "-detailed-exitcode")

    def change(self, serial: int) -> Command:
        self.branches = contender.branches(self.n, f"release-{serial}")
        self._write_stacks("stacks.json", self.branches)
        return self._command("apply", "-auto-approve")

    def check(self, serial: int) -> Command:
        """Plans with another file of stacks, and works only where there is something to do: code 2."""
        self._write_stacks("check.json", contender.branches(self.n, f"check-{serial}"))
        return self._command("plan", "-detailed-exitcode", "-var=stacks=check.json", codes=(2,))

    def _command(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Command:
        options = ["-input=false", "-no-color", f"-parallelism={contender.CONCURRENCY}"]
        return Command(
            ("terraform", arguments[0], *options, *arguments[1:]), self.directory, {"CHECKPOINT_DISABLE": "1"}, codes
        )

    def _write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text, encoding="utf-8")

    def _write_stacks(self, name: str, branches: dict[int, str]) -> None:
        self._write(name, json.dumps(contender.stacks(self.n, branches)))
