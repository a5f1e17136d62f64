#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: unmanaged_resources_info
short_description: Find what is in an AWS account and in no Terraform state
version_added: "0.1.0"
description:
  - Lists the resources of an account, reads all states in a bucket, and says of each resource what it is, why, and
    what shows it. V(managed) is what a state has, V(aws_default) what AWS makes in every account, V(service_managed)
    what a service made for its own use, V(referenced) what stands anywhere in a state, V(other_iac) what
    CloudFormation and the like made, V(protected), V(ignored), V(out_of_scope), V(too_young).
  - V(foreign_terraform), V(leaked_by_pipeline) and V(unmanaged) are findings. The first was made by a Terraform that
    is not the pipeline's, the second by a run that failed, and nothing explains the third.
  - Resources without tags are seen, too.
  - Ghosts are what a state has and AWS does not.
  - What could not be read for certain makes the scan incomplete, and RV(problems) says what. A state that cannot be
    read, a list that is denied, a run that is going on are such problems. Nothing is ever removed on the ground of
    such a scan.
  - Nothing of a state or of a resource is returned but ids, names, tags and addresses.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  verdicts:
    description:
      - Which resources are returned, by verdict. Unset means all but the managed ones.
    type: list
    elements: str
    choices:
      - incomplete
      - managed
      - aws_default
      - service_managed
      - referenced
      - other_iac
      - protected
      - ignored
      - out_of_scope
      - too_young
      - foreign_terraform
      - leaked_by_pipeline
      - unmanaged
  explain:
    description:
      - An ARN, or an id. Then only this resource is returned, whatever its verdict, and of no other CloudTrail is
        asked who made it. Ghosts are returned where this is their id or address.
      - It is an error if there is neither a resource nor a ghost.
    type: str
seealso:
  - module: gitops.aws.unmanaged_resources
  - module: gitops.aws.findings_report
extends_documentation_fragment:
  - gitops.aws.scan
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.reading
"""

EXAMPLES = r"""
- name: What is in this account that the code does not explain?
  gitops.aws.unmanaged_resources_info:
    region: eu-central-1
    state_bucket: gitops-111122223333-eu-central-1-state
    lock_table: gitops-lock
    verdicts: [unmanaged, leaked_by_pipeline, foreign_terraform]
  register: found

- name: Why is this instance kept?
  gitops.aws.unmanaged_resources_info:
    region: eu-central-1
    state_bucket: gitops-111122223333-eu-central-1-state
    explain: i-0abc1234def567890
"""

RETURN = r"""
complete:
  description: Whether all that counts could be read. RV(problems) is empty then.
  returned: success
  type: bool
problems:
  description: What could not be read, or is going on.
  returned: success
  type: list
  elements: dict
  contains:
    what:
      description: The state, the list, the lock.
      type: str
    why:
      description: What is wrong, with what AWS said.
      type: str
    fix:
      description: What to do.
      type: str
  sample:
    - what: aws_kms_key in eu-central-1
      why: "listing is denied: An error occurred (AccessDeniedException) when calling the ListKeys operation"
      fix: let who runs this list them, or leave the type or the region out
notes:
  description: What is not known, and makes the scan not incomplete, such as who made something. Like RV(problems).
  returned: success
  type: list
  elements: dict
  sample: []
