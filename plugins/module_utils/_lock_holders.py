# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Which builds hold Terraform's locks, what those that died have left behind, and which locks may be released.

Terraform writes user and host into a lock, not the build. A build is known by its time, its step and its end: it ran
when the lock was taken, does what the lock is for, and still runs or died without releasing it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._builds import RUNNING, SUCCEEDED, describe, log_lines
from ansible_collections.gitops.aws.plugins.module_utils._builds import read as read_builds
from ansible_collections.gitops.aws.plugins.module_utils._names import empty_problems
from ansible_collections.gitops.aws.plugins.module_utils._terraform_locks import (
    ABSENT,
    MODULES,
    REMOVAL,
    RESTORE,
    Lock,
    read,
    release,
    time_of,
)
from ansible_collections.gitops.aws.plugins.module_utils._terraform_state import Unreadable, instance_ids

PLACE: dict[str, Any] = {
    "bucket": {"type": "str", "required": True},
    "table": {"type": "str"},
}
OF_A_STATE: dict[str, Any] = {
    "key": {"type": "str", "required": True, "no_log": False},
    "projects": {"type": "list", "elements": "str", "default": []},
}
INFO_ARGUMENTS: dict[str, Any] = {
    **PLACE,
    "states": {"type": "list", "elements": "dict", "required": True, "options": OF_A_STATE},
}
ARGUMENTS: dict[str, Any] = {
    **PLACE,
    **OF_A_STATE,
    "lock_id": {"type": "str"},
    "state": {"type": "str", "choices": ["released"], "default": "released"},
}

# Of AWS: a build runs 36 hours at most, after 8 in the queue. One that was started earlier cannot have run then.
LONGEST_BUILD = timedelta(hours=36 + 8)

FAILED = "FAILED"  # CodeBuild's word where a command failed; others are for builds that were ended from outside
WAITING = ("SUBMITTED", "QUEUED")  # phases in which a build does not run yet

# What our own modules take locks for.
PURPOSES = {RESTORE: "to restore the state", REMOVAL: "so that no build runs while it removes resources"}

# Terraform's words. A build whose log has the first one with the id of a lock was kept out by it.
KEPT_OUT, NOT_RELEASED = "Error acquiring the state lock", "Error releasing the state lock"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# What no build takes a lock for, by the end of its project's name. Terraform's words, and our steps.
NEVER = {"-plan": "OperationTypeApply", "-apply": "OperationTypePlan", "-destroy": "OperationTypePlan"}

# Terraform's words when it ends and leaves its lock.
LEFT = (NOT_RELEASED, "TERRAFORM CRASH", "Two interrupts received")

_INDEX = r'(?:\[(?:\d+|"(?:[^"\\]|\\.)*")\])?'
_MODULES = rf"(?:module\.[\w-]+{_INDEX}\.)*"
_ADDRESS = rf"(?P<address>{_MODULES}[\w-]+\.[\w-]+{_INDEX})"
_BEGUN = re.compile(rf"{_ADDRESS}: Creating\.\.\.")
_CREATED = re.compile(rf"{_ADDRESS}: Creation complete after \S+(?: \[id=(?P<id>.*)\])?")

# Lines of a Terraform that holds its lock, and lines that it writes when it is done. What comes before an apply that
# makes its own plan is among the latter: it is followed by the former.
_AT_WORK = re.compile(
    rf"{_MODULES}(?:data\.)?[\w-]+\.[\w-]+{_INDEX}: (?:(?:Refreshing state|Reading|Preparing import|Importing|Creating|"
    r"Modifying|Destroying|Still [a-z]+)\.\.\.|[A-Z][a-z]+ complete\b).*"
)
_DONE = re.compile(
    r"(?:[\u2500-\u257f] *)?Error: .+|(?:Apply|Destroy) complete!.*|Plan: \d.*|No changes\. .*|Changes to Outputs:|"
    r"Saved the plan to: .*"
)

# What CodeBuild says of a command that a signal ended (SIGKILL, SIGABRT, SIGSEGV), and of a container that died.
_KILLED = re.compile(r"exit status 13[479]\b|container found dead")


