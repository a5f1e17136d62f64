# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of the two buckets, and the proof that they lock nobody out."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import bucket_policies as policies

BUCKET = "arn:aws:s3:::acme-state"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/1f0b1e7a"
CALLER = "arn:aws:iam::111122223333:role/installer"
ANOTHER = "arn:aws:iam::111122223333:role/another"
ROOT = "arn:aws:iam::111122223333:root"
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [BUCKET, f"{BUCKET}/*"]}


def locks_out(**statement: Any) -> bool:
    policy = {"Statement": [{**DENY, **statement}]}
    return bool(policies.locks_out(policy, BUCKET, CALLER))


def without(*keys: str, **values: Any) -> dict[str, Any]:
    """DENY less some keys, with others."""
    return {**{key: value for key, value in DENY.items() if key not in keys}, **values}


def found(statement: dict[str, Any]) -> list[str]:
    return policies.locks_out({"Statement": [statement]}, BUCKET, CALLER)


def test_our_own_policies_lock_nobody_out() -> None:
    for policy in (policies.state_bucket_policy(BUCKET, KEY, []), policies.artifact_bucket_policy(BUCKET, [])):
        assert policies.locks_out(policy, BUCKET, CALLER) == []
        assert all(statement["Effect"] == "Deny" for statement in policy["Statement"])


