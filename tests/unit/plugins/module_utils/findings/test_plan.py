# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The removal plan holds what may be touched and nothing else, in a safe order, and is carried out only as approved."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused
from ansible_collections.gitops.aws.plugins.module_utils._findings import plan as plans
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import FINDINGS, UNMANAGED, VERDICTS
from ansible_collections.gitops.aws.plugins.module_utils._findings.plan import QUARANTINE, REMOVE, RESTORE, Rules
from tests.unit.plugins.module_utils.findings.scans import (
    ACCOUNT,
    CREATOR,
    NOW,
    PART,
    TYPES,
    arn,
    entry,
    resource,
    scan,
)

RULES = Rules({"account": True}, tuple(TYPES), max_removals=20, max_percent=100)
INSTANCE = arn("aws_instance", "i-1")


def made(result: dict[str, Any], quarantined: dict[str, Any] | None = None, **rules: Any) -> dict[str, Any]:
    return plans.make(result, quarantined or {}, dataclasses.replace(RULES, **rules), TYPES, NOW)[0]


def kept(result: dict[str, Any], quarantined: dict[str, Any] | None = None, **rules: Any) -> dict[str, str]:
    """Why candidates are not in the plan; nothing is in it."""
    plan, reasons = plans.make(result, quarantined or {}, dataclasses.replace(RULES, **rules), TYPES, NOW)
    assert plan["steps"] == []
    return reasons


def actions(plan: dict[str, Any]) -> dict[str, str]:
    return {item["id"]: item["action"] for item in plan["steps"]}


def over(name: str, kind: str = "aws_instance", **more: Any) -> dict[str, Any]:
    """A ledger's quarantines: of one resource, over."""
    return {arn(kind, name): entry(name, kind, **more)}


# What is in it


def test_an_unmanaged_resource_is_quarantined_first() -> None:
    plan = made(scan(resource("aws_instance", "i-1")))

    (item,) = plan["steps"]
    assert set(item) == plans.ITEM_FIELDS
    assert (item["arn"], item["action"], item["order"], item["blocked_by"]) == (INSTANCE, QUARANTINE, 1, [])
    assert item["creator"]["principal"].endswith("user/alice")
    assert set(plan) == plans.FIELDS
    assert (plan["created"], plan["expires"]) == ("2026-11-26T04:00:00Z", "2026-11-27T04:00:00Z")
    assert plan["states"] == [{"key": "network/terraform.tfstate", "lineage": "l", "serial": 3, "etag": '"e"'}]


def test_it_is_removed_when_the_quarantine_is_over() -> None:
    assert actions(made(scan(resource("aws_instance", "i-1")), over("i-1"))) == {"i-1": REMOVE}


def test_what_is_in_quarantine_waits() -> None:
    reasons = kept(scan(resource("aws_instance", "i-1")), over("i-1", until="2026-11-26T04:00:01Z"))

    assert reasons == {INSTANCE: "in quarantine until 2026-11-26T04:00:01Z"}


@pytest.mark.parametrize("until", ["", "soon"])
def test_a_quarantine_whose_end_is_not_known_does_not_end(until: str) -> None:
    assert kept(scan(resource("aws_instance", "i-1")), over("i-1", until=until))


def test_a_quarantine_that_was_interrupted_is_done_again() -> None:
    assert actions(made(scan(resource("aws_instance", "i-1")), over("i-1", steps_done=1))) == {"i-1": QUARANTINE}


def test_what_was_made_or_started_since_its_quarantine_gets_another_one() -> None:
    started = resource("aws_instance", "i-1", created="2026-11-21T04:00:01Z")

    assert actions(made(scan(started), over("i-1"))) == {"i-1": QUARANTINE}


def test_what_was_made_anew_under_a_name_without_a_time_gets_another_quarantine() -> None:
    """AWS does not say when a topic was made. CloudTrail does."""
    again = resource("aws_instance", "i-1", created="", creator={**CREATOR, "time": "2026-11-21T04:00:01Z"})

    assert actions(made(scan(again), over("i-1"))) == {"i-1": QUARANTINE}
    assert actions(made(scan({**again, "creator": CREATOR}), over("i-1"))) == {"i-1": REMOVE}


