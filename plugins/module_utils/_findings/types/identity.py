# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Roles, users, groups, policies and instance profiles of IAM."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Quarantine, Type

_DENY_ALL = "arn:{partition}:iam::aws:policy/AWSDenyAll"
_ATTACHED = "AttachedManagedPolicies[].PolicyArn"
_BOUNDARY = "PermissionsBoundary.PermissionsBoundaryArn"
_LOST = "It does not come back: make it again, with its policies."


def _details(kind: str, *members: str, **more: str) -> Call:
    """One listing has all but instance profiles; policies of AWS are not among what it is asked for.

    Of an element stay these members, so that thousands of policies need no memory, and more.
    """
    kept = {**{name: name for name in ("Arn", "CreateDate", *members)}, **more}
    return Call(
        "get_account_authorization_details",
        {"Filter": ["User", "Role", "Group", "LocalManagedPolicy"]},
        f"{kind}[].{{{', '.join(f'{name}: {path}' for name, path in kept.items())}}}",
    )


def _policies_of(kind: str) -> dict[str, Call]:
    """The further reads of what policies are attached to: `attached`, their ARNs, and `inline`, names."""
    name = {f"{kind.title()}Name": "{id}"}
    return {
        "attached": Call(f"list_attached_{kind}_policies", name, "AttachedPolicies[].PolicyArn"),
        "inline": Call(f"list_{kind}_policies", name, "PolicyNames"),
    }


_DENIES_ALL = "ends_with(@, ':aws:policy/AWSDenyAll')"


def _without_policies(kind: str) -> tuple[Call, ...]:
    """The calls that take off all policies but what denies everything."""
    name: dict[str, Any] = {f"{kind.title()}Name": "{id}"}
    return (
        Call(f"detach_{kind}_policy", {**name, "PolicyArn": "{each}"}, each=f"element.attached[?!{_DENIES_ALL}]"),
        Call(f"delete_{kind}_policy", {**name, "PolicyName": "{each}"}, each="element.inline"),
    )


def _undenied(kind: str) -> Call:
    """The call that takes off what denies everything, right before the end: what fails before leaves it harmless."""
    name: dict[str, Any] = {f"{kind.title()}Name": "{id}"}
    return Call(f"detach_{kind}_policy", {**name, "PolicyArn": "{each}"}, each=f"element.attached[?{_DENIES_ALL}]")


_ROLE = Type(
    name="aws_iam_role",
    service="iam",
    list=_details(
        "RoleDetailList",
        *("RoleName", "Path", "PermissionsBoundary", "Tags"),
        attached=_ATTACHED,
        profiles="InstanceProfileList[].Arn",
    ),
    read=Call("get_role", {"RoleName": "{id}"}, "Role", missing=("NoSuchEntity",)),
    id="RoleName",
    arn="Arn",
    title="RoleName",
    account_wide=True,
    created="CreateDate",
    tags="Tags",
    more={
        **_policies_of("role"),
        "profiles": Call("list_instance_profiles_for_role", {"RoleName": "{id}"}, "InstanceProfiles[].Arn"),
    },
    aws_default={"AWS Organizations made it, with the account": "RoleName == 'OrganizationAccountAccessRole'"},
    service_managed={
        "it is linked to an AWS service": "starts_with(Path, '/aws-service-role/')",
        "IAM Identity Center manages it": "starts_with(Path, '/aws-reserved/sso.amazonaws.com/') || "
        "starts_with(RoleName, 'AWSReservedSSO_')",
        "AWS Control Tower manages it": "starts_with(RoleName, 'AWSControlTower') || "
        "starts_with(RoleName, 'aws-controltower-')",
        "CloudFormation StackSets manage it": "starts_with(RoleName, 'stacksets-exec-')",
    },
    refs=("attached", _BOUNDARY),
    used_by=("profiles",),
    named_by=("role", "role_name", "roles"),
    rank=93,
    quarantine=Quarantine(
        words="denied everything",
        do=(Call("attach_role_policy", {"RoleName": "{id}", "PolicyArn": _DENY_ALL}),),
        undo=(Call("detach_role_policy", {"RoleName": "{id}", "PolicyArn": _DENY_ALL}),),
        done=f"attached[?{_DENIES_ALL}]",
    ),
    # One that is in an instance profile stays: AWS refuses, and the profile refers to it.
    remove=(*_without_policies("role"), _undenied("role"), Call("delete_role", {"RoleName": "{id}"})),
    recover=f"{_LOST} Policies that name it must name the new one: they hold its id.",
)

