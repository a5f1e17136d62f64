# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Resources of several kinds one after another in one run: what a role would else need a task for each time.

Each step is what a bulk module does. They share the connections and what is known of the caller, and what they are
about is read together before the first of them writes.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.gitops.aws.plugins.module_utils import _engine
from ansible_collections.gitops.aws.plugins.module_utils._answers import is_misfit, misunderstood, understood
from ansible_collections.gitops.aws.plugins.module_utils._arguments import filled_in
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, explain
from ansible_collections.gitops.aws.plugins.module_utils._engine import (
    CONCURRENCY,
    Kind,
    Settings,
    Step,
    check_items,
    chunks,
    common_options,
    conclude,
    connect,
    owned,
    plan,
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
from ansible_collections.gitops.aws.plugins.module_utils._known_versions import PLACE, KnownVersions
from ansible_collections.gitops.aws.plugins.module_utils._module import (
    aws_module,
    input_problems,
    null_problems,
    refuse,
)
from ansible_collections.gitops.aws.plugins.module_utils._progress import Progress
from ansible_collections.gitops.aws.plugins.module_utils._texts import unpacked


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
            "with_deleted": {"type": "str", "choices": sorted(BULK)},
        },
    },
    "owner_tags": {"type": "dict"},
    "purge_tags": {"type": "bool", "default": True},
    "group_tag": {"type": "str"},
    "known_pipelines": PLACE,
    "concurrency": CONCURRENCY,
}


@dataclass
class Part:
    """A step whose input is checked.

    Attributes:
        path: of the step, such as steps[2].
        module: whose work it does.
        kind: what reads and writes; parts that are read together have one.
        items: with the options' types and defaults, and the tags of their owner.
        with_deleted: a module; only items are looked at of whose name it deletes something in another step.
        ahead: whether it is read before anything is written. Otherwise an earlier one changes what it is about.
        steps: what is to be done, once it has been read.
    """

    path: str
    module: str
    kind: Kind
    items: list[Settings]
    state: str
    with_deleted: str = ""
    ahead: bool = True
    steps: list[Step] = field(default_factory=list)


@dataclass
class Look:
    """Items of one kind that are read with the same calls, and compared.

    Attributes:
        items: each with the part that it is of, and its path.
        steps: what is to be done, once they have been read.
        failure: why they cannot be read, '' where they can.
    """

    kind: Kind
    options: dict[str, Any]
    state: str
    items: list[tuple[Part, str, Settings]]
    steps: list[Step] = field(default_factory=list)
    failure: str = ""

    def read(self) -> None:
        """Reads and compares. Of what is as it should be, nothing else is kept: a thousand stacks have much of it."""
        self.kind.progress.begin(len(self.items))
        try:
            found = self.kind.read([item for _part, _path, item in self.items])
        except (ClientError, BotoCoreError, Refused) as error:
            self.failure = explain(error, f"Reading {self.kind.plural()}")
            return
        except Exception as error:
            if not is_misfit(error):
                raise
            self.failure = misunderstood(error, f"Reading {self.kind.plural()}", self.kind.aws.calls)
            return
        items = [(path, item) for _part, path, item in self.items]
        self.steps = plan(self.kind, self.options, items, self.state, found)
        self.kind.compared(self.steps)
        self.items = [(one, path, {}) for one, path, _item in self.items]
        if type(self.kind).settle is not Kind.settle:
            return  # that looks at all of them
        for step in self.steps:
            if step.action == "unchanged" and not step.error:
                step.before, step.after, step.item = None, None, {}
            elif step.action == "created":
                step.item = {}

    def tell(self) -> None:
        """Gives the steps to the parts that they are of."""
        for (one, _path, _item), step in zip(self.items, self.steps):
            one.steps.append(step)


class Groups:
    """Items of several steps that belong together, by the value of a tag: one that fails holds its own up, not others.

    Without a tag all are one group.
    """

    def __init__(self, tag: str | None) -> None:
        self._tag = tag
        self._failed: dict[str, str] = {}  # a group, and what failed of it

    def hold_up(self, one: Part) -> None:
        """Lets nothing begin of whose group something has failed."""
        for step in one.steps:
            failed = self._failed.get(self._group(step))
            if failed and step.action != "unchanged" and not step.error:
                step.error = f"{one.kind.noun} {step.name}: it was not begun, because {failed} failed before it"

    def learn(self, one: Part) -> bool:
        """What became of a step; whether the next one can begin."""
        for step in one.steps:
            if step.error:
                self._failed.setdefault(self._group(step), f"{one.kind.noun} {step.name}")
        return "" not in self._failed

    def _group(self, step: Step) -> str:
        tags = (step.after or step.item).get("tags") or {}
        return str(tags.get(self._tag, "")) if self._tag else ""


