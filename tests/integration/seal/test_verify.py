# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify.yml: every attempt is refused, and each is seen to get through where what refuses it is gone.

What it expects to be allowed is seen to be refused where something is missing.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import attempts as attempts_module
from ansible_collections.gitops.aws.plugins.module_utils._estate.attempts import OWN_WORK, attempts
from ansible_collections.gitops.aws.plugins.module_utils._estate.guardrails import developer_policy
from ansible_collections.gitops.aws.plugins.module_utils._estate.verdicts import left_open, settled
from tests.e2e.estate import Run
from tests.integration.seal.conftest import (
    ARTIFACT_BUCKET,
    CHECKED_STACKS,
    ESTATE,
    FOUNDATION,
    IAM,
    PACKED,
    STATE_BUCKET,
    Sealed,
)

ATTEMPTS = attempts({**FOUNDATION, "kms_key_arn": "key"}, CHECKED_STACKS[0], stacks=CHECKED_STACKS)
CHECKS = {one["name"]: one for one in ATTEMPTS}
WORK = [name for name in CHECKS if OWN_WORK in name]
SETTLED, OPEN = (
    [f"{line['who']}: {line['what']}" for line in lines]
    for lines in (settled({"authors": {"x": "y"}}, CHECKED_STACKS[0], []), left_open(FOUNDATION))
)


def table(run: Run) -> dict[str, str]:
    """What the playbook has shown: the column OBSERVED by attempt."""
    row = r'^ +"(\S.*?)  +(\S.*?)  +(?:simulation|settings|-)  +(?:refused|allowed)  +'
    row += r"(refused|allowed|open|GOT THROUGH|REFUSED|NOT THERE) "
    return {f"{who}: {what}": observed for who, what, observed in re.findall(row, run.output, re.MULTILINE)}


# The playbook


@pytest.fixture(scope="module")
def runs(sealed: Sealed) -> dict[str, Run]:
    """The playbook as it is meant, and with real people who have too much; side by side: neither changes anything."""
    iam, role = sealed.client("iam"), "seal-developers"
    people = {"Effect": "Allow", "Principal": {"AWS": f"{IAM}:root"}, "Action": "sts:AssumeRole"}
    rights = {"Effect": "Allow", "Action": ["codepipeline:*", "ssm:GetParameter"], "Resource": "*"}
    trust, own = (json.dumps({"Version": "2012-10-17", "Statement": [one]}) for one in (people, rights))
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=own)

    def run(developer: dict[str, str]) -> Run:
        return sealed.estate.playbook("verify.yml", sealed.verifier, **developer)

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(("plain", "people"), pool.map(run, ({}, {"developer": f"role/{role}"})), strict=True))
    iam.delete_role_policy(RoleName=role, PolicyName="own")
    iam.delete_role(RoleName=role)
    return found


def test_everything_is_refused_and_nothing_is_touched(runs: dict[str, Run]) -> None:
    run = runs["plain"]

    assert not run.failed, run.output
    shown = table(run)
    assert len(shown) >= 25
    assert set(shown) == {*CHECKS, *SETTLED, *OPEN}
    assert {name for name, observed in shown.items() if observed == "allowed"} == set(WORK)
    assert {name for name, observed in shown.items() if observed == "open"} == set(OPEN)
    assert {shown[name] for name in shown if name not in WORK + OPEN} == {"refused"}
    assert f"{len(shown)} attempts with the stack network" in run.text
    assert run.recap["changed"] == 0
    assert run.mutations == []
    assert {call["action"] for call in run.calls if call["error_code"]} == set()


def test_the_playbook_fails_and_says_what_got_through(sealed: Sealed) -> None:
    with (
        sealed.bucket(STATE_BUCKET, "OnlyKnownRead"),
        sealed.seal("Logs"),
        sealed.project("apply", STACK_BRANCH="other"),
        sealed.pipeline(),
    ):
        run = sealed.estate.playbook("verify.yml", sealed.verifier)

    through = {
        "administrator: read the state",
        "plan role: delete the builds' logs",
        "apply role: delete the builds' logs",
        *SETTLED,
    }
    assert run.failed
    assert {name for name, observed in table(run).items() if observed == "GOT THROUGH"} == through
    message = run.result["msg"]
    assert f"{len(through)} of {len(CHECKS) + len(SETTLED) + len(OPEN)} attempts did not end as they must" in message
    for name in through:
        assert f"{name.replace(': ', ', ')}: GOT THROUGH" in message
    for changed in (f"{ESTATE}-network-apply", f"{ESTATE}-network"):
        assert re.search(rf"not as site.yml makes it: [^)]*\b{changed}(?![\w-])", message)
    assert "Run site.yml" in message
    assert run.mutations == []


