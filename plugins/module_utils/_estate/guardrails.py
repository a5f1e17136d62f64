# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What keeps others from the pipelines' own things: Deny statements for build roles and for people.

The resources' own policies (seal.py) guard state, lock and key. Pipelines, build projects, roles and logs have no such
policies on AWS: here the callers are denied.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names, seal
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import Statement, allow, document
from ansible_collections.gitops.aws.plugins.module_utils._notices import model

Document = dict[str, Any]

RUN_PIPELINES = ["PutApprovalResult", "St*PipelineExecution"]
# *agResource is TagResource and UntagResource, *tePipeline is creating, deleting and updating one, and so on: policies
# must be short.
CHANGE_PIPELINES = ["*ableStageTransition", "*agResource", "*tePipeline", "OverrideStageCondition", "R*Stage*"]
# A build that somebody starts has the project's role, and whatever commands he overrides the buildspec with.
USE_PROJECTS = [
    "BatchDeleteBuilds",
    "CreateProject",
    "CreateWebhook",
    "Delete*",
    "Invalidate*",
    "Put*",
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
CHANGE_LOGS = ["*agResource", "Associate*", "Delete*", "Disassociate*", "Put*Policy", "PutSubscriptionFilter"]
CHANGE_PARAMETERS = [
    "*abelParameterVersion",
    "AddTagsToResource",
    "DeleteParameter*",
    "PutParameter",
    "RemoveTagsFromResource",
]
CHANGE_RULES = ["*agResource", "DeleteRule", "DisableRule", "PutRule", "PutTargets", "RemoveTargets"]
CHANGE_SCHEDULES = ["*agResource", "Create*", "Delete*", "Update*"]
# Publishing, too, and who listens.
CHANGE_TOPICS = ["*Permission", "*agResource", "*ubscribe", "DeleteTopic", "P*", "Set*"]
# Of what tells people: a notice is to be trusted, and to arrive.
CHANGE_NOTICES = {
    "states": ["*agResource", "Delete*", "R*Execution", "St*Execution", "Update*"],
    "sqs": ["*Message*", "*Permission", "*agQueue", "Delete*", "Purge*", "Set*"],
    "cloudwatch": ["*agResource", "Delete*", "Disable*", "Put*", "Set*"],
    "events": ["Dea*", "DeleteA*", "DeleteC*", "Invoke*", "Update*"],
    "secretsmanager": ["*Value", "Delete*", "P*", "R*", "Update*"],
}
# Of that, what a policy of people has room for.
READ_SECRETS = {"secretsmanager": ["*Value"]}
CHANGE_BUCKET = ["CreateAccessPoint", "CreateBucket", "Delete*", "Put*"]
CHANGE_KEY = [
    "*agResource",
    "CreateGrant",
    "DeleteImportedKeyMaterial",
    "Disable*",
    "PutKeyPolicy",
    "RevokeGrant",
    "ScheduleKeyDeletion",
    "Update*",
]
# What people do with the code in a repository: nothing with the repository itself, its default branch, triggers, tags
# and approval rules. *eBranch is CreateBranch and DeleteBranch, *Stat* a pull request's status and approval, and so on.
WORK_WITH_CODE = [
    f"codecommit:{action}"
    for action in (
        "*Comment*",
        "*Commit",
        "*Describe*",
        "*File",
        "*Get*",
        "*PullRequest",
        "*Stat*",
        "*Title",
        "*eBranch",
        "*stDescription",
        "Evaluate*",
        "Git*",
        "ListB*",
        "ListF*",
        "ListP*",
        "Merge*",
    )
]
# Pipelines read a repository with the actions for archives.
READ_CODE = [f"codecommit:{action}" for action in ("*Describe*", "*Get*", "*UploadArchive", "GitPull", "List*")]
CHANGE_CONNECTION = ["DeleteConnection", "TagResource", "UntagResource", "UpdateConnectionInstallation"]

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
    "codecommit:ListRepositories",
    "codeconnections:GetConnection",
    "iam:Simulate*",
    "kms:GetKey*",
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


def own_things(
    foundation: Foundation,
    stacks: list[Stack],
    pipeline_actions: list[str],
    notices: dict[str, list[str]] | None = None,
) -> list[Statement]:
    """Nobody with this changes the estate's pipelines, projects, roles, settings, logs, parameters and alarm.

    Whoever can change an installer, or a boundary that bounds others, can be it: they count as the estate's own. The
    key and the connection have ids of AWS's choice: they are known by their tag, unless the user names them.
    """
    name = foundation["name"]
    ours = {"StringEquals": names.of_estate(foundation)}

    def arn(service: str, resource: str) -> str:
        return names.arn(foundation, service, resource)

    def iam(resource: str) -> str:
        return names.arn(foundation, "iam", resource, "")

    identities = {
        iam(f"role/{name}-*"),
        iam(f"policy/{name}-*"),
        boundary_arn(foundation),
        *names.everybody(foundation),
        *names.named_roles(stacks),
    }
    # Who takes the break-glass role is the business of its own trust policy.
    build_roles = seal.builders(foundation, stacks, *names.ALL_PURPOSES)
    schedules = [arn("scheduler", f"schedule*/{name}*")]  # and their group
    telling = bool(foundation.get("notifications"))
    # Not all topics of the name: others are their stacks' own.
    topics = ["alarms*", *(["*notices*", "chat-*"] if telling else [])]
    group = arn("logs", f"log-group:{foundation['log_group']}")
    table = arn("dynamodb", f"table/{foundation['lock_table']}")
    table_settings = [*(action.partition(":")[2] for action in seal.TABLE_SETTINGS), "CreateBackup", "EnableKinesis*"]
    key, connection = foundation["named_key_arn"], foundation["named_connection_arn"]
    return [
        deny("Pipelines", "codepipeline", pipeline_actions, [arn("codepipeline", f"{name}-*")]),
        deny("Projects", "codebuild", USE_PROJECTS, [arn("codebuild", f"project/{name}-*")]),
        deny("Identities", "iam", CHANGE_IDENTITIES, sorted(identities)),
        deny("Roles", "sts", ["AssumeRole", "TagSession"], build_roles),
        deny("Buckets", "s3", CHANGE_BUCKET, names.buckets(foundation)),
        deny("Table", "dynamodb", table_settings, [table]),
        deny("Logs", "logs", CHANGE_LOGS, [group, f"{group}:*"]),
        deny("Parameters", "ssm", CHANGE_PARAMETERS, [arn("ssm", f"parameter/{name}/*")]),
        # With notices, the rules' destinations count, too: in one ARN, which is shorter.
        deny("AlarmRule", "events", CHANGE_RULES, [arn("events", f"{'*' if telling else 'rule'}/{name}-*")]),
        deny("AlarmTopic", "sns", CHANGE_TOPICS, [arn("sns", f"{name}-{topic}") for topic in topics]),
        *(notices_parts(foundation, CHANGE_NOTICES if notices is None else notices) if telling else []),
        *([deny("Schedules", "scheduler", CHANGE_SCHEDULES, schedules)] if foundation.get("drift") else []),
        deny("Key", "kms", CHANGE_KEY, names.keys(foundation), **({} if key else ours)),
        {
            "Sid": "Connection",
            "Effect": "Deny",
            "Action": [f"{service}:{action}" for service in names.CONNECTION_SERVICES for action in CHANGE_CONNECTION],
            "Resource": [connection] if connection else names.connections(foundation),
            **({} if connection else {"Condition": ours}),
        },
    ]


def notices_parts(foundation: Foundation, denied: dict[str, list[str]]) -> list[Statement]:
    """Nobody with this changes what tells people, or reads its secrets: the actions by service."""
    name = foundation["name"]
    parts = {
        "states": f"*:{model.notices(foundation)}*",  # the state machine, and its executions
        "sqs": model.undelivered(foundation),
        "cloudwatch": f"alarm:{model.undelivered(foundation)}",
        "events": f"*/{name}-*",  # connections and API destinations
        "secretsmanager": f"secret:events!connection/{name}-*",
    }
    return [
        deny(f"Notices{service.capitalize()}", service, actions, [names.arn(foundation, service, parts[service])])
        for service, actions in denied.items()
    ]


def sources_stay(foundation: Foundation, stacks: list[Stack]) -> list[Statement]:
    """Nobody with this writes code that a pipeline of the estate runs, where that is in AWS itself.

    What is not reading is writing. A bucket counts as a whole, with its settings: who writes its policy can let others
    write, and the statement is as long for a thousand objects as for one.
    """
    repositories, buckets = names.repositories(foundation, stacks), names.source_buckets(foundation, stacks)
    if not repositories and not buckets:
        return []
    # Each action is one service's, and each resource, too: one statement denies no more than two.
    return [
        {
            "Sid": "Sources",
            "Effect": "Deny",
            "NotAction": [*(READ_CODE if repositories else []), *(seal.READING_S3 if buckets else [])],
            "Resource": [*repositories, *(part for bucket in buckets for part in (bucket, f"{bucket}/*"))],
        }
    ]


def no_forgery(foundation: Foundation) -> list[Statement]:
    """Nobody with this puts events on the bus that look like notices: the state machine does, and no build."""
    if not foundation.get("notifications"):
        return []
    bus = [names.arn(foundation, "events", "event-bus/default")]
    return [deny("Forgery", "events", ["PutEvents"], bus, StringEquals={"events:source": model.SOURCE})]


def bounded(foundation: Foundation) -> list[Statement]:
    """Who has this makes no identity that may do more than himself: none without the boundary, no key of another's."""
    unbounded = {"StringNotEquals": {"iam:PermissionsBoundary": boundary_arn(foundation)}}
    give = ["AttachRolePolicy", "AttachUserPolicy", "CreateRole", "CreateUser", "PutRolePermissionsBoundary"]
    give += ["PutRolePolicy", "PutUserPermissionsBoundary", "PutUserPolicy"]
    take_off = ["DeleteRolePermissionsBoundary", "DeleteUserPermissionsBoundary"]
    keys = ["CreateAccessKey", "CreateLoginProfile", "UpdateLoginProfile"]
    groups = ["AddUserToGroup", "AttachGroupPolicy", "PutGroupPolicy"]  # their members may be without a boundary
    return [
        deny("OnlyBounded", "iam", give, ["*"], **unbounded),
        deny("BoundaryStays", "iam", [*take_off, *keys, *groups], ["*"]),
    ]


def seal_policy(foundation: Foundation, stacks: list[Stack]) -> Document:
    """What the build roles are denied, whatever their stack's permissions allow: the pipelines and themselves."""
    # They end and start executions: their own and those of stacks that come after.
    approve = ["PutApprovalResult"]
    things = own_things(foundation, stacks, sorted([*CHANGE_PIPELINES, *approve]))
    statements = [*fitting(foundation, things), *sources_stay(foundation, stacks), *no_forgery(foundation)]
    return document([*statements, *bounded(foundation)])


def boundary_policy(foundation: Foundation, stacks: list[Stack]) -> Document:
    """The permissions boundary of roles and users that Terraform makes: everything but the pipelines' own things."""
    everything = {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}
    sealed = own_things(foundation, stacks, sorted([*CHANGE_PIPELINES, *RUN_PIPELINES]))
    statements = [everything, *fitting(foundation, sealed), *sources_stay(foundation, stacks)]
    return document([*statements, *no_forgery(foundation), *bounded(foundation)])


def fitting(foundation: Foundation, statements: list[Statement]) -> list[Statement]:
    """The statements, each with a Sid that says what it is about; with notices they are more than one policy holds."""
    return together(statements) if foundation.get("notifications") else statements


def looking() -> list[str]:
    """The actions with which a person sees what there is."""
    return sorted(
        [*(f"{service}:{verb}" for verb, services in LOOK_AT.items() for service in services.split()), *LOOK_AT_MORE]
    )


def developer_policy(foundation: Foundation, stacks: list[Stack]) -> Document:
    """What people in the account may do who deploy through Git: look. As a managed policy, or as their boundary.

    Where the stacks' code is in CodeCommit they may work with that, too. Who writes an object in S3 is up to the
    bucket's owner. The Deny statements hold whatever else is attached to them.
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
    contents = [f"{bucket}/*" for bucket in names.buckets(foundation)]
    parameters = [names.arn(foundation, "ssm", f"parameter/{foundation['name']}/*")]
    table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
    repositories = names.repositories(foundation, stacks)
    # Whom the role's trust policy names may take it; where it names nobody, this is not the place to.
    emergency = [allow("BreakGlass", ["sts:AssumeRole"], [foundation["break_glass_role_arn"]])]
    return document(
        [
            look,
            credentials,
            *([allow("Code", WORK_WITH_CODE, repositories)] if repositories else []),
            *(emergency if foundation["break_glass_principals"] else []),
            *together(
                [
                    *own_things(foundation, stacks, sorted([*CHANGE_PIPELINES, *RUN_PIPELINES]), READ_SECRETS),
                    deny("Contents", "s3", ["*Object*"], contents),
                    deny("Secrets", "ssm", ["GetParameter*"], parameters),
                    deny(
                        "Locks", "dynamodb", ["*WriteItem", "DeleteItem", "PartiQL*", "PutItem", "UpdateItem"], [table]
                    ),
                ]
            ),
        ]
    )


def together(statements: list[Statement], others: dict[str, Any] | None = None) -> list[Statement]:
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
