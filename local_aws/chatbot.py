# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amazon Q Developer in chat applications (AWS Chatbot): channels of Slack, and what each is told.

What a channel would show is a line of DATA/chat_messages.jsonl. A channel hears its topics: configuring it subscribes
the service to them. Only messages in a form that the service understands are shown: its schema of custom
notifications, events of AWS's services, and alarms.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ministack.core.responses import new_uuid, request_scope
from ministack.services import sns

from local_aws import linked_roles, process
from local_aws.aws_json import AwsError, Caller, authorize_pass_role
from local_aws.rest_json import RestJsonService

logger = logging.getLogger("local_aws")

ENDPOINT = "https://global.sns-api.chatbot.amazonaws.com"
REGIONS = ("us-east-2", "us-west-2", "eu-west-1", "ap-southeast-1")
"""Where the service has an endpoint; its configurations are the same in all."""
DEFAULT_GUARDRAIL = "arn:aws:iam::aws:policy/AdministratorAccess"
_PRINCIPAL = "chatbot.amazonaws.com"
_ROLE, _ROLE_PRINCIPAL = "AWSServiceRoleForAWSChatbot", "management.chatbot.amazonaws.com"
_LONGEST_DESCRIPTION = 8000
_SETTINGS = (
    "SlackChannelId",
    "SlackChannelName",
    "SnsTopicArns",
    "IamRoleArn",
    "LoggingLevel",
    "GuardrailPolicyArns",
    "UserAuthorizationRequired",
)


@dataclass
class Channel:
    """A configuration of a Slack channel, as AWS describes it, with its tags."""

    arn: str
    account_id: str
    settings: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)

    def described(self, team: str) -> dict[str, Any]:
        """The channel as DescribeSlackChannelConfigurations returns it."""
        return {**self.settings, "SlackTeamName": team, "Tags": _tag_list(self.tags), "State": "ENABLED"}


