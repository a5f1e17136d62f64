#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codebuild_build
short_description: Start, follow, stop or retry a build of CodeBuild
version_added: "0.1.0"
description:
  - Starts a build of a build project, or follows, stops or retries one. Returns the build with its phases, its exported
    variables and its log lines.
  - When the build fails, the task fails with the phase that failed, CodeBuild's message and the last line of the log
    that looks like an error.
  - While it waits, the log lines are shown as they come. With C(async) or C(no_log) they are not.
  - When a build was started or stopped and then cannot be looked at, the task fails with RV(build) and C(changed=true),
    and the build goes on.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  project:
    description:
      - The name of the build project.
    type: str
    required: true
  state:
    description:
      - V(started) starts a build; with O(build_id) none is started, that one is followed.
      - V(stopped) stops the build O(build_id). One that is over already is no change.
      - V(retried) starts a build like O(build_id), which must be over.
    type: str
    choices: [started, stopped, retried]
    default: started
  build_id:
    description:
      - The build to follow, stop or retry. The last two need it.
      - V(latest) is the newest one of the project. An empty text is refused.
    type: str
  source_version:
    description:
      - The branch, tag or commit to build, or the version of the S3 object. Unset means the project's.
    type: str
  overrides:
    description:
      - What the build has otherwise than its project. The project stays as it is.
    type: dict
    suboptions:
      artifacts:
        description:
          - Where the build's output goes.
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
      auto_retry_limit:
        description:
          - How many times CodeBuild starts the build again by itself when it fails.
        type: int
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
      buildspec:
        description:
          - The buildspec itself, or the path of the file in the source that holds it.
        type: str
      cache:
        description:
          - What builds keep for the next one.
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
      certificate:
        description:
          - Bucket and key of a PEM certificate for a Git host with one of its own.
        type: str
      compute_type:
        description:
          - The size of the host.
        type: str
        choices:
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
      encryption_key:
        description:
          - The ARN or alias of the KMS key for the build's output.
        type: str
      environment_type:
        description:
          - The kind of host.
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
      environment_variables:
        description:
          - Variables of the build. One that the project has, too, gets this value; the project's others stay.
          - They stand in the build for everybody who can read it, and are never returned. What is secret belongs in a
            parameter or secret. A plain value whose name looks secret, such as C(DB_PASSWORD), is not shown among the
            task's arguments.
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
            type: str
            required: true
          type:
            description:
              - What C(value) is.
            type: str
            choices: [PLAINTEXT, PARAMETER_STORE, SECRETS_MANAGER]
            default: PLAINTEXT
      fleet:
        description:
          - The reserved fleet that the build runs on.
        type: dict
        suboptions:
          fleet_arn:
            description:
              - Its ARN.
            type: str
      git_clone_depth:
        description:
          - How many commits are fetched; V(0) is all.
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
      host_kernel:
        description:
          - The Linux kernel of the host.
        type: str
        choices: [LINUX_KERNEL_4, LINUX_KERNEL_6, LINUX_KERNEL_LATEST]
      image:
        description:
          - The image, of Docker's, of a registry's or of CodeBuild's own.
        type: str
      image_pull_credentials_type:
        description:
          - Whose credentials pull the image. A private image needs V(SERVICE_ROLE).
        type: str
        choices: [CODEBUILD, SERVICE_ROLE]
      insecure_ssl:
        description:
          - Whether the certificate of the Git host goes unchecked.
        type: bool
      logs_config:
        description:
          - Where the log goes.
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
      privileged_mode:
        description:
          - Whether the build may run a Docker daemon.
        type: bool
      queued_timeout_in_minutes:
        description:
          - Minutes, from 5 to 480, after which the build is given up while it waits.
        type: int
      registry_credential:
        description:
          - How the image is pulled from a private registry.
        type: dict
        suboptions:
          credential:
            description:
              - The ARN or name of the secret. Needed.
            type: str
          credential_provider:
            description:
              - Where the secret is. Unset means V(SECRETS_MANAGER).
            type: str
            choices: [SECRETS_MANAGER]
      report_build_status:
        description:
          - Whether the Git host is told how the build ends.
        type: bool
      secondary_artifacts:
        description:
          - Further outputs, up to 12, instead of the project's.
        type: list
        elements: dict
        suboptions: *artifacts
      secondary_sources:
        description:
          - Further sources, up to 12, instead of the project's.
        type: list
        elements: dict
        suboptions:
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
              - How CodeBuild proves to the Git host who it is.
            type: dict
            suboptions:
              type:
                description:
                  - What is used. Needed.
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
      secondary_sources_version:
        description:
          - The branch, tag, commit or version of further sources.
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
      service_role:
        description:
          - The ARN of the IAM role that the build acts as. Who starts it needs C(iam:PassRole) for that.
        type: str
      source_auth:
        description:
          - How CodeBuild proves to the Git host who it is.
        type: dict
        suboptions:
          type:
            description:
              - What is used. Needed.
            type: str
            choices: [OAUTH, CODECONNECTIONS, SECRETS_MANAGER]
          resource:
            description:
              - The ARN of the connection or the secret.
            type: str
      source_location:
        description:
          - The repository's URL, or bucket and key of an object, as in V(bucket/path/source.zip).
        type: str
      source_type:
        description:
          - Where the code comes from.
          - A project that stands in a pipeline is started by hand with V(NO_SOURCE), C(artifacts) of type
            V(NO_ARTIFACTS) and a C(buildspec) here, for example.
        type: str
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
      timeout_in_minutes:
        description:
          - Minutes, from 5 to 2160, after which the build is stopped.
        type: int
  debug_session_enabled:
    description:
      - Whether somebody may connect to the build with AWS Session Manager while it stands at a breakpoint.
    type: bool
  idempotency_token:
    description:
      - A second start, or retry, with the same token and options within five minutes is the same build. AWS does not
        say which of the two it was, so that both report a change.
    type: str
  wait:
    description:
      - Whether to wait for the end of the build. With V(false), a build that failed does not fail the task.
    type: bool
    default: true
  wait_timeout:
    description:
      - How long to wait, in seconds. When the time is over, the task fails and the build goes on.
    type: int
    default: 3600
  poll_interval:
    description:
      - Time between two looks, in seconds, from 1 to 300.
    type: int
    default: 3
  log_cursors:
    description:
      - RV(log_cursors) of an earlier look; only log lines written since then are returned.
    type: dict
    default: {}
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
attributes:
  check_mode:
    support: full
    description:
      - Nothing is started, stopped or retried; RV(msg) says what would be. There must be such a project.
      - A build that is only followed is followed in check mode, too.
  diff_mode:
    support: none
    description: There is nothing to compare.
  idempotent:
    support: partial
    description:
      - O(state=stopped) does nothing the second time. Each start and retry is a new build, unless
        O(idempotency_token) makes two of them one.
