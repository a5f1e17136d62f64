# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.
"""Gathers what is known of an estate, in few calls, and reads only.

Of a stack there are three calls at most: its newest runs (ListPipelineExecutions), the state of its stages where
something runs or has failed (GetPipelineState), and the newest runs that looked for drift (ListActionExecutions, whose
output variables say what was found). Why builds failed is in their logs: BatchGetBuilds for a hundred of them, and
GetLogEvents for each. Locks come from one scan of the table and one list of the bucket, findings from
the artifact of the newest scan of the account. A lock that is a file only is read by one more call.

What cannot be read of one stack is said of it, and loses nothing of the others.
"""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, error_code, explain
from ansible_collections.gitops.aws.plugins.module_utils._builds import last_error, last_log_lines
from ansible_collections.gitops.aws.plugins.module_utils._builds import read as read_builds
from ansible_collections.gitops.aws.plugins.module_utils._findings import report as findings_report
from ansible_collections.gitops.aws.plugins.module_utils._names import empty_problems
from ansible_collections.gitops.aws.plugins.module_utils._status import model
from ansible_collections.gitops.aws.plugins.module_utils._terraform_locks import SUFFIX, Lock, all_of_bucket, time_of

ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "account_id": {"type": "str", "required": True},
    "partition": {"type": "str", "default": "aws"},
    "stacks": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "pipeline": {"type": "str", "required": True},
            "drift_pipeline": {"type": "str"},
            "state_key": {"type": "str", "no_log": False},
            "repository": {"type": "str", "default": ""},
            "branch": {"type": "str", "default": ""},
        },
    },
    "state_bucket": {"type": "str"},
    "lock_table": {"type": "str"},
    "lock_files": {"type": "bool", "default": True},
    "scan_pipeline": {"type": "str"},
    "runs": {"type": "int", "default": 20},
    "max_age_hours": {"type": "int", "default": 26},
}
MOST_RUNS = 100  # of a page of ListPipelineExecutions
PAGE = 100  # of ListActionExecutions

SCAN_ARTIFACT, SCAN_FILE = "scan", "findings.json"
LARGEST = 200_000_000  # bytes of findings.json

