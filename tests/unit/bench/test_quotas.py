# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulation of docs/scale.md, by cases solved by hand."""

from __future__ import annotations

import json

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import installer
from tests.bench import quotas
from tests.bench.estate_sizes import estate, given_stacks
from tests.bench.quotas import Bucket, Quota, Run, fit, simulate, sliced, steps_of

PLENTY = [Quota("*", 1_000, 1_000)]


def run(*steps: tuple[str, int], account: str = "1", region: str = "r") -> Run:
    return Run(account, region, steps)


def test_bucket_saves_up_no_more_than_its_burst() -> None:
    bucket = Bucket(rate=2, burst=3)
    assert [bucket.take(0) for _call in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5), bucket.take(0.5)] == [True, False]
    assert [bucket.take(100) for _call in range(4)] == [True, True, True, False]


def test_without_a_quota_only_latency_and_concurrency_count() -> None:
    # 25 calls, 10 at a time, of 0.05 s: three rounds; then one more step of one round.
    [outcome] = simulate([run(("s3:A", 25), ("s3:B", 4))], PLENTY, latency=0.05, concurrency=10)
    assert outcome.seconds == pytest.approx(0.2)
    assert (outcome.calls, outcome.throttled, outcome.failed, outcome.bottleneck) == (29, 0, 0, "")


def test_a_call_without_a_token_is_repeated_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    # The pauses without their jitter: 1 and 2 seconds. One token at 0, the next at 4: refused at 0 and at 1.1, where
    # 0.1 is the latency; the third try is at 3.2, the fourth, after 4 seconds more, at 7.3, and is answered at 7.4.
    monkeypatch.setattr("random.Random.random", lambda _self: 1.0)
    [outcome] = simulate([run(("x:Get", 2))], [Quota("*", 0.25, 1)], latency=0.1, concurrency=2)
    assert (outcome.throttled, outcome.failed) == (3, 0)
    assert outcome.seconds == pytest.approx(7.4)
    assert outcome.waited == {"*": pytest.approx(7.0)}


def test_a_call_is_given_up_after_ten_attempts() -> None:
    [outcome] = simulate([run(("x:Get", 1))], [Quota("*", 0, 0)])
    assert (outcome.throttled, outcome.failed) == (10, 1)


def test_the_budget_of_retries_is_a_clients() -> None:
    # 500 tokens are 100 retries: 20 calls that are never let through have 180 to make, 30 of another service none less.
    [outcome] = simulate([run(("x:Get", 20))], [Quota("*", 0, 0)], concurrency=20)
    assert outcome.throttled == 20 + 100
    [outcome] = simulate([run(("x:Get", 20), ("y:Get", 20))], [Quota("*", 0, 0)], concurrency=20)
    assert (outcome.throttled, outcome.failed) == (2 * (20 + 100), 40)


def test_success_gives_the_budget_back() -> None:
    # One by one at 3 tokens a second: more retries than 500 tokens pay for, if none came back.
    [outcome] = simulate([run(("x:Get", 300))], [Quota("*", 3, 1)], concurrency=1)
    assert outcome.throttled * 5 > 500
    assert outcome.failed == 0
    assert outcome.seconds >= 299 / 3


def test_accounts_and_regions_have_tokens_of_their_own_and_iam_an_accounts() -> None:
    def seconds(action: str, is_global: bool, *runs: tuple[str, str]) -> float:
        quota = Quota("*", 5, 5, is_global=is_global)
        made = [run((action, 20), account=account, region=region) for account, region in runs]
        return max(outcome.seconds for outcome in simulate(made, [quota], concurrency=1))

    alone = seconds("x:Get", False, ("1", "a"))
    assert seconds("x:Get", False, ("1", "a"), ("1", "b"), ("2", "a")) < 1.7 * alone
    # 40 calls at 5 a second, 5 of them from the start.
    assert seconds("iam:Get", True, ("1", "a"), ("1", "b")) >= 7
    assert alone < 5.5


def test_adaptive_slows_down_where_standard_fails() -> None:
    # 10 in flight ask 200 times a second where 5 are let through.
    asked = run(("x:Get", 300))
    quota = [Quota("*", 5, 10)]
    [standard], [adaptive] = simulate([asked], quota), simulate([asked], quota, adaptive=True)
    assert standard.failed > 0
    assert adaptive.failed == 0
    assert 58 <= adaptive.seconds < 2 * 58  # (300 - 10) / 5
    assert adaptive.throttled < standard.throttled


def test_adaptive_costs_nothing_where_nothing_is_refused() -> None:
    asked = run(("x:Get", 300))
    assert simulate([asked], PLENTY, adaptive=True) == simulate([asked], PLENTY)


def test_the_same_input_gives_the_same_result() -> None:
    asked = [run(("x:Get", 100))]
    assert simulate(asked, [Quota("*", 5, 10)]) == simulate(asked, [Quota("*", 5, 10)])
    assert simulate(asked, [Quota("*", 5, 10)]) != simulate(asked, [Quota("*", 5, 10)], seed=2)


def test_fit_is_a_straight_line() -> None:
    assert fit({1: 5, 20: 62, 100: 302}) == pytest.approx((2, 3))
    assert fit({1: 7}) == (7, 0)
    assert fit({0: 1, 1: 1, 2: 4}) == pytest.approx((0.5, 1.5))


def test_steps_keep_the_order_and_leave_out_what_is_never_called() -> None:
    measured = {"1": {"a:Once": 1, "b:Each": 3, "c:Lost": 1}, "3": {"a:Once": 1, "b:Each": 7}}
    assert steps_of(measured, 10) == [("a:Once", 1), ("b:Each", 21)]


def test_slices_deal_out_hosts_in_turn() -> None:
    # AWX gives slice 1 the hosts 0, 2, 4 and slice 2 the others.
    assert sliced([10, 1, 10, 1, 10], slices=2, forks=1) == 30
    assert sliced([10, 1, 10, 1, 10], slices=2, forks=2) == 20
    assert sliced([10, 1, 10, 1, 10], slices=5, forks=1) == 10


def test_each_quota_is_that_of_an_action_of_the_installers() -> None:
    shared, stacks = estate(given_stacks(1))
    policies = installer.installer_policies({**shared, "kms_key_arn": ""}, stacks)
    statements = [statement for policy in policies.values() for statement in policy["Statement"]]
    actions = {action for statement in statements for action in statement["Action"]}
    actions |= {"sts:GetCallerIdentity"}  # which nobody needs to be allowed
    used = {quotas.quota_of(action, quotas.QUOTAS).pattern for action in actions}
    assert used == {quota.pattern for quota in quotas.QUOTAS}


def test_a_converged_run_of_a_hundred_stacks_fits_the_assumed_quotas() -> None:
    measured = json.loads(quotas.MEASURED.read_text(encoding="utf-8"))["calls"]
    [outcome] = simulate([Run("1", "r", steps_of(measured["converged"], 100))], adaptive=True)
    assert outcome.failed == 0
    assert outcome.seconds < 120
