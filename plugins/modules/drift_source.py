#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: drift_source
short_description: Write what the pipeline that looks for drift runs
version_added: "0.1.0"
description:
  - Packs what the playbook C(gitops.aws.drift) needs of this collection and of C(amazon.aws), and settings, into a zip,
    and writes it into a bucket.
  - The same content is written once, whatever machine packs it. An object that is there is read, so that whatever
    somebody else has written in its place is replaced.
  - The collections are those of the controller.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  bucket:
    description:
      - The bucket.
    type: str
    required: true
  key:
    description:
      - The object's key.
    type: str
    default: gitops-drift/source/source.zip
  kms_key_id:
    description:
      - The ARN of the KMS key that it is encrypted with. Unset means the bucket's default, which a bucket that demands
        the header refuses.
    type: str
  settings:
    description:
      - What the playbook C(gitops.aws.drift) reads. C(drift_told) is as P(gitops.aws.drift_settings#filter) makes it.
    type: dict
    required: true
  src:
    description:
      - The zip. It is not for you to give, the controller does.
    type: path
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
seealso:
  - plugin: gitops.aws.drift_settings
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Write what the pipeline runs
  gitops.aws.drift_source:
    region: eu-central-1
    bucket: gitops-111122223333-eu-central-1-state
    kms_key_id: arn:aws:kms:eu-central-1:111122223333:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
    settings:
      drift_told: "{{ foundation | gitops.aws.drift_settings(estate.stacks, []) }}"
"""

RETURN = r"""
digest:
  description: The SHA-256 of the zip.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    s3:GetObject: 1
    s3:PutObject: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._drift_source import ARGUMENTS, act, problems
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(ARGUMENTS, act, lambda params: f"s3://{params['bucket']}/{params['key']}", problems)


if __name__ == "__main__":
    main()
