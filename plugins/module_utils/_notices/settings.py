# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""`notifications` of the settings and of a stack, and the recipients' secrets: what there is, and what is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.gitops.aws.plugins.module_utils._estate.between import path_of
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.options import EMAIL, KEY_ARN, must_match, typed
from ansible_collections.gitops.aws.plugins.module_utils._estate.statements import Found
from ansible_collections.gitops.aws.plugins.module_utils._notices import texts
from ansible_collections.gitops.aws.plugins.module_utils._notices.filters import POLICIES_LIMIT, VALUES_LIMIT, filters
from ansible_collections.gitops.aws.plugins.module_utils._notices.model import EVENTS
from ansible_collections.gitops.aws.plugins.module_utils._notices.recipients import (
    KINDS,
    SUBSCRIBED,
    WITH_SECRET,
    Recipient,
    endpoint,
    kind_of,
)

EVENTS_OPTION: dict[str, Any] = {"type": "list", "elements": "str", "choices": list(EVENTS), "default": list(EVENTS)}

NOTIFICATIONS: dict[str, Any] = {
    "recipients": {"type": "list", "elements": "dict", "default": []},
    "lock_minutes": {"type": "int", "default": 60},
    "kms_key_id": {"type": "str"},
    "templates": {"type": "dict", "default": {}},
    "aws_rules": {"type": "bool", "default": False},
}
STACK_NOTIFICATIONS: dict[str, Any] = {
    "events": EVENTS_OPTION,
    "recipients": {"type": "list", "elements": "dict", "default": []},
}
RECIPIENT: dict[str, Any] = {
    "name": {"type": "str"},
    "email": {"type": "str"},
    "sqs": {"type": "str"},
    "https": {"type": "str"},
    "slack": {"type": "dict"},
    "teams": {"type": "dict"},
    "webhook": {"type": "dict"},
    "chatbot": {"type": "dict"},
    "events": EVENTS_OPTION,
}
PARTS: dict[str, dict[str, Any]] = {
    "slack": {
        "channel": {"type": "str", "required": True},
        "url": {"type": "str", "default": "https://slack.com/api/chat.postMessage"},
    },
    "teams": {"url": {"type": "str", "required": True}},
    "webhook": {"url": {"type": "str", "required": True}, "header": {"type": "str", "default": "Authorization"}},
    "chatbot": {"team_id": {"type": "str", "required": True}, "channel_id": {"type": "str", "required": True}},
}

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
QUEUE_ARN = re.compile(r"arn:aws[\w-]*:sqs:[a-z0-9-]+:\d{12}:[\w-]{1,80}", re.ASCII)
# What EventBridge takes for an API destination; an asterisk stands for something else there.
URL = re.compile(r"https://[A-Za-z0-9.-]+(:\d{1,5})?([/?][-()_.!~';/?:@&=+$,A-Za-z0-9%]*)?", re.ASCII)
URL_LIMIT = 2048
# It stands in a template of EventBridge, where <...> is a variable.
CHANNEL = re.compile(r"[^\s<>\"\\\x00-\x1f\x7f]{1,80}")
TEAM_ID, CHANNEL_ID = re.compile(r"[A-Z0-9]{1,255}", re.ASCII), re.compile(r"[A-Za-z0-9]{1,255}", re.ASCII)
HEADER = re.compile(r"[A-Za-z0-9-]{1,128}", re.ASCII)
LOCK_MINUTES = (15, 10080)
LONGEST_RULE = "-notices-to-"
RULE_NAME_LIMIT = 64
ONE_OF = "exactly one of " + ", ".join(KINDS)


def check_notifications(notifications: dict[str, Any], path: str, settings: dict[str, Any]) -> Found:
    """What is wrong with `settings.notifications`, which has its types and defaults; those of its parts are filled in.

    Args:
        notifications: as in NOTIFICATIONS.
        path: where it stands in the input.
        settings: all settings, with their types.
    """
    least, most = LOCK_MINUTES
    found = []
    if not least <= notifications["lock_minutes"] <= most:
        found.append(f"{path}.lock_minutes: {notifications['lock_minutes']} is not between {least} and {most}")
    key = notifications["kms_key_id"] or None
    found += must_match(f"{path}.kms_key_id", key, KEY_ARN, "the full ARN of a key; without it AWS's own is used")
    if key and KEY_ARN.fullmatch(key) and key.split(":")[3] != settings["region"]:
        found.append(f"{path}.kms_key_id: the key is in {key.split(':')[3]}; it must be in {settings['region']}")
    found += texts.problems(notifications["templates"], f"{path}.templates")
    return found + _recipients(notifications, path, settings)


