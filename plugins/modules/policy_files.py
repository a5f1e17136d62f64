#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes policies as files; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: policy_files
short_description: Write IAM policies as files
version_added: "0.1.0"
description:
  - Writes each policy to C(<name>.json) in a directory, all of them in one task. Other files there are left alone.
  - It calls nothing. It warns of a policy that is too long to be a managed policy.
options:
  dest:
    description: The directory for the files. It is made where it is not there.
    type: path
    required: true
  policies:
    description:
      - The policies by name.
      - A dictionary is written so that people can read it. A text is written as it is, for those policies of which AWS
        counts white space, too.
    type: dict
    required: true
extends_documentation_fragment:
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.files
author:
  - Contributors to gitops.aws (@gitops-aws)
"""

EXAMPLES = r"""
- name: Write the policies for who installs
  gitops.aws.policy_files:
    dest: policies
    policies: >-
      {{ {'name': 'gitops', 'region': 'eu-central-1'} | gitops.aws.foundation('111122223333', 'aws')
         | gitops.aws.installer_policies([]) }}
"""

RETURN = r"""
files:
  description: The files, by the policy's name.
  returned: success
  type: dict
  sample: {operator: policies/operator.json}
"""

import json
import os
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._files import Files, is_file_name
from ansible_collections.gitops.aws.plugins.module_utils._kinds.iam_policy import DOCUMENT_LIMIT, size_of
from ansible_collections.gitops.aws.plugins.module_utils._module import CheckedModule

ARGUMENTS = {
    "dest": {"type": "path", "required": True},
    "policies": {"type": "dict", "required": True},
}
MODE = 0o644
DIRECTORY_MODE = 0o755


def main() -> None:
    module = CheckedModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    dest, policies = module.params["dest"], module.params["policies"]
    wrong = problems(policies)
    if wrong:
        module.fail_json(msg=f"Nothing was changed. {'; '.join(wrong)}")
    for name, policy in policies.items():
        if isinstance(policy, dict) and size_of(policy) > DOCUMENT_LIMIT:
            module.warn(
                f"{name}.json has {size_of(policy):,} characters without white space. IAM takes"
                f" {DOCUMENT_LIMIT:,} for a managed policy: divide it by statements into two policies"
            )
    files = Files(module, MODE)
    paths = {name: os.path.join(dest, f"{name}.json") for name in policies}
    try:
        files.write_all(dest, DIRECTORY_MODE, {path: text_of(policies[name]) for name, path in paths.items()})
    except OSError as error:
        module.fail_json(msg=f"The policies could not be written: {error}")
    module.exit_json(changed=files.changed, diff=files.diff, files=paths, invocation={"module_args": {"dest": dest}})


def problems(policies: dict[str, Any]) -> list[str]:
    """What is wrong with the policies, a sentence each."""
    wrong = []
    for name, policy in policies.items():
        if not is_file_name(name):
            wrong.append(f"policies: {name!r} is not allowed, it must be a file's name without .json")
        if not isinstance(policy, (dict, str)):
            wrong.append(f"policies.{name} must be a policy: a dictionary or a text")
    return wrong


def text_of(policy: dict[str, Any] | str) -> str:
    """What is in a policy's file."""
    return policy if isinstance(policy, str) else json.dumps(policy, indent=4, sort_keys=True) + "\n"


if __name__ == "__main__":
    main()
