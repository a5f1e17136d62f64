# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of MiniStack: each function restores one behaviour of AWS, named in its docstring."""

from __future__ import annotations

import contextvars
import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from ministack import app as ministack_app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import cloudwatch_logs, eventbridge, iam, kms, s3, sns, ssm, tagging

from local_aws import (
    acted_on,
    alarm_calls,
    alarms,
    all_resources,
    api_destinations,
    chatbot,
    conditions,
    deletions,
    descriptions,
    ec2_dependencies,
    ec2_parts,
    ec2_services,
    event_targets,
    iam_entities,
    kms_use,
    lambda_actions,
    large_accounts,
    machine_lifecycle,
    mfa,
    missing_objects,
    queues,
    s3_actions,
    schedules,
    service_owned,
    services,
    simulation,
    state_machines,
    table_policies,
    topics,
    trail,
    user_credentials,
)
from local_aws.acted_on import Call
from local_aws.asgi import App, Receive, Scope, Send, headers_of
from local_aws.aws_json import AwsError, authorize, caller_of, role_arn_of

PLAIN_HTTP_HEADER = "x-local-aws-plain-http"
REMEMBERED_LISTS = 8
_plain_http: contextvars.ContextVar[bool] = contextvars.ContextVar("local_aws_plain_http", default=False)


def apply() -> None:
    """Install every correction; call once, before the first request."""
    large_accounts.apply()
    principal_arn_of_assumed_roles()
    loopback_counts_as_tls()
    tags_of_our_services()
    all_resources.apply()
    pages_of_get_resources()
    every_parameter_counts()
    key_of_an_upload()
    what_a_call_acts_on()
    role_in_denials_of_sts()
    empty_parameters_of_iam()
    keys_of_log_groups()
    boundaries_in_details()
    rules_are_replaced()
    rules_with_targets_stay()
    rules_of_no_bus()
    mail_waits_for_its_reader()
    topics.apply()
    alarms.apply()
    ec2_parts.apply()
    ec2_services.apply()
    ec2_dependencies.apply()
    event_targets.apply()
    api_destinations.apply()
    chatbot.apply()
    descriptions.apply()
    deletions.apply()
    queues.apply()
    alarm_calls.apply()
    user_credentials.apply()
    schedules.apply()
    machine_lifecycle.apply()
    state_machines.apply()
    kms_use.apply()
    lambda_actions.apply()
    s3_actions.apply()
    missing_objects.apply()
    iam_entities.apply()
    mfa.apply()
    conditions.apply()
    table_policies.apply()
    trail.apply()
    simulation.apply()
    service_owned.apply()


def principal_arn_of_assumed_roles() -> None:
    """aws:PrincipalArn of an assumed role is the role's ARN, not the STS session's."""
    original = iam_evaluator._resolve_condition_key

    def resolve(key: str, context: Any) -> Any:
        if key.lower() == "aws:principalarn":
            return role_arn_of(context.principal_arn)
        return original(key, context)

    iam_evaluator._resolve_condition_key = resolve


def loopback_counts_as_tls() -> None:
    """aws:SecureTransport is true: real clients reach AWS over TLS, and a loopback connection is as private.

    A request with the header X-Local-Aws-Plain-Http: true stays plain HTTP, so that a policy against it can be tested.
    """
    original = iam_evaluator.pin_request_origin

    def pin(source_ip: str, secure_transport: bool) -> None:
        original(source_ip, secure_transport or not _plain_http.get())

    ministack_app.pin_request_origin = pin
    # Checks outside a request are calls between services, which AWS makes over TLS.
    iam_evaluator._request_origin = contextvars.ContextVar("local_aws_request_origin", default=("127.0.0.1", True))


