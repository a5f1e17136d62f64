# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Terraform with its state in local AWS, locked in every way that it knows."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws
from tests.integration.modules.harness import REGION, Account, unique
from tests.integration.terraform.client import environment

KINDS = (["dynamodb"], ["lockfile"], ["dynamodb", "lockfile"])

# terraform_data is built in: no provider is needed. What `slow` does holds the lock for so many seconds.
CODE = """\
terraform {
  backend "s3" {}
}

variable "value" {}

variable "seconds" {
  default = 0
}

resource "terraform_data" "value" {
  input = var.value
}

resource "terraform_data" "slow" {
  input      = var.value
  depends_on = [terraform_data.value]

  triggers_replace = var.value

  provisioner "local-exec" {
    command = "sleep ${var.seconds}"
  }
}
"""


def backend(place: Place, kinds: list[str], key: str) -> dict[str, str]:
    """The settings of Terraform's S3 backend, as the pipelines give them."""
    settings = {
        "bucket": place.bucket,
        "key": key,
        "region": REGION,
        "encrypt": "true",
        "kms_key_id": place.kms_key_id,
    }
    if "dynamodb" in kinds:
        settings["dynamodb_table"] = place.table
    if "lockfile" in kinds:
        settings["use_lockfile"] = "true"
    return settings


@dataclass
class Place:
    """Where states are kept: a bucket with versions, a lock table and a key."""

    account: Account
    bucket: str
    table: str
    kms_key_id: str

    @classmethod
    def open(cls, account: Account) -> Place:
        s3, bucket, table = account.client("s3"), unique("states"), unique("locks")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        account.client("dynamodb").create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return cls(account, bucket, table, account.client("kms").create_key()["KeyMetadata"]["Arn"])

    def put(self, key: str, content: bytes | str | dict[str, Any]) -> str:
        """Puts an object; its version."""
        body = json.dumps(content) if isinstance(content, dict) else content
        return str(self.account.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)["VersionId"])

    def read(self, key: str) -> bytes | None:
        """An object's content, None where there is none."""
        s3 = self.account.client("s3")
        try:
            return bytes(s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        except s3.exceptions.NoSuchKey:
            return None

    def state(self, key: str) -> dict[str, Any]:
        """A state."""
        content = self.read(key)
        assert content is not None
        found: dict[str, Any] = json.loads(content)
        return found

    def item(self, name: str) -> dict[str, str] | None:
        """An item of the lock table, by what follows the bucket's name."""
        found = self.account.client("dynamodb").get_item(
            TableName=self.table, Key={"LockID": {"S": f"{self.bucket}/{name}"}}
        )
        return {name: value["S"] for name, value in found["Item"].items()} if "Item" in found else None

    def lock(self, key: str, kinds: list[str], **values: str) -> str:
        """Holds the lock on a state as Terraform would; its id."""
        info = {"ID": unique("lock"), "Operation": "OperationTypeApply", "Info": "", "Who": "somebody@else"}
        info |= {"Version": "1.11.4", "Created": "2025-01-01T00:00:00Z", "Path": f"{self.bucket}/{key}", **values}
        if "lockfile" in kinds:
            self.put(f"{key}.tflock", info)
        if "dynamodb" in kinds:
            self.put_item(key, Info=json.dumps(info))
        return info["ID"]

    def put_item(self, name: str, **values: str) -> None:
        """Writes an item of the lock table."""
        item = {"LockID": f"{self.bucket}/{name}", **values}
        self.account.client("dynamodb").put_item(
            TableName=self.table, Item={name: {"S": value} for name, value in item.items()}
        )

    def is_locked(self, key: str) -> list[str]:
        """Where a lock on a state lies."""
        kinds = {"dynamodb": self.item(key), "lockfile": self.read(f"{key}.tflock")}
        return [kind for kind, found in kinds.items() if found is not None]


@dataclass
class Root:
    """A root module in a directory of its own, initialised."""

    place: Place
    directory: Path
    kinds: list[str]
    key: str

    @classmethod
    def make(cls, place: Place, directory: Path, kinds: list[str], key: str | None = None) -> Root:
        root = cls(place, directory, kinds, key or f"{unique('stack')}/terraform.tfstate")
        directory.mkdir(exist_ok=True)
        (directory / "main.tf").write_text(CODE, encoding="utf-8")
        root.init(kinds)
        return root

    def init(self, kinds: list[str]) -> None:
        """Sets how the state is locked."""
        self.kinds = kinds
        settings = backend(self.place, kinds, self.key)
        self.run("init", "-reconfigure", *(f"-backend-config={name}={value}" for name, value in settings.items()))

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts Terraform, in a process group of its own."""
        return subprocess.Popen(
            ["terraform", *arguments, "-no-color"],
            cwd=self.directory,
            env=environment(self.place.account.endpoint_url, self.place.account.onlooker),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Runs Terraform to its end; its output. It must succeed, or fail."""
        with self.command(*arguments) as process:
            output, _none = process.communicate(timeout=120)
        assert bool(process.returncode) == fails, output
        return output

    def apply(self, value: str) -> str:
        """Applies; its output."""
        return self.run("apply", "-auto-approve", f"-var=value={value}")

    def plan(self, value: str, *arguments: str) -> str:
        """Plans; the output, which names changes or says that there are none."""
        return self.run("plan", f"-var=value={value}", *arguments)

    def versions(self) -> list[str]:
        """The versions of the state, the oldest first."""
        found = self.place.account.client("s3").list_object_versions(Bucket=self.place.bucket, Prefix=self.key)
        return [each["VersionId"] for each in reversed(found["Versions"]) if each["Key"] == self.key]

    def options(self, **values: Any) -> dict[str, Any]:
        """The options of terraform_state for this state."""
        return {
            "bucket": self.place.bucket,
            "key": self.key,
            "table": self.place.table,
            "locking": self.kinds,
            "kms_key_id": self.place.kms_key_id,
            **values,
        }


def kill(process: subprocess.Popen[str]) -> None:
    """Ends a process and all that it has started, at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


# What is done just before a call; it gets the request's body.
Before = Callable[[bytes], None]


def interfere(monkeypatch: pytest.MonkeyPatch, operation: str, text: str, act: Before) -> None:
    """Has something done before the module's calls of an operation with a text in their address or body.

    What raises there keeps the call from AWS, and from the count of calls.
    """
    original = Aws._before_call

    def call(self: Aws, model: Any, **arguments: Any) -> None:
        if model.name == operation:
            body = arguments["params"]["body"]
            content = bytes(body.getvalue() if hasattr(body, "getvalue") else body)
            if text in arguments["params"]["url"] + content.decode():
                act(content)
        original(self, model, **arguments)

    monkeypatch.setattr(Aws, "_before_call", call)
