# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The structure of a pipeline: AWS's defaults, and the checks CreatePipeline and UpdatePipeline make."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local_aws.aws_json import AwsError
from local_aws.codepipeline import stage_conditions, variables
from local_aws.codepipeline.refusals import declaration, structure, unique

MAX_STAGES = 50
MAX_ACTIONS_PER_STAGE = 50
MAX_ACTIONS = 1000


@dataclass(frozen=True)
class Provider:
    """What AWS checks of an action of one provider; keys is None where its configuration is not checked here."""

    required: tuple[str, ...] = ()
    keys: tuple[str, ...] | None = None
    inputs: tuple[int, int] = (0, 5)
    outputs: tuple[int, int] = (0, 5)


_ANY = Provider()
PROVIDERS: dict[tuple[str, str], Provider] = {
    ("Source", "CodeStarSourceConnection"): Provider(
        ("ConnectionArn", "FullRepositoryId", "BranchName"),
        ("ConnectionArn", "FullRepositoryId", "BranchName", "OutputArtifactFormat", "DetectChanges"),
        (0, 0),
        (1, 1),
    ),
    ("Source", "S3"): Provider(
        ("S3Bucket", "S3ObjectKey"),
        ("S3Bucket", "S3ObjectKey", "PollForSourceChanges", "AllowOverrideForS3ObjectKey"),
        (0, 0),
        (1, 1),
    ),
    ("Source", "CodeCommit"): Provider(
        ("RepositoryName", "BranchName"),
        ("RepositoryName", "BranchName", "PollForSourceChanges", "OutputArtifactFormat"),
        (0, 0),
        (1, 1),
    ),
    ("Source", "ECR"): Provider(inputs=(0, 0), outputs=(1, 1)),
    **{
        (category, "CodeBuild"): Provider(
            ("ProjectName",),
            ("ProjectName", "PrimarySource", "BatchEnabled", "CombineArtifacts", "EnvironmentVariables"),
            (1, 5),
            (0, 5),
        )
        for category in ("Build", "Test")
    },
    ("Build", "ECRBuildAndPublish"): _ANY,
    ("Test", "DeviceFarm"): _ANY,
    ("Approval", "Manual"): Provider((), ("NotificationArn", "CustomData", "ExternalEntityLink"), (0, 0), (0, 0)),
    ("Compute", "Commands"): _ANY,
    **{("Invoke", name): _ANY for name in ("Lambda", "StepFunctions", "InspectorScan", "CodePipeline")},
    **{
        ("Deploy", name): _ANY
        for name in (
            "S3",
            "CloudFormation",
            "CloudFormationStackSet",
            "CloudFormationStackInstances",
            "CodeDeploy",
            "CodeDeployToECS",
            "ECS",
            "ElasticBeanstalk",
            "AppConfig",
            "ServiceCatalog",
            "EKS",
            "EC2",
            "Lambda",
        )
    },
}


def with_defaults(declared: dict[str, Any]) -> dict[str, Any]:
    """A pipeline as AWS stores it: its defaults filled in, the version left out."""
    pipeline = copy.deepcopy(declared)
    pipeline.pop("version", None)
    pipeline.setdefault("executionMode", "SUPERSEDED")
    pipeline.setdefault("pipelineType", "V1")
    for stage in pipeline["stages"]:
        for action in stage["actions"]:
            action.setdefault("runOrder", 1)
            action.setdefault("configuration", {})
            action.setdefault("inputArtifacts", [])
            action.setdefault("outputArtifacts", [])
    return pipeline


def shown(pipeline: dict[str, Any]) -> dict[str, Any]:
    """A pipeline as AWS answers it: type V2 shows the trigger of each connection source that has none declared."""
    if pipeline["pipelineType"] != "V2":
        return pipeline
    declared = pipeline.get("triggers", [])
    known = {trigger["gitConfiguration"]["sourceActionName"] for trigger in declared}
    added = [
        {
            "providerType": "CodeStarSourceConnection",
            "gitConfiguration": {
                "sourceActionName": action["name"],
                "push": [{"branches": {"includes": [action["configuration"]["BranchName"]]}}],
            },
        }
        for action in pipeline["stages"][0]["actions"]
        if action["actionTypeId"]["provider"] == "CodeStarSourceConnection"
        and action["name"] not in known
        and action["configuration"].get("DetectChanges", "true").lower() != "false"
    ]
    return {**pipeline, "triggers": [*declared, *added]} if added else pipeline


def check(pipeline: dict[str, Any], region: str) -> None:
    """Check a pipeline that has its defaults. Raises AwsError with AWS's code for the first thing that is wrong."""
    _check_stores(pipeline, region)
    _check_type(pipeline)
    _check_stages(pipeline["stages"])
    for stage in pipeline["stages"]:
        for action in stage["actions"]:
            _check_action(action, region)
    stage_conditions.check(pipeline)
    _check_artifacts(pipeline["stages"])
    _check_variables(pipeline)
    _check_triggers(pipeline)


