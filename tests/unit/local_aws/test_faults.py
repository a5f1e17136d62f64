# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `faults`: calls that fail on purpose, each in the words of its service, and the same ones each time."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ResponseStreamingError

from local_aws import faults
from tests.unit.local_aws.support import LocalAws, eventually, server, unique

Fails = Any


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with server(tmp_path_factory.mktemp("faults")) as aws:
        yield aws


@pytest.fixture
def aws(running: LocalAws) -> Iterator[LocalAws]:
    """Without faults when a test begins and ends."""
    running.post("/_local/faults")
    yield running
    running.post("/_local/faults")


@pytest.fixture
def fails(aws: LocalAws, tmp_path: Path) -> Fails:
    def use(kind: str, *actions: str, seed: int = 1, **more: Any) -> None:
        plan = {"seed": seed, "rules": [{"faults": {kind: 1}, **({"actions": actions} if actions else {}), **more}]}
        (tmp_path / "faults.json").write_text(json.dumps(plan))
        aws.command("faults", str(tmp_path / "faults.json"))

    return use


CALLS = {
    "json": ("codebuild", lambda client: client.list_projects()),
    "rest-json": ("codestar-notifications", lambda client: client.list_notification_rules()),
    "query": ("iam", lambda client: client.list_roles()),
    "ec2": ("ec2", lambda client: client.describe_vpcs()),
    "s3": ("s3", lambda client: client.list_buckets()),
    "ministack's json": ("ssm", lambda client: client.describe_parameters()),
}


@pytest.mark.parametrize("protocol", CALLS)
@pytest.mark.parametrize(
    ("kind", "codes", "status"),
    [
        ("throttle", {"ThrottlingException", "Throttling", "SlowDown"}, {400, 503}),
        ("error", {"InternalServerError", "InternalFailure", "InternalError"}, {500}),
        ("unavailable", {"ServiceUnavailableException", "ServiceUnavailable"}, {503}),
        ("expired", {"ExpiredTokenException", "ExpiredToken"}, {400, 403}),
    ],
)
def test_errors_in_the_words_of_each_protocol(
    aws: LocalAws, fails: Fails, protocol: str, kind: str, codes: set[str], status: set[int]
) -> None:
    service, call = CALLS[protocol]
    fails(kind, f"{service}:*")

    with pytest.raises(ClientError) as caught:
        call(aws.client(service))

    assert caught.value.response["Error"]["Code"] in codes
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in status
    error = caught.value.response["Error"]["Code"]
    assert eventually(
        lambda: [each for each in aws.calls() if (each.get("fault"), each["error_code"]) == (kind, error)]
    )


@pytest.mark.parametrize(("kind", "made"), [("reset", False), ("lost", True), ("truncate", True)])
def test_connections_break_before_or_after_the_call_is_carried_out(
    aws: LocalAws, fails: Fails, kind: str, made: bool
) -> None:
    name, sqs = unique("queue"), aws.client("sqs")
    fails(kind, "sqs:CreateQueue", times=1)

    with pytest.raises((ConnectionClosedError, ResponseStreamingError)):
        sqs.create_queue(QueueName=name)

    assert [url.endswith(name) for url in sqs.list_queues(QueueNamePrefix=name).get("QueueUrls", [])] == [True] * made
    assert sqs.create_queue(QueueName=name)["QueueUrl"].endswith(name)


def test_a_slow_answer(aws: LocalAws, fails: Fails) -> None:
    fails("slow", "sts:*", seconds=0.7)
    began = time.monotonic()

    aws.client("sts").get_caller_identity()

    assert time.monotonic() - began >= 0.7


def test_a_stale_answer_is_that_of_before_the_change(aws: LocalAws, fails: Fails) -> None:
    iam, name = aws.client("iam"), unique("role")
    fails("stale", "iam:Get*", seconds=1)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)

    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=name)
    time.sleep(1.1)
    assert iam.get_role(RoleName=name)["Role"]["RoleName"] == name


def test_where_aws_is_consistent_nothing_is_stale(aws: LocalAws, fails: Fails) -> None:
    s3, bucket = aws.client("s3"), aws.bucket("consistent")
    fails("stale")

    for content in (b"one", b"two"):
        s3.put_object(Bucket=bucket, Key="key", Body=content)
        assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == content


