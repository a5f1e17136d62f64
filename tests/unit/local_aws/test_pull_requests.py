# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull requests and pushes start builds of projects with webhooks, and pull requests start pipelines."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.local_aws.support import (
    REGION,
    Demo,
    LocalAws,
    Repository,
    Running,
    allow,
    command,
    eventually,
    git,
    source_action,
    unique,
)

ENV = json.dumps(
    {
        "version": 0.2,
        "env": {"exported-variables": ["TOLD", "HEAD", "ON", "INITIATOR"]},
        "phases": {
            "build": {
                "commands": [
                    "TOLD=$(env | grep -e ^CODEBUILD_WEBHOOK -e ^CODEBUILD_SOURCE_VERSION | sort | tr '\\n' ' ')",
                    "HEAD=$(git rev-parse HEAD)",
                    "ON=$(git branch --remotes --contains HEAD | tr -d '\\n')",
                    "INITIATOR=$CODEBUILD_INITIATOR",
                ]
            }
        },
    }
)
ALL = "PULL_REQUEST_CREATED, PULL_REQUEST_UPDATED, PULL_REQUEST_REOPENED, PULL_REQUEST_MERGED, PULL_REQUEST_CLOSED"


def variables(build: dict[str, Any]) -> dict[str, str]:
    assert build["buildStatus"] == "SUCCEEDED", build["phases"]
    return {item["name"]: item["value"].strip() for item in build["exportedEnvironmentVariables"]}


@pytest.fixture
def feature(repository: Repository) -> str:
    """A branch with changes; its commit."""
    commit = repository.push({"envs/prod/main.tf": "# it\n"}, branch="feature/x", message="Change prod")
    git("checkout", "-q", "main", cwd=repository.clone)
    return commit


@pytest.fixture
def hooked(demo: Demo, connection: str, repository: Repository) -> Callable[..., str]:
    """Make a project of the repository whose webhook has these filters beside its events; its name."""

    def made(*filters: dict[str, Any], events: str = ALL, policy: str = "DISABLED", **webhook: Any) -> str:
        project = demo.project(
            "",
            allow(["codeconnections:GetConnectionToken", "codeconnections:GetConnection"], connection),
            source={
                "type": "GITHUB",
                "location": f"https://github.com/{repository.full_name}.git",
                "auth": {"type": "CODECONNECTIONS", "resource": connection},
                "buildspec": ENV,
            },
        )
        demo.codebuild.create_webhook(
            projectName=project["name"],
            filterGroups=[[{"type": "EVENT", "pattern": events}, *filters]],
            pullRequestBuildPolicy={"requiresCommentApproval": policy},
            **webhook,
        )
        return str(project["name"])

    return made


@pytest.fixture
def pull_request(local_aws: LocalAws, repository: Repository) -> Callable[..., dict[str, Any]]:
    """The command; number 7, from feature/x into main, unless said otherwise."""

    def told(*arguments: str, number: int = 7) -> dict[str, Any]:
        given = ["--head", "feature/x", "--base", "main", *arguments]
        answer: dict[str, Any] = local_aws.command("pull-request", repository.full_name, str(number), *given)
        return answer

    return told


def test_a_pull_request_is_built(
    demo: Demo, hooked: Callable[..., str], pull_request: Callable[..., Any], repository: Repository, feature: str
) -> None:
    name = hooked({"type": "BASE_REF", "pattern": "^refs/heads/main$"}, {"type": "FILE_PATH", "pattern": "^envs/prod/"})
    hooked({"type": "BASE_REF", "pattern": "^refs/heads/release$"})
    hooked({"type": "FILE_PATH", "pattern": "^main.tf$"})  # a file of main, which the pull request does not change
    answer = pull_request("--actor", "4711")
    (started,) = answer["builds"]
    assert started["project"] == name
    assert (answer["executions"], answer["not_started"]) == ([], [])
    build = demo.ended(started["build_id"])
    found = variables(build)
    assert dict(item.split("=") for item in found["TOLD"].split()) == {
        "CODEBUILD_SOURCE_VERSION": "pr/7",
        "CODEBUILD_WEBHOOK_ACTOR_ACCOUNT_ID": "4711",
        "CODEBUILD_WEBHOOK_BASE_REF": "refs/heads/main",
        "CODEBUILD_WEBHOOK_EVENT": "PULL_REQUEST_CREATED",
        "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/feature/x",
        "CODEBUILD_WEBHOOK_TRIGGER": "pr/7",
    }
    assert (build["sourceVersion"], build["resolvedSourceVersion"]) == ("pr/7", feature)
    assert (found["HEAD"], found["ON"]) == (feature, "origin/feature/x")
    assert build["initiator"] == found["INITIATOR"]
    assert build["initiator"].startswith("GitHub-Hookshot/")
    # The status of a build that a webhook started is posted whether the project asks for it or not.
    statuses = demo.aws.commit_statuses(repository.full_name)
    assert [(item["commit"], item["state"]) for item in statuses] == [(feature, "pending"), (feature, "success")]

    again = demo.ended(demo.codebuild.retry_build(id=build["id"])["build"]["id"])
    assert variables(again)["TOLD"] == found["TOLD"]


