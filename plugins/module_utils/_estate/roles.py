# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The IAM roles of a stack, each with the least that its step needs.

Plan reads, and writes only the lock. Apply also writes the state and what the stack's permissions allow. Pipeline
fetches the source, moves artifacts and starts the builds.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names, seal
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.pipelines import assumed_role, dependents

Statement = dict[str, Any]


def allow(sid: str, actions: list[str], resources: list[str], condition: dict[str, Any] | None = None) -> Statement:
    """An Allow statement."""
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    if condition:
        statement["Condition"] = condition
    return statement


def document(statements: list[Statement]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": statements}


def trust(foundation: Foundation, service: str, source_arns: list[str]) -> dict[str, Any]:
    """Who may assume the role: one service, for these resources of this account only (no confused deputy)."""
    return document(
        [
            {
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": foundation["account_id"]},
                    "ArnEquals": {"aws:SourceArn": source_arns},
                },
            }
        ]
    )


def use_key(foundation: Foundation) -> Statement:
    """State, plan and artifacts are all encrypted with the foundation's key, whoever asks for them."""
    return allow(
        "Key",
        ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
        [foundation["kms_key_arn"]],
    )


def artifact_folders(foundation: Foundation, pipelines: list[str]) -> list[str]:
    """Where CodePipeline keeps the artifacts of pipelines, as ARNs: it shortens the pipelines' names."""
    bucket = names.bucket_arn(foundation, foundation["artifact_bucket"])
    return sorted(f"{bucket}/{folder}" for folder in names.artifact_folders(pipelines))


def artifacts(foundation: Foundation, stack: Stack, read: list[str], write: list[str]) -> list[Statement]:
    """Reading and writing artifacts of the stack's pipelines, by their names; `*` stands for all.

    CodePipeline keeps an artifact under the first 20 characters of the pipeline's name and the first 10 of its own.
    Only one pipeline has the artifact `drift`, and it has no plan.
    Without ListBucket and GetBucketVersioning S3 answers 403 where it means 404, and a build fails with CLIENT_ERROR.
    """
    bucket = names.bucket_arn(foundation, foundation["artifact_bucket"])
    every = names.pipelines(foundation, stack)
    where = {
        "plan": names.deploying_pipelines(foundation, stack),
        "drift": [name for name in every if name == names.drift_pipeline(foundation, stack)],
    }

    def objects(artifact_names: list[str]) -> list[str]:
        return [
            f"{folder}/{name[:10]}/*"
            for name in artifact_names
            for folder in artifact_folders(foundation, where.get(name, every))
        ]

    statements = [
        allow(
            "ArtifactBucket",
            ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket"],
            [bucket],
        ),
        allow("ReadArtifacts", ["s3:GetObject", "s3:GetObjectVersion"], objects(read)),
    ]
    return statements + ([allow("WriteArtifacts", ["s3:PutObject"], objects(write))] if write else [])


def upload_source(foundation: Foundation, stack: Stack) -> Statement:
    """What the source action of a connection asks for beyond PutObject: it uploads with an ACL, and may tag."""
    folders = [f"{folder}/source/*" for folder in artifact_folders(foundation, names.pipelines(foundation, stack))]
    actions = ["s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectAcl", "s3:PutObjectTagging"]
    return allow("UploadSource", actions, folders)


def logs(foundation: Foundation, projects: list[str]) -> Statement:
    """Writing the builds' own log streams."""
    group = names.arn(foundation, "logs", f"log-group:{foundation['log_group']}")
    streams = [f"{group}:log-stream:{project}/*" for project in projects]
    # AWS's reference gives the group as the resource of CreateLogStream, its denials name the stream: both are listed.
    return allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [group, *streams])