def test_real_people_who_have_too_much(runs: dict[str, Run]) -> None:
    """Their own rights count, not what developer.json says."""
    run, role = runs["people"], "role/seal-developers"

    assert run.failed
    shown = table(run)
    assert {name for name, observed in shown.items() if observed == "GOT THROUGH"} == {
        f"{role}: {what}"
        for what in (
            "change the pipeline",
            "start the pipeline with another commit",
            "approve",
            "override a stage's condition",
            "roll a stage back",
            "read the access key",
        )
    }
    assert f"{role}, approve: GOT THROUGH (role_seal-developers_own)" in run.result["msg"]
    assert not [name for name in shown if name.startswith("developer: ")]


# Each attempt, where what refuses it is gone


@dataclass(frozen=True)
class Weakening:
    """Something taken out of what protects the estate, and the attempts that get through by it: these and no others.

    of: the attempts that are asked: those about the same resource, or by the same roles.
    """

    name: str
    weaken: Callable[[Sealed], list[AbstractContextManager[None]]]
    through: frozenset[str]
    of: Callable[[dict[str, Any]], bool] = field(compare=False)


def about(kind: str, name: str = "") -> Callable[[dict[str, Any]], bool]:
    """Attempts on a resource, by the policy that is asked."""
    return lambda one: one.get("policy_of", {}).get("kind") == kind and (not name or one["policy_of"]["name"] == name)


def by(*roles: str) -> Callable[[dict[str, Any]], bool]:
    """Attempts by these roles."""
    return lambda one: one["name"].partition(": ")[0] in roles


def every(who: list[str], *what: str) -> frozenset[str]:
    """Names of attempts."""
    return frozenset(f"{one}: {each}" for one in who for each in what)


A, P, B = ["administrator"], ["plan role"], ["apply role"]
BUILDS = [*P, *B]
WRITE = every(A, "terraform apply from a laptop: write the state")
KNOWN = every([*A, *BUILDS], "hide that a pipeline was changed")
LOCK_FILE = every(A, "take the lock file", "remove the lock file")
DELETE = ("delete the state", "delete a version of the state")
SETTINGS_OF_STATES = every(
    A,
    "delete the state bucket's policy",
    "replace the state bucket's policy",
    "suspend the versions of the state",
    "let a lifecycle rule delete versions",
    "change the state bucket's encryption",
    "open the state bucket to the public",
    "delete the state bucket",
)


def states(through: frozenset[str], *sids: str) -> Weakening:
    return Weakening(
        f"state bucket without {', '.join(sids)}",
        lambda sealed: [sealed.bucket(STATE_BUCKET, *sids)],
        through,
        about("bucket", STATE_BUCKET),
    )


def artifacts(through: frozenset[str], *sids: str) -> Weakening:
    return Weakening(
        f"artifact bucket without {', '.join(sids)}",
        lambda sealed: [sealed.bucket(ARTIFACT_BUCKET, *sids)],
        through,
        about("bucket", ARTIFACT_BUCKET),
    )


def locks(through: frozenset[str], *sids: str) -> Weakening:
    return Weakening(
        f"lock table without {', '.join(sids)}", lambda sealed: [sealed.table(*sids)], through, about("table")
    )


def key(through: frozenset[str], *sids: str) -> Weakening:
    return Weakening(f"key without {', '.join(sids)}", lambda sealed: [sealed.key(*sids)], through, about("key"))


def role(through: str, name: str) -> Weakening:
    return Weakening(
        f"role {name} for everybody", lambda sealed: [sealed.trust(name)], every(A, through), about("role")
    )


def seal(through: frozenset[str], *sids: str) -> Weakening:
    return Weakening(f"seal without {', '.join(sids)}", lambda sealed: [sealed.seal(*sids)], through, by(*BUILDS))


