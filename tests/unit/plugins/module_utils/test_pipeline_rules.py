# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of bad pipelines, each rule for itself, and that nothing is said of good ones."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils._engine import Settings, prune
from ansible_collections.gitops.aws.plugins.module_utils._kinds._pipeline_rules import conflicts, input_problems
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codepipeline import OPTIONS
from tests.unit.plugins.module_utils.inputs import items

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/path/pipeline"
BUILD = "stages[1].actions[0]"
GATE = "stages[1].before_entry.conditions[0]"


def action(name: str, category: str, provider: str, **options: Any) -> Settings:
    """An action; `inputs` and `outputs` are names of artifacts, `owner` and `version` belong to its type."""
    kind = {"owner": options.pop("owner", "AWS"), "version": options.pop("version", "1")}
    for option, several in (("inputs", "input_artifacts"), ("outputs", "output_artifacts")):
        if option in options:
            options[several] = [{"name": artifact} for artifact in options.pop(option)]
    return {"name": name, "action_type_id": {"category": category, "provider": provider, **kind}, **options}


def source(name: str = "Source", output: str = "source", **options: Any) -> Settings:
    connection = {"ConnectionArn": "arn:aws:codeconnections:x", "FullRepositoryId": "acme/infra", "BranchName": "main"}
    options = {"configuration": connection, "outputs": [output], **options}
    return action(name, "Source", "CodeStarSourceConnection", **options)


def build(name: str = "Build", **options: Any) -> Settings:
    return action(
        name, "Build", "CodeBuild", **{"inputs": ["source"], "configuration": {"ProjectName": "p"}, **options}
    )


def commands(name: str = "Commands", **options: Any) -> Settings:
    return action(name, "Compute", "Commands", **{"inputs": ["source"], "commands": ["make"], **options})


def manual(**options: Any) -> Settings:
    return action("Approve", "Approval", "Manual", **options)


def rule(provider: str = "LambdaInvoke", **options: Any) -> Settings:
    configuration = {"FunctionName": "f"} if provider == "LambdaInvoke" else {}
    return {"name": "Rule", "rule_type_id": {"provider": provider}, "configuration": configuration, **options}


def gate(result: str = "FAIL", *rules: Settings) -> Settings:
    """What a stage has in before_entry or on_success."""
    return {"conditions": [{"result": result, "rules": list(rules or [rule()])}]}


def pipeline(*actions: Settings, stage: Settings | None = None, **options: Any) -> Settings:
    """A pipeline whose second stage has these actions."""
    second = {"name": "Work", "actions": list(actions) or [build()], **(stage or {})}
    return {"name": "p", "stages": [{"name": "Source", "actions": [source()]}, second], **options}


def git(**events: Any) -> list[Settings]:
    return [{"git_configuration": {"source_action_name": "Source", **events}}]


def texts(number: int) -> list[str]:
    return [f"text{index}" for index in range(number)]


def names(number: int) -> list[Settings]:
    return [{"name": text} for text in texts(number)]


def build_with(**configuration: Any) -> Settings:
    return build(configuration={"ProjectName": "p", **configuration})


PLAIN = source()
WITHOUT_STAGES = {"name": "p"}
TWO = [{"name": "a", "actions": [PLAIN]}, {"name": "b", "actions": [build()]}]


