# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""unmanaged_resources_info: what it finds, what it costs, and what makes it incomplete."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws
from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue, scan
from local_aws.cli import put_user
from tests.integration.findings.states import Bucket, managed
from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, run_module, unique
from tests.integration.modules.states import interfere

FINDINGS = ("foreign_terraform", "leaked_by_pipeline", "unmanaged")


@pytest.fixture(scope="module")
def bucket(account: Account) -> Bucket:
    """A bucket with one state, of a VPC that is there."""
    made = Bucket.open(account)
    made.put("network", ("aws_vpc", vpc_of(account)))
    return made


@pytest.fixture
def new_bucket(account: Account) -> Bucket:
    return Bucket.open(account)


def vpc_of(account: Account) -> dict[str, Any]:
    """The attributes of a new VPC, as a state has them."""
    vpc = account.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    return {"id": vpc, "arn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/{vpc}"}


def look(account: Account, bucket: Bucket, **more: Any) -> dict[str, Any]:
    """A scan of some types, in which nothing is too young. It must change nothing."""
    found = account.run(
        "unmanaged_resources_info", **bucket.arguments(**{"breadth": False, "attribution_calls": 0, **more})
    )
    assert found["mutations"] == []
    assert not found.get("changed")
    return found


def one(found: dict[str, Any], identity: str) -> dict[str, Any]:
    """The resource with this id."""
    return next(each for each in found["resources"] if each["id"] == identity)


def whys(found: dict[str, Any], what: str = "") -> list[str]:
    """Why a scan is incomplete, of what begins so."""
    assert not found["complete"]
    return [problem["why"] for problem in found["problems"] if problem["what"].startswith(what)]


def denied(account: Account, *actions: str, resource: str = "*") -> Account:
    """The account, scanned by somebody who may do all but this."""
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": actions, "Resource": resource},
    ]
    user = put_user(account.endpoint_url, unique("denied"), {"Version": "2012-10-17", "Statement": statements})
    return replace(account, caller=user)


# What is found


def test_what_is_in_no_state_is_found_with_reason_creator_and_age(account: Account, bucket: Bucket) -> None:
    queue = account.client("sqs").create_queue(QueueName=unique("foreign"))["QueueUrl"]

    found = look(account, bucket, types=["aws_sqs_queue", "aws_vpc"], attribution_calls=9)

    assert found["complete"] is True
    assert found["problems"] == []
    seen = one(found, queue)
    assert (seen["verdict"], seen["type"], seen["removable"]) == ("unmanaged", "aws_sqs_queue", True)
    assert seen["reason"] == "no state has it, and nothing explains it"
    assert seen["creator"]["principal"] == f"arn:aws:iam::{ACCOUNT}:user/onlooker"
    assert seen["creator"]["event"] == "CreateQueue"
    assert seen["age_hours"] == pytest.approx(0, abs=0.1)
    assert seen["tags"] == {}


def test_managed_is_returned_when_it_is_asked_for(account: Account, bucket: Bucket) -> None:
    assert "managed" not in {each["verdict"] for each in look(account, bucket, types=["aws_vpc"])["resources"]}

    found = look(account, bucket, types=["aws_vpc"], verdicts=["managed"])

    assert [each["evidence"] for each in found["resources"]] == ["aws_vpc.r0 in network/terraform.tfstate"]
    assert found["counts"]["managed"] == 1


def test_explain_is_of_one_resource_whatever_it_is(account: Account, bucket: Bucket) -> None:
    vpc = next(iter(look(account, bucket, types=["aws_vpc"], verdicts=["managed"])["resources"]))

    for name in (vpc["id"], vpc["arn"]):
        assert [each["arn"] for each in look(account, bucket, types=["aws_vpc"], explain=name)["resources"]] == [
            vpc["arn"]
        ]
    gone = vpc_of(account)
    account.client("ec2").delete_vpc(VpcId=gone["id"])
    other = Bucket.open(account)
    other.put("network", ("aws_vpc", {"id": vpc["id"]}), ("aws_vpc", gone))
    for name in (gone["id"], "aws_vpc.r1"):
        found = look(account, other, types=["aws_vpc"], explain=name)
        assert (found["resources"], [each["id"] for each in found["ghosts"]]) == ([], [gone["id"]])
    assert look(account, other, types=["aws_vpc"], explain=vpc["id"])["ghosts"] == []
    with pytest.raises(ModuleFailed, match="vpc-missing is no resource that was found in eu-central-1"):
        look(account, bucket, types=["aws_vpc"], explain="vpc-missing")


