# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters that turn checked stacks into what the modules take: plain data in, plain data out, no calls."""

from __future__ import annotations

import functools
import json
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.gitops.aws.plugins.module_utils import _texts
from ansible_collections.gitops.aws.plugins.module_utils._estate import bucket_policies, names, seal
from ansible_collections.gitops.aws.plugins.module_utils._estate.attempts import attempts
from ansible_collections.gitops.aws.plugins.module_utils._estate.break_glass import (
    alarm_rules,
    alarm_topics,
    break_glass_roles,
    managed_policies,
    taking_policy,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.drift import (
    drift_not_wanted,
    drift_pipelines,
    drift_policies,
    drift_projects,
    drift_roles,
    drift_schedules,
    drift_settings,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.guardrails import (
    boundary_policy,
    developer_policy,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.installer import installer_policies
from ansible_collections.gitops.aws.plugins.module_utils._estate.lockout import (
    refused_checks,
    seal_attachments,
    seal_checks,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import foundation_of, known_pipelines, owner_tags
from ansible_collections.gitops.aws.plugins.module_utils._estate.observers import (
    doctor_policy,
    reporter_policy,
    stack_expectations,
    verifier_policy,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.organisation import (
    resource_control_policy,
    service_control_policies,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.parameters import stack_parameters
from ansible_collections.gitops.aws.plugins.module_utils._estate.people import (
    operator_policy,
    recovery_policy,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.pipelines import (
    drift_pipelines_not_wanted,
    reviews_not_wanted,
    source_rules,
    sources_not_wanted,
    stack_pipelines,
    stack_projects,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import stack_roles
from ansible_collections.gitops.aws.plugins.module_utils._estate.runs import chosen_stacks, run_report
from ansible_collections.gitops.aws.plugins.module_utils._estate.statements import statement_problems
from ansible_collections.gitops.aws.plugins.module_utils._estate.states import import_batches, stack_states
from ansible_collections.gitops.aws.plugins.module_utils._estate.verdicts import verdicts
from ansible_collections.gitops.aws.plugins.module_utils._findings.reviewed_file import reviewed_entries, with_baseline
from ansible_collections.gitops.aws.plugins.module_utils._notices.resources import (
    notices,
    notices_connections,
    notices_marks,
    notices_not_wanted,
    notices_rules,
)
from ansible_collections.gitops.aws.plugins.module_utils._status.settings import status_settings
from ansible_collections.gitops.aws.plugins.plugin_utils._memory import uncollected
from ansible_collections.gitops.aws.plugins.plugin_utils._plain import plain

POLICY_LIMIT = 20480  # characters in the policy of a bucket or a table; AWS
KEY_POLICY_LIMIT = 32768


def explained(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its errors as Ansible shows them."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            with uncollected():
                return function(*map(plain, args), **{name: plain(value) for name, value in kwargs.items()})
        except KeyError as error:
            raise AnsibleFilterError(
                f"{error} is missing. Fix: give stacks as gitops.aws.estate returns them, and a foundation as the role "
                "state_backend sets it, with connection_arn added"
            ) from None
        except (OSError, ValueError) as error:
            raise AnsibleFilterError(str(error)) from None

    return call


def in_one_piece(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with the option packed: what it gives as one text, which Ansible does not look through."""

    @functools.wraps(function)
    def call(*args: Any, packed: bool = False, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        return _texts.packed(found) if packed else found

    return call


def short_enough(what: str, policy: dict[str, Any], limit: int) -> dict[str, Any]:
    """The policy, if AWS takes one of its length. Only roles that stacks name make these longer."""
    length = len(json.dumps(policy, separators=(",", ":")))
    if length > limit:
        raise AnsibleFilterError(
            f"The policy of {what} has {length} characters, and AWS takes {limit}. Nothing was changed. Fix: let "
            "stacks share the roles that they name, or have theirs made"
        )
    return policy


def state_bucket_policy(
    foundation: dict[str, Any], statements: list[Any], caller_arn: str | None, stacks: list[dict[str, Any]]
) -> dict[str, Any]:
    """The state bucket's policy; refused where it would keep the caller, if known, from ever changing it again."""
    wrong = statement_problems("statements", statements, of_resource=True)
    if wrong:
        raise AnsibleFilterError(f"The policy of the state bucket cannot be made. {'; '.join(wrong)}")
    bucket_arn = names.bucket_arn(foundation, foundation["state_bucket"])
    sealed = seal.state_bucket(foundation, stacks) if foundation["sealed"] else []
    policy = bucket_policies.state_bucket_policy(bucket_arn, foundation["kms_key_arn"], sealed + statements)
    locked_out = bucket_policies.locks_out(policy, bucket_arn, caller_arn) if caller_arn else []
    if locked_out:
        raise AnsibleFilterError(
            f"The policy of the state bucket would lock you out: {'; '.join(locked_out)}. Nothing was changed. "
            "Fix: add yourself to the installers, if the statement is OnlyInstallersChange; add your ARN to the "
            "ArnNotLike aws:PrincipalArn of a statement of your own, or leave it out."
        )
    return short_enough("the state bucket", policy, POLICY_LIMIT)


def artifact_bucket_policy(foundation: dict[str, Any], stacks: list[dict[str, Any]]) -> dict[str, Any]:
    """The artifact bucket's policy."""
    sealed = seal.artifact_bucket(foundation, stacks) if foundation["sealed"] else []
    policy = bucket_policies.artifact_bucket_policy(names.bucket_arn(foundation, foundation["artifact_bucket"]), sealed)
    return short_enough("the artifact bucket", policy, POLICY_LIMIT)


def lock_table_policy(foundation: dict[str, Any], stacks: list[dict[str, Any]]) -> dict[str, Any]:
    """The lock table's policy, none where the estate is not sealed."""
    if not foundation["sealed"]:
        return {}
    return short_enough("the lock table", seal.lock_table(foundation, stacks), POLICY_LIMIT)


def policies_to_attach(foundation: dict[str, Any], stacks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The policies of what exists and is named: nobody but its owner attaches them.

    That of the bucket names the key, and is left out where the key is not known: with another it would refuse every
    upload.
    """
    if not foundation["sealed"]:
        return {}
    policies: dict[str, Callable[[], dict[str, Any]]] = {
        "state_bucket": lambda: state_bucket_policy(foundation, [], None, stacks),
        "artifact_bucket": lambda: artifact_bucket_policy(foundation, stacks),
        "lock_table": lambda: lock_table_policy(foundation, stacks),
        "key": lambda: key_policy(foundation, stacks),
    }
    theirs = [*foundation["existing"], *(["key"] if foundation["named_key_arn"] else [])]
    return {part: policies[part]() for part in theirs if part != "state_bucket" or foundation["kms_key_arn"]}


def key_policy(foundation: dict[str, Any], stacks: list[dict[str, Any]]) -> dict[str, Any]:
    """The key's policy; AWS's default where the estate is not sealed."""
    policy = short_enough("the key", seal.key(foundation, stacks), KEY_POLICY_LIMIT)
    return policy if foundation["sealed"] else {**policy, "Statement": policy["Statement"][:1]}


class FilterModule:
    """The filters of the estate."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filter names to functions."""
        functions: dict[str, Callable[..., Any]] = {
            "alarm_rules": alarm_rules,
            "alarm_topics": alarm_topics,
            "artifact_bucket_policy": artifact_bucket_policy,
            "attempts": attempts,
            "boundary_policy": boundary_policy,
            "break_glass_policy": taking_policy,
            "break_glass_roles": break_glass_roles,
            "chosen_stacks": chosen_stacks,
            "developer_policy": developer_policy,
            "doctor_policy": doctor_policy,
            "drift_not_wanted": drift_not_wanted,
            "drift_pipelines": drift_pipelines,
            "drift_pipelines_not_wanted": drift_pipelines_not_wanted,
            "drift_policies": drift_policies,
            "drift_projects": drift_projects,
            "drift_roles": drift_roles,
            "drift_schedules": drift_schedules,
            "drift_settings": drift_settings,
            "foundation": foundation_of,
            "import_batches": import_batches,
            "installer_policies": installer_policies,
            "key_policy": key_policy,
            "known_pipelines": known_pipelines,
            "lock_table_policy": lock_table_policy,
            "managed_policies": managed_policies,
            "notices": notices,
            "notices_connections": notices_connections,
            "notices_marks": notices_marks,
            "notices_not_wanted": notices_not_wanted,
            "notices_rules": notices_rules,
            "operator_policy": operator_policy,
            "owner_tags": owner_tags,
            "policies_to_attach": policies_to_attach,
            "recovery_policy": recovery_policy,
            "refused_checks": refused_checks,
            "reporter_policy": reporter_policy,
            "resource_control_policy": resource_control_policy,
            "reviewed_entries": reviewed_entries,
            "reviews_not_wanted": reviews_not_wanted,
            "run_report": run_report,
            "seal_attachments": seal_attachments,
            "seal_checks": seal_checks,
            "service_control_policies": service_control_policies,
            "source_rules": in_one_piece(source_rules),
            "sources_not_wanted": in_one_piece(sources_not_wanted),
            "stack_expectations": stack_expectations,
            "stack_parameters": stack_parameters,
            "stack_pipelines": in_one_piece(stack_pipelines),
            "stack_projects": in_one_piece(stack_projects),
            "stack_roles": in_one_piece(stack_roles),
            "stack_states": stack_states,
            "state_bucket_policy": state_bucket_policy,
            "status_settings": status_settings,
            "verdicts": verdicts,
            "verifier_policy": verifier_policy,
            "with_baseline": with_baseline,
        }
        return {name: explained(function) for name, function in functions.items()}
