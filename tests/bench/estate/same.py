# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether contenders have made the same estate: every resource with every attribute, against ours.

    python -m tests.bench.estate.same [--stacks N] [CONTENDER...]

makes the estate with ours and with each contender, in accounts of their own, prints how they differ and ends with 1
where they do. What a contender is known not to make is in OMITS, and must indeed differ: nothing is excused that is no
longer so.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tests.bench.estate.account import Account

ClientOf = Callable[[str], Any]
Inventory = dict[str, dict[str, Any]]
"""By kind and name, the attributes of a resource in AWS's words."""

CONTENDERS = {
    "ours": ("ours", "Ours"),
    "floor": ("floor", "Floor"),
    "terraform": ("terraform", "Terraform"),
    "loops": ("loops", "Loops"),
}
TEXT_TOLERANCE = 0.02
"""How much longer or shorter a buildspec or the state machine's definition may be than ours."""

OMITS: dict[str, tuple[str, ...]] = {
    # The provider of this version refuses what has become AWS's default.
    "terraform": ("queue/*/MaximumMessageSize",),
    # What the modules have no options for (loops.py).
    "loops": (
        "alarm/*/tags",
        "pipeline/*/artifactStore/encryptionKey",
        "pipeline/*/executionMode",
        "pipeline/*/pipelineType",
        "pipeline/*/tags",
        "pipeline/*/triggers",
        "pipeline/*/variables",
        "project/*/concurrentBuildLimit",
        "project/*/logsConfig",
        "rule/*/tags",
        "rule/*/targets",
        "table/*/DeletionProtectionEnabled",
        "table/*/SSEDescription",
        "table/*/backups/*",
        "topic/*/KmsMasterKeyId",
    ),
}
"""Patterns of `kind/name/attribute` that a contender makes otherwise than ours, because it has no option for it."""

# What AWS makes up itself, and what says the same elsewhere.
MADE_UP = {
    "RoleId", "CreateDate", "Tags", "RoleLastUsed", "created", "lastModified", "updated", "TableId", "CreationDateTime",
    "CreationDate", "CurrentKeyMaterialId", "creationTime", "AlarmConfigurationUpdatedTimestamp",
    "StateUpdatedTimestamp", "StateReason", "StateValue", "revisionId", "creationDate", "CreatedTimestamp",
    "LastModifiedTimestamp", "SubscriptionArn", "ResponseMetadata", "EarliestRestorableDateTime",
    "LatestRestorableDateTime", "WarmThroughput",
}  # fmt: skip
DOCUMENTS = {"Policy", "EventPattern", "AssumeRolePolicyDocument", "EnvironmentVariables"}
NOTHING: tuple[Any, ...] = (None, False, 0, "0", "", [], {})
TEXTS = {"buildspec", "definition"}
IN_ORDER = {"stages", "actions"}


def inventory(client: ClientOf) -> Inventory:
    """Everything of the estate that is there."""
    found = {
        "role": dict(_roles(client("iam"))),
        "project": _named(_projects(client("codebuild")), "name"),
        "pipeline": dict(_pipelines(client("codepipeline"))),
        "bucket": dict(_buckets(client("s3"))),
        "table": dict(_tables(client("dynamodb"))),
        "log group": dict(_log_groups(client("logs"))),
        "key": dict(_keys(client("kms"))),
        "connection": dict(_connections(client("codeconnections"))),
        "rule": dict(_rules(client("events"))),
        "topic": dict(_topics(client("sns"))),
        "queue": dict(_queues(client("sqs"))),
        "alarm": dict(_alarms(client("cloudwatch"))),
        "machine": dict(_machines(client("stepfunctions"))),
    }
    ids = {one["Arn"]: "<key>" for one in found["key"].values()}
    ids |= {one["KeyId"]: "<key>" for one in found["key"].values()}
    ids |= {one["ConnectionArn"]: "<connection>" for one in found["connection"].values()}
    plain: Inventory = _plain(found, dict(sorted(ids.items(), key=lambda item: -len(item[0]))))
    return plain


