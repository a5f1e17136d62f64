#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: terraform_state
short_description: Put an earlier or a rescued Terraform state in the place of the present one
version_added: "0.1.0"
description:
  - Restores a version of a state in S3, or a state that a build saved aside because it could not write it.
  - Holds Terraform's own lock meanwhile, in DynamoDB, as lock file or both, and refuses while somebody else holds it.
  - The state gets the next serial, so that no plan that was saved before can be applied any more, and the digest in the
    lock table is written, without which Terraform refuses to read the state. Everything else in it stays as it was.
  - Resources are not touched. What was made after that version exists on, and Terraform does not know it any more. The
    next plan shows the differences.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  bucket:
    description:
      - The bucket with the state.
    type: str
    required: true
  key:
    description:
      - The state's key in the bucket.
    type: str
    required: true
  version_id:
    description:
      - The version to restore, as RV(gitops.aws.terraform_state_versions_info#module:versions) has it. Either this or
        O(rescued) is needed.
      - The version that is there already is no change, but its digest is put right.
    type: str
  rescued:
    description:
      - Where the state is that was saved aside. It is deleted there afterwards. Either this or O(version_id) is needed.
      - Where it was deleted before, and is O(key) with C(.errored) in O(bucket), it was put back, and nothing is done.
        In any other place it may also have expired, and the module fails.
    type: dict
    suboptions:
      bucket:
        description:
          - The bucket.
        type: str
        required: true
      key:
        description:
          - The object's key.
        type: str
        required: true
  locking:
    description:
      - How Terraform locks this state. It must be what the backend is set to.
    type: list
    elements: str
    choices: [dynamodb, lockfile]
    default: [dynamodb, lockfile]
  table:
    description:
      - The lock table. Needed where O(locking) has V(dynamodb).
    type: str
  kms_key_id:
    description:
      - The ARN of the KMS key that state and lock file are encrypted with. Unset means the bucket's default, which a
        bucket that demands the header refuses.
    type: str
  force:
    description:
      - Whether to write over a state of another lineage, over one that is newer than the rescued one, over an object
        that is no state, and in a bucket that keeps no versions.
    type: bool
    default: false
  state:
    description:
      - V(restored) puts it there.
    type: str
    choices: [restored]
    default: restored
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
attributes:
  check_mode:
    support: full
    description: It compares, or refuses as it would, takes no lock and writes nothing.
  diff_mode:
    support: full
    description: Shows serial, lineage, version of Terraform and addresses of resources, and no values.
  idempotent:
    support: full
    description:
      - A second run finds the state as it is to be, whatever its serial, and a rescued one put back.
      - A rescued one in another place than beside the state is refused the second time, see O(rescued).
seealso:
  - module: gitops.aws.terraform_state_versions_info
  - module: gitops.aws.terraform_lock
"""

EXAMPLES = r"""
- name: Go back to an earlier state
  gitops.aws.terraform_state:
    region: eu-central-1
    bucket: gitops-111122223333-eu-central-1-state
    key: network/terraform.tfstate
    table: gitops-lock
    kms_key_id: arn:aws:kms:eu-central-1:111122223333:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
    version_id: 3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY

- name: Put back what a build could not write
  gitops.aws.terraform_state:
    region: eu-central-1
    bucket: gitops-111122223333-eu-central-1-state
    key: network/terraform.tfstate
    locking: [lockfile]
    kms_key_id: arn:aws:kms:eu-central-1:111122223333:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
    rescued:
      bucket: gitops-111122223333-eu-central-1-state
      key: network/terraform.tfstate.errored
"""

RETURN = r"""
actions:
  description:
    - What was done, or would be in check mode. V(state_written), V(digest_written) and V(rescued_deleted), in this
      order.
    - Where it failed in the middle, what was done before that.
  returned: always, except where nothing was begun
  type: list
  elements: str
  sample: [state_written, digest_written]
serial:
  description: Of the state as it is afterwards.
  returned: where there is a state to restore
  type: int
  sample: 14
lineage:
  description: The id that Terraform gave the state when it was made.
  returned: where there is a state to restore
  type: str
  sample: 8f5b6c1e-7c0d-4a55-9a3c-6a8a2a4a1c55
terraform_version:
  description: The version of Terraform that wrote it.
  returned: where there is a state to restore
  type: str
  sample: 1.11.4
resources:
  description: The addresses of all managed resources in it.
  returned: where there is a state to restore
  type: list
  elements: str
  sample: [aws_vpc.this, "aws_subnet.private[0]"]
version_id:
  description: The version that the state has now. Empty in check mode, and where nothing is known of it.
  returned: where there is a state to restore
  type: str
  sample: 4JM5lruKmdqYspEUEnK.snTqYe4eJcsIZ
msg:
  description: That a rescued state was put back before, or on failure why, and what was done before that.
  returned: when nothing is there to be put back, and on failure
  type: str
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    dynamodb:BatchGetItem: 1
    dynamodb:DeleteItem: 1
    dynamodb:GetItem: 2
    dynamodb:PutItem: 2
    s3:DeleteObject: 1
    s3:GetObject: 5
    s3:PutObject: 2
"""

from ansible_collections.gitops.aws.plugins.module_utils._single import run_single
from ansible_collections.gitops.aws.plugins.module_utils._state_restore import ARGUMENTS, act, problems


def main() -> None:
    run_single(ARGUMENTS, act, lambda params: f"state s3://{params['bucket']}/{params['key']}", problems)


if __name__ == "__main__":
    main()
