#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codepipeline_stage_transition
short_description: Open and close the transitions between stages of pipelines
version_added: "0.1.0"
description:
  - Enables and disables transitions into stages of pipelines of AWS CodePipeline, any number of them in one task. The
    state of each pipeline is read once.
  - Executions stop before a stage whose transition is disabled, and go on when it is enabled again.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  transitions:
    description:
      - The transitions, each with its pipeline and the stage that it leads into.
    type: list
    elements: dict
    required: true
    suboptions:
      pipeline:
        description:
          - Name of the pipeline, which must exist, in check mode, too.
        type: str
        required: true
      stage:
        description:
          - Name of the stage.
        type: str
        required: true
      transition_type:
        description:
          - The transition into the stage. For that out of a stage, name the stage that follows it.
          - AWS's API takes C(Outbound), too, but nothing tells how that stands, so that it could not be compared.
        type: str
        choices: [Inbound]
        default: Inbound
      enabled:
        description:
          - Whether executions may pass.
        type: bool
        required: true
      reason:
        description:
          - Why they may not. At most 300 of the characters a-z, A-Z, 0-9, space and V(! @ ( \) . * ? -).
          - Needed to disable a transition. Unset leaves the reason of one that is disabled already as it is; another
            reason is a change.
        type: str
  concurrency:
    description:
      - How many calls to AWS are in flight at once, from 1 to 100.
    type: int
    default: 10
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
notes:
  - The items of the list are independent of each other. When one fails, the others are carried out all the same. The
    task then fails with one message that names every failed item, and its result holds what became of each.
seealso:
  - module: gitops.aws.codepipelines_info
  - module: gitops.aws.codepipeline_execution
"""

EXAMPLES = r"""
- name: Let nothing into production over the holidays
  gitops.aws.codepipeline_stage_transition:
    region: eu-central-1
    transitions:
      - pipeline: website
        stage: Production
        enabled: false
        reason: Holidays until January 7
      - pipeline: shop
        stage: Production
        enabled: false
        reason: Holidays until January 7

- name: Let it go on
  gitops.aws.codepipeline_stage_transition:
    region: eu-central-1
    transitions:
      - pipeline: website
        stage: Production
        enabled: true
"""

RETURN = r"""
transitions:
  description: Each transition as it is after the run, fit to be given to O(transitions) again.
  returned: always
  type: list
  elements: dict
  sample:
    - pipeline: website
      stage: Production
      transition_type: Inbound
      enabled: false
      reason: Holidays until January 7
resources:
  description:
    - What became of each transition, by V(pipeline/stage).
    - C(action) is V(updated), V(unchanged) or V(failed); in check mode, what it would be.
    - C(waiting) are the ids of the executions that waited there when it was read.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    website/Production:
      action: updated
      waiting: []
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codepipeline:DisableStageTransition: 1
    codepipeline:GetPipelineState: 1
diff:
  description: For each transition that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: transition website/Production
      after_header: transition website/Production
      before:
        enabled: true
        reason:
      after:
        enabled: false
        reason: Holidays until January 7
"""

from ansible_collections.gitops.aws.plugins.module_utils._kinds.stage_transition import run_transitions


def main() -> None:
    run_transitions()


if __name__ == "__main__":
    main()
