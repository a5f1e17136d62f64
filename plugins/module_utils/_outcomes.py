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

SUPERSEDED = "superseded by a newer run"  # which does its work, before it began

# How our own plan ends an execution early (buildspecs/parts/plan.sh): what becomes of it, with what the reason begins,
# and what is the plan's PLAN_SUMMARY. Nothing is to be done, or another stack has to apply the commit first.
UNCHANGED, POSTPONED = "unchanged", "postponed"
OWN_ENDS = ((UNCHANGED, "No changes: ", "no changes"), (POSTPONED, "Waits for ", "no plan"))
OWN_REASONS = {reason: result for result, reason, _summary in OWN_ENDS}
NO_PLAN = tuple(summary for _result, _reason, summary in OWN_ENDS)


def plan_of(execution: dict[str, Any]) -> dict[str, str]:
    """The variables of the plan of an execution, {} where there is none (yet)."""
    actions = [action for stage in execution["stages"] for action in stage["actions"]]
    return next((each["output_variables"] for each in actions if "PLAN_SUMMARY" in each["output_variables"]), {})


def had_nothing_to_do(execution: dict[str, Any]) -> bool:
    """Whether its own plan has stopped it: nothing differs, or another stack comes first."""
    return execution["status"] == "Stopped" and plan_of(execution).get("PLAN_SUMMARY") in NO_PLAN


def failures(execution: dict[str, Any]) -> list[str]:
    """The actions of an execution that failed, each with why, in one line."""
    return [
        f"{stage['name']}/{action['name']}: {execution.get('reason') or action['summary'] or action['status']}"
        for stage in execution["stages"]
        for action in stage["actions"]
        if action["status"] in FAILED
    ]


def why(execution: dict[str, Any]) -> str:
    """Why an execution failed, in one line; '' where it succeeded, had nothing to do or was superseded, where it runs,
    or cannot be seen."""
    status = execution["status"]
    if status not in ENDED or status in ("Succeeded", "Superseded") or had_nothing_to_do(execution):
        return ""
    return "; ".join(failures(execution) or [execution["status_summary"] or f"it is {execution['status']}"])


def has_failed(execution: dict[str, Any]) -> bool:
    """Whether an execution ended otherwise than well, or it is not known what became of it."""
    return bool(execution.get("error") or why(execution))
