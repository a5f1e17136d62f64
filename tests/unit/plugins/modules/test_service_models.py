# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' options beside botocore's service models: what AWS adds is noticed, and named."""

from __future__ import annotations

import copy
import functools
import importlib
import json
from dataclasses import dataclass, field
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import Shape

from ansible_collections.gitops.aws.plugins.module_utils._kinds import (
    _webhook,
    chatbot_slack_channel,
    cloudwatch_alarm,
    codebuild_project,
    codeconnection,
    codepipeline,
    codestar_notification_rule,
    dynamodb_table,
    eventbridge_api_destination,
    eventbridge_connection,
    eventbridge_rule,
    iam_policy,
    iam_role,
    kms_key,
    log_group,
    s3_bucket,
    scheduler_schedule,
    sns_topic,
    sqs_queue,
    ssm_parameter,
    stepfunctions_state_machine,
)

Options = dict[str, Any]

LATER = "not needed by what a pipeline stands on; amazon.aws has a module for the rest"


@dataclass
class Compared:
    """Options of a module, and the operation whose input they are.

    Attributes:
        operation: `service:Operation`, with the member that the options are of behind a full stop where it is not all.
        renamed: members (in snake_case) that have another name as an option.
        left_out: paths of members that are no options, each with the reason.
        ours: paths of options that are no members, each with the reason.
    """

    operation: str
    options: Options
    renamed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    ours: dict[str, str] = field(default_factory=dict)

    def shape(self) -> Shape:
        """botocore's shape of the input, or of the member, or of what the member is a list of."""
        service, _, operation = self.operation.partition(":")
        operation, _, member = operation.partition(".")
        shape = model(service).operation_model(operation).input_shape
        assert shape is not None
        return inside(shape.members[member]) if member else shape

    def __str__(self) -> str:
        return self.operation


@functools.cache
def model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


PROJECT_LEFT_OUT = {
    "environment.docker_server.status": "AWS answers it; it cannot be set",
    "tags.key": "tags are a dictionary, as in amazon.aws",
    "tags.value": "tags are a dictionary, as in amazon.aws",
}
PROJECT_OURS = dict.fromkeys(codebuild_project.APART, "has an operation of its own, compared below")
WEBHOOK_OURS = {
    "secret_file": "where the secret of a webhook goes that is made by hand",
    "filter_groups.filters": "AWS has a list of lists, which Ansible cannot type",
}
NOT_BY_UPDATE = {
    "manual_creation": "cannot be changed: the webhook is made anew",
    "scope_configuration": "cannot be changed: the webhook is made anew",
}


def one(*names: str) -> Options:
    return {name: codebuild_project.OPTIONS[name] for name in names}


CODE: list[Compared] = [
    *(
        Compared(f"codebuild:{operation}", codebuild_project.OPTIONS, left_out=PROJECT_LEFT_OUT, ours=PROJECT_OURS)
        for operation in ("CreateProject", "UpdateProject")
    ),
    Compared(
        "codebuild:CreateWebhook",
        _webhook.WEBHOOK,
        left_out={"project_name": "the project's name"},
        ours=WEBHOOK_OURS,
    ),
    Compared(
        "codebuild:UpdateWebhook",
        _webhook.WEBHOOK,
        left_out={
            "project_name": "the project's name",
            "rotate_secret": "an act and no setting; removing the webhook and making it anew gives another secret",
        },
        ours={**WEBHOOK_OURS, **NOT_BY_UPDATE},
    ),
    Compared(
        "codebuild:UpdateProjectVisibility",
        one("project_visibility", "resource_access_role"),
        left_out={"project_arn": "found by the project's name"},
    ),
    Compared(
        "codebuild:PutResourcePolicy",
        one("resource_policy"),
        renamed={"policy": "resource_policy"},
        left_out={"resource_arn": "found by the project's name"},
    ),
    *(
        Compared(
            f"codepipeline:{operation}.pipeline",
            codepipeline.OPTIONS,
            left_out={"version": "AWS counts it"},
            ours={"tags": "CreatePipeline and TagResource take them beside the pipeline"},
        )
        for operation in ("CreatePipeline", "UpdatePipeline")
    ),
    Compared(
        "codeconnections:CreateConnection",
        codeconnection.OPTIONS,
        renamed={"connection_name": "name"},
        left_out={"tags.key": "tags are a dictionary", "tags.value": "tags are a dictionary"},
    ),
]


