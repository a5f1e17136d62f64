# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes one build through its phases."""

from __future__ import annotations

import functools
import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws import identity, process
from local_aws.aws_json import AwsError, Caller
from local_aws.codebuild import artifacts, buildspec, environment, image, sources, statuses
from local_aws.codebuild.buildlog import BuildLog, cloudwatch_sink
from local_aws.codebuild.builds import FAILED, STOPPED, SUCCEEDED, TIMED_OUT, bucket_name, build_artifacts, s3_key
from local_aws.codebuild.credentials import CredentialsEndpoint, RoleSession
from local_aws.codebuild.pipeline import Artifact, PipelineContext
from local_aws.codebuild.record import BuildRecord
from local_aws.codebuild.shell import Interrupted, Shell, ShellError

logger = logging.getLogger("local_aws")

_LAST_COMMAND_SECONDS = 10.0
_DEAD = (
    "Build container found dead before completing the build. Build container died because it was out of memory, or the "
    "Docker image is not supported. ErrorCode: 500"
)


class PhaseFailure(Exception):
    """A phase failed; code and message become its context."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def _clone_failure(error: sources.SourceError, what: str, version: str) -> PhaseFailure:
    """A failed clone, in CodeBuild's words."""
    return PhaseFailure("CLIENT_ERROR", f"{error} for {what}" + (f" and source version {version}" if version else ""))


