# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pipeline for drift runs is written where it differs, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed, World, unique


def given(world: World, tmp_path: Path, key: str, digest: str = "1" * 64) -> dict[str, Any]:
    """Arguments as the action plugin gives them."""
    (tmp_path / "source.zip").write_bytes(digest.encode())
    src = str(tmp_path / "source.zip")
    return {"bucket": world.bucket, "key": key, "kms_key_id": world.key, "settings": {}, "src": src, "digest": digest}


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
    assert again["api_calls"] == {"s3:HeadObject": 1}
    assert again["diff"] == []
    found = account.client("s3").get_object(Bucket=world.bucket, Key=key)
    assert found["Body"].read() == b"1" * 64
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", world.key)


def test_another_content_takes_its_place(account: Account, world: World, tmp_path: Path) -> None:
    key = unique("source")
    account.run("drift_source", **given(world, tmp_path, key))

    changed = account.run("drift_source", **given(world, tmp_path, key, "2" * 64))

    assert changed["diff"][0]["before"] == {"sha256": "1" * 64}
    assert changed["diff"][0]["after"] == {"sha256": "2" * 64}
    assert account.client("s3").get_object(Bucket=world.bucket, Key=key)["Body"].read() == b"2" * 64


def test_where_there_is_no_bucket_yet_check_mode_says_what_would_be(
    account: Account, world: World, tmp_path: Path
) -> None:
    arguments = {**given(world, tmp_path, "source"), "bucket": unique("none")}

    assert account.run("drift_source", check=True, **arguments)["changed"]
    with pytest.raises(ModuleFailed, match="NoSuchBucket"):
        account.run("drift_source", **arguments)