def keyed(*items: str) -> dict[str, Any]:
    """The condition that a DynamoDB call touches these items only."""
    return {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": list(items)}}


def lock_items(foundation: Foundation, stack: Stack) -> tuple[str, str]:
    """The stack's items in the lock table: the lock, and the state's checksum, which plan reads and apply writes."""
    item = f"{foundation['state_bucket']}/{stack['state_key']}"
    return item, f"{item}-md5"


def access_key_arns(foundation: Foundation, stack: Stack) -> list[str]:
    """The parameters with the stack's access key."""
    parameters = (stack["access_key_id_parameter"], stack["secret_access_key_parameter"])
    return [names.arn(foundation, "ssm", f"parameter/{name.lstrip('/')}") for name in parameters]


def state(foundation: Foundation, stack: Stack, write: bool, lock: bool = True) -> list[Statement]:
    """The stack's own state and lock, nobody else's; without the lock for who only reads."""
    bucket = names.bucket_arn(foundation, foundation["state_bucket"])
    key = stack["state_key"]
    result = [
        allow("StateBucket", ["s3:ListBucket"], [bucket]),
        allow("State", ["s3:GetObject"] + (["s3:PutObject"] if write else []), [f"{bucket}/{key}"]),
    ]
    if lock and "lockfile" in foundation["locking"]:
        file_actions = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        result.append(allow("StateLockFile", file_actions, [f"{bucket}/{key}.tflock"]))
    if "dynamodb" in foundation["locking"]:
        table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
        item, digest = lock_items(foundation, stack)
        actions = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
        if lock:
            result.append(allow("StateLock", actions, [table], keyed(item, *([digest] if write else []))))
        if not write:
            result.append(allow("StateDigest", ["dynamodb:GetItem"], [table], keyed(digest)))
        if lock:
            result.append(allow("LockTable", ["dynamodb:DescribeTable"], [table]))
    return result


def own_state_only(foundation: Foundation, stack: Stack, write: bool) -> list[Statement]:
    """Whatever the stack's permissions allow, the build gets no other stack's state, lock in the table, or access key.

    A condition can name what may be written, a resource in a Deny only what may not. Of an upload it knows the key's
    encryption context: the object, in a bucket without a bucket key.
    """
    if not foundation["sealed"]:
        return []
    bucket = names.bucket_arn(foundation, foundation["state_bucket"])
    suffixes = ["", ".tflock", ".errored"] if write else [".tflock"]
    own = [f"{bucket}/{stack['state_key']}{suffix}" for suffix in suffixes]
    artifact_bucket = names.bucket_arn(foundation, foundation["artifact_bucket"])
    context = "kms:EncryptionContext:aws:s3:arn"
    statements = []
    if "state_bucket" not in foundation["existing"]:
        statements.append(
            {
                "Sid": "NoOtherState",
                "Effect": "Deny",
                "Action": ["kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
                "Resource": foundation["kms_key_arn"],
                "Condition": {
                    "Null": {context: "false"},
                    "StringNotLike": {context: [*own, artifact_bucket, f"{artifact_bucket}/*"]},
                },
            }
        )
    # The plan's build runs code of the commit; neither build may exchange what the other is given.
    looking = ["drift"] if foundation.get("drift") else []
    kinds = ["source", "plan", *looking] if write else ["source", "used", "errored"]
    folders = artifact_folders(foundation, names.pipelines(foundation, stack))
    statements.append(
        {
            "Sid": "NoOtherArtifact",
            "Effect": "Deny",
            "Action": "s3:PutObject*",
            "Resource": [f"{folder}/{kind}/*" for folder in folders for kind in kinds],
        }
    )
    parameter = "kms:EncryptionContext:PARAMETER_ARN"
    statements.append(
        {
            "Sid": "NoOtherSecret",
            "Effect": "Deny",
            "Action": "kms:Decrypt",
            "Resource": foundation["kms_key_arn"],
            "Condition": {
                "StringLike": {parameter: names.arn(foundation, "ssm", f"parameter/{foundation['name']}/*/AWS_*")},
                "StringNotEquals": {parameter: access_key_arns(foundation, stack)},
            },
        }
    )
    if "dynamodb" in foundation["locking"]:
        item, digest = lock_items(foundation, stack)
        statements.append(
            {
                "Sid": "NoOtherLock",
                "Effect": "Deny",
                "Action": seal.WRITING_ITEMS,
                "Resource": names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}"),
                "Condition": {
                    "ForAnyValue:StringNotEquals": {"dynamodb:LeadingKeys": [item, *([digest] if write else [])]}
                },
            }
        )
    return statements


def managed(foundation: Foundation, given: list[str]) -> list[str]:
    """The managed policies of a build's role: the user's, and the seal."""
    return [*given, names.policy_arn(foundation, "seal")] if foundation["sealed"] else given


def credentials(foundation: Foundation, stack: Stack, step: str) -> list[Statement]:
    """What the credentials mode needs: the parameters (GetParameters, plural, is what CodeBuild calls), or the role."""
    if stack["credentials"] == "parameter_store":
        return [allow("Credentials", ["ssm:GetParameters"], access_key_arns(foundation, stack))]
    if stack["credentials"] == "assume_role":
        return [allow("Credentials", ["sts:AssumeRole"], [assumed_role(stack, step)])]
    return []


def clone(foundation: Foundation, stack: Stack) -> list[Statement]:
    """The builds fetch the source themselves, with its history, but for an object in S3, which is in the artifact.

    The older action name is that of older connections.
    """
    if stack["source"] == names.S3:
        return []
    if stack["source"] == names.CODECOMMIT:
        return [allow("Repository", ["codecommit:GitPull"], [repository(foundation, stack)])]
    actions = [f"{service}:UseConnection" for service in names.CONNECTION_SERVICES]
    return [allow("Connection", actions, [foundation["connection_arn"]])]


def repository(foundation: Foundation, stack: Stack) -> str:
    """The ARN of the stack's repository in CodeCommit."""
    return names.arn(foundation, "codecommit", stack["repository"])


def fetch(foundation: Foundation, stack: Stack) -> list[Statement]:
    """What the source action asks for, of that repository or object alone.

    A bucket's ARN names no account: a bucket that was deleted, and made anew by somebody else, is not read.
    """
    if stack["source"] == names.S3:
        bucket = names.bucket_arn(foundation, stack["source_bucket"])
        ours = {"StringEquals": {"aws:ResourceAccount": foundation["account_id"]}}
        reading = ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"]
        return [
            allow("SourceBucket", reading, [bucket], ours),
            allow("SourceObject", ["s3:GetObject", "s3:GetObjectVersion"], [f"{bucket}/{stack['source_key']}"], ours),
        ]
    if stack["source"] == names.CODECOMMIT:
        actions = [
            "codecommit:CancelUploadArchive",
            "codecommit:GetBranch",
            "codecommit:GetCommit",
            "codecommit:GetRepository",  # of a full clone
            "codecommit:GetUploadArchiveStatus",
            "codecommit:UploadArchive",
        ]
        return [allow("Repository", actions, [repository(foundation, stack)])]
    return [*clone(foundation, stack), upload_source(foundation, stack)]


def kept_aside(foundation: Foundation, stack: Stack) -> Statement:
    """Beside the artifacts: marks of the plans that were used, and states that could not be written."""
    state = f"{names.bucket_arn(foundation, foundation['state_bucket'])}/{stack['state_key']}.errored"
    folders = artifact_folders(foundation, names.deploying_pipelines(foundation, stack))
    resources = [state, *(f"{folder}/{kind}/*" for folder in folders for kind in ("errored", "used"))]
    return allow("KeepAside", ["s3:GetObject", "s3:PutObject"], resources)


def order(foundation: Foundation, stack: Stack, stacks: list[Stack], plan: bool) -> list[Statement]:
    """What the builds do with pipelines: read the own execution, end it where there is nothing to do, look at those
    before, start those after."""

    def pipelines(called: list[str]) -> list[str]:
        return [names.arn(foundation, "codepipeline", name) for name in called]

    own = names.deploying_pipelines(foundation, stack)
    before = [names.pipeline(foundation, other) for other in names.predecessors(stack, stacks)]
    if foundation.get("drift"):
        before.append(names.pipeline(foundation, stack))  # what it has applied last is what drift is measured by
    after = dependents(foundation, stack, stacks)
    statements = []
    reading = ["codepipeline:GetPipelineExecution"] if plan else ["codepipeline:ListActionExecutions"]
    statements.append(allow("OwnExecution", reading, pipelines(own)))
    if plan:
        statements.append(allow("EndWithoutChanges", ["codepipeline:StopPipelineExecution"], pipelines(own)))
    if plan and before:
        statements.append(allow("LookAtOthers", ["codepipeline:ListPipelineExecutions"], pipelines(before)))
    if after:
        statements.append(allow("StartDependents", ["codepipeline:StartPipelineExecution"], pipelines(after)))
    return statements


def inline(
    build: list[Statement],
    state: list[Statement],
    credentials: list[Statement],
    permissions: list[Statement],
    seal: list[Statement],
) -> dict[str, Any]:
    """The inline policies of a build's role, those without a statement left out."""
    parts = {"build": build, "state": state, "credentials": credentials, "stack": permissions, "seal": seal}
    return {name: document(statements) for name, statements in parts.items() if statements}


def review_role(foundation: Foundation, stack: Stack) -> dict[str, Any]:
    """The role of a pull request's plan: it reads, and writes nothing but its log, not even a lock."""
    name = names.project(foundation, stack, "review")
    actions = [
        f"{service}:{action}"
        for service in names.CONNECTION_SERVICES
        for action in ("GetConnection", "GetConnectionToken", "UseConnection")
    ]
    build = [
        allow("Connection", actions, [foundation["connection_arn"]]),
        logs(foundation, [name]),
        allow("Key", ["kms:Decrypt", "kms:DescribeKey"], [foundation["kms_key_arn"]]),
    ]
    reading = state(foundation, stack, write=False, lock=False)
    return {
        "name": names.role(foundation, stack, "review"),
        "description": f"CodeBuild plans pull requests of the Terraform stack {stack['name']}",
        "assume_role_policy": trust(foundation, "codebuild", [names.arn(foundation, "codebuild", f"project/{name}")]),
        "inline_policies": inline(
            build,
            reading,
            credentials(foundation, stack, "review"),
            stack["plan_permissions"],
            own_state_only(foundation, stack, write=False),
        ),
        "managed_policies": managed(foundation, stack["plan_managed_policies"]),
    }


def build_role(foundation: Foundation, stack: Stack, purpose: str, stacks: list[Stack]) -> dict[str, Any]:
    """The role of the plan project, or the one that the apply and destroy projects share."""
    apply = purpose == "apply"
    projects = [names.project(foundation, stack, step) for step in (["apply", "destroy"] if apply else ["plan"])]
    # The plan's build runs code of the commit: it may not replace the source that is applied, nor apply the plan.
    moved = (
        [*artifacts(foundation, stack, ["source", "plan"], []), kept_aside(foundation, stack)]
        if apply
        else artifacts(foundation, stack, ["source"], ["plan", "drift"])
    )
    permissions = stack["plan_permissions"] + (stack["apply_permissions"] if apply else [])
    build = [
        *moved,
        *clone(foundation, stack),
        logs(foundation, projects),
        use_key(foundation),
        *order(foundation, stack, stacks, plan=not apply),
    ]
    written = state(foundation, stack, write=apply)
    policies = stack["plan_managed_policies"] + (stack["apply_managed_policies"] if apply else [])
    sources = [names.arn(foundation, "codebuild", f"project/{project}") for project in projects]
    verb = "applies and destroys" if apply else "plans"
    return {
        "name": names.role(foundation, stack, purpose),
        "description": f"CodeBuild {verb} the Terraform stack {stack['name']}",
        "assume_role_policy": trust(foundation, "codebuild", sources),
        "inline_policies": inline(
            build,
            written,
            credentials(foundation, stack, purpose),
            permissions,
            own_state_only(foundation, stack, write=apply),
        ),
        "managed_policies": managed(foundation, policies),
    }


def pipeline_role(foundation: Foundation, stack: Stack) -> dict[str, Any]:
    """The role of the stack's pipelines."""
    pipelines = names.pipelines(foundation, stack)
    projects = [names.project(foundation, stack, step) for step in ("plan", "apply", "destroy")]
    statements = [
        *fetch(foundation, stack),
        *artifacts(foundation, stack, ["*"], ["*"]),
        use_key(foundation),
        allow(
            "Builds",
            ["codebuild:BatchGetBuilds", "codebuild:StartBuild"],
            [names.arn(foundation, "codebuild", f"project/{project}") for project in projects],
        ),
    ]
    return {
        "name": names.role(foundation, stack, "pipeline"),
        "description": f"CodePipeline runs the pipelines of the Terraform stack {stack['name']}",
        "assume_role_policy": trust(
            foundation, "codepipeline", [names.arn(foundation, "codepipeline", name) for name in pipelines]
        ),
        "inline_policies": {"pipeline": document(statements)},
        "managed_policies": [],
    }


def source_role(foundation: Foundation, stack: Stack) -> dict[str, Any]:
    """The role of the rule that hears of new code: it starts the stack's pipeline, and no other."""
    name = names.source(foundation, stack)
    pipeline = names.arn(foundation, "codepipeline", names.pipeline(foundation, stack))
    return {
        "name": name,
        "description": f"EventBridge starts the pipeline of the Terraform stack {stack['name']}",
        "assume_role_policy": trust(foundation, "events", [names.arn(foundation, "events", f"rule/{name}")]),
        "inline_policies": {
            "source": document([allow("Start", ["codepipeline:StartPipelineExecution"], [pipeline])]),
        },
        "managed_policies": [],
    }


def stack_roles(stacks: list[Stack], foundation: Foundation) -> list[dict[str, Any]]:
    """The roles of all stacks as gitops.aws.iam_roles takes them; those that the user names are left out."""
    result = []
    for stack in stacks:
        common = {
            "permissions_boundary": foundation["permissions_boundary"],
            "tags": names.stack_tags(foundation, stack),
        }
        for purpose in ("plan", "apply"):
            if not stack.get(f"{purpose}_role_arn"):
                result.append({**build_role(foundation, stack, purpose, stacks), **common})
        if not stack.get("pipeline_role_arn"):
            result.append({**pipeline_role(foundation, stack), **common})
        if stack["pull_requests"]:
            result.append({**review_role(foundation, stack), **common})
        if names.has_rule(stack):
            result.append({**source_role(foundation, stack), **common})
    return result
