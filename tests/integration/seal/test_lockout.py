# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml seals nobody out who must get in, and leaves the seal as it is whatever becomes of the stacks."""

from __future__ import annotations

import copy
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.estate import Estate, Run
from tests.integration.seal.conftest import (
    ARTIFACT_BUCKET,
    ESTATE,
    IAM,
    STACKS,
    STATE_BUCKET,
    TABLE_ARN,
    Sealed,
)

# What policies of the bucket, table and key are put with.
PUT = {"s3:PutBucketPolicy", "dynamodb:PutResourcePolicy", "kms:PutKeyPolicy", "kms:CreateKey"}


@dataclass
class Mistake:
    """Settings, and settings of the first two stacks, that would lock somebody out; and what the message says of it."""

    says: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    stacks: tuple[dict[str, Any], dict[str, Any]] = ({}, {})


MISTAKES = {
    # All in one run: all are said at once.
    "an installer and roles that are not there, or may too little": Mistake(
        [
            f"{IAM}:role/no-break-glass does not exist",
            f"{IAM}:user/seal-instaler does not exist",
            f"{IAM}:role/no-apply does not exist",
            f"{IAM}:role/seal-too-little could not write second/terraform.tfstate: no policy of his allows it",
            "Fix: everybody that the settings and stacks name must be there",
            f"you must be one of the installers ({IAM}:user/seal-installer)",
        ],
        {
            "break_glass_role": "role/no-break-glass",
            "break_glass_principals": [],
            "installers": ["user/seal-installer", "user/seal-instaler"],
        },
        ({"apply_role_arn": f"{IAM}:role/no-apply"}, {"apply_role_arn": f"{IAM}:role/seal-too-little"}),
    ),
    "the caller is not among the installers": Mistake(
        ["statement OnlyInstallersChange denies s3:PutBucketPolicy", f"{IAM}:user/seal-installer", "Fix: add yourself"],
        {"installers": ["user/seal-verifier"]},
    ),
    "statements that lock the caller out": Mistake(
        ["statement OnlyOthers denies s3:GetBucketPolicy", f"{IAM}:user/seal-installer", "Fix:"],
        {
            "state_bucket_policy_statements": [
                {
                    "Sid": "OnlyOthers",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": f"arn:aws:s3:::{STATE_BUCKET}",
                    "Condition": {"ArnNotEquals": {"aws:PrincipalArn": f"{IAM}:user/others"}},
                }
            ]
        },
    ),
    "an estate that is yet to be made": Mistake(
        [
            "statement OnlyInstallersChange denies s3:PutBucketPolicy",
            f"{IAM}:user/seal-administrator",
            "Fix: add yourself",
        ],
        {"name": "unmade", "connection": "unmade", "installers": ["user/seal-verifier"]},
    ),
}


def policies(sealed: Sealed) -> dict[str, Any]:
    """The policies of buckets, table and key, with what the estate's guards are."""
    s3, iam = sealed.client("s3"), sealed.client("iam")
    found: dict[str, Any] = {
        bucket: s3.get_bucket_policy(Bucket=bucket)["Policy"] for bucket in (STATE_BUCKET, ARTIFACT_BUCKET)
    }
    found["key"] = sealed.client("kms").get_key_policy(KeyId=sealed.key_arn, PolicyName="default")["Policy"]
    try:
        found["table"] = sealed.client("dynamodb").get_resource_policy(ResourceArn=TABLE_ARN)["Policy"]
    except ClientError:
        found["table"] = ""
    names = [one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]]
    roles = [one["RoleName"] for one in iam.list_roles()["Roles"]]
    found["policies"] = sorted(name for name in names if name.startswith(f"{ESTATE}-"))
    found["break-glass"] = [name for name in roles if name == f"{ESTATE}-break-glass"]
    rules = [one["Name"] for one in sealed.client("events").list_rules(NamePrefix=ESTATE)["Rules"]]
    found["rules"] = [name for name in rules if not name.endswith("-source")]  # which start pipelines
    topics = sealed.client("sns").list_topics()["Topics"]
    found["topics"] = [one["TopicArn"] for one in topics if f":{ESTATE}-" in one["TopicArn"]]
    return found


