# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SNS: what it takes, who hears of it, and where a message goes that its subscriber does not take."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import re
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ministack.core.responses import request_scope
from ministack.services import sns

from local_aws import chatbot, identity, kms_use, process, service_principals
from local_aws.aws_json import AwsError
from local_aws.service_principals import Refused

logger = logging.getLogger("local_aws")

_PRINCIPAL = "sns.amazonaws.com"
_SUBJECT = re.compile(r"[!-~][ -~]{0,99}")
_HTTP = ("http", "https")
_RETRIES, _RETRY_SECONDS = 3, 20  # AWS's for HTTP, unless a delivery policy says otherwise
_TIMEOUT_SECONDS = 15
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Delivery:
    """A message on its way to a subscriber: body as it is delivered, attributes those of raw delivery to a queue."""

    topic_arn: str
    subscription: dict[str, Any]
    message_id: str
    body: str
    raw: bool
    attributes: dict[str, Any]
    group: str
    deduplication: str


def apply() -> None:
    """Install it in MiniStack."""
    _publications()
    _subscriptions()
    _links()
    sns._fanout = _fanout


def _publications() -> None:
    """Publish refuses what AWS refuses, and under a customer's key whoever may not use that key."""
    original: Callable[[Any], Any] = sns._publish

    def publish(params: Any) -> Any:
        try:
            _check_message(params)
        except AwsError as error:
            return sns._error(error.code, error.message, error.status)
        return original(params)

    sns._publish = publish


def _check_message(params: Any) -> None:
    message, subject = sns._p(params, "Message"), sns._p(params, "Subject")
    if not message:
        raise AwsError("InvalidParameter", "Invalid parameter: Empty message")
    if subject and not _SUBJECT.fullmatch(subject):
        raise AwsError("InvalidParameter", "Invalid parameter: Subject")
    if sns._p(params, "MessageStructure") == "json":
        _check_structure(message)
    for name, value in sns._parse_message_attributes(params).items():
        if not value.get("StringValue") and not value.get("BinaryValue"):
            raise AwsError(
                "ParameterValueInvalid",
                f"The message attribute '{name}' must contain non-empty message attribute value for message attribute "
                f"type '{value.get('DataType')}'.",
            )
    topic = sns._topic_by_arn_any_scope(sns._p(params, "TopicArn") or sns._p(params, "TargetArn")) or {}
    key = topic.get("attributes", {}).get("KmsMasterKeyId", "")
    if key and "alias/aws/" not in key:
        for action in ("GenerateDataKey", "Decrypt"):
            try:
                kms_use._check("sns", action, key, {"aws:sns:topicArn": topic["arn"]})
            except AwsError as error:
                code = error.code.removeprefix("KMS.") if error.code.startswith("KMS.") else "AccessDeniedException"
                raise AwsError(f"KMS{code.removeprefix('KMS').removesuffix('Exception')}", error.message) from error


def _check_structure(message: str) -> None:
    start = "Invalid parameter: Message Structure - "
    try:
        parts = json.loads(message)
    except ValueError:
        raise AwsError("InvalidParameter", f"{start}JSON message body failed to parse") from None
    if not isinstance(parts, dict) or not isinstance(parts.get("default"), str):
        raise AwsError("InvalidParameter", f"{start}No default entry in JSON message body")


