# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of any content: for what fuzzes, and for the tests in the small size."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._findings.states import States
from ansible_collections.gitops.aws.plugins.module_utils._terraform_state import (
    Unreadable,
    instance_ids,
    outputs,
    parse,
    same_but_serial,
    with_serial,
)
from local_aws.codebuild import buildspec

# All that is ever said of a content that is no state. None has anything of it.
WORDS = (
    "it is not JSON",
    "it is not a Terraform state of format version 4",
    "it lacks what a Terraform state of format version 4 has",
)
SERIAL = 4711


def state(content: bytes) -> bool:
    """Whether all readers take the content for a state; fails where one breaks, or they do not agree."""
    scanned = States()
    scanned.add("network/terraform.tfstate", content)
    assert len(scanned.files) + len(scanned.problems) == 1
    if _refuses(parse, content):
        assert all(_refuses(reader, content) for reader in (outputs, instance_ids))
        return False
    parsed = parse(content)
    shown, hidden = outputs(content)
    assert shown == parsed["outputs"] or shown.items() != shown.items()  # NaN is not itself
    assert not shown.keys() & hidden.keys()
    assert {name.removesuffix(" (deposed)") for name in parsed["resources"]} == set(instance_ids(content))
    after = with_serial(content, SERIAL)
    assert parse(after)["serial"] == SERIAL
    assert same_but_serial(content, after)
    return True


def _refuses(reader: Callable[[bytes], Any], content: bytes) -> bool:
    """Whether a reader of states refuses the content; fails where it says anything of it."""
    try:
        reader(content)
    except Unreadable as error:
        if str(error) not in WORDS:
            raise
        return True
    return False


def buildspec_of(text: str) -> bool:
    """Whether the text is a buildspec; fails where the parser breaks, or gives something of another type."""
    buildspec.is_inline(text)
    try:
        parsed = buildspec.parse(text)
    except buildspec.BuildspecError as error:
        if not error.code or not str(error):
            raise
        return False
    except Exception as error:
        raise AssertionError(f"no words, but {error!r}") from error
    assert parsed.phases
    assert set(parsed.phases) <= set(buildspec.PHASES)
    commands = [line for phase in parsed.phases.values() for line in (*phase.commands, *phase.finally_commands)]
    values = [*commands, *parsed.variables.items(), *parsed.parameter_store.items(), *parsed.exported_variables]
    json.dumps(values, ensure_ascii=False)
    assert all(isinstance(line, str) for line in commands)
    assert all(isinstance(value, str) for value in parsed.variables.values())
    return True
