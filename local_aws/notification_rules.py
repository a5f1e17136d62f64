# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notification rules of AWS's developer tools (CodeStar Notifications): who is told what happens to a pipeline.

A rule hears the events that pipelines and builds send to EventBridge. It publishes to topics whose policy lets
codestar-notifications.amazonaws.com, and tells channels of chatbot.py.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from ministack.core.responses import request_scope
from ministack.services import kms, sns

from local_aws import chatbot, events, linked_roles
from local_aws.aws_json import AwsError, Caller, authorize
from local_aws.codebuild.service import SERVICE as CODEBUILD
from local_aws.codepipeline.service import SERVICE as CODEPIPELINE
from local_aws.rest_json import RestJsonService
from local_aws.service_principals import may

logger = logging.getLogger("local_aws")

PRINCIPAL = "codestar-notifications.amazonaws.com"
MOST_TARGETS = 10
_ROLE = "AWSServiceRoleForCodeStarNotifications"
_FAILURES_KEPT = 200
_ON_A_RULE = (
    "DescribeNotificationRule",
    "UpdateNotificationRule",
    "DeleteNotificationRule",
    "Subscribe",
    "Unsubscribe",
    "ListTagsForResource",
    "TagResource",
    "UntagResource",
)

# What the ids of event types are made of: service and resource type, then the group, then the state.
_TYPES: dict[tuple[str, str, str], dict[str, tuple[str, ...]]] = {
    ("codepipeline-pipeline", "CodePipeline", "Pipeline"): {
        "action-execution": ("succeeded", "failed", "canceled", "started"),
        "stage-execution": ("started", "succeeded", "resumed", "canceled", "failed"),
        "pipeline-execution": ("failed", "canceled", "started", "resumed", "succeeded", "superseded"),
        "manual-approval": ("failed", "needed", "succeeded"),
    },
    ("codebuild-project", "CodeBuild", "Project"): {
        "build-state": ("failed", "succeeded", "in-progress", "stopped"),
        "build-phase": ("failure", "success"),
    },
}
EVENT_TYPES = {
    f"{prefix}-{group}-{state}": {
        "EventTypeId": f"{prefix}-{group}-{state}",
        "ServiceName": service,
        "ResourceType": kind,
        "EventTypeName": f"{group.replace('-', ' ').capitalize()}: {state.replace('-', ' ').capitalize()}",
    }
    for (prefix, service, kind), groups in _TYPES.items()
    for group, states in groups.items()
    for state in states
}


@dataclass
class Rule:
    """A notification rule; targets are {address: type}, in the order in which they came."""

    name: str
    arn: str
    resource: str
    detail_type: str
    status: str
    event_types: list[str]
    targets: dict[str, str]
    created_by: str
    tags: dict[str, str] = field(default_factory=dict)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def place(self) -> tuple[str, str]:
        """Account and region."""
        _arn, _partition, _service, region, account, _name = self.arn.split(":", 5)
        return account, region

    def described(self) -> dict[str, Any]:
        """The rule as DescribeNotificationRule returns it."""
        return {
            "Arn": self.arn,
            "Name": self.name,
            "EventTypes": [EVENT_TYPES[each] for each in self.event_types],
            "Resource": self.resource,
            "Targets": [_summary(address, kind) for address, kind in self.targets.items()],
            "DetailType": self.detail_type,
            "CreatedBy": self.created_by,
            "Status": self.status,
            "CreatedTimestamp": self.created,
            "LastModifiedTimestamp": self.modified,
            "Tags": self.tags,
        }


