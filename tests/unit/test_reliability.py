# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each promise in docs/reliability.md names a test that is there, and no such test is without a promise."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", DOCUMENT))


def names_in(path: Path) -> set[str]:
    """The names of a file's tests and classes of tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.lower().startswith("test")
    }


def test_each_promise_names_a_test_that_is_there() -> None:
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| ") and line.count(" | ") == 2]
    assert len(rows) > 40
    # The first row of each table is its head.
    without = [
        row for row in rows if not re.search(r"`(tests/\S+::\w+|make fuzz)` \|$", row) and "what happens" not in row
    ]
    assert without == []
    assert {(file, name) for file, name in NAMED if name not in names_in(ROOT / file)} == set()


def test_each_test_of_reliability_holds_a_promise() -> None:
    files = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "tests" / "reliability").glob("test_*.py")}
    assert files
    assert {file for file in files if not any(file == named for named, _name in NAMED)} == set()
