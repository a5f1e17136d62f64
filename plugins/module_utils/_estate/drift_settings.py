# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""`settings.drift`: how often, where and with which limits the estate looks for what its code does not explain."""

from __future__ import annotations

import difflib
import re
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate.options import known, must_match, region_problems
from ansible_collections.gitops.aws.plugins.module_utils._estate.statements import Found
from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue

DRIFT: dict[str, Any] = {
    "schedule": {"type": "str", "default": "rate(1 day)"},  # '' is only on demand
    "timezone": {"type": "str", "default": "UTC"},
    "regions": {"type": "list", "elements": "str"},
    "scope": {"type": "dict"},
    "types": {"type": "list", "elements": "str", "default": []},
    "removal": {"type": "bool", "default": False},
    "allow_unknown_creator": {"type": "bool", "default": False},
    "entries": {"type": "path"},
    "min_age_hours": {"type": "int", "default": 24},
    "grace_period_days": {"type": "int", "default": 7},
    "max_removals": {"type": "int", "default": 5},
    "max_percent": {"type": "int", "default": 10},
    "ignore_changes": {"type": "list", "elements": "str", "default": []},
    "image": {"type": "str", "default": "aws/codebuild/amazonlinux-x86_64-standard:5.0"},
}
SCOPE: dict[str, Any] = {
    "account": {"type": "bool"},
    "tags": {"type": "dict"},
    "vpc_ids": {"type": "list", "elements": "str"},
    "name_prefix": {"type": "str"},
}
LIMITS = {
    "min_age_hours": (0, 8760),
    "grace_period_days": (0, 365),
    "max_removals": (1, 1000),
    "max_percent": (1, 100),
}

SCHEDULE = re.compile(r"rate\([1-9]\d{0,5} (minute|hour|day)s?\)|cron\([\w*?,/#-]+( [\w*?,/#-]+){5}\)", re.ASCII)
SCHEDULE_ALLOWED = "rate(1 day), cron(0 4 * * ? *), which has six fields, or '' for none"
TIMEZONE = re.compile(r"[A-Za-z][\w+-]*(/[\w+-]+){0,2}", re.ASCII)
VPC_ID = re.compile(r"vpc-[0-9a-f]+")
# The address of a resource and the path of an attribute; * stands for anything in either.
IGNORE_CHANGE = re.compile(r"\S+:[\w.*\[\]\"-]+")
LONGEST_ROLE = "-drift-schedule"
ROLE_NAME_LIMIT = 64


def check_drift(drift: dict[str, Any], path: str, settings: dict[str, Any], regions: list[str]) -> Found:
    """What is wrong with `settings.drift`, which has its types and defaults; the default of its regions is filled in.

    Args:
        drift: as in DRIFT.
        path: where it stands in the input.
        settings: all settings, with their types.
        regions: those that exist.
    """
    drift["regions"] = drift["regions"] or [settings["region"]]
    found = must_match(f"{path}.schedule", drift["schedule"] or None, SCHEDULE, SCHEDULE_ALLOWED)
    found += must_match(f"{path}.timezone", drift["timezone"], TIMEZONE, "UTC or a name like Europe/Berlin")
    for region in drift["regions"] if drift["regions"] != [settings["region"]] else []:
        found += region_problems(f"{path}.regions", region, regions)
    for key, (least, most) in LIMITS.items():
        if not least <= drift[key] <= most:
            found.append(f"{path}.{key}: {drift[key]} is not between {least} and {most}")
    for pattern in drift["ignore_changes"]:
        allowed = "an address and an attribute such as aws_instance.*:tags.LastScan, with * as wildcard"
        found += must_match(f"{path}.ignore_changes", pattern, IGNORE_CHANGE, allowed)
    if not drift["image"]:
        found.append(f"{path}.image: '' is not allowed; allowed is an image with Python that CodeBuild can run")
    room = ROLE_NAME_LIMIT - len(LONGEST_ROLE)
    if len(settings["name"]) > room:
        found.append(
            f"settings.name: {settings['name']!r} has {len(settings['name'])} characters; with drift at most {room} "
            "are allowed, because the names of roles are made of it"
        )
    found += type_problems(f"{path}.types", drift["types"])
    if drift["scope"] is not None:
        found += scope_problems(f"{path}.scope", drift["scope"])
    if drift["removal"] and not drift["scope"]:
        found.append(
            f"{path}.scope: must be given, because removal is true: what the estate claims to own, such as "
            "{account: true} or {tags: {Project: shop}}. Without it nothing is touched"
        )
    if drift["removal"] and not drift["types"]:
        found.append(
            f"{path}.types: must be given, because removal is true: the types that may be removed, such as "
            "[aws_instance]"
        )
    return found


def type_problems(path: str, types: list[str]) -> Found:
    """Types that are unknown, with the nearest that is known, and those that are never removed."""
    found = []
    for name in types:
        if name not in catalogue.ALL:
            near = difflib.get_close_matches(name, catalogue.ALL, 1)
            hint = f"; did you mean {near[0]}?" if near else "."
            found.append(f"{path}: {name!r} is unknown{hint} Allowed are: {', '.join(catalogue.REMOVABLE)}")
        elif not catalogue.ALL[name].remove:
            found.append(
                f"{path}: {name!r} is only reported, never removed. Allowed are: {', '.join(catalogue.REMOVABLE)}"
            )
    return found


def scope_problems(path: str, scope: dict[str, Any]) -> Found:
    """What is wrong with what the estate claims to own."""
    found = known(scope, SCOPE, path)
    given = {key: value for key, value in scope.items() if value is not None}
    if not found and not given:
        found.append(
            f"{path}: {{}} says nothing; allowed are account: true, or one or more of tags, vpc_ids, name_prefix"
        )
    if "account" in given and (given["account"] is not True or len(given) > 1):
        found.append(
            f"{path}.account: {given['account']!r} is not allowed; allowed is true, and nothing beside it: everything "
            "in the account is the estate's"
        )
    tags = given.get("tags", {"": ""})
    if not isinstance(tags, dict) or not tags or not all(isinstance(value, str) for value in tags.values()):
        found.append(
            f"{path}.tags: {tags!r} is not allowed; allowed is a dictionary of texts, such as {{Project: shop}}"
        )
    ids = given.get("vpc_ids", ["vpc-0"])
    if not isinstance(ids, list) or not ids or not all(isinstance(one, str) and VPC_ID.fullmatch(one) for one in ids):
        found.append(f"{path}.vpc_ids: {ids!r} is not allowed; allowed is a list of ids, such as [vpc-0a1b2c3d]")
    prefix = given.get("name_prefix", "x")
    if not isinstance(prefix, str) or not prefix.strip():
        found.append(f"{path}.name_prefix: {prefix!r} is not allowed; allowed is the beginning of names, such as shop-")
    return found
