# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A function's reserved concurrency: reading, setting and ending it are actions of their own."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import LocalAws, allow, unique

CALLS: dict[str, dict[str, Any]] = {
    "GetFunctionConcurrency": {},
    "PutFunctionConcurrency": {"ReservedConcurrentExecutions": 0},
    "DeleteFunctionConcurrency": {},
}
OPERATIONS = {
    "GetFunctionConcurrency": "get_function_concurrency",
    "PutFunctionConcurrency": "put_function_concurrency",
    "DeleteFunctionConcurrency": "delete_function_concurrency",
}


@pytest.mark.parametrize("action", CALLS)
def test_each_takes_its_own_action(local_aws: LocalAws, action: str) -> None:
    client = local_aws.client("lambda", local_aws.user(unique("lambda"), allow(f"lambda:{action}")))

    for other, operation in OPERATIONS.items():
        with pytest.raises(ClientError) as raised:
            getattr(client, operation)(FunctionName="missing", **CALLS[other])
        code = raised.value.response["Error"]["Code"]
        assert code == ("ResourceNotFoundException" if other == action else "AccessDeniedException"), other
