# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No statement of a stack's roles is superfluous: each is taken from a stack of its own once, and its run breaks.

One push starts the pipelines of all these stacks, one pull request their reviews. Deny statements allow nothing: what
they are good for, verify.yml shows.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from local_estate import ACCOUNT, ROOT, LocalAws, Repository

from tests.e2e.conftest import HERE, parameter_policy
from tests.e2e.estate import REPOSITORY, Estate, Execution, new_estate
from tests.e2e.statements.conftest import reviews

NAME = "e"  # short, because artifact folders hold 20 characters of a pipeline's name, and here they must differ
CONTROL = "control"  # the stack with all statements
STALE = "stale"  # another: its state isn't the one that was written last, says its digest
LATER = "plan-lookatothers"  # the stack that comes after others
NOTHING = {"path": "nothing", "approval": True}  # a plan without changes ends the run
KEYS = {"credentials": "parameter_store"}
ROLE = {
    "credentials": "assume_role",
    "assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/other-team",
    "plan_assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/other-team-reads",
    "path": "provider",
    "variables": {"parameter": "/app/provider"},
}
DIGEST = "state data in S3 does not have the expected content"

# Where a run breaks, besides the names of its actions, of which Approve means that it waits there for nothing.
REVIEW = "the review"
DEPENDENTS = "the start of those that come after"
NOWHERE = "nowhere, where it should"


@dataclass(frozen=True)
class Taken:
    """A statement that is taken from a role of a stack of its own.

    `breaks` is where that stack's run breaks, `says` what is said there (a regular expression): CodePipeline's message,
    the build's log, the call that is refused. `settings` are those of the stack, `called` its name.
    """

    role: str
    sid: str
    breaks: str
    says: str
    settings: dict[str, Any] = field(default_factory=dict)
    called: str = ""

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return self.called or f"{self.role}-{self.sid.lower()}"


TAKEN = [
    Taken("plan", "ReadArtifacts", "Plan", "perform: s3:GetObject"),
    Taken("plan", "WriteArtifacts", "Plan", "perform: s3:PutObject"),
    Taken("plan", "Connection", "Plan", "authorization failed for primary source"),
    Taken("plan", "Logs", "Plan", "perform: logs:CreateLogStream"),
    Taken("plan", "Key", "Plan", "perform: kms:Decrypt"),
    Taken("plan", "OwnExecution", "Plan", "refused codepipeline:GetPipelineExecution"),
    Taken("plan", "EndWithoutChanges", "Approve", "refused codepipeline:StopPipelineExecution", NOTHING),
    Taken("plan", "LookAtOthers", "Plan", "refused codepipeline:ListPipelineExecutions", {"trigger": False}),
    Taken("plan", "StartDependents", DEPENDENTS, "refused codepipeline:StartPipelineExecution", NOTHING),
    Taken("plan", "StateBucket", "Plan", "refused s3:ListBucket"),
    Taken("plan", "State", "Plan", "refused s3:GetObject .*/plan-state/terraform.tfstate"),
    Taken("plan", "StateLockFile", "Plan", "refused s3:PutObject .*tflock"),
    Taken("plan", "StateLock", "Plan", "refused dynamodb:PutItem"),
    # Without it Terraform plans from a state that isn't the last one, and somebody approves that.
    Taken("plan", "StateDigest", "Apply", DIGEST),
    Taken("plan", "Credentials", "Plan", "perform: ssm:GetParameters", KEYS),
    Taken("plan", "Credentials", "Plan", "refused sts:AssumeRole", ROLE, "plan-role"),
    # Of a mark that isn't there, S3 says so only to who may list.
    Taken("apply", "ArtifactBucket", "Apply", "refused s3:GetObject .*/used/"),
    Taken("apply", "ReadArtifacts", "Apply", "perform: s3:GetObject"),
    Taken("apply", "KeepAside", "Apply", "refused s3:GetObject .*/used/"),
    Taken("apply", "Connection", "Apply", "authorization failed for primary source"),
    Taken("apply", "Logs", "Apply", "perform: logs:CreateLogStream"),
    Taken("apply", "Key", "Apply", "perform: kms:Decrypt"),
    Taken("apply", "OwnExecution", "Apply", "refused codepipeline:ListActionExecutions"),
    Taken("apply", "StartDependents", DEPENDENTS, "refused codepipeline:StartPipelineExecution"),
    Taken("apply", "StateBucket", "Apply", "refused s3:ListBucket"),
    Taken("apply", "State", "Apply", "refused s3:GetObject .*/apply-state/terraform.tfstate"),
    Taken("apply", "StateLockFile", "Apply", "refused s3:PutObject .*tflock"),
    Taken("apply", "StateLock", "Apply", "refused dynamodb:PutItem"),
    Taken("apply", "Credentials", "Apply", "perform: ssm:GetParameters", KEYS),
    Taken("apply", "Credentials", "Apply", "refused sts:AssumeRole", ROLE, "apply-role"),
    Taken("pipeline", "Connection", "Source", "Unable to use Connection"),
    Taken("pipeline", "WriteArtifacts", "Source", "perform: s3:PutObject"),
    Taken("pipeline", "UploadSource", "Source", "perform: s3:PutObjectAcl"),
    Taken("pipeline", "Key", "Source", "perform: kms:GenerateDataKey"),
    Taken("pipeline", "Builds", "Plan", "perform: codebuild:StartBuild"),
    Taken("review", "Connection", REVIEW, "Access denied to connection"),
    Taken("review", "Logs", REVIEW, "perform: logs:CreateLogStream"),
    Taken("review", "Key", REVIEW, "refused s3:GetObject .*/review-key/terraform.tfstate", {"trigger": True}),
    Taken("review", "StateBucket", REVIEW, "refused s3:ListBucket"),
    Taken("review", "State", REVIEW, "refused s3:GetObject .*/review-state/terraform.tfstate"),
    Taken("review", "StateDigest", NOWHERE, "refused dynamodb:GetItem"),
    Taken("review", "Credentials", REVIEW, "refused sts:AssumeRole", ROLE),
]

