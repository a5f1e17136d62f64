# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services of local AWS tell EventBridge, and whoever else listens."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import eventbridge

logger = logging.getLogger("local_aws")


@dataclass(frozen=True)
class Event:
    """One event, as `publish` takes it."""

    source: str
    detail_type: str
    detail: dict[str, Any]
    resources: list[str]
    account_id: str
    region: str


_listeners: list[Callable[[Event], None]] = []


def listen(listener: Callable[[Event], None]) -> None:
    """Call a function with every event of a service, after EventBridge has it."""
    _listeners.append(listener)


def publish(
    source: str, detail_type: str, detail: dict[str, Any], resources: list[str], account_id: str, region: str
) -> None:
    """Put one event on the account's default bus as an AWS service does (source such as "aws.codepipeline").

    Never raises: on AWS a rule's broken target does not touch the service that sent the event.
    """
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": resources}
    try:
        with request_scope(account_id, region):
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    except Exception:
        logger.exception("event %s of %s was not delivered", detail_type, source)
    for listener in _listeners:
        try:
            listener(Event(source, detail_type, detail, resources, account_id, region))
        except Exception:
            logger.exception("event %s of %s was not heard", detail_type, source)
