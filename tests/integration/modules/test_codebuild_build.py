# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""codebuild_build, with builds that really run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed, unique
from tests.integration.modules.running import IMAGE, Workshop, buildspec, eventually

QUICK: dict[str, Any] = {"poll_interval": 1, "wait_timeout": 60}


@pytest.fixture(scope="module")
def workshop(account: Account) -> Workshop:
    return Workshop.open(account)


def texts(result: dict[str, Any]) -> list[str]:
    return [line["text"] for line in result["log_lines"]]


def builds_of(account: Account, project: str) -> list[str]:
    found: list[str] = account.client("codebuild").list_builds_for_project(projectName=project)["ids"]
    return found


def phase(account: Account, build_id: str) -> str:
    found = account.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]
    return str(found["currentPhase"])


def running(account: Account, workshop: Workshop) -> tuple[str, str]:
    """A project and its build, which is in the phase BUILD and stays there."""
    project = workshop.project(buildspec("sleep 60"))
    build_id = account.run("codebuild_build", project=project, wait=False)["build"]["id"]
    eventually(lambda: phase(account, build_id) == "BUILD")
    return project, build_id


# Starting


def test_build_with_overrides_to_its_end(account: Account, workshop: Workshop) -> None:
    project = workshop.project(buildspec("echo project"), variables={"KEPT": "kept", "GREETING": "hello"})
    spec = buildspec('echo "$GREETING, $KEPT"', 'export VERSION="1.2"', exported=("VERSION",))

    result = account.run(
        "codebuild_build",
        project=project,
        overrides={
            "buildspec": spec,
            "environment_variables": [{"name": "GREETING", "value": "good morning"}],
            "timeout_in_minutes": 7,
            "logs_config": {"cloud_watch_logs": {"status": "ENABLED", "group_name": "/modules/builds"}},
        },
        **QUICK,
    )

    build = result["build"]
    made = account.client("codebuild").batch_get_builds(ids=[build["id"]])["builds"][0]
    assert result["changed"]
    assert result["mutations"] == ["codebuild:StartBuild"]
    assert "good morning, kept" in texts(result)
    assert build["status"] == "SUCCEEDED"
    assert build["exported_environment_variables"] == {"VERSION": "1.2"}
    assert build["project"] == project
    assert build["number"] == 1
    assert build["current_phase"] == "COMPLETED"
    assert [each["status"] for each in build["phases"] if each["name"] == "BUILD"] == ["SUCCEEDED"]
    assert build["logs"]["group"] == "/modules/builds"
    assert build["logs"]["url"].startswith("https://")
    assert build["start_time"] < build["end_time"]
    assert build["initiator"] == "modules"
    assert made["timeoutInMinutes"] == 7
    assert "failure" not in result
    # Of the environment's variables nothing is in the result, beside the log and what the task itself was given.
    assert "good morning" not in str(build)
    assert "kept" not in str(build)


def test_overrides_of_source_and_environment(account: Account, workshop: Workshop) -> None:
    version = workshop.commit("from S3", key="source.zip")
    project = workshop.project(buildspec("true"), kind="CODEPIPELINE")

    result = account.run(
        "codebuild_build",
        project=project,
        source_version=version,
        overrides={
            "source_type": "S3",
            "source_location": f"{workshop.bucket}/source.zip",
            "buildspec": buildspec("cat text.txt", artifacts=("text.txt",)),
            "artifacts": {"type": "S3", "location": workshop.bucket, "path": "out", "packaging": "ZIP"},
            "image": IMAGE,
            "compute_type": "BUILD_GENERAL1_MEDIUM",
            "privileged_mode": True,
        },
        **QUICK,
    )

    made = account.client("codebuild").batch_get_builds(ids=[result["build"]["id"]])["builds"][0]
    assert "from S3" in texts(result)
    assert result["build"]["source_version"] == version
    assert result["build"]["artifacts_location"] == f"arn:aws:s3:::{workshop.bucket}/out/{project}"
    assert made["environment"]["computeType"] == "BUILD_GENERAL1_MEDIUM"
    assert made["environment"]["privilegedMode"] is True


