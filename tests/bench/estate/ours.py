# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ours: playbooks/site.yml as a user runs it."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.bench.estate import contender
from tests.bench.estate.contender import Command, Contender

ROOT = Path(__file__).resolve().parents[3]


class Ours(Contender):
    """`ansible-playbook site.yml -e @your.yml`."""

    name = "ours"

    def prepare(self, n: int, environment: dict[str, str]) -> None:
        """Writes the vars file, and one for the change that is only looked at."""
        self.n, self.now = n, dict[int, str]()
        self._write("your.yml", self.now)

    def first(self) -> Command:
        """Makes everything."""
        return self._command("your.yml")

    def converged(self) -> Command:
        """The same command."""
        return self._command("your.yml")

    def change(self, serial: int) -> Command:
        """The same command, with another branch in the vars file."""
        self.now = contender.branches(self.n, f"release-{serial}")
        self._write("your.yml", self.now)
        return self._command("your.yml")

    def check(self, serial: int) -> Command:
        """The same command with --check, and another branch in the vars file."""
        self._write("check.yml", contender.branches(self.n, f"check-{serial}"))
        return self._command("check.yml", "--check")

    def _write(self, name: str, branches: dict[int, str]) -> None:
        content = {"gitops_settings": contender.settings(), "gitops_stacks": contender.stacks(self.n, branches)}
        (self.directory / name).write_text(yaml.safe_dump(content), encoding="utf-8")

    def _command(self, name: str, *arguments: str) -> Command:
        command = ("ansible-playbook", "site.yml", "-e", f"@{self.directory / name}", *arguments)
        return Command(command, ROOT / "playbooks")
