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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import git_files

DEVELOPMENT = ("extensions/", "local_aws/", "scripts/", "tests/")
ANSIBLE_TEST = ("tests/config.yml", "tests/sanity/")
# One half of the sanity tests by the time that they take; all others are the other half.
HALF = ("ansible-doc", "pylint", "validate-modules")


def belongs(name: str) -> bool:
    """Whether the file NAME (relative to the repository) is part of the collection or configures ansible-test."""
    return not name.startswith(DEVELOPMENT) or name.startswith(ANSIBLE_TEST)


# ansible-test runs this to get pip into an environment for one of its tests.
GET_PIP = """\
import shutil, sysconfig
shutil.copytree({pip!r}, sysconfig.get_path("purelib"), dirs_exist_ok=True)
"""


@dataclass(frozen=True)
class Bench:
    """Where ansible-test runs.

    bin: the directory of an environment's programs, with ansible-test among them.
    version: of the environment's Python, such as 3.11.
    pythons: interpreters by version, for which it is tested that the code compiles and can be imported.
    amazon: the collection amazon.aws, which our code imports.
    work: for what is made; nothing else may be in it.
    """

    bin: Path
    version: str
    pythons: Mapping[str, str]
    amazon: Path
    work: Path

    def sanity(self, arguments: Sequence[str] = ()) -> int:
        """Runs ansible-test sanity; its exit code.

        Without arguments there are two runs side by side, each with its half of the tests.
        """
        tree = self._tree("sanity", belongs)
        targets = [f"--target-python={version}@{path}" for version, path in self.pythons.items()]
        command = ["sanity", f"--controller=origin:python={self.version}", *targets]
        if arguments:
            return self._start(tree, "home", [*command, *arguments]).wait()
        # Of its own environments ansible-test makes some under the same name: a home for each half.
        with (self.work / "sanity.log").open("w+") as log:
            half = self._start(tree, "home-half", [*command, *[f"--test={one}" for one in HALF]], log)
            code = self._start(tree, "home", [*command, *[f"--skip-test={one}" for one in HALF]]).wait()
            code = half.wait() or code
            log.seek(0)
            sys.stdout.write(log.read())
        return code

    def units(self) -> int:
        """Runs ansible-test units on the tests of plugins and roles; its exit code."""
        tree = self._tree("units", bool)
        command = ["units", "--python", self.version, "tests/unit/plugins/", "tests/unit/roles/"]
        return self._start(tree, "home", command).wait()

    def _tree(self, name: str, wanted: Callable[[str], bool]) -> Path:
        """Replaces the copy of this name by the present files of the repository; its path."""
        tree = self.work / name / "ansible_collections" / "gitops" / "aws"
        git_files.copy(tree, wanted)
        # Without a repository of its own, ansible-test would ask ours, in which the copy is ignored.
        subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
        link = tree.parent.parent / "amazon" / "aws"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(self.amazon, target_is_directory=True)
        return tree

    def _start(
        self, tree: Path, home: str, arguments: list[str], output: IO[str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts ansible-test in a copy."""
        # ansible-test keeps the environments of its tests below HOME; ours stay in the working directory.
        self._provide_get_pip(self.work / home)
        # For the environments of its tests ansible-test looks for the Pythons on PATH again.
        folders = [str(self.bin), *(str(Path(python).parent) for python in self.pythons.values()), os.environ["PATH"]]
        environment = os.environ | {"HOME": str(self.work / home), "PATH": os.pathsep.join(folders)}
        # Set by our Makefile for playbooks; ansible-test brings its own.
        environment.pop("ANSIBLE_COLLECTIONS_PATH", None)
        command = [str(self.bin / "ansible-test"), *arguments]
        return subprocess.Popen(command, cwd=tree, env=environment, stdout=output, stderr=output and subprocess.STDOUT)

    def _provide_get_pip(self, home: Path) -> None:
        """Puts the script that installs pip where ansible-test looks before it downloads one.

        Its own is on a host beside PyPI, one more that would have to be reachable; ours takes the same version of pip
        from PyPI, once for all environments.
        """
        pattern = "lib/python*/site-packages/ansible_test/_internal/python_requirements.py"
        (source,) = self.bin.parent.glob(pattern)
        found = re.search(r"pip='([\d.]+)'", source.read_text())
        if found is None:
            sys.exit(f"cannot tell which pip ansible-test wants from {source}: adapt {Path(__file__).name}")
        version = found[1]
        pip = self.work / f"pip-{version}"
        if not pip.is_dir():
            command = ["uv", "pip", "install", "--quiet", "--no-config", "--no-deps", "--target", str(pip)]
            command += ["--python", str(self.bin / "python"), f"pip=={version}"]
            subprocess.run(command, env=os.environ | {"UV_SYSTEM_CERTS": "true"}, check=True)
        script = home / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(GET_PIP.format(pip=str(pip)))


def main() -> int:
    installed = importlib.util.find_spec("ansible_collections.amazon.aws")
    if installed is None or not installed.submodule_search_locations:
        sys.exit("amazon.aws is not installed: run make setup")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    bench = Bench(
        bin=Path(sys.executable).parent,
        version=version,
        pythons={version: sys.executable},
        amazon=Path(next(iter(installed.submodule_search_locations))),
        work=git_files.ROOT / ".work" / "sanity",
    )
    return bench.sanity(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
