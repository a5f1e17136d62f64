# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""codepipeline_execution, with executions that really run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed, unique
from tests.integration.modules.running import Workshop, approval_stage, build_stage, buildspec, eventually

QUICK: dict[str, Any] = {"poll_interval": 1, "wait_timeout": 60}
ADA = {"who": "Ada"}
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def workshop(account: Account) -> Workshop:
    made = Workshop.open(account)
    made.commit("first")
    return made


@pytest.fixture(scope="module")
def project(workshop: Workshop) -> str:
    """A project whose builds say who and what, and fail for Eve."""
    return workshop.project(buildspec('echo "$WHO: $(cat text.txt)"', 'test "$WHO" != Eve'), kind="CODEPIPELINE")


def texts(result: dict[str, Any]) -> list[str]:
    return [line["text"] for line in result["log_lines"]]


def start(account: Account, pipeline: str, **arguments: Any) -> dict[str, Any]:
    return account.run("codepipeline_execution", pipeline=pipeline, **{"variables": ADA, **QUICK, **arguments})


def fails(account: Account, pipeline: str, **arguments: Any) -> dict[str, Any]:
    """The result of a task that must fail."""
    with pytest.raises(ModuleFailed) as failure:
        account.run("codepipeline_execution", pipeline=pipeline, **QUICK, **arguments)
    return failure.value.result


def status(account: Account, pipeline: str, execution_id: str) -> str:
    client = account.client("codepipeline")
    answer = client.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution_id)
    return str(answer["pipelineExecution"]["status"])


def executions(account: Account, pipeline: str) -> list[str]:
    """The newest first."""
    listed = account.client("codepipeline").list_pipeline_executions(pipelineName=pipeline)
    return [each["pipelineExecutionId"] for each in listed["pipelineExecutionSummaries"]]


def waiting(account: Account, workshop: Workshop) -> tuple[str, str]:
    """A pipeline, and its execution, which waits for an approval."""
    pipeline = workshop.pipeline(approval_stage())
    return pipeline, start(account, pipeline, wait_for_approval=False)["execution"]["id"]


# Starting and following


def test_run_to_the_end_with_variables(account: Account, workshop: Workshop, project: str) -> None:
    pipeline = workshop.pipeline(build_stage("Build", project))

    result = start(account, pipeline, variables={"who": True})

    execution = result["execution"]
    assert result["changed"]
    assert result["mutations"] == ["codepipeline:StartPipelineExecution"]
    assert execution["status"] == "Succeeded"
    assert execution["mode"] == "QUEUED"
    assert execution["rolled_back_to"] == ""
    assert [stage["name"] for stage in execution["stages"]] == ["Source", "Build"]
    assert "true: first" in texts(result)  # a text, as JSON and YAML have it


def test_source_revisions(account: Account, workshop: Workshop, project: str) -> None:
    pipeline, old = workshop.pipeline(build_stage("Build", project)), workshop.commit("old one")
    workshop.commit("first")
    revision = {"action_name": "Checkout", "revision_type": "S3_OBJECT_VERSION_ID", "revision_value": old}

    result = start(account, pipeline, source_revisions=[revision])

    assert "Ada: old one" in texts(result)
    assert result["execution"]["source_revisions"][0]["revision_id"] == old


def test_variable_that_is_not_declared(account: Account, workshop: Workshop, project: str) -> None:
    pipeline = workshop.pipeline(build_stage("Build", project))

    result = fails(account, pipeline, variables={"who": "Ada", "colour": "red"})

    assert result["msg"].startswith(f"pipeline {pipeline}: StartPipelineExecution failed with ValidationException: ")
    assert "colour" in result["msg"]


def test_failed_execution_names_the_action(account: Account, workshop: Workshop, project: str) -> None:
    pipeline = workshop.pipeline(build_stage("Build", project))

    result = fails(account, pipeline, variables={"who": "Eve"})

    execution = result["execution"]
    assert result["msg"].startswith(f"pipeline {pipeline}: execution {execution['id']} is Failed; Build/Run: ")
    assert "Eve: first" in texts(result)
    assert result["changed"]


