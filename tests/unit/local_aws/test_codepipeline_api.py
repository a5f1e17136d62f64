# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CodePipeline's API: AWS's defaults, versions, tags, pages, error codes, and the permissions of the caller."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from local_aws.aws_json import service_model
from tests.unit.local_aws.support import (
    ACCOUNT,
    REGION,
    Keys,
    LocalAws,
    allow,
    approval_action,
    condition,
    rule,
    source_action,
    unique,
)

CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def role(local_aws: LocalAws) -> str:
    """A role that CodePipeline may assume, and that may do nothing."""
    return local_aws.role(unique("role"), "codepipeline.amazonaws.com")


@pytest.fixture
def minimal(role: str) -> dict[str, Any]:
    """The least a pipeline needs; its source fails, which these tests do not mind."""
    return {
        "name": unique("pipe"),
        "roleArn": role,
        "artifactStore": {"type": "S3", "location": "a-bucket"},
        "stages": [
            {"name": "Source", "actions": [source_action(CONNECTION, "example/none")]},
            {"name": "Approve", "actions": [approval_action()]},
        ],
    }


@pytest.fixture
def api(local_aws: LocalAws) -> Any:
    return local_aws.client("codepipeline", parameter_validation=False)


def code(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    """The error code and message of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_server_defaults_are_folded_in(api: Any, minimal: dict[str, Any]) -> None:
    del minimal["stages"][1]["actions"][0]["configuration"]
    created = api.create_pipeline(pipeline=minimal, tags=[{"key": "a", "value": "b"}])
    assert created["tags"] == [{"key": "a", "value": "b"}]
    found = api.get_pipeline(name=minimal["name"])
    expected = copy.deepcopy(minimal) | {"version": 1, "executionMode": "SUPERSEDED", "pipelineType": "V1"}
    expected["stages"][0]["actions"][0] |= {"runOrder": 1, "inputArtifacts": []}
    expected["stages"][1]["actions"][0] |= {
        "runOrder": 1,
        "configuration": {},
        "inputArtifacts": [],
        "outputArtifacts": [],
    }
    assert found["pipeline"] == created["pipeline"] == expected
    assert found["metadata"]["pipelineArn"] == f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{minimal['name']}"
    report = ParamValidator().validate(
        found["pipeline"], service_model("codepipeline").shape_for("PipelineDeclaration")
    )
    assert not report.has_errors()


def test_a_source_without_a_declared_trigger_shows_the_one_it_has(api: Any, minimal: dict[str, Any]) -> None:
    configuration = minimal["stages"][0]["actions"][0]["configuration"]
    configuration.pop("DetectChanges", None)
    assert "triggers" not in api.create_pipeline(pipeline=minimal)["pipeline"]

    updated = api.update_pipeline(pipeline=minimal | {"pipelineType": "V2", "triggers": []})["pipeline"]
    (trigger,) = updated["triggers"]
    assert trigger["gitConfiguration"] == {
        "sourceActionName": minimal["stages"][0]["actions"][0]["name"],
        "push": [{"branches": {"includes": [configuration["BranchName"]]}}],
    }
    assert api.get_pipeline(name=minimal["name"])["pipeline"] == updated

    configuration["DetectChanges"] = "false"
    updated = api.update_pipeline(pipeline=minimal | {"pipelineType": "V2"})["pipeline"]
    assert not updated.get("triggers")


def test_v2_fields_are_kept(api: Any, minimal: dict[str, Any]) -> None:
    minimal |= {
        "pipelineType": "V2",
        "executionMode": "QUEUED",
        "variables": [{"name": "who", "description": "somebody"}],
        "triggers": [
            {
                "providerType": "CodeStarSourceConnection",
                "gitConfiguration": {
                    "sourceActionName": "Checkout",
                    "push": [{"branches": {"includes": ["main"]}}],
                    "pullRequest": [{"events": ["OPEN"], "branches": {"includes": ["main"]}}],
                },
            }
        ],
    }
    minimal["stages"][1] |= {"onFailure": {"result": "ROLLBACK"}, "blockers": []}
    minimal["stages"][1]["actions"][0]["timeoutInMinutes"] = 10
    created = api.create_pipeline(pipeline=minimal)["pipeline"]
    assert {key: created[key] for key in ("pipelineType", "executionMode", "variables", "triggers")} == {
        key: minimal[key] for key in ("pipelineType", "executionMode", "variables", "triggers")
    }
    assert created["stages"][1]["onFailure"] == {"result": "ROLLBACK"}
    assert created["stages"][1]["actions"][0]["timeoutInMinutes"] == 10


def test_the_version_goes_up_only_with_a_change(api: Any, minimal: dict[str, Any]) -> None:
    created = api.create_pipeline(pipeline=minimal)["pipeline"]
    assert api.update_pipeline(pipeline=minimal)["pipeline"]["version"] == 1
    assert api.update_pipeline(pipeline=created | {"version": 7})["pipeline"]["version"] == 1
    changed = minimal | {"executionMode": "SUPERSEDED", "pipelineType": "V2"}
    assert api.update_pipeline(pipeline=changed)["pipeline"]["version"] == 2
    assert api.get_pipeline(name=minimal["name"], version=1)["pipeline"] == created
    assert code(api.get_pipeline, name=minimal["name"], version=3)[0] == "PipelineVersionNotFoundException"


def test_names_are_unique_and_must_exist(api: Any, minimal: dict[str, Any]) -> None:
    api.create_pipeline(pipeline=minimal)
    assert code(api.create_pipeline, pipeline=minimal)[0] == "PipelineNameInUseException"
    api.delete_pipeline(name=minimal["name"])
    api.delete_pipeline(name=minimal["name"])
    for call, arguments in (
        (api.get_pipeline, {"name": minimal["name"]}),
        (api.update_pipeline, {"pipeline": minimal}),
        (api.get_pipeline_state, {"name": minimal["name"]}),
        (api.start_pipeline_execution, {"name": minimal["name"]}),
    ):
        assert code(call, **arguments)[0] == "PipelineNotFoundException"


def test_regions_are_apart(local_aws: LocalAws, api: Any, minimal: dict[str, Any]) -> None:
    api.create_pipeline(pipeline=minimal)
    elsewhere = local_aws.client("codepipeline", region="us-east-1")
    assert code(elsewhere.get_pipeline, name=minimal["name"])[0] == "PipelineNotFoundException"


def test_pipelines_are_listed_in_pages(local_aws: LocalAws, minimal: dict[str, Any]) -> None:
    api = local_aws.client("codepipeline", region="eu-west-1")
    names = sorted(unique("page") for _ in range(3))
    for name in names:
        api.create_pipeline(pipeline=minimal | {"name": name})
    pages = list(api.get_paginator("list_pipelines").paginate(PaginationConfig={"PageSize": 2}))
    assert [[item["name"] for item in page["pipelines"]] for page in pages] == [names[:2], names[2:]]
    assert code(api.list_pipelines, nextToken="nonsense")[0] == "InvalidNextTokenException"


def test_tags(local_aws: LocalAws, api: Any, minimal: dict[str, Any]) -> None:
    api.create_pipeline(pipeline=minimal, tags=[{"key": "a", "value": "1"}])
    arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{minimal['name']}"
    api.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": minimal["name"]}])
    api.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert api.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": minimal["name"]}]
    found = local_aws.client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "b", "Values": [minimal["name"]]}]
    )["ResourceTagMappingList"]
    assert [item["ResourceARN"] for item in found] == [arn]
    assert code(api.list_tags_for_resource, resourceArn=arn + "x")[0] == "ResourceNotFoundException"
    many = [{"key": f"k{number}", "value": ""} for number in range(50)]
    assert code(api.tag_resource, resourceArn=arn, tags=many)[0] == "TooManyTagsException"


def test_requests_are_validated_as_by_the_service_model(api: Any, minimal: dict[str, Any]) -> None:
    minimal["name"] = "not good"
    minimal["stages"][0]["actions"][0]["runOrder"] = 0
    minimal["artifactStore"]["type"] = "GCS"
    del minimal["roleArn"]
    error, message = code(api.create_pipeline, pipeline=minimal)
    assert error == "ValidationException"
    assert message.startswith("4 validation errors detected: ")
    failed = "failed to satisfy constraint: Member must"
    for part in (
        f"Value null at 'pipeline.roleArn' {failed} not be null",
        f"Value 'not good' at 'pipeline.name' {failed} satisfy regular expression pattern: [A-Za-z0-9.@\\-_]+",
        f"Value 'GCS' at 'pipeline.artifactStore.type' {failed} satisfy enum value set: [S3]",
        f"Value '0' at 'pipeline.stages.1.member.actions.1.member.runOrder' {failed} have value greater",
    ):
        assert part in message
    assert code(api.get_pipeline, name=3)[0] == "SerializationException"


def test_an_operation_that_is_missing_says_so(api: Any) -> None:
    assert code(api.list_webhooks) == ("NotImplementedException", "ListWebhooks is not part of local AWS")


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set one member of a pipeline; path like stages.0.name. None removes it."""

    def apply(pipeline: Any) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in parents:
            pipeline = pipeline[part]
        if value is None:
            del pipeline[last]
        else:
            pipeline[last] = value

    return apply


BUILD = {
    "name": "Plan",
    "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
    "configuration": {"ProjectName": "plan"},
    "inputArtifacts": [{"name": "SourceOutput"}],
}
STRUCTURE, ACTION = "InvalidStructureException", "InvalidActionDeclarationException"


@pytest.mark.parametrize(
    ("apply", "error", "message"),
    [
        (change("stages", []), STRUCTURE, "minimum of 2 stages"),
        (change("stages.1.name", "Source"), STRUCTURE, "Stage names must be unique"),
        (change("stages.0.actions", [approval_action()]), STRUCTURE, "only contains source actions"),
        (change("stages.1.actions", [source_action(CONNECTION, "a/b")]), STRUCTURE, "Only the first stage"),
        (change("stages.1.actions", []), STRUCTURE, "at least one action"),
        (change("stages.1.actions", [BUILD, BUILD]), STRUCTURE, "Action names must be unique"),
        (change("artifactStore", None), STRUCTURE, "exactly one of"),
        (change("artifactStores", {REGION: {"type": "S3", "location": "a-bucket"}}), STRUCTURE, "exactly one of"),
        (change("executionMode", "QUEUED"), STRUCTURE, "V1 do not support execution mode QUEUED"),
        (change("variables", [{"name": "a"}]), STRUCTURE, "V1 do not support variables"),
        (
            change("stages.1.actions.0.inputArtifacts", [{"name": "SourceOutput"}]),
            STRUCTURE,
            "more than the maximum of 0",
        ),
        (
            change("stages.1.actions", [BUILD | {"inputArtifacts": [{"name": "Nothing"}]}]),
            STRUCTURE,
            "declared 0 times as output artifact",
        ),
        (
            change("stages.1.actions", [BUILD | {"outputArtifacts": [{"name": "SourceOutput"}]}]),
            STRUCTURE,
            "must be unique within the pipeline. SourceOutput",
        ),
        (
            change(
                "stages.1.actions",
                [
                    BUILD | {"outputArtifacts": [{"name": "Out"}]},
                    BUILD | {"name": "Next", "inputArtifacts": [{"name": "Out"}]},
                ],
            ),
            STRUCTURE,
            "must be the output artifact of an action that runs before it",
        ),
        (change("stages.1.actions.0.actionTypeId.provider", "Nobody"), ACTION, "Provider: 'Nobody'"),
        (
            change("stages.1.actions", [BUILD | {"configuration": {}}]),
            ACTION,
            "missing required configuration 'ProjectName'",
        ),
        (change("stages.1.actions.0.configuration", {"Colour": "red"}), ACTION, "unknown configuration 'Colour'"),
        (
            change("stages.1.actions", [BUILD | {"configuration": {"ProjectName": "a", "EnvironmentVariables": "{"}}]),
            ACTION,
            "is not a JSON list",
        ),
        (
            change("stages.1.actions", [BUILD | {"configuration": {"ProjectName": "a", "PrimarySource": "x"}}]),
            ACTION,
            "PrimarySource 'x'",
        ),
        (
            change("stages.1.actions.0.configuration", {"CustomData": "#{nobody.Thing}"}),
            ACTION,
            "VariableReferenceText=[nobody.Thing]",
        ),
        (
            change("stages.0.actions.0.configuration.BranchName", "#{src.CommitId}"),
            ACTION,
            "a namespace that does not exist",
        ),
        (change("stages.0.actions.0.namespace", "variables"), ACTION, "reserved"),
    ],
)
def test_wrong_structures(
    apply: Callable[[dict[str, Any]], None], error: str, message: str, api: Any, minimal: dict[str, Any]
) -> None:
    good = copy.deepcopy(minimal)
    apply(minimal)
    found = code(api.create_pipeline, pipeline=minimal)
    assert found[0] == error
    assert message in found[1]
    api.create_pipeline(pipeline=good)
    assert code(api.update_pipeline, pipeline=minimal)[0] == error


CHECK = rule(Variable="#{src.BranchName}", Value="main", Operator="EQ")


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (change("stages.1.beforeEntry", condition("ROLLBACK", CHECK)), "valid here: FAIL, SKIP"),
        (change("stages.1.onSuccess", condition("SKIP", CHECK)), "valid here: FAIL, ROLLBACK"),
        (change("stages.1.onFailure", condition("RETRY", CHECK)), "valid here: ROLLBACK"),
        (change("stages.1.beforeEntry", {"conditions": [{"rules": [CHECK]}]}), "The result None of the condition"),
        (change("stages.1.beforeEntry", {"conditions": [{"result": "FAIL"}]}), "has no rules"),
        (
            change("stages.1.onFailure", condition("ROLLBACK", CHECK) | {"result": "RETRY"}),
            "RETRY in onFailure of stage Approve is not valid together with conditions",
        ),
        (
            change("stages.1.onFailure", {"result": "SKIP", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}}),
            "needs the result RETRY",
        ),
        (change("stages.0.onFailure", {"result": "ROLLBACK"}), "a source stage cannot be rolled back"),
        (change("stages.0.onSuccess", condition("ROLLBACK", CHECK)), "a source stage cannot be rolled back"),
        (change("stages.1.beforeEntry", condition("FAIL", CHECK, CHECK)), "Rule names must be unique within stage"),
        (
            change("stages.1.beforeEntry", condition("SKIP", rule("DeploymentWindow", Cron="* * * * * ?"))),
            "can only have rules of the providers LambdaInvoke, VariableCheck",
        ),
        (change("stages.1.beforeEntry", condition("FAIL", rule("Nobody"))), "Provider: 'Nobody'"),
        (
            change("stages.1.beforeEntry", condition("FAIL", rule(Variable="a", Value="b"))),
            "missing required configuration 'Operator'",
        ),
        (
            change("stages.1.beforeEntry", condition("FAIL", rule(Variable="a", Value="b", Operator="GT"))),
            "Operator 'GT' is none of EQ, NE, CONTAINS, MATCHES",
        ),
        (
            change("stages.1.beforeEntry", condition("FAIL", rule("CloudWatchAlarm", AlarmName="a", Colour="red"))),
            "unknown configuration 'Colour'",
        ),
        (
            change("stages.1.beforeEntry", condition("FAIL", rule("CloudWatchAlarm", AlarmName="a", WaitTime="1h"))),
            "WaitTime '1h' is not a number",
        ),
        (
            change(
                "stages.1.beforeEntry", condition("FAIL", rule("CloudWatchAlarm", AlarmName="a", AlarmStates="BAD"))
            ),
            "AlarmStates: 'BAD' is none of",
        ),
        (
            change("stages.1.beforeEntry", condition("FAIL", rule("DeploymentWindow", Cron="0 9 * * ?"))),
            "does not have 6 or 7 fields",
        ),
        (
            change(
                "stages.1.beforeEntry",
                condition("FAIL", rule("DeploymentWindow", Cron="* * * * * ?", TimeZone="Mars/Olympus")),
            ),
            "The time zone 'Mars/Olympus' is not known",
        ),
        (change("stages.1.beforeEntry", condition("FAIL", rule("Commands"))), "only those, have commands"),
        (
            change("stages.1.beforeEntry", condition("FAIL", CHECK | {"inputArtifacts": [{"name": "Nothing"}]})),
            "Nothing in rule Check is declared 0 times as output artifact",
        ),
    ],
)
def test_wrong_conditions(
    apply: Callable[[dict[str, Any]], None], message: str, api: Any, minimal: dict[str, Any]
) -> None:
    minimal["pipelineType"] = "V2"
    good = copy.deepcopy(minimal)
    apply(minimal)
    found = code(api.create_pipeline, pipeline=minimal)
    assert found[0] == STRUCTURE
    assert message in found[1]
    api.create_pipeline(pipeline=good)
    assert code(api.update_pipeline, pipeline=minimal)[0] == STRUCTURE


