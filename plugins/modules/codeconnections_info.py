#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codeconnections_info
short_description: Read connections to Git hosts (AWS CodeConnections)
version_added: "0.1.0"
description:
  - Reads connections of AWS CodeConnections, those that are named or all of them, and says which are still pending and
    where a person completes them.
  - What it returns can be given to M(gitops.aws.codeconnections), which then changes nothing.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options: {}
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.info
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
seealso:
  - module: gitops.aws.codeconnections
"""

EXAMPLES = r"""
- name: Read all connections
  gitops.aws.codeconnections_info:
    region: eu-central-1
  register: found

- name: Say which of them nobody has completed
  ansible.builtin.debug:
    msg: "{{ item.key }}: {{ item.value.complete_at }}"
  loop: "{{ found.resources | dict2items }}"
  when: item.value.status == 'PENDING'
"""

RETURN = r"""
connections:
  description: The settings of each connection, fit to be given to M(gitops.aws.codeconnections).
  returned: success
  type: list
  elements: dict
  sample:
    - name: github
      provider_type: GitHub
      tags:
        owner: platform
resources:
  description:
    - What AWS decides about each connection, by its name.
    - C(arn) and C(status), V(PENDING), V(AVAILABLE) or V(ERROR).
    - C(complete_at), for a pending connection, is the page where a person completes it.
  returned: success
  type: dict
  sample:
    github:
      arn: arn:aws:codeconnections:eu-central-1:123456789012:connection/4dfa8f62
      status: AVAILABLE
missing:
  description: Those of O(names) that do not exist.
  returned: success
  type: list
  elements: str
  sample: []
unreadable:
  description:
    - Why something could not be read, by its name. The others are in the result all the same.
    - With O(names) the task fails then; without, it warns.
  returned: success
  type: dict
  sample: {}
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codeconnections:ListConnections: 1
    codeconnections:ListTagsForResource: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run_info
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codeconnection import OPTIONS, CodeConnection


def main() -> None:
    run_info(CodeConnection, "connections", OPTIONS)


if __name__ == "__main__":
    main()
