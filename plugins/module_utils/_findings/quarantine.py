# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Making a resource harmless, and undoing that. What it was is in the ledger before the first call is made.

So an interrupted quarantine can be undone like a complete one: the calls that undo it bring back what was, whatever was
done of it.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Callable, Mapping

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import error_code
from ansible_collections.gitops.aws.plugins.module_utils._findings import expressions, ledger
from ansible_collections.gitops.aws.plugins.module_utils._findings.inventory import (
    Inventory,
    answer_to,
    of_service,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Resource, Type

# AWS starts these again by itself, after a week: that somebody uses them does not follow.
STARTED_BY_AWS = ("aws_db_instance",)


class Unknown(Exception):
    """A quarantine of a kind that this version does not know."""


@dataclass(frozen=True)
class Terms:
    """What a quarantine is noted with.

    Attributes:
        now: when it begins.
        until: when it is over.
        plan: the digest of the plan that it is of.
    """

    now: datetime
    until: datetime
    plan: str


def calls_of(resource: Resource, call: Call, kept: dict[str, Any]) -> list[Any]:
    """What {each} is in the calls that this one stands for; one None where it is made once."""
    if not call.each:
        return [None]
    return expressions.value(call.each, {"element": resource.element, "kept": kept}) or []


def perform(inventory: Inventory, resource: Resource, call: Call, kept: dict[str, Any], **more: Any) -> list[Any]:
    """Makes a call of the resource's type, as often as it says; what counts of the answers. Raises ClientError.

    `more` are further parameters.
    """
    aws, service = inventory.aws(resource.region), resource.type.service
    whole = replace(call, parameters={**call.parameters, **more}) if more else call
    return [
        answer_to(aws, service, whole, inventory.words(resource, kept=kept, each=each))
        for each in calls_of(resource, call, kept)
    ]


def is_of(resource: Resource, call: Call, service: str) -> bool:
    """Whether a call of the resource's type goes to this service."""
    return of_service(resource.type.service, call.operation)[0] == service


def is_harmless(resource: Resource) -> bool:
    """Whether there is nothing to do to make it harmless: it is already, or its type is only marked."""
    how = resource.type.quarantine
    return how is None or bool(how.done and expressions.value(how.done, resource.element))


def was_undone(resource: Resource, entry: dict[str, Any]) -> bool:
    """Whether somebody has brought back what a quarantine took: then it is in use."""
    how = resource.type.quarantine
    if how is None or not how.done or resource.type.name in STARTED_BY_AWS:
        return False
    return bool(entry["words"]) and not expressions.value(how.done, resource.element)


def quarantine(
    inventory: Inventory, book: ledger.Ledger, resource: Resource, terms: Terms, check: Callable[[], None]
) -> str:
    """Makes a resource harmless; what was done, in words.

    Args:
        inventory: makes the calls.
        book: the ledger.
        resource: as it is now, completed.
        terms: what it is noted with.
        check: called before each step; what it raises ends it there.

    Raises:
        Refused: somebody else wrote the ledger; nothing was done where it was before the first call.
        ClientError: a call failed. The ledger has what was.
    """
    how = resource.type.quarantine
    nothing = is_harmless(resource) and _half_done(book, resource) is None
    kept = kept_of(book, resource)
    entry = {
        "type": resource.type.name,
        "id": resource.id,
        "region": resource.region,
        "since": expressions.written(terms.now),
        "until": expressions.written(terms.until),
        "plan": terms.plan,
        "kept": kept,
        "steps_done": 0,
        "words": "" if nothing or how is None else how.words,
    }
    check()
    book.write(ledger.with_quarantine(book.content, resource.arn, entry))
    if nothing or how is None:
        return "noted"
    done = 0
    try:
        for call in how.do:
            check()
            perform(inventory, resource, call, kept)
            done += 1
    finally:
        if done:
            book.write(ledger.with_quarantine(book.content, resource.arn, {**entry, "steps_done": done}))
    return how.words


def restore(
    inventory: Inventory,
    book: ledger.Ledger,
    types: Mapping[str, Type],
    arn: str,
    make: Callable[[Callable[[], Any]], Any],
) -> bool:
    """Brings back what a resource was before its quarantine; False where it is gone. Either way the ledger forgets it.

    Args:
        inventory: makes the calls.
        book: the ledger, which has the resource.
        types: the catalogue.
        arn: of the resource.
        make: makes a call, again and again while AWS is not ready for it.

    Raises:
        Unknown: its type is not known any more.
        Refused: somebody else wrote the ledger.
        ClientError: a call failed. The ledger still has what was.
    """
    entry = book.quarantined[arn]
    kind = types.get(entry["type"])
    if kind is None or (entry["words"] and kind.quarantine is None):
        raise Unknown(
            f"this version cannot undo the quarantine of {entry['type']}. The ledger still has what it was. Fix: use "
            "the version that did it"
        )
    resource = inventory.one(kind, entry["id"], entry["region"], arn)
    if resource is not None and entry["words"] and kind.quarantine:
        inventory.complete(resource)
        for call in () if _was_started_by_aws(resource) else kind.quarantine.undo:
            make(functools.partial(_undo, inventory, resource, call, entry["kept"]))
    book.write(ledger.without_quarantine(book.content, [arn]))
    return resource is not None


def _undo(inventory: Inventory, resource: Resource, call: Call, kept: dict[str, Any]) -> None:
    try:
        perform(inventory, resource, call, kept)
    except ClientError as error:
        if not is_missing(error_code(error)):  # what was to be taken away, or a key that was to be active again
            raise


def is_missing(code: str) -> bool:
    """Whether AWS's error code says that something is not there."""
    return code.endswith(("NotFound", "NoSuchEntity", "NotFoundException"))


def _was_started_by_aws(resource: Resource) -> bool:
    return resource.type.name in STARTED_BY_AWS and not is_harmless(resource)


def kept_of(book: ledger.Ledger, resource: Resource) -> dict[str, Any]:
    """What is to be written down of a resource, as JSON keeps it.

    Where a quarantine was interrupted it is what was written down then: by now it is what that has made of it.
    """
    before, how = _half_done(book, resource), resource.type.quarantine
    if before is not None:
        return before["kept"]
    found = {name: expressions.value(text, resource.element) for name, text in (how.keep if how else {}).items()}
    return json.loads(json.dumps(found, default=str))


def _half_done(book: ledger.Ledger, resource: Resource) -> dict[str, Any] | None:
    """The ledger's entry of a quarantine that was interrupted."""
    entry, how = book.quarantined.get(resource.arn), resource.type.quarantine
    return entry if entry and entry["words"] and how and entry["steps_done"] < len(how.do) else None
