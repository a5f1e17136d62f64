# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build projects: read by the hundred, order where it matters, secrets in variables."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules.cases import CODEBUILD
from tests.integration.modules.harness import Account, ModuleFailed, World, unique


def variables(account: Account, name: str) -> dict[str, str]:
    found = account.client("codebuild").batch_get_projects(names=[name])["projects"][0]
    return {each["name"]: each["value"] for each in found["environment"]["environmentVariables"]}


def test_hundreds_of_projects_take_few_calls(account: Account, world: World) -> None:
    projects = [CODEBUILD.new(world, f"{unique('many')}-{number}") for number in range(130)]
    account.run("codebuild_projects", projects=projects, concurrency=4)

    again = account.run("codebuild_projects", projects=projects)

    assert not again["changed"]
    assert again["api_calls"] == {"codebuild:BatchGetProjects": 2}


def test_sets_in_another_order_are_the_same(account: Account, world: World) -> None:
    one = CODEBUILD.new(world, unique("sets"))
    one["vpc_config"] = {"vpc_id": "vpc-1", "subnets": ["b", "a"], "security_group_ids": ["d", "c"]}
    one["cache"] = {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE", "LOCAL_CUSTOM_CACHE"]}
    one["secondary_artifacts"] = [
        {"type": "S3", "location": world.bucket, "artifact_identifier": name} for name in ("b", "a")
    ]
    account.run("codebuild_projects", projects=[one])

    other: dict[str, Any] = copy.deepcopy(one)
    for values in (
        other["vpc_config"]["subnets"],
        other["vpc_config"]["security_group_ids"],
        other["cache"]["modes"],
        other["secondary_artifacts"],
        other["environment"]["environment_variables"],
    ):
        values.reverse()

    assert other != one
    assert not account.run("codebuild_projects", projects=[other])["changed"]


def test_secret_in_a_variable_is_hidden_and_kept(account: Account, world: World) -> None:
    one = CODEBUILD.new(world, unique("secret"))
    one["environment"]["environment_variables"] = [
        {"name": "API_TOKEN", "value": "hunter2"},
        {"name": "MODE", "value": "plan"},
    ]

    created = account.run("codebuild_projects", projects=[one])
    assert "hunter2" not in json.dumps([created["diff"], created["projects"]])

    fed_back = copy.deepcopy(created["projects"][0])
    fed_back["description"] = "changed"
    account.run("codebuild_projects", projects=[fed_back])
    assert variables(account, one["name"]) == {"API_TOKEN": "hunter2", "MODE": "plan"}

    one["environment"]["environment_variables"][0]["value"] = "hunter3"
    changed = account.run("codebuild_projects", projects=[{"name": one["name"], "environment": one["environment"]}])
    assert "hunter" not in json.dumps(changed["diff"])
    assert changed["diff"][0]["before"] != changed["diff"][0]["after"]
    assert variables(account, one["name"])["API_TOKEN"] == "hunter3"


def test_defaults_of_aws_are_the_same_as_unset(account: Account, world: World) -> None:
    one = CODEBUILD.new(world, unique("defaults"))
    del one["timeout_in_minutes"], one["concurrent_build_limit"]
    account.run("codebuild_projects", projects=[one])

    explicit = {
        **one,
        "cache": {"type": "NO_CACHE"},
        "timeout_in_minutes": 60,
        "queued_timeout_in_minutes": 480,
        "badge_enabled": False,
        "concurrent_build_limit": -1,
        "auto_retry_limit": 0,
        "encryption_key": "alias/aws/s3",
        "logs_config": {"cloud_watch_logs": {"status": "ENABLED"}, "s3_logs": {"status": "DISABLED"}},
        "source": {**one["source"], "insecure_ssl": False, "git_clone_depth": 0, "report_build_status": False},
        "artifacts": {"type": "CODEPIPELINE", "packaging": "NONE", "encryption_disabled": False},
        "secondary_sources": [],
        "vpc_config": {},
    }
    again = account.run("codebuild_projects", projects=[explicit])
    assert not again["changed"], again["diff"]


def test_tags_survive_an_update_that_does_not_name_them(account: Account, world: World) -> None:
    one = CODEBUILD.new(world, unique("tags"), tags={"a": "1"})
    account.run("codebuild_projects", projects=[one])

    account.run("codebuild_projects", projects=[{"name": one["name"], "description": "changed"}])

    found = account.client("codebuild").batch_get_projects(names=[one["name"]])["projects"][0]
    assert found["tags"] == [{"key": "a", "value": "1"}]


def github_project(world: World, **options: Any) -> dict[str, Any]:
    one = CODEBUILD.new(world, unique("github"), **options)
    one["source"] = {"type": "GITHUB", "location": "https://github.com/acme/modules"}
    one["artifacts"] = {"type": "NO_ARTIFACTS"}
    return one


def test_webhook_filters_in_another_order_are_the_same(account: Account, world: World) -> None:
    event, branch = {"type": "EVENT", "pattern": "PUSH"}, {"type": "HEAD_REF", "pattern": "^refs/heads/main$"}
    tag = {"type": "TAG_NAME", "pattern": "^v"}
    groups = [{"filters": [event, branch]}, {"filters": [event, tag]}]
    one = github_project(world, webhook={"filter_groups": groups})
    account.run("codebuild_projects", projects=[one])

    other = [{"filters": [tag, event]}, {"filters": [branch, event]}]
    again = account.run("codebuild_projects", projects=[{"name": one["name"], "webhook": {"filter_groups": other}}])

    assert not again["changed"], again["diff"]
    assert again["mutations"] == []


def test_secret_of_a_webhook_made_by_hand_goes_into_its_file_only(
    account: Account, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    webhook = {"manual_creation": True, "secret_file": str(file)}
    one = github_project(world, webhook=webhook)

    created = account.run("codebuild_projects", projects=[one])
    again = account.run("codebuild_projects", projects=[one])

    secret = file.read_text(encoding="utf-8")
    assert len(secret) > 20
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret not in json.dumps(created)
    assert created["resources"][one["name"]]["webhook_payload_url"].startswith("https://codebuild.")
    assert not again["changed"], again["diff"]
    assert file.read_text(encoding="utf-8") == secret


def test_what_aws_cannot_change_of_a_webhook_is_made_anew(account: Account, world: World) -> None:
    one = github_project(world, webhook={"branch_filter": "^main$"})
    first = account.run("codebuild_projects", projects=[one])
    scope = {"name": "acme", "scope": "GITHUB_ORGANIZATION"}

    second = account.run(
        "codebuild_projects", projects=[{"name": one["name"], "webhook": {"scope_configuration": scope}}]
    )

    assert second["mutations"] == ["codebuild:DeleteWebhook", "codebuild:CreateWebhook"]
    url = "webhook_payload_url"
    assert first["resources"][one["name"]][url] != second["resources"][one["name"]][url]
    assert second["projects"][0]["webhook"] == {
        "branch_filter": "^main$",
        "manual_creation": False,
        "scope_configuration": scope,
    }


def test_secret_file_that_cannot_be_written_is_found_before_aws_is_asked(account: Account, world: World) -> None:
    webhook = {"manual_creation": True, "secret_file": "/nonexistent/secret"}
    one, other = github_project(world, webhook=webhook), CODEBUILD.new(world, unique("other"))

    with pytest.raises(ModuleFailed, match="secret_file: /nonexistent/secret cannot be written") as failure:
        account.run("codebuild_projects", projects=[one, other])

    assert "codebuild:CreateWebhook" not in failure.value.result["mutations"]
    assert failure.value.result["resources"][other["name"]]["action"] == "created"


@pytest.mark.parametrize("check", [True, False])
def test_secret_that_would_be_lost_is_refused_before_anything_is_made(
    account: Account, world: World, check: bool
) -> None:
    one = github_project(world, webhook={"manual_creation": True})

    with pytest.raises(ModuleFailed, match=r"projects\[0\]\.webhook\.secret_file: must be given") as failure:
        account.run("codebuild_projects", projects=[one], check=check)

    assert failure.value.result["mutations"] == []


def test_policy_of_pull_requests_can_be_removed(account: Account, world: World) -> None:
    policy = {"requires_comment_approval": "ALL_PULL_REQUESTS"}
    one = github_project(world, webhook={"build_type": "BUILD", "pull_request_build_policy": policy})
    account.run("codebuild_projects", projects=[one])
    removed = [{"name": one["name"], "webhook": {"pull_request_build_policy": {}}}]

    assert account.run("codebuild_projects", projects=removed)["mutations"] == ["codebuild:UpdateWebhook"]
    assert not account.run("codebuild_projects", projects=removed)["changed"]


def test_result_after_one_kind_of_filter_took_the_others_place_can_be_fed_back(account: Account, world: World) -> None:
    one = github_project(world, webhook={"branch_filter": "^main$"})
    account.run("codebuild_projects", projects=[one])
    groups = [{"filters": [{"type": "EVENT", "pattern": "PUSH"}]}]

    changed = account.run("codebuild_projects", projects=[{"name": one["name"], "webhook": {"filter_groups": groups}}])
    fed_back = account.run("codebuild_projects", projects=changed["projects"])

    assert "branch_filter" not in changed["projects"][0]["webhook"]
    assert not fed_back["changed"], fed_back["diff"]


def test_one_unreadable_policy_does_not_lose_the_others(account: Account, world: World) -> None:
    bad, good = (CODEBUILD.new(world, unique(word), resource_policy={}) for word in ("unreadable", "readable"))
    for each in (bad, good):
        account.run("codebuild_projects", projects=[{**each, "resource_policy": None}])
    bad["description"] = good["description"] = "changed"

    with pytest.raises(ModuleFailed, match="codebuild:GetResourcePolicy") as failure:
        account.run("codebuild_projects", projects=[bad, good])

    assert failure.value.result["resources"][good["name"]]["action"] == "updated"
    assert failure.value.result["resources"][bad["name"]]["action"] == "failed"


def test_secrets_are_nowhere_in_the_result(account: Account, world: World) -> None:
    one = CODEBUILD.new(world, unique("secrets"))
    one["environment"]["environment_variables"] = [
        {"name": "DB_PASS", "value": "canary-1"},
        {"name": "API_KEY", "value": "canary-2"},
        {"name": "KMS_KEY_ARN", "value": "arn:shown"},
    ]

    results = [account.run("codebuild_projects", projects=[one]) for _ in range(2)]
    one["concurrent_build_limit"] = 0
    with pytest.raises(ModuleFailed) as failure:
        account.run("codebuild_projects", projects=[one])
    results.append(failure.value.result)

    assert "canary" not in json.dumps(results)
    assert all("arn:shown" in json.dumps(result["invocation"]) for result in results)
    assert variables(account, one["name"])["API_KEY"] == "canary-2"


def test_what_another_type_of_source_left_over_is_dropped(account: Account, world: World) -> None:
    one = github_project(world)
    one["source"].update(git_clone_depth=1, report_build_status=True, git_submodules_config={"fetch_submodules": True})
    account.run("codebuild_projects", projects=[one])
    inline = {"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases:\n  build:\n    commands: ['true']\n"}
    changed = [{"name": one["name"], "source": inline}]

    account.run("codebuild_projects", projects=changed)

    found = account.client("codebuild").batch_get_projects(names=[one["name"]])["projects"][0]["source"]
    assert found == {**inline, "insecureSsl": False}
    assert not account.run("codebuild_projects", projects=changed)["changed"]


def test_null_tag_is_refused(account: Account, world: World) -> None:
    with pytest.raises(ModuleFailed, match=r"projects\[0\]\.tags\.Owner: null is not allowed") as failure:
        account.run("codebuild_projects", projects=[CODEBUILD.new(world, unique("null"), tags={"Owner": None})])

    assert failure.value.result["mutations"] == []


def test_pattern_that_lets_others_start_builds_is_warned_of(account: Account, world: World) -> None:
    filters = [{"type": "EVENT", "pattern": "PUSH"}, {"type": "ACTOR_ACCOUNT_ID", "pattern": "123"}]
    one = github_project(world, webhook={"filter_groups": [{"filters": filters}]})

    result = account.run("codebuild_projects", projects=[one])

    assert "projects[0].webhook.filter_groups[0].filters[1].pattern: '123' matches every" in str(result["warnings"])
    assert not account.run("codebuild_projects", projects=result["projects"])["changed"]
