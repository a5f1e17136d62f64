# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One build through its phases, in this process: no server, no CloudWatch Logs."""

from __future__ import annotations

import os
import shutil
import textwrap
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local_aws import process
from local_aws.aws_json import AwsError
from local_aws.codebuild import builds, image, projects
from local_aws.codebuild.buildlog import BuildLog, Event
from local_aws.codebuild.record import BuildRecord
from local_aws.codebuild.runner import Runner
from local_aws.identity import Credentials

ACCOUNT, REGION = "123456789012", "eu-central-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/build"


class FakeRole:
    """A service role without AWS."""

    role_arn, region = ROLE, REGION

    def __init__(self, trusted: bool = True) -> None:
        self.trusted = trusted

    def credentials(self) -> Credentials:
        if not self.trusted:
            raise AwsError("AccessDenied", "not trusted", 403)
        return Credentials("ASIAEXAMPLE", "secret", "token", datetime.now(UTC) + timedelta(hours=1))

    def client(self, service: str) -> Any:
        raise AssertionError(service)


class Build:
    """A build that ran: its record, its log, its events."""

    def __init__(self, spec: str, **overrides: Any) -> None:
        trusted = overrides.pop("trusted", True)
        request = {
            "name": "demo",
            "source": {"type": "NO_SOURCE", "buildspec": textwrap.dedent(spec)},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "serviceRole": ROLE,
            "environment": {
                "type": "LINUX_CONTAINER",
                "computeType": "BUILD_GENERAL1_SMALL",
                "image": "hashicorp/terraform:1.11",
                **overrides.pop("environment", {}),
            },
            "logsConfig": {"cloudWatchLogs": {"status": "DISABLED"}},
            **overrides,
        }
        project = projects.created(request, ACCOUNT, REGION, 1.0)
        self.events: list[tuple[str, dict[str, Any]]] = []
        data = builds.new_build(project, "00000000-uuid", 7, "alice", ACCOUNT, REGION, time.time())
        self.record = BuildRecord(data, lambda kind, detail, _: self.events.append((kind, detail)))
        self.record.submit()
        self.runner = Runner(self.record, project, FakeRole(trusted))  # type: ignore[arg-type]
        self.written: list[Event] = []
        log: BuildLog = self.runner._log
        log.attach(self.written.extend)

    def run(self) -> Build:
        self.runner.run()
        self.result = self.record.snapshot()
        return self

    @property
    def log(self) -> str:
        return "".join(message for _, message in self.written)

    @property
    def output(self) -> list[str]:
        return [line for line in self.log.splitlines() if not line.startswith("[Container]")]

    @property
    def statuses(self) -> dict[str, str]:
        return {phase["phaseType"]: phase.get("phaseStatus", "") for phase in self.result["phases"]}

    def context(self, phase: str) -> dict[str, str]:
        found: dict[str, str] = next(p for p in self.result["phases"] if p["phaseType"] == phase)["contexts"][0]
        return found


def test_a_build_that_succeeds() -> None:
    build = Build("""
        version: 0.2
        env:
          variables: {GREETING: hello, NUMBER: 010}
          exported-variables: [PLAN, UNSET]
        phases:
          install:
            commands:
              - cd /; NOT_EXPORTED=kept; shout() { echo "$1!"; }
          build:
            commands:
              - shout "$GREETING $NUMBER $NOT_EXPORTED"; pwd
              - |
                PLAN=first
                PLAN="$PLAN second"
              - printf 'no newline'
    """).run()
    assert build.result["buildStatus"] == "SUCCEEDED"
    assert build.result["buildComplete"] is True
    assert list(build.statuses.items()) == [
        (phase, "SUCCEEDED")
        for phase in (
            "SUBMITTED",
            "QUEUED",
            "PROVISIONING",
            "DOWNLOAD_SOURCE",
            "INSTALL",
            "PRE_BUILD",
            "BUILD",
            "POST_BUILD",
            "UPLOAD_ARTIFACTS",
            "FINALIZING",
        )
    ] + [("COMPLETED", "")]
    assert build.output == ["hello 010 kept!", "/", 'PLAN="$PLAN second"', "", "no newline"]
    assert build.result["exportedEnvironmentVariables"] == [{"name": "PLAN", "value": "first second"}]
    assert "Running command cd /; NOT_EXPORTED=kept" in build.log
    assert "Phase complete: BUILD State: SUCCEEDED\n" in build.log


