# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What was found, for people and for programs: terminal, Markdown, JSON, JUnit. The page is in report_html.py.

All take the result of unmanaged_resources_info and return a text, which is the same for the same result. Names, tags
and messages in it were chosen by whoever made the resources: each format escapes them in its own way, after plain() has
taken out what is not printable. Nothing but SHOWN is ever written, whatever else somebody puts into a result.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Iterable, Mapping
from xml.etree import ElementTree

from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue, model
from ansible_collections.gitops.aws.plugins.module_utils._findings.entries import PROPERTIES, words

WIDTH = 110
# GitHub takes comments of 65,536 characters, SNS messages of 256 KiB.
LONGEST_MARKDOWN = 60000
CHANGED, GHOSTS = "changed", "ghosts"
ADOPT = "ansible-playbook gitops.aws.adopt -e @your.yml"
RUN = "ansible-playbook gitops.aws.run -e @your.yml -e stack=STACK"
IMPORTS = """-e '{"imports": {"ADDRESS": "IMPORT_ID"}}'"""
ADOPTABLE = (model.UNMANAGED, model.LEAKED)

SHOWN: dict[str, tuple[str, ...]] = {
    "resources": (
        *("arn", "type", "id", "import_id", "region", "name", "verdict", "reason", "evidence", "created", "first_seen"),
        *("age_hours", "tags", "refs", "removable", "quarantine", "guarded", "creator", "recover"),
    ),
    "ghosts": ("address", "state", "stack", "type", "id", "reason"),
    "changed": ("address", "state", "stack", "type", "id", "paths", "reason"),
    "coverage": ("type", "region", "status", "seen", "managed", "findings", "removable", "message"),
    "breadth": ("arn", "type", "source", "reported"),
    "stacks": ("stack", "status", "message", "time", "differing", "ignored"),
    "states": ("key", "lineage", "serial", "etag", "version_id", "managed", "locked"),
    "problems": ("what", "why", "fix"),
    "notes": ("what", "why", "fix"),
    "expired_entries": ("index", *PROPERTIES),
    "unused_entries": ("index", *PROPERTIES),
}
IN_ORDER = ("problems", "notes", "stacks", "expired_entries", "unused_entries")  # of their own
SHOWN_WHOLE = (
    *("account_id", "partition", "regions", "time", "scope", "complete", "counts", "api_calls"),
    *("breadth_beyond", "unseen_types"),
)
KEPT = {
    model.MANAGED: "managed by a state",
    model.AWS_DEFAULT: "made by AWS in every account",
    model.SERVICE_MANAGED: "made by an AWS service for itself",
    model.REFERENCED: "part of, or mentioned by, what a state has",
    model.OTHER_IAC: "of CloudFormation, EKS and the like",
    model.PROTECTED: "protected",
    model.IGNORED: "accepted in the reviewed file",
    model.OUT_OF_SCOPE: "outside the scope",
    model.TOO_YOUNG: "too young to judge",
    model.INCOMPLETE: "not judged, because too little is known",
}


@dataclass
class Group:
    """Findings of one kind.

    Attributes:
        name: a verdict, CHANGED or GHOSTS.
        title: what they are called.
        meaning: what it says about a resource that it is here.
        next: what can be done, each as (what, how: a command, or a sentence).
        items: of resources, changed or ghosts.
    """

    name: str
    title: str
    meaning: str
    next: list[tuple[str, str]]
    items: list[dict[str, Any]]