def later(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, LATER)


# What pipelines stand on. These modules say what a pipeline needs, and not all that AWS knows.
FOUNDATION = [
    Compared(
        "iam:CreateRole",
        iam_role.OPTIONS,
        renamed={"role_name": "name", "assume_role_policy_document": "assume_role_policy"},
        ours=dict.fromkeys(("inline_policies", "managed_policies"), "have operations of their own"),
    ),
    Compared("iam:CreatePolicy", iam_policy.OPTIONS, renamed={"policy_name": "name", "policy_document": "policy"}),
    Compared(
        "kms:CreateKey",
        kms_key.OPTIONS,
        left_out=later(
            "bypass_policy_lockout_safety_check",
            "custom_key_store_id",
            "customer_master_key_spec",
            "key_spec",
            "key_usage",
            "multi_region",
            "origin",
            "xks_key_id",
        ),
        ours=dict.fromkeys(("alias", "enable_key_rotation", "pending_window"), "have operations of their own"),
    ),
    Compared(
        "dynamodb:CreateTable",
        dynamodb_table.OPTIONS,
        renamed={
            "table_name": "name",
            "key_schema": "hash_key",
            "sse_specification": "kms_key_id",
            "deletion_protection_enabled": "deletion_protection",
            "resource_policy": "policy",
        },
        left_out={
            "attribute_definitions": "follow from hash_key",
            **later(
                "global_secondary_indexes",
                "global_table_settings_replication_mode",
                "global_table_source_arn",
                "local_secondary_indexes",
                "on_demand_throughput",
                "provisioned_throughput",
                "stream_specification",
                "table_class",
                "vector_indexes",
                "warm_throughput",
            ),
        },
        ours={"point_in_time_recovery": "has an operation of its own"},
    ),
    Compared(
        "logs:CreateLogGroup",
        log_group.OPTIONS,
        renamed={"log_group_name": "name"},
        left_out=later("deletion_protection_enabled", "log_group_class"),
        ours={"retention_in_days": "has an operation of its own"},
    ),
    Compared(
        "ssm:PutParameter",
        ssm_parameter.OPTIONS,
        left_out={
            "overwrite": "follows from whether there is one",
            **later("allowed_pattern", "data_type", "policies"),
        },
    ),
    Compared(
        "s3:CreateBucket",
        s3_bucket.OPTIONS,
        renamed={"bucket": "name"},
        left_out={
            "create_bucket_configuration": "follows from the region",
            **later(
                "acl",
                "bucket_namespace",
                "grant_full_control",
                "grant_read",
                "grant_read_acp",
                "grant_write",
                "grant_write_acp",
                "object_lock_enabled_for_bucket",
            ),
        },
        ours={
            **dict.fromkeys(
                ("block_public_access", "encryption", "lifecycle_rules", "policy", "tags", "versioning"),
                "have operations of their own",
            ),
            "force": "deletes what is in the bucket, too",
        },
    ),
    Compared(
        "sns:CreateTopic",
        sns_topic.OPTIONS,
        left_out={
            "attributes": "a map: display_name, kms_key_id, policy",
            **later("data_protection_policy"),
        },
        ours={
            **dict.fromkeys(sns_topic.ATTRIBUTES, "in the attributes"),
            "purge_subscriptions": "is how the module deals with them",
            "subscriptions": "have an operation of their own, compared below",
        },
    ),
    Compared(
        "sns:Subscribe",
        sns_topic.SUBSCRIPTION,
        left_out={
            "attributes": "a map",
            "return_subscription_arn": "without it AWS tells whether the subscription is confirmed",
            "topic_arn": "found by the topic's name",
        },
        ours=dict.fromkeys(
            ("filter_policy", "filter_policy_scope", "raw_message_delivery", "redrive_policy_target"),
            "in the attributes",
        ),
    ),
    Compared(
        "sqs:CreateQueue",
        sqs_queue.OPTIONS,
        renamed={"queue_name": "name"},
        left_out={"attributes": "a map"},
        ours=dict.fromkeys(set(sqs_queue.OPTIONS) - {"name", "tags"}, "in the attributes"),
    ),
    Compared(
        "cloudwatch:PutMetricAlarm",
        cloudwatch_alarm.OPTIONS,
        renamed={"alarm_name": "name", "alarm_description": "description"},
        left_out=later(
            "evaluate_low_sample_count_percentile",
            "evaluation_criteria",
            "evaluation_interval",
            "evaluation_window",
            "extended_statistic",
            "metrics",
            "threshold_metric_id",
            "unit",
            "warm_up_configuration",
        ),
    ),
    Compared(
        "events:PutRule",
        eventbridge_rule.OPTIONS,
        renamed={"state": "enabled"},
        ours={
            "targets": "have an operation of their own, compared below",
            "all_management_events": "is one of the states of AWS",
        },
    ),
    Compared(
        "events:PutTargets.Targets",
        eventbridge_rule.TARGET,
        renamed={"dead_letter_config": "dead_letter_arn", "retry_policy": "maximum_retry_attempts"},
        left_out=later(
            "app_sync_parameters",
            "batch_parameters",
            "ecs_parameters",
            "kinesis_parameters",
            "redshift_data_parameters",
            "run_command_parameters",
            "sage_maker_pipeline_parameters",
            "sqs_parameters",
        ),
        ours={"maximum_event_age_in_seconds": "in the retry_policy"},
    ),
    Compared(
        "stepfunctions:CreateStateMachine",
        stepfunctions_state_machine.OPTIONS,
        renamed={"tracing_configuration": "tracing_enabled"},
        left_out=later("encryption_configuration", "publish", "version_description"),
    ),
    Compared(
        "stepfunctions:CreateStateMachine.loggingConfiguration",
        stepfunctions_state_machine.LOGGING,
        renamed={"destinations": "log_group_arn"},
    ),
    *(
        Compared(
            f"events:{operation}",
            eventbridge_connection.OPTIONS,
            left_out={
                "auth_parameters": "four options: the types of it, and what is added to every call",
                **later("invocation_connectivity_parameters", "kms_key_identifier"),
            },
            ours=dict.fromkeys(("api_key", "basic", "oauth", "invocation_http_parameters"), "in the auth_parameters"),
        )
        for operation in ("CreateConnection", "UpdateConnection")
    ),
    Compared(
        "events:CreateConnection.AuthParameters",
        {name: eventbridge_connection.OPTIONS[name] for name in eventbridge_connection.AUTHORIZATION[1:]},
        renamed={
            "api_key_auth_parameters": "api_key",
            "basic_auth_parameters": "basic",
            "o_auth_parameters": "oauth",
        },
        left_out=later("connectivity_parameters"),
    ),
    *(
        Compared(f"events:{operation}", eventbridge_api_destination.OPTIONS, renamed={"connection_arn": "connection"})
        for operation in ("CreateApiDestination", "UpdateApiDestination")
    ),
    Compared(
        "codestar-notifications:CreateNotificationRule",
        codestar_notification_rule.OPTIONS,
        renamed={"status": "enabled"},
        left_out={"client_request_token": "the SDK's"},
    ),
    Compared("codestar-notifications:CreateNotificationRule.Targets", codestar_notification_rule.TARGET),
    Compared(
        "chatbot:CreateSlackChannelConfiguration",
        chatbot_slack_channel.OPTIONS,
        left_out={"slack_channel_name": "only shown; AWS knows it by the id"},
    ),
    Compared(
        "scheduler:CreateSchedule",
        scheduler_schedule.OPTIONS,
        renamed={"state": "enabled", "flexible_time_window": "maximum_window_in_minutes"},
        left_out={
            "client_token": "the SDK's",
            **later("action_after_completion", "end_date", "kms_key_arn", "start_date"),
        },
        ours={"tags": "are those of the group"},
    ),
    Compared(
        "scheduler:CreateSchedule.Target",
        scheduler_schedule.TARGET,
        renamed={"dead_letter_config": "dead_letter_arn", "retry_policy": "maximum_retry_attempts"},
        left_out=later(
            "ecs_parameters",
            "event_bridge_parameters",
            "kinesis_parameters",
            "sage_maker_pipeline_parameters",
            "sqs_parameters",
        ),
        ours={"maximum_event_age_in_seconds": "in the retry_policy"},
    ),
]


