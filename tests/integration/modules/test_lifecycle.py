# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every bulk module promises, tried with each."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._secrets import HIDDEN, STANDS_FOR_SECRET
from tests.integration.modules.cases import ALARMS, CASES, CONNECTIONS, MACHINES, SCHEDULES, Case, Item, contained
from tests.integration.modules.harness import Account, ModuleFailed, World

OWNER = {"team": "ours"}

every_module = pytest.mark.parametrize("case", CASES, ids=str)


class Runner:
    """One module, and items of it that no other test has."""

    def __init__(self, case: Case, account: Account, world: World) -> None:
        self.case, self.account, self.world = case, account, world

    def tags(self, **tags: str) -> Item:
        """These tags as an option, of what has tags."""
        return {"tags": tags} if self.case.tagged else {}

    def new(self, **options: Any) -> Item:
        return self.case.new(self.world, uuid.uuid4().hex[:8], **options)

    def run(self, *items: Item, **arguments: Any) -> dict[str, Any]:
        return self.account.run(self.case.module, **{**arguments, self.case.plural: list(items)})

    def delete(self, *items: Item, **arguments: Any) -> dict[str, Any]:
        keys = [{self.case.key: item[self.case.key], **(self.case.deletion or {})} for item in items]
        return self.run(*keys, state="absent", **arguments)

    def action(self, result: dict[str, Any], item: Item) -> str:
        action: str = result["resources"][item[self.case.key]]["action"]
        return action


def without_secrets(item: Any) -> Any:
    """An item in which every secret has the same stand-in, whether ours or Ansible's."""
    if isinstance(item, dict):
        return {option: without_secrets(value) for option, value in item.items()}
    return HIDDEN if item in STANDS_FOR_SECRET else item


@pytest.fixture
def runner(case: Case, account: Account, world: World) -> Runner:
    return Runner(case, account, world)


@every_module
def test_check_mode_of_a_creation_makes_no_mutating_call(runner: Runner) -> None:
    item = runner.new(**runner.tags(a="1"))

    result = runner.run(item, check=True)

    assert result["changed"]
    assert result["mutations"] == []
    assert runner.action(result, item) == "created"
    assert result["diff"][0]["before"] == {}
    assert result["diff"][0]["after"].get("tags") == runner.tags(a="1").get("tags")
    assert runner.action(runner.run(item, check=True), item) == "created"


@every_module
def test_second_run_changes_nothing(runner: Runner) -> None:
    item = runner.new(**runner.tags(a="1"))

    created = runner.run(item)
    again = runner.run(item)

    assert created["changed"]
    assert created["mutations"]
    assert not again["changed"]
    assert again["mutations"] == []
    assert again["diff"] == []
    assert runner.action(again, item) == "unchanged"


# What reads the tags of one resource. SNS and others call it alike.
TAGS_OF_ONE = re.compile(r":(List\w*Tags\w*|GetBucketTagging)$")

# Not schedules: their tags are those of their group.
tagged_modules = pytest.mark.parametrize(
    "case", [case for case in CASES if case.tagged and case is not SCHEDULES], ids=str
)


@tagged_modules
def test_tags_of_several_are_not_read_one_by_one(runner: Runner) -> None:
    items = [runner.new() for _ in range(3)]
    runner.run(*items, owner_tags=OWNER)

    again = runner.run(*items, owner_tags=OWNER)

    asked = sum(number for call, number in again["api_calls"].items() if TAGS_OF_ONE.search(call))
    # Of these local AWS's tagging API knows nothing. Then the services are asked.
    assert asked == (3 if runner.case in (ALARMS, MACHINES) else 0)
    assert not again["changed"]
    assert again["api_calls"].get("resourcegroupstaggingapi:GetResources", 0) <= 1


@tagged_modules
def test_what_belongs_to_others_is_left_alone_among_several(runner: Runner) -> None:
    ours, others, untagged = runner.new(), runner.new(), runner.new()
    runner.run(ours, owner_tags=OWNER)
    runner.run(others, owner_tags={"team": "others"})
    runner.run(untagged)

    for run in (runner.run, runner.delete):
        with pytest.raises(ModuleFailed) as failure:
            run(ours, others, untagged, owner_tags=OWNER)
        result = failure.value.result
        done = "unchanged" if run == runner.run else "deleted"
        assert [runner.action(result, item) for item in (ours, others, untagged)] == [done, "failed", "failed"]
        assert all("team=ours" in result["resources"][item[runner.case.key]]["error"] for item in (others, untagged))


@every_module
def test_result_can_be_fed_back(runner: Runner) -> None:
    items = [runner.new(**runner.tags(a="1")), runner.new(), runner.new()]
    created = runner.run(*items)

    plural = runner.case.plural
    first = runner.run(*created[plural])
    second = runner.run(*first[plural])

    assert not first["changed"], first["diff"]
    assert not second["changed"], second["diff"]
    assert [without_secrets(each) for each in second[plural]] == [without_secrets(each) for each in first[plural]]


