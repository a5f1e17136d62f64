# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual MFA devices: their codes count when a role is assumed, and the session has what AWS says of it.

A device's codes are those of RFC 6238 with SHA-1, 30 seconds and six digits, as an authenticator app shows them. On
AWS a code counts once; here it counts as often as it is given.
"""

from __future__ import annotations

import base64
import contextvars
import hashlib
import hmac
import json
import os
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import iam, sts

from local_aws.aws_json import AwsError, caller_of

_STEP = 30
_TRUST_FAILED = "MultiFactorAuthentication failed"


@dataclass(frozen=True)
class _Call:
    """A call that makes a session: how long it is to last (None: the default), and whether MFA was given."""

    duration: int | None
    with_mfa: bool


_call: contextvars.ContextVar[_Call | None] = contextvars.ContextVar("local_aws_sts_call", default=None)


def apply() -> None:
    """Install all of it in MiniStack."""
    _seeds()
    _enabling()
    _sessions()


def code(seed: str, at: float | None = None) -> str:
    """The code that a device with a Base32 seed shows at a time (now unless told otherwise)."""
    counter = int((time.time() if at is None else at) // _STEP)
    digest = hmac.new(base64.b32decode(seed), struct.pack(">Q", counter), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def keys_of_session(session: dict[str, Any] | None) -> dict[str, str]:
    """The condition keys of a session that was got with MFA, in lower case; MiniStack has those of the others."""
    if session is None or "MfaAt" not in session:
        return {}
    return {
        "aws:multifactorauthpresent": "true",
        "aws:multifactorauthage": str(int(time.time() - session["MfaAt"])),
    }


def parameters(headers: dict[str, str], body: bytes, query: dict[str, Any]) -> dict[str, str]:
    """The single values of a request to STS, in either of its protocols; Action among them."""
    found = {name: values[0] for name, values in query.items() if isinstance(values, list) and values}
    target = headers.get("x-amz-target", "")
    if "amz-json" in headers.get("content-type", ""):
        try:
            given = json.loads(body or b"{}")
        except ValueError:
            given = {}
        found |= {name: str(value) for name, value in given.items() if isinstance(value, (str, int))}
        return found | {"Action": target.rpartition(".")[2]}
    return found | {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


# --- devices --------------------------------------------------------------------------------------------------------


def _seeds() -> None:
    """A new device's seed is Base32, as authenticator apps need it."""
    original: Callable[[dict[str, Any]], Any] = iam._IAM_HANDLERS["CreateVirtualMFADevice"]

    def create(request: dict[str, Any]) -> Any:
        before = set(iam._mfa_devices.keys())
        answer = original(request)
        for serial in set(iam._mfa_devices.keys()) - before:
            iam._mfa_devices[serial]["Base32StringSeed"] = base64.b32encode(os.urandom(40)).decode()
            shown = iam._virtual_mfa_xml(serial, include_user=False)
            answer = iam._xml(
                200,
                "CreateVirtualMFADeviceResponse",
                f"<CreateVirtualMFADeviceResult><VirtualMFADevice>{shown}</VirtualMFADevice>"
                "</CreateVirtualMFADeviceResult>",
                ns="iam",
            )
        return answer

    iam._IAM_HANDLERS["CreateVirtualMFADevice"] = create


def _enabling() -> None:
    """EnableMFADevice asks for two consecutive codes of the device, not older than a few minutes."""
    original: Callable[[dict[str, Any]], Any] = iam._IAM_HANDLERS["EnableMFADevice"]

    def enable(request: dict[str, Any]) -> Any:
        device = iam._mfa_devices.get(iam._p(request, "SerialNumber"))
        given = [iam._p(request, f"AuthenticationCode{number}") for number in (1, 2)]
        if device is not None:
            seed, now = device["Base32StringSeed"], time.time()
            pairs = [[code(seed, now + shift * _STEP), code(seed, now + (shift + 1) * _STEP)] for shift in range(-6, 2)]
            if given not in pairs:
                return iam._error(
                    403, "InvalidAuthenticationCode", "Authentication code for device is not valid.", ns="iam"
                )
        return original(request)

    iam._IAM_HANDLERS["EnableMFADevice"] = enable


# --- sessions -------------------------------------------------------------------------------------------------------


