# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS JSON-protocol services driven by botocore's service models, and IAM checks for them.

A service is a subclass of JsonService in a module that keeps its one instance as ``SERVICE``; server.py registers it.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.core.router import extract_access_key_id
from ministack.services import iam as iam_store
from ministack.services import sts

logger = logging.getLogger("local_aws")

Response = tuple[int, dict[str, str], bytes]


class AwsError(Exception):
    """An error as AWS answers it: its code, the message and the HTTP status (400 unless the service says otherwise)."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Caller:
    """Who makes a call, and where.

    arn is the role's ARN for an assumed role (what aws:PrincipalArn gives), session_arn the STS session's ARN as AWS
    prints it in messages; for users both are the user's ARN, for root the account's root ARN.
    """

    account_id: str
    region: str
    arn: str
    access_key_id: str
    session_arn: str = ""


def role_arn_of(principal_arn: str) -> str:
    """The IAM role's ARN behind an STS assumed-role ARN (path included); any other ARN unchanged."""
    match = re.fullmatch(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/.*", principal_arn)
    if match is None:
        return principal_arn
    partition, account_id, name = match.groups()
    role = iam_store._roles.get_scoped(account_id, None, name) or {}
    return str(role.get("Arn") or f"arn:{partition}:iam::{account_id}:role/{name}")


def caller_of(access_key_id: str, region: str) -> Caller:
    """The caller an access key stands for. Raises AwsError UnrecognizedClientException for an unknown key."""
    session = sts._sessions.get(access_key_id, {})
    owner = session.get("AccountId") or iam_evaluator.find_iam_access_key_account(access_key_id) or get_account_id()
    found = iam_evaluator.resolve_credential(access_key_id, owner)
    if isinstance(found, iam_evaluator.CredentialResolutionError):
        raise _not_authenticated(found)
    return Caller(found.account_id, region, role_arn_of(found.principal_arn), access_key_id, found.principal_arn)


def authorize(caller: Caller, action: str, resource_arn: str, context: dict[str, Any] | None = None) -> None:
    """Evaluate the caller's IAM policies for ``service:Action`` on one resource, as AWS does before the call.

    context holds further condition keys, such as {"iam:PassedToService": "codebuild.amazonaws.com"}; the resource's
    own policy counts where its service keeps one. Raises AwsError AccessDeniedException, worded as AWS words it.
    """
    with request_scope(caller.account_id, caller.region):
        denied = iam_evaluator.enforce(
            caller.access_key_id,
            action,
            action.partition(":")[0],
            caller.region,
            resource_arn=resource_arn,
            service_context=context,
        )
    if denied is None:
        return
    if isinstance(denied, iam_evaluator.AuthError):
        raise _not_authenticated(denied)
    if denied.resource_policy_arn:
        message = iam_actions._resource_policy_denial(
            action.partition(":")[0], action, denied.principal_arn, resource_arn
        )
    else:
        message = iam_actions.identity_denial_message(
            action, denied.principal_arn, resource_arn, denied.decision == "Deny"
        )
    raise AwsError("AccessDeniedException", message)


def _not_authenticated(failure: Any) -> AwsError:
    """A failed authentication with the code that JSON services give it."""
    names = iam_actions._AUTH_FAILURES.get(failure.code)
    return AwsError(names[2] if names else failure.code, failure.message)


def authorize_pass_role(caller: Caller, role_arn: str, service_principal: str) -> None:
    """Check iam:PassRole on a role that the caller hands to a service. Raises AwsError AccessDeniedException."""
    authorize(caller, "iam:PassRole", role_arn, {"iam:PassedToService": service_principal})


# --- requests against the service model ---------------------------------------------------------------------------


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The model's (Java) pattern for Python; None, and so unchecked, where Python has no such syntax."""
    try:
        return re.compile(pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s").replace(r"\p{Z}", r"\s"), re.DOTALL)
    except re.error:
        return None


class _Validator:
    """Checks a request against its input shape and drops what the shape does not know."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def _fail(self, value: object, path: str, constraint: str) -> None:
        shown = "null" if value is None else f"'{_java_text(value)}'"
        self.failures.append(f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}")

    def clean(self, shape: Shape, value: Any, path: str) -> Any:
        """The value as the service sees it; constraint failures are collected, a wrong JSON type raises."""
        if isinstance(shape, StructureShape):
            _expect(value, dict, "structure", path)
            for name in shape.required_members:
                if value.get(name) is None:
                    self._fail(None, _join(path, name), "Member must not be null")
            return {
                name: self.clean(member, value[name], _join(path, name))
                for name, member in shape.members.items()
                if value.get(name) is not None
            }
        if isinstance(shape, ListShape):
            _expect(value, list, "list", path)
            self._length(shape, value, path)
            return [
                self.clean(shape.member, item, f"{path}.{number}.member")
                for number, item in enumerate(value, 1)
                if item is not None
            ]
        if isinstance(shape, MapShape):
            _expect(value, dict, "map", path)
            self._length(shape, value, path)
            return {
                self._key(shape.key, key, path): self.clean(shape.value, item, f"{path}.{key}.member")
                for key, item in value.items()
                if item is not None
            }
        return self._scalar(shape, value, path)

    def _length(self, shape: Shape, value: Any, path: str) -> None:
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and len(value) < low:
            self._fail(value, path, f"Member must have length greater than or equal to {low}")
        if high is not None and len(value) > high:
            self._fail(value, path, f"Member must have length less than or equal to {high}")

    def _key(self, shape: Shape, key: str, path: str) -> str:
        inner = _Validator()
        inner._scalar(shape, key, path)
        if inner.failures:
            constraints = ", ".join(text.split("constraint: ", 1)[1] for text in inner.failures)
            self._fail([key], path, f"Map keys must satisfy constraint: [{constraints}]")
        return key

    def _scalar(self, shape: Shape, value: Any, path: str) -> Any:
        kind, metadata = shape.type_name, shape.metadata
        if kind == "string":
            _expect(value, str, "String", path)
            allowed = metadata.get("enum")
            if allowed and value not in allowed:
                self._fail(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
            self._length(shape, value, path)
            pattern = _compiled(metadata["pattern"]) if "pattern" in metadata else None
            if pattern is not None and not pattern.fullmatch(value):
                self._fail(value, path, f"Member must satisfy regular expression pattern: {metadata['pattern']}")
        elif kind in ("integer", "long", "float", "double"):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise AwsError("SerializationException", f"{path}: a number is expected")
            if "min" in metadata and value < metadata["min"]:
                self._fail(value, path, f"Member must have value greater than or equal to {metadata['min']}")
            if "max" in metadata and value > metadata["max"]:
                self._fail(value, path, f"Member must have value less than or equal to {metadata['max']}")
        elif kind == "boolean":
            _expect(value, bool, "Boolean", path)
        return value


def _expect(value: Any, kind: type, name: str, path: str) -> None:
    if not isinstance(value, kind):
        raise AwsError("SerializationException", f"{path or 'request'}: {name} is expected")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _java_text(value: object) -> str:
    """A value as Java prints it in AWS's messages."""
    if isinstance(value, list):
        return f"[{', '.join(_java_text(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_java_text(item)}" for key, item in value.items()) + "}"
    return str(value)


def validate(operation: OperationModel, request: dict[str, Any], code: str) -> dict[str, Any]:
    """The request without unknown members. Raises AwsError with *code*, listing every constraint that failed."""
    if operation.input_shape is None:
        return {}
    validator = _Validator()
    clean: dict[str, Any] = validator.clean(operation.input_shape, request, "")
    if validator.failures:
        count = len(validator.failures)
        raise AwsError(
            code, f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(validator.failures)}"
        )
    return clean


