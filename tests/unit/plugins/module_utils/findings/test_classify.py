# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts: which rule applies, and in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import classify
from ansible_collections.gitops.aws.plugins.module_utils._findings.classify import Context
from ansible_collections.gitops.aws.plugins.module_utils._findings.entries import Entries
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Resource, Type, Verdict
from ansible_collections.gitops.aws.plugins.module_utils._findings.states import Instance, States, Where

NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)
TODAY = date(2026, 11, 26)
ID = "i-0123456789abcdef0"
ARN = f"arn:aws:ec2:eu-central-1:111122223333:instance/{ID}"
WHERE = Where("aws_instance.one", "a.tfstate")

KIND = Type(
    name="aws_instance",
    service="ec2",
    list=Call("describe_instances"),
    read=Call("describe_instances"),
    id="Id",
    arn="Arn",
    aws_default={"it is the default": "IsDefault"},
    service_managed={"a service runs it": "Operator.Managed"},
    part_of={"aws_whole": "Whole"},
    default_with="VpcId",
    named_by=("key_name",),
)


def resource(*, tags: dict[str, str] | None = None, created: datetime | None = None, **element: Any) -> Resource:
    """An instance."""
    made = Resource(KIND, ID, ARN, "eu-central-1", element)
    made.tags, made.created, made.title = tags or {}, created, "one"
    return made


def context(**values: Any) -> Context:
    """A context in which nothing is known."""
    return Context(**{"states": States(), "now": NOW, "entries": Entries([], TODAY), **values})


def states(**parts: Any) -> States:
    """States with these parts."""
    return replace(States(), **parts)


def entry(kind: str, expires: str = "2026-12-31", **match: Any) -> dict[str, Any]:
    """An entry of the reviewed file."""
    return {"match": match or {"arn": ARN}, "kind": kind, "owner": "ada", "reason": "why", "expires": expires}


def judge(one: Resource, **values: Any) -> Verdict:
    """Its verdict."""
    return classify.verdict(one, context(**values))


def test_what_nothing_explains_is_unmanaged() -> None:
    assert judge(resource()).verdict == "unmanaged"


INSTANCE = Instance("aws_instance", ID, ARN, "eu-central-1", WHERE)


@pytest.mark.parametrize("known", [{"managed": {("aws_instance", ID): [INSTANCE]}}, {"arns": {ARN: INSTANCE}}])
def test_managed_by_type_and_id_or_by_arn(known: dict[str, Any]) -> None:
    verdict = judge(resource(IsDefault=True), states=states(**known))

    assert verdict == Verdict("managed", "a state manages it", "aws_instance.one in a.tfstate")


def test_the_same_id_of_another_type_is_not_managed() -> None:
    managed = {("aws_volume", ID): [Instance("aws_volume", ID, "", "", WHERE)]}

    assert judge(resource(), states=states(managed=managed)).verdict == "unmanaged"


def test_default() -> None:
    assert judge(resource(IsDefault=True)) == Verdict("aws_default", "it is the default", "IsDefault")


def test_what_belongs_to_a_default_is_one() -> None:
    assert judge(resource(VpcId="vpc-1"), defaults=frozenset({"vpc-1"})).verdict == "aws_default"
    assert judge(resource(VpcId="vpc-2"), defaults=frozenset({"vpc-1"})).verdict == "unmanaged"
    assert judge(resource(), defaults=frozenset({"vpc-1"})).verdict == "unmanaged"


def test_service_managed_by_attribute() -> None:
    assert judge(resource(Operator={"Managed": True})).verdict == "service_managed"
    assert judge(resource(Operator={"Managed": False})).verdict == "unmanaged"


@pytest.mark.parametrize("tag", classify.TAGS_OF_SERVICES)
def test_service_managed_by_tag(tag: str) -> None:
    assert judge(resource(tags={tag: "x"})).verdict == "service_managed"


@pytest.mark.parametrize("tag", [*classify.TAGS_OF_IAC, "kubernetes.io/cluster/one"])
def test_other_iac_by_tag(tag: str) -> None:
    assert judge(resource(tags={tag: "x"})).verdict == "other_iac"


@pytest.mark.parametrize("tag", ["aws:createdBy", "aws:ec2launchtemplate:id", "Name"])
def test_other_tags_explain_nothing(tag: str) -> None:
    assert judge(resource(tags={tag: "x"})).verdict == "unmanaged"


@pytest.mark.parametrize("token", [ID, ARN])
def test_mentioned_anywhere_in_a_state(token: str) -> None:
    verdict = judge(resource(), states=states(tokens={token: replace(WHERE, attribute="policy")}))

    assert verdict == Verdict("referenced", "a state mentions it", "aws_instance.one.policy in a.tfstate")


def test_named_by_an_attribute_of_a_state() -> None:
    names = {("key_name", ID): WHERE}

    assert judge(resource(), states=states(names=names)).verdict == "referenced"
    assert judge(resource(), states=states(names={("other", ID): WHERE})).verdict == "unmanaged"


def test_made_beside_what_is_managed() -> None:
    assert judge(resource(), states=states(beside={("aws_instance", ID): WHERE})).verdict == "referenced"


