# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CodeBuild's API operations, and the door through which CodePipeline starts builds."""

from __future__ import annotations

import base64
import copy
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from local_aws import events, identity, process
from local_aws.aws_json import AwsError, Caller, JsonService, authorize, authorize_pass_role, service_model, validate
from local_aws.codebuild import builds, projects, sources, statuses, webhooks
from local_aws.codebuild.credentials import RoleSession
from local_aws.codebuild.pipeline import Artifact, PipelineContext
from local_aws.codebuild.projects import invalid
from local_aws.codebuild.record import BuildRecord
from local_aws.codebuild.runner import Runner

__all__ = ["SERVICE", "Artifact", "CodeBuildService", "PipelineContext", "start_for_pipeline"]

_PRINCIPAL = "codebuild.amazonaws.com"
_PAGE = 100
_TOKEN_SECONDS = 300.0
_STOP_SECONDS = 10.0

Request = dict[str, Any]


@dataclass
class _Build:
    record: BuildRecord
    runner: Runner
    request: Request
    from_pipeline: bool
    webhook: dict[str, str]


class _Store:
    """Projects and builds of one account and region."""

    def __init__(self) -> None:
        self.projects: dict[str, dict[str, Any]] = {}
        self.builds: dict[str, _Build] = {}
        self.policies: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.tokens: dict[str, tuple[float, Request, str]] = {}


