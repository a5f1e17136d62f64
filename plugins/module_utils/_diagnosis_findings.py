# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What the diagnosis works with: what was read from AWS, what ought to be there, and what was found wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_policies import Documents

SITE = "ansible-playbook gitops.aws.site -e @your.yml"
# What a check run of other modules puts in the place of an id that AWS has yet to choose.
NOT_YET = "known-after-creation"

LONGEST = 700  # characters of evidence

# Every id that a finding may have. They are stable: people and schedules go by them.
IDS = frozenset(
    (
        "access-denied",
        "action-failed",
        "artifact-bucket-access",
        "bucket-missing",
        "bucket-policy",
        "build-failed",
        "build-limit",
        "connection-error",
        "connection-missing",
        "connection-pending",
        "encryption-key-mismatch",
        "image-pull",
        "key-missing",
        "key-unusable",
        "kms-key-policy",
        "kms-role-access",
        "lock-table-missing",
        "log-group-missing",
        "not-readable",
        "other-role",
        "pipeline-missing",
        "project-missing",
        "role-boundary",
        "role-missing",
        "role-policy-missing",
        "role-statement-missing",
        "role-trust",
        "ssm-parameter-missing",
        "ssm-parameters-access",
        "state-locked",
    )
)


@dataclass
class Facts:
    """What was read from AWS. None as a value, where there is one, means that AWS does not have it.

    Attributes:
        roles: by name, as GetAccountAuthorizationDetails gives them.
        policies: documents of managed policies, by ARN.
        projects: by name, as BatchGetProjects gives them.
        pipelines: declarations by name, as GetPipeline gives them.
        connections: name and status by ARN.
        buckets: by name, encryption_key ('' for none of the customer's) and policy.
        keys: by each name that something calls a key: arn, state and policy.
        parameters: by name, type and key_id.
        log_groups: names of those that are there.
        locks: as gitops.aws.terraform_locks_info returns them.
        no_lock_table: whether the lock table is missing.
        runs: executions that were looked at, see _diagnosis_runs.
        unread: why something could not be read, by what it is. About that nothing is found.
    """

    roles: dict[str, Any] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=dict)
    projects: dict[str, Any] = field(default_factory=dict)
    pipelines: dict[str, Any] = field(default_factory=dict)
    connections: dict[str, Any] = field(default_factory=dict)
    buckets: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    log_groups: set[str] = field(default_factory=set)
    locks: list[dict[str, Any]] = field(default_factory=list)
    no_lock_table: bool = False
    runs: list[dict[str, Any]] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    def documents(self, role: dict[str, Any]) -> Documents:
        """The policies of a role, by what they are called. One whose document is not known is left out."""
        inline = {f"inline policy {each['PolicyName']}": each["PolicyDocument"] for each in role["RolePolicyList"]}
        attached = [each["PolicyArn"] for each in role["AttachedManagedPolicies"]]
        managed = {f"managed policy {arn}": self.policies[arn] for arn in attached if arn in self.policies}
        return {**inline, **managed}

    def boundary(self, role: dict[str, Any]) -> tuple[str, Any]:
        """The ARN and the document of a role's permissions boundary; '' and None where it has none."""
        arn = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
        return arn, self.policies.get(arn)

    def key_arn(self, called: str) -> str:
        """The ARN of a key by any of its names; the name itself where the key is not known."""
        key = self.keys.get(called)
        return str(key["arn"]) if key else called


@dataclass
class Finding:
    """Something that makes a run fail.

    Attributes:
        id: one of IDS; docs/doctor.md has a line for each.
        stack: its name, '' where all are concerned.
        resource: an ARN, or a name.
        cause: one sentence.
        evidence: what AWS said, or what was read there.
        fix: a command, or an edit.
        refused: (name of a role, action) of each call that fails because of it.
    """

    id: str
    stack: str
    resource: str
    cause: str
    evidence: str
    fix: str
    refused: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.id not in IDS:
            raise ValueError(f"{self.id} is no id of a finding. This is a bug in gitops.aws")

    def public(self) -> dict[str, str]:
        """As the module returns it."""
        return {
            "id": self.id,
            "stack": self.stack,
            "resource": self.resource,
            "cause": self.cause,
            "evidence": short(self.evidence),
            "fix": self.fix,
        }


def short(text: str) -> str:
    """A text on one line, cut where it is too long to be read."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 4]} ..."


def statement_json(actions: list[str], resources: list[str]) -> str:
    """A statement as it is put into a policy document."""
    return json.dumps({"Effect": "Allow", "Action": sorted(set(actions)), "Resource": sorted(set(resources))})


def role_name(arn: str) -> str:
    """The name of a role, by its ARN or that of a session of it; '' where it is none of a role."""
    resource = arn.split(":", 5)[-1]
    parts = resource.split("/")
    if parts[0] == "role":
        return parts[-1]
    return parts[1] if parts[0] == "assumed-role" and len(parts) > 1 else ""