def differences(ours: Inventory, theirs: Inventory, omits: tuple[str, ...] = ()) -> list[str]:
    """How their estate differs from ours: lines of `kind/name/attribute: ours -> theirs`.

    Args:
        omits: patterns of such paths that may differ; one that nothing differs in is a difference, too.
    """
    found = dict(_compared("", ours, theirs))
    excused = {path for path in found for pattern in omits if fnmatch(path, pattern)}
    stale = [pattern for pattern in omits if not any(fnmatch(path, pattern) for path in found)]
    told = [f"{path}: {found[path]}" for path in sorted(set(found) - excused)]
    return told + [f"{pattern} is excused, but does not differ" for pattern in stale]


def _compared(path: str, one: Any, other: Any) -> Iterator[tuple[str, str]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}, key=str):
            yield from _compared(f"{path}/{name}".lstrip("/"), one.get(name), other.get(name))
    elif isinstance(one, _Text) and isinstance(other, _Text):
        if abs(one.length - other.length) > TEXT_TOLERANCE * one.length:
            yield path, f"{one.length} characters -> {other.length}"
    elif one != other:
        yield path, f"{_short(one)} -> {_short(other)}"


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 400 else f"{text[:400]}..."


class _Text:
    """A long text, of which the length counts."""

    def __init__(self, text: str) -> None:
        self.length = len(text)


def _plain(value: Any, ids: dict[str, str]) -> Any:
    """The value without what AWS made up and what is empty, false or nought (as good as not said), with names in the
    place of ids, and with lists sorted whose order says nothing."""
    if isinstance(value, dict):
        members = {name: _member(str(name), member, ids) for name, member in value.items() if name not in MADE_UP}
        return {name: member for name, member in members.items() if member not in NOTHING}
    if isinstance(value, list):
        return sorted(
            (_plain(each, ids) for each in value), key=lambda each: json.dumps(each, sort_keys=True, default=str)
        )
    if isinstance(value, str):
        for known, instead in ids.items():
            value = value.replace(known, instead)
    return value


def _member(name: str, value: Any, ids: dict[str, str]) -> Any:
    if name in TEXTS and isinstance(value, str):
        return _Text(value)
    if name in IN_ORDER and isinstance(value, list):
        return [_plain(each, ids) for each in value]
    if name in DOCUMENTS and isinstance(value, str):
        value = json.loads(value)
    return _plain(value, ids)


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> list[Any]:
    return [one for page in client.get_paginator(operation).paginate(**arguments) for one in page.get(key, [])]


def _named(resources: list[Any], name: str) -> dict[str, Any]:
    return {one[name]: one for one in resources}


def _roles(iam: Any) -> Iterator[tuple[str, Any]]:
    for role in _pages(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        policies = _pages(iam, "list_role_policies", "PolicyNames", RoleName=name)
        yield (
            name,
            {
                **role,
                "inline": {
                    one: iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in policies
                },
                "attached": _pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name),
                "tags": iam.list_role_tags(RoleName=name)["Tags"],
                "profiles": len(_pages(iam, "list_instance_profiles_for_role", "InstanceProfiles", RoleName=name)),
            },
        )


def _projects(codebuild: Any) -> list[Any]:
    names = _pages(codebuild, "list_projects", "projects")
    parts = [names[start : start + 100] for start in range(0, len(names), 100)]
    return [one for part in parts for one in codebuild.batch_get_projects(names=part)["projects"]]


def _pipelines(codepipeline: Any) -> Iterator[tuple[str, Any]]:
    for listed in _pages(codepipeline, "list_pipelines", "pipelines"):
        found = codepipeline.get_pipeline(name=listed["name"])
        tags = codepipeline.list_tags_for_resource(resourceArn=found["metadata"]["pipelineArn"])["tags"]
        yield listed["name"], {**found["pipeline"], "tags": tags}


def _buckets(s3: Any) -> Iterator[tuple[str, Any]]:
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        yield (
            name,
            {
                "versioning": s3.get_bucket_versioning(Bucket=name),
                "encryption": s3.get_bucket_encryption(Bucket=name),
                "lifecycle": s3.get_bucket_lifecycle_configuration(Bucket=name),
                "ownership": s3.get_bucket_ownership_controls(Bucket=name),
                "access": s3.get_public_access_block(Bucket=name),
                "policy": s3.get_bucket_policy(Bucket=name),
                "tags": s3.get_bucket_tagging(Bucket=name)["TagSet"],
            },
        )


