# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.
"""Puts files into a bucket, encrypted, if the public cannot get at them there."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, encryption, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._names import empty_problems

ARGUMENTS: dict[str, Any] = {
    "bucket": {"type": "str", "required": True},
    "bucket_owner": {"type": "str", "required": True},
    "prefix": {"type": "str", "default": ""},
    "files": {"type": "list", "elements": "path", "required": True},
    "kms_key_id": {"type": "str"},
}
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
DIGEST = "sha256"  # the object's metadata that says what is in it, for an ETag does not where a key encrypts it
TYPES = {".html": "text/html; charset=utf-8", ".json": "application/json", ".md": "text/markdown; charset=utf-8"}


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments, found without a call."""
    found = empty_problems(params, ("bucket", "bucket_owner"))
    prefix = params["prefix"]
    if prefix.startswith("/") or ".." in prefix.split("/"):
        found.append(f"prefix: {prefix!r} is not allowed, such as reports/ or nothing is")
    names = [os.path.basename(path) for path in params["files"]]
    found += [f"files: two are called {name}" for name in sorted({name for name in names if names.count(name) > 1})]
    return found


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that private_files does; returns its result. Raises Refused, and the errors of calls."""
    client = aws.client("s3")
    place = {"Bucket": params["bucket"], "ExpectedBucketOwner": params["bucket_owner"]}
    contents = {params["prefix"] + os.path.basename(path): _read(path) for path in params["files"]}
    _refuse_public(client, place)
    key = params["kms_key_id"]
    encrypted = encryption(key) or {"ServerSideEncryption": "AES256"}
    diff, changed = [], []
    for name, body in contents.items():
        after = hashlib.sha256(body).hexdigest()
        found = read_or_none(client.head_object, ("404", "NoSuchKey"), **place, Key=name)
        before = found["Metadata"].get(DIGEST, "") if found else ""
        if found and before == after and _encrypted(found, key):
            continue
        changed.append(name)
        title = f"s3://{params['bucket']}/{name}"
        shown = {"before": {DIGEST: before} if before else {}, "after": {DIGEST: after}}
        diff.append({"before_header": title, "after_header": title, **shown})
        if not aws.check_mode:
            kind = TYPES.get(os.path.splitext(name)[1], "application/octet-stream")
            metadata = {DIGEST: after}
            client.put_object(**place, Key=name, Body=body, ContentType=kind, Metadata=metadata, **encrypted)
    return {"changed": bool(changed), "objects": list(contents), "written": changed, "diff": diff}


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Refused(f"Nothing was changed. The file cannot be read: {error}") from error


def _encrypted(found: dict[str, Any], key: str | None) -> bool:
    """Whether an object is encrypted as it would be."""
    if key:
        return bool(found.get("SSEKMSKeyId") == key)
    return found.get("ServerSideEncryption") == "AES256"


def _refuse_public(client: Any, place: dict[str, str]) -> None:
    """Raises Refused unless the bucket keeps the public out, whatever its policy and the objects' ACLs say or will."""
    answer = read_or_none(client.get_public_access_block, ("NoSuchPublicAccessBlockConfiguration",), **place)
    blocks = answer["PublicAccessBlockConfiguration"] if answer else {}
    missing = [block for block in BLOCKS if not blocks.get(block)]
    if missing:
        raise Refused(
            f"it does not block public access ({', '.join(missing)}). Nothing was written. Fix: block it, all four, or "
            "name another bucket"
        )
