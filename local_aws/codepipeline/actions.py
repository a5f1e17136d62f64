# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions of a pipeline do. Each runs in its own thread, as the pipeline's (or its own) role."""

from __future__ import annotations

import json
import logging
import tempfile
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from local_aws import codecommit, codeconnections, git, process
from local_aws.aws_json import AwsError, authorize
from local_aws.codebuild.sources import Reference
from local_aws.codepipeline import artifacts, definition, variables
from local_aws.codepipeline.model import ActionRun, Execution, Pipeline, Revision, StoredArtifact, now
from local_aws.codepipeline.roles import RoleSession

logger = logging.getLogger("local_aws")

APPROVAL_TIMEOUT_MINUTES = 7 * 24 * 60
BUILD_TIMEOUT_MINUTES = 8 * 60
_POLL_SECONDS = 0.5


class ActionFailedError(Exception):
    """An action failed: AWS's error code and the message for the person who looks."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Job:
    """One action execution: where it belongs, its configuration with variables resolved, and the role it acts as."""

    pipeline: Pipeline
    execution: Execution
    run: ActionRun
    role: RoleSession
    changed: Callable[[], None]

    @property
    def configuration(self) -> dict[str, str]:
        return self.run.configuration

    @property
    def store(self) -> dict[str, Any]:
        return artifacts.store_of(self.pipeline, self.execution.declaration)

    @property
    def abandoned(self) -> bool:
        return self.run.status != "InProgress"

    def new_outputs(self) -> list[StoredArtifact]:
        """A place in the artifact bucket for each output artifact."""
        return [
            artifacts.new_location(self.pipeline, self.execution, item["name"])
            for item in self.run.action["outputArtifacts"]
        ]

    def upload(self, content: Path, revision: str, acl: str | None = None) -> None:
        """Store a file as the action's one output artifact."""
        (where,) = self.new_outputs()
        try:
            if acl:  # MiniStack does not ask for the right to set one
                authorize(self.role.caller(), "s3:PutObjectAcl", f"arn:aws:s3:::{where.bucket}/{where.key}")
            version = artifacts.upload(self.role.client("s3"), self.store, where, content, acl)
        except AwsError as error:
            raise ActionFailedError(
                "PermissionError", f"[{self.run.action['name']}] Upload to S3 failed with the following error: {error}"
            ) from error
        except ClientError as error:
            raise bucket_failure(where.bucket, error) from error
        self.run.outputs = [replace(where, version=version, revision=revision)]

    def deadline(self, default_minutes: int) -> float:
        """The monotonic time at which the action times out."""
        return time.monotonic() + process.minute_seconds() * int(
            self.run.action.get("timeoutInMinutes", default_minutes)
        )


class Action(ABC):
    """One action type. run() returns when the action succeeded, or was abandoned; it records results in job.run."""

    @abstractmethod
    def run(self, job: Job) -> None:
        """Do the action. Raises ActionFailedError (or AwsError, ClientError, which the engine words)."""


def worded(error: Exception) -> ActionFailedError:
    """What stopped an action or a rule, in CodePipeline's words. Called where the error is handled."""
    if isinstance(error, ActionFailedError):
        return error
    if isinstance(error, variables.UnresolvedError):
        return ActionFailedError(
            "InvalidVariableReference",
            "The action failed because either the variable reference is not valid or the "
            f"referenced variable has not yet been resolved. VariableReferenceText=[{error}]",
        )
    if isinstance(error, AwsError):
        return ActionFailedError(
            "PermissionError" if error.code.startswith(("Access", "InvalidStructure")) else error.code, error.message
        )
    if isinstance(error, ClientError):
        answer = error.response["Error"]
        return ActionFailedError(
            "PermissionError" if answer["Code"].startswith("Access") else answer["Code"],
            answer.get("Message", str(error)),
        )
    logger.error("an action or a rule failed", exc_info=error)
    return ActionFailedError("InternalError", "An internal error occurred in local AWS; see its log.")


