# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Lines that are shown while a task runs, between what Ansible shows of tasks."""

from __future__ import annotations

import re
from typing import Any

from ansible import constants
from ansible.utils.display import Display

from ansible_collections.gitops.aws.plugins.module_utils._findings.report import plain

display = Display()

# Callbacks that make one document of standard output, for a program. Our lines must not be in it.
FOR_PROGRAMS = ("json", "jsonl")

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def show(task: Any, line: str) -> None:
    """Displays a line, where the task may be shown at all; on standard error where the output is for a program.

    Much of it, as the log of a build, is what a commit has made it: nothing in it reaches the terminal as a command.
    """
    if task.no_log:
        return
    line = plain(_COLOUR.sub("", line).rstrip().expandtabs())
    callback = str(constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK"))
    if callback.rpartition(".")[2] in FOR_PROGRAMS:
        display.display(line, stderr=True)
    else:
        display.display(line)
