# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build may hold a lock, and what its log says that it made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils import _lock_holders as holders
from ansible_collections.gitops.aws.plugins.module_utils._terraform_locks import Held, Lock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROJECTS = ["gitops-network-apply"]


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def build(status: str = "STOPPED", begin: float = -10, end: float | None = 10, **values: Any) -> dict[str, Any]:
    """A build that ran from ten minutes before noon to ten minutes after it, in the queue for a minute."""
    return {
        "id": "gitops-network-apply:1",
        "arn": "arn",
        "projectName": "gitops-network-apply",
        "buildStatus": status,
        "startTime": at(begin),
        "currentPhase": "BUILD" if end is None else "COMPLETED",
        "phases": [
            {"phaseType": "SUBMITTED", "startTime": at(begin)},
            {"phaseType": "QUEUED", "startTime": at(begin)},
            {"phaseType": "PROVISIONING", "startTime": at(begin + 1)},
        ],
        **({} if end is None else {"endTime": at(end)}),
        **values,
    }


def lock(**values: Any) -> Lock:
    given: dict[str, Any] = {"created": "2026-11-20T12:00:00.5Z", "operation": "OperationTypeApply", **values}
    return Lock("key", "b7f6ddaf", (Held("dynamodb", "{}"),), **given)


# When a build ran


@pytest.mark.parametrize(
    ("minutes", "ran"), [(-11, False), (-9.5, False), (-9, True), (0, True), (10, True), (10.1, False)]
)
def test_a_build_runs_from_the_queue_to_its_end(minutes: float, ran: bool) -> None:
    assert holders.ran_at(build(), at(minutes)) is ran


def test_a_build_that_runs_still() -> None:
    assert holders.ran_at(build("IN_PROGRESS", end=None), at(1000))


def test_a_build_that_is_told_to_stop_and_has_not_ended() -> None:
    assert holders.ran_at(build("STOPPED", end=None), at(1000))
    assert not holders.is_over(build("STOPPED", end=None))


@pytest.mark.parametrize("phase", ["SUBMITTED", "QUEUED"])
def test_a_build_in_the_queue_does_not_run(phase: str) -> None:
    waiting = build("IN_PROGRESS", end=None, currentPhase=phase, phases=[{"phaseType": phase, "startTime": at(-10)}])

    assert not holders.ran_at(waiting, NOON)


def test_a_build_without_phases_runs_from_its_start() -> None:
    assert holders.ran_at(build(phases=[]), at(-10))
    assert not holders.ran_at(build(phases=[], startTime=None), NOON)


# Whose a lock is


def judged(*builds: dict[str, Any], log: tuple[str, ...] = (), projects: Any = None, **values: Any) -> holders.Holder:
    logs = {each["id"]: list(log) for each in builds}
    return holders.judge(lock(**values), list(builds), logs, PROJECTS if projects is None else projects)


@pytest.mark.parametrize("status", ["STOPPED", "TIMED_OUT", "FAULT"])
def test_the_lock_of_a_build_that_died(status: str) -> None:
    found = judged(build(status))

    assert found.state == "stale"
    assert found.reason == f"the build that ran when it was taken is over: gitops-network-apply:1 ({status})"
    assert found.public()["releasable"]


def test_the_lock_of_a_build_that_runs() -> None:
    found = judged(build(), build("IN_PROGRESS", end=None, id="gitops-network-plan:2"))

    assert found.state == "running"
    assert found.reason == "a build that ran when it was taken still runs: gitops-network-plan:2"
    assert not found.public()["releasable"]
    assert [each["running"] for each in found.public()["builds"]] == [False, True]


@pytest.mark.parametrize(
    "found",
    [
        judged(),
        judged(build("SUCCEEDED")),
        judged(build(begin=1, end=5)),
        judged(build(begin=-20, end=-5)),
        judged(build(), projects=[]),
        judged(build("IN_PROGRESS", end=None), operation="restore"),
        judged(build("IN_PROGRESS", end=None), operation="removal"),
        judged(build(), created="yesterday"),
        judged(build(), log=("Error: Error acquiring the state lock", "  ID:        b7f6ddaf")),
    ],
    ids=["none", "succeeded", "later", "earlier", "no projects", "restore", "removal", "no time", "kept out"],
)
def test_the_lock_of_somebody_else(found: holders.Holder) -> None:
    assert found.state == "foreign"
    assert found.reason
    assert not found.public()["releasable"]
    assert found.builds == []


@pytest.mark.parametrize(
    "log",
    [
        ("Error acquiring the state lock", "  ID:        another"),
        ("Error releasing the state lock", "  ID:        b7f6ddaf"),
        ("Error acquiring the state lock", "Error releasing the state lock", "  ID:        b7f6ddaf"),
    ],
)
def test_a_build_may_hold_what_did_not_keep_it_out(log: tuple[str, ...]) -> None:
    assert judged(build(), log=log).state == "stale"


# Whether a build took it, and left it