def test_events() -> None:
    build = Build("version: 0.2\nphases: {build: {commands: ['false']}}").run()
    states = [detail for kind, detail in build.events if kind == "CodeBuild Build State Change"]
    assert [detail["build-status"] for detail in states] == ["IN_PROGRESS", "FAILED"]
    assert states[1]["project-name"] == "demo"
    assert states[1]["build-id"] == build.result["arn"]
    assert states[1]["current-phase"] == "COMPLETED"
    information = states[1]["additional-information"]
    assert information["build-complete"] is True
    assert information["initiator"] == "alice"
    assert information["environment"]["image"] == "hashicorp/terraform:1.11"
    phases = {
        detail["completed-phase"]: detail for kind, detail in build.events if kind == "CodeBuild Build Phase Change"
    }
    assert phases["BUILD"]["completed-phase-status"] == "FAILED"
    assert phases["BUILD"]["completed-phase-context"] == (
        "[COMMAND_EXECUTION_ERROR: Error while executing command: false. Reason: exit status 1]"
    )


def test_a_failing_build_phase_is_followed_by_post_build() -> None:
    build = Build("""
        version: 0.2
        phases:
          pre_build: {commands: [KEPT=yes]}
          build:
            commands: ['echo one; exit 3', echo never]
            finally: [echo finally $KEPT]
          post_build: {commands: [echo succeeding=$CODEBUILD_BUILD_SUCCEEDING $KEPT]}
    """).run()
    assert build.result["buildStatus"] == "FAILED"
    assert build.output == ["one", "finally yes", "succeeding=0 yes"]
    assert build.context("BUILD") == {
        "statusCode": "COMMAND_EXECUTION_ERROR",
        "message": "Error while executing command: echo one; exit 3. Reason: exit status 3",
    }
    assert build.statuses["POST_BUILD"] == "SUCCEEDED"
    assert "Command did not exit successfully echo one; exit 3 exit status 3" in build.log
    assert "Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command" in build.log


@pytest.mark.parametrize(
    ("phase", "on_failure", "ran"),
    [
        ("install", "", ["always"]),
        ("pre_build", "", ["always"]),
        ("pre_build", "on-failure: CONTINUE,", ["always", "build", "post"]),
        ("install", "on-failure: CONTINUE,", ["always", "build", "post"]),
        ("build", "", ["always", "post"]),
        ("build", "on-failure: CONTINUE,", ["always", "post"]),
        ("build", "on-failure: ABORT,", ["always"]),
        ("post_build", "", ["build", "always"]),
    ],
)
def test_what_follows_a_failure(phase: str, on_failure: str, ran: list[str]) -> None:
    phases = {
        "build": "commands: [echo build]",
        "post_build": "commands: [echo post]",
        phase: f"{on_failure} commands: ['false'], finally: [echo always]",
    }
    text = "\n".join(f"  {name}: {{{body}}}" for name, body in phases.items())
    build = Build(f"version: 0.2\nphases:\n{text}\n").run()
    assert build.result["buildStatus"] == "FAILED"
    assert build.output == ran
    assert build.statuses[phase.upper()] == "FAILED"
    aborted = on_failure.startswith("on-failure: ABORT") or (not on_failure and phase in ("install", "pre_build"))
    assert ("UPLOAD_ARTIFACTS" in build.statuses) is not aborted
    assert build.statuses["FINALIZING"] == "SUCCEEDED"


