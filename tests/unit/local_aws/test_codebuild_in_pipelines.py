# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds that a pipeline starts: artifacts in and out under the project's role, StartBuild under the pipeline's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, Repository, allow, eventually, unique

PLAN = """
version: 0.2
env: {exported-variables: [COUNTS]}
phases:
  build:
    commands:
      - test -x bin/tool.sh
      - printf '%s' "$CODEBUILD_RESOLVED_SOURCE_VERSION" > commit.txt
      - COUNTS="1 to add"
artifacts: {files: [commit.txt]}
"""
APPLY = """
version: 0.2
env: {exported-variables: [SAW, PASSED]}
phases:
  build:
    commands:
      - SAW="$(cat $CODEBUILD_SRC_DIR_PlanOutput/commit.txt)"
      - PASSED="$COUNTS"
      - test -f main.tf
      - test "$CODEBUILD_INITIATOR" = "codepipeline/$PIPELINE"
"""


def build_action(project: str, inputs: list[str], outputs: list[str], **configuration: str) -> dict[str, Any]:
    return {
        "name": project,
        "namespace": f"NS{outputs[0] if outputs else 'Last'}",
        "inputArtifacts": [{"name": name} for name in inputs],
        "outputArtifacts": [{"name": name} for name in outputs],
        "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
        "configuration": {"ProjectName": project, **configuration},
    }


class Stack:
    """Source -> Plan -> Apply, with roles whose policies a test replaces."""

    def __init__(self, aws: LocalAws, repository: Repository, connection: str, bucket: str) -> None:
        self.aws, self.bucket, self.name = aws, bucket, unique("stack")
        self.key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.logs = allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"])
        self.objects = allow(["s3:GetObject", "s3:PutObject*"], f"arn:aws:s3:::{bucket}/*")
        self.kms = allow(["kms:GenerateDataKey", "kms:Decrypt"], self.key)
        self.build_role, self.pipeline_role = unique("build"), unique("pipeline")
        build_arn = aws.role(self.build_role, "codebuild.amazonaws.com", self.logs, self.objects, self.kms)
        for suffix, text in (("plan", PLAN), ("apply", APPLY)):
            aws.client("codebuild").create_project(
                name=f"{self.name}-{suffix}",
                source={"type": "CODEPIPELINE", "buildspec": text},
                artifacts={"type": "CODEPIPELINE"},
                serviceRole=build_arn,
                encryptionKey=self.key,
                environment={
                    "type": "LINUX_CONTAINER",
                    "image": "hashicorp/terraform:1.11",
                    "computeType": "BUILD_GENERAL1_SMALL",
                },
            )
        self.pipeline = [
            self.objects,
            self.kms,
            allow("codeconnections:UseConnection", connection),
            allow(
                ["codebuild:StartBuild", "codebuild:BatchGetBuilds"],
                f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{self.name}-*",
            ),
        ]
        pipeline_arn = aws.role(self.pipeline_role, "codepipeline.amazonaws.com", *self.pipeline)
        self.api = aws.client("codepipeline")
        counts = f'[{{"name":"COUNTS","value":"#{{NSPlanOutput.COUNTS}}"}},{{"name":"PIPELINE","value":"{self.name}"}}]'
        self.declaration = {
            "name": self.name,
            "roleArn": pipeline_arn,
            "pipelineType": "V2",
            "executionMode": "QUEUED",
            "artifactStore": {"type": "S3", "location": bucket, "encryptionKey": {"type": "KMS", "id": self.key}},
            "stages": [
                {
                    "name": "Source",
                    "actions": [
                        {
                            "name": "Checkout",
                            "outputArtifacts": [{"name": "SourceOutput"}],
                            "actionTypeId": {
                                "category": "Source",
                                "owner": "AWS",
                                "provider": "CodeStarSourceConnection",
                                "version": "1",
                            },
                            "configuration": {
                                "ConnectionArn": connection,
                                "FullRepositoryId": repository.full_name,
                                "BranchName": "main",
                                "DetectChanges": "false",
                            },
                        }
                    ],
                },
                {"name": "Plan", "actions": [build_action(f"{self.name}-plan", ["SourceOutput"], ["PlanOutput"])]},
                {
                    "name": "Apply",
                    "actions": [
                        build_action(
                            f"{self.name}-apply",
                            ["SourceOutput", "PlanOutput"],
                            [],
                            PrimarySource="SourceOutput",
                            EnvironmentVariables=counts,
                        )
                    ],
                },
            ],
        }

    def run(self) -> dict[str, Any]:
        """Run the pipeline to its end; details of each action, and the status under ""."""
        if "created" not in self.__dict__:
            self.created = self.api.create_pipeline(pipeline=self.declaration)
            execution = self.api.list_pipeline_executions(pipelineName=self.name)["pipelineExecutionSummaries"][0][
                "pipelineExecutionId"
            ]
        else:
            execution = self.api.start_pipeline_execution(name=self.name)["pipelineExecutionId"]

        def status() -> str | None:
            found = self.api.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=execution)
            text = str(found["pipelineExecution"]["status"])
            return text if text in ("Succeeded", "Failed", "Stopped") else None

        ended = eventually(status, 30)
        details = self.api.list_action_executions(pipelineName=self.name, filter={"pipelineExecutionId": execution})[
            "actionExecutionDetails"
        ]
        return {"": ended, **{item["actionName"].rpartition("-")[2]: item for item in details}}


