# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What people need: who installs the pipelines, who runs them, and who recovers their states."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import Statement, allow, document

ANYTHING = "*"  # only where AWS knows no resource-level permission, or gives the resource its name itself


def via_services(foundation: Foundation, *services: str) -> dict[str, list[str]]:
    """The condition that a key is used through these services of the region."""
    suffix = "amazonaws.com.cn" if foundation["partition"] == "aws-cn" else "amazonaws.com"
    return {"kms:ViaService": [f"{service}.{foundation['region']}.{suffix}" for service in services]}


def key_statements(foundation: Foundation) -> list[Statement]:
    """Making and keeping the estate's key, and using it through the services that encrypt with it.

    A key's id is AWS's choice, so that the key is known by its tag; one that the user names is only used.
    """
    name = foundation["name"]
    via = via_services(foundation, "dynamodb", "s3", "ssm")
    use = [
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ]
    for_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    if foundation["kms_key_arn"]:
        keys = [foundation["kms_key_arn"]]
        return [
            allow("ReadKey", ["kms:DescribeKey"], keys),
            allow("UseKey", use, keys, {"StringEquals": via}),
            allow("GrantKey", ["kms:CreateGrant"], keys, for_aws),
        ]
    keys = [names.arn(foundation, "kms", "key/*")]
    ours = {f"aws:ResourceTag/{names.OWNER_TAG}": name}
    manage = [
        "kms:DisableKeyRotation",
        "kms:EnableKeyRotation",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:UpdateKeyDescription",
    ]
    alias = ["kms:CreateAlias", "kms:DeleteAlias"]
    new = {"StringEquals": {f"aws:RequestTag/{names.OWNER_TAG}": name}}
    return [
        allow("NewKey", ["kms:CreateKey", "kms:TagResource"], [ANYTHING], new),
        allow("ReadKeys", ["kms:DescribeKey", "kms:GetKeyRotationStatus", "kms:ListResourceTags"], keys),
        allow("KeyAlias", alias, [names.arn(foundation, "kms", f"alias/{name}")]),
        allow("ManageKey", [*alias, *manage], keys, {"StringEquals": ours}),
        allow("UseKey", use, keys, {"StringEquals": {**ours, **via}}),
        allow("GrantKey", ["kms:CreateGrant"], keys, {"StringEquals": ours, **for_aws}),
    ]


def bucket_statements(made: list[str]) -> list[Statement]:
    """Making and keeping the buckets, nothing for those that exist already."""
    actions = [
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:DeleteBucketPolicy",
        "s3:GetBucketOwnershipControls",
        "s3:GetBucketPolicy",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
    ]
    return [allow("Buckets", actions, made)] if made else []


def objects(foundation: Foundation, made: list[str]) -> list[Statement]:
    """teardown.yml reads which resources the states still hold, and empties the buckets that were made."""
    statements = []
    if made:
        actions = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject"]
        statements.append(allow("Objects", actions, [f"{arn}/*" for arn in made]))
    state = names.bucket_arn(foundation, foundation["state_bucket"])
    if state not in made:
        statements.append(allow("ReadStates", ["s3:GetObject", "s3:ListBucket"], [state, f"{state}/*"]))
    return statements