def test_set_e_and_syntax_errors_fail_and_the_next_command_keeps_its_variables() -> None:
    build = Build("""
        version: 0.2
        phases:
          pre_build: {commands: ['cd /; A="two  words"; export B=b']}
          build:
            commands: ['set -e; false; echo never']
          post_build:
            commands:
              - 'echo "$A" $B; pwd'
              - 'if then'
    """).run()
    assert build.context("BUILD")["message"].endswith("Reason: exit status 1")
    assert build.output[:2] == ["two  words b", "/"]
    assert build.context("POST_BUILD")["message"].endswith("Reason: exit status 2")


def test_only_what_the_image_has_is_on_path() -> None:
    tools = "bash jq python python3 curl aws perl make node"
    build = Build(f"""
        version: 0.2
        phases:
          build:
            commands:
              - for tool in {tools}; do if command -v $tool; then exit 1; fi; done
              - for tool in sh ls grep sed awk tar unzip sha256sum wget git ssh terraform; do which $tool; done
              - jq .
    """).run()
    assert build.context("BUILD")["message"] == "Error while executing command: jq .. Reason: exit status 127"


def test_a_machine_without_busybox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "busybox" else which(name))
    image.make_bin_directory(image.resolve("hashicorp/terraform:1.11"), tmp_path)
    present = {path.name for path in tmp_path.iterdir()}
    assert {"sh", "ls", "sed", "grep", "tar", "sha256sum", "git", "terraform"} <= present
    # What a buildspec may count on in the real image, as far as this machine has it.
    usual = "awk base64 cut date head od printf sort tr wc wget xxd cat mktemp rm env tee xargs".split()
    assert {tool for tool in usual if which(tool)} <= present
    assert not present & {"busybox", "bash", "jq", "python3", "curl", "aws", "perl"}
    # The machine's POSIX shell, which is not bash where it has a smaller one.
    assert (tmp_path / "sh").resolve().name == Path(which("dash") or which("sh") or "").resolve().name
    build = Build("version: 0.2\nphases: {build: {commands: ['echo works | sed s/works/still/', 'exit 4']}}").run()
    assert build.output == ["still"]
    assert build.context("BUILD")["message"].endswith("exit status 4")


def test_the_terraform_binary_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    binary = tmp_path / "my-terraform"
    binary.write_text("#!/bin/sh\necho Terraform v9.8.7\n")
    binary.chmod(0o755)
    monkeypatch.setenv("TERRAFORM_BINARY", str(binary))
    build = Build("version: 0.2\nphases: {build: {commands: [terraform version]}}").run()
    assert build.output == ["Terraform v9.8.7"]
    assert "asks for version 1.11; local AWS runs terraform 9.8.7" in build.log
    monkeypatch.setenv("TERRAFORM_BINARY", str(tmp_path / "none"))
    assert (
        "found no terraform"
        in Build("version: 0.2\nphases: {build: {commands: [ls]}}").run().context("PROVISIONING")["message"]
    )


def test_nothing_of_the_servers_environment_reaches_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SECRET", "leaked")
    monkeypatch.setenv("LOCAL_AWS_TERRAFORMRC", "/somewhere/terraformrc")
    build = Build(
        """
        version: 0.2
        phases:
          build: {commands: [env, 'ls -ld $CODEBUILD_SRC_DIR/../../../..', 'touch $HOME/x $TMPDIR/x x']}
    """,
        environment={"environmentVariables": [{"name": "FROM_PROJECT", "value": "p"}]},
    ).run()
    assert build.result["buildStatus"] == "SUCCEEDED"
    variables = dict(line.split("=", 1) for line in build.output if "=" in line)
    assert "leaked" not in build.log
    assert not {name for name in variables if name.startswith("AWS_") and "KEY" in name}
    assert variables["FROM_PROJECT"] == "p"
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == REGION
    assert variables["CODEBUILD_BUILD_ID"] == "demo:00000000-uuid"
    assert variables["CODEBUILD_BUILD_NUMBER"] == "7"
    assert variables["CODEBUILD_INITIATOR"] == "alice"
    assert variables["GIT_CONFIG_NOSYSTEM"] == "1"
    assert variables["TF_CLI_CONFIG_FILE"] == "/somewhere/terraformrc"
    assert variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"].startswith("http://127.0.0.1:")
    assert any(line.startswith("drwx------") for line in build.output)
    # Nothing stays.
    assert not Path(variables["HOME"]).exists()
    assert not Path(variables["CODEBUILD_SRC_DIR"]).exists()


