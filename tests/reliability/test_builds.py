# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds that come to a bad end: the execution has failed and says why, nothing is half done, and the next run works.

The small size takes a fault that fails and one that kills, by the seed; --soak takes all, and -k with it a single one.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.estate import Execution
from tests.reliability.accidents import DISK_FULL, OF_TERRAFORM, SMALL_DISK, Accidents, may_mount, until
from tests.reliability.figures import FAULTS, KILLS, count

HOURS = 3 * 3600
UNLOCK = "ansible-playbook gitops.aws.unlock -e @your.yml -e stack="


@dataclass(frozen=True)
class Fault:
    """What happens to a build of the stack `plain`, and what its log or its result says then.

    Attributes:
        step: Plan or Apply.
        says: texts, all of them in the log or in the summary.
        terraform, between: what is planned, as Accidents.planned takes it.
        around: what else is wrong while that step runs.
        locked: whether the lock stays.
    """

    step: str
    says: tuple[str, ...]
    terraform: str = ""
    between: str = ""
    around: Callable[[Accidents, Execution | None], AbstractContextManager[None]] = lambda _a, _e: nullcontext()
    locked: bool = False


@contextmanager
def clock_is_wrong(accidents: Accidents, _waiting: Execution | None) -> Iterator[None]:
    """The clock of the builds is hours behind AWS's."""
    builds = "arn:aws:*:role/gitops-plain-*"
    accidents.estate.aws.command("clock", builds, str(HOURS))
    try:
        yield
    finally:
        accidents.estate.aws.command("clock", builds, "0")


def exchanged(change: Callable[[Accidents, bytes], bytes]) -> Callable[..., AbstractContextManager[None]]:
    """The artifact of the plan that was approved is another one in the bucket."""

    @contextmanager
    def around(accidents: Accidents, waiting: Execution | None) -> Iterator[None]:
        assert waiting
        (where,) = waiting.actions["Plan"].artifacts
        place = {"Bucket": where["bucket"], "Key": where["key"]}
        s3 = accidents.estate.kept("s3")
        s3.put_object(**place, Body=change(accidents, s3.get_object(**place)["Body"].read()))
        yield

    return around


def other_byte(_accidents: Accidents, body: bytes) -> bytes:
    """One bit in the middle of the archive is another one."""
    middle = body.index(b"tfplan") + 200
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def earlier_plan(accidents: Accidents, _body: bytes) -> bytes:
    """The whole artifact of the plan that was approved the last time, which fits together."""
    estate = accidents.estate
    done = (estate.look("gitops-plain", each) for each in estate.executions("gitops-plain"))
    earlier = next(each for each in done if each.status == "Succeeded")
    (where,) = earlier.actions["Plan"].artifacts
    return bytes(estate.kept("s3").get_object(Bucket=where["bucket"], Key=where["key"])["Body"].read())


