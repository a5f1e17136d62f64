# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds: what is asked of AWS, what is shown of them, their logs, and why they failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.validate import ParamValidator

from ansible_collections.gitops.aws.plugins.module_utils import _builds as builds
from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused
from ansible_collections.gitops.aws.plugins.module_utils._shapes import input_shape
from ansible_collections.gitops.aws.plugins.module_utils._waiters import GRACE

PROJECT = "gitops-network-plan"
BUILD = f"{PROJECT}:33333333-3333-3333-3333-333333333333"
START_BUILD = input_shape(
    boto3.client("codebuild", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"),
    "StartBuild",
)


def arguments(**given: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in builds.ARGUMENTS.items()}
    return {**defaults, "project": PROJECT, "poll_interval": 1, **given}


def overrides(**given: Any) -> dict[str, Any]:
    """As Ansible hands them over: with None for what was not given."""
    return {**dict.fromkeys(builds.OVERRIDES), **given}


# The request


def test_every_override_that_aws_has() -> None:
    members = {xform_name(member) for member in START_BUILD.members if member.endswith("Override")}

    assert {f"{name}_override" for name in builds.OVERRIDES} == members
    assert {f"{name}_override" for name in builds.OVERRIDES} | {
        "project_name",
        "source_version",
        "debug_session_enabled",
        "idempotency_token",
    } == {xform_name(member) for member in START_BUILD.members}


def same_options(shape: Any, option: dict[str, Any], path: str) -> list[str]:
    """Where a nested option differs from the shape of its member."""
    found = []
    if shape.type_name == "list":
        return same_options(shape.member, {**option, "type": option.get("elements")}, path)
    if shape.type_name == "structure":
        nested = option.get("options", {})
        members = {xform_name(member): member for member in shape.members}
        if set(members) != set(nested):
            found.append(f"{path}: {sorted(set(members) ^ set(nested))}")
        for name in set(members) & set(nested):
            found += same_options(shape.members[members[name]], nested[name], f"{path}.{name}")
    if getattr(shape, "enum", None) and set(shape.enum) != set(option["choices"]):
        found.append(f"{path}: {sorted(set(shape.enum) ^ set(option['choices']))}")
    return found


@pytest.mark.parametrize("name", builds.OVERRIDES)
def test_overrides_have_the_members_and_choices_of_aws(name: str) -> None:
    member = next(each for each in START_BUILD.members if xform_name(each) == f"{name}_override")

    assert same_options(START_BUILD.members[member], builds.OVERRIDES[name], name) == []


def test_the_least_request() -> None:
    assert builds.request(START_BUILD, arguments()) == {"projectName": PROJECT}
    assert builds.request(START_BUILD, arguments(overrides=overrides())) == {"projectName": PROJECT}


def test_a_request_with_overrides() -> None:
    params = arguments(
        source_version="main",
        debug_session_enabled=False,
        idempotency_token="t",
        overrides=overrides(
            image="i",
            privileged_mode=False,
            environment_variables=[{"name": "A", "value": "", "type": "PLAINTEXT"}],
            secondary_sources_version=[{"source_identifier": "s", "source_version": "v"}],
            registry_credential={"credential": "c", "credential_provider": None},
            logs_config={"cloud_watch_logs": {"status": "DISABLED", "group_name": None}, "s3_logs": None},
        ),
    )

    request = builds.request(START_BUILD, params)

    assert request == {
        "projectName": PROJECT,
        "sourceVersion": "main",
        "debugSessionEnabled": False,
        "idempotencyToken": "t",
        "imageOverride": "i",
        "privilegedModeOverride": False,
        "environmentVariablesOverride": [{"name": "A", "value": "", "type": "PLAINTEXT"}],
        "secondarySourcesVersionOverride": [{"sourceIdentifier": "s", "sourceVersion": "v"}],
        "registryCredentialOverride": {"credential": "c", "credentialProvider": "SECRETS_MANAGER"},
        "logsConfigOverride": {"cloudWatchLogs": {"status": "DISABLED"}},
    }
    assert not ParamValidator().validate(request, START_BUILD).has_errors()


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, []),
        ({"source_version": "main", "overrides": {}, "debug_session_enabled": False, "idempotency_token": "t"}, []),
        ({"build_id": BUILD}, []),
        ({"build_id": BUILD, "overrides": {}}, ["overrides"]),
        ({"state": "retried", "build_id": BUILD, "idempotency_token": "t"}, []),
        ({"state": "retried", "build_id": BUILD, "source_version": "v"}, ["source_version"]),
        (
            {"state": "stopped", "build_id": BUILD, "idempotency_token": "t", "debug_session_enabled": True},
            ["debug_session_enabled", "idempotency_token"],
        ),
    ],
)
def test_options_that_do_not_go_together(given: dict[str, Any], names: list[str]) -> None:
    found = builds.problems(arguments(**given))

    assert [problem.split(":")[0] for problem in found] == names
    why = {"retried": "state is retried", "stopped": "state is stopped"}.get(given.get("state", ""), "is followed")
    assert all(problem.endswith(why) for problem in found)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"build_id": ""}, "build_id: it is empty. Fix: "),
        ({"build_id": " ", "state": "stopped"}, "build_id: it is empty. Fix: "),
        ({"build_id": "", "state": "retried"}, "build_id: it is empty. Fix: "),
        ({"idempotency_token": ""}, "idempotency_token: it is empty. Fix: "),
        ({"poll_interval": 0}, "poll_interval: 0 is not allowed, it must be from 1 to 300 seconds"),
        ({"poll_interval": 301}, "poll_interval: 301 is not allowed, it must be from 1 to 300 seconds"),
        ({"wait_timeout": -1}, "wait_timeout: -1 is not allowed, it must be 0 or more seconds"),
    ],
)
def test_values_that_are_refused(given: dict[str, Any], words: str) -> None:
    (problem,) = builds.problems(arguments(**given))

    assert problem.startswith(words)


