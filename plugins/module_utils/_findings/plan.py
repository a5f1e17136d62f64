# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The removal plan: what would be done to which resource, in which order, and what stands in the way. Pure.

A plan is made from a scan, saved, approved by its digest, and carried out as it is: what was decided then is decided
again from a new scan, and only what comes out alike is done. The shape of a plan is in unmanaged_resources.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Iterable, Mapping

from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import OWNER_TAG, PROTECT_TAG
from ansible_collections.gitops.aws.plugins.module_utils._findings.expressions import moment, written
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import (
    AWS_DEFAULT,
    IGNORED,
    MANAGED,
    OTHER_IAC,
    PROTECTED,
    REFERENCED,
    SERVICE_MANAGED,
    UNMANAGED,
    Type,
)

VERSION = 1

QUARANTINE, REMOVE, RESTORE = "quarantine", "remove", "restore"

# What is in quarantine and is one of these by now has an explanation: it gets back what it had.
EXPLAINED = (MANAGED, REFERENCED, IGNORED, PROTECTED, OTHER_IAC, SERVICE_MANAGED, AWS_DEFAULT)

FIELDS = {"version", "account_id", "regions", "created", "expires", "scope", "states", "limits", "steps", "digest"}
ITEM_FIELDS = {
    "arn",
    "type",
    "id",
    "region",
    "name",
    "verdict",
    "creator",
    "age_hours",
    "refs",
    "action",
    "order",
    "blocked_by",
    "copies",
    "recover",
}

A_PART = "it is a part of "  # begins the reason of what is referenced since it is no more than that

SKEW = timedelta(minutes=5)  # of the clocks of who plans and who carries out


@dataclass(frozen=True)
class Rules:
    """What an estate allows.

    Attributes:
        scope: what it claims to own; None: nothing.
        types: that may be removed.
        max_removals: items that a plan acts on, at most.
        max_percent: their share of all resources of their type, at most; one is always allowed.
        grace_period: how long a resource is in quarantine before it is removed.
        lifetime: of a plan.
        allow_unknown_creator: whether a resource counts of which nobody knows who made it.
    """

    scope: Mapping[str, Any] | None
    types: tuple[str, ...]
    max_removals: int = 5
    max_percent: float = 10
    grace_period: timedelta = timedelta(days=7)
    lifetime: timedelta = timedelta(hours=24)
    allow_unknown_creator: bool = False


@dataclass(frozen=True)
class Decisions:
    """What there is to do.

    Attributes:
        items: by ARN, as a plan has them; order and blocked_by are not known yet.
        kept: why nothing is done to other resources that are unmanaged or in quarantine, by ARN.
    """

    items: dict[str, dict[str, Any]]
    kept: dict[str, str]


# Making


