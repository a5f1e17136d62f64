# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What measurements say: medians, ratios, whether targets are met, and the tables of docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

CONTENDERS = ("ours", "terraform", "loops", "floor")
CASES = ("first", "converged", "change", "check")
CASE_NAMES = {
    "first": "first run",
    "converged": "converged run",
    "change": "one stack changed",
    "check": "`--check` of a change",
}
LOOPS_UP_TO = 100
MEMORY_STACKS, MEMORY_AT_MOST = 1000, 400


class Key(NamedTuple):
    """What was measured: who, how many stacks, which case, how many milliseconds a call waits."""

    contender: str
    stacks: int
    case: str
    latency: int


@dataclass(frozen=True)
class Measured:
    """One run."""

    key: Key
    seconds: float
    mebibytes: float
    calls: int
    processor: float = 0.0


@dataclass(frozen=True)
class Target:
    """One run's time against another's."""

    run: Key
    against: Key
    at_most: float


TARGETS = (
    Target(Key("ours", 1, "converged", 0), Key("terraform", 1, "converged", 0), 1.0),
    Target(Key("ours", 100, "converged", 0), Key("terraform", 100, "converged", 0), 0.4),
    Target(Key("ours", 100, "first", 0), Key("terraform", 100, "first", 0), 0.5),
    Target(Key("ours", 100, "converged", 0), Key("loops", 100, "converged", 0), 0.03),
    Target(Key("ours", 100, "converged", 50), Key("floor", 100, "converged", 50), 3),
    Target(Key("ours", 1000, "converged", 50), Key("floor", 1000, "converged", 50), 1.5),
    Target(Key("ours", 100, "first", 50), Key("floor", 100, "first", 50), 2),
    Target(Key("ours", 1000, "converged", 0), Key("ours", 100, "converged", 0), 10),
)


class Figures:
    """The medians of all that was measured."""

    def __init__(self, measured: Iterable[Measured]) -> None:
        self.runs: dict[Key, list[Measured]] = {}
        for one in measured:
            self.runs.setdefault(one.key, []).append(one)

    def seconds(self, key: Key) -> float | None:
        """The median time; where a size was not measured but two smaller ones were, as a line through them says."""
        if key in self.runs:
            return median(one.seconds for one in self.runs[key])
        points = self.extrapolated_from(key)
        if not points:
            return None
        (n, low), (m, high) = points
        return low + (high - low) / (m - n) * (key.stacks - n)

    def extrapolated_from(self, key: Key) -> list[tuple[int, float]]:
        """The two greatest smaller sizes with their times, of somebody who loops; nobody else is extrapolated."""
        if key in self.runs or key.contender != "loops" or key.stacks > LOOPS_UP_TO:
            return []
        found = sorted(
            (other.stacks, median(one.seconds for one in runs))
            for other, runs in self.runs.items()
            if other._replace(stacks=key.stacks) == key and other.stacks < key.stacks
        )
        return found[-2:] if len(found) > 1 else []

    def calls(self, key: Key) -> int | None:
        """The greatest number of calls."""
        return max((one.calls for one in self.runs.get(key, [])), default=None)

    def memory(self, contender: str, stacks: int) -> float | None:
        """The peak of a contender's largest process in all cases of a size, in MiB."""
        sizes = [
            one.mebibytes
            for key, runs in self.runs.items()
            if key.contender == contender and key.stacks == stacks
            for one in runs
        ]
        return max(sizes, default=None)

    def ratio(self, target: Target) -> float | None:
        """How much longer the run takes than what it is measured against."""
        run, against = self.seconds(target.run), self.seconds(target.against)
        return None if run is None or against is None else run / against

    def missed(self) -> list[str]:
        """The targets that are measured and not met, in words."""
        missed = []
        for target in TARGETS:
            ratio = self.ratio(target)
            if ratio is not None and ratio > target.at_most:
                missed.append(f"{_words(target)}: {ratio:.3g}, at most {target.at_most:g}")
        memory = self.memory("ours", MEMORY_STACKS)
        if memory is not None and memory > MEMORY_AT_MOST:
            missed.append(
                f"memory of one process at {MEMORY_STACKS} stacks: {memory:.0f} MiB, at most {MEMORY_AT_MOST}"
            )
        return missed

    def unmeasured(self) -> bool:
        """Whether a target was not measured."""
        return any(self.ratio(target) is None for target in TARGETS) or self.memory("ours", MEMORY_STACKS) is None


