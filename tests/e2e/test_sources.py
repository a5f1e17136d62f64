# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Code that is in AWS itself, in CodeCommit and in S3: from a push, or a new version of an object, to nothing left.

An estate of its own without a connection, whose people have exactly the rendered policies.
"""

from __future__ import annotations

import io
import json
import shutil
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from local_estate import ACCOUNT, REGION, LocalAws, Repository

from tests.e2e.conftest import HERE
from tests.e2e.estate import REPOSITORY, Estate, Execution, Run, emergency_role, in_role, inventory, new_estate

NAME = "own"
CODE = f"arn:aws:codecommit:{REGION}:{ACCOUNT}:infrastructure"
BUCKET, KEY = "acme-code", "packed/source.zip"
STACKS: list[dict[str, Any]] = [
    {"name": "pushed", "source": "codecommit", "repository": "infrastructure", "path": "code"},
    {"name": "packed", "source": "s3", "source_bucket": BUCKET, "source_key": KEY, "path": "code"},
    # Of each the role lacks what the source action asks for first.
    {"name": "no-repository", "source": "codecommit", "repository": "infrastructure", "path": "code"},
    {"name": "no-pull", "source": "codecommit", "repository": "infrastructure", "path": "code"},
    {"name": "no-object", "source": "s3", "source_bucket": BUCKET, "source_key": KEY, "path": "code"},
    {"name": "no-bucket", "source": "s3", "source_bucket": BUCKET, "source_key": KEY, "path": "code"},
    {"name": "no-start", "source": "s3", "source_bucket": BUCKET, "source_key": KEY, "path": "code"},
]
# What is taken from roles: purpose of the role, Sid; where the run breaks, and what is said.
TAKEN = {
    "no-repository": ("pipeline", "Repository", "Source", "perform: codecommit:GetBranch"),
    "no-pull": ("plan", "Repository", "Plan", "authorization failed for primary source"),
    "no-object": ("pipeline", "SourceObject", "Source", f"access the Amazon S3 bucket named {BUCKET}"),
    "no-bucket": ("pipeline", "SourceBucket", "Source", f"access the Amazon S3 bucket named {BUCKET}"),
}


@dataclass
class Told:
    """What happened, in this order."""

    found: dict[str, set[str]]
    made: dict[str, set[str]]
    again: Run
    commit: str
    version: str
    waiting: dict[str, Execution]
    triggers: dict[str, str]
    applied: dict[str, Execution]
    contents: dict[str, str]
    broken: dict[str, Execution]
    not_started: int
    doctor: Run
    verified: Run
    reused: Execution
    changed: Run
    after_change: dict[str, set[str]]
    destroyed: dict[str, Execution]
    removed: Run
    left: dict[str, set[str]]
    estate: Estate


def packed(repository: Repository) -> bytes:
    """The files of a clone as a zip."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(repository.clone.rglob("*")):
            if path.is_file() and ".git" not in path.parts:
                archive.write(path, path.relative_to(repository.clone))
    return content.getvalue()


def newest(estate: Estate, stack: str, others: list[str]) -> str:
    """The execution that is none of the others, as soon as it is there."""
    deadline = time.monotonic() + 60
    while not (found := [one for one in estate.executions(f"{NAME}-{stack}") if one not in others]):
        assert time.monotonic() < deadline, f"Nothing has started {stack}"
        time.sleep(0.3)
    return found[0]


def take(estate: Estate, stack: str, purpose: str, sid: str) -> None:
    """Takes a statement from an inline policy of a role."""
    iam, role = estate.administrator.client("iam"), f"{NAME}-{stack}-{purpose}"
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        left = [statement for statement in document["Statement"] if statement.get("Sid") != sid]
        if left and len(left) < len(document["Statement"]):
            text = json.dumps({**document, "Statement": left})
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=text)
            return
    raise AssertionError(f"{role} has no statement {sid} beside others")


def content(estate: Estate, stack: str) -> str:
    """The content of the one resource in a stack's state."""
    state = estate.state(stack)
    assert state, stack
    (resource,) = state["resources"]
    value: str = resource["instances"][0]["attributes"]["input"]["value"]
    return value


def destroyed(estate: Estate, *stacks: str) -> dict[str, Execution]:
    """What stacks built is destroyed, by their pipelines."""
    started = {stack: estate.start(f"{NAME}-{stack}-destroy", confirm=stack) for stack in stacks}
    for stack, execution in started.items():
        estate.wait(f"{NAME}-{stack}-destroy", execution, for_approval=True)
        estate.approve(f"{NAME}-{stack}-destroy")
    return {stack: estate.wait(f"{NAME}-{stack}-destroy", execution) for stack, execution in started.items()}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """All of it."""
    with LocalAws(tmp_path_factory.mktemp("local-aws-sources")).running() as aws:
        installers = ["user/installer", "user/administrator"]
        given = [dict(stack) for stack in STACKS]
        directory = tmp_path_factory.mktemp("sources")
        estate, repository = new_estate(
            aws, directory, given, name=NAME, connection=None, installers=installers, break_glass_role="role/emergency"
        )
        yield story(aws, estate, repository)


