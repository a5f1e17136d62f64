# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelines: order where it matters, maps of users untouched, versions."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._kinds import _bulk_tags
from local_aws.cli import put_user
from tests.integration.modules.cases import CODEPIPELINE, allow, document
from tests.integration.modules.harness import REGION, Account, ModuleFailed, World, unique


def version(account: Account, name: str) -> int:
    number: int = account.client("codepipeline").get_pipeline(name=name)["pipeline"]["version"]
    return number


def build(variables: list[dict[str, str]], **configuration: Any) -> dict[str, Any]:
    """An action that builds with these variables."""
    return {
        "name": "Build",
        "action_type_id": {"category": "Build", "provider": "CodeBuild"},
        "configuration": {"ProjectName": "some_project", "EnvironmentVariables": variables, **configuration},
        "input_artifacts": [{"name": "source"}],
    }


def test_version_goes_up_with_a_change_only(account: Account, world: World) -> None:
    one = CODEPIPELINE.new(world, unique("version"))
    account.run("codepipelines", pipelines=[one])
    account.run("codepipelines", pipelines=[one])
    assert version(account, one["name"]) == 1

    changed = account.run("codepipelines", pipelines=[{"name": one["name"], "execution_mode": "QUEUED"}])
    assert version(account, one["name"]) == 2
    assert changed["resources"][one["name"]]["version"] == 2
    account.run("codepipelines", pipelines=[{"name": one["name"], "tags": {"a": "1"}}])
    assert version(account, one["name"]) == 2


def test_keys_of_a_configuration_are_left_as_they_are(account: Account, world: World) -> None:
    one = CODEPIPELINE.new(world, unique("keys"))
    one["stages"][1]["actions"] = [build([{"name": "a", "value": "1"}], BatchEnabled=False)]

    created = account.run("codepipelines", pipelines=[one])

    text = '[{"name":"a","value":"1"}]'
    expected = {"ProjectName": "some_project", "BatchEnabled": "false", "EnvironmentVariables": text}
    found = account.client("codepipeline").get_pipeline(name=one["name"])["pipeline"]
    assert found["stages"][1]["actions"][0]["configuration"] == expected
    assert created["pipelines"][0]["stages"][1]["actions"][0]["configuration"] == expected
    assert not account.run("codepipelines", pipelines=[one])["changed"]


def test_filters_in_another_order_are_the_same(account: Account, world: World) -> None:
    one: dict[str, Any] = CODEPIPELINE.new(world, unique("filters"))
    push = {"branches": {"includes": ["a", "b"]}, "file_paths": {"excludes": ["c", "d"], "includes": ["**"]}}
    pull = {"events": ["OPEN", "UPDATED"], "branches": {"includes": ["a", "b"]}}
    git = {"source_action_name": "Source", "push": [push], "pull_request": [pull]}
    one["triggers"] = [{"git_configuration": git}]
    account.run("codepipelines", pipelines=[one])

    other = copy.deepcopy(one)
    changed = other["triggers"][0]["git_configuration"]
    changed["push"][0]["branches"]["includes"].reverse()
    changed["push"][0]["file_paths"]["excludes"].reverse()
    changed["pull_request"][0]["events"].reverse()

    assert other != one
    assert not account.run("codepipelines", pipelines=[other])["changed"]


def test_own_region_and_first_run_order_are_the_same_as_unset(account: Account, world: World) -> None:
    one: dict[str, Any] = CODEPIPELINE.new(world, unique("region"))
    account.run("codepipelines", pipelines=[one])

    other = copy.deepcopy(one)
    other["stages"][0]["actions"][0].update(region=REGION, run_order=1)

    assert not account.run("codepipelines", pipelines=[other])["changed"]


