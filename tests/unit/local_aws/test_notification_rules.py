# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notification rules: what they are told of pipelines and builds, and by whom they may be made."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.notification_rules import EVENT_TYPES
from tests.unit.local_aws.support import ACCOUNT, REGION, Demo, LocalAws, Running, allow, eventually, unique

SERVICE = "codestar-notifications"
PRINCIPAL = "codestar-notifications.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{PRINCIPAL}/AWSServiceRoleForCodeStarNotifications"


def publishers(*services: str, action: str = "sns:Publish") -> str:
    """The policy of a topic to which these services may publish, or of a queue to which they may send."""
    statement = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Topic:
    """A topic, and the queue that hears it."""

    def __init__(self, aws: LocalAws, policy: str = publishers(PRINCIPAL), **attributes: str) -> None:
        name = unique("topic")
        self.sqs = aws.client("sqs")
        let = {"Policy": publishers("sns.amazonaws.com", action="sqs:SendMessage")}
        self.queue = self.sqs.create_queue(QueueName=name, Attributes=let)["QueueUrl"]
        made = aws.client("sns").create_topic(Name=name, Attributes={"Policy": policy, **attributes})
        self.arn: str = made["TopicArn"]
        aws.client("sns").subscribe(
            TopicArn=self.arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        )

    def heard(self) -> list[dict[str, Any]]:
        """What came since it was last asked."""
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for each in messages:
                found.append(json.loads(json.loads(each["Body"])["Message"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=each["ReceiptHandle"])
        return found


def pipeline_arn(running: Running) -> str:
    return f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{running.name}"


def request(resource: str, *topics: Topic, **more: Any) -> dict[str, Any]:
    return {
        "Name": unique("rule"),
        "Resource": resource,
        "DetailType": "FULL",
        "EventTypeIds": ["codepipeline-pipeline-pipeline-execution-failed"],
        "Targets": [{"TargetType": "SNS", "TargetAddress": topic.arn} for topic in topics],
        **more,
    }


def pipelines(*groups: str) -> list[str]:
    return [name for name in EVENT_TYPES if name.startswith(tuple(f"codepipeline-pipeline-{each}" for each in groups))]


def test_a_rule_tells_what_happens_to_its_pipeline(create: Callable[..., Running], local_aws: LocalAws) -> None:
    running, other, topic = create(), create(), Topic(local_aws)
    running.answer(running.token(running.first()))
    assert running.ends(running.first()) == "Succeeded"
    wanted = pipelines("pipeline-execution", "manual-approval")
    rule = local_aws.client(SERVICE).create_notification_rule(
        **request(pipeline_arn(running), topic, EventTypeIds=wanted)
    )
    execution = running.start()
    running.answer(running.token(execution), "Rejected", "not today")
    assert running.ends(execution) == "Failed"
    other.answer(other.token(other.first()))

    found: list[dict[str, Any]] = []

    def complete() -> bool:
        found.extend(topic.heard())
        return len(found) >= 4

    eventually(complete)
    assert [one["detail"]["state"] for one in found] == ["STARTED", "STARTED", "FAILED", "FAILED"]
    assert {one["detail"]["execution-id"] for one in found} == {execution}
    assert found[1]["detail"]["type"]["category"] == "Approval"
    last = found[-1]
    assert set(last) == {
        "account",
        "detailType",
        "region",
        "source",
        "time",
        "notificationRuleArn",
        "detail",
        "resources",
        "additionalAttributes",
    }
    assert last["detailType"] == "CodePipeline Pipeline Execution State Change"
    assert (last["source"], last["notificationRuleArn"]) == ("aws.codepipeline", rule["Arn"])
    assert last["resources"] == [pipeline_arn(running)]
    failed = last["additionalAttributes"]
    assert (failed["failedStage"], failed["failedActionCount"]) == ("Approve", 1)
    assert failed["failedActions"][0]["action"] == "Ok"
    assert "not today" in failed["failedActions"][0]["additionalInformation"]
    assert topic.heard() == []


def test_a_rule_tells_no_more_than_it_is_for(create: Callable[..., Running], local_aws: LocalAws) -> None:
    running, api = create(), local_aws.client(SERVICE)
    disabled, basic, foreign, unlet = (Topic(local_aws) for _ in range(4))
    local_aws.client("sns").set_topic_attributes(
        TopicArn=unlet.arn, AttributeName="Policy", AttributeValue=publishers("events.amazonaws.com")
    )
    resource = pipeline_arn(running)
    api.create_notification_rule(**request(resource, disabled, Status="DISABLED"))
    api.create_notification_rule(**request(pipeline_arn(create()), foreign))
    told = api.create_notification_rule(**request(resource, basic, unlet, DetailType="BASIC"))["Arn"]

    running.answer(running.token(running.first()), "Rejected")
    assert running.ends(running.first()) == "Failed"

    (message,) = eventually(basic.heard)
    assert message["additionalAttributes"] == {}
    assert [disabled.heard(), foreign.heard(), unlet.heard()] == [[], [], []]
    statuses = {
        each["TargetAddress"]: each["TargetStatus"] for each in api.describe_notification_rule(Arn=told)["Targets"]
    }
    assert statuses == {basic.arn: "ACTIVE", unlet.arn: "UNREACHABLE"}


def test_an_encrypted_topic_is_told_if_its_key_lets(create: Callable[..., Running], local_aws: LocalAws) -> None:
    api, kms = local_aws.client(SERVICE), local_aws.client("kms")
    owner = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    service = {
        "Effect": "Allow",
        "Principal": {"Service": PRINCIPAL},
        "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
        "Resource": "*",
    }
    policies = {
        name: {"Version": "2012-10-17", "Statement": s} for name, s in {"no": [owner], "yes": [owner, service]}.items()
    }
    keys = {name: kms.create_key(Policy=json.dumps(each))["KeyMetadata"]["Arn"] for name, each in policies.items()}
    topics = [Topic(local_aws, KmsMasterKeyId=key) for key in ("alias/aws/sns", keys["no"], keys["yes"])]

    arn = api.create_notification_rule(**request(pipeline_arn(create()), *topics))["Arn"]

    found = [each["TargetStatus"] for each in api.describe_notification_rule(Arn=arn)["Targets"]]
    assert found == ["UNREACHABLE", "UNREACHABLE", "ACTIVE"]


def test_a_rule_tells_of_builds(demo: Demo, local_aws: LocalAws) -> None:
    topic = Topic(local_aws)
    project = demo.project("version: 0.2\nphases: {build: {commands: ['false']}}")
    wanted = ["codebuild-project-build-state-failed", "codebuild-project-build-phase-failure"]
    local_aws.client(SERVICE).create_notification_rule(**request(project["arn"], topic, EventTypeIds=wanted))

    build = demo.build(project)

    found: list[dict[str, Any]] = []

    def complete() -> bool:
        found.extend(topic.heard())
        return len(found) >= 2

    eventually(complete)
    kinds = {one["detailType"]: one["detail"] for one in found}
    assert kinds["CodeBuild Build Phase Change"]["completed-phase"] == "BUILD"
    assert kinds["CodeBuild Build State Change"]["build-id"] == build["arn"]


def test_a_rule_from_creation_to_deletion(create: Callable[..., Running], local_aws: LocalAws) -> None:
    api, first, second = local_aws.client(SERVICE), Topic(local_aws), Topic(local_aws)
    wanted = request(pipeline_arn(create()), first, Tags={"a": "1"})
    arn = api.create_notification_rule(**wanted)["Arn"]
    with pytest.raises(api.exceptions.ResourceAlreadyExistsException):
        api.create_notification_rule(**wanted)

    found = api.describe_notification_rule(Arn=arn)
    assert {name: found[name] for name in ("Name", "Resource", "DetailType", "Status", "Tags")} == {
        "Name": wanted["Name"],
        "Resource": wanted["Resource"],
        "DetailType": "FULL",
        "Status": "ENABLED",
        "Tags": {"a": "1"},
    }
    assert found["EventTypes"] == [
        {
            "EventTypeId": "codepipeline-pipeline-pipeline-execution-failed",
            "ServiceName": "CodePipeline",
            "ResourceType": "Pipeline",
            "EventTypeName": "Pipeline execution: Failed",
        }
    ]
    api.update_notification_rule(Arn=arn, Status="DISABLED")
    found = api.describe_notification_rule(Arn=arn)
    assert (found["Status"], found["DetailType"]) == ("DISABLED", "FULL")
    api.subscribe(Arn=arn, Target={"TargetType": "SNS", "TargetAddress": second.arn})
    api.unsubscribe(Arn=arn, TargetAddress=first.arn)
    listed = api.list_notification_rules(Filters=[{"Name": "RESOURCE", "Value": wanted["Resource"]}])
    assert listed["NotificationRules"] == [{"Id": arn.rpartition("/")[2], "Arn": arn}]
    api.tag_resource(Arn=arn, Tags={"b": "2", "c": "3"})
    api.untag_resource(Arn=arn, TagKeys=["a", "c"])
    assert api.list_tags_for_resource(Arn=arn)["Tags"] == {"b": "2"}
    with pytest.raises(ClientError, match="subscribed to one or more notification rules"):
        api.delete_target(TargetAddress=second.arn)
    api.delete_notification_rule(Arn=arn)
    with pytest.raises(api.exceptions.ResourceNotFoundException):
        api.describe_notification_rule(Arn=arn)

    def left() -> set[str]:
        return {
            each["TargetAddress"] for page in api.get_paginator("list_targets").paginate() for each in page["Targets"]
        }

    assert {first.arn, second.arn} <= left()
    api.delete_target(TargetAddress=second.arn)
    assert second.arn not in left()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"EventTypeIds": ["codebuild-project-build-state-failed"]}, "ValidationException"),
        ({"EventTypeIds": ["codepipeline-pipeline-failed"]}, "ValidationException"),
        ({"Resource": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:nothing"}, "ConfigurationException"),
        ({"Targets": [{"TargetType": "SNS", "TargetAddress": "somebody@example.com"}]}, "ValidationException"),
        ({"Name": "a/b"}, "ValidationException"),
    ],
)
def test_bad_rules_are_refused(
    change: dict[str, Any], error: str, create: Callable[..., Running], local_aws: LocalAws
) -> None:
    with pytest.raises(ClientError, match=error):
        local_aws.client(SERVICE).create_notification_rule(**{**request(pipeline_arn(create())), **change})


