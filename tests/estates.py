# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Estates as estate_status_info returns them, the same each time: of three stacks, of twelve, of a thousand."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._status import gather, model
from tests.unit.plugins.module_utils.findings.results import result

NOW = datetime(2026, 11, 26, 8, 30, tzinfo=UTC)
ACCOUNT, REGION = "111122223333", "eu-central-1"
BASE = model.console("aws", REGION)

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
NAMES = "network dns website shop-api shop-database identity monitoring data-lake mail cdn build-agents backup".split()
MESSAGES = [
    "Open port 443 for the new balancer",
    "Raise the size of the database to db.r6g.large",
    "Renew the certificate of the shop",
    "Use the shared VPC module 4.2",
    "Rotate the keys of the mail relay",
    "Zweites Subnetz für die Datenbank",
    "Tag everything with its cost centre",
]


def ago(**time: float) -> str:
    """A time before now."""
    return model.utc(NOW - timedelta(**time))


def stack(name: str, results: list[str], **changed: Any) -> dict[str, Any]:
    """A stack with runs of these results, the newest first, and what a test changes."""
    numbers = random.Random(name)
    pipeline, hours, runs = f"gitops-{name}", numbers.uniform(0.2, 30), []
    usual = numbers.uniform(90, 600)
    for each in results:
        seconds = int(usual * numbers.uniform(0.8, 1.35)) * (1 if numbers.random() < 0.8 else 6)
        identity = f"{numbers.getrandbits(32):08x}-9a52-4f57-8f43-{numbers.getrandbits(48):012x}"
        over = each not in (model.RUNNING, model.WAITING)
        runs.append(
            {
                "id": identity,
                "result": each,
                "started": ago(hours=hours, seconds=seconds),
                "ended": ago(hours=hours) if over else "",
                "seconds": seconds if over else None,
                "commit": f"{numbers.getrandbits(160):040x}",
                "message": numbers.choice(MESSAGES),
                "trigger": "Webhook",
                "reason": "",
                "url": model.execution_url(BASE, pipeline, identity, REGION),
            }
        )
        hours += numbers.uniform(3, 60)
    made = {
        "name": name,
        "pipeline": pipeline,
        "repository": "acme/infrastructure",
        "branch": "main",
        "url": model.pipeline_url(BASE, pipeline, REGION),
        "reason": "",
        "runs": runs,
        "last": model.last(runs),
        "approval": None,
        "lock": {"state": model.FREE, "reason": ""},
        "drift": {
            "state": model.NONE,
            "reason": "",
            "count": 0,
            "ignored": 0,
            "since": "",
            "at_least": False,
            "checked": ago(hours=4.5),
            "old": False,
            "summary": "nothing",
            "effects": "",
            "url": model.execution_url(BASE, f"{pipeline}-drift", "1", REGION),
        },
        **changed,
    }
    return {**made, "flags": model.flags(made)}


def usual(name: str, number: int = 20) -> list[str]:
    """Results as they come: mostly good."""
    numbers = random.Random(f"results of {name}")
    weights = {model.SUCCEEDED: 70, model.UNCHANGED: 18, model.FAILED: 7, model.STOPPED: 2, model.SUPERSEDED: 3}
    return [model.SUCCEEDED, *numbers.choices(list(weights), list(weights.values()), k=number - 1)]


def failing(name: str, error: str, **changed: Any) -> dict[str, Any]:
    """A stack whose newest run has failed."""
    made = stack(name, [model.FAILED, *usual(name, 19)], **changed)
    made["runs"][0]["reason"] = error
    return made


def waiting(name: str, **time: float) -> dict[str, Any]:
    """A stack whose newest run waits for somebody."""
    made = stack(name, [model.WAITING, *usual(name, 19)])
    since, url = ago(**time), made["url"]
    made["runs"][0]["started"] = since
    approval = {"execution_id": made["runs"][0]["id"], "stage": "Deploy", "action": "Approve", "since": since}
    made["approval"] = {**approval, "url": url}
    return {**made, "flags": model.flags(made)}


def drifting(name: str, count: int, effects: str, **time: float) -> dict[str, Any]:
    """A stack that is otherwise than its code says."""
    made = stack(name, usual(name))
    made["drift"] |= {"state": model.FOUND, "count": count, "since": ago(**time), "effects": effects}
    return {**made, "flags": model.flags(made)}


def locked(name: str, results: list[str], who: str, **time: float) -> dict[str, Any]:
    """A stack whose state is locked."""
    held = {"state": model.HELD, "reason": "", "id": "b7f6ddaf", "who": who, "operation": "apply", "since": ago(**time)}
    return stack(name, results, lock=held)


def findings() -> dict[str, Any]:
    """What the scan of the account has found."""
    told = gather.told(result())
    url = model.execution_url(BASE, "gitops-drift", "2", REGION)
    return {"reason": "", "checked": ago(hours=4.4), "url": url, "old": False, "approval_url": "", **told}


def estate(stacks: list[dict[str, Any]], **changed: Any) -> dict[str, Any]:
    """An estate of these stacks."""
    made = {
        "time": model.utc(NOW),
        "name": "gitops",
        "account_id": ACCOUNT,
        "region": REGION,
        "complete": True,
        "problems": [],
        "stacks": stacks,
        "findings": findings(),
        **changed,
    }
    return {**made, "counts": model.counts(made)}


def twelve() -> list[dict[str, Any]]:
    """The stacks of an ordinary morning."""
    made = {name: stack(name, usual(name)) for name in NAMES}
    error = "Apply: Error: creating EC2 Subnet: InvalidSubnet.Conflict: The CIDR '10.0.3.0/24' conflicts with another"
    made["network"] = failing("network", error)
    made["website"] = waiting("website", hours=3.2)
    made["data-lake"] = waiting("data-lake", minutes=14)
    made["identity"] = drifting("identity", 2, "changed: aws_iam_role.deploy, aws_iam_policy.read", days=3.1)
    made["monitoring"] = stack("monitoring", [model.UNCHANGED, *usual("monitoring", 19)])
    made["cdn"] = locked("cdn", [model.RUNNING, *usual("cdn", 19)], "root@6f1c3f1f8a1e", minutes=6)
    return list(made.values())


def thousand() -> list[dict[str, Any]]:
    """Many stacks, some of which call for somebody."""
    made = []
    for number in range(1000):
        name = f"{NAMES[number % len(NAMES)]}-{number:04}"
        if number % 37 == 0:
            made.append(failing(name, f"Plan: Error: something of {name} is not as it should be"))
        elif number % 41 == 0:
            made.append(waiting(name, hours=1 + number / 10))
        elif number % 43 == 0:
            made.append(drifting(name, number % 7 + 1, "changed: aws_vpc.main", days=number % 30 + 1))
        elif number % 97 == 0:
            made.append(locked(name, usual(name), "alice@laptop", days=2))
        else:
            made.append(stack(name, usual(name)))
    return made
