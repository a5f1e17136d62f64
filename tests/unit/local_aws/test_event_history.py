# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudTrail's event history has the management events of all callers, by what they are about, without secrets."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import trail, trail_events
from tests.unit.local_aws.support import ACCOUNT, REGION, Keys, LocalAws, allow, unique
from tests.unit.local_aws.test_mfa import role, session
from tests.unit.local_aws.test_ministack_fixes import denied

EVERYTHING = allow("*")


def events(local_aws: LocalAws, key: str, value: str, region: str = REGION, **more: Any) -> list[dict[str, Any]]:
    """The events of a lookup, the newest first, each with its detail."""
    found = local_aws.client("cloudtrail", region=region).lookup_events(
        LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}], **more
    )["Events"]
    return [{**event, "detail": json.loads(event["CloudTrailEvent"])} for event in found]


def creation(local_aws: LocalAws, name: str, region: str = REGION) -> dict[str, Any]:
    """The one call that made what has this name."""
    made = [event for event in events(local_aws, "ResourceName", name, region) if event["ReadOnly"] == "false"]
    return made[-1]


def test_what_is_told_of_a_call_of_a_user(local_aws: LocalAws) -> None:
    name = unique("user")
    keys = local_aws.user(name, EVERYTHING)
    before = datetime.now(UTC) - timedelta(seconds=1)
    vpc = local_aws.client("ec2", keys, user_agent_extra="ours/1.0").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    event = creation(local_aws, vpc)
    assert (event["EventName"], event["EventSource"], event["Username"], event["ReadOnly"], event["AccessKeyId"]) == (
        "CreateVpc",
        "ec2.amazonaws.com",
        name,
        "false",
        keys.access_key_id,
    )
    assert before <= event["EventTime"] <= datetime.now(UTC)
    assert {"ResourceType": "AWS::EC2::VPC", "ResourceName": vpc} in event["Resources"]
    detail = event["detail"]
    assert detail["userIdentity"] == {
        "type": "IAMUser",
        "principalId": detail["userIdentity"]["principalId"],
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
        "accessKeyId": keys.access_key_id,
        "userName": name,
    }
    assert detail["requestParameters"] == {"cidrBlock": "10.9.0.0/16"}
    assert detail["responseElements"]["vpc"]["vpcId"] == vpc
    assert detail["userAgent"].endswith("ours/1.0")
    assert (detail["sourceIPAddress"], detail["awsRegion"], detail["recipientAccountId"]) == (
        "127.0.0.1",
        REGION,
        ACCOUNT,
    )
    assert (detail["eventID"], detail["readOnly"], detail["eventCategory"]) == (event["EventId"], False, "Management")
    assert "errorCode" not in detail


def test_what_is_told_of_sessions_and_of_root(local_aws: LocalAws) -> None:
    arn = role(local_aws, EVERYTHING, condition={})
    made = session(local_aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="ada"))
    queue = unique("queue")
    local_aws.client("sqs", made).create_queue(QueueName=queue)
    event = creation(local_aws, queue)
    assert event["Username"] == "ada"
    who = event["detail"]["userIdentity"]
    assert (who["type"], who["arn"].rpartition(":")[2]) == ("AssumedRole", f"assumed-role/{arn.rpartition('/')[2]}/ada")
    issuer = who["sessionContext"]["sessionIssuer"]
    assert (issuer["type"], issuer["arn"], issuer["accountId"]) == ("Role", arn, ACCOUNT)
    topic = unique("topic")
    local_aws.client("sns", Keys("test", "test")).create_topic(Name=topic)
    event = creation(local_aws, topic)
    assert event["Username"] == "root"
    who = event["detail"]["userIdentity"]
    assert (who["type"], who["arn"]) == ("Root", f"arn:aws:iam::{ACCOUNT}:root")


