# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executions of pipelines: starting, stopping, retrying, rolling back, looking."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ansible_collections.gitops.aws.plugins.module_utils import _executions as executions
from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused
from ansible_collections.gitops.aws.plugins.module_utils._outcomes import ENDED
from ansible_collections.gitops.aws.plugins.module_utils._waiters import GRACE

PIPELINE = "gitops-network"
FIRST, SECOND, THIRD = (f"{digit * 8}-0000-0000-0000-000000000000" for digit in "123")
BUILD = "gitops-network-plan:33333333-3333-3333-3333-333333333333"


# Starting


@pytest.mark.parametrize(
    ("variables", "token", "expected"),
    [
        ({}, None, {}),
        (
            {"confirm": "network", "a": 5, "b": True, "c": [1]},
            "token-1",
            {
                "variables": [
                    {"name": "a", "value": "5"},
                    {"name": "b", "value": "true"},
                    {"name": "c", "value": "[1]"},
                    {"name": "confirm", "value": "network"},
                ],
                "clientRequestToken": "token-1",
            },
        ),
    ],
)
def test_start(aws: Any, stubs: Any, variables: dict[str, Any], token: str | None, expected: dict[str, Any]) -> None:
    stubs["codepipeline"].add_response(
        "start_pipeline_execution", {"pipelineExecutionId": FIRST}, {"name": PIPELINE, **expected}
    )

    assert executions.start(aws(), PIPELINE, variables, token) == FIRST


