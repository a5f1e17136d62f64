# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine, with a kind of resource that lives in a dictionary."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ansible_collections.gitops.aws.plugins.module_utils import _aws, _engine
from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused
from ansible_collections.gitops.aws.plugins.module_utils._engine import (
    Kind,
    Resource,
    Settings,
    afterwards,
    check_items,
    chunks,
    converge,
    merge,
    plan_item,
    prune,
    report,
    reveal,
    wanted_tags,
    without_empty,
)
from ansible_collections.gitops.aws.plugins.module_utils._secrets import HIDDEN

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "size": {"type": "int"},
    "colour": {"type": "str"},
    "labels": {"type": "list", "elements": "str"},
    "lid": {
        "type": "dict",
        "options": {
            "kind": {"type": "str"},
            "hinge": {"type": "dict", "options": {"left": {"type": "bool"}, "right": {"type": "bool"}}},
        },
    },
    "parts": {"type": "list", "elements": "dict", "options": {"name": {"type": "str"}, "note": {"type": "str"}}},
    "free": {"type": "dict"},
    "secret": {"type": "str"},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}


def error(code: str = "Broken", message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "MakeCrate")


class FakeAws:
    """Stands for _aws.Aws: no clients, real threads."""

    def __init__(self, *, check_mode: bool = False) -> None:
        self.check_mode = check_mode
        self.calls: Counter[str] = Counter()

    def client(self, service: str) -> None:
        return None

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(function, items))


class Crate(Kind):
    """A resource in `store`, by name. `fails` maps names to the errors that their next writes meet, in order.

    Those of `late_fails` are met after all is written: the answer is lost. `stale` is what is read first, in order.
    """

    noun = "crate"
    required = ("size",)
    fixed = ("colour",)
    equal = {"free": lambda before, after: {k.lower(): v for k, v in before.items()} == after}

    def __init__(self, aws: Any, store: dict[str, Settings] | None = None) -> None:
        super().__init__(aws)
        self.store = copy.deepcopy(store or {})
        self.fails: dict[str, list[BaseException]] = {}
        self.late_fails: dict[str, list[BaseException]] = {}
        self.stale: dict[str, list[Settings | None]] = {}
        self.written: list[tuple[str, str, set[str]]] = []
        self.lock = threading.Lock()

    def problems(self, item: Settings) -> list[str]:
        return ["size: too big"] if (item.get("size") or 0) > 100 else []

    def normalise(self, settings: Settings) -> Settings:
        return {**settings, "labels": sorted(settings["labels"])} if "labels" in settings else settings

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        return self.read_each(self._read, items)

    def _read(self, item: Settings) -> Resource | None:
        self.aws.calls["crates:Get"] += 1
        if item["name"] == "unreadable":
            raise error("AccessDenied")
        stale = self.stale.get(item["name"])
        found = stale.pop(0) if stale else self.store.get(item["name"])
        return Resource(dict(found), {"arn": f"arn:{item['name']}"}) if found else None

    def _write(self, action: str, name: str, changed: set[str]) -> None:
        with self.lock:
            self.written.append((action, name, changed))
            if self.fails.get(name):
                raise self.fails[name].pop(0)

    def _written(self, name: str) -> None:
        if self.late_fails.get(name):
            raise self.late_fails[name].pop(0)

    def create(self, after: Settings) -> dict[str, Any]:
        self._write("create", after["name"], set())
        self.store[after["name"]] = after
        self._written(after["name"])
        return {"arn": f"arn:{after['name']}"}

    def predict(self, after: Settings) -> dict[str, Any]:
        return {"arn": "arn:predicted"}

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        self._write("update", after["name"], changed)
        self.store[after["name"]] = after
        self._written(after["name"])

    def check_delete(self, before: Resource, item: Settings) -> None:
        if before.settings.get("size") == 99:
            raise Refused("it is too heavy")

    def delete(self, before: Resource, item: Settings) -> None:
        self._write("delete", item["name"], set())
        del self.store[item["name"]]
        self._written(item["name"])

    def not_yet(self, caught: BaseException) -> bool:
        return "not yet" in str(caught)

    def public(self, settings: Settings) -> Settings:
        return {**settings, "secret": HIDDEN} if settings.get("secret") else settings


def item(name: str = "a", **options: Any) -> Settings:
    """An item as Ansible hands it over: every option is there."""
    return {**dict.fromkeys(OPTIONS), "name": name, **options}


