# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the modules: an item, its changes with how AWS shows each, and an item that AWS refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.integration.modules.harness import ACCOUNT, REGION, Account, World

Item = dict[str, Any]
ALLOW_ALL_OF_ACCOUNT = {
    "Sid": "Account",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "kms:*",
    "Resource": "*",
}


def document(*statements: Item) -> Item:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: str) -> Item:
    """A statement for an identity's policy."""
    return {"Effect": "Allow", "Action": action, "Resource": "*"}


def trust(service: str) -> Item:
    """A trust policy for a service of AWS."""
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


@dataclass
class Change:
    """One change of an item.

    Attributes:
        options: what the item says after it; all of it must appear in the diff, and nothing else.
        shown: a part of what AWS answers about the resource when it is asked past the module.
    """

    options: Item
    shown: Any


@dataclass
class Case:
    """One module.

    Attributes:
        item: the options of a new item, beside its name.
        changes: changes in their order, each on top of those before.
        look: what AWS answers about the resource; `shown` of each change must be contained in it.
        refused: options that AWS refuses, on top of `item`, and a part of AWS's reason.
        deletion: options that a deletion needs beside the name.
        tagged: whether AWS has tags for it.
    """

    module: str
    plural: str
    name: Callable[[str], str]
    item: Callable[[World], Item]
    changes: Callable[[World, str], list[Change]]
    look: Callable[[Account, str], Any]
    refused: tuple[Item, str]
    key: str = "name"
    deletion: Item | None = None
    tagged: bool = True

    def new(self, world: World, unique: str, **options: Any) -> Item:
        """An item with a name of its own."""
        return {self.key: self.name(unique), **self.item(world), **options}

    def __str__(self) -> str:
        return self.module


def contained(part: Any, whole: Any) -> bool:
    """Whether all that `part` says is so in `whole`; `None` in a dictionary means that there is no such key."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key not in whole if value is None else key in whole and contained(value, whole[key])
            for key, value in part.items()
        )
    return bool(part == whole)


# --- KMS


def look_at_key(account: Account, alias: str) -> Any:
    kms = account.client("kms")
    key = kms.describe_key(KeyId=alias)["KeyMetadata"]
    policy = kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]
    rotation = kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
    return {**key, "Sids": [each.get("Sid") for each in json.loads(policy)["Statement"]], "Rotation": rotation}


KMS = Case(
    module="kms_keys",
    plural="kms_keys",
    key="alias",
    name="alias/{}".format,
    item=lambda world: {"description": "first", "enable_key_rotation": True},
    changes=lambda world, name: [
        Change({"description": "second"}, {"Description": "second"}),
        Change({"description": ""}, {"Description": ""}),
        Change({"enable_key_rotation": False}, {"Rotation": False}),
        Change({"policy": document(ALLOW_ALL_OF_ACCOUNT | {"Sid": "Changed"})}, {"Sids": ["Changed"]}),
    ],
    look=look_at_key,
    refused=({"alias": "alias/denied"}, "kms:CreateAlias"),
    deletion={"pending_window": 7},
)

# --- S3

RULE = {"id": "old", "noncurrent_version_expiration": {"noncurrent_days": 30, "newer_noncurrent_versions": 3}}
UPLOADS = {
    "id": "broken",
    "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
    "filter": {"prefix": "a/"},
}
TAGGED = {"id": "markers", "status": "Disabled", "expiration": {"expired_object_delete_marker": True}}


def tls_only(bucket: str, sid: str = "OnlyTLS") -> Item:
    return document(
        {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def look_at_bucket(account: Account, bucket: str) -> Any:
    s3 = account.client("s3")

    def read(operation: str, result: str) -> Any:
        try:
            return getattr(s3, operation)(Bucket=bucket).get(result)
        except s3.exceptions.ClientError as error:
            return error.response["Error"]["Code"]

    encryption = read("get_bucket_encryption", "ServerSideEncryptionConfiguration")
    rules = read("get_bucket_lifecycle_configuration", "Rules")
    return {
        "Versioning": read("get_bucket_versioning", "Status"),
        "Encryption": encryption["Rules"][0] if isinstance(encryption, dict) else encryption,
        "Public": read("get_public_access_block", "PublicAccessBlockConfiguration"),
        "Ownership": read("get_bucket_ownership_controls", "OwnershipControls"),
        "Policy": read("get_bucket_policy", "Policy"),
        "Rules": [rule["ID"] for rule in rules] if isinstance(rules, list) else rules,
    }


def bucket_changes(world: World, name: str) -> list[Change]:
    everything = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    kms = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": world.key}
    return [
        Change({"versioning": False}, {"Versioning": "Suspended"}),
        Change({"versioning": True}, {"Versioning": "Enabled"}),
        Change(
            {"encryption": {"kms_key_id": world.key}},
            {"Encryption": {"ApplyServerSideEncryptionByDefault": kms, "BucketKeyEnabled": True}},
        ),
        Change({"encryption": {"bucket_key": False}}, {"Encryption": {"BucketKeyEnabled": False}}),
        Change(
            {"encryption": {"algorithm": "AES256"}},
            {"Encryption": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256", "KMSMasterKeyID": None}}},
        ),
        Change({"block_public_access": False}, {"Public": "NoSuchPublicAccessBlockConfiguration"}),
        Change({"block_public_access": True}, {"Public": dict.fromkeys(everything, True)}),
        Change(
            {"object_ownership": "BucketOwnerPreferred"},
            {"Ownership": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}},
        ),
        Change({"lifecycle_rules": [UPLOADS, RULE]}, {"Rules": ["broken", "old"]}),
        Change({"lifecycle_rules": [TAGGED]}, {"Rules": ["markers"]}),
        Change({"lifecycle_rules": []}, {"Rules": "NoSuchLifecycleConfiguration"}),
        Change({"policy": tls_only(name)}, {}),
        Change({"policy": tls_only(name, "Renamed")}, {}),
        Change({"policy": {}}, {"Policy": "NoSuchBucketPolicy"}),
    ]


S3 = Case(
    module="s3_buckets",
    plural="buckets",
    name="bucket-{}".format,
    item=lambda world: {
        "versioning": True,
        "encryption": {"algorithm": "AES256"},
        "block_public_access": True,
        "object_ownership": "BucketOwnerEnforced",
        "lifecycle_rules": [RULE],
    },
    changes=bucket_changes,
    look=look_at_bucket,
    refused=({"name": "denied-bucket"}, "s3:CreateBucket"),
)

# --- DynamoDB


def look_at_table(account: Account, name: str) -> Any:
    dynamodb = account.client("dynamodb")
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    table = dynamodb.describe_table(TableName=name)["Table"]
    try:
        policy = json.loads(dynamodb.get_resource_policy(ResourceArn=table["TableArn"])["Policy"])
    except dynamodb.exceptions.PolicyNotFoundException:
        return {**table, **backups}
    return {**table, **backups, "Policy": policy}


def keep_from_strangers(table: str, sid: str) -> Item:
    """A table's policy."""
    return document(
        {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "dynamodb:PutItem",
            "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}",
            "Condition": {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}},
        }
    )