def test_conditions_are_kept(api: Any, minimal: dict[str, Any]) -> None:
    minimal |= {"pipelineType": "V2"}
    stage = {
        "beforeEntry": condition("SKIP", CHECK),
        "onSuccess": condition("FAIL", rule("DeploymentWindow", "Window", Cron="0 0 9-17 ? * MON-FRI *")),
        "onFailure": condition("ROLLBACK", rule("LambdaInvoke", "Ask", FunctionName="f") | {"timeoutInMinutes": 5}),
    }
    minimal["stages"][1] |= stage
    created = api.create_pipeline(pipeline=minimal)["pipeline"]["stages"][1]
    assert {place: created[place] for place in stage} == stage
    two = condition("FAIL", CHECK)["conditions"] * 2
    minimal["stages"][1]["beforeEntry"] = {"conditions": two}
    assert code(api.update_pipeline, pipeline=minimal)[0] == "ValidationException"


def test_conditions_have_their_limits(api: Any, minimal: dict[str, Any]) -> None:
    minimal["stages"][1]["onFailure"] = {"result": "RETRY"}
    assert "V1 do not support onFailure" in code(api.create_pipeline, pipeline=minimal)[1]
    minimal |= {"pipelineType": "V2", "executionMode": "PARALLEL"}
    minimal["stages"][1]["onFailure"] = {"result": "ROLLBACK"}
    assert "execution mode PARALLEL" in code(api.create_pipeline, pipeline=minimal)[1]
    del minimal["stages"][1]["onFailure"]
    # A variable is there after the action that makes it: for what follows the stage, not for its entry.
    minimal["stages"][0]["beforeEntry"] = condition("FAIL", CHECK)
    found = code(api.create_pipeline, pipeline=minimal)
    assert found[0] == ACTION
    assert "RuleName=[Check], RuleConfigurationKey=[Variable], VariableReferenceText=[src.BranchName]" in found[1]
    minimal["stages"][0]["onSuccess"] = minimal["stages"][0].pop("beforeEntry")
    api.create_pipeline(pipeline=minimal)


