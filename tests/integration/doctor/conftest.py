# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An estate as site.yml makes it, and who asks what ails it, with the policy that is rendered for that. Each fault has
a stack of its own, so that many are planted at once."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_estate import ACCOUNT, REGION, ROOT, LocalAws, Person, Repository

from ansible_collections.gitops.aws.plugins.module_utils._estate import observers, spec
from local_aws.process import ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY
from tests.e2e.estate import Estate, Execution, Run, allow, new_person
from tests.integration.modules.harness import run_module

ESTATE = "ill"
REPOSITORY = "acme/infrastructure"
LOCK = "7d7b1ad0-0000-4000-8000-000000000000"

# What is planted into each is in test_settings.py and test_runs.py.
STACKS = (
    *("healthy", "bucket", "objects", "keyed", "params", "locked", "drifted", "denying", "gone", "bounded", "strange"),
    *("unpulled", "denied", "limited", "refused"),
)
VALUE = ROOT / "tests" / "e2e" / "roots" / "value"
READS_VPCS = """\
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
  backend "s3" {}
}

provider "aws" {
  skip_requesting_account_id = true
}

data "aws_vpcs" "all" {}

output "vpcs" {
  value = data.aws_vpcs.all.ids
}
"""


@dataclass(frozen=True)
class Told:
    """What doctor.yml told."""

    run: Run

    @property
    def lines(self) -> list[str]:
        """The lines of its report."""
        shown = re.findall(r'^        "(.*)",?$', self.run.output, re.MULTILINE)
        return [json.loads(f'"{line}"') for line in shown]

    @property
    def findings(self) -> list[dict[str, str]]:
        """Its findings, read as a person reads them."""
        found: list[dict[str, str]] = []
        for line in self.lines:
            head = re.match(r"\d+\. (?P<id>[a-z-]+)(?: \((?P<stack>[\w-]+)\))?: (?P<cause>.*)$", line)
            part = re.match(r"    (?P<name>resource|evidence|fix): (?P<text>.*)$", line)
            if head:
                found.append({**head.groupdict(""), "line": line})
            elif part:
                found[-1][part["name"]] = part["text"]
        return found

    def of(self, stack: str) -> list[dict[str, str]]:
        """Its findings about a stack."""
        return [finding for finding in self.findings if finding["stack"] == stack]


@dataclass
class Practice:
    """The estate, its repository, and who looks at it."""

    estate: Estate
    repository: Repository
    doctor: Person

    @property
    def administrator(self) -> Person:
        return self.estate.administrator

    def ask(self, person: Person | None = None, **variables: str) -> Told:
        """Runs doctor.yml as the doctor, who is denied nothing that it asks for."""
        run = self.estate.playbook("doctor.yml", person or self.doctor, **variables)
        assert run.mutations == []
        if person is None:
            denied = {call["action"] for call in run.calls if "AccessDenied" in (call["error_code"] or "")}
            assert denied == set(), run.output
        return Told(run)

    def module(self, *names: str, **arguments: Any) -> dict[str, Any]:
        """Runs the module alone for some of the stacks; its result."""
        settings, stacks, problems = spec.check(self.estate.settings, self.estate.stacks, [REGION])
        assert problems == []
        shared = {
            **self.estate.foundation,
            "connection_arn": self.connection_arn,
            "kms_key_arn": self.estate.key_arn,
            "connection_provider": settings["connection_provider"],
        }
        return run_module(
            "pipeline_diagnosis_info",
            {
                "region": REGION,
                "endpoint_url": self.doctor.endpoint_url,
                "access_key": self.doctor.access_key_id,
                "secret_key": self.doctor.secret_access_key,
                "foundation": shared,
                "stacks": [one for one in observers.stack_expectations(stacks, shared) if one["name"] in names],
                **arguments,
            },
        )

    @property
    def connection_arn(self) -> str:
        """The connection's ARN."""
        every = self.administrator.client("codeconnections").list_connections()["Connections"]
        (one,) = [each for each in every if each["ConnectionName"] == ESTATE]  # the account has others
        return str(one["ConnectionArn"])

    def start(self, stack: str) -> str:
        """Starts a stack's pipeline; the execution's id."""
        return self.estate.start(f"{ESTATE}-{stack}")

    def ended(self, stack: str, execution_id: str) -> Execution:
        """That execution at its end, which must be a bad one."""
        found = self.estate.wait(f"{ESTATE}-{stack}", execution_id)
        assert found.status == "Failed", self.estate.story(found)
        return found