def test_store_can_become_stores_and_back(account: Account, world: World) -> None:
    one = CODEPIPELINE.new(world, unique("stores"))
    name = one["name"]
    account.run("codepipelines", pipelines=[one])
    stores = {REGION: {"location": world.bucket, "encryption_key": {"id": world.key}}}

    several = {"name": name, "artifact_store": {}, "artifact_stores": stores}
    account.run("codepipelines", pipelines=[several])
    assert not account.run("codepipelines", pipelines=[several])["changed"]
    found = account.client("codepipeline").get_pipeline(name=name)["pipeline"]
    assert found["artifactStores"][REGION] == {
        "type": "S3",
        "location": world.bucket,
        "encryptionKey": {"id": world.key, "type": "KMS"},
    }

    account.run(
        "codepipelines", pipelines=[{"name": name, "artifact_store": {"location": world.bucket}, "artifact_stores": {}}]
    )
    found = account.client("codepipeline").get_pipeline(name=name)["pipeline"]
    assert found["artifactStore"] == {"type": "S3", "location": world.bucket}


@pytest.mark.parametrize("number", [1, 2, 9])
def test_calls_of_a_run_that_changes_nothing(account: Account, world: World, number: int) -> None:
    many = [CODEPIPELINE.new(world, unique("tagged"), tags={"number": index}) for index in range(number)]
    first = account.run("codepipelines", pipelines=many)

    again = account.run("codepipelines", pipelines=many)

    tags = {"codepipeline:ListTagsForResource": 1} if number == 1 else {"resourcegroupstaggingapi:GetResources": 1}
    assert not again["changed"]
    assert again["api_calls"] == {"codepipeline:GetPipeline": number, **tags}
    assert first["api_calls"] == {"codepipeline:CreatePipeline": number, "codepipeline:GetPipeline": number}


def test_many_are_listed_before_they_are_read(account: Account, world: World) -> None:
    """That a first run does not ask for each what is not there costs the others one call."""
    many = [CODEPIPELINE.new(world, unique("listed")) for _ in range(101)]

    first = account.run("codepipelines", pipelines=many, owner_tags={"team": "a"})
    again = account.run("codepipelines", pipelines=many, owner_tags={"team": "a"})

    assert first["api_calls"] == {"codepipeline:CreatePipeline": 101, "codepipeline:ListPipelines": 1}
    assert again["api_calls"] == {
        "codepipeline:GetPipeline": 101,
        "codepipeline:ListPipelines": 1,
        "resourcegroupstaggingapi:GetResources": 2,
    }


def test_what_is_not_there_is_not_asked_for_one_by_one(account: Account, world: World) -> None:
    ours = CODEPIPELINE.new(world, unique("ours"))
    others = CODEPIPELINE.new(world, unique("others"))
    account.run("codepipelines", pipelines=[ours], owner_tags={"team": "a"})
    account.run("codepipelines", pipelines=[others], owner_tags={"team": "b"})
    names = [{"name": name} for name in (ours["name"], *(unique("gone") for _ in range(100)))]

    def remove(items: list[dict[str, Any]]) -> dict[str, int]:
        calls: dict[str, int] = account.run("codepipelines", pipelines=items, owner_tags={"team": "a"}, state="absent")[
            "api_calls"
        ]
        return calls

    with pytest.raises(ModuleFailed, match="made by something else"):
        remove([names[1], {"name": others["name"]}])
    assert remove(names) == {
        "codepipeline:DeletePipeline": 1,
        "codepipeline:GetPipeline": 1,
        "codepipeline:ListPipelines": 1,
        "codepipeline:ListTagsForResource": 1,
    }
    assert remove(names) == {"codepipeline:ListPipelines": 1}
    assert remove(names[:2]) == {"codepipeline:ListPipelines": 1}
    assert remove(names[:1]) == {"codepipeline:GetPipeline": 1}


