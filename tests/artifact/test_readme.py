# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's quick start for a real account, followed as it is written by somebody who has installed the artifact.

Local AWS stands for AWS, and what a person does by hand there is done for them: the owner of the account attaches the
policies that were written, and somebody completes the connection.
"""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from local_estate import ACCOUNT, REGION, ROOT, LocalAws, Person, Repository, execution_of_push

from tests.artifact.conftest import User

SECTION = re.search(r"^## On a real account\n(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
assert SECTION
TEXT = SECTION[1].split("\n| page |")[0]
COMMANDS = [line.strip() for line in re.findall(r"^ {4,}((?:make|pip|ansible-\w+) .*)$", TEXT, re.MULTILINE)]


def may(action: str) -> dict[str, Any]:
    """A policy that allows this everywhere."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


@dataclass
class Reader:
    """Who follows the README; `said` is what each of its commands printed."""

    user: User
    aws: LocalAws
    administrator: Person
    said: dict[str, str]

    def follow(self, command: str, profile: str = "", **placeholders: str) -> str:
        """Runs a command of the README, with what stands for its placeholders."""
        assert command in COMMANDS, f"not in the README: {command}"
        typed = command
        for name, value in placeholders.items():
            typed = typed.replace(f"<{name}>", value)
        user = replace(self.user, environment=self.user.environment | ({"AWS_PROFILE": profile} if profile else {}))
        self.said[command] = user.run(*typed.replace("111122223333", ACCOUNT).split())
        return self.said[command]

    def attach(self, role: str, *documents: str) -> None:
        """The owner of the account makes a role that only has these documents, and a profile that takes it."""
        iam = self.administrator.client("iam")
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        policy = {"Version": "2012-10-17", "Statement": [trust]}
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(policy))
        for document in documents:
            text = (self.user.folder / "policies" / document).read_text()
            name = f"{role}-{document.removesuffix('.json')}"
            made = iam.create_policy(PolicyName=name, PolicyDocument=text)
            iam.attach_role_policy(RoleName=role, PolicyArn=made["Policy"]["Arn"])
        with Path(self.user.environment["AWS_CONFIG_FILE"]).open("a") as config:
            config.write(
                f"[profile {role}]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/{role}\nsource_profile = person\n"
                f"endpoint_url = {self.aws.endpoint_url}\n\n"
            )


@pytest.fixture(scope="module")
def reader(user: User, aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """In a folder of their own, with the keys of a user who may do nothing but take roles."""
    folder = tmp_path_factory.mktemp("reader of it")
    person = aws.person("somebody", may("sts:AssumeRole"))
    files = {"AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}
    Path(files["AWS_SHARED_CREDENTIALS_FILE"]).write_text(
        f"[person]\naws_access_key_id = {person.access_key_id}\naws_secret_access_key = {person.secret_access_key}\n"
    )
    Path(files["AWS_CONFIG_FILE"]).write_text(
        f"[profile person]\nregion = {REGION}\nendpoint_url = {aws.endpoint_url}\n\n"
    )
    at_work = replace(user, folder=folder, environment=user.environment | files)
    return Reader(at_work, aws, aws.person("owner", may("*")), {})


def test_the_quick_start_works_as_it_is_written(reader: Reader, tmp_path: Path) -> None:
    # The first two commands are how `user` got the collection.
    install, requirements, policies, check, site, follow, approve = COMMANDS
    assert install == "make dist && ansible-galaxy collection install dist/*.tar.gz"
    assert requirements.split("#")[0].split() == ["pip", "install", "-r", "requirements.txt"]

    # 1
    [vars_file] = re.findall(r"^ +```yaml\n(.*?)^ +```$", TEXT, re.MULTILINE | re.DOTALL)
    (reader.user.folder / "your.yml").write_text(textwrap.dedent(vars_file))
    # 2
    reader.follow(policies)
    reader.attach("platform", "installer_state.json", "installer_pipelines.json")
    reader.attach("operator", "operator.json")
    # 3
    looked = reader.follow(check, "platform")
    assert reader.administrator.client("codepipeline").list_pipelines()["pipelines"] == [], looked
    made = reader.follow(site, "platform")
    # 4
    assert "https://" in made, made
    reader.aws.command("complete-connection", "github")
    # 5
    repository = Repository(tmp_path)
    reader.aws.command("map-repository", "acme/infrastructure", str(repository.bare))
    shutil.copytree(ROOT / "tf", repository.clone / "network", ignore=shutil.ignore_patterns(".terraform"))
    code = "".join(file.read_text() for file in (repository.clone / "network").glob("*.tf"))
    assert 'backend "s3" {}' in code
    assert (repository.clone / "network" / ".terraform.lock.hcl").exists()
    commit = repository.push("Add the network")
    execution_of_push(reader.administrator, "gitops-network", commit)
    waits = reader.follow(follow, "operator")
    [execution] = set(re.findall(r"-e execution_id=([0-9a-f-]{36}) -e approve=true", waits))
    done = reader.follow(approve, "operator", id=execution)
    assert "Deploy/Apply: ok" in done, done
    vpcs = reader.administrator.client("ec2").describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["network"]}])
    assert len(vpcs["Vpcs"]) == 1
    # "safe to repeat"
    assert re.search(r"changed=0 .* failed=0", reader.follow(site, "platform"))
    assert set(reader.said) == set(COMMANDS) - {install, requirements}
