# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelines really move: source, approval, stop, retry, queues, triggers, events, and the role's permissions count."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.local_aws.support import (
    ACCOUNT,
    REGION,
    Keys,
    LocalAws,
    Repository,
    Running,
    allow,
    approval_action,
    eventually,
    git,
    source_action,
    unique,
)


def test_source_then_approval(
    create: Callable[..., Running], local_aws: LocalAws, repository: Repository, artifact_bucket: str
) -> None:
    running = create(
        approval=approval_action(
            CustomData="commit #{src.CommitId} for #{variables.who}", ExternalEntityLink="https://example.com/"
        ),
        variables=[{"name": "who", "defaultValue": "nobody"}],
    )
    first = running.first()
    assert running.execution(first)["trigger"]["triggerType"] == "CreatePipeline"
    running.answer(running.token(first), "Rejected", "no")
    assert running.ends(first) == "Failed"
    rejected = running.actions(first)["Ok"]
    assert rejected["status"] == "Failed"
    assert rejected["output"]["executionResult"]["errorDetails"]["message"].endswith("no")
    assert rejected["updatedBy"] == f"arn:aws:iam::{ACCOUNT}:user/admin"

    second = running.start(variables=[{"name": "who", "value": "Ada"}])
    token = running.token(second)
    assert running.stage("Approve")["actionStates"][0]["entityUrl"] == "https://example.com/"
    with pytest.raises(running.api.exceptions.InvalidApprovalTokenException):
        running.answer("00000000-0000-0000-0000-000000000000")
    running.answer(token)
    assert running.ends(second) == "Succeeded"

    execution, actions = running.execution(second), running.actions(second)
    head = git("rev-parse", "main", cwd=repository.clone)
    assert execution["variables"] == [{"name": "who", "resolvedValue": "Ada"}]
    assert execution["trigger"] == {
        "triggerType": "StartPipelineExecution",
        "triggerDetail": f"arn:aws:iam::{ACCOUNT}:user/admin",
    }
    assert execution["artifactRevisions"][0]["revisionId"] == head
    assert actions["Ok"]["input"]["resolvedConfiguration"]["CustomData"] == f"commit {head} for Ada"
    assert actions["Checkout"]["output"]["outputVariables"] | {"AuthorDate": ""} == {
        "CommitId": head,
        "BranchName": "main",
        "FullRepositoryName": repository.full_name,
        "CommitMessage": "first",
        "AuthorDate": "",
        "AuthorId": "Ada",
        "AuthorDisplayName": "Ada",
        "AuthorEmail": "ada@example.com",
        "ProviderType": "GitHub",
        "ConnectionArn": actions["Checkout"]["input"]["configuration"]["ConnectionArn"],
    }
    where = actions["Checkout"]["output"]["outputArtifacts"][0]["s3location"]
    assert where["bucket"] == artifact_bucket
    assert where["key"].startswith(f"{running.name[:20]}/SourceOutp/")
    content = local_aws.client("s3").get_object(Bucket=where["bucket"], Key=where["key"])
    assert content["ServerSideEncryption"] == "aws:kms"
    with zipfile.ZipFile(io.BytesIO(content["Body"].read())) as archive:
        assert sorted(name for name in archive.namelist() if not name.endswith("/")) == ["bin/run.sh", "main.tf"]
    uploads = [
        call
        for call in local_aws.calls()
        if call["resource"].endswith(where["key"]) and call["action"] == "s3:PutObject"
    ]
    assert [call["principal_arn"] for call in uploads] == [
        f"arn:aws:sts::{ACCOUNT}:assumed-role/{running.role}/{second}"
    ]


