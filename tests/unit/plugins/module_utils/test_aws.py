# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to AWS: check mode's second lock, concurrency, errors in plain words."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from ansible_collections.gitops.aws.plugins.module_utils import _aws
from ansible_collections.gitops.aws.plugins.module_utils._aws import (
    Aws,
    Refused,
    error_code,
    explain,
    make_once,
    read_or_none,
)

ARN = "arn:aws:iam::111111111111:user/somebody"
LOST = EndpointConnectionError(endpoint_url="x")


def aws(*, check_mode: bool = False, concurrency: int = 10) -> Aws:
    return Aws(SimpleNamespace(check_mode=check_mode), concurrency)


def call(connection: Aws, operation: str) -> None:
    """What botocore does before it makes a call."""
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


def test_map_begins_nothing_more_when_the_run_is_interrupted() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.2)

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            aws(concurrency=2).map(work, range(40))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    at_the_end = len(begun)
    time.sleep(0.5)
    assert len(begun) == at_the_end < 10


def interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111111111111</Account></GetCallerIdentityResult>"
    "</GetCallerIdentityResponse>"
)
DENIED = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
MOVED = "<Error><Code>PermanentRedirect</Code><Message>not here</Message></Error>"


class Server(ThreadingHTTPServer):
    """Answers as it is told, and counts how many requests it has at a time."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.mode = "well"
        self.running = self.most = self.seen = 0
        self.lock = threading.Lock()

    @contextmanager
    def busy(self) -> Iterator[None]:
        with self.lock:
            self.running += 1
            self.seen += 1
            self.most = max(self.most, self.running)
        threading.Event().wait(0.02)  # not time.sleep, which tests take away
        with self.lock:
            self.running -= 1
        yield


class Answers(BaseHTTPRequestHandler):
    """One connection."""

    server: Server

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.busy():
            mode = self.server.mode
        if mode == "not at all":
            self.close_connection = True
            return
        status, body = {"denied": (403, DENIED), "no XML": (200, "<"), "moved": (301, MOVED)}.get(mode, (200, IDENTITY))
        if self.command == "HEAD":  # asked where the bucket is
            status, body = 200, ""
        self.send_response(status)
        if self.command == "HEAD":
            self.send_header("x-amz-bucket-region", "eu-west-1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_HEAD = do_POST = answer  # noqa: N815 (the names are the server's)

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def connected(server: Server, *, check_mode: bool = False, concurrency: int = 3) -> Aws:
    """A connection whose calls go to the server."""
    names = ("access_key", "secret_key", "session_token", "profile", "region", "validate_certs", "aws_ca_bundle")
    given = {**dict.fromkeys(names, "x"), "endpoint_url": server.url, "region": "eu-central-1", "session_token": None}
    params = {**given, "profile": None, "validate_certs": True, "aws_ca_bundle": None, "aws_config": None}
    return Aws(SimpleNamespace(check_mode=check_mode, params=params), concurrency)


def in_time(function: Callable[[], Any]) -> Any:
    """What the function gives; a call that waits for a slot that nobody gives back fails the test."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()), daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    return found[0]


def all_slots_are_free(connection: Aws, server: Server) -> bool:
    """Whether as many calls as allowed are made at a time."""
    server.mode, server.most = "well", 0
    sts = connection.client("sts")
    in_time(lambda: connection.map(lambda _number: sts.get_caller_identity(), range(4 * connection.concurrency)))
    return server.most == connection.concurrency


def test_no_more_calls_are_in_flight_however_maps_are_nested(server: Server) -> None:
    connection = connected(server)
    other = connection.in_region("eu-west-1")

    def work(number: int) -> list[Any]:
        sts = (connection, other)[number % 2].client("sts")
        return connection.map(lambda _number: sts.get_caller_identity()["Account"], range(5))

    def outside() -> Any:
        # Threads that others have started, too.
        with ThreadPoolExecutor(6) as pool:
            return list(pool.map(work, range(6)))

    assert in_time(outside) == [["1" * 12] * 5] * 6
    assert server.most == 3
    assert connection.calls == {"sts:GetCallerIdentity": 30}


