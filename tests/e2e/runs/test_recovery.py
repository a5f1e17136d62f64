# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After an accident nothing is lost and nothing is there twice: a killed build, a state that could not be written."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.estate import Estate, Run
from tests.e2e.runs.conftest import Runs


def until(what: Callable[[], Any], seconds: int = 120) -> Any:
    """Waits for something to be there, and returns it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    return found


def vpcs(estate: Estate) -> list[str]:
    """The ids of the VPCs that the stack `killed` makes."""
    filters = [{"Name": "cidr", "Values": ["10.30.0.0/16"]}]
    return [vpc["VpcId"] for vpc in estate.administrator.client("ec2").describe_vpcs(Filters=filters)["Vpcs"]]


@dataclass
class Killed:
    """What happened to the stack `killed`: its apply was stopped after the VPC was made."""

    vpc: str
    while_running: Run
    afterwards: Run
    executions: list[str]


@pytest.fixture(scope="module")
def killed(runs: Runs) -> Killed:
    """unlock.yml beside a running apply, the end of that apply by StopBuild, and unlock.yml again."""
    estate = runs.estate
    runs.write("killed", "slow")
    execution = runs.push("killed")
    runs.waiting("killed", execution)
    estate.approve("gitops-killed")
    build = until(lambda: estate.look("gitops-killed", execution).actions.get("Apply"))
    build = until(lambda: estate.look("gitops-killed", execution).actions["Apply"].build_id)
    log = until(lambda: re.search(r"aws_vpc\.this: Creation complete .*\[id=(vpc-\w+)\]", estate.log(build)))
    while_running = estate.playbook("unlock.yml", estate.recovery, stack="killed")
    estate.administrator.client("codebuild").stop_build(id=build)
    runs.ended("killed", execution, "Failed")
    afterwards = estate.playbook("unlock.yml", estate.recovery, stack="killed")
    return Killed(log[1], while_running, afterwards, [execution])


def test_lock_of_a_running_build_is_not_released(killed: Killed) -> None:
    run = killed.while_running
    assert run.failed
    assert run.mutations == []
    assert "killed is locked by" in run.text
    assert "gitops-killed-apply:" in run.text


def test_lock_of_a_stopped_build_is_released(killed: Killed, runs: Runs) -> None:
    run = killed.afterwards
    assert not run.failed, run.output
    assert {call.split()[0] for call in run.mutations} == {"dynamodb:DeleteItem", "s3:DeleteObject"}
    items = runs.estate.kept("dynamodb").scan(TableName="gitops-lock")["Items"]
    assert [item for item in items if "/killed/" in item["LockID"]["S"] and "Info" in item] == []


def test_what_the_stopped_build_made_is_adopted_and_not_made_twice(killed: Killed, runs: Runs) -> None:
    estate = runs.estate
    found = re.search(r"-e '?(\{.*?imports.*?\}\})'?", killed.afterwards.text.replace('\\"', '"'))
    assert found, killed.afterwards.output
    variables = json.loads(found[1])
    assert variables == {"imports": {"aws_vpc.this": killed.vpc}}

    main = runs.repository.clone / "killed" / "main.tf"
    main.write_text(main.read_text().replace("sleep 120", "sleep 0"))
    pushed = runs.push("killed")
    runs.waiting("killed", pushed)
    estate.approve("gitops-killed", "Rejected", "It would make the VPC twice")
    runs.ended("killed", pushed, "Failed")
    run = estate.playbook("run.yml", estate.operator, stack="killed", approve=True, **variables)

    assert not run.failed, run.output
    assert "1 to import, 1 to add, 0 to change, 0 to destroy" in run.text
    assert vpcs(estate) == [killed.vpc]
    again = estate.playbook("run.yml", estate.operator, stack="killed")
    assert "no changes" in again.text


def test_state_that_could_not_be_written_is_rescued_and_put_back(runs: Runs) -> None:
    estate = runs.estate
    runs.write("unwritten", "parameter")
    execution = runs.push("unwritten")
    runs.waiting("unwritten", execution)
    with runs.state_refused("unwritten"):
        estate.approve("gitops-unwritten")
        failed = runs.ended("unwritten", execution, "Failed")
    assert estate.state("unwritten") is None
    log = estate.log(failed.actions["Apply"].build_id)
    command = re.search(r"ansible-playbook gitops\.aws\.restore_state (.*)", log)
    assert command, log
    assert command[1].split() == "-e @your.yml -e stack=unwritten -e rescued=true -e confirm=unwritten".split()

    # The lock was released by Terraform itself.
    run = estate.playbook("restore_state.yml", estate.recovery, stack="unwritten", rescued=True, confirm="unwritten")
    assert not run.failed, run.output
    again = estate.playbook("run.yml", estate.operator, stack="unwritten")

    assert not again.failed, again.output
    assert "no changes" in again.text
    kept = estate.kept("s3").list_objects_v2(Bucket=estate.foundation["state_bucket"], Prefix="unwritten/")["Contents"]
    assert [entry["Key"] for entry in kept] == ["unwritten/terraform.tfstate"]


def test_earlier_version_is_restored_and_the_next_plan_starts_from_it(runs: Runs) -> None:
    estate = runs.estate
    runs.write("restored", "value")
    for word in ("first", "second"):
        runs.say("restored", word)
        (runs.repository.clone / "restored" / "note").write_text(word)
        runs.ended("restored", runs.push("restored"), "Succeeded")
    versions = estate.kept("s3").list_object_versions(
        Bucket=estate.foundation["state_bucket"], Prefix="restored/terraform.tfstate"
    )["Versions"]
    states = [version for version in versions if version["Key"] == "restored/terraform.tfstate"]
    listed = estate.playbook("restore_state.yml", estate.recovery, stack="restored")
    assert not listed.failed, listed.output
    assert all(version["VersionId"] in listed.text for version in states)
    assert listed.mutations == []

    run = estate.playbook(
        "restore_state.yml", estate.recovery, stack="restored", version_id=states[-1]["VersionId"], confirm="restored"
    )
    assert not run.failed, run.output
    assert '"first"' in json.dumps(estate.state("restored"))
    ended = estate.run("gitops-restored")

    assert ended.status == "Succeeded", estate.story(ended)
    assert "does not have the expected content" not in estate.story(ended)
    assert ended.actions["Plan"].variables["PLAN_SUMMARY"] == "0 to add, 1 to change, 0 to destroy"
    assert '"second"' in json.dumps(estate.state("restored"))
