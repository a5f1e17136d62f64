# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what users notice comes with a changelog fragment: python scripts/check_fragment.py BASE.

Compares the commit that is checked out with where it left BASE. Standard library only.
"""

from __future__ import annotations

import subprocess
import sys

NOTICED = ("plugins/", "roles/", "playbooks/", "buildspecs/")
# A release gathers the fragments in the second.
TOLD = ("changelogs/fragments/", "changelogs/changelog.yaml")


def untold(changes: list[tuple[str, str]]) -> list[str]:
    """Those of the changed files that a fragment should tell of, and none does. CHANGES: git's status letter, name."""
    # To take a fragment away tells nothing.
    if any(name.startswith(TOLD) and status != "D" for status, name in changes):
        return []
    return [name for _, name in changes if name.startswith(NOTICED)]


def main(base: str) -> int:
    command = ["git", "diff", "--name-status", "--no-renames", "-z", f"{base}...HEAD"]
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    names = untold(list(zip(words[::2], words[1::2], strict=False)))
    if not names:
        return 0
    print("No fragment in changelogs/fragments/ tells of this. CONTRIBUTING.md says how to write one;")
    print("what users do not notice has the section `trivial`.")
    print("\n".join(f"  {name}" for name in names))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
