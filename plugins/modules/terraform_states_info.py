#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the Terraform states in a bucket; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: terraform_states_info
short_description: Read what the Terraform states in a bucket hold
version_added: "0.1.0"
description:
  - Reads every state in a bucket, those of workspaces too, and says which resources and outputs it holds.
  - Whether an object is a state is decided by its content, not by its name.
  - Sensitive outputs and the attributes of resources are never returned.
  - What drift.yml has in quarantine is told, too, by its ledger in the same bucket.
options:
  bucket:
    description: The bucket with the states.
    type: str
    required: true
  keys:
    description:
      - The objects to read. The default is all of the bucket. One that does not exist is left out.
      - The ledger C(gitops-drift/ledger.json) can be among them.
    type: list
    elements: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.reading
author:
  - Contributors to gitops.aws (@gitops-aws)
"""

EXAMPLES = r"""
- name: What is built
  gitops.aws.terraform_states_info:
    bucket: gitops-111122223333-eu-central-1-state
    keys:
      - network/terraform.tfstate
  register: states

- name: Use an output
  ansible.builtin.debug:
    var: states.states[0].outputs.vpc_id
"""

RETURN = r"""
states:
  description: One entry for each state that could be read.
  returned: always
  type: list
  elements: dict
  contains:
    key:
      description: The object's key.
      type: str
      sample: network/terraform.tfstate
    version_id:
      description: The object's version.
      type: str
    encryption:
      description: How the object is encrypted.
      type: str
      sample: aws:kms
    kms_key_id:
      description: The key's ARN, where the encryption is by KMS.
      type: str
    serial:
      description: Terraform's count of changes.
      type: int
    lineage:
      description: The id that Terraform gave the state when it was made.
      type: str
    terraform_version:
      description: The version that wrote it.
      type: str
    resources:
      description: Addresses of all managed resources.
      type: list
      elements: str
      sample: [aws_vpc.this, "aws_subnet.private[0]"]
    outputs:
      description: Outputs that are not sensitive.
      type: dict
quarantined:
  description: ARNs of the resources that the ledger, if it was read, has in quarantine.
  returned: always
  type: list
  elements: str
locked:
  description:
    - Keys of the states that are locked now by Terraform's native lock, which means that something writes them.
    - Empty with O(keys). Locks in DynamoDB are not looked at.
  returned: always
  type: list
  elements: str
unreadable:
  description: Objects that were asked for by O(keys), or look like a state by their name, and are not readable as one.
  returned: always
  type: list
  elements: dict
  contains:
    key:
      description: The object's key.
      type: str
    reason:
      description: Why.
      type: str
"""

from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports it

from ansible_collections.gitops.aws.plugins.module_utils._answers import understood
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, explain, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._findings import ledger
from ansible_collections.gitops.aws.plugins.module_utils._module import aws_module
from ansible_collections.gitops.aws.plugins.module_utils._terraform_state import parse

LOCK = ".tflock"  # what Terraform's native lock adds to the state's key
ABSENT = ("NoSuchKey", "NoSuchBucket", "404")


def read(aws: Aws, bucket: str, key: str) -> dict[str, Any] | None:
    """One object as an entry of states, an entry of unreadable, what is quarantined, or None where there is none."""
    answer = read_or_none(aws.client("s3").get_object, ABSENT, Bucket=bucket, Key=key)
    if answer is None:
        return None
    try:
        if key == ledger.KEY:
            return {"quarantined": sorted(ledger.parse(answer["Body"].read())["quarantined"])}
        state = parse(answer["Body"].read())
    except ValueError as error:
        return {"key": key, "reason": str(error)}
    return {
        "key": key,
        "version_id": answer.get("VersionId", ""),
        "encryption": answer.get("ServerSideEncryption", ""),
        "kms_key_id": answer.get("SSEKMSKeyId", ""),
        **state,
    }


def main() -> None:
    module = aws_module(
        {
            "bucket": {"type": "str", "required": True},
            "keys": {"type": "list", "elements": "str", "no_log": False},
        }
    )
    aws, bucket, keys = Aws(module), module.params["bucket"], module.params["keys"]
    asked = keys is not None
    locked: list[str] = []
    with understood(module, lambda: f"Reading the states in bucket {bucket}", aws.calls):
        try:
            if not asked:
                objects = (
                    read_or_none(lambda: aws.pages("s3", "list_objects_v2", "Contents", Bucket=bucket), ABSENT) or []
                )
                locked = [entry["Key"].removesuffix(LOCK) for entry in objects if entry["Key"].endswith(LOCK)]
                keys = [entry["Key"] for entry in objects if entry["Size"] and not entry["Key"].endswith(LOCK)]
            found = [entry for entry in aws.map(lambda key: read(aws, bucket, key), keys) if entry]
        except (ClientError, BotoCoreError) as error:
            module.fail_json(msg=explain(error, f"Reading the states in bucket {bucket}"))
    unreadable = [e for e in found if "reason" in e and (asked or e["key"].endswith((".tfstate", ledger.KEY)))]
    quarantined = [arn for entry in found for arn in entry.get("quarantined", [])]
    states = [entry for entry in found if "lineage" in entry]
    module.exit_json(locked=locked, quarantined=quarantined, states=states, unreadable=unreadable)


if __name__ == "__main__":
    main()
