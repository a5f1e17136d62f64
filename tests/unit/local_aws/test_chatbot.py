# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chatbot: channels of Slack that hear topics, and what they show."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.chatbot import ENDPOINT, understood
from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, Running, allow, eventually, unique

HOME = "us-east-2"
TEAM = "T0123ABCD"
CUSTOM = {
    "version": "1.0",
    "source": "custom",
    "content": {"textType": "client-markdown", "title": "network", "description": "It failed: 한국어"},
}


@pytest.fixture
def role(local_aws: LocalAws) -> str:
    return local_aws.role(unique("chat"), "chatbot.amazonaws.com", allow("cloudwatch:Describe*"))


@pytest.fixture
def channel(local_aws: LocalAws, role: str) -> Callable[..., Any]:
    """Makes a configuration; what AWS answers."""
    local_aws.command("authorize-slack", TEAM)

    def made(**more: Any) -> Any:
        wanted = {
            "ConfigurationName": unique("channel"),
            "SlackTeamId": TEAM,
            "SlackChannelId": "C0123ABCD",
            "IamRoleArn": role,
            **more,
        }
        return local_aws.client("chatbot", region=HOME).create_slack_channel_configuration(**wanted)[
            "ChannelConfiguration"
        ]

    return made


def topic(local_aws: LocalAws) -> str:
    return str(local_aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"])


def subscribed(local_aws: LocalAws, arn: str) -> list[str]:
    listed = local_aws.client("sns").list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    return [each["Endpoint"] for each in listed if each["SubscriptionArn"].startswith("arn:")]


def shown(local_aws: LocalAws, name: str) -> list[dict[str, Any]]:
    """What a channel was told so far."""
    file = local_aws.data / "chat_messages.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [line for line in lines if line["configuration"] == name]


def test_a_channel_from_creation_to_deletion(channel: Callable[..., Any], local_aws: LocalAws, role: str) -> None:
    api, first, second = local_aws.client("chatbot", region="eu-west-1"), topic(local_aws), topic(local_aws)
    made = channel(SnsTopicArns=[first], Tags=[{"TagKey": "a", "TagValue": "1"}])
    arn = made["ChatConfigurationArn"]
    assert arn == f"arn:aws:chatbot::{ACCOUNT}:chat-configuration/slack-channel/{made['ConfigurationName']}"
    assert made == {
        "ConfigurationName": made["ConfigurationName"],
        "ChatConfigurationArn": arn,
        "SlackTeamId": TEAM,
        "SlackTeamName": f"Workspace {TEAM}",
        "SlackChannelId": "C0123ABCD",
        "SlackChannelName": "C0123ABCD",
        "SnsTopicArns": [first],
        "IamRoleArn": role,
        "LoggingLevel": "NONE",
        "GuardrailPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"],
        "UserAuthorizationRequired": False,
        "State": "ENABLED",
        "Tags": [{"TagKey": "a", "TagValue": "1"}],
    }
    assert subscribed(local_aws, first) == [ENDPOINT]
    found = api.describe_slack_channel_configurations(ChatConfigurationArn=arn)["SlackChannelConfigurations"]
    assert found == [made]
    with pytest.raises(api.exceptions.ConflictException):
        channel(ConfigurationName=made["ConfigurationName"])

    api.update_slack_channel_configuration(
        ChatConfigurationArn=arn, SlackChannelId="C9", SnsTopicArns=[second], LoggingLevel="ERROR"
    )
    assert (subscribed(local_aws, first), subscribed(local_aws, second)) == ([], [ENDPOINT])
    api.tag_resource(ResourceARN=arn, Tags=[{"TagKey": "b", "TagValue": "2"}])
    api.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert api.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"TagKey": "b", "TagValue": "2"}]
    api.delete_slack_channel_configuration(ChatConfigurationArn=arn)
    assert subscribed(local_aws, second) == []
    with pytest.raises(api.exceptions.ResourceNotFoundException):
        api.delete_slack_channel_configuration(ChatConfigurationArn=arn)


def test_channels_and_workspaces_are_listed_in_pages(channel: Callable[..., Any], local_aws: LocalAws) -> None:
    api = local_aws.client("chatbot", region=HOME)
    made = {channel()["ConfigurationName"] for _ in range(3)}
    pages = api.get_paginator("describe_slack_channel_configurations").paginate(PaginationConfig={"PageSize": 2})
    found = [each["ConfigurationName"] for page in pages for each in page["SlackChannelConfigurations"]]
    assert made <= set(found)
    assert len(found) == len(set(found))
    assert TEAM in [each["SlackTeamId"] for each in api.describe_slack_workspaces()["SlackWorkspaces"]]


