# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DATA/calls.jsonl: one line per API call, for tests that prove who called what. Never a request's content."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs

from ministack import app as ministack_app
from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import detect_service, extract_access_key_id

from local_aws.asgi import App, Message, Receive, Scope, Send, headers_of
from local_aws.aws_json import AwsError, caller_of
from local_aws.rest_json import operation_name

_PEEK = 64 * 1024
_REST_NAMESPACES = ("chatbot", "codestar-notifications")
_OWN_NAMESPACES = ("codepipeline", "codebuild", "codeconnections", "codestar-connections", "resource-explorer-2")


class RequestLog:
    """Appends a line per call: {time, service, action, principal_arn, access_key_id, status, error_code, user_agent,
    resource, invocation}, and fault where the call was made to fail (faults.py).

    time is epoch seconds at the end of the call; principal_arn the STS session's ARN for an assumed role; action an
    IAM action such as "s3:PutObject"; error_code None for a success; invocation the SDK's id of the call, the same
    when it sends the call again, or "".
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def close(self) -> None:
        """Close the file; calls that end later are not written."""
        with self._lock:
            self._file.close()

    def wrap(self, app: App) -> App:
        """The application, with each HTTP call written to the log when its response ends."""

        async def logged(
            scope: Scope,
            receive: Receive,
            send: Send,
        ) -> None:
            if scope["type"] != "http" or scope["path"].startswith("/_ministack/"):
                await app(scope, receive, send)
                return
            sent, answered, status = bytearray(), bytearray(), 0

            async def receiving() -> Message:
                message = await receive()
                if len(sent) < _PEEK:
                    sent.extend(message.get("body", b"")[:_PEEK])
                return message

            async def sending(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                elif status >= 400 and len(answered) < _PEEK:
                    answered.extend(message.get("body", b""))
                await send(message)

            try:
                await app(scope, receiving, sending)
            finally:
                self._write(scope, bytes(sent), status, bytes(answered))

        return logged

    def _write(self, scope: Scope, body: bytes, status: int, answer: bytes) -> None:
        headers = headers_of(scope)
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        key = extract_access_key_id(headers, query)
        try:
            principal = caller_of(key, get_region()).session_arn if key else "anonymous"
        except AwsError:
            principal = "unknown"
        service, action, resource = describe(scope["method"], scope["path"], headers, body, query)
        line = json.dumps(
            {
                "time": round(time.time(), 3),
                "service": service,
                "action": action,
                "principal_arn": principal,
                "access_key_id": key,
                "status": status,
                "error_code": error_code(headers, status, answer),
                "user_agent": headers.get("user-agent", ""),
                "invocation": headers.get("amz-sdk-invocation-id", ""),
                "resource": resource,
                **({"fault": scope["fault"]} if "fault" in scope else {}),
            }
        )
        with self._lock:
            if not self._file.closed:
                self._file.write(line + "\n")


def describe(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
) -> tuple[str, str, str]:
    """The service, IAM action and resource ARN of a call, as far as they can be told."""
    bucket = ministack_app._extract_s3_vhost_bucket(headers.get("host", ""))
    params = ministack_app._routing_params(method, path, headers, body, query)
    service = detect_service(method, path, headers, params)
    target = headers.get("x-amz-target", "")
    if service in _REST_NAMESPACES:
        return service, f"{service}:{operation_name(service, method, path) or method}", _named(body)
    if service in _OWN_NAMESPACES:
        return service, f"{service}:{target.rpartition('.')[2] or path.strip('/')}", _named(body)
    if service == "s3" and bucket:
        path = f"/{bucket}{path}"
    action = iam_actions.extract_iam_action(service, method, path, headers, body, params)
    resource = iam_actions.extract_resource_arn(
        service, method, path, headers, body, params, get_region(), get_account_id()
    )
    return service, action or f"{service}:{method}", resource


def _named(body: bytes) -> str:
    """The name or ARN a request to one of our services carries."""
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return "*"
    inner = request.get("pipeline") if isinstance(request.get("pipeline"), dict) else {}
    for value in (
        request.get("pipelineName"),
        request.get("projectName"),
        request.get("name"),
        inner.get("name"),
        request.get("resourceArn"),
        request.get("ConnectionArn"),
        request.get("ChatConfigurationArn"),
        request.get("ResourceARN"),
        request.get("Arn"),
        request.get("ConfigurationName"),
        request.get("Name"),
        request.get("id"),
    ):
        if isinstance(value, str):
            return value
    return "*"


def error_code(headers: dict[str, str], status: int, answer: bytes) -> str | None:
    """The AWS error code of an answer; None for a success."""
    if status < 400:
        return None
    text = answer.decode("utf-8", "replace")
    if match := re.search(r"<Code>([^<]+)</Code>", text):
        return match.group(1)
    try:
        parsed = json.loads(text)
    except ValueError:
        return str(status)
    kind = parsed.get("__type") if isinstance(parsed, dict) else None
    return str(kind).rpartition("#")[2] if kind else str(status)
