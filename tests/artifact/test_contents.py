# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artifact holds: all that a user runs and reads, as it is in git, and nothing else."""

from __future__ import annotations

import json
import posixpath
import re
import subprocess
from pathlib import Path

import markdown_links
import pytest
import yaml
from local_estate import ROOT

from tests.artifact.conftest import Artifact

# What a user has a use for. Whatever else appears in the repository is left out in galaxy.yml, or added here.
FOLDERS = {"buildspecs", "changelogs", "docs", "meta", "playbooks", "plugins", "roles", "tf"}
FILES = {
    "CHANGELOG.rst",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.ko.md",
    "README.md",
    "SECURITY.md",
    "requirements.txt",
}
WHOLE = ("buildspecs", "meta", "playbooks", "plugins", "roles", "tf")
LEFT_OUT = {"playbooks/ansible.cfg"}  # settings for a clone; users have their own
MADE = {"FILES.json", "MANIFEST.json"}  # by ansible-galaxy

# What shipped pages link to, though it is not shipped, with the reason: these links work on the Git host.
NOT_SHIPPED = {
    "CONTRIBUTING.md": "for who works on the collection",
    "docs/comparison.md": "for who chooses: each of its lines names a test",
    "docs/module-comparison.md": "likewise",
    "docs/dependencies.md": "mostly about what development installs",
    "execution-environment.yml": "builds an image in a clone, with the artifact in it",
    "extensions/": "scenarios of Molecule, and objects for AWX to copy",
    "local_aws/": "a tool of development",
    "tests/": "the tests that pages name as proof",
}


@pytest.fixture(scope="module")
def known() -> set[str]:
    """The files that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return {name for name in names if name and (ROOT / name).is_file()}


def test_at_the_top_is_what_a_user_has_a_use_for(artifact: Artifact) -> None:
    folders = {name.partition("/")[0] for name in artifact.texts if "/" in name}
    assert folders == FOLDERS
    assert {name for name in artifact.texts if "/" not in name} == FILES
    assert {name for name in artifact.texts if name.startswith("changelogs/")} == {"changelogs/changelog.yaml"}


def test_all_that_plugins_roles_and_playbooks_need_is_there(artifact: Artifact, known: set[str]) -> None:
    needed = {name for name in known if name.startswith(tuple(f"{folder}/" for folder in WHOLE))} - LEFT_OUT
    assert {name for name in artifact.texts if name.startswith(tuple(f"{folder}/" for folder in WHOLE))} == needed


def test_every_file_is_as_git_knows_it(artifact: Artifact, known: set[str]) -> None:
    """So nothing that git ignores is there, and nothing that the machine on which it was built has written."""
    assert set(artifact.texts) - MADE <= known
    changed = [name for name in set(artifact.texts) - MADE if (ROOT / name).read_bytes() != artifact.texts[name]]
    assert changed == []


def test_nothing_tells_of_the_machine_it_was_built_on(artifact: Artifact) -> None:
    places = [str(place).encode() for place in (ROOT, artifact.path.parent, Path.home() / ".ansible")]
    assert [name for name, text in artifact.texts.items() if any(place in text for place in places)] == []
    assert {(member.uid, member.gid) for member in artifact.members} == {(0, 0)}
    assert {member.uname for member in artifact.members} <= {"", "root"}
    listed = [entry["name"] for entry in json.loads(artifact.texts["FILES.json"])["files"]]
    assert [name for name in listed if name.startswith(("/", ".."))] == []


def test_files_and_folders_and_no_links(artifact: Artifact) -> None:
    assert [member.name for member in artifact.members if not (member.isreg() or member.isdir())] == []


def test_it_says_what_it_is(artifact: Artifact) -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    manifest = json.loads(artifact.texts["MANIFEST.json"])["collection_info"]
    assert artifact.path.name == f"gitops-aws-{galaxy['version']}.tar.gz"
    for key in ("namespace", "name", "version", "license", "dependencies", "readme", "tags"):
        assert manifest[key] == galaxy[key], key


def test_pages_link_to_what_is_shipped_or_is_known_not_to_be(artifact: Artifact) -> None:
    shipped = {member.name.rstrip("/") for member in artifact.members}
    missing = set()
    for name, text in artifact.texts.items():
        for _, target in markdown_links.links(text.decode()) if name.endswith(".md") else ():
            path = target.partition("#")[0]
            place = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            if path and not re.match(r"[a-z]+:", path) and place not in shipped:
                missing.add(place)
    assert [place for place in missing if not (ROOT / place).exists()] == []
    assert {place for place in missing if not f"{place}/".startswith(tuple(NOT_SHIPPED))} == set()
    assert {key for key in NOT_SHIPPED if any(f"{place}/".startswith(key) for place in missing)} == set(NOT_SHIPPED)
