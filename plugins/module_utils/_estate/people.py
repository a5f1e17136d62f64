# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What people need who run the pipelines, and who recover their states."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import allow, document


def via_services(foundation: Foundation, *services: str) -> dict[str, list[str]]:
    """The condition that a key is used through these services of the region."""
    suffix = "amazonaws.com.cn" if foundation["partition"] == "aws-cn" else "amazonaws.com"
    return {"kms:ViaService": [f"{service}.{foundation['region']}.{suffix}" for service in services]}


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
    state, artifacts = names.buckets(foundation)
    # The folders of artifacts are named by the beginning of the pipelines' names.
    rescued = f"{artifacts}/{f'{name}-'[: names.ARTIFACT_FOLDER]}*/errored/*"
    group = names.arn(foundation, "logs", f"log-group:{foundation['log_group']}")
    named = foundation["named_key_arn"]
    via = via_services(foundation, "dynamodb", "s3")
    ours = {} if named else names.of_estate(foundation)
    keys = names.keys(foundation)
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
