# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of single statements share: how an estate comes to be whose people have the rendered policies."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import yaml
from local_estate import ACCOUNT, ROOT, LocalAws, Repository, people_policies

from tests.e2e.conftest import EVERYTHING, REPOSITORY
from tests.e2e.estate import Estate, new_person


def new_estate(
    aws: LocalAws, directory: Path, stacks: list[dict[str, Any]], **settings: Any
) -> tuple[Estate, Repository]:
    """An estate before the first site.yml: people with exactly the rendered policies, and an empty repository."""
    administrator = aws.person("administrator", EVERYTHING)
    example = yaml.safe_load((ROOT / "playbooks" / "example.yml").read_text())
    estate = Estate(aws, administrator, directory, {**example["gitops_settings"], **settings}, stacks)
    rendered = estate.playbook("policies.yml", None, account_id=ACCOUNT, directory=str(directory / "policies"))
    assert not rendered.failed, rendered.output
    for name, policy in people_policies(directory / "policies", "installer", "operator", "recovery").items():
        setattr(estate, name, new_person(administrator, name, policy))
    repository = Repository(directory / "git")
    aws.command("map-repository", REPOSITORY, str(repository.bare))
    (repository.clone / "README.md").write_text("All stacks\n")
    repository.push("Begin")
    return estate, repository


def reviews(estate: Estate, number: int) -> list[dict[str, Any]]:
    """The builds that the pull request of the branch `change-<number>` starts, at their end."""
    told = estate.aws.command("pull-request", REPOSITORY, str(number), "--head", f"change-{number}", "--base", "main")
    ids = [started["build_id"] for started in json.loads(told)["builds"]]
    codebuild, deadline = estate.administrator.client("codebuild"), time.monotonic() + 240
    while True:
        builds: list[dict[str, Any]] = codebuild.batch_get_builds(ids=ids)["builds"]
        if all(build["buildStatus"] != "IN_PROGRESS" for build in builds):
            return builds
        assert time.monotonic() < deadline
        time.sleep(0.5)
