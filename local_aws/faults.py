# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on purpose: what AWS and the network between do now and then, by a seed, so that a run can be repeated.

    {"seed": 7, "rules": [{"actions": ["iam:*"], "rate": 0.2, "faults": {"throttle": 3, "lost": 1}}]}

Whether a call fails, and how, depends on the seed, its action, its resource and how many such calls came before, and on
nothing else: not on the time, nor on the order of other calls. The first rule that fits decides.
"""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import math
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from hypercorn.asyncio.tcp_server import TCPServer
from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id

from local_aws.asgi import App, Message, Receive, Scope, Send, body_of, headers_of
from local_aws.aws_json import AwsError, caller_of
from local_aws.refusals import refuse, speaks_query
from local_aws.request_log import describe

KINDS = {
    "throttle": "too many calls: try again later",
    "error": "an internal error, before anything is done",
    "unavailable": "the service is not available",
    "reset": "the connection is reset before anything is done",
    "lost": "the call is carried out, and the connection is reset before the answer",
    "truncate": "the call is carried out, and the connection ends in the middle of the answer",
    "slow": "the answer comes late",
    "stale": "the same question is answered as it was before something changed",
    "expired": "the caller's credentials have expired",
}

# Where AWS promises that what was written is read, or answers from what nobody writes.
CONSISTENT = ("s3:*", "dynamodb:*", "sts:*", "kms:*")
READING = ("*:Get*", "*:List*", "*:Describe*", "*:BatchGet*")

# By protocol: code, status. S3 has its own words.
ERRORS = {
    "throttle": {"": ("ThrottlingException", 400), "query": ("Throttling", 400), "s3": ("SlowDown", 503)},
    "error": {"": ("InternalServerError", 500), "query": ("InternalFailure", 500), "s3": ("InternalError", 500)},
    "unavailable": {
        "": ("ServiceUnavailableException", 503),
        "query": ("ServiceUnavailable", 503),
        "s3": ("ServiceUnavailable", 503),
    },
    "expired": {"": ("ExpiredTokenException", 400), "query": ("ExpiredToken", 403), "s3": ("ExpiredToken", 400)},
}
MESSAGES = {
    "throttle": "Rate exceeded",
    "error": "We encountered an internal error. Please try again.",
    "unavailable": "The service is temporarily unavailable. Please try again.",
    "expired": "The security token included in the request is expired",
}
KEPT = 10_000  # answers, for stale ones


@dataclass(frozen=True)
class Rule:
    """Which calls fail, how many of them and how.

    Attributes:
        actions, resources, principals: patterns with * and ?; a call must fit one of each. Principals are ARNs.
        rate: the share of them, from 0 to 1.
        faults: kinds with their weights.
        seconds: how late a slow answer is, and how old a stale one may be.
        times: so many at most; None for no limit.
    """

    faults: dict[str, float]
    rate: float = 1.0
    actions: tuple[str, ...] = ("*",)
    resources: tuple[str, ...] = ("*",)
    principals: tuple[str, ...] = ("*",)
    seconds: float = 2.0
    times: int | None = None

    def fits(self, action: str, resource: str, principals: tuple[str, ...]) -> bool:
        """Whether it is about such a call."""
        return (
            _any_fits(self.actions, action)
            and _any_fits(self.resources, resource)
            and any(_any_fits(self.principals, principal) for principal in principals)
        )


@dataclass
class Plan:
    """All rules, and which calls there were."""

    seed: int = 0
    rules: tuple[Rule, ...] = ()
    _seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    _used: Counter[int] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def choose(
        self, action: str, resource: str, principals: tuple[str, ...], possible: Callable[[str, Rule], bool]
    ) -> tuple[str, Rule] | None:
        """The fault that this call is to have. `possible` says which kinds it can have."""
        with self._lock:
            number = self._seen[action, resource]
            self._seen[action, resource] += 1
            for index, rule in enumerate(self.rules):
                if not rule.fits(action, resource, principals):
                    continue
                kinds = {kind: weight for kind, weight in rule.faults.items() if possible(kind, rule)}
                whether, which = _numbers(self.seed, action, resource, number)
                if not kinds or whether >= rule.rate or self._used[index] == rule.times:
                    return None
                kind = _weighted(kinds, which)
                self._used[index] += 1
                return kind, rule
        return None


_plan = Plan()
_answers: dict[bytes, tuple[float, list[Message]]] = {}
_connections: dict[tuple[str, int], asyncio.StreamWriter] = {}


def use(given: dict[str, Any]) -> None:
    """From now on these faults, and no others. Raises ValueError where they make no sense."""
    global _plan
    _plan = plan_of(given)
    _answers.clear()


def plan_of(given: dict[str, Any]) -> Plan:
    """The plan that a request gives. Raises ValueError, which says what is wrong."""
    _only(given, ("seed", "rules"), "faults")
    seed, rules = given.get("seed", 0), given.get("rules", [])
    if not isinstance(seed, int) or not isinstance(rules, list):
        raise ValueError("seed must be a whole number, rules a list")
    return Plan(seed, tuple(_rule(f"rules[{index}]", rule) for index, rule in enumerate(rules)))


def not_yet(action: str, resource: str, created: float) -> bool:
    """Whether what was created at that time (seconds since 1970) is not seen yet where a service looks for it."""

    def possible(kind: str, rule: Rule) -> bool:
        return kind == "stale" and time.time() - created < rule.seconds

    return bool(_plan.rules) and _plan.choose(action, resource, ("service",), possible) is not None


def faulty(app: App) -> App:
    """The application, with the faults of the plan."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _plan.rules:
            await app(scope, receive, send)
            return
        body = await body_of(receive)
        call = _Call(app, scope, _again(body, receive), send)
        headers = headers_of(scope)
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        service, action, resource = describe(scope["method"], scope["path"], headers, body, query)
        principals = _principals(extract_access_key_id(headers, query))
        question = _question(scope, headers, principals, body)
        reads = _any_fits(READING, action) and not _any_fits(CONSISTENT, action)

        def possible(kind: str, rule: Rule) -> bool:
            if kind == "stale":
                return reads and time.monotonic() - _answers.get(question, (-math.inf, []))[0] <= rule.seconds
            return True

        chosen = _plan.choose(action, resource, principals, possible)
        kind, rule = chosen or ("", Rule({}))
        if kind:
            scope["fault"] = kind
        if kind in ERRORS:
            await call.fail(kind, service, headers)
        elif kind == "reset":
            call.reset()
        elif kind == "lost":
            await call.answer()
            call.reset()
        elif kind == "truncate":
            await call.truncate()
        elif kind == "stale":
            for message in _answers[question][1]:
                await send(message)
        else:
            if kind == "slow":
                await asyncio.sleep(rule.seconds)
            messages = await call.answer()
            if reads:
                if len(_answers) >= KEPT:
                    _answers.clear()
                _answers[question] = time.monotonic(), messages
            for message in messages:
                await send(message)

    return wrapped


