#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: eventbridge_api_destinations
short_description: Manage EventBridge API destinations, the HTTP endpoints that rules call
version_added: "0.1.0"
description:
  - Creates, changes and deletes API destinations of Amazon EventBridge, any number of them in one task.
  - An API destination is the target of a rule. EventBridge calls its URL with the secrets of its connection.
  - AWS has no tags for API destinations. What is yours is known by its name.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  api_destinations:
    description:
      - The API destinations, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, of at most 64 letters, digits, and C(.), C(-) and C(_).
        type: str
        required: true
      description:
        description:
          - What the destination is for. Unset leaves it alone; an empty text removes it.
        type: str
      connection:
        description:
          - The connection with the secrets, by its name or its ARN. A name is that of a connection in the same region.
          - Unset leaves it alone; a new destination needs it.
        type: str
      invocation_endpoint:
        description:
          - The URL that is called. It begins with V(https://), and may hold C(*) for what a rule's target fills in.
          - Unset leaves it alone; a new destination needs it.
        type: str
      http_method:
        description:
          - How it is called. Unset leaves it alone; a new destination has V(POST).
        type: str
        choices: [DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT]
      invocation_rate_limit_per_second:
        description:
          - How many calls EventBridge makes in a second at most. Unset leaves it alone; a new destination has V(300).
        type: int
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.bulk.untagged
  - gitops.aws.attributes
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
seealso:
  - module: gitops.aws.eventbridge_connections
  - module: gitops.aws.eventbridge_rules
"""

EXAMPLES = r"""
- name: Let rules write to a Slack channel
  gitops.aws.eventbridge_api_destinations:
    region: eu-central-1
    api_destinations:
      - name: gitops-ops
        description: Slack, channel ops
        connection: gitops-ops
        invocation_endpoint: https://slack.com/api/chat.postMessage
        invocation_rate_limit_per_second: 1

- name: Delete it
  gitops.aws.eventbridge_api_destinations:
    region: eu-central-1
    state: absent
    api_destinations:
      - name: gitops-ops
"""

RETURN = r"""
api_destinations:
  description:
    - The settings of each API destination that exists after the run, fit to be given to O(api_destinations) again.
    - Its connection is there by its ARN, and its description only if one was given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-ops
      description: Slack, channel ops
      connection: arn:aws:events:eu-central-1:123456789012:connection/gitops-ops/11111111-2222-3333-4444-555555555555
      invocation_endpoint: https://slack.com/api/chat.postMessage
      http_method: POST
      invocation_rate_limit_per_second: 1
resources:
  description:
    - What became of each API destination, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) and C(state) are AWS's. In check mode, account and id in the ARN of a new destination are placeholders.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-ops:
      action: created
      arn: arn:aws:events:eu-central-1:123456789012:api-destination/gitops-ops/66666666-7777-8888-9999-000000000000
      state: ACTIVE
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    events:CreateApiDestination: 1
    events:ListApiDestinations: 1
    events:ListConnections: 1
diff:
  description: For each API destination that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: API destination gitops-ops
      after_header: API destination gitops-ops
      before:
        invocation_rate_limit_per_second: 300
      after:
        invocation_rate_limit_per_second: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.eventbridge_api_destination import (
    OPTIONS,
    EventbridgeApiDestination,
)


def main() -> None:
    run(EventbridgeApiDestination, "api_destinations", OPTIONS)


if __name__ == "__main__":
    main()
