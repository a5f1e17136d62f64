#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: notification_test
short_description: Send a test notice, and see whom it reached
version_added: "0.1.0"
description:
  - Sends a test notice to all recipients of an estate's notifications, on the way that all notices go, and waits.
  - Looks then who has not confirmed a subscription, to notices or to the alarm on them, which API destination cannot be
    called, and what came to the queue of what could not be delivered.
  - What it cannot know, it says. Nobody sees from AWS that a mail was read, or that a chat shows a message.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  name:
    description:
      - The estate's name, C(name) of its settings.
    type: str
    required: true
  wait_timeout:
    description:
      - How long to wait until the notice is handed over, in seconds.
    type: int
    default: 120
  delivery_seconds:
    description:
      - How long to look then for deliveries that failed, in seconds. A receiver that is ill is tried again for up to an
        hour, which this does not wait for.
    type: int
    default: 10
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
attributes:
  check_mode:
    support: full
    description: It says who would be told and who could not, and sends nothing.
  diff_mode:
    support: none
    description: There is nothing to compare.
  idempotent:
    support: none
    description: Every run sends a notice.
notes:
  - It needs C(states:DescribeStateMachine), C(states:StartExecution) and C(states:DescribeExecution) of the state
    machine I(name)C(-notices), C(sns:ListSubscriptionsByTopic) of its topics and of I(name)C(-alarms),
    C(sqs:GetQueueUrl), C(sqs:GetQueueAttributes) and C(sqs:ReceiveMessage) of the queue I(name)C(-undelivered), and
    C(events:ListRules), C(events:ListTargetsByRule), C(events:ListApiDestinations) and C(events:ListConnections).
  - Messages of the queue are read and left in it. SQS counts them, and what it says may lag behind.
seealso:
  - module: gitops.aws.stepfunctions_state_machines
  - module: gitops.aws.eventbridge_rules
  - module: gitops.aws.sns_topics
"""

EXAMPLES = r"""
- name: Send a test notice
  gitops.aws.notification_test:
    region: eu-central-1
    name: gitops
  register: test

- name: Show whom it did not reach
  ansible.builtin.debug:
    msg: "{{ test.recipients | selectattr('state', 'in', ['pending', 'failed']) }}"
"""

RETURN = r"""
sent:
  description:
    - Whether the notice was handed over. The module fails where it was not. In check mode it is V(false).
  returned: success
  type: bool
  sample: true
execution:
  description: The ARN of the state machine's execution that sent it; empty in check mode.
  returned: success
  type: str
  sample: arn:aws:states:eu-central-1:123456789012:execution:gitops-notices:test-6f1c3f1f8a1e4b0c9d2e5f6a7b8c9d0e
recipients:
  description: Everybody who is to be told.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The recipient's name, its address where it has none, or the queue's name.
      type: str
    kind:
      description:
        - V(email), V(https) or V(sqs) of those that have subscribed to the topic, V(chatbot) of channels of Amazon Q
          Developer, and V(api_destination) of Slack, Teams and webhooks.
      type: str
    endpoint:
      description: The address; of a URL the host alone, since its path can be a secret.
      type: str
    state:
      description:
        - V(told) where AWS has taken the notice for it, and nothing says that it was not delivered.
        - V(pending) where a subscription waits to be confirmed, and V(failed) where it was not told.
        - V(unknown) where that cannot be said.
      type: str
    why:
      description: What is known, with the fix where there is one.
      type: str
  sample:
    - name: platform@example.com
      kind: email
      endpoint: platform@example.com
      state: pending
      why: >-
        AWS has asked for a confirmation, and waits for it. Fix: open the link in AWS's mail; it is asked again when AWS
        has forgotten it
    - name: ops
      kind: api_destination
      endpoint: https://slack.com/...
      state: failed
      why: >-
        the connection gitops-ops is DEAUTHORIZED. Fix: give its secret, and run gitops.aws.site
undelivered:
  description: How many messages are in the queue of what could not be delivered, those of earlier days included.
  returned: success
  type: int
  sample: 0
msg:
  description: The whole in one line.
  returned: always
  type: str
  sample: "The test notice was sent to 2 recipients: 1 pending, 1 failed."
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    events:ListApiDestinations: 1
    events:ListConnections: 1
    events:ListRules: 1
    events:ListTargetsByRule: 1
    sns:ListSubscriptionsByTopic: 2
    sqs:GetQueueAttributes: 12
    sqs:GetQueueUrl: 1
    stepfunctions:DescribeExecution: 2
    stepfunctions:DescribeStateMachine: 1
    stepfunctions:StartExecution: 1
    sts:GetCallerIdentity: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._notification_test import ARGUMENTS, problems, send
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(ARGUMENTS, send, lambda params: f"test notice of {params['name']}", problems)


if __name__ == "__main__":
    main()
