# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules: their group, which carries their tags, comes with the first and goes with the last."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.integration.modules.cases import start
from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, World, unique

OWNER = {"gitops:estate": "test"}


def schedules(world: World, group: str, *names: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "group_name": group, "schedule_expression": "rate(365 days)", "target": start(world)}
        for name in names
    ]


def groups(account: Account, name: str) -> list[str]:
    return [one["Name"] for one in account.client("scheduler").list_schedule_groups(NamePrefix=name)["ScheduleGroups"]]


def test_a_group_comes_with_its_first_schedule_and_goes_with_its_last(account: Account, world: World) -> None:
    group = unique("group")
    items = schedules(world, group, "a", "b", "c")

    made = account.run("scheduler_schedules", schedules=items, owner_tags=OWNER)
    again = account.run("scheduler_schedules", schedules=items, owner_tags=OWNER)
    account.run("scheduler_schedules", schedules=items[:2], state="absent", owner_tags=OWNER)
    left = groups(account, group)
    account.run("scheduler_schedules", schedules=items, state="absent", owner_tags=OWNER)

    arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{group}"
    assert made["resources"]["a"]["group_arn"] == arn
    assert made["api_calls"] == {
        "scheduler:CreateSchedule": 3,
        "scheduler:CreateScheduleGroup": 1,
        "scheduler:GetScheduleGroup": 1,
    }
    assert not again["changed"]
    # Once for the group, once for each schedule.
    assert again["api_calls"] == {
        "scheduler:GetSchedule": 3,
        "scheduler:GetScheduleGroup": 1,
        "scheduler:ListTagsForResource": 1,
    }
    assert left == [group]
    assert groups(account, group) == []


def test_a_group_stays_that_nobody_says_is_ours(account: Account, world: World) -> None:
    group = unique("group")
    items = schedules(world, group, "a")
    account.run("scheduler_schedules", schedules=items)

    account.run("scheduler_schedules", schedules=items, state="absent")

    assert groups(account, group) == [group]


def test_a_group_of_somebody_else_s_is_left_alone(account: Account, world: World) -> None:
    group = unique("group")
    account.root("scheduler").create_schedule_group(Name=group, Tags=[{"Key": "owner", "Value": "other"}])

    with pytest.raises(ModuleFailed, match=rf"the group {group} exists already .* lacks the tag gitops:estate=test"):
        account.run("scheduler_schedules", schedules=schedules(world, group, "a"), owner_tags=OWNER)

    account.run("scheduler_schedules", schedules=schedules(world, group, "b"))
    with pytest.raises(ModuleFailed, match=r"schedule b: it exists already and was made by something else"):
        account.run("scheduler_schedules", schedules=schedules(world, group, "b"), state="absent", owner_tags=OWNER)


def test_tags_of_a_group_that_is_there(account: Account, world: World) -> None:
    group = unique("group")
    arn = account.root("scheduler").create_schedule_group(Name=group, Tags=[{"Key": "a", "Value": "1"}])
    item = {**schedules(world, group, "a")[0], "tags": {"b": "2"}}

    def tags() -> dict[str, str]:
        found = account.root("scheduler").list_tags_for_resource(ResourceArn=arn["ScheduleGroupArn"])["Tags"]
        return {one["Key"]: one["Value"] for one in found}

    account.run("scheduler_schedules", schedules=[item], purge_tags=False)
    assert tags() == {"a": "1", "b": "2"}
    assert not account.run("scheduler_schedules", schedules=[item], purge_tags=False)["changed"]
    account.run("scheduler_schedules", schedules=[item])
    assert tags() == {"b": "2"}


def test_what_is_no_option_is_kept(account: Account, world: World) -> None:
    name = unique("schedule")
    (item,) = schedules(world, "default", name)
    end = datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)
    account.root("scheduler").create_schedule(
        Name=name,
        ScheduleExpression="rate(2 days)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": item["target"]["arn"], "RoleArn": world.role},
        EndDate=end,
        ActionAfterCompletion="DELETE",
    )

    assert account.run("scheduler_schedules", schedules=[item])["changed"]

    found = account.root("scheduler").get_schedule(Name=name)
    assert found["ScheduleExpression"] == "rate(365 days)"
    assert found["EndDate"] == end
    assert found["ActionAfterCompletion"] == "DELETE"
