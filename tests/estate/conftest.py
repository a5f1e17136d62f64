# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's repository, a copy of `repository/` with its secrets, and one local AWS for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from local_estate import REGION, LocalAws, Person

from tests.e2e.estate import allow, mutations

HERE = Path(__file__).parent
PASSWORD = "correct horse"
DATABASE_PASSWORD = "battery staple"

# What others may call their variables: words that are used in our modules, roles and documentation as well.
THEIR_NAMES = (
    "account account_id accounts alarm_emails arns aws_account_id branch bucket caller connection "
    "connection_arn credentials directory drift entries estate foundation iam installers key kms_key_arn "
    "lock_table missing name notifications parameters path pipeline pipelines policies prefix profile "
    "projects refused region repository result results role secrets settings ssm stack stacks start state "
    "state_bucket steps there"
).split()


@dataclass(frozen=True)
class Ran:
    """A playbook run that succeeded. `calls` are those of who ran it."""

    output: str
    calls: list[dict[str, Any]]

    def recap(self, host: str) -> dict[str, int]:
        """Ansible's counts for a host: ok, changed, failed, ..."""
        line = re.search(rf"^{host} +: (.*)$", self.output, re.MULTILINE)
        return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line[1])} if line else {}

    @property
    def mutations(self) -> list[str]:
        """What it changed, or tried to."""
        return mutations(self.calls)

    @property
    def services(self) -> set[str]:
        """The services that it called."""
        return {call["action"].partition(":")[0] for call in self.calls}


@dataclass(frozen=True)
class Repository:
    """The repository, in which its owner runs playbooks. Tests look and meddle as the administrator."""

    directory: Path
    aws: LocalAws
    python: Path
    owner: Person
    administrator: Person

    @property
    def login(self) -> dict[str, str]:
        """What a client of the administrator's takes beside its region."""
        return {
            "endpoint_url": self.administrator.endpoint_url,
            "aws_access_key_id": self.administrator.access_key_id,
            "aws_secret_access_key": self.administrator.secret_access_key,
        }

    def run(self, playbook: str, *arguments: str, **environment: str) -> Ran:
        """Runs a playbook, which must succeed."""
        before = len(self.aws.calls())
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_"))}
        done = subprocess.run(
            [self.python, self.python.with_name("ansible-playbook"), playbook, *arguments],
            check=False,
            cwd=self.directory,
            env={
                **kept,
                "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
                # Ansible itself looks for it in two places where HOME is not that of the machine's user.
                "ANSIBLE_ASYNC_DIR": str(self.directory.parent / "async"),
                "ANSIBLE_NOCOLOR": "1",
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "AWS_EC2_METADATA_DISABLED": "true",
                "OUR_AWS": self.aws.endpoint_url,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        time.sleep(0.2)  # a call is logged just after it is answered
        # Pipelines that were just made run once, and call what they need as their own roles.
        own = [call for call in self.aws.calls()[before:] if call["access_key_id"] == self.owner.access_key_id]
        return Ran(done.stdout, own)


def encrypted(text: str) -> str:
    """A text as ansible-vault would write it."""
    secrets = [("default", VaultSecret(PASSWORD.encode()))]
    return str(VaultLib(secrets).encrypt(text, secrets[0][1]).decode())


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Local AWS, empty."""
    with LocalAws(tmp_path_factory.mktemp("local-aws")).running() as aws:
        yield aws


@pytest.fixture(scope="session")
def repository(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The repository, with the owner's keys and a password in its vault."""
    directory = tmp_path_factory.mktemp("somebody") / "repository"
    shutil.copytree(HERE / "repository", directory)
    owner, administrator = (aws.person(name, allow(["*"], ["*"])) for name in ("owner", "administrator"))
    keys = {"vault_access_key": owner.access_key_id, "vault_secret_key": owner.secret_access_key}
    (directory / "vault_password").write_text(PASSWORD)
    variables = directory / "inventory" / "group_vars" / "all"
    (variables / "vault.yml").write_text(encrypted(yaml.safe_dump(keys)))
    lines = encrypted(DATABASE_PASSWORD).splitlines()
    (variables / "secrets.yml").write_text("\n  ".join(["database_password: !vault |", *lines]) + "\n")
    (directory / "their_names.yml").write_text(yaml.safe_dump({name: f"their {name}" for name in THEIR_NAMES}))
    (directory / "aws_config").write_text(
        f"[profile ours]\nregion = {REGION}\nendpoint_url = {aws.endpoint_url}\n"
        f"aws_access_key_id = {owner.access_key_id}\naws_secret_access_key = {owner.secret_access_key}\n"
    )
    # Ansible's wrapper for what runs in the background takes no interpreter with a space in its path, as ours has in a
    # clone whose path has one.
    python = directory.parent / "python"
    python.symlink_to(sys.prefix)
    program = python / Path(sysconfig.get_path("scripts")).name / Path(sys.executable).name
    return Repository(directory, aws, program, owner, administrator)
