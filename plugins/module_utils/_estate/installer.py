# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What the installer needs: who runs site.yml and teardown.yml."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.people import via_services
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import Statement, allow, document
from ansible_collections.gitops.aws.plugins.module_utils._notices import model

ANYTHING = "*"  # only where AWS knows no resource-level permission, or gives the resource its name itself


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
    if foundation["named_key_arn"]:
        keys = [foundation["named_key_arn"]]
        return [
            allow("ReadKey", ["kms:DescribeKey"], keys),
            allow("UseKey", use, keys, {"StringEquals": via}),
            allow("GrantKey", ["kms:CreateGrant"], keys, for_aws),
        ]
    keys = names.keys(foundation)
    ours = names.of_estate(foundation)
    manage = [
        "kms:DisableKeyRotation",
        "kms:EnableKeyRotation",
        "kms:GetKeyPolicy",
        "kms:PutKeyPolicy",
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
    """What site.yml notes in the state bucket; and teardown.yml reads what the states hold, and empties our buckets."""
    statements = []
    if made:
        actions = ["s3:DeleteObjectVersion", "s3:GetObject"]
        statements.append(allow("Objects", actions, [f"{arn}/*" for arn in made]))
    state = names.bucket_arn(foundation, foundation["state_bucket"])
    known = f"{state}/{names.known_pipelines(foundation)['key']}"
    statements.append(allow("KnownPipelines", ["s3:PutObject"], [known]))
    if foundation.get("drift"):
        statements.append(allow("DriftSource", ["s3:PutObject"], [f"{state}/{names.DRIFT_SOURCE}"]))
    if state not in made:
        statements.append(allow("ReadStates", ["s3:GetObject", "s3:ListBucket"], [state, f"{state}/*"]))
    return statements


def lock_table(foundation: Foundation) -> list[Statement]:
    """Making and keeping the lock table, nothing where it exists already."""
    if "lock_table" in foundation["existing"]:
        return []
    actions = [
        "dynamodb:CreateTable",
        "dynamodb:DeleteResourcePolicy",
        "dynamodb:DeleteTable",
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:DescribeTable",
        "dynamodb:GetResourcePolicy",
        "dynamodb:ListTagsOfResource",
        "dynamodb:PutResourcePolicy",
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
    give = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePolicy"]
    boundary = foundation["permissions_boundary"]
    if not boundary:
        return [allow("Roles", sorted([*keep, *give, "iam:DeleteRolePermissionsBoundary"]), own_roles)]
    bounded = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    give = sorted([*give, "iam:PutRolePermissionsBoundary"])
    return [allow("Roles", keep, own_roles), allow("BoundedRoles", give, own_roles, bounded)]


def seal_statements(foundation: Foundation, named_roles: list[str]) -> list[Statement]:
    """Making and keeping the seal's policies and the alarm; and asking IAM whether it would lock anybody out."""
    name = foundation["name"]
    actions = {
        "iam": [
            "CreatePolicy",
            "CreatePolicyVersion",
            "DeletePolicy",
            "DeletePolicyVersion",
            "GetPolicy",
            "ListEntitiesForPolicy",
            "TagPolicy",
            "UntagPolicy",
        ],
        "sns": [
            "CreateTopic",
            "DeleteTopic",
            "GetTopicAttributes",
            "ListSubscriptionsByTopic",
            "ListTagsForResource",
            "SetTopicAttributes",
            "Subscribe",
            "TagResource",
            "UntagResource",
        ],
        "events": [
            "DeleteRule",
            "ListTagsForResource",
            "ListTargetsByRule",
            "PutRule",
            "PutTargets",
            "RemoveTargets",
            "TagResource",
            "UntagResource",
        ],
    }
    sids = {"iam": "SealPolicies", "sns": "AlarmTopic", "events": "AlarmRule"}
    resources = {
        "iam": names.arn(foundation, "iam", f"policy/{name}-*", ""),
        "sns": names.arn(foundation, "sns", f"{name}-alarms*"),
        "events": names.arn(foundation, "events", f"rule/{name}-*"),
    }
    asked = sorted({*names.everybody(foundation), *named_roles})
    return [
        *(
            allow(sids[service], [f"{service}:{action}" for action in actions[service]], [resources[service]])
            for service in actions
        ),
        allow("KnowOneself", ["iam:GetRole"], asked),
        # Whom the settings name next, or name wrongly, is asked about with the policies of today.
        allow(
            "SealAsks",
            ["iam:SimulatePrincipalPolicy"],
            [names.arn(foundation, "iam", f"{kind}/*", "") for kind in ("role", "user")],
        ),
    ]


def schedule_statements(foundation: Foundation) -> list[Statement]:
    """Making and keeping the schedules that look for drift, and removing those that nobody wants any more."""
    group = foundation["name"]
    schedules = names.arn(foundation, "scheduler", f"schedule/{group}/{group}-*")
    groups = names.arn(foundation, "scheduler", f"schedule-group/{group}")
    actions = ["CreateSchedule", "DeleteSchedule", "GetSchedule", "UpdateSchedule"]
    of_group = ["CreateScheduleGroup", "DeleteScheduleGroup", "GetScheduleGroup"]
    tags = ["ListTagsForResource", "TagResource", "UntagResource"]
    return [
        allow("Schedules", [f"scheduler:{action}" for action in actions], [schedules]),
        allow("ScheduleGroup", [f"scheduler:{action}" for action in [*of_group, *tags]], [groups]),
    ]


def installer_policies(foundation: Foundation, stacks: list[Stack]) -> dict[str, dict[str, Any]]:
    """What site.yml and teardown.yml need, for an estate with this name, account and region.

    Two policies, for one would be longer than IAM takes: of what holds states and secrets, and of pipelines and roles.
    A third, of what tells people, where the settings have notifications; it is needed until that is removed.
    Wildcards stand where AWS chooses the id (keys, connections) and where an action has no resource-level permission.
    The stacks add what the estate's name does not cover: roles and parameters that the user names.
    """
    policies = {
        "installer_state": document(state_part(foundation, stacks)),
        "installer_pipelines": document(pipelines_part(foundation, stacks)),
    }
    if foundation.get("notifications"):
        policies["installer_notifications"] = document(notifications_part(foundation))
    return policies


def state_part(foundation: Foundation, stacks: list[Stack]) -> list[Statement]:
    """State, lock, artifacts, their key, the builds' log, and parameters."""
    name = foundation["name"]
    buckets = [
        names.bucket_arn(foundation, foundation[part])
        for part in ("state_bucket", "artifact_bucket")
        if part not in foundation["existing"]
    ]
    parameters = {
        stack[option].lstrip("/")
        for stack in stacks
        for option in ("access_key_id_parameter", "secret_access_key_parameter")
        if stack["access_keys_csv"] and not stack[option].startswith(f"/{name}/")
    }
    return [
        allow(
            "ReadAcrossTheAccount", ["logs:DescribeLogGroups", "ssm:DescribeParameters", "tag:GetResources"], [ANYTHING]
        ),
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
            [names.arn(foundation, "logs", f"log-group:{foundation['log_group']}{suffix}") for suffix in ("", ":*")],
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
    ]


def pipelines_part(foundation: Foundation, stacks: list[Stack]) -> list[Statement]:
    """Roles and the seal, the connection, build projects and pipelines.

    The rules that start pipelines whose code is in AWS itself are called like that of the alarm: AlarmRule is for both.
    """
    name, named_roles = foundation["name"], names.named_roles(stacks)
    own_roles = [names.arn(foundation, "iam", f"role/{name}-*", "")]
    # EventBridge too where no rule starts a pipeline yet: a stack may get another source, or its schedule.
    services = [f"{service}.amazonaws.com" for service in ("codebuild", "codepipeline", "events", "scheduler")]
    return [
        allow(
            "ReadLists",
            [
                "codeconnections:ListConnections",
                "codepipeline:ListPipelines",
                "events:ListRules",
                "iam:GetAccountAuthorizationDetails",
                "iam:ListRoles",
                "iam:SimulateCustomPolicy",
                "scheduler:ListSchedules",
                "sns:GetSubscriptionAttributes",
            ],
            [ANYTHING],
        ),
        allow("NewConnections", ["codeconnections:CreateConnection"], [ANYTHING]),
        *role_statements(foundation, own_roles),
        *seal_statements(foundation, named_roles),
        allow(
            "PassRoles",
            ["iam:PassRole"],
            [*own_roles, *named_roles],
            {"StringEquals": {"iam:PassedToService": services}},
        ),
        allow(
            "Connections",
            [
                f"{service}:{action}"
                for service in names.CONNECTION_SERVICES
                for action in (
                    "DeleteConnection",
                    "ListTagsForResource",
                    "PassConnection",
                    "TagResource",
                    "UntagResource",
                    "UseConnection",
                )
            ],
            names.connections(foundation),
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
        *schedule_statements(foundation),
    ]


def notifications_part(foundation: Foundation) -> list[Statement]:
    """What tells people: topics, rules' connections and destinations, the state machine, the queue and its alarm.

    Rules and roles are in pipelines_part.
    """
    name = foundation["name"]
    tags = ["ListTagsForResource", "TagResource", "UntagResource"]

    def some(sid: str, service: str, actions: list[str], resources: list[str]) -> Statement:
        return allow(sid, sorted(f"{service}:{action}" for action in actions), resources)

    def arns(service: str, *resources: str) -> list[str]:
        return [names.arn(foundation, service, resource) for resource in resources]

    def crud(noun: str, *more: str) -> list[str]:
        return [*(f"{verb}{noun}" for verb in ("Create", "Delete", "Describe", "Update")), *more]

    topics = ["CreateTopic", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic", "SetTopicAttributes"]
    queue = ["CreateQueue", "DeleteQueue", "GetQueueAttributes", "GetQueueUrl", "ListQueueTags", "ReceiveMessage"]
    secrets = ["CreateSecret", "DeleteSecret", "DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecret"]
    services = ["apidestinations.events", "codestar-notifications", "management.chatbot"]
    passed = ["chatbot.amazonaws.com", "events.amazonaws.com", "states.amazonaws.com"]
    return [
        allow(
            "ListNotices",
            [
                "chatbot:DescribeSlackChannelConfigurations",
                "chatbot:DescribeSlackWorkspaces",
                "codestar-notifications:ListNotificationRules",
                "events:ListApiDestinations",
                "events:ListConnections",
            ],
            [ANYTHING],
        ),
        # AWS knows no resource for these.
        allow(
            "NoticesAnywhere",
            [
                "chatbot:CreateSlackChannelConfiguration",
                "codestar-notifications:DeleteTarget",
                "sns:SetSubscriptionAttributes",
                "sns:Unsubscribe",
            ],
            [ANYTHING],
        ),
        # Whichever alarms are asked for: AWS may want this on all.
        allow("ReadAlarms", ["cloudwatch:DescribeAlarms"], [ANYTHING]),
        some(
            "NoticeTopics",
            "sns",
            [*topics, "Subscribe", *tags],
            arns("sns", f"{name}-aws-notices", f"{name}-chat-*", f"{name}-notices"),
        ),
        some(
            "Undelivered",
            "sqs",
            [*queue, "SetQueueAttributes", "TagQueue", "UntagQueue"],
            [model.queue_arn(foundation)],
        ),
        some(
            "UndeliveredAlarm",
            "cloudwatch",
            ["DeleteAlarms", "PutMetricAlarm", *tags],
            arns("cloudwatch", f"alarm:{model.undelivered(foundation)}"),
        ),
        some("StateMachine", "states", [*crud("StateMachine"), *tags], [model.machine_arn(foundation)]),
        some("TestNotices", "states", ["StartExecution"], [model.machine_arn(foundation)]),
        some(
            "TestExecutions",
            "states",
            ["DescribeExecution"],
            arns("states", f"execution:{model.notices(foundation)}:*"),
        ),
        some("NoticeConnections", "events", crud("Connection"), arns("events", f"connection/{name}-*")),
        some(
            "NoticeDestinations",
            "events",
            crud("ApiDestination"),
            arns("events", f"api-destination/{name}-*", f"connection/{name}-*"),
        ),
        # Where EventBridge keeps the secrets, as who makes the connection.
        some(
            "ConnectionSecrets", "secretsmanager", secrets, arns("secretsmanager", f"secret:events!connection/{name}-*")
        ),
        some(
            "ChatChannels",
            "chatbot",
            [f"{verb}SlackChannelConfiguration" for verb in ("Delete", "Update")] + tags,
            [names.arn(foundation, "chatbot", f"chat-configuration/slack-channel/{name}-*", "")],
        ),
        some(
            "NotificationRules",
            "codestar-notifications",
            [*crud("NotificationRule"), *tags],
            arns("codestar-notifications", "notificationrule/*"),
        ),
        allow(
            "ServiceLinkedRoles",
            ["iam:CreateServiceLinkedRole"],
            [names.arn(foundation, "iam", "role/aws-service-role/*", "")],
            {"StringEquals": {"iam:AWSServiceName": [f"{service}.amazonaws.com" for service in services]}},
        ),
        allow(
            "PassNoticeRoles",
            ["iam:PassRole"],
            [model.role_arn(foundation), model.role_arn(foundation, "*")],
            {"StringEquals": {"iam:PassedToService": passed}},
        ),
    ]