def lock_table(foundation: Foundation) -> list[Statement]:
    """Making and keeping the lock table, nothing where it exists already."""
    if "lock_table" in foundation["existing"]:
        return []
    actions = [
        "dynamodb:CreateTable",
        "dynamodb:DeleteTable",
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:DescribeTable",
        "dynamodb:ListTagsOfResource",
        "dynamodb:TagResource",
        "dynamodb:UntagResource",
        "dynamodb:UpdateContinuousBackups",
        "dynamodb:UpdateTable",
    ]
    return [allow("LockTable", actions, [names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")])]


def role_statements(foundation: Foundation, own_roles: list[str]) -> list[Statement]:
    """Making and keeping the stacks' roles.

    Who may write a role's policies can give it anything. With a permissions boundary in the settings, these actions
    are allowed only on roles that have it, and it cannot be taken off.
    """
    keep = [
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfilesForRole",
        "iam:ListRolePolicies",
        "iam:TagRole",
        "iam:UntagRole",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateRole",
    ]
    give = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    boundary = foundation.get("permissions_boundary")
    if not boundary:
        return [allow("Roles", sorted([*keep, *give, "iam:DeleteRolePermissionsBoundary"]), own_roles)]
    bounded = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    return [allow("Roles", keep, own_roles), allow("BoundedRoles", give, own_roles, bounded)]


def installer_policy(foundation: Foundation, stacks: list[Stack]) -> dict[str, Any]:
    """What site.yml and teardown.yml need, for an estate with this name, account and region.

    Wildcards stand where AWS chooses the id (keys, connections) and where an action has no resource-level permission.
    The stacks add what the estate's name does not cover: roles and parameters that the user names.
    """
    name = foundation["name"]
    buckets = [
        names.bucket_arn(foundation, foundation[part])
        for part in ("state_bucket", "artifact_bucket")
        if part not in foundation["existing"]
    ]
    own_roles = [names.arn(foundation, "iam", f"role/{name}-*", "")]
    named_roles = {
        stack[f"{purpose}_role_arn"]
        for stack in stacks
        for purpose in names.PURPOSES
        if stack.get(f"{purpose}_role_arn")
    }
    parameters = {
        stack[option].lstrip("/")
        for stack in stacks
        for option in ("access_key_id_parameter", "secret_access_key_parameter")
        if stack["access_keys_csv"] and not stack[option].startswith(f"/{name}/")
    }
    connections = [
        names.arn(foundation, service, "connection/*") for service in ("codeconnections", "codestar-connections")
    ]
    services = ["codebuild.amazonaws.com", "codepipeline.amazonaws.com"]
    return document(
        [
            allow(
                "ReadAcrossTheAccount",
                [
                    "codeconnections:ListConnections",
                    "iam:GetAccountAuthorizationDetails",
                    "iam:ListRoles",
                    "logs:DescribeLogGroups",
                    "ssm:DescribeParameters",
                    "tag:GetResources",
                ],
                [ANYTHING],
            ),
            allow("NewConnections", ["codeconnections:CreateConnection"], [ANYTHING]),
            *key_statements(foundation),
            *bucket_statements(buckets),
            *objects(foundation, buckets),
            *lock_table(foundation),
            allow(
                "LogGroup",
                [
                    "logs:CreateLogGroup",
                    "logs:DeleteLogGroup",
                    "logs:DeleteRetentionPolicy",
                    "logs:ListTagsForResource",
                    "logs:PutRetentionPolicy",
                    "logs:TagResource",
                    "logs:UntagResource",
                ],
                [
                    names.arn(foundation, "logs", f"log-group:{foundation['log_group']}{suffix}")
                    for suffix in ("", ":*")
                ],
            ),
            allow(
                "Parameters",
                [
                    "ssm:AddTagsToResource",
                    "ssm:DeleteParameter",
                    "ssm:GetParameters",
                    "ssm:ListTagsForResource",
                    "ssm:PutParameter",
                    "ssm:RemoveTagsFromResource",
                ],
                [names.arn(foundation, "ssm", f"parameter/{one}") for one in [f"{name}/*", *sorted(parameters)]],
            ),
            *role_statements(foundation, own_roles),
            allow(
                "PassRoles",
                ["iam:PassRole"],
                [*own_roles, *sorted(named_roles)],
                {"StringEquals": {"iam:PassedToService": services}},
            ),
            allow(
                "Connections",
                [
                    f"{service}:{action}"
                    for service in ("codeconnections", "codestar-connections")
                    for action in (
                        "DeleteConnection",
                        "ListTagsForResource",
                        "PassConnection",
                        "TagResource",
                        "UntagResource",
                        "UseConnection",
                    )
                ],
                connections,
            ),
            allow(
                "Projects",
                [
                    f"codebuild:{action}"
                    for action in (
                        "BatchGetProjects",
                        "CreateProject",
                        "CreateWebhook",
                        "DeleteProject",
                        "DeleteWebhook",
                        "UpdateProject",
                        "UpdateWebhook",
                    )
                ],
                [names.arn(foundation, "codebuild", f"project/{name}-*")],
            ),
            allow(
                "Pipelines",
                [
                    "codepipeline:CreatePipeline",
                    "codepipeline:DeletePipeline",
                    "codepipeline:GetPipeline",
                    "codepipeline:ListTagsForResource",
                    "codepipeline:TagResource",
                    "codepipeline:UntagResource",
                    "codepipeline:UpdatePipeline",
                ],
                [names.arn(foundation, "codepipeline", f"{name}-*")],
            ),
        ]
    )


def operator_policy(foundation: Foundation) -> dict[str, Any]:
    """What run.yml and destroy.yml need: starting pipelines, following them, approving. No secrets, no state."""
    pipelines = names.arn(foundation, "codepipeline", f"{foundation['name']}-*")
    group = names.arn(foundation, "logs", f"log-group:{foundation['log_group']}")
    return document(
        [
            allow(
                "Pipelines",
                [
                    "codepipeline:GetPipeline",
                    "codepipeline:GetPipelineExecution",
                    "codepipeline:GetPipelineState",
                    "codepipeline:ListActionExecutions",
                    "codepipeline:ListPipelineExecutions",
                    "codepipeline:PutApprovalResult",
                    "codepipeline:StartPipelineExecution",
                ],
                [pipelines],
            ),
            allow(
                "Builds",
                ["codebuild:BatchGetBuilds"],
                [names.arn(foundation, "codebuild", f"project/{foundation['name']}-*")],
            ),
            allow("Logs", ["logs:GetLogEvents"], [group, f"{group}:log-stream:*"]),
        ]
    )


def recovery_policy(foundation: Foundation) -> dict[str, Any]:
    """What unlock.yml and restore_state.yml need: looking at builds, and the states with their locks.

    Who has it reads every state of the estate, secrets and all, and can replace each by another version; no version is
    ever deleted.
    """
    name = foundation["name"]
    state, artifacts = (names.bucket_arn(foundation, foundation[f"{part}_bucket"]) for part in ("state", "artifact"))
    # The folders of artifacts are named by the beginning of the pipelines' names.
    rescued = f"{artifacts}/{f'{name}-'[: names.ARTIFACT_FOLDER]}*/errored/*"
    group = names.arn(foundation, "logs", f"log-group:{foundation['log_group']}")
    named = foundation["kms_key_arn"]
    via = via_services(foundation, "dynamodb", "s3")
    ours = {} if named else {f"aws:ResourceTag/{names.OWNER_TAG}": name}
    keys = [named or names.arn(foundation, "kms", "key/*")]
    statements = [
        allow(
            "Builds",
            ["codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject"],
            [names.arn(foundation, "codebuild", f"project/{name}-*")],
        ),
        allow("Logs", ["logs:GetLogEvents"], [group, f"{group}:log-stream:*"]),
        allow("Buckets", ["s3:ListBucket"], [state, artifacts]),
        allow("Versions", ["s3:ListBucketVersions"], [state]),
        allow("States", ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], [f"{state}/*"]),
        allow("LocksAndRescued", ["s3:DeleteObject"], [f"{state}/*.tflock", f"{state}/*.errored", rescued]),
        allow("Rescued", ["s3:GetObject"], [rescued]),
        allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], keys, {"StringEquals": {**ours, **via}}),
    ]
    if not named:
        statements.append(allow("FindKey", ["kms:DescribeKey"], keys))
    if "dynamodb" in foundation["locking"]:
        statements.append(
            allow(
                "LockTable",
                ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"],
                [names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")],
                {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{foundation['state_bucket']}/*"]}},
            )
        )
    return document(statements)
