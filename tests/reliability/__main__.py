# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tests of reliability in their large size, again and again, each time with another seed: `make soak`.

    python -m tests.reliability [--minutes 30] [--seed 1] [--write]

Two run at the same time, each with an AWS of its own. What a run printed is in .work/soak/. With --write the figures go
into docs/reliability.md. Fails with the first run that fails, and says how to repeat it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
LOGS = ROOT / ".work" / "soak"
DOCUMENT = ROOT / "docs" / "reliability.md"
FIGURES = LOGS / "figures.jsonl"
MOST_OFTEN, EVERY = "test_kills", 4  # so that half an hour has all of the others
FUZZED = ("fuzz-state", "fuzz-buildspec")
FUZZ_SECONDS = 120
AT_ONCE = 2


@dataclass(frozen=True)
class Round:
    """A file of tests, or what is fuzzed, and the seed."""

    what: str
    seed: int

    @property
    def command(self) -> list[str]:
        """Which repeats it, without the Python."""
        if self.what in FUZZED:
            target = self.what.removeprefix("fuzz-")
            return ["tests.reliability.fuzz", target, f"-max_total_time={FUZZ_SECONDS}", f"-seed={self.seed}"]
        return ["pytest", f"tests/reliability/{self.what}.py", "--soak", "--seed", str(self.seed)]

    @property
    def log(self) -> Path:
        """What it printed."""
        return LOGS / f"{self.seed}-{self.what}.log"


def rounds(first_seed: int) -> Iterator[Round]:
    """Without end: all in turn, and runs that are killed after each few, for those come down to chance most."""
    others = sorted(path.stem for path in HERE.glob("test_*.py") if path.stem != MOST_OFTEN)
    fuzzed = FUZZED if find_spec("atheris") else ()
    turn = itertools.cycle([*fuzzed, *others])
    for seed in itertools.count(first_seed):
        yield Round(MOST_OFTEN if (seed - first_seed) % EVERY == 0 else next(turn), seed)


class Soak:
    """Runs rounds until the time is over, or one has failed."""

    def __init__(self, minutes: float, first_seed: int) -> None:
        self.begin = time.monotonic()
        self.deadline = self.begin + 60 * minutes
        self.left = rounds(first_seed)
        self.failed: list[Round] = []
        self.ran: list[Round] = []
        self._lock = threading.Lock()

    def run(self) -> None:
        """One after the other."""
        while True:
            with self._lock:
                if self.failed or time.monotonic() > self.deadline:
                    return
                one = next(self.left)
            begin, more = time.monotonic(), [f"--figures={FIGURES}", f"--basetemp={LOGS / 'tmp' / str(one.seed)}"]
            with one.log.open("wb") as file:
                command = [sys.executable, "-m", *one.command, *([] if one.what in FUZZED else more)]
                code = subprocess.run(command, cwd=ROOT, check=False, stdout=file, stderr=subprocess.STDOUT).returncode
            with self._lock:
                self.ran.append(one)
                if code:
                    self.failed.append(one)
            result = "FAILED" if code else "passed"
            print(f"{one.what:<30} seed {one.seed:<6} {result} {time.monotonic() - begin:5.0f} s", flush=True)

    def figures(self) -> list[tuple[str, int]]:
        """What was counted."""
        total = Counter[str]()
        for line in FIGURES.read_text(encoding="utf-8").splitlines():
            total.update(json.loads(line))
        for one in self.ran:
            if one.what in FUZZED:
                done = re.search(
                    r"^Done (\d+) runs", one.log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
                )
                total["fuzzed inputs"] += int(done[1]) if done else 0
        minutes = round((time.monotonic() - self.begin) / 60)
        return [("minutes", minutes), ("runs", len(self.ran)), *sorted(total.items())]


def write(figures: list[tuple[str, int]], command: str) -> None:
    """Puts the table into the document, in the place of the one before."""
    table = "\n".join(["| Figure | |", "|---|---:|", *(f"| {name} | {number:,} |" for name, number in figures)])
    new, places = re.subn(
        r"(?s)(<!-- soak: begin -->\n).*(<!-- soak: end -->)",
        lambda match: f"{match[1]}`{command}`:\n\n{table}\n{match[2]}",
        DOCUMENT.read_text(encoding="utf-8"),
    )
    assert places == 1
    DOCUMENT.write_text(new, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Everything; 0 if all passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability")
    parser.add_argument("--minutes", type=float, default=30, help="after which nothing more begins (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each one's is one more")
    parser.add_argument("--write", action="store_true", help="the figures into docs/reliability.md")
    options = parser.parse_args(arguments)
    shutil.rmtree(LOGS, ignore_errors=True)
    (LOGS / "tmp").mkdir(parents=True)
    soak = Soak(options.minutes, options.seed)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for future in [pool.submit(soak.run) for _ in range(AT_ONCE)]:
            future.result()
    for one in soak.failed:
        print(one.log.read_text(encoding="utf-8", errors="replace"))
        print(f"To repeat it: python -m {' '.join(one.command)}")
    figures = soak.figures()
    for name, number in figures:
        print(f"{name:<30} {number:>10,}")
    if options.write and not soak.failed:
        write(figures, f"make soak MINUTES={options.minutes:g} SEED={options.seed}")
    return len(soak.failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
