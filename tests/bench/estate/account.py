# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A contender's own account in a local AWS of its own: commands are run there, timed and watched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_estate import LocalAws

from tests.bench.estate.contender import Command, Contender, stack_name

ROOT = Path(__file__).resolve().parents[3]
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
READING = ("Get", "List", "Describe", "BatchGet", "Head", "Lookup", "Search", "Simulate", "AssumeRole")
TIMEOUT_SECONDS = 3600
SETTLE_SECONDS = 300
BUSY = 0.1
"""Seconds of processor time in a second that local AWS uses when it does something."""


@dataclass(frozen=True)
class Run:
    """What one run of a command has cost: seconds from start to end, those of the processor in all its processes, the
    peak of its largest process, API calls."""

    seconds: float
    processor: float
    mebibytes: float
    calls: int
    writes: int


class RunFailed(Exception):
    """A contender's command did not do what it is measured for; the message says which, with its last lines."""


class Account:
    """An empty account with the user `installer`, and a contender that is prepared for it."""

    def __init__(self, kind: type[Contender], n: int, directory: Path) -> None:
        self.n, self.name = n, kind.name
        directory.mkdir(parents=True)
        self.output = directory / "output.txt"
        self.aws = LocalAws(directory / "aws")
        os.environ["LOCAL_AWS_MAX_PIPELINES"] = "10000"  # two for each of a thousand stacks are more than AWS's default
        self.aws.start()
        try:
            self.person = self.aws.person("installer", EVERYTHING)
            own = directory / "own"
            own.mkdir()
            self.contender = kind(own)
            self.contender.prepare(n, self.environment())
        except BaseException:
            self.close()
            raise
        self._read = self.aws.data / "calls.jsonl"
        self._offset = 0

    def close(self) -> None:
        """Ends the local AWS."""
        self.aws.command("down")

    def latency(self, milliseconds: int) -> None:
        """Lets each API call wait that long from now on."""
        self.aws.command("latency", str(milliseconds))

    def environment(self) -> dict[str, str]:
        """What commands have in their environment: the tools of .work, the installer's key, and nothing of AWS else."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))},
            "PATH": f"{ROOT}/.work/venv/bin:{ROOT}/.work/terraform:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".work/collections"),
            "TF_CLI_CONFIG_FILE": str(ROOT / ".work/terraform.rc"),
            "CHECKPOINT_DISABLE": "1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.person.environment(),
        }

    def settle(self) -> None:
        """Waits until local AWS has done what the last command has set off, such as the first runs of pipelines."""
        pid = json.loads(self.aws.command("status"))["pid"]
        before, deadline = _ticks(pid), time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(1)
            ticks = _ticks(pid)
            if ticks - before < BUSY * os.sysconf("SC_CLK_TCK"):
                return
            before = ticks
        raise RunFailed(f"{self.name}: local AWS is still busy after {SETTLE_SECONDS} seconds")

    def run(self, command: Command, *, writes: bool) -> Run:
        """Runs a command, and looks whether it wrote where that is its job and nowhere else.

        Raises RunFailed.
        """
        self._new_calls()
        environment = {**self.environment(), **command.environment}
        program = shutil.which(command.arguments[0], path=environment["PATH"]) or command.arguments[0]
        with self.output.open("w+b") as output:
            began = time.monotonic()
            process = subprocess.Popen(
                [program, *command.arguments[1:]],
                cwd=command.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            timer = threading.Timer(TIMEOUT_SECONDS, process.kill)
            timer.start()
            try:
                _pid, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                raise
            finally:
                timer.cancel()
            seconds = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
        time.sleep(0.2)  # the log's line of a call is written when its answer has gone
        calls = self._new_calls()
        written = sum(number for action, number in calls.items() if is_write(action))
        told = f"{self.name}: {' '.join(command.arguments)}"
        if process.returncode not in command.codes:
            raise RunFailed(f"{told}\nended with {process.returncode}:\n{self.tail()}")
        if bool(written) != writes and not (written and self.contender.rewrites):
            raise RunFailed(f"{told}\nmade {written} writing calls: {dict(calls)}\n{self.tail()}")
        return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, calls.total(), written)

    def tail(self, lines: int = 40) -> str:
        """The last lines of the last command."""
        return "\n".join(self.output.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def _new_calls(self) -> Counter[str]:
        """The calls of the installer since the last time, by action."""
        with self._read.open("rb") as log:
            log.seek(self._offset)
            content = log.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        calls = [json.loads(line) for line in whole.splitlines()]
        return Counter(call["action"] for call in calls if call["access_key_id"] == self.person.access_key_id)

    def missing(self) -> list[str]:
        """What of the estate is not there, as root sees it; nothing where all contenders have made the same."""
        client = self.person.client
        there = {
            "role": _pages(client("iam"), "list_roles", "Roles", "RoleName"),
            "project": _pages(client("codebuild"), "list_projects", "projects"),
            "pipeline": _pages(client("codepipeline"), "list_pipelines", "pipelines", "name"),
            "bucket": {one["Name"] for one in client("s3").list_buckets()["Buckets"]},
            "table": _pages(client("dynamodb"), "list_tables", "TableNames"),
            "log group": _pages(client("logs"), "describe_log_groups", "logGroups", "logGroupName"),
            "key": _pages(client("kms"), "list_aliases", "Aliases", "AliasName"),
            "connection": {
                one["ConnectionName"] for one in client("codeconnections").list_connections()["Connections"]
            },
            "rule": {one["Name"] for one in client("events").list_rules()["Rules"]},
            "topic": {one["TopicArn"].rpartition(":")[2] for one in client("sns").list_topics()["Topics"]},
            "queue": {one.rpartition("/")[2] for one in client("sqs").list_queues().get("QueueUrls", [])},
            "alarm": _pages(client("cloudwatch"), "describe_alarms", "MetricAlarms", "AlarmName"),
            "machine": _pages(client("stepfunctions"), "list_state_machines", "stateMachines", "name"),
        }
        return [
            f"{kind} {name}"
            for kind, names in expected(self.n).items()
            if kind not in self.contender.lacks
            for name in sorted(names - there[kind])
        ]


def _ticks(pid: int) -> int:
    """The processor time that a process has used so far, in ticks of the clock."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def is_write(action: str) -> bool:
    """Whether an IAM action such as s3:PutObject changes something."""
    return not action.partition(":")[2].startswith(READING)


