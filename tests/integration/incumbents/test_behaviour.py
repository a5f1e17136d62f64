# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same scenario with community.aws's module and with ours. docs/module-comparison.md tells what comes out here.

What a test says of theirs is as much a fact as what it says of ours: it fails when they change it, and then the
document must change, too.
"""

from __future__ import annotations

import copy
import importlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.integration.modules.cases import Item, approval, source_stage
from tests.integration.modules.harness import ACCOUNT, REGION, TRUST, Account, ModuleFailed, World, unique

THEIR_PROJECT = "community.aws.codebuild_project"
THEIR_PIPELINE = "community.aws.codepipeline"


def their_project(world: World, name: str, **options: Any) -> Item:
    """A project as community.aws.codebuild_project takes it; their module accepts nested keys in either case."""
    return {
        "name": name,
        "description": "first",
        "source": {"type": "CODEPIPELINE", "buildspec": "one.yml"},
        "artifacts": {"type": "CODEPIPELINE"},
        "environment": {
            "type": "LINUX_CONTAINER",
            "compute_type": "BUILD_GENERAL1_SMALL",
            "image": "hashicorp/terraform:1.11.4",
            "environment_variables": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
        },
        "service_role": world.role,
        **options,
    }


def our_project(world: World, name: str, **options: Any) -> Item:
    """The same for gitops.aws.codebuild_projects."""
    return {"projects": [their_project(world, name, **options)]}


def camel_case(value: Any) -> Any:
    """Stages as their pipeline module takes them: every key in AWS's spelling, none of it filled in or converted."""
    if isinstance(value, list):
        return [camel_case(element) for element in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"category", "provider"}:
        value = {**value, "owner": "AWS", "version": "1"}
    return {
        head + "".join(word.capitalize() for word in tail): (
            {each: as_text(text) for each, text in element.items()} if key == "configuration" else camel_case(element)
        )
        for key, element in value.items()
        for head, *tail in [key.split("_")]
    }