def _tables(dynamodb: Any) -> Iterator[tuple[str, Any]]:
    for name in _pages(dynamodb, "list_tables", "TableNames"):
        table = dynamodb.describe_table(TableName=name)["Table"]
        yield (
            name,
            {
                **table,
                "backups": dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"],
                "tags": dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"],
            },
        )


def _log_groups(logs: Any) -> Iterator[tuple[str, Any]]:
    for group in _pages(logs, "describe_log_groups", "logGroups"):
        tags = logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"]
        yield group["logGroupName"], {"retention": group.get("retentionInDays"), "tags": tags}


def _keys(kms: Any) -> Iterator[tuple[str, Any]]:
    for alias in _pages(kms, "list_aliases", "Aliases"):
        if not alias["AliasName"].startswith("alias/aws/"):
            key = alias["TargetKeyId"]
            yield (
                alias["AliasName"],
                {
                    **kms.describe_key(KeyId=key)["KeyMetadata"],
                    "rotation": kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"],
                    "policy": kms.get_key_policy(KeyId=key, PolicyName="default"),
                    "tags": kms.list_resource_tags(KeyId=key)["Tags"],
                },
            )


def _connections(codeconnections: Any) -> Iterator[tuple[str, Any]]:
    for connection in codeconnections.list_connections()["Connections"]:
        tags = codeconnections.list_tags_for_resource(ResourceArn=connection["ConnectionArn"])["Tags"]
        yield connection["ConnectionName"], {**connection, "tags": tags}


def _rules(events: Any) -> Iterator[tuple[str, Any]]:
    for rule in _pages(events, "list_rules", "Rules"):
        yield (
            rule["Name"],
            {
                **rule,
                "targets": _pages(events, "list_targets_by_rule", "Targets", Rule=rule["Name"]),
                "tags": events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"],
            },
        )


def _topics(sns: Any) -> Iterator[tuple[str, Any]]:
    for listed in _pages(sns, "list_topics", "Topics"):
        arn = listed["TopicArn"]
        yield (
            arn.rpartition(":")[2],
            {
                **sns.get_topic_attributes(TopicArn=arn)["Attributes"],
                "subscriptions": _pages(sns, "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn),
                "tags": sns.list_tags_for_resource(ResourceArn=arn)["Tags"],
            },
        )


def _queues(sqs: Any) -> Iterator[tuple[str, Any]]:
    for url in _pages(sqs, "list_queues", "QueueUrls"):
        yield (
            url.rpartition("/")[2],
            {
                **sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"],
                "tags": sqs.list_queue_tags(QueueUrl=url).get("Tags"),
            },
        )


def _alarms(cloudwatch: Any) -> Iterator[tuple[str, Any]]:
    for alarm in _pages(cloudwatch, "describe_alarms", "MetricAlarms"):
        tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        yield alarm["AlarmName"], {**alarm, "tags": tags}


def _machines(stepfunctions: Any) -> Iterator[tuple[str, Any]]:
    for listed in _pages(stepfunctions, "list_state_machines", "stateMachines"):
        arn = listed["stateMachineArn"]
        tags = stepfunctions.list_tags_for_resource(resourceArn=arn)["tags"]
        yield listed["name"], {**stepfunctions.describe_state_machine(stateMachineArn=arn), "tags": tags}


def made(name: str, n: int, directory: Path) -> Inventory:
    """What a contender makes for n stacks."""
    module, kind = CONTENDERS[name]
    account = Account(getattr(importlib.import_module(f"tests.bench.estate.{module}"), kind), n, directory)
    try:
        account.run(account.contender.first(), writes=True)
        return inventory(account.person.client)
    finally:
        account.close()


def main() -> int:
    """The command; 1 where anybody's estate differs from ours."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.estate.same", description="Compares the estates.")
    parser.add_argument(
        "contenders", nargs="*", metavar="CONTENDER", default=[one for one in CONTENDERS if one != "ours"]
    )
    parser.add_argument("--stacks", type=int, default=2)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="estate-same-") as directory:
        ours = made("ours", options.stacks, Path(directory) / "ours")
        for name in options.contenders:
            lines = differences(ours, made(name, options.stacks, Path(directory) / name), OMITS.get(name, ()))
            failed = failed or bool(lines)
            print(f"{name}: {'the same' if not lines else ''}", *lines, sep="\n  ", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
