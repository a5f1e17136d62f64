# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What keeps others from the pipelines' own things: Deny statements for build roles, people and organisations.

The resources' own policies (seal.py) guard state, lock and key. Pipelines, build projects, roles and logs have no such
policies on AWS: here the callers are denied.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names, seal
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation

Statement = dict[str, Any]
Document = dict[str, Any]

RUN_PIPELINES = ["PutApprovalResult", "StartPipelineExecution", "StopPipelineExecution"]
# Actions are matched whatever their case: *TagResource is UntagResource, too.
CHANGE_PIPELINES = [
    "CreatePipeline",
    "DeletePipeline",
    "*StageTransition",
    "OverrideStageCondition",
    "RetryStageExecution",
    "RollbackStage",
    "*TagResource",
    "UpdatePipeline",
]
# A build that somebody starts has the project's role, and whatever commands he overrides the buildspec with.
USE_PROJECTS = [
    "BatchDeleteBuilds",
    "CreateProject",
    "CreateWebhook",
    "Delete*",
    "InvalidateProjectCache",
    "PutResourcePolicy",
    "RetryBuild*",
    "Start*",
    "StopBuild*",
    "Update*",
]
CHANGE_IDENTITIES = [
    "Add*",
    "Attach*",
    "Create*",
    "Delete*",
    "Detach*",
    "PassRole",
    "Put*",
    "Set*",
    "Tag*",
    "Untag*",
    "Update*",
]
CHANGE_LOGS = [
    "Associate*",
    "Delete*",
    "Disassociate*",
    "PutRetentionPolicy",
    "PutSubscriptionFilter",
    "*TagResource",
]
CHANGE_PARAMETERS = [
    "AddTagsToResource",
    "DeleteParameter",
    "DeleteParameters",
    "PutParameter",
    "RemoveTagsFromResource",
]
CHANGE_RULES = ["DeleteRule", "DisableRule", "PutRule", "PutTargets", "RemoveTargets", "*TagResource"]
CHANGE_TOPICS = [
    "AddPermission",
    "DeleteTopic",
    "RemovePermission",
    "SetTopicAttributes",
    "*TagResource",
]
CHANGE_KEY = [
    "CreateGrant",
    "DeleteImportedKeyMaterial",
    "Disable*",
    "PutKeyPolicy",
    "RevokeGrant",
    "ScheduleKeyDeletion",
    "*TagResource",
    "Update*",
]
CHANGE_CONNECTION = ["DeleteConnection", "*TagResource", "UpdateConnectionInstallation"]

# Services in which a person may look at what is there; not at what is in it: objects, parameters, secrets, items.
LOOK_AT = {
    "Describe*": (
        "autoscaling cloudformation cloudwatch dynamodb ec2 ecr ecs eks elasticache elasticfilesystem "
        "elasticloadbalancing events kms logs rds secretsmanager ssm tag"
    ),
    "List*": (
        "cloudformation cloudwatch codebuild codeconnections codepipeline dynamodb ecr ecs eks events iam kms lambda "
        "logs rds route53 s3 secretsmanager sns sqs ssm"
    ),
    "Get*": "cloudwatch codepipeline iam logs route53 tag",
}
LOOK_AT_MORE = [
    "codebuild:BatchGet*",
    "codeconnections:GetConnection",
    "ec2:Get*",
    "iam:Simulate*",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "logs:FilterLogEvents",
    "logs:StartQuery",
    "s3:GetBucket*",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "sns:GetTopicAttributes",
    "sqs:GetQueueAttributes",
    "sts:GetCallerIdentity",
]
OWN_CREDENTIALS = ["iam:ChangePassword", "iam:CreateVirtualMFADevice", "iam:EnableMFADevice", "iam:ResyncMFADevice"]


def boundary_arn(foundation: Foundation) -> str:
    """The permissions boundary that what Terraform makes must have: the user's, or the one made here."""
    return foundation["permissions_boundary"] or names.policy_arn(foundation, "boundary")


def deny(sid: str, service: str, actions: list[str], resources: list[str], **condition: Any) -> Statement:
    """A Deny statement about one service."""
    statement: Statement = {
        "Sid": sid,
        "Effect": "Deny",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": resources,
    }
    return {**statement, "Condition": condition} if condition else statement


