# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of this folder use of a running local AWS: clients, users, roles, repositories."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from local_aws import cli

ROOT = Path(__file__).resolve().parents[3]
ACCOUNT = "123456789012"
REGION = "eu-central-1"
_SESSION = botocore.session.Session()


@dataclass(frozen=True)
class Keys:
    """Credentials of one principal."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


@dataclass(frozen=True)
class LocalAws:
    """The running server, seen by its users. Every user here is an IAM user; root only makes the users."""

    endpoint_url: str
    data: Path
    admin: Keys

    def client(self, service: str, keys: Keys | None = None, region: str = REGION, **config: Any) -> Any:
        """A client; the administrator's unless other keys are given."""
        keys = keys or self.admin
        return _SESSION.create_client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            aws_session_token=keys.session_token,
            config=Config(proxies={}, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **config),
        )

    def post(self, path: str, /, **content: str) -> dict[str, Any]:
        """An administrative call under /_local/."""
        request = urllib.request.Request(self.endpoint_url + path, data=json.dumps(content).encode())
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def command(self, *arguments: str) -> Any:
        """One command of python -m local_aws; its JSON output."""
        done = command(*arguments, "--data", str(self.data))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def user(self, name: str, *statements: dict[str, Any]) -> Keys:
        """A user with exactly these statements."""
        made = cli.put_user(self.endpoint_url, name, {"Version": "2012-10-17", "Statement": list(statements)})
        return Keys(made["AccessKeyId"], made["SecretAccessKey"])

    def role(
        self, name: str, service: str, *statements: dict[str, Any], condition: dict[str, Any] | None = None
    ) -> str:
        """A role a service may assume, with exactly these statements; its ARN."""
        iam = self.client("iam")
        trust: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        if condition:
            trust["Condition"] = condition
        arn: str = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )["Role"]["Arn"]
        self.policy(name, *statements)
        return arn

    def policy(self, role: str, *statements: dict[str, Any]) -> None:
        """Replace what a role may do."""
        if statements:
            self.client("iam").put_role_policy(
                RoleName=role,
                PolicyName="test",
                PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
            )

    def connection(self, name: str) -> str:
        """An available connection; its ARN."""
        made = self.client("codeconnections").create_connection(ConnectionName=name, ProviderType="GitHub")
        self.post("/_local/connections/complete", connection_name=name)
        return str(made["ConnectionArn"])

    def bucket(self, prefix: str) -> str:
        """A bucket with a name that no other test uses."""
        name = unique(prefix)
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def calls(self) -> list[dict[str, Any]]:
        """The call log so far."""
        return cli.calls(self.data)

    def commit_statuses(self, full_name: str) -> list[dict[str, Any]]:
        """What was posted to the commits of a repository so far."""
        file = self.data / "commit_statuses.jsonl"
        found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [item for item in found if item["repository"] == full_name]


@contextlib.contextmanager
def server(data: Path, minute: float = 60, **environment: str) -> Iterator[LocalAws]:
    """Local AWS on a free port, with a minute of so many seconds and more environment variables."""
    more = {"LOCAL_AWS_MINUTE_SECONDS": str(minute), **environment}
    started = command("up", "--detach", "--port", "0", "--data", str(data), **more)
    assert started.returncode == 0, started.stderr
    try:
        admin = json.loads(command("create-admin", "--data", str(data)).stdout)
        keys = Keys(admin["AccessKeyId"], admin["SecretAccessKey"])
        yield LocalAws(json.loads(started.stdout)["endpoint_url"], data, keys)
    finally:
        command("down", "--data", str(data))


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run python -m local_aws, with more environment variables."""
    return subprocess.run(
        [sys.executable, "-m", "local_aws", *arguments],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
        timeout=90,
        env={**os.environ, **environment},
    )


def allow(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """An Allow statement."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def unique(prefix: str) -> str:
    """A name no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def eventually(check: Callable[[], Any], seconds: float = 40) -> Any:
    """The first true value of check, within a time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := check():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} seconds")