CODEPIPELINE = "AWS's minimum for a service role of CodePipeline (user guide, 'Manage the CodePipeline service role')"
TERRAFORM = "HashiCorp's list for the S3 backend with a lock table; Terraform 1.11 does not call it"
JUSTIFIED = {
    ("plan", "ArtifactBucket"): "AWS's policy for CodeBuild in pipelines; without, S3 answers 403 for a missing source",
    ("plan", "LockTable"): TERRAFORM,
    ("apply", "LockTable"): TERRAFORM,
    ("pipeline", "ArtifactBucket"): CODEPIPELINE,
    ("pipeline", "ReadArtifacts"): CODEPIPELINE,
}


def stacks() -> list[dict[str, Any]]:
    """The stacks of the estate, one for each statement that is taken, and those with all of them."""
    own: list[dict[str, Any]] = []
    for taken in TAKEN:
        kind = {"pull_requests": True, "trigger": False} if taken.role == "review" else {}
        own.append({"name": taken.stack, "path": "code", "approval": False, **kind, **taken.settings})
        if taken.stack == LATER:
            own[-1]["after"] = [CONTROL, "plan-startdependents", "apply-startdependents"]
    common = {"path": "code", "approval": False, "pull_requests": True}
    own += [{"name": CONTROL, **common}, {"name": STALE, **common}]
    return [{"repository": REPOSITORY, **stack} for stack in own]


@dataclass
class Broken:
    """What became of all: the statements of the roles as site.yml made them, where each stack broke and what was said.

    `statements` has role and Sid; `breaks` and `said` are by stack, `reviewed` are the statuses of reviews by stack.
    """

    statements: set[tuple[str, str]]
    breaks: dict[str, str]
    said: dict[str, str]
    executions: dict[str, Execution]
    reviewed: dict[str, str]
    started_later: list[str]
    destroyed: Execution


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    """An estate of its own, and all its runs."""
    with LocalAws(tmp_path_factory.mktemp("local-aws-statements")).running() as aws:
        yield Breaking(aws, tmp_path_factory).all()