def plain(value: Any) -> str:
    """A text in one line without anything that is not printable: control sequences, and marks that turn text around."""
    return "".join(each if each.isprintable() else _escaped(each) for each in str(value))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def of(
    result: Mapping[str, Any], changed: Iterable[Any] = (), ghosts: Iterable[Any] = (), stacks: Iterable[Any] = ()
) -> dict[str, Any]:
    """A result with nothing in it but what may be shown, in an order that does not change.

    Args:
        result: of unmanaged_resources_info.
        changed, ghosts: more of them, such as those that terraform_drift_info found. Those of `changed` whose `action`
            is ghost are ghosts, too. A ghost counts once.
        stacks: those whose drift was asked for. One that is not fresh may, or may not, be as its code says.
    """
    shown = {name: result[name] for name in SHOWN_WHOLE if result.get(name) is not None}
    lists = {name: _list(result.get(name)) for name in SHOWN}
    drift = [_changed(one) for one in (*lists["changed"], *changed)]
    gone = [one for one in drift if one.get("action") == "ghost"]
    # Of what is left when all that changed is ignored, nothing is to be said.
    lists["changed"] = [one for one in drift if one.get("action") != "ghost" and one["paths"]]
    named = {_place(one): one for one in (*gone, *ghosts, *lists["ghosts"])}
    lists["ghosts"] = list(named.values())
    lists["stacks"] += stacks
    lists["notes"] += [_unchecked(one, result.get("time", "")) for one in stacks if one["status"] != "fresh"]
    for name, keys in SHOWN.items():
        rows = [{key: one[key] for key in keys if key in one} for one in lists[name]]
        shown[name] = rows if name in IN_ORDER else sorted(rows, key=_order)
    return {"scope": None, "complete": False, "regions": [], "counts": {}, **shown}


def _list(value: Any) -> list[Any]:
    # Ansible gives every result a `changed` of its own, true or false.
    return list(value) if isinstance(value, list) else []


def _unchecked(stack: Mapping[str, Any], now: str) -> dict[str, str]:
    """What to say of a stack of which nobody knows how it is at the time of a scan."""
    old = f" ({age(_hours(stack['time'], now))})" if now and stack["status"] == "old" else ""
    return {
        "what": f"what has changed of the stack {stack['stack']}",
        "why": f"{stack['message']}{old}",
        "fix": "let its pipeline look, with -e start_drift=true; where that fails, gitops.aws.doctor says why",
    }


def _hours(since: str, until: str) -> float:
    """The hours between two times of results."""
    begin, end = (datetime.fromisoformat(time.replace("Z", "+00:00")) for time in (since, until))
    return (end - begin).total_seconds() / 3600


def _changed(one: Mapping[str, Any]) -> dict[str, Any]:
    """A changed resource with the paths of its attributes, without their values: those may be secret."""
    attributes = one.get("paths") or one.get("attributes") or []
    paths = [each.get("path") or each.get("name", "") if isinstance(each, dict) else each for each in attributes]
    return {**one, "paths": sorted(map(str, paths))}


def _place(one: Mapping[str, Any]) -> tuple[str, str]:
    """What tells a ghost from others: Terraform knows its stack, and the scan its state."""
    return str(one.get("address", "")), str(one.get("id") or one.get("state") or one.get("stack") or "")


def _order(one: Mapping[str, Any]) -> tuple[str, ...]:
    keys = ("type", "region", "state", "key", "address", "name", "arn", "id", "status")
    return tuple(str(one.get(key, "")) for key in keys)


def groups(result: Mapping[str, Any]) -> list[Group]:
    """The findings of a result of of(), those that call for somebody first; none that is empty."""
    found: dict[str, list[dict[str, Any]]] = {
        name: [one for one in result["resources"] if one["verdict"] == name]
        for name in (model.UNMANAGED, model.LEAKED, model.FOREIGN_TERRAFORM, model.INCOMPLETE)
    }
    adopt = (
        "take it into the code",
        "ansible-playbook gitops.aws.adopt -e @your.yml -e directory=CHECKOUT -e arns=ARN",
    )
    accept = ("keep it outside the code", "an entry in the reviewed file, or the tag gitops:protect on the resource")
    whole = [
        Group(
            model.UNMANAGED,
            "Unmanaged",
            "No state has them, and nothing shows that a Terraform made them.",
            [adopt, accept, ("remove it", _removing(result))],
            found[model.UNMANAGED],
        ),
        Group(
            model.LEAKED,
            "Leaked by the pipeline",
            "The pipeline made them, and no state has them: an apply that failed, or a state that was lost.",
            [
                ("the code has it: take it into the state", f"{RUN} {IMPORTS}"),
                adopt,
                ("nobody needs it", "remove it by hand: what a run has left is for people to decide"),
            ],
            found[model.LEAKED],
        ),
        Group(
            model.FOREIGN_TERRAFORM,
            "Of another Terraform",
            "A Terraform made them whose state is not in the bucket. They are never removed.",
            [("find its owner", "and bring its state into the bucket, as a stack of its own"), accept],
            found[model.FOREIGN_TERRAFORM],
        ),
        Group(
            CHANGED,
            "Changed",
            "A state has them, and AWS has them otherwise than the state says.",
            [
                ("put back what the code says", RUN),
                ("keep the change", "write it into the code, or its path into ignore_changes of the settings"),
            ],
            list(result["changed"]),
        ),
        Group(
            GHOSTS,
            "Ghosts",
            "A state has them, and AWS has them no more.",
            [
                ("make it again", RUN),
                ("do without", "remove it from the code; the next run forgets it"),
            ],
            list(result["ghosts"]),
        ),
        Group(
            model.INCOMPLETE,
            "Not judged",
            "Too little is known of them. They are never removed.",
            [("see below", "what is not complete, and why")],
            found[model.INCOMPLETE],
        ),
    ]
    return [group for group in whole if group.items]


