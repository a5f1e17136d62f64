# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts executions and builds when a source changes: pushes to mapped repositories, new versions of S3 objects.

Of pushes to CodeCommit EventBridge hears; only pipelines that poll are started here.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_aws import codecommit, codeconnections, events, git, process
from local_aws.aws_json import AwsError
from local_aws.codebuild import webhooks
from local_aws.codebuild.service import SERVICE as CODEBUILD
from local_aws.codepipeline import engine
from local_aws.codepipeline.model import Pipeline, Revision, Trigger
from local_aws.codepipeline.roles import RoleSession
from local_aws.codepipeline.service import SERVICE

logger = logging.getLogger("local_aws")

REPOSITORY_SECONDS = 0.5
OBJECT_SECONDS = 10.0


def start() -> None:
    """Watch until the server stops."""
    stopped = threading.Event()
    process.on_shutdown(stopped.set)
    threading.Thread(target=_watch, args=(stopped,), daemon=True, name="pushes").start()


def _watch(stopped: threading.Event) -> None:
    known: dict[str, dict[str, str]] = {}
    objects: dict[tuple[str, str], str] = {}
    next_objects = 0.0
    while not stopped.wait(REPOSITORY_SECONDS):
        try:
            for full_name, path in codeconnections.repositories().items():
                _repository(full_name, path, known)
            for arn, path in codecommit.repositories().items():
                _of_codecommit(arn, path, known)
            if time.monotonic() >= next_objects:
                next_objects = time.monotonic() + OBJECT_SECONDS
                for pipeline in SERVICE.pipelines():
                    _objects(pipeline, objects)
        except Exception:
            logger.exception("watching the sources of pipelines")


def _repository(full_name: str, path: Path, known: dict[str, dict[str, str]]) -> None:
    """Compare a repository's refs with those of the last look; what it had when it was mapped is no push."""
    try:
        current = git.refs(path)
    except git.GitError as error:
        logger.warning("repository %s: %s", full_name, error)
        return
    before = known.get(full_name) or codeconnections.refs_when_mapped(full_name)
    known[full_name] = current
    for ref, commit in current.items():
        if before.get(ref) != commit:
            pushed(full_name, path, ref, before.get(ref), commit)
            _build(full_name, path, ref, before.get(ref), commit)


def _of_codecommit(arn: str, path: Path, known: dict[str, dict[str, str]]) -> None:
    """The same of a repository in CodeCommit."""
    try:
        current = git.refs(path)
    except git.GitError as error:
        logger.warning("repository %s: %s", arn, error)
        return
    before = known.get(arn, codecommit.refs_when_mapped(arn))
    known[arn] = current
    region, account_id, name = codecommit.parts(arn)
    for ref in sorted({*before, *current}):
        old, new = before.get(ref), current.get(ref)
        if old == new:
            continue
        branch = ref.startswith("refs/heads/")
        detail = {
            "event": f"reference{'Created' if old is None else 'Deleted' if new is None else 'Updated'}",
            "repositoryName": name,
            "repositoryId": codecommit.repository_id(arn),
            "referenceType": "branch" if branch else "tag",
            "referenceName": ref.split("/", 2)[2],
            "referenceFullName": ref,
            **({"commitId": new} if new else {}),
            **({"oldCommitId": old} if old else {}),
        }
        events.publish("aws.codecommit", "CodeCommit Repository State Change", detail, [arn], account_id, region)
        for pipeline in _polling(arn, ref) if new else []:
            engine.start(pipeline, Trigger("PollForSourceChanges"))


def _polling(arn: str, ref: str) -> Iterator[Pipeline]:
    """The pipelines that look themselves whether the branch of a repository in CodeCommit has changed."""
    for pipeline in SERVICE.pipelines():
        for action in pipeline.declaration["stages"][0]["actions"]:
            configuration = action["configuration"]
            if (
                action["actionTypeId"]["provider"] == "CodeCommit"
                and configuration.get("PollForSourceChanges", "true").lower() != "false"
                and ref == f"refs/heads/{configuration['BranchName']}"
                and arn == codecommit.arn_of(configuration["RepositoryName"], pipeline.account_id, pipeline.region)
            ):
                yield pipeline


def pushed(full_name: str, path: Path, ref: str, old: str | None, new: str) -> None:
    """Start every pipeline that a push of one ref (refs/heads/... or refs/tags/...) triggers."""
    for pipeline, action in connected(full_name):
        trigger = _trigger(pipeline, action, path, ref, old, new)
        if trigger is None:
            continue
        branch = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else ""
        try:
            engine.start(pipeline, trigger, overrides={action["name"]: Revision("COMMIT_ID", new, branch)})
        except AwsError as error:
            logger.warning("push to %s does not start %s: %s", full_name, pipeline.name, error.message)


def connected(full_name: str) -> Iterator[tuple[Pipeline, dict[str, Any]]]:
    """The pipelines that hear of a repository, each with its source action: the connection must be available."""
    for pipeline in SERVICE.pipelines():
        for action in pipeline.declaration["stages"][0]["actions"]:
            configuration = action["configuration"]
            if action["actionTypeId"]["provider"] != "CodeStarSourceConnection" or (
                configuration["FullRepositoryId"] != full_name
            ):
                continue
            connection = codeconnections.SERVICE.find(
                configuration["ConnectionArn"], pipeline.account_id, pipeline.region
            )
            if connection is not None and connection.status == "AVAILABLE":
                yield pipeline, action


