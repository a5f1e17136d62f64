# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: their targets, their buses, and an event that goes through a rule and a topic into a queue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.modules.cases import document, queue, target
from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, unique

PATTERN = {"source": ["one"], "detail": {"state": ["FAILED"]}}


def allow_service(service: str, action: str, resource: str) -> dict[str, Any]:
    """A policy by which a service of AWS may do something with a resource."""
    return document(
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": resource},
    )


@pytest.mark.parametrize("allowed", [True, False])
def test_an_event_reaches_the_queue_of_a_topic(account: Account, allowed: bool) -> None:
    name = unique("told")
    sqs, events = account.root("sqs"), account.root("events")
    address = sqs.create_queue(QueueName=name)["QueueUrl"]
    policy = allow_service("sns.amazonaws.com", "sqs:SendMessage", queue(name)["endpoint"])
    sqs.set_queue_attributes(QueueUrl=address, Attributes={"Policy": json.dumps(policy)})
    topic = target(name)["arn"]
    publish = allow_service("events.amazonaws.com" if allowed else "s3.amazonaws.com", "sns:Publish", topic)
    item = {
        "name": name,
        "policy": publish,
        "subscriptions": [
            queue(name, raw_message_delivery=True, filter_policy={"level": ["high"]}, filter_policy_scope="MessageBody")
        ],
    }
    assert account.run("sns_topics", topics=[item])["resources"][name]["arn"] == topic
    transformer = {
        "input_paths_map": {"what": "$.detail.what", "level": "$.detail.level"},
        "input_template": '{"text": "<what> has failed", "level": <level>}',
    }
    rule = {"name": name, "event_pattern": {**PATTERN, "source": [name]}}
    account.run("eventbridge_rules", rules=[{**rule, "targets": [target(name, input_transformer=transformer)]}])

    for state, level in (("SUCCEEDED", "high"), ("FAILED", "low"), ("FAILED", "high")):
        detail = {"state": state, "what": f"{state} {level}", "level": level}
        events.put_events(Entries=[{"Source": name, "DetailType": "Test", "Detail": json.dumps(detail)}])
    messages = sqs.receive_message(QueueUrl=address, MaxNumberOfMessages=10, WaitTimeSeconds=int(allowed))

    bodies = [json.loads(each["Body"]) for each in messages.get("Messages", [])]
    assert bodies == ([{"text": "FAILED high has failed", "level": "high"}] if allowed else [])


def test_rules_are_listed_and_not_asked_for_one_by_one(account: Account) -> None:
    common = unique("many")
    rules = [{"name": f"{common}-{number}", "event_pattern": PATTERN} for number in range(12)]
    account.run("eventbridge_rules", rules=rules)

    assert account.run("eventbridge_rules", rules=rules)["api_calls"] == {"events:ListRules": 1}


def test_a_name_that_others_begin_with(account: Account) -> None:
    short = unique("rule")
    account.run("eventbridge_rules", rules=[{"name": f"{short}-long", "event_pattern": PATTERN}])

    assert account.run("eventbridge_rules", check=True, rules=[{"name": short, "event_pattern": PATTERN}])["changed"]


def test_one_of_the_same_name_on_another_bus_is_another(account: Account) -> None:
    bus, name = unique("bus"), unique("rule")
    account.root("events").create_event_bus(Name=bus)
    here = {"name": name, "event_pattern": PATTERN, "targets": [target("a")], "tags": {"a": "1"}}
    there = {**here, "event_bus_name": bus, "description": "there"}

    created = [account.run("eventbridge_rules", rules=[item])["resources"][name] for item in (here, there)]

    assert [each["action"] for each in created] == ["created", "created"]
    assert [each["arn"].partition(":rule/")[2] for each in created] == [name, f"{bus}/{name}"]
    assert not account.run("eventbridge_rules", rules=[there])["changed"]
    deleted = account.run("eventbridge_rules", rules=[{"name": name, "event_bus_name": bus}], state="absent")
    assert deleted["mutations"] == ["events:RemoveTargets", "events:DeleteRule"]
    assert not account.run("eventbridge_rules", rules=[here])["changed"]


def test_what_is_listed_of_one_bus_is_not_taken_for_another(account: Account) -> None:
    bus, name = unique("bus"), unique("rule")
    account.root("events").create_event_bus(Name=bus)
    here = [{"name": f"{name}-{number}", "event_pattern": PATTERN} for number in range(3)]
    account.run("eventbridge_rules", rules=here)
    # The names that are looked for here begin as that of the other, which is here, too.
    both = [{**here[2], "event_bus_name": bus}, *here[:2]]

    result = account.run("eventbridge_rules", rules=both)

    actions = {name: each["action"] for name, each in result["resources"].items()}
    assert actions == {f"{name}-2": "created", f"{name}-0": "unchanged", f"{name}-1": "unchanged"}


