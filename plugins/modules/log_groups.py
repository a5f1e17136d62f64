#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: log_groups
short_description: Manage CloudWatch Logs log groups
version_added: "0.1.0"
description:
  - Creates, changes and deletes log groups of Amazon CloudWatch Logs, any number of them in one task.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  log_groups:
    description:
      - The log groups, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, 1 to 512 of the characters a-z, A-Z, 0-9, full stop, hyphen, underscore, slash and number sign.
        type: str
        required: true
      retention_in_days:
        description:
          - Days after which log lines expire. V(0) keeps them for ever.
          - Unset leaves it alone; the lines of a new log group never expire.
        type: int
        choices:
          [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
      kms_key_id:
        description:
          - The ARN of the KMS key that new log lines are encrypted with. An alias is not possible.
          - The key's policy must allow the service of CloudWatch Logs in the region to use the key.
          - Unset leaves it alone; an empty text goes back to the key that CloudWatch Logs owns.
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
"""

EXAMPLES = r"""
- name: Log groups for the builds of two stacks
  gitops.aws.log_groups:
    region: eu-central-1
    log_groups:
      - name: /aws/codebuild/gitops-network-plan
        retention_in_days: 365
        kms_key_id: arn:aws:kms:eu-central-1:123456789012:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
      - name: /aws/codebuild/gitops-network-apply
        retention_in_days: 365
        tags:
          stack: network

- name: Keep the lines of one for ever
  gitops.aws.log_groups:
    region: eu-central-1
    log_groups:
      - name: /aws/codebuild/gitops-network-apply
        retention_in_days: 0

- name: Delete a log group and what is in it
  gitops.aws.log_groups:
    region: eu-central-1
    state: absent
    log_groups:
      - name: /aws/codebuild/gitops-network-plan
"""

RETURN = r"""
log_groups:
  description:
    - The settings of each log group that exists after the run, fit to be given to O(log_groups) again.
    - C(tags) are in it when they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: /aws/codebuild/gitops-network-plan
      retention_in_days: 365
      kms_key_id: arn:aws:kms:eu-central-1:123456789012:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
resources:
  description:
    - What became of each log group, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is the ARN, without the C(:*) that IAM policies put behind it.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    /aws/codebuild/gitops-network-plan:
      action: updated
      arn: arn:aws:logs:eu-central-1:123456789012:log-group:/aws/codebuild/gitops-network-plan
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    logs:DescribeLogGroups: 1
    logs:PutRetentionPolicy: 1
diff:
  description: For each log group that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: log group /aws/codebuild/gitops-network-plan
      after_header: log group /aws/codebuild/gitops-network-plan
      before:
        retention_in_days: 0
      after:
        retention_in_days: 365
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.log_group import OPTIONS, LogGroup


def main() -> None:
    run(LogGroup, "log_groups", OPTIONS)


if __name__ == "__main__":
    main()
