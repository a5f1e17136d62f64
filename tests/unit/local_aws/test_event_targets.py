# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge rules whose target is a pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, Repository, Running, allow, eventually, git, unique

EVENTS = "events.amazonaws.com"


class Rule:
    """A rule for the events of one source, whose target is a pipeline."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws, self.api, self.name = aws, aws.client("events"), unique("rule")
        pattern = {"source": [self.name], "detail": {"state": ["SUCCEEDED"]}}
        self.arn = self.api.put_rule(Name=self.name, EventPattern=json.dumps(pattern))["RuleArn"]

    def target(self, running: Running, role: str, **more: Any) -> None:
        arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{running.name}"
        self.api.put_targets(Rule=self.name, Targets=[{"Id": "pipeline", "Arn": arn, "RoleArn": role} | more])

    def send(self, state: str = "SUCCEEDED", **detail: Any) -> None:
        entry = {"Source": self.name, "DetailType": "Test", "Detail": json.dumps({"state": state} | detail)}
        self.api.put_events(Entries=[entry])


@pytest.fixture
def rule(local_aws: LocalAws) -> Iterator[Rule]:
    made = Rule(local_aws)
    yield made
    made.api.remove_targets(Rule=made.name, Ids=["pipeline"])
    made.api.delete_rule(Name=made.name)


def may_start(aws: LocalAws, running: Running, **condition: Any) -> str:
    """A role that EventBridge may assume and that may start the pipeline."""
    pipeline = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{running.name}"
    return aws.role(unique("events"), EVENTS, allow("codepipeline:StartPipelineExecution", pipeline), **condition)


def started(running: Running) -> list[dict[str, Any]]:
    """The executions that rules started, newest first."""
    found = running.api.list_pipeline_executions(pipelineName=running.name)["pipelineExecutionSummaries"]
    return [item for item in found if item["trigger"]["triggerType"] == "CloudWatchEvent"]


def test_an_event_starts_an_execution_as_the_targets_role(
    create: Callable[..., Running], rule: Rule, local_aws: LocalAws
) -> None:
    running = create(executionMode="PARALLEL")
    role = may_start(local_aws, running, condition={"ArnEquals": {"aws:SourceArn": rule.arn}})
    rule.target(running, role)
    rule.send("FAILED")
    rule.send()
    (execution,) = eventually(lambda: started(running))
    assert execution["trigger"]["triggerDetail"] == rule.arn

    def calls() -> list[str]:
        return [
            call["principal_arn"].rpartition("/")[0]
            for call in local_aws.calls()
            if call["action"] == "codepipeline:StartPipelineExecution" and call["resource"] == running.name
        ]

    assert eventually(calls) == [f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}"]


@pytest.mark.parametrize("how", ["Input", "InputTransformer", "InputPath"])
def test_a_target_chooses_commit_and_variables(
    how: str, create: Callable[..., Running], rule: Rule, local_aws: LocalAws, repository: Repository
) -> None:
    old = git("rev-parse", "HEAD", cwd=repository.clone)
    repository.push({"main.tf": "# new\n"})
    running = create(executionMode="PARALLEL", variables=[{"name": "who", "defaultValue": "nobody"}])
    wanted = {
        "sourceRevisions": [{"actionName": "Checkout", "revisionType": "COMMIT_ID", "revisionValue": old}],
        "variables": [{"name": "who", "value": "Ada"}],
        "other": 1,
    }
    text = json.dumps(wanted)
    given = {
        "Input": text,
        "InputPath": "$.detail.start",
        "InputTransformer": {
            "InputPathsMap": {"commit": "$.detail.commit", "who": "$.detail.who"},
            "InputTemplate": text.replace(f'"{old}"', "<commit>").replace('"Ada"', '"<who>"'),
        },
    }
    rule.target(running, may_start(local_aws, running), **{how: given[how]})
    rule.send(commit=old, who="Ada", start=wanted)
    (execution,) = eventually(lambda: started(running))
    found = eventually(
        lambda: (one := running.execution(execution["pipelineExecutionId"])).get("artifactRevisions") and one
    )
    assert found["artifactRevisions"][0]["revisionId"] == old
    assert found["variables"] == [{"name": "who", "resolvedValue": "Ada"}]


@pytest.mark.parametrize("wrong", ["permission", "trust", "input", "variable"])
def test_what_cannot_be_started_is_logged(
    wrong: str, create: Callable[..., Running], rule: Rule, local_aws: LocalAws
) -> None:
    running = create()
    role = may_start(local_aws, running)
    if wrong == "permission":
        role = local_aws.role(unique("events"), EVENTS, allow("codepipeline:StartPipelineExecution", "*-other"))
    if wrong == "trust":
        role = local_aws.role(unique("events"), "codebuild.amazonaws.com", allow("codepipeline:*"))
    more = {"input": {"Input": "no JSON"}, "variable": {"Input": '{"variables": [{"name": "x", "value": "y"}]}'}}
    rule.target(running, role, **more.get(wrong, {}))
    rule.send()
    text = f"rule {rule.arn} does not start pipeline {running.name}: "
    logged = eventually(lambda: [line for line in (local_aws.data / "server.log").open() if text in line])
    reason = {
        "permission": "is not authorized to perform: codepipeline:StartPipelineExecution",
        "trust": "is not authorized to perform: sts:AssumeRole",
        "input": "Expecting value",
        "variable": "does not declare the variables x",
    }[wrong]
    assert reason in logged[0]
    assert started(running) == []


def test_a_target_needs_a_role_that_the_caller_may_pass(
    create: Callable[..., Running], rule: Rule, local_aws: LocalAws
) -> None:
    running = create()
    role = may_start(local_aws, running)
    pipeline = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{running.name}"
    with pytest.raises(ClientError, match=f"RoleArn is required for target {pipeline}."):
        rule.api.put_targets(Rule=rule.name, Targets=[{"Id": "pipeline", "Arn": pipeline}])
    name = unique("user")
    passing = {"iam:PassedToService": EVENTS}
    for statements, allowed in (
        ([allow("events:*")], False),
        ([allow("events:*"), allow("iam:PassRole", role, Condition={"StringEquals": passing})], True),
    ):
        api = local_aws.client("events", local_aws.user(name, *statements))
        target = [{"Id": "pipeline", "Arn": pipeline, "RoleArn": role}]
        if allowed:
            api.put_targets(Rule=rule.name, Targets=target)
        else:
            with pytest.raises(ClientError, match="iam:PassRole"):
                api.put_targets(Rule=rule.name, Targets=target)


def test_a_pipeline_that_ends_starts_another(create: Callable[..., Running], local_aws: LocalAws) -> None:
    first, second = create(), create(executionMode="PARALLEL")
    events, name = local_aws.client("events"), unique("after")
    pattern = {
        "source": ["aws.codepipeline"],
        "detail-type": ["CodePipeline Pipeline Execution State Change"],
        "detail": {"pipeline": [first.name], "state": ["SUCCEEDED"]},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    target = {
        "Id": "next",
        "Arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{second.name}",
        "RoleArn": may_start(local_aws, second),
    }
    events.put_targets(Rule=name, Targets=[target])
    try:
        execution = first.first()
        first.answer(first.token(execution))
        assert first.ends(execution) == "Succeeded"
        eventually(lambda: started(second))
    finally:
        events.remove_targets(Rule=name, Ids=["next"])
        events.delete_rule(Name=name)