# The input, the path of what is wrong in it, and words of the message.
INPUT: list[tuple[Settings, str, str]] = [
    # names
    ({"name": ""}, "name", "must be given"),
    ({"name": "a/b"}, "name", "'a/b' is not allowed: a-z A-Z 0-9 . @ - and _"),
    ({"name": "a" * 101}, "name", "has 101 characters, at most 100 are allowed"),
    ({"name": "p", "role_arn": "role"}, "role_arn", "the ARN of an IAM role"),
    (pipeline(stage={"name": "a b"}), "stages[1].name", "'a b' is not allowed"),
    (pipeline(stage={"name": None}), "stages[1].name", "must be given"),
    (pipeline(build("a b")), f"{BUILD}.name", "'a b' is not allowed"),
    (
        pipeline(build(outputs=["a.b"])),
        f"{BUILD}.output_artifacts[0].name",
        "'a.b' is not allowed: a-z A-Z 0-9 _ and -",
    ),
    (pipeline(build(outputs=[None])), f"{BUILD}.output_artifacts[0].name", "must be given"),
    (pipeline(build(inputs=[None])), f"{BUILD}.input_artifacts[0].name", "must be given"),
    (pipeline(build(namespace="a.b")), f"{BUILD}.namespace", "'a.b' is not allowed: a-z A-Z 0-9 @ - and _"),
    (pipeline(build(namespace="variables")), f"{BUILD}.namespace", "AWS has a namespace of that name"),
    (pipeline(build(namespace="codepipeline")), f"{BUILD}.namespace", "AWS has a namespace of that name"),
    (pipeline(build(role_arn="r")), f"{BUILD}.role_arn", "the ARN of an IAM role"),
    (pipeline(build(region="EU")), f"{BUILD}.region", "the name of a region"),
    (pipeline(build(version="1.0")), f"{BUILD}.action_type_id.version", "'1.0' is not allowed"),
    (pipeline(action("a", "Test", "a b")), f"{BUILD}.action_type_id.provider", "'a b' is not allowed"),
    (pipeline(stage={"blockers": [{"name": "a" * 101}]}), "stages[1].blockers[0].name", "at most 100"),
    # numbers of things, and things that must differ
    ({"name": "p", "stages": []}, "stages", "has 0, a pipeline must have 2 to 50 stages"),
    ({"name": "p", "stages": TWO[:1]}, "stages", "has 1, a pipeline must have 2 to 50 stages"),
    (
        {"name": "p", "stages": [TWO[0], *({**TWO[1], "name": name} for name in texts(50))]},
        "stages",
        "has 51, a pipeline must have 2 to 50 stages",
    ),
    (pipeline(stage={"actions": []}), "stages[1].actions", "is empty, a stage must have 1 to 50 actions"),
    (pipeline(*(build(name) for name in texts(51))), "stages[1].actions", "has 51 elements, at most 50"),
    (
        pipeline(stage={"name": "Source"}),
        "stages[1].name",
        "'Source' is also stages[0].name; names of stages must differ",
    ),
    (
        pipeline(build("a"), build("b"), build("a")),
        "stages[1].actions[2].name",
        "'a' is also stages[1].actions[0].name; names of actions must differ within a stage",
    ),
    (
        pipeline(build("a", outputs=["x"]), build("b", outputs=["x"])),
        "stages[1].actions[1].output_artifacts[0].name",
        f"'x' is also {BUILD}.output_artifacts[0].name; names of output artifacts must differ",
    ),
    (
        pipeline(build("a", namespace="x"), build("b", namespace="x")),
        "stages[1].actions[1].namespace",
        f"'x' is also {BUILD}.namespace; namespaces must differ",
    ),
    # sources come first
    (
        {"name": "p", "stages": [{"name": "a", "actions": [PLAIN, manual()]}, TWO[1]]},
        "stages[0].actions[1].action_type_id.category",
        "Approval is not allowed: the first stage has only Source",
    ),
    (pipeline(source("b", "b")), f"{BUILD}.action_type_id.category", "Source is allowed in the first stage only"),
    # artifacts in their order
    (
        pipeline(build(inputs=["other"])),
        f"{BUILD}.input_artifacts[0].name",
        "no action has an output artifact 'other'; known here are source",
    ),
    (
        pipeline(build("a", outputs=["x"]), build("b", inputs=["x"])),
        "stages[1].actions[1].input_artifacts[0].name",
        f"'x' is {BUILD}.output_artifacts[0].name, which is not before; known here are source",
    ),
    (
        pipeline(build("a", inputs=["x"]), build("b", outputs=["x"], run_order=2)),
        f"{BUILD}.input_artifacts[0].name",
        "which is not before",
    ),
    (
        pipeline(build(outputs=["x"]), stage={"before_entry": gate("FAIL", rule(input_artifacts=[{"name": "x"}]))}),
        f"{GATE}.rules[0].input_artifacts[0].name",
        "which is not before",
    ),
    # providers
    (
        {"name": "p", "stages": [{"name": "a", "actions": [source(outputs=[])]}, {"name": "b", "actions": [manual()]}]},
        "stages[0].actions[0].output_artifacts",
        "has 0, a CodeStarSourceConnection action of category Source has 1",
    ),
    (pipeline(build(inputs=[])), f"{BUILD}.input_artifacts", "has 0, a CodeBuild action of category Build has 1 to 5"),
    (pipeline(build(outputs=texts(6))), f"{BUILD}.output_artifacts", "has 6, a CodeBuild action"),
    (
        pipeline(manual(inputs=["source"])),
        f"{BUILD}.input_artifacts",
        "has 1, a Manual action of category Approval has 0",
    ),
    (pipeline(manual(outputs=["a"])), f"{BUILD}.output_artifacts", "has 1, a Manual action of category Approval has 0"),
    (pipeline(action("a", "Deploy", "ServiceCatalog")), f"{BUILD}.input_artifacts", "has 0, a ServiceCatalog action"),
    (
        pipeline(action("a", "Build", "Jenkins", owner="Custom", outputs=texts(6))),
        f"{BUILD}.output_artifacts",
        "has 6, a Jenkins action of category Build has 0 to 5",
    ),
    (
        {"name": "p", "stages": [{"name": "a", "actions": [source(configuration=None)]}, TWO[1]]},
        "stages[0].actions[0].configuration.BranchName",
        "must be given; a CodeStarSourceConnection action needs ConnectionArn, FullRepositoryId, BranchName",
    ),
    *(
        (
            {
                "name": "p",
                "stages": [{"name": "a", "actions": [action("S", "Source", name, outputs=["source"])]}, TWO[1]],
            },
            f"stages[0].actions[0].configuration.{key}",
            f"must be given; a {name} action needs",
        )
        for name, keys in (
            ("CodeCommit", ("RepositoryName", "BranchName")),
            ("ECR", ("RepositoryName",)),
            ("GitHub", ("Owner", "Repo", "Branch")),
            ("S3", ("S3Bucket", "S3ObjectKey")),
        )
        for key in keys
    ),
    *(
        (
            pipeline(action("a", category, name, inputs=["source"])),
            f"{BUILD}.configuration.{key}",
            f"must be given; a {name} action needs",
        )
        for category, name, keys in (
            ("Build", "CodeBuild", ("ProjectName",)),
            ("Test", "CodeBuild", ("ProjectName",)),
            ("Deploy", "CloudFormation", ("ActionMode", "StackName")),
            ("Deploy", "CodeDeploy", ("ApplicationName", "DeploymentGroupName")),
            ("Deploy", "ECS", ("ClusterName", "ServiceName")),
            ("Deploy", "ElasticBeanstalk", ("ApplicationName", "EnvironmentName")),
            ("Deploy", "S3", ("BucketName", "Extract")),
            ("Invoke", "Lambda", ("FunctionName",)),
            ("Invoke", "StepFunctions", ("StateMachineArn",)),
        )
        for key in keys
    ),
    (
        pipeline(action("a", "Deploy", "S3", inputs=["source"], configuration={"BucketName": "b", "Extract": False})),
        f"{BUILD}.configuration.ObjectKey",
        "must be given where Extract is false",
    ),
    (
        pipeline(build("a", outputs=["x"]), build("b", inputs=["source", "x"], run_order=2)),
        "stages[1].actions[1].configuration.PrimarySource",
        "must be given with several input artifacts, one of source, x",
    ),
    (
        pipeline(build_with(PrimarySource="x")),
        f"{BUILD}.configuration.PrimarySource",
        "'x' is no input artifact; those are source",
    ),
    *(
        (pipeline(build_with(EnvironmentVariables=text)), f"{BUILD}.configuration.EnvironmentVariables{at}", words)
        for text, at, words in (
            ("A=1", "", "is no JSON"),
            ("{}", "", "must be a JSON list of objects with name, value and type"),
            ("[1]", "[0]", "must be an object with name, value"),
            ('[{"name": "a"}]', "[0]", "must be an object with name, value"),
            ('[{"name": "a", "value": "b", "type": "TEXT"}]', "[0].type", "'TEXT' is not allowed: PLAINTEXT"),
        )
    ),
    (
        pipeline(build_with(EnvironmentVariables=[{"name": "a"}])),
        f"{BUILD}.configuration.EnvironmentVariables[0]",
        "must be an object with name, value and, optionally, type",
    ),
    (
        pipeline(manual(configuration={"CustomData": "x" * 1001})),
        f"{BUILD}.configuration.CustomData",
        "the value has 1001 characters, at most 1000",
    ),
    (pipeline(manual(configuration={"k" * 51: "v"})), f"{BUILD}.configuration.{'k' * 51}", "has 51 characters"),
    # numbers
    (pipeline(build(run_order=0)), f"{BUILD}.run_order", "0 is not between 1 and 999"),
    (pipeline(manual(run_order=1000)), f"{BUILD}.run_order", "1000 is not between 1 and 999"),
    (pipeline(manual(timeout_in_minutes=4)), f"{BUILD}.timeout_in_minutes", "4 is not between 5 and 86400"),
    (pipeline(manual(timeout_in_minutes=86401)), f"{BUILD}.timeout_in_minutes", "86401 is not between"),
    (pipeline(build(timeout_in_minutes=9)), f"{BUILD}.timeout_in_minutes", "is allowed for manual approvals only"),
    # Compute
    (pipeline(build(commands=["a"])), f"{BUILD}.commands", "is allowed for actions of category Compute only"),
    (pipeline(build(output_variables=["a"])), f"{BUILD}.output_variables", "category Compute only"),
    (
        pipeline(build(output_artifacts=[{"name": "a", "files": ["b"]}])),
        f"{BUILD}.output_artifacts[0].files",
        "category Compute only",
    ),
    (pipeline(commands(commands=[])), f"{BUILD}.commands", "must be given, 1 to 50; a Commands action needs them"),
    (pipeline(commands(commands=texts(51))), f"{BUILD}.commands", "has 51 elements, at most 50"),
    (pipeline(commands(commands=["a", ""])), f"{BUILD}.commands[1]", "is empty, 1 to 1000 characters are allowed"),
    (pipeline(commands(commands=["a" * 1001])), f"{BUILD}.commands[0]", "has 1001 characters, at most 1000"),
    (pipeline(commands(output_variables=texts(16))), f"{BUILD}.output_variables", "has 16 elements, at most 15"),
    (pipeline(commands(output_variables=["a" * 129])), f"{BUILD}.output_variables[0]", "at most 128"),
    (
        pipeline(commands(output_artifacts=[{"name": "a", "files": texts(11)}])),
        f"{BUILD}.output_artifacts[0].files",
        "has 11 elements, at most 10",
    ),
    (
        pipeline(commands(output_artifacts=[{"name": "a", "files": ["b" * 129]}])),
        f"{BUILD}.output_artifacts[0].files[0]",
        "at most 128",
    ),
    *(
        (pipeline(commands(environment_variables=variables)), f"{BUILD}.environment_variables{at}", words)
        for variables, at, words in (
            ([{"name": "a-b", "value": "v"}], "[0].name", "'a-b' is not allowed: a-z A-Z 0-9 and _"),
            ([{"name": "a", "value": ""}], "[0].value", "is empty, 1 to 2000"),
            ([{"name": "a", "value": "v" * 2001}], "[0].value", "at most 2000"),
            ([{"name": "a", "value": "v"}] * 2, "[1].name", f"'a' is also {BUILD}.environment_variables[0].name"),
            ([{"name": name, "value": "v"} for name in texts(11)], "", "has 11 elements, at most 10"),
        )
    ),
    # references
    (
        pipeline(manual(configuration={"CustomData": "#{Plan.SUMMARY}"})),
        f"{BUILD}.configuration.CustomData",
        "#{Plan.SUMMARY} has a namespace that no earlier action has; known here are codepipeline, variables",
    ),
    (
        pipeline(build("a", namespace="A"), build("b", configuration={"ProjectName": "#{A.name}"})),
        "stages[1].actions[1].configuration.ProjectName",
        "#{A.name} has a namespace that no earlier action has",
    ),
    (
        pipeline(stage={"before_entry": gate("FAIL", rule(configuration={"FunctionName": "#{A.b}"}))}),
        f"{GATE}.rules[0].configuration.FunctionName",
        "#{A.b} has a namespace that no earlier action has",
    ),
    (
        pipeline(build_with(EnvironmentVariables='[{"name": "a", "value": "#{variables.b}"}]'), variables=names(1)),
        f"{BUILD}.configuration.EnvironmentVariables",
        "#{variables.b} is no variable of the pipeline; variables has text0",
    ),
    (pipeline(build_with(X="#{variables.b}"), variables=[]), f"{BUILD}.configuration.X", "variables has none"),
    # conditions
    (
        pipeline(stage={"before_entry": gate("ROLLBACK")}),
        f"{GATE}.result",
        "ROLLBACK is not allowed in before_entry: FAIL, SKIP",
    ),
    (
        pipeline(stage={"on_success": gate("SKIP")}),
        "stages[1].on_success.conditions[0].result",
        "SKIP is not allowed in on_success: ROLLBACK, FAIL",
    ),
    (
        pipeline(stage={"on_failure": gate("FAIL")}),
        "stages[1].on_failure.conditions[0].result",
        "FAIL is not allowed in on_failure: ROLLBACK",
    ),
    (pipeline(stage={"on_failure": {"result": "SKIP"}}), "stages[1].on_failure.result", "SKIP is not allowed"),
    (
        pipeline(stage={"on_failure": {"result": "ROLLBACK", "retry_configuration": {"retry_mode": "ALL_ACTIONS"}}}),
        "stages[1].on_failure.retry_configuration",
        "is allowed with the result RETRY only",
    ),
    (
        pipeline(stage={"on_failure": {"result": "RETRY", **gate("ROLLBACK")}}),
        "stages[1].on_failure.conditions",
        "cannot be given together with the result RETRY",
    ),
    (
        pipeline(stage={"before_entry": {"conditions": gate()["conditions"] * 2}}),
        "stages[1].before_entry.conditions",
        "has 2 elements, at most 1",
    ),
    (
        pipeline(stage={"before_entry": gate("FAIL", *({**rule(), "name": name} for name in texts(6)))}),
        f"{GATE}.rules",
        "has 6 elements, at most 5",
    ),
    *(
        (pipeline(stage={"before_entry": gate(result, *rules)}), f"{GATE}.rules{at}", words)
        for result, rules, at, words in (
            ("FAIL", [rule(), rule()], "[1].name", f"'Rule' is also {GATE}.rules[0].name; names of rules must differ"),
            ("FAIL", [rule(name="a b")], "[0].name", "'a b' is not allowed"),
            (
                "SKIP",
                [rule("Commands", commands=["a"])],
                "[0].rule_type_id.provider",
                "Commands cannot lead to the result SKIP, LambdaInvoke and VariableCheck can",
            ),
            (
                "FAIL",
                [rule("CloudWatchAlarm")],
                "[0].configuration.AlarmName",
                "a CloudWatchAlarm rule needs AlarmName",
            ),
            ("FAIL", [rule("CodeBuild")], "[0].configuration.ProjectName", "a CodeBuild rule needs ProjectName"),
            ("FAIL", [rule("DeploymentWindow")], "[0].configuration.Cron", "a DeploymentWindow rule needs Cron"),
            ("FAIL", [rule("LambdaInvoke", configuration={})], "[0].configuration.FunctionName", "must be given"),
            ("FAIL", [rule("VariableCheck")], "[0].configuration.Value", "needs Operator, Value, Variable"),
            ("FAIL", [rule("Commands")], "[0].commands", "must be given, 1 to 50; a Commands rule needs them"),
            ("FAIL", [rule("Commands", commands=[""])], "[0].commands[0]", "is empty"),
            ("FAIL", [rule(commands=["a"])], "[0].commands", "is allowed for Commands rules only"),
            ("FAIL", [rule(timeout_in_minutes=1)], "[0].timeout_in_minutes", "1 is not between 5 and 86400"),
            ("FAIL", [rule(role_arn="r")], "[0].role_arn", "the ARN of an IAM role"),
            ("FAIL", [rule(region="EU")], "[0].region", "the name of a region"),
            (
                "FAIL",
                [rule(rule_type_id={"provider": "Commands", "version": "1.0"}, commands=["a"])],
                "[0].rule_type_id.version",
                "'1.0' is not",
            ),
            (
                "FAIL",
                [rule(configuration={"FunctionName": "f", "UserParameters": "x" * 10001})],
                "[0].configuration.UserParameters",
                "at most 10000",
            ),
        )
    ),
    # stores
    ({"name": "p", "artifact_store": {"location": "a_b"}}, "artifact_store.location", "3 to 63 of"),
    (
        {"name": "p", "artifact_store": {"encryption_key": {"id": "k" * 401}}},
        "artifact_store.encryption_key.id",
        "at most 400",
    ),
    *(
        ({"name": "p", "artifact_stores": {REGION: store}}, f"artifact_stores.{REGION}{at}", words)
        for store, at, words in (
            (None, "", "must be a dictionary with location, the name of a bucket"),
            ("bucket", "", "must be a dictionary with location"),
            ({}, "", "must be a dictionary with location"),
            ({"location": ""}, "", "must be a dictionary with location"),
            ({"location": "bucket", "bucket": "b"}, ".bucket", "unknown, allowed are type, location, encryption_key"),
            ({"location": "a_b"}, ".location", "3 to 63 of"),
            ({"location": "bucket", "type": "EFS"}, ".type", "'EFS' is not allowed: S3"),
            ({"location": "bucket", "encryption_key": "k"}, ".encryption_key", "must be a dictionary with id"),
            (
                {"location": "bucket", "encryption_key": {"type": "KMS"}},
                ".encryption_key",
                "must be a dictionary with id",
            ),
            (
                {"location": "bucket", "encryption_key": {"id": "k", "arn": "a"}},
                ".encryption_key",
                "nothing else but type",
            ),
            (
                {"location": "bucket", "encryption_key": {"id": "k", "type": "x"}},
                ".encryption_key.type",
                "not allowed: KMS",
            ),
        )
    ),
    (
        {"name": "p", "artifact_stores": {"Frankfurt": {"location": "bucket"}, REGION: {"location": "bucket"}}},
        "artifact_stores.Frankfurt",
        "the name of a region",
    ),
    (
        {"name": "p", "artifact_store": {"location": "bucket"}, "artifact_stores": {REGION: {"location": "bucket"}}},
        "artifact_stores",
        "cannot be given together with artifact_store",
    ),
    (
        {"name": "p", "artifact_stores": {"us-east-1": {"location": "bucket"}}},
        "artifact_stores",
        f"has no store for {REGION}, the pipeline's own region",
    ),
    (
        pipeline(build(region="us-east-1"), artifact_stores={REGION: {"location": "bucket"}}),
        f"{BUILD}.region",
        f"artifact_stores has no store for us-east-1, it has {REGION}",
    ),
    (
        pipeline(build(region="us-east-1"), artifact_store={"location": "bucket"}),
        f"{BUILD}.region",
        f"us-east-1 is not the pipeline's, {REGION}; that needs artifact_stores for both",
    ),
    (pipeline(build(region="us-east-1"), artifact_stores={}), f"{BUILD}.region", "that needs artifact_stores for both"),
    # type V1
    (pipeline(pipeline_type="V1", variables=names(1)), "variables", "V2 only, and pipeline_type is V1"),
    (pipeline(pipeline_type="V1", triggers=git()), "triggers", "V2 only, and pipeline_type is V1"),
    (
        {"name": "p", "pipeline_type": "V1", "execution_mode": "QUEUED"},
        "execution_mode",
        "QUEUED is allowed for pipelines",
    ),
    ({"name": "p", "pipeline_type": "V1", "execution_mode": "PARALLEL"}, "execution_mode", "PARALLEL is allowed"),
    (pipeline(pipeline_type="V1", stage={"before_entry": gate()}), "stages[1].before_entry", "V2 only"),
    (pipeline(pipeline_type="V1", stage={"on_success": gate()}), "stages[1].on_success", "V2 only"),
    (pipeline(pipeline_type="V1", stage={"on_failure": {"result": "RETRY"}}), "stages[1].on_failure", "V2 only"),
    (
        pipeline(commands(), pipeline_type="V1"),
        f"{BUILD}.action_type_id.provider",
        "Commands is allowed for pipelines of",
    ),
    (
        pipeline(action("a", "Build", "ECRBuildAndPublish", inputs=["source"]), pipeline_type="V1"),
        f"{BUILD}.action_type_id.provider",
        "ECRBuildAndPublish is allowed for pipelines of type V2 only",
    ),
    (
        pipeline(execution_mode="PARALLEL", stage={"on_failure": {"result": "ROLLBACK"}}),
        "stages[1].on_failure.result",
        "ROLLBACK is not allowed where execution_mode is PARALLEL",
    ),
    (
        pipeline(execution_mode="PARALLEL", stage={"on_failure": gate("ROLLBACK")}),
        "stages[1].on_failure.conditions[0].result",
        "ROLLBACK is not allowed where execution_mode is PARALLEL",
    ),
    # variables
    *(
        ({"name": "p", "variables": variables}, f"variables{at}", words)
        for variables, at, words in (
            ([{"name": "a.b"}], "[0].name", "'a.b' is not allowed: a-z A-Z 0-9 @ - and _"),
            ([{"name": "a" * 129}], "[0].name", "at most 128"),
            (
                [{"name": "a"}, {"name": "a"}],
                "[1].name",
                "'a' is also variables[0].name; names of variables must differ",
            ),
            (names(51), "", "has 51 elements, at most 50"),
            ([{"name": "a", "default_value": "x" * 1001}], "[0].default_value", "at most 1000"),
            ([{"name": "a", "description": "x" * 201}], "[0].description", "at most 200"),
        )
    ),
    # triggers
    (
        {"name": "p", "triggers": git() * 2},
        "triggers[1].git_configuration.source_action_name",
        "a source action has one",
    ),
    (
        {"name": "p", "triggers": [{"git_configuration": {"source_action_name": name}} for name in texts(51)]},
        "triggers",
        "has 51 elements, at most 50",
    ),
    (
        {"name": "p", "triggers": [{"git_configuration": {"source_action_name": None, "push": []}}]},
        "triggers[0].git_configuration.source_action_name",
        "must be given",
    ),
    (
        pipeline(triggers=[{"git_configuration": {"source_action_name": "Build"}}]),
        "triggers[0].git_configuration.source_action_name",
        "'Build' is no source action with the provider CodeStarSourceConnection; allowed are Source",
    ),
    (
        pipeline(
            triggers=git(),
            stages=[
                {
                    "name": "a",
                    "actions": [
                        action("Source", "Source", "ECR", outputs=["source"], configuration={"RepositoryName": "r"})
                    ],
                },
                TWO[1],
            ],
        ),
        "triggers[0].git_configuration.source_action_name",
        "'Source' is no source action with the provider CodeStarSourceConnection; allowed are none",
    ),
    *(
        ({"name": "p", "triggers": git(**events)}, f"triggers[0].git_configuration.{at}", words)
        for events, at, words in (
            ({"push": [{"branches": {"includes": ["a"]}}] * 4}, "push", "has 4 elements, at most 3"),
            ({"pull_request": [{"events": ["OPEN"]}] * 4}, "pull_request", "has 4 elements, at most 3"),
            (
                {"push": [{"branches": {"includes": texts(9)}}]},
                "push[0].branches.includes",
                "has 9 elements, at most 8",
            ),
            ({"push": [{"tags": {"excludes": ["a" * 256]}}]}, "push[0].tags.excludes[0]", "at most 255"),
            ({"push": [{"tags": {"excludes": [""]}}]}, "push[0].tags.excludes[0]", "is empty, 1 to 255"),
            (
                {"pull_request": [{"branches": {"includes": ["a"]}, "file_paths": {"excludes": texts(9)}}]},
                "pull_request[0].file_paths.excludes",
                "has 9 elements",
            ),
            (
                {"push": [{"tags": {"includes": ["v*"]}, "branches": {"includes": ["main"]}}]},
                "push[0].tags",
                "cannot be combined with branches or file_paths",
            ),
            (
                {"push": [{"tags": {"includes": ["v*"]}, "file_paths": {"includes": ["a"]}}]},
                "push[0].tags",
                "cannot be combined with branches or file_paths",
            ),
        )
    ),
    # tags
    ({"name": "p", "tags": {"AWS:x": "1"}}, "tags.AWS:x", "only AWS sets tags that begin with aws:"),
    ({"name": "p", "tags": {"k" * 129: "1"}}, f"tags.{'k' * 129}", "at most 128"),
    ({"name": "p", "tags": {"": "1"}}, "tags.", "is empty, 1 to 128"),
    ({"name": "p", "tags": {"k": "v" * 257}}, "tags.k", "the value has 257 characters, at most 256"),
    ({"name": "p", "tags": dict.fromkeys(texts(51), "1")}, "tags", "has 51 elements, at most 50"),
]