def test_states_of_workspaces_and_of_any_key_count(account: Account, new_bucket: Bucket) -> None:
    kept = [vpc_of(account) for _number in range(3)]
    new_bucket.put("env:/staging/network/terraform.tfstate", ("aws_vpc", kept[0]))
    new_bucket.put("deep/down/anything", ("aws_vpc", kept[1]))
    new_bucket.put("plain.tfstate/x", ("aws_vpc", kept[2]))

    found = look(account, new_bucket, types=["aws_vpc"], verdicts=["managed"])

    assert {each["id"] for each in found["resources"]} == {each["id"] for each in kept}


def test_the_states_own_bucket_and_table_are_never_findings(account: Account, bucket: Bucket) -> None:
    found = look(account, bucket, types=["aws_s3_bucket", "aws_dynamodb_table"])

    assert one(found, bucket.name)["verdict"] == "protected"
    assert one(found, bucket.table)["verdict"] == "protected"


def test_bucket_of_a_trail_is_never_a_finding(account: Account, bucket: Bucket) -> None:
    name = unique("trail")
    account.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert one(look(account, bucket, types=["aws_s3_bucket"]), name)["verdict"] == "unmanaged"
    account.client("cloudtrail").create_trail(Name=unique("trail"), S3BucketName=name)

    assert one(look(account, bucket, types=["aws_s3_bucket"]), name)["verdict"] == "protected"


def new_key(account: Account) -> tuple[str, str]:
    """Id and ARN of a key."""
    made = account.client("kms").create_key()["KeyMetadata"]
    return made["KeyId"], made["Arn"]


def test_what_a_trail_needs_is_never_a_finding(account: Account, bucket: Bucket) -> None:
    name = unique("trail")
    account.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    account.client("logs").create_log_group(logGroupName=name)
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = account.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    key, key_arn = new_key(account)
    types = ["aws_cloudwatch_log_group", "aws_iam_role", "aws_kms_key"]
    before = look(account, bucket, types=types)
    assert {one(before, each)["verdict"] for each in (name, key)} == {"unmanaged"}
    account.client("cloudtrail").create_trail(
        Name=name,
        S3BucketName=name,
        CloudWatchLogsLogGroupArn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*",
        CloudWatchLogsRoleArn=role,
        KmsKeyId=key_arn,
    )

    found = look(account, bucket, types=types)

    assert {each["type"]: each["verdict"] for each in found["resources"] if each["id"] in (name, key)} == {
        "aws_cloudwatch_log_group": "protected",
        "aws_iam_role": "protected",
        "aws_kms_key": "protected",
    }


@pytest.mark.parametrize("by_alias", [False, True])
def test_key_of_the_states_is_never_a_finding(account: Account, new_bucket: Bucket, by_alias: bool) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    key, arn = new_key(account)
    assert one(look(account, new_bucket, types=["aws_kms_key"]), key)["verdict"] == "unmanaged"
    alias = f"alias/{unique('states')}"
    account.client("kms").create_alias(AliasName=alias, TargetKeyId=key)
    by = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": alias if by_alias else arn}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": by}]}
    account.client("s3").put_bucket_encryption(Bucket=new_bucket.name, ServerSideEncryptionConfiguration=rules)

    assert one(look(account, new_bucket, types=["aws_kms_key"]), key)["verdict"] == "protected"