def _removing(result: Mapping[str, Any]) -> str:
    if not result["scope"]:
        return "not without a scope in the settings: nobody has said what this estate owns"
    if not result["complete"]:
        return "not while this report is incomplete"
    return "ansible-playbook gitops.aws.drift -e @your.yml -e drift_action=plan, which can be undone for a while"


def when(time: str) -> str:
    """A time of a result as people read it; '' for none."""
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*$", r"\1 \2 UTC", plain(time)) if time else ""


def where(result: Mapping[str, Any]) -> str:
    """Account, regions and time of a scan."""
    regions = ", ".join(map(plain, result["regions"]))
    return f"{plain(result.get('account_id', ''))}, {regions}, {when(result.get('time', ''))}"


def age(hours: float | None) -> str:
    """How long ago something was."""
    if hours is None:
        return ""
    number, unit = (hours / 24, "day") if hours >= 48 else (hours, "hour")
    return "within the hour" if hours < 1 else f"{int(number)} {unit}{'' if int(number) == 1 else 's'} ago"


def made(resource: Mapping[str, Any]) -> str:
    """Who made a resource, when and from where, as far as it is known."""
    creator = resource.get("creator") or {}
    time = when(creator.get("time", "") or resource.get("created", ""))
    parts = [" ".join(filter(None, (time, f"({age(resource.get('age_hours'))})" if time else "")))]
    parts[0] = parts[0].replace(" ()", "")
    if creator:
        session = f" as {plain(creator['session'])}" if creator.get("session") else ""
        parts.append(f"by {_principal(creator.get('principal', ''))}{session}")
        parts.append(f"through {plain(creator['invoked_by'])}" if creator.get("invoked_by") else "")
        parts.append("in the console" if creator.get("console") else "")
        parts.append(f"from {plain(creator['source_ip'])}" if creator.get("source_ip") else "")
        parts.append(f"with {plain(creator['user_agent'])[:60]}" if creator.get("user_agent") else "")
        parts.append(f"({plain(creator['event'])})" if creator.get("event") else "")
        return " ".join(filter(None, parts))
    seen = when(resource.get("first_seen", ""))
    known = parts[0] or (f"seen first {seen}" if seen else "nobody knows when")
    return f"{known}; by whom is not known"


def _principal(arn: str) -> str:
    """Who, without the account: assumed-role/admin/alice."""
    return plain(arn.split(":", 5)[-1] if arn.startswith("arn:") else arn) or "somebody"


