# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told is checked before anything is called: the key, the value, what is allowed; and no secret is shown."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import spec
from ansible_collections.gitops.aws.plugins.module_utils._notices import settings as notices
from ansible_collections.gitops.aws.plugins.module_utils._notices.model import EVENTS

REGION = "eu-central-1"
QUEUE = "arn:aws:sqs:eu-central-1:111122223333:listeners"
WORKFLOW = "https://prod-1.logic.azure.com:443/workflows/ab/triggers/manual/paths/invoke?api-version=1&sp=%2Frun"
HOOK = {"name": "hook", "webhook": {"url": "https://example.com/hook"}}
CHAT = {"name": "chat", "chatbot": {"team_id": "T0123ABCD", "channel_id": "C0123ABCD"}}


def check(
    notifications: Any, *of_stacks: Any, **settings: Any
) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    """The estate with stacks s0, s1, ... that have these notifications."""
    given = {"region": REGION, "connection": "github", "installers": ["role/x"], "notifications": notifications}
    stacks = [
        {"name": f"s{n}", "repository": "acme/infrastructure", "path": f"s{n}", "notifications": one}
        for n, one in enumerate(of_stacks)
    ]
    return spec.check({**given, **settings}, stacks, [REGION])


def problems(notifications: Any, *of_stacks: Any, **settings: Any) -> list[str]:
    return check(notifications, *of_stacks, **settings)[2]


def of_recipient(**recipient: Any) -> list[str]:
    """What is wrong with one recipient, without the beginning of the path."""
    path = "settings.notifications.recipients[0]"
    found = problems({"recipients": [recipient]})
    assert all(one.startswith(path) for one in found), found
    return [one[len(path) :] for one in found]


def test_without_the_settings_nobody_is_told() -> None:
    settings, stacks, found = check(None, None, {"events": []})

    assert found == []
    assert settings["notifications"] is None
    assert [stack["notifications"] for stack in stacks] == [None, {"events": [], "recipients": []}]


def test_defaults_are_filled_in() -> None:
    recipients = [
        {"email": "a@example.com"},
        {"name": "ops", "slack": {"channel": "#ops"}},
        {"name": "hook", "webhook": {"url": "https://example.com"}, "events": ["failed"]},
    ]
    settings, _stacks, found = check({"recipients": recipients})

    assert found == []
    made = settings["notifications"]
    assert (made["lock_minutes"], made["kms_key_id"], made["templates"], made["aws_rules"]) == (60, None, {}, False)
    email, slack, hook = made["recipients"]
    assert (email["email"], email["name"], email["events"]) == ("a@example.com", None, list(EVENTS))
    assert slack["slack"] == {"channel": "#ops", "url": "https://slack.com/api/chat.postMessage"}
    assert hook["webhook"] == {"url": "https://example.com", "header": "Authorization"}
    assert hook["events"] == ["failed"]


def test_what_was_checked_can_be_checked_again() -> None:
    recipients = [{"email": "a@example.com"}, {"name": "team", "teams": {"url": WORKFLOW}}, CHAT, {"sqs": QUEUE}]
    once = check({"recipients": recipients}, {"events": ["failed"], "recipients": [HOOK]})
    again = spec.check(once[0], once[1], [REGION])

    assert once[2] == again[2] == []
    assert again[0] == once[0]
    assert again[1] == once[1]