def test_a_role_s_session_that_approves_is_named(create: Callable[..., Running], local_aws: LocalAws) -> None:
    running, role = create(), unique("approver")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    arn = local_aws.client("iam").create_role(
        RoleName=role,
        Path="/people/",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    local_aws.policy(role, allow("codepipeline:PutApprovalResult"))
    made = local_aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="ada@example.com")["Credentials"]
    token = running.token(running.first())
    running.api = local_aws.client(
        "codepipeline", Keys(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    )
    running.answer(token)
    running.api = local_aws.client("codepipeline")

    assert running.ends(running.first()) == "Succeeded"
    approved = running.actions(running.first())["Ok"]
    assert approved["updatedBy"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/ada@example.com"


def test_artifacts_are_encrypted_with_the_store_key(
    create: Callable[..., Running], local_aws: LocalAws, connection: str, artifact_bucket: str
) -> None:
    key = local_aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    enough = [
        allow("codeconnections:UseConnection", connection),
        allow("s3:PutObject*", f"arn:aws:s3:::{artifact_bucket}/*"),
    ]
    running = create(enough, store={"encryptionKey": {"id": key, "type": "KMS"}})
    first = running.first()
    assert running.ends(first) == "Failed"
    error = running.actions(first)["Checkout"]["output"]["executionResult"]["errorDetails"]
    assert error["code"] == "PermissionError"
    assert "kms:GenerateDataKey" in error["message"]

    local_aws.policy(running.role, *enough, allow("kms:GenerateDataKey", key))
    running.api.retry_stage_execution(
        pipelineName=running.name, stageName="Source", pipelineExecutionId=first, retryMode="FAILED_ACTIONS"
    )
    running.token(first)
    where = running.actions(first)["Checkout"]["output"]["outputArtifacts"][0]["s3location"]
    found = local_aws.client("s3").head_object(Bucket=where["bucket"], Key=where["key"])
    assert found["SSEKMSKeyId"] == key
    assert running.stage("Source")["retryStageMetadata"]["manualStageRetryAttempt"] == 1


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("s3", "doesn't have the permissions required to access the Amazon S3 bucket"),
        ("acl", "[Checkout] Upload to S3 failed with the following error: AccessDeniedException: User: "),
        ("connection", "The provided role does not have sufficient permissions."),
    ],
)
def test_a_missing_permission_of_the_role_fails_the_source(
    missing: str, message: str, create: Callable[..., Running], connection: str, artifact_bucket: str
) -> None:
    statements = {
        "connection": allow("codestar-connections:UseConnection", connection),
        "s3": allow("s3:PutObject", f"arn:aws:s3:::{artifact_bucket}/*"),
        "acl": allow("s3:PutObjectAcl", f"arn:aws:s3:::{artifact_bucket}/*"),
    }
    del statements[missing]
    running = create(list(statements.values()))
    first = running.first()
    assert running.ends(first) == "Failed"
    error = running.actions(first)["Checkout"]["output"]["executionResult"]["errorDetails"]
    assert error["code"] == "PermissionError"
    assert message in error["message"]


def test_a_pending_connection_fails_the_source(
    create: Callable[..., Running], local_aws: LocalAws, repository: Repository
) -> None:
    pending = local_aws.client("codeconnections").create_connection(
        ConnectionName=unique("pending"), ProviderType="GitHub"
    )["ConnectionArn"]
    running = create([allow("codeconnections:UseConnection")], source_action(pending, repository.full_name))
    assert running.ends(running.first()) == "Failed"
    assert "PENDING" in running.stage("Source")["actionStates"][0]["latestExecution"]["errorDetails"]["message"]


def test_a_push_starts_an_execution_with_its_commit(create: Callable[..., Running], repository: Repository) -> None:
    running = create(executionMode="SUPERSEDED")
    waiting = running.first()
    running.token(waiting)
    commit = repository.push({"main.tf": "# more\n"}, message="second")

    def pushed() -> dict[str, Any] | None:
        newest = running.api.list_pipeline_executions(pipelineName=running.name)["pipelineExecutionSummaries"][0]
        return dict(newest) if newest["trigger"]["triggerType"] == "Webhook" and newest.get("sourceRevisions") else None

    newest = eventually(pushed)
    assert newest["sourceRevisions"][0]["revisionId"] == commit


