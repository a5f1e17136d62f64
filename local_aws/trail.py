# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudTrail: the management events of this account, as LookupEvents gives them, and what EventBridge is told of them.

The event history has the newest events of each region, so many that their memory has an end, and at once: on AWS it is
some minutes late and goes back 90 days. Calls that AWS services make for their own use are in neither; roles that
services assume are not told.

On AWS a trail that logs management events must exist for EventBridge to hear of them; here there is always one, and it
tells of sts:AssumeRole alone. A rule hears of these calls in either enabled state; CloudTrail calls AssumeRole
read-only, so that on AWS the state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS is the one to choose.
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import unescape

from ministack import app as ministack_app
from ministack.core import iam_evaluator
from ministack.core.responses import _request_client_ip, error_response_json, get_account_id, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import cloudtrail, eventbridge, iam, sts

from local_aws import events, mfa, request_log, trail_events

logger = logging.getLogger("local_aws")

_EVERYTHING = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

# Events kept for each account and region.
WRITES, READS = 5000, 1000
_LONGEST = 32 * 1024
_PAGE = 50
_GLOBAL_SERVICES = frozenset({"iam", "cloudfront", "route53", "organizations"})
_HOME = "us-east-1"


@dataclass(frozen=True)
class _Event:
    """One event: when it was (epoch seconds), what LookupEvents says beside it, and the event itself as JSON."""

    time: float
    number: int
    name: str
    source: str
    username: str
    access_key_id: str
    read_only: str
    event_id: str
    resources: tuple[tuple[str, str], ...]
    detail: str

    def described(self) -> dict[str, Any]:
        """As LookupEvents gives it."""
        return {
            "EventId": self.event_id,
            "EventName": self.name,
            "ReadOnly": self.read_only,
            "AccessKeyId": self.access_key_id,
            "EventTime": self.time,
            "EventSource": self.source,
            "Username": self.username,
            "Resources": [
                {"ResourceName": name, **({"ResourceType": kind} if kind else {})} for name, kind in self.resources
            ],
            "CloudTrailEvent": self.detail,
        }


class _History:
    """The events of one account and region. Reads are kept apart: there are many, and writes must stay."""

    def __init__(self) -> None:
        self._writes: deque[_Event] = deque(maxlen=WRITES)
        self._reads: deque[_Event] = deque(maxlen=READS)

    def add(self, event: _Event) -> None:
        (self._reads if event.read_only == "true" else self._writes).append(event)

    def newest_first(self) -> Iterator[_Event]:
        yield from sorted([*self._writes, *self._reads], key=lambda event: event.number, reverse=True)


_histories: dict[tuple[str, str], _History] = {}
_numbers = iter(range(1, 2**62))


def apply() -> None:
    """Install it in MiniStack."""
    _rules_for_everything()
    _listen()
    _look_up()
    _new_trails()


def _new_trails() -> None:
    """A trail writes where its creation says, not only where an update says."""
    create, update = cloudtrail._DISPATCH["CreateTrail"], cloudtrail._DISPATCH["UpdateTrail"]
    members = ("CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn")

    def made(request: dict[str, Any]) -> Any:
        answer = create(request)
        if answer[0] == 200 and any(name in request for name in members):
            update({name: request[name] for name in ("Name", *members) if name in request})
        return answer

    cloudtrail._DISPATCH["CreateTrail"] = made


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


def _listen() -> None:
    """Every call that MiniStack answers is an event, or is about data."""
    original: Callable[..., Awaitable[Any]] = ministack_app._dispatch_service_request

    async def dispatch(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str
    ) -> Any:
        answer = await original(method, path, headers, body, query, request_id)
        try:
            _note(method, path, headers, body, query, request_id, answer)
        except Exception:
            # A trail that cannot be written is no reason to fail a call that was made.
            logger.exception("no event of %s %s", method, path)
        return answer

    ministack_app._dispatch_service_request = dispatch


