# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers as late as a network would bring them, to clients that cannot take them sooner.

The AWS SDK for Go, and so Terraform, now and then gives up a request with a body whose answer arrives within a
millisecond, before it has noted that the body is sent. It then repeats the call. A lock that the first call has taken
is in the way of the second: the lock stays, and the build fails. On AWS no answer is that quick.
"""

from __future__ import annotations

import asyncio

from local_aws.asgi import App, Message, Receive, Scope, Send

SECONDS = 0.005


def paced(app: App) -> App:
    """The application, with the beginning of each answer to the SDK for Go held back for a moment."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(SECONDS)
            await send(message)

        await app(scope, receive, sending if _is_go(scope) else send)

    return wrapped


def _is_go(scope: Scope) -> bool:
    return scope["type"] == "http" and any(
        name.lower() == b"user-agent" and b"aws-sdk-go" in value for name, value in scope["headers"]
    )
