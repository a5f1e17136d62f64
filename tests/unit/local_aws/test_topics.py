# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SNS refuses what AWS refuses, tells each subscriber in its own form, and keeps what is not delivered."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.receivers import Received, Receiver, certificate, receiver
from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, allow, eventually, server, unique
from tests.unit.local_aws.test_event_deliveries import ODD, Queue

SNS = "sns.amazonaws.com"
MINUTE = 0.6


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory, pem: Path) -> Iterator[LocalAws]:
    with server(tmp_path_factory.mktemp("topics"), MINUTE, SSL_CERT_FILE=str(pem)) as running:
        yield running


@pytest.fixture
def subscriber(pem: Path) -> Iterator[Receiver]:
    with receiver(pem) as running:
        yield running


class Topic:
    """A topic, and its subscriptions."""

    def __init__(self, aws: LocalAws, **attributes: str) -> None:
        self.aws, self.api, self.name = aws, aws.client("sns"), unique("topic")
        self.arn = str(self.api.create_topic(Name=self.name, Attributes=attributes)["TopicArn"])

    def subscribe(self, protocol: str, endpoint: str, **attributes: str) -> str:
        made = self.api.subscribe(
            TopicArn=self.arn,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
        return str(made["SubscriptionArn"])

    def queue(self, **attributes: str) -> Queue:
        """A queue that hears of the topic."""
        queue = Queue(self.aws, self.arn, SNS)
        self.subscribe("sqs", queue.arn, **attributes)
        return queue

    def publish(self, message: str = "hello", **more: Any) -> None:
        self.api.publish(TopicArn=self.arn, Message=message, **more)

    def confirmed(self, endpoint: Receiver, path: str, **attributes: str) -> str:
        """A subscription by HTTPS that its server has confirmed; its ARN."""
        self.subscribe("https", endpoint.url + path, **attributes)
        token = eventually(lambda: endpoint.at(path))[-1].json["Token"]
        return str(self.api.confirm_subscription(TopicArn=self.arn, Token=token)["SubscriptionArn"])


@pytest.fixture
def topic(local_aws: LocalAws) -> Topic:
    return Topic(local_aws)


def attributes(**values: str) -> dict[str, Any]:
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}


def notices(endpoint: Receiver, path: str) -> list[Received]:
    return [each for each in endpoint.at(path) if each.headers["x-amz-sns-message-type"] == "Notification"]


def test_each_protocol_has_its_own_message(topic: Topic, subscriber: Receiver) -> None:
    queue, raw = topic.queue(), topic.queue(RawMessageDelivery="true")
    topic.confirmed(subscriber, "/hook")
    message = {"default": "d", "sqs": json.dumps({"text": ODD}), "https": "for https"}
    topic.publish(
        json.dumps(message), MessageStructure="json", Subject="short", MessageAttributes=attributes(event="x")
    )
    (wrapped,), (plain,) = eventually(queue.messages), eventually(raw.messages)
    envelope = json.loads(wrapped["Body"])
    assert (json.loads(envelope["Message"]), envelope["Subject"]) == ({"text": ODD}, "short")
    assert json.loads(plain["Body"]) == {"text": ODD}
    assert plain["MessageAttributes"]["event"]["StringValue"] == "x"
    (notice,) = eventually(lambda: notices(subscriber, "/hook"))
    assert notice.json["Message"] == "for https"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"Message": "{}", "MessageStructure": "json"}, "No default entry"),
        ({"Message": "no JSON", "MessageStructure": "json"}, "failed to parse"),
        ({"Message": "m", "Subject": "two\nlines"}, "Subject"),
        ({"Message": "m", "Subject": "안녕"}, "Subject"),
        ({"Message": "m", "Subject": "x" * 101}, "Subject"),
        ({"Message": ""}, "Empty message"),
        ({"Message": "m", "MessageAttributes": attributes(stack="")}, "'stack' must contain non-empty"),
    ],
)
def test_a_wrong_message_is_refused(more: dict[str, Any], problem: str, topic: Topic) -> None:
    with pytest.raises(ClientError, match=problem):
        topic.api.publish(TopicArn=topic.arn, **more)


