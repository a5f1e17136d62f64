#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sqs_queues
short_description: Manage SQS queues
version_added: "0.1.0"
description:
  - Creates, changes and deletes standard queues of Amazon SQS, any number of them in one task.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  queues:
    description:
      - The queues, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, unique in the account and region. FIFO queues, whose names end in V(.fifo), are not supported.
        type: str
        required: true
      visibility_timeout:
        description:
          - For how many seconds a message that somebody received is hidden from others, up to 43200.
          - Unset leaves it alone; that of a new queue is 30.
        type: int
      message_retention_period:
        description:
          - For how many seconds a message is kept, from 60 to 1209600, which is 14 days.
          - Unset leaves it alone; that of a new queue is 345600, which is 4 days.
        type: int
      delay_seconds:
        description:
          - How many seconds it takes until a new message can be received, up to 900. Unset leaves it alone; that of a
            new queue is V(0).
        type: int
      maximum_message_size:
        description:
          - How many bytes a message may have, from 1024 to 1048576. Unset leaves it alone; a new queue has AWS's
            default.
        type: int
      sqs_managed_sse_enabled:
        description:
          - Whether messages are encrypted with a key of SQS itself. V(true) takes the place of
            O(queues[].kms_master_key_id).
          - Unset leaves it alone; a new queue without a key of its own is encrypted so.
        type: bool
      kms_master_key_id:
        description:
          - The KMS key, by its id, ARN or alias, that encrypts messages. A service that sends to the queue, such as
            EventBridge, must be allowed to use it, which no key of AWS's own allows.
          - AWS keeps the text as it is given, so that another name of the same key is a change.
          - Unset leaves it alone; an empty text removes it, and the queue is not encrypted then, unless
            O(queues[].sqs_managed_sse_enabled=true).
        type: str
      policy:
        description:
          - The queue's policy as a dictionary. Two policies that say the same in another order are equal.
          - Unset leaves it alone; V({}) removes it.
        type: dict
      dead_letter_target_arn:
        description:
          - ARN of the queue that gets what was received O(queues[].max_receive_count) times and not deleted. It must be
            there; the queues of one task are made at the same time, so that it needs an earlier one.
          - Unset leaves it alone; an empty text removes it.
        type: str
      max_receive_count:
        description:
          - How often a message is received before it goes there, from 1 to 1000. It is needed with
            O(queues[].dead_letter_target_arn). Unset leaves it alone.
        type: int
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
  - A queue is deleted with the messages in it.
  - AWS gives the name of a deleted queue free after 60 seconds. The module tries for two minutes.
  - AWS needs up to a minute until it shows what was changed or deleted; a run in between may do it once more.
seealso:
  - module: gitops.aws.sns_topics
  - module: gitops.aws.eventbridge_rules
  - module: gitops.aws.cloudwatch_alarms
"""

EXAMPLES = r"""
- name: A queue for what EventBridge could not deliver
  gitops.aws.sqs_queues:
    region: eu-central-1
    queues:
      - name: gitops-undelivered
        message_retention_period: 1209600
        policy:
          Version: "2012-10-17"
          Statement:
            - Sid: Events
              Effect: Allow
              Principal:
                Service: events.amazonaws.com
              Action: sqs:SendMessage
              Resource: arn:aws:sqs:eu-central-1:123456789012:gitops-undelivered
              Condition:
                ArnLike:
                  aws:SourceArn: arn:aws:events:eu-central-1:123456789012:rule/gitops-*
        tags:
          owner: platform

- name: A queue whose messages go there when nobody can handle them
  gitops.aws.sqs_queues:
    region: eu-central-1
    queues:
      - name: gitops-events
        visibility_timeout: 60
        kms_master_key_id: alias/gitops
        dead_letter_target_arn: arn:aws:sqs:eu-central-1:123456789012:gitops-undelivered
        max_receive_count: 5

- name: Delete it, and the messages in it
  gitops.aws.sqs_queues:
    region: eu-central-1
    state: absent
    queues:
      - name: gitops-events
"""

RETURN = r"""
queues:
  description:
    - The settings of each queue that exists after the run, fit to be given to O(queues) again.
    - Of the optional settings only those are in it that were given, or that are read along with them.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-undelivered
      visibility_timeout: 30
      message_retention_period: 1209600
      delay_seconds: 0
      maximum_message_size: 1048576
      sqs_managed_sse_enabled: true
      kms_master_key_id: ""
      policy: {}
      dead_letter_target_arn: ""
      tags:
        owner: platform
resources:
  description:
    - What became of each queue, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) and C(url) are AWS's. In check mode, the account in those of a new queue is a placeholder.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-undelivered:
      action: created
      arn: arn:aws:sqs:eu-central-1:123456789012:gitops-undelivered
      url: https://sqs.eu-central-1.amazonaws.com/123456789012/gitops-undelivered
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    sqs:CreateQueue: 1
    sqs:GetQueueUrl: 1
diff:
  description: For each queue that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: SQS queue gitops-undelivered
      after_header: SQS queue gitops-undelivered
      before:
        message_retention_period: 345600
      after:
        message_retention_period: 1209600
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.sqs_queue import OPTIONS, SqsQueue


def main() -> None:
    run(SqsQueue, "queues", OPTIONS)


if __name__ == "__main__":
    main()
