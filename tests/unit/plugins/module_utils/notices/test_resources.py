# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells people, as plain data: who hears what, by which address, with which rights, and what must go."""

from __future__ import annotations

import fnmatch
import json
from typing import Any

import jsonata  # type: ignore[import-untyped]
import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import (
    break_glass,
    drift,
    guardrails,
    names,
    organisation,
    spec,
)
from ansible_collections.gitops.aws.plugins.module_utils._notices import resources, texts
from ansible_collections.gitops.aws.plugins.module_utils._notices.model import EVENTS
from tests.unit.plugins.module_utils.notices.facts import ACCOUNT, REGION

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:listeners"
UNDELIVERED = f"arn:aws:sqs:{REGION}:{ACCOUNT}:gitops-undelivered"
SLACK = {"name": "ops", "slack": {"channel": "#이름", "url": "https://example.com/slack"}}
TEAMS = {"name": "team", "teams": {"url": "https://example.com/workflows/1?api-version=1&sp=%2Frun"}}
HOOK = {"name": "hook", "webhook": {"url": "https://example.com/hook?x=1", "header": "X-Key"}}
CHAT = {"name": "chat", "chatbot": {"team_id": "T1", "channel_id": "C1"}}
ALL = [{"email": "a@example.com"}, {"sqs": QUEUE}, SLACK, TEAMS, HOOK, CHAT]

Json = dict[str, Any]


def estate(notifications: Json | None, *of_stacks: Json | None, **settings: Any) -> tuple[Json, list[Json]]:
    """What the estate shares, and checked stacks s0, s1, ... with these notifications."""
    given = {
        "region": REGION,
        "connection": "github",
        "installers": ["role/x"],
        "kms_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55",
        "notifications": notifications,
        **settings,
    }
    stacks = [
        {"name": f"s{n}", "repository": "acme/infrastructure", "path": f"s{n}", "notifications": one}
        for n, one in enumerate(of_stacks)
    ]
    checked, made, problems = spec.check(given, stacks, [REGION])
    assert problems == []
    return names.foundation_of(checked, ACCOUNT, "aws"), made


def subscriptions(shared: Json, stacks: list[Json], alarm_emails: list[str] | None = None) -> dict[str, Json]:
    """The subscriptions of the notices' topic, by address."""
    topic = resources.notices(shared, stacks, alarm_emails or [])["topics"][0]
    assert topic["name"] == "gitops-notices"
    assert len({one["endpoint"] for one in topic["subscriptions"]}) == len(topic["subscriptions"])
    return {one["endpoint"]: one for one in topic["subscriptions"]}


def rules(shared: Json, stacks: list[Json]) -> dict[str, Json]:
    """The rules, by what comes after `gitops-notices-`."""
    made = resources.notices(shared, stacks, [])["api_destinations"]
    arns = {one["name"]: f"arn:aws:events:{REGION}:{ACCOUNT}:api-destination/{one['name']}/1f0b" for one in made}
    return {one["name"].removeprefix("gitops-notices-"): one for one in resources.notices_rules(shared, stacks, arns)}


def meets(policy: Json, event: str, stack: str) -> bool:
    """Whether a notice meets a filter policy, or the part about `detail` of a pattern."""
    told = {"event": event, "stack": stack, "estate": "gitops"}
    return all(
        any(meets(one, event, stack) for one in value) if key == "$or" else told[key] in value
        for key, value in policy.items()
    )


def heard(policy: Json) -> set[tuple[str, str]]:
    """Events and stacks of which somebody with this filter hears; `-` stands for the estate itself."""
    return {
        (event, stack)
        for event in (*EVENTS, "test")
        for stack in ("-", "s0", "s1", "s2")
        if meets(policy, event, stack if stack != "-" else "")
    }


EVERYTHING = heard({})
TESTS = {("test", stack) for stack in ("-", "s0", "s1", "s2")}


# Who hears what


def test_nothing_without_the_settings() -> None:
    shared, stacks = estate(None, None)

    assert not any(resources.notices(shared, stacks, []).values())
    assert resources.notices_rules(shared, stacks, {}) == []
    assert resources.notices_connections(shared, stacks, {}) == []