DYNAMODB = Case(
    module="dynamodb_tables",
    plural="tables",
    name="table-{}".format,
    item=lambda world: {
        "hash_key": {"name": "LockID"},
        "kms_key_id": world.key,
        "point_in_time_recovery": True,
        "deletion_protection": True,
    },
    changes=lambda world, name: [
        Change({"kms_key_id": world.another_key}, {"SSEDescription": {"KMSMasterKeyArn": world.another_key}}),
        Change({"kms_key_id": ""}, {}),
        Change(
            {"point_in_time_recovery": False},
            {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}},
        ),
        Change({"deletion_protection": False}, {"DeletionProtectionEnabled": False}),
        Change({"policy": keep_from_strangers(name, "One")}, {"Policy": keep_from_strangers(name, "One")}),
        Change({"policy": keep_from_strangers(name, "Another")}, {"Policy": keep_from_strangers(name, "Another")}),
        Change({"policy": {}}, {"Policy": None}),
    ],
    look=look_at_table,
    refused=({"name": "denied"}, "dynamodb:DescribeTable"),
    deletion={"deletion_protection": False},
)

# --- CloudWatch Logs


def look_at_log_group(account: Account, name: str) -> Any:
    return account.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]


LOGS = Case(
    module="log_groups",
    plural="log_groups",
    name="/modules/{}".format,
    item=lambda world: {"retention_in_days": 30, "kms_key_id": world.key},
    changes=lambda world, name: [
        Change({"retention_in_days": 365}, {"retentionInDays": 365}),
        Change({"retention_in_days": 0}, {"retentionInDays": None}),
    ],
    look=look_at_log_group,
    refused=({"name": "/modules/denied"}, "logs:CreateLogGroup"),
)

# --- SSM


def look_at_parameter(account: Account, name: str) -> Any:
    ssm = account.client("ssm")
    filters = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    described = ssm.describe_parameters(ParameterFilters=filters)["Parameters"][0]
    return {**described, "Value": ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]}


SSM = Case(
    module="ssm_parameters",
    plural="parameters",
    name="/modules/{}".format,
    item=lambda world: {"value": "first-secret", "key_id": world.key, "description": "first"},
    changes=lambda world, name: [
        Change({"value": "second-secret"}, {"Value": "second-secret", "Type": "SecureString", "KeyId": world.key}),
        Change({"description": "second"}, {"Description": "second", "Value": "second-secret"}),
        Change({"key_id": world.another_key}, {"KeyId": world.another_key, "Value": "second-secret"}),
        Change({"tier": "Advanced"}, {"Tier": "Advanced"}),
    ],
    look=look_at_parameter,
    refused=({"name": "/modules/denied"}, "ssm:PutParameter"),
)

# --- IAM


def look_at_role(account: Account, name: str) -> Any:
    iam = account.client("iam")
    role = iam.get_role(RoleName=name)["Role"]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    return {
        **role,
        "Inline": iam.list_role_policies(RoleName=name)["PolicyNames"],
        "Managed": sorted(policy["PolicyName"] for policy in attached),
        "Trusted": role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"],
    }


READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
POWER = "arn:aws:iam::aws:policy/PowerUserAccess"

IAM = Case(
    module="iam_roles",
    plural="roles",
    name="role-{}".format,
    item=lambda world: {
        "path": "/modules/",
        "description": "first",
        "assume_role_policy": trust("codebuild.amazonaws.com"),
        "inline_policies": {"one": document(allow("s3:GetObject")), "two": document(allow("s3:PutObject"))},
        "managed_policies": [READ_ONLY],
        "max_session_duration": 7200,
    },
    changes=lambda world, name: [
        Change({"description": "second"}, {"Description": "second", "MaxSessionDuration": 7200}),
        Change({"max_session_duration": 3600}, {"MaxSessionDuration": 3600, "Description": "second"}),
        Change(
            {"assume_role_policy": trust("codepipeline.amazonaws.com")},
            {"Trusted": {"Service": "codepipeline.amazonaws.com"}},
        ),
        Change({"inline_policies": {"three": document(allow("s3:GetObject"))}}, {"Inline": ["three"]}),
        Change({"inline_policies": {}}, {"Inline": []}),
        Change({"managed_policies": [POWER, READ_ONLY]}, {"Managed": ["PowerUserAccess", "ReadOnlyAccess"]}),
        Change({"managed_policies": []}, {"Managed": []}),
        Change({"permissions_boundary": POWER}, {"PermissionsBoundary": {"PermissionsBoundaryArn": POWER}}),
        Change({"permissions_boundary": ""}, {"PermissionsBoundary": None}),
    ],
    look=look_at_role,
    refused=({"name": "denied"}, "iam:CreateRole"),
)


def look_at_policy(account: Account, name: str) -> Any:
    iam = account.client("iam")
    arn = f"arn:aws:iam::{ACCOUNT}:policy/modules/{name}"
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    return {**policy, "Document": version["Document"]}


POLICIES = Case(
    module="iam_policies",
    plural="policies",
    name="policy-{}".format,
    item=lambda world: {"path": "/modules/", "description": "first", "policy": document(allow("s3:GetObject"))},
    changes=lambda world, name: [
        Change(
            {"policy": document(allow("s3:PutObject"))},
            {"Document": document(allow("s3:PutObject")), "DefaultVersionId": "v2", "Description": "first"},
        ),
    ],
    look=look_at_policy,
    refused=({"name": "denied"}, "iam:CreatePolicy"),
)

# --- SNS


def look_at_topic(account: Account, name: str) -> Any:
    sns = account.client("sns")
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    subscriptions = {
        each["Endpoint"].rpartition(":")[2]: sns.get_subscription_attributes(SubscriptionArn=each["SubscriptionArn"])[
            "Attributes"
        ]
        for each in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
        if each["SubscriptionArn"] != "PendingConfirmation"
    }
    return {**attributes, "Statement": json.loads(attributes["Policy"])["Statement"], "Subscriptions": subscriptions}


