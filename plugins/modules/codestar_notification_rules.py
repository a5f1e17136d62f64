#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codestar_notification_rules
short_description: Manage notification rules of AWS's developer tools
version_added: "0.1.0"
description:
  - Creates, changes and deletes notification rules of AWS CodeStar Notifications, any number of them in one task.
  - Such a rule tells topics and channels what happens to one pipeline, build project, repository or application, in
    AWS's own words.
  - Rules are found by their name, of which an account has one in a region.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  notification_rules:
    description:
      - The rules, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, which differs from that of every other rule of the account in the region.
        type: str
        required: true
      resource:
        description:
          - ARN of what the rule tells about, such as a pipeline. AWS cannot change it.
          - Unset leaves it alone; a new rule needs it.
        type: str
      detail_type:
        description:
          - V(BASIC) tells what EventBridge tells, too. V(FULL) adds more, such as the actions that failed.
          - Unset leaves it alone; that of a new rule is V(FULL).
        type: str
        choices: [BASIC, FULL]
      event_type_ids:
        description:
          - What it tells, such as V(codepipeline-pipeline-pipeline-execution-failed) or
            V(codepipeline-pipeline-manual-approval-needed). Their order does not matter.
          - Unset leaves them alone; a new rule needs them.
        type: list
        elements: str
      enabled:
        description:
          - Whether the rule is at work. Unset leaves it alone; a new rule is.
        type: bool
      targets:
        description:
          - Whom it tells, ten at most. Their order does not matter. Unset leaves them alone; V([]) removes all.
        type: list
        elements: dict
        suboptions:
          target_type:
            description:
              - What the target is. V(SNS) is a topic; the others are channels of Amazon Q Developer in chat
                applications.
            type: str
            choices: [SNS, AWSChatbotSlack, AWSChatbotMicrosoftTeams]
            default: SNS
          target_address:
            description:
              - ARN of the topic, or of the channel's configuration.
            type: str
            required: true
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
  - A topic is told if its policy lets C(codestar-notifications.amazonaws.com) publish, without a condition, and, where
    it is encrypted, if a key of your own lets that service use it, too. AWS's own key C(alias/aws/sns) does not.
  - All rules of the account and region are read, for AWS tells the name of a rule only where it describes it.
  - A target that no rule has any more is deleted from AWS's list of targets.
  - The first rule of an account makes the role C(AWSServiceRoleForCodeStarNotifications), which needs
    C(iam:CreateServiceLinkedRole).
seealso:
  - module: gitops.aws.sns_topics
  - module: gitops.aws.eventbridge_rules
  - module: gitops.aws.chatbot_slack_channels
"""

EXAMPLES = r"""
- name: Tell a topic how runs end, and what waits for approval
  gitops.aws.codestar_notification_rules:
    region: eu-central-1
    notification_rules:
      - name: gitops-network
        resource: arn:aws:codepipeline:eu-central-1:123456789012:gitops-network
        event_type_ids:
          - codepipeline-pipeline-pipeline-execution-succeeded
          - codepipeline-pipeline-pipeline-execution-failed
          - codepipeline-pipeline-manual-approval-needed
        targets:
          - target_address: arn:aws:sns:eu-central-1:123456789012:gitops-aws-notices
        tags:
          owner: platform

- name: Silence it
  gitops.aws.codestar_notification_rules:
    region: eu-central-1
    notification_rules:
      - name: gitops-network
        enabled: false

- name: Delete it
  gitops.aws.codestar_notification_rules:
    region: eu-central-1
    state: absent
    notification_rules:
      - name: gitops-network
"""

RETURN = r"""
notification_rules:
  description:
    - The settings of each rule that exists after the run, fit to be given to O(notification_rules) again.
    - Tags are only in it if they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-network
      resource: arn:aws:codepipeline:eu-central-1:123456789012:gitops-network
      detail_type: FULL
      event_type_ids:
        - codepipeline-pipeline-manual-approval-needed
        - codepipeline-pipeline-pipeline-execution-failed
        - codepipeline-pipeline-pipeline-execution-succeeded
      enabled: true
      targets:
        - target_type: SNS
          target_address: arn:aws:sns:eu-central-1:123456789012:gitops-aws-notices
resources:
  description:
    - What became of each rule, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is AWS's. In check mode, the account and the id in that of a new rule are placeholders.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-network:
      action: created
      arn: arn:aws:codestar-notifications:eu-central-1:123456789012:notificationrule/9d7b5c1e0f3a4b6c8d2e1f0a
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codestar-notifications:CreateNotificationRule: 1
    codestar-notifications:ListNotificationRules: 1
diff:
  description: For each rule that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: notification rule gitops-network
      after_header: notification rule gitops-network
      before:
        enabled: true
      after:
        enabled: false
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codestar_notification_rule import (
    OPTIONS,
    CodestarNotificationRule,
)


def main() -> None:
    run(CodestarNotificationRule, "notification_rules", OPTIONS)


if __name__ == "__main__":
    main()
