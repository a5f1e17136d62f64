# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the policy of who recovers does not open. That it opens enough, the playbooks' tests show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.recovery.conftest import ESTATE, Recovery

STATE = "policy/terraform.tfstate"
PLAN = f"{ESTATE}-killed/plan/tfplan"


@pytest.fixture(scope="module")
def version(recovery: Recovery) -> str:
    """The version of a state; beside it there is a plan."""
    recovery.put(recovery.bucket, STATE, {})
    recovery.put(recovery.estate.foundation["artifact_bucket"], PLAN, {})
    found = recovery.estate.kept("s3").head_object(Bucket=recovery.bucket, Key=STATE)
    return str(found["VersionId"])


@pytest.mark.parametrize(
    "attempt",
    [
        lambda client, names: client("s3").delete_object(Bucket=names["state_bucket"], Key=STATE),
        lambda client, names: client("s3").delete_object(
            Bucket=names["state_bucket"], Key=STATE, VersionId=names["version"]
        ),
        lambda client, names: client("s3").put_bucket_versioning(
            Bucket=names["state_bucket"], VersioningConfiguration={"Status": "Suspended"}
        ),
        lambda client, names: client("s3").get_object(Bucket=names["artifact_bucket"], Key=PLAN),
        lambda client, names: client("s3").put_object(Bucket=names["artifact_bucket"], Key=PLAN, Body=b""),
        lambda client, names: client("dynamodb").delete_table(TableName=names["lock_table"]),
        lambda client, _names: client("codebuild").start_build(projectName=f"{ESTATE}-killed-apply"),
        lambda client, _names: client("codepipeline").start_pipeline_execution(name=f"{ESTATE}-killed"),
        lambda client, names: client("kms").encrypt(KeyId=names["key"], Plaintext=b"x"),
        lambda client, names: client("kms").generate_data_key(KeyId=names["key"], KeySpec="AES_256"),
    ],
    ids=[
        "delete a state",
        "delete a version",
        "keep no versions",
        "read a plan",
        "write a plan",
        "delete the table",
        "start a build",
        "start a pipeline",
        "encrypt",
        "use the key beside S3",
    ],
)
def test_what_it_does_not_open(
    recovery: Recovery, version: str, attempt: Callable[[Callable[[str], Any], dict[str, str]], Any]
) -> None:
    names = {**recovery.estate.foundation, "version": version, "key": recovery.estate.key_arn}

    with pytest.raises(ClientError, match=r"AccessDenied"):
        attempt(recovery.recoverer.client, names)