def inside(shape: Shape) -> Shape:
    """What a list, or a list of lists, is of."""
    while shape.type_name == "list":
        shape = shape.member
    return shape


def differences(compared: Compared, *, deep: bool) -> list[str]:
    """Where options and members are not the same, each in words that name the field."""
    found: list[str] = []
    used: set[str] = set()

    def compare(options: Options, shape: Any, path: str) -> None:
        members = {xform_name(name): member for name, member in shape.members.items()}
        names = {member: compared.renamed.get(member, member) if not path else member for member in members}
        for member, name in names.items():
            where = f"{path}{member}"
            if name in options:
                compare_one(options[name], members[member], f"{path}{name}")
            elif where in compared.left_out:
                used.add(where)
            else:
                found.append(f"{compared}: AWS has {where}, and the module has no such option")
        for name in set(options) - set(names.values()):
            where = f"{path}{name}"
            if where not in compared.ours:
                found.append(f"{compared}: the module has {where}, and AWS has no such field")
            used.add(where)

    def compare_one(option: Options, shape: Any, path: str) -> None:
        element = inside(shape)
        groups = option.get("options", {}).get("filters") if shape.type_name == "list" else None
        if groups and inside(shape.member) is element and shape.member.type_name == "list":
            used.add(f"{path}.filters")
            option = groups
        if not deep:
            return
        enum = set(getattr(element, "enum", None) or [])
        if enum != set(option.get("choices") or []):
            found.append(
                f"{compared}: {path} has the choices {sorted(enum ^ set(option.get('choices') or []))} not alike"
            )
        if element.type_name == "structure" and option.get("options"):
            compare(option["options"], element, f"{path}.")
        elif element.type_name == "structure":
            typed = {f"{path}.{xform_name(name)}" for name in element.members}
            found.extend(f"{compared}: {each} is not typed" for each in sorted(typed - set(compared.left_out)))
            used.update(typed)

    compare(compared.options, compared.shape(), "")
    stale = (set(compared.left_out) | set(compared.ours)) - used
    found += [f"{compared}: {path} is excused, and there is no need to" for path in sorted(stale)]
    return found


