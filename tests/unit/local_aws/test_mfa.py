# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles are assumed with MFA, for as long as they allow, as on AWS."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import mfa
from tests.unit.local_aws.support import ACCOUNT, Keys, LocalAws, allow, unique
from tests.unit.local_aws.test_ministack_fixes import denied

WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


@pytest.mark.parametrize(("at", "expected"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")])
def test_codes_are_those_of_rfc_6238(at: int, expected: str) -> None:
    # The RFC's test vectors, cut to six digits; their secret is 12345678901234567890.
    assert mfa.code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", at) == expected


def enabled(local_aws: LocalAws, user: str) -> tuple[str, str]:
    """A device of a user: its serial number and its seed."""
    iam = local_aws.client("iam")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=unique("device"))["VirtualMFADevice"]
    seed = device["Base32StringSeed"].decode()
    now = time.time()
    iam.enable_mfa_device(
        UserName=user,
        SerialNumber=device["SerialNumber"],
        AuthenticationCode1=mfa.code(seed, now - 30),
        AuthenticationCode2=mfa.code(seed, now),
    )
    return str(device["SerialNumber"]), seed


def role(local_aws: LocalAws, *statements: dict[str, Any], condition: dict[str, Any], **more: Any) -> str:
    """A role that everybody in the account may assume under a condition."""
    name = unique("role")
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole", "Condition": condition}
    arn: str = local_aws.client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        **more,
    )["Role"]["Arn"]
    local_aws.policy(name, *statements)
    return arn


def session(made: dict[str, Any]) -> Keys:
    found = made["Credentials"]
    return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def test_a_role_that_asks_for_mfa(local_aws: LocalAws) -> None:
    name, other = unique("user"), unique("other")
    sts = local_aws.client("sts", local_aws.user(name, allow("sts:AssumeRole")))
    foreign = local_aws.client("sts", local_aws.user(other, allow("sts:AssumeRole")))
    recent = {"NumericLessThan": {"aws:MultiFactorAuthAge": "60"}}
    arn = role(local_aws, allow("s3:ListAllMyBuckets", Condition=WITH_MFA), condition=WITH_MFA | recent)
    serial, seed = enabled(local_aws, name)
    ask = {"RoleArn": arn, "RoleSessionName": "one"}
    assert "is not authorized to perform: sts:AssumeRole" in denied(sts.assume_role, **ask)
    now = time.time()
    window = [mfa.code(seed, now + 30 * step) for step in range(-3, 4)]
    wrong = next(code for code in ("000000", "000001", "000002", "000003") if code not in window)
    assert denied(sts.assume_role, **ask, SerialNumber=serial, TokenCode=wrong) == (
        "MultiFactorAuthentication failed with invalid MFA one time pass code."
    )
    old = mfa.code(seed, now - 300)
    assert "invalid MFA" in denied(sts.assume_role, **ask, SerialNumber=serial, TokenCode=old)
    assert "must provide both" in denied(sts.assume_role, **ask, SerialNumber=serial)
    assert "associated with this user" in denied(
        foreign.assume_role, **ask, SerialNumber=serial, TokenCode=mfa.code(seed)
    )
    keys = session(sts.assume_role(**ask, SerialNumber=serial, TokenCode=mfa.code(seed)))
    local_aws.client("s3", keys).list_buckets()
    local_aws.client("iam").deactivate_mfa_device(UserName=name, SerialNumber=serial)
    assert "associated with this user" in denied(sts.assume_role, **ask, SerialNumber=serial, TokenCode=mfa.code(seed))


def test_without_mfa_long_term_keys_say_nothing_of_it(local_aws: LocalAws) -> None:
    sts = local_aws.client("sts", local_aws.user(unique("user"), allow("sts:AssumeRole")))
    absent = role(
        local_aws, condition={"Null": {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "true"}}
    )
    sts.assume_role(RoleArn=absent, RoleSessionName="one")
    said = role(local_aws, condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}})
    denied(sts.assume_role, RoleArn=said, RoleSessionName="one")


def test_a_session_token_with_mfa_is_enough(local_aws: LocalAws) -> None:
    name = unique("user")
    keys = local_aws.user(name, allow("sts:AssumeRole"))
    serial, seed = enabled(local_aws, name)
    arn = role(local_aws, condition=WITH_MFA)
    sts = local_aws.client("sts", keys)
    plain = local_aws.client("sts", session(sts.get_session_token()))
    denied(plain.assume_role, RoleArn=arn, RoleSessionName="one")
    token = sts.get_session_token(SerialNumber=serial, TokenCode=mfa.code(seed))
    local_aws.client("sts", session(token)).assume_role(RoleArn=arn, RoleSessionName="one")


def test_a_device_is_enabled_by_two_codes_in_a_row(local_aws: LocalAws) -> None:
    iam, name = local_aws.client("iam"), unique("user")
    local_aws.user(name, allow("s3:*"))
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=unique("device"))["VirtualMFADevice"]
    seed, now = device["Base32StringSeed"].decode(), time.time()
    current = mfa.code(seed, now)
    with pytest.raises(ClientError, match="InvalidAuthenticationCode"):
        iam.enable_mfa_device(
            UserName=name,
            SerialNumber=device["SerialNumber"],
            AuthenticationCode1=current,
            AuthenticationCode2=current,
        )


def test_trust_policies_see_the_region_and_the_principal(local_aws: LocalAws) -> None:
    name = unique("user")
    keys = local_aws.user(name, allow("sts:AssumeRole"))
    user = {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/{name}"}}
    here = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    first = role(local_aws, allow("sts:AssumeRole"), condition=user | here, Path="/gitops/")
    ask = {"RoleArn": first, "RoleSessionName": "one"}
    denied(local_aws.client("sts", keys).assume_role, **ask)
    denied(local_aws.client("sts", region="eu-west-1").assume_role, **ask)
    made = local_aws.client("sts", keys, region="eu-west-1").assume_role(**ask)
    second = role(local_aws, condition={"ArnEquals": {"aws:PrincipalArn": first}})
    chained = {"RoleArn": second, "RoleSessionName": "two"}
    denied(local_aws.client("sts", keys).assume_role, **chained)
    local_aws.client("sts", session(made)).assume_role(**chained)


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (3601, "exceeds the MaxSessionDuration set for this role"),
        (899, "greater than or equal to 900"),
        (43201, "less than or equal to 43200"),
    ],
)
def test_sessions_last_as_long_as_the_role_allows(seconds: int, message: str, local_aws: LocalAws) -> None:
    sts = local_aws.client("sts", parameter_validation=False)
    arn = role(local_aws, condition={})
    sts.assume_role(RoleArn=arn, RoleSessionName="one", DurationSeconds=3600)
    with pytest.raises(ClientError, match=message) as caught:
        sts.assume_role(RoleArn=arn, RoleSessionName="one", DurationSeconds=seconds)
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_chained_sessions_last_an_hour(local_aws: LocalAws) -> None:
    first = role(local_aws, allow("sts:AssumeRole"), condition={})
    long = role(local_aws, condition={}, MaxSessionDuration=7200)
    sts = local_aws.client("sts")
    sts.assume_role(RoleArn=long, RoleSessionName="one", DurationSeconds=7200)
    chained = local_aws.client("sts", session(sts.assume_role(RoleArn=first, RoleSessionName="one")))
    with pytest.raises(ClientError, match="1 hour session limit"):
        chained.assume_role(RoleArn=long, RoleSessionName="two", DurationSeconds=7200)
