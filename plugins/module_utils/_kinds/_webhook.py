# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The webhook of a build project: its options, and the calls that make it so."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import Any, Callable, Iterator

from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused
from ansible_collections.gitops.aws.plugins.module_utils._engine import Settings
from ansible_collections.gitops.aws.plugins.module_utils._same import same_sets
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

# AWS does not show the first unless it was said.
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
    return {"manual_creation": False, **settings}


def implied(settings: Settings) -> Settings:
    """A webhook has a branch filter or groups of filters: the one that is given takes the other's place."""
    if settings.get("branch_filter"):
        return {**settings, "filter_groups": []}
    if settings.get("filter_groups"):
        return {**settings, "branch_filter": ""}
    return settings


def normalise(settings: Settings) -> Settings:
    """The canonical form."""
    result = {"manual_creation": False, **{name: value for name, value in settings.items() if name != "secret_file"}}
    if "filter_groups" in result:
        result["filter_groups"] = [
            {"filters": [{"exclude_matched_pattern": False, **each} for each in group["filters"]]}
            for group in result["filter_groups"]
        ]
    if result.get("pull_request_build_policy", {}).get("requires_comment_approval") == "DISABLED":
        del result["pull_request_build_policy"]  # what AWS shows where none was ever set, and where one was removed
    return result


def same(before: Settings, after: Settings) -> bool:
    """Whether two webhooks are the same. The order of groups and of filters in them means nothing to AWS."""
    return same_sets({**DEFAULTS, **before}, {**DEFAULTS, **after})


def conflict(before: Settings | None, after: Settings | None, secret_file: str | None) -> list[str]:
    """What is wrong with a webhook as it would be: the secret of one that is made by hand would be lost."""
    by_hand = after is not None and after["manual_creation"] and _made_anew(before, after)
    if by_hand and not secret_file:
        return ["webhook.secret_file: must be given, for AWS tells the secret of a webhook with manual_creation once"]
    return []


def save(client: Any, project: str, before: Settings | None, after: Settings | None, secret_file: str | None) -> str:
    """Makes a project's webhook what `after` says; returns the URL that the Git host sends events to, '' for none.

    CreateWebhook, UpdateWebhook and DeleteWebhook. What only CreateWebhook takes cannot be changed: the webhook is
    made anew, with another payload URL. Raises Refused where its secret cannot be kept.
    """
    if before is not None and after is not None and not _made_anew(before, after):
        members = {name: after.get(name, no) for name, no in REMOVED_BY.items() if after.get(name) != before.get(name)}
        answer = client.update_webhook(**_request(client, "UpdateWebhook", project, members))
        return str(answer["webhook"].get("payloadUrl", ""))
    with _kept(secret_file if after is not None and after["manual_creation"] else None) as keep:
        if before is not None:
            client.delete_webhook(projectName=project)
        if after is None:
            return ""
        webhook = client.create_webhook(**_request(client, "CreateWebhook", project, after))["webhook"]
        keep(webhook.get("secret", ""))
    return str(webhook.get("payloadUrl", ""))


def _made_anew(before: Settings | None, after: Settings) -> bool:
    return before is None or _only_created(before) != _only_created(after)


def _only_created(settings: Settings) -> Settings:
    return {name: value for name, value in settings.items() if name not in REMOVED_BY}


def _request(client: Any, operation: str, project: str, settings: Settings) -> Settings:
    if "filter_groups" in settings:
        settings = {**settings, "filter_groups": [group["filters"] for group in settings["filter_groups"]]}
    request: Settings = to_request(input_shape(client, operation), {"project_name": project, **settings})
    return request


@contextmanager
def _kept(path: str | None) -> Iterator[Callable[[str], Any]]:
    """AWS tells a webhook's secret once: a file for it, which only its owner can read, is opened before AWS is asked.

    Gives a function that takes the secret. The file is at its path when all went well.
    """
    if path is None:
        yield lambda secret: None
        return
    try:
        descriptor, name = tempfile.mkstemp(dir=os.path.dirname(path) or ".")
    except OSError as error:
        raise Refused(f"webhook.secret_file: {path} cannot be written: {error.strerror}. Nothing was done") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file.write
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
