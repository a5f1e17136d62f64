# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules in Ansible's own process give what they give as processes of their own; and when they don't run there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.modules.harness import REGION, Account, unique
from tests.integration.modules.test_progress import slow

ROOT = Path(__file__).resolve().parents[3]
SECRET = "Open-Sesame-4711"  # nothing that anybody else would write

# A callback that makes one JSON document of all results.
CALLBACK = """\
import json
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "results"

    def __init__(self):
        super().__init__()
        self.results = []

    def v2_runner_on_ok(self, result):
        self.results.append(result.result if hasattr(result, "result") else result._result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.v2_runner_on_ok(result)
        self.results[-1] = {**self.results[-1], "failed": True}

    def v2_playbook_on_stats(self, stats):
        self._display.display(json.dumps(self.results, default=repr))
"""

# A module that tells of its surroundings, and does to them what modules do.
SURROUNDINGS = """\
#!/usr/bin/python
from __future__ import annotations
import locale, os, sys, time
from ansible.module_utils.basic import AnsibleModule
# All modules of the collection load this; with ansible-core 2.21 it comes with a deprecation.
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

def main():
    module = AnsibleModule(
        argument_spec={
            "do": {"type": "str", "default": "tell"},
            "item": {"type": "raw"},
            "password": {"type": "str", "no_log": True},
        },
        supports_check_mode=True,
    )
    do = module.params["do"]
    if do == "sleep":
        time.sleep(20)
    if do == "break":
        print("broken")
        print("why", file=sys.stderr)
        raise RuntimeError("broken on purpose")
    if do == "forget":
        return
    if do == "exit":
        sys.exit("as a text")
    if do == "end":
        print("no JSON")
        sys.exit(3)
    module.warn("mind %s" % module.params["item"])
    module.deprecate("old %s" % module.params["item"], version="99.0.0", collection_name="gitops.aws")
    umask = os.umask(0)
    os.umask(umask)
    with open(os.path.join(module.tmpdir, "file"), "w") as file:
        file.write("x")
    told = {
        "here": "ansible.plugins.action" in sys.modules,
        "place": module.tmpdir,
        "cwd": os.getcwd(),
        "umask": umask,
        "locale": locale.setlocale(locale.LC_ALL),
        "environment": {n: v for n, v in os.environ.items() if n.startswith(("AWS", "GITOPS_AWS_T", "LANG", "OF_"))},
        "python": sys.executable,
        "modes": [module.check_mode, module._diff, module._verbosity, module._name, module._remote_tmp],
        "password": module.params["password"],
        "said": "the password is %s" % module.params["password"],
    }
    os.environ["OF_A_MODULE"] = "left behind"
    os.chdir("/")
    print("before the result")
    print("an error", file=sys.stderr)
    if do == "fail":
        module.fail_json(msg="failed with %s" % module.params["password"], **told)
    module.exit_json(changed=do == "change", **told)

if __name__ == "__main__":
    main()
"""