@pytest.mark.parametrize("verdict", sorted(set(VERDICTS) - {UNMANAGED}))
def test_only_what_is_unmanaged_is_ever_touched(verdict: str) -> None:
    assert kept(scan(resource("aws_instance", "i-1", verdict=verdict))) == {}


@pytest.mark.parametrize("verdict", sorted(set(VERDICTS) - {UNMANAGED} - set(plans.EXPLAINED)))
def test_what_is_not_unmanaged_any_more_is_not_removed(verdict: str) -> None:
    reasons = kept(scan(resource("aws_instance", "i-1", verdict=verdict, reason="why")), over("i-1"))

    assert reasons == {INSTANCE: f"it is {verdict}: why"}


@pytest.mark.parametrize("verdict", plans.EXPLAINED)
def test_what_has_an_explanation_by_now_gets_back_what_it_had(verdict: str) -> None:
    assert actions(made(scan(resource("aws_instance", "i-1", verdict=verdict)), over("i-1"))) == {"i-1": RESTORE}


def test_findings_are_three_and_two_of_them_are_never_touched() -> None:
    found = [resource("aws_instance", verdict, verdict=verdict) for verdict in FINDINGS]

    assert actions(made(scan(*found))) == {UNMANAGED: QUARANTINE}


@pytest.mark.parametrize("creator", [None, {"principal": ""}])
def test_what_nobody_is_known_to_have_made_is_kept(creator: Any) -> None:
    found = scan(resource("aws_instance", "i-1", creator=creator))

    assert "nobody knows who made it" in kept(found)[INSTANCE]
    assert "was not asked" in kept(found, allow_unknown_creator=True)[INSTANCE]
    found["resources"][0]["creator_asked"] = True
    assert "nobody knows who made it" in kept(found)[INSTANCE]
    assert actions(made(found, allow_unknown_creator=True)) == {"i-1": QUARANTINE}


def test_types_are_an_allowlist() -> None:
    found = scan(resource("aws_instance", "i-1"))

    assert kept(found, types=()) == {INSTANCE: "aws_instance is not among the types that may be removed here"}
    assert kept(found, types=("aws_ebs_volume",))
    assert made(found, types=("aws_instance",))["steps"]


def test_a_type_that_is_only_reported_is_kept() -> None:
    assert kept(scan(resource("aws_kms_key", "k"))) == {
        arn("aws_kms_key", "k"): "aws_kms_key is only reported, never removed"
    }
    assert kept(scan(resource("aws_unheard_of", "k")), types=("aws_unheard_of",))


@pytest.mark.parametrize("quarantined", [{}, over("i-1")])
def test_what_is_protected_in_aws_is_kept(quarantined: dict[str, Any]) -> None:
    found = scan(resource("aws_instance", "i-1", guarded="termination protection"))

    assert kept(found, quarantined) == {INSTANCE: "it is protected in AWS: termination protection"}


def test_what_was_made_while_it_was_looked_for_is_not_planned() -> None:
    """Carrying the plan out would keep it, for what is younger than the plan is not what somebody approved."""
    new = resource("aws_instance", "i-1", created="2026-11-26T04:00:01Z")

    assert kept(scan(new)) == {
        INSTANCE: "it was made at 2026-11-26T04:00:01Z, while it was looked for: the next plan decides"
    }
    assert actions(made(scan({**new, "created": "2026-11-26T04:00:00Z"}))) == {"i-1": QUARANTINE}


def test_two_resources_of_one_arn_are_kept() -> None:
    assert kept(scan(resource("aws_instance", "i-1"), resource("aws_instance", "i-1"))) == {
        INSTANCE: "two resources have this ARN"
    }


def test_copies_are_announced() -> None:
    found = scan(resource("aws_ebs_volume", "vol-1"))

    (item,) = made(found, over("vol-1", "aws_ebs_volume", words=""))["steps"]
    assert item["copies"]
    assert item["recover"] == "from its snapshot"
    assert not made(found)["steps"][0]["copies"]  # a quarantine needs none


# Without which there is none


