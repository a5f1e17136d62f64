# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge Scheduler: a schedule starts a pipeline as its own role; its rate counts local AWS's minutes."""

from __future__ import annotations

import json
import logging
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from ministack.core.responses import get_region
from ministack.services import eventbridge, scheduler

from local_aws import acted_on, identity, kms_use, process
from local_aws.acted_on import Call
from local_aws.aws_json import AwsError, authorize_pass_role, caller_of

logger = logging.getLogger("local_aws")

_PRINCIPAL = "scheduler.amazonaws.com"
_SWEEP_SECONDS = 10.0  # MiniStack's, for a minute of 60
_sweeping = threading.local()


def apply() -> None:
    """Install the target, the rates, and what MiniStack's scheduler gets wrong."""
    _delivery()
    _rates()
    _passed_roles()
    _every_tag_key()
    acted_on.correct(_schedule)


def _delivery() -> None:
    original = eventbridge._invoke_target

    def invoke(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        arn = str((rule or {}).get("Arn", ""))
        pipeline = str(target.get("Arn", "")).startswith("arn:aws:codepipeline:")
        if not pipeline or not arn.startswith("arn:aws:scheduler:"):
            original(target, event, rule, view)
            return
        threading.Thread(target=_start, args=(target, arn), daemon=True, name="schedule").start()

    eventbridge._invoke_target = invoke


def _start(target: dict[str, Any], schedule_arn: str) -> None:
    """Start the execution as the schedule's role. What fails is logged: AWS counts it, and tells nobody."""
    region, account_id, name = target["Arn"].split(":")[3:6]
    try:
        content = json.loads(target.get("Input") or "{}")
        given = {key: content[key] for key in ("sourceRevisions", "variables") if content.get(key)}
        group = schedule_arn.replace(":schedule/", ":schedule-group/").rpartition("/")[0]
        role = identity.assume_service_role(
            target["RoleArn"], _PRINCIPAL, "local-aws-scheduler", source_arn=group, source_account=account_id
        )
        identity.client("codepipeline", role, region).start_pipeline_execution(name=name, **given)
    except (AwsError, BotoCoreError, ClientError, ValueError) as error:
        logger.warning("schedule %s does not start pipeline %s: %s", schedule_arn, name, error)


def _rates() -> None:
    """A rate's minutes last as long as local AWS's others; those of EventBridge's rules stay as they are."""
    original: Callable[[str], int | None] = eventbridge._parse_rate_seconds
    tick: Callable[[], None] = scheduler._tick_schedules

    def seconds(expression: str) -> float | None:
        found = original(expression)
        return found * process.minute_seconds() / 60 if found and getattr(_sweeping, "now", False) else found

    def sweep() -> None:
        _sweeping.now = True
        try:
            tick()
        finally:
            _sweeping.now = False

    eventbridge._parse_rate_seconds, scheduler._tick_schedules = seconds, sweep
    scheduler._SCHEDULE_TICK_INTERVAL = _SWEEP_SECONDS * process.minute_seconds() / 60


def _passed_roles() -> None:
    """CreateSchedule and UpdateSchedule take only a role that the caller may pass and the scheduler may assume."""

    def checked(original: Callable[[str, dict[str, Any]], Any]) -> Callable[[str, dict[str, Any]], Any]:
        def call(name: str, body: dict[str, Any]) -> Any:
            role = (body.get("Target") or {}).get("RoleArn")
            if role and kms_use.request_key.get():
                try:
                    authorize_pass_role(caller_of(kms_use.request_key.get(), get_region()), role, _PRINCIPAL)
                except AwsError as error:
                    return scheduler._error(403, error.code, error.message)
            return original(name, body)

        return call

    scheduler._create_schedule = checked(scheduler._create_schedule)
    scheduler._update_schedule = checked(scheduler._update_schedule)


def _every_tag_key() -> None:
    """UntagResource removes each of its keys, and not only the first."""
    original = scheduler.handle_request

    async def handle(method: str, path: str, headers: Any, body: bytes, query: dict[str, Any]) -> Any:
        keys = query.get("TagKeys")
        if method != "DELETE" or not path.startswith("/tags/") or not isinstance(keys, list):
            return await original(method, path, headers, body, query)
        answer = None
        for key in keys:
            answer = await original(method, path, headers, body, {**query, "TagKeys": [key]})
        return answer

    scheduler.handle_request = handle


def _schedule(call: Call, so_far: Callable[[], str]) -> str | None:
    """A schedule's ARN has its group, which is in the query or in the body; tags are those of the ARN in the path."""
    if call.service != "scheduler":
        return None
    place, _, rest = call.path.lstrip("/").partition("/")
    start = f"arn:aws:scheduler:{call.region}:{call.account_id}"
    if place == "tags":
        return urllib.parse.unquote(rest)
    if place != "schedules" or not rest:
        return None
    group = call.query.get("groupName") or _of_body(call.body, "GroupName") or "default"
    return f"{start}:schedule/{group[0] if isinstance(group, list) else group}/{rest}"


def _of_body(body: bytes, name: str) -> str:
    try:
        found = json.loads(body or b"{}").get(name)
    except (ValueError, AttributeError):
        return ""
    return str(found or "")