@dataclass
class Refusals:
    """What came of all mistakes, made side by side; and the policies before and after."""

    runs: dict[str, Run]
    before: dict[str, Any]
    after: dict[str, Any]


@pytest.fixture(scope="module")
def refusals(sealed: Sealed) -> Refusals:
    builds = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
    sealed.client("iam").create_role(
        RoleName="seal-too-little",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [builds]}),
    )
    estate, before = sealed.estate, policies(sealed)

    def make(name: str) -> Run:
        mistake = MISTAKES[name]
        stacks = [{**stack, **more} for stack, more in zip(STACKS, [*mistake.stacks, {}], strict=True)]
        directory = estate.directory / name.replace(" ", "-")
        directory.mkdir()
        wrong = Estate(estate.aws, estate.administrator, directory, {**estate.settings, **mistake.settings}, stacks)
        new = "name" in mistake.settings
        return wrong.playbook("site.yml", estate.administrator if new else estate.installer)

    with ThreadPoolExecutor(2) as pool:
        runs = dict(zip(MISTAKES, pool.map(make, MISTAKES), strict=True))
    return Refusals(runs, before, policies(sealed))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_it_refuses_what_would_lock_somebody_out_and_changes_nothing(refusals: Refusals, mistake: str) -> None:
    run = refusals.runs[mistake]

    assert run.failed, run.output
    message = " ".join(run.result["msg"].split())
    for text in MISTAKES[mistake].says:
        assert text in message
    assert run.recap["changed"] == 0
    assert run.mutations == []


def test_the_seal_is_what_it_was_before_the_mistakes(refusals: Refusals) -> None:
    assert refusals.after == refusals.before


def test_the_seal_is_taken_off_and_put_back(sealed: Sealed) -> None:
    estate, before = sealed.estate, policies(sealed)
    attached = lambda: sealed.client("iam").list_attached_role_policies(RoleName=f"{ESTATE}-network-apply")  # noqa: E731

    estate.settings["sealed"] = False
    try:
        estate.site()
        without = policies(sealed)
        unsealed = attached()["AttachedPolicies"]
        open_to_all = sealed.observed(["administrator: read the state", "administrator: delete the key"])
    finally:
        estate.settings["sealed"] = True
    estate.site()

    sids = {name: [one["Sid"] for one in json.loads(without[name])["Statement"]] for name in (STATE_BUCKET, "key")}
    assert sids[STATE_BUCKET] == ["DenyPlainHttp", "DenyUnencryptedUploads", "DenyOtherKeys"]
    assert sids["key"] == ["IamPoliciesCount"]
    assert "Only" not in without[ARTIFACT_BUCKET]
    assert without["table"] == ""
    assert [without[kind] for kind in ("policies", "break-glass", "rules", "topics")] == [[], [], [], []]
    assert unsealed == []
    assert set(open_to_all.values()) == {"GOT THROUGH"}
    assert policies(sealed) == before
    assert len(attached()["AttachedPolicies"]) == 1
    assert sealed.through() == set()


def test_stacks_and_roles_come_and_go_and_the_seal_stays(sealed: Sealed) -> None:
    """A stack is added, one is renamed, and a role is made again: its ARN is the same, its id another."""
    estate, iam, before = sealed.estate, sealed.client("iam"), policies(sealed)
    role = f"{ESTATE}-network-apply"
    old = iam.get_role(RoleName=role)["Role"]["RoleId"]
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    for one in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=one["PolicyArn"])
    iam.delete_role(RoleName=role)
    estate.stacks[1]["name"] = "renamed"
    estate.stacks.append({**STACKS[0], "name": "added", "path": "added"})

    try:
        run = estate.site()
    finally:
        estate.stacks[:] = copy.deepcopy(STACKS)

    assert iam.get_role(RoleName=role)["Role"]["RoleId"] != old
    assert iam.get_role(RoleName=f"{ESTATE}-renamed-apply")
    assert iam.get_role(RoleName=f"{ESTATE}-added-apply")
    assert {call["action"] for call in run.calls} & PUT == set()
    assert policies(sealed) == before
    assert sealed.through() == set()
