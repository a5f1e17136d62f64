# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An estate whose builds have accidents: real Terraform, and before it a script that does what a test has planted."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_estate import LocalAws

from tests.e2e.estate import Estate, Execution, Run
from tests.e2e.runs.conftest import DESCRIBE, OWN_VPC, Runs, set_up

MINUTE = 5  # seconds that a minute of a timeout takes here
IMAGE = "acme/terraform-with-accidents"
STACKS: list[dict[str, Any]] = [
    {"name": "plain"},
    {"name": "other"},
    {"name": "made", "approval": False, "plan_permissions": [DESCRIBE], "apply_permissions": [OWN_VPC]},
    {"name": "hurried", "approval": False, "timeout_in_minutes": 5},
]
CIDR = "10.50.0.0/16"

# Two resources; between them, in the apply, is the moment of an accident. Each new content makes both anew.
BETWEEN = """terraform {
  backend "s3" {}
}

variable "content" {
  type    = string
  default = "first"
}

resource "terraform_data" "this" {
  input            = var.content
  triggers_replace = var.content

  provisioner "local-exec" {
    command = "accident"
  }
}

resource "terraform_data" "after" {
  input            = terraform_data.this.output
  triggers_replace = var.content
}
"""

# Of the Terraform that runs a provisioner, from within it.
OF_TERRAFORM = """pid=$$
while [ "$(cat /proc/$pid/comm)" != terraform ]; do pid=$(sed -n 's/^PPid:[^0-9]*//p' /proc/$pid/status); done
"""

# Local AWS, and its builds, may mount what nobody else sees, where this machine lets them.
OWN_MOUNTS = ("unshare", "--map-root-user", "--mount")

# Of a build: what it has on its disk is on a small one from here on.
SMALL_DISK = f"""mount={shutil.which("mount")} container=${{CODEBUILD_SRC_DIR%/codebuild/output/*}}
if [ ! -e "$container/codebuild/tmp" ]; then
  (cd "$container/codebuild" && $mount -t tmpfs -o size=4m small "$PWD" && cp -a . "$container/codebuild") &&
    cp -a "$container/tmp" "$container/codebuild" && $mount --bind "$container/codebuild/tmp" "$container/tmp" || exit 1
fi
"""
DISK_FULL = """cat /dev/zero > "$TMPDIR/full" 2> /dev/null || true
"""

SCRIPT = """#!/bin/sh
if [ -f "{planted}/$STACK_NAME.{name}" ]; then . "{planted}/$STACK_NAME.{name}"; fi
{then}
"""


