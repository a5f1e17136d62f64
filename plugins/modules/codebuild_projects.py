#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codebuild_projects
short_description: Manage CodeBuild build projects
version_added: "0.1.0"
description:
  - Creates, changes and deletes build projects of AWS CodeBuild, any number of them in one task. A hundred projects are
    read with one call.
  - A dictionary that is given changes only the settings that are in it; lists are taken as they are given.
  - An empty dictionary, list or text removes a setting that can be removed.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  projects:
    description:
      - The build projects, each with its name.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The name, 2 to 150 of the characters a-z, A-Z, 0-9, hyphen and underscore.
        type: str
        required: true
      description:
        description:
          - What the project is for. Unset leaves it alone; an empty text removes it.
        type: str
      source:
        description:
          - Where the code comes from, and the buildspec. It is needed to create a project; unset leaves it alone.
          - When the type changes, what the new type has no use for is dropped.
        type: dict
        suboptions: &source
          type:
            description:
              - V(CODEPIPELINE) takes what a pipeline hands over. V(NO_SOURCE) takes nothing and needs a buildspec here.
            type: str
            required: true
            choices:
              - BITBUCKET
              - CODECOMMIT
              - CODEPIPELINE
              - GITHUB
              - GITHUB_ENTERPRISE
              - GITLAB
              - GITLAB_SELF_MANAGED
              - NO_SOURCE
              - S3
          location:
            description:
              - The repository's URL, or bucket and key of an object, as in V(bucket/path/source.zip).
              - Not for V(CODEPIPELINE) and V(NO_SOURCE).
            type: str
          git_clone_depth:
            description:
              - How many commits are fetched. V(0), AWS's default, fetches all.
            type: int
          git_submodules_config:
            description:
              - What is done about Git submodules.
            type: dict
            suboptions:
              fetch_submodules:
                description:
                  - Whether they are fetched. AWS's default is V(false).
                type: bool
                required: true
          buildspec:
            description:
              - The buildspec itself, or the path of the file in the source that holds it.
              - An empty text means V(buildspec.yml) in the source.
            type: str
          auth:
            description:
              - How CodeBuild proves to the Git host who it is. Unset leaves it alone; V({}) removes it.
            type: dict
            suboptions:
              type:
                description:
                  - What is used. It is needed where nothing was set before.
                type: str
                choices: [OAUTH, CODECONNECTIONS, SECRETS_MANAGER]
              resource:
                description:
                  - The ARN of the connection or the secret.
                type: str
          report_build_status:
            description:
              - Whether the Git host is told how builds end. AWS's default is V(false).
            type: bool
          build_status_config:
            description:
              - What the Git host is told.
            type: dict
            suboptions:
              context:
                description:
                  - The name of the check at the Git host.
                type: str
              target_url:
                description:
                  - The link that the check gets.
                type: str
          insecure_ssl:
            description:
              - Whether the certificate of the Git host goes unchecked. AWS's default is V(false).
            type: bool
          source_identifier:
            description:
              - What a secondary source is known by in the build. Needed for those, and not allowed for the primary one.
            type: str
      secondary_sources:
        description:
          - Further sources, up to 12; the order does not matter. Unset leaves them alone; V([]) removes them.
        type: list
        elements: dict
        suboptions: *source
      source_version:
        description:
          - The branch, tag or commit that is built when a build does not say it, or the version of the S3 object.
          - Unset leaves it alone; an empty text removes it.
        type: str
      secondary_source_versions:
        description:
          - The same for secondary sources. Unset leaves them alone; V([]) removes them.
        type: list
        elements: dict
        suboptions:
          source_identifier:
            description:
              - Which secondary source is meant.
            type: str
            required: true
          source_version:
            description:
              - The branch, tag, commit or version.
            type: str
            required: true
      artifacts:
        description:
          - Where the build's output goes. It is needed to create a project; unset leaves it alone.
        type: dict
        suboptions: &artifacts
          type:
            description:
              - V(CODEPIPELINE) hands the output to the pipeline, and goes with that source type only.
            type: str
            required: true
            choices: [CODEPIPELINE, S3, NO_ARTIFACTS]
          location:
            description:
              - The bucket's name, for V(S3).
            type: str
          path:
            description:
              - The prefix in the bucket, for V(S3).
            type: str
          namespace_type:
            description:
              - With V(BUILD_ID) the build's id is part of the key, for V(S3). AWS's default is V(NONE).
            type: str
            choices: [NONE, BUILD_ID]
          name:
            description:
              - The object's name, for V(S3). Unset means the project's name.
            type: str
          packaging:
            description:
              - With V(ZIP) the output is one archive, for V(S3). AWS's default is V(NONE).
            type: str
            choices: [NONE, ZIP]
          override_artifact_name:
            description:
              - Whether a name in the buildspec goes before C(name). AWS's default is V(false).
            type: bool
          encryption_disabled:
            description:
              - Whether the output is not encrypted, for V(S3). AWS's default is V(false).
            type: bool
          artifact_identifier:
            description:
              - What secondary artifacts are known by in the buildspec. Needed for those.
            type: str
          bucket_owner_access:
            description:
              - What the owner of a bucket in another account may do with the output.
            type: str
            choices: [NONE, READ_ONLY, FULL]
      secondary_artifacts:
        description:
          - Further outputs, up to 12; the order does not matter. Unset leaves them alone; V([]) removes them.
        type: list
        elements: dict
        suboptions: *artifacts
      cache:
        description:
          - What builds keep for the next one. Unset leaves it alone; a new project keeps nothing.
        type: dict
        suboptions:
          type:
            description:
              - V(S3) keeps files in a bucket, V(LOCAL) on the build host. V(NO_CACHE) keeps nothing.
            type: str
            required: true
            choices: [NO_CACHE, S3, LOCAL]
          location:
            description:
              - Bucket and prefix, for V(S3).
            type: str
          modes:
            description:
              - What is kept, for V(LOCAL); the order does not matter.
            type: list
            elements: str
            choices: [LOCAL_DOCKER_LAYER_CACHE, LOCAL_SOURCE_CACHE, LOCAL_CUSTOM_CACHE]
          cache_namespace:
            description:
              - What projects that share a cache have in common, for V(S3).
            type: str
      environment:
        description:
          - What builds run in. It is needed to create a project; unset leaves it alone.
        type: dict
        suboptions:
          type:
            description:
              - The kind of host. It is needed to create a project.
            type: str
            choices:
              - ARM_CONTAINER
              - ARM_EC2
              - ARM_LAMBDA_CONTAINER
              - LINUX_CONTAINER
              - LINUX_EC2
              - LINUX_GPU_CONTAINER
              - LINUX_LAMBDA_CONTAINER
              - MAC_ARM
              - WINDOWS_CONTAINER
              - WINDOWS_EC2
              - WINDOWS_SERVER_2019_CONTAINER
              - WINDOWS_SERVER_2022_CONTAINER
          image:
            description:
              - The image, of Docker's, of a registry's or of CodeBuild's own. It is needed to create a project.
            type: str
          compute_type:
            description:
              - The size of the host. It is needed to create a project.
            type: str
            choices: &compute_types
              - BUILD_GENERAL1_SMALL
              - BUILD_GENERAL1_MEDIUM
              - BUILD_GENERAL1_LARGE
              - BUILD_GENERAL1_XLARGE
              - BUILD_GENERAL1_2XLARGE
              - BUILD_LAMBDA_1GB
              - BUILD_LAMBDA_2GB
              - BUILD_LAMBDA_4GB
              - BUILD_LAMBDA_8GB
              - BUILD_LAMBDA_10GB
              - ATTRIBUTE_BASED_COMPUTE
              - CUSTOM_INSTANCE_TYPE
          compute_configuration:
            description:
              - What a host of a reserved fleet must have. Unset leaves it alone; V({}) removes it.
            type: dict
            suboptions:
              v_cpu:
                description:
                  - Virtual CPUs.
                type: int
              memory:
                description:
                  - Memory in GiB.
                type: int
              disk:
                description:
                  - Disk space in GiB.
                type: int
              machine_type:
                description:
                  - The kind of machine.
                type: str
                choices: [GENERAL, NVME]
              instance_type:
                description:
                  - The EC2 instance type.
                type: str
          fleet:
            description:
              - The reserved fleet that builds run on. Unset leaves it alone; V({}) removes it.
            type: dict
            suboptions:
              fleet_arn:
                description:
                  - Its ARN.
                type: str
          environment_variables:
            description:
              - The variables of builds, all of them; the order does not matter.
              - Unset leaves them alone; V([]) removes them.
              - Values stand in the project for everybody who can read it. What is secret belongs in a parameter or
                secret.
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
                  - The value, or the name of the parameter or secret that holds it.
                  - Where the name of a V(PLAINTEXT) variable sounds like a secret, the module returns V((hidden\)).
                    Given back, it means the value as it is.
                type: str
                required: true
              type:
                description:
                  - What C(value) is.
                type: str
                choices: [PLAINTEXT, PARAMETER_STORE, SECRETS_MANAGER]
                default: PLAINTEXT
          privileged_mode:
            description:
              - Whether builds may run a Docker daemon. AWS's default is V(false).
            type: bool
          certificate:
            description:
              - Bucket and key of a PEM certificate for a Git host with one of its own.
            type: str
          registry_credential:
            description:
              - How the image is pulled from a private registry. Unset leaves it alone; V({}) removes it.
            type: dict
            suboptions:
              credential:
                description:
                  - The ARN or name of the secret. It is needed where nothing was set before.
                type: str
              credential_provider:
                description:
                  - Where the secret is. Unset means V(SECRETS_MANAGER).
                type: str
                choices: [SECRETS_MANAGER]
          image_pull_credentials_type:
            description:
              - Whose credentials pull the image. AWS's default is V(CODEBUILD); a private image needs V(SERVICE_ROLE).
            type: str
            choices: [CODEBUILD, SERVICE_ROLE]
          docker_server:
            description:
              - A Docker server that the project's builds share. Unset leaves it alone; V({}) removes it.
            type: dict
            suboptions:
              compute_type:
                description:
                  - Its size. It is needed where nothing was set before.
                type: str
                choices: *compute_types
              security_group_ids:
                description:
                  - Its security groups.
                type: list
                elements: str
          host_kernel:
            description:
              - The Linux kernel of the host.
            type: str
            choices: [LINUX_KERNEL_4, LINUX_KERNEL_6, LINUX_KERNEL_LATEST]
      service_role:
        description:
          - The ARN of the IAM role that builds act as. It is needed to create a project; unset leaves it alone.
          - When the role was made a moment ago, the module repeats the call until CodeBuild can assume it, at most for
            two minutes.
        type: str
      timeout_in_minutes:
        description:
          - Minutes, from 5 to 2160, after which a running build is stopped. AWS's default is 60.
        type: int
      queued_timeout_in_minutes:
        description:
          - Minutes, from 5 to 480, after which a waiting build is given up. AWS's default is 480.
        type: int
      encryption_key:
        description:
          - The ARN or alias of the KMS key for the build's output. AWS's default is V(alias/aws/s3).
          - Unset leaves it alone; an empty text goes back to the default.
        type: str
      vpc_config:
        description:
          - The VPC that builds run in. Unset leaves it alone; V({}) takes builds out of the VPC.
        type: dict
        suboptions:
          vpc_id:
            description:
              - The VPC's id.
            type: str
          subnets:
            description:
              - The subnets' ids; the order does not matter.
            type: list
            elements: str
          security_group_ids:
            description:
              - The security groups' ids; the order does not matter.
            type: list
            elements: str
      badge_enabled:
        description:
          - Whether there is a public badge with the result of the last build. AWS's default is V(false).
        type: bool
      logs_config:
        description:
          - Where build logs go. Unset leaves it alone; V({}) goes back to CloudWatch Logs alone.
        type: dict
        suboptions:
          cloud_watch_logs:
            description:
              - CloudWatch Logs.
            type: dict
            suboptions:
              status:
                description:
                  - Whether logs go there. AWS's default is V(ENABLED).
                type: str
                required: true
                choices: [ENABLED, DISABLED]
              group_name:
                description:
                  - The log group. Unset means V(/aws/codebuild/) with the project's name behind it.
                type: str
              stream_name:
                description:
                  - The prefix of the log streams.
                type: str
          s3_logs:
            description:
              - A bucket.
            type: dict
            suboptions:
              status:
                description:
                  - Whether logs go there. AWS's default is V(DISABLED).
                type: str
                required: true
                choices: [ENABLED, DISABLED]
              location:
                description:
                  - Bucket and prefix.
                type: str
              encryption_disabled:
                description:
                  - Whether the logs are not encrypted. AWS's default is V(false).
                type: bool
              bucket_owner_access:
                description:
                  - What the owner of a bucket in another account may do with the logs.
                type: str
                choices: [NONE, READ_ONLY, FULL]
      file_system_locations:
        description:
          - File systems that builds mount; the order does not matter. Unset leaves them alone; V([]) removes them.
        type: list
        elements: dict
        suboptions:
          type:
            description:
              - The kind of file system.
            type: str
            choices: [EFS]
            default: EFS
          location:
            description:
              - The file system's DNS name and the directory in it, with a colon between them.
            type: str
          mount_point:
            description:
              - Where it is mounted.
            type: str
          identifier:
            description:
              - The name by which builds know it. CODEBUILD_ and this name in capitals is the variable with its path.
            type: str
          mount_options:
            description:
              - The options of the mount.
            type: str
      build_batch_config:
        description:
          - What batch builds need. Unset leaves it alone; V({}) removes it.
        type: dict
        suboptions:
          service_role:
            description:
              - The ARN of the IAM role that starts and stops the batch's builds.
            type: str
          combine_artifacts:
            description:
              - Whether the builds' outputs are put together in one place.
            type: bool
          restrictions:
            description:
              - What a batch may do.
            type: dict
            suboptions:
              maximum_builds_allowed:
                description:
                  - How many builds a batch may have.
                type: int
              compute_types_allowed:
                description:
                  - The sizes of host that its builds may use; the order does not matter.
                type: list
                elements: str
              fleets_allowed:
                description:
                  - The fleets that its builds may use; the order does not matter.
                type: list
                elements: str
          timeout_in_mins:
            description:
              - Minutes, from 5 to 2160, in which the batch must end.
            type: int
          batch_report_mode:
            description:
              - Whether the Git host is told about each build or about the batch.
            type: str
            choices: [REPORT_INDIVIDUAL_BUILDS, REPORT_AGGREGATED_BATCH]
      concurrent_build_limit:
        description:
          - How many builds of the project may run at once. Unset leaves it alone; V(-1) removes the limit.
        type: int
      auto_retry_limit:
        description:
          - How many times a failed build is started again by itself. AWS's default is 0.
        type: int
      project_visibility:
        description:
          - With V(PUBLIC_READ) everybody on the internet can read the project's build results, logs and artifacts.
          - Unset leaves it alone. AWS's default is V(PRIVATE).
        type: str
        choices: [PUBLIC_READ, PRIVATE]
      resource_access_role:
        description:
          - The ARN of the IAM role with which CodeBuild reads logs and artifacts for readers of a public project.
          - Unset leaves it alone; AWS has no way to take it away.
        type: str
      resource_policy:
        description:
          - The resource policy, which shares the project with other accounts, as a dictionary.
          - Unset leaves it alone, and costs no call; V({}) removes it.
        type: dict
      webhook:
        description:
          - The webhook by which the Git host starts builds. Unset leaves it alone; V({}) removes it.
          - Like every dictionary, it changes only what is in it. With C(build_type) alone it is one without filters,
            which builds every push.
          - Not for projects that a pipeline starts.
        type: dict
        suboptions:
          branch_filter:
            description:
              - A regular expression of the branches that are built. C(filter_groups) can say more, and either takes
                the other's place.
              - Unset leaves it alone; an empty text removes it.
            type: str
          filter_groups:
            description:
              - Events that start a build. One group must match; the order does not matter.
              - Unset leaves them alone; V([]) removes them.
            type: list
            elements: dict
            suboptions:
              filters:
                description:
                  - The filters of the group; all must match, and one must be of type V(EVENT).
                type: list
                elements: dict
                required: true
                suboptions:
                  type:
                    description:
                      - What is looked at.
                    type: str
                    required: true
                    choices:
                      - ACTOR_ACCOUNT_ID
                      - BASE_REF
                      - COMMIT_MESSAGE
                      - EVENT
                      - FILE_PATH
                      - HEAD_REF
                      - ORGANIZATION_NAME
                      - RELEASE_NAME
                      - REPOSITORY_NAME
                      - TAG_NAME
                      - WORKFLOW_NAME
                  pattern:
                    description:
                      - For V(EVENT) the events, separated by commas, such as V(PUSH, PULL_REQUEST_MERGED). For the
                        others a regular expression.
                      - One for V(ACTOR_ACCOUNT_ID) should begin with V(^) and end with V($), or the module warns.
                        Without, it also matches ids that only contain what was meant, and anybody can get such an
                        account.
                    type: str
                    required: true
                  exclude_matched_pattern:
                    description:
                      - Whether what matches does not start a build.
                    type: bool
                    default: false
          build_type:
            description:
              - What is started. AWS's default is V(BUILD).
            type: str
            choices: [BUILD, BUILD_BATCH, RUNNER_BUILDKITE_BUILD]
          manual_creation:
            description:
              - With V(true) CodeBuild does not make the webhook at GitHub. You make it there, with the payload URL that
                the module returns and the secret in C(secret_file). AWS's default is V(false).
              - AWS cannot change it. The webhook is deleted and made anew, with another payload URL and secret.
            type: bool
          secret_file:
            description:
              - The file that the secret is written to when the webhook is made with C(manual_creation), on the host
                where the module runs, readable by its user only. AWS tells the secret this once, and the module returns
                it nowhere else.
            type: path
          scope_configuration:
            description:
              - For the webhook of an organization or a whole Git host instead of one repository.
              - AWS cannot change it. The webhook is deleted and made anew, with another payload URL.
            type: dict
            suboptions:
              name:
                description:
                  - The name of the organization, enterprise or group. It is needed where nothing was set before.
                type: str
              domain:
                description:
                  - The domain of a Git host of your own.
                type: str
              scope:
                description:
                  - What C(name) is. It is needed where nothing was set before.
                type: str
                choices: [GITHUB_ORGANIZATION, GITHUB_GLOBAL, GITLAB_GROUP]
          pull_request_build_policy:
            description:
              - When somebody must allow the build of a pull request with a comment. Unset leaves it alone.
            type: dict
            suboptions:
              requires_comment_approval:
                description:
                  - Which pull requests need it. It is needed where nothing was set before.
                type: str
                choices: [DISABLED, ALL_PULL_REQUESTS, FORK_PULL_REQUESTS]
              approver_roles:
                description:
                  - The roles at the Git host that can allow it, and whose own pull requests do not need it; the order
                    does not matter.
                type: list
                elements: str
                choices:
                  - BITBUCKET_ADMIN
                  - BITBUCKET_READ
                  - BITBUCKET_WRITE
                  - GITHUB_ADMIN
                  - GITHUB_MAINTAIN
                  - GITHUB_READ
                  - GITHUB_TRIAGE
                  - GITHUB_WRITE
                  - GITLAB_DEVELOPER
                  - GITLAB_GUEST
                  - GITLAB_MAINTAINER
                  - GITLAB_OWNER
                  - GITLAB_PLANNER
                  - GITLAB_REPORTER
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
  - module: gitops.aws.codebuild_projects_info
  - module: gitops.aws.codebuild_build
  - module: gitops.aws.codepipelines
  - module: gitops.aws.iam_roles
