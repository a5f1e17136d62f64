# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiters: which answers end them, and what is said when they end otherwise."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ansible_collections.gitops.aws.plugins.module_utils import _waiters as waiters
from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused
from ansible_collections.gitops.aws.plugins.module_utils._outcomes import ENDED

EXECUTION = "11111111-1111-1111-1111-111111111111"
ARN = "arn:aws:codeconnections:eu-central-1:123456789012:connection/11111111-1111-1111-1111-111111111111"
LOOKS: dict[str, Any] = {
    "build_ended": ("codebuild", "batch_get_builds", {"ids": ["p:1"]}),
    "execution_ended": (
        "codepipeline",
        "get_pipeline_execution",
        {"pipelineName": "p", "pipelineExecutionId": EXECUTION},
    ),
    "connection_available": ("codeconnections", "get_connection", {"ConnectionArn": ARN}),
    "event_connection_authorized": ("events", "describe_connection", {"Name": "c"}),
}


def answer(name: str, status: Any) -> dict[str, Any]:
    if name == "build_ended":
        return {"builds": [] if status is None else [{"id": "p:1", "buildComplete": status}]}
    if name == "execution_ended":
        return {"pipelineExecution": {"status": status}}
    if name == "event_connection_authorized":
        return {"ConnectionState": status}
    return {"Connection": {"ConnectionStatus": status}}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a waiter has slept."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


def wait(clients: Any, stubs: Any, name: str, *statuses: Any, timeout: int = 60, pause: int = 5) -> bool:
    """Waits, with these statuses in the answers."""
    service, operation, arguments = LOOKS[name]
    for status in statuses:
        stubs[service].add_response(operation, answer(name, status), arguments)
    return waiters.wait(clients[service], name, timeout, pause, **arguments)


def test_every_waiter_is_tested() -> None:
    assert set(LOOKS) == set(waiters.WAITERS)


@pytest.mark.parametrize("name", waiters.WAITERS)
def test_its_operation_exists(clients: Any, name: str) -> None:
    model = clients[LOOKS[name][0]].meta.service_model

    assert waiters.WAITERS[name]["operation"] in model.operation_names


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("build_ended", [False, False, True]),
        *(("execution_ended", ["InProgress", "Stopping", end]) for end in ENDED),
        ("connection_available", ["PENDING", "PENDING", "AVAILABLE"]),
        ("event_connection_authorized", ["CREATING", "AUTHORIZING", "AUTHORIZED"]),
        ("event_connection_authorized", ["CREATING", "CREATING", "ACTIVE"]),
    ],
)
def test_it_waits_for_the_end(clients: Any, stubs: Any, pauses: list[float], name: str, statuses: list[Any]) -> None:
    assert wait(clients, stubs, name, *statuses) is True
    assert pauses == [5, 5]


def test_executions_end_as_aws_says() -> None:
    model = boto3.client("codepipeline", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    statuses = set(model.meta.service_model.shape_for("PipelineExecutionStatus").enum)

    assert statuses - set(ENDED) == {"InProgress", "Stopping"}


@pytest.mark.parametrize(
    ("name", "status"), [("build_ended", False), ("execution_ended", "InProgress"), ("connection_available", "PENDING")]
)
def test_the_time_is_over(clients: Any, stubs: Any, pauses: list[float], name: str, status: Any) -> None:
    assert wait(clients, stubs, name, *([status] * 4), timeout=15, pause=5) is False
    assert sum(pauses) == 15


def test_a_pause_is_a_second_at_least(clients: Any, stubs: Any, pauses: list[float]) -> None:
    assert wait(clients, stubs, "build_ended", False, True, pause=0) is True
    assert pauses == [1]


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("build_ended", None, "there is no such build any more"),
        ("connection_available", "ERROR", "in the state ERROR. Fix: delete it"),
        ("event_connection_authorized", "DEAUTHORIZED", "could not authorise"),
        ("event_connection_authorized", "FAILED_CONNECTIVITY", "could not authorise"),
    ],
)
def test_it_can_wait_no_longer(
    clients: Any, stubs: Any, pauses: list[float], name: str, status: Any, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        wait(clients, stubs, name, status)


def test_an_error_of_aws_is_that_error(clients: Any, stubs: Any) -> None:
    stubs["codebuild"].add_client_error("batch_get_builds", "AccessDeniedException", "not you")

    with pytest.raises(ClientError, match="not you") as error:
        waiters.wait(clients["codebuild"], "build_ended", 60, 1, ids=["p:1"])

    assert error.value.operation_name == "BatchGetBuilds"


@pytest.mark.parametrize("code", ["ThrottlingException", "Throttling", "TooManyRequestsException", "InternalFailure"])
def test_throttling_is_waited_out(clients: Any, stubs: Any, pauses: list[float], code: str) -> None:
    stubs["codebuild"].add_client_error("batch_get_builds", code)

    assert wait(clients, stubs, "build_ended", True) is True
    assert pauses == [5]
