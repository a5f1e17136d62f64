# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls about CloudWatch alarms: what they are authorised on, and what AWS refuses in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch

from local_aws import acted_on, kms_use
from local_aws.acted_on import Call
from local_aws.aws_json import AwsError, authorize, caller_of

Handler = Callable[..., Any]

_BY_NAMES = ("DeleteAlarms", "EnableAlarmActions", "DisableAlarmActions")
_MISSING = ("breaching", "notBreaching", "ignore", "missing")
_KEPT = ("EvaluateLowSampleCountPercentile", "Metrics", "ThresholdMetricId")
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_NOT_IN_XML = (
    "AlarmDescription",
    "ActionsEnabled",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "Unit",
    "TreatMissingData",
)


def apply() -> None:
    """Install it in MiniStack."""
    acted_on.correct(_resource)
    _every_name_counts()
    _checks_of_alarms()
    _at_most_a_hundred()
    _whole_alarms_in_xml()


def _arn(name: str) -> str:
    return f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{name}"


def _resource(call: Call, _so_far: Any) -> str | None:
    """The first alarm that a call names, or whose ARN it gives. The others are asked for one by one."""
    if call.service != "monitoring":
        return None
    request = _decoded(call)
    if request.get("ResourceARN"):
        return str(request["ResourceARN"])
    operation = call.operation or call.path.rpartition("/operation/")[2]
    if operation in _BY_NAMES and request.get("AlarmNames"):
        return f"arn:aws:cloudwatch:{call.region}:{call.account_id}:alarm:{request['AlarmNames'][0]}"
    return None


def _decoded(call: Call) -> dict[str, Any]:
    """The request, of clients that speak JSON; of others what it says of one resource."""
    kind = call.headers.get("content-type", "")
    try:
        if "json" in kind:
            found = json.loads(call.body or b"{}")
        else:
            found = {"ResourceARN": iam_actions._query_param(call.query, "ResourceARN")}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _refused(arn: str, action: str, **how: Any) -> Any:
    """The answer where the caller may not do this, None where they may."""
    if not kms_use.request_key.get():
        return None
    try:
        authorize(caller_of(kms_use.request_key.get(), get_region()), action, arn)
    except AwsError as error:
        return cloudwatch._error("AccessDenied", error.message, 403, **how)
    return None


def _every_name_counts() -> None:
    """DeleteAlarms and its like need permission on each alarm that they name."""
    for operation in _BY_NAMES:
        name = f"_{''.join('_' + letter.lower() if letter.isupper() else letter for letter in operation).lstrip('_')}"
        setattr(cloudwatch, name, _counting(operation, getattr(cloudwatch, name)))


