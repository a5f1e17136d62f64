# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts executions of pipelines whose triggers filter pull requests."""

from __future__ import annotations

import json
from typing import Any

from local_aws.aws_json import AwsError
from local_aws.codebuild.webhooks import Event
from local_aws.codepipeline import engine, pushes
from local_aws.codepipeline.model import Revision, Trigger

# AWS ignores every other event.
_EVENTS = {
    "PULL_REQUEST_CREATED": "OPEN",
    "PULL_REQUEST_UPDATED": "UPDATED",
    "PULL_REQUEST_MERGED": "CLOSED",
    "PULL_REQUEST_CLOSED": "CLOSED",
}


def deliver(event: Event) -> list[dict[str, str]]:
    """Start an execution of each pipeline that wants a pull request's event, at the head commit.

    Returns {pipeline, execution_id} of every execution that was started, and {pipeline, reason} where one was not.
    """
    outcome = []
    for pipeline, action in pushes.connected(event.full_name):
        filters = [item for given in pushes.git_filters(pipeline, action) for item in given.get("pullRequest", [])]
        if not any(_matches(item, event) for item in filters):
            continue
        branch = event.head_ref.removeprefix("refs/heads/")
        detail = {
            "connectionArn": action["configuration"]["ConnectionArn"],
            "pullRequestId": str(event.pull_request),
            "ref": event.head_ref,
            "commitId": event.commit,
            "fullRepositoryName": event.full_name,
        }
        try:
            execution = engine.start(
                pipeline,
                Trigger("WebhookV2", json.dumps(detail)),
                overrides={action["name"]: Revision("COMMIT_ID", event.commit, branch)},
            )
        except AwsError as error:
            outcome.append({"pipeline": pipeline.name, "reason": error.message})
        else:
            outcome.append({"pipeline": pipeline.name, "execution_id": execution.id})
    return outcome


def _matches(wanted: dict[str, Any], event: Event) -> bool:
    """A filter of a trigger; its branches are those that pull requests go into."""
    if _EVENTS.get(event.type) not in wanted.get("events", ("OPEN", "UPDATED", "CLOSED")):
        return False
    if not pushes.wanted(event.base_ref.removeprefix("refs/heads/"), wanted.get("branches", {})):
        return False
    files = wanted.get("filePaths")
    return files is None or any(pushes.wanted(name, files) for name in event.files)
