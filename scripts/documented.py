# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the collection has a page: its plugins and roles, as ansible-doc knows them."""

from __future__ import annotations

from git_files import ROOT

# Folders of plugins that ansible-doc shows nothing of.
UNSEEN = {"action", "doc_fragments", "module_utils", "plugin_utils"}


def documented() -> dict[str, list[str]]:
    """The names of all plugins and roles, by the type that ansible-doc calls them by."""
    found = {"role": sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())}
    for folder in sorted((ROOT / "plugins").iterdir()):
        if folder.name not in UNSEEN:
            # A file of filters or tests has several, each documented in a file of its own.
            files = folder.glob("*.yml" if folder.name in {"filter", "test"} else "*.py")
            names = sorted({path.stem for path in files} - {"__init__"})
            found[{"modules": "module"}.get(folder.name, folder.name)] = names
    return {kind: names for kind, names in found.items() if names}
