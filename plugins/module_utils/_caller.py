# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Who is calling."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws

ARGUMENTS: dict[str, Any] = {}


def identity(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """The result of caller_info."""
    found = aws.client("sts").get_caller_identity()
    return {
        "changed": False,
        "account": found["Account"],
        "arn": found["Arn"],
        "partition": found["Arn"].split(":")[1],
        "user_id": found["UserId"],
    }
