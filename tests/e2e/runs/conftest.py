# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An estate of its own for what can happen to a run between the push and the end. Each test pushes its own stack."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_estate import ACCOUNT, ROOT, LocalAws, Repository, execution_of_push, people_policies

from tests.e2e.conftest import HERE, PARAMETER_ACTIONS, parameter_policy
from tests.e2e.estate import EVERYTHING, REPOSITORY, Estate, Execution, break_glass, helper_in_need, new_person, root

ROOTS = HERE / "roots"
MINUTE = 4  # seconds that a minute of a timeout takes here, so that an approval can expire
OWN_VPC = {
    "Effect": "Allow",
    "Action": ["ec2:CreateVpc", "ec2:DeleteVpc", "ec2:ModifyVpcAttribute", "ec2:CreateTags", "ec2:DeleteTags"],
    "Resource": "*",
}
DESCRIBE = {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}


def own_parameter(name: str) -> dict[str, Any]:
    """What a stack needs that makes a parameter `/app/<name>`."""
    statements = parameter_policy(f"/app/{name}")["Statement"]
    reading = [action for action in PARAMETER_ACTIONS if action.startswith(("ssm:Get", "ssm:List"))]
    return {
        "plan_permissions": [{**statements[0], "Action": reading}, *statements[1:]],
        "apply_permissions": statements[:1],
        "variables": {"parameter": f"/app/{name}"},
    }


AUTHOR = "ada@example.com"  # who is the operator; the other commits are by nobody whom the estate knows

STACKS: list[dict[str, Any]] = [
    {"name": "guarded"},
    {"name": "hurried", "approval_timeout_in_minutes": 5},
    {"name": "refused", "approval": False, "variables": {"parameter": "/app/refused"}},
    {"name": "killed", "plan_permissions": [DESCRIBE], "apply_permissions": [OWN_VPC]},
    {"name": "unwritten", **own_parameter("unwritten")},
    {"name": "restored", "approval": False},
    {"name": "secretive", **own_parameter("secretive")},
    {"name": "base"},
    {"name": "app", "approval": False, "after": ["base"]},
    {"name": "checked", "checks": ["fmt", "validate", "tflint"], "trigger_paths": ["shared/**"]},
    {"name": "scanned", "checks": ["checkov"], "image": "acme/terraform-checkov:1", **own_parameter("scanned")},
    {"name": "reviewed", "pull_requests": True},
    {"name": "authored"},
    {"name": "many-one"},
    {"name": "many-two"},
]


@dataclass
class Runs:
    """The estate and its repository."""

    estate: Estate
    repository: Repository

    def write(self, stack: str, root: str, **replacements: str) -> Path:
        """The code of a stack in the clone, of one of the root modules, with words replaced."""
        folder = self.repository.clone / stack
        shutil.copytree(ROOTS / root, folder, ignore=shutil.ignore_patterns(".terraform"), dirs_exist_ok=True)
        main = folder / "main.tf"
        text = main.read_text(encoding="utf-8")
        if "hashicorp/aws" in text:
            shutil.copy(ROOT / "tf" / ".terraform.lock.hcl", folder)
        for old, new in replacements.items():
            assert old in text
            text = text.replace(old, new)
        main.write_text(text, encoding="utf-8")
        return main

    def say(self, stack: str, word: str) -> None:
        """Gives the variable `content` of the root module `value` another default."""
        main = self.repository.clone / stack / "main.tf"
        text, count = re.subn(r'(default = )"[\w-]+"', rf'\1"{word}"', main.read_text(encoding="utf-8"))
        assert count == 1
        main.write_text(text, encoding="utf-8")

    def push(self, stack: str, message: str = "Change") -> str:
        """Pushes the clone; the id of the execution that it starts for the stack."""
        commit = self.repository.push(message)
        assert self.estate.operator
        return execution_of_push(self.estate.operator, f"gitops-{stack}", commit)

    def waiting(self, stack: str, execution: str) -> Execution:
        """The execution where it waits for approval."""
        found = self.estate.wait(f"gitops-{stack}", execution, for_approval=True)
        assert found.waits, self.estate.story(found)
        return found

    @contextmanager
    def state_refused(self, stack: str) -> Iterator[None]:
        """Who applies may not write the stack's state."""
        state = f"arn:aws:s3:::{self.estate.foundation['state_bucket']}/{stack}/terraform.tfstate"
        denied = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": state}
        iam = self.estate.administrator.client("iam")
        policy = {"RoleName": f"gitops-{stack}-apply", "PolicyName": "accident"}
        iam.put_role_policy(**policy, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [denied]}))
        try:
            yield
        finally:
            iam.delete_role_policy(**policy)

    def ended(self, stack: str, execution: str, status: str) -> Execution:
        """The execution at its end."""
        found = self.estate.wait(f"gitops-{stack}", execution)
        assert found.status == status, self.estate.story(found)
        return found


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """The estate after site.yml, with a complete connection and an empty repository."""
    aws = LocalAws(tmp_path_factory.mktemp("local-aws-runs"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_AWS_MINUTE_SECONDS", str(MINUTE))
        aws.start()
    try:
        yield set_up(aws, tmp_path_factory.mktemp("runs"), STACKS)
    finally:
        aws.command("down")


def set_up(aws: LocalAws, directory: Path, given: list[dict[str, Any]], **more: Any) -> Runs:
    """The estate after site.yml, with these stacks and more settings."""
    administrator = aws.person("administrator", EVERYTHING)
    example = yaml.safe_load((ROOT / "playbooks" / "example.yml").read_text())
    stacks = [{"repository": REPOSITORY, "path": stack["name"], **stack} for stack in given]
    recoverer = ["user/recovery"]
    settings = {
        **example["gitops_settings"],
        "break_glass_principals": recoverer,
        "authors": {AUTHOR: ["assumed-role/*/ada", "user/oper*"]},
        **more,
    }
    estate = Estate(aws, administrator, directory, settings, stacks)
    rendered = estate.playbook("policies.yml", None, account_id=ACCOUNT, directory=str(directory / "policies"))
    assert not rendered.failed, rendered.output
    for name, policy in people_policies(directory / "policies", "installer", "operator").items():
        setattr(estate, name, new_person(administrator, name, policy))
    estate.keeper = root(aws.endpoint_url)
    repository = Repository(directory / "git")
    aws.command("map-repository", REPOSITORY, str(repository.bare))
    (repository.clone / "README.md").write_text("All stacks\n")
    repository.push("Begin")
    role = estate.foundation["break_glass_role_arn"]
    helper = helper_in_need(administrator, "recovery", role)
    estate.site()
    aws.command("complete-connection", "github")
    estate.recovery = break_glass(administrator, helper, role)
    return Runs(estate, repository)