"""

EXAMPLES = r"""
- name: Build projects that plan and apply one stack
  gitops.aws.codebuild_projects:
    region: eu-central-1
    projects:
      - name: gitops-network-plan
        description: Plans the stack network
        source:
          type: CODEPIPELINE
          buildspec: "{{ lookup('ansible.builtin.file', 'buildspec_plan.yml') }}"
        artifacts:
          type: CODEPIPELINE
        environment: &environment
          type: LINUX_CONTAINER
          compute_type: BUILD_GENERAL1_SMALL
          image: hashicorp/terraform:1.11.4
          environment_variables:
            - name: TF_IN_AUTOMATION
              value: "true"
            - name: AWS_ACCESS_KEY_ID
              value: /gitops/network/AWS_ACCESS_KEY_ID
              type: PARAMETER_STORE
        service_role: arn:aws:iam::123456789012:role/gitops-network-plan
        timeout_in_minutes: 30
        concurrent_build_limit: 1
        logs_config:
          cloud_watch_logs:
            status: ENABLED
            group_name: /aws/codebuild/gitops-network-plan
        tags:
          stack: network
      - name: gitops-network-apply
        source:
          type: CODEPIPELINE
          buildspec: buildspec_apply.yml
        artifacts:
          type: CODEPIPELINE
        environment: *environment
        service_role: arn:aws:iam::123456789012:role/gitops-network-apply
        concurrent_build_limit: 1

