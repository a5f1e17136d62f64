# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build projects: read by the hundred, order where it matters, secrets in variables."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.integration.modules.cases import CODEBUILD
from tests.integration.modules.harness import Account, World, unique


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
