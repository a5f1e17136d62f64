# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Roles: what each lacks of what its step needs, and who may assume it. Pure.

What a role needs are the statements that the collection renders for it, on the artifact bucket and the keys that AWS
has in the pipelines and projects now, which may be others than the settings say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_findings import (
    NOT_YET,
    SITE,
    Facts,
    Finding,
    role_name,
    statement_json,
)
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_policies import (
    ALLOWED,
    CONDITIONAL,
    DENIED,
    MISSING,
    Statement,
    about_action,
    allows_service,
    called,
    judge,
    judge_resource,
    matches,
    statements,
    texts,
)
from ansible_collections.gitops.aws.plugins.module_utils._kinds.iam_role import policies_equal

BUCKET, KEY, PARAMETERS, OTHER = (
    "artifact-bucket-access",
    "kms-role-access",
    "ssm-parameters-access",
    "role-statement-missing",
)


@dataclass(frozen=True)
class Lack:
    """An action on a resource that a role is not allowed, by which statement it should be, and what was read."""

    action: str
    resource: str
    sid: str
    policy: str
    word: str
    where: str


@dataclass
class Used:
    """What the stack's pipelines and projects use: as the settings have it, and as AWS has it now."""

    bucket_arn: str
    bucket_arns: set[str]
    key_arn: str
    key_arns: set[str]

    def resources(self, given: list[str]) -> list[str]:
        """The resources of a rendered statement, as they are in AWS now."""
        result: list[str] = []
        for one in given:
            if NOT_YET in one:
                continue
            if one == self.key_arn:
                result += sorted(self.key_arns)
            elif one == self.bucket_arn or one.startswith(f"{self.bucket_arn}/"):
                result += [bucket + one[len(self.bucket_arn) :] for bucket in sorted(self.bucket_arns)]
            else:
                result.append(one)
        return result


def known_of(arn: str) -> dict[str, str]:
    """What is known of every request that a role makes."""
    return {
        "aws:principalarn": arn,
        "aws:principalaccount": arn.split(":")[4],
        "aws:principalisawsservice": "false",
        "aws:securetransport": "true",
    }


def needs(role: dict[str, Any], used: Used) -> list[tuple[str, str, Statement, list[str]]]:
    """What a role needs: policy, statement's name, statement, and its resources as they are in AWS now."""
    return [
        (policy, called(statement, index), statement, used.resources(texts(statement["Resource"])))
        for policy, document in role["inline_policies"].items()
        for index, statement in enumerate(statements(document))
        if statement.get("Effect") == "Allow" and "Action" in statement and "Resource" in statement
    ]


def find(stack: dict[str, Any], role: dict[str, Any], used: Used, facts: Facts) -> list[Finding]:
    """All that is wrong with one role of a stack."""
    name = role_name(role["arn"])
    actual = facts.roles.get(name)
    if actual is None:
        fix = SITE if role["made"] else f"Make the role, or take {role['purpose']}_role_arn out of the stack"
        return [
            Finding("role-missing", stack["name"], role["arn"], f"The role {name} does not exist.", "IAM has none", fix)
        ]
    found = _trust(stack, role, actual)
    documents = facts.documents(actual)
    unknown = [arn for arn in _attached(actual) if f"managed policy {arn}" not in documents]
    lacks = [] if unknown else [one for one in _lacks(role, used, documents) if not _by_key(role, one, facts)]
    boundary_arn, boundary = facts.boundary(actual)
    bounded = []
    if boundary is not None:
        in_boundary = _lacks(role, used, {f"permissions boundary {boundary_arn}": boundary})
        bounded = [lack for lack in in_boundary if lack.word in (MISSING, DENIED)]
    found += [_of_lacks(stack, role, group, used, documents, facts) for group in _grouped(lacks, used)]
    if bounded:
        found.append(_boundary(stack, role, boundary_arn, bounded))
    missing = sorted(set(role["managed_policies"]) - set(_attached(actual))) if role["made"] else []
    found += [
        Finding(
            "role-policy-missing",
            stack["name"],
            role["arn"],
            f"The managed policy {arn} is not attached to the role {name}.",
            f"attached are: {', '.join(_attached(actual)) or 'none'}",
            SITE,
        )
        for arn in missing
    ]
    return found


