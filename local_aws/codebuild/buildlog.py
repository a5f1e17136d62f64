# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a build: lines as CodeBuild writes them, secrets masked, sent to CloudWatch Logs while the build runs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

MASK = "***"
_FLUSH_SECONDS = 0.3
# Limits of PutLogEvents: 10,000 events, 1 MiB with 26 bytes of overhead each; and of one event.
_MAX_EVENTS = 10_000
_MAX_BATCH_BYTES = 1_000_000
_EVENT_OVERHEAD = 26
_MAX_MESSAGE_BYTES = 200_000

Event = tuple[int, str]
Sink = Callable[[list[Event]], None]


class BuildLog:
    """Collects lines and hands them to a sink in batches; an event is (epoch milliseconds, message with newline).

    The sink starts with attach(): lines from before (CodeBuild has some before the stream exists) wait for it. What
    a sink raises ends the sending, not the build, as on AWS; it is kept in error.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._masks: list[str] = []
        self._pending: list[Event] = []
        self._partial = b""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._sink: Sink | None = None
        self._thread: threading.Thread | None = None

    def attach(self, sink: Sink) -> None:
        """Start to send what was and will be written."""
        self._sink = sink
        self._thread = threading.Thread(target=self._run, daemon=True, name="build-log")
        self._thread.start()

    def mask(self, values: Iterable[str]) -> None:
        """Replace these values, and each line of one that has several, by *** from now on."""
        found = {part for value in values for part in (value, *value.splitlines()) if part.strip()}
        # The longest first, or a value that contains another would stay half readable.
        self._masks = sorted(found | set(self._masks), key=len, reverse=True)

    def masked(self, text: str) -> str:
        """The text without secret values."""
        for value in self._masks:
            text = text.replace(value, MASK)
        return text

    def container(self, text: str) -> None:
        """A line of CodeBuild's own: [Container] 2024/01/18 18:18:33.123456 text."""
        stamp = datetime.now(UTC).strftime("%Y/%m/%d %H:%M:%S.%f")
        self._add(f"[Container] {stamp} {text}")

    def output(self, data: bytes) -> None:
        """Output of a command; an incomplete last line waits for its end."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._add(line.decode("utf-8", "replace"))
        while len(self._partial) > _MAX_MESSAGE_BYTES:
            self._add(self._partial[:_MAX_MESSAGE_BYTES].decode("utf-8", "replace"))
            self._partial = self._partial[_MAX_MESSAGE_BYTES:]

    def end_of_output(self) -> None:
        """Write the incomplete last line, if there is one."""
        if self._partial:
            self.output(b"\n")

    def close(self) -> None:
        """Send the rest and stop."""
        self.end_of_output()
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10)

    def _add(self, text: str) -> None:
        event = (int(time.time() * 1000), self.masked(text) + "\n")
        with self._lock:
            self._pending.append(event)

    def _run(self) -> None:
        assert self._sink is not None
        while True:
            closing = self._closing
            with self._lock:
                pending, self._pending = self._pending, []
            try:
                for batch in batches(pending):
                    if self.error is None:
                        self._sink(batch)
            except Exception as error:
                self.error = error
            if closing:
                return
            self._wake.wait(_FLUSH_SECONDS)


def batches(events: list[Event]) -> Iterable[list[Event]]:
    """Split events into lists that PutLogEvents takes; a message that is too long is cut into several."""
    batch: list[Event] = []
    size = 0
    for time_ms, message in events:
        for start in range(0, max(len(message), 1), _MAX_MESSAGE_BYTES // 4):
            part = message[start : start + _MAX_MESSAGE_BYTES // 4]
            part_size = len(part.encode("utf-8", "replace")) + _EVENT_OVERHEAD
            if batch and (len(batch) == _MAX_EVENTS or size + part_size > _MAX_BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append((time_ms, part))
            size += part_size
    if batch:
        yield batch


def cloudwatch_sink(role_client: Callable[[str], object], group: str, stream: str) -> Sink:
    """Create the stream (and the group, if it is missing) and return what writes to it.

    role_client gives a client with the service role's credentials. Raises botocore's ClientError when the role may
    not create them.
    """
    logs = role_client("logs")
    missing = logs.exceptions.ResourceNotFoundException  # type: ignore[attr-defined]
    exists = logs.exceptions.ResourceAlreadyExistsException  # type: ignore[attr-defined]
    with contextlib.suppress(exists):
        try:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)  # type: ignore[attr-defined]
        except missing:
            with contextlib.suppress(exists):
                logs.create_log_group(logGroupName=group)  # type: ignore[attr-defined]
            logs.create_log_stream(logGroupName=group, logStreamName=stream)  # type: ignore[attr-defined]

    def put(events: list[Event]) -> None:
        # A fresh client: a build may outlive the credentials it started with.
        role_client("logs").put_log_events(  # type: ignore[attr-defined]
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": time_ms, "message": message} for time_ms, message in events],
        )

    return put
