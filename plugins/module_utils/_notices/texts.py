# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What notices say: a title and a text for each result, which the user can replace, and the JSONata that fills them in.

A template is data to the state machine, and never part of an expression: whatever stands in it, nothing of it is
evaluated. A word in braces stands for a fact. A line all of whose facts are unknown is left out.
"""

from __future__ import annotations

import difflib
import json
import re
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._notices.model import RESULTS

Template = dict[str, str]  # title, text

# The words that may stand in braces, and what they stand for.
WORDS = {
    "account": "number of the account",
    "approval": "link to where the approval is given",
    "author": "who wrote the commit",
    "change": "commit, author and first line of the message, as one",
    "comment": "what who rejected, stopped or tests has to say; the address of who took the break-glass role",
    "commit": "first 12 digits of the commit",
    "commit_link": "link to the commit",
    "commit_message": "first line of the commit's message",
    "counts": "what the plan would do, or what was found, in numbers",
    "deed": "took, or was refused; of the break-glass role",
    "effects": "what the plan would destroy and who may do more, or which resources have drifted",
    "error": "the line that says what failed",
    "estate": "name of the estate",
    "event": "what recipients choose: succeeded, failed, approval, drift, break_glass, lock",
    "execution": "link to the run",
    "execution_id": "id of the run",
    "failed_action": "what failed: Source, Plan, Apply",
    "kind": "apply, destroy, drift check or drift scan",
    "link": "the most useful link",
    "log": "link to the log of the build",
    "minutes": "how long a lock may be held",
    "operation": "what a lock is held for: apply, plan",
    "pipeline": "name of the pipeline",
    "plan": "id of the plan",
    "region": "region of the estate",
    "result": "succeeded, failed, rejected, stopped, waiting, found, used, held",
    "since": "when a lock was taken",
    "stack": "name of the stack, nothing where it is the estate itself",
    "started_by": "who or what started the run",
    "subject": "name of the stack, or the account",
    "time": "when it happened, in UTC",
    "unread": "which facts could not be read",
    "who": "who rejected, took the break-glass role or holds the lock",
}

_END = """\
{change}
Started by {started_by}
Log: {log}
Run: {execution}
Commit: {commit_link}
Could not be read: {unread}"""

DEFAULTS: dict[str, Template] = {
    "succeeded": {
        "title": "[{estate}] {subject}: {kind} succeeded: {counts}",
        "text": "Done: {counts}\nAs planned: {effects}\n" + _END,
    },
    "failed": {
        "title": "[{estate}] {subject}: {kind} run failed: {failed_action}",
        "text": "{error}\nPlan: {counts}\n"
        "What to do: ansible-playbook gitops.aws.doctor -e @your.yml -e stack={stack}\n" + _END,
    },
    "rejected": {
        "title": "[{estate}] {subject}: {kind} was rejected: {counts}",
        "text": "Nothing was changed. Rejected by {who}\nWhy: {comment}\nPlan {plan}: {counts}\n{effects}\n" + _END,
    },
    "stopped": {
        "title": "[{estate}] {subject}: {kind} was stopped",
        "text": "Why: {comment}\nPlan: {counts}\n" + _END,
    },
    "waiting": {
        "title": "[{estate}] {subject}: {kind} waits for approval: {counts}",
        "text": "Plan {plan}: {counts}\n{effects}\nRead the log, then approve or reject: {approval}\n" + _END,
    },
    "found": {
        "title": "[{estate}] {subject}: drift: {counts}",
        "text": "What is there is not what the code says: {counts}\n{effects}\nCompared with: {change}\n"
        "Log: {log}\nRun: {execution}\nCould not be read: {unread}",
    },
    "used": {
        "title": "[{estate}] Break-glass role: {who}",
        "text": "{who} {deed} the break-glass role, at {time} from {comment}\n{error}\n"
        "If nobody told you why: look at it now, and end its sessions in IAM.",
    },
    "held": {
        "title": "[{estate}] {subject}: locked for more than {minutes} minutes",
        "text": "Nothing can be applied while the lock of the state is held.\nHeld by {who}\nFor: {operation}\n"
        "Since {since}\nWhose it is: ansible-playbook gitops.aws.unlock -e @your.yml\n"
        "With -e stack={stack} it releases the lock of a build that is over.\nCould not be read: {unread}",
    },
    "test": {
        "title": "[{estate}] Test message",
        "text": "This is a test message of {estate}, account {account}, region {region}.\n{comment}\n"
        "It has arrived, and nothing is to be done.",
    },
}

LONGEST = {"title": 200, "text": 4000}  # characters of a template
TITLE = 100  # characters of a title that is filled in: SNS takes no more as a subject
TEXT = 8000  # of a text: a template may name its words as often as it likes, and what is sent is limited

# How many characters of a fact are told; of any other 500. An error or a plan may be as long as it likes.
ROOM = {"comment": 300, "commit_message": 200, "effects": 1500, "error": 600}

_WORD = re.compile(r"\{([a-z_]+)\}")


def templates(given: dict[str, Template] | None) -> dict[str, Template]:
    """The templates of all results: the user's of the result, else the user's of its event, else ours."""
    given = given or {}
    return {
        result: {**default, **given.get(RESULTS[result], {}), **given.get(result, {})}
        for result, default in DEFAULTS.items()
    }


def problems(given: Any, path: str = "templates") -> list[str]:
    """What is wrong with a user's templates, by event or result.

    Args:
        given: of the settings; None where there are none.
        path: of the setting, for the messages.
    """
    if given is None:
        return []
    allowed = list(dict.fromkeys([*RESULTS.values(), *RESULTS]))
    if not isinstance(given, dict):
        return [f"{path}: it must be a dictionary by event or result ({', '.join(allowed)}), each with title and text"]
    found = []
    for name, template in given.items():
        where = f"{path}.{name}"
        if name not in allowed:
            found.append(f"{where}: unknown event{_near(str(name), allowed)} Allowed are: {', '.join(allowed)}")
        elif not isinstance(template, dict) or not template:
            found.append(f"{where}: it must be a dictionary with title, text or both")
        else:
            for part, text in template.items():
                found += _part_problems(f"{where}.{part}", part, text)
    return found


def _part_problems(where: str, part: str, text: Any) -> list[str]:
    if part not in LONGEST:
        return [f"{where}: unknown. Allowed are: title, text"]
    if not isinstance(text, str) or not text.strip():
        return [f"{where}: it must be text, and not empty"]
    found = []
    if len(text) > LONGEST[part]:
        found.append(f"{where}: it has {len(text)} characters, at most {LONGEST[part]} are allowed")
    if part == "title" and "\n" in text.strip():
        found.append(f"{where}: it must be one line")
    for word in dict.fromkeys(_WORD.findall(text)):
        if word not in WORDS:
            found.append(f"{where}: unknown word {{{word}}}{_near(word, list(WORDS))} Allowed are: {', '.join(WORDS)}")
    return found


def _near(word: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(word, allowed, 1)
    return f", is {near[0]} meant?" if near else "."


# What the state machine is given

# So that no line of a template begins as an expression does.
_MARK = "|"


def as_data(of_results: dict[str, Template]) -> dict[str, dict[str, Any]]:
    """Templates as the state machine holds them: title, and the lines of the text."""
    return {
        result: {
            "title": _MARK + " ".join(template["title"].split()),
            "lines": [_MARK + line.rstrip() for line in template["text"].strip().splitlines()],
        }
        for result, template in of_results.items()
    }


def one_line(value: str) -> str:
    """JSONata: text as one line, without what a terminal, or a reader from right to left, would make of it."""
    return (
        rf"$trim($replace($replace($string({value}), /\x1b\[[0-9;?]*[A-Za-z]/, ''), "
        rf"/[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+/, ' '))"
    )


def shortened(value: str, room: str) -> str:
    """JSONata: text, of which no more than so many characters are told."""
    return f"($length({value}) > {room} ? $substring({value}, 0, {room} - 3) & '...' : {value})"


# How much of a fact is looked at at all, and where others wrote it: an expression has a second, and a line of a log may
# be as long as it likes.
READ, LOOKED_AT = 4000, 1000

# Runs of 32 and more that mix small and capital letters with digits, or are hexadecimal: keys, tokens, signatures.
_RUN = r"[A-Za-z0-9+\/=_-]"
_MIXED = (
    "function($run) {$contains($run.match, /[0-9]/) and $contains($run.match, /[a-z]/) "
    "and $contains($run.match, /[A-Z]/) ? '...' : $run.match}"
)
_SECRETS = {r"(AKIA|ASIA)[A-Z0-9]{12,}": "'...'", f"{_RUN}{{32,}}": _MIXED, r"[0-9a-fA-F]{32,}": "'...'"}
_ENCODED = "Encoded authorization failure message:"
_PASSWORD = r":\/\/[^\/@ ]+@"  # and the user's name, in an address
# An ARN and nothing else. The bracket is escaped, because JSONata wants them in pairs.
_ARN = r"""^[^A-Za-z0-9]*arn:aws[a-z-]*:[^"',{}?&]*["',.;\)]*$"""


def without_secrets(value: str) -> str:
    """JSONata: the beginning of a text, without what looks like a key, a token or a password.

    An ARN, as of who was refused, is none of them. Where the text is cut, half a key could be left: it goes, too.
    """
    seen = f"$substring({value}, 0, {LOOKED_AT})"
    seen = f"$replace($replace({seen}, /{_PASSWORD}/, '://...@'), /{_ENCODED} *[^ ]+/, '{_ENCODED} ...')"
    masked = "$word.match"
    for pattern, instead in _SECRETS.items():
        masked = f"$replace({masked}, /{pattern}/, {instead})"
    hidden = f"function($word) {{$contains($word.match, /{_ARN}/) ? $word.match : {masked}}}"
    words = f"$replace({seen}, /[^ ]{{16,}}/, {hidden})"  # no key is shorter
    cut = f"$replace($masked, /{_RUN}+$/, '') & ' ...'"
    return f"($masked := {words}; $length({value}) > {LOOKED_AT} ? {cut} : $masked)"


def cleaned(words: str) -> str:
    """JSONata: an object of facts with each as one short line of text, without secrets where others wrote it."""
    rooms = ", ".join(f"'{name}': {room}" for name, room in ROOM.items())
    line, text = one_line(f"$substring($string($value), 0, {READ})"), shortened("$text", "$room")
    return (
        f"($rooms := {{{rooms}}}; $merge($each({words}, function($value, $name) {{("
        f"$line := {line}; "
        f"$text := $name in ['comment', 'commit_message', 'error'] ? {without_secrets('$line')} : $line; "
        f"$room := $exists($lookup($rooms, $name)) ? $lookup($rooms, $name) : 500; "
        f"{{$name: {text}}})}})))"
    )


# A word's fact; nothing for one that is not known.
_FILL = (
    "$fact := function($match) {($found := $lookup($words, $substring($match.match, 1, $length($match.match) - 2)); "
    "$exists($found) ? $string($found) : '')}; "
    r"$fill := function($line) {$replace($substring($line, 1), /\{[a-z_]+\}/, $fact)}; "
    r"$says := function($line) {($found := $match($line, /\{[a-z_]+\}/); "
    "$count($found) = 0 or $count($filter($found, function($one) {$fact($one) != ''})) > 0)}; "
)


def title(template: str) -> str:
    """JSONata: a template's title with the facts of $words: plain ASCII, on one line, and no longer than a subject."""
    line = f"$trim($replace($replace($fill({template}.title), /[^ -~]+/, '?'), /[:,. -]+$/, ''))"
    return f"({_FILL}$line := {line}; $text := $line = '' ? 'Notice' : $line; {shortened('$text', str(TITLE - 1))})"


def text(template: str) -> str:
    """JSONata: a template's text with the facts of $words, and without the lines that say nothing."""
    lines = f"$map($filter({template}.lines, $says), $fill)"
    return f"({_FILL}$text := $join({lines}, '\\n'); {shortened('$text', str(TEXT))})"


def for_slack(value: str) -> str:
    """JSONata: text in which Slack sees neither a mention nor a link's hidden address."""
    return f"$replace($replace($replace({value}, '&', '&amp;'), '<', '&lt;'), '>', '&gt;')"


def for_teams(value: str) -> str:
    """JSONata: text in which Teams sees no link with a hidden address, and every line as one of its own."""
    backslash = json.dumps("\\")
    escaped = f"$replace($replace({value}, {backslash}, {json.dumps(2 * chr(92))}), '[', {json.dumps(chr(92) + '[')})"
    return f"$replace({escaped}, '\\n', '\\n\\n')"
