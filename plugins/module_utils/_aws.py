# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""One connection to AWS per module run: clients, bounded concurrency, the count of calls, errors in plain words."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Callable, Iterable, TypeVar

try:
    from botocore.config import Config
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.parsers import ResponseParserError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = HTTPClientError = NoConnection = ResponseParserError = Exception

from ansible_collections.amazon.aws.plugins.module_utils.botocore import boto3_conn, get_aws_connection_info

from ansible_collections.gitops.aws.plugins.module_utils._operations import READ_ONLY_OPERATION

T = TypeVar("T")
R = TypeVar("R")

# Seconds. IAM promises no bound for a fresh role to become assumable; AWS's own tools wait up to two minutes.
PROPAGATION_TIMEOUT = 120

# Seconds in which what was made must be seen by who reads. AWS promises none.
SEEN_TIMEOUT = 20

# Of a call, with botocore's pauses of up to 20 seconds between them.
ATTEMPTS = 10


class Refused(Exception):
    """The input, or the run's mode, does not allow the call. The text is for the user."""


class NotYet(Exception):
    """The answer of a call may be another in a moment: until_propagated repeats it."""


class Aws:
    """Clients of one module run.

    Args:
        module: an AnsibleAWSModule; its region, credentials and check mode are used.
        concurrency: calls in flight at most.
        region: another region than the module's.
    """

    def __init__(self, module: Any, concurrency: int = 10, region: str | None = None) -> None:
        self._module = module
        self._region = region
        self.check_mode: bool = module.check_mode
        self.concurrency = concurrency
        self.calls: Counter[str] = Counter()
        self._calls_lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._clients_trying_once: dict[str, Any] = {}
        self._clients_lock = threading.Lock()  # boto3 makes one client at a time
        self._in_flight = threading.BoundedSemaphore(concurrency)
        self._thread = threading.local()  # `waits`: whether it waits for an answer
        self._identity: dict[str, str] = {}
        self._identity_lock = threading.Lock()

    def client(self, service: str) -> Any:
        """The boto3 client of a service, made once. Failed calls are repeated by botocore's standard mode."""
        return self._new_client(self._clients, service, ATTEMPTS)

    def client_trying_once(self, service: str) -> Any:
        """The same for calls that must not be repeated by themselves, since each makes one more of something."""
        return self._new_client(self._clients_trying_once, service, 1)

    def _new_client(self, clients: dict[str, Any], service: str, attempts: int) -> Any:
        with self._clients_lock:
            if service in clients:
                return clients[service]
            region, endpoint_url, parameters = get_aws_connection_info(self._module)
            client = boto3_conn(
                self._module,
                conn_type="client",
                resource=service,
                region=self._region or region,
                endpoint=endpoint_url,
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    max_pool_connections=self.concurrency,
                ),
                **parameters,
            )
            client.meta.events.register("before-call", self._before_call)
            # Of each attempt, so that one that waits to be repeated keeps nobody waiting; and before it is signed,
            # for a signature gets old.
            client.meta.events.register_first("request-created", self._request_created)
            for end in ("response-received", "after-call-error"):  # the latter alone for an answer that makes no sense
                client.meta.events.register_first(end, self._response_received)
            clients[service] = client
            return client

    def in_region(self, region: str) -> Aws:
        """The same connection to another region; its calls are counted with these."""
        other = Aws(self._module, self.concurrency, region)
        other.calls, other._calls_lock = self.calls, self._calls_lock
        other._identity, other._identity_lock = self._identity, self._identity_lock
        other._clients_lock, other._in_flight, other._thread = self._clients_lock, self._in_flight, self._thread
        return other

    def identity(self) -> dict[str, str]:
        """Who calls, as STS tells everybody: `Account` and `Arn`. Asked once, whoever needs it."""
        with self._identity_lock:
            if not self._identity:
                answer = self.client("sts").get_caller_identity()
                self._identity.update({name: answer[name] for name in ("Account", "Arn")})
            return self._identity

    def _before_call(self, model: Any, **_kwargs: Any) -> None:
        operation = f"{model.service_model.service_name}:{model.name}"
        if self.check_mode and not READ_ONLY_OPERATION.match(model.name):
            # A second lock behind the engine's own: check mode never writes, whatever a resource kind does.
            raise Refused(f"{operation} would change something, and this is check mode. This is a bug in gitops.aws.")
        with self._calls_lock:
            self.calls[operation] += 1

    def _request_created(self, **_kwargs: Any) -> None:
        self._in_flight.acquire()
        self._thread.waits = True

    def _response_received(self, **_kwargs: Any) -> None:
        # botocore says that more than once of a request that has failed.
        if getattr(self._thread, "waits", False):
            self._thread.waits = False
            self._in_flight.release()

    def map(self, function: Callable[[T], R], items: Iterable[T], at_once: int | None = None) -> list[R]:
        """Calls the function for every item, at most `concurrency` at a time; results keep the items' order.

        With `at_once` it is at most so many at a time, for answers that take much memory.

        The function may do the same: however many of these there are, no more calls are in flight.

        The first exception is raised after all calls have ended. Where the run is interrupted, what has not begun does
        not begin.
        """
        work = list(items)
        if len(work) < 2:
            return [function(item) for item in work]
        pool = ThreadPoolExecutor(max_workers=min(self.concurrency, at_once or len(work), len(work)))
        try:
            # Not pool.map, which drops the calls that wait when one raises.
            futures = [pool.submit(function, item) for item in work]
            wait(futures)
        finally:
            pool.shutdown(cancel_futures=True)
        return [future.result() for future in futures]

    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        """What several calls give, side by side."""
        return self.map(lambda call: call(), calls)

    def pages(self, service: str, operation: str, result_key: str, **arguments: Any) -> list[Any]:
        """All elements of a paginated list operation (`operation` in snake_case), as one list."""
        paginator = self.client(service).get_paginator(operation)
        return [element for page in paginator.paginate(**arguments) for element in page.get(result_key, [])]


