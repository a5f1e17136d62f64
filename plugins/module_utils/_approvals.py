# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Approvals that executions of pipelines wait for."""

from __future__ import annotations

import time
from typing import Any

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, error_code
from ansible_collections.gitops.aws.plugins.module_utils._executions import stage_states

ARGUMENTS: dict[str, Any] = {
    "pipeline": {"type": "str", "required": True},
    "execution_id": {"type": "str", "required": True},
    "stage": {"type": "str"},
    "decision": {"type": "str", "choices": ["approved", "rejected"], "required": True},
    "summary": {"type": "str", "default": ""},
}

LONGEST_SUMMARY = 512

# Seconds, and how often, to look for what became of an approval that AWS says was answered.
PAUSE, LOOKS = 1, 10


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments of codepipeline_approval, found without a call."""
    length = len(params["summary"])
    if length > LONGEST_SUMMARY:
        return [f"summary: it has {length} characters, at most {LONGEST_SUMMARY} are allowed"]
    return []


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that codepipeline_approval does; returns its result. Raises Refused, and the errors of calls."""
    return answer_approval(
        aws,
        params["pipeline"],
        params["execution_id"],
        params["decision"] == "approved",
        params["summary"],
        params["stage"],
    )


def answer_approval(
    aws: Aws, pipeline: str, execution_id: str, approve: bool, summary: str, stage: str | None = None
) -> dict[str, Any]:
    """Approves or rejects the one approval that this execution waits for (PutApprovalResult).

    Args:
        aws: the connection.
        pipeline: its name.
        execution_id: the execution that is meant.
        approve: the answer.
        summary: why.
        stage: the approval's stage; None for that which waits.

    Returns:
        stage, action, and whether the answer is a new one (`changed`): it is none where the same was said before.

    Raises:
        Refused: the execution waits for none, another execution does, or the answer was another one.
    """
    waiting = []
    for state in stage_states(aws, pipeline):
        for action in state.get("actionStates", []):
            last = action.get("latestExecution", {})
            if last.get("token") and last.get("status") == "InProgress" and stage in (None, state["stageName"]):
                waiting.append((state, action["actionName"], last["token"]))
    for state, action_name, token in waiting:
        if state.get("latestExecution", {}).get("pipelineExecutionId") != execution_id:
            continue
        where = {"stage": state["stageName"], "action": action_name}
        if aws.check_mode or _put(aws, pipeline, where, token, approve, summary):
            return {"changed": True, **where}
        return {"changed": False, **_same_answer(aws, pipeline, execution_id, approve, where["stage"], LOOKS)}
    others = [state.get("latestExecution", {}).get("pipelineExecutionId", "?") for state, _name, _token in waiting]
    try:
        return {"changed": False, **_same_answer(aws, pipeline, execution_id, approve, stage)}
    except NotAnswered:
        raise Refused(
            f"execution {execution_id} waits for no approval"
            + (f" in stage {stage}" if stage else "")
            + (f"; waiting is {', '.join(others)}" if others else "")
            + ". Nothing was approved. Fix: look at the execution that you mean, and name it"
        ) from None


def _put(aws: Aws, pipeline: str, where: dict[str, str], token: str, approve: bool, summary: str) -> bool:
    """Answers an approval; False when somebody else was faster."""
    try:
        aws.client("codepipeline").put_approval_result(
            pipelineName=pipeline,
            stageName=where["stage"],
            actionName=where["action"],
            result={"summary": summary, "status": "Approved" if approve else "Rejected"},
            token=token,
        )
    except ClientError as error:
        if error_code(error) in ("ApprovalAlreadyCompletedException", "InvalidApprovalTokenException"):
            return False
        raise
    return True


class NotAnswered(Refused):
    """An execution has no approval that was answered."""


def _same_answer(
    aws: Aws, pipeline: str, execution_id: str, approve: bool, stage: str | None, looks: int = 1
) -> dict[str, Any]:
    """The stage and action of an execution's newest approval that was answered as is meant here.

    Raises Refused where it was answered otherwise, and NotAnswered where, after so many looks, none was answered.
    """
    for left in reversed(range(looks)):
        done = aws.pages(
            "codepipeline",
            "list_action_executions",
            "actionExecutionDetails",
            pipelineName=pipeline,
            filter={"pipelineExecutionId": execution_id},
        )
        for detail in done:  # newest first
            category = detail.get("input", {}).get("actionTypeId", {}).get("category")
            if category != "Approval" or stage not in (None, detail["stageName"]):
                continue
            if detail["status"] not in ("Succeeded", "Failed"):
                break
            if (detail["status"] == "Succeeded") != approve:
                raise Refused(_otherwise(detail, execution_id))
            return {"stage": detail["stageName"], "action": detail["actionName"]}
        if left:
            time.sleep(PAUSE)
    raise NotAnswered(
        f"the approval of execution {execution_id} was answered a moment ago by somebody else, and AWS does not "
        "say yet how. Fix: look at the execution again"
    )


def _otherwise(detail: dict[str, Any], execution_id: str) -> str:
    """That an approval was answered, in words."""
    what = "approved" if detail["status"] == "Succeeded" else "rejected, or waited too long"
    who = f" by {detail['updatedBy']}" if detail.get("updatedBy") else ""
    result = detail.get("output", {}).get("executionResult", {})
    why = result.get("externalExecutionSummary") or result.get("errorDetails", {}).get("message") or ""
    return (
        f"the approval of execution {execution_id} in stage {detail['stageName']} was answered already{who}: "
        f"it was {what}{f' ({why})' if why else ''}. That cannot be taken back"
    )
