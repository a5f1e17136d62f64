# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All documents that the collection renders: wildcards only where there is a reason, no finding of an IAM linter, and
no longer than AWS takes them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import (
    break_glass,
    bucket_policies,
    drift,
    guardrails,
    installer,
    names,
    observers,
    organisation,
    people,
    roles,
    seal,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue
from ansible_collections.gitops.aws.plugins.module_utils._notices.resources import notices
from tests.unit.plugins.module_utils.estate.conftest import KEY
from tests.unit.plugins.module_utils.estate.test_policies import findings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses what setuptools will give up
    from parliament import iam_definition  # type: ignore[import-untyped]

Make = Callable[..., dict[str, Any]]
Document = dict[str, Any]

# Allowed on every resource, because AWS knows no resource for them: its own list, as parliament has it, must say so.
WITHOUT_RESOURCE = {
    "chatbot:CreateSlackChannelConfiguration",
    "chatbot:DescribeSlackChannelConfigurations",
    "chatbot:DescribeSlackWorkspaces",
    "codeconnections:CreateConnection",
    "codepipeline:ListPipelines",
    "codestar-notifications:DeleteTarget",
    "codestar-notifications:ListNotificationRules",
    "events:ListApiDestinations",
    "events:ListConnections",
    "events:ListRules",
    "iam:GetAccountAuthorizationDetails",
    "iam:ListRoles",
    "iam:SimulateCustomPolicy",
    "kms:CreateKey",
    "logs:DescribeLogGroups",
    "sns:GetSubscriptionAttributes",
    "sns:SetSubscriptionAttributes",
    "sns:Unsubscribe",
    "ssm:DescribeParameters",
    "tag:GetResources",
}
# Allowed on every resource for another reason: document, Sid, actions (all of the statement's where none is named).
OTHERWISE: dict[tuple[str, str], tuple[set[str], str]] = {
    ("installer_pipelines", "ReadLists"): (
        {"codeconnections:ListConnections", "scheduler:ListSchedules"},
        "it lists those of the whole account",
    ),
    **{
        (name, "Look"): (set(), "what nobody knows of has any name")
        for name in ("scan: look", "act: look", "drift_scan")
    },
    **{
        (name, "Act"): (set(), "the same, but for what carries the tag of an estate or is protected")
        for name in ("act: act", "drift_act")
    },
    ("installer_notifications", "ReadAlarms"): (set(), "composite alarms are asked for likewise, and want it on all"),
    ("doctor", "ReadAcrossTheAccount"): ({"codeconnections:ListConnections"}, "it lists those of the whole account"),
    ("verifier", "AskIam"): ({"codeconnections:ListConnections"}, "it lists those of the whole account"),
    ("installer_state", "NewKey"): ({"kms:TagResource"}, "a key has no ARN before it is made, with the estate's tag"),
    ("developer", "Look"): (set(), "who deploys through Git may look at all of the account, and into nothing"),
    ("developer", "Code"): (set(), "of the stacks' own repositories; each action of codecommit is held to its list"),
    ("boundary", "Everything"): (set(), "a boundary gives nothing: what Terraform's roles may, their policies say"),
    ("key", "IamPoliciesCount"): (set(), "in a key's policy * is the key; AWS's default, for the account's own IAM"),
}
# Findings of the linter beyond those of test_policies.py that are meant so: document, issue, part of its detail.
MEANT = (
    # What the linter knows of it are the streams of tables.
    ("verifier", "RESOURCE_MISMATCH", "dynamodb:GetResourcePolicy"),
    # Both halves of an alias have a statement: the alias, and the key if it is ours.
    ("installer_state", "RESOURCE_MISMATCH", "kms:CreateAlias"),
    # The boundary's ARN is compared letter by letter, as AWS's own examples do.
    ("installer_pipelines", "MISMATCHED_TYPE_BUT_USABLE", "StringEquals requires a value of type String but given Arn"),
    # The linter knows those of express state machines only, and none of channels.
    ("installer_notifications", "RESOURCE_MISMATCH", "states:DescribeExecution"),
    ("installer_notifications", "RESOURCE_MISMATCH", "chatbot:"),
    # What is allowed with repositories by wildcards has one among it that has no resource, and is not allowed by that.
    ("developer", "RESOURCE_MISMATCH", "[{'action': 'codecommit:GetApprovalRuleTemplate', 'required_format': '*'}]"),
    # IAM has learnt it since.
    *(
        (name, "UNKNOWN_ACTION", "resource-explorer-2:ListResources")
        for name in ("scan: look", "act: look", "drift_scan")
    ),
    ("act: act", "RESOURCE_STAR", "['acm:DeleteCertificate', "),
    ("drift_act", "RESOURCE_STAR", "['acm:DeleteCertificate', "),
    # Those of OTHERWISE.
    ("installer_notifications", "RESOURCE_STAR", "['cloudwatch:DescribeAlarms']"),
    ("installer_state", "RESOURCE_STAR", "['kms:TagResource']"),
    ("developer", "RESOURCE_STAR", "cloudformation:Describe"),
    ("key", "RESOURCE_STAR", "kms:"),
)

# What AWS takes, in characters; IAM's limits count no white space.
LIMITS = {
    "managed": 6144,
    "inline": 10240,  # all of a role together
    "trust": 2048,
    "bucket": 20480,
    "key": 32768,
    "table": 20480,
    "topic": 30720,
    "queue": 30720,
    "organisation": 5120,
}
SSO = "role/aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_AdministratorAccess_*"
OWNING = {"removal": True, "scope": {"account": True}, "types": catalogue.REMOVABLE}
TELLING = {
    "recipients": [
        {"email": "a@example.com"},
        {"name": "ops", "slack": {"channel": "#ops"}},
        {"name": "chat", "chatbot": {"team_id": "T1", "channel_id": "C1"}},
    ],
    "aws_rules": True,
    "kms_key_id": KEY,
}
BIG_ESTATES: dict[str, dict[str, Any]] = {
    "longest names": {"name": "n" * 27, "state_bucket": "s" * 63, "artifact_bucket": "a" * 63, "lock_table": "l" * 255},
    "looks for drift": {"name": "n" * 27, "artifact_bucket": "a" * 63, "lock_table": "l" * 255, "drift": {}},
    "people of Identity Center": {
        "installers": [SSO, "role/platform"],
        "state_readers": [SSO, "role/auditors"],
        "break_glass_principals": [SSO, "user/root-of-trust"],
    },
    "drift": {"drift": OWNING},
    "tells": {"name": "n" * 27, "lock_table": "l" * 255, "drift": {}, "notifications": TELLING},
}
OTHER_ROLE = {
    "credentials": "assume_role",
    "assume_role_arn": "arn:aws:iam::444455556666:role/x",
    "plan_assume_role_arn": "arn:aws:iam::444455556666:role/reads",
}


def stacks_of(stack: Make) -> list[dict[str, Any]]:
    """Stacks with every option that a role's policies depend on, one of them after the others."""
    made = [
        stack(name="role", pull_requests=True),
        stack(name="other", pull_requests=True, **OTHER_ROLE),
        stack(name="keys", credentials="parameter_store"),
        stack(name="pushed", source="codecommit", repository="infrastructure"),
    ]
    packed = stack(name="packed", source="s3", repository=None, source_bucket="acme-code", source_key="source.zip")
    return [*made, packed, {**stack(name="later"), "after": [one["name"] for one in made]}]


def all_roles(shared: dict[str, Any], stacks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every role of an estate."""
    made = [*roles.stack_roles(stacks, shared), *break_glass.break_glass_roles(shared)]
    return [*made, *drift.drift_roles(shared, stacks), *notices(shared, stacks, [])["roles"]]


def rendered(shared: dict[str, Any], stacks: list[dict[str, Any]]) -> Iterator[tuple[str, str, Document]]:
    """Every document of an estate: its name, its kind and what it says."""
    # policies.yml calls nothing: of a key it knows the one that the user names.
    uncalled = {**shared, "kms_key_arn": shared["named_key_arn"]}
    for role in all_roles(shared, stacks):
        purpose = role["name"].rpartition("-")[2]
        yield f"trust of {purpose}", "trust", role["assume_role_policy"]
        for name, document in role["inline_policies"].items():
            yield f"{purpose}: {name}", "inline", document
    for policy in break_glass.managed_policies(shared, stacks):
        yield policy["name"].rpartition("-")[2], "managed", policy["policy"]
    for name, document in installer.installer_policies(uncalled, stacks).items():
        yield name, "managed", document
    yield "operator", "managed", people.operator_policy(uncalled)
    yield "recovery", "managed", people.recovery_policy(uncalled)
    yield "break_glass", "managed", break_glass.taking_policy(uncalled)
    yield "doctor", "managed", observers.doctor_policy(uncalled)
    yield "reporter", "managed", observers.reporter_policy(uncalled)
    yield "verifier", "managed", observers.verifier_policy(uncalled)
    for name, document in drift.drift_policies(uncalled, stacks).items():
        yield name, "managed", document
    yield "developer", "managed", guardrails.developer_policy(uncalled, stacks)
    yield "boundary", "managed", guardrails.boundary_policy(uncalled, stacks)
    for name, text in organisation.service_control_policies(uncalled, stacks).items():
        yield name, "organisation", json.loads(text)
    yield "rcp", "organisation", json.loads(organisation.resource_control_policy(uncalled, stacks))
    telling = notices(shared, stacks, [])
    for topic in [*break_glass.alarm_topics(shared, []), *telling["topics"]]:
        yield topic["name"].rpartition("-")[2], "topic", topic["policy"]
    for queue in telling["queues"]:
        yield "queue", "queue", queue["policy"]
    state, artifacts = (names.bucket_arn(shared, shared[f"{kind}_bucket"]) for kind in ("state", "artifact"))
    key = shared["kms_key_arn"]
    yield "state", "bucket", bucket_policies.state_bucket_policy(state, key, seal.state_bucket(shared, stacks))
    yield "artifacts", "bucket", bucket_policies.artifact_bucket_policy(artifacts, seal.artifact_bucket(shared, stacks))
    yield "table", "table", seal.lock_table(shared, stacks)
    yield "key", "key", seal.key(shared, stacks)


ESTATES: dict[str, dict[str, Any]] = {
    "usual": {"kms_key_arn": None},
    "key": {"kms_key_arn": KEY},
    "lockfile": {"locking": ["lockfile"]},
    "dynamodb": {"locking": ["dynamodb"]},
    "boundary": {"permissions_boundary": "arn:aws:iam::111122223333:policy/bounded"},
    "platform's": {
        "create_state_bucket": False,
        "state_bucket": "platform-states",
        "create_lock_table": False,
        "lock_table": "platform-locks",
        "break_glass_role": "role/emergency",
    },
    "drift": {"drift": OWNING},
    "reporting": {"drift": {}, "locking": ["dynamodb"]},
    "telling": {"notifications": TELLING},
}


@pytest.fixture(params=ESTATES.values(), ids=list(ESTATES))
def documents(request: pytest.FixtureRequest, foundation: Make, stack: Make) -> list[tuple[str, str, Document]]:
    """Every document of an estate with these settings."""
    return list(rendered({**foundation(**request.param), "kms_key_arn": KEY}, stacks_of(stack)))


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


def unlimited(documents: list[tuple[str, str, Document]]) -> Iterator[tuple[str, str, str]]:
    """Document, Sid and action of everything that is allowed on every resource, or with a wildcard in the action."""
    for name, _kind, document in documents:
        for statement in document["Statement"]:
            if statement["Effect"] != "Allow":
                continue
            assert "NotAction" not in statement, name
            assert "NotResource" not in statement, name
            for action in listed(statement["Action"]):
                if "*" in action or "*" in listed(statement.get("Resource", [])):
                    yield name, statement["Sid"], action


def has_reason(name: str, sid: str, action: str) -> bool:
    actions, _reason = OTHERWISE.get((name, sid), (None, ""))
    return action in WITHOUT_RESOURCE or (actions is not None and (not actions or action in actions))


def test_wildcards_have_reasons(documents: list[tuple[str, str, Document]]) -> None:
    assert [found for found in unlimited(documents) if not has_reason(*found)] == []


def test_no_reason_without_a_wildcard(foundation: Make, stack: Make) -> None:
    found = [
        one
        for settings in ESTATES.values()
        for one in unlimited(list(rendered({**foundation(**settings), "kms_key_arn": KEY}, stacks_of(stack))))
    ]
    assert {action for _name, _sid, action in found if action in WITHOUT_RESOURCE} == WITHOUT_RESOURCE
    assert {(name, sid) for name, sid, action in found if action not in WITHOUT_RESOURCE} == set(OTHERWISE)


@pytest.mark.parametrize("action", sorted(WITHOUT_RESOURCE))
def test_aws_knows_no_resource_for_it(action: str) -> None:
    service, _, name = action.partition(":")
    found = [
        kind["resource_type"]
        for definition in iam_definition
        if definition["prefix"] == service
        for privilege in definition["privileges"]
        if privilege["privilege"] == name
        for kind in privilege["resource_types"]
    ]
    assert set(found) == {""}


def test_the_linter_finds_nothing(documents: list[tuple[str, str, Document]]) -> None:
    found = [
        (name, finding)
        for name, kind, document in documents
        if kind != "trust"  # which it can't read: such a policy has no resource
        for finding in findings(document)
        if not any(name == meant and finding.startswith(issue) and part in finding for meant, issue, part in MEANT)
    ]
    assert found == []


def size(document: Document) -> int:
    """In characters, without white space between them."""
    return len(json.dumps(document, separators=(",", ":")))


@pytest.mark.parametrize("settings", BIG_ESTATES.values(), ids=list(BIG_ESTATES))
def test_an_estate_of_a_hundred_stacks_fits(settings: dict[str, Any], foundation: Make, stack: Make) -> None:
    shared = {**foundation(**{"kms_key_arn": None, **settings}), "kms_key_arn": KEY}
    longest = "s" * (64 - len("-pipeline") - len(settings.get("name", "gitops")) - 1)
    every = [f"{longest[3:]}{number:03}" for number in range(100)]
    made = [stack(name=name, pull_requests=True) for name in every]
    stacks = [made[0], *({**one, "after": [before]} for one, before in zip(made[1:], every, strict=False))]
    sizes = [(name, kind, size(document)) for name, kind, document in rendered(shared, stacks)]
    assert [one for one in sizes if one[2] > LIMITS[one[1]]] == []
    for role in all_roles(shared, stacks):
        assert sum(size(document) for document in role["inline_policies"].values()) <= LIMITS["inline"], role["name"]
