# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""A test notice: sent the way that all others go, and what can be seen of its arrival.

What AWS has taken is told; that somebody has read it, or that a chat has shown it, nobody can see from here.
"""

from __future__ import annotations

import json
import time
import uuid
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.gitops.aws.plugins.module_utils._aws import (
    Aws,
    NotYet,
    Refused,
    error_code,
    is_not_yet,
    read_or_none,
    until_propagated,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.break_glass import alarm_topic_arn
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation
from ansible_collections.gitops.aws.plugins.module_utils._kinds.eventbridge_connection import by_prefix
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._notices import model

Recipient = dict[str, Any]

ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "wait_timeout": {"type": "int", "default": 120},
    "delivery_seconds": {"type": "int", "default": 10},
}

TOLD, PENDING, FAILED, UNKNOWN = "told", "pending", "failed", "unknown"
RUNNING, SUCCEEDED = "RUNNING", "SUCCEEDED"

AGAIN = "run gitops.aws.site"

NO_MACHINE = "StateMachineDoesNotExist"
DENIED = ("AccessDenied", "AccessDeniedException")
NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
DEPTH = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")

# Times that dead letters are asked for; a call answers ten at most, and not always all.
LOOKS = 10
CLOCK_MILLISECONDS = 1000  # by which the clocks of two services may differ

UNSEEN = {
    "email": "SNS has it. Whether the mail was read, or is taken for spam, cannot be seen from here",
    "sqs": "SNS has it, and puts what it cannot deliver into the queue {queue}",
    "https": "SNS has it, tries for about an hour, and puts what it cannot deliver into the queue {queue}",
    "chatbot": "EventBridge has it. Whether the channel shows it cannot be seen from here",
    "api_destination": (
        "EventBridge has it, tries again where the receiver is ill, and puts what it cannot deliver into the queue "
        "{queue}. What the receiver made of it, such as a Slack that takes it and answers ok: false, cannot be seen "
        "from here"
    ),
}


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments."""
    problem = pattern_problem(params["name"], r"[a-z0-9-]+", 40, "a-z 0-9 and -")
    found = [f"name: {problem}"] if problem else []
    for option, most in (("wait_timeout", 3600), ("delivery_seconds", 600)):
        if not 0 <= params[option] <= most:
            found.append(f"{option}: {params[option]} is not between 0 and {most}")
    return found


