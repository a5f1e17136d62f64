# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notification rules: what is asked of AWS, what cannot be changed, and the targets that are left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, World, unique

OWNER = {"gitops:estate": "test"}
FAILED = "codebuild-project-build-state-failed"


def topic() -> str:
    return f"arn:aws:sns:{REGION}:{ACCOUNT}:{unique('topic')}"


def rule(world: World, *topics: str, **options: Any) -> dict[str, Any]:
    return {
        "name": unique("rule"),
        "resource": world.project,
        "event_type_ids": [FAILED],
        "targets": [{"target_address": each} for each in topics],
        **options,
    }


def targets(account: Account) -> set[str]:
    pages = account.client("codestar-notifications").get_paginator("list_targets").paginate()
    return {each["TargetAddress"] for page in pages for each in page["Targets"]}


def test_calls(account: Account, world: World) -> None:
    rules = [rule(world, tags={"a": "1"}) for _ in range(3)]

    made = account.run("codestar_notification_rules", notification_rules=rules)
    again = account.run("codestar_notification_rules", notification_rules=rules)

    assert made["mutations"] == ["codestar-notifications:CreateNotificationRule"] * 3
    # Only a rule itself tells its name.
    assert set(again["api_calls"]) == {
        "codestar-notifications:DescribeNotificationRule",
        "codestar-notifications:ListNotificationRules",
    }
    assert again["api_calls"]["codestar-notifications:ListNotificationRules"] == 1
    start = f"arn:aws:codestar-notifications:{REGION}:{ACCOUNT}:notificationrule/"
    for one in rules:
        assert made["resources"][one["name"]]["arn"].startswith(start)


def test_the_resource_cannot_be_changed(account: Account, world: World) -> None:
    one = rule(world)
    account.run("codestar_notification_rules", notification_rules=[one])

    with pytest.raises(ModuleFailed, match=r"resource is .*project/world' and AWS cannot change it") as failure:
        account.run("codestar_notification_rules", notification_rules=[{**one, "resource": f"{world.project}-2"}])

    assert failure.value.result["mutations"] == []


def test_somebody_else_s_is_left_alone(account: Account, world: World) -> None:
    one = rule(world)
    account.run("codestar_notification_rules", notification_rules=[one])

    for state in ("present", "absent"):
        with pytest.raises(ModuleFailed, match="lacks the tag gitops:estate=test"):
            account.run("codestar_notification_rules", notification_rules=[one], owner_tags=OWNER, state=state)
    assert not account.run("codestar_notification_rules", notification_rules=[one])["changed"]


def test_targets_that_no_rule_has_are_forgotten(account: Account, world: World) -> None:
    first, second, shared = topic(), topic(), topic()
    one, other = rule(world, first, second, shared), rule(world, shared)
    account.run("codestar_notification_rules", notification_rules=[one, other])
    assert {first, second, shared} <= targets(account)

    fewer = account.run(
        "codestar_notification_rules", notification_rules=[{**one, "targets": [{"target_address": second}]}]
    )
    assert fewer["mutations"].count("codestar-notifications:DeleteTarget") == 2  # AWS refuses that of the other rule
    assert {first, second, shared} & targets(account) == {second, shared}
    account.run("codestar_notification_rules", notification_rules=[one], state="absent")
    assert {first, second, shared} & targets(account) == {shared}
    account.run("codestar_notification_rules", notification_rules=[other], state="absent")
    assert {first, second, shared} & targets(account) == set()


def test_a_rule_that_is_new_needs_its_resource_and_its_events(account: Account) -> None:
    with pytest.raises(ModuleFailed, match="resource, event_type_ids must be given"):
        account.run("codestar_notification_rules", notification_rules=[{"name": unique("rule")}])
