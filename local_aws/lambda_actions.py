# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and ending a function's reserved concurrency are authorised by their own actions, not as setting it."""

from __future__ import annotations

from typing import Any

from ministack.core import iam_actions

_ACTIONS = {"GET": "lambda:GetFunctionConcurrency", "DELETE": "lambda:DeleteFunctionConcurrency"}


def apply() -> None:
    """Install it in MiniStack."""
    action_of = iam_actions.extract_iam_action

    def action(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> str | None:
        found: str | None = action_of(service, method, path, headers, body, query)
        return _ACTIONS.get(method, found) if found == "lambda:PutFunctionConcurrency" else found

    iam_actions.extract_iam_action = action
