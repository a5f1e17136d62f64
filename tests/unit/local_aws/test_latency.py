# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LOCAL_AWS_LATENCY_MS and the command `latency`: calls that wait, side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.unit.local_aws.support import LocalAws, command, server

SECONDS = 0.4


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with server(tmp_path_factory.mktemp("late"), LOCAL_AWS_LATENCY_MS=str(SECONDS * 1000)) as running:
        yield running


def test_each_call_waits_and_none_for_another(late: LocalAws) -> None:
    sts = late.client("sts")
    sts.get_caller_identity()
    began = time.monotonic()
    sts.get_caller_identity()
    assert time.monotonic() - began >= SECONDS
    began = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _number: sts.get_caller_identity(), range(10)))
    assert time.monotonic() - began < 5 * SECONDS


def test_it_is_changed_while_local_aws_runs(late: LocalAws) -> None:
    sts = late.client("sts")
    sts.get_caller_identity()
    try:
        assert late.command("latency", "0") == {"milliseconds": 0.0}
        began = time.monotonic()
        sts.get_caller_identity()
        assert time.monotonic() - began < SECONDS
    finally:
        late.command("latency", str(SECONDS * 1000))
    began = time.monotonic()
    sts.get_caller_identity()
    assert time.monotonic() - began >= SECONDS


@pytest.mark.parametrize("wait", ["-1", "nan", "inf"])
def test_a_wait_that_is_none(wait: str, late: LocalAws, tmp_path: Any) -> None:
    done = command("up", "--detach", "--port", "0", "--data", str(tmp_path), LOCAL_AWS_LATENCY_MS=wait)
    assert done.returncode == 1
    assert f"LOCAL_AWS_LATENCY_MS must be a number of milliseconds from 0, not {wait!r}" in done.stderr
    done = command("latency", "--data", str(late.data), "--", wait)
    assert done.returncode == 1
    assert "milliseconds is not a number from 0" in done.stderr