WHOLE: list[tuple[Settings, str, str]] = [
    (pipeline(), "artifact_store", "must be given, or artifact_stores"),
    (pipeline(artifact_store={"type": "S3"}), "artifact_store.location", "must be given, the name of a bucket"),
    (
        pipeline(artifact_store={"location": "bucket", "encryption_key": {"type": "KMS"}}),
        "artifact_store.encryption_key.id",
        "must be given",
    ),
    (
        pipeline(artifact_store={"location": "bucket"}, artifact_stores={REGION: {"location": "bucket"}}),
        "artifact_stores",
        "cannot be given together with artifact_store; {} removes one",
    ),
    *(
        (pipeline(*actions, artifact_store={"location": "bucket"}, **options), at, words)
        for actions, options, at, words in (
            ([build(region="us-east-1")], {}, f"{BUILD}.region", "that needs artifact_stores for both"),
            ([build_with(X="#{variables.b}")], {}, f"{BUILD}.configuration.X", "variables has none"),
            ([], {"tags": dict.fromkeys(texts(51), "1")}, "tags", "has 51 elements, at most 50"),
            ([], {"pipeline_type": "V1", "triggers": git()}, "triggers", "pipeline_type is V1"),
            (
                [],
                {"execution_mode": "PARALLEL", "stage": {"on_failure": {"result": "ROLLBACK"}}},
                "stages[1].on_failure.result",
                "execution_mode is PARALLEL",
            ),
            (
                [],
                {"triggers": [{"git_configuration": {"source_action_name": "Old"}}]},
                "triggers[0].git_configuration.source_action_name",
                "'Old' is no source action",
            ),
        )
    ),
]


