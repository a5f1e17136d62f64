# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""private_files: what differs is put into the bucket, encrypted, and into none that the public could read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._private_files import BLOCKS
from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, World, unique


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name in ("estate.html", "estate.json"):
        (tmp_path / name).write_text(f"<p>안녕 {name}")
    return [str(tmp_path / name) for name in ("estate.html", "estate.json")]


@pytest.fixture
def bucket(account: Account) -> str:
    """It blocks the public, as new ones do."""
    name = unique("private")
    account.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def given(bucket: str, files: list[str], **more: Any) -> dict[str, Any]:
    return {"bucket": bucket, "bucket_owner": ACCOUNT, "prefix": "reports/", "files": files, **more}


def test_what_differs_is_written_once(account: Account, bucket: str, files: list[str]) -> None:
    s3 = account.client("s3")

    checked = account.run("private_files", check=True, **given(bucket, files))
    written = account.run("private_files", **given(bucket, files))
    again = account.run("private_files", **given(bucket, files))

    assert (checked["changed"], checked["mutations"]) == (True, [])
    assert written["written"] == written["objects"] == ["reports/estate.html", "reports/estate.json"]
    assert written["mutations"] == ["s3:PutObject", "s3:PutObject"]
    assert (again["changed"], again["written"], again["diff"]) == (False, [], [])
    assert again["api_calls"] == {"s3:GetPublicAccessBlock": 1, "s3:HeadObject": 2}
    found = s3.get_object(Bucket=bucket, Key="reports/estate.html")
    assert found["Body"].read().decode() == "<p>안녕 estate.html"
    assert (found["ContentType"], found["ServerSideEncryption"]) == ("text/html; charset=utf-8", "AES256")

    Path(files[0]).write_text("other")
    assert account.run("private_files", **given(bucket, files))["written"] == ["reports/estate.html"]


def test_a_key_encrypts_what_another_has(account: Account, world: World, bucket: str, files: list[str]) -> None:
    account.run("private_files", **given(bucket, files))

    changed = account.run("private_files", **given(bucket, files, kms_key_id=world.key))

    assert len(changed["written"]) == 2
    found = account.client("s3").head_object(Bucket=bucket, Key="reports/estate.json")
    assert found["SSEKMSKeyId"] == world.key
    assert not account.run("private_files", **given(bucket, files, kms_key_id=world.key))["changed"]


@pytest.mark.parametrize("missing", BLOCKS)
def test_a_bucket_that_does_not_block_the_public_is_refused(
    account: Account, bucket: str, files: list[str], missing: str
) -> None:
    blocks = dict.fromkeys(BLOCKS, True)
    s3 = account.client("s3")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**blocks, missing: False})

    with pytest.raises(ModuleFailed, match=rf"does not block public access \({missing}\)") as failed:
        account.run("private_files", **given(bucket, files))
    assert failed.value.result["mutations"] == []


def test_a_bucket_without_a_block_is_refused(account: Account, bucket: str, files: list[str]) -> None:
    account.client("s3").delete_public_access_block(Bucket=bucket)

    with pytest.raises(ModuleFailed, match="does not block public access"):
        account.run("private_files", **given(bucket, files))
    assert "Contents" not in account.client("s3").list_objects_v2(Bucket=bucket)


def test_a_bucket_that_is_not_there_is_refused(account: Account, files: list[str]) -> None:
    with pytest.raises(ModuleFailed, match="NoSuchBucket"):
        account.run("private_files", **given(unique("none"), files))


def test_wrong_input_is_refused_before_any_call(account: Account, bucket: str, files: list[str]) -> None:
    for wrong in ({"prefix": "/reports"}, {"prefix": "a/../b"}, {"files": [files[0], files[0]]}, {"files": ["/none"]}):
        with pytest.raises(ModuleFailed) as failed:
            account.run("private_files", **{**given(bucket, files), **wrong})
        assert failed.value.result.get("api_calls", {}) == {}
