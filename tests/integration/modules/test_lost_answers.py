# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that AWS carries out, and whose answers do not arrive: what every bulk module promises then."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import local_aws.cli
from ansible_collections.gitops.aws.plugins.module_utils._kinds.kms_key import UNNAMED
from local_aws.faults import READING
from tests.integration.modules.cases import ALLOW_ALL_OF_ACCOUNT, SCHEDULES
from tests.integration.modules.harness import REGION, Account, ModuleFailed, unique
from tests.integration.modules.test_lifecycle import OWNER, Runner, every_module, runner

__all__ = ["runner"]  # a fixture

NONE: dict[str, Any] = {"rate": 0, "faults": {"slow": 1}}


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's pauses before it repeats a call are of no interest."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda _self, _context: 0.01)


class Losing:
    """Local AWS, whose answers to the modules' calls can be lost."""

    def __init__(self, account: Account, file: Path) -> None:
        self.account, self.file = account, file

    def begin(self, *actions: str, seed: int = 0, rate: float = 1.0, times: int | None = None) -> None:
        """From now on, answers to calls that write are lost."""
        principal = f"*user/{self.account.client('sts').get_caller_identity()['Arn'].rpartition('/')[2]}"
        rules = [
            {**NONE, "principals": [principal]},
            {**NONE, "actions": list(READING)},
            {"actions": list(actions) or ["*"], "rate": rate, "times": times, "faults": {"lost": 2, "truncate": 1}},
        ]
        self.file.write_text(json.dumps({"seed": seed, "rules": rules}))
        assert local_aws.cli.main(["faults", str(self.file), "--data", str(self.account.data)]) == 0

    def end(self) -> None:
        """No more."""
        assert local_aws.cli.main(["faults", "--data", str(self.account.data)]) == 0


@pytest.fixture
def losing(account: Account, tmp_path: Path) -> Iterator[Losing]:
    losing = Losing(account, tmp_path / "faults.json")
    yield losing
    losing.end()


@every_module
def test_nothing_exists_twice_nor_fails(runner: Runner, losing: Losing) -> None:
    """Each call that writes is carried out twice and more, until an answer arrives."""
    owner = {"owner_tags": OWNER} if runner.case.tagged and runner.case is not SCHEDULES else {}  # in a group of AWS's
    for seed in (1, 2, 3):
        item = runner.new(**runner.tags(a="1"))
        losing.begin(seed=seed, rate=0.5)
        created = runner.run(item, **owner)
        losing.end()
        again = runner.run(item, **owner)
        losing.begin(seed=seed, rate=0.5)
        deleted = runner.delete(item, **owner)
        losing.end()

        assert runner.action(created, item) == "created"
        assert not again["changed"], again["diff"]
        assert runner.action(deleted, item) == "deleted"
        assert not runner.delete(item, **owner)["changed"]


KMS = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}


def denying(bucket: str) -> dict[str, Any]:
    """A policy that keeps nobody from anything who is around."""
    nobody = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/no"}
    return {"Version": "2012-10-17", "Statement": [nobody]}


def key_ids(account: Account) -> set[str]:
    pages = account.client("kms").get_paginator("list_keys").paginate()
    return {key["KeyId"] for page in pages for key in page["Keys"]}


@pytest.mark.parametrize("action", ["kms:CreateKey", "kms:CreateAlias", "kms:UntagResource"])
def test_one_key_is_made_and_stays(account: Account, losing: Losing, action: str) -> None:
    keys, before = [{"alias": f"alias/{unique('lost')}", "description": "One"}], key_ids(account)

    losing.begin(action, times=1)
    made = account.run("kms_keys", kms_keys=keys, owner_tags=OWNER)

    assert len(key_ids(account) - before) == 1
    described = account.client("kms").describe_key(KeyId=keys[0]["alias"])["KeyMetadata"]
    assert described["KeyState"] == "Enabled"
    assert made["resources"][keys[0]["alias"]]["key_id"] == described["KeyId"]
    tags = account.client("kms").list_resource_tags(KeyId=described["KeyId"])["Tags"]
    assert [tag["TagKey"] for tag in tags] == list(OWNER)


def test_key_that_a_killed_run_left_behind_is_taken(account: Account) -> None:
    """It was made for this alias and has none; others that look like it stay as they are."""
    api, alias = account.client("kms"), f"alias/{unique('left')}"

    def left(wanted_alias: str, owner: str = "ours") -> str:
        tags = [{"TagKey": UNNAMED, "TagValue": wanted_alias}, {"TagKey": "team", "TagValue": owner}]
        key: str = api.create_key(Tags=tags)["KeyMetadata"]["KeyId"]
        return key

    other, theirs, leaving, expected = left(f"{alias}-other"), left(alias, "others"), left(alias), left(alias)
    api.schedule_key_deletion(KeyId=leaving)
    policy = {"Version": "2012-10-17", "Statement": [ALLOW_ALL_OF_ACCOUNT]}
    keys = [{"alias": alias, "policy": policy, "description": "New", "tags": {"a": "1"}}]

    made = account.run("kms_keys", kms_keys=keys, owner_tags=OWNER)
    again = account.run("kms_keys", kms_keys=keys, owner_tags=OWNER)

    assert made["resources"][alias]["key_id"] == expected
    assert "kms:CreateKey" not in made["mutations"]
    assert again["mutations"] == []
    named = {each["TargetKeyId"] for each in api.list_aliases(Limit=100)["Aliases"] if "TargetKeyId" in each}
    assert not named & {other, theirs, leaving}


def test_one_connection_is_made(account: Account, losing: Losing) -> None:
    connections = [{"name": unique("lost")[:32], "provider_type": "GitHub"}]

    losing.begin("codeconnections:CreateConnection", times=1)
    made = account.run("codeconnections", connections=connections)
    again = account.run("codeconnections", connections=connections)

    assert made["changed"]
    assert not again["changed"]


def test_bucket_that_a_killed_run_left_behind_is_taken(account: Account) -> None:
    name = unique("left")
    account.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    buckets = [{"name": name, "versioning": True}]

    with pytest.raises(ModuleFailed, match="lacks the tag team=ours"):  # to delete it would be too much
        account.run("s3_buckets", buckets=buckets, owner_tags=OWNER, state="absent")
    result = account.run("s3_buckets", buckets=buckets, owner_tags=OWNER)

    assert result["resources"][name]["action"] == "updated"
    assert not account.run("s3_buckets", buckets=buckets, owner_tags=OWNER)["changed"]


@pytest.mark.parametrize(
    "use",
    [
        lambda s3, name: s3.put_object(Bucket=name, Key="a", Body=b"a"),
        lambda s3, name: s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"}),
        lambda s3, name: s3.put_bucket_policy(Bucket=name, Policy=json.dumps(denying(name))),
        lambda s3, name: s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [KMS]}),
        lambda s3, name: s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}),
    ],
)
def test_bucket_that_somebody_uses_is_left_alone(account: Account, use: Callable[..., Any]) -> None:
    name, s3 = unique("used"), account.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    use(s3, name)

    with pytest.raises(ModuleFailed, match="lacks the tag team=ours") as failure:
        account.run("s3_buckets", buckets=[{"name": name}], owner_tags=OWNER)
    assert failure.value.result["mutations"] == []
