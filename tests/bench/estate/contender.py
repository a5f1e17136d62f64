# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured: somebody who makes the estate, as whole commands that the harness starts, times and watches.

A contender measures nothing and starts nothing that counts: it says what is to be run. All make the same estate, which
is what playbooks/site.yml makes of `settings()` and `stacks(n)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REGION, ACCOUNT = "eu-central-1", "123456789012"
CONCURRENCY = 10
"""Calls at the same time, of those who can choose: what the collection's modules do by default."""
BRANCH = "main"


@dataclass(frozen=True)
class Command:
    """A process to measure, from its start to its end.

    Attributes:
        arguments: the program and its arguments; "python" and "ansible-playbook" are those of .work/venv.
        directory: where it runs.
        environment: added to the harness's own, which has the credentials, AWS_ENDPOINT_URL and AWS_REGION.
        codes: exit codes that mean it worked (2 of `terraform plan -detailed-exitcode`: it found a change).
    """

    arguments: tuple[str, ...]
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    codes: tuple[int, ...] = (0,)


class Contender(ABC):
    """One way to make the estate. The harness makes a new one for every estate (an empty account and directory):

        contender = Ours(directory); contender.prepare(100); run(contender.first()); run(contender.converged()); ...

    `converged` and `check` may be asked and run any number of times, `change` too, with `serial` counting up.
    """

    name: str
    """As the table says it: "ours", "floor", "terraform", "loops"."""

    lacks: tuple[str, ...] = ()
    """Kinds of account.expected() that it cannot make, because it has nothing for them."""

    rewrites: bool = False
    """Whether it writes something again though nothing differs, and cannot help it."""

    def __init__(self, directory: Path) -> None:
        """The directory is there, empty, and the contender's own."""
        self.directory = directory

    @abstractmethod
    def prepare(self, n: int, environment: dict[str, str]) -> None:
        """What is not counted: writes the files for n stacks, and does what is done once for a working copy, such as
        `terraform init`. The environment has credentials and endpoint, for who has to write them down; the
        account has the users `installer` (who runs all) and nothing else. It must make no resource."""

    @abstractmethod
    def first(self) -> Command:
        """Makes the whole estate in an account without anything (`terraform apply`)."""

    @abstractmethod
    def converged(self) -> Command:
        """The same again, where nothing differs: it must find that by asking AWS, and write nothing (`terraform plan`,
        which is what Terraform does where nothing is to be done)."""

    @abstractmethod
    def change(self, serial: int) -> Command:
        """After the branch of stack n // 2 has become `release-<serial>` in the contender's files, which this writes:
        brings exactly that into AWS, by a run over the whole estate (`terraform apply`)."""

    @abstractmethod
    def check(self, serial: int) -> Command:
        """Tells what a run would do where stack n // 2 is to get the branch `check-<serial>`, and writes nothing
        (`--check`, `terraform plan`). `converged` and `change` after it must not know of that."""


def stack_name(number: int) -> str:
    """The name of a stack, from 0."""
    return f"stack-{number:04}"


def settings() -> dict[str, Any]:
    """gitops_settings of the estate."""
    return {
        "name": "gitops",
        "region": REGION,
        "connection": "github",
        "connection_provider": "GitHub",
        "installers": ["user/installer"],
        "sealed": False,
        "tags": {"owner": "platform"},
        "notifications": {"recipients": [{"email": "platform@example.com"}]},
    }


def stacks(n: int, branches: dict[int, str] | None = None) -> list[dict[str, Any]]:
    """gitops_stacks of the estate, with the branches of some of them (by number) other than `main`."""
    return [
        {
            "name": stack_name(number),
            "repository": "acme/infrastructure",
            "branch": (branches or {}).get(number, BRANCH),
            "path": stack_name(number),
            "approval": True,
            "terraform_version": "1.11.4",
            "plan_permissions": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}],
            "apply_permissions": [
                {
                    "Effect": "Allow",
                    "Action": ["ec2:CreateVpc", "ec2:DeleteVpc", "ec2:CreateTags"],
                    "Resource": "*",
                }
            ],
        }
        for number in range(n)
    ]


def branches(n: int, branch: str) -> dict[int, str]:
    """What `change` and `check` change: the branch of the stack in the middle."""
    return {n // 2: branch}


TEXT_BYTES = {"plan": 38290, "apply": 19105, "destroy": 19148, "machine": 39177}
"""How long ours makes the buildspecs of a stack's projects, and the definition of the state machine that tells people
(which has 20 bytes more for each stack: the table of who is told about it)."""


def text(size: int) -> str:
    """Lines of a shell script, so many bytes in all, in place of what ours says there."""
    line = 'test "$(cat plan.json | sha256sum)" = "$PLAN_DIGEST" || fail "The plan is not the one that was approved"\n'
    return (line * (size // len(line) + 1))[:size]


def buildspec(kind: str) -> str:
    """A buildspec that is as long as ours of the same kind ("plan", "apply" or "destroy")."""
    head = f"---\nversion: 0.2\nphases:\n  build:\n    commands:\n      - 'echo {kind}'\n"
    comments = "".join(f"# {line}\n" for line in text(TEXT_BYTES[kind]).splitlines())
    return (head + comments)[: TEXT_BYTES[kind]]


def machine(n: int) -> dict[str, Any]:
    """A definition of the state machine that is as long as ours, with who is told about each stack."""
    told = ["succeeded", "failed", "approval", "drift", "break_glass", "lock"]
    tables = {"stacks": {stack_name(number): "0" for number in range(n)}, "sets": {"0": told}, "estate": told}
    event = "{% $states.input %}"
    return {
        "Comment": "Tells people what happened in gitops",
        "QueryLanguage": "JSONata",
        "TimeoutSeconds": 900,
        "StartAt": "Event",
        "States": {
            "Event": {"Type": "Pass", "Output": {"event": event, "tables": tables}, "Next": "Done"},
            "Done": {"Type": "Pass", "Comment": text(TEXT_BYTES["machine"] - 3_060), "End": True},
        },
    }
