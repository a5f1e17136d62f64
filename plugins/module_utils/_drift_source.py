# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The zip that the pipeline for drift runs: of this collection and amazon.aws what it needs, and the settings.

The same content makes the same bytes, for nothing is compressed: what an object holds is compared, and not what its
metadata say that it holds. Nor is a zip unpacked for that, which programs read differently if somebody wants it so.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, encryption, read_or_none

# What is taken of a collection: files, and of folders all files of the kinds that a collection ships. A checkout may
# hold more: settings of its user's beside our playbooks, which have no place in the bucket.
OURS = (
    "MANIFEST.json",
    "galaxy.yml",
    "meta",
    "playbooks/drift.yml",
    "playbooks/tasks/drift_settings.yml",
    "playbooks/tasks/scan_findings.yml",
    "playbooks/vars/roles.yml",
    "plugins",
    "roles/drift/files/requirements.txt",
)
THEIRS = ("MANIFEST.json", "galaxy.yml", "meta", "plugins/module_utils")
KINDS = (".py", ".yml")
FOLDER = "collections/ansible_collections"
SETTINGS = "settings.json"

DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can have

ARGUMENTS: dict[str, Any] = {
    "bucket": {"type": "str", "required": True},
    "key": {"type": "str", "default": "gitops-drift/source/source.zip", "no_log": False},
    "kms_key_id": {"type": "str"},
    "settings": {"type": "dict", "required": True},
    "src": {"type": "path"},
}


def contents(ours: str, theirs: str, settings: dict[str, Any]) -> dict[str, bytes]:
    """What is in the zip, by path.

    Args:
        ours: the folder of this collection.
        theirs: the folder of amazon.aws.
        settings: what drift.yml reads, the dictionary `drift_told`.
    """
    found = {SETTINGS: json.dumps(settings, sort_keys=True, indent=1).encode()}
    for root, name, parts in ((ours, "gitops/aws", OURS), (theirs, "amazon/aws", THEIRS)):
        for part in parts:
            found.update(_files(root, part, f"{FOLDER}/{name}"))
    return found


def _files(root: str, part: str, under: str) -> dict[str, bytes]:
    top = os.path.join(root, part)
    if os.path.isfile(top):
        places = [top]
    else:
        places = [
            os.path.join(folder, name)
            for folder, _folders, names in os.walk(top)
            for name in names
            if name.endswith(KINDS) and not name.startswith(".")
        ]
    found = {}
    for place in places:
        path = os.path.relpath(place, root).replace(os.sep, "/")
        with open(place, "rb") as file:
            found[f"{under}/{path}"] = file.read()
    return found


def packed(files: dict[str, bytes]) -> bytes:
    """The zip. Not compressed: what compression makes depends on the machine's zlib."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, content in sorted(files.items()):
            entry = zipfile.ZipInfo(path, DATE)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_STORED, 0o644 << 16, 3
            archive.writestr(entry, content)
    return buffer.getvalue()


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments, found before any call."""
    if params["src"]:
        return []
    return ["src: it is missing; the action plugin of the same name gives it, so run this as a task and not by itself"]


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that drift_source does; returns its result."""
    client, place = aws.client("s3"), {"Bucket": params["bucket"], "Key": params["key"]}
    try:
        with open(params["src"], "rb") as file:
            body = file.read()
    except OSError as error:
        raise Refused(
            f"src cannot be read: {error.strerror}. Fix: leave src out, for the controller gives it"
        ) from None
    after = hashlib.sha256(body).hexdigest()
    found = read_or_none(client.get_object, ("NoSuchKey", "NoSuchBucket"), **place)
    before = hashlib.sha256(found["Body"].read()).hexdigest() if found else ""
    result = {"changed": before != after, "digest": after, **_diff(params, before, after)}
    if result["changed"] and not aws.check_mode:
        client.put_object(**place, Body=body, ContentType="application/zip", **encryption(params["kms_key_id"]))
    return result


def _diff(params: dict[str, Any], before: str, after: str) -> dict[str, Any]:
    title = f"s3://{params['bucket']}/{params['key']}"
    one = {"before_header": title, "after_header": title, "before": {"sha256": before}}
    return {"diff": [] if before == after else [{**one, "after": {"sha256": after}}]}
