# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: the estate by a bare boto3 program that makes only the needed calls, ten at a time.

    python -m tests.bench.estate.floor first|converge|check --stacks N [--branch NUMBER=BRANCH]

`first` creates everything and reads nothing. `converge` reads what must be read to know that nothing differs, with bulk
calls where AWS has them, compares it with what is wanted, and writes what differs; `check` does all that but writes
nothing. It is the work of these settings, and of no others: it checks no input, asks nobody who they are, explains
nothing, and knows no estate but this one. It shares no code with the collection.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.bench.estate import contender
from tests.bench.estate.contender import ACCOUNT, CONCURRENCY, REGION, Command, Contender

ROOT = Path(__file__).resolve().parents[3]
SERVICES = (
    "kms s3 dynamodb logs codeconnections iam codebuild codepipeline resourcegroupstaggingapi events sns sqs "
    "cloudwatch stepfunctions"
)
STATE, ARTIFACTS = (f"gitops-{ACCOUNT}-{REGION}-{name}" for name in ("state", "artifacts"))
TABLE, LOGS, KEY, CONNECTION = "gitops-lock", "/gitops/builds", "alias/gitops", "github"
TOPIC, ALARMS, QUEUE, MACHINE = "gitops-notices", "gitops-alarms", "gitops-undelivered", "gitops-notices"
EMAIL = contender.settings()["notifications"]["recipients"][0]["email"]
TAGS = {"gitops:estate": "gitops", "owner": "platform"}
Document = dict[str, Any]


class Floor(Contender):
    """The program below, as a contender."""

    name = "floor"

    def prepare(self, n: int, environment: dict[str, str]) -> None:
        """Nothing is written: the number of stacks is all it needs."""
        self.arguments: tuple[str, ...] = ("--stacks", str(n))
        self.middle, self.now = n // 2, ()

    def first(self) -> Command:
        """Creates everything."""
        return self._command("first")

    def converged(self) -> Command:
        """Reads and compares."""
        return self._command("converge", *self.now)

    def change(self, serial: int) -> Command:
        """Reads, compares, and writes what differs."""
        self.now = ("--branch", f"{self.middle}=release-{serial}")
        return self._command("converge", *self.now)

    def check(self, serial: int) -> Command:
        """Reads and compares; something differs."""
        return self._command("check", "--branch", f"{self.middle}=check-{serial}")

    now: tuple[str, ...]

    def _command(self, *arguments: str) -> Command:
        return Command(("python", "-m", "tests.bench.estate.floor", *arguments, *self.arguments), ROOT)


def arn(service: str, name: str) -> str:
    """An ARN of the account's region; of a role without one."""
    return f"arn:aws:{service}:{'' if service == 'iam' else REGION}:{ACCOUNT}:{name}"


def policy(*statements: Document) -> Document:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(sid: str, actions: str, *resources: str, **condition: Document) -> Document:
    """A statement that allows."""
    conditions = {"Condition": condition} if condition else {}
    return {"Sid": sid, "Effect": "Allow", "Action": actions.split(), "Resource": list(resources), **conditions}


def deny(sid: str, action: str, resources: Any, condition: Document) -> Document:
    """A statement of a resource's policy that denies everybody."""
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resources,
        "Condition": condition,
    }


def described(role: str) -> str:
    """The description of a role."""
    shared = {
        "gitops-notices": "Step Functions tells what happened in gitops",
        "gitops-notices-events": "EventBridge passes the notices of gitops on",
    }
    does = {
        "plan": "CodeBuild plans the Terraform stack",
        "apply": "CodeBuild applies and destroys the Terraform stack",
        "pipeline": "CodePipeline runs the pipelines of the Terraform stack",
    }
    stack, _, kind = role.removeprefix("gitops-").rpartition("-")
    return shared.get(role) or f"{does[kind]} {stack}"


def trust(service: str, *sources: str, like: bool = False) -> Document:
    """Who may assume a role: a service, for what the ARNs name."""
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike" if like else "ArnEquals": {"aws:SourceArn": list(sources)},
            },
        }
    )


def pairs(tags: Document, key: str = "Key", value: str = "Value") -> list[Document]:
    """Tags as most services want them."""
    return [{key: name, value: text} for name, text in sorted(tags.items())]


def _get(call: Callable[..., Any], key: str, **arguments: Any) -> Any:
    """What an answer has under a key."""
    return call(**arguments)[key]


