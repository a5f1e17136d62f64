# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call is authorised on: where MiniStack names another resource than AWS, a function says the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_actions


@dataclass(frozen=True)
class Call:
    """A request, as MiniStack has it before it is authorised; the names of headers are in small letters."""

    service: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, Any]
    region: str
    account_id: str

    @property
    def operation(self) -> str:
        """The operation, of the services that say it in a header."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]


def correct(right: Callable[[Call, Callable[[], str]], str | None]) -> None:
    """Installs a function from a call, and what was said of it so far, to the ARN; None where that was right."""
    original = iam_actions.extract_resource_arn

    def extract(
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query: dict[str, Any],
        region: str,
        account_id: str,
    ) -> str:
        def so_far() -> str:
            return str(original(service, method, path, headers, body, query, region, account_id))

        return right(Call(service, path, headers, body, query, region, account_id), so_far) or so_far()

    iam_actions.extract_resource_arn = extract
