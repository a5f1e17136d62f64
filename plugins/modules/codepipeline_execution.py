#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts and follows an execution of a pipeline; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: codepipeline_execution
short_description: Start a pipeline and follow it to its end
version_added: "0.1.0"
description:
  - Starts an execution of a pipeline, or follows one that runs, and returns its stages, its actions and the builds' log
    lines.
  - While it waits, the stages and the builds' log lines are shown as they come. With C(async) they are not.
options:
  pipeline:
    description: Name of the pipeline.
    type: str
    required: true
  execution_id:
    description:
      - The execution to follow; none is started.
      - V(latest) is the newest one.
    type: str
  variables:
    description: Values of the pipeline's variables for the new execution.
    type: dict
    default: {}
  client_request_token:
    description: A second start with the same token is the same execution.
    type: str
  wait:
    description: Whether to wait for the end of the execution.
    type: bool
    default: true
  wait_for_approval:
    description:
      - Whether to go on waiting while somebody must approve.
      - With V(false), the module returns as soon as the execution waits for an approval.
    type: bool
    default: true
  wait_timeout:
    description: How long to wait, in seconds.
    type: int
    default: 3600
  poll_interval:
    description: Time between two looks, in seconds.
    type: int
    default: 3
  log_cursors:
    description: RV(log_cursors) of an earlier look; only log lines written since then are returned.
    type: dict
    default: {}
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: Nothing is started; with O(execution_id) the execution is shown as it is.
  diff_mode:
    support: none
    description: There is nothing to compare.
author:
  - Contributors to gitops.aws (@gitops-aws)
"""

EXAMPLES = r"""
- name: Run a pipeline to its end
  gitops.aws.codepipeline_execution:
    pipeline: gitops-network

- name: Run it until somebody must approve
  gitops.aws.codepipeline_execution:
    pipeline: gitops-network
    wait_for_approval: false
  register: run

- name: What is to be approved
  ansible.builtin.debug:
    var: run.execution.waiting_for_approval.message
"""

RETURN = r"""
execution:
  description: The execution as it is at the end of the task.
  returned: when there is one
  type: dict
  contains:
    id:
      description: The execution's id.
      type: str
    pipeline:
      description: The pipeline's name.
      type: str
    status:
      description: AWS's word for its state.
      type: str
      sample: Succeeded
    status_summary:
      description: AWS's reason, where it gives one.
      type: str
    source_revisions:
      description: What was fetched, each with C(name), C(revision_id) and C(summary).
      type: list
      elements: dict
    stages:
      description:
        - The stages in their order, each with C(name) and C(actions).
        - An action has C(name), C(status), C(summary), C(build_id), C(url) and C(output_variables).
      type: list
      elements: dict
    waiting_for_approval:
      description: The C(stage), C(action) and C(message) of the approval that it waits for, or nothing.
      type: dict
log_lines:
  description: The builds' log lines since O(log_cursors), each with C(build_id) and C(text).
  returned: always
  type: list
  elements: dict
log_cursors:
  description: Where the next look goes on.
  returned: always
  type: dict
"""

import time
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports it

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, explain
from ansible_collections.gitops.aws.plugins.module_utils._executions import (
    ended,
    failure,
    latest,
    look,
    new_log_lines,
    start,
)


def follow(
    aws: Aws, execution_id: str, params: dict[str, Any]
) -> tuple[dict[str, Any], list[dict[str, str]], dict[str, str], bool]:
    """Looks until the execution has ended, or for once; returns the execution, the log lines and the cursors."""
    lines, cursors = [], params["log_cursors"]
    deadline = time.monotonic() + params["wait_timeout"]
    while True:
        execution = look(aws, params["pipeline"], execution_id)
        builds = [action["build_id"] for stage in execution["stages"] for action in stage["actions"]]
        new, cursors = new_log_lines(aws, [build for build in builds if build], cursors)
        lines += new
        if not params["wait"] or ended(execution, params["wait_for_approval"]):
            return execution, lines, cursors, False
        if time.monotonic() > deadline:
            return execution, lines, cursors, True
        time.sleep(params["poll_interval"])


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "pipeline": {"type": "str", "required": True},
            "execution_id": {"type": "str"},
            "variables": {"type": "dict", "default": {}},
            "client_request_token": {"type": "str", "no_log": False},
            "wait": {"type": "bool", "default": True},
            "wait_for_approval": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 3600},
            "poll_interval": {"type": "int", "default": 3},
            "log_cursors": {"type": "dict", "default": {}, "no_log": False},
        },
        supports_check_mode=True,
    )
    params, aws = module.params, Aws(module)
    pipeline, execution_id = params["pipeline"], params["execution_id"]
    try:
        if execution_id == "latest":
            execution_id = latest(aws, pipeline)
            if execution_id is None:
                module.fail_json(msg=f"pipeline {pipeline}: it never ran. Fix: leave execution_id out to start it")
        started = execution_id is None
        if started and module.check_mode:
            module.exit_json(changed=True, log_lines=[], log_cursors={})
        if started:
            execution_id = start(aws, pipeline, params["variables"], params["client_request_token"])
        execution, lines, cursors, late = follow(aws, execution_id, params)
    except (ClientError, BotoCoreError) as error:
        module.fail_json(msg=explain(error, f"pipeline {pipeline}"))
    result = {"changed": started, "execution": execution, "log_lines": lines, "log_cursors": cursors}
    if late:
        module.fail_json(
            msg=f"pipeline {pipeline}: execution {execution_id} is {execution['status']} "
            f"after {params['wait_timeout']} s",
            **result,
        )
    if params["wait"] and failure(execution):
        module.fail_json(msg=failure(execution), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
