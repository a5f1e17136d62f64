# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The way in when nothing else works: a role with MFA and a short session, and the alarm that tells of its use."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.guardrails import boundary_policy, seal_policy
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.people import recovery_policy
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import allow, document
from ansible_collections.gitops.aws.plugins.module_utils._notices import model

SESSION_SECONDS = 3600  # the shortest that IAM lets a role have


def trust(foundation: Foundation) -> dict[str, Any]:
    """Who may take the role: with MFA, and at the region's own STS endpoint, whose calls the alarm hears.

    The principals stand in a condition: named as Principal, one that is deleted would make the policy invalid.
    """
    condition: dict[str, Any] = {
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "StringEquals": {"aws:RequestedRegion": foundation["region"]},
    }
    if foundation["break_glass_principals"]:
        condition["ArnLike"] = {"aws:PrincipalArn": foundation["break_glass_principals"]}
    return document(
        [
            {
                "Effect": "Allow",
                "Principal": {"AWS": names.arn(foundation, "iam", "root", "")},
                "Action": "sts:AssumeRole",
                "Condition": condition,
            }
        ]
    )


def repair(foundation: Foundation) -> dict[str, Any]:
    """Reading and writing the policies of bucket, table and key, for when one of them locks out whom it should not."""
    ours = None if foundation["named_key_arn"] else {"StringEquals": names.of_estate(foundation)}
    return document(
        [
            allow(
                "Buckets",
                ["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"],
                names.buckets(foundation),
            ),
            allow(
                "Table",
                ["dynamodb:DeleteResourcePolicy", "dynamodb:GetResourcePolicy", "dynamodb:PutResourcePolicy"],
                [names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")],
            ),
            allow(
                "Key",
                ["kms:GetKeyPolicy", "kms:PutKeyPolicy"],
                names.keys(foundation),
                ours,
            ),
        ]
    )


def taking_policy(foundation: Foundation) -> dict[str, Any]:
    """What somebody needs to take the role. Its trust policy asks for MFA, and says who may at all."""
    return document([allow("BreakGlass", ["sts:AssumeRole"], [foundation["break_glass_role_arn"]])])


def break_glass_roles(foundation: Foundation) -> list[dict[str, Any]]:
    """The role as gitops.aws.iam_roles takes it; none where the estate is not sealed, or the user has one."""
    if not foundation["make_break_glass_role"]:
        return []
    return [
        {
            "name": f"{foundation['name']}-break-glass",
            "description": f"Emergencies of the pipelines {foundation['name']}: locks, states and their policies",
            "assume_role_policy": trust(foundation),
            "max_session_duration": SESSION_SECONDS,
            "inline_policies": {"recovery": recovery_policy(foundation), "repair": repair(foundation)},
            "managed_policies": [],
            "permissions_boundary": foundation["permissions_boundary"],
            "tags": foundation["tags"],
        }
    ]


def managed_policies(foundation: Foundation, stacks: list[Stack]) -> list[dict[str, Any]]:
    """The seal of the build roles, and the boundary for what Terraform makes, as gitops.aws.iam_policies takes them."""
    if not foundation["sealed"]:
        return []
    documents = {"seal": ("What the build roles are denied", seal_policy(foundation, stacks))}
    if not foundation["permissions_boundary"]:
        documents["boundary"] = (
            "Permissions boundary for roles that Terraform makes",
            boundary_policy(foundation, stacks),
        )
    return [
        {
            "name": f"{foundation['name']}-{purpose}",
            "description": f"{description}, pipelines {foundation['name']}",
            "policy": policy,
            "tags": foundation["tags"],
        }
        for purpose, (description, policy) in documents.items()
    ]


def alarm_topic_arn(foundation: Foundation) -> str:
    """Where alarms go."""
    return names.arn(foundation, "sns", f"{foundation['name']}-alarms")


def only_services(topic: str) -> dict[str, Any]:
    """A statement of a topic's policy: no user and no role publishes, whatever his own policies allow."""
    return {
        "Sid": "OnlyServicesPublish",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {"Bool": {"aws:PrincipalIsAWSService": "false"}},
    }


def alarm_topics(foundation: Foundation, emails: list[str]) -> list[dict[str, Any]]:
    """The topic as gitops.aws.sns_topics takes it, of a sealed estate or one with notifications.

    EventBridge publishes, for which conditions that allow do not work, says AWS; and CloudWatch, for the alarm on
    notices that could not be delivered. Who else listens, by SQS or HTTPS, is not ours to remove.
    """
    if not foundation["sealed"] and not foundation.get("notifications"):
        return []
    topic = alarm_topic_arn(foundation)
    publish: dict[str, Any] = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}
    statements = []
    if foundation["sealed"]:
        events = {"Principal": {"Service": "events.amazonaws.com"}}
        statements.append({"Sid": "EventBridgePublishes", **publish, **events})
    if foundation.get("notifications"):
        alarm = names.arn(foundation, "cloudwatch", f"alarm:{model.undelivered(foundation)}")
        of_alarm = {
            "StringEquals": {"aws:SourceAccount": foundation["account_id"]},
            "ArnEquals": {"aws:SourceArn": alarm},
        }
        cloudwatch = {"Principal": {"Service": "cloudwatch.amazonaws.com"}, "Condition": of_alarm}
        statements.append({"Sid": "CloudWatchPublishes", **publish, **cloudwatch})
    statements.append(only_services(topic))
    subscriptions = [{"protocol": "email", "endpoint": email} for email in emails]
    return [
        {
            "name": f"{foundation['name']}-alarms",
            "policy": document(statements),
            "tags": foundation["tags"],
            "subscriptions": subscriptions,
            "purge_subscriptions": False,
        }
    ]


def alarm_rules(foundation: Foundation) -> list[dict[str, Any]]:
    """The rule as gitops.aws.eventbridge_rules takes it: whoever takes the role, or is refused, is reported.

    It hears what a trail records in this region. Of a refused call CloudTrail tells the role in the message only.
    """
    if not foundation["sealed"]:
        return []
    role = foundation["break_glass_role_arn"]
    template = (
        '"<who> took the break-glass role, or tried to, at <time>: <role> <error>. '
        'If nobody told you why: look at it now, and end its sessions in IAM."'
    )
    paths = {
        "who": "$.detail.userIdentity.arn",
        "role": "$.detail.requestParameters.roleArn",
        "time": "$.detail.eventTime",
        "error": "$.detail.errorMessage",
    }
    return [
        {
            "name": f"{foundation['name']}-break-glass",
            "description": f"Somebody takes the break-glass role of the pipelines {foundation['name']}",
            "all_management_events": True,  # AssumeRole counts as a call that only reads
            "event_pattern": {
                # Of another account's events, which a bus may gather, the call that counts is among those of this one.
                "account": [foundation["account_id"]],
                "source": ["aws.sts"],
                "detail-type": ["AWS API Call via CloudTrail"],
                "detail": {
                    "eventName": ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"],
                    "$or": [
                        {"requestParameters": {"roleArn": [role]}},
                        {"errorMessage": [{"wildcard": f"*{role}*"}]},
                    ],
                },
            },
            "targets": [
                {
                    "id": "alarms",
                    "arn": alarm_topic_arn(foundation),
                    "input_transformer": {"input_paths_map": paths, "input_template": template},
                }
            ],
            "tags": foundation["tags"],
        }
    ]
