# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs make targets, several at a time, also after one has failed: python scripts/run_parts.py TARGET...

Tests wait for builds more than they compute, and each target has an AWS of its own. JOBS in the environment is how many
run at the same time, by default two for each processor. What a target prints is in .work/logs/TARGET.log, and shown
when it has ended. One that has not ended after LIMIT is stopped, and has failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".work" / "logs"
LIMIT = 40 * 60.0  # seconds for each target


@dataclass(frozen=True)
class Ended:
    """A target that was run: whether it passed, after how many seconds, and the file with what it printed."""

    target: str
    passed: bool
    seconds: float
    log: Path


def run(target: str) -> Ended:
    """Runs one."""
    log, begin = LOGS / f"{target}.log", time.monotonic()
    with log.open("wb") as file:
        command = [os.environ.get("MAKE", "make"), "--no-print-directory", target]
        with subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT) as process:
            try:
                code = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                process.terminate()  # make passes it on
                code = process.wait()
                file.write(f"\nstopped: it had not ended after {LIMIT:.0f} s\n".encode())
    return Ended(target, code == 0, time.monotonic() - begin, log)


def main(targets: list[str]) -> int:
    """Runs all, the first ones first; 0 if all have passed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    begin, all_ended = time.monotonic(), list[Ended]()
    jobs = int(os.environ.get("JOBS") or 2 * (os.cpu_count() or 1))
    pool = ThreadPoolExecutor(jobs)
    try:
        for future in as_completed([pool.submit(run, target) for target in targets]):
            ended = future.result()
            all_ended.append(ended)
            print(f"\n== {ended.target} ==\n{ended.log.read_text(encoding='utf-8', errors='replace')}", flush=True)
    finally:  # with Ctrl-C, which those that run get as well, the others do not begin
        pool.shutdown(cancel_futures=True)
    print()
    for ended in sorted(all_ended, key=lambda ended: targets.index(ended.target)):
        print(f"{ended.target:<22} {'passed' if ended.passed else 'FAILED':<7} {ended.seconds:5.0f} s")
    print(f"{'all, ' + str(jobs) + ' at a time':<30} {time.monotonic() - begin:5.0f} s")
    return 0 if all(ended.passed for ended in all_ended) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