@pytest.mark.parametrize("managed_by_name", [False, True])
def test_what_names_a_key_by_its_alias_stands_on_the_key(
    account: Account, new_bucket: Bucket, managed_by_name: bool
) -> None:
    """Also a queue that a state only mentions, of which nothing is read for its own sake."""
    key, arn = new_key(account)
    alias = f"alias/{unique('app')}"
    account.client("kms").create_alias(AliasName=alias, TargetKeyId=key)
    queue = account.client("sqs").create_queue(QueueName=unique("q"), Attributes={"KmsMasterKeyId": alias})["QueueUrl"]
    mention = {"id": "x", "kms_master_key_id": alias} if managed_by_name else {"id": "x", "url": queue}
    new_bucket.put("network", ("aws_vpc", vpc_of(account)), ("aws_other", mention))

    found = look(account, new_bucket, types=["aws_kms_key", "aws_sqs_queue"])

    assert found["complete"]
    assert one(found, key)["verdict"] == ("referenced" if managed_by_name else "unmanaged")
    assert one(found, queue)["verdict"] == ("unmanaged" if managed_by_name else "referenced")
    assert one(found, queue)["refs"] == [arn]


def test_what_a_mentioned_resource_stands_on_must_be_known(account: Account, new_bucket: Bucket) -> None:
    queue = account.client("sqs").create_queue(QueueName=unique("q"))["QueueUrl"]
    new_bucket.put("network", ("aws_vpc", vpc_of(account)), ("aws_other", {"id": "x", "url": queue}))
    somebody = denied(account, "sqs:GetQueueAttributes", resource=f"*{queue.rpartition('/')[2]}")
    assert look(account, new_bucket, types=["aws_sqs_queue"])["complete"]

    found = look(somebody, new_bucket, types=["aws_sqs_queue"])

    assert "stands on could not be read" in whys(found, "1 of aws_sqs_queue")[0]


def test_scanner_is_never_a_finding(account: Account, bucket: Bucket) -> None:
    found = look(account, bucket, types=["aws_iam_user"])

    assert one(found, "scanner")["verdict"] == "protected"
    assert one(found, "onlooker")["verdict"] == "unmanaged"


def test_ghosts_are_what_a_state_has_and_aws_does_not(account: Account, new_bucket: Bucket) -> None:
    there, gone = vpc_of(account), vpc_of(account)
    new_bucket.put("network", ("aws_vpc", there), ("aws_vpc", gone))
    assert look(account, new_bucket, types=["aws_vpc"])["ghosts"] == []
    account.client("ec2").delete_vpc(VpcId=gone["id"])

    found = look(account, new_bucket, types=["aws_vpc"])

    assert [(each["address"], each["id"]) for each in found["ghosts"]] == [("aws_vpc.r1", gone["id"])]
    # Asked for by its id, too: a list may be late.
    assert found["api_calls"]["ec2:DescribeVpcs"] == 2


def test_ghosts_of_another_account_are_not_looked_for(account: Account, new_bucket: Bucket) -> None:
    arn = f"arn:aws:ec2:{REGION}:999999999999:vpc/vpc-0123456789abcdef9"
    new_bucket.put("network", ("aws_vpc", vpc_of(account)), ("aws_vpc", {"id": "vpc-0123456789abcdef9", "arn": arn}))

    assert look(account, new_bucket, types=["aws_vpc"])["ghosts"] == []


