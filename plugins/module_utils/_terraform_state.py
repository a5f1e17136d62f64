# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Reading Terraform's state files, format version 4. Pure: bytes in, plain data out."""

from __future__ import annotations

import json
from typing import Any


class Unreadable(ValueError):
    """The bytes are no state that this code understands. The message holds nothing of the content."""


def parse(content: bytes) -> dict[str, Any]:
    """What a state says about itself.

    Returns:
        serial, lineage, terraform_version; resources: addresses of all managed instances (data sources left out);
        outputs: those that are not sensitive.

    Raises:
        Unreadable: no JSON, or not version 4. States hold secrets: the message says where, never what.
    """
    try:
        state = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable("it is not JSON") from None
    if not isinstance(state, dict) or state.get("version") != 4:
        raise Unreadable("it is not a Terraform state of format version 4")
    try:
        resources = [
            _address(resource, instance)
            for resource in state.get("resources") or []
            if resource["mode"] == "managed"
            for instance in resource["instances"]
        ]
        outputs = {
            name: output["value"]
            for name, output in (state.get("outputs") or {}).items()
            if not output.get("sensitive")
        }
        return {
            "serial": state["serial"],
            "lineage": state["lineage"],
            "terraform_version": state.get("terraform_version", ""),
            "resources": resources,
            "outputs": outputs,
        }
    except (KeyError, TypeError, AttributeError):
        raise Unreadable("it lacks what a Terraform state of format version 4 has") from None


def _address(resource: dict[str, Any], instance: dict[str, Any]) -> str:
    """The address as Terraform writes it: module.a.aws_subnet.private[0]."""
    prefix = f"{resource['module']}." if resource.get("module") else ""
    address = f"{prefix}{resource['type']}.{resource['name']}"
    if "index_key" in instance:
        address += f"[{json.dumps(instance['index_key'], ensure_ascii=False)}]"
    return address + (" (deposed)" if instance.get("deposed") else "")