def story(aws: LocalAws, estate: Estate, repository: Repository) -> Told:
    """From the first site.yml to teardown.yml."""
    administrator = estate.administrator
    emergency_role(administrator)
    estate.keeper = in_role(administrator, f"arn:aws:iam::{ACCOUNT}:role/emergency")
    s3 = administrator.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}})
    aws.command("map-repository", CODE, str(repository.bare))
    found = inventory(administrator)
    estate.site()
    made = inventory(administrator)
    again = estate.site()

    for stack, (purpose, sid, _breaks, _says) in TAKEN.items():
        take(estate, stack, purpose, sid)
    administrator.client("iam").delete_role_policy(RoleName=f"{NAME}-no-start-source", PolicyName="source")
    before = {stack["name"]: estate.executions(f"{NAME}-{stack['name']}") for stack in estate.stacks}
    shutil.copytree(HERE / "roots" / "value", repository.clone / "code", ignore=shutil.ignore_patterns(".terraform"))
    commit = repository.push("Begin")
    version = s3.put_object(Bucket=BUCKET, Key=KEY, Body=packed(repository))["VersionId"]
    started = {name: newest(estate, name, before[name]) for name in before if name != "no-start"}
    # In the time that the builds take.
    verified = estate.playbook("verify.yml", administrator, stack="packed")
    doctor = estate.playbook("doctor.yml", administrator, stack="no-object")
    waiting = {name: estate.wait(f"{NAME}-{name}", started[name], for_approval=True) for name in ("pushed", "packed")}
    triggers = {
        name: administrator.client("codepipeline").get_pipeline_execution(
            pipelineName=f"{NAME}-{name}", pipelineExecutionId=started[name]
        )["pipelineExecution"]["trigger"]["triggerType"]
        for name in waiting
    }
    for name in waiting:
        estate.approve(f"{NAME}-{name}")
    applied = {name: estate.wait(f"{NAME}-{name}", started[name]) for name in waiting}
    contents = {name: content(estate, name) for name in waiting}
    broken = {name: estate.wait(f"{NAME}-{name}", started[name]) for name in TAKEN}
    not_started = len(estate.executions(f"{NAME}-no-start")) - len(before["no-start"])
    # The same version once more: nothing is to be done, and the run ends by itself.
    reused = estate.run(f"{NAME}-packed")

    ended = destroyed(estate, "packed", "pushed")
    estate.settings["connection"] = "github"
    estate.stacks[:] = [stack for stack in estate.stacks if stack["name"] in ("pushed", "packed")]
    estate.stacks[1] = {"name": "packed", "repository": REPOSITORY, "path": "code"}
    changed = estate.site()
    after_change = inventory(administrator)
    estate.stacks[1:] = [dict(stack) for stack in STACKS[1:]]
    removed = estate.playbook("teardown.yml", estate.installer, confirm=NAME)
    return Told(
        found,
        made,
        again,
        commit,
        version,
        waiting,
        triggers,
        applied,
        contents,
        broken,
        not_started,
        doctor,
        verified,
        reused,
        changed,
        after_change,
        ended,
        removed,
        inventory(administrator),
        estate,
    )


def test_no_connection_is_made_where_none_is_needed(told: Told) -> None:
    assert told.made["connections"] == set()


def test_each_stack_has_a_rule_and_a_role_for_it(told: Told) -> None:
    named = {f"{NAME}-{stack['name']}-source" for stack in STACKS}
    assert {rule for rule in told.made["rules"] if rule.endswith("-source")} == named
    assert named <= told.made["roles"]


def test_a_second_run_changes_nothing(told: Told) -> None:
    assert told.again.recap["changed"] == 0, told.again.output
    assert told.again.mutations == []


def test_the_push_and_the_new_version_start_the_pipelines_by_their_events(told: Told) -> None:
    assert told.triggers == {"pushed": "CloudWatchEvent", "packed": "CloudWatchEvent"}


def test_the_approval_says_what_would_be_applied(told: Told) -> None:
    pushed, packed = (told.waiting[name].actions["Approve"].message for name in ("pushed", "packed"))
    assert pushed.endswith(f"commit {told.commit} on main.")
    assert packed.endswith(f"version {told.version} of s3://{BUCKET}/{KEY}.")


def test_what_was_approved_is_applied(told: Told) -> None:
    for execution in told.applied.values():
        assert execution.status == "Succeeded", told.estate.story(execution)
    assert told.contents == {"pushed": "first", "packed": "first"}


def test_a_version_without_changes_ends_the_run(told: Told) -> None:
    assert told.reused.status == "Stopped", told.estate.story(told.reused)


@pytest.mark.parametrize("stack", TAKEN)
def test_a_run_breaks_without_a_statement(told: Told, stack: str) -> None:
    _purpose, _sid, breaks, says = TAKEN[stack]
    failed = [(name, action) for name, action in told.broken[stack].actions.items() if action.status == "Failed"]
    assert [name for name, _action in failed] == [breaks], told.estate.story(told.broken[stack])
    assert says in failed[0][1].summary


def test_nothing_starts_without_the_right_to(told: Told) -> None:
    assert told.not_started == 0


def test_the_doctor_says_which_statement_the_source_lacks(told: Told) -> None:
    assert told.doctor.failed
    assert "s3:GetObject" in told.doctor.text, told.doctor.output
    assert f"{BUCKET}/{KEY}" in told.doctor.text


def test_nobody_gets_past_the_pipeline(told: Told) -> None:
    assert not told.verified.failed, told.verified.output


def test_another_source_leaves_nothing_of_the_first(told: Told) -> None:
    assert not told.changed.failed, told.changed.output
    assert f"{NAME}-packed-source" not in told.after_change["rules"] | told.after_change["roles"]
    assert f"{NAME}-pushed-source" in told.after_change["rules"] & told.after_change["roles"]


def test_what_was_built_goes_and_what_built_it(told: Told) -> None:
    for execution in told.destroyed.values():
        assert execution.status == "Succeeded", told.estate.story(execution)
    assert not told.removed.failed, told.removed.output
    assert told.left == told.found