def as_text(value: Any) -> str:
    """YAML's false as AWS writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def stages(world: World, *names: str) -> list[Item]:
    """A source and approvals, in the spelling of our modules."""
    return [source_stage(world), *map(approval, names or ("Approve",))]


def their_pipeline(world: World, name: str, *names: str, **options: Any) -> Item:
    """A pipeline as community.aws.codepipeline takes it."""
    return {
        "name": name,
        "role_arn": world.role,
        "artifact_store": {"type": "S3", "location": world.bucket},
        "stages": camel_case(stages(world, *names)),
        **options,
    }


def our_pipeline(world: World, name: str, *names: str, **options: Any) -> Item:
    """The same for gitops.aws.codepipelines."""
    one = {
        "name": name,
        "role_arn": world.role,
        "artifact_store": {"location": world.bucket},
        "stages": stages(world, *names),
    }
    return {"pipelines": [{**one, **options}]}


def stored_project(account: Account, name: str) -> Any:
    return account.client("codebuild").batch_get_projects(names=[name])["projects"][0]


def stored_pipeline(account: Account, name: str) -> Any:
    return account.client("codepipeline").get_pipeline(name=name)["pipeline"]


def failure(account: Account, module: str, **arguments: Any) -> dict[str, Any]:
    """What a module returns that must fail."""
    with pytest.raises(ModuleFailed) as failed:
        account.run(module, **arguments)
    return failed.value.result


@dataclass
class Pair:
    """A module of theirs and ours for the same, with what gives each the same resource.

    Attributes:
        role: the option that names the resource's role.
        updates: the call that writes the whole resource.
        result: the key of the resource in their result.
        plural: our option, and the key of the resources in our result.
    """

    theirs: str
    ours: str
    their_options: Callable[..., Item]
    our_options: Callable[..., Item]
    role: str
    updates: str
    result: str
    plural: str

    def __str__(self) -> str:
        return self.result


PROJECT = Pair(
    theirs=THEIR_PROJECT,
    ours="codebuild_projects",
    their_options=their_project,
    our_options=our_project,
    role="service_role",
    updates="codebuild:UpdateProject",
    result="project",
    plural="projects",
)
PIPELINE = Pair(
    theirs=THEIR_PIPELINE,
    ours="codepipelines",
    their_options=their_pipeline,
    our_options=our_pipeline,
    role="role_arn",
    updates="codepipeline:UpdatePipeline",
    result="pipeline",
    plural="pipelines",
)
both = pytest.mark.parametrize("pair", [PROJECT, PIPELINE], ids=str)


# --- both modules


@both
def test_converged_run(account: Account, world: World, pair: Pair) -> None:
    one, other = pair.their_options(world, unique("theirs")), pair.our_options(world, unique("ours"))
    account.run(pair.theirs, **one)
    account.run(pair.ours, **other)

    their_second, our_second = account.run(pair.theirs, **one), account.run(pair.ours, **other)

    assert their_second["mutations"] == [pair.updates]
    assert not their_second["changed"]
    assert our_second["mutations"] == []
    assert not our_second["changed"]


@both
def test_check_mode(account: Account, world: World, pair: Pair) -> None:
    one, other = unique("theirs"), unique("ours")

    their_check = account.run(pair.theirs, check=True, **pair.their_options(world, one))
    our_check = account.run(pair.ours, check=True, **pair.our_options(world, other))

    assert their_check["skipped"]
    assert not their_check.get("changed")
    assert their_check["api_calls"] == {}
    assert our_check["changed"]
    assert our_check["mutations"] == []
    assert our_check["resources"][other]["action"] == "created"


@both
def test_diff(account: Account, world: World, pair: Pair) -> None:
    one, other = unique("theirs"), unique("ours")

    their_result = account.run(pair.theirs, **pair.their_options(world, one))
    our_result = account.run(pair.ours, **pair.our_options(world, other))

    assert their_result["changed"]
    assert "diff" not in their_result
    assert our_result["diff"][0]["after"]["name"] == other


def documentation(module: str) -> ModuleType:
    """A module of theirs, for what it says about itself."""
    return importlib.import_module(f"ansible_collections.{module.replace('.aws.', '.aws.plugins.modules.')}")


def their_example(module: str) -> Item:
    """The one example of a module's documentation."""
    example: Item = yaml.safe_load(documentation(module).EXAMPLES)[0][module]
    return example


def test_documented_example_of_a_project(account: Account, world: World) -> None:
    example = {**their_example(THEIR_PROJECT), "region": REGION, "name": unique("theirs"), "service_role": world.role}
    assert example["environment"]["privilegedMode"] == "true"

    refused = failure(account, THEIR_PROJECT, **example)
    name = unique("ours")
    one = our_project(world, name)
    one["projects"][0]["environment"]["privileged_mode"] = "true"
    account.run("codebuild_projects", **one)

    assert "Invalid type for parameter environment.privilegedMode" in refused["msg"]
    assert refused["mutations"] == []
    assert stored_project(account, name)["environment"]["privilegedMode"] is True


def test_documented_example_of_a_pipeline() -> None:
    example = their_example(THEIR_PIPELINE)
    actions = [action for stage in example["stages"] for action in stage["actions"]]
    made = {artifact["name"] for action in actions for artifact in action.get("outputArtifacts", [])}
    taken = {artifact["name"] for action in actions for artifact in action.get("inputArtifacts", [])}

    assert actions[0]["configuration"]["OAuthToken"]
    assert actions[0]["actionTypeId"]["owner"] == "ThirdParty"
    assert taken - made == {"vod-api-app-build"}


@contextmanager
def role_that_comes_later(account: Account, after: float) -> Iterator[str]:
    """The ARN of a role that can be assumed only after a while, which is how a fresh role looks to AWS's services."""
    name = unique("fresh")
    iam = account.client("iam")
    made = threading.Timer(
        after, iam.create_role, [], {"RoleName": name, "AssumeRolePolicyDocument": json.dumps(TRUST)}
    )
    made.start()
    yield f"arn:aws:iam::{ACCOUNT}:role/{name}"
    made.join()


