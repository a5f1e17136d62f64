# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Pythons are on this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
LOOK = "import sys, venv; print('%d.%d' % sys.version_info[:2], sys.executable)"


def find_pythons() -> dict[str, str]:
    """The Pythons that work and can make environments: paths by version, the oldest first.

    Those on PATH, and those of pyenv, whose shims on PATH work for the chosen version alone.
    """
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep) if folder]
    for shims in [folder for folder in folders if folder.name == "shims"]:
        folders += sorted(shims.parent.glob("versions/*/bin"))
    found = {}
    for version in VERSIONS:
        for folder in folders:
            # Not the environment of development: others are to be made from what is beside it.
            if (folder.parent / "pyvenv.cfg").exists() or not (folder / f"python{version}").exists():
                continue
            command = [str(folder / f"python{version}"), "-c", LOOK]
            ran = subprocess.run(command, check=False, capture_output=True, text=True)
            says, _space, executable = ran.stdout.strip().partition(" ")
            if says == version:
                found[version] = executable
                break
    return found