_USER = Type(
    name="aws_iam_user",
    service="iam",
    list=_details("UserDetailList", "UserName", "PermissionsBoundary", "Tags", attached=_ATTACHED),
    read=Call("get_user", {"UserName": "{id}"}, "User", missing=("NoSuchEntity",)),
    id="UserName",
    arn="Arn",
    title="UserName",
    account_wide=True,
    created="CreateDate",
    tags="Tags",
    more={
        **_policies_of("user"),
        "groups": Call("list_groups_for_user", {"UserName": "{id}"}, "Groups[]"),
        "keys": Call("list_access_keys", {"UserName": "{id}"}, "AccessKeyMetadata[]"),
        "mfa": Call("list_mfa_devices", {"UserName": "{id}"}, "MFADevices[].SerialNumber"),
        "password": Call("get_login_profile", {"UserName": "{id}"}, "LoginProfile", missing=("NoSuchEntity",)),
        "ssh_keys": Call("list_ssh_public_keys", {"UserName": "{id}"}, "SSHPublicKeys[].SSHPublicKeyId"),
        "certificates": Call("list_signing_certificates", {"UserName": "{id}"}, "Certificates[].CertificateId"),
        "service_credentials": Call(
            "list_service_specific_credentials",
            {"UserName": "{id}"},
            "ServiceSpecificCredentials[].ServiceSpecificCredentialId",
        ),
    },
    # Quarantine leaves them as they are, and AWS refuses to delete a user who has any.
    guarded={"it has SSH keys, certificates or service credentials": "ssh_keys || certificates || service_credentials"},
    refs=("attached", _BOUNDARY, "groups[].Arn"),
    named_by=("user", "users"),
    rank=90,
    quarantine=Quarantine(
        # The password stays, for nobody could put it back; who signs in with it is denied everything.
        words="denied everything, its access keys inactive",
        keep={"keys": "keys[?Status == 'Active'].AccessKeyId"},
        do=(
            Call("attach_user_policy", {"UserName": "{id}", "PolicyArn": _DENY_ALL}),
            Call(
                "update_access_key",
                {"UserName": "{id}", "AccessKeyId": "{each}", "Status": "Inactive"},
                each="kept.keys",
            ),
        ),
        undo=(
            Call(
                "update_access_key",
                {"UserName": "{id}", "AccessKeyId": "{each}", "Status": "Active"},
                each="kept.keys",
            ),
            Call("detach_user_policy", {"UserName": "{id}", "PolicyArn": _DENY_ALL}),
        ),
        done=f"attached[?{_DENIES_ALL}]",
    ),
    remove=(
        Call("delete_access_key", {"UserName": "{id}", "AccessKeyId": "{each}"}, each="element.keys[].AccessKeyId"),
        Call("delete_login_profile", {"UserName": "{each}"}, each="[element.password][].UserName"),
        *_without_policies("user"),
        Call("remove_user_from_group", {"UserName": "{id}", "GroupName": "{each}"}, each="element.groups[].GroupName"),
        Call("deactivate_mfa_device", {"UserName": "{id}", "SerialNumber": "{each}"}, each="element.mfa"),
        # A hardware device has no ARN, and is its owner's.
        Call("delete_virtual_mfa_device", {"SerialNumber": "{each}"}, each="element.mfa[?contains(@, ':mfa/')]"),
        _undenied("user"),
        Call("delete_user", {"UserName": "{id}"}),
    ),
    recover=f"{_LOST} Its access keys, password and MFA devices are lost.",
)

_GROUP = Type(
    name="aws_iam_group",
    service="iam",
    list=_details("GroupDetailList", "GroupName", attached=_ATTACHED),
    read=Call("get_group", {"GroupName": "{id}"}, "Group", missing=("NoSuchEntity",)),
    id="GroupName",
    arn="Arn",
    title="GroupName",
    account_wide=True,
    created="CreateDate",
    more={
        **_policies_of("group"),
        "members": Call("get_group", {"GroupName": "{id}"}, "Users[].Arn", missing=("NoSuchEntity",)),
    },
    refs=("attached",),
    used_by=("members",),
    named_by=("group", "group_name", "groups"),
    rank=91,
    remove=(*_without_policies("group"), _undenied("group"), Call("delete_group", {"GroupName": "{id}"})),
    recover=_LOST,
)

_POLICY = Type(
    name="aws_iam_policy",
    service="iam",
    list=_details("Policies", "PolicyName"),
    read=Call("get_policy", {"PolicyArn": "{id}"}, "Policy", missing=("NoSuchEntity",)),
    id="Arn",
    arn="Arn",
    title="PolicyName",
    account_wide=True,
    created="CreateDate",
    more={
        "tags": Call("list_policy_tags", {"PolicyArn": "{id}"}, "Tags"),
        "versions": Call("list_policy_versions", {"PolicyArn": "{id}"}, "Versions[]"),
    },
    rank=94,
    remove=(
        Call(
            "delete_policy_version",
            {"PolicyArn": "{id}", "VersionId": "{each}"},
            each="element.versions[?!IsDefaultVersion].VersionId",
        ),
        Call("delete_policy", {"PolicyArn": "{id}"}),
    ),
    recover="It does not come back: its statements are lost, those of all its versions.",
)

_PROFILE = Type(
    name="aws_iam_instance_profile",
    service="iam",
    list=Call("list_instance_profiles", {}, "InstanceProfiles[]"),  # the account's details lack those without a role
    read=Call("get_instance_profile", {"InstanceProfileName": "{id}"}, "InstanceProfile", missing=("NoSuchEntity",)),
    id="InstanceProfileName",
    arn="Arn",
    title="InstanceProfileName",
    account_wide=True,
    created="CreateDate",
    more={"tags": Call("list_instance_profile_tags", {"InstanceProfileName": "{id}"}, "Tags")},
    refs=("Roles[].Arn",),
    named_by=("iam_instance_profile", "iam_instance_profile.name", "instance_profile", "instance_profile_name"),
    rank=92,
    remove=(
        Call(
            "remove_role_from_instance_profile",
            {"InstanceProfileName": "{id}", "RoleName": "{each}"},
            each="element.Roles[].RoleName",
        ),
        Call("delete_instance_profile", {"InstanceProfileName": "{id}"}),
    ),
    recover="Make it again, and put its role into it.",
)

TYPES: tuple[Type, ...] = (_ROLE, _USER, _GROUP, _POLICY, _PROFILE)
