# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what each run of a scenario's playbooks has told and called, for tasks/told.yml."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: runs
type: aggregate
short_description: Keeps what each run has told and called
description:
  - Appends a line per run to C(.work/molecule/runs/SCENARIO.jsonl), which begins anew with prepare.yml.
  - C(playbook) is its name, C(check) whether it was in check mode, C(changed) the names of the tasks that said that
    they changed something, and C(wrote) the IAM actions of what the scenario's user called in the meantime that may
    change something.
"""

# Calls of AWS's APIs whose names begin so change nothing.
READS = re.compile(r"[\w-]+:(Get|List|Describe|BatchGet|Head|Lookup|Simulate|Search|Scan)")


class CallbackModule(CallbackBase):
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "runs"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.scenario = os.environ["MOLECULE_SCENARIO_NAME"]
        self.data = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], ".work", "molecule")
        self.run: dict[str, Any] = {"playbook": "", "check": False, "changed": [], "wrote": []}
        self.calls_before = len(self.calls())

    def calls(self) -> list[str]:
        """The log of calls so far."""
        path = self.data / "calls.jsonl"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self.run["playbook"] = Path(playbook._file_name).stem

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.run["check"] = play.check_mode

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.is_changed():
            self.run["changed"].append(result.task.name)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        time.sleep(0.2)  # a call is logged just after it is answered
        user = f":user/my-{self.scenario.replace('_', '-')}"
        calls = [json.loads(line) for line in self.calls()[self.calls_before :]]
        actions = {call["action"] for call in calls if call["principal_arn"].endswith(user)}
        self.run["wrote"] = sorted(action for action in actions if not READS.match(action))
        # Not of the scenario "default", which makes and removes the folder.
        if self.scenario != "default":
            path = self.data / "runs" / f"{self.scenario}.jsonl"
            path.parent.mkdir(exist_ok=True)
            with path.open("w" if self.run["playbook"] == "prepare" else "a", encoding="utf-8") as file:
                file.write(json.dumps(self.run) + "\n")