def test_start_with_revisions_of_the_sources(aws: Any, stubs: Any) -> None:
    revision = {"action_name": "Source", "revision_type": "COMMIT_ID", "revision_value": "0a1b2c"}
    stubs["codepipeline"].add_response(
        "start_pipeline_execution",
        {"pipelineExecutionId": FIRST},
        {
            "name": PIPELINE,
            "sourceRevisions": [{"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "0a1b2c"}],
        },
    )

    assert executions.start(aws(), PIPELINE, {}, None, [revision]) == FIRST


@pytest.mark.parametrize(
    ("answer", "expected"), [([], None), ([{"pipelineExecutionId": SECOND}, {"pipelineExecutionId": FIRST}], SECOND)]
)
def test_the_newest(aws: Any, stubs: Any, answer: list[Any], expected: str | None) -> None:
    stubs["codepipeline"].add_response(
        "list_pipeline_executions", {"pipelineExecutionSummaries": answer}, {"pipelineName": PIPELINE, "maxResults": 1}
    )

    assert executions.latest(aws(), PIPELINE) == expected


# Looking


def declared(name: str, category: str, provider: str) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actions": [{"name": name, "actionTypeId": kind}]}


DEFINITION: dict[str, Any] = {
    "name": PIPELINE,
    "roleArn": "arn:aws:iam::111122223333:role/x",
    "stages": [
        declared("Source", "Source", "CodeStarSourceConnection"),
        declared("Plan", "Build", "CodeBuild"),
        declared("Approve", "Approval", "Manual"),
        declared("Apply", "Build", "CodeBuild"),
    ],
}


def detail(stage: str, status: str, **values: Any) -> dict[str, Any]:
    return {"stageName": stage, "actionName": stage, "status": status, **values}


def prepare_look(stubs: Any, details: list[dict[str, Any]], **execution: Any) -> None:
    stub = stubs["codepipeline"]
    answer = {"pipelineName": PIPELINE, "pipelineExecutionId": FIRST, "status": "InProgress", **execution}
    stub.add_response(
        "get_pipeline_execution",
        {"pipelineExecution": answer},
        {"pipelineName": PIPELINE, "pipelineExecutionId": FIRST},
    )
    stub.add_response("get_pipeline", {"pipeline": DEFINITION}, {"name": PIPELINE})
    asked = {"pipelineName": PIPELINE, "filter": {"pipelineExecutionId": FIRST}}
    # Two pages, however few there are.
    stub.add_response("list_action_executions", {"actionExecutionDetails": details[:1], "nextToken": "page-2"}, asked)
    stub.add_response(
        "list_action_executions", {"actionExecutionDetails": details[1:]}, {**asked, "nextToken": "page-2"}
    )


def test_a_look_while_it_waits_for_approval(aws: Any, stubs: Any) -> None:
    result = {"externalExecutionId": BUILD, "externalExecutionUrl": "https://example.com/b"}
    prepare_look(
        stubs,
        [  # newest first, as AWS lists them
            detail("Approve", "InProgress", input={"resolvedConfiguration": {"CustomData": "Apply network: 1 to add"}}),
            detail("Plan", "Succeeded", output={"executionResult": result, "outputVariables": {"PLAN_ID": "abc"}}),
            detail("Source", "Succeeded", output={"executionResult": {"externalExecutionId": "0a1b2c"}}),
        ],
        artifactRevisions=[{"name": "source", "revisionId": "0a1b2c", "revisionSummary": "Add the network"}],
    )

    execution = executions.look(aws(), PIPELINE, FIRST)

    assert execution["id"] == FIRST
    assert execution["status"] == "InProgress"
    assert execution["source_revisions"] == [{"name": "source", "revision_id": "0a1b2c", "summary": "Add the network"}]
    assert [stage["name"] for stage in execution["stages"]] == ["Source", "Plan", "Approve", "Apply"]
    source, plan, _approve, apply = execution["stages"]
    assert source["actions"][0]["build_id"] == ""  # a commit is no build
    assert plan["actions"] == [
        {
            "name": "Plan",
            "status": "Succeeded",
            "summary": "",
            "build_id": BUILD,
            "url": "https://example.com/b",
            "output_variables": {"PLAN_ID": "abc"},
        }
    ]
    assert apply["actions"] == []
    assert execution["waiting_for_approval"] == {
        "stage": "Approve",
        "action": "Approve",
        "message": "Apply network: 1 to add",
    }
    assert execution["waiting_for_approvals"] == [execution["waiting_for_approval"]]
    assert not executions.ended(execution)
    assert executions.ended(execution, wait_for_approval=False)
    assert executions.failure(execution) is None


def test_of_a_retried_action_the_last_try_counts(aws: Any, stubs: Any) -> None:
    prepare_look(stubs, [detail("Plan", "InProgress"), detail("Plan", "Failed"), detail("Source", "Succeeded")])

    execution = executions.look(aws(), PIPELINE, FIRST)

    assert [action["status"] for action in execution["stages"][1]["actions"]] == ["InProgress"]


def test_an_answered_approval_waits_no_more(aws: Any, stubs: Any) -> None:
    prepare_look(stubs, [detail("Approve", "Succeeded"), detail("Plan", "Succeeded"), detail("Source", "Succeeded")])

    execution = executions.look(aws(), PIPELINE, FIRST)

    assert execution["waiting_for_approval"] is None
    assert execution["waiting_for_approvals"] == []


def test_two_approvals_at_once(aws: Any, stubs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    legal = {**declared("Legal", "Approval", "Manual")["actions"][0]}
    stages = copy.deepcopy(DEFINITION["stages"])
    stages[2]["actions"].append(legal)
    monkeypatch.setitem(DEFINITION, "stages", stages)
    both = [{"stageName": "Approve", "actionName": name, "status": "InProgress"} for name in ("Legal", "Approve")]
    prepare_look(stubs, both)

    execution = executions.look(aws(), PIPELINE, FIRST)

    assert [each["action"] for each in execution["waiting_for_approvals"]] == ["Approve", "Legal"]
    assert execution["waiting_for_approval"]["action"] == "Approve"


def test_a_failure_in_one_line(aws: Any, stubs: Any) -> None:
    error = {"errorDetails": {"code": "JobFailed", "message": "AccessDenied"}}
    summary = {"externalExecutionId": BUILD, "externalExecutionSummary": "Build terminated with state: FAILED"}
    prepare_look(
        stubs,
        [
            detail("Apply", "Failed", output={"executionResult": error}),
            detail("Plan", "Failed", output={"executionResult": summary}),
            detail("Source", "Abandoned"),
        ],
        status="Failed",
        statusSummary="why",
    )

    execution = executions.look(aws(), PIPELINE, FIRST)

    assert execution["status_summary"] == "why"
    assert executions.ended(execution)
    assert executions.failure(execution) == (
        f"pipeline {PIPELINE}: execution {FIRST} is Failed; Source/Source: Abandoned; "
        "Plan/Plan: Build terminated with state: FAILED; Apply/Apply: AccessDenied"
    )


@pytest.mark.parametrize(
    ("status", "is_ended", "is_failure"),
    [
        ("InProgress", False, False),
        ("Stopping", False, False),
        ("Succeeded", True, False),
        ("Failed", True, True),
        ("Stopped", True, True),
        ("Superseded", True, True),
        ("Cancelled", True, True),
    ],
)
def test_which_words_mean_the_end(status: str, is_ended: bool, is_failure: bool) -> None:
    execution: dict[str, Any] = {
        "id": FIRST,
        "pipeline": PIPELINE,
        "status": status,
        "stages": [],
        "waiting_for_approval": None,
    }

    assert executions.ended(execution) is is_ended
    assert executions.ended(execution, wait_for_approval=False) is is_ended
    assert (executions.failure(execution) is not None) is is_failure


def test_late() -> None:
    execution = {"id": FIRST, "pipeline": PIPELINE, "status": "InProgress"}

    assert executions.late(execution, 5) == (
        f"pipeline {PIPELINE}: execution {FIRST} is InProgress after 5 s. It goes on"
    )


# Stopping


def prepare_execution(stubs: Any, execution_id: str = FIRST, **execution: Any) -> None:
    stubs["codepipeline"].add_response(
        "get_pipeline_execution",
        {"pipelineExecution": {"pipelineExecutionId": execution_id, "status": "InProgress", **execution}},
        {"pipelineName": PIPELINE, "pipelineExecutionId": execution_id},
    )


def prepare_stop(stubs: Any, **arguments: Any) -> None:
    asked = {"pipelineName": PIPELINE, "pipelineExecutionId": FIRST, **arguments}
    stubs["codepipeline"].add_response("stop_pipeline_execution", {"pipelineExecutionId": FIRST}, asked)


def test_stop(aws: Any, stubs: Any) -> None:
    prepare_execution(stubs)
    prepare_stop(stubs, abandon=False, reason="why")

    assert executions.stop(aws(), PIPELINE, FIRST, "why", False)


@pytest.mark.parametrize(
    ("status", "abandon"),
    [*((status, True) for status in ENDED), ("Stopping", False)],
)
def test_what_is_over_is_not_stopped(aws: Any, stubs: Any, status: str, abandon: bool) -> None:
    prepare_execution(stubs, status=status)

    assert not executions.stop(aws(), PIPELINE, FIRST, None, abandon)


def test_what_is_being_stopped_can_be_abandoned(aws: Any, stubs: Any) -> None:
    prepare_execution(stubs, status="Stopping")
    prepare_stop(stubs, abandon=True)

    assert executions.stop(aws(), PIPELINE, FIRST, None, True)


@pytest.mark.parametrize("code", ["PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"])
def test_somebody_else_stopped_it_meanwhile(aws: Any, stubs: Any, code: str) -> None:
    prepare_execution(stubs)
    stubs["codepipeline"].add_client_error("stop_pipeline_execution", code)

    assert not executions.stop(aws(), PIPELINE, FIRST, None, False)


def test_who_may_not_stop_is_told(aws: Any, stubs: Any) -> None:
    prepare_execution(stubs)
    stubs["codepipeline"].add_client_error("stop_pipeline_execution", "AccessDeniedException")

    with pytest.raises(ClientError):
        executions.stop(aws(), PIPELINE, FIRST, None, False)


def test_check_mode_stops_nothing(aws: Any, stubs: Any) -> None:
    prepare_execution(stubs)

    assert executions.stop(aws(check_mode=True), PIPELINE, FIRST, None, False)


# Retrying


def prepare_stages(stubs: Any, *stages: tuple[str, str | None, str]) -> None:
    """The state of stages: name, the execution that was there last, and how it fared."""
    states = [
        {"stageName": name, **({"latestExecution": {"pipelineExecutionId": last, "status": status}} if last else {})}
        for name, last, status in stages
    ]
    stubs["codepipeline"].add_response("get_pipeline_state", {"stageStates": states}, {"name": PIPELINE})


FAILED_IN_APPLY = (
    ("Source", SECOND, "Succeeded"),
    ("Plan", FIRST, "Succeeded"),
    ("Approve", FIRST, "Succeeded"),
    ("Apply", FIRST, "Failed"),
)


@pytest.mark.parametrize("status", ["Failed", "Stopped", "Cancelled"])
@pytest.mark.parametrize("stage", [None, "Apply"])
def test_the_stage_to_retry(aws: Any, stubs: Any, status: str, stage: str | None) -> None:
    prepare_look(stubs, [], status="Failed")
    prepare_stages(stubs, *FAILED_IN_APPLY[:3], ("Apply", FIRST, status))

    assert executions.retryable(aws(), PIPELINE, FIRST, stage) == "Apply"


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        (None, f"execution {FIRST} has no stage that failed .Source is Succeeded, Plan is InProgress."),
        ("Plan", f"stage Plan of execution {FIRST} is InProgress; only a stage that failed"),
        ("Approve", f"stage Approve is not where execution {FIRST} was last: the last one there is {SECOND}"),
        ("Apply", f"stage Apply is not where execution {FIRST} was last: no execution was there yet"),
        ("Aply", "there is no stage Aply. Nothing was retried. Fix: name one of Source, Plan, Approve, Apply"),
    ],
)
def test_a_stage_that_cannot_be_retried(aws: Any, stubs: Any, stage: str | None, reason: str) -> None:
    prepare_look(stubs, [])
    prepare_stages(
        stubs,
        ("Source", FIRST, "Succeeded"),
        ("Plan", FIRST, "InProgress"),
        ("Approve", SECOND, "Failed"),
        ("Apply", None, ""),
    )

    with pytest.raises(Refused, match=reason):
        executions.retryable(aws(), PIPELINE, FIRST, stage)


def test_the_one_that_failed_is_named(aws: Any, stubs: Any) -> None:
    prepare_look(stubs, [])
    prepare_stages(stubs, *FAILED_IN_APPLY)

    with pytest.raises(Refused, match=f"stage Plan of execution {FIRST} is Succeeded; .* Fix: name one of Apply$"):
        executions.retryable(aws(), PIPELINE, FIRST, "Plan")


@pytest.mark.parametrize(("status", "expected"), [("Failed", "Plan"), ("Abandoned", "Plan")])
def test_executions_beside_each_other_are_told_apart(aws: Any, stubs: Any, status: str, expected: str) -> None:
    # The stage's own state would tell of another execution.
    prepare_look(stubs, [detail("Plan", status), detail("Source", "Succeeded")], executionMode="PARALLEL")

    assert executions.retryable(aws(), PIPELINE, FIRST, None) == expected


@pytest.mark.parametrize(("status", "word"), [("InProgress", "InProgress"), ("Succeeded", "Succeeded")])
def test_beside_each_other_and_not_failed(aws: Any, stubs: Any, status: str, word: str) -> None:
    prepare_look(stubs, [detail("Plan", status), detail("Source", "Succeeded")], executionMode="PARALLEL")

    with pytest.raises(Refused, match=f"Plan is {word}"):
        executions.retryable(aws(), PIPELINE, FIRST, None)


def test_retry(aws: Any, stubs: Any) -> None:
    stubs["codepipeline"].add_response(
        "retry_stage_execution",
        {"pipelineExecutionId": FIRST},
        {
            "pipelineName": PIPELINE,
            "pipelineExecutionId": FIRST,
            "stageName": "Apply",
            "retryMode": "ALL_ACTIONS",
        },
    )

    executions.retry(aws(), PIPELINE, FIRST, "Apply", "ALL_ACTIONS")


# Rolling back

FOURTH = "44444444-0000-0000-0000-000000000000"


def prepare_succeeded(stubs: Any, *ids: str, rollbacks: tuple[str, ...] = ()) -> None:
    """Those that succeeded in the stage Apply, the newest first."""
    now = datetime.now(UTC)
    summaries = [
        {
            "pipelineExecutionId": each,
            "executionType": "ROLLBACK" if each in rollbacks else "STANDARD",
            "status": "Succeeded",
            "startTime": now,
            "lastUpdateTime": now,
        }
        for each in ids
    ]
    stubs["codepipeline"].add_response(
        "list_pipeline_executions",
        {"pipelineExecutionSummaries": summaries},
        {"pipelineName": PIPELINE, "filter": {"succeededInStage": {"stageName": "Apply"}}},
    )


def rollback_to(target: str) -> dict[str, Any]:
    return {"rollbackMetadata": {"rollbackTargetPipelineExecutionId": target}}


def test_back_to_the_one_before(aws: Any, stubs: Any) -> None:
    prepare_stages(stubs, ("Apply", SECOND, "Succeeded"))
    prepare_execution(stubs, SECOND)
    prepare_succeeded(stubs, SECOND, FIRST)

    assert executions.rollback_target(aws(), PIPELINE, "Apply", None) == (FIRST, None)


def test_back_from_one_that_failed(aws: Any, stubs: Any) -> None:
    prepare_stages(stubs, ("Apply", THIRD, "Failed"))
    prepare_execution(stubs, THIRD)
    prepare_succeeded(stubs, SECOND, FIRST)

    assert executions.rollback_target(aws(), PIPELINE, "Apply", None) == (SECOND, None)


def test_back_from_a_rollback_is_not_forward(aws: Any, stubs: Any) -> None:
    # THIRD was rolled back to SECOND, by FOURTH.
    prepare_stages(stubs, ("Apply", FOURTH, "Succeeded"))
    prepare_execution(stubs, FOURTH, **rollback_to(SECOND))
    prepare_succeeded(stubs, FOURTH, THIRD, SECOND, FIRST, rollbacks=(FOURTH,))

    assert executions.rollback_target(aws(), PIPELINE, "Apply", None) == (FIRST, None)


def test_nothing_to_go_back_to(aws: Any, stubs: Any) -> None:
    prepare_stages(stubs, ("Apply", FIRST, "Succeeded"))
    prepare_execution(stubs, FIRST)
    prepare_succeeded(stubs, FIRST)

    with pytest.raises(Refused, match=f"no execution before {FIRST} succeeded in stage Apply"):
        executions.rollback_target(aws(), PIPELINE, "Apply", None)


@pytest.mark.parametrize(
    ("stages", "reason"),
    [
        ((("Apply", None, ""),), "stage Apply never ran"),
        ((("Plan", None, ""), ("Approve", None, "")), "there is no stage Apply. Fix: name one of Plan, Approve"),
    ],
)
def test_a_stage_that_cannot_go_back(aws: Any, stubs: Any, stages: Any, reason: str) -> None:
    prepare_stages(stubs, *stages)

    with pytest.raises(Refused, match=reason):
        executions.rollback_target(aws(), PIPELINE, "Apply", None)


@pytest.mark.parametrize(
    ("status", "brought_back", "already"),
    [
        ("Succeeded", FIRST, FOURTH),
        ("InProgress", FIRST, FOURTH),
        ("Failed", FIRST, None),
        ("Succeeded", SECOND, None),
        ("Succeeded", None, None),
    ],
)
def test_a_certain_one_is_gone_back_to_once(
    aws: Any, stubs: Any, status: str, brought_back: str | None, already: str | None
) -> None:
    prepare_stages(stubs, ("Apply", FOURTH, status))
    prepare_execution(stubs, FOURTH, **(rollback_to(brought_back) if brought_back else {}))

    assert executions.rollback_target(aws(), PIPELINE, "Apply", FIRST) == (FIRST, already)


def test_roll_back(aws: Any, stubs: Any) -> None:
    stubs["codepipeline"].add_response(
        "rollback_stage",
        {"pipelineExecutionId": FOURTH},
        {"pipelineName": PIPELINE, "stageName": "Apply", "targetPipelineExecutionId": FIRST},
    )

    assert executions.roll_back(aws(), PIPELINE, "Apply", FIRST) == FOURTH


# Arguments


def arguments(**given: Any) -> dict[str, Any]:
    return {name: option.get("default") for name, option in executions.ARGUMENTS.items()} | given


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, []),
        ({"execution_id": FIRST}, []),
        ({"variables": {"a": "b", "c": False, "d": 0}, "source_revisions": [], "client_request_token": "t"}, []),
        ({"execution_id": FIRST, "variables": {"a": "b"}}, ["variables: it is for an execution that is started, and"]),
        (
            {"execution_id": "latest", "source_revisions": [], "client_request_token": "t"},
            ["source_revisions: it is for an exec", "client_request_token: it is for an exec"],
        ),
        ({"execution_id": FIRST, "abandon": False}, ["abandon: it is for state=stopped, and state is started"]),
        ({"retry_mode": "ALL_ACTIONS"}, ["retry_mode: it is for state=retried, and state is started"]),
        ({"state": "stopped", "variables": {}}, ["variables: it is for state=started, and state is stopped"]),
        ({"state": "retried", "abandon": True}, ["abandon: it is for state=stopped, and state is retried"]),
        ({"variables": {"a": None, "b": ""}}, ["variables.a: null is not allow", "variables.b: an empty text is not"]),
        ({"execution_id": ""}, ["execution_id: it is empty. Fix: "]),
        ({"state": "stopped", "execution_id": " "}, ["execution_id: it is empty. Fix: "]),
        ({"client_request_token": ""}, ["client_request_token: it is empty. Fix: "]),
        (
            {"state": "rolled_back", "stage": "", "target_execution_id": ""},
            ["target_execution_id: it is empty", "stage: it is empty"],
        ),
        ({"wait_timeout": 0, "poll_interval": 1}, []),
        ({"poll_interval": 300}, []),
        ({"poll_interval": 0}, ["poll_interval: 0 is not allowed, it must be from 1 to 300 seconds"]),
        ({"poll_interval": 301}, ["poll_interval: 301 is not allowed"]),
        ({"wait_timeout": -1}, ["wait_timeout: -1 is not allowed, it must be 0 or more seconds"]),
        ({"state": "stopped", "reason": "x" * 200}, []),
        ({"state": "stopped", "reason": "x" * 201}, ["reason: it has 201 characters, at most 200 are allowed"]),
        ({"state": "retried", "stage": "Apply", "retry_mode": "ALL_ACTIONS"}, []),
        ({"state": "rolled_back", "stage": "Apply", "target_execution_id": FIRST}, []),
        ({"stage": "Apply"}, ["stage: it is for state=retried and state=rolled_back, and state is started"]),
        (
            {"state": "retried", "target_execution_id": FIRST},
            ["target_execution_id: it is for state=rolled_back, and state is retried"],
        ),
        ({"state": "stopped", "client_request_token": "t"}, ["client_request_token: it is for state=started, and"]),
        ({"state": "rolled_back", "stage": "Apply", "execution_id": FIRST}, ["execution_id: a rollback is an"]),
    ],
)
def test_options_that_do_not_go_together(given: dict[str, Any], words: list[str]) -> None:
    found = executions.problems(arguments(**given))

    assert len(found) == len(words)
    assert all(text.startswith(word) for text, word in zip(found, words, strict=True))


