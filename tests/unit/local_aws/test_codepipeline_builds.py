# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelines run builds: variables go in and out, failures and missing permissions come out as on AWS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.unit.local_aws.support import (
    REGION,
    LocalAws,
    Repository,
    Running,
    allow,
    approval_action,
    eventually,
    source_action,
    unique,
)


@pytest.fixture
def build(
    local_aws: LocalAws, repository: Repository, connection: str, artifact_bucket: str, create: Callable[..., Running]
) -> Callable[..., Running]:
    """Make a pipeline Source -> Plan -> Approve whose build runs the given commands."""

    def made(*commands: str, may_start: bool = True) -> Running:
        project = unique("project")
        role = local_aws.role(
            unique("build"),
            "codebuild.amazonaws.com",
            allow("logs:*"),
            allow(["s3:GetObject*", "s3:PutObject*"], f"arn:aws:s3:::{artifact_bucket}/*"),
        )
        spec = {
            "version": 0.2,
            "env": {"exported-variables": ["RESULT"]},
            "phases": {"build": {"commands": commands}},
            "artifacts": {"files": ["plan.txt"]},
        }
        local_aws.client("codebuild").create_project(
            name=project,
            serviceRole=role,
            source={"type": "CODEPIPELINE", "buildspec": json.dumps(spec)},
            artifacts={"type": "CODEPIPELINE"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "hashicorp/terraform",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
        )
        builds = allow(
            ["codebuild:BatchGetBuilds", *(["codebuild:StartBuild"] if may_start else [])],
            f"arn:aws:codebuild:{REGION}:*:project/{project}",
        )
        action = {
            "name": "Plan",
            "namespace": "plan",
            "inputArtifacts": [{"name": "SourceOutput"}],
            "outputArtifacts": [{"name": "PlanOutput"}],
            "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
            "configuration": {
                "ProjectName": project,
                "EnvironmentVariables": json.dumps(
                    [{"name": "COMMIT", "value": "#{src.CommitId}", "type": "PLAINTEXT"}]
                ),
            },
        }
        return create(
            [
                allow("codeconnections:UseConnection", connection),
                builds,
                allow(["s3:PutObject*", "s3:GetObject*"], f"arn:aws:s3:::{artifact_bucket}/*"),
            ],
            stages=[
                {"name": "Source", "actions": [source_action(connection, repository.full_name)]},
                {"name": "Plan", "actions": [action]},
                {"name": "Approve", "actions": [approval_action(CustomData="result #{plan.RESULT}")]},
            ],
        )

    return made


def test_variables_go_through_a_build(build: Callable[..., Running], local_aws: LocalAws) -> None:
    running = build("test -f main.tf", 'export RESULT="for $COMMIT"', "echo $RESULT > plan.txt")
    first = running.first()
    running.token(first)
    actions = running.actions(first)
    commit = actions["Checkout"]["output"]["outputVariables"]["CommitId"]
    plan = actions["Plan"]
    assert plan["output"]["outputVariables"] == {"RESULT": f"for {commit}"}
    assert actions["Ok"]["input"]["resolvedConfiguration"]["CustomData"] == f"result for {commit}"
    build_id = plan["output"]["executionResult"]["externalExecutionId"]
    found = local_aws.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]
    assert found["initiator"] == f"codepipeline/{running.name}"
    where = plan["output"]["outputArtifacts"][0]["s3location"]
    local_aws.client("s3").head_object(Bucket=where["bucket"], Key=where["key"])
    assert plan["input"]["inputArtifacts"] == actions["Checkout"]["output"]["outputArtifacts"]


def test_a_failed_build_fails_the_stage_and_can_be_retried(build: Callable[..., Running]) -> None:
    running = build("echo no", "exit 3")
    first = running.first()
    assert running.ends(first) == "Failed"
    failed = running.actions(first)["Plan"]
    error = failed["output"]["executionResult"]["errorDetails"]
    assert error["code"] == "JobFailed"
    assert "Build terminated with state: FAILED" in error["message"]
    assert "exit 3" in error["message"]
    assert running.stage("Plan")["latestExecution"]["status"] == "Failed"
    running.api.retry_stage_execution(
        pipelineName=running.name, stageName="Plan", pipelineExecutionId=first, retryMode="FAILED_ACTIONS"
    )
    assert running.ends(first) == "Failed"
    assert running.actions(first)["Plan"]["actionExecutionId"] != failed["actionExecutionId"]


def test_the_pipeline_role_must_be_allowed_to_start_builds(build: Callable[..., Running]) -> None:
    running = build("true", may_start=False)
    first = running.first()
    assert running.ends(first) == "Failed"
    error = running.actions(first)["Plan"]["output"]["executionResult"]["errorDetails"]
    assert "Error calling startBuild" in error["message"]
    assert "codebuild:StartBuild" in error["message"]


def test_an_abandoned_build_lets_the_execution_end(build: Callable[..., Running]) -> None:
    running = build("sleep 30")
    first = running.first()
    eventually(
        lambda: (
            running.actions(first)
            .get("Plan", {})
            .get("output", {})
            .get("executionResult", {})
            .get("externalExecutionId")
        )
    )
    running.api.stop_pipeline_execution(pipelineName=running.name, pipelineExecutionId=first, abandon=True)
    assert running.ends(first) == "Stopped"
    assert running.actions(first)["Plan"]["status"] == "Abandoned"
    build_id = running.actions(first)["Plan"]["output"]["executionResult"]["externalExecutionId"]

    def polls() -> int:
        return sum(
            call["action"] == "codebuild:BatchGetBuilds" and f"/{running.role}/" in call["principal_arn"]
            for call in running.aws.calls()
        )

    # The abandoned action stops asking for the build; one question may still have been on its way.
    time.sleep(0.7)
    before = polls()
    time.sleep(1.2)
    assert polls() == before
    running.aws.client("codebuild").stop_build(id=build_id)