def _sessions() -> None:
    """AssumeRole and GetSessionToken know MFA; a role's session lasts no longer than the role allows."""
    handle_request: Callable[..., Awaitable[Any]] = sts.handle_request
    caller_identity: Callable[..., Any] = sts._caller_identity
    register_session: Callable[[str, dict[str, Any]], None] = sts.register_session

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        request = parameters(headers, body, query)
        if request.get("Action") not in ("AssumeRole", "GetSessionToken"):
            return await handle_request(method, path, headers, body, query)
        before = _call.set(None)
        try:
            _call.set(_Call(_duration(request), _verified(request, extract_access_key_id(headers, query))))
            return await handle_request(method, path, headers, body, query)
        except AwsError as error:
            if "amz-json" in headers.get("content-type", ""):
                return error_response_json(error.code, error.message, error.status)
            return sts._error(error.status, error.code, error.message, ns="sts")
        finally:
            _call.reset(before)

    def identity(*arguments: Any, **more: Any) -> Any:
        caller, call = caller_identity(*arguments, **more), _call.get()
        if call is not None and call.with_mfa and isinstance(caller, dict):
            caller["principalKeys"] |= {"aws:multifactorauthpresent": "true", "aws:multifactorauthage": "0"}
        return caller

    def register(access_key: str, session: dict[str, Any]) -> None:
        if (call := _call.get()) is not None:
            source = sts._sessions.get(session.get("SourceAccessKeyId", ""), {})
            if session["PrincipalType"] == "AssumedRole":
                _check_duration(call, session, source)
            if call.with_mfa:
                session["MfaAt"] = time.time()
            elif "MfaAt" in source and source.get("PrincipalType") == "User":
                session["MfaAt"] = source["MfaAt"]
        register_session(access_key, session)

    sts.handle_request, sts._caller_identity, sts.register_session = handle, identity, register


def _duration(request: dict[str, str]) -> int | None:
    """DurationSeconds. Raises AwsError ValidationError for what no role and no user may have."""
    if not request.get("DurationSeconds"):
        return None
    role = request["Action"] == "AssumeRole"
    limits = (900, 43200 if role else 129600)
    try:
        seconds = int(request["DurationSeconds"])
    except ValueError:
        raise AwsError("MalformedInput", "DurationSeconds is not a number") from None
    for wrong, text in (
        (seconds < limits[0], f"greater than or equal to {limits[0]}"),
        (seconds > limits[1], f"less than or equal to {limits[1]}"),
    ):
        if wrong:
            raise AwsError(
                "ValidationError",
                f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: "
                f"Member must have value {text}",
            )
    return seconds


def _check_duration(call: _Call, session: dict[str, Any], source: dict[str, Any]) -> None:
    """Raises AwsError ValidationError for a session that lasts longer than its role, or role chaining, allows."""
    name = iam_evaluator._role_name_from_assumed_arn(session["Arn"])
    role = iam._roles.get_scoped(session["AccountId"], None, name) or {}
    if call.duration is None:
        return
    if call.duration > int(role.get("MaxSessionDuration", 3600)):
        raise AwsError(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    if call.duration > 3600 and source.get("PrincipalType") == "AssumedRole":
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        )


def _verified(request: dict[str, str], access_key: str) -> bool:
    """Whether the call comes with a right code of the caller's device. Raises AwsError AccessDenied for a wrong one."""
    serial, given = request.get("SerialNumber"), request.get("TokenCode")
    if not serial and not given:
        return False
    if not serial or not given:
        raise _denied("must provide both MFA serial number and one time pass code.")
    device = iam._mfa_devices.get(serial)
    user = next((user for user in iam._users.values() if user["UserName"] == (device or {}).get("User")), None)
    if user is None or access_key in sts._sessions or caller_of(access_key, get_region()).arn != user["Arn"]:
        raise _denied(
            "unable to validate MFA code. Please verify your MFA serial number is valid and associated with this user."
        )
    now = time.time()
    if given not in [code(device["Base32StringSeed"], now + shift * _STEP) for shift in (-1, 0, 1)]:
        raise AwsError("AccessDenied", f"{_TRUST_FAILED} with invalid MFA one time pass code.", 403)
    return True


def _denied(why: str) -> AwsError:
    return AwsError("AccessDenied", f"{_TRUST_FAILED}, {why}", 403)