def test_the_projects_variable_wins_over_the_buildspecs() -> None:
    build = Build(
        """
        version: 0.2
        env: {variables: {A: buildspec, B: buildspec}, parameter-store: {C: /never/read}}
        phases: {build: {commands: [echo $A $B $C]}}
    """,
        environment={"environmentVariables": [{"name": name, "value": "project"} for name in ("A", "C")]},
    ).run()
    assert build.output == ["project buildspec project"]


def test_credentials_come_from_the_endpoint_with_its_secret_path_only() -> None:
    build = Build("""
        version: 0.2
        phases:
          build:
            commands:
              - wget -q -O - $AWS_CONTAINER_CREDENTIALS_FULL_URI
              - if wget -q -O - ${AWS_CONTAINER_CREDENTIALS_FULL_URI%/*}/guess; then exit 9; fi
    """).run()
    assert build.result["buildStatus"] == "SUCCEEDED"
    assert '"AccessKeyId": "ASIAEXAMPLE"' in build.output[0]
    assert f'"RoleArn": "{ROLE}"' in build.output[0]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


SLEEPY = """
    version: 0.2
    phases:
      build:
        commands: ['sleep 60 & echo pid $!; trap "" TERM; sleep 60']
        finally: [echo never]
      post_build: {commands: [echo never]}
"""


def test_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_minute_seconds", 0.4)
    build = Build(SLEEPY, timeoutInMinutes=5).run()
    assert build.result["buildStatus"] == "TIMED_OUT"
    assert build.statuses["BUILD"] == "TIMED_OUT"
    assert build.context("BUILD")["statusCode"] == "BUILD_TIMED_OUT"
    assert "POST_BUILD" not in build.statuses
    assert not _alive(int(build.output[0].split()[1]))
    assert len(build.output) == 1


def begun(build: Build, text: str) -> threading.Thread:
    """The build as it runs, once its log has a text."""
    thread = threading.Thread(target=build.run)
    thread.start()
    deadline = time.monotonic() + 10
    while text not in build.log and time.monotonic() < deadline:
        time.sleep(0.02)
    return thread


def test_stop_kills_everything_at_once() -> None:
    build = Build(SLEEPY)
    thread = begun(build, "pid")
    build.runner.stop()
    thread.join(5)
    assert build.result["buildStatus"] == "STOPPED"
    assert build.statuses["BUILD"] == "STOPPED"
    assert "POST_BUILD" not in build.statuses
    assert not _alive(int(next(line for line in build.output if line.startswith("pid")).split()[1]))


def test_nothing_runs_in_a_container_that_has_died() -> None:
    build = Build("version: 0.2\nphases: {build: {commands: [sleep 60]}, post_build: {commands: [echo after]}}")
    thread = begun(build, "Running command sleep 60")
    build.runner.kill()
    thread.join(5)
    assert build.result["buildStatus"] == "FAILED"
    assert build.statuses["BUILD"] == "FAILED"
    assert "POST_BUILD" not in build.statuses
    phase = next(phase for phase in build.result["phases"] if phase["phaseType"] == "BUILD")
    assert phase["contexts"][0]["message"].startswith("Build container found dead before completing the build.")


