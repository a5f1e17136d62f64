# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Whether principals may do things, by IAM's policy simulator together with the policies of the resources.

The simulator takes a resource's policy only for a user as the caller, not for a role. What a resource's policy says
about a principal is therefore given to it as a policy of the principal: a Deny wins wherever it stands, and within an
account an Allow that names the principal counts wherever it stands. Where it cannot be known whether a statement is
about the principal, the answer is rather that something is allowed: nothing is called refused that AWS would let pass.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import (
    Aws,
    NotYet,
    Refused,
    error_code,
    is_not_yet,
    until_propagated,
)

Document = dict[str, Any]

EVERYTHING: Document = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}],
}

# The types of condition keys that are no texts. IAM does not care for a key's case.
TYPES = {
    "aws:currenttime": "date",
    "aws:epochtime": "date",
    "aws:multifactorauthage": "numeric",
    "aws:multifactorauthpresent": "boolean",
    "aws:principalisawsservice": "boolean",
    "aws:securetransport": "boolean",
    "aws:sourceip": "ip",
    "aws:tokenissuetime": "date",
    "aws:viaawsservice": "boolean",
    "aws:vpcsourceip": "ip",
    "kms:grantisforawsresource": "boolean",
}

# What S3 lets the account's root do whatever the bucket's policy says, so that no bucket is locked for good.
OF_ROOT = ("s3:deletebucketpolicy", "s3:getbucketpolicy", "s3:putbucketpolicy")

PERMISSIVE = ("allowed", "explicitDeny", "implicitDeny")

# IAM has one endpoint in each partition, in this region.
IAM_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


@dataclass
class Check:
    """One question.

    Attributes:
        name: what the answer is found by.
        principal: the ARN of a user or role, as aws:PrincipalArn gives it.
        actions: IAM actions, all on the same resource.
        resource: its ARN.
        context: condition keys of the call; a value is a text or a list of texts.
        policies: identity policies in addition to the principal's own.
        hypothetical: the principal need not exist; `policies` are all that it has.
        permissions_boundary: in the place of the principal's own.
        resource_policy: the policy of the resource.
        required: the resource's policy must allow as well, as those of keys and roles.
        policy_name: what the answer calls that policy.
    """

    name: str
    principal: str
    actions: list[str]
    resource: str
    context: dict[str, Any] = field(default_factory=dict)
    policies: list[Document] = field(default_factory=list)
    hypothetical: bool = False
    permissions_boundary: Document | None = None
    resource_policy: Document | None = None
    required: bool = False
    policy_name: str = "the resource's policy"