- name: A project that GitHub starts, for merged pull requests of one directory
  gitops.aws.codebuild_projects:
    region: eu-central-1
    projects:
      - name: check-modules
        source:
          type: GITHUB
          location: https://github.com/acme/modules.git
          report_build_status: true
        artifacts:
          type: NO_ARTIFACTS
        environment:
          type: LINUX_CONTAINER
          compute_type: BUILD_GENERAL1_SMALL
          image: hashicorp/terraform:1.11.4
        service_role: arn:aws:iam::123456789012:role/check-modules
        webhook:
          filter_groups:
            - filters:
                - type: EVENT
                  pattern: PULL_REQUEST_MERGED
                - type: FILE_PATH
                  pattern: ^modules/

- name: Remove its webhook
  gitops.aws.codebuild_projects:
    region: eu-central-1
    projects:
      - name: check-modules
        webhook: {}

- name: Take a project out of its VPC and off its limit, and leave the rest as it is
  gitops.aws.codebuild_projects:
    region: eu-central-1
    projects:
      - name: gitops-network-plan
        vpc_config: {}
        concurrent_build_limit: -1

- name: Delete both
  gitops.aws.codebuild_projects:
    region: eu-central-1
    state: absent
    projects:
      - name: gitops-network-plan
      - name: gitops-network-apply
