# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What looks for drift in the account itself: pipeline, build projects, roles and schedules, as the modules take them.

The pipeline scans; and where removal is on, it acts on what the scan planned, once somebody has approved that. Its
source is the collection itself with the settings, which only installers write: no commit changes what it does.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import guardrails, names
from ansible_collections.gitops.aws.plugins.module_utils._estate.drift_settings import DRIFT
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.pipelines import CONSOLES, with_parts
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import (
    Statement,
    allow,
    artifact_folders,
    document,
    logs,
    trust,
    use_key,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue, permissions
from ansible_collections.gitops.aws.plugins.module_utils._notices import model

SCAN, ACT = "scan", "act"
TAG_COPIES = "ec2:CreateTags"
ANYTHING = "*"  # the resources that are looked for have names and ids of somebody else's choice
TIMEOUT = 120  # minutes of a build
# Minutes: a plan is valid for 24 hours, and the next scan is to find the stage free.
APPROVAL_TIMEOUT = 23 * 60

# Hours after which what a stack's pipeline found counts no more: at least a day's, and a week's where nobody knows when
# the next is. Two more are for the runs themselves.
LEAST_AGE, UNKNOWN_AGE = 26, 7 * 24 + 2
RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
HOURS = {"minute": 1 / 60, "hour": 1, "day": 24}

# Beside the calls of types: who made it, and what else there is.
LOOKING = [
    "cloudtrail:DescribeTrails",
    "cloudtrail:LookupEvents",
    "resource-explorer-2:GetDefaultView",
    "resource-explorer-2:GetIndex",
    "resource-explorer-2:ListResources",
    "resource-explorer-2:ListViews",
    "resource-explorer-2:Search",
    "tag:GetResources",
]


def steps(foundation: Foundation) -> list[str]:
    """The build projects that there are: none without drift, and act only where removal is on."""
    drift = foundation["drift"]
    return [] if not drift else [SCAN, ACT] if drift["removal"] else [SCAN]


def schedule_group(foundation: Foundation) -> str:
    """The group of the estate's schedules; it carries the estate's tag for them."""
    name: str = foundation["name"]
    return name


# Roles


def looking(foundation: Foundation) -> list[Statement]:
    """Reading what there is, and what is known of it: states, drift of stacks, the ledger."""
    state, artifacts = names.buckets(foundation)
    statements = [
        allow("Look", [*permissions.reading(catalogue.ALL.values()), *LOOKING], [ANYTHING]),
        allow("Buckets", ["s3:ListBucket"], [state, artifacts]),
        allow("States", ["s3:GetObject"], [f"{state}/*"]),
        allow("DriftOfStacks", ["s3:GetObject"], [f"{artifacts}/*/drift/*"]),
        allow(
            "RunsOfStacks",
            ["codepipeline:ListActionExecutions", "codepipeline:ListPipelineExecutions"],
            [names.arn(foundation, "codepipeline", f"{foundation['name']}-*-drift")],
        ),
    ]
    if "dynamodb" in foundation["locking"]:
        table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
        statements.append(allow("Locks", ["dynamodb:Scan"], [table]))
    return statements


def remembering(foundation: Foundation) -> list[Statement]:
    """Writing the ledger and the reports, and not the source of the pipeline."""
    state, _artifacts = names.buckets(foundation)
    deny = {
        "Sid": "NotTheSource",
        "Effect": "Deny",
        "Action": "s3:PutObject*",
        "Resource": f"{state}/{names.DRIFT_SOURCE}",
    }
    return [allow("Remember", ["s3:PutObject"], [f"{state}/{names.DRIFT_PREFIX}*"]), deny]


def acting(foundation: Foundation, stacks: list[Stack]) -> list[Statement]:
    """Quarantine, copies, removal and undoing of the types that the settings name; never of what is the estate's.

    The locks of all states are held meanwhile, so that no build runs.
    """
    actions = permissions.acting(catalogue.ALL[name] for name in foundation["drift"]["types"])
    tagging = TAG_COPIES in actions
    actions = [action for action in actions if action != TAG_COPIES]
    services = {action.partition(":")[0] for action in actions}
    state, _artifacts = names.buckets(foundation)
    untouched = {"Null": {f"aws:ResourceTag/{tag}": "true" for tag in (names.OWNER_TAG, names.PROTECT_TAG)}}
    own = [
        statement
        for statement in guardrails.own_things(foundation, stacks, [])
        if statement["Action"] and statement["Action"][0].partition(":")[0] in services
    ]
    # The buckets where code is count as the estate's, whoever made them.
    code = {"Buckets": names.source_buckets(foundation, stacks)}
    own = [{**one, "Resource": [*one["Resource"], *code.get(one["Sid"], [])]} for one in own]
    statements = [allow("Act", actions, [ANYTHING], untouched), *guardrails.together(own)]
    if tagging:  # of a copy, while it is made, and of nothing that is there
        making = {"StringEquals": {"ec2:CreateAction": ["CreateImage", "CreateSnapshot"]}}
        copies = [f"arn:{foundation['partition']}:ec2:*:*:{kind}/*" for kind in ("image", "snapshot")]
        statements.append(allow("TagCopies", [TAG_COPIES], copies, making))
    attaching = sorted({"iam:AttachRolePolicy", "iam:AttachUserPolicy"}.intersection(actions))
    if attaching:  # that quarantines an identity; with any other policy it would make one that may do everything
        denies_all = f"arn:{foundation['partition']}:iam::aws:policy/AWSDenyAll"
        statements.append(
            {
                "Sid": "OnlyDenyAll",
                "Effect": "Deny",
                "Action": attaching,
                "Resource": ANYTHING,
                "Condition": {"ArnNotEquals": {"iam:PolicyARN": denies_all}},
            }
        )
    if "lockfile" in foundation["locking"]:
        statements.append(
            allow("LockFiles", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], [f"{state}/*.tflock"])
        )
    if "dynamodb" in foundation["locking"]:
        table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
        statements.append(
            allow("TakeLocks", ["dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:PutItem"], [table])
        )
    return statements