def git(*arguments: str, cwd: Path) -> str:
    """Run git as a fixed author."""
    who = {
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    return subprocess.run(
        ["git", *arguments], cwd=cwd, text=True, capture_output=True, check=True, env=os.environ | who
    ).stdout.strip()


@dataclass(frozen=True)
class Repository:
    """A bare repository that local AWS knows by a full name, and a clone to push from."""

    full_name: str
    bare: Path
    clone: Path

    def push(self, files: dict[str, str], branch: str = "main", message: str = "change") -> str:
        """Commit files on a branch, and push; the commit's id."""
        current = git("branch", "--show-current", cwd=self.clone)
        if current != branch:
            git("checkout", "-q", "-B", branch, cwd=self.clone)
        for name, content in files.items():
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            (self.clone / name).write_text(content)
        git("add", "-A", cwd=self.clone)
        git("commit", "-q", "-m", message, cwd=self.clone)
        git("push", "-q", "origin", branch, cwd=self.clone)
        return git("rev-parse", "HEAD", cwd=self.clone)


CODEBUILD = "codebuild.amazonaws.com"
LOGS = allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"])
ECHO = "version: 0.2\nphases: {build: {commands: [echo hello]}}"
ENVIRONMENT = {"type": "LINUX_CONTAINER", "image": "hashicorp/terraform:1.11", "computeType": "BUILD_GENERAL1_SMALL"}


class Demo:
    """The administrator's view of CodeBuild, with names that no other test uses."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.codebuild = aws.client("codebuild")

    def role(self, *statements: dict[str, Any], condition: dict[str, Any] | None = None) -> str:
        return self.aws.role(unique("build"), CODEBUILD, *statements, condition=condition)

    def request(self, buildspec: str = ECHO, role: str | None = None, **members: Any) -> dict[str, Any]:
        return {
            "name": unique("project"),
            "source": {"type": "NO_SOURCE", "buildspec": buildspec},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": ENVIRONMENT,
            "serviceRole": role or self.role(LOGS),
            **members,
        }

    def project(self, buildspec: str = ECHO, *statements: dict[str, Any], **members: Any) -> dict[str, Any]:
        role = self.role(LOGS, *statements)
        made: dict[str, Any] = self.codebuild.create_project(**self.request(buildspec, role, **members))["project"]
        return made

    def start(self, project: dict[str, Any], **overrides: Any) -> str:
        build_id: str = self.codebuild.start_build(projectName=project["name"], **overrides)["build"]["id"]
        return build_id

    def build(self, project: dict[str, Any], **overrides: Any) -> dict[str, Any]:
        return self.ended(self.start(project, **overrides))

    def get(self, build_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.codebuild.batch_get_builds(ids=[build_id])["builds"][0]
        return found

    def ended(self, build_id: str, seconds: float = 20) -> dict[str, Any]:
        def complete() -> dict[str, Any] | None:
            build = self.get(build_id)
            return build if build["buildComplete"] else None

        found: dict[str, Any] = eventually(complete, seconds)
        return found

    def log(self, build: dict[str, Any]) -> str:
        answer = self.aws.client("logs").get_log_events(
            logGroupName=build["logs"]["groupName"], logStreamName=build["logs"]["streamName"], startFromHead=True
        )
        return "".join(event["message"] for event in answer["events"])

    def context(self, build: dict[str, Any], phase: str) -> dict[str, str]:
        found: dict[str, str] = next(p for p in build["phases"] if p["phaseType"] == phase)["contexts"][0]
        return found


OVER = ("Succeeded", "Failed", "Stopped", "Superseded", "Cancelled")


class Running:
    """A pipeline under test, and the questions tests ask of it."""

    def __init__(self, local_aws: LocalAws, name: str, role: str) -> None:
        self.aws, self.name, self.role = local_aws, name, role
        self.api = local_aws.client("codepipeline")

    def start(self, **more: Any) -> str:
        started: str = self.api.start_pipeline_execution(name=self.name, **more)["pipelineExecutionId"]
        return started

    def first(self) -> str:
        """The execution that creation started."""
        return str(
            self.api.list_pipeline_executions(pipelineName=self.name)["pipelineExecutionSummaries"][-1][
                "pipelineExecutionId"
            ]
        )

    def execution(self, execution_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get_pipeline_execution(
            pipelineName=self.name, pipelineExecutionId=execution_id
        )["pipelineExecution"]
        return found

    def ends(self, execution_id: str) -> str:
        return str(eventually(lambda: (status := self.execution(execution_id)["status"]) in OVER and status))

    def actions(self, execution_id: str) -> dict[str, dict[str, Any]]:
        """Details of the newest run of each action of an execution."""
        details = self.api.list_action_executions(pipelineName=self.name, filter={"pipelineExecutionId": execution_id})[
            "actionExecutionDetails"
        ]
        return {item["actionName"]: item for item in reversed(details)}

    def stage(self, name: str) -> dict[str, Any]:
        states = self.api.get_pipeline_state(name=self.name)["stageStates"]
        return dict(next(item for item in states if item["stageName"] == name))

    def token(self, execution_id: str, stage: str = "Approve") -> str:
        """Wait for an execution's approval; its token."""

        def waiting() -> str | None:
            execution = self.execution(execution_id)
            if execution["status"] in OVER:
                raise AssertionError(f"it ended: {self.actions(execution_id)}")
            if execution["executionMode"] == "PARALLEL":
                found = [item for item in self.actions(execution_id).values() if item["stageName"] == stage]
                result = found[0]["output"]["executionResult"] if found else {}
                return result.get("externalExecutionId")
            state = self.stage(stage)
            if state.get("latestExecution", {}).get("pipelineExecutionId") != execution_id:
                return None
            token: str | None = state["actionStates"][0].get("latestExecution", {}).get("token")
            return token

        return str(eventually(waiting))

    def answer(self, token: str, status: str = "Approved", summary: str = "fine", stage: str = "Approve") -> None:
        self.api.put_approval_result(
            pipelineName=self.name,
            stageName=stage,
            actionName="Ok",
            token=token,
            result={"status": status, "summary": summary},
        )


def source_action(connection: str, full_name: str, **configuration: str) -> dict[str, Any]:
    return {
        "name": "Checkout",
        "namespace": "src",
        "outputArtifacts": [{"name": "SourceOutput"}],
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "CodeStarSourceConnection", "version": "1"},
        "configuration": {"ConnectionArn": connection, "FullRepositoryId": full_name, "BranchName": "main"}
        | configuration,
    }


def approval_action(**configuration: str) -> dict[str, Any]:
    return {
        "name": "Ok",
        "configuration": configuration,
        "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"},
    }


def rule(provider: str = "VariableCheck", name: str = "Check", **configuration: str) -> dict[str, Any]:
    return {
        "name": name,
        "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": configuration,
    }


def condition(result: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"conditions": [{"result": result, "rules": list(rules)}]}