def send(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """Sends a test notice, and looks where it went. In check mode it only looks at who would be told."""
    caller = aws.client("sts").get_caller_identity()
    foundation = {
        "name": params["name"],
        "region": aws.client("stepfunctions").meta.region_name,
        "partition": caller["Arn"].split(":")[1],
        "account_id": caller["Account"],
    }
    machine = model.machine_arn(foundation)
    if read_or_none(aws.client("stepfunctions").describe_state_machine, (NO_MACHINE,), stateMachineArn=machine) is None:
        raise Refused(
            f"there is no state machine {model.notices(foundation)}, which sends them. Fix: give gitops_settings "
            f"notifications, and {AGAIN}"
        )
    recipients = [*_subscribers(aws, foundation), *_destinations(aws, foundation)]
    queue = _queue(aws, foundation)
    before = _depth(aws, queue)
    result = {"changed": True, "sent": False, "execution": "", "recipients": recipients, "undelivered": before}
    if aws.check_mode:
        for each in recipients:
            each.setdefault("state", UNKNOWN)
            each.setdefault("why", "nothing was sent, for this is check mode")
        return {**result, "msg": f"Check mode: a test notice would go to {_number(recipients)}. Nothing was sent."}
    started = aws.client("stepfunctions").start_execution(
        stateMachineArn=machine,
        name=f"test-{uuid.uuid4().hex}",  # the same when botocore repeats the call, so that it is sent once
        input=json.dumps({"test": {"comment": f"Sent by {caller['Arn']}"}}),
    )
    result["execution"] = started["executionArn"]
    ended = _ended(aws, started["executionArn"], params["wait_timeout"])
    if ended["status"] != SUCCEEDED:
        for each in recipients:
            each.setdefault("state", UNKNOWN)
            each.setdefault("why", "the state machine did not come to its end")
        return {**result, "failed": True, "msg": _not_sent(ended, params["wait_timeout"])}
    depth = _after_deliveries(aws, queue, before, params["delivery_seconds"])
    more = depth - before
    if more > 0:
        since = int(started["startDate"].timestamp() * 1000) - CLOCK_MILLISECONDS
        letters = read_or_none(_dead_letters, DENIED, aws=aws, queue=queue, since=since, expected=more)
        _blame(letters, recipients, foundation)
    for each in recipients:
        each.setdefault("state", TOLD)
        each.setdefault("why", UNSEEN[each["kind"]].format(queue=model.undelivered(foundation)))
    msg = _summary(recipients, depth, before, foundation)
    return {**result, "sent": True, "undelivered": depth, "msg": msg}


def _subscribers(aws: Aws, foundation: Foundation) -> list[Recipient]:
    """Who has subscribed to the topic: by e-mail, queue and HTTPS; and to alarms without confirming it."""
    found, of_alarms = [], alarm_topic_arn(foundation)
    waiting = [each for each in _subscriptions(aws, of_alarms) if not _confirmed(each)]
    for each in [*_subscriptions(aws, model.topic_arn(foundation)), *waiting]:
        kind = each["Protocol"].removesuffix("-json")
        endpoint = _without_secrets(each["Endpoint"])
        recipient = {"name": endpoint.rpartition(":")[2] if kind == "sqs" else endpoint}
        recipient.update(kind=kind if kind in UNSEEN else "https", endpoint=endpoint)
        if not _confirmed(each):
            what = " to hear alarms" if each["TopicArn"] == of_alarms else ""
            why = f"AWS has asked for a confirmation{what}, and waits for it"
            fix = "open the link in AWS's mail" if kind == "email" else "let the receiver follow SubscribeURL"
            recipient.update(state=PENDING, why=f"{why}. Fix: {fix}; it is asked again when AWS has forgotten it")
        found.append(recipient)
    return sorted(found, key=lambda each: (each["kind"], each["name"]))


def _confirmed(subscription: dict[str, Any]) -> bool:
    return str(subscription["SubscriptionArn"]).startswith("arn:")


def _subscriptions(aws: Aws, topic: str) -> list[dict[str, Any]]:
    try:
        listed = aws.pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
    except aws.client("sns").exceptions.NotFoundException:
        return []
    return [each for each in listed if each["SubscriptionArn"] != "Deleted"]


def _destinations(aws: Aws, foundation: Foundation) -> list[Recipient]:
    """Who is told by a rule of EventBridge, each with what keeps it from being told."""
    events, prefix = aws.client("events"), model.notices(foundation, "to-")
    rules = aws.pages("events", "list_rules", "Rules", NamePrefix=prefix)
    if not rules:
        return []
    ours = model.recipient(foundation, "")
    destinations = {each["Name"]: each for each in by_prefix(events.list_api_destinations, "ApiDestinations", ours)}
    connections = {each["ConnectionArn"]: each for each in by_prefix(events.list_connections, "Connections", ours)}
    found = []
    for rule in sorted(rules, key=lambda each: str(each["Name"])):
        targets = [each["Arn"] for each in aws.pages("events", "list_targets_by_rule", "Targets", Rule=rule["Name"])]
        target = targets[0] if targets else ""
        recipient = {"name": rule["Name"].removeprefix(prefix), "kind": "api_destination", "endpoint": ""}
        if target.split(":")[2:3] == ["sns"]:
            recipient.update(_of_a_chat(aws, target))
        else:
            destination = destinations.get(target.split("/")[1] if "/" in target else "", {})
            recipient["endpoint"] = _without_secrets(destination.get("InvocationEndpoint", ""))
            why = _obstacle(destination, connections.get(destination.get("ConnectionArn", ""), {}))
            recipient.update({"state": FAILED, "why": why} if why else {})
        if rule["State"] == "DISABLED":
            recipient.update(state=FAILED, why=f"the rule {rule['Name']} is disabled. Fix: {AGAIN}")
        found.append(recipient)
    return found


def _of_a_chat(aws: Aws, topic: str) -> Recipient:
    """What differs of a recipient that Amazon Q Developer tells, which listens to a topic."""
    recipient = {"kind": "chatbot", "endpoint": topic.rpartition(":")[2]}
    if any(_confirmed(each) for each in _subscriptions(aws, topic)):
        return recipient
    why = f"nobody has subscribed to the topic {recipient['endpoint']}, as Amazon Q Developer does for its channel"
    return {**recipient, "state": FAILED, "why": f"{why}. Fix: {AGAIN}"}


def _obstacle(destination: dict[str, Any], connection: dict[str, Any]) -> str:
    """What keeps EventBridge from calling an API destination; '' where nothing is known that does."""
    if not destination:
        return f"there is no API destination for it. Fix: {AGAIN}"
    state = connection.get("ConnectionState", "gone")
    if state != "AUTHORIZED":
        reason = f", {connection['StateReason']}" if connection.get("StateReason") else ""
        return f"the connection {destination['Name']} is {state}{reason}. Fix: give its secret, and {AGAIN}"
    if destination["ApiDestinationState"] != "ACTIVE":
        return f"the API destination {destination['Name']} is {destination['ApiDestinationState']}. Fix: {AGAIN}"
    return ""


def _without_secrets(endpoint: str) -> str:
    """An endpoint as it may be shown: of a URL the host alone, for a path can be as good as a password."""
    if not endpoint.startswith(("http://", "https://")):
        return endpoint
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}/..."


