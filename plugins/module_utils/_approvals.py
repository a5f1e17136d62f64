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
from ansible_collections.gitops.aws.plugins.module_utils._names import empty_problems

ARGUMENTS: dict[str, Any] = {
    "pipeline": {"type": "str", "required": True},
    "execution_id": {"type": "str", "required": True},
    "stage": {"type": "str"},
    "action": {"type": "str"},
    "decision": {"type": "str", "choices": ["approved", "rejected"], "required": True},
    "summary": {"type": "str", "default": ""},
}

LONGEST_SUMMARY = 512

# Seconds, and how often, to look for what became of an approval that AWS says was answered.
PAUSE, LOOKS = 1, 10

# A stage and an action.
Place = tuple[str, str]


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments of codepipeline_approval, found without a call."""
    found = empty_problems(params, ("execution_id", "stage", "action"))
    length = len(params["summary"])
    if length > LONGEST_SUMMARY:
        found.append(f"summary: it has {length} characters, at most {LONGEST_SUMMARY} are allowed")
    return found


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that codepipeline_approval does; returns its result. Raises Refused, and the errors of calls."""
    return answer_approval(
        aws,
        params["pipeline"],
        params["execution_id"],
        params["decision"] == "approved",
        params["summary"],
        params["stage"],
        params["action"],
    )


def answer_approval(
    aws: Aws,
    pipeline: str,
    execution_id: str,
    approve: bool,
    summary: str,
    stage: str | None = None,
    action: str | None = None,
) -> dict[str, Any]:
    """Approves or rejects an approval that this execution waits for (PutApprovalResult).

    Which one is meant depends on the pipeline alone, and not on what waits just now: so whoever says the same again
    never answers another one.

    Args:
        aws: the connection.
        pipeline: its name.
        execution_id: the execution that is meant.
        approve: the answer.
        summary: why.
        stage: the approval's stage; None where the pipeline has no other.
        action: the approval's action; None where the stage has no other.

    Returns:
        stage, action, and whether the answer is a new one (`changed`): it is none where the same was said before.

    Raises:
        Refused: it is not said which approval is meant, the execution does not wait there, or the answer was another
            one.
    """
    definition = aws.client("codepipeline").get_pipeline(name=pipeline)["pipeline"]
    tries = _tries(aws, pipeline, execution_id)
    place = _meant(definition, tries, stage, action)
    where = {"stage": place[0], "action": place[1]}
    used: set[str] = set()
    for left in reversed(range(LOOKS)):
        last = tries.get(place, {})
        status = last.get("status")
        if status in ("Succeeded", "Failed"):
            if (status == "Succeeded") != approve:
                raise Refused(_otherwise(last, execution_id))
            return {"changed": False, **where}
        parallel = definition.get("executionMode") == "PARALLEL"
        if status != "InProgress":
            raise Refused(_waits_not(execution_id, place, [] if parallel else _others(aws, pipeline, place)))
        token = _external_id(last) if parallel else _token(aws, pipeline, execution_id, place)
        if token and token not in used:
            if aws.check_mode or _put(aws, pipeline, where, token, approve, summary):
                return {"changed": True, **where}
            used.add(token)
        if left:
            time.sleep(PAUSE)
            tries = _tries(aws, pipeline, execution_id)
    raise Refused(
        f"the approval of execution {execution_id} in stage {place[0]} "
        + ("was answered a moment ago by somebody else, and AWS does not say yet how" if used else "has no token yet")
        + ". Fix: look at the execution again"
    )


def _tries(aws: Aws, pipeline: str, execution_id: str) -> dict[Place, dict[str, Any]]:
    """The approvals that an execution came to, each as the newest of ListActionExecutions."""
    done = aws.pages(
        "codepipeline",
        "list_action_executions",
        "actionExecutionDetails",
        pipelineName=pipeline,
        filter={"pipelineExecutionId": execution_id},
    )
    tries: dict[Place, dict[str, Any]] = {}
    for detail in done:  # newest first
        if detail.get("input", {}).get("actionTypeId", {}).get("category") == "Approval":
            tries.setdefault((detail["stageName"], detail["actionName"]), detail)
    return tries


def _meant(
    definition: dict[str, Any], tries: dict[Place, dict[str, Any]], stage: str | None, action: str | None
) -> Place:
    """The one approval of these names, None for any. Raises Refused where there is none, or are several."""
    declared = [
        (each["name"], one["name"])
        for each in definition["stages"]
        for one in each["actions"]
        if one["actionTypeId"]["category"] == "Approval"
    ]
    # The pipeline may have been changed since the execution came to an approval.
    known = list(dict.fromkeys([*declared, *tries]))
    meant = [place for place in known if stage in (None, place[0]) and action in (None, place[1])]
    if len(meant) == 1:
        return meant[0]
    if not known:
        raise Refused("the pipeline has no approval. Nothing was answered")
    several = ", ".join(
        f"{'/'.join(place)}{' (waits)' if tries.get(place, {}).get('status') == 'InProgress' else ''}"
        for place in meant or known
    )
    if meant:
        raise Refused(
            f"it is not said which approval is meant, there are several: {several}. Nothing was answered. "
            "Fix: name its stage, and its action where the stage has several"
        )
    raise Refused(
        f"there is no approval{f' {action}' if action else ''}{f' in stage {stage}' if stage else ''}. "
        f"Nothing was answered. Fix: name one of {several}"
    )


def _token(aws: Aws, pipeline: str, execution_id: str, place: Place) -> str | None:
    """The token of an approval that an execution waits for, None where it does not (any more)."""
    for state in stage_states(aws, pipeline):
        if (
            state["stageName"] == place[0]
            and state.get("latestExecution", {}).get("pipelineExecutionId") == execution_id
        ):
            return _waiting_token(state, place)
    return None


def _waiting_token(state: dict[str, Any], place: Place) -> str | None:
    for action in state.get("actionStates", []):
        last = action.get("latestExecution", {})
        if action["actionName"] == place[1] and last.get("status") == "InProgress":
            return last.get("token")
    return None


def _external_id(detail: dict[str, Any]) -> str | None:
    """What takes the token's place where executions run beside each other: a stage's state tells of one only."""
    return detail.get("output", {}).get("executionResult", {}).get("externalExecutionId")


def _others(aws: Aws, pipeline: str, place: Place) -> list[str]:
    """The execution that waits for an approval."""
    return [
        state.get("latestExecution", {}).get("pipelineExecutionId", "?")
        for state in stage_states(aws, pipeline)
        if state["stageName"] == place[0] and _waiting_token(state, place)
    ]


def _waits_not(execution_id: str, place: Place, others: list[str]) -> str:
    """That an execution does not wait for an approval, in words."""
    return (
        f"execution {execution_id} waits for no approval in stage {place[0]}"
        + (f"; waiting is {', '.join(others)}" if others else "")
        + ". Nothing was answered. Fix: look at the execution that you mean, and name it"
    )


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
