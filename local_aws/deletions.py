# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS refuses to delete, or to change first: users, groups and policies in use, linked roles, databases, keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import iam, kms, rds

from local_aws import user_credentials

Handler = Callable[[dict[str, Any]], Any]


def apply() -> None:
    """Install it in MiniStack."""
    entities_in_use()
    linked_roles()
    states_of_databases()
    final_snapshots()
    keys_that_go()


def entities_in_use() -> None:
    """Users and groups have nothing left when they are deleted, a policy no further versions."""
    _before("DeleteUser", lambda request: _conflict(_of_a_user(iam._p(request, "UserName"))))
    _before("DeleteGroup", lambda request: _conflict(_of_a_group(iam._p(request, "GroupName"))))
    _before("DeletePolicy", lambda request: _conflict(_of_a_policy(iam._p(request, "PolicyArn"))))


def _of_a_user(name: str) -> Iterable[str]:
    if name in iam._users:
        if name in iam._login_profiles:
            yield "must delete login profile first"
        if any(device["User"] == name for device in iam._mfa_devices.values()):
            yield "must delete MFA device first"
        if iam._user_inline_policies.get(name):
            yield "must delete policies first"
        if any(name in group.get("Users", []) for group in iam._groups.values()):
            yield "must remove users from group first"
        if reason := user_credentials.left(iam._users[name]):
            yield reason


def _of_a_group(name: str) -> Iterable[str]:
    group = iam._groups.get(name) or {}
    if group.get("Users"):
        yield "must remove users from group first"
    if group.get("AttachedPolicies"):
        yield "must detach all policies first"
    if group and iam._group_inline_policies.get(name):
        yield "must delete policies first"


def _of_a_policy(arn: str) -> Iterable[str]:
    if len((iam._policies.get(arn) or {}).get("Versions", {})) > 1:
        yield "must delete all non-default versions first"


def _conflict(reasons: Iterable[str]) -> Any:
    reason = next(iter(reasons), "")
    return iam._error(409, "DeleteConflict", f"Cannot delete entity, {reason}.", ns="iam") if reason else None


def linked_roles() -> None:
    """A role that is linked to a service is deleted by the service's leave only, and never changed."""

    def protected(request: dict[str, Any]) -> Any:
        name = iam._p(request, "RoleName")
        if not (iam._roles.get(name) or {}).get("Path", "").startswith("/aws-service-role/"):
            return None
        message = f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        return iam._error(400, "UnmodifiableEntity", message, ns="iam")

    for operation in (
        *("AttachRolePolicy", "DeleteRole", "DeleteRolePolicy", "DetachRolePolicy"),
        *("PutRolePermissionsBoundary", "PutRolePolicy", "UpdateAssumeRolePolicy"),
    ):
        _before(operation, protected)


def _before(operation: str, refusal: Callable[[dict[str, Any]], Any]) -> None:
    """IAM's operation, unless there is a refusal."""
    original: Handler = iam._IAM_HANDLERS[operation]
    iam._IAM_HANDLERS[operation] = lambda request: refusal(request) or original(request)


def states_of_databases() -> None:
    """RDS stops an instance that is available, and starts one that is stopped."""
    for operation, needed in (("StopDBInstance", "available"), ("StartDBInstance", "stopped")):
        rds._ACTION_MAP[operation] = _in_state(rds._ACTION_MAP[operation], needed)


def _in_state(original: Handler, needed: str) -> Handler:
    def checked(request: dict[str, Any]) -> Any:
        instance = rds._resolve_instance(rds._p(request, "DBInstanceIdentifier"))
        if instance and instance["DBInstanceStatus"] != needed:
            name = instance["DBInstanceIdentifier"]
            return rds._error("InvalidDBInstanceState", f"Instance {name} is not in {needed} state.", 400)
        return original(request)

    return checked


def final_snapshots() -> None:
    """A database is deleted with a final snapshot, named and of an instance that runs, or expressly without."""
    original: Handler = rds._ACTION_MAP["DeleteDBInstance"]

    def delete(request: dict[str, Any]) -> Any:
        instance = rds._resolve_instance(rds._p(request, "DBInstanceIdentifier"))
        skip = rds._p(request, "SkipFinalSnapshot") == "true"
        snapshot = rds._p(request, "FinalDBSnapshotIdentifier")
        if instance and skip == bool(snapshot):
            message = "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            if skip:
                message = "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is."
            return rds._error("InvalidParameterCombination", message, 400)
        if instance and not instance.get("DeletionProtection") and not skip:
            if snapshot in rds._snapshots:
                message = f"A snapshot with the identifier {snapshot} already exists."
                return rds._error("DBSnapshotAlreadyExists", message, 400)
            if instance["DBInstanceStatus"] != "available":
                name = instance["DBInstanceIdentifier"]
                message = f"Cannot create a snapshot because the database instance {name} is not currently in the "
                message += "available state."
                return rds._error("InvalidDBInstanceState", message, 400)
        return original(request)

    rds._ACTION_MAP["DeleteDBInstance"] = delete


def keys_that_go() -> None:
    """A key that waits for its deletion is neither enabled, disabled nor scheduled again."""
    for name in ("_enable_key", "_disable_key", "_schedule_key_deletion"):
        setattr(kms, name, _of_a_key_that_stays(getattr(kms, name)))


def _of_a_key_that_stays(original: Handler) -> Handler:
    def checked(request: dict[str, Any]) -> Any:
        key = kms._resolve_key(request.get("KeyId", ""))
        if key and key["KeyState"].startswith("Pending") and "DeletionDate" in key:
            return error_response_json("KMSInvalidStateException", f"{key['Arn']} is pending deletion.", 400)
        return original(request)

    return checked
