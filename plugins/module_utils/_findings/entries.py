# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The reviewed file: what people have decided about resources that the code does not explain.

An entry is {match: {arn, type, name, tags, region}, kind, owner, reason, expires}. All that `match` says must hold of a
resource. An entry counts up to and including the day it expires; after that it only appears in the report. What is not
understood is an error, never ignored: a misspelt `protect` would leave somebody's resource to removal.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, Collection, Iterable, Mapping

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import FINDINGS

PROTECT, IGNORE, BASELINE = "protect", "ignore", "baseline"
KINDS = (PROTECT, IGNORE, BASELINE)  # of several entries that match a resource, the first kind counts
PROPERTIES = ("match", "kind", "owner", "reason", "expires")
CRITERIA = ("arn", "type", "name", "tags", "region")
GLOBAL = "global"  # what `region` is for a resource that is in none
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}", re.ASCII)
TYPE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", re.ASCII)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
ANYTHING = re.compile(r"[*?]*\*[*?]*")


class Wrong(Exception):
    """Entries that are not understood; `problems` says why, each with its path."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def of_file(document: Any, types: Collection[str] = ()) -> tuple[list[dict[str, Any]], list[str]]:
    """The entries of the file, as YAML or JSON has it, and what is wrong with it. An empty file has no entries."""
    if document is None:
        return [], []
    if not isinstance(document, dict):
        return [], ["the file must be a dictionary with the key `entries`"]
    found = [f"{name}: {_unknown(name, ('entries',))}" for name in document if name != "entries"]
    entries = document.get("entries")
    entries = [] if entries is None else entries
    found += problems(entries, types)
    return ([] if found else entries), found


def problems(entries: Any, types: Collection[str] = ()) -> list[str]:
    """What is wrong with entries, each as `entries[3].match.tgas: what is wrong, what is allowed`.

    Args:
        entries: the list, as the user gave it.
        types: the names of the resource types that there are; where they are given, others are wrong.
    """
    if not isinstance(entries, list):
        return [f"entries: {_shown(entries)} is not allowed, it must be a list"]
    return [each for index, one in enumerate(entries) for each in _entry_problems(one, f"entries[{index}]", types)]


def _entry_problems(entry: Any, path: str, types: Collection[str]) -> list[str]:
    if not isinstance(entry, dict):
        return [f"{path}: {_shown(entry)} is not allowed, it must be a dictionary"]
    found = [f"{path}.{name}: {_unknown(name, PROPERTIES)}" for name in entry if name not in PROPERTIES]
    found += [f"{path}.{name}: it is required and missing" for name in PROPERTIES if entry.get(name) is None]
    for name in ("owner", "reason"):
        value = entry.get(name)
        if value is not None and not (isinstance(value, str) and value.strip()):
            found.append(f"{path}.{name}: {_shown(value)} is not allowed, it must be a text that is not empty")
    kind = entry.get("kind")
    if kind is not None and kind not in KINDS:
        found.append(f"{path}.kind: {_shown(kind)} is not allowed, it must be one of {', '.join(KINDS)}")
    if entry.get("expires") is not None and _day(entry["expires"]) is None:
        found.append(f"{path}.expires: {_shown(entry['expires'])} is not allowed, it must be a day, YYYY-MM-DD")
    if entry.get("match") is not None:
        found += _match_problems(entry["match"], f"{path}.match", types)
    return found


def _match_problems(match: Any, path: str, types: Collection[str]) -> list[str]:
    if not isinstance(match, dict) or not match:
        return [f"{path}: {_shown(match)} is not allowed, it must say one of {', '.join(CRITERIA)}"]
    found = [f"{path}.{name}: {_unknown(name, CRITERIA)}" for name in match if name not in CRITERIA]
    given = {name: value for name, value in match.items() if name in CRITERIA}
    for name, value in given.items():
        if name == "tags":
            found += _tag_problems(value, f"{path}.tags")
        elif not isinstance(value, str) or not value:
            found.append(f"{path}.{name}: {_shown(value)} is not allowed, it must be a text that is not empty")
        elif name == "type" and (value not in types if types else not TYPE.fullmatch(value)):
            near = get_close_matches(value, list(types), n=1)
            meant = f". Did you mean {near[0]}?" if near else ", such as aws_instance"
            found.append(f"{path}.type: {value!r} is no type of resource that is known{meant}")
        elif name == "region" and value != GLOBAL and not REGION.fullmatch(value):
            found.append(f"{path}.region: {value!r} is not allowed, it must be a region, or {GLOBAL}")
    narrow = [name for name, value in given.items() if name == "tags" or not _is_anything(value)]
    if given and not narrow:
        found.append(f"{path}: this matches every resource there is; say which are meant")
    return found


def _tag_problems(tags: Any, path: str) -> list[str]:
    if not isinstance(tags, dict) or not tags:
        return [f"{path}: {_shown(tags)} is not allowed, it must be a dictionary with a tag at least"]
    return [
        f"{path}.{key}: {_shown(value)} is not allowed, it must be a text"
        for key, value in tags.items()
        if not isinstance(key, str) or not isinstance(value, str)
    ]


def _is_anything(value: Any) -> bool:
    return isinstance(value, str) and ANYTHING.fullmatch(value) is not None


def _unknown(name: Any, allowed: tuple[str, ...]) -> str:
    near = get_close_matches(str(name), allowed, n=1)
    return f"unknown, did you mean {near[0]}?" if near else f"unknown, allowed are {', '.join(allowed)}"


def _shown(value: Any) -> str:
    """A wrong value as a message shows it; nothing of what is in a list or a dictionary."""
    return {list: "a list", dict: "a dictionary", type(None): "null"}.get(type(value)) or repr(value)


def _day(value: Any) -> date | None:
    """A day as YAML or JSON has it; None for anything else."""
    if isinstance(value, datetime):
        return None
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def glob(pattern: str) -> re.Pattern[str]:
    """A pattern in which * stands for any characters and ? for one; nothing else is special."""
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(each) or re.escape(each) for each in pattern), re.DOTALL)


class Entries:
    """Entries that were found right, as of a day.

    Attributes:
        all: the entries as plain data, each with its `index` in the file and `expires` as YYYY-MM-DD.
        expired: those that count no more.
    """

    def __init__(self, entries: Any, today: date, types: Collection[str] = ()) -> None:
        """Raises Wrong."""
        wrong = problems(entries, types)
        if wrong:
            raise Wrong(wrong)
        days = [_day(entry["expires"]) or date.min for entry in entries]
        self.all: list[dict[str, Any]] = [
            {"index": index, **entry, "expires": day.isoformat()}
            for index, (entry, day) in enumerate(zip(entries, days))
        ]
        self.expired = [entry for entry, day in zip(self.all, days) if day < today]
        counting = [entry for entry, day in zip(self.all, days) if day >= today]
        # A stable sort: of one kind, the first in the file counts.
        self._counting = sorted(counting, key=lambda entry: KINDS.index(entry["kind"]))
        self._matchers = {entry["index"]: _Matcher(entry["match"]) for entry in self._counting}
        # Most entries of a baseline name one ARN; going through all for each of 10,000 resources would take long.
        self._by_arn: dict[str, list[dict[str, Any]]] = {}
        self._patterns: list[dict[str, Any]] = []
        for entry in self._counting:
            arn = entry["match"].get("arn", "*")
            if "*" in arn or "?" in arn:
                self._patterns.append(entry)
            else:
                self._by_arn.setdefault(arn, []).append(entry)
        self._used: set[int] = set()

    def match(
        self,
        *,
        arn: str = "",
        type: str = "",  # noqa: A002 (the word that the entries use)
        name: str = "",
        tags: Mapping[str, str] | None = None,
        region: str = "",
    ) -> dict[str, Any] | None:
        """The entry that decides about a resource, or None. Protect comes before ignore, and both before a baseline."""
        seen = {"arn": arn, "type": type, "name": name, "tags": tags or {}, "region": region or GLOBAL}
        candidates = [*self._by_arn.get(arn, ()), *self._patterns]
        matching = [entry for entry in candidates if self._matchers[entry["index"]].matches(seen)]
        self._used.update(entry["index"] for entry in matching)
        return min(matching, key=lambda entry: (KINDS.index(entry["kind"]), entry["index"]), default=None)

    @property
    def unused(self) -> list[dict[str, Any]]:
        """Entries that count and have matched nothing so far."""
        return [entry for entry in self.all if entry["index"] in self._matchers and entry["index"] not in self._used]


class _Matcher:
    def __init__(self, match: dict[str, Any]) -> None:
        self._exact = {name: match[name] for name in ("type", "region") if name in match}
        self._globs = {name: glob(match[name]) for name in ("arn", "name") if name in match}
        self._tags = {key: glob(value) for key, value in match.get("tags", {}).items()}

    def matches(self, seen: Mapping[str, Any]) -> bool:
        tags = seen["tags"]
        return (
            all(seen[name] == value for name, value in self._exact.items())
            and all(pattern.fullmatch(seen[name]) for name, pattern in self._globs.items())
            and all(key in tags and pattern.fullmatch(tags[key]) for key, pattern in self._tags.items())
        )


def words(entry: Mapping[str, Any]) -> str:
    """An entry in a line, for reasons and reports."""
    return f"{entry['reason']} ({entry['kind']} until {entry['expires']}, {entry['owner']})"


def baseline(result: Mapping[str, Any], owner: str, reason: str, expires: str) -> list[dict[str, Any]]:
    """Entries that accept what a scan found, one for each finding, in an order that does not change.

    Args:
        result: of unmanaged_resources_info.
        owner, reason, expires: of each entry.

    Raises Wrong.
    """
    found: Iterable[Mapping[str, Any]] = [one for one in result["resources"] if one["verdict"] in FINDINGS]
    entries = [
        {
            "match": {"arn": one["arn"], "type": one["type"]},
            "kind": BASELINE,
            "owner": owner,
            "reason": reason,
            "expires": expires,
        }
        for one in sorted(found, key=lambda one: (one["type"], one["region"], one["arn"]))
    ]
    wrong = problems(entries)
    if wrong:
        raise Wrong(wrong)
    return entries
