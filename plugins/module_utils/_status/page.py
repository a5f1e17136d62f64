# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.
"""The estate as a page: one file that loads nothing, and in which no script runs but the one here.

All data is JSON in an element that no browser runs, with every character escaped that could end it; the script shows it
as text. The page's policy allows style and script by their hashes only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from typing import Any, Mapping

from ansible_collections.gitops.aws.plugins.module_utils._findings.report import plain
from ansible_collections.gitops.aws.plugins.module_utils._status import model, report
from ansible_collections.gitops.aws.plugins.module_utils._status.page_script import SCRIPT
from ansible_collections.gitops.aws.plugins.module_utils._status.page_style import STYLE

NO_SCRIPT = "This page shows itself by a script of its own, which does not run here. estate.md says the same."
MOST_FINDINGS = 1000
MOST_LINES = 200  # of one part of the coverage
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


POLICY = (
    f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; base-uri 'none'; form-action 'none'"
)


def page(estate: Mapping[str, Any]) -> str:
    """The page about a result of report.of()."""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY, quote=True)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            '<meta name="color-scheme" content="light dark">',
            "<title>The estate at a glance</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            '<main id="page"><h1>The estate at a glance</h1>',
            f"<noscript><p>{NO_SCRIPT}</p></noscript></main>",
            f'<script type="application/json" id="data">{embedded(data(estate))}</script>',
            f"<script>{SCRIPT}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def embedded(value: Any) -> str:
    """JSON that cannot end the element that it is in, nor begin another one."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def data(estate: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows, in few bytes: short keys, nothing that is empty, times as seconds before the report's."""
    now = report.seconds(estate["time"]) or 0
    found = estate["findings"]
    return {
        "time": now,
        "name": plain(estate["name"]),
        "account": plain(estate["account_id"]),
        "region": plain(estate["region"]),
        "results": [[name, report.MEANINGS[name]] for name in model.RESULTS],
        "flags": [[flag, report.TITLES[flag]] for flag in model.FLAGS],
        "counts": estate["counts"],
        "unseen": model.unseen(estate["stacks"]),
        "problems": [f"{plain(one['what'])}: {plain(one['why'])}" for one in estate["problems"][:MOST_LINES]],
        "unread": len(estate["problems"]),
        "stacks": [_stack(stack, now) for stack in estate["stacks"]],
        "findings": _findings(found, now) if found else None,
    }


def _ago(time: str, now: int) -> int | None:
    then = report.seconds(time)
    return None if then is None else max(0, now - then)


def _some(**values: Any) -> dict[str, Any]:
    """What is not empty."""
    return {key: value for key, value in values.items() if value or (value == 0 and value is not False)}


def _stack(stack: Mapping[str, Any], now: int) -> dict[str, Any]:
    base = _before(stack["url"], "/view?")
    last, approval, lock, drift = (stack[key] for key in ("last", "approval", "lock", "drift"))
    return _some(
        n=plain(stack["name"]),
        r=plain(" \u00b7 ".join(filter(None, (stack["repository"], stack["branch"])))),
        u=stack["url"],
        f=[model.FLAGS.index(flag) for flag in stack["flags"]],
        w=plain(stack["reason"]),
        x=[_run(run, base, now) for run in reversed(stack["runs"])],
        m=plain(_shown(stack).get("message", "")),
        e=plain(last["reason"]) if last and last["result"] == model.FAILED else "",
        i=stack["runs"].index(last) if last else None,
        a=_some(t=_ago(approval["since"], now), u=approval["url"]) if approval else None,
        l=_some(
            s=lock["state"],
            t=_ago(lock.get("since", ""), now),
            p=plain(lock.get("who", "")),
            o=plain(lock.get("operation", "")),
            w=plain(lock["reason"]),
        )
        if lock["state"] != model.FREE
        else None,
        d=_some(
            s=drift["state"],
            c=drift.get("count"),
            g=drift.get("ignored") or None,
            t=_ago(drift.get("since", ""), now),
            z=drift.get("at_least"),
            k=_ago(drift.get("checked", ""), now),
            o=drift.get("old"),
            e=plain(drift.get("effects") or drift.get("summary") or ""),
            u=drift.get("url"),
            w=plain(drift["reason"]),
        ),
    )  # fmt: skip


def _shown(stack: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run whose commit is named: the one that waits for somebody, else the newest if it runs, else the last."""
    runs = stack["runs"]
    newest: Mapping[str, Any] = next(iter(runs), {})
    waits = next((run for run in runs if run["result"] == model.WAITING), None)
    return waits or (newest if newest.get("result") == model.RUNNING else stack["last"] or newest)


def _before(url: str, end: str) -> str:
    return url.partition(end)[0]


def _run(run: Mapping[str, Any], base: str, now: int) -> list[Any]:
    """Result, id, seconds since its start, how long it took, commit; the link only where it is another than usual."""
    one = run["id"].replace("-", "") if UUID.fullmatch(run["id"]) else run["id"]
    shown: list[Any] = [
        model.RESULTS.index(run["result"]), one, _ago(run["started"], now), run["seconds"], plain(run["commit"][:7]),
    ]  # fmt: skip
    return shown if run["url"].startswith(f"{base}/executions/") else [*shown, run["url"]]


def _findings(found: Mapping[str, Any], now: int) -> dict[str, Any]:
    shown = found["items"][:MOST_FINDINGS]
    return {
        "line": report.findings_line(found),
        "state": found["state"],
        "more": len(found["items"]) - len(shown),
        **_some(url=found["url"], approval=found["approval_url"]),
        "items": [
            [
                plain(one["group"]), plain(one["type"]), plain(one["name"]), plain(one["id"]), plain(one["region"]),
                _ago(one["since"], now), plain(one["text"])[:300],
            ]
            for one in shown
        ],
        "coverage": [
            [plain(each["title"]), [plain(line)[:2000] for line in each["lines"][:MOST_LINES]], len(each["lines"])]
            for each in found["coverage"]
        ],
    }  # fmt: skip
