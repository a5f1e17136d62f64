#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: resources
short_description: Manage resources of several kinds in one task
version_added: "0.1.0"
description:
  - Does what several tasks with bulk modules of this collection do, one after another, in one run of one module. It is
    for roles that make many kinds of resources, a few of each, where the start of each task takes longer than its work.
  - All input is checked before the first call, and what there is of all items is read together before the first change.
    Where a kind of resource cannot be read, nothing is changed. What an earlier step makes or deletes is read when that
    has been done.
  - A step begins when the one before it has succeeded.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  steps:
    description:
      - What to do, in this order. A step without items does nothing.
    type: list
    elements: dict
    required: true
    suboptions:
      module:
        description:
          - Whose work the step does, by the module's name. Those are missing that are given secrets or wait for
            somebody, which are M(gitops.aws.codeconnections), M(gitops.aws.eventbridge_connections) and
            M(gitops.aws.ssm_parameters).
        type: str
        required: true
        choices:
          - chatbot_slack_channels
          - cloudwatch_alarms
          - codebuild_projects
          - codepipelines
          - codestar_notification_rules
          - dynamodb_tables
          - eventbridge_api_destinations
          - eventbridge_rules
          - iam_policies
          - iam_roles
          - kms_keys
          - log_groups
          - s3_buckets
          - scheduler_schedules
          - sns_topics
          - sqs_queues
          - stepfunctions_state_machines
      state:
        description:
          - V(present) creates what is missing and changes what differs. Settings that are not given are left alone.
          - V(absent) deletes the resources that are listed, and no others. Only what identifies each is needed.
        type: str
        choices: [present, absent]
        default: present
      items:
        description:
          - What that module takes as its list, such as the C(roles) of M(gitops.aws.iam_roles).
          - It may be the text that a filter of this collection gives with C(packed=true), such as
            P(gitops.aws.stack_roles#filter). Thousands of resources get here several times as fast that way, for
            Ansible looks at every element of a list.
        type: raw
        required: true
      with_deleted:
        description:
          - Another module, of which the same task has a step with V(absent). Of the items only those are looked at of
            whose name such a step deletes something; the others take no call.
          - It is refused where a step before one of the two changes what that one is about, because then nobody knows
            ahead what is deleted.
          - It is for what comes and goes with a resource that is read in any case, such as a rule and the role that it
            assumes.
        type: str
        choices:
          - chatbot_slack_channels
          - cloudwatch_alarms
          - codebuild_projects
          - codepipelines
          - codestar_notification_rules
          - dynamodb_tables
          - eventbridge_api_destinations
          - eventbridge_rules
          - iam_policies
          - iam_roles
          - kms_keys
          - log_groups
          - s3_buckets
          - scheduler_schedules
          - sns_topics
          - sqs_queues
          - stepfunctions_state_machines
  owner_tags:
    description:
      - Tags that mark a resource as made here. They are added to the tags of every item that can have tags.
      - A resource that exists and does not carry them is neither changed nor deleted; the task fails and names it.
    type: dict
  purge_tags:
    description:
      - With V(true), an item with C(tags) has exactly those afterwards. C(tags) as V({}) removes all.
      - With V(false), its C(tags) are added to those the resource has, and nothing is removed.
    type: bool
    default: true
  group_tag:
    description:
      - A tag of the items, such as one that names a customer. When an item fails, those of the following steps that
        have the same value of it are not begun, and all others are. Items without the tag, as most deletions are,
        are of no group. When one of those fails, no following step is begun.
      - Without it, no following step is begun when an item fails.
    type: str
  known_pipelines:
    description:
      - An object in S3 that keeps which version of each pipeline was found, or made, to be as its item says. Such a
        pipeline is not read again as long as it has that version and the item says the same. C(ListPipelines) tells the
        versions of a thousand pipelines, and C(GetPipeline) reads one.
      - It counts where ten pipelines or more are asked for. Tags are compared in any case, and an item with something
        secret is always read.
      - The object is written when something was learnt, and never in check mode. If it cannot be read or written, a
        warning says so, and pipelines are read that need not be. To lose it does no harm.
      - Who can write it and change pipelines can hide a change. Let nobody write it but who runs this.
    type: dict
    suboptions:
      bucket:
        description: The bucket.
        type: str
        required: true
      key:
        description: The object's key.
        type: str
        required: true
      kms_key_id:
        description: The ARN of the KMS key that encrypts it. Without it, the bucket's default encryption does.
        type: str
      read_all:
        description: Whether to read every pipeline all the same, and to note anew what is found.
        type: bool
        default: false
  concurrency:
    description:
      - How many calls to AWS are in flight at once, from 1 to 100.
      - Calls that AWS throttles are repeated, so that a high number costs time and not success.
    type: int
    default: 10
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
notes:
  - The items of a step are independent of each other. When one fails, the others of its step are carried out all the
    same; O(group_tag) says what is begun after it. The task then fails with one message that names every failed item
    and what was not begun.
  - The settings of the resources are not returned, unlike by the modules that manage one kind.
seealso:
  - module: gitops.aws.iam_roles
  - module: gitops.aws.codebuild_projects
"""

EXAMPLES = r"""
- name: A topic, and a rule that tells it of failures
  gitops.aws.resources:
    region: eu-central-1
    owner_tags:
      gitops:estate: gitops
    steps:
      - module: sns_topics
        items:
          - name: gitops-failures
      - module: eventbridge_rules
        items:
          - name: gitops-failures
            event_pattern:
              source: [aws.codepipeline]
              detail:
                state: [FAILED]
            targets:
              - id: topic
                arn: arn:aws:sns:eu-central-1:123456789012:gitops-failures

- name: Delete both, the rule first
  gitops.aws.resources:
    region: eu-central-1
    steps:
      - module: eventbridge_rules
        state: absent
        items:
          - name: gitops-failures
      - module: sns_topics
        state: absent
        items:
          - name: gitops-failures
"""

RETURN = r"""
resources:
  description:
    - By the name of the module, what became of each resource, by its name. Steps of the same module are put together.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - The others are what the module tells of a resource, such as C(arn).
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    sns_topics:
      gitops-failures:
        action: created
        arn: arn:aws:sns:eu-central-1:123456789012:gitops-failures
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    sns:CreateTopic: 1
    sns:GetTopicAttributes: 1
diff:
  description:
    - For each resource that changes, its settings before and after. There is none without C(--diff), for a thousand
      resources that are made have as many long ones.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: SNS topic gitops-failures
      after_header: SNS topic gitops-failures
      before:
        display_name: ""
      after:
        display_name: Failures
"""

from ansible_collections.gitops.aws.plugins.module_utils._steps import run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
