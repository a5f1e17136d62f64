# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever answers in AWS's place, a module ends, and in words: members missing, of other types, pages of a proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.reliability.figures import CASES, count
from tests.reliability.modules import NAMES, Network, calls_aws, examples_of, run, unclear

CALLING = [module for module in NAMES if calls_aws(module)]
EACH = max(settings().max_examples // 8, 6)  # for each module: there are many


@pytest.mark.parametrize("module", CALLING)
def test_any_answers_end_in_a_result_or_in_words(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    @settings(max_examples=EACH)
    @given(
        st.sampled_from(examples_of(module)),
        st.integers(0, 2**32),
        st.sampled_from([0.0, 0.02, 0.1, 0.5, 4.0]),
        st.booleans(),
    )
    def check(arguments: dict[str, Any], seed: int, strange: float, check_mode: bool) -> None:
        count(CASES)
        network = Network(seed, strange)

        result = run(module, arguments, network, _ansible_check_mode=check_mode)

        note(f"{result} after {dict(network.calls)}")
        assert unclear(result, arguments) == ""
        assert not (check_mode and network.mutations)

    check()