def _counting(operation: str, original: Handler) -> Handler:
    def handle(params: Any, request: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        for name in request.get("AlarmNames", [])[1:]:
            if answer := _refused(_arn(name), f"cloudwatch:{operation}", use_cbor=is_cbor, use_json=is_json):
                return answer
        return original(params, request, is_cbor, is_json)

    return handle


def _checks_of_alarms() -> None:
    """PutMetricAlarm refuses what cannot be, keeps what it is given, and no more, and needs a permission for tags."""
    original: Handler = cloudwatch._put_metric_alarm

    def put(params: Any, request: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        how = {"use_cbor": is_cbor, "use_json": is_json}
        name = request.get("AlarmName", "")
        if (is_cbor or is_json) and (code_and_message := _problem(request)):
            return cloudwatch._error(*code_and_message, 400, **how)
        tagged = request.get("Tags") and name not in cloudwatch._alarms
        if tagged and (refused := _refused(_arn(name), "cloudwatch:TagResource", **how)):
            return refused
        answer = original(params, request, is_cbor, is_json)
        if answer[0] == 200 and (is_cbor or is_json):
            _complete(cloudwatch._alarms[name], request)
        return answer

    cloudwatch._put_metric_alarm = put


def _complete(alarm: dict[str, Any], request: dict[str, Any]) -> None:
    """Put into a new alarm what MiniStack drops, and take out of it what it makes up."""
    alarm.update({member: request[member] for member in _KEPT if member in request})
    for member in ("Statistic", "Period"):
        if member not in request:
            alarm.pop(member, None)


def _problem(request: dict[str, Any]) -> tuple[str, str] | None:
    """What AWS says of an alarm on a metric, as (code, message); None where it can be."""
    if not request.get("MetricName"):
        return None if request.get("Metrics") else ("ValidationError", "MetricName or Metrics must be specified")
    period, periods = request.get("Period") or 0, request.get("EvaluationPeriods") or 0
    statistics = [name for name in ("Statistic", "ExtendedStatistic") if request.get(name)]
    lacking = [name for name in ("Namespace", "Period", "EvaluationPeriods", "Threshold") if request.get(name) is None]
    most = 7 * 86400 if period >= 3600 else 86400
    too_many = [name for name in _ACTIONS if len(request.get(name) or []) > 5]
    if len(statistics) > 1:
        return "InvalidParameterCombination", "Statistic and ExtendedStatistic must not be specified together"
    if not statistics:
        return "ValidationError", "Exactly one of Statistic and ExtendedStatistic must be specified"
    if lacking:
        return "ValidationError", f"{lacking[0]} must be specified"
    if period not in (10, 20, 30) and (period < 60 or period % 60):
        return "ValidationError", "Period must be 10, 20, 30 or a multiple of 60"
    if period * periods > most:
        return "ValidationError", f"EvaluationPeriods * Period must be <= {most}"
    if (request.get("DatapointsToAlarm") or 0) > periods:
        return "ValidationError", "DatapointsToAlarm must be less than or equal to EvaluationPeriods"
    if request.get("TreatMissingData", "missing") not in _MISSING:
        return "ValidationError", f"TreatMissingData must be one of {', '.join(_MISSING)}"
    if too_many:
        return "ValidationError", f"{too_many[0]} must have length less than or equal to 5"
    return None


def _at_most_a_hundred() -> None:
    """DescribeAlarms takes a hundred names."""
    original: Handler = cloudwatch._describe_alarms

    def describe(params: Any, request: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        if len(request.get("AlarmNames") or []) > 100:
            message = "1 validation error detected: Value at 'alarmNames' failed to satisfy constraint: "
            message += "Member must have length less than or equal to 100"
            return cloudwatch._error("ValidationError", message, 400, use_cbor=is_cbor, use_json=is_json)
        return original(params, request, is_cbor, is_json)

    cloudwatch._describe_alarms = describe


def _whole_alarms_in_xml() -> None:
    """DescribeAlarms says all of an alarm to clients of the query protocol, too, such as Terraform."""
    original: Handler = cloudwatch._describe_alarms

    def describe(params: Any, request: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        status, headers, body = original(params, request, is_cbor, is_json)
        if status == 200 and not is_cbor and not is_json:
            for alarm in cloudwatch._alarms.values():
                said = f"<AlarmArn>{alarm['AlarmArn']}</AlarmArn>"
                body = body.replace(said.encode(), (said + _rest_in_xml(alarm)).encode())
        return status, headers, body

    cloudwatch._describe_alarms = describe


def _rest_in_xml(alarm: dict[str, Any]) -> str:
    """What MiniStack leaves out of an alarm in XML."""
    members = {name: alarm[name] for name in _NOT_IN_XML if alarm.get(name) not in (None, "")}
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in members.items()}
    plain = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in texts.items())
    actions = {name: "".join(f"<member>{escape(each)}</member>" for each in alarm.get(name) or []) for name in _ACTIONS}
    dimensions = "".join(
        f"<member><Name>{escape(each['Name'])}</Name><Value>{escape(each['Value'])}</Value></member>"
        for each in alarm.get("Dimensions") or []
    )
    lists = "".join(f"<{name}>{members}</{name}>" for name, members in {**actions, "Dimensions": dimensions}.items())
    return plain + lists
