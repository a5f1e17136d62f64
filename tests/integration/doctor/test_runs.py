# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""doctor.yml, and its module, on executions that failed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from local_estate import ACCOUNT

from tests.integration.doctor.conftest import ESTATE, LOCK, Practice, Told, plant_locked

IMAGE = "acme/terraform-that-is-not-there:1"
FAILING = ("unpulled", "denied", "limited", "refused", "locked", "objects", "bounded")


@dataclass
class Ran:
    """The executions that failed, by stack, and the build that was in the way of one."""

    executions: dict[str, str]
    beside: str


@pytest.fixture(scope="module")
def ran(practice: Practice, healthy: Told) -> Ran:
    """One execution of each stack, side by side, each with its own fault."""
    codebuild, pipelines = (practice.administrator.client(name) for name in ("codebuild", "codepipeline"))
    project = codebuild.batch_get_projects(names=[f"{ESTATE}-unpulled-plan"])["projects"][0]
    environment = {**project["environment"], "image": IMAGE}
    codebuild.update_project(name=project["name"], environment=environment)
    plant_locked(practice)
    beside = codebuild.start_build(
        projectName=f"{ESTATE}-limited-plan",
        sourceTypeOverride="NO_SOURCE",
        artifactsOverride={"type": "NO_ARTIFACTS"},
        buildspecOverride=json.dumps({"version": 0.2, "phases": {"build": {"commands": ["sleep 300"]}}}),
    )["build"]["id"]
    for stack, branch in (("bounded", "no-such-branch"),):
        declaration = pipelines.get_pipeline(name=f"{ESTATE}-{stack}")["pipeline"]
        declaration["stages"][0]["actions"][0]["configuration"]["BranchName"] = branch
        pipelines.update_pipeline(pipeline=declaration)
    # Terraform says then that it could not take the lock.
    deny = {"Sid": "NoUploads", "Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}
    iam, role = practice.administrator.client("iam"), f"{ESTATE}-objects-plan"
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName="by-hand", PolicyDocument=document)
    executions = {stack: practice.start(stack) for stack in FAILING}
    for stack, execution_id in executions.items():
        practice.ended(stack, execution_id)
    iam.delete_role_policy(RoleName=role, PolicyName="by-hand")
    return Ran(executions, beside)


def one(result: dict[str, Any]) -> dict[str, str]:
    """The only finding of a result."""
    (finding,) = result["findings"]
    found: dict[str, str] = finding
    return found


def test_a_build_that_was_refused_because_another_runs(practice: Practice, ran: Ran) -> None:
    told = practice.ask(execution_id=ran.executions["limited"])
    practice.administrator.client("codebuild").stop_build(id=ran.beside)
    assert told.run.failed
    assert told.lines[0] == f"{ESTATE}-limited: execution {ran.executions['limited']} is Failed"
    (finding,) = told.findings
    assert finding["id"] == "build-limit"
    assert finding["resource"] == f"{ESTATE}-limited-plan"
    assert ran.beside in finding["cause"]
    assert "Cannot have more than 1 builds in queue" in finding["evidence"]


def test_terraform_lacks_a_permission(practice: Practice, ran: Ran) -> None:
    told = practice.ask(stack="denied")
    (finding,) = told.findings
    assert finding["id"] == "access-denied"
    assert f"the role {ESTATE}-denied-plan" in finding["cause"]
    assert "ec2:DescribeVpcs" in finding["cause"]
    assert ran.executions["denied"] in finding["evidence"]
    assert "plan_permissions of the stack denied" in finding["fix"]
    assert '{Effect: Allow, Action: "ec2:DescribeVpcs", Resource: "*"}' in finding["fix"]


def test_an_image_that_is_not_there(practice: Practice, ran: Ran) -> None:
    finding = one(practice.module("unpulled", newest=True))
    assert finding["id"] == "image-pull"
    assert finding["resource"] == IMAGE
    assert "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE" in finding["evidence"]
    assert "pull access denied" in finding["evidence"]


def test_a_lock_that_kept_terraform_out(practice: Practice, ran: Ran) -> None:
    finding = one(practice.module("locked", newest=True))
    assert finding["id"] == "state-locked"
    assert "somebody@else" in finding["cause"]
    assert "It kept this run out" in finding["evidence"]
    assert f"lock_id={LOCK}" in finding["fix"]


def test_what_our_buildspecs_refuse(practice: Practice, ran: Ran) -> None:
    finding = one(practice.module("refused", execution_id=ran.executions["refused"]))
    assert finding["id"] == "build-failed"
    assert finding["resource"].startswith(f"{ESTATE}-refused-plan:")
    assert "tflint" in finding["evidence"]


def test_what_was_denied_and_is_allowed_now(practice: Practice, ran: Ran) -> None:
    """The Deny is gone, and the execution stays failed."""
    finding = one(practice.module("objects", execution_id=ran.executions["objects"]))
    assert finding["id"] == "access-denied"
    assert "s3:PutObject" in finding["cause"]
    assert f"{ESTATE}-objects-plan" in finding["cause"]
    assert "run it again" in finding["fix"]


def test_an_action_without_a_build(practice: Practice, ran: Ran) -> None:
    finding = one(practice.module("bounded", newest=True))
    assert finding["id"] == "action-failed"
    assert finding["resource"] == "Source"
    assert "No Branch [no-such-branch] found" in finding["evidence"]


def test_an_execution_that_no_stack_has(practice: Practice, ran: Ran) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    result = practice.module("healthy", "denied", execution_id=unknown)
    assert result["failed"]
    assert f"no pipeline of healthy, denied has an execution {unknown}" in result["msg"]


def test_an_execution_tells_its_stack(practice: Practice, ran: Ran) -> None:
    result = practice.module("healthy", "denied", "locked", execution_id=ran.executions["denied"])
    assert [run["stack"] for run in result["executions"]] == ["denied"]
    assert {finding["stack"] for finding in result["findings"]} == {"denied"}


def test_no_secret_is_shown(practice: Practice, ran: Ran) -> None:
    assert ACCOUNT in json.dumps(practice.module("denied", newest=True))
    assert "SECRET" not in json.dumps(practice.module("params", newest=True)["findings"])
