# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""All that the module unmanaged_resources does: a plan, carrying it out, and undoing a quarantine."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from datetime import timedelta
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, encryption, explain, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import DRIFT_PREFIX
from ansible_collections.gitops.aws.plugins.module_utils._findings import (
    catalogue,
    expressions,
    ledger,
    removal,
    scan,
    states,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings import plan as plans
from ansible_collections.gitops.aws.plugins.module_utils._findings.interrupts import Interrupted, Interrupts
from ansible_collections.gitops.aws.plugins.module_utils._findings.inventory import Inventory, whoami
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import COMPLETE, MANAGED
from ansible_collections.gitops.aws.plugins.module_utils._findings.plan import QUARANTINE, REMOVE, RESTORE
from ansible_collections.gitops.aws.plugins.module_utils._terraform_locks import ABSENT, DYNAMODB, LOCKFILE

PLANNED, APPLIED, RESTORED = "planned", "applied", "restored"
PLAN_KEY = f"{DRIFT_PREFIX}plan.json"

ARGUMENTS: dict[str, Any] = {
    **scan.ARGUMENTS,
    "state": {"type": "str", "choices": [PLANNED, APPLIED, RESTORED], "default": PLANNED},
    # All types are looked at, whatever is removed: what stands on a resource may be of any.
    "types": {"type": "list", "elements": "str", "default": []},
    "allow_unknown_creator": {"type": "bool", "default": False},
    "max_removals": {"type": "int", "default": 5},
    "max_percent": {"type": "float", "default": 10},
    "grace_period_days": {"type": "float", "default": 7},
    "plan_lifetime_hours": {"type": "float", "default": 24},
    "plan": {"type": "dict"},
    "plan_file": {"type": "path"},
    "plan_key": {"type": "str", "default": PLAN_KEY, "no_log": False},
    "digest": {"type": "str"},
    "confirm_account_id": {"type": "str"},
    "arns": {"type": "list", "elements": "str"},
    "locking": {
        "type": "list",
        "elements": "str",
        "choices": [DYNAMODB, LOCKFILE],
        "default": [DYNAMODB, LOCKFILE],
    },
    "kms_key_id": {"type": "str"},
    "timeout": {"type": "int", "default": 3600},
}
CONSTRAINTS: dict[str, Any] = {
    "required_if": [
        ("state", APPLIED, ("digest", "confirm_account_id")),
        ("state", RESTORED, ("confirm_account_id",)),
    ],
    "mutually_exclusive": [("plan", "plan_file")],
}

WORDS = {QUARANTINE: "in quarantine", REMOVE: "removed", RESTORE: "as it was before its quarantine"}


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments, found without a call."""
    found = scan.problems(params)
    for name in params["types"]:
        if name in catalogue.ALL and name not in catalogue.REMOVABLE:
            found.append(f"types: {name} is only reported. Those that can be removed: {', '.join(catalogue.REMOVABLE)}")
    for name in ("max_removals", "max_percent", "grace_period_days"):
        if params[name] < 0:
            found.append(f"{name}: {params[name]} is not allowed, it must not be negative")
    if not 0 < params["plan_lifetime_hours"] <= 24 * 7:
        found.append(
            f"plan_lifetime_hours: {params['plan_lifetime_hours']} is not allowed, it must be above 0, up to 168"
        )
    if params["timeout"] <= 0:
        found.append(f"timeout: {params['timeout']} is not allowed, it must be above 0")
    folder = ledger.folder(params["ledger_key"])
    if not params["plan_key"].startswith(folder) or params["plan_key"] == params["ledger_key"]:
        found.append(
            f"plan_key: it must be another object in the folder of the ledger, {folder}, which holds no states"
        )
    if not params["locking"]:
        found.append("locking: it is empty. Fix: give what Terraform is set to, dynamodb, lockfile or both")
    if params["state"] == APPLIED and DYNAMODB in params["locking"] and not params["lock_table"]:
        found.append("lock_table: it is missing, and locking has dynamodb. Fix: name the lock table")
    if params["arns"] is not None and params["state"] != RESTORED:
        found.append(f"arns: it is for state {RESTORED} only")
    return found


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """What the module returns. Raises Refused, and the errors of calls."""
    return {PLANNED: planned, APPLIED: applied, RESTORED: restored}[params["state"]](aws, params)


def rules_of(params: dict[str, Any]) -> plans.Rules:
    """What the options allow."""
    return plans.Rules(
        scope=params["scope"],
        types=tuple(params["types"]),
        max_removals=params["max_removals"],
        max_percent=params["max_percent"],
        grace_period=timedelta(days=params["grace_period_days"]),
        lifetime=timedelta(hours=params["plan_lifetime_hours"]),
        allow_unknown_creator=params["allow_unknown_creator"],
    )


# Planning


def planned(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """Scans, remembers what was seen, and saves a plan; no plan without a scope. Raises Refused."""
    scanned = scan.scan(aws, _scan_params(params))
    result, book = scanned.result, scanned.ledger
    book.encryption = encryption(params["kms_key_id"])
    if not aws.check_mode:
        book.write(remembered(book.content, scanned))
    shown = {**result, "resources": [each for each in result["resources"] if each["verdict"] != MANAGED]}
    if not (params["scope"] and any(params["scope"].values())):
        msg = "No scope is declared: what is found is only reported."
        return {"changed": False, "plan": None, "digest": "", "kept": [], "scan": shown, "msg": msg}
    try:
        plan, kept = plans.make(result, book.quarantined, rules_of(params), catalogue.ALL, scanned.context.now)
    except Refused as error:
        return {"failed": True, "changed": False, "msg": str(error), "plan": None, "digest": "", "scan": shown}
    if not aws.check_mode:
        _save(aws, params, plan)
    return {
        "changed": False,
        "plan": plan,
        "digest": plan["digest"],
        "kept": [{"arn": arn, "reason": reason} for arn, reason in sorted(kept.items())],
        "scan": shown,
        "diff": _diff(plan["steps"], [item["arn"] for item in plan["steps"] if not item["blocked_by"]]),
    }


def remembered(content: dict[str, Any], scanned: scan.Scan) -> dict[str, Any]:
    """The ledger after a scan."""
    result, inventory = scanned.result, scanned.inventory
    # What AWS gives a time of needs none of ours.
    timeless = [arn for arn, resource in inventory.resources.items() if resource.created is None]
    listed = {*inventory.regions, ""} if result["complete"] else set()
    content = ledger.with_seen(content, timeless, result["time"], listed)
    if not result["complete"]:
        return content
    whole = {(listing.type, listing.region) for listing in inventory.listings if listing.status == COMPLETE}
    unseen = ledger.unseen(content, inventory.resources, whole, inventory.caller.account, inventory.regions)
    content = ledger.without_quarantine(content, [arn for arn in unseen if _is_gone(inventory, content, arn)])
    return ledger.with_scan(content, result["time"], result["states"])


def _is_gone(inventory: Inventory, content: dict[str, Any], arn: str) -> bool:
    """Whether what is in quarantine, and in no list, cannot be read by its id either."""
    entry = content["quarantined"][arn]
    kind = catalogue.ALL.get(entry["type"])
    try:
        return kind is not None and inventory.one(kind, entry["id"], entry["region"], arn) is None
    except (ClientError, BotoCoreError):
        return False


def _scan_params(params: dict[str, Any]) -> dict[str, Any]:
    return {**params, "types": None}


def _save(aws: Aws, params: dict[str, Any], plan: dict[str, Any]) -> None:
    body = json.dumps(plan, indent=1, sort_keys=True)
    if not params["plan_file"]:
        aws.client("s3").put_object(
            Bucket=params["state_bucket"],
            Key=params["plan_key"],
            Body=body.encode(),
            ContentType="application/json",
            **encryption(params["kms_key_id"]),
        )
        return
    path = os.path.abspath(params["plan_file"])
    try:
        # mkstemp makes it readable for its owner alone.
        number, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".plan-")
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(body)
        os.replace(temporary, path)
    except OSError as error:
        raise Refused(f"the plan cannot be written to {path}: {error.strerror}. Fix: name another plan_file") from error


def _load(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """The plan that is to be carried out. Raises Refused."""
    if params["plan"]:
        plans.refuse_malformed(params["plan"])
        return params["plan"]
    if params["plan_file"]:
        try:
            with open(params["plan_file"], "rb") as file:
                return plans.parse(file.read())
        except OSError as error:
            raise Refused(f"the plan {params['plan_file']} cannot be read: {error.strerror}. Fix: make one") from error
    bucket, key = params["state_bucket"], params["plan_key"]
    answer = read_or_none(aws.client("s3").get_object, ABSENT, Bucket=bucket, Key=key)
    if answer is None:
        raise Refused(
            f"there is no plan at s3://{bucket}/{key}. Nothing was changed. Fix: make one, with state: planned"
        )
    return plans.parse(answer["Body"].read())


# Carrying out


def applied(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """Carries out an approved plan, or in check mode says what would be done. Raises Refused."""
    plan, rules = _load(aws, params), rules_of(params)
    caller = whoami(aws)
    plans.refuse_unapproved(
        plan,
        approved=params["digest"],
        account_id=caller.account,
        confirmed=params["confirm_account_id"],
        regions=params["regions"] or [aws.client("sts").meta.region_name],
        rules=rules,
        now=scan.clock(),
    )
    if not plan["steps"]:
        return _applied(plan, {}, aws.check_mode)
    table = params["lock_table"]
    ours = {params["ledger_key"], params["plan_key"]}
    known = states.read(aws, params["state_bucket"], table, ours, catalogue.NAMED_BY)
    keys = sorted(known.files)
    if known.locked:
        locks = "; ".join(f"state {key}: {who}" for key, who in sorted(known.locked.items()))
        raise Refused(
            f"a run may be making resources: {locks}. Nothing was changed. Fix: run this again when it is over"
        )
    bucket = params["state_bucket"]
    if aws.check_mode:
        acting = _acting(aws, params, plan, rules, Interrupts(), keys, locks_held=False)
        removal.foretell(acting)
        return _applied(plan, acting.results, True)
    used_table = table if DYNAMODB in params["locking"] else None
    carried: removal.Acting | None = None
    msg = ""
    with Interrupts() as interrupts:
        try:
            with removal.all_locked(
                aws, bucket, used_table, keys, params["locking"], encryption(params["kms_key_id"])
            ) as ids:

                def alone() -> None:
                    removal.refuse_other_locks(aws, bucket, table, ids)

                with interrupts.open():
                    carried = _acting(aws, params, plan, rules, interrupts, keys, locks_held=True)
                carried.alone = alone
                carried.check()
                book = carried.scanned.ledger
                now = expressions.written(carried.scanned.context.now)
                book.write(ledger.with_used_plan(book.content, plan["digest"], plan["expires"], now))
                removal.carry_out(carried)
        except (ClientError, BotoCoreError, Refused) as error:
            if carried is None or not carried.results:
                raise
            msg = explain(error, "it ended before its time")
        except Interrupted as error:
            msg = f"It was ended by {error}. The locks are released. Fix: run it again, with a new plan"
    found = _applied(plan, carried.results if carried else {}, False, msg)
    return {**found, "changed": bool(carried and carried.changed())}


def _acting(
    aws: Aws,
    params: dict[str, Any],
    plan: dict[str, Any],
    rules: plans.Rules,
    interrupts: Interrupts,
    keys: list[str],
    *,
    locks_held: bool,
) -> removal.Acting:
    """A new scan, and all that carrying out needs. Raises Refused where the scan is no ground for it."""
    deadline = time.monotonic() + params["timeout"]
    scanned = scan.scan(aws, _scan_params(params), locks_held=locks_held)
    scanned.ledger.encryption = encryption(params["kms_key_id"])
    scanned.inventory.stamp = re.sub(r"\D", "", plan["created"])
    if plan["digest"] in scanned.ledger.content["used_plans"]:
        raise Refused(
            "this plan was carried out before, whatever became of it, and an approval is for once. Nothing was "
            "changed. Fix: make a new plan, and have that approved"
        )
    plans.refuse_incomplete(scanned.result)
    plans.refuse_lost_states(plan["states"], scanned.result["states"])
    new = sorted({state["key"] for state in scanned.result["states"]} - set(keys))
    if new:
        raise Refused(
            f"state {', '.join(new)} was written just now, without being locked here. Nothing was changed. Fix: run "
            "this again"
        )
    limits = plan["limits"]
    narrower = {
        "max_removals": min(rules.max_removals, limits["max_removals"]),
        "max_percent": min(rules.max_percent, limits["max_percent"]),
    }
    rules = plans.Rules(**{**vars(rules), **narrower})
    return removal.Acting(scanned, plan, rules, catalogue.ALL, interrupts, deadline)


def _applied(plan: dict[str, Any], results: dict[str, Any], check_mode: bool, msg: str = "") -> dict[str, Any]:
    order = [item["arn"] for item in plan["steps"] if item["arn"] in results]
    found = [results[arn] for arn in order]
    failed = [each for each in found if each["result"] == removal.FAILED]
    returned: dict[str, Any] = {
        "changed": any(each["result"] in removal.CHANGES for each in found),
        "digest": plan["digest"],
        "results": found,
        "diff": _diff(plan["steps"], [each["arn"] for each in found if each["result"] in removal.CHANGES]),
    }
    if failed or msg:
        whole = [msg] if msg else []
        whole += [f"{each['arn']}: {each['reason']}" for each in failed]
        returned.update(failed=not check_mode, msg="; ".join(whole))
    return returned


def _diff(items: list[dict[str, Any]], arns: list[str]) -> list[dict[str, Any]]:
    """What happens to which resource, for --diff."""
    before, after = {}, {}
    for item in items:
        if item["arn"] in arns:
            before[item["arn"]] = "in quarantine" if item["action"] in (REMOVE, RESTORE) else "there"
            after[item["arn"]] = WORDS[item["action"]]
    return (
        [{"before_header": "resources", "after_header": "resources", "before": before, "after": after}] if after else []
    )


# Undoing


def restored(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """Brings back what resources were before their quarantine. Raises Refused."""
    caller = whoami(aws)
    for meant in (params["confirm_account_id"], params["expected_account_id"]):
        if meant and meant != caller.account:
            raise Refused(f"the credentials are of account {caller.account}, and {meant} is meant. Nothing was changed")
    book = ledger.read(aws, params["state_bucket"], params["ledger_key"], encryption(params["kms_key_id"]))
    wanted = sorted(book.quarantined) if params["arns"] is None else list(dict.fromkeys(params["arns"]))
    unknown = [arn for arn in wanted if arn not in book.quarantined]
    if unknown:
        raise Refused(f"{', '.join(unknown)}: not in quarantine. Nothing was changed. Fix: name what the ledger has")
    accounts = {arn: ledger.account_of(arn, book.quarantined[arn]) for arn in wanted}
    others = [
        f"{arn} is of account {account}" for arn, account in accounts.items() if account not in ("", caller.account)
    ]
    if others:
        raise Refused(
            f"{'; '.join(others)}, and the credentials are of {caller.account}. Nothing was changed. Fix: use those of "
            "the account that is meant, or name in arns what is of this one"
        )
    home = aws.client("sts").meta.region_name
    regions = sorted({book.quarantined[arn]["region"] or home for arn in wanted}) or [home]
    inventory = Inventory(aws, caller, regions)
    msg, results = "", {}
    with Interrupts() as interrupts:
        try:
            for arn in wanted:
                interrupts.check()
                results[arn] = removal.restore_one(inventory, book, catalogue.ALL, arn, interrupts, params["timeout"])
        except Refused as error:
            if not results:
                raise
            msg = str(error)
        except Interrupted as error:
            msg = f"It was ended by {error}. Fix: run it again, which does the rest"
    items = [{"arn": arn, "action": RESTORE} for arn in wanted]
    plan = {"steps": items, "digest": ""}
    return {name: value for name, value in _applied(plan, results, aws.check_mode, msg).items() if name != "digest"}