resources:
  description: The resources.
  returned: success
  type: list
  elements: dict
  contains:
    arn:
      description: The ARN.
      type: str
    type:
      description: Terraform's type.
      type: str
    id:
      description: Terraform's id.
      type: str
    import_id:
      description: What C(terraform import) takes.
      type: str
    region:
      description: The region, empty for what has none.
      type: str
    name:
      description: The tag C(Name), or what AWS calls it.
      type: str
    verdict:
      description: What it is.
      type: str
    reason:
      description: Why.
      type: str
    evidence:
      description: What shows it, an attribute, a tag, or an address in a state.
      type: str
    created:
      description: When it was made; empty where AWS does not say.
      type: str
    first_seen:
      description: The scan that saw it first, from the ledger.
      type: str
    age_hours:
      description: How old it is.
      type: float
    tags:
      description: Its tags.
      type: dict
    refs:
      description: Ids and ARNs of what it stands on.
      type: list
      elements: str
    used_by:
      description: Ids and ARNs of what stands on it, as far as it says so itself.
      type: list
      elements: str
    part_of:
      description: The id of what it is a part of, and goes with; else empty.
      type: str
    part_of_type:
      description: The type of that.
      type: str
    removable:
      description: Whether M(gitops.aws.unmanaged_resources) can remove this type.
      type: bool
    quarantine:
      description: What quarantine does to it; empty where it is only noted.
      type: str
    guarded:
      description: What in AWS itself protects it from removal, such as termination protection.
      type: str
    creator:
      description:
        - Who made it, from CloudTrail. C(principal), C(type), C(time), C(event), C(event_id), C(source_ip),
          C(user_agent), C(console) and C(invoked_by). Null where it is not known.
      type: dict
    creator_asked:
      description:
        - Whether CloudTrail has answered. Where RV(resources[].creator) is null and this is true, CloudTrail has no
          event of its making, which may be older than 90 days; where this is false, nobody has asked, the calls that
          are allowed were used up, or the answer was denied.
      type: bool
    recover:
      description: How it could be had back after removal.
      type: str
  sample:
    - arn: arn:aws:ec2:eu-central-1:111122223333:instance/i-0abc1234def567890
      type: aws_instance
      id: i-0abc1234def567890
      verdict: unmanaged
      reason: no state has it, and nothing explains it
ghosts:
  description: What a state has and AWS does not.
  returned: success
  type: list
  elements: dict
  sample:
    - address: aws_subnet.private[0]
      state: network/terraform.tfstate
      type: aws_subnet
      id: subnet-0abc1234def567890
      reason: the state has it, and AWS does not
counts:
  description: How many resources have which verdict.
  returned: success
  type: dict
  sample: {managed: 212, unmanaged: 1}
coverage:
  description: What was listed, by type and region, and how that ended.
  returned: success
  type: list
  elements: dict
  sample:
    - type: aws_instance
      region: eu-central-1
      status: complete
      seen: 4
      managed: 3
      findings: 1
      removable: true
      message: ""
breadth:
  description: Resources of types that are not known here, from indexes.
  returned: success
  type: list
  elements: dict
  sample: []
breadth_beyond:
  description: How many there are beyond the first thousand.
  returned: success
  type: int
  sample: 0
unseen_types:
  description: How many resources of each type that is not known here the indexes have.
  returned: success
  type: dict
  sample: {"codebuild:project": 3}
states:
  description: The states that were read.
  returned: success
  type: list
  elements: dict
  sample:
    - key: network/terraform.tfstate
      lineage: 3f1c5f7e-1f7a-4f57-9a52-0f2f5d3f1c55
      serial: 14
      managed: 212
      locked: ""
account_id:
  description: The account.
  returned: success
  type: str
  sample: "111122223333"
partition:
  description: Its partition.
  returned: success
  type: str
  sample: aws
regions:
  description: Where was looked.
  returned: success
  type: list
  elements: str
  sample: [eu-central-1]
time:
  description: When the scan began.
  returned: success
  type: str
  sample: "2026-11-26T04:00:00Z"
scope:
  description: What the estate claims, as given.
  returned: success
  type: dict
expired_entries:
  description: Entries that count no more.
  returned: success
  type: list
  elements: dict
  sample: []
unused_entries:
  description: Entries that match nothing.
  returned: success
  type: list
  elements: dict
  sample: []
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    ec2:DescribeInstances: 1
    s3:GetObject: 4
"""

from ansible_collections.gitops.aws.plugins.module_utils._findings.scan import INFO_ARGUMENTS, info, problems
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(INFO_ARGUMENTS, info, lambda params: f"the scan with the states in {params['state_bucket']}", problems)


if __name__ == "__main__":
    main()