def found_with(problems: list[str], path: str) -> list[str]:
    return [problem for problem in problems if problem.startswith(f"{path}: ")]


@pytest.mark.parametrize(("item", "path", "words"), INPUT)
def test_bad_input_is_named_with_its_path(item: Settings, path: str, words: str) -> None:
    found = found_with(input_problems(item, region=REGION), path)

    assert len(found) == 1, input_problems(item, region=REGION)
    assert words in found[0]


@pytest.mark.parametrize(("whole", "path", "words"), WHOLE)
def test_conflicts_of_a_whole_pipeline_are_named_with_their_path(whole: Settings, path: str, words: str) -> None:
    (found,) = conflicts(whole, region=REGION)

    assert found.startswith(f"{path}: ")
    assert words in found


def test_everything_wrong_is_said_and_nothing_twice() -> None:
    found = input_problems(pipeline(build("a b", run_order=0), pipeline_type="V1", variables=names(1)), region=REGION)

    assert sorted(problem.split(":")[0] for problem in found) == [f"{BUILD}.name", f"{BUILD}.run_order", "variables"]


CROSS = {
    REGION: {"location": "bucket-1", "type": "S3"},
    "us-east-1": {"location": "bucket-2", "encryption_key": {"id": "k"}},
}
BOTH = {"includes": ["main"], "excludes": ["x"]}
RULES = [
    rule(
        configuration={"FunctionName": "f", "UserParameters": "#{SourceVariables.BranchName}"},
        input_artifacts=[{"name": "other"}],
        role_arn=ROLE,
        region=REGION,
        timeout_in_minutes=5,
        rule_type_id={"category": "Rule", "owner": "AWS", "provider": "LambdaInvoke", "version": "1"},
    ),
    rule("Commands", name="Two", commands=["true"], configuration=None),
]
FULL: Settings = {
    "name": "a.B@c-d_e",
    "role_arn": ROLE,
    "artifact_stores": CROSS,
    "execution_mode": "QUEUED",
    "pipeline_type": "V2",
    "stages": [
        {
            "name": "Source",
            "blockers": [{"name": "b", "type": "Schedule"}],
            "actions": [source(namespace="SourceVariables"), source("Other", "other")],
            "on_failure": {"result": "RETRY", "retry_configuration": {"retry_mode": "FAILED_ACTIONS"}},
        },
        {
            "name": "Build",
            "before_entry": gate("FAIL", *RULES),
            "actions": [
                build(
                    inputs=["source", "other"],
                    outputs=["built"],
                    namespace="Build",
                    run_order=1,
                    role_arn=ROLE,
                    region="us-east-1",
                    configuration={
                        "ProjectName": "p",
                        "PrimarySource": "source",
                        "BatchEnabled": True,
                        "EnvironmentVariables": json.dumps(
                            [
                                {"name": "A", "value": "#{SourceVariables.CommitId}", "type": "PLAINTEXT"},
                                {"name": "B", "value": "#{variables.level}"},
                                {"name": "C", "value": "#{codepipeline.PipelineExecutionId}"},
                            ]
                        ),
                    },
                ),
                commands(
                    inputs=["built"],
                    run_order=2,
                    output_artifacts=[{"name": "made", "files": ["out/**"]}],
                    output_variables=["RESULT"],
                    environment_variables=[{"name": "A_1", "value": "#{unknown.here}", "type": "SECRETS_MANAGER"}],
                ),
            ],
            "on_success": gate("ROLLBACK", *RULES),
        },
        {
            "name": "Deploy",
            "actions": [
                manual(
                    timeout_in_minutes=60, configuration={"CustomData": "#{Build.SUMMARY} and #{ not one } # {x.y}"}
                ),
                action("Lambda", "Invoke", "Lambda", configuration={"FunctionName": "f"}, inputs=["made"], run_order=2),
                action(
                    "New", "Deploy", "Unheard", configuration={"X": "y"}, inputs=["made"], outputs=["o"], run_order=2
                ),
            ],
            "on_failure": {"result": "ROLLBACK", **gate("ROLLBACK", *RULES)},
        },
    ],
    "variables": [{"name": "level", "default_value": "info", "description": "of the log"}],
    "triggers": [
        {
            "provider_type": "CodeStarSourceConnection",
            "git_configuration": {
                "source_action_name": "Source",
                "push": [
                    {"branches": BOTH, "file_paths": {"includes": ["a/**"]}},
                    {"tags": {"includes": ["v*"], "excludes": ["v0*"]}},
                    {"file_paths": {"excludes": ["docs/**"]}},
                ],
                "pull_request": [{"events": ["OPEN"], "branches": BOTH, "file_paths": BOTH}],
            },
        },
        {"git_configuration": {"source_action_name": "Other"}},
    ],
    "tags": {"stack": "network", "empty": "", "number": 1},
}
ONE_STORE = {"type": "S3", "location": "bucket", "encryption_key": {"id": "k", "type": "KMS"}}
OLD = pipeline(artifact_store=ONE_STORE, pipeline_type="V1", execution_mode="SUPERSEDED", variables=[], triggers=[])


