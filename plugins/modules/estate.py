#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the settings and stacks of an estate; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: estate
short_description: Check the settings and stacks of an estate before anything is called
version_added: "0.1.0"
description:
  - Checks the input of the playbook C(gitops.aws.site) as a whole, fills in the defaults and returns both.
  - Calls nothing. Everything that is wrong is reported at once, each with the key, the value and what is allowed.
options:
  settings:
    description: What the stacks share, see the README for the keys.
    type: raw
    required: true
  stacks:
    description: The stacks, a list of dictionaries, see the README for the keys.
    type: raw
    required: true
  notification_secrets:
    description:
      - Secrets of the recipients of notices by their names, to find names that do not exist. They are not returned.
    type: raw
    default: {}
  variables:
    description: Names of all variables that the user set for the collection, to find misspelt ones.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.reading
author:
  - Contributors to gitops.aws (@gitops-aws)
"""

EXAMPLES = r"""
- name: Check the input
  gitops.aws.estate:
    settings:
      region: eu-central-1
      connection: github
      installers: [role/platform]
    stacks:
      - name: network
        repository: acme/infrastructure
        path: network
  register: estate
"""

RETURN = r"""
settings:
  description: The settings with every default filled in.
  returned: success
  type: dict
stacks:
  description: The stacks with every default filled in.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import missing_required_lib

try:
    import botocore.session

    HAS_BOTOCORE = True
except ImportError:
    HAS_BOTOCORE = False

from ansible_collections.gitops.aws.plugins.module_utils._estate.spec import check, misspelt
from ansible_collections.gitops.aws.plugins.module_utils._module import CheckedModule
from ansible_collections.gitops.aws.plugins.module_utils._notices.settings import check_secrets


def regions() -> list[str]:
    """The names of all regions that botocore knows, in all partitions."""
    session = botocore.session.get_session()
    return sorted(
        {
            region
            for partition in session.get_available_partitions()
            for region in session.get_available_regions("sts", partition)  # every region has it, and its model is small
        }
    )


def main() -> None:
    module = CheckedModule(
        argument_spec={
            "settings": {"type": "raw", "required": True},
            "stacks": {"type": "raw", "required": True},
            "notification_secrets": {"type": "raw", "default": {}, "no_log": True},
            "variables": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    if not HAS_BOTOCORE:
        module.fail_json(msg=missing_required_lib("botocore"))
    settings, stacks, problems = check(module.params["settings"], module.params["stacks"], regions())
    problems = misspelt(module.params["variables"]) + problems
    problems = problems or check_secrets(module.params["notification_secrets"], settings, stacks)
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        module.fail_json(
            msg=f"The input is wrong in {len(problems)} place(s); nothing was called.\n{lines}", problems=problems
        )
    # The arguments say the same once more, which with a thousand stacks is much.
    module.exit_json(settings=settings, stacks=stacks, invocation={"module_args": {"stacks": f"{len(stacks)} stacks"}})


if __name__ == "__main__":
    main()
