# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Policies for the organisation's administrator, who attaches them to the account: they bind its administrators, too.

The account's root user is spared, as it is by AWS where a bucket's policy is wrong: an organisation has its own policy
for root.
"""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names, seal
from ansible_collections.gitops.aws.plugins.module_utils._estate.guardrails import (
    CHANGE_BUCKET,
    CHANGE_KEY,
    CHANGE_PIPELINES,
    OWN_CREDENTIALS,
    WORK_WITH_CODE,
    looking,
    no_forgery,
    own_things,
    together,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import Statement, document

Document = dict[str, Any]

LIMIT = 5120  # characters, white space included, of either kind of policy; AWS
PEOPLE = ("user/*", "role/aws-reserved/sso.amazonaws.com/*")


def spared(foundation: Foundation, *others: str) -> dict[str, Any]:
    """The condition that the caller is no role of the estate, no installer, not root, and none of the others."""
    ours = names.arn(foundation, "iam", f"role/{foundation['name']}-*", "")
    root = names.arn(foundation, "iam", "root", "")
    return seal.but_for(foundation, [ours, root, *foundation["installers"], *others])


def service_control_policies(foundation: Foundation, stacks: list[Stack]) -> dict[str, str]:
    """What no principal of the account may do, as texts by name. Raises ValueError where AWS would not take one."""
    # Who runs and approves is the business of IAM policies.
    things = own_things(foundation, stacks, CHANGE_PIPELINES)
    people = [f"arn:{foundation['partition']}:iam::*:{one}" for one in PEOPLE]
    condition = {"ArnLike": {"aws:PrincipalArn": people}, **spared(foundation, *foundation["state_readers"])}
    repositories = names.repositories(foundation, stacks)
    code = WORK_WITH_CODE if repositories else []
    only_look: Statement = {
        "Sid": "PeopleOnlyLook",
        "Effect": "Deny",
        "NotAction": sorted([*looking(), *OWN_CREDENTIALS, *code, "codepipeline:*", "sts:*"]),
        "Resource": "*",
        "Condition": condition,
    }
    # Code that a pipeline plans and somebody approves is how people change things; other repositories are none of that.
    no_other_code: Statement = {
        "Sid": "CodeOfStacksOnly",
        "Effect": "Deny",
        "Action": code,
        "NotResource": repositories,
        "Condition": condition,
    }
    others = spared(foundation, *names.named_roles(stacks))
    identities = [thing for thing in things if thing["Sid"] in ("Identities", "Roles")]
    policies = {
        "scp_pipeline": together([thing for thing in things if thing not in identities], others),
        # Here is more room: it has little to do with roles, but with who says something.
        "scp_identities": together([*identities, *no_forgery(foundation)], others),
        "scp_people": [only_look, *([no_other_code] if code else [])],
    }
    return {name: _text(name, document(statements)) for name, statements in policies.items()}


def resource_control_policy(foundation: Foundation, stacks: list[Stack]) -> str:
    """What nobody, of whatever account, may do with buckets, key and build roles, as text. Raises ValueError as above.

    Settings and locks stay readable, for those who look for what is wrong.
    """
    state, artifacts = names.buckets(foundation)
    keys = names.keys(foundation)
    ours = {} if foundation["named_key_arn"] else {"StringEquals": names.of_estate(foundation)}
    others = spared(foundation, *foundation["state_readers"], *names.named_roles(stacks))
    http = {"Bool": {"aws:SecureTransport": "false"}}
    everything = [state, f"{state}/*", artifacts, f"{artifacts}/*"]
    writing = [*(f"s3:{action}" for action in CHANGE_BUCKET), "s3:Replicate*", "s3:RestoreObject"]
    use = {**others, **ours, "StringNotLike": seal.of_locks(foundation)}
    roles = seal.builders(foundation, stacks, *names.ALL_PURPOSES)
    roles += [names.arn(foundation, "iam", f"role/{names.central(foundation, '*')}", "")] if foundation["drift"] else []
    not_a_service = {"Bool": {"aws:PrincipalIsAWSService": "false"}}
    statements = [
        _nobody("PlainHttp", ["s3:*"], everything, http),
        _nobody("Write", writing, everything, others),
        _nobody("ReadPlans", ["s3:GetObject*"], [f"{artifacts}/*"], others),
        _nobody("UseKey", seal.USING_KEY, keys, use),
        _nobody("ChangeKey", [f"kms:{action}" for action in CHANGE_KEY], keys, {**others, **ours}),
        # Only CodeBuild, CodePipeline and EventBridge Scheduler act as them.
        _nobody("Roles", ["sts:AssumeRole"], roles, not_a_service),
    ]
    return _text("rcp", document(statements))


def _nobody(sid: str, actions: list[str], resources: list[str], condition: dict[str, Any]) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": resources,
        "Condition": condition,
    }


def _text(name: str, policy: Document) -> str:
    """The policy in as few characters as it has."""
    text = json.dumps(policy, separators=(",", ":"))
    if len(text) > LIMIT:
        raise ValueError(
            f"{name} has {len(text)} characters, and AWS Organizations takes {LIMIT}. Fix: name fewer installers, or "
            "one ARN with * for several of them; or keep the stacks' code in fewer repositories of CodeCommit"
        )
    return text
