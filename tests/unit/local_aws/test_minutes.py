# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LOCAL_AWS_MINUTE_SECONDS: how long a minute of AWS lasts, in a server of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.local_aws.support import (
    Demo,
    LocalAws,
    Repository,
    Running,
    allow,
    approval_action,
    command,
    condition,
    rule,
    server,
    source_action,
)

MINUTE = 0.3


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with server(tmp_path_factory.mktemp("short-minutes"), MINUTE) as running:
        yield running


@pytest.fixture(scope="module")
def connection(local_aws: LocalAws) -> str:
    return local_aws.connection("shared")


@pytest.fixture(scope="module")
def artifact_bucket(local_aws: LocalAws) -> str:
    return local_aws.bucket("artifacts")


def test_an_approval_expires(create: Callable[..., Running]) -> None:
    running = create(approval=approval_action() | {"timeoutInMinutes": 5})
    execution = running.first()
    began = time.monotonic()
    token = running.token(execution)
    assert running.ends(execution) == "Failed"
    assert time.monotonic() - began >= 4 * MINUTE
    error = running.actions(execution)["Ok"]["output"]["executionResult"]["errorDetails"]
    assert error == {"code": "ApprovalTimedOut", "message": "The approval expired after 5 minutes"}
    with pytest.raises(running.api.exceptions.InvalidApprovalTokenException):
        running.answer(token)


def test_a_build_times_out(demo: Demo) -> None:
    build = demo.build(demo.project("version: 0.2\nphases: {build: {commands: [sleep 60]}}", timeoutInMinutes=5))
    assert build["buildStatus"] == "TIMED_OUT"


@pytest.mark.parametrize(
    ("checked", "status"),
    [
        (rule("DeploymentWindow", Cron="* * * * * ? 2199") | {"timeoutInMinutes": 5}, "Failed"),
        (rule("CloudWatchAlarm", AlarmName="quiet", WaitTime="5"), "Succeeded"),
    ],
)
def test_conditions_wait_for_minutes(
    checked: dict[str, Any],
    status: str,
    create: Callable[..., Running],
    local_aws: LocalAws,
    connection: str,
    repository: Repository,
) -> None:
    alarm = {
        "AlarmName": "quiet",
        "Namespace": "Test",
        "MetricName": "Errors",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Statistic": "Sum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 1,
    }
    local_aws.client("cloudwatch").put_metric_alarm(**alarm)
    running = create(
        [allow("*")],
        stages=[
            {"name": "Source", "actions": [source_action(connection, repository.full_name)]},
            {"name": "Approve", "actions": [approval_action()], "beforeEntry": condition("FAIL", checked)},
        ],
    )
    execution = running.first()
    if status == "Succeeded":
        running.token(execution)
    else:
        assert running.ends(execution) == status
    (found,) = running.api.list_rule_executions(pipelineName=running.name)["ruleExecutionDetails"]
    assert found["status"] == status
    assert 4 * MINUTE < (found["lastUpdateTime"] - found["startTime"]).total_seconds() < 30


@pytest.mark.parametrize("minute", ["0", "-1", "nan", "inf", "soon", ""])
def test_a_minute_that_is_none(minute: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_AWS_MINUTE_SECONDS", minute)
    done = command("up", "--detach", "--port", "0", "--data", str(tmp_path))
    assert done.returncode == 1
    assert f"LOCAL_AWS_MINUTE_SECONDS must be a positive number of seconds, not {minute!r}" in done.stderr
