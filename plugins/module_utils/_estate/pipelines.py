# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The build projects and pipelines of a stack, as gitops.aws.codebuild_projects and codepipelines take them."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack

STEPS = ("plan", "apply", "destroy")

# The builds' own AWS configuration, written into the working directory by the buildspec where it is needed.
AWS_CONFIG = ".gitops-aws-config"

# An AWS profile whose credentials are always those of the build's role, whatever else the environment holds: with
# credentials from Parameter Store only the providers use these, the state is still written by the role.
_CREDENTIALS_URL = "${AWS_CONTAINER_CREDENTIALS_FULL_URI:-http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI}"
_RENAME = r"s/\"Token\"/\"SessionToken\"/; s/{/{\"Version\": 1, /"
STATE_PROFILE = f"""\
[profile state]
credential_process = sh -c 'wget -qO- "{_CREDENTIALS_URL}" | sed "{_RENAME}"'
"""


def backend_arguments(foundation: Foundation, stack: Stack) -> str:
    """The arguments of `terraform init`.

    Encryption takes all three together: encrypt, the key's full ARN, and the bucket's default.
    """
    backend = {
        "bucket": foundation["state_bucket"],
        "key": stack["state_key"],
        "region": foundation["region"],
        "encrypt": "true",
        "kms_key_id": foundation["kms_key_arn"],
    }
    if "dynamodb" in foundation["locking"]:
        backend["dynamodb_table"] = foundation["lock_table"]
    if "lockfile" in foundation["locking"]:
        backend["use_lockfile"] = "true"
    if stack["credentials"] != "role":
        backend["profile"] = "state"
        backend["shared_config_files"] = f'["{AWS_CONFIG}"]'
    arguments = [f"'-backend-config={name}={value}'" for name, value in backend.items()]
    return " ".join(["-input=false", "-lockfile=readonly", *arguments])


def aws_config(stack: Stack) -> str:
    """The AWS configuration file of a build, '' where the role's own credentials are all it needs."""
    if stack["credentials"] == "role":
        return ""
    if stack["credentials"] == "parameter_store":
        return STATE_PROFILE
    lines = ["[profile stack]", f"role_arn = {stack['assume_role_arn']}", "credential_source = EcsContainer"]
    if stack["assume_role_external_id"]:
        lines.append(f"external_id = {stack['assume_role_external_id']}")
    return STATE_PROFILE + "\n".join(lines) + "\n"


def environment_variables(foundation: Foundation, stack: Stack) -> list[dict[str, str]]:
    """What the buildspecs read, and Terraform's own variables. Nothing secret."""
    variables = {
        "STACK_NAME": stack["name"],
        "STACK_PATH": stack["path"],
        "TF_IN_AUTOMATION": "1",
        "TF_CLI_ARGS_init": backend_arguments(foundation, stack),
    }
    if aws_config(stack):
        variables["STACK_AWS_CONFIG"] = aws_config(stack)
    if stack["credentials"] == "assume_role":
        variables["AWS_CONFIG_FILE"] = AWS_CONFIG
        variables["AWS_PROFILE"] = "stack"
    for name, value in stack["variables"].items():
        variables[f"TF_VAR_{name}"] = value if isinstance(value, str) else json.dumps(value)
    return [{"name": name, "value": variables[name]} for name in sorted(variables)]


def with_credentials(buildspec: str, stack: Stack) -> str:
    """The buildspec, with the access key read from Parameter Store where the stack says so."""
    if stack["credentials"] != "parameter_store":
        return buildspec
    wanted = {
        "AWS_ACCESS_KEY_ID": stack["access_key_id_parameter"],
        "AWS_SECRET_ACCESS_KEY": stack["secret_access_key_parameter"],
    }
    lines = ["  parameter-store:", *(f"    {name}: {json.dumps(parameter)}" for name, parameter in wanted.items()), ""]
    for anchor, before in (("\nenv:\n", ""), ("\nversion: 0.2\n", "env:\n")):
        place = f"\n{buildspec}".find(anchor)
        if place >= 0:
            place += len(anchor) - 1
            return buildspec[:place] + before + "\n".join(lines) + buildspec[place:]
    raise ValueError("a buildspec has neither a line `env:` nor a line `version: 0.2`, where the credentials go")


def stack_projects(stacks: list[Stack], foundation: Foundation, buildspecs: dict[str, str]) -> list[dict[str, Any]]:
    """The build projects of all stacks.

    Args:
        stacks: checked stacks.
        foundation: what they share.
        buildspecs: the text of the buildspec of each step. It is inlined, so that a commit cannot change what a
            build does.
    """
    result = []
    for stack in stacks:
        variables = environment_variables(foundation, stack)
        for step in STEPS:
            name = names.project(foundation, stack, step)
            result.append(
                {
                    "name": name,
                    "description": f"Terraform {step} of the stack {stack['name']}",
                    "service_role": names.role_arn(foundation, stack, "plan" if step == "plan" else "apply"),
                    "source": {"type": "CODEPIPELINE", "buildspec": with_credentials(buildspecs[step], stack)},
                    "artifacts": {"type": "CODEPIPELINE"},
                    "environment": {
                        "type": "LINUX_CONTAINER",
                        "image": stack["image"],
                        "compute_type": stack["compute_type"],
                        "privileged_mode": False,
                        "environment_variables": variables,
                    },
                    "encryption_key": foundation["kms_key_arn"],
                    "timeout_in_minutes": stack["timeout_in_minutes"],
                    "concurrent_build_limit": 1,
                    "logs_config": {
                        "cloud_watch_logs": {
                            "status": "ENABLED",
                            "group_name": foundation["log_group"],
                            "stream_name": name,
                        }
                    },
                    "tags": {**foundation["tags"], **stack["tags"], "gitops:stack": stack["name"]},
                }
            )
    return result


