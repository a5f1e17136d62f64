# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The versions that a bucket keeps of a state, and states that failed builds saved aside; without their values."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._names import empty_problems
from ansible_collections.gitops.aws.plugins.module_utils._terraform_locks import ABSENT
from ansible_collections.gitops.aws.plugins.module_utils._terraform_state import Unreadable, parse

RESCUED: dict[str, Any] = {
    "bucket": {"type": "str", "required": True},
    "key": {"type": "str", "required": True, "no_log": False},
}
ARGUMENTS: dict[str, Any] = {
    "bucket": {"type": "str", "required": True},
    "key": {"type": "str", "required": True, "no_log": False},
    "limit": {"type": "int", "default": 20},
    "rescued_at": {"type": "list", "elements": "dict", "options": RESCUED},
}

MOST = 1000  # a look into each takes a call

# What a build adds to the key of a state that it could not write; after Terraform's errored.tfstate.
ERRORED = ".errored"

# What is said of a version when nothing can be said of what it holds.
UNKNOWN: dict[str, Any] = {"serial": None, "lineage": "", "terraform_version": "", "resources": None}


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments, found without a call."""
    found = empty_problems(params, ("bucket", "key"))
    if not 0 <= params["limit"] <= MOST:
        found.append(f"limit: {params['limit']} is not allowed, it must be from 0 to {MOST}")
    for index, place in enumerate(params["rescued_at"] or []):
        found += [f"rescued_at[{index}].{problem}" for problem in empty_problems(place, ("bucket", "key"))]
    return found


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that terraform_state_versions_info does; returns its result."""
    bucket, key = params["bucket"], params["key"]
    versions = versions_of(aws, bucket, key)
    wanted = [version for version in versions if not version["deleted"]][: params["limit"]]

    def look(version: dict[str, Any]) -> None:
        answer = read_or_none(
            aws.client("s3").get_object,
            ("NoSuchVersion", *ABSENT),
            Bucket=bucket,
            Key=key,
            VersionId=version["version_id"],
        )
        version.update(summary(answer["Body"].read()) if answer else {"unreadable": "it was deleted a moment ago"})

    aws.map(look, wanted)
    places = params["rescued_at"]
    if places is None:
        places = [{"bucket": bucket, "key": key + ERRORED}]
    rescued = aws.map(lambda place: _rescued(aws, place["bucket"], place["key"]), places)
    return {"changed": False, "versions": versions, "rescued": [one for one in rescued if one]}


def versions_of(aws: Aws, bucket: str, key: str) -> list[dict[str, Any]]:
    """All versions and delete markers of one object (ListObjectVersions), the newest first."""
    found: list[dict[str, Any]] = []
    for page in aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        listed = page.get("Versions", []) + page.get("DeleteMarkers", [])
        found += [each for each in listed if each["Key"] == key]
        # Keys are listed in their order: behind another one, such as the lock's, there is none of ours.
        if any(each["Key"] != key for each in listed):
            break
    found.sort(key=lambda each: (each["IsLatest"], each["LastModified"]), reverse=True)
    return [
        {
            "version_id": each["VersionId"],
            "last_modified": in_utc(each["LastModified"]),
            "size": each.get("Size", 0),
            "is_latest": each["IsLatest"],
            "deleted": "ETag" not in each,
            "unreadable": "",
            **UNKNOWN,
        }
        for each in found
    ]


def in_utc(time: datetime) -> str:
    """A time as results show it."""
    return time.astimezone(timezone.utc).isoformat()


def summary(content: bytes) -> dict[str, Any]:
    """What a state says of itself, with the number of its resources."""
    try:
        state = parse(content)
    except Unreadable as error:
        return {**UNKNOWN, "unreadable": str(error)}
    return {
        **{name: state[name] for name in ("serial", "lineage", "terraform_version")},
        "resources": len(state["resources"]),
        "unreadable": "",
    }


def _rescued(aws: Aws, bucket: str, key: str) -> dict[str, Any] | None:
    answer = read_or_none(aws.client("s3").get_object, ABSENT, Bucket=bucket, Key=key)
    if answer is None:
        return None
    return {
        "bucket": bucket,
        "key": key,
        "version_id": answer.get("VersionId", ""),
        "last_modified": in_utc(answer["LastModified"]),
        **summary(answer["Body"].read()),
    }