@both
def test_fresh_role(account: Account, world: World, pair: Pair) -> None:
    with role_that_comes_later(account, after=1) as role:
        refused = failure(account, pair.theirs, **pair.their_options(world, unique("theirs"), **{pair.role: role}))
    with role_that_comes_later(account, after=1) as role:
        begun = time.monotonic()
        made = account.run(pair.ours, **pair.our_options(world, unique("ours"), **{pair.role: role}))

    assert "AssumeRole" in refused["msg"]
    assert len(refused["mutations"]) == 1
    assert made["changed"]
    assert len(made["mutations"]) > 1
    assert time.monotonic() - begun < 10


@both
def test_own_result_given_back(account: Account, world: World, pair: Pair) -> None:
    one = pair.their_options(world, unique("theirs"), **({"tags": {"a": "1"}} if pair is PROJECT else {}))
    returned = account.run(pair.theirs, **one)[pair.result]
    our_returned = account.run(pair.ours, **pair.our_options(world, unique("ours"), tags={"a": "1"}))[pair.plural]

    whole = failure(account, pair.theirs, **returned)
    known = failure(account, pair.theirs, **{option: value for option, value in returned.items() if option in one})
    again = account.run(pair.ours, **{pair.plural: our_returned})

    assert "Unsupported parameters" in whole["msg"] or "Unknown parameter" in whole["msg"]
    assert ("'tags'" if pair is PROJECT else "Unknown parameter") in known["msg"]
    assert not again["changed"]


@both
def test_misspelt_sub_option(account: Account, world: World, pair: Pair) -> None:
    one, other = pair.their_options(world, unique("theirs")), pair.our_options(world, unique("ours"))
    if pair is PROJECT:
        one["environment"]["imag"] = other["projects"][0]["environment"]["imag"] = "x"
        path = "projects[0].environment.imag: there is no such option. Did you mean image?"
    else:
        one["stages"][1]["actions"][0]["runOrdr"] = 1
        other["pipelines"][0]["stages"][1]["actions"][0]["run_ordr"] = 1
        path = "pipelines[0].stages[1].actions[0].run_ordr: there is no such option. Did you mean run_order?"

    refused, refused_by_ours = failure(account, pair.theirs, **one), failure(account, pair.ours, **other)

    assert "Unknown parameter in" in refused["msg"]
    assert sum(refused["api_calls"].values()) == 1
    assert path in refused_by_ours["msg"]
    assert "api_calls" not in refused_by_ours


@both
def test_several_resources(account: Account, world: World, pair: Pair) -> None:
    several = [pair.their_options(world, unique("theirs")) for _ in range(3)]
    our_several: Item = {pair.plural: [pair.our_options(world, unique("ours"))[pair.plural][0] for _ in range(3)]}
    for one in several:
        account.run(pair.theirs, **one)
    account.run(pair.ours, **our_several)

    their_calls = [account.run(pair.theirs, **one)["api_calls"] for one in several]
    our_calls = account.run(pair.ours, **our_several)["api_calls"]

    assert [sum(calls.values()) for calls in their_calls] == [2, 2, 2]
    assert our_calls == ({"codebuild:BatchGetProjects": 1} if pair is PROJECT else {"codepipeline:GetPipeline": 3})


@both
def test_deletion(account: Account, world: World, pair: Pair) -> None:
    one, other = pair.their_options(world, unique("theirs")), pair.our_options(world, unique("ours"))
    account.run(pair.theirs, **one)
    account.run(pair.ours, **other)
    name: Item = {"name": one["name"]}
    our_name: Item = {pair.plural: [{"name": other[pair.plural][0]["name"]}]}

    if pair is PIPELINE:
        refused = failure(account, pair.theirs, state="absent", **name)
        assert "missing required arguments: artifact_store, role_arn, stages" in refused["msg"]
        name |= {"artifact_store": {}, "role_arn": "", "stages": []}
    deleted = account.run(pair.theirs, state="absent", **name)
    again = account.run(pair.theirs, state="absent", **name)
    our_deleted = account.run(pair.ours, state="absent", **our_name)
    our_again = account.run(pair.ours, state="absent", **our_name)

    assert deleted["changed"]
    assert not {"project", "pipeline", "diff"} & set(deleted)
    assert not again["changed"]
    assert again["mutations"] == []
    assert our_deleted["diff"][0]["before"]["name"] == other[pair.plural][0]["name"]
    assert not our_again["changed"]