def _words(target: Target) -> str:
    run, against = target.run, target.against
    latency = f", {run.latency} ms" if run.latency else ""
    if against.contender == run.contender:
        return f"{CASE_NAMES[run.case]}, {run.stacks:,} stacks against {against.stacks:,}{latency}"
    stacks = f"{run.stacks:,} stack{'' if run.stacks == 1 else 's'}"
    return f"{CASE_NAMES[run.case]}, {stacks}{latency}, against {against.contender}"


def _time(seconds: float | None, *, about: bool = False) -> str:
    if seconds is None:
        return ""
    text = f"{seconds:.1f} s" if seconds < 100 else f"{seconds:,.0f} s"
    return f"about {text}" if about else text


def table_of_targets(figures: Figures) -> str:
    """Each target with what was measured."""
    lines = [
        "| case | ours | against | | ratio | at most | |",
        "|---|---:|---|---:|---:|---:|---|",
    ]
    for target in TARGETS:
        ratio, run, against = figures.ratio(target), target.run, target.against
        latency = f", {run.latency} ms" if run.latency else ""
        stacks = f"{run.stacks:,} stack{'' if run.stacks == 1 else 's'}"
        whom = against.contender if against.contender != run.contender else f"ours at {against.stacks:,} stacks"
        about = bool(figures.extrapolated_from(against))
        cells = [
            f"{CASE_NAMES[run.case]}, {stacks}{latency}",
            _time(figures.seconds(run)),
            whom,
            _time(figures.seconds(against), about=about),
            "" if ratio is None else f"{ratio:.2g}" if ratio < 1 else f"{ratio:.2f}",
            f"{target.at_most:g}",
            "not measured" if ratio is None else "met" if ratio <= target.at_most else "**not met**",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    memory = figures.memory("ours", MEMORY_STACKS)
    cells = [
        f"peak memory of one process, {MEMORY_STACKS:,} stacks",
        "" if memory is None else f"{memory:.0f} MiB",
        "",
        "",
        "",
        f"{MEMORY_AT_MOST} MiB",
        "not measured" if memory is None else "met" if memory <= MEMORY_AT_MOST else "**not met**",
    ]
    return "\n".join([*lines, f"| {' | '.join(cells)} |"])


def table_of_times(figures: Figures) -> str:
    """The medians of everything that was measured, a line for each case."""
    lines = ["| stacks | ms | case | ours | terraform | loops | floor |", "|---:|---:|---|---:|---:|---:|---:|"]
    for stacks, latency in sorted({(key.stacks, key.latency) for key in figures.runs}):
        for case in CASES:
            keys = [Key(contender, stacks, case, latency) for contender in CONTENDERS]
            times = [_time(figures.seconds(key), about=bool(figures.extrapolated_from(key))) for key in keys]
            if any(key in figures.runs for key in keys):
                lines.append(f"| {stacks:,} | {latency} | {CASE_NAMES[case]} | {' | '.join(times)} |")
    return "\n".join(lines)


def table_of_calls(figures: Figures) -> str:
    """API calls of each case, and memory, for each size."""
    lines = [
        f"| stacks | | {' | '.join(CASE_NAMES[case] for case in CASES)} | largest process |",
        f"|---:|---|{'---:|' * len(CASES)}---:|",
    ]
    for stacks in sorted({key.stacks for key in figures.runs}):
        for contender in CONTENDERS:
            memory = figures.memory(contender, stacks)
            if memory is None:
                continue
            latencies = {key.latency for key in figures.runs if key.stacks == stacks and key.contender == contender}
            calls = []
            for case in CASES:
                found = [figures.calls(Key(contender, stacks, case, latency)) for latency in latencies]
                calls.append(max((number for number in found if number is not None), default=None))
            cells = ["" if number is None else f"{number:,}" for number in calls]
            lines.append(f"| {stacks:,} | {contender} | {' | '.join(cells)} | {memory:.0f} MiB |")
    return "\n".join(lines)


def between(text: str, name: str, content: str) -> str:
    """A document with new content between its markers `<!-- name: begin -->` and `<!-- name: end -->`.

    Raises ValueError where it has no such markers.
    """
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, found, rest = text.partition(begin)
    _old, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"there are no markers {begin.strip()} and {end}")
    return f"{before}{begin}{content.rstrip()}\n{end}{after}"
