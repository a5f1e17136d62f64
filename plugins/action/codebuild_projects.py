# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows how far a bulk module is while it runs; see plugin_utils/_bulk.py.

It serves all of them, as meta/runtime.yml says, and is called like the first: ansible-test wants a module of its name.
"""

from __future__ import annotations

from ansible_collections.gitops.aws.plugins.plugin_utils._bulk import Bulk


class ActionModule(Bulk):
    """Runs the module of the task, and shows how far it is."""
