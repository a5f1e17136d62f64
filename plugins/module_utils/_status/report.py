# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.
"""The estate at a glance, for the terminal, as JSON and as Markdown. The page is in page.py.

Pure: the same status makes the same text. Names, messages and reasons were chosen by others: each format escapes them
in its own way, after plain() has taken out what is not printable.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Mapping

from ansible_collections.gitops.aws.plugins.module_utils._findings.report import MARKUP, plain, when
from ansible_collections.gitops.aws.plugins.module_utils._status import model

WIDTH = 110
SHOWN_IN_TERMINAL = 15  # stacks for each flag
MARKDOWN_FINDINGS = 200

# How a run is shown where there is no colour, and what that means; the page has the same signs.
SIGNS = {
    model.SUCCEEDED: "+",
    model.UNCHANGED: "=",
    model.FAILED: "x",
    model.STOPPED: "-",
    model.POSTPONED: "~",
    model.SUPERSEDED: ".",
    model.WAITING: "?",
    model.RUNNING: ">",
}
MEANINGS = {
    model.SUCCEEDED: "succeeded",
    model.UNCHANGED: "nothing to change",
    model.FAILED: "failed",
    model.STOPPED: "stopped",
    model.POSTPONED: "left to a later run",
    model.SUPERSEDED: "superseded",
    model.WAITING: "waits for approval",
    model.RUNNING: "running",
}
TITLES = {
    model.FAILING: "Failing",
    model.WAITING: "Waiting for approval",
    model.LOCKED: "Locked",
    model.DRIFTING: "Drifting",
    model.UNKNOWN: "Not known",
    model.RUNNING: "Running",
    model.NEVER: "Never ran",
}
STACK_KEYS = ("name", "pipeline", "repository", "branch", "url", "reason", "runs", "last", "approval", "lock")


def of(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status of estate_status_info, checked and in the order of a report: what calls for somebody comes first.

    Raises KeyError, TypeError or AttributeError for anything else.
    """
    stacks = [
        {**{key: stack[key] for key in STACK_KEYS}, "drift": stack["drift"], "flags": model.flags(stack)}
        for stack in status["stacks"]
    ]
    stacks.sort(key=lambda stack: (urgency(stack), stack["name"]))
    kept = ("time", "name", "account_id", "region", "complete")
    estate = {
        **{key: status[key] for key in kept},
        "problems": [{"what": one["what"], "why": one["why"]} for one in status["problems"]],
        "stacks": stacks,
        "findings": status.get("findings"),
    }
    return {**estate, "counts": model.counts(estate)}


def urgency(stack: Mapping[str, Any]) -> int:
    """The place of a stack in a report: that of the first of its flags."""
    return min((model.FLAGS.index(flag) for flag in stack["flags"]), default=len(model.FLAGS))


def age(since: str, now: str) -> str:
    """How long something has lasted, '' where it is not known since when."""
    begin, end = model.moment(since), model.moment(now)
    return span((end - begin).total_seconds()) if begin and end else ""