class Connection(TCPServer):  # type: ignore[misc]  # hypercorn has no types
    """A connection of hypercorn's that can be broken."""

    async def run(self) -> None:
        """As hypercorn does; it is known while it lasts."""
        peer = tuple((self.writer.get_extra_info("peername") or ("", 0))[:2])
        _connections[peer] = self.writer
        try:
            await super().run()
        finally:
            if _connections.get(peer) is self.writer:  # the port may be another connection's by now
                del _connections[peer]


@dataclass(frozen=True)
class _Call:
    app: App
    scope: Scope
    receive: Receive
    send: Send

    async def answer(self) -> list[Message]:
        """Carries it out; the answer, which nobody was sent yet."""
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self.app(self.scope, self.receive, collect)
        return messages

    async def fail(self, kind: str, service: str, headers: dict[str, str]) -> None:
        """Answers with an error in the words of the service."""
        words = "s3" if service == "s3" else "query" if speaks_query(service) else ""
        code, status = ERRORS[kind][words]
        await refuse(self.scope, self.send, service, headers, code, MESSAGES[kind], status)

    async def truncate(self) -> None:
        """Carries it out, answers with the first half of the answer, and closes the connection."""
        start, *rest = await self.answer()
        body = b"".join(message.get("body", b"") for message in rest)
        others = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        length = (b"content-length", str(len(body)).encode())
        if len(body) > 1:
            await self.send({**start, "headers": [*others, length]})
            await self.send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        writer = self._writer()
        if writer is not None:
            writer.close()

    def reset(self) -> None:
        """Breaks the connection: the caller's system reports that it was reset."""
        writer = self._writer()
        if writer is not None:
            linger = struct.pack("ii", 1, 0)  # on, for no time: what is not sent yet is thrown away
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    def _writer(self) -> asyncio.StreamWriter | None:
        return _connections.get(tuple(self.scope.get("client") or ())[:2])


