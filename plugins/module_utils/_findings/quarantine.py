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
    REFUSALS,
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


# What became of a restoring.
GONE, BACK, UNDONE, ANOTHER = "gone", "back", "undone", "another"


class Elsewhere(Exception):
    """What was read is not what the ledger has."""


def calls_of(resource: Resource, call: Call, kept: dict[str, Any]) -> list[Any]:
    """What {each} is in the calls that this one stands for; one None where it is made once."""
    if not call.each:
        return [None]
    return expressions.value(call.each, {"element": resource.element, "kept": kept}) or []


def perform(
    inventory: Inventory,
    resource: Resource,
    call: Call,
    kept: dict[str, Any],
    *,
    made: Callable[[], None] = lambda: None,
    **more: Any,
) -> list[Any]:
    """Makes a call of the resource's type, as often as it says; what counts of the answers. Raises ClientError.

    `made` is called after each call; `more` are further parameters.
    """
    aws, service = inventory.aws(resource.region), resource.type.service
    whole = replace(call, parameters={**call.parameters, **more}) if more else call
    answers = []
    for each in calls_of(resource, call, kept):
        answers.append(answer_to(aws, service, whole, inventory.words(resource, kept=kept, each=each)))
        made()
    return answers


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
        ClientError: a call failed. The ledger has what was, but of a resource of which nothing was touched: where AWS
            denies the very first call, nothing is noted either.
    """
    how, before = resource.type.quarantine, book.content
    broken_off = _half_done(book, resource)
    nothing = is_harmless(resource) and broken_off is None
    kept = kept_of(book, resource)
    # What a quarantine that was interrupted has begun stays begun.
    begun = begun_steps(broken_off, resource.type) if broken_off else 0
    entry = {
        "type": resource.type.name,
        "id": resource.id,
        "region": resource.region,
        "account": inventory.caller.account,
        "since": expressions.written(terms.now),
        "until": expressions.written(terms.until),
        "plan": terms.plan,
        "kept": kept,
        "steps_done": 0,
        "steps_begun": begun,
        "words": "" if nothing or how is None else how.words,
    }

    def note(done: int, begun_now: int) -> None:
        now = {**entry, "steps_done": done, "steps_begun": max(begun, begun_now)}
        book.write(ledger.with_quarantine(book.content, resource.arn, now))

    if nothing or how is None:
        check()
        note(0, 0)
        return "noted"
    for done, call in enumerate(how.do):
        check()
        note(done, done + 1)
        made: list[None] = []
        try:
            perform(inventory, resource, call, kept, made=functools.partial(made.append, None))
        except ClientError as error:
            if error_code(error) in REFUSALS and not made:
                if done:
                    note(done, done)
                else:
                    book.write(before)
            raise
    note(len(how.do), len(how.do))
    return how.words


def begun_steps(entry: Mapping[str, Any], kind: Type) -> int:
    """How many of the calls of a quarantine may have changed something."""
    return int(entry.get("steps_begun", len(kind.quarantine.do) if kind.quarantine else 0))


def restore(
    inventory: Inventory,
    book: ledger.Ledger,
    types: Mapping[str, Type],
    arn: str,
    make: Callable[[Callable[[], Any]], Any],
) -> str:
    """Brings back what a resource was before its quarantine. Unless it raises, the ledger forgets it.

    Args:
        inventory: makes the calls.
        book: the ledger, which has the resource.
        types: the catalogue.
        arn: of the resource.
        make: makes a call, again and again while AWS is not ready for it.

    Returns:
        BACK: it is what it was.
        UNDONE: somebody has undone it since, perhaps Terraform: nothing was changed.
        ANOTHER: what has the ARN was made since: nothing was changed.
        GONE: it is not there any more.

    Raises:
        Unknown: its type is not known any more.
        Elsewhere: what was read is another resource.
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
    resource = read_back(inventory, kind, arn, entry)
    result = GONE if resource is None else BACK
    if resource is not None and entry["words"] and kind.quarantine:
        inventory.complete(resource)
        result = _since(resource, entry)
        calls = _undoing(entry, kind) if result == BACK else []
        if len(calls) > 1 and not entry.get("undo_begun"):
            # Interrupted after its first call, it may look as if somebody else had undone it.
            book.write(ledger.with_quarantine(book.content, arn, {**entry, "undo_begun": True}))
        for call in calls:
            for each in calls_of(resource, call, entry["kept"]):
                make(functools.partial(_undo, inventory, resource, call, entry["kept"], each))
    book.write(ledger.without_quarantine(book.content, [arn]))
    return result


def read_back(inventory: Inventory, kind: Type, arn: str, entry: Mapping[str, Any]) -> Resource | None:
    """The resource of a ledger's entry, None where it is gone. Raises Elsewhere and ClientError."""
    account = ledger.account_of(arn, entry)
    if account not in ("", inventory.caller.account):
        raise Elsewhere(f"it is of account {account}, and the credentials are of {inventory.caller.account}")
    resource = inventory.one(kind, entry["id"], entry["region"], arn)
    if resource is not None and resource.arn != arn:
        raise Elsewhere(f"what was read by its id is another resource, {resource.arn}")
    return resource


def _since(resource: Resource, entry: Mapping[str, Any]) -> str:
    """What there is to do about a resource that is there: BACK, UNDONE or ANOTHER."""
    how = resource.type.quarantine
    if resource.created and expressions.written(resource.created) > entry["since"]:
        return ANOTHER
    whole = how is not None and entry["steps_done"] >= len(how.do) and not entry.get("undo_begun")
    return UNDONE if how and how.done and whole and not is_harmless(resource) else BACK


def _undoing(entry: Mapping[str, Any], kind: Type) -> list[Call]:
    """The calls that undo what was begun. Where each undoes one of the quarantine's, they are in the opposite order."""
    how, begun = kind.quarantine, begun_steps(entry, kind)
    if how is None or not begun:
        return []
    return list(how.undo[-begun:] if len(how.undo) == len(how.do) else how.undo)


def _undo(inventory: Inventory, resource: Resource, call: Call, kept: dict[str, Any], each: Any) -> None:
    words = inventory.words(resource, kept=kept, each=each)
    try:
        answer_to(inventory.aws(resource.region), resource.type.service, call, words)
    except ClientError as error:
        if not is_missing(error_code(error)):  # what was to be taken away, or a key that was to be active again
            raise


def is_missing(code: str) -> bool:
    """Whether AWS's error code says that something is not there."""
    return code.endswith(("NotFound", "NoSuchEntity", "NotFoundException"))


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