def required_members(shape: Any, option: dict[str, Any], path: str) -> list[tuple[str, bool]]:
    """The members of structures that AWS requires, each with whether the option's spec does so, too."""
    found = []
    if shape.type_name == "list":
        return required_members(shape.member, option, f"{path}[0]")
    if shape.type_name == "structure":
        for member, inner in shape.members.items():
            nested = option["options"][xform_name(member)]
            if member in shape.required_members:
                found.append((f"{path}.{xform_name(member)}", bool(nested.get("required"))))
            found += required_members(inner, nested, f"{path}.{xform_name(member)}")
    return found


def nest(path: str) -> dict[str, Any]:
    """Overrides with all that leads to this member, and without it."""
    value: Any = {}
    for name in reversed(path.split(".")[1:-1]):
        value = {name.removesuffix("[0]"): [value] if name.endswith("[0]") else value}
    return overrides(**value)


def test_what_aws_requires_is_required_by_its_path() -> None:
    required = [
        each
        for name, option in builds.OVERRIDES.items()
        for each in required_members(
            next(START_BUILD.members[m] for m in START_BUILD.members if xform_name(m) == f"{name}_override"),
            option,
            f"overrides.{name}",
        )
    ]
    ours = [path for path, by_spec in required if not by_spec and "credential_provider" not in path]

    assert len(ours) == 3
    for path in ours:
        assert builds.problems(arguments(overrides=nest(path))) == [f"{path}: it is required and missing"]


def test_what_aws_requires_is_given() -> None:
    auth = {"type": "CODECONNECTIONS", "resource": None}
    given = overrides(
        registry_credential={"credential": "arn", "credential_provider": None},
        source_auth=auth,
        secondary_sources=[{"type": "GITHUB", "auth": auth}, {"type": "S3", "auth": None}],
    )

    assert builds.problems(arguments(overrides=given)) == []


def test_values_that_must_not_be_shown() -> None:
    variables = [
        {"name": "DB_PASSWORD", "value": "hunter2", "type": "PLAINTEXT"},
        {"name": "API_TOKEN", "value": "/website/token", "type": "PARAMETER_STORE"},
        {"name": "MY_SECRET", "value": "", "type": "PLAINTEXT"},
        {"name": "COLOUR", "value": "red", "type": "PLAINTEXT"},
    ]

    assert builds.secrets(arguments(overrides=overrides(environment_variables=variables))) == ["hunter2"]
    assert builds.secrets(arguments(overrides=overrides())) == builds.secrets(arguments()) == []


# Acting

MOMENT = datetime(2026, 11, 20, 16, 5, 40, tzinfo=UTC)