@pytest.mark.parametrize(
    ("everywhere", "of_stacks", "expected"),
    [
        (None, [["failed"]], TESTS | {("failed", "s0")}),
        (None, [["failed"], ["failed"], ["drift"]], TESTS | {("failed", "s0"), ("failed", "s1"), ("drift", "s2")}),
        (["lock"], [], TESTS | {("lock", stack) for stack in ("-", "s0", "s1", "s2")}),
        (["lock"], [["lock", "failed"]], TESTS | {("lock", s) for s in ("-", "s0", "s1", "s2")} | {("failed", "s0")}),
        (list(EVENTS), [["failed"]], EVERYTHING),
        ([], [], TESTS),
        (None, [[]], TESTS),
    ],
)
def test_an_address_is_subscribed_once_and_hears_what_those_want_that_name_it(
    everywhere: list[str] | None, of_stacks: list[list[str]], expected: set[tuple[str, str]]
) -> None:
    recipients = [] if everywhere is None else [{"sqs": QUEUE, "events": everywhere}]
    shared, stacks = estate(
        {"recipients": recipients}, *({"recipients": [{"sqs": QUEUE, "events": one}]} for one in of_stacks)
    )
    (subscription,) = subscriptions(shared, stacks).values()

    assert heard(subscription.get("filter_policy", {})) == expected
    assert subscription["raw_message_delivery"] is True
    assert subscription["redrive_policy_target"] == UNDELIVERED


def test_a_filter_says_nothing_twice() -> None:
    own = {"recipients": [{"sqs": QUEUE, "events": ["lock", "failed"]}]}
    (found,) = subscriptions(*estate({"recipients": [{"sqs": QUEUE, "events": ["lock"]}]}, own)).values()

    assert found["filter_policy"] == {"$or": [{"event": ["lock", "test"]}, {"event": ["failed"], "stack": ["s0"]}]}


@pytest.mark.parametrize("sealed", [True, False])
def test_who_the_alarm_tells_is_not_told_of_break_glass_twice(sealed: bool) -> None:
    shared, stacks = estate({"recipients": [{"email": "a@example.com"}, {"email": "b@example.com"}]}, sealed=sealed)
    found = subscriptions(shared, stacks, ["a@example.com"])

    of_alarmed = heard(found["a@example.com"].get("filter_policy", {}))
    assert of_alarmed == ({one for one in EVERYTHING if one[0] != "break_glass"} if sealed else EVERYTHING)
    assert "filter_policy" not in found["b@example.com"]
    assert "raw_message_delivery" not in found["b@example.com"]


def test_rules_deliver_what_recipients_want() -> None:
    shared, stacks = estate(
        {"recipients": [{**SLACK, "events": ["failed"]}]}, {"recipients": [{**HOOK, "events": ["drift", "failed"]}]}
    )
    made = rules(shared, stacks)

    def of(name: str) -> set[tuple[str, str]]:
        pattern = made[f"to-{name}"]["event_pattern"]
        assert (pattern["source"], pattern["detail-type"]) == (["gitops.aws"], ["Notice"])
        assert (pattern["account"], pattern["region"]) == ([ACCOUNT], [REGION])
        assert pattern["detail"]["estate"] == ["gitops"]
        return heard(pattern["detail"])

    assert of("ops") == TESTS | {("failed", stack) for stack in ("-", "s0", "s1", "s2")}
    assert of("hook") == TESTS | {("drift", "s0"), ("failed", "s0")}


def test_nobody_looks_at_locks_whom_nobody_asks_to() -> None:
    assert "locks" not in rules(*estate({"recipients": [{**SLACK, "events": ["failed"]}]}))
    looks = rules(*estate({"recipients": [SLACK]}))["locks"]
    assert looks["schedule_expression"] == "cron(0/15 * * * ? *)"
    assert "locks" in rules(*estate({}, {"recipients": [{"sqs": QUEUE, "events": ["lock"]}]}))


