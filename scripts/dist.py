# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection artifact, out of the files that git knows; galaxy.yml says which of them stay out.

`python scripts/dist.py [DIRECTORY]`, by default in dist/.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import git_files


def main(arguments: list[str]) -> int:
    target = Path(arguments[0]).resolve() if arguments else git_files.ROOT / "dist"
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "aws"
        git_files.copy(copy)
        command = ["ansible-galaxy", "collection", "build", "--force", "--output-path", str(target)]
        return subprocess.run(command, cwd=copy, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
