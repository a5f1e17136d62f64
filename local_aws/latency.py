# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API calls that take as long as they do over a network, for measurements: each waits, and none waits for another."""

from __future__ import annotations

import asyncio
import math

from local_aws.asgi import App, Receive, Scope, Send

_seconds = 0.0


def seconds() -> float:
    """How long each API call waits."""
    return _seconds


def use(milliseconds: float) -> None:
    """Let each API call wait that long from now on. Raises ValueError when it is negative or not a number."""
    global _seconds
    if not 0 <= milliseconds < math.inf:
        raise ValueError(f"a call cannot wait {milliseconds} milliseconds")
    _seconds = milliseconds / 1000


def delayed(app: App) -> App:
    """The application, which hears of each request only after the wait."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _seconds:
            await asyncio.sleep(_seconds)
        await app(scope, receive, send)

    return wrapped
