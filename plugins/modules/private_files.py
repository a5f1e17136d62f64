#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: private_files
short_description: Put files into a bucket that is not public
version_added: "0.1.0"
description:
  - Puts files into a bucket in S3, encrypted, and writes only those whose content differs.
  - It refuses a bucket that is somebody else's, or that does not block public access in all four ways. With these,
    neither the bucket's policy nor an ACL makes anything public. The policy may still name other accounts, which may
    then read what it lets them.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  bucket:
    description:
      - The bucket. It must exist.
    type: str
    required: true
  bucket_owner:
    description:
      - The number of the account whose bucket it must be.
    type: str
    required: true
  prefix:
    description:
      - The beginning of the keys, such as V(reports/). The rest is the file's name.
    type: str
    default: ""
  files:
    description:
      - The files.
    type: list
    elements: path
    required: true
  kms_key_id:
    description:
      - The ARN of the KMS key that they are encrypted with. Unset means S3's own key, AES256.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
seealso:
  - module: gitops.aws.estate_report
"""

EXAMPLES = r"""
- name: Keep the report where the team can read it
  gitops.aws.private_files:
    region: eu-central-1
    bucket: acme-reports
    bucket_owner: "111122223333"
    prefix: estate/
    files: [report/estate.html, report/estate.json, report/estate.md]
"""

RETURN = r"""
objects:
  description: The keys of all files.
  returned: success
  type: list
  elements: str
  sample: [estate/estate.html, estate/estate.json, estate/estate.md]
written:
  description: The keys of those that differed.
  returned: success
  type: list
  elements: str
  sample: [estate/estate.html]
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    s3:GetPublicAccessBlock: 1
    s3:HeadObject: 3
    s3:PutObject: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._private_files import ARGUMENTS, act, problems
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(ARGUMENTS, act, lambda params: f"bucket {params['bucket']}", problems)


if __name__ == "__main__":
    main()