def test_uploads_of_states_must_name_the_key() -> None:
    conditions = [
        statement["Condition"]
        for statement in policies.state_bucket_policy(BUCKET, KEY, [])["Statement"]
        if statement["Action"] == "s3:PutObject"
    ]

    # StringNotEquals, not ...IfExists: a missing header is denied, too.
    assert conditions == [
        {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
        {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": KEY}},
    ]


def test_plain_http_is_refused_for_bucket_and_objects() -> None:
    for policy in (policies.state_bucket_policy(BUCKET, KEY, []), policies.artifact_bucket_policy(BUCKET, [])):
        tls = policy["Statement"][0]
        assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert tls["Resource"] == [BUCKET, f"{BUCKET}/*"]


def test_the_user_s_statements_are_added() -> None:
    extra = {**DENY, "Action": "s3:DeleteObjectVersion"}

    policy = policies.state_bucket_policy(BUCKET, KEY, [extra])

    assert policy["Statement"][-1] == extra
    assert len(policy["Statement"]) == 4


def test_what_is_said_of_a_lock_out() -> None:
    policy = {"Statement": [{**DENY, "Sid": "NobodyElse"}, {**DENY, "Action": "s3:PutBucketPolicy"}]}

    assert policies.locks_out(policy, BUCKET, CALLER) == [
        f"statement NobodyElse denies s3:GetBucketPolicy to {CALLER}",
        f"statement 1 denies s3:PutBucketPolicy to {CALLER}",
    ]


# What is denied


@pytest.mark.parametrize(
    ("action", "locked"),
    [
        ("s3:*", True),
        ("*", True),
        ("s3:PutBucketPolicy", True),
        ("s3:putbucketpolicy", True),
        ("s3:Get*", True),
        ("s3:?etBucketPolicy", True),
        (["s3:GetObject", "s3:DeleteBucketPolicy"], True),
        ("s3:GetObject", False),
        ("s3:DeleteBucket", False),
        (["s3:PutObject*"], False),
    ],
)
def test_actions(action: Any, locked: bool) -> None:
    assert locks_out(Action=action) is locked


@pytest.mark.parametrize(
    ("action", "locked"),
    [("s3:GetObject", True), (["s3:GetBucketPolicy"], True), ("s3:*", False), ("S3:*BucketPolicy", False)],
)
def test_all_other_actions(action: Any, locked: bool) -> None:
    assert bool(found(without("Action", NotAction=action))) is locked


@pytest.mark.parametrize(
    ("resource", "locked"),
    [
        (BUCKET, True),
        ("*", True),
        ("arn:aws:s3:::acme-*", True),
        ([f"{BUCKET}/*", BUCKET], True),
        (f"{BUCKET}/*", False),
        ("arn:aws:s3:::another", False),
    ],
)
def test_resources(resource: Any, locked: bool) -> None:
    assert locks_out(Resource=resource) is locked


@pytest.mark.parametrize(("resource", "locked"), [(BUCKET, False), ("*", False), (f"{BUCKET}/*", True)])
def test_all_other_resources(resource: Any, locked: bool) -> None:
    assert bool(found(without("Resource", NotResource=resource))) is locked


def test_what_is_allowed_locks_nobody_out() -> None:
    assert not locks_out(Effect="Allow")


# For whom


@pytest.mark.parametrize(
    ("principal", "locked"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": CALLER}, True),
        ({"AWS": [ANOTHER, CALLER]}, True),
        ({"AWS": "111122223333"}, True),
        ({"AWS": ROOT}, True),
        ({"AWS": ANOTHER}, False),
        ({"AWS": "444455556666"}, False),
        ({"Service": "logging.s3.amazonaws.com"}, False),
    ],
)
def test_principals(principal: Any, locked: bool) -> None:
    assert locks_out(Principal=principal) is locked


@pytest.mark.parametrize(
    ("principal", "locked"),
    [
        ({"AWS": [CALLER, ROOT]}, False),
        ({"AWS": [CALLER, "111122223333"]}, False),
        ("*", False),
        # AWS wants the account beside the role, else it denies the whole account.
        ({"AWS": CALLER}, True),
        ({"AWS": ANOTHER}, True),
        ({"AWS": [ROOT]}, True),
        ({"Service": "logging.s3.amazonaws.com"}, True),
    ],
)
def test_all_other_principals(principal: Any, locked: bool) -> None:
    assert bool(found(without("Principal", NotPrincipal=principal))) is locked


def test_partitions() -> None:
    caller = "arn:aws-cn:iam::111122223333:role/installer"
    policy = {"Statement": [{**DENY, "Principal": {"AWS": "arn:aws-cn:iam::111122223333:root"}}]}

    assert policies.locks_out(policy, BUCKET, caller) != []


# Unless


@pytest.mark.parametrize(
    ("condition", "locked"),
    [
        # Everybody but these
        ({"ArnNotLike": {"aws:PrincipalArn": CALLER}}, False),
        ({"ArnNotLike": {"aws:PrincipalArn": [ANOTHER, "arn:aws:iam::*:role/inst*"]}}, False),
        ({"StringNotEquals": {"AWS:principalarn": CALLER}}, False),
        ({"ArnNotLike": {"aws:PrincipalArn": ANOTHER}}, True),
        ({"ArnNotLikeIfExists": {"aws:PrincipalArn": [ANOTHER]}}, True),
        # Only these
        ({"ArnLike": {"aws:PrincipalArn": ANOTHER}}, False),
        ({"ArnLike": {"aws:PrincipalArn": [ANOTHER, "arn:aws:iam::111122223333:role/*"]}}, True),
        ({"ArnEquals": {"aws:PrincipalArn": CALLER}}, True),
        # Accounts
        ({"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}}, False),
        ({"StringNotEquals": {"aws:PrincipalAccount": "444455556666"}}, True),
        # Every call of ours is over TLS, and by somebody
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Bool": {"aws:SecureTransport": False}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Null": {"aws:PrincipalArn": "true"}}, False),
        ({"Null": {"aws:PrincipalArn": False}}, True),
        # What cannot be known is taken to spare the caller
        ({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}, False),
        ({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        # All conditions must hold
        ({"ArnLike": {"aws:PrincipalArn": CALLER}, "Bool": {"aws:SecureTransport": "false"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": CALLER}, "StringLike": {"aws:PrincipalAccount": "1111*"}}, True),
        ({}, True),
    ],
)
def test_conditions(condition: dict[str, Any], locked: bool) -> None:
    assert locks_out(Condition=condition) is locked


def test_brackets_in_a_pattern_are_only_brackets() -> None:
    assert not locks_out(Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/[i]nstaller"}})
