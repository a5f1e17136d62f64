# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users of IAM have beside access keys, passwords and MFA devices: SSH keys, certificates, service credentials.

They are made, listed and deleted; nobody signs in with them, and what is uploaded is not looked at.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from ministack.services import iam


@dataclass(frozen=True)
class _Kind:
    """A kind: the operation that makes one, the element that all are listed in, its id's member and beginning."""

    make: str
    noun: str
    listed: str
    member: str
    begins: str
    reason: str


_KINDS = (
    _Kind(
        *("UploadSSHPublicKey", "SSHPublicKey", "SSHPublicKeys", "SSHPublicKeyId", "APKA"),
        "must delete SSH public keys first",
    ),
    _Kind(
        *("UploadSigningCertificate", "SigningCertificate", "Certificates", "CertificateId", ""),
        "must delete signing certificates first",
    ),
    _Kind(
        *("CreateServiceSpecificCredential", "ServiceSpecificCredential", "ServiceSpecificCredentials"),
        *("ServiceSpecificCredentialId", "ACCA"),
        "must delete service specific credentials first",
    ),
)


def apply() -> None:
    """Install it in MiniStack."""
    for kind in _KINDS:
        _install(kind)


def left(user: dict[str, Any]) -> str:
    """Why a user that has any of them cannot be deleted, '' where it has none."""
    return next((kind.reason for kind in _KINDS if user.get(kind.listed)), "")


def _install(kind: _Kind) -> None:
    def user_of(request: dict[str, Any]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = iam._users.get(iam._p(request, "UserName"))
        return found

    def missing(request: dict[str, Any]) -> Any:
        message = f"The user with name {iam._p(request, 'UserName')} cannot be found."
        return iam._error(404, "NoSuchEntity", message, ns="iam")

    def shown(request: dict[str, Any], identity: str) -> str:
        name = iam._p(request, "UserName")
        return f"<UserName>{name}</UserName><{kind.member}>{identity}</{kind.member}><Status>Active</Status>"

    def answer(operation: str, content: str = "") -> Any:
        return iam._xml(200, f"{operation}Response", f"<{operation}Result>{content}</{operation}Result>", ns="iam")

    def make(request: dict[str, Any]) -> Any:
        user = user_of(request)
        if user is None:
            return missing(request)
        identity = kind.begins + secrets.token_hex(8).upper()
        user.setdefault(kind.listed, []).append(identity)
        element = "Certificate" if kind.listed == "Certificates" else kind.noun
        return answer(kind.make, f"<{element}>{shown(request, identity)}</{element}>")

    def listed(request: dict[str, Any]) -> Any:
        user = user_of(request)
        if user is None:
            return missing(request)
        members = "".join(f"<member>{shown(request, one)}</member>" for one in user.get(kind.listed, []))
        return answer(f"List{kind.noun}s", f"<{kind.listed}>{members}</{kind.listed}><IsTruncated>false</IsTruncated>")

    def delete(request: dict[str, Any]) -> Any:
        identity, user = iam._p(request, kind.member), user_of(request)
        if user is None or identity not in user.get(kind.listed, []):
            return iam._error(404, "NoSuchEntity", f"{identity} cannot be found.", ns="iam")
        user[kind.listed].remove(identity)
        return iam._xml(200, f"Delete{kind.noun}Response", "", ns="iam")

    for operation, handler in ((kind.make, make), (f"List{kind.noun}s", listed), (f"Delete{kind.noun}", delete)):
        iam._IAM_HANDLERS[operation] = handler
