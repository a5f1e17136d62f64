# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: api_calls
type: aggregate
short_description: Count the calls to AWS that a run makes
version_added: "0.1.0"
description:
  - Says at the end of a run how many calls to AWS the modules of this collection have made, and how many of them change
    something. With C(-v) also which task made which.
  - It adds up C(api_calls) of the results, of failed tasks, of loops and of tries that were repeated, too. A call that
    the AWS SDK itself sends again, as after throttling, counts once.
  - It counts in check mode as well, and tasks in the background once their result is asked for.
  - Modules of other collections do not say what they call, and tasks with C(no_log) hide it. How many of the latter
    there were is said.
  - Where another callback makes a document of standard output, as C(ansible.posix.json) does, this goes to standard
    error.
requirements:
  - Enable it for one run with E(ANSIBLE_CALLBACKS_ENABLED=gitops.aws.api_calls), or for all by C(callbacks_enabled)
    under C([defaults]) in C(ansible.cfg).
author:
  - Contributors to the gitops.aws project (@gitops-aws)
"""

EXAMPLES = r"""
examples: |
  $ ANSIBLE_CALLBACKS_ENABLED=gitops.aws.api_calls ansible-playbook gitops.aws.site -e @your.yml
  ...
  CALLS TO AWS *******************************************************************
  43 calls, none of which changes anything
        8  codepipeline:GetPipeline
        4  codebuild:BatchGetProjects
  ...
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Iterator

from ansible import constants
from ansible.plugins.callback import CallbackBase

from ansible_collections.gitops.aws.plugins.module_utils._operations import READ_ONLY_OPERATION
from ansible_collections.gitops.aws.plugins.plugin_utils._showing import FOR_PROGRAMS

OURS = "gitops.aws."
ASKS_FOR_RESULTS = ("ansible.builtin.async_status", "ansible.legacy.async_status", "async_status")


@dataclass
class Made:
    """The calls of a task, over all its hosts and items."""

    play: str
    task: str
    calls: Counter[str] = field(default_factory=Counter)


def parts(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The results of a loop's items; else the result itself."""
    items = result.get("results")
    if isinstance(items, list) and "api_calls" not in result:
        yield from (item for item in items if isinstance(item, dict))
    else:
        yield result


def counts(result: dict[str, Any]) -> dict[str, int]:
    """What a result says of calls, where it says that in our way."""
    told = result.get("api_calls")
    if not isinstance(told, dict):
        return {}
    return {
        str(operation): count
        for operation, count in told.items()
        if isinstance(count, int) and not isinstance(count, bool) and count > 0
    }


def changes(calls: Counter[str]) -> int:
    """How many of the calls change something, or would have if AWS had let them."""
    return sum(n for operation, n in calls.items() if not READ_ONLY_OPERATION.match(operation.rpartition(":")[2]))


def summary(made: list[Made], hidden: int, by_task: bool) -> list[str]:
    """What is shown, as lines."""
    calls: Counter[str] = Counter()
    for each in made:
        calls.update(each.calls)
    total, changing = sum(calls.values()), changes(calls)
    some = f"{changing:,} of which change{'s' if changing == 1 else ''} something"
    lines = [f"{total:,} call{'' if total == 1 else 's'}, {some if changing else 'none of which changes anything'}"]
    lines += [f"{n:>7,}  {operation}" for operation, n in sorted(calls.items(), key=lambda one: (-one[1], one[0]))]
    if hidden:
        lines.append(f"not counted: {hidden:,} result{'' if hidden == 1 else 's'} that no_log hides")
    play = None
    for each in made if by_task else []:
        if each.play != play:
            play = each.play
            lines += ["", f"play: {play}"]
        told = ", ".join(f"{operation} {n:,}" for operation, n in sorted(each.calls.items()))
        lines.append(f"{sum(each.calls.values()):>7,}  {each.task}: {told}")
    return lines


class CallbackModule(CallbackBase):
    """Adds up the calls, and shows the sum when the run ends."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gitops.aws.api_calls"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made: dict[str, Made] = {}  # by the task's id, in the order in which they first made one
        self._play = ""
        self._hidden = 0
        self._jobs: set[tuple[str, str]] = set()  # host and id of tasks in the background whose calls are counted

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Notes the play's name."""
        self._play = play.get_name()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Counts."""
        self._count(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Counts."""
        self._count(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Counts. Nothing of it is hidden, as nothing was done but what it says."""
        self._count(result, skipped=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Counts: of a loop, some items may have been reached."""
        self._count(result)

    def v2_runner_retry(self, result: Any) -> None:
        """Counts a try that is followed by another. The last one comes as the task's result."""
        self._count(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Shows the sum."""
        stdout = str(constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK"))
        for_programs = stdout.rpartition(".")[2] in FOR_PROGRAMS
        if not for_programs:
            self._display.banner("CALLS TO AWS")
        for line in summary(list(self._made.values()), self._hidden, self._display.verbosity > 0):
            self._display.display(line, stderr=for_programs)

    def _count(self, result: Any, skipped: bool = False) -> None:
        task = result._task
        action = str(getattr(task, "resolved_action", None) or task.action)
        if not action.startswith(OURS) and action not in ASKS_FOR_RESULTS:
            return
        for part in parts(result._result):  # ansible-core has `result` since 2.19 only
            self._hidden += "censored" in part and not skipped
            calls = counts(part)
            if not calls or not self._first_told(result._host.get_name(), part):
                continue
            if task._uuid not in self._made:
                self._made[task._uuid] = Made(self._play, result.task_name)
            self._made[task._uuid].calls.update(calls)

    def _first_told(self, host: str, result: dict[str, Any]) -> bool:
        """Whether the result is not counted yet: that of a task in the background may be asked for again and again."""
        if "ansible_job_id" not in result:
            return True
        job = (host, str(result["ansible_job_id"]))
        if job in self._jobs:
            return False
        self._jobs.add(job)
        return True
