# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo and the end-to-end tests stand on: local AWS, people with keys, a Git repository, playbook runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local_aws.cli import calls, put_user

ROOT = Path(__file__).resolve().parent.parent
REGION = "eu-central-1"
ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Person:
    """An IAM user with a key pair, or the session of a role, and the endpoint where it is good for something."""

    name: str
    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    session_token: str = ""

    def environment(self) -> dict[str, str]:
        """The environment variables of a process that acts as this person."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": REGION,
            **({"AWS_SESSION_TOKEN": self.session_token} if self.session_token else {}),
        }

    def client(self, service: str) -> Any:
        """A boto3 client that acts as this person. A failed call is not repeated."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            aws_session_token=self.session_token or None,
            config=Config(proxies={}, retries={"total_max_attempts": 1}),
        )


class LocalAws:
    """A local AWS of its own, with its files in the given directory; `within` is a command that starts it."""

    def __init__(self, data: Path, within: Sequence[str] = ()) -> None:
        self.data = data
        self.endpoint_url = ""
        self._within = within

    def start(self) -> None:
        """Starts it on a free port and waits until it answers."""
        told = self._run(*self._within, *self._line("up", "--port", "0", "--detach"))
        self.endpoint_url = json.loads(told)["endpoint_url"]

    @contextmanager
    def running(self) -> Iterator[LocalAws]:
        """It, from its start to the end of the block."""
        self.start()
        try:
            yield self
        finally:
            self.command("down")

    def command(self, *arguments: str) -> str:
        """A command of `python -m local_aws`; what it printed."""
        return self._run(*self._line(*arguments))

    def _line(self, command: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "local_aws", command, "--data", str(self.data), *arguments]

    def _run(self, *line: str) -> str:
        return subprocess.run(line, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout

    def person(self, name: str, policy: dict[str, Any]) -> Person:
        """A user with exactly this policy, made as root: what the account's owner does once."""
        key = put_user(self.endpoint_url, name, policy)
        return Person(name, self.endpoint_url, key["AccessKeyId"], key["SecretAccessKey"])

    def calls(self) -> list[dict[str, Any]]:
        """Every API call so far, oldest first; local_aws/README.md says what is known of each."""
        return calls(self.data)


class Repository:
    """A bare Git repository, which stands for the one at the Git host, and a clone to work in."""

    def __init__(self, directory: Path) -> None:
        self.bare, self.clone = directory / "repository.git", directory / "clone"
        directory.mkdir(parents=True, exist_ok=True)
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), cwd=directory)
        self._git("init", "--quiet", "--initial-branch=main", str(self.clone), cwd=directory)

    def push(self, message: str, branch: str = "main") -> str:
        """Commits all that is in the clone and pushes it to the branch; the commit's id. Leaves the clone on main."""
        if branch != "main":
            self._git("checkout", "--quiet", "-B", branch, cwd=self.clone)
        self._git("add", "--all", cwd=self.clone)
        self._git("commit", "--quiet", f"--message={message}", cwd=self.clone)
        self._git("push", "--quiet", str(self.bare), branch, cwd=self.clone)
        commit = self._git("rev-parse", "HEAD", cwd=self.clone)
        if branch != "main":
            self._git("checkout", "--quiet", "main", cwd=self.clone)
        return commit

    def git(self, *arguments: str) -> str:
        """A git command in the clone; what it printed."""
        return self._git(*arguments, cwd=self.clone)

    @staticmethod
    def _git(*arguments: str, cwd: Path) -> str:
        """A git command, independent of the caller's configuration."""
        identity = ["-c", "user.name=Demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        clean |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        command = ["git", *identity, *arguments]
        return subprocess.run(command, check=True, cwd=cwd, env=clean, stdout=subprocess.PIPE, text=True).stdout.strip()


def people_policies(directory: Path, *people: str) -> dict[str, dict[str, Any]]:
    """The policies that policies.yml has written, by person. The installer's two are one: IAM's limit is for managed
    policies, local AWS takes any as a user's own."""
    policies = {}
    for person in people:
        documents = [json.loads(file.read_text()) for file in sorted(directory.glob(f"{person}*.json"))]
        policies[person] = {
            **documents[0],
            "Statement": [one for document in documents for one in document["Statement"]],
        }
    return policies


class PlaybookFailed(Exception):
    """ansible-playbook ended with an error; its output has said which."""


def start_playbook(
    name: str,
    vars_file: Path,
    person: Person | None,
    variables: Mapping[str, Any],
    *arguments: str,
    settings: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Starts a playbook of the collection.

    Args:
        name: site.yml in playbooks/, or gitops.aws.site of the installed collection.
        vars_file: the user's settings and stacks.
        person: who runs it; None for a playbook that calls nothing.
        variables: more variables, each as with -e.
        arguments: more arguments of ansible-playbook, such as --check.
        settings: more environment variables, such as settings of Ansible's output.
    """
    command = ["ansible-playbook", name, "-e", f"@{vars_file}", "-e", json.dumps(dict(variables)), *arguments]
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONUNBUFFERED": "1",
        **(person.environment() if person else {}),
        **(settings or {}),
    }
    return subprocess.Popen(
        command, cwd=ROOT / "playbooks", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def playbook(
    name: str,
    vars_file: Path,
    person: Person | None,
    variables: Mapping[str, Any],
    *arguments: str,
    settings: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Runs a playbook, as start_playbook starts it, and yields its output line by line, as it comes.

    Raises:
        PlaybookFailed: after the last line.
    """
    with start_playbook(name, vars_file, person, variables, *arguments, settings=settings) as process:
        assert process.stdout is not None
        yield from process.stdout
        if process.wait() != 0:
            raise PlaybookFailed(name)


def execution_of_push(operator: Person, pipeline: str, commit: str, timeout_in_seconds: int = 60) -> str:
    """Waits for the execution of a pipeline that the push of this commit starts; its id."""
    client = operator.client("codepipeline")
    deadline = time.monotonic() + timeout_in_seconds
    while time.monotonic() < deadline:
        for execution in client.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]:
            if commit in [revision.get("revisionId") for revision in execution.get("sourceRevisions", [])]:
                return str(execution["pipelineExecutionId"])
        time.sleep(0.5)
    raise TimeoutError(f"The push of {commit} has not started {pipeline} within {timeout_in_seconds} seconds.")
