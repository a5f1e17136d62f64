# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State machines: what is the same definition, what AWS refuses, and names that become free again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._kinds import stepfunctions_state_machine
from tests.integration.modules.cases import MACHINES, passes
from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, World, unique

MODULE = "stepfunctions_state_machines"
WAITING = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}


def arn_of(name: str) -> str:
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"


def test_another_spelling_is_the_same_definition(account: Account, world: World) -> None:
    name, states = unique("machine"), account.client("stepfunctions")
    definition = passes("\u00fcber")
    spelled = json.dumps(dict(reversed(definition.items())), indent=4)
    states.create_state_machine(name=name, definition=spelled, roleArn=world.role)
    item = {"name": name, "definition": definition, "role_arn": world.role, "type": "STANDARD"}

    assert not account.run(MODULE, state_machines=[item])["changed"]
    assert states.describe_state_machine(stateMachineArn=arn_of(name))["definition"] == spelled


def test_the_type_stays(account: Account, world: World) -> None:
    item = MACHINES.new(world, unique("type"), type="EXPRESS")
    made = account.run(MODULE, state_machines=[item])
    assert made["state_machines"][0]["type"] == "EXPRESS"

    with pytest.raises(ModuleFailed, match=r"AWS cannot change it to 'STANDARD'\. Fix: keep 'EXPRESS', or delete"):
        account.run(MODULE, state_machines=[{**item, "type": "STANDARD"}])


def test_what_aws_says_of_a_definition_is_passed_on(account: Account, world: World) -> None:
    wrong = {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}
    item = MACHINES.new(world, unique("wrong"), definition=wrong)

    with pytest.raises(ModuleFailed, match=r"InvalidDefinition: .*Missing 'Next' target: B at /States/A/Next"):
        account.run(MODULE, state_machines=[item])

    item["definition"] = {"QueryLanguage": "JSONata", **passes("{% 1 + %}")}
    with pytest.raises(ModuleFailed, match="InvalidDefinition: INVALID_JSONATA_EXPRESSION"):
        account.run(MODULE, state_machines=[item])


def test_a_name_is_free_after_a_deletion(account: Account, world: World) -> None:
    item = MACHINES.new(world, unique("again"), definition=WAITING)
    account.run(MODULE, state_machines=[item])
    account.client("stepfunctions").start_execution(stateMachineArn=arn_of(item["name"]))

    deleted = account.run(MODULE, state="absent", state_machines=[{"name": item["name"]}])
    made = account.run(MODULE, state_machines=[item])

    assert deleted["resources"][item["name"]] == {"action": "deleted", "deleting": False}
    assert deleted["api_calls"]["stepfunctions:DescribeStateMachine"] > 1
    # What was there, and what it did, is no longer.
    assert made["mutations"] == ["states:CreateStateMachine"]
    assert not account.run(MODULE, state_machines=[item])["changed"]


def test_what_is_being_deleted_is_made_again_when_it_is_gone(account: Account, world: World) -> None:
    item = MACHINES.new(world, unique("slow"))
    account.run(MODULE, state_machines=[item])
    account.client("stepfunctions").delete_state_machine(stateMachineArn=arn_of(item["name"]))

    assert account.run(MODULE, check=True, state_machines=[item])["resources"][item["name"]]["action"] == "created"
    made = account.run(MODULE, state_machines=[item])

    assert len(made["mutations"]) >= 2
    assert not account.run(MODULE, state_machines=[item])["changed"]


def test_a_deletion_that_takes_long_is_told(account: Account, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepfunctions_state_machine, "DELETION_TIMEOUT", 0.01)
    item = MACHINES.new(world, unique("long"))
    account.run(MODULE, state_machines=[item])

    deleted = account.run(MODULE, state="absent", state_machines=[item])

    assert deleted["resources"][item["name"]]["deleting"] is True


def test_reads_are_as_few_as_aws_allows(account: Account, world: World) -> None:
    items = [MACHINES.new(world, unique("few")) for _ in range(3)]
    account.run(MODULE, state_machines=items)

    assert account.run(MODULE, state_machines=items)["api_calls"] == {
        "stepfunctions:DescribeStateMachine": 3,
        "sts:GetCallerIdentity": 1,
    }


def test_check_mode_knows_the_arn(account: Account, world: World) -> None:
    item = MACHINES.new(world, "none")

    result = account.run(MODULE, check=True, state_machines=[item])

    assert result["resources"][item["name"]] == {"action": "created", "arn": arn_of(item["name"])}


def test_logs_need_a_group(account: Account, world: World) -> None:
    item = MACHINES.new(world, unique("logs"), logging_configuration={"level": "ALL"})

    with pytest.raises(ModuleFailed, match=r"state_machines\[0\].logging_configuration.log_group_arn: it is needed"):
        account.run(MODULE, state_machines=[item])


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"name": "a b"}, "state_machines[0].name"),
        ({"name": "x" * 81}, "state_machines[0].name"),
        ({"definition": {}}, "state_machines[0].definition"),
        ({"definition": {"Comment": "x" * 1024 * 1024}}, "state_machines[0].definition: it has 1048"),
        ({"role_arn": "role"}, "state_machines[0].role_arn"),
        ({"logging_configuration": {"log_group_arn": "/group"}}, "logging_configuration.log_group_arn"),
        ({"logging_configuration": {"level": "SOME"}}, "logging_configuration.level"),
        ({"type": "FAST"}, "state_machines[0].type"),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, options: dict[str, Any], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run(MODULE, state_machines=[{"name": "x", **options}])

    assert path in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result
