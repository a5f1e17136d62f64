# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures estates, and compares: the second part of `make bench`.

    python -m tests.bench.estate [--sizes 1,100,1000] [--contenders ours,floor] [--cases converged] [--latencies 0,50]
                                 [--write]

Everything that was measured is in .work/bench/estate.json. With --write the tables go into docs/performance.md, and the
plot into docs/images/bench.svg. Fails where a target is measured and not met, or where --write lacks one.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from tests.bench.estate import figures
from tests.bench.estate.account import Account, Run, RunFailed
from tests.bench.estate.contender import Contender
from tests.bench.estate.figures import CASES, CONTENDERS, Figures, Key, Measured

ROOT = Path(__file__).resolve().parents[3]
RAW = ROOT / ".work/bench"
DOCUMENT, PLOT = ROOT / "docs/performance.md", ROOT / "docs/images/bench.svg"

SIZES = {"ours": (1, 100, 1000), "floor": (1, 100, 1000), "terraform": (1, 100), "loops": (1, 20)}
"""Where each is measured. Loops are so slow that their time at 100 is that of the line through the times at 1 and 20;
no target asks for Terraform at a thousand."""


def kind_of(name: str) -> type[Contender]:
    """The class of a contender, which is in the module of its name."""
    found: type[Contender] = getattr(importlib.import_module(f"tests.bench.estate.{name}"), name.capitalize())
    return found


def repetitions(contender: str, n: int, case: str, latency: int) -> int:
    """How often something is measured: more often where a target asks for it, and where it is quick."""
    if contender == "loops":
        return int(latency == 0 and case in ("first", "converged"))
    if case == "first":
        return 3 if n == 100 and contender != "terraform" else 1
    return 3 if case == "converged" or n == 1 else 1


