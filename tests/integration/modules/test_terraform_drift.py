# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""terraform_drift_info: what the newest runs have found, and of which stacks nothing is known."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed, unique
from tests.integration.modules.running import Workshop, build_stage, buildspec, eventually

CHANGED = {
    "address": "aws_instance.web",
    "type": "aws_instance",
    "actions": ["update"],
    "id": "i-1",
    "attributes": [
        {
            "name": "tags",
            "sensitive": False,
            "before": {"Scan": "1", "Owner": "a"},
            "after": {"Scan": "2", "Owner": "b"},
        },
        {"name": "user_data", "sensitive": True},
    ],
}
GONE = {"address": "aws_subnet.this", "type": "aws_subnet", "actions": ["delete"], "id": "subnet-1", "attributes": []}
SCANNED = {**CHANGED, "attributes": [{"name": "scan", "sensitive": False, "before": 1, "after": 2}]}


@dataclass
class Drift:
    """A drift pipeline, whose build puts out what a test says, and its stack."""

    account: Account
    name: str
    stack: str

    @property
    def given(self) -> dict[str, str]:
        return {"name": self.name, "stack": self.stack}

    def start(self, text: str) -> str:
        """Starts a run that puts out a text, fails (`fail`), has nothing (`nothing`) or lasts (`last`)."""
        variables = [{"name": "who", "value": base64.b64encode(gzip.compress(text.encode())).decode()}]
        api = self.account.client("codepipeline")
        return str(api.start_pipeline_execution(name=self.name, variables=variables)["pipelineExecutionId"])

    def run(self, text: str) -> str:
        """Such a run to its end."""
        execution, api = self.start(text), self.account.client("codepipeline")

        def status() -> str:
            found = api.get_pipeline_execution(pipelineName=self.name, pipelineExecutionId=execution)
            return str(found["pipelineExecution"]["status"])

        eventually(lambda: status() != "InProgress", seconds=60)
        return execution

    def report(self, *resources: dict[str, Any], hours: float = 0, **values: Any) -> str:
        """A drift.json that was made so many hours ago."""
        made = datetime.now(UTC) - timedelta(hours=hours)
        given = {
            "version": 1,
            "stack": self.stack,
            "state_key": "key",
            "commit": "1f0b1e7a",
            "applied": True,
            "time": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "drift": list(resources),
        }
        return json.dumps({**given, **values})


@pytest.fixture(scope="module")
def workshop(account: Account) -> Workshop:
    made = Workshop.open(account)
    made.commit("code")
    return made


@pytest.fixture(scope="module")
def project(workshop: Workshop) -> str:
    spec = buildspec(
        'printf %s "$WHO" | base64 -d | gunzip > drift.json',
        "case $(cat drift.json) in fail) exit 1 ;; last) sleep 600 ;; nothing) mv drift.json other ;; esac",
        artifacts=("drift.json", "other"),
    )
    return workshop.project(spec, "CODEPIPELINE")


@pytest.fixture
def new(account: Account, workshop: Workshop, project: str) -> Callable[[], Drift]:
    """Makes drift pipelines that have not run yet."""

    def make() -> Drift:
        stage = build_stage("Drift", project)
        stage["actions"][0]["outputArtifacts"] = [{"name": "drift"}]
        return Drift(account, workshop.pipeline(stage), unique("stack"))

    return make


def look(account: Account, *drifts: Drift, **arguments: Any) -> dict[str, Any]:
    result = account.run("terraform_drift_info", pipelines=[drift.given for drift in drifts], **arguments)
    assert result["mutations"] == []
    assert not result["changed"]
    return result


def test_what_has_changed_and_what_is_gone(account: Account, new: Callable[[], Drift]) -> None:
    one, other = new(), new()
    one.run("fail")
    execution = one.run(one.report(CHANGED, GONE))
    other.run(other.report(SCANNED))

    result = look(account, one, other, ignore_changes=["aws_instance.*:tags.Scan", "*:scan"])

    assert result["drift"] == [
        {
            "stack": one.stack,
            "address": "aws_instance.web",
            "type": "aws_instance",
            "id": "i-1",
            "action": "changed",
            "attributes": [
                {"path": "tags.Owner", "before": "a", "after": "b", "sensitive": False},
                {"path": "user_data", "before": None, "after": None, "sensitive": True},
            ],
            "ignored": ["tags.Scan"],
        },
        {
            "stack": one.stack,
            "address": "aws_subnet.this",
            "type": "aws_subnet",
            "id": "subnet-1",
            "action": "ghost",
            "attributes": [],
            "ignored": [],
        },
    ]
    (ignored,) = result["ignored"]
    assert (ignored["stack"], ignored["attributes"], ignored["ignored"]) == (other.stack, [], ["scan"])
    first, second = result["stacks"]
    assert (first.pop("time") or "").startswith("20")
    assert first == {
        "stack": one.stack,
        "pipeline": one.name,
        "status": "fresh",
        "message": "",
        "execution_id": execution,
        "commit": "1f0b1e7a",
        "applied": True,
        "differing": 2,
        "ignored": 0,
    }
    assert (second["status"], second["differing"], second["ignored"]) == ("fresh", 0, 1)
    assert result["complete"]
    assert result["api_calls"] == {
        "codepipeline:ListActionExecutions": 2,
        "codepipeline:ListPipelineExecutions": 2,
        "s3:GetObject": 2,
    }


