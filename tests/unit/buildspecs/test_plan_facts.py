# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan in words: counts, what is destroyed, who may do more, which doors open."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.buildspecs.conftest import PARTS

Words = Callable[..., list[str]]

READ = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}
WRITE = {"Effect": "Allow", "Action": "s3:Put*", "Resource": "*"}
NEVER = {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def change(address: str, actions: str, before: Any = None, after: Any = None, **more: Any) -> dict[str, Any]:
    """A resource's change as `terraform show -json` has it; actions are separated by spaces."""
    kind = re.sub(r"\[.*?\]", "", address).split(".")[-2]
    unknown = {"after_unknown": more.pop("unknown", {})}
    importing = {"importing": {"id": "1"}} if more.pop("importing", False) else {}
    inner = {"actions": actions.split(), "before": before, "after": after, **unknown, **importing}
    return {"address": address, "mode": "managed", "type": kind, "change": inner, **more}


@pytest.fixture
def words(tmp_path: Path) -> Words:
    """The summary and the effects of a plan with these changes."""

    def of(*changes: dict[str, Any], **more: Any) -> list[str]:
        (tmp_path / "main.tf").write_text((PARTS / "plan_facts.tf").read_text(encoding="utf-8"), encoding="utf-8")
        (tmp_path / "plan.json").write_text(json.dumps({"resource_changes": list(changes), **more}))
        done = subprocess.run(
            ["terraform", "console"],
            input="jsonencode([local.summary, local.effects])\n",
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: list[str] = json.loads(json.loads(done.stdout.splitlines()[-1]))
        return found

    return of


def test_counts(words: Words) -> None:
    summary, effects = words(
        change("aws_vpc.new", "create", None, {}),
        change("aws_vpc.other", "create delete", {}, {}),
        change("aws_vpc.again", "delete create", {}, {}),
        change("aws_vpc.changed", "update", {}, {}),
        change("aws_vpc.gone", "delete", {}),
        change("aws_vpc.same", "no-op", {}, {}),
        {**change("data.aws_vpc.read", "read", None, {}), "mode": "data"},
    )

    assert summary == "3 to add, 1 to change, 3 to destroy, 2 of both to replace"
    assert effects == "Destroys: aws_vpc.gone. Replaces: aws_vpc.again, aws_vpc.other."


def test_what_is_taken_into_the_state_moved_or_forgotten(words: Words) -> None:
    summary, effects = words(
        change("aws_vpc.there", "no-op", {}, {}, importing=True),
        change("aws_vpc.moved", "no-op", {}, {}, previous_address="aws_vpc.before"),
        change("aws_vpc.left", "forget", {}),
    )

    assert summary == "1 to import, 0 to add, 0 to change, 0 to destroy, 1 to forget, 1 to move"
    assert effects == "Destroys nothing."


def test_outputs_only(words: Words) -> None:
    outputs = {"a": {"actions": ["update"]}, "b": {"actions": ["no-op"]}}

    assert words(output_changes=outputs)[0] == "changes to outputs only"
    assert words(output_changes={"b": {"actions": ["no-op"]}})[0] == "no changes"
    assert words() == ["no changes", "Destroys nothing."]


@pytest.mark.parametrize(
    "wider",
    [
        change("aws_iam_role.x", "create", None, {"assume_role_policy": policy(READ)}),
        change("aws_iam_role_policy_attachment.x", "create", None, {"policy_arn": "a"}),
        change("aws_iam_access_key.x", "create", None, {}),
        change("aws_iam_policy.x", "update", {"policy": policy(READ)}, {"policy": policy(READ, WRITE)}),
        change("aws_iam_policy.x", "update", {"policy": policy(READ, NEVER)}, {"policy": policy(READ)}),
        change("aws_iam_policy.x", "update", {"policy": policy(READ)}, {}, unknown={"policy": True}),
        change("aws_iam_policy.x", "delete create", {"policy": policy(READ)}, {"policy": policy(WRITE)}),
        change("aws_iam_role.x", "update", {"permissions_boundary": "a"}, {"permissions_boundary": None}),
        change("aws_iam_role.x", "update", {"managed_policy_arns": ["a"]}, {"managed_policy_arns": ["a", "b"]}),
        change("aws_iam_group_membership.x", "update", {"users": ["a"]}, {"users": ["a", "b"]}),
        change('module.m["a.b"].aws_iam_role_policy.x', "update", {"policy": policy()}, {"policy": policy(READ)}),
        change("aws_s3_bucket_policy.x", "create", None, {"policy": policy(READ)}),
        change("aws_kms_key.x", "update", {"policy": policy(READ)}, {"policy": policy(WRITE)}),
        change("aws_lambda_permission.x", "create", None, {}),
        change("aws_s3_bucket_public_access_block.x", "delete", {"restrict_public_buckets": True}),
    ],
)
def test_wider_access(words: Words, wider: dict[str, Any]) -> None:
    assert f"May widen access: {wider['address']}." in words(wider)[1]


@pytest.mark.parametrize(
    "same",
    [
        change("aws_iam_policy.x", "update", {"policy": policy(READ), "description": "a"}, {"policy": policy(READ)}),
        change("aws_iam_policy.x", "update", {"policy": policy(READ, WRITE)}, {"policy": policy(READ)}),
        change("aws_iam_policy.x", "update", {"policy": policy(READ)}, {"policy": policy(NEVER, READ)}),
        change(
            "aws_iam_policy.x",
            "update",
            {"policy": policy({**READ, "Sid": "a"})},
            {"policy": policy({**READ, "Sid": "b"})},
        ),
        change("aws_iam_policy.x", "no-op", {"policy": policy(READ)}, {"policy": policy(READ)}),
        change("aws_iam_role_policy_attachment.x", "delete", {"policy_arn": "a"}),
        change("aws_iam_role.x", "update", {"tags": {}, "permissions_boundary": "a"}, {"permissions_boundary": "a"}),
        change("aws_kms_key.x", "update", {"enable_key_rotation": False}, {"enable_key_rotation": True}),
        change("aws_s3_object.x", "create", None, {}),
    ],
)
def test_access_that_is_not_wider(words: Words, same: dict[str, Any]) -> None:
    assert "May widen" not in words(same)[1]


HTTPS = {"from_port": 443, "cidr_blocks": ["10.0.0.0/8"], "description": "https"}
SSH = {"from_port": 22, "cidr_blocks": ["0.0.0.0/0"], "description": ""}


@pytest.mark.parametrize(
    "opened",
    [
        change("aws_security_group.x", "create", None, {"ingress": [SSH]}),
        change("aws_security_group.x", "update", {"ingress": [HTTPS]}, {"ingress": [HTTPS, SSH]}),
        change(
            "aws_security_group.x", "update", {"ingress": [], "egress": [HTTPS]}, {"ingress": [HTTPS], "egress": []}
        ),
        change("aws_security_group.x", "update", {"ingress": [HTTPS]}, {}, unknown={"ingress": True}),
        change("aws_default_security_group.x", "update", {"ingress": []}, {"ingress": [SSH]}),
        change('module.m["a"].aws_security_group.x["y"]', "update", {"ingress": []}, {"ingress": [SSH]}),
        change("aws_vpc_security_group_ingress_rule.x", "create", None, {"cidr_ipv4": "0.0.0.0/0"}),
        change("aws_security_group_rule.x", "delete create", {"from_port": 443}, {"from_port": 22}),
        change("aws_vpc_security_group_egress_rule.x", "update", {"cidr_ipv4": "a"}, {"cidr_ipv4": "b"}),
    ],
)
def test_opened_doors(words: Words, opened: dict[str, Any]) -> None:
    assert f"May open security groups: {opened['address']}." in words(opened)[1]


@pytest.mark.parametrize(
    "same",
    [
        change("aws_security_group.x", "create", None, {"name": "x"}, unknown={"ingress": True, "egress": True}),
        change("aws_security_group.x", "update", {"ingress": [HTTPS, SSH]}, {"ingress": [SSH]}),
        change("aws_security_group.x", "update", {"ingress": [HTTPS]}, {"ingress": [{**HTTPS, "description": "tls"}]}),
        change("aws_security_group.x", "update", {"ingress": [SSH, HTTPS]}, {"ingress": [HTTPS, SSH]}),
        change("aws_security_group.x", "delete", {"ingress": [SSH]}),
        change("aws_security_group_rule.x", "delete", {"from_port": 22}),
        change(
            "aws_vpc_security_group_ingress_rule.x", "update", {"tags": None, "cidr": "a"}, {"tags": {}, "cidr": "a"}
        ),
    ],
)
def test_doors_that_were_open_or_are_closed(words: Words, same: dict[str, Any]) -> None:
    assert "May open" not in words(same)[1]


def test_the_words_fit_into_the_approval_and_say_what_they_leave_out(words: Words) -> None:
    many = [change(f'aws_iam_policy.a_rather_long_name["{i}"]', "create", None, {}) for i in range(500)]
    many += [change(f'aws_subnet.a_rather_long_name["{i}"]', "delete", {}) for i in range(500)]
    many += [change(f'aws_vpc.a_rather_long_name["{i}"]', "delete create", {}, {}) for i in range(500)]
    many += [change(f"aws_security_group_rule.r{i}", "create", None, {"a": i}) for i in range(500)]

    summary, effects = words(*many)

    assert summary == "1500 to add, 0 to change, 1000 to destroy, 500 of both to replace"
    assert len(effects) <= 820
    for title in ("Destroys", "Replaces", "May widen access", "May open security groups"):
        (shown, left) = re.findall(rf"{title}: (.*?), and (\d+) that only the log names\.", effects)[0]
        assert len(shown.split(", ")) + int(left) == 500


def test_a_few_resources_that_are_destroyed_are_all_named(words: Words) -> None:
    gone = [change(f"aws_instance.server_{i:02}", "delete", {}) for i in range(20)]

    assert words(*gone)[1] == f"Destroys: {', '.join(each['address'] for each in gone)}."


def test_names_too_long_for_the_message_are_counted(words: Words) -> None:
    (_, effects) = words(change(f"aws_vpc.{'x' * 900}", "delete", {}))

    assert effects == "Destroys: and 1 that only the log names."
