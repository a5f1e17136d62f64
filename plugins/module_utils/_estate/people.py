# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What people need: who installs the pipelines, and who runs them."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import allow, document

ANYTHING = "*"  # only where AWS knows no resource-level permission, or gives the resource its name itself


def installer_policy(foundation: Foundation, stacks: list[Stack]) -> dict[str, Any]:
    """What site.yml and teardown.yml need, for an estate with this name, account and region.

    Wildcards stand where AWS chooses the id (keys, connections) and where an action has no resource-level permission.
    The stacks add what the estate's name does not cover: roles and parameters that the user names.
    """
    name = foundation["name"]
    buckets = [names.bucket_arn(foundation, foundation[key]) for key in ("state_bucket", "artifact_bucket")]
    keys = [names.arn(foundation, "kms", "key/*")]
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
            allow("NewKeysAndConnections", ["codeconnections:CreateConnection", "kms:CreateKey"], [ANYTHING]),
            allow(
                "Keys",
                [
                    "kms:CreateAlias",
                    "kms:CreateGrant",
                    "kms:Decrypt",
                    "kms:DeleteAlias",
                    "kms:DescribeKey",
                    "kms:DisableKeyRotation",
                    "kms:EnableKeyRotation",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:GetKeyRotationStatus",
                    "kms:ListResourceTags",
                    "kms:ScheduleKeyDeletion",
                    "kms:TagResource",
                    "kms:UntagResource",
                    "kms:UpdateKeyDescription",
                ],
                [*keys, names.arn(foundation, "kms", f"alias/{name}")],
            ),
            allow(
                "Buckets",
                [
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
                ],
                buckets,
            ),
            # teardown.yml reads which resources the states still hold, and empties the buckets.
            allow(
                "Objects",
                ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject"],
                [f"{arn}/*" for arn in buckets],
            ),
            allow(
                "LockTable",
                [
                    "dynamodb:CreateTable",
                    "dynamodb:DeleteTable",
                    "dynamodb:DescribeContinuousBackups",
                    "dynamodb:DescribeTable",
                    "dynamodb:ListTagsOfResource",
                    "dynamodb:TagResource",
                    "dynamodb:UntagResource",
                    "dynamodb:UpdateContinuousBackups",
                    "dynamodb:UpdateTable",
                ],
                [names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")],
            ),
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
            allow(
                "Roles",
                [
                    "iam:AttachRolePolicy",
                    "iam:CreateRole",
                    "iam:DeleteRole",
                    "iam:DeleteRolePermissionsBoundary",
                    "iam:DeleteRolePolicy",
                    "iam:DetachRolePolicy",
                    "iam:GetRole",
                    "iam:GetRolePolicy",
                    "iam:ListAttachedRolePolicies",
                    "iam:ListInstanceProfilesForRole",
                    "iam:ListRolePolicies",
                    "iam:PutRolePermissionsBoundary",
                    "iam:PutRolePolicy",
                    "iam:TagRole",
                    "iam:UntagRole",
                    "iam:UpdateAssumeRolePolicy",
                    "iam:UpdateRole",
                ],
                own_roles,
            ),
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
                    for action in ("BatchGetProjects", "CreateProject", "DeleteProject", "UpdateProject")
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