def with_lists(steps: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The steps with their items as lists, and what is wrong with items that are none."""
    found, wrong = [], []
    for index, step in enumerate(steps):
        items = step["items"]
        try:
            items = unpacked(items) if isinstance(items, str) else items
            if not isinstance(items, list):
                raise ValueError("it must be a list")
            found.append({**step, "items": items})
        except ValueError as error:
            wrong.append(f"steps[{index}].items: {error}")
    return found, wrong


def validated(spec: dict[str, Any], given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The arguments with the options' types and defaults, and what is wrong with them, with the path of each."""
    params = filled_in(spec, given)
    if params is not None:
        return params, []
    try:
        checked = ArgumentSpecValidator(spec).validate(given)
    except TypeError:
        # Ansible's check breaks at a number or null in the place of a dictionary with sub-options.
        wrong = input_problems(spec, given)
        if not wrong:
            raise
        return given, wrong
    if checked.error_messages:
        return checked.validated_parameters, input_problems(spec, given) or list(checked.error_messages)
    return checked.validated_parameters, null_problems(spec, given)


def part(aws: Aws, index: int, step: dict[str, Any], more: dict[str, Any]) -> tuple[Part | None, list[str]]:
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
    params, wrong = validated(spec, given)
    kind = bulk.kind(aws)
    kind.params = {**params, bulk.plural: []}  # which holds none of the items
    path = f"steps[{index}]"
    if wrong:
        return None, [f"{path}.{each.replace(bulk.plural, 'items', 1)}" for each in wrong]
    items = params[bulk.plural]
    kind.options = bulk.options
    kind.owner_tags, kind.purge_tags = params.get("owner_tags") or {}, params.get("purge_tags", True)
    made = Part(path, step["module"], kind, owned(items, kind.owner_tags), step["state"], step["with_deleted"] or "")
    return made, check_items(kind, f"{path}.items", items, step["state"])


def run() -> None:
    """The whole of the module."""
    module = aws_module(ARGUMENTS)
    given = module.params["steps"]
    steps, wrong = with_lists(given)
    shown = _shown(module.params, given if wrong else steps)
    for step in given:
        step["items"] = []  # of which some may be secret, and there may be thousands: only what is made of them is held
    refuse(module, wrong, invocation=shown)
    aws = connect(module)
    with understood(module, lambda: "Resources", aws.calls):
        _run(module, aws, steps, shown)


def _run(module: Any, aws: Aws, steps: list[dict[str, Any]], shown: dict[str, Any]) -> None:
    """The module, once its steps are lists."""
    more = {name: module.params[name] for name in ("owner_tags", "purge_tags")}
    place = module.params["known_pipelines"]
    known = KnownVersions(aws, place) if place else None
    parts, wrong = list[Part](), list[str]()
    for index, step in enumerate(steps):
        items, step["items"] = step["items"], []
        made, problems = part(aws, index, {**step, "items": items}, more) if items else (None, [])
        if made and isinstance(made.kind, codepipeline.Codepipeline):
            made.kind.known = known
        wrong += problems
        parts += [made] if made else []
    refuse(module, wrong, invocation=shown)
    read_first(parts)
    refuse(module, unknown_deletions(steps, parts), invocation=shown)
    for one in parts:
        for number, item in enumerate(one.items):
            for warning in one.kind.warnings(item):
                module.warn(f"{one.path}.items[{number}].{warning}")
    result: dict[str, Any] = {"changed": False, "resources": {}, "diff": [], "api_calls": {}}
    failure = look_ahead(aws, parts)
    if failure:
        result["api_calls"] = dict(sorted(aws.calls.items()))
        module.fail_json(msg=f"Nothing was changed. {failure}", invocation=shown, **result)
    pipelines = [one.kind for one in parts if isinstance(one.kind, codepipeline.Codepipeline)]
    failures, groups, goes_on = list[str](), Groups(module.params["group_tag"]), True
    while parts and goes_on:
        failure, goes_on = carry_out(parts.pop(0), groups, result, module._diff)
        failures += [failure] if failure else []
    if known and not aws.check_mode:
        remember(known, pipelines)
    if known and known.trouble:
        module.warn(known.trouble)
    result["api_calls"] = dict(sorted(aws.calls.items()))
    if failures:
        left = ", ".join(one.module for one in parts)
        after = f" Not begun, for they come after it: {left}." if left else ""
        module.fail_json(msg=" | ".join(failures) + after, invocation=shown, **result)
    module.exit_json(invocation=shown, **result)


def remember(known: KnownVersions, kinds: list[codepipeline.Codepipeline]) -> None:
    """Writes down, when all is done, which versions of pipelines are as they should be."""
    for kind in dict.fromkeys(kinds):
        with contextlib.suppress(ClientError, BotoCoreError):  # a list that fails: what was made is read next time
            kind.remember()
    known.save()


def read_first(parts: list[Part]) -> None:
    """Which steps can be read ahead: not one before which another changes what it is about."""
    touched: set[tuple[str, str, str]] = set()
    for one in parts:
        keys = {(one.module, "key", item[one.kind.key]) for item in one.items}
        words = keys | {(one.module, "touches", one.kind.touches(item)) for item in one.items}
        one.ahead = not words & touched
        touched |= words


def unknown_deletions(steps: list[dict[str, Any]], parts: list[Part]) -> list[str]:
    """Where with_deleted would find nothing, whatever there is: what is deleted must be known before the rest is read.

    Args:
        steps: as they were given; one without items deletes nothing, and that is known.
        parts: those with items.
    """
    wrong = []
    for index, step in enumerate(steps):
        path, module = f"steps[{index}]", step["with_deleted"]
        if not module:
            continue
        deleting = sorted({each["module"] for each in steps if each["state"] == "absent"})
        if module not in deleting:
            wrong.append(f"{path}.with_deleted: no step deletes {module}; allowed are {', '.join(deleting)}")
        deletes = [each for each in parts if each.path == path or (each.module == module and each.state == "absent")]
        wrong += [
            f"{path}.with_deleted: {each.path} cannot be read ahead, because a step before it changes what it is "
            "about. Fix: a task of its own for one of the two"
            for each in deletes
            if not each.ahead
        ]
    return wrong


def look_ahead(aws: Aws, parts: list[Part]) -> str:
    """Reads together, before anything is written, what there is of the items, and plans what is to be done.

    But for a step that cannot be read ahead: that is read when those before it have been carried out.

    Returns why something cannot be read, '' where all can.
    """
    groups: dict[tuple[str, str], list[Part]] = {}
    progress = Progress()
    for one in parts:
        if one.ahead:
            groups.setdefault((one.module, one.state), []).append(one)
            one.kind = groups[one.module, one.state][0].kind
        one.kind.progress = progress
    # What depends on what others delete is read when that is known.
    for depends in (False, True):
        looks: list[Look] = []
        # What is read one by one takes longest, and mostly comes last: it begins first.
        for group in reversed(groups.values()):
            some = [one for one in group if bool(one.with_deleted) == depends]
            for one in some if depends else []:
                one.items = with_deleted(one, parts)
            some = [one for one in some if one.items]
            looks += looks_at(some) if some else []
        aws.map(Look.read, looks)
        for each in looks:
            each.tell()
        failures = [each.failure for each in looks if each.failure]
        if failures:
            return " | ".join(dict.fromkeys(failures))
    return ""


def with_deleted(one: Part, parts: list[Part]) -> list[Settings]:
    """The items of a step of whose name another step deletes something of the other kind."""
    gone = {
        step.name
        for each in parts
        if each.module == one.with_deleted
        for step in each.steps
        if step.action == "deleted"
    }
    return [item for item in one.items if item[one.kind.key] in gone]


def looks_at(parts: list[Part]) -> list[Look]:
    """Of parts of one kind, what is read and compared together."""
    kind, bulk = parts[0].kind, BULK[parts[0].module]
    items = [(one, f"{one.path}.items[{number}]", item) for one in parts for number, item in enumerate(one.items)]
    for one in parts:
        one.items = []
    # Evenly, for of a few left over some kinds cannot save as much.
    size = -(-len(items) // -(-len(items) // kind.chunk)) if kind.chunk and items else len(items)
    return [Look(kind, bulk.options, parts[0].state, each) for each in chunks(items, size)]


def carry_out(one: Part, groups: Groups, result: dict[str, Any], diff: bool) -> tuple[str, bool]:
    """One step; adds what came of it to the result. Returns why it failed, '' where it did not; whether it goes on."""
    if not one.ahead:
        for each in looks_at([one]):
            each.read()
            each.tell()
            if each.failure:
                return each.failure, False
    groups.hold_up(one)
    _engine.carry_out(one.kind, one.steps)
    came, failure = conclude(one.kind, one.steps, one.kind.params, diff)
    result["changed"] = result["changed"] or came["changed"]
    result["resources"].setdefault(one.module, {}).update(came["resources"])
    result["diff"] += came["diff"]
    # What is waited for in vain is no item's failure, and everything's.
    waited_in_vain = bool(failure) and not any(step.error for step in one.steps)
    return failure, groups.learn(one) and not waited_in_vain


def _shown(params: dict[str, Any], steps: list[dict[str, Any]]) -> dict[str, Any]:
    """The arguments as the result shows them: how many items, for there may be thousands, and secrets in them."""

    def count(items: Any) -> str:
        return f"{len(items)} items" if isinstance(items, list) else "not read"

    counted = [{**step, "items": count(step["items"])} for step in steps]
    return {"module_args": {**params, "steps": counted}}
