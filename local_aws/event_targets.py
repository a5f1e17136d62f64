# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge rules whose target is a pipeline, a state machine, an API destination, a queue, or a topic.

The first three are called as the target's role, the others where their policy lets EventBridge. What fails for a while
is tried again as the target's retry policy says; what fails for good goes to the target's dead-letter queue.
"""

from __future__ import annotations

import contextvars
import functools
import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import eventbridge, sns

from local_aws import api_destinations, identity, kms_use, process, service_principals
from local_aws.aws_json import AwsError, authorize, authorize_pass_role, caller_of, service_model, validate
from local_aws.codepipeline.service import SERVICE
from local_aws.service_principals import Refused

logger = logging.getLogger("local_aws")

_PRINCIPAL = "events.amazonaws.com"
_LONGEST_WAIT_SECONDS = 60
_AGAIN = (401, 407, 409, 429)
_NEED_A_ROLE = ("pipeline", "state machine", "API destination")
_PLACEHOLDER = re.compile(r"<([^<>]+)>")
_PATH_PART = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True)
class Delivery:
    """An event on its way to a target: event is what was sent, payload what the target is to get of it."""

    rule: dict[str, Any]
    target: dict[str, Any]
    event: str
    event_id: str
    payload: str

    @property
    def rule_arn(self) -> str:
        return str(self.rule["Arn"])

    @property
    def arn(self) -> str:
        return str(self.target["Arn"])


class Failed(Exception):
    """A try that failed; again says whether another may do better."""

    def __init__(self, code: str, message: str, again: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.again = again


def apply() -> None:
    """Install the targets in MiniStack, and what PutTargets asks of them."""
    _delivery()
    _checks()
    _https_only()


def _delivery() -> None:
    original = eventbridge._invoke_target

    def invoke(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        kind = _kind(str(target.get("Arn", "")))
        # The scheduler uses this function, too, and is another principal.
        if not kind or not str((rule or {}).get("Arn", "")).startswith("arn:aws:events:"):
            original(target, event, rule, view)
            return
        seen = (view or eventbridge._pattern_event_view(event)).event_with_detail()
        try:
            payload = _content(target, rule, view or eventbridge._pattern_event_view(event), kind)
        except ValueError:
            payload = None
        text = json.dumps(seen, ensure_ascii=False)
        delivery = Delivery(rule, target, text, str(seen.get("id", "")), payload or "")
        send = _SENDERS[kind]
        if payload is None:
            _give_up(delivery, Failed("INVALID_JSON", "the input template makes no JSON of the event"), "")
        elif kind in _NEED_A_ROLE:
            # As on AWS whoever sends the event does not wait for what it leads to.
            context = contextvars.copy_context()
            threading.Thread(
                target=context.run, args=(_deliver, delivery, send), daemon=True, name="event-target"
            ).start()
        else:
            _deliver(delivery, send)

    eventbridge._invoke_target = invoke


def _kind(arn: str) -> str:
    """What a target is; "" for what is left to MiniStack."""
    service, resource = ([*arn.split(":", 5), "", "", "", "", ""])[2:6:3]
    if service == "events":
        return "API destination" if resource.startswith("api-destination/") else ""
    return {"codepipeline": "pipeline", "states": "state machine", "sqs": "queue", "sns": "topic"}.get(service, "")


def _content(target: dict[str, Any], rule: dict[str, Any], view: Any, kind: str) -> str:
    """What the rule sends. The event itself says nothing to a pipeline. Raises ValueError for what is no JSON."""
    if transformer := target.get("InputTransformer"):
        found = _transformed(transformer, rule, view)
        if transformer.get("InputTemplate", "").lstrip().startswith("{"):
            json.loads(found)
        return found
    if target.get("Input"):
        return str(target["Input"])
    event = view.event_with_detail()
    if target.get("InputPath"):
        return json.dumps(_at(target["InputPath"], event), ensure_ascii=False)
    return "{}" if kind == "pipeline" else json.dumps(event, ensure_ascii=False)


def _transformed(transformer: dict[str, Any], rule: dict[str, Any], view: Any) -> str:
    """The template with its variables; a path may have an index, and what a value says is no variable."""
    event = view.event_with_detail()
    values = {name: _at(path, event) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    own = {
        "rule-name": rule.get("Name", ""),
        "rule-arn": rule.get("Arn", ""),
        "event": view.envelope(),
        "event.json": event,
        "event.ingestion-time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    values = {name: "" if value is None else value for name, value in values.items()}
    values |= {f"aws.events.{name}": value for name, value in own.items()}
    return str(eventbridge._render_input_template(transformer["InputTemplate"], values))


def _at(path: str, event: Any) -> Any:
    """What is at a path such as $.detail.names[0]; null where nothing is."""
    found = event
    for name, index in _PATH_PART.findall(path.removeprefix("$")):
        if name:
            found = found.get(name) if isinstance(found, dict) else None
        else:
            found = found[int(index)] if isinstance(found, list) and int(index) < len(found) else None
    return found


def _deliver(delivery: Delivery, send: Callable[[Delivery], None]) -> None:
    """Try until it works, or may not be tried any more. Seconds are those of local AWS's minutes."""
    policy = delivery.target.get("RetryPolicy") or {}
    second = process.minute_seconds() / 60
    tries, end = 0, time.monotonic() + policy.get("MaximumEventAgeInSeconds", 86400) * second
    while True:
        try:
            if delivery.arn.split(":")[3:5] != [get_region(), get_account_id()]:
                raise Failed("NO_RESOURCE", "targets of another region or account are not part of local AWS")
            send(delivery)
            return
        except Failed as error:
            failure = error
        except Refused as error:
            failure = Failed(error.code, error.message)
        except Exception as error:
            logger.exception("rule %s does not reach %s", delivery.rule_arn, delivery.arn)
            failure = Failed("INTERNAL_ERROR", str(error))
        wait = min(2**tries, _LONGEST_WAIT_SECONDS) * second
        exhausted = ""
        if failure.again and tries >= policy.get("MaximumRetryAttempts", 185):
            exhausted = "MaximumRetryAttempts"
        elif failure.again and time.monotonic() + wait > end:
            exhausted = "MaximumEventAgeInSeconds"
        elif failure.again:
            time.sleep(wait)
            tries += 1
            continue
        _give_up(delivery, failure, exhausted)
        return


