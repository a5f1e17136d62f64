# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make compat: the collection on the oldest and the newest ansible-core that it supports, or on the one CORE names.

Each gets an environment of its own in .work/compat/: of CORE_PYTHON, or else the oldest Python for the oldest and the
newest for the others; with what requirements/compat-<core>.txt says, and an amazon.aws of that time. In it run site.yml
against local AWS, which itself runs in the environment of development, `ansible-test sanity` for every Python found,
and in all but the oldest `ansible-test units`: those are written for the newest SDK.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import git_files
import sanity
from find_pythons import find_pythons
from local_estate import ACCOUNT, ROOT, LocalAws, Person, PlaybookFailed, people_policies, playbook

WORK = ROOT / ".work" / "compat"


@dataclass(frozen=True)
class Core:
    """A minor version of ansible-core.

    pythons: those that its controller runs on, the oldest first; it manages hosts with any from 3.9 to the newest.
    ansible: the package on PyPI whose amazon.aws is taken, as Galaxy is not asked. For the oldest, that is the first
    that galaxy.yml allows: the package of that ansible-core has an older one.
    """

    pythons: tuple[str, ...]
    ansible: str


CORES = {
    "2.17": Core(
        ("3.10", "3.11", "3.12"),
        "ansible==11.0.0 --hash=sha256:367f6acc8e927575f1ce31c3f3c23f0ed15b1d03086997803226cd948745dce2",
    ),
    "2.18": Core(
        ("3.11", "3.12", "3.13"),
        "ansible==11.13.0 --hash=sha256:7f1c9c6a6026ff214d9240647e4d2b019b2a9d4c7a2bc733932bcf92af80ab04",
    ),
    "2.19": Core(
        ("3.11", "3.12", "3.13"),
        "ansible==12.3.0 --hash=sha256:cd156f82fa87f7a899212b0efa9f7ca3a24d609212de9f78428a572eb01e5414",
    ),
    "2.20": Core(
        ("3.12", "3.13", "3.14"),
        "ansible==13.8.0 --hash=sha256:daf9c9a2850bbc6c098ba3368aeba99d4ae37c90bca47f974dc19342c0571361",
    ),
    "2.21": Core(
        ("3.12", "3.13", "3.14"),
        "ansible==14.5.0 --hash=sha256:245623ccc2d31d0f6f4bdb63168d550cad305fb032cc43d96e8f61ce8ab0ba84",
    ),
}


class CompatError(Exception):
    """Something that was promised does not hold; the message says what."""


@dataclass(frozen=True)
class Environment:
    """An environment, named after its versions: 2.17-3.10."""

    core: str
    python: str  # as 3.10
    work: Path = WORK

    @property
    def path(self) -> Path:
        return self.work / f"{self.core}-{self.python}"

    @property
    def bin(self) -> Path:
        return self.path / "venv" / "bin"

    @property
    def collections(self) -> Path:
        """amazon.aws, and a copy of this repository as gitops.aws."""
        return self.path / "collections"


def choose(pythons: dict[str, str], core: str, python: str) -> list[Environment]:
    """The environments to test: by the Pythons that were found, and by CORE and CORE_PYTHON, '' if not given."""
    if core and core not in CORES:
        raise CompatError(f"CORE={core}: there are {', '.join(CORES)}")
    if core:
        fitting = [each for each in CORES[core].pythons if each in pythons]
        wanted = re.sub(r"^.*python", "", python)
        if wanted and wanted not in fitting:
            raise CompatError(f"CORE_PYTHON={python}: ansible-core {core} runs on {', '.join(CORES[core].pythons)}")
        if not fitting:
            raise CompatError(f"ansible-core {core} needs one of Python {', '.join(CORES[core].pythons)}")
        # For the oldest the oldest, for all others the newest.
        return [Environment(core, wanted or fitting[0 if core == next(iter(CORES)) else -1])]
    usable = [each for each in CORES if any(one in pythons for one in CORES[each].pythons)]
    if not usable:
        raise CompatError("no Python that an ansible-core needs was found on PATH")
    ends = list(dict.fromkeys((usable[0], usable[-1])))
    return [one for each in ends for one in choose(pythons, each, "")]


