# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What has changed of the resources that Terraform manages, by the drift.json of a stack's drift pipeline.

Paths are those of attributes: ingress[0].description, tags.LastScan, tags["kubernetes.io/name"]. What is to be ignored
is written <address>:<path>, with * and ? as wildcards in both: aws_instance.*:tags.LastScan, *:tags_all,
module.a.*:ingress[*].description. A path means all that is below it, too. A resource that is gone is reported whatever
is ignored.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any, Iterator

VERSION = 1
CHANGED, GHOST = "changed", "ghost"

_PLAIN_KEY = re.compile(r"[^\s.\[\]\"]+")
# The colon that ends an address is the first that is not in the key of an instance, ["a:b"].
_PATTERN = re.compile(r"(?P<address>(?:[^\s:\[\]]|\[[^\[\]]*\])+):(?P<path>\S.*)")


def parse(text: str | bytes) -> dict[str, Any]:
    """The report that a build has made.

    Raises:
        ValueError: it is none, or of a version that this code does not know.
    """
    try:
        report = json.loads(text)
    except ValueError:
        raise ValueError("drift.json is not JSON") from None
    if not isinstance(report, dict) or report.get("version") != VERSION:
        raise ValueError(f"drift.json is not of version {VERSION}: the stack's build project is of another release")
    texts = all(isinstance(report.get(key), str) for key in ("stack", "state_key", "commit", "time"))
    if not texts or not isinstance(report.get("drift"), list) or not all(map(_is_resource, report["drift"])):
        raise ValueError("drift.json is not complete")
    made_at(report)
    return report


def _is_resource(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(key), str) for key in ("address", "type"))
        and isinstance(value.get("actions"), list)
        and isinstance(value.get("attributes"), list)
        and all(
            isinstance(each, dict) and isinstance(each.get("name"), str) and isinstance(each.get("sensitive"), bool)
            for each in value["attributes"]
        )
    )


def made_at(report: dict[str, Any]) -> datetime:
    """When AWS was compared with the state. Raises ValueError where the report does not say so."""
    try:
        return datetime.strptime(report["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise ValueError(f"the time in drift.json is {report['time']!r}") from None


def pattern_problems(patterns: list[str]) -> list[str]:
    """What is wrong with patterns of what is to be ignored."""
    return [
        f"{pattern!r} is not allowed; allowed is an address and a path such as aws_instance.*:tags.LastScan"
        for pattern in patterns
        if not _PATTERN.fullmatch(pattern)
    ]


def changes(report: dict[str, Any], patterns: list[str]) -> list[dict[str, Any]]:
    """The resources that differ from what the state has, those of which all is ignored, too.

    Args:
        report: as parse returns it.
        patterns: of what is to be ignored, without problems.

    Returns:
        of each resource stack, address, type, id, action (changed or ghost), attributes (path, before, after, and
        sensitive: then both are None) and ignored, the paths that patterns meet. Of one that all of which is ignored,
        attributes is empty. What differs only in how nothing is said is left out.
    """
    found = []
    for each in report["drift"]:
        gone = each["actions"] == ["delete"]
        differing = [] if gone else [one for attribute in each["attributes"] for one in _of_attribute(attribute)]
        matchers = [matcher for matcher in map(_matcher, patterns) if matcher[0].fullmatch(each["address"])]
        ignored = [one["path"] for one in differing if any(path.match(one["path"]) for _address, path in matchers)]
        if gone or differing:
            found.append(
                {
                    "stack": report["stack"],
                    "address": each["address"],
                    "type": each["type"],
                    "id": each.get("id") or "",
                    "action": GHOST if gone else CHANGED,
                    "attributes": [one for one in differing if one["path"] not in ignored],
                    "ignored": ignored,
                }
            )
    return found


def is_ignored(change: dict[str, Any]) -> bool:
    """Whether nothing is left of a change."""
    return change["action"] == CHANGED and not change["attributes"]


def _matcher(pattern: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    found = _PATTERN.fullmatch(pattern)
    if not found:
        raise ValueError(pattern_problems([pattern])[0])
    address, path = (
        re.sub(r"\\([*?])", lambda wild: ".*" if wild[1] == "*" else ".", re.escape(found[part]))
        for part in ("address", "path")
    )
    return re.compile(address, re.DOTALL), re.compile(f"(?:{path})(?=$|[.\\[])", re.DOTALL)


def _of_attribute(attribute: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if attribute["sensitive"]:
        yield {"path": attribute["name"], "before": None, "after": None, "sensitive": True}
        return
    for path, before, after in differences(attribute.get("before"), attribute.get("after"), attribute["name"]):
        yield {"path": path, "before": before, "after": after, "sensitive": False}


def differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two values differ, at the deepest paths that tell it: path, before and after, None for what is not there.

    Documents in JSON, such as policies, are compared as what they say. Of lists, which may be sets, the elements that
    both have are left out, and the others are compared in their order.
    """
    if _equal(before, after) or (_is_nothing(before) and _is_nothing(after)):
        return
    old, new = _document(before), _document(after)
    if old is not None and new is not None:
        yield from differences(old, new, path)
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            step = f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{json.dumps(key, ensure_ascii=False)}]"
            yield from differences(before.get(key), after.get(key), path + step)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, path)
    else:
        yield path, before, after


def _of_lists(before: list[Any], after: list[Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    old, new = dict(enumerate(before)), dict(enumerate(after))
    for index, value in enumerate(before):
        same = next((other for other in new if _equal(value, new[other])), None)
        if same is not None:
            del old[index], new[same]
    if not old and not new:
        yield path, before, after  # in another order
        return
    pairs = list(zip(old, new))
    for index, other in pairs:
        yield from differences(old[index], new[other], f"{path}[{index}]")
    for index in list(old)[len(pairs) :]:
        yield f"{path}[{index}]", old[index], None
    for index in list(new)[len(pairs) :]:
        yield f"{path}[{index}]", None, new[index]


def _equal(one: Any, other: Any) -> bool:
    """As in JSON: true is not 1, as it is in Python."""
    return bool(one == other) and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, (str, list, dict)) and not value)


def _document(value: Any) -> Any:
    """The object or list that a text holds as JSON, else None."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(value)
    except ValueError:
        return None
