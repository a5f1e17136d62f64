# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each link between files of this repository leads somewhere, on a Git host and in the site that make docs builds."""

from __future__ import annotations

import posixpath
from pathlib import Path

import docs_site
import markdown_links
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = docs_site.pages()


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_a_file_and_a_heading(name: str) -> None:
    lost = []
    for line, target in markdown_links.links((ROOT / name).read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if ":" in path:  # another host's
            continue
        file = ROOT / posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else ROOT / name
        headings = markdown_links.anchors(file.read_text(encoding="utf-8")) if file.suffix == ".md" else set()
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in headings):
            lost.append(f"{name}:{line}: {target}")
    assert lost == []


PAGE = """\
# A page

See [runs](runs.md#a-run), `[no](link.md)`, [`code`](x.md) and ![picture](images/a.png).

```
[not this](fenced.md)
## nor this
```

## `A` run, or [two](x.md)?
## Again
## Again
"""


def test_code_holds_no_links() -> None:
    assert markdown_links.links(PAGE) == [(3, "runs.md#a-run"), (3, "x.md"), (3, "images/a.png"), (10, "x.md")]


def test_headings_are_named_as_git_hosts_do() -> None:
    assert markdown_links.anchors(PAGE) == {"a-page", "a-run-or-two", "again", "again-1"}


def test_only_links_are_replaced() -> None:
    replaced = markdown_links.replace_links(PAGE, lambda target: f"{target}!")
    assert replaced == PAGE.replace("a-run)", "a-run!)").replace("(x.md", "(x.md!").replace("a.png", "a.png!")


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("README.md", "docs/runs.md#plan", "runs.md#plan"),
        ("README.md", "docs/images/a.svg", "images/a.svg"),
        ("docs/runs.md", "../README.md", "index.md"),
        ("docs/how-to/leave.md", "../../roles/iam/README.md", "../roles/iam.md"),
        ("roles/iam/README.md", "../../docs/how-to/index.md#x", "../how-to/index.md#x"),
        ("docs/runs.md", "../playbooks/site.yml", "https://host/blob/main/playbooks/site.yml"),
        ("docs/runs.md", "../tf/", "https://host/tree/main/tf"),
        ("docs/runs.md", "https://example.com/a", "https://example.com/a"),
        ("docs/runs.md", "#here", "#here"),
    ],
)
def test_links_are_followed_in_the_site(name: str, target: str, expected: str) -> None:
    assert docs_site.follow(target, name, PAGES, "https://host") == expected
