#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: terraform_state_versions_info
short_description: List the versions of a Terraform state, and states that failed builds saved aside
version_added: "0.1.0"
description:
  - Lists the versions that a bucket keeps of a state, and says what the newest of them hold, in numbers.
  - Finds the states that a build saved aside because it could not write them, Terraform's C(errored.tfstate).
  - Values of resources and outputs are never returned.
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
  limit:
    description:
      - How many of the versions are looked into, the newest first, from 0 to 1000. Each takes a call.
    type: int
    default: 20
  rescued_at:
    description:
      - Where builds save a state that they could not write. Where there is nothing, nothing is returned.
      - Unset means the object of the state's key with C(.errored) behind it, in the same bucket.
    type: list
    elements: dict
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
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.reading
seealso:
  - module: gitops.aws.terraform_state
"""

EXAMPLES = r"""
- name: What there is to go back to
  gitops.aws.terraform_state_versions_info:
    region: eu-central-1
    bucket: gitops-111122223333-eu-central-1-state
    key: network/terraform.tfstate
    rescued_at:
      - bucket: gitops-111122223333-eu-central-1-state
        key: network/terraform.tfstate.errored
      - bucket: gitops-111122223333-eu-central-1-artifacts
        key: gitops-network/errored/network.tfstate
  register: found
"""

RETURN = r"""
versions:
  description: The versions of the state, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    version_id:
      description: The version.
      type: str
    last_modified:
      description: When it was written, ISO 8601.
      type: str
    size:
      description: In bytes.
      type: int
    is_latest:
      description: Whether it is the present one.
      type: bool
    deleted:
      description: Whether it is the mark that the state was deleted.
      type: bool
    serial:
      description: Terraform's count of changes. Nothing where it was not looked at, or cannot be read.
      type: int
    lineage:
      description: The id that Terraform gave the state when it was made.
      type: str
    terraform_version:
      description: The version that wrote it.
      type: str
    resources:
      description: The number of managed resources. Nothing where it was not looked at, or cannot be read.
      type: int
    unreadable:
      description: Why it is not readable as a state, '' where it is.
      type: str
  sample:
    - version_id: 3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY
      last_modified: "2026-11-20T16:06:43+00:00"
      size: 5120
      is_latest: true
      deleted: false
      serial: 12
      lineage: 8f5b6c1e-7c0d-4a55-9a3c-6a8a2a4a1c55
      terraform_version: 1.11.4
      resources: 7
      unreadable: ""
rescued:
  description: The states that were saved aside.
  returned: success
  type: list
  elements: dict
  contains:
    bucket:
      description: The bucket.
      type: str
    key:
      description: The object's key.
      type: str
    version_id:
      description: The object's version, '' in a bucket that keeps none.
      type: str
    last_modified:
      description: When it was written, ISO 8601.
      type: str
    serial:
      description: Terraform's count of changes. Nothing where it was not looked at, or cannot be read.
      type: int
    lineage:
      description: The id that Terraform gave the state when it was made.
      type: str
    terraform_version:
      description: The version that wrote it.
      type: str
    resources:
      description: The number of managed resources. Nothing where it was not looked at, or cannot be read.
      type: int
    unreadable:
      description: Why it is not readable as a state, '' where it is.
      type: str
  sample:
    - bucket: gitops-111122223333-eu-central-1-state
      key: network/terraform.tfstate.errored
      version_id: QUpfdndhfd8438MNFDN93jdnJFkdmqnh893
      last_modified: "2026-11-20T16:07:01+00:00"
      serial: 13
      lineage: 8f5b6c1e-7c0d-4a55-9a3c-6a8a2a4a1c55
      terraform_version: 1.11.4
      resources: 9
      unreadable: ""
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    s3:GetObject: 21
    s3:ListObjectVersions: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._single import run_single
from ansible_collections.gitops.aws.plugins.module_utils._state_versions import ARGUMENTS, act, problems


def main() -> None:
    run_single(ARGUMENTS, act, lambda params: f"state s3://{params['bucket']}/{params['key']}", problems)


if __name__ == "__main__":
    main()