@pytest.mark.parametrize(
    ("recipient", "says"),
    [
        ({}, ": has no address; allowed is exactly one of email, sqs, https, slack, teams, webhook, chatbot"),
        ({"email": "a@example.com", "sqs": QUEUE}, ": has email and sqs; allowed is exactly one of"),
        ({"email": "nobody"}, ".email: 'nobody' is not allowed; allowed is an e-mail address"),
        ({"emial": "a@example.com"}, ".emial: unknown key; did you mean email? Allowed are: chatbot, email,"),
        ({"sqs": "listeners"}, ".sqs: 'listeners' is not allowed; allowed is the ARN of a queue"),
        ({"sqs": f"{QUEUE}.fifo"}, f".sqs: '{QUEUE}.fifo' is not allowed; allowed is the ARN of a queue"),
        ({"https": "http://example.com"}, ".https: 'http://example.com' is not allowed; allowed is an address that"),
        ({"https": "https://me:secret@example.com"}, ".https: 'https://me:secret@example.com' is not allowed"),
        ({"https": f"https://example.com/{'x' * 2048}"}, ".https: has 2068 characters; at most 2048 are allowed"),
        ({"slack": {"channel": "#ops"}}, ".name: must be given, because names of AWS resources are made of it"),
        ({"name": "Ops", "slack": {"channel": "#ops"}}, ".name: 'Ops' is not allowed; allowed is a-z, 0-9 and single"),
        ({"name": "ops", "slack": {}}, ".slack.channel: must be given, a text"),
        ({"name": "ops", "slack": {"channel": "#<ops>"}}, ".slack.channel: '#<ops>' is not allowed; allowed is a chan"),
        ({"name": "ops", "slack": {"channel": "#o", "url": "http://x"}}, ".slack.url: 'http://x' is not allowed"),
        ({"name": "ops", "slack": {"chanel": "#o"}}, ".slack.chanel: unknown key; did you mean channel?"),
        ({"name": "ops", "slack": "#ops"}, ".slack: '#ops' is not allowed; allowed is a dictionary"),
        ({"name": "t", "teams": {"url": "http://x"}}, ".teams.url: 'http://x' is not allowed"),
        ({"name": "h", "webhook": {"url": "https://x/*"}}, ".webhook.url: 'https://x/*' is not allowed"),
        ({"name": "h", "webhook": {"url": "https://x", "header": "A B"}}, ".webhook.header: 'A B' is not allowed"),
        ({"name": "c", "chatbot": {"team_id": "ops", "channel_id": "C1"}}, ".chatbot.team_id: 'ops' is not allowed"),
        ({"name": "c", "chatbot": {"team_id": "T1", "channel_id": "#o"}}, ".chatbot.channel_id: '#o' is not allowed"),
        ({"email": "a@example.com", "events": ["fail"]}, ".events: ['fail'] is not allowed; allowed is a list of succ"),
        ({"name": "x" * 47, "slack": {"channel": "#ops"}}, f".name: '{'x' * 47}' has 47 characters; at most 46 are"),
    ],
)
def test_a_recipient_that_is_wrong(recipient: dict[str, Any], says: str) -> None:
    assert any(one.startswith(says) for one in of_recipient(**recipient)), of_recipient(**recipient)


def test_the_secret_of_a_workflow_does_not_stand_in_the_settings() -> None:
    (found,) = of_recipient(name="team", teams={"url": f"{WORKFLOW}&sig=abc"})

    assert found.startswith(".teams.url: has a sig, which is a secret. Leave it out here, and give its value in ")
    assert "abc" not in found


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"lock_minutes": 5}, "lock_minutes: 5 is not between 15 and 10080"),
        ({"kms_key_id": "alias/mine"}, "kms_key_id: 'alias/mine' is not allowed; allowed is the full ARN of a key"),
        (
            {"kms_key_id": "arn:aws:kms:eu-west-1:111122223333:key/1"},
            "kms_key_id: the key is in eu-west-1; it must be in eu-central-1",
        ),
        ({"recipient": []}, "recipient: unknown key; did you mean recipients?"),
        ({"aws_rules": "perhaps"}, "aws_rules: 'perhaps' is not allowed; allowed is true or false"),
        ({"templates": {"fialed": {"title": "x"}}}, "templates.fialed: unknown event, is failed meant?"),
    ],
)
def test_settings_that_are_wrong(values: dict[str, Any], says: str) -> None:
    assert [one for one in problems(values) if one.startswith(f"settings.notifications.{says}")], problems(values)


def test_stacks_that_are_wrong() -> None:
    path = "stacks[0] (s0).notifications"

    assert problems({}, {"recipients": [{"email": "x"}]}) == [
        f"{path}.recipients[0].email: 'x' is not allowed; allowed is an e-mail address"
    ]
    assert problems(None, {"recipients": [HOOK]}) == [
        f"{path}.recipients: is of no use without settings.notifications; {{}} there is enough"
    ]
    (found,) = problems({}, {"lock_minutes": 5})
    assert found == f"{path}.lock_minutes: unknown key. Allowed are: events, recipients"


