# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What is wrong with the IAM statements that users write, before AWS says so in the middle of a run."""

from __future__ import annotations

import difflib
import re
from typing import Any

Found = list[str]

KEYS = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
SID = re.compile(r"[A-Za-z0-9]*")
ACTION = re.compile(r"\*|[a-z0-9-]+:[A-Za-z0-9*?]+")


def statement_problems(path: str, given: list[Any], of_resource: bool = False) -> Found:
    """What AWS would refuse in a list of statements.

    Args:
        path: where the list stands in the input.
        given: the statements.
        of_resource: whether they belong to a resource, such as a bucket: those say for whom they are, in Principal.
    """
    found = []
    sids: dict[str, str] = {}
    for index, statement in enumerate(given):
        where = f"{path}[{index}]"
        if not isinstance(statement, dict):
            found.append(f"{where}: {statement!r} must be an IAM statement, a dictionary")
            continue
        found += _keys(where, statement, of_resource) + _values(where, statement)
        sid = statement.get("Sid")
        if sid and str(sid) in sids:
            found.append(f"{where}.Sid: {sid!r} is also that of {sids[str(sid)]}; within a policy they must differ")
        sids.setdefault(str(sid), where)
    return found


def _keys(where: str, statement: dict[str, Any], of_resource: bool) -> Found:
    allowed = [key for key in KEYS if of_resource or not key.endswith("Principal")]
    found = []
    for key in statement:
        if key not in allowed:
            near = difflib.get_close_matches(str(key), allowed, 1)
            hint = f"; did you mean {near[0]}?" if near else "."
            found.append(f"{where}.{key}: unknown key{hint} Allowed are: {', '.join(allowed)}")
    for one_of in (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal")):
        if one_of[0] in allowed and sum(key in statement for key in one_of) != 1:
            found.append(f"{where}: must have one of {' and '.join(one_of)}")
    return found


def _values(where: str, statement: dict[str, Any]) -> Found:
    found = []
    if statement.get("Effect") not in ("Allow", "Deny"):
        found.append(f"{where}.Effect: {statement.get('Effect')!r} must be Allow or Deny")
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not SID.fullmatch(sid):
        found.append(f"{where}.Sid: {sid!r} is not allowed; allowed are letters and digits")
    for key in ("Action", "NotAction", "Resource", "NotResource"):
        for text in _texts(statement.get(key, [])):
            if not isinstance(text, str) or not text:
                found.append(f"{where}.{key}: {text!r} must be a text, or a list of texts")
            elif key.endswith("Action") and not ACTION.fullmatch(text):
                found.append(f"{where}.{key}: {text!r} is no action; allowed is one like s3:GetObject or ec2:Describe*")
        if statement.get(key) == []:
            found.append(f"{where}.{key}: [] must not be empty")
    for key in ("Principal", "NotPrincipal"):
        if key in statement and statement[key] != "*" and not _principal(statement[key]):
            found.append(f"{where}.{key}: {statement[key]!r} must be '*', or a dictionary such as {{'AWS': '<ARN>'}}")
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict) or not all(isinstance(keys, dict) for keys in condition.values()):
        found.append(
            f"{where}.Condition: {condition!r} must be a dictionary such as {{'StringEquals': {{'<key>': '<value>'}}}}"
        )
    return found


def _texts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _principal(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(texts and all(isinstance(text, str) for text in _texts(texts)) for texts in value.values())
    )
