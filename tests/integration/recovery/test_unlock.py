# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""unlock.yml, from a build that holds the lock to what it left behind."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass

import pytest

from tests.e2e.estate import Run
from tests.integration.modules.running import eventually
from tests.integration.recovery.conftest import Recovery

STACK = "killed"


@dataclass
class Story:
    """What unlock.yml did while a build ran, and after it was stopped."""

    build_id: str
    seen_running: Run
    refused: Run
    checked: Run
    by_operator: Run
    unlocked: Run


@pytest.fixture(scope="module")
def story(recovery: Recovery) -> Story:
    build_id = recovery.start(STACK, "one", seconds=60)
    eventually(lambda: "terraform_data.slow: Creating..." in recovery.log(build_id), 60)
    seen_running = recovery.play("unlock.yml")
    refused = recovery.play("unlock.yml", stack=STACK)
    recovery.administrator.client("codebuild").stop_build(id=build_id)
    recovery.wait(build_id)
    return Story(
        build_id,
        seen_running,
        refused,
        checked=recovery.play("unlock.yml", "--check", "--diff", stack=STACK),
        by_operator=recovery.play("unlock.yml", person=recovery.operator, stack=STACK),
        unlocked=recovery.play("unlock.yml", stack=STACK),
    )


def lock_id(story: Story) -> str:
    found = re.search(
        r"killed is locked by \S+ for OperationTypeApply since \S+: ([0-9a-f-]{36})", story.seen_running.text
    )
    assert found, story.seen_running.output
    return found[1]


def test_without_a_stack_it_only_shows(story: Story) -> None:
    run = story.seen_running
    assert not run.failed, run.output
    assert run.mutations == []
    assert "killed: running, " in run.text
    assert story.build_id in run.text
    assert "restored is not locked" in run.text


def test_it_refuses_while_the_build_runs(story: Story) -> None:
    assert story.refused.failed
    assert story.refused.mutations == []
    for part in (lock_id(story), story.build_id, "is not released", f"lock_id: {lock_id(story)}"):
        assert part in story.refused.text


def test_check_mode_says_what_it_would_release(story: Story) -> None:
    assert not story.checked.failed, story.checked.output
    assert story.checked.mutations == []
    assert story.checked.recap["changed"] == 1
    assert lock_id(story) in story.checked.output
    assert "killed: stale, " in story.checked.text


def test_it_releases_the_lock_of_the_dead_build(story: Story) -> None:
    assert not story.unlocked.failed, story.unlocked.output
    assert sorted(call.split()[0] for call in story.unlocked.mutations) == ["dynamodb:DeleteItem", "s3:DeleteObject"]
    assert story.unlocked.recap["changed"] == 1


def test_it_shows_how_to_adopt_what_the_build_made(story: Story) -> None:
    (line,) = [one for one in json_lines(story.unlocked) if one.startswith("ansible-playbook gitops.aws.run ")]
    words = shlex.split(line)
    imports = json.loads(words[-1])["imports"]

    assert words[:-2] == ["ansible-playbook", "gitops.aws.run", "-e", "@your.yml", "-e", f"stack={STACK}"]
    assert list(imports) == ["terraform_data.value"]
    assert f"terraform_data.value ({imports['terraform_data.value']}) exists" in story.unlocked.text
    assert "terraform_data.slow may exist" in story.unlocked.text


def json_lines(run: Run) -> list[str]:
    """The lines that debug tasks show."""
    return [json.loads(f'"{text}"') for text in re.findall(r'^        "(.*)",?$', run.output, re.MULTILINE)]


def test_who_runs_pipelines_cannot_unlock(story: Story) -> None:
    assert story.by_operator.failed
    assert "AccessDenied" in story.by_operator.text
    assert story.by_operator.mutations == []


def test_somebody_else_s_lock_takes_its_id(recovery: Recovery) -> None:
    table = recovery.estate.kept("dynamodb")
    info = {
        "ID": "held-by-hand",
        "Operation": "OperationTypePlan",
        "Who": "me@laptop",
        "Created": "2025-01-01T00:00:00Z",
    }
    table.put_item(
        TableName=recovery.estate.foundation["lock_table"],
        Item={
            "LockID": {"S": f"{recovery.bucket}/restored/terraform.tfstate"},
            "Info": {"S": json.dumps(info)},
        },
    )

    right = recovery.play("unlock.yml", stack="restored", lock_id="held-by-hand")

    assert not right.failed, right.output
    assert (
        "restored is locked by me@laptop for OperationTypePlan since 2025-01-01T00:00:00Z: held-by-hand" in right.text
    )
    assert "restored: foreign, " in right.text
    assert [call.split()[0] for call in right.mutations] == ["dynamodb:DeleteItem"]


def test_wrong_input_stops_it_before_any_call(recovery: Recovery) -> None:
    unknown = recovery.play("unlock.yml", stack="nothing")
    without = recovery.play("unlock.yml", lock_id="x")

    assert unknown.failed
    assert "Allowed are: killed, restored, rescued" in unknown.text
    assert without.failed
    assert "lock_id: of which stack?" in without.text
    assert unknown.calls == without.calls == []
