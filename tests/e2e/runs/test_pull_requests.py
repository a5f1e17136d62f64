# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull requests are planned by a role that reads only; forks are not run."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.estate import REPOSITORY, Estate, mutations
from tests.e2e.runs.conftest import Runs


def of_pull_request(estate: Estate, number: int, *arguments: str) -> list[dict[str, Any]]:
    """The builds that an event of a pull request starts, at their end."""
    told = estate.aws.command(
        "pull-request", REPOSITORY, str(number), "--head", f"change-{number}", "--base", "main", *arguments
    )
    ids = [started["build_id"] for started in json.loads(told)["builds"]]
    codebuild, deadline = estate.administrator.client("codebuild"), time.monotonic() + 120
    while ids:
        builds: list[dict[str, Any]] = codebuild.batch_get_builds(ids=ids)["builds"]
        if all(build["buildStatus"] != "IN_PROGRESS" for build in builds):
            return builds
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return []


@dataclass
class Reviewed:
    """The build of a pull request, its log, what it called, and the commit's statuses."""

    commit: str
    build: dict[str, Any]
    log: str
    calls: list[dict[str, Any]]
    statuses: list[dict[str, Any]]


@pytest.fixture(scope="module")
def reviewed(runs: Runs) -> Reviewed:
    """The stack `reviewed`, built, and a pull request that changes it."""
    estate = runs.estate
    runs.write("reviewed", "value")
    execution = runs.push("reviewed")
    runs.waiting("reviewed", execution)
    estate.approve("gitops-reviewed")
    runs.ended("reviewed", execution, "Succeeded")
    runs.say("reviewed", "proposed")
    commit = runs.repository.push("Propose a change", "change-1")
    before = len(estate.aws.calls())
    (build,) = of_pull_request(estate, 1)
    statuses = [json.loads(line) for line in (estate.aws.data / "commit_statuses.jsonl").read_text().splitlines()]
    calls = [call for call in estate.aws.calls()[before:] if "gitops-reviewed-review/" in call["principal_arn"]]
    return Reviewed(commit, build, estate.log(build["id"]), calls, [s for s in statuses if s["commit"] == commit])


def test_pull_request_is_planned_and_nothing_is_applied(reviewed: Reviewed, runs: Runs) -> None:
    assert reviewed.build["buildStatus"] == "SUCCEEDED", reviewed.log
    assert reviewed.build["projectName"] == "gitops-reviewed-review"
    assert "0 to add, 1 to change, 0 to destroy. Destroys nothing." in reviewed.log
    assert '"first"' in json.dumps(runs.estate.state("reviewed"))


def test_result_is_the_status_of_the_commit_with_a_link_to_the_log(reviewed: Reviewed) -> None:
    assert [status["state"] for status in reviewed.statuses] == ["pending", "success"]
    assert reviewed.statuses[-1]["target_url"].startswith("https://")
    assert reviewed.build["id"].partition(":")[2] in reviewed.statuses[-1]["target_url"]


def test_its_role_reads_and_does_not_even_lock(reviewed: Reviewed) -> None:
    assert [call for call in reviewed.calls if call["action"] == "s3:GetObject"]
    written = {call.split()[0] for call in mutations(reviewed.calls)}
    assert written <= {"logs:CreateLogStream", "logs:PutLogEvents"}


def test_pull_request_that_concerns_another_stack_starts_nothing(runs: Runs) -> None:
    (runs.repository.clone / "README.md").write_text("Changed\n")
    runs.repository.push("Change the README", "change-2")

    assert of_pull_request(runs.estate, 2) == []


def test_pull_request_of_a_fork_is_not_run(runs: Runs, reviewed: Reviewed) -> None:
    assert reviewed.build
    runs.repository.git("push", "--quiet", str(runs.repository.bare), f"{reviewed.commit}:refs/heads/change-3")

    assert of_pull_request(runs.estate, 3, "--fork", "stranger/infrastructure") == []


def test_failing_plan_is_a_failure_of_the_commit(runs: Runs, reviewed: Reviewed) -> None:
    assert reviewed.build
    main = runs.repository.clone / "reviewed" / "main.tf"
    main.write_text(main.read_text().replace("var.content", "var.unknown"))
    commit = runs.repository.push("Propose nonsense", "change-4")

    (build,) = of_pull_request(runs.estate, 4)

    assert build["buildStatus"] == "FAILED"
    lines = (runs.estate.aws.data / "commit_statuses.jsonl").read_text().splitlines()
    assert [s["state"] for s in map(json.loads, lines) if s["commit"] == commit] == ["pending", "failure"]
