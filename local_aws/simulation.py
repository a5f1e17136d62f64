# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's policy simulation: SimulatePrincipalPolicy and SimulateCustomPolicy, decided by the evaluator that enforces.

A condition key has the value that the request gives it, or none: nothing is known of a call that is not made.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam

from local_aws.aws_json import AwsError

Parameters = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]

_USER_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:user/.+")
_ACTION = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+")
_DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}
_KEY_TYPES = ("string", "numeric", "boolean", "ip", "binary", "date")
_NOT_SIMULATED = ("OrderedOrganizationPolicyInputList", "PolicyExclusionList")


@dataclass(frozen=True)
class _Policy:
    """A policy as the answer names it, and its statements."""

    name: str
    statements: list[iam_evaluator.ParsedStatement]
    kind: str = "IAM Policy"


@dataclass
class _Simulated(iam_evaluator.EvalContext):  # type: ignore[misc]
    """The context of a call that is not made: its condition keys are the given ones, in lower case."""

    given: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Simulation:
    """What one request simulates, but for its actions and resources. boundary is None where there is none."""

    policies: list[_Policy]
    boundary: list[_Policy] | None
    given: dict[str, Any]
    resource_policy: str
    caller_arn: str
    owner: str


@dataclass(frozen=True)
class _Outcome:
    resource: str
    decision: str
    matched: list[_Policy]
    missing: list[str]
    within_boundary: bool | None


def apply() -> None:
    """Install the two operations in MiniStack, and the condition keys of simulated calls in its evaluator."""
    original = iam_evaluator._resolve_condition_key

    def resolve(key: str, context: Any) -> Any:
        return context.given.get(key.lower()) if isinstance(context, _Simulated) else original(key, context)

    iam_evaluator._resolve_condition_key = resolve
    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = _operation("SimulatePrincipalPolicy", _principal)
    iam._IAM_HANDLERS["SimulateCustomPolicy"] = _operation("SimulateCustomPolicy", _custom)


def _operation(name: str, simulation_of: Callable[[Parameters], _Simulation]) -> Callable[[Parameters], Response]:
    def handle(request: Parameters) -> Response:
        try:
            actions, resources = _subjects(request)
            simulation = simulation_of(request)
            results = [_result(simulation, action, resources) for action in actions]
            page, marker = _page(request, results)
        except AwsError as error:
            refused: Response = iam._error(error.status, error.code, escape(error.message), ns="iam")
            return refused
        more = f"<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>" if marker else ""
        answer: Response = iam._xml(
            200,
            f"{name}Response",
            f"<{name}Result><EvaluationResults>{''.join(page)}</EvaluationResults>"
            f"{more or '<IsTruncated>false</IsTruncated>'}</{name}Result>",
            ns="iam",
        )
        return answer

    return handle


# --- the request ----------------------------------------------------------------------------------------------------


def _custom(request: Parameters) -> _Simulation:
    policies = _inputs(request, "PolicyInputList")
    if not policies:
        raise AwsError(
            "ValidationError", "Value at 'policyInputList' failed to satisfy constraint: Member must not be null"
        )
    return _simulation(request, policies, _inputs(request, "PermissionsBoundaryPolicyInputList"), "")


def _principal(request: Parameters) -> _Simulation:
    source = iam._p(request, "PolicySourceArn")
    policies, boundary = _policies_of(source)
    in_place = _inputs(request, "PermissionsBoundaryPolicyInputList")
    policies = policies + _inputs(request, "PolicyInputList")
    return _simulation(request, policies, in_place or boundary, source if _USER_ARN.fullmatch(source) else "")


def _simulation(
    request: Parameters, policies: list[_Policy], boundary: list[_Policy] | None, default_caller: str
) -> _Simulation:
    for name in _NOT_SIMULATED:
        if any(key.startswith(f"{name}.") for key in request):
            raise AwsError("NotImplementedException", f"{name} is not part of local AWS", 501)
    resource_policy, caller = iam._p(request, "ResourcePolicy"), iam._p(request, "CallerArn")
    if caller and not _USER_ARN.fullmatch(caller):
        raise AwsError("InvalidInput", f"Invalid Entity Arn: {caller} does not clearly define entity type and name.")
    caller = caller or default_caller
    if resource_policy and not caller:
        raise AwsError("InvalidInput", "CallerArn is required with ResourcePolicy.")
    if resource_policy:
        _statements(resource_policy)
    owner = iam._p(request, "ResourceOwner")
    return _Simulation(
        policies,
        boundary or None,
        _context(request),
        resource_policy,
        caller or f"arn:aws:iam::{get_account_id()}:root",
        iam_evaluator._account_from_arn(owner) or owner,
    )