class Runner:
    """Runs one build in a thread of its own.

    project is the effective project (overrides applied); webhook holds the variables of the event that started it.
    """

    def __init__(
        self,
        record: BuildRecord,
        project: dict[str, Any],
        role: RoleSession,
        pipeline: PipelineContext | None = None,
        webhook: dict[str, str] | None = None,
    ) -> None:
        self._record = record
        self._project = project
        self._role = role
        self._pipeline = pipeline
        self._webhook = webhook or {}
        self._reported_on: tuple[str, str] | None = None
        self._log = BuildLog()
        self._stopped = threading.Event()
        self._dead = threading.Event()
        self._shell: Shell | None = None
        self._shell_lock = threading.Lock()
        self._endpoint: CredentialsEndpoint | None = None
        self._deadline = 0.0
        self._image: image.Image | None = None
        self._spec = buildspec.Buildspec({})
        build = record.snapshot()
        self._build_arn: str = build["arn"]
        self._uuid: str = build["id"].rpartition(":")[2]

    def start(self) -> None:
        """Start the build's thread."""
        threading.Thread(target=self.run, daemon=True, name=f"build-{self._uuid}").start()

    def stop(self) -> None:
        """StopBuild: kill what runs, as AWS kills the container. What the build had locked stays locked."""
        self._stopped.set()
        with self._shell_lock:
            if self._shell is not None:
                self._shell.stop()

    def kill(self) -> None:
        """The container dies with all that runs in it. No command comes after that, not even those of post_build."""
        self._dead.set()
        self.stop()

    def run(self) -> None:
        """Run the build to its end."""
        status = "FAULT"
        self._record.announce_submitted()
        self._record.finish(SUCCEEDED)  # QUEUED
        self._deadline = time.monotonic() + self._project["timeoutInMinutes"] * process.minute_seconds()
        # 0700, removed at the end: nothing of a build is readable by others or stays.
        root = Path(tempfile.mkdtemp(prefix="codebuild-")).resolve()
        try:
            self._report_start()
            status = self._phases(root)
        except Exception:
            logger.exception("build %s", self._build_arn)
        finally:
            try:
                self._clean_up(root)
                self._report_end(status)
            finally:
                self._record.complete(status)

    def _report_start(self) -> None:
        """Post a commit status, if the project wants one or a webhook started the build.

        Without access to the repository, or without the commit, there is nothing to post it to.
        """
        source = self._project["source"]
        if source["type"] not in sources.GIT_TYPES or not (source.get("reportBuildStatus") or self._webhook):
            return
        try:
            repository = sources.of_project(source, self._caller())
            commit = sources.version(repository, self._project.get("sourceVersion")).commit
        except (AwsError, sources.SourceError) as error:
            logger.warning("no commit status of build %s: %s", self._build_arn, error)
            return
        self._reported_on = (repository.full_name, commit)
        statuses.post(statuses.started(self._record.snapshot(), *self._reported_on))

    def _report_end(self, status: str) -> None:
        if self._reported_on is not None:
            statuses.post(statuses.ended(self._record.snapshot(), *self._reported_on, status))

    def _caller(self) -> Caller:
        """The service role, as AWS sees it."""
        return identity.caller(self._role.credentials(), self._role.region)

    def _clean_up(self, root: Path) -> None:
        if self._shell is not None:
            self._shell.close()
        if self._endpoint is not None:
            self._endpoint.close()
        self._log.close()
        if self._log.error is not None:
            logger.warning("log of build %s: %s", self._build_arn, self._log.error)
        shutil.rmtree(root, ignore_errors=True)

    # --- phases -------------------------------------------------------------------------------------------------------

    def _phases(self, root: Path) -> str:
        """Run the phases in AWS's order; returns the build's status."""
        status = self._phase("PROVISIONING", self._provision)
        if status == SUCCEEDED:
            status = self._phase("DOWNLOAD_SOURCE", lambda: self._download_source(root))
        if status == SUCCEEDED:
            status = self._command_phases()
        # FINALIZING follows every way to end.
        self._record.begin("FINALIZING")
        self._record.finish(SUCCEEDED, "", "")
        return status

    def _command_phases(self) -> str:
        overall = SUCCEEDED
        for name in buildspec.PHASES:
            self._log.container(f"Entering phase {name}")
            phase = self._spec.phases.get(name, buildspec.Phase())
            status = self._phase(name, functools.partial(self._run_commands, phase), phase.on_failure)
            if status in (STOPPED, TIMED_OUT) or self._dead.is_set():
                return status
            if status == FAILED:
                overall = FAILED
                self._tell_shell_about_failure()
                # A failed build phase is followed by post_build; a failed install or pre_build by nothing.
                if phase.on_failure == "ABORT" or (phase.on_failure is None and name in ("INSTALL", "PRE_BUILD")):
                    return FAILED
        status = self._phase("UPLOAD_ARTIFACTS", self._upload_artifacts)
        return status if overall == SUCCEEDED else overall

    def _phase(self, name: str, action: Callable[[], None], on_failure: str | None = None) -> str:
        """Run one phase and record how it ended."""
        self._record.begin(name)
        status, code, message = SUCCEEDED, "", ""
        try:
            self._check_interrupted()
            action()
            self._check_interrupted()
        except PhaseFailure as failure:
            status, code, message = FAILED, failure.code, failure.message
        except Interrupted as interrupted:
            if interrupted.reason == "timeout":
                status, code, message = TIMED_OUT, "BUILD_TIMED_OUT", "Build has timed out. "
            elif self._dead.is_set():
                status, code, message = FAILED, "CLIENT_ERROR", _DEAD
            else:
                status = STOPPED
        shown = "FAILED_WITH_ABORT" if status == FAILED and on_failure == "ABORT" else status
        self._log.end_of_output()
        if name != "PROVISIONING":  # the agent that writes these lines does not run yet
            self._log.container(f"Phase complete: {name} State: {shown}")
            self._log.container(f"Phase context status code: {code} Message: {message}")
        self._record.finish(status, code, self._log.masked(message))
        return status

    def _check_interrupted(self) -> None:
        if self._stopped.is_set():
            raise Interrupted("stopped")
        if time.monotonic() >= self._deadline:
            raise Interrupted("timeout")

    # --- PROVISIONING -------------------------------------------------------------------------------------------------

    def _provision(self) -> None:
        try:
            self._role.credentials()
        except AwsError as error:
            raise PhaseFailure(
                "CLIENT_ERROR", f"CodeBuild is not authorized to perform: sts:AssumeRole on {self._role.role_arn}"
            ) from error
        self._open_log()
        try:
            self._image = image.resolve(self._project["environment"]["image"])
        except image.ImageError as error:
            raise PhaseFailure("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", str(error)) from error
        self._endpoint = CredentialsEndpoint(self._role)
        self._log.container("Running on CodeBuild On-demand")
        for note in self._image.notes:
            self._log.container(note)

    def _open_log(self) -> None:
        location = self._record.snapshot()["logs"]
        if "groupName" not in location:
            return
        try:
            self._log.attach(cloudwatch_sink(self._role.client, location["groupName"], location["streamName"]))
        except ClientError as error:
            raise PhaseFailure(
                "ACCESS_DENIED",
                f"Service role {self._role.role_arn} does not allow AWS CodeBuild to create Amazon CloudWatch Logs log "
                f"streams for build {self._build_arn}. Error message: {error.response['Error'].get('Message')}",
            ) from error

    # --- DOWNLOAD_SOURCE ----------------------------------------------------------------------------------------------

    def _download_source(self, root: Path) -> None:
        self._log.container("Waiting for DOWNLOAD_SOURCE")
        output = root / "codebuild" / "output"
        source = self._source_directory(output)
        secondary: dict[str, Path] = {}
        if self._pipeline is not None:
            secondary = self._download_pipeline_sources(self._pipeline, source, output)
        else:
            version = self._project.get("sourceVersion")
            commit = self._download_project_source(self._project["source"], source, version, "primary source")
            if commit:
                self._record.set(resolvedSourceVersion=commit)
            for item in self._project["secondarySources"]:
                secondary[item["sourceIdentifier"]] = self._download_secondary(item, output)
        self._log.container("Phase is DOWNLOAD_SOURCE")
        self._log.container(f"CODEBUILD_SRC_DIR={source}")
        self._spec = self._read_buildspec(source)
        self._log.container("Processing environment variables")
        self._open_shell(root, source, secondary)
        for ignored in self._spec.ignored:
            self._log.container(f"The buildspec's {ignored} has no effect in local AWS")
        self._log.container(f"Moving to directory {source}")
        self._log.container(f"Phases found in YAML: {len(self._spec.phases)}")
        for name, phase in self._spec.phases.items():
            self._log.container(f" {name}: {len(phase.commands)} commands")

    def _download_pipeline_sources(self, pipeline: PipelineContext, source: Path, output: Path) -> dict[str, Path]:
        secondary: dict[str, Path] = {}
        primary = pipeline.primary_source or (pipeline.input_artifacts[0].name if pipeline.input_artifacts else "")
        for artifact in pipeline.input_artifacts:
            if artifact.name == primary:
                commit = self._download(artifact.bucket, artifact.key, None, source, "primary source")
                self._record.set(
                    sourceVersion=f"arn:aws:s3:::{artifact.bucket}/{artifact.key}",
                    resolvedSourceVersion=commit or artifact.revision or artifact.version,
                )
            else:
                secondary[artifact.name] = self._source_directory(output)
                self._download(
                    artifact.bucket, artifact.key, None, secondary[artifact.name], f"secondary source {artifact.name}"
                )
        return secondary

    @staticmethod
    def _source_directory(output: Path) -> Path:
        directory = output / f"src{secrets.randbelow(9 * 10**8) + 10**8}" / "src"
        directory.mkdir(parents=True)
        return directory

    def _download_secondary(self, item: dict[str, Any], output: Path) -> Path:
        directory = self._source_directory(output)
        versions = {v["sourceIdentifier"]: v["sourceVersion"] for v in self._project["secondarySourceVersions"]}
        identifier = item["sourceIdentifier"]
        self._download_project_source(item, directory, versions.get(identifier), f"secondary source {identifier}")
        return directory

    def _download_project_source(
        self, source: dict[str, Any], directory: Path, version: str | None, what: str
    ) -> str | None:
        """Fetch a source of the project; the commit, if it comes from a repository."""
        if source["type"] in sources.GIT_TYPES:
            return self._clone_project_source(source, directory, version, what)
        if source["type"] == "NO_SOURCE":
            return None
        if source["type"] != "S3":
            raise PhaseFailure("CLIENT_ERROR", f"source type {source['type']} is not part of local AWS for {what}")
        bucket, _, key = source["location"].removeprefix("arn:aws:s3:::").partition("/")
        if key.endswith("/") or not key:
            self._download_prefix(bucket, key, directory, what)
        else:
            self._download(bucket, key, version, directory, what)
        return None

    def _clone_project_source(self, source: dict[str, Any], directory: Path, version: str | None, what: str) -> str:
        try:
            repository = sources.of_project(source, self._caller())
            found = sources.version(repository, version)
            sources.clone(repository, found, directory, source.get("gitCloneDepth", 0))
        except sources.SourceError as error:
            raise _clone_failure(error, what, version or "") from error
        if source.get("gitSubmodulesConfig", {}).get("fetchSubmodules") and (directory / ".gitmodules").exists():
            raise PhaseFailure("CLIENT_ERROR", f"Git submodules are not part of local AWS for {what}")
        return found.commit

    def _clone_reference(self, reference: sources.Reference, directory: Path, what: str) -> str:
        try:
            repository = sources.of_reference(reference, self._caller())
            found = sources.commit(repository, reference.commit)
            sources.clone(repository, found, directory)
        except sources.SourceError as error:
            raise _clone_failure(error, what, reference.commit) from error
        return found.commit

    def _download(self, bucket: str, key: str, version: str | None, directory: Path, what: str) -> str | None:
        """Fetch one artifact with the service role's permissions: unpack a zip, clone what a reference names.

        The commit of a clone is returned.
        """
        arguments = {"VersionId": version} if version else {}
        try:
            with tempfile.TemporaryFile(dir=directory.parent) as file:
                body = self._role.client("s3").get_object(Bucket=bucket, Key=key, **arguments)["Body"]
                shutil.copyfileobj(body, file)
                file.seek(0)
                reference = sources.Reference.read(file)
                if reference is not None:
                    return self._clone_reference(reference, directory, what)
                artifacts.unpack(file, directory)
        except ClientError as error:
            raise self._source_failure(environment.client_error_text(error), bucket, key, what) from error
        except (artifacts.ArtifactError, BotoCoreError) as error:
            raise self._source_failure(str(error), bucket, key, what) from error
        return None

    def _download_prefix(self, bucket: str, prefix: str, directory: Path, what: str) -> None:
        try:
            client = self._role.client("s3")
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    name = item["Key"][len(prefix) :]
                    if not name or name.endswith("/"):
                        continue
                    target = artifacts.inside(directory, name)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("wb") as file:
                        shutil.copyfileobj(client.get_object(Bucket=bucket, Key=item["Key"])["Body"], file)
        except ClientError as error:
            raise self._source_failure(environment.client_error_text(error), bucket, prefix, what) from error
        except (artifacts.ArtifactError, BotoCoreError) as error:
            raise self._source_failure(str(error), bucket, prefix, what) from error

    @staticmethod
    def _source_failure(reason: str, bucket: str, key: str, what: str) -> PhaseFailure:
        return PhaseFailure("CLIENT_ERROR", f"{reason} for {what} and source version arn:aws:s3:::{bucket}/{key}")

    def _read_buildspec(self, source: Path) -> buildspec.Buildspec:
        given = self._project["source"].get("buildspec", "")
        try:
            if buildspec.is_inline(given):
                self._log.container("YAML location is the project's inline buildspec")
                return buildspec.parse(given)
            path = (source / (given or "buildspec.yml")).resolve()
            self._log.container(f"YAML location is {path}")
            if not path.is_relative_to(source) or not path.is_file():
                raise buildspec.BuildspecError(f"stat {path}: no such file or directory")
            return buildspec.parse(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise PhaseFailure("YAML_FILE_ERROR", f"the buildspec is not UTF-8 text: {error}") from error
        except buildspec.BuildspecError as error:
            raise PhaseFailure(error.code, error.message) from error

    def _open_shell(self, root: Path, source: Path, secondary: dict[str, Path]) -> None:
        assert self._image is not None
        assert self._endpoint is not None
        directories = {name: root / name for name in ("bin", "home", "tmp", "session")}
        for directory in directories.values():
            directory.mkdir()
        image.make_bin_directory(self._image, directories["bin"])
        build = self._record.snapshot()
        try:
            user, secret_values = environment.user_variables(
                self._spec, build["environment"], self._role.client, self._log.container
            )
        except environment.VariableError as error:
            raise PhaseFailure(error.code, error.message) from error
        self._log.mask(secret_values)
        variables = environment.process_environment(
            user,
            environment.codebuild_variables(build, self._role.region, source, secondary) | self._webhook,
            region=self._role.region,
            home=directories["home"],
            temporary=directories["tmp"],
            path=directories["bin"],
            endpoint_url=identity.endpoint_url(),
            credentials_url=self._endpoint.url,
        )
        name = Path(self._spec.shell).name if self._spec.shell else "sh"
        with self._shell_lock:
            self._shell = Shell(
                [str(directories["bin"] / name)], variables, source, directories["session"], self._log.output
            )

    # --- INSTALL to POST_BUILD ----------------------------------------------------------------------------------------

    def _run_commands(self, phase: buildspec.Phase) -> None:
        assert self._shell is not None
        failure: PhaseFailure | None = None
        # `finally` runs after the commands, also after one that failed.
        for commands in (phase.commands, phase.finally_commands):
            try:
                for command in commands:
                    self._run_command(command)
            except PhaseFailure as error:
                failure = failure or error
        self._read_exported_variables()
        if failure is not None:
            raise failure

    def _run_command(self, command: str) -> None:
        assert self._shell is not None
        self._log.end_of_output()
        self._log.container(f"Running command {command}")
        try:
            status = self._shell.run(command, self._deadline)
            reason = f"exit status {status}"
        except ShellError as error:
            status, reason = 1, str(error)
        if status:
            self._log.end_of_output()
            self._log.container(f"Command did not exit successfully {command} {reason}")
            raise PhaseFailure("COMMAND_EXECUTION_ERROR", f"Error while executing command: {command}. Reason: {reason}")

    def _read_exported_variables(self) -> None:
        assert self._shell is not None
        exported = []
        for name in self._spec.exported_variables:
            try:
                value = self._shell.variable(name, self._deadline)
            except ShellError:
                return
            if value is not None:
                exported.append({"name": name, "value": self._log.masked(value)})
        self._record.set(exportedEnvironmentVariables=exported)

    def _tell_shell_about_failure(self) -> None:
        assert self._shell is not None
        try:
            self._shell.set_variable("CODEBUILD_BUILD_SUCCEEDING", "0", self._deadline)
        except (ShellError, Interrupted):
            logger.debug("build %s: the shell is gone", self._build_arn)

    # --- UPLOAD_ARTIFACTS ---------------------------------------------------------------------------------------------

    def _upload_artifacts(self) -> None:
        if self._pipeline is not None:
            self._upload_to_pipeline(self._pipeline.output_artifacts)
            return
        if self._project["artifacts"]["type"] == "S3":
            self._record.set(artifacts=self._upload_to_s3(self._project["artifacts"], self._spec.artifacts, None))
        uploaded = []
        for item in self._project["secondaryArtifacts"]:
            if item["type"] == "S3":
                identifier = item["artifactIdentifier"]
                uploaded.append(self._upload_to_s3(item, self._spec.secondary_artifacts.get(identifier), identifier))
        if uploaded:
            self._record.set(secondaryArtifacts=uploaded)

    def _upload_to_pipeline(self, outputs: list[Artifact]) -> None:
        for output in outputs:
            spec = self._spec.secondary_artifacts.get(output.name)
            secondary = output.name if spec is not None else None
            # A single output artifact may have any name; several are told apart by theirs.
            if spec is None and len(outputs) == 1:
                spec = self._spec.artifacts
            files = self._collect(spec, secondary)
            with tempfile.TemporaryDirectory(prefix="codebuild-") as directory:
                archive = Path(directory, "artifact.zip")
                digest = artifacts.pack(files, archive)
                self._put(archive, output.bucket, output.key, secondary, encrypted=True)
            if secondary is None:
                self._record.set(
                    artifacts={
                        "location": f"arn:aws:s3:::{output.bucket}/{output.key}",
                        "md5sum": digest.md5,
                        "sha256sum": digest.sha256,
                        "encryptionDisabled": False,
                    }
                )

    def _upload_to_s3(
        self, target: dict[str, Any], spec: buildspec.ArtifactSpec | None, secondary: str | None
    ) -> dict[str, Any]:
        files = self._collect(spec, secondary)
        assert spec is not None  # _collect has refused None
        assert self._shell is not None
        name = target.get("name", "")
        if target.get("overrideArtifactName") and spec.name:
            name = self._shell.evaluate(spec.name, time.monotonic() + _LAST_COMMAND_SECONDS) or name
        bucket, key = bucket_name(target["location"]), s3_key(target, self._uuid, name)
        encrypted = not target.get("encryptionDisabled")
        result: dict[str, Any] = {**build_artifacts(target, self._uuid), "location": f"arn:aws:s3:::{bucket}/{key}"}
        if target["packaging"] == "ZIP":
            with tempfile.TemporaryDirectory(prefix="codebuild-") as directory:
                archive = Path(directory, "artifact.zip")
                digest = artifacts.pack(files, archive)
                self._put(archive, bucket, key, secondary, encrypted=encrypted)
            return {**result, "md5sum": digest.md5, "sha256sum": digest.sha256}
        for file_name, path in files.items():
            self._put(path, bucket, f"{key}/{file_name}".lstrip("/"), secondary, encrypted=encrypted)
        return result

    def _collect(self, spec: buildspec.ArtifactSpec | None, secondary: str | None) -> dict[str, Path]:
        if spec is None:
            raise self._upload_failure("no artifact files are named in the buildspec", secondary)
        base = spec.base_directory or "."
        self._log.container(f"Expanding base directory path: {base}")
        self._log.container("Assembling file list")
        self._log.container(f"Expanding file paths for base directory {base}")
        for glob in spec.files:
            self._log.container(f"Expanding {glob}")
        assert self._shell is not None
        source = Path(self._shell.environment["CODEBUILD_SRC_DIR"])
        try:
            files = artifacts.collect(spec, source)
        except artifacts.ArtifactError as error:
            raise self._upload_failure(str(error), secondary) from error
        self._log.container(f"Found {len(files)} file(s)")
        return files

    def _put(self, path: Path, bucket: str, key: str, secondary: str | None, *, encrypted: bool) -> None:
        arguments: dict[str, str] = {}
        if encrypted:
            arguments["ServerSideEncryption"] = "aws:kms"
            # Without a key id S3 takes its own key, which is what this alias stands for.
            if not self._project["encryptionKey"].endswith(":alias/aws/s3"):
                arguments["SSEKMSKeyId"] = self._project["encryptionKey"]
        try:
            with path.open("rb") as body:
                self._role.client("s3").put_object(Bucket=bucket, Key=key, Body=body, **arguments)
        except ClientError as error:
            raise self._upload_failure(environment.client_error_text(error), secondary) from error
        except BotoCoreError as error:
            raise self._upload_failure(str(error), secondary) from error

    @staticmethod
    def _upload_failure(reason: str, secondary: str | None) -> PhaseFailure:
        if secondary is not None:
            reason = f"Error in UPLOAD_ARTIFACTS phase: [{secondary}: [{reason}]]"
        return PhaseFailure("CLIENT_ERROR", reason)
