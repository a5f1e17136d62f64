# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EventBridge rules whose target is a pipeline, or a topic.

An event that matches starts an execution, as the target's role; a topic is told where its policy allows EventBridge to.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import eventbridge, sns

from local_aws import identity, kms_use
from local_aws.aws_json import AwsError, authorize_pass_role, caller_of
from local_aws.codepipeline.service import SERVICE

logger = logging.getLogger("local_aws")

_PRINCIPAL = "events.amazonaws.com"


def apply() -> None:
    """Install the target in MiniStack, and what PutTargets asks of it."""
    _delivery()
    _checks()


def _delivery() -> None:
    original = eventbridge._invoke_target

    def invoke(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        rule_arn = str((rule or {}).get("Arn", ""))
        # The scheduler uses this function, too, and is another principal.
        of_a_rule = rule_arn.startswith("arn:aws:events:")
        if of_a_rule and str(target.get("Arn", "")).startswith("arn:aws:sns:") and not _may_publish(target["Arn"]):
            logger.warning(
                "rule %s does not tell topic %s: the topic's policy does not let it", rule_arn, target["Arn"]
            )
            return
        if not _is_pipeline(target) or not of_a_rule:
            original(target, event, rule, view)
            return
        if target["Arn"].split(":")[3:5] != [get_region(), get_account_id()]:
            logger.warning("rule %s: pipelines of another region or account are not part of local AWS", rule_arn)
            return
        text = _content(target, rule, view or eventbridge._pattern_event_view(event))
        # As on AWS whoever sends the event does not wait for what it leads to.
        threading.Thread(target=_start, args=(target, text, rule_arn), daemon=True, name="event-target").start()

    eventbridge._invoke_target = invoke


def _checks() -> None:
    original: Callable[[dict[str, Any]], Any] = eventbridge._put_targets

    def put_targets(data: dict[str, Any]) -> Any:
        for target in data.get("Targets", []):
            if _is_pipeline(target) and not target.get("RoleArn"):
                return error_response_json(
                    "ValidationException", f"RoleArn is required for target {target['Arn']}.", 400
                )
            if _is_pipeline(target) and kms_use.request_key.get():
                try:
                    caller = caller_of(kms_use.request_key.get(), get_region())
                    authorize_pass_role(caller, target["RoleArn"], _PRINCIPAL)
                except AwsError as error:
                    return error_response_json(error.code, error.message, 400)
        return original(data)

    eventbridge._put_targets = put_targets


def _may_publish(topic_arn: str) -> bool:
    """Whether a topic's policy lets EventBridge publish to it. As on AWS, what a condition asks for is not there.

    A topic that is not there, or elsewhere, is a matter of MiniStack's.
    """
    policy = sns.topic_policy_for_arn(topic_arn)
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="sns:Publish",
        resource_arn=topic_arn,
        region=get_region(),
    )
    return policy is None or (
        iam_evaluator.evaluate_resource_policy(policy[0], context, service=_PRINCIPAL).decision == "Allow"
    )


def _is_pipeline(target: dict[str, Any]) -> bool:
    return str(target.get("Arn", "")).startswith("arn:aws:codepipeline:")


def _content(target: dict[str, Any], rule: dict[str, Any], view: Any) -> str:
    """What the rule sends the pipeline. The event itself says nothing to it."""
    if target.get("InputTransformer"):
        return str(eventbridge._apply_input_transformer(target["InputTransformer"], rule, view))
    if target.get("InputPath"):
        found: Any = view.event_with_detail()
        for part in target["InputPath"].removeprefix("$").strip(".").split("."):
            found = found.get(part) if part and isinstance(found, dict) else found
        return json.dumps(found)
    return str(target.get("Input") or "{}")


def _start(target: dict[str, Any], text: str, rule_arn: str) -> None:
    """Start the execution; AWS counts what fails here as FailedInvocations of the rule, local AWS logs it."""
    region, account_id, name = target["Arn"].split(":")[3:6]
    try:
        content = json.loads(text)
        role = identity.assume_service_role(
            target["RoleArn"], _PRINCIPAL, "local-aws-events", source_arn=rule_arn, source_account=account_id
        )
        client = identity.client("codepipeline", role, region)
        SERVICE.start_for_rule(rule_arn, name, content if isinstance(content, dict) else {}, client)
    except (AwsError, BotoCoreError, ClientError, ValueError) as error:
        logger.warning("rule %s does not start pipeline %s: %s", rule_arn, name, error)
