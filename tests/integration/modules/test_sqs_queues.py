# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queues: what is asked of AWS, encryption, dead letters, and names that are not free yet."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils import _aws
from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, World, unique

OWNER = {"gitops:estate": "test"}


def arn_of(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def test_facts(account: Account) -> None:
    name = unique("queue")

    checked = account.run("sqs_queues", check=True, queues=[{"name": name}])["resources"][name]
    made = account.run("sqs_queues", queues=[{"name": name}])["resources"][name]
    again = account.run("sqs_queues", queues=[{"name": name}])["resources"][name]

    assert made == {"action": "created", "arn": arn_of(name), "url": made["url"]}
    assert made["url"] == account.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    assert again == {**made, "action": "unchanged"}
    assert checked == {
        "action": "created",
        "arn": arn_of(name).replace(ACCOUNT, "000000000000"),
        "url": made["url"].replace(ACCOUNT, "000000000000"),
    }


def test_reads_are_two_calls_for_each_queue(account: Account) -> None:
    queues = [{"name": unique("queue"), "delay_seconds": 5} for _ in range(3)]
    missing = {"name": unique("queue")}
    account.run("sqs_queues", queues=queues)

    assert account.run("sqs_queues", check=True, queues=[*queues, missing])["api_calls"] == {
        "sqs:GetQueueAttributes": 3,
        "sqs:GetQueueUrl": 4,
    }


def test_what_changes_is_one_call(account: Account) -> None:
    name = unique("queue")
    account.run("sqs_queues", queues=[{"name": name}])
    redrive = {"dead_letter_target_arn": arn_of(name), "max_receive_count": 2}

    changed = account.run("sqs_queues", queues=[{"name": name, "visibility_timeout": 1, "policy": {}, **redrive}])

    assert changed["mutations"] == ["sqs:SetQueueAttributes"]


def test_one_encryption_takes_the_place_of_the_other(account: Account, world: World) -> None:
    name = unique("queue")

    def encrypted(**options: Any) -> tuple[bool, Any, Any]:
        result = account.run("sqs_queues", queues=[{"name": name, **options}])
        (queue,) = result["queues"]
        assert not account.run("sqs_queues", queues=[{"name": name, **options}])["changed"]
        return result["changed"], queue.get("sqs_managed_sse_enabled"), queue.get("kms_master_key_id")

    assert encrypted(kms_master_key_id=world.key) == (True, False, world.key)
    assert encrypted(sqs_managed_sse_enabled=True) == (True, True, "")
    assert encrypted(kms_master_key_id=world.key) == (True, False, world.key)
    assert encrypted(kms_master_key_id="") == (True, False, "")


def test_an_equal_policy_is_left_alone(account: Account) -> None:
    name = unique("queue")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ACCOUNT},
        "Action": ["SQS:SendMessage", "sqs:ReceiveMessage"],
        "Resource": arn_of(name),
    }
    url = account.run("sqs_queues", queues=[{"name": name}])["resources"][name]["url"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def wanted(*actions: str) -> dict[str, Any]:
        same = {**statement, "Action": list(actions)}
        return {"name": name, "policy": {"Version": "2012-10-17", "Statement": [same]}}

    assert not account.run("sqs_queues", queues=[wanted("sqs:ReceiveMessage", "sqs:SendMessage")])["changed"]
    assert account.run("sqs_queues", queues=[wanted("sqs:SendMessage")])["changed"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"dead_letter_target_arn": arn_of("x")}, "max_receive_count: it must be given with dead_letter_target_arn"),
        ({"max_receive_count": 5}, "dead_letter_target_arn: it must be given with max_receive_count"),
    ],
)
def test_dead_letters_need_a_queue_and_a_count(account: Account, options: dict[str, Any], reason: str) -> None:
    name = unique("queue")
    account.run("sqs_queues", queues=[{"name": name}])

    for each in (name, unique("queue")):
        with pytest.raises(ModuleFailed, match=reason) as failure:
            account.run("sqs_queues", queues=[{"name": each, **options}])
        assert failure.value.result["mutations"] == []


def test_a_queue_of_somebody_else_s_is_left_alone(account: Account) -> None:
    name = unique("queue")
    account.root("sqs").create_queue(QueueName=name)

    for state in ("present", "absent"):
        with pytest.raises(ModuleFailed, match=rf"SQS queue {name}: it exists already and was made by something else"):
            account.run("sqs_queues", queues=[{"name": name, "delay_seconds": 9}], state=state, owner_tags=OWNER)
    assert account.client("sqs").get_queue_url(QueueName=name)


def test_the_name_of_a_deleted_queue_is_tried_again(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_aws, "PROPAGATION_TIMEOUT", 1)
    name = unique("queue")
    account.run("sqs_queues", queues=[{"name": name}])
    account.run("sqs_queues", queues=[{"name": name}], state="absent")

    with pytest.raises(ModuleFailed, match=r"QueueDeletedRecently: You must wait 60 seconds") as failure:
        account.run("sqs_queues", queues=[{"name": name}])

    assert failure.value.result["mutations"].count("sqs:CreateQueue") > 1


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": "x.fifo"}, "queues[0].name"),
        ({"name": "a b"}, "queues[0].name"),
        ({"visibility_timeout": 43201}, "queues[0].visibility_timeout"),
        ({"message_retention_period": 59}, "queues[0].message_retention_period"),
        ({"delay_seconds": -1}, "queues[0].delay_seconds"),
        ({"maximum_message_size": 1023}, "queues[0].maximum_message_size"),
        ({"max_receive_count": 1001}, "queues[0].max_receive_count: 1001 is not between 1 and 1000"),
        ({"dead_letter_target_arn": "dead", "max_receive_count": 1}, "queues[0].dead_letter_target_arn: 'dead'"),
        ({"dead_letter_target_arn": "", "max_receive_count": 1}, "queues[0].max_receive_count: it is given without"),
        ({"kms_master_key_id": "k", "sqs_managed_sse_enabled": True}, "queues[0].kms_master_key_id: it is given"),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, options: dict[str, Any], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("sqs_queues", queues=[{"name": "x", **options}])

    assert path in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result