def test_a_part_goes_with_its_whole_where_that_is_there() -> None:
    part = resource()
    part.part_of = ("aws_whole", "w-1")

    assert judge(part, present=frozenset({("aws_whole", "w-1")})).verdict == "referenced"
    assert judge(part, present=frozenset({("aws_other", "w-1")})).verdict == "unmanaged"


def test_what_is_decided_of_a_part_counts() -> None:
    """Else a protected volume would go with its instance."""
    there = frozenset({("aws_whole", "w-1")})
    part = resource(tags={"gitops:protect": ""})
    part.part_of = ("aws_whole", "w-1")
    ignored = resource()
    ignored.part_of = part.part_of

    assert judge(part, present=there).verdict == "protected"
    assert judge(ignored, present=there, entries=Entries([entry("ignore")], TODAY)).verdict == "ignored"


def test_the_foundation_by_its_tag_and_by_arn() -> None:
    assert judge(resource(tags={"gitops:estate": "any"})).verdict == "protected"
    assert judge(resource(), protected=("arn:aws:ec2:*:instance/i-*",)).verdict == "protected"
    assert judge(resource(), protected=("arn:aws:ec2:*:volume/*",)).verdict == "unmanaged"


@pytest.mark.parametrize(
    ("until", "verdict"),
    [
        ("", "protected"),
        ("yes", "protected"),
        ("2026-11-26", "protected"),
        ("2026-11-25", "unmanaged"),
        ("2026-11-5", "protected"),
        ("2026-99-99", "protected"),
    ],
)
def test_protect_tag(until: str, verdict: str) -> None:
    assert judge(resource(tags={"gitops:protect": until})).verdict == verdict


def test_copies_that_were_made_before_a_removal_are_kept() -> None:
    assert judge(resource(tags={"gitops:copy-of": "vol-1"})).verdict == "protected"


@pytest.mark.parametrize(
    ("kind", "verdict"), [("protect", "protected"), ("ignore", "ignored"), ("baseline", "ignored")]
)
def test_entries(kind: str, verdict: str) -> None:
    assert judge(resource(), entries=Entries([entry(kind)], TODAY)).verdict == verdict
    assert judge(resource(), entries=Entries([entry(kind, "2026-11-25")], TODAY)).verdict == "unmanaged"
    assert judge(resource(), entries=Entries([entry(kind, type="aws_volume")], TODAY)).verdict == "unmanaged"


@pytest.mark.parametrize(
    ("scope", "verdict"),
    [
        (None, "unmanaged"),
        ({"account": True}, "unmanaged"),
        ({"tags": {"Project": "x"}}, "unmanaged"),
        ({"tags": {"Project": "y"}}, "out_of_scope"),
        ({"tags": {"Other": "x"}}, "out_of_scope"),
        ({"vpc_ids": ["vpc-1", "vpc-2"]}, "unmanaged"),
        ({"vpc_ids": ["vpc-2"]}, "out_of_scope"),
        ({"name_prefix": "on"}, "unmanaged"),
        ({"name_prefix": "two"}, "out_of_scope"),
        ({"tags": {"Project": "x"}, "name_prefix": "two"}, "out_of_scope"),
    ],
)
def test_scope(scope: dict[str, Any] | None, verdict: str) -> None:
    one = resource(tags={"Project": "x"})
    one.refs = ("vpc-1",)

    assert judge(one, scope=scope).verdict == verdict


def test_age() -> None:
    day, hour = timedelta(days=1), timedelta(hours=1)

    assert judge(resource(created=NOW - day), min_age=day).verdict == "unmanaged"
    assert judge(resource(created=NOW - hour), min_age=day).verdict == "too_young"
    assert judge(resource(), min_age=day).verdict == "too_young"
    assert judge(resource(), min_age=day, first_seen={ARN: NOW - day}).verdict == "unmanaged"
    assert judge(resource(created=NOW - hour), min_age=day, first_seen={ARN: NOW - day}).verdict == "too_young"
    assert judge(resource(created=NOW)).verdict == "unmanaged"


def test_the_first_rule_decides() -> None:
    """Each of these rules would give the resource another verdict; taken away one by one, the next decides."""
    everything = {
        "states": states(tokens={ID: WHERE}),
        "entries": Entries([entry("ignore")], TODAY),
        "scope": {"name_prefix": "two"},
        "protected": ("*",),
        "min_age": timedelta(days=1),
    }
    element: dict[str, Any] = {"IsDefault": True, "Operator": {"Managed": True}}
    tags = {"eks:cluster-name": "x"}
    seen = []

    def look() -> None:
        seen.append(judge(resource(tags=tags, created=NOW, **element), **everything).verdict)

    look()
    del element["IsDefault"]
    look()
    del element["Operator"]
    look()
    everything["states"] = States()
    look()
    tags.clear()
    for rule in ("protected", "entries", "scope", "min_age"):
        look()
        everything.pop(rule)
    look()
    assert seen == [
        "aws_default",
        "service_managed",
        "referenced",
        "other_iac",
        "protected",
        "ignored",
        "out_of_scope",
        "too_young",
        "unmanaged",
    ]
