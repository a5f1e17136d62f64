#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: eventbridge_rules_info
short_description: Read EventBridge rules with their targets
version_added: "0.1.0"
description:
  - Reads rules of the bus V(default), those that are named, those whose names begin alike, or all of them.
  - What it returns can be given to M(gitops.aws.eventbridge_rules), which then changes nothing.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  name_prefix:
    description:
      - Without O(names), only rules whose names begin with this are read.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.info
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
seealso:
  - module: gitops.aws.eventbridge_rules
"""

EXAMPLES = r"""
- name: Read the rules of an estate
  gitops.aws.eventbridge_rules_info:
    region: eu-central-1
    name_prefix: gitops-
  register: found

- name: Show what they call
  ansible.builtin.debug:
    msg: "{{ found.rules | map(attribute='targets') | flatten | map(attribute='arn') }}"
"""

RETURN = r"""
rules:
  description:
    - The settings of each rule with its targets and tags, in the order of O(names), fit to be given to
      M(gitops.aws.eventbridge_rules).
  returned: success
  type: list
  elements: dict
  sample:
    - name: gitops-failed
      event_bus_name: default
      description: Pipelines that fail
      enabled: true
      all_management_events: false
      role_arn: ""
      event_pattern:
        source: [aws.codepipeline]
      targets:
        - id: topic
          arn: arn:aws:sns:eu-central-1:123456789012:gitops-events
          maximum_event_age_in_seconds: 86400
          maximum_retry_attempts: 185
      tags:
        owner: platform
resources:
  description:
    - What AWS decides about each rule, by its name - C(arn), C(state), and C(managed_by) where a service made it.
  returned: success
  type: dict
  sample:
    gitops-failed:
      arn: arn:aws:events:eu-central-1:123456789012:rule/gitops-failed
      state: ENABLED
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
    events:ListRules: 2
    events:ListTagsForResource: 1
    events:ListTargetsByRule: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run_info
from ansible_collections.gitops.aws.plugins.module_utils._kinds.eventbridge_rule import OPTIONS, EventbridgeRule


def main() -> None:
    run_info(EventbridgeRule, "rules", OPTIONS, {"name_prefix": {"type": "str"}})


if __name__ == "__main__":
    main()