def to_wire(shape: Shape | None, value: Any) -> Any:
    """A response value as JSON for its output shape: known members only, no None, times as epoch seconds."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            name: to_wire(member, value[name]) for name, member in shape.members.items() if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [to_wire(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: to_wire(shape.value, item) for key, item in value.items() if item is not None}
    return value


# --- the service base ---------------------------------------------------------------------------------------------


@functools.cache
def service_model(service_name: str) -> ServiceModel:
    """botocore's model of a service, loaded once."""
    return botocore.session.get_session().get_service_model(service_name)


class JsonService:
    """An AWS JSON-protocol service driven by botocore's service model.

    Operation CreatePipeline is the method create_pipeline(request, caller) -> response dict; it runs in a worker
    thread, with a request that already satisfies the model. An operation without a method answers 501.
    """

    service_name: ClassVar[str]
    """botocore's name of the service, such as "codepipeline"."""
    validation_error: ClassVar[str] = "ValidationException"

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        """One request, already authenticated by MiniStack: authorize, validate, run, answer."""
        return await asyncio.to_thread(self._answer, headers, body, query)

    def resource_arns(self, operation: str, request: dict[str, Any], caller: Caller) -> list[str]:
        """The resources an operation is authorized on; each must be allowed. The request is not yet validated."""
        return ["*"]

    def iam_action(self, operation: str, target: str) -> str:
        """The IAM action of an operation; target is the request's X-Amz-Target."""
        return f"{self.service_name}:{operation}"

    def model(self, target: str) -> ServiceModel:
        """The service model a request is checked against."""
        return service_model(self.service_name)

    def _answer(self, headers: dict[str, str], body: bytes, query: dict[str, list[str]]) -> Response:
        content_type = {"Content-Type": "application/x-amz-json-1.1"}
        try:
            payload = self._run(headers, body, query)
        except AwsError as error:
            payload = {"__type": error.code, "message": error.message}
            return error.status, content_type | {"x-amzn-errortype": error.code}, json.dumps(payload).encode()
        except Exception:
            logger.exception("%s failed", headers.get("x-amz-target"))
            payload = {"__type": "InternalFailure", "message": "An internal error occurred in local AWS; see its log."}
            return 500, content_type, json.dumps(payload).encode()
        return 200, content_type, json.dumps(payload).encode()

    def _run(self, headers: dict[str, str], body: bytes, query: dict[str, list[str]]) -> dict[str, Any]:
        target = headers.get("x-amz-target", "")
        name = target.rpartition(".")[2]
        model = self.model(target)
        if name not in model.operation_names:
            raise AwsError(
                "UnknownOperationException", f"{name or 'The request'} is not an operation of {self.service_name}"
            )
        operation = model.operation_model(name)
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            raise AwsError("SerializationException", "The request is not JSON") from None
        _expect(request, dict, "structure", "")
        caller = caller_of(extract_access_key_id(headers, query), get_region())
        context = _tag_context(request)
        for arn in self.resource_arns(name, request, caller):
            authorize(caller, self.iam_action(name, target), arn, context)
        run = getattr(self, _snake(name), None)
        if run is None:
            raise AwsError("NotImplementedException", f"{name} is not part of local AWS", 501)
        clean = validate(operation, request, self.validation_error)
        response: dict[str, Any] = to_wire(operation.output_shape, run(clean, caller) or {})
        return response


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _tag_context(request: dict[str, Any]) -> dict[str, Any]:
    """aws:RequestTag/<key> and aws:TagKeys of a request that sets or removes tags."""
    tags = request.get("tags", request.get("Tags"))
    if isinstance(tags, dict):
        tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    pairs = (
        [(_of_tag(tag, "key"), _of_tag(tag, "value")) for tag in tags if isinstance(tag, dict)]
        if isinstance(tags, list)
        else []
    )
    removed = request.get("tagKeys", request.get("TagKeys"))
    keys = [key for key, _ in pairs] + ([str(key) for key in removed] if isinstance(removed, list) else [])
    context: dict[str, Any] = {f"aws:RequestTag/{key}": value for key, value in pairs}
    if keys:
        context["aws:TagKeys"] = keys
    return context


def _of_tag(tag: dict[str, Any], part: str) -> str:
    """The key or the value of a tag, however its service spells them."""
    return str(next((tag[name] for name in (part, part.title(), f"Tag{part.title()}") if name in tag), ""))
