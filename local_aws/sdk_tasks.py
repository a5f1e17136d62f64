# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS SDK integrations of Step Functions: aws-sdk:<service>:<action>, in the names of the AWS SDK for Java 2."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from local_aws import identity
from local_aws.aws_json import service_model

PREFIX = "arn:aws:states:::aws-sdk:"

# Where botocore's name of a service is not its service id without spaces.
_BOTOCORE_NAMES = {
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "configservice": "config",
    "databasemigration": "dms",
    "elasticloadbalancingv2": "elbv2",
    "eventbridge": "events",
    "resourcegroupstaggingapi": "resourcegroupstaggingapi",
    "sfn": "stepfunctions",
}

_clients: dict[tuple[str, str], Any] = {}
_clients_lock = threading.Lock()
_MANY_CLIENTS = 200


class TaskError(Exception):
    """A task that failed: the name of the error, as Retry and Catch know it, and its cause."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"{name}: {cause}")
        self.name = name
        self.cause = cause


@functools.cache
def sdk_name(name: str) -> str:
    """A name as the SDK for Java 2 writes it: pipelineName is PipelineName, AWS's SSEKMSKeyId is SsekmsKeyId."""
    words = re.sub(r"[^A-Za-z0-9]+", " ", name)
    words = re.sub(r"(?<=[a-z])(?=[A-Z][a-zA-Z0-9])", " ", words)
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", words)
    words = re.sub(r"([0-9])([a-zA-Z])", r"\1 \2", words)
    return "".join(word[0].upper() + word[1:].lower() for word in words.split())


def call(resource: str, arguments: Any, credentials: identity.Credentials, region: str) -> Any:
    """What the API answers to the task's resource, as the state gets it. Raises TaskError."""
    found = _operation(resource.removeprefix(PREFIX))
    if found is None:
        raise TaskError("States.Runtime", f"local AWS does not know the task {resource}")
    name, model, operation = found
    parameters = _request(operation.input_shape, arguments or {}, "")
    try:
        answer = getattr(_client(name, credentials, region), xform_name(operation.name))(**parameters)
        # A stream is read here, too: what breaks then is the call's failure.
        return _answer(operation.output_shape, answer)
    except ParamValidationError as error:
        raise TaskError("States.Runtime", str(error)) from error
    except ClientError as error:
        raise _failure(model, operation, error) from error
    except BotoCoreError as error:
        raise TaskError(f"{_prefix(model)}.SdkClientException", str(error)) from error


def problems(resource: str, arguments: Any, place: str) -> Iterator[str]:
    """What AWS refuses of an aws-sdk task when the machine is made: an unknown action, an unknown argument."""
    if not resource.startswith(PREFIX):
        return
    found = _operation(resource.removeprefix(PREFIX))
    if found is None:
        yield (
            f"SCHEMA_VALIDATION_FAILED: The resource provided {resource} is not recognized. The "
            f"value is not a valid resource ARN, or the resource is not available in this region. at {place}/Resource"
        )
        return
    shape = found[2].input_shape
    known = {sdk_name(member) for member in shape.members} if shape else set()
    for name in arguments if isinstance(arguments, dict) else ():
        if name not in known:
            yield (
                f'SCHEMA_VALIDATION_FAILED: The field "{name}" is not supported by Step Functions at {place}/Arguments'
            )


@functools.cache
def _operation(task: str) -> tuple[str, ServiceModel, OperationModel] | None:
    """botocore's name of the service, and its models; None for what is no task."""
    service, _, action = task.partition(":")
    names = {name.replace("-", ""): name for name in botocore.session.get_session().get_available_services()}
    name = _BOTOCORE_NAMES.get(service, names.get(service, ""))
    if not name or not re.fullmatch("[a-z][A-Za-z0-9]*", action):
        return None
    model = service_model(name)
    if re.sub("[^a-z0-9]", "", str(model.service_id).lower()) != service:
        return None
    wanted = action[0].upper() + action[1:]
    operation = next((each for each in model.operation_names if sdk_name(each) == sdk_name(wanted)), None)
    return (name, model, model.operation_model(operation)) if operation else None


def _client(name: str, credentials: identity.Credentials, region: str) -> Any:
    """A client for one execution, which calls the same few services."""
    key = (f"{name} {region}", credentials.access_key_id)
    with _clients_lock:
        found = _clients.get(key)
        if found is None:
            if len(_clients) > _MANY_CLIENTS:
                _clients.clear()
            found = _clients[key] = identity.client(name, credentials, region)
    return found


def _request(shape: Shape | None, value: Any, path: str) -> Any:
    """Arguments with the API's own names; the keys of a map are data. Raises TaskError for an unknown name."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        names = {sdk_name(member): member for member in shape.members}
        for name in value:
            # A value of DynamoDB may be written as DynamoDB writes it.
            if name not in names and not (shape.name == "AttributeValue" and name in shape.members):
                raise TaskError("States.Runtime", f'The field "{path}{name}" is not supported by Step Functions')
        return {
            names.get(name, name): _request(shape.members[names.get(name, name)], item, f"{path}{name}.")
            for name, item in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_request(shape.member, item, path) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _request(shape.value, item, path) for key, item in value.items()}
    if shape is not None and shape.type_name == "blob" and isinstance(value, str):
        return value.encode()
    return value


def _answer(shape: Shape | None, value: Any) -> Any:
    """A result with the SDK's names: times are ISO 8601, what is bytes is text, and nothing is null."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            sdk_name(name): _answer(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [_answer(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _answer(shape.value, item) for key, item in value.items()}
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(timespec="milliseconds" if value.microsecond else "seconds")
        return text.replace("+00:00", "Z")
    if hasattr(value, "read"):
        value = value.read()
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _prefix(model: ServiceModel) -> str:
    return sdk_name(str(model.service_id))


def _failure(model: ServiceModel, operation: OperationModel, error: ClientError) -> TaskError:
    """The exception of the SDK's class: one that the operation knows by its name, any other as the service's."""
    details, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    # SQS says two: that of the protocol it once had, and its own.
    code = str(details.get("QueryErrorCode") or details.get("Code", "")).rpartition("#")[2]
    prefix = _prefix(model)
    name = f"{prefix}Exception"
    for shape in model.error_shapes:
        if code in (shape.error_code, shape.name):
            name = re.sub("(Fault|Exception)$", "", sdk_name(shape.name)) + "Exception"
            break
    words = f"Service: {prefix}, Status Code: {meta.get('HTTPStatusCode')}, Request ID: {meta.get('RequestId')}"
    return TaskError(f"{prefix}.{name}", f"{details.get('Message', code)} ({words})")
