#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: iam_roles
short_description: Manage IAM roles with their policies
version_added: "0.1.0"
description:
  - Creates, changes and deletes IAM roles with their trust policy, inline policies, managed policies and permissions
    boundary, any number of them in one task.
  - From three roles on, the roles of the account are read by the page, which takes fewer calls than asking for each.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  roles:
    description:
      - The roles, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, 1 to 64 of the characters a-z, A-Z, 0-9, plus, equal sign, comma, full stop, at, underscore and
            hyphen.
        type: str
        required: true
      path:
        description:
          - The path, beginning and ending with a slash. AWS cannot change it afterwards.
          - Unset leaves it alone; a new role gets V(/).
        type: str
      description:
        description:
          - What the role is for. Unset leaves it alone; an empty text removes it.
        type: str
      assume_role_policy:
        description:
          - Who may assume the role, the trust policy as a dictionary. It is needed to create a role; unset leaves it
            alone.
          - Two policies that say the same in another order are equal.
        type: dict
      inline_policies:
        description:
          - All inline policies of the role - a dictionary of policy documents, themselves dictionaries, by their names.
          - Unset leaves them alone. Policies that are not in it are removed, so V({}) removes all.
          - Together they may have 10240 characters.
        type: dict
      managed_policies:
        description:
          - The ARNs of all managed policies that are attached to the role; the order does not matter.
          - Unset leaves them alone. Policies that are not listed are detached, so V([]) detaches all.
        type: list
        elements: str
      permissions_boundary:
        description:
          - The ARN of the managed policy that bounds what the role can ever do.
          - Unset leaves it alone; an empty text removes it.
        type: str
      max_session_duration:
        description:
          - Seconds, from 3600 to 43200, that a session of the role can last at most.
          - Unset leaves it alone; a new role gets 3600.
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
  - What a changed role needs is added before what it no longer has is taken away, so that a role in use never lacks
    what it keeps.
  - A role is deleted with its inline policies; it is detached from managed policies and taken out of instance profiles.
"""

EXAMPLES = r"""
- name: A role for builds that plan
  gitops.aws.iam_roles:
    roles:
      - name: gitops-network-plan
        description: Builds of gitops-network that plan
        assume_role_policy:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Principal:
                Service: codebuild.amazonaws.com
              Action: sts:AssumeRole
              Condition:
                StringEquals:
                  aws:SourceAccount: "123456789012"
        inline_policies:
          parameters:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: ssm:GetParameters
                Resource: arn:aws:ssm:eu-central-1:123456789012:parameter/gitops/network/*
        managed_policies:
          - arn:aws:iam::aws:policy/ReadOnlyAccess
        tags:
          stack: network

- name: Take all managed policies away, and nothing else
  gitops.aws.iam_roles:
    roles:
      - name: gitops-network-plan
        managed_policies: []

- name: Delete a role
  gitops.aws.iam_roles:
    state: absent
    roles:
      - name: gitops-network-plan
"""

RETURN = r"""
roles:
  description:
    - The settings of each role that exists after the run, fit to be given to O(roles) again.
    - When three or more roles are given and none with a description or session duration, these two are not in it.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-network-plan
      path: /
      description: Builds of gitops-network that plan
      assume_role_policy:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal:
              Service: codebuild.amazonaws.com
            Action: sts:AssumeRole
      inline_policies: {}
      managed_policies:
        - arn:aws:iam::aws:policy/ReadOnlyAccess
      permissions_boundary: ""
      max_session_duration: 3600
      tags:
        stack: network
resources:
  description:
    - What became of each role, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) and C(role_id) are the role's. In check mode, a role to be created has none yet.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-network-plan:
      action: updated
      arn: arn:aws:iam::123456789012:role/gitops-network-plan
      role_id: AROAEXAMPLE0000000001
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    iam:AttachRolePolicy: 1
    iam:GetRole: 1
    iam:ListAttachedRolePolicies: 1
    iam:ListRolePolicies: 1
diff:
  description: For each role that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: IAM role gitops-network-plan
      after_header: IAM role gitops-network-plan
      before:
        managed_policies: []
      after:
        managed_policies:
          - arn:aws:iam::aws:policy/ReadOnlyAccess
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.iam_role import OPTIONS, IamRole


def main() -> None:
    run(IamRole, "roles", OPTIONS)


if __name__ == "__main__":
    main()
