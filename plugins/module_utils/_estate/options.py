# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What is wrong with one value of the user's input: keys that do not exist, types, and texts of another form."""

from __future__ import annotations

import difflib
import re
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.gitops.aws.plugins.module_utils._arguments import filled_in
from ansible_collections.gitops.aws.plugins.module_utils._estate.statements import Found

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
KEY_ARN = re.compile(r"arn:aws[\w-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+", re.ASCII)

# In words, for messages.
TYPES = {
    "bool": "true or false",
    "dict": "a dictionary",
    "int": "a whole number",
    "list": "a list",
    "path": "the path of a file",
    "str": "a text",
}


def known(value: dict[str, Any], options: dict[str, Any], path: str) -> Found:
    """Keys that do not exist, with the nearest that does."""
    found = []
    for key in value:
        if key not in options:
            near = difflib.get_close_matches(str(key), options, 1)
            hint = f"; did you mean {near[0]}?" if near else "."
            found.append(f"{path}.{key}: unknown key{hint} Allowed are: {', '.join(sorted(options))}")
    return found


def typed(value: Any, options: dict[str, Any], path: str) -> tuple[dict[str, Any], Found]:
    """The value with Ansible's types and defaults applied, and what does not fit."""
    if not isinstance(value, dict):
        return {}, [f"{path}: {value!r} must be a dictionary"]
    found = known(value, options, path)
    # A key without a value is the same as none, as in YAML's `branch:`.
    given = {key: value[key] for key in value if key in options and value[key] is not None}
    for key, option in options.items():
        if key in given:
            found += misfit(f"{path}.{key}", given[key], option)
        elif option.get("required"):
            found.append(f"{path}.{key}: must be given, {TYPES[option['type']]}")
    if found:
        return {}, found
    filled = filled_in(options, given)
    if filled is None:
        filled = ArgumentSpecValidator(options).validate(given).validated_parameters
    return filled, []


def misfit(path: str, value: Any, option: dict[str, Any]) -> Found:
    """One problem if the value has another type than the option, or is none of its choices."""
    kind, elements = option["type"], option.get("elements")
    choices = ", ".join(map(str, option.get("choices", [])))
    allowed = f"one of {choices}" if choices else TYPES[kind]
    if elements:
        allowed = f"a list of {choices or {'dict': 'dictionaries', 'str': 'texts'}[elements]}"
    # Ansible would make a text of anything.
    texts = [value] if kind in ("str", "path") else value if elements == "str" and isinstance(value, list) else []
    wrong = any(isinstance(text, (dict, list)) for text in texts)
    spec = {"it": {**option, "required": False}}
    if not wrong and filled_in(spec, {"it": value}) is None:
        wrong = bool(ArgumentSpecValidator(spec).validate({"it": value}).error_messages)
    if wrong:
        return [f"{path}: {value!r} is not allowed; allowed is {allowed}"]
    return []


def must_match(path: str, value: str | None, pattern: re.Pattern[str], allowed: str) -> Found:
    """One problem if the value is given and does not match."""
    if value is None or pattern.fullmatch(value):
        return []
    return [f"{path}: {value!r} is not allowed; allowed is {allowed}"]


def region_problems(path: str, region: str, regions: list[str]) -> Found:
    """A region that AWS does not have, with those that are called almost so."""
    if region in regions:
        return []
    near = difflib.get_close_matches(region, regions, 3)
    hint = f"; near it are {', '.join(near)}" if near else ""
    return [f"{path}: {region!r} is no AWS region{hint}. Allowed is a name like eu-central-1"]
