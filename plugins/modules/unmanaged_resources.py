#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: unmanaged_resources
short_description: Remove from an AWS account what is in no Terraform state, by a plan that was approved
version_added: "0.1.0"
description:
  - With O(state=planned) it scans as M(gitops.aws.unmanaged_resources_info) does, and saves a plan. A resource is put
    in quarantine first, and removed by a later plan when O(grace_period_days) are over.
  - With O(state=applied) it carries out that plan, if it is the one whose digest was approved. It holds Terraform's own
    locks on all states meanwhile, scans again, and does only what comes out as it was planned. What a state has got
    meanwhile, or anything else explains, is kept.
  - With O(state=restored) it undoes quarantines, also those that were interrupted. Where somebody has undone one since,
    Terraform for example, it changes nothing and only forgets it.
  - Only resources of the verdict V(unmanaged) are touched, of the types in O(types), in what O(scope) claims. Never one
    that is not in the plan; a resource in use by others is blocked, and nothing is forced. What AWS protects, by
    termination protection for example, is kept.
  - Quarantine makes a resource harmless, in a way that can be undone. An instance is stopped, the keys of a user are
    made inactive, a role is denied everything. What can't be made harmless is only noted. What it was is kept in the
    ledger, an object in the state bucket.
  - Before volumes, instances and the like are removed they are copied. Keys and secrets are scheduled for deletion.
  - Resources go in the order of what stands on what. Where AWS says that one is still in use, it is tried three times.
  - An incomplete scan gives no plan, nor does one that would do more than O(max_removals) and O(max_percent) allow.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  state:
    description:
      - V(planned) makes a plan. It changes no resource. It writes the plan, and into the ledger what it saw.
      - V(applied) carries it out, and V(restored) undoes what is in quarantine.
    type: str
    choices: [planned, applied, restored]
    default: planned
  types:
    description:
      - Terraform's names of the types that may be put in quarantine and removed, such as V(aws_instance). None by
        default.
      - All types that are known are looked at, whatever this says, for what stands on a resource may be of any type.
    type: list
    elements: str
    default: []
  allow_unknown_creator:
    description:
      - Whether resources count of which CloudTrail does not say who made them, because it is long ago for example.
        It must have been asked, and have answered.
    type: bool
    default: false
  max_removals:
    description:
      - On how many resources a plan may act. One that would act on more is refused as a whole.
    type: int
    default: 5
  max_percent:
    description:
      - On which share of all resources of a type a plan may act. One of each type is always allowed.
    type: float
    default: 10
  grace_period_days:
    description:
      - How long a resource is in quarantine before a plan removes it.
    type: float
    default: 7
  plan_lifetime_hours:
    description:
      - How old a plan may be when it is carried out, up to a week.
    type: float
    default: 24
  plan:
    description:
      - The plan to carry out, as RV(plan) has it.
    type: dict
  plan_file:
    description:
      - The file that the plan is written to, and read from, instead of O(plan_key). Only its owner may read it.
    type: path
  plan_key:
    description:
      - The key of the plan in the state bucket. It must be in the folder of the ledger, where no states are.
    type: str
    default: gitops-drift/plan.json
  digest:
    description:
      - The digest of the plan that was approved. Needed for O(state=applied).
    type: str
  confirm_account_id:
    description:
      - The account that is meant. Needed for O(state=applied) and O(state=restored).
    type: str
  arns:
    description:
      - What O(state=restored) restores. Unset means everything that is in quarantine.
    type: list
    elements: str
  locking:
    description:
      - How Terraform locks the states. It must be what the backends are set to.
    type: list
    elements: str
    choices: [dynamodb, lockfile]
    default: [dynamodb, lockfile]
  kms_key_id:
    description:
      - The ARN of the KMS key that ledger, plan and lock files are encrypted with. Unset means the bucket's default,
        which a bucket that demands the header refuses.
    type: str
  timeout:
    description:
      - Seconds after which nothing more is begun.
    type: int
    default: 3600
extends_documentation_fragment:
  - gitops.aws.scan
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
attributes:
  check_mode:
    support: full
    description:
      - It reads, scans and says what would become of each resource, or refuses as it would. It takes no lock, writes
        neither plan nor ledger, and makes no call that could change anything.
      - Whether EC2 would let a call is asked only when it is meant.
  diff_mode:
    support: full
    description: Lists the resources and what becomes of them.
  idempotent:
    support: full
    description:
      - A plan is carried out once. The second time it is refused, also where the first time was interrupted.
      - A new plan is another one each time, for it has its time in it. It is no change.
notes:
  - A scan that is denied something, meets a lock, or misses a state that the last one saw, fails with what is to be
    done about it.
seealso:
  - module: gitops.aws.unmanaged_resources_info
  - module: gitops.aws.terraform_import_blocks
