# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What AWS accepts as a name. Pure functions: they answer None, or what is wrong in words."""

from __future__ import annotations

import re
from typing import Any

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def bucket_name_problem(name: str) -> str | None:
    """S3's rules for names of general purpose buckets."""
    if not BUCKET.fullmatch(name) or ".." in name or re.fullmatch(r"[\d.]+", name):
        return (
            f"{name!r} is no valid bucket name: 3 to 63 characters of a-z, 0-9, hyphen and dot, "
            "beginning and ending with a letter or digit"
        )
    return None


def empty_problems(params: dict[str, Any], options: tuple[str, ...]) -> list[str]:
    """The options that are given and name nothing, each as `option: what is wrong`.

    Such as of `"{{ found | default('') }}"`: for an option that was left out they would do something else.
    """
    empty = [name for name in options if params[name] is not None and not params[name].strip()]
    return [f"{name}: it is empty. Fix: give what is meant, or leave the option out (omit)" for name in empty]


def pattern_problem(value: str, pattern: str, longest: int, allowed: str) -> str | None:
    """A name by a regular expression; `allowed` says it in words."""
    if len(value) > longest:
        return f"{value!r} has {len(value)} characters, at most {longest} are allowed"
    if not re.fullmatch(pattern, value):
        return f"{value!r} is not allowed: {allowed}"
    return None