def test_ledger_says_when_a_resource_was_first_seen(account: Account, bucket: Bucket) -> None:
    group = account.client("ec2").create_security_group(GroupName=unique("group"), Description="x")["GroupId"]
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{group}"
    options = {"types": ["aws_security_group"], "min_age_hours": 24}

    # AWS has no time of it.
    assert one(look(account, bucket, **options), group)["verdict"] == "too_young"
    for hours, verdict in ((1, "too_young"), (30, "unmanaged")):
        seen = (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
        write_ledger(bucket, first_seen={arn: seen})
        assert one(look(account, bucket, **options), group)["verdict"] == verdict
    bucket.account.client("s3").delete_object(Bucket=bucket.name, Key="gitops-drift/ledger.json")


def test_calls_do_not_grow_with_what_is_managed(account: Account, new_bucket: Bucket) -> None:
    def calls() -> dict[str, int]:
        found: dict[str, int] = look(account, new_bucket, types=["aws_sqs_queue", "aws_vpc"])["api_calls"]
        return found

    def managed_queue() -> tuple[str, dict[str, Any]]:
        return "aws_sqs_queue", {"id": account.client("sqs").create_queue(QueueName=unique("q"))["QueueUrl"]}

    queues = [managed_queue()]
    new_bucket.put("network", ("aws_vpc", vpc_of(account)), *queues)
    before = calls()
    queues += [managed_queue() for _number in range(10)]
    new_bucket.put("network", ("aws_vpc", vpc_of(account)), *queues)

    assert calls() == before


# What makes it incomplete


def write_ledger(bucket: Bucket, **parts: Any) -> None:
    """A ledger with these parts."""
    content = {"version": 1, "first_seen": {}, "quarantined": {}, "last_scan": None, **parts}
    body = json.dumps(content).encode()
    bucket.account.client("s3").put_object(Bucket=bucket.name, Key="gitops-drift/ledger.json", Body=body)


def last_scan(**state: Any) -> dict[str, Any]:
    """What a ledger says of a scan that saw one state."""
    seen = {"lineage": "lineage-network/terraform.tfstate", "serial": 1, "managed": 1, **state}
    return {"time": "2026-11-25T04:00:00Z", "states": {"network/terraform.tfstate": seen}}


def test_denied_list(account: Account, bucket: Bucket) -> None:
    queue = account.client("sqs").create_queue(QueueName=unique("hidden"))["QueueUrl"]

    found = look(denied(account, "sqs:ListQueues"), bucket, types=["aws_sqs_queue", "aws_vpc"])

    assert "listing is denied" in whys(found, "aws_sqs_queue in eu-central-1")[0]
    statuses = {each["type"]: each["status"] for each in found["coverage"]}
    assert statuses == {"aws_sqs_queue": "denied", "aws_vpc": "complete"}
    assert queue not in {each["id"] for each in found["resources"]}


def test_denied_list_makes_no_ghosts(account: Account, new_bucket: Bucket) -> None:
    url = account.client("sqs").create_queue(QueueName=unique("kept"))["QueueUrl"]
    new_bucket.put("network", ("aws_sqs_queue", {"id": url}))

    found = look(denied(account, "sqs:ListQueues"), new_bucket, types=["aws_sqs_queue"])

    assert found["ghosts"] == []


def test_further_read_that_is_denied_leaves_the_resource_unjudged(account: Account, bucket: Bucket) -> None:
    queue = account.client("sqs").create_queue(QueueName=unique("unread"))["QueueUrl"]

    found = look(denied(account, "sqs:ListQueueTags"), bucket, types=["aws_sqs_queue"])

    assert one(found, queue)["verdict"] == "incomplete"
    assert not found["complete"]


def test_state_that_cannot_be_read(account: Account, new_bucket: Bucket) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    new_bucket.put("secret", ("aws_vpc", vpc_of(account)))
    somebody = denied(account, "s3:GetObject", resource=f"arn:aws:s3:::{new_bucket.name}/secret/*")

    found = look(somebody, new_bucket, types=["aws_vpc"])

    assert "GetObject failed with AccessDenied" in whys(found, "state secret/terraform.tfstate")[0]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html>", "it is not JSON"),
        (b'{"version": 3, "lineage": "x", "modules": []}', "its format has version 3; only 4 is understood"),
    ],
)
def test_state_that_is_not_understood(account: Account, new_bucket: Bucket, content: bytes, why: str) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    account.client("s3").put_object(Bucket=new_bucket.name, Key="odd/terraform.tfstate", Body=content)

    assert whys(look(account, new_bucket, types=["aws_vpc"]), "state odd/terraform.tfstate") == [why]


