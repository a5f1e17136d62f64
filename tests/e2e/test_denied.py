# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A denied call names the resource, the action and who was denied it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate.installer import installer_policies
from tests.e2e.conftest import Account
from tests.e2e.estate import Estate, mutations, new_person


@pytest.mark.parametrize(
    ("missing", "resource"),
    [("iam:CreatePolicy", "IAM policy denied-seal"), ("iam:GetAccountAuthorizationDetails", "IAM policies")],
)
def test_installer_without_a_permission_is_told_which(
    account: Account, tmp_path: Path, missing: str, resource: str
) -> None:
    name = f"without-{missing.replace(':', '-')}"
    settings = {"name": "denied", "region": "eu-central-1", "connection": "denied", "installers": [f"user/{name}"]}
    stack = {"name": "network", "repository": "acme/infrastructure"}
    estate = Estate(account.aws, account.administrator, tmp_path, settings, [stack])
    documents = installer_policies(estate.foundation, []).values()
    statements = [statement for document in documents for statement in document["Statement"]]
    for statement in statements:
        statement["Action"] = [action for action in statement["Action"] if action != missing]
    person = new_person(account.administrator, name, {"Version": "2012-10-17", "Statement": statements})
    # --check where the call is one that reads: nothing is left behind.
    run = estate.playbook("site.yml", person, *(["--check"] if "Get" in missing else []))
    assert run.failed
    assert run.recap["failed"] == 1
    for part in (resource, missing, f"arn:aws:iam::123456789012:user/{name}", f"Fix: allow {missing}"):
        assert part in run.text, run.output
    # The calls are the measure, not the account: pipelines of other tests may still be making things in it.
    assert [call["action"] for call in run.calls if not call["error_code"] and mutations([call])] == []