PLAN_FAULTS = {
    "plan: disk full": Fault(
        "Plan",
        ("The saved plan cannot be read", "Fix: start the pipeline again"),
        terraform=f'{SMALL_DISK}[ "$1" != plan ] || {DISK_FULL}',
    ),
    # Terraform crashes, as Go does, with the exit status of a plan that has changes.
    "plan: no memory": Fault(
        "Plan",
        ("fatal error: ", "Terraform has crashed, or the memory or the disk", "Fix: start the pipeline again"),
        terraform='[ "$1" != plan ] || ulimit -v 150000',
    ),
    "plan: killed": Fault(
        "Plan",
        ("Terraform has crashed or was killed (exit status 137)", f"{UNLOCK}plain"),
        terraform='[ "$1" != plan ] || kill -9 $$',
    ),
    "plan: clock": Fault(
        "Plan", ("Where they differ by minutes, AWS refuses every call", "both clocks are right"), around=clock_is_wrong
    ),
}
APPLY_FAULTS = {
    "apply: file too large": Fault("Apply", ("file too large",), terraform='[ "$1" != init ] || ulimit -f 0'),
    "apply: clock": Fault("Apply", ("Where they differ by minutes, AWS refuses every call",), around=clock_is_wrong),
    "artifact: half": Fault(
        "Apply", ("CLIENT_ERROR", "secondary source plan"), around=exchanged(lambda _a, body: body[: len(body) // 2])
    ),
    "artifact: other byte": Fault("Apply", ("CLIENT_ERROR", "secondary source plan"), around=exchanged(other_byte)),
    "artifact: of another run": Fault(
        "Apply", ("Nothing is applied: the manifest is not the one that was approved",), around=exchanged(earlier_plan)
    ),
}
DEATHS = {
    "killed: Terraform": Fault(
        "Apply",
        ("Terraform has crashed or was killed (exit status 137)", f"{UNLOCK}plain"),
        between=f"{OF_TERRAFORM}kill -9 $pid; sleep 60",
        locked=True,
    ),
    "killed: crash of Terraform": Fault(
        "Apply",
        ("SIGSEGV: segmentation violation", "was killed (exit status 2)", f"{UNLOCK}plain"),
        between=f"{OF_TERRAFORM}kill -SEGV $pid; sleep 60",
        locked=True,
    ),
    "killed: everything": Fault("Apply", ("exit status 137",), between="kill -9 0", locked=True),
    "killed: container": Fault(
        "Apply", ("Build container found dead before completing the build",), between="sleep 600", locked=True
    ),
}
KINDS = ({**PLAN_FAULTS, **APPLY_FAULTS}, DEATHS)
EVERY = {name: fault for kind in KINDS for name, fault in kind.items()}
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda body: body[: len(body) // 2],
    "empty": lambda _body: b"",
    "other byte": lambda body: body.replace(b'"value": "', b'"value": "x', 1),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All faults with --soak, else one of those that fail and one of those that kill."""
    soak, seed = metafunc.config.getoption("--soak"), metafunc.config.getoption("--seed")
    if "fault" in metafunc.fixturenames:
        chosen = list(EVERY) if soak else [random.Random(f"{seed} {list(kind)}").choice(list(kind)) for kind in KINDS]
        metafunc.parametrize("fault", chosen)
    if "damage" in metafunc.fixturenames:
        metafunc.parametrize("damage", list(DAMAGES))


@pytest.fixture(scope="module")
def plain(accidents: Accidents) -> Accidents:
    """The estate where the stack `plain` is built."""
    accidents.once_built("plain")
    return accidents


def apply_that_runs(accidents: Accidents, stack: str, execution: str) -> str:
    """The id of the build, "" while there is none."""
    found = accidents.estate.look(f"gitops-{stack}", execution).actions.get("Apply")
    return found.build_id if found and found.status == "InProgress" else ""


def kill_container(accidents: Accidents, execution: str) -> None:
    """When the apply is at the accident."""
    estate = accidents.estate
    build = until(lambda: apply_that_runs(accidents, "plain", execution))
    until(lambda: "Provisioning with 'local-exec'" in estate.log(build))
    estate.aws.command("kill-build", build)


def needs_mounts() -> None:
    """A small disk is mounted. Where this machine does not let its user do that, there is no such test."""
    if not may_mount():
        pytest.skip("this machine does not let its user mount anything")


def test_a_build_that_comes_to_a_bad_end_does_no_harm(plain: Accidents, fault: str) -> None:
    estate, planned, word = plain.estate, EVERY[fault], re.sub(r"\W+", "-", fault)
    if SMALL_DISK in planned.terraform:
        needs_mounts()
    before = plain.state_object("plain")
    # Until the step that goes wrong, all is well.
    execution, waiting = "", None
    if planned.step == "Apply":
        execution = plain.start("plain", word)
        waiting = plain.runs.waiting("plain", execution)
    with plain.planned("plain", planned.terraform, planned.between), planned.around(plain, waiting):
        if planned.step == "Apply":
            estate.approve("gitops-plain")
        else:
            execution = plain.start("plain", word)
        if fault == "killed: container":
            kill_container(plain, execution)
        ended = plain.runs.ended("plain", execution, "Failed")
    count(KILLS if planned.locked else FAULTS)

    action = ended.actions[planned.step]
    assert action.status == "Failed"
    assert planned.step == "Apply" or set(ended.actions) == {"Source", "Plan"}
    told = estate.log(action.build_id) + action.summary
    assert [text for text in planned.says if text not in told] == [], told
    assert plain.state_object("plain") == before
    assert bool(plain.locks("plain")) == planned.locked
    if planned.locked:
        run = plain.unlock("plain")
        assert not run.failed, run.output
        assert {call.split()[0] for call in run.mutations} == {"dynamodb:DeleteItem", "s3:DeleteObject"}

    plain.applied("plain", estate.start("gitops-plain"))
    assert plain.content("plain") == {"this": word, "after": word}
    assert plain.locks("plain") == []


def test_a_state_that_can_be_written_neither_to_s3_nor_to_the_disk_is_kept_and_not_shown(plain: Accidents) -> None:
    """Terraform itself prints it into the log then, with every secret that it holds."""
    needs_mounts()
    estate, before = plain.estate, plain.estate.state("plain")
    execution = plain.start("plain", "on-a-full-disk")
    plain.runs.waiting("plain", execution)
    with plain.runs.state_refused("plain"), plain.planned("plain", SMALL_DISK, DISK_FULL):
        estate.approve("gitops-plain")
        ended = plain.runs.ended("plain", execution, "Failed")
    count(FAULTS)

    log = estate.log(ended.actions["Apply"].build_id)
    assert "the raw state data is printed above" in log
    assert "(Not shown: the state, which holds secrets.)" in log
    assert "on-a-full-disk" not in log
    place = plain.state_place("plain")
    kept = json.loads(estate.kept("s3").get_object(**{**place, "Key": f"{place['Key']}.errored"})["Body"].read())
    assert before
    assert (kept["lineage"], kept["serial"]) == (before["lineage"], before["serial"] + 1)
    run = estate.playbook("restore_state.yml", estate.recovery, stack="plain", rescued=True, confirm="plain")
    assert not run.failed, f"{run.output}\n{log}"
    assert plain.content("plain") == {"this": "on-a-full-disk", "after": "on-a-full-disk"}
    again = estate.playbook("run.yml", estate.operator, stack="plain")
    assert "no changes" in again.text, again.output


@pytest.mark.soak
def test_a_damaged_state_is_restored_and_nothing_is_made_again(plain: Accidents, damage: str) -> None:
    estate, before = plain.estate, plain.content("plain")
    good, word = plain.state_object("plain"), re.sub(r"\W+", "-", f"damaged {damage}")
    s3, place = estate.kept("s3"), plain.state_place("plain")
    version = s3.head_object(**place)["VersionId"]
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": estate.key_arn}
    s3.put_object(**place, Body=DAMAGES[damage](good), **encryption)
    count(FAULTS)

    ended = plain.runs.ended("plain", plain.start("plain", word), "Failed")
    assert set(ended.actions) == {"Source", "Plan"}
    log = estate.log(ended.actions["Plan"].build_id)
    assert "state data in S3 does not have the expected content" in log
    assert plain.locks("plain") == []
    restore: dict[str, Any] = {"stack": "plain", "version_id": version, "confirm": "plain"}
    unsure = estate.playbook("restore_state.yml", estate.recovery, **restore)
    if damage != "other byte":  # which is a state all the same, of another content
        assert unsure.failed
        assert "the present state is none" in unsure.text
        assert "Fix: force: true puts the other in its place" in unsure.text
        unsure = estate.playbook("restore_state.yml", estate.recovery, **restore, force=True)
    assert not unsure.failed, unsure.output
    assert plain.content("plain") == before

    execution = estate.start("gitops-plain")
    waiting = plain.runs.waiting("plain", execution)
    assert waiting.actions["Plan"].variables["PLAN_SUMMARY"].startswith("2 to add, 0 to change, 2 to destroy")
    plain.applied("plain", execution)
    assert plain.content("plain") == {"this": word, "after": word}


@pytest.mark.soak
def test_a_lock_of_another_time_is_released_by_its_id_alone(plain: Accidents) -> None:
    """The clock of the build that died was wrong, so that its lock says a time when no build ran."""
    estate, s3, place = plain.estate, plain.estate.kept("s3"), plain.state_place("plain")
    execution = plain.start("plain", "lock-of-another-time")
    plain.runs.waiting("plain", execution)
    with plain.planned("plain", between="kill -9 0"):
        estate.approve("gitops-plain")
        plain.runs.ended("plain", execution, "Failed")
    (lock, *_same) = plain.locks("plain")
    name = {"LockID": {"S": f"{place['Bucket']}/{place['Key']}"}}
    item = estate.kept("dynamodb").get_item(TableName="gitops-lock", Key=name)["Item"]
    info = json.dumps({**json.loads(item["Info"]["S"]), "Created": "2025-01-01T00:00:00Z"})
    estate.kept("dynamodb").put_item(TableName="gitops-lock", Item={**item, "Info": {"S": info}})
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": estate.key_arn}
    s3.put_object(Bucket=place["Bucket"], Key=f"{place['Key']}.tflock", Body=info.encode(), **encryption)

    by_name = plain.unlock("plain")
    assert by_name.failed
    assert by_name.mutations == []
    assert "is not released" in by_name.text
    assert set(plain.locks("plain")) == {lock}
    by_id = plain.unlock("plain", lock_id=lock)
    assert not by_id.failed, by_id.output
    plain.applied("plain", estate.start("gitops-plain"))
    assert plain.content("plain") == {"this": "lock-of-another-time", "after": "lock-of-another-time"}


@pytest.mark.soak
def test_a_build_that_runs_out_of_time_leaves_a_lock_that_can_be_released(accidents: Accidents) -> None:
    with accidents.planned("hurried", between="sleep 600"):
        ended = accidents.runs.ended("hurried", accidents.start("hurried", "late"), "Failed")
    count(KILLS)
    assert "BUILD_TIMED_OUT" in ended.actions["Apply"].summary
    assert accidents.locks("hurried")

    run = accidents.unlock("hurried")
    assert not run.failed, run.output
    accidents.applied("hurried", accidents.estate.start("gitops-hurried"))
    assert accidents.content("hurried") == {"this": "late", "after": "late"}


@pytest.mark.soak
def test_providers_that_cannot_be_had_and_a_container_that_dies_between_two_resources(accidents: Accidents) -> None:
    """Of a stack that makes something in AWS: there once, and in the state, at the end."""
    estate = accidents.estate
    nowhere = accidents.planted / "nowhere.rc"
    nowhere.write_text('provider_installation {\n  network_mirror {\n    url = "https://127.0.0.1:9/"\n  }\n}\n')
    no_provider = f'[ "$1" != init ] || export TF_CLI_CONFIG_FILE="{nowhere}"'
    with accidents.planned("made", no_provider):
        ended = accidents.runs.ended("made", accidents.start("made", "no-provider"), "Failed")
    assert set(ended.actions) == {"Source", "Plan"}
    assert "Failed to query available provider packages" in estate.log(ended.actions["Plan"].build_id)
    only_apply = f"case $CODEBUILD_BUILD_ID in *-apply:*) {no_provider} ;; esac"
    with accidents.planned("made", only_apply):
        execution = estate.start("gitops-made")
        ended = accidents.runs.ended("made", execution, "Failed")
    assert "Failed to query available provider packages" in estate.log(ended.actions["Apply"].build_id)
    assert (accidents.vpcs(), accidents.locks("made")) == ([], [])
    count(FAULTS, 2)

    # Nothing of the plan was used: what was approved is applied by another try of that action.
    with accidents.planned("made", between="sleep 600"):
        estate.administrator.client("codepipeline").retry_stage_execution(
            pipelineName="gitops-made", stageName="Deploy", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
        )
        second = until(lambda: apply_that_runs(accidents, "made", execution))
        made = until(lambda: re.search(r"aws_vpc\.this: Creation complete .*\[id=(vpc-\w+)\]", estate.log(second)))
        estate.aws.command("kill-build", second)
        accidents.runs.ended("made", execution, "Failed")
    count(KILLS)
    run = accidents.unlock("made")
    assert not run.failed, run.output
    assert json.dumps({"aws_vpc.this": made[1]}) in run.text.replace('\\"', '"')
    adopted = estate.playbook("run.yml", estate.operator, stack="made", imports={"aws_vpc.this": made[1]})
    assert not adopted.failed, adopted.output
    assert accidents.vpcs() == [made[1]]
    again = estate.playbook("run.yml", estate.operator, stack="made")
    assert "no changes" in again.text