def moving(foundation: Foundation, read: list[str], write: list[str]) -> list[Statement]:
    """The artifacts of the central pipeline, by their names, and the bucket that they are in."""
    _state, bucket = names.buckets(foundation)
    (folder,) = artifact_folders(foundation, [names.central(foundation)])
    statements = [
        allow(
            "ArtifactBucket",
            ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket"],
            [bucket],
        ),
        allow("ReadArtifacts", ["s3:GetObject", "s3:GetObjectVersion"], [f"{folder}/{name}/*" for name in read]),
    ]
    return [*statements, allow("WriteArtifacts", ["s3:PutObject"], [f"{folder}/{name}/*" for name in write])]


def build_role(foundation: Foundation, stacks: list[Stack], step: str) -> dict[str, Any]:
    """The role of the scan's build, or of the one that acts."""
    project = names.central(foundation, step)
    artifacts = moving(foundation, ["source"] if step == SCAN else ["source", SCAN], [step])
    policies = {
        "build": document([*artifacts, logs(foundation, [project]), use_key(foundation)]),
        "look": document([*looking(foundation), *remembering(foundation)]),
    }
    if step == ACT:
        policies["act"] = document(acting(foundation, stacks))
    verb = "looks for" if step == SCAN else "deals with"
    return {
        "name": project,
        "description": f"CodeBuild {verb} what the code of {foundation['name']} does not explain",
        "assume_role_policy": trust(
            foundation, "codebuild", [names.arn(foundation, "codebuild", f"project/{project}")]
        ),
        "inline_policies": policies,
        "managed_policies": [],
    }


def pipeline_role(foundation: Foundation) -> dict[str, Any]:
    """The role of the central pipeline: it fetches the source, moves artifacts and starts the builds."""
    state, _artifacts = names.buckets(foundation)
    (folder,) = artifact_folders(foundation, [names.central(foundation)])
    upload = ["s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectAcl", "s3:PutObjectTagging"]
    statements = [
        allow("SourceBucket", ["s3:GetBucketVersioning"], [state]),
        allow(
            "Source",
            ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionTagging"],
            [f"{state}/{names.DRIFT_SOURCE}"],
        ),
        *moving(foundation, ["*"], ["*"]),
        allow("UploadSource", upload, [f"{folder}/source/*"]),
        use_key(foundation),
        allow(
            "Builds",
            ["codebuild:BatchGetBuilds", "codebuild:StartBuild"],
            [
                names.arn(foundation, "codebuild", f"project/{names.central(foundation, one)}")
                for one in steps(foundation)
            ],
        ),
    ]
    pipeline = names.arn(foundation, "codepipeline", names.central(foundation))
    return {
        "name": names.central(foundation, "pipeline"),
        "description": f"CodePipeline runs {names.central(foundation)}",
        "assume_role_policy": trust(foundation, "codepipeline", [pipeline]),
        "inline_policies": {"pipeline": document(statements)},
        "managed_policies": [],
    }