def test_waiting_ends_at_an_approval(account: Account, workshop: Workshop) -> None:
    pipeline, execution_id = waiting(account, workshop)

    followed = account.run(
        "codepipeline_execution", pipeline=pipeline, execution_id="latest", wait_for_approval=False, **QUICK
    )

    assert followed["execution"]["id"] == execution_id
    assert followed["execution"]["waiting_for_approval"]["stage"] == "Approve"
    assert not followed["changed"]
    assert followed["mutations"] == []


def test_waiting_ends_with_the_time(account: Account, workshop: Workshop) -> None:
    pipeline, execution_id = waiting(account, workshop)

    with pytest.raises(ModuleFailed) as failure:
        account.run("codepipeline_execution", pipeline=pipeline, execution_id=execution_id, wait_timeout=1)

    assert failure.value.result["msg"] == (
        f"pipeline {pipeline}: execution {execution_id} is InProgress after 1 s. It goes on"
    )
    # A waiter asks for one thing; the whole is looked at once, at the end.
    assert failure.value.result["api_calls"]["codepipeline:GetPipeline"] == 1


def test_same_token_is_the_same_execution(account: Account, workshop: Workshop, project: str) -> None:
    pipeline, token = workshop.pipeline(build_stage("Build", project)), unique("token")

    first = start(account, pipeline, client_request_token=token)
    second = start(account, pipeline, client_request_token=token)

    assert second["execution"]["id"] == first["execution"]["id"]
    assert executions(account, pipeline) == [first["execution"]["id"]]


def test_pipeline_that_never_ran_has_no_latest(account: Account, workshop: Workshop, project: str) -> None:
    pipeline = workshop.pipeline(build_stage("Build", project))

    assert fails(account, pipeline, execution_id="latest")["msg"].startswith(f"pipeline {pipeline}: it never ran. Fix")


# Stopping


def test_stop_and_abandon(account: Account, workshop: Workshop) -> None:
    pipeline, execution_id = waiting(account, workshop)
    how = {"pipeline": pipeline, "state": "stopped", "execution_id": execution_id, "abandon": True, **QUICK}

    checked = account.run("codepipeline_execution", check=True, **how)
    first = account.run("codepipeline_execution", reason="not needed", **how)
    second = account.run("codepipeline_execution", reason="not needed", **how)

    summary = account.client("codepipeline").list_pipeline_executions(pipelineName=pipeline)
    assert checked["changed"]
    assert checked["mutations"] == []
    assert checked["msg"] == f"It would stop the execution {execution_id}"
    assert checked["execution"]["status"] == "InProgress"
    assert first["changed"]
    assert first["mutations"] == ["codepipeline:StopPipelineExecution"]
    assert first["execution"]["status"] == "Stopped"
    assert summary["pipelineExecutionSummaries"][0]["stopTrigger"] == {"reason": "not needed"}
    assert not second["changed"]
    assert second["mutations"] == []


def test_stop_waits_for_what_runs(account: Account, workshop: Workshop) -> None:
    pipeline, execution_id = waiting(account, workshop)
    how: dict[str, Any] = {"pipeline": pipeline, "state": "stopped", "execution_id": execution_id, "wait": False}

    first = account.run("codepipeline_execution", **how)
    second = account.run("codepipeline_execution", **how)
    third = account.run("codepipeline_execution", **how, abandon=True)

    assert first["execution"]["status"] == "Stopping"
    assert [each["changed"] for each in (first, second, third)] == [True, False, True]
    eventually(lambda: status(account, pipeline, execution_id) == "Stopped")


# Retrying


def test_retry_of_the_stage_that_failed(account: Account, workshop: Workshop) -> None:
    project = workshop.project(buildspec("exit 1"), kind="CODEPIPELINE")
    pipeline = workshop.pipeline(build_stage("Build", project), build_stage("Again", project))
    failed = fails(account, pipeline, variables=ADA)["execution"]["id"]
    account.client("codebuild").update_project(
        name=project, source={"type": "CODEPIPELINE", "buildspec": buildspec("echo better")}
    )
    how = {"pipeline": pipeline, "state": "retried", "execution_id": "latest", **QUICK}

    checked = account.run("codepipeline_execution", check=True, **how)
    result = account.run("codepipeline_execution", **how)
    again = fails(account, pipeline, state="retried", execution_id=failed)
    named = fails(account, pipeline, state="retried", execution_id=failed, stage="Build")

    assert checked["changed"]
    assert checked["mutations"] == []
    assert checked["msg"] == f"It would run the stage Build of the execution {failed} again"
    assert result["changed"]
    assert result["mutations"] == ["codepipeline:RetryStageExecution"]
    assert result["execution"]["id"] == failed
    assert result["execution"]["status"] == "Succeeded"
    assert texts(result).count("better") == 2
    assert f"execution {failed} has no stage that failed (Source is Succeeded, Build is Succeeded" in again["msg"]
    assert f"stage Build of execution {failed} is Succeeded; only a stage that failed" in named["msg"]
    assert again["mutations"] == named["mutations"] == []


