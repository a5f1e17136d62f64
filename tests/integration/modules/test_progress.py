# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks on many resources, in real Ansible, with an AWS that takes its time: what is shown, and what stays as it is."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.integration.modules.harness import REGION, Account, unique

MANY = 32
SHOWN = re.compile(r"^  log_groups: (.*)$", re.MULTILINE)

# A callback that makes one JSON document of standard output, as that of ansible.posix does.
JSON_CALLBACK = """\
import json
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "json"

    def __init__(self):
        super().__init__()
        self.results = []

    def v2_runner_on_ok(self, result):
        self.results.append(result.result if hasattr(result, "result") else result._result)

    v2_runner_on_failed = v2_runner_on_ok

    def v2_playbook_on_stats(self, stats):
        self._display.display(json.dumps(self.results, default=str))
"""


@contextmanager
def slow(endpoint_url: str, seconds: float) -> Iterator[str]:
    """Local AWS behind a way that takes so long: another endpoint URL."""
    there = urlsplit(endpoint_url)
    assert there.hostname

    class Way(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            time.sleep(seconds)
            connection = http.client.HTTPConnection(str(there.hostname), there.port, timeout=30)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Way)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def distant(account: Account) -> Iterator[str]:
    with slow(account.endpoint_url, 0.4) as url:
        yield url


def play(
    account: Account, directory: Path, tasks: list[dict[str, Any]], *arguments: str, **settings: str
) -> tuple[str, str]:
    """Runs tasks in a play on this machine; standard output and standard error."""
    (directory / "json.py").write_text(JSON_CALLBACK)
    playbook = directory / "play.yml"
    aws = {
        "region": REGION,
        "endpoint_url": account.endpoint_url,
        "access_key": account.caller["AccessKeyId"],
        "secret_key": account.caller["SecretAccessKey"],
    }
    defaults = {
        "group/gitops.aws.aws": aws,
        # Of another module that the same action plugin runs: that these do not reach log_groups is seen, too.
        "gitops.aws.sqs_queues": {"state": "absent", "queues": []},
    }
    how = {"hosts": "localhost", "connection": "local", "gather_facts": False, "module_defaults": defaults}
    playbook.write_text(yaml.safe_dump([{**how, "tasks": tasks}]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GITOPS_AWS")}
    ran = subprocess.run(
        ["ansible-playbook", str(playbook), *arguments],
        cwd=directory,
        env={
            **environment,
            # Else it is below the home of the user, of whom Ansible may think another than HOME says.
            "ANSIBLE_ASYNC_DIR": str(directory / "async"),
            "ANSIBLE_CALLBACK_PLUGINS": str(directory),
            "ANSIBLE_NOCOLOR": "1",
            **settings,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout, ran.stderr


def groups(prefix: str, endpoint_url: str) -> dict[str, Any]:
    """A task on many log groups, with two calls at a time."""
    items = [{"name": f"{prefix}-{number}"} for number in range(MANY)]
    arguments = {"log_groups": items, "concurrency": 2, "endpoint_url": endpoint_url}
    return {"name": "Log groups", "gitops.aws.log_groups": arguments, "register": "made"}


def test_a_long_task_says_how_far_it_is(account: Account, distant: str, tmp_path: Path) -> None:
    prefix = unique("progress")

    output, _errors = play(account, tmp_path, [groups(prefix, distant)], "--diff")

    (first, *later) = SHOWN.findall(output)
    read = re.fullmatch(rf"(\d+) of {MANY} read", first)
    assert read
    assert 0 <= int(read[1]) < MANY
    assert later
    written = re.fullmatch(rf"{MANY} of {MANY} read, (\d+) of {MANY} changed", later[-1])
    assert written
    assert 0 < int(written[1]) <= MANY
    # Ansible's own output is what it is without them.
    without = SHOWN.sub("", output)
    assert without.count("TASK [Log groups]") == 1
    assert without.count("+++ after: log group ") == MANY
    assert re.search(r"^changed: \[localhost\]$", without, re.MULTILINE)
    again, _errors = play(account, tmp_path, [groups(prefix, account.endpoint_url)])
    assert re.search(r"^ok: \[localhost\]$", again, re.MULTILINE)


def test_check_mode_and_a_document_on_standard_output(account: Account, distant: str, tmp_path: Path) -> None:
    prefix = unique("progress")
    asked = {"endpoint_url": distant, "concurrency": 2, "log_groups": "{{ item }}"}
    names = [[{"name": f"{prefix}-{number}"} for number in range(MANY)], [{"name": f"{prefix}-one"}]]
    looped = {"gitops.aws.log_groups": asked, "loop": names, "delegate_to": "localhost"}
    queues = {"gitops.aws.sqs_queues": {"queues": [{"name": f"{prefix}-none"}]}}

    output, errors = play(account, tmp_path, [looped, queues], "--check", ANSIBLE_STDOUT_CALLBACK="json")

    looped_result, queues_result = json.loads(output)
    many, one = looped_result["results"]
    assert [many["changed"], one["changed"]] == [True, True]
    assert len(many["diff"]) == MANY
    assert queues_result["changed"] is False  # state=absent of module_defaults is its own
    lines = SHOWN.findall(errors)
    assert lines
    assert all(re.fullmatch(rf"\d+ of {MANY} read(, {MANY} would change)?", line) for line in lines)
    left = account.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    assert left == []
