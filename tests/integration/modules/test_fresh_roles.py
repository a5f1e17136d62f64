# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role that cannot be assumed yet: the call is repeated until it can, and only then."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils import _aws
from tests.integration.modules.cases import CODEBUILD, CODEPIPELINE, MACHINES, Case, trust
from tests.integration.modules.harness import ACCOUNT, Account, ModuleFailed, World, unique

SERVICES = {
    "codebuild_projects": "codebuild.amazonaws.com",
    "codepipelines": "codepipeline.amazonaws.com",
    "stepfunctions_state_machines": "states.amazonaws.com",
}
OPTION = {
    "codebuild_projects": "service_role",
    "codepipelines": "role_arn",
    "stepfunctions_state_machines": "role_arn",
}

consumers = pytest.mark.parametrize("case", [CODEBUILD, CODEPIPELINE, MACHINES], ids=str)


def role_of_another_service(account: Account) -> str:
    name = unique("fresh")
    account.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust("ec2.amazonaws.com")))
    return name


@contextmanager
def assumable_after(account: Account, role: str, service: str, seconds: float) -> Iterator[None]:
    """As long as IAM takes to spread a new role, it cannot be assumed."""
    iam = account.client("iam")
    document = json.dumps(trust(service))
    timer = threading.Timer(seconds, lambda: iam.update_assume_role_policy(RoleName=role, PolicyDocument=document))
    timer.start()
    try:
        yield
    finally:
        timer.join()


def item(case: Case, world: World, role: str) -> dict[str, Any]:
    return case.new(world, unique("fresh"), **{OPTION[case.module]: f"arn:aws:iam::{ACCOUNT}:role/{role}"})


@consumers
def test_creation_is_repeated_until_the_role_can_be_assumed(case: Case, account: Account, world: World) -> None:
    role = role_of_another_service(account)
    arguments: dict[str, Any] = {case.plural: [item(case, world, role)]}

    with assumable_after(account, role, SERVICES[case.module], 1.2):
        result = account.run(case.module, **arguments)

    assert result["changed"]
    assert len(result["mutations"]) >= 2
    assert len(set(result["mutations"])) == 1
    assert account.run(case.module, **arguments)["mutations"] == []


@consumers
def test_update_is_repeated_until_the_role_can_be_assumed(case: Case, account: Account, world: World) -> None:
    one = case.new(world, unique("fresh"))
    arguments: dict[str, Any] = {case.plural: [one]}
    account.run(case.module, **arguments)
    role = role_of_another_service(account)
    one[OPTION[case.module]] = f"arn:aws:iam::{ACCOUNT}:role/{role}"

    with assumable_after(account, role, SERVICES[case.module], 1.2):
        result = account.run(case.module, **arguments)

    assert len(result["mutations"]) >= 2
    assert not account.run(case.module, **arguments)["changed"]


@consumers
def test_repeating_has_an_end_and_aws_has_the_last_word(
    case: Case, account: Account, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_aws, "PROPAGATION_TIMEOUT", 1)
    arguments: dict[str, Any] = {case.plural: [item(case, world, role_of_another_service(account))]}

    with pytest.raises(ModuleFailed, match=r"AssumeRole|assume the provided role") as failure:
        account.run(case.module, **arguments)

    assert 2 <= len(failure.value.result["mutations"]) <= 4
