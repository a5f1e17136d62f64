# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The zip that the pipeline for drift runs: this collection, what it needs of amazon.aws, and the settings.

The same content makes the same digest, by which an object that is there is known: a zip's own bytes depend on the
machine that made it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, read_or_none

# What is taken of a collection, folders with all that is in them.
OURS = ("MANIFEST.json", "galaxy.yml", "meta", "playbooks", "plugins", "roles")
THEIRS = ("MANIFEST.json", "galaxy.yml", "meta", "plugins/module_utils")
FOLDER = "collections/ansible_collections"
SETTINGS = "settings.json"

LEFT_OUT = (".pyc", ".swp", "~")
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can have
METADATA = "gitops-sha256"

ARGUMENTS: dict[str, Any] = {
    "bucket": {"type": "str", "required": True},
    "key": {"type": "str", "default": "gitops-drift/source/source.zip", "no_log": False},
    "kms_key_id": {"type": "str"},
    "settings": {"type": "dict", "required": True},
    "src": {"type": "path"},
    "digest": {"type": "str"},
}


def contents(ours: str, theirs: str, settings: dict[str, Any]) -> dict[str, bytes]:
    """What is in the zip, by path.

    Args:
        ours: the folder of this collection.
        theirs: the folder of amazon.aws.
        settings: variables of drift.yml.
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
        places = [os.path.join(folder, name) for folder, _folders, names in os.walk(top) for name in names]
    found = {}
    for place in places:
        path = os.path.relpath(place, root).replace(os.sep, "/")
        if "__pycache__" in path or path.endswith(LEFT_OUT) or not os.path.isfile(place):
            continue
        with open(place, "rb") as file:
            found[f"{under}/{path}"] = file.read()
    return found


def digest_of(files: dict[str, bytes]) -> str:
    """The SHA-256 of all paths and contents."""
    lines = [f"{path} {hashlib.sha256(content).hexdigest()}\n" for path, content in sorted(files.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def packed(files: dict[str, bytes]) -> bytes:
    """The zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            entry = zipfile.ZipInfo(path, DATE)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, content)
    return buffer.getvalue()


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments, found before any call."""
    if params["src"] and params["digest"]:
        return []
    return ["src: it is missing; the action plugin of the same name gives it, so run this as a task and not by itself"]


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that drift_source does; returns its result."""
    client, place = aws.client("s3"), {"Bucket": params["bucket"], "Key": params["key"]}
    missing = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
    found = read_or_none(client.head_object, missing, **place)
    before = (found or {}).get("Metadata", {}).get(METADATA, "")
    result = {"changed": before != params["digest"], "digest": params["digest"], **_diff(params, before)}
    if result["changed"] and not aws.check_mode:
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": params["kms_key_id"]}
        with open(params["src"], "rb") as file:
            client.put_object(
                **place,
                Body=file.read(),
                ContentType="application/zip",
                Metadata={METADATA: params["digest"]},
                **(encryption if params["kms_key_id"] else {}),
            )
    return result


def _diff(params: dict[str, Any], before: str) -> dict[str, Any]:
    title = f"s3://{params['bucket']}/{params['key']}"
    one = {"before_header": title, "after_header": title, "before": {"sha256": before}}
    return {"diff": [] if before == params["digest"] else [{**one, "after": {"sha256": params["digest"]}}]}
