# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge Scheduler: schedules whose target is a pipeline, in a server whose minutes are short."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import (
    ACCOUNT,
    REGION,
    LocalAws,
    Running,
    allow,
    eventually,
    server,
    unique,
)

SCHEDULER = "scheduler.amazonaws.com"
MINUTE = 0.6


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with server(tmp_path_factory.mktemp("schedules"), MINUTE) as running:
        yield running


@pytest.fixture(scope="module")
def connection(local_aws: LocalAws) -> str:
    return local_aws.connection("shared")


@pytest.fixture(scope="module")
def artifact_bucket(local_aws: LocalAws) -> str:
    return local_aws.bucket("artifacts")


@pytest.fixture
def schedule(local_aws: LocalAws) -> Iterator[Callable[..., str]]:
    """Makes a schedule that starts a pipeline every minute; its name."""
    api, made = local_aws.client("scheduler"), []

    def make(running: Running, role: str, **more: Any) -> str:
        name = unique("schedule")
        target = {"Arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{running.name}", "RoleArn": role}
        given = {"ScheduleExpression": "rate(1 minute)", "FlexibleTimeWindow": {"Mode": "OFF"}, **more}
        api.create_schedule(Name=name, **{**given, "Target": {**target, **more.get("Target", {})}})
        made.append(name)
        return name

    yield make
    for name in made:
        api.delete_schedule(Name=name)


def may_start(aws: LocalAws, running: Running, **condition: Any) -> str:
    """A role that the scheduler may assume and that may start the pipeline."""
    pipeline = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{running.name}"
    return aws.role(unique("scheduler"), SCHEDULER, allow("codepipeline:StartPipelineExecution", pipeline), **condition)


def started(running: Running) -> list[dict[str, Any]]:
    """The executions beside the first, which the creation of the pipeline started."""
    found = running.api.list_pipeline_executions(pipelineName=running.name)["pipelineExecutionSummaries"]
    return [item for item in found if item["trigger"]["triggerType"] == "StartPipelineExecution"]


def test_a_schedule_starts_a_pipeline_every_minute_as_its_role(
    create: Callable[..., Running], schedule: Callable[..., str], local_aws: LocalAws
) -> None:
    running = create(executionMode="PARALLEL", variables=[{"name": "who", "defaultValue": "nobody"}])
    group = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"
    role = may_start(local_aws, running, condition={"ArnEquals": {"aws:SourceArn": group}})
    began = time.monotonic()
    schedule(running, role, Target={"Input": json.dumps({"variables": [{"name": "who", "value": "Ada"}]})})

    eventually(lambda: len(started(running)) >= 2)

    assert time.monotonic() - began >= 2 * MINUTE
    found = eventually(lambda: running.execution(started(running)[0]["pipelineExecutionId"]))
    assert found["variables"] == [{"name": "who", "resolvedValue": "Ada"}]
    callers = {
        call["principal_arn"].rpartition("/")[0]
        for call in local_aws.calls()
        if call["action"] == "codepipeline:StartPipelineExecution" and call["resource"] == running.name
    }
    assert callers == {f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}"}


def test_one_that_is_disabled_starts_nothing(
    create: Callable[..., Running], schedule: Callable[..., str], local_aws: LocalAws
) -> None:
    running, other = create(executionMode="PARALLEL"), create(executionMode="PARALLEL")
    schedule(running, may_start(local_aws, running), State="DISABLED")
    schedule(other, may_start(local_aws, other))

    eventually(lambda: len(started(other)) >= 2)

    assert started(running) == []


@pytest.mark.parametrize("wrong", ["permission", "trust"])
def test_what_cannot_be_started_is_logged(
    wrong: str, create: Callable[..., Running], schedule: Callable[..., str], local_aws: LocalAws
) -> None:
    running = create()
    role = {
        "permission": lambda: local_aws.role(unique("s"), SCHEDULER, allow("codepipeline:StartPipelineExecution", "x")),
        "trust": lambda: local_aws.role(unique("s"), "events.amazonaws.com", allow("codepipeline:*")),
    }[wrong]()
    name = schedule(running, role)
    text = f"schedule/default/{name} does not start pipeline {running.name}: "
    logged = eventually(lambda: [line for line in (local_aws.data / "server.log").open() if text in line])
    reason = {"permission": "codepipeline:StartPipelineExecution", "trust": "sts:AssumeRole"}[wrong]
    assert f"is not authorized to perform: {reason}" in logged[0]
    assert started(running) == []


def test_a_schedule_needs_a_role_that_the_caller_may_pass(create: Callable[..., Running], local_aws: LocalAws) -> None:
    running = create()
    role = may_start(local_aws, running)
    name, user = unique("schedule"), unique("user")
    target = {"Arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{running.name}", "RoleArn": role}
    given = {"ScheduleExpression": "rate(365 days)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
    condition = {"StringEquals": {"iam:PassedToService": SCHEDULER}}

    api = local_aws.client("scheduler", local_aws.user(user, allow("scheduler:*")))
    with pytest.raises(ClientError, match="iam:PassRole"):
        api.create_schedule(Name=name, **given)
    statements = [allow("scheduler:*"), allow("iam:PassRole", role, Condition=condition)]
    api = local_aws.client("scheduler", local_aws.user(user, *statements))
    api.create_schedule(Name=name, **given)
    api.delete_schedule(Name=name)


def test_calls_are_authorised_on_the_schedule_in_its_group(local_aws: LocalAws) -> None:
    group, other = unique("group"), unique("group")
    owner = local_aws.client("scheduler")
    for each in (group, other):
        owner.create_schedule_group(Name=each)
    ours = [f"arn:aws:scheduler:{REGION}:{ACCOUNT}:{one}" for one in (f"schedule/{group}/*", f"schedule-group/{group}")]
    role = local_aws.role(unique("s"), SCHEDULER, allow("codepipeline:*"))
    user = local_aws.user(unique("user"), allow("scheduler:*", ours), allow("iam:PassRole"))
    api = local_aws.client("scheduler", user)
    target = {"Arn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:none", "RoleArn": role}
    given = {"ScheduleExpression": "rate(365 days)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}

    api.create_schedule(GroupName=group, Name="a", **given)
    assert api.get_schedule(GroupName=group, Name="a")["Arn"].endswith(f"schedule/{group}/a")
    api.update_schedule(GroupName=group, Name="a", **given)
    api.delete_schedule(GroupName=group, Name="a")
    for call in (
        lambda: api.create_schedule(GroupName=other, Name="a", **given),
        lambda: api.delete_schedule(GroupName=other, Name="a"),
        lambda: api.get_schedule(Name="a"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


def test_every_key_of_tags_is_removed(local_aws: LocalAws) -> None:
    api = local_aws.client("scheduler")
    tags = [{"Key": key, "Value": key} for key in "abc"]
    arn = api.create_schedule_group(Name=unique("group"), Tags=tags)["ScheduleGroupArn"]

    api.untag_resource(ResourceArn=arn, TagKeys=["a", "b"])

    assert api.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "c", "Value": "c"}]
