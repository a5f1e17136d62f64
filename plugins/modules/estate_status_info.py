#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: estate_status_info
short_description: Read how all stacks of an estate are doing
version_added: "0.1.0"
description:
  - Reads the newest runs of pipelines, the approvals that wait, the locks on states, what looked for drift, and the
    newest scan of the account.
  - Of a stack it makes three calls at most, one to C(ListPipelineExecutions), one to C(GetPipelineState) where
    something runs or failed last, and one to C(ListActionExecutions) of its drift pipeline. Of each whose build failed
    it reads the end of the build's log, with one C(BatchGetBuilds) for a hundred. For all stacks together
    it scans the lock table and lists the state bucket, one call each for some thousand states, and reads the newest
    report of the account by two calls. A lock that is a file only takes one more.
  - What cannot be read of one stack is said of it, and loses nothing of the others.
  - It reads no state and no secret.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  name:
    description:
      - The estate's name, for whom it is shown to.
    type: str
    required: true
  account_id:
    description:
      - The account's number, for whom it is shown to.
    type: str
    required: true
  partition:
    description:
      - The partition, for links into the console.
    type: str
    default: aws
  stacks:
    description:
      - The stacks to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The stack's name.
        type: str
        required: true
      pipeline:
        description:
          - The pipeline that applies.
        type: str
        required: true
      drift_pipeline:
        description:
          - The pipeline that looks for drift. Unset means that none does.
        type: str
      state_key:
        description:
          - The key of the stack's state in the bucket. Without it nothing is known of a lock.
        type: str
      repository:
        description:
          - Where its code is, for whom it is shown to.
        type: str
        default: ""
      branch:
        description:
          - Of which branch.
        type: str
        default: ""
  state_bucket:
    description:
      - The bucket with the states. Without it no lock is seen.
    type: str
  lock_table:
    description:
      - The lock table in DynamoDB. Unset means that none is used.
    type: str
  lock_files:
    description:
      - Whether there may be lock files beside the states.
    type: bool
    default: true
  scan_pipeline:
    description:
      - The pipeline that looks for what no code explains in the whole account. Unset means that none does.
    type: str
  runs:
    description:
      - How many runs of each pipeline, 100 at most.
    type: int
    default: 20
  max_age_hours:
    description:
      - What looked for drift longer ago is called old.
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
  - module: gitops.aws.estate_report
  - plugin: gitops.aws.status_settings
    plugin_type: filter
"""

EXAMPLES = r"""
- name: How all stacks are doing
  gitops.aws.estate_status_info:
    region: eu-central-1
    name: gitops
    account_id: "111122223333"
    state_bucket: gitops-111122223333-eu-central-1-state
    lock_table: gitops-lock
    scan_pipeline: gitops-drift
    stacks:
      - name: network
        pipeline: gitops-network
        drift_pipeline: gitops-network-drift
        state_key: network/terraform.tfstate
  register: found

- name: Those whose newest run failed
  ansible.builtin.debug:
    msg: "{{ found.status.stacks | selectattr('flags', 'contains', 'failing') | map(attribute='name') }}"