def check_of_stack(notifications: dict[str, Any], path: str, settings: dict[str, Any]) -> Found:
    """What is wrong with the notifications of a stack, as above, as in STACK_NOTIFICATIONS."""
    if notifications["recipients"] and settings.get("notifications") is None:
        return [f"{path}.recipients: is of no use without settings.notifications; {{}} there is enough"]
    return _recipients(notifications, path, settings)


def _recipients(notifications: dict[str, Any], path: str, settings: dict[str, Any]) -> Found:
    """What is wrong with recipients, each by itself and with those of the same list; fills their defaults in."""
    found: Found = []
    seen: dict[tuple[str, str], int] = {}
    checked = []
    for index, given in enumerate(notifications["recipients"]):
        where = f"{path}.recipients[{index}]"
        recipient, wrong = _recipient(given, where, settings)
        found += wrong
        checked.append(recipient)
        if not wrong and kind_of(recipient) in SUBSCRIBED:
            key = (kind_of(recipient), endpoint(recipient))
            if key in seen:
                found.append(f"{where}.{key[0]}: {key[1]!r} is also recipients[{seen[key]}]; it is told once")
            seen.setdefault(key, index)
    notifications["recipients"] = checked
    return found


def _recipient(given: Any, path: str, settings: dict[str, Any]) -> tuple[Recipient, Found]:
    """A recipient with its defaults, and what is wrong with it."""
    recipient, found = typed(given, RECIPIENT, path)
    if found:
        return recipient, found
    kinds = [kind for kind in KINDS if recipient[kind] is not None]
    if len(kinds) != 1:
        return recipient, [f"{path}: has {' and '.join(kinds) or 'no address'}; allowed is {ONE_OF}"]
    (kind,) = kinds
    if kind in PARTS:
        recipient[kind], found = typed(recipient[kind], PARTS[kind], f"{path}.{kind}")
    found = found or _address(kind, recipient[kind], f"{path}.{kind}")
    found += must_match(f"{path}.name", recipient["name"], NAME, "a-z, 0-9 and single hyphens, beginning with a letter")
    if kind not in SUBSCRIBED:
        room = RULE_NAME_LIMIT - len(f"{settings.get('name', '')}{LONGEST_RULE}")
        if not recipient["name"]:
            found.append(f"{path}.name: must be given, because names of AWS resources are made of it")
        elif len(recipient["name"]) > room:
            found.append(
                f"{path}.name: {recipient['name']!r} has {len(recipient['name'])} characters; at most {room} are "
                "allowed, because the name of a rule is made of it"
            )
    return recipient, found


def _address(kind: str, value: Any, path: str) -> Found:
    """What is wrong with where a recipient of a kind is told."""
    if kind == "email":
        return must_match(path, value, EMAIL, "an e-mail address")
    if kind == "sqs":
        return must_match(path, value, QUEUE_ARN, "the ARN of a queue, arn:aws:sqs:<region>:<account>:<name>, not FIFO")
    if kind == "chatbot":
        found = must_match(f"{path}.team_id", value["team_id"], TEAM_ID, "the id of a workspace, such as T0123ABCD")
        allowed = "the id of a channel, such as C0123ABCD"
        return found + must_match(f"{path}.channel_id", value["channel_id"], CHANNEL_ID, allowed)
    url, where = (value, path) if kind == "https" else (value["url"], f"{path}.url")
    found = must_match(where, url, URL, "an address that begins with https://, without user, password and *")
    if len(url) > URL_LIMIT:
        found.append(f"{where}: has {len(url)} characters; at most {URL_LIMIT} are allowed")
    if kind == "slack":
        allowed = "a channel such as '#ops', or its id"
        found += must_match(f"{path}.channel", value["channel"], CHANNEL, allowed)
    if kind == "webhook":
        found += must_match(f"{path}.header", value["header"], HEADER, "the name of a header, such as Authorization")
    if kind == "teams" and not found and "sig" in dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)):
        found.append(
            f"{where}: has a sig, which is a secret. Leave it out here, and give its value in "
            "gitops_notification_secrets"
        )
    return found