def test_a_workspace_is_authorised_first(local_aws: LocalAws, role: str) -> None:
    api, team = local_aws.client("chatbot", region=HOME), unique("T").upper().replace("-", "")
    wanted = {"SlackTeamId": team, "SlackChannelId": "C1", "IamRoleArn": role, "ConfigurationName": unique("channel")}
    with pytest.raises(
        api.exceptions.InvalidRequestException, match=f"workspace {team} is not authorized with AWS acc"
    ):
        api.create_slack_channel_configuration(**wanted)
    assert local_aws.command("authorize-slack", team)["slack_team_id"] == team
    # Its name is taken now.
    with pytest.raises(api.exceptions.ConflictException):
        api.create_slack_channel_configuration(**wanted)
    api.create_slack_channel_configuration(**{**wanted, "ConfigurationName": unique("channel")})


def test_there_is_no_endpoint_in_most_regions(local_aws: LocalAws) -> None:
    with pytest.raises(ClientError, match=f"no endpoint of Chatbot in {REGION}"):
        local_aws.client("chatbot").describe_slack_workspaces()


def test_who_may_make_a_channel(local_aws: LocalAws, role: str) -> None:
    local_aws.command("authorize-slack", TEAM)
    arn = f"arn:aws:chatbot::{ACCOUNT}:chat-configuration/slack-channel/mine-*"
    passed = {"Condition": {"StringEquals": {"iam:PassedToService": "chatbot.amazonaws.com"}}}
    user = local_aws.user(
        unique("user"),
        allow("chatbot:CreateSlackChannelConfiguration", arn),
        allow("iam:PassRole", role, **passed),
        allow("iam:CreateServiceLinkedRole"),
    )
    api = local_aws.client("chatbot", user, region=HOME)
    wanted = {"SlackTeamId": TEAM, "SlackChannelId": "C1", "IamRoleArn": role, "ConfigurationName": unique("mine")}
    api.create_slack_channel_configuration(**wanted)
    with pytest.raises(ClientError, match="chatbot:CreateSlackChannelConfiguration"):
        api.create_slack_channel_configuration(**{**wanted, "ConfigurationName": unique("other")})
    other = local_aws.role(unique("chat"), "chatbot.amazonaws.com")
    with pytest.raises(ClientError, match="iam:PassRole"):
        api.create_slack_channel_configuration(**{**wanted, "ConfigurationName": unique("mine"), "IamRoleArn": other})


def test_a_channel_shows_what_its_topics_say_in_forms_that_it_knows(
    channel: Callable[..., Any], local_aws: LocalAws
) -> None:
    sns, heard, unheard = local_aws.client("sns"), topic(local_aws), topic(local_aws)
    name, other = (channel(SnsTopicArns=[arn])["ConfigurationName"] for arn in (heard, unheard))
    event = {"source": "aws.codepipeline", "detail-type": "CodePipeline Pipeline Execution State Change", "detail": {}}
    alarm = {"AlarmName": "gitops-undelivered", "NewStateValue": "ALARM", "NewStateReason": "one message"}
    for text in ("plain text", json.dumps({"source": "gitops.aws"}), *map(json.dumps, (CUSTOM, event, alarm))):
        sns.publish(TopicArn=heard, Message=text)

    eventually(lambda: len(shown(local_aws, name)) == 3)
    found = {line["kind"]: line for line in shown(local_aws, name)}
    assert set(found) == {"custom", "event", "alarm"}
    assert found["custom"]["description"] == "It failed: 한국어"
    assert (found["custom"]["slack_channel_id"], found["custom"]["sender"]) == ("C0123ABCD", heard)
    assert found["alarm"]["title"] == "gitops-undelivered"
    assert shown(local_aws, other) == []
    log = (local_aws.data / "server.log").read_text()
    assert f"channel arn:aws:chatbot::{ACCOUNT}:chat-configuration/slack-channel/{name} does not show" in log


def test_a_notification_rule_tells_a_channel(
    channel: Callable[..., Any], create: Callable[..., Running], local_aws: LocalAws
) -> None:
    running, made = create(), channel()
    local_aws.client("codestar-notifications").create_notification_rule(
        Name=unique("rule"),
        Resource=f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{running.name}",
        DetailType="BASIC",
        EventTypeIds=["codepipeline-pipeline-pipeline-execution-succeeded"],
        Targets=[{"TargetType": "AWSChatbotSlack", "TargetAddress": made["ChatConfigurationArn"]}],
    )
    running.answer(running.token(running.first()))
    (line,) = eventually(lambda: shown(local_aws, made["ConfigurationName"]))
    assert line["title"] == "CodePipeline Pipeline Execution State Change"
    assert line["message"]["detail"]["state"] == "SUCCEEDED"


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2.0"},
        {"content": None},
        {"content": {"title": "x"}},
        {"content": {"description": ""}},
        {"content": {"description": "x" * 8001}},
        {"content": {"description": "x", "textType": "html"}},
    ],
)
def test_custom_notifications_have_a_form(change: dict[str, Any]) -> None:
    assert understood(CUSTOM)
    assert understood({**CUSTOM, **change}) is None