notes:
  - Batches of builds are left out. Start them through a pipeline, with C(BatchEnabled) in the action's configuration,
    or through a webhook of the type V(BUILD_BATCH); see M(gitops.aws.codepipelines) and
    M(gitops.aws.codebuild_projects).
  - A build that a pipeline started is retried by retrying the pipeline's stage; see
    M(gitops.aws.codepipeline_execution).
seealso:
  - module: gitops.aws.codebuild_projects
  - module: gitops.aws.codepipeline_execution
"""

EXAMPLES = r"""
- name: Build a commit, and wait for the end
  gitops.aws.codebuild_build:
    region: eu-central-1
    project: website
    source_version: 7f3a1f0b7d6f4c1d9a55d9a53d1f6e0b8a2c4d11
  register: built

- name: What the buildspec exported
  ansible.builtin.debug:
    var: built.build.exported_environment_variables

- name: Run a project with a buildspec and variables for this once
  gitops.aws.codebuild_build:
    region: eu-central-1
    project: gitops-network-plan
    overrides:
      source_type: NO_SOURCE
      artifacts:
        type: NO_ARTIFACTS
      buildspec: |
        version: 0.2
        phases:
          build:
            commands:
              - terraform version
      environment_variables:
        - name: TF_LOG
          value: DEBUG
        - name: API_TOKEN
          value: /website/api-token
          type: PARAMETER_STORE
    wait_timeout: 600

- name: Follow the newest build, whoever started it
  gitops.aws.codebuild_build:
    region: eu-central-1
    project: website
    build_id: latest

- name: Stop it
  gitops.aws.codebuild_build:
    region: eu-central-1
    project: website
    state: stopped
    build_id: latest

- name: Try it again
  gitops.aws.codebuild_build:
    region: eu-central-1
    project: website
    state: retried
    build_id: latest