# With such an answer every other call fails alike: that is no news of a stack.
OF_THE_CALLER = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
NOT_THERE = "PipelineNotFoundException"


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments of estate_status_info, found without a call."""
    found = empty_problems(params, ("name", "account_id"))
    first: dict[str, int] = {}
    for index, stack in enumerate(params["stacks"]):
        found += [f"stacks[{index}].{problem}" for problem in empty_problems(stack, ("name", "pipeline"))]
        if first.setdefault(stack["name"], index) != index:
            found.append(f"stacks[{index}].name: {stack['name']!r} is also that of stacks[{first[stack['name']]}]")
    if not 1 <= params["runs"] <= MOST_RUNS:
        found.append(f"runs: {params['runs']} is not between 1 and {MOST_RUNS}")
    if params["max_age_hours"] < 1:
        found.append(f"max_age_hours: {params['max_age_hours']} is not allowed, it must be 1 or more")
    return found


def info(aws: Aws, params: dict[str, Any], now: datetime | None = None) -> dict[str, Any]:
    """All that estate_status_info does; returns its result, with the shape of model.py."""
    now = now or datetime.now(timezone.utc)
    for service in ("codebuild", "codepipeline", "dynamodb", "logs", "s3"):  # boto3 makes clients in one thread only
        aws.client(service)
    looking = Looking(aws, params, now)
    findings, of_scan = looking.findings()
    locks, unread = looking.locks()

    def look(stack: dict[str, Any]) -> dict[str, Any]:
        return looking.stack(stack, locks, unread, of_scan.get(stack["name"]))

    stacks = aws.map(look, params["stacks"])
    looking.add_errors()
    wrong = [{"what": "locks", "why": unread}] if unread else []
    wrong += [{"what": f"stack {one['name']}", "why": one["reason"]} for one in stacks if one["reason"]]
    unknown = [one for one in stacks if one["drift"]["state"] == model.UNKNOWN]
    wrong += [{"what": f"drift of {one['name']}", "why": one["drift"]["reason"]} for one in unknown]
    if findings and findings["state"] == model.UNKNOWN:
        wrong.append({"what": "findings", "why": findings["reason"]})
    estate = {
        "time": model.utc(now),
        "name": params["name"],
        "account_id": params["account_id"],
        "region": looking.region,
        "complete": not wrong,
        "problems": wrong,
        "stacks": stacks,
        "findings": findings,
    }
    return {"changed": False, "status": {**estate, "counts": model.counts(estate)}}


class Looking:
    """One look at an estate."""

    def __init__(self, aws: Aws, params: dict[str, Any], now: datetime) -> None:
        self.aws = aws
        self.params = params
        self.region: str = aws.client("codepipeline").meta.region_name
        self.base = model.console(params["partition"], self.region)
        self.oldest = now - timedelta(hours=params["max_age_hours"])
        self.failed: dict[str, tuple[str, dict[str, Any]]] = {}  # by build, the action and the run that it let fail

    def url(self, pipeline: str) -> Callable[[str], str]:
        """Makes links of the ids of a pipeline's executions."""
        return lambda execution_id: model.execution_url(self.base, pipeline, execution_id, self.region)

    # A stack

    def stack(
        self, given: dict[str, Any], locks: dict[str, list[Lock]], unread: str, of_scan: dict[str, Any] | None
    ) -> dict[str, Any]:
        """What is known of a stack; what could not be read is in its `reason`."""
        name = given["pipeline"]
        found: dict[str, Any] = {
            "name": given["name"],
            "pipeline": name,
            "repository": given["repository"],
            "branch": given["branch"],
            "url": model.pipeline_url(self.base, name, self.region),
            "reason": "",
            "runs": [],
            "last": None,
            "approval": None,
            "lock": self._lock(locks.get(given["state_key"] or "", []), unread),
        }
        _nothing, found["reason"] = attempt(lambda: self._runs(found), f"pipeline {name}")
        found["drift"] = self._drift(given["drift_pipeline"], of_scan)
        found["flags"] = model.flags(found)
        return found

    def _runs(self, found: dict[str, Any]) -> None:
        client, name, link = self.aws.client("codepipeline"), found["pipeline"], self.url(found["pipeline"])
        number = self.params["runs"]
        answer = client.list_pipeline_executions(pipelineName=name, maxResults=number)
        summaries = answer["pipelineExecutionSummaries"][:number]
        runs = [model.run(each, link(each["pipelineExecutionId"])) for each in summaries]
        found["runs"], found["last"] = runs, model.last(runs)
        if not model.needs_state(runs):
            return
        stages = client.get_pipeline_state(name=name)["stageStates"]
        waiting = model.approval(stages)
        if waiting:
            found["approval"] = {**waiting, "url": found["url"]}
            for each in runs:
                if each["id"] == waiting["execution_id"]:
                    each["result"] = model.WAITING
        ended = found["last"]
        if ended and ended["result"] == model.FAILED:
            failure = model.failure(stages, ended["id"])
            if failure and not ended["reason"]:
                ended["reason"] = model.why_failed(failure["action"], failure["said"])
                if failure["build_id"]:
                    self.failed[failure["build_id"]] = (failure["action"], ended)

    def add_errors(self) -> None:
        """Says of the runs that a build has let fail what its log says last about an error.

        CodePipeline knows only that the build failed. That stays where the log may not be read, or is gone.
        """

        def add(build: dict[str, Any]) -> None:
            action, run = self.failed[build["id"]]
            with suppress(ClientError, BotoCoreError):
                error = last_error(last_log_lines(self.aws, build))
                run["reason"] = model.why_failed(action, error) if error else run["reason"]

        with suppress(ClientError, BotoCoreError):
            self.aws.map(add, read_builds(self.aws, list(self.failed)))

    def _lock(self, locks: list[Lock], unread: str) -> dict[str, Any]:
        if unread:
            return {"state": model.UNKNOWN, "reason": unread}
        if not locks:
            return {"state": model.FREE, "reason": ""}
        lock = locks[0]
        return {
            "state": model.HELD,
            "reason": "",
            "id": lock.id,
            "who": lock.who,
            "operation": lock.operation.removeprefix("OperationType").lower(),
            "since": model.utc(time_of(lock.created)),
        }

    def _drift(self, pipeline: str | None, of_scan: dict[str, Any] | None) -> dict[str, Any]:
        if not pipeline:
            return {"state": model.OFF, "reason": ""}
        details, why = attempt(lambda: self._actions(pipeline), f"pipeline {pipeline}")
        if details is None:
            return {"state": model.UNKNOWN, "reason": why}
        return model.with_ignored(model.drift(details, self.oldest, self.url(pipeline)), of_scan)

    def _actions(self, pipeline: str) -> list[dict[str, Any]]:
        """The newest actions of a pipeline, one page (ListActionExecutions)."""
        answer = self.aws.client("codepipeline").list_action_executions(pipelineName=pipeline, maxResults=PAGE)
        actions: list[dict[str, Any]] = answer["actionExecutionDetails"]
        return actions

    # What the stacks share

    def locks(self) -> tuple[dict[str, list[Lock]], str]:
        """The locks of our stacks' states by key, and why they could not be read, '' where they could."""
        found, why = attempt(self._locks, "lock table and state bucket")
        return found or {}, why

    def _locks(self) -> dict[str, list[Lock]]:
        bucket, table = self.params["state_bucket"], self.params["lock_table"]
        ours = {stack["state_key"] for stack in self.params["stacks"] if stack["state_key"]}
        if not bucket or not ours:
            return {}
        found = all_of_bucket(self.aws, bucket, table, []) if table else {}
        if self.params["lock_files"]:
            pages = self.aws.pages("s3", "list_objects_v2", "Contents", Bucket=bucket)
            files = {one["Key"][: -len(SUFFIX)] for one in pages if one["Key"].endswith(SUFFIX)}
            # Terraform writes the same into both: one half is enough to say who holds it.
            found |= all_of_bucket(self.aws, bucket, None, sorted(files & ours - set(found)))
        return {key: locks for key, locks in found.items() if key in ours}

    def findings(self) -> tuple[dict[str, Any] | None, dict[str, dict[str, Any]]]:
        """What the newest scan of the account found, and what it says of stacks by their names; None and {} where
        nothing scans."""
        pipeline = self.params["scan_pipeline"]
        if not pipeline:
            return None, {}
        actions, why = attempt(lambda: self._actions(pipeline), f"pipeline {pipeline}")
        empty = {"state": model.UNKNOWN, "reason": why, "checked": "", "url": "", "summary": "", "complete": False}
        empty |= {"old": False, "approval_url": "", "items": [], "coverage": []}
        if actions is None:
            return empty, {}
        scans = [one for one in actions if one["stageName"] == "Scan" and one["status"] in ("Succeeded", "Failed")]
        good = next((one for one in scans if one["status"] == "Succeeded"), None)
        if any(one["actionName"] == "Approve" and one["status"] == "InProgress" for one in actions):
            empty["approval_url"] = model.pipeline_url(self.base, pipeline, self.region)
        if good is None:
            if scans:
                return {**empty, "reason": f"the newest scan, {scans[0]['pipelineExecutionId']}, failed"}, {}
            return {**empty, "state": model.NEVER, "reason": "the account has not been scanned yet"}, {}
        failed = f"the newest scan, {scans[0]['pipelineExecutionId']}, failed" if good is not scans[0] else ""
        checked = good.get("lastUpdateTime")
        known = {
            **empty,
            "reason": failed,
            "checked": model.utc(checked),
            "old": bool(checked and checked < self.oldest),
            "url": self.url(pipeline)(good["pipelineExecutionId"]),
            "summary": good.get("output", {}).get("outputVariables", {}).get("PLAN_SUMMARY", ""),
        }
        raw, why = attempt(lambda: self._report(good), "the report of the newest scan")
        if raw is None:
            return {**known, "state": model.UNKNOWN, "reason": why}, {}
        try:
            stacks = [one for one in raw.get("stacks") or [] if isinstance(one, dict)]
            return {**known, **told(raw)}, {str(one.get("stack", "")): one for one in stacks}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return {**known, "state": model.UNKNOWN, "reason": f"the report of the newest scan is none: {error!r}"}, {}

    def _report(self, scan: dict[str, Any]) -> dict[str, Any]:
        artifacts = scan.get("output", {}).get("outputArtifacts", [])
        place = next((one["s3location"] for one in artifacts if one["name"] == SCAN_ARTIFACT), None)
        if place is None:
            raise Unread("its run has no artifact")
        answer = self.aws.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])
        try:
            with zipfile.ZipFile(io.BytesIO(answer["Body"].read())) as archive:
                if archive.getinfo(SCAN_FILE).file_size > LARGEST:
                    raise Unread(f"{SCAN_FILE} is too large")
                found = json.loads(archive.read(SCAN_FILE))
        except (KeyError, ValueError, RecursionError, zipfile.BadZipFile):
            raise Unread(f"its artifact holds no {SCAN_FILE}") from None
        if not isinstance(found, dict):
            raise Unread(f"{SCAN_FILE} is none of ours")
        return found