@pytest.mark.parametrize("compared", CODE, ids=str)
def test_codebuild_and_codepipeline_are_wrapped_whole(compared: Compared) -> None:
    assert differences(compared, deep=True) == []


@pytest.mark.parametrize("compared", FOUNDATION, ids=str)
def test_what_is_left_out_elsewhere_was_looked_at(compared: Compared) -> None:
    assert differences(compared, deep=False) == []


def without(options: Options, path: str) -> Options:
    """Options without one, as if AWS had added it."""
    result: Options = json.loads(json.dumps(options))  # what is shared within the options is no more
    *parents, name = path.split(".")
    level = result
    for parent in parents:
        level = level[parent]["options"]
    del level[name]
    return result


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("codebuild:CreateProject", "auto_retry_limit"),
        ("codebuild:CreateProject", "environment.fleet"),
        ("codebuild:CreateProject", "build_batch_config.restrictions.fleets_allowed"),
        ("codebuild:CreateWebhook", "scope_configuration.domain"),
        ("codepipeline:CreatePipeline.pipeline", "stages.actions.commands"),
        ("codepipeline:CreatePipeline.pipeline", "stages.before_entry.conditions.rules.region"),
        ("codeconnections:CreateConnection", "host_arn"),
    ],
)
def test_field_that_aws_adds_is_named(operation: str, path: str) -> None:
    compared = next(each for each in CODE if each.operation == operation)
    older = copy.copy(compared)
    older.options = without(compared.options, path)

    assert differences(older, deep=True) == [f"{operation}: AWS has {path}, and the module has no such option"]


def test_choice_that_aws_adds_is_named() -> None:
    compared = copy.copy(CODE[0])
    compared.options = copy.deepcopy(compared.options)
    compared.options["cache"]["options"]["type"]["choices"].remove("LOCAL")

    assert differences(compared, deep=True) == [
        "codebuild:CreateProject: cache.type has the choices ['LOCAL'] not alike"
    ]


def test_every_bulk_module_is_compared() -> None:
    from tests.unit.plugins.modules.test_documentation import MODULES

    compared = [id(each.options) for each in (*CODE, *FOUNDATION)]
    modules = [importlib.import_module(f"ansible_collections.gitops.aws.plugins.modules.{name}") for name in MODULES]
    assert [module.__name__ for module in modules if id(module.OPTIONS) not in compared] == []
