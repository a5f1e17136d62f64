# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the documents of an estate are, and how many things it has, by its number of stacks; nothing is called.

    python -m tests.bench.estate_sizes

prints the tables of docs/scale.md. The documents are those that the playbooks hand to AWS, rendered by the same
functions; the estate has all that may make them longer: seal, drift with removal, notifications.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / ".work" / "collections")]

from ansible_collections.gitops.aws.plugins.module_utils._estate import (  # noqa: E402
    break_glass,
    bucket_policies,
    drift,
    guardrails,
    installer,
    names,
    observers,
    organisation,
    people,
    pipelines,
    roles,
    seal,
    spec,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue  # noqa: E402
from ansible_collections.gitops.aws.plugins.module_utils._notices import resources  # noqa: E402

SIZES = (1, 100, 1_000, 10_000)
ACCOUNT, REGION = "111122223333", "eu-central-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55"
CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/4dfa8f62-2a3c-4f57-9a52-0f2f5d3f1c55"

# What AWS takes, in characters; IAM's limits count no white space, and the documents that are measured have none.
LIMITS = {
    "role's inline policies": 10_240,
    "role's trust policy": 2_048,
    "managed policy": 6_144,
    "bucket policy": 20_480,
    "table policy": 20_480,
    "key policy": 32_768,
    "organisation's policy": 5_120,
    "state machine": 1_048_576,
    "state's output": 262_144,
}

Document = dict[str, Any]
Estate = tuple[dict[str, Any], list[dict[str, Any]]]


def given_stacks(count: int) -> list[dict[str, Any]]:
    """Stacks whose names have 20 characters, as a user writes them. (They must differ in their first 13.)"""
    return [
        {"name": f"s{number:05}-team-services", "repository": "acme/infra", "path": f"stacks/{number}"}
        for number in range(count)
    ]


def estate(stacks: list[dict[str, Any]]) -> Estate:
    """The foundation and the checked stacks, as the filters get them.

    Raises:
        ValueError: the stacks are refused.
    """
    settings, checked, problems = spec.check(
        {
            "region": REGION,
            "connection": "github",
            "installers": ["role/platform"],
            "drift": {"removal": True, "scope": {"account": True}, "types": list(catalogue.REMOVABLE)},
            "notifications": {"recipients": [{"email": "platform@example.com"}]},
        },
        stacks,
        [REGION],
    )
    if problems:
        raise ValueError("; ".join(problems))
    shared = names.foundation_of(settings, ACCOUNT, "aws")
    return {
        **shared,
        "kms_key_arn": KEY,
        "connection_arn": CONNECTION,
        "permissions_boundary": "",
        "authors": {},
    }, checked


def length(document: Any) -> int:
    """Characters without white space between the parts."""
    return len(json.dumps(document, separators=(",", ":")))


def of_role(name: str, role: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """A role's inline policies together, and its trust policy."""
    yield name, "role's inline policies", sum(map(length, role["inline_policies"].values()))
    yield name, "role's trust policy", length(role["assume_role_policy"])


def of_account_roles(shared: dict[str, Any], stacks: list[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """Of the roles that an account has once."""
    made = [*drift.drift_roles(shared, stacks), *break_glass.break_glass_roles(shared)]
    for role in [*made, *resources.notices(shared, stacks, [])["roles"]]:
        yield from of_role(role["name"], role)


def of_stack_roles(shared: dict[str, Any], stacks: list[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """Of the roles of the first stack; those of the others are like them, but for `after`."""
    for purpose in ("plan", "apply"):
        yield from of_role(f"stack's {purpose}", roles.build_role(shared, stacks[0], purpose, stacks))
    yield from of_role("stack's pipeline", roles.pipeline_role(shared, stacks[0]))


def of_people(shared: dict[str, Any], stacks: list[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """What policies.yml writes: managed policies, and policies of the organisation.

    Raises:
        ValueError: one of the organisation's would be longer than AWS takes.
    """
    # policies.yml calls nothing: of a key it knows the one that the user names.
    uncalled = {**shared, "kms_key_arn": shared["named_key_arn"]}
    managed = {
        **installer.installer_policies(uncalled, stacks),
        **drift.drift_policies(uncalled, stacks),
        "operator": people.operator_policy(uncalled),
        "recovery": people.recovery_policy(uncalled),
        "doctor": observers.doctor_policy(uncalled),
        "reporter": observers.reporter_policy(uncalled),
        "verifier": observers.verifier_policy(uncalled),
        "developer": guardrails.developer_policy(uncalled, stacks),
        "boundary": guardrails.boundary_policy(uncalled, stacks),
    }
    for name, document in managed.items():
        yield name, "managed policy", length(document)
    for name, text in organisation.service_control_policies(uncalled, stacks).items():
        yield name, "organisation's policy", len(text)
    yield "resource control policy", "organisation's policy", len(organisation.resource_control_policy(shared, stacks))


def of_foundation(shared: dict[str, Any], stacks: list[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """What site.yml makes once: the seal's managed policies, and the policies of buckets, table and key."""
    for policy in break_glass.managed_policies(shared, stacks):
        yield policy["name"], "managed policy", length(policy["policy"])
    state, artifacts = (names.bucket_arn(shared, shared[f"{kind}_bucket"]) for kind in ("state", "artifact"))
    of_state = bucket_policies.state_bucket_policy(state, shared["kms_key_arn"], seal.state_bucket(shared, stacks))
    yield "state bucket", "bucket policy", length(of_state)
    of_artifacts = bucket_policies.artifact_bucket_policy(artifacts, seal.artifact_bucket(shared, stacks))
    yield "artifact bucket", "bucket policy", length(of_artifacts)
    yield "lock table", "table policy", length(seal.lock_table(shared, stacks))
    yield "key", "key policy", length(seal.key(shared, stacks))


def of_notices(shared: dict[str, Any], stacks: list[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """The state machine that tells people, and what its first state hands on: a table of the stacks, and the event,
    of which a kilobyte is plenty."""
    machine = resources.notices(shared, stacks, [])["state_machines"][0]["definition"]
    yield "notices", "state machine", length(machine)
    yield "notices' table of stacks", "state's output", length(machine["States"]["Event"]["Output"]["tables"]) + 1_024


PARTS = (of_stack_roles, of_account_roles, of_foundation, of_notices, of_people)


def documents(shared: dict[str, Any], stacks: list[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """Name, kind (a key of LIMITS) and length of every document."""
    for part in PARTS:
        yield from part(shared, stacks)


def things(shared: dict[str, Any], stacks: list[dict[str, Any]]) -> dict[str, int]:
    """How many of what AWS counts the estate has."""
    others = [*drift.drift_roles(shared, stacks), *break_glass.break_glass_roles(shared)]
    others += resources.notices(shared, stacks, [])["roles"]
    rules = pipelines.source_rules(stacks, shared)  # each with a role
    return {
        "roles": len(names.PURPOSES) * len(stacks) + len(rules) + len(others),
        "customer managed policies": len(break_glass.managed_policies(shared, stacks)),
        "build projects": 3 * len(stacks) + len(drift.steps(shared)),
        "pipelines": len(pipelines.stack_pipelines(stacks, shared)) + len(drift.drift_pipelines(shared)),
        "schedules": len(drift.drift_schedules(shared, stacks)),
        "rules": len(rules) + len(break_glass.alarm_rules(shared)) + len(resources.notices_rules(shared, stacks, {})),
    }


def most(fits: Callable[[int], bool], upper: int = 5_000) -> int:
    """The greatest number for which something fits, which fits for all smaller ones; by bisection."""
    lower = 0
    while lower < upper:
        middle = (lower + upper + 1) // 2
        if fits(middle):
            lower = middle
        else:
            upper = middle - 1
    return lower


def within(stacks: list[dict[str, Any]], *parts: Callable[..., Iterator[tuple[str, str, int]]]) -> bool:
    """Whether all documents of these parts are short enough for AWS."""
    made = estate(stacks)
    try:
        return all(size <= LIMITS[kind] for part in parts for _name, kind, size in part(*made))
    except ValueError:
        return False


def with_dependents(count: int) -> list[dict[str, Any]]:
    """Stacks of which all but the first come after the first."""
    first, *others = given_stacks(count + 1)
    return [first, *({**one, "after": [first["name"]]} for one in others)]


def with_named_roles(count: int) -> list[dict[str, Any]]:
    """Stacks each of which names roles of its own for plan and apply."""
    return [
        {
            **one,
            **{f"{step}_role_arn": f"arn:aws:iam::{ACCOUNT}:role/{one['name']}-{step}" for step in ("plan", "apply")},
        }
        for one in given_stacks(count)
    ]


def with_sources(count: int, source: str) -> list[dict[str, Any]]:
    """Stacks each of which has its code in a repository of CodeCommit, or a bucket, of its own; of 19 characters."""
    made = []
    for one in given_stacks(count):
        name = one["name"][1:]
        of_bucket = {"repository": None, "source_bucket": name, "source_key": "source.zip"}
        made.append({**one, "source": source, **(of_bucket if source == names.S3 else {"repository": name})})
    return made


def sources_that_fit(source: str, part: Callable[..., Iterator[tuple[str, str, int]]]) -> int:
    """How many of these sources the documents of a part bear."""
    return most(lambda count: within(with_sources(count + 1, source), part), 500) + 1


def growing(sizes: dict[int, dict[tuple[str, str], int]]) -> list[tuple[str, str]]:
    """The documents that are longer with more stacks."""
    first, *others = sizes.values()
    return [key for key in first if any(other[key] != first[key] for other in others)]


def main() -> None:
    """Prints the tables."""
    estates = {count: estate(given_stacks(count)) for count in SIZES}
    sizes = {count: {(n, k): size for n, k, size in documents(*one)} for count, one in estates.items()}
    longer = growing(sizes)
    print("| document | limit | " + " | ".join(f"{count:,} stacks" for count in SIZES) + " |")
    print("|---|--:|" + "--:|" * len(SIZES))
    shown: set[str] = set()
    for name, kind in sorted(sizes[1], key=lambda key: (key not in longer, -sizes[1][key] / LIMITS[key[1]])):
        if kind in shown and (name, kind) not in longer:
            continue  # the longest of its kind stands there already
        shown.add(kind)
        row = [sizes[count][name, kind] for count in SIZES]
        cells = [f"{size:,}" if size <= LIMITS[kind] else f"**{size:,}**" for size in row]
        print(f"| {kind}: {name} | {LIMITS[kind]:,} | " + " | ".join(cells) + " |")
    print()
    print("| | " + " | ".join(f"{count:,} stacks" for count in SIZES) + " |")
    print("|---|" + "--:|" * len(SIZES))
    counted = [things(*one) for one in estates.values()]
    for what in counted[0]:
        print(f"| {what} | " + " | ".join(f"{one[what]:,}" for one in counted) + " |")
    print()
    machine = most(lambda count: within(given_stacks(count), of_notices), 10_000)
    print(f"Stacks that the state machine of notices bears: {machine:,}")
    dependents = most(lambda count: within(with_dependents(count), of_stack_roles), 500)
    print(f"Stacks that may come directly after one: {dependents:,}")
    named = most(lambda count: within(with_named_roles(count + 1), of_foundation), 500) + 1
    print(f"Stacks that may name a plan and an apply role of their own, for site.yml: {named:,}")
    named = most(lambda count: within(with_named_roles(count + 1), of_people), 500) + 1
    print(f"... and for what policies.yml writes: {named:,}")
    for source in (names.CODECOMMIT, names.S3):
        fitting = [sources_that_fit(source, part) for part in (of_foundation, of_people)]
        print(f"Sources in {source}, for site.yml and for what policies.yml writes: {fitting}")


if __name__ == "__main__":
    main()
