# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever lies where a state should: all readers of states agree whether it is one, and say nothing of its content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.reliability.figures import CASES, count
from tests.reliability.fuzz import readers
from tests.unit.plugins.module_utils.inputs import JSON, with_one_wrong

SEEDS = sorted((Path(__file__).parent / "fuzz" / "states").iterdir())
STATES = [json.loads(file.read_bytes()) for file in SEEDS]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32"]


@st.composite
def cut(draw: st.DrawFn, content: bytes) -> bytes:
    """A file of which a part is missing, or other bytes."""
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.binary(max_size=4)) + content[draw(st.integers(at, len(content))) :]


WRITTEN = st.tuples(
    (st.sampled_from(STATES).flatmap(lambda state: with_one_wrong(state, 4)) | JSON), st.sampled_from(ENCODINGS)
).map(lambda given: json.dumps(given[0]).encode(given[1]))
CONTENTS = WRITTEN | WRITTEN.flatmap(cut) | st.binary(max_size=50)


@given(CONTENTS)
@example(b'{"version": 4, "serial": 1, "lineage": "", "outputs": {"a": {"value": NaN}}}')
@example(b'{"version": 4, "serial": 1, "serial": 2, "lineage": ""}')
@example(b'{"version": 4, "serial": 1, "lineage": "", "resources": 5}')
@example(b'{"version": 4, "serial": 1, "lineage": "", "outputs": ["a"]}')
@example(b'{"version": 4, "lineage": ""}')
@example(b'{"version": 4, "serial": 1, "lineage": "", "resources": ' + b"[" * 50_000)
def test_any_content_is_read_or_refused_in_words(content: bytes) -> None:
    count(CASES)
    readers.state(content)


@pytest.mark.parametrize("file", SEEDS, ids=lambda file: file.stem)
def test_states_as_terraform_writes_them_are_read(file: Path) -> None:
    assert readers.state(file.read_bytes())


def test_a_reader_that_breaks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_content: bytes) -> Any:
        raise KeyError("outputs")

    monkeypatch.setattr(readers, "parse", broken)

    with pytest.raises(KeyError):
        readers.state(SEEDS[0].read_bytes())
