#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codepipelines
short_description: Manage CodePipeline pipelines of both types
version_added: "0.1.0"
description:
  - Creates, changes and deletes pipelines of AWS CodePipeline, of types V1 and V2, any number of them in one task.
  - A dictionary that is given changes only the settings that are in it. Lists, such as C(stages), are taken as they are
    given.
  - A pipeline that is created starts its first execution by itself; that is how AWS does it.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  pipelines:
    description:
      - The pipelines, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, 1 to 100 of the characters a-z, A-Z, 0-9, full stop, at, hyphen and underscore.
        type: str
        required: true
      role_arn:
        description:
          - The ARN of the IAM role that the pipeline acts as. It is needed to create a pipeline; unset leaves it alone.
          - When the role was made a moment ago, the module repeats the call until CodePipeline can assume it, at most
            for two minutes.
        type: str
      artifact_store:
        description:
          - The bucket for what actions hand to each other. A pipeline needs it or C(artifact_stores), and cannot have
            both.
          - Unset leaves it alone; V({}) removes it, which is needed to go over to C(artifact_stores).
        type: dict
        suboptions:
          type:
            description:
              - The kind of store. Unset means V(S3).
            type: str
            choices: [S3]
          location:
            description:
              - The bucket's name.
            type: str
          encryption_key:
            description:
              - The KMS key that artifacts are encrypted with. Unset leaves it alone; V({}) goes back to
                V(alias/aws/s3).
            type: dict
            suboptions:
              id:
                description:
                  - The key's ARN, id or alias. For actions in another account it must be the ARN.
                type: str
              type:
                description:
                  - The kind of key. Unset means V(KMS).
                type: str
                choices: [KMS]
      artifact_stores:
        description:
          - For a pipeline with actions in several regions, a store for each - a dictionary by the regions' names of
            dictionaries with C(location) and, optionally, C(type) and C(encryption_key), as in C(artifact_store).
          - Unset leaves them alone; V({}) removes them, which is needed to go over to C(artifact_store).
        type: dict
      stages:
        description:
          - The stages in their order, all of them; two at least. They are needed to create a pipeline; unset leaves
            them alone.
        type: list
        elements: dict
        suboptions:
          name:
            description:
              - The stage's name, unique in the pipeline.
            type: str
            required: true
          blockers:
            description:
              - Kept by AWS for its own use.
            type: list
            elements: dict
            suboptions:
              name:
                description:
                  - The name.
                type: str
                required: true
              type:
                description:
                  - The kind.
                type: str
                choices: [Schedule]
                default: Schedule
          actions:
            description:
              - What the stage does.
            type: list
            elements: dict
            required: true
            suboptions:
              name:
                description:
                  - The action's name, unique in the stage.
                type: str
                required: true
              action_type_id:
                description:
                  - What the action is.
                type: dict
                required: true
                suboptions:
                  category:
                    description:
                      - What it does.
                    type: str
                    required: true
                    choices: [Source, Build, Deploy, Test, Invoke, Approval, Compute]
                  owner:
                    description:
                      - Who made it.
                    type: str
                    choices: [AWS, ThirdParty, Custom]
                    default: AWS
                  provider:
                    description:
                      - Which one it is, such as V(CodeBuild), V(CodeStarSourceConnection) or V(Manual).
                    type: str
                    required: true
                  version:
                    description:
                      - Its version.
                    type: str
                    default: "1"
              run_order:
                description:
                  - Actions of one number run at the same time, those of a higher number after them. Unset means 1.
                type: int
              configuration:
                description:
                  - The settings of the action, by the names that its provider gives them. The names are left as they
                    are.
                  - Values are texts. V(true) and numbers become such; lists and dictionaries, such as those of
                    C(EnvironmentVariables), become JSON.
                  - Values whose names sound like a secret, such as C(OAuthToken), are returned as V((hidden\)). Given
                    back, that means the value as it is.
                  - AWS does not tell an C(OAuthToken), so that the module cannot see whether another one is wanted. A
                    new one is written with the next other change of the stages.
                type: dict
              commands:
                description:
                  - The shell commands of a V(Compute) action.
                type: list
                elements: str
              output_artifacts:
                description:
                  - What the action hands on.
                type: list
                elements: dict
                suboptions:
                  name:
                    description:
                      - The artifact's name, unique in the pipeline.
                    type: str
                    required: true
                  files:
                    description:
                      - The files that belong to it, for V(Compute) actions.
                    type: list
                    elements: str
              input_artifacts: &input_artifacts
                description:
                  - What the action is handed. The first is the primary one.
                type: list
                elements: dict
                suboptions:
                  name:
                    description:
                      - The name of an artifact that an earlier action hands on.
                    type: str
                    required: true
              output_variables:
                description:
                  - The names of environment variables that a V(Compute) action exports.
                type: list
                elements: str
              role_arn:
                description:
                  - The ARN of the IAM role that this action acts as, which the pipeline's role assumes.
                type: str
              region:
                description:
                  - The region that the action runs in. The pipeline's own is the same as unset.
                type: str
              namespace:
                description:
                  - The name under which later actions find this action's variables.
                type: str
              timeout_in_minutes:
                description:
                  - Minutes that the action may take.
                type: int
              environment_variables:
                description:
                  - Variables of a V(Compute) action; the order does not matter.
                type: list
                elements: dict
                suboptions:
                  name:
                    description:
                      - The name.
                    type: str
                    required: true
                  value:
                    description:
                      - The value, or the ARN of the secret that holds it.
                    type: str
                    required: true
                  type:
                    description:
                      - What C(value) is.
                    type: str
                    choices: [PLAINTEXT, SECRETS_MANAGER]
                    default: PLAINTEXT
          on_failure:
            description:
              - What happens when the stage fails. Only for type V2.
            type: dict
            suboptions:
              result:
                description:
                  - V(ROLLBACK) brings the stage back to its last success, V(RETRY) tries once more.
                type: str
                choices: &results [ROLLBACK, FAIL, RETRY, SKIP]
              retry_configuration:
                description:
                  - How V(RETRY) tries.
                type: dict
                suboptions:
                  retry_mode:
                    description:
                      - Which actions run again.
                    type: str
                    choices: [FAILED_ACTIONS, ALL_ACTIONS]
              conditions: &conditions
                description:
                  - What must hold.
                type: list
                elements: dict
                suboptions:
                  result:
                    description:
                      - What happens when it does not.
                    type: str
                    choices: *results
                  rules:
                    description:
                      - The rules of the condition.
                    type: list
                    elements: dict
                    suboptions:
                      name:
                        description:
                          - The rule's name.
                        type: str
                        required: true
                      rule_type_id:
                        description:
                          - What the rule is.
                        type: dict
                        required: true
                        suboptions:
                          category:
                            description:
                              - Always V(Rule).
                            type: str
                            choices: [Rule]
                            default: Rule
                          owner:
                            description:
                              - Who made it.
                            type: str
                            choices: [AWS]
                            default: AWS
                          provider:
                            description:
                              - Which one it is, such as V(DeploymentWindow) or V(CloudWatchAlarm).
                            type: str
                            required: true
                          version:
                            description:
                              - Its version.
                            type: str
                            default: "1"
                      configuration:
                        description:
                          - The settings of the rule, by the names that its provider gives them.
                        type: dict
                      commands:
                        description:
                          - The shell commands of a V(Commands) rule.
                        type: list
                        elements: str
                      input_artifacts: *input_artifacts
                      role_arn:
                        description:
                          - The ARN of the IAM role that the rule acts as.
                        type: str
                      region:
                        description:
                          - The region that the rule runs in.
                        type: str
                      timeout_in_minutes:
                        description:
                          - Minutes that the rule may take.
                        type: int
          on_success:
            description:
              - What must hold after the stage has succeeded. Only for type V2.
            type: dict
            suboptions:
              conditions: *conditions
          before_entry:
            description:
              - What must hold before the stage begins. Only for type V2.
            type: dict
            suboptions:
              conditions: *conditions
      execution_mode:
        description:
          - What happens when an execution begins while another runs. With V(QUEUED) it waits, with V(SUPERSEDED) it
            overtakes one that waits, with V(PARALLEL) both run.
          - Unset leaves it alone. AWS's default is V(SUPERSEDED); the others need type V2.
        type: str
        choices: [QUEUED, SUPERSEDED, PARALLEL]
      pipeline_type:
        description:
          - The type. Unset leaves it alone; AWS's default is V(V1).
        type: str
        choices: [V1, V2]
      variables:
        description:
          - The variables that an execution can be started with. Only for type V2.
          - Unset leaves them alone; V([]) removes them.
        type: list
        elements: dict
        suboptions:
          name:
            description:
              - The name.
            type: str
            required: true
          default_value:
            description:
              - The value when an execution does not give one. Without it every execution must.
            type: str
          description:
            description:
              - What it is for.
            type: str
      triggers:
        description:
          - What starts an execution, for sources that come through a connection. Only for type V2.
          - Unset leaves them alone; V([]) removes them. Without any, every push to the source's branch starts one,
            unless C(DetectChanges) is V(false) in the source action's C(configuration).
        type: list
        elements: dict
        suboptions:
          provider_type:
            description:
              - The kind of source.
            type: str
            choices: [CodeStarSourceConnection]
            default: CodeStarSourceConnection
          git_configuration:
            description:
              - What happens in the repository.
            type: dict
            required: true
            suboptions:
              source_action_name:
                description:
                  - The name of the source action that is meant.
                type: str
                required: true
              push:
                description:
                  - Pushes that start an execution. Any entry is enough; all filters of an entry must match.
                type: list
                elements: dict
                suboptions:
                  tags: &patterns
                    description:
                      - Glob patterns. The order does not matter.
                    type: dict
                    suboptions:
                      includes:
                        description:
                          - One of these must match.
                        type: list
                        elements: str
                      excludes:
                        description:
                          - None of these may match; they go before C(includes).
                        type: list
                        elements: str
                  branches: *patterns
                  file_paths: *patterns
              pull_request:
                description:
                  - Pull requests that start an execution. Any entry is enough; all filters of an entry must match.
                type: list
                elements: dict
                suboptions:
                  events:
                    description:
                      - What happens to the pull request; the order does not matter. Unset means all of them.
                    type: list
                    elements: str
                    choices: [OPEN, UPDATED, CLOSED]
                  branches: *patterns
                  file_paths: *patterns
      tags:
        description:
          - Tags as a dictionary. Unset leaves them alone; V({}) removes all, unless O(purge_tags=false).
        type: dict
        aliases: [resource_tags]
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.bulk
  - gitops.aws.attributes
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
seealso:
  - module: gitops.aws.codebuild_projects
  - module: gitops.aws.codeconnections
