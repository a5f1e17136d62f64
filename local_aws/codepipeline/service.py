# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CodePipeline's API operations."""

from __future__ import annotations

import os
import threading
import uuid
from typing import Any, TypeVar

from local_aws import codeconnections
from local_aws.aws_json import AwsError, Caller, JsonService, authorize_pass_role
from local_aws.codepipeline import definition, describe, engine, roles, stage_conditions
from local_aws.codepipeline.model import RUNNING, ActionRun, Execution, Pipeline, Revision, RuleRun, Trigger, now

# AWS raises this quota for who asks.
MAX_PIPELINES = int(os.environ.get("LOCAL_AWS_MAX_PIPELINES", "1000"))
MAX_TAGS = 50
_STAGE_OPERATIONS = (
    "RetryStageExecution",
    "RollbackStage",
    "OverrideStageCondition",
    "EnableStageTransition",
    "DisableStageTransition",
)
_Run = TypeVar("_Run", ActionRun, RuleRun)
_PLACES = {"BEFORE_ENTRY": "beforeEntry", "ON_SUCCESS": "onSuccess"}


class CodePipelineService(JsonService):
    """Pipelines and their executions, by account, region and name."""

    service_name = "codepipeline"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._pipelines: dict[tuple[str, str, str], Pipeline] = {}
        self._rules: dict[str, str] = {}  # whose calls they are, by client request token

    def resource_arns(self, operation: str, request: dict[str, Any], caller: Caller) -> list[str]:
        base = f"arn:aws:codepipeline:{caller.region}:{caller.account_id}"
        declared = request.get("pipeline")
        name = (
            request.get("pipelineName")
            or request.get("name")
            or (declared.get("name") if isinstance(declared, dict) else None)
        )
        if isinstance(request.get("resourceArn"), str):
            return [request["resourceArn"]]
        if not isinstance(name, str):
            return [f"{base}:*"]
        if operation == "PutApprovalResult":
            return [f"{base}:{name}/{request.get('stageName')}/{request.get('actionName')}"]
        if operation in _STAGE_OPERATIONS:
            return [f"{base}:{name}/{request.get('stageName')}"]
        return [f"{base}:{name}"]

    def pipelines(self) -> list[Pipeline]:
        """Every pipeline of every account and region."""
        with self._lock:
            return list(self._pipelines.values())

    def tagged(self) -> list[tuple[str, str, str, dict[str, str]]]:
        """(account, region, ARN, tags) of every pipeline."""
        return [(item.account_id, item.region, item.arn, dict(item.tags)) for item in self.pipelines()]

    # --- pipelines

    def create_pipeline(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """A new pipeline, version 1; as on AWS its first execution starts by itself."""
        declaration = self._checked(request["pipeline"], caller)
        tags = {tag["key"]: tag["value"] for tag in request.get("tags", [])}
        _limit_tags(tags)
        with self._lock:
            key = (caller.account_id, caller.region, declaration["name"])
            if key in self._pipelines:
                raise AwsError(
                    "PipelineNameInUseException",
                    f"A pipeline with the name '{declaration['name']}' already exists in account '{caller.account_id}'",
                )
            if sum(item[:2] == key[:2] for item in self._pipelines) >= MAX_PIPELINES:
                raise AwsError("LimitExceededException", f"The limit of {MAX_PIPELINES} pipelines is reached")
            declaration["version"] = 1
            pipeline = Pipeline(caller.account_id, caller.region, declaration, tags, versions={1: declaration})
            self._pipelines[key] = pipeline
        # Variables without a default keep AWS, too, from starting the first execution.
        if all("defaultValue" in item for item in declaration.get("variables", [])):
            engine.start(pipeline, Trigger("CreatePipeline", caller.session_arn))
        return {"pipeline": definition.shown(declaration), "tags": request.get("tags", [])}

    def get_pipeline(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._pipeline(request["name"], caller)
        version = request.get("version", pipeline.declaration["version"])
        if version not in pipeline.versions:
            raise AwsError(
                "PipelineVersionNotFoundException", f"Pipeline '{pipeline.name}' does not have a version '{version}'"
            )
        return {
            "pipeline": definition.shown(pipeline.versions[version]),
            "metadata": {"pipelineArn": pipeline.arn, "created": pipeline.created, "updated": pipeline.updated},
        }

    def update_pipeline(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Replace the structure; the version goes up only when the structure is another one."""
        pipeline = self._pipeline(request["pipeline"]["name"], caller)
        declaration = self._checked(request["pipeline"], caller)
        with pipeline.condition:
            version = pipeline.declaration["version"]
            if declaration | {"version": version} != pipeline.declaration:
                declaration["version"] = version + 1
                pipeline.versions[version + 1] = pipeline.declaration = declaration
                pipeline.updated = now()
            pipeline.condition.notify_all()
            return {"pipeline": definition.shown(pipeline.declaration)}

    def delete_pipeline(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Delete a pipeline with its executions; as on AWS no error when there is none."""
        with self._lock:
            pipeline = self._pipelines.pop((caller.account_id, caller.region, request["name"]), None)
        if pipeline is not None:
            pipeline.deleted = True
            for execution in [item for item in pipeline.executions if item.status in RUNNING]:
                try:
                    engine.stop(pipeline, execution, "The pipeline was deleted", abandon=True)
                except AwsError:  # it ended meanwhile
                    continue
        return {}

    def list_pipelines(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        with self._lock:
            found = sorted(
                (item for key, item in self._pipelines.items() if key[:2] == (caller.account_id, caller.region)),
                key=lambda item: item.name,
            )
        page, token = _page(found, request, 1000)
        return {"pipelines": [describe.pipeline_summary(item) for item in page], "nextToken": token}

    def _checked(self, declaration: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """A declaration with AWS's defaults, its structure, its role and what the caller may pass checked."""
        pipeline = definition.with_defaults(declaration)
        definition.check(pipeline, caller.region)
        authorize_pass_role(caller, pipeline["roleArn"], roles.SERVICE_PRINCIPAL)
        for stage in pipeline["stages"]:
            for action in stage["actions"]:
                if "roleArn" in action:
                    authorize_pass_role(caller, action["roleArn"], roles.SERVICE_PRINCIPAL)
                if action["actionTypeId"]["provider"] == "CodeStarSourceConnection":
                    codeconnections.authorize_connection(
                        caller,
                        "PassConnection",
                        action["configuration"]["ConnectionArn"],
                        {"PassedToService": roles.SERVICE_PRINCIPAL},
                    )
            for rule, _ in stage_conditions.rules(stage):
                if "roleArn" in rule:
                    authorize_pass_role(caller, rule["roleArn"], roles.SERVICE_PRINCIPAL)
        arn = f"arn:aws:codepipeline:{caller.region}:{caller.account_id}:{pipeline['name']}"
        roles.assume(pipeline["roleArn"], arn, caller.account_id, "AWSCodePipeline-check")
        return pipeline

    # --- tags

    def list_tags_for_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        tags = [{"key": key, "value": value} for key, value in sorted(self._tagged(request, caller).tags.items())]
        page, token = _page(tags, request, 100)
        return {"tags": page, "nextToken": token}

    def tag_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._tagged(request, caller)
        tags = pipeline.tags | {tag["key"]: tag["value"] for tag in request["tags"]}
        _limit_tags(tags)
        pipeline.tags = tags
        return {}

    def untag_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._tagged(request, caller)
        pipeline.tags = {key: value for key, value in pipeline.tags.items() if key not in request["tagKeys"]}
        return {}

    def _tagged(self, request: dict[str, Any], caller: Caller) -> Pipeline:
        arn = request["resourceArn"]
        prefix = f"arn:aws:codepipeline:{caller.region}:{caller.account_id}:"
        if not arn.startswith(prefix):
            raise AwsError("InvalidArnException", f"The ARN {arn} is not valid here")
        with self._lock:
            pipeline = self._pipelines.get((caller.account_id, caller.region, arn.removeprefix(prefix)))
        if pipeline is None:
            raise AwsError("ResourceNotFoundException", f"The resource {arn} was not found")
        return pipeline

    # --- executions

    def start_pipeline_execution(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Start an execution; the same clientRequestToken again answers the same execution."""
        pipeline = self._pipeline(request["name"], caller)
        token = request.get("clientRequestToken")
        with pipeline.condition:
            if token in pipeline.client_tokens:
                return {"pipelineExecutionId": pipeline.client_tokens[token]}
            sources = {action["name"] for action in pipeline.declaration["stages"][0]["actions"]}
            overrides = {}
            for item in request.get("sourceRevisions", []):
                if item["actionName"] not in sources:
                    raise AwsError(
                        "ValidationException", f"{item['actionName']} is not a source action of the pipeline"
                    )
                overrides[item["actionName"]] = Revision(item["revisionType"], item["revisionValue"])
            given = {item["name"]: item["value"] for item in request.get("variables", [])}
            trigger = Trigger("StartPipelineExecution", caller.session_arn)
            if rule_arn := self._rules.get(token or ""):
                trigger = Trigger("CloudWatchEvent", rule_arn)
            execution = engine.start(pipeline, trigger, given, overrides)
            if token:
                pipeline.client_tokens[token] = execution.id
        return {"pipelineExecutionId": execution.id}

    def start_for_rule(self, rule_arn: str, pipeline: str, content: dict[str, Any], client: Any) -> None:
        """Start an execution for a rule of EventBridge. Raises ClientError when the client's role may not.

        content is what the rule sends: its sourceRevisions and variables count.
        """
        given = {name: content[name] for name in ("sourceRevisions", "variables") if content.get(name)}
        token = str(uuid.uuid4())
        self._rules[token] = rule_arn
        try:
            client.start_pipeline_execution(name=pipeline, clientRequestToken=token, **given)
        finally:
            del self._rules[token]

    def stop_pipeline_execution(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._pipeline(request["pipelineName"], caller)
        execution = _execution(pipeline, request["pipelineExecutionId"], "PipelineExecutionNotStoppableException")
        engine.stop(pipeline, execution, request.get("reason"), abandon=bool(request.get("abandon")))
        return {"pipelineExecutionId": execution.id}

    def retry_stage_execution(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._pipeline(request["pipelineName"], caller)
        execution = _execution(pipeline, request["pipelineExecutionId"], "NotLatestPipelineExecutionException")
        _stage(execution.declaration, request["stageName"])
        engine.retry(pipeline, execution, request["stageName"], request["retryMode"])
        return {"pipelineExecutionId": execution.id}

    def rollback_stage(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._pipeline(request["pipelineName"], caller)
        stage = _stage(pipeline.declaration, request["stageName"])
        target = _execution(pipeline, request["targetPipelineExecutionId"])
        return {"pipelineExecutionId": engine.roll_back(pipeline, stage["name"], target, caller.session_arn).id}

    def override_stage_condition(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._pipeline(request["pipelineName"], caller)
        execution = _execution(pipeline, request["pipelineExecutionId"], "NotLatestPipelineExecutionException")
        stage = _stage(execution.declaration, request["stageName"])
        engine.override(pipeline, execution, stage["name"], _PLACES[request["conditionType"]])
        return {}

    def get_pipeline_execution(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._pipeline(request["pipelineName"], caller)
        execution = _execution(pipeline, request["pipelineExecutionId"])
        with pipeline.condition:
            return {"pipelineExecution": describe.execution(execution)}

    def list_pipeline_executions(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._pipeline(request["pipelineName"], caller)
        stage = request.get("filter", {}).get("succeededInStage", {}).get("stageName")
        with pipeline.condition:
            found = [
                item
                for item in reversed(pipeline.executions)
                if stage is None
                or (item.stage_status.get(stage) == "Succeeded" and item.version == pipeline.declaration["version"])
            ]
            page, token = _page(found, request, 100)
            return {
                "pipelineExecutionSummaries": [describe.execution_summary(item) for item in page],
                "nextToken": token,
            }

    def list_action_executions(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._pipeline(request["pipelineName"], caller)
        with pipeline.condition:
            page, token = _runs(pipeline, pipeline.runs, request)
            return {
                "actionExecutionDetails": [describe.action_execution(item, pipeline.region) for item in page],
                "nextToken": token,
            }

    def list_rule_executions(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._pipeline(request["pipelineName"], caller)
        with pipeline.condition:
            page, token = _runs(pipeline, pipeline.rule_runs, request)
            return {
                "ruleExecutionDetails": [describe.rule_execution(item, pipeline.region) for item in page],
                "nextToken": token,
            }

    def get_pipeline_state(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._pipeline(request["name"], caller)
        with pipeline.condition:
            return describe.state(pipeline)

    # --- approvals and transitions

    def put_approval_result(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        pipeline = self._pipeline(request["pipelineName"], caller)
        stage = _stage(pipeline.declaration, request["stageName"])
        if request["actionName"] not in [action["name"] for action in stage["actions"]]:
            raise AwsError(
                "ActionNotFoundException",
                f"Action {request['actionName']} does not exist in stage {request['stageName']}",
            )
        with pipeline.condition:
            runs = [run for run in pipeline.runs if (run.stage, run.name) == (stage["name"], request["actionName"])]
            run = next((item for item in runs if item.token == request["token"] and item.status == "InProgress"), None)
            if run is None:
                raise AwsError("InvalidApprovalTokenException", "Invalid approval token")
            if run.decision is not None:
                raise AwsError("ApprovalAlreadyCompletedException", "The approval action has already been completed")
            run.decision = request["result"] | {"by": caller.session_arn}
            pipeline.condition.notify_all()
        return {"approvedAt": now()}

    def enable_stage_transition(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return self._transition(request, caller, None)

    def disable_stage_transition(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return self._transition(request, caller, request["reason"])

    def _transition(self, request: dict[str, Any], caller: Caller, reason: str | None) -> dict[str, Any]:
        pipeline = self._pipeline(request["pipelineName"], caller)
        stage = _stage(pipeline.declaration, request["stageName"])
        # AWS takes Outbound and, for it, changes the arrow into the stage all the same; only Inbound is of use.
        with pipeline.condition:
            transition = pipeline.transition(stage["name"])
            transition.enabled, transition.reason = reason is None, reason
            transition.changed_by, transition.changed_at = caller.session_arn, now()
            pipeline.condition.notify_all()
        return {}

    def _pipeline(self, name: str, caller: Caller) -> Pipeline:
        with self._lock:
            found = self._pipelines.get((caller.account_id, caller.region, name))
        if found is None:
            raise AwsError(
                "PipelineNotFoundException",
                f"Account '{caller.account_id}' does not have a pipeline with name '{name}'",
            )
        return found


def _execution(pipeline: Pipeline, execution_id: str, code: str = "PipelineExecutionNotFoundException") -> Execution:
    found = pipeline.execution(execution_id)
    if found is None:
        raise AwsError(code, f"The pipeline '{pipeline.name}' does not have an execution with ID '{execution_id}'")
    return found


def _stage(declaration: dict[str, Any], name: str) -> dict[str, Any]:
    for stage in declaration["stages"]:
        if stage["name"] == name:
            found: dict[str, Any] = stage
            return found
    raise AwsError("StageNotFoundException", f"Stage {name} does not exist in pipeline {declaration['name']}")


def _runs(pipeline: Pipeline, runs: list[_Run], request: dict[str, Any]) -> tuple[list[_Run], str | None]:
    """One page of action or rule executions, newest first, and the token of the next; with the lock held."""
    chosen = request.get("filter", {})
    latest = chosen.get("latestInPipelineExecution")
    wanted = latest["pipelineExecutionId"] if latest else chosen.get("pipelineExecutionId")
    if wanted is not None:
        _execution(pipeline, wanted)
    found = [run for run in reversed(runs) if wanted in (None, run.execution_id)]
    if latest and latest["startTimeRange"] == "Latest":
        seen: dict[tuple[str, str], _Run] = {}
        for run in found:
            seen.setdefault((run.stage, run.name), run)
        found = list(seen.values())
    return _page(found, request, 100)


def _limit_tags(tags: dict[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise AwsError("TooManyTagsException", f"A resource can have at most {MAX_TAGS} tags")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise AwsError("InvalidTagsException", f"Tag keys cannot start with aws: ({key})")


def _page(items: list[Any], request: dict[str, Any], size: int) -> tuple[list[Any], str | None]:
    """One page of a list, and the token of the next."""
    token = request.get("nextToken", "0")
    if not token.isdigit():
        raise AwsError("InvalidNextTokenException", "The next token is not valid")
    start = int(token)
    end = start + request.get("maxResults", size)
    return items[start:end], str(end) if end < len(items) else None


SERVICE = CodePipelineService()