class Unread(Exception):
    """Something cannot be read that is there; the text is for the user."""


def attempt(call: Callable[[], Any], what: str) -> tuple[Any, str]:
    """What a call returns, or None and why it failed. Raises what is not about the resource."""
    try:
        return call(), ""
    except Unread as error:
        return None, f"{what}: {error}"
    except (BotoCoreError, ClientError) as error:
        code = error_code(error)
        if code in OF_THE_CALLER:
            raise
        return None, f"there is no {what}" if code == NOT_THERE else explain(error, what)


def told(raw: dict[str, Any]) -> dict[str, Any]:
    """What the estate's report says of a report about the account; what is changed is told with its stack."""
    result = findings_report.of(raw)
    items = [
        {
            "group": group.title,
            "type": str(one.get("type", "")),
            "id": str(one.get("arn") or one.get("id") or ""),
            "name": str(one.get("name") or one.get("address") or one.get("id") or ""),
            "region": str(one.get("region", "")),
            "since": str((one.get("creator") or {}).get("time") or one.get("created") or one.get("first_seen") or ""),
            "text": _text(one, group),
        }
        for group in findings_report.groups(result)
        if group.name != findings_report.CHANGED
        for one in group.items
    ]
    return {
        "state": model.FOUND if items else model.NONE,
        "summary": findings_report.summary(result),
        "complete": bool(result["complete"]),
        "items": items,
        "coverage": [{"title": title, "lines": lines} for title, lines in findings_report.coverage(result)],
    }


def _text(one: dict[str, Any], group: findings_report.Group) -> str:
    """Who made it and why it is a finding, in a line."""
    if group.name == findings_report.GHOSTS:
        return f"{one.get('stack') or one.get('state', '')}: {one.get('reason', '')}".strip(": ")
    creator = one.get("creator") or {}
    who = str(creator.get("principal", "")).rpartition(":")[2]
    session = f" as {creator['session']}" if creator.get("session") else ""
    return f"by {who}{session}" if who else str(one.get("reason", ""))