class CodeBuildService(JsonService):
    """Build projects and their builds. Stores are keyed by (account, region) and live in memory."""

    service_name: ClassVar[str] = "codebuild"
    validation_error: ClassVar[str] = "InvalidInputException"

    def __init__(self) -> None:
        self._stores: dict[tuple[str, str], _Store] = {}
        self._lock = threading.RLock()

    # --- authorization ------------------------------------------------------------------------------------------------

    def resource_arns(self, operation: str, request: Request, caller: Caller) -> list[str]:
        """The projects an operation is authorized on; builds belong to their project."""

        def arn(name: object) -> str:
            text = str(name)
            return text if text.startswith("arn:") else projects.project_arn(text, caller.account_id, caller.region)

        if operation in ("CreateProject", "UpdateProject", "DeleteProject"):
            named = [request.get("name")]
        elif operation == "BatchGetProjects":
            named = _as_list(request.get("names"))
        elif operation in ("BatchGetBuilds", "BatchDeleteBuilds"):
            named = [_project_of(item) for item in _as_list(request.get("ids"))]
        elif operation in ("StopBuild", "RetryBuild"):
            named = [_project_of(request.get("id"))]
        else:
            named = [request.get("projectName") or request.get("projectArn") or request.get("resourceArn")]
        return sorted({arn(name) for name in named if name}) or ["*"]

    def tagged(self) -> list[tuple[str, str, str, dict[str, str]]]:
        """(account, region, ARN, tags) of each project."""
        with self._lock:
            return [
                (account_id, region, project["arn"], {tag["key"]: tag.get("value", "") for tag in project["tags"]})
                for (account_id, region), store in self._stores.items()
                for project in store.projects.values()
            ]

    # --- projects -----------------------------------------------------------------------------------------------------

    def create_project(self, request: Request, caller: Caller) -> dict[str, Any]:
        """CreateProject."""
        store = self._store(caller)
        authorize_pass_role(caller, request["serviceRole"], _PRINCIPAL)
        project = projects.created(request, caller.account_id, caller.region, time.time())
        self._check_trust(project, caller)
        with self._lock:
            if project["name"] in store.projects:
                raise AwsError("ResourceAlreadyExistsException", f"Project already exists: {project['arn']}")
            store.projects[project["name"]] = project
            return {"project": copy.deepcopy(project)}

    def update_project(self, request: Request, caller: Caller) -> dict[str, Any]:
        """UpdateProject."""
        if "serviceRole" in request:
            authorize_pass_role(caller, request["serviceRole"], _PRINCIPAL)
        with self._lock:
            project = projects.updated(
                self._project(request["name"], caller), request, caller.account_id, caller.region, time.time()
            )
        self._check_trust(project, caller)
        with self._lock:
            self._store(caller).projects[project["name"]] = project
            return {"project": copy.deepcopy(project)}

    def delete_project(self, request: Request, caller: Caller) -> dict[str, Any]:
        """DeleteProject; its builds stay, and deleting what isn't there succeeds."""
        name = projects.name_of(request["name"], caller.account_id, caller.region)
        with self._lock:
            store = self._store(caller)
            store.projects.pop(name, None)
            store.policies.pop(projects.project_arn(name, caller.account_id, caller.region), None)
        return {}

    def batch_get_projects(self, request: Request, caller: Caller) -> dict[str, Any]:
        """BatchGetProjects, by names or ARNs."""
        found, missing = [], []
        with self._lock:
            store = self._store(caller)
            for given in dict.fromkeys(request["names"]):
                project = store.projects.get(projects.name_of(given, caller.account_id, caller.region))
                if project is None:
                    missing.append(given)
                else:
                    found.append(copy.deepcopy(project))
        return {"projects": found, "projectsNotFound": missing}

    def list_projects(self, request: Request, caller: Caller) -> dict[str, Any]:
        """ListProjects, sorted and in pages of 100."""
        members = {"CREATED_TIME": "created", "LAST_MODIFIED_TIME": "lastModified"}
        member = members.get(request.get("sortBy", ""), "name")
        with self._lock:
            found = sorted(self._store(caller).projects.values(), key=lambda project: project[member])
        names = [project["name"] for project in found]
        if request.get("sortOrder") == "DESCENDING":
            names.reverse()
        return _page(names, request.get("nextToken"), "projects")

    def update_project_visibility(self, request: Request, caller: Caller) -> dict[str, Any]:
        """UpdateProjectVisibility."""
        if "resourceAccessRole" in request:
            authorize_pass_role(caller, request["resourceAccessRole"], _PRINCIPAL)
        with self._lock:
            project = self._project(request["projectArn"], caller)
            project["projectVisibility"] = request["projectVisibility"]
            if "resourceAccessRole" in request:
                project["resourceAccessRole"] = request["resourceAccessRole"]
            if request["projectVisibility"] == "PUBLIC_READ":
                project.setdefault("publicProjectAlias", secrets.token_urlsafe(32))
            else:
                project.pop("publicProjectAlias", None)
            project["lastModified"] = time.time()
            return {
                "projectArn": project["arn"],
                "projectVisibility": project["projectVisibility"],
                "publicProjectAlias": project.get("publicProjectAlias"),
            }

    def invalidate_project_cache(self, request: Request, caller: Caller) -> dict[str, Any]:
        """InvalidateProjectCache; builds here keep none."""
        with self._lock:
            self._project(request["projectName"], caller)
        return {}

    # --- webhooks and policies ----------------------------------------------------------------------------------------

    def create_webhook(self, request: Request, caller: Caller) -> dict[str, Any]:
        """CreateWebhook."""
        with self._lock:
            project = self._project(request["projectName"], caller)
            if project["source"]["type"] not in sources.GIT_TYPES:
                raise invalid(f"Webhooks are not supported for source type {project['source']['type']}")
            if "webhook" in project:
                raise AwsError(
                    "ResourceAlreadyExistsException", f"Webhook already exists for project: {project['name']}"
                )
            location = project["source"]["location"].removesuffix(".git").removeprefix("https://")
            host, _, path = location.partition("/")
            webhook = {
                "url": f"https://api.{host}/repos/{path}/hooks/{secrets.randbelow(10**9)}",
                "payloadUrl": f"https://codebuild.{caller.region}.amazonaws.com/webhooks?t={secrets.token_urlsafe(32)}",
                "lastModifiedSecret": time.time(),
                "status": "ACTIVE",
            }
            webhook |= {
                key: copy.deepcopy(request[key])
                for key in (
                    "branchFilter",
                    "filterGroups",
                    "buildType",
                    "manualCreation",
                    "scopeConfiguration",
                    "pullRequestBuildPolicy",
                )
                if key in request
            }
            project["webhook"] = webhook
            # The secret is shown once, to whom creates the webhook by hand.
            secret = {"secret": secrets.token_urlsafe(32)} if request.get("manualCreation") else {}
            return {"webhook": {**copy.deepcopy(webhook), **secret}}

    def update_webhook(self, request: Request, caller: Caller) -> dict[str, Any]:
        """UpdateWebhook."""
        with self._lock:
            webhook = self._webhook(request, caller)
            for key in ("branchFilter", "filterGroups", "buildType", "pullRequestBuildPolicy"):
                if key in request:
                    webhook[key] = copy.deepcopy(request[key])
            # A branch filter and filter groups exclude each other.
            if request.get("filterGroups"):
                webhook.pop("branchFilter", None)
            if request.get("rotateSecret"):
                webhook["lastModifiedSecret"] = time.time()
            return {"webhook": copy.deepcopy(webhook)}

    def delete_webhook(self, request: Request, caller: Caller) -> dict[str, Any]:
        """DeleteWebhook."""
        with self._lock:
            self._webhook(request, caller)
            del self._project(request["projectName"], caller)["webhook"]
        return {}

    def _webhook(self, request: Request, caller: Caller) -> dict[str, Any]:
        webhook: dict[str, Any] | None = self._project(request["projectName"], caller).get("webhook")
        if webhook is None:
            raise AwsError("ResourceNotFoundException", f"Webhook not found for project: {request['projectName']}")
        return webhook

    def put_resource_policy(self, request: Request, caller: Caller) -> dict[str, Any]:
        """PutResourcePolicy: stored, not evaluated (sharing with other accounts)."""
        with self._lock:
            self._project(request["resourceArn"], caller)
            self._store(caller).policies[request["resourceArn"]] = request["policy"]
        return {"resourceArn": request["resourceArn"]}

    def get_resource_policy(self, request: Request, caller: Caller) -> dict[str, Any]:
        """GetResourcePolicy."""
        policy = self._store(caller).policies.get(request["resourceArn"])
        if policy is None:
            raise AwsError("ResourceNotFoundException", f"Resource policy not found for: {request['resourceArn']}")
        return {"policy": policy}

    def delete_resource_policy(self, request: Request, caller: Caller) -> dict[str, Any]:
        """DeleteResourcePolicy."""
        self._store(caller).policies.pop(request["resourceArn"], None)
        return {}

    # --- builds -------------------------------------------------------------------------------------------------------

    def start_build(self, request: Request, caller: Caller) -> dict[str, Any]:
        """StartBuild."""
        if "serviceRoleOverride" in request:
            authorize_pass_role(caller, request["serviceRoleOverride"], _PRINCIPAL)
        with self._lock:
            store = self._store(caller)
            token = request.get("idempotencyToken")
            if token and (known := store.tokens.get(token)) and time.time() - known[0] < _TOKEN_SECONDS:
                if known[1] != request:
                    raise invalid("The idempotency token was used with different parameters")
                return {"build": store.builds[known[2]].record.snapshot()}
            build = self._start(request, caller, _initiator(caller), None)
            if token:
                store.tokens[token] = (time.time(), request, build["id"])
            return {"build": build}

    def retry_build(self, request: Request, caller: Caller) -> dict[str, Any]:
        """RetryBuild: a new build of the same request."""
        if not request.get("id"):
            raise invalid("Build ID must be specified")
        with self._lock:
            known = self._build(request["id"], caller)
            if known.from_pipeline:
                raise invalid("Builds that were started by CodePipeline can't be retried; retry the pipeline's stage")
            return {"build": self._start(known.request, caller, _initiator(caller), None, known.webhook)}

    def stop_build(self, request: Request, caller: Caller) -> dict[str, Any]:
        """StopBuild: answers when the build has ended, or after some seconds."""
        with self._lock:
            known = self._build(request["id"], caller)
        if not known.record.completed.is_set():
            known.runner.stop()
            known.record.completed.wait(_STOP_SECONDS)
        return {"build": known.record.snapshot()}

    def kill(self, build_id: str) -> None:
        """Let the container of a running build die; no operation of AWS's. Raises AwsError."""
        with self._lock:
            found = [store.builds[build_id] for store in self._stores.values() if build_id in store.builds]
        if not found or found[0].record.completed.is_set():
            raise AwsError("BadRequest", f"no build {build_id} runs")
        found[0].runner.kill()

    def batch_get_builds(self, request: Request, caller: Caller) -> dict[str, Any]:
        """BatchGetBuilds, by ids or ARNs."""
        found, missing = [], []
        with self._lock:
            store = self._store(caller)
            for given in dict.fromkeys(request["ids"]):
                build = store.builds.get(_build_id(given))
                if build is None:
                    missing.append(given)
                else:
                    found.append(build.record.snapshot())
        return {"builds": found, "buildsNotFound": missing}

    def list_builds(self, request: Request, caller: Caller) -> dict[str, Any]:
        """ListBuilds, the newest first unless sorted otherwise."""
        return self._list_builds(request, caller, None)

    def list_builds_for_project(self, request: Request, caller: Caller) -> dict[str, Any]:
        """ListBuildsForProject."""
        with self._lock:
            project = self._project(request["projectName"], caller)
        return self._list_builds(request, caller, project["name"])

    def _list_builds(self, request: Request, caller: Caller, project_name: str | None) -> dict[str, Any]:
        with self._lock:
            # Insertion order is the order of their start.
            ids = [
                build_id
                for build_id in self._store(caller).builds
                if project_name is None or build_id.rpartition(":")[0] == project_name
            ]
        if request.get("sortOrder", "DESCENDING") == "DESCENDING":
            ids.reverse()
        return _page(ids, request.get("nextToken"), "ids")

    def batch_delete_builds(self, request: Request, caller: Caller) -> dict[str, Any]:
        """BatchDeleteBuilds; a build that runs is not deleted."""
        deleted, kept = [], []
        with self._lock:
            store = self._store(caller)
            for given in request["ids"]:
                build = store.builds.get(_build_id(given))
                if build is None:
                    kept.append({"id": given, "statusCode": "BUILD_NOT_FOUND"})
                elif not build.record.completed.is_set():
                    kept.append({"id": given, "statusCode": "BUILD_IN_PROGRESS"})
                else:
                    del store.builds[_build_id(given)]
                    deleted.append(build.record.snapshot()["arn"])
        return {"buildsDeleted": deleted, "buildsNotDeleted": kept}

    def start_for_pipeline(self, request: Request, pipeline: PipelineContext, credentials: identity.Credentials) -> str:
        """See the module's function of the same name."""
        caller = identity.caller(credentials, pipeline.region)
        request = validate(service_model("codebuild").operation_model("StartBuild"), request, self.validation_error)
        authorize(
            caller,
            "codebuild:StartBuild",
            projects.project_arn(request["projectName"], pipeline.account_id, pipeline.region),
        )
        initiator = pipeline.initiator or f"codepipeline/{pipeline.pipeline_name}"
        with self._lock:
            build: str = self._start(request, caller, initiator, pipeline)["id"]
            return build

    def deliver(self, event: webhooks.Event) -> list[dict[str, str]]:
        """Start a build of each project whose webhook wants an event of its repository.

        Returns {project, build_id} of every build that was started, and {project, reason} where one was not.
        """
        with self._lock:
            found = [
                (account_id, region, project)
                for (account_id, region), store in self._stores.items()
                for project in store.projects.values()
                if "webhook" in project
                and sources.full_name(project["source"]) == event.full_name
                and sources.connection_of(project["source"], account_id)
                and webhooks.wanted(project["webhook"], event)
            ]
            return [
                {"project": project["name"], **self._delivered(event, project, Caller(account_id, region, "", ""))}
                for account_id, region, project in found
            ]

    def _delivered(self, event: webhooks.Event, project: dict[str, Any], owner: Caller) -> dict[str, str]:
        webhook, source = project["webhook"], project["source"]
        if webhook.get("buildType", "BUILD") != "BUILD":
            return {"reason": f"builds of type {webhook['buildType']} are not part of local AWS"}
        if webhooks.needs_approval(webhook, event, source["type"]):
            statuses.post(statuses.not_approved(project, event.full_name, event.commit))
            return {"reason": statuses.NOT_APPROVED}
        request = {"projectName": project["name"], "sourceVersion": event.source_version}
        try:
            build = self._start(request, owner, webhooks.initiator(source["type"]), None, event.variables())
        except AwsError as error:
            return {"reason": error.message}
        return {"build_id": build["id"]}

    def shutdown(self) -> None:
        """Stop every build that runs; called when the server stops."""
        with self._lock:
            running = [
                build
                for store in self._stores.values()
                for build in store.builds.values()
                if not build.record.completed.is_set()
            ]
        for build in running:
            build.runner.stop()
        for build in running:
            build.record.completed.wait(5)

    def _start(
        self,
        request: Request,
        caller: Caller,
        initiator: str,
        pipeline: PipelineContext | None,
        webhook: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Start a build with the lock held; returns its record. webhook is for one that an event starts."""
        store = self._store(caller)
        project = self._project(request["projectName"], caller)
        effective = builds.effective_project(project, request)
        if pipeline is None and effective["source"]["type"] == "CODEPIPELINE":
            raise invalid(
                "Invalid project source: a project with source type CODEPIPELINE is started by CodePipeline; "
                "to start it by hand, override the source and artifact types"
            )
        self._check_limits(store, project)
        number = store.numbers[project["name"]] = store.numbers.get(project["name"], 0) + 1
        build_uuid = str(uuid.uuid4())
        data = builds.new_build(effective, build_uuid, number, initiator, caller.account_id, caller.region, time.time())
        record = BuildRecord(data, _publisher(caller.account_id, caller.region))
        role = RoleSession(
            effective["serviceRole"],
            f"AWSCodeBuild-{build_uuid}",
            project_arn=project["arn"],
            account_id=caller.account_id,
            region=caller.region,
        )
        runner = Runner(record, effective, role, pipeline, webhook)
        store.builds[data["id"]] = _Build(record, runner, request, pipeline is not None, webhook or {})
        record.submit()
        snapshot = record.snapshot()
        runner.start()
        return snapshot

    def _check_limits(self, store: _Store, project: dict[str, Any]) -> None:
        running = [
            _project_of(build_id) for build_id, build in store.builds.items() if not build.record.completed.is_set()
        ]
        limit = project.get("concurrentBuildLimit")
        if limit is not None and running.count(project["name"]) >= limit:
            raise AwsError(
                "AccountLimitExceededException",
                f"Cannot have more than {limit} builds in queue for the project {project['name']}",
            )
        if len(running) >= projects.ACCOUNT_BUILD_LIMIT:
            raise AwsError(
                "AccountLimitExceededException",
                f"Cannot have more than {projects.ACCOUNT_BUILD_LIMIT} builds in queue for the account",
            )

    # --- stores -------------------------------------------------------------------------------------------------------

    def _store(self, caller: Caller) -> _Store:
        with self._lock:
            return self._stores.setdefault((caller.account_id, caller.region), _Store())

    def _project(self, name_or_arn: str, caller: Caller) -> dict[str, Any]:
        name = projects.name_of(name_or_arn, caller.account_id, caller.region)
        project = self._store(caller).projects.get(name)
        if project is None:
            arn = projects.project_arn(name, caller.account_id, caller.region)
            raise AwsError("ResourceNotFoundException", f"Project cannot be found: {arn}")
        return project

    def _build(self, id_or_arn: str, caller: Caller) -> _Build:
        build = self._store(caller).builds.get(_build_id(id_or_arn))
        if build is None:
            raise AwsError("ResourceNotFoundException", f"Build not found: {id_or_arn}")
        return build

    def _check_trust(self, project: dict[str, Any], caller: Caller) -> None:
        """AWS assumes the role when a project is created or changed, and refuses it when it can't."""
        try:
            identity.assume_service_role(
                project["serviceRole"],
                _PRINCIPAL,
                "AWSCodeBuild",
                source_arn=project["arn"],
                source_account=caller.account_id,
            )
        except AwsError as error:
            raise invalid(
                "CodeBuild is not authorized to perform: sts:AssumeRole on service role. Please verify that: 1) The "
                "provided service role exists, 2) The role name is case-sensitive and matches exactly, and 3) The "
                "role has the necessary trust policy configured to allow CodeBuild to assume it. "
                f"Service role: {project['serviceRole']}"
            ) from error


def _publisher(account_id: str, region: str) -> Callable[[str, dict[str, Any], list[str]], None]:
    def publish(detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        events.publish("aws.codebuild", detail_type, detail, resources, account_id, region)

    return publish


def _initiator(caller: Caller) -> str:
    """The user's name, or role/session for an assumed role, as AWS shows who started a build."""
    arn = caller.session_arn or caller.arn
    # user/alice, assumed-role/builder/session and root are what follows the last colon.
    kind, _, name = arn.rpartition(":")[2].partition("/")
    return name.rpartition("/")[2] if kind == "user" else name or kind


def _build_id(id_or_arn: str) -> str:
    return id_or_arn.rpartition(":build/")[2]


def _project_of(build: object) -> str:
    return _build_id(str(build)).rpartition(":")[0] if build else ""


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _page(items: list[str], token: str | None, member: str) -> dict[str, Any]:
    """One page; a token is an opaque position."""
    start = 0
    if token:
        try:
            start = int(base64.urlsafe_b64decode(token.encode()).decode())
        except ValueError:
            raise invalid("Invalid token: the provided nextToken is not valid") from None
    page: dict[str, Any] = {member: items[start : start + _PAGE]}
    if start + _PAGE < len(items):
        page["nextToken"] = base64.urlsafe_b64encode(str(start + _PAGE).encode()).decode()
    return page


SERVICE = CodeBuildService()
process.on_shutdown(SERVICE.shutdown)


def start_for_pipeline(request: Request, pipeline: PipelineContext, credentials: identity.Credentials) -> str:
    """Start a build for a pipeline's action, as the pipeline role; returns the build's id.

    request is a StartBuild request. The role needs codebuild:StartBuild on the project: otherwise, and for what
    StartBuild refuses, AwsError is raised as the API would answer it. The build reads the input artifacts and writes
    the output artifacts with the project's role and encryption key.
    """
    return SERVICE.start_for_pipeline(request, pipeline, credentials)
