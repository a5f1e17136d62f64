# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Slack channels: what is asked of AWS, and where; the workspace that somebody must have allowed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules.harness import ACCOUNT, Account, ModuleFailed, World, unique

OWNER = {"gitops:estate": "test"}


def channel(world: World, **options: Any) -> dict[str, Any]:
    return {
        "configuration_name": unique("channel"),
        "slack_team_id": world.slack_team,
        "slack_channel_id": "C0123ABCD",
        "iam_role_arn": world.role,
        **options,
    }


def test_calls(account: Account, world: World) -> None:
    channels = [channel(world) for _ in range(3)]

    made = account.run("chatbot_slack_channels", slack_channels=channels)
    again = account.run("chatbot_slack_channels", slack_channels=channels)
    tagged = account.run("chatbot_slack_channels", slack_channels=[{**channels[0], "tags": {}}])

    assert made["api_calls"] == {
        "chatbot:CreateSlackChannelConfiguration": 3,
        "chatbot:DescribeSlackChannelConfigurations": 1,
        "chatbot:DescribeSlackWorkspaces": 1,
    }
    name = channels[0]["configuration_name"]
    arn = f"arn:aws:chatbot::{ACCOUNT}:chat-configuration/slack-channel/{name}"
    assert made["resources"][name] == {"action": "created", "arn": arn, "state": "ENABLED"}
    assert again["api_calls"] == {"chatbot:DescribeSlackChannelConfigurations": 1}
    assert tagged["api_calls"] == again["api_calls"]


@pytest.mark.parametrize("check", [True, False])
def test_a_workspace_must_be_allowed_before_anything_is_made(account: Account, world: World, check: bool) -> None:
    team = unique("T").upper().replace("-", "")
    one, good = channel(world, slack_team_id=team), channel(world)

    with pytest.raises(ModuleFailed) as failure:
        account.run("chatbot_slack_channels", slack_channels=[one, good], check=check)

    message = failure.value.result["msg"]
    assert f"slack_channels[0].slack_team_id: this account may not post to the Slack workspace {team}" in message
    assert "Fix: open https://us-east-2.console.aws.amazon.com/chatbot/home in this account" in message
    assert failure.value.result["resources"][good["configuration_name"]]["action"] == "created"
    account.authorize_slack(team)
    # The name is free still: nobody has tried it.
    assert account.run("chatbot_slack_channels", slack_channels=[one])["changed"]


def test_the_workspace_cannot_be_changed(account: Account, world: World) -> None:
    one = channel(world)
    account.run("chatbot_slack_channels", slack_channels=[one])

    with pytest.raises(ModuleFailed, match="slack_team_id is 'T0123ABCD' and AWS cannot change it to 'T1'"):
        account.run("chatbot_slack_channels", slack_channels=[{**one, "slack_team_id": "T1"}])


def test_somebody_else_s_is_left_alone(account: Account, world: World) -> None:
    one = channel(world)
    account.run("chatbot_slack_channels", slack_channels=[one])

    for state in ("present", "absent"):
        with pytest.raises(ModuleFailed, match="lacks the tag gitops:estate=test"):
            account.run("chatbot_slack_channels", slack_channels=[one], owner_tags=OWNER, state=state)
    account.run("chatbot_slack_channels", slack_channels=[{**one, "tags": OWNER}])
    assert account.run("chatbot_slack_channels", slack_channels=[one], owner_tags=OWNER, state="absent")["changed"]
