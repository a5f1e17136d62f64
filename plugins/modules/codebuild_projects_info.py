#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: codebuild_projects_info
short_description: Read CodeBuild build projects
version_added: "0.1.0"
description:
  - Reads build projects of AWS CodeBuild, those that are named or all of them. A hundred are read with one call.
  - What it returns can be given to M(gitops.aws.codebuild_projects), which then changes nothing.
author:
  - Contributors to the gitops.aws project (@gitops-aws)
options:
  resource_policies:
    description:
      - Whether the projects' resource policies are read, too. That takes a call for each project.
    type: bool
    default: false
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - gitops.aws.info
  - gitops.aws.attributes.group
  - gitops.aws.attributes.platform
seealso:
  - module: gitops.aws.codebuild_projects
"""

EXAMPLES = r"""
- name: Read two projects
  gitops.aws.codebuild_projects_info:
    region: eu-central-1
    names: [gitops-network-plan, gitops-network-apply]
  register: found

- name: Say which image each of them uses
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.environment.image }}"
  loop: "{{ found.projects }}"
  loop_control:
    label: "{{ item.name }}"

- name: Read all projects, to find those without a limit of concurrent builds
  gitops.aws.codebuild_projects_info:
    region: eu-central-1
  register: all
"""

RETURN = r"""
projects:
  description:
    - The settings of each project, in the order of O(names), fit to be given to M(gitops.aws.codebuild_projects).
    - Settings that have AWS's default are not in it. What sounds like a secret is V((hidden\)).
  returned: success
  type: list
  elements: dict
  sample:
    - name: gitops-network-plan
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
    - What AWS decides about each project, by its name.
    - C(arn), and C(created) and C(last_modified) as ISO 8601.
    - Where there are such, C(badge_url), C(public_project_alias), C(webhook_url) at the Git host and
      C(webhook_payload_url), which the Git host sends events to.
  returned: success
  type: dict
  sample:
    gitops-network-plan:
      arn: arn:aws:codebuild:eu-central-1:123456789012:project/gitops-network-plan
      created: "2026-11-02T09:14:31+00:00"
      last_modified: "2026-11-20T16:02:10+00:00"
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
    codebuild:BatchGetProjects: 1
"""

from ansible_collections.gitops.aws.plugins.module_utils._engine import run_info
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codebuild_project import OPTIONS, CodebuildProject


def main() -> None:
    run_info(
        CodebuildProject,
        "projects",
        OPTIONS,
        {"resource_policies": {"type": "bool", "default": False}},
        lambda kind, found, params: kind.add_policies(found.values()) if params["resource_policies"] else None,
    )


if __name__ == "__main__":
    main()