def test_the_role_of_a_rule_is_passed(local_aws: LocalAws, minimal: dict[str, Any]) -> None:
    other = local_aws.role(unique("role"), "codepipeline.amazonaws.com")
    minimal["pipelineType"] = "V2"
    minimal["stages"][1]["beforeEntry"] = condition("FAIL", CHECK | {"roleArn": other})
    rights = [allow(["codepipeline:CreatePipeline", "codeconnections:PassConnection"])]
    for roles, allowed in (([minimal["roleArn"]], False), ([minimal["roleArn"], other], True)):
        api = local_aws.client("codepipeline", local_aws.user(unique("user"), *rights, allow("iam:PassRole", roles)))
        if allowed:
            api.create_pipeline(pipeline=minimal)
        else:
            assert code(api.create_pipeline, pipeline=minimal)[0] == "AccessDeniedException"


def test_the_role_must_trust_codepipeline(local_aws: LocalAws, api: Any, minimal: dict[str, Any]) -> None:
    wrong = local_aws.role(unique("role"), "codebuild.amazonaws.com")
    elsewhere = local_aws.role(
        unique("role"), "codepipeline.amazonaws.com", condition={"StringEquals": {"aws:SourceAccount": "999999999999"}}
    )
    for arn in (wrong, elsewhere, wrong + "-gone"):
        assert code(api.create_pipeline, pipeline=minimal | {"roleArn": arn}) == (
            STRUCTURE,
            f"CodePipeline is not authorized to perform AssumeRole on role {arn}",
        )
    right = local_aws.role(
        unique("role"),
        "codepipeline.amazonaws.com",
        condition={
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{minimal['name']}"},
        },
    )
    api.create_pipeline(pipeline=minimal | {"roleArn": right})


