# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of AWS's REST JSON protocol: the operation is told by method and path, which may hold members, too."""

from __future__ import annotations

import functools
import json
import re
from typing import Any
from urllib.parse import unquote

from botocore.model import ListShape, OperationModel

from local_aws.aws_json import JsonService, Response, service_model


class RestJsonService(JsonService):
    """As JsonService; what a path or a query holds is in the request."""

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        name = operation_name(self.service_name, method, path)
        if name is None:
            return await super().handle(method, path, {**headers, "x-amz-target": f".{method} {path}"}, body, query)
        operation = service_model(self.service_name).operation_model(name)
        content = _with_members(operation, path, body, query)
        status, answer_headers, answer = await super().handle(
            method, path, {**headers, "x-amz-target": f".{name}"}, content, query
        )
        if status == 200:
            status = operation.http.get("responseCode", 200)
        return status, answer_headers, b"" if status == 204 else answer


@functools.cache
def operation_name(service_name: str, method: str, path: str) -> str | None:
    """The operation that a request asks for; None where there is none."""
    found = (name for verb, uri, name in _routes(service_name) if verb == method and uri.fullmatch(path))
    return next(found, None)


@functools.cache
def _routes(service_name: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Method, pattern of the path and name of each operation of a service."""
    model = service_model(service_name)
    http = {name: model.operation_model(name).http for name in model.operation_names}
    return [(each["method"], _pattern(each["requestUri"]), name) for name, each in http.items()]


def _pattern(uri: str) -> re.Pattern[str]:
    """A path whose members in braces are groups, such as /untagResource/{resourceArn}."""
    # A member may hold slashes: by now nobody knows whether they were written as such.
    return re.compile(re.sub(r"\{(\w+)\+?\}", r"(?P<\1>.+)", uri.partition("?")[0]))


def _with_members(operation: OperationModel, path: str, body: bytes, query: dict[str, list[str]]) -> bytes:
    """The body with the members that are in the path and in the query; as it is where it is no JSON object."""
    shape = operation.input_shape
    try:
        request: Any = json.loads(body or b"{}")
    except ValueError:
        return body
    if shape is None or not isinstance(request, dict):
        return body
    found = _pattern(operation.http["requestUri"]).fullmatch(path)
    for name, member in shape.members.items():
        place, key = member.serialization.get("location"), member.serialization.get("name", name)
        if place == "uri" and found:
            request[name] = unquote(found[key])
        elif place == "querystring" and key in query:
            values = query[key] if isinstance(query[key], list) else [str(query[key])]
            request[name] = values if isinstance(member, ListShape) else values[0]
    return json.dumps(request).encode()
