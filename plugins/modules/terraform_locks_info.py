#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: terraform_locks_info
short_description: Find out who holds Terraform's locks, and whether they still run
version_added: "0.1.0"
description:
  - Reads the locks on states in S3, in DynamoDB and as lock files, and finds the builds that may hold them.
  - A build that was stopped or killed leaves its lock behind. It also leaves resources that the state does not know,
    for a state is written only now and then. Both are returned.
  - Terraform does not write into a lock which build took it, and so it is found by time. A build may hold a lock when
    it had left the queue and was not over at the time that the lock says. One that succeeded, or whose log says that
    this lock kept it out, does not. Nor does one with the status C(FAILED), unless its log or CodeBuild shows that
    Terraform could not release its lock or was killed.
  - A build of a project whose name ends in C(-plan) never holds a lock for C(OperationTypeApply), and one of a project
    whose name ends in C(-apply) or C(-destroy) none for C(OperationTypePlan).
  - Terraform with both kinds of lock writes the same lock into both. Where they differ, two processes hold one each,
    and two locks are returned.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  bucket:
    description:
      - The bucket with the states.
    type: str
    required: true
  table:
    description:
      - The lock table in DynamoDB. Unset means that none is used, and no lock in one is seen.
    type: str
  states:
    description:
      - The states to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      key:
        description:
          - The state's key in the bucket.
        type: str
        required: true
      projects:
        description:
          - The names of all build projects that run Terraform on this state. They must exist.
          - Every lock is V(foreign) without them.
        type: list
        elements: str
        default: []
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.reading
seealso:
  - module: gitops.aws.terraform_lock
  - module: gitops.aws.terraform_state
"""

EXAMPLES = r"""
- name: Who holds what
  gitops.aws.terraform_locks_info:
    region: eu-central-1
    bucket: gitops-111122223333-eu-central-1-state
    table: gitops-lock
    states:
      - key: network/terraform.tfstate
        projects: [gitops-network-plan, gitops-network-apply, gitops-network-destroy]
      - key: website/terraform.tfstate
        projects: [gitops-website-plan, gitops-website-apply, gitops-website-destroy]
  register: found

- name: Locks of builds that are over
  ansible.builtin.debug:
    msg: "{{ found.locks | selectattr('releasable') | map(attribute='key') }}"
"""

RETURN = r"""
locks:
  description: The locks that are held. A state that is not locked has none here.
  returned: success
  type: list
  elements: dict
  contains:
    key:
      description: The state's key.
      type: str
    id:
      description:
        - The lock's id, as Terraform shows it. Of a lock that is not in Terraform's format, V(unreadable-) and a check
          sum of its content.
      type: str
    kinds:
      description: Where it lies, V(dynamodb), V(lockfile) or both.
      type: list
      elements: str
    operation:
      description: What it was taken for, such as V(OperationTypeApply), or V(restore) by M(gitops.aws.terraform_state).
      type: str
    who:
      description: User and host that took it, as that machine knows itself. In a build that is a container.
      type: str
    terraform_version:
      description: The version of Terraform.
      type: str
    created:
      description: When it was taken, ISO 8601.
      type: str
    path:
      description: Bucket and key, as Terraform wrote them.
      type: str
    info:
      description: What else Terraform wrote; usually empty.
      type: str
    state:
      description:
        - V(running), where a build that ran when the lock was taken still runs.
        - V(stale), where all such builds are over, and died without releasing it.
        - V(foreign), where no build of the projects can hold it. Somebody else's Terraform took it.
      type: str
    reason:
      description: Why it is taken for that.
      type: str
    releasable:
      description: Whether M(gitops.aws.terraform_lock) releases it without being told its id, as it does what is stale.
      type: bool
    builds:
      description:
        - The builds that may hold it. They ran when it was taken, their step fits its operation, they were not kept
          out by it, and they run still or have left it.
      type: list
      elements: dict
      contains:
        id:
          description: The build's id.
          type: str
        project:
          description: Its project.
          type: str
        status:
          description: As AWS says it, such as V(IN_PROGRESS) or V(STOPPED).
          type: str
        running:
          description: Whether it still runs.
          type: bool
        start_time:
          description: When it was started, ISO 8601.
          type: str
        end_time:
          description: When it ended, ISO 8601; empty while it runs.
          type: str
        logs_url:
          description: The log in the console.
          type: str
    orphans:
      description:
        - Resources that exist and that the state does not know. By their logs, the builds of a stale lock made them,
          and died before the state was written.
        - What was imported is not among them; it was there before, and is imported again.
        - The last lines of a build that was killed may be missing in its log.
      type: list
      elements: dict
      contains:
        address:
          description: Terraform's address.
          type: str
        id:
          description: The id that the log tells, '' where it tells none.
          type: str
        build_id:
          description: The build that made it.
          type: str
        importable:
          description:
            - Whether Terraform can adopt it by address and id. It cannot where the state has another resource of this
              address, which the new one was to replace.
          type: bool
    unfinished:
      description:
        - Addresses whose making the builds of a stale lock began, and whose end the log does not tell. They may exist.
      type: list
      elements: str
  sample:
    - key: network/terraform.tfstate
      id: b7f6ddaf-e316-1ad9-1534-69cb28d8a533
      kinds: [dynamodb, lockfile]
      operation: OperationTypeApply
      who: root@6f1c3f1f8a1e
      terraform_version: 1.11.4
      created: "2026-11-20T16:05:40.098824206Z"
      path: gitops-111122223333-eu-central-1-state/network/terraform.tfstate
      info: ""
      state: stale
      reason: >-
        the build that ran when it was taken is over: gitops-network-apply:0c2f3b1e-3f5a-4f0e-8f43-2a9f0f4f2b77
        (STOPPED)
      releasable: true
      builds:
        - id: gitops-network-apply:0c2f3b1e-3f5a-4f0e-8f43-2a9f0f4f2b77
          project: gitops-network-apply
          status: STOPPED
          running: false
          start_time: "2026-11-20T16:05:12+00:00"
          end_time: "2026-11-20T16:06:43+00:00"
          logs_url: https://console.aws.amazon.com/cloudwatch/home?region=eu-central-1
      orphans:
        - address: aws_vpc.this
          id: vpc-0f1e2d3c4b5a69788
          build_id: gitops-network-apply:0c2f3b1e-3f5a-4f0e-8f43-2a9f0f4f2b77
          importable: true
      unfinished: ['aws_subnet.private[0]']
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codebuild:BatchGetBuilds: 3
    codebuild:ListBuildsForProject: 3
    dynamodb:BatchGetItem: 1
    logs:GetLogEvents: 2
    s3:GetObject: 3
"""

from ansible_collections.gitops.aws.plugins.module_utils._lock_holders import INFO_ARGUMENTS, info, info_problems
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(INFO_ARGUMENTS, info, lambda params: f"locks of the states in bucket {params['bucket']}", info_problems)


if __name__ == "__main__":
    main()