def test_who_may_not_list_reads_each(account: Account, world: World) -> None:
    there = CODEPIPELINE.new(world, unique("there"))
    account.run("codepipelines", pipelines=[there])
    actions = ("codepipeline:GetPipeline", "codepipeline:DeletePipeline")
    caller = put_user(account.endpoint_url, unique("narrow"), document(*map(allow, actions)))
    narrow = dataclasses.replace(account, caller=caller)

    result = narrow.run("codepipelines", pipelines=[{"name": unique("gone")}, {"name": there["name"]}], state="absent")

    assert result["changed"]
    assert result["api_calls"] == {
        "codepipeline:DeletePipeline": 1,
        "codepipeline:GetPipeline": 2,
        "codepipeline:ListPipelines": 1,
    }


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": "a b"}, "pipelines[0].name"),
        ({"artifact_stores": {"eu-west-1": "bucket"}}, "pipelines[0].artifact_stores.eu-west-1"),
        ({"artifact_stores": {"eu-west-1": {"location": "b", "kind": "S3"}}}, "artifact_stores.eu-west-1.kind"),
        ({"artifact_store": {"location": "b"}, "artifact_stores": {"a": {"location": "b"}}}, "artifact_stores"),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, options: dict[str, Any], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("codepipelines", pipelines=[{"name": "good", **options}])

    assert path in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result


def test_one_unreadable_pipeline_does_not_lose_the_others(account: Account, world: World) -> None:
    bad, good, another = (CODEPIPELINE.new(world, unique(word)) for word in ("unreadable", "good", "good"))

    with pytest.raises(ModuleFailed, match="codepipeline:GetPipeline") as failure:
        account.run("codepipelines", pipelines=[good, bad, another])

    actions = {name: each["action"] for name, each in failure.value.result["resources"].items()}
    assert actions == {good["name"]: "created", bad["name"]: "failed", another["name"]: "created"}


def test_tags_that_the_tagging_api_does_not_know_yet(
    account: Account, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [CODEPIPELINE.new(world, unique("stale"), tags={"number": number}) for number in range(3)]
    account.run("codepipelines", pipelines=many)

    def old(_kind: Any, arns: list[str]) -> dict[str, dict[str, str]]:
        return {arns[0]: {"number": "old"}, arns[1]: {"number": "1"}}

    monkeypatch.setattr(_bulk_tags, "in_bulk", old)
    again = account.run("codepipelines", pipelines=many)

    assert not again["changed"], again["diff"]
    assert again["api_calls"]["codepipeline:ListTagsForResource"] == 2


def test_nothing_is_deleted_by_the_word_of_the_tagging_api(
    account: Account, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = [CODEPIPELINE.new(world, unique("handed-over")) for _ in range(2)]
    account.run("codepipelines", pipelines=theirs, owner_tags={"team": "b"})

    def old(_kind: Any, arns: list[str]) -> dict[str, dict[str, str]]:
        return {arn: {"team": "a"} for arn in arns}

    monkeypatch.setattr(_bulk_tags, "in_bulk", old)
    items = [{"name": each["name"]} for each in theirs]
    with pytest.raises(ModuleFailed, match="made by something else") as failure:
        account.run("codepipelines", pipelines=items, owner_tags={"team": "a"}, state="absent")

    assert failure.value.result["mutations"] == []
    assert [each["action"] for each in failure.value.result["resources"].values()] == ["failed"] * 2


def test_secrets_are_nowhere_in_the_result(account: Account, world: World) -> None:
    one = CODEPIPELINE.new(world, unique("secrets"))
    one["stages"].append({"name": "Build", "actions": [build([{"name": "DB_PASSWORD", "value": "canary-1"}])]})

    created = account.run("codepipelines", pipelines=[one])
    again = account.run("codepipelines", pipelines=[one])
    fed_back = account.run("codepipelines", pipelines=created["pipelines"])
    found = account.client("codepipeline").get_pipeline(name=one["name"])["pipeline"]

    assert "canary" not in json.dumps([created, again, fed_back])
    assert not again["changed"]
    assert not fed_back["changed"], fed_back["diff"]
    assert "canary-1" in found["stages"][2]["actions"][0]["configuration"]["EnvironmentVariables"]