@both
def test_name_alone(account: Account, world: World, pair: Pair) -> None:
    one, other = pair.their_options(world, unique("theirs")), pair.our_options(world, unique("ours"))
    our_name: Item = {pair.plural: [{"name": other[pair.plural][0]["name"]}]}
    account.run(pair.theirs, **one)
    account.run(pair.ours, **other)

    if pair is PROJECT:
        result = account.run(pair.theirs, name=one["name"])
        assert result["mutations"] == [pair.updates]
        assert not result["changed"]
    else:
        assert "missing required arguments" in failure(account, pair.theirs, name=one["name"])["msg"]
    result = account.run(pair.ours, **our_name)
    assert result["mutations"] == []
    assert not result["changed"]


# --- projects


def test_timeout_that_is_not_given(account: Account, world: World) -> None:
    one, other = unique("theirs"), unique("ours")
    account.run(THEIR_PROJECT, **their_project(world, one, timeout_in_minutes=30))
    account.run("codebuild_projects", **our_project(world, other, timeout_in_minutes=30))

    result = account.run(THEIR_PROJECT, **their_project(world, one))
    our_result = account.run("codebuild_projects", **our_project(world, other))

    assert result["changed"]
    assert stored_project(account, one)["timeoutInMinutes"] == 60
    assert not our_result["changed"]
    assert stored_project(account, other)["timeoutInMinutes"] == 30


