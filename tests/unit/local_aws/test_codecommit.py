# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories of CodeCommit: what may be read, by whom; and pipelines that take their source from them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import (
    ACCOUNT,
    REGION,
    LocalAws,
    Repository,
    Running,
    allow,
    command,
    eventually,
    git,
    unique,
)


@pytest.fixture
def code(local_aws: LocalAws, repository: Repository) -> str:
    """The repository's ARN in CodeCommit; its name is the last part."""
    arn = f"arn:aws:codecommit:{REGION}:{ACCOUNT}:{unique('code')}"
    local_aws.command("map-repository", arn, str(repository.bare))
    return arn


def name_of(arn: str) -> str:
    return arn.rpartition(":")[2]


def refused(call: Callable[..., Any], **request: str) -> str:
    with pytest.raises(ClientError) as failure:
        call(**request)
    return str(failure.value.response["Error"]["Code"])


def test_a_repository_is_read_by_who_may(local_aws: LocalAws, repository: Repository, code: str) -> None:
    commit, name = repository.push({"main.tf": "# two\n"}, message="second"), name_of(code)
    reading = [f"codecommit:{action}" for action in ("GetBranch", "GetCommit", "GetRepository")]
    api = local_aws.client("codecommit", local_aws.user(unique("reader"), allow(reading, code)))

    assert api.get_branch(repositoryName=name, branchName="main")["branch"] == {
        "branchName": "main",
        "commitId": commit,
    }
    found = api.get_commit(repositoryName=name, commitId=commit)["commit"]
    assert (found["message"], found["author"]["email"]) == ("second", "ada@example.com")
    told = api.get_repository(repositoryName=name)["repositoryMetadata"]
    assert (told["Arn"], told["defaultBranch"]) == (code, "main")
    assert refused(api.get_branch, repositoryName=f"{name}2", branchName="main") == "AccessDeniedException"
    assert refused(api.list_repositories) == "AccessDeniedException"
    listed = local_aws.client("codecommit").list_repositories()["repositories"]
    assert name in [each["repositoryName"] for each in listed]


def test_what_is_not_there(local_aws: LocalAws, code: str) -> None:
    api, name = local_aws.client("codecommit"), name_of(code)

    assert refused(api.get_branch, repositoryName="none", branchName="main") == "RepositoryDoesNotExistException"
    assert refused(api.get_branch, repositoryName=name, branchName="none") == "BranchDoesNotExistException"
    assert refused(api.get_commit, repositoryName=name, commitId="0" * 40) == "CommitIdDoesNotExistException"
    elsewhere = local_aws.client("codecommit", region="eu-west-1")
    assert refused(elsewhere.get_repository, repositoryName=name) == "RepositoryDoesNotExistException"


def test_only_a_repository_s_arn_is_mapped(local_aws: LocalAws, repository: Repository) -> None:
    for arn in (f"arn:aws:s3:::{unique('code')}", f"arn:aws:codecommit:{REGION}:{ACCOUNT}:"):
        done = command("map-repository", arn, str(repository.bare), "--data", str(local_aws.data))
        assert done.returncode != 0
        assert "is not the ARN of a repository in CodeCommit" in done.stderr + done.stdout


def source(arn: str, **configuration: str) -> dict[str, Any]:
    return {
        "name": "Checkout",
        "outputArtifacts": [{"name": "SourceOutput"}],
        "namespace": "src",
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeCommit", "version": "1"},
        "configuration": {"RepositoryName": name_of(arn), "BranchName": "main", **configuration},
    }


READING = ["codecommit:GetBranch", "codecommit:GetCommit"]
ARCHIVING = ["codecommit:GetUploadArchiveStatus", "codecommit:UploadArchive"]


