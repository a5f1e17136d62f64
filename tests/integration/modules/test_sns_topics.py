# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topics: subscriptions that wait for their reader, and what is asked of AWS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules.cases import queue
from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, unique

MAIL = {"protocol": "email", "endpoint": "somebody@example.com"}
OTHER = {"protocol": "email-json", "endpoint": "other@example.com"}


def subscribed(account: Account, name: str) -> list[str]:
    """The endpoints of a topic's subscriptions that AWS lists, each with what it says in the place of its ARN."""
    listed = account.client("sns").list_subscriptions_by_topic(TopicArn=arn_of(name))["Subscriptions"]
    return sorted(f"{each['Endpoint']} {each['SubscriptionArn'].partition(':')[0]}" for each in listed)


def arn_of(name: str) -> str:
    return f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"


def test_a_subscription_that_waits_counts_as_there(account: Account) -> None:
    name = unique("topic")
    item = {"name": name, "subscriptions": [MAIL | {"filter_policy": {"a": ["1"]}}, queue("a")]}

    created = account.run("sns_topics", topics=[item])
    again = account.run("sns_topics", topics=[item])

    facts = created["resources"][name]
    assert facts["subscriptions"][0] == {**MAIL, "arn": "pending"}
    assert facts["subscriptions"][1]["arn"].startswith(f"{arn_of(name)}:")
    assert not again["changed"]
    assert again["mutations"] == []
    assert again["resources"][name] == {**facts, "action": "unchanged"}
    assert subscribed(account, name) == [
        f"{queue('a')['endpoint']} arn",
        "somebody@example.com PendingConfirmation",
    ]


def test_subscriptions_of_others_stay_where_they_are_not_purged(account: Account) -> None:
    name, sns = unique("topic"), account.client("sns")
    item = {"name": name, "subscriptions": [MAIL], "purge_subscriptions": False}
    topic = account.run("sns_topics", topics=[item])["resources"][name]["arn"]
    queue = topic.replace(":sns:", ":sqs:")
    account.root("sqs").create_queue(QueueName=name)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)

    again = account.run("sns_topics", topics=[item])
    assert not again["changed"]
    assert "sns:GetSubscriptionAttributes" not in again["api_calls"]
    account.run("sns_topics", topics=[{**item, "purge_subscriptions": True}])
    left = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [one["Protocol"] for one in left] == ["email"]


def test_one_that_waits_cannot_be_unsubscribed_and_is_told(account: Account) -> None:
    name = unique("topic")
    account.run("sns_topics", topics=[{"name": name, "subscriptions": [MAIL, queue("a"), queue("b")]}])

    changed = account.run("sns_topics", topics=[{"name": name, "subscriptions": [OTHER, queue("a")]}])
    again = account.run("sns_topics", topics=[{"name": name, "subscriptions": [OTHER, queue("a")]}])

    assert changed["mutations"] == ["sns:Subscribe", "sns:Unsubscribe"]
    for result in (changed, again):
        facts = result["resources"][name]
        assert facts["unwanted_pending"] == [MAIL]
        assert [each["endpoint"] for each in facts["subscriptions"]] == [OTHER["endpoint"], queue("a")["endpoint"]]
    assert not again["changed"], again["diff"]
    assert account.run("sns_topics", topics=[{"name": name}], state="absent")["changed"]


def test_reads_are_as_few_as_aws_allows(account: Account) -> None:
    names = [unique("topic") for _ in range(3)]
    topics = [{"name": name, "display_name": "x"} for name in names]
    account.run("sns_topics", topics=topics)

    assert account.run("sns_topics", topics=topics)["api_calls"] == {
        "sns:GetTopicAttributes": 3,
        "sts:GetCallerIdentity": 1,
    }


def test_check_mode_knows_the_arn(account: Account) -> None:
    result = account.run("sns_topics", check=True, topics=[{"name": "none"}])

    assert result["resources"]["none"] == {"action": "created", "arn": arn_of("none")}


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": "x.fifo"}, "topics[0].name"),
        ({"name": "a b"}, "topics[0].name"),
        ({"policy": {}}, "topics[0].policy"),
        ({"display_name": "x" * 101}, "topics[0].display_name"),
        ({"subscriptions": [MAIL, MAIL]}, "topics[0].subscriptions[1]: it is also subscriptions[0]"),
        ({"subscriptions": [MAIL | {"endpoint": ""}]}, "topics[0].subscriptions[0].endpoint"),
        ({"subscriptions": [{"protocol": "sqs", "endpoint": "queue"}]}, "topics[0].subscriptions[0].endpoint"),
        ({"subscriptions": [{"protocol": "https", "endpoint": "http://x"}]}, "topics[0].subscriptions[0].endpoint"),
        ({"subscriptions": [MAIL | {"raw_message_delivery": True}]}, "topics[0].subscriptions[0].raw_message_delivery"),
        ({"subscriptions": [queue("a", filter_policy_scope="MessageBody")]}, "subscriptions[0].filter_policy_scope"),
        ({"subscriptions": [{"protocol": "sms", "endpoint": "+1"}]}, "topics[0].subscriptions[0].protocol"),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, options: dict[str, Any], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("sns_topics", topics=[{"name": "x", **options}])

    assert path in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result


def test_a_password_in_an_endpoint_is_not_shown(account: Account) -> None:
    endpoint = {"protocol": "https", "endpoint": "https://user:canary@example.com/"}

    with pytest.raises(ModuleFailed) as failure:
        account.run("sns_topics", topics=[{"name": "x", "subscriptions": [endpoint]}])

    assert "topics[0].subscriptions[0].endpoint: a user or password" in failure.value.result["msg"]
    assert "canary" not in str(failure.value.result)
