# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The seal: Deny statements on state, lock and key that spare only those whose work it is.

A statement names the roles of the stacks by the form of their names: the policies are as long for a thousand stacks as
for one, and a stack that is added, or a role that is made again, changes none of them.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack

Statement = dict[str, Any]

READING_S3 = ["s3:Get*", "s3:List*"]
WRITING_ITEMS = [
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:PartiQLDelete",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
]
TABLE_SETTINGS = [
    "dynamodb:DeleteResourcePolicy",
    "dynamodb:DeleteTable",
    "dynamodb:PutResourcePolicy",
    "dynamodb:TagResource",
    "dynamodb:UntagResource",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
]
USING_KEY = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
READING_KEY = ["kms:DescribeKey", "kms:Get*", "kms:List*"]


def builders(foundation: Foundation, stacks: list[Stack], *purposes: str) -> list[str]:
    """The roles of all stacks for these purposes: ours by the form of their names, the user's by their ARNs."""
    ours = [names.arn(foundation, "iam", f"role/{foundation['name']}-*-{purpose}", "") for purpose in purposes]
    return [*ours, *names.named_roles(stacks, purposes)]


def but_for(foundation: Foundation, principals: list[str]) -> dict[str, Any]:
    """The condition that the caller is none of these, nor the break-glass role, nor AWS itself (an access log, say)."""
    return {
        "ArnNotLike": {"aws:PrincipalArn": [*principals, foundation["break_glass_role_arn"]]},
        "Bool": {"aws:PrincipalIsAWSService": "false"},
    }


def keepers(foundation: Foundation) -> list[str]:
    """Who changes settings. Root of the account is one: of a bucket AWS lets it repair the policy anyway."""
    return [*foundation["installers"], names.arn(foundation, "iam", "root", "")]


def deny(sid: str, foundation: Foundation, spare: list[str], **parts: Any) -> Statement:
    """A statement of a resource's policy: nobody but these. `parts` are its Action or NotAction, and its Resource."""
    return {"Sid": sid, "Effect": "Deny", "Principal": "*", **parts, "Condition": but_for(foundation, spare)}


def state_bucket(foundation: Foundation, stacks: list[Stack]) -> list[Statement]:
    """Who writes states, locks and the bucket's settings, and who reads states.

    What is not reading is writing: an action that S3 gets next year is denied, too. A lock file is deleted by whoever
    took the lock; a state, and any version, by nobody.
    """
    bucket = names.bucket_arn(foundation, foundation["state_bucket"])
    applies = builders(foundation, stacks, "apply")
    locks = builders(foundation, stacks, "apply", "plan")
    reads = [*builders(foundation, stacks, "apply", "plan", "review"), *foundation["installers"]]
    lock_files = f"{bucket}/*.tflock"
    return [
        deny("OnlyBuildsWrite", foundation, locks, NotAction=READING_S3, Resource=f"{bucket}/*"),
        deny(
            "PlansOnlyLock", foundation, applies, Action=["s3:PutObject*", "s3:RestoreObject"], NotResource=lock_files
        ),
        deny("NothingIsLost", foundation, [], Action="s3:DeleteObject*", NotResource=lock_files),
        # Who holds a lock is no secret.
        deny(
            "OnlyKnownRead",
            foundation,
            [*reads, *foundation["state_readers"]],
            Action="s3:GetObject*",
            NotResource=lock_files,
        ),
        settings(foundation, bucket),
    ]


def artifact_bucket(foundation: Foundation, stacks: list[Stack]) -> list[Statement]:
    """Who writes and reads source and plans, and who changes the settings. A plan holds secrets as a state does."""
    bucket = names.bucket_arn(foundation, foundation["artifact_bucket"])
    roles = builders(foundation, stacks, "apply", "plan", "pipeline")
    return [
        deny("OnlyPipelinesWrite", foundation, roles, NotAction=READING_S3, Resource=f"{bucket}/*"),
        deny("OnlyPipelinesRead", foundation, roles, Action="s3:GetObject*", Resource=f"{bucket}/*"),
        # Among them the marks of the plans that were used.
        deny("NothingIsLost", foundation, [], Action="s3:DeleteObject*", Resource=f"{bucket}/*"),
        settings(foundation, bucket),
    ]


def settings(foundation: Foundation, bucket: str) -> Statement:
    """Policy, versioning, lifecycle, encryption, public access and all else of a bucket itself."""
    return deny("OnlyInstallersChange", foundation, keepers(foundation), NotAction=READING_S3, Resource=bucket)


def lock_table(foundation: Foundation, stacks: list[Stack]) -> dict[str, Any]:
    """The lock table's policy."""
    table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
    locks = builders(foundation, stacks, "apply", "plan")
    statements = [
        deny("OnlyBuildsLock", foundation, locks, Action=WRITING_ITEMS, Resource=table),
        deny("OnlyInstallersChange", foundation, keepers(foundation), Action=TABLE_SETTINGS, Resource=table),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def of_locks(foundation: Foundation) -> dict[str, str]:
    """The encryption contexts of lock files and of the lock table, by condition key."""
    bucket = names.bucket_arn(foundation, foundation["state_bucket"])
    return {
        "kms:EncryptionContext:aws:s3:arn": f"{bucket}/*.tflock",
        "kms:EncryptionContext:aws:dynamodb:tableName": foundation["lock_table"],
    }


def key(foundation: Foundation, stacks: list[Stack]) -> dict[str, Any]:
    """The key's policy: the second wall before states, plans and parameters. Those whom it spares still need an Allow.

    The first statement is AWS's default, without which IAM policies would count for nothing. Locks stay readable: an
    upload or download in a bucket without a bucket key has the object as its encryption context.
    """
    account = names.arn(foundation, "iam", "root", "")
    roles = builders(foundation, stacks, "apply", "plan", "pipeline", "review")
    users = [*roles, *foundation["installers"], *foundation["state_readers"]]
    known = deny("OnlyKnownUse", foundation, users, Action=USING_KEY, Resource="*")
    known["Condition"]["StringNotLike"] = of_locks(foundation)
    statements = [
        {
            "Sid": "IamPoliciesCount",
            "Effect": "Allow",
            "Principal": {"AWS": account},
            "Action": "kms:*",
            "Resource": "*",
        },
        known,
        deny(
            "OnlyInstallersChange",
            foundation,
            keepers(foundation),
            NotAction=[*USING_KEY, *READING_KEY],
            Resource="*",
        ),
    ]
    return {"Version": "2012-10-17", "Statement": statements}
