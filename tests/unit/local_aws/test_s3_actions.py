# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 calls are authorised under AWS's actions, on AWS's resources."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import ACCOUNT, LocalAws, allow, unique
from tests.unit.local_aws.test_ministack_fixes import assumed, denied

KEY = "env:/demo//terraform.tfstate"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject"}]}
LATER = datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)
OWNER = {"Permission": "FULL_CONTROL", "Grantee": {"Type": "CanonicalUser", "ID": "me"}}
OF_BUCKETS: dict[str, tuple[str, dict[str, Any]]] = {
    "put_bucket_policy": ("PutBucketPolicy", {"Policy": json.dumps(POLICY)}),
    "delete_bucket_policy": ("DeleteBucketPolicy", {}),
    "put_bucket_versioning": ("PutBucketVersioning", {"VersioningConfiguration": {"Status": "Suspended"}}),
    "put_bucket_lifecycle_configuration": ("PutLifecycleConfiguration", {"LifecycleConfiguration": {"Rules": []}}),
    "delete_bucket_lifecycle": ("PutLifecycleConfiguration", {}),
    "put_bucket_encryption": ("PutEncryptionConfiguration", {"ServerSideEncryptionConfiguration": {"Rules": []}}),
    "delete_bucket_encryption": ("PutEncryptionConfiguration", {}),
    "put_public_access_block": ("PutBucketPublicAccessBlock", {"PublicAccessBlockConfiguration": {}}),
    "delete_public_access_block": ("PutBucketPublicAccessBlock", {}),
    "put_bucket_ownership_controls": ("PutBucketOwnershipControls", {"OwnershipControls": {"Rules": []}}),
    "delete_bucket_ownership_controls": ("PutBucketOwnershipControls", {}),
    "put_bucket_tagging": ("PutBucketTagging", {"Tagging": {"TagSet": []}}),
    "delete_bucket_tagging": ("PutBucketTagging", {}),
    "put_bucket_acl": ("PutBucketAcl", {"ACL": "private"}),
    "put_bucket_notification_configuration": ("PutBucketNotification", {"NotificationConfiguration": {}}),
    "put_bucket_replication": ("PutReplicationConfiguration", {"ReplicationConfiguration": {"Role": "r", "Rules": []}}),
    "delete_bucket_replication": ("PutReplicationConfiguration", {}),
    "put_bucket_logging": ("PutBucketLogging", {"BucketLoggingStatus": {}}),
    "put_object_lock_configuration": ("PutBucketObjectLockConfiguration", {}),
    "list_objects_v2": ("ListBucket", {}),
    "list_object_versions": ("ListBucketVersions", {}),
    "get_bucket_policy": ("GetBucketPolicy", {}),
    "get_bucket_versioning": ("GetBucketVersioning", {}),
    "delete_bucket": ("DeleteBucket", {}),
}
OF_OBJECTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "get_object": [("GetObject", {}), ("GetObjectVersion", {"VersionId": "null"})],
    "put_object": [("PutObject", {})],
    "delete_object": [("DeleteObject", {}), ("DeleteObjectVersion", {"VersionId": "null"})],
    "put_object_acl": [
        ("PutObjectAcl", {"ACL": "private"}),
        ("PutObjectVersionAcl", {"ACL": "private", "VersionId": "x"}),
    ],
    "put_object_tagging": [("PutObjectTagging", {"Tagging": {"TagSet": []}})],
    "delete_object_tagging": [("DeleteObjectTagging", {})],
    "put_object_retention": [("PutObjectRetention", {"Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": LATER}})],
    "put_object_legal_hold": [("PutObjectLegalHold", {"LegalHold": {"Status": "ON"}})],
    "restore_object": [("RestoreObject", {"RestoreRequest": {"Days": 1}})],
    "create_multipart_upload": [("PutObject", {})],
}
CALLS = [(call, action, arguments, "") for call, (action, arguments) in OF_BUCKETS.items()] + [
    (call, action, arguments, KEY) for call, each in OF_OBJECTS.items() for action, arguments in each
]


def refusal(call: Callable[..., Any], **arguments: Any) -> str:
    """The message if the call is denied; "" if it is let through, whatever becomes of it."""
    try:
        call(**arguments)
    except ClientError as error:
        return str(error) if error.response["Error"]["Code"] == "AccessDenied" else ""
    return ""


