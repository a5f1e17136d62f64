# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection artifact, built for this run, and who has installed it and nothing else."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml
from local_estate import ROOT, LocalAws, Person

# What Ansible says to everybody who has no inventory.
WITHOUT_INVENTORY = (
    "[WARNING]: No inventory was parsed, only implicit localhost is available",
    "[WARNING]: provided hosts list is empty, only localhost is available.",
)


@dataclass(frozen=True)
class Artifact:
    """The tarball.

    Attributes:
        path: where it is.
        members: what it holds, as tar says it.
        texts: the content of each file by its path in the collection.
    """

    path: Path
    members: list[tarfile.TarInfo]
    texts: dict[str, bytes]


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """As `make dist` builds it."""
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, str(ROOT / "scripts" / "dist.py"), str(directory)], check=True)
    [path] = directory.iterdir()
    texts = {}
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        for member in members:
            content = archive.extractfile(member) if member.isreg() else None
            if content:
                texts[member.name] = content.read()
    return Artifact(path, members, texts)


@pytest.fixture(scope="session")
def amazon_aws() -> Path:
    """Where amazon.aws is in our own environment: Galaxy, from which users get it, is beyond the reach of tests."""
    found = importlib.util.find_spec("ansible_collections.amazon.aws")
    assert found is not None
    assert found.submodule_search_locations
    return Path(next(iter(found.submodule_search_locations)))


def clean_environment(environment: Path, home: Path) -> dict[str, str]:
    """The variables of a process in a virtual environment: nothing of ours, another HOME, and no way to the network."""
    home.mkdir(exist_ok=True)
    nowhere = "http://127.0.0.1:9"
    return {
        "PATH": os.pathsep.join([str(environment / "bin"), "/usr/bin", "/bin"]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "NO_PROXY": "127.0.0.1",
    }


@dataclass(frozen=True)
class User:
    """Who has installed the collection, and nothing else.

    Attributes:
        folder: where they work.
        environment: of what they start.
        collections: where ansible-galaxy installs.
    """

    folder: Path
    environment: dict[str, str]
    collections: Path

    def run(self, *command: str) -> str:
        """What a command prints, which ends well and warns of nothing."""
        run = subprocess.run(
            command, cwd=self.folder, env=self.environment, check=False, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stdout + run.stderr
        said = run.stdout + run.stderr
        warned = re.findall(r"^\[(?:WARNING|ERROR|DEPRECATION).*$", said, re.MULTILINE)
        assert [line for line in warned if not line.startswith(WITHOUT_INVENTORY)] == [], said
        return run.stdout

    def acting_as(self, person: Person) -> User:
        """The user, with somebody's keys in the environment."""
        return replace(self, environment=self.environment | person.environment())


def tarball(collection: Path, directory: Path) -> Path:
    """An artifact of an installed collection: ansible-galaxy installs nothing but artifacts without a network."""
    copy = directory / "copy"
    shutil.copytree(collection, copy, ignore=shutil.ignore_patterns("__pycache__"))
    told = json.loads((copy / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]
    (copy / "galaxy.yml").write_text(yaml.safe_dump({key: value for key, value in told.items() if value}))
    command = ["ansible-galaxy", "collection", "build", str(copy), "--output-path", str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.PIPE)
    [path] = directory.glob("*.tar.gz")
    return path


@pytest.fixture(scope="session")
def user(artifact: Artifact, amazon_aws: Path, tmp_path_factory: pytest.TempPathFactory) -> User:
    """Installs as the README says: ansible-core, requirements.txt, the artifact."""
    directory = tmp_path_factory.mktemp("user of it")
    environment, requirements = directory / "venv", directory / "requirements.txt"
    requirements.write_bytes(artifact.texts["requirements.txt"])
    subprocess.run(["uv", "venv", "--quiet", "--no-config", "--python", sys.executable, environment], check=True)
    # The versions that everything else is tested with.
    constraints = ("--constraint", ROOT / "requirements" / "dev.txt")
    install = ("uv", "pip", "install", "--quiet", "--no-config", "--system-certs", "--python", environment)
    subprocess.run([*install, *constraints, "--requirements", requirements, "ansible-core"], check=True)
    home, folder = directory / "home", directory / "work"
    folder.mkdir()
    collections = home / ".ansible" / "collections" / "ansible_collections"
    user = User(folder, clean_environment(environment, home), collections)
    # With a network, ansible-galaxy would fetch amazon.aws by itself.
    needed = tarball(amazon_aws, tmp_path_factory.mktemp("amazon-aws"))
    user.run("ansible-galaxy", "collection", "install", "--offline", str(needed), str(artifact.path))
    return user


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """An empty account."""
    with LocalAws(tmp_path_factory.mktemp("local-aws")).running() as aws:
        yield aws