def inline(who: list[str], what: str, sid: str) -> Weakening:
    purpose = who[0].split()[0]
    return Weakening(
        f"{purpose} role without {sid}", lambda sealed: [sealed.inline(purpose, sid)], every(who, what), by(*BUILDS)
    )


WEAKENINGS = [
    states(LOCK_FILE, "OnlyBuildsWrite"),
    states(every(P, "write the state"), "PlansOnlyLock"),
    states(LOCK_FILE | WRITE | every(P, "write the state"), "OnlyBuildsWrite", "PlansOnlyLock"),
    states(every(B, *DELETE), "NothingIsLost"),
    states(LOCK_FILE | every([*A, *B], *DELETE), "OnlyBuildsWrite", "NothingIsLost"),
    states(every(A, "read the state"), "OnlyKnownRead"),
    states(KNOWN, "OnlyInstallersKnow"),
    states(SETTINGS_OF_STATES, "OnlyInstallersChange"),
    states(every(B, "write the state with another key"), "DenyOtherKeys"),
    states(
        every(B, "write the state with another key", "write the state unencrypted"),
        "DenyOtherKeys",
        "DenyUnencryptedUploads",
    ),
    states(every(B, "write the state over plain HTTP"), "DenyPlainHttp"),
    # The bucket and the builds' seal both refuse it.
    Weakening(
        "state bucket without OnlyInstallersChange, and seal without Buckets",
        lambda sealed: [sealed.bucket(STATE_BUCKET, "OnlyInstallersChange"), sealed.seal("Buckets")],
        SETTINGS_OF_STATES | every(BUILDS, "replace the state bucket's policy"),
        about("bucket", STATE_BUCKET),
    ),
    artifacts(every(A, "read the saved plan"), "OnlyPipelinesRead"),
    artifacts(every(A, "exchange the saved plan"), "OnlyPipelinesWrite"),
    artifacts(every(BUILDS, "remove the mark of a plan that was used"), "NothingIsLost"),
    artifacts(every(A, "delete the artifact bucket's policy"), "OnlyInstallersChange"),
    locks(
        every(A, "terraform apply from a laptop: take the lock", "terraform force-unlock from a laptop"),
        "OnlyBuildsLock",
    ),
    locks(every(A, "delete the lock table's policy", "delete the lock table"), "OnlyInstallersChange"),
    key(every(A, "decrypt states, plans and parameters", "encrypt a state of his own"), "OnlyKnownUse"),
    key(every(A, "replace the key's policy", "delete the key", "give the key away"), "OnlyInstallersChange"),
    *(role(f"be the {purpose} role", f"{ESTATE}-network-{purpose}") for purpose in ("plan", "apply", "pipeline")),
    role("be the break-glass role without MFA", f"{ESTATE}-break-glass"),
    seal(every(BUILDS, "change the pipeline", "approve"), "Pipelines"),
    seal(
        every(BUILDS, "start the apply build with another buildspec", "change the apply project"),
        "Projects",
    ),
    seal(every(BUILDS, "throw off its seal"), "Identities"),
    seal(every(BUILDS, "make a role without the boundary"), "OnlyBounded"),
    seal(
        every(BUILDS, "throw off its seal", "give itself more", "make a role without the boundary"),
        "Identities",
        "OnlyBounded",
    ),
    seal(
        every(BUILDS, "take the boundary off a role", "make an access key for somebody", "lift a group of people"),
        "BoundaryStays",
    ),
    seal(every(BUILDS, "delete the builds' logs"), "Logs"),
    seal(
        every(
            BUILDS,
            "push code that a stack runs",
            "commit a file that a stack runs",
            "merge code into what a stack runs",
            "exchange the repository of a stack",
        ),
        "Sources",
    ),
    *(inline(who, "exchange the source", "NoOtherArtifact") for who in (P, B)),
    *(inline(who, "steal another stack's lock", "NoOtherLock") for who in (P, B)),
    *(inline(who, "overwrite another stack's state", "NoOtherState") for who in (P, B)),
    *(inline(who, "read another stack's access key", "NoOtherSecret") for who in (P, B)),
]
DEVELOPER = [name for name in CHECKS if name.startswith("developer: ")]