def _note(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str, answer: Any
) -> None:
    service, action, _resource = request_log.describe(method, path, headers, body, query)
    if trail_events.is_about_data(service, action):
        return
    key = extract_access_key_id(headers, query)
    # A call with a wrong signature is in no trail.
    caller = _identity(key) if key and iam_evaluator.caller_verified(key, get_account_id()) else None
    if caller is None:
        return
    prefix, name = trail_events.call_of(action)
    if (prefix, name) == ("sts", "AssumeRole"):
        request = mfa.parameters(headers, body, query)
        detail = _assume_role(request, headers, caller, answer[0], _text(answer[2]), request_id)
        events.publish("aws.sts", "AWS API Call via CloudTrail", detail, [], get_account_id(), get_region())
    else:
        detail = _detail(prefix, name, headers, caller, request_id)
        _tell(detail, prefix, (path, headers, body, query), answer)
    _keep(detail)


def _tell(detail: dict[str, Any], service: str, asked: tuple[str, dict[str, str], bytes, Any], answer: Any) -> None:
    """Adds the parameters and the outcome to an event. Of a refused call CloudTrail tells no parameters."""
    status, headers, content = answer
    content = content if isinstance(content, (bytes, bytearray)) else _text(content).encode()
    code = request_log.error_code(headers, status, bytes(content[:65536])) if status >= 400 else None
    if code:
        detail["errorCode"], detail["errorMessage"] = code, _message(content)
    if code is None or ("Denied" not in code and "Unauthorized" not in code):
        detail["requestParameters"] = trail_events.parameters_of(service, *asked)
    if code is None and not detail["readOnly"]:
        detail["responseElements"] = trail_events.answer_of(service, bytes(content))


def _message(content: bytes | bytearray) -> str:
    text = content[:4096].decode("utf-8", "replace")
    if match := re.search(r"<Message>([^<]*)</Message>", text) or re.search(r'"[Mm]essage": ?"([^"]*)"', text):
        return unescape(match.group(1))
    return ""


def _keep(detail: dict[str, Any]) -> None:
    """Writes an event into the history of its region."""
    resources = trail_events.resources_of(
        detail["recipientAccountId"], detail["requestParameters"], detail["responseElements"]
    )
    text = json.dumps(detail)
    if len(text) > _LONGEST:
        text = json.dumps({**detail, "requestParameters": None, "responseElements": None})
    who = detail["userIdentity"]
    event = _Event(
        time=time.time(),
        number=next(_numbers),
        name=detail["eventName"],
        source=detail["eventSource"],
        username="root" if who["type"] == "Root" else who.get("userName") or who["arn"].rpartition("/")[2],
        access_key_id=who["accessKeyId"],
        read_only=str(detail["readOnly"]).lower(),
        event_id=detail["eventID"],
        resources=tuple(resources.items()),
        detail=text,
    )
    _histories.setdefault((detail["recipientAccountId"], detail["awsRegion"]), _History()).add(event)


def _look_up() -> None:
    """LookupEvents: by one attribute at most, the newest first, in pages of 50."""
    reset = cloudtrail.reset

    def forget() -> None:
        reset()
        _histories.clear()

    cloudtrail.reset = forget
    cloudtrail._DISPATCH["LookupEvents"] = _lookup_events


