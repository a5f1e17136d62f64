# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What is known of an estate at one time: runs, approval, lock and drift of each stack, and what no code explains.

Pure: it turns AWS's answers into plain data, which JSON can hold. An estate is

    {"time", "name", "account_id", "region", "complete", "problems": [{"what", "why"}],
     "stacks": [{"name", "pipeline", "repository", "branch", "url", "flags": [some of FLAGS], "reason",
                 "runs": [run, the newest first], "last": the newest run that has ended and did something, or null,
                 "approval": null or {"execution_id", "stage", "action", "since", "url"},
                 "lock": {"state", "reason", and of one that is held "id", "who", "operation", "since"},
                 "drift": {"state", "reason", and where it is known "count", "ignored", "since", "at_least", "checked",
                           "old", "summary", "effects", "url"}}],
     "findings": null or {"state", "reason", "checked", "url", "summary", "complete", "approval_url",
                          "items": [{"group", "type", "id", "name", "region", "since", "text"}],
                          "coverage": [{"title", "lines"}]}}

and a run {"id", "result": one of RESULTS, "started", "ended", "seconds", "commit", "message", "trigger", "reason",
"url"}. Times are ISO 8601 in UTC, '' where there is none.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any, Iterable, Mapping
from urllib.parse import quote

from ansible_collections.gitops.aws.plugins.module_utils import _outcomes
from ansible_collections.gitops.aws.plugins.module_utils._estate.pipelines import CONSOLES

# How a run ended, or where it is. `unchanged`: there was nothing to do. `postponed`: it left its work to a later run,
# since another stack had not applied the commit yet.
SUCCEEDED, UNCHANGED, FAILED, STOPPED = "succeeded", _outcomes.UNCHANGED, "failed", "stopped"
POSTPONED, SUPERSEDED, WAITING, RUNNING = _outcomes.POSTPONED, "superseded", "waiting", "running"
RESULTS = (SUCCEEDED, UNCHANGED, FAILED, STOPPED, POSTPONED, SUPERSEDED, WAITING, RUNNING)
MEANINGFUL = (SUCCEEDED, UNCHANGED, FAILED, STOPPED)  # ended, and not in favour of another run

# What calls for somebody, what doesn't, in the order of a report.
FAILING, LOCKED, DRIFTING, UNKNOWN, NEVER = "failing", "locked", "drifting", "unknown", "never"
FLAGS = (FAILING, WAITING, LOCKED, DRIFTING, UNKNOWN, RUNNING, NEVER)

# States of locks and drift.
FREE, HELD = "free", "held"
NONE, FOUND, OFF = "none", "found", "off"