def test_an_incomplete_scan_gives_no_plan() -> None:
    problems = [{"what": "state a", "why": "denied", "fix": "allow it"}]

    with pytest.raises(Refused, match=r"state a: denied\. Fix: allow it"):
        made(scan(resource("aws_instance", "i-1"), complete=False, problems=problems))


@pytest.mark.parametrize("scope", [None, {}])
def test_without_a_scope_there_is_no_plan(scope: Any) -> None:
    with pytest.raises(Refused, match="no scope is declared"):
        made(scan(resource("aws_instance", "i-1")), scope=scope)


def test_more_than_the_limit_is_no_plan_at_all() -> None:
    found = scan(*(resource("aws_instance", f"i-{number}") for number in range(3)))

    assert len(made(found, max_removals=3)["steps"]) == 3
    with pytest.raises(Refused, match="3 resources, and max_removals is 2"):
        made(found, max_removals=2)


def test_too_large_a_share_of_a_type_is_no_plan_at_all() -> None:
    found = scan(resource("aws_instance", "i-1"), resource("aws_instance", "i-2"), resource("aws_subnet", "s"))

    assert made(found, max_percent=10)["steps"]  # 2 of 20
    with pytest.raises(Refused, match="2 of 20 aws_instance, and max_percent is 9"):
        made(found, max_percent=9)


def test_one_of_a_rare_type_is_no_large_share() -> None:
    found = scan(resource("aws_instance", "i-1"))
    found["coverage"][0]["seen"] = 1

    assert made(found, max_percent=10)["steps"]
    with pytest.raises(Refused):
        made(found, max_removals=0)


def test_the_share_is_of_all_regions() -> None:
    found = scan(resource("aws_instance", "i-1"), resource("aws_instance", "i-2"))
    found["coverage"] += [{**found["coverage"][0], "region": "eu-west-1", "seen": 20}]

    assert made(found, max_percent=5)["steps"]  # 2 of 40


def test_what_is_only_restored_counts_for_no_limit() -> None:
    found = scan(resource("aws_instance", "i-1", verdict="managed"), resource("aws_instance", "i-2", verdict="managed"))

    assert len(made(found, {**over("i-1"), **over("i-2")}, max_removals=0)["steps"]) == 2


# Order and what is in the way


def test_what_stands_on_others_goes_first() -> None:
    found = [
        resource("aws_vpc", "vpc-1"),
        resource("aws_subnet", "subnet-1", "vpc-1"),
        resource("aws_instance", "i-1", "subnet-1", "sg-1", "vol-1"),
        resource("aws_security_group", "sg-1", "vpc-1"),
        resource("aws_ebs_volume", "vol-1"),
    ]
    quarantined = {each["arn"]: entry(each["id"], each["type"]) for each in found}

    items = made(scan(*found), quarantined)["steps"]

    assert [item["id"] for item in items] == ["i-1", "vol-1", "sg-1", "subnet-1", "vpc-1"]
    assert [item["order"] for item in items] == [1, 2, 3, 4, 5]
    assert not any(item["blocked_by"] for item in items)


def test_what_refers_to_others_goes_first_whatever_its_rank() -> None:
    found = [resource("aws_vpc", "vpc-1", arn("aws_instance", "i-1")), resource("aws_instance", "i-1")]

    assert [item["id"] for item in made(scan(*found))["steps"]] == ["vpc-1", "i-1"]


def test_where_nothing_stands_on_anything_rank_decides() -> None:
    found = scan(resource("aws_ebs_volume", "a"), resource("aws_instance", "b"), resource("aws_vpc", "c"))

    assert [item["id"] for item in made(found)["steps"]] == ["b", "a", "c"]


def test_what_gets_back_what_it_had_is_never_blocked() -> None:
    found = scan(resource("aws_instance", "i-1", verdict="managed"), resource("aws_vpc", "v", "i-1", verdict="managed"))

    assert made(found, over("i-1"))["steps"][0]["blocked_by"] == []