def removal(resource: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """What removal would do to a resource, or why it would do nothing."""
    if resource["verdict"] != model.UNMANAGED:
        return "never"
    if not resource.get("removable"):
        return f"never: {plain(resource['type'])} is only reported"
    if resource.get("guarded"):
        return f"not while {plain(resource['guarded'])}"
    first = plain(resource.get("quarantine") or "marked in the ledger")
    recover = f" To get it back: {plain(resource['recover'])}" if resource.get("recover") else ""
    condition = "once there is a scope: " if not result["scope"] else ""
    return f"{condition}{first} first, removed after the grace period.{recover}"


def title(one: Mapping[str, Any]) -> str:
    """What a resource is, in a few words."""
    called = [plain(one[key]) for key in ("name", "id") if one.get(key)]
    where = f" in {plain(one['region'])}" if one.get("region") else ""
    return f"{plain(one['type'])} {called[0]}{f' ({called[1]})' if len(set(called)) > 1 else ''}{where}"


def facts(one: Mapping[str, Any], group: Group, result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """All that is said about a finding: labels with texts that are printable."""
    if group.name in (CHANGED, GHOSTS):
        state = one.get("stack") or one.get("state", "")
        paths = ", ".join(plain(path) for path in one.get("paths", []))
        found = [("state", plain(state)), ("differs", paths), ("why", plain(one.get("reason", "")))]
        found.append(("id", plain(one.get("id", ""))))
    else:
        why = "; ".join(plain(one[key]) for key in ("reason", "evidence") if one.get(key))
        tags = ", ".join(f"{plain(key)}={plain(value)}" for key, value in sorted((one.get("tags") or {}).items()))
        found = [
            ("made", made(one)),
            ("why", why),
            ("tags", tags),
            ("uses", ", ".join(plain(ref) for ref in one.get("refs") or [])),
            ("removal", removal(one, result)),
            ("import id", plain(one.get("import_id", "")) if group.name == model.LEAKED else ""),
            ("arn", plain(one["arn"])),
        ]
    return [(label, text) for label, text in found if text]


def is_command(how: str) -> bool:
    """Whether a next step is a command."""
    return how.startswith("ansible-playbook ")


def heading(one: Mapping[str, Any], group: Group) -> str:
    """The first line of a finding."""
    return plain(one["address"]) if group.name in (CHANGED, GHOSTS) else title(one)


def summary(result: Mapping[str, Any]) -> str:
    """What was found, in a line."""
    found = [f"{len(group.items)} {_called(group)}" for group in groups(result)]
    return ", ".join(found) if found else "nothing that the code does not explain"


def _called(group: Group) -> str:
    one_ghost = group.name == GHOSTS and len(group.items) == 1
    return "ghost" if one_ghost else group.title[0].lower() + group.title[1:]


def scope(result: Mapping[str, Any]) -> str:
    """What the estate claims to own."""
    claim = result["scope"]
    if not claim:
        return "none: findings are reported, nothing is ever removed"
    if claim.get("account"):
        return "the whole account"
    return plain("; ".join(f"{name} {_pairs(value)}" for name, value in sorted(claim.items()) if value))


def coverage(result: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """What the report does not know, and on what it stands: titles, each with lines."""
    rows = result["coverage"]
    complete = [row for row in rows if row["status"] == model.COMPLETE]
    types, seen = {row["type"] for row in rows}, sum(row.get("seen", 0) for row in rows)
    states = result["states"]
    held = sum(state.get("managed") or 0 for state in states)
    listings = f"{len(complete)} of {_some(len(rows), 'listing')} complete"
    base = [
        f"{_some(len(types), 'type')} of resources; {listings}; {_some(seen, 'resource')} seen",
        f"{_some(len(states), 'state')} read, with {_some(held, 'managed resource')}",
        *(f"locked: {plain(state['key'])} by {plain(state['locked'])}" for state in states if state.get("locked")),
    ]
    kept = [f"{result['counts'][name]} {text}" for name, text in KEPT.items() if result["counts"].get(name)]
    base += [f"kept: {', '.join(kept)}"] if kept else []
    calls = result.get("api_calls") or {}
    total = sum(count for count in calls.values() if isinstance(count, int))
    base += [f"{_some(total, 'API call')}"] if total else []

    missing = [
        f"{plain(row['type'])} {plain(row['region'] or 'global')}: {plain(row['status'])}"
        f"{f' ({plain(row[key])})' if row.get((key := 'message')) else ''}"
        for row in rows
        if row["status"] != model.COMPLETE
    ]
    unremovable: dict[str, int] = {}
    for row in rows:
        if row["type"] in catalogue.ALL and not row.get("removable"):
            unremovable[plain(row["type"])] = unremovable.get(plain(row["type"]), 0) + row.get("findings", 0)
    whole = [
        ("What this stands on", base),
        ("Not listed, or not wholly: nothing of this is ever removed", missing),
        ("Not known", [_note(note) for note in result["notes"]]),
        (
            "Seen and never removed by this collection",
            [", ".join(f"{name} ({count} found)" if count else name for name, count in sorted(unremovable.items()))]
            if unremovable
            else [],
        ),
        ("Seen by the Tagging API or Resource Explorer, of types that are not looked into", breadth(result)),
        ("Entries of the reviewed file that have expired", [_entry(one) for one in result["expired_entries"]]),
        ("Entries of the reviewed file that match nothing", [_entry(one) for one in result["unused_entries"]]),
    ]
    return [(name, lines) for name, lines in whole if lines]


def _some(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _note(note: Mapping[str, Any]) -> str:
    fix = f". To know it: {plain(note['fix'])}" if note.get("fix") else ""
    return f"{plain(note['what'])}: {plain(note['why'])}{fix}"


def _entry(entry: Mapping[str, Any]) -> str:
    match = [f"{name} {_pairs(value)}" for name, value in sorted(entry["match"].items())]
    return plain(f"entries[{entry['index']}], {', '.join(match)}: {words(entry)}")


def _pairs(value: Any) -> str:
    """A text, a list or a dictionary in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={text}" for key, text in sorted(value.items()))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def breadth(result: Mapping[str, Any]) -> list[str]:
    """What else there is in the account: kinds with their numbers, and how old the index is that says so."""
    numbers: dict[str, int] = dict(result.get("unseen_types") or {})
    if not numbers:
        for row in result["breadth"]:
            numbers[row["type"]] = numbers.get(row["type"], 0) + 1
    if not numbers:
        return []
    said = [", ".join(f"{plain(name)} ({count})" for name, count in sorted(numbers.items()))]
    times = sorted(row["reported"] for row in result["breadth"] if row.get("reported"))
    if times:
        said.append(f"the index of Resource Explorer lags behind: its oldest entry is of {when(times[0])}")
    return said


def terminal(result: Mapping[str, Any], width: int = WIDTH) -> str:
    """The report for a terminal, in lines of a width; what cannot be broken, such as an ARN, may be longer."""
    lines = [
        f"Account {where(result)}",
        f"Scope: {scope(result)}",
        f"Found: {summary(result)}",
    ]
    if not result["complete"]:
        lines += ["", "INCOMPLETE: some of this may be wrong, and nothing may be removed until it is mended"]
        for one in result["problems"]:
            lines += _wrapped("  - ", f"{plain(one['what'])}: {plain(one['why'])}", width)
            lines += _wrapped("    fix: ", plain(one["fix"]), width) if one.get("fix") else []
    for group in groups(result):
        lines += ["", f"{group.title.upper()} ({len(group.items)})", *_wrapped("", group.meaning, width)]
        for number, one in enumerate(group.items, 1):
            lines += _wrapped(f"{number:>3}. ", heading(one, group), width)
            for label, text in facts(one, group, result):
                lines += _wrapped(f"     {label:<10}", text, width)
        lines.append("  What can be done:")
        for what, how in group.next:
            # A command is one line, to be copied.
            command = [f"    {what}:", f"      {how}"]
            lines += command if is_command(how) else _wrapped(f"    {what}: ", how, width, indent=6)
    lines += ["", "COVERAGE"]
    for name, texts in coverage(result):
        lines.append(f"  {name}:")
        for text in texts:
            lines += _wrapped("    ", text, width)
    return "\n".join(lines) + "\n"


def _wrapped(label: str, text: str, width: int, indent: int | None = None) -> list[str]:
    hanging = " " * (len(label) if indent is None else indent)
    return textwrap.wrap(
        label + text,
        width,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def as_json(result: Mapping[str, Any]) -> str:
    """The report for programs."""
    return json.dumps(result, indent=2, sort_keys=True, default=str) + "\n"


MARKUP = re.compile(r"([!#$&*<>@\[\\\]_`{|}~]|:(?=//)|(?<=www)\.)")


def _prose(text: str) -> str:
    """A text that Markdown shows as it is: nothing becomes a link, a heading, a picture or the mention of somebody."""
    return MARKUP.sub(r"\\\1", text).replace("\\@", "\\@\u200b")


def _code(text: str) -> str:
    """A text as code, whatever ticks are in it."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def markdown(result: Mapping[str, Any], longest: int = LONGEST_MARKDOWN) -> str:
    """The report for pull requests and messages. Lists only: in a table, a name with a pipe could leave its cell."""
    lines = [
        "# What the code does not explain",
        "",
        f"{_prose(f'Account {where(result)}')}  ",
        f"Scope: {_prose(scope(result))}  ",
        f"Found: **{summary(result)}**",
    ]
    if not result["complete"]:
        lines += ["", "## Incomplete", "", "Nothing may be removed until this is mended.", ""]
        for one in result["problems"]:
            lines.append(f"- {_code(plain(one['what']))}: {_prose(plain(one['why']))}")
            lines += [f"  - fix: {_prose(plain(one['fix']))}"] if one.get("fix") else []
    size = sum(map(len, lines))
    for group in groups(result):
        lines += ["", f"## {group.title} ({len(group.items)})", "", group.meaning, ""]
        left = len(group.items)
        for one in group.items:
            said = [f"- {_code(heading(one, group))}"]
            for label, text in facts(one, group, result):
                exact = label in ("arn", "id", "import id", "uses", "tags", "differs", "state")
                said.append(f"  - {label}: {_code(text) if exact else _prose(text)}")
            size += sum(map(len, said))
            if size > longest:
                break
            lines += said
            left -= 1
        lines += [f"- and {left} more: see the whole report"] if left else []
        lines += ["", "What can be done:", ""]
        lines += [f"- {what}: {_code(how) if is_command(how) else how}" for what, how in group.next]
    lines += ["", "## Coverage", ""]
    for name, texts in coverage(result):
        lines += [f"- {name}:", *(f"  - {_prose(text)}"[:2000] for text in texts[:50])]
        lines += [f"  - and {len(texts) - 50} more"] if len(texts) > 50 else []
    return "\n".join(lines) + "\n"


def junit(result: Mapping[str, Any]) -> str:
    """The report as test results, for CodeBuild's test reports and others that read JUnit's XML.

    A finding is a test that failed, a complete listing one that passed; what could not be known is an error.
    """
    suites = ElementTree.Element("testsuites", name="What the code does not explain")
    for group in groups(result):
        kind = "error" if group.name == model.INCOMPLETE else "failure"
        cases = [(heading(one, group), kind, _details(one, group, result)) for one in group.items]
        _suite(suites, group.title, group.name, cases)
    listings: list[tuple[str, str, str]] = []
    for row in result["coverage"]:
        where = f"{row['type']} {row['region'] or 'global'}"
        said = f"{row['status']}: {row.get('message', '')}"
        kind = {model.COMPLETE: "", model.UNSUPPORTED: "skipped"}.get(row["status"], "error")
        listings.append((where, kind, said if kind else ""))
    _suite(suites, "Coverage", "coverage", listings)
    looked = [
        (one["stack"], "", "")
        if one["status"] == "fresh"
        else (one["stack"], "error", _note(_unchecked(one, result.get("time", ""))))
        for one in result["stacks"]
    ]
    _suite(suites, "Drift of stacks", "stacks", looked)
    wrong = [(one["what"], "error", f"{one['why']}\n{one.get('fix', '')}") for one in result["problems"]]
    if not wrong:
        wrong = [("the scan is complete", "" if result["complete"] else "error", "it is not")]
    _suite(suites, "Completeness", "complete", wrong)
    for name in ("tests", "failures", "errors", "skipped"):
        suites.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    ElementTree.indent(suites)
    body = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _details(one: Mapping[str, Any], group: Group, result: Mapping[str, Any]) -> str:
    told = [f"{label}: {text}" for label, text in facts(one, group, result)]
    return "\n".join([group.meaning, *told, *(f"{what}: {how}" for what, how in group.next)])


def _suite(parent: ElementTree.Element, name: str, classname: str, cases: Iterable[tuple[str, str, str]]) -> None:
    cases = list(cases)
    if not cases:
        return
    kinds = [case[1] for case in cases]
    suite = ElementTree.SubElement(parent, "testsuite", name=name, time="0", tests=str(len(cases)))
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(kinds.count(kind)))
    for called, kind, text in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=classname, name=plain(called), time="0")
        if kind:
            lines = [plain(line) for line in text.split("\n")]
            verdict = ElementTree.SubElement(case, kind, message=lines[0])
            if kind != "skipped":
                verdict.set("type", classname)
                verdict.text = "\n".join(lines)
