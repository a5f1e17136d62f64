# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to AWS: check mode's second lock, concurrency, errors in plain words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.stub import Stubber

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, error_code, explain, read_or_none

ARN = "arn:aws:iam::111111111111:user/somebody"


def aws(*, check_mode: bool = False, concurrency: int = 10) -> Aws:
    return Aws(SimpleNamespace(check_mode=check_mode), concurrency)


def call(connection: Aws, operation: str) -> None:
    """What botocore does before it sends a request."""
    model = SimpleNamespace(name=operation, service_model=SimpleNamespace(service_name="crates"))
    connection._before_call(model)


def client_error(code: str, message: str, operation: str = "CreateRole") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize("operation", ["CreateCrate", "PutCrate", "TagResource", "StartBuild", "DeleteCrate"])
def test_check_mode_refuses_what_could_change_something(operation: str) -> None:
    checking = aws(check_mode=True)
    with pytest.raises(Refused, match=f"crates:{operation} would change something"):
        call(checking, operation)
    assert not checking.calls


@pytest.mark.parametrize(
    "operation", ["GetRole", "ListRoles", "DescribeKey", "BatchGetProjects", "HeadBucket", "LookupEvents"]
)
def test_check_mode_reads(operation: str) -> None:
    checking = aws(check_mode=True)
    call(checking, operation)

    assert checking.calls == {f"crates:{operation}": 1}


def test_who_calls_is_asked_once(aws: Callable[..., Aws], stubs: dict[str, Stubber]) -> None:
    connection = aws()
    stubs["sts"].add_response("get_caller_identity", {"Account": "1" * 12, "Arn": ARN, "UserId": "y"}, {})

    found = connection.map(lambda other: other.identity(), [connection, connection.in_region("us-east-1"), connection])

    assert found == [{"Account": "1" * 12, "Arn": ARN}] * 3


def test_calls_are_counted_across_threads() -> None:
    connection = aws(concurrency=8)

    def work(_number: int) -> None:
        for _ in range(500):
            call(connection, "PutCrate")

    connection.map(work, range(8))

    assert connection.calls["crates:PutCrate"] == 4000


def test_map_keeps_the_order_and_the_bound() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
        return number * 2

    assert aws(concurrency=3).map(work, range(12)) == [number * 2 for number in range(12)]
    assert 1 < most <= 3


def test_map_finishes_the_others_before_it_raises() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 0:
            raise ValueError(number)
        done.append(number)

    with pytest.raises(ValueError, match="0"):
        aws(concurrency=2).map(work, range(6))
    assert sorted(done) == [1, 2, 3, 4, 5]


def test_read_or_none() -> None:
    def read(**_arguments: Any) -> None:
        raise client_error("NoSuchEntity", "not found")

    assert read_or_none(read, ("NoSuchEntity",), RoleName="x") is None
    with pytest.raises(ClientError):
        read_or_none(read, ("Other",), RoleName="x")


def test_error_code() -> None:
    assert error_code(client_error("Broken", "")) == "Broken"
    assert error_code(ValueError()) == ""


class TestExplain:
    def test_denied_call_names_resource_action_and_principal(self) -> None:
        message = (
            "User: arn:aws:iam::123456789012:user/me is not authorized to perform: iam:CreateRole on resource: "
            "arn:aws:iam::123456789012:role/x because no identity-based policy allows the iam:CreateRole action"
        )
        text = explain(client_error("AccessDenied", message), "IAM role x")

        assert text.startswith(
            "IAM role x: CreateRole failed with AccessDenied: User: arn:aws:iam::123456789012:user/me"
        )
        assert text.endswith("Fix: allow iam:CreateRole on this resource for arn:aws:iam::123456789012:user/me.")

    def test_denied_session_of_a_role(self) -> None:
        message = "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: s3:PutBucketPolicy"

        assert "allow s3:PutBucketPolicy on this resource for arn:aws:sts::1:assumed-role/r/s" in explain(
            client_error("AccessDenied", message), "x"
        )

    @pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"])
    def test_old_credentials(self, code: str) -> None:
        assert "get new ones and run again" in explain(client_error(code, "expired"), "x")

    def test_other_errors_are_given_as_aws_words_them(self) -> None:
        text = explain(client_error("LimitExceeded", "Cannot exceed quota.", "CreateKey"), "KMS key a")

        assert text == "KMS key a: CreateKey failed with LimitExceeded: Cannot exceed quota."

    def test_errors_that_are_not_of_aws(self) -> None:
        assert explain(NoCredentialsError(), "Reading roles") == "Reading roles: Unable to locate credentials"
        assert explain(Refused("no"), "x") == "x: no"