def prepared(execution: Execution, declared: dict[str, Any]) -> tuple[list[StoredArtifact], dict[str, str]]:
    """The input artifacts of an action or a rule, and its configuration with variables resolved."""
    try:
        inputs = [execution.artifacts[item["name"]] for item in declared.get("inputArtifacts", [])]
    except KeyError as missing:
        raise ActionFailedError("ConfigurationError", f"The input artifact {missing} was not produced") from missing
    configuration = {
        key: variables.resolve(text, execution.namespaces) for key, text in declared.get("configuration", {}).items()
    }
    return inputs, configuration


def role_of(pipeline: Pipeline, execution: Execution, declared: dict[str, Any]) -> RoleSession:
    """The role an action or a rule acts as."""
    if declared.get("region", pipeline.region) != pipeline.region:
        raise ActionFailedError("ConfigurationError", "Actions and rules in another region are not part of local AWS")
    return RoleSession(
        execution.declaration["roleArn"],
        pipeline.arn,
        pipeline.account_id,
        pipeline.region,
        execution.id,
        declared.get("roleArn"),
    )


def bucket_failure(bucket: str, error: ClientError) -> ActionFailedError:
    """An S3 error of the artifact or source bucket, in CodePipeline's words."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in ("AccessDenied", "403"):
        return ActionFailedError(
            "PermissionError",
            "The service role or action role doesn't have the permissions required to access the Amazon S3 bucket "
            f"named {bucket}. Update the IAM role permissions, and then try again. Error: Amazon S3:{code}:{message}",
        )
    return ActionFailedError("ConfigurationError", f"Amazon S3 bucket {bucket}: {code}: {message}")


class ConnectionSource(Action):
    """CodeStarSourceConnection: a commit of a repository behind a connection.

    It is stored as a zip without history, or (CODEBUILD_CLONE_REF) as a reference with which a build clones it.
    """

    def run(self, job: Job) -> None:
        configuration, action = job.configuration, job.run.action
        arn, full_name = configuration["ConnectionArn"], configuration["FullRepositoryId"]
        connection = self._usable(job, arn, full_name)
        repository = codeconnections.repositories().get(full_name)
        if repository is None:
            raise ActionFailedError(
                "ConfigurationError",
                f"Unable to find the repository {full_name} through the "
                f"connection {arn} (local AWS knows the repositories that map-repository named)",
            )
        override = job.execution.overrides.get(action["name"])
        branch = override.branch if override and override.branch else configuration["BranchName"]
        commit = self._commit(repository, full_name, branch, override)
        job.run.revision = {
            "revisionId": commit.id,
            "revisionSummary": json.dumps(
                {"ProviderType": connection.provider_type, "CommitMessage": commit.message[:1500]}
            ),
            "created": now(),
        }
        job.run.external_id = commit.id
        job.run.revision_url = (
            f"https://{job.pipeline.region}.console.aws.amazon.com/codesuite/settings/connections/"
            f"redirect?connectionArn={arn}&referenceType=COMMIT&FullRepositoryId={full_name}"
            f"&Commit={commit.id}"
        )
        with tempfile.TemporaryDirectory(prefix="local-aws-source-") as directory:
            content = Path(directory) / "source"
            if configuration.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF":
                content.write_text(Reference(arn, full_name, commit.id, branch).text(), encoding="utf-8")
            else:
                git.archive(repository, commit.id, content)
            if content.stat().st_size > artifacts.MAX_SOURCE_BYTES:
                raise ActionFailedError("ConfigurationError", "The source artifact is larger than 7 GB")
            job.upload(content, commit.id, acl="bucket-owner-full-control")  # as AWS does for this kind of source
        job.run.variables = {
            "CommitId": commit.id,
            "BranchName": branch,
            "FullRepositoryName": full_name,
            "CommitMessage": commit.message,
            "AuthorDate": commit.date,
            "AuthorId": commit.author,
            "AuthorDisplayName": commit.author,
            "AuthorEmail": commit.email,
            "ProviderType": connection.provider_type,
            "ConnectionArn": arn,
        }

    @staticmethod
    def _usable(job: Job, arn: str, full_name: str) -> codeconnections.Connection:
        """The connection, if the role may use it and its owner completed it."""
        try:
            codeconnections.authorize_connection(
                job.role.caller(), "UseConnection", arn, {"FullRepositoryId": full_name}
            )
        except AwsError as error:
            raise ActionFailedError(
                "PermissionError",
                f"Unable to use Connection: {arn}. The provided role does not have sufficient permissions.",
            ) from error
        connection = codeconnections.SERVICE.find(arn, job.pipeline.account_id, job.pipeline.region)
        if connection is None:
            raise ActionFailedError("ConfigurationError", f"Connection {arn} was not found")
        if connection.status != "AVAILABLE":
            raise ActionFailedError(
                "ConfigurationError",
                f"Connection {arn} is not available: its status is "
                f"{connection.status}. Complete it, and then try again.",
            )
        return connection

    @staticmethod
    def _commit(repository: Path, full_name: str, branch: str, override: Revision | None) -> git.Commit:
        try:
            if override is not None:
                return git.commit(repository, f"{override.value}^{{commit}}")
            return git.commit(repository, f"refs/heads/{branch}")
        except git.GitError as error:
            what = f"No commit [{override.value}]" if override else f"No Branch [{branch}]"
            raise ActionFailedError(
                "ConfigurationError", f"{what} found for FullRepositoryName [{full_name}]"
            ) from error


class CodeCommitSource(Action):
    """CodeCommit: a commit of a repository of this account and region, stored like that of a connection."""

    def run(self, job: Job) -> None:
        name = job.configuration["RepositoryName"]
        override = job.execution.overrides.get(job.run.name)
        branch = job.configuration["BranchName"]
        api = job.role.client("codecommit")
        cloned = job.configuration.get("OutputArtifactFormat") == "CODEBUILD_CLONE_REF"
        arn = codecommit.arn_of(name, job.pipeline.account_id, job.pipeline.region)
        try:
            found = override.value if override else ""
            found = found or api.get_branch(repositoryName=name, branchName=branch)["branch"]["commitId"]
            commit = api.get_commit(repositoryName=name, commitId=found)["commit"]
            if cloned:
                api.get_repository(repositoryName=name)
            else:
                for permission in ("UploadArchive", "GetUploadArchiveStatus"):  # which no client calls
                    authorize(job.role.caller(), f"codecommit:{permission}", arn)
        except (AwsError, ClientError) as error:
            raise _repository_failure(name, error) from error
        job.run.revision = {
            "revisionId": commit["commitId"],
            "revisionSummary": commit["message"][:1500],
            "created": now(),
        }
        job.run.external_id = commit["commitId"]
        job.run.revision_url = (
            f"https://{job.pipeline.region}.console.aws.amazon.com/codesuite/codecommit/repositories/{name}/commit/"
            f"{commit['commitId']}?region={job.pipeline.region}"
        )
        with tempfile.TemporaryDirectory(prefix="local-aws-source-") as directory:
            content = Path(directory) / "source"
            if cloned:
                content.write_text(Reference("", arn, commit["commitId"], branch).text(), encoding="utf-8")
            else:
                git.archive(codecommit.repositories()[arn], commit["commitId"], content)
            job.upload(content, commit["commitId"])
        job.run.variables = {
            "AuthorDate": commit["author"]["date"],
            "BranchName": branch,
            "CommitId": commit["commitId"],
            "CommitMessage": commit["message"],
            "CommitterDate": commit["committer"]["date"],
            "RepositoryName": name,
        }


def _repository_failure(name: str, error: AwsError | ClientError) -> ActionFailedError:
    """An error of CodeCommit, in CodePipeline's words."""
    failed = worded(error)
    if failed.code != "PermissionError":
        return ActionFailedError("ConfigurationError", f"CodeCommit repository {name}: {failed.message}")
    return ActionFailedError(
        "PermissionError",
        "The service role or action role doesn't have the permissions required to access the AWS CodeCommit repository "
        f"named {name}. Update the IAM role permissions, and then try again. Error: {failed.message}",
    )


