# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`settings.drift`: its defaults, and what bad input gets."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import names, spec

REGIONS = ["eu-central-1", "eu-west-1", "us-east-1"]
SETTINGS = {"region": "eu-central-1", "connection": "github", "installers": ["role/platform"]}
STACK = {"name": "network", "repository": "acme/infrastructure"}
OWNING = {"removal": True, "scope": {"account": True}, "types": ["aws_instance"]}


def problems(**drift: Any) -> list[str]:
    return spec.check({**SETTINGS, "drift": drift}, [], REGIONS)[2]


def drift_of(given: Any) -> Any:
    settings, _stacks, found = spec.check({**SETTINGS, "drift": given}, [], REGIONS)
    assert found == []
    return settings["drift"]


def test_nothing_is_looked_for_unless_it_is_said() -> None:
    assert drift_of(None) is None


def test_an_empty_dictionary_only_reports() -> None:
    drift = drift_of({})

    assert drift["schedule"] == "rate(1 day)"
    assert drift["regions"] == ["eu-central-1"]
    assert (drift["removal"], drift["types"], drift["scope"]) == (False, [], None)
    assert drift_of(drift) == drift


def test_the_foundation_has_it_with_its_defaults() -> None:
    settings = spec.check({**SETTINGS, "drift": {}}, [], REGIONS)[0]

    assert names.foundation_of(settings, "111122223333", "aws")["drift"]["min_age_hours"] == 24
    assert names.foundation_of({**settings, "drift": {}}, "111122223333", "aws")["drift"] is None


def test_an_unknown_key_is_named_with_the_nearest_that_exists() -> None:
    assert problems(shedule="rate(1 day)")[0].startswith("settings.drift.shedule: unknown key; did you mean schedule?")
    (found,) = problems(scope={"acount": True})
    assert found.startswith("settings.drift.scope.acount: unknown key; did you mean account?")


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("schedule", ["rate(1 day)"], "a text"),
        ("regions", {"a": 1}, "a list of texts"),
        ("removal", "maybe", "true or false"),
        ("min_age_hours", "a day", "a whole number"),
        ("scope", "account", "a dictionary"),
        ("types", 5.5, "a list of texts"),
    ],
)
def test_values_of_a_wrong_type(key: str, value: Any, allowed: str) -> None:
    if key == "types":  # Ansible makes a list of one text of it
        assert problems(**{key: [["aws_instance"]]}) == [
            f"settings.drift.{key}: [['aws_instance']] is not allowed; allowed is {allowed}"
        ]
    else:
        assert problems(**{key: value}) == [f"settings.drift.{key}: {value!r} is not allowed; allowed is {allowed}"]


@pytest.mark.parametrize("given", ["text", 5, ["a"]])
def test_drift_that_is_no_dictionary(given: Any) -> None:
    (found,) = spec.check({**SETTINGS, "drift": given}, [], REGIONS)[2]

    assert found == f"settings.drift: {given!r} is not allowed; allowed is a dictionary"


@pytest.mark.parametrize(
    "schedule", ["", "rate(1 minute)", "rate(12 hours)", "cron(0 4 * * ? *)", "cron(0/15 4 ? * MON-FRI *)"]
)
def test_schedules_that_eventbridge_takes(schedule: str) -> None:
    assert problems(schedule=schedule) == []


@pytest.mark.parametrize(
    "schedule", ["daily", "rate(0 days)", "rate(1 week)", "cron(0 4 * * *)", "at(2026-11-26T04:00:00)"]
)
def test_schedules_that_eventbridge_refuses(schedule: str) -> None:
    (found,) = problems(schedule=schedule)

    assert found.startswith(f"settings.drift.schedule: {schedule!r} is not allowed; allowed is rate(1 day), cron(")


@pytest.mark.parametrize("timezone", ["", "+02:00", "Europe/", "Europe Berlin"])
def test_timezones_that_are_none(timezone: str) -> None:
    (found,) = problems(timezone=timezone)

    assert found.startswith(f"settings.drift.timezone: {timezone!r} is not allowed; allowed is UTC or a name like")


def test_a_region_that_is_none() -> None:
    (found,) = problems(regions=["eu-central-1", "eu-wset-1"])

    assert found.startswith("settings.drift.regions: 'eu-wset-1' is no AWS region; near it are eu-west-1")


@pytest.mark.parametrize(
    ("key", "value", "between"),
    [
        ("min_age_hours", -1, "0 and 8760"),
        ("grace_period_days", 366, "0 and 365"),
        ("max_removals", 0, "1 and 1000"),
        ("max_percent", 101, "1 and 100"),
    ],
)
def test_limits(key: str, value: int, between: str) -> None:
    assert problems(**{key: value}) == [f"settings.drift.{key}: {value} is not between {between}"]


