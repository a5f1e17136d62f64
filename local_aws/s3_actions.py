# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 calls are authorised on the whole key, and under every action that AWS asks for.

The first version that DeleteObjects names is s3:DeleteObjectVersion, as the others are. A write that sets an ACL, tags,
retention or legal hold needs the action for that, too, and so does a bucket that is made with settings.
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_actions

from local_aws import acted_on
from local_aws.acted_on import Call

_RETAIN_UNTIL = "x-amz-object-lock-retain-until-date"


def apply() -> None:
    """Install it in MiniStack."""
    action_of, checks_of = iam_actions.extract_iam_action, iam_actions.s3_additional_checks

    def arn(call: Call, _so_far: Any) -> str | None:
        bucket, key = _bucket_and_key(call.path)
        return f"arn:aws:s3:::{bucket}/{key}" if call.service == "s3" and key else None

    def action(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> str | None:
        bucket, key = _bucket_and_key(path)
        if service == "s3" and method == "POST" and "delete" in query and not key:
            targets = iam_actions._s3_batch_delete_targets(bucket, body)
            if targets and targets[0][1]:
                return "s3:DeleteObjectVersion"
        found: str | None = action_of(service, method, path, headers, body, query)
        return found

    def checks(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> list[tuple[str, str]]:
        bucket, key = _bucket_and_key(path)
        resource = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
        squeezed = "arn:aws:s3:::" + "/".join(part for part in path.split("/") if part)
        found = [
            (name, resource if on == squeezed else on) for name, on in checks_of(method, path, headers, body, query)
        ]
        found += [(f"s3:{name}", resource) for name in _settings_of_a_write(method, key, headers, query)]
        if method == "POST" and "delete" in query and not key:
            # Under the bucket's own host name MiniStack does not ask action().
            first = iam_actions._s3_batch_delete_targets(bucket, body)[:1]
            found += [("s3:DeleteObjectVersion", on) for on, version in first if version]
        return found

    acted_on.correct(arn)
    iam_actions.extract_iam_action, iam_actions.s3_additional_checks = action, checks


def _bucket_and_key(path: str) -> tuple[str, str]:
    bucket, _, key = path.removeprefix("/").partition("/")
    return bucket, key


def _settings_of_a_write(method: str, key: str, headers: dict[str, str], query: dict[str, Any]) -> list[str]:
    """The actions that the headers of PutObject, CopyObject, CreateMultipartUpload or CreateBucket ask for."""
    acl = "x-amz-acl" in headers or any(name.startswith("x-amz-grant-") for name in headers)
    if not key:
        asked = {
            "PutBucketAcl": acl,
            "PutBucketOwnershipControls": "x-amz-object-ownership" in headers,
            "PutBucketObjectLockConfiguration": headers.get("x-amz-bucket-object-lock-enabled", "").lower() == "true",
        }
        return [name for name, wanted in asked.items() if wanted] if method == "PUT" and not query else []
    whole = method == "PUT" and not query.keys() - {"x-id"}
    if not whole and not (method == "POST" and "uploads" in query):
        return []
    asked = {
        "PutObjectAcl": acl,
        "PutObjectTagging": "x-amz-tagging" in headers,
        "PutObjectRetention": any(name in headers for name in ("x-amz-object-lock-mode", _RETAIN_UNTIL)),
        "PutObjectLegalHold": "x-amz-object-lock-legal-hold" in headers,
    }
    return [name for name, wanted in asked.items() if wanted]
