#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: scheduler_schedules
short_description: Manage schedules of EventBridge Scheduler
version_added: "0.1.0"
description:
  - Creates, changes and deletes schedules of Amazon EventBridge Scheduler, any number of them in one task.
  - A schedule has no tags of its own. Those of its group count as its own, and so does the group's ownership.
  - A group that is not there is made with the first of its schedules. With O(owner_tags) it is deleted with the last.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  schedules:
    description:
      - The schedules, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, unique in its group. Schedules of the same name in two groups need two tasks.
        type: str
        required: true
      group_name:
        description:
          - The group that the schedule is in. AWS cannot move a schedule. One of the same name in another group is
            another schedule.
        type: str
        default: default
      description:
        description:
          - What the schedule is for. Unset leaves it alone; an empty text removes it.
        type: str
      schedule_expression:
        description:
          - When it calls its target, V(rate(1 day\)), V(cron(0 4 * * ? *\)) or V(at(2026-11-26T04:00:00\)).
          - Unset leaves it alone; a new schedule needs it.
        type: str
      schedule_expression_timezone:
        description:
          - The time zone of the expression, such as V(Europe/Berlin). Unset leaves it alone; a new schedule has C(UTC).
        type: str
      maximum_window_in_minutes:
        description:
          - Within how many minutes after its time the target is called, up to 1440. V(0) calls it at its time.
          - Unset leaves it alone; that of a new schedule is V(0).
        type: int
      enabled:
        description:
          - Whether the schedule is at work. Unset leaves it alone; a new schedule is.
        type: bool
      target:
        description:
          - What is called, and as whom. Unset leaves it alone; a new schedule needs it.
        type: dict
        suboptions:
          arn:
            description:
              - What is called, such as a pipeline, a topic, a queue or a function.
            type: str
            required: true
          role_arn:
            description:
              - The role that EventBridge Scheduler assumes for the call.
            type: str
            required: true
          input:
            description:
              - What the target gets, as a dictionary or as text. Unset leaves it alone.
            type: raw
          dead_letter_arn:
            description:
              - ARN of the SQS queue for calls that could not be made. Unset leaves it alone; an empty text removes it.
            type: str
          maximum_event_age_in_seconds:
            description:
              - How long it is tried, from 60 to 86400, which is AWS's default. Unset leaves it alone.
            type: int
          maximum_retry_attempts:
            description:
              - How often it is tried again, from 0 to 185, which is AWS's default. Unset leaves it alone.
            type: int
      tags:
        description:
          - Tags of the schedule's group, as a dictionary. Unset leaves them alone; V({}) removes all, unless
            O(purge_tags=false).
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
  - A target with settings that are no options here, such as those of an ECS task, loses them when it is changed. The
    start and the end of a schedule, its key and what is done after its end are left as they are.
seealso:
  - module: gitops.aws.eventbridge_rules
  - module: gitops.aws.codepipelines
"""

EXAMPLES = r"""
- name: Start a pipeline every night
  gitops.aws.scheduler_schedules:
    region: eu-central-1
    schedules:
      - name: gitops-drift
        group_name: gitops
        description: Looks for drift
        schedule_expression: cron(0 4 * * ? *)
        schedule_expression_timezone: Europe/Berlin
        maximum_window_in_minutes: 15
        target:
          arn: arn:aws:codepipeline:eu-central-1:123456789012:gitops-drift
          role_arn: arn:aws:iam::123456789012:role/gitops-drift-schedule
          maximum_retry_attempts: 3
        tags:
          owner: platform

- name: Suspend it
  gitops.aws.scheduler_schedules:
    region: eu-central-1
    schedules:
      - name: gitops-drift
        group_name: gitops
        enabled: false

- name: Delete it
  gitops.aws.scheduler_schedules:
    region: eu-central-1
    state: absent
    schedules:
      - name: gitops-drift
        group_name: gitops
"""

RETURN = r"""
schedules:
  description:
    - The settings of each schedule that exists after the run, fit to be given to O(schedules) again.
    - Tags are only in it if they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-drift
      group_name: gitops
      description: Looks for drift
      schedule_expression: cron(0 4 * * ? *)
      schedule_expression_timezone: Europe/Berlin
      maximum_window_in_minutes: 15
      enabled: true
      target:
        arn: arn:aws:codepipeline:eu-central-1:123456789012:gitops-drift
        role_arn: arn:aws:iam::123456789012:role/gitops-drift-schedule
        maximum_event_age_in_seconds: 86400
        maximum_retry_attempts: 3
resources:
  description:
    - What became of each schedule, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) and C(group_arn) are AWS's. In check mode, the account in that of a new schedule is a placeholder.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-drift:
      action: created
      arn: arn:aws:scheduler:eu-central-1:123456789012:schedule/gitops/gitops-drift
      group_arn: arn:aws:scheduler:eu-central-1:123456789012:schedule-group/gitops
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    scheduler:CreateSchedule: 1
    scheduler:CreateScheduleGroup: 1
    scheduler:GetScheduleGroup: 1
diff:
  description: For each schedule that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: schedule gitops-drift
      after_header: schedule gitops-drift
      before:
        enabled: false
      after:
        enabled: true
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.scheduler_schedule import OPTIONS, SchedulerSchedule


def main() -> None:
    run(SchedulerSchedule, "schedules", OPTIONS)


if __name__ == "__main__":
    main()
