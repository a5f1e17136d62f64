# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module in Ansible's own process where that comes to the same; see plugin_utils/_in_process.py.

It serves all that have nothing to show while they run, as meta/runtime.yml says, and is called like one of them.
"""

from __future__ import annotations

from ansible.plugins.action.normal import ActionModule as NormalAction

from ansible_collections.gitops.aws.plugins.plugin_utils._in_process import InProcess


class ActionModule(InProcess, NormalAction):
    """Runs the module of the task."""
