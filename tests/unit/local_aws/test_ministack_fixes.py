# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local AWS decides as AWS does where MiniStack alone would not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import ACCOUNT, REGION, Keys, LocalAws, allow, eventually, unique

LOCATION = {"LocationConstraint": REGION}


def denied(call: Callable[..., Any], **arguments: Any) -> str:
    """The message of a call that must be denied."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] in ("AccessDenied", "AccessDeniedException"), error
    return str(error["Message"])


@pytest.fixture
def bucket(local_aws: LocalAws) -> str:
    name = unique("bucket")
    local_aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=LOCATION)
    return name


def bucket_policy(local_aws: LocalAws, bucket: str, **statement: Any) -> None:
    local_aws.client("s3").put_bucket_policy(
        Bucket=bucket,
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Principal": "*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]} | statement
                ],
            }
        ),
    )


def assumed(local_aws: LocalAws, role: str, *statements: dict[str, Any], path: str = "/") -> Keys:
    """A session of a new role that the administrator assumes."""
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    arn = local_aws.client("iam").create_role(
        RoleName=role, Path=path, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    local_aws.policy(role, *statements)
    made = local_aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="one")["Credentials"]
    return Keys(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


@pytest.mark.parametrize("path", ["/", "/gitops/"])
def test_principal_arn_of_an_assumed_role_is_the_role(path: str, local_aws: LocalAws, bucket: str) -> None:
    role, other = unique("role"), unique("other")
    inside = assumed(local_aws, role, allow("s3:*"), path=path)
    outside = assumed(local_aws, other, allow("s3:*"))
    bucket_policy(
        local_aws,
        bucket,
        Effect="Deny",
        Action="s3:PutObject",
        Condition={"ArnNotLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role{path}{role}"}},
    )
    local_aws.client("s3", inside).put_object(Bucket=bucket, Key="a", Body=b"")
    denied(local_aws.client("s3", outside).put_object, Bucket=bucket, Key="a", Body=b"")


def test_only_marked_requests_count_as_plain_http(local_aws: LocalAws, bucket: str) -> None:
    bucket_policy(local_aws, bucket, Effect="Deny", Action="s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})
    s3 = local_aws.client("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    s3.meta.events.register(
        "before-send.s3", lambda request, **_: request.headers.__setitem__("X-Local-Aws-Plain-Http", "true")
    )
    assert "explicit deny" in denied(s3.put_object, Bucket=bucket, Key="a", Body=b"")


def test_s3_objects_under_a_key_need_the_key(local_aws: LocalAws, bucket: str) -> None:
    key = local_aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    local_aws.client("s3").put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}]
        },
    )
    name = unique("user")
    plain = local_aws.client("s3", local_aws.user(name, allow("s3:*")))
    assert "kms:GenerateDataKey" in denied(plain.put_object, Bucket=bucket, Key="a", Body=b"x")
    assert "kms:GenerateDataKey" in denied(
        plain.put_object, Bucket=bucket, Key="a", Body=b"x", ServerSideEncryption="aws:kms"
    )
    plain.put_object(Bucket=bucket, Key="a", Body=b"x", ServerSideEncryption="AES256")
    via_s3 = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    writer = local_aws.client(
        "s3", local_aws.user(name, allow("s3:*"), allow("kms:GenerateDataKey", key, Condition=via_s3))
    )
    assert writer.put_object(Bucket=bucket, Key="a", Body=b"x")["SSEKMSKeyId"] == key
    assert "kms:Decrypt" in denied(writer.get_object, Bucket=bucket, Key="a")
    assert writer.head_object(Bucket=bucket, Key="a")["SSEKMSKeyId"] == key
    assert "kms:Decrypt" in denied(writer.create_multipart_upload, Bucket=bucket, Key="b")
    reader = local_aws.client("s3", local_aws.user(name, allow("s3:*"), allow("kms:Decrypt", key, Condition=via_s3)))
    assert reader.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"


def test_the_key_policy_counts_for_s3(local_aws: LocalAws, bucket: str) -> None:
    kms = local_aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    user = unique("user")
    s3 = local_aws.client("s3", local_aws.user(user, allow(["s3:*", "kms:*"])))
    arguments = {"Bucket": bucket, "Key": "a", "Body": b"x", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.put_object(**arguments)
    kms.put_key_policy(
        KeyId=key,
        PolicyName="default",
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/admin"},
                        "Action": "kms:*",
                        "Resource": "*",
                    }
                ],
            }
        ),
    )
    assert "kms:GenerateDataKey" in denied(s3.put_object, **arguments)
    with pytest.raises(ClientError, match="Invalid keyId"):
        s3.put_object(**arguments | {"SSEKMSKeyId": "alias/none"})


def test_kms_encryption_without_a_key_is_the_accounts_own(local_aws: LocalAws, bucket: str) -> None:
    s3 = local_aws.client("s3", local_aws.user(unique("user"), allow("s3:*")))
    found = s3.put_object(Bucket=bucket, Key="a", Body=b"x", ServerSideEncryption="aws:kms")
    assert found["SSEKMSKeyId"].startswith(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"


def test_parameters_under_a_key_need_the_key(local_aws: LocalAws) -> None:
    key = local_aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    prefix, name = f"/{unique('app')}", unique("user")
    ssm = local_aws.client("ssm")
    ssm.put_parameter(Name=f"{prefix}/own", Value="secret", Type="SecureString", KeyId=key)
    ssm.put_parameter(Name=f"{prefix}/aws", Value="secret", Type="SecureString")
    may_read = allow("ssm:GetParameter*", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{prefix}/*")
    user = local_aws.client("ssm", local_aws.user(name, may_read))
    assert user.get_parameters(Names=[f"{prefix}/aws"], WithDecryption=True)["Parameters"][0]["Value"] == "secret"
    assert user.get_parameter(Name=f"{prefix}/own")["Parameter"]["Value"] != "secret"
    assert "kms:Decrypt" in denied(user.get_parameters, Names=[f"{prefix}/own"], WithDecryption=True)
    user = local_aws.client(
        "ssm",
        local_aws.user(
            name,
            may_read,
            allow(
                "kms:Decrypt",
                key,
                Condition={
                    "StringEquals": {
                        "kms:EncryptionContext:PARAMETER_ARN": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{prefix}/own"
                    }
                },
            ),
        ),
    )
    assert user.get_parameter(Name=f"{prefix}/own", WithDecryption=True)["Parameter"]["Value"] == "secret"
    writer = local_aws.client("ssm", local_aws.user(name, allow("ssm:PutParameter")))
    assert "kms:Encrypt" in denied(
        writer.put_parameter, Name=f"{prefix}/new", Value="x", Type="SecureString", KeyId=key
    )


def test_every_named_parameter_must_be_allowed(local_aws: LocalAws) -> None:
    prefix = f"/{unique('app')}"
    ssm = local_aws.client("ssm")
    for part in ("a", "b"):
        ssm.put_parameter(Name=f"{prefix}/{part}", Value=part, Type="String")
    arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{prefix}"
    user = local_aws.client(
        "ssm",
        local_aws.user(unique("user"), allow("ssm:GetParameters", f"{arn}/a"), allow("ssm:GetParametersByPath", arn)),
    )
    assert user.get_parameters(Names=[f"{prefix}/a"])["Parameters"][0]["Value"] == "a"
    assert f"{prefix}/b" in denied(user.get_parameters, Names=[f"{prefix}/a", f"{prefix}/b"])
    assert len(user.get_parameters_by_path(Path=prefix)["Parameters"]) == 2
    denied(user.get_parameters_by_path, Path="/")


def test_secrets_under_a_key_need_the_key(local_aws: LocalAws) -> None:
    key = local_aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    secret, name = unique("secret"), unique("user")
    local_aws.client("secretsmanager").create_secret(Name=secret, SecretString="s", KmsKeyId=key)
    user = local_aws.client("secretsmanager", local_aws.user(name, allow("secretsmanager:*")))
    assert "kms:Decrypt" in denied(user.get_secret_value, SecretId=secret)
    assert "kms:GenerateDataKey" in denied(user.put_secret_value, SecretId=secret, SecretString="t")
    assert "kms:GenerateDataKey" in denied(user.create_secret, Name=f"{secret}-2", SecretString="t", KmsKeyId=key)
    user = local_aws.client(
        "secretsmanager", local_aws.user(name, allow("secretsmanager:*"), allow("kms:Decrypt", key))
    )
    assert user.get_secret_value(SecretId=secret)["SecretString"] == "s"


def test_get_resources_answers_in_pages(local_aws: LocalAws) -> None:
    connections, value = local_aws.client("codeconnections"), unique("value")
    arns = {
        connections.create_connection(
            ConnectionName=unique("tagged"), ProviderType="GitHub", Tags=[{"Key": "page", "Value": value}]
        )["ConnectionArn"]
        for _ in range(3)
    }
    tagging = local_aws.client("resourcegroupstaggingapi")
    pages = list(
        tagging.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": "page", "Values": [value]}],
            ResourcesPerPage=2,
            ResourceTypeFilters=["codeconnections:connection"],
        )
    )
    assert [len(page["ResourceTagMappingList"]) for page in pages] == [2, 1]
    assert {item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"]} == arns


def test_resource_tags_count_in_policies(local_aws: LocalAws) -> None:
    connections = local_aws.client("codeconnections")
    mine, other = (
        connections.create_connection(
            ConnectionName=unique(team), ProviderType="GitHub", Tags=[{"Key": "team", "Value": team}]
        )["ConnectionArn"]
        for team in ("mine", "other")
    )
    user = local_aws.client(
        "codeconnections",
        local_aws.user(
            unique("user"),
            allow("codeconnections:GetConnection", Condition={"StringEquals": {"aws:ResourceTag/team": "mine"}}),
        ),
    )
    user.get_connection(ConnectionArn=mine)
    denied(user.get_connection, ConnectionArn=other)


def test_the_call_log_names_the_caller(local_aws: LocalAws) -> None:
    role = unique("role")
    session = assumed(local_aws, role, allow("sts:*"))
    denied(local_aws.client("s3", session).create_bucket, Bucket=unique("no"), CreateBucketConfiguration=LOCATION)
    found = eventually(lambda: [call for call in local_aws.calls() if call["access_key_id"] == session.access_key_id])
    (call,) = found
    assert (call["service"], call["action"], call["status"], call["error_code"]) == (
        "s3",
        "s3:CreateBucket",
        403,
        "AccessDenied",
    )
    assert call["principal_arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/one"
    assert call["resource"].startswith("arn:aws:s3:::no-")
    assert "LocationConstraint" not in json.dumps(call)


def test_a_policy_can_name_the_key_of_uploads(local_aws: LocalAws, bucket: str) -> None:
    arn, other = (local_aws.client("kms").create_key()["KeyMetadata"]["Arn"] for _number in range(2))
    wrong = {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": arn}}
    bucket_policy(local_aws, bucket, Effect="Deny", Action="s3:PutObject", Condition=wrong)
    s3 = local_aws.client("s3")
    where = {"Bucket": bucket, "Key": "state"}
    for headers in ({}, {"ServerSideEncryption": "aws:kms"}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": other}):
        denied(s3.put_object, **where, **headers)
    right = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": arn}
    s3.put_object(**where, **right)
    upload = s3.create_multipart_upload(**where, **right)["UploadId"]
    part = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts)


def test_log_streams_are_what_a_role_may_write(local_aws: LocalAws) -> None:
    group = unique("/group/")
    local_aws.client("logs").create_log_group(logGroupName=group)
    streams = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:mine/*"
    keys = local_aws.user(unique("writer"), allow(["logs:CreateLogStream", "logs:PutLogEvents"], streams))
    logs = local_aws.client("logs", keys)
    logs.create_log_stream(logGroupName=group, logStreamName="mine/1")
    event = [{"timestamp": 1_700_000_000_000, "message": "text"}]
    logs.put_log_events(logGroupName=group, logStreamName="mine/1", logEvents=event)
    denied(logs.create_log_stream, logGroupName=group, logStreamName="yours/1")
    denied(logs.put_log_events, logGroupName=group, logStreamName="yours/1", logEvents=event)


def test_an_alias_and_the_key_behind_it(local_aws: LocalAws) -> None:
    arn, other = (local_aws.client("kms").create_key()["KeyMetadata"]["Arn"] for _number in range(2))
    mine, yours = f"alias/{unique('mine')}", f"alias/{unique('yours')}"
    alias_arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:{mine}"
    keys = local_aws.user(unique("owner"), allow(["kms:CreateAlias", "kms:DescribeKey"], [alias_arn, arn]))
    kms = local_aws.client("kms", keys)
    kms.create_alias(AliasName=mine, TargetKeyId=arn)
    denied(kms.create_alias, AliasName=yours, TargetKeyId=arn)
    assert kms.describe_key(KeyId=mine)["KeyMetadata"]["Arn"] == arn
    local_aws.client("kms").create_alias(AliasName=yours, TargetKeyId=other)
    denied(kms.describe_key, KeyId=yours)


def test_a_managed_policy_that_is_to_be_created(local_aws: LocalAws) -> None:
    mine = [f"arn:aws:iam::{ACCOUNT}:policy/mine/*", f"arn:aws:iam::{ACCOUNT}:policy/plain-*"]
    iam = local_aws.client("iam", local_aws.user(unique("author"), allow(["iam:CreatePolicy"], mine)))
    policy = {"PolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [allow(["s3:GetObject"])]})}
    iam.create_policy(PolicyName=unique("policy"), Path="/mine/", **policy)
    iam.create_policy(PolicyName=unique("plain"), **policy)
    denied(iam.create_policy, PolicyName=unique("policy"), Path="/yours/", **policy)
    denied(iam.create_policy, PolicyName=unique("policy"), **policy)


def test_a_table_that_is_named_by_its_arn(local_aws: LocalAws) -> None:
    arns = []
    for table in (unique("mine"), unique("yours")):
        answer = local_aws.client("dynamodb").create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        arns.append(answer["TableDescription"]["TableArn"])
    keys = local_aws.user(unique("reader"), allow(["dynamodb:ListTagsOfResource"], arns[0]))
    dynamodb = local_aws.client("dynamodb", keys)
    dynamodb.list_tags_of_resource(ResourceArn=arns[0])
    denied(dynamodb.list_tags_of_resource, ResourceArn=arns[1])


def test_a_rule_by_its_name_is_what_a_user_may_change(local_aws: LocalAws) -> None:
    name, bus = unique("mine"), unique("bus")
    local_aws.client("events").create_event_bus(Name=bus)
    arns = [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{path}" for path in (name, f"{bus}/{name}")]
    events = local_aws.client("events", local_aws.user(unique("owner"), allow("events:*", arns)))
    target = {"Id": "t", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"}
    for where in ({}, {"EventBusName": bus}):
        made = events.put_rule(Name=name, EventPattern='{"source": ["x"]}', **where)["RuleArn"]
        events.put_targets(Rule=name, Targets=[target], **where)
        events.list_targets_by_rule(Rule=name, **where)
        events.tag_resource(ResourceARN=made, Tags=[{"Key": "a", "Value": "1"}])
        events.remove_targets(Rule=name, Ids=["t"], **where)
        denied(events.put_rule, Name=f"{name}-other", EventPattern='{"source": ["x"]}', **where)
        denied(events.put_targets, Rule=f"{name}-other", Targets=[target], **where)
        denied(events.list_tags_for_resource, ResourceARN=f"{made}-other")


def test_a_topic_whose_tags_are_meant(local_aws: LocalAws) -> None:
    mine, yours = (local_aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"] for _number in range(2))
    sns = local_aws.client("sns", local_aws.user(unique("owner"), allow("sns:*", mine)))
    sns.tag_resource(ResourceArn=mine, Tags=[{"Key": "a", "Value": "1"}])
    with pytest.raises(ClientError, match="not authorized to perform"):
        sns.tag_resource(ResourceArn=yours, Tags=[{"Key": "a", "Value": "1"}])


def test_a_rule_is_replaced_as_a_whole(local_aws: LocalAws) -> None:
    events, name = local_aws.client("events"), unique("rule")
    pattern = {"Name": name, "EventPattern": '{"source": ["x"]}'}
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    tags = [{"Key": "a", "Value": "1"}]
    arn = events.put_rule(**pattern, Description="d", RoleArn=role, State="DISABLED", Tags=tags)["RuleArn"]
    events.put_rule(**pattern, Tags=[{"Key": "b", "Value": "2"}])
    rule = events.describe_rule(Name=name)
    assert (rule.get("Description"), rule.get("RoleArn"), rule["State"]) == (None, None, "ENABLED")
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags
    with pytest.raises(ClientError, match="EventPattern or ScheduleExpression must be specified"):
        events.put_rule(Name=name, Description="d")


def test_a_rule_with_targets_is_not_deleted_and_has_five_at_most(local_aws: LocalAws) -> None:
    events, name = local_aws.client("events"), unique("rule")
    events.put_rule(Name=name, EventPattern='{"source": ["x"]}')
    targets = [{"Id": each, "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"} for each in "abcdef"]
    events.put_targets(Rule=name, Targets=targets[:4])
    events.put_targets(Rule=name, Targets=targets[:5])
    with pytest.raises(ClientError, match="LimitExceededException"):
        events.put_targets(Rule=name, Targets=targets[5:])
    with pytest.raises(ClientError, match="Rule can't be deleted since it has targets"):
        events.delete_rule(Name=name)
    events.remove_targets(Rule=name, Ids=list("abcde"))
    events.delete_rule(Name=name)


def test_a_bus_that_is_not_there_has_no_rules_to_list(local_aws: LocalAws) -> None:
    events = local_aws.client("events")
    events.list_rules(EventBusName="default")
    events.list_rules(EventBusName=f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default")
    with pytest.raises(ClientError, match="Event bus none does not exist"):
        events.list_rules(EventBusName="none")


def test_mail_waits_for_its_reader(local_aws: LocalAws) -> None:
    sns = local_aws.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    mail = {"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"}
    assert sns.subscribe(**mail)["SubscriptionArn"] == "pending confirmation"
    assert sns.subscribe(**mail)["SubscriptionArn"] == "pending confirmation"
    queue = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:q")
    assert queue["SubscriptionArn"].startswith(f"{topic}:")
    for listed in (sns.list_subscriptions_by_topic(TopicArn=topic), sns.list_subscriptions()):
        arns = [each["SubscriptionArn"] for each in listed["Subscriptions"] if each["TopicArn"] == topic]
        assert arns == ["PendingConfirmation", queue["SubscriptionArn"]]
    for subscriber in (mail, {"TopicArn": topic, "Protocol": "https", "Endpoint": "https://127.0.0.1:9/hook"}):
        arn = sns.subscribe(**subscriber, ReturnSubscriptionArn=True)["SubscriptionArn"]
        assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "true"
    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsPending"] == "1"


def test_the_details_of_roles_name_their_permissions_boundary(local_aws: LocalAws) -> None:
    iam, bounded, free = local_aws.client("iam"), unique("role"), unique("role")
    trust = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:*")]})
    boundary = iam.create_policy(PolicyName=unique("boundary"), PolicyDocument=document)["Policy"]["Arn"]
    for role, more in ((bounded, {"PermissionsBoundary": boundary}), (free, {})):
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=policy, **more)
    pages = iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"])
    found = {role["RoleName"]: role for page in pages for role in page["RoleDetailList"]}

    assert found[bounded]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert "PermissionsBoundary" not in found[free]