class Bench:
    """What is to be measured, and what has been."""

    def __init__(self, options: argparse.Namespace, directory: Path) -> None:
        self.options, self.directory = options, directory
        self.measured: list[Measured] = []
        self.accounts = 0
        self.began = time.monotonic()

    def run(self) -> None:
        """Everything, the smallest estates first. Contenders take turns, so that no time of the day is one's own."""
        for n in sorted({n for name in self.options.contenders for n in SIZES[name] if n in self.options.sizes}):
            kinds = [kind_of(name) for name in self.options.contenders if n in SIZES[name]]
            with ExitStack() as stack:
                accounts = self._filled(kinds, n, stack)
                for latency in self.options.latencies:
                    for case in CASES[1:]:
                        if case in self.options.cases:
                            self._turns(accounts, n, case, latency)

    def _filled(self, kinds: list[type[Contender]], n: int, stack: ExitStack) -> dict[str, Account]:
        """Makes the estates, each first run in an account of its own; one account of each contender stays."""
        kept: dict[str, Account] = {}
        latencies = self.options.latencies if "first" in self.options.cases else self.options.latencies[:1]
        for latency in latencies:
            for turn in range(3):
                for kind in kinds:
                    times = repetitions(kind.name, n, "first", latency)
                    if turn >= (times if "first" in self.options.cases else 1) and kind.name in kept:
                        continue
                    account = Account(kind, n, self._directory())
                    try:
                        if kind.name not in kept:
                            kept[kind.name] = account
                            stack.callback(account.close)
                        account.latency(latency)
                        run = account.run(account.contender.first(), writes=True)
                        if times and "first" in self.options.cases:
                            self._add(Key(kind.name, n, "first", latency), run)
                        account.settle()
                        if missing := account.missing():
                            raise SystemExit(f"{kind.name} has not made {', '.join(missing[:20])}")
                    finally:
                        if kept.get(kind.name) is not account:
                            account.close()
        return kept

    def _turns(self, accounts: dict[str, Account], n: int, case: str, latency: int) -> None:
        for turn in range(3):
            for name, account in accounts.items():
                if turn >= repetitions(name, n, case, latency):
                    continue
                account.latency(latency)
                serial = latency * 10 + turn
                contender = account.contender
                if case == "converged":
                    run = account.run(contender.converged(), writes=False)
                elif case == "change":
                    run = account.run(contender.change(serial), writes=True)
                else:
                    run = account.run(contender.check(serial), writes=False)
                self._add(Key(name, n, case, latency), run)

    def _directory(self) -> Path:
        self.accounts += 1
        return self.directory / str(self.accounts)

    def _add(self, key: Key, run: Run) -> None:
        self.measured.append(Measured(key, run.seconds, run.mebibytes, run.calls, run.processor))
        at = time.monotonic() - self.began
        print(
            f"[{at:5.0f} s] {key.stacks:5} stacks, {key.latency:2} ms, {key.case:9} {key.contender:9} "
            f"{run.seconds:8.2f} s, {run.processor:7.2f} s of the processor, {run.mebibytes:5.0f} MiB, "
            f"{run.calls:6} calls",
            flush=True,
        )
        RAW.mkdir(parents=True, exist_ok=True)
        raw = [{**asdict(one), "key": one.key._asdict()} for one in self.measured]
        content = {"machine": machine(), "measured": raw}
        (RAW / "estate.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read(file: Path) -> list[Measured]:
    """What was measured before."""
    content = json.loads(file.read_text(encoding="utf-8"))["measured"]
    return [Measured(**{**one, "key": Key(**one["key"])}) for one in content]


def machine() -> str:
    """What it was measured on."""

    def version(*command: str) -> str:
        path = f"{ROOT}/.work/venv/bin:{ROOT}/.work/terraform:{os.environ['PATH']}"
        program = shutil.which(command[0], path=path) or command[0]
        environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(ROOT / ".work/terraform.rc"), "CHECKPOINT_DISABLE": "1"}
        done = subprocess.run([program, *command[1:]], env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.split("\n")[0]

    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    processors = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")
    ansible = version("ansible", "--version").rpartition("core ")[2].rstrip("]")
    return (
        f"{processors}, {os.cpu_count()} processors; Python {platform.python_version()}, "
        f"ansible-core {ansible}, {version('terraform', 'version')}"
    )


def write(found: Figures) -> None:
    """Tables into the document, and the plot."""
    # A library that only this needs, which is large: whoever measures must be small.
    from tests.bench.estate import plot

    content = "\n\n".join(
        [
            f"Measured on {machine()}.",
            figures.table_of_targets(found),
            "Medians:",
            figures.table_of_times(found),
            "API calls, and the peak of the largest process in any case:",
            figures.table_of_calls(found),
        ]
    )
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(figures.between(text, "bench", content), encoding="utf-8")
    plot.write(found, PLOT)


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _numbers(text: str) -> list[int]:
    return [int(word) for word in _words(text)]


def _tables(found: Figures) -> Iterator[str]:
    yield figures.table_of_targets(found)
    yield figures.table_of_times(found)
    yield figures.table_of_calls(found)


def main() -> int:
    """Measures, prints the tables; 1 where a target is not met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.estate")
    parser.add_argument("--sizes", type=_numbers, default=[1, 20, 100, 1000])
    parser.add_argument("--contenders", type=_words, default=list(CONTENDERS))
    parser.add_argument("--cases", type=_words, default=list(CASES))
    parser.add_argument("--latencies", type=_numbers, default=[0, 50])
    parser.add_argument("--write", action="store_true", help="into docs/")
    parser.add_argument("--again", action="store_true", help="measure nothing: take what .work/bench/estate.json has")
    options = parser.parse_args()
    # Whoever ends this ends the local AWSes, too.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    if options.again:
        found = Figures(read(RAW / "estate.json"))
    else:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            bench = Bench(options, Path(directory))
            try:
                bench.run()
            except RunFailed as error:
                print(error)
                return 1
        found = Figures(bench.measured)
    print("", *_tables(found), sep="\n\n")
    if options.write:
        write(found)
        if found.unmeasured():
            print("\nNot everything that has a target was measured.")
            return 1
    for missed in found.missed():
        print(f"\nNot met: {missed}")
    return int(bool(found.missed()))


if __name__ == "__main__":
    sys.exit(main())
