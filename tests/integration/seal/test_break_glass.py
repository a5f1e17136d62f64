# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The break-glass role: who gets it and how, what it can do, and that its use is told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from local_estate import ACCOUNT, REGION, Person

from local_aws.mfa import code
from tests.integration.modules.running import eventually
from tests.integration.seal.conftest import ESTATE, FOUNDATION, IAM, STATE_BUCKET, Sealed

ROLE = f"{IAM}:role/{ESTATE}-break-glass"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:{ESTATE}-alarms"
STATE = "second/terraform.tfstate"

Codes = Callable[[Person], dict[str, str]]


def take(person: Person, region: str = REGION, **more: Any) -> dict[str, Any]:
    """Takes the role, at the endpoint of a region; the answer."""
    sts = boto3.client(
        "sts",
        endpoint_url=person.endpoint_url,
        region_name=region,
        aws_access_key_id=person.access_key_id,
        aws_secret_access_key=person.secret_access_key,
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )
    taken: dict[str, Any] = sts.assume_role(RoleArn=ROLE, RoleSessionName="emergency", **more)
    return taken


@pytest.fixture(scope="module")
def with_mfa(sealed: Sealed) -> Codes:
    """Gives a device to both who try, and returns what makes the arguments with the present code of somebody's."""
    iam, seeds = sealed.client("iam"), {}
    for person in (sealed.breaker, sealed.administrator):
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=person.name)["VirtualMFADevice"]
        seed, now = made["Base32StringSeed"].decode(), time.time()
        iam.enable_mfa_device(
            UserName=person.name,
            SerialNumber=made["SerialNumber"],
            AuthenticationCode1=code(seed, now - 30),
            AuthenticationCode2=code(seed, now),
        )
        seeds[person.name] = (made["SerialNumber"], seed)

    def codes(person: Person) -> dict[str, str]:
        serial, seed = seeds[person.name]
        return {"SerialNumber": serial, "TokenCode": code(seed)}

    return codes


@pytest.fixture(scope="module")
def alarms(sealed: Sealed) -> Iterator[Callable[[str], str]]:
    """Waits for the alarm with a text; what the queue has got that listens to the topic."""
    sqs, sns = sealed.client("sqs"), sealed.client("sns")
    queue = sqs.create_queue(QueueName="seal-alarms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    publish = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [publish]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    subscription = sns.subscribe(
        TopicArn=TOPIC, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )["SubscriptionArn"]
    got: list[str] = []

    def look(text: str) -> str:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        got.extend(message["Body"] for message in messages)
        return next((body for body in got if text in body), "")

    yield lambda text: str(eventually(lambda: look(text)))
    sns.unsubscribe(SubscriptionArn=subscription)


@pytest.fixture(scope="module")
def session(sealed: Sealed, with_mfa: Codes, alarms: Callable[[str], str]) -> Person:
    """Somebody in an emergency, of whom the queue has heard."""
    assert callable(alarms)
    taken = take(sealed.breaker, **with_mfa(sealed.breaker))["Credentials"]
    assert 0 < (taken["Expiration"] - datetime.now(UTC)).total_seconds() <= 3600
    return Person(
        "break-glass",
        sealed.root.endpoint_url,
        taken["AccessKeyId"],
        taken["SecretAccessKey"],
        taken["SessionToken"],
    )


# Who gets it


def test_who_does_not_get_it(sealed: Sealed, with_mfa: Codes) -> None:
    breaker = sealed.breaker
    right = with_mfa(breaker)
    wrong = {**right, "TokenCode": f"{(int(right['TokenCode']) + 1) % 1_000_000:06d}"}
    for arguments in (
        {"person": breaker},
        {"person": breaker, **wrong},
        {"person": breaker, "region": "eu-west-1", **right},
        # May do everything, and has MFA, but is not among break_glass_principals.
        {"person": sealed.administrator, **with_mfa(sealed.administrator)},
    ):
        with pytest.raises(ClientError, match=r"\(AccessDenied\)"):
            take(**arguments)


def test_its_sessions_last_an_hour_at_most(sealed: Sealed, with_mfa: Codes) -> None:
    with pytest.raises(ClientError, match="exceeds the MaxSessionDuration"):
        take(sealed.breaker, DurationSeconds=3601, **with_mfa(sealed.breaker))


# What it can do


