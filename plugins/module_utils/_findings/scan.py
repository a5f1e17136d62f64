# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""A scan: what an account has, what the states say, and what the code does not explain. It changes nothing.

The order protects: resources are listed before the states are read, so that whatever a build records in the meantime is
known. What is not known for certain makes the scan incomplete, and that is no ground for removing anything.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Iterable, Mapping

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, error_code, explain
from ansible_collections.gitops.aws.plugins.module_utils._findings import (
    attribution,
    breadth,
    catalogue,
    classify,
    entries,
    expressions,
    ledger,
    states,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings.inventory import (
    Caller,
    Inventory,
    ending,
    of_service,
    whoami,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import (
    COMPLETE,
    FINDINGS,
    INCOMPLETE,
    MANAGED,
    REFERENCED,
    TOO_YOUNG,
    UNMANAGED,
    UNSUPPORTED,
    VERDICTS,
    Listing,
    Resource,
    Verdict,
)

SCOPE: dict[str, Any] = {
    "account": {"type": "bool", "default": False},
    "tags": {"type": "dict", "default": {}},
    "vpc_ids": {"type": "list", "elements": "str", "default": []},
    "name_prefix": {"type": "str", "default": ""},
}
ARGUMENTS: dict[str, Any] = {
    "state_bucket": {"type": "str", "required": True},
    "lock_table": {"type": "str"},
    "expected_account_id": {"type": "str"},
    "regions": {"type": "list", "elements": "str"},
    "types": {"type": "list", "elements": "str"},
    "scope": {"type": "dict", "options": SCOPE},
    "entries": {"type": "list", "elements": "dict", "default": []},
    "protected_arns": {"type": "list", "elements": "str", "default": []},
    "min_age_hours": {"type": "float", "default": 24},
    "pipeline_roles": {"type": "list", "elements": "str", "default": []},
    "trusted_creators": {"type": "list", "elements": "str", "default": []},
    "attribution_calls": {"type": "int", "default": 100},
    "breadth": {"type": "bool", "default": True},
    "ledger_key": {"type": "str", "default": ledger.KEY, "no_log": False},
    "forget_states": {"type": "list", "elements": "str", "default": []},
}
INFO_ARGUMENTS: dict[str, Any] = {
    **ARGUMENTS,
    "verdicts": {"type": "list", "elements": "str", "choices": list(VERDICTS)},
    "explain": {"type": "str"},
}

# A scan that finds less than this part of what the last one found managed does not see the estate.
LEAST_MANAGED = 0.5


@dataclass
class Scan:
    """What a scan found; `result` is what is shown of it.

    Attributes:
        verdicts: by ARN.
        creators: by ARN; None where none is known.
        asked: ARNs of which CloudTrail has said who made them, or that it does not know.
    """

    inventory: Inventory
    states: states.States
    context: classify.Context
    ledger: ledger.Ledger
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    creators: dict[str, Any] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    result: dict[str, Any] = field(default_factory=dict)

    def of(self, verdict: str) -> list[Resource]:
        """The resources of a verdict."""
        resources = self.inventory.resources
        return [resources[arn] for arn, one in self.verdicts.items() if one.verdict == verdict]


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments, found before any call."""
    found = entries.problems(params["entries"], catalogue.ALL)
    for name in params["types"] or []:
        if name not in catalogue.ALL:
            found.append(f"types: {name} is no type that is known. Known are {', '.join(sorted(catalogue.ALL))}")
    scope = params["scope"]
    if scope is not None and not any(scope.values()):
        found.append(f"scope: it claims nothing; give one of {', '.join(SCOPE)}, or leave it out to report only")
    if not ledger.folder(params["ledger_key"]):
        found.append(
            f"ledger_key: {params['ledger_key']} has no folder. Fix: put it into one of its own, as {ledger.KEY}"
        )
    if scope and scope["account"] and sum(map(bool, scope.values())) > 1:
        found.append("scope: account is everything in it; give it alone, or leave it out to claim less")
    if params["regions"] == []:
        found.append("regions: [] means none; name some, or leave it out for the module's region")
    if params["min_age_hours"] < 0:
        found.append(f"min_age_hours: {params['min_age_hours']} is not allowed, it must not be negative")
    return found


def clock() -> datetime:
    """The time."""
    return datetime.now(timezone.utc)


def scan(
    aws: Aws,
    params: dict[str, Any],
    locks_held: bool = False,
    wanted: Callable[[Resource, Verdict], bool] = lambda _resource, _verdict: True,
    named: str = "",
) -> Scan:
    """Scans the account.

    Args:
        aws: the connection.
        params: see ARGUMENTS.
        locks_held: the caller holds the locks of all states, so that a lock does not mean that a build runs.
        wanted: which resources are in the result.
        named: an ARN or an id: of no other candidate it is asked who made it.

    Raises:
        Refused: another account than expected, or a ledger that cannot be read.
        ClientError: who runs this is not known.
    """
    now = clock()
    caller = whoami(aws)
    expected = params["expected_account_id"]
    if expected and expected != caller.account:
        raise Refused(
            f"the credentials are of account {caller.account}, and expected_account_id is {expected}. Nothing was "
            "changed. Fix: use credentials of the other account, or correct the setting"
        )
    book = ledger.read(aws, params["state_bucket"], params["ledger_key"])
    regions = params["regions"] or [aws.client("sts").meta.region_name]
    kinds = [catalogue.ALL[name] for name in dict.fromkeys(params["types"] or catalogue.ALL)]
    inventory = Inventory(aws, caller, regions)
    inventory.read(kinds)
    ours = {params["ledger_key"], params.get("plan_key")}
    known = states.read(aws, params["state_bucket"], params["lock_table"], ours, catalogue.NAMED_BY)
    found = [*known.problems, *_listings(inventory.listings), *_since_last(book, known, params["forget_states"])]
    if not locks_held:
        found += _running(known)
    protected = [*params["protected_arns"], *_of_caller(caller.arn), *_of_states(caller, params)]
    protected += _keys_of_states(aws, params, found)
    protected += _trails(inventory, found)
    context = classify.Context(
        states=known,
        now=now,
        entries=entries.Entries(params["entries"], now.date(), catalogue.ALL),
        scope=params["scope"],
        protected=tuple(protected),
        min_age=timedelta(hours=params["min_age_hours"]),
        first_seen={
            arn: when for arn, text in book.content["first_seen"].items() if (when := expressions.moment(text))
        },
        defaults=_defaults(inventory.resources.values()),
        present=frozenset((each.type.name, each.id) for each in inventory.resources.values()),
    )
    scanned = Scan(inventory, known, context, book)
    _judge(scanned)
    found += _unread(scanned)
    found += _look_further(scanned)
    notes = _attribute(aws, scanned, params, named)
    ghosts = _ghosts(scanned, found)
    wide = _breadth(aws, scanned) if params["breadth"] else breadth.Breadth()
    aliases = _aliases(inventory.resources.values())
    scanned.result = {
        "account_id": caller.account,
        "partition": caller.partition,
        "regions": regions,
        "time": expressions.written(now),
        "scope": params["scope"],
        "complete": not found,
        "problems": found,
        "notes": notes,
        "resources": [
            shown(scanned, one, aliases)
            for one in inventory.resources.values()
            if wanted(one, scanned.verdicts[one.arn])
        ],
        "ghosts": ghosts,
        "counts": _counts(scanned),
        "coverage": _coverage(scanned.inventory.listings, scanned) + _coverage(wide.listings, scanned),
        "breadth": wide.entries,
        "breadth_beyond": wide.beyond,
        "unseen_types": wide.unseen_types,
        "expired_entries": context.entries.expired,
        "unused_entries": context.entries.unused,
        "states": [
            {
                "key": file.key,
                "lineage": file.lineage,
                "serial": file.serial,
                "etag": file.etag,
                "version_id": file.version_id,
                "managed": file.managed,
                "locked": known.locked.get(file.key, ""),
            }
            for file in known.files.values()
        ],
    }
    return scanned


def info(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """What unmanaged_resources_info returns. Raises Refused, also for an ARN or id that neither AWS nor a state has."""
    name = params["explain"]
    verdicts = params["verdicts"] or [verdict for verdict in VERDICTS if verdict != MANAGED]

    def wanted(resource: Resource, verdict: Verdict) -> bool:
        return name in (resource.arn, resource.id) if name else verdict.verdict in verdicts

    result = scan(aws, params, wanted=wanted, named=name or "").result
    if name:
        result["ghosts"] = [ghost for ghost in result["ghosts"] if name in (ghost["id"], ghost["address"])]
    if name and not result["resources"] and not result["ghosts"]:
        raise Refused(
            f"{name} is no resource that was found in {', '.join(result['regions'])}. Fix: look at the ARN; types that "
            f"are known are {', '.join(sorted(catalogue.ALL))}"
        )
    return result


def judged(scanned: Scan, resource: Resource) -> Verdict:
    """The verdict of a resource, with the further reads that it needs. What cannot be read is not known."""
    alone = classify.by_itself(resource, scanned.context)
    if alone:
        return alone
    listing = scanned.inventory.listing(resource)
    if listing.status != COMPLETE:
        return Verdict(INCOMPLETE, f"not all {listing.type} of {listing.region or 'the account'} could be listed")
    try:
        scanned.inventory.complete(resource)
    except (ClientError, BotoCoreError) as error:
        return Verdict(INCOMPLETE, explain(error, "its further attributes could not be read"))
    return classify.verdict(resource, scanned.context)


def shown(scanned: Scan, resource: Resource, aliases: Mapping[tuple[str, str], str] | None = None) -> dict[str, Any]:
    """A resource as results have it. Nothing of its element but what is named here: elements hold secrets.

    Args:
        scanned: the scan.
        resource: one of it.
        aliases: ARNs by region and name: what is named by an alias is shown by its ARN.
    """
    verdict, kind = scanned.verdicts[resource.arn], resource.type
    first_seen = scanned.context.first_seen.get(resource.arn)
    made = made_at(scanned, resource)
    return {
        "arn": resource.arn,
        "type": kind.name,
        "id": resource.id,
        "import_id": str(expressions.value(kind.import_id, resource.element) or resource.id),
        "region": resource.region,
        "name": resource.title,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "evidence": verdict.evidence,
        "created": expressions.written(resource.created),
        "first_seen": expressions.written(first_seen),
        "age_hours": round((scanned.context.now - made).total_seconds() / 3600, 1) if made else None,
        "tags": resource.tags,
        "refs": list(dict.fromkeys((aliases or {}).get((resource.region, ref), ref) for ref in resource.refs)),
        "used_by": list(resource.used_by),
        "part_of": resource.part_of[1] if resource.part_of else "",
        "part_of_type": resource.part_of[0] if resource.part_of else "",
        "removable": bool(kind.remove),
        "quarantine": kind.quarantine.words if kind.quarantine else "",
        "guarded": expressions.first_reason(kind.guarded, resource.element)[0],
        "creator": scanned.creators.get(resource.arn),
        "creator_asked": resource.arn in scanned.asked,
        "recover": kind.recover,
    }


def made_at(scanned: Scan, resource: Resource) -> datetime | None:
    """When it was made, as AWS, CloudTrail, or else the first scan that saw it say."""
    creator = scanned.creators.get(resource.arn)
    event = expressions.moment(creator["time"]) if creator else None
    return resource.created or event or scanned.context.first_seen.get(resource.arn)


def _judge(scanned: Scan) -> None:
    """Verdicts without further reads first; then these, at the same time, for what is left."""
    resources = list(scanned.inventory.resources.values())
    left = []
    for resource in resources:
        verdict = classify.by_itself(resource, scanned.context)
        if verdict:
            scanned.verdicts[resource.arn] = verdict
        else:
            left.append(resource)
    aws = scanned.inventory.aws("")
    _make_clients(scanned.inventory, left)
    for resource, verdict in zip(left, aws.map(lambda one: judged(scanned, one), left)):
        scanned.verdicts[resource.arn] = verdict


def _make_clients(inventory: Inventory, resources: Iterable[Resource]) -> None:
    """Makes the clients of further reads before several threads do: boto3 makes clients in one thread only."""
    for resource in resources:
        for call in resource.type.more.values():
            inventory.aws(resource.region).client(of_service(resource.type.service, call.operation)[0])


def _unread(scanned: Scan) -> list[dict[str, str]]:
    """A problem for each type whose resources were listed and could not be read further."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for resource in scanned.of(INCOMPLETE):
        if scanned.inventory.listing(resource).status == COMPLETE:
            place = (resource.type.name, resource.region)
            reasons.setdefault(place, []).append(scanned.verdicts[resource.arn].reason)
    return _problems_of(reasons)


def _problems_of(reasons: dict[tuple[str, str], list[str]]) -> list[dict[str, str]]:
    """A problem for each type and region with why some of it could not be read."""
    return [
        {
            "what": f"{len(some)} of {kind} in {region or 'the account'}",
            "why": some[0],
            "fix": "let who runs this read them, or leave the type out",
        }
        for (kind, region), some in reasons.items()
    ]


def _look_further(scanned: Scan) -> list[dict[str, str]]:
    """Makes the further reads of what a state only mentions, where what it stands on shows in no list.

    Else a key could go that a topic needs, or what a launch template names. Returns problems.
    """

    def look(resource: Resource) -> str:
        try:
            scanned.inventory.complete(resource)
        except (ClientError, BotoCoreError) as error:
            return explain(error, f"what {resource.id} stands on could not be read")
        return ""

    some = [resource for resource in scanned.of(REFERENCED) if resource.needs_more]
    _make_clients(scanned.inventory, some)
    reasons: dict[tuple[str, str], list[str]] = {}
    for resource, reason in zip(some, scanned.inventory.aws("").map(look, some)):
        if reason:
            reasons.setdefault((resource.type.name, resource.region), []).append(reason)
    return _problems_of(reasons)


def _aliases(resources: Iterable[Resource]) -> dict[tuple[str, str], str]:
    """The ARNs of what has further names, by region and such a name."""
    return {
        (resource.region, name): resource.arn
        for resource in resources
        for name in expressions.texts(resource.type.other_names, resource.element)
    }


def _attribute(aws: Aws, scanned: Scan, params: dict[str, Any], named: str) -> list[dict[str, str]]:
    """Asks who made the candidates, and judges them again by that."""
    candidates = scanned.of(UNMANAGED) + [one for one in scanned.of(TOO_YOUNG) if not one.created]
    if named:
        candidates = [one for one in candidates if named in (one.arn, one.id)]
    if not candidates or not params["attribution_calls"]:
        return []
    found = attribution.attribute(aws.in_region, candidates, budget=params["attribution_calls"])
    scanned.creators.update(found.creators)
    scanned.asked |= found.answered
    for resource in candidates:
        creator = found.creators.get(resource.arn)
        by = attribution.judge(creator, params["pipeline_roles"], params["trusted_creators"])
        young = classify.too_young(made_at(scanned, resource), scanned.context)
        scanned.verdicts[resource.arn] = young or by or Verdict(UNMANAGED, classify.UNEXPLAINED)
    notes = list(found.problems)
    if found.not_asked:
        notes.append(
            {
                "what": f"{len(found.not_asked)} resources",
                "why": f"CloudTrail was asked {found.calls} times, as often as allowed; who made these is not known",
                "fix": "raise attribution_calls (two take a second)",
            }
        )
    return notes


def _ghosts(scanned: Scan, found: list[dict[str, str]]) -> list[dict[str, Any]]:
    """What a state manages and AWS does not have. The list may be late: each is asked for by its id."""
    inventory = scanned.inventory
    complete = {(listing.type, listing.region) for listing in inventory.listings if listing.status == COMPLETE}
    ids = {(resource.type.name, resource.id) for resource in inventory.resources.values()}
    missing = []
    for instance in scanned.states.instances():
        kind = catalogue.ALL.get(instance.type)
        if kind is None or not instance.id or _elsewhere(instance.arn, inventory.caller.account):
            continue
        region = "" if kind.account_wide else instance.region or inventory.regions[0]
        if (kind.name, region) not in complete or (kind.name, instance.id) in ids:
            continue
        if instance.arn not in inventory.resources:
            missing.append((instance, kind, region))

    def gone(what: tuple[states.Instance, Any, str]) -> bool:
        instance, kind, region = what
        return inventory.one(kind, instance.id, region, instance.arn) is None

    result = []
    for what in missing:
        instance = what[0]
        try:
            if not gone(what):
                continue
        except (ClientError, BotoCoreError) as error:
            found.append(
                {
                    "what": f"{instance.where.address} in {instance.where.key}",
                    "why": explain(error, f"it is in no list, and reading {instance.id} failed"),
                    "fix": "let who runs this read it",
                }
            )
            continue
        result.append(
            {
                "address": instance.where.address,
                "state": instance.where.key,
                "type": instance.type,
                "id": instance.id,
                "reason": "the state has it, and AWS does not",
            }
        )
    return result


def _elsewhere(arn: str, account: str) -> bool:
    parts = arn.split(":")
    return len(parts) > 4 and parts[4] not in ("", account)


def _breadth(aws: Aws, scanned: Scan) -> breadth.Breadth:
    """What indexes know of other types. What a state has, or mentions, is explained."""
    known = scanned.states

    def explained(arn: str) -> bool:
        return states.canonical(arn) in known.arns or known.mention(states.canonical(arn)) is not None

    inventory = scanned.inventory
    return breadth.look(
        aws.in_region, inventory.regions, catalogue.ALL.values(), inventory.resources, explained=explained
    )


def _defaults(resources: Iterable[Resource]) -> frozenset[str]:
    return frozenset(
        resource.id
        for resource in resources
        if expressions.first_reason(resource.type.aws_default, resource.element)[0]
    )


def _counts(scanned: Scan) -> dict[str, int]:
    counted = Counter(verdict.verdict for verdict in scanned.verdicts.values())
    return {verdict: counted[verdict] for verdict in VERDICTS}


def _coverage(listings: list[Listing], scanned: Scan) -> list[dict[str, Any]]:
    """What was listed, by type and region, with how it ended."""
    managed: Counter[tuple[str, str]] = Counter()
    findings: Counter[tuple[str, str]] = Counter()
    for arn, verdict in scanned.verdicts.items():
        resource = scanned.inventory.resources[arn]
        place = (resource.type.name, "" if resource.type.account_wide else resource.region)
        managed[place] += verdict.verdict == MANAGED
        findings[place] += verdict.verdict in FINDINGS
    return [
        {
            "type": listing.type,
            "region": listing.region,
            "status": listing.status,
            "seen": listing.seen,
            "managed": managed[listing.type, listing.region],
            "findings": findings[listing.type, listing.region],
            "removable": listing.type in catalogue.REMOVABLE,
            "message": listing.message,
        }
        for listing in listings
    ]


def _listings(listings: list[Listing]) -> list[dict[str, str]]:
    """The problem of each listing that did not come to its end. A service that is not there has nothing to list."""
    return [
        {
            "what": f"{listing.type} in {listing.region or 'the account'}",
            "why": f"listing is {listing.status}: {listing.message}",
            "fix": "let who runs this list them, or leave the type or the region out",
        }
        for listing in listings
        if listing.status not in (COMPLETE, UNSUPPORTED)
    ]


def _since_last(book: ledger.Ledger, known: states.States, forgotten: list[str]) -> list[dict[str, str]]:
    """States that the last scan saw and that are gone, older, or have lost most of what they managed."""
    seen = (book.content["last_scan"] or {}).get("states", {})
    last = {key: state for key, state in seen.items() if key not in forgotten and "*" not in forgotten}
    # A state that was moved: a copy that the last scan saw, too, is not in the place of what has gone.
    new = sorted((file for key, file in known.files.items() if key not in seen), key=lambda file: file.serial)
    moved = {file.lineage: file for file in new if file.lineage}
    unread = {problem["what"] for problem in known.problems}
    found = []
    for key, before in last.items():
        state, what = known.files.get(key), f"state {key}"
        if what in unread:
            continue
        if state is None or state.lineage != before["lineage"]:
            state = moved.pop(before["lineage"], None)
        if state is None:
            why = "the last scan saw it, and it is gone or another one is in its place: all it managed seems unmanaged"
        elif state.serial < before["serial"]:
            why = f"its serial is {state.serial}, and was {before['serial']} in the last scan: an older version is back"
        else:
            continue
        fix = "restore it (gitops.aws.restore_state); where it is not needed any more, name it in forget_states"
        found.append({"what": what, "why": why, "fix": fix})
    managed = sum(file.managed for file in known.files.values())
    before_all = sum(one["managed"] for one in last.values())
    if known.files and not managed:
        found.append(
            {
                "what": "all states",
                "why": "they manage nothing in AWS, so that everything in the account would seem unmanaged",
                "fix": "see whether this is the right bucket; a new estate manages something after its first run",
            }
        )
    elif managed < before_all * LEAST_MANAGED:
        found.append(
            {
                "what": "all states",
                "why": f"they manage {managed} resources, and managed {before_all} in the last scan",
                "fix": "see whether this is the right bucket; where so much was destroyed, forget_states: ['*']",
            }
        )
    return found


def _running(known: states.States) -> list[dict[str, str]]:
    """A build that writes its state in the end may be making what is listed already."""
    return [
        {"what": f"state {key}", "why": f"a run may be making resources: {who}", "fix": "scan again when it is over"}
        for key, who in sorted(known.locked.items())
    ]


def _of_caller(arn: str) -> list[str]:
    """The ARNs of who runs this: a role is known by its session."""
    parts = arn.split(":")
    if parts[2] == "sts" and parts[5].startswith("assumed-role/"):
        role = parts[5].split("/")[1]
        iam = ":".join([*parts[:2], "iam", "", parts[4]])
        return [f"{iam}:role/{role}", f"{iam}:role/*/{role}"]
    return [arn]


def _of_states(caller: Caller, params: dict[str, Any]) -> list[str]:
    """The bucket of the states, and the lock table in any region."""
    table = params["lock_table"]
    tables = [f"arn:{caller.partition}:dynamodb:*:{caller.account}:table/{table}"] if table else []
    return [f"arn:{caller.partition}:s3:::{params['state_bucket']}", *tables]


def _keys_of_states(aws: Aws, params: dict[str, Any], found: list[dict[str, str]]) -> list[str]:
    """The ARNs of the keys that states are encrypted with: the one that is given, and the bucket's default.

    What cannot be read is added to the problems in `found`.
    """
    bucket, keys = params["state_bucket"], [params.get("kms_key_id") or ""]
    fix = "let who runs this read it: s3:GetEncryptionConfiguration on the bucket of the states, kms:DescribeKey"
    try:
        answer = aws.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        keys += expressions.texts("Rules[].ApplyServerSideEncryptionByDefault.KMSMasterKeyID", answer)
    except (ClientError, BotoCoreError) as error:
        if error_code(error) not in ("ServerSideEncryptionConfigurationNotFoundError", "NoSuchBucket"):
            why = explain(error, "so that the key of the states is not known")
            found.append({"what": f"encryption of {bucket}", "why": why, "fix": fix})
    arns = []
    for key in dict.fromkeys(filter(None, keys)):
        if ":key/" in key:
            arns.append(key)
            continue
        try:  # an id, or an alias
            connection = aws.in_region(key.split(":")[3]) if key.startswith("arn:") else aws
            arns.append(connection.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Arn"])
        except (ClientError, BotoCoreError) as error:
            why = explain(error, "so that the key of the states is not known")
            found.append({"what": f"key {key} of the states", "why": why, "fix": fix})
    return arns


# What a trail needs, by the members that have an ARN: what encrypts it, and where else it writes.
OF_TRAIL = ("KmsKeyId", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn", "SnsTopicARN")


def _trails(inventory: Inventory, found: list[dict[str, str]]) -> list[str]:
    """The ARNs of what CloudTrail writes into and with: the record of what happened is nobody's to remove."""
    partition, arns = inventory.caller.partition, []
    for region in inventory.regions:
        try:
            trails = inventory.aws(region).client("cloudtrail").describe_trails()["trailList"]
        except (ClientError, BotoCoreError) as error:
            if ending(error) == UNSUPPORTED:
                continue
            found.append(
                {
                    "what": f"CloudTrail's trails in {region}",
                    "why": explain(error, "so that what they need is not known"),
                    "fix": "allow cloudtrail:DescribeTrails on *",
                }
            )
            continue
        arns += [f"arn:{partition}:s3:::{trail['S3BucketName']}" for trail in trails if trail.get("S3BucketName")]
        arns += [states.canonical(trail[name]) for trail in trails for name in OF_TRAIL if trail.get(name)]
    return sorted(set(arns))
