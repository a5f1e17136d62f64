# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Reads the executions that are diagnosed, with their builds and the ends of their logs; and the module's frame."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._builds import describe, last_log_lines
from ansible_collections.gitops.aws.plugins.module_utils._builds import read as read_builds
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis import diagnose
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_facts import Reader
from ansible_collections.gitops.aws.plugins.module_utils._names import empty_problems

ARGUMENTS: dict[str, Any] = {
    "foundation": {"type": "dict", "required": True},
    "stacks": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "roles": {"type": "list", "elements": "dict", "required": True},
            "projects": {"type": "list", "elements": "dict", "required": True},
            "pipelines": {"type": "list", "elements": "str", "required": True},
            "parameters": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "dict", "required": True},
        },
    },
    "newest": {"type": "bool", "default": False},
    "execution_id": {"type": "str"},
}

LAST_LINES = 200  # of a build's log: Terraform tells of each resource that failed
BESIDE = 25  # builds of a project that are looked at for one that ran beside

NO_PIPELINE = ("PipelineNotFoundException",)
NO_EXECUTION = ("PipelineExecutionNotFoundException", *NO_PIPELINE)


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments of pipeline_diagnosis_info, found without a call."""
    return empty_problems(params, ("execution_id",))


def info(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that pipeline_diagnosis_info does; returns its result."""
    stacks, foundation = params["stacks"], params["foundation"]
    aws.client("codepipeline")  # boto3 makes clients in one thread only
    found: list[tuple[str, str, str]] = []
    if params["execution_id"]:
        found = _named(aws, stacks, params["execution_id"])
        stacks = [stack for stack in stacks if stack["name"] == found[0][0]]
    elif params["newest"]:
        found = [one for newest in aws.map(lambda stack: _newest(aws, stack), stacks) for one in newest]
    reader = Reader(aws, foundation, stacks)
    facts = reader.read()
    facts.runs = [read(aws, *which) for which in found]
    findings = diagnose(stacks, foundation, facts, closer=bool(params["newest"] or params["execution_id"]))
    return {
        "changed": False,
        "findings": [finding.public() for finding in findings],
        "executions": [{name: run[name] for name in ("stack", "pipeline", "id", "status")} for run in facts.runs],
    }


def _named(aws: Aws, stacks: list[dict[str, Any]], execution_id: str) -> list[tuple[str, str, str]]:
    """Stack, pipeline and id of an execution. Raises Refused where no pipeline has it."""
    client = aws.client("codepipeline")

    def has(place: tuple[str, str]) -> bool:
        names = {"pipelineName": place[1], "pipelineExecutionId": execution_id}
        return read_or_none(client.get_pipeline_execution, NO_EXECUTION, **names) is not None

    places = [(stack["name"], pipeline) for stack in stacks for pipeline in stack["pipelines"]]
    found = [(*place, execution_id) for place, there in zip(places, aws.map(has, places)) if there]
    if not found:
        raise Refused(f"no pipeline of {', '.join(stack['name'] for stack in stacks)} has an execution {execution_id}")
    return found


def _newest(aws: Aws, stack: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The newest execution of a stack's pipelines, as _named; [] where none ever ran.

    Of the pipeline that looks for drift, which runs every day, only one that failed, beside the newest of the others.
    """
    client = aws.client("codepipeline")
    newest: dict[bool, tuple[dict[str, Any], str]] = {}
    for pipeline in stack["pipelines"]:
        drift = pipeline.endswith("-drift")  # no stack has such a name
        answer = read_or_none(client.list_pipeline_executions, NO_PIPELINE, pipelineName=pipeline, maxResults=1)
        for one in (answer or {}).get("pipelineExecutionSummaries", [])[:1]:
            last = drift not in newest or one["startTime"] > newest[drift][0]["startTime"]
            if last and (not drift or one["status"] == "Failed"):
                newest[drift] = one, pipeline
    return [(stack["name"], pipeline, one["pipelineExecutionId"]) for one, pipeline in newest.values()]


def read(aws: Aws, stack: str, pipeline: str, execution_id: str) -> dict[str, Any]:
    """An execution, as _diagnosis_runs takes it."""
    client = aws.client("codepipeline")
    names = {"pipelineName": pipeline, "pipelineExecutionId": execution_id}
    execution = client.get_pipeline_execution(**names)["pipelineExecution"]
    details = aws.pages(
        "codepipeline",
        "list_action_executions",
        "actionExecutionDetails",
        pipelineName=pipeline,
        filter={"pipelineExecutionId": execution_id},
    )
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for detail in details:  # newest first, so that of a retried action the last try stays
        last.setdefault((detail["stageName"], detail["actionName"]), detail)
    actions = [_action(detail) for detail in last.values()]
    looked_at = [action for action in actions if action["status"] in ("Failed", "InProgress")]
    builds = read_builds(aws, [action["build_id"] for action in looked_at if action["build_id"]])
    # Only where somebody else's build can be the reason: the action has none, or one that waits.
    waiting = {build["id"] for build in builds if build.get("currentPhase") == "QUEUED"}
    projects = [a["project"] for a in looked_at if a["project"] and (not a["build_id"] or a["build_id"] in waiting)]
    return {
        "stack": stack,
        "pipeline": pipeline,
        "id": execution_id,
        "status": execution["status"],
        "actions": actions,
        "builds": {build["id"]: _build(aws, build) for build in builds},
        "others": {project: _beside(aws, project) for project in dict.fromkeys(projects)},
    }


def _action(detail: dict[str, Any]) -> dict[str, Any]:
    given, result = detail.get("input", {}), detail.get("output", {}).get("executionResult", {})
    build = given.get("actionTypeId", {}).get("provider") == "CodeBuild"
    said = (result.get("errorDetails", {}).get("message"), result.get("externalExecutionSummary"))
    ended = detail.get("lastUpdateTime")
    return {
        "stage": detail["stageName"],
        "name": detail["actionName"],
        "status": detail["status"],
        "message": " ".join(dict.fromkeys(text for text in said if text)),
        "build_id": result.get("externalExecutionId", "") if build else "",
        "project": given.get("configuration", {}).get("ProjectName", "") if build else "",
        "ended": ended.isoformat() if ended else "",
    }


def _build(aws: Aws, build: dict[str, Any]) -> dict[str, Any]:
    return {
        **describe(build),
        "role": build.get("serviceRole", ""),
        "image": build.get("environment", {}).get("image", ""),
        "log": last_log_lines(aws, build, LAST_LINES),
    }


def _beside(aws: Aws, project: str) -> list[dict[str, Any]]:
    """The newest builds of a project."""
    ids = aws.client("codebuild").list_builds_for_project(projectName=project, sortOrder="DESCENDING")["ids"]
    known = [describe(build) for build in read_builds(aws, ids[:BESIDE])]
    return [{name: one[name] for name in ("id", "status", "start_time", "end_time")} for one in known]