@pytest.mark.parametrize("missing", [None, "codecommit:GetCommit", "codecommit:UploadArchive"])
def test_a_zip_needs_the_rights_on_archives(
    create: Callable[..., Running],
    local_aws: LocalAws,
    repository: Repository,
    code: str,
    artifact_bucket: str,
    missing: str | None,
) -> None:
    actions = [action for action in READING + ARCHIVING if action != missing]
    artifacts = allow("s3:PutObject", f"arn:aws:s3:::{artifact_bucket}/*")
    running = create([allow(actions, code), artifacts], source(code, PollForSourceChanges="false"))
    execution = running.first()

    if missing:
        assert running.ends(execution) == "Failed"
        error = running.actions(execution)["Checkout"]["output"]["executionResult"]["errorDetails"]
        assert error["code"] == "PermissionError"
        assert f"the AWS CodeCommit repository named {name_of(code)}. Update the IAM role" in error["message"]
        assert missing in error["message"]
        return
    running.token(execution)
    done = running.actions(execution)["Checkout"]
    variables = done["output"]["outputVariables"]
    assert variables["CommitId"] == git("rev-parse", "HEAD", cwd=repository.clone)
    assert (variables["RepositoryName"], variables["BranchName"]) == (name_of(code), "main")
    where = done["output"]["outputArtifacts"][0]["s3location"]
    content = local_aws.client("s3").get_object(Bucket=where["bucket"], Key=where["key"])["Body"].read()
    assert "main.tf" in zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_a_full_clone_is_a_reference_to_the_commit(
    create: Callable[..., Running], local_aws: LocalAws, repository: Repository, code: str, artifact_bucket: str
) -> None:
    commit = repository.push({"main.tf": "# two\n"})
    artifacts = allow("s3:PutObject", f"arn:aws:s3:::{artifact_bucket}/*")
    statements = [allow([*READING, "codecommit:GetRepository"], code), artifacts]
    how = {"PollForSourceChanges": "false", "OutputArtifactFormat": "CODEBUILD_CLONE_REF"}
    running = create(statements, source(code, **how))
    execution = running.first()
    running.token(execution)

    where = running.actions(execution)["Checkout"]["output"]["outputArtifacts"][0]["s3location"]
    content = local_aws.client("s3").get_object(Bucket=where["bucket"], Key=where["key"])["Body"].read()
    assert json.loads(content) == {"FullRepositoryName": code, "CommitId": commit, "BranchName": "main"}


def test_eventbridge_hears_of_branches_and_who_polls_is_started(
    create: Callable[..., Running], local_aws: LocalAws, repository: Repository, code: str
) -> None:
    name, events, sqs = unique("pushes"), local_aws.client("events"), local_aws.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"resources": [code]}))["RuleArn"]
    statement = {
        **allow("sqs:SendMessage", arn),
        "Principal": {"Service": "events.amazonaws.com"},
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    polls = create([], source(code))
    rests = create([], source(code, PollForSourceChanges="false"))
    old = local_aws.client("codecommit").get_branch(repositoryName=name_of(code), branchName="main")["branch"]

    new = repository.push({"main.tf": "# two\n"})
    repository.push({"main.tf": "# three\n"}, branch="other")

    told: list[dict[str, Any]] = []

    def both() -> bool:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        told.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return len(told) >= 2

    eventually(both)
    updated, created = sorted((each["detail"] for each in told), key=lambda each: each["referenceName"])
    assert {each["detail-type"] for each in told} == {"CodeCommit Repository State Change"}
    assert updated["event"] == "referenceUpdated"
    assert (updated["referenceFullName"], updated["oldCommitId"], updated["commitId"]) == (
        "refs/heads/main",
        old["commitId"],
        new,
    )
    assert (created["event"], created["referenceType"], created["referenceName"]) == (
        "referenceCreated",
        "branch",
        "other",
    )

    def triggers(running: Running) -> list[str]:
        found = running.api.list_pipeline_executions(pipelineName=running.name)["pipelineExecutionSummaries"]
        return [each["trigger"]["triggerType"] for each in found]

    eventually(lambda: "PollForSourceChanges" in triggers(polls))
    assert triggers(polls).count("PollForSourceChanges") == 1
    assert "PollForSourceChanges" not in triggers(rests)
