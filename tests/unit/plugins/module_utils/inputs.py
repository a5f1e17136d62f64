# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Input for hypothesis: what Ansible lets through, what it does not, and what is right but for one thing."""

from __future__ import annotations

import copy
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


# Input of which most is as an option wants it, and some is not

WORDS = st.sampled_from(["", "a", "1", "true", "no", "[]", "{}", "a=b", "x,y"])
ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.floats(0, 2), WORDS)
NUMBERS = st.integers(-5, 5)
# Texts that look like what AWS wants, and some that only nearly do.
LIKELY = st.sampled_from(
    [
        "a",
        "network",
        "arn:aws:iam::123456789012:role/service",
        "arn:aws:kms:eu-central-1:123456789012:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55",
        "arn:aws:s3:::",
        "arn:aws:logs:eu-central-1:123456789012:log-group:a:*",
        "alias/a",
        "/a/b",
        "eu-central-1",
        "a@example.com",
        "https://example.com/",
        "rate(5 minutes)",
        "2026-11-26T08:30:00Z",
        '{"Version": "2012-10-17", "Statement": []}',
        "{{",
        "%s",
        "../a",
        "a\nb",
        "\u00e4\U0001f600",
        "\x00",
        "a" * 300,
        "-1",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | LIKELY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def arguments(
    draw: st.DrawFn, spec: Settings, texts: st.SearchStrategy[str] = WORDS, wrong: int = 20, given: int = 8
) -> Settings:
    """Arguments for a spec: what is required, and some of the others; at times by another name, at times unknown.

    Args:
        spec: an argument spec.
        texts: what texts are.
        wrong: one value in so many is of any type.
        given: how many of 30 options are given that are not required.
    """
    return _arguments(draw, spec, texts, wrong, given)


def _arguments(draw: st.DrawFn, spec: Settings, texts: st.SearchStrategy[str], wrong: int, given: int) -> Settings:
    found = {}
    for name, option in spec.items():
        if draw(st.integers(0, 29)) < (29 if option.get("required") else given):
            called = draw(st.sampled_from([name, name, name, *option.get("aliases", [])]))
            found[called] = _mostly(draw, option, texts, wrong, given)
    if draw(st.integers(0, 29)) == 0:
        found["unknown"] = draw(ANYTHING)
    return found


def _mostly(draw: st.DrawFn, option: Settings, texts: st.SearchStrategy[str], wrong: int, given: int) -> Any:
    """A value for an option, most often as it wants it."""
    if draw(st.integers(0, wrong - 1)) == 0:
        return draw(ANYTHING)
    kind = option.get("type", "str")
    if kind == "list" and option.get("elements"):
        element = {**option, "type": option["elements"], "elements": None}
        return [_mostly(draw, element, texts, wrong, given) for _ in range(draw(st.integers(0, 2)))]
    if kind == "dict" and option.get("options"):
        return _arguments(draw, option["options"], texts, wrong, given)
    if kind == "str" and "choices" in option:
        return draw(st.sampled_from(option["choices"]))
    return draw(
        {
            "dict": st.dictionaries(st.sampled_from(["a", "b"]), ANYTHING, max_size=2),
            "list": st.lists(ANYTHING, max_size=2),
            "bool": st.booleans(),
            "int": NUMBERS,
            "float": NUMBERS,
            "raw": ANYTHING,
        }.get(kind, texts)
    )


@st.composite
def with_one_wrong(draw: st.DrawFn, value: Any, most: int = 3) -> Any:
    """Plain data, in up to so many places of which something is left out, or stands twice, or is something else."""
    changed: Any = {"": copy.deepcopy(value)}
    for _ in range(draw(st.integers(0, most))):
        holder, place = draw(st.sampled_from(list(_places(changed))))
        what = draw(st.sampled_from(["other", "other", "gone", "twice"]))
        if what == "gone" and (isinstance(holder, list) or place != ""):
            del holder[place]
        elif what == "twice" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[place]))
        else:
            holder[place] = draw(JSON)
    return changed[""]


def _places(value: Any) -> Any:
    """Every place in plain data: what it is in, and its key or index there."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from _places(value[key])