def test_what_is_old_is_known_and_not_fresh(account: Account, new: Callable[[], Drift]) -> None:
    drift = new()
    drift.run(drift.report(GONE, hours=3))

    for hours, status in ((2, "old"), (4, "fresh")):
        result = look(account, drift, max_age_hours=hours)
        (stack,) = result["stacks"]
        assert (stack["status"], stack["message"] == "", result["complete"]) == (
            status,
            status == "fresh",
            status == "fresh",
        )
        assert [each["address"] for each in result["drift"]] == ["aws_subnet.this"]


def test_what_never_ran_is_not_there_or_runs_for_the_first_time(account: Account, new: Callable[[], Drift]) -> None:
    idle, running, missing = new(), new(), Drift(account, unique("missing"), "missing")
    execution = running.start("last")

    result = look(account, idle, running, missing)

    assert [stack["status"] for stack in result["stacks"]] == ["never", "running", "never"]
    assert [stack["message"] for stack in result["stacks"]] == [
        f"pipeline {idle.name} has never run",
        f"pipeline {running.name}: execution {execution} is the first, and has not ended",
        f"there is no pipeline {missing.name}",
    ]
    assert result["drift"] == []
    assert not result["complete"]
    stop(account, running, execution)


def stop(account: Account, drift: Drift, execution: str) -> None:
    account.client("codepipeline").stop_pipeline_execution(
        pipelineName=drift.name, pipelineExecutionId=execution, abandon=True
    )


def test_a_run_that_failed_hides_what_an_older_one_found_and_one_that_runs_does_not(
    account: Account, new: Callable[[], Drift]
) -> None:
    drift = new()
    older = drift.run(drift.report(GONE))
    running = drift.start("last")
    time.sleep(1)
    (known,) = look(account, drift)["stacks"]
    stop(account, drift, running)
    failed = drift.run("fail")

    result = look(account, drift)

    assert (known["status"], known["execution_id"]) == ("fresh", older)
    (stack,) = result["stacks"]
    assert (stack["status"], stack["execution_id"]) == ("failed", failed)
    assert stack["message"].startswith(f"pipeline {drift.name}: execution {failed} is Failed; Run: ")
    assert result["drift"] == []


def test_a_run_that_somebody_stopped_has_not_checked(account: Account, new: Callable[[], Drift]) -> None:
    drift = new()
    drift.run(drift.report(GONE))
    stop(account, drift, drift.start("last"))

    (stack,) = look(account, drift)["stacks"]

    assert stack["status"] == "failed"
    assert "is Stopped" in stack["message"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nothing", "its artifact holds no drift.json"),
        ("{", "drift.json is not JSON"),
        ('{"version": 2}', "drift.json is not of version 1"),
    ],
)
def test_what_cannot_be_read_is_not_taken_for_no_drift(
    account: Account, new: Callable[[], Drift], text: str, problem: str
) -> None:
    drift, sound = new(), new()
    drift.run(text)
    sound.run(sound.report(GONE))

    result = look(account, drift, sound)

    assert [stack["status"] for stack in result["stacks"]] == ["failed", "fresh"]
    assert result["stacks"][0]["message"].startswith(f"pipeline {drift.name}: {problem}")
    assert not result["complete"]
    assert len(result["drift"]) == 1


def test_what_another_stack_has_put_out_counts_for_nothing(account: Account, new: Callable[[], Drift]) -> None:
    drift = new()
    drift.run(drift.report(GONE, stack="another"))

    result = look(account, drift)

    assert result["stacks"][0]["message"] == f"pipeline {drift.name}: drift.json is of the stack 'another'"
    assert (result["stacks"][0]["status"], result["drift"]) == ("failed", [])


def test_what_may_not_be_read_is_said_with_the_fix(
    account: Account, new: Callable[[], Drift], workshop: Workshop
) -> None:
    drift = new()
    drift.run(drift.report(GONE))
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{workshop.bucket}/{drift.name[:20]}/*",
            }
        ],
    }
    s3 = account.client("s3")
    s3.put_bucket_policy(Bucket=workshop.bucket, Policy=json.dumps(policy))

    (stack,) = look(account, drift)["stacks"]
    s3.delete_bucket_policy(Bucket=workshop.bucket)

    assert stack["status"] == "failed"
    assert "GetObject failed with AccessDenied" in stack["message"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"pipelines": [{"name": " ", "stack": "a"}]}, r"pipelines\[0\]\.name: it is empty"),
        ({"pipelines": [{"name": "a", "stack": ""}]}, r"pipelines\[0\]\.stack: it is empty"),
        ({"pipelines": [{"name": "a"}]}, r"pipelines\[0\]\.stack: it is required and missing"),
        ({"ignore_changes": ["tags"]}, "ignore_changes: 'tags' is not allowed"),
        ({"max_age_hours": 0}, "max_age_hours: 0 is not allowed"),
    ],
)
def test_wrong_arguments(account: Account, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModuleFailed, match=problem):
        account.run("terraform_drift_info", **{"pipelines": [], **arguments})