"""

RETURN = r"""
build:
  description: The build as it is at the end of the task. Only C(id) and C(project), where it could not be looked at.
  returned: when there is one
  type: dict
  contains:
    id:
      description: The build's id, which begins with the project's name.
      type: str
    arn:
      description: Its ARN.
      type: str
    project:
      description: The project's name.
      type: str
    number:
      description: Its number in the project.
      type: int
    status:
      description: V(IN_PROGRESS), V(SUCCEEDED), V(FAILED), V(STOPPED), V(TIMED_OUT) or V(FAULT).
      type: str
    current_phase:
      description: The phase it is in; V(COMPLETED) when it is over.
      type: str
    phases:
      description:
        - The phases so far, each with C(name), C(status), C(seconds) and C(message).
        - Of one that is not over, C(status) is empty and C(seconds) nothing.
      type: list
      elements: dict
    exported_environment_variables:
      description: What the buildspec exports. Other variables are not returned, for their values may be secret.
      type: dict
    logs:
      description: Where the log is, C(group) and C(stream) in CloudWatch Logs, and C(url) in the console.
      type: dict
    source_version:
      description: What was to be built.
      type: str
    resolved_source_version:
      description: The commit that was built, where the source has commits.
      type: str
    initiator:
      description: Who started it.
      type: str
    start_time:
      description: When it was started, ISO 8601.
      type: str
    end_time:
      description: When it ended, ISO 8601; empty while it runs.
      type: str
    artifacts_location:
      description: The ARN of its output in S3, where it has such.
      type: str
  sample:
    id: website:0c2f3b1e-3f5a-4f0e-8f43-2a9f0f4f2b77
    arn: arn:aws:codebuild:eu-central-1:123456789012:build/website:0c2f3b1e-3f5a-4f0e-8f43-2a9f0f4f2b77
    project: website
    number: 12
    status: FAILED
    current_phase: COMPLETED
    phases:
      - name: SUBMITTED
        status: SUCCEEDED
        seconds: 0
        message: ""
      - name: BUILD
        status: FAILED
        seconds: 41
        message: "COMMAND_EXECUTION_ERROR: Error while executing command: make. Reason: exit status 2"
    exported_environment_variables:
      VERSION: "1.4.0"
    logs:
      group: /aws/codebuild/website
      stream: 0c2f3b1e-3f5a-4f0e-8f43-2a9f0f4f2b77
      url: https://console.aws.amazon.com/cloudwatch/home?region=eu-central-1
    source_version: main
    resolved_source_version: 7f3a1f0b7d6f4c1d9a55d9a53d1f6e0b8a2c4d11
    initiator: alice
    start_time: "2026-11-20T16:05:40+00:00"
    end_time: "2026-11-20T16:06:43+00:00"
    artifacts_location: arn:aws:s3:::acme-website/website.zip
msg:
  description: In check mode what would be done; on failure why.
  returned: in check mode, and on failure
  type: str
  sample: >-
    build project website: build website:0c2f3b1e-3f5a-4f0e-8f43-2a9f0f4f2b77 is FAILED; phase BUILD is FAILED:
    COMMAND_EXECUTION_ERROR: Error while executing command: make. Reason: exit status 2; in its log: index.md: no such
    file
failure:
  description: Why the build did not succeed, as RV(msg) says it otherwise.
  returned: when the build is over and did not succeed, and the task does not fail for it
  type: str
last_log_lines:
  description: The last lines of the log, 20 at most, without CodeBuild's own.
  returned: when the build is over and did not succeed
  type: list
  elements: str
  sample:
    - "index.md: no such file"
log_lines:
  description:
    - The log lines since O(log_cursors), each with C(build_id) and C(text).
    - While they are shown as they come, only the last 20.
  returned: except where it fails before anything was done
  type: list
  elements: dict
log_cursors:
  description: Where the next look goes on.
  returned: except where it fails before anything was done
  type: dict
api_calls:
  description: The calls made to AWS, counted by operation.
  returned: always
  type: dict
  sample:
    codebuild:BatchGetBuilds: 4
    codebuild:StartBuild: 1
    logs:GetLogEvents: 2
"""

from ansible_collections.gitops.aws.plugins.module_utils._builds import ARGUMENTS, act, problems, secrets
from ansible_collections.gitops.aws.plugins.module_utils._single import run_single


def main() -> None:
    run_single(
        ARGUMENTS,
        act,
        lambda params: f"build project {params['project']}",
        problems,
        secrets,
        required_if=[("state", "stopped", ["build_id"]), ("state", "retried", ["build_id"])],
    )


if __name__ == "__main__":
    main()