def test_same_token_is_the_same_build(account: Account, workshop: Workshop) -> None:
    project, token = workshop.project(buildspec("true")), unique("token")

    first = account.run("codebuild_build", project=project, idempotency_token=token, **QUICK)
    second = account.run("codebuild_build", project=project, idempotency_token=token, **QUICK)

    assert second["build"]["id"] == first["build"]["id"]
    assert builds_of(account, project) == [first["build"]["id"]]


def test_missing_project_is_named(account: Account) -> None:
    name = unique("none")

    with pytest.raises(ModuleFailed, match=f"build project {name}: StartBuild failed with ResourceNotFoundException"):
        account.run("codebuild_build", project=name)


def test_override_that_aws_refuses(account: Account, workshop: Workshop) -> None:
    project = workshop.project(buildspec("true"))

    with pytest.raises(
        ModuleFailed, match=rf"build project {project}: Parameter validation failed:\s.*timeoutInMinutesOverride"
    ):
        account.run("codebuild_build", project=project, overrides={"timeout_in_minutes": 1})


def test_override_that_does_not_exist(account: Account) -> None:
    with pytest.raises(ModuleFailed, match=r"overrides\.imagee: .*Did you mean image\?"):
        account.run("codebuild_build", project="p", overrides={"imagee": "x"})


def test_secret_values_do_not_stand_among_the_arguments(account: Account, workshop: Workshop) -> None:
    project = workshop.project(buildspec("true"))
    variables = [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "COLOUR", "value": "red"}]

    result = account.run("codebuild_build", project=project, overrides={"environment_variables": variables}, wait=False)
    with pytest.raises(ModuleFailed) as failure:
        account.run("codebuild_build", project="p", overrides={"environment_variables": variables}, poll_interval=0)

    for shown in (result, failure.value.result):
        given = shown["invocation"]["module_args"]["overrides"]["environment_variables"]
        assert [each["value"] for each in given] == ["(hidden)", "red"]
        assert "hunter2" not in str(shown)


# Failing


def test_failed_build_says_where_and_why(account: Account, workshop: Workshop) -> None:
    commands = [f"echo line {number}" for number in range(30)]
    project = workshop.project(buildspec(*commands, "echo '│ Error: no such subnet'; echo bye; exit 3"))

    with pytest.raises(ModuleFailed) as failure:
        account.run("codebuild_build", project=project, **QUICK)

    result = failure.value.result
    build = result["build"]
    assert "failure" not in result  # the message says it
    assert result["msg"].startswith(
        f"build project {project}: build {build['id']} is FAILED; phase BUILD is FAILED: COMMAND_EXECUTION_ERROR: "
    )
    assert "exit status 3" in result["msg"]
    assert result["msg"].endswith("; in its log: Error: no such subnet")
    assert len(result["last_log_lines"]) == 20
    assert result["last_log_lines"][-3:] == ["line 29", "│ Error: no such subnet", "bye"]
    assert result["changed"]
    assert len(texts(result)) > 30


def test_failed_build_without_waiting_is_no_failure(account: Account, workshop: Workshop) -> None:
    project = workshop.project(buildspec("false"))
    build_id = account.run("codebuild_build", project=project, wait=False)["build"]["id"]
    eventually(lambda: phase(account, build_id) == "COMPLETED")

    seen = account.run("codebuild_build", project=project, build_id=build_id, wait=False)

    assert seen["build"]["status"] == "FAILED"
    assert "exit status 1" in seen["failure"]


# Following


