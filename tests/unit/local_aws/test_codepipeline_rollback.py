# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages are rolled back by hand and after a failure, and stages that fail are skipped where they are told to be."""

from __future__ import annotations

import json
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
    approval_action,
    eventually,
    source_action,
    unique,
)

Make = Callable[..., Running]


@pytest.fixture
def make(create: Make, repository: Repository, connection: str) -> Make:
    """Make a pipeline Source -> Approve -> Last that no push starts; keyword arguments go into the stage Approve."""

    def made(mode: str = "QUEUED", kind: str = "V2", **stage: Any) -> Running:
        variables = {"variables": [{"name": "who", "defaultValue": "nobody"}]} if kind == "V2" else {}
        return create(
            executionMode=mode,
            pipelineType=kind,
            stages=[
                {
                    "name": "Source",
                    "actions": [source_action(connection, repository.full_name, DetectChanges="false")],
                },
                {
                    "name": "Approve",
                    "actions": [
                        approval_action(
                            CustomData="#{codepipeline.PipelineExecutionId} #{src.CommitId}"
                            + (" #{variables.who}" if variables else "")
                        )
                    ],
                }
                | stage,
                {"name": "Last", "actions": [approval_action() | {"name": "Ok"}]},
            ],
            **variables,
        )

    return made


def through(running: Running, execution: str) -> None:
    """Approve an execution in both stages."""
    for stage in ("Approve", "Last"):
        running.answer(running.token(execution, stage), stage=stage)
    assert running.ends(execution) == "Succeeded"


def roll_back(running: Running, target: str, stage: str = "Approve") -> str:
    found: str = running.api.rollback_stage(
        pipelineName=running.name, stageName=stage, targetPipelineExecutionId=target
    )["pipelineExecutionId"]
    return found


def refused(running: Running, target: str, stage: str = "Approve") -> tuple[str, str]:
    """The code and the message with which a rollback is refused."""
    with pytest.raises(ClientError) as caught:
        roll_back(running, target, stage)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def summaries(running: Running) -> list[dict[str, Any]]:
    """Executions, newest first."""
    found: list[dict[str, Any]] = running.api.list_pipeline_executions(pipelineName=running.name)[
        "pipelineExecutionSummaries"
    ]
    return found


def test_a_stage_is_rolled_back_to_an_earlier_execution(make: Make, repository: Repository) -> None:
    running = make()
    through(running, running.first())
    first = running.start(variables=[{"name": "who", "value": "Ada"}])
    through(running, first)
    old = running.execution(first)["artifactRevisions"]
    repository.push({"main.tf": "# new\n"})
    second = running.start(variables=[{"name": "who", "value": "Bob"}])
    through(running, second)
    assert running.execution(second)["artifactRevisions"] != old
    assert running.stage("Approve")["latestExecution"]["type"] == "STANDARD"

    back = roll_back(running, first)
    token = running.token(back)
    assert running.stage("Approve")["latestExecution"] == {
        "pipelineExecutionId": back,
        "status": "InProgress",
        "type": "ROLLBACK",
    }
    running.answer(token)
    assert running.ends(back) == "Succeeded"

    execution, summary = running.execution(back), summaries(running)[0]
    assert summary["pipelineExecutionId"] == back
    for shown in (execution, summary):
        assert shown["executionType"] == "ROLLBACK"
        assert shown["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": first}
        assert shown["trigger"] == {
            "triggerType": "ManualRollback",
            "triggerDetail": f"arn:aws:iam::{ACCOUNT}:user/admin",
        }
    assert execution["artifactRevisions"] == old
    assert summary["sourceRevisions"][0]["revisionId"] == old[0]["revisionId"]
    assert execution["variables"] == [{"name": "who", "resolvedValue": "Ada"}]
    # It ran this stage with what the target brought there, and nothing before or after it.
    actions = running.actions(back)
    assert list(actions) == ["Ok"]
    assert actions["Ok"]["stageName"] == "Approve"
    assert actions["Ok"]["input"]["resolvedConfiguration"]["CustomData"] == f"{back} {old[0]['revisionId']} Ada"
    assert running.stage("Last")["latestExecution"]["pipelineExecutionId"] == second
    assert "rollbackMetadata" not in running.execution(second)
    assert running.execution(second)["executionType"] == "STANDARD"


