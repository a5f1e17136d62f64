# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References to variables, #{namespace.name}, in the configurations of actions and rules."""

from __future__ import annotations

import re

REFERENCE = re.compile(r"#\{([^{}]*)\}")
PREDEFINED = ("codepipeline", "variables")


class UnresolvedError(Exception):
    """A reference that no variable answers; its text without #{}."""


def references(text: str) -> list[tuple[str, str]]:
    """(namespace, name) of every reference in a text; the name is "" when there is no period."""
    return [(found.partition(".")[0], found.partition(".")[2]) for found in REFERENCE.findall(text)]


def resolve(text: str, namespaces: dict[str, dict[str, str]]) -> str:
    """The text with every reference replaced. Raises UnresolvedError for one that has no value."""

    def value(match: re.Match[str]) -> str:
        namespace, _, name = match.group(1).partition(".")
        try:
            return namespaces[namespace][name]
        except KeyError:
            raise UnresolvedError(match.group(1)) from None

    return REFERENCE.sub(value, text)
