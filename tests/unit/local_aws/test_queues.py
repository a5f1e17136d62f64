# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queues: settings that SQS refuses, their encryption, and the name of one that was deleted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, allow, server, unique

MINUTE = 1.0


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with server(tmp_path_factory.mktemp("queues"), MINUTE) as running:
        yield running


@pytest.fixture
def sqs(local_aws: LocalAws) -> Any:
    return local_aws.client("sqs")


def encryption(sqs: Any, url: str) -> dict[str, str]:
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {name: text for name, text in attributes.items() if "Sse" in name or "Kms" in name}


def test_a_queue_has_one_encryption(sqs: Any) -> None:
    by_key = {
        "KmsMasterKeyId": "alias/one",
        "KmsDataKeyReusePeriodSeconds": "300",
        "SqsManagedSseEnabled": "false",
    }
    plain = sqs.create_queue(QueueName=unique("plain"))["QueueUrl"]
    keyed = sqs.create_queue(QueueName=unique("keyed"), Attributes={"KmsMasterKeyId": "alias/one"})["QueueUrl"]
    bare = sqs.create_queue(QueueName=unique("bare"), Attributes={"SqsManagedSseEnabled": "false"})["QueueUrl"]

    assert encryption(sqs, plain) == {"SqsManagedSseEnabled": "true"}
    assert encryption(sqs, keyed) == by_key
    assert encryption(sqs, bare) == {"SqsManagedSseEnabled": "false"}
    sqs.set_queue_attributes(QueueUrl=plain, Attributes={"KmsMasterKeyId": "alias/one"})
    assert encryption(sqs, plain) == by_key
    sqs.set_queue_attributes(QueueUrl=plain, Attributes={"KmsMasterKeyId": ""})
    assert encryption(sqs, plain) == {"SqsManagedSseEnabled": "false"}
    sqs.set_queue_attributes(QueueUrl=keyed, Attributes={"KmsMasterKeyId": "", "SqsManagedSseEnabled": "true"})
    assert encryption(sqs, keyed) == {"SqsManagedSseEnabled": "true"}


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"Colour": "red"}, "InvalidAttributeName"),
        ({"KmsMasterKeyId": "alias/one", "SqsManagedSseEnabled": "true"}, "InvalidAttributeValue"),
        ({"Policy": "no JSON"}, "InvalidAttributeValue"),
        ({"Policy": "{}"}, "InvalidAttributeValue"),
    ],
)
def test_what_is_no_setting_is_refused(sqs: Any, attributes: dict[str, str], code: str) -> None:
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]

    with pytest.raises(ClientError, match=code):
        sqs.create_queue(QueueName=unique("queue"), Attributes=attributes)
    with pytest.raises(ClientError, match=code):
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


@pytest.mark.parametrize("name", ["a b", "x" * 81, "a.b"])
def test_a_name_that_is_none(sqs: Any, name: str) -> None:
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        sqs.create_queue(QueueName=name)


def test_a_deleted_name_is_free_after_a_minute(local_aws: LocalAws, sqs: Any) -> None:
    name = unique("queue")
    sqs.delete_queue(QueueUrl=sqs.create_queue(QueueName=name)["QueueUrl"])
    began = time.monotonic()

    with pytest.raises(ClientError) as refused:
        sqs.create_queue(QueueName=name)
    assert refused.value.response["Error"]["Code"] == "AWS.SimpleQueueService.QueueDeletedRecently"
    local_aws.client("sqs", region="us-east-1").create_queue(QueueName=name)
    time.sleep(max(0.0, MINUTE + 0.1 - (time.monotonic() - began)))
    sqs.create_queue(QueueName=name)


def test_tags_of_a_new_queue_are_a_permission(local_aws: LocalAws) -> None:
    name = unique("queue")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    policy = allow(["sqs:CreateQueue", "sqs:ListQueueTags"])
    with pytest.raises(ClientError, match=rf"AccessDenied.*sqs:TagQueue on resource: {arn}"):
        local_aws.client("sqs", local_aws.user(unique("user"), policy)).create_queue(QueueName=name, tags={"a": "1"})

    may = local_aws.client("sqs", local_aws.user(unique("user"), policy, allow("sqs:TagQueue", arn)))
    url = may.create_queue(QueueName=name, tags={"a": "1"})["QueueUrl"]
    assert may.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "1"}


def test_a_policy_is_kept(sqs: Any) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    url = sqs.create_queue(QueueName=unique("queue"), Attributes={"Policy": policy})["QueueUrl"]

    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"] == {"Policy": policy}
