# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/_local/: what on AWS is the console, or another company's web site. Only for callers on this machine."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from local_aws import (
    chatbot,
    clocks,
    codecommit,
    codeconnections,
    faults,
    latency,
    process,
    pull_requests,
    service_owned,
)
from local_aws.asgi import App, Receive, Scope, Send, body_of
from local_aws.aws_json import AwsError
from local_aws.codebuild import image
from local_aws.codebuild.service import SERVICE as CODEBUILD


def routes(app: App) -> App:
    """The application with /_local/ in front of it."""

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/_local/"):
            await app(scope, receive, send)
            return
        body = await body_of(receive)
        try:
            if not _from_this_machine(scope):
                raise AwsError("AccessDenied", "/_local/ answers only on this machine", 403)
            status, answer = 200, await asyncio.to_thread(_answer, scope["method"], scope["path"], body)
        except AwsError as error:
            status, answer = error.status, {"error": error.code, "message": error.message}
        content = json.dumps(answer).encode()
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())],
            }
        )
        await send({"type": "http.response.body", "body": content})

    return routed


def _from_this_machine(scope: Scope) -> bool:
    """The peer and the Host header are loopback, and no web page asks (browsers name it in Origin)."""
    client = scope.get("client") or ("",)
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get(b"host", "")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return b"origin" not in headers and process.is_loopback(client[0]) and process.is_loopback(name)


def _answer(method: str, path: str, body: bytes) -> dict[str, Any]:
    if (method, path) == ("GET", "/_local/health"):
        return {"status": "ready", "pid": os.getpid(), "data": str(process.data_dir())}
    if (method, path) == ("GET", "/_local/repositories"):
        mapped = {**codeconnections.repositories(), **codecommit.repositories()}
        return {"repositories": {name: str(where) for name, where in mapped.items()}}
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        request = None
    if not isinstance(request, dict):
        raise AwsError("BadRequest", "The request is not a JSON object")
    if (method, path) == ("POST", "/_local/repositories"):
        full_name, where = _text(request, "full_name"), Path(_text(request, "path"))
        (codecommit if full_name.startswith("arn:") else codeconnections).map_repository(full_name, where)
        return {"full_name": full_name, "path": str(where)}
    if (method, path) == ("POST", "/_local/pull-requests"):
        return _pull_request(request)
    if (method, path) == ("POST", "/_local/images"):
        name, where = _text(request, "image"), Path(_text(request, "directory"))
        image.map_image(name, where)
        return {"image": name, "directory": str(where)}
    if (method, path) == ("POST", "/_local/latency"):
        return _latency(request)
    if (method, path) == ("POST", "/_local/faults"):
        try:
            faults.use(request)
        except ValueError as error:
            raise AwsError("BadRequest", str(error)) from error
        return request
    if (method, path) == ("POST", "/_local/clocks"):
        return _clock(request)
    if (method, path) == ("POST", "/_local/dead-containers"):
        CODEBUILD.kill(_text(request, "build_id"))
        return {"build_id": request["build_id"]}
    if (method, path) == ("POST", "/_local/service-owned"):
        arn, service = _text(request, "arn"), _text(request, "service")
        service_owned.give(arn, service)
        return {"arn": arn, "service": service}
    if (method, path) == ("POST", "/_local/chatbot/workspaces"):
        return chatbot.SERVICE.authorize_workspace(_text(request, "slack_team_id"))
    if (method, path) == ("POST", "/_local/connections/complete"):
        name = _text(request, "connection_name")
        return {"connection_arns": codeconnections.SERVICE.complete(name)}
    raise AwsError("NotFound", f"{method} {path} is not part of local AWS", 404)


def _latency(request: dict[str, Any]) -> dict[str, Any]:
    milliseconds = request.get("milliseconds")
    try:
        latency.use(float(milliseconds if isinstance(milliseconds, int | float) else "none"))
    except ValueError as error:
        raise AwsError("BadRequest", "milliseconds is not a number from 0") from error
    return {"milliseconds": milliseconds}


def _clock(request: dict[str, Any]) -> dict[str, Any]:
    principal, seconds = _text(request, "principal"), request.get("seconds_behind")
    if not isinstance(seconds, int | float):
        raise AwsError("BadRequest", "seconds_behind is not a number")
    clocks.use(principal, float(seconds))
    return {"principal": principal, "seconds_behind": float(seconds)}


def _pull_request(request: dict[str, Any]) -> dict[str, Any]:
    number = request.get("number")
    if not isinstance(number, int) or number < 1:
        raise AwsError("BadRequest", "number is not a positive number")
    more = {key: _text(request, key) for key in ("event", "fork", "actor", "role") if request.get(key)}
    return pull_requests.deliver(
        _text(request, "full_name"),
        number,
        head=_text(request, "head"),
        base=_text(request, "base"),
        approved=request.get("approved") is True,
        **more,
    )


def _text(request: dict[str, Any], key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise AwsError("BadRequest", f"{key} is missing")
    return value
