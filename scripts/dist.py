# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection artifact in dist/, out of the files that git knows; galaxy.yml says which of them stay out."""

from __future__ import annotations

import subprocess
import sys

import git_files

COPY = git_files.ROOT / ".work" / "dist"


def main() -> int:
    git_files.copy(COPY)
    command = ["ansible-galaxy", "collection", "build", "--force", "--output-path", str(git_files.ROOT / "dist")]
    return subprocess.run(command, cwd=COPY, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