def test_what_is_blocked_blocks_the_removal_of_what_it_stands_on() -> None:
    found = [
        resource("aws_security_group", "sg-1"),
        resource("aws_ebs_volume", "vol-1", "sg-1"),
        resource("aws_vpc", "v", "vol-1", verdict="managed"),
    ]
    quarantined = {each["arn"]: entry(each["id"], each["type"], words="") for each in found[:2]}

    items = made(scan(*found), quarantined)["steps"]

    assert {item["id"]: item["blocked_by"] for item in items} == {
        "vol-1": [found[2]["arn"]],
        "sg-1": [found[1]["arn"]],
    }


def test_a_circle_is_broken_by_rank() -> None:
    found = [
        resource("aws_security_group", "sg-2", "sg-1"),
        resource("aws_security_group", "sg-1", "sg-2", "sg-1"),
        resource("aws_instance", "i-1", "sg-1"),
    ]

    assert [item["id"] for item in made(scan(*found))["steps"]] == ["i-1", "sg-1", "sg-2"]


@pytest.mark.parametrize("verdict", sorted({*VERDICTS} - {UNMANAGED}))
def test_what_a_kept_resource_stands_on_is_blocked(verdict: str) -> None:
    found = scan(resource("aws_security_group", "sg-1"), resource("aws_instance", "i-1", "sg-1", verdict=verdict))
    quarantined = over("sg-1", "aws_security_group", words="")

    (item,) = made(found, quarantined, max_removals=0)["steps"]

    assert (item["action"], item["blocked_by"]) == (REMOVE, [INSTANCE])


def test_what_is_referred_to_by_its_arn_is_blocked() -> None:
    sg = arn("aws_security_group", "sg-1")
    found = scan(resource("aws_security_group", "sg-1"), resource("aws_instance", "i-1", sg, verdict="managed"))

    assert made(found)["steps"][0]["blocked_by"] == [INSTANCE]


def test_what_waits_in_quarantine_blocks_removal_and_not_quarantine() -> None:
    found = scan(resource("aws_security_group", "sg-1"), resource("aws_instance", "i-1", "sg-1"))
    waits = over("i-1", until="2026-11-27T04:00:00Z")

    assert made(found, waits)["steps"][0]["blocked_by"] == []
    assert made(found, {**waits, **over("sg-1", "aws_security_group", words="")})["steps"][0]["blocked_by"] == [
        INSTANCE
    ]


def test_what_is_only_quarantined_now_blocks_the_removal_of_what_it_stands_on() -> None:
    found = scan(resource("aws_security_group", "sg-1"), resource("aws_instance", "i-1", "sg-1"))

    items = made(found, over("sg-1", "aws_security_group", words=""))["steps"]

    assert {item["id"]: (item["action"], item["blocked_by"]) for item in items} == {
        "i-1": (QUARANTINE, []),
        "sg-1": (REMOVE, [INSTANCE]),
    }


def test_what_is_restored_blocks_what_it_stands_on() -> None:
    found = scan(resource("aws_security_group", "sg-1"), resource("aws_instance", "i-1", "sg-1", verdict="managed"))

    items = made(found, over("i-1"))["steps"]

    assert {item["id"]: item["blocked_by"] for item in items} == {"i-1": [], "sg-1": [INSTANCE]}


@pytest.mark.parametrize("circle", [(), ("vol-2",)])
def test_what_is_blocked_blocks_what_it_stands_on(circle: tuple[str, ...]) -> None:
    """Also in a circle, whose members come in no certain order."""
    found = scan(
        resource("aws_ebs_volume", "vol-1", *circle),
        resource("aws_ebs_volume", "vol-2", "vol-1"),
        resource("aws_instance", "i-1", "vol-2", verdict="managed"),
    )

    items = {item["id"]: item["blocked_by"] for item in made(found)["steps"]}

    assert items["vol-1"] == [arn("aws_ebs_volume", "vol-2")]
    assert INSTANCE in items["vol-2"]


def test_a_part_is_never_touched_by_itself() -> None:
    whole, part = resource("aws_instance", "i-1", "vol-1"), resource("aws_ebs_volume", "vol-1", part_of="i-1")

    plan, reasons = plans.make(scan(whole, part), {}, RULES, TYPES, NOW)

    assert actions(plan) == {"i-1": QUARANTINE}
    assert reasons == {part["arn"]: "it is a part of i-1, and goes with it"}