def own_things(foundation: Foundation, pipeline_actions: list[str]) -> list[Statement]:
    """Nobody with this changes the estate's pipelines, projects, roles, settings, logs, parameters and alarm.

    The key and the connection have ids of AWS's choice: they are known by their tag, unless the user names them.
    """
    name = foundation["name"]
    ours = {"StringEquals": {f"aws:ResourceTag/{names.OWNER_TAG}": name}}

    def arn(service: str, resource: str) -> str:
        return names.arn(foundation, service, resource)

    def iam(resource: str) -> str:
        return names.arn(foundation, "iam", resource, "")

    roles = [iam(f"role/{name}-*"), foundation["break_glass_role_arn"], *foundation["installers"]]
    identities = sorted({*roles, iam(f"policy/{name}-*")})
    buckets = [names.bucket_arn(foundation, foundation[f"{kind}_bucket"]) for kind in ("state", "artifact")]
    group = arn("logs", f"log-group:{foundation['log_group']}")
    table = arn("dynamodb", f"table/{foundation['lock_table']}")
    settings: Statement = {"Sid": "Buckets", "Effect": "Deny", "NotAction": seal.READING_S3, "Resource": buckets}
    table_settings = [action.partition(":")[2] for action in seal.TABLE_SETTINGS]
    named_key, named_connection = foundation["kms_key_arn"], foundation["named_connection_arn"]
    return [
        deny("Pipelines", "codepipeline", pipeline_actions, [arn("codepipeline", f"{name}-*")]),
        deny("Projects", "codebuild", USE_PROJECTS, [arn("codebuild", f"project/{name}-*")]),
        deny("Identities", "iam", CHANGE_IDENTITIES, identities),
        deny("Roles", "sts", ["AssumeRole", "TagSession"], [iam(f"role/{name}-*"), foundation["break_glass_role_arn"]]),
        settings,
        deny("Table", "dynamodb", table_settings, [table]),
        deny("Key", "kms", CHANGE_KEY, [named_key or arn("kms", "key/*")], **({} if named_key else ours)),
        deny("Logs", "logs", CHANGE_LOGS, [group, f"{group}:*"]),
        deny("Parameters", "ssm", CHANGE_PARAMETERS, [arn("ssm", f"parameter/{name}/*")]),
        deny("AlarmRule", "events", CHANGE_RULES, [arn("events", f"rule/{name}-*")]),
        deny("AlarmTopic", "sns", CHANGE_TOPICS, [arn("sns", f"{name}-alarms")]),
        deny(
            "Connection",
            "codeconnections",
            CHANGE_CONNECTION,
            [named_connection or arn("codeconnections", "connection/*")],
            **({} if named_connection else ours),
        ),
    ]


def bounded(foundation: Foundation) -> list[Statement]:
    """Who has this makes no identity that may do more than himself: none without the boundary, no key of another's."""
    unbounded = {"StringNotEquals": {"iam:PermissionsBoundary": boundary_arn(foundation)}}
    give = ["AttachRolePolicy", "AttachUserPolicy", "CreateRole", "CreateUser", "PutRolePermissionsBoundary"]
    give += ["PutRolePolicy", "PutUserPermissionsBoundary", "PutUserPolicy"]
    take_off = ["DeleteRolePermissionsBoundary", "DeleteUserPermissionsBoundary"]
    keys = ["CreateAccessKey", "CreateLoginProfile", "UpdateLoginProfile"]
    return [
        deny("OnlyBounded", "iam", give, ["*"], **unbounded),
        deny("BoundaryStays", "iam", [*take_off, *keys], ["*"]),
    ]


def document(statements: list[Statement]) -> Document:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": statements}


def seal_policy(foundation: Foundation) -> Document:
    """What the build roles are denied, whatever their stack's permissions allow: the pipelines and themselves."""
    # They end and start executions: their own and those of stacks that come after.
    approve = ["PutApprovalResult"]
    return document([*own_things(foundation, sorted([*CHANGE_PIPELINES, *approve])), *bounded(foundation)])


def boundary_policy(foundation: Foundation) -> Document:
    """The permissions boundary of roles and users that Terraform makes: everything but the pipelines' own things."""
    allow = {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}
    sealed = own_things(foundation, sorted([*CHANGE_PIPELINES, *RUN_PIPELINES]))
    return document([allow, *sealed, *bounded(foundation)])


def looking() -> list[str]:
    """The actions with which a person sees what there is."""
    return sorted(
        [*(f"{service}:{verb}" for verb, services in LOOK_AT.items() for service in services.split()), *LOOK_AT_MORE]
    )