class NotificationsService(RestJsonService):
    """The service."""

    service_name: ClassVar[str] = "codestar-notifications"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._rules: dict[str, Rule] = {}  # by ARN
        self._targets: dict[tuple[str, str], dict[str, str]] = {}  # by account and region, those that no rule has, too
        self._failures: dict[str, list[dict[str, str]]] = {}  # of executions: the actions that failed

    def resource_arns(self, operation: str, request: dict[str, Any], caller: Caller) -> list[str]:
        if operation == "CreateNotificationRule":
            return []  # by the resource that it is about: see create_notification_rule
        return [str(request.get("Arn") or "*")] if operation in _ON_A_RULE else ["*"]

    # --- rules

    def create_notification_rule(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        place = (caller.account_id, caller.region)
        arn = f"arn:aws:{self.service_name}:{caller.region}:{caller.account_id}:notificationrule/{uuid.uuid4().hex}"
        context = {f"{self.service_name}:NotificationsForResource": request["Resource"]}
        context |= {f"aws:RequestTag/{key}": value for key, value in request.get("Tags", {}).items()}
        authorize(caller, f"{self.service_name}:CreateNotificationRule", arn, context)
        if request.get("Tags"):
            authorize(caller, f"{self.service_name}:TagResource", arn, context)
        targets = _targets(request["Targets"])
        _check_events(request["EventTypeIds"], request["Resource"])
        if not _exists(request["Resource"]):
            raise AwsError("ConfigurationException", f"The resource {request['Resource']} could not be found.")
        linked_roles.ensure(caller, _ROLE, PRINCIPAL)
        with self._lock:
            if any(rule.name == request["Name"] for rule in self._of(place)):
                raise AwsError(
                    "ResourceAlreadyExistsException",
                    f"A notification rule with the name {request['Name']} already exists in this account.",
                    409,
                )
            self._rules[arn] = Rule(
                name=request["Name"],
                arn=arn,
                resource=request["Resource"],
                detail_type=request["DetailType"],
                status=request.get("Status", "ENABLED"),
                event_types=list(dict.fromkeys(request["EventTypeIds"])),
                targets=targets,
                created_by=caller.session_arn or caller.arn,
                tags=request.get("Tags", {}),
            )
            self._targets.setdefault(place, {}).update(targets)
        return {"Arn": arn}

    def update_notification_rule(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """What the request leaves out stays as it is; targets that it names take the place of all."""
        rule = self._rule(request["Arn"], caller)
        _check_events(request.get("EventTypeIds", []), rule.resource)
        targets = _targets(request["Targets"]) if "Targets" in request else None
        with self._lock:
            rule.name = request.get("Name", rule.name)
            rule.status = request.get("Status", rule.status)
            rule.detail_type = request.get("DetailType", rule.detail_type)
            rule.event_types = list(dict.fromkeys(request.get("EventTypeIds", rule.event_types)))
            if targets is not None:
                rule.targets = targets
                self._targets.setdefault(rule.place, {}).update(targets)
            rule.modified = datetime.now(UTC)
        return {}

    def describe_notification_rule(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return self._rule(request["Arn"], caller).described()

    def delete_notification_rule(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """As on AWS it is no error that there is no such rule."""
        with self._lock:
            self._rules.pop(request["Arn"], None)
        return {"Arn": request["Arn"]}

    def list_notification_rules(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        tests: dict[str, Callable[[Rule, str], bool]] = {
            "EVENT_TYPE_ID": lambda rule, value: value in rule.event_types,
            "CREATED_BY": lambda rule, value: rule.created_by == value,
            "RESOURCE": lambda rule, value: rule.resource == value,
            "TARGET_ADDRESS": lambda rule, value: value in rule.targets,
        }
        filters = request.get("Filters", [])
        found = [
            {"Id": rule.arn.rpartition("/")[2], "Arn": rule.arn}
            for rule in self._of((caller.account_id, caller.region))
            if all(tests[each["Name"]](rule, each["Value"]) for each in filters)
        ]
        return _page("NotificationRules", found, request)

    def list_event_types(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        members = {"RESOURCE_TYPE": "ResourceType", "SERVICE_NAME": "ServiceName"}
        filters = request.get("Filters", [])
        found = [
            each
            for each in EVENT_TYPES.values()
            if all(each[members[one["Name"]]].lower() == one["Value"].lower() for one in filters)
        ]
        return _page("EventTypes", found, request)

    # --- targets

    def subscribe(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        rule, target = self._rule(request["Arn"], caller), _targets([request["Target"]])
        with self._lock:
            _targets(
                [{"TargetAddress": address, "TargetType": kind} for address, kind in (rule.targets | target).items()]
            )
            rule.targets.update(target)
            self._targets.setdefault(rule.place, {}).update(target)
        return {"Arn": rule.arn}

    def unsubscribe(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        with self._lock:
            found = self._rules.get(request["Arn"])
            if found:
                found.targets.pop(request["TargetAddress"], None)
        return {"Arn": request["Arn"]}

    def list_targets(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Targets stay when their rules go, until somebody deletes them."""
        members = {"TARGET_TYPE": "TargetType", "TARGET_ADDRESS": "TargetAddress", "TARGET_STATUS": "TargetStatus"}
        filters = request.get("Filters", [])
        with self._lock:
            all_of_them = dict(self._targets.get((caller.account_id, caller.region), {}))
        found = [
            each
            for each in (_summary(address, kind) for address, kind in all_of_them.items())
            if all(each[members[one["Name"]]] == one["Value"] for one in filters)
        ]
        return _page("Targets", found, request)

    def delete_target(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        place, address = (caller.account_id, caller.region), request["TargetAddress"]
        with self._lock:
            subscribed = [rule for rule in self._of(place) if address in rule.targets]
            if subscribed and not request.get("ForceUnsubscribeAll"):
                raise AwsError(
                    "ValidationException",
                    "The target cannot be deleted because it is subscribed to one or more notification rules.",
                )
            for rule in subscribed:
                del rule.targets[address]
            self._targets.get(place, {}).pop(address, None)
        return {}

    # --- tags

    def list_tags_for_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return {"Tags": self._rule(request["Arn"], caller).tags}

    def tag_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        rule = self._rule(request["Arn"], caller)
        with self._lock:
            rule.tags = rule.tags | request["Tags"]
        return {"Tags": rule.tags}

    def untag_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        rule = self._rule(request["Arn"], caller)
        with self._lock:
            rule.tags = {key: value for key, value in rule.tags.items() if key not in request["TagKeys"]}
        return {}

    def _rule(self, arn: str, caller: Caller) -> Rule:
        found = self._rules.get(arn)
        if found is None or found.place != (caller.account_id, caller.region):
            raise AwsError("ResourceNotFoundException", f"The notification rule {arn} could not be found.", 404)
        return found

    def _of(self, place: tuple[str, str]) -> list[Rule]:
        with self._lock:
            return [rule for rule in self._rules.values() if rule.place == place]

    # --- what happens

    def hear(self, event: events.Event) -> None:
        """Tell the targets of the rules that want an event of a pipeline or a build."""
        found = _event_types(event)
        if not found:
            return
        types, resource = found
        more = self._more(event)
        for rule in self._of((event.account_id, event.region)):
            if rule.resource == resource and rule.status == "ENABLED" and types.intersection(rule.event_types):
                message = _message(event, rule, more if rule.detail_type == "FULL" else {})
                for address, kind in list(rule.targets.items()):
                    _tell(address, kind, rule, message)

    def _more(self, event: events.Event) -> dict[str, Any]:
        """What AWS adds to an event where a rule wants it all: which actions failed, and how."""
        detail = event.detail
        execution, failed = detail.get("execution-id", ""), detail.get("state") == "FAILED"
        if "action" in detail and failed:
            text = detail.get("execution-result", {}).get("external-execution-summary", "")
            with self._lock:
                failures = self._failures.setdefault(execution, [])
                failures.append({"stage": detail["stage"], "action": detail["action"], "additionalInformation": text})
                while len(self._failures) > _FAILURES_KEPT:
                    del self._failures[next(iter(self._failures))]
            return {"additionalInformation": text}
        if event.detail_type.startswith("CodePipeline") and failed:
            failures = [
                one for one in self._failures.get(execution, []) if one["stage"] == detail.get("stage", one["stage"])
            ]
            return {
                "failedActionCount": len(failures),
                "failedActions": [{key: one[key] for key in ("action", "additionalInformation")} for one in failures],
                "failedStage": failures[-1]["stage"] if failures else detail.get("stage", ""),
            }
        return {}


def _event_types(event: events.Event) -> tuple[set[str], str] | None:
    """The ids of the event types that an event is of, and the resource that rules know it by."""
    detail, state = event.detail, str(event.detail.get("state", "")).lower()
    if event.detail_type == "CodePipeline Pipeline Execution State Change":
        ids, resource = [f"codepipeline-pipeline-pipeline-execution-{state}"], event.resources[0]
    elif event.detail_type == "CodePipeline Stage Execution State Change":
        ids, resource = [f"codepipeline-pipeline-stage-execution-{state}"], event.resources[0]
    elif event.detail_type == "CodePipeline Action Execution State Change":
        ids, resource = [f"codepipeline-pipeline-action-execution-{state}"], event.resources[0]
        if detail["type"]["category"] == "Approval":
            ids.append(f"codepipeline-pipeline-manual-approval-{'needed' if state == 'started' else state}")
    elif event.detail_type in ("CodeBuild Build State Change", "CodeBuild Build Phase Change"):
        resource = f"arn:aws:codebuild:{event.region}:{event.account_id}:project/{detail['project-name']}"
        status = str(detail.get("build-status", "")).lower().replace("_", "-")
        phase = {"SUCCEEDED": "success", "FAILED": "failure"}.get(detail.get("completed-phase-status", ""), "")
        ids = [f"codebuild-project-build-state-{status}", f"codebuild-project-build-phase-{phase}"]
    else:
        return None
    return set(ids) & set(EVENT_TYPES), resource


def _message(event: events.Event, rule: Rule, more: dict[str, Any]) -> dict[str, Any]:
    """An event as the targets of a rule get it."""
    return {
        "account": event.account_id,
        "detailType": event.detail_type,
        "region": event.region,
        "source": event.source,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "notificationRuleArn": rule.arn,
        "detail": event.detail,
        "resources": event.resources,
        "additionalAttributes": more,
    }


def _tell(address: str, kind: str, rule: Rule, message: dict[str, Any]) -> None:
    """Publish to a topic, or tell a channel. AWS notes what it cannot deliver as the target's status, and no more."""
    if kind != "SNS":
        chatbot.SERVICE.tell(address, rule.arn, message)
    elif _status(address, kind) != "ACTIVE":
        logger.warning("rule %s does not tell topic %s: it is not there, or does not let it", rule.arn, address)
    else:
        account_id, region = address.split(":")[4], address.split(":")[3]
        with request_scope(account_id, region):
            sns.publish_internal(address, json.dumps(message))


def _summary(address: str, kind: str) -> dict[str, str]:
    return {"TargetAddress": address, "TargetType": kind, "TargetStatus": _status(address, kind)}


def _status(address: str, kind: str) -> str:
    """ACTIVE for a target that can be told, else UNREACHABLE."""
    if kind != "SNS":
        return "ACTIVE" if chatbot.SERVICE.is_configured(address) else "UNREACHABLE"
    parts = address.split(":")
    with request_scope(parts[4], parts[3]):
        topic = sns._topics.get(address)
        allowed = topic is not None and _may_publish(address, topic)
    return "ACTIVE" if allowed else "UNREACHABLE"


def _may_publish(address: str, topic: dict[str, Any]) -> bool:
    """Whether the policies of a topic and of its key let the service. What a condition asks for is not there."""
    attributes = topic["attributes"]
    if not may(attributes.get("Policy"), PRINCIPAL, "sns:Publish", address, {}):
        return False
    if not attributes.get("KmsMasterKeyId"):
        return True
    key = kms._resolve_key(attributes["KmsMasterKeyId"])
    # A key of AWS's own, such as alias/aws/sns, has a policy for callers of the account, and for no service.
    return bool(key) and may(key.get("Policy"), PRINCIPAL, "kms:GenerateDataKey", key["Arn"], {})


def _targets(targets: list[dict[str, str]]) -> dict[str, str]:
    """Targets as {address: type}. Raises AwsError ValidationException."""
    for each in targets:
        kind, address = each.get("TargetType", "SNS"), each.get("TargetAddress", "")
        form = {
            "SNS": r"arn:aws[^:]*:sns:[^:]+:\d{12}:[^:]+",
            "AWSChatbotSlack": r"arn:aws[^:]*:chatbot::\d{12}:chat-configuration/slack-channel/.+",
            "AWSChatbotMicrosoftTeams": r"arn:aws[^:]*:chatbot::\d{12}:chat-configuration/microsoft-teams-channel/.+",
        }.get(kind)
        if form is None or not re.fullmatch(form, address):
            raise AwsError("ValidationException", f"The target {address} of type {kind} is not valid.")
    found = {each["TargetAddress"]: each.get("TargetType", "SNS") for each in targets}
    if len(found) > MOST_TARGETS:
        raise AwsError("LimitExceededException", f"A notification rule has {MOST_TARGETS} targets at most.")
    return found


def _check_events(ids: list[str], resource: str) -> None:
    service = resource.split(":")[2]
    for each in ids:
        if each not in EVENT_TYPES or EVENT_TYPES[each]["ServiceName"].lower() != service:
            raise AwsError("ValidationException", f"The event type {each} is not valid for the resource {resource}.")


def _exists(resource: str) -> bool:
    """Whether a pipeline or a project is there, by its ARN."""
    return any(arn == resource for service in (CODEPIPELINE, CODEBUILD) for _, _, arn, _ in service.tagged())


def _page(member: str, found: list[Any], request: dict[str, Any]) -> dict[str, Any]:
    token = request.get("NextToken") or "0"
    if not token.isdigit():
        raise AwsError("InvalidNextTokenException", "The token is none of ours.")
    start, end = int(token), int(token) + request.get("MaxResults", 100)
    return {member: found[start:end], "NextToken": str(end) if end < len(found) else None}


SERVICE = NotificationsService()
events.listen(SERVICE.hear)
