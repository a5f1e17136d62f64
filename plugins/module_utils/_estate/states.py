# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The stacks' states: where they are, who locks them, and where builds save those that they could not write."""

from __future__ import annotations

import base64
import json
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack

# The steps whose builds lock the state. The plan of a pull request does not.
LOCKING = ("plan", "apply", "destroy")

# What run.yml takes as imports at once: a pipeline's variable has an end, and holds them as JSON in base64.
MOST_IMPORTS = 1000


def rescued_at(foundation: Foundation, stack: Stack) -> list[dict[str, str]]:
    """Where the stack's builds save a state that they could not write, the first choice first."""
    return [
        {"bucket": foundation["state_bucket"], "key": f"{stack['state_key']}.errored"},
        *(
            {"bucket": foundation["artifact_bucket"], "key": f"{folder}/errored/{stack['name']}.tfstate"}
            for folder in names.artifact_folders(names.deploying_pipelines(foundation, stack))
        ),
    ]


def stack_states(stacks: list[Stack], foundation: Foundation) -> list[dict[str, Any]]:
    """What the modules for locks and states need to know of each stack."""
    return [
        {
            "stack": stack["name"],
            "state": {
                "key": stack["state_key"],
                "projects": [names.project(foundation, stack, step) for step in LOCKING],
            },
            "rescued_at": rescued_at(foundation, stack),
        }
        for stack in stacks
    ]


def import_batches(orphans: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What to adopt of what builds left behind, ids by address, in as many parts as run.yml needs runs."""
    batches: list[dict[str, str]] = []
    for made in orphans:
        if not made["importable"]:
            continue
        one = {made["address"]: made["id"]}
        if batches and _length({**batches[-1], **one}) <= MOST_IMPORTS:
            batches[-1].update(one)
        else:
            batches.append(one)
    return batches


def _length(imports: dict[str, str]) -> int:
    return len(base64.b64encode(json.dumps(imports).encode()))
