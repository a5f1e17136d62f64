# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Who only looks: what doctor.yml compares AWS with, and the policy of who runs it."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.people import via_services
from ansible_collections.gitops.aws.plugins.module_utils._estate.pipelines import REVIEW, ROLES, STEPS
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import allow, document, stack_roles
from ansible_collections.gitops.aws.plugins.module_utils._estate.states import stack_states

ANYTHING = "*"  # only where AWS knows no resource-level permission


def stack_expectations(stacks: list[Stack], foundation: Foundation) -> list[dict[str, Any]]:
    """What the runs of each stack need, as gitops.aws.pipeline_diagnosis_info takes it.

    A role that the user names is listed with the policies that ours would have: it needs the same.
    """
    ours = [{**stack, **{f"{purpose}_role_arn": None for purpose in names.PURPOSES}} for stack in stacks]
    rendered = {role["name"]: role for role in stack_roles(ours, foundation)}
    states = {each["stack"]: each["state"] for each in stack_states(stacks, foundation)}
    result = []
    for stack in stacks:
        purposes = [*names.PURPOSES, *([REVIEW] if stack["pull_requests"] else [])]
        steps = [*STEPS, *([REVIEW] if stack["pull_requests"] else [])]
        parameters = [stack["access_key_id_parameter"], stack["secret_access_key_parameter"]]
        result.append(
            {
                "name": stack["name"],
                "roles": [
                    {
                        "purpose": purpose,
                        "arn": names.role_arn(foundation, stack, purpose),
                        "made": not stack.get(f"{purpose}_role_arn"),
                        **{
                            part: rendered[names.role(foundation, stack, purpose)][part]
                            for part in ("assume_role_policy", "inline_policies", "managed_policies")
                        },
                    }
                    for purpose in purposes
                ],
                "projects": [
                    {"name": names.project(foundation, stack, step), "purpose": ROLES[step]} for step in steps
                ],
                "pipelines": names.pipelines(foundation, stack),
                "parameters": parameters if stack["credentials"] == "parameter_store" else [],
                "state": states[stack["name"]],
            }
        )
    return result