def build(status: str = "SUCCEEDED", **members: Any) -> dict[str, Any]:
    over = {} if status == "IN_PROGRESS" else {"endTime": MOMENT}
    return {
        "id": BUILD,
        "arn": f"arn:aws:codebuild:eu-central-1:123456789012:build/{BUILD}",
        "projectName": PROJECT,
        "buildStatus": status,
        "buildComplete": status != "IN_PROGRESS",
        "startTime": MOMENT,
        **over,
        **members,
    }


def prepare_read(stubs: Any, *found: dict[str, Any], asked: str = BUILD) -> None:
    stubs["codebuild"].add_response("batch_get_builds", {"builds": list(found)}, {"ids": [asked]})


def test_start_and_wait(aws: Any, stubs: Any) -> None:
    stubs["codebuild"].add_response("start_build", {"build": {"id": BUILD}}, {"projectName": PROJECT})
    prepare_read(stubs, build("IN_PROGRESS"))  # whether it is known
    prepare_read(stubs, build())  # the waiter's look
    prepare_read(stubs, build())

    result = builds.act(aws(), arguments())

    assert result["changed"] is True
    assert result["build"]["id"] == BUILD
    assert "failed" not in result


def test_start_without_waiting(aws: Any, stubs: Any) -> None:
    stubs["codebuild"].add_response("start_build", {"build": {"id": BUILD}}, {"projectName": PROJECT})
    prepare_read(stubs, build("FAILED"))

    result = builds.act(aws(), arguments(wait=False))

    assert "failed" not in result
    assert "is FAILED" in result["failure"]


@pytest.mark.parametrize("status", ["FAILED", "FAULT", "STOPPED", "TIMED_OUT"])
def test_a_build_that_did_not_succeed_fails_the_task(aws: Any, stubs: Any, status: str) -> None:
    for _ in range(3):
        prepare_read(stubs, build(status))

    result = builds.act(aws(), arguments(build_id=BUILD))

    assert result["changed"] is False
    assert result["failed"] is True
    assert result["msg"] == f"build project {PROJECT}: build {BUILD} is {status}"


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "FAULT", "STOPPED", "TIMED_OUT"])
def test_retry(aws: Any, stubs: Any, status: str) -> None:
    prepare_read(stubs, build(status))
    stubs["codebuild"].add_response(
        "retry_build", {"build": {"id": "next"}}, {"id": BUILD, "idempotencyToken": "token"}
    )
    prepare_read(stubs, build("IN_PROGRESS", id="next"), asked="next")

    result = builds.act(aws(), arguments(state="retried", build_id=BUILD, idempotency_token="token", wait=False))

    assert result["changed"] is True
    assert result["build"]["id"] == "next"


def test_what_runs_is_not_retried(aws: Any, stubs: Any) -> None:
    prepare_read(stubs, build("IN_PROGRESS", currentPhase="BUILD"))

    with pytest.raises(Refused, match=r"is still running, in phase BUILD\. Nothing was started"):
        builds.act(aws(), arguments(state="retried", build_id=BUILD))


def test_what_was_stopped_is_what_was_wanted(aws: Any, stubs: Any) -> None:
    prepare_read(stubs, build("IN_PROGRESS"))
    stubs["codebuild"].add_response("stop_build", {"build": {"id": BUILD}}, {"id": BUILD})
    prepare_read(stubs, build("STOPPED"))
    prepare_read(stubs, build("STOPPED"))

    result = builds.act(aws(), arguments(state="stopped", build_id=BUILD))

    assert result["changed"] is True
    assert "failed" not in result


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "STOPPED"])
def test_what_is_over_is_not_stopped(aws: Any, stubs: Any, status: str) -> None:
    for _ in range(3):
        prepare_read(stubs, build(status))

    result = builds.act(aws(), arguments(state="stopped", build_id=BUILD))

    assert result["changed"] is False
    assert "failed" not in result


def test_late(aws: Any, stubs: Any) -> None:
    for _ in range(3):
        prepare_read(stubs, build("IN_PROGRESS", currentPhase="QUEUED"))

    result = builds.act(aws(), arguments(build_id=BUILD, wait_timeout=0))

    assert result["failed"] is True
    assert result["msg"].endswith(f"build {BUILD} is IN_PROGRESS, in phase QUEUED, after 0 s. It goes on")


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        ("started", None, f"It would start a build of {PROJECT}"),
        ("stopped", "IN_PROGRESS", f"It would stop the build {BUILD}"),
        ("retried", "FAILED", f"It would retry the build {BUILD}"),
    ],
)
def test_check_mode_only_reads(aws: Any, stubs: Any, state: str, status: str | None, words: str) -> None:
    if status:
        prepare_read(stubs, build(status))
    else:
        found = {"projects": [{"name": PROJECT}]}
        stubs["codebuild"].add_response("batch_get_projects", found, {"names": [PROJECT]})

    result = builds.act(aws(check_mode=True), arguments(state=state, build_id=BUILD if status else None))

    assert result["changed"] is True
    assert result["msg"] == words


