# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Reading Terraform's state files, format version 4. Pure: bytes in, plain data out."""

from __future__ import annotations

import json
import re
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")


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
            address(resource, instance)
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


def address(resource: dict[str, Any], instance: dict[str, Any]) -> str:
    """The address as Terraform writes it: module.a.aws_subnet.private[0]."""
    prefix = f"{resource['module']}." if resource.get("module") else ""
    address = f"{prefix}{resource['type']}.{resource['name']}"
    if "index_key" in instance:
        address += f"[{json.dumps(instance['index_key'], ensure_ascii=False)}]"
    return address + (" (deposed)" if instance.get("deposed") else "")


def outputs(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The outputs by name: those that anybody may see, and the sensitive ones. Raises Unreadable, as parse()."""
    shown = parse(content)["outputs"]
    everything = json.loads(content).get("outputs") or {}
    return shown, {name: output.get("value") for name, output in everything.items() if name not in shown}


def instance_ids(content: bytes) -> dict[str, set[str]]:
    """The ids of what a state manages, by address; '' stands for one without an id. Raises Unreadable, as parse()."""
    parse(content)
    found: dict[str, set[str]] = {}
    for resource in json.loads(content).get("resources") or []:
        if resource["mode"] != "managed":
            continue
        for instance in resource["instances"]:
            # One that waits for its end belongs to the same address.
            name = address(resource, {**instance, "deposed": None})
            attributes = instance.get("attributes")
            one = attributes.get("id") if isinstance(attributes, dict) else None
            found.setdefault(name, set()).add(one if isinstance(one, str) else "")
    return found


def with_serial(content: bytes, serial: int) -> bytes:
    """The state with another serial, and every other character as it was."""
    text = _text(content)
    decoder = json.JSONDecoder()
    spans = []
    at = _after_space(text, 0) + 1
    while text[(at := _after_space(text, at))] != "}":
        name, at = decoder.raw_decode(text, at)
        begin = _after_space(text, _after_space(text, at) + 1)
        _value, end = decoder.raw_decode(text, begin)
        if name == "serial":
            spans.append((begin, end))
        at = _after_space(text, end)
        at += text[at] == ","
    for begin, end in reversed(spans):
        text = text[:begin] + str(serial) + text[end:]
    return text.encode("utf-8", "surrogatepass")


def same_but_serial(one: bytes, other: bytes) -> bool:
    """Whether two states say the same, whatever their serials are."""
    return _exact(one) == _exact(other)


def _exact(content: bytes) -> Any:
    """A state without its serial, its numbers as they are written: as floats, some that differ would be equal."""
    state = json.loads(_text(content), parse_int=_number, parse_float=_number, parse_constant=_number)
    return {name: value for name, value in state.items() if name != "serial"}


def _number(digits: str) -> tuple[str]:
    return (digits,)


def _text(content: bytes) -> str:
    return content.decode(json.detect_encoding(content), "surrogatepass")


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