def test_rollbacks_that_are_refused(make: Make) -> None:
    running = make()
    first = running.first()
    token = running.token(first)
    unable = "UnableToRollbackStageException"
    nobody = "00000000-0000-0000-0000-000000000000"
    assert refused(running, nobody)[0] == "PipelineExecutionNotFoundException"
    assert refused(running, first, "Nothing")[0] == "StageNotFoundException"
    assert refused(running, first) == (unable, "Unable to roll back stage Approve: the stage is currently running")
    running.answer(token, "Rejected")
    assert running.ends(first) == "Failed"
    second = running.start()
    through(running, second)
    assert "a source stage" in refused(running, second, "Source")[1]
    assert "did not succeed in it" in refused(running, first)[1]
    assert "is the one it has now" in refused(running, second)[1]
    third = running.start()
    through(running, third)
    back = roll_back(running, second)
    running.answer(running.token(back))
    assert running.ends(back) == "Succeeded"
    through(running, running.start())
    assert "is itself a rollback" in refused(running, back)[1]

    def succeeded() -> list[str]:
        found = running.api.list_pipeline_executions(
            pipelineName=running.name, filter={"succeededInStage": {"stageName": "Approve"}}
        )["pipelineExecutionSummaries"]
        return [item["pipelineExecutionId"] for item in found]

    assert succeeded()[1:] == [back, third, second]
    declaration = running.api.get_pipeline(name=running.name)["pipeline"]
    declaration["stages"][1]["actions"][0]["configuration"]["CustomData"] = "other"
    running.api.update_pipeline(pipeline=declaration)
    code, message = refused(running, third)
    assert (code, "the pipeline has changed" in message) == (unable, True)
    assert succeeded() == []


@pytest.mark.parametrize(("mode", "kind", "message"), [("PARALLEL", "V2", "PARALLEL"), ("SUPERSEDED", "V1", "V1")])
def test_pipelines_without_rollback(mode: str, kind: str, message: str, make: Make) -> None:
    running = make(mode, kind)
    first = running.first()
    through(running, first)
    second = running.start()
    through(running, second)
    code, text = refused(running, first)
    assert (code, message in text) == ("UnableToRollbackStageException", True)


def test_rollback_is_a_right_on_the_stage(make: Make, local_aws: LocalAws) -> None:
    running = make()
    first = running.first()
    arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{running.name}"
    operations = ["codepipeline:RollbackStage", "codepipeline:OverrideStageCondition"]
    for resource, allowed in ((arn, False), (f"{arn}/Approve", True)):
        api = local_aws.client("codepipeline", local_aws.user(unique("user"), allow(operations, resource)))
        stage = {"pipelineName": running.name, "stageName": "Approve"}
        for call, arguments in (
            (api.rollback_stage, {"targetPipelineExecutionId": first}),
            (api.override_stage_condition, {"pipelineExecutionId": first, "conditionType": "BEFORE_ENTRY"}),
        ):
            with pytest.raises(ClientError) as caught:
                call(**stage, **arguments)
            assert (caught.value.response["Error"]["Code"] != "AccessDeniedException") is allowed


def test_a_failed_stage_is_rolled_back_automatically(make: Make) -> None:
    running = make(onFailure={"result": "ROLLBACK"})
    first = running.first()
    running.answer(running.token(first), "Rejected")
    assert running.ends(first) == "Failed"
    assert len(summaries(running)) == 1  # nothing to roll back to
    assert running.stage("Approve")["latestExecution"]["status"] == "Failed"
    second = running.start()
    through(running, second)
    third = running.start()
    token = running.token(third)
    waiting = running.start()
    eventually(lambda: running.stage("Approve").get("inboundExecution"))
    running.answer(token, "Rejected")
    assert running.ends(third) == "Failed"
    # The rollback is in the stage before the execution that waits for it.
    back = running.stage("Approve")["latestExecution"]["pipelineExecutionId"]
    assert running.stage("Approve")["inboundExecution"]["pipelineExecutionId"] == waiting
    execution = running.execution(back)
    assert execution["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": second}
    assert execution["trigger"]["triggerType"] == "AutomatedRollback"
    assert json.loads(execution["trigger"]["triggerDetail"]) == {"FailedPipelineExecutionId": third}
    # A rollback that fails is not rolled back again.
    running.answer(running.token(back), "Rejected")
    assert running.ends(back) == "Failed"
    running.token(waiting)
    assert [item["pipelineExecutionId"] for item in summaries(running)] == [back, waiting, third, second, first]


def test_a_failed_stage_is_skipped(make: Make) -> None:
    running = make(onFailure={"result": "SKIP"})
    first = running.first()
    running.answer(running.token(first), "Rejected")
    running.answer(running.token(first, "Last"), stage="Last")
    assert running.ends(first) == "Succeeded"
    assert running.stage("Approve")["latestExecution"]["status"] == "Skipped"
    assert running.actions(first)["Ok"]["stageName"] == "Last"
    through(running, second := running.start())
    third = running.start()
    running.answer(running.token(third), "Rejected")
    running.token(third, "Last")
    assert "the stage was skipped" in refused(running, second)[1]


def test_a_failed_stage_is_retried_once(make: Make) -> None:
    running = make(onFailure={"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}})
    first = running.first()
    token = running.token(first)
    running.answer(token, "Rejected")
    again = eventually(lambda: (found := running.token(first)) != token and found)
    assert running.stage("Approve")["retryStageMetadata"]["autoStageRetryAttempt"] == 1
    running.answer(again, "Rejected")
    assert running.ends(first) == "Failed"
