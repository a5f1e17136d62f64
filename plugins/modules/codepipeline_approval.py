#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approves or rejects what an execution of a pipeline waits with; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: codepipeline_approval
short_description: Approve or reject an execution of a pipeline
version_added: "0.1.0"
description:
  - Answers the approval that an execution waits for.
  - Refuses when another execution waits there than the one that was meant, so that nobody approves what they have not
    seen.
options:
  pipeline:
    description: Name of the pipeline.
    type: str
    required: true
  execution_id:
    description: The execution that is meant, as RV(gitops.aws.codepipeline_execution#module:execution.id) gives it.
    type: str
    required: true
  decision:
    description: The answer.
    type: str
    choices: [approved, rejected]
    required: true
  summary:
    description: Why, for the record. At most 512 characters.
    type: str
    default: ""
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Says what would be answered.
  diff_mode:
    support: none
    description: There is nothing to compare.
author:
  - Contributors to gitops.aws (@gitops-aws)
"""

EXAMPLES = r"""
- name: Approve what was read before
  gitops.aws.codepipeline_approval:
    pipeline: gitops-network
    execution_id: "{{ run.execution.id }}"
    decision: approved
    summary: Reviewed in change 4711
"""

RETURN = r"""
stage:
  description: The stage that waited.
  returned: success
  type: str
action:
  description: The action that waited.
  returned: success
  type: str
"""

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports it

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, explain
from ansible_collections.gitops.aws.plugins.module_utils._executions import answer_approval


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "pipeline": {"type": "str", "required": True},
            "execution_id": {"type": "str", "required": True},
            "decision": {"type": "str", "choices": ["approved", "rejected"], "required": True},
            "summary": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    if len(params["summary"]) > 512:
        module.fail_json(msg=f"summary: it has {len(params['summary'])} characters, at most 512 are allowed")
    try:
        answered = answer_approval(
            Aws(module), params["pipeline"], params["execution_id"], params["decision"] == "approved", params["summary"]
        )
    except (ClientError, BotoCoreError, Refused) as error:
        module.fail_json(msg=explain(error, f"pipeline {params['pipeline']}"))
    module.exit_json(changed=True, **answered)


if __name__ == "__main__":
    main()