def run(kind: Crate, *items: Settings, state: str = "present", purge_tags: bool = True) -> dict[str, Any]:
    steps = converge(kind, "crates", OPTIONS, list(items), state, purge_tags)
    return {**report(kind, steps), "crates": afterwards(kind, steps)}


def kind(**store: Settings) -> Crate:
    return Crate(FakeAws(), {name: {"name": name, **each} for name, each in store.items()})


def checking(crates: Crate) -> Crate:
    """The same crates, in check mode."""
    return Crate(FakeAws(check_mode=True), crates.store)


class TestMerge:
    current: Settings = {"name": "a", "size": 1, "lid": {"kind": "x", "hinge": {"left": True}}, "labels": ["l"]}

    def test_unset_leaves_alone(self) -> None:
        assert merge(self.current, item(), OPTIONS) == self.current

    def test_set_means_exactly_this(self) -> None:
        assert merge(self.current, item(size=0, labels=["m"]), OPTIONS) == {**self.current, "size": 0, "labels": ["m"]}

    def test_empty_removes(self) -> None:
        merged = merge(self.current, item(lid={"kind": None, "hinge": None}, labels=[]), OPTIONS)

        assert merged["lid"] == {}
        assert merged["labels"] == []

    def test_typed_dictionaries_are_merged_at_every_depth(self) -> None:
        merged = merge(self.current, item(lid={"kind": None, "hinge": {"left": None, "right": False}}), OPTIONS)

        assert merged["lid"] == {"kind": "x", "hinge": {"left": True, "right": False}}

    def test_part_of_a_typed_dictionary_can_be_removed(self) -> None:
        merged = merge(self.current, item(lid={"kind": None, "hinge": {"left": None, "right": None}}), OPTIONS)

        assert merged["lid"] == {"kind": "x", "hinge": {}}

    def test_maps_of_users_are_replaced(self) -> None:
        merged = merge({**self.current, "free": {"Old": 1}}, item(free={"New": None}), OPTIONS)

        assert merged["free"] == {"New": None}

    def test_lists_are_replaced_and_pruned(self) -> None:
        current = {**self.current, "parts": [{"name": "x", "note": "old"}]}

        assert merge(current, item(parts=[{"name": "x", "note": None}]), OPTIONS)["parts"] == [{"name": "x"}]

    def test_aliases_of_options_are_no_settings(self) -> None:
        assert "resource_tags" not in merge({}, {**item(), "resource_tags": {"a": "1"}}, OPTIONS)

    def test_current_settings_are_not_changed(self) -> None:
        before = copy.deepcopy(self.current)
        merge(self.current, item(lid={"kind": "y", "hinge": {"left": False, "right": None}}), OPTIONS)

        assert self.current == before


def test_prune_leaves_user_keyed_none_alone() -> None:
    assert prune({"left": None}, OPTIONS["free"]) == {"left": None}
    assert prune({"kind": None, "hinge": {"left": True, "right": None}}, OPTIONS["lid"]) == {"hinge": {"left": True}}
    assert prune(None, OPTIONS["lid"]) is None


def test_without_empty_keeps_false_and_zero() -> None:
    assert without_empty({"a": None, "b": "", "c": [], "d": {"e": {}}, "f": False, "g": 0, "h": [{"i": ""}]}) == {
        "f": False,
        "g": 0,
        "h": [{}],
    }


