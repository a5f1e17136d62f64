# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""EventBridge connections, found by their name. Their secrets are written, and AWS tells them to nobody again.

A secret that AWS has stands as HIDDEN in the settings. One that is given is the same to every comparison, so that it is
written with something else that differs, or where update_secrets says so.
"""

from __future__ import annotations

import os.path
import re
import time
from functools import partial
from typing import Any, Callable, Iterable, Iterator

from ansible_collections.gitops.aws.plugins.module_utils._aws import (
    Aws,
    Refused,
    error_code,
    read_or_none,
    until_propagated,
)
from ansible_collections.gitops.aws.plugins.module_utils._engine import (
    Kind,
    Resource,
    Settings,
    Step,
    merge,
    without_empty,
)
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._secrets import HIDDEN, STANDS_FOR_SECRET
from ansible_collections.gitops.aws.plugins.module_utils._shapes import from_response, input_shape, to_request
from ansible_collections.gitops.aws.plugins.module_utils._waiters import wait

PARAMETER: dict[str, Any] = {
    "key": {"type": "str", "required": True, "no_log": False},
    # Not all are secret, and Ansible would hide each everywhere; those that are, the kind hides.
    "value": {"type": "str", "required": True, "no_log": False},
    "is_value_secret": {"type": "bool", "default": True, "no_log": False},
}

# Where in a request parameters stand, beside its own.
PLACES = ("header_parameters", "query_string_parameters", "body_parameters")
PARAMETERS: dict[str, Any] = {
    place: {"type": "list", "elements": "dict", "options": PARAMETER, "no_log": False} for place in PLACES
}

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str"},
    "authorization_type": {"type": "str", "choices": ["API_KEY", "BASIC", "OAUTH_CLIENT_CREDENTIALS"]},
    "api_key": {
        "type": "dict",
        "no_log": False,
        "options": {
            "name": {"type": "str", "required": True},
            "value": {"type": "str", "no_log": True},
        },
    },
    "basic": {
        "type": "dict",
        "options": {
            "username": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
        },
    },
    "oauth": {
        "type": "dict",
        "options": {
            "client_id": {"type": "str", "required": True},
            "client_secret": {"type": "str", "no_log": True},
            "authorization_endpoint": {"type": "str", "required": True},
            "http_method": {"type": "str", "choices": ["GET", "POST", "PUT"], "required": True},
            "http_parameters": {"type": "dict", "options": PARAMETERS},
        },
    },
    "invocation_http_parameters": {"type": "dict", "options": PARAMETERS},
}

# Options of the module beside the connections.
MORE: dict[str, Any] = {"update_secrets": {"type": "bool", "default": False, "no_log": False}}

# Type of authorisation -> its option, and the secret in that.
TYPES = {
    "API_KEY": ("api_key", "value"),
    "BASIC": ("basic", "password"),
    "OAUTH_CLIENT_CREDENTIALS": ("oauth", "client_secret"),
}
# What AWS takes as a whole, with every secret in it.
AUTHORIZATION = ("authorization_type", "api_key", "basic", "oauth", "invocation_http_parameters")

NAME = r"[.\-_A-Za-z0-9]+"
LONGEST_DESCRIPTION = 512
LONGEST_TEXT = 512
MOST_PARAMETERS = 100  # in one place
TEXT = re.compile(r"[^\x00-\x1f:\x7f]+")  # names and secrets; AWS
HEADER = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-zA-Z]+")
HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")

# Seconds: that a connection may take until it can be used, or is gone.
PATIENCE = 120
PAUSE = 2
# States that AWS leaves by itself.
ON_THE_WAY = ("AUTHORIZING", "CREATING", "UPDATING")


class EventbridgeConnection(Kind):
    noun = "EventBridge connection"
    service = "events"

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.equal = {option: partial(self._same, option) for option in AUTHORIZATION}
        self._given: dict[str, Settings] = {}  # the items as they were given, with the secrets that comparing loses
        self._leaving: set[str] = set()  # names of connections that AWS is still deleting

    def problems(self, item: Settings) -> list[str]:
        problem = pattern_problem(item["name"], NAME, 64, "a-z A-Z 0-9 _ . and -")
        found = [f"name: {problem}"] if problem else []
        if len(item["description"] or "") > LONGEST_DESCRIPTION:
            found.append(f"description: it has more than the {LONGEST_DESCRIPTION} characters that are allowed")
        given = [option for option, _secret in TYPES.values() if item[option]]
        if len(given) > 1:
            found.append(f"{given[1]}: it is given together with {given[0]}; a connection has one of them")
        wanted = item["authorization_type"]
        if wanted and given and given[0] != TYPES[wanted][0]:
            found.append(
                f"authorization_type: {wanted} is given together with {given[0]}; it goes with {TYPES[wanted][0]}"
            )
        for option in given:
            texts = {name: value for name, value in item[option].items() if isinstance(value, str)}
            endpoint = texts.pop("authorization_endpoint", "https://")
            if not endpoint.startswith("https://"):
                found.append(
                    f"{option}.authorization_endpoint: {endpoint!r} is not allowed, it must begin with https://"
                )
            found += [f"{option}.{name}: {wrong}" for name, value in texts.items() for wrong in _text_problems(value)]
        for path, parameters in _lists(item):
            found += _parameter_problems(path, parameters)
        return found

    def secrets(self, item: Settings) -> list[str]:
        return [each["value"] for _path, parameters in _lists(item) for each in parameters if each["is_value_secret"]]

    def implied(self, item: Settings) -> Settings:
        self._given[item["name"]] = item
        given = [wanted for wanted, (option, _secret) in TYPES.items() if item[option]]
        return {**item, "authorization_type": given[0]} if given else item

    def conflicts(self, step: Step) -> list[str]:
        after = step.after or {}
        wanted = after.get("authorization_type")
        if not wanted:
            return ["api_key: it, basic or oauth must be given to create a connection"]
        if step.before and not step.changed.intersection(AUTHORIZATION):
            return []
        if TYPES[wanted][0] not in after:
            return [f"{TYPES[wanted][0]}: must be given, for authorization_type is {wanted}"]
        changed = [option for option in AUTHORIZATION if option in step.changed]
        why = (
            f"AWS takes another {' and '.join(changed)} only with all secrets"
            if changed
            else "a new connection needs it"
        )
        return [
            f"{path}: the secret is missing. AWS tells it to nobody, and {why}. Fix: give the secret itself"
            for path, secret in _secrets(self._with_secrets(after))
            if secret is None or secret in STANDS_FOR_SECRET
        ]

    def normalise(self, settings: Settings) -> Settings:
        others = {option for each, (option, _secret) in TYPES.items() if each != settings.get("authorization_type")}
        result = {option: value for option, value in settings.items() if option not in others}
        if "oauth" in result:
            result["oauth"] = {**result["oauth"], "http_parameters": _sorted(result["oauth"].get("http_parameters"))}
        if "invocation_http_parameters" in result:
            result["invocation_http_parameters"] = _sorted(result["invocation_http_parameters"])
        return {
            option: without_empty(value)
            for option, value in result.items()
            if option == "description" or without_empty(value)
        }

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        found = listed(self.client.list_connections, "Connections", (item["name"] for item in items))
        asked = {item["name"] for item in items}
        self._leaving = (self._leaving - asked) | {
            name for name, one in found.items() if one["ConnectionState"] == "DELETING"
        }
        there = [item for item in items if item["name"] in found and item["name"] not in self._leaving]
        return self.read_each(lambda item: self._resource(item, found[item["name"]]), there)

    def _resource(self, item: Settings, summary: dict[str, Any]) -> Resource | None:
        found = summary
        settings: Settings = {"name": item["name"], "authorization_type": summary["AuthorizationType"]}
        # The list says all but these.
        if any(item[option] is not None for option in OPTIONS if option not in settings):
            missing = ("ResourceNotFoundException",)
            described = read_or_none(self.client.describe_connection, missing, Name=item["name"])
            if described is None:
                return None
            found = described
            shape = input_shape(self.client, "CreateConnection").members["AuthParameters"]
            settings["authorization_type"] = found["AuthorizationType"]
            settings["description"] = found.get("Description", "")
            settings.update(_flat(from_response(shape, found.get("AuthParameters", {}))))
        return Resource(settings, {"arn": found["ConnectionArn"], "state": found["ConnectionState"]})

    def _same(self, option: str, before: Any, after: Any) -> bool:
        """Whether a setting is the same, as far as AWS tells, and no secret in it is to be written."""
        writes = self.params.get("update_secrets") and any(
            secret not in STANDS_FOR_SECRET for _path, secret in _secrets({option: after})
        )
        return bool(_hidden(before) == _hidden(after)) and not writes

    def _with_secrets(self, after: Settings) -> Settings:
        """The settings with the secrets that were given: where a comparison found no difference, they are lost."""
        given = {option: self._given[after["name"]][option] for option in AUTHORIZATION}
        return self.normalise(merge(after, {**given, "authorization_type": None}, OPTIONS))

    def predict(self, after: Settings) -> dict[str, Any]:
        # The account and the id are not known; check mode needs something of the same form to show.
        start = f"arn:aws:events:{self.client.meta.region_name}:000000000000"
        return {"arn": f"{start}:connection/{after['name']}/known-after-creation", "state": "AUTHORIZED"}

    def create(self, after: Settings) -> dict[str, Any]:
        description = {"Description": after["description"]} if after.get("description") else {}
        answer = self.client.create_connection(Name=after["name"], **description, **self._authorization(after))
        return {"arn": answer["ConnectionArn"], "state": answer["ConnectionState"]}

    def update(self, before: Resource, after: Settings, changed: set[str]) -> dict[str, Any]:
        authorization = self._authorization(after) if changed.intersection(AUTHORIZATION) else {}
        answer = self.client.update_connection(Name=after["name"], Description=after["description"], **authorization)
        return {"state": answer["ConnectionState"]}

    def _authorization(self, after: Settings) -> dict[str, Any]:
        """The whole authorisation as the API takes it: AWS keeps nothing of the one before."""
        settings = self._with_secrets(after)
        shape = input_shape(self.client, "CreateConnection").members["AuthParameters"]
        return {
            "AuthorizationType": settings["authorization_type"],
            "AuthParameters": to_request(shape, _nested(settings)),
        }

    def delete(self, before: Resource, item: Settings) -> None:
        until_propagated(partial(self.client.delete_connection, Name=item["name"]), self.not_yet)

    def not_yet(self, error: BaseException) -> bool:
        # AWS is at work on it, or still deletes the one that had the name before.
        code = error_code(error)
        return code == "ConcurrentModificationException" or (
            code == "ResourceAlreadyExistsException" and bool(self._leaving)
        )

    def settle(self, steps: list[Step], params: dict[str, Any]) -> list[str]:
        """Waits until EventBridge can use what was written: it takes a moment, longest where it fetches a token."""
        deadline = time.monotonic() + PATIENCE
        late = [self._wait(step, deadline) for step in steps if step.facts.get("state") in ON_THE_WAY]
        return [text for text in late if text]

    def _wait(self, step: Step, deadline: float) -> str | None:
        what = f"{self.noun} {step.name}"
        seconds = max(0, round(deadline - time.monotonic()))
        try:
            if wait(self.client, "event_connection_authorized", seconds, PAUSE, Name=step.name):
                step.facts["state"] = "AUTHORIZED"
                return None
        except Refused:
            found = self.client.describe_connection(Name=step.name)
            step.facts["state"] = found["ConnectionState"]
            return f"{what}: it is {found['ConnectionState']}: {found.get('StateReason', 'AWS does not say why')}"
        return f"{what}: it is not authorised yet. Fix: look at its state in a while"

    def public(self, settings: Settings) -> Settings:
        shown: Settings = _hidden(settings)
        return shown


def listed(list_page: Callable[..., Any], member: str, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What a list operation of EventBridge answers about these names, by name."""
    wanted = set(names)
    prefix = os.path.commonprefix(sorted(wanted))  # noqa: RUF071 (names are no paths)
    found = by_prefix(list_page, member, prefix) if wanted else []
    return {each["Name"]: each for each in found if each["Name"] in wanted}


