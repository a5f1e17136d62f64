# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch: queues have metrics, and alarms look at theirs, each minute, and tell topics that let them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch, sns, sqs

from local_aws import process, service_principals

logger = logging.getLogger("local_aws")

_PRINCIPAL = "cloudwatch.amazonaws.com"
_MORE_PERIODS = 2  # AWS looks further back than an alarm asks for, as data may come late
_QUEUE_METRICS = {
    "ApproximateNumberOfMessagesVisible": "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed": "ApproximateNumberOfMessagesDelayed",
}
_BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


def apply() -> None:
    """Install it in MiniStack, and begin to count the minutes."""
    original = cloudwatch._evaluate_alarm

    def evaluate(alarm: dict[str, Any]) -> None:
        if alarm.get("ComparisonOperator") in _BREACHES and alarm.get("MetricName"):
            _evaluate(alarm)
        else:
            original(alarm)

    cloudwatch._evaluate_alarm = evaluate
    _actions()
    threading.Thread(target=_minutes, daemon=True, name="alarms").start()


def _minutes() -> None:
    while True:
        # In the middle of a minute: each has its own data then, however late a thread wakes.
        minute = process.minute_seconds()
        time.sleep(minute - (time.time() - minute / 2) % minute)
        service_principals.on_loop(_minute)


def _minute() -> None:
    """Store the metrics of all queues, then look at all alarms."""
    for (account_id, region, _url), queue in sqs._queues.all_items():
        with request_scope(account_id, region):
            sqs._refresh_counts(queue)
            dimensions = {"QueueName": queue["attributes"]["QueueArn"].rpartition(":")[2]}
            for metric, attribute in _QUEUE_METRICS.items():
                value = float(queue["attributes"][attribute])
                cloudwatch.record_metric("AWS/SQS", metric, value, "Count", dimensions)
    for (account_id, region, _name), alarm in cloudwatch._alarms.all_items():
        with request_scope(account_id, region):
            try:
                cloudwatch._evaluate_alarm(alarm)
            except Exception:
                logger.exception("alarm %s cannot be evaluated", alarm["AlarmName"])


def _evaluate(alarm: dict[str, Any]) -> None:
    """Give the alarm the state that its metric asks for. A metric that has no data at all says nothing."""
    points = cloudwatch._metrics.get(
        (
            alarm["Namespace"],
            alarm["MetricName"],
            cloudwatch._dims_key({each["Name"]: each["Value"] for each in alarm.get("Dimensions") or []}),
        )
    )
    missing = alarm.get("TreatMissingData") or "missing"
    if not points and missing in ("missing", "ignore"):
        return
    values = _values(alarm, points or [])
    breaches = _BREACHES[alarm["ComparisonOperator"]]
    wanted = int(alarm.get("EvaluationPeriods") or 1)
    breaching = sum(breaches(value, alarm["Threshold"]) for value in values)
    enough = int(alarm.get("DatapointsToAlarm") or wanted)
    if missing == "breaching":
        breaching += wanted - len(values)
    if breaching >= enough:
        state = "ALARM"
    elif values or missing == "notBreaching":
        state = "OK"
    elif missing == "ignore":
        return
    else:
        state = "INSUFFICIENT_DATA"
    said = ", ".join(str(value) for value in values)
    _change(alarm, state, f"Threshold Crossed: {len(values)} datapoints [{said}], threshold {alarm['Threshold']}.")


def _values(alarm: dict[str, Any], points: list[dict[str, Any]]) -> list[float]:
    """The statistic of the newest periods that have data, as many as the alarm asks for."""
    wanted = int(alarm.get("EvaluationPeriods") or 1)
    period = float(alarm.get("Period") or 60) * process.minute_seconds() / 60
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    now = int(time.time() // period)
    periods: dict[int, list[dict[str, Any]]] = {}
    for point in points:
        number = int(point["Timestamp"] // period)
        if now - wanted - _MORE_PERIODS < number <= now:
            periods.setdefault(number, []).append(point)
    values = [
        cloudwatch._stat_value(cloudwatch._calc_stats(periods[number]), statistic, periods[number])
        for number in sorted(periods)[-wanted:]
    ]
    return [float(value) for value in values if value is not None]


def _change(alarm: dict[str, Any], state: str, reason: str) -> None:
    before = alarm["StateValue"]
    if before == state:
        return
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def _actions() -> None:
    """A topic is told if its policy, and that of its key, let CloudWatch do so for this alarm."""
    original = cloudwatch._dispatch_alarm_actions

    def dispatch(alarm: dict[str, Any], before: str, state: str, reason: str) -> None:
        told = {
            field: [each for each in alarm.get(field) or [] if _may_tell(alarm, str(each))]
            for field in ("AlarmActions", "OKActions", "InsufficientDataActions")
        }
        original({**alarm, **told}, before, state, reason)

    cloudwatch._dispatch_alarm_actions = dispatch


def _may_tell(alarm: dict[str, Any], action: str) -> bool:
    if not action.startswith("arn:aws:sns:"):
        return True
    topic = sns._topic_by_arn_any_scope(action) or {"attributes": {}}
    keys = service_principals.source(alarm["AlarmArn"])
    attributes = topic["attributes"]
    allowed = service_principals.may(
        attributes.get("Policy"), _PRINCIPAL, "sns:Publish", action, keys
    ) and service_principals.may_use_key(attributes.get("KmsMasterKeyId", ""), _PRINCIPAL, keys)
    if not allowed:
        logger.warning("alarm %s does not tell topic %s: its policies do not let it", alarm["AlarmArn"], action)
    return allowed
