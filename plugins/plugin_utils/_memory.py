# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""How Python uses memory, for work that makes much, leaves none, and is soon over."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

M_ARENA_MAX = -8  # glibc's malloc.h
ARENAS = 2


@contextmanager
def uncollected() -> Iterator[None]:
    """Within this, Python does not look for garbage.

    It would look through all that there is, Ansible's own too, again and again while thousands of things are made: an
    eighth of the time of a run.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def in_few_arenas() -> None:
    """Lets the threads of this process share memory, where the C library is glibc.

    It has an area for each thread, and what one has freed no other one gets: with 600 stacks a tenth of all memory.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
