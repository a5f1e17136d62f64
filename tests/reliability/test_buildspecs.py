# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any text for a buildspec: it is refused in CodeBuild's words, or what is in it is what runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from local_aws.codebuild import buildspec
from tests.reliability.figures import CASES, count
from tests.reliability.fuzz import readers
from tests.unit.plugins.module_utils.inputs import JSON, with_one_wrong

FILES = sorted((Path(__file__).resolve().parent.parent.parent / "buildspecs").glob("*.yml"))
DOCUMENTS = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in FILES]
# What YAML knows beside plain data: tags, anchors, merges, documents, keys that are none.
ODD = st.sampled_from(
    [
        *("!!int a", "!!float x", "!!timestamp x", "!!binary x", "!!bool x", "!!null x", "!!str [a]", "!x y"),
        *("!!set {a}", "!!omap [1]", "!!pairs [1]", "!!set [a]", "!!map [a]", "!!seq {a: b}"),
        *("&a [*a]", "*a", "&a {<<: *a}", "{<<: 1}", "{<<: [1]}", "? [a]\n: b", "? {a: b}\n: c"),
        *("---\n...\n---", "%YAML 9.9", "\t", '"\\ud800"', '"\\ud83d\\ude00"'),
    ]
)
TEXTS = (
    st.text(max_size=80)
    | st.sampled_from(DOCUMENTS).flatmap(lambda document: with_one_wrong(document, 4)).map(json.dumps)
    | st.sampled_from(DOCUMENTS)
    .flatmap(lambda document: with_one_wrong(document, 4))
    .map(lambda document: yaml.safe_dump(document, allow_unicode=True))
    | JSON.map(lambda value: json.dumps({"version": "0.2", "phases": value}))
    | ODD.map(lambda odd: f"version: 0.2\nenv: {odd}\nphases:\n  build:\n    commands:\n      - a\n")
    | ODD.map(lambda odd: f"version: 0.2\nphases:\n  build:\n    commands: {odd}\n")
    | ODD
)


@given(TEXTS)
@example("version: 0.2\nphases: " + "[" * 3000)
@example("version: 0.2\nphases: \x01")
@example("version: 0.2\nphases: !!int a")
@example("version: 0.2\nphases: !!int")
def test_any_text_is_parsed_or_refused_in_words(text: str) -> None:
    count(CASES)
    readers.buildspec_of(text)


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
LINES = st.text(min_size=1, max_size=20)


@given(
    st.dictionaries(
        st.sampled_from(["install", "pre_build", "build", "post_build"]),
        st.lists(LINES, min_size=1, max_size=3),
        min_size=1,
    ),
    st.dictionaries(NAMES, LINES, max_size=2),
    st.lists(NAMES, max_size=2),
)
def test_what_is_written_is_what_runs(phases: dict[str, Any], variables: dict[str, str], exported: list[str]) -> None:
    count(CASES)
    document = {
        "version": "0.2",
        "env": {"variables": variables, "exported-variables": exported},
        "phases": {name: {"commands": commands} for name, commands in phases.items()},
    }

    parsed = buildspec.parse(json.dumps(document))

    assert {name.lower(): list(phase.commands) for name, phase in parsed.phases.items()} == phases
    assert parsed.variables == variables
    assert parsed.exported_variables == tuple(exported)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_our_own_are_parsed(file: Path) -> None:
    assert readers.buildspec_of(file.read_text(encoding="utf-8"))


def test_a_parser_that_breaks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_text: str) -> Any:
        raise KeyError("version")

    monkeypatch.setattr(buildspec, "_load", broken)

    with pytest.raises(AssertionError, match="no words, but KeyError"):
        readers.buildspec_of("version: 0.2")
