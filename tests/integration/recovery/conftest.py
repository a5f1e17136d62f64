# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An estate as site.yml makes it, whose builds run Terraform, and people with the policies that are rendered for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_estate import ACCOUNT, REGION, LocalAws, Person, people_policies

from tests.e2e.estate import Estate, Run, allow, break_glass, helper_in_need, new_person, root
from tests.integration.modules.running import eventually
from tests.integration.modules.states import CODE

ESTATE = "rescue"
REPOSITORY = "acme/infrastructure"


@dataclass
class Recovery:
    """The estate, who recovers it, and who runs its pipelines."""

    estate: Estate
    recoverer: Person
    operator: Person

    @property
    def administrator(self) -> Person:
        return self.estate.administrator

    @property
    def bucket(self) -> str:
        return str(self.estate.foundation["state_bucket"])

    def play(self, name: str, *arguments: str, person: Person | None = None, **variables: Any) -> Run:
        """Runs a playbook as the one who recovers, who is denied nothing that it asks for."""
        run = self.estate.playbook(name, person or self.recoverer, *arguments, **variables)
        if person is None:
            denied = {call["action"] for call in run.calls if "AccessDenied" in (call["error_code"] or "")}
            assert denied == set(), run.output
        return run

    def start(self, stack: str, value: str, seconds: int = 0, command: str = "apply -auto-approve") -> str:
        """Starts a build of a stack's apply project that runs Terraform on the stack's state; its id."""
        commands = [
            f"cat > main.tf <<'EOF'\n{CODE}EOF",
            "terraform init -no-color",
            f"terraform {command} -no-color -var=value={value} -var=seconds={seconds}",
        ]
        build = self.administrator.client("codebuild").start_build(
            projectName=f"{ESTATE}-{stack}-apply",
            sourceTypeOverride="NO_SOURCE",
            artifactsOverride={"type": "NO_ARTIFACTS"},
            buildspecOverride=json.dumps({"version": 0.2, "phases": {"build": {"commands": commands}}}),
        )
        return str(build["build"]["id"])

    def wait(self, build_id: str) -> str:
        """Waits for a build's end; its status."""
        codebuild = self.administrator.client("codebuild")

        def look() -> str:
            build = codebuild.batch_get_builds(ids=[build_id])["builds"][0]
            return str(build["buildStatus"]) if build["buildComplete"] else ""

        return str(eventually(look, 60))

    def run(self, stack: str, value: str, command: str = "apply -auto-approve") -> str:
        """Runs Terraform in a build to its end, which must be a good one; the log."""
        build_id = self.start(stack, value, command=command)
        status, log = self.wait(build_id), self.estate.log(build_id)
        assert status == "SUCCEEDED", log
        return log

    def log(self, build_id: str) -> str:
        """A build's log, '' where there is none yet."""
        logs = self.administrator.client("logs")
        try:
            return self.estate.log(build_id)
        except (KeyError, logs.exceptions.ResourceNotFoundException):
            return ""

    def put(self, bucket: str, key: str, content: dict[str, Any]) -> None:
        """Saves something as a build would."""
        self.estate.kept("s3").put_object(
            Bucket=bucket,
            Key=key,
            Body=json.dumps(content),
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=self.estate.key_arn,
        )


@pytest.fixture(scope="session")
def recovery(local_aws: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Recovery:
    """The estate, made by somebody who may do everything; who recovers it has taken the break-glass role."""
    directory = tmp_path_factory.mktemp("estate")
    aws = LocalAws(local_aws[1])
    aws.endpoint_url = local_aws[0]
    administrator = aws.person("recovery-administrator", allow(["*"], ["*"]))
    settings = {
        "name": ESTATE,
        "region": REGION,
        "connection": ESTATE,
        "installers": ["user/recovery-administrator"],
        "break_glass_principals": [f"user/{ESTATE}-recovery"],
    }
    stacks = [{"name": name, "repository": REPOSITORY, "path": name} for name in ("killed", "restored", "rescued")]
    estate = Estate(aws, administrator, directory, settings, stacks, installer=administrator)
    estate.keeper = root(aws.endpoint_url)
    role = estate.foundation["break_glass_role_arn"]
    helper = helper_in_need(administrator, f"{ESTATE}-recovery", role)
    estate.site()
    rendered = estate.playbook("policies.yml", None, account_id=ACCOUNT, directory=str(directory / "policies"))
    assert not rendered.failed, rendered.output
    policy = people_policies(directory / "policies", "operator")["operator"]
    operator = new_person(administrator, f"{ESTATE}-operator", policy)
    return Recovery(estate, break_glass(administrator, helper, role), operator)
