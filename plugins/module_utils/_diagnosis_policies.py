# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What IAM policy documents say about one action on one resource, and which statement says it. Pure.

It names the statement, which AWS's own policy simulation does only for those that match. What depends on a request that
nobody has seen is neither allowed nor denied here, but conditional.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Statement = dict[str, Any]
Documents = dict[str, Any]  # policy documents by what their policies are called

ALLOWED, CONDITIONAL, MISSING, DENIED = "allowed", "conditional", "missing", "denied"


@dataclass(frozen=True)
class Verdict:
    """What documents say of an action on a resource; `where` is the policy and the statement that says it, or ''."""

    word: str
    where: str = ""


def texts(value: Any) -> list[Any]:
    """A list, of a value that AWS allows to be given alone."""
    return value if isinstance(value, list) else [value]


def statements(document: Any) -> list[Statement]:
    """The statements of a document."""
    return [each for each in texts((document or {}).get("Statement", [])) if isinstance(each, dict)]


def called(statement: Statement, index: int) -> str:
    """How a statement is named: by its Sid, or else by its place in the policy, counted from 1."""
    return str(statement.get("Sid") or f"number {index + 1}")


@lru_cache(maxsize=65536)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(letter, re.escape(letter)) for letter in pattern), re.DOTALL)


def matches(value: str, patterns: Any) -> bool:
    """Whether a value matches one of IAM's patterns. A pattern as the value stands for all that it matches."""
    for pattern in texts(patterns):
        pattern = str(pattern)
        if value == pattern or (("*" in pattern or "?" in pattern) and _compiled(pattern).fullmatch(value)):
            return True
    return False


def about_action(statement: Statement, action: str) -> bool:
    """Whether a statement is about an action; IAM looks at no case there."""
    wanted = action.lower()
    if "NotAction" in statement:
        return not matches(wanted, [str(each).lower() for each in texts(statement["NotAction"])])
    return matches(wanted, [str(each).lower() for each in texts(statement.get("Action", []))])


def about(statement: Statement, action: str, resource: str) -> bool:
    """Whether a statement is about an action on a resource. One without a resource (of a key policy) is about all."""
    if not about_action(statement, action):
        return False
    if "NotResource" in statement:
        return not matches(resource, statement["NotResource"])
    return matches(resource, statement.get("Resource", "*"))


def holds(condition: Any, known: dict[str, str]) -> bool | None:
    """Whether a condition holds; None where that depends on the request.

    Args:
        condition: of a statement.
        known: what is known of every request, by condition key in small letters.
    """
    result: bool | None = True
    for operator, keys in (condition or {}).items():
        for key, values in keys.items():
            one = _one_holds(operator, known.get(key.lower()), [str(each) for each in texts(values)])
            if one is False:
                return False
            result = result if one else None
    return result


def _one_holds(operator: str, value: str | None, values: list[str]) -> bool | None:
    if value is None:
        return None
    kind = operator.rsplit(":", maxsplit=1)[-1].replace("IfExists", "")
    if kind == "Null":
        return "false" in [each.lower() for each in values]
    if kind == "Bool":
        return value.lower() in [each.lower() for each in values]
    if kind.startswith(("String", "Arn")):
        like = kind.startswith("Arn") or "Like" in kind
        found = matches(value, values) if like else value in values
        return found != ("Not" in kind)
    return None


def same_condition(one: Statement, other: Statement) -> bool:
    """Whether two statements have the same condition, whatever its order."""

    def plain(condition: Any) -> str:
        sorted_values = {
            operator: {key.lower(): sorted(map(str, texts(values))) for key, values in keys.items()}
            for operator, keys in (condition or {}).items()
        }
        return json.dumps(sorted_values, sort_keys=True)

    return plain(one.get("Condition")) == plain(other.get("Condition"))


def judge(
    documents: Documents, action: str, resource: str, known: dict[str, str], like: Statement | None = None
) -> Verdict:
    """What identity-based policies say of an action on a resource.

    Args:
        documents: of the role, by what the policies are called.
        action: such as s3:GetObject.
        resource: an ARN, which may be a pattern.
        known: what is known of every request, as for holds.
        like: a statement; one of the same condition allows it, too.
    """
    found = Verdict(MISSING)
    for policy, document in documents.items():
        for index, statement in enumerate(statements(document)):
            if not about(statement, action, resource):
                continue
            where = f"{policy}, statement {called(statement, index)}"
            held = holds(statement.get("Condition"), known)
            if statement.get("Effect") == "Deny":
                if held:
                    return Verdict(DENIED, where)
            elif held or (like is not None and same_condition(statement, like)):
                found = Verdict(ALLOWED, where)
            elif held is None and found.word == MISSING:
                found = Verdict(CONDITIONAL, where)
    return found


def for_principal(statement: Statement, arn: str) -> str:
    """For whom a statement of a resource's policy is: `it` where it names the principal (or everybody), `account`
    where it names its account, '' where it is for others.

    Args:
        statement: of a resource's policy.
        arn: the principal's.
    """
    account, partition = arn.split(":")[4], arn.split(":")[1]
    whole = (account, f"arn:{partition}:iam::{account}:root")
    if "NotPrincipal" in statement:
        named = _principals(statement["NotPrincipal"])
        return "" if arn in named or "*" in named else "it"
    named = _principals(statement.get("Principal", {}))
    if arn in named or "*" in named:
        return "it"
    return "account" if any(name in whole for name in named) else ""


def _principals(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(name) for name in texts((value or {}).get("AWS", []))]


def judge_resource(document: Any, arn: str, action: str, resource: str, known: dict[str, str]) -> Verdict:
    """What a resource's own policy says of a principal of the same account.

    Returns:
        allowed, where it names the principal itself; conditional, where it leaves that to the principal's policies, or
        to the request; missing; or denied.
    """
    found = Verdict(MISSING)
    for index, statement in enumerate(statements(document)):
        who = for_principal(statement, arn)
        if not who or not about(statement, action, resource):
            continue
        held = holds(statement.get("Condition"), known)
        where = f"statement {called(statement, index)}"
        if statement.get("Effect") == "Deny":
            if held:
                return Verdict(DENIED, where)
        elif held and who == "it":
            found = Verdict(ALLOWED, where)
        elif held is not False and found.word == MISSING:
            found = Verdict(CONDITIONAL, where)
    return found


def allows_service(document: Any, service: str) -> bool:
    """Whether a trust policy lets a service assume the role, under some condition or none."""
    return any(
        statement.get("Effect") == "Allow"
        and about_action(statement, "sts:AssumeRole")
        and service in texts((statement.get("Principal") or {}).get("Service", []))
        for statement in statements(document)
        if isinstance(statement.get("Principal"), dict)
    )
