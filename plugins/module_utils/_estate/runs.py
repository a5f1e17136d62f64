# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Runs of many stacks: which are meant, and what became of them, in words."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._findings.report import plain
from ansible_collections.gitops.aws.plugins.module_utils._outcomes import (
    ENDED,
    SUPERSEDED,
    had_nothing_to_do,
    plan_of,
    why,
)

ALL = "all"

NAMES_SHOWN = 30


def chosen_stacks(stacks: list[dict[str, Any]], wanted: Any) -> dict[str, Any]:
    """The stacks that somebody means.

    Args:
        stacks: all of the estate.
        wanted: one name, several with commas between them, a list of names, or `all`.

    Returns:
        names, each once, in the order in which they were given; and the problem in words, '' where there is none.
    """
    known = [stack["name"] for stack in stacks]
    given = wanted.split(",") if isinstance(wanted, str) else wanted if isinstance(wanted, list) else [wanted]
    names = list(dict.fromkeys(str(name).strip() for name in given))
    if names == [ALL] and ALL not in known:
        names = known
    unknown = [name for name in names if name not in known]
    if names and not unknown:
        return {"names": names, "problem": ""}
    shown = ", ".join(known[:NAMES_SHOWN]) + (
        f" and {len(known) - NAMES_SHOWN} more" if len(known) > NAMES_SHOWN else ""
    )
    verb = "are" if len(unknown) > 1 else "is"
    return {
        "names": names,
        "problem": f"stack: {', '.join(_with_near(name, known) for name in unknown or [''])} {verb} not among the "
        "stacks. Say which one with -e stack=<name>, or which with -e stack=<name>,<name> or -e stack=all. "
        f"Allowed are: {shown}",
    }


def _with_near(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"{name!r} (did you mean {near[0]}?)" if near else repr(name)


def run_report(resources: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """What became of the runs of stacks.

    Args:
        resources: executions by pipeline, as the module codepipeline_executions returns them. Their labels are the
            stacks' names.

    Returns:
        lines: one for each stack, those that failed last; approve: for each run that waits for approval the arguments
        of the playbook that approve it; failed: the stacks whose runs did not end well, or have not ended.
    """
    well, ill, approve = [], [], []
    for run in resources.values():
        stack, counts = run["label"], plan_of(run).get("PLAN_SUMMARY", "")
        more = f", {counts}" if counts else ""
        reason = run.get("error") or why(run)
        if reason:
            ill.append((stack, f"{stack}: FAILED{more}: {reason}"))
        elif run["waiting_for_approval"]:
            approve.append(f"-e stack={stack} -e execution_id={run['id']} -e approve=true")
            effects = plan_of(run).get("PLAN_EFFECTS", "")
            well.append(f"{stack}: waits for approval{more}{f'. {effects}' if effects else ''}")
        elif had_nothing_to_do(run):
            effects = plan_of(run).get("PLAN_EFFECTS", "")
            well.append(f"{stack}: nothing was done{more}{f'. {effects}' if effects else ''}")
        elif run["status"] == "Superseded":
            well.append(f"{stack}: {SUPERSEDED}{more}")
        elif run["status"] in ENDED:
            well.append(f"{stack}: succeeded{more}")
        elif run["id"]:
            ill.append((stack, f"{stack}: still runs{more} (-e execution_id={run['id']} follows it)"))
        else:
            well.append(f"{stack}: would be started")
    return {
        "lines": [plain(line) for line in (*well, *(line for _stack, line in ill))],
        "approve": approve,
        "failed": [stack for stack, _line in ill],
    }