def test_chunks() -> None:
    assert chunks([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]
    assert chunks([], 2) == []


class TestTags:
    @pytest.mark.parametrize(
        ("wanted", "purge", "after"),
        [
            ({"b": "2"}, True, {"b": "2"}),
            ({"b": "2"}, False, {"a": "1", "b": "2"}),
            ({}, True, {}),
            ({}, False, {"a": "1"}),
            ({"a": 2, "b": True, "c": False}, True, {"a": "2", "b": "true", "c": "false"}),
        ],
    )
    def test_wanted_tags(self, wanted: dict[str, Any], purge: bool, after: dict[str, str]) -> None:
        assert wanted_tags({"a": "1"}, wanted, purge) == after

    def test_unset_tags_are_no_setting(self) -> None:
        """Not even {}: fed back, it would remove tags that were not read."""
        unread = kind(a={"size": 1})

        step = plan_item(unread, OPTIONS, item(size=1), Resource({"name": "a", "size": 1}), True)

        assert step.action == "unchanged"
        assert step.after is not None
        assert "tags" not in step.after

    def test_unset_tags_of_a_new_resource_are_not_written(self) -> None:
        step = plan_item(kind(), OPTIONS, item(size=1), None, True)

        assert step.after == {"name": "a", "size": 1}

    def test_tags_that_were_read_are_kept(self) -> None:
        found = kind(a={"size": 1, "tags": {"a": "1"}})

        assert run(found, item(size=2))["crates"][0]["tags"] == {"a": "1"}


class TestPlan:
    def test_changed_and_diff_are_of_one_comparison(self) -> None:
        result = run(kind(a={"size": 1, "labels": ["x", "y"], "secret": "s"}), item(size=2, labels=["y", "x"]))

        assert result["changed"]
        assert result["diff"] == [
            {"before_header": "crate a", "after_header": "crate a", "before": {"size": 1}, "after": {"size": 2}}
        ]

    def test_equal_is_unchanged_whatever_the_order(self) -> None:
        crates = kind(a={"size": 1, "labels": ["y", "x"]})

        result = run(crates, item(size=1, labels=["x", "y"]))

        assert not result["changed"]
        assert result["diff"] == []
        assert crates.written == []

    def test_only_what_differs_is_written(self) -> None:
        crates = kind(a={"size": 1, "labels": ["x"]})
        run(crates, item(size=1, labels=["y"]))

        assert crates.written == [("update", "a", {"labels"})]

    def test_values_that_a_comparator_finds_equal_are_kept_as_they_are(self) -> None:
        crates = kind(a={"size": 1, "free": {"KEY": 1}})
        result = run(crates, item(size=2, free={"key": 1}))

        assert list(result["diff"][0]["after"]) == ["size"]
        assert crates.store["a"]["free"] == {"KEY": 1}

    def test_comparator_does_not_hide_a_difference(self) -> None:
        assert run(kind(a={"size": 1, "free": {"KEY": 1}}), item(free={"key": 2}))["changed"]

    def test_fixed_options_are_refused_with_both_values(self) -> None:
        crates = kind(a={"size": 1, "colour": "red"})
        result = run(crates, item(size=2, colour="blue"))

        assert not result["changed"]
        assert crates.written == []
        assert result["resources"]["a"]["action"] == "failed"
        assert "'red'" in result["resources"]["a"]["error"]
        assert "'blue'" in result["resources"]["a"]["error"]
        assert result["crates"] == [{"name": "a", "size": 1, "colour": "red"}]

    def test_fixed_option_that_is_the_same_is_no_problem(self) -> None:
        assert run(kind(a={"size": 1, "colour": "red"}), item(size=2, colour="red"))["changed"]

    def test_creation_needs_what_is_required_and_update_does_not(self) -> None:
        for crates in (kind(), checking(kind())):
            assert "size must be given" in run(crates, item())["resources"]["a"]["error"]
        assert run(kind(a={"size": 1}), item(labels=["x"]))["resources"]["a"]["action"] == "updated"

    def test_result_fed_back_changes_nothing(self) -> None:
        crates = kind(a={"size": 1, "secret": "s", "labels": ["b", "a"]}, b={"size": 2, "tags": {"x": "y"}})
        first = run(crates, item("a", size=5), item("b"), item("c", size=3, secret="t"))
        second = run(crates, *(item(**each) for each in first["crates"]))

        assert not second["changed"]
        assert second["crates"] == first["crates"]
        assert crates.store["c"]["secret"] == "t"


class TestReveal:
    def test_elements_of_lists_are_matched_by_name(self) -> None:
        wanted = {"parts": [{"name": "b", "note": HIDDEN}, {"name": "a", "note": "new"}]}
        current = {"parts": [{"name": "a", "note": "1"}, {"name": "b", "note": "2"}]}

        assert reveal(wanted, current) == {"parts": [{"name": "b", "note": "2"}, {"name": "a", "note": "new"}]}

    def test_elements_without_a_name_are_known_by_their_key(self) -> None:
        current = {"parts": [{"key": "a", "note": "1"}, {"key": "b", "note": "2"}]}
        wanted = {"parts": [{"key": "b", "note": HIDDEN}, {"key": "a", "note": "new"}]}

        assert reveal(wanted, current) == {"parts": [{"key": "b", "note": "2"}, {"key": "a", "note": "new"}]}

    def test_other_values_are_left_alone(self) -> None:
        wanted = {"name": None, "free": {"Statement": [{"name": ["x"]}, "text", {"a": 1}]}, "size": 0}

        assert reveal(wanted, {"free": {"Statement": [{"name": "y"}]}}) == wanted

    @pytest.mark.parametrize("stand_in", [HIDDEN, "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"])
    def test_stand_in_never_becomes_the_secret(self, stand_in: str) -> None:
        crates = kind(a={"size": 1, "secret": "s"}, b={"size": 1})
        result = run(crates, item("a", secret=stand_in), item("b", secret=stand_in), item("c", size=1, secret=stand_in))

        assert crates.store["a"]["secret"] == "s"
        assert {name: each["action"] for name, each in result["resources"].items()} == {
            "a": "unchanged",
            "b": "failed",
            "c": "failed",
        }
        assert "give the secret itself" in result["resources"]["c"]["error"]
        assert crates.written == []


class TestDiff:
    def test_secrets_are_hidden_and_their_difference_is_not(self) -> None:
        result = run(kind(a={"size": 1, "secret": "old"}), item(secret="new"))

        assert result["diff"][0]["before"] == {"secret": "(hidden) before"}
        assert result["diff"][0]["after"] == {"secret": "(hidden) after"}
        assert result["crates"][0]["secret"] == HIDDEN

    def test_creation_and_deletion_hide_secrets(self) -> None:
        created = run(kind(), item(size=1, secret="s"))
        deleted = run(kind(a={"size": 1, "secret": "s"}), item(), state="absent")

        assert created["diff"][0]["before"] == {}
        assert created["diff"][0]["after"]["secret"] == HIDDEN
        assert deleted["diff"][0]["before"]["secret"] == HIDDEN
        assert deleted["diff"][0]["after"] == {}


class TestCheckMode:
    def test_nothing_is_written_and_the_result_is_the_same(self) -> None:
        items = [item("a", size=2), item("b", size=3), item("c")]
        store: dict[str, Settings] = {"a": {"size": 1}, "c": {"size": 1}}
        writing = kind(**store)
        reading = checking(writing)

        checked, written = run(reading, *items), run(writing, *items)

        assert reading.written == []
        assert checked["diff"] == written["diff"]
        assert checked["crates"] == written["crates"]
        assert checked["resources"]["b"] == {"action": "created", "arn": "arn:predicted"}

    def test_deletion_deletes_nothing(self) -> None:
        crates = checking(kind(a={"size": 1}))
        result = run(crates, item("a"), item("b"), state="absent")

        assert {name: each["action"] for name, each in result["resources"].items()} == {
            "a": "deleted",
            "b": "unchanged",
        }
        assert crates.written == []

    def test_deletion_that_would_be_refused_is_refused(self) -> None:
        store: dict[str, Settings] = {"a": {"size": 99}, "b": {"size": 1}}
        for crates in (kind(**store), checking(kind(**store))):
            result = run(crates, item("a"), item("b"), state="absent")

            assert "too heavy" in result["resources"]["a"]["error"]
            assert result["resources"]["b"]["action"] == "deleted"
            assert "a" in crates.store


class TestFailures:
    def test_one_failure_does_not_lose_the_others(self) -> None:
        crates = kind(c={"size": 1})
        crates.fails = {"b": [error()], "c": [EndpointConnectionError(endpoint_url="x")]}
        result = run(crates, item("a", size=1), item("b", size=1), item("c", size=2), item("d", size=1))

        assert {name: each["action"] for name, each in result["resources"].items()} == {
            "a": "created",
            "b": "failed",
            "c": "failed",
            "d": "created",
        }
        assert result["changed"]
        assert [each["name"] for each in result["crates"]] == ["a", "c", "d"]
        assert result["crates"][1] == {"name": "c", "size": 1}
        assert [each["after_header"] for each in result["diff"]] == ["crate a", "crate d"]
        assert "crate b: MakeCrate failed with Broken: no" in result["resources"]["b"]["error"]

    @pytest.mark.parametrize(
        ("surprise", "told"),
        [
            (
                KeyError("part"),
                "crate b: an answer is not as AWS's API promises it, or an argument is not what it must be",
            ),
            (RuntimeError("no"), "crate b: RuntimeError: no (in _write, line"),
        ],
    )
    def test_unforeseen_error_does_not_lose_the_others(self, surprise: BaseException, told: str) -> None:
        crates = kind()
        crates.fails["b"] = [surprise]

        result = run(crates, item("a", size=1), item("b", size=1), item("c", size=1))

        assert [result["resources"][name]["action"] for name in "abc"] == ["created", "failed", "created"]
        assert result["resources"]["b"]["error"].startswith(told)
        assert result["resources"]["b"]["error"].endswith("his is a bug in gitops.aws.")

    def test_item_that_cannot_be_read_fails_alone(self) -> None:
        crates = kind(a={"size": 1})
        for state, action in (("present", "updated"), ("absent", "deleted")):
            result = run(crates, item("a", size=2), item("unreadable", size=1), state=state)

            assert result["resources"]["a"]["action"] == action
            assert result["resources"]["unreadable"]["action"] == "failed"
            assert "crate unreadable" in result["resources"]["unreadable"]["error"]

    def test_changed_is_false_when_everything_failed(self) -> None:
        crates = kind()
        crates.fails = {"a": [error()]}

        assert not run(crates, item("a", size=1))["changed"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sleeping moves this clock and nothing else; the list holds the pauses."""
    pauses: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(pauses), sleep=pauses.append)
    monkeypatch.setattr(_aws, "time", clock)
    return pauses


def repeated(code: str) -> ClientError:
    """What botocore raises where AWS refuses the second try."""
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"RetryAttempts": 1}}
    return ClientError(answer, "MakeCrate")


LOST = EndpointConnectionError(endpoint_url="x")


class TestLostAnswers:
    """What was done although nobody said so: it is read again, and what is left is done."""

    @pytest.mark.parametrize("lost", [LOST, error("CrateAlreadyExists"), error("CrateInUse"), repeated("Odd")])
    def test_creation_is_found(self, clock: list[float], lost: BaseException) -> None:
        crates = kind()
        crates.late_fails = {"a": [lost]}
        result = run(crates, item("a", size=1), item("b", size=1))

        assert result["resources"] == {name: {"action": "created", "arn": f"arn:{name}"} for name in "ab"}
        assert sorted(crates.written) == [("create", "a", set()), ("create", "b", set())]

    def test_creation_that_is_not_seen_yet_is_waited_for(self, clock: list[float]) -> None:
        crates = kind()
        crates.late_fails, crates.stale = {"a": [error("CrateAlreadyExists")]}, {"a": [None, None, None]}
        result = run(crates, item("a", size=1))

        assert result["resources"]["a"]["action"] == "created"
        assert len(crates.written) == 1
        assert len(clock) == 2

    def test_waiting_to_see_it_is_bounded(self, clock: list[float]) -> None:
        crates = kind()
        crates.late_fails, crates.stale = {"a": [error("CrateAlreadyExists")]}, {"a": [None] * 1000}
        result = run(crates, item("a", size=1))

        assert "CrateAlreadyExists" in result["resources"]["a"]["error"]
        assert len(crates.written) == 1
        assert sum(clock) <= _aws.SEEN_TIMEOUT

    def test_what_is_there_otherwise_than_it_was_read_is_brought_to_its_settings(self, clock: list[float]) -> None:
        crates = kind(a={"name": "a", "size": 1, "labels": ["x"]})
        crates.stale, crates.fails = {"a": [None]}, {"a": [error("CrateAlreadyExists")]}
        result = run(crates, item("a", size=2))

        assert result["resources"]["a"]["action"] == "created"
        assert crates.written[1:] == [("update", "a", {"size"})]
        assert crates.store["a"] == {"name": "a", "size": 2, "labels": ["x"]}

    def test_what_somebody_else_made_is_left_alone(self, clock: list[float]) -> None:
        crates = kind(a={"name": "a", "size": 1, "tags": {"team": "other"}})
        crates.stale, crates.fails = {"a": [None]}, {"a": [error("CrateAlreadyExists")]}
        steps = converge(crates, "crates", OPTIONS, [item("a", size=2)], "present", True, {"team": "ours"})

        assert "team=ours" in str(steps[0].error)
        assert crates.store["a"]["size"] == 1

    def test_update_of_which_the_answer_is_lost(self, clock: list[float]) -> None:
        crates = kind(a={"name": "a", "size": 1})
        crates.late_fails = {"a": [LOST]}
        result = run(crates, item("a", size=2))

        assert result["resources"]["a"] == {"action": "updated", "arn": "arn:a"}
        assert len(crates.written) == 1

    @pytest.mark.parametrize("lost", [LOST, error("NoSuchCrate"), error("CrateNotFoundException"), repeated("Odd")])
    def test_deletion_of_which_the_answer_is_lost(self, clock: list[float], lost: BaseException) -> None:
        crates = kind(a={"name": "a", "size": 1})
        crates.late_fails, crates.stale = {"a": [lost]}, {"a": [{"name": "a", "size": 1}]}
        result = run(crates, item("a"), state="absent")

        assert result["resources"]["a"] == {"action": "deleted"}
        assert len(crates.written) == 1

    @pytest.mark.parametrize("refused", [error("AccessDenied"), error("CrateAlreadyExists"), error("Broken"), LOST])
    def test_what_was_not_done_fails_as_aws_says(self, clock: list[float], refused: BaseException) -> None:
        crates = kind(a={"name": "a", "size": 1})
        crates.fails = {"a": [refused]}
        result = run(crates, item("a", size=2))

        assert str(refused).rpartition(": ")[2] in result["resources"]["a"]["error"]
        assert crates.store["a"]["size"] == 1
        assert len(crates.written) == 1

    def test_it_ends(self, clock: list[float]) -> None:
        crates = kind(a={"name": "a", "size": 1})
        crates.stale = {"a": [{"name": "a", "size": size} for size in range(3, 100)]}
        crates.fails = {"a": [LOST] * 100}
        result = run(crates, item("a", size=2))

        assert result["resources"]["a"]["action"] == "failed"
        assert len(crates.written) == _engine.ROUNDS

    def test_check_mode_asks_once(self) -> None:
        crates = checking(kind())
        run(crates, item("a", size=1))

        assert crates.aws.calls == {"crates:Get": 1}

    @pytest.mark.parametrize("state", ["present", "absent"])
    def test_who_is_busy_with_it_is_waited_for(self, clock: list[float], state: str) -> None:
        crates = kind(a={"name": "a", "size": 1})
        crates.fails = {"a": [error("ConcurrentModification")] * 3}
        result = run(crates, item("a", size=2), state=state)

        assert result["resources"]["a"]["action"] in ("updated", "deleted")
        assert len(clock) == 3


class TestPropagation:
    @pytest.mark.parametrize("store", [{}, {"a": {"size": 0}}])
    def test_fresh_role_is_waited_for(self, clock: list[float], store: dict[str, Settings]) -> None:
        crates = kind(**store)
        crates.fails = {"a": [error(message="role is not yet assumable")] * 3}
        result = run(crates, item("a", size=1))

        assert result["resources"]["a"]["action"] in ("created", "updated")
        assert len(crates.written) == 4
        assert len(clock) == 3

    def test_waiting_is_bounded(self, clock: list[float]) -> None:
        crates = kind()
        crates.fails = {"a": [error(message="role is not yet assumable")] * 1000}
        result = run(crates, item("a", size=1))

        assert "not yet assumable" in result["resources"]["a"]["error"]
        assert sum(clock) <= _aws.PROPAGATION_TIMEOUT

    def test_other_errors_are_not_repeated(self, clock: list[float]) -> None:
        crates = kind()
        crates.fails = {"a": [error()]}
        run(crates, item("a", size=1))

        assert len(crates.written) == 1
        assert clock == []


class TestInput:
    def test_duplicates_and_problems_are_named_by_path(self) -> None:
        wrong = check_items(kind(), "crates", [item("a"), item("b", size=101), item("a")], "present")

        assert wrong == [
            "crates[1].size: too big",
            "crates[2].name: 'a' is also crates[0].name; names must differ",
        ]

    def test_settings_do_not_matter_for_a_deletion(self) -> None:
        assert check_items(kind(), "crates", [item("b", size=101)], "absent") == []
        assert len(check_items(kind(), "crates", [item("b"), item("b")], "absent")) == 1

    def test_purge_tags_is_an_option_only_where_there_are_tags(self) -> None:
        assert "purge_tags" in _engine.common_options("crates", OPTIONS)
        assert "purge_tags" not in _engine.common_options("crates", {"name": OPTIONS["name"]})


def test_deletion_of_what_is_not_there_changes_nothing() -> None:
    crates = kind(b={"size": 1})
    result = run(crates, item("a"), state="absent")

    assert not result["changed"]
    assert result["resources"] == {"a": {"action": "unchanged"}}
    assert list(crates.store) == ["b"]
