# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Reads the text of the reviewed file, and adds a baseline to it. On the controller only: modules need no PyYAML."""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any, Mapping

try:
    import yaml
except ImportError:
    pass  # Ansible on a controller needs it; modules do not read this file

from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue, entries

HEAD = """\
---
# What is kept outside the code, with who answers for it, why, and until when. See docs/drift.md of gitops.aws.
entries:
"""
NO_ENTRIES = re.compile(r"^entries:[ \t]*(\[[ \t]*\]|null|~)?[ \t]*$", re.MULTILINE)
FIRST_ENTRY = re.compile(r"^entries:.*\n(?:[ \t]*(?:#.*)?\n)*([ \t]*)- ", re.MULTILINE)


def reviewed_entries(text: str) -> list[Any]:
    """The entries in the text of the reviewed file, their days as texts. Raises ValueError where anything is wrong."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"the reviewed file is not YAML: {' '.join(str(error).split())}") from None
    found, problems = entries.of_file(document, catalogue.ALL)
    if problems:
        raise ValueError(f"the reviewed file is wrong: {'; '.join(problems)}")
    # A day without quotes is a date to YAML, and neither JSON nor a build knows dates.
    return [{**entry, "expires": str(entry["expires"])} for entry in found]


def with_baseline(text: str, result: Mapping[str, Any], owner: str, reason: str, expires: str) -> str:
    """The text of the reviewed file, with an entry for each finding that it does not have; what is there stays.

    Args:
        text: what the file has now; '' for a new one. YAML, or JSON.
        result: of unmanaged_resources_info.
        owner, reason, expires: of each new entry.

    Raises ValueError: an entry, old or new, is wrong, or the file is written in a way that cannot be added to.
    """
    there = reviewed_entries(text)
    try:
        # Ansible's texts know where they come from, and PyYAML does not know them.
        made = json.loads(json.dumps(entries.baseline(result, owner, reason, str(expires))))
    except entries.Wrong as wrong:
        raise ValueError(f"baseline: {wrong.problems[0].partition('.')[2]}") from None
    except (KeyError, TypeError):
        raise ValueError("result: it is not what gitops.aws.unmanaged_resources_info returns") from None
    new = [entry for entry in made if entry not in there]
    if not new:
        return text
    longer = _json(text, there + new) if text.lstrip().startswith("{") else _longer(text, new)
    if reviewed_entries(longer) != there + new:
        raise ValueError("the reviewed file cannot be added to. Fix: let the list `entries` be the last thing in it")
    return longer


def _json(text: str, whole: list[Any]) -> str:
    return json.dumps({**json.loads(text), "entries": whole}, indent=2, ensure_ascii=False) + "\n"


def _longer(text: str, new: list[Any]) -> str:
    written = yaml.safe_dump(new, sort_keys=False, allow_unicode=True, width=1000)
    if not text.strip():
        return HEAD + textwrap.indent(written, "  ")
    body = text if text.endswith("\n") else text + "\n"
    first = FIRST_ENTRY.search(body)
    if first:
        return body + textwrap.indent(written, first[1])
    if NO_ENTRIES.search(body):
        return NO_ENTRIES.sub("entries:", body, count=1) + textwrap.indent(written, "  ")
    return f"{body}entries:\n{textwrap.indent(written, '  ')}"
