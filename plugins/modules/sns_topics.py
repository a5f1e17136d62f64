#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sns_topics
short_description: Manage SNS topics and their subscriptions
version_added: "0.1.0"
description:
  - Creates, changes and deletes standard topics of Amazon SNS, any number of them in one task.
  - Who is told of what is published, the subscriptions, is part of a topic.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  topics:
    description:
      - The topics, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, unique in the account and region. FIFO topics, whose names end in V(.fifo), are not supported.
        type: str
        required: true
      display_name:
        description:
          - The sender's name in e-mails, 100 characters at most. Unset leaves it alone; an empty text removes it.
        type: str
      kms_key_id:
        description:
          - The KMS key, by its id, ARN or alias, that encrypts messages while SNS keeps them.
          - AWS keeps the text as it is given, so that another name of the same key is a change.
          - Unset leaves it alone; an empty text removes the encryption.
        type: str
      policy:
        description:
          - The topic's policy as a dictionary. Two policies that say the same in another order are equal.
          - Unset leaves it alone. A new topic without it gets AWS's default, which lets the account's own identities
            publish, and no service of AWS. EventBridge, for example, needs C(sns:Publish) for
            C(events.amazonaws.com), without a condition, which AWS does not support there.
          - A topic is never without a policy, so V({}) is refused.
        type: dict
      purge_subscriptions:
        description:
          - Whether subscriptions that O(topics[].subscriptions) does not list are removed.
        type: bool
        default: true
      subscriptions:
        description:
          - Who is to be told. Those that are not listed are unsubscribed, unless O(topics[].purge_subscriptions=false).
          - Of what an entry leaves out, AWS's default applies.
          - A subscription that waits for its confirmation counts as there, and is not made again; what it was given is
            not compared before it is confirmed. AWS can neither change it nor take it back, and forgets it after some
            days; those that wait and are not listed are in the result as C(unwanted_pending).
          - Unset leaves them alone; V([]) removes all.
        type: list
        elements: dict
        suboptions:
          protocol:
            description:
              - How it is told. Those with V(email), V(email-json), V(http) and V(https) must be confirmed by the
                receiver.
            type: str
            required: true
            choices: [email, email-json, http, https, lambda, sqs]
          endpoint:
            description:
              - Where it is told, the address, the URL or the ARN. A URL with a user and a password is refused, since
                AWS does not tell it again.
            type: str
            required: true
          raw_message_delivery:
            description:
              - Whether V(http), V(https) and V(sqs) get the message alone, without SNS's envelope.
            type: bool
          filter_policy:
            description:
              - Which messages it is told of, as SNS's filter policies say it.
            type: dict
          filter_policy_scope:
            description:
              - What O(topics[].subscriptions[].filter_policy) is about. With the first, which is AWS's default,
                messages without attributes, such as EventBridge's, meet no filter.
            type: str
            choices: [MessageAttributes, MessageBody]
          redrive_policy_target:
            description:
              - ARN of the SQS queue for messages that could not be delivered.
            type: str
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
  - The module asks STS for the account, which AWS allows to everybody, and knows the topics' ARNs then.
seealso:
  - module: gitops.aws.eventbridge_rules
"""

EXAMPLES = r"""
- name: A topic that EventBridge may publish to
  gitops.aws.sns_topics:
    region: eu-central-1
    topics:
      - name: gitops-events
        display_name: GitOps
        policy:
          Version: "2012-10-17"
          Statement:
            - Sid: Events
              Effect: Allow
              Principal:
                Service: events.amazonaws.com
              Action: sns:Publish
              Resource: arn:aws:sns:eu-central-1:123456789012:gitops-events
        subscriptions:
          - protocol: email
            endpoint: platform@example.com
          - protocol: sqs
            endpoint: arn:aws:sqs:eu-central-1:123456789012:gitops-events
            raw_message_delivery: true
            filter_policy:
              detail:
                state: [FAILED]
            filter_policy_scope: MessageBody
            redrive_policy_target: arn:aws:sqs:eu-central-1:123456789012:gitops-undelivered
        tags:
          owner: platform
  register: notifications

- name: Show who has not confirmed yet
  ansible.builtin.debug:
    msg: >-
      {{ notifications.resources['gitops-events'].subscriptions
         | selectattr('arn', 'equalto', 'pending') | map(attribute='endpoint') }}

- name: Nobody is to be told any more
  gitops.aws.sns_topics:
    region: eu-central-1
    topics:
      - name: gitops-events
        subscriptions: []

- name: Delete a topic
  gitops.aws.sns_topics:
    region: eu-central-1
    state: absent
    topics:
      - name: gitops-events
"""

RETURN = r"""
topics:
  description:
    - The settings of each topic that exists after the run, fit to be given to O(topics) again.
    - Of the optional settings only those are in it that were given, or that are read along with them.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-events
      display_name: GitOps
      kms_key_id: ""
      subscriptions:
        - protocol: email
          endpoint: platform@example.com
          raw_message_delivery: false
      tags:
        owner: platform
resources:
  description:
    - What became of each topic, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is AWS's, in check mode, too.
    - C(subscriptions) has for each its C(protocol), C(endpoint) and C(arn), which is V(pending) until it is confirmed.
      C(unwanted_pending) are those that are not listed and wait to be confirmed. Both are there if subscriptions were
      given, in check mode only for topics that exist.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-events:
      action: created
      arn: arn:aws:sns:eu-central-1:123456789012:gitops-events
      subscriptions:
        - protocol: email
          endpoint: platform@example.com
          arn: pending
      unwanted_pending: []
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    sns:CreateTopic: 1
    sns:GetTopicAttributes: 1
    sns:Subscribe: 1
    sts:GetCallerIdentity: 1
diff:
  description: For each topic that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: SNS topic gitops-events
      after_header: SNS topic gitops-events
      before:
        display_name: ""
      after:
        display_name: GitOps
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.sns_topic import OPTIONS, SnsTopic


def main() -> None:
    run(SnsTopic, "topics", OPTIONS)


if __name__ == "__main__":
    main()
