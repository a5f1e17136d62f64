# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input stops before the first call to AWS. The table of all rules is in the unit tests; these are whole runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Account
from tests.e2e.estate import Run

# What does not even have the right form.
FORM = """
gitops_settings:
  region: eu-central-1
  connection: github
  lock_tabel: locks
  create_lock_table: perhaps
  locking: [s3]
  log_retention_in_days: 8
gitops_stack: []
gitops_stacks:
  - network
  - name: nowhere
  - {name: impatient, repository: acme/infrastructure, timeout_in_minutes: soon, compute_type: HUGE}
  - {name: rooted, repository: acme/infrastructure, credentials: root}
"""
FORM_MESSAGES = [
    ("settings.lock_tabel", "did you mean lock_table?"),
    ("settings", "create_lock_table", "perhaps"),
    ("settings", "locking", "s3", "dynamodb, lockfile"),
    ("settings.log_retention_in_days", "8", "7, 14, 30"),
    ("gitops_stack", "did you mean gitops_stacks?"),
    ("stacks[0]", "'network'", "dictionary"),
    ("stacks[1] (nowhere)", "repository"),
    ("stacks[2] (impatient)", "timeout_in_minutes", "soon"),
    ("stacks[2] (impatient).compute_type", "'HUGE'", "BUILD_GENERAL1_SMALL"),
    ("stacks[3] (rooted)", "credentials", "root", "role, assume_role, parameter_store"),
]

# What AWS or Git would refuse.
VALUES = """
gitops_settings:
  name: Git Ops
  region: eu-cental-1
  connection: a-connection-with-a-name-beyond-32-characters
  state_bucket: State_Bucket
  lock_table: "?"
  kms_key_arn: alias/mine
  installers: [platform]
gitops_stacks:
  - {name: network, repository: infrastructure, branch: "a..b", path: ../other, terraform_version: latest}
  - {name: network, repository: acme/infrastructure, timeout_in_minutes: 3}
  - {name: Network!, repository: acme/infrastructure, credentials: assume_role}
  - name: twin
    repository: acme/infrastructure
    state_key: network/terraform.tfstate
    apply_permissions: [{Effect: Perhaps, Action: "s3:*", Resource: "*"}]
"""
VALUES_MESSAGES = [
    ("settings.name", "'Git Ops'", "a-z"),
    ("settings.region", "'eu-cental-1'", "eu-central-1"),
    ("settings.connection", "'a-connection-with-a-name-beyond-32-characters'", "32"),
    ("settings.state_bucket", "'State_Bucket'", "3 to 63 characters"),
    ("settings.lock_table", "'?'", "3 to 255"),
    ("settings.kms_key_arn", "'alias/mine'", "ARN"),
    ("settings.installers", "'platform'", "role/platform"),
    ("stacks[0] (network).repository", "'infrastructure'", "acme/infrastructure"),
    ("stacks[0] (network).branch", "'a..b'"),
    ("stacks[0] (network).path", "'../other'", "inside the repository"),
    ("stacks[0] (network).terraform_version", "'latest'", "1.11.4"),
    ("stacks[1] (network).name", "'network'", "stacks[0]"),
    ("stacks[1] (network).timeout_in_minutes", "3", "5"),
    ("stacks[2] (Network!).name", "'Network!'", "a-z"),
    ("stacks[2] (Network!).assume_role_arn", "must be given"),
    ("stacks[3] (twin).state_key", "'network/terraform.tfstate'"),
    ("stacks[3] (twin).apply_permissions[0].Effect", "'Perhaps'", "Allow or Deny"),
]

LOCKED_OUT = """
gitops_settings:
  region: eu-central-1
  connection: github
  installers: [user/installer]
  state_bucket_policy_statements:
    - Sid: OnlyTheBoss
      Effect: Deny
      Principal: "*"
      Action: s3:*
      Resource: "*"
      Condition:
        ArnNotLike:
          aws:PrincipalArn: arn:aws:iam::123456789012:user/boss
"""


def run_with(account: Account, tmp_path: Path, text: str) -> Run:
    """site.yml with this vars file; the run must fail without a call that changes something.

    The calls are the measure, not the account: pipelines of other tests may still be making things in it.
    """
    vars_file = tmp_path / "your.yml"
    vars_file.write_text(text)
    run = account.estate.playbook_with(vars_file, "site.yml", account.estate.installer)
    assert run.failed
    assert run.mutations == []
    return run


@pytest.mark.parametrize(
    ("text", "messages"), [(FORM, FORM_MESSAGES), (VALUES, VALUES_MESSAGES)], ids=["form", "values"]
)
def test_wrong_values_are_all_named_before_anything_is_called(
    account: Account, tmp_path: Path, text: str, messages: list[tuple[str, ...]]
) -> None:
    run = run_with(account, tmp_path, text)
    assert run.calls == []
    problems = run.result["problems"]
    for message in messages:
        assert [problem for problem in problems if all(part in problem for part in message)], (message, problems)
        assert message[0] in run.result["msg"]


def test_policy_that_would_lock_the_caller_out_is_refused_before_anything_is_made(
    account: Account, tmp_path: Path
) -> None:
    run = run_with(account, tmp_path, LOCKED_OUT)
    # Who is locked out depends on who is calling: that must be asked.
    assert {call["action"] for call in run.calls} <= {
        "sts:GetCallerIdentity",
        "dynamodb:GetResourcePolicy",
        "kms:DescribeKey",
        # Where an earlier run made the key, its own policy is what is left to read.
        "kms:GetKeyPolicy",
        "iam:SimulateCustomPolicy",
        "iam:SimulatePrincipalPolicy",
        "s3:GetBucketPolicy",
    }
    for part in ("OnlyTheBoss", "s3:GetBucketPolicy", "arn:aws:iam::123456789012:user/installer", "Fix:"):
        assert part in run.text
