# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks things up as a template in a play does, in one process for many: a line of JSON for each, in and out.

In: terms, options, and variables as a vars file brings them. Out: found or error. pytest has loaded the collection in a
way of its own, with which Ansible finds no lookup in it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar

QUERY = "{{ query('gitops.aws.stack_outputs', *terms, **options) }}"


def trusted(text: str) -> str:
    """The text as a template; until ansible-core 2.18 every text is one that is not marked."""
    try:
        from ansible.template import trust_as_template
    except ImportError:
        return text
    marked: str = trust_as_template(text)
    return marked


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What a lookup gives."""
    given = asked["variables"].items()
    variables = {name: trusted(value) if isinstance(value, str) else value for name, value in given}
    variables |= {name: asked[name] for name in ("terms", "options")}
    try:
        return {"found": Templar(loader=DataLoader(), variables=variables).template(trusted(QUERY))}
    except AnsibleError as error:
        return {"error": str(error)}


if __name__ == "__main__":
    init_plugin_loader()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