@pytest.mark.parametrize(
    ("detect", "push", "starts"),
    [
        ("false", None, False),
        ("true", {"branches": {"includes": ["release/*"]}, "filePaths": {"includes": ["envs/**"]}}, True),
        ("true", {"branches": {"includes": ["release/*"]}, "filePaths": {"includes": ["docs/**"]}}, False),
        ("true", {"branches": {"includes": ["**"], "excludes": ["release/**"]}}, False),
        ("true", {"tags": {"includes": ["v*"]}}, False),
    ],
)
def test_trigger_filters(
    detect: str,
    push: dict[str, Any] | None,
    starts: bool,
    create: Callable[..., Running],
    repository: Repository,
    connection: str,
) -> None:
    repository.push({"old.tf": "# old\n"}, branch="release/1")
    triggers = (
        {}
        if push is None
        else {
            "triggers": [
                {
                    "providerType": "CodeStarSourceConnection",
                    "gitConfiguration": {"sourceActionName": "Checkout", "push": [push]},
                }
            ]
        }
    )
    # Filters choose among branches; without them the action's own branch counts.
    branch = "release/1" if push is None else "main"
    running = create(
        source=source_action(connection, repository.full_name, DetectChanges=detect, BranchName=branch), **triggers
    )
    # Pushes reach pipelines in the order of their creation: the control's execution says that the push was seen.
    control = create(source=source_action(connection, repository.full_name, BranchName="release/1"))
    commit = repository.push({"envs/prod/main.tf": "# it\n"}, branch="release/1")

    def executions(item: Running) -> list[dict[str, Any]]:
        found = item.api.list_pipeline_executions(pipelineName=item.name)["pipelineExecutionSummaries"]
        return [one for one in found if one["trigger"]["triggerType"].startswith("Webhook")]

    eventually(
        lambda: any(source["revisionId"] == commit for one in executions(control) for source in one["sourceRevisions"])
    )
    found = executions(running)
    assert bool(found) is starts
    if starts:
        assert found[0]["trigger"]["triggerType"] == "WebhookV2"
        assert json.loads(found[0]["trigger"]["triggerDetail"])["commitId"] == commit
        started = found[0]["pipelineExecutionId"]
        source = eventually(
            lambda: running.actions(started).get("Checkout", {}).get("output", {}).get("outputVariables")
        )
        assert (source["CommitId"], source["BranchName"]) == (commit, "release/1")


def test_a_stopped_execution_and_its_retry(create: Callable[..., Running]) -> None:
    running = create()
    first = running.first()
    running.token(first)
    running.api.stop_pipeline_execution(pipelineName=running.name, pipelineExecutionId=first, reason="wait")
    assert running.execution(first)["status"] == "Stopping"
    with pytest.raises(running.api.exceptions.DuplicatedStopRequestException):
        running.api.stop_pipeline_execution(pipelineName=running.name, pipelineExecutionId=first)
    running.api.stop_pipeline_execution(
        pipelineName=running.name, pipelineExecutionId=first, abandon=True, reason="now"
    )
    assert running.ends(first) == "Stopped"
    assert running.actions(first)["Ok"]["status"] == "Abandoned"
    with pytest.raises(running.api.exceptions.PipelineExecutionNotStoppableException):
        running.api.stop_pipeline_execution(pipelineName=running.name, pipelineExecutionId=first)
    with pytest.raises(running.api.exceptions.StageNotRetryableException):
        running.api.retry_stage_execution(
            pipelineName=running.name, stageName="Source", pipelineExecutionId=first, retryMode="ALL_ACTIONS"
        )
    running.api.retry_stage_execution(
        pipelineName=running.name, stageName="Approve", pipelineExecutionId=first, retryMode="FAILED_ACTIONS"
    )
    running.answer(running.token(first))
    assert running.ends(first) == "Succeeded"


def test_stop_and_wait_ends_after_the_running_action(create: Callable[..., Running]) -> None:
    running = create()
    first = running.first()
    token = running.token(first)
    running.api.stop_pipeline_execution(pipelineName=running.name, pipelineExecutionId=first)
    running.answer(token)
    assert running.ends(first) == "Stopped"
    assert running.actions(first)["Ok"]["status"] == "Succeeded"


def test_queued_executions_wait_for_their_turn(create: Callable[..., Running]) -> None:
    running = create()
    first, second = running.first(), ""
    token = running.token(first)
    second = running.start()
    state = eventually(lambda: (found := running.stage("Approve")).get("inboundExecution") and found)
    assert state["inboundExecution"]["pipelineExecutionId"] == second
    assert state["latestExecution"]["pipelineExecutionId"] == first
    running.answer(token)
    running.answer(running.token(second))
    assert [running.ends(first), running.ends(second)] == ["Succeeded", "Succeeded"]


