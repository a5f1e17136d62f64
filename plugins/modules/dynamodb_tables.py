#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: dynamodb_tables
short_description: Manage DynamoDB tables such as Terraform's lock table
version_added: "0.1.0"
description:
  - Creates, changes and deletes Amazon DynamoDB tables with a hash key and nothing else, such as a Terraform lock
    table, any number of them in one task.
  - Indexes, streams and provisioned capacity are not managed, and left as they are.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  tables:
    description:
      - The tables, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, 3 to 255 of the characters a-z, A-Z, 0-9, underscore, full stop and hyphen.
        type: str
        required: true
      hash_key:
        description:
          - The attribute that identifies an item. It is needed to create a table, and AWS cannot change it afterwards.
        type: dict
        suboptions:
          name:
            description:
              - The attribute's name. Terraform's S3 backend wants V(LockID).
            type: str
            required: true
          type:
            description:
              - V(S) for text, V(N) for numbers, V(B) for bytes.
            type: str
            choices: [S, N, B]
            default: S
      billing_mode:
        description:
          - V(PAY_PER_REQUEST) bills each request. New tables always do; this option changes one that does not.
          - Unset leaves it alone.
        type: str
        choices: [PAY_PER_REQUEST]
      kms_key_id:
        description:
          - The ARN of the KMS key that the table is encrypted with. AWS answers the ARN, so an id or alias would differ
            on every run.
          - Unset leaves it alone; an empty text goes back to the key that DynamoDB owns.
        type: str
      point_in_time_recovery:
        description:
          - Whether the table can be restored to any second of the last 35 days.
          - Unset leaves it alone; a new table has it off.
        type: bool
      deletion_protection:
        description:
          - Whether AWS refuses to delete the table. Unset leaves it alone; a new table has it off.
          - With O(state=absent), V(false) takes the protection off before the table is deleted. Otherwise a protected
            table stays, and the task fails.
        type: bool
      policy:
        description:
          - The table's resource-based policy as a dictionary - who may do what with it, beside the policies of the
            callers. Two policies that say the same in another order are equal.
          - Unset leaves it alone; V({}) removes it. It may have 20 KB.
          - A new table has it from its first moment. For that AWS wants C(dynamodb:PutResourcePolicy), too.
        type: dict
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
  - The module waits until a created or changed table can be used, and until a deleted one is gone.
"""

EXAMPLES = r"""
- name: A lock table for Terraform
  gitops.aws.dynamodb_tables:
    region: eu-central-1
    tables:
      - name: gitops-terraform-locks
        hash_key:
          name: LockID
        kms_key_id: arn:aws:kms:eu-central-1:123456789012:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
        point_in_time_recovery: true
        deletion_protection: true
        policy:
          Version: "2012-10-17"
          Statement:
            - Sid: OnlyBuildsWrite
              Effect: Deny
              Principal: "*"
              Action:
                - dynamodb:PutItem
                - dynamodb:UpdateItem
                - dynamodb:DeleteItem
              Resource: arn:aws:dynamodb:eu-central-1:123456789012:table/gitops-terraform-locks
              Condition:
                ArnNotLike:
                  aws:PrincipalArn: arn:aws:iam::123456789012:role/gitops-*
        tags:
          owner: platform

- name: Take its policy away, and nothing else
  gitops.aws.dynamodb_tables:
    region: eu-central-1
    tables:
      - name: gitops-terraform-locks
        policy: {}

- name: Delete it although it is protected
  gitops.aws.dynamodb_tables:
    region: eu-central-1
    state: absent
    tables:
      - name: gitops-terraform-locks
        deletion_protection: false
"""

RETURN = r"""
tables:
  description:
    - The settings of each table that exists after the run, fit to be given to O(tables) again.
    - C(billing_mode), C(point_in_time_recovery), C(policy) and C(tags) are in it when they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-terraform-locks
      hash_key:
        name: LockID
        type: S
      kms_key_id: arn:aws:kms:eu-central-1:123456789012:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
      point_in_time_recovery: true
      deletion_protection: true
      tags:
        owner: platform
resources:
  description:
    - What became of each table, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is the table's ARN.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-terraform-locks:
      action: created
      arn: arn:aws:dynamodb:eu-central-1:123456789012:table/gitops-terraform-locks
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    dynamodb:CreateTable: 1
    dynamodb:DescribeTable: 2
    dynamodb:UpdateContinuousBackups: 1
diff:
  description: For each table that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: DynamoDB table gitops-terraform-locks
      after_header: DynamoDB table gitops-terraform-locks
      before:
        deletion_protection: false
      after:
        deletion_protection: true
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.dynamodb_table import OPTIONS, DynamodbTable


def main() -> None:
    run(DynamodbTable, "tables", OPTIONS)


if __name__ == "__main__":
    main()