def doctor_policy(foundation: Foundation) -> dict[str, Any]:
    """What doctor.yml needs: reading settings, executions, logs and locks. No state, no secret, nothing to change."""
    name = foundation["name"]
    state, artifacts = names.buckets(foundation)
    group = names.arn(foundation, "logs", f"log-group:{foundation['log_group']}")
    named = foundation["named_key_arn"]
    keys = names.keys(foundation)
    ours = {} if named else names.of_estate(foundation)
    statements = [
        allow(
            "ReadAcrossTheAccount",
            [
                "codeconnections:ListConnections",
                "iam:GetAccountAuthorizationDetails",
                "logs:DescribeLogGroups",
                "ssm:DescribeParameters",
            ],
            [ANYTHING],
        ),
        allow(
            "Connections",
            ["codeconnections:GetConnection", "codestar-connections:GetConnection"],
            names.connections(foundation),
        ),
        # Pipelines and projects may use another key than they should, which is what is looked for.
        allow(
            "Keys",
            ["kms:DescribeKey", "kms:GetKeyPolicy"],
            [names.arn(foundation, "kms", "key/*"), *filter(None, [named])],
        ),
        allow(
            "Buckets",
            ["s3:GetBucketPolicy", "s3:GetEncryptionConfiguration", "s3:ListBucket"],
            [state, artifacts],
        ),
        allow(
            "Pipelines",
            [
                "codepipeline:GetPipeline",
                "codepipeline:GetPipelineExecution",
                "codepipeline:ListActionExecutions",
                "codepipeline:ListPipelineExecutions",
            ],
            [names.arn(foundation, "codepipeline", f"{name}-*")],
        ),
        allow(
            "Builds",
            ["codebuild:BatchGetBuilds", "codebuild:BatchGetProjects", "codebuild:ListBuildsForProject"],
            [names.arn(foundation, "codebuild", f"project/{name}-*")],
        ),
        allow("Logs", ["logs:GetLogEvents"], [group, f"{group}:log-stream:*"]),
    ]
    locking = []
    if "lockfile" in foundation["locking"]:
        locking.append(allow("LockFiles", ["s3:GetObject"], [f"{state}/*.tflock"]))
    if "dynamodb" in foundation["locking"]:
        locking.append(
            allow(
                "LockTable",
                ["dynamodb:BatchGetItem"],
                [names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")],
                {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{foundation['state_bucket']}/*"]}},
            )
        )
    decrypt = allow(
        "ReadLocks", ["kms:Decrypt"], keys, {"StringEquals": {**ours, **via_services(foundation, "dynamodb", "s3")}}
    )
    return document([*statements, *locking, decrypt])


def reporter_policy(foundation: Foundation) -> dict[str, Any]:
    """What report.yml needs: executions, logs of builds, locks, and what the newest scan of the account found.

    No state, no secret.

    In a sealed estate the buckets' policies let installers and state_readers read what was found, and nobody else: to
    others the report says how much it is, and that they may not read it.
    """
    name = foundation["name"]
    state, artifacts = names.buckets(foundation)
    named = foundation["named_key_arn"]
    keys = names.keys(foundation)
    ours = {} if named else names.of_estate(foundation)
    looking = [names.central(foundation), f"{name}-*-drift"] if foundation.get("drift") else []
    group = names.arn(foundation, "logs", f"log-group:{foundation['log_group']}")
    statements = [
        allow(
            "Runs",
            ["codepipeline:GetPipelineState", "codepipeline:ListPipelineExecutions"],
            [names.arn(foundation, "codepipeline", f"{name}-*")],
        ),
        allow("Builds", ["codebuild:BatchGetBuilds"], [names.arn(foundation, "codebuild", f"project/{name}-*")]),
        allow("Logs", ["logs:GetLogEvents"], [group, f"{group}:log-stream:*"]),
    ]
    if looking:
        drift = [names.arn(foundation, "codepipeline", one) for one in looking]
        (folder,) = names.artifact_folders([names.central(foundation)])
        statements.append(allow("Drift", ["codepipeline:ListActionExecutions"], drift))
        statements.append(allow("Findings", ["s3:GetObject"], [f"{artifacts}/{folder}/scan/*"]))
    if "lockfile" in foundation["locking"]:
        statements.append(allow("FindLockFiles", ["s3:ListBucket"], [state]))
        statements.append(allow("LockFiles", ["s3:GetObject"], [f"{state}/*.tflock"]))
    if "dynamodb" in foundation["locking"]:
        table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
        statements.append(allow("LockTable", ["dynamodb:Scan"], [table]))
    via = via_services(foundation, "dynamodb", "s3")
    statements.append(allow("Decrypt", ["kms:Decrypt"], keys, {"StringEquals": {**ours, **via}}))
    return document(statements)


def verifier_policy(foundation: Foundation) -> dict[str, Any]:
    """What verify.yml needs: asking IAM, and reading projects and the policies of bucket, table, key and roles."""
    name = foundation["name"]
    ours = None if foundation["named_key_arn"] else {"StringEquals": names.of_estate(foundation)}
    roles = [names.arn(foundation, "iam", f"role/{name}-*", ""), foundation["break_glass_role_arn"]]
    # Whose own rights are to be tried, -e developer=role/Developers, is said when it is run.
    anybody = [names.arn(foundation, "iam", f"{kind}/*", "") for kind in ("role", "user")]
    return document(
        [
            allow(
                "AskIam",
                ["codeconnections:ListConnections", "iam:SimulateCustomPolicy", "tag:GetResources"],
                [ANYTHING],
            ),
            allow("Connections", ["codeconnections:ListTagsForResource"], names.connections(foundation)),
            allow(
                "Pipelines",
                ["codepipeline:GetPipeline", "codepipeline:ListTagsForResource"],
                [names.arn(foundation, "codepipeline", f"{name}-*")],
            ),
            allow("AskAboutPeople", ["iam:SimulatePrincipalPolicy"], anybody),
            allow("ReadRoles", ["iam:GetRole"], sorted({*roles})),
            allow(
                "Buckets",
                ["s3:GetBucketPolicy"],
                names.buckets(foundation),
            ),
            allow(
                "Table",
                ["dynamodb:GetResourcePolicy"],
                [names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")],
            ),
            allow(
                "Projects", ["codebuild:BatchGetProjects"], [names.arn(foundation, "codebuild", f"project/{name}-*")]
            ),
            allow(
                "Key",
                ["kms:DescribeKey", "kms:GetKeyPolicy"],
                names.keys(foundation),
                ours,
            ),
        ]
    )