def test_who_may_make_a_rule(create: Callable[..., Running], local_aws: LocalAws) -> None:
    iam = local_aws.client("iam")
    resource = pipeline_arn(create())
    of_resource: dict[str, Any] = {"Condition": {"StringLike": {f"{SERVICE}:NotificationsForResource": f"{resource}*"}}}
    linked: dict[str, Any] = {"Condition": {"StringEquals": {"iam:AWSServiceName": PRINCIPAL}}}
    statements = [
        allow(f"{SERVICE}:CreateNotificationRule", **of_resource),
        allow("iam:CreateServiceLinkedRole", ROLE, **linked),
    ]
    if any(role["Arn"] == ROLE for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]):
        iam.delete_service_linked_role(RoleName=ROLE.rpartition("/")[2])  # of another test

    without = local_aws.client(SERVICE, local_aws.user(unique("user"), statements[0]))
    with pytest.raises(ClientError, match="iam:CreateServiceLinkedRole"):
        without.create_notification_rule(**request(resource))
    api = local_aws.client(SERVICE, local_aws.user(unique("user"), *statements))
    api.create_notification_rule(**request(resource))
    assert iam.get_role(RoleName=ROLE.rpartition("/")[2])["Role"]["Arn"] == ROLE
    without.create_notification_rule(**request(resource))
    with pytest.raises(ClientError, match=f"{SERVICE}:CreateNotificationRule"):
        api.create_notification_rule(**request(pipeline_arn(create())))
    with pytest.raises(ClientError, match=f"{SERVICE}:TagResource"):
        api.create_notification_rule(**request(resource, Tags={"a": "1"}))


def test_the_log_names_the_calls(create: Callable[..., Running], local_aws: LocalAws) -> None:
    api = local_aws.client(SERVICE)
    arn = api.create_notification_rule(**request(pipeline_arn(create())))["Arn"]
    api.untag_resource(Arn=arn, TagKeys=["a"])
    api.describe_notification_rule(Arn=arn)

    def seen() -> bool:
        calls = [call["action"] for call in local_aws.calls() if call["service"] == SERVICE]
        return {f"{SERVICE}:{name}" for name in ("CreateNotificationRule", "UntagResource")} <= set(calls)

    eventually(seen)
    events = local_aws.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateNotificationRule"}]
    )["Events"]
    assert events[0]["EventSource"] == f"{SERVICE}.amazonaws.com"
