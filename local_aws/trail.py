# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CloudTrail tells EventBridge: that a user or a role called sts:AssumeRole, and whether it was let.

On AWS a trail that logs management events must exist; here there is always one. Roles that services assume are not
told. A rule hears of these calls in either enabled state; CloudTrail calls AssumeRole read-only, so that on AWS the
state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS is the one to choose.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import unescape

from ministack import app as ministack_app
from ministack.core import iam_evaluator
from ministack.core.responses import _request_client_ip, get_account_id, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import eventbridge, iam, sts

from local_aws import events, mfa

_EVERYTHING = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


def apply() -> None:
    """Install it in MiniStack."""
    _rules_for_everything()
    _assume_role()


def _rules_for_everything() -> None:
    """Of calls that only read, CloudTrail tells the rules whose state asks for all management events, and no others."""
    original: Callable[..., Any] = eventbridge._dispatch_event

    def dispatch(event: dict[str, Any], view: Any = None) -> Any:
        view = view or eventbridge._pattern_event_view(event)
        if '"readOnly": true' not in str(event.get("Detail")):
            original(event, view)
        for key, rule in list(eventbridge._rules.items()):
            if (
                rule.get("State") == _EVERYTHING
                and rule.get("EventBusName", "default") == event.get("EventBusName", "default")
                and rule.get("EventPattern")
                and key not in (event.get("_DispatchPath") or [])
                and eventbridge._matches_pattern_view(rule["EventPattern"], view, f"rule {key}")
            ):
                for target in eventbridge._targets.get(key, []):
                    eventbridge._invoke_target(target, event, rule, view)

    eventbridge._dispatch_event = dispatch


def _assume_role() -> None:
    original: Callable[..., Awaitable[Any]] = ministack_app._dispatch_service_request

    async def dispatch(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str
    ) -> Any:
        answer = await original(method, path, headers, body, query, request_id)
        request = mfa.parameters(headers, body, query) if _is_for_sts(headers, body, query) else {}
        key = extract_access_key_id(headers, query)
        # A call with a wrong signature is in no trail.
        known = request.get("Action") == "AssumeRole" and iam_evaluator.caller_verified(key, get_account_id())
        if known and (caller := _identity(key)):
            detail = _detail(request, headers, caller, answer[0], _text(answer[2]), request_id)
            events.publish("aws.sts", "AWS API Call via CloudTrail", detail, [], get_account_id(), get_region())
        return answer

    ministack_app._dispatch_service_request = dispatch


def _is_for_sts(headers: dict[str, str], body: bytes, query: dict[str, Any]) -> bool:
    asked = f"{headers.get('x-amz-target', '')}&{query.get('Action', '')}".encode() + body[:65536]
    return b"AssumeRole" in asked and b"/sts/aws4_request" in headers.get("authorization", "").encode()


def _text(body: Any) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)


def _identity(access_key: str) -> dict[str, Any] | None:
    """userIdentity of a key; None for one that nobody has."""
    found = iam_evaluator.resolve_credential(access_key, get_account_id())
    if isinstance(found, iam_evaluator.CredentialResolutionError):
        return None
    identity = {
        "type": {"User": "IAMUser"}.get(found.principal_type, found.principal_type),
        "principalId": found.principal_id,
        "arn": found.principal_arn,
        "accountId": found.account_id,
        "accessKeyId": access_key,
    }
    if found.principal_type == "User":
        identity["userName"] = found.principal_name
    session = sts._sessions.get(access_key)
    if session is not None:
        identity["sessionContext"] = {
            "attributes": {
                "creationDate": _time(session.get("IssuedAt", time.time())),
                "mfaAuthenticated": str("MfaAt" in session).lower(),
            }
        }
        if found.principal_type == "AssumedRole":
            name = iam_evaluator._role_name_from_assumed_arn(found.principal_arn)
            role = iam._roles.get_scoped(found.account_id, None, name) or {}
            identity["sessionContext"]["sessionIssuer"] = {
                "type": "Role",
                "principalId": role.get("RoleId", ""),
                "arn": role.get("Arn", ""),
                "accountId": found.account_id,
                "userName": name,
            }
    return identity


def _detail(
    request: dict[str, str], headers: dict[str, str], caller: dict[str, Any], status: int, answer: str, request_id: str
) -> dict[str, Any]:
    wanted = {
        "roleArn": request.get("RoleArn"),
        "roleSessionName": request.get("RoleSessionName"),
        "durationSeconds": int(request["DurationSeconds"]) if request.get("DurationSeconds", "").isdigit() else None,
        "serialNumber": request.get("SerialNumber"),
        "externalId": request.get("ExternalId"),
        "sourceIdentity": request.get("SourceIdentity"),
    }
    outcome: dict[str, Any] = {"responseElements": None}
    if status < 300:
        outcome["responseElements"] = {
            "assumedRoleUser": {
                "assumedRoleId": _member(answer, "AssumedRoleId"),
                "arn": _member(answer, "Arn"),
            }
        }
    else:
        wanted = {}
        outcome["errorCode"] = _member(answer, "Code") or _member(answer, "__type")
        outcome["errorMessage"] = _member(answer, "Message") or _member(answer, "message")
    return {
        "eventVersion": "1.08",
        "userIdentity": caller,
        "eventTime": _time(time.time()),
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "awsRegion": get_region(),
        "sourceIPAddress": _request_client_ip.get(),
        "userAgent": headers.get("user-agent", ""),
        "requestParameters": {name: value for name, value in wanted.items() if value is not None} or None,
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": get_account_id(),
        "eventCategory": "Management",
        **outcome,
    }


def _member(answer: str, name: str) -> str:
    """A text member of an answer of STS, in either of its protocols."""
    if answer.lstrip().startswith("{"):
        given = json.loads(answer)
        return str(given.get(name) or given.get("AssumedRoleUser", {}).get(name) or "")
    match = re.search(rf"<{name}>([^<]*)</{name}>", answer)
    return unescape(match.group(1)) if match else ""


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