def test_a_new_role_cannot_be_taken_at_once(aws: LocalAws, fails: Fails) -> None:
    fails("stale", "sts:AssumeRole", seconds=3)  # IAM's times are whole seconds
    role = aws.role(unique("role"), "codepipeline.amazonaws.com")
    bucket, name = aws.bucket("artifacts"), unique("pipeline")
    action = {"actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"}}
    source = {"S3Bucket": bucket, "S3ObjectKey": "code.zip"}
    approval = {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
    pipeline = {
        "name": name,
        "roleArn": role,
        "artifactStore": {"type": "S3", "location": bucket},
        "stages": [
            {
                "name": "Source",
                "actions": [
                    {"name": "Source", **action, "configuration": source, "outputArtifacts": [{"name": "Code"}]}
                ],
            },
            {"name": "Approve", "actions": [{"name": "Approve", "actionTypeId": approval}]},
        ],
    }
    codepipeline = aws.client("codepipeline")

    with pytest.raises(ClientError, match="is not authorized to perform AssumeRole"):
        codepipeline.create_pipeline(pipeline=pipeline)
    time.sleep(3)
    codepipeline.create_pipeline(pipeline=pipeline)


def test_only_calls_that_fit_fail(aws: LocalAws, fails: Fails) -> None:
    other = aws.user(unique("other"), {"Effect": "Allow", "Action": "*", "Resource": "*"})
    sns = aws.client("sns")
    arns = [sns.create_topic(Name=unique(name))["TopicArn"] for name in ("mine", "yours")]
    fails("error", "sns:GetTopic*", resources=["*:mine-*"], principals=["*:user/admin"])

    with pytest.raises(ClientError, match="InternalFailure"):
        sns.get_topic_attributes(TopicArn=arns[0])
    sns.get_topic_attributes(TopicArn=arns[1])
    sns.list_tags_for_resource(ResourceArn=arns[0])
    aws.client("sns", other).get_topic_attributes(TopicArn=arns[0])


def test_the_same_calls_fail_each_time(aws: LocalAws, fails: Fails) -> None:
    sts = aws.client("sts")

    def outcomes(seed: int) -> list[bool]:
        fails("throttle", "sts:*", rate=0.3, seed=seed)
        results = []
        for _number in range(60):
            try:
                sts.get_caller_identity()
                results.append(True)
            except ClientError:
                results.append(False)
        return results

    first, again, other = outcomes(5), outcomes(5), outcomes(6)

    assert first == again != other
    assert 8 <= first.count(False) <= 28


def test_kinds_come_by_their_weights() -> None:
    plan = faults.plan_of({"seed": 3, "rules": [{"rate": 0.5, "faults": {"throttle": 3, "slow": 1}}]})

    chosen = [plan.choose("iam:GetRole", f"role{number}", ("a",), lambda *_: True) for number in range(2000)]

    kinds = [each[0] for each in chosen if each]
    assert 850 < len(kinds) < 1150
    assert 2 < kinds.count("throttle") / kinds.count("slow") < 4.5


def test_which_call_fails_does_not_depend_on_the_order_of_others() -> None:
    rules = {"seed": 9, "rules": [{"rate": 0.4, "faults": {"error": 1}}]}
    calls = [("iam:GetRole", f"role{number}") for number in range(5)] * 4
    outcomes = []
    for order in itertools.islice(itertools.permutations(range(5)), 0, 120, 40):
        plan = faults.plan_of(rules)
        seen = [(call, bool(plan.choose(*call, ("a",), lambda *_: True))) for call in sorted_by(calls, order)]
        outcomes.append(sorted(seen))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert {failed for _call, failed in outcomes[0]} == {True, False}


def sorted_by(calls: list[tuple[str, str]], order: tuple[int, ...]) -> list[tuple[str, str]]:
    """The calls in another order."""
    return sorted(calls, key=lambda call: order[int(call[1][-1])])


def test_times_is_a_limit() -> None:
    plan = faults.plan_of({"rules": [{"faults": {"error": 1}, "times": 2}]})

    chosen = [plan.choose("iam:GetRole", "*", ("a",), lambda *_: True) for _number in range(5)]

    assert [bool(each) for each in chosen] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rule": []}, "faults: rule is not one of seed, rules"),
        ({"seed": "a"}, "seed must be a whole number"),
        ({"rules": [1]}, "rules[0] is not an object"),
        ({"rules": [{"faults": {}}]}, "rules[0].faults must give a weight"),
        ({"rules": [{"faults": {"flood": 1}}]}, "rules[0].faults: flood is not one of throttle"),
        ({"rules": [{"faults": {"slow": 0}}]}, "rules[0].faults: a weight must be a number above 0"),
        ({"rules": [{"faults": {"slow": 1}, "rate": 2}]}, "rules[0].rate must be a number from 0 to 1"),
        ({"rules": [{"faults": {"slow": 1}, "seconds": -1}]}, "rules[0].seconds must be a number from 0"),
        ({"rules": [{"faults": {"slow": 1}, "times": 1.5}]}, "rules[0].times must be a whole number"),
        ({"rules": [{"faults": {"slow": 1}, "actions": [1]}]}, "rules[0].actions must be a list of patterns"),
        ({"rules": [{"faults": {"slow": 1}, "action": "*"}]}, "rules[0]: action is not one of"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        faults.plan_of(given)
