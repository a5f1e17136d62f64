# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `clock`: callers whose clock is wrong are refused in the service's words, and told what time it is."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import LocalAws

HOUR = 3600.0


@pytest.fixture
def clock(local_aws: LocalAws) -> Iterator[Any]:
    """Sets everybody's clock; right again at the end."""
    yield lambda seconds: local_aws.command("clock", "*", str(seconds))
    local_aws.command("clock", "*", "0")


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("codebuild", "list_projects", "InvalidSignatureException"),
        ("iam", "list_roles", "SignatureDoesNotMatch"),
        ("s3", "list_buckets", "RequestTimeTooSkewed"),
    ],
)
@pytest.mark.parametrize("seconds", [-3 * HOUR, 3 * HOUR])
def test_who_has_another_time_is_refused_and_told_it(
    local_aws: LocalAws, clock: Any, service: str, operation: str, code: str, seconds: float
) -> None:
    client = local_aws.client(service)
    right = parsedate_to_datetime(getattr(client, operation)()["ResponseMetadata"]["HTTPHeaders"]["date"])
    clock(seconds)

    with pytest.raises(ClientError) as refused:
        getattr(client, operation)()

    answer: Any = refused.value.response
    assert answer["Error"]["Code"] == code
    told = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    assert abs((told - right).total_seconds() - seconds) < 60


@pytest.mark.parametrize(
    ("service", "operation", "minutes"), [("codebuild", "list_projects", 4), ("s3", "list_buckets", 14)]
)
def test_a_few_minutes_do_no_harm(local_aws: LocalAws, clock: Any, service: str, operation: str, minutes: int) -> None:
    clock(60 * minutes)

    getattr(local_aws.client(service), operation)()


def test_the_clocks_of_others_are_right(local_aws: LocalAws) -> None:
    local_aws.command("clock", "arn:aws:iam::*:role/nobody", str(HOUR))

    local_aws.client("codebuild").list_projects()
