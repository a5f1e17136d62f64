# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many calls site.yml makes, by operation, in estates of a few sizes: what tests/bench/quotas.py replays.

    python -m tests.bench.quota_calls 1 20 100

runs site.yml twice per size against a local AWS of its own and writes quota_calls.json beside this file. The estate has
all that is counted per stack or per account: it is sealed, looks for drift, and tells somebody by e-mail.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / ".work" / "collections")]

from local_estate import LocalAws, playbook  # noqa: E402  (from scripts/)

FILE = Path(__file__).with_suffix(".json")
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
SETTINGS = {
    "name": "gitops",
    "region": "eu-central-1",
    "connection": "github",
    "installers": ["user/installer"],
    "tags": {"owner": "platform"},
    "drift": {},
    "notifications": {"recipients": [{"email": "platform@example.com"}]},
}


def stack(number: int) -> dict[str, Any]:
    """One of the stacks, which differ in name and path."""
    return {
        "name": f"stack-{number:05}",
        "repository": "acme/infrastructure",
        "path": f"stack-{number:05}",
        "plan_permissions": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}],
        "apply_permissions": [
            {"Effect": "Allow", "Action": ["ec2:CreateVpc", "ec2:DeleteVpc", "ec2:CreateTags"], "Resource": "*"}
        ],
    }


def measure(stacks: int) -> dict[str, dict[str, int]]:
    """The calls of a first run and of one that finds everything as it is, by action, in order of their first call."""
    counts = {}
    with (
        tempfile.TemporaryDirectory(prefix="quota_calls") as directory,
        LocalAws(Path(directory) / "aws").running() as aws,
    ):
        person = aws.person("installer", EVERYTHING)
        your = Path(directory) / "your.yml"
        your.write_text(
            yaml.safe_dump({"gitops_settings": SETTINGS, "gitops_stacks": [stack(one) for one in range(stacks)]})
        )
        for run in ("first", "converged"):
            before = len(aws.calls())
            for line in playbook("site.yml", your, person, {}):
                if line.startswith(("PLAY RECAP", "fatal", "failed")):
                    print(f"{run} run, {stacks} stacks: {line}", end="")
            calls = aws.calls()[before:]
            counts[run] = dict(
                Counter(call["action"] for call in calls if call["access_key_id"] == person.access_key_id)
            )
    return counts


def main(sizes: list[int]) -> None:
    """Measures and writes the file."""
    commit = subprocess.run(
        ["git", "--no-optional-locks", "describe", "--always", "--dirty"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()
    measured = {str(size): measure(size) for size in sizes}
    data = {
        "command": f"python -m tests.bench.quota_calls {' '.join(map(str, sizes))}",
        "commit": commit,
        "calls": {run: {size: counts[run] for size, counts in measured.items()} for run in ("first", "converged")},
    }
    FILE.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [1, 20, 100])