def test_newer_executions_supersede_waiting_ones(create: Callable[..., Running]) -> None:
    running = create(executionMode="SUPERSEDED")
    first = running.first()
    token = running.token(first)
    second = running.start()
    eventually(lambda: running.stage("Approve").get("inboundExecution"))
    third = running.start()
    assert running.ends(second) == "Superseded"
    running.answer(token)
    running.answer(running.token(third))
    assert [running.ends(first), running.ends(third)] == ["Succeeded", "Succeeded"]


def test_parallel_executions_do_not_wait(create: Callable[..., Running]) -> None:
    running = create(executionMode="PARALLEL")
    first = running.first()
    first_token = running.token(first)
    second = running.start()
    running.answer(running.token(second))
    assert running.ends(second) == "Succeeded"
    running.answer(first_token)
    assert running.ends(first) == "Succeeded"


def test_tokens_of_parallel_executions_are_not_in_the_state(create: Callable[..., Running]) -> None:
    parallel, queued = create(executionMode="PARALLEL"), create(executionMode="QUEUED")
    executions = {running: running.first() for running in (parallel, queued)}
    tokens = {running: running.token(execution_id) for running, execution_id in executions.items()}

    shown = parallel.stage("Approve")["actionStates"][0]["latestExecution"]
    assert not {"token", "externalExecutionId"} & set(shown)
    assert queued.stage("Approve")["actionStates"][0]["latestExecution"]["token"] == tokens[queued]
    assert "externalExecutionId" not in queued.actions(executions[queued])["Ok"]["output"]["executionResult"]

    for running, token in tokens.items():
        running.answer(token)
    assert [running.ends(execution_id) for running, execution_id in executions.items()] == ["Succeeded"] * 2


def test_a_disabled_transition_holds_executions(create: Callable[..., Running]) -> None:
    running = create()
    first = running.first()
    running.answer(running.token(first))
    running.ends(first)
    transition = {"pipelineName": running.name, "stageName": "Approve", "transitionType": "Inbound"}
    running.api.disable_stage_transition(**transition, reason="holiday")
    second = running.start()
    held = eventually(lambda: (stage := running.stage("Approve")).get("inboundExecution") and stage)
    assert held["inboundExecution"]["pipelineExecutionId"] == second
    state = held["inboundTransitionState"]
    assert (state["enabled"], state["disabledReason"]) == (False, "holiday")
    assert held["latestExecution"]["pipelineExecutionId"] == first
    running.api.enable_stage_transition(**transition)
    running.answer(running.token(second))
    assert running.ends(second) == "Succeeded"


def test_an_unresolved_variable_fails_the_action(create: Callable[..., Running]) -> None:
    running = create(approval=approval_action(CustomData="#{src.Nothing}"))
    first = running.first()
    assert running.ends(first) == "Failed"
    assert "src.Nothing" in running.actions(first)["Ok"]["output"]["executionResult"]["errorDetails"]["message"]


def test_start_checks_variables_and_repeats_for_a_token(create: Callable[..., Running]) -> None:
    running = create(variables=[{"name": "who"}])
    assert running.api.list_pipeline_executions(pipelineName=running.name)["pipelineExecutionSummaries"] == []
    with pytest.raises(running.api.exceptions.ValidationException, match="who"):
        running.start()
    with pytest.raises(running.api.exceptions.ValidationException, match="other"):
        running.start(variables=[{"name": "other", "value": "x"}])
    ids = {running.start(variables=[{"name": "who", "value": "x"}], clientRequestToken="once") for _ in range(2)}
    assert len(ids) == 1


def test_source_revisions_choose_the_commit(create: Callable[..., Running], repository: Repository) -> None:
    old = git("rev-parse", "HEAD", cwd=repository.clone)
    repository.push({"main.tf": "# new\n"})
    running = create(executionMode="PARALLEL")  # so that the push, should it be noticed now, supersedes nothing
    started = running.start(
        sourceRevisions=[{"actionName": "Checkout", "revisionType": "COMMIT_ID", "revisionValue": old}]
    )
    (revision,) = eventually(lambda: running.execution(started).get("artifactRevisions"))
    assert revision["revisionId"] == old