def remembering(app: App) -> App:
    """The application, remembering for each request who signed it and whether it asked to count as plain HTTP."""

    async def noting(
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        if scope["type"] == "http":
            headers = headers_of(scope)
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
            kms_use.request_key.set(extract_access_key_id(headers, query))
            _plain_http.set(headers.get(PLAIN_HTTP_HEADER, "").lower() == "true")
        await app(scope, receive, send)

    return noting


def tags_of_our_services() -> None:
    """GetResources and aws:ResourceTag know pipelines, build projects and connections."""

    def collector(service: Any) -> Callable[[], list[tuple[str, list[dict[str, str]]]]]:
        def collect() -> list[tuple[str, list[dict[str, str]]]]:
            return [
                (arn, [{"Key": key, "Value": value} for key, value in tags.items()])
                for account_id, region, arn, tags in service.tagged()
                if (account_id, region) == (get_account_id(), get_region())
            ]

        return collect

    for name, service in services.SERVICES.items():
        if hasattr(service, "tagged"):
            tagging._COLLECTORS[name] = collector(service)
            tagging._RESOURCE_TAG_COLLECTORS[name] = tagging._COLLECTORS[name]


def pages_of_get_resources() -> None:
    """GetResources of the tagging API answers in pages (of 50 unless told otherwise) and leaves out the untagged.

    The list is made for the first page, and remembered for those that follow.
    """
    original = tagging._HANDLERS["GetResources"]
    remembered: dict[str, tuple[Any, dict[str, Any]]] = {}

    def whole(data: dict[str, Any]) -> Any:
        status, headers, body = original(data)
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        answer["ResourceTagMappingList"] = sorted(
            (item for item in answer["ResourceTagMappingList"] if item["Tags"]),
            key=lambda item: str(item["ResourceARN"]),
        )
        return status, headers, answer

    def get_resources(data: dict[str, Any]) -> Any:
        question = {name: value for name, value in data.items() if name not in ("PaginationToken", "ResourcesPerPage")}
        key = json.dumps([get_account_id(), get_region(), question], sort_keys=True)
        if not data.get("PaginationToken") or key not in remembered:
            status, headers, answer = whole(data)
            if status != 200:
                return status, headers, answer
            if len(remembered) >= REMEMBERED_LISTS:
                del remembered[next(iter(remembered))]
            remembered[key] = (headers, answer)
        headers, answer = remembered[key]
        answer, tagged = dict(answer), answer["ResourceTagMappingList"]
        token = data.get("PaginationToken") or ""
        start = next((index for index, item in enumerate(tagged) if item["ResourceARN"] > token), len(tagged))
        page = tagged[start : start + int(data.get("ResourcesPerPage") or 50)]
        answer["ResourceTagMappingList"] = page
        more = start + len(page) < len(tagged)
        answer["PaginationToken"] = page[-1]["ResourceARN"] if more and not data.get("ResourceARNList") else ""
        if data.get("ResourceARNList"):
            answer["ResourceTagMappingList"] = tagged
        return 200, dict(headers), json.dumps(answer).encode()

    tagging._HANDLERS["GetResources"] = get_resources


def every_parameter_counts() -> None:
    """SSM calls with several names need permission on each parameter, and GetParametersByPath on its path."""
    handle_request: Callable[..., Awaitable[Any]] = ssm.handle_request

    def arns(body: bytes, region: str, account_id: str) -> list[str]:
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return []
        names = request.get("Names") or [request.get("Path")]
        return [_parameter_arn(name, region, account_id) for name in names if isinstance(name, str) and name]

    def first(call: Call, _so_far: Any) -> str | None:
        return next(iter(arns(call.body, call.region, call.account_id)), None) if call.service == "ssm" else None

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        # MiniStack checked the first already, which is all that its interface allows.
        for arn in arns(body, get_region(), get_account_id())[1:]:
            action = headers.get("x-amz-target", "").rpartition(".")[2]
            try:
                authorize(caller_of(extract_access_key_id(headers, query), get_region()), f"ssm:{action}", arn)
            except AwsError as error:
                return (
                    400,
                    {"Content-Type": "application/x-amz-json-1.1"},
                    json.dumps({"__type": error.code, "Message": error.message}).encode(),
                )
        return await handle_request(method, path, headers, body, query)

    acted_on.correct(first)
    ssm.handle_request = handle


def _parameter_arn(name: str, region: str, account_id: str) -> str:
    """The ARN of a parameter or path; a name's version or label is no part of it."""
    if name.startswith("arn:"):
        return ":".join(name.split(":")[:6])
    return f"arn:aws:ssm:{region}:{account_id}:parameter/{name.partition(':')[0].strip('/')}"


def key_of_an_upload() -> None:
    """A policy can say which KMS key an upload must name (s3:x-amz-server-side-encryption-aws-kms-key-id).

    The parts of a multipart upload count with what its beginning named, as for the other encryption header.
    """
    original = iam_actions._s3_object_context
    name = "x-amz-server-side-encryption-aws-kms-key-id"

    def context_of(action: str, query: dict[str, Any], path: str, headers: dict[str, str]) -> dict[str, Any]:
        context: dict[str, Any] = original(action, query, path, headers)
        if action == "s3:PutObject":
            upload = s3._multipart_uploads.get(iam_actions._query_param(query, "uploadId"))
            key = s3._stored_sse_headers(upload).get(name) if upload else headers.get(name)
            if key:
                context[f"s3:{name}"] = key
        return context

    iam_actions._s3_object_context = context_of


def what_a_call_acts_on() -> None:
    """Calls are authorised on what AWS's authorisation reference names, where MiniStack falls back to something wider.

    CloudWatch Logs: the stream. KMS: the key behind an alias; a call that changes an alias, the alias (on AWS the key
    as well). DynamoDB: the table or backup that an ARN names. EventBridge: the rule. SNS: the topic
    whose tags are meant. IAM: the managed policy that is to be created.
    """

    def resource(call: Call, _so_far: Any) -> str | None:
        if call.service in ("dynamodb", "events", "kms", "logs"):
            place = f"{call.region}:{call.account_id}"
            return _acted_on(call.service, call.operation, json.loads(call.body or b"{}"), place)
        if call.service == "iam" and iam_actions._query_param(call.query, "Action") == "CreatePolicy":
            name, folder = (iam_actions._query_param(call.query, member) for member in ("PolicyName", "Path"))
            return f"arn:aws:iam::{call.account_id}:policy{folder or '/'}{name}"
        if call.service == "sns":
            return iam_actions._query_param(call.query, "ResourceArn") or None
        return None

    acted_on.correct(resource)


_OF_A_RULE = (
    *("DeleteRule", "DescribeRule", "DisableRule", "EnableRule", "ListTargets"),
    *("PutRule", "PutTargets", "RemoveTargets"),
)


def _acted_on(service: str, operation: str, request: dict[str, Any], place: str) -> str | None:
    """The ARN that the request is authorised on, None where MiniStack's own answer is right."""
    if service == "logs" and operation in ("CreateLogStream", "PutLogEvents"):
        return f"arn:aws:logs:{place}:log-group:{request.get('logGroupName')}:log-stream:{request.get('logStreamName')}"
    if service == "dynamodb":
        return next((str(request[name]) for name in ("ResourceArn", "TableArn", "BackupArn") if name in request), None)
    if service == "events" and "ResourceARN" in request:
        return str(request["ResourceARN"])
    if service == "events" and operation.removesuffix("ByRule") in _OF_A_RULE:
        bus = str(request.get("EventBusName", "default")).rpartition("/")[2]
        folder = "" if bus == "default" else f"{bus}/"
        return f"arn:aws:events:{place}:rule/{folder}{request.get('Name', request.get('Rule'))}"
    if service == "kms" and "AliasName" in request:
        return f"arn:aws:kms:{place}:{request['AliasName']}"
    if service == "kms" and "alias/" in str(request.get("KeyId", "")):
        key = kms._resolve_key(request["KeyId"])
        return str(key["Arn"]) if key else f"arn:aws:kms:{place}:key/*"
    return None


def role_in_denials_of_sts() -> None:
    """Where IAM refuses AssumeRole, the message names the role."""
    original: Callable[..., Any] = iam_actions.access_denied_response

    def denied(service: str, action: str, principal_arn: str, request_id: str, **more: Any) -> Any:
        if service == "sts" and not more.get("error_code") and not more.get("message"):
            resource, explicit = more.get("resource_arn", "*"), more.get("explicit_deny", False)
            more["message"] = iam_actions.identity_denial_message(action, principal_arn, resource, explicit)
        return original(service, action, principal_arn, request_id, **more)

    iam_actions.access_denied_response = denied


def empty_parameters_of_iam() -> None:
    """IAM takes an empty parameter as it is, such as the Description of UpdateRole that removes one."""
    iam.parse_qs = functools.partial(parse_qs, keep_blank_values=True)


def boundaries_in_details() -> None:
    """GetAccountAuthorizationDetails says which permissions boundary a role has, as GetRole does."""
    original = iam._IAM_HANDLERS["GetAccountAuthorizationDetails"]

    def details(request: dict[str, Any]) -> Any:
        status, headers, body = original(request)
        text = body.decode()
        for name, role in iam._roles.items():
            if role.get("PermissionsBoundary"):
                boundary = (
                    "<PermissionsBoundary><PermissionsBoundaryType>PermissionsBoundaryPolicy</PermissionsBoundaryType>"
                    f"<PermissionsBoundaryArn>{role['PermissionsBoundary']}</PermissionsBoundaryArn></PermissionsBoundary>"
                )
                own = f"<member><RoleName>{name}</RoleName>"
                text = text.replace(own, own + boundary)
        return status, headers, text.encode()

    iam._IAM_HANDLERS["GetAccountAuthorizationDetails"] = details


def keys_of_log_groups() -> None:
    """CloudWatch Logs has AssociateKmsKey and DisassociateKmsKey for a log group."""
    original: Callable[..., Awaitable[Any]] = cloudwatch_logs.handle_request

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if operation not in ("AssociateKmsKey", "DisassociateKmsKey"):
            return await original(method, path, headers, body, query)
        request = json.loads(body or b"{}")
        content_type = {"Content-Type": "application/x-amz-json-1.1"}
        group = cloudwatch_logs._log_groups.get(request.get("logGroupName"))
        if group is None:
            answer = {"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}
            return 400, content_type, json.dumps(answer).encode()
        group["kmsKeyId"] = request["kmsKeyId"] if operation == "AssociateKmsKey" else None
        return 200, content_type, b"{}"

    cloudwatch_logs.handle_request = handle


def rules_are_replaced() -> None:
    """PutRule needs a pattern or a schedule, and what it does not say of a rule is no more, as if the rule were new."""
    original: Callable[[dict[str, Any]], Any] = eventbridge._put_rule

    def put_rule(request: dict[str, Any]) -> Any:
        if not request.get("EventPattern") and not request.get("ScheduleExpression"):
            return error_response_json(
                "ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.", 400
            )
        key = eventbridge._rule_key(request.get("Name", ""), request.get("EventBusName", "default"))
        given = {"State": "ENABLED", "Description": "", "RoleArn": "", **request}
        if key in eventbridge._rules:
            given.pop("Tags", None)  # are for new rules; TagResource is for others
        return original(given)

    eventbridge._put_rule = put_rule


def rules_with_targets_stay() -> None:
    """DeleteRule refuses a rule that has targets, and PutTargets more than five of them."""
    delete: Callable[[dict[str, Any]], Any] = eventbridge._delete_rule
    put: Callable[[dict[str, Any]], Any] = eventbridge._put_targets

    def targets(request: dict[str, Any], name: str) -> list[dict[str, Any]]:
        key = eventbridge._rule_key(request.get(name, ""), request.get("EventBusName", "default"))
        found: list[dict[str, Any]] = eventbridge._targets.get(key, [])
        return found

    def delete_rule(request: dict[str, Any]) -> Any:
        if targets(request, "Name"):
            return error_response_json("ValidationException", "Rule can't be deleted since it has targets.", 400)
        return delete(request)

    def put_targets(request: dict[str, Any]) -> Any:
        wanted = [*targets(request, "Rule"), *request.get("Targets", [])]
        if len({target.get("Id") for target in wanted}) > 5:
            message = "The requested resource exceeds the maximum number allowed."
            return error_response_json("LimitExceededException", message, 400)
        return put(request)

    eventbridge._delete_rule, eventbridge._put_targets = delete_rule, put_targets


def rules_of_no_bus() -> None:
    """ListRules says that a bus is not there, and not that it has no rules."""
    original: Callable[[dict[str, Any]], Any] = eventbridge._list_rules

    def list_rules(request: dict[str, Any]) -> Any:
        bus = str(request.get("EventBusName", "default")).rpartition("/")[2]
        if bus not in eventbridge._event_buses:
            return error_response_json("ResourceNotFoundException", f"Event bus {bus} does not exist.", 400)
        return original(request)

    eventbridge._list_rules = list_rules


def mail_waits_for_its_reader() -> None:
    """A subscription by e-mail waits to be confirmed. None that waits has an ARN in lists, but whoever makes it
    may ask for its ARN, as Terraform does."""
    subscribe: Callable[[Any], Any] = sns._subscribe
    lists = {
        "_list_subscriptions": sns._list_subscriptions,
        "_list_subscriptions_by_topic": sns._list_subscriptions_by_topic,
    }

    def waiting() -> list[dict[str, Any]]:
        return [each for topic in sns._topics.values() for each in topic["subscriptions"] if not each["confirmed"]]

    def hidden(answer: tuple[int, dict[str, str], bytes], instead: str) -> Any:
        status, headers, body = answer
        for each in waiting():
            body = body.replace(f">{each['arn']}</SubscriptionArn>".encode(), f">{instead}</SubscriptionArn>".encode())
        return status, headers, body

    def subscribe_waiting(params: Any) -> Any:
        topic = sns._topics.get(sns._p(params, "TopicArn")) or {"subscriptions": []}
        before = len(topic["subscriptions"])
        answer = subscribe(params)
        for each in topic["subscriptions"][before:]:
            if each["protocol"] in ("email", "email-json"):
                each.update(confirmed=False, token=sns.new_uuid())
                each["attributes"].update(PendingConfirmation="true", ConfirmationWasAuthenticated="false")
        if sns._p(params, "ReturnSubscriptionArn") == "true":
            named = (sns._p(params, "Protocol"), sns._p(params, "Endpoint"))
            arns = [each["arn"] for each in topic["subscriptions"] if (each["protocol"], each["endpoint"]) == named]
            status, headers, body = answer
            return status, headers, body.replace(b">pending confirmation<", f">{''.join(arns)}<".encode())
        return hidden(answer, "pending confirmation")

    def listing(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda params: hidden(original(params), "PendingConfirmation")

    sns._subscribe = subscribe_waiting
    for name, original in lists.items():
        setattr(sns, name, listing(original))
