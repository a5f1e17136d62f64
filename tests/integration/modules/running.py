# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects and pipelines that really run, for the modules that start, stop and follow them."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.integration.modules.harness import REGION, Account, unique

IMAGE = "hashicorp/terraform:1.11"


def buildspec(*commands: str, exported: tuple[str, ...] = (), artifacts: tuple[str, ...] = ()) -> str:
    """A buildspec of one phase, with the variables that it exports and the files that it puts out."""
    spec: dict[str, Any] = {"version": 0.2, "phases": {"build": {"commands": list(commands)}}}
    if exported:
        spec["env"] = {"exported-variables": list(exported)}
    if artifacts:
        spec["artifacts"] = {"files": list(artifacts)}
    return json.dumps(spec)


def eventually(check: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true value of check, within a time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} seconds")


def make_role(account: Account, service: str, *actions: str) -> str:
    """A role that a service may assume and that may do these things; its ARN."""
    name, iam = unique("runs"), account.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=_document(may))
    return arn


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass
class Workshop:
    """Makes projects and pipelines that run."""

    account: Account
    build_role: str
    pipeline_role: str
    bucket: str

    @classmethod
    def open(cls, account: Account) -> Workshop:
        s3, bucket = account.client("s3"), unique("runs")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        return cls(
            account,
            make_role(
                account,
                "codebuild",
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                "s3:GetObject*",
                "s3:PutObject*",
            ),
            make_role(account, "codepipeline", "s3:*", "codebuild:StartBuild", "codebuild:BatchGetBuilds"),
            bucket,
        )

    def project(self, spec: str, kind: str = "NO_SOURCE", variables: dict[str, str] | None = None) -> str:
        """A build project; its name."""
        name = unique("build")
        self.account.client("codebuild").create_project(
            name=name,
            source={"type": kind, "buildspec": spec},
            artifacts={"type": "CODEPIPELINE" if kind == "CODEPIPELINE" else "NO_ARTIFACTS"},
            serviceRole=self.build_role,
            environment={
                "type": "LINUX_CONTAINER",
                "image": IMAGE,
                "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": [{"name": key, "value": value} for key, value in (variables or {}).items()],
            },
        )
        return name

    def commit(self, text: str, key: str = "code.zip") -> str:
        """Puts a file into the source of the pipelines; the version's id."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("text.txt", text)
        put = self.account.client("s3").put_object(Bucket=self.bucket, Key=key, Body=archive.getvalue())
        return str(put["VersionId"])

    def pipeline(self, *stages: dict[str, Any], mode: str = "QUEUED") -> str:
        """A pipeline with the stage Source and these; its name.

        Its variable without a default keeps it from starting when it is made. Every start must give it.
        """
        name = unique("runs")
        source = {
            "name": "Checkout",
            "outputArtifacts": [{"name": "source"}],
            "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
            "configuration": {"S3Bucket": self.bucket, "S3ObjectKey": "code.zip", "PollForSourceChanges": "false"},
        }
        self.account.client("codepipeline").create_pipeline(
            pipeline={
                "name": name,
                "roleArn": self.pipeline_role,
                "pipelineType": "V2",
                "executionMode": mode,
                "artifactStore": {"type": "S3", "location": self.bucket},
                "variables": [{"name": "who"}],
                "stages": [{"name": "Source", "actions": [source]}, *stages],
            }
        )
        return name


def build_stage(name: str, project: str) -> dict[str, Any]:
    """A stage of one build, which gets the pipeline's variable as WHO."""
    variables = [{"name": "WHO", "value": "#{variables.who}"}]
    return {
        "name": name,
        "actions": [
            {
                "name": "Run",
                "inputArtifacts": [{"name": "source"}],
                "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
                "configuration": {"ProjectName": project, "EnvironmentVariables": json.dumps(variables)},
            }
        ],
    }


def approval_stage(name: str = "Approve", *actions: str) -> dict[str, Any]:
    """A stage of one approval, Ok, or of these at once."""
    kind = {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
    return {"name": name, "actions": [{"name": each, "actionTypeId": kind} for each in actions or ("Ok",)]}