def _subjects(request: Parameters) -> tuple[list[str], list[str]]:
    """The actions and the resources."""
    actions = _members(request, "ActionNames")
    if not actions:
        raise AwsError(
            "ValidationError", "Value at 'actionNames' failed to satisfy constraint: Member must not be null"
        )
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise AwsError("InvalidInput", f"Invalid Action: {action}. Wildcards are not supported.")
    return actions, _members(request, "ResourceArns") or ["*"]


def _members(request: Parameters, name: str) -> list[str]:
    """The members of a list of strings."""
    found = (request.get(f"{name}.member.{number}") for number in itertools.count(1))
    return [str(value[0] if isinstance(value, list) else value) for value in itertools.takewhile(bool, found)]


def _context(request: Parameters) -> dict[str, Any]:
    """The given condition keys, in lower case: a string, or a list for one of the list types."""
    given: dict[str, Any] = {}
    for number in itertools.count(1):
        entry = f"ContextEntries.member.{number}"
        key, kind = iam._p(request, f"{entry}.ContextKeyName"), iam._p(request, f"{entry}.ContextKeyType")
        if not key and not kind:
            return given
        if not key or kind.removesuffix("List") not in _KEY_TYPES:
            raise AwsError(
                "InvalidInput", f"Invalid context entry {number}: {key or 'no name'} of type {kind or 'none'}"
            )
        values = _members(request, f"{entry}.ContextKeyValues")
        if len(values) > 1 and not kind.endswith("List"):
            raise AwsError("InvalidInput", f"Context key {key} of type {kind} has more than one value.")
        if values:
            given[key.lower()] = values if len(values) > 1 else values[0]
    return given


def _page(request: Parameters, results: list[str]) -> tuple[list[str], str]:
    """The results that MaxItems and Marker ask for, and the next marker ("" at the end)."""
    try:
        size = int(iam._p(request, "MaxItems") or 100)
        start = int(base64.b64decode(iam._p(request, "Marker") or "MA==", validate=True))
    except ValueError:
        raise AwsError("InvalidInput", "Invalid Marker or MaxItems.") from None
    if not 1 <= size <= 1000:
        raise AwsError(
            "ValidationError", f"Value '{size}' at 'maxItems' failed to satisfy constraint: between 1 and 1000"
        )
    end = start + size
    return results[start:end], base64.b64encode(str(end).encode()).decode() if end < len(results) else ""


# --- the policies ---------------------------------------------------------------------------------------------------


def _statements(document: Any) -> list[iam_evaluator.ParsedStatement]:
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            raise AwsError("InvalidInput", "The policy is not valid JSON.") from None
    found: list[iam_evaluator.ParsedStatement] = iam_evaluator.parse_policy_document(document)
    if not found:
        raise AwsError("InvalidInput", "The policy has no valid statement.")
    return found


def _inputs(request: Parameters, name: str) -> list[_Policy]:
    return [
        _Policy(f"{name}.{number}", _statements(text)) for number, text in enumerate(_members(request, name), start=1)
    ]