def test_bucket_without_states(account: Account, new_bucket: Bucket) -> None:
    found = look(account, new_bucket, types=["aws_vpc"])

    assert "there is no state in it" in whys(found, f"state bucket {new_bucket.name}")[0]


def test_bucket_that_is_not_there(account: Account, new_bucket: Bucket) -> None:
    with pytest.raises(ModuleFailed, match="NoSuchBucket"):
        look(account, replace(new_bucket, name="no-such-bucket-here"), types=["aws_vpc"])


def test_states_that_manage_nothing(account: Account, new_bucket: Bucket) -> None:
    new_bucket.put("network")

    assert "they manage nothing in AWS" in whys(look(account, new_bucket, types=["aws_vpc"]), "all states")[0]


def test_state_that_has_vanished_since_the_last_scan(account: Account, new_bucket: Bucket) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    write_ledger(new_bucket, last_scan=last_scan())
    assert look(account, new_bucket, types=["aws_vpc"])["complete"]
    write_ledger(new_bucket, last_scan=last_scan(lineage="another"))

    assert "it is gone or another one" in whys(look(account, new_bucket, types=["aws_vpc"]), "state network")[0]
    for forgotten in ("network/terraform.tfstate", "*"):
        assert look(account, new_bucket, types=["aws_vpc"], forget_states=[forgotten])["complete"]


def test_state_that_was_only_moved_has_not_vanished(account: Account, new_bucket: Bucket) -> None:
    new_bucket.put("elsewhere", ("aws_vpc", vpc_of(account)), lineage="lineage-network/terraform.tfstate")
    write_ledger(new_bucket, last_scan=last_scan())

    assert look(account, new_bucket, types=["aws_vpc"])["complete"]


def test_copy_of_a_state_is_not_in_its_place(account: Account, new_bucket: Bucket) -> None:
    """Both have one lineage; the copy was there in the last scan, too."""
    lineage = "lineage-network/terraform.tfstate"
    new_bucket.put("copy", ("aws_vpc", vpc_of(account)), lineage=lineage, serial=9)
    before = last_scan(serial=3)
    before["states"]["copy/terraform.tfstate"] = {"lineage": lineage, "serial": 9, "managed": 1}
    write_ledger(new_bucket, last_scan=before)

    assert "it is gone or another one" in whys(look(account, new_bucket, types=["aws_vpc"]), "state network")[0]


def test_old_copy_of_a_state_is_no_older_version_of_it(account: Account, new_bucket: Bucket) -> None:
    lineage = "lineage-network/terraform.tfstate"
    new_bucket.put("network", ("aws_vpc", vpc_of(account)), serial=20)
    new_bucket.put("old/copy", ("aws_vpc", vpc_of(account)), lineage=lineage, serial=3)
    before = last_scan(serial=20)
    before["states"]["old/copy"] = {"lineage": lineage, "serial": 3, "managed": 1}
    write_ledger(new_bucket, last_scan=before)

    assert look(account, new_bucket, types=["aws_vpc"])["complete"]


def test_what_terraform_leaves_as_a_backup_is_no_state(account: Account, new_bucket: Bucket) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    new_bucket.put("network/terraform.tfstate.backup", ("aws_vpc", vpc_of(account)))

    found = look(account, new_bucket, types=["aws_vpc"])

    assert [each["key"] for each in found["states"]] == ["network/terraform.tfstate"]


def test_states_beside_the_ledger_are_read(account: Account, new_bucket: Bucket) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    new_bucket.put("network/more", ("aws_vpc", vpc_of(account)))
    new_bucket.put("gitops-drift/no/state", ("aws_vpc", vpc_of(account)))
    s3 = account.client("s3")
    content = {"version": 1, "first_seen": {}, "quarantined": {}, "last_scan": None}
    s3.put_object(Bucket=new_bucket.name, Key="network/ledger", Body=json.dumps(content).encode())

    found = look(account, new_bucket, types=["aws_vpc"], ledger_key="network/ledger")

    assert found["complete"]
    assert {each["key"] for each in found["states"]} == {"network/terraform.tfstate", "network/more"}
    assert found["api_calls"]["s3:GetObject"] == 3


