# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Signals that end a process, heard between two steps: a build that is stopped leaves no lock and no half of a step."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from typing import Any, Iterator

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal wants the process to end. No error that some code could take for its own."""


class Interrupts:
    """Notes signals while it is entered; the old handlers come back at its end.

    In other threads than the first it hears nothing: Python delivers signals there alone.
    """

    def __init__(self) -> None:
        self.name = ""
        self._open = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._hear) for each in SIGNALS}
        return self

    def __exit__(self, *_error: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _hear(self, number: int, _frame: Any) -> None:
        self.name = signal.Signals(number).name
        if self._open:
            raise Interrupted(self.name)

    def check(self) -> None:
        """Raises Interrupted if there was a signal."""
        if self.name:
            raise Interrupted(self.name)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Within, a signal raises Interrupted at once: nothing is done there that must not be left in the middle."""
        self._open = True
        try:
            self.check()
            yield
        finally:
            self._open = False

    def wait(self, seconds: float) -> None:
        """Waits, until a signal. Raises Interrupted."""
        with self.open():
            time.sleep(seconds)
