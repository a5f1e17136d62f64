# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of modules that write files share."""

from __future__ import annotations

import pytest


@pytest.fixture
def no_temporary_files_beside(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a module writes first are in none of the directories that a test looks into."""
    monkeypatch.setenv("ANSIBLE_REMOTE_TMP", str(tmp_path_factory.mktemp("ansible")))
