# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The webhook of a build project: its options, and the calls that make it so."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._engine import Settings
from ansible_collections.gitops.aws.plugins.module_utils._shapes import from_response, input_shape, to_request

WEBHOOK: dict[str, Any] = {
    "branch_filter": {"type": "str"},
    "filter_groups": {
        "type": "list",
        "elements": "dict",
        "options": {
            "filters": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "type": {
                        "type": "str",
                        "required": True,
                        "choices": [
                            "ACTOR_ACCOUNT_ID",
                            "BASE_REF",
                            "COMMIT_MESSAGE",
                            "EVENT",
                            "FILE_PATH",
                            "HEAD_REF",
                            "ORGANIZATION_NAME",
                            "RELEASE_NAME",
                            "REPOSITORY_NAME",
                            "TAG_NAME",
                            "WORKFLOW_NAME",
                        ],
                    },
                    "pattern": {"type": "str", "required": True},
                    "exclude_matched_pattern": {"type": "bool", "default": False},
                },
            },
        },
    },
    "build_type": {"type": "str", "choices": ["BUILD", "BUILD_BATCH", "RUNNER_BUILDKITE_BUILD"]},
    "manual_creation": {"type": "bool"},
    "secret_file": {"type": "path"},
    "scope_configuration": {
        "type": "dict",
        "options": {
            "name": {"type": "str"},
            "domain": {"type": "str"},
            "scope": {"type": "str", "choices": ["GITHUB_ORGANIZATION", "GITHUB_GLOBAL", "GITLAB_GROUP"]},
        },
    },
    "pull_request_build_policy": {
        "type": "dict",
        "options": {
            "requires_comment_approval": {
                "type": "str",
                "choices": ["DISABLED", "ALL_PULL_REQUESTS", "FORK_PULL_REQUESTS"],
            },
            "approver_roles": {
                "type": "list",
                "elements": "str",
                "choices": [
                    "BITBUCKET_ADMIN",
                    "BITBUCKET_READ",
                    "BITBUCKET_WRITE",
                    "GITHUB_ADMIN",
                    "GITHUB_MAINTAIN",
                    "GITHUB_READ",
                    "GITHUB_TRIAGE",
                    "GITHUB_WRITE",
                    "GITLAB_DEVELOPER",
                    "GITLAB_GUEST",
                    "GITLAB_MAINTAINER",
                    "GITLAB_OWNER",
                    "GITLAB_PLANNER",
                    "GITLAB_REPORTER",
                ],
            },
        },
    },
}

DEFAULTS: Settings = {"build_type": "BUILD", "manual_creation": False}

# What UpdateWebhook takes, with what removes it there. The rest is set by CreateWebhook alone.
REMOVED_BY: Settings = {
    "branch_filter": "",
    "filter_groups": [],
    "build_type": "BUILD",
    "pull_request_build_policy": {"requires_comment_approval": "DISABLED"},
}


def from_api(client: Any, webhook: Settings) -> Settings:
    """A webhook as BatchGetProjects answers it, as settings. Groups of filters get a name for what is in them."""
    settings: Settings = from_response(input_shape(client, "CreateWebhook"), webhook)
    if "filter_groups" in settings:
        settings["filter_groups"] = [{"filters": group} for group in settings["filter_groups"]]
    # An empty webhook would be no webhook: this default keeps one that has no filter.
    return {**DEFAULTS, **settings}


def normalise(settings: Settings) -> Settings:
    """The canonical form. The order of groups and of filters in them means nothing to AWS."""
    result = {**DEFAULTS, **{name: value for name, value in settings.items() if name != "secret_file"}}
    groups = [
        {"filters": sorted([{"exclude_matched_pattern": False, **each} for each in group["filters"]], key=json.dumps)}
        for group in result.get("filter_groups", [])
    ]
    if groups:
        result["filter_groups"] = sorted(groups, key=json.dumps)
    policy = result.get("pull_request_build_policy")
    if policy and "approver_roles" in policy:
        result["pull_request_build_policy"] = {**policy, "approver_roles": sorted(policy["approver_roles"])}
    return result


def save(client: Any, project: str, before: Settings | None, after: Settings | None, secret_file: str | None) -> Any:
    """Makes a project's webhook what `after` says; returns the webhook as AWS answers it, None where there is none.

    CreateWebhook, UpdateWebhook and DeleteWebhook. What only CreateWebhook takes cannot be changed: the webhook is
    made anew, with another payload URL.
    """
    if after is None:
        client.delete_webhook(projectName=project)
        return None
    if before is not None and _only_created(before) != _only_created(after):
        client.delete_webhook(projectName=project)
        before = None
    if before is None:
        webhook = client.create_webhook(**_request(client, "CreateWebhook", project, after))["webhook"]
        if after["manual_creation"] and secret_file:
            _keep(webhook.get("secret", ""), secret_file)
        return webhook
    changed = {
        name: after.get(name, empty) for name, empty in REMOVED_BY.items() if after.get(name) != before.get(name)
    }
    if "branch_filter" in after and "filter_groups" not in after:
        changed.pop("filter_groups", None)  # the one that is given takes the other's place
    if "filter_groups" in after:
        changed.pop("branch_filter", None)
    return client.update_webhook(**_request(client, "UpdateWebhook", project, changed))["webhook"]


def _only_created(settings: Settings) -> Settings:
    return {name: value for name, value in settings.items() if name not in REMOVED_BY}


def _request(client: Any, operation: str, project: str, settings: Settings) -> Settings:
    if "filter_groups" in settings:
        settings = {**settings, "filter_groups": [group["filters"] for group in settings["filter_groups"]]}
    request: Settings = to_request(input_shape(client, operation), {"project_name": project, **settings})
    return request


def _keep(secret: str, path: str) -> None:
    """AWS tells a webhook's secret once: into a new file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(secret)
