# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alarms: what is asked of AWS, what is kept that is no option, and alarms on expressions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, unique

OWNER = {"gitops:estate": "test"}
ALARM: dict[str, Any] = {
    "namespace": "Test",
    "metric_name": "Errors",
    "statistic": "Sum",
    "period": 60,
    "evaluation_periods": 2,
    "threshold": 0,
    "comparison_operator": "GreaterThanThreshold",
}
PERCENTILE: dict[str, Any] = {
    "Namespace": "Test",
    "MetricName": "Latency",
    "ExtendedStatistic": "p99",
    "EvaluateLowSampleCountPercentile": "ignore",
    "Unit": "Seconds",
    "Period": 60,
    "EvaluationPeriods": 2,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}


def arn_of(name: str) -> str:
    return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"


def alarm(account: Account, name: str) -> dict[str, Any]:
    (found,) = account.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(found)


def test_facts(account: Account) -> None:
    name = unique("alarm")
    facts = {"arn": arn_of(name), "state": "INSUFFICIENT_DATA"}

    for check, action in ((True, "created"), (False, "created"), (False, "unchanged")):
        result = account.run("cloudwatch_alarms", check=check, alarms=[{"name": name, **ALARM}])
        assert result["resources"][name] == {"action": action, **facts}
    account.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="OK", StateReason="test")
    again = account.run("cloudwatch_alarms", alarms=[{"name": name, **ALARM}])
    assert again["resources"][name] == {"action": "unchanged", **facts, "state": "OK"}


def test_a_hundred_alarms_are_read_by_one_call(account: Account) -> None:
    alarms = [{"name": unique("alarm"), **ALARM} for _ in range(101)]
    account.run("cloudwatch_alarms", alarms=alarms)

    assert account.run("cloudwatch_alarms", alarms=alarms[1:])["api_calls"] == {"cloudwatch:DescribeAlarms": 1}
    again = account.run("cloudwatch_alarms", alarms=alarms)
    assert again["api_calls"] == {"cloudwatch:DescribeAlarms": 2}
    assert not again["changed"]


def test_the_state_outlives_a_change(account: Account) -> None:
    name = unique("alarm")
    account.run("cloudwatch_alarms", alarms=[{"name": name, **ALARM}])
    account.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")

    changed = account.run("cloudwatch_alarms", alarms=[{"name": name, "threshold": 2, "tags": {"a": "1"}}])

    assert changed["mutations"] == ["cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"]
    assert alarm(account, name)["StateValue"] == "ALARM"


def test_order_and_repetition_of_actions_do_not_matter(account: Account) -> None:
    name, topics = unique("alarm"), [f"arn:aws:sns:{REGION}:{ACCOUNT}:{each}" for each in "ba"]
    request = {member: value for member, value in PERCENTILE.items() if member != "EvaluateLowSampleCountPercentile"}
    account.client("cloudwatch").put_metric_alarm(AlarmName=name, AlarmActions=topics, **request)

    for actions in (topics, topics[::-1], [*topics, *topics]):
        assert not account.run("cloudwatch_alarms", alarms=[{"name": name, "alarm_actions": actions}])["changed"]
    assert account.run("cloudwatch_alarms", alarms=[{"name": name, "alarm_actions": topics[:1]}])["changed"]


def test_what_is_no_option_is_kept(account: Account) -> None:
    name = unique("alarm")
    account.client("cloudwatch").put_metric_alarm(AlarmName=name, **PERCENTILE)

    account.run("cloudwatch_alarms", alarms=[{"name": name, "description": "slow"}])
    found = alarm(account, name)
    assert (found["AlarmDescription"], found["ExtendedStatistic"], found["Unit"]) == ("slow", "p99", "Seconds")

    account.run("cloudwatch_alarms", alarms=[{"name": name, "statistic": "Average"}])
    found = alarm(account, name)
    assert (found["Statistic"], found.get("ExtendedStatistic"), found["Unit"]) == ("Average", None, "Seconds")


def test_an_alarm_on_an_expression_is_left_alone(account: Account) -> None:
    name = unique("alarm")
    stat = {"Metric": {"Namespace": "Test", "MetricName": "Errors"}, "Period": 60, "Stat": "Sum"}
    metrics = [
        {"Id": "one", "MetricStat": stat, "ReturnData": False},
        {"Id": "twice", "Expression": "2 * one", "ReturnData": True},
    ]
    operator = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 1}
    account.client("cloudwatch").put_metric_alarm(AlarmName=name, Metrics=metrics, **operator)

    with pytest.raises(ModuleFailed, match=rf"CloudWatch alarm {name}: it is on an expression") as failure:
        account.run("cloudwatch_alarms", alarms=[{"name": name, **ALARM}])
    assert failure.value.result["mutations"] == []
    assert account.run("cloudwatch_alarms", alarms=[{"name": name}], state="absent")["changed"]


def test_an_alarm_of_somebody_else_s_is_left_alone(account: Account) -> None:
    name = unique("alarm")
    account.run("cloudwatch_alarms", alarms=[{"name": name, **ALARM}])

    for state in ("present", "absent"):
        with pytest.raises(ModuleFailed, match=rf"{name}: it exists already and was made by something else"):
            account.run("cloudwatch_alarms", alarms=[{"name": name, "period": 30}], state=state, owner_tags=OWNER)
    assert alarm(account, name)["Period"] == 60


def test_a_new_alarm_needs_its_metric(account: Account) -> None:
    with pytest.raises(ModuleFailed, match=r"to create it metric_name, threshold must be given"):
        account.run("cloudwatch_alarms", alarms=[{"name": "new", **ALARM, "metric_name": None, "threshold": None}])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"datapoints_to_alarm": 3}, "alarms[0].datapoints_to_alarm: 3 is more than evaluation_periods, which is 2"),
        ({"evaluation_periods": 1441}, "alarms[0].evaluation_periods: 1441 of 60 seconds are more than a day"),
        ({"period": 86400, "evaluation_periods": 8}, "alarms[0].evaluation_periods: 8 of 86400 seconds"),
    ],
)
def test_what_does_not_go_together_is_refused(account: Account, options: dict[str, Any], reason: str) -> None:
    name = unique("alarm")
    account.run("cloudwatch_alarms", alarms=[{"name": name, **ALARM}])

    with pytest.raises(ModuleFailed) as failure:
        account.run("cloudwatch_alarms", alarms=[{"name": name, **options}])

    assert reason in failure.value.result["msg"]
    assert failure.value.result["mutations"] == []


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": ""}, "alarms[0].name"),
        ({"name": "x" * 256}, "alarms[0].name"),
        ({"description": "x" * 1025}, "alarms[0].description"),
        ({"dimensions": {"A": None}}, "alarms[0].dimensions.A"),
        ({"period": 61}, "alarms[0].period"),
        ({"period": 0}, "alarms[0].period"),
        ({"evaluation_periods": 0}, "alarms[0].evaluation_periods"),
        ({"datapoints_to_alarm": -1}, "alarms[0].datapoints_to_alarm"),
        ({"comparison_operator": "GreaterThanUpperThreshold"}, "alarms[0].comparison_operator"),
        ({"ok_actions": ["topic"]}, "alarms[0].ok_actions[0]: 'topic' is no ARN"),
        ({"alarm_actions": [f"arn:{number}" for number in range(6)]}, "alarms[0].alarm_actions: they are 6"),
    ],
    ids=str,
)
def test_bad_input_is_refused_before_any_call(account: Account, options: dict[str, Any], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("cloudwatch_alarms", alarms=[{"name": "x", **options}])

    assert path in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result