def test_instances_are_told_of_with_what_was_made_for_them(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.1.0/24")["Subnet"]["SubnetId"]
    instance = ec2.run_instances(
        ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1, SubnetId=subnet, UserData="#!hush"
    )["Instances"][0]
    volume = instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    for name in (instance["InstanceId"], volume, subnet):
        assert "RunInstances" in [event["EventName"] for event in events(local_aws, "ResourceName", name)]
    assert creation(local_aws, subnet)["EventName"] == "CreateSubnet"
    assert "running" not in [each["ResourceName"] for each in creation(local_aws, volume)["Resources"]]


@pytest.mark.parametrize("kind", ["bucket", "role", "parameter", "secret", "log group", "rule", "table", "key", "lb"])
def test_names_and_arns_find_a_creation(local_aws: LocalAws, kind: str) -> None:
    name, region = unique("made"), REGION
    arn = ""
    if kind == "bucket":
        name = local_aws.bucket("made")
    elif kind == "role":
        arn, region = local_aws.role(name, "ec2.amazonaws.com"), "us-east-1"
    elif kind == "parameter":
        local_aws.client("ssm").put_parameter(Name=name, Value="v", Type="String")
    elif kind == "secret":
        arn = local_aws.client("secretsmanager").create_secret(Name=name, SecretString="v")["ARN"]
    elif kind == "log group":
        local_aws.client("logs").create_log_group(logGroupName=name)
    elif kind == "rule":
        arn = local_aws.client("events").put_rule(Name=name, ScheduleExpression="rate(1 day)")["RuleArn"]
    elif kind == "table":
        arn = local_aws.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )["TableDescription"]["TableArn"]
    elif kind == "key":
        made = local_aws.client("kms").create_key()["KeyMetadata"]
        name, arn = made["KeyId"], made["Arn"]
    else:
        ec2 = local_aws.client("ec2")
        subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"] if each["DefaultForAz"]]
        elb = local_aws.client("elbv2")
        arn = elb.create_load_balancer(Name=name, Subnets=subnets[:2])["LoadBalancers"][0]["LoadBalancerArn"]
    for looked_up in filter(None, (name, arn)):
        assert creation(local_aws, looked_up, region)["EventName"].startswith(("Create", "Put"))


def test_refused_calls_say_so_and_no_parameters(local_aws: LocalAws) -> None:
    nobody = unique("nobody")
    ec2 = local_aws.client("ec2", local_aws.user(nobody, allow("s3:*")))
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        ec2.create_vpc(CidrBlock="10.7.0.0/16")
    event = events(local_aws, "Username", nobody)[0]
    detail = event["detail"]
    assert detail["errorCode"] == "UnauthorizedOperation"
    assert "ec2:CreateVpc" in detail["errorMessage"]
    assert (detail["requestParameters"], detail["responseElements"]) == (None, None)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        local_aws.client("iam").get_role(RoleName=nobody)
    found = events(local_aws, "ResourceName", nobody, "us-east-1")
    assert [event["detail"].get("errorCode") for event in found if event["EventName"] == "GetRole"] == ["NoSuchEntity"]


def test_calls_about_data_and_with_wrong_signatures_are_not_told(local_aws: LocalAws) -> None:
    name = unique("user")
    keys = local_aws.user(name, EVERYTHING)
    bucket = local_aws.bucket("data")
    local_aws.client("s3", keys).put_object(Bucket=bucket, Key="k", Body=b"v")
    local_aws.client("s3", keys).get_object(Bucket=bucket, Key="k")
    with pytest.raises(ClientError):
        local_aws.client("ec2", Keys(keys.access_key_id, "wrong")).describe_vpcs()
    assert events(local_aws, "Username", name) == []
    local_aws.client("s3", keys).get_bucket_location(Bucket=bucket)
    assert [event["EventName"] for event in events(local_aws, "Username", name)] == ["GetBucketLocation"]


def test_no_secret_is_told(local_aws: LocalAws) -> None:
    name, secret = unique("secret"), f"Hush1{unique('x')}!"
    keys = local_aws.user(name, EVERYTHING)
    iam = local_aws.client("iam", keys)
    iam.create_user(UserName=f"{name}-2")
    iam.create_login_profile(UserName=f"{name}-2", Password=secret)
    made = iam.create_access_key(UserName=f"{name}-2")["AccessKey"]
    seed = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]["Base32StringSeed"].decode()
    local_aws.client("ssm", keys).put_parameter(Name=f"/{name}", Value=secret, Type="SecureString")
    local_aws.client("secretsmanager", keys).create_secret(Name=name, SecretString=secret)
    of_connection: dict[str, Any] = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": secret}}
    of_connection["InvocationHttpParameters"] = {"HeaderParameters": [{"Key": "X-More", "Value": secret}]}
    local_aws.client("events", keys).create_connection(
        Name=name, AuthorizationType="API_KEY", AuthParameters=of_connection
    )
    token = local_aws.client("sts", keys).get_session_token()["Credentials"]
    found = events(local_aws, "Username", name, "us-east-1") + events(local_aws, "Username", name)
    names = {event["EventName"] for event in found}
    assert {"CreateLoginProfile", "CreateAccessKey", "PutParameter", "CreateSecret", "GetSessionToken"} <= names
    text = "".join(event["CloudTrailEvent"] for event in found)
    for hidden in (secret, made["SecretAccessKey"], seed, token["SecretAccessKey"], token["SessionToken"]):
        assert hidden not in text