def by_prefix(list_page: Callable[..., Any], member: str, prefix: str) -> list[dict[str, Any]]:
    """All that a list operation of EventBridge answers whose names begin so, in pages of a hundred.

    botocore has no paginator for it.
    """
    arguments: dict[str, Any] = {"Limit": 100, **({"NamePrefix": prefix} if prefix else {})}
    found: list[dict[str, Any]] = []
    while True:
        answer = list_page(**arguments)
        found += answer[member]
        if not answer.get("NextToken"):
            return found
        arguments["NextToken"] = answer["NextToken"]


def _lists(settings: Settings) -> Iterator[tuple[str, list[Settings]]]:
    """The lists of parameters in settings, each with its path."""
    oauth = settings.get("oauth") or {}
    for start, places in (
        ("oauth.http_parameters", oauth.get("http_parameters")),
        ("invocation_http_parameters", settings.get("invocation_http_parameters")),
    ):
        for place in PLACES:
            yield f"{start}.{place}", (places or {}).get(place) or []


def _secrets(settings: Settings) -> Iterator[tuple[str, str | None]]:
    """Every secret that settings must have, with its path; None where it is missing."""
    for option, secret in TYPES.values():
        if settings.get(option):
            yield f"{option}.{secret}", settings[option].get(secret)
    for path, parameters in _lists(settings):
        for each in parameters:
            if each.get("is_value_secret", True):
                yield f"{path}[{each['key']}].value", each["value"]


