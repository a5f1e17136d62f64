# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terraform with its AWS provider as a further client of local AWS, and the cases that it and our modules share.

Each case is a directory: main.tf says in Terraform's words what items.yml says in ours.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
# By module, in the order in which things are made; what names its items.
PLURALS = {"codeconnections": "connections", "codebuild_projects": "projects", "codepipelines": "pipelines"}

SETTINGS = """\
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region      = "%s"
  max_retries = 2
}
"""


@dataclass(frozen=True)
class Case:
    """A directory with main.tf and items.yml."""

    name: str

    def items(self, values: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
        """items.yml by module, with the values that it refers to."""
        text = (HERE / self.name / "items.yml").read_text(encoding="utf-8")
        filled = re.sub(r"\{\{ (\w+) \}\}", lambda match: values[match[1]], text)
        found: dict[str, list[dict[str, Any]]] = yaml.safe_load(filled)
        return {module: found[module] for module in PLURALS if module in found}

    def __str__(self) -> str:
        return self.name


CASES = [Case(path.parent.name) for path in sorted(HERE.glob("*/main.tf"))]


class TerraformFailed(Exception):
    """Terraform ended with an error; the message is its output."""


@dataclass
class Plan:
    """What Terraform would do: its own words, and the changes {actions, before, after, importing, ...} by address."""

    text: str
    changes: dict[str, dict[str, Any]]

    def differences(self, case: Case | None = None) -> dict[str, dict[str, tuple[Any, Any]]]:
        """What would change, in one case or in all: by address, the attributes with their values before and after."""
        found = {address: _attributes(change) for address, change in self.changes.items() if self._is_of(address, case)}
        return {address: attributes for address, attributes in found.items() if attributes}

    def words(self, case: Case | None = None) -> str:
        """Terraform's words about that: the resources, and the lines that differ."""
        lines = []
        for block in re.split(r"\n\n(?=  # )", self.text)[1:]:
            title, *rest = block.splitlines()
            if self._is_of(title.removeprefix("  # "), case) and not title.endswith("will be imported"):
                lines += [title, *(line for line in rest if re.match(r"\s*(~|\+|-|-/\+|\+/-) ", line))]
        return "\n".join(lines)

    def imports(self, case: Case) -> list[bool]:
        """For each resource of a case, whether it would be imported."""
        return [bool(change.get("importing")) for address, change in self.changes.items() if self._is_of(address, case)]

    @staticmethod
    def _is_of(address: str, case: Case | None) -> bool:
        return case is None or address.startswith(f"module.{case}.")


def _attributes(change: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    before, after = change["before"] or {}, change["after"] or {}
    names = {*before, *after} if change["actions"] != ["no-op"] else set()
    # The provider does not read `trigger` when it imports (it reads only what is in its state), but into `trigger_all`.
    if change.get("importing") and "trigger" in names and _said(after["trigger"]) == _said(before["trigger_all"]):
        names.remove("trigger")
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _said(value: Any) -> Any:
    """The value without what is null or empty in it."""
    if isinstance(value, dict):
        return {name: _said(element) for name, element in value.items() if element not in (None, [])}
    return [_said(element) for element in value] if isinstance(value, list) else value


def _unused(block: dict[str, Any], values: list[Any]) -> Iterator[str]:
    """The paths of arguments of a block that are in none of its values."""
    for name, attribute in block.get("attributes", {}).items():
        if not any(value.get(name) for value in values) and (attribute.get("optional") or attribute.get("required")):
            yield name
    for name, inner in block.get("block_types", {}).items():
        for path in _unused(inner["block"], [element for value in values for element in value.get(name) or []]):
            yield f"{name}.{path}"


@dataclass
class Terraform:
    """A root module with one module for each case, and its state."""

    directory: Path
    environment: dict[str, str]

    def set_up(self, region: str, values: dict[str, str]) -> None:
        """Write the root module, with the values that all cases refer to, and initialize it."""
        arguments = "".join(f"  {name} = {json.dumps(value)}\n" for name, value in values.items())
        modules = [f'module "{case}" {{\n  source = "./{case}"\n{arguments}}}\n' for case in CASES]
        (self.directory / "main.tf").write_text("\n".join([SETTINGS % region, *modules]), encoding="utf-8")
        for case in CASES:
            (self.directory / case.name).mkdir()
            shutil.copy(HERE / case.name / "main.tf", self.directory / case.name)
            shutil.copy(HERE / "variables.tf", self.directory / case.name)
        shutil.copy(ROOT / "tf" / ".terraform.lock.hcl", self.directory)
        self.run("init", "-lockfile=readonly")

    def run(self, *arguments: str) -> str:
        """Run terraform in the directory; its output. Raises TerraformFailed."""
        result = subprocess.run(
            ["terraform", *arguments],
            cwd=self.directory,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=180,
            check=False,
        )
        if result.returncode:
            raise TerraformFailed(f"terraform {' '.join(arguments)} ends with {result.returncode}:\n{result.stdout}")
        return result.stdout

    def apply(self) -> str:
        """Make everything as the modules say."""
        return self.run("apply", "-auto-approve", "-no-color")

    def plan(self) -> Plan:
        """What Terraform would do."""
        text = self.run("plan", "-no-color", "-out=plan")
        shown = json.loads(self.run("show", "-json", "plan"))
        return Plan(text, {each["address"]: each["change"] for each in shown["resource_changes"]})

    def resources(self) -> dict[str, dict[str, Any]]:
        """The attributes of all resources in the state, by address."""
        state = json.loads((self.directory / "terraform.tfstate").read_text(encoding="utf-8"))
        return {
            f"{resource['module']}.{resource['type']}.{resource['name']}": resource["instances"][0]["attributes"]
            for resource in state["resources"]
        }

    def unused(self) -> set[str]:
        """The arguments that the provider's resource types have and no resource in the state uses: `type.path`."""
        schemas = json.loads(self.run("providers", "schema", "-json"))["provider_schemas"]
        types = schemas["registry.terraform.io/hashicorp/aws"]["resource_schemas"]
        resources: dict[str, list[Any]] = {}
        for address, attributes in self.resources().items():
            resources.setdefault(address.split(".")[2], []).append(attributes)
        return {
            f"{name}.{path}" for name, values in resources.items() for path in _unused(types[name]["block"], values)
        }

    def forget(self, imports: dict[str, str]) -> None:
        """Begin with an empty state, and with these resources to import: ids by address."""
        for state in self.directory.glob("terraform.tfstate*"):
            state.unlink()
        blocks = [f"import {{\n  to = {address}\n  id = {json.dumps(one)}\n}}\n" for address, one in imports.items()]
        (self.directory / "imports.tf").write_text("\n".join(blocks), encoding="utf-8")

    def edit(self, case: str, before: str, after: str) -> None:
        """Change main.tf of a case; what is replaced must be there once."""
        file = self.directory / case / "main.tf"
        text = file.read_text(encoding="utf-8")
        assert text.count(before) == 1, (before, text.count(before))
        file.write_text(text.replace(before, after), encoding="utf-8")


def environment(endpoint_url: str, user: dict[str, str]) -> dict[str, str]:
    """Terraform's environment: nothing of the machine's user but where programs and the provider are."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "TF_CLI_CONFIG_FILE") if name in os.environ}
    return {
        **kept,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": user["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": user["SecretAccessKey"],
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        "NO_PROXY": "*",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
    }