@pytest.mark.parametrize("verdict", ["aws_default", "unmanaged"])
def test_a_part_does_not_hold_its_whole(verdict: str) -> None:
    group = resource("aws_security_group", "sg-default", "vpc-1", verdict=verdict, part_of="vpc-1")
    quarantined = over("vpc-1", "aws_vpc", words="")

    assert made(scan(resource("aws_vpc", "vpc-1"), group), quarantined)["steps"][0]["blocked_by"] == []
    alone = {**group, "part_of": ""}
    plan = made(scan(resource("aws_vpc", "vpc-1"), alone), quarantined)
    assert {item["id"]: item["blocked_by"] for item in plan["steps"]}["vpc-1"] == [group["arn"]]


@pytest.mark.parametrize(
    ("verdict", "reason", "holds"),
    [
        ("managed", "a state manages it", True),
        ("protected", "somebody protects it", True),
        ("ignored", "an entry says so", True),
        ("referenced", "a state mentions it", True),
        ("referenced", PART, False),
        ("service_managed", "an Auto Scaling group made it", False),
    ],
)
@pytest.mark.parametrize("quarantined", [{}, over("i-1")])
@pytest.mark.parametrize("between", [False, True])
def test_a_part_that_must_stay_holds_its_whole(
    quarantined: dict[str, Any], verdict: str, reason: str, holds: bool, between: bool
) -> None:
    """Also a part of a part: it would be stopped, and removed, with it."""
    whole = resource("aws_instance", "i-1")
    over_it = ("eni-1", "aws_subnet") if between else ("i-1", "aws_instance")
    part = resource(
        "aws_ebs_volume", "vol-1", verdict=verdict, reason=reason, part_of=over_it[0], part_of_type=over_it[1]
    )
    middle = resource(
        "aws_subnet", "eni-1", verdict="referenced", reason=PART, part_of="i-1", part_of_type="aws_instance"
    )

    (item,) = made(scan(whole, part, *([middle] if between else [])), quarantined)["steps"]

    assert item["blocked_by"] == ([part["arn"]] if holds else [])


@pytest.mark.parametrize(("tags", "holds"), [({"gitops:protect": "mine"}, True), ({"project": "x"}, False)])
def test_an_instance_of_a_group_that_somebody_protects_holds_the_group(tags: dict[str, str], holds: bool) -> None:
    """Its verdict is that a service made it, which comes before."""
    part = resource(
        "aws_subnet", "i-2", verdict="service_managed", tags=tags, part_of="i-1", part_of_type="aws_instance"
    )

    (item,) = made(scan(resource("aws_instance", "i-1"), part))["steps"]

    assert item["blocked_by"] == ([part["arn"]] if holds else [])


def test_a_part_that_a_state_has_by_now_holds_its_whole_while_it_is_restored() -> None:
    part = resource("aws_ebs_volume", "vol-1", verdict="managed", part_of="i-1", part_of_type="aws_instance")
    quarantined = {**over("i-1"), **over("vol-1", "aws_ebs_volume", words="")}

    items = made(scan(resource("aws_instance", "i-1"), part), quarantined)["steps"]

    assert {item["id"]: (item["action"], item["blocked_by"]) for item in items} == {
        "i-1": (REMOVE, [part["arn"]]),
        "vol-1": (RESTORE, []),
    }


@pytest.mark.parametrize(
    "other",
    [
        resource("aws_kms_key", "web"),
        resource("aws_instance", "web", region="eu-west-1", arn="arn:aws:ec2:eu-west-1:123456789012:instance/web"),
    ],
    ids=["another type", "another region"],
)
@pytest.mark.parametrize("first", [False, True])
def test_an_equal_id_lifts_no_block(other: dict[str, Any], first: bool) -> None:
    """A part stands for its whole, and for nothing that is only called the same: a managed instance uses the group."""
    group, whole = resource("aws_security_group", "sg-1"), resource("aws_instance", "web", verdict="managed")
    part = resource("aws_subnet", "eni-1", "sg-1", part_of="web", part_of_type="aws_instance")
    quarantined = {
        **over("sg-1", "aws_security_group", words=""),
        other["arn"]: entry("web", other["type"], region=other["region"]),
    }
    named = [other, whole] if first else [whole, other]

    items = made(scan(group, part, *named), quarantined)["steps"]

    assert {item["id"]: item["blocked_by"] for item in items}["sg-1"] == [whole["arn"]]