"""

RETURN = r"""
projects:
  description:
    - The settings of each build project that exists after the run, fit to be given to O(projects) again.
    - Settings that have AWS's default are not in it. C(resource_policy) is in it when it was given.
  returned: always
  type: list
  elements: dict
  sample:
    - name: gitops-network-plan
      description: Plans the stack network
      source:
        type: CODEPIPELINE
        buildspec: buildspec_plan.yml
      artifacts:
        type: CODEPIPELINE
        name: gitops-network-plan
      environment:
        type: LINUX_CONTAINER
        compute_type: BUILD_GENERAL1_SMALL
        image: hashicorp/terraform:1.11.4
        privileged_mode: false
        image_pull_credentials_type: CODEBUILD
      service_role: arn:aws:iam::123456789012:role/gitops-network-plan
      concurrent_build_limit: 1
      tags:
        stack: network
resources:
  description:
    - What became of each build project, by its name.
    - C(action) is V(created), V(updated), V(deleted), V(unchanged) or V(failed); in check mode, what it would be.
    - C(arn) is the project's ARN. C(webhook_payload_url), where there is a webhook, is what the Git host sends events
      to.
    - C(error) says what went wrong, where C(action) is V(failed).
  returned: always
  type: dict
  sample:
    gitops-network-plan:
      action: updated
      arn: arn:aws:codebuild:eu-central-1:123456789012:project/gitops-network-plan
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codebuild:BatchGetProjects: 1
    codebuild:UpdateProject: 1
diff:
  description: For each build project that changes, its settings before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: build project gitops-network-plan
      after_header: build project gitops-network-plan
      before:
        timeout_in_minutes: null
      after:
        timeout_in_minutes: 30
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codebuild_project import OPTIONS, CodebuildProject


def main() -> None:
    run(CodebuildProject, "projects", OPTIONS)


if __name__ == "__main__":
    main()