def test_filters_choose(topic: Topic) -> None:
    policy = {"$or": [{"event": ["failed"], "stack": ["network"]}, {"event": ["test", {"prefix": "a"}]}]}
    queue = topic.queue(FilterPolicy=json.dumps(policy), RawMessageDelivery="true")
    for event, stack in (("failed", "network"), ("failed", "other"), ("test", "other"), ("approval", "x"), ("z", "x")):
        topic.publish(f"{event} {stack}", MessageAttributes=attributes(event=event, stack=stack))
    found = eventually(queue.messages)
    assert {message["Body"] for message in found} == {"failed network", "test other", "approval x"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FilterPolicy", "no JSON"),
        ("FilterPolicy", '{"event": "failed"}'),
        ("RedrivePolicy", '{"deadLetterTargetArn": "x"}'),
        ("RedrivePolicy", "[]"),
    ],
)
def test_a_wrong_attribute_is_refused(name: str, value: str, topic: Topic) -> None:
    queue = Queue(topic.aws, topic.arn, SNS)
    with pytest.raises(ClientError, match=f"Invalid parameter: {name}"):
        topic.subscribe("sqs", queue.arn, **{name: value})
    arn = topic.subscribe("sqs", queue.arn)
    with pytest.raises(ClientError, match=f"Invalid parameter: {name}"):
        topic.api.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue=value)


def test_a_subscription_is_there_once(topic: Topic) -> None:
    queue = Queue(topic.aws, topic.arn, SNS)
    first = topic.subscribe("sqs", queue.arn, FilterPolicy='{"event": ["a"]}')
    assert topic.subscribe("sqs", queue.arn, FilterPolicy='{"event":["a"]}') == first
    with pytest.raises(ClientError, match="already exists with different attributes"):
        topic.subscribe("sqs", queue.arn, FilterPolicy='{"event": ["b"]}')


def test_a_server_hears_once_it_has_confirmed(topic: Topic, subscriber: Receiver) -> None:
    topic.subscribe("https", subscriber.url + "/hook")
    (asked,) = eventually(lambda: subscriber.at("/hook"))
    assert asked.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert asked.json["TopicArn"] == topic.arn
    topic.publish("too early")
    with pytest.raises(ClientError, match="Invalid token"):
        topic.api.confirm_subscription(TopicArn=topic.arn, Token="x" * 64)
    topic.subscribe("https", subscriber.url + "/hook")
    asked = eventually(lambda: len(found := subscriber.at("/hook")) == 2 and found)[1]
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked.json["SubscribeURL"]) as answer:
        assert answer.status == 200
    topic.publish(ODD)
    (notice,) = eventually(lambda: notices(subscriber, "/hook"))
    assert notice.json["Message"] == ODD
    assert notice.headers["x-amz-sns-topic-arn"] == topic.arn


def test_raw_delivery_to_a_server_is_the_message_alone(topic: Topic, subscriber: Receiver) -> None:
    topic.confirmed(subscriber, "/raw", RawMessageDelivery="true")
    topic.publish(ODD)
    (notice,) = eventually(lambda: notices(subscriber, "/raw"))
    assert (notice.body.decode(), notice.headers["x-amz-sns-rawdelivery"]) == (ODD, "true")


@pytest.mark.parametrize(
    ("statuses", "requests", "lost"), [([500, 429, 200], 3, ""), ([500], 4, "500"), ([403], 1, "403")]
)
def test_a_server_is_asked_again_and_what_it_never_takes_is_kept(
    statuses: list[int], requests: int, lost: str, topic: Topic, subscriber: Receiver
) -> None:
    letters = Queue(topic.aws, topic.arn, SNS)
    redrive = json.dumps({"deadLetterTargetArn": letters.arn})
    topic.confirmed(subscriber, "/hook", RedrivePolicy=redrive, RawMessageDelivery="true")
    subscriber.statuses = list(statuses)
    topic.publish(ODD)
    if lost:
        letter = letters.letter()
        assert (letter["body"], letter["ErrorCode"]) == (ODD, lost)
    else:
        eventually(lambda: len(notices(subscriber, "/hook")) == requests)
        time.sleep(1)
        assert letters.messages() == []
    assert len(notices(subscriber, "/hook")) == requests


@pytest.mark.parametrize("wrong", ["gone", "policy"])
def test_what_a_queue_does_not_take_is_kept(wrong: str, topic: Topic) -> None:
    letters = Queue(topic.aws, topic.arn, SNS)
    queue = Queue(topic.aws, topic.arn if wrong == "gone" else topic.arn + "-other", SNS)
    topic.subscribe("sqs", queue.arn, RedrivePolicy=json.dumps({"deadLetterTargetArn": letters.arn}))
    if wrong == "gone":
        queue.api.delete_queue(QueueUrl=queue.url)
    topic.publish(ODD)
    letter = letters.letter()
    assert json.loads(letter["body"])["Message"] == ODD
    assert letter["ErrorCode"] == {"gone": "NO_RESOURCE", "policy": "NO_PERMISSIONS"}[wrong]


