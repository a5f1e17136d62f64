# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes: small in make test, larger with --soak, other cases with another --seed; what was counted."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from local_estate import LocalAws

from tests.reliability.accidents import Accidents, an_estate
from tests.reliability.figures import counted

# Machines are busy, and a case may begin a process: what must not take long is measured, not each single case.
_COMMON: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow],
    "database": None,
}
hypothesis.settings.register_profile("small", max_examples=25, derandomize=True, **_COMMON)
hypothesis.settings.register_profile("soak", max_examples=1000, print_blob=True, **_COMMON)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What make soak gives."""
    group = parser.getgroup("reliability")
    group.addoption("--soak", action="store_true", help="larger sizes")
    group.addoption("--seed", type=int, default=1, help="other faults, other moments, other cases")
    group.addoption("--figures", type=Path, help="a file, to which a line with what was counted is added")


def pytest_configure(config: pytest.Config) -> None:
    """Generated cases: the same ones in each make test, others for each seed in make soak."""
    config.addinivalue_line("markers", "soak: only with --soak")
    hypothesis.settings.load_profile("soak" if config.getoption("--soak") else "small")
    if config.getoption("--soak"):
        config.option.hypothesis_seed = config.getoption("--seed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what make test has no time for."""
    if not config.getoption("--soak"):
        left_out = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes down what was counted."""
    file = session.config.getoption("--figures")
    if file:
        with file.open("a", encoding="utf-8") as figures:
            figures.write(json.dumps(dict(counted)) + "\n")


@pytest.fixture(scope="session")
def soak(pytestconfig: pytest.Config) -> bool:
    """Whether there is time for more."""
    return bool(pytestconfig.getoption("--soak"))


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """Of everything that a test chooses."""
    return int(pytestconfig.getoption("--seed"))


@pytest.fixture
def chance(seed: int, request: pytest.FixtureRequest) -> random.Random:
    """Choices that are the same for the same seed and test."""
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[LocalAws]:
    """A local AWS, empty, for one test."""
    with LocalAws(tmp_path / "local-aws").running() as aws:
        yield aws


@pytest.fixture(scope="session")
def accidents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accidents]:
    """An estate whose builds can be made to fail: one for all tests, for it takes a while to make."""
    with an_estate(tmp_path_factory.mktemp("accidents")) as estate:
        yield estate