def _check_stores(pipeline: dict[str, Any], region: str) -> None:
    stores = pipeline.get("artifactStores")
    if ("artifactStore" in pipeline) == (stores is not None):
        raise structure("A pipeline must have exactly one of artifactStore and artifactStores")
    if stores is not None and region not in stores:
        raise structure(f"The artifactStores map must have an artifact store for the pipeline's region {region}")


def _check_type(pipeline: dict[str, Any]) -> None:
    if pipeline["pipelineType"] == "V2":
        return
    for key in ("variables", "triggers"):
        if pipeline.get(key):
            raise structure(f"Pipelines of type V1 do not support {key}; use pipelineType V2")
    if pipeline["executionMode"] != "SUPERSEDED":
        raise structure(f"Pipelines of type V1 do not support execution mode {pipeline['executionMode']}")


def _check_stages(stages: list[dict[str, Any]]) -> None:
    if len(stages) < 2:
        raise structure(
            f"Pipeline has only {len(stages)} stage(s). There should be a minimum of 2 stages in a pipeline"
        )
    if len(stages) > MAX_STAGES:
        raise AwsError("LimitExceededException", f"A pipeline can have at most {MAX_STAGES} stages")
    unique([stage["name"] for stage in stages], "Stage names must be unique within a pipeline")
    for number, stage in enumerate(stages):
        actions = stage["actions"]
        if not actions:
            raise structure(f"Stage {stage['name']} has no actions. A stage must have at least one action")
        if len(actions) > MAX_ACTIONS_PER_STAGE:
            raise AwsError("LimitExceededException", f"A stage can have at most {MAX_ACTIONS_PER_STAGE} actions")
        unique([action["name"] for action in actions], f"Action names must be unique within stage {stage['name']}")
        sources = [action["actionTypeId"]["category"] == "Source" for action in actions]
        if number == 0 and not all(sources):
            raise structure("Pipeline should start with a stage that only contains source actions")
        if number > 0 and any(sources):
            raise structure(f"Only the first stage can contain source actions; stage {stage['name']} has one")
    if sum(len(stage["actions"]) for stage in stages) > MAX_ACTIONS:
        raise AwsError("LimitExceededException", f"A pipeline can have at most {MAX_ACTIONS} actions")


def _check_action(action: dict[str, Any], region: str) -> None:
    kind, name = action["actionTypeId"], action["name"]
    provider = PROVIDERS.get((kind["category"], kind["provider"]))
    if provider is None or kind["owner"] != "AWS" or kind["version"] != "1":
        raise declaration(
            f"ActionType (Category: '{kind['category']}', Provider: '{kind['provider']}', Owner: '{kind['owner']}', "
            f"Version: '{kind['version']}') in action '{name}' is not available in region "
            f"{region.upper().replace('-', '_')}"
        )
    configuration = action["configuration"]
    for key in provider.required:
        if not configuration.get(key):
            raise declaration(f"Action configuration for action '{name}' is missing required configuration '{key}'")
    for key in configuration:
        if provider.keys is not None and key not in provider.keys:
            raise declaration(f"Action configuration for action '{name}' contains unknown configuration '{key}'")
    for what, artifacts, (low, high) in (
        ("input", action["inputArtifacts"], provider.inputs),
        ("output", action["outputArtifacts"], provider.outputs),
    ):
        if len(artifacts) < low:
            raise structure(
                f"Action {name} has {len(artifacts)} {what} artifacts, which is fewer than the minimum of {low}"
            )
        if len(artifacts) > high:
            raise structure(
                f"Action {name} has {len(artifacts)} {what} artifacts, which is more than the maximum of {high}"
            )
    if kind["provider"] == "CodeBuild":
        _check_build(action)
    if kind["provider"] == "CodeStarSourceConnection" and (
        configuration.get("OutputArtifactFormat", "CODE_ZIP") not in ("CODE_ZIP", "CODEBUILD_CLONE_REF")
    ):
        raise declaration(
            f"Action configuration for action '{name}' contains an invalid value for 'OutputArtifactFormat': "
            f"'{configuration['OutputArtifactFormat']}' (valid: CODE_ZIP, CODEBUILD_CLONE_REF)"
        )


def _check_build(action: dict[str, Any]) -> None:
    name, configuration = action["name"], action["configuration"]
    inputs = [artifact["name"] for artifact in action["inputArtifacts"]]
    primary = configuration.get("PrimarySource")
    if len(inputs) > 1 and not primary:
        raise declaration(
            f"Action configuration for action '{name}' is missing required configuration "
            "'PrimarySource': the action has more than one input artifact"
        )
    if primary and primary not in inputs:
        raise declaration(f"PrimarySource '{primary}' of action '{name}' is not one of its input artifacts")
    if "EnvironmentVariables" in configuration:
        environment_variables(name, configuration["EnvironmentVariables"])


