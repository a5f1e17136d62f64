# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links and headings of a page in Markdown, as Git hosts read them. Code is passed over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

FENCE = re.compile(r"^ *(```|~~~)")
CODE = re.compile(r"(`+)(?:(?!\1).)+\1")
# [text](target), ![text](target), [text]: target, and the attributes of HTML that name a file.
LINK = re.compile(r"""(\]\(|^ {0,3}\[[^\]]+\]: +|\b(?:href|src|srcset)=")([^\s)">]+)""")
HEADING = re.compile(r"^(#{1,6}) +(.*?) *#*$")


def links(text: str) -> list[tuple[int, str]]:
    """The links of the page TEXT: number of the line, target."""
    found: list[tuple[int, str]] = []
    for number, line in _prose(text):
        found.extend((number, match[2]) for match in LINK.finditer(CODE.sub(_blank, line)))
    return found


def replace_links(text: str, change: Callable[[str], str]) -> str:
    """The page TEXT, with CHANGE of each link's target in its place."""
    lines = text.splitlines(keepends=True)
    for number, line in _prose(text):
        # From the end, so that what is changed does not move what is still to be.
        for match in reversed(list(LINK.finditer(CODE.sub(_blank, line)))):
            whole = lines[number - 1]
            lines[number - 1] = whole[: match.start(2)] + change(match[2]) + whole[match.end(2) :]
    return "".join(lines)


def anchors(text: str) -> set[str]:
    """What a link to the page TEXT may have behind its #."""
    found: set[str] = set()
    for _, line in _prose(text):
        heading = HEADING.match(line)
        if heading:
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[2])
            plain = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            name, again = plain, 0
            while name in found:
                again += 1
                name = f"{plain}-{again}"
            found.add(name)
        found.update(re.findall(r'<a (?:id|name)="([^"]+)"', line))
    return found


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines of TEXT that are not between fences, with their numbers."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if mark and fence in {"", mark[1]}:
            fence = "" if fence else mark[1]
        elif not fence:
            yield number, line


def _blank(match: re.Match[str]) -> str:
    """As many characters that are no link."""
    return "`" * len(match[0])
