# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vars file: whatever is in it is refused in words, or all that is made of it can be made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import assume, event, given, note, settings
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.filter.estate import FilterModule
from ansible_collections.gitops.aws.plugins.module_utils._engine import check_items, common_options
from ansible_collections.gitops.aws.plugins.module_utils._estate import drift_settings, names, spec
from ansible_collections.gitops.aws.plugins.module_utils._notices import settings as notices
from ansible_collections.gitops.aws.plugins.module_utils._steps import BULK
from local_aws.codebuild import buildspec
from tests.reliability.figures import CASES, count
from tests.reliability.modules import Network, run, unclear
from tests.unit.plugins.module_utils.inputs import JSON, LIKELY, arguments, with_one_wrong

REGION = "eu-central-1"
REGIONS = ["eu-central-1", "eu-central-2", "us-east-1"]
ACCOUNT = "111122223333"
ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = {"region": REGION, "connection": "github", "installers": ["role/platform"]}
STACK = {"name": "network", "repository": "acme/infrastructure"}
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55"


def fits(pattern: Any) -> st.SearchStrategy[str]:
    """Texts that a pattern of ours takes whole, short ones."""
    return st.from_regex(pattern, fullmatch=True).map(lambda text: text[:60]).filter(pattern.fullmatch)


def some(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A dictionary with some of the options."""
    return st.fixed_dictionaries({}, optional=options)


TAGS = st.dictionaries(fits(spec.TAG_KEY), fits(spec.TAG_VALUE) | st.integers() | st.booleans(), max_size=2)
ROLES = fits(spec.ROLE_ARN)
STATEMENTS = st.lists(
    st.sampled_from(
        [
            {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
            {"Sid": "S", "Effect": "Deny", "Action": ["s3:Get*"], "Resource": ["arn:aws:s3:::a/*"]},
            {
                "Effect": "Allow",
                "NotAction": "iam:*",
                "Resource": "*",
                "Condition": {"Bool": {"aws:ViaAWSService": True}},
            },
        ]
    ),
    max_size=2,
)
EVENTS = st.lists(st.sampled_from(notices.EVENTS_OPTION["choices"]), max_size=3)
SOMEBODY: list[dict[str, Any]] = [
    {"email": "a@example.com"},
    {"sqs": f"arn:aws:sqs:{REGION}:{ACCOUNT}:audit"},
    {"name": "team", "slack": {}},
    {"name": "team", "teams": {}},
    {"name": "hook", "webhook": {"endpoint": "https://example.com/hook"}},
    {"name": "room", "chatbot": {"slack_team_id": "T0123ABCD", "slack_channel_id": "C0123ABCD"}},
]
RECIPIENTS = st.lists(
    st.sampled_from(SOMEBODY).flatmap(lambda one: st.just(one) | EVENTS.map(lambda events: {**one, "events": events})),
    max_size=2,
)
LIKELY_SETTINGS = some(
    name=fits(spec.NAME),
    tags=TAGS,
    state_bucket=st.just("acme-states"),
    create_state_bucket=st.booleans(),
    artifact_bucket=st.just("acme-artifacts"),
    lock_table=fits(spec.TABLE),
    kms_key_arn=st.just(KEY),
    locking=st.lists(st.sampled_from(["dynamodb", "lockfile"]), unique=True),
    connection_provider=st.sampled_from(spec.SETTINGS["connection_provider"]["choices"]),
    sealed=st.booleans(),
    installers=st.lists(fits(spec.PRINCIPAL), min_size=1, max_size=2),
    state_readers=st.lists(fits(spec.PRINCIPAL), max_size=2),
    break_glass_principals=st.lists(fits(spec.PRINCIPAL), max_size=2),
    alarm_emails=st.just(["ops@example.com"]),
    permissions_boundary=fits(spec.POLICY_ARN),
    drift=some(
        schedule=st.sampled_from(["", "rate(1 day)", "cron(0 4 * * ? *)"]),
        regions=st.just(["us-east-1"]),
        scope=some(account=st.booleans(), tags=TAGS, name_prefix=st.just("gitops")),
        types=st.sampled_from([[], ["aws_instance"], ["aws_ebs_volume", "aws_security_group"]]),
        removal=st.booleans(),
        ignore_changes=st.just(["aws_instance.*:tags"]),
    ),
    notifications=some(
        recipients=RECIPIENTS, lock_minutes=st.integers(0, 2000), aws_rules=st.booleans(), kms_key_id=st.just(KEY)
    ),
)
LIKELY_STACK = some(
    name=fits(spec.NAME),
    repository=fits(spec.REPOSITORY),
    source=st.sampled_from(["connection", "codecommit", "s3"]),
    source_bucket=st.just("acme-code"),
    source_key=fits(spec.SOURCE_KEY),
    branch=fits(spec.BRANCH),
    path=fits(spec.PATH),
    approval=st.booleans(),
    trigger=st.booleans(),
    trigger_paths=st.lists(fits(spec.PATTERN), max_size=2),
    pull_requests=st.booleans(),
    checks=st.lists(st.sampled_from(spec.CHECKS), max_size=3),
    policy_path=fits(spec.PATH),
    credentials=st.sampled_from(["role", "assume_role", "parameter_store"]),
    assume_role_arn=ROLES,
    plan_assume_role_arn=ROLES,
    aws_region=st.just("us-east-1"),
    engine=st.sampled_from(list(spec.ENGINES)),
    image=st.text(max_size=30),
    timeout_in_minutes=st.integers(5, 2160),
    variables=st.dictionaries(fits(spec.VARIABLE), JSON, max_size=2),
    state_key=fits(spec.STATE_KEY),
    plan_permissions=STATEMENTS,
    apply_permissions=STATEMENTS,
    apply_managed_policies=st.lists(fits(spec.POLICY_ARN), max_size=2),
    plan_role_arn=ROLES,
    pipeline_role_arn=ROLES,
    tags=TAGS,
    notifications=some(events=EVENTS, recipients=RECIPIENTS),
)
ESTATES = st.tuples(
    LIKELY_SETTINGS.map(lambda given: {**SETTINGS, **given}),
    st.lists(LIKELY_STACK.map(lambda given: {**STACK, **given}), max_size=2),
)
ANY_SETTINGS = arguments(
    {
        **spec.SETTINGS,
        "drift": {
            "type": "dict",
            "options": {**drift_settings.DRIFT, "scope": {"type": "dict", "options": drift_settings.SCOPE}},
        },
        "notifications": {
            "type": "dict",
            "options": {
                **notices.NOTIFICATIONS,
                "recipients": {"type": "list", "elements": "dict", "options": notices.RECIPIENT},
            },
        },
    },
    LIKELY,
)
ANY_ESTATES = (
    st.tuples(JSON, JSON)
    | st.tuples(ANY_SETTINGS, st.lists(arguments(spec.STACK, LIKELY), max_size=2))
    | ESTATES.flatmap(lambda estate: with_one_wrong(list(estate))).filter(
        lambda estate: isinstance(estate, list) and len(estate) == 2
    )
)


@given(ANY_ESTATES, JSON)
def test_any_vars_file_ends_in_a_result_or_in_words(estate: Any, secrets: Any) -> None:
    count(CASES)
    given_ = {"settings": estate[0], "stacks": estate[1], "notification_secrets": secrets}

    result = run("estate", given_, Network())

    assert unclear(result, given_) == ""
    if result.get("failed"):
        assert all(": " in problem for problem in result.get("problems", []))
    else:
        assert set(result["settings"]) == set(spec.SETTINGS)
        assert all(set(stack) == set(spec.STACK) for stack in result["stacks"])


BUILDSPECS = {
    file.stem.removeprefix("buildspec_").removeprefix("drift_"): file.read_text(encoding="utf-8")
    for file in (ROOT / "buildspecs").glob("*.yml")
} | {file.name: file.read_text(encoding="utf-8") for file in (ROOT / "buildspecs" / "parts").iterdir()}
FILTERS = FilterModule().filters()
# Policies grow with the stacks and what they name. That one is too long is said, and how long it may be.
TOO_LONG = "AWS takes"


def filtered(name: str, *given_: Any) -> Any:
    """What a filter makes of checked input; nothing where that is too long for AWS."""
    try:
        return FILTERS[name](*given_)
    except AnsibleFilterError as error:
        if TOO_LONG not in str(error):
            raise
        event(f"{name}: too long")
        return []


def made(settings: dict[str, Any], stacks: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """All resources of an estate, by module."""
    foundation = {
        **names.foundation_of(settings, ACCOUNT, "aws"),
        "connection_arn": f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/4dfa8f62",
        "permissions_boundary": settings["permissions_boundary"] or "",
        "authors": settings["authors"],
    }
    foundation["kms_key_arn"] = foundation["kms_key_arn"] or KEY
    emails = settings["alarm_emails"]
    of_notices: Any = filtered("notices", foundation, stacks, emails) or {}
    for name in ("state_bucket_policy",):
        filtered(name, foundation, settings["state_bucket_policy_statements"], None, stacks)
    of_stacks = ("artifact_bucket_policy", "lock_table_policy", "key_policy", "boundary_policy", "developer_policy")
    for name in (*of_stacks, "policies_to_attach", "drift_policies", "installer_policies", "service_control_policies"):
        filtered(name, foundation, stacks)
    for name in (
        "operator_policy",
        "recovery_policy",
        "doctor_policy",
        "reporter_policy",
        "verifier_policy",
        "owner_tags",
    ):
        filtered(name, foundation)
    for name in ("stack_states", "stack_expectations"):
        filtered(name, stacks, foundation)
    filtered("status_settings", foundation, stacks)
    drift: Callable[..., Any] = filtered
    return {
        "iam_roles": [
            *filtered("stack_roles", stacks, foundation),
            *filtered("break_glass_roles", foundation),
            *drift("drift_roles", foundation, stacks),
            *of_notices.get("roles", []),
        ],
        "iam_policies": filtered("managed_policies", foundation, stacks),
        "codebuild_projects": [
            *filtered("stack_projects", stacks, foundation, BUILDSPECS),
            *(drift("drift_projects", foundation, BUILDSPECS) if foundation["drift"] else []),
        ],
        "codepipelines": [*filtered("stack_pipelines", stacks, foundation), *drift("drift_pipelines", foundation)],
        "eventbridge_rules": [*filtered("source_rules", stacks, foundation), *filtered("alarm_rules", foundation)],
        "scheduler_schedules": drift("drift_schedules", foundation, stacks),
        "sns_topics": [*filtered("alarm_topics", foundation, emails), *of_notices.get("topics", [])],
        "sqs_queues": of_notices.get("queues", []),
        "stepfunctions_state_machines": of_notices.get("state_machines", []),
        "cloudwatch_alarms": of_notices.get("alarms", []),
        "eventbridge_api_destinations": of_notices.get("api_destinations", []),
        "chatbot_slack_channels": of_notices.get("slack_channels", []),
        "codestar_notification_rules": of_notices.get("notification_rules", []),
    }


class Nobody:
    """Stands for the connection of kinds that only look at their input."""

    check_mode = False

    def in_region(self, _region: str) -> Nobody:
        return self

    def client(self, _service: str) -> Any:
        return SimpleNamespace(meta=SimpleNamespace(region_name=REGION))


@settings(max_examples=max(settings().max_examples // 10, 20))  # an estate has dozens of resources
@given(ESTATES)
def test_what_is_accepted_can_be_made(estate: Any) -> None:
    count(CASES)
    shared, stacks, problems = spec.check(estate[0], estate[1], REGIONS)
    event(f"accepted: {not problems}")
    note(str(problems))
    assume(not problems)
    nobody: Any = Nobody()

    for module, items in made(shared, stacks).items():
        bulk = BULK[module]
        checked = ArgumentSpecValidator(common_options(bulk.plural, bulk.options)).validate(
            json.loads(json.dumps({bulk.plural: items}))  # what is given twice is two things
        )
        assert checked.error_messages == [], (module, checked.error_messages)
        kind = bulk.kind(nobody)
        problems = check_items(kind, bulk.plural, checked.validated_parameters[bulk.plural], "present")
        assert problems == [], (module, problems)
        if module == "codebuild_projects":
            for item in items:
                assert buildspec.parse(item["source"]["buildspec"]).phases


@pytest.mark.parametrize("wrong", ["settings", "stacks"])
def test_nothing_at_all_is_said_to_be_nothing(wrong: str) -> None:
    given_: dict[str, Any] = {"settings": SETTINGS, "stacks": [STACK], wrong: None}

    result = run("estate", given_, Network())

    assert result["failed"]
    assert f"{wrong}: it is required and null" in result["msg"]
