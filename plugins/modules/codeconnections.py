#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codeconnections
short_description: Manage connections to Git hosts (AWS CodeConnections)
version_added: "0.1.0"
description:
  - Creates, tags and deletes connections of AWS CodeConnections, any number of them in one task. A pipeline reads its
    sources through a connection.
  - A connection that exists is taken as it is, however it was made.
  - A new connection is pending until a person has allowed it at the Git host, in a browser. The result says where.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  connections:
    description:
      - The connections, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, 1 to 32 characters, unique in the account and region.
        type: str
        required: true
      provider_type:
        description:
          - The Git host. It, or C(host_arn), is needed to create a connection; AWS cannot change it afterwards.
        type: str
        choices: [Bitbucket, GitHub, GitHubEnterpriseServer, GitLab, GitLabSelfManaged, AzureDevOps]
      host_arn:
        description:
          - The ARN of the CodeConnections host, for a Git host of your own. AWS cannot change it afterwards.
        type: str
      tags:
        description:
          - Tags as a dictionary. Unset leaves them alone; V({}) removes all, unless O(purge_tags=false).
        type: dict
        aliases: [resource_tags]
  wait:
    description:
      - Whether to wait until somebody has completed the connections that are pending. RV(resources) says where, and the
        task fails when the time is over.
    type: bool
    default: false
  wait_timeout:
    description:
      - How long to wait, for all connections together, in seconds.
    type: int
    default: 900
  poll_interval:
    description:
      - Time between two looks while it waits, in seconds.
    type: int
    default: 5
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.bulk
  - gitops.aws.attributes
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
seealso:
  - module: gitops.aws.codepipelines
"""

EXAMPLES = r"""
- name: A connection to GitHub
  gitops.aws.codeconnections:
    region: eu-central-1
    connections:
      - name: github
        provider_type: GitHub
        tags:
          owner: platform
  register: result

- name: Say where to complete it
  ansible.builtin.debug:
    msg: "Open {{ result.resources.github.complete_at }} and choose Update pending connection"
  when: result.resources.github.status | default('') == 'PENDING'

- name: Wait ten minutes for somebody to do so
  gitops.aws.codeconnections:
    region: eu-central-1
    connections:
      - name: github
    wait: true
    wait_timeout: 600

- name: Delete a connection
  gitops.aws.codeconnections:
    region: eu-central-1
    state: absent
    connections:
      - name: github
"""

RETURN = r"""
connections:
  description:
    - The settings of each connection that exists after the run, fit to be given to O(connections) again.
    - C(tags) are in it when they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: github
      provider_type: GitHub
      tags:
        owner: platform
resources:
  description:
    - What became of each connection, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) and C(status), V(PENDING), V(AVAILABLE) or V(ERROR), are AWS's. In check mode, the ARN of a connection to
      be created is a placeholder.
    - C(complete_at), for a pending connection, is the page where a person completes it.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    github:
      action: created
      arn: arn:aws:codeconnections:eu-central-1:123456789012:connection/4dfa8f62
      status: PENDING
      complete_at: https://eu-central-1.console.aws.amazon.com/codesuite/settings/connections
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codeconnections:CreateConnection: 1
    codeconnections:ListConnections: 1
diff:
  description: For each connection that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: connection github
      after_header: connection github
      before: {}
      after:
        name: github
        provider_type: GitHub
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codeconnection import OPTIONS, CodeConnection
from ansible_collections.gitops.aws.plugins.module_utils._waiters import time_problems

MORE = {
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 900},
    "poll_interval": {"type": "int", "default": 5},
}


def main() -> None:
    run(CodeConnection, "connections", OPTIONS, MORE, time_problems)


if __name__ == "__main__":
    main()