def expected(n: int) -> dict[str, set[str]]:
    """The names of what every contender must have made, by kind."""
    bucket = "gitops-123456789012-eu-central-1"
    stacks = [f"gitops-{stack_name(number)}" for number in range(n)]

    def each(*endings: str) -> set[str]:
        return {stack + ending for stack in stacks for ending in endings}

    return {
        "role": each("-plan", "-apply", "-pipeline") | {"gitops-notices", "gitops-notices-events"},
        "project": each("-plan", "-apply", "-destroy"),
        "pipeline": each("", "-destroy"),
        "bucket": {f"{bucket}-state", f"{bucket}-artifacts"},
        "table": {"gitops-lock"},
        "log group": {"/gitops/builds"},
        "key": {"alias/gitops"},
        "connection": {"github"},
        "rule": {f"gitops-notices-{name}" for name in ("approvals", "locks", "runs", "undelivered")},
        "topic": {"gitops-alarms", "gitops-notices"},
        "queue": {"gitops-undelivered"},
        "alarm": {"gitops-undelivered"},
        "machine": {"gitops-notices"},
    }


def _pages(client: Any, operation: str, key: str, name: str | None = None) -> set[str]:
    pages = client.get_paginator(operation).paginate()
    return {one[name] if name else one for page in pages for one in page[key]}