def schedule_role(foundation: Foundation) -> dict[str, Any]:
    """The role of the schedules: it starts the pipelines that look, and none that changes anything by itself."""
    name = foundation["name"]
    pipelines = [names.central(foundation), f"{name}-*-drift"]
    group = names.arn(foundation, "scheduler", f"schedule-group/{schedule_group(foundation)}")
    start = allow(
        "Start",
        ["codepipeline:StartPipelineExecution"],
        [names.arn(foundation, "codepipeline", one) for one in pipelines],
    )
    return {
        "name": names.central(foundation, "schedule"),
        "description": f"EventBridge Scheduler starts the pipelines of {name} that look for drift",
        "assume_role_policy": trust(foundation, "scheduler", [group]),
        "inline_policies": {"start": document([start])},
        "managed_policies": [],
    }


def drift_roles(foundation: Foundation, stacks: list[Stack]) -> list[dict[str, Any]]:
    """The roles as gitops.aws.iam_roles takes them; none without drift."""
    if not foundation["drift"]:
        return []
    common = {"permissions_boundary": foundation["permissions_boundary"], "tags": foundation["tags"]}
    made = [build_role(foundation, stacks, step) for step in steps(foundation)]
    made.append(pipeline_role(foundation))
    made += [schedule_role(foundation)] if foundation["drift"]["schedule"] else []
    return [{**role, **common} for role in made]


# Build projects and pipeline


def drift_projects(foundation: Foundation, buildspecs: dict[str, str]) -> list[dict[str, Any]]:
    """The build projects as gitops.aws.codebuild_projects takes them.

    Args:
        foundation: what the estate shares, with `drift`.
        buildspecs: the texts by step, and the parts that they include by file name. They are inlined.
    """
    result = []
    for step in steps(foundation):
        name = names.central(foundation, step)
        variables = {
            "AWS_DEFAULT_REGION": foundation["region"],
            "AWS_REGION": foundation["region"],
            "DRIFT_ACTION": "apply" if step == ACT else "plan" if foundation["drift"]["removal"] else "report",
        }
        log = {"status": "ENABLED", "group_name": foundation["log_group"], "stream_name": name}
        result.append(
            {
                "name": name,
                "description": f"Drift of the estate {foundation['name']}: {step}",
                "service_role": names.arn(foundation, "iam", f"role/{name}", ""),
                "environment": {
                    "type": "LINUX_CONTAINER",
                    "image": foundation["drift"]["image"],
                    "compute_type": "BUILD_GENERAL1_SMALL",
                    "privileged_mode": False,
                    "environment_variables": [{"name": key, "value": variables[key]} for key in sorted(variables)],
                },
                "source": {"type": "CODEPIPELINE", "buildspec": with_parts(buildspecs[step], buildspecs)},
                "artifacts": {"type": "CODEPIPELINE"},
                "encryption_key": foundation["kms_key_arn"],
                "timeout_in_minutes": TIMEOUT,
                "concurrent_build_limit": 1,
                "logs_config": {"cloud_watch_logs": log},
                "tags": foundation["tags"],
            }
        )
    return result


def drift_pipelines(foundation: Foundation) -> list[dict[str, Any]]:
    """The central pipeline as gitops.aws.codepipelines takes it; none without drift."""
    if not foundation["drift"]:
        return []
    source = {
        "name": "Source",
        "action_type_id": {"category": "Source", "provider": "S3"},
        "namespace": "Source",
        "configuration": {
            "S3Bucket": foundation["state_bucket"],
            "S3ObjectKey": names.DRIFT_SOURCE,
            "PollForSourceChanges": False,
        },
        "output_artifacts": [{"name": "source"}],
    }
    stages: list[dict[str, Any]] = [
        {"name": "Source", "actions": [source]},
        {"name": "Scan", "actions": [_build(foundation, SCAN, ["source"])]},
    ]
    if ACT in steps(foundation):
        act = {**_build(foundation, ACT, ["source", SCAN], PLAN_DIGEST="#{Scan.PLAN_DIGEST}"), "run_order": 2}
        stages.append({"name": "Act", "before_entry": _unless_empty(), "actions": [_approve(foundation), act]})
    return [
        {
            "name": names.central(foundation),
            "role_arn": names.arn(foundation, "iam", f"role/{names.central(foundation, 'pipeline')}", ""),
            "pipeline_type": "V2",
            "execution_mode": "SUPERSEDED",  # of scans that wait, the newest is enough
            "artifact_store": {
                "location": foundation["artifact_bucket"],
                "encryption_key": {"id": foundation["kms_key_arn"]},
            },
            "stages": stages,
            "triggers": [],
            "variables": [],
            "tags": foundation["tags"],
        }
    ]


