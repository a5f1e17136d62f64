# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Shows what happens while a module waits.

A module cannot print while it runs. So the waiting is done here, by calling the module again and again for one look
each, wherever the module runs (delegate_to, become and connections work as for any module).
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.gitops.aws.plugins.module_utils._builds import FUNCTIONS, FUNCTIONS_END, NOISE
from ansible_collections.gitops.aws.plugins.module_utils._waiters import FAILED_LOOKS
from ansible_collections.gitops.aws.plugins.plugin_utils._in_process import InProcess
from ansible_collections.gitops.aws.plugins.plugin_utils._showing import show


def _given(args: dict[str, Any], option: str, default: int) -> int:
    """A number among a task's arguments, where null is as good as left out."""
    return int(default if args.get(option) is None else args[option])


class Log:
    """What is shown of the logs of builds: not CodeBuild's own lines, nor the functions that a build begins with."""

    def __init__(self) -> None:
        self._in_functions: set[str] = set()

    def by_build(self, result: dict[str, Any]) -> dict[str, list[str]]:
        """The log lines of a look as they are shown, by build."""
        log: dict[str, list[str]] = {}
        for line in result.get("log_lines", []):
            build, text = line["build_id"], line["text"]
            if FUNCTIONS.match(text):
                self._in_functions.add(build)
            elif FUNCTIONS_END.match(text):
                self._in_functions.discard(build)
            elif build not in self._in_functions and not NOISE.match(text):
                log.setdefault(build, []).append(f"    | {text}")
        return log


class Watching(InProcess):
    """An action plugin that runs the module of the same name, and shows what happens while it waits.

    Attributes:
        module: the module's name.
        subject: what is in a result of it and is watched.
        id_option: the option that names what is followed.
        once: options for the first look only, which does something; those after it follow.
        last_lines: of the log, in the result. All lines were shown already.
    """

    module = ""
    subject = ""
    id_option = ""
    once: tuple[str, ...] = ()
    last_lines = 10

    _requires_connection = False
    _supports_async = True

    def lines(self, result: dict[str, Any]) -> list[str]:
        """What is new since the last look, as lines for a person."""
        raise NotImplementedError

    def ended(self, result: dict[str, Any], args: dict[str, Any]) -> bool:
        """Whether there is nothing more to wait for."""
        raise NotImplementedError

    def failure(self, result: dict[str, Any]) -> str | None:
        """Why what is watched did not succeed, None where it did."""
        raise NotImplementedError

    def late(self, result: dict[str, Any], seconds: Any) -> str:
        """That it had not ended when the time was over."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the task; the result is the module's, with the last log lines."""
        super().run(tmp, task_vars)
        args = dict(self._task.args)
        if self._task.async_val or not boolean(args.get("wait", True), strict=False):
            return self._look(args, task_vars, wrap_async=bool(self._task.async_val))
        started = time.monotonic()
        state = args.get("state", "started")
        last = self._look({**args, "wait": False}, task_vars)
        result, changed = last, last.get("changed", False)
        if self.subject not in last:  # nothing was begun
            return last
        if self._task.check_mode and changed:  # nothing was done that could be watched
            return last
        if state == "stopped" and not last.get("failed") and self.ended(last, args):
            return last
        lines: list[dict[str, str]] = []
        calls: Counter[str] = Counter()
        failures = 0
        while True:
            calls.update(last.get("api_calls", {}))
            if last.get("failed"):
                failures += 1
                if failures > FAILED_LOOKS:
                    result = self._blind(result, last)
                    break
                self._show(f"  a look failed, and is tried again: {last.get('msg', '')}")
            else:
                failures = 0
                for line in self.lines(last):
                    self._show(line)
                lines = (lines + last["log_lines"])[-self.last_lines :]
                # A failing task prints its whole result once more.
                result = {**last, "changed": changed, "log_lines": lines}
                if self.ended(result, args):
                    why = self.failure(result)
                    if why and state != "stopped":
                        result.pop("failure", None)  # the message says it
                        result.update(failed=True, msg=why)
                    break
            timeout = _given(args, "wait_timeout", 3600)
            if time.monotonic() > started + timeout:  # checked by the module's first look
                if last.get("failed"):
                    result = self._blind(result, last)
                else:
                    result.update(failed=True, msg=self.late(result, timeout))
                break
            time.sleep(_given(args, "poll_interval", 3))
            following = {name: value for name, value in args.items() if name not in ("state", *self.once)}
            following.update({self.id_option: result[self.subject]["id"], "log_cursors": result["log_cursors"]})
            try:
                last = self._look({**following, "wait": False}, task_vars)
            except AnsibleConnectionFailure as error:  # to the host that the module runs on
                last = {"failed": True, "msg": str(error)}
        return {**result, "api_calls": dict(sorted(calls.items()))}

    def _blind(self, result: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
        """What is known when it cannot be looked at any more: the last good look, and why the newest one failed."""
        if result.get("failed"):  # none was good; it says itself what was begun
            return result
        name = result[self.subject]["id"]
        what = f"{self.subject} {name} goes on ({self.id_option}={name} follows it), but looks at it fail"
        known = {key: value for key, value in last.items() if key not in ("changed", "api_calls")}
        return {**result, **known, "failed": True, "msg": f"{what}: {last.get('msg', '')}"}

    def _show(self, line: str) -> None:
        """Displays a line, where the task may be shown at all."""
        show(self._task, line)

    def _look(self, args: dict[str, Any], task_vars: dict[str, Any] | None, wrap_async: bool = False) -> dict[str, Any]:
        return self._execute_module(
            module_name=self.module,
            module_args=args,
            task_vars=task_vars,
            wrap_async=wrap_async,
        )
