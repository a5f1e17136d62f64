# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules in this process, with generated arguments and with answers of AWS's that are made up; nothing is sent."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import yaml
from ansible.module_utils import basic
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.httpsession import URLLib3Session
from botocore.response import StreamingBody
from hypothesis import strategies as st

from tests.integration.modules.harness import REGION, mutates, patch_module_args, run_module
from tests.unit.plugins.module_utils.inputs import LIKELY, WORDS, arguments, with_one_wrong

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = sorted(file.stem for file in (ROOT / "plugins" / "modules").glob("*.py"))

# How to call AWS, which is amazon.aws's matter: not generated.
CONNECTION = {"region": REGION, "access_key": "x", "secret_key": "x"}
OF_CONNECTION = aws_argument_spec()

CALLS = 3000  # of a module in one run: more of them have no end
SECONDS = 30  # of a run, by the clock on the wall, in which no time passes that is only waited


class Endless(BaseException):
    """A module that does not come to its end. Not an Exception: nothing but a test may take it."""


class _Seen(Exception):
    pass


@functools.cache
def spec_of(module: str) -> dict[str, Any]:
    """The argument spec that a module gives to Ansible, without how to call AWS."""

    def seen(_self: Any, *args: Any, **kwargs: Any) -> None:
        raise _Seen(kwargs.get("argument_spec") or args[0])

    with (
        mock.patch.object(basic.AnsibleModule, "__init__", seen),
        patch_module_args({}),
        contextlib.suppress(SystemExit),
    ):
        try:
            code_of(module).main()
        except _Seen as found:
            return {name: option for name, option in found.args[0].items() if option != OF_CONNECTION.get(name)}
    raise AssertionError(f"{module} has no argument spec")


@functools.cache
def calls_aws(module: str) -> bool:
    """Whether a module takes what a call of AWS needs."""
    return "amazon.aws.common.modules" in code_of(module).DOCUMENTATION


def code_of(module: str) -> Any:
    """A module's Python module."""
    return importlib.import_module(f"ansible_collections.gitops.aws.plugins.modules.{module}")


@functools.cache
def examples_of(module: str) -> list[dict[str, Any]]:
    """The arguments of the documented examples, as plain data."""
    tasks = yaml.safe_load(code_of(module).EXAMPLES)
    found = [task[f"gitops.aws.{module}"] or {} for task in tasks if f"gitops.aws.{module}" in task]
    own = [
        {name: value for name, value in each.items() if name in spec_of(module) or name != "region"} for each in found
    ]
    plain: list[dict[str, Any]] = json.loads(json.dumps(own, default=str))
    return plain