"""

EXAMPLES = r"""
- name: What would be removed?
  gitops.aws.unmanaged_resources: &estate
    region: eu-central-1
    state_bucket: gitops-111122223333-eu-central-1-state
    lock_table: gitops-lock
    kms_key_id: arn:aws:kms:eu-central-1:111122223333:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
    scope:
      tags: {project: shop}
    types: [aws_instance, aws_ebs_volume, aws_security_group]
    protected_arns: ["arn:aws:iam::111122223333:role/gitops-*"]
  register: planned

- name: Do that, once somebody has approved it by its digest
  gitops.aws.unmanaged_resources:
    region: eu-central-1
    state: applied
    state_bucket: gitops-111122223333-eu-central-1-state
    lock_table: gitops-lock
    kms_key_id: arn:aws:kms:eu-central-1:111122223333:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
    scope:
      tags: {project: shop}
    types: [aws_instance, aws_ebs_volume, aws_security_group]
    protected_arns: ["arn:aws:iam::111122223333:role/gitops-*"]
    digest: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    confirm_account_id: "111122223333"

- name: That instance is needed after all
  gitops.aws.unmanaged_resources:
    region: eu-central-1
    state: restored
    state_bucket: gitops-111122223333-eu-central-1-state
    confirm_account_id: "111122223333"
    kms_key_id: arn:aws:kms:eu-central-1:111122223333:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
    arns: ["arn:aws:ec2:eu-central-1:111122223333:instance/i-0abc1234def567890"]
"""

RETURN = r"""
plan:
  description: The plan; null without a O(scope), and where the scan is no ground for one.
  returned: when state is planned
  type: dict
  contains:
    version:
      description: Of this format.
      type: int
    account_id:
      description: The account.
      type: str
    regions:
      description: Where was looked.
      type: list
      elements: str
    created:
      description: When it was made.
      type: str
    expires:
      description: When it can't be carried out any more.
      type: str
    scope:
      description: What the estate claims.
      type: dict
    states:
      description: The states that it was made with, C(key), C(lineage), C(serial) and C(etag).
      type: list
      elements: dict
    limits:
      description: C(max_removals) and C(max_percent).
      type: dict
    steps:
      description: What is to be done, in this order.
      type: list
      elements: dict
      contains:
        arn:
          description: The resource.
          type: str
        action:
          description:
            - V(quarantine), V(remove), or V(restore) of what is in quarantine and has got an explanation, such as a
              state.
          type: str
        order:
          description: Its place.
          type: int
        blocked_by:
          description: What stands on it and stays, by ARN or id. Such an item is not carried out.
          type: list
          elements: str
        copies:
          description: Whether it is copied before.
          type: bool
        recover:
          description: How it could be had back.
          type: str
    digest:
      description: The SHA-256 of all this.
      type: str
digest:
  description: That of the plan. Approving the plan is giving it as O(digest).
  returned: when state is planned or applied
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
kept:
  description: Resources that are unmanaged, or in quarantine, and not in the plan.
  returned: when state is planned
  type: list
  elements: dict
  contains:
    arn:
      description: The resource.
      type: str
    reason:
      description: Why.
      type: str
  sample:
    - arn: arn:aws:ec2:eu-central-1:111122223333:instance/i-0abc1234def567890
      reason: in quarantine until 2026-12-03T04:00:00Z
scan:
  description: What the scan found, as M(gitops.aws.unmanaged_resources_info) returns it, without what is managed.
  returned: when state is planned
  type: dict
results:
  description: What became of the steps, in check mode what would.
  returned: when state is applied or restored
  type: list
  elements: dict
  contains:
    arn:
      description: The resource.
      type: str
    action:
      description: What was to be done.
      type: str
    result:
      description:
        - V(quarantined), V(removed) or V(restored), or V(gone_already), V(blocked) by what stands on it, V(kept), or
          V(failed). What was removed in part has failed, and stays in the ledger.
      type: str
    reason:
      description: Why, or how it could be had back.
      type: str
    copies:
      description: The ids of copies.
      type: list
      elements: str
  sample:
    - arn: arn:aws:ec2:eu-central-1:111122223333:volume/vol-0abc1234def567890
      action: remove
      result: removed
      reason: "Create a volume from the snapshot."
      copies: [snap-0abc1234def567890]
msg:
  description: Why there is no plan, or what failed.
  returned: without a plan, and on failure
  type: str
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    ec2:DescribeInstances: 2
    ec2:StopInstances: 2
    s3:PutObject: 4
"""

from ansible_collections.gitops.aws.plugins.module_utils._findings.unmanaged import (
    ARGUMENTS,
    CONSTRAINTS,
    act,
    problems,
)
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(
        ARGUMENTS,
        act,
        lambda params: f"unmanaged resources, with the states in {params['state_bucket']}",
        problems,
        **CONSTRAINTS,
    )


if __name__ == "__main__":
    main()
