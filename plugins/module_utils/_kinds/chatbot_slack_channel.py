# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Slack channels of Amazon Q Developer in chat applications (AWS Chatbot), found by the name of their configuration."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings, Step
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

OPTIONS: dict[str, Any] = {
    "configuration_name": {"type": "str", "required": True},
    "slack_team_id": {"type": "str"},
    "slack_channel_id": {"type": "str"},
    "iam_role_arn": {"type": "str"},
    "sns_topic_arns": {"type": "list", "elements": "str"},
    "logging_level": {"type": "str", "choices": ["ERROR", "INFO", "NONE"]},
    "guardrail_policy_arns": {"type": "list", "elements": "str"},
    "user_authorization_required": {"type": "bool"},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

# The service is the same in all regions, and has endpoints in four of them; its console is here.
REGION = "us-east-2"
CONSOLE = f"https://{REGION}.console.aws.amazon.com/chatbot/home"
GUARDRAIL = "arn:aws:iam::aws:policy/AdministratorAccess"  # AWS's default


class ChatbotSlackChannel(Kind):
    noun = "Slack channel"
    service = "chatbot"
    key = "configuration_name"
    required = ("slack_team_id", "slack_channel_id", "iam_role_arn")
    fixed = ("slack_team_id",)

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws.in_region(REGION))
        self._workspaces: set[str] | None = None

    def problems(self, item: Settings) -> list[str]:
        found = []
        patterns = {
            "configuration_name": (r"[A-Za-z0-9_-]+", 128, "a-z A-Z 0-9 _ and - are"),
            "slack_team_id": (
                r"[0-9A-Z]+",
                255,
                "it is the id of the workspace, such as T0123ABCD, that the console shows",
            ),
            "slack_channel_id": (r"[0-9A-Za-z]+", 255, "it is the end of the channel's link, such as C0123ABCD"),
        }
        for option, (pattern, longest, allowed) in patterns.items():
            problem = None if item[option] is None else pattern_problem(item[option], pattern, longest, allowed)
            found += [f"{option}: {problem}"] if problem else []
        if item["iam_role_arn"] and not item["iam_role_arn"].startswith("arn:"):
            found.append(f"iam_role_arn: {item['iam_role_arn']!r} is no ARN")
        for option in ("sns_topic_arns", "guardrail_policy_arns"):
            for index, arn in enumerate(item[option] or []):
                if not arn.startswith("arn:"):
                    found.append(f"{option}[{index}]: {arn!r} is no ARN")
        if item["guardrail_policy_arns"] == []:
            found.append(
                f"guardrail_policy_arns: without any AWS takes {GUARDRAIL}. Fix: name the policy that is meant"
            )
        return found

    def conflicts(self, step: Step) -> list[str]:
        team = (step.after or {}).get("slack_team_id")
        if step.before is not None or not team or team in self._authorised():
            return []
        # Asked before, and not left to the creation: where that fails, AWS keeps the name from being used again.
        why = f"this account may not post to the Slack workspace {team}, which only a person can allow"
        fix = (
            f"open {CONSOLE} in this account, choose Configure new client and Slack, and allow it there; then run again"
        )
        return [f"slack_team_id: {why}. Fix: {fix}"]

    def _authorised(self) -> set[str]:
        """The ids of the workspaces that the account may post to, asked once."""
        if self._workspaces is None:
            listed = self.aws.pages(self.service, "describe_slack_workspaces", "SlackWorkspaces")
            self._workspaces = {each["SlackTeamId"] for each in listed}
        return self._workspaces

    def normalise(self, settings: Settings) -> Settings:
        return {
            "logging_level": "NONE",
            "user_authorization_required": False,
            **settings,
            "sns_topic_arns": sorted(set(settings.get("sns_topic_arns") or [])),
            "guardrail_policy_arns": sorted(set(settings.get("guardrail_policy_arns") or [GUARDRAIL])),
        }

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        wanted = {item[self.key]: item for item in items}
        listed = self.aws.pages(self.service, "describe_slack_channel_configurations", "SlackChannelConfigurations")
        return {
            each["ConfigurationName"]: Resource(
                _settings(each, wanted[each["ConfigurationName"]]["tags"] is not None), _facts(each)
            )
            for each in listed
            if each["ConfigurationName"] in wanted
        }

    def predict(self, after: Settings) -> dict[str, Any]:
        # The account is not known without a call; check mode needs something of the same form to show.
        return {"arn": f"arn:aws:chatbot::000000000000:chat-configuration/slack-channel/{after[self.key]}"}

    def create(self, after: Settings) -> dict[str, Any]:
        tags = {"Tags": to_list(after["tags"], "TagKey", "TagValue")} if after.get("tags") else {}
        answer = self.client.create_slack_channel_configuration(
            ConfigurationName=after[self.key], SlackTeamId=after["slack_team_id"], **_request(after), **tags
        )
        return _facts(answer["ChannelConfiguration"])

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        arn = before.facts["arn"]
        if changed - {"tags"}:
            self.client.update_slack_channel_configuration(ChatConfigurationArn=arn, **_request(after))
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_resource(ResourceARN=arn, TagKeys=remove)
            if put:
                self.client.tag_resource(ResourceARN=arn, Tags=to_list(put, "TagKey", "TagValue"))

    def delete(self, before: Resource, item: Settings) -> None:
        self.client.delete_slack_channel_configuration(ChatConfigurationArn=before.facts["arn"])


def _settings(channel: dict[str, Any], with_tags: bool) -> Settings:
    """A configuration as AWS describes it, in the options' words."""
    settings: Settings = {
        "configuration_name": channel["ConfigurationName"],
        "slack_team_id": channel["SlackTeamId"],
        "slack_channel_id": channel["SlackChannelId"],
        "iam_role_arn": channel["IamRoleArn"],
        "sns_topic_arns": channel.get("SnsTopicArns", []),
        "logging_level": channel.get("LoggingLevel", "NONE"),
        "guardrail_policy_arns": channel.get("GuardrailPolicyArns", []),
        "user_authorization_required": channel.get("UserAuthorizationRequired", False),
    }
    if with_tags:
        settings["tags"] = to_dict(channel.get("Tags", []), "TagKey", "TagValue")
    return settings


def _request(after: Settings) -> dict[str, Any]:
    """What can be changed of a configuration, as the API takes it."""
    return {
        "SlackChannelId": after["slack_channel_id"],
        "IamRoleArn": after["iam_role_arn"],
        "SnsTopicArns": after["sns_topic_arns"],
        "LoggingLevel": after["logging_level"],
        "GuardrailPolicyArns": after["guardrail_policy_arns"],
        "UserAuthorizationRequired": after["user_authorization_required"],
    }


def _facts(channel: dict[str, Any]) -> dict[str, Any]:
    facts = {"arn": channel["ChatConfigurationArn"], "state": channel.get("State")}
    return {name: value for name, value in facts.items() if value}