def test_whoever_subscribes_is_told_where_nobody_is_named() -> None:
    def of(*given: Json | None) -> tuple[bool, set[str]]:
        shared, stacks = estate(*given)
        topic = resources.notices(shared, stacks, [])["topics"][0]
        return topic["purge_subscriptions"], set(rules(shared, stacks))

    assert of({}) == (False, {"runs", "approvals", "break-glass", "locks", "undelivered"})
    assert of({}, None) == of({})
    assert of({}, {"recipients": [CHAT]})[0]
    assert of({"recipients": [{**SLACK, "events": ["failed"]}]})[0]
    # Of nothing that is told here anybody would look at locks.
    assert "locks" not in of({"recipients": [{**SLACK, "events": ["failed"]}]}, {"events": ["lock"]})[1]


def test_what_happens_elsewhere_is_not_ours() -> None:
    made = rules(*estate({"recipients": ALL}))
    patterns = {name: rule["event_pattern"] for name, rule in made.items() if "event_pattern" in rule}

    assert {"runs", "approvals", "undelivered", "break-glass", "to-ops"} < set(patterns)
    assert all(pattern["account"] == [ACCOUNT] for pattern in patterns.values())
    # Who is refused in another region has tried all the same.
    assert [name for name, pattern in patterns.items() if pattern.get("region") != [REGION]] == ["break-glass"]


def test_break_glass_is_heard_where_there_is_such_a_role() -> None:
    assert "break-glass" in rules(*estate({}))
    assert "break-glass" not in rules(*estate({}, sealed=False))


# What they get


def test_each_recipient_gets_the_body_of_its_kind_as_it_is() -> None:
    shared, stacks = estate({"recipients": ALL})
    made = rules(shared, stacks)
    paths = {name: rule["targets"][0]["input_path"] for name, rule in made.items() if name.startswith("to-")}

    assert paths == {
        "to-ops": "$.detail.bodies.slack",
        "to-team": "$.detail.bodies.teams",
        "to-hook": "$.detail.bodies.webhook",
        "to-chat": "$.detail.bodies.chatbot",
    }


def test_teams_sees_no_link_with_a_hidden_address_and_keeps_lines() -> None:
    text = jsonata.Jsonata(texts.for_teams("said")).evaluate({"said": 'see [here](https://evil) \\[x\n"이름"'})

    assert text == 'see \\[here](https://evil) \\\\\\[x\n\n"이름"'


def test_connections_carry_the_secrets_and_nothing_else_does() -> None:
    shared, stacks = estate({"recipients": ALL})
    secrets = {"ops": "xoxb-1", "team": "a%2Fb", "hook": "k"}
    made = {one["name"]: one for one in resources.notices_connections(shared, stacks, secrets)}

    assert made["gitops-ops"]["api_key"] == {"name": "Authorization", "value": "Bearer xoxb-1"}
    assert made["gitops-ops"]["invocation_http_parameters"] == {
        "body_parameters": [{"key": "channel", "value": "#이름", "is_value_secret": False}]
    }
    assert made["gitops-hook"]["api_key"] == {"name": "X-Key", "value": "k"}
    assert made["gitops-team"]["invocation_http_parameters"]["query_string_parameters"] == [
        {"key": "api-version", "value": "1", "is_value_secret": False},
        {"key": "sp", "value": "/run", "is_value_secret": False},
        {"key": "sig", "value": "a/b", "is_value_secret": True},
    ]
    others = json.dumps([resources.notices(shared, stacks, []), rules(shared, stacks)])
    assert not [secret for secret in ("xoxb-1", "a%2Fb", "a/b") if secret in others]


def test_a_secret_that_is_not_given_stays() -> None:
    shared, stacks = estate({"recipients": ALL})
    made = {one["name"]: one for one in resources.notices_connections(shared, stacks, {})}

    assert made["gitops-ops"]["api_key"] == {"name": "Authorization"}
    assert made["gitops-team"]["api_key"] == {"name": "X-Gitops-Aws"}
    assert made["gitops-team"]["invocation_http_parameters"]["query_string_parameters"][-1]["value"] == "(hidden)"


