# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test notice: it is sent once, and what became of it is told as far as it can be seen."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules.cases import allow, document, trust
from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, unique

ROOT = Path(__file__).resolve().parents[3]

Result = dict[str, Any]
URL = "https://127.0.0.1:9/services/canary?sig=canary"


@dataclass
class Estate:
    """What sends notices, made small; `topic`, `queue` and `machine` are ARNs."""

    account: Account
    name: str
    topic: str
    queue: str
    machine: str
    role: str
    undo: list[Callable[[], Any]] = field(default_factory=list)

    def run(self, **arguments: Any) -> Result:
        return self.account.run("notification_test", **{"name": self.name, "delivery_seconds": 3, **arguments})

    def inbox(self) -> str:
        """A queue that has subscribed; its name."""
        name = unique("inbox")
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        policy = json.dumps(open_to("sns.amazonaws.com", arn))
        url = self.account.root("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
        self.undo.append(lambda: self.account.root("sqs").delete_queue(QueueUrl=url))
        self.subscribe("sqs", arn)
        return name

    def subscribe(self, protocol: str, endpoint: str) -> None:
        attributes = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": self.queue})}
        attributes.update({"RawMessageDelivery": "true"} if protocol == "sqs" else {})
        self.account.root("sns").subscribe(
            TopicArn=self.topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes
        )

    def destination(self, name: str) -> str:
        """A recipient behind an API destination; the ARN of that."""
        events, full = self.account.root("events"), f"{self.name}-{name}"
        key = {"ApiKeyAuthParameters": {"ApiKeyName": "Authorization", "ApiKeyValue": "canary"}}
        connection = events.create_connection(Name=full, AuthorizationType="API_KEY", AuthParameters=key)
        made = events.create_api_destination(
            Name=full, ConnectionArn=connection["ConnectionArn"], InvocationEndpoint=URL, HttpMethod="POST"
        )
        self.undo += [
            lambda: events.delete_api_destination(Name=full),
            lambda: events.delete_connection(Name=full),
        ]
        return str(made["ApiDestinationArn"])

    def rule(self, name: str, target: str, **settings: Any) -> None:
        """The rule that tells a recipient."""
        events, full = self.account.root("events"), f"{self.name}-notices-to-{name}"
        pattern = {"source": ["gitops.aws"], "detail": {"estate": [self.name]}}
        events.put_rule(Name=full, EventPattern=json.dumps(pattern), **settings)
        self.undo.append(lambda: events.delete_rule(Name=full))
        if target:
            role = {"RoleArn": self.role} if ":events:" in target else {}
            dead = {"DeadLetterConfig": {"Arn": self.queue}, "RetryPolicy": {"MaximumRetryAttempts": 0}}
            events.put_targets(Rule=full, Targets=[{"Id": "1", "Arn": target, **dead, **role}])
            self.undo.append(lambda: events.remove_targets(Rule=full, Ids=["1"]))


def open_to(service: str | list[str], queue: str) -> dict[str, Any]:
    """The policy of a queue that services may send to."""
    return document(
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sqs:SendMessage", "Resource": queue}
    )


def publishing(name: str, topic: str) -> dict[str, Any]:
    """A machine that hands a notice over as ours does: to the topic, and to the default bus."""
    notice = {"event": "test", "estate": name, "text": "{% $states.context.Execution.Input.test.comment %}"}
    entry = {"Source": "gitops.aws", "DetailType": "Notice", "Detail": "{% $string($states.input) %}"}
    return {
        "QueryLanguage": "JSONata",
        "StartAt": "Compose",
        "States": {
            "Compose": {"Type": "Pass", "Output": notice, "Next": "Publish"},
            "Publish": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:sns:publish",
                "Arguments": {"TopicArn": topic, "Message": "{% $string($states.input) %}"},
                "Output": "{% $states.input %}",
                "Next": "Put",
            },
            "Put": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:eventbridge:putEvents",
                "Arguments": {"Entries": [entry]},
                "End": True,
            },
        },
    }


@pytest.fixture
def estate(account: Account) -> Iterator[Estate]:
    name = unique("estate")
    iam, sns, sqs = account.root("iam"), account.root("sns"), account.root("sqs")
    roles = []
    for service, action in (
        ("states", ["sns:Publish", "events:PutEvents"]),
        ("events", ["events:InvokeApiDestination"]),
    ):
        role = f"{name}-{service}"
        made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust(f"{service}.amazonaws.com")))
        iam.put_role_policy(
            RoleName=role, PolicyName="all", PolicyDocument=json.dumps(document({**allow(""), "Action": action}))
        )
        roles.append(made["Role"]["Arn"])
    topic = sns.create_topic(Name=f"{name}-notices")["TopicArn"]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-undelivered"
    policy = json.dumps(open_to(["sns.amazonaws.com", "events.amazonaws.com"], queue))
    url = sqs.create_queue(QueueName=f"{name}-undelivered", Attributes={"Policy": policy})["QueueUrl"]
    machine = {"name": f"{name}-notices", "definition": publishing(name, topic), "role_arn": roles[0]}
    made = account.run("stepfunctions_state_machines", state_machines=[machine])
    estate = Estate(account, name, topic, queue, made["resources"][f"{name}-notices"]["arn"], roles[1])
    yield estate
    for undo in reversed(estate.undo):
        undo()
    account.root("stepfunctions").delete_state_machine(stateMachineArn=estate.machine)
    sns.delete_topic(TopicArn=topic)
    sqs.delete_queue(QueueUrl=url)


