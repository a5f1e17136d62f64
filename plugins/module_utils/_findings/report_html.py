# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The report as a page: one file that loads nothing, and in which no script runs but the one here.

Whoever makes a resource chooses its name and tags, so all that is not ours is escaped, and the page's policy allows the
style and the script by their hashes only.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Any, Mapping

from ansible_collections.gitops.aws.plugins.module_utils._findings.report import (
    CHANGED,
    GHOSTS,
    Group,
    coverage,
    facts,
    groups,
    heading,
    is_command,
    plain,
    scope,
    summary,
    where,
)

LONG = 10  # lines of a list that is shown folded

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1a1d21; --soft: #565e66; --line: #d5dade; --card: #f6f8f9;
  --link: #0b57b0; --bad: #b3261e; --warn: #8a5200; --good: #18663a; }
@media (prefers-color-scheme: dark) { :root { --back: #14171a; --text: #e6e9ec; --soft: #a3acb5; --line: #363d44;
  --card: #1d2226; --link: #8ab8f5; --bad: #ff8d85; --warn: #f0b45b; --good: #7fd6a0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 72rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .25rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
p { margin: .25rem 0; } .soft { color: var(--soft); } .bad { color: var(--bad); } .good { color: var(--good); }
code { font: .875em/1.5 ui-monospace, monospace; }
.notice { border: 1px solid var(--bad); border-left-width: .4rem; padding: .5rem 1rem; margin: 1rem 0;
  border-radius: .25rem; }
form { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; margin: 1rem 0 0; padding: .75rem 1rem;
  border: 1px solid var(--line); border-radius: .25rem; background: var(--card); }
form[hidden], section[hidden], tr[hidden] { display: none; }
label { white-space: nowrap; } input[type=search] { font: inherit; padding: .25rem .5rem; width: 100%; max-width: 22rem;
  color: inherit; background: var(--back); border: 1px solid var(--soft); border-radius: .25rem; }
table { width: 100%; border-collapse: collapse; margin: .75rem 0; } th, td { text-align: left; vertical-align: top;
  padding: .6rem .75rem .6rem 0; border-top: 1px solid var(--line); } thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 600; width: 34%; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem .75rem; margin: .25rem 0; }
dt { color: var(--soft); } dd { margin: 0; }
summary { cursor: pointer; color: var(--link); } li { margin: .15rem 0; }
ul { margin: .25rem 0; padding-left: 1.25rem; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
@media (max-width: 44rem) {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, tr, tbody th, td { display: block; width: 100%; padding: 0; border: 0; }
  tr { border-top: 1px solid var(--line); padding: .75rem 0; } }
@media print { form { display: none; } }
"""

# Without it all is shown, and the form is not.
SCRIPT = """
"use strict";
const form = document.querySelector("form");
const count = document.querySelector("output");
function filter() {
  const text = form.elements.text.value.trim().toLowerCase();
  let shown = 0;
  for (const section of document.querySelectorAll("section[data-group]")) {
    section.hidden = !form.elements[section.dataset.group].checked;
    for (const row of section.querySelectorAll("tbody tr")) {
      row.hidden = !row.textContent.toLowerCase().includes(text);
      shown += section.hidden || row.hidden ? 0 : 1;
    }
  }
  count.value = shown + " shown";
}
if (form) {
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
}
"""


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


POLICY = (
    f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; base-uri 'none'; form-action 'none'"
)


def page(result: Mapping[str, Any]) -> str:
    """The page about a result of report.of()."""
    found = groups(result)
    title = f"Account {where(result)}"
    state = '<span class="good">complete</span>' if result["complete"] else '<strong class="bad">incomplete</strong>'
    body = [
        "<h1>What the code does not explain</h1>",
        f'<p class="soft">{_text(title)}</p>',
        f"<p>Scope: {_text(scope(result))}</p>",
        f"<p>Found: <strong>{_text(summary(result))}</strong>; the scan is {state}.</p>",
        _problems(result),
        _form(found),
        *(_section(group, result) for group in found),
        '<section aria-labelledby="coverage"><h2 id="coverage">Coverage</h2>',
        *(_list(name, lines) for name, lines in coverage(result)),
        "</section>",
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY, quote=True)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{_text(title)}: what the code does not explain</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            *filter(None, body),
            "</main>",
            f"<script>{SCRIPT}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _text(value: Any) -> str:
    return escape(plain(value), quote=True)


def _problems(result: Mapping[str, Any]) -> str:
    if result["complete"]:
        return ""
    lines = [
        f"<li><code>{_text(one['what'])}</code>: {_text(one['why'])}"
        + (f"<br>Fix: {_text(one['fix'])}" if one.get("fix") else "")
        + "</li>"
        for one in result["problems"]
    ]
    listed = f"<ul>{''.join(lines)}</ul>" if lines else ""
    return (
        '<div class="notice" role="note"><strong class="bad">Incomplete.</strong> Some of this may be wrong, and'
        f" nothing may be removed until it is mended.{listed}</div>"
    )


def _form(found: list[Group]) -> str:
    if not found:
        return ""
    boxes = [
        f'<label><input type="checkbox" name="{_text(group.name)}" checked> {_text(group.title)}'
        f" ({len(group.items)})</label>"
        for group in found
    ]
    return (
        '<form hidden aria-label="Filter the findings">'
        + "".join(boxes)
        + '<input type="search" name="text" aria-label="Only those with this text" placeholder="Only with this text">'
        + '<output class="soft" aria-live="polite"></output></form>'
    )


def _section(group: Group, result: Mapping[str, Any]) -> str:
    name = _text(group.name)
    steps = [f"<li>{_text(what)}: {_how(how)}</li>" for what, how in group.next]
    rows = [_row(one, group, result) for one in group.items]
    # The roles say what display: block on a small screen takes from a table.
    return "\n".join(
        [
            f'<section data-group="{name}" aria-labelledby="{name}">',
            f'<h2 id="{name}">{_text(group.title)} ({len(group.items)})</h2>',
            f"<p>{_text(group.meaning)}</p>",
            f"<details><summary>What can be done</summary><ul>{''.join(steps)}</ul></details>",
            f'<table role="table" aria-labelledby="{name}"><thead role="rowgroup"><tr role="row">',
            '<th role="columnheader" scope="col">Resource</th><th role="columnheader" scope="col">What is known</th>',
            '</tr></thead><tbody role="rowgroup">',
            *rows,
            "</tbody></table></section>",
        ]
    )


def _how(how: str) -> str:
    return f"<code>{_text(how)}</code>" if is_command(how) else _text(how)


def _row(one: Mapping[str, Any], group: Group, result: Mapping[str, Any]) -> str:
    told = "".join(f"<dt>{_text(label)}</dt><dd>{_text(text)}</dd>" for label, text in facts(one, group, result))
    called = _text(heading(one, group))
    if group.name not in (CHANGED, GHOSTS):
        kind, _space, rest = heading(one, group).partition(" ")
        called = f'<span class="soft">{_text(kind)}</span><br>{_text(rest)}'
    return f'<tr role="row"><th role="rowheader" scope="row">{called}</th><td role="cell"><dl>{told}</dl></td></tr>'


def _list(name: str, lines: list[str]) -> str:
    listed = f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul>"
    if len(lines) > LONG:
        listed = f"<details><summary>All {len(lines)}</summary>{listed}</details>"
    return f"<h3>{_text(name)}</h3>{listed}"
