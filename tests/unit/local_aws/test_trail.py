# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge hears of AssumeRole as CloudTrail tells it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, allow, eventually, unique
from tests.unit.local_aws.test_mfa import role, session
from tests.unit.local_aws.test_ministack_fixes import denied

Heard = Callable[[], list[dict[str, Any]]]


ALL = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


@pytest.fixture
def heard(request: pytest.FixtureRequest, local_aws: LocalAws) -> Iterator[tuple[str, Heard]]:
    """A role, and what a queue behind a rule has heard of it so far."""
    arn, name = role(local_aws, allow("sts:AssumeRole"), condition={}), unique("trail")
    events, sqs = local_aws.client("events"), local_aws.client("sqs")
    arn_of_queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    sends = {"Principal": {"Service": "events.amazonaws.com"}, "Effect": "Allow", "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**sends, "Resource": arn_of_queue}]})
    url = sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    pattern = {
        "source": ["aws.sts"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "eventSource": ["sts.amazonaws.com"],
            "eventName": ["AssumeRole"],
            # Of a refused call CloudTrail tells no parameters.
            "$or": [{"requestParameters": {"roleArn": [arn]}}, {"errorMessage": [{"wildcard": f"*{arn}*"}]}],
        },
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), State=getattr(request, "param", ALL))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn_of_queue}])
    found: list[dict[str, Any]] = []

    def so_far() -> list[dict[str, Any]]:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(json.loads(message["Body"]))
        return found

    yield arn, so_far
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)


@pytest.mark.parametrize(("heard", "told"), [("ENABLED", False), (ALL, True)], indirect=["heard"])
def test_who_is_told_of_a_call_that_counts_as_reading(
    heard: tuple[str, Heard], local_aws: LocalAws, told: bool
) -> None:
    arn, so_far = heard
    keys = local_aws.user(unique("user"), allow("sts:AssumeRole", arn))
    local_aws.client("sts", keys).assume_role(RoleArn=arn, RoleSessionName="ada")
    time.sleep(0.5)
    assert bool(so_far()) is told


def test_what_is_told_of_a_user(heard: tuple[str, Heard], local_aws: LocalAws) -> None:
    arn, so_far = heard
    name = unique("user")
    keys = local_aws.user(name, allow("sts:AssumeRole", arn))
    made = local_aws.client("sts", keys).assume_role(RoleArn=arn, RoleSessionName="ada", DurationSeconds=900)
    event = eventually(so_far)[0]
    assert (event["source"], event["detail-type"], event["region"]) == (
        "aws.sts",
        "AWS API Call via CloudTrail",
        REGION,
    )
    detail = event["detail"]
    told = {key: detail[key] for key in ("eventSource", "eventName", "awsRegion", "recipientAccountId", "eventType")}
    assert told == {
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "awsRegion": REGION,
        "recipientAccountId": ACCOUNT,
        "eventType": "AwsApiCall",
    }
    assert detail["requestParameters"] == {"roleArn": arn, "roleSessionName": "ada", "durationSeconds": 900}
    who = detail["userIdentity"]
    assert (who["type"], who["arn"], who["accountId"], who["userName"]) == (
        "IAMUser",
        f"arn:aws:iam::{ACCOUNT}:user/{name}",
        ACCOUNT,
        name,
    )
    assert detail["responseElements"] == {
        "assumedRoleUser": {
            "assumedRoleId": made["AssumedRoleUser"]["AssumedRoleId"],
            "arn": made["AssumedRoleUser"]["Arn"],
        }
    }
    assert "errorCode" not in detail
    assert made["Credentials"]["SecretAccessKey"] not in json.dumps(event)
    assert made["Credentials"]["SessionToken"] not in json.dumps(event)


def test_what_is_told_of_a_session_and_of_a_refusal(heard: tuple[str, Heard], local_aws: LocalAws) -> None:
    arn, so_far = heard
    deny = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": arn}
    nobody = local_aws.client("sts", local_aws.user(unique("nobody"), allow("sts:AssumeRole"), deny))
    denied(nobody.assume_role, RoleArn=arn, RoleSessionName="nobody")
    detail = eventually(so_far)[0]["detail"]
    assert (detail["errorCode"], detail["responseElements"]) == ("AccessDenied", None)
    assert detail["requestParameters"] is None
    other = role(local_aws, allow("sts:AssumeRole"), condition={})
    keys = session(local_aws.client("sts").assume_role(RoleArn=other, RoleSessionName="first"))
    local_aws.client("sts", keys).assume_role(RoleArn=arn, RoleSessionName="second")
    who = eventually(lambda: len(so_far()) > 1 and so_far())[1]["detail"]["userIdentity"]
    assert who["type"] == "AssumedRole"
    assert who["arn"].endswith("/first")
    issuer = who["sessionContext"]["sessionIssuer"]
    assert (issuer["type"], issuer["arn"], issuer["userName"]) == ("Role", other, other.rpartition("/")[2])
    assert who["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"


def test_only_the_region_of_the_call_hears_of_it(heard: tuple[str, Heard], local_aws: LocalAws) -> None:
    arn, so_far = heard
    local_aws.client("sts", region="eu-west-1").assume_role(RoleArn=arn, RoleSessionName="elsewhere")
    local_aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="here")
    names = [event["detail"]["requestParameters"]["roleSessionName"] for event in eventually(so_far)]
    assert names == ["here"]