def received(account: Account, queue: str) -> list[dict[str, Any]]:
    sqs = account.root("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def states(result: Result) -> dict[str, str]:
    return {each["name"]: each["state"] for each in result["recipients"]}


def test_it_is_sent_once_and_what_waits_is_named(estate: Estate) -> None:
    inbox = estate.inbox()
    estate.subscribe("email", "platform@example.com")
    estate.rule("ops", estate.destination("ops"), State="ENABLED")
    estate.undo.pop()()  # nobody is there to answer, and this is about what is known before

    result = estate.run()

    assert result["changed"]
    assert result["sent"]
    assert result["execution"].startswith(f"{estate.machine.replace(':stateMachine:', ':execution:')}:test-")
    assert states(result) == {inbox: "told", "platform@example.com": "pending", "ops": "failed"}
    mail, queue, ops = result["recipients"]
    assert "Fix: open the link in AWS's mail" in mail["why"]
    assert queue["why"] == f"SNS has it, and puts what it cannot deliver into the queue {estate.name}-undelivered"
    assert "no API destination" in ops["why"]
    assert result["undelivered"] == 0
    assert result["msg"] == "The test notice was sent to 3 recipients: 1 told, 1 pending, 1 failed."
    (notice,) = received(estate.account, inbox)
    assert notice["event"] == "test"
    assert notice["text"] == f"Sent by arn:aws:iam::{ACCOUNT}:user/modules"


def test_check_mode_sends_nothing(estate: Estate) -> None:
    inbox = estate.inbox()
    estate.subscribe("email", "platform@example.com")

    result = estate.run(check=True)

    assert result["mutations"] == []
    assert result["changed"]
    assert not result["sent"]
    assert states(result) == {inbox: "unknown", "platform@example.com": "pending"}
    assert result["msg"] == "Check mode: a test notice would go to 2 recipients. Nothing was sent."
    assert received(estate.account, inbox) == []


def test_whom_alarms_cannot_tell_yet_is_named(estate: Estate) -> None:
    inbox, sns = estate.inbox(), estate.account.root("sns")
    alarms = sns.create_topic(Name=f"{estate.name}-alarms")["TopicArn"]
    estate.undo.append(lambda: sns.delete_topic(TopicArn=alarms))
    sns.subscribe(TopicArn=alarms, Protocol="email", Endpoint="oncall@example.com")
    # It is told of alarms, and a test notice is none.
    sns.subscribe(TopicArn=alarms, Protocol="sqs", Endpoint=estate.queue)

    result = estate.run(check=True)

    assert states(result) == {inbox: "unknown", "oncall@example.com": "pending"}
    (oncall,) = [each for each in result["recipients"] if each["state"] == "pending"]
    assert oncall["why"].startswith(
        "AWS has asked for a confirmation to hear alarms, and waits for it. Fix: open the link"
    )


def test_what_is_not_delivered_is_said_with_its_reason(estate: Estate) -> None:
    inbox, destination = estate.inbox(), estate.destination("ops")
    estate.rule("ops", destination)
    estate.account.root("iam").delete_role_policy(RoleName=estate.role.rpartition("/")[2], PolicyName="all")
    # It is there since yesterday, and is nobody's failure of today.
    sqs = estate.account.root("sqs")
    url = sqs.get_queue_url(QueueName=f"{estate.name}-undelivered")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")

    result = estate.run()

    assert states(result) == {inbox: "told", "ops": "failed"}
    (ops,) = [each for each in result["recipients"] if each["name"] == "ops"]
    assert ops["why"].startswith("EventBridge could not deliver it: NO_PERMISSIONS")
    assert ops["endpoint"] == "https://127.0.0.1:9/..."
    assert "canary" not in json.dumps(result)
    assert result["undelivered"] == 2
    assert f"To the queue {estate.name}-undelivered came, undelivered: 1." in result["msg"]
    assert f"Older messages in the queue {estate.name}-undelivered: 1." in result["msg"]
    # They are still there for who looks into it.
    assert len(received(estate.account, f"{estate.name}-undelivered")) == 2


def test_who_may_not_read_the_dead_letters_is_told_that_there_are_some(estate: Estate) -> None:
    inbox = estate.inbox()
    estate.rule("ops", estate.destination("ops"))
    estate.account.root("iam").delete_role_policy(RoleName=estate.role.rpartition("/")[2], PolicyName="all")
    url = estate.account.root("sqs").get_queue_url(QueueName=f"{estate.name}-undelivered")["QueueUrl"]
    everything = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": estate.queue}
    nothing = {"Effect": "Deny", "Principal": "*", "Action": "sqs:ReceiveMessage", "Resource": estate.queue}
    policy = json.dumps(document(everything, nothing))
    estate.account.root("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    result = estate.run()

    assert states(result) == {inbox: "unknown", "ops": "unknown"}
    assert result["recipients"][0]["why"].endswith("and sqs:ReceiveMessage is not allowed")


def test_a_queue_that_is_gone_is_found_by_its_dead_letter(estate: Estate) -> None:
    inbox = estate.inbox()
    estate.undo.pop(0)()

    result = estate.run()

    assert states(result) == {inbox: "failed"}
    assert result["undelivered"] == 1
    other = estate.inbox()
    assert states(estate.run()) == {inbox: "unknown", other: "unknown"}


@pytest.mark.parametrize("state", ["ENABLED", "DISABLED"])
def test_what_stands_in_the_way_of_a_rule(estate: Estate, state: str) -> None:
    estate.rule("ops", estate.destination("ops"), State=state)
    estate.rule("empty", "")
    chat = estate.account.root("sns").create_topic(Name=f"{estate.name}-chat")["TopicArn"]
    estate.undo.append(lambda: estate.account.root("sns").delete_topic(TopicArn=chat))
    estate.rule("chat", chat)

    result = estate.run(check=True)

    found = {each["name"]: (each["kind"], each["state"], each["why"]) for each in result["recipients"]}
    assert found["empty"][1:] == ("failed", "there is no API destination for it. Fix: run gitops.aws.site")
    assert found["chat"][:2] == ("chatbot", "failed")
    assert found["ops"][:2] == ("api_destination", "unknown" if state == "ENABLED" else "failed")
    estate.account.root("events").deauthorize_connection(Name=f"{estate.name}-ops")
    (ops,) = [each for each in estate.run(check=True)["recipients"] if each["name"] == "ops"]
    assert ops["state"] == "failed"
    assert ("DEAUTHORIZED" in ops["why"]) == (state == "ENABLED")


def test_a_machine_that_fails_is_a_failure_with_its_reason(estate: Estate) -> None:
    estate.inbox()
    estate.account.root("sns").delete_topic(TopicArn=estate.topic)

    with pytest.raises(ModuleFailed, match=r"not sent: the state machine ended as FAILED, Sns\.") as failure:
        estate.run()

    assert not failure.value.result["sent"]
    estate.account.root("sns").create_topic(Name=f"{estate.name}-notices")


def test_waiting_has_an_end(estate: Estate) -> None:
    waiting = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 20, "End": True}}}
    machine = {"name": f"{estate.name}-notices", "definition": waiting}
    estate.account.run("stepfunctions_state_machines", state_machines=[machine])
    inbox = estate.inbox()

    with pytest.raises(ModuleFailed, match="not done within 1 seconds") as failure:
        estate.run(wait_timeout=1)

    assert states(failure.value.result) == {inbox: "unknown"}