def test_it_releases_a_lock(sealed: Sealed, session: Person) -> None:
    info = {"ID": "left-behind", "Operation": "OperationTypeApply", "Who": "x@y", "Created": "2025-01-01T00:00:00Z"}
    item = {"LockID": {"S": f"{STATE_BUCKET}/{STATE}"}, "Info": {"S": json.dumps(info)}}
    dynamodb = sealed.client("dynamodb")
    dynamodb.put_item(TableName=FOUNDATION["lock_table"], Item=item)

    run = sealed.estate.playbook("unlock.yml", session, stack="second", lock_id="left-behind")

    assert not run.failed, run.output
    assert [call.split()[0] for call in run.mutations] == ["dynamodb:DeleteItem"]
    key = {"LockID": item["LockID"]}
    assert "Item" not in dynamodb.get_item(TableName=FOUNDATION["lock_table"], Key=key)


def test_it_restores_a_state(sealed: Sealed, session: Person) -> None:
    s3, versions = sealed.client("s3"), []
    for serial in (1, 2):
        state = {"version": 4, "serial": serial, "lineage": "one", "terraform_version": "1.11.4"}
        put = s3.put_object(
            Bucket=STATE_BUCKET,
            Key=STATE,
            Body=json.dumps(
                {**state, "outputs": {"value": {"value": serial, "type": "number"}}, "resources": []}
            ).encode(),
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=sealed.key_arn,
        )
        versions.append(put["VersionId"])

    run = sealed.estate.playbook(
        "restore_state.yml", session, stack="second", version_id=versions[0], confirm="second", force=True
    )

    assert not run.failed, run.output
    assert json.loads(s3.get_object(Bucket=STATE_BUCKET, Key=STATE)["Body"].read())["serial"] == 3
    kept = [one["VersionId"] for one in s3.list_object_versions(Bucket=STATE_BUCKET, Prefix=STATE)["Versions"]]
    assert set(versions) < set(kept)


def test_it_repairs_a_policy_that_locks_the_installer_out(sealed: Sealed, session: Person) -> None:
    s3 = sealed.client("s3")
    before = s3.get_bucket_policy(Bucket=STATE_BUCKET)["Policy"]
    document = json.loads(before)
    document["Statement"].append(
        {
            "Sid": "Mistake",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": f"arn:aws:s3:::{STATE_BUCKET}",
            "Condition": {"ArnNotLike": {"aws:PrincipalArn": ROLE}},
        }
    )
    s3.put_bucket_policy(Bucket=STATE_BUCKET, Policy=json.dumps(document))
    assert sealed.estate.installer
    with pytest.raises(ClientError, match="AccessDenied"):
        sealed.estate.installer.client("s3").put_bucket_policy(Bucket=STATE_BUCKET, Policy=before)

    repairing = session.client("s3")
    assert "Mistake" in repairing.get_bucket_policy(Bucket=STATE_BUCKET)["Policy"]
    repairing.put_bucket_policy(Bucket=STATE_BUCKET, Policy=before)

    assert sealed.estate.installer.client("s3").get_bucket_policy(Bucket=STATE_BUCKET)["Policy"] == before


@pytest.mark.parametrize(
    "attempt",
    [
        lambda client, sealed: client("s3").delete_object(Bucket=STATE_BUCKET, Key=STATE),
        lambda client, sealed: client("kms").schedule_key_deletion(KeyId=sealed.key_arn),
        lambda client, sealed: client("codebuild").start_build(projectName=f"{ESTATE}-network-apply"),
        lambda client, sealed: client("iam").put_role_policy(
            RoleName=f"{ESTATE}-break-glass", PolicyName="more", PolicyDocument="{}"
        ),
        lambda client, sealed: client("events").disable_rule(Name=f"{ESTATE}-break-glass"),
    ],
    ids=["delete a state", "delete the key", "start a build", "give itself more", "silence the alarm"],
)
def test_it_is_for_recovery_and_repair_only(
    sealed: Sealed, session: Person, attempt: Callable[[Callable[[str], Any], Sealed], Any]
) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        attempt(session.client, sealed)


# Who is told


def test_its_use_is_told(session: Person, alarms: Callable[[str], str]) -> None:
    message = alarms(f"{IAM}:user/seal-breaker took the break-glass role")

    assert ROLE in message
    assert f" at {datetime.now(UTC):%Y-%m-%d}T" in message
    assert "not authorized" not in message


def test_a_refused_try_is_told(sealed: Sealed, alarms: Callable[[str], str]) -> None:
    with pytest.raises(ClientError, match=r"\(AccessDenied\)"):
        take(sealed.administrator)

    message = alarms(f"{IAM}:user/seal-administrator took the break-glass role, or tried to")

    assert f"not authorized to perform: sts:AssumeRole on resource: {ROLE}" in message
