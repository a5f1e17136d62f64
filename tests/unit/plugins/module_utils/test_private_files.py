# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""private_files names the bucket's owner in each call, which local AWS does not look at."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ansible_collections.gitops.aws.plugins.module_utils import _private_files
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws

PLACE = {"Bucket": "reports", "ExpectedBucketOwner": "111122223333"}
GIVEN: dict[str, Any] = {"bucket": "reports", "bucket_owner": "111122223333", "prefix": "", "kms_key_id": None}
BLOCKED = {"PublicAccessBlockConfiguration": dict.fromkeys(_private_files.BLOCKS, True)}


def test_every_call_says_whose_bucket_is_meant(
    aws: Callable[..., Aws], stubs: dict[str, Stubber], tmp_path: Path
) -> None:
    (tmp_path / "estate.md").write_bytes(b"x")
    s3, key = stubs["s3"], {**PLACE, "Key": "estate.md"}
    s3.add_response("get_public_access_block", BLOCKED, PLACE)
    s3.add_client_error("head_object", "404", expected_params=key)
    content = {"Body": b"x", "ContentType": "text/markdown; charset=utf-8", "ServerSideEncryption": "AES256"}
    s3.add_response("put_object", {}, {**key, **content, "Metadata": {"sha256": hashlib.sha256(b"x").hexdigest()}})

    result = _private_files.act(aws(), {**GIVEN, "files": [str(tmp_path / "estate.md")]})

    assert result["written"] == ["estate.md"]


def test_somebody_else_s_bucket_is_refused(aws: Callable[..., Aws], stubs: dict[str, Stubber]) -> None:
    stubs["s3"].add_client_error("get_public_access_block", "AccessDenied", expected_params=PLACE)

    with pytest.raises(ClientError, match="AccessDenied"):
        _private_files.act(aws(), {**GIVEN, "files": []})
