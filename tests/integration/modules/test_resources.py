# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several kinds in one task: the order, what is checked before, where it stops, and what its result holds."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._texts import packed
from local_aws.cli import put_user
from tests.integration.modules.cases import start
from tests.integration.modules.harness import (
    ACCOUNT,
    POLICY,
    REGION,
    TRUST,
    Account,
    ModuleFailed,
    World,
    mutates,
    unique,
)


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


def test_what_fails_of_a_group_holds_up_its_own_only(account: Account) -> None:
    names = {group: unique(group) for group in ("one", "two", "none")}

    def tags(group: str) -> dict[str, Any]:
        return {"tags": {} if group == "none" else {"group": group}}

    topics = [{"name": name, **tags(group)} for group, name in names.items()]
    rules = [
        {"name": name, "schedule_expression": "rate(1 day)", "enabled": False, **tags(group)}
        for group, name in names.items()
    ]
    topic, rule = {"module": "sns_topics", "items": topics}, {"module": "eventbridge_rules", "items": rules}
    account.client("sns").create_topic(Name=names["one"])
    arguments: dict[str, Any] = {"owner_tags": {"gitops:estate": "one"}, "group_tag": "group"}

    with pytest.raises(ModuleFailed) as failed:
        account.run("resources", steps=[topic, rule], **arguments)

    result = failed.value.result
    told = f"rule {names['one']}: it was not begun, because SNS topic {names['one']} failed before it"
    assert told in result["msg"]
    actions = {
        module: {group: resources[name]["action"] for group, name in names.items()}
        for module, resources in result["resources"].items()
    }
    expected = {"one": "failed", "two": "created", "none": "created"}
    assert actions == {"sns_topics": expected, "eventbridge_rules": expected}

    # Of no group: everything may depend on it.
    account.client("sns").delete_topic(TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:{names['none']}")
    account.client("sns").create_topic(Name=names["none"])
    account.client("events").delete_rule(Name=names["two"])
    with pytest.raises(ModuleFailed) as failed:
        account.run("resources", steps=[topic, rule], **arguments)
    assert failed.value.result["msg"].endswith("Not begun, for they come after it: eventbridge_rules.")


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


# Items as a text


def as_text(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same steps, with their items in one piece."""
    return [{**step, "items": packed(step["items"])} for step in steps]


def refused(account: Account, steps: list[dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    """The result of a task that must be refused without a call."""
    before = len(account.log())
    with pytest.raises(ModuleFailed) as failed:
        account.run("resources", steps=steps, **arguments)
    assert account.all_calls_since(before) == []
    return failed.value.result


def test_items_may_be_a_text(account: Account) -> None:
    def results(name: str, in_text: bool) -> Any:
        rule = {"description": "{{ braces }}, and no template", "targets": None}
        tasks = [(True, present(name)), (False, present(name, **rule)), (False, present(name)), (False, absent(name))]
        found = [
            account.run("resources", check=check, steps=as_text(steps) if in_text else steps) for check, steps in tasks
        ]
        return json.loads(json.dumps(found).replace(name, "NAME"))

    listed, written = results(unique("both"), False), results(unique("both"), True)

    assert written == listed
    assert [each["changed"] for each in written] == [True, True, True, True]


def test_long_texts_come_through(account: Account) -> None:
    name, document = unique("role"), {**TRUST, "Id": "x" * 1500}
    roles = [{"name": f"{name}-{number}", "assume_role_policy": document} for number in range(4)]
    steps = [{"module": "iam_roles", "items": roles}]

    account.run("resources", steps=as_text(steps))

    for role in roles:
        found = account.client("iam").get_role(RoleName=role["name"])["Role"]
        assert found["AssumeRolePolicyDocument"] == document
    assert not account.run("resources", steps=steps)["changed"]


def test_a_text_of_no_items_does_nothing(account: Account) -> None:
    result = account.run("resources", steps=as_text([{"module": "iam_roles", "items": []}]))

    assert (result["changed"], result["resources"], result["api_calls"]) == (False, {}, {})


NO_TEXT = "it is a text, but none that a filter with packed=true gives"


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (packed([{"name": "a"}])[:-1], NO_TEXT),
        ("", NO_TEXT),
        ("topics", NO_TEXT),
        ('[{"name": "a"}]', NO_TEXT),
        ('{"name": "a"}', NO_TEXT),
        ('{"items": [], "texts": 7}', NO_TEXT),
        ("null", NO_TEXT),
        ("7", NO_TEXT),
        ('packed {"items": {"name": "a"}, "texts": {}}', "it is no list"),
        (7, "it must be a list"),
        (True, "it must be a list"),
        ({"name": "a"}, "it must be a list"),
    ],
)
def test_items_that_are_no_list_are_refused(account: Account, items: Any, why: str) -> None:
    topic, rule = present(unique("both"))

    result = refused(account, [topic, {**rule, "items": items}, {**topic, "items": 1}])

    assert result["msg"] == f"Nothing was changed. steps[1].items: {why}; steps[2].items: it must be a list"


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"name": "a", "event_patern": {}}, ".event_patern: there is no such option. Did you mean event_pattern?"),
        ({"name": "a", "targets": [{"id": "b"}]}, ".targets[0].arn: it is required and missing"),
        ({"name": "a", "targets": [{"id": "b", "arn": None}]}, ".targets[0].arn: it is required and null"),
        ({"name": "a", "targets": [5]}, ".targets[0]: 5 is not allowed, it must be a dictionary"),
        ({"name": "a", "enabled": "perhaps"}, ".enabled: 'perhaps' is not allowed, it must be true or false"),
        ({"name": None}, ".name: it is required and null"),
        ({"description": "a"}, ".name: it is required and missing"),
        ({"name": "a", "event_pattern": {"source": ["b"]}}, ".name: 'a' is also steps[2].items[0].name"),
        (1, ": 1 is not allowed, it must be a dictionary"),
        (None, ": null is not allowed, it must be a dictionary"),
        ([], ": a list is not allowed, it must be a dictionary"),
    ],
)
def test_what_is_wrong_in_a_text_is_refused_as_in_a_list(account: Account, item: Any, problem: str) -> None:
    steps = [*present(unique("both")), {"module": "eventbridge_rules", "items": [{"name": "a"}, item]}]

    in_list, in_text = refused(account, steps), refused(account, as_text(steps))

    assert in_list["msg"].startswith(f"Nothing was changed. steps[2].items[1]{problem}")
    assert in_text["msg"] == in_list["msg"]


@pytest.mark.parametrize("number", [5, 0.5, True])
def test_a_number_for_a_dictionary_is_refused(account: Account, number: Any) -> None:
    steps = [{"module": "scheduler_schedules", "items": [{"name": "a", "target": number}]}]

    result = refused(account, steps)

    path = "steps[0].items[0].target"
    assert result["msg"] == f"Nothing was changed. {path}: {number} is not allowed, it must be a dictionary"
    assert refused(account, as_text(steps))["msg"] == result["msg"]


def test_a_refusal_shows_no_secret(account: Account) -> None:
    login = "https://me:Open-Sesame-4711@example.com"
    topic = {"name": "a", "subscriptions": [{"protocol": "https", "endpoint": login}]}
    steps = [{"module": "sns_topics", "items": [topic]}]

    for given in (steps, as_text(steps), [{**steps[0], "items": json.dumps([topic])}]):
        result = refused(account, given)
        assert "Open-Sesame" not in json.dumps(result)
        assert result["invocation"]["module_args"]["steps"][0]["module"] == "sns_topics"
    # Before the items are looked at, too.
    assert "Open-Sesame" not in json.dumps(refused(account, steps, concurrency=0))


# What is read before anything is written


def calls_of(account: Account, **arguments: Any) -> tuple[dict[str, Any], list[str]]:
    """What the module answers, and its calls in their order."""
    before = len(account.log())
    result = account.run("resources", **arguments)
    return result, [call["action"] for call in account.calls_since(before, sum(result["api_calls"].values()))]


def reads_after_the_first_write(calls: list[str]) -> list[str]:
    first = next(number for number, call in enumerate(calls) if mutates(call))
    return [call for call in calls[first:] if not mutates(call)]


def schedule(world: World, name: str, group: str) -> dict[str, Any]:
    target = start(world)
    return {"name": name, "group_name": group, "schedule_expression": "rate(365 days)", "target": target}


def test_all_steps_are_read_before_the_first_write(account: Account, world: World) -> None:
    name = unique("both")
    steps = [
        *present(name),
        {"module": "sqs_queues", "items": [{"name": f"{name}-{number}"} for number in range(3)]},
        {"module": "iam_roles", "items": [{"name": name, "assume_role_policy": TRUST, "description": "first"}]},
        {"module": "log_groups", "items": [{"name": name}]},
        {"module": "scheduler_schedules", "items": [schedule(world, name, name)]},
    ]
    changed = [
        {"module": "sns_topics", "items": [{"name": name, "display_name": "second"}]},
        {"module": "iam_roles", "items": [{"name": name, "description": "second"}]},
        {"module": "log_groups", "items": [{"name": name, "retention_in_days": 7}]},
    ]

    # Making one, unlike these, reads what the others say of themselves when they are made.
    account.run("log_groups", log_groups=[{"name": name}])
    _made, making = calls_of(account, steps=steps)
    _changed, changing = calls_of(account, steps=changed)

    services = {call.partition(":")[0] for call in making if not mutates(call)}
    assert {"sns", "events", "sqs", "iam", "logs", "scheduler"} <= services
    assert reads_after_the_first_write(making) == []
    assert {call.partition(":")[0] for call in changing if mutates(call)} == {"sns", "iam", "logs"}
    assert reads_after_the_first_write(changing) == []


def test_what_an_earlier_step_deletes_is_read_at_its_turn(account: Account) -> None:
    name, other = unique("role"), unique("role")
    role = {"name": name, "assume_role_policy": TRUST, "description": "first"}
    account.run("resources", steps=[{"module": "iam_roles", "items": [role]}])
    steps = [
        {"module": "iam_roles", "state": "absent", "items": [{"name": name}]},
        {"module": "sns_topics", "items": [{"name": name}]},
        {"module": "iam_roles", "items": [{**role, "description": "second"}]},
        {"module": "iam_roles", "items": [{**role, "name": other}]},
    ]

    result, calls = calls_of(account, steps=steps)

    assert [each["after"].get("description") for each in result["diff"]] == [None, None, "second", "first"]
    assert {name: each["action"] for name, each in result["resources"]["iam_roles"].items()} == {
        name: "created",
        other: "created",
    }
    assert account.client("iam").get_role(RoleName=name)["Role"]["Description"] == "second"
    # Once before the first write, like the other role, and once again at its turn.
    assert calls.count("iam:GetRole") == 3
    assert reads_after_the_first_write(calls).count("iam:GetRole") == 1
    assert calls[calls.index("iam:DeleteRole") :].count("iam:GetRole") == 1
    assert not account.run("resources", steps=steps[1:])["changed"]


def test_schedules_of_one_name_in_two_groups_are_two(account: Account, world: World) -> None:
    name, groups = unique("nightly"), [unique("first"), unique("second")]
    schedules = [schedule(world, name, group) for group in groups]
    steps = [{"module": "scheduler_schedules", "items": [each]} for each in schedules]
    account.run("scheduler_schedules", schedules=schedules[:1])

    account.run("resources", steps=steps)

    for group in groups:
        assert account.client("scheduler").get_schedule(GroupName=group, Name=name)["GroupName"] == group
    assert not account.run("resources", steps=steps)["changed"]


def test_a_group_that_goes_with_its_last_schedule_is_made_again(account: Account, world: World) -> None:
    group, owner = unique("group"), {"gitops:estate": "test"}
    account.run("scheduler_schedules", schedules=[schedule(world, "old", group)], owner_tags=owner)
    steps = [
        {"module": "scheduler_schedules", "state": "absent", "items": [{"name": "old", "group_name": group}]},
        {"module": "scheduler_schedules", "items": [schedule(world, "new", group)]},
    ]

    result, calls = calls_of(account, steps=steps, owner_tags=owner)
    again = account.run("resources", steps=steps, owner_tags=owner)

    found = account.client("scheduler").list_schedules(GroupName=group)["Schedules"]
    assert [each["Name"] for each in found] == ["new"]
    assert [call.partition(":")[2] for call in calls if mutates(call)] == [
        "DeleteSchedule",
        "DeleteScheduleGroup",
        "CreateScheduleGroup",
        "CreateSchedule",
    ]
    assert {name: each["action"] for name, each in result["resources"]["scheduler_schedules"].items()} == {
        "old": "deleted",
        "new": "created",
    }
    assert not again["changed"]


def test_what_cannot_be_read_keeps_everything_from_being_changed(account: Account) -> None:
    blind = {"Effect": "Deny", "Action": ["events:ListRules", "cloudwatch:DescribeAlarms"], "Resource": "*"}
    policy = {**POLICY, "Statement": [*POLICY["Statement"], blind]}
    somebody = dataclasses.replace(account, caller=put_user(account.endpoint_url, unique("blind"), policy))
    name = unique("both")
    topic, rule = present(name)

    with pytest.raises(ModuleFailed) as failed:
        somebody.run("resources", steps=[topic, rule, {"module": "cloudwatch_alarms", "items": [{"name": name}]}])

    result = failed.value.result
    assert result["msg"].startswith("Nothing was changed. Reading ")
    assert "Reading EventBridge rules: ListRules failed with AccessDenied" in result["msg"]
    assert "Reading CloudWatch alarms: DescribeAlarms failed with AccessDenied" in result["msg"]
    assert "Fix: allow events:ListRules on this resource for arn:aws:iam::" in result["msg"]
    assert (result["changed"], result["resources"], result["diff"], result["mutations"]) == (False, {}, [], [])
    assert result["api_calls"]["events:ListRules"] == 1
    topics = account.root("sns").list_topics()["Topics"]
    assert not [each for each in topics if each["TopicArn"].endswith(name)]
    assert [step["items"] for step in result["invocation"]["module_args"]["steps"]] == ["1 items"] * 3


def rule_and_role(name: str) -> list[dict[str, Any]]:
    """A rule that is removed with the role of its name."""
    item = {"state": "absent", "items": [{"name": name}]}
    return [
        {"module": "eventbridge_rules", **item, "with_deleted": "iam_roles"},
        {"module": "iam_roles", **item},
    ]


def test_what_goes_with_another_is_looked_at_only_where_that_goes(account: Account, world: World) -> None:
    name = unique("pair")
    account.run("resources", steps=[{"module": "iam_roles", "items": [{"name": name, "assume_role_policy": TRUST}]}])
    account.run("resources", steps=present(name))

    checked = account.run("resources", check=True, steps=rule_and_role(name))
    gone = account.run("resources", steps=rule_and_role(name))
    # Without the role there is no call about the rule, though there should be one.
    account.run("resources", steps=present(name))
    left = account.run("resources", steps=rule_and_role(name))

    assert checked["resources"]["eventbridge_rules"][name]["action"] == "deleted"
    assert [each.partition(":")[2] for each in gone["mutations"]] == ["RemoveTargets", "DeleteRule", "DeleteRole"]
    assert not left["changed"]
    assert [call for call in left["api_calls"] if call.startswith("events:")] == []
    account.run("resources", steps=absent(name))
