#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: kms_keys
short_description: Manage KMS keys by their aliases
version_added: "0.1.0"
description:
  - Creates, changes and deletes symmetric customer managed keys of AWS KMS, any number of them in one task.
  - A key is found by its alias, since AWS chooses its id.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  kms_keys:
    description:
      - The keys, each with its alias.
    type: list
    elements: dict
    required: true
    suboptions:
      alias:
        description:
          - The alias, beginning with V(alias/). V(alias/aws/) is taken by the keys that AWS manages.
        type: str
        required: true
      description:
        description:
          - What the key is for. Unset leaves it alone; an empty text removes it.
        type: str
      policy:
        description:
          - The key policy as a dictionary. Two policies that say the same in another order are equal.
          - Unset leaves it alone. A new key without it gets AWS's default, which leaves access to the account's IAM
            policies. A key is never without a policy, so V({}) is refused.
          - AWS refuses a policy that would keep the caller from changing it later.
        type: dict
      enable_key_rotation:
        description:
          - Whether KMS makes new key material every year. What was encrypted with the old material stays readable.
          - Unset leaves it alone; a new key does not rotate.
        type: bool
      pending_window:
        description:
          - Days, from 7 to 30, that a deleted key can still be recovered.
          - Only used with O(state=absent).
        type: int
        default: 30
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
  - A new key has the tag V(gitops:alias-to-come) until it has its alias. A run that finds an enabled key with it, made
    for its alias, takes that one, so that there is one key also where a run was killed, or denied C(kms:CreateAlias).
    That takes C(kms:TagResource), C(kms:UntagResource) and C(tag:GetResources). Where another run was quicker to name a
    key of its own at the same moment, this run takes that one, and schedules the deletion of the one that it has made.
  - Deleting a key schedules its deletion and removes the alias. Until the waiting time ends the key can be recovered in
    the AWS console; afterwards nobody can read what was encrypted with it.
seealso:
  - module: gitops.aws.s3_buckets
"""

EXAMPLES = r"""
- name: A key that rotates every year
  gitops.aws.kms_keys:
    region: eu-central-1
    kms_keys:
      - alias: alias/gitops
        description: Terraform states, pipeline artifacts and parameters
        enable_key_rotation: true
        tags:
          owner: platform
  register: foundation

- name: Show the key's ARN
  ansible.builtin.debug:
    msg: "{{ foundation.resources['alias/gitops'].arn }}"

- name: Allow a build role to use the key
  gitops.aws.kms_keys:
    region: eu-central-1
    kms_keys:
      - alias: alias/gitops
        policy:
          Version: "2012-10-17"
          Statement:
            - Sid: Account
              Effect: Allow
              Principal:
                AWS: arn:aws:iam::123456789012:root
              Action: kms:*
              Resource: "*"
            - Sid: Builds
              Effect: Allow
              Principal:
                AWS: arn:aws:iam::123456789012:role/gitops-network-plan
              Action:
                - kms:Decrypt
                - kms:GenerateDataKey
              Resource: "*"

- name: Delete a key after a week
  gitops.aws.kms_keys:
    region: eu-central-1
    state: absent
    kms_keys:
      - alias: alias/gitops-trial
        pending_window: 7
"""

RETURN = r"""
kms_keys:
  description:
    - The settings of each key that exists after the run, fit to be given to O(kms_keys) again.
    - Of the optional settings only those are in it that were given.
  returned: always
  type: list
  elements: dict
  sample:
    - alias: alias/gitops
      description: Terraform states, pipeline artifacts and parameters
      enable_key_rotation: true
      tags:
        owner: platform
resources:
  description:
    - What became of each key, by its alias.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn), C(key_id) and C(key_state) are AWS's. In check mode, the ARN of a key to be created is a placeholder.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    alias/gitops:
      action: created
      arn: arn:aws:kms:eu-central-1:123456789012:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
      key_id: 1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
      key_state: Enabled
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    kms:CreateAlias: 1
    kms:CreateKey: 1
    kms:DescribeKey: 1
diff:
  description: For each key that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: KMS key alias/gitops
      after_header: KMS key alias/gitops
      before:
        enable_key_rotation: false
      after:
        enable_key_rotation: true
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.kms_key import OPTIONS, KmsKey


def main() -> None:
    run(KmsKey, "kms_keys", OPTIONS)


if __name__ == "__main__":
    main()