def _subscriptions() -> None:
    """Attributes are checked; who asks once more for a subscription that waits gets another request to confirm it."""
    subscribe: Callable[[Any], Any] = sns._subscribe
    change: Callable[[Any], Any] = sns._set_subscription_attributes

    def subscribed(params: Any) -> Any:
        given: dict[str, str] = {}
        while name := sns._p(params, f"Attributes.entry.{len(given) + 1}.key"):
            given[name] = sns._p(params, f"Attributes.entry.{len(given) + 1}.value") or ""
        topic = sns._topics.get(sns._p(params, "TopicArn")) or {"subscriptions": []}
        wanted = (sns._p(params, "Protocol"), sns._p(params, "Endpoint"))
        same = [each for each in topic["subscriptions"] if (each["protocol"], each["endpoint"]) == wanted]
        try:
            for name, value in given.items():
                _check_attribute(name, value)
            if any(not _alike(each["attributes"].get(name, ""), given[name]) for each in same for name in given):
                raise AwsError(
                    "InvalidParameter",
                    "Invalid parameter: Attributes Reason: Subscription already exists with different attributes",
                )
        except AwsError as error:
            return sns._error(error.code, error.message, error.status)
        for each in same:
            if not each["confirmed"] and each["protocol"] in _HTTP:
                _in_the_background(_ask_again, topic["arn"], each)
        return subscribe(params)

    def changed(params: Any) -> Any:
        try:
            _check_attribute(sns._p(params, "AttributeName"), sns._p(params, "AttributeValue") or "")
        except AwsError as error:
            return sns._error(error.code, error.message, error.status)
        return change(params)

    sns._subscribe, sns._set_subscription_attributes = subscribed, changed


def _ask_again(topic_arn: str, subscription: dict[str, Any]) -> None:
    asyncio.run(sns._send_subscription_confirmation(topic_arn, subscription))


def _alike(one: str, other: str) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return one == other


def _check_attribute(name: str, value: str) -> None:
    """Raises AwsError for a policy that is none. An empty one takes the policy away."""
    if name not in ("FilterPolicy", "RedrivePolicy") or value in ("", "{}"):
        return
    try:
        policy = json.loads(value)
    except ValueError:
        raise AwsError("InvalidParameter", f"Invalid parameter: {name}: failed to parse JSON.") from None
    if not isinstance(policy, dict):
        raise AwsError("InvalidParameter", f"Invalid parameter: {name}: it is no JSON object")
    if name == "RedrivePolicy" and not str(policy.get("deadLetterTargetArn", "")).startswith("arn:aws:sqs:"):
        raise AwsError("InvalidParameter", "Invalid parameter: RedrivePolicy: deadLetterTargetArn is not valid")
    if name == "FilterPolicy" and any(not isinstance(rules, (list, dict)) for rules in policy.values()):
        raise AwsError("InvalidParameter", "Invalid parameter: FilterPolicy: Match value must be an object or an array")


def _links() -> None:
    """The links in messages lead here, and no proxy of this machine is asked on the way to a subscriber."""
    confirmed: Callable[[Any], Any] = sns._confirm_subscription
    here = urlsplit(identity.endpoint_url())
    sns._HOST, sns._PORT = here.hostname, here.port

    def post(endpoint: str, payload: str, kind: str) -> int:
        told = json.loads(payload)
        headers = {"x-amz-sns-message-id": told["MessageId"], "x-amz-sns-topic-arn": told["TopicArn"]}
        return _post(endpoint, payload, {"x-amz-sns-message-type": kind, **headers})

    def confirm(params: Any) -> Any:
        parts = sns._p(params, "TopicArn").split(":")
        if kms_use.request_key.get() or len(parts) != 6:
            return confirmed(params)
        with request_scope(parts[4], parts[3]):  # a link is not signed, and says by its topic where it leads
            return confirmed(params)

    sns._http_post_sync, sns._confirm_subscription = post, confirm


def _post(endpoint: str, payload: str, headers: dict[str, str]) -> int:
    """The status of a 2xx answer. Raises OSError, urllib.error.HTTPError for every other answer."""
    everything = {"Content-Type": "text/plain; charset=UTF-8", "User-Agent": "Amazon Simple Notification Service Agent"}
    request = urllib.request.Request(endpoint, payload.encode(), everything | headers, method="POST")
    with _opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
        return int(answer.status)