class Breaking:
    """Takes the statements away and runs everything."""

    def __init__(self, aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> None:
        directory = tmp_path_factory.mktemp("statements")
        csv = directory / "accessKeys.csv"
        csv.write_text(
            "Access key ID,Secret access key\r\nAKIAIOSFODNN7EXAMPLE,wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE\r\n"
        )
        given = stacks()
        for stack in given:
            if stack.get("credentials") == "parameter_store":
                stack["access_keys_csv"] = str(csv)
        # The administrator puts in a digest, for which the table's policy must be out of the way.
        installers = ["user/installer", "user/administrator"]
        self.aws = aws
        self.estate, self.repository = new_estate(aws, directory, given, name=NAME, installers=installers)

    def all(self) -> Broken:
        """Everything, as quickly as it goes: what can run at once does."""
        estate, aws = self.estate, self.aws
        estate.site()
        aws.command("complete-connection", "github")
        other_team(estate)
        for stack in (STALE, "plan-statedigest", "review-statedigest"):
            self.put_digest(stack)
        statements = self.statements()
        for taken in TAKEN:
            self.take(taken)
        code(self.repository)
        before, others = len(aws.calls()), {s["name"]: self.executions(s["name"]) for s in estate.stacks}
        self.repository.push("All stacks")
        pushed = {s["name"]: self.newest(s["name"], others[s["name"]]) for s in estate.stacks if s.get("trigger", True)}

        ended = {name: self.ended(name, pushed[name]) for name in (CONTROL, "review-key")}
        destroying = estate.start(f"{NAME}-{CONTROL}-destroy", confirm=CONTROL)
        for folder in ("code", "provider"):
            (self.repository.clone / folder / "note").write_text("Reviewed")
        self.repository.push("Propose a change", "change-1")
        builds = reviews(estate, 1)
        reviewed = {build["projectName"].removeprefix(f"{NAME}-").removesuffix("-review"): build for build in builds}
        estate.wait(f"{NAME}-{CONTROL}-destroy", destroying, for_approval=True)
        estate.approve(f"{NAME}-{CONTROL}-destroy")
        ended |= {name: self.ended(name, execution) for name, execution in pushed.items()}
        later = [one for one in self.executions(LATER) if one not in others[LATER]]
        ended[LATER] = self.ended(LATER, later[0])
        destroyed = estate.wait(f"{NAME}-{CONTROL}-destroy", destroying)

        time.sleep(0.3)  # a call is logged just after it is answered
        calls = aws.calls()[before:]
        said = {name: self.said(name, ended.get(name), reviewed.get(name), calls) for name in others}
        return Broken(
            statements,
            {t.stack: where_broken(t.role, ended.get(t.stack), reviewed.get(t.stack), said[t.stack]) for t in TAKEN},
            said,
            ended,
            {name: build["buildStatus"] for name, build in reviewed.items()},
            later,
            destroyed,
        )

    def documents(self, role: str) -> dict[str, dict[str, Any]]:
        """The inline policies of a role, by name, without the stack's own and the seal."""
        iam = self.estate.administrator.client("iam")
        names = [name for name in iam.list_role_policies(RoleName=role)["PolicyNames"] if name not in ("stack", "seal")]
        return {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}

    def statements(self) -> set[tuple[str, str]]:
        """Every statement that a role of the estate has, whatever the stack: the role's purpose and the Sid."""
        return {
            (purpose, statement["Sid"])
            for stack in self.estate.stacks
            for purpose in ("plan", "apply", "pipeline", *(["review"] if stack.get("pull_requests") else []))
            for document in self.documents(f"{NAME}-{stack['name']}-{purpose}").values()
            for statement in document["Statement"]
        }

    def take(self, taken: Taken) -> None:
        """Takes the statement away from the role of its stack."""
        iam, role = self.estate.administrator.client("iam"), f"{NAME}-{taken.stack}-{taken.role}"
        for name, document in self.documents(role).items():
            left = [statement for statement in document["Statement"] if statement["Sid"] != taken.sid]
            if len(left) == len(document["Statement"]):
                continue
            if left:
                text = json.dumps({**document, "Statement": left})
                iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=text)
            else:
                iam.delete_role_policy(RoleName=role, PolicyName=name)
            return
        raise AssertionError(f"{role} has no statement {taken.sid}")

    def put_digest(self, stack: str) -> None:
        """Somebody's digest of a state that isn't there: reading the state finds another than the last one."""
        dynamodb, table = self.estate.administrator.client("dynamodb"), self.estate.foundation["lock_table"]
        arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
        policy = dynamodb.get_resource_policy(ResourceArn=arn)["Policy"]
        dynamodb.delete_resource_policy(ResourceArn=arn)
        item = f"{self.estate.foundation['state_bucket']}/{stack}/terraform.tfstate-md5"
        dynamodb.put_item(TableName=table, Item={"LockID": {"S": item}, "Digest": {"S": "0" * 32}})
        dynamodb.put_resource_policy(ResourceArn=arn, Policy=policy)

    def executions(self, stack: str) -> list[str]:
        """The ids of the executions of a stack's pipeline, the newest first."""
        return self.estate.executions(f"{NAME}-{stack}")

    def newest(self, stack: str, others: list[str]) -> str:
        """The execution of a stack that is none of the others, as soon as it is there."""
        deadline = time.monotonic() + 60
        while not (found := [one for one in self.executions(stack) if one not in others]):
            assert time.monotonic() < deadline, f"The push has not started {stack}"
            time.sleep(0.3)
        return found[0]

    def ended(self, stack: str, execution: str) -> Execution:
        """The execution at its end, or where it waits."""
        return self.estate.wait(f"{NAME}-{stack}", execution, for_approval=True)

    def said(
        self, stack: str, execution: Execution | None, review: dict[str, Any] | None, calls: list[dict[str, Any]]
    ) -> str:
        """What is to be read about a stack's run and review, with `refused <action> <resource>` for refused calls."""
        text = []
        if execution:
            details = self.estate.administrator.client("codepipeline").list_action_executions(
                pipelineName=f"{NAME}-{stack}", filter={"pipelineExecutionId": execution.id}
            )["actionExecutionDetails"]
            text += [json.dumps(details, default=str), *self.logs(execution)]
        if review:
            text += [json.dumps(review["phases"], default=str), self.log(review["id"])]
        for call in calls:
            if call["status"] >= 400 and call["status"] != 404 and f"/{NAME}-{stack}-" in call["principal_arn"]:
                text.append(f"refused {call['action']} {call['resource']}")
        return "\n".join(text)

    def logs(self, execution: Execution) -> list[str]:
        """The logs of an execution's builds."""
        return [self.log(action.build_id) for action in execution.actions.values() if action.build_id]

    def log(self, build: str) -> str:
        """A build's log; one that may not write has none."""
        logs = self.estate.administrator.client("logs")
        try:
            return self.estate.log(build)
        except (logs.exceptions.ResourceNotFoundException, KeyError):
            return ""


