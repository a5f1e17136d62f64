# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells people comes, stays and goes as the settings say, by an installer with exactly the rendered policies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config
from local_estate import ACCOUNT, REGION, LocalAws, Person

from tests.e2e.estate import REPOSITORY, Estate, Run, new_estate

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:listeners"
SECRETS = {"ops": "xoxb-canary", "team": "canary-of-teams", "net": "canary-of-net"}
WORKFLOW = "https://localhost:1/workflows/1?api-version=2016-06-01&sp=%2Frun"
RECIPIENTS: list[dict[str, Any]] = [
    {"email": "ops@example.com"},
    {"email": "gone@example.com"},
    {"sqs": QUEUE, "events": ["failed"]},
    {"name": "ops", "slack": {"channel": "#ops", "url": "https://localhost:1/api"}},
    {"name": "team", "teams": {"url": WORKFLOW}},
    {"name": "chat", "chatbot": {"team_id": "T0123ABCD", "channel_id": "C0123ABCD"}},
]
NET: dict[str, Any] = {"name": "net", "webhook": {"url": "https://localhost:1/net"}}
ROLES = ["gitops-notices", "gitops-notices-chat", "gitops-notices-events"]


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """An estate that tells, before the first site.yml; its secrets are in a file of their own."""
    with LocalAws(tmp_path_factory.mktemp("local-aws-converge")).running() as aws:
        aws.command("authorize-slack", "T0123ABCD")
        directory = tmp_path_factory.mktemp("converge")
        stack = {"name": "network", "repository": REPOSITORY, "notifications": {"recipients": [NET]}}
        old = {"name": "old", "repository": REPOSITORY, "path": "old"}
        notifications = {"recipients": list(RECIPIENTS), "aws_rules": True}
        emails = ["ops@example.com", "oncall@example.com"]
        made, _repository = new_estate(aws, directory, [stack, old], notifications=notifications, alarm_emails=emails)
        (directory / "secrets.yml").write_text(yaml.safe_dump({"gitops_notification_secrets": SECRETS}))
        yield made


def site(estate: Estate, *arguments: str) -> Run:
    return estate.site("-e", f"@{estate.directory / 'secrets.yml'}", *arguments)


def chat_client(person: Person) -> Any:
    """A client of Amazon Q Developer in chat applications, which has endpoints in a few regions only."""
    return boto3.client(
        "chatbot",
        endpoint_url=person.endpoint_url,
        region_name="us-east-2",
        aws_access_key_id=person.access_key_id,
        aws_secret_access_key=person.secret_access_key,
        config=Config(proxies={}),
    )


def there(estate: Estate) -> dict[str, list[str]]:
    """The names of what tells people, by kind; kinds without any are left out."""
    person = estate.administrator
    events, chatbot = person.client("events"), chat_client(person)
    topics = [topic["TopicArn"].rpartition(":")[2] for topic in person.client("sns").list_topics()["Topics"]]
    channels = chatbot.describe_slack_channel_configurations()["SlackChannelConfigurations"]
    rules = person.client("codestar-notifications").list_notification_rules()["NotificationRules"]
    found = {
        "rules": [rule["Name"] for rule in events.list_rules(NamePrefix="gitops-notices")["Rules"]],
        "connections": [one["Name"] for one in events.list_connections()["Connections"]],
        "destinations": [one["Name"] for one in events.list_api_destinations()["ApiDestinations"]],
        "topics": [name for name in topics if name != "gitops-alarms"],
        "queues": [url.rpartition("/")[2] for url in person.client("sqs").list_queues().get("QueueUrls", [])],
        "alarms": [one["AlarmName"] for one in person.client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "machines": [one["name"] for one in person.client("stepfunctions").list_state_machines()["stateMachines"]],
        "roles": [
            one["RoleName"] for one in person.client("iam").list_roles()["Roles"] if "notices" in one["RoleName"]
        ],
        "channels": [one["ConfigurationName"] for one in channels],
        "aws_rules": [rule["Id"] for rule in rules],
    }
    return {kind: sorted(names) for kind, names in found.items() if names}


def subscriptions(estate: Estate) -> dict[str, str]:
    """The subscriptions of the topic: endpoint -> state or ARN."""
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:gitops-notices"
    found = estate.administrator.client("sns").list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    return {one["Endpoint"]: one["SubscriptionArn"] for one in found}


def test_check_of_an_empty_account_makes_nothing(estate: Estate) -> None:
    run = site(estate, "--check", "--diff")

    assert run.mutations == []
    assert there(estate) == {}
    assert not [secret for secret in SECRETS.values() if secret in run.output]


def test_a_secret_that_is_missing_is_named_before_anything_is_made(estate: Estate) -> None:
    secrets = {name: secret for name, secret in SECRETS.items() if name == "ops"}
    (estate.directory / "secrets.yml").write_text(yaml.safe_dump({"gitops_notification_secrets": secrets}))
    given = ("-e", f"@{estate.directory / 'secrets.yml'}")
    run = estate.playbook("site.yml", estate.installer, *given)
    (estate.directory / "secrets.yml").write_text(yaml.safe_dump({"gitops_notification_secrets": SECRETS}))

    assert run.failed
    assert run.mutations == []
    for name in ("net", "team"):
        assert f"gitops_notification_secrets.{name} is missing: the connection gitops-{name} is new." in run.text
    assert "gitops_notification_secrets.ops" not in run.text


def test_of_a_first_run_that_is_broken_off_nothing_stays_either(estate: Estate) -> None:
    person, iam = estate.installer, estate.administrator.client("iam")
    assert person is not None
    refused = {"Effect": "Deny", "Action": "codestar-notifications:CreateNotificationRule", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [refused]})
    iam.put_user_policy(UserName=person.name, PolicyName="broken-off", PolicyDocument=policy)
    run = estate.playbook("site.yml", person, "-e", f"@{estate.directory / 'secrets.yml'}")
    iam.delete_user_policy(UserName=person.name, PolicyName="broken-off")
    left = there(estate)
    notifications, stack = estate.settings.pop("notifications"), estate.stacks[0]
    of_stack = stack.pop("notifications")
    estate.site()
    after = there(estate)
    estate.settings["notifications"], stack["notifications"] = notifications, of_stack

    assert run.failed
    assert left["connections"] == left["destinations"] == ["gitops-net", "gitops-ops", "gitops-team"]
    assert left["channels"] == ["gitops-chat"]
    assert "gitops-notices-runs" not in left.get("rules", [])
    assert after == {}