def queue(name: str, **settings: Any) -> Item:
    """A subscription of a queue."""
    return {"protocol": "sqs", "endpoint": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", **settings}


def topic_changes(world: World, name: str) -> list[Change]:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
    publish = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": arn,
    }
    state = {"detail": {"state": ["FAILED"]}}
    dead = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
    everything = queue(
        "a",
        raw_message_delivery=True,
        filter_policy=state,
        filter_policy_scope="MessageBody",
        redrive_policy_target=dead,
    )
    everything_shown = {
        "RawMessageDelivery": "true",
        "FilterPolicy": json.dumps(state),
        "FilterPolicyScope": "MessageBody",
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead}),
    }
    flat = queue("a", filter_policy={"state": ["FAILED"]})
    nothing_shown = {"RawMessageDelivery": "false", "FilterPolicy": "{}", "RedrivePolicy": "{}"}
    return [
        Change({"display_name": "Second"}, {"DisplayName": "Second"}),
        Change({"display_name": ""}, {"DisplayName": ""}),
        Change({"kms_key_id": world.another_key}, {"KmsMasterKeyId": world.another_key}),
        Change({"kms_key_id": ""}, {"KmsMasterKeyId": ""}),
        Change({"policy": document(publish)}, {"Statement": [publish]}),
        Change({"subscriptions": [queue("b"), queue("a")]}, {"Subscriptions": {"a": {}, "b": {}}}),
        Change({"subscriptions": [queue("c"), everything]}, {"Subscriptions": {"a": everything_shown, "b": None}}),
        Change(
            {"subscriptions": [flat]},
            {"Subscriptions": {"a": {"FilterPolicyScope": "MessageAttributes", "RedrivePolicy": "{}"}, "c": None}},
        ),
        Change({"subscriptions": [queue("a")]}, {"Subscriptions": {"a": nothing_shown}}),
        Change({"subscriptions": []}, {"Subscriptions": {"a": None}}),
    ]


TOPICS = Case(
    module="sns_topics",
    plural="topics",
    name="topic-{}".format,
    item=lambda world: {
        "display_name": "First",
        "kms_key_id": world.key,
        "subscriptions": [queue("a"), {"protocol": "email", "endpoint": "somebody@example.com"}],
    },
    changes=topic_changes,
    look=look_at_topic,
    refused=({"name": "denied"}, "sns:CreateTopic"),
)

# --- SQS


def look_at_queue(account: Account, name: str) -> Any:
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    parsed = {each: json.loads(attributes[each]) for each in ("Policy", "RedrivePolicy") if each in attributes}
    return {**attributes, **parsed}


def queue_changes(world: World, name: str) -> list[Change]:
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    send = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    numbers = {"message_retention_period": 1209600, "delay_seconds": 900, "maximum_message_size": 1024}
    # A queue is there that can have the dead letters: the queue itself.
    redrive = {"dead_letter_target_arn": arn, "max_receive_count": 5}
    return [
        Change({"visibility_timeout": 0}, {"VisibilityTimeout": "0", "DelaySeconds": "1"}),
        Change(
            numbers,
            {"MessageRetentionPeriod": "1209600", "DelaySeconds": "900", "MaximumMessageSize": "1024"},
        ),
        Change(
            {"kms_master_key_id": world.key, "sqs_managed_sse_enabled": False},
            {"KmsMasterKeyId": world.key, "SqsManagedSseEnabled": "false"},
        ),
        Change({"kms_master_key_id": world.another_key}, {"KmsMasterKeyId": world.another_key}),
        Change(
            {"sqs_managed_sse_enabled": True, "kms_master_key_id": ""},
            {"SqsManagedSseEnabled": "true", "KmsMasterKeyId": None},
        ),
        Change({"sqs_managed_sse_enabled": False}, {"SqsManagedSseEnabled": "false", "KmsMasterKeyId": None}),
        Change({"policy": document(send)}, {"Policy": document(send), "VisibilityTimeout": "0"}),
        Change({"policy": {}}, {"Policy": None}),
        Change(redrive, {"RedrivePolicy": {"deadLetterTargetArn": arn, "maxReceiveCount": 5}}),
        Change({"max_receive_count": 1000}, {"RedrivePolicy": {"deadLetterTargetArn": arn, "maxReceiveCount": 1000}}),
        # The count is no more without it, so that both are in the diff.
        Change({"dead_letter_target_arn": "", "max_receive_count": None}, {"RedrivePolicy": None}),
    ]


QUEUES = Case(
    module="sqs_queues",
    plural="queues",
    name="queue-{}".format,
    item=lambda world: {"visibility_timeout": 60, "delay_seconds": 1},
    changes=queue_changes,
    look=look_at_queue,
    refused=({"name": "denied"}, "sqs:CreateQueue"),
)

# --- CloudWatch


def look_at_alarm(account: Account, name: str) -> Any:
    return account.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]


def alarm_changes(world: World, name: str) -> list[Change]:
    topics = [f"arn:aws:sns:{REGION}:{ACCOUNT}:{each}" for each in ("one", "two")]
    metric = {"namespace": "Other", "metric_name": "Others", "dimensions": {"B": 2, "A": True}}
    dimensions = [{"Name": "A", "Value": "true"}, {"Name": "B", "Value": "2"}]
    return [
        # Each leaves the others as they are, though AWS drops what is not sent along.
        Change({"description": "second"}, {"AlarmDescription": "second", "AlarmActions": topics[:1]}),
        Change(metric, {"Namespace": "Other", "MetricName": "Others", "Dimensions": dimensions}),
        Change({"statistic": "Sum", "period": 10}, {"Statistic": "Sum", "Period": 10, "Dimensions": dimensions}),
        Change({"evaluation_periods": 5}, {"EvaluationPeriods": 5, "DatapointsToAlarm": None}),
        Change({"datapoints_to_alarm": 3}, {"EvaluationPeriods": 5, "DatapointsToAlarm": 3}),
        Change(
            {"threshold": -0.5, "comparison_operator": "LessThanThreshold"},
            {"Threshold": -0.5, "ComparisonOperator": "LessThanThreshold", "DatapointsToAlarm": 3},
        ),
        Change({"treat_missing_data": "breaching"}, {"TreatMissingData": "breaching", "Threshold": -0.5}),
        Change({"actions_enabled": False}, {"ActionsEnabled": False, "AlarmActions": topics[:1]}),
        Change({"alarm_actions": topics[::-1]}, {"AlarmActions": topics, "ActionsEnabled": False}),
        Change(
            {"ok_actions": topics[:1], "insufficient_data_actions": topics[1:]},
            {"OKActions": topics[:1], "InsufficientDataActions": topics[1:], "AlarmActions": topics},
        ),
        Change(
            {"threshold": 0, "description": "", "dimensions": {}, "alarm_actions": [], "actions_enabled": True},
            {"Threshold": 0.0, "Dimensions": [], "AlarmActions": [], "OKActions": topics[:1], "ActionsEnabled": True},
        ),
    ]


