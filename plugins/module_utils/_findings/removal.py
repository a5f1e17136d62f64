# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Carrying out an approved plan: under Terraform's own locks, after a new scan, one resource after the other.

Nothing is touched that is not in the plan, and nothing is forced: what AWS refuses since something uses it stays.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, error_code, explain
from ansible_collections.gitops.aws.plugins.module_utils._findings import (
    classify,
    expressions,
    ledger,
    quarantine,
    scan,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings import plan as plans
from ansible_collections.gitops.aws.plugins.module_utils._findings.interrupts import Interrupts
from ansible_collections.gitops.aws.plugins.module_utils._findings.inventory import REFUSALS, Inventory, answer_to
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import (
    TOO_YOUNG,
    UNMANAGED,
    Call,
    Resource,
    Type,
    Verdict,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings.plan import QUARANTINE, REMOVE, RESTORE
from ansible_collections.gitops.aws.plugins.module_utils._terraform_locks import REMOVAL, SUFFIX, all_of_bucket, taken

# What became of an item.
QUARANTINED, REMOVED, RESTORED = "quarantined", "removed", "restored"
GONE, BLOCKED, KEPT, FAILED = "gone_already", "blocked", "kept", "failed"
CHANGES = (QUARANTINED, REMOVED, RESTORED)

# Of locks that IAM refuses.
SEALED = "In a sealed estate only the pipeline that looks for drift takes these locks: approve its plan there"

# AWS's answers when something still uses a resource, or when it is between two states. Both may pass.
IN_USE = (
    "ConcurrentModification",
    "ConflictException",
    "DependencyViolation",
    "DeleteConflict",
    "IncorrectInstanceState",
    "IncorrectState",
    "InvalidDBInstanceState",
    "InvalidGroup.InUse",
    "InvalidIPAddress.InUse",
    "InvalidNetworkInterface.InUse",
    "InvalidNetworkInterfaceID.InUse",
    "InvalidSnapshot.InUse",
    "OperationAborted",
    "ResourceConflictException",
    "ResourceInUse",
    "ResourceInUseException",
    "ResourceInUseFault",
    "ScalingActivityInProgress",
    "VolumeInUse",
)
# And when a resource protects itself, or has a content that nobody removes for it.
PROTECTED = ("BucketNotEmpty", "CannotDelete", "OperationNotPermitted", "RepositoryNotEmptyException")
DRY_RUN = "DryRunOperation"  # EC2: it would have been done

PASSES = 3
BACKOFF = (30, 90)  # seconds between the passes: a terminated instance uses its parts for a minute or so
GOING = 300  # seconds, at most, for what stood on a resource to be gone
POLL = 5  # seconds between two looks at what is going away or being copied

# Where the answer to a copying call has the copy's id.
COPY_ID = "ImageId || SnapshotId || BackupDetails.BackupArn || DBSnapshot.DBSnapshotArn"


class _InUse(Exception):
    """Something uses the resource, or it is between two states."""


class _Stays(Exception):
    """The resource is not to be touched."""


class _Failed(Exception):
    """AWS refused, and will again."""


class _Blocked(Exception):
    """What stands on the resource is not removed in this run."""


@dataclass
class Acting:
    """Everything that carrying out needs.

    Attributes:
        scanned: the scan made under the locks.
        deadline: of time.monotonic().
        results: by ARN.
        begun: the ARNs of what a removing call was made for.
        copies: ids of copies, by ARN.
        whys: why an item could not be carried out yet, by ARN.
        wrote: whether a quarantine was written into the ledger.
        did: the removing calls that were made, by ARN.
        alone: raises Refused where somebody else began to work on a state.
    """

    scanned: scan.Scan
    plan: Mapping[str, Any]
    rules: plans.Rules
    types: Mapping[str, Type]
    interrupts: Interrupts
    deadline: float
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    copies: dict[str, list[str]] = field(default_factory=dict)
    whys: dict[str, str] = field(default_factory=dict)
    wrote: bool = False
    did: dict[str, list[str]] = field(default_factory=dict)
    alone: Callable[[], None] = lambda: None

    def check(self) -> None:
        """Whether the next call may be made. Raises Interrupted; Refused where another run has begun or decided."""
        self.interrupts.check()
        self.alone()
        self.scanned.ledger.refuse_changed()

    def done(self, item: Mapping[str, Any], result: str, reason: str = "") -> None:
        """Notes what became of an item. One whose removal was begun, and that is there still, has failed."""
        did = self.did.get(item["arn"])
        if did and result not in (REMOVED, GONE):
            left = [call.operation for call in self.types[item["type"]].remove if call.operation not in did]
            parts = f"done, wholly or in part, is {', '.join(did)}; not done is {', '.join(left) or 'the rest'}"
            result, reason = FAILED, f"{reason.rstrip('.')}. Its removal was begun: {parts}. It is still in the ledger"
        self.results[item["arn"]] = {
            "arn": item["arn"],
            "action": item["action"],
            "result": result,
            "reason": reason,
            "copies": self.copies.get(item["arn"], []),
        }

    def changed(self) -> bool:
        """Whether anything was changed, also where the item then failed."""
        results = {each["result"] for each in self.results.values()}
        return bool(self.begun or self.copies or self.wrote or results & {*CHANGES})

    def wait(self, seconds: float) -> bool:
        """Waits, but not beyond the deadline; False where that has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            return False
        self.interrupts.wait(min(seconds, left))
        return True


# Locks


@contextmanager
def all_locked(
    aws: Aws, bucket: str, table: str | None, keys: list[str], kinds: list[str], encryption: dict[str, str]
) -> Iterator[set[str]]:
    """Holds Terraform's locks on all states, or on none: where one is held, those that were taken are released.

    Their ids.

    Raises:
        Refused: somebody holds one, or one could not be released; the message says which.
    """
    aws.client("s3")  # boto3 makes clients in one thread only
    if table:
        aws.client("dynamodb")
    held = {key: taken(aws, bucket, table, key, kinds, encryption, REMOVAL) for key in keys}

    own: list[str] = []
    ids: set[str] = set()

    def take(key: str) -> BaseException | None:
        try:
            ids.add(held[key].__enter__())
        except (ClientError, BotoCoreError, Refused) as error:
            return error
        own.append(key)
        return None

    def release(key: str) -> BaseException | None:
        try:
            held[key].__exit__(None, None, None)
        except (ClientError, BotoCoreError, Refused) as error:
            return error
        return None

    try:
        _raise(keys, aws.map(take, keys))
        yield ids
    finally:
        _raise(own, aws.map(release, own))


def refuse_other_locks(aws: Aws, bucket: str, table: str | None, ids: set[str]) -> None:
    """Raises Refused where a lock on any state is held by somebody else, also on one that is not there yet.

    A list of the bucket, a call for each lock file, and a Scan of the lock table. Raises ClientError.
    """
    objects = aws.pages("s3", "list_objects_v2", "Contents", Bucket=bucket)
    with_file = [each["Key"][: -len(SUFFIX)] for each in objects if each["Key"].endswith(SUFFIX)]
    found = all_of_bucket(aws, bucket, table, with_file)
    others = [lock.words() for locks in found.values() for lock in locks if lock.id not in ids]
    if others:
        raise Refused(
            f"a run may be making resources: {'; '.join(sorted(others))}. Nothing more was changed. Fix: make a new "
            "plan when it is over"
        )


def _raise(keys: list[str], errors: list[BaseException | None]) -> None:
    problems = [explain(error, f"state {key}") for key, error in zip(keys, errors) if error]
    if problems:
        denied = any(error_code(error) in ("AccessDenied", "AccessDeniedException") for error in errors if error)
        raise Refused("; ".join(problems) + (f" {SEALED}" if denied else ""))


# What is to be done


def matched(acting: Acting) -> tuple[list[dict[str, Any]], list[Mapping[str, Any]]]:
    """The items of the plan that a new scan decides alike, in order; and those that it does not see.

    All others have their result afterwards.
    """
    result, book = acting.scanned.result, acting.scanned.ledger
    decisions = plans.decide(result, book.quarantined, acting.rules, acting.types, acting.scanned.context.now)
    resources = {resource["arn"]: resource for resource in result["resources"]}
    alike, unseen = {}, []
    for item in acting.plan["steps"]:
        arn, resource = item["arn"], resources.get(item["arn"])
        if resource is None:
            unseen.append(item)
            continue
        decided = decisions.items.get(arn)
        why = _another(item, resource, acting.plan["created"])
        if why:
            acting.done(item, KEPT, why)
        elif item["blocked_by"] and item["action"] != RESTORE:
            acting.done(item, BLOCKED, f"when the plan was made, {', '.join(item['blocked_by'])} stood on it")
        elif decided and decided["action"] == item["action"]:
            alike[arn] = decided
        elif item["action"] == QUARANTINE and arn in book.quarantined and arn not in decisions.items:
            acting.done(item, KEPT, decisions.kept.get(arn, "it is in quarantine already"))
        else:
            acting.done(item, KEPT, decisions.kept.get(arn) or _verdict_words(resource, decided))
    ordered = plans.arrange(alike, result["resources"], book.quarantined, acting.types)
    plans.refuse_excess(ordered, plans.seen(result), acting.rules)
    free = []
    for item in ordered:
        if item["blocked_by"]:
            acting.done(item, BLOCKED, f"{', '.join(item['blocked_by'])} {_stands(item)}")
        else:
            free.append(item)
    return free, unseen


def _stands(item: Mapping[str, Any]) -> str:
    return "stands on it" if len(item["blocked_by"]) == 1 else "stand on it"


def _another(item: Mapping[str, Any], resource: Mapping[str, Any], planned: str) -> str:
    """Why what has the item's ARN is not what was planned, '' where it is."""
    for name in ("type", "id", "region"):
        if item[name] != resource[name]:
            return f"what has this ARN is another resource: its {name} was {item[name]}, and is {resource[name]}"
    made = plans.made_at(resource)
    if made > planned:
        return f"what has this ARN was made at {made}, after the plan"
    return ""


def _verdict_words(resource: Mapping[str, Any], decided: Mapping[str, Any] | None) -> str:
    if decided:
        return f"by now it would be another action: {decided['action']}. Make a new plan"
    evidence = f" ({resource['evidence']})" if resource["evidence"] else ""
    return f"it is {resource['verdict']} by now: {resource['reason']}{evidence}"


def foretell(acting: Acting) -> None:
    """Check mode: what would become of each item, as far as reading shows."""
    would = {QUARANTINE: QUARANTINED, REMOVE: REMOVED, RESTORE: RESTORED}
    free, unseen = matched(acting)
    for item in free:
        _foretell(acting, item, would[item["action"]])
    for absent in unseen:
        _unseen(acting, absent)


def _foretell(acting: Acting, item: Mapping[str, Any], result: str) -> None:
    try:
        _look(acting, item)
    except _Stays as reason:
        acting.done(item, KEPT, str(reason))
    else:
        if item["arn"] not in acting.results:
            acting.done(item, result)


# Doing it


def carry_out(acting: Acting) -> None:
    """Does what the plan says; acting.results has what became of each item, also where it raises.

    Raises:
        Refused: the ledger was written by somebody else, or too much was to be done.
        Interrupted: by a signal.
    """
    free, unseen = matched(acting)
    for absent in unseen:
        _unseen(acting, absent)
    left = free
    try:
        for number in range(PASSES):
            again = []
            for item in left:
                acting.interrupts.check()
                if time.monotonic() > acting.deadline or not _attempt(acting, item, free):
                    again.append(item)
            left = again
            if not left or number + 1 == PASSES or not acting.wait(BACKOFF[number]):
                break
        for item in left:
            acting.done(item, BLOCKED, acting.whys.get(item["arn"], "the time was over before it was its turn"))
    finally:
        for item in free:
            if item["arn"] not in acting.results:
                acting.done(item, FAILED, acting.whys.get(item["arn"], "the run ended before it was its turn"))
        _forget(acting)


def _unseen(acting: Acting, item: Mapping[str, Any]) -> None:
    """A resource that no list has is gone, if it cannot be read either."""
    kind = acting.types.get(item["type"])
    try:
        found = kind and acting.scanned.inventory.one(kind, item["id"], item["region"], item["arn"])
    except (ClientError, BotoCoreError) as error:
        acting.done(item, FAILED, explain(error, "it is in no list, and reading it failed"))
        return
    if kind is None or found:
        acting.done(item, KEPT, "it can be read, and no list has it")
    else:
        acting.done(item, GONE, "it is not there any more")


def _forget(acting: Acting) -> None:
    """The ledger without what is gone."""
    book = acting.scanned.ledger
    gone = [arn for arn, each in acting.results.items() if each["result"] in (REMOVED, GONE)]
    if any(arn in book.quarantined for arn in gone) and not acting.scanned.inventory.aws("").check_mode:
        book.write(ledger.without_quarantine(book.content, gone))


def _attempt(acting: Acting, item: Mapping[str, Any], items: list[dict[str, Any]]) -> bool:
    """Tries to carry out an item; False where it is worth another try. Raises Refused and Interrupted."""
    arn = item["arn"]
    try:
        if item["action"] == RESTORE:
            _restore(acting, item)
        elif item["action"] == QUARANTINE:
            resource = _look(acting, item)
            if resource is not None:
                _quarantine(acting, item, resource)
        else:
            _after_what_stands_on_it(acting, item, items)
            resource = _look(acting, item)
            if resource is not None:
                _remove(acting, item, resource)
    except _InUse as error:
        acting.whys[arn] = str(error)
        return False
    except _Stays as error:
        acting.done(item, KEPT, str(error))
    except _Blocked as error:
        acting.done(item, BLOCKED, str(error))
    except _Failed as error:
        acting.done(item, FAILED, str(error))
    return True


def _look(acting: Acting, item: Mapping[str, Any]) -> Resource | None:
    """The resource as it is now, if it may still be touched; None where it is gone, which is noted. Raises _Stays."""
    scanned, kind = acting.scanned, acting.types[item["type"]]
    inventory = scanned.inventory
    if item["action"] == RESTORE:
        return None
    try:
        resource = inventory.one(kind, item["id"], item["region"], item["arn"])
        if resource is None:
            acting.done(item, *((REMOVED, "") if item["arn"] in acting.begun else (GONE, "it is not there any more")))
            return None
        inventory.complete(resource)
    except (ClientError, BotoCoreError) as error:
        raise _Stays(explain(error, "it could not be read again")) from error
    if (resource.arn, resource.id) != (item["arn"], item["id"]):
        raise _Stays(f"what was read by its id is another resource, {resource.arn}")
    verdict = _judged_again(scanned, resource)
    if verdict.verdict != UNMANAGED:
        raise _Stays(f"it is {verdict.verdict} by now: {verdict.reason}")
    guarded = expressions.first_reason(kind.guarded, resource.element)[0]
    if guarded:
        raise _Stays(f"it is protected in AWS: {guarded}")
    begun = item["arn"] in acting.begun
    creator = scanned.creators.get(item["arn"]) or {}
    made = max(expressions.written(resource.created), str(creator.get("time", "")))
    if made > acting.plan["created"]:
        raise _Stays(f"what has this ARN was made at {made}, after the plan")
    entry = scanned.ledger.quarantined.get(item["arn"])
    if item["action"] == REMOVE and not begun and entry and quarantine.was_undone(resource, entry):
        raise _Stays(
            f"somebody has undone its quarantine ({entry['words']}), and so uses it. Fix: restore it with state: "
            "restored, and adopt it; or restore it, and it is quarantined anew"
        )
    return resource


def _judged_again(scanned: scan.Scan, resource: Resource) -> Verdict:
    """What it is by what is known of it now; its age is also known from CloudTrail, as in the scan."""
    verdict = scan.judged(scanned, resource)
    if verdict.verdict not in (UNMANAGED, TOO_YOUNG):
        return verdict
    young = classify.too_young(scan.made_at(scanned, resource), scanned.context)
    return young or Verdict(UNMANAGED, classify.UNEXPLAINED)


def _quarantine(acting: Acting, item: Mapping[str, Any], resource: Resource) -> None:
    scanned, how = acting.scanned, resource.type.quarantine
    now = scan.clock()
    terms = quarantine.Terms(now, now + acting.rules.grace_period, acting.plan["digest"])
    if how and not quarantine.is_harmless(resource):
        _probe(acting, resource, how.do, quarantine.kept_of(scanned.ledger, resource))
    before = scanned.ledger.content
    try:
        with _answers(f"quarantine of {item['arn']}"):
            words = quarantine.quarantine(scanned.inventory, scanned.ledger, resource, terms, acting.check)
    finally:
        acting.wrote = acting.wrote or scanned.ledger.content is not before
    acting.done(item, QUARANTINED, f"{words}, until {expressions.written(terms.until)}")


def _restore(acting: Acting, item: Mapping[str, Any]) -> None:
    """Raises _InUse, _Stays, _Failed."""
    scanned = acting.scanned
    there = _restored(scanned.inventory, scanned.ledger, acting.types, item["arn"], acting.check)
    acting.done(item, *there)


def _restored(
    inventory: Inventory, book: ledger.Ledger, types: Mapping[str, Type], arn: str, check: Callable[[], None]
) -> tuple[str, str]:
    """Brings back what a resource was; result and reason. Raises _InUse, _Stays, _Failed and Refused."""

    def make(call: Callable[[], Any]) -> None:
        check()
        call()

    words = book.quarantined[arn]["words"]
    try:
        with _answers(f"restoring {arn}"):
            result = quarantine.restore(inventory, book, types, arn, make)
    except quarantine.Unknown as error:
        raise _Failed(str(error)) from error
    except quarantine.Elsewhere as error:
        raise _Failed(f"{error}. Nothing was changed.") from error
    undone = f"somebody has undone its quarantine ({words}) since, perhaps Terraform"
    another = "what has this ARN was made or started after the quarantine"
    only = "nothing was changed, and the ledger has forgotten it. Look whether it is as it should be"
    return {
        quarantine.BACK: (RESTORED, "it is what it was before its quarantine"),
        quarantine.UNDONE: (RESTORED, f"{undone}: {only}"),
        quarantine.ANOTHER: (KEPT, f"{another}: {only}"),
        quarantine.GONE: (GONE, "it is not there any more"),
    }[result]


def restore_one(
    inventory: Inventory,
    book: ledger.Ledger,
    types: Mapping[str, Type],
    arn: str,
    interrupts: Interrupts,
    timeout: float,
) -> dict[str, Any]:
    """Brings back what a resource of the ledger was, without a plan; its result. In check mode it only looks.

    What is between two states, such as an instance that still stops, is tried again for `timeout` seconds at most.
    Raises Refused and Interrupted.
    """
    found = {"arn": arn, "action": RESTORE, "copies": []}
    until = time.monotonic() + timeout
    try:
        if inventory.aws("").check_mode:
            return {**found, **_would_be_restored(inventory, book, types, arn)}
        for pause in BACKOFF:
            with suppress(_InUse):
                result, reason = _restored(inventory, book, types, arn, interrupts.check)
                return {**found, "result": result, "reason": reason}
            interrupts.wait(min(pause, max(0, until - time.monotonic())))
        result, reason = _restored(inventory, book, types, arn, interrupts.check)
    except (_InUse, _Stays, _Failed) as error:
        return {**found, "result": FAILED, "reason": f"{error} It is still in the ledger"}
    return {**found, "result": result, "reason": reason}


def _would_be_restored(
    inventory: Inventory, book: ledger.Ledger, types: Mapping[str, Type], arn: str
) -> dict[str, str]:
    entry = book.quarantined[arn]
    kind = types.get(entry["type"])
    if kind is None:
        raise _Failed(f"this version does not know {entry['type']}")
    try:
        with _answers(f"reading {arn}"):
            there = quarantine.read_back(inventory, kind, arn, entry)
    except quarantine.Elsewhere as error:
        raise _Failed(f"{error}.") from error
    return {"result": RESTORED, "reason": ""} if there else {"result": GONE, "reason": "it is not there any more"}


def _remove(acting: Acting, item: Mapping[str, Any], resource: Resource) -> None:
    """Copies it, then removes it. Raises _InUse, _Stays, _Failed."""
    arn, kind, inventory = item["arn"], resource.type, acting.scanned.inventory
    entry = acting.scanned.ledger.quarantined[arn]
    if resource.used_by:
        raise _InUse(f"it is in use by {', '.join(resource.used_by)}")
    _probe(acting, resource, (*kind.copies, *kind.remove), entry["kept"])
    if arn not in acting.copies:
        with _answers(f"copy of {arn}"):
            for call in kind.copies:
                acting.check()
                answers = quarantine.perform(inventory, resource, call, entry["kept"])
                acting.copies.setdefault(arn, []).extend(_copy_ids(answers) or [f"a copy of {resource.id}"])
    if kind.copied:
        _until_copied(acting, resource, kind.copied)
    for call in kind.remove:
        acting.check()
        acting.begun.add(arn)

        def made(operation: str = call.operation) -> None:
            done = acting.did.setdefault(arn, [])
            if operation not in done:
                done.append(operation)

        with _answers(f"removal of {arn}"):
            # What AWS may refuse within its answer is not done yet.
            more: dict[str, Any] = {"made": made} if call.result == "@" else {}
            answers = quarantine.perform(inventory, resource, call, entry["kept"], **more)
        refused = _complaints(call, answers)
        if refused:
            raise _InUse(f"AWS refused: {'; '.join(refused)}")
        if not more:
            made()
    acting.done(item, REMOVED, kind.recover.replace("{id}", resource.id))


def _until_copied(acting: Acting, resource: Resource, call: Call) -> None:
    inventory = acting.scanned.inventory
    while True:
        with _answers(f"copy of {resource.arn}"):
            words = inventory.words(resource, kept={}, each=None)
            if answer_to(inventory.aws(resource.region), resource.type.service, call, words):
                return
        if not acting.wait(POLL):
            raise _InUse("its copy is not complete yet")


def _copy_ids(answers: list[Any]) -> list[str]:
    """The ids of copies, as far as the answers have them."""
    found = []
    for answer in answers:
        found += expressions.texts(COPY_ID if isinstance(answer, dict) else "@", answer) if answer else []
    return found


def _complaints(call: Call, answers: list[Any]) -> list[str]:
    """What an answer without an error says of what was not done, where a removing call asks for that."""
    if call.result == "@":
        return []
    return [text for answer in answers for text in (answer if isinstance(answer, list) else []) if text]


def _probe(acting: Acting, resource: Resource, calls: tuple[Call, ...], kept: dict[str, Any]) -> None:
    """Asks EC2 whether it would let the calls, before the first one is made. Raises _Stays and _Failed."""
    for call in calls:
        if not quarantine.is_of(resource, call, "ec2"):
            continue
        acting.interrupts.check()
        try:
            with _answers(f"{resource.arn} (a dry run)"):
                quarantine.perform(acting.scanned.inventory, resource, call, kept, DryRun=True)
        except _InUse:
            pass  # what uses it may be gone when it is its turn


@contextmanager
def _answers(what: str) -> Iterator[None]:
    """What AWS's errors mean for the resource."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        code = error_code(error)
        if code == DRY_RUN:
            return
        if code in IN_USE:
            raise _InUse(explain(error, what)) from error
        if code in PROTECTED:
            raise _Stays(explain(error, what)) from error
        if code in REFUSALS or not quarantine.is_missing(code):
            raise _Failed(explain(error, what)) from error
        raise _InUse(explain(error, what)) from error  # gone in the meantime, as the next look shows


def _stands_on(item: Mapping[str, Any], other: Mapping[str, Any], items: list[dict[str, Any]]) -> bool:
    """Whether an item stands on another, over whatever items are between: in a circle one has to be tried first.

    Ids count within a region only: what has the same one elsewhere is no reason to go on.
    """
    seen: set[str] = set()
    waiting = [item]
    while waiting:
        one = waiting.pop()
        if one["arn"] == other["arn"]:
            return True
        if one["arn"] not in seen:
            seen.add(one["arn"])
            waiting += [
                each
                for each in items
                if each["arn"] in one["refs"]
                or (
                    each["id"] in one["refs"]
                    and (each["region"] == one["region"] or "" in (each["region"], one["region"]))
                )
            ]
    return False


def _after_what_stands_on_it(acting: Acting, item: Mapping[str, Any], items: list[dict[str, Any]]) -> None:
    """Waits until what stood on the item and was removed is gone. Raises _InUse where one was not removed.

    A terminated instance uses its volumes and groups for a while.
    """
    names = {item["arn"], item["id"]}
    for other in items:
        if other["order"] >= item["order"] or not names & set(other["refs"]) or _stands_on(item, other, items):
            continue
        result = acting.results.get(other["arn"], {}).get("result")
        if result not in (REMOVED, GONE):
            raise (_Blocked if result else _InUse)(f"{other['arn']} stands on it, and was not removed")
        kind, until = acting.types[other["type"]], time.monotonic() + GOING
        while True:
            try:
                if acting.scanned.inventory.one(kind, other["id"], other["region"], other["arn"]) is None:
                    break
            except (ClientError, BotoCoreError) as error:
                raise _InUse(explain(error, f"whether {other['arn']}, which stands on it, is gone")) from error
            if time.monotonic() > until or not acting.wait(POLL):
                raise _InUse(f"{other['arn']} stands on it, and is not gone yet")