@every_module
def test_name_alone_leaves_everything_alone(runner: Runner) -> None:
    item = runner.new(**runner.tags(a="1"))
    runner.run(item)

    result = runner.run({runner.case.key: item[runner.case.key]})

    assert not result["changed"], result["diff"]
    assert result["mutations"] == []
    assert not runner.run(item)["changed"]


# Nothing of a connection but its tags can be changed.
@pytest.mark.parametrize("case", [case for case in CASES if case is not CONNECTIONS], ids=str)
def test_each_option_can_be_changed(runner: Runner) -> None:
    item = runner.new()
    name = item[runner.case.key]
    runner.run(item)

    for change in runner.case.changes(runner.world, name):
        wanted = {runner.case.key: name, **change.options}

        changed = runner.run(wanted)
        again = runner.run(wanted)

        assert set(changed["diff"][0]["after"]) == set(change.options)
        assert runner.action(changed, item) == "updated"
        assert changed["mutations"], change
        assert not again["changed"], (change, again["diff"])
        seen = runner.case.look(runner.account, name)
        assert contained(change.shown, seen), (change, seen)


@every_module
def test_check_mode_of_a_change_tells_the_truth(runner: Runner) -> None:
    item = runner.new(**runner.tags(a="1"))
    runner.run(item)
    changes = runner.case.changes(runner.world, item[runner.case.key])
    options = changes[0].options if changes else {}
    tags = runner.tags(b="2")
    wanted = {**item, **options, **tags}

    checked = runner.run(wanted, check=True)
    changed = runner.run(wanted)

    assert checked["mutations"] == []
    assert changed["mutations"]
    assert checked["changed"]
    assert checked["diff"] == changed["diff"]
    assert set(checked["diff"][0]["after"]) == {*tags, *options}
    assert checked[runner.case.plural] == changed[runner.case.plural]


@pytest.mark.parametrize("case", [case for case in CASES if case.tagged], ids=str)
def test_tags(runner: Runner) -> None:
    item = runner.new(tags={"a": "1", "b": "2"})
    key = {runner.case.key: item[runner.case.key]}

    def tags(result: dict[str, Any]) -> Any:
        return result[runner.case.plural][0]["tags"]

    runner.run(item)
    assert not runner.run(key)["changed"]
    added = runner.run({**key, "tags": {"b": 3, "c": True}}, purge_tags=False)
    assert added["diff"][0]["after"] == {"tags": {"a": "1", "b": "3", "c": "true"}}
    assert tags(runner.run({**key, "tags": {"a": "1"}}, purge_tags=False, check=True)) == tags(added)
    purged = runner.run({**key, "resource_tags": {"b": "3"}})
    assert purged["changed"]
    assert tags(purged) == {"b": "3"}
    assert not runner.run({**key, "tags": {"b": "3"}})["changed"]
    removed = runner.run({**key, "tags": {}})
    assert removed["changed"]
    assert tags(removed) == {}
    assert not runner.run({**key, "tags": {}})["changed"]


@every_module
def test_one_failure_does_not_lose_the_others(runner: Runner) -> None:
    options, reason = runner.case.refused
    broken = runner.new(**options)
    good = [runner.new() for _ in range(3)]

    with pytest.raises(ModuleFailed) as failure:
        runner.run(good[0], broken, *good[1:])

    result = failure.value.result
    name = broken[runner.case.key]
    assert "1 of 4" in result["msg"]
    assert name in result["msg"]
    assert reason in result["msg"]
    assert result["changed"]
    assert runner.action(result, broken) == "failed"
    assert reason in result["resources"][name]["error"]
    assert [runner.action(result, item) for item in good] == ["created"] * 3
    names = [each[runner.case.key] for each in result[runner.case.plural]]
    assert names == [item[runner.case.key] for item in good]
    assert not runner.run(*good)["changed"]


@every_module
def test_deletion(runner: Runner) -> None:
    item, other = runner.new(), runner.new()
    runner.run(item, other)

    checked = runner.delete(item, check=True)
    assert checked["changed"]
    assert checked["mutations"] == []
    assert runner.action(checked, item) == "deleted"
    assert not runner.run(item)["changed"]

    deleted = runner.delete(item)
    assert deleted["changed"]
    assert deleted["mutations"]
    assert deleted["diff"][0]["after"] == {}
    assert deleted["diff"][0]["before"][runner.case.key] == item[runner.case.key]
    assert deleted[runner.case.plural] == []

    again = runner.delete(item)
    assert not again["changed"]
    assert again["mutations"] == []
    assert runner.action(again, item) == "unchanged"
    assert not runner.run(other)["changed"]
    assert runner.action(runner.run(item, check=True), item) == "created"


@every_module
def test_duplicate_names_are_refused_before_any_call(runner: Runner) -> None:
    item = runner.new()

    with pytest.raises(ModuleFailed) as failure:
        runner.run(item, item)

    path = f"{runner.case.plural}[1].{runner.case.key}"
    assert path in failure.value.result["msg"]
    assert failure.value.result["mutations"] == []