@pytest.mark.parametrize(
    ("service", "given"),
    [
        ("rds", {"MasterUserPassword": "hush"}),
        ("ec2", {"Nested": [{"UserData": "hush"}]}),
        ("lambda", {"Environment": {"Variables": {"A": "hush"}}}),
        ("kms", {"Plaintext": "hush"}),
        ("elasticache", {"AuthToken": "hush"}),
        ("codebuild", {"environmentVariables": [{"name": "A", "value": "hush"}]}),
        ("cloudformation", {"Parameters": [{"ParameterKey": "A", "ParameterValue": "hush"}]}),
    ],
)
def test_secrets_of_further_calls(service: str, given: dict[str, Any]) -> None:
    assert "hush" not in json.dumps(trail_events.without_secrets(service, given))


def test_pages_have_fifty_events_and_the_newest_first(local_aws: LocalAws) -> None:
    name = unique("many")
    logs = local_aws.client("logs", local_aws.user(name, EVERYTHING))
    for number in range(60):
        logs.create_log_group(logGroupName=f"{name}-{number}")
    pages = list(
        local_aws.client("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": name}])
    )
    assert [len(page["Events"]) for page in pages] == [50, 10]
    names = [event["Resources"][0]["ResourceName"] for page in pages for event in page["Events"]]
    assert names == [f"{name}-{number}" for number in reversed(range(60))]
    assert len(events(local_aws, "Username", name, MaxResults=7)) == 7


def test_events_are_of_their_region_and_iam_is_in_one(local_aws: LocalAws) -> None:
    name = unique("where")
    local_aws.client("sqs", region="eu-west-1").create_queue(QueueName=name)
    assert creation(local_aws, name, "eu-west-1")["detail"]["awsRegion"] == "eu-west-1"
    assert events(local_aws, "ResourceName", name) == []
    local_aws.role(name, "ec2.amazonaws.com")
    assert events(local_aws, "ResourceName", name) == []
    assert creation(local_aws, name, "us-east-1")["detail"]["awsRegion"] == "us-east-1"


def test_lookups_that_aws_refuses(local_aws: LocalAws) -> None:
    trail = local_aws.client("cloudtrail")
    two = [{"AttributeKey": "EventName", "AttributeValue": "a"}, {"AttributeKey": "Username", "AttributeValue": "b"}]
    refused: dict[str, dict[str, Any]] = {
        "InvalidLookupAttributesException": {"LookupAttributes": two},
        "InvalidMaxResultsException": {"MaxResults": 51},
        "InvalidTimeRangeException": {"StartTime": time.time(), "EndTime": time.time() - 60},
        "InvalidNextTokenException": {"NextToken": "no"},
    }
    for code, asked in refused.items():
        with pytest.raises(ClientError, match=code):
            trail.lookup_events(**asked)
    nobody = local_aws.client("cloudtrail", local_aws.user(unique("nobody"), allow("s3:*")))
    assert "cloudtrail:LookupEvents" in denied(nobody.lookup_events)


def test_times_narrow_a_lookup(local_aws: LocalAws) -> None:
    name = unique("when")
    local_aws.client("sqs").create_queue(QueueName=name)
    now = datetime.now(UTC)
    assert events(local_aws, "ResourceName", name, StartTime=now - timedelta(minutes=1))
    assert not events(local_aws, "ResourceName", name, EndTime=now - timedelta(minutes=1))
    assert not events(local_aws, "ResourceName", name, StartTime=now + timedelta(minutes=1))


def test_the_memory_has_an_end_and_reads_do_not_drive_out_writes() -> None:
    history = trail._History()
    for number in range(trail.READS + trail.WRITES + 10):
        read = "true" if number % 2 else "false"
        history.add(trail._Event(0, number, "", "", "", "", read, "", (), ""))
    for number in range(trail.READS):
        history.add(trail._Event(0, 10**6 + number, "", "", "", "", "true", "", (), ""))
    kept = list(history.newest_first())
    assert len([event for event in kept if event.read_only == "true"]) == trail.READS
    assert kept[-1].number == 0
    assert [event.number for event in kept] == sorted((event.number for event in kept), reverse=True)