def test_check_mode_knows_a_project_that_there_is_not(aws: Any, stubs: Any) -> None:
    stubs["codebuild"].add_response("batch_get_projects", {"projects": [], "projectsNotFound": [PROJECT]})

    with pytest.raises(Refused, match="there is no such build project"):
        builds.act(aws(check_mode=True), arguments())


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were slept."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


@pytest.mark.parametrize("wait", [True, False])
def test_a_build_that_is_not_known_yet(aws: Any, stubs: Any, pauses: list[float], wait: bool) -> None:
    stubs["codebuild"].add_response("start_build", {"build": {"id": BUILD}}, {"projectName": PROJECT})
    for found in ([], [], *[[build()]] * (3 if wait else 1)):
        prepare_read(stubs, *found)

    assert builds.act(aws(), arguments(wait=wait))["build"]["status"] == "SUCCEEDED"
    assert pauses == [1, 1]


def test_a_build_that_is_never_known(aws: Any, stubs: Any, pauses: list[float]) -> None:
    stubs["codebuild"].add_response("start_build", {"build": {"id": BUILD}}, {"projectName": PROJECT})
    for _ in range(GRACE + 1):
        prepare_read(stubs)

    result = builds.act(aws(), arguments())

    assert (result["failed"], result["changed"], result["build"]["id"]) == (True, True, BUILD)
    assert sum(pauses) == GRACE


@pytest.mark.parametrize(
    ("state", "before", "words"),
    [
        ("started", None, "was started and goes on"),
        ("retried", "FAILED", "was started and goes on"),
        ("stopped", "IN_PROGRESS", "is being stopped"),
    ],
)
@pytest.mark.parametrize("wait", [True, False])
def test_a_look_that_fails_does_not_lose_the_build(
    aws: Any, stubs: Any, state: str, before: str | None, words: str, wait: bool
) -> None:
    if before:
        prepare_read(stubs, build(before))
    operation = {"started": "start_build", "retried": "retry_build", "stopped": "stop_build"}[state]
    stubs["codebuild"].add_response(operation, {"build": {"id": BUILD}})
    stubs["codebuild"].add_client_error("batch_get_builds", "AccessDeniedException", "not you")

    result = builds.act(aws(), arguments(state=state, build_id=BUILD if before else None, wait=wait))

    assert (result["failed"], result["changed"]) == (True, True)
    assert result["build"] == {"id": BUILD, "project": PROJECT}
    assert (result["log_lines"], result["log_cursors"]) == ([], {})
    assert result["msg"] == (
        f"build project {PROJECT}: build {BUILD} {words} (build_id={BUILD} follows it), but a look at it failed: "
        "BatchGetBuilds failed with AccessDeniedException: not you"
    )


