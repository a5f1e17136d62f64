# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Input that Ansible lets through, for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils._engine import Settings

Values = st.SearchStrategy[Any]


def items(options: Settings, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Settings]:
    """Dictionaries of options, any of which may be null; `texts` are what their texts are."""
    return st.fixed_dictionaries({name: st.none() | values(option, texts) for name, option in options.items()})


def values(option: Settings, texts: st.SearchStrategy[str]) -> Values:
    """What Ansible lets through for an option, None aside."""
    if option["type"] == "list":
        return st.lists(values({**option, "type": option["elements"]}, texts), max_size=2)
    if option["type"] == "dict" and "options" in option:
        return items(option["options"], texts)
    if "choices" in option:
        return st.sampled_from(option["choices"])
    kinds: dict[str, Values] = {
        "dict": st.dictionaries(texts | st.integers(), anything(texts), max_size=2),
        "int": st.integers(-2, 3000),
        "bool": st.booleans(),
    }
    return kinds.get(option["type"], texts)


def anything(texts: st.SearchStrategy[str]) -> Values:
    """What may be in a dictionary without sub-options."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
        max_leaves=4,
    )
