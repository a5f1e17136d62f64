# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml where calls fail, where one stack cannot be brought to its settings, and where two run it at once."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from local_estate import LocalAws

from tests.e2e.estate import Estate, Run, inventory, new_estate
from tests.reliability.estates import MIXED, converged, failing, stacks


def of(estate: Estate) -> dict[str, Any]:
    """Which calls of an estate's installer fail."""
    assert estate.installer
    return {"principals": [f"*user/{estate.installer.name}"]}


def teardown(estate: Estate) -> Run:
    """Removes the estate."""
    return estate.playbook("teardown.yml", estate.installer, confirm=estate.settings["name"])


def test_every_fifth_call_fails(aws: LocalAws, tmp_path: Path, seed: int, soak: bool) -> None:
    """In mixed ways; from nothing to nothing."""
    estate, _repository = new_estate(aws, tmp_path, stacks(20 if soak else 2))
    empty = inventory(estate.administrator)
    fifth = {**of(estate), "rate": 0.2, "seconds": 1.0, "faults": MIXED}

    with failing(aws, seed, fifth):
        estate.site()
    converged(estate)
    if not soak:
        return
    with failing(aws, seed + 1, fifth):
        again = estate.site()
    assert again.recap["changed"] == 0, again.output
    with failing(aws, seed + 2, fifth):
        removed = teardown(estate)
    assert not removed.failed, removed.output
    assert inventory(estate.administrator) == empty


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"actions": ["iam:CreateRole"], "faults": {"unavailable": 1}}, marks=pytest.mark.soak),
        pytest.param({"actions": ["codebuild:CreateProject"], "faults": {"error": 1}}, marks=pytest.mark.soak),
        pytest.param({"actions": ["codepipeline:CreatePipeline"], "faults": {"reset": 1}}, marks=pytest.mark.soak),
        None,
    ],
)
def test_one_of_many_fails(aws: LocalAws, tmp_path: Path, rule: dict[str, Any] | None, soak: bool, seed: int) -> None:
    """A service is down for one stack, or the installer is denied it. The others are brought to their settings."""
    number = 20 if soak else 3
    estate, _repository = new_estate(aws, tmp_path, stacks(number))
    one = f"s{seed % number + 1:02}"
    name = f"{estate.settings['name']}-{one}"
    if rule:
        with failing(aws, seed, {**of(estate), **rule, "resources": [f"*{name}", f"*{name}-*"]}):
            run = estate.playbook("site.yml", estate.installer)
    else:
        with denied(estate, "iam:*", f"arn:aws:iam::*:role/{name}-*"):
            run = estate.playbook("site.yml", estate.installer)

    assert run.failed
    assert run.recap["failed"] == 1, run.output
    assert name in run.text.rpartition("TASK [Fail where something has failed]")[2], run.output
    there = inventory(estate.administrator)
    for stack in (stack["name"] for stack in estate.stacks):
        pipelines = {f"{estate.settings['name']}-{stack}", f"{estate.settings['name']}-{stack}-destroy"}
        assert (pipelines <= there["pipelines"]) == (stack != one), (stack, sorted(there["pipelines"]))
    estate.site()
    converged(estate)


def test_secret_that_cannot_be_written(aws: LocalAws, tmp_path: Path) -> None:
    """It holds nothing up, and is named."""
    csv = tmp_path / "keys.csv"
    csv.write_text("Access key ID,Secret access key\nAKIAIOSFODNN7EXAMPLE,wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n")
    estate, _repository = new_estate(aws, tmp_path, stacks(2))
    estate.stacks[0] |= {"credentials": "parameter_store", "access_keys_csv": str(csv)}

    with denied(estate, "ssm:PutParameter", "*"):
        run = estate.playbook("site.yml", estate.installer)

    assert run.failed
    last = run.text.rpartition("TASK [Fail where something has failed]")[2]
    assert "SSM parameter" in last
    assert "allow ssm:PutParameter" in last
    assert {"gitops-s01", "gitops-s02"} <= inventory(estate.administrator)["pipelines"]
    estate.site()
    converged(estate)


@contextmanager
def denied(estate: Estate, action: str, resource: str) -> Iterator[None]:
    """The installer may not do that within the block."""
    assert estate.installer
    iam = estate.administrator.client("iam")
    statement = {"Effect": "Deny", "Action": action, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=estate.installer.name, PolicyName="denied", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_user_policy(UserName=estate.installer.name, PolicyName="denied")


def test_two_at_once(aws: LocalAws, tmp_path: Path, soak: bool) -> None:
    """Both end well, or say why not and that it is to be run again; nothing exists twice."""
    estate, _repository = new_estate(aws, tmp_path, stacks(2))
    estate.vars_file()
    for tags in ({"owner": "one"}, {"owner": "another"})[: 2 if soak else 1]:
        estate.settings["tags"] = tags
        with ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(lambda _number: estate.playbook("site.yml", estate.installer), range(2)))
        assert any(not run.failed for run in runs), [run.output for run in runs]
        for run in runs:
            assert not run.failed or re.search(r"Fix: .*run .*again", run.text), run.output
        if any(run.failed for run in runs):
            estate.site()
        converged(estate)


@pytest.mark.soak
def test_credentials_that_expire_meanwhile(aws: LocalAws, tmp_path: Path, chance: random.Random) -> None:
    """The run says so, and the next one, with new ones, completes."""
    estate, _repository = new_estate(aws, tmp_path, stacks(2))
    services = ("iam", "codebuild", "codepipeline", "logs", "kms", "dynamodb")
    with failing(aws, 1, {**of(estate), "actions": [f"{chance.choice(services)}:*"], "faults": {"expired": 1}}):
        run = estate.playbook("site.yml", estate.installer)

    assert run.failed
    assert "Fix: the credentials are expired or wrong; get new ones and run again, nothing is lost." in run.text
    estate.site()
    converged(estate)
