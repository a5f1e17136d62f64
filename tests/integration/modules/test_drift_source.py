# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pipeline for drift runs is written where it differs, and only there."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed, World, unique


def given(world: World, tmp_path: Path, key: str, content: bytes = b"one") -> dict[str, Any]:
    """Arguments as the action plugin gives them."""
    (tmp_path / "source.zip").write_bytes(content)
    src = str(tmp_path / "source.zip")
    return {"bucket": world.bucket, "key": key, "kms_key_id": world.key, "settings": {}, "src": src}


def test_it_is_written_once(account: Account, world: World, tmp_path: Path) -> None:
    key = unique("source")

    checked = account.run("drift_source", check=True, **given(world, tmp_path, key))
    written = account.run("drift_source", **given(world, tmp_path, key))
    again = account.run("drift_source", **given(world, tmp_path, key))

    assert checked["changed"]
    assert checked["mutations"] == []
    assert written["changed"]
    assert written["mutations"] == ["s3:PutObject"]
    assert not again["changed"]
    assert again["api_calls"] == {"s3:GetObject": 1}
    assert again["diff"] == []
    found = account.client("s3").get_object(Bucket=world.bucket, Key=key)
    assert found["Body"].read() == b"one"
    assert written["digest"] == sha256(b"one").hexdigest()
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", world.key)


def test_another_content_takes_its_place(account: Account, world: World, tmp_path: Path) -> None:
    key = unique("source")
    account.run("drift_source", **given(world, tmp_path, key))

    changed = account.run("drift_source", **given(world, tmp_path, key, b"two"))

    assert changed["diff"][0]["before"] == {"sha256": sha256(b"one").hexdigest()}
    assert changed["diff"][0]["after"] == {"sha256": sha256(b"two").hexdigest()}
    assert account.client("s3").get_object(Bucket=world.bucket, Key=key)["Body"].read() == b"two"


def test_what_somebody_else_has_written_in_its_place_is_undone(account: Account, world: World, tmp_path: Path) -> None:
    key, s3 = unique("source"), account.client("s3")
    account.run("drift_source", **given(world, tmp_path, key))
    # With all that can be seen of the object without reading it.
    seen = s3.head_object(Bucket=world.bucket, Key=key)
    s3.put_object(
        Bucket=world.bucket,
        Key=key,
        Body=b"two",
        Metadata=seen["Metadata"],
        ContentType=seen["ContentType"],
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=world.key,
    )

    assert account.run("drift_source", **given(world, tmp_path, key))["changed"]
    assert s3.get_object(Bucket=world.bucket, Key=key)["Body"].read() == b"one"


def test_where_there_is_no_bucket_yet_check_mode_says_what_would_be(
    account: Account, world: World, tmp_path: Path
) -> None:
    arguments = {**given(world, tmp_path, "source"), "bucket": unique("none")}

    assert account.run("drift_source", check=True, **arguments)["changed"]
    with pytest.raises(ModuleFailed, match="NoSuchBucket"):
        account.run("drift_source", **arguments)
