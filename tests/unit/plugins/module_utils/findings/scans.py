# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of scans as tests want them, and types that are small."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Quarantine, Type

ACCOUNT = "123456789012"
NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


def _type(name: str, rank: int, **more: Any) -> Type:
    call = Call("describe")
    return Type(name, "ec2", list=call, read=call, id="Id", arn="Arn", rank=rank, **more)


REMOVE = (Call("delete"),)
STOP = Quarantine("stopped", do=(Call("stop"), Call("detach")), undo=(Call("start"),))
TYPES = {
    kind.name: kind
    for kind in (
        _type("aws_instance", 10, remove=REMOVE, quarantine=STOP),
        _type("aws_ebs_volume", 30, remove=REMOVE, copies=(Call("copy"),), recover="from its snapshot"),
        _type("aws_security_group", 40, remove=REMOVE),
        _type("aws_subnet", 60, remove=REMOVE),
        _type("aws_vpc", 80, remove=REMOVE),
        _type("aws_kms_key", 95),
    )
}

PART = "it is a part of i-1, and goes with it"
CREATOR = {"principal": f"arn:aws:iam::{ACCOUNT}:user/alice", "type": "IAMUser", "time": "2026-11-20T10:00:00Z"}


def arn(kind: str, name: str) -> str:
    return f"arn:aws:ec2:eu-central-1:{ACCOUNT}:{kind.removeprefix('aws_')}/{name}"


def resource(kind: str, name: str, *refs: str, **more: Any) -> dict[str, Any]:
    """A resource of a scan's result, unmanaged where nothing else is said."""
    found: dict[str, Any] = {
        "arn": arn(kind, name),
        "type": kind,
        "id": name,
        "import_id": name,
        "region": "eu-central-1",
        "name": name,
        "verdict": "unmanaged",
        "reason": "no state has it",
        "evidence": "",
        "created": "2026-11-20T10:00:00Z",
        "first_seen": "",
        "age_hours": 138,
        "tags": {},
        "refs": list(refs),
        "used_by": [],
        "part_of": "",
        "part_of_type": "",
        "removable": kind != "aws_kms_key",
        "quarantine": "",
        "guarded": "",
        "creator": CREATOR,
        "creator_asked": False,
        "recover": "",
    }
    assert set(more) <= set(found)
    return found | more


def scan(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A scan's result: of each type so many are seen that a single one is less than a tenth."""
    kinds = sorted({each["type"] for each in resources})
    return {
        "account_id": ACCOUNT,
        "partition": "aws",
        "regions": ["eu-central-1"],
        "time": "2026-11-26T04:00:00Z",
        "scope": {"account": True},
        "complete": True,
        "problems": [],
        "resources": list(resources),
        "ghosts": [],
        "counts": {},
        "coverage": [
            {"type": kind, "region": "eu-central-1", "status": "complete", "seen": 20, "removable": True}
            for kind in kinds
        ],
        "breadth": [],
        "states": [{"key": "network/terraform.tfstate", "lineage": "l", "serial": 3, "etag": '"e"', "managed": 2}],
        **more,
    }


def entry(name: str, kind: str = "aws_instance", **more: Any) -> dict[str, Any]:
    """A quarantine in the ledger, complete and over."""
    return {
        "type": kind,
        "id": name,
        "region": "eu-central-1",
        "since": "2026-11-21T04:00:00Z",
        "until": "2026-11-25T04:00:00Z",
        "plan": "d",
        "kept": {},
        "steps_done": 2,
        "words": "stopped",
        **more,
    }