def test_where_several_may_be_meant_each_of_them_counts() -> None:
    """A name without a type, in one region: both hold it. What is elsewhere is meant where nothing nearer is."""
    group = resource("aws_security_group", "sg-1", used_by=["web"])
    near = [resource("aws_instance", "web", verdict="managed"), resource("aws_subnet", "web", verdict="managed")]
    far = resource(
        "aws_vpc", "web", verdict="managed", region="eu-west-1", arn="arn:aws:ec2:eu-west-1:123456789012:vpc/web"
    )
    account = resource("aws_vpc", "web", verdict="managed", region="", arn="arn:aws:iam::123456789012:role/web")

    def blocked(*others: dict[str, Any]) -> list[str]:
        found: list[str] = made(scan(group, *others))["steps"][0]["blocked_by"]
        return found

    assert blocked(*near, far) == sorted(each["arn"] for each in near)
    assert blocked(near[0], account) == sorted([near[0]["arn"], account["arn"]])
    assert blocked(far) == [far["arn"]]


def test_what_stands_on_an_equal_id_in_another_region_holds_nothing_here() -> None:
    there = {"region": "eu-west-1", "arn": "arn:aws:ec2:eu-west-1:123456789012:security-group/web"}
    user = resource(
        "aws_instance", "i-1", "web", verdict="managed", region="eu-west-1", arn="arn:aws:ec2:eu-west-1:1:instance/i-1"
    )
    here = resource("aws_security_group", "web")

    items = made(scan(here, {**here, **there}, user))["steps"]

    assert {item["region"]: item["blocked_by"] for item in items} == {"eu-central-1": [], "eu-west-1": [user["arn"]]}


def test_what_stands_on_a_part_holds_its_whole() -> None:
    whole = resource("aws_instance", "i-1", "eni-1")
    part = resource("aws_subnet", "eni-1", part_of="i-1")
    route = resource("aws_vpc", "table", "eni-1", verdict="managed")

    assert made(scan(whole, part, route))["steps"][0]["blocked_by"] == [route["arn"]]


def test_for_a_part_stands_its_whole() -> None:
    group, part = resource("aws_security_group", "sg-1"), resource("aws_subnet", "eni-1", "sg-1", part_of="i-1")
    whole = resource("aws_instance", "i-1", verdict="managed")

    assert made(scan(group, part, whole))["steps"][0]["blocked_by"] == [INSTANCE]
    assert made(scan(group, {**part, "verdict": "managed"}))["steps"][0]["blocked_by"] == [part["arn"]]


def test_a_part_of_itself_is_no_endless_search() -> None:
    circle = [resource("aws_subnet", "a", "sg-1", part_of="b"), resource("aws_subnet", "b", part_of="a")]

    assert made(scan(resource("aws_security_group", "sg-1"), *circle))["steps"][0]["blocked_by"]


def test_what_uses_it_blocks_it_and_goes_first() -> None:
    found = [resource("aws_security_group", "a", used_by=["v"]), resource("aws_vpc", "v")]
    quarantined = {each["arn"]: entry(each["id"], each["type"]) for each in found}

    assert [item["id"] for item in made(scan(*found), quarantined)["steps"]] == ["v", "a"]
    managed = [found[0], {**found[1], "verdict": "managed"}]
    assert {i["id"]: i["blocked_by"] for i in made(scan(*managed), quarantined)["steps"]}["a"] == [found[1]["arn"]]


def test_what_the_scan_did_not_see_blocks_what_it_uses() -> None:
    item = made(scan(resource("aws_security_group", "a", used_by=["eks-1"])))["steps"][0]

    assert item["blocked_by"] == ["eks-1"]


