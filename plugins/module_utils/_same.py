# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""When settings that are spelled differently are the same.

What AWS keeps as it was said must not be rewritten: others, such as Terraform, would see a change.
"""

from __future__ import annotations

import json
from typing import Any


def unordered(value: Any) -> Any:
    """The value with every list in it sorted, for lists that mean sets."""
    if isinstance(value, dict):
        return {name: unordered(element) for name, element in value.items()}
    if isinstance(value, list):
        return sorted((unordered(element) for element in value), key=lambda each: json.dumps(each, sort_keys=True))
    return value


def same_sets(before: Any, after: Any) -> bool:
    """Whether two values differ in nothing but the order of lists."""
    return bool(unordered(before) == unordered(after))
