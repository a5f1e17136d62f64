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

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.gitops.aws.plugins.module_utils._builds import NOISE

display = Display()


def log_by_build(result: dict[str, Any]) -> dict[str, list[str]]:
    """The log lines of a look as they are shown, by build; without CodeBuild's own lines."""
    log: dict[str, list[str]] = {}
    for line in result.get("log_lines", []):
        if not NOISE.match(line["text"]):
            log.setdefault(line["build_id"], []).append(f"    | {line['text']}")
    return log


class Watching(ActionBase):
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
        result = self._look({**args, "wait": False}, task_vars)
        changed = result.get("changed", False)
        if self._task.check_mode and changed:  # nothing was done that could be watched
            return result
        if state == "stopped" and self.subject in result and self.ended(result, args):
            return result
        lines: list[dict[str, str]] = []
        calls: Counter[str] = Counter()
        while not result.get("failed") and self.subject in result:
            for line in self.lines(result):
                display.display(line)
            lines = (lines + result["log_lines"])[-self.last_lines :]
            calls.update(result.get("api_calls", {}))
            # A failing task prints its whole result once more.
            result = {**result, "changed": changed, "log_lines": lines, "api_calls": dict(sorted(calls.items()))}
            if self.ended(result, args):
                why = self.failure(result)
                if why and state != "stopped":
                    result.pop("failure", None)  # the message says it
                    result.update(failed=True, msg=why)
                break
            timeout = args.get("wait_timeout", 3600)
            if time.monotonic() > started + int(timeout):  # checked by the module's first look
                result.update(failed=True, msg=self.late(result, timeout))
                break
            time.sleep(int(args.get("poll_interval", 3)))
            following = {name: value for name, value in args.items() if name not in ("state", *self.once)}
            following.update({self.id_option: result[self.subject]["id"], "log_cursors": result["log_cursors"]})
            result = self._look({**following, "wait": False}, task_vars)
        return result

    def _look(self, args: dict[str, Any], task_vars: dict[str, Any] | None, wrap_async: bool = False) -> dict[str, Any]:
        return self._execute_module(
            module_name=self.module,
            module_args=args,
            task_vars=task_vars,
            wrap_async=wrap_async,
        )