class ChatbotService(RestJsonService):
    """The service."""

    service_name: ClassVar[str] = "chatbot"
    validation_error: ClassVar[str] = "InvalidParameterException"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._teams: dict[tuple[str, str], str] = {}  # by account and id: the name
        self._channels: dict[str, Channel] = {}  # by ARN
        self._taken: set[str] = set()  # ARNs of channels that could not be made: AWS keeps their names

    def authorize_workspace(self, team_id: str) -> dict[str, str]:
        """Do what somebody does in the console: let the account post to a workspace."""
        name = f"Workspace {team_id}"
        with self._lock:
            self._teams[process.DEFAULT_ACCOUNT_ID, team_id] = name
        return {"slack_team_id": team_id, "slack_team_name": name}

    def resource_arns(self, operation: str, request: dict[str, Any], caller: Caller) -> list[str]:
        if caller.region not in REGIONS:
            # On AWS there is no such host.
            raise AwsError("InvalidRequestException", f"There is no endpoint of Chatbot in {caller.region}.")
        if operation == "CreateSlackChannelConfiguration":
            return [_arn(caller, str(request.get("ConfigurationName") or "*"))]
        return [str(request.get("ChatConfigurationArn") or request.get("ResourceARN") or "*")]

    # --- workspaces and channels

    def describe_slack_workspaces(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        with self._lock:
            found = [
                {"SlackTeamId": team_id, "SlackTeamName": name, "State": "ENABLED"}
                for (account_id, team_id), name in self._teams.items()
                if account_id == caller.account_id
            ]
        return _page("SlackWorkspaces", found, request)

    def create_slack_channel_configuration(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        arn, team_id = _arn(caller, request["ConfigurationName"]), request["SlackTeamId"]
        authorize_pass_role(caller, request["IamRoleArn"], _PRINCIPAL)
        with self._lock:
            if arn in self._channels or arn in self._taken:
                raise AwsError("ConflictException", f"There is a configuration {request['ConfigurationName']}.", 409)
            if (caller.account_id, team_id) not in self._teams:
                self._taken.add(arn)
                raise AwsError(
                    "InvalidRequestException",
                    f"AWS Chatbot can't create the configuration because Slack workspace {team_id} is not authorized "
                    f"with AWS account {caller.account_id}.",
                )
            linked_roles.ensure(caller, _ROLE, _ROLE_PRINCIPAL)
            settings = {
                "ConfigurationName": request["ConfigurationName"],
                "ChatConfigurationArn": arn,
                "SlackTeamId": team_id,
                "SlackChannelName": request["SlackChannelId"],
                "SnsTopicArns": [],
                "LoggingLevel": "NONE",
                "GuardrailPolicyArns": [DEFAULT_GUARDRAIL],
                "UserAuthorizationRequired": False,
                **{name: request[name] for name in _SETTINGS if name in request},
            }
            channel = self._channels[arn] = Channel(arn, caller.account_id, settings, _tags(request.get("Tags", [])))
            _subscribe(settings["SnsTopicArns"])
        return {"ChannelConfiguration": self._described(channel)}

    def update_slack_channel_configuration(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """What the request leaves out stays as it is."""
        channel = self._channel(request["ChatConfigurationArn"], caller)
        if request.get("IamRoleArn", channel.settings["IamRoleArn"]) != channel.settings["IamRoleArn"]:
            authorize_pass_role(caller, request["IamRoleArn"], _PRINCIPAL)
        with self._lock:
            before = channel.settings["SnsTopicArns"]
            channel.settings.update({name: request[name] for name in _SETTINGS if name in request})
            _subscribe(channel.settings["SnsTopicArns"])
            self._unsubscribe(before)
        return {"ChannelConfiguration": self._described(channel)}

    def describe_slack_channel_configurations(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        wanted = request.get("ChatConfigurationArn")
        with self._lock:
            found = [
                self._described(channel)
                for channel in self._channels.values()
                if channel.account_id == caller.account_id and wanted in (None, channel.arn)
            ]
        return _page("SlackChannelConfigurations", found, request)

    def delete_slack_channel_configuration(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        channel = self._channel(request["ChatConfigurationArn"], caller)
        with self._lock:
            del self._channels[channel.arn]
            self._unsubscribe(channel.settings["SnsTopicArns"])
        return {}

    # --- tags

    def list_tags_for_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return {"Tags": _tag_list(self._channel(request["ResourceARN"], caller).tags)}

    def tag_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        channel = self._channel(request["ResourceARN"], caller)
        with self._lock:
            channel.tags.update(_tags(request["Tags"]))
        return {}

    def untag_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        channel = self._channel(request["ResourceARN"], caller)
        with self._lock:
            for key in request["TagKeys"]:
                channel.tags.pop(key, None)
        return {}

    def _channel(self, arn: str, caller: Caller) -> Channel:
        found = self._channels.get(arn)
        if found is None or found.account_id != caller.account_id:
            raise AwsError("ResourceNotFoundException", f"Could not find the configuration {arn}.", 404)
        return found

    def _described(self, channel: Channel) -> dict[str, Any]:
        return channel.described(self._teams[channel.account_id, channel.settings["SlackTeamId"]])

    def _unsubscribe(self, topics: list[str]) -> None:
        """End the subscriptions to those of the topics that no channel hears any more."""
        heard = {topic for channel in self._channels.values() for topic in channel.settings["SnsTopicArns"]}
        for arn in set(topics) - heard:
            topic = _topic(arn)
            if topic:
                topic["subscriptions"][:] = [each for each in topic["subscriptions"] if each["endpoint"] != ENDPOINT]
                sns._refresh_subscription_counts(topic)

    # --- messages

    def is_configured(self, arn: str) -> bool:
        """Whether there is such a channel."""
        return arn in self._channels

    def tell(self, arn: str, sender: str, message: Any) -> None:
        """A message for one channel, from a rule or a topic."""
        with self._lock:
            channel = self._channels.get(arn)
        shown = understood(message)
        if channel is None or shown is None:
            logger.warning("channel %s does not show what %s says: its form is none of Chatbot's", arn, sender)
            return
        line = {
            "time": round(time.time(), 3),
            "configuration": channel.settings["ConfigurationName"],
            "slack_team_id": channel.settings["SlackTeamId"],
            "slack_channel_id": channel.settings["SlackChannelId"],
            "sender": sender,
            **shown,
        }
        with self._lock, (process.data_dir() / "chat_messages.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def hear(self, envelope: str) -> None:
        """What SNS delivers; with raw delivery the service cannot know who says it, and shows nothing."""
        try:
            delivered = json.loads(envelope)
            topic, text = delivered["TopicArn"], delivered["Message"]
        except (ValueError, KeyError, TypeError):
            logger.warning("Chatbot does not understand a message that is no notification of SNS")
            return
        with self._lock:
            arns = [arn for arn, channel in self._channels.items() if topic in channel.settings["SnsTopicArns"]]
        for arn in arns:
            self.tell(arn, topic, text)


def understood(message: Any) -> dict[str, Any] | None:
    """What a channel shows of a message: kind, title, description, message. None for what it does not understand."""
    if isinstance(message, str):
        try:
            message = json.loads(message)
        except ValueError:
            return None
    if not isinstance(message, dict):
        return None
    if message.get("source") == "custom":
        content = message.get("content")
        if message.get("version") != "1.0" or not isinstance(content, dict):
            return None
        text, form = content.get("description"), content.get("textType", "client-markdown")
        if not isinstance(text, str) or not 1 <= len(text) <= _LONGEST_DESCRIPTION or form != "client-markdown":
            return None
        return {"kind": "custom", "title": content.get("title", ""), "description": text, "message": message}
    # EventBridge's spelling, and that of notification rules.
    title = message.get("detail-type") or message.get("detailType")
    if title and str(message.get("source", "")).startswith("aws."):
        return {"kind": "event", "title": title, "description": "", "message": message}
    if "AlarmName" in message and "NewStateValue" in message:
        return {
            "kind": "alarm",
            "title": message["AlarmName"],
            "description": message.get("NewStateReason", ""),
            "message": message,
        }
    return None


def apply() -> None:
    """SNS hands over to the service what it would send to its endpoint; nothing leaves this machine."""
    deliver: Callable[[str, str], Awaitable[None]] = sns._deliver_to_http
    confirm: Callable[[str, dict[str, Any]], Awaitable[None]] = sns._send_subscription_confirmation

    async def delivered(endpoint: str, payload: str) -> None:
        if endpoint == ENDPOINT:
            SERVICE.hear(payload)
        else:
            await deliver(endpoint, payload)

    async def confirmed(topic_arn: str, subscription: dict[str, Any]) -> None:
        if subscription.get("endpoint") == ENDPOINT:
            subscription.update(confirmed=True, token=None)
            subscription["attributes"].update(PendingConfirmation="false", ConfirmationWasAuthenticated="true")
        else:
            await confirm(topic_arn, subscription)

    sns._deliver_to_http, sns._send_subscription_confirmation = delivered, confirmed


def _subscribe(topics: list[str]) -> None:
    """Subscribe the service to topics, as its own role may. A topic that is not there is no error on AWS either."""
    for arn in topics:
        topic = _topic(arn)
        if topic is None or any(each["endpoint"] == ENDPOINT for each in topic["subscriptions"]):
            continue
        subscription = f"{arn}:{new_uuid()}"
        attributes = {
            "SubscriptionArn": subscription,
            "TopicArn": arn,
            "Protocol": "https",
            "Endpoint": ENDPOINT,
            "Owner": arn.split(":")[4],
            "ConfirmationWasAuthenticated": "true",
            "PendingConfirmation": "false",
            "RawMessageDelivery": "false",
        }
        topic["subscriptions"].append(
            {
                "arn": subscription,
                "protocol": "https",
                "endpoint": ENDPOINT,
                "confirmed": True,
                "topic_arn": arn,
                "owner": attributes["Owner"],
                "token": None,
                "attributes": attributes,
            }
        )
        with request_scope(arn.split(":")[4], arn.split(":")[3]):
            sns._sub_arn_to_topic[subscription] = arn
        sns._refresh_subscription_counts(topic)


def _topic(arn: str) -> dict[str, Any] | None:
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "sns":
        return None
    with request_scope(parts[4], parts[3]):
        found: dict[str, Any] | None = sns._topics.get(arn)
    return found


def _arn(caller: Caller, name: str) -> str:
    return f"arn:aws:chatbot::{caller.account_id}:chat-configuration/slack-channel/{name}"


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValue"] for tag in tags}


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]


def _page(member: str, found: list[Any], request: dict[str, Any]) -> dict[str, Any]:
    token = request.get("NextToken") or "0000"
    if not token.isdigit():
        raise AwsError("InvalidRequestException", "The token is none of ours.")
    start, end = int(token), int(token) + request.get("MaxResults", 100)
    # A token has four characters at least.
    return {member: found[start:end], "NextToken": f"{end:04d}" if end < len(found) else None}


SERVICE = ChatbotService()
