# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Executions of many pipelines at once: starting them, and looking at all with few calls."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, Callable

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._answers import understood
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, explain
from ansible_collections.gitops.aws.plugins.module_utils._builds import last_error, last_log_lines
from ansible_collections.gitops.aws.plugins.module_utils._builds import read as read_builds
from ansible_collections.gitops.aws.plugins.module_utils._engine import CONCURRENCY, ERRORS_SHOWN, connect
from ansible_collections.gitops.aws.plugins.module_utils._executions import action_of, ended, latest, read, start
from ansible_collections.gitops.aws.plugins.module_utils._module import aws_module, refuse
from ansible_collections.gitops.aws.plugins.module_utils._names import empty_problems
from ansible_collections.gitops.aws.plugins.module_utils._outcomes import ENDED, FAILED, has_failed, why
from ansible_collections.gitops.aws.plugins.module_utils._waiters import FAILED_LOOKS, time_problems

ARGUMENTS: dict[str, Any] = {
    "executions": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "pipeline": {"type": "str", "required": True},
            "execution_id": {"type": "str"},
            "variables": {"type": "dict"},
            "label": {"type": "str"},
        },
    },
    "wait": {"type": "bool", "default": True},
    "wait_for_approval": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 3600},
    "poll_interval": {"type": "int", "default": 5},
    "concurrency": CONCURRENCY,
}