def paths(value: Any, options: Settings, path: str = "") -> set[str]:
    """The options that a value uses."""
    if isinstance(value, list):
        return set().union(*(paths(element, options, path) for element in value))
    if not isinstance(value, dict):
        return set()
    used = {name for name in value if name in options}
    below = (paths(value[name], options[name].get("options", {}), f"{path}.{name}") for name in used)
    return {f"{path}.{name}" for name in used}.union(*below)


def every(options: Settings, path: str = "") -> set[str]:
    """All options there are."""
    below = (every(option.get("options", {}), f"{path}.{name}") for name, option in options.items())
    return {f"{path}.{name}" for name in options}.union(*below)


def test_the_good_pipelines_use_every_option() -> None:
    assert every(OPTIONS) == paths(FULL, OPTIONS) | paths(OLD, OPTIONS)


@pytest.mark.parametrize("whole", [FULL, OLD], ids=["full", "V1"])
def test_nothing_is_said_of_good_pipelines(whole: Settings) -> None:
    before = copy.deepcopy(whole)

    assert input_problems(whole, region=REGION) == []
    assert conflicts(whole, region=REGION) == []
    assert input_problems(whole) == []
    assert conflicts(whole) == []
    assert whole == before


@pytest.mark.parametrize(
    "item",
    [
        dict.fromkeys(OPTIONS) | {"name": "p"},
        pipeline(build_with(X="#{variables.known_to_aws}")),
        pipeline(build(region="us-east-1")),  # AWS may have artifact_stores
        pipeline(commands(), stage={"before_entry": gate("SKIP")}),  # and type V2
        pipeline(build_with(X="#{SourceVariables.Y}"), stages=None),
        {"name": "p", "triggers": git(push=[{"tags": {"includes": ["v*"]}}])},
        {"name": "p", "artifact_store": {"encryption_key": {"id": "k"}}},
        {"name": "p", "artifact_store": {}, "artifact_stores": CROSS},
        {"name": "p", "artifact_store": {"location": "bucket"}, "artifact_stores": {}},
        {"name": "p", "execution_mode": "PARALLEL", "pipeline_type": "V2"},
        pipeline(build_with(EnvironmentVariables="#{SourceVariables.All}"), stages=None),
        pipeline(manual(configuration={"CustomData": "${x} #{} #{x} #{a b.c}"})),
    ],
)
def test_nothing_is_said_of_what_aws_may_have(item: Settings) -> None:
    assert input_problems(item, region=REGION) == []


def test_a_reference_may_stand_for_the_variables_or_the_primary_source() -> None:
    first = source(namespace="S")
    references = {"ProjectName": "p", "EnvironmentVariables": "#{S.All}", "PrimarySource": "#{S.Which}"}
    stages = [{"name": "a", "actions": [first]}, {"name": "b", "actions": [build(configuration=references)]}]

    assert input_problems({"name": "p", "stages": stages}) == []


TEXTS = st.sampled_from(["", "a", "b", "#{a.b}", "#{variables.a}", "a" * 150, "[1]", "\n", REGION])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(items(OPTIONS, TEXTS))
def test_no_input_makes_the_rules_fail(item: Settings) -> None:
    for region in (None, REGION):
        assert all(": " in problem for problem in input_problems(item, region=region))
        # Merged settings lack what is None; whatever else is wrong was said before.
        assert all(": " in problem for problem in conflicts(prune(item, {"options": OPTIONS}), region=region))