def test_a_bus_that_is_not_there(account: Account) -> None:
    item = {"name": "x", "event_bus_name": "none", "event_pattern": PATTERN}

    assert not account.run("eventbridge_rules", rules=[item], state="absent")["changed"]
    with pytest.raises(ModuleFailed, match="Event bus none does not exist"):
        account.run("eventbridge_rules", rules=[item])


def test_only_targets_that_differ_are_written(account: Account) -> None:
    name = unique("rule")
    item = {"name": name, "event_pattern": PATTERN, "targets": [target(each, input={"a": 1}) for each in "abc"]}
    account.run("eventbridge_rules", rules=[item])
    events = account.client("events")
    # Spelled otherwise, and the same.
    events.put_targets(Rule=name, Targets=[{"Id": "c", "Arn": target("c")["arn"], "Input": '{ "a": 1 }'}])

    assert not account.run("eventbridge_rules", rules=[item])["changed"]
    changed = {**item, "targets": [target("c", input='{"a":1}'), target("b"), target("d")]}
    assert account.run("eventbridge_rules", rules=[changed])["mutations"] == [
        "events:PutTargets",
        "events:RemoveTargets",
    ]
    left = {each["Id"]: each.get("Input") for each in events.list_targets_by_rule(Rule=name)["Targets"]}
    assert left == {"b": None, "c": '{ "a": 1 }', "d": None}


def test_a_pattern_and_a_schedule_take_each_others_place(account: Account) -> None:
    name = unique("rule")
    account.run("eventbridge_rules", rules=[{"name": name, "event_pattern": PATTERN}])

    changed = account.run("eventbridge_rules", rules=[{"name": name, "schedule_expression": "rate(1 day)"}])

    assert changed["diff"][0]["after"] == {"event_pattern": None, "schedule_expression": "rate(1 day)"}
    assert "EventPattern" not in account.client("events").describe_rule(Name=name)
    with pytest.raises(ModuleFailed, match=r"rules\[0\].event_pattern: it, or schedule_expression, must be given"):
        account.run("eventbridge_rules", rules=[{"name": name, "schedule_expression": ""}])


def test_a_rule_that_watches_all_of_cloudtrail_stays_so(account: Account) -> None:
    name, events = unique("rule"), account.client("events")
    every = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    events.put_rule(Name=name, EventPattern=json.dumps(PATTERN), State=every)

    assert not account.run("eventbridge_rules", rules=[{"name": name, "enabled": True}])["changed"]
    changed = account.run("eventbridge_rules", rules=[{"name": name, "description": "x"}])

    assert changed["resources"][name]["state"] == every
    assert events.describe_rule(Name=name)["State"] == every
    account.run("eventbridge_rules", rules=[{"name": name, "all_management_events": False}])
    assert events.describe_rule(Name=name)["State"] == "ENABLED"
    events.disable_rule(Name=name)
    account.run("eventbridge_rules", rules=[{"name": name, "all_management_events": True}])
    assert events.describe_rule(Name=name)["State"] == every


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": "a b"}, "rules[0].name"),
        ({"name": "x" * 65}, "rules[0].name"),
        ({"event_pattern": PATTERN, "schedule_expression": "rate(1 day)"}, "rules[0].schedule_expression"),
        ({"all_management_events": True, "enabled": False}, "rules[0].all_management_events"),
        ({"targets": [target(each) for each in "abcdef"]}, "rules[0].targets: they are 6"),
        ({"targets": [target("a"), target("a")]}, "rules[0].targets[1].id"),
        ({"targets": [target("a b")]}, "rules[0].targets[0].id"),
        ({"targets": [target("a", arn="topic")]}, "rules[0].targets[0].arn"),
        ({"targets": [target("a", input="x", input_path="$.x")]}, "rules[0].targets[0].input_path"),
        ({"targets": [target("a", input="x")]}, "rules[0].targets[0].input: it is no JSON"),
        (
            {"targets": [target("a", maximum_retry_attempts=186)]},
            "rules[0].targets[0].maximum_retry_attempts: 186 is not between 0 and 185",
        ),
        ({"targets": [target("a", maximum_event_age_in_seconds=59)]}, "targets[0].maximum_event_age_in_seconds"),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, options: dict[str, Any], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("eventbridge_rules", rules=[{"name": "x", **options}])

    assert path in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result


def test_a_new_rule_needs_a_pattern_or_a_schedule(account: Account) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("eventbridge_rules", check=True, rules=[{"name": unique("rule")}])

    assert "rules[0].event_pattern: it, or schedule_expression, must be given" in failure.value.result["msg"]


def test_check_mode_gives_an_arn_to_refer_to(account: Account) -> None:
    item = {"name": "none", "event_pattern": PATTERN, "enabled": False}

    facts = account.run("eventbridge_rules", check=True, rules=[item])["resources"]["none"]

    assert facts == {"action": "created", "arn": f"arn:aws:events:{REGION}:{'0' * 12}:rule/none", "state": "DISABLED"}
    assert ACCOUNT not in facts["arn"]