def test_pass_role_and_resource_level_permissions(local_aws: LocalAws, minimal: dict[str, Any]) -> None:
    name, user = minimal["name"], unique("user")
    arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{name}"
    create = allow(["codepipeline:CreatePipeline", "codepipeline:UpdatePipeline"], arn)
    may_pass = allow(
        "codeconnections:PassConnection",
        CONNECTION,
        Condition={"StringEquals": {"codeconnections:PassedToService": "codepipeline.amazonaws.com"}},
    )

    def as_user(*statements: dict[str, Any]) -> Any:
        return local_aws.client("codepipeline", local_aws.user(user, *statements))

    assert "iam:PassRole" in code(as_user(create).create_pipeline, pipeline=minimal)[1]
    for service, works in (("codebuild.amazonaws.com", False), ("codepipeline.amazonaws.com", True)):
        api = as_user(
            create,
            may_pass,
            allow("iam:PassRole", minimal["roleArn"], Condition={"StringEquals": {"iam:PassedToService": service}}),
        )
        if works:
            api.create_pipeline(pipeline=minimal)
        else:
            assert code(api.create_pipeline, pipeline=minimal)[0] == "AccessDeniedException"
    error = code(api.create_pipeline, pipeline=minimal | {"name": name + "2"})
    api = as_user(create, allow("iam:PassRole"))
    assert "codeconnections:PassConnection" in code(api.update_pipeline, pipeline=minimal)[1]
    assert error[0] == "AccessDeniedException"
    assert error[1] == (
        f"User: arn:aws:iam::{ACCOUNT}:user/{user} is not authorized to perform: codepipeline:CreatePipeline on "
        f"resource: {arn}2 because no identity-based policy allows the codepipeline:CreatePipeline action"
    )
    transition = {"pipelineName": name, "stageName": "Approve", "transitionType": "Inbound"}
    assert code(api.enable_stage_transition, **transition)[0] == "AccessDeniedException"
    as_user(allow("codepipeline:EnableStageTransition", f"{arn}/Approve")).enable_stage_transition(**transition)
    approval = {
        "pipelineName": name,
        "stageName": "Approve",
        "actionName": "Ok",
        "token": "00000000-0000-0000-0000-000000000000",
        "result": {"status": "Approved", "summary": ""},
    }
    approver = as_user(allow("codepipeline:PutApprovalResult", f"{arn}/Approve/Ok"))
    assert code(approver.put_approval_result, **approval)[0] == "InvalidApprovalTokenException"
    assert code(approver.put_approval_result, **approval | {"actionName": "No"})[0] == "AccessDeniedException"


def test_request_tags_count(local_aws: LocalAws, minimal: dict[str, Any]) -> None:
    api = local_aws.client(
        "codepipeline",
        local_aws.user(
            unique("user"),
            allow(["iam:PassRole", "codestar-connections:PassConnection"]),
            allow("codepipeline:CreatePipeline", Condition={"StringEquals": {"aws:RequestTag/team": "a"}}),
        ),
    )
    assert code(api.create_pipeline, pipeline=minimal)[0] == "AccessDeniedException"
    api.create_pipeline(pipeline=minimal, tags=[{"key": "team", "value": "a"}])


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        (None, "MissingAuthenticationTokenException"),
        (("AKIAUNKNOWNUNKNOWNUN", "x"), "UnrecognizedClientException"),
        (("", "wrong"), "InvalidSignatureException"),
    ],
)
def test_requests_must_be_signed(keys: tuple[str, str] | None, error: str, local_aws: LocalAws) -> None:
    if keys is None:
        api = local_aws.client("codepipeline", signature_version=UNSIGNED)
    else:
        api = local_aws.client("codepipeline", Keys(keys[0] or local_aws.admin.access_key_id, keys[1]))
    assert code(api.list_pipelines)[0] == error