class Wanted:
    """What is to be there, once the key and the connection are known."""

    def __init__(self, stacks: list[Document], key: str, connection: str) -> None:
        self.stacks, self.key, self.connection = stacks, key, connection
        self.buildspecs = {kind: contender.buildspec(kind) for kind in ("plan", "apply", "destroy")}

    def tags(self, stack: Document) -> Document:
        """The tags of what a stack has."""
        return {**TAGS, "gitops:stack": stack["name"]}

    def roles(self, stack: Document) -> Document:
        """The roles of a stack by name: {trust, policies, tags}."""
        name, prefix = stack["name"], f"gitops-{stack['name']}"
        s3, logs = "arn:aws:s3:::", arn("logs", f"log-group:{LOGS}")
        pipelines = [arn("codepipeline", prefix), arn("codepipeline", f"{prefix}-destroy")]
        projects = {kind: arn("codebuild", f"project/{prefix}-{kind}") for kind in self.buildspecs}
        areas = [f"{s3}{ARTIFACTS}/{prefix}", f"{s3}{ARTIFACTS}/{prefix}-de"]
        state = f"{s3}{STATE}/{name}/terraform.tfstate"
        item = f"{STATE}/{name}/terraform.tfstate"
        table = arn("dynamodb", f"table/{TABLE}")
        bucket = allow(
            "ArtifactBucket",
            "s3:GetBucketAcl s3:GetBucketLocation s3:GetBucketVersioning s3:ListBucket",
            f"{s3}{ARTIFACTS}",
        )
        use = allow("Connection", "codeconnections:UseConnection codestar-connections:UseConnection", self.connection)
        key = allow("Key", "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey", self.key)
        read = "s3:GetObject s3:GetObjectVersion"

        def log(*kinds: str) -> Document:
            streams = [f"{logs}:log-stream:{prefix}-{kind}/*" for kind in kinds]
            return allow("Logs", "logs:CreateLogStream logs:PutLogEvents", logs, *streams)

        def locks(*items: str) -> Document:
            return {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": list(items)}}

        listing = allow("StateBucket", "s3:ListBucket", f"{s3}{STATE}")
        file = allow("StateLockFile", "s3:DeleteObject s3:GetObject s3:PutObject", f"{state}.tflock")
        writes = "dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem"
        described = allow("LockTable", "dynamodb:DescribeTable", table)
        tags = self.tags(stack)
        return {
            f"{prefix}-plan": {
                "trust": trust("codebuild", projects["plan"]),
                "policies": {
                    "build": policy(
                        bucket,
                        allow("ReadArtifacts", read, *[f"{area}/source/*" for area in areas]),
                        allow("WriteArtifacts", "s3:PutObject", *[f"{area}/plan/*" for area in areas]),
                        use,
                        log("plan"),
                        key,
                        allow("OwnExecution", "codepipeline:GetPipelineExecution", *pipelines),
                        allow("EndWithoutChanges", "codepipeline:StopPipelineExecution", *pipelines),
                    ),
                    "state": policy(
                        listing,
                        allow("State", "s3:GetObject", state),
                        file,
                        allow("StateLock", writes, table, **locks(item)),
                        allow("StateDigest", "dynamodb:GetItem", table, **locks(f"{item}-md5")),
                        described,
                    ),
                    "stack": policy(*stack["plan_permissions"]),
                },
                "tags": tags,
            },
            f"{prefix}-apply": {
                "trust": trust("codebuild", projects["apply"], projects["destroy"]),
                "policies": {
                    "build": policy(
                        bucket,
                        allow(
                            "ReadArtifacts",
                            read,
                            *[f"{area}/{name}/*" for name in ("source", "plan") for area in areas],
                        ),
                        allow(
                            "KeepAside",
                            "s3:GetObject s3:PutObject",
                            f"{state}.errored",
                            *[f"{area}/{name}/*" for area in areas for name in ("errored", "used")],
                        ),
                        use,
                        log("apply", "destroy"),
                        key,
                        allow("OwnExecution", "codepipeline:ListActionExecutions", *pipelines),
                    ),
                    "state": policy(
                        listing,
                        allow("State", "s3:GetObject s3:PutObject", state),
                        file,
                        allow("StateLock", writes, table, **locks(item, f"{item}-md5")),
                        described,
                    ),
                    "stack": policy(*stack["plan_permissions"], *stack["apply_permissions"]),
                },
                "tags": tags,
            },
            f"{prefix}-pipeline": {
                "trust": trust("codepipeline", *pipelines),
                "policies": {
                    "pipeline": policy(
                        use,
                        bucket,
                        allow("ReadArtifacts", read, *[f"{area}/*/*" for area in areas]),
                        allow("WriteArtifacts", "s3:PutObject", *[f"{area}/*/*" for area in areas]),
                        allow(
                            "UploadSource",
                            "s3:GetObjectTagging s3:GetObjectVersionTagging s3:PutObjectAcl s3:PutObjectTagging",
                            *[f"{area}/source/*" for area in areas],
                        ),
                        key,
                        allow("Builds", "codebuild:BatchGetBuilds codebuild:StartBuild", *projects.values()),
                    )
                },
                "tags": tags,
            },
        }

    def projects(self, stack: Document) -> Document:
        """The build projects of a stack by name, as CreateProject takes them."""
        name, prefix = stack["name"], f"gitops-{stack['name']}"
        backend = {
            "bucket": STATE,
            "key": f"{name}/terraform.tfstate",
            "region": REGION,
            "encrypt": "true",
            "kms_key_id": self.key,
            "dynamodb_table": TABLE,
            "use_lockfile": "true",
        }
        init = " ".join(f"'-backend-config={option}={value}'" for option, value in backend.items())
        variables = {
            "STACK_BRANCH": stack["branch"],
            "STACK_NAME": name,
            "STACK_PATH": stack["path"],
            "STATE_BUCKET": STATE,
            "STATE_KEY": f"{name}/terraform.tfstate",
            "TERRAFORM": "terraform",
            "TF_CLI_ARGS_init": f"-input=false -lockfile=readonly {init}",
            "TF_IN_AUTOMATION": "1",
        }
        made = {}
        for kind, buildspec in self.buildspecs.items():
            more = {} if kind == "plan" else {"ARTIFACT_BUCKET": ARTIFACTS}
            made[f"{prefix}-{kind}"] = {
                "name": f"{prefix}-{kind}",
                "description": f"Terraform {kind} of the stack {name}",
                "source": {"type": "CODEPIPELINE", "buildspec": buildspec, "insecureSsl": False},
                "artifacts": {
                    "type": "CODEPIPELINE",
                    "name": f"{prefix}-{kind}",
                    "packaging": "NONE",
                    "encryptionDisabled": False,
                },
                "cache": {"type": "NO_CACHE"},
                "environment": {
                    "type": "LINUX_CONTAINER",
                    "image": f"hashicorp/terraform:{stack['terraform_version']}",
                    "computeType": "BUILD_GENERAL1_SMALL",
                    "environmentVariables": [
                        {"name": variable, "value": value, "type": "PLAINTEXT"}
                        for variable, value in sorted({**more, **variables}.items())
                    ],
                    "privilegedMode": False,
                    "imagePullCredentialsType": "CODEBUILD",
                },
                "serviceRole": arn("iam", f"role/{prefix}-{'plan' if kind == 'plan' else 'apply'}"),
                "timeoutInMinutes": 60,
                "queuedTimeoutInMinutes": 480,
                "encryptionKey": self.key,
                "tags": pairs(self.tags(stack), "key", "value"),
                "logsConfig": {
                    "cloudWatchLogs": {"status": "ENABLED", "groupName": LOGS, "streamName": f"{prefix}-{kind}"},
                    "s3Logs": {"status": "DISABLED", "encryptionDisabled": False},
                },
                "concurrentBuildLimit": 1,
            }
        return made

    def pipelines(self, stack: Document) -> Document:
        """The pipelines of a stack by name: {pipeline, tags}."""
        name = f"gitops-{stack['name']}"
        push = {
            "providerType": "CodeStarSourceConnection",
            "gitConfiguration": {
                "sourceActionName": "Source",
                "push": [
                    {
                        "branches": {"includes": [stack["branch"]]},
                        "filePaths": {"includes": [f"{stack['path']}/**"]},
                    }
                ],
            },
        }
        imports = {"name": "imports", "defaultValue": "none", "description": "What to take into the state, see run.yml"}
        confirm = {"name": "confirm", "description": "The stack's name, to show that it is meant"}
        return {
            name: {
                "pipeline": {
                    **self._pipeline(stack, name, "Deploy", "Apply"),
                    "variables": [imports],
                    "triggers": [push],
                },
                "tags": self.tags(stack),
            },
            f"{name}-destroy": {
                "pipeline": {
                    **self._pipeline(stack, f"{name}-destroy", "Destroy", "Destroy"),
                    "variables": [confirm],
                },
                "tags": self.tags(stack),
            },
        }

    def _pipeline(self, stack: Document, name: str, stage: str, last: str) -> Document:
        prefix = f"gitops-{stack['name']}"

        def action(title: str, provider: str, order: int, configuration: Document, **more: Any) -> Document:
            category, owned = {
                "CodeStarSourceConnection": ("Source", title),
                "CodeBuild": ("Build", title),
                "Manual": ("Approval", ""),
            }[provider]
            return {
                "name": title,
                "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
                "runOrder": order,
                "configuration": configuration,
                "outputArtifacts": [],
                "inputArtifacts": [],
                **({"namespace": owned} if owned else {}),
                **more,
            }

        def build(kind: str, **variables: str) -> Document:
            variables["EXECUTION_ID"] = "#{codepipeline.PipelineExecutionId}"
            listed = [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in variables.items()]
            return {
                "ProjectName": f"{prefix}-{kind}",
                "PrimarySource": "source",
                "EnvironmentVariables": json.dumps(listed, separators=(",", ":")),
            }

        source = {
            "ConnectionArn": self.connection,
            "FullRepositoryId": stack["repository"],
            "BranchName": stack["branch"],
            "DetectChanges": "true" if last == "Apply" else "false",
            "OutputArtifactFormat": "CODEBUILD_CLONE_REF",
        }
        words = f"Apply stack {stack['name']}" if last == "Apply" else f"DESTROY everything in stack {stack['name']}"
        approval = {
            "CustomData": f"{words}: #{{Plan.PLAN_SUMMARY}}. #{{Plan.PLAN_EFFECTS}} Plan #{{Plan.PLAN_ID}}, commit "
            "#{Source.CommitId} on #{Source.BranchName}.",
            "ExternalEntityLink": f"https://{REGION}.console.aws.amazon.com/codesuite/codebuild/{ACCOUNT}/projects/"
            f"{prefix}-plan/build/#{{Plan.PLAN_BUILD}}/?region={REGION}",
        }
        artifacts = [{"name": "source"}]
        plan = build("plan", PLAN_MODE="apply" if last == "Apply" else "destroy", APPROVAL="true")
        return {
            "name": name,
            "roleArn": arn("iam", f"role/{prefix}-pipeline"),
            "artifactStore": {"type": "S3", "location": ARTIFACTS, "encryptionKey": {"id": self.key, "type": "KMS"}},
            "stages": [
                {
                    "name": "Source",
                    "actions": [action("Source", "CodeStarSourceConnection", 1, source, outputArtifacts=artifacts)],
                },
                {
                    "name": stage,
                    "actions": [
                        action(
                            "Plan", "CodeBuild", 1, plan, inputArtifacts=artifacts, outputArtifacts=[{"name": "plan"}]
                        ),
                        action("Approve", "Manual", 2, approval, timeoutInMinutes=10080),
                        action(
                            last,
                            "CodeBuild",
                            3,
                            build(last.lower()),
                            inputArtifacts=[*artifacts, {"name": "plan"}],
                        ),
                    ],
                },
            ],
            "executionMode": "QUEUED",
            "pipelineType": "V2",
        }

    def key_policy(self) -> Document:
        """The policy of the key."""
        return policy(
            {
                "Sid": "IamPoliciesCount",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        )

    def buckets(self) -> Document:
        """The buckets by name: {policy, encryption, lifecycle}; the rest of them is the same."""
        made = {}
        header = "s3:x-amz-server-side-encryption"
        for bucket in (STATE, ARTIFACTS):
            root, objects, put = f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*", "s3:PutObject"
            plain = deny("DenyPlainHttp", "s3:*", [root, objects], {"Bool": {"aws:SecureTransport": "false"}})
            other = {"StringNotEquals": {header: "aws:kms"}}
            if bucket == STATE:
                mine = {"StringNotEquals": {f"{header}-aws-kms-key-id": self.key}}
                statements = [
                    deny("DenyUnencryptedUploads", put, objects, other),
                    deny("DenyOtherKeys", put, objects, mine),
                ]
                rule = {
                    "ID": "old-versions",
                    "Expiration": {"ExpiredObjectDeleteMarker": True},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 365, "NewerNoncurrentVersions": 50},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                }
            else:
                statements = [deny("DenyWeakerEncryption", put, objects, {"Null": {header: "false"}, **other})]
                rule = {
                    "ID": "short-lived",
                    "Expiration": {"Days": 8},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                }
            default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key}
            made[bucket] = {
                "policy": policy(plain, *statements),
                "encryption": {
                    "Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket == ARTIFACTS}]
                },
                "lifecycle": [{**rule, "Filter": {"Prefix": ""}, "Status": "Enabled"}],
                "versioning": "Enabled",
                "ownership": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "public": dict.fromkeys(
                    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
                ),
            }
        return made

    def notice_roles(self) -> Document:
        """The roles of what tells people."""
        s3, logs = f"arn:aws:s3:::{STATE}", arn("logs", f"log-group:{LOGS}")

        def context(name: str, value: str) -> Document:
            return {"StringLike": {f"kms:EncryptionContext:aws:{name}": value}}

        machine = arn("states", f"stateMachine:{MACHINE}")
        tells = policy(
            allow(
                "Runs",
                "codepipeline:GetPipelineExecution codepipeline:ListActionExecutions "
                "codepipeline:ListPipelineExecutions",
                arn("codepipeline", "gitops-*"),
            ),
            allow("Builds", "codebuild:BatchGetBuilds", arn("codebuild", "project/gitops-*")),
            allow("Logs", "logs:GetLogEvents", logs, f"{logs}:log-stream:*"),
            allow("LockTable", "dynamodb:Scan", arn("dynamodb", f"table/{TABLE}")),
            allow("KeyOfTable", "kms:Decrypt", self.key, **context("dynamodb:tableName", TABLE)),
            allow("ListLocks", "s3:ListBucket", s3),
            allow("LockFiles", "s3:GetObject", f"{s3}/*.tflock"),
            allow("KeyOfFiles", "kms:Decrypt", self.key, **context("s3:arn", f"{s3}/*.tflock")),
            allow("Publish", "sns:Publish", arn("sns", TOPIC)),
            allow(
                "PutNotices",
                "events:PutEvents",
                arn("events", "event-bus/default"),
                StringEqualsIfExists={"events:source": "gitops.aws", "events:detail-type": "Notice"},
            ),
        )
        starts = policy(
            allow("Compose", "states:StartExecution", machine),
            allow("Deliver", "events:InvokeApiDestination", arn("events", "api-destination/gitops-*")),
        )
        rules = arn("events", "rule/gitops-notices-*")
        return {
            "gitops-notices": {"trust": trust("states", machine), "policies": {"notices": tells}, "tags": TAGS},
            "gitops-notices-events": {
                "trust": trust("events", rules, like=True),
                "policies": {"notices": starts},
                "tags": TAGS,
            },
        }

    def topics(self) -> Document:
        """The topics by name: attributes."""
        alarm = {
            "Sid": "CloudWatchPublishes",
            "Effect": "Allow",
            "Action": "sns:Publish",
            "Resource": arn("sns", ALARMS),
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Condition": {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnEquals": {"aws:SourceArn": arn("cloudwatch", f"alarm:{QUEUE}")},
            },
        }
        services = {"Bool": {"aws:PrincipalIsAWSService": "false"}}
        machine = {
            "Sid": "StateMachinePublishes",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sns:Publish",
            "Resource": arn("sns", TOPIC),
            "Condition": {"ArnEquals": {"aws:PrincipalArn": arn("iam", "role/gitops-notices")}},
        }
        others = {"ArnNotEquals": {"aws:PrincipalArn": arn("iam", "role/gitops-notices")}}
        return {
            ALARMS: {"Policy": policy(alarm, deny("OnlyServicesPublish", "sns:Publish", arn("sns", ALARMS), services))},
            TOPIC: {
                "DisplayName": "gitops",
                "KmsMasterKeyId": "alias/aws/sns",
                "Policy": policy(machine, deny("NobodyElsePublishes", "sns:Publish", arn("sns", TOPIC), others)),
            },
        }

    def queue(self) -> Document:
        """The attributes of the queue of what could not be delivered."""

        def sends(sid: str, service: str, test: str, source: str) -> Document:
            return {
                "Sid": sid,
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn("sqs", QUEUE),
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": ACCOUNT},
                    test: {"aws:SourceArn": [source]},
                },
            }

        return {
            "MessageRetentionPeriod": "1209600",
            "SqsManagedSseEnabled": "true",
            "Policy": policy(
                sends("FromRules", "events", "ArnLike", arn("events", "rule/gitops-notices-*")),
                sends("FromTopic", "sns", "ArnEquals", arn("sns", TOPIC)),
            ),
        }

    def alarm(self) -> Document:
        """The alarm on that queue."""
        return {
            "AlarmName": QUEUE,
            "AlarmDescription": "Notices of the estate gitops were not delivered. Read the queue of this name: each "
            "message says what failed, and why. Then purge it",
            "ActionsEnabled": True,
            "AlarmActions": [arn("sns", ALARMS)],
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Namespace": "AWS/SQS",
            "Statistic": "Maximum",
            "Dimensions": [{"Name": "QueueName", "Value": QUEUE}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }

    def rules(self) -> Document:
        """The rules by name: {rule, targets}."""

        def pattern(source: str, kind: str, **detail: Any) -> Document:
            return {
                "EventPattern": {
                    "account": [ACCOUNT],
                    "region": [REGION],
                    "source": [source],
                    "detail-type": [kind],
                    "detail": detail,
                }
            }

        pipeline, machine = [{"prefix": "gitops-"}], arn("states", f"stateMachine:{MACHINE}")
        runs = {
            "runs": (
                "A run of a pipeline of gitops has ended",
                pattern(
                    "aws.codepipeline",
                    "CodePipeline Pipeline Execution State Change",
                    pipeline=pipeline,
                    state=["SUCCEEDED", "FAILED", "STOPPED"],
                ),
            ),
            "approvals": (
                "A run of a pipeline of gitops waits for approval",
                pattern(
                    "aws.codepipeline",
                    "CodePipeline Action Execution State Change",
                    pipeline=pipeline,
                    state=["STARTED"],
                    type={"category": ["Approval"]},
                ),
            ),
            "locks": (
                "Looks for locks of gitops that are held too long",
                {"ScheduleExpression": "cron(0/15 * * * ? *)"},
            ),
            "undelivered": (
                "The state machine that tells of gitops has failed",
                pattern(
                    "aws.states",
                    "Step Functions Execution Status Change",
                    stateMachineArn=[machine],
                    status=["FAILED", "TIMED_OUT", "ABORTED"],
                ),
            ),
        }
        starts = {
            "Id": "machine",
            "Arn": machine,
            "RoleArn": arn("iam", "role/gitops-notices-events"),
            "DeadLetterConfig": {"Arn": arn("sqs", QUEUE)},
            "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 3600},
        }
        tells = {"Id": "undelivered", "Arn": arn("sqs", QUEUE)}
        return {
            f"gitops-notices-{name}": {
                "rule": {"Description": description, "State": "ENABLED", **when},
                "target": tells if name == "undelivered" else starts,
            }
            for name, (description, when) in runs.items()
        }

    def machine(self) -> Document:
        """The state machine that tells people."""
        return {
            "definition": contender.machine(len(self.stacks)),
            "roleArn": arn("iam", "role/gitops-notices"),
            "loggingConfiguration": {"level": "OFF", "includeExecutionData": False, "destinations": []},
            "tracingConfiguration": {"enabled": False},
        }


class Program:
    """The calls."""

    def __init__(self, stacks: list[Document]) -> None:
        self.stacks = stacks
        session = boto3.Session(region_name=REGION)
        config = Config(max_pool_connections=CONCURRENCY, proxies={})
        self.clients = {name: session.client(name, config=config) for name in SERVICES.split()}
        self.pool = ThreadPoolExecutor(CONCURRENCY)

    def __getattr__(self, service: str) -> Any:
        return self.clients[service]

    def first(self) -> None:
        """Creates everything, in the order that AWS needs."""
        connected = self.pool.submit(
            self.codeconnections.create_connection, ConnectionName=CONNECTION, ProviderType="GitHub", Tags=pairs(TAGS)
        )
        wanted = Wanted(self.stacks, "", "")
        made = self.kms.create_key(
            Policy=json.dumps(wanted.key_policy()),
            Description="State, plans and artifacts of the GitOps pipelines gitops",
            Tags=pairs(TAGS, "TagKey", "TagValue"),
        )["KeyMetadata"]
        wanted = Wanted(self.stacks, made["Arn"], connected.result()["ConnectionArn"])
        jobs: list[Callable[[], Any]] = [
            partial(self._finish_key, made["KeyId"]),
            *[partial(self._bucket, name, bucket) for name, bucket in wanted.buckets().items()],
            partial(self._table, wanted.key),
            self._logs,
            partial(self._notices, wanted),
        ]
        self._all(jobs)
        self._all([partial(self._stack, wanted, stack) for stack in self.stacks])
        self._all([partial(self._rule, name, rule) for name, rule in wanted.rules().items()])

    def _all(self, jobs: list[Callable[[], Any]]) -> list[Any]:
        futures: list[Future[Any]] = [self.pool.submit(job) for job in jobs]
        return [future.result() for future in futures]

    def _finish_key(self, key: str) -> None:
        self.kms.create_alias(AliasName=KEY, TargetKeyId=key)
        self.kms.enable_key_rotation(KeyId=key)

    def _bucket(self, name: str, wanted: Document) -> None:
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs(TAGS)})
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=wanted["public"])
        self.s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=wanted["ownership"])
        self.s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=wanted["encryption"])
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": wanted["versioning"]})
        self.s3.put_bucket_policy(Bucket=name, Policy=json.dumps(wanted["policy"]))
        self.s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": wanted["lifecycle"]})

    def _table(self, key: str) -> None:
        self.dynamodb.create_table(
            TableName=TABLE,
            AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
            DeletionProtectionEnabled=True,
            Tags=pairs(TAGS),
        )
        while self.dynamodb.describe_table(TableName=TABLE)["Table"]["TableStatus"] != "ACTIVE":
            pass
        self.dynamodb.update_continuous_backups(
            TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )

    def _logs(self) -> None:
        self.logs.create_log_group(logGroupName=LOGS, tags=TAGS)
        self.logs.put_retention_policy(logGroupName=LOGS, retentionInDays=365)

    def _role(self, name: str, role: Document) -> None:
        trusted = json.dumps(role["trust"])
        self.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=trusted, Description=described(name), Tags=pairs(role["tags"])
        )
        for policy_name, document in role["policies"].items():
            self.iam.put_role_policy(RoleName=name, PolicyName=policy_name, PolicyDocument=json.dumps(document))

    def _stack(self, wanted: Wanted, stack: Document) -> None:
        for name, role in wanted.roles(stack).items():
            self._role(name, role)
        for project in wanted.projects(stack).values():
            self.codebuild.create_project(**project)
        for pipeline in wanted.pipelines(stack).values():
            tags = pairs(pipeline["tags"], "key", "value")
            self.codepipeline.create_pipeline(pipeline=pipeline["pipeline"], tags=tags)

    def _notices(self, wanted: Wanted) -> None:
        for name, role in wanted.notice_roles().items():
            self._role(name, role)
        for name, attributes in wanted.topics().items():
            texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in attributes.items()}
            self.sns.create_topic(Name=name, Attributes=texts, Tags=pairs(TAGS))
        self.sns.subscribe(TopicArn=arn("sns", TOPIC), Protocol="email", Endpoint=EMAIL)
        queue = {**wanted.queue(), "Policy": json.dumps(wanted.queue()["Policy"])}
        self.sqs.create_queue(QueueName=QUEUE, Attributes=queue, tags=TAGS)
        self.cloudwatch.put_metric_alarm(**wanted.alarm(), Tags=pairs(TAGS))
        machine = {**wanted.machine(), "definition": json.dumps(wanted.machine()["definition"])}
        self.stepfunctions.create_state_machine(name=MACHINE, **machine, tags=pairs(TAGS, "key", "value"))

    def _rule(self, name: str, wanted: Document) -> None:
        settings = dict(wanted["rule"])
        if "EventPattern" in settings:
            settings["EventPattern"] = json.dumps(settings["EventPattern"])
        self.events.put_rule(Name=name, **settings, Tags=pairs(TAGS))
        self.events.put_targets(Rule=name, Targets=[wanted["target"]])

    def converge(self, *, write: bool) -> list[str]:
        """Reads, compares, and writes what differs; the names of that."""
        names = [f"gitops-{stack['name']}" for stack in self.stacks]
        projects = [f"{name}-{kind}" for name in names for kind in ("plan", "apply", "destroy")]
        pipelines = [name + suffix for name in names for suffix in ("", "-destroy")]
        # What takes long by itself goes first: these lists come page by page.
        roles = self.pool.submit(self._read_roles)
        tags = [self.pool.submit(self._read_tags, kinds) for kinds in (["codepipeline"], self.TAGGED)]
        shared = {name: self.pool.submit(read) for name, read in self._shared_reads()}
        batches = [
            self.pool.submit(self.codebuild.batch_get_projects, names=projects[start : start + 100])
            for start in range(0, len(projects), 100)
        ]
        read = [self.pool.submit(self.codepipeline.get_pipeline, name=name) for name in pipelines]

        found = {name: future.result() for name, future in shared.items()}
        key = found["key"]["arn"]
        connections = found["connections"]["Connections"]
        (connection,) = [one["ConnectionArn"] for one in connections if one["ConnectionName"] == CONNECTION]
        wanted = Wanted(self.stacks, key, connection)
        tagged: Document = {}
        for future in tags:
            tagged.update(future.result())
        different = list(self._shared_differences(wanted, found, tagged))

        there = roles.result()
        wanted_roles = wanted.notice_roles()
        for stack in self.stacks:
            wanted_roles.update(wanted.roles(stack))
        different += [f"role {name}" for name, role in wanted_roles.items() if there.get(name) != role]
        present = {one["name"]: one for batch in batches for one in batch.result()["projects"]}
        running = {name: future.result()["pipeline"] for name, future in zip(pipelines, read, strict=True)}
        assert not different, f"The floor mends nothing but projects and pipelines, and these differ: {different}"

        jobs: list[Callable[[], Any]] = []
        for stack in self.stacks:
            for name, project in wanted.projects(stack).items():
                if any(present[name].get(option) != value for option, value in project.items()):
                    different.append(f"project {name}")
                    jobs.append(partial(self.codebuild.update_project, **project))
            for name, pipeline in wanted.pipelines(stack).items():
                running[name].pop("version")
                assert tagged.get(arn("codepipeline", name)) == pipeline["tags"], f"tags of {name}"
                if running[name] != pipeline["pipeline"]:
                    different.append(f"pipeline {name}")
                    jobs.append(partial(self.codepipeline.update_pipeline, pipeline=pipeline["pipeline"]))
        if write:
            self._all(jobs)
        return different

    TAGGED = ["kms", "s3", "dynamodb:table", "logs", "codeconnections", "events", "sns", "sqs"]

    def _read_roles(self) -> Document:
        pages = self.iam.get_paginator("get_account_authorization_details").paginate(
            Filter=["Role"], PaginationConfig={"PageSize": 1000}
        )
        return {
            role["RoleName"]: {
                "trust": role["AssumeRolePolicyDocument"],
                "policies": {one["PolicyName"]: one["PolicyDocument"] for one in role["RolePolicyList"]},
                "tags": {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])},
            }
            for page in pages
            for role in page["RoleDetailList"]
            if role["RoleName"].startswith("gitops-")
        }

    def _read_tags(self, kinds: list[str]) -> Document:
        pages = self.resourcegroupstaggingapi.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": "gitops:estate", "Values": ["gitops"]}], ResourceTypeFilters=kinds, ResourcesPerPage=100
        )
        return {
            one["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]}
            for page in pages
            for one in page["ResourceTagMappingList"]
        }

    def _shared_reads(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        s3, events = self.s3, self.events
        yield "connections", self.codeconnections.list_connections
        yield "key", self._read_key
        for name in (STATE, ARTIFACTS):
            yield f"{name} policy", partial(_get, s3.get_bucket_policy, "Policy", Bucket=name)
            encryption = "ServerSideEncryptionConfiguration"
            yield f"{name} encryption", partial(_get, s3.get_bucket_encryption, encryption, Bucket=name)
            yield f"{name} versioning", partial(_get, s3.get_bucket_versioning, "Status", Bucket=name)
            yield f"{name} lifecycle", partial(_get, s3.get_bucket_lifecycle_configuration, "Rules", Bucket=name)
            yield f"{name} ownership", partial(_get, s3.get_bucket_ownership_controls, "OwnershipControls", Bucket=name)
            public = "PublicAccessBlockConfiguration"
            yield f"{name} public", partial(_get, s3.get_public_access_block, public, Bucket=name)
        yield "table", partial(_get, self.dynamodb.describe_table, "Table", TableName=TABLE)
        yield "backups", partial(self.dynamodb.describe_continuous_backups, TableName=TABLE)
        yield "logs", partial(_get, self.logs.describe_log_groups, "logGroups", logGroupNamePrefix=LOGS)
        for name in (TOPIC, ALARMS):
            yield f"topic {name}", partial(self.sns.get_topic_attributes, TopicArn=arn("sns", name))
        yield "subscriptions", partial(self.sns.list_subscriptions_by_topic, TopicArn=arn("sns", TOPIC))
        yield "queue", self._read_queue
        alarm, machine = arn("cloudwatch", f"alarm:{QUEUE}"), arn("states", f"stateMachine:{MACHINE}")
        yield "alarm", partial(_get, self.cloudwatch.describe_alarms, "MetricAlarms", AlarmNames=[QUEUE])
        yield "alarm_tags", partial(self.cloudwatch.list_tags_for_resource, ResourceARN=alarm)
        yield "machine", partial(self.stepfunctions.describe_state_machine, stateMachineArn=machine)
        yield "machine_tags", partial(self.stepfunctions.list_tags_for_resource, resourceArn=machine)
        yield "rules", partial(_get, events.list_rules, "Rules", NamePrefix="gitops-notices-")
        for name in ("runs", "approvals", "locks", "undelivered"):
            rule = f"gitops-notices-{name}"
            yield f"targets {rule}", partial(_get, events.list_targets_by_rule, "Targets", Rule=rule)

    def _read_key(self) -> Document:
        made = self.kms.describe_key(KeyId=KEY)["KeyMetadata"]
        key = made["KeyId"]
        return {
            "arn": made["Arn"],
            "policy": json.loads(self.kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]),
            "rotation": self.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"],
        }

    def _read_queue(self) -> Document:
        url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        answer: Document = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return answer

    def _shared_differences(self, wanted: Wanted, found: Document, tagged: Document) -> Iterator[str]:
        def same(what: str, is_there: Any, is_wanted: Any) -> Iterator[str]:
            if is_there != is_wanted:
                yield f"{what} is {is_there}, not {is_wanted}"

        yield from same("key", found["key"], {"arn": wanted.key, "policy": wanted.key_policy(), "rotation": True})
        for name, bucket in wanted.buckets().items():
            for option, value in bucket.items():
                read = found[f"{name} {option}"]
                yield from same(f"{name} {option}", json.loads(read) if option == "policy" else read, value)
        table = found["table"]
        yield from same("table's key", table["SSEDescription"]["KMSMasterKeyArn"], wanted.key)
        yield from same("table's protection", table["DeletionProtectionEnabled"], True)
        yield from same("table's billing", table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
        backups = found["backups"]["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        yield from same("backups", backups["PointInTimeRecoveryStatus"], "ENABLED")
        yield from same("logs", [one["retentionInDays"] for one in found["logs"] if one["logGroupName"] == LOGS], [365])
        for name, attributes in wanted.topics().items():
            read = found[f"topic {name}"]["Attributes"]
            for option, value in attributes.items():
                text = read.get(option)
                yield from same(f"{name} {option}", text if isinstance(value, str) else json.loads(text), value)
        subscribed = [(one["Protocol"], one["Endpoint"]) for one in found["subscriptions"]["Subscriptions"]]
        yield from same("subscriptions", subscribed, [("email", EMAIL)])
        for option, value in wanted.queue().items():
            text = found["queue"].get(option)
            yield from same(f"queue's {option}", text if isinstance(value, str) else json.loads(text), value)
        (alarm,) = found["alarm"]
        yield from same("alarm", {option: alarm.get(option) for option in wanted.alarm()}, wanted.alarm())
        machine = {option: found["machine"].get(option) for option in wanted.machine()}
        machine["definition"] = json.loads(machine["definition"])
        yield from same("machine", machine, wanted.machine())
        rules = {one["Name"]: one for one in found["rules"]}
        for name, rule in wanted.rules().items():
            read = {option: rules[name].get(option) for option in rule["rule"]}
            if "EventPattern" in read:
                read["EventPattern"] = json.loads(read["EventPattern"])
            yield from same(name, read, rule["rule"])
            yield from same(f"{name}'s targets", found[f"targets {name}"], [rule["target"]])
        tags = {tag["Key"]: tag["Value"] for tag in found["alarm_tags"]["Tags"]}
        yield from same("alarm's tags", tags, TAGS)
        tags = {tag["key"]: tag["value"] for tag in found["machine_tags"]["tags"]}
        yield from same("machine's tags", tags, TAGS)
        for name in (
            wanted.key,
            wanted.connection,
            arn("dynamodb", f"table/{TABLE}"),
            arn("logs", f"log-group:{LOGS}"),
            arn("sqs", QUEUE),
            *[f"arn:aws:s3:::{bucket}" for bucket in wanted.buckets()],
            *[arn("sns", topic) for topic in wanted.topics()],
            *[arn("events", f"rule/{rule}") for rule in wanted.rules()],
        ):
            yield from same(f"tags of {name}", tagged.get(name), TAGS)


def main() -> int:
    """Runs one command; prints how many things differ."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=("first", "converge", "check"))
    parser.add_argument("--stacks", type=int, required=True)
    parser.add_argument("--branch", action="append", default=[])
    options = parser.parse_args()
    branches = {int(number): name for number, _is, name in (one.partition("=") for one in options.branch)}
    program = Program(contender.stacks(options.stacks, branches))
    if options.command == "first":
        program.first()
    else:
        different = program.converge(write=options.command == "converge")
        print(f"{len(different)} differ: {', '.join(different)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