class S3Source(Action):
    """S3: the newest version of an object, which must be a zip."""

    def run(self, job: Job) -> None:
        bucket, key = job.configuration["S3Bucket"], job.configuration["S3ObjectKey"]
        override, arguments = job.execution.overrides.get(job.run.name), {}
        if override and override.type == "S3_OBJECT_KEY":
            key = override.value
        elif override:
            arguments["VersionId"] = override.value
        s3 = job.role.client("s3")
        try:
            if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
                raise ActionFailedError(
                    "ConfigurationError",
                    f"The Amazon S3 bucket {bucket} has no versioning. Enable versioning on it, and then try again.",
                )
            found = s3.get_object(Bucket=bucket, Key=key, **arguments)
        except ClientError as error:
            raise bucket_failure(bucket, error) from error
        version = str(found.get("VersionId", "null"))
        with tempfile.TemporaryDirectory(prefix="local-aws-source-") as directory:
            content = Path(directory) / "source.zip"
            with content.open("wb") as target:
                for chunk in found["Body"].iter_chunks(1 << 20):
                    target.write(chunk)
            job.upload(content, version)
        job.run.revision = {
            "revisionId": version,
            "created": now(),
            "revisionSummary": f"Amazon S3 version id: {version}",
        }
        job.run.external_id = version
        job.run.variables = {
            "BucketName": bucket,
            "ObjectKey": key,
            "ETag": str(found["ETag"]).strip('"'),
            "VersionId": version,
        }


