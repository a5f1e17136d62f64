# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml again: nothing changes; then one setting does."""

from __future__ import annotations

import re

from tests.e2e.estate import Estate


def test_second_run_changes_nothing_and_makes_no_mutating_call(estate: Estate) -> None:
    run = estate.site()
    assert run.recap["changed"] == 0, run.output
    assert run.mutations == []
    assert len(run.calls) > 10  # it has looked


def test_check_of_a_converged_estate_finds_nothing(estate: Estate) -> None:
    run = estate.playbook("gitops.aws.site", estate.installer, "--check", "--diff")
    assert not run.failed, run.output
    assert run.recap["changed"] == 0, run.output
    assert run.mutations == []


def test_changed_setting_changes_what_it_concerns_and_nothing_else(estate: Estate) -> None:
    estate.stack("quick")["timeout_in_minutes"] = 33
    run = estate.site("--diff")
    assert run.recap["changed"] == 1, run.output
    assert sorted(run.mutations) == [
        f"codebuild:UpdateProject gitops-quick-{step}" for step in ("apply", "destroy", "plan")
    ]
    changed = [line.strip() for line in re.findall(r"^[+-](?![+-]).*", run.output, re.MULTILINE)]
    assert changed == ['-    "timeout_in_minutes": 45', '+    "timeout_in_minutes": 33'] * 3
    projects = estate.administrator.client("codebuild").batch_get_projects(
        names=["gitops-quick-plan", "gitops-keys-plan"]
    )
    assert {project["name"]: project["timeoutInMinutes"] for project in projects["projects"]} == {
        "gitops-quick-plan": 33,
        "gitops-keys-plan": 60,
    }