def test_addresses() -> None:
    shared, stacks = estate({"recipients": ALL})
    made = {one["name"]: one for one in resources.notices(shared, stacks, [])["api_destinations"]}

    assert {name: one["invocation_endpoint"] for name, one in made.items()} == {
        "gitops-ops": "https://example.com/slack",
        "gitops-team": "https://example.com/workflows/1",
        "gitops-hook": "https://example.com/hook?x=1",
    }
    assert all(one["connection"] == name for name, one in made.items())


def test_what_cannot_be_delivered_goes_to_the_queue() -> None:
    made = rules(*estate({"recipients": ALL}))

    for name, rule in made.items():
        (target,) = rule["targets"]
        if name == "undelivered":
            assert target["arn"] == UNDELIVERED
        else:
            assert (target["dead_letter_arn"], target["maximum_event_age_in_seconds"]) == (UNDELIVERED, 3600)


# Rights


def test_only_services_of_the_account_put_something_into_the_queue() -> None:
    shared, stacks = estate({})
    (queue,) = resources.notices(shared, stacks, [])["queues"]

    for statement in queue["policy"]["Statement"]:
        assert statement["Action"] == "sqs:SendMessage"
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
        assert len(statement["Condition"]) == 2
    assert queue["sqs_managed_sse_enabled"] is True