def developer_policy(foundation: Foundation) -> Document:
    """What people in the account may do who deploy through Git: look. As a managed policy, or as their boundary.

    The Deny statements hold whatever else is attached to them.
    """
    own_user = names.arn(foundation, "iam", "user/${aws:username}", "")
    own_device = names.arn(foundation, "iam", "mfa/*", "")
    look = {"Sid": "Look", "Effect": "Allow", "Action": looking(), "Resource": "*"}
    credentials = {
        "Sid": "OwnCredentials",
        "Effect": "Allow",
        "Action": OWN_CREDENTIALS,
        "Resource": [own_device, own_user],
    }
    buckets = [names.bucket_arn(foundation, foundation[f"{kind}_bucket"]) for kind in ("state", "artifact")]
    contents = [f"{bucket}/*" for bucket in buckets]
    parameters = [names.arn(foundation, "ssm", f"parameter/{foundation['name']}/*")]
    table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
    return document(
        [
            look,
            credentials,
            *_together(
                [
                    *own_things(foundation, sorted([*CHANGE_PIPELINES, *RUN_PIPELINES])),
                    deny("Contents", "s3", ["*Object*"], contents),
                    deny("Secrets", "ssm", ["GetParameter*"], parameters),
                    deny("Locks", "dynamodb", [action.partition(":")[2] for action in seal.WRITING_ITEMS], [table]),
                ]
            ),
        ]
    )


def spared(foundation: Foundation) -> dict[str, Any]:
    """The condition of an organisation's policy: the caller is no role of the estate, installer or break-glass role."""
    ours = names.arn(foundation, "iam", f"role/{foundation['name']}-*", "")
    return seal.spared(foundation, [ours, *foundation["installers"]])


def service_control_policies(foundation: Foundation) -> dict[str, Document]:
    """For the organisation's administrator: what no principal of the account may do, its administrators included."""
    # Who runs and approves is the business of IAM policies.
    things = own_things(foundation, CHANGE_PIPELINES)
    people = [
        f"arn:{foundation['partition']}:iam::*:{one}" for one in ("user/*", "role/aws-reserved/sso.amazonaws.com/*")
    ]
    others = spared(foundation)
    return {
        "scp_pipeline": document(_together(things, others)),
        "scp_people": document(
            [
                {
                    "Sid": "PeopleOnlyLook",
                    "Effect": "Deny",
                    "NotAction": sorted([*looking(), *OWN_CREDENTIALS, "codepipeline:*", "sts:*"]),
                    "Resource": "*",
                    "Condition": {"ArnLike": {"aws:PrincipalArn": people}, **others},
                }
            ]
        ),
    }


def resource_control_policy(foundation: Foundation) -> Document:
    """For the organisation's administrator: what nobody, of whatever account, may do with buckets, key and roles."""
    buckets = [names.bucket_arn(foundation, foundation[f"{kind}_bucket"]) for kind in ("state", "artifact")]
    roles = [
        names.arn(foundation, "iam", f"role/{foundation['name']}-*-{purpose}", "")
        for purpose in ("apply", "pipeline", "plan", "review")
    ]
    ours = {"StringEquals": {f"aws:ResourceTag/{names.OWNER_TAG}": foundation["name"]}}
    named = foundation["kms_key_arn"]
    others = seal.spared(foundation, [*roles, *foundation["installers"], *foundation["state_readers"]])

    def statement(sid: str, actions: list[str], resources: list[str], condition: dict[str, Any]) -> Statement:
        return {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": actions,
            "Resource": resources,
            "Condition": condition,
        }

    everything = [*buckets, *(f"{bucket}/*" for bucket in buckets)]
    return document(
        [
            statement("Buckets", ["s3:*"], everything, others),
            statement("PlainHttp", ["s3:*"], everything, {"Bool": {"aws:SecureTransport": "false"}}),
            statement(
                "Key",
                ["kms:*"],
                [named or names.arn(foundation, "kms", "key/*")],
                others if named else {**others, **ours},
            ),
            # Only CodeBuild and CodePipeline act as them.
            statement("BuildRoles", ["sts:AssumeRole"], roles, {"Bool": {"aws:PrincipalIsAWSService": "false"}}),
        ]
    )


def _together(statements: list[Statement], others: dict[str, Any] | None = None) -> list[Statement]:
    """The same in fewer characters: statements with the same condition are one; `others` is added to each condition.

    Every action is one of a service, and every resource, too: together they deny no more than apart. Not so those of
    STS, which act on IAM's roles.
    """
    result: list[Statement] = []
    merged: dict[str, Statement] = {}  # by condition
    for statement in statements:
        condition = {**statement.get("Condition", {}), **(others or {})}
        which = str(condition)
        if "Action" not in statement or statement["Action"][0].startswith("sts:"):
            result.append({**statement, **({"Condition": condition} if condition else {})})
        elif which in merged:
            merged[which]["Action"] = [*merged[which]["Action"], *statement["Action"]]
            merged[which]["Resource"] = [*merged[which]["Resource"], *statement["Resource"]]
        else:
            sid = f"OwnThings{len(merged) or ''}"
            merged[which] = {**statement, "Sid": sid, **({"Condition": condition} if condition else {})}
            result.append(merged[which])
    for statement in result:
        statement["Resource"] = list(dict.fromkeys(statement["Resource"]))
    return result
