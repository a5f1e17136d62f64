# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""From a refused call to what is to be done: which statement is missing where, or which one denies. Pure."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_denials import (
    BOUNDARY,
    ENDPOINT,
    RCP,
    RESOURCE,
    SCP,
    SESSION,
    Denial,
)
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_findings import (
    SITE,
    Facts,
    Finding,
    role_name,
    statement_json,
)
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_policies import (
    ALLOWED,
    about_action,
    called,
    holds,
    judge,
    statements,
)
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_roles import known_of

DECODE = "aws sts decode-authorization-message --query DecodedMessage --output text --encoded-message {message}"
RUN = "ansible-playbook gitops.aws.run -e @your.yml -e stack={stack}"


def of_denial(denial: Denial, stack: dict[str, Any], foundation: dict[str, Any], facts: Facts) -> Finding:
    """A finding about a refused call that no setting explains."""
    name = role_name(denial.principal) if denial.principal.startswith("arn:") else ""
    role = next((one for one in stack["roles"] if name and role_name(one["arn"]) == name), None)
    who = f"the role {name}" if name else denial.principal or "somebody whom AWS does not name"
    action = denial.action or "a call that AWS does not name"
    on = "" if denial.resource == "*" else f" on {denial.resource}"
    cause = f"AWS refused {action}{on} to {who}: {_why(denial)}."
    if denial.encoded:
        message = denial.encoded if len(denial.encoded) < 80 else "<message>"
        decode = (
            f"What it was is in the encoded message of the log; who may call sts:DecodeAuthorizationMessage reads it: "
            f"{DECODE.format(message=message)}"
        )
        fix = decode if not denial.action else f"{_fix(denial, stack, role, foundation, facts)}. {decode}"
    else:
        fix = _fix(denial, stack, role, foundation, facts)
    evidence = denial.text if not denial.encoded else denial.text.replace(denial.encoded, "...")
    resource = denial.resource if denial.resource != "*" else denial.principal
    return Finding("access-denied", stack["name"], resource, cause, evidence, fix, {(name, denial.action)})


def _why(denial: Denial) -> str:
    named = f" ({denial.policy})" if denial.policy else ""
    if denial.explicit:
        return f"a Deny in {_a(denial.kind)}{named} says so" if denial.kind else "an explicit Deny in a policy says so"
    if denial.kind:
        return f"no {denial.kind} allows it"
    return "AWS does not say by which policy; most often the caller's own has no such statement"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aei" else f"a {noun}"


def _fix(
    denial: Denial, stack: dict[str, Any], role: dict[str, Any] | None, foundation: dict[str, Any], facts: Facts
) -> str:
    if not denial.action:
        return (
            "AWS does not say more. Look in CloudTrail for the call with this time and role; where Terraform made it, "
            "its log names the resource above this line"
        )
    where = denial.policy or "it"
    if denial.kind in (SCP, RCP):
        return f"Ask who keeps the organization's policies: {where} must allow {denial.action} in this account"
    if denial.kind == BOUNDARY:
        return f"Allow {denial.action} in the role's permissions boundary (permissions_boundary of gitops_settings)"
    if denial.kind == SESSION:
        return f"Allow {denial.action} in the policy that is given where the role is assumed"
    if denial.kind == ENDPOINT:
        return f"Allow {denial.action} in the policy of the VPC endpoint"
    if denial.kind == RESOURCE:
        verb = "Take the Deny out of" if denial.explicit else f"Allow {denial.action} to {denial.principal} in"
        return f"{verb} the policy of {denial.resource} itself (of the bucket, key, queue, secret or role)"
    if role is None:
        return _elsewhere(denial, stack)
    now = facts.roles.get(role_name(role["arn"]))
    documents = facts.documents(now) if now else None
    again = f"run it again, {RUN.format(stack=stack['name'])}"
    if denial.explicit:
        return _without_deny(denial, role, documents, again)
    if documents is not None and _says(documents, denial, role):
        return f"The role's policies allow it now: {again}"
    if not role["made"]:
        statement = statement_json([denial.action], [denial.resource])
        return f"Add to a policy of the role {role['arn']}, which is your own: {statement}"
    if _says(role["inline_policies"], denial, role):
        return f"The role is not as site.yml makes it: {SITE}"
    if role["purpose"] == "pipeline":
        return f"The role is not as this version of the collection makes it: {SITE}"
    option = "apply_permissions" if role["purpose"] == "apply" else "plan_permissions"
    resource = json.dumps(_general(denial, foundation))
    statement = f"{{Effect: Allow, Action: {json.dumps(denial.action)}, Resource: {resource}}}"
    return f"Add under {option} of the stack {stack['name']}: - {statement}    then run {SITE}"


def _without_deny(denial: Denial, role: dict[str, Any], documents: dict[str, Any] | None, again: str) -> str:
    """What to do about a Deny among a role's policies. AWS says neither on what the call was nor by which one."""
    name = role_name(role["arn"])
    if documents is None:
        return f"Remove the Deny from the policies of the role {name}"
    meant, others = _denying(documents, denial, role)
    if others:
        which = " and ".join(others)
        return f"Remove the Deny from the policies of the role {name} ({which}): {SITE} removes what is not ours"
    if meant:
        return (
            f"Only what the settings ask for may deny it ({' and '.join(meant)}), as the seal does with the pipelines' "
            f"own resources. If the call was about something else, {again}"
        )
    return f"None of the role's policies denies it any more: {again}"


def _denying(documents: dict[str, Any], denial: Denial, role: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The statements that may deny an action on something: those that the role ought to have, and others."""
    ours = {f"inline policy {policy}": statements(document) for policy, document in role["inline_policies"].items()}
    attached = {f"managed policy {arn}" for arn in role["managed_policies"]}
    meant: list[str] = []
    others: list[str] = []
    for policy, document in documents.items():
        for index, statement in enumerate(statements(document)):
            if statement.get("Effect") != "Deny" or not about_action(statement, denial.action):
                continue
            if holds(statement.get("Condition"), known_of(role["arn"])) is False:
                continue
            known = policy in attached or statement in ours.get(policy, [])
            (meant if known else others).append(f"{policy}, statement {called(statement, index)}")
    return meant, others


def _says(documents: dict[str, Any], denial: Denial, role: dict[str, Any]) -> bool:
    return judge(documents, denial.action, denial.resource, known_of(role["arn"])).word == ALLOWED


def _general(denial: Denial, foundation: dict[str, Any]) -> str:
    """The resource of the statement to add: what is made again and again has another id every time."""
    prefix, separator, name = denial.resource.rpartition("/")
    made_anew = denial.action.partition(":")[0] == "ec2" and separator
    return f"{prefix}/*" if made_anew and name else denial.resource


def _elsewhere(denial: Denial, stack: dict[str, Any]) -> str:
    """The caller is none of the stack's roles: a role that Terraform assumes, or the user of an access key."""
    if denial.action == "sts:AssumeRole" and not denial.principal.startswith("arn:"):
        return f"Let {denial.principal} assume the role, in its trust policy: {SITE}"
    statement = statement_json([denial.action], [denial.resource])
    return f"Add to a policy of {denial.principal or 'who calls'}, whom this collection does not make: {statement}"
