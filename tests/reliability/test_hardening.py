# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others may give, or reach, does no harm: archives, values in shells, addresses.

That temporary files are private is shown in test_canaries.py, where all of them are made.
"""

from __future__ import annotations

import ast
import json
import os
import random
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from local_estate import ROOT, LocalAws

from ansible_collections.gitops.aws.plugins.module_utils._estate.pipelines import with_parts
from local_aws.codebuild import artifacts
from local_aws.codebuild.artifacts import ArtifactError
from local_aws.codebuild.buildspec import parse
from tests.reliability.figures import CASES, count
from tests.reliability.searching import listening

LOOPBACK = {"0100007F", "00000000000000000000000001000000"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.com", "127.0.0.1.example.com"])
def test_local_aws_is_started_on_no_other_address(host: str, tmp_path: Path) -> None:
    """The function is tried in tests/unit/local_aws/test_cli.py; this is the command."""
    data = tmp_path / "data"
    for more in ([], ["--detach"]):
        command = [sys.executable, "-m", "local_aws", "up", "--port", "0", "--host", host, "--data", str(data), *more]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert "--allow-remote" in done.stderr
    assert not data.exists()


def test_local_aws_listens_on_loopback_alone(aws: LocalAws) -> None:
    running = json.loads(aws.command("status"))

    found = listening(running["pid"])

    assert found
    assert found <= LOOPBACK


# Archives

NAMES = st.sampled_from(
    ["a", "b", "a/b", "b/a", "a/b/c", "../x", "/x", "a/../../x", "a\\..\\..\\x", ".", "C:x", "a/./b"]
)
LEADS = st.sampled_from(
    [".", "..", "a", "b", "a/..", "b/..", "../x", "../../x", "/", "/etc/passwd", "c/../..", "target/x"]
)
KINDS = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, 0)
MEMBERS = st.lists(
    st.tuples(NAMES, st.sampled_from([*KINDS, stat.S_IFLNK, stat.S_IFLNK]), LEADS, st.integers(0, 0o7777)), max_size=6
)


@given(members=MEMBERS)
# Each of these links leads inside as long as the next is not there.
@example(members=[("a", stat.S_IFLNK, "b/..", 0o777), ("b", stat.S_IFLNK, ".", 0o777)])
@example(members=[("a", stat.S_IFLNK, "b/..", 0o777), ("b", stat.S_IFLNK, ".", 0o777), ("a/b", stat.S_IFLNK, "x", 0)])
@example(members=[("a", stat.S_IFLNK, "b", 0o777), ("b", stat.S_IFLNK, "a", 0o777)])
def test_nothing_of_an_archive_leads_out_of_its_directory(
    members: list[tuple[str, int, str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Builds of local AWS unpack what others have packed; nothing else here unpacks anything, as is shown below."""
    count(CASES)
    around = tmp_path_factory.mktemp("around")
    target = around / "target"
    with zipfile.ZipFile(around / "a.zip", "w") as archive:
        for name, kind, leads, mode in {one[0]: one for one in members}.values():
            info = zipfile.ZipInfo(name)
            info.external_attr = (kind | mode) << 16
            archive.writestr(info, leads)
    before = {path.name for path in around.iterdir()} | {"target"}

    try:
        artifacts.unpack(around / "a.zip", target)
    except ArtifactError:
        assert not [path for path in target.rglob("*") if path.is_symlink()]

    assert {path.name for path in around.iterdir()} <= before
    for path in target.rglob("*"):
        assert path.resolve().is_relative_to(target)
        status = path.lstat()
        assert stat.S_IFMT(status.st_mode) in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
        assert not status.st_mode & (stat.S_ISUID | stat.S_ISGID) or path.is_dir()


# Who unpacks an archive as a whole. Members that are read by their name, into memory, cannot lead anywhere.
UNPACKS = {"scripts/compat.py": "a wheel whose hash is known, by Python's own, which keeps members inside"}