def environment_variables(action: str, text: str) -> list[dict[str, str]]:
    """A CodeBuild action's EnvironmentVariables, [{name, value, type?}]. Raises InvalidActionDeclarationException."""
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    good = isinstance(parsed, list) and all(
        isinstance(item, dict)
        and set(item) <= {"name", "value", "type"}
        and isinstance(item.get("name"), str)
        and isinstance(item.get("value"), str)
        and item.get("type", "PLAINTEXT") in ("PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER")
        for item in parsed
    )
    if not good:
        raise declaration(
            f"EnvironmentVariables of action '{action}' is not a JSON list of objects with name, value "
            "and type (PLAINTEXT, PARAMETER_STORE or SECRETS_MANAGER)"
        )
    return list(parsed)


def _users(stages: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any], tuple[int, int]]]:
    """What uses artifacts and variables: (stage, "Action" or "Rule", the action or rule, its place in the order)."""
    for number, stage in enumerate(stages):
        for action in stage["actions"]:
            yield stage["name"], "Action", action, (number, action["runOrder"])
        for rule, order in stage_conditions.rules(stage):
            yield stage["name"], "Rule", rule, (number, order)


def _check_artifacts(stages: list[dict[str, Any]]) -> None:
    produced: dict[str, tuple[int, int]] = {}
    for number, stage in enumerate(stages):
        for action in stage["actions"]:
            for artifact in action["outputArtifacts"]:
                if artifact["name"] in produced:
                    raise structure(
                        "Output Artifact Bundle name must be unique within the pipeline. "
                        f"{artifact['name']} has been used more than once."
                    )
                produced[artifact["name"]] = (number, action["runOrder"])
    for _, kind, user, place in _users(stages):
        for artifact in user.get("inputArtifacts", []):
            if artifact["name"] not in produced:
                raise structure(
                    f"Input Artifact Bundle {artifact['name']} in {kind.lower()} {user['name']} is declared "
                    "0 times as output artifact. It should be declared exactly once."
                )
            if produced[artifact["name"]] >= place:
                raise structure(
                    f"Input Artifact Bundle {artifact['name']} in {kind.lower()} {user['name']} must be the "
                    "output artifact of an action that runs before it"
                )


def _check_variables(pipeline: dict[str, Any]) -> None:
    unique([item["name"] for item in pipeline.get("variables", [])], "Pipeline variable names must be unique")
    declared = [
        action["namespace"] for stage in pipeline["stages"] for action in stage["actions"] if "namespace" in action
    ]
    unique(declared, "Action namespaces must be unique within the pipeline")
    names = {item["name"] for item in pipeline.get("variables", [])}
    known: dict[str, tuple[int, int]] = {}
    for number, stage in enumerate(pipeline["stages"]):
        for action in stage["actions"]:
            if "namespace" in action:
                if action["namespace"] in variables.PREDEFINED:
                    raise declaration(f"The namespace {action['namespace']} of action {action['name']} is reserved")
                known[action["namespace"]] = (number, action["runOrder"])
    for stage_name, kind, user, place in _users(pipeline["stages"]):
        for key, text in user.get("configuration", {}).items():
            for namespace, name in variables.references(text):
                good = bool(name) and (
                    namespace == "codepipeline"
                    or (namespace == "variables" and name in names)
                    or (namespace in known and known[namespace] < place)
                )
                if not good:
                    raise declaration(
                        "Valid format for a pipeline execution variable reference is a namespace and a key "
                        "separated by a period (.). The following pipeline execution variables are referencing a "
                        f"namespace that does not exist. StageName=[{stage_name}], "
                        f"{kind}Name=[{user['name']}], {kind}ConfigurationKey=[{key}], "
                        f"VariableReferenceText=[{namespace}{'.' if name else ''}{name}]"
                    )


def _check_triggers(pipeline: dict[str, Any]) -> None:
    sources = {action["name"]: action for action in pipeline["stages"][0]["actions"]}
    for trigger in pipeline.get("triggers", []):
        git = trigger["gitConfiguration"]
        source = sources.get(git["sourceActionName"])
        if source is None or source["actionTypeId"]["provider"] != trigger["providerType"]:
            raise structure(
                f"The trigger's source action {git['sourceActionName']} is not a source action of "
                f"provider {trigger['providerType']}"
            )
        for push in git.get("push", []):
            if "tags" in push and ("branches" in push or "filePaths" in push):
                raise structure("A push filter has either tags, or branches and file paths")
    used = [trigger["gitConfiguration"]["sourceActionName"] for trigger in pipeline.get("triggers", [])]
    unique(used, "A source action can have one trigger configuration")
