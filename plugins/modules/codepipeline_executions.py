#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codepipeline_executions
short_description: Start and follow executions of many pipelines at once
version_added: "0.1.0"
description:
  - Starts an execution of each of any number of pipelines, or follows those that are there, until all have ended.
  - A look at an execution takes one call while anything in it runs, and one that has ended is not looked at again.
  - While it waits, a line is shown when an action begins or ends, and every 30 seconds one that says how far all are,
    unless with C(async) or C(no_log). Logs are not shown; M(gitops.aws.codepipeline_execution) shows those of one
    pipeline.
  - In which order pipelines may do their work is their own matter.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  executions:
    description:
      - The pipelines, each once.
    type: list
    elements: dict
    required: true
    suboptions:
      pipeline:
        description: Name of the pipeline.
        type: str
        required: true
      execution_id:
        description:
          - The execution to follow; none is started then. V(latest) is the newest one. An empty text is refused.
        type: str
      variables:
        description:
          - Values of the pipeline's variables for the new execution, as those of
            M(gitops.aws.codepipeline_execution). Refused beside O(executions[].execution_id).
        type: dict
      label:
        description: What it is called in the lines that are shown, and returned. Unset means the pipeline's name.
        type: str
  wait:
    description: Whether to wait for the ends of the executions.
    type: bool
    default: true
  wait_for_approval:
    description:
      - Whether to go on waiting for an execution while somebody must approve. With V(false) that is an end.
    type: bool
    default: true
  wait_timeout:
    description: How long to wait, in seconds. When the time is over, the task fails and the executions go on.
    type: int
    default: 3600
  poll_interval:
    description: Time between two looks at all, in seconds, from 1 to 300.
    type: int
    default: 5
  concurrency:
    description:
      - How many calls to AWS are in flight at once, from 1 to 100.
    type: int
    default: 10
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
attributes:
  check_mode:
    support: full
    description:
      - Nothing is started; RV(msg) says what would be. There must be such pipelines.
      - When nothing would be started, executions are followed in check mode, too.
  diff_mode:
    support: none
    description: There is nothing to compare.
  idempotent:
    support: none
    description: Each start is a new execution.
notes:
  - When one execution cannot be started, fails, or cannot be looked at four times in a row, the others are carried out
    and followed all the same. The task then fails with one message that names each, and its result holds what became of
    all. Until the fourth time it stays as it was seen last.
  - An execution that its own plan has stopped, because nothing differs or because another stack comes first, has not
    failed. The pipelines that the playbook C(gitops.aws.site) makes do that. Nor has one that was superseded by a newer
    one.
seealso:
  - module: gitops.aws.codepipeline_execution
  - module: gitops.aws.codepipeline_approval
"""

EXAMPLES = r"""
- name: Run two pipelines until both have ended, or somebody must approve
  gitops.aws.codepipeline_executions:
    region: eu-central-1
    executions:
      - pipeline: gitops-network
        label: network
      - pipeline: gitops-shop
        label: shop
        variables:
          reason: change 4711
    wait_for_approval: false
  register: runs

- name: What is to be approved
  ansible.builtin.debug:
    msg: "{{ runs.resources.values() | map(attribute='waiting_for_approvals') | flatten | map(attribute='message') }}"

- name: Follow the newest executions to their ends
  gitops.aws.codepipeline_executions:
    region: eu-central-1
    executions:
      - pipeline: gitops-network
        execution_id: latest
      - pipeline: gitops-shop
        execution_id: latest
"""

RETURN = r"""
executions:
  description: Each C(pipeline) with C(execution_id) and C(label), fit to be given to the module again, to follow them.
  returned: except where the arguments are refused
  type: list
  elements: dict
  sample:
    - pipeline: gitops-network
      execution_id: 5f3c1d0a-7c5e-4e58-9a2b-0a6a6f0c7d11
      label: network
resources:
  description:
    - What became of each, by pipeline. C(action) is V(started), V(followed), or V(failed) where none could be started.
    - C(label) is what it is called; C(error) says why it could not be started, or looked at.
    - C(status) and C(status_summary) are AWS's words; C(reason) is what the log of a build that failed says last about
      an error. C(stages) are those that it has reached, with their actions.
  returned: except where the arguments are refused
  type: dict
  sample:
    gitops-network:
      action: started
      id: 5f3c1d0a-7c5e-4e58-9a2b-0a6a6f0c7d11
      label: network
      pipeline: gitops-network
      reason: ""
      status: InProgress
      status_summary: ""
      stages:
        - name: Source
          actions:
            - name: Source
              category: Source
              status: Succeeded
              summary: Add a subnet
              build_id: ""
              url: ""
              output_variables:
                CommitId: 7f3a1f0b7d6f4c1d9a55d9a53d1f6e0b8a2c4d11
        - name: Deploy
          actions:
            - name: Approve
              category: Approval
              status: InProgress
              summary: ""
              build_id: ""
              url: ""
              output_variables: {}
      waiting_for_approvals:
        - stage: Deploy
          action: Approve
          message: "Apply stack network: 1 to add, 0 to change, 0 to destroy"
      waiting_for_approval:
        stage: Deploy
        action: Approve
        message: "Apply stack network: 1 to add, 0 to change, 0 to destroy"
msg:
  description: In check mode what would be started; on failure which failed and why, and which had not ended in time.
  returned: in check mode, and on failure
  type: str
  sample: It would start an execution of gitops-network, gitops-shop
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codepipeline:GetPipelineExecution: 2
    codepipeline:ListActionExecutions: 14
    codepipeline:StartPipelineExecution: 2
"""

from ansible_collections.gitops.aws.plugins.module_utils._many_executions import run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