ALARMS = Case(
    module="cloudwatch_alarms",
    plural="alarms",
    name="alarm-{}".format,
    item=lambda world: {
        "description": "first",
        "namespace": "Test",
        "metric_name": "Errors",
        "dimensions": {"QueueName": "none"},
        "statistic": "Maximum",
        "period": 60,
        "evaluation_periods": 1,
        "threshold": 0,
        "comparison_operator": "GreaterThanThreshold",
        "treat_missing_data": "notBreaching",
        "alarm_actions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:one"],
    },
    changes=alarm_changes,
    look=look_at_alarm,
    refused=({"name": "denied"}, "cloudwatch:PutMetricAlarm"),
)

# --- EventBridge


def look_at_rule(account: Account, name: str) -> Any:
    events = account.client("events")
    rule = events.describe_rule(Name=name)
    targets = {each["Id"]: each for each in events.list_targets_by_rule(Rule=name)["Targets"]}
    pattern = json.loads(rule["EventPattern"]) if "EventPattern" in rule else None
    return {**rule, "Pattern": pattern, "Targets": targets}


def target(id_: str, **settings: Any) -> Item:
    """A topic as a target."""
    return {"id": id_, "arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{id_}", **settings}


def rule_changes(world: World, name: str) -> list[Change]:
    pattern = {"source": ["aws.codepipeline"], "detail": {"state": [{"anything-but": "STARTED"}], "n": [1, True]}}
    transformer = {"input_paths_map": {"state": "$.detail.state"}, "input_template": '"<state>"'}
    delivery = {
        "dead_letter_arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead",
        "maximum_event_age_in_seconds": 3600,
        "maximum_retry_attempts": 0,
    }
    delivery_shown = {
        "DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"},
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 0},
    }
    destination = target(
        "d",
        arn=f"arn:aws:events:{REGION}:{ACCOUNT}:api-destination/d/11111111-2222-3333-4444-555555555555",
        role_arn=world.role,
        http_parameters={"header_parameters": {"X-Number": 1}, "path_parameter_values": ["a"]},
    )
    return [
        # Each leaves the others as they are, though AWS drops what is not sent along.
        Change({"description": "second"}, {"Description": "second", "Pattern": {"source": ["one"]}}),
        Change({"role_arn": world.role}, {"RoleArn": world.role, "Description": "second", "State": "ENABLED"}),
        Change({"all_management_events": True}, {"State": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}),
        Change({"all_management_events": False}, {"State": "ENABLED", "RoleArn": world.role}),
        Change({"enabled": False}, {"State": "DISABLED", "RoleArn": world.role}),
        Change({"event_pattern": pattern}, {"Pattern": pattern, "State": "DISABLED", "Targets": {"a": {}}}),
        Change(
            {"schedule_expression": "rate(1 hour)", "event_pattern": {}},
            {"ScheduleExpression": "rate(1 hour)", "EventPattern": None, "Description": "second"},
        ),
        Change(
            {"event_pattern": pattern, "schedule_expression": ""},
            {"Pattern": pattern, "ScheduleExpression": None, "State": "DISABLED"},
        ),
        Change({"description": "", "role_arn": "", "enabled": True}, {"Description": None, "RoleArn": None}),
        Change({"targets": [target("b"), target("a")]}, {"Targets": {"a": {"RetryPolicy": None}, "b": {}}}),
        Change(
            {"targets": [target("c", input={"x": 1}), target("b", input_transformer=transformer)]},
            {
                "Targets": {
                    "a": None,
                    "b": {
                        "InputTransformer": {"InputPathsMap": {"state": "$.detail.state"}, "InputTemplate": '"<state>"'}
                    },
                    "c": {"Input": '{"x":1}'},
                }
            },
        ),
        Change(
            {"targets": [target("b", input_path="$.detail"), target("c", **delivery), destination]},
            {
                "Targets": {
                    "b": {"InputPath": "$.detail", "InputTransformer": None},
                    "c": {**delivery_shown, "Input": None},
                    "d": {
                        "RoleArn": world.role,
                        "HttpParameters": {"HeaderParameters": {"X-Number": "1"}, "PathParameterValues": ["a"]},
                    },
                }
            },
        ),
        # Five in the place of three others: at no time are they more than AWS allows.
        Change(
            {"targets": [target(each) for each in "vwxyz"]},
            {"Targets": {**{each: {} for each in "vwxyz"}, **dict.fromkeys("abcd")}},
        ),
        Change({"targets": []}, {"Targets": {}}),
    ]


RULES = Case(
    module="eventbridge_rules",
    plural="rules",
    name="rule-{}".format,
    item=lambda world: {"description": "first", "event_pattern": {"source": ["one"]}, "targets": [target("a")]},
    changes=rule_changes,
    look=look_at_rule,
    refused=({"name": "denied"}, "events:PutRule"),
)

# --- EventBridge's connections and API destinations

EVENT_CONNECTIONS_THERE = ("world-one", "world-two")


def look_at_event_connection(account: Account, name: str) -> Any:
    found = account.client("events").describe_connection(Name=name)
    secret = account.root("secretsmanager").get_secret_value(SecretId=found["SecretArn"])["SecretString"]
    return {**found, "Secret": json.loads(secret)}