@pytest.mark.parametrize(("call", "action", "arguments", "key"), CALLS, ids=lambda value: str(value)[:20])
def test_each_call_needs_its_action(
    call: str, action: str, arguments: dict[str, Any], key: str, local_aws: LocalAws
) -> None:
    bucket, name = local_aws.bucket("actions"), unique("user")
    arn = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    where = {"Bucket": bucket, **({"Key": key} if key else {})}
    if key:
        local_aws.client("s3").put_object(**where, Body=b"")
    all_but_it = local_aws.user(name, allow("s3:*"), allow(f"s3:{action}", arn) | {"Effect": "Deny"})
    assert f"s3:{action}" in denied(getattr(local_aws.client("s3", all_but_it), call), **where, **arguments)
    only_it = local_aws.user(name, allow(f"s3:{action}", arn))
    assert refusal(getattr(local_aws.client("s3", only_it), call), **where, **arguments) == ""


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("PutObjectAcl", {"ACL": "bucket-owner-full-control"}),
        ("PutObjectTagging", {"Tagging": "a=b"}),
        ("PutObjectRetention", {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": LATER}),
        ("PutObjectLegalHold", {"ObjectLockLegalHoldStatus": "ON"}),
    ],
)
@pytest.mark.parametrize("call", ["put_object", "create_multipart_upload"])
def test_what_a_write_sets_needs_its_action_too(
    call: str, action: str, arguments: dict[str, Any], local_aws: LocalAws
) -> None:
    bucket, name = local_aws.bucket("settings"), unique("user")
    where = {"Bucket": bucket, "Key": KEY}
    writer = local_aws.user(name, allow("s3:PutObject"))
    assert f"s3:{action}" in denied(getattr(local_aws.client("s3", writer), call), **where, **arguments)
    both = local_aws.user(name, allow(["s3:PutObject", f"s3:{action}"], f"arn:aws:s3:::{bucket}/{KEY}"))
    assert refusal(getattr(local_aws.client("s3", both), call), **where, **arguments) == ""


def test_a_bucket_that_is_made_with_settings_needs_their_actions(local_aws: LocalAws) -> None:
    s3 = local_aws.client("s3", local_aws.user(unique("user"), allow("s3:CreateBucket")), region="us-east-1")
    for action, arguments in (
        ("PutBucketAcl", {"ACL": "private"}),
        ("PutBucketOwnershipControls", {"ObjectOwnership": "BucketOwnerEnforced"}),
        ("PutBucketObjectLockConfiguration", {"ObjectLockEnabledForBucket": True}),
    ):
        assert f"s3:{action}" in denied(s3.create_bucket, Bucket=unique("made"), **arguments)
    s3.create_bucket(Bucket=unique("made"))


@pytest.mark.parametrize("order", [1, -1])
def test_deleting_several_is_authorised_key_by_key(order: int, local_aws: LocalAws) -> None:
    bucket, name = local_aws.bucket("several"), unique("user")
    objects: list[dict[str, str]] = [{"Key": "a"}, {"Key": "b", "VersionId": "null"}][::order]
    arn = f"arn:aws:s3:::{bucket}"
    everything = {"s3:DeleteObject": f"{arn}/a", "s3:DeleteObjectVersion": f"{arn}/b"}
    for missing in everything:
        keys = local_aws.user(name, *[allow(each, on) for each, on in everything.items() if each != missing])
        assert missing in denied(
            local_aws.client("s3", keys).delete_objects, Bucket=bucket, Delete={"Objects": objects}
        )
    keys = local_aws.user(name, *[allow(each, on) for each, on in everything.items()])
    local_aws.client("s3", keys).delete_objects(Bucket=bucket, Delete={"Objects": objects})


def test_a_sealed_bucket(local_aws: LocalAws) -> None:
    bucket, role = local_aws.bucket("sealed"), unique("role")
    arn = f"arn:aws:s3:::{bucket}"
    inside = local_aws.client("s3", assumed(local_aws, role, allow("s3:*"), path="/gitops/"))
    outside = local_aws.client("s3", local_aws.user(unique("user"), allow("s3:*")))
    strangers = {
        "ArnNotLike": {"aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:role/gitops/{role}", "arn:aws:iam::*:user/admin"]}
    }
    statements = [
        {
            "Effect": "Deny",
            "Principal": "*",
            "NotAction": ["s3:Get*", "s3:List*"],
            "Resource": [arn, f"{arn}/*"],
            "Condition": strangers,
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "NotResource": [f"{arn}/*.tfstate", f"{arn}/*.tflock"],
        },
    ]
    local_aws.client("s3").put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements})
    )
    inside.put_object(Bucket=bucket, Key="a.tfstate", Body=b"")
    reason = "explicit deny in a resource-based policy"
    assert reason in denied(inside.put_object, Bucket=bucket, Key="a.txt", Body=b"")
    assert reason in denied(outside.put_object, Bucket=bucket, Key="a.tfstate", Body=b"")
    outside.get_object(Bucket=bucket, Key="a.tfstate")
    for call, _, arguments, key in CALLS:
        if call.startswith(("get", "list")):
            continue
        where = {"Bucket": bucket, **({"Key": "a.tfstate"} if key else {})}
        assert reason in denied(getattr(outside, call), **where, **arguments), call
    for objects in ([{"Key": "a.tfstate"}], [{"Key": "a.tfstate", "VersionId": "null"}]):
        assert reason in denied(outside.delete_objects, Bucket=bucket, Delete={"Objects": objects})
    inside.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a.tfstate"}]})
