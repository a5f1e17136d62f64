# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the stacks' states are, and where builds save those that they could not write."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.gitops.aws.plugins.module_utils._estate.states import import_batches, stack_states

ROOT = Path(__file__).resolve().parents[5]
Make = Callable[..., dict[str, Any]]

STATE = "gitops-111122223333-eu-central-1-state"
ARTIFACTS = "gitops-111122223333-eu-central-1-artifacts"


def test_a_stack(foundation: Make, stack: Make) -> None:
    assert stack_states([stack()], foundation()) == [
        {
            "stack": "network",
            "state": {
                "key": "network/terraform.tfstate",
                "projects": ["gitops-network-plan", "gitops-network-apply", "gitops-network-destroy"],
            },
            "rescued_at": [
                {"bucket": STATE, "key": "network/terraform.tfstate.errored"},
                {"bucket": ARTIFACTS, "key": "gitops-network/errored/network.tfstate"},
                {"bucket": ARTIFACTS, "key": "gitops-network-destr/errored/network.tfstate"},
            ],
        }
    ]


def test_both_pipelines_of_a_long_name_share_a_folder(foundation: Make, stack: Make) -> None:
    (found,) = stack_states([stack(name="a-rather-long-name", state_key="other/key")], foundation())

    assert found["state"]["key"] == "other/key"
    assert found["rescued_at"] == [
        {"bucket": STATE, "key": "other/key.errored"},
        {"bucket": ARTIFACTS, "key": "gitops-a-rather-long/errored/a-rather-long-name.tfstate"},
    ]


def orphan(number: int, importable: bool = True) -> dict[str, Any]:
    return {"address": f'aws_subnet.private["zone {number}"]', "id": f"subnet-{number:017}", "importable": importable}


def test_what_is_left_behind_is_adopted_in_parts_that_run_yml_takes() -> None:
    orphans = [orphan(number) for number in range(40)]

    batches = import_batches(orphans)

    assert {address: one for batch in batches for address, one in batch.items()} == {
        made["address"]: made["id"] for made in orphans
    }
    lengths = [len(base64.b64encode(json.dumps(batch).encode())) for batch in batches]
    assert max(lengths) <= 1000
    assert min(lengths[:-1]) > 900
    tasks = yaml.safe_load((ROOT / "playbooks" / "run.yml").read_text(encoding="utf-8"))[0]["tasks"]
    assert "imports | to_json | b64encode | length <= 1000" in str(tasks)


def test_what_cannot_be_adopted_is_left_out() -> None:
    assert import_batches([orphan(1, importable=False)]) == []
    assert import_batches([]) == []