def test_only_the_state_machine_publishes() -> None:
    shared, stacks = estate({})
    topic = resources.notices(shared, stacks, [])["topics"][0]
    machine = {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/gitops-notices"}

    assert [(one["Effect"], one["Condition"]) for one in topic["policy"]["Statement"]] == [
        ("Allow", {"ArnEquals": machine}),
        ("Deny", {"ArnNotEquals": machine}),
    ]
    assert topic["kms_key_id"] == "alias/aws/sns"
    key = shared["kms_key_arn"]
    of_key, _stacks = estate({"kms_key_id": key})
    assert resources.notices(of_key, [], [])["topics"][0]["kms_key_id"] == key


@pytest.mark.parametrize(
    ("sealed", "notifications", "services"),
    [
        (True, None, ["events"]),
        (True, {}, ["events", "cloudwatch"]),
        (False, {}, ["cloudwatch"]),
    ],
)
def test_who_publishes_alarms(sealed: bool, notifications: Json | None, services: list[str]) -> None:
    shared, _stacks = estate(notifications, sealed=sealed)
    (topic,) = break_glass.alarm_topics(shared, [])
    *statements, denied = topic["policy"]["Statement"]

    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:PrincipalIsAWSService": "false"}})
    assert [one["Principal"]["Service"].removesuffix(".amazonaws.com") for one in statements] == services
    if "cloudwatch" in services:
        alarm = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:gitops-undelivered"
        condition = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnEquals": {"aws:SourceArn": alarm}}
        assert statements[-1]["Condition"] == condition


def test_no_alarms_without_seal_and_notifications() -> None:
    assert break_glass.alarm_topics(estate(None, sealed=False)[0], []) == []


def test_from_a_chat_nobody_does_anything() -> None:
    shared, stacks = estate({"recipients": [CHAT]})
    made = resources.notices(shared, stacks, [])
    (role,) = [one for one in made["roles"] if one["name"].endswith("-chat")]

    assert role["inline_policies"] == {}
    assert role["managed_policies"] == []
    (channel,) = made["slack_channels"]
    assert channel["guardrail_policy_arns"] == ["arn:aws:iam::aws:policy/AWSDenyAll"]
    assert len(resources.notices(*estate({"recipients": [SLACK]}), [])["roles"]) == 2


def test_roles_are_bounded() -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/bounded"
    shared, stacks = estate({"recipients": ALL}, permissions_boundary=boundary)

    made = resources.notices(shared, stacks, [])["roles"]
    assert {one["permissions_boundary"] for one in made} == {boundary}


def covered(statements: list[Json], action: str, arn: str) -> bool:
    return any(
        fnmatch.fnmatchcase(action, one_action) and fnmatch.fnmatchcase(arn, resource)
        for one in statements
        if one["Effect"] == "Deny"
        for one_action in one["Action"]
        for resource in ([one["Resource"]] if isinstance(one["Resource"], str) else one["Resource"])
    )


@pytest.mark.parametrize("policy", [guardrails.seal_policy, guardrails.boundary_policy])
@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("states:UpdateStateMachine", "states:stateMachine:gitops-notices"),
        ("states:StartExecution", "states:stateMachine:gitops-notices"),
        ("states:StopExecution", "states:execution:gitops-notices:1"),
        ("states:RedriveExecution", "states:execution:gitops-notices:1"),
        ("sqs:PurgeQueue", "sqs:gitops-undelivered"),
        ("sqs:SetQueueAttributes", "sqs:gitops-undelivered"),
        ("sqs:DeleteMessage", "sqs:gitops-undelivered"),
        ("cloudwatch:DisableAlarmActions", "cloudwatch:alarm:gitops-undelivered"),
        ("cloudwatch:PutMetricAlarm", "cloudwatch:alarm:gitops-undelivered"),
        ("events:UpdateConnection", "events:connection/gitops-ops/1f0b"),
        ("events:DeleteApiDestination", "events:api-destination/gitops-ops/1f0b"),
        ("events:DisableRule", "events:rule/gitops-notices-runs"),
        ("sns:SetTopicAttributes", "sns:gitops-notices"),
        ("sns:Unsubscribe", "sns:gitops-notices:1f0b"),
        ("sns:DeleteTopic", "sns:gitops-chat-ops"),
        ("sns:Publish", "sns:gitops-chat-ops"),
        ("sns:Publish", "sns:gitops-aws-notices"),
        ("sns:PutDataProtectionPolicy", "sns:gitops-notices"),
        ("sns:Subscribe", "sns:gitops-notices"),
        ("sns:AddPermission", "sns:gitops-aws-notices"),
        ("secretsmanager:GetSecretValue", "secretsmanager:secret:events!connection/gitops-ops/1f0b-AbCdEf"),
        ("secretsmanager:PutResourcePolicy", "secretsmanager:secret:events!connection/gitops-ops/1f0b-AbCdEf"),
        ("secretsmanager:ReplicateSecretToRegions", "secretsmanager:secret:events!connection/gitops-ops/1f0b-AbCdEf"),
        ("secretsmanager:RotateSecret", "secretsmanager:secret:events!connection/gitops-ops/1f0b-AbCdEf"),
        ("events:PutEvents", "events:event-bus/default"),
    ],
)
def test_build_roles_touch_none_of_it(policy: Any, action: str, resource: str) -> None:
    service, _, rest = resource.partition(":")
    arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"

    assert covered(policy(*estate({"recipients": ALL}))["Statement"], action, arn)
    if action != "events:DisableRule":  # the alarm's rule has such a name, too
        assert not covered(policy(*estate(None))["Statement"], action, arn)


@pytest.mark.parametrize("policy", [guardrails.seal_policy, guardrails.boundary_policy])
@pytest.mark.parametrize("action", ["sns:Publish", "sns:Subscribe", "sns:SetTopicAttributes"])
def test_build_roles_have_topics_of_their_own_and_never_that_of_alarms(policy: Any, action: str) -> None:
    for notifications in (None, {"recipients": ALL}):
        statements = policy(*estate(notifications))["Statement"]
        assert covered(statements, action, f"arn:aws:sns:{REGION}:{ACCOUNT}:gitops-alarms")
        assert not covered(statements, action, f"arn:aws:sns:{REGION}:{ACCOUNT}:gitops-orders")