@dataclass
class Holder:
    """A lock, and what is known of who holds it.

    Attributes:
        lock: as it was read.
        state: running, stale or foreign.
        reason: of the state, in words.
        builds: those that may hold it, as BatchGetBuilds answers them.
        orphans: resources that those builds made and the state does not have; the keys are in orphans() below.
        unfinished: addresses whose making those builds began and did not end.
        unread: why nothing is known of what was left behind, '' where it is.
    """

    lock: Lock
    state: str
    reason: str
    builds: list[dict[str, Any]] = field(default_factory=list)
    orphans: list[dict[str, Any]] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    unread: str = ""

    def public(self) -> dict[str, Any]:
        """As the modules return it; the shape is in their documentation."""
        lock = self.lock
        return {
            "key": lock.key,
            "id": lock.id,
            "kinds": lock.kinds,
            "operation": lock.operation,
            "who": lock.who,
            "terraform_version": lock.terraform_version,
            "created": lock.created,
            "path": lock.path,
            "info": lock.info,
            "state": self.state,
            "reason": self.reason,
            "releasable": self.state == "stale",
            "builds": [_public_build(build) for build in self.builds],
            "orphans": self.orphans,
            "unfinished": self.unfinished,
        }


def _public_build(build: dict[str, Any]) -> dict[str, Any]:
    known = describe(build)
    return {
        **{name: known[name] for name in ("id", "project", "status", "start_time", "end_time")},
        "running": not is_over(build),
        "logs_url": known["logs"]["url"],
    }


# Pure


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments of terraform_lock, found without a call."""
    return empty_problems(params, ("bucket", "table", "key", "lock_id"))


def info_problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments of terraform_locks_info, found without a call."""
    found = empty_problems(params, ("bucket", "table"))
    first: dict[str, int] = {}
    for index, state in enumerate(params["states"]):
        found += [f"states[{index}].{problem}" for problem in empty_problems(state, ("key",))]
        if first.setdefault(state["key"], index) != index:
            found.append(f"states[{index}].key: {state['key']!r} is also that of states[{first[state['key']]}]")
    return found


def is_over(build: dict[str, Any]) -> bool:
    """Whether a build has ended, and not only been told to."""
    return build["buildStatus"] != RUNNING and "endTime" in build


def ran_at(build: dict[str, Any], time: datetime) -> bool:
    """Whether a build was out of the queue, and not over, at a time."""
    phases = [phase for phase in build.get("phases", []) if phase["phaseType"] not in WAITING]
    if not phases and build.get("currentPhase") in WAITING:
        return False
    begin = phases[0].get("startTime") if phases else None
    begin = begin or build.get("startTime")
    return begin is not None and begin <= time and (not is_over(build) or time <= build["endTime"])


def kept_out(log: list[str], lock_id: str) -> bool:
    """Whether the log of a build says that this lock kept it out."""
    text = "\n".join(log)
    return lock_id in text and KEPT_OUT in text and NOT_RELEASED not in text


def fits(build: dict[str, Any], operation: str) -> bool:
    """Whether the step of a build takes locks for an operation; any may where either is unknown."""
    return not any(build["projectName"].endswith(end) and operation == never for end, never in NEVER.items())


def left_lock(build: dict[str, Any], log: list[str]) -> bool:
    """Whether a build that is over, and has not succeeded, may have left its lock.

    Who failed and was not killed was there to release it, unless its log says otherwise.
    """
    if build["buildStatus"] != FAILED:
        return True
    plain = [_COLOUR.sub("", line).strip() for line in log]
    if any(words in line for words in LEFT for line in plain):
        return True
    last = next((line for line in reversed(plain) if _AT_WORK.fullmatch(line) or _DONE.fullmatch(line)), None)
    return _was_killed(build) if last is None else not _DONE.fullmatch(last)


def _was_killed(build: dict[str, Any]) -> bool:
    contexts = [context for phase in build.get("phases", []) for context in phase.get("contexts", [])]
    return any(_KILLED.search(context.get("message", "")) for context in contexts)