def _queue(aws: Aws, foundation: Foundation) -> str:
    """The URL of the queue of what could not be delivered."""
    name = model.undelivered(foundation)
    found = read_or_none(aws.client("sqs").get_queue_url, NO_QUEUE, QueueName=name)
    if found is None:
        why = "nobody would see what is not delivered"
        raise Refused(f"there is no queue {name}, so that {why}. Fix: {AGAIN}")
    return str(found["QueueUrl"])


def _depth(aws: Aws, queue: str) -> int:
    """How many messages the queue has, as far as SQS knows it."""
    found = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=list(DEPTH))["Attributes"]
    return sum(int(found.get(name, 0)) for name in DEPTH)


def _ended(aws: Aws, execution: str, timeout: int) -> dict[str, Any]:
    """The execution when it is over, or when the time is."""
    found: dict[str, Any] = {}

    def look() -> None:
        found.update(aws.client("stepfunctions").describe_execution(executionArn=execution))
        if found["status"] == RUNNING:
            raise NotYet

    with suppress(NotYet):
        until_propagated(look, lambda error: is_not_yet(error) or _unheard_of(error), max(timeout, 0.01))
    return found


def _unheard_of(error: BaseException) -> bool:
    """Whether what was just started is not known everywhere yet."""
    return error_code(error) == "ExecutionDoesNotExist"


def _not_sent(ended: dict[str, Any], timeout: int) -> str:
    if ended["status"] == RUNNING:
        return f"The state machine was not done within {timeout} seconds, so that it is not known who was told."
    what = ": ".join(part for part in (ended.get("error"), ended.get("cause")) if part)
    return f"The test notice was not sent: the state machine ended as {ended['status']}{f', {what}' if what else ''}"


