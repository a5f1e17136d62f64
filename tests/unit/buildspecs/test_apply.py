# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apply compares with the manifest, part by part. The end-to-end tests do it with real plans and states."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.unit.buildspecs.conftest import Shell

FACTS = {
    "commit": "a" * 40,
    "execution": "execution-1",
    "provider_lock_sha256": "b" * 64,
    "terraform_version": "Terraform v1.11.4",
    "state_lineage": "lineage",
    "state_serial": "3",
    "state_version_id": "version-1",
    "state_sha256": "c" * 64,
}
WORDS = {
    "commit": "the commit",
    "execution": "the execution of the pipeline",
    "provider_lock_sha256": "the provider lock file",
    "terraform_version": "the version of Terraform",
    "state_lineage": "the lineage of the state",
    "state_serial": "the serial of the state",
    "state_version_id": "the version of the state object in S3",
    "state_sha256": "the content of the state",
}
# What is there now, and whether the plan was used, without AWS.
NOW = """
other_facts() { printf '%s\\n' "$NOW"; }
state_facts() { :; }
not_used() { mkdir -p "$WORK/used"; }
TERRAFORM=echo
same_as_planned
"""


def lines(facts: dict[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in facts.items())


def compare(shell: Shell, tmp_path: Path, now: dict[str, str]) -> subprocess.CompletedProcess[str]:
    (tmp_path / "saved" / "manifest").write_text(f"changes=yes\n{lines(FACTS)}\nmode=apply\nplan_sha256=d\n")
    return shell(NOW, NOW=lines(now))


def test_the_same_is_applied_and_marked(shell: Shell, tmp_path: Path) -> None:
    done = compare(shell, tmp_path, FACTS)

    assert (done.returncode, done.stdout) == (0, "state push mark\n")


@pytest.mark.parametrize("name", FACTS)
def test_every_part_that_differs_is_named(shell: Shell, tmp_path: Path, name: str) -> None:
    done = compare(shell, tmp_path, {**FACTS, name: "other"})

    assert done.returncode != 0
    assert f"Nothing is applied: {WORDS[name]}" in done.stdout
    assert f"has changed since the plan was made: it was '{FACTS[name]}', it is 'other'" in done.stdout
    assert "state push" not in done.stdout


@pytest.mark.parametrize("name", ["state_lineage", "state_version_id"])
def test_what_was_not_there_must_not_be_there_now(shell: Shell, tmp_path: Path, name: str) -> None:
    assert compare(shell, tmp_path, {**FACTS, name: ""}).returncode != 0


@pytest.mark.parametrize(("plan", "message"), [(b"plan", ""), (b"other", "the saved plan is not the one"), (None, "")])
def test_plan_and_manifest_are_those_that_were_approved(
    shell: Shell, tmp_path: Path, plan: bytes | None, message: str
) -> None:
    saved = tmp_path / "saved"
    manifest = f"plan_sha256={hashlib.sha256(b'plan').hexdigest()}\n"
    (saved / "manifest").write_text(manifest)
    if plan is not None:
        (saved / "tfplan").write_bytes(plan)

    done = shell("same_manifest", MANIFEST_SHA256=hashlib.sha256(manifest.encode()).hexdigest())
    other = shell("same_manifest", MANIFEST_SHA256="e" * 64)

    assert (done.returncode == 0) is (plan == b"plan")
    assert message in done.stdout
    assert other.returncode != 0
    assert "Nothing is applied: the manifest is not the one that was approved" in other.stdout


def test_a_plan_without_changes_is_not_applied(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "saved" / "manifest").write_text("changes=no\n")

    done = shell("TERRAFORM=false\napply_plan")

    assert (done.returncode, done.stdout) == (0, "The plan has no changes: nothing is to be done.\n")
