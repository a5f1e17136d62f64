# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge hands events to state machines, queues, topics and API destinations, and tries again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.receivers import Receiver, certificate, receiver
from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, allow, eventually, server, unique

EVENTS = "events.amazonaws.com"
MINUTE = 1.2
ODD = 'it\'s "odd"\n\\ <text> & 안녕하세요'


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory, pem: Path) -> Iterator[LocalAws]:
    with server(tmp_path_factory.mktemp("deliveries"), MINUTE, SSL_CERT_FILE=str(pem)) as running:
        yield running


@pytest.fixture
def slack(pem: Path) -> Iterator[Receiver]:
    with receiver(pem) as running:
        yield running


class Queue:
    """A queue that lets a service send from one source."""

    def __init__(self, aws: LocalAws, source: str = "", service: str = EVENTS, **attributes: str) -> None:
        self.api, self.name = aws.client("sqs"), unique("queue")
        self.arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.name}"
        if source:
            statement = {
                **allow("sqs:SendMessage", self.arn, Condition={"ArnLike": {"aws:SourceArn": source}}),
                "Principal": {"Service": service},
            }
            attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.url = self.api.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]

    def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", [])
        return found

    def letter(self) -> dict[str, str]:
        """The attributes of the one message that comes, with its body."""
        (found,) = eventually(self.messages)
        return {
            **{name: value["StringValue"] for name, value in found["MessageAttributes"].items()},
            "body": found["Body"],
        }


class Rule:
    """A rule on a source of its own, with one target."""

    def __init__(self, aws: LocalAws) -> None:
        self.api, self.name = aws.client("events"), unique("rule")
        self.arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{self.name}"
        self.api.put_rule(Name=self.name, EventPattern=json.dumps({"source": [self.name]}))

    def target(self, arn: str, **more: Any) -> None:
        self.api.put_targets(Rule=self.name, Targets=[{"Id": "one", "Arn": arn, **more}])

    def send(self, detail: dict[str, Any] | None = None) -> None:
        entry = {"Source": self.name, "DetailType": "Notice", "Detail": json.dumps(detail or {})}
        assert self.api.put_events(Entries=[entry])["FailedEntryCount"] == 0


@pytest.fixture
def rule(local_aws: LocalAws) -> Rule:
    return Rule(local_aws)


def destination(aws: LocalAws, url: str, **connection: Any) -> str:
    """An API destination; its ARN."""
    api, name = aws.client("events"), unique("destination")
    key = {"ApiKeyName": "Authorization", "ApiKeyValue": "Bearer xoxb-secret"}
    authorization = {"AuthorizationType": "API_KEY", "AuthParameters": {"ApiKeyAuthParameters": key, **connection}}
    arn = api.create_connection(Name=name, **authorization)["ConnectionArn"]
    made = api.create_api_destination(Name=name, ConnectionArn=arn, InvocationEndpoint=url, HttpMethod="POST")
    return str(made["ApiDestinationArn"])


def caller(aws: LocalAws, *statements: dict[str, Any], service: str = EVENTS) -> str:
    return aws.role(unique("events"), service, *statements)


def may_invoke(aws: LocalAws, arn: str) -> str:
    return caller(aws, allow("events:InvokeApiDestination", arn.rpartition("/")[0] + "/*"))


# --- state machines -----------------------------------------------------------------------------------------------


def machine(aws: LocalAws, state: dict[str, Any] | None = None) -> str:
    """A state machine whose output is its input; its ARN."""
    definition = {"StartAt": "A", "States": {"A": state or {"Type": "Succeed"}}}
    made = aws.client("stepfunctions").create_state_machine(
        name=unique("machine"),
        definition=json.dumps(definition),
        roleArn=aws.role(unique("states"), "states.amazonaws.com"),
    )
    return str(made["stateMachineArn"])


def executions(aws: LocalAws, arn: str) -> list[dict[str, Any]]:
    api = aws.client("stepfunctions")
    found = api.list_executions(stateMachineArn=arn)["executions"]
    return [api.describe_execution(executionArn=each["executionArn"]) for each in found]


def test_an_event_starts_a_state_machine_as_the_targets_role(rule: Rule, local_aws: LocalAws) -> None:
    arn = machine(local_aws)
    rule.target(arn, RoleArn=caller(local_aws, allow("states:StartExecution", arn)))
    rule.send({"text": ODD})
    (execution,) = eventually(lambda: executions(local_aws, arn))
    assert json.loads(execution["input"])["detail"] == {"text": ODD}
    assert json.loads(execution["input"])["source"] == rule.name