def make(
    result: Mapping[str, Any],
    quarantined: Mapping[str, Mapping[str, Any]],
    rules: Rules,
    types: Mapping[str, Type],
    now: datetime,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The plan, and why other candidates are not in it, by ARN. Raises Refused.

    Args:
        result: of a scan, with the resources of all verdicts.
        quarantined: of the ledger.
        rules: what the estate allows.
        types: the catalogue.
        now: the time.
    """
    refuse_incomplete(result)
    refuse_without_scope(rules.scope)
    decisions = decide(result, quarantined, rules, types, now)
    items = arrange(decisions.items, result["resources"], quarantined, types)
    refuse_excess(items, seen(result), rules)
    plan = {
        "version": VERSION,
        "account_id": result["account_id"],
        "regions": list(result["regions"]),
        "created": written(now),
        "expires": written(now + rules.lifetime),
        "scope": rules.scope,
        "states": [{name: state[name] for name in ("key", "lineage", "serial", "etag")} for state in result["states"]],
        "limits": {"max_removals": rules.max_removals, "max_percent": rules.max_percent},
        "steps": items,
    }
    return {**plan, "digest": digest(plan)}, decisions.kept


def refuse_incomplete(result: Mapping[str, Any]) -> None:
    """Raises Refused where the scan does not know enough."""
    if result["complete"]:
        return
    problems = [f"{each['what']}: {each['why']}. Fix: {each['fix']}" for each in result["problems"]]
    raise Refused(
        "the scan is incomplete, and what it does not know could be what keeps a resource. Nothing was changed. "
        + "; ".join(problems or ["the scan does not say why"])
    )


def refuse_without_scope(scope: Mapping[str, Any] | None) -> None:
    """Raises Refused where nobody has said what the estate owns."""
    if not scope or not any(scope.values()):
        raise Refused(
            "no scope is declared, so that resources are only reported. Nothing was changed. Fix: say what the code "
            "owns here, by scope: account, tags, vpc_ids or name_prefix"
        )


def decide(
    result: Mapping[str, Any],
    quarantined: Mapping[str, Mapping[str, Any]],
    rules: Rules,
    types: Mapping[str, Type],
    now: datetime,
) -> Decisions:
    """What is to be done to each resource on its own, whatever stands on it."""
    items: dict[str, dict[str, Any]] = {}
    kept: dict[str, str] = {}
    twice = {arn for arn, times in Counter(each["arn"] for each in result["resources"]).items() if times > 1}
    for resource in result["resources"]:
        arn, entry = resource["arn"], quarantined.get(resource["arn"])
        if entry and made_at(resource) > entry["since"] and resource["verdict"] == UNMANAGED:
            entry = None  # one that was made or started since: whoever did that has its time, too
        if entry is None and resource["verdict"] != UNMANAGED:
            continue
        kind = types.get(resource["type"])
        reason = "two resources have this ARN" if arn in twice else _kept(resource, kind, rules, now)
        if entry and arn not in twice and resource["verdict"] in EXPLAINED:
            items[arn] = _item(resource, kind, RESTORE)
        elif reason:
            kept[arn] = reason
        elif entry is None or _half_done(entry, kind):
            items[arn] = _item(resource, kind, QUARANTINE)
        elif not _over(entry["until"], now):
            kept[arn] = f"in quarantine until {entry['until']}"
        else:
            items[arn] = _item(resource, kind, REMOVE)
    return Decisions(items, kept)


def _kept(resource: Mapping[str, Any], kind: Type | None, rules: Rules, now: datetime) -> str:
    """Why nothing may be done to a resource, '' where it may."""
    if resource["verdict"] != UNMANAGED:
        return f"it is {resource['verdict']}: {resource['reason']}"
    if resource["part_of"]:
        return f"{A_PART}{resource['part_of']}, and goes with it"
    if kind is None or not kind.remove or not resource["removable"]:
        return f"{resource['type']} is only reported, never removed"
    if resource["type"] not in rules.types:
        return f"{resource['type']} is not among the types that may be removed here"
    if resource["guarded"]:
        return f"it is protected in AWS: {resource['guarded']}"
    if made_at(resource) > written(now):
        return f"it was made at {made_at(resource)}, while it was looked for: the next plan decides"
    creator = resource["creator"]
    if not (creator and creator.get("principal")):
        if not rules.allow_unknown_creator:
            return "nobody knows who made it, and allow_unknown_creator is not set"
        if not resource.get("creator_asked", False):
            return "CloudTrail was not asked, or did not say, who made it: that is not the same as unknown"
    return ""


def made_at(resource: Mapping[str, Any]) -> str:
    """When it was made, by AWS or CloudTrail, whichever is later: a name may be used again. '' where none says."""
    return max(resource["created"], str((resource["creator"] or {}).get("time", "")))


def _half_done(entry: Mapping[str, Any], kind: Type | None) -> bool:
    """Whether a quarantine was interrupted."""
    steps = kind.quarantine.do if kind and kind.quarantine else ()
    return bool(entry["words"]) and entry["steps_done"] < len(steps)


def _over(until: str, now: datetime) -> bool:
    time = moment(until)
    return time is not None and time <= now


def _item(resource: Mapping[str, Any], kind: Type | None, action: str) -> dict[str, Any]:
    return {
        **{name: resource[name] for name in ("arn", "type", "id", "region", "name", "verdict", "age_hours")},
        "creator": dict(resource["creator"]) if resource["creator"] else None,
        "refs": list(resource["refs"]),
        "action": action,
        "order": 0,
        "blocked_by": [],
        "copies": action == REMOVE and bool(kind and kind.copies),
        "recover": kind.recover if kind else "",
    }


def arrange(
    items: Mapping[str, dict[str, Any]],
    resources: Iterable[Mapping[str, Any]],
    quarantined: Mapping[str, Mapping[str, Any]],
    types: Mapping[str, Type],
) -> list[dict[str, Any]]:
    """The items in the order in which they are carried out, each with what stands in its way.

    Args:
        items: by ARN.
        resources: everything that the scan saw, of whatever verdict.
        quarantined: of the ledger.
        types: the catalogue.
    """
    above = _above(items, list(resources), types)
    blocked: dict[str, list[str]] = {}
    while True:  # what is blocked blocks what it stands on, also in a circle
        now = {
            arn: sorted(
                name for name, on in above[arn].items() if _blocks(on, item, items, blocked, quarantined, types)
            )
            for arn, item in items.items()
        }
        if now == blocked:
            break
        blocked = now
    return [
        {**item, "order": number, "blocked_by": blocked[item["arn"]]}
        for number, item in enumerate(_ordered(items, above, types), start=1)
    ]


def _above(
    items: Mapping[str, dict[str, Any]], resources: list[Mapping[str, Any]], types: Mapping[str, Type]
) -> dict[str, dict[str, Mapping[str, Any] | None]]:
    """What stands on each item or on a part of it, by ARN: resources by ARN, and ids of what the scan did not see.

    For a part stands what it is a part of: a volume in use by an interface's instance is in use by the instance. A part
    that must stay whatever becomes of its whole is among what stands on the whole.
    """
    meant = _Meant(resources, types)
    standing: dict[str, list[Mapping[str, Any]]] = {}
    parts: dict[str, list[Mapping[str, Any]]] = {}
    wholes: dict[str, list[Mapping[str, Any]]] = {}
    for resource in resources:
        for ref in resource["refs"]:
            for one in meant.by(ref, resource):
                standing.setdefault(one["arn"], []).append(resource)
        if resource["part_of"]:
            wholes[resource["arn"]] = meant.by(resource["part_of"], resource, resource.get("part_of_type", ""))
            for one in wholes[resource["arn"]]:
                parts.setdefault(one["arn"], []).append(resource)

    def whole(resource: Mapping[str, Any], passed: frozenset[str] = frozenset()) -> list[Mapping[str, Any]]:
        over = wholes.get(resource["arn"])
        if not over or resource["arn"] in passed:
            return [resource]
        return [one for each in over for one in whole(each, passed | {resource["arn"]})]

    def of(resource: Mapping[str, Any], passed: set[str]) -> dict[str, Mapping[str, Any] | None]:
        passed.add(resource["arn"])
        found: dict[str, Mapping[str, Any] | None] = {}
        for each in standing.get(resource["arn"], []):
            found.update({one["arn"]: one for one in whole(each)})
        for name in resource["used_by"]:
            users = [one for each in meant.by(name, resource) for one in whole(each)]
            found.update({each["arn"]: each for each in users} if users else {name: None})
        for part in parts.get(resource["arn"], []):
            if part["arn"] not in passed:
                found.update(of(part, passed))
            if _stays(part):
                found[part["arn"]] = part
        return found

    seen_now = {resource["arn"]: resource for resource in resources}
    return {arn: {name: on for name, on in of(seen_now[arn], set()).items() if name != arn} for arn in items}


class _Meant:
    """Which resources a name means. Ids may be equal in two regions, and of two types; ARNs are not."""

    def __init__(self, resources: Iterable[Mapping[str, Any]], types: Mapping[str, Type]) -> None:
        self._types = types
        self._named: dict[str, list[Mapping[str, Any]]] = {}
        for resource in resources:
            for name in {resource["arn"], resource["id"]} - {""}:
                self._named.setdefault(name, []).append(resource)

    def by(self, name: str, resource: Mapping[str, Any], kind: str = "") -> list[Mapping[str, Any]]:
        """What a resource means by a name: all that it may mean.

        What is of its own region, or of the account, comes before what is elsewhere, such as the VPC that a peering
        reaches.
        """
        named = [each for each in self._named.get(name, []) if not kind or each["type"] == kind]
        near = [each for each in named if each["arn"] == name or self._is_near(each, resource)]
        return near or named

    def _is_near(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        return one["region"] == other["region"] or any(self._is_of_account(each) for each in (one, other))

    def _is_of_account(self, resource: Mapping[str, Any]) -> bool:
        kind = self._types.get(resource["type"])
        return not resource["region"] or bool(kind and kind.account_wide)


def _stays(part: Mapping[str, Any]) -> bool:
    """Whether a part must not go with its whole: a state has it, or somebody has decided so."""
    if part["verdict"] == REFERENCED:
        return not part["reason"].startswith(A_PART)
    if part["verdict"] == SERVICE_MANAGED and {OWNER_TAG, PROTECT_TAG} & set(part["tags"]):
        return True  # an instance of a group: that is its verdict, whoever protects it
    return part["verdict"] in (MANAGED, PROTECTED, IGNORED)


def _blocks(
    on: Mapping[str, Any] | None,
    item: Mapping[str, Any],
    items: Mapping[str, dict[str, Any]],
    blocked: Mapping[str, list[str]],
    quarantined: Mapping[str, Mapping[str, Any]],
    types: Mapping[str, Type],
) -> bool:
    """Whether what stands on an item forbids what is to be done to the item."""
    if item["action"] == RESTORE:
        return False
    if on is None:
        return True
    arn, kind = on["arn"], types.get(item["type"])
    theirs = items.get(arn)
    if item["action"] == REMOVE:
        return theirs is None or theirs["action"] != REMOVE or bool(blocked.get(arn))
    if on["verdict"] == SERVICE_MANAGED and not (kind and kind.quarantine):
        return False  # it goes with what it is a part of, and a mark in the ledger does it no harm
    if theirs is not None:
        return theirs["action"] == RESTORE or bool(blocked.get(arn))
    return not (arn in quarantined and on["verdict"] == UNMANAGED)


def _ordered(
    items: Mapping[str, dict[str, Any]],
    above: Mapping[str, Mapping[str, Any]],
    types: Mapping[str, Type],
) -> list[dict[str, Any]]:
    """What stands on others first; where that says nothing by rank, then by ARN. Circles are broken the same way."""

    def key(arn: str) -> tuple[int, str]:
        kind = types.get(items[arn]["type"])
        return (kind.rank if kind else 0, arn)

    waiting = {arn: {name for name in above[arn] if name in items} for arn in items}
    below: dict[str, list[str]] = {}
    for arn, some in waiting.items():
        for one in some:
            below.setdefault(one, []).append(arn)
    left = sorted(items, key=key)
    ready = [key(arn) for arn in left if not waiting[arn]]
    heapq.heapify(ready)
    done: dict[str, dict[str, Any]] = {}
    while len(done) < len(items):
        arn = heapq.heappop(ready)[1] if ready else next(each for each in left if each not in done)
        if arn in done:
            continue
        done[arn] = items[arn]
        for each in below.get(arn, []):
            waiting[each].discard(arn)
            if not waiting[each]:
                heapq.heappush(ready, key(each))
    return list(done.values())


# Limits


def seen(result: Mapping[str, Any]) -> dict[str, int]:
    """How many resources of each type the scan saw."""
    found: Counter[str] = Counter()
    for listing in result["coverage"]:
        found[listing["type"]] += listing["seen"]
    return dict(found)


def acted_on(items: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The items that count for the limits: neither blocked, nor given back what they had."""
    return [item for item in items if item["action"] != RESTORE and not item["blocked_by"]]


def refuse_excess(items: Iterable[Mapping[str, Any]], of_type: Mapping[str, int], rules: Rules) -> None:
    """Raises Refused where items are too many, or too large a share of their type."""
    counted = acted_on(items)
    found = []
    if len(counted) > rules.max_removals:
        found.append(f"{len(counted)} resources, and max_removals is {rules.max_removals}")
    for name, number in sorted(Counter(item["type"] for item in counted).items()):
        total = of_type.get(name, 0)
        if number > max(1, int(total * rules.max_percent / 100)):
            found.append(f"{number} of {total} {name}, and max_percent is {rules.max_percent:g}")
    if found:
        raise Refused(
            f"the plan would act on {'; on '.join(found)}. So many at once are rather a mistake. Nothing was changed. "
            "Fix: look at what is found and why; then narrow the types or the scope, or raise the limit"
        )


# Checking


def digest(plan: Mapping[str, Any]) -> str:
    """The SHA-256 of a plan without its digest, in hexadecimal."""
    rest = {name: value for name, value in plan.items() if name != "digest"}
    return hashlib.sha256(
        json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    ).hexdigest()


def parse(text: bytes | str) -> dict[str, Any]:
    """A saved plan. Raises Refused for anything that is none, or none of ours."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("the plan is not JSON. Nothing was changed. Fix: make a new one") from None
    refuse_malformed(found)
    return found


def refuse_malformed(plan: Any) -> None:
    """Raises Refused for what is no plan, or one of another version."""
    if not isinstance(plan, dict) or plan.get("version") != VERSION:
        raise Refused(f"it is no plan of version {VERSION}. Nothing was changed. Fix: make a new one")
    wrong = sorted(set(plan) ^ FIELDS)
    items = plan.get("steps")
    if not isinstance(items, list):
        wrong.append("steps")
    else:
        wrong += [
            f"steps[{index}]"
            for index, item in enumerate(items)
            if not isinstance(item, dict)
            or set(item) != ITEM_FIELDS
            or item["action"] not in (QUARANTINE, REMOVE, RESTORE)
        ]
    if wrong:
        raise Refused(
            f"the plan is damaged: {', '.join(wrong)} is missing, unknown or wrong. Nothing was changed. Fix: make "
            "a new one"
        )


def refuse_unapproved(
    plan: Mapping[str, Any],
    *,
    approved: str,
    account_id: str,
    confirmed: str,
    regions: Iterable[str],
    rules: Rules,
    now: datetime,
) -> None:
    """Raises Refused where a plan must not be carried out, here and now.

    Args:
        plan: as it was saved.
        approved: the digest that was approved.
        account_id: the account that the credentials are of.
        confirmed: the account that the user means.
        regions: that the user means.
        rules: what the estate allows by now.
        now: the time.
    """
    again = " Nothing was changed. Fix: make a new plan, and have that approved"
    actual = digest(plan)
    if plan["digest"] != actual:
        raise Refused(
            f"the plan was changed after it was made: its digest is {actual}, it says {plan['digest']}.{again}"
        )
    if approved != actual:
        raise Refused(
            f"this is not the plan that was approved: its digest is {actual}, approved was {approved}.{again}"
        )
    created, expires = moment(plan["created"]), moment(plan["expires"])
    if created is None or expires is None or created > now + SKEW:
        raise Refused(f"the plan says that it was made at {plan['created']}, which is not in the past.{again}")
    if expires <= now or created + rules.lifetime <= now:
        raise Refused(f"the plan has expired: it was made at {plan['created']}, and it is {written(now)}.{again}")
    if not account_id == confirmed == plan["account_id"]:
        raise Refused(
            f"the plan is for account {plan['account_id']}, confirm_account_id is {confirmed}, and the credentials are "
            f"of account {account_id}. Nothing was changed. Fix: use the credentials and the plan of the account that "
            "is meant"
        )
    if sorted(plan["regions"]) != sorted(regions):
        raise Refused(
            f"the plan is for {', '.join(plan['regions'])}, and regions is {', '.join(regions)}. Nothing was changed. "
            "Fix: give the regions that the plan was made with"
        )
    refuse_without_scope(rules.scope)
    if plan["scope"] != rules.scope:
        raise Refused(f"the scope is another one than when the plan was made.{again}")


def refuse_lost_states(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> None:
    """Raises Refused where a state is gone, another one, or older than it was.

    Args:
        before: the states of the plan.
        after: those of a new scan.
    """
    now = {state["key"]: state for state in after}
    for state in before:
        found = now.get(state["key"])
        what = ""
        if found is None:
            what = "is gone"
        elif found["lineage"] != state["lineage"]:
            what = f"is another one: its lineage was {state['lineage']}, and is {found['lineage']}"
        elif found["serial"] < state["serial"]:
            what = f"went back from serial {state['serial']} to {found['serial']}"
        if what:
            raise Refused(
                f"state {state['key']} {what} since the plan was made, so that what it managed would seem unmanaged. "
                "Nothing was changed. Fix: find out who did that; then make a new plan"
            )