def _again(body: bytes, receive: Receive) -> Receive:
    """The request's body once more; after it comes what came after it."""
    first = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return first.pop() if first else await receive()

    return received


def _principals(key: str | None) -> tuple[str, ...]:
    """The ARNs of the caller: the role's, too, of a session."""
    try:
        caller = caller_of(key, get_region()) if key else None
    except AwsError:
        caller = None
    return (caller.arn, caller.session_arn) if caller else ("anonymous",)


def _question(scope: Scope, headers: dict[str, str], principals: tuple[str, ...], body: bytes) -> bytes:
    """The same for the same question of the same caller."""
    parts = (scope["method"], scope["path"], scope.get("query_string", b""), headers.get("host", ""))
    return hashlib.sha256(repr((*parts, headers.get("x-amz-target", ""), principals, body)).encode()).digest()


def _numbers(seed: int, action: str, resource: str, number: int) -> tuple[float, float]:
    """Two numbers from 0 to below 1, for whether and for which."""
    digest = hashlib.sha256(f"{seed}\0{action}\0{resource}\0{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64, int.from_bytes(digest[8:16], "big") / 2**64


def _weighted(weights: dict[str, float], number: float) -> str:
    """The one of the weighted that a number from 0 to below 1 stands for."""
    rest = number * sum(weights.values())
    for name, weight in weights.items():
        rest -= weight
        if rest < 0:
            return name
    return next(reversed(weights))


def _any_fits(patterns: tuple[str, ...], text: str) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def _only(given: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"{where}: {', '.join(unknown)} is not one of {', '.join(known)}")


def _rule(where: str, given: Any) -> Rule:
    if not isinstance(given, dict):
        raise ValueError(f"{where} is not an object")
    _only(given, tuple(Rule.__dataclass_fields__), where)
    faults, rate, seconds = given.get("faults"), given.get("rate", 1.0), given.get("seconds", 2.0)
    times = given.get("times")
    if not isinstance(faults, dict) or not faults:
        raise ValueError(f"{where}.faults must give a weight to each of some of {', '.join(KINDS)}")
    _only(faults, tuple(KINDS), f"{where}.faults")
    if not all(_is_number(weight) and weight > 0 for weight in faults.values()):
        raise ValueError(f"{where}.faults: a weight must be a number above 0")
    if not _is_number(rate) or not 0 <= rate <= 1:
        raise ValueError(f"{where}.rate must be a number from 0 to 1")
    if not _is_number(seconds) or seconds < 0:
        raise ValueError(f"{where}.seconds must be a number from 0")
    if times is not None and (not isinstance(times, int) or times < 0):
        raise ValueError(f"{where}.times must be a whole number from 0")
    patterns = {name: tuple(given.get(name, ["*"])) for name in ("actions", "resources", "principals")}
    for name, each in patterns.items():
        if not all(isinstance(pattern, str) for pattern in each):
            raise ValueError(f"{where}.{name} must be a list of patterns")
    return Rule(faults, rate, seconds=seconds, times=times, **patterns)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
