# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An estate that tells, events that it is told, and what AWS answers when it is asked about them."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names

ACCOUNT, REGION = "111122223333", "eu-central-1"
EXECUTION = "0f2f5d3f-0000-4000-8000-000000000001"
COMMIT = "5d41402abc4b2a76b9719d911017c592aabbccdd"
COUNTS = "1 to add, 1 to change, 0 to destroy"
CONSOLE = f"https://{REGION}.console.aws.amazon.com/codesuite"

Json = dict[str, Any]


def foundation(notifications: Json | None = None, **values: Any) -> Json:
    """What the estate shares, as the roles pass it on."""
    settings = {"name": "gitops", "region": REGION, "locking": ["dynamodb", "lockfile"], **values}
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55"
    shared = names.foundation_of({**settings, "kms_key_arn": key}, ACCOUNT, "aws")
    told = {"recipients": [], "lock_minutes": 60, "kms_key_id": "", "templates": {}, **(notifications or {})}
    return {**shared, "notifications": told}


def stack(name: str = "network", events: list[str] | None = None, **values: Any) -> Json:
    """A checked stack, as far as it matters here."""
    told = None if events is None and "recipients" not in values else {"events": events}
    if told is not None:
        told["recipients"] = values.pop("recipients", [])
    return {"name": name, "state_key": f"{name}/terraform.tfstate", "notifications": told, **values}


# Events


def ended(state: str, pipeline: str = "gitops-network") -> Json:
    """A run that has ended."""
    return _of_pipeline("Pipeline Execution", state, pipeline)


def waits(pipeline: str = "gitops-network") -> Json:
    """A run that waits for approval."""
    kind = {"owner": "AWS", "provider": "Manual", "category": "Approval", "version": "1"}
    return _of_pipeline("Action Execution", "STARTED", pipeline, action="Approve", stage="Deploy", type=kind)


def _of_pipeline(what: str, state: str, pipeline: str, **detail: Any) -> Json:
    return {
        "version": "0",
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": f"CodePipeline {what} State Change",
        "source": "aws.codepipeline",
        "account": ACCOUNT,
        "time": "2026-11-26T08:15:07Z",
        "region": REGION,
        "resources": [f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{pipeline}"],
        "detail": {"pipeline": pipeline, "execution-id": EXECUTION, "state": state, "version": 1.0, **detail},
    }


def break_glass(**detail: Any) -> Json:
    """Somebody takes the break-glass role, as CloudTrail tells it."""
    return {
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.sts",
        "time": "2026-11-26T08:15:07Z",
        "detail": {
            "eventName": "AssumeRole",
            "eventTime": "2026-11-26T08:15:07Z",
            "userIdentity": {"arn": f"arn:aws:iam::{ACCOUNT}:user/mallory"},
            "sourceIPAddress": "192.0.2.7",
            "requestParameters": {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/gitops-break-glass"},
            **detail,
        },
    }


# Answers


def action(name: str, status: str = "Succeeded", execution: str = EXECUTION, **values: Any) -> Json:
    """An action execution; values: variables, build, message, summary, by, started."""
    provider = {"Source": "CodeStarSourceConnection", "Approve": "Manual"}.get(name, "CodeBuild")
    category = {"Source": "Source", "Approve": "Approval"}.get(name, "Build")
    result: Json = {}
    if provider == "CodeBuild":
        result["ExternalExecutionId"] = values.get("build", f"gitops-network-{name.lower()}:u-{name.lower()}")
    if "message" in values:
        result["ErrorDetails"] = {"Code": "JobFailed", "Message": values["message"]}
    if "summary" in values:
        result["ExternalExecutionSummary"] = values["summary"]
    made: Json = {
        "PipelineExecutionId": execution,
        "ActionName": name,
        "StageName": "Deploy",
        "Status": status,
        "StartTime": values.get("started", "2026-11-26T08:10:00Z"),
        "Input": {"ActionTypeId": {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}},
        "Output": {"OutputArtifacts": [], "ExecutionResult": result},
    }
    if "variables" in values:
        made["Output"]["OutputVariables"] = values["variables"]
    if "by" in values:
        made["UpdatedBy"] = values["by"]
    return made


def source(message: str = "Widen the subnet\n\nBecause.") -> Json:
    """The source action of a commit."""
    author = {"AuthorDisplayName": "Kim", "AuthorEmail": "kim@acme.com", "AuthorId": "kim"}
    return action("Source", variables={"CommitId": COMMIT, "CommitMessage": message, "BranchName": "main", **author})


def plan(effects: str = "", **values: Any) -> Json:
    """The action that has planned."""
    variables = {"PLAN_SUMMARY": COUNTS, "PLAN_EFFECTS": effects, "PLAN_ID": "1f0b1e7a2a3c", **values}
    return action("Plan", variables=variables)


def answers(*actions: Json, log: str = "", message: str = "Command failed", **more: Any) -> Json:
    """What AWS answers of a run with these actions, the newest first."""
    lines = [{"Timestamp": 1, "Message": f"{line}\n"} for line in log.split("\n")]
    run = {
        "PipelineExecutionId": EXECUTION,
        "Status": "Failed",
        "ArtifactRevisions": [
            {
                "Name": "source",
                "RevisionId": COMMIT,
                "RevisionSummary": '{"ProviderType":"GitHub","CommitMessage":"Widen the subnet"}',
                "RevisionUrl": "https://example.com/commit",
            }
        ],
        "Trigger": {"TriggerType": "StartPipelineExecution", "TriggerDetail": f"arn:aws:iam::{ACCOUNT}:user/kim"},
    }
    build = {
        "Logs": {"GroupName": "/gitops/builds", "StreamName": "gitops-network-apply/u-apply"},
        "Phases": [
            {"PhaseType": "INSTALL", "PhaseStatus": "SUCCEEDED", "Contexts": [{"Message": ""}]},
            {"PhaseType": "BUILD", "PhaseStatus": "FAILED", "Contexts": [{"Message": message}]},
            {"PhaseType": "COMPLETED"},
        ],
    }
    return {
        "codepipeline:getPipelineExecution": {"PipelineExecution": run},
        "codepipeline:listActionExecutions": {"ActionExecutionDetails": list(actions)},
        "codebuild:batchGetBuilds": {"Builds": [build]},
        "cloudwatchlogs:getLogEvents": {"Events": lines},
        "sns:publish": {"MessageId": "1"},
        "eventbridge:putEvents": {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]},
        **more,
    }