def test_what_a_service_made_blocks_removal_and_more_than_a_mark() -> None:
    def blocked(kind: str, quarantined: dict[str, Any]) -> list[str]:
        part = resource("aws_subnet", "part", "x", verdict="service_managed")
        found: list[str] = made(scan(resource(kind, "x"), part), quarantined)["steps"][0]["blocked_by"]
        return found

    assert blocked("aws_security_group", {}) == []  # a mark
    assert blocked("aws_instance", {}) == [arn("aws_subnet", "part")]  # it would be stopped
    assert blocked("aws_security_group", over("x", "aws_security_group", words="")) == [arn("aws_subnet", "part")]


# Whether it may be carried out


PLAN = made(scan(resource("aws_instance", "i-1")))
ASKED: dict[str, Any] = {
    "approved": PLAN["digest"],
    "account_id": ACCOUNT,
    "confirmed": ACCOUNT,
    "regions": ["eu-central-1"],
    "rules": RULES,
    "now": NOW + timedelta(hours=1),
}


def test_an_approved_plan_may_be_carried_out_also_after_it_was_saved() -> None:
    plans.refuse_unapproved(PLAN, **ASKED)
    plans.refuse_unapproved(plans.parse(json.dumps(PLAN, indent=1)), **ASKED)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"approved": "0" * 64}, "not the plan that was approved"),
        ({"account_id": "210987654321"}, "credentials are of account 210987654321"),
        ({"confirmed": "210987654321"}, "confirm_account_id is 210987654321"),
        ({"regions": ["eu-west-1"]}, "the plan is for eu-central-1"),
        ({"regions": ["eu-central-1", "eu-west-1"]}, "the plan is for eu-central-1"),
        ({"now": NOW + timedelta(hours=24)}, "has expired"),
        ({"rules": dataclasses.replace(RULES, lifetime=timedelta(minutes=59))}, "has expired"),
        ({"now": NOW - timedelta(minutes=6)}, "not in the past"),
        ({"rules": dataclasses.replace(RULES, scope=None)}, "no scope is declared"),
        ({"rules": dataclasses.replace(RULES, scope={"tags": {"a": "b"}})}, "the scope is another one"),
    ],
)
def test_a_plan_is_refused(asked: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        plans.refuse_unapproved(PLAN, **{**ASKED, **asked})


@pytest.mark.parametrize(
    "change",
    [
        {"account_id": "210987654321"},
        {"expires": "2027-11-27T04:00:00Z"},
        {"states": []},
        {"limits": {"max_removals": 99, "max_percent": 100}},
        {"steps": [{**PLAN["steps"][0], "action": REMOVE}]},
        {"steps": []},
    ],
)
def test_a_plan_that_was_changed_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="was changed after it was made"):
        plans.refuse_unapproved({**PLAN, **change}, **ASKED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({**PLAN, "version": 2}),
        json.dumps({**PLAN, "more": 1}),
        json.dumps({name: value for name, value in PLAN.items() if name != "scope"}),
        json.dumps({**PLAN, "steps": {}}),
        json.dumps({**PLAN, "steps": [{}]}),
        json.dumps({**PLAN, "steps": [{**PLAN["steps"][0], "action": "force"}]}),
    ],
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="new one"):
        plans.parse(text)


def test_the_digest_is_of_what_is_said_and_not_of_how() -> None:
    assert plans.digest(dict(reversed(PLAN.items()))) == PLAN["digest"]


# States


STATE = {"key": "a", "lineage": "l", "serial": 3}


@pytest.mark.parametrize("after", [STATE, {**STATE, "serial": 4}])
def test_a_state_may_grow(after: dict[str, Any]) -> None:
    plans.refuse_lost_states([STATE], [after, {"key": "b", "lineage": "m", "serial": 1}])


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ([], "state a is gone"),
        ([{**STATE, "lineage": "m"}], "its lineage was l, and is m"),
        ([{**STATE, "serial": 2}], "went back from serial 3 to 2"),
    ],
)
def test_a_state_that_is_lost_refuses(after: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(Refused, match=why):
        plans.refuse_lost_states([STATE], after)