def test_a_background_process_does_not_outlive_the_build() -> None:
    build = Build("version: 0.2\nphases: {build: {commands: ['sleep 60 & echo $!']}}").run()
    assert build.result["buildStatus"] == "SUCCEEDED"
    assert not _alive(int(build.output[0]))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("aws/codebuild/amazonlinux-x86_64-standard:5.0", "pull access denied for aws/codebuild/amazonlinux"),
        ("alpine:3", "pull access denied for alpine"),
    ],
)
def test_other_images_cannot_be_pulled(image: str, message: str) -> None:
    build = Build("version: 0.2\nphases: {build: {commands: [ls]}}", environment={"image": image}).run()
    assert build.result["buildStatus"] == "FAILED"
    context = build.context("PROVISIONING")
    assert context["statusCode"] == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    assert "Unable to pull customer's container image. CannotPullContainerError" in context["message"]
    assert message in context["message"]
    assert "DOWNLOAD_SOURCE" not in build.statuses


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with executables of no real image, and a file that is none."""
    monkeypatch.setattr(image, "_mapped", {})
    for name, text in (("tflint", "echo tflint ran"), ("wget", "echo another wget"), ("notes.txt", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o644 if name == "notes.txt" else 0o755)
    return tmp_path


MAPPED = "version: 0.2\nphases: {build: {commands: [tflint, wget, 'terraform version | grep -c ^Terra', 'ls | wc -l']}}"


@pytest.mark.parametrize(
    ("mapped", "asked"),
    [
        ("example/checks", "example/checks:3"),
        ("example/checks", "example/checks@sha256:" + "0" * 64),
        ("example/checks:3", "example/checks:3"),
        ("example/checks:latest", "example/checks"),
        ("docker.io/example/checks:3", "example/checks:3"),
        (f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/checks", f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/checks:v1"),
        ("hashicorp/terraform", "hashicorp/terraform:1.11"),
    ],
)
def test_a_mapped_image_has_more_executables(mapped: str, asked: str, tools: Path) -> None:
    image.map_image(mapped, tools)
    build = Build(MAPPED, environment={"image": asked}).run()
    assert build.result["buildStatus"] == "SUCCEEDED", build.log
    assert build.output == ["tflint ran", "another wget", "1", "0"]
    assert "asks for version" not in build.log
    image.make_bin_directory(image.resolve(asked), tools / "bin")
    assert not (tools / "bin" / "notes.txt").exists()


@pytest.mark.parametrize("asked", ["example/checks:4", "example/checks", "checks:3"])
def test_another_image_than_the_mapped_one_cannot_be_pulled(asked: str, tools: Path) -> None:
    image.map_image("example/checks:3", tools)
    build = Build(MAPPED, environment={"image": asked}).run()
    assert build.context("PROVISIONING")["statusCode"] == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"


def test_another_version_of_terraform_is_said() -> None:
    build = Build(
        "version: 0.2\nphases: {build: {commands: [ls]}}", environment={"image": "docker.io/hashicorp/terraform:0.12.1"}
    ).run()
    assert build.result["buildStatus"] == "SUCCEEDED"
    assert "asks for version 0.12.1; local AWS runs terraform 1." in build.log


def test_a_role_that_codebuild_may_not_assume() -> None:
    build = Build("version: 0.2\nphases: {build: {commands: [ls]}}", trusted=False).run()
    assert build.context("PROVISIONING")["message"] == (
        f"CodeBuild is not authorized to perform: sts:AssumeRole on {ROLE}"
    )


def test_a_buildspec_that_is_wrong() -> None:
    build = Build("version: 0.2\nphases: {biuld: {commands: [ls]}}").run()
    assert build.context("DOWNLOAD_SOURCE") == {
        "statusCode": "YAML_FILE_ERROR",
        "message": "Invalid buildspec phase name: biuld. Expecting: build,install,post_build,pre_build",
    }


def test_bash_is_not_in_the_image() -> None:
    build = Build("version: 0.2\nenv: {shell: bash}\nphases: {build: {commands: [ls]}}").run()
    assert "no such file or directory" in build.context("BUILD")["message"]


def test_secrets_are_masked_line_by_line() -> None:
    log = BuildLog()
    log.mask(["hunter2", "first line\nsecond line", "", " "])
    written: list[Event] = []
    log.attach(written.extend)
    log.output(b"a hunter2 b\nsecond")
    log.output(b" line\nharmless\n")
    log.close()
    assert [message for _, message in written] == ["a *** b\n", "***\n", "harmless\n"]