def _give_up(delivery: Delivery, failure: Failed, exhausted: str) -> None:
    """AWS counts what fails as FailedInvocations of the rule; local AWS logs it. A dead-letter queue gets the event."""
    kind = _kind(delivery.arn)
    verb = {"pipeline": "start", "state machine": "start", "topic": "tell"}.get(kind, "reach")
    name = delivery.arn.rpartition(":")[2] if kind == "pipeline" else delivery.arn
    logger.warning("rule %s does not %s %s %s: %s", delivery.rule_arn, verb, kind, name, failure.message)
    queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue:
        return
    attributes = {
        "RULE_ARN": delivery.rule_arn,
        "TARGET_ARN": delivery.arn,
        "ERROR_CODE": failure.code,
        "ERROR_MESSAGE": failure.message,
    }
    if exhausted:
        attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
    try:
        service_principals.send(queue, _PRINCIPAL, delivery.rule_arn, delivery.event, attributes)
    except Refused as error:
        logger.warning("rule %s has no use of its dead-letter queue: %s", delivery.rule_arn, error.message)


def _role(delivery: Delivery) -> identity.Credentials:
    try:
        return identity.assume_service_role(
            delivery.target.get("RoleArn", ""),
            _PRINCIPAL,
            "local-aws-events",
            source_arn=delivery.rule_arn,
            source_account=delivery.rule_arn.split(":")[4],
        )
    except AwsError as error:
        raise Failed("FAILED_TO_ASSUME_ROLE", str(error)) from error


