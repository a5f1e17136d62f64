# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executions of pipelines: looking, reading logs as they come, approving the right one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ansible_collections.gitops.aws.plugins.module_utils import _executions as executions
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused

PIPELINE = "gitops-network"
FIRST, SECOND = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
BUILD = "gitops-network-plan:33333333-3333-3333-3333-333333333333"
TOKEN = "44444444-4444-4444-4444-444444444444"


@pytest.fixture(scope="module")
def clients() -> dict[str, Any]:
    """Clients that never call. Made once: most of these tests' time."""
    keys = {"region_name": "eu-central-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    return {service: boto3.client(service, **keys) for service in ("codepipeline", "codebuild", "logs")}


@pytest.fixture
def stubs(clients: dict[str, Any]) -> Iterator[dict[str, Stubber]]:
    """A stubber for each client; every answer that was prepared must have been asked for."""
    made = {service: Stubber(client) for service, client in clients.items()}
    for stub in made.values():
        stub.activate()
    yield made
    for stub in made.values():
        stub.assert_no_pending_responses()
        stub.deactivate()


@pytest.fixture
def aws(clients: dict[str, Any]) -> Callable[..., Aws]:
    def make(check_mode: bool = False) -> Aws:
        connection = Aws(SimpleNamespace(check_mode=check_mode))
        connection._clients.update(clients)
        return connection

    return make


# Starting


@pytest.mark.parametrize(
    ("variables", "token", "expected"),
    [
        ({}, None, {}),
        (
            {"confirm": "network", "a": 5},
            "token-1",
            {
                "variables": [{"name": "a", "value": "5"}, {"name": "confirm", "value": "network"}],
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


DEFINITION = {
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
    assert not executions.ended(execution)
    assert executions.ended(execution, wait_for_approval=False)
    assert executions.failure(execution) is None


def test_of_a_retried_action_the_last_try_counts(aws: Any, stubs: Any) -> None:
    prepare_look(stubs, [detail("Plan", "InProgress"), detail("Plan", "Failed"), detail("Source", "Succeeded")])

    execution = executions.look(aws(), PIPELINE, FIRST)

    assert [action["status"] for action in execution["stages"][1]["actions"]] == ["InProgress"]


def test_an_answered_approval_waits_no_more(aws: Any, stubs: Any) -> None:
    prepare_look(stubs, [detail("Approve", "Succeeded"), detail("Plan", "Succeeded"), detail("Source", "Succeeded")])

    assert executions.look(aws(), PIPELINE, FIRST)["waiting_for_approval"] is None


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


# Logs


def prepare_build(stubs: Any, *builds: dict[str, Any]) -> None:
    ids = [build["id"] for build in builds]
    stubs["codebuild"].add_response("batch_get_builds", {"builds": list(builds)}, {"ids": ids})


def prepare_log(stubs: Any, messages: list[str], token: str | None, following: str, stream: str = "s") -> None:
    asked = {"logGroupName": "g", "logStreamName": stream, "startFromHead": True}
    now = int(datetime.now(UTC).timestamp())
    stubs["logs"].add_response(
        "get_log_events",
        {"events": [{"timestamp": now, "message": text} for text in messages], "nextForwardToken": following},
        {**asked, "nextToken": token} if token else asked,
    )


def logged(build: str = BUILD, stream: str = "s") -> dict[str, Any]:
    return {"id": build, "logs": {"groupName": "g", "streamName": stream}}


def test_the_first_look_at_a_log_reads_all_pages(aws: Any, stubs: Any) -> None:
    prepare_build(stubs, logged())
    prepare_log(stubs, ["one\n", "two\nthree\n"], None, "f/1")
    prepare_log(stubs, ["four"], "f/1", "f/2")
    prepare_log(stubs, [], "f/2", "f/2")

    lines, cursors = executions.new_log_lines(aws(), [BUILD], {})

    assert [line["text"] for line in lines] == ["one", "two", "three", "four"]
    assert {line["build_id"] for line in lines} == {BUILD}
    assert cursors == {BUILD: "f/2"}


def test_a_later_look_reads_on_where_the_first_ended(aws: Any, stubs: Any) -> None:
    before = {BUILD: "f/2"}
    prepare_build(stubs, logged())
    prepare_log(stubs, ["five"], "f/2", "f/3")
    prepare_log(stubs, [], "f/3", "f/3")

    lines, cursors = executions.new_log_lines(aws(), [BUILD], before)

    assert [line["text"] for line in lines] == ["five"]
    assert cursors == {BUILD: "f/3"}
    assert before == {BUILD: "f/2"}  # the caller's own is left alone


def test_nothing_new(aws: Any, stubs: Any) -> None:
    prepare_build(stubs, logged())
    prepare_log(stubs, [], "f/3", "f/3")

    assert executions.new_log_lines(aws(), [BUILD], {BUILD: "f/3"}) == ([], {BUILD: "f/3"})


def test_the_end_of_a_log_that_answers_its_last_page_again(aws: Any, stubs: Any) -> None:
    prepare_build(stubs, logged())
    prepare_log(stubs, ["again"], "f/3", "f/3")

    lines, _cursors = executions.new_log_lines(aws(), [BUILD], {BUILD: "f/3"})

    assert len(lines) == 1  # and it does not ask for ever


def test_each_build_has_its_own_cursor(aws: Any, stubs: Any) -> None:
    other = BUILD.replace("plan", "apply")
    prepare_build(stubs, logged(), logged(other, "t"))
    prepare_log(stubs, [], "f/3", "f/3")
    prepare_log(stubs, ["new"], None, "f/9", "t")
    prepare_log(stubs, [], "f/9", "f/9", "t")

    lines, cursors = executions.new_log_lines(aws(), [BUILD, other], {BUILD: "f/3"})

    assert lines == [{"build_id": other, "text": "new"}]
    assert cursors == {BUILD: "f/3", other: "f/9"}


def test_a_build_that_has_no_log_yet(aws: Any, stubs: Any) -> None:
    prepare_build(stubs, {"id": BUILD}, logged("b:2"))
    stubs["logs"].add_client_error("get_log_events", "ResourceNotFoundException")

    assert executions.new_log_lines(aws(), [BUILD, "b:2"], {}) == ([], {})


def test_without_builds_nothing_is_asked(aws: Any, stubs: Any) -> None:
    assert executions.new_log_lines(aws(), [], {"b": "c"}) == ([], {"b": "c"})


# Approving


def prepare_state(stubs: Any, execution: str | None, status: str = "InProgress") -> None:
    stage: dict[str, Any] = {
        "stageName": "Approve",
        "actionStates": [{"actionName": "Ask", "latestExecution": {"status": status, "token": TOKEN}}],
    }
    if execution:
        stage["latestExecution"] = {"pipelineExecutionId": execution, "status": "InProgress"}
    states = [{"stageName": "Plan", "actionStates": [{"actionName": "Plan"}]}, stage]
    stubs["codepipeline"].add_response("get_pipeline_state", {"stageStates": states}, {"name": PIPELINE})


@pytest.mark.parametrize(("approve", "word"), [(True, "Approved"), (False, "Rejected")])
def test_an_approval_is_answered_with_its_token(aws: Any, stubs: Any, approve: bool, word: str) -> None:
    prepare_state(stubs, FIRST)
    stubs["codepipeline"].add_response(
        "put_approval_result",
        {},
        {
            "pipelineName": PIPELINE,
            "stageName": "Approve",
            "actionName": "Ask",
            "result": {"summary": "because", "status": word},
            "token": TOKEN,
        },
    )

    answer = executions.answer_approval(aws(), PIPELINE, FIRST, approve, "because")

    assert answer == {"stage": "Approve", "action": "Ask"}


def test_check_mode_answers_nothing(aws: Any, stubs: Any) -> None:
    prepare_state(stubs, FIRST)

    assert executions.answer_approval(aws(check_mode=True), PIPELINE, FIRST, True, "") == {
        "stage": "Approve",
        "action": "Ask",
    }


def test_the_approval_of_another_execution_is_left_alone(aws: Any, stubs: Any) -> None:
    prepare_state(stubs, SECOND)

    with pytest.raises(Refused, match=f"execution {FIRST} waits for no approval; waiting is {SECOND}. Nothing was"):
        executions.answer_approval(aws(), PIPELINE, FIRST, True, "")


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Abandoned"])
def test_what_was_answered_already(aws: Any, stubs: Any, status: str) -> None:
    prepare_state(stubs, FIRST, status)

    with pytest.raises(Refused, match=f"execution {FIRST} waits for no approval. Nothing was approved. Fix: "):
        executions.answer_approval(aws(), PIPELINE, FIRST, True, "")


def test_a_stage_that_does_not_say_for_whom(aws: Any, stubs: Any) -> None:
    prepare_state(stubs, None)

    with pytest.raises(Refused, match=r"waiting is \?"):
        executions.answer_approval(aws(), PIPELINE, FIRST, True, "")
