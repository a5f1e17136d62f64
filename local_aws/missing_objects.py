# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may not list a bucket is not told that an object is missing: S3 answers 403 instead of 404."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import get_region
from ministack.services import s3

from local_aws import kms_use
from local_aws.aws_json import AwsError, authorize, caller_of

Answer = tuple[int, dict[str, str], Any]


def apply() -> None:
    """Install it in MiniStack."""
    original: Callable[..., Awaitable[Answer]] = s3.handle_request

    async def handle(method: str, path: str, headers: dict[str, str], *rest: Any, **options: Any) -> Answer:
        answer = await original(method, path, headers, *rest, **options)
        bucket, key = s3._parse_bucket_key(path, headers)
        missing = answer[0] == 404 and method in ("GET", "HEAD") and key and bucket in s3._buckets
        access_key = kms_use.request_key.get()
        if not missing or not access_key:
            return answer
        try:
            authorize(caller_of(access_key, get_region()), "s3:ListBucket", f"arn:aws:s3:::{bucket}")
        except AwsError as denied:
            refusal: Answer = s3._error("AccessDenied", denied.message, 403, f"/{bucket}/{key}")
            return refusal if method == "GET" else (*refusal[:2], b"")
        return answer

    s3.handle_request = handle