def other_team(estate: Estate) -> None:
    """The role of another team, for stacks that act as it."""
    iam = estate.administrator.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    for role in ("other-team", "other-team-reads"):
        iam.create_role(
            RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
        policy = json.dumps(parameter_policy("/app/provider"))
        iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=policy)


def code(repository: Repository) -> None:
    """Three root modules in the clone: one without a provider, one with, and one with nothing to do."""
    ignore = shutil.ignore_patterns(".terraform")
    shutil.copytree(HERE / "roots" / "value", repository.clone / "code", ignore=ignore)
    shutil.copytree(HERE / "roots" / "parameter", repository.clone / "provider", ignore=ignore)
    shutil.copy(ROOT / "tf" / ".terraform.lock.hcl", repository.clone / "provider")
    (repository.clone / "nothing").mkdir()
    (repository.clone / "nothing" / "main.tf").write_text('terraform {\n  backend "s3" {}\n}\n')


def where_broken(role: str, execution: Execution | None, review: dict[str, Any] | None, said: str) -> str:
    """Where a run broke, '' where it did not."""
    if role == "review":
        assert review is not None
        return REVIEW if review["buildStatus"] == "FAILED" else NOWHERE
    assert execution is not None
    failed = [name for name, action in execution.actions.items() if action.status == "Failed"]
    if execution.waits:
        return "Approve"
    if not failed and "could not be started. Fix: start it." in said:
        return DEPENDENTS
    return failed[0] if failed else NOWHERE


def test_every_statement_is_taken_or_justified(broken: Broken) -> None:
    taken = {(one.role, one.sid) for one in TAKEN}
    assert taken | set(JUSTIFIED) == broken.statements
    assert taken & set(JUSTIFIED) == set()


@pytest.mark.parametrize("taken", TAKEN, ids=lambda taken: taken.stack)
def test_run_breaks_without(taken: Taken, broken: Broken) -> None:
    print(f"{taken.role} without {taken.sid} breaks: {broken.breaks[taken.stack]}")
    assert broken.breaks[taken.stack] == taken.breaks, broken.said[taken.stack]
    assert re.search(taken.says, broken.said[taken.stack]), broken.said[taken.stack]


def test_nothing_breaks_with_all_of_them(broken: Broken) -> None:
    assert broken.executions[CONTROL].status == "Succeeded", broken.said[CONTROL]
    assert broken.reviewed[CONTROL] == "SUCCEEDED", broken.said[CONTROL]
    assert broken.destroyed.status == "Succeeded", broken.destroyed
    assert "refused " not in broken.said[CONTROL], broken.said[CONTROL]
    # Where there is nothing to do, the run ends by itself.
    assert broken.executions["plan-startdependents"].status == "Stopped"


def test_only_who_may_starts_those_that_come_after(broken: Broken) -> None:
    assert len(broken.started_later) == 1


def test_a_state_that_is_not_the_last_one_is_not_planned_from(broken: Broken) -> None:
    """What the digest is for: with it this run breaks, and without it the same review goes through."""
    actions = broken.executions[STALE].actions
    assert [name for name, action in actions.items() if action.status == "Failed"] == ["Plan"]
    assert DIGEST in broken.said[STALE]
    assert broken.reviewed[STALE] == "FAILED"
    assert broken.reviewed["review-statedigest"] == "SUCCEEDED"