@pytest.mark.parametrize(
    ("option", "path"),
    [
        ("environment", ("environment_variables",)),
        ("vpc_config", ("subnets",)),
        ("vpc_config", ("security_group_ids",)),
        ("cache", ("modes",)),
    ],
)
def test_list_in_another_order(account: Account, world: World, option: str, path: tuple[str, ...]) -> None:
    options: Item = {
        "vpc_config": {"vpc_id": "vpc-1", "subnets": ["b", "a"], "security_group_ids": ["d", "c"]},
        "cache": {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE", "LOCAL_CUSTOM_CACHE"]},
    }
    one = their_project(world, unique("theirs"), **options)
    other = our_project(world, unique("ours"), **options)
    account.run(THEIR_PROJECT, **one)
    account.run("codebuild_projects", **other)

    one, other = copy.deepcopy(one), copy.deepcopy(other)
    one[option][path[0]].reverse()
    other["projects"][0][option][path[0]].reverse()

    assert account.run(THEIR_PROJECT, **one)["changed"]
    assert not account.run("codebuild_projects", **other)["changed"]


def test_null_inside_a_dictionary(account: Account, world: World) -> None:
    one, other = their_project(world, unique("theirs")), our_project(world, unique("ours"))
    one["source"]["buildspec"] = other["projects"][0]["source"]["buildspec"] = None

    refused = failure(account, THEIR_PROJECT, **one)
    made = account.run("codebuild_projects", **other)

    assert "Invalid type for parameter source.buildspec, value: None" in refused["msg"]
    assert made["changed"]


def test_dictionary_of_which_one_key_is_given(account: Account, world: World) -> None:
    one, other = unique("theirs"), unique("ours")
    account.run(THEIR_PROJECT, **their_project(world, one))
    account.run("codebuild_projects", **our_project(world, other))
    image = {"image": "hashicorp/terraform:1.12.0"}

    refused = failure(account, THEIR_PROJECT, name=one, environment=image)
    account.run("codebuild_projects", projects=[{"name": other, "environment": image}])

    assert "Missing required parameter in environment" in refused["msg"]
    found = stored_project(account, other)["environment"]
    assert found["image"] == image["image"]
    assert found["computeType"] == "BUILD_GENERAL1_SMALL"


def test_removal_of_a_setting(account: Account, world: World) -> None:
    options: Item = {"vpc_config": {"vpc_id": "vpc-1", "subnets": ["a"], "security_group_ids": ["c"]}}
    one, other = their_project(world, unique("theirs"), **options), our_project(world, unique("ours"), **options)
    account.run(THEIR_PROJECT, **one)
    account.run("codebuild_projects", **other)

    account.run(THEIR_PROJECT, **{**one, "vpc_config": {}})
    account.run("codebuild_projects", projects=[{"name": other["projects"][0]["name"], "vpc_config": {}}])

    assert "vpcConfig" not in stored_project(account, one["name"])
    assert "vpcConfig" not in stored_project(account, other["projects"][0]["name"])


def test_tags_of_a_project(account: Account, world: World) -> None:
    one, other = their_project(world, unique("theirs")), our_project(world, unique("ours"))
    account.run(THEIR_PROJECT, **one, tags={"a": "1"})
    other["projects"][0]["tags"] = {"a": "1"}
    account.run("codebuild_projects", **other)

    result = account.run(THEIR_PROJECT, **one, tags={"b": "2"}, purge_tags=False)
    other["projects"][0]["tags"] = {"b": "2"}
    our_result = account.run("codebuild_projects", **other, purge_tags=False)

    both_tags = {"a": "1", "b": "2"}
    assert result["project"]["resource_tags"] == both_tags
    assert result["project"]["tags"] == [{"key": key, "value": value} for key, value in both_tags.items()]
    assert "reource_tags" in yaml.safe_load(documentation(THEIR_PROJECT).RETURN)["project"]["contains"]
    assert our_result["projects"][0]["tags"] == both_tags


def test_tag_that_is_no_text(account: Account, world: World) -> None:
    one, other = unique("theirs"), unique("ours")
    account.run(THEIR_PROJECT, **their_project(world, one, tags={"number": 3, "yes": True}))
    account.run("codebuild_projects", **our_project(world, other, tags={"number": 3, "yes": True}))

    assert stored_project(account, one)["tags"] == [{"key": "number", "value": "3"}, {"key": "yes", "value": "True"}]
    assert stored_project(account, other)["tags"] == [{"key": "number", "value": "3"}, {"key": "yes", "value": "true"}]


def test_secret_in_a_plain_variable(account: Account, world: World) -> None:
    one, other = their_project(world, unique("theirs")), our_project(world, unique("ours"))
    secret = [{"name": "API_TOKEN", "value": "hunter2"}]
    one["environment"]["environment_variables"] = other["projects"][0]["environment"]["environment_variables"] = secret

    result = account.run(THEIR_PROJECT, **one)
    our_result = account.run("codebuild_projects", **other)

    assert "hunter2" in json.dumps(result["project"])
    assert "hunter2" in json.dumps(result["ORIGINAL"])
    del our_result["invocation"]  # what was given, which Ansible shows only with -vvv
    assert "hunter2" not in json.dumps(our_result)


def test_text_of_a_failed_deletion(account: Account, world: World) -> None:
    one, other = unique("kept"), unique("kept")
    account.run(THEIR_PROJECT, **their_project(world, one))
    account.run("codebuild_projects", **our_project(world, other))

    refused = failure(account, THEIR_PROJECT, name=one, state="absent")
    refused_by_ours = failure(account, "codebuild_projects", projects=[{"name": other}], state="absent")

    assert refused["msg"].startswith("Unable to update CodeBuild project")
    assert f"build project {other}" in refused_by_ours["msg"]
    assert "codebuild:DeleteProject" in refused_by_ours["msg"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("auto_retry_limit", 1),
        ("badge_enabled", False),
        ("build_batch_config", {"service_role": ""}),
        ("concurrent_build_limit", 1),
        ("file_system_locations", []),
        ("logs_config", {}),
        ("project_visibility", "PRIVATE"),
        ("queued_timeout_in_minutes", 30),
        ("resource_access_role", ""),
        ("resource_policy", {}),
        ("secondary_artifacts", []),
        ("secondary_source_versions", []),
        ("secondary_sources", []),
        ("source_version", "main"),
        ("webhook", {}),
    ],
)
def test_setting_of_a_project_that_only_ours_takes(account: Account, world: World, option: str, value: Any) -> None:
    refused = failure(account, THEIR_PROJECT, **their_project(world, unique("theirs"), **{option: value}))
    made = account.run("codebuild_projects", check=True, **our_project(world, unique("ours"), **{option: value}))

    assert re.match(rf"Unsupported parameters for \(.*\) module: {option}\.", refused["msg"])
    assert made["changed"]