def test_a_network_that_fails_does_not_lose_the_build(aws: Any, stubs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def follow(*_arguments: Any, **_more: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://codebuild")

    monkeypatch.setattr(builds, "follow", follow)
    stubs["codebuild"].add_response("start_build", {"build": {"id": BUILD}})

    assert builds.act(aws(), arguments())["build"]["id"] == BUILD
    prepare_read(stubs, build())
    with pytest.raises(EndpointConnectionError):  # nothing was begun
        builds.act(aws(), arguments(build_id=BUILD))


def test_the_newest(aws: Any, stubs: Any) -> None:
    asked = {"projectName": PROJECT, "sortOrder": "DESCENDING"}
    stubs["codebuild"].add_response("list_builds_for_project", {"ids": [BUILD, "older"]}, asked)
    prepare_read(stubs, build())
    prepare_read(stubs, build())

    assert builds.act(aws(), arguments(build_id="latest", wait=False))["build"]["id"] == BUILD


def test_many_builds_take_a_call_for_a_hundred(aws: Any, stubs: Any) -> None:
    ids = [f"b:{number}" for number in range(101)]
    stubs["codebuild"].add_response("batch_get_builds", {"builds": [{"id": "b:0"}]}, {"ids": ids[:100]})
    stubs["codebuild"].add_response("batch_get_builds", {"builds": [{"id": "b:100"}]}, {"ids": ids[100:]})

    assert [found["id"] for found in builds.read(aws(), ids)] == ["b:0", "b:100"]


# What is shown


def test_a_build_as_it_is_returned() -> None:
    shown = builds.describe(
        build(
            "FAILED",
            buildNumber=7,
            currentPhase="COMPLETED",
            phases=[
                {"phaseType": "SUBMITTED", "phaseStatus": "SUCCEEDED", "durationInSeconds": 0},
                {
                    "phaseType": "BUILD",
                    "phaseStatus": "FAILED",
                    "durationInSeconds": 4,
                    "contexts": [
                        {"statusCode": "COMMAND_EXECUTION_ERROR", "message": "exit status 2"},
                        {"statusCode": "", "message": ""},
                        {"message": "and more"},
                    ],
                },
                {"phaseType": "COMPLETED"},
            ],
            exportedEnvironmentVariables=[{"name": "A", "value": "1"}, {"name": "B"}],
            environment={"environmentVariables": [{"name": "SECRET", "value": "hunter2"}]},
            source={"type": "NO_SOURCE", "buildspec": "hunter2"},
            logs={"groupName": "g", "streamName": "s", "deepLink": "https://example.com"},
            sourceVersion="main",
            resolvedSourceVersion="0a1b2c",
            initiator="ada",
            artifacts={"location": "arn:aws:s3:::b/k"},
        )
    )

    assert shown == {
        "id": BUILD,
        "arn": f"arn:aws:codebuild:eu-central-1:123456789012:build/{BUILD}",
        "project": PROJECT,
        "number": 7,
        "status": "FAILED",
        "current_phase": "COMPLETED",
        "phases": [
            {"name": "SUBMITTED", "status": "SUCCEEDED", "seconds": 0, "message": ""},
            {
                "name": "BUILD",
                "status": "FAILED",
                "seconds": 4,
                "message": "COMMAND_EXECUTION_ERROR: exit status 2; and more",
            },
            {"name": "COMPLETED", "status": "", "seconds": None, "message": ""},
        ],
        "exported_environment_variables": {"A": "1", "B": ""},
        "logs": {"group": "g", "stream": "s", "url": "https://example.com"},
        "source_version": "main",
        "resolved_source_version": "0a1b2c",
        "initiator": "ada",
        "start_time": "2026-11-20T16:05:40+00:00",
        "end_time": "2026-11-20T16:05:40+00:00",
        "artifacts_location": "arn:aws:s3:::b/k",
    }


# Why it failed


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ""),
        (["all is well", "done"], ""),
        (["one error", "Error: two", "bye"], "Error: two"),
        (["fatal: no", "[Container] 2026/01/01 Phase complete: BUILD State: FAILED"], "fatal: no"),
        (["\x1b[31m│\x1b[0m \x1b[1mError: \x1b[0mAccess denied", "│ ", "╵"], "Error: Access denied"),
        (["terror and mirrors"], ""),
        (["make: *** No such file"], "make: *** No such file"),
        (["  AccessDenied: no", "cp: cannot stat 'x'  "], "cp: cannot stat 'x'"),
    ],
)
def test_the_last_line_that_looks_like_an_error(lines: list[str], expected: str) -> None:
    assert builds.last_error(lines) == expected