def _of_call(error: Exception) -> Failed:
    """How a call to the target failed."""
    response = getattr(error, "response", {})
    code = response.get("Error", {}).get("Code", "") or getattr(error, "code", "")
    if "AccessDenied" in code or "NotAuthorized" in code:
        return Failed("NO_PERMISSIONS", str(error))
    if code.endswith(("DoesNotExist", "NotFoundException")):
        return Failed("NO_RESOURCE", str(error))
    if "Throttl" in code or response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
        return Failed("ERROR_FROM_TARGET", str(error), again=not isinstance(error, (AwsError, ValueError)))
    return Failed("INVALID_PARAMETER", str(error))


def _to_pipeline(delivery: Delivery) -> None:
    region, _account_id, name = delivery.arn.split(":")[3:6]
    role = _role(delivery)
    try:
        content = json.loads(delivery.payload)
        client = identity.client("codepipeline", role, region)
        SERVICE.start_for_rule(delivery.rule_arn, name, content if isinstance(content, dict) else {}, client)
    except (AwsError, BotoCoreError, ClientError, ValueError) as error:
        raise _of_call(error) from error


def _to_machine(delivery: Delivery) -> None:
    client = identity.client("stepfunctions", _role(delivery), get_region())
    try:
        client.start_execution(
            stateMachineArn=delivery.arn, name=f"{delivery.event_id}_{uuid.uuid4()}", input=delivery.payload
        )
    except (BotoCoreError, ClientError) as error:
        raise _of_call(error) from error


def _to_destination(delivery: Delivery) -> None:
    name = delivery.arn.split("/")[1]
    destination = eventbridge._api_destinations.get(name)
    if destination is None or destination["ApiDestinationArn"] != delivery.arn:
        raise Failed("NO_RESOURCE", f"the API destination {delivery.arn} does not exist")
    try:
        caller = identity.caller(_role(delivery), get_region())
        authorize(caller, "events:InvokeApiDestination", delivery.arn)
    except AwsError as error:
        raise Failed("NO_PERMISSIONS", str(error)) from error
    connection = api_destinations.connection_of(destination)
    if connection is None or connection.get("ConnectionState") != "AUTHORIZED":
        raise Failed("NO_PERMISSIONS", f"the connection of API destination {name} is not authorized")
    status = _post(destination, connection, delivery)
    if not 200 <= status < 300:
        again = status in _AGAIN or status >= 500
        raise Failed("SDK_CLIENT_ERROR", f"the endpoint of API destination {name} answers HTTP {status}", again)


def _post(destination: dict[str, Any], connection: dict[str, Any], delivery: Delivery) -> int:
    """The status that the endpoint answers. Raises Failed when it does not answer."""
    event = json.loads(delivery.event)
    parameters = eventbridge._resolve_http_parameters(delivery.target.get("HttpParameters") or {}, event)
    token = (get_account_id(), get_region(), connection["Name"])
    try:
        request = eventbridge._build_api_destination_request(destination, connection, parameters, delivery.payload)
        authorization = eventbridge._connection_auth_headers(connection, token)
        status = int(eventbridge._api_destination_send_sync(request, authorization))
        if status in (401, 407) and connection.get("AuthorizationType") == "OAUTH_CLIENT_CREDENTIALS":
            authorization = eventbridge._connection_auth_headers(connection, token, force_refresh=True)
            status = int(eventbridge._api_destination_send_sync(request, authorization))
    except (OSError, ValueError) as error:
        message = f"the endpoint of API destination {destination['Name']} does not answer: {error}"
        raise Failed("CONNECTION_FAILURE", message, again=True) from error
    return status


