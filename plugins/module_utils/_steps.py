# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Resources of several kinds one after another in one run: what a role would else need a task for each time.

Each step is what a bulk module does. They share the connections and what is known of the caller.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Union

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, explain
from ansible_collections.gitops.aws.plugins.module_utils._engine import (
    CONCURRENCY,
    Kind,
    Resource,
    Settings,
    check_items,
    common_options,
    conclude,
    connect,
    converge,
    look,
)
from ansible_collections.gitops.aws.plugins.module_utils._kinds import (
    chatbot_slack_channel,
    cloudwatch_alarm,
    codebuild_project,
    codepipeline,
    codestar_notification_rule,
    dynamodb_table,
    eventbridge_api_destination,
    eventbridge_rule,
    iam_policy,
    iam_role,
    kms_key,
    log_group,
    s3_bucket,
    scheduler_schedule,
    sns_topic,
    sqs_queue,
    stepfunctions_state_machine,
)
from ansible_collections.gitops.aws.plugins.module_utils._module import (
    aws_module,
    input_problems,
    null_problems,
    refuse,
)
from ansible_collections.gitops.aws.plugins.module_utils._progress import Progress


@dataclass(frozen=True)
class Bulk:
    """What a bulk module is made of: its kind, the option that is its list, and the options of an item."""

    kind: type[Kind]
    plural: str
    options: dict[str, Any]


# By the module's name. Those are missing that are given secrets or wait for people: codeconnections,
# eventbridge_connections and ssm_parameters.
BULK = {
    "chatbot_slack_channels": Bulk(
        chatbot_slack_channel.ChatbotSlackChannel, "slack_channels", chatbot_slack_channel.OPTIONS
    ),
    "cloudwatch_alarms": Bulk(cloudwatch_alarm.CloudwatchAlarm, "alarms", cloudwatch_alarm.OPTIONS),
    "codebuild_projects": Bulk(codebuild_project.CodebuildProject, "projects", codebuild_project.OPTIONS),
    "codepipelines": Bulk(codepipeline.Codepipeline, "pipelines", codepipeline.OPTIONS),
    "codestar_notification_rules": Bulk(
        codestar_notification_rule.CodestarNotificationRule, "notification_rules", codestar_notification_rule.OPTIONS
    ),
    "dynamodb_tables": Bulk(dynamodb_table.DynamodbTable, "tables", dynamodb_table.OPTIONS),
    "eventbridge_api_destinations": Bulk(
        eventbridge_api_destination.EventbridgeApiDestination, "api_destinations", eventbridge_api_destination.OPTIONS
    ),
    "eventbridge_rules": Bulk(eventbridge_rule.EventbridgeRule, "rules", eventbridge_rule.OPTIONS),
    "iam_policies": Bulk(iam_policy.IamPolicy, "policies", iam_policy.OPTIONS),
    "iam_roles": Bulk(iam_role.IamRole, "roles", iam_role.OPTIONS),
    "kms_keys": Bulk(kms_key.KmsKey, "kms_keys", kms_key.OPTIONS),
    "log_groups": Bulk(log_group.LogGroup, "log_groups", log_group.OPTIONS),
    "s3_buckets": Bulk(s3_bucket.S3Bucket, "buckets", s3_bucket.OPTIONS),
    "scheduler_schedules": Bulk(scheduler_schedule.SchedulerSchedule, "schedules", scheduler_schedule.OPTIONS),
    "sns_topics": Bulk(sns_topic.SnsTopic, "topics", sns_topic.OPTIONS),
    "sqs_queues": Bulk(sqs_queue.SqsQueue, "queues", sqs_queue.OPTIONS),
    "stepfunctions_state_machines": Bulk(
        stepfunctions_state_machine.StepfunctionsStateMachine, "state_machines", stepfunctions_state_machine.OPTIONS
    ),
}

ARGUMENTS: dict[str, Any] = {
    "steps": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "module": {"type": "str", "required": True, "choices": sorted(BULK)},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "items": {"type": "raw", "required": True},
        },
    },
    "owner_tags": {"type": "dict"},
    "purge_tags": {"type": "bool", "default": True},
    "concurrency": CONCURRENCY,
}


@dataclass(frozen=True)
class Part:
    """A step whose input is checked: the items with the options' types and defaults."""

    kind: Kind
    plural: str
    options: dict[str, Any]
    params: dict[str, Any]

    @property
    def items(self) -> list[Settings]:
        """What it is about."""
        items: list[Settings] = self.params[self.plural]
        return items