def test_it_comes(estate: Estate) -> None:
    run = site(estate, "--diff", "-vvv")

    assert not [secret for secret in SECRETS.values() if secret in run.output]
    found = there(estate)
    assert found["rules"] == [
        f"gitops-notices-{part}"
        for part in (
            *("approvals", "break-glass", "locks", "runs"),
            *("to-chat", "to-net", "to-ops", "to-team", "undelivered"),
        )
    ]
    assert found["connections"] == found["destinations"] == ["gitops-net", "gitops-ops", "gitops-team"]
    assert found["topics"] == ["gitops-aws-notices", "gitops-chat-chat", "gitops-notices"]
    assert found["queues"] == found["alarms"] == ["gitops-undelivered"]
    assert found["machines"] == ["gitops-notices"]
    assert found["roles"] == ROLES
    assert found["channels"] == ["gitops-chat"]
    assert len(found["aws_rules"]) == 4
    assert set(subscriptions(estate)) == {"ops@example.com", "gone@example.com", QUEUE}
    told = "is told nothing before it confirms, by the link in the message that AWS has sent"
    assert all(f"{address} {told}" in run.text for address in ("ops@example.com", "oncall@example.com")), run.text


@pytest.mark.parametrize("topic", ["gitops-alarms", "gitops-aws-notices", "gitops-chat-chat", "gitops-notices"])
def test_nobody_says_something_in_its_place(estate: Estate, topic: str) -> None:
    sns = estate.administrator.client("sns")

    with pytest.raises(sns.exceptions.AuthorizationErrorException, match="explicit deny"):
        sns.publish(TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:{topic}", Message="All is well")


def test_a_second_run_changes_nothing(estate: Estate) -> None:
    run = site(estate)

    assert run.recap["changed"] == 0, run.output
    assert run.mutations == []


def test_without_its_secrets_nothing_changes_either(estate: Estate) -> None:
    run = estate.site()

    assert run.recap["changed"] == 0, run.output


def test_a_secret_is_written_again_on_request(estate: Estate) -> None:
    run = site(estate, "-e", "update_secrets=true")

    assert sorted(one.partition(" ")[0] for one in run.mutations) == ["events:UpdateConnection"] * 3


def test_who_is_taken_away_is_told_no_more(estate: Estate) -> None:
    recipients = estate.settings["notifications"]["recipients"]
    gone = ("ops", "chat", "gone@example.com", QUEUE)
    recipients[:] = [one for one in recipients if not {one.get("name"), one.get("email"), one.get("sqs")} & {*gone}]
    # Of a stack that goes, AWS's own rules go, too.
    old = estate.stacks.pop()
    # Another kind under the same name: nothing of the old one stays.
    recipients.append({"name": "ops", "chatbot": {"team_id": "T0123ABCD", "channel_id": "C0123ABCE"}})
    estate.settings["notifications"]["aws_rules"] = False
    secrets = {name: secret for name, secret in SECRETS.items() if name != "ops"}
    (estate.directory / "secrets.yml").write_text(yaml.safe_dump({"gitops_notification_secrets": secrets}))
    check = site(estate, "--check")
    run = site(estate)

    assert check.mutations == []
    assert run.mutations
    found = there(estate)
    assert [name for name in found["rules"] if "-to-" in name] == [
        f"gitops-notices-to-{n}" for n in ("net", "ops", "team")
    ]
    assert found["connections"] == found["destinations"] == ["gitops-net", "gitops-team"]
    assert found["topics"] == ["gitops-chat-ops", "gitops-notices"]
    assert found["channels"] == ["gitops-ops"]
    assert "aws_rules" not in found
    assert set(subscriptions(estate)) - {"gone@example.com"} == {"ops@example.com"}
    assert "is told until the next run: gone@example.com" in run.text
    again = site(estate)
    estate.stacks.append(old)
    assert again.recap["changed"] == 0, again.output
    assert again.mutations == []


def test_a_recipient_that_is_wrong_changes_nothing(estate: Estate) -> None:
    stack = estate.stacks[0]
    stack["notifications"]["recipients"] = [NET, {"name": "ops", "webhook": {"url": "http://localhost"}}]
    run = estate.playbook("site.yml", estate.installer, "-e", f"@{estate.directory / 'secrets.yml'}")
    stack["notifications"]["recipients"] = [NET]

    assert run.failed
    assert run.calls == []
    assert "stacks[0] (network).notifications.recipients[1].webhook.url: 'http://localhost' is not allowed" in run.text


def test_what_changes_only_with_its_secret_is_named_too(estate: Estate) -> None:
    stack = estate.stacks[0]
    stack["notifications"]["recipients"] = [{"name": "net", "webhook": {**NET["webhook"], "header": "X-Other"}}]
    run = estate.playbook("site.yml", estate.installer)
    stack["notifications"]["recipients"] = [NET]

    assert run.failed
    assert run.mutations == []
    assert "gitops_notification_secrets.net is missing: the connection gitops-net is there, but AWS takes" in run.text


def alarm_policy(estate: Estate) -> str:
    """The policy of the topic for alarms."""
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:gitops-alarms"
    return str(estate.administrator.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])