def event_connection_changes(world: World, name: str) -> list[Change]:
    parameters = {
        "header_parameters": [{"key": "X-B", "value": "2", "is_value_secret": False}, {"key": "X-A", "value": "hush"}],
        "query_string_parameters": [{"key": "sig", "value": "hush"}],
    }
    body = {"body_parameters": [{"key": "who", "value": "ada", "is_value_secret": False}]}
    plain = {"Key": "X-B", "Value": "2", "IsValueSecret": False}
    secret = {"Key": "X-A", "Value": "hush", "IsValueSecret": True}
    return [
        # Each leaves the others as they are.
        Change({"description": "second"}, {"Description": "second", "Secret": {"api_key_value": "first"}}),
        Change(
            {"api_key": {"name": "X-Key", "value": "second"}},
            {"Description": "second", "Secret": {"api_key_name": "X-Key", "api_key_value": "second"}},
        ),
        Change(
            {"api_key": {"name": "X-Key-3", "value": "third"}, "invocation_http_parameters": parameters},
            {
                "Secret": {
                    "api_key_value": "third",
                    "invocation_http_parameters": {
                        "HeaderParameters": [secret, plain],
                        "QueryStringParameters": [{"Key": "sig", "Value": "hush", "IsValueSecret": True}],
                    },
                }
            },
        ),
        Change(
            {
                "api_key": {"name": "X-Key-4", "value": "fourth"},
                "invocation_http_parameters": {"header_parameters": [], "query_string_parameters": [], **body},
            },
            {"Secret": {"invocation_http_parameters": {"HeaderParameters": None, "QueryStringParameters": None}}},
        ),
        Change(
            {"api_key": {"name": "X-Key-5", "value": "fifth"}, "invocation_http_parameters": {}},
            {"Secret": {"api_key_value": "fifth", "invocation_http_parameters": None}},
        ),
        Change({"description": ""}, {"Description": "", "Secret": {"api_key_value": "fifth"}}),
    ]


EVENT_CONNECTIONS = Case(
    module="eventbridge_connections",
    plural="connections",
    name="connection-{}".format,
    item=lambda world: {"description": "first", "api_key": {"name": "Authorization", "value": "first"}},
    changes=event_connection_changes,
    look=look_at_event_connection,
    refused=({"name": "denied"}, "events:CreateConnection"),
    tagged=False,
)


def look_at_api_destination(account: Account, name: str) -> Any:
    found = account.client("events").describe_api_destination(Name=name)
    return {**found, "Connection": found["ConnectionArn"].split("/")[1]}


API_DESTINATIONS = Case(
    module="eventbridge_api_destinations",
    plural="api_destinations",
    name="destination-{}".format,
    item=lambda world: {
        "description": "first",
        "connection": EVENT_CONNECTIONS_THERE[0],
        "invocation_endpoint": "https://example.com/one",
    },
    changes=lambda world, name: [
        # Each leaves the others as they are.
        Change({"description": "second"}, {"Description": "second", "HttpMethod": "POST"}),
        Change({"connection": EVENT_CONNECTIONS_THERE[1]}, {"Connection": "world-two", "Description": "second"}),
        Change(
            {"invocation_endpoint": "https://example.com/*/x?a=1"},
            {"InvocationEndpoint": "https://example.com/*/x?a=1", "Description": "second"},
        ),
        Change({"http_method": "PUT"}, {"HttpMethod": "PUT", "InvocationRateLimitPerSecond": 300}),
        Change({"invocation_rate_limit_per_second": 1}, {"InvocationRateLimitPerSecond": 1, "HttpMethod": "PUT"}),
        Change({"description": ""}, {"Description": "", "Connection": "world-two"}),
    ],
    look=look_at_api_destination,
    refused=({"name": "denied"}, "events:CreateApiDestination"),
    tagged=False,
)

# --- EventBridge Scheduler


def look_at_schedule(account: Account, name: str) -> Any:
    return account.client("scheduler").get_schedule(Name=name)


def start(world: World, **settings: Any) -> Item:
    """A pipeline as a schedule's target."""
    return {"arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:none", "role_arn": world.role, **settings}


def schedule_changes(world: World, name: str) -> list[Change]:
    retried = {"dead_letter_arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead", "maximum_retry_attempts": 0}
    everything = {"schedule_expression": "cron(0 4 * * ? *)", "schedule_expression_timezone": "Europe/Berlin"}
    return [
        # Each leaves the others as they are, though AWS drops what is not sent along.
        Change({"description": "second"}, {"Description": "second", "State": "ENABLED"}),
        Change({"enabled": False}, {"Description": "second", "State": "DISABLED"}),
        Change(
            everything,
            {"ScheduleExpression": "cron(0 4 * * ? *)", "ScheduleExpressionTimezone": "Europe/Berlin"},
        ),
        Change(
            {"maximum_window_in_minutes": 15},
            {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}, "State": "DISABLED"},
        ),
        Change(
            {"target": start(world, input={"x": 1}, **retried)},
            {
                "Target": {
                    "Input": '{"x":1}',
                    "DeadLetterConfig": {"Arn": retried["dead_letter_arn"]},
                    "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 86400},
                }
            },
        ),
        Change(
            {"target": start(world, role_arn=world.another_role)},
            {"Target": {"Input": '{"x":1}', "RoleArn": world.another_role}},
        ),
        Change(
            {"maximum_window_in_minutes": 0, "description": "", "enabled": True},
            {"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": None}, "State": "ENABLED"},
        ),
    ]


SCHEDULES = Case(
    module="scheduler_schedules",
    plural="schedules",
    name="schedule-{}".format,
    item=lambda world: {"description": "first", "schedule_expression": "rate(365 days)", "target": start(world)},
    changes=schedule_changes,
    look=look_at_schedule,
    refused=({"name": "denied"}, "scheduler:CreateSchedule"),
)

# --- Step Functions


def look_at_machine(account: Account, name: str) -> Any:
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"
    machine = account.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
    return {**machine, "States": json.loads(machine["definition"])["States"]}


def passes(output: str) -> Item:
    """A definition of one state."""
    state = {"Type": "Pass", "Output": {"said": output, "by": "{% $states.context.Execution.Name %}"}, "End": True}
    return {"QueryLanguage": "JSONata", "StartAt": "Say", "States": {"Say": state}}


def machine_changes(world: World, name: str) -> list[Change]:
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/modules/machines"
    destination = [{"cloudWatchLogsLogGroup": {"logGroupArn": f"{group}:*"}}]
    off = {"level": "OFF", "includeExecutionData": False, "destinations": []}
    second = passes("\u00fcber")
    return [
        # Each leaves the others as they are.
        Change({"definition": second}, {"States": second["States"], "roleArn": world.role}),
        Change({"role_arn": world.another_role}, {"States": second["States"], "roleArn": world.another_role}),
        Change({"tracing_enabled": True}, {"tracingConfiguration": {"enabled": True}, "roleArn": world.another_role}),
        Change(
            {"logging_configuration": {"level": "ERROR", "log_group_arn": f"{group}:*"}},
            {"loggingConfiguration": {"level": "ERROR", "includeExecutionData": False, "destinations": destination}},
        ),
        Change(
            {"logging_configuration": {"include_execution_data": True}},
            {
                "loggingConfiguration": {"level": "ERROR", "includeExecutionData": True, "destinations": destination},
                "tracingConfiguration": {"enabled": True},
            },
        ),
        Change({"logging_configuration": {}}, {"loggingConfiguration": off}),
        Change({"tracing_enabled": False}, {"tracingConfiguration": {"enabled": False}}),
    ]


