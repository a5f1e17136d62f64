# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several kinds in one task: the order, what is checked before, where it stops, and what its result holds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, unique


def present(name: str, **rule: Any) -> list[dict[str, Any]]:
    """A topic, and a rule that tells it."""
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
    settings = {"name": name, "event_pattern": {"source": ["a"]}, "targets": [{"id": "topic", "arn": arn}], **rule}
    return [
        {"module": "sns_topics", "items": [{"name": name}]},
        {"module": "eventbridge_rules", "items": [settings]},
    ]


def absent(name: str) -> list[dict[str, Any]]:
    """The same two, in the order in which they go."""
    item = {"state": "absent", "items": [{"name": name}]}
    return [{"module": "eventbridge_rules", **item}, {"module": "sns_topics", **item}]


def test_steps_are_carried_out_in_their_order_and_a_repeat_changes_nothing(account: Account) -> None:
    name = unique("both")

    checked = account.run("resources", check=True, steps=present(name))
    made = account.run("resources", steps=present(name))
    again = account.run("resources", steps=present(name))
    gone = account.run("resources", steps=absent(name))
    nothing = account.run("resources", steps=absent(name))

    assert checked["changed"]
    assert checked["mutations"] == []
    assert [each.partition(":")[2] for each in made["mutations"]] == ["CreateTopic", "PutRule", "PutTargets"]
    assert made["resources"]["sns_topics"][name]["action"] == "created"
    assert made["resources"]["eventbridge_rules"][name]["action"] == "created"
    assert [each["after_header"] for each in made["diff"]] == [f"SNS topic {name}", f"EventBridge rule {name}"]
    assert not again["changed"]
    assert again["mutations"] == []
    assert again["diff"] == []
    assert [each.partition(":")[2] for each in gone["mutations"]][-1] == "DeleteTopic"
    assert not nothing["changed"]
    assert nothing["mutations"] == []


def test_what_it_calls_is_what_its_result_says(account: Account) -> None:
    name = unique("both")
    before = len(account.log())

    made = account.run("resources", steps=present(name))

    calls = account.calls_since(before, sum(made["api_calls"].values()))
    assert len(calls) == sum(made["api_calls"].values())


def test_all_steps_are_checked_before_the_first_call(account: Account) -> None:
    name = unique("both")
    before = len(account.log())

    with pytest.raises(ModuleFailed) as refused:
        account.run("resources", steps=[*present(name), *present(name, event_patern={"source": ["b"]})])

    message = refused.value.result["msg"]
    assert message.startswith("Nothing was changed. steps[3].items[0].event_patern: there is no such option.")
    assert "Did you mean event_pattern?" in message
    assert account.all_calls_since(before) == []


def test_a_name_twice_in_a_step_is_refused(account: Account) -> None:
    steps = [{"module": "sns_topics", "items": [{"name": "one"}, {"name": "one"}]}]

    with pytest.raises(ModuleFailed, match=r"steps\[0\].items\[1\].name: 'one' is also"):
        account.run("resources", steps=steps)


def test_it_stops_after_the_step_that_fails_and_says_what_it_left(account: Account) -> None:
    name, other = unique("both"), unique("other")
    topic, rule = present(name)
    topic["items"] = [{"name": name, "policy": {"Version": "2012-10-17"}}, {"name": other}]
    account.client("sns").create_topic(Name=name)

    with pytest.raises(ModuleFailed) as failed:
        account.run("resources", steps=[topic, rule], owner_tags={"gitops:estate": "one"})

    result = failed.value.result
    assert "1 of 2 SNS topics failed." in result["msg"]
    assert "was made by something else" in result["msg"]
    assert result["msg"].endswith("Not begun, for they come after it: eventbridge_rules.")
    assert result["resources"]["sns_topics"][name]["action"] == "failed"
    assert result["resources"]["sns_topics"][other]["action"] == "created"
    assert "eventbridge_rules" not in result["resources"]
    assert account.client("events").list_rules(NamePrefix=name)["Rules"] == []


def test_owner_tags_are_for_the_kinds_that_have_tags(account: Account) -> None:
    name = unique("both")

    account.run("resources", steps=present(name), owner_tags={"gitops:estate": "one"})

    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
    assert account.client("sns").list_tags_for_resource(ResourceArn=arn)["Tags"] == [
        {"Key": "gitops:estate", "Value": "one"}
    ]


def test_steps_without_items_call_nothing(account: Account) -> None:
    before = len(account.log())

    result = account.run("resources", steps=[{"module": "iam_roles", "items": []}])

    assert (result["changed"], result["resources"], result["api_calls"]) == (False, {}, {})
    assert account.all_calls_since(before) == []


def test_the_result_does_not_repeat_thousands_of_items(account: Account) -> None:
    result = account.run("resources", steps=present(unique("both")))

    assert [step["items"] for step in result["invocation"]["module_args"]["steps"]] == ["1 items", "1 items"]
