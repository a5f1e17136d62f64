# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters that turn checked stacks into what the modules take: plain data in, plain data out, no calls."""

from __future__ import annotations

import functools
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.gitops.aws.plugins.module_utils._estate import bucket_policies, names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import foundation_of, owner_tags
from ansible_collections.gitops.aws.plugins.module_utils._estate.parameters import stack_parameters
from ansible_collections.gitops.aws.plugins.module_utils._estate.people import (
    installer_policy,
    operator_policy,
    recovery_policy,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.pipelines import (
    reviews_not_wanted,
    stack_pipelines,
    stack_projects,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import stack_roles
from ansible_collections.gitops.aws.plugins.module_utils._estate.statements import statement_problems
from ansible_collections.gitops.aws.plugins.module_utils._estate.states import import_batches, stack_states


def explained(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its errors as Ansible shows them."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except KeyError as error:
            raise AnsibleFilterError(
                f"{error} is missing. Fix: give stacks as gitops.aws.estate returns them, and a foundation as the role "
                "state_backend sets it, with connection_arn added"
            ) from None
        except (OSError, ValueError) as error:
            raise AnsibleFilterError(str(error)) from None

    return call


def state_bucket_policy(foundation: dict[str, Any], statements: list[Any], caller_arn: str) -> dict[str, Any]:
    """The state bucket's policy; refused where it would keep the caller from ever changing it again."""
    wrong = statement_problems("statements", statements, of_resource=True)
    if wrong:
        raise AnsibleFilterError(f"The policy of the state bucket cannot be made. {'; '.join(wrong)}")
    bucket_arn = names.bucket_arn(foundation, foundation["state_bucket"])
    policy = bucket_policies.state_bucket_policy(bucket_arn, foundation["kms_key_arn"], statements)
    locked_out = bucket_policies.locks_out(policy, bucket_arn, caller_arn)
    if locked_out:
        raise AnsibleFilterError(
            f"The policy of the state bucket would lock you out: {'; '.join(locked_out)}. Nothing was changed. "
            "Fix: add your own ARN to the statement's ArnNotLike aws:PrincipalArn, or leave the statement out."
        )
    return policy


def artifact_bucket_policy(foundation: dict[str, Any]) -> dict[str, Any]:
    """The artifact bucket's policy."""
    return bucket_policies.artifact_bucket_policy(names.bucket_arn(foundation, foundation["artifact_bucket"]))


class FilterModule:
    """The filters of the estate."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filter names to functions."""
        functions: dict[str, Callable[..., Any]] = {
            "artifact_bucket_policy": artifact_bucket_policy,
            "foundation": foundation_of,
            "import_batches": import_batches,
            "installer_policy": installer_policy,
            "operator_policy": operator_policy,
            "owner_tags": owner_tags,
            "recovery_policy": recovery_policy,
            "reviews_not_wanted": reviews_not_wanted,
            "stack_parameters": stack_parameters,
            "stack_pipelines": stack_pipelines,
            "stack_projects": stack_projects,
            "stack_roles": stack_roles,
            "stack_states": stack_states,
            "state_bucket_policy": state_bucket_policy,
        }
        return {name: explained(function) for name, function in functions.items()}