"""

EXAMPLES = r"""
- name: A pipeline that plans, asks and applies
  gitops.aws.codepipelines:
    region: eu-central-1
    pipelines:
      - name: gitops-network
        pipeline_type: V2
        execution_mode: QUEUED
        role_arn: arn:aws:iam::123456789012:role/gitops-network-pipeline
        artifact_store:
          location: acme-pipeline-artifacts
          encryption_key:
            id: arn:aws:kms:eu-central-1:123456789012:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55
        stages:
          - name: Source
            actions:
              - name: Source
                action_type_id:
                  category: Source
                  provider: CodeStarSourceConnection
                configuration:
                  ConnectionArn: arn:aws:codeconnections:eu-central-1:123456789012:connection/4dfa8f62
                  FullRepositoryId: acme/infrastructure
                  BranchName: main
                output_artifacts:
                  - name: source
          - name: Plan
            actions:
              - name: Plan
                namespace: Plan
                action_type_id:
                  category: Build
                  provider: CodeBuild
                configuration:
                  ProjectName: gitops-network-plan
                input_artifacts:
                  - name: source
                output_artifacts:
                  - name: plan
          - name: Approve
            actions:
              - name: Approve
                action_type_id:
                  category: Approval
                  provider: Manual
                configuration:
                  CustomData: "#{Plan.SUMMARY}"
          - name: Apply
            actions:
              - name: Apply
                action_type_id:
                  category: Build
                  provider: CodeBuild
                configuration:
                  ProjectName: gitops-network-apply
                  PrimarySource: source
                input_artifacts:
                  - name: source
                  - name: plan
        triggers:
          - git_configuration:
              source_action_name: Source
              push:
                - branches:
                    includes: [main]
                  file_paths:
                    includes: [network/**]
        tags:
          stack: network

- name: Start it for every push again, and leave the rest as it is
  gitops.aws.codepipelines:
    region: eu-central-1
    pipelines:
      - name: gitops-network
        triggers: []

- name: Delete it
  gitops.aws.codepipelines:
    region: eu-central-1
    state: absent
    pipelines:
      - name: gitops-network
"""

RETURN = r"""
pipelines:
  description:
    - The settings of each pipeline that exists after the run, fit to be given to O(pipelines) again.
    - C(tags) are in it when they were given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-network
      pipeline_type: V2
      execution_mode: QUEUED
      role_arn: arn:aws:iam::123456789012:role/gitops-network-pipeline
      artifact_store:
        type: S3
        location: acme-pipeline-artifacts
      stages:
        - name: Source
          actions:
            - name: Source
              run_order: 1
              action_type_id:
                category: Source
                owner: AWS
                provider: CodeStarSourceConnection
                version: "1"
resources:
  description:
    - What became of each pipeline, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is the pipeline's ARN, C(version) the number of its definition, which goes up with each change.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-network:
      action: updated
      arn: arn:aws:codepipeline:eu-central-1:123456789012:gitops-network
      version: 2
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codepipeline:GetPipeline: 1
    codepipeline:UpdatePipeline: 1
diff:
  description: For each pipeline that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: pipeline gitops-network
      after_header: pipeline gitops-network
      before:
        execution_mode: SUPERSEDED
      after:
        execution_mode: QUEUED
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codepipeline import OPTIONS, Codepipeline


def main() -> None:
    run(Codepipeline, "pipelines", OPTIONS)


if __name__ == "__main__":
    main()