def source_stage(foundation: Foundation, stack: Stack, detect_changes: bool) -> dict[str, Any]:
    """The commit of the stack's branch."""
    return {
        "name": "Source",
        "actions": [
            {
                "name": "Source",
                "action_type_id": {"category": "Source", "provider": "CodeStarSourceConnection"},
                "namespace": "Source",
                "configuration": {
                    "ConnectionArn": foundation["connection_arn"],
                    "FullRepositoryId": stack["repository"],
                    "BranchName": stack["branch"],
                    "DetectChanges": detect_changes,
                    "OutputArtifactFormat": "CODE_ZIP",
                },
                "output_artifacts": [{"name": "source"}],
            }
        ],
    }


def build_stage(foundation: Foundation, stack: Stack, step: str, variables: dict[str, str]) -> dict[str, Any]:
    """One step of Terraform. Plan makes the artifact `plan`, the others take it."""
    plan = step == "plan"
    stage = step.capitalize()
    action: dict[str, Any] = {
        "name": stage,
        "action_type_id": {"category": "Build", "provider": "CodeBuild"},
        "namespace": stage,
        "configuration": {
            "ProjectName": names.project(foundation, stack, step),
            "PrimarySource": "source",
            "EnvironmentVariables": json.dumps(
                [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in variables.items()],
                separators=(",", ":"),
            ),
        },
        "input_artifacts": [{"name": "source"}] if plan else [{"name": "source"}, {"name": "plan"}],
    }
    if plan:
        action["output_artifacts"] = [{"name": "plan"}]
    return {"name": stage, "actions": [action]}


def approve_stage(stack: Stack, verb: str) -> dict[str, Any]:
    """A person reads the counts and says yes or no."""
    message = (
        f"{verb} stack {stack['name']}: #{{Plan.PLAN_SUMMARY}}. Plan #{{Plan.PLAN_ID}}, "
        "commit #{Source.CommitId} on #{Source.BranchName}."
    )
    return {
        "name": "Approve",
        "actions": [
            {
                "name": "Approve",
                "action_type_id": {"category": "Approval", "provider": "Manual"},
                "configuration": {"CustomData": message},
            }
        ],
    }


def stack_pipelines(stacks: list[Stack], foundation: Foundation) -> list[dict[str, Any]]:
    """The two pipelines of every stack. QUEUED: no execution overtakes another or meets the other's lock."""
    result = []
    approved = {"PLAN_SHA256": "#{Plan.PLAN_SHA256}"}
    for stack in stacks:
        common = {
            "role_arn": names.role_arn(foundation, stack, "pipeline"),
            "pipeline_type": "V2",
            "execution_mode": "QUEUED",
            "artifact_store": {
                "location": foundation["artifact_bucket"],
                "encryption_key": {"id": foundation["kms_key_arn"]},
            },
            "tags": {**foundation["tags"], **stack["tags"], "gitops:stack": stack["name"]},
        }
        approve = [approve_stage(stack, "Apply")] if stack["approval"] else []
        result.append(
            {
                "name": names.pipeline(foundation, stack),
                "stages": [
                    source_stage(foundation, stack, detect_changes=stack["trigger"]),
                    build_stage(foundation, stack, "plan", {"PLAN_MODE": "apply"}),
                    *approve,
                    build_stage(foundation, stack, "apply", approved),
                ],
                "triggers": [push_trigger(stack)] if stack["trigger"] else [],
                "variables": [],
                **common,
            }
        )
        result.append(
            {
                "name": names.destroy_pipeline(foundation, stack),
                "stages": [
                    source_stage(foundation, stack, detect_changes=False),
                    build_stage(foundation, stack, "plan", {"PLAN_MODE": "destroy", "CONFIRM": "#{variables.confirm}"}),
                    approve_stage(stack, "DESTROY everything in"),
                    build_stage(foundation, stack, "destroy", approved),
                ],
                "triggers": [],
                "variables": [{"name": "confirm", "description": "The stack's name, to show that it is meant"}],
                **common,
            }
        )
    return result


def push_trigger(stack: Stack) -> dict[str, Any]:
    """A push to the stack's branch that touches its folder."""
    push: dict[str, Any] = {"branches": {"includes": [stack["branch"]]}}
    if stack["path"] != ".":
        push["file_paths"] = {"includes": [f"{stack['path']}/**"]}
    return {"git_configuration": {"source_action_name": "Source", "push": [push]}}
