# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Writes files as a module does: only what differs, nothing in check mode, all of it in the diff."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Files:
    """The files that a module writes.

    Attributes:
        module: an AnsibleModule.
        mode: of files that are written.
        changed: whether any differed.
        diff: as Ansible shows it.
    """

    module: Any
    mode: int
    changed: bool = False
    diff: list[dict[str, str]] = field(default_factory=list)

    def directory(self, path: str, mode: int) -> None:
        """Makes a directory where there is none. Raises OSError."""
        if not os.path.isdir(path):
            self.changed = True
            if not self.module.check_mode:
                os.makedirs(path, mode)

    def write_all(self, directory: str, mode: int, texts: dict[str, str]) -> None:
        """Writes files, by path, into a directory, which is made with the mode where there is none. Raises OSError."""
        self.directory(directory, mode)
        for path, text in texts.items():
            self.write(path, text)

    def write(self, path: str, text: str) -> None:
        """Writes a file where it differs. Raises OSError."""
        before = read(path)
        if before != text:
            self.changed = True
            self.diff.append(
                {"before": before or "", "after": text, "before_header": path, "after_header": path},
            )
            if not self.module.check_mode:
                number, temporary = tempfile.mkstemp(dir=self.module.tmpdir)
                with open(number, "w", encoding="utf-8") as file:
                    file.write(text)
                self.module.atomic_move(temporary, path)
        if os.path.exists(path):
            self.changed = self.module.set_mode_if_different(path, self.mode, self.changed)


def is_file_name(name: str) -> bool:
    """Whether it names a file in a directory, and none elsewhere."""
    return os.sep not in name and name not in ("", ".", "..")


def read(path: str) -> str | None:
    """What is in a file, None where there is none. Raises OSError."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