@pytest.mark.parametrize(
    ("wrong", "code"), [("permission", "NO_PERMISSIONS"), ("trust", "FAILED_TO_ASSUME_ROLE"), ("gone", "NO_RESOURCE")]
)
def test_what_does_not_start_is_a_dead_letter_at_once(wrong: str, code: str, rule: Rule, local_aws: LocalAws) -> None:
    arn, letters = machine(local_aws), Queue(local_aws, rule.arn)
    may = allow("states:StartExecution", arn if wrong != "permission" else "arn:aws:states:::x")
    role = caller(local_aws, may, service=EVENTS if wrong != "trust" else "states.amazonaws.com")
    if wrong == "gone":
        api = local_aws.client("stepfunctions")
        api.delete_state_machine(stateMachineArn=arn)
        eventually(lambda: arn not in [each["stateMachineArn"] for each in api.list_state_machines()["stateMachines"]])
    rule.target(arn, RoleArn=role, DeadLetterConfig={"Arn": letters.arn})
    rule.send({"text": ODD})
    letter = letters.letter()
    assert (letter["ERROR_CODE"], letter["RULE_ARN"], letter["TARGET_ARN"]) == (code, rule.arn, arn)
    assert letter["ERROR_MESSAGE"]
    assert "EXHAUSTED_RETRY_CONDITION" not in letter
    assert json.loads(letter["body"])["detail"] == {"text": ODD}


def test_executions_tell_eventbridge_how_they_end(local_aws: LocalAws) -> None:
    rule = Rule(local_aws)
    fails = machine(local_aws, {"Type": "Fail", "Error": "No", "Cause": "because"})
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [fails], "status": ["FAILED", "TIMED_OUT"]}}
    rule.api.put_rule(Name=rule.name, EventPattern=json.dumps(pattern))
    queue = Queue(local_aws, rule.arn)
    rule.target(queue.arn)
    started = local_aws.client("stepfunctions").start_execution(stateMachineArn=fails, input='{"a": 1}')
    (message,) = eventually(queue.messages)
    event = json.loads(message["Body"])
    assert (event["detail-type"], event["resources"]) == (
        "Step Functions Execution Status Change",
        [started["executionArn"]],
    )
    detail = event["detail"]
    assert (detail["status"], detail["error"], detail["cause"], detail["input"]) == (
        "FAILED",
        "No",
        "because",
        '{"a": 1}',
    )
    assert queue.messages() == []


@pytest.mark.parametrize("kind", ["machine", "destination"])
def test_a_target_needs_a_role_that_the_caller_may_pass(kind: str, rule: Rule, local_aws: LocalAws) -> None:
    arn = machine(local_aws) if kind == "machine" else destination(local_aws, "https://127.0.0.1:1/")
    role = caller(local_aws, allow("*"))
    with pytest.raises(ClientError, match=f"ValidationException.*RoleArn is required for target {arn}"):
        rule.target(arn)
    passing = allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": EVENTS}})
    for statements, allowed in (([allow("events:*")], False), ([allow("events:*"), passing], True)):
        api = local_aws.client("events", local_aws.user(unique("user"), *statements))
        targets = [{"Id": "a", "Arn": arn, "RoleArn": role}]
        if allowed:
            api.put_targets(Rule=rule.name, Targets=targets)
        else:
            with pytest.raises(ClientError, match="iam:PassRole"):
                api.put_targets(Rule=rule.name, Targets=targets)


# --- queues and topics --------------------------------------------------------------------------------------------


def test_a_queue_is_told_if_its_policy_lets_the_rule_send(rule: Rule, local_aws: LocalAws) -> None:
    letters = Queue(local_aws, rule.arn)
    for source, arrives in ((rule.arn, True), (rule.arn + "-other", False), ("", False)):
        queue = Queue(local_aws, source)
        rule.target(queue.arn, DeadLetterConfig={"Arn": letters.arn})
        rule.send({"text": ODD})
        if arrives:
            (message,) = eventually(queue.messages)
            assert json.loads(message["Body"])["detail"]["text"] == ODD
        else:
            assert letters.letter()["ERROR_CODE"] == "NO_PERMISSIONS"
            assert queue.messages() == []


