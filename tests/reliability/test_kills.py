# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 at any moment: the next run completes, nothing is lost or doubled, and the state is never open to others."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from local_estate import LocalAws

from tests.e2e.estate import Call, inventory, new_estate, root
from tests.reliability.estates import converged, killed, put_state, stacks
from tests.reliability.figures import KILLS, count

UPDATED = {"owner": "another team", "cost": "42"}
# Of how many calls one is the last. Each run makes a few more.
CALLS = {"first run": 90, "update": 70, "teardown": 90}


class Life:
    """An estate that comes, changes and goes, again and again. Each time something is killed."""

    def __init__(self, aws: LocalAws, directory: Path, chance: random.Random) -> None:
        self.estate, _repository = new_estate(aws, directory, stacks(2))
        self.chance = chance
        self.empty = inventory(self.estate.administrator)

    def kill(self, what: str, playbook: str, **variables: Any) -> None:
        """Kills a run at some moment, and looks whether the state is open to others then."""
        moment = self.chance.randint(1, CALLS[what])
        assert killed(self.estate, playbook, moment, **variables), f"{what} was over before its call {moment}"
        count(KILLS)
        time.sleep(0.2)  # the last call may still be carried out
        self.nothing_is_open(f"{what}, killed after {moment} calls")

    def nothing_is_open(self, when: str) -> None:
        """As long as a pipeline is there, nobody but it can write its state, and the bucket encrypts and keeps it."""
        estate = self.estate
        if not any(
            name.startswith(f"{estate.settings['name']}-") for name in inventory(estate.administrator)["pipelines"]
        ):
            return
        bucket, s3 = estate.foundation["state_bucket"], root(estate.aws.endpoint_url).client("s3")
        rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms", when
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled", when
        assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()), when
        others = estate.administrator.client("s3")
        for encrypted in ({}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": estate.key_arn}):
            with pytest.raises(others.exceptions.ClientError, match="AccessDenied"):
                others.put_object(Bucket=bucket, Key="s01/terraform.tfstate", Body=b"{}", **encrypted)
        with pytest.raises(others.exceptions.ClientError, match="AccessDenied"):
            others.delete_object(Bucket=bucket, Key="s01/terraform.tfstate")

    def begin(self) -> None:
        """The first run."""
        self.estate.settings["tags"] = {"owner": "platform"}
        self.estate.stacks[:] = stacks(2)
        before = len(self.estate.aws.calls())
        self.kill("first run", "site.yml")
        self.estate.site()
        protected_before_pipelines(self.estate.aws.calls()[before:])
        converged(self.estate)

    def update(self) -> None:
        """A change of everything, and one stack more."""
        states = {stack: put_state(self.estate, stack) for stack in ("s01", "s02")}
        self.estate.settings["tags"] = UPDATED
        self.estate.stacks[:] = stacks(3)
        self.kill("update", "site.yml")
        converged_after = self.estate.site()
        assert not {"s3:DeleteBucketPolicy", "s3:DeleteBucketEncryption"} & {
            call["action"] for call in converged_after.calls
        }
        converged(self.estate)
        self.nothing_is_open("after an update")
        s3 = root(self.estate.aws.endpoint_url).client("s3")
        bucket = self.estate.foundation["state_bucket"]
        for stack, version in states.items():
            assert s3.head_object(Bucket=bucket, Key=f"{stack}/terraform.tfstate")["VersionId"] == version

    def end(self) -> None:
        """Its removal."""
        confirm = {"confirm": self.estate.settings["name"]}
        self.kill("teardown", "teardown.yml", **confirm)
        completed = self.estate.playbook("teardown.yml", self.estate.installer, **confirm)
        assert not completed.failed, completed.output
        assert inventory(self.estate.administrator) == self.empty


def protected_before_pipelines(calls: list[Call]) -> None:
    """No pipeline is made before the bucket of its state is as it must be."""
    actions = [call["action"] for call in calls]
    if "codepipeline:CreatePipeline" in actions:
        begin = actions.index("codepipeline:CreatePipeline")
        assert not [action for action in actions[begin:] if action.startswith("s3:PutBucket")]


def test_killed_runs(aws: LocalAws, tmp_path: Path, chance: random.Random, soak: bool) -> None:
    life = Life(aws, tmp_path, chance)
    for _round in range(6 if soak else 1):
        life.begin()
        life.update()
        life.end()
