#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: chatbot_slack_channels
short_description: Manage Slack channels of Amazon Q Developer in chat applications
version_added: "0.1.0"
description:
  - Creates, changes and deletes configurations of Slack channels of Amazon Q Developer in chat applications, formerly
    AWS Chatbot, any number of them in one task.
  - Such a channel shows what topics say, in the forms that the service understands. They are the events of AWS's
    services, alarms, and its schema of custom notifications.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  slack_channels:
    description:
      - The channels, each with the name of its configuration.
    type: list
    elements: dict
    required: true
    suboptions:
      configuration_name:
        description:
          - The name of the configuration, unique in the account. AWS cannot change it.
        type: str
        required: true
      slack_team_id:
        description:
          - Id of the Slack workspace, such as V(T0123ABCD), as the console of Amazon Q Developer in chat applications
            shows it. AWS cannot change it.
          - Somebody must have allowed the account to post to the workspace, in that console, once. No API can do that.
          - Unset leaves it alone; a new channel needs it.
        type: str
      slack_channel_id:
        description:
          - Id of the channel, such as V(C0123ABCD), which is the end of its link in Slack.
          - Unset leaves it alone; a new channel needs it.
        type: str
      iam_role_arn:
        description:
          - The role as which the channel's members act on AWS, as far as O(slack_channels[].guardrail_policy_arns)
            let them. Messages need no permission in it.
          - Unset leaves it alone; a new channel needs it.
        type: str
      sns_topic_arns:
        description:
          - ARNs of the topics that the channel shows, in any region. Their order does not matter.
          - Unset leaves them alone; V([]) removes all.
        type: list
        elements: str
      logging_level:
        description:
          - What the service writes to the log group C(/aws/chatbot/...) in us-east-1. Unset leaves it alone; that of a
            new channel is V(NONE).
        type: str
        choices: [ERROR, INFO, NONE]
      guardrail_policy_arns:
        description:
          - ARNs of the policies that bound what the channel's members may do, whatever their role allows.
          - Unset leaves them alone; a new channel has AWS's default, which is C(AdministratorAccess).
        type: list
        elements: str
      user_authorization_required:
        description:
          - Whether each member of the channel acts as a role of their own. Unset leaves it alone; a new channel does
            not ask for that.
        type: bool
      tags:
        description:
          - Tags as a dictionary. Unset leaves them alone; V({}) removes all, unless O(purge_tags=false).
        type: dict
        aliases: [resource_tags]
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.bulk
  - gitops.aws.attributes
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
notes:
  - The service has one set of configurations for all regions. It is asked at its endpoint in us-east-2, whatever
    O(region) is.
  - The service subscribes itself to the topics of its channels. M(gitops.aws.sns_topics) would purge that subscription
    where it is given others for such a topic, unless its C(purge_subscriptions) is V(false).
  - The first channel of an account makes the role C(AWSServiceRoleForAWSChatbot), which needs
    C(iam:CreateServiceLinkedRole).
seealso:
  - module: gitops.aws.sns_topics
  - module: gitops.aws.codestar_notification_rules
"""

EXAMPLES = r"""
- name: Let a channel show a topic
  gitops.aws.chatbot_slack_channels:
    region: eu-central-1
    slack_channels:
      - configuration_name: gitops-notices
        slack_team_id: T0123ABCD
        slack_channel_id: C0123ABCD
        iam_role_arn: arn:aws:iam::123456789012:role/gitops-chat
        guardrail_policy_arns:
          - arn:aws:iam::aws:policy/ReadOnlyAccess
        sns_topic_arns:
          - arn:aws:sns:eu-central-1:123456789012:gitops-chat
        tags:
          owner: platform

- name: Delete it
  gitops.aws.chatbot_slack_channels:
    region: eu-central-1
    state: absent
    slack_channels:
      - configuration_name: gitops-notices
"""

RETURN = r"""
slack_channels:
  description:
    - The settings of each channel that exists after the run, fit to be given to O(slack_channels) again.
    - Tags are only in it if they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - configuration_name: gitops-notices
      slack_team_id: T0123ABCD
      slack_channel_id: C0123ABCD
      iam_role_arn: arn:aws:iam::123456789012:role/gitops-chat
      sns_topic_arns:
        - arn:aws:sns:eu-central-1:123456789012:gitops-chat
      logging_level: NONE
      guardrail_policy_arns:
        - arn:aws:iam::aws:policy/ReadOnlyAccess
      user_authorization_required: false
resources:
  description:
    - What became of each channel, by the name of its configuration.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is AWS's. In check mode, the account in that of a new channel is a placeholder.
    - C(state) is V(DISABLED) where a policy of the organisation forbids the channel, and else V(ENABLED).
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-notices:
      action: created
      arn: arn:aws:chatbot::123456789012:chat-configuration/slack-channel/gitops-notices
      state: ENABLED
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    chatbot:CreateSlackChannelConfiguration: 1
    chatbot:DescribeSlackChannelConfigurations: 1
    chatbot:DescribeSlackWorkspaces: 1
diff:
  description: For each channel that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: Slack channel gitops-notices
      after_header: Slack channel gitops-notices
      before:
        slack_channel_id: C0123ABCD
      after:
        slack_channel_id: C4567EFGH
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.chatbot_slack_channel import (
    OPTIONS,
    ChatbotSlackChannel,
)


def main() -> None:
    run(ChatbotSlackChannel, "slack_channels", OPTIONS)


if __name__ == "__main__":
    main()