def _fanout(
    topic_arn: str,
    message_id: str,
    message: str,
    subject: str,
    message_structure: str = "",
    message_attributes: dict[str, Any] | None = None,
    message_group_id: str = "",
    message_dedup_id: str = "",
) -> None:
    """Every subscription that is confirmed, and whose filter lets the message through, gets it in its own form."""
    topic = sns._topic_by_arn_any_scope(topic_arn)
    attributes = message_attributes or {}
    for subscription in list(topic["subscriptions"]) if topic else []:
        protocol = subscription["protocol"]
        text = sns._resolve_message_for_protocol(message, message_structure, protocol)
        if not subscription["confirmed"] or not sns._matches_filter_policy(subscription, attributes, text):
            continue
        raw = subscription["attributes"].get("RawMessageDelivery") == "true" and protocol in ("sqs", *_HTTP)
        body = sns._build_envelope(topic_arn, message_id, text, subject, attributes, raw)
        delivery = Delivery(
            topic_arn,
            subscription,
            message_id,
            body,
            raw,
            attributes if raw else {},
            message_group_id,
            message_dedup_id,
        )
        if protocol == "sqs":
            _to_queue(delivery)
        elif protocol in _HTTP:
            _in_the_background(_to_endpoint, delivery)
        elif protocol == "lambda":
            function = (subscription["endpoint"], body, topic_arn, subscription["arn"], message_id, text, attributes)
            _in_the_background(sns._deliver_to_lambda, *function)
        else:
            logger.info("SNS has no %s here: %s", protocol, subscription["endpoint"])


def _in_the_background(call: Callable[..., None], *arguments: Any) -> None:
    """As on AWS whoever publishes does not wait for the subscribers."""
    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(call, *arguments), daemon=True, name="sns").start()


def _to_queue(delivery: Delivery) -> None:
    more = {"group_id": delivery.group or None, "dedup_id": delivery.deduplication or None}
    try:
        service_principals.send(
            delivery.subscription["endpoint"],
            _PRINCIPAL,
            delivery.topic_arn,
            delivery.body,
            delivery.attributes,
            **more,
        )
    except Refused as error:
        _give_up(delivery, error.code, error.message)


def _to_endpoint(delivery: Delivery) -> None:
    """HTTP as the delivery policy says. What a server refuses with 4xx is not tried again, but for 429."""
    endpoint = delivery.subscription["endpoint"]
    if endpoint == chatbot.ENDPOINT:
        asyncio.run(sns._deliver_to_http(endpoint, delivery.body))
        return
    headers = {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": delivery.message_id,
        "x-amz-sns-topic-arn": delivery.topic_arn,
        "x-amz-sns-subscription-arn": delivery.subscription["arn"],
        **({"x-amz-sns-rawdelivery": "true"} if delivery.raw else {}),
    }
    tries, seconds = _retries(delivery.subscription)
    while True:
        try:
            _post(endpoint, delivery.body, headers)
            return
        except urllib.error.HTTPError as error:
            code, message = str(error.code), f"the endpoint answers HTTP {error.code}"
            tries = tries if error.code >= 500 or error.code == 429 else 0
        except OSError as error:
            code, message = "CONNECTION_FAILURE", f"the endpoint does not answer: {error}"
        if tries <= 0:
            break
        tries -= 1
        time.sleep(seconds * process.minute_seconds() / 60)
    _give_up(delivery, code, message)


def _retries(subscription: dict[str, Any]) -> tuple[int, float]:
    try:
        policy = json.loads(subscription["attributes"].get("DeliveryPolicy") or "{}").get("healthyRetryPolicy") or {}
    except ValueError:
        policy = {}
    return int(policy.get("numRetries", _RETRIES)), float(policy.get("minDelayTarget", _RETRY_SECONDS))


def _give_up(delivery: Delivery, code: str, message: str) -> None:
    """What cannot be delivered goes to the dead-letter queue of the subscription, if there is one."""
    subscription = delivery.subscription
    logger.warning(
        "topic %s does not reach %s %s: %s",
        delivery.topic_arn,
        subscription["protocol"],
        subscription["endpoint"],
        message,
    )
    try:
        queue = json.loads(subscription["attributes"].get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    except ValueError:
        queue = None
    if not queue:
        return
    why = {"RequestID": str(uuid.uuid4()), "ErrorCode": code, "ErrorMessage": message}
    try:
        service_principals.send(queue, _PRINCIPAL, delivery.topic_arn, delivery.body, {**delivery.attributes, **why})
    except Refused as error:
        logger.warning("topic %s has no use of its dead-letter queue: %s", delivery.topic_arn, error.message)