def _after_deliveries(aws: Aws, queue: str, before: int, seconds: int) -> int:
    """How many messages the queue has after the time that deliveries take; at once where there are more than before."""
    deadline = time.monotonic() + seconds
    while True:
        depth = _depth(aws, queue)
        left = deadline - time.monotonic()
        if left <= 0:
            return depth
        time.sleep(min(1, left))
        # The rest of the dead letters come with the first.
        if depth > before:
            return _depth(aws, queue)


def _dead_letters(aws: Aws, queue: str, since: int, expected: int) -> list[dict[str, Any]]:
    """Dead letters of this test that the queue has, which stay in it: nobody else waits for them, and the alarm counts.

    Args:
        aws: the connection.
        queue: its URL.
        since: milliseconds, by SQS's clock.
        expected: how many there are.
    """
    found: dict[str, dict[str, Any]] = {}
    for _look in range(LOOKS):
        answer = aws.client("sqs").receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            AttributeNames=["SentTimestamp"],
            MessageAttributeNames=["All"],
        )
        fresh = [
            each for each in answer.get("Messages", []) if int(each.get("Attributes", {})["SentTimestamp"]) >= since
        ]
        found.update({each["MessageId"]: each for each in fresh})
        if len(found) >= expected:
            break
    return list(found.values())


def _blame(letters: list[dict[str, Any]] | None, recipients: list[Recipient], foundation: Foundation) -> None:
    """Notes with the recipients which of them dead letters were meant for; None where nobody may read those."""
    prefix, by_topic = f"/{model.notices(foundation, 'to-')}", 0
    if letters is None:
        why = f"something came to the queue {model.undelivered(foundation)}, and sqs:ReceiveMessage is not allowed"
        for each in recipients:
            each.setdefault("state", UNKNOWN)
            each.setdefault("why", why)
    for letter in letters or []:
        said = {name: each.get("StringValue", "") for name, each in letter.get("MessageAttributes", {}).items()}
        rule = said.get("RULE_ARN", "")
        if prefix not in rule:
            by_topic += "RULE_ARN" not in said and _is_test(letter["Body"])
            continue
        name = rule.rpartition(prefix)[2]
        reason = ": ".join(part for part in (said.get("ERROR_CODE"), said.get("ERROR_MESSAGE")) if part)
        for each in recipients:
            if each["kind"] in ("api_destination", "chatbot") and each["name"] == name:
                each.update(state=FAILED, why=f"EventBridge could not deliver it: {reason or 'it does not say why'}")
    # SNS does not write into a dead letter whom it was meant for.
    possible = [each for each in recipients if each["kind"] in ("sqs", "https") and "state" not in each]
    if by_topic:
        certain = by_topic >= len(possible)
        why = "SNS could not deliver it" if certain else f"SNS could not deliver it to {by_topic} of {len(possible)}"
        for each in possible:
            each.update(state=FAILED if certain else UNKNOWN, why=f"{why}. Fix: look at the queue's messages")


def _is_test(body: str) -> bool:
    """Whether a message of the topic, with SNS's envelope or without, is a test notice."""
    try:
        found = json.loads(body)
        found = json.loads(found["Message"]) if "Message" in found else found
        return bool(found.get("event") == model.TEST)
    except (AttributeError, TypeError, ValueError):
        return False


def _number(recipients: list[Recipient]) -> str:
    return f"{len(recipients)} recipient{'' if len(recipients) == 1 else 's'}"


def _summary(recipients: list[Recipient], depth: int, before: int, foundation: Foundation) -> str:
    counts = {state: sum(each["state"] == state for each in recipients) for state in (TOLD, PENDING, FAILED, UNKNOWN)}
    shown = ", ".join(f"{number} {state}" for state, number in counts.items() if number) or "nobody is to be told"
    queue = model.undelivered(foundation)
    more = f" To the queue {queue} came, undelivered: {depth - before}." if depth > before else ""
    old = f" Older messages in the queue {queue}: {before}." if before else ""
    return f"The test notice was sent to {_number(recipients)}: {shown}.{more}{old}"