@dataclass
class Answer:
    """What came of it.

    Attributes:
        decisions: by action `allowed`, `explicitDeny` or `implicitDeny`.
        decided_by: the policies whose statements decided.
        unknown_keys: condition keys that policies ask for and nobody gave: with them it may be decided otherwise.
        missing: IAM knows no such principal.
    """

    decisions: dict[str, str]
    decided_by: list[str] = field(default_factory=list)
    unknown_keys: list[str] = field(default_factory=list)
    missing: bool = False

    @property
    def allowed(self) -> list[str]:
        """The actions that the principal may do."""
        return [action for action, decision in self.decisions.items() if decision == "allowed"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _parts(principal_arn: str) -> tuple[str, str, str, str]:
    """Partition, account, kind (user, role or root) and name of a principal."""
    _arn, partition, _iam, _region, account, what = principal_arn.split(":", 5)
    return partition, account, what.partition("/")[0], what.rpartition("/")[2]


def _whole_account(principal_arn: str) -> list[str]:
    partition, account, _kind, _name = _parts(principal_arn)
    return [account, f"arn:{partition}:iam::{account}:root"]


def _names_a_session(named: list[str], principal_arn: str) -> bool:
    """Whether one of these is a session of the principal, a role."""
    partition, account, kind, name = _parts(principal_arn)
    beginning = f"arn:{partition}:sts::{account}:assumed-role/{name}/"
    return kind == "role" and any(str(one).startswith(beginning) for one in named)


def applies(statement: dict[str, Any], principal_arn: str, how: str = "account") -> bool:
    """Whether the statement of a resource's policy is about the principal: an Allow if it may be, a Deny if it must be.

    Args:
        statement: as it stands in the policy.
        principal_arn: the ARN of a user or role.
        how: `account`: also as one of its account; `name`: only itself; `unbounded`: only in a way that a permissions
            boundary does not limit, which is as a user or a session, not as a role.
    """
    allows = statement.get("Effect") == "Allow"
    given = statement.get("NotPrincipal", statement.get("Principal", {}))
    named = [given] if isinstance(given, str) else _list(given.get("AWS", []))
    session = _names_a_session(named, principal_arn)
    if "NotPrincipal" in statement:
        if allows:
            return principal_arn not in named
        return not session and not any(one in named for one in ["*", principal_arn, *_whole_account(principal_arn)])
    counted = ["*"]
    if how != "unbounded" or _parts(principal_arn)[2] != "role":
        counted.append(principal_arn)
    if how == "account":
        counted += _whole_account(principal_arn)
    return any(one in named for one in counted) or (allows and session)


def as_identity(
    policy: Document | None, principal_arn: str, resource: str, effect: str, how: str = "account"
) -> Document | None:
    """The statements of a resource's policy about the principal, as a policy of the principal; None without any.

    Their names are left out: IAM takes fewer characters in them than S3 does.
    """
    statements = []
    policy = policy or {}
    for given in _list(policy.get("Statement", [])):
        if given.get("Effect") != effect or not applies(given, principal_arn, how):
            continue
        statement = {key: value for key, value in given.items() if key not in ("Principal", "NotPrincipal", "Sid")}
        if "Resource" not in statement and "NotResource" not in statement:  # a role's trust policy names none
            statement["Resource"] = resource
        statements.append(statement)
    # Without a version it is the older language, in which ${...} is no variable.
    return {"Version": policy.get("Version", "2008-10-17"), "Statement": statements} if statements else None


def _type(key: str, value: Any) -> str:
    """The type of a condition key, as the simulator calls it."""
    first = next(iter(_list(value)), "")
    guessed = "boolean" if isinstance(first, bool) else "numeric" if isinstance(first, (int, float)) else "string"
    return TYPES.get(key.lower(), guessed) + ("List" if isinstance(value, list) else "")


def context_entries(check: Check, region: str) -> list[dict[str, Any]]:
    """The condition keys of the call as the simulator takes them: what AWS knows of every call, and those given.

    Args:
        check: the question.
        region: where the call is made, if the resource's ARN does not say.
    """
    partition, account, kind, name = _parts(check.principal)
    where = check.resource.split(":")[3] if check.resource.count(":") > 4 else ""
    if all(action.lower().startswith("iam:") for action in check.actions):
        where = IAM_REGIONS.get(partition, "")
    known: dict[str, Any] = {
        "aws:PrincipalArn": check.principal,
        "aws:PrincipalAccount": account,
        "aws:PrincipalIsAWSService": False,
        "aws:RequestedRegion": where or region,
        "aws:SecureTransport": True,
        "aws:ViaAWSService": False,
    }
    if kind == "user":
        known.update({"aws:PrincipalType": "User", "aws:username": name})
    elif kind == "role":
        known["aws:PrincipalType"] = "AssumedRole"
    given = {key.lower() for key in check.context}
    entries = {**{key: value for key, value in known.items() if key.lower() not in given}, **check.context}
    return [
        {
            "ContextKeyName": key,
            "ContextKeyType": _type(key, value),
            "ContextKeyValues": [str(one).lower() if isinstance(one, bool) else str(one) for one in _list(value)],
        }
        for key, value in entries.items()
    ]


class Simulator:
    """Asks IAM.

    Args:
        aws: the connection.
        fresh: whether principals may have been made a moment ago, and their policies, and are worth waiting for.
    """

    def __init__(self, aws: Aws, fresh: bool = False) -> None:
        self._aws = aws
        self._fresh = fresh

    def ask(self, checks: list[Check]) -> list[Answer]:
        """The answers, in the order of the questions. Raises Refused where IAM leaves an action out."""
        return self._aws.map(self._ask_while_fresh, checks)

    def _ask_while_fresh(self, check: Check) -> Answer:
        """Of a principal that was just made IAM may not know all policies yet: what they will allow is not allowed."""
        answer = Answer({})

        def ask() -> None:
            nonlocal answer
            answer = self._ask(check)
            if self._fresh and "implicitDeny" in answer.decisions.values():
                raise NotYet

        with suppress(NotYet):
            until_propagated(ask, is_not_yet)
        return answer

    def _ask(self, check: Check) -> Answer:
        if not check.required:
            return self._by_caller(check, check.actions)
        # What the resource's policy does not allow is refused, whatever the caller's own policies say.
        answer = self._simulated(check, check.actions, [self._of_resource(check, "Allow", "account")])
        rest = answer.allowed
        answer.decided_by = [check.policy_name] if len(rest) < len(answer.decisions) else []
        return _both(answer, self._by_caller(check, rest)) if rest else answer

    def _by_caller(self, check: Check, actions: list[str]) -> Answer:
        """What the caller's policies say, with what the resource's policy denies and grants."""
        root = check.principal.endswith(":root")
        of_resource = [self._of_resource(check, "Deny", "account"), self._of_resource(check, "Allow", "name")]
        of_caller = [*check.policies, *([EVERYTHING] if root else [])]
        # Of these IAM has no policies.
        source = None if check.hypothetical or root else check.principal
        answer = self._simulated(check, actions, of_resource, of_caller, check.permissions_boundary, source)
        if root:
            answer.decisions.update((one, "allowed") for one in actions if one.lower() in OF_ROOT)
        # A boundary does not limit what a resource grants to a user or a session.
        rest = [action for action, decision in answer.decisions.items() if decision == "implicitDeny"]
        granting = self._of_resource(check, "Allow", "unbounded")
        if rest and granting and not answer.missing:
            return _both(answer, self._simulated(check, rest, [granting]))
        return answer

    @staticmethod
    def _of_resource(check: Check, effect: str, how: str) -> Document | None:
        return as_identity(check.resource_policy, check.principal, check.resource, effect, how)

    def _simulated(
        self,
        check: Check,
        actions: list[str],
        of_resource: list[Document | None],
        of_caller: list[Document] | None = None,
        boundary: Document | None = None,
        source: str | None = None,
    ) -> Answer:
        """What IAM says of whoever has these policies; of `source` with its own, too."""
        from_resource = [document for document in of_resource if document]
        documents = [*from_resource, *(of_caller or [])]
        if not documents and not source:  # a question that IAM does not take
            return Answer(dict.fromkeys(actions, "implicitDeny"))
        origins = {
            f"PolicyInputList.{number}": check.policy_name if number <= len(from_resource) else "the given policies"
            for number in range(1, len(documents) + 1)
        }
        origins["PermissionsBoundaryPolicyInputList.1"] = "the permissions boundary"
        client = self._aws.client("iam")
        arguments: dict[str, Any] = {
            "ActionNames": actions,
            "ResourceArns": [check.resource],
            "ContextEntries": context_entries(check, client.meta.region_name),
            "PolicyInputList": [json.dumps(document) for document in documents],
        }
        if boundary:
            arguments["PermissionsBoundaryPolicyInputList"] = [json.dumps(boundary)]
        if source:
            arguments["PolicySourceArn"] = source
        paginator = client.get_paginator("simulate_principal_policy" if source else "simulate_custom_policy")

        def results() -> list[dict[str, Any]]:
            return [result for page in paginator.paginate(**arguments) for result in page["EvaluationResults"]]

        try:
            found = results()
        except ClientError as error:
            if error_code(error) != "NoSuchEntity":
                raise
            return Answer(dict.fromkeys(actions, "implicitDeny"), missing=True)
        return _read(found, actions, check.resource, origins)


def _both(first: Answer, then: Answer) -> Answer:
    """Two answers as one, in which the second decides of its actions."""
    return Answer(
        {**first.decisions, **then.decisions},
        sorted({*first.decided_by, *then.decided_by}),
        sorted({*first.unknown_keys, *then.unknown_keys}),
        first.missing or then.missing,
    )


def _read(results: list[dict[str, Any]], actions: list[str], resource: str, origins: dict[str, str]) -> Answer:
    """The simulator's results as an answer. Raises Refused where one is left out: silence is no refusal.

    What is said of the resource itself counts, then what is said of the action. AWS may give an action several results,
    by types of resources: it is allowed if one of them says so.
    """
    decisions: dict[str, str] = {}
    decided_by, unknown = set(), set()
    for result in results:
        of_each = result.get("ResourceSpecificResults", [])
        of_resource = [one["EvalResourceDecision"] for one in of_each if one["EvalResourceName"] == resource]
        organisation = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True)
        found = (of_resource or [result["EvalDecision"]]) if organisation else ["explicitDeny"]
        action = result["EvalActionName"].lower()
        decisions[action] = min(*found, decisions.get(action, found[0]), key=PERMISSIVE.index)
        for part in (result, *of_each):
            unknown.update(part.get("MissingContextValues", []))
            for statement in part.get("MatchedStatements", []):
                decided_by.add(origins.get(statement["SourcePolicyId"], statement["SourcePolicyId"]))
    silent = [action for action in actions if action.lower() not in decisions]
    if silent:
        raise Refused(f"IAM's policy simulator did not say whether {', '.join(silent)} is allowed")
    return Answer({one: decisions[one.lower()] for one in actions}, sorted(decided_by), sorted(unknown))


def caller(aws: Aws, known: str | None = None) -> str:
    """The ARN of the caller as aws:PrincipalArn gives it: of a role's session the role, with its path.

    The ARN of a session has no path; IAM knows it. Who may not ask is taken to be a role without one.

    Args:
        aws: the connection.
        known: the caller's ARN as STS gives it, where somebody has asked already.
    """
    arn = known or aws.identity()["Arn"]
    partition, account, what = arn.split(":")[1], arn.split(":")[4], arn.split(":", 5)[5]
    if not what.startswith("assumed-role/"):
        return arn
    name = what.split("/")[1]
    try:
        return str(aws.client("iam").get_role(RoleName=name)["Role"]["Arn"])
    except ClientError as error:
        if error_code(error) not in ("AccessDenied", "NoSuchEntity"):
            raise
        return f"arn:{partition}:iam::{account}:role/{name}"