def _build(foundation: Foundation, step: str, inputs: list[str], **variables: str) -> dict[str, Any]:
    """The build of a step; its artifact is called like the step."""
    given = [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in variables.items()]
    configuration = {
        "ProjectName": names.central(foundation, step),
        "PrimarySource": "source",
        **({"EnvironmentVariables": json.dumps(given, separators=(",", ":"))} if given else {}),
    }
    return {
        "name": step.capitalize(),
        "action_type_id": {"category": "Build", "provider": "CodeBuild"},
        "namespace": step.capitalize(),
        "configuration": configuration,
        "input_artifacts": [{"name": name} for name in inputs],
        "output_artifacts": [{"name": step}],
    }


def _unless_empty() -> dict[str, Any]:
    """The stage is skipped where the plan is empty: nobody is asked about nothing."""
    rule = {
        "name": "SomethingToDo",
        "rule_type_id": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"},
        "configuration": {"Variable": "#{Scan.PLAN_COUNT}", "Operator": "NE", "Value": "0"},
    }
    return {"conditions": [{"result": "SKIP", "rules": [rule]}]}


def _approve(foundation: Foundation) -> dict[str, Any]:
    """A person reads what would be done, with the log of the scan a click away."""
    console = CONSOLES.get(foundation["partition"], CONSOLES["aws"])
    region, project = foundation["region"], names.central(foundation, SCAN)
    log = (
        f"https://{region}.{console}/codesuite/codebuild/{foundation['account_id']}/projects/{project}/build/"
        f"#{{Scan.PLAN_BUILD}}/?region={region}"
    )
    message = f"Drift of {foundation['name']}: #{{Scan.PLAN_SUMMARY}}. #{{Scan.PLAN_EFFECTS}}. Plan #{{Scan.PLAN_ID}}."
    return {
        "name": "Approve",
        "action_type_id": {"category": "Approval", "provider": "Manual"},
        "run_order": 1,
        "timeout_in_minutes": APPROVAL_TIMEOUT,
        "configuration": {"CustomData": message, "ExternalEntityLink": log},
    }


# Schedules


def drift_schedules(foundation: Foundation, stacks: list[Stack]) -> list[dict[str, Any]]:
    """The schedules as gitops.aws.scheduler_schedules takes them: of each stack's pipeline, and of the central one."""
    drift = foundation["drift"]
    if not drift or not drift["schedule"]:
        return []
    role = names.arn(foundation, "iam", f"role/{names.central(foundation, 'schedule')}", "")
    return [
        {
            **one,
            "description": f"Starts {one['name']}",
            "schedule_expression": drift["schedule"],
            "schedule_expression_timezone": drift["timezone"],
            "target": {
                "arn": names.arn(foundation, "codepipeline", one["name"]),
                "role_arn": role,
                "maximum_retry_attempts": 3,
            },
            "tags": foundation["tags"],
        }
        for one in _all_schedules(foundation, stacks)
    ]


def _all_schedules(foundation: Foundation, stacks: list[Stack]) -> list[dict[str, str]]:
    pipelines = [*(names.drift_pipeline(foundation, stack) for stack in stacks), names.central(foundation)]
    return [{"name": name, "group_name": schedule_group(foundation)} for name in pipelines]


# What is not wanted any more


def drift_not_wanted(foundation: Foundation, stacks: list[Stack]) -> dict[str, list[dict[str, str]]]:
    """What could be there and must not stay behind, by kind: schedules, pipelines, projects and roles, each by name.

    The pipelines of the stacks are those of the role `pipeline`.
    """
    wanted = {
        "schedules": {one["name"] for one in drift_schedules(foundation, stacks)},
        "pipelines": {names.central(foundation)} if foundation["drift"] else set(),
        "projects": {names.central(foundation, step) for step in steps(foundation)},
        "roles": {one["name"] for one in drift_roles(foundation, stacks)},
    }
    possible = {
        "schedules": _all_schedules(foundation, stacks),
        "pipelines": [{"name": names.central(foundation)}],
        "projects": [{"name": names.central(foundation, step)} for step in (SCAN, ACT)],
        "roles": [{"name": names.central(foundation, part)} for part in (SCAN, ACT, "pipeline", "schedule")],
    }
    return {kind: [one for one in items if one["name"] not in wanted[kind]] for kind, items in possible.items()}