def test_empty_state_is_a_problem_and_a_folder_is_none(account: Account, new_bucket: Bucket) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    s3 = account.client("s3")
    s3.put_object(Bucket=new_bucket.name, Key="folder/", Body=b"")
    assert look(account, new_bucket, types=["aws_vpc"])["complete"]
    s3.put_object(Bucket=new_bucket.name, Key="empty.tfstate", Body=b"")

    found = look(account, new_bucket, types=["aws_vpc"])

    assert [(each["what"], each["why"]) for each in found["problems"]] == [("state empty.tfstate", "it is empty")]


def test_state_that_goes_away_while_it_is_read(
    monkeypatch: pytest.MonkeyPatch, account: Account, new_bucket: Bucket
) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    key = new_bucket.put("gone", ("aws_vpc", vpc_of(account)))
    s3 = account.client("s3")
    interfere(monkeypatch, "GetObject", key, lambda _content: s3.delete_object(Bucket=new_bucket.name, Key=key))

    found = look(account, new_bucket, types=["aws_vpc"])

    assert whys(found, f"state {key}") == ["it went away while this was reading"]


def test_state_that_went_back(account: Account, new_bucket: Bucket) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    write_ledger(new_bucket, last_scan=last_scan(serial=2))

    assert "an older version is back" in whys(look(account, new_bucket, types=["aws_vpc"]), "state network")[0]


def test_states_that_have_lost_most_of_what_they_managed(account: Account, new_bucket: Bucket) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    write_ledger(new_bucket, last_scan=last_scan(managed=2))
    assert look(account, new_bucket, types=["aws_vpc"])["complete"]
    write_ledger(new_bucket, last_scan=last_scan(managed=3))

    assert whys(look(account, new_bucket, types=["aws_vpc"]), "all states") == [
        "they manage 1 resources, and managed 3 in the last scan"
    ]


def test_ledger_that_cannot_be_understood_ends_the_scan(account: Account, new_bucket: Bucket) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    write_ledger(new_bucket, version=2)

    with pytest.raises(ModuleFailed, match=r"it is not a ledger of version 1.*Fix: restore an earlier version"):
        look(account, new_bucket, types=["aws_vpc"])


def lock_in_table(bucket: Bucket, key: str, info: bytes) -> None:
    item = {"LockID": {"S": f"{bucket.name}/{key}"}, "Info": {"S": info.decode()}}
    bucket.account.client("dynamodb").put_item(TableName=bucket.table, Item=item)


def lock_file(bucket: Bucket, key: str, info: bytes) -> None:
    bucket.account.client("s3").put_object(Bucket=bucket.name, Key=f"{key}.tflock", Body=info)


@pytest.mark.parametrize("lock", [lock_in_table, lock_file])
@pytest.mark.parametrize("key", ["network/terraform.tfstate", "new/terraform.tfstate"])
def test_running_apply(
    account: Account, new_bucket: Bucket, lock: Callable[[Bucket, str, bytes], None], key: str
) -> None:
    """Also one whose state is not there yet."""
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    info = {"ID": "0aa1", "Operation": "OperationTypeApply", "Who": "ada@laptop", "Created": "2026-11-26T04:00:00Z"}
    lock(new_bucket, key, json.dumps(info).encode())

    found = look(account, new_bucket, types=["aws_vpc"])

    assert "held by ada@laptop for apply" in whys(found, f"state {key}")[0]


def test_locks_that_cannot_be_read(account: Account, bucket: Bucket) -> None:
    found = look(denied(account, "dynamodb:Scan"), bucket, types=["aws_vpc"])

    assert "AccessDenied" in whys(found, "locks of the states")[0]


def test_trails_that_cannot_be_read(account: Account, bucket: Bucket) -> None:
    found = look(denied(account, "cloudtrail:DescribeTrails"), bucket, types=["aws_vpc"])

    assert "what they need is not known" in whys(found, "CloudTrail's trails")[0]