"""

RETURN = r"""
status:
  description:
    - All that was found, as M(gitops.aws.estate_report) takes it. Times are ISO 8601 in UTC.
  returned: success
  type: dict
  contains:
    time:
      description: When it was looked.
      type: str
    name:
      description: The estate's name.
      type: str
    account_id:
      description: The account's number.
      type: str
    region:
      description: The region.
      type: str
    complete:
      description: Whether all could be read.
      type: bool
    problems:
      description: What could not be read (C(what)), and C(why).
      type: list
      elements: dict
    counts:
      description: How many stacks there are, how many with each of their C(flags), and how many findings.
      type: dict
    stacks:
      description: The stacks, in the order of the option.
      type: list
      elements: dict
      contains:
        name:
          description: The stack's name.
          type: str
        pipeline:
          description: Its pipeline.
          type: str
        repository:
          description: As given.
          type: str
        branch:
          description: As given.
          type: str
        url:
          description: The pipeline in the console.
          type: str
        flags:
          description:
            - What is to be said of it, some of V(failing), V(waiting), V(locked), V(drifting), V(unknown), V(running)
              and V(never). It is failing where the newest run that ended failed.
          type: list
          elements: str
        reason:
          description: Why its pipeline could not be read, '' where it could.
          type: str
        runs:
          description:
            - The runs, the newest first, each with C(id), C(result), C(started), C(ended), C(seconds) from start to end
              with the time of the approval, C(commit), C(message), C(trigger), C(reason) and C(url).
            - C(reason) of the newest that ended, where a build failed, is what its log says last about an error, if
              that may be read.
            - C(result) is V(succeeded); V(unchanged), the plan was empty; V(failed), also where an approval was
              rejected; V(stopped); V(postponed), it left its work to a later run; V(superseded); V(waiting), for an
              approval; or V(running).
          type: list
          elements: dict
        last:
          description: The newest of them that ended and was not left to another. Nothing where there is none.
          type: dict
        approval:
          description: The approval that waits, with C(execution_id), C(stage), C(action), C(since) and C(url).
          type: dict
        lock:
          description:
            - C(state), which is V(free), V(held) or V(unknown), with C(reason); and of a lock that is held C(id),
              C(who), C(operation) and C(since).
          type: dict
        drift:
          description:
            - C(state), which is V(none), V(found), V(off), V(never), V(running) or V(unknown), with C(reason).
            - Where it is known, C(count), how many resources differ, and C(ignored), how many more are ignored. The
              settings' C(ignore_changes) count only where the newest scan of the account has looked at the same run.
            - C(since), when it was found first, with C(at_least) where all runs of which something is known found
              something; C(checked), when it was looked last, and whether that is C(old); C(summary), C(effects) and
              C(url).
          type: dict
    findings:
      description:
        - What the newest scan of the account found. Nothing where there is no O(scan_pipeline).
        - C(state), which is V(none), V(found), V(never) or V(unknown), with C(reason); C(checked), C(old), C(url),
          C(summary), C(complete), and C(approval_url) where a plan of removal waits for somebody.
        - C(items), each with C(group), C(type), C(id), C(name), C(region), C(since) and C(text); and C(coverage), the
          parts of the report about it, each with C(title) and C(lines).
      type: dict
  sample:
    time: "2026-11-26T08:30:00Z"
    name: gitops
    account_id: "111122223333"
    region: eu-central-1
    complete: true
    problems: []
    counts: {stacks: 1, failing: 0, waiting: 1, locked: 0, drifting: 0, unknown: 0, running: 0, never: 0, findings: 0}
    stacks:
      - name: network
        pipeline: gitops-network
        repository: acme/infrastructure
        branch: main
        url: https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/gitops-network/view?region=eu-central-1
        flags: [waiting]
        reason: ""
        runs:
          - id: 5f3c1d0a
            result: waiting
            started: "2026-11-26T05:10:00Z"
            ended: ""
            seconds:
            commit: 1f0b1e7a2a3c4f579a520f2f5d3f1c5585d1e7aa
            message: Open port 443 for the new balancer
            trigger: Webhook
            reason: ""
            url: >-
              https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/gitops-network/executions/5f3c1d0a
        last:
        approval:
          execution_id: 5f3c1d0a
          stage: Deploy
          action: Approve
          since: "2026-11-26T05:12:00Z"
          url: https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/gitops-network/view?region=eu-central-1
        lock: {state: free, reason: ""}
        drift: {state: "off", reason: ""}
    findings:
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codepipeline:GetPipelineState: 1
    codepipeline:ListActionExecutions: 2
    codepipeline:ListPipelineExecutions: 1
    dynamodb:Scan: 1
    s3:GetObject: 1
    s3:ListObjectsV2: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._single import run_single
from ansible_collections.gitops.aws.plugins.module_utils._status.gather import ARGUMENTS, info, problems


def main() -> None:
    run_single(ARGUMENTS, info, lambda params: f"estate {params['name']}", problems)


if __name__ == "__main__":
    main()
