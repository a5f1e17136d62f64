# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to IAM are authorised on what they are about, with its path."""

from __future__ import annotations

import json

from tests.unit.local_aws.support import ACCOUNT, LocalAws, allow, unique
from tests.unit.local_aws.test_ministack_fixes import denied

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def test_a_role_is_named_with_its_path(local_aws: LocalAws) -> None:
    name = unique("role")
    arn = f"arn:aws:iam::{ACCOUNT}:role/gitops/{name}"
    keeper = local_aws.client(
        "iam", local_aws.user(unique("keeper"), allow("iam:*", f"arn:aws:iam::{ACCOUNT}:role/gitops/*"))
    )
    denied(keeper.create_role, RoleName=name, AssumeRolePolicyDocument=TRUST)
    made = keeper.create_role(RoleName=name, Path="/gitops/", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    assert made == arn
    pathless = local_aws.client(
        "iam", local_aws.user(unique("pathless"), allow("iam:*", f"arn:aws:iam::{ACCOUNT}:role/{name}"))
    )
    denied(pathless.delete_role, RoleName=name)
    keeper.delete_role(RoleName=name)


def test_an_mfa_device_is_named(local_aws: LocalAws) -> None:
    name = unique("device")
    own = allow(["iam:CreateVirtualMFADevice", "iam:DeleteVirtualMFADevice"], f"arn:aws:iam::{ACCOUNT}:mfa/{name}")
    iam = local_aws.client("iam", local_aws.user(unique("user"), own))
    denied(iam.create_virtual_mfa_device, VirtualMFADeviceName=unique("other"))
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]["SerialNumber"]
    iam.delete_virtual_mfa_device(SerialNumber=serial)


def test_a_managed_policy_is_a_condition_of_attaching_it(local_aws: LocalAws) -> None:
    name, deny_all = unique("role"), "arn:aws:iam::aws:policy/AWSDenyAll"
    local_aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    only = {"Condition": {"ArnEquals": {"iam:PolicyARN": deny_all}}}
    user = local_aws.user(unique("user"), {**allow(["iam:AttachRolePolicy", "iam:DetachRolePolicy"]), **only})
    iam = local_aws.client("iam", user)
    denied(iam.attach_role_policy, RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.attach_role_policy(RoleName=name, PolicyArn=deny_all)
    iam.detach_role_policy(RoleName=name, PolicyArn=deny_all)
