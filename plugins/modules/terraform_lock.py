#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: terraform_lock
short_description: Release the lock that a dead Terraform left on its state
version_added: "0.1.0"
description:
  - Releases the lock on a state in S3, in DynamoDB and as lock file, when the build that took it died.
  - Refuses while that build still runs, and when no build can hold the lock, and says who holds it. With
    O(lock_id) the lock of this id is released all the same, and no other.
  - Exactly the lock that was looked at is removed. When another process takes one in between, that one stays.
  - M(gitops.aws.terraform_locks_info) says how a build is told to hold a lock.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  bucket:
    description:
      - The bucket with the state.
    type: str
    required: true
  table:
    description:
      - The lock table in DynamoDB. Unset means that none is used, and no lock in one is seen or released.
    type: str
  key:
    description:
      - The state's key in the bucket.
    type: str
    required: true
  projects:
    description:
      - The names of all build projects that run Terraform on this state. They must exist.
      - Every lock is V(foreign) without them, and needs O(lock_id).
    type: list
    elements: str
    default: []
  lock_id:
    description:
      - The id of the lock to release, whoever holds it. An empty text is refused.
      - Two Terraforms that write one state damage it. Make sure that nobody works under this lock any more.
    type: str
  state:
    description:
      - V(released) releases it. A state without a lock is no change.
    type: str
    choices: [released]
    default: released
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
attributes:
  check_mode:
    support: full
    description: It says what it would release, or refuses as it would, and releases nothing.
  diff_mode:
    support: full
    description: Shows the lock that is released.
  idempotent:
    support: full
    description: A second run finds no lock.
seealso:
  - module: gitops.aws.terraform_locks_info
"""

EXAMPLES = r"""
- name: Release what a stopped build left
  gitops.aws.terraform_lock:
    region: eu-central-1
    bucket: gitops-111122223333-eu-central-1-state
    table: gitops-lock
    key: network/terraform.tfstate
    projects: [gitops-network-plan, gitops-network-apply, gitops-network-destroy]

- name: Release this lock, after its owner was asked
  gitops.aws.terraform_lock:
    region: eu-central-1
    bucket: gitops-111122223333-eu-central-1-state
    table: gitops-lock
    key: network/terraform.tfstate
    lock_id: b7f6ddaf-e316-1ad9-1534-69cb28d8a533
"""

RETURN = r"""
released:
  description:
    - The locks that were released, or would be in check mode, as RV(gitops.aws.terraform_locks_info#module:locks).
  returned: success
  type: list
  elements: dict
left:
  description:
    - The locks that are still held, as RV(released). Where two processes hold one kind each, O(lock_id) names one of
      them.
  returned: success
  type: list
  elements: dict
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codebuild:BatchGetBuilds: 3
    codebuild:ListBuildsForProject: 3
    dynamodb:BatchGetItem: 1
    dynamodb:DeleteItem: 1
    logs:GetLogEvents: 2
    s3:DeleteObject: 1
    s3:GetObject: 2
"""

from ansible_collections.gitops.aws.plugins.module_utils._lock_holders import ARGUMENTS, act, problems
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(ARGUMENTS, act, lambda params: f"state s3://{params['bucket']}/{params['key']}", problems)


if __name__ == "__main__":
    main()