def test_the_key_of_a_queue_must_let_eventbridge_use_it(rule: Rule, local_aws: LocalAws) -> None:
    root = {**allow("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    service = {**allow(["kms:GenerateDataKey", "kms:Decrypt"]), "Principal": {"Service": EVENTS}}
    kms = local_aws.client("kms")
    for statements, arrives in (([root], False), ([root, service], True)):
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        key = kms.create_key(Policy=policy)["KeyMetadata"]["KeyId"]
        queue, letters = Queue(local_aws, rule.arn, KmsMasterKeyId=key), Queue(local_aws, rule.arn)
        rule.target(queue.arn, DeadLetterConfig={"Arn": letters.arn})
        rule.send()
        assert eventually((queue if arrives else letters).messages)
        assert (letters if arrives else queue).messages() == []


def test_a_dead_letter_queue_must_let_the_rule_send(rule: Rule, local_aws: LocalAws) -> None:
    letters = Queue(local_aws)
    rule.target(f"arn:aws:sqs:{REGION}:{ACCOUNT}:none-such", DeadLetterConfig={"Arn": letters.arn})
    rule.send()
    log = local_aws.data / "server.log"
    eventually(lambda: f"rule {rule.arn} has no use of its dead-letter queue" in log.read_text())
    assert letters.messages() == []


def test_a_topic_under_awss_own_key_takes_nothing_from_eventbridge(rule: Rule, local_aws: LocalAws) -> None:
    sns = local_aws.client("sns")
    for attributes, arrives in (({}, True), ({"KmsMasterKeyId": "alias/aws/sns"}, False)):
        topic = sns.create_topic(Name=unique("topic"), Attributes=attributes)["TopicArn"]
        statement = {**allow("sns:Publish", topic), "Principal": {"Service": EVENTS}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        queue, letters = Queue(local_aws, topic, "sns.amazonaws.com"), Queue(local_aws, rule.arn)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
        rule.target(topic, DeadLetterConfig={"Arn": letters.arn})
        rule.send()
        assert eventually((queue if arrives else letters).messages)
        assert (letters if arrives else queue).messages() == []


# --- API destinations ---------------------------------------------------------------------------------------------


def test_an_api_destination_is_called_with_the_connections_secret(
    rule: Rule, slack: Receiver, local_aws: LocalAws
) -> None:
    secret = {"QueryStringParameters": [{"Key": "sig", "Value": "s3cret", "IsValueSecret": True}]}
    arn = destination(local_aws, f"{slack.url}/api/chat.postMessage", InvocationHttpParameters=secret)
    transformer = {
        "InputPathsMap": {"text": "$.detail.text", "first": "$.detail.list[0]", "all": "$.detail.list"},
        "InputTemplate": '{"channel": "#ops", "text": <text>, "first": <first>, "all": <all>}',
    }
    rule.target(arn, RoleArn=may_invoke(local_aws, arn), InputTransformer=transformer)
    rule.send({"text": ODD, "list": ["<text>", 2]})

    (request,) = eventually(lambda: slack.requests)

    assert request.json == {"channel": "#ops", "text": ODD, "first": "<text>", "all": ["<text>", 2]}
    assert request.headers["authorization"] == "Bearer xoxb-secret"
    assert request.query == {"sig": ["s3cret"]}
    time.sleep(0.5)
    assert len(slack.requests) == 1
    name = arn.split("/")[1]
    described = json.dumps(local_aws.client("events").describe_connection(Name=name), default=str)
    assert "xoxb-secret" not in described
    assert "s3cret" not in described


def test_a_part_of_the_event_is_sent_as_it_is(rule: Rule, slack: Receiver, local_aws: LocalAws) -> None:
    arn = destination(local_aws, slack.url)
    rule.target(arn, RoleArn=may_invoke(local_aws, arn), InputPath="$.detail.bodies.slack")
    body = {"channel": "#ops", "text": ODD, "blocks": [1, None, {"a": "b"}]}
    rule.send({"bodies": {"slack": body}})
    (request,) = eventually(lambda: slack.requests)
    assert request.json == body


@pytest.mark.parametrize("status", [401, 407, 409, 429, 500, 503])
def test_what_may_do_better_is_tried_again(status: int, rule: Rule, slack: Receiver, local_aws: LocalAws) -> None:
    arn = destination(local_aws, slack.url)
    slack.statuses = [status, status, 200]
    rule.target(arn, RoleArn=may_invoke(local_aws, arn))
    rule.send()
    eventually(lambda: len(slack.requests) == 3)
    time.sleep(0.5)
    assert len(slack.requests) == 3


@pytest.mark.parametrize("status", [302, 400, 403, 404])
def test_what_is_refused_is_a_dead_letter_at_once(
    status: int, rule: Rule, slack: Receiver, local_aws: LocalAws
) -> None:
    arn, letters = destination(local_aws, slack.url), Queue(local_aws, rule.arn)
    slack.statuses = [status]
    rule.target(arn, RoleArn=may_invoke(local_aws, arn), DeadLetterConfig={"Arn": letters.arn})
    rule.send()
    assert f"HTTP {status}" in letters.letter()["ERROR_MESSAGE"]
    assert len(slack.requests) == 1


@pytest.mark.parametrize(
    ("policy", "condition"),
    [
        ({"MaximumRetryAttempts": 2}, "MaximumRetryAttempts"),
        ({"MaximumEventAgeInSeconds": 60}, "MaximumEventAgeInSeconds"),
    ],
)
def test_tries_come_to_an_end(
    policy: dict[str, int], condition: str, rule: Rule, slack: Receiver, local_aws: LocalAws
) -> None:
    arn, letters = destination(local_aws, slack.url), Queue(local_aws, rule.arn)
    slack.statuses = [500]
    more = {"DeadLetterConfig": {"Arn": letters.arn}, "RetryPolicy": policy}
    rule.target(arn, RoleArn=may_invoke(local_aws, arn), **more)
    rule.send()
    assert letters.letter()["EXHAUSTED_RETRY_CONDITION"] == condition
    assert len(slack.requests) == (3 if condition == "MaximumRetryAttempts" else 6)


def test_what_cannot_be_reached_is_tried_again(rule: Rule, local_aws: LocalAws) -> None:
    arn, letters = destination(local_aws, "https://127.0.0.1:1/"), Queue(local_aws, rule.arn)
    more = {"DeadLetterConfig": {"Arn": letters.arn}, "RetryPolicy": {"MaximumRetryAttempts": 1}}
    rule.target(arn, RoleArn=may_invoke(local_aws, arn), **more)
    rule.send()
    letter = letters.letter()
    assert (letter["ERROR_CODE"], letter["EXHAUSTED_RETRY_CONDITION"]) == ("CONNECTION_FAILURE", "MaximumRetryAttempts")


def test_the_role_must_be_allowed_to_call_it(rule: Rule, slack: Receiver, local_aws: LocalAws) -> None:
    arn, letters = destination(local_aws, slack.url), Queue(local_aws, rule.arn)
    role = caller(local_aws, allow("events:InvokeApiDestination", arn + "-other"))
    rule.target(arn, RoleArn=role, DeadLetterConfig={"Arn": letters.arn})
    rule.send()
    assert letters.letter()["ERROR_CODE"] == "NO_PERMISSIONS"
    assert slack.requests == []


def test_endpoints_are_called_by_https_alone(local_aws: LocalAws) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*HTTPS"):
        destination(local_aws, "http://127.0.0.1:1/")
    arn = destination(local_aws, "https://127.0.0.1:1/")
    with pytest.raises(ClientError, match=r"ValidationException.*HTTPS"):
        local_aws.client("events").update_api_destination(Name=arn.split("/")[1], InvocationEndpoint="http://a/")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"InputTransformer": {"InputTemplate": '{"a": <b>}'}}, "invalid placeholder b"),
        ({"InputTransformer": {"InputTemplate": "x" * 8193}}, "less than or equal to 8192"),
        ({"RetryPolicy": {"MaximumRetryAttempts": 186}}, "less than or equal to 185"),
        ({"RetryPolicy": {"MaximumEventAgeInSeconds": 86401}}, "less than or equal to 86400"),
        ({"DeadLetterConfig": {"Arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"}}, "no standard queue"),
    ],
)
def test_a_wrong_target_is_refused(more: dict[str, Any], problem: str, rule: Rule, local_aws: LocalAws) -> None:
    with pytest.raises(ClientError, match=rf"ValidationException.*{problem}"):
        rule.target(Queue(local_aws).arn, **more)


def test_a_template_that_makes_no_json_is_a_dead_letter(rule: Rule, local_aws: LocalAws) -> None:
    queue, letters = Queue(local_aws, rule.arn), Queue(local_aws, rule.arn)
    transformer = {"InputPathsMap": {"text": "$.detail.text"}, "InputTemplate": '{"text": "said <text>"}'}
    rule.target(queue.arn, InputTransformer=transformer, DeadLetterConfig={"Arn": letters.arn})
    rule.send({"text": "plain"})
    (message,) = eventually(queue.messages)
    assert json.loads(message["Body"]) == {"text": "said plain"}
    rule.send({"text": 'a "quote"'})
    assert letters.letter()["ERROR_CODE"] == "INVALID_JSON"