def _hidden(value: Any) -> Any:
    """Settings, or a part of them, without their secrets."""
    if isinstance(value, list):
        return [_hidden(element) for element in value]
    if not isinstance(value, dict):
        return value
    if "key" in value:
        return {**value, "value": HIDDEN} if value.get("is_value_secret", True) else value
    secret = [name for _option, name in TYPES.values()]
    return {name: HIDDEN if name in secret and element else _hidden(element) for name, element in value.items()}


def _sorted(places: Settings | None) -> Settings:
    """Lists of parameters in the order of their keys, which means nothing to AWS."""
    return {
        place: sorted(({"is_value_secret": True, **each} for each in parameters), key=lambda each: str(each["key"]))
        for place, parameters in (places or {}).items()
        if parameters
    }


def _text_problems(text: str) -> list[str]:
    """What is wrong with a name or a secret, in words that do not show it."""
    if not text.strip():
        return ["it is empty"]
    if len(text) > LONGEST_TEXT:
        return [f"it has {len(text)} characters, at most {LONGEST_TEXT} are allowed"]
    return (
        [] if TEXT.fullmatch(text) else ["a colon, a line break or another control character is in it; AWS allows none"]
    )


def _parameter_problems(path: str, parameters: list[Settings]) -> list[str]:
    found = []
    if len(parameters) > MOST_PARAMETERS:
        found.append(f"{path}: they are {len(parameters)}, and AWS allows {MOST_PARAMETERS}")
    seen: dict[str, int] = {}
    for index, each in enumerate(parameters):
        here = f"{path}[{index}]"
        if each["key"] in seen:
            found.append(f"{here}.key: {each['key']!r} is also {path}[{seen[each['key']]}].key")
        seen.setdefault(each["key"], index)
        if path.endswith("header_parameters"):
            if not HEADER.fullmatch(each["key"]):
                found.append(f"{here}.key: {each['key']!r} is no name of a header")
            if not HEADER_VALUE.fullmatch(each["value"]):
                found.append(f"{here}.value: it is not plain ASCII without line breaks, as a header must be")
        if not path.endswith("body_parameters") and len(each["value"]) > LONGEST_TEXT:
            found.append(f"{here}.value: it has {len(each['value'])} characters, at most {LONGEST_TEXT} are allowed")
    return found