def _to_queue(delivery: Delivery) -> None:
    group = (delivery.target.get("SqsParameters") or {}).get("MessageGroupId")
    if group or delivery.arn.endswith(".fifo"):
        spec = eventbridge.parse_arn(delivery.arn)
        eventbridge._dispatch_to_sqs(spec, delivery.payload, delivery.target.get("SqsParameters"))
        return
    service_principals.send(delivery.arn, _PRINCIPAL, delivery.rule_arn, delivery.payload)


def _to_topic(delivery: Delivery) -> None:
    """As on AWS, what a condition of the topic's policy asks for is not there."""
    topic = sns._topic_by_arn_any_scope(delivery.arn)
    if topic is None:
        raise Failed("NO_RESOURCE", "the topic does not exist")
    attributes = topic["attributes"]
    if not service_principals.may(attributes.get("Policy"), _PRINCIPAL, "sns:Publish", delivery.arn, {}):
        raise Failed("NO_PERMISSIONS", "the topic's policy does not let it")
    keys = service_principals.source(delivery.rule_arn)
    if not service_principals.may_use_key(attributes.get("KmsMasterKeyId", ""), _PRINCIPAL, keys):
        raise Failed("NO_PERMISSIONS", "the policy of the topic's key does not let it")
    try:
        sns.publish_internal(delivery.arn, delivery.payload)
    except sns.SnsPublishError as error:
        raise Failed("INVALID_PARAMETER", str(error)) from error


_SENDERS: dict[str, Callable[[Delivery], None]] = {
    "pipeline": _to_pipeline,
    "state machine": _to_machine,
    "API destination": _to_destination,
    "queue": _to_queue,
    "topic": _to_topic,
}


def _checks() -> None:
    original: Callable[[dict[str, Any]], Any] = eventbridge._put_targets
    operation = service_model("events").operation_model("PutTargets")

    def put_targets(data: dict[str, Any]) -> Any:
        try:
            validate(operation, data, "ValidationException")
            for target in data["Targets"]:
                _check(target)
        except AwsError as error:
            return error_response_json(error.code, error.message, 400)
        return original(data)

    eventbridge._put_targets = put_targets


def _check(target: dict[str, Any]) -> None:
    """Raises AwsError where a target lacks something, or may not have it from this caller."""
    arn, role = target["Arn"], target.get("RoleArn")
    if _kind(arn) in _NEED_A_ROLE and not role:
        raise AwsError("ValidationException", f"RoleArn is required for target {arn}.")
    transformer = target.get("InputTransformer") or {}
    known = transformer.get("InputPathsMap") or {}
    for name in _PLACEHOLDER.findall(transformer.get("InputTemplate", "")):
        if name not in known and not name.startswith("aws.events."):
            message = f"InputTemplate for target {target['Id']} contains invalid placeholder {name}."
            raise AwsError("ValidationException", message)
    letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if letters and (not letters.startswith("arn:aws:sqs:") or letters.endswith(".fifo")):
        raise AwsError("ValidationException", f"Parameter {letters} is not valid. Reason: it is no standard queue.")
    if role and kms_use.request_key.get():
        authorize_pass_role(caller_of(kms_use.request_key.get(), get_region()), role, _PRINCIPAL)


def _https_only() -> None:
    """The endpoint of an API destination is called by HTTPS, and by no proxy of this machine."""

    def checked(original: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        @functools.wraps(original)
        def call(request: dict[str, Any]) -> Any:
            endpoint = str(request.get("InvocationEndpoint", "https:"))
            if not endpoint.lower().startswith("https:"):
                message = f"Parameter {endpoint} is not valid. Reason: InvocationEndpoint must use HTTPS."
                return error_response_json("ValidationException", message, 400)
            return original(request)

        return call

    eventbridge._create_api_destination = checked(eventbridge._create_api_destination)
    eventbridge._update_api_destination = checked(eventbridge._update_api_destination)
    request = eventbridge.urllib.request
    eventbridge._api_dest_opener = request.build_opener(eventbridge._NoFollowRedirect(), request.ProxyHandler({}))