def span(seconds: float) -> str:
    """A time in one unit."""
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length * (2 if unit == "day" else 1):
            number = int(seconds // length)
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "less than a minute"


def headline(estate: Mapping[str, Any]) -> str:
    """The estate in a line."""
    counts = estate["counts"]
    said = [f"{counts[flag]} {words.lower()}" for flag, words in TITLES.items() if counts[flag]]
    found = estate["findings"]
    if found:
        said.append(f"findings: {plain(found['summary']) or found['state']}")
    stacks = f"{counts['stacks']} stack{'' if counts['stacks'] == 1 else 's'}"
    return f"{stacks}: {', '.join(said) if said else 'all is well'}"


def told(stack: Mapping[str, Any], flag: str, now: str) -> str:
    """What is to be said of a stack for one of its flags."""
    if flag == model.FAILING:
        last = stack["last"]
        return f"{age(last['ended'], now)} ago: {plain(last['reason']) or 'see the run'}"
    if flag == model.WAITING:
        return f"for {age(stack['approval']['since'], now)}: {plain(stack['approval']['url'])}"
    if flag == model.LOCKED:
        lock = stack["lock"]
        held = age(lock["since"], now) or "nobody knows how long"
        return f"for {held}, by {plain(lock['who'])} ({plain(lock['operation'])})"
    if flag == model.DRIFTING:
        drift = stack["drift"]
        more = "at least " if drift["at_least"] else ""
        return f"{drift['count']} for {more}{age(drift['since'], now)}: {plain(drift['effects'] or drift['summary'])}"
    if flag == model.UNKNOWN:
        parts = [f"{of}: {stack[of]['reason']}" for of in ("lock", "drift") if stack[of]["state"] == model.UNKNOWN]
        return plain("; ".join([*filter(None, [stack["reason"]]), *parts]))
    return ""


def _drift(stack: Mapping[str, Any], now: str) -> str:
    drift = stack["drift"]
    words = {model.NONE: "none", model.FOUND: told(stack, model.DRIFTING, now) if "count" in drift else ""}
    old = " (old)" if drift.get("old") else ""
    return f"{words.get(drift['state'], '' if drift['state'] == model.OFF else drift['state'])}{old}"


def strip(stack: Mapping[str, Any]) -> str:
    """The runs as signs, the newest last."""
    return "".join(SIGNS[each["result"]] for each in reversed(stack["runs"]))


def title(estate: Mapping[str, Any]) -> str:
    """Which estate, and when."""
    return f"{plain(estate['name'])}, account {plain(estate['account_id'])}, {plain(estate['region'])}, " + when(
        estate["time"]
    )


def terminal(estate: Mapping[str, Any]) -> str:
    """What calls for somebody, in few lines."""
    lines = [title(estate), headline(estate)]
    for flag in (model.FAILING, model.WAITING, model.LOCKED, model.DRIFTING, model.UNKNOWN):
        stacks = [stack for stack in estate["stacks"] if flag in stack["flags"]]
        if not stacks:
            continue
        lines += ["", f"{TITLES[flag].upper()} ({len(stacks)})"]
        width = max(len(plain(stack["name"])) for stack in stacks[:SHOWN_IN_TERMINAL])
        for stack in stacks[:SHOWN_IN_TERMINAL]:
            line = f"  {plain(stack['name']):<{width}}  {told(stack, flag, estate['time'])}"
            # A link is to be copied whole.
            lines.append(line if flag == model.WAITING or len(line) <= WIDTH else f"{line[: WIDTH - 3]}...")
        if len(stacks) > SHOWN_IN_TERMINAL:
            lines.append(f"  and {len(stacks) - SHOWN_IN_TERMINAL} more")
    return "\n".join(lines) + "\n"


def as_json(estate: Mapping[str, Any]) -> str:
    """All of it, for programs."""
    return json.dumps(estate, indent=1, sort_keys=True) + "\n"


def _prose(text: Any) -> str:
    return MARKUP.sub(r"\\\1", plain(text)).replace("\\@", "\\@\u200b")


def markdown(estate: Mapping[str, Any]) -> str:
    """The report for pull requests, wikis and messages."""
    now = estate["time"]
    lines = [f"# {_prose(title(estate))}", "", f"**{_prose(headline(estate))}**"]
    for flag in (model.FAILING, model.WAITING, model.LOCKED, model.DRIFTING, model.UNKNOWN):
        stacks = [stack for stack in estate["stacks"] if flag in stack["flags"]]
        if stacks:
            lines += ["", f"## {TITLES[flag]} ({len(stacks)})", ""]
            lines += [f"- {_prose(stack['name'])}: {_prose(told(stack, flag, now))}" for stack in stacks]
    legend = ", ".join(f"`{SIGNS[result]}` {MEANINGS[result]}" for result in model.RESULTS)
    lines += ["", "## Stacks", "", f"The newest run is on the right: {legend}.", ""]
    lines += ["| stack | runs | last result | drift | lock |", "|---|---|---|---|---|"]
    for stack in estate["stacks"]:
        last = stack["last"]
        said = f"{MEANINGS[last['result']]}, {age(last['ended'], now)} ago" if last else ""
        lock = stack["lock"]["state"] if stack["lock"]["state"] != model.FREE else ""
        runs = f"`{strip(stack)}`" if stack["runs"] else ""
        lines.append(f"| {' | '.join((_prose(stack['name']), runs, said, _prose(_drift(stack, now)), lock))} |")
    return "\n".join([*lines, *_findings(estate)]) + "\n"


def _findings(estate: Mapping[str, Any]) -> list[str]:
    found = estate["findings"]
    if not found:
        return []
    number = "" if found["state"] in (model.UNKNOWN, model.NEVER) else f" ({len(found['items'])})"
    lines = ["", f"## What the code does not explain{number}", "", _prose(findings_line(found))]
    if found["items"]:
        lines += ["", "| kind | resource | since | what is known |", "|---|---|---|---|"]
        for one in found["items"][:MARKDOWN_FINDINGS]:
            cells = (one["group"], f"{one['type']} {one['name']}", age(one["since"], estate["time"]), one["text"])
            lines.append(f"| {' | '.join(_prose(cell) for cell in cells)} |")
        if len(found["items"]) > MARKDOWN_FINDINGS:
            lines.append(f"\nand {len(found['items']) - MARKDOWN_FINDINGS} more, all of them in the JSON.")
    for each in found["coverage"]:
        lines += ["", f"### {_prose(each['title'])}", "", *(f"- {_prose(line)}" for line in each["lines"][:50])]
    return lines


def findings_line(found: Mapping[str, Any]) -> str:
    """When the account was scanned, and how far that can be trusted, in a line."""
    parts = [f"scanned {when(found['checked'])}" if found["checked"] else "", plain(found["summary"])]
    parts.append("the scan was incomplete" if found["checked"] and not found["complete"] else "")
    parts.append("that is long ago" if found["old"] else "")
    parts.append(plain(found["reason"]))
    return "; ".join(filter(None, parts))


def seconds(time: str) -> int | None:
    """A time in seconds since 1970, None where there is none."""
    found: datetime | None = model.moment(time) if time else None
    return int(found.timestamp()) if found else None