APPLYING = ("aws_vpc.this: Refreshing state... [id=vpc-1]", "aws_vpc.this: Modifying... [id=vpc-1]")
PLANNING = ('\x1b[0mmodule.net["a"].data.aws_ami.this[0]: Reading...', "aws_vpc.this: Refreshing state... [id=vpc-1]")


def of(step: str, status: str = "STOPPED", **values: Any) -> dict[str, Any]:
    return build(status, id=f"gitops-network-{step}:1", projectName=f"gitops-network-{step}", **values)


def killed_by(message: str) -> list[dict[str, Any]]:
    """The phases of a build in which a command was killed."""
    contexts = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": message}]
    return [{"phaseType": "BUILD", "startTime": at(-9), "contexts": contexts}]


def test_a_plan_that_failed_at_a_check_does_not_hold_somebody_s_apply() -> None:
    log = ("The check fmt has failed: nothing is planned any further. What it found is above.",)

    found = judged(of("plan", "FAILED"), log=log)

    assert found.state == "foreign"
    assert found.builds == []
    assert found.reason == (
        "none of the builds that ran when it was taken holds it: "
        "gitops-network-plan:1 (FAILED) never takes a lock for apply"
    )


@pytest.mark.parametrize("status", ["STOPPED", "IN_PROGRESS"])
@pytest.mark.parametrize(
    ("step", "operation", "may"),
    [
        ("plan", "OperationTypePlan", True),
        ("plan", "OperationTypeApply", False),
        ("apply", "OperationTypeApply", True),
        ("apply", "OperationTypePlan", False),
        ("destroy", "OperationTypeApply", True),
        ("destroy", "OperationTypePlan", False),
        ("plan", "state-push", True),
        ("apply", "", True),
        ("other", "OperationTypePlan", True),
        ("other", "OperationTypeApply", True),
    ],
)
def test_the_step_of_a_build_fits_what_the_lock_is_for(status: str, step: str, operation: str, may: bool) -> None:
    found = judged(of(step, status, end=None if status == "IN_PROGRESS" else 10), operation=operation)

    assert (found.state != "foreign") is may


@pytest.mark.parametrize(
    "log",
    [
        (*APPLYING, "Error: creating VPC: UnauthorizedOperation", "", "The rest."),
        (*APPLYING, "\x1b[31m\u2502\x1b[0m \x1b[1mError: \x1b[0mcreating VPC"),
        (*APPLYING, "Apply complete! Resources: 0 added, 1 changed, 0 destroyed.", "something else failed"),
        (*PLANNING, "Plan: 1 to add, 0 to change, 0 to destroy.", "The check checkov has failed"),
        (*PLANNING, "No changes. Your infrastructure matches the configuration.", "could not be started"),
        (*PLANNING, "Changes to Outputs:", "The check checkov has failed"),
        ("some test has failed",),
        (),
    ],
    ids=["error", "coloured", "applied", "planned", "no changes", "outputs", "before", "no log"],
)
def test_terraform_that_ended_by_itself_left_no_lock(log: tuple[str, ...]) -> None:
    found = judged(build("FAILED"), log=log)

    assert found.state == "foreign"
    assert "gitops-network-apply:1 (FAILED) ended by all signs without leaving one" in found.reason


@pytest.mark.parametrize(
    ("log", "phases"),
    [
        (APPLYING, []),
        (PLANNING, []),
        ((*APPLYING, "aws_vpc.this: Modifications complete after 1s [id=vpc-1]"), []),
        (("Plan: 2 to add, 0 to change, 0 to destroy.", "aws_vpc.this: Creating..."), []),
        (("aws_vpc.this: Still creating... [10s elapsed]",), []),
        ((*APPLYING, "!!!!!!!!!!!!!!!!!!!!!!!!!!! TERRAFORM CRASH !!!!!!!!!!!!!!!!!!!!!!!!!!!!", "Error: x"), []),
        ((*APPLYING, "Two interrupts received. Exiting immediately.", "Error: operation canceled"), []),
        ((*APPLYING, "Error: x", "Error: Error releasing the state lock"), []),
        ((), killed_by("Error while executing command: apply_plan. Reason: exit status 137")),
        ((), killed_by("Build container found dead before completing the build. It was out of memory")),
    ],
)
def test_a_build_that_failed_and_left_a_lock(log: tuple[str, ...], phases: list[dict[str, Any]]) -> None:
    found = judged({**build("FAILED"), **({"phases": phases} if phases else {})}, log=log)

    assert found.state == "stale"
    assert found.reason == "the build that ran when it was taken is over: gitops-network-apply:1 (FAILED)"


@pytest.mark.parametrize("message", ["exit status 1", "exit status 137"])
def test_a_build_that_was_killed_or_failed_after_terraform_s_end(message: str) -> None:
    phases = killed_by(f"Error while executing command: start_dependents. Reason: {message}")

    found = judged(build("FAILED", phases=phases), log=(*APPLYING, "Apply complete! Resources: 0 added."))

    assert found.state == "foreign"