def test_what_happened_to_it_counts(hooked: Callable[..., str], pull_request: Callable[..., Any], feature: str) -> None:
    wanted = {
        hooked(events=f"PULL_REQUEST_{event.upper()}"): event
        for event in ("created", "updated", "reopened", "merged", "closed")
    }
    for project, event in wanted.items():
        assert [item["project"] for item in pull_request("--event", event)["builds"]] == [project]


def test_a_pull_request_can_be_built_by_hand(
    demo: Demo, hooked: Callable[..., str], pull_request: Callable[..., Any], repository: Repository, feature: str
) -> None:
    name = hooked(events="PUSH", policy="DISABLED")
    pull_request(number=8)
    git("checkout", "-q", "feature/x", cwd=repository.clone)
    newer = repository.push({"envs/prod/more.tf": "# more\n"}, branch="feature/x")
    found = variables(demo.build({"name": name}, sourceVersion="pr/8"))
    assert (found["HEAD"], found["TOLD"]) == (newer, "CODEBUILD_SOURCE_VERSION=pr/8")


def test_a_merged_pull_request_still_has_its_files(
    hooked: Callable[..., str],
    pull_request: Callable[..., Any],
    demo: Demo,
    repository: Repository,
    feature: str,
) -> None:
    name = hooked({"type": "FILE_PATH", "pattern": "^envs/prod/"}, events="PULL_REQUEST_MERGED")
    assert pull_request()["builds"] == []
    git("merge", "-q", "--no-ff", "-m", "Merge", "feature/x", cwd=repository.clone)
    git("push", "-q", "origin", "main", ":feature/x", cwd=repository.clone)
    (started,) = pull_request("--event", "merged")["builds"]
    assert started["project"] == name
    assert variables(demo.ended(started["build_id"]))["HEAD"] == feature


def test_a_fork_is_not_built_without_a_comment(
    demo: Demo, hooked: Callable[..., str], pull_request: Callable[..., Any], repository: Repository, feature: str
) -> None:
    name = hooked(policy="FORK_PULL_REQUESTS")
    answer = pull_request("--fork", "somebody/fork")
    reason = "Pull request approval required for starting a build"
    assert answer == {"builds": [], "executions": [], "not_started": [{"project": name, "reason": reason}]}
    assert demo.codebuild.list_builds_for_project(projectName=name)["ids"] == []
    (status,) = demo.aws.commit_statuses(repository.full_name)
    assert (status["commit"], status["state"], status["description"]) == (feature, "failure", reason)
    assert status["context"] == f"AWS CodeBuild {REGION} ({name})"

    assert len(pull_request("--fork", "somebody/fork", "--approved")["builds"]) == 1
    assert len(pull_request("--fork", "somebody/fork", "--role", "GITHUB_WRITE")["builds"]) == 1
    assert len(pull_request()["builds"]) == 1


def test_the_commit_of_a_fork_is_on_no_branch(
    demo: Demo, hooked: Callable[..., str], pull_request: Callable[..., Any], repository: Repository
) -> None:
    """As on GitHub, where the repository has it as refs/pull/<number>/head alone."""
    hooked()
    git("checkout", "-q", "-b", "theirs", cwd=repository.clone)
    (repository.clone / "main.tf").write_text("# theirs\n")
    git("commit", "-q", "-a", "-m", "theirs", cwd=repository.clone)
    git("push", "-q", "origin", "HEAD:refs/pull/7/head", cwd=repository.clone)
    (started,) = pull_request("--fork", "somebody/fork", "--head", "main")["builds"]
    found = variables(demo.ended(started["build_id"]))
    assert (found["HEAD"], found["ON"]) == (git("rev-parse", "HEAD", cwd=repository.clone), "")


def test_a_push_is_built(demo: Demo, hooked: Callable[..., str], repository: Repository) -> None:
    name = hooked({"type": "HEAD_REF", "pattern": "^refs/heads/main$"}, events="PUSH")
    other = hooked({"type": "HEAD_REF", "pattern": "^refs/heads/main$"}, events=ALL)
    before = git("rev-parse", "HEAD", cwd=repository.clone)
    repository.push({"main.tf": "# other\n"}, branch="other")
    git("checkout", "-q", "main", cwd=repository.clone)
    commit = repository.push({"main.tf": "# more\n"})
    (build_id,) = eventually(lambda: demo.codebuild.list_builds_for_project(projectName=name)["ids"])
    build = demo.ended(build_id)
    assert build["sourceVersion"] == build["resolvedSourceVersion"] == commit
    assert dict(item.split("=") for item in variables(build)["TOLD"].split()) == {
        "CODEBUILD_SOURCE_VERSION": commit,
        "CODEBUILD_WEBHOOK_ACTOR_ACCOUNT_ID": "1",
        "CODEBUILD_WEBHOOK_EVENT": "PUSH",
        "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/main",
        "CODEBUILD_WEBHOOK_PREV_COMMIT": before,
        "CODEBUILD_WEBHOOK_TRIGGER": "branch/main",
    }
    assert demo.codebuild.list_builds_for_project(projectName=other)["ids"] == []


