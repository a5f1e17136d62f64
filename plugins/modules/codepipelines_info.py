#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codepipelines_info
short_description: Read CodePipeline pipelines, their state and their last executions
version_added: "0.1.0"
description:
  - Reads pipelines of AWS CodePipeline, those that are named or all of them - their definition, the state of every
    stage, and the executions of the last time.
  - The definitions that it returns can be given to M(gitops.aws.codepipelines), which then changes nothing.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  stages:
    description:
      - Whether the state of the stages is read. That takes a call for each pipeline.
    type: bool
    default: true
  executions:
    description:
      - How many executions of each pipeline are read, the newest first, from 0 to 100.
      - V(0) saves the call that it takes for each pipeline.
    type: int
    default: 5
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.info
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
seealso:
  - module: gitops.aws.codepipelines
  - module: gitops.aws.codepipeline_execution
"""

EXAMPLES = r"""
- name: Read one pipeline
  gitops.aws.codepipelines_info:
    region: eu-central-1
    names: [gitops-network]
  register: found

- name: Say how its last execution ended
  ansible.builtin.debug:
    msg: "{{ found.resources['gitops-network'].executions[0].status }}"

- name: Read all definitions, and nothing else
  gitops.aws.codepipelines_info:
    region: eu-central-1
    stages: false
    executions: 0
"""

RETURN = r"""
pipelines:
  description:
    - The definition of each pipeline with its tags, in the order of O(names), fit to be given to
      M(gitops.aws.codepipelines).
    - An OAuth token in it is V((hidden\)).
  returned: success
  type: list
  elements: dict
  sample:
    - name: gitops-network
      pipeline_type: V2
      execution_mode: QUEUED
      role_arn: arn:aws:iam::123456789012:role/gitops-network-pipeline
      artifact_store:
        type: S3
        location: acme-pipeline-artifacts
      stages:
        - name: Source
          actions:
            - name: Source
              run_order: 1
              action_type_id:
                category: Source
                owner: AWS
                provider: CodeStarSourceConnection
                version: "1"
      tags:
        stack: network
resources:
  description:
    - What AWS decides about each pipeline, by its name.
    - C(arn), C(version), C(created) and C(updated); times are ISO 8601.
    - With O(stages), C(stages) in their order. Each has its C(name), C(status) and C(execution_id) of the execution
      that is or was in it last, C(transition) into it with C(enabled) and C(reason), and C(actions) with C(name),
      C(status), C(summary), C(error), C(url) and C(changed).
    - With O(executions), C(executions), the newest first, each with C(id), C(status), C(started), C(updated),
      C(trigger_type), C(trigger_detail), C(mode), C(type) and C(source_revisions).
  returned: success
  type: dict
  sample:
    gitops-network:
      arn: arn:aws:codepipeline:eu-central-1:123456789012:gitops-network
      version: 2
      created: "2026-11-02T09:14:31+00:00"
      updated: "2026-11-20T16:02:10+00:00"
      stages:
        - name: Source
          status: Succeeded
          execution_id: 5f3c1d0a-7c5e-4e58-9a2b-0a6a6f0c7d11
          transition:
            enabled: true
            reason: ""
          actions:
            - name: Source
              status: Succeeded
              summary: Add a subnet
              error: ""
              url: ""
              changed: "2026-11-20T16:05:42+00:00"
      executions:
        - id: 5f3c1d0a-7c5e-4e58-9a2b-0a6a6f0c7d11
          status: InProgress
          started: "2026-11-20T16:05:40+00:00"
          updated: "2026-11-20T16:06:12+00:00"
          trigger_type: WebhookV2
          trigger_detail: arn:aws:codeconnections:eu-central-1:123456789012:connection/4dfa8f62
          mode: QUEUED
          type: STANDARD
          source_revisions:
            - name: source
              revision_id: 0f6a2a9c1d
              summary: Add a subnet
missing:
  description: Those of O(names) that do not exist.
  returned: success
  type: list
  elements: str
  sample: []
unreadable:
  description:
    - Why something could not be read, by its name. The others are in the result all the same.
    - With O(names) the task fails then; without, it warns.
  returned: success
  type: dict
  sample: {}
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codepipeline:GetPipeline: 1
    codepipeline:GetPipelineState: 1
    codepipeline:ListPipelineExecutions: 1
    codepipeline:ListTagsForResource: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run_info
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codepipeline import OPTIONS, Codepipeline
from ansible_collections.gitops.aws.plugins.module_utils._pipeline_state import look_closer, problems


def main() -> None:
    more = {"stages": {"type": "bool", "default": True}, "executions": {"type": "int", "default": 5}}
    run_info(Codepipeline, "pipelines", OPTIONS, more, look_closer, problems)


if __name__ == "__main__":
    main()
