# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's containers are made plain is what Ansible itself renders, asked of its own templating."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.plugin_utils import _plain
from ansible_collections.gitops.aws.plugins.plugin_utils._plain import plain

pytest.importorskip("ansible._internal", reason="ansible-core 2.18 and older hand everything over rendered")

from ansible._internal._templating._engine import TemplateEngine
from ansible.errors import AnsibleUndefinedVariable
from ansible.parsing.vault import EncryptedString, VaultLib, VaultSecret, VaultSecretsContext
from ansible.template import trust_as_template as trusted

SCALARS = (str, int, float, bool, type(None))
SECRET = VaultSecret(b"password")
OWN_DELIMITERS = "#jinja2: variable_start_string: '[[', variable_end_string: ']]'\n[[ name ]]"

# What a module has answered: nothing of it is a template, whatever it looks like.
RESULT = {
    "stacks": [
        {
            "name": "network",
            "tags": {},
            "regions": [],
            "description": None,
            "approval": True,
            "minutes": 60,
            "share": 0.5,
        },
        {"name": "{{ name }}", "text": "{% raw %}", "policy": '{"Statement": []}', "note": "{# none #}"},
    ],
    "own": OWN_DELIMITERS,
}


@pytest.fixture(autouse=True)
def vault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible knows the password."""
    monkeypatch.setattr(VaultSecretsContext, "_current", None)
    VaultSecretsContext.initialize(VaultSecretsContext([("default", SECRET)]))


def vaulted(text: str) -> EncryptedString:
    return EncryptedString(ciphertext=VaultLib([("default", SECRET)]).encrypt(text, SECRET).decode())


def both(data: Any, **variables: Any) -> tuple[Any, Any]:
    """What a filter gets out of the variable `data` with `plain`, and what Ansible makes of it without."""
    engine = TemplateEngine(variables={"data": data, **variables})
    found = []

    def note(value: Any) -> str:
        assert isinstance(value, _plain.LAZY or (dict, list))
        found.append(plain(value))
        return ""

    engine.environment.filters["note"] = note
    engine.template(trusted("{{ data | note }}"))
    return found[0], engine.template(trusted("{{ data }}"))


def is_plain(value: Any) -> bool:
    """Whether the containers are Python's own, and nothing else is in them but scalars."""
    if type(value) is dict:
        return all(isinstance(name, str) and is_plain(each) for name, each in value.items())
    return all(map(is_plain, value)) if type(value) is list else isinstance(value, SCALARS)


@pytest.fixture(params=["this ansible-core", "one whose containers are not known"])
def core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the containers are not known, each element is asked for."""
    if request.param != "this ansible-core":
        monkeypatch.setattr(_plain, "LAZY", ())
    return str(request.param)


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (RESULT, RESULT),
        ([], []),
        ({}, {}),
        ([[[{}]]], [[[{}]]]),
        ({"a": [{"b": {"c": ["x", trusted("{{ name }}")]}}]}, {"a": [{"b": {"c": ["x", "network"]}}]}),
        ([trusted("{{ stack }}")], [{"name": "network", "ports": [1, 2]}]),
        ([trusted("{{ stack.ports }}"), trusted("{% if true %}a{% endif %}")], [[1, 2], "a"]),
        ({"a": [trusted(OWN_DELIMITERS)]}, {"a": ["network"]}),
        # Once: what comes out of a template is none.
        ([trusted("{{ looks_like_one }}"), {"deep": trusted("{{ results }}")}], ["{{ name }}", {"deep": [RESULT]}]),
        ([trusted("a { brace }"), "{{ name }}"], ["a { brace }", "{{ name }}"]),
        (
            {"password": vaulted("hush {{ name }}"), "x": [vaulted("hush")]},
            {"password": "hush {{ name }}", "x": ["hush"]},
        ),
    ],
)
def test_it_is_what_ansible_renders(data: Any, expected: Any) -> None:
    found, rendered = both(
        data,
        name="network",
        stack={"name": trusted("{{ name }}"), "ports": [1, 2]},
        looks_like_one="{{ name }}",
        results=[RESULT],
    )

    assert found == rendered == expected
    assert is_plain(found)
    assert json.dumps(found) == json.dumps(expected)  # true is not 1


@pytest.mark.usefixtures("core")
def test_other_types_are_left_to_ansible() -> None:
    day = datetime.date(2026, 11, 26)
    data = {"pair": ("a", trusted("{{ name }}"), ["{{ x }}"]), "day": day, "list": [{"name": trusted("{{ name }}")}]}

    found, rendered = both(data, name="network")

    assert rendered == {"pair": ["a", "network", ["{{ x }}"]], "day": day, "list": [{"name": "network"}]}
    assert {**found, "pair": list(found["pair"])} == rendered
    assert is_plain(found["list"])
    assert json.loads(json.dumps(found["pair"])) == rendered["pair"]


@pytest.mark.usefixtures("core")
def test_what_is_not_defined_is_an_error_as_without_it() -> None:
    with pytest.raises(AnsibleUndefinedVariable, match="'nothing' is undefined"):
        both({"a": [trusted("{{ nothing }}")]})


def test_where_nothing_is_to_be_rendered_ansible_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what it is for."""
    engine = TemplateEngine(variables={"data": RESULT})
    asked: list[Any] = []
    template = TemplateEngine.template

    def count(self: TemplateEngine, variable: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(variable)
        return template(self, variable, *args, **kwargs)

    def note(value: Any) -> str:
        asked.clear()
        assert plain(value) == RESULT
        assert asked == []
        return "noted"

    monkeypatch.setattr(TemplateEngine, "template", count)
    engine.environment.filters["note"] = note

    assert engine.template(trusted("{{ data | note }}")) == "noted"


def test_what_is_no_container_of_ansible_s_is_copied_as_it_is() -> None:
    data = {"a": [1, {"b": "{{ name }}"}], "c": None}

    assert plain(data) == data
    assert plain(data) is not data
    assert plain("{{ name }}") == "{{ name }}"
    assert plain(None) is None


# Long lists, of which it remembers what it made


def stacks(number: int, **more: Any) -> list[Any]:
    return [{"name": f"{number}-{index}", "tags": {"of": number}, **more} for index in range(25)]


def test_a_long_list_that_comes_again_is_a_list_of_its_own() -> None:
    data = stacks(1)

    found = both(data)[0]
    found.append("more")
    del found[0]

    assert both(data)[0] == stacks(1)
    assert both([*data[:-1], "last"])[0] == [*stacks(1)[:-1], "last"]
    assert both({"a": data, "b": [data, data[::-1]]})[0] == {"a": stacks(1), "b": [stacks(1), stacks(1)[::-1]]}


def test_long_lists_that_come_and_go_are_not_mistaken_for_each_other() -> None:
    for number in range(30):
        assert both(stacks(number))[0] == stacks(number)

    # Python gives what is new the identity of what is gone: nothing is gone of which the identity is remembered.
    assert 0 < len(_plain._before) <= _plain.KEPT
    assert all(known == tuple(map(id, elements)) for known, (elements, _made) in _plain._before.items())


def test_a_template_in_a_long_list_is_rendered_each_time() -> None:
    data = stacks(1, region=trusted("{{ name }}"))

    for name in ("one", "another"):
        found, rendered = both(data, name=name)
        assert found == rendered == stacks(1, region=name)
        assert is_plain(found)
