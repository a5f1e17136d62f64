# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What AWS's rules are made of, for the rules of each kind: `path: what is wrong` each. Pure functions."""

from __future__ import annotations

from typing import Any, Iterable, Iterator

from ansible_collections.gitops.aws.plugins.module_utils._engine import as_text
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem

Form = tuple[str, int, str]  # a regular expression, the most characters, and in words what is allowed

TAGS = 50


def form_problems(path: str, value: Any, form: Form, *, required: bool = False) -> Iterator[str]:
    """A text that has a form; nothing is wrong with one that is not given and need not be."""
    if value in (None, ""):
        if required:
            yield f"{path}: must be given"
        return
    problem = pattern_problem(str(value), *form)
    if problem:
        yield f"{path}: {problem}"


def length_problems(path: str, value: Any, longest: int) -> Iterator[str]:
    """A text that may have any characters, but some, and so many."""
    if value == "":
        yield f"{path}: is empty, 1 to {longest} characters are allowed"
    elif value is not None and len(str(value)) > longest:
        yield f"{path}: has {len(str(value))} characters, at most {longest} are allowed"


def range_problems(path: str, value: Any, bounds: tuple[int, int]) -> Iterator[str]:
    """A number between two others."""
    if value is not None and not bounds[0] <= value <= bounds[1]:
        yield f"{path}: {value} is not between {bounds[0]} and {bounds[1]}"


def count_problems(path: str, elements: Any, most: int) -> Iterator[str]:
    """How many elements a list or a dictionary has."""
    if elements and len(elements) > most:
        yield f"{path}: has {len(elements)} elements, at most {most} are allowed"


def same_problems(named: Iterable[tuple[str, Any]], rule: str) -> Iterator[str]:
    """Names, each with its path, that must differ."""
    seen: dict[Any, str] = {}
    for path, name in named:
        if name in seen:
            yield f"{path}: {name!r} is also {seen[name]}; {rule}"
        elif name is not None:
            seen[name] = path


def tag_problems(tags: Any, longest_key: int, longest_value: int) -> Iterator[str]:
    """Tags, as a dictionary."""
    yield from count_problems("tags", tags, TAGS)
    for key, value in (tags or {}).items():
        path = f"tags.{key}"
        yield from length_problems(path, key, longest_key)
        if str(key).lower().startswith("aws:"):
            yield f"{path}: only AWS sets tags that begin with aws:"
        if len(as_text(value)) > longest_value:
            yield f"{path}: the value has {len(as_text(value))} characters, at most {longest_value} are allowed"


def numbered(path: str, elements: Any) -> Iterator[tuple[str, Any]]:
    """The elements of a list that may be absent, with their paths."""
    for index, element in enumerate(elements or []):
        yield f"{path}[{index}]", element


def listed(names: Iterable[Any]) -> str:
    """Names for a message."""
    return ", ".join(sorted(str(name) for name in names)) or "none"