def test_settings_of_a_project_that_somebody_else_made(account: Account, world: World) -> None:
    one, other = unique("theirs"), unique("ours")
    account.run(THEIR_PROJECT, **their_project(world, one))
    account.run("codebuild_projects", **our_project(world, other))
    for name in (one, other):
        account.client("codebuild").update_project(name=name, concurrentBuildLimit=2, queuedTimeoutInMinutes=30)

    account.run(THEIR_PROJECT, **their_project(world, one, description="second"))
    account.run("codebuild_projects", **our_project(world, other, description="second"))

    for name in (one, other):
        found = stored_project(account, name)
        assert (found["concurrentBuildLimit"], found["queuedTimeoutInMinutes"]) == (2, 30)


# --- pipelines


def test_stages_in_another_order(account: Account, world: World) -> None:
    one, other = unique("theirs"), unique("ours")
    account.run(THEIR_PIPELINE, **their_pipeline(world, one, "A", "B"))
    account.run("codepipelines", **our_pipeline(world, other, "A", "B"))

    result = account.run(THEIR_PIPELINE, **their_pipeline(world, one, "B", "A"))
    our_result = account.run("codepipelines", **our_pipeline(world, other, "B", "A"))

    assert result["changed"]
    assert our_result["changed"]


def test_comparison_that_takes_other_stages_for_the_same() -> None:
    """Their module compares with it; only the version, which AWS counts up, lets them see that stages moved."""
    policy = importlib.import_module("ansible_collections.amazon.aws.plugins.module_utils.policy")
    before = {"name": "p", "stages": [{"name": "A"}, {"name": "B"}]}
    after = {"name": "p", "stages": [{"name": "B"}, {"name": "A"}]}

    assert not policy.compare_policies({**before, "version": 1}, {**after, "version": 1})
    assert policy.compare_policies({**before, "version": 1}, {**after, "version": 2})


def test_pipeline_with_stores_in_several_regions(account: Account, world: World) -> None:
    one, other = unique("theirs"), unique("ours")
    stores = {REGION: {"type": "S3", "location": world.bucket}}
    account.run("codepipelines", **our_pipeline(world, one, artifact_store={}, artifact_stores=stores))
    account.run("codepipelines", **our_pipeline(world, other, artifact_store={}, artifact_stores=stores))

    refused = failure(account, THEIR_PIPELINE, **their_pipeline(world, one))
    changed = account.run("codepipelines", pipelines=[{"name": other, "stages": stages(world, "Changed")}])

    assert "exactly one of artifactStore and artifactStores" in refused["msg"]
    assert changed["changed"]
    assert stored_pipeline(account, other)["artifactStores"] == stores


def test_keys_of_a_configuration(account: Account, world: World) -> None:
    one, other = unique("theirs"), unique("ours")

    result = account.run(THEIR_PIPELINE, **their_pipeline(world, one))
    our_result = account.run("codepipelines", **our_pipeline(world, other))

    configuration = result["pipeline"]["stages"][0]["actions"][0]["configuration"]
    assert "connection_arn" in configuration
    assert "full_repository_id" in configuration
    assert set(our_result["pipelines"][0]["stages"][0]["actions"][0]["configuration"]) == {
        "ConnectionArn",
        "FullRepositoryId",
        "BranchName",
        "DetectChanges",
    }


def test_configuration_value_that_is_no_text(account: Account, world: World) -> None:
    one, other = their_pipeline(world, unique("theirs")), unique("ours")
    one["stages"][0]["actions"][0]["configuration"]["DetectChanges"] = False

    refused = failure(account, THEIR_PIPELINE, **one)
    account.run("codepipelines", **our_pipeline(world, other))

    assert "Invalid type for parameter pipeline.stages[0].actions[0].configuration.DetectChanges" in refused["msg"]
    configuration = stored_pipeline(account, other)["stages"][0]["actions"][0]["configuration"]
    assert configuration["DetectChanges"] == "false"