@pytest.mark.parametrize(
    ("mode", "error"),
    [("denied", "AccessDenied"), ("not at all", "Connection was closed"), ("no XML", "invalid XML received")],
)
def test_a_call_that_fails_gives_its_slot_back(
    server: Server, monkeypatch: pytest.MonkeyPatch, mode: str, error: str
) -> None:
    connection = connected(server)
    sts = connection.client("sts")
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)  # between botocore's attempts
    server.mode = mode

    def fail(_number: int) -> str:
        with pytest.raises((ClientError, BotoCoreError, ResponseParserError)) as failed:
            sts.get_caller_identity()
        return str(failed.value)

    messages = in_time(lambda: [fail(number) for number in range(7)])

    assert all(error in message for message in messages), messages
    assert all_slots_are_free(connection, server)


def test_what_check_mode_refuses_takes_no_slot(server: Server) -> None:
    connection = connected(server, check_mode=True)
    topics = connection.client("sns")

    def refused() -> int:
        for _ in range(7):
            with pytest.raises(Refused, match="sns:CreateTopic would change something"):
                topics.create_topic(Name="a")
        return server.seen

    assert in_time(refused) == 0
    assert all_slots_are_free(connection, server)


def test_a_call_within_a_call_needs_no_slot_of_its_own(server: Server) -> None:
    """botocore asks where a bucket is that is not in this region, and the answer does not say, while it reads it."""
    connection = connected(server, concurrency=1)
    s3 = connection.client("s3")
    server.mode = "moved"

    def read() -> str:
        with pytest.raises(ClientError) as failed:
            s3.get_bucket_versioning(Bucket="elsewhere")
        return error_code(failed.value)

    assert in_time(read) == "PermanentRedirect"
    assert connection.calls == {"s3:GetBucketVersioning": 1, "s3:HeadBucket": 1}
    assert all_slots_are_free(connection, server)


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


class TestMakeOnce:
    """A creation that must not be repeated without looking."""

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """Sleeping moves this clock and nothing else; the list holds the pauses."""
        pauses: list[float] = []
        monkeypatch.setattr(_aws, "time", SimpleNamespace(monotonic=lambda: sum(pauses), sleep=pauses.append))
        return pauses

    @staticmethod
    def made(*errors: BaseException | None, seen: int = 0) -> tuple[list[int], int]:
        """The things that came to be, and the one that was returned.

        Each error stands for a call: None for one that makes a thing and says so, LOST for one that makes a thing. That
        is seen after it was looked for so often.
        """
        things, left, looks = list[int](), list(errors), [seen]

        def make() -> int:
            answer = left.pop(0)
            if answer in (None, LOST):
                things.append(len(things))
            if answer:
                raise answer
            return things[-1]

        def find() -> int | None:
            looks[0] -= 1
            return things[-1] if things and looks[0] < 0 else None

        return things, make_once(make, find)

    def test_it_is_made(self) -> None:
        assert self.made(None) == ([0], 0)

    @pytest.mark.parametrize("seen", [0, 1, 4])
    def test_lost_answer(self, seen: int) -> None:
        assert self.made(LOST, seen=seen) == ([0], 0)

    @pytest.mark.parametrize("code", ["InternalException", "KMSInternalException", "DependencyTimeoutException", "503"])
    def test_call_that_did_not_arrive_is_made_again(self, code: str) -> None:
        assert self.made(client_error(code, "no"), client_error(code, "no"), None) == ([0], 0)

    def test_throttled_call_is_made_again_without_looking(self, clock: list[float]) -> None:
        assert self.made(client_error("ThrottlingException", "no"), None) == ([0], 0)
        assert len(clock) == 1

    def test_refused_call_is_not_repeated(self, clock: list[float]) -> None:
        with pytest.raises(ClientError, match="AccessDenied"):
            self.made(client_error("AccessDenied", "no"), None)
        assert clock == []

    def test_it_ends_with_the_last_error(self, clock: list[float]) -> None:
        with pytest.raises(ClientError, match="ThrottlingException"):
            self.made(*[client_error("ThrottlingException", "no")] * 1000)
        assert sum(clock) <= _aws.PROPAGATION_TIMEOUT
