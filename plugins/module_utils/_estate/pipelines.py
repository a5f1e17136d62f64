# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The build projects and pipelines of a stack, as gitops.aws.codebuild_projects and codepipelines take them."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack

STEPS = ("plan", "apply", "destroy")
REVIEW = "review"  # the plan of a pull request
ROLES = {"plan": "plan", "apply": "apply", "destroy": "apply", REVIEW: "review"}

# Where CodeBuild itself can listen to pull requests: its name for the Git host, and the host's address.
GIT_HOSTS = {
    "GitHub": ("GITHUB", "https://github.com"),
    "GitLab": ("GITLAB", "https://gitlab.com"),
    "Bitbucket": ("BITBUCKET", "https://bitbucket.org"),
}
CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}

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


def assumed_role(stack: Stack, step: str) -> str:
    """The role of another account, or another team, that Terraform's providers act as in a step."""
    role = stack["plan_assume_role_arn"] if step in ("plan", "review") else ""
    return role or stack["assume_role_arn"] or ""


def aws_config(stack: Stack, step: str) -> str:
    """The AWS configuration file of a build, '' where the role's own credentials are all it needs."""
    if stack["credentials"] == "role":
        return ""
    if stack["credentials"] == "parameter_store":
        return STATE_PROFILE
    lines = ["[profile stack]", f"role_arn = {assumed_role(stack, step)}", "credential_source = EcsContainer"]
    if stack["assume_role_external_id"]:
        lines.append(f"external_id = {stack['assume_role_external_id']}")
    return STATE_PROFILE + "\n".join(lines) + "\n"


def others_first(foundation: Foundation, stack: Stack, stacks: list[Stack]) -> str:
    """The pipelines that this stack comes after, a line for each: its name and the paths that matter to it.

    A rule starts a pipeline with every push, and so every commit is waited for. Where nothing starts it, only those
    are that touch the stack: nobody would run it for another.
    """

    def waited_for(other: Stack) -> list[str]:
        return ([] if names.has_rule(other) else names.paths(other)) or ["**"]

    return "\n".join(
        "|".join([names.pipeline(foundation, other), *(f":(glob){pattern}" for pattern in waited_for(other))])
        for other in names.predecessors(stack, stacks)
    )


def dependents(foundation: Foundation, stack: Stack, stacks: list[Stack]) -> list[str]:
    """The pipelines of the stacks that come after this one."""
    return [names.pipeline(foundation, other) for other in stacks if stack["name"] in other["after"]]


def author_lines(authors: dict[str, Any]) -> str:
    """A line for each e-mail address and principal of an author. Upper and lower case make no difference."""
    return "\n".join(
        f"{email} {principal}".lower()
        for email, value in sorted(authors.items())
        for principal in (value if isinstance(value, list) else [value])
    )


def environment_variables(foundation: Foundation, stack: Stack, step: str, stacks: list[Stack]) -> list[dict[str, str]]:
    """What the buildspecs read, and Terraform's own variables. Nothing secret."""
    variables = {
        "TERRAFORM": "tofu" if stack["engine"] == "opentofu" else "terraform",
        "STACK_NAME": stack["name"],
        "STACK_PATH": stack["path"],
        "STATE_BUCKET": foundation["state_bucket"],
        "STATE_KEY": stack["state_key"],
        "TF_IN_AUTOMATION": "1",
        "TF_CLI_ARGS_init": backend_arguments(foundation, stack),
    }
    optional = {
        "STACK_BRANCH": stack["branch"],
        "STACK_OBJECT": names.source_of(stack) if stack["source"] == names.S3 else "",
        "STACK_AWS_CONFIG": aws_config(stack, step),
        "AWS_REGION": stack["aws_region"] or "",
        "AWS_DEFAULT_REGION": stack["aws_region"] or "",
    }
    if step in ("plan", "review"):
        optional["STACK_CHECKS"] = " ".join(stack["checks"])
        optional["STACK_POLICY_PATH"] = stack["policy_path"] if "conftest" in stack["checks"] else ""
    if step == "plan":
        optional["STACK_AFTER"] = others_first(foundation, stack, stacks)
    if step in ("apply", "destroy"):
        optional["ARTIFACT_BUCKET"] = foundation["artifact_bucket"]
    if step == "destroy" or (step == "apply" and stack["approval"]):
        optional["STACK_AUTHORS"] = author_lines(foundation.get("authors") or {})
    if step in ("plan", "apply"):
        optional["STACK_DEPENDENTS"] = " ".join(dependents(foundation, stack, stacks))
    variables.update({name: value for name, value in optional.items() if value})
    if stack["credentials"] == "assume_role":
        variables["AWS_CONFIG_FILE"] = AWS_CONFIG
        variables["AWS_PROFILE"] = "stack"
    for name, value in stack["variables"].items():
        variables[f"TF_VAR_{name}"] = value if isinstance(value, str) else json.dumps(value)
    return [{"name": name, "value": variables[name]} for name in sorted(variables)]


