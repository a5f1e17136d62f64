#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: iam_access_info
short_description: Ask IAM what principals may do
version_added: "0.1.0"
description:
  - Asks the policy simulator of AWS IAM whether users and roles may do things, any number of questions in one task.
  - The policy of the resource counts as well, for roles too, which the simulator itself does not offer.
  - Nothing is tried. No call is made but to IAM and STS, and those that read the policies of resources.
  - It says what policies decide of a call with the given condition keys. It does not see grants of keys, access control
    lists, session policies, policies of VPC endpoints, resource control policies, and service control policies with
    conditions.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  checks:
    description:
      - The questions.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - What the answer is called.
        type: str
        required: true
      principal:
        description:
          - The ARN of a user or role, that of the role also for its sessions. V(caller) is who runs the task.
        type: str
        required: true
      hypothetical:
        description:
          - Whether the principal need not exist. It has then O(checks[].policies) and nothing else.
        type: bool
        default: false
      actions:
        description:
          - Actions such as V(s3:PutObject), all on the same resource.
        type: list
        elements: str
        required: true
      resource:
        description:
          - The ARN that they are tried on.
        type: str
        required: true
      context:
        description:
          - Condition keys of the call, each with a text or a list of texts. What IAM knows of every call is set.
        type: dict
        default: {}
      policies:
        description:
          - Policies that the principal has in addition to its own.
        type: list
        elements: dict
        default: []
      permissions_boundary:
        description:
          - A policy that bounds the principal in the place of its own boundary.
        type: dict
      resource_policy:
        description:
          - The policy of the resource, in the place of the one that it has.
        type: dict
      policy_of:
        description:
          - The resource whose policy is read and counts, as its kind and its name or ARN.
          - Kinds are V(bucket), V(table) (by ARN), V(key) and V(role) (its trust policy).
          - Policies of keys and roles must allow, those of buckets and tables need not.
          - With O(checks[].resource_policy) nothing is read, and only the kind counts.
        type: dict
        suboptions:
          kind:
            description: The kind.
            type: str
            choices: [bucket, key, role, table]
            required: true
          name:
            description: The name of a bucket or role, the ARN of a table or key.
            type: str
            required: true
      only_exists:
        description:
          - Whether all that is asked is if there is such a principal. Of who runs the task it is known without asking,
            and C(decisions) of the answer is empty.
        type: bool
        default: false
      always:
        description:
          - Whether it is asked even where everything of O(unless_attached) is attached.
        type: bool
        default: false
  unless_attached:
    description:
      - Policies that are to be attached to resources, and what the questions are about.
      - Where every one of these resources has its policy already, attaching them changes nothing, so that nobody loses
        what is possible now. Nothing is asked then but what has O(checks[].always).
      - They are compared as M(gitops.aws.s3_buckets), M(gitops.aws.kms_keys) and M(gitops.aws.dynamodb_tables) compare
        them. Where one cannot be read, everything is asked.
    type: list
    elements: dict
    suboptions:
      kind:
        description: The kind of the resource.
        type: str
        choices: [bucket, key, table]
        required: true
      name:
        description: The name of a bucket, the ARN of a table or key. Of one that is yet to be made it can be empty.
        type: str
        required: true
      policy:
        description: The policy.
        type: dict
        required: true
  caller_arn:
    description:
      - The ARN of who runs the task, as STS gives it. Without it STS is asked.
    type: str
  fresh:
    description:
      - Whether principals and their policies may have been made a moment ago. A principal that IAM does not know, and
        an action that no policy allows, are then asked about again, for two minutes at most.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.reading
seealso:
  - module: gitops.aws.iam_roles
"""

EXAMPLES = r"""
- name: May somebody with every permission overwrite the state?
  gitops.aws.iam_access_info:
    region: eu-central-1
    checks:
      - name: state
        principal: arn:aws:iam::123456789012:user/somebody
        hypothetical: true
        policies:
          - Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: "*"
                Resource: "*"
        actions: [s3:PutObject, s3:DeleteObject]
        resource: arn:aws:s3:::gitops-123456789012-eu-central-1-state/network/terraform.tfstate
        policy_of:
          kind: bucket
          name: gitops-123456789012-eu-central-1-state
  register: access

- name: Say what is possible
  ansible.builtin.debug:
    msg: "{{ access.checks[0].allowed }}"
"""

RETURN = r"""
attached:
  description:
    - Whether every policy of O(unless_attached) is attached already, so that only a part of the questions was asked.
    - V(false) without O(unless_attached).
  returned: success
  type: bool
  sample: false
checks:
  description:
    - The answers to what was asked, in the order of the questions, with their names and principals.
    - C(decisions) has V(allowed), V(explicitDeny) or V(implicitDeny) by action; C(allowed) lists those allowed.
    - C(decided_by) names the policies whose statements decided.
    - C(unknown_keys) lists condition keys that policies ask for and O(checks[].context) does not give. With them
      IAM may decide otherwise.
    - C(missing) is true where IAM knows no such principal, or there is no such resource.
  returned: success
  type: list
  elements: dict
  sample:
    - name: state
      principal: arn:aws:iam::123456789012:user/somebody
      decisions:
        s3:DeleteObject: explicitDeny
        s3:PutObject: explicitDeny
      allowed: []
      decided_by: [policy of bucket gitops-123456789012-eu-central-1-state]
      unknown_keys: [s3:x-amz-server-side-encryption]
      missing: false
caller:
  description: The ARN of who runs the task, as aws:PrincipalArn gives it.
  returned: success
  type: str
  sample: arn:aws:iam::123456789012:role/platform
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    iam:SimulateCustomPolicy: 1
    s3:GetBucketPolicy: 1
    sts:GetCallerIdentity: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._access_checks import ARGUMENTS, answer, problems
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(ARGUMENTS, answer, lambda params: "what principals may do", problems)


if __name__ == "__main__":
    main()