def test_builds_that_cannot_be_started_are_said(
    demo: Demo, hooked: Callable[..., str], pull_request: Callable[..., Any], feature: str
) -> None:
    batch, busy = hooked(buildType="BUILD_BATCH"), hooked()
    demo.codebuild.update_project(name=busy, concurrentBuildLimit=1)
    spec = "version: 0.2\nphases: {build: {commands: [sleep 60]}}"
    running = demo.start({"name": busy}, buildspecOverride=spec)
    reasons = {item["project"]: item["reason"] for item in pull_request()["not_started"]}
    demo.codebuild.stop_build(id=running)
    assert reasons == {
        batch: "builds of type BUILD_BATCH are not part of local AWS",
        busy: f"Cannot have more than 1 builds in queue for the project {busy}",
    }


# --- pipelines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "event", "starts"),
    [
        ({"events": ["OPEN"], "branches": {"includes": ["main"]}}, "created", True),
        ({"events": ["OPEN"], "branches": {"includes": ["feature/*"]}}, "created", False),
        ({"events": ["OPEN"]}, "updated", False),
        ({"events": ["OPEN", "UPDATED"], "filePaths": {"includes": ["envs/**"]}}, "updated", True),
        ({"events": ["OPEN", "UPDATED"], "filePaths": {"includes": ["docs/**"]}}, "updated", False),
        ({"events": ["CLOSED"]}, "merged", True),
        ({"events": ["CLOSED"]}, "closed", True),
        ({"events": ["OPEN", "UPDATED", "CLOSED"]}, "reopened", False),
        ({"branches": {"includes": ["**"], "excludes": ["main"]}}, "created", False),
        ({"branches": {"includes": ["main"]}}, "created", True),
    ],
)
def test_pull_requests_start_pipelines(
    given: dict[str, Any],
    event: str,
    starts: bool,
    create: Callable[..., Running],
    connection: str,
    repository: Repository,
    feature: str,
    pull_request: Callable[..., Any],
) -> None:
    trigger = {
        "providerType": "CodeStarSourceConnection",
        "gitConfiguration": {"sourceActionName": "Checkout", "pullRequest": [given]},
    }
    running = create(triggers=[trigger])
    create(source=source_action(connection, repository.full_name))  # without a filter no pull request counts
    executions = pull_request("--event", event)["executions"]
    assert [item["pipeline"] for item in executions] == ([running.name] if starts else [])
    if starts:
        execution = executions[0]["execution_id"]
        assert running.execution(execution)["trigger"]["triggerType"] == "WebhookV2"
        found = eventually(
            lambda: running.actions(execution).get("Checkout", {}).get("output", {}).get("outputVariables")
        )
        assert (found["CommitId"], found["BranchName"]) == (feature, "feature/x")


def test_an_execution_that_cannot_be_started_is_said(
    create: Callable[..., Running], pull_request: Callable[..., Any], feature: str
) -> None:
    trigger = {
        "providerType": "CodeStarSourceConnection",
        "gitConfiguration": {"sourceActionName": "Checkout", "pullRequest": [{"events": ["OPEN"]}]},
    }
    running = create(triggers=[trigger], variables=[{"name": "who"}])
    (item,) = pull_request()["not_started"]
    assert item["pipeline"] == running.name
    assert "who" in item["reason"]


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody/nothing", "1", "--head", "a", "--base", "b"], "nobody/nothing is not a mapped repository"),
        (["{}", "1", "--head", "nothing", "--base", "main"], "has no branch nothing"),
        (["{}", "1", "--head", "main", "--base", "nothing"], "has no branch nothing"),
        (["{}", "0", "--head", "main", "--base", "main"], "number is not a positive number"),
    ],
)
def test_bad_commands(arguments: list[str], message: str, local_aws: LocalAws, repository: Repository) -> None:
    given = [item.format(repository.full_name) for item in arguments]
    done = command("pull-request", *given, "--data", str(local_aws.data))
    assert done.returncode == 1
    assert message in done.stderr


def test_a_webhook_needs_its_connection(
    demo: Demo, repository: Repository, feature: str, pull_request: Callable[..., Any]
) -> None:
    pending = demo.aws.client("codeconnections").create_connection(
        ConnectionName=unique("pending"), ProviderType="GitHub"
    )["ConnectionArn"]
    for auth in ({}, {"auth": {"type": "CODECONNECTIONS", "resource": pending}}):
        location = f"https://github.com/{repository.full_name}"
        project = demo.project("", source={"type": "GITHUB", "location": location, "buildspec": ENV} | auth)
        demo.codebuild.create_webhook(
            projectName=project["name"], pullRequestBuildPolicy={"requiresCommentApproval": "DISABLED"}
        )
    assert pull_request() == {"builds": [], "executions": [], "not_started": []}
