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


def drifters(foundation: Foundation, *parts: str) -> list[str]:
    """The roles that look for drift in the account, none where nothing does. Parts are those of names.central."""
    if not foundation.get("drift"):
        return []
    there = [part for part in parts if part != "act" or foundation["drift"]["removal"]]
    return [names.arn(foundation, "iam", f"role/{names.central(foundation, part)}", "") for part in there]


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
    locks = [*builders(foundation, stacks, "apply", "plan"), *drifters(foundation, "act")]
    reads = [*builders(foundation, stacks, "apply", "plan", "review"), *foundation["installers"]]
    reads += drifters(foundation, "scan", "act")
    lock_files, about_drift = f"{bucket}/*.tflock", f"{bucket}/{names.DRIFT_PREFIX}*"
    known = f"{bucket}/{names.KNOWN_PREFIX}*"
    source = f"{bucket}/{names.DRIFT_SOURCE}"
    looking = bool(foundation.get("drift"))
    # What is kept about drift, and what installers have seen, has writers of its own; the source is no state.
    kept = [known, *([about_drift] if looking else [])]
    return [
        deny("OnlyBuildsWrite", foundation, locks, NotAction=READING_S3, NotResource=[bucket, *kept]),
        deny(
            "PlansOnlyLock",
            foundation,
            applies,
            Action=["s3:PutObject*", "s3:RestoreObject"],
            NotResource=[lock_files, *kept],
        ),
        # Who wrote it could hide that a pipeline was changed.
        deny("OnlyInstallersKnow", foundation, foundation["installers"], NotAction=READING_S3, Resource=known),
        deny("NothingIsLost", foundation, [], Action="s3:DeleteObject*", NotResource=lock_files),
        # Who holds a lock is no secret.
        deny(
            "OnlyKnownRead",
            foundation,
            [*reads, *foundation["state_readers"]],
            Action="s3:GetObject*",
            NotResource=[lock_files, source] if looking else lock_files,
        ),
        *(keeping_drift(foundation, about_drift, source) if looking else []),
        settings(foundation, bucket),
    ]


def keeping_drift(foundation: Foundation, about_drift: str, source: str) -> list[Statement]:
    """Who writes what is kept about drift: the roles that look for it. What they run is written by installers."""
    roles = drifters(foundation, "scan", "act")
    return [
        deny(
            "OnlyDriftWrites",
            foundation,
            [*roles, *foundation["installers"]],
            NotAction=READING_S3,
            Resource=about_drift,
        ),
        deny("OnlyInstallersSource", foundation, foundation["installers"], NotAction=READING_S3, Resource=source),
    ]


def artifact_bucket(foundation: Foundation, stacks: list[Stack]) -> list[Statement]:
    """Who writes and reads source and plans, and who changes the settings. A plan holds secrets as a state does."""
    bucket = names.bucket_arn(foundation, foundation["artifact_bucket"])
    roles = builders(foundation, stacks, "apply", "plan", "pipeline")
    return [
        *(
            artifacts_with_drift(foundation, bucket, roles)
            if foundation.get("drift")
            else [
                deny("OnlyPipelinesWrite", foundation, roles, NotAction=READING_S3, Resource=f"{bucket}/*"),
                deny("OnlyPipelinesRead", foundation, roles, Action="s3:GetObject*", Resource=f"{bucket}/*"),
            ]
        ),
        # Among them the marks of the plans that were used.
        deny("NothingIsLost", foundation, [], Action="s3:DeleteObject*", Resource=f"{bucket}/*"),
        settings(foundation, bucket),
    ]


def artifacts_with_drift(foundation: Foundation, bucket: str, roles: list[str]) -> list[Statement]:
    """Who writes and reads artifacts, those of stacks and those of the pipeline that looks for drift in the account.

    No build of a stack exchanges what that pipeline runs. What was found may hold values that nobody has marked as
    sensitive: who may read states reads it, and nobody else.
    """
    of_stacks = f"{bucket}/*/drift/*"
    central = f"{bucket}/{names.central(foundation)[: names.ARTIFACT_FOLDER]}/*"
    looking = drifters(foundation, "scan", "act")
    moving = [*looking, *drifters(foundation, "pipeline")]
    readers = [*foundation["installers"], *foundation["state_readers"]]
    return [
        deny("OnlyPipelinesWrite", foundation, roles, NotAction=READING_S3, NotResource=[bucket, central]),
        deny("OnlyPipelinesRead", foundation, roles, Action="s3:GetObject*", NotResource=[of_stacks, central]),
        deny(
            "OnlyKnownReadDrift",
            foundation,
            [*roles, *looking, *readers],
            Action="s3:GetObject*",
            Resource=of_stacks,
        ),
        deny("OnlyDriftMoves", foundation, moving, NotAction=READING_S3, Resource=central),
        deny("OnlyKnownReadCentral", foundation, [*moving, *readers], Action="s3:GetObject*", Resource=central),
    ]


def settings(foundation: Foundation, bucket: str) -> Statement:
    """Policy, versioning, lifecycle, encryption, public access and all else of a bucket itself."""
    return deny("OnlyInstallersChange", foundation, keepers(foundation), NotAction=READING_S3, Resource=bucket)


def lock_table(foundation: Foundation, stacks: list[Stack]) -> dict[str, Any]:
    """The lock table's policy."""
    table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
    locks = [*builders(foundation, stacks, "apply", "plan"), *drifters(foundation, "act")]
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
    roles += drifters(foundation, "scan", "act")
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