@pytest.fixture
def stack(local_aws: LocalAws, repository: Repository, connection: str, artifact_bucket: str) -> Callable[[], Stack]:
    (repository.clone / "bin").mkdir(exist_ok=True)
    tool = repository.clone / "bin/tool.sh"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    repository.push({"main.tf": "# something\n"})
    return lambda: Stack(local_aws, repository, connection, artifact_bucket)


def message(action: dict[str, Any]) -> str:
    assert action["status"] == "Failed", action
    return str(action["output"]["executionResult"]["errorDetails"]["message"])


def test_artifacts_travel_from_build_to_build(
    stack: Callable[[], Stack], local_aws: LocalAws, repository: Repository
) -> None:
    made = stack()
    ended = made.run()
    assert ended[""] == "Succeeded", ended
    commit = repository.push({"main.tf": "# again\n"})
    ended = made.run()
    assert ended[""] == "Succeeded", ended
    assert ended["plan"]["output"]["outputVariables"]["COUNTS"] == "1 to add"
    assert ended["apply"]["output"]["outputVariables"]["SAW"] == commit
    assert ended["apply"]["output"]["outputVariables"]["PASSED"] == "1 to add"
    location = ended["plan"]["output"]["outputArtifacts"][0]["s3location"]
    stored = local_aws.client("s3").head_object(Bucket=location["bucket"], Key=location["key"])
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", made.key)
    build_id = ended["apply"]["output"]["executionResult"]["externalExecutionId"]
    build = local_aws.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]
    assert build["initiator"] == f"codepipeline/{made.name}"
    assert build["resolvedSourceVersion"] == commit
    assert build["sourceVersion"].startswith(f"arn:aws:s3:::{made.bucket}/")
    writers = {
        call["principal_arn"].split("/")[1]
        for call in local_aws.calls()
        if call["action"] == "s3:PutObject" and location["key"] in call["resource"]
    }
    assert writers == {made.build_role}


def test_a_missing_permission_fails_where_aws_fails(stack: Callable[[], Stack], local_aws: LocalAws) -> None:
    made = stack()
    local_aws.policy(made.build_role, made.logs, made.kms)
    text = message(made.run()["plan"])
    assert "Phase: DOWNLOAD_SOURCE, Code: CLIENT_ERROR, Message: AccessDenied: " in text
    assert f"for primary source and source version arn:aws:s3:::{made.bucket}/" in text

    local_aws.policy(made.build_role, made.logs, made.kms, allow("s3:GetObject", f"arn:aws:s3:::{made.bucket}/*"))
    assert "Phase: UPLOAD_ARTIFACTS, Code: CLIENT_ERROR, Message: AccessDenied: " in message(made.run()["plan"])

    local_aws.policy(made.pipeline_role, *made.pipeline[:3])
    text = message(made.run()["plan"])
    assert "Error calling startBuild: " in text
    assert f"perform: codebuild:StartBuild on resource: arn:aws:codebuild:{REGION}:{ACCOUNT}:project/" in text
    assert "AccessDeniedException" in text
