# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test sanity on the collection: python scripts/sanity.py [arguments of ansible-test sanity].

ansible-test wants the directory layout ansible_collections/NAMESPACE/NAME and does not follow links into it, so the
files that git knows, or would add, are copied there first. What is not part of the collection artifact (local AWS,
scripts, tests) has its own linters and stays out.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import git_files
import pip

WORK = git_files.ROOT / ".work" / "sanity"
COPY = WORK / "ansible_collections" / "gitops" / "aws"
DEVELOPMENT = ("extensions/", "local_aws/", "scripts/", "tests/")
ANSIBLE_TEST = ("tests/config.yml", "tests/sanity/")


def belongs(name: str) -> bool:
    """Whether the file NAME (relative to the repository) is part of the collection or configures ansible-test."""
    return not name.startswith(DEVELOPMENT) or name.startswith(ANSIBLE_TEST)


def copy_tree() -> None:
    """Replace the copy by the present files of the repository."""
    git_files.copy(COPY, belongs)
    # Without a repository of its own, ansible-test would ask ours, in which the copy is ignored.
    subprocess.run(["git", "init", "--quiet", str(COPY)], check=True)


def link_dependency() -> None:
    """Put amazon.aws, which our code imports, beside the copy."""
    installed = importlib.util.find_spec("ansible_collections.amazon.aws")
    if installed is None or not installed.submodule_search_locations:
        sys.exit("amazon.aws is not installed: run make setup")
    link = COPY.parent.parent / "amazon" / "aws"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(next(iter(installed.submodule_search_locations)), target_is_directory=True)


# ansible-test runs this, with the arguments of get-pip.py, to get pip into an environment for one of its tests.
GET_PIP = """\
import runpy, sys
sys.path.insert(0, {pip!r})
unknown = ("--no-setuptools", "--no-wheel")
sys.argv = ["pip", "install", "--quiet", "--ignore-installed", *[a for a in sys.argv[1:] if a not in unknown]]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def provide_get_pip(home: Path) -> None:
    """Put the script that installs pip where ansible-test looks before it downloads one.

    Its own is on a host beside PyPI, one more that would have to be reachable; ours takes the same version of pip
    from PyPI.
    """
    specification = importlib.util.find_spec("ansible_test")
    assert specification is not None
    assert specification.origin is not None
    source = Path(specification.origin).parent / "_internal" / "python_requirements.py"
    version = re.search(r"pip='([\d.]+)'", source.read_text())
    if version is None:
        sys.exit(f"cannot tell which pip ansible-test wants from {source}: adapt {Path(__file__).name}")
    script = home / ".ansible" / "test" / "cache" / f"get_pip_{version[1].replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(GET_PIP.format(pip=str(Path(pip.__file__).parent.parent)))


def main() -> int:
    copy_tree()
    link_dependency()
    # ansible-test keeps the environments of its tests below HOME; ours stay in the working directory.
    home = WORK / "home"
    provide_get_pip(home)
    environment = os.environ | {"HOME": str(home)}
    # Set by our Makefile for playbooks; ansible-test brings its own.
    environment.pop("ANSIBLE_COLLECTIONS_PATH", None)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [str(Path(sys.executable).with_name("ansible-test")), "sanity", "--python", version, *sys.argv[1:]]
    return subprocess.run(command, cwd=COPY, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
