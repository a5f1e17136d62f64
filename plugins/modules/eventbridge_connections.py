#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: eventbridge_connections
short_description: Manage EventBridge connections, which hold the secrets for calls of HTTP endpoints
version_added: "0.1.0"
description:
  - Creates, changes and deletes connections of Amazon EventBridge, any number of them in one task.
  - A connection says how EventBridge authorises itself where it calls an HTTP endpoint, an API destination. Its secrets
    are in AWS Secrets Manager, in a secret that EventBridge owns.
  - AWS tells the secrets of a connection to nobody, so that they are not compared. They are written when the connection
    is new, when something else of its authorisation changes, or with O(update_secrets=true).
  - AWS has no tags for connections. What is yours is known by its name.
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
          - The name, of at most 64 letters, digits, and C(.), C(-) and C(_).
        type: str
        required: true
      description:
        description:
          - What the connection is for. Unset leaves it alone; an empty text removes it.
        type: str
      authorization_type:
        description:
          - How EventBridge authorises itself. It follows from which of O(connections[].api_key),
            O(connections[].basic) and O(connections[].oauth) is given. Unset leaves it alone.
        type: str
        choices: [API_KEY, BASIC, OAUTH_CLIENT_CREDENTIALS]
      api_key:
        description:
          - A header with a secret value. Unset leaves it alone; a new connection needs it, or
            O(connections[].basic), or O(connections[].oauth).
        type: dict
        suboptions:
          name:
            description:
              - The name of the header, such as V(Authorization).
            type: str
            required: true
          value:
            description:
              - Its value, without colons. A connection that has one keeps it when this is unset.
              - The module never returns it. In its place stands V((hidden\)), which, given back, means the value as it
                is.
            type: str
      basic:
        description:
          - A user name and a password (basic authentication). Unset leaves it alone.
        type: dict
        suboptions:
          username:
            description:
              - The user name.
            type: str
            required: true
          password:
            description:
              - The password. As O(connections[].api_key.value), it is not returned.
            type: str
      oauth:
        description:
          - The credentials with which EventBridge gets tokens (OAuth 2.0, client credentials). Unset leaves it alone.
        type: dict
        suboptions:
          client_id:
            description:
              - The client's id.
            type: str
            required: true
          client_secret:
            description:
              - The client's secret. As O(connections[].api_key.value), it is not returned.
            type: str
          authorization_endpoint:
            description:
              - The URL that gives the tokens. It begins with V(https://).
            type: str
            required: true
          http_method:
            description:
              - How it is called.
            type: str
            choices: [GET, POST, PUT]
            required: true
          http_parameters:
            description:
              - What is added to its calls. Unset leaves it alone; V({}) removes it.
            type: dict
            suboptions: &parameters
              header_parameters:
                description:
                  - Exactly the headers that are added. Unset leaves them alone; V([]) removes them.
                type: list
                elements: dict
                suboptions: &parameter
                  key:
                    description:
                      - The name.
                    type: str
                    required: true
                  value:
                    description:
                      - The value. Where it is secret, V((hidden\)) stands in its place in results.
                    type: str
                    required: true
                  is_value_secret:
                    description:
                      - Whether the value is a secret, which is kept as the others are, and not compared.
                    type: bool
                    default: true
              query_string_parameters:
                description:
                  - Exactly the parameters that are added to the URL. Unset leaves them alone; V([]) removes them.
                type: list
                elements: dict
                suboptions: *parameter
              body_parameters:
                description:
                  - Exactly the fields that are added to a body that is a JSON object. Unset leaves them alone; V([])
                    removes them.
                type: list
                elements: dict
                suboptions: *parameter
      invocation_http_parameters:
        description:
          - What is added to every call. Unset leaves it alone; V({}) removes it.
        type: dict
        suboptions: *parameters
  update_secrets:
    description:
      - Whether the secrets that are given are written to connections that exist. AWS does not tell whether they are
        others than those it has, so that this changes something in every run.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.bulk.untagged
  - gitops.aws.attributes
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
notes:
  - AWS takes the authorisation of a connection as a whole. Where a part of it changes, all of its secrets must be
    given; without one the task fails before it writes, and says which.
  - The caller needs the rights on the connection's secret as well, C(secretsmanager:CreateSecret),
    C(secretsmanager:UpdateSecret), C(secretsmanager:PutSecretValue), C(secretsmanager:GetSecretValue) and
    C(secretsmanager:DeleteSecret) on C(arn:aws:secretsmanager:*:*:secret:events!connection/*).
  - The first connection of an account makes the service-linked role
    C(AWSServiceRoleForAmazonEventBridgeApiDestinations).
  - EventBridge withdraws the authorisation of a connection whose secret an endpoint refuses. C(state) is
    V(DEAUTHORIZED) then, until the secret is written again.
  - Delete the API destinations that use a connection first.
  - How a connection reaches a private endpoint is no option here. It is lost where the authorisation changes.
seealso:
  - module: gitops.aws.eventbridge_api_destinations
  - module: gitops.aws.eventbridge_rules
"""

EXAMPLES = r"""
- name: Keep the token of a Slack app
  gitops.aws.eventbridge_connections:
    region: eu-central-1
    connections:
      - name: gitops-ops
        description: Slack, channel ops
        api_key:
          name: Authorization
          value: "Bearer {{ slack_token }}"
        invocation_http_parameters:
          header_parameters:
            - key: Content-Type
              value: application/json; charset=utf-8
              is_value_secret: false

- name: Write another token
  gitops.aws.eventbridge_connections:
    region: eu-central-1
    update_secrets: true
    connections:
      - name: gitops-ops
        api_key:
          name: Authorization
          value: "Bearer {{ slack_token }}"

- name: A secret parameter of the URL
  gitops.aws.eventbridge_connections:
    region: eu-central-1
    connections:
      - name: gitops-teams
        api_key:
          name: X-Estate
          value: gitops
        invocation_http_parameters:
          query_string_parameters:
            - key: sig
              value: "{{ workflow_signature }}"

- name: A user name and a password
  gitops.aws.eventbridge_connections:
    region: eu-central-1
    connections:
      - name: gitops-desk
        basic:
          username: gitops
          password: "{{ desk_password }}"

- name: Delete them
  gitops.aws.eventbridge_connections:
    region: eu-central-1
    state: absent
    connections:
      - name: gitops-ops
      - name: gitops-teams
      - name: gitops-desk
"""

RETURN = r"""
connections:
  description:
    - The settings of each connection that exists after the run, fit to be given to O(connections) again.
    - Of a connection of which only the name was given there is no more than its name and C(authorization_type).
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-ops
      description: Slack, channel ops
      authorization_type: API_KEY
      api_key:
        name: Authorization
        value: (hidden)
      invocation_http_parameters:
        header_parameters:
          - key: Content-Type
            value: application/json; charset=utf-8
            is_value_secret: false
resources:
  description:
    - What became of each connection, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) and C(state) are AWS's. In check mode, account and id in the ARN of a new connection are placeholders.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-ops:
      action: created
      arn: arn:aws:events:eu-central-1:123456789012:connection/gitops-ops/11111111-2222-3333-4444-555555555555
      state: AUTHORIZED
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    events:CreateConnection: 1
    events:ListConnections: 1
diff:
  description: For each connection that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: EventBridge connection gitops-ops
      after_header: EventBridge connection gitops-ops
      before:
        api_key: (hidden) before
      after:
        api_key: (hidden) after
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.eventbridge_connection import (
    MORE,
    OPTIONS,
    EventbridgeConnection,
)


def main() -> None:
    run(EventbridgeConnection, "connections", OPTIONS, MORE)


if __name__ == "__main__":
    main()
