# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The policies of the two buckets, and the proof that they lock nobody out of them."""

from __future__ import annotations

import fnmatch
from typing import Any

# Who cannot call these on a bucket cannot repair its policy any more.
REPAIR = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")

Statement = dict[str, Any]


def tls_only(bucket_arn: str) -> Statement:
    """Plain HTTP is refused, for the bucket and everything in it."""
    return {
        "Sid": "DenyPlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def state_bucket_policy(bucket_arn: str, kms_key_arn: str, more: list[Statement]) -> dict[str, Any]:
    """Uploads must say that they are encrypted, and with which key; a missing header counts as a wrong one.

    Bucket policies are evaluated on the request, before the bucket's default encryption fills anything in.

    Args:
        bucket_arn: the bucket's ARN.
        kms_key_arn: the only key.
        more: the statements of the seal, and the user's.
    """

    def deny_unless(sid: str, key: str, value: str) -> Statement:
        return {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"{bucket_arn}/*",
            "Condition": {"StringNotEquals": {key: value}},
        }

    statements = [
        tls_only(bucket_arn),
        deny_unless("DenyUnencryptedUploads", "s3:x-amz-server-side-encryption", "aws:kms"),
        deny_unless("DenyOtherKeys", "s3:x-amz-server-side-encryption-aws-kms-key-id", kms_key_arn),
    ]
    return {"Version": "2012-10-17", "Statement": statements + more}


def artifact_bucket_policy(bucket_arn: str, more: list[Statement]) -> dict[str, Any]:
    """As above, but uploads without a header pass: AWS's services rely on the bucket's default encryption."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            tls_only(bucket_arn),
            {
                "Sid": "DenyWeakerEncryption",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:PutObject",
                "Resource": f"{bucket_arn}/*",
                "Condition": {
                    "Null": {"s3:x-amz-server-side-encryption": "false"},
                    "StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
                },
            },
            *more,
        ],
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matches(value: str, patterns: Any) -> bool:
    """Whether a value matches one of the patterns, in which only * and ? mean something."""
    literal = [str(pattern).replace("[", "[[]") for pattern in _list(patterns)]
    return any(fnmatch.fnmatchcase(value, pattern) for pattern in literal)


def _spares(condition: dict[str, Any], caller_arn: str) -> bool:
    """Whether the condition can keep the statement from applying to the caller.

    Only what is known of every call of the caller is judged by its value; any other condition is taken to spare.
    """
    known = {
        "aws:principalarn": caller_arn,
        "aws:principalaccount": caller_arn.split(":")[4],
        "aws:principalisawsservice": "false",
        "aws:securetransport": "true",
    }
    for operator, keys in condition.items():
        for key, values in keys.items():
            value = known.get(key.lower())
            if value is None:
                return True
            if operator == "Null":  # it is there, so that only "false" holds
                holds = _matches("false", [str(each).lower() for each in _list(values)])
            elif operator.startswith("Bool"):
                holds = _matches(value, [str(each).lower() for each in _list(values)])
            else:
                holds = _matches(value, values) != ("Not" in operator)
            if not holds:
                return True
    return False


def _applies(statement: Statement, caller_arn: str) -> bool:
    """Whether the caller is among those that the statement is for."""
    account = caller_arn.split(":")[4]
    partition = caller_arn.split(":")[1]
    whole_account = (account, f"arn:{partition}:iam::{account}:root")
    if "NotPrincipal" in statement:
        # AWS spares the caller only where the account is listed, too.
        named = _principals(statement["NotPrincipal"])
        return "*" not in named and not (caller_arn in named and any(name in named for name in whole_account))
    named = _principals(statement.get("Principal", {}))
    return any(name in ("*", caller_arn, *whole_account) for name in named)


def _principals(value: Any) -> list[str]:
    """The AWS principals in a statement's Principal or NotPrincipal."""
    return [value] if isinstance(value, str) else _list(value.get("AWS", []))


def locks_out(policy: dict[str, Any], bucket_arn: str, caller_arn: str) -> list[str]:
    """The Deny statements that would keep the caller from repairing the bucket's policy.

    Args:
        policy: the bucket policy.
        bucket_arn: the bucket's ARN.
        caller_arn: the caller as aws:PrincipalArn gives it (a role's ARN, not that of its session).

    Returns:
        one text per statement: its Sid or index, and the action that would be denied.
    """
    found = []
    for index, statement in enumerate(policy["Statement"]):
        if statement.get("Effect") != "Deny":
            continue
        on_bucket = (
            not _matches(bucket_arn, statement["NotResource"])
            if "NotResource" in statement
            else _matches(bucket_arn, statement.get("Resource", []))
        )
        if not on_bucket or not _applies(statement, caller_arn) or _spares(statement.get("Condition", {}), caller_arn):
            continue
        for action in REPAIR:
            denied = (
                not _matches(action.lower(), [a.lower() for a in _list(statement["NotAction"])])
                if "NotAction" in statement
                else _matches(action.lower(), [a.lower() for a in _list(statement.get("Action", []))])
            )
            if denied:
                found.append(f"statement {statement.get('Sid', index)} denies {action} to {caller_arn}")
                break
    return found