def provide(environment: Environment, interpreter: str) -> None:
    """Makes the environment; quick when it is there."""
    requirements = ROOT / "requirements" / f"compat-{environment.core}.txt"
    core = CORES[environment.core]
    wanted = hashlib.sha256(f"{requirements.read_text()} {core} {interpreter} {ROOT}".encode()).hexdigest()
    stamp = environment.path / "made-of"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    shutil.rmtree(environment.path, ignore_errors=True)
    venv = environment.path / "venv"
    settings = os.environ | {"UV_SYSTEM_CERTS": "true"}
    if not os.path.isdir(settings.get("HOME", "")):
        settings["UV_CACHE_DIR"] = str(ROOT / ".work" / "cache" / "uv")
    quietly = ("--quiet", "--no-config", "--python")
    for command in (
        ["uv", "venv", *quietly, interpreter, str(venv)],
        ["uv", "pip", "sync", "--require-hashes", *quietly, str(venv / "bin" / "python"), str(requirements)],
    ):
        subprocess.run(command, env=settings, check=True)
    provide_amazon(environment, core.ansible)
    stamp.write_text(wanted)


def provide_amazon(environment: Environment, requirement: str) -> None:
    """Takes amazon.aws out of PyPI's package with all the collections, which may want another ansible-core."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "requirements.txt").write_text(requirement)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--python-version", "3.13"]
        command += ["--dest", directory, "--requirement", str(Path(directory) / "requirements.txt")]
        subprocess.run(command, check=True)
        (wheel,) = Path(directory).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith("ansible_collections/amazon/")]
            archive.extractall(environment.collections, names)


def run_site(environment: Environment) -> None:
    """site.yml on an empty account and on a finished one, in check mode and for real, with all that it can make."""
    # A copy, which nobody edits meanwhile: the builds that look for drift get its files.
    git_files.copy(environment.collections / "ansible_collections" / "gitops" / "aws")
    data = environment.path / "local_aws"
    shutil.rmtree(data, ignore_errors=True)
    vars_file = environment.path / "estate.yml"
    example = (ROOT / "playbooks" / "example.yml").read_text()
    # What the example leaves out: all roles are to have something to do.
    vars_file.write_text(re.sub(r"^  # (notifications|drift): .*$", r"  \1: {}", example, flags=re.MULTILINE))
    with LocalAws(data).running() as aws:
        directory = environment.path / "policies"
        variables = {"account_id": ACCOUNT, "directory": str(directory)}
        ansible(environment, "gitops.aws.policies", vars_file, None, variables)
        policies = people_policies(directory, "installer", "reporter")
        installer, reporter = (aws.person(name, policy) for name, policy in policies.items())
        check = ("--check", "--diff")
        ansible(environment, "gitops.aws.site", vars_file, installer, {}, *check, changes=True)
        ansible(environment, "gitops.aws.site", vars_file, installer, {}, changes=True)
        aws.command("complete-connection", "github")
        ansible(environment, "gitops.aws.site", vars_file, installer, {}, changes=False)
        ansible(environment, "gitops.aws.site", vars_file, installer, {}, *check, changes=False)
        ansible(environment, "gitops.aws.report", vars_file, reporter, {"directory": str(environment.path / "report")})


def expect(met: bool, otherwise: str) -> None:
    if not met:
        raise CompatError(otherwise)


def ansible(
    environment: Environment,
    name: str,
    vars_file: Path,
    person: Person | None,
    variables: dict[str, str],
    *arguments: str,
    changes: bool | None = None,
) -> None:
    """Runs a playbook with the environment's ansible-core.

    Raises:
        CompatError: it failed, used what a coming ansible-core does without, or changed something though CHANGES is
            false, or nothing though it is true.
    """
    settings = {
        "PATH": f"{environment.bin}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(environment.collections),
        "ANSIBLE_HOME": str(environment.path / "ansible"),
        "ANSIBLE_DEPRECATION_WARNINGS": "true",
    }
    begin, lines = time.monotonic(), list[str]()
    try:
        lines += playbook(name, vars_file, person, variables, *arguments, settings=settings)
    except PlaybookFailed:
        raise CompatError(f"{name} {' '.join(arguments)} failed:\n{''.join(lines)}") from None
    output = "".join(lines)
    changed = sum(int(number) for number in re.findall(r"\bchanged=(\d+)", output))
    print(f"{name} {' '.join(arguments)}: changed={changed}, {time.monotonic() - begin:.0f} s", flush=True)
    expect("DEPRECATION WARNING" not in output, f"it uses something deprecated:\n{output}")
    expect(changes in (None, changed > 0), f"changed={changed} is not right:\n{output}")


def as_numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test(environment: Environment, pythons: dict[str, str]) -> bool:
    """Runs all of it in this environment; whether it passed."""
    newest = as_numbers(CORES[environment.core].pythons[-1])
    bench = sanity.Bench(
        bin=environment.bin,
        version=environment.python,
        pythons={version: path for version, path in pythons.items() if as_numbers(version) <= newest},
        amazon=environment.collections / "ansible_collections" / "amazon" / "aws",
        work=environment.path / "ansible-test",
    )
    parts: dict[str, Callable[[], None]] = {
        "set-up": lambda: provide(environment, pythons[environment.python]),
        "site.yml": lambda: run_site(environment),
        "sanity": lambda: expect(bench.sanity() == 0, "ansible-test sanity found something"),
    }
    if environment.core != next(iter(CORES)):
        parts["units"] = lambda: expect(bench.units() == 0, "a unit test failed")
    print(f"\n== ansible-core {environment.core}, Python {environment.python} ==", flush=True)
    passed, report = True, []
    for name, part in parts.items():
        print(f"\n= {name} =", flush=True)
        begin = time.monotonic()
        try:
            part()
            result = "passed"
        except (CompatError, subprocess.CalledProcessError) as error:
            print(error, flush=True)
            passed, result = False, "FAILED"
        report.append(f"{name:<12} {result:<7} {time.monotonic() - begin:5.0f} s")
        if name == "set-up" and not passed:
            break
    print("", f"ansible-core {environment.core}, Python {environment.python}", *report, sep="\n", flush=True)
    return passed


def main() -> int:
    pythons = find_pythons()
    try:
        environments = choose(pythons, os.environ.get("CORE", ""), os.environ.get("CORE_PYTHON", ""))
    except CompatError as error:
        sys.exit(str(error))
    print("Pythons found:", *pythons, flush=True)
    if len(environments) == 1:
        if not re.search(r"\s", str(WORK)):
            return 0 if test(environments[0], pythons) else 1
        # ansible-core 2.17 runs no Python whose path has a space in it.
        with tempfile.TemporaryDirectory(prefix="gitops-aws-compat-") as directory:
            return 0 if test(replace(environments[0], work=Path(directory)), pythons) else 1
    # Side by side: there are two processors, and much of it uses one.
    WORK.mkdir(parents=True, exist_ok=True)
    running = []
    for each in environments:
        log = (WORK / f"{each.core}-{each.python}.log").open("w+")
        command = [sys.executable, __file__]
        own = os.environ | {"CORE": each.core, "CORE_PYTHON": each.python}
        running.append((subprocess.Popen(command, env=own, stdout=log, stderr=subprocess.STDOUT), log))
    codes = []
    for process, log in running:
        codes.append(process.wait())
        log.seek(0)
        sys.stdout.write(log.read())
        log.close()
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