def test_encryption_of_the_states_that_cannot_be_read(account: Account, bucket: Bucket) -> None:
    found = look(denied(account, "s3:GetEncryptionConfiguration"), bucket, types=["aws_vpc"])

    assert "the key of the states is not known" in whys(found, f"encryption of {bucket.name}")[0]


def answering(monkeypatch: pytest.MonkeyPatch, operation: str, code: str, after: int = 0) -> None:
    """Has AWS refuse an operation with this code, but for the first few calls."""
    original, calls = Aws.client, []

    def refuse(**_event: Any) -> Any:
        calls.append(operation)
        if len(calls) <= after:
            return None
        return SimpleNamespace(status_code=400), {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {}}

    def client(self: Aws, service: str) -> Any:
        made = original(self, service)
        name = made.meta.service_model.service_id.hyphenize()
        made.meta.events.register_first(f"before-call.{name}.{operation}", refuse, unique_id=operation)
        return made

    monkeypatch.setattr(Aws, "client", client)
    monkeypatch.setattr(Account, "calls_since", lambda _self, _before, _number: [])


def looked(account: Account, bucket: Bucket, **more: Any) -> dict[str, Any]:
    """A scan whose calls do not all reach AWS, so that there is nothing to count."""
    given: dict[str, Any] = {
        "region": REGION,
        "endpoint_url": account.endpoint_url,
        "access_key": account.caller["AccessKeyId"],
    }
    given |= {"secret_key": account.caller["SecretAccessKey"], "breadth": False, "attribution_calls": 0}
    return run_module("unmanaged_resources_info", {**given, **bucket.arguments(**more)})


def test_throttled_list(monkeypatch: pytest.MonkeyPatch, account: Account, bucket: Bucket) -> None:
    answering(monkeypatch, "ListQueues", "RequestThrottled")

    found = looked(account, bucket, types=["aws_sqs_queue"])

    assert "listing is throttled" in whys(found, "aws_sqs_queue in eu-central-1")[0]
    assert [each["status"] for each in found["coverage"]] == ["throttled"]


def test_service_that_is_not_there_is_no_problem(
    monkeypatch: pytest.MonkeyPatch, account: Account, bucket: Bucket
) -> None:
    """But nothing that a state has of it is a ghost."""
    answering(monkeypatch, "DescribeFileSystems", "OptInRequired")

    found = looked(account, bucket, types=["aws_efs_file_system"])

    assert found["complete"]
    assert [each["status"] for each in found["coverage"]] == ["unsupported"]
    assert found["ghosts"] == []


def test_list_that_fails_on_a_later_page(monkeypatch: pytest.MonkeyPatch, account: Account, bucket: Bucket) -> None:
    """What the first pages had is not judged: what explains it may be on those that are missing."""
    prefix = unique("page")
    users = [f"{prefix}-{number}" for number in range(3)]
    for name in users:
        account.client("sqs").create_queue(QueueName=name)
    monkeypatch.setitem(catalogue.ALL["aws_sqs_queue"].list.parameters, "MaxResults", 1)
    answering(monkeypatch, "ListQueues", "InternalError", after=1)

    found = looked(account, bucket, types=["aws_sqs_queue"])

    assert "listing is failed" in whys(found, "aws_sqs_queue in eu-central-1")[0]
    assert [each["seen"] for each in found["coverage"]] == [1]
    assert {each["verdict"] for each in found["resources"]} == {"incomplete"}


def test_creators_that_cannot_be_read_are_a_note(account: Account, bucket: Bucket) -> None:
    queue = account.client("sqs").create_queue(QueueName=unique("anonymous"))["QueueUrl"]

    found = look(denied(account, "cloudtrail:LookupEvents"), bucket, types=["aws_sqs_queue"], attribution_calls=9)

    assert found["complete"]
    assert one(found, queue)["creator"] is None
    assert not one(found, queue)["creator_asked"]
    assert "LookupEvents is denied" in found["notes"][0]["why"]