def everybody(settings: dict[str, Any], stacks: list[Stack]) -> list[tuple[str, Recipient]]:
    """All recipients that are right in themselves, each with where it stands."""
    lists = [("settings.notifications", settings.get("notifications"))]
    lists += [(f"{path_of(i, stack)}.notifications", stack.get("notifications")) for i, stack in enumerate(stacks)]
    return [
        (f"{path}.recipients[{index}]", recipient)
        for path, notifications in lists
        for index, recipient in enumerate((notifications or {}).get("recipients") or [])
    ]


def check_between(settings: dict[str, Any], stacks: list[Stack]) -> Found:
    """Names that two recipients share, and what AWS's limits of a topic's filters do not allow."""
    found: Found = []
    owners: dict[str, tuple[str, str]] = {}
    for path, recipient in everybody(settings, stacks):
        name, kind = recipient["name"], kind_of(recipient)
        if not name:
            continue
        same = f"{kind} {endpoint(recipient)}" if kind in SUBSCRIBED else path
        owner, theirs = owners.setdefault(name, (path, same))
        if theirs != same:
            found.append(f"{path}.name: {name!r} is also the name of {owner}; names must differ")
    if found or settings.get("notifications") is None:
        return found
    policies = filters(settings["notifications"], stacks)
    for (kind, where), policy in policies.items():
        branches = policy.get("$or", [policy]) if policy else []
        values = sum(len(branch.get("event", [""])) * len(branch.get("stack", [""])) for branch in branches)
        if values > VALUES_LIMIT:
            found.append(
                f"stacks: {kind} {where} is named by so many stacks that its filter has {values} combinations, and SNS "
                f"takes {VALUES_LIMIT}. Fix: name it in settings.notifications"
            )
    filtered = sum(1 for policy in policies.values() if policy)
    if filtered > POLICIES_LIMIT:
        found.append(
            f"stacks: {filtered} subscriptions need a filter, and SNS takes {POLICIES_LIMIT} for a topic. Fix: use "
            "fewer addresses, such as a mailing list, or let some hear of everything"
        )
    return found


def check_secrets(secrets: Any, settings: dict[str, Any], stacks: list[Stack]) -> Found:
    """What is wrong with the recipients' secrets, by name. No message has a value.

    Where nobody is told, names of nobody are right: the secrets are kept for later.
    """
    path = "gitops_notification_secrets"
    if not isinstance(secrets, dict):
        return [f"{path}: must be a dictionary of secrets by the names of recipients"]
    known = {
        recipient["name"]: kind_of(recipient) for _path, recipient in everybody(settings, stacks) if recipient["name"]
    }
    takes = sorted(name for name, kind in known.items() if kind in WITH_SECRET)
    found = []
    for name, value in secrets.items():
        where = f"{path}.{name}"
        if name not in takes and settings.get("notifications") is not None:
            why = f"a recipient by {known[name]} takes no secret" if name in known else "there is no such recipient"
            near = difflib.get_close_matches(str(name), takes, 1)
            hint = f"; did you mean {near[0]}?" if near else "."
            found.append(f"{where}: {why}{hint} Allowed are: {', '.join(takes) or 'none'}")
        elif not isinstance(value, str) or not value.strip() or not value.isprintable():
            found.append(f"{where}: must be a text of one line, and not empty")
        elif known.get(name) == "slack" and value.startswith("Bearer "):
            found.append(f"{where}: begins with Bearer, which is added; give the token alone")
        else:
            found += [
                f"{where}: its value stands in {place}, too, and Ansible would hide it there, so that it were lost. "
                "Fix: leave it out there if it is the secret; else take a secret that nobody guesses"
                for place in _where(value, settings, stacks)
            ]
    return found


def _where(secret: str, settings: dict[str, Any], stacks: list[Stack]) -> list[str]:
    """The settings, and options of stacks, with values of which a secret is a part.

    Ansible puts something else in the place of a secret wherever it finds it in a result, in numbers, too.
    """
    whole = {f"settings.{option}": value for option, value in settings.items()}
    for index, stack in enumerate(stacks):
        whole.update({f"stacks[{index}].{option}": value for option, value in stack.items()})
    return [path for path, value in whole.items() if any(secret in text for text in _texts(value))]


def _texts(value: Any) -> Iterator[str]:
    """Every single value in another, as text."""
    if isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
    else:
        yield str(value)