class Build(Action):
    """CodeBuild: start a build of a project, and wait for its end."""

    def run(self, job: Job) -> None:
        from local_aws.codebuild import pipeline as handover
        from local_aws.codebuild.service import start_for_pipeline

        configuration = job.configuration
        if configuration.get("BatchEnabled", "false") == "true":
            raise ActionFailedError("ConfigurationError", "Batch builds are not part of local AWS")
        request: dict[str, Any] = {"projectName": configuration["ProjectName"]}
        if "EnvironmentVariables" in configuration:
            request["environmentVariablesOverride"] = definition.environment_variables(
                job.run.name, configuration["EnvironmentVariables"]
            )
        outputs = job.new_outputs()
        key = job.store.get("encryptionKey")
        context = handover.PipelineContext(
            pipeline_name=job.pipeline.name,
            execution_id=job.execution.id,
            stage_name=job.run.stage,
            action_name=job.run.name,
            account_id=job.pipeline.account_id,
            region=job.pipeline.region,
            initiator=f"codepipeline/{job.pipeline.name}",
            input_artifacts=[_handed(handover.Artifact, item) for item in job.run.inputs],
            output_artifacts=[_handed(handover.Artifact, item) for item in outputs],
            primary_source=configuration.get("PrimarySource", ""),
            kms_key_arn=key["id"] if key else None,
        )
        try:
            build_id = start_for_pipeline(request, context, job.role.credentials())
        except AwsError as error:
            raise ActionFailedError(
                "JobFailed",
                f"Error calling startBuild: {error.message} (Service: AWSCodeBuild; "
                f"Status Code: {error.status}; Error Code: {error.code})",
            ) from error
        except ClientError as error:
            raise ActionFailedError("JobFailed", f"Error calling startBuild: {error}") from error
        job.run.external_id = build_id
        job.run.external_url = (
            f"https://{job.pipeline.region}.console.aws.amazon.com/codesuite/codebuild/{job.pipeline.account_id}/"
            f"projects/{configuration['ProjectName']}/build/{quote(build_id, safe='')}/?region={job.pipeline.region}"
        )
        job.changed()
        build = self._wait(job, build_id)
        if build is None:
            return
        if build["buildStatus"] != "SUCCEEDED":
            raise ActionFailedError("JobFailed", _build_failure(build))
        job.run.variables = {item["name"]: item["value"] for item in build.get("exportedEnvironmentVariables", [])}
        job.run.outputs = outputs

    @staticmethod
    def _wait(job: Job, build_id: str) -> dict[str, Any] | None:
        """The finished build; None when the action was abandoned meanwhile."""
        deadline = job.deadline(BUILD_TIMEOUT_MINUTES)
        while True:
            job.execution.abandoned.wait(_POLL_SECONDS)
            if job.abandoned:
                return None
            found = job.role.client("codebuild").batch_get_builds(ids=[build_id])["builds"]
            if not found:
                raise ActionFailedError("JobFailed", f"The build {build_id} does not exist any more")
            build: dict[str, Any] = found[0]
            if build["buildStatus"] != "IN_PROGRESS":
                return build
            if time.monotonic() > deadline:
                raise ActionFailedError("JobTimedOut", f"The build {build_id} did not end in time")