def test_an_organisation_refuses_what_is_forged() -> None:
    shared, stacks = estate({"recipients": ALL})
    made = organisation.service_control_policies(shared, stacks)
    statements = [one for text in made.values() for one in json.loads(text)["Statement"]]
    (forgery,) = [one for one in statements if "events:PutEvents" in one.get("Action", [])]

    assert forgery["Condition"]["StringEquals"] == {"events:source": "gitops.aws"}
    assert f"arn:aws:iam::{ACCOUNT}:role/gitops-*" in json.dumps(forgery["Condition"])  # the state machine may
    assert covered(statements, "sns:Publish", f"arn:aws:sns:{REGION}:{ACCOUNT}:gitops-chat-ops")
    without = organisation.service_control_policies(*estate(None)).values()
    assert not [text for text in without if "PutEvents" in text]


def test_builds_may_put_events_that_are_no_notices() -> None:
    (statement,) = [one for one in guardrails.seal_policy(*estate({}))["Statement"] if one["Sid"] == "Forgery"]

    assert statement["Condition"] == {"StringEquals": {"events:source": "gitops.aws"}}


def test_what_is_ours_is_no_finding() -> None:
    patterns = drift.protected_arns(*estate({"recipients": ALL}))

    for arn in (
        f"arn:aws:sns:{REGION}:{ACCOUNT}:gitops-notices",
        f"arn:aws:sns:{REGION}:{ACCOUNT}:gitops-chat-chat",
        UNDELIVERED,
        f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:gitops-undelivered",
        f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:gitops-notices",
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:events!connection/gitops-ops/1f0b-AbCdEf",
    ):
        assert any(fnmatch.fnmatchcase(arn, pattern) for pattern in patterns), arn


# AWS's own rules


def test_aws_s_own_rules_are_of_what_a_stack_has_not_opted_out_of() -> None:
    shared, stacks = estate({"aws_rules": True}, None, {"events": ["failed", "lock"]}, {"events": ["drift"]})
    made = resources.notices(shared, stacks, [])

    ids = {
        one["name"]: [each.rpartition("pipeline-")[2] for each in one["event_type_ids"]]
        for one in made["notification_rules"]
    }
    assert ids == {
        "gitops-s0": ["execution-succeeded", "execution-failed", "manual-approval-needed"],
        "gitops-s0-destroy": ["execution-succeeded", "execution-failed", "manual-approval-needed"],
        "gitops-s1": ["execution-failed"],
        "gitops-s1-destroy": ["execution-failed"],
    }
    topic = next(one for one in made["topics"] if one["name"] == "gitops-aws-notices")
    assert [one["Effect"] for one in topic["policy"]["Statement"]] == ["Allow", "Deny"]
    assert "subscriptions" not in topic
    assert "kms_key_id" not in topic


# What must go


def found(shared: Json, stacks: list[Json]) -> list[Json]:
    """The rules as they would be found."""
    return list(rules(shared, stacks).values())


def of_aws(shared: Json, stacks: list[Json]) -> list[Json]:
    """AWS's own rules as they would be found, and one of somebody else."""
    theirs = {"name": "gitops-theirs", "tags": {"gitops:estate": "other"}}
    ours = resources.notices(shared, stacks, [])["notification_rules"]
    return [*({**one, "tags": {**one["tags"], **names.owner_tags(shared)}} for one in ours), theirs]


def unwanted(
    shared: Json, stacks: list[Json], there: list[Json], there_of_aws: list[Json] | None = None
) -> dict[str, list[str]]:
    made = resources.notices_not_wanted(shared, stacks, there, there_of_aws or [])
    return {kind: [next(iter(one.values())) for one in items] for kind, items in made.items()}


def test_nothing_that_is_wanted_goes() -> None:
    shared, stacks = estate({"recipients": ALL, "aws_rules": True}, {"recipients": [{**HOOK, "name": "own"}]})

    assert not any(unwanted(shared, stacks, found(shared, stacks), of_aws(shared, stacks)).values())


def test_who_is_taken_away_goes_with_all_that_was_his() -> None:
    before = estate({"recipients": ALL}, {"recipients": [{**HOOK, "name": "own"}]})
    shared, stacks = estate({"recipients": ALL[:4]}, None)
    gone = unwanted(shared, stacks, found(*before))

    assert gone["rules"] == [f"gitops-notices-to-{name}" for name in ("hook", "chat", "own")]
    assert gone["api_destinations"] == gone["connections"] == ["gitops-hook", "gitops-own"]
    assert gone["slack_channels"] == ["gitops-chat"]
    assert gone["topics"] == ["gitops-chat-chat", "gitops-aws-notices"]
    assert gone["roles"] == ["gitops-notices-chat"]
    assert not gone["queues"] + gone["alarms"] + gone["state_machines"]