def _policies_of(arn: str) -> tuple[list[_Policy], list[_Policy] | None]:
    """The identity policies and the boundary of a user (with its groups' policies), a group or a role."""
    match = re.fullmatch(r"arn:aws[a-z-]*:iam::(\d{12}):(user|group|role)/(?:.+/)?([^/]+)", arn)
    if match is None:
        raise AwsError("InvalidInput", f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    account_id, kind, name = match.groups()
    entity = {"user": iam._users, "group": iam._groups, "role": iam._roles}[kind].get_scoped(account_id, None, name)
    if entity is None or entity.get("Arn") != arn or account_id != get_account_id():
        raise AwsError("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)
    found = list(_attached(kind, name, entity))
    if kind == "user":
        for group_name, group in iam._groups.items():
            if name in group.get("Users", []):
                found += _attached("group", group_name, group)
    boundary_arn = entity.get("PermissionsBoundary")
    return found, [_managed(boundary_arn)] if boundary_arn else None


def _attached(kind: str, name: str, entity: dict[str, Any]) -> Iterator[_Policy]:
    if kind == "role":
        inline = entity.get("InlinePolicies")
    else:
        inline = (iam._user_inline_policies if kind == "user" else iam._group_inline_policies).get(name)
    for policy, document in (inline or {}).items():
        # AWS names an inline policy by what it belongs to, too.
        yield _Policy(f"{kind}_{name}_{policy}", iam_evaluator.parse_policy_document(document))
    for arn in entity.get("AttachedPolicies", []):
        yield _managed(arn)


def _managed(arn: str) -> _Policy:
    document = iam_evaluator._resolve_managed_policy_document(arn, get_account_id())
    return _Policy(arn.rpartition("/")[2], iam_evaluator.parse_policy_document(document or {}))


# --- the answer -----------------------------------------------------------------------------------------------------


def _decide(simulation: _Simulation, action: str, resource: str) -> _Outcome:
    context = _Simulated(
        principal_arn=simulation.caller_arn,
        principal_type="User",
        principal_account=iam_evaluator._account_from_arn(simulation.caller_arn) or get_account_id(),
        action=action,
        resource_arn=resource,
        region="",
        given=simulation.given,
    )
    limits = [] if simulation.boundary is None else [[policy.statements for policy in simulation.boundary]]
    decided = iam_evaluator.evaluate(context, [policy.statements for policy in simulation.policies], *limits)
    everywhere = simulation.policies + (simulation.boundary or [])
    if simulation.resource_policy:
        decided = iam_evaluator.combine_resource_policy(
            decided,
            context,
            simulation.resource_policy,
            iam_evaluator._account_from_arn(resource) or simulation.owner or None,
            required=action.partition(":")[0].lower() in iam_evaluator._POLICY_REQUIRED,
            limits=limits,
        )
        everywhere = [*everywhere, *_resource_statements(simulation, context)]
    asked = [statement for policy in everywhere for statement in policy.statements if _is_about(statement, context)]
    keys = {key for statement in asked for block in statement.conditions.values() for key in block}
    return _Outcome(
        resource,
        _DECISIONS[decided.decision],
        [
            _Policy(policy.name, [statement], policy.kind)
            for policy in everywhere
            for statement in policy.statements
            if iam_evaluator._first_match(context, [statement], decided.decision)
        ],
        sorted(key for key in keys if key.lower() not in simulation.given),
        any(iam_evaluator._first_match(context, policy.statements, "Allow") for policy in simulation.boundary)
        if simulation.boundary
        else None,
    )


def _resource_statements(simulation: _Simulation, context: _Simulated) -> list[_Policy]:
    """The resource policy's statements that name the caller; each as a policy, as the answer lists them."""
    statements = json.loads(simulation.resource_policy)["Statement"]
    return [
        _Policy("ResourcePolicy", iam_evaluator.parse_policy_document({"Statement": [statement]}), "Resource Policy")
        for statement in (statements if isinstance(statements, list) else [statements])
        if iam_evaluator._principal_matches(statement.get("Principal", {}), context.principal_arn)
    ]


def _is_about(statement: iam_evaluator.ParsedStatement, context: _Simulated) -> bool:
    return bool(
        iam_evaluator._action_matches(context.action, statement.actions, statement.not_actions)
        and iam_evaluator._resource_matches(context.resource_arn, statement.resources, statement.not_resources)
    )


def _result(simulation: _Simulation, action: str, resources: list[str]) -> str:
    """One EvaluationResult: of its only resource, or the worst of all with each resource's own."""
    outcomes = [_decide(simulation, action, resource) for resource in resources]
    worst = max(outcomes, key=lambda outcome: ("allowed", "implicitDeny", "explicitDeny").index(outcome.decision))
    missing = sorted({key for outcome in outcomes for key in outcome.missing})
    specific = "".join(
        f"<member><EvalResourceName>{escape(outcome.resource)}</EvalResourceName>"
        f"<EvalResourceDecision>{outcome.decision}</EvalResourceDecision>{_details(outcome, outcome.missing)}</member>"
        for outcome in (outcomes if len(outcomes) > 1 else [])
    )
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName>"
        f"<EvalResourceName>{escape(resources[0])}</EvalResourceName>"
        f"<EvalDecision>{worst.decision}</EvalDecision>{_details(worst, missing)}"
        f"<ResourceSpecificResults>{specific}</ResourceSpecificResults></member>"
    )


def _details(outcome: _Outcome, missing: list[str]) -> str:
    matched = "".join(
        f"<member><SourcePolicyId>{escape(policy.name)}</SourcePolicyId>"
        f"<SourcePolicyType>{policy.kind}</SourcePolicyType></member>"
        for policy in outcome.matched
    )
    keys = "".join(f"<member>{escape(key)}</member>" for key in missing)
    boundary = (
        ""
        if outcome.within_boundary is None
        else "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>"
        f"{str(outcome.within_boundary).lower()}"
        "</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
    )
    return (
        f"<MatchedStatements>{matched}</MatchedStatements><MissingContextValues>{keys}</MissingContextValues>{boundary}"
    )