def _flat(told: Settings) -> Settings:
    """Authorisation parameters as AWS answers them, in snake_case, as options; what is secret as HIDDEN."""
    result: Settings = {}
    if "api_key_auth_parameters" in told:
        result["api_key"] = {"name": told["api_key_auth_parameters"]["api_key_name"], "value": HIDDEN}
    if "basic_auth_parameters" in told:
        result["basic"] = {"username": told["basic_auth_parameters"]["username"], "password": HIDDEN}
    if "o_auth_parameters" in told:
        oauth = told["o_auth_parameters"]
        result["oauth"] = {
            "client_id": oauth["client_parameters"]["client_id"],
            "client_secret": HIDDEN,
            "authorization_endpoint": oauth["authorization_endpoint"],
            "http_method": oauth["http_method"],
            "http_parameters": _parameters(oauth.get("o_auth_http_parameters")),
        }
    result["invocation_http_parameters"] = _parameters(told.get("invocation_http_parameters"))
    return result


def _parameters(told: Settings | None) -> Settings:
    """Parameters as AWS answers them: those that are secret have no value."""
    return {
        place: [{"is_value_secret": True, "value": HIDDEN, **each} for each in parameters]
        for place, parameters in (told or {}).items()
    }


def _nested(settings: Settings) -> Settings:
    """Authorisation parameters as the API takes them, in snake_case."""
    result: Settings = {}
    if "api_key" in settings:
        key = settings["api_key"]
        result["api_key_auth_parameters"] = {"api_key_name": key["name"], "api_key_value": key["value"]}
    if "basic" in settings:
        result["basic_auth_parameters"] = settings["basic"]
    if "oauth" in settings:
        oauth = dict(settings["oauth"])
        result["o_auth_parameters"] = {
            "client_parameters": {name: oauth.pop(name) for name in ("client_id", "client_secret")},
            "o_auth_http_parameters": oauth.pop("http_parameters", None),
            **oauth,
        }
    result["invocation_http_parameters"] = settings.get("invocation_http_parameters")
    return result