def test_options_in_the_spelling_of_ansible(account: Account, world: World) -> None:
    snake = their_pipeline(world, unique("theirs"), stages=stages(world))

    refused = failure(account, THEIR_PIPELINE, **snake)
    made = account.run("codepipelines", **our_pipeline(world, unique("ours")))

    assert 'Unknown parameter in pipeline.stages[0].actions[0]: "action_type_id"' in refused["msg"]
    assert made["changed"]


def test_token_in_an_action(account: Account, world: World) -> None:
    """Local AWS has no source of the kind that takes the token; another action carries it here."""
    action = {
        "name": "Call",
        "action_type_id": {"category": "Invoke", "provider": "Lambda"},
        "configuration": {"FunctionName": "f", "OAuthToken": "hunter2"},
    }
    call = [{"name": "Call", "actions": [action]}]
    one, other = their_pipeline(world, unique("theirs")), our_pipeline(world, unique("ours"))
    one["stages"] += camel_case(call)
    other["pipelines"][0]["stages"] += call

    result = account.run(THEIR_PIPELINE, **one)
    our_result = account.run("codepipelines", **other)

    assert "hunter2" in json.dumps(result["pipeline"])
    del our_result["invocation"]
    assert "hunter2" not in json.dumps(our_result)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("artifact_stores", {}),
        ("execution_mode", "QUEUED"),
        ("pipeline_type", "V2"),
        ("tags", {"a": "1"}),
        ("triggers", []),
        ("variables", []),
    ],
)
def test_setting_of_a_pipeline_that_only_ours_takes(account: Account, world: World, option: str, value: Any) -> None:
    refused = failure(account, THEIR_PIPELINE, **their_pipeline(world, unique("theirs"), **{option: value}))
    made = account.run("codepipelines", check=True, **our_pipeline(world, unique("ours"), **{option: value}))

    assert re.match(rf"Unsupported parameters for \(.*\) module: {option}\.", refused["msg"])
    assert made["changed"]


V2 = {"pipelineType": "V2", "executionMode": "QUEUED", "variables": [{"name": "mode"}]}


def test_settings_of_a_pipeline_that_somebody_else_made(account: Account, world: World) -> None:
    one, other = unique("theirs"), unique("ours")
    account.run(THEIR_PIPELINE, **their_pipeline(world, one))
    account.run("codepipelines", **our_pipeline(world, other))
    for name in (one, other):
        account.client("codepipeline").update_pipeline(pipeline={**stored_pipeline(account, name), **V2})

    account.run(THEIR_PIPELINE, **their_pipeline(world, one, "Changed"))
    account.run("codepipelines", **our_pipeline(world, other, "Changed"))

    for name in (one, other):
        assert V2.items() <= stored_pipeline(account, name).items()


def test_version_as_an_option(account: Account, world: World) -> None:
    one, other = unique("theirs"), unique("ours")
    account.run(THEIR_PIPELINE, **their_pipeline(world, one))
    account.client("codepipeline").update_pipeline(pipeline={**stored_pipeline(account, one), **V2})

    first = account.run(THEIR_PIPELINE, **their_pipeline(world, one, version=1))
    second = account.run(THEIR_PIPELINE, **their_pipeline(world, one, version=1))
    account.run("codepipelines", **our_pipeline(world, other))

    assert stored_pipeline(account, one)["pipelineType"] == "V1"
    assert first["changed"]
    assert second["changed"]
    refused = failure(account, "codepipelines", **our_pipeline(world, other, version=1))
    assert "pipelines[0].version: there is no such option" in refused["msg"]


def test_arn_of_a_pipeline(account: Account, world: World) -> None:
    one, other = unique("theirs"), unique("ours")

    result = account.run(THEIR_PIPELINE, **their_pipeline(world, one))
    our_result = account.run("codepipelines", **our_pipeline(world, other))

    del result["invocation"]
    assert f":{one}" not in json.dumps(result)
    assert our_result["resources"][other]["arn"] == f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{other}"
