# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that are answered before a call reaches MiniStack, in the form of its service."""

from __future__ import annotations

import uuid

from ministack.core import iam_actions

from local_aws.asgi import Scope, Send


def speaks_query(service: str) -> bool:
    """Whether a service has a protocol with words of its own for errors, as those with XML have."""
    return bool(iam_actions._SERVICE_PROTOCOL.get(service, ""))


async def refuse(
    scope: Scope, send: Send, service: str, headers: dict[str, str], code: str, message: str, status: int
) -> None:
    """Answers a call with an error."""
    _status, answered, body = iam_actions.access_denied_response(
        service, "", "", str(uuid.uuid4()), error_code=code, message=message, headers=headers
    )
    content = b"" if scope["method"] == "HEAD" else body
    given = [(name.lower().encode(), value.encode()) for name, value in answered.items()]
    length = (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*given, length]})
    await send({"type": "http.response.body", "body": content})
