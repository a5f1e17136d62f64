# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in use, or not in the right state, is not deleted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import mfa
from tests.unit.local_aws.support import ACCOUNT, LocalAws, unique

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
NOTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    """The code and the message of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def conflict(call: Callable[..., Any], **arguments: Any) -> str:
    code, message = refused(call, **arguments)
    assert code == "DeleteConflict", message
    return message


def test_a_user_is_deleted_when_nothing_is_left(local_aws: LocalAws) -> None:
    iam, name, group = local_aws.client("iam"), unique("user"), unique("group")
    iam.create_user(UserName=name)
    iam.create_group(GroupName=group)
    iam.add_user_to_group(UserName=name, GroupName=group)
    iam.put_user_policy(UserName=name, PolicyName="one", PolicyDocument=NOTHING)
    iam.create_login_profile(UserName=name, Password="Correct-Horse-9")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=unique("device"))["VirtualMFADevice"]
    seed, now = device["Base32StringSeed"].decode(), time.time()
    codes = {"AuthenticationCode1": mfa.code(seed, now - 30), "AuthenticationCode2": mfa.code(seed, now)}
    iam.enable_mfa_device(UserName=name, SerialNumber=device["SerialNumber"], **codes)

    assert "login profile" in conflict(iam.delete_user, UserName=name)
    iam.delete_login_profile(UserName=name)
    assert "MFA device" in conflict(iam.delete_user, UserName=name)
    iam.deactivate_mfa_device(UserName=name, SerialNumber=device["SerialNumber"])
    assert "delete policies" in conflict(iam.delete_user, UserName=name)
    iam.delete_user_policy(UserName=name, PolicyName="one")
    assert "from group" in conflict(iam.delete_user, UserName=name)
    iam.remove_user_from_group(UserName=name, GroupName=group)
    iam.delete_user(UserName=name)


def test_a_group_is_deleted_when_nothing_is_left(local_aws: LocalAws) -> None:
    iam, name, user = local_aws.client("iam"), unique("group"), unique("user")
    iam.create_group(GroupName=name)
    iam.create_user(UserName=user)
    arn = iam.create_policy(PolicyName=unique("policy"), PolicyDocument=NOTHING)["Policy"]["Arn"]
    iam.add_user_to_group(UserName=user, GroupName=name)
    iam.attach_group_policy(GroupName=name, PolicyArn=arn)
    iam.put_group_policy(GroupName=name, PolicyName="one", PolicyDocument=NOTHING)

    assert "users" in conflict(iam.delete_group, GroupName=name)
    iam.remove_user_from_group(UserName=user, GroupName=name)
    assert "detach" in conflict(iam.delete_group, GroupName=name)
    iam.detach_group_policy(GroupName=name, PolicyArn=arn)
    assert "delete policies" in conflict(iam.delete_group, GroupName=name)
    iam.delete_group_policy(GroupName=name, PolicyName="one")
    iam.delete_group(GroupName=name)


def test_a_policy_is_deleted_with_its_last_version(local_aws: LocalAws) -> None:
    iam = local_aws.client("iam")
    arn = iam.create_policy(PolicyName=unique("policy"), PolicyDocument=NOTHING)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=NOTHING)
    assert "versions" in conflict(iam.delete_policy, PolicyArn=arn)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)


def test_a_linked_role_is_its_services(local_aws: LocalAws) -> None:
    iam = local_aws.client("iam")
    role = iam.create_service_linked_role(AWSServiceName="rds.amazonaws.com")["Role"]["RoleName"]
    deny_all = "arn:aws:iam::aws:policy/AWSDenyAll"
    for call, arguments in (
        (iam.delete_role, {}),
        (iam.attach_role_policy, {"PolicyArn": deny_all}),
        (iam.detach_role_policy, {"PolicyArn": deny_all}),
        (iam.put_role_policy, {"PolicyName": "one", "PolicyDocument": NOTHING}),
        (iam.delete_role_policy, {"PolicyName": "one"}),
        (iam.update_assume_role_policy, {"PolicyDocument": TRUST}),
        (iam.put_role_permissions_boundary, {"PermissionsBoundary": deny_all}),
    ):
        code, _message = refused(call, RoleName=role, **arguments)
        assert code == "UnmodifiableEntity", call
    iam.delete_service_linked_role(RoleName=role)


def test_a_database_is_stopped_and_started_and_deleted_with_a_snapshot(local_aws: LocalAws) -> None:
    rds, name = local_aws.client("rds"), unique("db")
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="ada",
        MasterUserPassword="correct-horse-9",
    )
    one = {"DBInstanceIdentifier": name}
    snapshot = {"FinalDBSnapshotIdentifier": f"{name}-last"}
    both = {**snapshot, "SkipFinalSnapshot": True}

    assert refused(rds.start_db_instance, **one)[0] == "InvalidDBInstanceState"
    rds.stop_db_instance(**one)
    assert refused(rds.stop_db_instance, **one)[0] == "InvalidDBInstanceState"
    assert refused(rds.delete_db_instance, **one)[0] == "InvalidParameterCombination"
    assert refused(rds.delete_db_instance, **one, **both)[0] == "InvalidParameterCombination"
    assert refused(rds.delete_db_instance, **one, **snapshot)[0] == "InvalidDBInstanceState"
    rds.start_db_instance(**one)
    rds.create_db_snapshot(DBSnapshotIdentifier=f"{name}-first", **one)
    taken = {"FinalDBSnapshotIdentifier": f"{name}-first"}
    assert refused(rds.delete_db_instance, **one, **taken)[0] == "DBSnapshotAlreadyExists"
    rds.delete_db_instance(**one, **snapshot)
    found = rds.describe_db_snapshots(DBSnapshotIdentifier=f"{name}-last")["DBSnapshots"]
    assert [each["DBInstanceIdentifier"] for each in found] == [name]


def test_a_key_that_goes_is_left_alone(local_aws: LocalAws) -> None:
    kms = local_aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    for call in (kms.enable_key, kms.disable_key, kms.schedule_key_deletion):
        assert refused(call, KeyId=key)[0] == "KMSInvalidStateException"
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"].split(":")[4] == ACCOUNT