def _attached(actual: dict[str, Any]) -> list[str]:
    return [each["PolicyArn"] for each in actual["AttachedManagedPolicies"]]


def _lacks(role: dict[str, Any], used: Used, documents: dict[str, Any]) -> list[Lack]:
    known = known_of(role["arn"])
    found = []
    for policy, sid, statement, resources in needs(role, used):
        for action in texts(statement["Action"]):
            for resource in resources:
                verdict = judge(documents, action, resource, known, statement)
                # A role that somebody else wrote may be conditional where ours is not.
                if verdict.word == ALLOWED or (verdict.word == CONDITIONAL and not role["made"]):
                    continue
                found.append(Lack(action, resource, sid, policy, verdict.word, verdict.where))
    return found


def _by_key(role: dict[str, Any], lack: Lack, facts: Facts) -> bool:
    """Whether a key's own policy names a role, which is enough for one that we do not write."""
    policies = [key["policy"] for key in facts.keys.values() if key and key["arn"] == lack.resource]
    known = known_of(role["arn"])
    return not role["made"] and any(
        judge_resource(policy, role["arn"], lack.action, lack.resource, known).word == ALLOWED for policy in policies
    )


def _kind(lack: Lack, used: Used) -> str:
    if lack.action.startswith("s3:") and lack.resource.split("/")[0] in used.bucket_arns:
        return BUCKET
    if lack.action.startswith("kms:"):
        return KEY
    return PARAMETERS if lack.action == "ssm:GetParameters" else OTHER


def _grouped(lacks: list[Lack], used: Used) -> list[list[Lack]]:
    groups: dict[tuple[str, str], list[Lack]] = {}
    for lack in lacks:
        kind = _kind(lack, used)
        about = (
            lack.resource.split("/")[0]
            if kind == BUCKET
            else lack.resource
            if kind != OTHER
            else lack.policy + lack.sid
        )
        groups.setdefault((kind, about), []).append(lack)
    return list(groups.values())


def _of_lacks(
    stack: dict[str, Any], role: dict[str, Any], lacks: list[Lack], used: Used, documents: dict[str, Any], facts: Facts
) -> Finding:
    kind, name = _kind(lacks[0], used), role_name(role["arn"])
    actions = list(dict.fromkeys(lack.action for lack in lacks))
    resources = list(dict.fromkeys(lack.resource for lack in lacks))
    denied = [lack for lack in lacks if lack.word == DENIED]
    told = ", ".join(actions)
    what, fix = resources[0], _add(role, lacks)
    if kind == BUCKET:
        what = resources[0].split("/")[0]
        if what != used.bucket_arn:
            bucket = what.split(":")[-1]
            fix = (
                f"In gitops_settings set artifact_bucket: {bucket} and create_artifact_bucket: false if that is the "
                f"one you mean. Then, or to go back to {used.bucket_arn.split(':')[-1]}: {SITE}"
            )
    elif kind == KEY and what != used.key_arn:
        fix = f"In gitops_settings set kms_key_arn: {what} if that is the one you mean. Then, or to go back: {SITE}"
    elif kind == OTHER:
        what = ", ".join(resources[:3]) + (" and others" if len(resources) > 3 else "")
    cause = f"The role {name} may not {told} on {what}"
    if denied:
        cause += f": {denied[0].where} denies it."
        if role["made"]:
            fix = f"Remove the Deny ({denied[0].where} of the role {name}); {SITE} removes policies that are not ours"
    elif kind == PARAMETERS and _near_miss(lacks[0], documents):
        cause += f": {_near_miss(lacks[0], documents)}."
    elif lacks[0].word == CONDITIONAL:
        cause += f": {lacks[0].where} allows it under a condition that does not belong there."
    else:
        cause += ", for none of its policies has such a statement."
    expected = dict.fromkeys(f"policy {lack.policy}, statement {lack.sid}" for lack in lacks)
    evidence = (
        f"read in IAM: {', '.join(documents) or 'no policy at all'}. The collection renders it as "
        f"{' and '.join(expected)}"
    )
    refused = {(name, action) for action in actions}
    return Finding(kind, stack["name"], role["arn"], cause, evidence, fix, refused)


