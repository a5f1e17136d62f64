# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of the running process share: its files, minutes and end, and which addresses are this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import math
from collections.abc import Callable
from pathlib import Path

DEFAULT_ACCOUNT_ID = "123456789012"
ROOT_ACCESS_KEY_ID = "test"
ROOT_SECRET_ACCESS_KEY = "test"

_data_dir = Path(".work/local_aws")
_minute_seconds = 60.0
_shutdown_hooks: list[Callable[[], None]] = []


def data_dir() -> Path:
    """The directory this server keeps its files in (absolute once it runs)."""
    return _data_dir


def use_data_dir(data: Path) -> None:
    """Make the directory, for this user only, and keep the server's files there."""
    global _data_dir
    _data_dir = data.resolve()
    _data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)


def minute_seconds() -> float:
    """How long a minute of AWS lasts here: timeouts and waiting times are given in minutes."""
    return _minute_seconds


def use_minute(seconds: float) -> None:
    """Make the minutes of this server that long. Raises ValueError when it is not a positive number."""
    global _minute_seconds
    if not 0 < seconds < math.inf:
        raise ValueError(f"a minute cannot last {seconds} seconds")
    _minute_seconds = seconds


def on_shutdown(hook: Callable[[], None]) -> None:
    """Call a function when the server stops, such as one that ends the builds that still run."""
    _shutdown_hooks.append(hook)


def shut_down() -> None:
    """Call what was registered, the latest first; one that fails does not keep the others from running."""
    for hook in reversed(_shutdown_hooks):
        with contextlib.suppress(Exception):
            hook()


def is_loopback(address: str) -> bool:
    """Whether an address or host name can only be reached from this machine."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
