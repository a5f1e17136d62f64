#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: caller_info
short_description: Find out who is calling, and in which account
version_added: "0.1.0"
description:
  - Says whose credentials are used, in one call that needs no permission.
  - It does not look for the account's alias, as M(amazon.aws.aws_caller_info) does, which takes a second call and the
    permission for it.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.reading
options: {}
seealso:
  - module: amazon.aws.aws_caller_info
  - module: gitops.aws.iam_access_info
"""

EXAMPLES = r"""
- name: Who is calling
  gitops.aws.caller_info:
    region: eu-central-1
  register: caller

- name: Not in the wrong account
  ansible.builtin.assert:
    that: caller.account == '111122223333'
"""

RETURN = r"""
account:
  description: The account's id.
  returned: success
  type: str
  sample: "111122223333"
arn:
  description: The ARN of the user, or of the role's session.
  returned: success
  type: str
  sample: arn:aws:sts::111122223333:assumed-role/platform/alice
partition:
  description: The partition that the account is in, as in ARNs.
  returned: success
  type: str
  sample: aws
user_id:
  description: The id of the user, or of the role with the session's name.
  returned: success
  type: str
  sample: AROAEXAMPLEEXAMPLEEX:alice
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    sts:GetCallerIdentity: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._caller import ARGUMENTS, identity
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(ARGUMENTS, identity, lambda params: "who is calling")


if __name__ == "__main__":
    main()