def test_where_there_are_no_notifications_it_says_so(account: Account) -> None:
    with pytest.raises(
        ModuleFailed, match=r"there is no state machine none-notices, .*Fix: give gitops_settings notif"
    ):
        account.run("notification_test", name="none")


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": "a b"}, "name: "),
        ({"wait_timeout": -1}, "wait_timeout: -1"),
        ({"delivery_seconds": 601}, "delivery_seconds: 601"),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, options: dict[str, Any], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("notification_test", **{"name": "x", **options})

    assert path in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result


def test_the_playbook_says_a_line_for_each_and_fails_where_somebody_is_not_told(estate: Estate, tmp_path: Path) -> None:
    account, inbox = estate.account, estate.inbox()

    def play(*arguments: str, **settings: Any) -> tuple[bool, str]:
        given = {
            "name": estate.name,
            "region": REGION,
            "connection": "github",
            "installers": ["role/platform"],
            "notifications": {"recipients": [{"email": "platform@example.com"}]},
            **settings,
        }
        (tmp_path / "your.yml").write_text(json.dumps({"gitops_settings": given, "gitops_stacks": []}))
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "playbooks" / "ansible.cfg"),
            "AWS_ENDPOINT_URL": account.endpoint_url,
            "AWS_ACCESS_KEY_ID": account.caller["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": account.caller["SecretAccessKey"],
        }
        line = ["ansible-playbook", "gitops.aws.notify_test", "-e", "@your.yml", *arguments]
        ended = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return ended.returncode == 0, ended.stdout + ended.stderr

    worked, text = play()
    assert worked, text
    assert f"told: {inbox} (sqs, arn:aws:sqs:{REGION}:{ACCOUNT}:{inbox}): SNS has it" in text
    assert len(received(account, inbox)) == 1

    estate.subscribe("email", "platform@example.com")
    worked, text = play("--check")
    assert not worked
    assert "Check mode: a test notice would go to 2 recipients. Nothing was sent." in text
    assert "pending: platform@example.com (email): AWS has asked for a confirmation" in text
    assert "Not told: platform@example.com." in text
    assert received(account, inbox) == []

    worked, text = play(notifications=None)
    assert not worked
    assert "gitops_settings.notifications: it is not given" in text