def test_following_starts_nothing_and_reads_on(account: Account, workshop: Workshop) -> None:
    project = workshop.project(buildspec("echo first", "sleep 1", "echo second"))
    started = account.run("codebuild_build", project=project, wait=False)
    build_id = started["build"]["id"]

    def look(cursors: dict[str, str]) -> dict[str, Any]:
        return account.run("codebuild_build", project=project, build_id="latest", wait=False, log_cursors=cursors)

    early = eventually(lambda: (seen := look({})) and "first" in texts(seen) and seen)
    rest = account.run("codebuild_build", project=project, build_id=build_id, log_cursors=early["log_cursors"], **QUICK)

    assert not early["changed"]
    assert not rest["changed"]
    assert early["mutations"] == rest["mutations"] == []
    assert rest["build"]["id"] == build_id
    assert "second" in texts(rest)
    assert "first" not in texts(rest)
    assert builds_of(account, project) == [build_id]


def test_waiting_ends_with_the_time(account: Account, workshop: Workshop) -> None:
    project, build_id = running(account, workshop)

    with pytest.raises(ModuleFailed) as failure:
        account.run("codebuild_build", project=project, build_id=build_id, wait_timeout=1, poll_interval=1)

    assert failure.value.result["msg"] == (
        f"build project {project}: build {build_id} is IN_PROGRESS, in phase BUILD, after 1 s. It goes on"
    )
    assert failure.value.result["build"]["end_time"] == ""
    assert phase(account, build_id) == "BUILD"
    account.client("codebuild").stop_build(id=build_id)


def test_build_of_another_project_is_not_taken(account: Account, workshop: Workshop) -> None:
    one, other = workshop.project(buildspec("true")), workshop.project(buildspec("true"))
    build_id = account.run("codebuild_build", project=one, **QUICK)["build"]["id"]

    with pytest.raises(ModuleFailed, match=f"build project {other}: the build {build_id} is one of {one}. Fix: "):
        account.run("codebuild_build", project=other, state="retried", build_id=build_id)

    assert builds_of(account, other) == []


@pytest.mark.parametrize("state", ["started", "stopped", "retried"])
def test_project_without_builds_has_no_latest(account: Account, workshop: Workshop, state: str) -> None:
    project = workshop.project(buildspec("true"))

    with pytest.raises(ModuleFailed, match=f"build project {project}: it has no build yet"):
        account.run("codebuild_build", project=project, state=state, build_id="latest")


def test_build_that_does_not_exist(account: Account, workshop: Workshop) -> None:
    project = workshop.project(buildspec("true"))

    with pytest.raises(ModuleFailed, match=f"there is no build {project}:none"):
        account.run("codebuild_build", project=project, build_id=f"{project}:none")


# Stopping


def test_stop_twice(account: Account, workshop: Workshop) -> None:
    project, build_id = running(account, workshop)

    first = account.run("codebuild_build", project=project, state="stopped", build_id="latest", **QUICK)
    second = account.run("codebuild_build", project=project, state="stopped", build_id=build_id, **QUICK)

    assert first["changed"]
    assert first["mutations"] == ["codebuild:StopBuild"]
    assert first["build"]["status"] == "STOPPED"
    assert first["build"]["end_time"]
    assert not second["changed"]
    assert second["mutations"] == []
    assert second["build"]["status"] == "STOPPED"


# Retrying


def test_retry_of_what_failed(account: Account, workshop: Workshop) -> None:
    project = workshop.project(buildspec("exit 1"))
    failed = account.run("codebuild_build", project=project, wait=False)["build"]["id"]
    eventually(lambda: phase(account, failed) == "COMPLETED")
    account.client("codebuild").update_project(
        name=project, source={"type": "NO_SOURCE", "buildspec": buildspec("echo better")}
    )

    result = account.run("codebuild_build", project=project, state="retried", build_id="latest", **QUICK)

    assert result["changed"]
    assert result["mutations"] == ["codebuild:RetryBuild"]
    assert result["build"]["id"] != failed
    assert result["build"]["status"] == "SUCCEEDED"
    assert "better" in texts(result)