@pytest.mark.parametrize("attempt", [name for name in CHECKS if name not in DEVELOPER + WORK])
def test_for_each_attempt_there_is_a_weakening(attempt: str) -> None:
    """One that is new needs one in WEAKENINGS. Those of developers have theirs below, by themselves."""
    assert attempt in set().union(*(weakening.through for weakening in WEAKENINGS))


@pytest.mark.parametrize("weakening", WEAKENINGS, ids=lambda weakening: weakening.name)
def test_what_a_statement_refuses_gets_through_without_it_and_nothing_else(
    sealed: Sealed, weakening: Weakening
) -> None:
    asked = [name for name, one in CHECKS.items() if weakening.of(one)]
    assert weakening.through <= set(asked)

    with ExitStack() as stack:
        for each in weakening.weaken(sealed):
            stack.enter_context(each)
        observed = sealed.observed(asked)

    assert {name for name, what in observed.items() if what == "GOT THROUGH"} == weakening.through
    assert {observed[name] for name in asked if name not in weakening.through} <= {"refused", "allowed"}


@pytest.mark.parametrize(("gone", "observed"), [((), "refused"), (("Sources",), "GOT THROUGH")])
def test_a_zip_in_s3_is_written_by_no_build(sealed: Sealed, gone: tuple[str, ...], observed: str) -> None:
    asked = [one["name"] for one in attempts(FOUNDATION, PACKED) if "zip" in one["name"]]
    assert len(asked) == 6

    with sealed.seal(*gone, stack=PACKED):
        assert sealed.observed(asked, PACKED) == dict.fromkeys(asked, observed)


@pytest.mark.parametrize("attempt", DEVELOPER)
def test_a_developer_gets_through_where_developer_json_is_weaker(
    sealed: Sealed, monkeypatch: pytest.MonkeyPatch, attempt: str
) -> None:
    """A Deny of it holds whatever else is allowed; without that, and with an Allow, he does it."""
    (action,) = CHECKS[attempt]["actions"]
    allow = {"Sid": "Added", "Effect": "Allow", "Action": action, "Resource": "*"}

    def with_allow(*given: Any) -> dict[str, Any]:
        document = developer_policy(*given)
        return {**document, "Statement": [*document["Statement"], allow]}

    def without_deny(*given: Any) -> dict[str, Any]:
        document = with_allow(*given)
        return {**document, "Statement": [without_action(one, action) for one in document["Statement"]]}

    same = {name for name in DEVELOPER if CHECKS[name]["actions"] == [action]}
    monkeypatch.setattr(attempts_module, "developer_policy", with_allow)
    denied = action != "ec2:RunInstances"  # which nothing allows, and nothing need deny
    assert sealed.observed([attempt]) == {attempt: "refused" if denied else "GOT THROUGH"}
    monkeypatch.setattr(attempts_module, "developer_policy", without_deny)
    observed = sealed.observed(DEVELOPER)

    assert {name for name, what in observed.items() if what == "GOT THROUGH"} == same


def without_action(statement: dict[str, Any], action: str) -> dict[str, Any]:
    """A statement; without an action, where it is one that denies some."""
    if statement["Effect"] != "Deny" or "Action" not in statement:
        return statement
    left = [one for one in statement["Action"] if not fnmatch.fnmatchcase(action, one)]
    return {**statement, "Action": left or ["none:None"]}


@pytest.mark.parametrize("work", WORK)
def test_a_role_that_lacks_something_for_its_own_work_is_reported(sealed: Sealed, work: str) -> None:
    (action,) = CHECKS[work]["actions"]
    who = work.partition(": ")[0]
    same = {name for name in WORK if name.startswith(f"{who}: ") and CHECKS[name]["actions"] == [action]}

    with sealed.denied(who.partition(" ")[0], action):
        observed = sealed.observed(WORK)

    assert {name for name, what in observed.items() if what == "REFUSED"} == same
    assert {what for name, what in observed.items() if name not in same} == {"allowed"}


def test_all_is_as_it_was(sealed: Sealed) -> None:
    """Nothing of the above has stayed."""
    assert {name for name, what in sealed.observed().items() if what != "refused"} == set(WORK)
    assert set(sealed.observed(WORK).values()) == {"allowed"}