def drift_settings(foundation: Foundation, stacks: list[Stack], entries: list[Any]) -> dict[str, Any]:
    """What drift.yml has to know, on a controller and in a build: no secret is among it.

    Without the settings `drift` it has their defaults, which only report, and no stack has a pipeline for it.

    Args:
        foundation: what the estate shares.
        stacks: checked stacks.
        entries: of the reviewed file.
    """
    pipelines = [{"name": names.drift_pipeline(foundation, stack), "stack": stack["name"]} for stack in stacks]
    defaults = {name: option.get("default") for name, option in DRIFT.items()}
    return {
        "foundation": {**foundation, "drift": foundation["drift"] or {**defaults, "regions": [foundation["region"]]}},
        "pipelines": pipelines if foundation["drift"] else [],
        "pipeline_roles": sorted(names.role_arn(foundation, stack, "apply") for stack in stacks),
        "protected_arns": protected_arns(foundation, stacks),
        "entries": entries,
        "max_age_hours": max_age_hours((foundation["drift"] or {}).get("schedule", "")),
    }


def max_age_hours(schedule: str) -> int:
    """How old the newest answer of a stack's pipeline may be: of a rate, as old as if one run were missing."""
    rate = RATE.fullmatch(schedule)
    return max(LEAST_AGE, math.ceil(2 * int(rate[1]) * HOURS[rate[2]])) if rate else UNKNOWN_AGE


def protected_arns(foundation: Foundation, stacks: list[Stack]) -> list[str]:
    """What is the estate's own, by ARN with wildcards: also what was there before it, and has no tag of it."""
    name = foundation["name"]
    group = names.arn(foundation, "logs", f"log-group:{foundation['log_group']}")
    return sorted(
        {
            *names.buckets(foundation),
            *names.repositories(foundation, stacks),
            *names.source_buckets(foundation, stacks),
            *names.everybody(foundation),
            *names.named_roles(stacks),
            *filter(None, [foundation["permissions_boundary"], foundation["kms_key_arn"], foundation["named_key_arn"]]),
            *(names.arn(foundation, "iam", f"{kind}/{name}-*", "") for kind in ("policy", "role")),
            names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}"),
            names.arn(foundation, "events", f"rule/{name}-*"),
            *(
                names.arn(foundation, "sns", f"{name}-{topic}*")
                for topic in ("alarms", "aws-notices", "chat-", "notices")
            ),
            model.queue_arn(foundation),
            names.arn(foundation, "cloudwatch", f"alarm:{model.undelivered(foundation)}"),
            model.machine_arn(foundation),
            # AWS keeps the secrets of connections there.
            names.arn(foundation, "secretsmanager", f"secret:events!connection/{name}-*"),
            names.arn(foundation, "ssm", f"parameter/{name}/*"),
            group,
            f"{group}:*",
        }
    )


# People


def drift_policies(foundation: Foundation, stacks: list[Stack]) -> dict[str, Any]:
    """Policies of who runs drift.yml on demand, by name: drift_scan for looking, drift_act for acting, too.

    The second is there where there are types to act on, whether or not the pipeline goes on to do so. In a sealed
    estate a state is read by installers and state_readers only; installers plan and restore, and only the pipeline
    takes the locks that carrying a plan out needs.
    """
    if not foundation["drift"]:
        return {}
    name = foundation["name"]
    key = foundation["kms_key_arn"] or foundation["named_key_arn"]
    ours = None if key else {"StringEquals": names.of_estate(foundation)}
    use = allow("Key", ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"], names.keys(foundation), ours)
    start = allow(
        "StartAndFollow",
        [
            "codepipeline:GetPipeline",
            "codepipeline:GetPipelineExecution",
            "codepipeline:GetPipelineState",
            "codepipeline:ListActionExecutions",
            "codepipeline:ListPipelineExecutions",
            "codepipeline:StartPipelineExecution",
        ],
        [names.arn(foundation, "codepipeline", f"{name}-*-drift")],
    )
    group = names.arn(foundation, "logs", f"log-group:{foundation['log_group']}")
    follow = [
        start,
        allow("Builds", ["codebuild:BatchGetBuilds"], [names.arn(foundation, "codebuild", f"project/{name}-*")]),
        allow("Logs", ["logs:GetLogEvents"], [group, f"{group}:log-stream:*"]),
    ]
    look = [one for one in looking(foundation) if one["Sid"] != "RunsOfStacks"]
    policies = {"drift_scan": document([*look, *follow, use])}
    if foundation["drift"]["types"]:
        policies["drift_act"] = document([*acting(foundation, stacks), *remembering(foundation)])
    return policies