def test_names_differ() -> None:
    first, second = "settings.notifications.recipients[0]", "stacks[0] (s0).notifications.recipients[0]"

    assert problems({"recipients": [HOOK]}, {"recipients": [HOOK]}) == [
        f"{second}.name: 'hook' is also the name of {first}; names must differ"
    ]
    assert problems({}, {"recipients": [HOOK]}, {"recipients": [{"email": "a@example.com", "name": "hook"}]})
    # An address is subscribed once, whoever names it, and may have its name everywhere.
    named = {"email": "a@example.com", "name": "team"}
    assert problems({"recipients": [named]}, {"recipients": [named]}, {"recipients": [named]}) == []


def test_an_address_stands_once_in_a_list() -> None:
    (found,) = problems({"recipients": [{"email": "a@example.com"}, {"email": "a@example.com", "events": []}]})

    assert found == "settings.notifications.recipients[1].email: 'a@example.com' is also recipients[0]; it is told once"


def test_what_sns_takes_as_a_filter() -> None:
    own = {"recipients": [{"sqs": QUEUE, "events": list(EVENTS)}]}

    assert problems({}, *[own] * 24) == []
    (found,) = problems({}, *[own] * 25)
    assert found.startswith(f"stacks: sqs {QUEUE} is named by so many stacks that its filter has 151 combinations, and")
    assert problems({"recipients": own["recipients"]}, *[own] * 25) == []


def test_how_many_filters_a_topic_takes() -> None:
    def many(count: int, **more: Any) -> list[str]:
        return problems({"recipients": [{"email": f"p{n}@example.com", **more} for n in range(count)]})

    assert many(300) == []
    assert many(200, events=["failed"]) == []
    (found,) = many(201, events=["failed"])
    assert found.startswith("stacks: 201 subscriptions need a filter, and SNS takes 200 for a topic. Fix: ")


# Secrets


def of_secrets(secrets: Any) -> list[str]:
    recipients = [HOOK, {"name": "ops", "slack": {"channel": "#ops"}}, {"name": "mail", "email": "a@example.com"}]
    settings, stacks, found = check({"recipients": recipients}, {"recipients": [CHAT]})
    assert found == []
    return notices.check_secrets(secrets, settings, stacks)


def test_secrets_that_are_right() -> None:
    assert of_secrets({}) == []
    assert of_secrets({"hook": "Bearer abc", "ops": "xoxb-1"}) == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("hok", "canary", "there is no such recipient; did you mean hook? Allowed are: hook, ops"),
        ("mail", "canary", "a recipient by email takes no secret. Allowed are: hook, ops"),
        ("chat", "canary", "a recipient by chatbot takes no secret. Allowed are: hook, ops"),
        ("hook", "canary\nX-Other: 1", "must be a text of one line, and not empty"),
        ("hook", ["canary"], "must be a text of one line, and not empty"),
        ("hook", " ", "must be a text of one line, and not empty"),
        ("ops", "Bearer canary", "begins with Bearer, which is added; give the token alone"),
    ],
)
def test_secrets_that_are_wrong(name: str, value: Any, says: str) -> None:
    (found,) = of_secrets({name: value})

    assert found == f"gitops_notification_secrets.{name}: {says}"
    assert "canary" not in found


@pytest.mark.parametrize(
    ("secret", "where"),
    [
        ("mple.com/hook", ["settings.notifications"]),  # a token that was left in an address
        ("acme", ["stacks[0].repository"]),
        ("github", ["settings.connection"]),
        ("1008", ["stacks[0].approval_timeout_in_minutes"]),  # Ansible hides numbers, too
    ],
)
def test_a_secret_that_stands_in_the_settings_would_be_hidden_there(secret: str, where: list[str]) -> None:
    found = of_secrets({"hook": secret})

    starts = [f"gitops_notification_secrets.hook: its value stands in {path}, too, and Ansible would" for path in where]
    assert [one[: len(start)] for one, start in zip(found, starts, strict=True)] == starts
    assert not [one for one in found if secret in one]


def test_secrets_are_a_dictionary() -> None:
    (found,) = of_secrets("canary")

    assert found == "gitops_notification_secrets: must be a dictionary of secrets by the names of recipients"


def test_secrets_may_stay_while_nobody_is_told() -> None:
    settings, stacks, found = check(None, None)

    assert found == []
    assert notices.check_secrets({"ops": "xoxb-canary"}, settings, stacks) == []
    (hidden,) = notices.check_secrets({"ops": "thub"}, settings, stacks)  # Ansible does not know that nobody is told
    assert "settings.connection" in hidden