def with_parts(buildspec: str, parts: dict[str, str]) -> str:
    """The buildspec with each line `#include NAME` replaced by that part's lines, indented alike.

    Raises:
        ValueError: there is no such part.
    """

    def part(found: re.Match[str]) -> str:
        indent, name = found.groups()
        if name not in parts:
            raise ValueError(f"a buildspec includes {name}, which is not there. There are: {', '.join(sorted(parts))}")
        text = with_parts(parts[name], parts).rstrip("\n")
        return "\n".join(f"{indent}{line}" if line else "" for line in text.split("\n"))

    return re.sub(r"^([ ]*)#include (\S+)$", part, buildspec, flags=re.MULTILINE)


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
        buildspecs: the text of the buildspec of each step, and the parts that they include, by file name. They are
            inlined, so that a commit cannot change what a build does.
    """
    texts = {step: with_parts(buildspecs[step], buildspecs) for step in (*STEPS, REVIEW)}
    result = []
    for stack in stacks:
        for step in STEPS:
            made = project(foundation, stack, step, stacks)
            made["source"] = {"type": "CODEPIPELINE", "buildspec": with_credentials(texts[step], stack)}
            made["artifacts"] = {"type": "CODEPIPELINE"}
            result.append(made)
        if stack["pull_requests"]:
            made = project(foundation, stack, REVIEW, stacks)
            result.append({**made, **review(foundation, stack, with_credentials(texts[REVIEW], stack))})
    return result


def project(foundation: Foundation, stack: Stack, step: str, stacks: list[Stack]) -> dict[str, Any]:
    """A build project, without its source and artifacts."""
    name = names.project(foundation, stack, step)
    # The plan's project looks for drift, too, without a lock: that must not keep a push from being planned.
    at_once = 2 if step == "plan" and foundation.get("drift") else 1
    return {
        "name": name,
        "description": f"Terraform {'plan of pull requests' if step == REVIEW else step} of the stack {stack['name']}",
        "service_role": names.role_arn(foundation, stack, ROLES[step]),
        "environment": {
            "type": "LINUX_CONTAINER",
            "image": stack["image"],
            "compute_type": stack["compute_type"],
            "privileged_mode": False,
            "environment_variables": environment_variables(foundation, stack, step, stacks),
        },
        "encryption_key": foundation["kms_key_arn"],
        "timeout_in_minutes": stack["timeout_in_minutes"],
        # Over the limit CodeBuild refuses a build. Plans of pull requests take no lock, and none must be left out.
        **({} if step == REVIEW else {"concurrent_build_limit": at_once}),
        "logs_config": {
            "cloud_watch_logs": {"status": "ENABLED", "group_name": foundation["log_group"], "stream_name": name}
        },
        "tags": names.stack_tags(foundation, stack),
    }


def review(foundation: Foundation, stack: Stack, buildspec: str) -> dict[str, Any]:
    """Where a pull request's code comes from, and which pull requests those are. The result is the commit's status."""
    kind, url = GIT_HOSTS[foundation.get("connection_provider", "GitHub")]
    filters = {
        "EVENT": "PULL_REQUEST_CREATED, PULL_REQUEST_UPDATED, PULL_REQUEST_REOPENED",
        "BASE_REF": f"^refs/heads/{re.escape(stack['branch'])}$",
    }
    paths = [_regex(pattern) for pattern in names.trigger_paths(stack)]
    if paths:
        filters["FILE_PATH"] = f"^({'|'.join(paths)})$"
    return {
        "source": {
            "type": kind,
            "location": f"{url}/{stack['repository']}.git",
            "git_clone_depth": 0,
            "auth": {"type": "CODECONNECTIONS", "resource": foundation["connection_arn"]},
            "report_build_status": True,
            "buildspec": buildspec,
        },
        "artifacts": {"type": "NO_ARTIFACTS"},
        "webhook": {
            "filter_groups": [
                {"filters": [{"type": name, "pattern": pattern} for name, pattern in filters.items()]},
            ],
            # A fork's is not started; the buildspec refuses it even where somebody started it by a comment.
            "pull_request_build_policy": {"requires_comment_approval": "FORK_PULL_REQUESTS"},
        },
    }


def _regex(pattern: str) -> str:
    """A pattern of paths as the regular expression that CodeBuild's webhooks take."""
    return re.sub(
        r"\\\*\\\*/?|\\\*|\\\?", lambda wild: {"\\*": "[^/]*", "\\?": "[^/]"}.get(wild[0], ".*"), re.escape(pattern)
    )


