# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listing versions: no page is asked for that cannot hold one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils import _state_versions as versions

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def version(name: str, key: str = "key", minutes: int = 0, **values: Any) -> dict[str, Any]:
    time = NOON + timedelta(minutes=minutes)
    return {"Key": key, "VersionId": name, "LastModified": time, "IsLatest": False, **values}


def test_pages_behind_the_last_version_are_not_asked_for(aws: Any, stubs: Any) -> None:
    first = {
        "Versions": [version("v2", ETag="e", Size=5), version("v1", minutes=-9, ETag="e", Size=4)],
        "IsTruncated": True,
        "NextKeyMarker": "key",
        "NextVersionIdMarker": "v1",
    }
    second = {
        "Versions": [version("v0", minutes=-99, ETag="e", Size=3), version("l", "key.tflock", ETag="e")],
        "DeleteMarkers": [version("d2", minutes=1, IsLatest=True), version("d", "key.tflock")],
        "IsTruncated": True,
        "NextKeyMarker": "key.tflock",
        "NextVersionIdMarker": "d",
    }
    asked = {"Bucket": "bucket", "Prefix": "key"}
    stubs["s3"].add_response("list_object_versions", first, asked)
    stubs["s3"].add_response("list_object_versions", second, {**asked, "KeyMarker": "key", "VersionIdMarker": "v1"})

    found = versions.versions_of(aws(), "bucket", "key")

    assert [(one["version_id"], one["deleted"], one["size"]) for one in found] == [
        ("d2", True, 0),
        ("v2", False, 5),
        ("v1", False, 4),
        ("v0", False, 3),
    ]
    assert found[0]["is_latest"]


def test_times_are_in_utc() -> None:
    assert versions.in_utc(NOON.astimezone(timezone(timedelta(hours=2)))) == "2026-11-20T12:00:00+00:00"