def encryption(kms_key_id: str | None) -> dict[str, str]:
    """How uploads to S3 say that they are encrypted; without a key nothing, so that the bucket's default counts."""
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}


def error_code(error: BaseException) -> str:
    """AWS's error code of a ClientError, else ''."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code") or "")


def only(*codes: str) -> Callable[[BaseException], bool]:
    """A test for errors with one of these codes."""
    return lambda error: error_code(error) in codes


def read_or_none(call: Callable[..., R], missing: tuple[str, ...], **arguments: Any) -> R | None:
    """Calls a read operation; None when AWS answers one of the `missing` error codes."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error_code(error) in missing:
            return None
        raise


def is_not_yet(error: BaseException) -> bool:
    """A test for NotYet."""
    return isinstance(error, NotYet)


def until_propagated(call: Callable[[], R], fresh: Callable[[BaseException], bool], timeout: float | None = None) -> R:
    """Repeats a call while AWS says that what it refers to is not usable yet.

    IAM is eventually consistent: a role that was just created cannot be assumed for some seconds. Repeating the
    consumer's call is the only reliable test. Bounded by `timeout` seconds, or PROPAGATION_TIMEOUT; any other error is
    raised at once.
    """
    deadline = time.monotonic() + (timeout or PROPAGATION_TIMEOUT)
    pause = 0.5
    while True:
        try:
            return call()
        except (ClientError, NotYet) as error:
            if not fresh(error) or time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(pause * 1.6, 8)


# Errors of a call that was not carried out, and may be soon; and of one of which that is not known.
THROTTLED = re.compile("Throttl|TooManyRequests|LimitExceeded$|SlowDown")
UNKNOWN = re.compile("Internal|Unavailable|Timeout|^5")


def make_once(make: Callable[[], R], find: Callable[[], R | None]) -> R:
    """Makes something of which each call makes one more, and whose answer may be lost: exactly one.

    Args:
        make: makes the call, with a client that tries once.
        find: what an earlier call has made; None where none is seen.

    Raises what `make` does, in the end.
    """

    errors: list[Exception] = []

    def seen() -> R:
        found = find()
        if found is None:
            raise NotYet
        return found

    def attempt() -> R:
        try:
            return make()
        except ClientError as error:
            errors.append(error)
            if THROTTLED.search(error_code(error)):
                raise NotYet from error
            if not UNKNOWN.search(error_code(error)):
                raise
        except (HTTPClientError, NoConnection, ResponseParserError) as error:
            errors.append(error)
        # Where it is not seen, the call did not arrive.
        return until_propagated(seen, is_not_yet, SEEN_TIMEOUT)

    try:
        return until_propagated(attempt, is_not_yet)
    except NotYet:
        raise errors[-1] from None


_DENIED = re.compile(r"(?P<principal>arn:\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)")


def explain(error: BaseException, what: str) -> str:
    """One line that names the resource, what AWS said, and the fix where the cause is known.

    Args:
        error: the exception of a call.
        what: the resource in words, such as `IAM role gitops-network-plan`.
    """
    if not isinstance(error, ClientError) or not hasattr(error, "response"):
        return f"{what}: {error}"
    code = error_code(error)
    message = str(error.response.get("Error", {}).get("Message") or "")
    operation = getattr(error, "operation_name", "the call")
    text = f"{what}: {operation} failed with {code}: {message}"
    denied = _DENIED.search(message)
    if denied:
        text += f" Fix: allow {denied['action']} on this resource for {denied['principal']}."
    elif code in ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"):
        text += " Fix: the credentials are expired or wrong; get new ones and run again, nothing is lost."
    return text