def test_what_is_not_sealed_keeps_the_topic_of_alarms(estate: Estate) -> None:
    sealed = alarm_policy(estate)
    estate.settings["sealed"] = False
    site(estate)
    unsealed, found = alarm_policy(estate), there(estate)
    again = site(estate)
    estate.settings["sealed"] = True
    site(estate)

    assert "events.amazonaws.com" in sealed
    assert "cloudwatch.amazonaws.com" in sealed
    assert "events.amazonaws.com" not in unsealed
    assert "cloudwatch.amazonaws.com" in unsealed
    assert "gitops-notices-break-glass" not in found["rules"]
    assert again.recap["changed"] == 0, again.output
    assert alarm_policy(estate) == sealed


def test_turned_off_nothing_stays(estate: Estate) -> None:
    notifications, stack = estate.settings.pop("notifications"), estate.stacks[0]
    of_stack = stack.pop("notifications")
    run = estate.site()
    after = there(estate)
    again = estate.site()
    estate.settings["notifications"], stack["notifications"] = notifications, of_stack

    assert run.mutations
    assert after == {}
    assert again.recap["changed"] == 0, again.output
    assert again.mutations == []
    reading = {call["action"] for call in again.calls}
    assert not reading & {"sqs:GetQueueUrl", "cloudwatch:DescribeAlarms", "events:ListConnections"}
    assert "cloudwatch" not in alarm_policy(estate)


def test_without_recipients_who_subscribes_hears(estate: Estate) -> None:
    notifications, stack = estate.settings["notifications"], estate.stacks[0]
    of_stack = stack.pop("notifications")
    estate.settings["notifications"] = {}
    estate.site()
    sqs, sns = (estate.administrator.client(service) for service in ("sqs", "sns"))
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:gitops-notices"
    sender = {"Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": QUEUE}
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **sender}]}
    url = sqs.create_queue(QueueName="listeners", Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE, Attributes={"RawMessageDelivery": "true"})
    again = estate.site()
    heard = estate.playbook("notify_test.yml", estate.installer)
    found, listeners = there(estate), set(subscriptions(estate))
    messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", [])
    sqs.delete_queue(QueueUrl=url)
    estate.settings["notifications"], stack["notifications"] = notifications, of_stack

    assert not [kind for kind in ("connections", "destinations", "channels", "aws_rules") if kind in found], found
    assert found["topics"] == found["machines"] == ["gitops-notices"]
    assert again.mutations == []
    assert listeners == {QUEUE}
    assert f"told: listeners (sqs, {QUEUE})" in heard.text
    assert [json.loads(message["Body"])["event"] for message in messages] == ["test"]


def test_teardown_takes_it_along(estate: Estate) -> None:
    site(estate)
    assert there(estate)
    run = estate.playbook("teardown.yml", estate.installer, confirm="gitops")

    assert not run.failed, run.output
    assert there(estate) == {}
    assert estate.administrator.client("sns").list_topics()["Topics"] == []
