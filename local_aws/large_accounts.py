# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of MiniStack for accounts with thousands of resources, and for many calls at the same time."""

from __future__ import annotations

import functools
import time
from types import FunctionType
from typing import Any
from urllib.parse import quote

from ministack.services import iam, sts

DETAILS_IN_A_PAGE = (100, 1000)  # by default, and at most
_KINDS = {"User": "_users", "Group": "_groups", "Role": "_roles", "LocalManagedPolicy": "_policies"}
LOOK_FOR_EXPIRED = 60.0


class _Page(dict[str, Any]):
    """The items of a page; as values all there are, which the details of other things look through."""

    def __init__(self, items: dict[str, Any], everything: Any) -> None:
        super().__init__(items)
        self._everything = everything

    def values(self) -> Any:
        return self._everything.values()


def details_in_pages() -> None:
    """GetAccountAuthorizationDetails answers in pages."""
    original: FunctionType = iam._IAM_HANDLERS["GetAccountAuthorizationDetails"]
    quoted = functools.lru_cache(maxsize=32768)(quote)

    def details(request: dict[str, Any]) -> Any:
        default, most = DETAILS_IN_A_PAGE
        size = iam._p(request, "MaxItems", str(default))
        if not size.isdecimal() or not 1 <= int(size) <= most:
            return iam._error(400, "ValidationError", f"MaxItems must be from 1 to {most}, not {size}", ns="iam")
        wanted = {iam._p(request, f"Filter.member.{number}") for number in range(1, len(_KINDS) + 2)} - {""}
        marker = _place(*iam._p(request, "Marker").split(" ")[:2]) if iam._p(request, "Marker") else (-1, "")
        rest = [
            (kind, name)
            for kind, store in _KINDS.items()
            if not wanted or kind in wanted
            for name in sorted(getattr(iam, store))
            if _place(kind, name) > marker
        ]
        page = set(rest[: int(size)])
        stores = {}
        for kind, store in _KINDS.items():
            everything = getattr(iam, store)
            items = {name: item for name, item in everything.items() if (kind, name) in page}
            stores[store] = _Page(items, everything)
        # The same function, which sees no more than the page.
        code = FunctionType(original.__code__, {**original.__globals__, **stores, "_url_quote": quoted})
        status, headers, body = code(request)
        if len(rest) > len(page):
            more = f"<IsTruncated>true</IsTruncated><Marker>{' '.join(rest[len(page) - 1])}</Marker>"
            body = body.replace(b"<IsTruncated>false</IsTruncated>", more.encode())
        return status, headers, body

    iam._IAM_HANDLERS["GetAccountAuthorizationDetails"] = details


def _place(kind: str, name: str = "") -> tuple[int, str]:
    """Where something comes in the list of everything; what is no kind comes before all."""
    return (list(_KINDS).index(kind) if kind in _KINDS else -1, name)


def sessions_expire() -> None:
    """Sessions that have expired are looked for now and then, not with every new one, which made thousands slow.

    Other calls that make sessions meanwhile are in nobody's way.
    """
    looked = 0.0

    def evict() -> None:
        nonlocal looked
        now = time.time()
        if now - looked < LOOK_FOR_EXPIRED:
            return
        looked = now
        # A list of the items, unlike a copy, is not made in one step: others may add one meanwhile.
        for key, session in sts._sessions.copy().items():
            if isinstance(session.get("Expiration"), int | float) and now > session["Expiration"]:
                sts._sessions.pop(key, None)

    sts._evict_expired_sessions = evict


def apply() -> None:
    """Install the corrections; before others that stand on the same calls."""
    details_in_pages()
    sessions_expire()