Executions = dict[str, dict[str, Any]]


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments, found without a call."""
    found, seen = time_problems(params), dict[str, int]()
    for index, item in enumerate(params["executions"]):
        path, name = f"executions[{index}]", item["pipeline"]
        found += [f"{path}.{problem}" for problem in empty_problems(item, ("pipeline", "execution_id", "label"))]
        if name in seen:
            found.append(f"{path}.pipeline: {name!r} is also executions[{seen[name]}].pipeline; pipelines must differ")
        seen.setdefault(name, index)
        if item["execution_id"] and item["variables"] is not None:
            found.append(
                f"{path}.variables: it is for an execution that is started, and with execution_id one that is there "
                "already is followed"
            )
        found += [
            f"{path}.variables.{variable}: {'null' if value is None else 'an empty text'} is not allowed, it must be a "
            "text"
            for variable, value in (item["variables"] or {}).items()
            if value in (None, "")
        ]
    return found


def begin(aws: Aws, items: list[dict[str, Any]]) -> Executions:
    """Starts what is to be started, in check mode only looks whether there are such pipelines.

    Returns, by pipeline, what glance() does, as far as it is known without a look, with `label`, `action` (started,
    followed or failed) and, for the last, `error`.
    """

    def one(item: dict[str, Any]) -> dict[str, Any]:
        pipeline, execution_id, action = item["pipeline"], item["execution_id"] or "", "followed"
        error = {}
        try:
            if execution_id == "latest":
                execution_id = latest(aws, pipeline) or ""
                if not execution_id:
                    raise Refused("it never ran. Fix: leave execution_id out to start it")
            elif not execution_id:
                action = "started"
                if aws.check_mode:
                    aws.client("codepipeline").get_pipeline(name=pipeline)  # there must be one
                else:
                    execution_id = start(aws, pipeline, item["variables"] or {}, None)
        except (ClientError, BotoCoreError, Refused) as refusal:
            action, error = "failed", {"error": explain(refusal, _noun(pipeline))}
        return {**_unseen(pipeline, execution_id), "label": item["label"] or pipeline, "action": action, **error}

    return dict(zip([item["pipeline"] for item in items], aws.map(one, items)))


def _noun(pipeline: str) -> str:
    return f"pipeline {pipeline}"


def _unseen(pipeline: str, execution_id: str) -> dict[str, Any]:
    """An execution that nobody has looked at."""
    return {
        "id": execution_id,
        "pipeline": pipeline,
        "status": "InProgress" if execution_id else "",
        "status_summary": "",
        "reason": "",
        "stages": [],
        "waiting_for_approvals": [],
        "waiting_for_approval": None,
    }


def glance(aws: Aws, pipeline: str, execution_id: str) -> dict[str, Any]:
    """An execution as it is now: one call while anything in it runs or waits for approval, three when it has ended.

    Returns:
        id, pipeline, status and status_summary.
        stages in the order in which they were reached, each with its name and actions: name, category, status, summary,
        build_id (of a CodeBuild action), url, output_variables.
        waiting_for_approvals: stage, action and message of each approval that it waits for; waiting_for_approval: the
        first of them, or None.
        reason: '', the place of why().
    """
    status: dict[str, str] = {}
    done = _actions(aws, pipeline, execution_id)
    if not any(detail["status"] == "InProgress" for detail in done):
        execution = read(aws, pipeline, execution_id)
        status = {"status": execution["status"], "status_summary": execution.get("statusSummary", "")}
        if execution["status"] in ENDED:  # between the two calls an action may have begun, and failed
            done = _actions(aws, pipeline, execution_id)
    stages: dict[str, dict[str, dict[str, Any]]] = {}
    waiting = []
    for detail in reversed(done):  # newest first, so that of a retried action the last try stays
        stages.setdefault(detail["stageName"], {})[detail["actionName"]] = _action(detail)
    for stage, actions in stages.items():
        for name, action in actions.items():
            message = action.pop("message")
            if action["category"] == "Approval" and action["status"] == "InProgress":
                waiting.append({"stage": stage, "action": name, "message": message})
    return {
        **_unseen(pipeline, execution_id),
        **status,
        "stages": [{"name": name, "actions": list(actions.values())} for name, actions in stages.items()],
        "waiting_for_approvals": waiting,
        "waiting_for_approval": waiting[0] if waiting else None,
    }


def _actions(aws: Aws, pipeline: str, execution_id: str) -> list[dict[str, Any]]:
    """What an execution has done, as ListActionExecutions answers it, newest first."""
    return aws.pages(
        "codepipeline",
        "list_action_executions",
        "actionExecutionDetails",
        pipelineName=pipeline,
        filter={"pipelineExecutionId": execution_id},
    )


def _action(detail: dict[str, Any]) -> dict[str, Any]:
    given = detail.get("input", {})
    kind = given.get("actionTypeId", {})
    return {
        **action_of(detail, kind.get("provider", "")),
        "category": kind.get("category", ""),
        "message": given.get("resolvedConfiguration", {}).get("CustomData", ""),
    }


def look_at(aws: Aws, known: Executions) -> Executions:
    """Looks at executions, each as begin() and glance() have it. One that cannot be seen has its `error`."""

    def one(before: dict[str, Any]) -> dict[str, Any]:
        pipeline = before["pipeline"]
        try:
            return {**glance(aws, pipeline, before["id"]), "label": before["label"], "action": before["action"]}
        except (ClientError, BotoCoreError, Refused) as error:
            return {**before, "error": explain(error, _noun(pipeline))}

    found = dict(zip(known, aws.map(one, known.values())))
    _add_reasons(aws, [execution for execution in found.values() if not execution.get("error")])
    return found


def _add_reasons(aws: Aws, executions: list[dict[str, Any]]) -> None:
    """Adds to executions that a build has let fail what its log says last about an error."""
    failed = {
        action["build_id"]: execution
        for execution in executions
        if execution["status"] == "Failed"
        for stage in execution["stages"]
        for action in stage["actions"]
        if action["status"] in FAILED and action["build_id"]
    }

    # It is said that they failed, and where, whether their logs may be read or not.
    def add(build: dict[str, Any]) -> None:
        with suppress(ClientError, BotoCoreError):
            failed[build["id"]]["reason"] = last_error(last_log_lines(aws, build))

    with suppress(ClientError, BotoCoreError):
        aws.map(add, read_builds(aws, list(failed)))


def outcome(executions: Executions, params: dict[str, Any], changed: bool) -> dict[str, Any]:
    """The result of executions as they are when there is no more waiting: changed, executions and resources; msg and
    failed where one has failed, or has not ended in time."""
    going = [
        name
        for name, each in executions.items()
        if params["wait"] and not each.get("error") and not ended(each, params["wait_for_approval"])
    ]
    wrong = [
        each.get("error") or f"{_noun(name)}: {why(each)}" for name, each in executions.items() if has_failed(each)
    ]
    result: dict[str, Any] = {
        "changed": changed,
        "executions": [
            {"pipeline": name, "execution_id": each["id"], "label": each["label"]} for name, each in executions.items()
        ],
        "resources": executions,
    }
    said = []
    if wrong:
        more = [f"and {len(wrong) - ERRORS_SHOWN} more: see resources"] if len(wrong) > ERRORS_SHOWN else []
        said.append(
            f"{len(wrong)} of {len(executions)} executions failed. {' | '.join([*wrong[:ERRORS_SHOWN], *more])}"
        )
    if going:
        names = ", ".join(going[:ERRORS_SHOWN]) + (", ..." if len(going) > ERRORS_SHOWN else "")
        said.append(
            f"{len(going)} of {len(executions)} executions have not ended after {params['wait_timeout']} s and go on: "
            f"{names}"
        )
    return {**result, "failed": True, "msg": " ".join(said)} if said else result


def follow(
    executions: Executions,
    params: dict[str, Any],
    deadline: float,
    look: Callable[[Executions], Executions],
    tell: Callable[[Executions, bool], None] = lambda seen, going: None,
) -> Executions:
    """Executions as they are when all have ended (or wait for approval, as the arguments say), or the time is over.

    One that cannot be looked at stays as it was seen last, until that was in vain too often in a row.

    Args:
        executions: as they are now.
        params: the module's arguments.
        deadline: when the time is over, by the monotonic clock.
        look: looks at some of them, as look_at() does.
        tell: is told of all before each look and at the end, and whether there is anything to wait for.
    """
    seen = dict(executions)
    misses = {name: int("error" in each) for name, each in executions.items()}
    while True:
        going = {
            name: each
            for name, each in seen.items()
            if each["action"] != "failed"
            and misses[name] <= FAILED_LOOKS
            and not ended(each, params["wait_for_approval"])
        }
        tell(seen, bool(going))
        if not going or time.monotonic() > deadline:
            return seen
        time.sleep(params["poll_interval"])
        for name, each in look(going).items():
            misses[name] = misses[name] + 1 if "error" in each else 0
            if misses[name] in (0, FAILED_LOOKS + 1):
                seen[name] = each


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that codepipeline_executions does; returns its result."""
    deadline = time.monotonic() + params["wait_timeout"]
    executions = begin(aws, params["executions"])
    started = [name for name, each in executions.items() if each["action"] == "started"]
    there = {name: each for name, each in executions.items() if each["action"] == "followed"}
    executions.update(look_at(aws, there))
    if aws.check_mode and started:
        result = outcome(executions, {**params, "wait": False}, True)
        said = [f"It would start an execution of {', '.join(started)}", *([result["msg"]] if "msg" in result else [])]
        return {**result, "msg": ". ".join(said)}
    if params["wait"]:
        executions = follow(executions, params, deadline, lambda going: look_at(aws, going))
    return outcome(executions, params, bool(started))


def run() -> None:
    """The whole of the module codepipeline_executions."""
    module = aws_module(ARGUMENTS)
    refuse(module, problems(module.params))
    aws = connect(module)
    with understood(module, lambda: "executions", aws.calls):
        result = act(aws, module.params)
    result["api_calls"] = dict(sorted(aws.calls.items()))
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
