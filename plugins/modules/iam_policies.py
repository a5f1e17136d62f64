#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: iam_policies
short_description: Manage customer managed policies of IAM
version_added: "0.1.0"
description:
  - Creates, changes and deletes the managed policies of an account, any number of them in one task.
  - The policies of the account are read by the page, with their documents and versions. A policy with a description or
    tags takes one call more.
  - Whom a policy is attached to is not managed here. For roles, M(gitops.aws.iam_roles) does that.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  policies:
    description:
      - The policies, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, 1 to 128 of the characters a-z, A-Z, 0-9, plus, equal sign, comma, full stop, at, underscore and
            hyphen. An account has each name once, whatever the path.
        type: str
        required: true
      path:
        description:
          - The path, beginning and ending with a slash. AWS cannot change it afterwards.
          - Unset leaves it alone; a new policy gets V(/).
        type: str
      description:
        description:
          - What the policy is for. AWS cannot change it afterwards, so that another one than the policy has is refused.
          - Unset leaves it alone; a new policy has none.
        type: str
      policy:
        description:
          - The document as a dictionary, of 6144 characters at most, white space not counted. It is needed to create a
            policy; unset leaves it alone.
          - Two documents that say the same in another order are equal.
          - Another document becomes a new version, which is in force at once. AWS keeps five; when there are five, the
            oldest that is not in force is deleted first.
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
  - A policy is deleted with all its versions. One that is attached to a role, user or group, or that is a permissions
    boundary, is not deleted; the task fails and names them, in check mode, too.
"""

EXAMPLES = r"""
- name: Policies for those who run pipelines, and what bounds the pipelines' roles
  gitops.aws.iam_policies:
    policies:
      - name: gitops-operator
        path: /gitops/
        description: Runs pipelines and approves
        policy:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action:
                - codepipeline:GetPipelineState
                - codepipeline:PutApprovalResult
                - codepipeline:StartPipelineExecution
              Resource: arn:aws:codepipeline:eu-central-1:123456789012:gitops-*
        tags:
          owner: platform
      - name: gitops-boundary
        policy:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action: "ec2:*"
              Resource: "*"

- name: Delete a policy that nothing uses
  gitops.aws.iam_policies:
    state: absent
    policies:
      - name: gitops-boundary
"""

RETURN = r"""
policies:
  description:
    - The settings of each policy that exists after the run, fit to be given to O(policies) again.
    - C(description) and C(tags) are in it when they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-boundary
      path: /
      policy:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: "ec2:*"
            Resource: "*"
resources:
  description:
    - What became of each policy, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is the policy's ARN, in check mode also of a policy to be created. C(default_version_id) is the version in
      force.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-boundary:
      action: updated
      arn: arn:aws:iam::123456789012:policy/gitops-boundary
      default_version_id: v2
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    iam:CreatePolicyVersion: 1
    iam:GetAccountAuthorizationDetails: 1
diff:
  description: For each policy that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: IAM policy gitops-boundary
      after_header: IAM policy gitops-boundary
      before:
        policy:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action: "ec2:Describe*"
              Resource: "*"
      after:
        policy:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action: "ec2:*"
              Resource: "*"
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.iam_policy import OPTIONS, IamPolicy


def main() -> None:
    run(IamPolicy, "policies", OPTIONS)


if __name__ == "__main__":
    main()