MACHINES = Case(
    module="stepfunctions_state_machines",
    plural="state_machines",
    name="machine-{}".format,
    item=lambda world: {"definition": passes("hello"), "role_arn": world.role},
    changes=machine_changes,
    look=look_at_machine,
    refused=({"name": "denied"}, "states:CreateStateMachine"),
)

# --- CodeStar Notifications


def look_at_notification_rule(account: Account, name: str) -> Any:
    api = account.client("codestar-notifications")
    pages = api.get_paginator("list_notification_rules").paginate()
    arns = [each["Arn"] for page in pages for each in page["NotificationRules"]]
    described = (api.describe_notification_rule(Arn=arn) for arn in arns)
    rule = next(each for each in described if each["Name"] == name)
    events = [each["EventTypeId"].removeprefix("codebuild-project-build-") for each in rule["EventTypes"]]
    return {**rule, "Events": events, "Addresses": [each["TargetAddress"] for each in rule["Targets"]]}


def notification_rule(world: World) -> Item:
    return {
        "resource": world.project,
        "event_type_ids": ["codebuild-project-build-state-succeeded", "codebuild-project-build-state-failed"],
        "targets": [{"target_address": f"arn:aws:sns:{REGION}:{ACCOUNT}:one"}],
    }


def notification_rule_changes(world: World, name: str) -> list[Change]:
    topics = [f"arn:aws:sns:{REGION}:{ACCOUNT}:{each}" for each in ("one", "two")]
    channel = f"arn:aws:chatbot::{ACCOUNT}:chat-configuration/slack-channel/x"
    both = [{"target_type": "AWSChatbotSlack", "target_address": channel}, {"target_address": topics[1]}]
    return [
        Change({"detail_type": "BASIC"}, {"DetailType": "BASIC", "Events": ["state-failed", "state-succeeded"]}),
        Change({"event_type_ids": ["codebuild-project-build-phase-failure"]}, {"Events": ["phase-failure"]}),
        Change({"enabled": False}, {"Status": "DISABLED", "DetailType": "BASIC", "Addresses": topics[:1]}),
        Change({"targets": both}, {"Addresses": [channel, topics[1]], "Status": "DISABLED"}),
        Change({"targets": []}, {"Addresses": []}),
        Change({"enabled": True}, {"Status": "ENABLED", "Resource": world.project}),
    ]


