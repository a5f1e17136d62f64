# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What is wrong between stacks, each of which is right in itself: what they share, and in which order they come."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate.names import ARTIFACT_FOLDER
from ansible_collections.gitops.aws.plugins.module_utils._estate.statements import Found


def path_of(index: int, stack: Any) -> str:
    """Where a stack stands in the input, with its name to find it by."""
    name = stack.get("name") if isinstance(stack, dict) else None
    return f"stacks[{index}]" + (f" ({name})" if name else "")


def check_folders(stacks: list[dict[str, Any]], prefix: str) -> Found:
    """Stacks whose pipelines would share a folder in the artifact bucket, and so each other's plans."""
    found = []
    owners: dict[str, str] = {f"{prefix}-drift"[:ARTIFACT_FOLDER]: "drift"}
    for index, stack in enumerate(stacks):
        name = stack.get("name")
        if not name:
            continue  # it is wrong in itself, and was reported
        for pipeline in (f"{prefix}-{name}", f"{prefix}-{name}-destroy", f"{prefix}-{name}-drift"):
            owner = owners.setdefault(pipeline[:ARTIFACT_FOLDER], name)
            if owner != name:
                left = ARTIFACT_FOLDER - len(prefix) - 1
                allowed = (
                    f"Allowed are names that differ in their first {left} characters; a shorter settings.name "
                    "leaves more"
                    if left > 0
                    else f"Fix: a settings.name of at most {ARTIFACT_FOLDER - 2} characters; {prefix!r} leaves none"
                )
                found.append(
                    f"{path_of(index, stack)}.name: {name!r} and {owner!r} begin alike: CodePipeline keeps artifacts "
                    f"under the first {ARTIFACT_FOLDER} characters of a pipeline's name ({pipeline[:ARTIFACT_FOLDER]}),"
                    f" and they must not share them. {allowed}"
                )
                break
    return found


def check_shared(stacks: list[dict[str, Any]]) -> Found:
    """Names and states that two stacks share."""
    found = []
    names: dict[str, int] = {}
    keys: dict[str, str] = {}
    for index, stack in enumerate(stacks):
        path, name, key = path_of(index, stack), stack.get("name"), stack.get("state_key")
        if not name or not key:
            continue  # it is wrong in itself, and was reported
        if name in names:
            found.append(f"{path}.name: {name!r} is also the name of stacks[{names[name]}]; names must differ")
        elif key in keys:
            found.append(
                f"{path}.state_key: {key!r} is also the state of stack {keys[key]}; two stacks must not share a state"
            )
        names.setdefault(name, index)
        keys.setdefault(key, name)
    for name, index in names.items():
        if name.endswith("-destroy") and name[: -len("-destroy")] in names:
            found.append(
                f"{path_of(index, stacks[index])}.name: {name!r} is not allowed beside the stack "
                f"{name[: -len('-destroy')]!r}, whose second pipeline has this name"
            )
    return found


def check_order(stacks: list[dict[str, Any]]) -> Found:
    """Stacks that come after others which are not there, are in another repository, or come after them."""
    found = []
    known = {stack.get("name"): stack for stack in stacks}
    for index, stack in enumerate(stacks):
        path = f"{path_of(index, stack)}.after"
        for name in stack.get("after", []):
            other = known.get(name)
            if other is None:
                found.append(
                    f"{path}: there is no stack {name!r}. Allowed are: {', '.join(sorted(filter(None, known)))}"
                )
            elif any(stack.get(key) != other.get(key) for key in ("source", "repository", "branch")):
                found.append(
                    f"{path}: {name!r} is of another repository or branch, so that no commit says which of the two "
                    "comes first; allowed are stacks of the same"
                )
        circle = _circle(stack.get("name"), known)
        if circle:
            found.append(f"{path}: {' comes after '.join(circle)}, which is a circle")
    return found


def _circle(start: Any, known: dict[Any, dict[str, Any]]) -> list[str]:
    """The names on a way from a stack to itself along `after`; empty if there is none."""
    ways = [[start]]
    seen = set()
    while ways:
        way = ways.pop()
        for name in known.get(way[-1], {}).get("after", []):
            if name == start:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
