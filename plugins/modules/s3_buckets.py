#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: s3_buckets
short_description: Manage S3 buckets with what makes them safe
version_added: "0.1.0"
description:
  - Creates, changes and deletes Amazon S3 general purpose buckets, any number of them in one task - versioning,
    encryption, public access, ownership of objects, bucket policy, lifecycle rules and tags.
  - Each of these settings costs one call to read, and only those that are given are read.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  buckets:
    description:
      - The buckets, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, 3 to 63 of the characters a-z, 0-9, hyphen and full stop. It is unique among all accounts of AWS.
        type: str
        required: true
      versioning:
        description:
          - Whether S3 keeps older versions of objects. V(false) suspends versioning; versions that exist are kept.
          - Unset leaves it alone; a new bucket has none.
        type: bool
      encryption:
        description:
          - How S3 encrypts objects whose upload does not say it.
          - Unset leaves it alone. S3 encrypts always, so there is no V(none); a new bucket has V(AES256).
        type: dict
        suboptions:
          algorithm:
            description:
              - V(aws:kms) with a key of KMS, V(AES256) with keys that S3 manages.
            type: str
            choices: ["aws:kms", AES256]
            default: "aws:kms"
          kms_key_id:
            description:
              - The ARN of the KMS key. Unset leaves it alone; a bucket that never had one uses V(alias/aws/s3).
              - Has no meaning for V(AES256).
            type: str
          bucket_key:
            description:
              - Whether S3 derives a key for the bucket, which saves most calls to KMS and their cost.
              - Has no meaning for V(AES256).
            type: bool
            default: true
      block_public_access:
        description:
          - With V(true), all four of S3's switches against public access are on.
          - With V(false), where all four are on, the block is removed. A bucket with some of them on counts as
            V(false).
          - Unset leaves it alone; AWS turns all four on for a new bucket.
        type: bool
      object_ownership:
        description:
          - Who owns objects that other accounts upload. With V(BucketOwnerEnforced), access control lists have no
            effect.
          - Unset leaves it alone; a new bucket has V(BucketOwnerEnforced).
        type: str
        choices: [BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter]
      policy:
        description:
          - The bucket policy as a dictionary. Two policies that say the same in another order are equal.
          - Unset leaves it alone; V({}) removes it.
        type: dict
      lifecycle_rules:
        description:
          - The lifecycle rules, all of them; the order does not matter. Rules that are not listed are removed.
          - Unset leaves them alone; V([]) removes them.
        type: list
        elements: dict
        suboptions:
          id:
            description:
              - The rule's name, unique in the bucket.
            type: str
            required: true
          status:
            description:
              - Whether S3 follows the rule.
            type: str
            choices: [Enabled, Disabled]
            default: Enabled
          filter:
            description:
              - Which objects the rule is for. Unset means all.
            type: dict
            suboptions:
              prefix:
                description:
                  - The beginning of the objects' keys.
                type: str
          expiration:
            description:
              - When the current version of an object expires.
            type: dict
            suboptions:
              days:
                description:
                  - Days after its creation.
                type: int
              expired_object_delete_marker:
                description:
                  - Whether a delete marker goes when no version is left behind it. Not together with C(days).
                type: bool
          noncurrent_version_expiration:
            description:
              - When older versions are deleted.
            type: dict
            suboptions:
              noncurrent_days:
                description:
                  - Days after a newer version took their place.
                type: int
              newer_noncurrent_versions:
                description:
                  - How many older versions are kept whatever their age, 1 to 100.
                type: int
          abort_incomplete_multipart_upload:
            description:
              - When the parts of uploads that were never completed are deleted.
            type: dict
            suboptions:
              days_after_initiation:
                description:
                  - Days after the upload began.
                type: int
      force:
        description:
          - Only used with O(state=absent). With V(true), every version of every object is deleted with the bucket, and
            its policy before, which may deny that.
          - With V(false), a bucket that holds anything stays, and the task fails.
        type: bool
        default: false
      tags:
        description:
          - Tags as a dictionary. Unset leaves them alone; V({}) removes all, unless O(purge_tags=false).
        type: dict
        aliases: [resource_tags]
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.bulk
  - gitops.aws.attributes
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
notes:
  - With O(owner_tags), a bucket without tags that is empty and has no policy, no lifecycle rules, no versions and no
    encryption with a key was left behind by a run that was killed before it could give the tags. It is set up, and
    never deleted. To see that takes C(s3:ListBucketVersions).
seealso:
  - module: gitops.aws.kms_keys
"""

EXAMPLES = r"""
- name: A bucket for Terraform states
  gitops.aws.s3_buckets:
    region: eu-central-1
    buckets:
      - name: acme-terraform-states
        versioning: true
        encryption:
          kms_key_id: arn:aws:kms:eu-central-1:123456789012:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
        block_public_access: true
        object_ownership: BucketOwnerEnforced
        policy:
          Version: "2012-10-17"
          Statement:
            - Sid: OnlyTLS
              Effect: Deny
              Principal: "*"
              Action: s3:*
              Resource:
                - arn:aws:s3:::acme-terraform-states
                - arn:aws:s3:::acme-terraform-states/*
              Condition:
                Bool:
                  aws:SecureTransport: "false"
        lifecycle_rules:
          - id: old-versions
            noncurrent_version_expiration:
              noncurrent_days: 365
              newer_noncurrent_versions: 10
          - id: broken-uploads
            abort_incomplete_multipart_upload:
              days_after_initiation: 7
        tags:
          owner: platform

- name: Remove policy and lifecycle rules
  gitops.aws.s3_buckets:
    region: eu-central-1
    buckets:
      - name: acme-terraform-states
        policy: {}
        lifecycle_rules: []

- name: Delete a bucket and all that is in it
  gitops.aws.s3_buckets:
    region: eu-central-1
    state: absent
    buckets:
      - name: acme-pipeline-artifacts
        force: true
"""

RETURN = r"""
buckets:
  description:
    - The settings of each bucket that exists after the run, fit to be given to O(buckets) again.
    - Of the optional settings only those are in it that were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: acme-terraform-states
      versioning: true
      encryption:
        algorithm: aws:kms
        kms_key_id: arn:aws:kms:eu-central-1:123456789012:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
        bucket_key: true
      block_public_access: true
      tags:
        owner: platform
resources:
  description:
    - What became of each bucket, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is the bucket's ARN.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    acme-terraform-states:
      action: updated
      arn: arn:aws:s3:::acme-terraform-states
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    s3:GetBucketVersioning: 1
    s3:HeadBucket: 1
    s3:PutBucketVersioning: 1
diff:
  description: For each bucket that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: S3 bucket acme-terraform-states
      after_header: S3 bucket acme-terraform-states
      before:
        versioning: false
      after:
        versioning: true
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.s3_bucket import OPTIONS, S3Bucket


def main() -> None:
    run(S3Bucket, "buckets", OPTIONS)


if __name__ == "__main__":
    main()
