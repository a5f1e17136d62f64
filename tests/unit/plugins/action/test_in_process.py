# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When modules run in Ansible's own process; that they give the same there, tests/integration/modules shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins import loader
from ansible.plugins.shell.sh import ShellModule
from ansible.template import Templar

from ansible_collections.gitops.aws.plugins.action.estate import ActionModule
from ansible_collections.gitops.aws.plugins.module_utils._texts import Texts
from ansible_collections.gitops.aws.plugins.plugin_utils import _in_process

ROOT = Path(__file__).parents[4]
PYTHON = {"ansible_python_interpreter": sys.executable, "ansible_facts": {}}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(_in_process.WANTED, raising=False)
    monkeypatch.delenv("_ANSIBLE_COVERAGE_CONFIG", raising=False)
    monkeypatch.delenv("ANSIBLE_PYTHON_MODULE_RLIMIT_NOFILE", raising=False)  # ansible-test sets it


def same(variables: dict[str, Any] = PYTHON, connection: dict[str, Any] | None = None, **of_task: Any) -> bool:
    """Whether a task comes to the same in Ansible's own process."""
    task = Task()
    task.action = "gitops.aws.iam_roles"
    for name, value in {"async_val": 0, "timeout": 0, "environment": [], **of_task}.items():
        setattr(task, name, value)
    where = {"transport": "local", "become": None, "_shell": ShellModule(), **(connection or {})}
    data = DataLoader()
    action = ActionModule(task, SimpleNamespace(**where), PlayContext(), data, Templar(data, variables=variables), None)
    return action._comes_to_the_same(variables)


def test_a_plain_task_on_this_machine() -> None:
    assert same()


@pytest.mark.parametrize(
    "how",
    [
        {"connection": {"transport": "ssh"}},
        {"connection": {"become": SimpleNamespace(name="sudo")}},
        {"async_val": 60},
        {"timeout": 60},
        {"environment": [{"AWS_REGION": "eu-central-1"}, {"LANG": "C"}]},
        {"variables": {"ansible_facts": {}}},
        {"variables": {**PYTHON, "ansible_python_interpreter": "/usr/bin/env python"}},
        {"variables": {**PYTHON, "ansible_python_module_rlimit_nofile": 100}},
    ],
)
def test_what_may_come_to_something_else(how: dict[str, Any]) -> None:
    assert not same(**how)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"ansible_facts": {"discovered_interpreter_python": sys.executable}}, True),
        ({"ansible_facts": {"discovered_interpreter_python": "/usr/bin/false"}}, False),
        ({**PYTHON, "ansible_python_interpreter": "auto_silent"}, False),
    ],
)
def test_an_interpreter_that_ansible_has_found(variables: dict[str, Any], expected: bool) -> None:
    assert same(variables) is expected


def test_an_environment_for_aws_alone() -> None:
    assert same(environment=[{"AWS_REGION": "eu-central-1"}, {"GITOPS_AWS_PROGRESS_FILE": "/nowhere"}])


def test_the_interpreter_is_that_of_the_host_that_is_delegated_to() -> None:
    other = {"other": {"ansible_python_interpreter": "/usr/bin/false", "ansible_facts": {}}}

    assert not same({**PYTHON, "ansible_delegated_vars": other}, delegate_to="other")
    assert same({**PYTHON, "ansible_delegated_vars": {"other": PYTHON}}, delegate_to="other")


@pytest.mark.parametrize("value", ["false", "no", "0"])
def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(_in_process.WANTED, value)

    assert not same()


def test_an_ansible_that_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_in_process, "KNOWN", False)

    assert not same()


def test_a_virtual_environment_is_not_the_python_that_it_was_made_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real, own = tmp_path / "real" / "python3", tmp_path / "own" / "python"
    for each in (real, own):
        each.parent.mkdir()
    real.write_text("")
    (real.parent / "python").symlink_to(real)
    own.symlink_to(real)
    monkeypatch.setattr(sys, "executable", str(real.parent / "python"))

    assert _in_process.same_python(str(real))
    assert not _in_process.same_python(str(own))
    assert not _in_process.same_python("")


def test_modules_of_others_are_not_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task()
    task.action = "ansible.builtin.ping"
    action = ActionModule(task, SimpleNamespace(), PlayContext(), DataLoader(), None, None)
    found = SimpleNamespace(resolved=True, plugin_resolved_collection="amazon.aws", plugin_resolved_path="/a/s3.py")
    there = SimpleNamespace(find_plugin_with_context=lambda *_a, **_k: found)
    monkeypatch.setattr(action, "_shared_loader_obj", SimpleNamespace(module_loader=there))

    assert action._imported("amazon.aws.s3") is None
    found.plugin_resolved_collection = "gitops.aws"
    found.plugin_resolved_path = "/a/unmanaged_resources.py"
    assert action._imported("gitops.aws.unmanaged_resources") is None
    found.plugin_resolved_path = "/a/estate.py"
    assert str(action._imported("gitops.aws.estate")).startswith(
        "<module 'ansible_collections.gitops.aws.plugins.modules."
    )


def test_every_module_but_those_that_run_alone_comes_here() -> None:
    routed = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["plugin_routing"]["modules"]
    of_their_own = {path.stem for path in (ROOT / "plugins" / "action").glob("*.py")}
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}

    assert modules == {*routed, *of_their_own, *_in_process.ALONE} - {"__init__"}
    assert {route["action_plugin"].rpartition(".")[2] for route in routed.values()} <= of_their_own
    assert not {*routed, *of_their_own} & set(_in_process.ALONE)


LOOK = """
import sys
from ansible.plugins import loader
loader.init_plugin_loader()
loader.action_loader.find_plugin_with_context("gitops.aws.log_groups")
wanted = ("botocore.session", "boto3", "ansible_collections.gitops.aws.plugins.module_utils._engine")
print(*[name for name in wanted if name in sys.modules])
"""


@pytest.mark.parametrize(("wanted", "loaded"), [("true", 3), ("false", 0)])
def test_what_modules_need_is_loaded_before_there_are_workers(wanted: str, loaded: int) -> None:
    assert loader  # of this process; another one looks, as a playbook is read
    # Where this collection was found, without following links.
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(Path(_in_process.__file__).parents[5])}

    ran = subprocess.run(
        [sys.executable, "-c", LOOK],
        env={**environment, _in_process.WANTED: wanted},
        check=True,
        capture_output=True,
        text=True,
    )

    assert len(ran.stdout.split()) == loaded


def test_long_texts_are_handed_over_once_and_come_back_as_they_were() -> None:
    long = "ㄱ\n'\"{{ x }}" * 1000
    arguments = {"projects": [{"spec": long, "name": str(number)} for number in range(3)], "short": "a", "none": None}
    texts = Texts()

    given = texts.taken_out(arguments)

    assert len(_in_process.encoded(given)) < 1000
    back = texts.put_back(given)
    assert back == arguments
    assert len({id(project["spec"]) for project in back["projects"]}) == 1


def test_a_module_finds_its_long_texts_in_its_arguments() -> None:
    found: list[Any] = []
    texts = Texts()
    arguments = {"text": "x" * 5000}

    def module() -> None:
        found.append(basic._load_params())

    kept = basic._load_params
    with _in_process.as_a_process({}, "."):
        _in_process.run(module, _in_process.encoded(texts.taken_out(arguments)), texts)

    assert found == [arguments]
    assert basic._load_params is kept
