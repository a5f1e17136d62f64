# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packs the collections, which only the controller has, for the module of the same name."""

from __future__ import annotations

import importlib
import os
import tempfile
from typing import Any

from ansible import constants

from ansible_collections.gitops.aws.plugins.module_utils._drift_source import contents, packed
from ansible_collections.gitops.aws.plugins.plugin_utils._in_process import InProcess


def folder_of(collection: str) -> str:
    """Where a collection is on the controller."""
    return str(next(iter(importlib.import_module(f"ansible_collections.{collection}").__path__)))


class ActionModule(InProcess):
    """Runs gitops.aws.drift_source with the zip."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the task; the result is the module's."""
        super().run(tmp, task_vars)
        args = dict(self._task.args)
        settings = args.get("settings")
        files = contents(
            folder_of("gitops.aws"), folder_of("amazon.aws"), settings if isinstance(settings, dict) else {}
        )
        with tempfile.NamedTemporaryFile(dir=constants.DEFAULT_LOCAL_TMP, suffix=".zip", delete=False) as file:
            file.write(packed(files))
        try:
            there = self._connection._shell.join_path(self._make_tmp_path(), "source.zip")
            self._transfer_file(file.name, there)
            self._fixup_perms2((self._connection._shell.tmpdir, there))
            return dict(
                self._execute_module(
                    module_name="gitops.aws.drift_source",
                    module_args={**args, "src": there},
                    task_vars=task_vars,
                )
            )
        finally:
            os.unlink(file.name)
            self._remove_tmp_path(self._connection._shell.tmpdir)
