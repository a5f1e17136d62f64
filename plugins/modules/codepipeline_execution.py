#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codepipeline_execution
short_description: Start, follow, stop, retry or roll back an execution of a pipeline
version_added: "0.1.0"
description:
  - Starts an execution of a pipeline, or follows, stops or retries one, or rolls a stage back to what an earlier one
    brought there. Returns the stages, the actions and the builds' log lines.
  - While it waits, the stages and the builds' log lines are shown as they come, unless with C(async) or C(no_log).
  - When something was started, stopped or retried and then cannot be looked at, the task fails with RV(execution) and
    C(changed=true), and the execution goes on.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  pipeline:
    description: Name of the pipeline.
    type: str
    required: true
  state:
    description:
      - V(started) starts an execution; with O(execution_id) none is started, that one is followed.
      - V(stopped) stops the execution O(execution_id). One that is over already, or is being stopped, is no change.
      - V(retried) runs the stage O(stage) of the execution O(execution_id) again, which must have failed, or been
        stopped, there.
      - V(rolled_back) runs the stage O(stage) with what an earlier execution brought there, which makes an execution of
        its own. The pipeline must be of type V2, and unchanged since that execution.
    type: str
    choices: [started, stopped, retried, rolled_back]
    default: started
  execution_id:
    description:
      - The execution to follow, stop or retry. The last two need it.
      - V(latest) is the newest one. An empty text is refused.
    type: str
  variables:
    description:
      - Values of the pipeline's variables for the new execution. AWS refuses those it does not declare.
      - They are texts to AWS. A number becomes its digits, true and false V(true) and V(false), a list or dictionary
        JSON. Null is refused.
      - This option, O(source_revisions) and O(client_request_token) are refused beside O(execution_id), which starts
        none.
    type: dict
  source_revisions:
    description:
      - Which revision of their source the source actions take in the new execution. Unset means the newest.
    type: list
    elements: dict
    suboptions:
      action_name:
        description: Name of the source action.
        type: str
        required: true
      revision_type:
        description: What identifies the revision.
        type: str
        choices: [COMMIT_ID, IMAGE_DIGEST, S3_OBJECT_VERSION_ID, S3_OBJECT_KEY]
        required: true
      revision_value:
        description: The commit id, image digest, version id of an object, or key of an object.
        type: str
        required: true
  client_request_token:
    description:
      - A second start with the same token is the same execution. AWS does not say which of the two it was, so that both
        report a change.
    type: str
  stage:
    description:
      - The stage to retry; unset means the one that failed.
      - The stage to roll back; needed for that.
    type: str
  retry_mode:
    description:
      - Whether O(state=retried) runs the failed actions of the stage again, or all of them. Unset means
        V(FAILED_ACTIONS).
    type: str
    choices: [FAILED_ACTIONS, ALL_ACTIONS]
  target_execution_id:
    description:
      - The execution to go back to with O(state=rolled_back). When the stage has its work already, there is no change.
      - Unset means the newest execution that succeeded in the stage before the one whose work is there now. So a second
        rollback goes one more back.
    type: str
  reason:
    description: Why the execution is stopped, for the record. At most 200 characters.
    type: str
  abandon:
    description:
      - Whether O(state=stopped) abandons the actions that run. Otherwise they come to their end first, and an approval
        that nobody answers keeps the execution from stopping. Unset means V(false).
      - What an abandoned build had locked stays locked.
    type: bool
  wait:
    description: Whether to wait for the end of the execution.
    type: bool
    default: true
  wait_for_approval:
    description:
      - Whether to go on waiting while somebody must approve.
      - With V(false), the module returns as soon as the execution waits for an approval.
    type: bool
    default: true
  wait_timeout:
    description: How long to wait, in seconds. When the time is over, the task fails and the execution goes on.
    type: int
    default: 3600
  poll_interval:
    description: Time between two looks, in seconds, from 1 to 300.
    type: int
    default: 3
  log_cursors:
    description: RV(log_cursors) of an earlier look; only log lines written since then are returned.
    type: dict
    default: {}
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
      - Nothing is started, stopped, retried or rolled back; RV(msg) says what would be. There must be such a pipeline.
      - An execution that is only followed is followed in check mode, too.
  diff_mode:
    support: none
    description: There is nothing to compare.
  idempotent:
    support: partial
    description:
      - O(state=stopped), and O(state=rolled_back) with O(target_execution_id), do nothing the second time.
      - Each other start, retry and rollback is a new one. O(client_request_token) makes two starts one.
notes:
  - Log lines are those of single builds, of actions of the provider C(CodeBuild). Of batches of builds, and of the
    providers C(Commands) and C(ECRBuildAndPublish), only the state is shown.
seealso:
  - module: gitops.aws.codepipeline_approval
  - module: gitops.aws.codepipeline_stage_transition
  - module: gitops.aws.codepipelines_info