def given_to(module: str, wrong: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a module: made from its spec, or an example with up to so many things wrong in it."""
    made = arguments(spec_of(module), LIKELY | WORDS, wrong=40)
    shown = st.sampled_from(examples_of(module)).flatmap(lambda example: with_one_wrong(example, wrong))
    return made | shown.filter(lambda given: isinstance(given, dict))


def with_files_here(given: Any, spec: dict[str, Any]) -> Any:
    """The arguments, in which no path leads out of the working directory."""
    if not isinstance(given, dict):
        return given

    def here(value: Any, option: dict[str, Any]) -> Any:
        if isinstance(value, list):
            return [here(each, {**option, "type": option.get("elements")}) for each in value]
        if option.get("type") == "path" and isinstance(value, str):
            return re.sub(r"[^\w. -]", "_", value).replace("..", "_")[:100]
        return with_files_here(value, option.get("options") or {})

    names = {alias: option for name, option in spec.items() for alias in (name, *option.get("aliases", []))}
    return {name: here(value, names.get(name, {})) for name, value in given.items()}


class Network:
    """Stands for all of AWS: the answer to a call follows from a seed, the call, and how many such came before.

    Args:
        seed: of the answers.
        strange: the share of answers and of their members that are not as AWS promises them; None: AWS refuses all.
    """

    def __init__(self, seed: int = 0, strange: float | None = None) -> None:
        self.seed, self.strange = seed, strange
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._thread = threading.local()  # `body`: what the network answers; `asked`: texts of the call

    @property
    def mutations(self) -> list[str]:
        """The calls that would have changed something."""
        return [call for call in self.calls if mutates(call)]

    @contextlib.contextmanager
    def there(self) -> Iterator[None]:
        """In the block every call is answered here."""
        call, request = BaseClient._make_api_call, BaseClient._make_request

        def note(client: Any, operation: str, given: dict[str, Any]) -> Any:
            self._thread.asked = [text for text in _texts(given) if text]
            return call(client, operation, given)

        def answer(client: Any, model: Any, request_dict: dict[str, Any], context: Any) -> Any:
            return self._answer(model, lambda: request(client, model, request_dict, context))

        with (
            mock.patch.object(BaseClient, "_make_api_call", note),
            mock.patch.object(BaseClient, "_make_request", answer),
            mock.patch.object(URLLib3Session, "send", lambda _session, sent: self._thread.response(sent)),
        ):
            yield

    def _answer(self, model: Any, real: Callable[[], Any]) -> Any:
        name = f"{model.service_model.service_name}:{model.name}"
        with self._lock:
            self.calls[name] += 1
            if self.calls.total() > CALLS:
                raise Endless(f"more than {CALLS} calls: {self.calls}")
            number = self.calls[name]
        if self.strange is None:
            return _http(400), {"Error": {"Code": "AccessDenied", "Message": "not allowed"}, "ResponseMetadata": {}}
        chance = random.Random(f"{self.seed} {name} {number}")
        if chance.random() < self.strange / 4:
            self._thread.response = functools.partial(_garbage, chance)
            return real()
        if chance.random() < self.strange / 4:
            codes = [shape.error_code for shape in model.error_shapes] + ["AccessDenied", "Throttled", "NoSuchEntity"]
            said = {"Code": chance.choice(codes), "Message": chance.choice(["", "no such thing", "a\nb", "{}%s"])}
            return _http(chance.choice([400, 403, 404, 409])), {"Error": said, "ResponseMetadata": {}}
        made = Made(chance, self.strange, getattr(self._thread, "asked", []))
        body = made.structure(model.output_shape, streams=model.get_streaming_output()) if model.output_shape else {}
        return _http(200), {**body, "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}}}


def _http(status: int) -> Any:
    return SimpleNamespace(status_code=status, headers={})


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for element in value.values() if isinstance(value, dict) else value:
            yield from _texts(element)


class _Raw(io.BytesIO):
    """What urllib3 hands to botocore."""

    def stream(self, *_args: Any, **_kwargs: Any) -> Iterator[bytes]:
        yield self.read()


GARBAGE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b"<html><body>502 Bad Gateway</body></html>",
    b"<a/>",
    b"<ErrorResponse><Error/></ErrorResponse>",
    b"<Error></Error>",
    b'{"__type": 5}',
    b'{"message": null, "__type": "Denied"}',
    b"a" * 70000,
]


def _garbage(chance: random.Random, sent: Any) -> AWSResponse:
    """What something between here and AWS answers: a proxy, a captive portal, a connection that ends too early."""
    status = chance.choice([200, 200, 200, 400, 403, 404, 407, 500, 503])
    return AWSResponse(sent.url, status, {"content-type": "text/html"}, _Raw(chance.choice(GARBAGE)))


TEXTS = [
    "",
    "a",
    "network",
    "{}",
    "null",
    "[1]",
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}',
    "arn:aws:iam::123456789012:role/service",
    "arn:aws:s3:::a",
    "123456789012",
    "version: 0.2",
    "true",
    "7",
    "2026-11-26T08:30:00Z",
    "\u00e4",
    "Succeeded",
]
OTHERS: list[Any] = [None, 0, -1, 10**20, 1.5, True, "", "a", [], {}, [None], [{}], {"a": None}, {"Name": 5}]
DEEP = 7


@dataclass
class Made:
    """Answers of a shape.

    Attributes:
        strange: the share of members that are missing, or of another type.
        asked: texts of the call, which stand in its answer, too.
    """

    chance: random.Random
    strange: float
    asked: list[str] = field(default_factory=list)

    def structure(self, shape: Any, depth: int = 0, streams: Any = None) -> dict[str, Any]:
        """Some of the members of a structure."""
        found: dict[str, Any] = {}
        for name, member in shape.members.items():
            if self.chance.random() < max(self.strange, 0.05 * depth) or depth > DEEP:
                continue
            if re.search(r"token|marker|next|truncated|lastevaluated", name, re.IGNORECASE):
                if self.chance.random() < self.strange:
                    found[name] = self.value(member, depth + 1)
                continue
            if streams is not None and member.serialization.get("location") != "header" and member.name == streams.name:
                content = self.chance.choice([*GARBAGE, *(text.encode() for text in TEXTS)])
                found[name] = StreamingBody(io.BytesIO(content), len(content))
            else:
                found[name] = self.value(member, depth + 1)
        return found

    def value(self, shape: Any, depth: int) -> Any:
        """A value of a shape, at times of another type."""
        if self.chance.random() < self.strange / 4:
            return self.chance.choice(OTHERS)
        if shape.type_name == "structure":
            return self.structure(shape, depth)
        if shape.type_name == "list":
            return [self.value(shape.member, depth + 1) for _ in range(self.chance.choice([0, 1, 1, 2]))]
        if shape.type_name == "map":
            return {self.text(shape.key): self.value(shape.value, depth + 1) for _ in range(self.chance.choice([0, 1]))}
        if shape.type_name == "string":
            return self.text(shape)
        return {
            "boolean": self.chance.choice([True, False]),
            "blob": b"a",
            "timestamp": datetime(2026, 11, 26, self.chance.randrange(24), tzinfo=UTC),
            "float": 0.5,
            "double": 0.5,
        }.get(shape.type_name, self.chance.choice([0, 1, 1, 7]))

    def text(self, shape: Any) -> str:
        """A text: what was asked for, one that the shape lists, or any."""
        if self.asked and self.chance.random() < 0.5:
            return self.chance.choice(self.asked)
        return str(self.chance.choice(getattr(shape, "enum", None) or TEXTS))


@contextlib.contextmanager
def no_time_passes() -> Iterator[None]:
    """Waiting takes no time, and the clock goes on by what was waited; what does not end in time is stopped."""
    ahead, now = [0.0], time.monotonic

    def sleep(seconds: float) -> None:
        ahead[0] += max(seconds, 0.001)

    def stop(*_args: Any) -> None:
        raise Endless(f"not at its end after {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with mock.patch.multiple(time, sleep=sleep, monotonic=lambda: now() + ahead[0]):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(module: str, given: dict[str, Any], network: Network, **more: Any) -> dict[str, Any]:
    """What a module returns. An exception that leaves it leaves this, too, as does one that has no end."""
    spec = spec_of(module)
    connection = CONNECTION if calls_aws(module) else {}
    with network.there(), no_time_passes():
        return run_module(module, {**connection, **with_files_here(given, spec), "_ansible_diff": True, **more})


# Python's own words. botocore's of a parameter of another type name the parameter and its value, and may stay.
BUG = re.compile(
    r"Traceback|This is a bug|ResponseParserError|NoneType|object is not|has no attribute|<function |0x[0-9a-f]{8}"
    r"|\b(Key|Type|Value|Attribute|Index|Name|Recursion|Unicode\w*|Assertion|Runtime|OS|IO)Error\b"
)


def unclear(result: dict[str, Any], given: Any = None) -> str:
    """Why the end of a module says nothing to a user, '' where it does. What the user gave may be said again."""
    if not result.get("failed"):
        return ""
    text = str(result.get("msg", ""))
    errors = [one.get("error", "") for one in (result.get("resources") or {}).values() if isinstance(one, dict)]
    for said in (text, *map(str, errors)):
        found = BUG.search(re.sub(r"type: <class '\w+'>", "", said))
        if found and found[0] not in json.dumps(given, default=str):
            return f"{found[0]!r} in {said}"
    return "" if len(text) > 10 else f"the message is {text!r}"


def misunderstands(result: dict[str, Any]) -> bool:
    """Whether a module says that it does not understand an answer of AWS's."""
    return "is not as AWS's API promises it" in json.dumps(result)
