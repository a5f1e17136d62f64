# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Condition keys that AWS has for every signed call and MiniStack has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import sts

from local_aws import mfa

_GRANT_CALLS = ("kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")


def apply() -> None:
    """Install them in MiniStack's evaluator."""
    _of_the_caller()
    _of_keys()
    _of_policies()


def _of_the_caller() -> None:
    """aws:PrincipalIsAWSService is false for users and roles; a session knows whether it was got with MFA."""
    original: Callable[[Any], dict[str, Any]] = iam_evaluator._principal_keys

    def keys_of(credential: Any) -> dict[str, Any]:
        keys = original(credential) | {"aws:principalisawsservice": "false"}
        return keys | mfa.keys_of_session(sts._sessions.get(credential.access_key_id))

    iam_evaluator._principal_keys = sts._principal_keys = keys_of


def _of_keys() -> None:
    """kms:CallerAccount is the caller's; kms:GrantIsForAWSResource is false where no service makes the call."""
    original: Callable[..., Any] = iam_evaluator.enforce

    def enforce(access_key_id: str, iam_action: str, service: str, region: str, **more: Any) -> Any:
        if service == "kms":
            context = {"kms:CallerAccount": get_account_id()}
            if iam_action in _GRANT_CALLS:
                context["kms:GrantIsForAWSResource"] = "false"
            more["service_context"] = context | (more.get("service_context") or {})
        return original(access_key_id, iam_action, service, region, **more)

    iam_evaluator.enforce = enforce


def _of_policies() -> None:
    """iam:PolicyARN is the managed policy that a call attaches or detaches."""
    original: Callable[..., dict[str, Any]] = iam_actions.request_tag_context

    def context(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        found = original(service, iam_action, body, params)
        if iam_action.startswith(("iam:Attach", "iam:Detach")):
            found["iam:PolicyARN"] = iam_actions._query_param(params, "PolicyArn")
        return found

    iam_actions.request_tag_context = context
