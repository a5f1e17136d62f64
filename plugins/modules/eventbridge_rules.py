#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: eventbridge_rules
short_description: Manage EventBridge rules and their targets
version_added: "0.1.0"
description:
  - Creates, changes and deletes rules of Amazon EventBridge, any number of them in one task.
  - What a rule calls, its targets, is part of it.
  - A rule that a service of AWS made for itself is neither changed nor deleted; the task fails and names it.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  rules:
    description:
      - The rules, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, unique on its bus. Rules of the same name on two buses need two tasks.
        type: str
        required: true
      event_bus_name:
        description:
          - The bus that the rule is on. AWS cannot move a rule. One of the same name on another bus is another rule.
        type: str
        default: default
      description:
        description:
          - What the rule is for. Unset leaves it alone; an empty text removes it.
        type: str
      event_pattern:
        description:
          - Which events it is about, as a dictionary. It is compared as data, whatever the spelling of its JSON.
          - Unset leaves it alone. It takes the place of a O(rules[].schedule_expression); one of them is needed.
        type: dict
      schedule_expression:
        description:
          - When it calls its targets, such as V(rate(1 day\)) or V(cron(0 6 * * ? *\)), in UTC.
          - Unset leaves it alone. It takes the place of an O(rules[].event_pattern); AWS has schedules on the bus
            V(default) only.
        type: str
      enabled:
        description:
          - Whether the rule is at work. Unset leaves it alone; a new rule is.
        type: bool
      all_management_events:
        description:
          - Whether the rule also gets the management events of CloudTrail about calls that only read, C(AssumeRole) of
            STS among them. AWS shows its state as C(ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS) then.
          - Unset leaves it alone; a new rule does not. A rule that is not enabled does not, either.
        type: bool
      role_arn:
        description:
          - The role that EventBridge assumes where a target says none. Unset leaves it alone; an empty text removes it.
        type: str
      targets:
        description:
          - Exactly what the rule calls, 5 at most. Those that are not listed are removed.
          - Of what an entry leaves out, AWS's default applies.
          - Unset leaves them alone; V([]) removes all.
        type: list
        elements: dict
        suboptions:
          id:
            description:
              - The name of the target in the rule.
            type: str
            required: true
          arn:
            description:
              - What is called, such as a topic, a queue, a pipeline or an API destination.
            type: str
            required: true
          role_arn:
            description:
              - The role that EventBridge assumes for the call. Pipelines and API destinations need it. Topics, queues
                and functions must have none; they allow the call in a policy of their own.
            type: str
          input:
            description:
              - What the target gets in the event's place, as a dictionary or as JSON.
              - At most one of this, O(rules[].targets[].input_path) and O(rules[].targets[].input_transformer).
            type: raw
          input_path:
            description:
              - The part of the event that the target gets, such as V($.detail).
            type: str
          input_transformer:
            description:
              - A text with parts of the event in it, which the target gets.
            type: dict
            suboptions:
              input_paths_map:
                description:
                  - Names for parts of the event, such as V(state) for V($.detail.state).
                type: dict
              input_template:
                description:
                  - The text, with a name in angle brackets for each part. If it is no JSON, it stands in double quotes.
                type: str
                required: true
          http_parameters:
            description:
              - What is added to the calls of an API destination. Secrets belong into its connection.
            type: dict
            suboptions:
              path_parameter_values:
                description:
                  - What stands for the asterisks in the destination's path.
                type: list
                elements: str
              header_parameters:
                description:
                  - Headers.
                type: dict
              query_string_parameters:
                description:
                  - Parameters of the query.
                type: dict
          dead_letter_arn:
            description:
              - ARN of the SQS queue for events that could not be delivered.
            type: str
          maximum_event_age_in_seconds:
            description:
              - How long EventBridge tries, from 60 to 86400, which is AWS's default.
            type: int
          maximum_retry_attempts:
            description:
              - How often it tries again, from 0 to 185, which is AWS's default.
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
  - A target with settings that are no options here, such as those of an ECS task, loses them when it is listed.
seealso:
  - module: gitops.aws.sns_topics
  - module: gitops.aws.codepipelines
"""

EXAMPLES = r"""
- name: Tell a topic of pipelines that fail
  gitops.aws.eventbridge_rules:
    region: eu-central-1
    rules:
      - name: gitops-failed
        description: Pipelines that fail
        event_pattern:
          source: [aws.codepipeline]
          detail-type: [CodePipeline Pipeline Execution State Change]
          detail:
            state: [FAILED]
        targets:
          - id: topic
            arn: arn:aws:sns:eu-central-1:123456789012:gitops-events
            input_transformer:
              input_paths_map:
                pipeline: $.detail.pipeline
              input_template: '"<pipeline> has failed"'
            dead_letter_arn: arn:aws:sqs:eu-central-1:123456789012:gitops-undelivered
        tags:
          owner: platform

- name: Call an API destination, as a role
  gitops.aws.eventbridge_rules:
    region: eu-central-1
    rules:
      - name: gitops-chat
        event_pattern:
          source: [aws.codepipeline]
        targets:
          - id: chat
            arn: arn:aws:events:eu-central-1:123456789012:api-destination/chat/11111111-2222-3333-4444-555555555555
            role_arn: arn:aws:iam::123456789012:role/gitops-chat
            http_parameters:
              header_parameters:
                X-Estate: gitops
            maximum_event_age_in_seconds: 3600
            maximum_retry_attempts: 10

- name: Start a pipeline every morning
  gitops.aws.eventbridge_rules:
    region: eu-central-1
    rules:
      - name: gitops-morning
        schedule_expression: cron(0 6 * * ? *)
        targets:
          - id: pipeline
            arn: arn:aws:codepipeline:eu-central-1:123456789012:gitops-network
            role_arn: arn:aws:iam::123456789012:role/gitops-morning
            input:
              variables:
                - name: reason
                  value: morning

- name: Delete a rule with its targets
  gitops.aws.eventbridge_rules:
    region: eu-central-1
    state: absent
    rules:
      - name: gitops-morning
"""

RETURN = r"""
rules:
  description:
    - The settings of each rule that exists after the run, fit to be given to O(rules) again.
    - Targets and tags are only in it if they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-failed
      event_bus_name: default
      description: Pipelines that fail
      enabled: true
      role_arn: ""
      event_pattern:
        source: [aws.codepipeline]
      targets:
        - id: topic
          arn: arn:aws:sns:eu-central-1:123456789012:gitops-events
          maximum_event_age_in_seconds: 86400
          maximum_retry_attempts: 185
resources:
  description:
    - What became of each rule, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) and C(state) are AWS's. In check mode, the account in the ARN of a rule to be created is a placeholder.
    - C(managed_by) is there for a rule that a service of AWS made for itself.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-failed:
      action: created
      arn: arn:aws:events:eu-central-1:123456789012:rule/gitops-failed
      state: ENABLED
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    events:ListRules: 1
    events:PutRule: 1
    events:PutTargets: 1
diff:
  description: For each rule that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: EventBridge rule gitops-failed
      after_header: EventBridge rule gitops-failed
      before:
        enabled: false
      after:
        enabled: true
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.eventbridge_rule import OPTIONS, EventbridgeRule


def main() -> None:
    run(EventbridgeRule, "rules", OPTIONS)


if __name__ == "__main__":
    main()
