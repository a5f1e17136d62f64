# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report says what calls for somebody, is the same each time, and is safe with hostile names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._status import model, page, report
from tests import estates

FORMATS: dict[str, Callable[[Any], str]] = {
    "terminal": report.terminal,
    "json": report.as_json,
    "markdown": report.markdown,
    "html": page.page,
}
TWELVE = estates.estate(estates.twelve())


def hostile() -> dict[str, Any]:
    """An estate in which every text is one that would break out."""
    text = f"{estates.HOSTILE}</script>\u2028|`[x](javascript:alert(1)) @all\x1b[31m\u202e"
    stack = estates.failing("network", text, reason="")
    for run in stack["runs"]:
        run["message"] = run["commit"] = text
    stack |= {"name": text, "repository": text, "branch": text}
    stack["lock"] = {"state": model.HELD, "reason": "", "id": text, "who": text, "operation": text, "since": text}
    stack["drift"] |= {"state": model.FOUND, "count": 1, "effects": text, "summary": text, "reason": text}
    found = estates.findings()
    found["items"] = [{**one, **dict.fromkeys(("group", "type", "id", "name", "text"), text)} for one in found["items"]]
    found["coverage"] = [{"title": text, "lines": [text]}]
    return estates.estate([stack], name=text, findings=found, problems=[{"what": text, "why": text}])


def test_the_terminal_says_what_calls_for_somebody() -> None:
    lines = report.terminal(report.of(TWELVE)).splitlines()

    assert lines[0] == "gitops, account 111122223333, eu-central-1, 2026-11-26 08:30 UTC"
    assert lines[1].startswith(
        "12 stacks: 1 failing, 2 waiting for approval, 1 locked, 1 drifting, 1 running, findings: 38 unmanaged"
    )
    assert "FAILING (1)" in lines
    assert any(line.startswith("  network  ") and "Apply: Error: creating EC2 Subnet" in line for line in lines)
    waits = next(line for line in lines if line.startswith("  website"))
    assert waits.endswith("for 3 hours: https://eu-central-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/"
                          "gitops-website/view?region=eu-central-1")  # fmt: skip
    assert "  cdn  for 6 minutes, by root@6f1c3f1f8a1e (apply)" in lines
    assert "  identity  2 for 3 days: changed: aws_iam_role.deploy, aws_iam_policy.read" in lines
    assert len(lines) < 25


def test_what_is_not_known_says_of_what() -> None:
    stack = estates.stack("network", [model.SUCCEEDED])
    stack["lock"] = {"state": model.UNKNOWN, "reason": "the table is away"}
    both = {**stack, "drift": {"state": model.UNKNOWN, "reason": "the newest run, 2, failed: Drift: no"}}
    never = {**stack, "drift": {"state": model.NEVER, "reason": "it has not been looked for yet"}}
    none = {**both, "reason": "there is no pipeline gitops-network"}

    assert report.told(both, model.UNKNOWN, "") == (
        "lock: the table is away; drift: the newest run, 2, failed: Drift: no"
    )
    assert report.told(never, model.UNKNOWN, "") == "lock: the table is away"
    assert report.told(none, model.UNKNOWN, "").startswith("there is no pipeline gitops-network; lock: the table")


@pytest.mark.parametrize(("state", "end"), [(model.UNKNOWN, ""), (model.NEVER, ""), (model.NONE, " (0)")])
def test_findings_that_are_not_known_are_not_none(state: str, end: str) -> None:
    found = {**estates.findings(), "state": state, "items": []}

    lines = report.markdown(report.of(estates.estate([], findings=found))).splitlines()

    assert f"## What the code does not explain{end}" in lines


def shown(*results: str) -> str:
    """The message that the page has of a stack with these runs, the newest first: the number of a run."""
    stack = estates.stack("network", list(results))
    for number, run in enumerate(stack["runs"]):
        run["message"] = f"message {number}"
    message: str = page.data(report.of(estates.estate([stack])))["stacks"][0]["m"]
    return message


def test_the_page_names_the_commit_of_the_run_that_it_speaks_of() -> None:
    assert shown(model.WAITING, model.SUCCEEDED) == "message 0"
    assert shown(model.RUNNING, model.FAILED) == "message 0"
    assert shown(model.RUNNING, model.WAITING, model.SUCCEEDED) == "message 1"  # the approval is what is shown
    assert shown(model.SUPERSEDED, model.SUCCEEDED) == "message 1"
    assert shown(model.SUPERSEDED) == "message 0"


def test_the_page_says_how_many_problems_it_leaves_out() -> None:
    problems = [{"what": f"stack {number}", "why": "denied"} for number in range(page.MOST_LINES + 50)]

    data = page.data(report.of(estates.estate([], problems=problems)))

    assert (len(data["problems"]), data["unread"]) == (page.MOST_LINES, page.MOST_LINES + 50)


def test_what_calls_for_somebody_comes_first() -> None:
    names = [stack["name"] for stack in report.of(TWELVE)["stacks"]]

    assert names[:5] == ["network", "data-lake", "website", "cdn", "identity"]
    assert names[5:] == sorted(names[5:])


def test_markdown_has_every_stack_with_its_runs() -> None:
    text = report.markdown(report.of(TWELVE))

    for stack in TWELVE["stacks"]:
        assert f"| {stack['name']} | `" in text.replace("\\", "")
    row = next(line for line in text.splitlines() if line.startswith("| website"))
    assert re.match(r"\| website \| `[+=x.-]{19}\?` \| succeeded, \d+ hours ago \| none \|  \|$", row)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_status_makes_the_same_text(name: str) -> None:
    assert FORMATS[name](report.of(TWELVE)) == FORMATS[name](report.of(json.loads(json.dumps(TWELVE))))


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_names_stay_text(name: str) -> None:
    text = FORMATS[name](report.of(hostile()))

    assert "\x1b" not in text
    assert "\u202e" not in text
    if name == "html":
        assert text.count("<script") == text.count("</script") == 2
        assert "<img" not in text
        (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
        assert not set("<>&\u2028\u2029") & set(data)
        assert json.loads(data)["stacks"][0]["n"].startswith(estates.HOSTILE)
    if name == "markdown":
        assert not re.search(r"(?<!\\)<", text)
        assert not re.search(r"(?<!\\)\[x(?<!\\)\]", text)
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {5, 6}


def test_a_page_of_a_thousand_stacks_is_small() -> None:
    assert len(page.page(report.of(estates.estate(estates.thousand()))).encode()) < 2_000_000


def test_the_page_allows_nothing_but_its_own_script_and_style() -> None:
    text = page.page(report.of(TWELVE))

    assert "default-src &#x27;none&#x27;; style-src &#x27;sha256-" in text
    assert "unsafe" not in text
    assert not re.search(r"\b(src|href)=", re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))


def test_a_status_of_something_else_is_refused() -> None:
    with pytest.raises(KeyError):
        report.of({"stacks": [{"name": "x"}]})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "less than a minute"), (60, "1 minute"), (7199, "1 hour"), (172799, "47 hours"), (172800, "2 days")],
)
def test_ages(seconds: int, words: str) -> None:
    assert report.span(seconds) == words
