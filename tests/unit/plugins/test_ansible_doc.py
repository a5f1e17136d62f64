# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-doc shows of the modules."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CALLING_NOTHING = (
    "gitops.aws.estate",
    "gitops.aws.estate_report",
    "gitops.aws.findings_report",
    "gitops.aws.policy_files",
    "gitops.aws.terraform_import_blocks",
)


def test_attributes_are_documented() -> None:
    names = [f"gitops.aws.{path.stem}" for path in (ROOT / "plugins/modules").glob("*.py")]
    command = ["ansible-doc", "--json", "--type", "module", *names]
    shown = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

    assert set(shown) == set(names)
    for name, module in shown.items():
        attributes = module["doc"]["attributes"]
        assert set(attributes) >= {"check_mode", "diff_mode", "idempotent", "platform"}, name
        assert attributes["check_mode"]["support"] == "full", name
        # Those that call nothing take no region and no credentials.
        groups = attributes.get("action_group", {}).get("membership", [])
        assert groups == ([] if name in CALLING_NOTHING else ["gitops.aws.aws"]), name