@dataclass
class Stage:
    """A copy of the collection, by links, with the module `surroundings`; plays run there."""

    account: Account
    directory: Path

    @classmethod
    def set(cls, account: Account, directory: Path) -> Stage:
        here = directory / "collections" / "ansible_collections" / "gitops" / "aws"
        modules = here / "plugins" / "modules"
        modules.mkdir(parents=True)
        (here / "meta").mkdir()
        (here / "galaxy.yml").symlink_to(ROOT / "galaxy.yml")
        for there in (ROOT / "plugins").iterdir():
            if there.name != "modules":
                (here / "plugins" / there.name).symlink_to(there)
        for there in (ROOT / "plugins" / "modules").glob("*.py"):
            (modules / there.name).symlink_to(there)
        (modules / "surroundings.py").write_text(SURROUNDINGS)
        runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
        runtime["plugin_routing"]["modules"]["surroundings"] = {"action_plugin": "gitops.aws.estate"}
        (here / "meta" / "runtime.yml").write_text(yaml.safe_dump(runtime))
        (directory / "results.py").write_text(CALLBACK)
        return cls(account, directory)

    def command(self, tasks: list[dict[str, Any]], hosts: dict[str, dict[str, Any]] | None = None) -> list[str]:
        """Writes a play and its inventory; the command that runs it."""
        defaults = {
            "group/gitops.aws.aws": {
                "region": REGION,
                "endpoint_url": self.account.endpoint_url,
                "access_key": self.account.caller["AccessKeyId"],
                "secret_key": self.account.caller["SecretAccessKey"],
            }
        }
        play = {"hosts": "localhost", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
        (self.directory / "play.yml").write_text(yaml.safe_dump([play]))
        command = ["ansible-playbook", "play.yml", "--diff"]
        if hosts:
            (self.directory / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
            command += ["-i", "hosts.yml"]
        return command

    def environment(self, in_process: bool, **settings: str) -> dict[str, str]:
        """That of a play."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("GITOPS_AWS")},
            "ANSIBLE_CALLBACK_PLUGINS": str(self.directory),
            "ANSIBLE_COLLECTIONS_PATH": str(self.directory / "collections"),
            "ANSIBLE_LOCAL_TEMP": str(self.directory / "local"),
            "ANSIBLE_REMOTE_TEMP": str(self.directory / "remote"),
            "ANSIBLE_NOCOLOR": "1",
            "GITOPS_AWS_IN_PROCESS": str(in_process).lower(),
            **settings,
        }

    def results(
        self,
        tasks: list[dict[str, Any]],
        in_process: bool = True,
        hosts: dict[str, dict[str, Any]] | None = None,
        **settings: str,
    ) -> list[dict[str, Any]]:
        """Each task's result."""
        ran = subprocess.run(
            self.command([{**task, "ignore_errors": True} for task in tasks], hosts),
            cwd=self.directory,
            env=self.environment(in_process, ANSIBLE_STDOUT_CALLBACK="results", **settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        found: list[dict[str, Any]] = json.loads(ran.stdout)
        assert len(found) == len(tasks)
        return found


@pytest.fixture(scope="module")
def stage(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage.set(account, tmp_path_factory.mktemp("in-process"))


def tell(**arguments: Any) -> dict[str, Any]:
    return {"gitops.aws.surroundings": {"item": "one", "password": SECRET, **arguments}}


def heard(result: dict[str, Any]) -> list[bool]:
    """Where a module, or each item of a loop, says that it ran: whether in Ansible's process."""
    return [each.get("here", False) for each in result.get("results", [result])]


def without_place(result: dict[str, Any], *names: str) -> Any:
    """A result without where the module ran, the names of temporary files, and what differs from run to run."""
    text = json.dumps(result)
    for name in names:
        text = text.replace(name, "NAME")
    text = re.sub(r"Traceback .*(?=RuntimeError)", "Traceback ", text)  # of ansible-core 2.18 and older

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: clean(each) for key, each in value.items() if key not in ("here", "place")} | {
                # Those that come with loading what modules need, which here is the same for all: ansible-core 2.21.
                key: [each for each in value[key] if "Importing" not in each["msg"]]
                for key in value.keys() & {"deprecations"}
            }
        return [clean(each) for each in value] if isinstance(value, list) else value

    return clean(json.loads(text))


# The same result


def test_our_modules_give_the_same(stage: Stage) -> None:
    def tasks(name: str) -> list[dict[str, Any]]:
        group = {"name": name, "retention_in_days": 7, "tags": {"a": "b"}}
        secret = {"name": f"/{name}", "type": "SecureString", "value": SECRET}
        return [
            {"gitops.aws.log_groups": {"log_groups": [group]}, "check_mode": True},
            {"gitops.aws.log_groups": {"log_groups": [group]}},
            {"gitops.aws.log_groups": {"log_groups": [group]}},
            {"gitops.aws.log_groups": {"log_groups": [{**group, "retention_in_days": 14}]}},
            {"gitops.aws.log_groups": {"log_groups": [{**group, "retention": 14}]}},
            {"gitops.aws.log_groups": {"log_groups": [{"name": f"{name}-denied"}]}},
            {"gitops.aws.log_groups": {"log_groups": [group], "access_key": "unknown"}},
            {"gitops.aws.ssm_parameters": {"parameters": [secret]}},
            {"gitops.aws.ssm_parameters": {"parameters": [{**secret, "hidden": SECRET}]}},
            {"gitops.aws.sqs_queues": {"queues": [{"name": f"{name}-{{{{ item }}}}"}]}, "loop": ["a", "b", "a"]},
            {"gitops.aws.codepipelines_info": {"names": [name]}},
            {"gitops.aws.estate": {"settings": {}, "stacks": []}},
            {
                "gitops.aws.log_groups": {"log_groups": [group]},
                "module_defaults": {"group/gitops.aws.aws": {}},
                "environment": {
                    "AWS_REGION": REGION,
                    "AWS_ENDPOINT_URL": stage.account.endpoint_url,
                    "AWS_ACCESS_KEY_ID": stage.account.caller["AccessKeyId"],
                    "AWS_SECRET_ACCESS_KEY": stage.account.caller["SecretAccessKey"],
                },
            },
        ]

    one, other = unique("same"), unique("same")
    here = stage.results(tasks(one))
    alone = stage.results(tasks(other), in_process=False)

    for mine, its in zip(here, alone, strict=True):
        assert without_place(mine, one) == without_place(its, other)
        assert all(each in mine["deprecations"] for each in its.get("deprecations", []))
    assert [each.get("changed") for each in here[:4]] == [True, True, False, True]
    assert [bool(each.get("failed")) for each in here] == [False] * 4 + [True] * 3 + [False, True] + [False] * 2 + [
        True,
        False,
    ]
    assert SECRET not in json.dumps(here)


def test_what_a_module_does_to_its_surroundings_and_how_it_ends(stage: Stage) -> None:
    names = ("GITOPS_AWS_THIS", "AWS_REGION")
    tasks: list[dict[str, Any]] = [
        tell(),
        {**tell(), "check_mode": True, "diff": False},
        {**tell(do="change", item="{{ item }}"), "loop": ["one", "two", "one"]},
        {**tell(), "environment": dict.fromkeys(names, "{{ 1 + 1 }}")},
        {**tell(), "no_log": True},
        tell(do="fail"),
        tell(password={"a": 1}, unknown=1),
        tell(do="break"),
        tell(do="forget"),
        tell(do="exit"),
        tell(do="end"),
        {**tell(), "register": "told", "until": "told.attempts == 2", "retries": 3, "delay": 0},
    ]

    here, alone = stage.results(tasks), stage.results(tasks, in_process=False)

    for mine, its in zip(here, alone, strict=True):
        assert without_place(mine) == without_place(its)
    told = [each for each in here if "here" in each]
    assert [place for each in here if "here" in each or "results" in each for place in heard(each)] == [True] * 8
    assert [heard(each) for each in alone if "here" in each] == [[False]] * len(told)
    assert here[2]["warnings"] == ["mind one", "mind two", "mind one"]
    assert here[0]["cwd"] == str(stage.directory)
    assert here[3]["environment"].items() >= dict.fromkeys(names, "2").items()
    assert not set(names) & set(here[5]["environment"])
    assert "OF_A_MODULE" not in json.dumps(here)
    assert [bool(each.get("failed")) for each in here] == [False] * 5 + [True] * 6 + [False]
    assert "broken on purpose" in json.dumps(here[7])
    assert SECRET not in json.dumps([here, alone])
    # What the modules have put into their temporary directories is gone.
    assert list((stage.directory / "remote").iterdir()) == []
    assert not [each["place"] for each in told if Path(each["place"]).exists()]


# Where it may differ, as before


def test_when_a_module_is_a_process_of_its_own(stage: Stage, tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    local = {"ansible_connection": "local"}
    hosts = {
        "localhost": {**local, "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "same": {**local, "ansible_python_interpreter": sys.executable},
        "another": {**local, "ansible_python_interpreter": str(wrapper)},
        "unknown": local,
    }
    discovered = Path(sys.executable).parent == Path("/usr/bin")
    cases: list[tuple[dict[str, Any], bool]] = [
        ({}, True),
        ({"delegate_to": "same"}, True),
        ({"delegate_to": "another"}, False),
        ({"delegate_to": "unknown"}, False),
        ({"delegate_to": "unknown", "delegate_facts": True}, discovered),
        ({"vars": {"ansible_python_interpreter": str(wrapper)}}, False),
        ({"async": 20, "poll": 1}, False),
        ({"timeout": 20}, False),
        ({"environment": {"AWS_REGION": REGION, "LANG": "C"}}, False),
        ({"environment": {"PYTHONPATH": str(tmp_path)}}, False),
        ({"vars": {"ansible_python_module_rlimit_nofile": 100}}, False),
        ({"become": True, "become_user": "root"}, False),
    ]
    if os.geteuid() != 0 or not shutil.which("sudo"):
        cases = [each for each in cases if "become" not in each[0]]

    results = stage.results([{**tell(), **case} for case, _expected in cases], hosts=hosts)

    assert [(case, heard(each)) for (case, _), each in zip(cases, results, strict=True)] == [
        (case, [expected]) for case, expected in cases
    ]


@pytest.mark.parametrize("setting", ["ANSIBLE_KEEP_REMOTE_FILES", "_ANSIBLE_COVERAGE_CONFIG"])
def test_settings_of_developers(stage: Stage, setting: str) -> None:
    value = "true" if setting.startswith("ANSIBLE") else os.devnull
    command = [*stage.command([tell()]), "-vvv"]

    ran = subprocess.run(
        command,
        cwd=stage.directory,
        env=stage.environment(True, **{setting: value}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert "in this process" not in ran.stdout
    assert "EXEC /bin/sh -c" in ran.stdout


# What is shown, and what is not


def test_nothing_secret_is_shown_or_logged(stage: Stage, tmp_path: Path) -> None:
    secret = {"name": f"/{unique('same')}", "type": "SecureString", "value": SECRET}
    tasks = [tell(), {"gitops.aws.ssm_parameters": {"parameters": [secret], "debug_botocore_endpoint_logs": True}}]

    ran = subprocess.run(
        [*stage.command(tasks), "-vvv"],
        cwd=stage.directory,
        env=stage.environment(True, ANSIBLE_LOG_PATH=str(tmp_path / "log")),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    log = (tmp_path / "log").read_text()
    assert "RUN ansible_collections.gitops.aws.plugins.modules.surroundings in this process" in ran.stdout
    assert "EXEC" not in ran.stdout
    assert "ssm:PutParameter" in log
    for text in (ran.stdout, ran.stderr, log):
        assert SECRET not in text
        assert stage.account.caller["SecretAccessKey"] not in text
        assert "botocore.endpoint" not in text


# Ends before the end


def test_a_timeout_ends_a_task(stage: Stage) -> None:
    began = time.monotonic()
    here, alone = (stage.results([{**tell(do="sleep"), "timeout": 1}], way)[0] for way in (True, False))

    assert time.monotonic() - began < 20
    assert here["failed"]
    assert re.search("Timed out|expected time frame", here["msg"])
    assert without_place(here) == without_place(alone)


def test_an_interrupt_ends_the_play_and_its_module(stage: Stage) -> None:
    prefix = unique("interrupted")
    with slow(stage.account.endpoint_url, 0.5) as url:
        groups = [{"name": f"{prefix}-{number}"} for number in range(60)]
        tasks = [{"gitops.aws.log_groups": {"log_groups": groups, "concurrency": 1, "endpoint_url": url}}]
        before = len(stage.account.log())

        def calls() -> int:
            return sum(call["action"].startswith("logs:") for call in stage.account.log()[before:])

        process = subprocess.Popen(
            stage.command(tasks),
            cwd=stage.directory,
            env=stage.environment(True),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Where this runs in the background, the signal is ignored, and that is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (there are no other threads)
        )
        deadline = time.monotonic() + 60
        while not calls() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)

        try:
            # On a busy machine Ansible's signal may reach the module only at its end.
            assert process.wait(timeout=60) != 0
        finally:  # its calls would be counted with those of other tests
            process.kill()
        time.sleep(1)  # a call that was on its way
        called = calls()
        time.sleep(2)
        assert 0 < called == calls()
