# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch alarms: who may do what with which, and what is no alarm."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, allow, unique

ALARM: dict[str, Any] = {
    "Namespace": "Test",
    "MetricName": "Errors",
    "Period": 60,
    "EvaluationPeriods": 2,
    "Statistic": "Sum",
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 1,
}


def arn(name: str) -> str:
    return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"


def test_each_alarm_that_is_named_counts(local_aws: LocalAws) -> None:
    mine, other = unique("mine"), unique("other")
    own = [allow(["cloudwatch:*Alarm*", "cloudwatch:*Resource"], arn("mine-*")), allow("cloudwatch:DescribeAlarms")]
    user = local_aws.client("cloudwatch", local_aws.user(unique("user"), *own))
    for name in (mine, other):
        local_aws.client("cloudwatch").put_metric_alarm(AlarmName=name, **ALARM)

    user.tag_resource(ResourceARN=arn(mine), Tags=[{"Key": "a", "Value": "1"}])
    user.disable_alarm_actions(AlarmNames=[mine])
    for call in (
        lambda: user.delete_alarms(AlarmNames=[other]),
        lambda: user.delete_alarms(AlarmNames=[mine, other]),
        lambda: user.disable_alarm_actions(AlarmNames=[mine, other]),
        lambda: user.enable_alarm_actions(AlarmNames=[mine, other]),
        lambda: user.list_tags_for_resource(ResourceARN=arn(other)),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
    found = user.describe_alarms(AlarmNames=[mine, other])["MetricAlarms"]
    assert {alarm["AlarmName"]: alarm["ActionsEnabled"] for alarm in found} == {mine: False, other: True}
    user.delete_alarms(AlarmNames=[mine])
    assert len(user.describe_alarms(AlarmNames=[mine, other])["MetricAlarms"]) == 1


def test_tags_of_a_new_alarm_are_a_permission(local_aws: LocalAws) -> None:
    name = unique("alarm")
    user = local_aws.client("cloudwatch", local_aws.user(unique("user"), allow("cloudwatch:PutMetricAlarm")))

    with pytest.raises(ClientError, match=rf"AccessDenied.*cloudwatch:TagResource on resource: {arn(name)}"):
        user.put_metric_alarm(AlarmName=name, Tags=[{"Key": "a", "Value": "1"}], **ALARM)
    user.put_metric_alarm(AlarmName=name, **ALARM)


@pytest.mark.parametrize(
    "change",
    [
        {"MetricName": None},
        {"Namespace": None},
        {"Threshold": None},
        {"Statistic": None},
        {"ExtendedStatistic": "p99"},
        {"Period": 61},
        {"Period": 86400, "EvaluationPeriods": 8},
        {"Period": 60, "EvaluationPeriods": 1441},
        {"DatapointsToAlarm": 3},
        {"TreatMissingData": "never"},
        {"OKActions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:{number}" for number in range(6)]},
    ],
    ids=str,
)
def test_what_is_no_alarm_is_refused(local_aws: LocalAws, change: dict[str, Any]) -> None:
    request = {name: value for name, value in (ALARM | change).items() if value is not None}

    with pytest.raises(ClientError, match=r"ValidationError|InvalidParameterCombination"):
        local_aws.client("cloudwatch").put_metric_alarm(AlarmName=unique("alarm"), **request)


def test_a_percentile_is_the_only_statistic(local_aws: LocalAws) -> None:
    name, cloudwatch = unique("alarm"), local_aws.client("cloudwatch")
    request = {member: value for member, value in ALARM.items() if member != "Statistic"}
    cloudwatch.put_metric_alarm(AlarmName=name, ExtendedStatistic="p99", **request)

    (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert found["ExtendedStatistic"] == "p99"
    assert "Statistic" not in found


def test_an_expression_is_kept(local_aws: LocalAws) -> None:
    name, cloudwatch = unique("alarm"), local_aws.client("cloudwatch")
    metrics = [{"Id": "one", "Expression": "TIME_SERIES(1)", "Label": "", "ReturnData": True}]
    request = {member: ALARM[member] for member in ("EvaluationPeriods", "ComparisonOperator", "Threshold")}
    cloudwatch.put_metric_alarm(AlarmName=name, Metrics=metrics, **request)

    (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert found["Metrics"] == metrics
    assert not {"Statistic", "Period", "MetricName"} & set(found)


def test_a_hundred_names_are_described(local_aws: LocalAws) -> None:
    cloudwatch = local_aws.client("cloudwatch")
    names = [f"none-{number}" for number in range(101)]

    assert cloudwatch.describe_alarms(AlarmNames=names[:100])["MetricAlarms"] == []
    with pytest.raises(ClientError, match="ValidationError"):
        cloudwatch.describe_alarms(AlarmNames=names)


def test_terraform_reads_all_of_an_alarm(local_aws: LocalAws) -> None:
    """It speaks the query protocol, which botocore speaks no more: its answer is read as XML here."""
    client, name = local_aws.client("cloudwatch"), unique("alarm")
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:told"
    more = {
        "AlarmDescription": "a < b",
        "AlarmActions": [topic],
        "Dimensions": [{"Name": "QueueName", "Value": "q"}],
        "TreatMissingData": "notBreaching",
    }
    client.put_metric_alarm(AlarmName=name, **ALARM, **more)

    request = AWSRequest(
        "POST",
        local_aws.endpoint_url + "/",
        {"Content-Type": "application/x-www-form-urlencoded"},
        f"Action=DescribeAlarms&Version=2010-08-01&AlarmNames.member.1={name}",
    )
    SigV4Auth(client._request_signer._credentials, "monitoring", REGION).add_auth(request)
    answer = URLLib3Session().send(request.prepare()).text
    alarm = ElementTree.fromstring(re.sub(r' xmlns="[^"]*"', "", answer)).find(
        "./DescribeAlarmsResult/MetricAlarms/member"
    )

    assert alarm is not None
    assert {element.tag: element.text for element in alarm if element.text} == {
        "AlarmName": name,
        "AlarmArn": arn(name),
        "AlarmDescription": "a < b",
        "ActionsEnabled": "true",
        "Statistic": "Sum",
        "Period": "60",
        "TreatMissingData": "notBreaching",
        "StateValue": "OK",
        "MetricName": "Errors",
        "Namespace": "Test",
        "Threshold": "1.0",
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": "2",
        "StateReason": alarm.findtext("StateReason"),
    }
    assert alarm.findtext("AlarmActions/member") == topic
    assert alarm.findtext("Dimensions/member/Value") == "q"
