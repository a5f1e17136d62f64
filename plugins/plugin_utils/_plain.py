# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Plain Python data from what Ansible hands to plugins, without its templating each element of it by itself.

A container that Ansible hands over renders each element when it is asked for, in about ten microseconds, whether there
is anything to render or not, and anew for each use: a thousand stacks take a second, thirty times in a run.
"""

from __future__ import annotations

from typing import Any

try:
    from ansible._internal._datatag._tags import TrustedAsTemplate
    from ansible._internal._templating._lazy_containers import (
        _AnsibleLazyTemplateDict,
        _AnsibleLazyTemplateList,
        _LazyValue,
    )

    LAZY: tuple[type, ...] = (_AnsibleLazyTemplateDict, _AnsibleLazyTemplateList)
except ImportError:  # ansible-core 2.18 and older have rendered everything before, and later ones may do otherwise
    LAZY = ()

SCALARS = (str, int, float, bool, type(None))

# Of long lists, such as the stacks, what was made of the same elements before: a task asks for them again and again.
# The elements are held, too, so that an identity stays that of one of them. What is made is shared: no filter changes
# what it is given.
LONG, KEPT = 20, 8
_before: dict[tuple[int, ...], tuple[list[Any], list[Any]]] = {}


class _ToBeRendered(Exception):
    """There is something that only Ansible can make plain."""


def plain(value: Any) -> Any:
    """The value with Ansible's containers made plain ones, everything in it rendered."""
    if isinstance(value, LAZY):
        try:
            return _as_it_is(value)
        except _ToBeRendered:
            pass
    if isinstance(value, dict):
        return {name: plain(element) for name, element in value.items()}
    if isinstance(value, list):
        return [plain(element) for element in value]
    return value


def _as_it_is(value: Any) -> Any:
    """The value, of which nothing is rendered. Raises _ToBeRendered where something would have to be."""
    if isinstance(value, _LazyValue):
        value = value.value
    # The containers' own methods would render.
    if isinstance(value, dict):
        return {name: _as_it_is(element) for name, element in dict.items(value)}
    if isinstance(value, list):
        return _list_as_it_is(list(list.__iter__(value)))
    if not isinstance(value, SCALARS):
        raise _ToBeRendered
    # A text that begins like that is a template with delimiters of its own.
    if (
        isinstance(value, str)
        and ("{" in value or value.startswith("#jinja2:"))
        and TrustedAsTemplate.is_tagged_on(value)
    ):
        raise _ToBeRendered
    return value


def _list_as_it_is(elements: list[Any]) -> list[Any]:
    elements = [element.value if isinstance(element, _LazyValue) else element for element in elements]
    if len(elements) < LONG:
        return [_as_it_is(element) for element in elements]
    known = tuple(map(id, elements))
    if known not in _before:
        while len(_before) >= KEPT:
            del _before[next(iter(_before))]
        _before[known] = elements, [_as_it_is(element) for element in elements]
    return list(_before[known][1])
