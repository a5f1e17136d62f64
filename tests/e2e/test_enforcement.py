# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The enforcement is real: without a permission the pipeline fails as on AWS, and site.yml repairs just that."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.e2e.conftest import Started
from tests.e2e.estate import Estate, Execution, Run


@dataclass
class Broken:
    """What happened without the permissions, and then."""

    download: Execution
    parameters: Execution
    told: Run  # run.yml, on the second of them
    repair: Run


def exchange(estate: Estate, role: str, policy: str, actions: dict[str, str]) -> None:
    """Exchanges actions in an inline policy, as a well-meaning colleague in the console."""
    iam = estate.administrator.client("iam")
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    for statement in document["Statement"]:
        statement["Action"] = [actions.get(action, action) for action in statement["Action"]]
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


@pytest.fixture(scope="session")
def broken(estate: Estate, started: Started) -> Broken:
    """Two pipelines run without permissions, then site.yml."""
    for stack in ("quick", "keys"):
        estate.wait(f"gitops-{stack}", started.executions[stack])
    exchange(
        estate,
        "gitops-quick-plan",
        "build",
        {"s3:GetObject": "s3:GetObjectAcl", "s3:GetObjectVersion": "s3:GetObjectVersionAcl"},
    )
    for role in ("gitops-keys-plan", "gitops-keys-apply"):
        # The guide's second error: the singular looks right.
        exchange(estate, role, "credentials", {"ssm:GetParameters": "ssm:GetParameter"})
    download = estate.start("gitops-quick")
    told = estate.playbook("run.yml", estate.operator, stack="keys")
    parameters = estate.executions("gitops-keys")[0]
    return Broken(
        estate.wait("gitops-quick", download),
        estate.look("gitops-keys", parameters),
        told,
        estate.site("--diff"),
    )


def test_artifact_that_may_not_be_read_is_a_client_error(broken: Broken, estate: Estate) -> None:
    plan = broken.download.actions["Plan"]
    assert (broken.download.status, plan.status) == ("Failed", "Failed")
    build = estate.administrator.client("codebuild").batch_get_builds(ids=[plan.build_id])["builds"][0]
    phase = next(phase for phase in build["phases"] if phase["phaseType"] == "DOWNLOAD_SOURCE")
    assert phase["phaseStatus"] == "FAILED"
    (context,) = phase["contexts"]
    assert context["statusCode"] == "CLIENT_ERROR"
    assert "AccessDenied" in context["message"]


def test_parameters_that_may_not_be_read_fail_the_build_by_name(broken: Broken) -> None:
    assert broken.parameters.status == "Failed"
    assert "ssm:GetParameters" in broken.parameters.actions["Plan"].summary


def test_run_yml_fails_and_says_why(broken: Broken) -> None:
    assert broken.told.failed
    assert "ssm:GetParameters" in broken.told.text
    assert broken.told.recap["failed"] == 1


def test_site_yml_repairs_what_was_taken_away_and_nothing_else(broken: Broken) -> None:
    assert broken.repair.recap["changed"] == 1
    assert sorted(broken.repair.mutations) == [
        f"iam:PutRolePolicy arn:aws:iam::123456789012:role/gitops-{role}"
        for role in ("keys-apply", "keys-plan", "quick-plan")
    ]
    for action in ("s3:GetObject", "s3:GetObjectVersion", "ssm:GetParameters"):
        assert f'"{action}"' in broken.repair.output


@pytest.mark.parametrize("stack", ["quick", "keys"])
def test_repaired_pipeline_succeeds(broken: Broken, estate: Estate, stack: str) -> None:
    assert not broken.repair.failed
    ended = estate.run(f"gitops-{stack}")
    assert ended.status == "Succeeded", estate.story(ended)
    assert ended.actions["Plan"].variables["PLAN_SUMMARY"] == "no changes"