def test_what_succeeded_can_be_retried(account: Account, workshop: Workshop) -> None:
    project = workshop.project(buildspec("true"))
    build_id = account.run("codebuild_build", project=project, **QUICK)["build"]["id"]

    result = account.run("codebuild_build", project=project, state="retried", build_id=build_id, **QUICK)

    assert result["mutations"] == ["codebuild:RetryBuild"]
    assert result["build"]["status"] == "SUCCEEDED"
    assert builds_of(account, project) == [result["build"]["id"], build_id]


def test_what_runs_is_not_retried_but_what_was_stopped(account: Account, workshop: Workshop) -> None:
    project, build_id = running(account, workshop)

    with pytest.raises(ModuleFailed, match=f"the build {build_id} is still running, in phase BUILD") as failure:
        account.run("codebuild_build", project=project, state="retried", build_id=build_id)
    account.client("codebuild").stop_build(id=build_id)
    again = account.run("codebuild_build", project=project, state="retried", build_id=build_id, wait=False)

    assert failure.value.result["mutations"] == []
    assert again["build"]["status"] == "IN_PROGRESS"
    account.client("codebuild").stop_build(id=again["build"]["id"])


# Check mode


def test_check_mode_says_what_it_would_do(account: Account, workshop: Workshop) -> None:
    project, build_id = running(account, workshop)

    started = account.run("codebuild_build", check=True, project=project)
    stopped = account.run("codebuild_build", check=True, project=project, state="stopped", build_id=build_id)
    account.client("codebuild").stop_build(id=build_id)
    unchanged = account.run("codebuild_build", check=True, project=project, state="stopped", build_id=build_id)
    retried = account.run("codebuild_build", check=True, project=project, state="retried", build_id=build_id)

    assert [each["changed"] for each in (started, stopped, unchanged, retried)] == [True, True, False, True]
    assert [each["mutations"] for each in (started, stopped, unchanged, retried)] == [[]] * 4
    assert started["msg"] == f"It would start a build of {project}"
    assert stopped["msg"] == f"It would stop the build {build_id}"
    assert stopped["build"]["status"] == "IN_PROGRESS"
    assert retried["msg"] == f"It would retry the build {build_id}"
    assert builds_of(account, project) == [build_id]


def test_check_mode_knows_a_project_that_there_is_not(account: Account) -> None:
    name = unique("none")

    with pytest.raises(ModuleFailed, match=f"build project {name}: there is no such build project"):
        account.run("codebuild_build", check=True, project=name)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"build_id": ""}, "build_id: it is empty"),
        ({"state": "stopped", "build_id": ""}, "build_id: it is empty"),
        ({"state": "retried", "build_id": ""}, "build_id: it is empty"),
        ({"poll_interval": 301}, "poll_interval: 301 is not allowed"),
        ({"wait_timeout": -1}, "wait_timeout: -1 is not allowed"),
        (
            {"overrides": {"registry_credential": {}}},
            "overrides.registry_credential.credential: it is required and missing",
        ),
        (
            {"overrides": {"secondary_sources": [{"type": "GITHUB", "auth": {}}]}},
            r"overrides.secondary_sources\[0\].auth.type: it is required and missing",
        ),
        ({"state": "stopped"}, "build_id"),
        ({"state": "retried"}, "build_id"),
        ({"build_id": "latest", "source_version": "main"}, "source_version: .* already is followed"),
        ({"state": "stopped", "build_id": "latest", "overrides": {"image": "x"}}, "overrides: .*state is stopped"),
        ({"state": "stopped", "build_id": "latest", "idempotency_token": "x"}, "idempotency_token: "),
    ],
)
def test_wrong_arguments_cost_no_call(account: Account, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModuleFailed, match=problem) as failure:
        account.run("codebuild_build", project="p", **arguments)

    assert "api_calls" not in failure.value.result
