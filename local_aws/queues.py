# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SQS refuses in the settings of a queue, which encryption a queue has, and when a deleted one's name is free."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import sqs

from local_aws import kms_use, process
from local_aws.aws_json import AwsError, authorize, caller_of

Request = dict[str, Any]
Handler = Callable[[Request, str], Any]

_SETTABLE = {
    *("ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoQueue", "FifoThroughputLimit"),
    *("KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize", "MessageRetentionPeriod", "Policy"),
    *("ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled"),
    "VisibilityTimeout",
}

_deleted: dict[tuple[str, str, str], float] = {}  # account, region and name -> when, by the monotonic clock


def apply() -> None:
    """Install it in MiniStack."""
    create: Handler = sqs._HANDLERS["CreateQueue"]
    change: Handler = sqs._HANDLERS["SetQueueAttributes"]
    delete: Handler = sqs._HANDLERS["DeleteQueue"]

    def create_queue(request: Request, url: str) -> Any:
        name, attributes = str(request.get("QueueName", "")), request.get("Attributes") or {}
        _check_name(name)
        _check(attributes)
        if request.get("tags") or request.get("Tags"):
            _may_tag(name)
        new = sqs._queue_name_to_url.get(name) is None
        if new:
            _check_deleted(name)
        answer = create(request, url)
        if new:
            _encrypt(answer["QueueUrl"], {"SqsManagedSseEnabled": "true"} | _without_default(attributes))
        return answer

    def set_queue_attributes(request: Request, url: str) -> Any:
        attributes = request.get("Attributes") or {}
        _check(attributes)
        answer = change(request, url)
        _encrypt(request.get("QueueUrl", url), attributes)
        return answer

    def delete_queue(request: Request, url: str) -> Any:
        answer = delete(request, url)
        _deleted[_place(str(request.get("QueueUrl", url)).rpartition("/")[2])] = time.monotonic()
        return answer

    sqs._HANDLERS.update(CreateQueue=create_queue, SetQueueAttributes=set_queue_attributes, DeleteQueue=delete_queue)


def _place(name: str) -> tuple[str, str, str]:
    return get_account_id(), get_region(), name


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.fifo)?", name) or len(name) > 80:
        message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        raise sqs._Err("InvalidParameterValue", message)


def _check_deleted(name: str) -> None:
    """AWS gives a name free a minute after the deletion."""
    if time.monotonic() - _deleted.get(_place(name), float("-inf")) < process.minute_seconds():
        message = "You must wait 60 seconds after deleting a queue before you can create another with the same name."
        raise sqs._Err("QueueDeletedRecently", message)


def _check(attributes: dict[str, Any]) -> None:
    for name in attributes:
        if name not in _SETTABLE:
            raise sqs._Err("InvalidAttributeName", f"Unknown Attribute {name}.")
    if attributes.get("KmsMasterKeyId") and attributes.get("SqsManagedSseEnabled") == "true":
        message = (
            "You can use one type of server-side encryption (SSE) at one time. "
            "You can either enable KMS SSE or SQS SSE."
        )
        raise sqs._Err("InvalidAttributeValue", message)
    if attributes.get("Policy"):
        try:
            whole = "Statement" in json.loads(attributes["Policy"])
        except (TypeError, ValueError):
            whole = False
        if not whole:
            raise sqs._Err("InvalidAttributeValue", "Invalid value for the parameter Policy.")


def _may_tag(name: str) -> None:
    """Tags of a new queue are a permission of their own."""
    if not kms_use.request_key.get():
        return
    arn = f"arn:aws:sqs:{get_region()}:{get_account_id()}:{name}"
    try:
        authorize(caller_of(kms_use.request_key.get(), get_region()), "sqs:TagQueue", arn)
    except AwsError as error:
        raise sqs._Err("AccessDenied", error.message, 403) from error


def _without_default(attributes: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, and no more: a key takes the place of the encryption that a new queue has by itself."""
    return attributes | ({"SqsManagedSseEnabled": "false"} if attributes.get("KmsMasterKeyId") else {})


def _encrypt(url: str, given: dict[str, Any]) -> None:
    """One encryption takes the other's place, and what is empty is no attribute."""
    attributes = sqs._get_q(url)["attributes"]
    if given.get("KmsMasterKeyId"):
        attributes["SqsManagedSseEnabled"] = "false"
        attributes.setdefault("KmsDataKeyReusePeriodSeconds", "300")
    elif "SqsManagedSseEnabled" in given:
        attributes["SqsManagedSseEnabled"] = given["SqsManagedSseEnabled"]
        if given["SqsManagedSseEnabled"] == "true":
            attributes.pop("KmsMasterKeyId", None)
    if not attributes.get("KmsMasterKeyId"):
        for name in ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"):
            attributes.pop(name, None)
