# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only who may list a bucket is told that an object is missing."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import LocalAws, allow, unique


def status(call: Any, **arguments: Any) -> int:
    """The HTTP status of a call that fails."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return int(caught.value.response["ResponseMetadata"]["HTTPStatusCode"])


@pytest.mark.parametrize("call", ["get_object", "head_object"])
def test_missing_object(call: str, local_aws: LocalAws) -> None:
    bucket = local_aws.bucket("missing")
    arn = f"arn:aws:s3:::{bucket}"
    reader = local_aws.client("s3", local_aws.user(unique("user"), allow("s3:GetObject", f"{arn}/*")))
    assert status(getattr(reader, call), Bucket=bucket, Key="missing") == 403
    lister = local_aws.client(
        "s3", local_aws.user(unique("user"), allow("s3:GetObject", f"{arn}/*"), allow("s3:ListBucket", arn))
    )
    assert status(getattr(lister, call), Bucket=bucket, Key="missing") == 404
    local_aws.client("s3").put_object(Bucket=bucket, Key="there", Body=b"")
    getattr(reader, call)(Bucket=bucket, Key="there")