def test_of_another_kind_nothing_of_the_old_one_stays() -> None:
    before = estate({"recipients": [{**SLACK, "name": "same"}, {**CHAT, "name": "other"}]})
    shared, stacks = estate({"recipients": [{**CHAT, "name": "same"}, {**HOOK, "name": "other"}]})
    gone = unwanted(shared, stacks, found(*before))

    assert gone["api_destinations"] == gone["connections"] == ["gitops-same"]
    assert gone["slack_channels"] == ["gitops-other"]
    assert "gitops-chat-other" in gone["topics"]
    assert gone["rules"] == []


def test_turned_off_all_of_it_goes_and_nothing_else() -> None:
    before = estate({"recipients": ALL, "aws_rules": True}, None)
    shared, stacks = estate(None, None)
    gone = unwanted(shared, stacks, found(*before), of_aws(*before))
    parts = resources.notices(*before, [])

    keys = {"slack_channels": "configuration_name"}
    for kind, items in parts.items():
        assert set(gone[kind]) == {one[keys.get(kind, "name")] for one in items}, kind
    assert gone["rules"] == [one["name"] for one in found(*before)]
    assert gone["connections"] == ["gitops-ops", "gitops-team", "gitops-hook"]


def test_of_a_stack_that_is_no_more_aws_s_own_rules_go() -> None:
    before = estate({"aws_rules": True}, None, None)
    shared, stacks = estate({"aws_rules": True}, None)

    gone = unwanted(shared, stacks, found(*before), of_aws(*before))["notification_rules"]
    assert gone == ["gitops-s1", "gitops-s1-destroy"]
    all_gone = unwanted(*estate(None), found(*before), of_aws(*before))["notification_rules"]
    assert all_gone == ["gitops-s0", "gitops-s0-destroy", "gitops-s1", "gitops-s1-destroy"]


def test_what_a_run_made_that_was_broken_off_is_known_by_its_marks() -> None:
    before = estate({"recipients": [SLACK, CHAT]})
    marks = resources.notices_marks(*before, [])

    assert [one["name"] for one in marks] == [f"gitops-notices-{part}" for part in ("undelivered", "to-ops", "to-chat")]
    assert not any(one["enabled"] or one["targets"] for one in marks)
    assert all(one["event_pattern"] for one in marks)

    gone = unwanted(*estate({"recipients": [{**SLACK, "name": "renamed"}, {**HOOK, "name": "chat"}]}), marks)
    assert gone["connections"] == gone["api_destinations"] == ["gitops-ops"]
    assert gone["slack_channels"] == ["gitops-ops", "gitops-chat"]
    assert gone["rules"] == ["gitops-notices-to-ops"]
    off = unwanted(*estate(None), marks)
    assert off["connections"] == ["gitops-ops", "gitops-chat"]
    assert off["queues"] == ["gitops-undelivered"]


def test_what_is_marked_is_not_marked_again() -> None:
    shared, stacks = estate({"recipients": [SLACK, CHAT]})

    assert resources.notices_marks(shared, stacks, found(shared, stacks)) == []
    assert [
        one["name"] for one in resources.notices_marks(shared, stacks, found(*estate({"recipients": [SLACK]})))
    ] == ["gitops-notices-to-chat"]
    assert resources.notices_marks(*estate(None), []) == []


def test_a_connection_of_somebody_else_stays() -> None:
    """Of what has no tags only that counts as the estate's to which one of its rules leads."""
    shared, stacks = estate(None)
    there = [
        {"name": "gitops-notices-to-chat", "targets": [{"arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:gitops-chat-chat"}]}
    ]

    assert unwanted(shared, stacks, there)["connections"] == []