STATUSES = {
    "Succeeded": SUCCEEDED,
    "Failed": FAILED,
    "Stopped": STOPPED,
    "Cancelled": STOPPED,
    "Superseded": SUPERSEDED,
    "InProgress": RUNNING,
    "Stopping": RUNNING,
}
# What CodeBuild calls a build. Other actions have ids of other services, or none.
BUILD_ID = re.compile(r"[A-Za-z0-9_-]+:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LONGEST_ERROR = 600  # what IAM refused is at the end of a long line


def utc(time: datetime | None) -> str:
    """A time of an answer of AWS as text, to the second; '' for none."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""


def moment(text: str) -> datetime | None:
    """A time as utc(), or another of our modules, writes it; None for anything else."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def console(partition: str, region: str) -> str:
    """Where the pipelines are in AWS's console; each goes on with its name."""
    host = CONSOLES.get(partition, CONSOLES["aws"])
    return f"https://{region}.{host}/codesuite/codepipeline/pipelines/"


def pipeline_url(base: str, pipeline: str, region: str) -> str:
    """A pipeline in the console, where an approval is given, too."""
    return f"{base}{quote(pipeline, safe='')}/view?region={region}"


def execution_url(base: str, pipeline: str, execution_id: str, region: str) -> str:
    """An execution in the console."""
    return f"{base}{quote(pipeline, safe='')}/executions/{quote(execution_id, safe='')}/timeline?region={region}"


def run(summary: Mapping[str, Any], url: str) -> dict[str, Any]:
    """A run, from what ListPipelineExecutions says of it."""
    reason = summary.get("stopTrigger", {}).get("reason", "")
    result = STATUSES.get(summary["status"], RUNNING)
    if result == STOPPED:
        result = next((own for words, own in _outcomes.OWN_REASONS.items() if reason.startswith(words)), STOPPED)
    started, ended = summary.get("startTime"), summary.get("lastUpdateTime")
    over = result != RUNNING
    revision: Mapping[str, Any] = next(iter(summary.get("sourceRevisions", [])), {})
    return {
        "id": summary["pipelineExecutionId"],
        "result": result,
        "started": utc(started),
        "ended": utc(ended) if over else "",
        "seconds": max(0, int((ended - started).total_seconds())) if over and started and ended else None,
        "commit": revision.get("revisionId", ""),
        "message": first_line(commit_message(revision.get("revisionSummary", ""))),
        "trigger": summary.get("trigger", {}).get("triggerType", ""),
        "reason": reason,
        "url": url,
    }


def commit_message(summary: str) -> str:
    """The message of a commit: sources behind a connection put JSON around it."""
    try:
        said = json.loads(summary)
    except (ValueError, RecursionError):
        return summary
    return str(said.get("CommitMessage", "")) if isinstance(said, dict) else summary


def first_line(text: str, longest: int = 120) -> str:
    """The first line of a text, not too long."""
    line = next(iter(text.strip().splitlines()), "")
    return line if len(line) <= longest else f"{line[: longest - 1]}\u2026"


def needs_state(runs: list[dict[str, Any]]) -> bool:
    """Whether the state of the stages says more: something runs, perhaps waits for somebody, or failed last."""
    ended = last(runs)
    return any(each["result"] == RUNNING for each in runs) or (ended is not None and ended["result"] == FAILED)


def last(runs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The newest run that has ended and was not left to another."""
    return next((each for each in runs if each["result"] in MEANINGFUL), None)


def approval(stages: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The approval that waits, from GetPipelineState's stages. Only an approval has a token, which nobody is shown."""
    for stage in stages:
        for action in stage.get("actionStates", []):
            latest = action.get("latestExecution", {})
            if latest.get("status") == "InProgress" and latest.get("token"):
                return {
                    "execution_id": stage.get("latestExecution", {}).get("pipelineExecutionId", ""),
                    "stage": stage["stageName"],
                    "action": action["actionName"],
                    "since": utc(latest.get("lastStatusChange")),
                }
    return None


def failure(stages: Iterable[Mapping[str, Any]], execution_id: str) -> dict[str, str]:
    """What failed of an execution, from GetPipelineState's stages, {} where they are of a later one already.

    Returns:
        action; said: what CodePipeline says of it; build_id: of the build that failed, '' where it was none.
    """
    for stage in stages:
        if stage.get("latestExecution", {}).get("pipelineExecutionId") != execution_id:
            continue
        for action in stage.get("actionStates", []):
            latest = action.get("latestExecution", {})
            if latest.get("status") == "Failed":
                said = latest.get("errorDetails", {}).get("message") or latest.get("summary") or "failed"
                build_id = latest.get("externalExecutionId", "")
                return {
                    "action": action["actionName"],
                    "said": said,
                    "build_id": build_id if BUILD_ID.fullmatch(build_id) else "",
                }
    return {}


def why_failed(action: str, said: str) -> str:
    """A run's reason: what failed, and what is said of it."""
    return f"{action}: {first_line(said, LONGEST_ERROR)}"


# Drift


def drift(details: Iterable[Mapping[str, Any]], oldest: datetime, url: Any) -> dict[str, Any]:
    """What the runs of a stack's drift pipeline say.

    Args:
        details: ListActionExecutions', the newest first.
        oldest: what was found before is old.
        url: makes a link of an execution's id.
    """
    executions: dict[str, list[Mapping[str, Any]]] = {}
    for detail in details:
        executions.setdefault(detail["pipelineExecutionId"], []).append(detail)
    known, trouble, running = [], "", False
    for execution_id, actions in executions.items():
        count = next((_count(action) for action in actions if _count(action) is not None), None)
        if count is not None:
            known.append((execution_id, count, next(action for action in actions if _count(action) is not None)))
        elif any(action["status"] == "Failed" for action in actions):
            trouble = trouble or ("" if known else _why(execution_id, actions))
        elif not known and any(action["status"] == "InProgress" for action in actions):
            running = True
    if not known:
        if trouble:
            return {"state": UNKNOWN, "reason": trouble}
        return {"state": RUNNING if running else NEVER, "reason": "it has not been looked for yet"}
    execution_id, count, action = known[0]
    found = _while_found(known)
    variables = action["output"]["outputVariables"]
    checked = action.get("lastUpdateTime")
    return {
        "state": FOUND if count else NONE,
        "reason": trouble,
        "count": count,
        "ignored": 0,
        "since": utc(found[-1][2].get("lastUpdateTime")) if found else "",
        "at_least": bool(found) and len(found) == len(known),
        "begun": utc(action.get("startTime")),
        "checked": utc(checked),
        "old": bool(checked and checked < oldest),
        "summary": variables.get("PLAN_SUMMARY", ""),
        "effects": variables.get("PLAN_EFFECTS", ""),
        "url": url(execution_id),
    }


def _count(action: Mapping[str, Any]) -> int | None:
    text = action.get("output", {}).get("outputVariables", {}).get("DRIFT_COUNT", "")
    return int(text) if action["status"] == "Succeeded" and text.isdecimal() else None


def _while_found(known: list[Any]) -> list[Any]:
    """The newest runs that found something, one after the other."""
    number = next((index for index, (_id, count, _action) in enumerate(known) if not count), len(known))
    return known[:number]


def _why(execution_id: str, actions: list[Mapping[str, Any]]) -> str:
    failed = next(action for action in actions if action["status"] == "Failed")
    result = failed.get("output", {}).get("executionResult", {})
    said = result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary") or "failed"
    return f"the newest run, {execution_id}, failed: {why_failed(failed['actionName'], said)}"


def with_ignored(found: dict[str, Any], stack: Mapping[str, Any] | None) -> dict[str, Any]:
    """The drift of a stack without what the settings ignore, where the scan of the account has looked at the same run.

    Args:
        found: of drift().
        stack: what the scan says of the stack: `time`, when AWS was compared with the state, `differing`, `ignored`.
            Where it is otherwise than a scan writes it, it counts for nothing.
    """
    begun, checked = moment(found.get("begun", "")), moment(found.get("checked", ""))
    time = moment(str(stack.get("time", ""))) if stack else None
    if stack is None or not (begun and checked and time and begun <= time <= checked):
        return found
    left, ignored = _number(stack.get("differing", 0)), _number(stack.get("ignored", 0))
    if left is None or ignored is None:
        return found
    state = FOUND if left else NONE
    return {**found, "state": state, "count": left, "ignored": ignored, "since": found["since"] if left else ""}


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


# Stacks and the estate


def flags(stack: Mapping[str, Any]) -> list[str]:
    """What calls for somebody's attention, and what does not, in the order of FLAGS."""
    ended = stack["last"]
    true = {
        FAILING: ended is not None and ended["result"] == FAILED,
        WAITING: stack["approval"] is not None,
        LOCKED: stack["lock"]["state"] == HELD,
        DRIFTING: stack["drift"]["state"] == FOUND,
        UNKNOWN: bool(stack["reason"]) or UNKNOWN in (stack["lock"]["state"], stack["drift"]["state"]),
        RUNNING: any(each["result"] == RUNNING for each in stack["runs"]),
        NEVER: not stack["runs"] and not stack["reason"],
    }
    return [flag for flag in FLAGS if true[flag]]


def unseen(stacks: list[dict[str, Any]]) -> list[str]:
    """The flags of which nothing is known of any stack, so that none having them means nothing."""
    if not stacks:
        return []
    no_lock, no_drift = (all(stack[of]["state"] == UNKNOWN for stack in stacks) for of in ("lock", "drift"))
    no_run = all(stack["reason"] for stack in stacks)
    blind = {FAILING: no_run, WAITING: no_run, LOCKED: no_lock, DRIFTING: no_drift, RUNNING: no_run, NEVER: no_run}
    return [flag for flag in FLAGS if blind.get(flag)]


def counts(estate: Mapping[str, Any]) -> dict[str, int]:
    """How many stacks have each of FLAGS, how many stacks there are, and how many findings."""
    stacks = estate["stacks"]
    found = estate.get("findings") or {}
    return {
        "stacks": len(stacks),
        **{flag: sum(flag in stack["flags"] for stack in stacks) for flag in FLAGS},
        "findings": len(found.get("items", [])),
    }