def sources(*folders: str) -> Iterator[tuple[str, str]]:
    """The path and text of what Git would know of the folders: no caches."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".sh", ".yml") and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def test_nothing_else_unpacks_archives() -> None:
    word = re.compile(
        r"\.extract(?:all)?\(|\bunpack_archive\b|\btarfile\b|\b(?:un(?:zip|xz|lzma)|tar|cpio) +-\w|\btar +[cx]"
    )
    folders = ("plugins", "roles", "playbooks", "buildspecs", "local_aws", "scripts")

    found = {path for path, text in sources(*folders) if word.search(text)}

    assert found == set(UNPACKS)


# Shells


def _calls(text: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_no_python_starts_a_shell() -> None:
    wrong, seen = [], 0
    for path, text in sources("plugins", "roles", "local_aws", "scripts"):
        if not path.endswith(".py"):
            continue
        for name, call in _calls(text):
            given = {keyword.arg for keyword in call.keywords}
            starts = name.startswith("subprocess.") or name.endswith("run_command")
            seen += starts
            if {"shell", "use_unsafe_shell"} & given and starts:
                wrong.append(f"{path}:{call.lineno}")
            if re.fullmatch(r"os\.(system|popen|spawn\w+)|subprocess\.get(status)?output|pty\.spawn|eval|exec", name):
                wrong.append(f"{path}:{call.lineno} {name}")
            # A text would be split, a list is not.
            if (
                name.endswith(".run_command")
                and not name.startswith("self._")
                and isinstance(call.args[0], ast.JoinedStr)
            ):
                wrong.append(f"{path}:{call.lineno} {name}")
    assert seen > 20
    assert wrong == []


def _tasks(content: Any) -> Iterator[dict[str, Any]]:
    if isinstance(content, list):
        for one in content:
            yield from _tasks(one)
    elif isinstance(content, dict):
        yield content
        for key in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from _tasks(content.get(key))


def test_no_task_starts_a_shell() -> None:
    """And commands are lists of arguments, of which a template is one, whatever is in it."""
    commands = []
    for path, text in sources("roles", "playbooks"):
        if not path.endswith(".yml"):
            continue
        for task in _tasks(yaml.safe_load(text)):
            for name, options in task.items():
                module = str(name).rpartition(".")[2]
                assert module not in ("shell", "raw", "script", "expect"), f"{path}: {task.get('name')}"
                if module == "command":
                    commands.append(path)
                    assert isinstance(options, dict), f"{path}: {task.get('name')}"
                    assert set(options) <= {"argv", "chdir", "stdin"}, f"{path}: {task.get('name')}"
    assert commands


# What somebody who may push, start a pipeline or write settings can put into a value that a build reads.
EVIL = [
    "$(touch $OWNED)",
    "`touch $OWNED`",
    '"; touch $OWNED; "',
    "'; touch $OWNED; '",
    "$(touch${IFS}$OWNED)",
    "a\ntouch $OWNED\n",
    "-rf",
    "--help",
    "* ? [a]",
    "%s%n%d",
    "\\$(touch $OWNED)\\n",
    "| touch $OWNED &",
    "${OWNED:-x}",
    "$OWNED",
    "END\ntouch $OWNED\n",
]
READ = re.compile(r"\$\{?([A-Z][A-Za-z0-9_]+)")
BUILDSPECS = [path.stem for path in sorted((ROOT / "buildspecs").glob("buildspec_*.yml"))]


def commands(name: str) -> str:
    """All that a build runs, in one script, as its project has it."""
    text = (ROOT / "buildspecs" / f"{name}.yml").read_text(encoding="utf-8")
    parts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "buildspecs" / "parts").iterdir()}
    spec = parse(with_parts(text, parts))
    return "\n".join(command for phase in spec.phases.values() for command in phase.commands)


# What stands for the programs of the image: they note that they were called, and do nothing.
STAND_IN = '#!/bin/sh\nprintf "%%s\\n" "%s $*" >> "$CALLED"\n%s\n'


@pytest.mark.parametrize("name", BUILDSPECS)
def test_no_value_becomes_a_command(name: str, tmp_path: Path, chance: random.Random, soak: bool) -> None:
    """Every variable that a build reads has it, one build after another: nothing in it is run, by any command."""
    script = commands(name)
    owned, called = tmp_path / "owned", tmp_path / "called"
    tools, source = tmp_path / "tools", tmp_path / "source"
    tools.mkdir()
    # Answers have the value, too: who writes code, commits or a state decides what these print.
    answer = """case $1 in console) printf %s "$ANSWER" | base64 -w 0 ;; *) printf "%s\\n" "$ANSWER" ;; esac"""
    for program in ("git", "terraform", "wget", "ansible-playbook", "tflint", "trivy", "checkov", "conftest"):
        (tools / program).write_text(STAND_IN % (program, answer), encoding="utf-8")
        (tools / program).chmod(0o755)
    (tools / "sleep").symlink_to("/bin/true")
    ours = {
        "WORK",
        "WAITS",
        "SAVED",
        "OWNED",
        "CODEBUILD_SRC_DIR",
        "PATH",
        "HOME",
        "IFS",
        "TERRAFORM",
        "APPLYING",
        "ANSIBLE_HOME",
    }
    read = set(READ.findall(script)) - ours
    assert {"STACK_PATH", "DRIFT_ACTION"} & read
    base = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "TERRAFORM": "terraform",
        "OWNED": str(owned),
        "CALLED": str(called),
        "CODEBUILD_SRC_DIR": str(source),
    }
    for value in EVIL if soak else [EVIL[0], EVIL[2], chance.choice(EVIL[3:])]:
        # Each command after the other, whether one fails or not: all of them are to be reached.
        evil = {**dict.fromkeys(read, value), **base, "ANSWER": value}
        for more in ({}, {"STACK_OBJECT": "", "PLAN_MODE": "drift"}, {"STACK_PATH": ".", "PLAN_MODE": ""}):
            source.mkdir(exist_ok=True)
            subprocess.run(
                ["dash" if os.path.exists("/bin/dash") else "sh", "-c", script],
                cwd=source,
                env={**evil, **more},
                capture_output=True,
                check=False,
                timeout=60,
            )
            count(CASES)
        assert not owned.exists(), value
    assert called.exists()
