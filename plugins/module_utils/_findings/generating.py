# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Lets Terraform write the configuration of what import blocks name.

It works in a directory of its own, with a local state and a provider for one region, so that neither state nor lock of
the code is touched. What Terraform writes it does not always accept: an instance gets arguments that exclude each
other. Of the lines that it complains about, those that say nothing are taken out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import Any, Iterable

from ansible_collections.gitops.aws.plugins.module_utils._findings.adopt import Block, text

FILE = "generated.tf"
LOCK_FILE = ".terraform.lock.hcl"
PROVIDER = """\
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region = %s
}
"""
# What somebody has set for the code's own directory means nothing here.
ENVIRONMENT = {
    **dict.fromkeys(("TF_CLI_ARGS", "TF_CLI_ARGS_init", "TF_CLI_ARGS_plan", "TF_DATA_DIR", "TF_WORKSPACE"), ""),
    "TF_IN_AUTOMATION": "1",
    "TF_INPUT": "0",
}
PASSES = 5  # that is how often it may complain
COMPLAINT = re.compile(rf"on {re.escape(FILE)} line (\d+)")
# Of the resource itself: in an object, an attribute may be needed though it says nothing. Not what is `# sensitive`.
SAYS_NOTHING = re.compile(r'  [\w-]+\s+= (null|\[\]|\{\}|0|""|false)')
UNSET = re.compile(r"^  [\w-]+\s+= null\n", re.MULTILINE)


class Failed(Exception):
    """Terraform has written nothing; the message says what it said."""


def generate(module: Any, terraform: str, blocks: Iterable[Block], region: str, code: str) -> tuple[str, str]:
    """The configuration of what blocks name, and what Terraform still complains about, '' where it accepts it.

    Args:
        module: an AnsibleModule.
        terraform: the program.
        region: of the provider.
        code: the directory of the code, for the versions that it is locked to.

    Raises:
        Failed: it cannot be run, or it reads none of the resources.
        OSError: a file cannot be written.
    """
    place = os.path.join(module.tmpdir, "generate")
    os.makedirs(place)
    _write(place, "provider.tf", PROVIDER % json.dumps(region))
    _write(place, "imports.tf", text(blocks))
    if os.path.exists(os.path.join(code, LOCK_FILE)):
        shutil.copy(os.path.join(code, LOCK_FILE), place)

    def run(*arguments: str) -> str:
        """Runs Terraform; what it complains about, '' where it does not."""
        line = [terraform, *arguments, "-input=false", "-no-color"]
        status, out, error = module.run_command(line, cwd=place, environ_update=ENVIRONMENT)
        return (error or out).strip() if status else ""

    failed = run("init")
    if failed:
        raise Failed(failed)
    complaint = run("plan", f"-generate-config-out={FILE}")
    if not os.path.exists(os.path.join(place, FILE)):
        raise Failed(complaint or "it has written nothing")
    # The lines that it has just named are not those of the file: it looks at each resource as it writes it.
    configuration, complaint = _read(place), run("plan")
    for _try in range(PASSES):
        better = without_complaints(configuration, complaint)
        if better == configuration:
            break
        _write(place, FILE, better)
        configuration, complaint = better, run("plan")
    shorter = UNSET.sub("", configuration)
    _write(place, FILE, shorter)
    # What is left out is what it was before: it must be accepted as it was.
    return (shorter, complaint) if run("plan") == "" or complaint else (configuration, complaint)


def without_complaints(configuration: str, complaint: str) -> str:
    """The configuration without those lines that are complained about and say nothing."""
    numbers = {int(number) for number in COMPLAINT.findall(complaint)}
    lines = configuration.splitlines(keepends=True)
    return "".join(
        line
        for number, line in enumerate(lines, 1)
        if number not in numbers or not SAYS_NOTHING.fullmatch(line.rstrip("\n"))
    )


def _write(place: str, name: str, content: str) -> None:
    with open(os.path.join(place, name), "w", encoding="utf-8") as file:
        file.write(content)


def _read(place: str) -> str:
    with open(os.path.join(place, FILE), encoding="utf-8") as file:
        return file.read()
