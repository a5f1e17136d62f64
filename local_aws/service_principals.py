# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AWS service may do by a resource's own policy, and the messages that it puts into queues by that right."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.concurrency import esm_wake
from ministack.core.responses import get_region, new_uuid
from ministack.services import kms, sqs

# Their policies know the principals of the account, and no service.
_AWS_KEYS = "alias/aws/"


class Refused(Exception):
    """What a service may not do, or where it finds nothing; code is one of EventBridge's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def may(policy: Any, principal: str, action: str, resource: str, source: dict[str, str]) -> bool:
    """Whether a resource's policy lets a service act; source are the keys aws:sourcearn and aws:sourceaccount."""
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context=source,
    )
    return bool(iam_evaluator.evaluate_resource_policy(policy, context, service=principal).decision == "Allow")


def may_use_key(key_id: str, principal: str, source: dict[str, str]) -> bool:
    """Whether a service may encrypt with the key of a topic or a queue; "" is none, or SQS's own."""
    if not key_id:
        return True
    key = None if _AWS_KEYS in key_id else kms._resolve_key(key_id)
    actions = ("kms:GenerateDataKey", "kms:Decrypt")
    return key is not None and all(
        may(key.get("Policy"), principal, action, str(key["Arn"]), source) for action in actions
    )


def source(arn: str) -> dict[str, str]:
    """The condition keys of a service that acts for a resource."""
    account_id = arn.split(":")[4]
    return {"aws:sourcearn": arn, "aws:sourceaccount": account_id, "aws:sourceowner": account_id}


def send(
    queue_arn: str, principal: str, for_arn: str, body: str, attributes: dict[str, Any] | None = None, **more: Any
) -> None:
    """Put a message into a queue as a service does. Raises Refused NO_RESOURCE and NO_PERMISSIONS.

    attributes are text, or as SQS has them; more are members of MiniStack's message, such as those of a FIFO queue.
    """
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        raise Refused("NO_RESOURCE", f"the queue {queue_arn} does not exist")
    keys = source(for_arn)
    if not may(queue["attributes"].get("Policy"), principal, "sqs:SendMessage", queue_arn, keys):
        raise Refused("NO_PERMISSIONS", f"{principal} may not sqs:SendMessage to {queue_arn}")
    if not may_use_key(queue["attributes"].get("KmsMasterKeyId", ""), principal, keys):
        raise Refused("NO_PERMISSIONS", f"{principal} may not use the key of {queue_arn}")
    now = time.time()
    typed = {
        name: {"DataType": "String", "StringValue": value} if isinstance(value, str) else value
        for name, value in (attributes or {}).items()
    }
    message = {
        "id": new_uuid(),
        "body": body,
        "md5_body": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "message_attributes": typed,
        "md5_attrs": sqs._md5_msg_attrs(typed),
        "sent_at": now,
        "visible_at": now + sqs.queue_delay(queue),
        **more,
    }
    sqs._ensure_msg_fields(message)

    def put() -> None:
        queue["messages"].append(message)
        esm_wake.set()

    on_loop(put)


def on_loop(change: Callable[[], None]) -> None:
    """Change what MiniStack keeps where it changes it itself: in the thread that serves requests."""
    loop = app._MAIN_LOOP
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if loop is None or running is loop:
        change()
    else:
        loop.call_soon_threadsafe(change)