def _lookup_events(request: dict[str, Any]) -> Any:
    attributes = request.get("LookupAttributes") or []
    if len(attributes) > 1 or any(each.get("AttributeKey") not in _ATTRIBUTES for each in attributes):
        return error_response_json(
            "InvalidLookupAttributesException", "You can specify one lookup attribute that CloudTrail knows.", 400
        )
    if not 1 <= request.get("MaxResults", _PAGE) <= _PAGE:
        return error_response_json("InvalidMaxResultsException", "MaxResults is from 1 to 50.", 400)
    start, end = request.get("StartTime") or 0, request.get("EndTime") or float("inf")
    if start > end:
        return error_response_json("InvalidTimeRangeException", "StartTime is after EndTime.", 400)
    before = str(request.get("NextToken") or 2**62)
    if not before.isdigit():
        return error_response_json("InvalidNextTokenException", "The token is none of LookupEvents.", 400)
    # Times are of whole seconds.
    wanted = [
        event
        for event in _histories.get((get_account_id(), get_region()), _History()).newest_first()
        if event.number < int(before)
        and start <= int(event.time) <= end
        and all(_ATTRIBUTES[each["AttributeKey"]](event, each.get("AttributeValue")) for each in attributes)
    ]
    page = wanted[: request.get("MaxResults", _PAGE)]
    answer: dict[str, Any] = {"Events": [event.described() for event in page]}
    if len(page) < len(wanted):
        answer["NextToken"] = str(page[-1].number)
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()


_ATTRIBUTES: dict[str, Callable[[_Event, Any], bool]] = {
    "EventId": lambda event, value: event.event_id == value,
    "EventName": lambda event, value: event.name == value,
    "ReadOnly": lambda event, value: event.read_only == value,
    "Username": lambda event, value: event.username == value,
    "ResourceType": lambda event, value: any(kind == value for _name, kind in event.resources),
    "ResourceName": lambda event, value: any(name == value for name, _kind in event.resources),
    "EventSource": lambda event, value: event.source == value,
    "AccessKeyId": lambda event, value: event.access_key_id == value,
}


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
    service: str, name: str, headers: dict[str, str], caller: dict[str, Any], request_id: str
) -> dict[str, Any]:
    """An event of a call, without its parameters and its outcome."""
    return {
        "eventVersion": "1.08",
        "userIdentity": caller,
        "eventTime": _time(time.time()),
        "eventSource": trail_events.source_of(service),
        "eventName": name,
        "awsRegion": _HOME if service in _GLOBAL_SERVICES else get_region(),
        "sourceIPAddress": _request_client_ip.get(),
        "userAgent": headers.get("user-agent", "")[:1000],
        "requestParameters": None,
        "responseElements": None,
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": trail_events.is_read_only(name),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": get_account_id(),
        "eventCategory": "Management",
    }


def _assume_role(
    request: dict[str, str], headers: dict[str, str], caller: dict[str, Any], status: int, answer: str, request_id: str
) -> dict[str, Any]:
    """The event of sts:AssumeRole, which people write rules for: its parameters have CloudTrail's own names."""
    detail = _detail("sts", "AssumeRole", headers, caller, request_id)
    if status >= 300:
        detail["errorCode"] = _member(answer, "Code") or _member(answer, "__type")
        detail["errorMessage"] = _member(answer, "Message") or _member(answer, "message")
        return detail
    wanted = {
        "roleArn": request.get("RoleArn"),
        "roleSessionName": request.get("RoleSessionName"),
        "durationSeconds": int(request["DurationSeconds"]) if request.get("DurationSeconds", "").isdigit() else None,
        "serialNumber": request.get("SerialNumber"),
        "externalId": request.get("ExternalId"),
        "sourceIdentity": request.get("SourceIdentity"),
    }
    detail["requestParameters"] = {name: value for name, value in wanted.items() if value is not None} or None
    detail["responseElements"] = {
        "assumedRoleUser": {"assumedRoleId": _member(answer, "AssumedRoleId"), "arn": _member(answer, "Arn")}
    }
    return detail


def _member(answer: str, name: str) -> str:
    """A text member of an answer of STS, in either of its protocols."""
    if answer.lstrip().startswith("{"):
        given = json.loads(answer)
        return str(given.get(name) or given.get("AssumedRoleUser", {}).get(name) or "")
    match = re.search(rf"<{name}>([^<]*)</{name}>", answer)
    return unescape(match.group(1)) if match else ""


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