def reviews_not_wanted(stacks: list[Stack], foundation: Foundation) -> list[dict[str, str]]:
    """The projects for pull requests of stacks that have none, by name: a webhook must not stay behind."""
    return [{"name": names.project(foundation, stack, REVIEW)} for stack in stacks if not stack["pull_requests"]]


def drift_pipelines_not_wanted(stacks: list[Stack], foundation: Foundation) -> list[dict[str, str]]:
    """The pipelines that look for drift, by name, where the estate does not want any: they must not stay behind."""
    return [] if foundation.get("drift") else [{"name": names.drift_pipeline(foundation, each)} for each in stacks]


def source_stage(foundation: Foundation, stack: Stack, detect_changes: bool) -> dict[str, Any]:
    """The commit of the stack's branch, or the newest version of its object.

    A rule of EventBridge starts the pipeline of what is in AWS itself: polling would be slower, and AWS advises
    against it.
    """
    configuration: dict[str, Any]
    if stack["source"] == names.S3:
        provider = "S3"
        configuration = {"S3Bucket": stack["source_bucket"], "S3ObjectKey": stack["source_key"]}
    elif stack["source"] == names.CODECOMMIT:
        provider = "CodeCommit"
        configuration = {"RepositoryName": stack["repository"], "BranchName": stack["branch"]}
    else:
        provider = "CodeStarSourceConnection"
        configuration = {
            "ConnectionArn": foundation["connection_arn"],
            "FullRepositoryId": stack["repository"],
            "BranchName": stack["branch"],
        }
    if stack["source"] == names.CONNECTION:
        configuration["DetectChanges"] = detect_changes
    else:
        configuration["PollForSourceChanges"] = False
    if stack["source"] != names.S3:
        # With its history, to see that the commit is on the branch; the builds clone it.
        configuration["OutputArtifactFormat"] = "CODEBUILD_CLONE_REF"
    return {
        "name": "Source",
        "actions": [
            {
                "name": "Source",
                "action_type_id": {"category": "Source", "provider": provider},
                "namespace": "Source",
                "configuration": configuration,
                "output_artifacts": [{"name": "source"}],
            }
        ],
    }


def build_action(
    foundation: Foundation, stack: Stack, step: str, run_order: int, variables: dict[str, str]
) -> dict[str, Any]:
    """One step of Terraform. Plan makes the artifact `plan`, the others take it.

    Drift is found by the plan's project, and makes the artifact `drift`.
    """
    made = step if step in ("plan", "drift") else ""
    name = step.capitalize()
    # No variable that a person or a build sets: CodePipeline would put its quotes into this JSON as they are.
    given = {**variables, "EXECUTION_ID": "#{codepipeline.PipelineExecutionId}"}
    if stack["source"] == names.S3:
        given["SOURCE_VERSION"] = "#{Source.VersionId}"  # S3 has made it
    action: dict[str, Any] = {
        "name": name,
        "action_type_id": {"category": "Build", "provider": "CodeBuild"},
        "run_order": run_order,
        "namespace": name,
        "configuration": {
            "ProjectName": names.project(foundation, stack, "plan" if step == "drift" else step),
            "PrimarySource": "source",
            "EnvironmentVariables": json.dumps(
                [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in given.items()],
                separators=(",", ":"),
            ),
        },
        "input_artifacts": [{"name": "source"}] if made else [{"name": "source"}, {"name": "plan"}],
    }
    if made:
        action["output_artifacts"] = [{"name": made}]
    return action


def approve_action(foundation: Foundation, stack: Stack, verb: str) -> dict[str, Any]:
    """A person reads what the plan would do, with the log a click away, and says yes or no."""
    message = (
        f"{verb} stack {stack['name']}: #{{Plan.PLAN_SUMMARY}}. #{{Plan.PLAN_EFFECTS}} Plan #{{Plan.PLAN_ID}}, "
        + (
            f"version #{{Source.VersionId}} of {names.source_of(stack)}."
            if stack["source"] == names.S3
            else "commit #{Source.CommitId} on #{Source.BranchName}."
        )
    )
    console = CONSOLES.get(foundation["partition"], CONSOLES["aws"])
    region, project = foundation["region"], names.project(foundation, stack, "plan")
    log = (
        f"https://{region}.{console}/codesuite/codebuild/{foundation['account_id']}/projects/{project}/build/"
        f"#{{Plan.PLAN_BUILD}}/?region={region}"
    )
    return {
        "name": "Approve",
        "action_type_id": {"category": "Approval", "provider": "Manual"},
        "run_order": 2,
        "timeout_in_minutes": stack["approval_timeout_in_minutes"],
        "configuration": {"CustomData": message, "ExternalEntityLink": log},
    }


