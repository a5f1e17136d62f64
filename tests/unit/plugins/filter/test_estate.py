# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters as Ansible finds them: each is documented as it is, and its errors are Ansible's."""

from __future__ import annotations

import copy
import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.gitops.aws.plugins.filter import estate
from ansible_collections.gitops.aws.plugins.module_utils._estate import names, spec
from ansible_collections.gitops.aws.plugins.module_utils._texts import unpacked

FOLDER = Path(estate.__file__).parent
FILTERS = estate.FilterModule().filters()
SETTINGS = {"name": "gitops", "region": "eu-central-1", "locking": ["lockfile"]}


def documentation(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    return found


def test_every_filter_has_its_page_and_every_page_its_filter() -> None:
    assert {path.stem for path in FOLDER.glob("*.yml")} == set(FILTERS)


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_options_are_the_function_s(name: str) -> None:
    page = documentation(name)["DOCUMENTATION"]
    # A default other than None is for the filter's own tests.
    parameters = [p for p in inspect.signature(FILTERS[name]).parameters.values() if p.default in (p.empty, None)]
    options = {option: text for option, text in page["options"].items() if option != "packed"}  # which is tested below

    assert page["name"] == name
    assert list(options) == ["_input", *(parameter.name for parameter in parameters[1:])]
    assert page.get("positional", "") == ", ".join(parameter.name for parameter in parameters[1:])
    assert [option["required"] for option in options.values()] == [p.default is p.empty for p in parameters]
    assert all("type" in option for option in page["options"].values())


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_examples_use_the_filter(name: str) -> None:
    examples = yaml.safe_load(documentation(name)["EXAMPLES"])

    assert all("name" in example for example in examples)
    assert f"gitops.aws.{name}" in str(examples)
    used = {part.split(" ")[0].split("(")[0] for part in str(examples).split("| gitops.aws.")[1:]}
    assert used <= set(FILTERS)


def test_arguments_may_be_named() -> None:
    made = FILTERS["foundation"](SETTINGS, account_id="111122223333", partition="aws")

    assert made == FILTERS["foundation"](SETTINGS, "111122223333", "aws")


def test_a_policy_that_locks_the_caller_out_is_refused_before_it_is_attached() -> None:
    shared = {**FILTERS["foundation"](SETTINGS, "111122223333", "aws"), "kms_key_arn": "arn:aws:kms:::key/x"}
    caller = "arn:aws:iam::111122223333:role/installer"
    deny = {"Sid": "Nobody", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}

    with pytest.raises(
        AnsibleFilterError, match=rf"would lock you out: statement Nobody denies .* to {caller}\. Nothing"
    ):
        FILTERS["state_bucket_policy"](shared, [deny], caller, [])

    with pytest.raises(
        AnsibleFilterError, match=r"cannot be made\. statements\[0\]\.Condition: 'never' must be a dict"
    ):
        FILTERS["state_bucket_policy"](shared, [{**deny, "Condition": "never"}], caller, [])

    spared = {**deny, "Condition": {"ArnNotLike": {"aws:PrincipalArn": caller}}}
    assert FILTERS["state_bucket_policy"](shared, [spared], caller, [])["Statement"][-1] == spared


def test_a_policy_that_aws_does_not_take_is_refused_before_it_is_attached() -> None:
    shared = FILTERS["foundation"]({**SETTINGS, "sealed": True}, "111122223333", "aws")
    stacks = [
        {
            f"{purpose}_role_arn": f"arn:aws:iam::111122223333:role/{purpose}-{n}"
            for purpose in ("plan", "apply", "pipeline")
        }
        for n in range(300)
    ]

    for policy in ("artifact_bucket_policy", "lock_table_policy", "key_policy"):
        with pytest.raises(AnsibleFilterError, match=r"has \d+ characters, and AWS takes \d+\. Nothing was changed"):
            FILTERS[policy](shared, stacks)
        assert FILTERS[policy](shared, stacks[:3])
    with pytest.raises(AnsibleFilterError, match="The policy of the state bucket has"):
        FILTERS["state_bucket_policy"](shared, [], None, stacks)


def test_errors_are_ansible_s(tmp_path: Path) -> None:
    file = tmp_path / "accessKeys.csv"
    file.write_text("nothing", encoding="utf-8")
    stack = {"name": "network", "credentials": "parameter_store", "access_keys_csv": str(file)}

    with pytest.raises(AnsibleFilterError, match=r"^stack network, access_keys_csv .*: this is not an accessKeys\.csv"):
        FILTERS["stack_parameters"]([stack], {})
    with pytest.raises(AnsibleFilterError, match=r"^stack network, access_keys_csv .*: .*Is a directory"):
        FILTERS["stack_parameters"]([{**stack, "access_keys_csv": str(tmp_path)}], {})
    with pytest.raises(
        AnsibleFilterError, match=r"^'\w+' is missing\. Fix: give stacks as gitops\.aws\.estate returns"
    ):
        FILTERS["stack_roles"]([{}], {})


# In one piece


ACCOUNT = "111122223333"
IN_ONE_PIECE = ("source_rules", "sources_not_wanted", "stack_roles", "stack_projects", "stack_pipelines")


@pytest.fixture
def arguments() -> dict[str, list[Any]]:
    """What the filters take beside the stacks, by name; the stacks of several sorts as `_input`."""
    given = [
        {"name": "network", "repository": "acme/infrastructure"},
        {"name": "shop", "repository": "acme/shop", "approval": False, "pull_requests": True},
        {"name": "office", "repository": "acme/office", "variables": {"text": 'Grüße, {{ braces }} and "quotes"'}},
        {"name": "pushed", "source": "codecommit", "repository": "infrastructure"},
    ]
    unsealed = {"region": "eu-central-1", "connection": "github", "sealed": False}
    settings, stacks, problems = spec.check(unsealed, given, ["eu-central-1"])
    assert problems == []
    shared = {
        **names.foundation_of(settings, ACCOUNT, "aws"),
        "kms_key_arn": f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/x",
        "connection_arn": f"arn:aws:codeconnections:eu-central-1:{ACCOUNT}:connection/x",
        "permissions_boundary": "",
        "authors": {},
    }
    folder = FOLDER.parents[1] / "buildspecs"
    texts = {path.stem.removeprefix("buildspec_"): path.read_text(encoding="utf-8") for path in folder.glob("*.yml")}
    texts |= {path.name: path.read_text(encoding="utf-8") for path in (folder / "parts").iterdir()}
    of_foundation = {name: [shared] for name in IN_ONE_PIECE}
    return {"_input": stacks, **of_foundation, "stack_projects": [shared, texts]}


@pytest.mark.parametrize("name", IN_ONE_PIECE)
def test_packed_is_the_same_in_one_text(name: str, arguments: dict[str, Any]) -> None:
    stacks, more, before = arguments["_input"], arguments[name], copy.deepcopy(arguments)

    as_list = FILTERS[name](stacks, *more)
    as_text = FILTERS[name](stacks, *more, packed=True)

    assert isinstance(as_text, str)
    assert not as_text.startswith(("{", "["))  # or ansible-core 2.17 and 2.18 would make data of it
    assert unpacked(as_text) == as_list
    assert as_list
    assert FILTERS[name](stacks, *more, packed=False) == as_list
    assert unpacked(FILTERS[name]([], *more, packed=True)) == []
    assert arguments == before  # the next filter may get the same


def test_packed_holds_long_texts_once(arguments: dict[str, Any]) -> None:
    more = arguments["stack_projects"]
    many = [{**arguments["_input"][0], "name": f"network-{number}"} for number in range(20)]

    as_list = FILTERS["stack_projects"](many, *more)
    as_text = FILTERS["stack_projects"](many, *more, packed=True)

    assert unpacked(as_text) == as_list
    assert len(as_text) < len(json.dumps(as_list)) / 5


def test_errors_are_ansible_s_in_one_piece_too() -> None:
    with pytest.raises(AnsibleFilterError, match=r"is missing\. Fix: give stacks as"):
        FILTERS["stack_roles"]([{}], {}, packed=True)


def test_packed_is_an_option_of_those_that_have_it() -> None:
    documented = [name for name in FILTERS if "packed" in documentation(name)["DOCUMENTATION"]["options"]]

    assert sorted(documented) == sorted(IN_ONE_PIECE)
    for name in documented:
        option = documentation(name)["DOCUMENTATION"]["options"]["packed"]
        assert (option["type"], option["default"], "required" in option) == ("bool", False, False)
    for name in set(FILTERS) - set(documented):
        with pytest.raises(TypeError, match="packed"):
            FILTERS[name]([], packed=True)


def test_a_bucket_s_policy_is_only_written_with_the_key(arguments: dict[str, Any]) -> None:
    """DenyOtherKeys with an empty key would refuse every upload."""
    theirs = {**arguments["stack_roles"][0], "sealed": True, "existing": ["state_bucket", "lock_table"]}
    theirs["installers"] = [f"arn:aws:iam::{ACCOUNT}:role/platform"]
    assert set(estate.policies_to_attach(theirs, arguments["_input"])) == {"state_bucket", "lock_table"}
    assert set(estate.policies_to_attach({**theirs, "kms_key_arn": ""}, arguments["_input"])) == {"lock_table"}
