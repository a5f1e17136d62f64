# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to IAM are authorised on the user, group or role with its path, on whom they simulate, on MFA devices."""

from __future__ import annotations

from typing import Any

from ministack.core import iam_actions
from ministack.services import iam

from local_aws import acted_on


def apply() -> None:
    """Install it in MiniStack."""
    acted_on.correct(
        lambda call, so_far: _entity(so_far(), call.query, call.account_id) if call.service == "iam" else None
    )


def _entity(found: str, query: dict[str, Any], account_id: str) -> str:
    """The ARN that a call is authorised on, given what MiniStack says of it (which has no path)."""
    simulated, device, serial, path = (
        str(iam_actions._query_param(query, name))
        for name in ("PolicySourceArn", "VirtualMFADeviceName", "SerialNumber", "Path")
    )
    if simulated:
        return simulated
    if device:
        return f"arn:aws:iam::{account_id}:mfa{path or '/'}{device}"
    if found == "*" and ":mfa/" in serial:
        return serial
    kind, _, name = found.rpartition(":")[2].partition("/")
    stores = {"user": iam._users, "group": iam._groups, "role": iam._roles}
    if kind not in stores or not found.startswith(f"arn:aws:iam::{account_id}:"):
        return found
    entity = stores[kind].get(name)
    # What is being made has the path that the request gives it.
    return str(entity["Arn"]) if entity else f"arn:aws:iam::{account_id}:{kind}{path or '/'}{name}"
