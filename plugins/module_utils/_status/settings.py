# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.
"""What estate_status_info has to know of an estate, by its names. Calls nothing."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.drift import max_age_hours
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack


def status_settings(foundation: Foundation, stacks: list[Stack]) -> dict[str, Any]:
    """The arguments of gitops.aws.estate_status_info for an estate, as far as they are not empty.

    Args:
        foundation: what the estate shares.
        stacks: checked stacks, all or some.
    """
    drift = foundation.get("drift")
    looking = {
        "scan_pipeline": names.central(foundation),
        "max_age_hours": max_age_hours(drift["schedule"]) if drift else 0,
    }
    return {
        "name": foundation["name"],
        "account_id": foundation["account_id"],
        "partition": foundation["partition"],
        "state_bucket": foundation["state_bucket"],
        "lock_files": "lockfile" in foundation["locking"],
        **({"lock_table": foundation["lock_table"]} if "dynamodb" in foundation["locking"] else {}),
        **(looking if drift else {}),
        "stacks": [
            {
                "name": stack["name"],
                "pipeline": names.pipeline(foundation, stack),
                "state_key": stack["state_key"],
                "repository": names.source_of(stack),
                "branch": stack["branch"],
                **({"drift_pipeline": names.drift_pipeline(foundation, stack)} if drift else {}),
            }
            for stack in stacks
        ],
    }
