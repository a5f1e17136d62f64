# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Artifacts: zips in the artifact store's bucket, under AWS's key layout, encrypted with the store's key."""

from __future__ import annotations

import secrets
import string
from pathlib import Path
from typing import Any

from local_aws.codepipeline.model import Execution, Pipeline, StoredArtifact

MAX_SOURCE_BYTES = 7 * 1024**3
"""The largest source artifact AWS takes."""
_ALPHABET = string.ascii_letters + string.digits


def store_of(pipeline: Pipeline, declaration: dict[str, Any]) -> dict[str, Any]:
    """The artifact store {type, location, encryptionKey?} of the pipeline's own region."""
    stores = declaration.get("artifactStores")
    return dict(stores[pipeline.region] if stores else declaration["artifactStore"])


def new_location(pipeline: Pipeline, execution: Execution, name: str) -> StoredArtifact:
    """Where an output artifact of this execution goes: <pipeline[:20]>/<artifact[:10]>/<7 random characters>."""
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(7))
    key = f"{pipeline.name[:20]}/{name[:10]}/{suffix}"
    return StoredArtifact(name, store_of(pipeline, execution.declaration)["location"], key)


def encryption(store: dict[str, Any]) -> dict[str, str]:
    """The arguments of PutObject that encrypt with the store's key; without one, AWS's own key for S3."""
    arguments = {"ServerSideEncryption": "aws:kms"}
    if key := store.get("encryptionKey"):
        arguments["SSEKMSKeyId"] = key["id"]
    return arguments


def upload(s3: Any, store: dict[str, Any], where: StoredArtifact, content: Path, acl: str | None = None) -> str | None:
    """Put a zip where an artifact goes, with a canned ACL if given; its version, if the bucket keeps versions."""
    arguments = encryption(store) | ({"ACL": acl} if acl else {})
    with content.open("rb") as body:
        answer = s3.put_object(Bucket=where.bucket, Key=where.key, Body=body, **arguments)
    version: str | None = answer.get("VersionId")
    return version
