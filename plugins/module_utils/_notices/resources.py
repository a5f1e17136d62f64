# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What tells people of an estate, as the modules take it: topics, rules, connections and all that they stand on.

Every function takes the foundation and checked stacks, and gives nothing where the settings have no notifications.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.break_glass import (
    alarm_rules,
    alarm_topic_arn,
    only_services,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import Statement, allow, document, trust
from ansible_collections.gitops.aws.plugins.module_utils._notices import definition, model
from ansible_collections.gitops.aws.plugins.module_utils._notices.filters import filters, from_here, pattern
from ansible_collections.gitops.aws.plugins.module_utils._notices.recipients import (
    CHAT,
    KINDS,
    WITH_SECRET,
    Recipient,
    kind_of,
    of_kinds,
)
from ansible_collections.gitops.aws.plugins.module_utils._secrets import HIDDEN

Resources = list[dict[str, Any]]

AGE = 3600  # seconds that EventBridge tries to deliver: news that are older are none
KEPT = 14 * 24 * 3600  # seconds that what could not be delivered is kept, as long as SQS allows
AWS_KEY = "alias/aws/sns"
DELIVERS = "to-"  # begins the part of a rule's name that delivers to a recipient

# Events of ours by AWS's own notification rules for pipelines.
AWS_EVENTS = {
    "succeeded": "codepipeline-pipeline-pipeline-execution-succeeded",
    "failed": "codepipeline-pipeline-pipeline-execution-failed",
    "approval": "codepipeline-pipeline-manual-approval-needed",
}

# Calls a second. Slack takes one message a second for a channel, and Power Automate few, too.
RATES = {"slack": 1, "teams": 1, "webhook": 10}
# A connection has a header of its own, which an address that carries its secret in the query has no use for.
UNUSED_HEADER = {"name": "X-Gitops-Aws", "value": "notice-of-gitops.aws"}


def on(foundation: Foundation) -> bool:
    """Whether the settings have notifications."""
    return foundation["notifications"] is not None


def notices(foundation: Foundation, stacks: list[Stack], alarm_emails: list[str]) -> dict[str, Resources]:
    """All that needs neither secrets nor ARNs of AWS's choice, by the option of the module that takes it.

    Args:
        foundation: what the estate shares.
        stacks: checked stacks.
        alarm_emails: who is told by the topic for alarms, of break-glass, too.
    """
    if not on(foundation):
        kinds = ("queues", "roles", "topics", "state_machines", "alarms", "api_destinations", "slack_channels")
        return {kind: [] for kind in (*kinds, "notification_rules")}
    made: dict[str, Resources] = {
        "queues": [_queue(foundation)],
        "roles": _roles(foundation, stacks),
        "topics": _topics(foundation, stacks, alarm_emails),
        "state_machines": [definition.machine(foundation, stacks)],
        "alarms": [_alarm(foundation)],
        "api_destinations": _api_destinations(foundation, stacks),
        "slack_channels": _slack_channels(foundation, stacks),
        "notification_rules": _notification_rules(foundation, stacks),
    }
    for kind, items in made.items():
        if kind != "api_destinations":  # AWS gives them no tags
            made[kind] = [{**item, "tags": foundation["tags"]} for item in items]
    return made


# What could not be delivered


def _queue(foundation: Foundation) -> dict[str, Any]:
    """EventBridge's rules of the notices and SNS's topics of the estate may put there what they could not deliver."""
    arn = model.queue_arn(foundation)
    rules = names.arn(foundation, "events", f"rule/{model.notices(foundation)}-*")
    topics = [model.topic_arn(foundation)]
    return {
        "name": model.undelivered(foundation),
        "message_retention_period": KEPT,
        "sqs_managed_sse_enabled": True,
        "policy": document(
            [
                _service(foundation, "FromRules", "events", "sqs:SendMessage", arn, "ArnLike", [rules]),
                _service(foundation, "FromTopic", "sns", "sqs:SendMessage", arn, "ArnEquals", topics),
            ]
        ),
    }


def _service(
    foundation: Foundation, sid: str, service: str, action: str, resource: str, operator: str, sources: list[str]
) -> Statement:
    """A statement of a resource's policy: a service of AWS may, for these resources of this account."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
        "Resource": resource,
        "Condition": {
            "StringEquals": {"aws:SourceAccount": foundation["account_id"]},
            operator: {"aws:SourceArn": sources},
        },
    }


def _alarm(foundation: Foundation) -> dict[str, Any]:
    """It rings as long as anything is in the queue."""
    return {
        "name": model.undelivered(foundation),
        "description": (
            f"Notices of the estate {foundation['name']} were not delivered. Read the queue of this name: each message "
            "says what failed, and why. Then purge it"
        ),
        "namespace": "AWS/SQS",
        "metric_name": "ApproximateNumberOfMessagesVisible",
        "dimensions": {"QueueName": model.undelivered(foundation)},
        "statistic": "Maximum",
        "period": 60,
        "evaluation_periods": 1,
        "threshold": 0,
        "comparison_operator": "GreaterThanThreshold",
        "treat_missing_data": "notBreaching",
        "alarm_actions": [alarm_topic_arn(foundation)],
    }


# Roles


def _roles(foundation: Foundation, stacks: list[Stack]) -> Resources:
    """The role of the state machine, that of the rules, and one that channels in chat applications must have."""
    boundary = {"permissions_boundary": foundation["permissions_boundary"]}
    made = [definition.machine_role(foundation), _events_role(foundation)]
    if of_kinds(foundation["notifications"], stacks, CHAT):
        made.append(_chat_role(foundation))
    return [{**role, **boundary} for role in made]


def _events_role(foundation: Foundation) -> dict[str, Any]:
    """EventBridge starts the state machine with it, and calls the estate's API destinations."""
    rules = names.arn(foundation, "events", f"rule/{model.notices(foundation)}-*")
    destinations = names.arn(foundation, "events", f"api-destination/{foundation['name']}-*")
    trusted = trust(foundation, "events", [rules])
    condition = trusted["Statement"][0]["Condition"]
    condition["ArnLike"] = condition.pop("ArnEquals")
    return {
        "name": model.notices(foundation, "events"),
        "description": f"EventBridge passes the notices of {foundation['name']} on",
        "assume_role_policy": trusted,
        "inline_policies": {
            "notices": document(
                [
                    allow("Compose", ["states:StartExecution"], [model.machine_arn(foundation)]),
                    allow("Deliver", ["events:InvokeApiDestination"], [destinations]),
                ]
            )
        },
        "managed_policies": [],
    }


def _chat_role(foundation: Foundation) -> dict[str, Any]:
    """A channel must have a role, with which people act from it: this one may do nothing, so who assumes it is all one.

    Messages come without it.
    """
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": "chatbot.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {
        "name": model.notices(foundation, "chat"),
        "description": f"Channels that are told of {foundation['name']}: nothing can be done from there",
        "assume_role_policy": document([trusted]),
        "inline_policies": {},
        "managed_policies": [],
    }


# Topics


def _topics(foundation: Foundation, stacks: list[Stack], alarm_emails: list[str]) -> Resources:
    """The topic of the notices with its subscriptions, one for each channel in a chat application, and AWS's own."""
    settings = foundation["notifications"]
    alarmed = alarm_emails if foundation["sealed"] else []  # else nothing tells them of break-glass
    queue = model.queue_arn(foundation)
    subscriptions = [
        {
            "protocol": kind,
            "endpoint": where,
            **({} if kind == "email" else {"raw_message_delivery": True}),
            **({"filter_policy": policy} if policy else {}),
            "redrive_policy_target": queue,
        }
        for (kind, where), policy in filters(settings, stacks, alarmed).items()
    ]
    topic = model.topic_arn(foundation)
    made = [
        {
            "name": model.notices(foundation),
            "display_name": foundation["name"],
            "kms_key_id": settings["kms_key_id"] or AWS_KEY,
            "policy": document(_only_the_machine(foundation, topic)),
            "subscriptions": subscriptions,
            # Where nobody is named, whoever has subscribed is told.
            "purge_subscriptions": bool(of_kinds(settings, stacks, *KINDS)),
        }
    ]
    for recipient, _stack in of_kinds(settings, stacks, CHAT):
        # EventBridge publishes: no condition that allows works for it, and the key of SNS is not for it, says AWS.
        name = model.chat_topic(foundation, recipient["name"])
        made.append({"name": name, "policy": _publishes(foundation, "events", name)})
    if settings["aws_rules"]:
        # Who listens is up to the user: the recipients would be told everything twice.
        name = model.aws_topic(foundation)
        made.append({"name": name, "policy": _publishes(foundation, "codestar-notifications", name)})
    return made


def _only_the_machine(foundation: Foundation, topic: str) -> list[Statement]:
    """Nobody else publishes: a notice can be trusted to be one."""
    machine = {"aws:PrincipalArn": model.role_arn(foundation)}
    account = {"AWS": names.arn(foundation, "iam", "root", "")}
    publish = {"Action": "sns:Publish", "Resource": topic}
    return [
        {
            "Sid": "StateMachinePublishes",
            "Effect": "Allow",
            "Principal": account,
            **publish,
            "Condition": {"ArnEquals": machine},
        },
        {
            "Sid": "NobodyElsePublishes",
            "Effect": "Deny",
            "Principal": "*",
            **publish,
            "Condition": {"ArnNotEquals": machine},
        },
    ]


def _publishes(foundation: Foundation, service: str, topic: str) -> dict[str, Any]:
    """The policy of a topic to which one service of AWS publishes, and nobody else."""
    arn = names.arn(foundation, "sns", topic)
    statement = {
        "Sid": "Publishes",
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": arn,
    }
    return document([statement, only_services(arn)])


# Slack, Teams, webhooks


def notices_connections(foundation: Foundation, stacks: list[Stack], secrets: dict[str, str]) -> Resources:
    """The connections as gitops.aws.eventbridge_connections takes them.

    Args:
        foundation: what the estate shares.
        stacks: checked stacks.
        secrets: by the names of recipients. AWS tells a secret to nobody: where one is missing, it stays as it is.
    """
    return [
        {
            "name": model.recipient(foundation, recipient["name"]),
            "description": f"Notices of the estate {foundation['name']} to {recipient['name']}",
            **_authorization(recipient, secrets.get(recipient["name"])),
        }
        for recipient, _stack in of_kinds(foundation["notifications"], stacks, *WITH_SECRET)
    ]


def _authorization(recipient: Recipient, secret: str | None) -> dict[str, Any]:
    """How calls to a recipient show that they may, and what they have beside the body: Slack's channel, Teams's query.

    A secret in a query stands encoded in the URL that people copy.
    """
    kind = kind_of(recipient)
    parameters: dict[str, Any] = {}
    if kind == "teams":
        query = parse_qsl(urlsplit(recipient[kind]["url"]).query, keep_blank_values=True)
        shown = [{"key": key, "value": value, "is_value_secret": False} for key, value in query]
        hidden = {"key": "sig", "value": unquote(secret) if secret else HIDDEN, "is_value_secret": True}
        parameters["query_string_parameters"] = [*shown, hidden]
        header: dict[str, Any] = {**UNUSED_HEADER} if secret else {"name": UNUSED_HEADER["name"]}
    elif kind == "slack":
        channel = {"key": "channel", "value": recipient[kind]["channel"], "is_value_secret": False}
        parameters["body_parameters"] = [channel]
        header = {"name": "Authorization", **({"value": f"Bearer {secret}"} if secret else {})}
    else:
        header = {"name": recipient[kind]["header"], **({"value": secret} if secret else {})}
    return {"authorization_type": "API_KEY", "api_key": header, "invocation_http_parameters": parameters}


def _api_destinations(foundation: Foundation, stacks: list[Stack]) -> Resources:
    """Where the rules call. What stands in the query of Teams is the connection's: there is its secret, too."""
    made = []
    for recipient, _stack in of_kinds(foundation["notifications"], stacks, *WITH_SECRET):
        kind, name = kind_of(recipient), model.recipient(foundation, recipient["name"])
        url = recipient[kind]["url"]
        made.append(
            {
                "name": name,
                "description": f"Notices of the estate {foundation['name']} to {recipient['name']}",
                "connection": name,
                "invocation_endpoint": url.partition("?")[0] if kind == "teams" else url,
                "http_method": "POST",
                "invocation_rate_limit_per_second": RATES[kind],
            }
        )
    return made


# Rules


def notices_rules(foundation: Foundation, stacks: list[Stack], destinations: dict[str, str]) -> Resources:
    """The rules as gitops.aws.eventbridge_rules takes them: those that start the state machine, and those that deliver.

    Args:
        foundation: what the estate shares.
        stacks: checked stacks.
        destinations: the ARNs of the API destinations by name: AWS gives each an id.
    """
    if not on(foundation):
        return []
    made = [*_starting(foundation, stacks), _machine_failed(foundation), *_delivering(foundation, stacks, destinations)]
    return [{"enabled": True, **rule, "tags": foundation["tags"]} for rule in made]


def notices_marks(foundation: Foundation, stacks: list[Stack], rules: Resources) -> Resources:
    """What must be made before all else, so that a run that is broken off leaves nothing that nobody knows of.

    The rules that tell what else is there, as long as they are not: they do nothing yet.

    Args:
        foundation: what the estate shares.
        stacks: checked stacks.
        rules: those that were found.
    """
    if not on(foundation):
        return []
    there = {rule["name"] for rule in rules}
    marks = [_machine_failed(foundation), *_delivering(foundation, stacks, {})]
    idle = {"enabled": False, "targets": [], "tags": foundation["tags"]}
    return [{**rule, **idle} for rule in marks if rule["name"] not in there]


def _delivering(foundation: Foundation, stacks: list[Stack], destinations: dict[str, str]) -> Resources:
    """The rules that deliver, as above; without targets where a destination is not known."""
    made = []
    for recipient, stack in of_kinds(foundation["notifications"], stacks, *WITH_SECRET, CHAT):
        name = recipient["name"]
        if kind_of(recipient) == CHAT:
            where: dict[str, Any] = {"arn": names.arn(foundation, "sns", model.chat_topic(foundation, name))}
        else:
            where = {
                "arn": destinations.get(model.recipient(foundation, name)),
                "role_arn": model.role_arn(foundation, "events"),
            }
        target = {"id": "recipient", **where, **_body_of(recipient), **_patience(foundation)}
        made.append(
            {
                "name": model.notices(foundation, f"{DELIVERS}{name}"),
                "description": f"Tells {name} of {f'the stack {stack}' if stack else 'the estate'}",
                "event_pattern": pattern(foundation, recipient, stack),
                "targets": [target] if where["arn"] else [],
            }
        )
    return made


def _body_of(recipient: Recipient) -> dict[str, Any]:
    """What a recipient gets in the event's place: what the state machine has written for its kind."""
    return {"input_path": f"$.detail.bodies.{kind_of(recipient)}"}


def _patience(foundation: Foundation) -> dict[str, Any]:
    """How long EventBridge tries, and where it puts what it could not deliver."""
    return {"dead_letter_arn": model.queue_arn(foundation), "maximum_event_age_in_seconds": AGE}


def wanted(foundation: Foundation, stacks: list[Stack], event: str) -> bool:
    """Whether the state machine tells anybody of an event, of whatever stack or of the estate."""
    return any(event in definition.wanted(foundation, one) for one in (None, *stacks))


def _starting(foundation: Foundation, stacks: list[Stack]) -> Resources:
    """What the state machine hears of: ends of runs, approvals that wait, use of break-glass, and the time to look at
    locks. What it is to tell of that, it knows itself."""
    ours = [{"prefix": f"{foundation['name']}-"}]
    target = {
        "id": "machine",
        "arn": model.machine_arn(foundation),
        "role_arn": model.role_arn(foundation, "events"),
        **_patience(foundation),
    }
    source = ["aws.codepipeline"]
    made: Resources = [
        {
            "name": model.notices(foundation, "runs"),
            "description": f"A run of a pipeline of {foundation['name']} has ended",
            "event_pattern": {
                **from_here(foundation),
                "source": source,
                "detail-type": ["CodePipeline Pipeline Execution State Change"],
                "detail": {"pipeline": ours, "state": ["SUCCEEDED", "FAILED", "STOPPED"]},
            },
            "targets": [target],
        },
        {
            "name": model.notices(foundation, "approvals"),
            "description": f"A run of a pipeline of {foundation['name']} waits for approval",
            "event_pattern": {
                **from_here(foundation),
                "source": source,
                "detail-type": ["CodePipeline Action Execution State Change"],
                "detail": {"pipeline": ours, "state": ["STARTED"], "type": {"category": ["Approval"]}},
            },
            "targets": [target],
        },
    ]
    for rule in alarm_rules(foundation):  # where there is such a role
        made.append({**rule, "name": model.notices(foundation, "break-glass"), "targets": [target]})
    if wanted(foundation, stacks, "lock"):
        made.append(
            {
                "name": model.notices(foundation, "locks"),
                "description": f"Looks for locks of {foundation['name']} that are held too long",
                # A rate would begin anew, at another minute, whenever the rule is changed.
                "schedule_expression": f"cron(0/{definition.CHECK_MINUTES} * * * ? *)",
                "targets": [target],
            }
        )
    return made


def _machine_failed(foundation: Foundation) -> dict[str, Any]:
    """A notice that could not even be composed is not delivered, either."""
    return {
        "name": model.notices(foundation, "undelivered"),
        "description": f"The state machine that tells of {foundation['name']} has failed",
        "event_pattern": {
            **from_here(foundation),
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {
                "stateMachineArn": [model.machine_arn(foundation)],
                "status": ["FAILED", "TIMED_OUT", "ABORTED"],
            },
        },
        "targets": [{"id": "undelivered", "arn": model.queue_arn(foundation)}],
    }


# Amazon Q Developer in chat applications, and AWS's own rules


def _slack_channels(foundation: Foundation, stacks: list[Stack]) -> Resources:
    """The channels. Nothing can be done from there: neither the role nor the guardrail allows anything."""
    return [
        {
            "configuration_name": model.recipient(foundation, recipient["name"]),
            "slack_team_id": recipient[CHAT]["team_id"],
            "slack_channel_id": recipient[CHAT]["channel_id"],
            "iam_role_arn": model.role_arn(foundation, "chat"),
            "sns_topic_arns": [names.arn(foundation, "sns", model.chat_topic(foundation, recipient["name"]))],
            "guardrail_policy_arns": [f"arn:{foundation['partition']}:iam::aws:policy/AWSDenyAll"],
        }
        for recipient, _stack in of_kinds(foundation["notifications"], stacks, CHAT)
    ]


def _notification_rules(foundation: Foundation, stacks: list[Stack]) -> Resources:
    """AWS's own notification rules of the pipelines that deploy, for what their stack has not opted out of."""
    if not foundation["notifications"]["aws_rules"]:
        return []
    topic = names.arn(foundation, "sns", model.aws_topic(foundation))
    made = []
    for stack in stacks:
        events = (stack.get("notifications") or {"events": list(AWS_EVENTS)})["events"]
        ids = [AWS_EVENTS[event] for event in AWS_EVENTS if event in events]
        for pipeline in names.deploying_pipelines(foundation, stack) if ids else []:
            made.append(
                {
                    "name": pipeline,
                    "resource": names.arn(foundation, "codepipeline", pipeline),
                    "detail_type": "FULL",
                    "event_type_ids": ids,
                    "enabled": True,
                    "targets": [{"target_type": "SNS", "target_address": topic}],
                }
            )
    return made


# What is not wanted any more


def notices_not_wanted(
    foundation: Foundation, stacks: list[Stack], rules: Resources, notification_rules: Resources
) -> dict[str, Resources]:
    """What is there, or could be, and must not stay, by the option of the module that removes it.

    A recipient that is taken away is known by the rule that delivers to it, and nothing else: connections and API
    destinations have no tags. So the rules come first and go last.

    Args:
        foundation: what the estate shares.
        stacks: checked stacks.
        rules: those whose names begin like those of the notices, as they were found, with their targets.
        notification_rules: AWS's own that are there, with their tags.
    """
    there = _there(foundation, rules)
    want = notices(foundation, stacks, [])
    keys = {"slack_channels": "configuration_name"}
    ours = names.owner_tags(foundation)
    possible = {
        **there,
        "queues": [model.undelivered(foundation)],
        "roles": [model.notices(foundation, part) for part in ("", "events", "chat")],
        "topics": [*there["topics"], model.notices(foundation), model.aws_topic(foundation)],
        "state_machines": [model.notices(foundation)],
        "alarms": [model.undelivered(foundation)],
        "notification_rules": [
            rule["name"]
            for rule in notification_rules
            # items() of a dictionary that Ansible gives is a generator.
            if all(rule["tags"].get(tag) == value for tag, value in ours.items())
        ],
    }
    want["connections"] = want["api_destinations"]  # of the same name
    destinations = {one["name"]: "" for one in want["api_destinations"]}
    want["rules"] = notices_rules(foundation, stacks, destinations)
    wanted_names = {kind: {one[keys.get(kind, "name")] for one in items} for kind, items in want.items()}
    return {
        kind: [{keys.get(kind, "name"): name} for name in items if name not in wanted_names[kind]]
        for kind, items in possible.items()
    }


def _there(foundation: Foundation, rules: Resources) -> dict[str, list[str]]:
    """Names of what the rules that are there tell of, by kind."""
    there: dict[str, list[str]] = {
        kind: [] for kind in ("rules", "api_destinations", "connections", "topics", "slack_channels")
    }
    delivers = model.notices(foundation, DELIVERS)
    for rule in rules:
        there["rules"].append(rule["name"])
        if not rule["name"].startswith(delivers):
            continue
        name = rule["name"][len(delivers) :]
        targets = [target["arn"] for target in rule.get("targets", [])]
        # A run was broken off before it had one: what it has made, and of which kind, is not known.
        unknown = not targets
        for target in targets or [""]:
            if unknown or f":api-destination/{model.recipient(foundation, name)}/" in target:
                there["api_destinations"].append(model.recipient(foundation, name))
                there["connections"].append(model.recipient(foundation, name))
            if unknown or target.endswith(f":{model.chat_topic(foundation, name)}"):
                there["topics"].append(model.chat_topic(foundation, name))
                there["slack_channels"].append(model.recipient(foundation, name))
    return there
