# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of amazon.aws and community.aws in loops: loops_files/ beside this, with the stacks as a file of variables.

They do less, because these modules have no options for it: pipelines are of type V1, without variables, triggers,
key and tags; projects have no log group and no limit of concurrent builds; the table has no key of its own, no
recovery and no protection; the topic has no key; the alarm and the rules have no tags, and targets no dead letters.
There is no module for connections, so a script makes that one. None of this is held against them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml

from tests.bench.estate import contender
from tests.bench.estate.contender import Command, Contender

FILES = Path(__file__).resolve().parent / "loops_files"


class Loops(Contender):
    """`ansible-playbook site.yml -e @stacks.yml`, with Ansible's defaults."""

    name = "loops"
    rewrites = True  # the modules for projects and pipelines call Update* each time

    def prepare(self, n: int, environment: dict[str, str]) -> None:
        """Writes the playbook, its files, and the stacks."""
        self.n, self.branches = n, dict[int, str]()
        for file in FILES.iterdir():
            if file.is_file():
                shutil.copy(file, self.directory)
        (self.directory / "buildspecs").mkdir()
        for job in ("plan", "apply", "destroy"):
            self._write(f"buildspecs/{job}.yml", contender.buildspec(job))
        self._write("notices.json", json.dumps(contender.machine(n)))
        self._write_stacks("stacks.yml", self.branches)

    def first(self) -> Command:
        """Makes everything."""
        return self._command("stacks.yml")

    def converged(self) -> Command:
        """The same command."""
        return self._command("stacks.yml")

    def change(self, serial: int) -> Command:
        """The same command, with another branch in the file of stacks."""
        self.branches = contender.branches(self.n, f"release-{serial}")
        self._write_stacks("stacks.yml", self.branches)
        return self._command("stacks.yml")

    def check(self, serial: int) -> Command:
        """The same command with --check, and another branch in a file of its own."""
        self._write_stacks("check.yml", contender.branches(self.n, f"check-{serial}"))
        return self._command("check.yml", "--check")

    def _command(self, stacks: str, *arguments: str) -> Command:
        return Command(("ansible-playbook", "site.yml", "-e", f"@{stacks}", *arguments), self.directory)

    def _write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text, encoding="utf-8")

    def _write_stacks(self, name: str, branches: dict[int, str]) -> None:
        stacks = json.loads(json.dumps(contender.stacks(self.n, branches)))  # no YAML aliases
        self._write(name, yaml.safe_dump({"stacks": stacks}))
