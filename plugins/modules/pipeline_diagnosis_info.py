#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pipeline_diagnosis_info
short_description: Find out why a run of a pipeline failed, or what would make it fail
version_added: "0.1.0"
description:
  - Compares what the runs of stacks need with what is in AWS, and says which statement is missing where, with the fix.
  - Looks into executions, where it is asked to, into their builds and the ends of their logs.
  - It reads no state and no value of a parameter. What could not be read is a finding, too.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  foundation:
    description:
      - What the stacks share, as the playbooks have it.
    type: dict
    required: true
  stacks:
    description:
      - What is expected of each stack, as P(gitops.aws.stack_expectations#filter) makes it.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The stack's name.
        type: str
        required: true
      roles:
        description:
          - What each role needs. C(arn), C(purpose), C(made) (whether the collection makes it), C(assume_role_policy),
            C(inline_policies) and C(managed_policies).
        type: list
        elements: dict
        required: true
      projects:
        description:
          - The build projects, C(name) and C(purpose) of the role of each.
        type: list
        elements: dict
        required: true
      pipelines:
        description:
          - The names of the pipelines.
        type: list
        elements: str
        required: true
      parameters:
        description:
          - The names of the parameters that builds read.
        type: list
        elements: str
        default: []
      state:
        description:
          - C(key) of the state, and the C(projects) that lock it.
        type: dict
        required: true
  newest:
    description:
      - Whether to look at the newest execution of each stack, too.
    type: bool
    default: false
  execution_id:
    description:
      - An execution of one of the stacks to look at. Nothing is said of other stacks then.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.reading
seealso:
  - module: gitops.aws.codepipelines_info
  - module: gitops.aws.terraform_locks_info
"""

EXAMPLES = r"""
# The playbook gitops.aws.doctor has both from the stacks' settings, by the filter gitops.aws.stack_expectations.
- name: Would a run of this stack fail?
  gitops.aws.pipeline_diagnosis_info:
    region: eu-central-1
    foundation: &shared
      name: gitops
      region: eu-central-1
      partition: aws
      account_id: "111122223333"
      locking: [dynamodb, lockfile]
      state_bucket: gitops-111122223333-eu-central-1-state
      artifact_bucket: gitops-111122223333-eu-central-1-artifacts
      lock_table: gitops-lock
      kms_key_arn: arn:aws:kms:eu-central-1:111122223333:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
      connection_arn: arn:aws:codeconnections:eu-central-1:111122223333:connection/4dfa8f62
      log_group: /gitops/builds
    stacks: &expected
      - name: network
        pipelines: [gitops-network]
        projects:
          - name: gitops-network-plan
            purpose: plan
        roles:
          - arn: arn:aws:iam::111122223333:role/gitops-network-pipeline
            purpose: pipeline
            made: false
            assume_role_policy: {}
            inline_policies: {}
            managed_policies: []
          - arn: arn:aws:iam::111122223333:role/gitops-network-plan
            purpose: plan
            made: false
            assume_role_policy: {}
            inline_policies:
              build:
                Version: "2012-10-17"
                Statement:
                  - Effect: Allow
                    Action: [s3:GetBucketVersioning, s3:ListBucket]
                    Resource: arn:aws:s3:::gitops-111122223333-eu-central-1-artifacts
            managed_policies: []
        state:
          key: network/terraform.tfstate
          projects: [gitops-network-plan]
    newest: true

- name: Why did that fail?
  gitops.aws.pipeline_diagnosis_info:
    region: eu-central-1
    foundation: *shared
    stacks: *expected
    execution_id: 5f3c1d0a-7c5e-4e58-9a2b-0a6a6f0c7d11
  register: found

- name: What to do
  ansible.builtin.debug:
    msg: "{{ found.findings | map(attribute='fix') }}"
"""

RETURN = r"""
findings:
  description: What makes a run fail; empty where nothing was found.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its kind, such as V(artifact-bucket-access). All are in docs/doctor.md of the collection.
      type: str
    stack:
      description: The stack's name, empty where all are concerned.
      type: str
    resource:
      description: The ARN or the name of what is not right.
      type: str
    cause:
      description: What is wrong, in one sentence.
      type: str
    evidence:
      description: What AWS said, or what was read there.
      type: str
    fix:
      description: A command, or an edit.
      type: str
  sample:
    - id: connection-pending
      stack: ""
      resource: arn:aws:codeconnections:eu-central-1:123456789012:connection/4dfa8f62
      cause: Nobody has completed the connection github yet, so that no pipeline can fetch code.
      evidence: "ConnectionStatus: PENDING"
      fix: Complete it at https://eu-central-1.console.aws.amazon.com/codesuite/settings/connections
executions:
  description: The executions that were looked at.
  returned: success
  type: list
  elements: dict
  contains:
    stack:
      description: The stack's name.
      type: str
    pipeline:
      description: The pipeline's name.
      type: str
    id:
      description: The execution's id.
      type: str
    status:
      description: Its status.
      type: str
  sample:
    - stack: network
      pipeline: gitops-network
      id: 5f3c1d0a-7c5e-4e58-9a2b-0a6a6f0c7d11
      status: Failed
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codebuild:BatchGetProjects: 1
    codepipeline:GetPipeline: 2
    iam:GetAccountAuthorizationDetails: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_executions import ARGUMENTS, info, problems
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(ARGUMENTS, info, lambda params: f"stacks of {params['foundation'].get('name', '?')}", problems)


if __name__ == "__main__":
    main()
