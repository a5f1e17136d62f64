# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restore_state.yml, with states that builds have written and read again."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e.estate import Run
from tests.integration.recovery.conftest import Recovery

CLEAN = "No changes. Your infrastructure matches the configuration."


def state_of(recovery: Recovery, stack: str) -> dict[str, Any]:
    state = recovery.estate.state(stack)
    assert state is not None
    return state


# An earlier version


@pytest.fixture(scope="module")
def versions(recovery: Recovery) -> list[str]:
    """The versions of a state after two applies, the newest first."""
    recovery.run("restored", "first")
    first = state_of(recovery, "restored")["serial"]
    recovery.run("restored", "second")
    assert state_of(recovery, "restored")["serial"] > first
    answer = recovery.estate.kept("s3").list_object_versions(
        Bucket=recovery.bucket, Prefix="restored/terraform.tfstate"
    )
    return [each["VersionId"] for each in answer["Versions"] if each["Key"] == "restored/terraform.tfstate"]


@pytest.fixture(scope="module")
def listed(recovery: Recovery, versions: list[str]) -> Run:
    assert versions
    return recovery.play("restore_state.yml", stack="restored")


def test_it_lists_what_there_is_to_go_back_to(listed: Run, versions: list[str]) -> None:
    assert not listed.failed, listed.output
    assert listed.mutations == []
    for version in versions:
        assert version in listed.output
    assert "VERSION" in listed.output
    assert " present" in listed.output
    assert "-e version_id=<VERSION> -e confirm=restored" in listed.output
    assert "rescued=true" not in listed.output


def test_without_the_stack_s_name_typed_nothing_is_restored(recovery: Recovery, versions: list[str]) -> None:
    run = recovery.play("restore_state.yml", stack="restored", version_id=versions[-1])

    assert run.failed
    assert "Type the stack's name, -e confirm=restored" in run.text
    assert run.calls == []


def test_an_earlier_version_is_restored_and_terraform_goes_on_from_it(recovery: Recovery, versions: list[str]) -> None:
    before = state_of(recovery, "restored")
    given: dict[str, Any] = {"stack": "restored", "version_id": versions[-1], "confirm": "restored"}

    checked = recovery.play("restore_state.yml", "--check", "--diff", **given)
    denied = recovery.play("restore_state.yml", person=recovery.operator, **given)
    assert state_of(recovery, "restored") == before
    restored = recovery.play("restore_state.yml", **given)

    assert not checked.failed, checked.output
    assert checked.mutations == []
    assert checked.recap["changed"] == 1
    assert re.search(rf"^-.*serial.*{before['serial']}", checked.output, re.MULTILINE), checked.output
    assert "second" not in checked.output
    assert denied.failed
    assert "AccessDenied" in denied.text
    assert not restored.failed, restored.output
    assert sorted(call.split()[0] for call in restored.mutations) == [
        "dynamodb:DeleteItem",
        "dynamodb:PutItem",
        "dynamodb:PutItem",
        "s3:DeleteObject",
        "s3:PutObject",
        "s3:PutObject",
    ]
    assert state_of(recovery, "restored")["serial"] == before["serial"] + 1
    assert f"has serial {before['serial'] + 1} " in restored.text
    assert CLEAN in recovery.run("restored", "first", command="plan")


# What a build could not write


@pytest.mark.parametrize("place", [0, 2], ids=["state bucket", "artifact bucket"])
def test_a_rescued_state_is_put_back(recovery: Recovery, place: int) -> None:
    if recovery.estate.state("rescued") is None:
        recovery.run("rescued", "first")
    state = state_of(recovery, "rescued")
    saved = {**state, "serial": state["serial"] + 1, "outputs": {"place": {"value": place, "type": "number"}}}
    shared = recovery.estate.foundation
    bucket, key = [
        (shared["state_bucket"], "rescued/terraform.tfstate.errored"),
        (shared["artifact_bucket"], "rescue-rescued/errored/rescued.tfstate"),
        (shared["artifact_bucket"], "rescue-rescued-destr/errored/rescued.tfstate"),
    ][place]
    recovery.put(bucket, key, saved)
    typed = "-e rescued=true -e confirm=rescued"

    if place == 0:
        unlocked = recovery.play("unlock.yml", stack="rescued")
        listed = recovery.play("restore_state.yml", stack="rescued")
        assert f"ansible-playbook gitops.aws.restore_state -e @your.yml -e stack=rescued {typed}" in unlocked.text
        assert f"s3://{bucket}/{key}" in listed.output
        assert typed in listed.output
    restored = recovery.play("restore_state.yml", stack="rescued", rescued=True, confirm="rescued")

    assert not restored.failed, restored.output
    assert state_of(recovery, "rescued") == {**saved, "serial": saved["serial"] + 1}
    objects = recovery.estate.kept("s3").list_objects_v2(Bucket=bucket, Prefix=key)
    assert objects["KeyCount"] == 0


def test_nothing_was_rescued(recovery: Recovery) -> None:
    run = recovery.play("restore_state.yml", stack="killed", rescued=True, confirm="killed")

    assert run.failed
    assert "Nothing is restored: no build of killed has saved a state aside" in run.text
    assert run.mutations == []


def test_both_are_given(recovery: Recovery) -> None:
    run = recovery.play("restore_state.yml", stack="killed", rescued=True, version_id="x", confirm="killed")

    assert run.failed
    assert "version_id and rescued are both given" in run.text
    assert run.calls == []