"""

EXAMPLES = r"""
- name: Run a pipeline to its end
  gitops.aws.codepipeline_execution:
    region: eu-central-1
    pipeline: gitops-network

- name: Run it with the commit that was tested, until somebody must approve
  gitops.aws.codepipeline_execution:
    region: eu-central-1
    pipeline: gitops-network
    variables:
      reason: change 4711
    source_revisions:
      - action_name: Source
        revision_type: COMMIT_ID
        revision_value: 7f3a1f0b7d6f4c1d9a55d9a53d1f6e0b8a2c4d11
    wait_for_approval: false
  register: run

- name: What is to be approved
  ansible.builtin.debug:
    var: run.execution.waiting_for_approval.message

- name: Stop it, and do not wait for an approval that nobody will give
  gitops.aws.codepipeline_execution:
    region: eu-central-1
    pipeline: gitops-network
    state: stopped
    execution_id: "{{ run.execution.id }}"
    reason: Superseded by change 4712
    abandon: true

- name: Run the stage that failed in the newest execution again
  gitops.aws.codepipeline_execution:
    region: eu-central-1
    pipeline: gitops-network
    state: retried
    execution_id: latest

- name: Give production what it had before
  gitops.aws.codepipeline_execution:
    region: eu-central-1
    pipeline: website
    state: rolled_back
    stage: Production
"""

RETURN = r"""
execution:
  description:
    - The execution as it is at the end of the task. Only C(id) and C(pipeline), where it could not be looked at.
  returned: when there is one
  type: dict
  contains:
    id:
      description: The execution's id.
      type: str
    pipeline:
      description: The pipeline's name.
      type: str
    status:
      description: AWS's word for its state.
      type: str
      sample: Succeeded
    status_summary:
      description: AWS's reason, where it gives one.
      type: str
    mode:
      description: The pipeline's execution mode, such as V(QUEUED).
      type: str
    rolled_back_to:
      description: Of a rollback the execution whose work it brings back, else empty.
      type: str
    source_revisions:
      description: What was fetched, each with C(name), C(revision_id) and C(summary).
      type: list
      elements: dict
    stages:
      description:
        - The stages in their order, each with C(name) and C(actions).
        - An action has C(name), C(status), C(summary), C(build_id), C(url) and C(output_variables).
      type: list
      elements: dict
    waiting_for_approvals:
      description: The C(stage), C(action) and C(message) of each approval that it waits for.
      type: list
      elements: dict
    waiting_for_approval:
      description: The first of them, or nothing.
      type: dict
  sample:
    id: 5f3c1d0a-7c5e-4e58-9a2b-0a6a6f0c7d11
    pipeline: gitops-network
    status: InProgress
    status_summary: ""
    mode: QUEUED
    rolled_back_to: ""
    source_revisions:
      - name: source
        revision_id: 7f3a1f0b7d6f4c1d9a55d9a53d1f6e0b8a2c4d11
        summary: Add a subnet
    stages:
      - name: Plan
        actions:
          - name: Plan
            status: Succeeded
            summary: ""
            build_id: gitops-network-plan:0c2f3b1e-3f5a-4f0e-8f43-2a9f0f4f2b77
            url: https://console.aws.amazon.com/codebuild/
            output_variables:
              PLAN_ID: 6d1f0c2a
      - name: Approve
        actions:
          - name: Approve
            status: InProgress
            summary: ""
            build_id: ""
            url: ""
            output_variables: {}
    waiting_for_approvals:
      - stage: Approve
        action: Approve
        message: "Apply network: 1 to add, 0 to change, 0 to destroy"
    waiting_for_approval:
      stage: Approve
      action: Approve
      message: "Apply network: 1 to add, 0 to change, 0 to destroy"
msg:
  description: In check mode what would be done; on failure which action failed and why.
  returned: in check mode, and on failure
  type: str
  sample: It would stop the execution 5f3c1d0a-7c5e-4e58-9a2b-0a6a6f0c7d11
log_lines:
  description:
    - The builds' log lines since O(log_cursors), each with C(build_id) and C(text).
    - While they are shown as they come, only the last 10.
  returned: except where it fails before anything was done
  type: list
  elements: dict
log_cursors:
  description: Where the next look goes on.
  returned: except where it fails before anything was done
  type: dict
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codepipeline:GetPipeline: 1
    codepipeline:GetPipelineExecution: 3
    codepipeline:ListActionExecutions: 1
    codepipeline:StartPipelineExecution: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._executions import ARGUMENTS, act, problems
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(
        ARGUMENTS,
        act,
        lambda params: f"pipeline {params['pipeline']}",
        problems,
        required_if=[
            ("state", "stopped", ["execution_id"]),
            ("state", "retried", ["execution_id"]),
            ("state", "rolled_back", ["stage"]),
        ],
    )


if __name__ == "__main__":
    main()
