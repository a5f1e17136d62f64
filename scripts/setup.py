# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the working directory .work/ ready: environment, Terraform, and the collection under its own name."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

import provide_terraform
import provide_venv

ROOT = Path(__file__).resolve().parent.parent


def link_collection(work: Path) -> None:
    """Let Ansible find this repository as gitops.aws: WORK/collections/ansible_collections/gitops/aws."""
    link = work / "collections" / "ansible_collections" / "gitops" / "aws"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to("../../../..", target_is_directory=True)


def main() -> None:
    work = ROOT / ".work"
    work.mkdir(exist_ok=True)
    # Two make runs in one clone wait for each other.
    with (work / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            provide_venv.provide(work / "venv", ROOT / "requirements" / "dev.txt")
            link_collection(work)
            provide_terraform.provide(work)
        except (provide_venv.VenvError, provide_terraform.TerraformError) as error:
            sys.exit(f"set-up failed: {error}")


if __name__ == "__main__":
    main()