NOTIFICATION_RULES = Case(
    module="codestar_notification_rules",
    plural="notification_rules",
    name="rule-{}".format,
    item=notification_rule,
    changes=notification_rule_changes,
    look=look_at_notification_rule,
    refused=({"resource": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/none"}, "ConfigurationException"),
)

# --- Chatbot


def look_at_channel(account: Account, name: str) -> Any:
    pages = account.in_region("chatbot", "us-east-2").get_paginator("describe_slack_channel_configurations").paginate()
    channels = (each for page in pages for each in page["SlackChannelConfigurations"])
    return next(each for each in channels if each["ConfigurationName"] == name)


def channel_changes(world: World, name: str) -> list[Change]:
    topics = [f"arn:aws:sns:{REGION}:{ACCOUNT}:{each}" for each in ("one", "two")]
    read_only = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    return [
        Change({"slack_channel_id": "C4567EFGH"}, {"SlackChannelId": "C4567EFGH", "SnsTopicArns": topics[:1]}),
        Change({"sns_topic_arns": topics[::-1]}, {"SnsTopicArns": topics}),
        Change({"iam_role_arn": world.another_role}, {"IamRoleArn": world.another_role, "SnsTopicArns": topics}),
        Change({"guardrail_policy_arns": read_only}, {"GuardrailPolicyArns": read_only}),
        Change({"logging_level": "ERROR"}, {"LoggingLevel": "ERROR", "GuardrailPolicyArns": read_only}),
        Change({"user_authorization_required": True}, {"UserAuthorizationRequired": True, "LoggingLevel": "ERROR"}),
        Change({"sns_topic_arns": []}, {"SnsTopicArns": []}),
    ]


SLACK_CHANNELS = Case(
    module="chatbot_slack_channels",
    plural="slack_channels",
    key="configuration_name",
    name="channel-{}".format,
    item=lambda world: {
        "slack_team_id": world.slack_team,
        "slack_channel_id": "C0123ABCD",
        "iam_role_arn": world.role,
        "sns_topic_arns": [f"arn:aws:sns:{REGION}:{ACCOUNT}:one"],
    },
    changes=channel_changes,
    look=look_at_channel,
    refused=({"iam_role_arn": f"arn:aws:iam::{ACCOUNT}:role/denied"}, "iam:PassRole"),
)

# --- CodeConnections


def look_at_connection(account: Account, name: str) -> Any:
    listed = account.client("codeconnections").list_connections(MaxResults=100)["Connections"]
    return next(each for each in listed if each["ConnectionName"] == name)


CONNECTIONS = Case(
    module="codeconnections",
    plural="connections",
    name="c-{}".format,
    item=lambda world: {"provider_type": "GitHub"},
    changes=lambda world, name: [],
    look=look_at_connection,
    refused=({"host_arn": f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:host/none"}, "ResourceNotFoundException"),
)

# --- CodeBuild


def look_at_project(account: Account, name: str) -> Any:
    codebuild = account.client("codebuild")
    project = codebuild.batch_get_projects(names=[name])["projects"][0]
    try:
        policy = json.loads(codebuild.get_resource_policy(resourceArn=project["arn"])["policy"])
    except codebuild.exceptions.ResourceNotFoundException:
        return project
    return {**project, "Policy": policy}


def project(world: World) -> Item:
    return {
        "description": "first",
        "source": {"type": "CODEPIPELINE", "buildspec": "one.yml"},
        "artifacts": {"type": "CODEPIPELINE"},
        "environment": {
            "type": "LINUX_CONTAINER",
            "compute_type": "BUILD_GENERAL1_SMALL",
            "image": "hashicorp/terraform:1.11.4",
            "environment_variables": [
                {"name": "B", "value": ""},
                {"name": "A", "value": "/modules/a", "type": "PARAMETER_STORE"},
            ],
        },
        "service_role": world.role,
        "timeout_in_minutes": 30,
        "concurrent_build_limit": 1,
    }


def project_changes(world: World, name: str) -> list[Change]:
    github = {"type": "GITHUB", "location": "https://github.com/example/one.git", "source_identifier": "one"}
    vpc = {"vpc_id": "vpc-1", "subnets": ["subnet-2", "subnet-1"], "security_group_ids": ["sg-1"]}
    efs = {"location": "fs-1.efs.eu-central-1.amazonaws.com:/", "mount_point": "/mnt", "identifier": "efs"}
    batch = {"service_role": world.role, "restrictions": {"compute_types_allowed": ["B", "A"]}, "timeout_in_mins": 10}
    registry = {"credential": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-Abcdef"}
    auth = {"type": "CODECONNECTIONS", "resource": world.connection}
    tag = {"type": "TAG_NAME", "pattern": "^v0", "exclude_matched_pattern": True}
    comments = {"requires_comment_approval": "FORK_PULL_REQUESTS", "approver_roles": ["GITHUB_WRITE", "GITHUB_ADMIN"]}
    shared = {
        "Sid": "Shared",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Action": "codebuild:BatchGetProjects",
        "Resource": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{name}",
    }
    everything: Item = {
        "description": "second",
        "source": {"type": "CODEPIPELINE", "buildspec": "two.yml"},
        "service_role": world.another_role,
        "timeout_in_minutes": 60,
        "queued_timeout_in_minutes": 30,
        "concurrent_build_limit": -1,
        "auto_retry_limit": 2,
        "encryption_key": world.key,
        "vpc_config": vpc,
        "logs_config": {"cloud_watch_logs": {"status": "ENABLED", "group_name": "/modules/builds"}},
        "cache": {"type": "S3", "location": f"{world.bucket}/cache"},
        "secondary_sources": [github],
        "secondary_source_versions": [{"source_identifier": "one", "source_version": "main"}],
        "secondary_artifacts": [
            {"type": "S3", "location": world.bucket, "artifact_identifier": "b", "packaging": "ZIP"},
            {"type": "S3", "location": world.bucket, "artifact_identifier": "a"},
        ],
        "file_system_locations": [efs],
        "build_batch_config": batch,
    }
    removed: Item = {
        "description": "",
        "queued_timeout_in_minutes": 480,
        "auto_retry_limit": 0,
        "encryption_key": "",
        "vpc_config": {},
        "logs_config": {},
        "cache": {"type": "NO_CACHE"},
        "secondary_sources": [],
        "secondary_source_versions": [],
        "secondary_artifacts": [],
        "file_system_locations": [],
        "build_batch_config": {},
    }
    return [
        Change(
            everything,
            {
                "description": "second",
                "source": {"buildspec": "two.yml"},
                "serviceRole": world.another_role,
                "timeoutInMinutes": 60,
                "queuedTimeoutInMinutes": 30,
                "concurrentBuildLimit": None,
                "autoRetryLimit": 2,
                "encryptionKey": world.key,
                "vpcConfig": {"vpcId": "vpc-1"},
                "logsConfig": {"cloudWatchLogs": {"groupName": "/modules/builds"}},
                "cache": {"type": "S3"},
                "secondarySourceVersions": [{"sourceIdentifier": "one", "sourceVersion": "main"}],
                "buildBatchConfig": {"timeoutInMins": 10},
            },
        ),
        Change(
            removed,
            {
                "queuedTimeoutInMinutes": 480,
                "encryptionKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/s3",
                "vpcConfig": None,
                "cache": {"type": "NO_CACHE"},
                "secondarySources": [],
                "secondarySourceVersions": [],
                "secondaryArtifacts": [],
                "fileSystemLocations": None,
                "buildBatchConfig": None,
            },
        ),
        Change(
            {"environment": {"image": "hashicorp/terraform:1.12.0", "privileged_mode": True}},
            {"environment": {"image": "hashicorp/terraform:1.12.0", "computeType": "BUILD_GENERAL1_SMALL"}},
        ),
        Change(
            {"environment": {"environment_variables": [{"name": "A", "value": "1"}]}},
            {"environment": {"environmentVariables": [{"name": "A", "value": "1", "type": "PLAINTEXT"}]}},
        ),
        Change(
            {"environment": {"registry_credential": registry, "image_pull_credentials_type": "SERVICE_ROLE"}},
            {"environment": {"registryCredential": {"credentialProvider": "SECRETS_MANAGER"}}},
        ),
        Change(
            {"environment": {"registry_credential": {}, "environment_variables": []}},
            {"environment": {"registryCredential": None, "environmentVariables": []}},
        ),
        Change({"encryption_key": "alias/modules"}, {}),
        Change(
            {
                "logs_config": {"s3_logs": {"status": "ENABLED", "location": f"{world.bucket}/logs"}},
                "cache": {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE", "LOCAL_CUSTOM_CACHE"]},
            },
            {"logsConfig": {"s3Logs": {"location": f"{world.bucket}/logs"}}, "cache": {"type": "LOCAL"}},
        ),
        Change(
            {
                "source": {
                    "type": "GITHUB",
                    "location": "https://github.com/example/one.git",
                    "auth": auth,
                    "git_clone_depth": 1,
                    "report_build_status": True,
                },
                "artifacts": {"type": "NO_ARTIFACTS", "name": ""},
                "source_version": "main",
            },
            {"source": {"type": "GITHUB", "auth": auth}, "sourceVersion": "main"},
        ),
        Change({"source": {"type": "GITHUB", "auth": {}}}, {"source": {"auth": None}}),
        Change(
            {
                "source": {"type": "GITHUB", "git_clone_depth": 0, "report_build_status": False},
                "source_version": "",
            },
            {"source": {"gitCloneDepth": 0, "reportBuildStatus": False}, "sourceVersion": None},
        ),
        Change({"badge_enabled": True}, {"badge": {"badgeEnabled": True}}),
        Change({"badge_enabled": False}, {"badge": {"badgeEnabled": False}}),
        Change({"webhook": {"branch_filter": "^main$"}}, {"webhook": {"branchFilter": "^main$"}}),
        Change(
            {"webhook": {"filter_groups": [filters("PUSH")]}},
            {"webhook": {"branchFilter": None, "filterGroups": [[event("PUSH")]], "buildType": None}},
        ),
        Change(
            {"webhook": {"filter_groups": [filters("RELEASED", tag), filters("PUSH")], "build_type": "BUILD_BATCH"}},
            {"webhook": {"buildType": "BUILD_BATCH"}},
        ),
        Change(
            {"webhook": {"pull_request_build_policy": comments}},
            {"webhook": {"pullRequestBuildPolicy": {"requiresCommentApproval": "FORK_PULL_REQUESTS"}}},
        ),
        Change(
            {"webhook": {"scope_configuration": {"name": "example", "scope": "GITHUB_ORGANIZATION"}}},
            {"webhook": {"scopeConfiguration": {"name": "example"}, "buildType": "BUILD_BATCH"}},
        ),
        Change({"webhook": {"branch_filter": "^x$"}}, {"webhook": {"branchFilter": "^x$", "filterGroups": []}}),
        Change({"webhook": {}}, {"webhook": None}),
        Change(
            {"project_visibility": "PUBLIC_READ", "resource_access_role": world.role},
            {"projectVisibility": "PUBLIC_READ", "resourceAccessRole": world.role},
        ),
        Change({"project_visibility": "PRIVATE"}, {"projectVisibility": "PRIVATE"}),
        Change({"resource_policy": document(shared)}, {"Policy": {"Statement": [shared]}}),
        Change({"resource_policy": document(shared | {"Sid": "Changed"})}, {"Policy": {}}),
        Change({"resource_policy": {}}, {"Policy": None}),
    ]


def event(name: str) -> Item:
    """A filter of a webhook, by an event of the Git host, as AWS shows it."""
    return {"type": "EVENT", "pattern": name, "excludeMatchedPattern": False}


def filters(name: str, *more: Item) -> Item:
    """A group of filters of a webhook: an event of the Git host, and more."""
    return {"filters": [{"type": "EVENT", "pattern": name}, *more]}


CODEBUILD = Case(
    module="codebuild_projects",
    plural="projects",
    name="project-{}".format,
    item=project,
    changes=project_changes,
    look=look_at_project,
    refused=({"service_role": "arn:aws:iam::999999999999:role/elsewhere"}, "InvalidInputException"),
)

# --- CodePipeline


def look_at_pipeline(account: Account, name: str) -> Any:
    return account.client("codepipeline").get_pipeline(name=name)["pipeline"]


def source_stage(world: World, **configuration: Any) -> Item:
    return {
        "name": "Source",
        "actions": [
            {
                "name": "Source",
                "action_type_id": {"category": "Source", "provider": "CodeStarSourceConnection"},
                "configuration": {
                    "ConnectionArn": world.connection,
                    "FullRepositoryId": "example/none",
                    "BranchName": "main",
                    "DetectChanges": False,
                    **configuration,
                },
                "output_artifacts": [{"name": "source"}],
            }
        ],
    }


def approval(name: str = "Approve", **settings: Any) -> Item:
    action = {"name": name, "action_type_id": {"category": "Approval", "provider": "Manual"}}
    return {"name": name, "actions": [action], **settings}


def pipeline(world: World) -> Item:
    return {
        "role_arn": world.role,
        "pipeline_type": "V2",
        "artifact_store": {"location": world.bucket},
        "stages": [source_stage(world), approval()],
        # Without a value this variable keeps the first execution from starting by itself.
        "variables": [{"name": "mode"}],
    }


def pipeline_changes(world: World, name: str) -> list[Change]:
    window = {
        "name": "Window",
        "rule_type_id": {"provider": "DeploymentWindow"},
        "configuration": {"Cron": "* * * * * *", "TimeZone": "Europe/Berlin"},
    }
    pushes = {
        "source_action_name": "Source",
        "push": [{"branches": {"includes": ["main", "dev"]}, "file_paths": {"includes": ["b/**", "a/**"]}}],
    }
    pulls = {
        "source_action_name": "Source",
        "pull_request": [{"events": ["OPEN", "CLOSED"], "branches": {"includes": ["main"]}}],
    }
    return [
        Change({"execution_mode": "QUEUED"}, {"executionMode": "QUEUED"}),
        Change({"role_arn": world.another_role}, {"roleArn": world.another_role}),
        Change(
            {"artifact_store": {"encryption_key": {"id": world.key}}},
            {"artifactStore": {"encryptionKey": {"id": world.key, "type": "KMS"}, "location": world.bucket}},
        ),
        Change({"artifact_store": {"encryption_key": {}}}, {"artifactStore": {"encryptionKey": None}}),
        Change({"stages": [source_stage(world, BranchName="dev"), approval()]}, {}),
        Change({"stages": [source_stage(world), approval("A"), approval("B")]}, {}),
        Change({"stages": [source_stage(world), approval("B"), approval("A")]}, {}),
        Change(
            {
                "stages": [
                    source_stage(world),
                    approval(
                        before_entry={"conditions": [{"result": "FAIL", "rules": [window]}]},
                        on_failure={"result": "RETRY", "retry_configuration": {"retry_mode": "ALL_ACTIONS"}},
                    ),
                ]
            },
            {},
        ),
        Change(
            {"variables": [{"name": "mode"}, {"name": "level", "default_value": "1", "description": "how much"}]},
            {"variables": [{"name": "mode"}, {"name": "level", "defaultValue": "1", "description": "how much"}]},
        ),
        Change({"triggers": [{"git_configuration": pushes}]}, {}),
        Change({"triggers": [{"git_configuration": pulls}]}, {}),
        Change({"triggers": []}, {"triggers": None}),
    ]


CODEPIPELINE = Case(
    module="codepipelines",
    plural="pipelines",
    name="pipeline-{}".format,
    item=pipeline,
    changes=pipeline_changes,
    look=look_at_pipeline,
    refused=({"role_arn": f"arn:aws:iam::{ACCOUNT}:role/denied"}, "iam:PassRole"),
)

CASES = [
    KMS,
    S3,
    DYNAMODB,
    LOGS,
    SSM,
    IAM,
    POLICIES,
    TOPICS,
    QUEUES,
    ALARMS,
    RULES,
    EVENT_CONNECTIONS,
    API_DESTINATIONS,
    SCHEDULES,
    MACHINES,
    NOTIFICATION_RULES,
    SLACK_CHANNELS,
    CONNECTIONS,
    CODEBUILD,
    CODEPIPELINE,
]