def until(what: Callable[[], Any], seconds: int = 120) -> Any:
    """Waits for something to be there, and returns it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


@dataclass
class Accidents:
    """The estate, and what goes wrong in its builds."""

    runs: Runs
    planted: Path

    @property
    def estate(self) -> Estate:
        """The estate itself."""
        return self.runs.estate

    @contextmanager
    def planned(self, stack: str, terraform: str = "", between: str = "") -> Iterator[None]:
        """Shell commands that a build of the stack runs before each Terraform, and in the middle of an apply."""
        files = {self.planted / f"{stack}.terraform": terraform, self.planted / f"{stack}.accident": between}
        for file, text in files.items():
            if text:
                file.write_text(f"{text}\n", encoding="utf-8")
        try:
            yield
        finally:
            for file in files:
                file.unlink(missing_ok=True)

    def start(self, stack: str, word: str) -> str:
        """Gives the stack new content, or its first, and pushes it; the execution."""
        folder = self.runs.repository.clone / stack
        if stack == "made":
            if not folder.exists():
                self.runs.write(stack, "slow", **{"sleep 120": "accident", "10.30.0.0/16": CIDR})
            (folder / "note").write_text(word)
        else:
            if not folder.exists():
                folder.mkdir()
                (folder / "main.tf").write_text(BETWEEN, encoding="utf-8")
            self.runs.say(stack, word)
        return self.runs.push(stack, word)

    def once_built(self, stack: str) -> None:
        """The stack is built, if no test has done so before."""
        if self.estate.state(stack) is None:
            self.applied(stack, self.start(stack, "first"))

    def approves(self, stack: str) -> bool:
        """Whether somebody is asked."""
        return bool(self.estate.stack(stack).get("approval", True))

    def applied(self, stack: str, execution: str) -> Execution:
        """The execution at its end, after it was approved; it must succeed."""
        if self.approves(stack):
            self.runs.waiting(stack, execution)
            self.estate.approve(f"gitops-{stack}")
        return self.runs.ended(stack, execution, "Succeeded")

    def content(self, stack: str) -> dict[str, str]:
        """What is in the state of a stack made of BETWEEN, by address. An address that is there twice is no stack's."""
        state = self.estate.state(stack)
        assert state
        found = [(resource["name"], each) for resource in state["resources"] for each in resource["instances"]]
        assert len(found) == len(dict(found)), state
        return {name: str(each["attributes"]["input"]["value"]) for name, each in found}

    def state_object(self, stack: str) -> bytes:
        """The state as it lies there."""
        where = self.state_place(stack)
        return bytes(self.estate.kept("s3").get_object(**where)["Body"].read())

    def state_place(self, stack: str) -> dict[str, str]:
        """Bucket and key."""
        return {"Bucket": self.estate.foundation["state_bucket"], "Key": f"{stack}/terraform.tfstate"}

    def locks(self, stack: str) -> list[str]:
        """The ids of the locks on a state."""
        place = self.state_place(stack)
        name = f"{place['Bucket']}/{place['Key']}"
        item = self.estate.kept("dynamodb").get_item(TableName="gitops-lock", Key={"LockID": {"S": name}}).get("Item")
        found = [json.loads(item["Info"]["S"])["ID"]] if item else []
        s3 = self.estate.kept("s3")
        keys = s3.list_objects_v2(Bucket=place["Bucket"], Prefix=f"{place['Key']}.tflock").get("Contents", [])
        return found + [
            json.loads(s3.get_object(Bucket=place["Bucket"], Key=k["Key"])["Body"].read())["ID"] for k in keys
        ]

    def unlock(self, stack: str, **more: Any) -> Run:
        """unlock.yml, as it is documented."""
        return self.estate.playbook("unlock.yml", self.estate.recovery, stack=stack, **more)

    def vpcs(self) -> list[str]:
        """The ids of the VPCs that the stack `made` has made."""
        filters = [{"Name": "cidr", "Values": [CIDR]}]
        return [vpc["VpcId"] for vpc in self.estate.administrator.client("ec2").describe_vpcs(Filters=filters)["Vpcs"]]


def may_mount() -> bool:
    """Whether this machine has OWN_MOUNTS, and lets its user."""
    mount = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    return bool(shutil.which(OWN_MOUNTS[0])) and not subprocess.run(mount, check=False).returncode


def an_image(directory: Path, planted: Path) -> Path:
    """A folder with the two scripts that stand before what is real."""
    directory.mkdir()
    terraform = shutil.which("terraform")
    for name, then in (("terraform", f'exec "{terraform}" "$@"'), ("accident", "")):
        script = directory / name
        script.write_text(SCRIPT.format(planted=planted, name=name, then=then), encoding="utf-8")
        script.chmod(0o755)
    return directory


@contextmanager
def an_estate(directory: Path) -> Iterator[Accidents]:
    """The estate after site.yml, with an empty repository and no accident planned yet."""
    planted, home, temporary = directory / "planted", directory / "estate", directory / "tmp"
    for folder in (planted, home, temporary):
        folder.mkdir()
    aws = LocalAws(directory / "local-aws", OWN_MOUNTS if may_mount() else ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_AWS_MINUTE_SECONDS", str(MINUTE))
        # What is below a small disk stays there.
        patch.setenv("TMPDIR", str(temporary))
        aws.start()
    try:
        aws.command("map-image", IMAGE, str(an_image(directory / "image", planted)))
        stacks = [{"image": f"{IMAGE}:1", **stack} for stack in STACKS]
        yield Accidents(set_up(aws, home, stacks), planted)
    finally:
        aws.command("down")
