#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codepipeline_approval
short_description: Approve or reject an execution of a pipeline
version_added: "0.1.0"
description:
  - Answers an approval that an execution waits for, in pipelines of every execution mode.
  - Refuses when another execution waits there than the one that was meant, or when it is not said which of several
    approvals is meant, so that nobody approves what they have not seen.
  - When the approval was answered already, by whomever, there is no change if the answer was the same, and a failure if
    it was the other one. Only an approval that is asked again, for its stage was retried, is answered again.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  pipeline:
    description: Name of the pipeline.
    type: str
    required: true
  execution_id:
    description: The execution that is meant, as RV(gitops.aws.codepipeline_execution#module:execution.id) gives it.
    type: str
    required: true
  stage:
    description:
      - The stage of the approval. Needed where several stages of the pipeline have one, whichever of them waits.
    type: str
  action:
    description:
      - The action of the approval. Needed where its stage has several.
    type: str
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
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
attributes:
  check_mode:
    support: full
    description: Says what would be answered, and answers nothing.
  diff_mode:
    support: none
    description: There is nothing to compare.
  idempotent:
    support: full
    description:
      - A second run with the same options finds its own answer and reports no change. It never answers another
        approval.
seealso:
  - module: gitops.aws.codepipeline_execution
"""

EXAMPLES = r"""
- name: Approve what was read before
  gitops.aws.codepipeline_approval:
    region: eu-central-1
    pipeline: gitops-network
    execution_id: "{{ run.execution.id }}"
    decision: approved
    summary: Reviewed in change 4711

- name: Reject one of several
  gitops.aws.codepipeline_approval:
    region: eu-central-1
    pipeline: website
    execution_id: "{{ run.execution.id }}"
    stage: Production
    action: Legal
    decision: rejected
    summary: The imprint is missing
"""

RETURN = r"""
stage:
  description: The stage of the approval.
  returned: success
  type: str
  sample: Approve
action:
  description: The action of the approval.
  returned: success
  type: str
  sample: Approve
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codepipeline:GetPipeline: 1
    codepipeline:GetPipelineState: 1
    codepipeline:ListActionExecutions: 1
    codepipeline:PutApprovalResult: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._approvals import ARGUMENTS, act, problems
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(ARGUMENTS, act, lambda params: f"pipeline {params['pipeline']}", problems)


if __name__ == "__main__":
    main()