def git_filters(pipeline: Pipeline, action: dict[str, Any]) -> list[dict[str, Any]]:
    """The triggers that a pipeline declares for a source action."""
    return [
        item["gitConfiguration"]
        for item in pipeline.declaration.get("triggers", [])
        if item["gitConfiguration"]["sourceActionName"] == action["name"]
    ]


def _build(full_name: str, path: Path, ref: str, old: str | None, new: str) -> None:
    """Start every build that a push triggers."""
    try:
        message, files = git.commit(path, new).message, tuple(git.changed_files(path, old, new))
    except git.GitError as error:  # such as a tag of something that is no commit
        logger.warning("push of %s to %s: %s", ref, full_name, error)
        return
    event = webhooks.Event(webhooks.PUSH, full_name, ref, new, message, files, previous=old or "")
    for item in CODEBUILD.deliver(event):
        if "reason" in item:
            logger.warning("push to %s does not start a build of %s: %s", full_name, item["project"], item["reason"])


def _trigger(
    pipeline: Pipeline, action: dict[str, Any], path: Path, ref: str, old: str | None, new: str
) -> Trigger | None:
    """The trigger a push is to a pipeline, or None."""
    configuration = action["configuration"]
    own_branch = ref == f"refs/heads/{configuration['BranchName']}"
    declared = git_filters(pipeline, action)
    if not declared:
        wanted = own_branch and configuration.get("DetectChanges", "true").lower() != "false"
        return Trigger("Webhook", configuration["ConnectionArn"]) if wanted else None
    for filters in declared:
        if "push" not in filters:
            matched = own_branch and "pullRequest" not in filters
        else:
            matched = any(_push_matches(item, path, ref, old, new) for item in filters["push"])
        if matched:
            detail = {
                "connectionArn": configuration["ConnectionArn"],
                "ref": ref,
                "commitId": new,
                "fullRepositoryName": configuration["FullRepositoryId"],
            }
            return Trigger("WebhookV2", json.dumps(detail))
    return None


def _push_matches(push: dict[str, Any], path: Path, ref: str, old: str | None, new: str) -> bool:
    if ref.startswith("refs/tags/"):
        return "tags" in push and wanted(ref.removeprefix("refs/tags/"), push["tags"])
    if "tags" in push or not wanted(ref.removeprefix("refs/heads/"), push.get("branches", {})):
        return False
    files = push.get("filePaths")
    return files is None or any(wanted(name, files) for name in git.changed_files(path, old, new))


def wanted(name: str, criteria: dict[str, list[str]]) -> bool:
    """Whether a branch, tag or path passes includes and excludes; excludes win, no includes include all."""
    includes, excludes = criteria.get("includes"), criteria.get("excludes", [])
    if any(glob(pattern).fullmatch(name) for pattern in excludes):
        return False
    return includes is None or any(glob(pattern).fullmatch(name) for pattern in includes)


def glob(pattern: str) -> re.Pattern[str]:
    """A glob of CodePipeline: * and ? stay within a path segment, ** crosses them, {a,b} is either."""
    return re.compile("".join(_glob_parts(pattern)))


def _glob_parts(pattern: str) -> Iterator[str]:
    depth, position = 0, 0
    while position < len(pattern):
        character = pattern[position]
        if pattern.startswith("**/", position):
            yield "(?:.*/)?"
            position += 3
            continue
        if pattern.startswith("**", position):
            yield ".*"
            position += 2
            continue
        if character == "{" and "}" in pattern[position:]:
            depth += 1
            yield "(?:"
        elif character == "}" and depth:
            depth -= 1
            yield ")"
        elif character == "," and depth:
            yield "|"
        else:
            yield {"*": "[^/]*", "?": "[^/]"}.get(character) or re.escape(character)
        position += 1


def _objects(pipeline: Pipeline, known: dict[tuple[str, str], str]) -> None:
    """Poll the S3 sources of a pipeline, as its role."""
    for action in pipeline.declaration["stages"][0]["actions"]:
        configuration = action["configuration"]
        if action["actionTypeId"]["provider"] != "S3" or (
            configuration.get("PollForSourceChanges", "true").lower() == "false"
        ):
            continue
        role = RoleSession(
            pipeline.declaration["roleArn"],
            pipeline.arn,
            pipeline.account_id,
            pipeline.region,
            "AWSCodePipeline-poll",
            action.get("roleArn"),
        )
        try:
            found = role.client("s3").head_object(Bucket=configuration["S3Bucket"], Key=configuration["S3ObjectKey"])
        except (ClientError, AwsError):
            # The source action itself tells what is wrong.
            continue
        version = str(found.get("VersionId") or found["ETag"])
        before = known.get((pipeline.arn, action["name"]))
        known[pipeline.arn, action["name"]] = version
        if before is not None and before != version:
            try:
                engine.start(pipeline, Trigger("PollForSourceChanges"))
            except AwsError as error:
                logger.warning(
                    "a new version of %s does not start %s: %s",
                    configuration["S3ObjectKey"],
                    pipeline.name,
                    error.message,
                )
