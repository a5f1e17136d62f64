# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""How far a bulk module is, for the action plugin that shows it while the module runs (plugin_utils/_bulk.py).

The plugin names a file, and the module writes its counts there. Without such a file nothing is written.
"""

from __future__ import annotations

import os
import threading
from typing import NamedTuple

FILE = "GITOPS_AWS_PROGRESS_FILE"  # environment variable of the module's process


class Counts(NamedTuple):
    """How many items there are and are read, and how many differ and are written."""

    items: int
    read: int
    differ: int
    written: int


class Progress:
    """Counts what is read and written, by any number of threads."""

    def __init__(self) -> None:
        self._path = os.environ.get(FILE, "")
        self._lock = threading.Lock()
        self._counts = Counts(0, 0, 0, 0)

    def begin(self, items: int) -> None:
        """That so many items, or so many more, are to be read."""
        with self._lock:
            self._note(self._counts._replace(items=self._counts.items + items))

    def read(self, items: int = 1) -> None:
        """That so many more were read."""
        with self._lock:
            self._note(self._counts._replace(read=min(self._counts.items, self._counts.read + items)))

    def compared(self, differ: int) -> None:
        """That all were read, and so many of these differ."""
        with self._lock:
            self._note(self._counts._replace(read=self._counts.items, differ=self._counts.differ + differ))

    def written(self) -> None:
        """That one more was brought to its settings, or not: there is nothing more to do about it."""
        with self._lock:
            self._note(self._counts._replace(written=self._counts.written + 1))

    def _note(self, counts: Counts) -> None:
        self._counts = counts
        if not self._path:
            return
        try:
            # The file is the plugin's: where it is gone, none is made. No count is ever shorter than the one before.
            with open(self._path, "r+b", buffering=0) as file:
                file.write(" ".join(map(str, counts)).encode())
        except OSError:  # that nobody sees how far it is does not matter to what it does
            self._path = ""


def counts_in(path: str) -> Counts | None:
    """What a module has written to the file; None where that is nothing yet, or nothing whole."""
    try:
        with open(path, encoding="ascii") as file:
            return Counts(*map(int, file.read().split()))
    except (OSError, TypeError, ValueError):
        return None
