# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody approves their own commit: IAM lets them, the build does not."""

from __future__ import annotations

import json

from local_estate import ACCOUNT

from tests.e2e.estate import new_person
from tests.e2e.runs.conftest import AUTHOR, Runs


def test_an_author_s_approval_applies_nothing_and_somebody_else_s_does(runs: Runs) -> None:
    estate = runs.estate
    runs.write("authored", "value")
    execution = runs.push("authored", f"Change\n\nCo-authored-by: Ada <{AUTHOR.title()}>")
    commit = runs.repository.git("rev-parse", "HEAD")
    runs.waiting("authored", execution)
    estate.approve("gitops-authored")
    ended = runs.ended("authored", execution, "Failed")

    assert ended.actions["Approve"].status == "Succeeded"
    log = estate.log(ended.actions["Apply"].build_id)
    assert (
        f"Nothing is applied: arn:aws:iam::{ACCOUNT}:user/operator has approved, and is an author of it "
        f"({AUTHOR}, commit {commit})."
    ) in log
    assert "Fix: start the pipeline again, and let somebody else approve that run." in log
    assert estate.state("authored") is None

    policy = json.loads((estate.directory / "policies" / "operator.json").read_text())
    colleague = new_person(estate.administrator, "colleague", policy)
    execution = estate.start("gitops-authored")
    runs.waiting("authored", execution)
    estate.approve("gitops-authored", person=colleague)
    runs.ended("authored", execution, "Succeeded")
    assert estate.state("authored") is not None
