# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A KMS key's policy decides, for direct calls and for the services that use the key for their caller."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import ACCOUNT, LocalAws, allow, unique
from tests.unit.local_aws.test_ministack_fixes import assumed, denied

ACCOUNT_ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ROOT = allow("kms:*", Principal={"AWS": ACCOUNT_ROOT})


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def uses(local_aws: LocalAws, keys: Any, key: str, bucket: str, name: str) -> dict[str, Callable[[], Any]]:
    """Every use of a key, by one caller."""
    kms, s3 = local_aws.client("kms", keys), local_aws.client("s3", keys)
    ssm, secrets = local_aws.client("ssm", keys), local_aws.client("secretsmanager", keys)
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    secret = {"Name": unique("secret"), "SecretString": "x", "KmsKeyId": key}
    return {
        "encrypt": lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
        "grant": lambda: kms.create_grant(KeyId=key, GranteePrincipal=ACCOUNT_ROOT, Operations=["Decrypt"]),
        "put object": lambda: s3.put_object(Bucket=bucket, Key="b", Body=b"", **under),
        "get object": lambda: s3.get_object(Bucket=bucket, Key="a"),
        "copy object": lambda: s3.copy_object(
            Bucket=bucket, Key="c", CopySource=f"{bucket}/a", ServerSideEncryption="AES256"
        ),
        "put parameter": lambda: ssm.put_parameter(
            Name=f"{name}-2", Value="x", Type="SecureString", KeyId=key, Overwrite=True
        ),
        "get parameter": lambda: ssm.get_parameter(Name=name, WithDecryption=True),
        "create secret": lambda: secrets.create_secret(**secret),
        "get secret": lambda: secrets.get_secret_value(SecretId=name),
    }


def test_a_sealed_key(local_aws: LocalAws) -> None:
    kms, bucket, name, role = local_aws.client("kms"), local_aws.bucket("key"), unique("key"), unique("role")
    key = kms.create_key(Policy=document(ROOT))["KeyMetadata"]["Arn"]
    local_aws.client("s3").put_object(Bucket=bucket, Key="a", Body=b"", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    local_aws.client("ssm").put_parameter(Name=name, Value="x", Type="SecureString", KeyId=key)
    local_aws.client("secretsmanager").create_secret(Name=name, SecretString="x", KmsKeyId=key)
    sealed = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "kms:*",
        "Resource": "*",
        "Condition": {
            "ArnNotLike": {
                "aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:role/gitops/{role}", "arn:aws:iam::*:user/admin"]
            },
            "Bool": {"aws:PrincipalIsAWSService": "false"},
        },
    }
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document(ROOT, sealed))
    everything = allow(["kms:*", "s3:*", "ssm:*", "secretsmanager:*"])
    inside = assumed(local_aws, role, everything, path="/gitops/")
    for use in uses(local_aws, inside, key, bucket, name).values():
        use()
    other = unique("other")
    for keys in (assumed(local_aws, other, everything), local_aws.user(unique("user"), everything)):
        for what, use in uses(local_aws, keys, key, bucket, name).items():
            assert "explicit deny in a resource-based policy" in denied(use), what


def test_only_services_may_grant(local_aws: LocalAws) -> None:
    kms = local_aws.client("kms")
    for_services = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    key = kms.create_key()["KeyMetadata"]["Arn"]
    name = unique("user")
    grant = {"KeyId": key, "GranteePrincipal": ACCOUNT_ROOT, "Operations": ["Decrypt"]}
    direct = local_aws.client("kms", local_aws.user(name, allow("kms:CreateGrant", Condition=for_services)))
    denied(direct.create_grant, **grant)
    mine = {"StringEquals": {"kms:CallerAccount": ACCOUNT}, "Bool": {"kms:GrantIsForAWSResource": "false"}}
    direct = local_aws.client("kms", local_aws.user(name, allow("kms:CreateGrant", Condition=mine)))
    direct.create_grant(**grant)


def test_nobody_locks_himself_out_by_mistake(local_aws: LocalAws) -> None:
    kms = local_aws.client("kms")
    nobody = ROOT | {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{unique('nobody')}"}}
    with pytest.raises(ClientError, match="MalformedPolicyDocumentException"):
        kms.create_key(Policy=document(nobody))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    before = kms.get_key_policy(KeyId=key)["Policy"]
    for policy in (document(nobody), "{"):
        with pytest.raises(ClientError, match="MalformedPolicyDocumentException"):
            kms.put_key_policy(KeyId=key, Policy=policy)
    assert kms.get_key_policy(KeyId=key)["Policy"] == before
    kms.put_key_policy(KeyId=key, Policy=document(nobody), BypassPolicyLockoutSafetyCheck=True)
    denied(kms.get_key_policy, KeyId=key)
