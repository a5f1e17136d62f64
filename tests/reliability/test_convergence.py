# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is wanted of resources: a second run changes nothing, and what the diff says is what has become."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils._secrets import STANDS_FOR_SECRET
from tests.integration.modules.cases import CASES as KINDS
from tests.integration.modules.cases import Case, Change, Item
from tests.integration.modules.conftest import account as account  # noqa: PLC0414 (a fixture)
from tests.integration.modules.conftest import world as world  # noqa: PLC0414 (a fixture)
from tests.integration.modules.harness import Account, ModuleFailed, World
from tests.reliability.figures import CASES, count
from tests.reliability.modules import unclear

STAND_INS = (*STANDS_FOR_SECRET, "********")
# Of an e-mail address that has not confirmed yet, AWS gives no subscription: it is wanted, and not there.
NOT_THERE_YET = {("sns_topics", "subscriptions")}

EACH = max(settings().max_examples // 60, 1)  # for each module: there are many, and a case is several runs of one


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One for all."""
    from tests.integration.conftest import running

    with running(tmp_path_factory.mktemp("local-aws")) as found:
        yield found


def wanted(case: Case, there: World, name: str, chance: random.Random) -> list[Item]:
    """What is wanted of a resource, one after another: some of what can be changed, in any order, and tags."""
    changes: list[Change] = case.changes(there, name)
    some = chance.sample(changes, chance.randint(0, min(3, len(changes))))
    steps: list[Item] = [{case.key: name, **change.options} for change in some]
    if case.tagged:
        tags = {chance.choice("abc"): chance.choice(["1", 2, True, ""]) for _ in range(chance.randint(0, 3))}
        steps.append({case.key: name, "tags": tags})
    chance.shuffle(steps)
    return steps


def same(one: Any, other: Any) -> bool:
    """Whether two values of an option are alike: what is empty is as what is missing, sets have no order.

    Of what is hidden nobody can tell. Ansible hides whatever has the text of a secret in it.
    """
    if any(stand_in in json.dumps([one, other]) for stand_in in STAND_INS):
        return True
    if str(other).endswith(f":{one}") and str(one).startswith("alias/"):  # a key's, as it was given and as AWS tells it
        return True
    return (not one and not other and one is not False and other is not False) or _sorted(one) == _sorted(other)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(element) for name, element in value.items()}
    if isinstance(value, list):
        return sorted((_sorted(element) for element in value), key=lambda element: json.dumps(element, sort_keys=True))
    return value


def untrue(before: Item, diff: list[dict[str, Any]], after: Item) -> list[str]:
    """The options of which a diff says something else than has become; a result has only those that were read."""
    (old, new) = (diff[0]["before"], diff[0]["after"]) if diff else ({}, {})
    wrong = [f"{name} was not {old[name]!r}" for name in old if name in before and not agree(before[name], old[name])]
    wrong += [f"{name} is not {new[name]!r}" for name in new if not same(after.get(name), new[name])]
    kept = (before.keys() & after.keys()) - new.keys()
    return wrong + [f"{name} is another" for name in kept if not agree(before[name], after[name])]


def agree(one: Any, other: Any) -> bool:
    """Whether two values are alike in what both say: what was just made is told without AWS's defaults."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(agree(one[name], other[name]) for name in one.keys() & other.keys())
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return same(one, other) or all(map(agree, one, other))
    return same(one, other)


@pytest.mark.parametrize("case", KINDS, ids=str)
def test_any_changes_converge(case: Case, account: Account, world: World) -> None:
    @settings(max_examples=EACH, phases=[Phase.generate])  # not made small: that takes hundreds of runs
    @given(st.integers(0, 2**32))
    def check(seed: int) -> None:
        chance = random.Random(f"{seed} {case.module}")
        item = case.new(world, uuid.uuid4().hex[:8])
        before: Item = {}
        for step in [item, *wanted(case, world, item[case.key], chance)]:
            count(CASES)
            note(str(step))
            given_: dict[str, Any] = {case.plural: [step]}
            try:
                told = account.run(case.module, check=True, **given_)
                result = account.run(case.module, **given_)
            except ModuleFailed as failure:
                # Two changes that do not go together: that is said, and what was there is still as it was.
                if step is item or unclear(failure.result, step) or item[case.key] not in str(failure):
                    raise
                continue
            again = account.run(case.module, **given_)

            assert not again["changed"], again["diff"]
            assert again["mutations"] == []
            assert told["mutations"] == []
            assert told["diff"] == result["diff"]
            after = result[case.plural][0]
            assert untrue(after, [], again[case.plural][0]) == []
            assert untrue(before, result["diff"], after) == []
            before = {name: value for name, value in after.items() if (case.module, name) not in NOT_THERE_YET}

    check()


def test_a_diff_that_is_not_what_has_become_is_noticed() -> None:
    diff = [{"before": {"a": 1}, "after": {"a": 3}}]

    assert untrue({"a": 1, "b": [1, 2]}, diff, {"a": 3, "b": [2, 1]}) == []
    assert untrue({"a": 2}, diff, {"a": 3}) == ["a was not 1"]
    assert untrue({"a": 1}, diff, {"a": 1}) == ["a is not 3"]
    assert untrue({"a": 1, "b": 1}, diff, {"a": 3, "b": 2}) == ["b is another"]
    assert untrue({"a": True}, [], {"a": False}) == ["a is another"]