@pytest.fixture(scope="session")
def practice(local_aws: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Practice:
    """The estate, made by somebody who may do everything; its connection is not completed yet. From then on, nobody is
    root."""
    directory = tmp_path_factory.mktemp("estate")
    aws = LocalAws(local_aws[1])
    aws.endpoint_url = local_aws[0]
    administrator = aws.person("administrator", allow(["*"], ["*"]))
    key = new_person(administrator, "terraform", allow(["ssm:GetParameter"], ["*"]))
    csv = directory / "accessKeys.csv"
    csv.write_text(f"Access key ID,Secret access key\r\n{key.access_key_id},{key.secret_access_key}\r\n")
    settings = {"name": ESTATE, "region": REGION, "connection": ESTATE, "installers": ["user/administrator"]}
    stacks: list[dict[str, Any]] = [
        {"name": name, "repository": REPOSITORY, "path": name, "approval": False, "trigger": False} for name in STACKS
    ]
    estate = Estate(aws, administrator, directory, settings, stacks, installer=administrator, operator=administrator)
    estate.stack("params").update(credentials="parameter_store", access_keys_csv=str(csv))
    estate.stack("refused").update(checks=["tflint"])  # which the image lacks
    repository = Repository(directory / "git")
    aws.command("map-repository", REPOSITORY, str(repository.bare))
    for name in STACKS:
        shutil.copytree(VALUE, repository.clone / name, ignore=shutil.ignore_patterns(".terraform"))
    (repository.clone / "denied" / "main.tf").write_text(READS_VPCS)
    shutil.copy(ROOT / "tf" / ".terraform.lock.hcl", repository.clone / "denied")
    repository.push("Begin")
    estate.site()
    rendered = estate.playbook("policies.yml", None, account_id=ACCOUNT, directory=str(directory / "policies"))
    assert not rendered.failed, rendered.output
    policy = json.loads((directory / "policies" / "doctor.json").read_text())
    return Practice(estate, repository, new_person(administrator, f"{ESTATE}-doctor", policy))


@pytest.fixture(scope="session")
def pending(practice: Practice) -> Told:
    """What is told while nobody has completed the connection, and the first execution has failed by it."""
    (first,) = practice.estate.executions(f"{ESTATE}-healthy")
    practice.ended("healthy", first)
    return practice.ask(stack="healthy")


@pytest.fixture(scope="session")
def healthy(practice: Practice, pending: Told) -> Told:
    """What is told of the whole estate when nothing ails it any more."""
    practice.estate.aws.command("complete-connection", ESTATE)
    return practice.ask()


def plant_locked(practice: Practice) -> None:
    """Somebody else's Terraform holds a lock. The table is sealed against all but builds and the account's root."""
    bucket, table = practice.estate.foundation["state_bucket"], practice.estate.foundation["lock_table"]
    info = {
        "ID": LOCK,
        "Operation": "OperationTypeApply",
        "Info": "",
        "Who": "somebody@else",
        "Version": "1.11.4",
        "Created": "2025-01-01T00:00:00Z",
        "Path": f"{bucket}/locked/terraform.tfstate",
    }
    root = Person("root", practice.doctor.endpoint_url, ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY)
    root.client("dynamodb").put_item(
        TableName=table, Item={"LockID": {"S": str(info["Path"])}, "Info": {"S": json.dumps(info)}}
    )
