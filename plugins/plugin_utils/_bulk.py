# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Says how far a bulk module is while it runs, where that takes longer than a moment.

The module runs as it would without this, and writes its counts to a file that it is told of: see
module_utils/_progress.py. So nothing is shown where the module runs elsewhere, or may not write the file (as another
user, with become), and nothing of tasks in the background.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Callable

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action.normal import ActionModule as NormalAction

from ansible_collections.gitops.aws.plugins.module_utils._progress import FILE, Counts, counts_in
from ansible_collections.gitops.aws.plugins.plugin_utils._in_process import InProcess
from ansible_collections.gitops.aws.plugins.plugin_utils._showing import show

WANTED = "GITOPS_AWS_PROGRESS"  # environment variable; false: nothing is shown

# Seconds: until the first line, between two, and between looks when it is time and nothing has moved.
FIRST, EVERY, AGAIN = 5.0, 10.0, 1.0


def in_words(module: str, counts: Counts, check_mode: bool) -> str:
    """The counts as a line for a person."""
    line = f"  {module}: {counts.read:,} of {counts.items:,} read"
    if not counts.differ:
        return line
    return (
        f"{line}, {counts.differ:,} would change"
        if check_mode
        else (f"{line}, {counts.written:,} of {counts.differ:,} changed")
    )


def tell(look: Callable[[], str], say: Callable[[str], None], pause: Callable[[float], bool]) -> None:
    """Says what a look gives: first after FIRST seconds, then every EVERY seconds at most, and only what is new.

    Args:
        look: what there is to say now, '' for nothing.
        say: says it.
        pause: waits so many seconds; whether there is nothing more to tell.
    """
    said, seconds = "", FIRST
    while not pause(seconds):
        line, seconds = look(), AGAIN
        if line not in ("", said):
            say(line)
            said, seconds = line, EVERY


class Bulk(InProcess, NormalAction):
    """Runs the module of the task, and shows how far it is."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the task; the result is the module's."""
        if not self._can_be_seen():
            return dict(super().run(tmp, task_vars))
        with self._told() as path:
            given = self._task.environment or []
            self._task.environment = [*(given if isinstance(given, list) else [given]), {FILE: path}]
            try:
                return dict(super().run(tmp, task_vars))
            finally:
                self._task.environment = given

    def _can_be_seen(self) -> bool:
        return bool(
            self._connection.transport == "local"
            and not self._task.async_val
            and not self._task.no_log
            and boolean(os.environ.get(WANTED, "true"), strict=False)
        )

    @contextmanager
    def _told(self) -> Iterator[str]:
        """A file of this run's own, from which is told what a module writes there."""
        module, check_mode = self._task.action.rpartition(".")[2], self._task.check_mode
        handle, path = tempfile.mkstemp(prefix="progress-", dir=constants.DEFAULT_LOCAL_TMP)
        os.close(handle)

        def look() -> str:
            counts = counts_in(path)
            return in_words(module, counts, check_mode) if counts and counts.items else ""

        over = threading.Event()
        teller = threading.Thread(target=tell, args=(look, lambda line: show(self._task, line), over.wait), daemon=True)
        teller.start()
        try:
            yield path
        finally:
            over.set()
            teller.join()
            with suppress(OSError):  # somebody has cleaned up: what the module did is told all the same
                os.unlink(path)
