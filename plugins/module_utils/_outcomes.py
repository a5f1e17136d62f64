# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What became of executions of pipelines, as _many_executions.glance() has them: in words, and without a call."""

from __future__ import annotations

from typing import Any

# The statuses in which an execution of a pipeline stays.
ENDED = ("Succeeded", "Failed", "Stopped", "Superseded", "Cancelled")

FAILED = ("Failed", "Abandoned")  # of actions

# PLAN_SUMMARY of a plan that lets its execution end early; see buildspecs/parts/plan.sh.
NO_PLAN = ("no changes", "no plan")


def plan_of(execution: dict[str, Any]) -> dict[str, str]:
    """The variables of the plan of an execution, {} where there is none (yet)."""
    actions = [action for stage in execution["stages"] for action in stage["actions"]]
    return next((each["output_variables"] for each in actions if "PLAN_SUMMARY" in each["output_variables"]), {})


def had_nothing_to_do(execution: dict[str, Any]) -> bool:
    """Whether its own plan has stopped it: nothing differs, or another stack comes first."""
    return execution["status"] == "Stopped" and plan_of(execution).get("PLAN_SUMMARY") in NO_PLAN


def why(execution: dict[str, Any]) -> str:
    """Why an execution did not succeed, in one line; '' where it did, had nothing to do, runs, or cannot be seen."""
    if execution["status"] not in ENDED or execution["status"] == "Succeeded" or had_nothing_to_do(execution):
        return ""
    failed = [
        f"{stage['name']}/{action['name']}: {execution['reason'] or action['summary'] or action['status']}"
        for stage in execution["stages"]
        for action in stage["actions"]
        if action["status"] in FAILED
    ]
    return "; ".join(failed or [execution["status_summary"] or f"it is {execution['status']}"])


def has_failed(execution: dict[str, Any]) -> bool:
    """Whether an execution ended otherwise than well, or it is not known what became of it."""
    return bool(execution.get("error") or why(execution))