def test_a_failure_in_one_line() -> None:
    phases = [
        {"phaseType": "PRE_BUILD", "phaseStatus": "SUCCEEDED"},
        {"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [{"statusCode": "CODE", "message": "exit 1"}]},
        {"phaseType": "POST_BUILD", "phaseStatus": "FAILED"},
        {"phaseType": "COMPLETED"},
    ]
    shown = builds.describe(build("FAILED", phases=phases))

    assert builds.failure(shown, ["Error: it broke", "bye"]) == (
        f"build project {PROJECT}: build {BUILD} is FAILED; phase BUILD is FAILED: CODE: exit 1; "
        "in its log: Error: it broke"
    )
    assert builds.failure(shown, []).endswith("phase BUILD is FAILED: CODE: exit 1")


def test_the_end_of_a_log(aws: Any, stubs: Any) -> None:
    lines = [f"line {number}" for number in range(30)]
    events = [{"timestamp": 1, "message": f"{line}\n"} for line in [*lines, "", "[Container] 2026/01/01 Phase"]]
    stubs["logs"].add_response(
        "get_log_events",
        {"events": events, "nextForwardToken": "f/1"},
        {"logGroupName": "g", "logStreamName": "s", "startFromHead": False, "limit": 200},
    )

    assert builds.last_log_lines(aws(), logged()) == lines[-20:]


def test_a_log_that_may_not_be_read(aws: Any, stubs: Any) -> None:
    stubs["logs"].add_client_error("get_log_events", "AccessDeniedException")

    with pytest.raises(ClientError):
        builds.last_log_lines(aws(), logged())


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

    lines, cursors = builds.new_log_lines(aws(), [BUILD], {})

    assert [line["text"] for line in lines] == ["one", "two", "three", "four"]
    assert {line["build_id"] for line in lines} == {BUILD}
    assert cursors == {BUILD: "f/2"}


def test_an_empty_page_before_others(aws: Any, stubs: Any) -> None:
    prepare_build(stubs, logged())
    prepare_log(stubs, [], None, "f/1")
    prepare_log(stubs, ["one"], "f/1", "f/2")
    prepare_log(stubs, [], "f/2", "f/3")
    prepare_log(stubs, ["two"], "f/3", "f/4")
    prepare_log(stubs, [], "f/4", "f/4")

    lines, cursors = builds.new_log_lines(aws(), [BUILD], {})

    assert [line["text"] for line in lines] == ["one", "two"]
    assert cursors == {BUILD: "f/4"}


def test_a_log_that_grows_faster_than_it_is_read(aws: Any, stubs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "MOST_PAGES", 2)
    prepare_build(stubs, logged())
    prepare_log(stubs, ["one"], None, "f/1")
    prepare_log(stubs, ["two"], "f/1", "f/2")

    _lines, cursors = builds.new_log_lines(aws(), [BUILD], {})

    assert cursors == {BUILD: "f/2"}  # where the next look goes on


def test_a_later_look_reads_on_where_the_first_ended(aws: Any, stubs: Any) -> None:
    before = {BUILD: "f/2"}
    prepare_build(stubs, logged())
    prepare_log(stubs, ["five"], "f/2", "f/3")
    prepare_log(stubs, [], "f/3", "f/3")

    lines, cursors = builds.new_log_lines(aws(), [BUILD], before)

    assert [line["text"] for line in lines] == ["five"]
    assert cursors == {BUILD: "f/3"}
    assert before == {BUILD: "f/2"}  # the caller's own is left alone


def test_nothing_new(aws: Any, stubs: Any) -> None:
    prepare_build(stubs, logged())
    prepare_log(stubs, [], "f/3", "f/3")

    assert builds.new_log_lines(aws(), [BUILD], {BUILD: "f/3"}) == ([], {BUILD: "f/3"})


def test_the_end_of_a_log_that_answers_its_last_page_again(aws: Any, stubs: Any) -> None:
    prepare_build(stubs, logged())
    prepare_log(stubs, ["again"], "f/3", "f/3")

    lines, _cursors = builds.new_log_lines(aws(), [BUILD], {BUILD: "f/3"})

    assert len(lines) == 1  # and it does not ask for ever


def test_each_build_has_its_own_cursor(aws: Any, stubs: Any) -> None:
    other = BUILD.replace("plan", "apply")
    prepare_build(stubs, logged(), logged(other, "t"))
    prepare_log(stubs, [], "f/3", "f/3")
    prepare_log(stubs, ["new"], None, "f/9", "t")
    prepare_log(stubs, [], "f/9", "f/9", "t")

    lines, cursors = builds.new_log_lines(aws(), [BUILD, other], {BUILD: "f/3"})

    assert lines == [{"build_id": other, "text": "new"}]
    assert cursors == {BUILD: "f/3", other: "f/9"}


def test_a_build_that_has_no_log_yet(aws: Any, stubs: Any) -> None:
    prepare_build(stubs, {"id": BUILD}, logged("b:2"))
    stubs["logs"].add_client_error("get_log_events", "ResourceNotFoundException")

    assert builds.new_log_lines(aws(), [BUILD, "b:2"], {}) == ([], {})


def test_without_builds_nothing_is_asked(aws: Any, stubs: Any) -> None:
    assert builds.new_log_lines(aws(), [], {"b": "c"}) == ([], {"b": "c"})
