#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: terraform_drift_info
short_description: List what has changed of the resources that stacks manage
version_added: "0.1.0"
description:
  - Reads what the newest runs of drift pipelines found, in which Terraform compares AWS with the state of a stack.
    It starts no run.
  - Says of each stack whether it was checked, and when. Of one that was not, nothing is known.
  - Values that Terraform calls sensitive are in none of it.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  pipelines:
    description:
      - The drift pipelines.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The pipeline's name.
        type: str
        required: true
      stack:
        description:
          - The name of its stack.
        type: str
        required: true
  ignore_changes:
    description:
      - Differences that are to be ignored, each an address and the path of an attribute, such as
        V(aws_instance.*:tags.LastScan), V(module.a.*:ingress[*].description) or V(*:tags_all). V(*) and V(?) are
        wildcards in both.
      - A path means what is below it, too. An attribute that is sensitive has no path below it.
      - A resource that is gone is reported all the same.
    type: list
    elements: str
    default: []
  max_age_hours:
    description:
      - How old what is known of a stack may be.
    type: int
    default: 26
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.reading
seealso:
  - module: gitops.aws.codepipeline_execution
  - module: gitops.aws.unmanaged_resources_info
"""

EXAMPLES = r"""
- name: What has changed behind Terraform's back
  gitops.aws.terraform_drift_info:
    region: eu-central-1
    pipelines:
      - name: gitops-network-drift
        stack: network
      - name: gitops-website-drift
        stack: website
    ignore_changes:
      - aws_instance.*:tags.LastScan
      - "*:tags_all"
  register: found

- name: Nothing must have
  ansible.builtin.assert:
    that:
      - found.complete
      - found.drift | length == 0
"""

RETURN = r"""
stacks:
  description: What is known of each stack, in the order in which they were given.
  returned: success
  type: list
  elements: dict
  contains:
    stack:
      description: Its name.
      type: str
    pipeline:
      description: The name of its drift pipeline.
      type: str
    status:
      description:
        - V(fresh); V(old), it was checked longer ago than O(max_age_hours) says; V(failed), the newest run that ended
          did not succeed, or what it found cannot be read; V(running), the first run has not ended; V(never).
        - Only of V(fresh) and V(old) ones there is anything in RV(drift).
      type: str
    message:
      description: Why it is not V(fresh), '' where it is.
      type: str
    execution_id:
      description: The execution that was looked at, '' where there is none.
      type: str
    time:
      description: When AWS was compared with the state, ISO 8601, '' where it was not.
      type: str
    commit:
      description: The commit that was used.
      type: str
    applied:
      description: Whether that is the commit that was applied last. Else it is the head of the branch.
      type: bool
    differing:
      description: The number of its resources in RV(drift).
      type: int
    ignored:
      description: The number of its resources in RV(ignored).
      type: int
  sample:
    - stack: network
      pipeline: gitops-network-drift
      status: fresh
      message: ""
      execution_id: 5f3c1d0a-7c5e-4e58-9a2b-0a6a6f0c7d11
      time: "2026-11-26T04:00:00Z"
      commit: 1f0b1e7a2a3c4f579a520f2f5d3f1c5585d1e7aa
      applied: true
      differing: 1
      ignored: 0
drift:
  description: The resources that differ from what the state has.
  returned: success
  type: list
  elements: dict
  contains:
    stack:
      description: The stack that manages it.
      type: str
    address:
      description: Its address in the stack's code.
      type: str
    type:
      description: Its type.
      type: str
    id:
      description: Its id, '' where it is sensitive.
      type: str
    action:
      description: V(changed), or V(ghost) where it is in the state and gone in AWS.
      type: str
    attributes:
      description: What differs.
      type: list
      elements: dict
      contains:
        path:
          description: The path of the attribute.
          type: str
        before:
          description: What the state has. Nothing where it is sensitive, or not there.
          type: raw
        after:
          description: What AWS has. Nothing where it is sensitive, or not there.
          type: raw
        sensitive:
          description: Whether it is sensitive.
          type: bool
    ignored:
      description: The paths that differ, too, and are ignored.
      type: list
      elements: str
  sample:
    - stack: network
      address: aws_vpc.this
      type: aws_vpc
      id: vpc-0a1b2c3d4e5f60718
      action: changed
      attributes:
        - path: enable_dns_hostnames
          before: true
          after: false
          sensitive: false
      ignored: []
ignored:
  description: The resources of which all that differs is ignored, as in RV(drift), without attributes.
  returned: success
  type: list
  elements: dict
  sample: []
complete:
  description: Whether every stack is V(fresh).
  returned: success
  type: bool
  sample: true
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codepipeline:ListActionExecutions: 2
    codepipeline:ListPipelineExecutions: 2
    s3:GetObject: 2
"""

from ansible_collections.gitops.aws.plugins.module_utils._findings.drift_runs import ARGUMENTS, info, problems
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(ARGUMENTS, info, lambda params: "drift pipelines", problems)


if __name__ == "__main__":
    main()
