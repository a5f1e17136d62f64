# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions may take their time, for the machine may have other things to do."""

from __future__ import annotations

import pytest
from ministack.services import stepfunctions


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """MiniStack gives up an expression after a second."""
    jsonata = stepfunctions.jsonata.Jsonata
    make = jsonata.jsonata

    def patiently(expression: str, timeout: int = 0) -> object:
        return make(expression, timeout=60 * 1000)

    monkeypatch.setattr(jsonata, "jsonata", staticmethod(patiently))
