# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks: a call whose signature is too old or too young is refused, and some callers' clocks can be made to go wrong.

A caller's clock cannot be moved from here. Instead the time is another one for those callers: what counts for their
signatures, and what the header `Date` of their answers says, by which the SDKs correct themselves.
"""

from __future__ import annotations

import fnmatch
import time
from datetime import UTC, datetime
from email.utils import formatdate

from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id

from local_aws.asgi import App, Message, Receive, Scope, Send, headers_of
from local_aws.aws_json import AwsError, caller_of
from local_aws.refusals import refuse, speaks_query

MINUTES = {"s3": 15}  # that a clock may differ by, by service
OTHER_MINUTES = 5

_wrong: dict[str, float] = {}  # seconds that a clock is behind, by patterns of its caller's ARN


def use(principal: str, seconds: float) -> None:
    """From now on the clocks of these callers are so far behind (with a minus, ahead)."""
    _wrong[principal] = seconds


def checked(app: App) -> App:
    """The application, which refuses signatures of another time."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        signed = headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 ") and headers.get("x-amz-date")
        if scope["type"] != "http" or not signed:
            await app(scope, receive, send)
            return
        behind = _behind(headers) if _wrong else 0.0
        now = time.time() + behind

        async def dated(message: Message) -> None:
            if behind and message["type"] == "http.response.start":
                others = [(name, value) for name, value in message["headers"] if name.lower() != b"date"]
                message = {**message, "headers": [*others, (b"date", formatdate(now, usegmt=True).encode())]}
            await send(message)

        service = headers["authorization"].partition("Credential=")[2].partition(",")[0].split("/")[3:4]
        name = service[0] if service else ""
        then = _seconds(headers["x-amz-date"])
        if then is not None and abs(now - then) > MINUTES.get(name, OTHER_MINUTES) * 60:
            scope["fault"] = "clock"
            await refuse(scope, dated, name, headers, *_words(name, now, then), 403)
        else:
            await app(scope, receive, dated)

    return wrapped


def _behind(headers: dict[str, str]) -> float:
    if "local-aws-service" in headers.get("user-agent", ""):
        return 0.0  # what a service does as a role has the service's clock
    try:
        caller = caller_of(extract_access_key_id(headers, {}) or "", get_region())
    except AwsError:
        return 0.0
    arns = (caller.arn, caller.session_arn)
    return next((s for pattern, s in _wrong.items() if any(fnmatch.fnmatchcase(arn, pattern) for arn in arns)), 0.0)


def _seconds(signed_at: str) -> float | None:
    try:
        return datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _words(service: str, now: float, then: float) -> tuple[str, str]:
    """Code and message of the refusal, as the service has them."""
    if service == "s3":
        return "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."
    code = "SignatureDoesNotMatch" if speaks_query(service) else "InvalidSignatureException"
    limit = now + (OTHER_MINUTES if then > now else -OTHER_MINUTES) * 60
    what = "not yet current" if then > now else "expired"
    compared = "still later" if then > now else "now earlier"
    return code, f"Signature {what}: {_in_words(then)} is {compared} than {_in_words(limit)} ({_in_words(now)})"


def _in_words(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")
