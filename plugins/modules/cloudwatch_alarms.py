#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cloudwatch_alarms
short_description: Manage CloudWatch alarms
version_added: "0.1.0"
description:
  - Creates, changes and deletes alarms of Amazon CloudWatch on a statistic of one metric, any number of them in one
    task.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  alarms:
    description:
      - The alarms, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, unique in the account and region. Composite alarms have the same names and are not seen here.
        type: str
        required: true
      description:
        description:
          - What the alarm is for, and what to do about it, 1024 characters at most. Unset leaves it alone; an empty
            text removes it.
        type: str
      namespace:
        description:
          - The namespace of the metric, such as V(AWS/SQS). Unset leaves it alone; a new alarm needs it.
        type: str
      metric_name:
        description:
          - The metric. Unset leaves it alone; a new alarm needs it.
        type: str
      dimensions:
        description:
          - Of what the metric is, such as C(QueueName). Unset leaves them alone; V({}) removes all.
        type: dict
      statistic:
        description:
          - What is made of the metric's values in a period. Unset leaves it alone, also where it is a percentile; a new
            alarm needs it.
        type: str
        choices: [Average, Maximum, Minimum, SampleCount, Sum]
      period:
        description:
          - Seconds, V(10), V(20), V(30) or a multiple of 60. Unset leaves it alone; a new alarm needs it.
        type: int
      evaluation_periods:
        description:
          - How many periods, the last ones, are compared with the threshold. Unset leaves it alone; a new alarm needs
            it.
        type: int
      datapoints_to_alarm:
        description:
          - In how many of these periods the threshold must be passed. Unset leaves it alone; V(0) means in all, and so
            it is for a new alarm.
        type: int
      threshold:
        description:
          - What the statistic is compared with. Unset leaves it alone; a new alarm needs it.
        type: float
      comparison_operator:
        description:
          - How it is compared. Unset leaves it alone; a new alarm needs it.
        type: str
        choices:
          - GreaterThanOrEqualToThreshold
          - GreaterThanThreshold
          - LessThanOrEqualToThreshold
          - LessThanThreshold
      treat_missing_data:
        description:
          - What a period without a value counts as. Unset leaves it alone; of a new alarm it is V(missing).
        type: str
        choices: [breaching, ignore, missing, notBreaching]
      actions_enabled:
        description:
          - Whether anything is done when the state changes. Unset leaves it alone; of a new alarm it is V(true).
        type: bool
      alarm_actions:
        description:
          - What is done when the state becomes ALARM, five ARNs at most, such as of a topic whose policy lets
            C(cloudwatch.amazonaws.com) publish. Their order does not matter.
          - Unset leaves them alone; V([]) removes all.
        type: list
        elements: str
      ok_actions:
        description:
          - What is done when the state becomes OK, likewise. Unset leaves them alone; V([]) removes all.
        type: list
        elements: str
      insufficient_data_actions:
        description:
          - What is done when the state becomes INSUFFICIENT_DATA, likewise. Unset leaves them alone; V([]) removes all.
        type: list
        elements: str
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
  - Alarms on expressions, anomalies and queries are neither made nor changed; they can be deleted. A percentile, a unit
    and other settings that are no options here are left as they are.
  - For alarms that are not there the module asks STS for the account, which AWS allows to everybody, and knows their
    ARNs then.
seealso:
  - module: gitops.aws.sns_topics
  - module: gitops.aws.sqs_queues
"""

EXAMPLES = r"""
- name: Tell a topic of messages that could not be delivered
  gitops.aws.cloudwatch_alarms:
    region: eu-central-1
    alarms:
      - name: gitops-undelivered
        description: Notices could not be delivered. They are in the queue gitops-undelivered.
        namespace: AWS/SQS
        metric_name: ApproximateNumberOfMessagesVisible
        dimensions:
          QueueName: gitops-undelivered
        statistic: Maximum
        period: 60
        evaluation_periods: 1
        threshold: 0
        comparison_operator: GreaterThanThreshold
        treat_missing_data: notBreaching
        alarm_actions:
          - arn:aws:sns:eu-central-1:123456789012:gitops-alarms
        tags:
          owner: platform

- name: Be quiet for a while
  gitops.aws.cloudwatch_alarms:
    region: eu-central-1
    alarms:
      - name: gitops-undelivered
        actions_enabled: false

- name: Delete it
  gitops.aws.cloudwatch_alarms:
    region: eu-central-1
    state: absent
    alarms:
      - name: gitops-undelivered
"""

RETURN = r"""
alarms:
  description:
    - The settings of each alarm that exists after the run, fit to be given to O(alarms) again.
    - Tags are only in it if they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-undelivered
      description: Notices could not be delivered. They are in the queue gitops-undelivered.
      namespace: AWS/SQS
      metric_name: ApproximateNumberOfMessagesVisible
      dimensions:
        QueueName: gitops-undelivered
      statistic: Maximum
      period: 60
      evaluation_periods: 1
      threshold: 0.0
      comparison_operator: GreaterThanThreshold
      treat_missing_data: notBreaching
      actions_enabled: true
      alarm_actions:
        - arn:aws:sns:eu-central-1:123456789012:gitops-alarms
      ok_actions: []
      insufficient_data_actions: []
      tags:
        owner: platform
resources:
  description:
    - What became of each alarm, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is AWS's, in check mode, too. C(state) is V(OK), V(ALARM) or V(INSUFFICIENT_DATA), before the run or, of a
      new alarm, after it.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-undelivered:
      action: created
      arn: arn:aws:cloudwatch:eu-central-1:123456789012:alarm:gitops-undelivered
      state: INSUFFICIENT_DATA
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    cloudwatch:DescribeAlarms: 1
    cloudwatch:PutMetricAlarm: 1
    sts:GetCallerIdentity: 1
diff:
  description: For each alarm that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: CloudWatch alarm gitops-undelivered
      after_header: CloudWatch alarm gitops-undelivered
      before:
        actions_enabled: true
      after:
        actions_enabled: false
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.cloudwatch_alarm import OPTIONS, CloudwatchAlarm


def main() -> None:
    run(CloudwatchAlarm, "alarms", OPTIONS)


if __name__ == "__main__":
    main()
