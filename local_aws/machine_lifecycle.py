# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State machines of Step Functions: what can be made of them, what is kept, and how long they take to be deleted."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import stepfunctions

from local_aws import identity, machine_definitions
from local_aws.aws_json import AwsError

Request = dict[str, Any]

_PRINCIPAL = "states.amazonaws.com"
_DELETION_SECONDS = 1.5


def apply() -> None:
    """Install it in MiniStack."""
    _tracing_is_kept()
    _before("_create_state_machine", _settings)
    _before("_update_state_machine", _settings)
    _deletion_takes_its_time()
    # The first that is asked: what is on its way out is no other error.
    for operation in ("_create_state_machine", "_update_state_machine", "_start_execution", "_start_sync_execution"):
        _before(operation, _deleting)


def _before(operation: str, check: Callable[[Request], Any]) -> None:
    """Lets a check answer in the place of an operation."""
    original: Callable[[Request], Any] = getattr(stepfunctions, operation)
    setattr(stepfunctions, operation, lambda data: check(data) or original(data))


def _machine(data: Request) -> tuple[str, dict[str, Any] | None]:
    """The ARN of the machine that a request is about, without version and alias, and the machine if it is there."""
    name = data.get("name") if "definition" in data and "stateMachineArn" not in data else None
    own = f"arn:aws:states:{get_region()}:{get_account_id()}:stateMachine:{name}"
    arn = own if name else ":".join(str(data.get("stateMachineArn", "")).split(":")[:7])
    return arn, stepfunctions._state_machines.get(arn)


def _settings(data: Request) -> Any:
    """A definition that is well formed, a role that can be assumed, a log group where something is logged."""
    arn, machine = _machine(data)
    if "stateMachineArn" in data and machine is None:
        return None  # MiniStack says so
    if "stateMachineArn" in data and not {"definition", "roleArn"} & data.keys():
        message = "You must include at least one of definition or roleArn."
        return error_response_json("MissingRequiredParameter", message, 400)
    wrong = machine_definitions.problem(data["definition"]) if "definition" in data else None
    if wrong:
        return error_response_json("InvalidDefinition", f"Invalid State Machine Definition: '{wrong}'", 400)
    logging = data.get("loggingConfiguration") or {}
    if logging.get("level", "OFF") != "OFF" and not logging.get("destinations"):
        message = "Invalid Logging Configuration: Must specify exactly one Log Destination."
        return error_response_json("InvalidLoggingConfiguration", message, 400)
    if "roleArn" not in data:
        return None
    try:
        identity.assume_service_role(
            data["roleArn"], _PRINCIPAL, "local-aws-states", source_arn=arn, source_account=get_account_id()
        )
    except AwsError:
        message = f"Neither the global service principal {_PRINCIPAL}, nor the regional one is authorized to assume"
        return error_response_json("AccessDeniedException", f"{message} the provided role.", 400)
    return None


def _tracing_is_kept() -> None:
    """Whether executions are traced is answered as it was written."""

    def keeping(operation: str) -> None:
        original: Callable[[Request], Any] = getattr(stepfunctions, operation)

        def call(data: Request) -> Any:
            arn, before = _machine(data)
            answer = original(data)
            machine = stepfunctions._state_machines.get(arn)
            if answer[0] == 200 and machine is not None:
                given = data.get("tracingConfiguration")
                # A machine that was there already, and just the same, keeps what it has.
                if given is not None and (before is None or "stateMachineArn" in data):
                    machine["tracingConfiguration"] = given
                machine.setdefault("tracingConfiguration", {"enabled": False})
            return answer

        setattr(stepfunctions, operation, call)

    keeping("_create_state_machine")
    keeping("_update_state_machine")


def _deletion_takes_its_time() -> None:
    """A machine is DELETING first; its executions end at their next state. To delete what is not there is no error."""
    original: Callable[[Request], Any] = stepfunctions._delete_state_machine

    def delete(data: Request) -> Any:
        arn, machine = _machine(data)
        if machine is None or machine["status"] == "DELETING":
            return json_response({})
        machine["status"] = "DELETING"
        context = contextvars.copy_context()  # account and region, which MiniStack's tables are kept by
        threading.Thread(target=context.run, args=(end, arn), daemon=True, name="deletion").start()
        return json_response({})

    def end(arn: str) -> None:
        time.sleep(_DELETION_SECONDS)
        for execution in list(stepfunctions._executions.values()):
            if execution.get("stateMachineArn") == arn and execution["status"] == "RUNNING":
                stepfunctions._stop_execution({"executionArn": execution["executionArn"]})
        original({"stateMachineArn": arn})

    stepfunctions._delete_state_machine = delete


def _deleting(data: Request) -> Any:
    arn, machine = _machine(data)
    if machine is None or machine["status"] != "DELETING":
        return None
    return error_response_json("StateMachineDeleting", f"State Machine is being deleted: '{arn}'", 400)