def test_approval_message_goes_to_sns_as_the_pipeline_role(
    create: Callable[..., Running], local_aws: LocalAws, connection: str, artifact_bucket: str
) -> None:
    sns, sqs = local_aws.client("sns"), local_aws.client("sqs")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(
        QueueUrl=queue,
        Attributes={
            "Policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "sns.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": queue_arn,
                        }
                    ],
                }
            )
        },
    )
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    enough = [
        allow("codeconnections:UseConnection", connection),
        allow("s3:PutObject*", f"arn:aws:s3:::{artifact_bucket}/*"),
    ]
    running = create(enough, approval=approval_action(NotificationArn=topic, CustomData="look at #{src.BranchName}"))
    first = running.first()
    assert running.ends(first) == "Failed"
    local_aws.policy(running.role, *enough, allow("sns:Publish", topic))
    running.api.retry_stage_execution(
        pipelineName=running.name, stageName="Approve", pipelineExecutionId=first, retryMode="FAILED_ACTIONS"
    )
    token = running.token(first)
    body = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))[0]["Body"]
    notification = json.loads(body)
    approval = json.loads(notification["Message"])["approval"]
    assert notification["Subject"].startswith("APPROVAL NEEDED")
    assert (approval["token"], approval["customData"]) == (token, "look at main")


def test_state_changes_reach_eventbridge(create: Callable[..., Running], local_aws: LocalAws) -> None:
    events, sqs = local_aws.client("events"), local_aws.client("sqs")
    queue = sqs.create_queue(QueueName=unique("events"))["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(
        QueueUrl=queue,
        Attributes={
            "Policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "events.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": queue_arn,
                        }
                    ],
                }
            )
        },
    )
    rule = unique("rule")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.codepipeline"]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": queue_arn}])
    try:
        running = create()
        first = running.first()
        running.answer(running.token(first))
        running.ends(first)
        seen: list[dict[str, Any]] = []

        def collected() -> bool:
            for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
                event = json.loads(message["Body"])
                if event["detail"]["pipeline"] == running.name:
                    seen.append(event)
            return any(
                item["detail-type"].startswith("CodePipeline Pipeline") and item["detail"]["state"] == "SUCCEEDED"
                for item in seen
            )

        eventually(collected)
    finally:
        events.remove_targets(Rule=rule, Ids=["queue"])
        events.delete_rule(Name=rule)
    assert {
        (
            item["detail-type"].split()[1],
            item["detail"].get("stage"),
            item["detail"].get("action"),
            item["detail"]["state"],
        )
        for item in seen
    } == {
        ("Pipeline", None, None, "STARTED"),
        ("Stage", "Source", None, "STARTED"),
        ("Action", "Source", "Checkout", "STARTED"),
        ("Action", "Source", "Checkout", "SUCCEEDED"),
        ("Stage", "Source", None, "SUCCEEDED"),
        ("Stage", "Approve", None, "STARTED"),
        ("Action", "Approve", "Ok", "STARTED"),
        ("Action", "Approve", "Ok", "SUCCEEDED"),
        ("Stage", "Approve", None, "SUCCEEDED"),
        ("Pipeline", None, None, "SUCCEEDED"),
    }
    assert {item["source"] for item in seen} == {"aws.codepipeline"}
    assert seen[0]["resources"] == [f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{running.name}"]
    assert seen[0]["detail"]["execution-id"] == first


def test_s3_source(create: Callable[..., Running], local_aws: LocalAws, artifact_bucket: str) -> None:
    s3, bucket = local_aws.client("s3"), unique("source")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="code.zip", Body=b"zip")
    source = {
        "name": "Checkout",
        "outputArtifacts": [{"name": "SourceOutput"}],
        "namespace": "src",
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
        "configuration": {"S3Bucket": bucket, "S3ObjectKey": "code.zip", "PollForSourceChanges": "false"},
    }
    running = create(
        [allow("s3:*", [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*", f"arn:aws:s3:::{artifact_bucket}/*"])],
        source,
    )
    first = running.first()
    assert running.ends(first) == "Failed"
    assert "versioning" in running.actions(first)["Checkout"]["output"]["executionResult"]["errorDetails"]["message"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="code.zip", Body=b"zip")["VersionId"]
    second = running.start()
    running.token(second)
    assert running.actions(second)["Checkout"]["output"]["outputVariables"]["VersionId"] == version
