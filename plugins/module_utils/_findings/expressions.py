# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What the texts of a Type mean: JMESPath on an element, words in the parameters of a call. Pure."""

from __future__ import annotations

import functools
import re
from datetime import datetime, timezone
from typing import Any

try:
    import jmespath
except ImportError:
    pass  # botocore needs it, and AnsibleAWSModule reports that botocore is missing

WORD = re.compile(r"\{(id|leaf|stem|arn|name|region|account|partition|stamp|each|kept\.\w+)\}")
_MILLISECONDS = 10**11  # epoch numbers above it are in milliseconds: as seconds they would be in the year 5138


@functools.lru_cache(maxsize=None)
def compiled(expression: str) -> Any:
    """The expression, parsed once: a function of an element."""
    parsed = jmespath.compile(expression)
    if re.fullmatch(r"[A-Za-z]\w*", expression):  # most are no more than a name, and there are many resources
        return lambda element: element.get(expression) if isinstance(element, dict) else None
    return parsed.search


def value(expression: str, element: Any) -> Any:
    """What the expression finds; None for the expression ''."""
    return compiled(expression)(element) if expression else None


def texts(expression: str, element: Any) -> list[str]:
    """The texts that the expression finds, be it one, a list or none."""
    found = value(expression, element)
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, str) and one]


def first_reason(reasons: dict[str, str], element: Any) -> tuple[str, str]:
    """The first reason whose expression is true, with that expression; ("", "") where none is."""
    for reason, expression in reasons.items():
        if value(expression, element):
            return reason, expression
    return "", ""


def filled(template: Any, words: dict[str, Any]) -> Any:
    """The template with words replaced, wherever they stand in it.

    A text that is one word becomes that value, of whatever type. `words` has id, arn and so on, and `kept`, a
    dictionary.
    """
    if isinstance(template, dict):
        return {key: filled(element, words) for key, element in template.items()}
    if isinstance(template, list):
        return [filled(element, words) for element in template]
    if not isinstance(template, str):
        return template
    alone = WORD.fullmatch(template)
    if alone:
        return _word(alone[1], words)
    return WORD.sub(lambda match: str(_word(match[1], words)), template)


def _word(name: str, words: dict[str, Any]) -> Any:
    if name == "leaf":
        return words["id"].rpartition("/")[2]
    if name == "stem":
        return words["id"].rpartition("/")[0] or "default"
    return words["kept"][name[5:]] if name.startswith("kept.") else words[name]


def tags(found: Any) -> dict[str, str]:
    """Tags as a dictionary. AWS writes [{Key, Value}], [{key, value}], [{TagKey, TagValue}] or a dictionary."""
    if isinstance(found, dict):
        return {str(key): str(element) for key, element in found.items()}
    result = {}
    for tag in found or []:
        for key, text in (("Key", "Value"), ("key", "value"), ("TagKey", "TagValue")):
            if key in tag:
                result[str(tag[key])] = str(tag.get(text, ""))
    return result


def moment(found: Any) -> datetime | None:
    """A time as AWS writes it: a datetime, seconds or milliseconds since 1970, also as a text, or ISO 8601."""
    if isinstance(found, str):
        try:
            found = float(found)
        except ValueError:
            try:
                found = datetime.fromisoformat(found.replace("Z", "+00:00"))
            except ValueError:
                return None
    if isinstance(found, (int, float)):
        return datetime.fromtimestamp(found / 1000 if found > _MILLISECONDS else found, timezone.utc)
    if isinstance(found, datetime):
        return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
    return None


def written(time: datetime | None) -> str:
    """A time in ISO 8601, to the second, in UTC; '' for none."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""