def _handed(artifact: Callable[..., Any], item: StoredArtifact) -> Any:
    return artifact(name=item.name, bucket=item.bucket, key=item.key, version=item.version, revision=item.revision)


def _build_failure(build: dict[str, Any]) -> str:
    """Why a build ended, as CodePipeline tells it."""
    text = f"Build terminated with state: {build['buildStatus']}"
    for phase in build.get("phases", []):
        for context in phase.get("contexts", []):
            if phase.get("phaseStatus") not in (None, "SUCCEEDED") and context.get("message"):
                return (
                    f"{text}. Phase: {phase['phaseType']}, Code: {context.get('statusCode', '')}, "
                    f"Message: {context['message']}"
                )
    return text


class ManualApproval(Action):
    """Manual: wait until somebody approves or rejects."""

    def run(self, job: Job) -> None:
        minutes = int(job.run.action.get("timeoutInMinutes", APPROVAL_TIMEOUT_MINUTES))
        job.run.token = str(uuid.uuid4())
        if job.execution.mode == "PARALLEL":
            job.run.external_id = job.run.token
        job.run.entity_url = job.configuration.get("ExternalEntityLink")
        if topic := job.configuration.get("NotificationArn"):
            self._notify(job, topic, minutes)
        job.changed()
        deadline = job.deadline(APPROVAL_TIMEOUT_MINUTES)
        condition = job.pipeline.condition
        with condition:
            while job.run.decision is None and not job.abandoned:
                if not condition.wait(timeout=max(0.0, min(deadline - time.monotonic(), 3600))) and (
                    time.monotonic() >= deadline
                ):
                    raise ActionFailedError("ApprovalTimedOut", f"The approval expired after {minutes} minutes")
            decision = job.run.decision
        if decision is None:
            return
        job.run.token = None
        job.run.summary = decision["summary"] or None
        job.run.updated_by = decision["by"]
        if decision["status"] == "Rejected":
            raise ActionFailedError("Rejected", f"Rejected by {decision['by']}: {decision['summary']}")

    @staticmethod
    def _notify(job: Job, topic: str, minutes: int) -> None:
        region, name = job.pipeline.region, job.pipeline.name
        link = f"https://{region}.console.aws.amazon.com/codesuite/codepipeline/pipelines/{name}/view?region={region}"
        expires = now() + timedelta(seconds=minutes * process.minute_seconds())
        approval = {
            "pipelineName": name,
            "stageName": job.run.stage,
            "actionName": job.run.name,
            "token": job.run.token,
            "expires": expires.strftime("%Y-%m-%dT%H:%MZ"),
            "externalEntityLink": job.configuration.get("ExternalEntityLink"),
            "approvalReviewLink": f"{link}#/{job.run.stage}/{job.run.name}/approve/{job.run.token}",
            "customData": job.configuration.get("CustomData"),
        }
        try:
            job.role.client("sns").publish(
                TopicArn=topic,
                Subject=f"APPROVAL NEEDED: AWS CodePipeline {name} for action {job.run.name}"[:100],
                Message=json.dumps({"region": region, "consoleLink": link, "approval": approval}),
            )
        except ClientError as error:
            raise ActionFailedError(
                "PermissionError",
                f"The approval message could not be sent to {topic}: {error.response['Error'].get('Message', error)}",
            ) from error


class Unsupported(Action):
    """An action type that AWS has and local AWS has not: it fails, and says so."""

    def run(self, job: Job) -> None:
        kind = job.run.action["actionTypeId"]
        raise ActionFailedError(
            "ConfigurationError", f"{kind['category']} actions of provider {kind['provider']} are not part of local AWS"
        )


ACTIONS: dict[tuple[str, str], Action] = {
    ("Source", "CodeStarSourceConnection"): ConnectionSource(),
    ("Source", "CodeCommit"): CodeCommitSource(),
    ("Source", "S3"): S3Source(),
    ("Build", "CodeBuild"): Build(),
    ("Test", "CodeBuild"): Build(),
    ("Approval", "Manual"): ManualApproval(),
}


def of(action: dict[str, Any]) -> Action:
    """The implementation of a declared action."""
    kind = action["actionTypeId"]
    return ACTIONS.get((kind["category"], kind["provider"]), Unsupported())