def _add(role: dict[str, Any], lacks: list[Lack]) -> str:
    if role["made"]:
        return SITE
    statement = statement_json([lack.action for lack in lacks], [lack.resource for lack in lacks])
    return f"Add to a policy of the role {role_name(role['arn'])}, which is your own: {statement}"


def _near_miss(lack: Lack, documents: dict[str, Any]) -> str:
    """How a statement that was meant to allow reading a parameter fails to, '' where none was meant to."""
    wanted = _bare(lack.resource)
    for policy, document in documents.items():
        for index, statement in enumerate(statements(document)):
            resources = [str(one) for one in texts(statement.get("Resource", []))]
            where = f"{policy}, statement {called(statement, index)}"
            if statement.get("Effect") != "Allow" or not any(matches(wanted, _bare(one)) for one in resources):
                continue
            if about_action(statement, lack.action):
                wrong = next(one for one in resources if matches(wanted, _bare(one)))
                return f"{where}, names it {wrong}, and the right form is {lack.resource}"
            if about_action(statement, "ssm:GetParameter"):
                return f"{where}, allows ssm:GetParameter, and CodeBuild calls ssm:GetParameters, the plural"
    return ""


def _bare(arn: str) -> str:
    """A parameter's name in any ARN that was meant for it, right or wrong, without slashes before it."""
    return re.sub(r"^(?:arn:.*?:)?parameter", "", arn).lstrip("/")


def _boundary(stack: dict[str, Any], role: dict[str, Any], arn: str, lacks: list[Lack]) -> Finding:
    name = role_name(role["arn"])
    actions = sorted({lack.action for lack in lacks})
    return Finding(
        "role-boundary",
        stack["name"],
        role["arn"],
        f"The permissions boundary of the role {name} does not allow {', '.join(actions)}, whatever its policies say.",
        f"read in IAM: the boundary {arn}"
        + "".join(f"; {lack.where} denies {lack.action}" for lack in lacks if lack.word == DENIED),
        f"Allow these actions in {arn}, or name another permissions_boundary in gitops_settings and run {SITE}",
        {(name, action) for action in actions},
    )


def _trust(stack: dict[str, Any], role: dict[str, Any], actual: dict[str, Any]) -> list[Finding]:
    service = "codepipeline.amazonaws.com" if role["purpose"] == "pipeline" else "codebuild.amazonaws.com"
    document = actual["AssumeRolePolicyDocument"]
    same = policies_equal(role["assume_role_policy"], document) if role["made"] else allows_service(document, service)
    if same:
        return []
    who = [str(statement.get("Principal")) for statement in statements(document)]
    name = role_name(role["arn"])
    lets = (
        "another trust policy than the collection gives it"
        if allows_service(document, service)
        else (f"a trust policy that does not let {service} assume it")
    )
    fix = SITE if role["made"] else f"Let {service} assume {role['arn']}: action sts:AssumeRole in its trust policy"
    evidence = f"read in IAM: it trusts {', '.join(who) or 'nobody'}"
    return [
        Finding(
            "role-trust",
            stack["name"],
            role["arn"],
            f"The role {name} has {lets}.",
            evidence,
            fix,
            {(name, "sts:AssumeRole")},
        )
    ]