def excuse(lock: Lock, build: dict[str, Any], log: list[str]) -> str:
    """Why a build that ran when a lock was taken does not hold it, in words; '' where it may."""
    if not fits(build, lock.operation):
        return f"never takes a lock for {lock.operation.removeprefix('OperationType').lower()}"
    if kept_out(log, lock.id):
        return "was kept out by it"
    if is_over(build) and not left_lock(build, log):
        return "ended by all signs without leaving one"
    return ""


def created_in(log: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """What Terraform made by its log: (address, id) of each resource; and the addresses it began with and no more."""
    made: list[tuple[str, str]] = []
    begun: dict[str, None] = {}
    for line in log:
        plain = _COLOUR.sub("", line).strip()
        begins, ends = _BEGUN.fullmatch(plain), _CREATED.fullmatch(plain)
        if begins:
            begun[begins["address"]] = None
        if ends:
            begun.pop(ends["address"], None)
            made.append((ends["address"], ends["id"] or ""))
    return list(dict.fromkeys(made)), list(begun)


def orphans(made: list[tuple[str, str]], known: dict[str, set[str]], build_id: str) -> list[dict[str, Any]]:
    """Of what a build made, what the state does not know. One without an id is known by its address.

    Where the state has something else of the same address, Terraform cannot import it there.
    """
    return [
        {"address": address, "id": one, "build_id": build_id, "importable": bool(one) and address not in known}
        for address, one in made
        if (one not in known.get(address, set()) if one else address not in known)
    ]


def judge(lock: Lock, builds: list[dict[str, Any]], logs: dict[str, list[str]], projects: list[str]) -> Holder:
    """Who holds a lock.

    Args:
        lock: as it was read.
        builds: of the projects.
        logs: of those that are over and whose step fits, by build id.
        projects: whose builds may hold it.
    """
    time = time_of(lock.created)
    if lock.operation in PURPOSES:
        return Holder(lock, "foreign", f"{MODULES[lock.operation]} took it, {PURPOSES[lock.operation]}")
    if time is None:
        return Holder(lock, "foreign", "it does not say when it was taken, so that nobody can say by which build")
    if not projects:
        return Holder(lock, "foreign", "no build project is named that may hold it")
    excuses = [(build, excuse(lock, build, logs.get(build["id"], []))) for build in candidates(lock, builds)]
    then = [build for build, why in excuses if not why]
    running = [build for build in then if not is_over(build)]
    if running:
        names = " and ".join(build["id"] for build in running)
        return Holder(lock, "running", f"a build that ran when it was taken still runs: {names}", then)
    if then:
        names = " and ".join(f"{build['id']} ({build['buildStatus']})" for build in then)
        return Holder(lock, "stale", f"the build that ran when it was taken is over: {names}", then)
    others = [f"{build['id']} ({build['buildStatus']}) {why}" for build, why in excuses]
    if others:
        return Holder(lock, "foreign", f"none of the builds that ran when it was taken holds it: {', '.join(others)}")
    return Holder(lock, "foreign", f"no build of {', '.join(projects)} can have taken it: another Terraform did")


def candidates(lock: Lock, builds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The builds that may hold a lock by their time. One that succeeded has released its own."""
    time = time_of(lock.created)
    return [build for build in builds if time and build["buildStatus"] != SUCCEEDED and ran_at(build, time)]


# With calls


def look(
    aws: Aws, bucket: str, table: str | None, states: list[dict[str, Any]], leftovers: bool = True
) -> list[Holder]:
    """The locks on states, each with who holds it; states as key and projects.

    Without `leftovers` no state is read, and nothing is known of what a dead build left behind.
    """
    projects = {state["key"]: state["projects"] for state in states}
    locks = [lock for some in read(aws, bucket, table, list(projects)).values() for lock in some]
    if locks:
        for service in ("codebuild", "logs"):
            aws.client(service)  # boto3 makes clients in one thread only
    since: dict[str, datetime] = {}
    for lock in locks:
        time = time_of(lock.created)
        if time is not None and lock.operation not in PURPOSES:
            since.update({project: min(time, since.get(project, time)) for project in projects[lock.key]})
    builds = dict(zip(since, aws.map(lambda project: _builds_since(aws, project, since[project]), list(since))))

    def holder(lock: Lock) -> Holder:
        own = [build for project in projects[lock.key] for build in builds.get(project, [])]
        over = [build for build in candidates(lock, own) if is_over(build) and fits(build, lock.operation)]
        logs = {build["id"]: _log(aws, build) for build in over}
        found = judge(lock, own, logs, projects[lock.key])
        if found.state == "stale" and leftovers:
            _leftovers(aws, bucket, found, logs)
        return found

    return aws.map(holder, locks)


def _builds_since(aws: Aws, project: str, time: datetime) -> list[dict[str, Any]]:
    """The builds of a project that may have run at a time or later (ListBuildsForProject, the newest first)."""
    found: list[dict[str, Any]] = []
    pages = aws.client("codebuild").get_paginator("list_builds_for_project")
    for page in pages.paginate(projectName=project, sortOrder="DESCENDING"):
        builds = read_builds(aws, page.get("ids", []))
        found += builds
        if any(build["startTime"] < time - LONGEST_BUILD for build in builds if "startTime" in build):
            break
    return found


def _log(aws: Aws, build: dict[str, Any]) -> list[str]:
    lines, _cursors = log_lines(aws, [build], {})
    return [line["text"] for line in lines]


def _leftovers(aws: Aws, bucket: str, holder: Holder, logs: dict[str, list[str]]) -> None:
    """Adds what the builds of a stale lock have made and the state does not know."""
    answer = read_or_none(aws.client("s3").get_object, ABSENT, Bucket=bucket, Key=holder.lock.key)
    try:
        known = instance_ids(answer["Body"].read()) if answer else {}
    except Unreadable as error:
        holder.unread = f"state {holder.lock.key}: {error}, so that nobody can say what its builds left behind"
        return
    for build in holder.builds:
        made, unfinished = created_in(logs[build["id"]])
        holder.orphans += orphans(made, known, build["id"])
        holder.unfinished += unfinished


def info(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that terraform_locks_info does; returns its result."""
    found = look(aws, params["bucket"], params["table"], params["states"])
    return {"changed": False, **_result("locks", found)}


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that terraform_lock does; returns its result. Raises Refused, and the errors of calls."""
    bucket, table, lock_id = params["bucket"], params["table"], params["lock_id"]
    found = look(aws, bucket, table, [{"key": params["key"], "projects": params["projects"]}])
    meant = [holder for holder in found if lock_id in (None, holder.lock.id)]
    if found and not meant:
        held = "; ".join(holder.lock.words() for holder in found)
        raise Refused(f"there is no lock {lock_id}. Nothing was released. Held is {held}. Fix: name that one")
    # Somebody who names a lock has looked at it.
    kept = [holder for holder in meant if holder.state != "stale" and lock_id is None]
    if kept:
        raise Refused(" ".join(refusal(holder) for holder in kept))
    if not aws.check_mode:
        for holder in meant:
            release(aws, bucket, table, holder.lock)
    return {
        "changed": bool(meant),
        **_result("released", meant),
        "left": [holder.public() for holder in found if holder not in meant],
        "diff": [difference(holder.lock) for holder in meant],
    }


def difference(lock: Lock) -> dict[str, Any]:
    """The entry of Ansible's diff for a lock that is released."""
    title = f"lock of {lock.key}"
    before = {"id": lock.id, "who": lock.who, "operation": lock.operation, "created": lock.created, "kinds": lock.kinds}
    return {"before_header": title, "after_header": title, "before": before, "after": {}}


def refusal(holder: Holder) -> str:
    """That a lock is not released, in words."""
    fix = "wait for the end of the build, or stop it. " if holder.state == "running" else "ask who holds it. "
    return (
        f"{holder.lock.words()}, is not released: {holder.reason}. Nothing was released. Fix: {fix}When you are sure "
        f"that nobody works under it any more, release it with lock_id: {holder.lock.id}"
    )


def _result(name: str, holders: list[Holder]) -> dict[str, Any]:
    unread = [holder.unread for holder in holders if holder.unread]
    return {name: [holder.public() for holder in holders], **({"warnings": unread} if unread else {})}
