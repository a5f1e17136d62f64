# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State machines of Step Functions: what is refused, what is kept, and how they go."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import machine_definitions
from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, allow, eventually, unique

STATES = "states.amazonaws.com"
LOOP = {
    "StartAt": "Wait",
    "States": {"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Again"}, "Again": {"Type": "Pass", "Next": "Wait"}},
}


def arn_of(name: str) -> str:
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"


def machine(aws: LocalAws, definition: dict[str, Any] = LOOP, **settings: Any) -> str:
    """A new machine; its ARN."""
    role = aws.role(unique("machine"), STATES, allow("sns:Publish", "*"))
    made = aws.client("stepfunctions").create_state_machine(
        name=unique("machine"), definition=json.dumps(definition), **{"roleArn": role, **settings}
    )
    return str(made["stateMachineArn"])


def definition(state: dict[str, Any], **machine: Any) -> str:
    return json.dumps({"StartAt": "A", "States": {"A": state}, **machine})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "INVALID_JSON_DESCRIPTION"),
        ("[]", "INVALID_JSON_DESCRIPTION"),
        ("{}", "at /States"),
        (json.dumps({"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}), "Missing 'StartAt' target: B"),
        (definition({"Type": "Nothing"}), "The field 'Type'"),
        (definition({"Type": "Pass"}), "One of the fields 'Next' and 'End'"),
        (definition({"Type": "Pass", "Next": "A", "End": True}), "One of the fields 'Next' and 'End'"),
        (definition({"Type": "Pass", "Next": "B"}), "Missing 'Next' target: B at /States/A/Next"),
        (definition({"Type": "Task", "Resource": "x", "End": True}), "not a valid resource ARN at /States/A/Resource"),
        (definition({"Type": "Pass", "End": True, "Output": 1}), "'Output' is not supported with JSONPath"),
        (
            definition({"Type": "Pass", "End": True, "ResultPath": "$"}, QueryLanguage="JSONata"),
            "'ResultPath' is not supported with JSONata",
        ),
        (definition({"Type": "Choice"}), "at least one rule"),
        (
            definition({"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "A"}]}),
            "not one of JSONPath at /States/A/Choices[0]",
        ),
        (definition({"Type": "Parallel", "End": True}), "'Branches[0]' is needed"),
        (definition({"Type": "Map", "End": True, "ItemProcessor": {"States": {}}}), "/States/A/ItemProcessor/States"),
        (
            json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "B": {"Type": "Succeed"}}}),
            'State "B" is not reachable',
        ),
        (
            definition(
                {
                    "Type": "Parallel",
                    "End": True,
                    "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}],
                }
            ),
            "DUPLICATE_STATE_NAME",
        ),
    ],
)
def test_a_definition_that_is_wrong_is_refused_with_its_place(local_aws: LocalAws, text: str, problem: str) -> None:
    assert problem in (machine_definitions.problem(text) or "")
    role = local_aws.role(unique("machine"), STATES)

    with pytest.raises(ClientError, match="InvalidDefinition"):
        local_aws.client("stepfunctions").create_state_machine(name=unique("wrong"), definition=text, roleArn=role)


def test_a_definition_that_is_right_is_taken() -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sns:publish",
        "Arguments": {"Message": "x"},
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}],
        "Next": "B",
    }
    choice = {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "A"}], "Default": "C"}
    states = {"A": task, "B": choice, "C": {"Type": "Succeed"}}
    right = {"QueryLanguage": "JSONata", "StartAt": "A", "States": states}

    assert machine_definitions.problem(json.dumps(right)) is None


def test_a_role_must_be_one_that_step_functions_can_assume(local_aws: LocalAws) -> None:
    arn = machine(local_aws)
    other = local_aws.role(unique("other"), "ec2.amazonaws.com")
    gone = f"arn:aws:iam::{ACCOUNT}:role/none"
    only_itself = {"ArnEquals": {"aws:SourceArn": arn}}
    mine = local_aws.role(unique("mine"), STATES, condition=only_itself)

    for role in (other, gone):
        with pytest.raises(ClientError, match="authorized to assume the provided role"):
            machine(local_aws, roleArn=role)
        with pytest.raises(ClientError, match="authorized to assume the provided role"):
            local_aws.client("stepfunctions").update_state_machine(stateMachineArn=arn, roleArn=role)
    local_aws.client("stepfunctions").update_state_machine(stateMachineArn=arn, roleArn=mine)
    with pytest.raises(ClientError, match="authorized to assume the provided role"):
        machine(local_aws, roleArn=mine)


def test_settings_are_answered_as_they_were_written(local_aws: LocalAws) -> None:
    states = local_aws.client("stepfunctions")
    arn = machine(local_aws, tracingConfiguration={"enabled": True})
    assert states.describe_state_machine(stateMachineArn=arn)["tracingConfiguration"] == {"enabled": True}

    text = json.dumps(LOOP)
    states.update_state_machine(stateMachineArn=arn, definition=text, tracingConfiguration={"enabled": False})

    assert states.describe_state_machine(stateMachineArn=arn)["tracingConfiguration"] == {"enabled": False}
    with pytest.raises(ClientError, match="MissingRequiredParameter"):
        states.update_state_machine(stateMachineArn=arn, tracingConfiguration={"enabled": True})
    with pytest.raises(ClientError, match="InvalidLoggingConfiguration"):
        states.update_state_machine(stateMachineArn=arn, definition=text, loggingConfiguration={"level": "ALL"})


def test_a_deletion_takes_its_time_and_ends_what_runs(local_aws: LocalAws) -> None:
    states = local_aws.client("stepfunctions")
    arn = machine(local_aws)
    name, role = arn.rpartition(":")[2], states.describe_state_machine(stateMachineArn=arn)["roleArn"]
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]

    states.delete_state_machine(stateMachineArn=arn)

    assert states.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING"
    for refused in (
        lambda: states.start_execution(stateMachineArn=arn),
        lambda: states.update_state_machine(stateMachineArn=arn, roleArn=role),
        lambda: states.create_state_machine(name=name, definition=json.dumps(LOOP), roleArn=role),
    ):
        with pytest.raises(states.exceptions.StateMachineDeleting):
            refused()
    states.delete_state_machine(stateMachineArn=arn)

    def gone() -> bool:
        try:
            states.describe_state_machine(stateMachineArn=arn)
        except states.exceptions.StateMachineDoesNotExist:
            return True
        return False

    eventually(gone)
    with pytest.raises(states.exceptions.ExecutionDoesNotExist):
        states.describe_execution(executionArn=execution)
    states.delete_state_machine(stateMachineArn=arn)
    states.create_state_machine(name=name, definition=json.dumps(LOOP), roleArn=role)