def test_retry_of_an_older_execution_is_refused(account: Account, workshop: Workshop, project: str) -> None:
    pipeline = workshop.pipeline(build_stage("Build", project))
    old = fails(account, pipeline, variables={"who": "Eve"})["execution"]["id"]
    new = fails(account, pipeline, variables={"who": "Eve"})["execution"]["id"]

    older = fails(account, pipeline, state="retried", execution_id=old, stage="Build")
    nowhere = fails(account, pipeline, state="retried", execution_id=new, stage="Bild")

    assert f"stage Build is not where execution {old} was last: the last one there is {new}. Nothing" in older["msg"]
    assert "there is no stage Bild. Nothing was retried. Fix: name one of Source, Build" in nowhere["msg"]


def test_retry_where_executions_run_beside_each_other(account: Account, workshop: Workshop, project: str) -> None:
    pipeline = workshop.pipeline(build_stage("Build", project), mode="PARALLEL")
    old = fails(account, pipeline, variables={"who": "Eve"})["execution"]["id"]
    start(account, pipeline)

    result = fails(account, pipeline, state="retried", execution_id=old)

    assert result["mutations"] == ["codepipeline:RetryStageExecution"]
    assert result["execution"]["id"] == old
    assert result["changed"]


# Rolling back


@pytest.fixture(scope="module")
def deployed(account: Account, workshop: Workshop, project: str) -> tuple[str, list[str]]:
    """A pipeline, and its executions, the newest first; the newest of three failed in the stage Deploy."""
    pipeline = workshop.pipeline(build_stage("Deploy", project))
    for who in ("Ada", "Grace"):
        start(account, pipeline, variables={"who": who})
    fails(account, pipeline, variables={"who": "Eve"})
    return pipeline, executions(account, pipeline)


def test_rollback_goes_back_one_by_one(account: Account, deployed: tuple[str, list[str]]) -> None:
    pipeline, (_bad, second, first) = deployed
    how = {"pipeline": pipeline, "state": "rolled_back", "stage": "Deploy", **QUICK}

    checked = account.run("codepipeline_execution", check=True, **how)
    one = account.run("codepipeline_execution", **how)
    two = account.run("codepipeline_execution", **how)
    nothing = fails(account, pipeline, state="rolled_back", stage="Deploy")

    assert checked["changed"]
    assert checked["mutations"] == []
    assert checked["msg"] == f"It would run the stage Deploy with what the execution {second} brought there"
    assert one["changed"]
    assert one["mutations"] == ["codepipeline:RollbackStage"]
    assert one["execution"]["rolled_back_to"] == second
    assert one["execution"]["status"] == "Succeeded"
    assert "Grace: first" in texts(one)
    assert two["execution"]["rolled_back_to"] == first
    assert "Ada: first" in texts(two)
    assert f"no execution before {first} succeeded in stage Deploy: there is nothing to go back to" in nothing["msg"]


def test_rollback_to_a_certain_execution_is_done_once(account: Account, workshop: Workshop, project: str) -> None:
    pipeline = workshop.pipeline(build_stage("Deploy", project))
    ids = [start(account, pipeline)["execution"]["id"] for _ in range(3)]
    how = {"pipeline": pipeline, "state": "rolled_back", "stage": "Deploy", "target_execution_id": ids[0], **QUICK}

    first = account.run("codepipeline_execution", **how)
    second = account.run("codepipeline_execution", **how)
    there = account.run("codepipeline_execution", check=True, **how)

    assert first["changed"]
    assert first["execution"]["rolled_back_to"] == ids[0]
    assert not second["changed"]
    assert second["mutations"] == []
    assert second["execution"]["id"] == first["execution"]["id"]
    assert not there["changed"]


