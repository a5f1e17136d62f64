# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artifact in the hands of a user: an empty environment, an empty home, a folder that is no clone."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from documented import documented
from local_estate import ACCOUNT, ROOT, LocalAws, people_policies

from tests.artifact.conftest import User

PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml") if path.stem != "example")


@pytest.fixture(scope="module")
def installer(user: User, aws: LocalAws) -> User:
    """The user with their vars file, and with the rights that policies.yml has written, and no others."""
    example = user.collections / "gitops" / "aws" / "playbooks" / "example.yml"
    # Everything it offers, so that each role runs.
    text, offers = re.subn(r"^  # ((?:notifications|drift): )", r"  \1", example.read_text(), flags=re.MULTILINE)
    assert offers == 2
    (user.folder / "your.yml").write_text(text)
    user.run("ansible-playbook", "gitops.aws.policies", "-e", "@your.yml", "-e", f"account_id={ACCOUNT}")
    policies = people_policies(user.folder / "policies", "installer")
    return user.acting_as(aws.person("installer", policies["installer"]))


def changes(output: str) -> int:
    """How many tasks have changed something."""
    recap = re.search(r"^localhost +: .* changed=(\d+) .* failed=0 ", output, re.MULTILINE)
    assert recap, output
    return int(recap[1])


def test_it_is_installed_whole(user: User) -> None:
    listed = json.loads(user.run("ansible-galaxy", "collection", "list", "--format", "json"))
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    assert listed[str(user.collections)]["gitops.aws"] == {"version": version}
    said = user.run("ansible-galaxy", "collection", "verify", "--offline", "gitops.aws")
    assert "Successfully verified that checksums for 'gitops.aws" in said


def test_site_makes_the_example_and_a_second_run_changes_nothing(installer: User) -> None:
    site = ("ansible-playbook", "gitops.aws.site", "-e", "@your.yml")
    first = installer.run(*site)
    assert changes(first) > 5, first
    second = installer.run(*site)
    assert changes(second) == 0, second


def test_every_playbook_is_found_with_all_that_it_includes(user: User) -> None:
    said = user.run("ansible-playbook", "--list-tasks", *(f"gitops.aws.{name}" for name in PLAYBOOKS))
    found = re.findall(r"^playbook: (.*)$", said, re.MULTILINE)
    assert found == [str(user.collections / "gitops" / "aws" / "playbooks" / f"{name}.yml") for name in PLAYBOOKS]


@pytest.mark.parametrize("kind", documented())
def test_ansible_doc_knows_everything(user: User, kind: str) -> None:
    names = [f"gitops.aws.{name}" for name in documented()[kind]]
    said = user.run("ansible-doc", "--type", kind, *names)
    assert sorted(re.findall(r"^> .*?(gitops\.aws\.\w+)", said, re.MULTILINE)) == names
