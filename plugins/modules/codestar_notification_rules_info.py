#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codestar_notification_rules_info
short_description: Read notification rules of AWS's developer tools
version_added: "0.1.0"
description:
  - Reads notification rules of AWS CodeStar Notifications, those that are named, those whose names begin alike, or all
    of them.
  - What it returns can be given to M(gitops.aws.codestar_notification_rules), which then changes nothing.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  name_prefix:
    description:
      - Without O(names), only rules whose names begin with this are returned.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.info
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
notes:
  - All rules of the account and region are read, for AWS tells the name of a rule only where it describes it.
seealso:
  - module: gitops.aws.codestar_notification_rules
"""

EXAMPLES = r"""
- name: Read the notification rules of an estate
  gitops.aws.codestar_notification_rules_info:
    region: eu-central-1
    name_prefix: gitops-
  register: found

- name: Show whom they tell
  ansible.builtin.debug:
    msg: "{{ found.notification_rules | map(attribute='targets') | flatten | map(attribute='target_address') }}"
"""

RETURN = r"""
notification_rules:
  description:
    - The settings of each rule with its tags, in the order of O(names), fit to be given to
      M(gitops.aws.codestar_notification_rules).
  returned: success
  type: list
  elements: dict
  sample:
    - name: gitops-network
      resource: arn:aws:codepipeline:eu-central-1:123456789012:gitops-network
      detail_type: FULL
      event_type_ids: [codepipeline-pipeline-pipeline-execution-failed]
      enabled: true
      targets:
        - target_type: SNS
          target_address: arn:aws:sns:eu-central-1:123456789012:gitops-aws-notices
      tags:
        owner: platform
resources:
  description: What AWS decides about each rule, by its name - C(arn).
  returned: success
  type: dict
  sample:
    gitops-network:
      arn: arn:aws:codestar-notifications:eu-central-1:123456789012:notificationrule/9d7b5c1e0f3a4b6c8d2e1f0a
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
    codestar-notifications:DescribeNotificationRule: 1
    codestar-notifications:ListNotificationRules: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run_info
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codestar_notification_rule import (
    OPTIONS,
    CodestarNotificationRule,
)


def main() -> None:
    run_info(CodestarNotificationRule, "notification_rules", OPTIONS, {"name_prefix": {"type": "str"}})


if __name__ == "__main__":
    main()
