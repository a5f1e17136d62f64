# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell in which a build's commands run.

One shell process runs the commands of all phases, as CodeBuild does for buildspec version 0.2, so that `cd`, variables
and functions stay. A command that ends the shell itself (`exit 1`, a failure under `set -e`) fails; the next one gets
a new shell with the variables and the directory as they were before it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_CHANNEL = 9  # the file descriptor on which the shell reports, away from those that people use
_DRAIN_SECONDS = 0.3


class ShellError(Exception):
    """The shell can't be started; the message is worded as CodeBuild words it."""


class Interrupted(Exception):
    """The command did not end by itself: reason is "timeout" or "stopped"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Shell:
    """A POSIX shell session.

    argv starts the shell; environment is its whole environment; work is a private directory for the session's own
    files; output receives what commands write to stdout and stderr.
    """

    def __init__(
        self,
        argv: list[str],
        environment: Mapping[str, str],
        directory: Path,
        work: Path,
        output: Callable[[bytes], None],
    ) -> None:
        self._argv = argv
        self.environment = dict(environment)
        self._directory = directory
        self._work = work
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: list[int] = []
        self._reader: threading.Thread | None = None
        self._status: int | None = None
        self._reported = threading.Event()
        self._last_output = 0.0
        self._token = b""
        self._stop = threading.Event()
        self._counter = 0
        self._state = work / "state"

    def run(self, command: str, deadline: float) -> int:
        """Run one command; returns its exit status. deadline is in time.monotonic() seconds.

        Raises Interrupted at the deadline and after stop(), with every process of the session killed.
        """
        if self._process is None:
            self._start()
        self._counter += 1
        script = self._work / f"command-{self._counter}"
        script.write_text(command + "\n", encoding="utf-8", errors="surrogateescape")
        state = shlex.quote(str(self._state))
        # Reading from /dev/null keeps a command from eating the lines that drive the shell.
        self._send(
            f". {shlex.quote(str(script))} </dev/null {_CHANNEL}>&-\n"
            f"{{ __codebuild_status=$?; {{ set; export -p; }} >{state}.vars; pwd >{state}.pwd; "
            f"printf '%s%s.' {self._token.decode()} \"$__codebuild_status\" >&{_CHANNEL}; }} 2>/dev/null\n"
        )
        return self._wait(deadline)

    def evaluate(self, expression: str, deadline: float) -> str | None:
        """The text that a double-quoted shell word gives, such as $NAME; None when the shell can't say."""
        answer = self._work / "answer"
        answer.unlink(missing_ok=True)
        try:
            status = self.run(f'printf %s "{expression}" >{shlex.quote(str(answer))}', deadline)
        except ShellError:
            return None
        return answer.read_text(encoding="utf-8", errors="replace") if status == 0 and answer.exists() else None

    def variable(self, name: str, deadline: float) -> str | None:
        """A variable's value, exported or not; None when it is not set."""
        answer = self._work / "answer"
        answer.unlink(missing_ok=True)
        self.run(f'if [ -n "${{{name}+x}}" ]; then printf %s "${name}" >{shlex.quote(str(answer))}; fi', deadline)
        return answer.read_text(encoding="utf-8", errors="replace") if answer.exists() else None

    def set_variable(self, name: str, value: str, deadline: float) -> None:
        """Set and export a variable."""
        self.run(f"export {name}={shlex.quote(value)}", deadline)

    def stop(self) -> None:
        """End the running command, and refuse further ones. May be called from any thread."""
        self._stop.set()
        self._reported.set()

    def close(self) -> None:
        """Kill what is left of the session, background processes included."""
        self._kill()

    def _start(self) -> None:
        if not os.access(self._argv[0], os.X_OK):
            raise ShellError(f"fork/exec {self._argv[0]}: no such file or directory")
        read_end, write_end = os.pipe()
        try:
            # A session of its own, so that everything it started can be killed at once.
            process = subprocess.Popen(
                ["/bin/sh", "-c", f'exec {_CHANNEL}>&1; exec "$@"', "sh", *self._argv],
                stdin=subprocess.PIPE,
                stdout=write_end,
                stderr=write_end,
                cwd=self._directory,
                env=self.environment,
                start_new_session=True,
            )
        finally:
            os.close(write_end)
        self._process = process
        self._groups.append(process.pid)
        self._token = f"codebuild-{secrets.token_hex(16)}:".encode()
        self._reader = threading.Thread(target=self._read, args=(read_end, self._token), daemon=True)
        self._reader.start()
        variables, directory = Path(f"{self._state}.vars"), Path(f"{self._state}.pwd")
        if variables.exists():
            self._send(f". {shlex.quote(str(variables))} 2>/dev/null\n")
            with contextlib.suppress(OSError):
                where = directory.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
                self._send(f"cd {shlex.quote(where)} 2>/dev/null\n")

    def _send(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        # A shell that has just died is seen by _wait.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode("utf-8", "surrogateescape"))
            self._process.stdin.flush()

    def _wait(self, deadline: float) -> int:
        process = self._process
        assert process is not None
        while True:
            if self._stop.is_set():
                self._kill()
                raise Interrupted("stopped")
            if self._reported.wait(min(0.1, max(0.0, deadline - time.monotonic()))) and not self._stop.is_set():
                self._reported.clear()
                status, self._status = self._status, None
                assert status is not None
                return status
            if self._stop.is_set():
                continue
            if process.poll() is not None:
                return self._died(process)
            if time.monotonic() >= deadline:
                self._kill()
                raise Interrupted("timeout")

    def _died(self, process: subprocess.Popen[bytes]) -> int:
        # Background processes may hold the pipe open: wait for silence, not for its end.
        assert self._reader is not None
        self._reader.join(_DRAIN_SECONDS)
        self._process = None
        if self._reported.is_set():
            self._reported.clear()
            status, self._status = self._status, None
            if status is not None:
                return status
        code = process.returncode
        # A shell that leaves with 0 in the middle of a command (`exit 0`) succeeded.
        return 128 - code if code < 0 else code

    def _read(self, descriptor: int, token: bytes) -> None:
        pattern = re.compile(re.escape(token) + rb"(\d+)\.")
        held = b""
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while data := pipe.read(65536):
                held += data
                while match := pattern.search(held):
                    self._emit(held[: match.start()])
                    held = held[match.end() :]
                    if token == self._token:
                        self._status = int(match.group(1))
                        self._reported.set()
                # Keep back what may be the start of a report that is cut in two.
                keep = _possible_prefix(held, token)
                self._emit(held[: len(held) - keep])
                held = held[len(held) - keep :]
        self._emit(held)

    def _emit(self, data: bytes) -> None:
        if data:
            self._output(data)

    def _kill(self) -> None:
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        process, self._process = self._process, None
        if process is not None:
            process.wait(5)
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(_DRAIN_SECONDS)


def _possible_prefix(data: bytes, token: bytes) -> int:
    """How many of the last bytes may belong to a report that has not arrived completely."""
    start = data.rfind(token)
    if (start >= 0 and data[start + len(token) :].isdigit()) or data.endswith(token):
        return len(data) - start
    for length in range(min(len(token) - 1, len(data)), 0, -1):
        if data.endswith(token[:length]):
            return length
    return 0
