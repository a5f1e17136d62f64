# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state: encrypted, versioned, locked; and what the bucket's policy refuses."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_estate import execution_of_push

from tests.e2e.conftest import Account, Started
from tests.e2e.estate import Estate, Execution

KEY = "quick/terraform.tfstate"


@pytest.fixture(scope="session")
def versions(account: Account, started: Started) -> list[dict[str, Any]]:
    """All versions of the state of the stack `quick` after two applies by two pushes, the newest first."""
    estate, repository = account.estate, account.repository
    first = estate.wait("gitops-quick", started.executions["quick"])
    assert first.status == "Succeeded", estate.story(first)
    before = {name: len(estate.executions(f"gitops-{name}")) for name in ("network", "keys")}
    main = repository.clone / "quick" / "main.tf"
    main.write_text(main.read_text().replace('"first"', '"second"'))
    commit = repository.push("Change one stack")
    assert estate.operator
    second = estate.wait("gitops-quick", execution_of_push(estate.operator, "gitops-quick", commit))
    assert second.status == "Succeeded", estate.story(second)
    after = {name: len(estate.executions(f"gitops-{name}")) for name in before}
    assert after == before, "a push to one folder started others"
    answer = estate.kept("s3").list_object_versions(Bucket=estate.foundation["state_bucket"], Prefix=KEY)
    return [version for version in answer["Versions"] if version["Key"] == KEY]


def test_state_is_versioned(versions: list[dict[str, Any]], estate: Estate) -> None:
    assert len(versions) >= 2
    s3, bucket = estate.kept("s3"), estate.foundation["state_bucket"]
    texts = [
        s3.get_object(Bucket=bucket, Key=KEY, VersionId=version["VersionId"])["Body"].read().decode()
        for version in versions
    ]
    assert '"second"' in texts[0]
    assert '"first"' in texts[-1]
    assert '"second"' not in texts[-1]


def test_every_version_is_encrypted_with_the_key(versions: list[dict[str, Any]], estate: Estate) -> None:
    s3 = estate.kept("s3")
    for version in versions:
        head = s3.head_object(Bucket=estate.foundation["state_bucket"], Key=KEY, VersionId=version["VersionId"])
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", estate.key_arn)


def test_both_locks_were_taken_and_released(versions: list[dict[str, Any]], estate: Estate) -> None:
    assert versions
    calls = [c for c in estate.aws.calls() if "gitops-quick-apply/" in c["principal_arn"] and c["status"] < 300]

    def times(action: str, resource: str) -> int:
        return len(
            [1 for c in calls if c["action"] == action and c["resource"].endswith(resource) and c["status"] < 300]
        )

    assert times("s3:PutObject", f"{KEY}.tflock") >= 2
    assert times("s3:PutObject", f"{KEY}.tflock") == times("s3:DeleteObject", f"{KEY}.tflock")
    # Beside the lock, an item with the state's digest is put; it stays.
    assert times("dynamodb:PutItem", "table/gitops-lock") > times("dynamodb:DeleteItem", "table/gitops-lock") >= 2
    items = estate.kept("dynamodb").scan(TableName="gitops-lock")["Items"]
    own = {item["LockID"]["S"].partition("/")[2]: item for item in items if "/quick/" in item["LockID"]["S"]}
    assert set(own) == {f"{KEY}-md5"}
    assert "Info" not in own[f"{KEY}-md5"]
    objects = estate.kept("s3").list_objects_v2(Bucket=estate.foundation["state_bucket"], Prefix="quick/")
    assert [entry["Key"] for entry in objects["Contents"]] == [KEY]


@pytest.mark.parametrize("stack", ["locked-item", "locked-file"])
def test_build_fails_while_somebody_else_holds_the_lock(stack: str, estate: Estate, started: Started) -> None:
    ended: Execution = estate.wait(f"gitops-{stack}", started.executions[stack])
    assert ended.status == "Failed"
    assert ended.actions["Plan"].status == "Failed"
    assert "Apply" not in ended.actions
    log = estate.log(ended.actions["Plan"].build_id)
    assert "Error acquiring the state lock" in log
    assert "somebody@else" in log
    assert estate.state(stack) is None


def attempt(estate: Estate, key: str, plain_http: bool = False, **encryption: str) -> str:
    """Puts an object into the state bucket as a user who may do everything; `allowed`, or AWS's error code."""
    s3 = estate.kept("s3")
    if plain_http:
        s3.meta.events.register(
            "before-sign.s3", lambda request, **_: request.headers.add_header("X-Local-Aws-Plain-Http", "true")
        )
    try:
        s3.put_object(Bucket=estate.foundation["state_bucket"], Key=key, Body=b"x", **encryption)
        s3.get_object(Bucket=estate.foundation["state_bucket"], Key=key)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    finally:
        quiet = estate.kept("s3")
        quiet.delete_object(Bucket=estate.foundation["state_bucket"], Key=key)
    return "allowed"


def test_upload_with_the_right_key_is_allowed(estate: Estate) -> None:
    assert attempt(estate, "try-right", ServerSideEncryption="aws:kms", SSEKMSKeyId=estate.key_arn) == "allowed"


def test_other_uploads_are_denied_to_everybody(estate: Estate) -> None:
    other = estate.administrator.client("kms").create_key()["KeyMetadata"]
    try:
        assert attempt(estate, "try-none") == "AccessDenied"
        assert attempt(estate, "try-aes", ServerSideEncryption="AES256") == "AccessDenied"
        assert attempt(estate, "try-other", ServerSideEncryption="aws:kms", SSEKMSKeyId=other["Arn"]) == "AccessDenied"
        assert attempt(estate, "try-default", ServerSideEncryption="aws:kms") == "AccessDenied"
    finally:
        estate.administrator.client("kms").schedule_key_deletion(KeyId=other["KeyId"], PendingWindowInDays=7)


def test_plain_http_is_denied_to_everybody(estate: Estate) -> None:
    right = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": estate.key_arn}
    assert attempt(estate, "try-http", plain_http=True, **right) == "AccessDenied"
    s3 = estate.kept("s3")
    s3.meta.events.register(
        "before-sign.s3", lambda request, **_: request.headers.add_header("X-Local-Aws-Plain-Http", "true")
    )
    for bucket in (estate.foundation["state_bucket"], estate.foundation["artifact_bucket"]):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError, match=r"403|AccessDenied"):
        s3.get_object(Bucket=estate.foundation["state_bucket"], Key="nothing")
