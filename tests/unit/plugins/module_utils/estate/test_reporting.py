# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What report.yml has to know of an estate, and the policy of who runs it: it opens no state, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate.observers import reporter_policy
from ansible_collections.gitops.aws.plugins.module_utils._operations import READ_ONLY_OPERATION
from ansible_collections.gitops.aws.plugins.module_utils._status.settings import status_settings
from tests.unit.plugins.module_utils.estate.test_policies import by_sid, findings, may

Make = Callable[..., dict[str, Any]]

STATE = "arn:aws:s3:::gitops-111122223333-eu-central-1-state/network/terraform.tfstate"
ARTIFACTS = "arn:aws:s3:::gitops-111122223333-eu-central-1-artifacts"


def test_an_estate_without_drift(foundation: Make, stack: Make) -> None:
    assert status_settings(foundation(), [stack()]) == {
        "name": "gitops",
        "account_id": "111122223333",
        "partition": "aws",
        "state_bucket": "gitops-111122223333-eu-central-1-state",
        "lock_files": True,
        "lock_table": "gitops-lock",
        "stacks": [
            {
                "name": "network",
                "pipeline": "gitops-network",
                "state_key": "network/terraform.tfstate",
                "repository": "acme/infrastructure",
                "branch": "main",
            }
        ],
    }


def test_an_estate_with_drift_and_one_kind_of_lock(foundation: Make, stack: Make) -> None:
    files = status_settings(foundation(drift={"schedule": "rate(2 days)"}, locking=["lockfile"]), [stack()])
    table = status_settings(foundation(locking=["dynamodb"]), [stack()])

    assert (files["scan_pipeline"], files["max_age_hours"]) == ("gitops-drift", 96)
    assert files["stacks"][0]["drift_pipeline"] == "gitops-network-drift"
    assert (files["lock_files"], "lock_table" in files) == (True, False)
    assert (table["lock_files"], table["lock_table"]) == (False, "gitops-lock")


@pytest.mark.parametrize("locking", [["dynamodb"], ["lockfile"], ["dynamodb", "lockfile"]], ids="+".join)
@pytest.mark.parametrize("drift", [None, {}], ids=["reports nothing", "drift"])
def test_it_only_reads_and_opens_no_state(foundation: Make, locking: list[str], drift: dict[str, Any] | None) -> None:
    document = reporter_policy(foundation(locking=locking, drift=drift))
    actions = {action for statement in document["Statement"] for action in statement["Action"]}

    assert findings(document) == []
    assert {action for action in actions if not READ_ONLY_OPERATION.match(action.partition(":")[2])} == {"kms:Decrypt"}
    assert not any("*" in action for action in actions)
    assert by_sid(document)["Decrypt"]["Condition"]["StringEquals"]["kms:ViaService"]
    assert "kms:DescribeKey" not in actions  # nothing is asked of the key
    project = "arn:aws:codebuild:eu-central-1:111122223333:project/gitops-network-apply"
    assert may(document, "codebuild:BatchGetBuilds", project)
    log = "arn:aws:logs:eu-central-1:111122223333:log-group:/gitops/builds:log-stream:gitops-network-apply/1"
    assert may(document, "logs:GetLogEvents", log)
    assert may(document, "s3:GetObject", f"{STATE}.tflock") == ("lockfile" in locking)
    assert may(document, "s3:GetObject", f"{ARTIFACTS}/gitops-drift/scan/x") == (drift is not None)
    for closed in (STATE, f"{ARTIFACTS}/gitops-network/plan/x", f"{ARTIFACTS}/gitops-network-drift/drift/x"):
        assert not may(document, "s3:GetObject", closed)