def test_rollback_of_what_is_not_there(account: Account, workshop: Workshop, project: str) -> None:
    pipeline = workshop.pipeline(build_stage("Deploy", project))

    never = fails(account, pipeline, state="rolled_back", stage="Deploy")
    nowhere = fails(account, pipeline, state="rolled_back", stage="Deplo")
    start(account, pipeline)
    unknown = fails(account, pipeline, state="rolled_back", stage="Deploy", target_execution_id=NOBODY)

    assert "stage Deploy never ran: there is nothing to roll back" in never["msg"]
    assert "there is no stage Deplo. Fix: name one of Source, Deploy" in nowhere["msg"]
    assert unknown["msg"].startswith(f"pipeline {pipeline}: RollbackStage failed with PipelineExecutionNotFound")


# Check mode and arguments


def test_check_mode_starts_nothing(account: Account, workshop: Workshop, project: str) -> None:
    pipeline = workshop.pipeline(build_stage("Build", project))

    result = account.run("codepipeline_execution", check=True, pipeline=pipeline, variables=ADA)

    assert result["changed"]
    assert result["msg"] == "It would start an execution"
    assert result["api_calls"] == {"codepipeline:GetPipeline": 1}
    assert executions(account, pipeline) == []


def test_check_mode_knows_a_pipeline_that_there_is_not(account: Account) -> None:
    name = unique("none")

    with pytest.raises(ModuleFailed, match=f"pipeline {name}: GetPipeline failed with PipelineNotFoundException"):
        account.run("codepipeline_execution", check=True, pipeline=name)


def test_what_was_started_and_may_not_be_looked_at(account: Account, workshop: Workshop) -> None:
    pipeline = workshop.pipeline(approval_stage())
    iam, user = account.root("iam"), "modules"
    deny = {"Effect": "Deny", "Action": "codepipeline:ListActionExecutions", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_user_policy(UserName=user, PolicyName="blind", PolicyDocument=document)

    try:
        result = fails(account, pipeline, variables=ADA)
    finally:
        iam.delete_user_policy(UserName=user, PolicyName="blind")

    (execution_id,) = executions(account, pipeline)
    assert result["changed"]
    assert result["execution"] == {"id": execution_id, "pipeline": pipeline}
    assert (
        f"was started and goes on (execution_id={execution_id} follows it), but a look at it failed: L" in result["msg"]
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"state": "stopped"}, "execution_id"),
        ({"state": "retried"}, "execution_id"),
        ({"state": "rolled_back"}, "stage"),
        ({"state": "rolled_back", "stage": "A", "execution_id": "latest"}, "execution_id: a rollback is an execution"),
        ({"stage": "A"}, "stage: it is for state=retried and state=rolled_back, and state is started"),
        ({"execution_id": ""}, "execution_id: it is empty"),
        ({"state": "stopped", "execution_id": ""}, "execution_id: it is empty"),
        ({"state": "rolled_back", "stage": "A", "target_execution_id": ""}, "target_execution_id: it is empty"),
        ({"execution_id": "latest", "variables": {"a": "b"}}, "variables: it is for an execution that is started"),
        ({"retry_mode": "ALL_ACTIONS"}, "retry_mode: it is for state=retried, and state is started"),
        ({"abandon": True}, "abandon: it is for state=stopped, and state is started"),
        ({"variables": {"who": None}}, "variables.who: null is not allowed"),
        ({"poll_interval": 0}, "poll_interval: 0 is not allowed"),
        ({"wait_timeout": -1}, "wait_timeout: -1 is not allowed"),
        ({"reason": "x"}, "reason: it is for state=stopped, and state is started"),
        ({"state": "stopped", "execution_id": "latest", "reason": "x" * 201}, "reason: it has 201 characters, at most"),
        (
            {"state": "stopped", "execution_id": "latest", "source_revisions": []},
            "source_revisions: it is for state=started, and state is stopped",
        ),
    ],
)
def test_wrong_arguments_cost_no_call(account: Account, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModuleFailed, match=problem) as failure:
        account.run("codepipeline_execution", pipeline="p", **arguments)

    assert "api_calls" not in failure.value.result
