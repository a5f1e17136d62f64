#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stepfunctions_state_machines
short_description: Manage state machines of AWS Step Functions
version_added: "0.1.0"
description:
  - Creates, changes and deletes state machines of AWS Step Functions, any number of them in one task.
  - Definitions are compared as data. Their order and spelling do not matter.
  - An execution that runs goes on with the definition that it began with.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  state_machines:
    description:
      - The state machines, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, up to 80 characters, unique in the account and region.
          - With anything but letters, digits, V(-) and V(_) in it, AWS writes no logs.
        type: str
        required: true
      definition:
        description:
          - The definition in Amazon States Language, as a dictionary.
          - Unset leaves it alone; a new state machine needs it.
        type: dict
      role_arn:
        description:
          - The role that the state machine acts as, which C(states.amazonaws.com) must be allowed to assume.
          - Unset leaves it alone; a new state machine needs it.
        type: str
      type:
        description:
          - V(STANDARD), AWS's default, keeps executions for 90 days and carries out each step once. V(EXPRESS) runs
            five minutes at most, and may repeat a step.
          - AWS cannot change it afterwards.
        type: str
        choices: [STANDARD, EXPRESS]
      logging_configuration:
        description:
          - What is written to CloudWatch Logs. Unset leaves it alone; V({}) turns it off, as it is in a new one.
        type: dict
        suboptions:
          level:
            description:
              - Which events are written. Unset leaves it alone.
            type: str
            choices: [ALL, ERROR, FATAL, 'OFF']
          include_execution_data:
            description:
              - Whether input and output are written, too. Unset leaves it alone.
            type: bool
          log_group_arn:
            description:
              - ARN of the log group, needed for all levels but V(OFF). Unset leaves it alone.
            type: str
      tracing_enabled:
        description:
          - Whether AWS X-Ray traces executions. Unset leaves it alone; those of a new one are not.
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
  - The module asks STS for the account, which AWS allows to everybody, and knows the state machines' ARNs then.
  - AWS deletes a state machine when its executions are over, which it ends at their next state. The module waits a
    minute for that. Until then the name is taken, and a creation is tried again for two minutes.
  - JSONata is written between the brackets of Jinja's statements. In a playbook such a text needs the tag C(!unsafe).
  - A definition that AWS refuses fails with AWS's reason and place. Check mode does not ask AWS whether it is valid.
  - Versions and aliases are not managed, and a key for encryption is left as it is.
seealso:
  - module: gitops.aws.eventbridge_rules
  - module: gitops.aws.scheduler_schedules
"""

EXAMPLES = r"""
- name: Tell a topic of every event that comes in
  gitops.aws.stepfunctions_state_machines:
    region: eu-central-1
    state_machines:
      - name: gitops-notices
        role_arn: arn:aws:iam::123456789012:role/gitops-notices
        definition:
          Comment: Passes events on
          StartAt: Tell
          States:
            Tell:
              Type: Task
              Resource: arn:aws:states:::aws-sdk:sns:publish
              Parameters:
                TopicArn: arn:aws:sns:eu-central-1:123456789012:gitops-notices
                Message.$: $.detail.state
              Retry:
                - ErrorEquals: [States.ALL]
                  MaxAttempts: 3
              End: true
        logging_configuration:
          level: ERROR
          log_group_arn: arn:aws:logs:eu-central-1:123456789012:log-group:/gitops/notices
        tags:
          owner: platform

- name: Log nothing any more
  gitops.aws.stepfunctions_state_machines:
    region: eu-central-1
    state_machines:
      - name: gitops-notices
        logging_configuration: {}

- name: Delete it
  gitops.aws.stepfunctions_state_machines:
    region: eu-central-1
    state: absent
    state_machines:
      - name: gitops-notices
"""

RETURN = r"""
state_machines:
  description:
    - The settings of each state machine that exists after the run, fit to be given to O(state_machines) again.
    - Tags are only in it if they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-notices
      definition:
        StartAt: Nothing
        States:
          Nothing:
            Type: Succeed
      role_arn: arn:aws:iam::123456789012:role/gitops-notices
      type: STANDARD
      logging_configuration:
        level: ERROR
        include_execution_data: false
        log_group_arn: arn:aws:logs:eu-central-1:123456789012:log-group:/gitops/notices:*
      tracing_enabled: false
resources:
  description:
    - What became of each state machine, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is AWS's, in check mode, too.
    - C(deleting) says of one that was deleted whether its executions still keep it, so that its name is taken.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-notices:
      action: created
      arn: arn:aws:states:eu-central-1:123456789012:stateMachine:gitops-notices
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    stepfunctions:CreateStateMachine: 1
    stepfunctions:DescribeStateMachine: 1
    sts:GetCallerIdentity: 1
diff:
  description: For each state machine that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: state machine gitops-notices
      after_header: state machine gitops-notices
      before:
        tracing_enabled: false
      after:
        tracing_enabled: true
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.stepfunctions_state_machine import (
    OPTIONS,
    StepfunctionsStateMachine,
)


def main() -> None:
    run(StepfunctionsStateMachine, "state_machines", OPTIONS)


if __name__ == "__main__":
    main()
