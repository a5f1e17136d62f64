# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replays the calls of site.yml against AWS's request quotas: how long a run takes, and which quota holds it up.

    python -m tests.bench.quotas

prints the tables of docs/scale.md. The counts are measured (quota_calls.json, by quota_calls.py), and are taken to grow
with the number of stacks in a straight line. A quota is a bucket of tokens per account and region (IAM's per account).
A call without a token is throttled, and repeated as botocore does it: in its mode standard with the retry budget of a
client, in its mode adaptive with a client that slows down as well. The same input gives the same result. What Ansible
itself takes is not in it: docs/performance.md.
"""

from __future__ import annotations

import fnmatch
import heapq
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import CapacityNotAvailableError
from botocore.retries.adaptive import RateClocker
from botocore.retries.bucket import TokenBucket
from botocore.retries.throttling import CubicCalculator

MEASURED = Path(__file__).with_name("quota_calls.json")
LATENCY = 0.05  # seconds of a call, answered or refused
CONCURRENCY = 10  # calls in flight, of the collection's modules
ATTEMPTS = 10  # of a call, as in the collection's clients

# botocore's standard mode (botocore.retries.standard and .quota).
LONGEST_PAUSE = 20.0
RETRY_BUDGET, RETRY_COST, EASY_SUCCESS = 500, 5, 1


@dataclass(frozen=True)
class Quota:
    """What AWS lets through: tokens per second, as many saved up as `burst`, and where the number is from."""

    pattern: str  # of actions, which share the tokens
    rate: float
    burst: float
    source: str = ""  # empty: AWS publishes none, and this is a cautious assumption
    is_global: bool = False  # per account, not per account and region


# The first that matches counts. Where AWS publishes a rate and no burst, a second's worth is the burst.
QUOTAS = (
    Quota("sts:*", 10, 20),
    Quota("iam:Get*", 10, 20, is_global=True),
    Quota("iam:List*", 10, 20, is_global=True),
    Quota("iam:Simulate*", 5, 10, is_global=True),
    Quota("iam:*", 5, 10, is_global=True),
    Quota("codepipeline:Get*", 5, 10),
    Quota("codepipeline:*", 2, 5),
    Quota("codebuild:BatchGet*", 5, 10),
    Quota("codebuild:*", 2, 5),
    Quota("s3:GetObject", 5500, 5500, "S3 performance guidelines, per prefix"),
    Quota("s3:PutObject", 3500, 3500, "S3 performance guidelines, per prefix"),
    Quota("s3:*", 5, 10),
    Quota("kms:DescribeKey", 100, 100, "KMS request quotas"),
    Quota("kms:ListResourceTags", 100, 100, "KMS request quotas"),
    Quota("kms:Get*", 30, 30, "KMS request quotas"),
    Quota("kms:*", 5, 5, "KMS request quotas"),
    Quota("dynamodb:DescribeContinuousBackups", 10, 10, "DynamoDB API reference"),
    Quota("dynamodb:ListTagsOfResource", 10, 10, "DynamoDB API reference"),
    Quota("dynamodb:*", 5, 10),
    Quota("events:*", 50, 50, "EventBridge quotas: all calls but PutEvents"),
    Quota("scheduler:*Group", 10, 10, "EventBridge Scheduler quotas"),
    Quota("scheduler:*", 250, 250, "EventBridge Scheduler quotas, the smaller regions"),
    Quota("sns:ListSubscriptionsByTopic", 30, 30, "SNS API reference"),
    Quota("sns:Subscribe", 100, 100, "SNS API reference"),
    Quota("sns:*", 10, 10),
    Quota("states:DescribeStateMachine", 20, 200, "Step Functions quotas"),
    Quota("states:*", 1, 100, "Step Functions quotas"),
    Quota("cloudwatch:DescribeAlarms", 9, 9, "CloudWatch quotas"),
    Quota("cloudwatch:PutMetricAlarm", 3, 3, "CloudWatch quotas"),
    Quota("*", 5, 10),
)

Steps = Sequence[tuple[str, int]]  # actions and how often each is called, one after the other


@dataclass(frozen=True)
class Run:
    """One run of site.yml: the account and region it is for, and its calls."""

    account: str
    region: str
    steps: Steps


@dataclass
class Outcome:
    """What came of a run."""

    seconds: float = 0.0
    calls: int = 0
    throttled: int = 0
    failed: int = 0  # calls that were refused to the end: the run would stop there
    waited: dict[str, float] = field(default_factory=lambda: defaultdict(float))  # seconds of pauses, by quota

    @property
    def bottleneck(self) -> str:
        """The quota that calls have waited for longest; empty if none was refused."""
        return max(self.waited, key=lambda name: self.waited[name], default="")


class Bucket:
    """Tokens that come at a rate and are saved up to a burst."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, 0.0

    def take(self, now: float) -> bool:
        """Whether there was a token. Times must not go back."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True


class Clock:
    """The time of the simulation, as botocore's classes ask for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def current_time(self) -> float:
        """Seconds since the runs began."""
        return self.now


class Limiter:
    """botocore's mode adaptive for one client: after the first refusal it sends no faster than it thinks it may.

    The parts are botocore's own, put together as its ClientRateLimiter does, which would sleep.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rate = RateClocker(clock)
        self._cubic = CubicCalculator(starting_max_rate=0, start_time=clock.now)
        self._tokens = TokenBucket(max_rate=1, clock=clock)
        self._enabled = False

    def delay(self) -> float:
        """Seconds until a call may be sent; 0 if it may be sent now, and then it is taken to be."""
        if not self._enabled:
            return 0.0
        try:
            self._tokens.acquire(block=False)
        except CapacityNotAvailableError:
            return float(max((1 - self._tokens.available_capacity) / self._tokens.max_rate, 0.001))
        return 0.0

    def answered(self, throttled: bool) -> None:
        """Takes note of an answer."""
        measured = self._rate.record()
        if throttled:
            before = min(measured, self._tokens.max_rate) if self._enabled else measured
            rate = self._cubic.error_received(before, self._clock.now)
            self._enabled = True
        else:
            rate = self._cubic.success_received(self._clock.now)
        self._tokens.max_rate = min(rate, 2 * measured)


def quota_of(action: str, quotas: Sequence[Quota]) -> Quota:
    """The quota that an action is held to."""
    return next(quota for quota in quotas if fnmatch.fnmatchcase(action, quota.pattern))


def simulate(
    runs: Sequence[Run],
    quotas: Sequence[Quota] = QUOTAS,
    latency: float = LATENCY,
    concurrency: int = CONCURRENCY,
    adaptive: bool = False,
    seed: int = 1,
) -> list[Outcome]:
    """What comes of runs that begin at once, in their order.

    A run has at most `concurrency` calls in flight, and begins with an action when all calls of the one before have
    ended. A call that waits to be repeated keeps its place, as a thread does.
    """
    chance = random.Random(seed)  # the pauses' jitter
    buckets: dict[tuple[str, str, str], Bucket] = {}
    of_action: dict[str, Quota] = {}
    outcomes = [Outcome() for _run in runs]
    budgets: defaultdict[tuple[int, str], int] = defaultdict(lambda: RETRY_BUDGET)  # by run and service
    clock = Clock()
    limiters: defaultdict[tuple[int, str], Limiter] = defaultdict(lambda: Limiter(clock))  # likewise
    position = [-1] * len(runs)  # step of each run
    waiting = [0] * len(runs)  # calls of the step that have not begun
    flying = [0] * len(runs)
    events: list[tuple[float, int, int, int]] = []  # time, number (for a fixed order), run, attempt
    number = 0

    def push(time: float, run: int, attempt: int) -> None:
        nonlocal number
        number += 1
        heapq.heappush(events, (time, number, run, attempt))

    def advance(now: float, run: int) -> None:
        """Begins what may begin: calls of the step, or the next step."""
        while waiting[run] == 0 and flying[run] == 0:
            position[run] += 1
            if position[run] == len(runs[run].steps):
                outcomes[run].seconds = now
                return
            waiting[run] = runs[run].steps[position[run]][1]
        while waiting[run] and flying[run] < concurrency:
            waiting[run] -= 1
            flying[run] += 1
            outcomes[run].calls += 1
            push(now, run, 1)

    for run in range(len(runs)):
        advance(0.0, run)
    while events:
        now, _number, run, attempt = heapq.heappop(events)
        clock.now = now
        if attempt == 0:  # an answer has come, or the call is given up
            flying[run] -= 1
            advance(now, run)
            continue
        action = runs[run].steps[position[run]][0]
        quota = of_action.get(action) or of_action.setdefault(action, quota_of(action, quotas))
        key = (runs[run].account, "" if quota.is_global else runs[run].region, quota.pattern)
        bucket = buckets.setdefault(key, Bucket(quota.rate, quota.burst))
        client = (run, action.partition(":")[0])
        outcome = outcomes[run]
        if adaptive and (delay := limiters[client].delay()):
            outcome.waited[quota.pattern] += delay
            push(now + delay, run, attempt)
            continue
        taken = bucket.take(now)
        if adaptive:
            limiters[client].answered(throttled=not taken)
        if taken:
            budgets[client] = min(RETRY_BUDGET, budgets[client] + (EASY_SUCCESS if attempt == 1 else RETRY_COST))
            push(now + latency, run, 0)
            continue
        outcome.throttled += 1
        if attempt == ATTEMPTS or budgets[client] < RETRY_COST:
            outcome.failed += 1
            push(now + latency, run, 0)
            continue
        budgets[client] -= RETRY_COST
        pause = min(chance.random() * 2 ** (attempt - 1), LONGEST_PAUSE)
        outcome.waited[quota.pattern] += pause
        push(now + latency + pause, run, attempt + 1)
    return outcomes


def fit(counts: dict[int, int]) -> tuple[float, float]:
    """The fixed part and the part per stack of a number of calls, by least squares."""
    sizes, values = list(counts), list(counts.values())
    mean_size, mean_value = sum(sizes) / len(sizes), sum(values) / len(values)
    spread = sum((size - mean_size) ** 2 for size in sizes)
    slope = sum((size - mean_size) * (value - mean_value) for size, value in counts.items()) / spread if spread else 0.0
    return mean_value - slope * mean_size, slope


def steps_of(measured: dict[str, dict[str, int]], stacks: int) -> Steps:
    """The calls of a run over so many stacks, in order of the actions' first calls in the largest measured estate.

    Args:
        measured: by number of stacks, the calls by action, of one kind of run.
        stacks: the number of stacks.
    """
    largest = measured[max(measured, key=int)]
    order = [*largest, *(action for counts in measured.values() for action in counts if action not in largest)]
    steps = {}
    for action in order:
        fixed, each = fit({int(size): counts.get(action, 0) for size, counts in measured.items()})
        count = round(fixed + each * stacks)
        if count > 0:
            steps[action] = count
    return list(steps.items())


def sliced(seconds: Sequence[float], slices: int, forks: int) -> float:
    """How long job slices take: hosts are dealt out to them as AWX does it, each works on `forks` at a time."""
    longest = 0.0
    for one in range(slices):
        workers = [0.0] * forks
        heapq.heapify(workers)
        for duration in seconds[one::slices]:
            heapq.heappush(workers, heapq.heappop(workers) + duration)
        longest = max(longest, *workers)
    return longest


def minutes(seconds: float) -> str:
    """A time for people."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def scaled(quotas: Sequence[Quota], factor: float) -> list[Quota]:
    """The quotas, with those that are assumed multiplied."""
    return [
        quota if quota.source else Quota(quota.pattern, quota.rate * factor, quota.burst * factor, "", quota.is_global)
        for quota in quotas
    ]


def row(name: str, standard: Outcome, adaptive: Outcome) -> str:
    """A row of the table."""
    cells = [f"{adaptive.calls:,}", f"{standard.failed:,}", minutes(adaptive.seconds)]
    cells += [f"{adaptive.throttled:,}", f"`{adaptive.bottleneck}`" if adaptive.bottleneck else "-"]
    return f"| {name} | {' | '.join(cells)} |"


def one_account(measured: dict[str, dict[str, int]], sizes: Sequence[int]) -> list[str]:
    """The rows of runs in one account."""
    rows = []
    for stacks in sizes:
        run = Run("1", "r", steps_of(measured, stacks))
        rows.append(row(f"{stacks:,} stacks", simulate([run])[0], simulate([run], adaptive=True)[0]))
    runs = [Run("1", region, steps_of(measured, 300)) for region in "abc"]
    standard, adaptive = (max(simulate(runs, adaptive=mode), key=lambda one: one.seconds) for mode in (False, True))
    rows.append(row("300 stacks in each of 3 regions, at once: the slowest", standard, adaptive))
    return rows


def enough(measured: dict[str, dict[str, int]], stacks: int) -> int:
    """By how much the assumed quotas must be greater for no call to fail in the mode standard: a power of two."""
    run = Run("1", "r", steps_of(measured, stacks))
    factor = 1
    while simulate([run], scaled(QUOTAS, factor))[0].failed:
        factor *= 2
    return factor


def main() -> None:
    """Prints the tables."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))["calls"]
    head = "| one account | calls | fail (standard) | time (adaptive) | throttled | waits most for |\n"
    head += "|---|--:|--:|--:|--:|---|"
    for kind, counts in measured.items():
        fixed, each = fit({int(size): sum(calls.values()) for size, calls in counts.items()})
        print(f"{kind} run: {fixed:.0f} calls and {each:.1f} per stack\n\n{head}")
        print("\n".join(one_account(counts, (100, 300, 1_000, 5_000, 10_000))))
        print(
            f"\nWith 100 stacks no call fails in the mode standard from {enough(counts, 100)} times what is assumed.\n"
        )
    layouts = ((1, 1), (5, 1), (5, 4), (10, 4), (10, 10))
    print("| 100 accounts, 100 stacks each | " + " | ".join(f"{s} slices x {f} forks" for s, f in layouts) + " |")
    print("|---|" + "--:|" * len(layouts))
    for kind, counts in measured.items():
        for factor, what in ((1.0, "as assumed"), (0.5, "half of that"), (4.0, "four times that")):
            runs = [Run(str(one), "r", steps_of(counts, 100)) for one in range(10)]
            seconds = [one.seconds for one in simulate(runs, scaled(QUOTAS, factor), adaptive=True)] * 10
            print(f"| {kind}, {what} | " + " | ".join(minutes(sliced(seconds, *one)) for one in layouts) + " |")


if __name__ == "__main__":
    main()
