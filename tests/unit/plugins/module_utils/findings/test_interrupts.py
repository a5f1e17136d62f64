# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals are heard between two steps, and at once only where nothing is done."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings.interrupts import SIGNALS, Interrupted, Interrupts


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0.01)  # Python hears it between two of its steps


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_in_a_step_waits_for_its_end(number: signal.Signals) -> None:
    with Interrupts() as interrupts:
        interrupts.check()
        send(number)
        done = True
        with pytest.raises(Interrupted, match=number.name):
            interrupts.check()
        with pytest.raises(Interrupted), interrupts.open():
            done = False
    assert done


def test_signal_is_heard_at_once_where_it_is_open() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(Interrupted), interrupts.open():
            send(signal.SIGTERM)
        send(signal.SIGTERM)  # no more


def test_waiting_ends_with_a_signal() -> None:
    began = time.monotonic()
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
    with Interrupts() as interrupts:
        timer.start()
        with pytest.raises(Interrupted):
            interrupts.wait(20)
    assert time.monotonic() - began < 10


def test_handlers_come_back() -> None:
    before = [signal.getsignal(each) for each in SIGNALS]

    with pytest.raises(ValueError, match="x"), Interrupts():
        raise ValueError("x")
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_other_threads_hear_nothing_and_do_not_fail() -> None:
    found = []

    def work() -> None:
        with Interrupts() as interrupts:
            interrupts.check()
            found.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]
