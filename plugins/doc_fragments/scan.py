# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules that scan an account for what no state explains."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state_bucket:
    description:
      - The bucket with the states. Every object in it is looked at, so that workspaces and the layouts of other tools
        are seen, too. What is no state of format version 4 but looks like one makes the scan incomplete.
    type: str
    required: true
  lock_table:
    description:
      - The lock table in DynamoDB. Lock files are seen without it.
    type: str
  expected_account_id:
    description:
      - The account that is meant. With credentials of another one nothing is done.
    type: str
  regions:
    description:
      - Where to look. Unset means the module's region. What has no region, such as IAM, is always looked at.
    type: list
    elements: str
  types:
    description:
      - Terraform's names of the types of resources to look at, such as V(aws_instance). Unset means all that are known.
    type: list
    elements: str
  scope:
    description:
      - What the estate claims to own; all that is given must hold of a resource. Unset means that nothing is claimed,
        and findings are only reported.
      - A resource of which a criterion cannot be seen, such as a tag of what cannot be tagged, is out of scope.
    type: dict
    suboptions:
      account:
        description:
          - The account is used by the pipelines only, everything in it is theirs.
        type: bool
        default: false
      tags:
        description:
          - The tags that a resource must have.
        type: dict
        default: {}
      vpc_ids:
        description:
          - The VPCs that a resource must be in.
        type: list
        elements: str
        default: []
      name_prefix:
        description:
          - How its name must begin. The name is the tag C(Name) where there is one, else what AWS calls it.
        type: str
        default: ""
  entries:
    description:
      - What people have decided, from a reviewed file. Each has C(match) (C(arn), C(type), C(name), C(tags),
        C(region), of which all that are given must hold, with C(*) and C(?)), C(kind) (V(ignore), V(protect) or
        V(baseline)), C(owner), C(reason) and C(expires), a day.
    type: list
    elements: dict
    default: []
  protected_arns:
    description:
      - ARNs, with C(*) and C(?), of what is never a finding. Whatever carries the tag C(gitops:estate) or
        C(gitops:protect) is not one either, nor is who runs the module, nor the buckets of CloudTrail's trails.
    type: list
    elements: str
    default: []
  min_age_hours:
    description:
      - Younger resources are no findings, for a build may be making them. Where AWS does not say when one was made, its
        age counts from CloudTrail's event, or from the scan that saw it first.
    type: float
    default: 24
  pipeline_roles:
    description:
      - ARNs, with C(*) and C(?), of the roles that the pipelines apply with. What they made, and no state has, was
        left by a run that failed.
    type: list
    elements: str
    default: []
  trusted_creators:
    description:
      - ARNs, with C(*) and C(?), of users and roles that may make what they like.
    type: list
    elements: str
    default: []
  attribution_calls:
    description:
      - How often CloudTrail is asked at most who made what was found. It answers two questions in a second, and knows
        90 days. V(0) asks nothing.
    type: int
    default: 100
  breadth:
    description:
      - Whether the Tagging API and Resource Explorer are asked for resources of other types, which are only reported.
    type: bool
    default: true
  ledger_key:
    description:
      - The key of the ledger in the state bucket. Objects in its folder are taken for no states.
    type: str
    default: gitops-drift/ledger.json
  forget_states:
    description:
      - Keys of states that the last scan saw and that are gone with good reason. V(*) stands for all.
    type: list
    elements: str
    default: []
"""
