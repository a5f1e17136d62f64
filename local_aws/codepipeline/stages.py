# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes an execution through a stage it has entered: conditions, actions, and what a failure leads to."""

from __future__ import annotations

import threading
from typing import Any

from local_aws.codepipeline import actions, conditions, notices
from local_aws.codepipeline.actions import ActionFailedError, Job
from local_aws.codepipeline.model import ActionRun, Execution, Pipeline, now

EVENT_STATES = {
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "Stopped": "STOPPED",
    "Superseded": "SUPERSEDED",
    "Cancelled": "CANCELED",
    "Abandoned": "ABANDONED",
    "Skipped": "SKIPPED",
}
_ENDS = {
    conditions.MET: "Succeeded",
    conditions.STOPPED: "Stopped",
    "FAIL": "Failed",
    "SKIP": "Skipped",
    "ROLLBACK": "Failed",
}


def run(pipeline: Pipeline, execution: Execution, stage: dict[str, Any], only: set[str] | None) -> tuple[str, bool]:
    """Run a stage, only some of its actions if given; the state it ended in, and whether it is to be rolled back."""
    name = stage["name"]
    resumed = name in execution.stage_status
    execution.stage_status[name] = "InProgress"
    notices.stage_changed(pipeline, execution, name, "RESUMED" if resumed else "STARTED")
    result = conditions.evaluate(pipeline, execution, stage, "beforeEntry")
    if result == conditions.MET:
        status = _with_retry(pipeline, execution, stage, only)
        if status == "Stopped":
            return status, False
        if status == "Succeeded":
            result = conditions.evaluate(pipeline, execution, stage, "onSuccess")
        else:
            result = _after_failure(pipeline, execution, stage)
    return _ENDS[result], result == "ROLLBACK"


def _with_retry(pipeline: Pipeline, execution: Execution, stage: dict[str, Any], only: set[str] | None) -> str:
    """Run the actions, once more after a failure if the stage says so; the state they ended in."""
    name, failure = stage["name"], stage.get("onFailure", {})
    status = _actions(pipeline, execution, stage, only)
    if status != "Failed" or failure.get("result") != "RETRY" or execution.automatic_retries.get(name):
        return status
    execution.automatic_retries[name] = 1
    mode = failure.get("retryConfiguration", {}).get("retryMode", "ALL_ACTIONS")
    return _actions(pipeline, execution, stage, unfinished(execution, stage) if mode == "FAILED_ACTIONS" else None)


def _after_failure(pipeline: Pipeline, execution: Execution, stage: dict[str, Any]) -> str:
    """What failed actions lead to: the result of the onFailure condition if it is not met, else onFailure's own."""
    if execution.stop_requested:
        return "FAIL"
    result = conditions.evaluate(pipeline, execution, stage, "onFailure")
    if result == conditions.MET:
        result = stage.get("onFailure", {}).get("result", "FAIL")
    return "FAIL" if result in ("RETRY", conditions.STOPPED) else result


def unfinished(execution: Execution, stage: dict[str, Any]) -> set[str]:
    """The actions of a stage whose latest run did not succeed, or that never ran."""
    latest = {run.name: run.status for run in execution.runs if run.stage == stage["name"]}
    return {action["name"] for action in stage["actions"] if latest.get(action["name"]) != "Succeeded"}


def _actions(pipeline: Pipeline, execution: Execution, stage: dict[str, Any], only: set[str] | None) -> str:
    """Run the actions of a stage by runOrder, those of one order at the same time."""
    chosen = [action for action in stage["actions"] if only is None or action["name"] in only]
    for order in sorted({action["runOrder"] for action in chosen}):
        if execution.stop_requested:
            return "Stopped"
        group = [
            ActionRun(execution.id, execution.version, stage["name"], action)
            for action in chosen
            if action["runOrder"] == order
        ]
        with pipeline.condition:
            execution.runs.extend(group)
            pipeline.runs.extend(group)
        for run in group:
            threading.Thread(
                target=_action, args=(pipeline, execution, run), daemon=True, name=f"action-{run.name}"
            ).start()
        states = _ended(pipeline, group)
        if "Failed" in states:
            return "Failed"
        if "Abandoned" in states:
            return "Stopped"
    return "Stopped" if execution.stop_requested else "Succeeded"


def _ended(pipeline: Pipeline, runs: list[ActionRun]) -> set[str]:
    """Wait until no run is in progress; the states they ended in."""
    with pipeline.condition:
        pipeline.condition.wait_for(lambda: all(run.status != "InProgress" for run in runs))
        return {run.status for run in runs}


def _action(pipeline: Pipeline, execution: Execution, run: ActionRun) -> None:
    """Run one action to its end, and record the outcome unless it was abandoned meanwhile."""
    error: ActionFailedError | None = None
    try:
        run.inputs, run.configuration = actions.prepared(execution, run.action)
        notices.action_changed(pipeline, execution, run, "STARTED")
        role = actions.role_of(pipeline, execution, run.action)
        actions.of(run.action).run(Job(pipeline, execution, run, role, lambda: _touch(pipeline, run)))
    except Exception as failure:
        error = actions.worded(failure)
    with pipeline.condition:
        if run.status != "InProgress":
            return
        run.updated = now()
        if error is not None:
            run.error = {"code": error.code, "message": error.message[:5000]}
            run.outputs = []
        else:
            execution.artifacts.update({item.name: item for item in run.outputs})
            if namespace := run.action.get("namespace"):
                execution.namespaces[namespace] = dict(run.variables)
            if run.revision is not None:
                for item in run.outputs:
                    execution.revisions[item.name] = run.revision | {
                        "name": item.name,
                        "revisionUrl": run.revision_url,
                        "actionName": run.name,
                    }
    # The event goes out before the engine can move on, so that events keep AWS's order.
    status = "Failed" if error is not None else "Succeeded"
    notices.action_changed(pipeline, execution, run, EVENT_STATES[status])
    with pipeline.condition:
        if run.status == "InProgress":
            run.status = status
        pipeline.condition.notify_all()


def _touch(pipeline: Pipeline, run: ActionRun) -> None:
    with pipeline.condition:
        run.updated = now()
        pipeline.condition.notify_all()