@pytest.mark.parametrize(
    "scope",
    [
        {"account": True},
        {"tags": {"Project": "shop"}},
        {"vpc_ids": ["vpc-0a1b2c3d"], "name_prefix": "shop-"},
        {"tags": {"Project": "shop"}, "account": None},
    ],
)
def test_what_an_estate_may_claim(scope: dict[str, Any]) -> None:
    assert problems(**{**OWNING, "scope": scope}) == []


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ({}, "settings.drift.scope: {} says nothing"),
        ({"account": False}, "settings.drift.scope.account: False is not allowed"),
        ({"account": True, "name_prefix": "shop-"}, "settings.drift.scope.account: True is not allowed"),
        ({"tags": {}}, "settings.drift.scope.tags: {} is not allowed"),
        ({"tags": ["Project"]}, "settings.drift.scope.tags: ['Project'] is not allowed"),
        # An IAM condition, and a tag in AWS, is a text: a number would match nothing.
        ({"tags": {"CostCenter": 1234}}, "settings.drift.scope.tags: {'CostCenter': 1234} is not allowed"),
        ({"vpc_ids": "vpc-0a1b2c3d"}, "settings.drift.scope.vpc_ids: 'vpc-0a1b2c3d' is not allowed"),
        ({"vpc_ids": ["main"]}, "settings.drift.scope.vpc_ids: ['main'] is not allowed"),
        ({"name_prefix": " "}, "settings.drift.scope.name_prefix: ' ' is not allowed"),
    ],
)
def test_what_claims_nothing_or_too_much(scope: dict[str, Any], message: str) -> None:
    (found,) = problems(scope=scope)

    assert found.startswith(message)


def test_a_type_that_is_unknown() -> None:
    (found,) = problems(types=["aws_instnace"])

    assert found.startswith("settings.drift.types: 'aws_instnace' is unknown; did you mean aws_instance? Allowed are:")


@pytest.mark.parametrize(
    "pattern", ["aws_instance.*:tags.LastScan", 'module.a["b:c"].aws_vpc.this:tags_all', "*:tags.*"]
)
def test_changes_that_can_be_ignored(pattern: str) -> None:
    assert problems(ignore_changes=[pattern]) == []


@pytest.mark.parametrize("pattern", ["aws_instance.web", "aws_instance.web:", ":tags", "aws instance:tags"])
def test_changes_that_say_nothing(pattern: str) -> None:
    (found,) = problems(ignore_changes=[pattern])

    assert found.startswith(f"settings.drift.ignore_changes: {pattern!r} is not allowed; allowed is an address and an")


@pytest.mark.parametrize(
    ("missing", "said"), [("scope", "what the estate claims to own"), ("types", "the types that may")]
)
def test_removal_without_saying_of_what(missing: str, said: str) -> None:
    (found,) = problems(**{key: value for key, value in OWNING.items() if key != missing})

    assert found.startswith(f"settings.drift.{missing}: must be given, because removal is true: {said}")


def test_an_image_must_be_named() -> None:
    assert problems(image="")[0].startswith("settings.drift.image: '' is not allowed")


def test_names_of_roles_must_fit() -> None:
    given = {**SETTINGS, "state_bucket": "acme-state", "artifact_bucket": "acme-artifacts", "drift": {}}

    assert spec.check({**given, "name": "a" * 49}, [], REGIONS)[2] == []
    (found,) = spec.check({**given, "name": "a" * 50}, [], REGIONS)[2]
    assert "with drift at most 49 are allowed" in found


# Beside stacks


@pytest.mark.parametrize("name", ["drift", "network-drift"])
def test_stacks_that_are_called_like_what_looks_for_drift(name: str) -> None:
    (found,) = spec.check(SETTINGS, [{**STACK, "name": name}], REGIONS)[2]

    assert found.startswith(f"stacks[0] ({name}).name: {name!r} is not allowed: drift, and what ends in -drift")
    assert spec.check(SETTINGS, [{**STACK, "name": "driftwood"}], REGIONS)[2] == []


def test_a_stack_must_not_share_the_folder_of_the_artifacts_of_drift() -> None:
    (found,) = spec.check({**SETTINGS, "name": "acme-platform1"}, [{**STACK, "name": "drift-data"}], REGIONS)[2]

    assert found.startswith("stacks[0] (drift-data).name: 'drift-data' and 'drift' begin alike")


@pytest.mark.parametrize("key", ["gitops-drift/terraform.tfstate", "gitops-known/terraform.tfstate"])
def test_a_state_among_what_is_none(key: str) -> None:
    (found,) = spec.check(SETTINGS, [{**STACK, "state_key": key}], REGIONS)[2]

    assert found.startswith(f"stacks[0] (network).state_key: {key!r} is among what is no state: gitops-drift/, ")