def test_a_build_that_ended_does_not_hide_the_one_that_died() -> None:
    found = judged(of("plan", "FAILED"), of("apply"))

    assert found.state == "stale"
    assert [one["id"] for one in found.builds] == ["gitops-network-apply:1"]


# What was made

LOG = """\
[Container] 2026/11/20 12:00:00 Running command terraform apply
aws_vpc.this: Creating...
aws_vpc.this: Creation complete after 1s [id=vpc-1]
\x1b[0m\x1b[1mmodule.net["a b"].aws_subnet.private[0]: Creating...\x1b[0m
\x1b[0m\x1b[1mmodule.net["a b"].aws_subnet.private[0]: Still creating... [10s elapsed]\x1b[0m
\x1b[0m\x1b[1mmodule.net["a b"].aws_subnet.private[0]: Creation complete after 1m10s [id=subnet-1]\x1b[0m
aws_x.each["say \\"hi\\": Creating..."]: Creating...
aws_x.each["say \\"hi\\": Creating..."]: Creation complete after 0s [id=a]b [id=c]
time_sleep.wait: Creation complete after 10s
aws_imported.one: Importing... [id=i-1]
aws_imported.one: Import complete [id=i-1]
aws_old.one: Destroying... [id=o-1]
aws_old.one: Destruction complete after 1s
aws_changed.one: Modifications complete after 1s [id=c-1]
null_resource.x (local-exec): aws_fake.this: Creation complete after 1s [id=fake]
aws_db_instance.slow: Creating...
aws_db_instance.slow: Still creating... [10s elapsed]
"""


def test_what_a_log_says() -> None:
    made, unfinished = holders.created_in(LOG.splitlines())

    assert made == [
        ("aws_vpc.this", "vpc-1"),
        ('module.net["a b"].aws_subnet.private[0]', "subnet-1"),
        ('aws_x.each["say \\"hi\\": Creating..."]', "a]b [id=c"),
        ("time_sleep.wait", ""),
    ]
    assert unfinished == ["aws_db_instance.slow"]


@given(st.lists(st.text()))
def test_any_log(log: list[str]) -> None:
    made, unfinished = holders.created_in(log)

    assert len(made) + len(unfinished) <= len(log)


NAMES = st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True)
INDEXES = (
    st.just("")
    | st.integers(0, 99).map("[{}]".format)
    | st.text('ab\\" .[]:', max_size=5).map(lambda key: '["' + key.replace("\\", "\\\\").replace('"', '\\"') + '"]')
)
ADDRESSES = st.builds(
    lambda modules, kind, name, index: "".join(f"module.{m}{i}." for m, i in modules) + f"{kind}.{name}{index}",
    st.lists(st.tuples(NAMES, INDEXES), max_size=2),
    NAMES,
    NAMES,
    INDEXES,
)
IDS = st.text(st.characters(blacklist_categories=("C", "Z")), max_size=20)


@given(ADDRESSES, IDS)
def test_any_address_and_any_id(address: str, one: str) -> None:
    log = [f"{address}: Creating...", f"{address}: Creation complete after 2m3s [id={one}]"]

    assert holders.created_in(log) == ([(address, one)], [])
    assert holders.created_in(log[:1]) == ([], [address])


def test_what_the_state_does_not_know() -> None:
    made = [("a.known", "1"), ("a.new", "2"), ("a.replaced", "3"), ("a.without", ""), ("a.known_without", "")]
    known = {"a.known": {"1"}, "a.replaced": {"old"}, "a.known_without": {"x"}}

    assert holders.orphans(made, known, "build") == [
        {"address": "a.new", "id": "2", "build_id": "build", "importable": True},
        {"address": "a.replaced", "id": "3", "build_id": "build", "importable": False},
        {"address": "a.without", "id": "", "build_id": "build", "importable": False},
    ]


# How far back


def page(stubs: Any, ids: list[str], starts: list[datetime], more: bool, **token: str) -> None:
    """A page of builds, and the builds themselves."""
    stubs["codebuild"].add_response(
        "list_builds_for_project",
        {"ids": ids, **({"nextToken": "more"} if more else {})},
        {"projectName": "p", "sortOrder": "DESCENDING", **token},
    )
    builds = [{"id": one, "startTime": start} for one, start in zip(ids, starts, strict=True)]
    stubs["codebuild"].add_response("batch_get_builds", {"builds": builds}, {"ids": ids})


def test_builds_that_were_over_long_before_are_not_read(aws: Any, stubs: Any) -> None:
    hour = timedelta(hours=1)
    page(stubs, ["p:4", "p:3"], [NOON, NOON - 43 * hour], more=True)
    page(stubs, ["p:2", "p:1"], [NOON - 44 * hour, NOON - 45 * hour], more=True, nextToken="more")

    found = holders._builds_since(aws(), "p", NOON)

    assert [each["id"] for each in found] == ["p:4", "p:3", "p:2", "p:1"]


def test_a_project_without_builds(aws: Any, stubs: Any) -> None:
    stubs["codebuild"].add_response("list_builds_for_project", {})

    assert holders._builds_since(aws(), "p", NOON) == []