def unpacked(steps: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The steps with their items as lists, and what is wrong with items that are none."""
    found, wrong = [], []
    for index, step in enumerate(steps):
        items, why = step["items"], ""
        if isinstance(items, str):
            try:
                items = json.loads(items)
            except ValueError as error:
                why = f" ({error})"
        if isinstance(items, list):
            found.append({**step, "items": items})
        else:
            wrong.append(f"steps[{index}].items: it must be a list, or a list as a JSON text{why}")
    return found, wrong


def part(aws: Aws, index: int, step: dict[str, Any], more: dict[str, Any]) -> tuple[Part, list[str]]:
    """A step as what its module would be given, and what is wrong with it, with the path of each. Calls nothing.

    Args:
        aws: the connection.
        index: of the step.
        step: with module, state and items.
        more: owner_tags and purge_tags, for kinds that have tags.
    """
    bulk = BULK[step["module"]]
    spec = {name: option for name, option in common_options(bulk.plural, bulk.options).items() if name != "concurrency"}
    given = {bulk.plural: step["items"], "state": step["state"]}
    given |= {name: value for name, value in more.items() if name in spec and value is not None}
    checked = ArgumentSpecValidator(spec).validate(given)
    wrong = input_problems(spec, given) if checked.error_messages else null_problems(spec, checked.validated_parameters)
    wrong = wrong or list(checked.error_messages)
    made = Part(bulk.kind(aws), bulk.plural, bulk.options, checked.validated_parameters)
    if not wrong:
        wrong = check_items(made.kind, bulk.plural, made.items, step["state"])
    made.kind.params = made.params
    path = f"steps[{index}]."
    return made, [path + each.replace(bulk.plural, "items", 1) for each in wrong]


def run() -> None:
    """The whole of the module."""
    module = aws_module(ARGUMENTS)
    aws = connect(module)
    more = {name: module.params[name] for name in ("owner_tags", "purge_tags")}
    steps, wrong = unpacked(module.params["steps"])
    refuse(module, wrong)
    wanted = [(index, step) for index, step in enumerate(steps) if step["items"]]
    checked = [part(aws, index, step, more) for index, step in wanted]
    refuse(module, [problem for _made, problems in checked for problem in problems])
    progress = Progress()
    for made, _problems in checked:
        made.kind.progress = progress
    result: dict[str, Any] = {"changed": False, "resources": {}, "diff": []}
    found, failure = look_ahead(aws, [made for made, _problems in checked])
    if failure:
        module.fail_json(msg=f"Nothing was changed. {failure}", invocation=_shown(module.params, steps))
    for done, ((index, step), (made, _problems)) in enumerate(zip(wanted, checked), start=1):
        for number, item in enumerate(made.items):
            for warning in made.kind.warnings(item):
                module.warn(f"steps[{index}].items[{number}].{warning}")
        failure = carry_out(made, step["module"], found[done - 1], result)
        result["api_calls"] = dict(sorted(aws.calls.items()))
        if failure:
            left = [later["module"] for _index, later in wanted[done:]]
            after = f" Not begun, for they come after it: {', '.join(left)}." if left else ""
            module.fail_json(msg=failure + after, invocation=_shown(module.params, steps), **result)
    module.exit_json(invocation=_shown(module.params, steps), **{"api_calls": {}, **result})


Found = Union[dict[str, Resource], None]


def look_ahead(aws: Aws, parts: list[Part]) -> tuple[list[Found], str]:
    """What there is of the steps' items, read together before anything is written; why it cannot be read, else ''.

    None stands for a step before which another one changes what it is about: that is read when it has been.
    """
    touched: set[tuple[type[Kind], str]] = set()
    ahead = []
    for one in parts:
        words = {(type(one.kind), one.kind.touches(item)) for item in one.items}
        ahead.append(not words & touched)
        touched |= words

    def read(index: int) -> tuple[Found, str]:
        if not ahead[index]:
            return None, ""
        kind = parts[index].kind
        try:
            return look(kind, parts[index].items, parts[index].params.get("owner_tags")), ""
        except (ClientError, BotoCoreError, Refused) as error:
            return None, explain(error, f"Reading {kind.plural()}")

    answers = aws.map(read, range(len(parts)))
    return [found for found, _failure in answers], " | ".join(failure for _found, failure in answers if failure)


def carry_out(made: Part, module: str, found: Found, result: dict[str, Any]) -> str:
    """One step; adds what came of it to the result. Returns why it failed, '' where it did not."""
    try:
        steps = converge(
            made.kind,
            made.plural,
            made.options,
            made.items,
            made.params["state"],
            made.params.get("purge_tags", True),
            made.params.get("owner_tags"),
            found,
        )
    except (ClientError, BotoCoreError, Refused) as error:
        return explain(error, f"Reading {made.kind.plural()}")
    came, failure = conclude(made.kind, made.plural, steps, made.params)
    result["changed"] = result["changed"] or came["changed"]
    result["resources"].setdefault(module, {}).update(came["resources"])
    result["diff"] += came["diff"]
    return failure


def _shown(params: dict[str, Any], steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The arguments as the result shows them: how many items, for there may be thousands with long texts."""
    counted = [{**step, "items": f"{len(step['items'])} items"} for step in steps]
    return {"module_args": {**params, "steps": counted}}