def test_nobody_knows_and_nobody_has_asked_are_told_apart(account: Account, new_bucket: Bucket) -> None:
    new_bucket.put("network", ("aws_vpc", vpc_of(account)))
    sqs = account.client("sqs")
    queues = [sqs.create_queue(QueueName=unique("asked"))["QueueUrl"] for _number in range(2)]

    def asked(**more: Any) -> list[tuple[bool, bool]]:
        found = look(account, new_bucket, types=["aws_sqs_queue"], **more)
        seen = [each for each in found["resources"] if each["id"] in queues]
        return sorted((each["creator"] is not None, each["creator_asked"]) for each in seen)

    assert asked() == [(False, False), (False, False)]
    assert asked(attribution_calls=100) == [(True, True), (True, True)]
    # Explaining one asks for that one.
    before = len(account.log())
    assert asked(attribution_calls=100, explain=queues[0]) == [(True, True)]
    assert sum("LookupEvents" in call["action"] for call in account.log()[before:]) == 1


# What is refused before any call


def test_another_account_than_expected(account: Account, bucket: Bucket) -> None:
    assert look(account, bucket, types=["aws_vpc"], expected_account_id=ACCOUNT)["complete"]
    with pytest.raises(ModuleFailed, match="the credentials are of account 123456789012") as raised:
        look(account, bucket, types=["aws_vpc"], expected_account_id="999999999999")
    assert raised.value.result["api_calls"] == {"sts:GetCallerIdentity": 1}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"types": ["aws_instanse"]}, "types: aws_instanse is no type that is known"),
        ({"scope": {}}, "scope: it claims nothing"),
        ({"scope": {"account": True, "name_prefix": "x"}}, "scope: account is everything in it"),
        ({"regions": []}, "regions: \\[\\] means none"),
        ({"min_age_hours": -1}, "min_age_hours: -1.0 is not allowed"),
        ({"ledger_key": "ledger.json"}, "ledger_key: ledger.json has no folder"),
        ({"entries": [{"match": {"tgas": {}}}]}, "entries\\[0\\].match.tgas: unknown, did you mean tags"),
        ({"scope": {"tag": {"a": "b"}}}, "scope.tag: there is no such option. Did you mean tags"),
    ],
)
def test_wrong_input_is_refused_before_any_call(
    account: Account, bucket: Bucket, options: dict[str, Any], problem: str
) -> None:
    before = len(account.log())

    with pytest.raises(ModuleFailed, match=problem):
        look(account, bucket, **options)
    assert len(account.log()) == before


def test_nothing_of_states_and_elements_is_returned(account: Account, new_bucket: Bucket) -> None:
    database = managed("aws_db_instance", {"id": "db-ABC", "password": "hunter2hunter2"})
    new_bucket.put("network", ("aws_vpc", vpc_of(account)), database, outputs={"p": {"value": "hunter2hunter2"}})
    role = account.client("iam").create_role(
        RoleName=unique("service"), AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}'
    )
    environment = {"Variables": {"PASSWORD": "hunter2hunter2"}}
    account.client("lambda").create_function(
        FunctionName=unique("secret"),
        Role=role["Role"]["Arn"],
        Runtime="python3.12",
        Handler="a.b",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
        Environment=environment,
    )

    found = look(account, new_bucket, types=["aws_lambda_function", "aws_vpc", "aws_db_instance"])

    assert one(found, found["resources"][0]["id"])
    assert "hunter2" not in json.dumps(found)


def test_clock_is_asked_once(monkeypatch: pytest.MonkeyPatch, account: Account, bucket: Bucket) -> None:
    """All ages are of one moment."""
    monkeypatch.setattr(scan, "clock", lambda: datetime(2031, 1, 1, tzinfo=UTC))

    found = look(account, bucket, types=["aws_dynamodb_table"], min_age_hours=24)

    assert found["time"] == "2031-01-01T00:00:00Z"
    assert one(found, bucket.table)["age_hours"] > 24 * 365