# All of it


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The executions that the looks see, the last of them for ever; nothing is waited for."""
    looks: list[dict[str, Any]] = []

    def look(_aws: Any, pipeline: str, execution_id: str) -> dict[str, Any]:
        seen = looks.pop(0) if len(looks) > 1 else looks[0]
        if "error" in seen:
            raise seen["error"]
        return {"id": execution_id, "pipeline": pipeline, "stages": [], "waiting_for_approval": None, **seen}

    monkeypatch.setattr(executions, "look", look)
    monkeypatch.setattr(executions, "wait", lambda *_arguments, **_names: True)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    return looks


def prepare_start(stubs: Any) -> None:
    stubs["codepipeline"].add_response("start_pipeline_execution", {"pipelineExecutionId": FIRST}, {"name": PIPELINE})


def act(aws: Any, **given: Any) -> dict[str, Any]:
    return executions.act(aws, arguments(pipeline=PIPELINE, **given))


def test_start_and_succeed(aws: Any, stubs: Any, shown: list[Any]) -> None:
    prepare_start(stubs)
    shown.append({"status": "Succeeded"})

    result = act(aws())

    assert result["changed"] is True
    assert result["execution"]["id"] == FIRST
    assert "failed" not in result
    assert "msg" not in result


@pytest.mark.parametrize(
    ("given", "status", "failed", "words"),
    [
        ({}, "Failed", True, "is Failed"),
        ({}, "InProgress", True, "is InProgress after 3600 s"),
        ({"wait": False}, "Failed", None, ""),
        ({"wait": False}, "InProgress", None, ""),
        ({"wait_for_approval": False, "wait_timeout": 0}, "InProgress", True, "is InProgress after 0 s"),
    ],
)
def test_following_fails_with_the_execution(
    aws: Any, stubs: Any, shown: list[Any], given: dict[str, Any], status: str, failed: bool | None, words: str
) -> None:
    shown.append({"status": status})

    result = act(aws(), execution_id=FIRST, **given)

    assert result["changed"] is False
    assert result.get("failed") is failed
    assert words in result.get("msg", "")


def test_it_looks_until_somebody_must_approve(aws: Any, stubs: Any, shown: list[Any]) -> None:
    waiting = {"stage": "Approve", "action": "Ask", "message": ""}
    shown += [
        {"status": "InProgress"},
        {"status": "InProgress"},
        {"status": "InProgress", "waiting_for_approval": waiting},
    ]

    result = act(aws(), execution_id=FIRST, wait_for_approval=False)

    assert result["execution"]["waiting_for_approval"] == waiting
    assert "failed" not in result


def test_the_newest_is_followed(aws: Any, stubs: Any, shown: list[Any]) -> None:
    stubs["codepipeline"].add_response(
        "list_pipeline_executions",
        {"pipelineExecutionSummaries": [{"pipelineExecutionId": SECOND}]},
        {"pipelineName": PIPELINE, "maxResults": 1},
    )
    shown.append({"status": "Succeeded"})

    assert act(aws(), execution_id="latest")["execution"]["id"] == SECOND


@pytest.mark.parametrize("state", ["started", "stopped", "retried"])
def test_there_is_no_newest(aws: Any, stubs: Any, state: str) -> None:
    stubs["codepipeline"].add_response("list_pipeline_executions", {"pipelineExecutionSummaries": []})

    with pytest.raises(Refused, match="it never ran"):
        act(aws(), execution_id="latest", state=state)


def test_stop_and_be_stopped(aws: Any, stubs: Any, shown: list[Any]) -> None:
    prepare_execution(stubs)
    prepare_stop(stubs, abandon=True)
    shown.append({"status": "Stopped"})

    result = act(aws(), state="stopped", execution_id=FIRST, abandon=True)

    assert result["changed"] is True
    assert "failed" not in result


def test_retry_and_roll_back(aws: Any, stubs: Any, shown: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []

    def roll_back(_aws: Any, *arguments: str) -> str:
        done.append(arguments)
        return SECOND

    monkeypatch.setattr(executions, "retryable", lambda *_arguments: "Apply")
    monkeypatch.setattr(executions, "retry", lambda _aws, *arguments: done.append(arguments))
    monkeypatch.setattr(executions, "rollback_target", lambda *_arguments: (FIRST, None))
    monkeypatch.setattr(executions, "roll_back", roll_back)
    shown.append({"status": "Succeeded"})

    retried = act(aws(), state="retried", execution_id=FIRST)
    rolled_back = act(aws(), state="rolled_back", stage="Apply")

    assert (retried["changed"], retried["execution"]["id"]) == (True, FIRST)
    assert (rolled_back["changed"], rolled_back["execution"]["id"]) == (True, SECOND)
    assert done == [(PIPELINE, FIRST, "Apply", "FAILED_ACTIONS"), (PIPELINE, "Apply", FIRST)]


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_was_rolled_back_already(
    aws: Any, stubs: Any, shown: list[Any], monkeypatch: pytest.MonkeyPatch, check_mode: bool
) -> None:
    monkeypatch.setattr(executions, "rollback_target", lambda *_arguments: (FIRST, FOURTH))
    shown.append({"status": "Succeeded"})

    result = act(aws(check_mode), state="rolled_back", stage="Apply", target_execution_id=FIRST)

    assert (result["changed"], result["execution"]["id"]) == (False, FOURTH)
    assert "msg" not in result


@pytest.mark.parametrize(
    ("given", "words", "is_shown"),
    [
        ({}, "It would start an execution", False),
        ({"state": "stopped", "execution_id": FIRST}, f"It would stop the execution {FIRST}", True),
        (
            {"state": "retried", "execution_id": FIRST},
            f"It would run the stage Apply of the execution {FIRST} again",
            True,
        ),
        (
            {"state": "rolled_back", "stage": "Apply"},
            f"It would run the stage Apply with what the execution {SECOND} brought there",
            False,
        ),
    ],
)
def test_check_mode_says_what_it_would_do(
    aws: Any,
    stubs: Any,
    shown: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    words: str,
    is_shown: bool,
) -> None:
    monkeypatch.setattr(executions, "retryable", lambda *_arguments: "Apply")
    monkeypatch.setattr(executions, "rollback_target", lambda *_arguments: (SECOND, None))
    monkeypatch.setattr(executions, "read", lambda *_arguments: {"status": "InProgress"})
    shown.append({"status": "InProgress"})
    if not given:
        stubs["codepipeline"].add_response("get_pipeline", {"pipeline": DEFINITION}, {"name": PIPELINE})

    result = act(aws(check_mode=True), **given)

    assert result["changed"] is True
    assert result["msg"] == words
    assert ("execution" in result) is is_shown
    assert "failed" not in result


def test_check_mode_follows_what_runs(aws: Any, stubs: Any, shown: list[Any]) -> None:
    shown.append({"status": "Succeeded"})

    result = act(aws(check_mode=True), execution_id=FIRST)

    assert result["changed"] is False
    assert result["execution"]["status"] == "Succeeded"


def test_check_mode_knows_a_pipeline_that_there_is_not(aws: Any, stubs: Any) -> None:
    stubs["codepipeline"].add_client_error("get_pipeline", "PipelineNotFoundException", f"no {PIPELINE}")

    with pytest.raises(ClientError, match=f"no {PIPELINE}"):
        act(aws(check_mode=True))


# What was done and cannot be looked at


def aws_error(code: str, operation: str = "GetPipelineExecution") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "not you"}}, operation)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "was started and goes on"),
        ({"wait": False}, "was started and goes on"),
        ({"wait_for_approval": False}, "was started and goes on"),
        ({"state": "retried", "execution_id": FIRST}, "was started again and goes on"),
        ({"state": "rolled_back", "stage": "Apply"}, "was started for the rollback and goes on"),
        ({"state": "stopped", "execution_id": FIRST}, "is being stopped"),
    ],
)
@pytest.mark.parametrize(
    "error", [aws_error("AccessDeniedException"), EndpointConnectionError(endpoint_url="https://x")]
)
def test_a_look_that_fails_does_not_lose_the_execution(
    aws: Any,
    stubs: Any,
    shown: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    words: str,
    error: Exception,
) -> None:
    monkeypatch.setattr(executions, "start", lambda *_arguments: FIRST)
    monkeypatch.setattr(executions, "stop", lambda *_arguments: True)
    monkeypatch.setattr(executions, "retryable", lambda *_arguments: "Apply")
    monkeypatch.setattr(executions, "retry", lambda *_arguments: None)
    monkeypatch.setattr(executions, "rollback_target", lambda *_arguments: (SECOND, None))
    monkeypatch.setattr(executions, "roll_back", lambda *_arguments: FIRST)
    shown.append({"error": error})

    result = act(aws(), **given)

    assert (result["failed"], result["changed"]) == (True, True)
    assert result["execution"] == {"id": FIRST, "pipeline": PIPELINE}
    follow = (
        f"pipeline {PIPELINE}: execution {FIRST} {words} (execution_id={FIRST} follows it), but a look at it failed"
    )
    assert result["msg"].startswith(f"{follow}: ")
    assert (result["log_lines"], result["log_cursors"]) == ([], {})


def test_of_what_is_only_followed_nothing_is_lost(aws: Any, stubs: Any, shown: list[Any]) -> None:
    shown.append({"error": aws_error("AccessDeniedException")})

    with pytest.raises(ClientError):
        act(aws(), execution_id=FIRST)


# What AWS does not tell at once

NOT_YET: dict[str, Any] = {"error": aws_error("PipelineExecutionNotFoundException")}


@pytest.mark.parametrize("wait", [True, False])
def test_an_execution_that_is_not_known_yet(aws: Any, stubs: Any, shown: list[Any], wait: bool) -> None:
    prepare_start(stubs)
    shown += [NOT_YET, NOT_YET, {"status": "Succeeded"}]

    result = act(aws(), wait=wait)

    assert result["execution"]["status"] == "Succeeded"
    assert "failed" not in result


def test_an_execution_that_is_never_known(aws: Any, stubs: Any, shown: list[Any]) -> None:
    prepare_start(stubs)
    shown += [NOT_YET] * (GRACE + 1)

    result = act(aws())

    assert (result["failed"], result["changed"]) == (True, True)
    assert "PipelineExecutionNotFoundException" in result["msg"]


@pytest.mark.parametrize("wait", [True, False])
def test_how_it_ended_before_is_not_how_it_ends(
    aws: Any, stubs: Any, shown: list[Any], monkeypatch: pytest.MonkeyPatch, wait: bool
) -> None:
    monkeypatch.setattr(executions, "retryable", lambda *_arguments: "Apply")
    monkeypatch.setattr(executions, "retry", lambda *_arguments: None)
    shown += [{"status": "Failed"}, {"status": "Failed"}, {"status": "InProgress"}, {"status": "Succeeded"}]

    result = act(aws(), state="retried", execution_id=FIRST, wait=wait)

    assert result["execution"]["status"] == ("Succeeded" if wait else "InProgress")
    assert "failed" not in result


def test_it_may_fail_again(aws: Any, stubs: Any, shown: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executions, "retryable", lambda *_arguments: "Apply")
    monkeypatch.setattr(executions, "retry", lambda *_arguments: None)
    shown += [{"status": "Failed"}] * (GRACE + 1)

    result = act(aws(), state="retried", execution_id=FIRST)

    assert result["failed"] is True
    assert f"execution {FIRST} is Failed" in result["msg"]
