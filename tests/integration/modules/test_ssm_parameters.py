# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSM parameters: secrets stay secret, and are not lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed, World, unique

SECRET = "correct-horse-battery-staple"


def value(account: Account, name: str) -> str:
    text: str = account.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    return text


def test_secret_is_in_no_output(account: Account) -> None:
    item = {"name": f"/modules/{unique('secret')}", "value": SECRET}

    checked = account.run("ssm_parameters", check=True, parameters=[item])
    created = account.run("ssm_parameters", parameters=[item])
    changed = account.run("ssm_parameters", parameters=[{**item, "value": SECRET[::-1]}])

    assert SECRET not in json.dumps([checked, created, changed])
    assert SECRET[::-1] not in json.dumps(changed)
    assert changed["diff"][0]["before"] != changed["diff"][0]["after"]


def test_value_survives_the_way_back(account: Account) -> None:
    name = f"/modules/{unique('secret')}"
    created = account.run("ssm_parameters", parameters=[{"name": name, "value": SECRET, "description": "one"}])

    account.run("ssm_parameters", parameters=[{**created["parameters"][0], "description": "two"}])

    assert value(account, name) == SECRET


def test_stand_in_for_a_secret_is_no_secret(account: Account) -> None:
    with pytest.raises(ModuleFailed, match="give the secret itself"):
        account.run("ssm_parameters", parameters=[{"name": f"/modules/{unique('new')}", "value": "(hidden)"}])


def test_second_run_writes_no_new_version(account: Account) -> None:
    items = [{"name": f"/modules/{unique('many')}/{number}", "value": f"v{number}"} for number in range(25)]
    account.run("ssm_parameters", parameters=items)

    again = account.run("ssm_parameters", parameters=items)

    assert not again["changed"]
    assert {resource["version"] for resource in again["resources"].values()} == {1}
    # 50 names a call for the settings, ten for the values.
    assert again["api_calls"] == {"ssm:DescribeParameters": 1, "ssm:GetParameters": 3}


def test_new_parameter_is_a_secure_string_and_type_is_left_alone(account: Account, world: World) -> None:
    secure, plain = f"/modules/{unique('secure')}", f"/modules/{unique('plain')}"
    account.run("ssm_parameters", parameters=[{"name": secure, "value": "s"}])
    account.run("ssm_parameters", parameters=[{"name": plain, "value": "p", "type": "String"}])

    result = account.run("ssm_parameters", parameters=[{"name": plain, "value": "q"}])

    found = account.client("ssm").get_parameters(Names=[secure, plain])["Parameters"]
    assert {each["Name"]: each["Type"] for each in found} == {secure: "SecureString", plain: "String"}
    assert set(result["diff"][0]["after"]) == {"value"}


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"name": "a/b"}, "parameters[0].name"),
        ({"name": "/AWS/x"}, "parameters[0].name"),
        ({"name": "/x y"}, "parameters[0].name"),
        ({"name": "/x", "value": ""}, "parameters[0].value"),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, item: dict[str, Any], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("ssm_parameters", parameters=[item])

    assert path in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result