def terraform_stage(foundation: Foundation, stack: Stack, step: str, verb: str, approval: bool) -> dict[str, Any]:
    """Plan, approval and the step that uses the plan, one after the other.

    They share a stage because a queue locks stages, not pipelines: the next execution must not plan before this one
    has applied, or its plan would be stale.
    """
    given = {"PLAN_MODE": step, "APPROVAL": str(approval).lower()}
    return {
        "name": "Deploy" if step == "apply" else step.capitalize(),
        "actions": [
            build_action(foundation, stack, "plan", 1, given),
            *([approve_action(foundation, stack, verb)] if approval else []),
            build_action(foundation, stack, step, 3, {}),
        ],
    }


def stack_pipelines(stacks: list[Stack], foundation: Foundation) -> list[dict[str, Any]]:
    """The pipelines of every stack. QUEUED: one execution after the other plans, waits and applies.

    The one that looks for drift changes nothing and nobody waits for it: of those that wait the newest is enough.
    """
    result = []
    imports = {"name": "imports", "description": "What to take into the state, see run.yml", "default_value": "none"}
    confirm = {"name": "confirm", "description": "The stack's name, to show that it is meant"}
    for stack in stacks:
        common = {
            "role_arn": names.role_arn(foundation, stack, "pipeline"),
            "pipeline_type": "V2",
            "execution_mode": "QUEUED",
            "artifact_store": {
                "location": foundation["artifact_bucket"],
                "encryption_key": {"id": foundation["kms_key_arn"]},
            },
            "tags": names.stack_tags(foundation, stack),
        }
        result.append(
            {
                "name": names.pipeline(foundation, stack),
                "stages": [
                    source_stage(foundation, stack, detect_changes=stack["trigger"]),
                    terraform_stage(foundation, stack, "apply", "Apply", stack["approval"]),
                ],
                "triggers": [push_trigger(stack)] if stack["trigger"] and not names.has_rule(stack) else [],
                "variables": [imports],
                **common,
            }
        )
        result.append(
            {
                "name": names.destroy_pipeline(foundation, stack),
                "stages": [
                    source_stage(foundation, stack, detect_changes=False),
                    terraform_stage(foundation, stack, "destroy", "DESTROY everything in", True),
                ],
                "triggers": [],
                "variables": [confirm],
                **common,
            }
        )
        if foundation.get("drift"):
            look = build_action(foundation, stack, "drift", 1, {"PLAN_MODE": "drift"})
            result.append(
                {
                    "name": names.drift_pipeline(foundation, stack),
                    "stages": [
                        source_stage(foundation, stack, detect_changes=False),
                        {"name": "Drift", "actions": [look]},
                    ],
                    "triggers": [],
                    "variables": [],
                    **common,
                    "execution_mode": "SUPERSEDED",
                }
            )
    return result


def source_rules(stacks: list[Stack], foundation: Foundation) -> list[dict[str, Any]]:
    """The EventBridge rules that start pipelines whose code is in AWS itself, as eventbridge_rules takes them.

    They start it with the newest code, and not with the one that they hear of: events may come twice, and out of order.
    """
    return [
        {
            "name": names.source(foundation, stack),
            "description": f"New code of the Terraform stack {stack['name']}",
            "enabled": True,
            "event_pattern": source_event(foundation, stack),
            "targets": [
                {
                    "id": "pipeline",
                    "arn": names.arn(foundation, "codepipeline", names.pipeline(foundation, stack)),
                    "role_arn": names.arn(foundation, "iam", f"role/{names.source(foundation, stack)}", ""),
                }
            ],
            "tags": names.stack_tags(foundation, stack),
        }
        for stack in stacks
        if names.has_rule(stack)
    ]


def source_event(foundation: Foundation, stack: Stack) -> dict[str, Any]:
    """The pattern of the events that tell of new code of a stack."""
    if stack["source"] == names.S3:
        return {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [stack["source_bucket"]]}, "object": {"key": [stack["source_key"]]}},
        }
    return {
        "source": ["aws.codecommit"],
        "detail-type": ["CodeCommit Repository State Change"],
        "resources": [names.arn(foundation, "codecommit", stack["repository"])],
        "detail": {
            "event": ["referenceCreated", "referenceUpdated"],
            "referenceType": ["branch"],
            "referenceName": [stack["branch"]],
        },
    }


def sources_not_wanted(stacks: list[Stack], foundation: Foundation) -> list[dict[str, str]]:
    """The rules, and their roles, of stacks that have none, by name: a stack may have had another source."""
    return [{"name": names.source(foundation, stack)} for stack in stacks if not names.has_rule(stack)]


def push_trigger(stack: Stack) -> dict[str, Any]:
    """A push to the stack's branch that touches its folder, or what else the stack names."""
    push: dict[str, Any] = {"branches": {"includes": [stack["branch"]]}}
    if names.trigger_paths(stack):
        push["file_paths"] = {"includes": names.trigger_paths(stack)}
    return {"git_configuration": {"source_action_name": "Source", "push": [push]}}
