# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Long texts that many things say alike: a thousand stacks have the same in three thousand buildspecs."""

from __future__ import annotations

import json
import secrets
from typing import Any

LONG = 1000  # characters, from which a text is held apart

# A text that is packed begins so. Before 2.19, ansible-core makes data of what a template gives and looks like it.
PACKED = "packed "


class Texts:
    """Long texts of a value, each once, with a word for each: one that is nothing else in this run."""

    def __init__(self) -> None:
        self._word = secrets.token_hex(16)
        self._words: dict[str, str] = {}
        self.by_word: dict[str, str] = {}

    def taken_out(self, value: Any) -> Any:
        """The value with words in the place of its long texts."""
        if isinstance(value, dict):
            return {name: self.taken_out(element) for name, element in value.items()}
        if isinstance(value, list):
            return [self.taken_out(element) for element in value]
        if not isinstance(value, str) or len(value) < LONG:
            return value
        text = str.__str__(value)  # without what Ansible knows of where it is from
        word = self._words.setdefault(text, f"{self._word} {len(self._words)}")
        self.by_word[word] = text
        return word

    def put_back(self, value: Any) -> Any:
        """The value with the texts again."""
        if not self.by_word:
            return value
        if isinstance(value, dict):
            return {name: self.put_back(element) for name, element in value.items()}
        if isinstance(value, list):
            return [self.put_back(element) for element in value]
        return self.by_word.get(value, value) if isinstance(value, str) else value


def packed(items: list[Any]) -> str:
    """A list as one text, which Ansible does not look through element by element."""
    texts = Texts()
    return PACKED + json.dumps({"items": texts.taken_out(items), "texts": texts.by_word})


def unpacked(text: str) -> list[Any]:
    """What was packed. Raises ValueError where that is not it."""
    try:
        content = json.loads(text[len(PACKED) :] if text.startswith(PACKED) else "")
        items, texts = content["items"], Texts()
        texts.by_word = dict(content["texts"])
    except (KeyError, TypeError, ValueError):
        raise ValueError("it is a text, but none that a filter with packed=true gives") from None
    if not isinstance(items, list):
        raise ValueError("it is no list")
    found: list[Any] = texts.put_back(items)
    return found
