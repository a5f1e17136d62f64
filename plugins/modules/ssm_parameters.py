#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ssm_parameters
short_description: Manage parameters of the Systems Manager Parameter Store
version_added: "0.1.0"
description:
  - Creates, changes and deletes parameters of the AWS Systems Manager Parameter Store, any number of them in one task.
  - Values are compared with what the store holds, so that a second run writes no new version. They are never shown.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  parameters:
    description:
      - The parameters, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name. A name with levels begins with a slash, as in V(/gitops/network/token).
          - It must not begin with V(aws) or V(ssm), which AWS keeps for itself.
        type: str
        required: true
      value:
        description:
          - The value. It is needed to create a parameter; unset leaves the value of an existing one alone.
          - The module never returns it. In its place stands V((hidden\)), which, given back, means the value as it is.
        type: str
      type:
        description:
          - V(SecureString) is encrypted, V(String) is plain text and V(StringList) is texts with commas between them.
          - Unset leaves it alone; a new parameter becomes a V(SecureString).
        type: str
        choices: [String, StringList, SecureString]
      key_id:
        description:
          - What encrypts a V(SecureString) - the ARN, id or alias of a KMS key. It is compared as text, so give it the
            same way each time.
          - Unset leaves it alone; a new parameter gets the account's V(alias/aws/ssm).
        type: str
      description:
        description:
          - What the parameter is for. Unset leaves it alone; an empty text removes it.
        type: str
      tier:
        description:
          - The tier. V(Advanced) takes values above 4 KiB, up to 8 KiB, and costs money. AWS does not go back from it.
          - With V(Intelligent-Tiering) AWS decides, and either of its decisions counts as what was asked for.
          - Unset leaves it alone; a new parameter gets the account's default tier.
        type: str
        choices: [Standard, Advanced, Intelligent-Tiering]
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
  - To compare a V(SecureString), the caller needs C(kms:Decrypt) on its key.
  - Ansible hides every text that equals a given value, wherever in the output it stands.
"""

EXAMPLES = r"""
- name: Keep an access key for builds
  gitops.aws.ssm_parameters:
    region: eu-central-1
    parameters:
      - name: /gitops/network/AWS_ACCESS_KEY_ID
        value: "{{ access_key_id }}"
        key_id: alias/gitops
      - name: /gitops/network/AWS_SECRET_ACCESS_KEY
        value: "{{ secret_access_key }}"
        key_id: alias/gitops
        tags:
          stack: network

- name: Describe a parameter without touching its value
  gitops.aws.ssm_parameters:
    region: eu-central-1
    parameters:
      - name: /gitops/network/AWS_ACCESS_KEY_ID
        description: For builds of the network stack

- name: Delete them
  gitops.aws.ssm_parameters:
    region: eu-central-1
    state: absent
    parameters:
      - name: /gitops/network/AWS_ACCESS_KEY_ID
      - name: /gitops/network/AWS_SECRET_ACCESS_KEY
"""

RETURN = r"""
parameters:
  description:
    - The settings of each parameter that exists after the run, fit to be given to O(parameters) again.
    - C(tags) are in it when they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: /gitops/network/AWS_ACCESS_KEY_ID
      value: (hidden)
      type: SecureString
      key_id: alias/gitops
      description: For builds of the network stack
      tier: Standard
resources:
  description:
    - What became of each parameter, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is the ARN of a parameter that was there; C(version) is the number of its version.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    /gitops/network/AWS_ACCESS_KEY_ID:
      action: created
      version: 1
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    ssm:DescribeParameters: 1
    ssm:PutParameter: 1
diff:
  description: For each parameter that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: SSM parameter /gitops/network/AWS_ACCESS_KEY_ID
      after_header: SSM parameter /gitops/network/AWS_ACCESS_KEY_ID
      before:
        value: (hidden) before
      after:
        value: (hidden) after
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.ssm_parameter import OPTIONS, SsmParameter


def main() -> None:
    run(SsmParameter, "parameters", OPTIONS)


if __name__ == "__main__":
    main()
