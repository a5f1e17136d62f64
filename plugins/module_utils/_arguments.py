# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Arguments with their defaults, without what Ansible's check costs where there is nothing to find.

That is most of a second for a thousand roles or pipelines, of which each has hundreds of options.
"""

from __future__ import annotations

from typing import Any

# What may be said of an option that arguments are filled in for without Ansible's check; values that are what they are
# to be, by their types' names.
UNDERSTOOD = {"type", "elements", "choices", "required", "default", "options", "no_log", "aliases"}
AS_THEY_ARE: dict[str, type] = {"str": str, "int": int, "bool": bool, "dict": dict, "list": list}


def filled_in(spec: dict[str, Any], given: dict[str, Any]) -> dict[str, Any] | None:
    """What Ansible's check makes of arguments in which nothing is wrong or to be converted, several times as fast.

    Returns None where there is anything to say or to do that needs Ansible's check.
    """
    try:
        return _filled_in(spec, given)
    except _Doubt:
        return None


class _Doubt(Exception):
    """Something that Ansible's check must see to."""


def _filled_in(spec: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    if not given.keys() <= spec.keys():
        raise _Doubt  # an alias, or an option that there is not
    return {name: _of_option(option, given.get(name), name in given) for name, option in spec.items()}


def _of_option(option: dict[str, Any], value: Any, is_given: bool) -> Any:
    if value is None:
        wrong_as_null = is_given and ("choices" in option or option.get("default") is not None)
        if option.get("required") or wrong_as_null or not option.keys() <= UNDERSTOOD:
            raise _Doubt
        return option.get("default")
    if not option.keys() <= UNDERSTOOD:
        raise _Doubt
    kind = option.get("type", "str")
    if kind == "list" and value.__class__ is list:
        if "elements" not in option:
            return value
        if "choices" in option and not all(element in option["choices"] for element in value):
            raise _Doubt
        return [_of_type(option["elements"], option.get("options"), element) for element in value]
    if "choices" in option and value not in option["choices"]:
        raise _Doubt
    return _of_type(kind, option.get("options"), value)


def _of_type(kind: str, options: dict[str, Any] | None, value: Any) -> Any:
    exactly: Any = AS_THEY_ARE.get(kind)
    if value.__class__ is not exactly:  # a bool is an int, and Ansible's texts are more than texts
        raise _Doubt
    return value if options is None else _filled_in(options, value)