def test_roles_publish_to_a_topic_under_a_key(local_aws: LocalAws) -> None:
    plain = Topic(local_aws, KmsMasterKeyId="alias/aws/sns")
    user = local_aws.user(unique("user"), allow("sns:Publish"))
    queue = plain.queue()
    local_aws.client("sns", user).publish(TopicArn=plain.arn, Message="hello")
    assert eventually(queue.messages)
    root = {**allow("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [root]})
    key = local_aws.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    own = Topic(local_aws, KmsMasterKeyId=key)
    with pytest.raises(ClientError, match=r"KMSAccessDenied.*kms:GenerateDataKey"):
        local_aws.client("sns", user).publish(TopicArn=own.arn, Message="hello")
    user = local_aws.user(unique("user"), allow("sns:Publish"), allow(["kms:GenerateDataKey*", "kms:Decrypt"], key))
    local_aws.client("sns", user).publish(TopicArn=own.arn, Message="hello")


# --- CloudWatch ---------------------------------------------------------------------------------------------------


def alarm(aws: LocalAws, queue: Queue, *actions: str, **more: Any) -> str:
    """An alarm on what waits in a queue; its name."""
    name = unique("alarm")
    settings: dict[str, Any] = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": queue.name}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": list(actions),
        **more,
    }
    aws.client("cloudwatch").put_metric_alarm(AlarmName=name, **settings)
    return name


def state(aws: LocalAws, name: str) -> str:
    return str(aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])


def let_cloudwatch(topic: Topic, source: str, account: str = ACCOUNT) -> None:
    condition = {"ArnLike": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": account}}
    statement = {
        **allow("sns:Publish", topic.arn, Condition=condition),
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    topic.api.set_topic_attributes(TopicArn=topic.arn, AttributeName="Policy", AttributeValue=policy)


def test_a_message_in_a_queue_is_an_alarm_that_a_topic_is_told(topic: Topic, local_aws: LocalAws) -> None:
    watched, other, told = Queue(local_aws), Queue(local_aws), topic.queue()
    name = alarm(local_aws, watched, topic.arn, OKActions=[topic.arn])
    let_cloudwatch(topic, f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}")
    quiet = alarm(local_aws, other, topic.arn)
    eventually(lambda: state(local_aws, name) == "OK")
    watched.api.send_message(QueueUrl=watched.url, MessageBody="lost")
    eventually(lambda: state(local_aws, name) == "ALARM")
    message = json.loads(json.loads(eventually(told.messages)[-1]["Body"])["Message"])
    assert (message["AlarmName"], message["NewStateValue"]) == (name, "ALARM")
    watched.api.purge_queue(QueueUrl=watched.url)
    eventually(lambda: state(local_aws, name) == "OK")
    assert json.loads(json.loads(eventually(told.messages)[0]["Body"])["Message"])["NewStateValue"] == "OK"
    assert state(local_aws, quiet) == "OK"


@pytest.mark.parametrize("wrong", ["account", "alarm", "key"])
def test_a_topic_is_told_where_its_policies_let_cloudwatch(wrong: str, local_aws: LocalAws) -> None:
    topic = Topic(local_aws, **({"KmsMasterKeyId": "alias/aws/sns"} if wrong == "key" else {}))
    watched, told = Queue(local_aws), topic.queue()
    arns = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:" + ("other" if wrong == "alarm" else "*")
    let_cloudwatch(topic, arns, "1" * 12 if wrong == "account" else ACCOUNT)
    watched.api.send_message(QueueUrl=watched.url, MessageBody="lost")
    name = alarm(local_aws, watched, topic.arn)
    eventually(lambda: state(local_aws, name) == "ALARM")
    log = local_aws.data / "server.log"
    eventually(lambda: f"alarm:{name} does not tell topic {topic.arn}" in log.read_text())
    assert told.messages() == []


@pytest.mark.parametrize(
    ("missing", "found"),
    [("breaching", "ALARM"), ("notBreaching", "OK"), ("missing", "INSUFFICIENT_DATA"), ("ignore", "INSUFFICIENT_DATA")],
)
def test_what_is_missing_counts_as_the_alarm_says(missing: str, found: str, local_aws: LocalAws) -> None:
    name = alarm(local_aws, Queue(local_aws), MetricName="NoSuchMetric", TreatMissingData=missing)
    time.sleep(2 * MINUTE)
    assert state(local_aws, name) == found


def test_as_many_periods_count_as_the_alarm_says(local_aws: LocalAws) -> None:
    watched = Queue(local_aws)
    patient = alarm(local_aws, watched, EvaluationPeriods=5, DatapointsToAlarm=5)
    hasty = alarm(local_aws, watched, EvaluationPeriods=5, DatapointsToAlarm=2)
    time.sleep(5 * MINUTE)
    watched.api.send_message(QueueUrl=watched.url, MessageBody="lost")
    eventually(lambda: state(local_aws, hasty) == "ALARM")
    assert state(local_aws, patient) == "OK"
    eventually(lambda: state(local_aws, patient) == "ALARM")
